/* hold.c - times kept for somebody. Never looks whether a time is free before it takes it: the
 * primary key of hold_cell says so, also if a second writer should come one day. The writer's
 * thread. */
#include "store/engine.h"

#include <string.h>

#include "base/clock.h"

static const struct query q_own = {Q_HOLD_OWN,
	"SELECT hold.seq, hold.state, (SELECT id FROM job WHERE job.seq = hold.job) "
	"FROM hold INDEXED BY hold_resource "
	"WHERE tenant = ?1 AND resource = ?2 AND start_ms = ?3 AND holder = ?4 "
	"AND expires_ms > ?5 ORDER BY hold.seq LIMIT 1"};
static const struct query q_renew = {
	Q_HOLD_RENEW, "UPDATE hold SET expires_ms = max(expires_ms, ?1) WHERE seq = ?2"};
/* What stands on these cells and need not: expired, or the holder's own. */
static const struct query q_clear = {Q_HOLD_CLEAR,
	"DELETE FROM hold WHERE seq IN (SELECT hold FROM hold_cell "
	"WHERE tenant = ?1 AND resource = ?2 AND cell >= ?3 AND cell < ?4) "
	"AND (expires_ms <= ?5 OR (holder = ?6 AND (state = 1 OR start_ms = ?7)))"};
static const struct query q_insert = {Q_HOLD_INSERT,
	"INSERT INTO hold (id, tenant, holder, resource, event_type, start_ms, end_ms, expires_ms, "
	"capacity, seat, state, job) "
	"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, (SELECT seq FROM job WHERE id = ?))"};
static const struct query q_cell = {Q_CELL_INSERT,
	"INSERT INTO hold_cell (tenant, resource, cell, seat, hold) VALUES (?, ?, ?, ?, ?) "
	"ON CONFLICT (tenant, resource, cell, seat) DO NOTHING"};
static const struct query q_remove = {Q_HOLD_REMOVE, "DELETE FROM hold WHERE seq = ?1"};
static const struct query q_free_job = {
	Q_HOLD_FREE_JOB, "DELETE FROM hold INDEXED BY hold_job WHERE job = ?1"};
static const struct query q_free_holder = {Q_HOLD_FREE_HOLDER,
	"DELETE FROM hold INDEXED BY hold_holder WHERE tenant = ?1 AND holder = ?2 AND state = 1"};
static const struct query q_free_expired = {
	Q_HOLD_FREE_EXPIRED, "DELETE FROM hold INDEXED BY hold_expires WHERE expires_ms <= ?1"};

#define CAPACITY_MAX 1000

struct taking { /* one hold on its way in */
	const struct hold_row *row;
	int64_t now_ms, first, end; /* cells */
	uint32_t capacity;
};

static int64_t floor_cell(int64_t ms)
{
	int64_t cell = ms / HOLD_CELL_MS;

	return cell - (ms % HOLD_CELL_MS < 0);
}

static int begin(struct error *error, struct taking *taking, const struct hold_row *row)
{
	if (!row->tenant.len || !row->holder.len || !row->resource.len)
		return error_set(
			error, E_INVALID, "a hold must name its tenant, holder and resource");
	if (row->end_ms <= row->start_ms || row->start_ms < 0 ||
		row->end_ms - row->start_ms > HOLD_LONGEST_MS)
		return error_set(error, E_INVALID,
			"a hold must last longer than nothing and at most 7 days");
	if (row->capacity > CAPACITY_MAX)
		return error_set(error, E_INVALID, "a resource can be held by at most %d at once",
			CAPACITY_MAX);
	if (row->state != HOLD_OFFERED && row->state != HOLD_BOOKING)
		return error_set(error, E_INVALID, "a hold is either offered or being booked");
	if (row->state == HOLD_BOOKING && id_is_zero(&row->job))
		return error_set(error, E_INVALID, "a hold that is being booked must name its job");
	*taking = (struct taking){
		.row = row,
		.now_ms = clock_now_ms(),
		.first = floor_cell(row->start_ms),
		.end = floor_cell(row->end_ms - 1) + 1,
		.capacity = row->capacity ? row->capacity : 1,
	};
	return 0;
}

static int taken(struct error *error, const struct hold_row *row)
{
	return error_set(error, E_TAKEN, "this time of \"%.*s\" is held for somebody else",
		STR_ARG(row->resource));
}

/* ---- the holder's own ------------------------------------------------------------------------ */

struct own {
	int64_t seq; /* 0: none */
	enum hold_state state;
	struct id job;
};

static int find_own(
	struct error *error, struct store *store, const struct taking *taking, struct own *own)
{
	const struct hold_row *row = taking->row;
	struct stmt stmt;
	int rc;

	memset(own, 0, sizeof(*own));
	stmt_begin(&stmt, &store->conn, &q_own);
	stmt_text(&stmt, row->tenant);
	stmt_text(&stmt, row->resource);
	stmt_i64(&stmt, row->start_ms);
	stmt_text(&stmt, row->holder);
	stmt_i64(&stmt, taking->now_ms);
	rc = stmt_step(error, &stmt);
	if (rc == 1) {
		own->seq = col_i64(&stmt);
		own->state = (enum hold_state)col_i64(&stmt);
		own->job = col_id(&stmt);
	}
	stmt_end(&stmt);
	return rc < 0 ? rc : 0;
}

/* A time that a job is booking stays that job's, whatever is offered meanwhile. */
static int keep_booking(struct error *error, struct store *store, const struct taking *taking,
	const struct own *own)
{
	const struct hold_row *row = taking->row;
	struct stmt stmt;

	if (row->state == HOLD_BOOKING)
		return taken(error, row);
	stmt_begin(&stmt, &store->conn, &q_renew);
	stmt_i64(&stmt, row->expires_ms);
	stmt_i64(&stmt, own->seq);
	return stmt_done(error, &stmt);
}

static int clear(struct error *error, struct store *store, const struct taking *taking)
{
	const struct hold_row *row = taking->row;
	struct stmt stmt;

	stmt_begin(&stmt, &store->conn, &q_clear);
	stmt_text(&stmt, row->tenant);
	stmt_text(&stmt, row->resource);
	stmt_i64(&stmt, taking->first);
	stmt_i64(&stmt, taking->end);
	stmt_i64(&stmt, taking->now_ms);
	stmt_text(&stmt, row->holder);
	stmt_i64(&stmt, row->start_ms);
	return stmt_done(error, &stmt);
}

/* ---- taking a seat --------------------------------------------------------------------------- */

static int insert(struct error *error, struct store *store, const struct taking *taking,
	uint32_t seat, int64_t *seq)
{
	const struct hold_row *row = taking->row;
	struct stmt stmt;
	int rc;

	stmt_begin(&stmt, &store->conn, &q_insert);
	stmt_id(&stmt, &row->id);
	stmt_text(&stmt, row->tenant);
	stmt_text(&stmt, row->holder);
	stmt_text(&stmt, row->resource);
	stmt_text(&stmt, row->event_type);
	stmt_i64(&stmt, row->start_ms);
	stmt_i64(&stmt, row->end_ms);
	stmt_i64(&stmt, row->expires_ms);
	stmt_i64(&stmt, taking->capacity);
	stmt_i64(&stmt, seat);
	stmt_i64(&stmt, row->state);
	stmt_id(&stmt, &row->job);
	rc = stmt_done(error, &stmt);
	*seq = sqlite3_last_insert_rowid(store->conn.db);
	return rc;
}

/* 1: all of them, 0: one is taken. */
static int insert_cells(struct error *error, struct store *store, const struct taking *taking,
	uint32_t seat, int64_t seq)
{
	struct stmt stmt;
	int64_t cell;
	int rc;

	for (cell = taking->first; cell < taking->end; cell++) {
		stmt_begin(&stmt, &store->conn, &q_cell);
		stmt_text(&stmt, taking->row->tenant);
		stmt_text(&stmt, taking->row->resource);
		stmt_i64(&stmt, cell);
		stmt_i64(&stmt, seat);
		stmt_i64(&stmt, seq);
		rc = stmt_done(error, &stmt);
		if (rc || !sqlite3_changes(store->conn.db))
			return rc;
	}
	return 1;
}

static int take_seat(
	struct error *error, struct store *store, const struct taking *taking, uint32_t seat)
{
	struct stmt stmt;
	int64_t seq;
	int rc;

	rc = insert(error, store, taking, seat, &seq);
	if (rc)
		return rc;
	rc = insert_cells(error, store, taking, seat, seq);
	if (rc)
		return rc;
	stmt_begin(&stmt, &store->conn, &q_remove);
	stmt_i64(&stmt, seq);
	return stmt_done(error, &stmt); /* its cells go with it */
}

static int take(struct error *error, struct store *store, const struct hold_row *given)
{
	struct hold_row blind = *given;
	const struct hold_row *row = &blind;
	struct taking taking = {0};
	struct own own = {0};
	uint32_t seat;
	int rc;

	blind.holder = blind_text(store->keys, store->scratch, given->holder);
	rc = begin(error, &taking, row);
	if (!rc)
		rc = find_own(error, store, &taking, &own);
	if (rc)
		return rc;
	if (own.seq && own.state == HOLD_BOOKING && memcmp(&own.job, &row->job, sizeof(own.job)))
		return keep_booking(error, store, &taking, &own);
	rc = clear(error, store, &taking);
	for (seat = 0; seat < taking.capacity && !rc; seat++)
		rc = take_seat(error, store, &taking, seat);
	return rc < 0 ? rc : rc == 1 ? 0 : taken(error, row);
}

static bool is_repeat(const struct hold_row *hold, const struct job_row *jobs, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (!jobs[i].state && memcmp(&hold->job, &jobs[i].id, sizeof(hold->job)) == 0)
			return true;
	return false;
}

int hold_take_all(struct error *error, struct store *store, const struct hold_row *holds,
	size_t count, const struct job_row *jobs, size_t job_count)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < count && !rc; i++)
		if (!is_repeat(&holds[i], jobs, job_count))
			rc = take(error, store, &holds[i]);
	return rc;
}

/* ---- freeing ------------------------------------------------------------------------------- */

int hold_free_job(struct error *error, struct store *store, int64_t job)
{
	struct stmt stmt;

	stmt_begin(&stmt, &store->conn, &q_free_job);
	stmt_i64(&stmt, job);
	return stmt_done(error, &stmt);
}

int hold_free_holder(struct error *error, struct store *store, struct str tenant, struct str holder,
	uint32_t *freed)
{
	struct stmt stmt;
	int rc;

	stmt_begin(&stmt, &store->conn, &q_free_holder);
	stmt_text(&stmt, tenant);
	stmt_text(&stmt, blind_text(store->keys, store->scratch, holder));
	rc = stmt_done(error, &stmt);
	if (!rc)
		*freed += (uint32_t)sqlite3_changes(store->conn.db);
	return rc;
}

static int run_free(struct store *store, struct store_op *base)
{
	struct store_free_holds *op = (struct store_free_holds *)base;
	struct stmt stmt;
	int rc;

	op->freed = 0;
	stmt_begin(&stmt, &store->conn, &q_free_expired);
	stmt_i64(&stmt, op->now_ms);
	rc = stmt_done(&base->error, &stmt);
	if (rc)
		return rc;
	op->freed = (uint32_t)sqlite3_changes(store->conn.db);
	if (!op->holder.len)
		return 0;
	return hold_free_holder(&base->error, store, op->tenant, op->holder, &op->freed);
}

void store_free_holds(struct store *store, struct store_free_holds *op)
{
	op->op.sealed = NULL;
	queue_submit(store, &op->op, run_free);
}
