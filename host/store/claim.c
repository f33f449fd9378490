/* claim.c - which jobs are in the callers' hands, and handing out more. The set is in memory only:
 * after a restart nothing is claimed, and what was running is handed out again. The writer's
 * thread. */
#include "store/engine.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/columns.h"

#define CLAIMS_MAX 65536
#define HASTENED_MS 100 /* then more of them are due */

/* ---- the set ----------------------------------------------------------------------------------
 */

static size_t home(const struct claims *claims, int64_t seq)
{
	return (size_t)((uint64_t)seq * UINT64_C(0x9e3779b97f4a7c15) >> 32) &
	       (claims->capacity - 1);
}

static size_t find(const struct claims *claims, int64_t seq)
{
	size_t at = home(claims, seq);

	while (claims->slots[at] && claims->slots[at] != seq)
		at = (at + 1) & (claims->capacity - 1);
	return at;
}

static int grow(struct error *error, struct claims *claims)
{
	struct claims bigger = *claims;
	size_t i;

	if (claims->count >= CLAIMS_MAX)
		return error_set(error, E_BUSY, "more than %d jobs are claimed", CLAIMS_MAX);
	if (4 * (claims->count + 1) <= 3 * claims->capacity)
		return 0;
	bigger.capacity = claims->capacity ? 2 * claims->capacity : 256;
	bigger.slots = calloc(bigger.capacity, sizeof(*bigger.slots));
	if (!bigger.slots)
		return error_set(error, E_NOMEM, "no memory for claims");
	for (i = 0; i < claims->capacity; i++)
		if (claims->slots[i])
			bigger.slots[find(&bigger, claims->slots[i])] = claims->slots[i];
	free(claims->slots);
	*claims = bigger;
	return 0;
}

static int grow_undo(struct error *error, struct claims *claims)
{
	size_t capacity = claims->undo_capacity ? 2 * claims->undo_capacity : 256;
	struct claim_change *undo;

	if (claims->undo_count < claims->undo_capacity)
		return 0;
	undo = realloc(claims->undo, capacity * sizeof(*undo));
	if (!undo)
		return error_set(error, E_NOMEM, "no memory for claims");
	claims->undo = undo;
	claims->undo_capacity = capacity;
	return 0;
}

static void put(struct claims *claims, int64_t seq)
{
	claims->slots[find(claims, seq)] = seq;
	claims->count++;
}

/* Moves back what stood behind it, so that no search ends at the hole. */
static void take(struct claims *claims, int64_t seq)
{
	size_t mask = claims->capacity - 1, hole = find(claims, seq), at = hole;

	for (;;) {
		at = (at + 1) & mask;
		if (!claims->slots[at])
			break;
		if (((at - home(claims, claims->slots[at])) & mask) >= ((at - hole) & mask)) {
			claims->slots[hole] = claims->slots[at];
			hole = at;
		}
	}
	claims->slots[hole] = 0;
	claims->count--;
}

bool claims_have(const struct claims *claims, int64_t seq)
{
	return claims->capacity && claims->slots[find(claims, seq)] == seq;
}

int claims_add(struct error *error, struct claims *claims, int64_t seq)
{
	int rc = claims_have(claims, seq) ? 0 : grow(error, claims);

	if (!rc)
		rc = grow_undo(error, claims);
	if (rc || claims_have(claims, seq))
		return rc;
	put(claims, seq);
	claims->undo[claims->undo_count++] = (struct claim_change){seq, true};
	return 0;
}

int claims_drop(struct error *error, struct claims *claims, int64_t seq)
{
	int rc;

	if (!claims_have(claims, seq))
		return 0;
	rc = grow_undo(error, claims);
	if (rc)
		return rc;
	take(claims, seq);
	claims->undo[claims->undo_count++] = (struct claim_change){seq, false};
	return 0;
}

void claims_lower(struct claims *claims, int64_t due_ms)
{
	if (due_ms < claims->floor_ms)
		claims->floor_ms = due_ms;
}

size_t claims_mark(const struct claims *claims)
{
	return claims->undo_count;
}

void claims_undo(struct claims *claims, size_t mark)
{
	claims->floor_ms = INT64_MIN; /* rows may be due again that were looked past */
	while (claims->undo_count > mark) {
		struct claim_change *change = &claims->undo[--claims->undo_count];
		if (change->added)
			take(claims, change->seq);
		else
			put(claims, change->seq);
	}
}

void claims_keep(struct claims *claims)
{
	claims->undo_count = 0;
}

void claims_finish(struct claims *claims)
{
	free(claims->slots);
	free(claims->undo);
	memset(claims, 0, sizeof(*claims));
}

/* ---- handing out ------------------------------------------------------------------------------
 */

/* `state <> 6` says again what is clear, because the index job_open says it. */
static const struct query q_due_ready = {Q_JOB_DUE_READY,
	"SELECT seq, due_ms FROM job INDEXED BY job_open WHERE state = 1 AND state <> 6 AND due_ms "
	">= ?1 "
	"ORDER BY due_ms, seq"};
static const struct query q_due_waiting = {Q_JOB_DUE_WAITING,
	"SELECT seq, due_ms FROM job INDEXED BY job_open WHERE state = 3 AND state <> 6 AND due_ms "
	">= ?1 "
	"ORDER BY due_ms, seq"};
static const struct query q_claimed = {Q_JOB_CLAIMED,
	"SELECT " JOB_COLUMNS ", event.seq IS NOT NULL, " EVENT_COLUMNS
	" FROM job LEFT JOIN event ON event.id = job.event WHERE job.seq = ?1"};

struct lane { /* READY or WAITING jobs, oldest due first */
	struct stmt stmt;
	int64_t seq, due_ms; /* the next one nobody has; due_ms INT64_MAX: none */
};

static int advance(struct error *error, struct store *store, struct lane *lane)
{
	int rc;

	while ((rc = stmt_step(error, &lane->stmt)) == 1) {
		lane->seq = col_i64(&lane->stmt);
		lane->due_ms = col_i64(&lane->stmt);
		if (!claims_have(&store->claims, lane->seq))
			return 0;
	}
	lane->due_ms = INT64_MAX;
	return rc;
}

static int begin_lane(
	struct error *error, struct store *store, struct lane *lane, const struct query *query)
{
	stmt_begin(&lane->stmt, &store->conn, query);
	stmt_i64(&lane->stmt, store->claims.floor_ms);
	return advance(error, store, lane);
}

static int read_claimed(struct error *error, struct store *store, int64_t seq,
	struct store_claim *op, struct claimed *out)
{
	struct stmt stmt;
	int rc;

	memset(out, 0, sizeof(*out));
	stmt_begin(&stmt, &store->conn, &q_claimed);
	stmt_i64(&stmt, seq);
	rc = stmt_step(error, &stmt);
	if (rc == 1) {
		rc = read_job(error, store->keys, &stmt, op->arena, &out->job);
		if (!rc && col_i64(&stmt))
			rc = read_event(error, store->keys, &stmt, op->arena, &out->event);
		if (!rc && !out->job.person.len)
			out->job.person = persons_of_event(op->arena, &out->event);
	} else if (rc == 0) {
		rc = error_set(error, E_CORRUPT, "an index names a job that is not there");
	}
	stmt_end(&stmt);
	if (!rc && arena_failed(op->arena))
		rc = error_set(error, E_NOMEM, "no memory for the claimed jobs");
	return rc;
}

/* An unreadable one must not keep the others from running. */
static int hand_out(struct error *error, struct store *store, struct store_claim *op, int64_t seq)
{
	struct claimed *out = &op->claimed[op->count];
	int rc;

	rc = read_claimed(error, store, seq, op, out);
	if (rc == E_CORRUPT && !store->conn.broken && !id_is_zero(&out->job.id)) {
		op->next_due_ms = 0; /* it may have passed its key to one that is due */
		return job_park(store, &out->job.id, error);
	}
	if (!rc)
		rc = claims_add(error, &store->claims, seq);
	if (!rc) {
		out->job.claimed = true;
		op->count++;
	}
	return rc;
}

/* All due ones up to the limit. What is left tells when to ask again, and from where to look. */
static int hand_out_due(
	struct error *error, struct store *store, struct store_claim *op, struct lane lanes[2])
{
	struct lane *next;
	int rc = 0;

	for (;;) {
		next = lanes[1].due_ms < lanes[0].due_ms ? &lanes[1] : &lanes[0];
		if (rc || next->due_ms > op->now_ms || op->count == op->limit)
			break;
		rc = hand_out(error, store, op, next->seq);
		if (!rc)
			rc = advance(error, store, next);
	}
	if (op->next_due_ms)
		op->next_due_ms = next->due_ms;
	if (store->hastening && op->next_due_ms > op->now_ms + HASTENED_MS)
		op->next_due_ms = op->now_ms + HASTENED_MS;
	if (!rc)
		store->claims.floor_ms = op->next_due_ms;
	return rc;
}

static int run_claim(struct store *store, struct store_op *base)
{
	struct store_claim *op = (struct store_claim *)base;
	struct error *error = &base->error;
	struct lane lanes[2] = {{.due_ms = INT64_MAX}, {.due_ms = INT64_MAX}};
	int rc;

	op->count = 0;
	op->next_due_ms = INT64_MAX;
	op->claimed = arena_alloc(op->arena, (op->limit ? op->limit : 1) * sizeof(*op->claimed));
	if (!op->claimed)
		return error_set(error, E_NOMEM, "no memory for the claimed jobs");
	rc = begin_lane(error, store, &lanes[0], &q_due_ready);
	if (!rc)
		rc = begin_lane(error, store, &lanes[1], &q_due_waiting);
	else
		stmt_begin(&lanes[1].stmt, &store->conn, &q_due_waiting);
	if (!rc)
		rc = hand_out_due(error, store, op, lanes);
	stmt_end(&lanes[0].stmt);
	stmt_end(&lanes[1].stmt);
	return rc;
}

void store_claim(struct store *store, struct store_claim *op)
{
	op->op.sealed = NULL;
	queue_submit(store, &op->op, run_claim);
}
