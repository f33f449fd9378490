/* sqlite_limit - what SQLite itself can do with the rows of a webhook: the yardstick of `./dev
 * bench`.
 *
 *	sqlite_limit DIRECTORY SCHEMA [SECONDS [GROUP [raw|all]]]
 *
 * One thread, plain C, one 2.5 KB webhook per row, tables and indices of the store's own SCHEMA
 * file, but nothing sealed; groups of GROUP webhooks (256) in one transaction, WAL,
 * synchronous=FULL, everything else as SQLite comes. raw: the inbox alone, which is what the 2xx
 * waits for. all: what a webhook leaves in the end: its event and its call as well, and the inbox
 * row marked as done. Prints webhooks per second.
 */
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PREPARED 256
#define BODY_BYTES 2560
#define EVENT_BYTES 1800 /* what the plugin makes of it */
#define CALL_BYTES 400

static const char pragmas[] =
	"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;";
static const char insert_row[] =
	"INSERT INTO inbox (id, tenant, connection, route, method, path, correlation, received_ms, "
	"state, reason, kills, lock) VALUES (?1, '', 'praxis-winter/phone', 'events', 'POST', "
	"'/hooks/praxis-winter/phone', ?2, ?3, 1, '', 0, zeroblob(60))";
static const char insert_raw[] = "INSERT INTO inbox_raw (seq, sealed) VALUES (?1, ?2)";
static const char insert_event[] =
	"INSERT INTO event (id, inbox, tenant, connection, type, dedupe, subject, also, regarding, "
	"correlation, at_ms, received_ms, person, lock, sealed) VALUES (?1, ?1, 'praxis-winter', "
	"'praxis-winter/phone', 'call.ended', 'call_ended:' || ?2, 'call:' || ?2, '', '', ?2, "
	"1732300000000, 1732300000000, 4711, zeroblob(71), ?3)";
static const char insert_call[] =
	"INSERT INTO call (tenant, connection, call_id, rank, direction, status, agent, "
	"started_ms, "
	"ended_ms, person, lock, sealed) VALUES ('praxis-winter', 'praxis-winter/phone', ?1, 2, "
	"'inbound', 'ended', 'agent', 1732300000000, 1732300000000, 4711, zeroblob(71), ?2)";
static const char mark_done[] =
	"UPDATE inbox SET state = 2, tenant = 'praxis-winter' WHERE seq = ?1";
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

struct statements {
	sqlite3_stmt *begin, *commit, *row, *raw, *event, *call, *done;
};

static void insert(sqlite3 *db, const struct statements *s, const struct row *row, int all)
{
	sqlite3_int64 seq;

	sqlite3_bind_blob(s->row, 1, row->id, 16, SQLITE_STATIC);
	sqlite3_bind_text(s->row, 2, row->correlation, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s->row, 3, INT64_C(1732300000000));
	run(db, s->row);
	seq = sqlite3_last_insert_rowid(db);
	sqlite3_bind_int64(s->raw, 1, seq);
	sqlite3_bind_blob(s->raw, 2, row->body, BODY_BYTES + (int)sizeof(headers), SQLITE_STATIC);
	run(db, s->raw);
	if (!all)
		return;
	sqlite3_bind_blob(s->event, 1, row->id, 16, SQLITE_STATIC);
	sqlite3_bind_text(s->event, 2, row->correlation, -1, SQLITE_STATIC);
	sqlite3_bind_blob(s->event, 3, row->body, EVENT_BYTES, SQLITE_STATIC);
	run(db, s->event);
	sqlite3_bind_text(s->call, 1, row->correlation, -1, SQLITE_STATIC);
	sqlite3_bind_blob(s->call, 2, row->body, CALL_BYTES, SQLITE_STATIC);
	run(db, s->call);
	sqlite3_bind_int64(s->done, 1, seq);
	run(db, s->done);
}

static char *read_file(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = calloc(1, 1 << 20);
	size_t n = file && text ? fread(text, 1, (1 << 20) - 1, file) : 0;

	if (file)
		fclose(file);
	if (!n) {
		fprintf(stderr, "sqlite_limit: %s cannot be read\n", path);
		exit(1);
	}
	return text;
}

static sqlite3 *create(const char *directory, const char *schema_path)
{
	char path[4096], *schema = read_file(schema_path);
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/limit.db", directory);
	remove(path);
	if (sqlite3_open_v2(path, &db,
		    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
		    NULL) != SQLITE_OK)
		stop(db, path);
	if (sqlite3_exec(db, pragmas, NULL, NULL, NULL) != SQLITE_OK ||
		sqlite3_exec(db, schema, NULL, NULL, NULL) != SQLITE_OK)
		stop(db, "creating the tables");
	free(schema);
	return db;
}

static double measure(sqlite3 *db, struct row *rows, double seconds, unsigned group, int all)
{
	struct statements s = {prepare(db, "BEGIN IMMEDIATE"), prepare(db, "COMMIT"),
		prepare(db, insert_row), prepare(db, insert_raw), prepare(db, insert_event),
		prepare(db, insert_call), prepare(db, mark_done)};
	sqlite3_stmt **each = (sqlite3_stmt **)&s;
	double start = now(), end = start + seconds, t = start;
	uint64_t count = 0;

	while (t < end) {
		run(db, s.begin);
		for (unsigned i = 0; i < group; i++) {
			renew(&rows[i % PREPARED], ++count);
			insert(db, &s, &rows[i % PREPARED], all);
		}
		run(db, s.commit);
		t = now();
	}
	for (size_t i = 0; i < sizeof(s) / sizeof(*each); i++)
		sqlite3_finalize(each[i]);
	return (double)count / (t - start);
}

int main(int argc, char **argv)
{
	double seconds = argc > 3 ? atof(argv[3]) : 3;
	unsigned group = argc > 4 ? (unsigned)atoi(argv[4]) : 256;
	int all = argc > 5 && strcmp(argv[5], "all") == 0;
	struct row rows[PREPARED];
	sqlite3 *db;

	if (argc < 3 || group == 0) {
		fprintf(stderr,
			"usage: sqlite_limit DIRECTORY SCHEMA [SECONDS [GROUP [raw|all]]]\n");
		return 2;
	}
	for (int i = 0; i < PREPARED; i++) {
		rows[i].body = malloc(BODY_BYTES + sizeof(headers));
		if (!rows[i].body)
			return 1;
		memset(rows[i].body, 'a' + i % 26, BODY_BYTES);
		memcpy(rows[i].body + BODY_BYTES, headers, sizeof(headers));
	}
	db = create(argv[1], argv[2]);
	printf("%.0f\n", measure(db, rows, seconds, group, all));
	sqlite3_close(db);
	for (int i = 0; i < PREPARED; i++)
		free(rows[i].body);
	return 0;
}
