/* turn.c - the rule of order keys: of the jobs of one tenant and key at most one is READY (or
 * strict and WAITING or PARKED) unless a person or an event brought one back; while one is, newer
 * ones are QUEUED, and as long as any is QUEUED somebody has the key. Never looks at more than a
 * few rows, however many queue. The writer's thread. */
#include "store/engine.h"

#include <string.h>

/* As the index job_turn says it. Indices are named, because the planner knows no figures of the
 * table and would at times rather go through all jobs of a tenant. */
#define IN_TURN "order_key <> '' AND (state IN (1, 2) OR (strict = 1 AND state IN (3, 4)))"

static const struct query q_find = {Q_JOB_FIND,
	"SELECT seq, tenant, order_key, key, closed, state, strict, sent FROM job WHERE id = ?1"};
static const struct query q_taken = {Q_JOB_TURN_TAKEN,
	"SELECT 1 FROM job INDEXED BY job_turn WHERE tenant = ?1 AND order_key = ?2 AND " IN_TURN
	" LIMIT 1"};
#define ANOTHER                                                                                    \
	"SELECT 1 FROM job INDEXED BY job_turn WHERE tenant = ?1 AND order_key = ?2 AND seq <> "   \
	"?3 AND " IN_TURN
/* In two, not to go over those that queue. */
static const struct query q_held = {
	Q_JOB_TURN_HELD, ANOTHER " AND state = 1 UNION ALL " ANOTHER " AND state > 2 LIMIT 1"};
static const struct query q_next = {Q_JOB_NEXT, "SELECT seq, due_ms FROM job INDEXED BY job_turn "
						"WHERE tenant = ?1 AND order_key = ?2 AND state = "
						"2 AND " IN_TURN " ORDER BY seq LIMIT 1"};
static const struct query q_promote = {Q_JOB_PROMOTE, "UPDATE job SET state = 1 WHERE seq = ?1"};

int job_find(struct error *error, struct store *store, const struct id *id, struct job_now *now)
{
	struct stmt stmt;
	int rc;

	memset(now, 0, sizeof(*now));
	now->id = *id;
	stmt_begin(&stmt, &store->conn, &q_find);
	stmt_id(&stmt, id);
	rc = stmt_step(error, &stmt);
	if (rc == 1) {
		now->seq = col_i64(&stmt);
		now->tenant = col_text(&stmt, store->scratch);
		now->order_key = col_text(&stmt, store->scratch);
		now->key = col_text(&stmt, store->scratch);
		now->closed = col_text(&stmt, store->scratch);
		now->state = (enum job_state)col_i64(&stmt);
		now->strict = col_i64(&stmt) != 0;
		now->sent = col_i64(&stmt) != 0;
		rc = arena_failed(store->scratch) ? error_set(error, E_NOMEM, "no memory for a job")
						  : 0;
	}
	stmt_end(&stmt);
	return rc;
}

bool turn_holds(enum job_state state, bool strict)
{
	return state == JOB_READY || (strict && (state == JOB_WAITING || state == JOB_PARKED));
}

static int ask(struct error *error, struct stmt *stmt, bool *yes)
{
	int rc = stmt_step(error, stmt);

	stmt_end(stmt);
	*yes = rc == 1;
	return rc < 0 ? rc : 0;
}

int turn_taken(struct error *error, struct store *store, struct str tenant, struct str order_key,
	bool *taken)
{
	struct stmt stmt;

	*taken = false;
	if (!order_key.len)
		return 0;
	stmt_begin(&stmt, &store->conn, &q_taken);
	stmt_text(&stmt, tenant);
	stmt_text(&stmt, order_key);
	return ask(error, &stmt, taken);
}

int turn_held(struct error *error, struct store *store, const struct job_now *now, bool *held)
{
	struct stmt stmt;

	*held = false;
	if (!now->order_key.len)
		return 0;
	stmt_begin(&stmt, &store->conn, &q_held);
	stmt_text(&stmt, now->tenant);
	stmt_text(&stmt, now->order_key);
	stmt_i64(&stmt, now->seq);
	return ask(error, &stmt, held);
}

static int find_next(struct error *error, struct store *store, const struct job_now *now,
	int64_t *seq, int64_t *due_ms)
{
	struct stmt stmt;
	int rc;

	stmt_begin(&stmt, &store->conn, &q_next);
	stmt_text(&stmt, now->tenant);
	stmt_text(&stmt, now->order_key);
	rc = stmt_step(error, &stmt);
	*seq = rc == 1 ? col_i64(&stmt) : 0;
	*due_ms = rc == 1 ? col_i64(&stmt) : 0;
	stmt_end(&stmt);
	return rc < 0 ? rc : 0;
}

int turn_pass(
	struct error *error, struct store *store, const struct job_now *now, uint32_t *promoted)
{
	struct stmt stmt;
	int64_t seq, due_ms;
	bool held;
	int rc;

	rc = turn_held(error, store, now, &held);
	if (rc || held || !now->order_key.len)
		return rc;
	rc = find_next(error, store, now, &seq, &due_ms);
	if (rc || !seq)
		return rc;
	stmt_begin(&stmt, &store->conn, &q_promote);
	stmt_i64(&stmt, seq);
	rc = stmt_done(error, &stmt);
	if (rc)
		return rc;
	claims_lower(&store->claims, due_ms);
	++*promoted;
	return 0;
}
