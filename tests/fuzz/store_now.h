/* store_now.h - a store for the target that reads it: in a directory that goes with the process,
 * filled by one operation after the other. What fails ends the process. One thread. */
#ifndef STORE_NOW_H
#define STORE_NOW_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/latch.h"
#include "store/store.h"

static inline _Noreturn void die(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s\n", what, why);
	abort();
}

/* ---- Its directory ------------------------------------------------------------------------ */

static inline void make_directory(char *path, size_t size)
{
	const char *place = getenv("TMPDIR");

	snprintf(path, size, "%s/klinke-fuzz-XXXXXX", place ? place : "/tmp");
	if (!mkdtemp(path))
		die(path, "cannot be made");
}

static inline int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static inline void remove_directory(const char *path)
{
	nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* ---- Operations --------------------------------------------------------------------------- */

static inline void store_now_done(struct store_op *op)
{
	latch_open(op->user);
}

/* store_NAME, over before the next line. */
#define STORE_NOW(name, store, operation)                                                          \
	do {                                                                                       \
		struct latch latch_;                                                               \
                                                                                                   \
		latch_init(&latch_);                                                               \
		(operation)->op.user = &latch_;                                                    \
		(operation)->op.done = store_now_done;                                             \
		store_##name(store, operation);                                                    \
		latch_wait(&latch_);                                                               \
		if ((operation)->op.result != 0)                                                   \
			die("store_" #name, (operation)->op.error.text);                           \
	} while (0)

#endif
