/* store_file.h - files of a store from outside of it: looked into, changed by hand, copied. */
#ifndef STORE_FILE_H
#define STORE_FILE_H

#include <fcntl.h>
#include <sqlite3.h>

#include "store_fixture.h"

#define PATHS 300

/* The path of a file of the store, "klinke.db". Of the last eight calls; one thread. */
static inline const char *in(struct fixture *f, const char *name)
{
	static char paths[8][PATHS];
	static unsigned next;
	char *path = paths[next++ % 8];

	snprintf(path, PATHS, "%s/%s", f->directory, name);
	return path;
}

/* The store may be open meanwhile: then it is waited for. */
static inline sqlite3 *database(const char *path)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	sqlite3_busy_timeout(db, 5000);
	return db;
}

/* On its first row. */
static inline sqlite3_stmt *first_row(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *stmt;

	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	return stmt;
}

static inline int64_t number(const char *path, const char *sql)
{
	sqlite3 *db = database(path);
	sqlite3_stmt *stmt = first_row(db, sql);
	int64_t n = sqlite3_column_int64(stmt, 0);

	sqlite3_finalize(stmt);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return n;
}

/* Gives how long they are. */
static inline size_t blob(const char *path, const char *sql, uint8_t *out, size_t size)
{
	sqlite3 *db = database(path);
	sqlite3_stmt *stmt = first_row(db, sql);
	size_t n = (size_t)sqlite3_column_bytes(stmt, 0);

	assert_in_range(n, 1, size);
	memcpy(out, sqlite3_column_blob(stmt, 0), n);
	sqlite3_finalize(stmt);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return n;
}

static inline void by_hand(const char *path, const char *sql)
{
	sqlite3 *db = database(path);
	char *message = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
		fail_msg("%s: %s", sql, message);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static inline void copy_file(const char *from, const char *to)
{
	char chunk[65536];
	FILE *file = fopen(from, "re"), *copy = fopen(to, "we");
	size_t n;

	assert_non_null(file);
	assert_non_null(copy);
	while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0)
		assert_int_equal(fwrite(chunk, 1, n, copy), n);
	fclose(file);
	assert_int_equal(fclose(copy), 0);
}

/* Each byte becomes another, the same again by a second call. */
static inline void flip(const char *path, off_t at, size_t count)
{
	char spoiled[4096];
	int fd = open(path, O_RDWR);
	size_t i;

	assert_true(fd >= 0 && count <= sizeof(spoiled));
	assert_int_equal(pread(fd, spoiled, count, at), count);
	for (i = 0; i < count; i++)
		spoiled[i] = (char)(spoiled[i] ^ 0x5a);
	assert_int_equal(pwrite(fd, spoiled, count, at), count);
	close(fd);
}

#endif
