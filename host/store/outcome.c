/* outcome.c - jobs that change by something other than their own run: an event answers or cancels
 * them, a person decides. Never touches a job in the callers' hands; what an event says about one
 * is kept beside it. The writer's thread. */
#include "store/engine.h"

#include "base/clock.h"

static const struct query q_regarded = {Q_JOB_REGARDED,
	"SELECT id FROM job INDEXED BY job_key WHERE key = ?1 AND tenant = ?2 "
	"AND state BETWEEN 1 AND 4 AND (sent = 1 OR state = 4)"};
static const struct query q_keep_closed = {
	Q_JOB_KEEP_CLOSED, "UPDATE job SET closed = ?1 WHERE seq = ?2"};
static const struct query q_close = {Q_JOB_CLOSE,
	"UPDATE job SET state = ?1, sent = 0, due_ms = min(due_ms, ?2), closed = NULL, "
	"progress = coalesce(?3, progress) WHERE seq = ?4"};
static const struct query q_progress = {Q_JOB_PROGRESS,
	"SELECT job.progress, coalesce(job.lock, event.lock, job.progress), job.tenant FROM job "
	"LEFT JOIN event ON event.id = job.event WHERE job.seq = ?1"};
static const struct query q_join = {Q_JOB_JOIN,
	"SELECT json_set(CASE WHEN NOT json_valid(?1) THEN '{}' "
	"WHEN json_type(?1) <> 'object' THEN '{}' ELSE ?1 END, '$.closed', json(?2))"};
static const struct query q_to_cancel = {Q_JOB_TO_CANCEL,
	"SELECT seq, id FROM job INDEXED BY job_cancel WHERE tenant = ?1 AND subject = ?2 AND "
	"cancel_on <> '' "
	"AND state BETWEEN 1 AND 3 AND sent = 0 AND seq > ?4 "
	"AND instr(' ' || cancel_on || ' ', ' ' || ?3 || ' ') > 0 ORDER BY seq LIMIT 1"};
static const struct query q_cancel = {
	Q_JOB_CANCEL, "UPDATE job SET state = 7, reason = 'cancelled by ' || ?1 WHERE seq = ?2"};
static const struct query q_forget = {Q_JOB_FORGET,
	"UPDATE job SET state = 7, reason = ?1, fail = '', closed = NULL WHERE seq = ?2"};
/* Later there, or told later: a vendor may tell of a cancellation before it tells of the booking.
 */
#define LATER_AND_NAMED                                                                            \
	"AND tenant = ?2 AND (seq > (SELECT seq FROM event WHERE id = ?3) "                        \
	"OR at_ms > (SELECT at_ms FROM event WHERE id = ?3)) "                                     \
	"AND instr(' ' || ?4 || ' ', ' ' || type || ' ') > 0 "
static const struct query q_cancelled = {Q_JOB_CANCELLED,
	"SELECT type FROM event INDEXED BY event_subject WHERE subject = ?1 AND subject <> "
	"'' " LATER_AND_NAMED "UNION ALL SELECT type FROM event INDEXED BY event_also WHERE also = "
	"?1 AND also <> '' " LATER_AND_NAMED "LIMIT 1"};
static const struct query q_decide = {Q_JOB_DECIDE,
	"UPDATE job SET state = ?1, tries = 0, absent = 0, kills = 0, "
	"fail = CASE ?1 WHEN 7 THEN '' ELSE '" JOB_AGAIN "' END, "
	"due_ms = ?2, updated_ms = ?2, reason = ?3, sent = sent AND NOT ?4 WHERE seq = ?5"};
static const struct query q_hasten = {Q_JOB_HASTEN,
	"UPDATE job SET due_ms = ?1 WHERE seq IN (SELECT seq FROM job INDEXED BY job_fail "
	"WHERE state = 1 AND fail = ?2 AND fail <> '' AND due_ms > ?1 LIMIT ?3)"};
static const struct query q_hasten_ahead = {Q_JOB_HASTEN_AHEAD,
	"UPDATE job SET due_ms = ?1 WHERE seq IN (SELECT seq FROM job INDEXED BY job_put_off "
	"WHERE state BETWEEN 1 AND 2 AND due_ms > updated_ms AND updated_ms > ?2 LIMIT ?3)"};
static const struct query q_park = {
	Q_JOB_PARK, "UPDATE job SET state = 4, reason = ?1 WHERE seq = ?2"};
static const struct query q_closed = {
	Q_JOB_CLOSED, "SELECT id FROM job INDEXED BY job_closed WHERE closed IS NOT NULL LIMIT 1"};

/* ---- answered by an event ---------------------------------------------------------------------
 */

/* A job as it was sealed so far. */
struct inside {
	struct str parts[2]; /* progress, reason */
	struct seal_owners owners;
	bool readable;
};

/* Those that are not forgotten, or the tenant. */
static int living_owners(
	struct error *error, struct store *store, struct str tenant, struct seal_owners *owners)
{
	size_t i, count = 0;
	bool there;
	int rc;

	for (i = 0; i < owners->count; i++) {
		rc = keys_has(error, store->keys, owners->number[i], &there);
		if (rc)
			return rc;
		if (there)
			owners->number[count++] = owners->number[i];
	}
	owners->count = count;
	return count ? 0 : seal_owners(error, store->keys, tenant, NULL, 0, owners);
}

/* Somebody in it was forgotten, or it is damaged: what an event says of it counts all the same. */
static int look_inside(
	struct error *error, struct store *store, const struct job_now *now, struct inside *inside)
{
	struct stmt stmt;
	struct str box, lock, tenant;
	int rc;

	*inside = (struct inside){.parts = {STR(""), STR("")}, .readable = true};
	stmt_begin(&stmt, &store->conn, &q_progress);
	stmt_i64(&stmt, now->seq);
	rc = stmt_step(error, &stmt);
	if (rc == 1) {
		box = col_str(&stmt);
		lock = col_str(&stmt);
		tenant = col_text(&stmt, store->scratch);
		rc = owners_of_lock(error, store, lock, tenant, &inside->owners);
		if (!rc && box.ptr)
			rc = box_open(error, store->keys, place_of("progress", &now->id), box,
				store->scratch, inside->parts, 2);
		if (rc == E_CORRUPT && !store->conn.broken) {
			*error = (struct error){0};
			inside->readable = false;
			rc = living_owners(error, store, tenant, &inside->owners);
		}
	}
	stmt_end(&stmt);
	return rc;
}

int job_keep_closed(
	struct error *error, struct store *store, const struct job_now *now, struct str closes)
{
	struct str box = {0};
	struct inside inside;
	struct stmt stmt;
	int rc = 0;

	if (closes.len)
		rc = look_inside(error, store, now, &inside);
	if (!rc && closes.len)
		rc = seal_box(error, store, &inside.owners, place_of("closed", &now->id), &closes,
			1, &box);
	if (rc)
		return rc;
	stmt_begin(&stmt, &store->conn, &q_keep_closed);
	stmt_bytes(&stmt, box);
	stmt_i64(&stmt, now->seq);
	return stmt_done(error, &stmt);
}

int job_closed(
	struct error *error, struct store *store, const struct job_now *now, struct str *closes)
{
	int rc;

	*closes = STR("");
	if (!now->closed.len)
		return 0;
	rc = box_open(error, store->keys, place_of("closed", &now->id), now->closed, store->scratch,
		closes, 1);
	if (rc != E_CORRUPT || store->conn.broken)
		return rc;
	*error = (struct error){0}; /* forgotten meanwhile */
	*closes = STR("");
	return 0;
}

/* As member "closed" of what it knows. */
static int join(struct error *error, struct store *store, struct str closes, struct str *progress)
{
	struct stmt stmt;
	int rc;

	stmt_begin(&stmt, &store->conn, &q_join);
	stmt_text(&stmt, *progress);
	stmt_text(&stmt, closes);
	rc = stmt_step(error, &stmt);
	if (rc == 1)
		*progress = col_text(&stmt, store->scratch);
	stmt_end(&stmt);
	return rc < 0 ? rc : 0;
}

/* What cannot be read stays as it is: who is handed the job finds it so, and parks it. */
static int closed_progress(struct error *error, struct store *store, const struct job_now *now,
	struct str closes, struct str *box)
{
	struct inside inside;
	int rc;

	rc = look_inside(error, store, now, &inside);
	if (rc || !inside.readable)
		return rc;
	rc = join(error, store, closes, &inside.parts[0]);
	return rc ? rc
		  : seal_box(error, store, &inside.owners, place_of("progress", &now->id),
			    inside.parts, 2, box);
}

/* READY, or behind who took the key meanwhile. */
static int back_in_line(
	struct error *error, struct store *store, const struct job_now *now, enum job_state *state)
{
	bool held = false;
	int rc = 0;

	if (!turn_holds(now->state, now->strict))
		rc = turn_held(error, store, now, &held);
	*state = held ? JOB_QUEUED : JOB_READY;
	return rc;
}

int job_close(
	struct error *error, struct store *store, const struct job_now *now, struct str closes)
{
	int64_t now_ms = clock_now_ms();
	enum job_state state;
	struct str box = {0};
	struct stmt stmt;
	int rc;

	rc = back_in_line(error, store, now, &state);
	if (!rc)
		rc = closed_progress(error, store, now, closes, &box);
	if (rc)
		return rc;
	stmt_begin(&stmt, &store->conn, &q_close);
	stmt_i64(&stmt, state);
	stmt_i64(&stmt, now_ms);
	stmt_bytes(&stmt, box);
	stmt_i64(&stmt, now->seq);
	claims_lower(&store->claims, INT64_MIN); /* it may have been due long ago */
	return stmt_done(error, &stmt);
}

/* seq 0: nobody is regarded. */
static int find_one(
	struct error *error, struct store *store, struct stmt *stmt, struct job_now *now)
{
	int rc = stmt_step(error, stmt);
	struct id id = rc == 1 ? col_id(stmt) : (struct id){{0}};

	stmt_end(stmt);
	now->seq = 0;
	return rc == 1 ? job_find(error, store, &id, now) : rc;
}

int job_close_regarded(struct error *error, struct store *store, const struct event_row *event,
	struct str closes, uint32_t *closed)
{
	struct job_now now;
	struct stmt stmt;
	int rc;

	if (!event->regarding.len || !closes.len)
		return 0;
	stmt_begin(&stmt, &store->conn, &q_regarded);
	stmt_text(&stmt, event->regarding);
	stmt_text(&stmt, event->tenant);
	rc = find_one(error, store, &stmt, &now);
	if (rc || !now.seq)
		return rc;
	if (claims_have(&store->claims, now.seq))
		return job_keep_closed(error, store, &now, closes);
	rc = job_close(error, store, &now, closes);
	*closed += !rc;
	return rc;
}

/* What was kept beside a job counts, if still nobody knows better. */
static int use_kept(struct error *error, struct store *store, const struct job_now *now)
{
	struct str closes;
	int rc;

	rc = job_closed(error, store, now, &closes);
	if (rc)
		return rc;
	if (closes.len && (now->sent || now->state == JOB_PARKED))
		return job_close(error, store, now, closes);
	return job_keep_closed(error, store, now, STR(""));
}

/* What was kept beside a job in our hands when the process ended. */
int job_recover(struct error *error, struct store *store)
{
	struct job_now now;
	struct stmt stmt;
	int rc;

	do {
		arena_reset(store->scratch);
		stmt_begin(&stmt, &store->conn, &q_closed);
		rc = find_one(error, store, &stmt, &now);
		if (rc || !now.seq)
			return rc;
		rc = use_kept(error, store, &now);
	} while (!rc);
	return rc;
}

/* ---- given back ------------------------------------------------------------------------------
 */

/* What an event said meanwhile counts now, as after a restart. */
static int unclaim(struct error *error, struct store *store, const struct id *id, uint32_t *count)
{
	struct job_now now;
	int rc;

	rc = job_find(error, store, id, &now);
	if (rc || !now.seq || !claims_have(&store->claims, now.seq))
		return rc;
	rc = claims_drop(error, &store->claims, now.seq);
	claims_lower(&store->claims, INT64_MIN); /* it was due, whenever that was */
	++*count;
	return rc || !now.closed.len ? rc : use_kept(error, store, &now);
}

static int run_unclaim(struct store *store, struct store_op *base)
{
	struct store_unclaim_jobs *op = (struct store_unclaim_jobs *)base;
	size_t i;
	int rc = 0;

	op->unclaimed = 0;
	for (i = 0; i < op->job_count && !rc; i++)
		rc = unclaim(&base->error, store, &op->jobs[i], &op->unclaimed);
	return rc;
}

void store_unclaim_jobs(struct store *store, struct store_unclaim_jobs *op)
{
	op->op.sealed = NULL;
	queue_submit(store, &op->op, run_unclaim);
}

/* ---- cancelled by an event ----------------------------------------------------------------------
 */

static int drop(
	struct error *error, struct store *store, const struct job_now *now, struct str type)
{
	uint32_t promoted = 0;
	struct stmt stmt;
	int rc;

	stmt_begin(&stmt, &store->conn, &q_cancel);
	stmt_text(&stmt, type);
	stmt_i64(&stmt, now->seq);
	rc = stmt_done(error, &stmt);
	if (!rc)
		rc = hold_free_job(error, store, now->seq);
	if (rc || !turn_holds(now->state, now->strict))
		return rc;
	return turn_pass(error, store, now, &promoted);
}

int job_forget(struct error *error, struct store *store, const struct id *id, struct str reason)
{
	uint32_t promoted = 0;
	struct job_now now;
	struct stmt stmt;
	int rc;

	rc = job_find(error, store, id, &now);
	if (rc || !now.seq)
		return rc;
	stmt_begin(&stmt, &store->conn, &q_forget);
	stmt_text(&stmt, reason);
	stmt_i64(&stmt, now.seq);
	rc = stmt_done(error, &stmt);
	if (!rc)
		rc = claims_drop(error, &store->claims, now.seq);
	if (!rc)
		rc = hold_free_job(error, store, now.seq);
	if (rc || !turn_holds(now.state, now.strict))
		return rc;
	return turn_pass(error, store, &now, &promoted);
}

/* The next one behind after; 0: none. */
static int to_cancel(struct error *error, struct store *store, const struct event_row *event,
	struct str subject, int64_t *after, struct id *id)
{
	struct stmt stmt;
	int rc;

	stmt_begin(&stmt, &store->conn, &q_to_cancel);
	stmt_text(&stmt, event->tenant);
	stmt_text(&stmt, subject);
	stmt_text(&stmt, event->type);
	stmt_i64(&stmt, *after);
	rc = stmt_step(error, &stmt);
	*after = rc == 1 ? col_i64(&stmt) : 0;
	*id = rc == 1 ? col_id(&stmt) : (struct id){{0}};
	stmt_end(&stmt);
	return rc < 0 ? rc : 0;
}

static int cancel_subject(struct error *error, struct store *store, const struct event_row *event,
	struct str subject, uint32_t *cancelled)
{
	struct job_now now;
	struct id id;
	int64_t seq = 0;
	int rc;

	if (!subject.len)
		return 0;
	for (;;) {
		rc = to_cancel(error, store, event, subject, &seq, &id);
		if (rc || !seq)
			return rc;
		if (claims_have(&store->claims, seq))
			continue;
		rc = job_find(error, store, &id, &now);
		if (!rc)
			rc = drop(error, store, &now, event->type);
		if (rc)
			return rc;
		++*cancelled;
	}
}

int job_cancel(struct error *error, struct store *store, const struct event_row *event,
	uint32_t *cancelled)
{
	int rc;

	rc = cancel_subject(error, store, event, event->subject, cancelled);
	if (rc || str_eq(event->also, event->subject))
		return rc;
	return cancel_subject(error, store, event, event->also, cancelled);
}

int job_cancel_late(struct error *error, struct store *store, const struct job_row *row,
	int64_t seq, enum job_state *state)
{
	struct stmt stmt;
	struct str type;
	int rc;

	if (!row->cancel_on.len || !row->subject.len || id_is_zero(&row->event))
		return 0;
	stmt_begin(&stmt, &store->conn, &q_cancelled);
	stmt_text(&stmt, row->subject);
	stmt_text(&stmt, row->tenant);
	stmt_id(&stmt, &row->event);
	stmt_text(&stmt, row->cancel_on);
	rc = stmt_step(error, &stmt);
	type = rc == 1 ? col_text(&stmt, store->scratch) : STR("");
	stmt_end(&stmt);
	if (rc != 1)
		return rc;
	*state = JOB_DROPPED;
	stmt_begin(&stmt, &store->conn, &q_cancel);
	stmt_text(&stmt, type);
	stmt_i64(&stmt, seq);
	return stmt_done(error, &stmt);
}

/* ---- decided by a person ------------------------------------------------------------------------
 */

static int pass_if_held(struct error *error, struct store *store, const struct job_now *now)
{
	uint32_t promoted = 0;

	if (!turn_holds(now->state, now->strict))
		return 0;
	return turn_pass(error, store, now, &promoted);
}

static int decide(struct error *error, struct store *store, const struct store_decide_job *op,
	const struct job_now *now)
{
	enum job_state state = JOB_DROPPED;
	int64_t now_ms = clock_now_ms();
	struct stmt stmt;
	int rc = 0;

	if (op->verdict != VERDICT_DROP)
		rc = back_in_line(error, store, now, &state);
	if (rc)
		return rc;
	stmt_begin(&stmt, &store->conn, &q_decide);
	stmt_i64(&stmt, state);
	stmt_i64(&stmt, now_ms);
	stmt_text(&stmt, blind_text(store->keys, store->scratch, op->reason));
	stmt_i64(&stmt, op->verdict == VERDICT_RESEND);
	stmt_i64(&stmt, now->seq);
	rc = stmt_done(error, &stmt);
	claims_lower(&store->claims, now_ms);
	if (rc || state != JOB_DROPPED)
		return rc;
	rc = hold_free_job(error, store, now->seq);
	return rc ? rc : pass_if_held(error, store, now);
}

static int run_decide(struct store *store, struct store_op *base)
{
	struct store_decide_job *op = (struct store_decide_job *)base;
	struct job_now now;
	int rc;

	rc = job_find(&base->error, store, &op->job, &now);
	if (rc)
		return rc;
	if (!now.seq)
		return error_set(&base->error, E_NOTFOUND, "there is no such job");
	if (now.state != JOB_DEAD && now.state != JOB_PARKED)
		return error_set(&base->error, E_CONFLICT,
			"the job is neither dead nor parked: there is nothing to decide");
	return decide(&base->error, store, op, &now);
}

void store_decide_job(struct store *store, struct store_decide_job *op)
{
	op->op.sealed = NULL;
	queue_submit(store, &op->op, run_decide);
}

/* Somebody may be on the line, just when what all of them waited for is back. */
#define HASTEN_ROWS 500

static int hasten_failed(struct error *error, struct store *store, struct str fail, int64_t now_ms)
{
	struct stmt stmt;

	stmt_begin(&stmt, &store->conn, &q_hasten);
	stmt_i64(&stmt, now_ms);
	stmt_text(&stmt, fail);
	stmt_i64(&stmt, HASTEN_ROWS);
	return stmt_done(error, &stmt);
}

/* READY ones and, for later, QUEUED ones. What WAITS does so for an instant, not for a delay. */
static int hasten_ahead(struct error *error, struct store *store, int64_t now_ms)
{
	struct stmt stmt;

	stmt_begin(&stmt, &store->conn, &q_hasten_ahead);
	stmt_i64(&stmt, now_ms);
	stmt_i64(&stmt, now_ms + CLOCK_SLACK_MS);
	stmt_i64(&stmt, HASTEN_ROWS);
	return stmt_done(error, &stmt);
}

static int run_hasten(struct store *store, struct store_op *base)
{
	struct store_hasten_jobs *op = (struct store_hasten_jobs *)base;
	int rc;

	op->more = false;
	claims_lower(&store->claims, op->now_ms);
	rc = op->fail.len ? hasten_failed(&base->error, store, op->fail, op->now_ms)
			  : hasten_ahead(&base->error, store, op->now_ms);
	op->more = !rc && sqlite3_changes(store->conn.db) == HASTEN_ROWS;
	return rc;
}

/* Behind all that came meanwhile. At a stop the rest is left: it is due later by itself, and a
 * start asks again. */
static void hasten_on(struct store_op *base)
{
	struct store_hasten_jobs *op = (struct store_hasten_jobs *)base;
	bool more = !base->result && op->more;

	if (more != op->begun)
		op->store->hastening += more ? 1 : -1;
	op->begun = more;
	if (more && queue_again(op->store, base))
		return;
	op->store->hastening -= op->begun;
	base->done = op->told;
	base->done(base);
}

void store_hasten_jobs(struct store *store, struct store_hasten_jobs *op)
{
	op->op.sealed = NULL;
	op->store = store;
	op->told = op->op.done;
	op->now_ms = clock_now_ms();
	op->begun = op->more = false;
	op->op.done = hasten_on;
	queue_submit(store, &op->op, run_hasten);
}

int job_park(struct store *store, const struct id *id, struct error *why)
{
	struct error reason = *why;
	struct job_now now;
	struct stmt stmt;
	int rc;

	*why = (struct error){0};
	rc = job_find(why, store, id, &now);
	if (rc)
		return rc;
	stmt_begin(&stmt, &store->conn, &q_park);
	stmt_text(&stmt, str_of(reason.text));
	stmt_i64(&stmt, now.seq);
	rc = stmt_done(why, &stmt);
	if (!rc && !now.sent)
		rc = hold_free_job(why, store, now.seq);
	return rc || now.strict ? rc : pass_if_held(why, store, &now);
}
