/* lookup.c - what the desk asks while a caller waits: few rows, by index, with kept statements.
 * Never reads a row of another tenant. The reader's thread. */
#include "store/reader.h"

#include <string.h>

#include "store/columns.h"

#define LIMIT_DEFAULT 50

/* ---- the mirror ------------------------------------------------------------------------------ */

static const struct query q_slots = {Q_READ_SLOTS,
	"SELECT tenant, connection, event_type, staff, day, asked_ms, "
	"coalesce((SELECT dirty_ms FROM slot_dirty WHERE slot_dirty.tenant = slot.tenant AND "
	"slot_dirty.connection = slot.connection AND slot_dirty.day = slot.day), 0), starts "
	"FROM slot WHERE tenant = ?1 AND connection = ?2 AND event_type = ?3 "
	"AND day BETWEEN ?4 AND ?5 ORDER BY day, staff"};

static int one_day(struct error *error, struct store_reader *reader, struct stmt *stmt,
	struct arena *arena, void *to)
{
	struct slot_day *row = to;

	(void)error;
	(void)reader;
	row->tenant = col_text(stmt, arena);
	row->connection = col_text(stmt, arena);
	row->event_type = col_text(stmt, arena);
	row->staff = col_text(stmt, arena);
	row->day = (int32_t)col_i64(stmt);
	row->asked_ms = col_i64(stmt);
	row->dirty_ms = col_i64(stmt);
	row->starts = col_text(stmt, arena);
	return 0;
}

int store_list_slots(struct error *error, struct store_reader *reader, struct str tenant,
	struct str connection, struct str event_type, int32_t from_day, int32_t to_day,
	struct arena *arena, struct slot_day **days, size_t *count)
{
	static const struct row_kind kind = {sizeof(struct slot_day), one_day};
	struct stmt stmt;
	void *rows;
	int rc;

	stmt_begin(&stmt, &reader->conn, &q_slots);
	stmt_text(&stmt, tenant);
	stmt_text(&stmt, connection);
	stmt_text(&stmt, event_type);
	stmt_i64(&stmt, from_day);
	stmt_i64(&stmt, to_day);
	rc = rows_collect(error, reader, &stmt, &kind, arena, &rows, count);
	*days = rows;
	return rc;
}

/* ---- holds ----------------------------------------------------------------------------------- */

/* None lasts longer than HOLD_LONGEST_MS, so an overlap is a range of starts. */
#define OVERLAP                                                                                    \
	"start_ms > ?3 AND start_ms < ?4 AND end_ms > ?5 AND expires_ms > ?6 "                     \
	"ORDER BY start_ms, hold.seq"
static const struct query q_holds = {Q_READ_HOLDS,
	"SELECT " HOLD_COLUMNS " FROM hold INDEXED BY hold_start "
	"WHERE tenant = ?1 AND ?2 = '' AND " OVERLAP};
static const struct query q_holds_at = {Q_READ_HOLDS_AT,
	"SELECT " HOLD_COLUMNS " FROM hold INDEXED BY hold_resource "
	"WHERE tenant = ?1 AND resource = ?2 AND " OVERLAP};
static const struct query q_holds_of = {Q_READ_HOLDS_OF,
	"SELECT " HOLD_COLUMNS " FROM hold INDEXED BY hold_holder "
	"WHERE tenant = ?1 AND holder = ?2 AND expires_ms > ?3 ORDER BY start_ms, hold.seq"};

static int one_hold(struct error *error, struct store_reader *reader, struct stmt *stmt,
	struct arena *arena, void *to)
{
	struct hold_row *row = to;

	(void)error;
	(void)reader;
	row->id = col_id(stmt);
	row->tenant = col_text(stmt, arena);
	row->holder = col_text(stmt, arena);
	row->resource = col_text(stmt, arena);
	row->event_type = col_text(stmt, arena);
	row->start_ms = col_i64(stmt);
	row->end_ms = col_i64(stmt);
	row->expires_ms = col_i64(stmt);
	row->capacity = (uint32_t)col_i64(stmt);
	row->state = (enum hold_state)col_i64(stmt);
	row->job = col_id(stmt);
	return 0;
}
static const struct row_kind kind_hold = {sizeof(struct hold_row), one_hold};

int store_list_holds(struct error *error, struct store_reader *reader, struct str tenant,
	struct str resource, int64_t from_ms, int64_t to_ms, int64_t now_ms, struct arena *arena,
	struct hold_row **rows, size_t *count)
{
	struct stmt stmt;
	void *all;
	int rc;

	stmt_begin(&stmt, &reader->conn, resource.len ? &q_holds_at : &q_holds);
	stmt_text(&stmt, tenant);
	stmt_text(&stmt, resource);
	stmt_i64(&stmt, from_ms > HOLD_LONGEST_MS ? from_ms - HOLD_LONGEST_MS - 1 : -1);
	stmt_i64(&stmt, to_ms);
	stmt_i64(&stmt, from_ms);
	stmt_i64(&stmt, now_ms);
	rc = rows_collect(error, reader, &stmt, &kind_hold, arena, &all, count);
	*rows = all;
	return rc;
}

int store_list_holds_of(struct error *error, struct store_reader *reader, struct str tenant,
	struct str holder, int64_t now_ms, struct arena *arena, struct hold_row **rows,
	size_t *count)
{
	struct stmt stmt;
	void *all;
	int rc;

	stmt_begin(&stmt, &reader->conn, &q_holds_of);
	stmt_text(&stmt, tenant);
	stmt_text(&stmt, blind_text(reader->keys, arena, holder));
	stmt_i64(&stmt, now_ms);
	rc = rows_collect(error, reader, &stmt, &kind_hold, arena, &all, count);
	*rows = all;
	return rc;
}

/* ---- appointments ---------------------------------------------------------------------------- */

#define WANTED                                                                                     \
	"start_ms >= ?3 AND start_ms < ?4 AND (?5 = '' OR connection = ?5) "                       \
	"AND (?6 = 0 OR status IN ('booked', 'requested')) ORDER BY start_ms, appointment.seq "    \
	"LIMIT ?7"
static const struct query q_appointments = {Q_READ_APPOINTMENTS,
	"SELECT " APPOINTMENT_COLUMNS " FROM appointment INDEXED BY appointment_start "
	"WHERE tenant = ?1 AND ?2 = x'' AND " WANTED};
static const struct query q_appointments_of = {Q_READ_APPOINTMENTS_OF,
	"SELECT " APPOINTMENT_COLUMNS " FROM appointment INDEXED BY appointment_person "
	"WHERE tenant = ?1 AND person_hash = ?2 AND person_hash IS NOT NULL AND " WANTED};

int store_find_appointments(struct error *error, struct store_reader *reader,
	const struct appointment_query *query, struct arena *arena, struct appointment_row **rows,
	size_t *count)
{
	bool one = query->person.len != 0;
	uint8_t mark[KEYS_MARK] = {0};
	struct stmt stmt;
	void *all;
	int rc = 0;

	*rows = NULL;
	*count = 0;
	if (one)
		rc = keys_mark(error, reader->keys, query->tenant, query->person, mark);
	if (rc)
		return rc;
	stmt_begin(&stmt, &reader->conn, one ? &q_appointments_of : &q_appointments);
	stmt_text(&stmt, query->tenant);
	stmt_blob(&stmt, mark, one ? sizeof(mark) : 0);
	stmt_i64(&stmt, query->from_ms);
	stmt_i64(&stmt, query->to_ms);
	stmt_text(&stmt, query->connection);
	stmt_i64(&stmt, query->standing);
	stmt_i64(&stmt, query->limit ? (int64_t)query->limit : LIMIT_DEFAULT);
	rc = rows_collect(error, reader, &stmt, &kind_appointment, arena, &all, count);
	*rows = all;
	return rc;
}

/* ---- single rows ----------------------------------------------------------------------------- */

static const struct query q_answer = {Q_READ_ANSWER, "SELECT " ANSWER_COLUMNS " FROM answer "
						     "WHERE connection = ?1 AND dedupe = ?2"};
static const struct query q_job = {Q_READ_JOB,
	"SELECT " JOB_COLUMNS " FROM job INDEXED BY job_dedupe "
	"WHERE dedupe = ?1 AND dedupe <> '' AND tenant = ?2"};

static int one_answer(struct error *error, struct store_reader *reader, struct stmt *stmt,
	struct arena *arena, void *to)
{
	struct seal_place place = {"answer", {"", 0}};
	struct answer_row *row = to;
	struct str lock, sealed;
	int rc;

	row->connection = col_text(stmt, arena);
	row->dedupe = col_text(stmt, arena);
	row->tenant = col_text(stmt, arena);
	row->outcome = (uint32_t)col_i64(stmt);
	row->at_ms = col_i64(stmt);
	lock = col_str(stmt);
	sealed = col_str(stmt);
	row->result = STR("");
	place.row = row_name(arena, row->tenant, row->connection, row->dedupe);
	rc = seal_open(error, reader->keys, place, lock, sealed, arena, &row->result, 1);
	return allow_unreadable(reader, error, rc, &row->unreadable);
}

const struct row_kind kind_answer = {sizeof(struct answer_row), one_answer};

/* The one row of a statement, copied to out. */
static int get_one(struct error *error, struct store_reader *reader, struct stmt *stmt,
	const struct row_kind *kind, struct arena *arena, const char *what, void *out)
{
	size_t count;
	void *rows;
	int rc;

	rc = rows_collect(error, reader, stmt, kind, arena, &rows, &count);
	if (rc)
		return rc;
	if (!count)
		return error_set(error, E_NOTFOUND, "there is no such %s", what);
	memcpy(out, rows, kind->size);
	return 0;
}

int store_get_answer(struct error *error, struct store_reader *reader, struct str connection,
	struct str dedupe, struct arena *arena, struct answer_row *row)
{
	struct stmt stmt;

	stmt_begin(&stmt, &reader->conn, &q_answer);
	stmt_text(&stmt, connection);
	stmt_text(&stmt, blind_text(reader->keys, arena, dedupe));
	return get_one(error, reader, &stmt, &kind_answer, arena, "answer", row);
}

int store_get_job(struct error *error, struct store_reader *reader, struct str tenant,
	struct str dedupe, struct arena *arena, struct job_row *row)
{
	struct stmt stmt;

	stmt_begin(&stmt, &reader->conn, &q_job);
	stmt_text(&stmt, blind_text(reader->keys, arena, dedupe));
	stmt_text(&stmt, tenant);
	return get_one(error, reader, &stmt, &kind_job, arena, "job", row);
}

struct str store_code(struct store_reader *reader, struct str text, struct arena *arena)
{
	return blind_text(reader->keys, arena, text);
}
