/* care_i.h - the inside of care, for the files of this room only: connections without kept
 * statements, copies, checks of an open database. */
#ifndef STORE_CARE_I_H
#define STORE_CARE_I_H

#include <stdatomic.h>
#include <sqlite3.h>

#include "store/care.h"

#define CARE_TABLES 64
#define STORE_FILE "klinke.db"
#define CARE_UNFINISHED "restore.unfinished"

/* ---- verify.c ----------------------------------------------------------------------------- */
/* Reading or, with SQLITE_OPEN_READWRITE, writing; waits a while for locks. */
int care_open(struct error *error, sqlite3 **db, const char *file, int flags);
/* SQLite's last error as a code and a sentence: "DOING FILE: …". */
int care_fail(struct error *error, sqlite3 *db, const char *doing, const char *file);
int care_exec(
	struct error *error, sqlite3 *db, const char *sql, const char *doing, const char *file);
/* 1: a row, 0: none, or a negative code; *out is untouched then. */
int care_number(struct error *error, sqlite3 *db, const char *sql, int64_t *out);

struct care_tables { /* in the order of their names */
	unsigned count;
	char name[CARE_TABLES][64];
	int64_t rows[CARE_TABLES];
	int64_t all;
};
int care_tables(struct error *error, sqlite3 *db, const char *file, struct care_tables *out);
int care_count(struct error *error, sqlite3 *db, const char *file, struct care_tables *out);

/* stop, if not NULL: true ends it unfinished; whoever sets it also calls sqlite3_interrupt. */
int care_verify_open(struct error *error, sqlite3 *db, const char *file,
	const struct care_check *check, const atomic_bool *stop, struct care_checked *out);
/* The whole file in one piece, with pages that belong to nothing. */
int care_verify_pages(struct error *error, sqlite3 *db, const char *file);
/* And references. */
int care_verify_whole(struct error *error, sqlite3 *db, const char *file);

/* ---- backup.c ----------------------------------------------------------------------------- */
/* One moment of an open database into a file that does not exist, checked; not yet published. */
int care_copy(struct error *error, sqlite3 *from, const char *from_file, const char *draft,
	struct care_copied *out);
/* The content of a file into an open database, in one transaction. */
int care_put(struct error *error, sqlite3 *to, const char *from_file);
int care_copy_key_file(struct error *error, const char *from, const char *to);
int care_copy_keys(struct error *error, const char *from, const char *to, unsigned *files);
/* Two directories of key files with the same master.key. */
bool care_same_master(const char *a, const char *b);
/* The store's note about its keys; *there false: it has none yet. */
int care_keys_check(
	struct error *error, sqlite3 *db, const char *file, uint8_t out[16], bool *there);

#endif
