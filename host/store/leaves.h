/* leaves.h - rows straight from the pages of a database's file, when the tree above them is broken.
 * For salvage only: it knows no tables, sees no log, and takes what lies there for a row. */
#ifndef STORE_LEAVES_H
#define STORE_LEAVES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;

enum leaf_type { LEAF_NULL, LEAF_INTEGER, LEAF_REAL, LEAF_TEXT, LEAF_BLOB };
#define LEAF_COLUMNS 64

struct leaf_value {
	enum leaf_type type;
	int64_t integer;
	double real;
	const char *bytes; /* until found() returns */
	size_t len;
};
typedef void leaf_found(void *user, int64_t rowid, const struct leaf_value *values, unsigned count);

/* Each row of each page that is a leaf of a table, whosever. A page that cannot be read, or a row
 * that makes no sense, is passed over. Any bytes are fine. */
int leaves_scan(struct error *error, int fd, leaf_found *found, void *user);

#endif
