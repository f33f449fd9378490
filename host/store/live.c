/* live.c - what happens in calls, in the order in which it was stored, for whoever looks on. Never
 * waits for anything, and never tells an event of another tenant than was asked for. The reader's
 * thread. */
#include "store/reader.h"

#include <string.h>

#include "store/columns.h"

#define SCAN_MOST 4096 /* events looked at by one call: others wait for their turn */
#define RUNNING_MOST 200

int store_data_version(struct error *error, struct store_reader *reader, int64_t *version)
{
	struct stmt stmt;
	int rc;

	stmt_begin_sql(&stmt, &reader->conn, "PRAGMA data_version");
	rc = stmt_step(error, &stmt);
	if (rc == 1)
		*version = col_i64(&stmt);
	stmt_end(&stmt);
	return rc < 0 ? rc : 0;
}

/* ---- places ------------------------------------------------------------------------------- */

int store_live_end(struct error *error, struct store_reader *reader, int64_t *place)
{
	struct stmt stmt;
	int rc;

	*place = 0;
	stmt_begin_sql(&stmt, &reader->conn, "SELECT coalesce(max(seq), 0) FROM event");
	rc = stmt_step(error, &stmt);
	if (rc == 1)
		*place = col_i64(&stmt);
	stmt_end(&stmt);
	return rc < 0 ? rc : 0;
}

int store_live_place(struct error *error, struct store_reader *reader, const struct id *id,
	struct str tenant, int64_t *place)
{
	struct stmt stmt;
	int rc;

	stmt_begin_sql(&stmt, &reader->conn,
		"SELECT seq FROM event WHERE id = ?1 AND (?2 = '' OR tenant = ?2)");
	stmt_id(&stmt, id);
	stmt_text(&stmt, tenant);
	rc = stmt_step(error, &stmt);
	if (rc == 1)
		*place = col_i64(&stmt);
	stmt_end(&stmt);
	if (rc == 0)
		return error_set(error, E_NOTFOUND, "there is no such event");
	return rc < 0 ? rc : 0;
}

int store_live_last(
	struct error *error, struct store_reader *reader, struct str tenant, struct id *id)
{
	struct stmt stmt;
	int rc;

	memset(id, 0, sizeof(*id));
	stmt_begin_sql(&stmt, &reader->conn,
		tenant.len ? "SELECT id FROM event WHERE tenant = ?1 ORDER BY seq DESC LIMIT 1"
			   : "SELECT id FROM event ORDER BY seq DESC LIMIT 1");
	if (tenant.len)
		stmt_text(&stmt, tenant);
	rc = stmt_step(error, &stmt);
	if (rc == 1)
		*id = col_id(&stmt);
	stmt_end(&stmt);
	return rc < 0 ? rc : 0;
}

/* ---- which call a booking came of --------------------------------------------------------- */

static int call_of(struct error *error, struct stmt *stmt, struct arena *arena, struct str *call)
{
	int rc = stmt_step(error, stmt);

	if (rc == 1)
		*call = col_text(stmt, arena);
	stmt_end(stmt);
	return rc < 0 ? rc : 0;
}

static int by_correlation(struct error *error, struct store_reader *reader,
	const struct event_row *event, struct arena *arena, struct str *call)
{
	struct stmt stmt;

	if (!event->correlation.len)
		return 0;
	stmt_begin_sql(&stmt, &reader->conn,
		"SELECT subject FROM event INDEXED BY event_correlation WHERE correlation = ?1 AND "
		"correlation <> '' "
		"AND tenant = ?2 AND type GLOB 'call.*' LIMIT 1");
	stmt_text(&stmt, event->correlation);
	stmt_text(&stmt, event->tenant);
	return call_of(error, &stmt, arena, call);
}

/* call ptr NULL: it came of none, and is not told. */
static int find_call(struct error *error, struct store_reader *reader,
	const struct event_row *event, struct arena *arena, struct str *call)
{
	*call = (struct str){0};
	if (event->type.len <= 5 || memcmp(event->type.ptr, "call.", 5) != 0)
		return by_correlation(error, reader, event, arena, call);
	*call = event->subject;
	return 0;
}

/* ---- the events --------------------------------------------------------------------------- */

static int read_one(struct error *error, struct store_reader *reader, struct stmt *stmt,
	struct arena *arena, struct live_page *page)
{
	struct live_row row;
	int rc = read_event(error, reader->keys, stmt, arena, &row.event);

	rc = allow_unreadable(reader, error, rc, &row.event.unreadable);
	if (rc)
		return rc;
	page->reached = row.place = col_i64(stmt);
	rc = find_call(error, reader, &row.event, arena, &row.call);
	if (rc || !row.call.ptr)
		return rc;
	page->rows = rows_more(arena, page->rows, &page->count, sizeof(row));
	if (!page->rows)
		return error_set(error, E_NOMEM, "no memory to look at calls");
	page->rows[page->count - 1] = row;
	return 0;
}

int store_list_live(struct error *error, struct store_reader *reader,
	const struct live_range *range, struct arena *arena, struct live_page *page)
{
	int64_t last =
		range->until - range->after > SCAN_MOST ? range->after + SCAN_MOST : range->until;
	struct stmt stmt;
	size_t seen = 0;
	int rc;

	*page = (struct live_page){.reached = range->after};
	reader->conn.broken = false;
	stmt_begin_sql(&stmt, &reader->conn,
		"SELECT " EVENT_COLUMNS ", event.seq FROM event WHERE seq > ?1 AND seq <= ?2 "
		"AND (type GLOB 'call.*' OR type GLOB 'booking.*') AND type <> 'call.other' "
		"AND (?3 = '' OR tenant = ?3) ORDER BY seq");
	stmt_i64(&stmt, range->after);
	stmt_i64(&stmt, last);
	stmt_text(&stmt, range->tenant);
	while ((rc = stmt_step(error, &stmt)) == 1) {
		rc = read_one(error, reader, &stmt, arena, page);
		if (rc || ++seen == range->limit)
			break;
	}
	stmt_end(&stmt);
	if (rc >= 0 && arena_failed(arena))
		return error_set(error, E_NOMEM, "no memory to look at calls");
	if (rc == 0 && seen < range->limit)
		page->reached = last;
	return rc < 0 ? rc : 0;
}

/* ---- calls in progress -------------------------------------------------------------------- */

struct running {
	struct str tenant, connection, call_id;
};

/* Tenants one by one, since calls are found by tenant and time. */
static int find_running(struct error *error, struct store_reader *reader, struct str tenant,
	int64_t since_ms, struct arena *arena, struct running **found, size_t *count)
{
	struct running *one;
	struct stmt stmt;
	int rc;

	stmt_begin_sql(&stmt, &reader->conn,
		"WITH RECURSIVE who (name) AS (SELECT coalesce(nullif(?1, ''), (SELECT min(tenant) "
		"FROM call)) UNION ALL SELECT (SELECT min(tenant) FROM call WHERE tenant > name) "
		"FROM who WHERE name IS NOT NULL AND ?1 = '') "
		"SELECT tenant, connection, call_id FROM who CROSS JOIN call "
		"WHERE tenant = name AND started_ms >= ?2 AND ended_ms = 0 AND rank < 2 "
		"AND status NOT IN ('ended', 'not_connected', 'error') LIMIT ?3");
	stmt_text(&stmt, tenant);
	stmt_i64(&stmt, since_ms);
	stmt_i64(&stmt, RUNNING_MOST);
	while ((rc = stmt_step(error, &stmt)) == 1 &&
		(*found = rows_more(arena, *found, count, sizeof(*one)))) {
		one = *found + *count - 1;
		one->tenant = col_text(&stmt, arena);
		one->connection = col_text(&stmt, arena);
		one->call_id = col_text(&stmt, arena);
	}
	stmt_end(&stmt);
	if (rc >= 0 && arena_failed(arena))
		return error_set(error, E_NOMEM, "no memory to list calls");
	return rc < 0 ? rc : 0;
}

int store_list_running(struct error *error, struct store_reader *reader, struct str tenant,
	int64_t since_ms, struct arena *arena, struct call_row **rows, size_t *count)
{
	struct running *found = NULL;
	size_t n = 0, got = 0;
	struct call_row *one;
	int rc;

	*rows = NULL;
	*count = 0;
	rc = find_running(error, reader, tenant, since_ms, arena, &found, &n);
	for (size_t i = 0; i < n && !rc; i++) {
		struct store_filter filter = {.tenant = found[i].tenant,
			.connection = found[i].connection,
			.subject = found[i].call_id,
			.limit = 1};
		rc = store_list_calls(error, reader, &filter, arena, &one, &got);
		if (rc || !got)
			continue; /* it ended meanwhile */
		*rows = rows_more(arena, *rows, count, sizeof(*one));
		if (!*rows)
			return error_set(error, E_NOMEM, "no memory to list calls");
		(*rows)[*count - 1] = *one;
	}
	return rc;
}
