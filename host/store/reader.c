/* reader.c - connections that only read, each for one thread at a time, beside the writer and never
 * in its way. */
#include "store/reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/migrate.h"

int store_reader_open(struct error *error, struct store_reader **out, const char *directory)
{
	struct store_reader *reader = calloc(1, sizeof(*reader));
	char path[4200];
	int rc;

	if (!reader)
		return error_set(error, E_NOMEM, "no memory to read the store");
	snprintf(path, sizeof(path), "%s/klinke.db", directory);
	rc = conn_open(error, &reader->conn, path, CONN_READER);
	if (!rc)
		rc = migrate_check(error, reader->conn.db);
	if (!rc)
		rc = keys_open(error, &reader->keys, directory, false);
	if (rc)
		store_reader_close(reader);
	else
		*out = reader;
	return rc;
}

void store_reader_close(struct store_reader *reader)
{
	if (!reader)
		return;
	conn_finish(&reader->conn);
	keys_close(reader->keys);
	free(reader);
}

void *rows_more(struct arena *arena, void *rows, size_t *count, size_t size)
{
	size_t n = *count;

	/* Full at 0, 16, 32, 64 ...: then as much again. */
	if (n == 0 || (n >= 16 && (n & (n - 1)) == 0)) {
		void *grown = arena_alloc(arena, (n ? 2 * n : 16) * size);
		if (grown && n)
			memcpy(grown, rows, n * size);
		rows = grown;
	}
	*count += rows != NULL;
	return rows;
}

int allow_unreadable(struct store_reader *reader, struct error *error, int rc, bool *unreadable)
{
	if (rc != E_CORRUPT || reader->conn.broken)
		return rc;
	*unreadable = true;
	if (error)
		*error = (struct error){0};
	return 0;
}

int rows_collect(struct error *error, struct store_reader *reader, struct stmt *stmt,
	const struct row_kind *kind, struct arena *arena, void **rows, size_t *count)
{
	int rc;

	*rows = NULL;
	*count = 0;
	reader->conn.broken = false;
	while ((rc = stmt_step(error, stmt)) == 1 &&
		(*rows = rows_more(arena, *rows, count, kind->size))) {
		rc = kind->read(
			error, reader, stmt, arena, (char *)*rows + (*count - 1) * kind->size);
		if (rc)
			break;
	}
	stmt_end(stmt);
	if (rc >= 0 && arena_failed(arena))
		rc = error_set(error, E_NOMEM, "more rows than there is memory for: ask for fewer");
	return rc < 0 ? rc : 0;
}

/* ---- kinds of rows ------------------------------------------------------------------------ */

static int one_inbox(struct error *error, struct store_reader *reader, struct stmt *stmt,
	struct arena *arena, void *row)
{
	(void)error;
	(void)reader;
	read_inbox(stmt, arena, row);
	return 0;
}
const struct row_kind kind_inbox = {sizeof(struct inbox_row), one_inbox};

static int one_event(struct error *error, struct store_reader *reader, struct stmt *stmt,
	struct arena *arena, void *row)
{
	int rc = read_event(error, reader->keys, stmt, arena, row);

	return allow_unreadable(reader, error, rc, &((struct event_row *)row)->unreadable);
}
const struct row_kind kind_event = {sizeof(struct event_row), one_event};

static int one_job(struct error *error, struct store_reader *reader, struct stmt *stmt,
	struct arena *arena, void *row)
{
	int rc = read_job(error, reader->keys, stmt, arena, row);

	return allow_unreadable(reader, error, rc, &((struct job_row *)row)->unreadable);
}
const struct row_kind kind_job = {sizeof(struct job_row), one_job};

static int one_appointment(struct error *error, struct store_reader *reader, struct stmt *stmt,
	struct arena *arena, void *row)
{
	int rc = read_appointment(error, reader->keys, stmt, arena, row);

	return allow_unreadable(reader, error, rc, &((struct appointment_row *)row)->unreadable);
}
const struct row_kind kind_appointment = {sizeof(struct appointment_row), one_appointment};

static int one_breaker(struct error *error, struct store_reader *reader, struct stmt *stmt,
	struct arena *arena, void *to)
{
	struct breaker_row *row = to;

	(void)error;
	(void)reader;
	row->key = col_text(stmt, arena);
	row->state = col_text(stmt, arena);
	row->until_ms = col_i64(stmt);
	row->failures = (uint32_t)col_i64(stmt);
	row->successes = (uint32_t)col_i64(stmt);
	return 0;
}

/* ---- single values ------------------------------------------------------------------------ */

static int get_text(struct error *error, struct stmt *stmt, struct arena *arena, const char *what,
	struct str *out)
{
	int rc = stmt_step(error, stmt);

	*out = (struct str){0};
	if (rc == 1)
		*out = col_text(stmt, arena);
	stmt_end(stmt);
	if (rc == 0)
		return error_set(error, E_NOTFOUND, "there is no such %s", what);
	if (rc == 1 && !out->ptr)
		return error_set(error, E_NOMEM, "no memory to read a %s", what);
	return rc < 0 ? rc : 0;
}

int store_get_checkpoint(struct error *error, struct store_reader *reader, struct str connection,
	struct str op, struct arena *arena, struct str *value)
{
	struct stmt stmt;

	stmt_begin_sql(&stmt, &reader->conn,
		"SELECT value FROM checkpoint WHERE connection = ?1 AND op = ?2");
	stmt_text(&stmt, connection);
	stmt_text(&stmt, op);
	return get_text(error, &stmt, arena, "checkpoint", value);
}

int store_get_generation(struct error *error, struct store_reader *reader, uint64_t generation,
	struct arena *arena, struct str *text)
{
	struct stmt stmt;

	stmt_begin_sql(&stmt, &reader->conn, "SELECT text FROM generation WHERE number = ?1");
	stmt_i64(&stmt, (int64_t)generation);
	return get_text(error, &stmt, arena, "configuration", text);
}

int store_list_breakers(struct error *error, struct store_reader *reader, struct arena *arena,
	struct breaker_row **rows, size_t *count)
{
	static const struct row_kind kind = {sizeof(struct breaker_row), one_breaker};
	struct stmt stmt;
	void *all;
	int rc;

	stmt_begin_sql(&stmt, &reader->conn,
		"SELECT key, state, until_ms, failures, successes FROM breaker ORDER BY key");
	rc = rows_collect(error, reader, &stmt, &kind, arena, &all, count);
	*rows = all;
	return rc;
}

/* ---- counts ------------------------------------------------------------------------------- */

static int count_inbox(struct error *error, struct conn *conn, struct store_counts *counts)
{
	struct stmt stmt;
	int rc;

	stmt_begin_sql(&stmt, conn,
		"SELECT state, count(*) FROM inbox WHERE state IN (1, 3) GROUP BY state");
	while ((rc = stmt_step(error, &stmt)) == 1) {
		bool is_new = col_i64(&stmt) == INBOX_NEW;
		*(is_new ? &counts->inbox_new : &counts->inbox_parked) = (uint64_t)col_i64(&stmt);
	}
	stmt_end(&stmt);
	return rc;
}

static int count_jobs(struct error *error, struct conn *conn, struct store_counts *counts)
{
	uint64_t open = 0;
	struct stmt stmt;
	int rc;

	stmt_begin_sql(&stmt, conn,
		"SELECT state, count(*), min(due_ms) FROM job WHERE state <> 6 GROUP BY state");
	while ((rc = stmt_step(error, &stmt)) == 1) {
		int64_t state = col_i64(&stmt);
		counts->jobs[state] = (uint64_t)col_i64(&stmt);
		open += counts->jobs[state];
		if (state == JOB_READY)
			counts->oldest_ready_ms = col_i64(&stmt);
	}
	stmt_end(&stmt);
	if (rc)
		return rc;
	/* Rows are numbered from 1 without gaps, and no number comes again, so those that are done,
	 * or were and are deleted, need no counting. */
	stmt_begin_sql(&stmt, conn,
		"SELECT coalesce((SELECT max(seq) FROM job), 0), coalesce((SELECT max(seq) FROM "
		"event), 0)");
	rc = stmt_step(error, &stmt);
	if (rc == 1) {
		counts->jobs[JOB_DONE] = (uint64_t)col_i64(&stmt) - open;
		counts->events = (uint64_t)col_i64(&stmt);
	}
	stmt_end(&stmt);
	return rc < 0 ? rc : 0;
}

int store_count(struct error *error, struct store_reader *reader, struct store_counts *counts)
{
	int rc;

	memset(counts, 0, sizeof(*counts));
	rc = conn_exec(error, &reader->conn, "BEGIN"); /* one moment for all figures */
	if (rc)
		return rc;
	rc = count_inbox(error, &reader->conn, counts);
	if (!rc)
		rc = count_jobs(error, &reader->conn, counts);
	conn_exec(NULL, &reader->conn, "COMMIT");
	return rc;
}
