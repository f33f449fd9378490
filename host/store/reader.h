/* reader.h - the inside of a reading connection, for the files of this room only. */
#ifndef STORE_READER_H
#define STORE_READER_H

#include "store/engine.h"

struct store_reader {
	struct conn conn;
	struct keys *keys;
};

/* Room for one more row at the end, and *count says so; the rows may move. NULL: no memory. */
void *rows_more(struct arena *arena, void *rows, size_t *count, size_t size);
/* What cannot be unsealed is shown without it. */
int allow_unreadable(struct store_reader *reader, struct error *error, int rc, bool *unreadable);

#endif
