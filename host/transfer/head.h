/* head.h - the head of an answer, collected line by line as libcurl hands it over. */
#ifndef TRANSFER_HEAD_H
#define TRANSFER_HEAD_H

#include "transfer/transfer.h"

#define HEAD_LINES 256

struct head {
	unsigned status; /* of the last status line, also of an interim one; 0: none came */
	bool whole;      /* the empty line came */
	struct buf text; /* names in lower case and values, each with a NUL */
	unsigned count;
	struct {
		uint32_t name, name_len, value, value_len;
	} lines[HEAD_LINES];
};

void head_init(struct head *head, size_t max_bytes);
void head_finish(struct head *head);
void head_reset(struct head *head);
/* One line with its line end. A status line begins anew (100 Continue, 103 Early Hints); what
 * follows the empty line (trailers) is left out. False: too big, too many, or not a head. */
bool head_line(struct head *head, const char *line, size_t len);
struct str head_find(const struct head *head, const char *name); /* the first; lower case */
/* Copies to the arena. NULL with count > 0: no memory. */
const struct transfer_header *head_copy(const struct head *head, struct arena *arena);

#endif
