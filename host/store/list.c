/* list.c - lists for people: filtered, newest first. Never reads a row of another tenant than the
 * filter's. The reader's thread. */
#include "store/reader.h"

#include <string.h>

#include "store/columns.h"

#define LIMIT_DEFAULT 50
#define BINDS_MAX 16

struct query_text { /* a statement being put together; only words of ours are in the text */
	struct buf sql;
	struct bind {
		enum { NUMBER, TEXT, BLOB } type;
		struct str text;
		int64_t number;
	} binds[BINDS_MAX];
	size_t bind_count;
};

static void query_init(struct query_text *query)
{
	memset(query, 0, sizeof(*query));
	buf_init(&query->sql, 4096);
}

static void bind_text(struct query_text *query, struct str text)
{
	query->binds[query->bind_count++] = (struct bind){.type = TEXT, .text = text};
}

static void bind_number(struct query_text *query, int64_t number)
{
	query->binds[query->bind_count++] = (struct bind){.type = NUMBER, .number = number};
}

static void and_text(struct query_text *query, const char *column, struct str value)
{
	if (!value.len)
		return;
	buf_printf(&query->sql, " AND %s = ?", column);
	bind_text(query, value);
}

/* A partial index is only used by a query that says its condition. */
static void and_indexed(struct query_text *query, const char *column, struct str value)
{
	and_text(query, column, value);
	if (value.len)
		buf_printf(&query->sql, " AND %s <> ''", column);
}

static void and_time(
	struct query_text *query, const char *column, const struct store_filter *filter)
{
	if (filter->since_ms) {
		buf_printf(&query->sql, " AND %s >= ?", column);
		bind_number(query, filter->since_ms);
	}
	if (filter->until_ms) {
		buf_printf(&query->sql, " AND %s < ?", column);
		bind_number(query, filter->until_ms);
	}
}

/* Another tenant's id is no place to go on from, or it could be told from one that is not there. */
static void and_before(
	struct query_text *query, const char *table, const struct store_filter *filter)
{
	const struct id *before = &filter->before;

	if (id_is_zero(before))
		return;
	buf_printf(&query->sql, " AND seq < (SELECT seq FROM %s WHERE id = ?", table);
	query->binds[query->bind_count++] =
		(struct bind){.type = BLOB, .text = {(const char *)before->b, sizeof(before->b)}};
	and_text(query, "tenant", filter->tenant);
	buf_add_text(&query->sql, ")");
}

static void and_states(struct query_text *query, uint32_t states)
{
	const char *comma = "";
	int state;

	if (!states)
		return;
	buf_add_text(&query->sql, " AND state IN (");
	for (state = 0; state < 32; state++)
		if (states & UINT32_C(1) << state) {
			buf_printf(&query->sql, "%s%d", comma, state);
			comma = ", ";
		}
	buf_add_text(&query->sql, ")");
}

static void end_list(struct query_text *query, const char *table, const struct store_filter *filter)
{
	buf_printf(&query->sql, " ORDER BY seq DESC LIMIT ?) ORDER BY %s.seq DESC", table);
	bind_number(query, filter->limit ? (int64_t)filter->limit : LIMIT_DEFAULT);
}

static int begin(struct error *error, struct store_reader *reader, struct query_text *query,
	struct stmt *stmt)
{
	size_t i;

	if (query->sql.failed) {
		buf_finish(&query->sql);
		return error_set(error, E_NOMEM, "no memory to list");
	}
	reader->conn.broken = false;
	stmt_begin_sql(stmt, &reader->conn, query->sql.ptr);
	buf_finish(&query->sql);
	for (i = 0; i < query->bind_count; i++) {
		const struct bind *bind = &query->binds[i];
		if (bind->type == NUMBER)
			stmt_i64(stmt, bind->number);
		else if (bind->type == BLOB)
			stmt_blob(stmt, bind->text.ptr, bind->text.len);
		else
			stmt_text(stmt, bind->text);
	}
	return 0;
}

static int collect(struct error *error, struct store_reader *reader, struct query_text *query,
	const struct row_kind *kind, struct arena *arena, void **rows, size_t *count)
{
	struct stmt stmt;
	int rc;

	*rows = NULL;
	*count = 0;
	rc = begin(error, reader, query, &stmt);
	return rc ? rc : rows_collect(error, reader, &stmt, kind, arena, rows, count);
}

/* ---- the lists ---------------------------------------------------------------------------------
 */

int store_list_inbox(struct error *error, struct store_reader *reader,
	const struct store_filter *filter, struct arena *arena, struct inbox_row **rows,
	size_t *count)
{
	const uint32_t open = 1u << INBOX_NEW | 1u << INBOX_PARKED;
	struct query_text query;
	void *all;
	int rc;

	query_init(&query);
	buf_add_text(&query.sql,
		"SELECT " INBOX_COLUMNS " FROM inbox WHERE seq IN (SELECT seq FROM inbox WHERE 1");
	and_text(&query, "tenant", filter->tenant);
	and_text(&query, "connection", filter->connection);
	and_text(&query, "correlation", filter->correlation);
	and_states(&query, filter->states);
	if (filter->states && !(filter->states & ~open))
		buf_add_text(&query.sql, " AND state IN (1, 3)"); /* as the index says it */
	and_time(&query, "received_ms", filter);
	and_before(&query, "inbox", filter);
	end_list(&query, "inbox", filter);
	rc = collect(error, reader, &query, &kind_inbox, arena, &all, count);
	*rows = all;
	return rc;
}

int store_list_events(struct error *error, struct store_reader *reader,
	const struct store_filter *filter, struct arena *arena, struct event_row **rows,
	size_t *count)
{
	struct query_text query;
	void *all;
	int rc;

	query_init(&query);
	buf_add_text(&query.sql,
		"SELECT " EVENT_COLUMNS " FROM event WHERE seq IN (SELECT seq FROM event WHERE 1");
	and_text(&query, "tenant", filter->tenant);
	and_text(&query, "connection", filter->connection);
	and_text(&query, "type", filter->type);
	and_indexed(&query, "subject", blind_text(reader->keys, arena, filter->subject));
	and_indexed(&query, "correlation", filter->correlation);
	and_time(&query, "received_ms", filter);
	and_before(&query, "event", filter);
	end_list(&query, "event", filter);
	rc = collect(error, reader, &query, &kind_event, arena, &all, count);
	*rows = all;
	return rc;
}

static void and_event_type(struct query_text *query, struct str type)
{
	if (!type.len)
		return;
	buf_add_text(&query->sql, " AND event IN (SELECT id FROM event WHERE event.id = job.event "
				  "AND event.type = ?)");
	bind_text(query, type);
}

int store_list_jobs(struct error *error, struct store_reader *reader,
	const struct store_filter *filter, struct arena *arena, struct job_row **rows,
	size_t *count)
{
	struct query_text query;
	void *all;
	int rc;

	query_init(&query);
	buf_add_text(&query.sql,
		"SELECT " JOB_COLUMNS " FROM job WHERE seq IN (SELECT seq FROM job WHERE 1");
	and_text(&query, "tenant", filter->tenant);
	and_text(&query, "connection", filter->connection);
	and_text(&query, "pipeline", filter->pipeline);
	and_text(&query, "subject", blind_text(reader->keys, arena, filter->subject));
	and_indexed(&query, "correlation", filter->correlation);
	and_event_type(&query, filter->type);
	and_states(&query, filter->states);
	if (filter->states && !(filter->states & 1u << JOB_DONE))
		buf_add_text(&query.sql, " AND state <> 6"); /* as the index says it */
	and_time(&query, "created_ms", filter);
	and_before(&query, "job", filter);
	end_list(&query, "job", filter);
	rc = collect(error, reader, &query, &kind_job, arena, &all, count);
	*rows = all;
	return rc;
}

/* ---- projections: by time ----------------------------------------------------------------- */

static void end_by_time(
	struct query_text *query, const char *column, const struct store_filter *filter)
{
	buf_printf(&query->sql, " ORDER BY %s DESC, seq DESC LIMIT ?", column);
	bind_number(query, filter->limit ? (int64_t)filter->limit : LIMIT_DEFAULT);
}

static int one_call(struct error *error, struct store_reader *reader, struct stmt *stmt,
	struct arena *arena, void *to)
{
	struct seal_place place = {"call", {"", 0}};
	struct str lock, sealed, parts[4] = {STR(""), STR(""), STR(""), STR("")};
	struct call_row *row = to;
	int rc;

	row->tenant = col_text(stmt, arena);
	row->connection = col_text(stmt, arena);
	row->call_id = col_text(stmt, arena);
	row->rank = (uint32_t)col_i64(stmt);
	row->direction = col_text(stmt, arena);
	row->status = col_text(stmt, arena);
	row->agent = col_text(stmt, arena);
	row->started_ms = col_i64(stmt);
	row->ended_ms = col_i64(stmt);
	lock = col_str(stmt);
	sealed = col_str(stmt);
	place.row = row_name(arena, row->tenant, row->connection, row->call_id);
	rc = seal_open(error, reader->keys, place, lock, sealed, arena, parts, 4);
	rc = allow_unreadable(reader, error, rc, &row->unreadable);
	row->from = parts[0];
	row->to = parts[1];
	row->person = parts[2];
	row->data = parts[3];
	return rc;
}
const struct row_kind kind_call = {sizeof(struct call_row), one_call};

int store_list_calls(struct error *error, struct store_reader *reader,
	const struct store_filter *filter, struct arena *arena, struct call_row **rows,
	size_t *count)
{
	struct query_text query;
	void *all;
	int rc;

	query_init(&query);
	buf_add_text(&query.sql, "SELECT " CALL_COLUMNS " FROM call WHERE 1");
	and_text(&query, "tenant", filter->tenant);
	and_text(&query, "connection", filter->connection);
	and_text(&query, "call_id", filter->subject);
	and_time(&query, "started_ms", filter);
	end_by_time(&query, "started_ms", filter);
	rc = collect(error, reader, &query, &kind_call, arena, &all, count);
	*rows = all;
	return rc;
}

int store_list_appointments(struct error *error, struct store_reader *reader,
	const struct store_filter *filter, struct arena *arena, struct appointment_row **rows,
	size_t *count)
{
	struct query_text query;
	void *all;
	int rc;

	query_init(&query);
	buf_add_text(&query.sql, "SELECT " APPOINTMENT_COLUMNS " FROM appointment WHERE 1");
	and_text(&query, "tenant", filter->tenant);
	and_text(&query, "connection", filter->connection);
	and_text(&query, "uid", filter->subject);
	and_time(&query, "start_ms", filter);
	end_by_time(&query, "start_ms", filter);
	rc = collect(error, reader, &query, &kind_appointment, arena, &all, count);
	*rows = all;
	return rc;
}
