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

struct row_kind {
	size_t size;
	/* row is zeroed */
	int (*read)(struct error *error, struct store_reader *reader, struct stmt *stmt,
		struct arena *arena, void *row);
};
extern const struct row_kind kind_inbox, kind_raw, kind_event, kind_job, kind_attempt, kind_call,
	kind_appointment, kind_answer; /* kind_raw: with its bytes */

/* All rows of a statement whose parameters are bound, and its end. */
int rows_collect(struct error *error, struct store_reader *reader, struct stmt *stmt,
	const struct row_kind *kind, struct arena *arena, void **rows, size_t *count);

#endif
