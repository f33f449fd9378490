/* sqlite_limit - what SQLite itself can do with the rows of the inbox: the yardstick of `./dev
 *bench`.
 *
 *	sqlite_limit DIRECTORY [SECONDS [GROUP [BODY_BYTES]]]
 *
 * One thread, plain C, one 2.5 KB webhook per row, tables and indices as of the store's inbox but
 * nothing sealed; groups of GROUP rows (256) in one transaction, WAL, synchronous=FULL, everything
 * else as SQLite comes. Prints rows per second.
 */
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PREPARED 256

static const char schema[] =
	"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
	"CREATE TABLE inbox (seq INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE CHECK (length(id) = "
	"16), "
	"tenant TEXT NOT NULL, connection TEXT NOT NULL, route TEXT NOT NULL, method TEXT NOT "
	"NULL, "
	"path TEXT NOT NULL, correlation TEXT NOT NULL, received_ms INTEGER NOT NULL, "
	"state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 4), reason TEXT NOT NULL, "
	"kills INTEGER NOT NULL) STRICT;"
	"CREATE INDEX inbox_open ON inbox (state) WHERE state IN (1, 3);"
	"CREATE TABLE inbox_raw (seq INTEGER PRIMARY KEY REFERENCES inbox (seq) ON DELETE CASCADE, "
	"query TEXT NOT NULL, headers TEXT NOT NULL, body BLOB NOT NULL) STRICT;";
static const char insert_row[] =
	"INSERT INTO inbox (id, tenant, connection, route, method, path, correlation, received_ms, "
	"state, reason, kills) VALUES (?1, '', 'praxis-winter/phone', 'events', 'POST', "
	"'/hooks/praxis-winter/phone', ?2, ?3, 1, '', 0)";
static const char insert_raw[] =
	"INSERT INTO inbox_raw (seq, query, headers, body) VALUES (?1, '[]', ?2, ?3)";
static const char headers[] =
	"[[\"content-type\",\"application/json\"],[\"x-retell-signature\",\"v=1732300000000,d="
	"5d41402abc4b2a76b9719d911017c5925d41402abc4b2a76b9719d911017c592\"],"
	"[\"user-agent\",\"axios/"
	"1.7.2\"],[\"content-length\",\"2560\"],[\"host\",\"127.0.0.1:8080\"]]";

struct row {
	uint8_t id[16];
	char correlation[37];
	char *body;
};

static void stop(sqlite3 *db, const char *doing)
{
	fprintf(stderr, "sqlite_limit: %s: %s\n", doing, sqlite3_errmsg(db));
	exit(1);
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *stmt;

	if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) != SQLITE_OK)
		stop(db, sql);
	return stmt;
}

static void run(sqlite3 *db, sqlite3_stmt *stmt)
{
	if (sqlite3_step(stmt) != SQLITE_DONE)
		stop(db, sqlite3_sql(stmt));
	sqlite3_reset(stmt);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Ids grow with time, as UUIDv7 do. */
static void renew(struct row *row, uint64_t number)
{
	size_t i;

	for (i = 0; i < 8; i++)
		row->id[i] = (uint8_t)(number >> (56 - 8 * i));
	for (; i < 16; i++)
		row->id[i] = (uint8_t)rand();
	snprintf(row->correlation, sizeof(row->correlation), "%08x-%04x-7%03x-%04x-%012llx",
		(unsigned)rand(), (unsigned)rand() & 0xffff, (unsigned)rand() & 0xfff,
		(unsigned)rand() & 0xffff, (unsigned long long)number);
}

static void insert(sqlite3 *db, sqlite3_stmt *row_stmt, sqlite3_stmt *raw_stmt,
	const struct row *row, int body_len)
{
	sqlite3_bind_blob(row_stmt, 1, row->id, 16, SQLITE_STATIC);
	sqlite3_bind_text(row_stmt, 2, row->correlation, -1, SQLITE_STATIC);
	sqlite3_bind_int64(row_stmt, 3, INT64_C(1732300000000));
	run(db, row_stmt);
	sqlite3_bind_int64(raw_stmt, 1, sqlite3_last_insert_rowid(db));
	sqlite3_bind_text(raw_stmt, 2, headers, sizeof(headers) - 1, SQLITE_STATIC);
	sqlite3_bind_blob(raw_stmt, 3, row->body, body_len, SQLITE_STATIC);
	run(db, raw_stmt);
}

static sqlite3 *create(const char *directory)
{
	char path[4096];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/limit.db", directory);
	remove(path);
	if (sqlite3_open_v2(path, &db,
		    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
		    NULL) != SQLITE_OK)
		stop(db, path);
	if (sqlite3_exec(db, schema, NULL, NULL, NULL) != SQLITE_OK)
		stop(db, "creating the tables");
	return db;
}

static double measure(sqlite3 *db, struct row *rows, double seconds, unsigned group, int body_len)
{
	sqlite3_stmt *begin = prepare(db, "BEGIN IMMEDIATE"), *commit = prepare(db, "COMMIT");
	sqlite3_stmt *row_stmt = prepare(db, insert_row), *raw_stmt = prepare(db, insert_raw);
	double start = now(), end = start + seconds, t = start;
	uint64_t count = 0;
	unsigned i;

	while (t < end) {
		run(db, begin);
		for (i = 0; i < group; i++) {
			renew(&rows[i % PREPARED], ++count);
			insert(db, row_stmt, raw_stmt, &rows[i % PREPARED], body_len);
		}
		run(db, commit);
		t = now();
	}
	sqlite3_finalize(begin);
	sqlite3_finalize(commit);
	sqlite3_finalize(row_stmt);
	sqlite3_finalize(raw_stmt);
	return (double)count / (t - start);
}

int main(int argc, char **argv)
{
	double seconds = argc > 2 ? atof(argv[2]) : 3;
	unsigned group = argc > 3 ? (unsigned)atoi(argv[3]) : 256;
	int body_len = argc > 4 ? atoi(argv[4]) : 2560, i;
	struct row rows[PREPARED];
	sqlite3 *db;

	if (argc < 2 || group == 0) {
		fprintf(stderr, "usage: sqlite_limit DIRECTORY [SECONDS [GROUP [BODY_BYTES]]]\n");
		return 2;
	}
	for (i = 0; i < PREPARED; i++) {
		rows[i].body = malloc((size_t)body_len);
		if (!rows[i].body)
			return 1;
		memset(rows[i].body, 'a' + i % 26, (size_t)body_len);
	}
	db = create(argv[1]);
	printf("%.0f\n", measure(db, rows, seconds, group, body_len));
	sqlite3_close(db);
	for (i = 0; i < PREPARED; i++)
		free(rows[i].body);
	return 0;
}
