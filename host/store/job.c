/* job.c - new jobs, and jobs that move on. Never decides when something runs: it keeps order keys,
 * claims and what an event said meanwhile consistent with the row. The writer's thread. */
#include "store/engine.h"

#include "base/clock.h"

static const struct query q_insert = {Q_JOB_INSERT,
	"INSERT INTO job (id, event, tenant, pipeline, connection, op, dedupe, order_key, "
	"cancel_on, subject, key, correlation, state, strict, due_ms, created_ms, updated_ms, "
	"generation, step, tries, absent, kills, sent, fail, reason, person, other, third, fourth, "
	"lock, sealed, "
	"progress) "
	"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', ?, ?, "
	"?, ?, ?, ?, ?) "
	"ON CONFLICT (dedupe) WHERE dedupe <> '' DO NOTHING"};
static const struct query q_save = {Q_JOB_SAVE,
	"UPDATE job SET key = ?1, state = ?2, strict = ?3, due_ms = ?4, updated_ms = ?5, "
	"generation = ?6, step = ?7, tries = ?8, absent = ?9, kills = ?10, sent = ?11, "
	"fail = ?12, progress = ?13, reason = '', cancel_on = ?14 WHERE seq = ?15"};

/* ---- new ones ---------------------------------------------------------------------------------
 */

static void bind_fate(struct stmt *stmt, const struct job_row *row)
{
	stmt_i64(stmt, (int64_t)row->generation);
	stmt_i64(stmt, row->step);
	stmt_i64(stmt, row->tries);
	stmt_i64(stmt, row->absent);
	stmt_i64(stmt, row->kills);
	stmt_i64(stmt, row->sent);
	stmt_text(stmt, row->fail);
}

/* sealed: of the input, and of the progress. Of a job that has only its event's persons, the event
 * says it. */
static void bind_new(struct stmt *stmt, const struct job_row *row, enum job_state state,
	const struct sealed_piece *sealed)
{
	static const struct seal_owners nobody;

	stmt_id(stmt, &row->id);
	stmt_id(stmt, &row->event);
	stmt_text(stmt, row->tenant);
	stmt_text(stmt, row->pipeline);
	stmt_text(stmt, row->connection);
	stmt_text(stmt, row->op);
	stmt_text(stmt, row->dedupe);
	stmt_text(stmt, row->order_key);
	stmt_text(stmt, row->cancel_on);
	stmt_text(stmt, row->subject);
	stmt_text(stmt, row->key);
	stmt_text(stmt, row->correlation);
	stmt_i64(stmt, state);
	stmt_i64(stmt, row->strict);
	stmt_i64(stmt, row->due_ms);
	stmt_i64(stmt, row->created_ms);
	stmt_i64(stmt, row->updated_ms);
	bind_fate(stmt, row);
	stmt_owners(stmt, sealed[0].bytes ? &sealed[0].owners : &nobody);
	stmt_sealed(stmt, &sealed[0]);
	stmt_box(stmt, &sealed[1]);
}

/* As it stands in the columns. */
static struct job_row in_columns(struct store *store, const struct job_row *row)
{
	struct job_row out = *row;

	out.dedupe = blind_text(store->keys, store->scratch, row->dedupe);
	out.order_key = blind_text(store->keys, store->scratch, row->order_key);
	out.subject = blind_text(store->keys, store->scratch, row->subject);
	return out;
}

static int first_state(
	struct error *error, struct store *store, const struct job_row *row, enum job_state *state)
{
	bool taken = false;
	int rc = 0;

	if (!row->waits || row->strict)
		rc = turn_taken(error, store, row->tenant, row->order_key, &taken);
	*state = taken ? JOB_QUEUED : row->waits ? JOB_WAITING : JOB_READY;
	return rc;
}

static int claim_new(struct error *error, struct store *store, struct job_row *row, bool claim)
{
	int rc;

	if (row->state == JOB_QUEUED)
		return 0;
	if (!claim || row->due_ms > clock_now_ms()) {
		claims_lower(&store->claims, row->due_ms);
		return 0;
	}
	rc = claims_add(error, &store->claims, sqlite3_last_insert_rowid(store->conn.db));
	row->claimed = !rc;
	return rc;
}

static int insert(struct error *error, struct store *store, const struct store_op *op,
	struct job_row *row, bool claim)
{
	const struct job_row blind = in_columns(store, row);
	enum job_state state;
	struct stmt stmt;
	int rc;

	row->state = 0;
	row->claimed = false;
	if (arena_failed(store->scratch))
		return error_set(error, E_NOMEM, "no memory to store a job");
	rc = first_state(error, store, &blind, &state);
	if (rc)
		return rc;
	stmt_begin(&stmt, &store->conn, &q_insert);
	bind_new(&stmt, &blind, state, sealed_piece(op, row->sealed));
	rc = stmt_done(error, &stmt);
	if (rc || !sqlite3_changes(store->conn.db))
		return rc;
	row->state = state;
	rc = tally_note(error, store, TALLY_JOB, row->tenant, row->created_ms);
	return rc ? rc : claim_new(error, store, row, claim);
}

int job_insert_all(struct error *error, struct store *store, const struct store_op *op,
	struct job_row *jobs, size_t count, bool claim)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < count && !rc; i++)
		rc = insert(error, store, op, &jobs[i], claim);
	return rc;
}

static int run_add(struct store *store, struct store_op *base)
{
	struct store_add_jobs *op = (struct store_add_jobs *)base;
	struct error *error = &base->error;
	size_t i;
	int rc;

	op->added = 0;
	rc = job_insert_all(error, store, base, op->jobs, op->job_count, op->claim);
	for (i = 0; i < op->job_count && !rc; i++)
		op->added += op->jobs[i].state != 0;
	/* A repeat is not a second wish: what it expected was changed by the first one. */
	if (!rc && op->expect && (op->added || !op->job_count))
		rc = appointment_check(error, store, op->expect);
	if (rc)
		return rc;
	return hold_take_all(error, store, op->holds, op->hold_count, op->jobs, op->job_count);
}

void store_add_jobs(struct store *store, struct store_add_jobs *op)
{
	struct prepare what = {.jobs = op->jobs, .job_count = op->job_count};
	int rc = prepare_change(store, &op->op, &what);

	queue_submit(store, &op->op, rc ? NULL : run_add);
}

/* ---- moving on ----------------------------------------------------------------------------------
 */

static bool finished(enum job_state state)
{
	return state == JOB_DONE || state == JOB_DROPPED;
}

static int check_save(struct error *error, const struct job_row *row, const struct job_now *now)
{
	if (!now->seq)
		return error_set(error, E_NOTFOUND, "the job to save is not stored");
	if (finished(now->state))
		return error_set(error, E_CONFLICT, "the job was %s meanwhile",
			now->state == JOB_DONE ? "done" : "dropped");
	if (row->state < JOB_READY || row->state > JOB_DROPPED || row->state == JOB_QUEUED)
		return error_set(
			error, E_INVALID, "a job cannot be saved in state %d", (int)row->state);
	return 0;
}

static int update(struct error *error, struct store *store, const struct store_save_job *op,
	const struct job_now *now, enum job_state state)
{
	const struct job_row *row = op->job;
	struct stmt stmt;

	stmt_begin(&stmt, &store->conn, &q_save);
	stmt_text(&stmt, row->key);
	stmt_i64(&stmt, state);
	stmt_i64(&stmt, row->strict);
	stmt_i64(&stmt, row->due_ms);
	stmt_i64(&stmt, row->updated_ms);
	bind_fate(&stmt, row);
	stmt_box(&stmt, sealed_piece(&op->op, 0));
	stmt_text(&stmt, row->cancel_on);
	stmt_i64(&stmt, now->seq);
	return stmt_done(error, &stmt);
}

/* One that had let go of its key and comes back waits behind who has it now. */
static int come_back(
	struct error *error, struct store *store, const struct job_now *now, enum job_state *state)
{
	bool held = false;
	int rc = 0;

	if (*state == JOB_READY && !turn_holds(now->state, now->strict))
		rc = turn_held(error, store, now, &held);
	if (held)
		*state = JOB_QUEUED;
	return rc;
}

static int settle_claim(struct error *error, struct store *store, const struct job_row *row,
	const struct job_now *now, bool keep)
{
	if (keep)
		return claims_add(error, &store->claims, now->seq);
	claims_lower(&store->claims, row->due_ms);
	return claims_drop(error, &store->claims, now->seq);
}

/* What an event said while the job was in our hands: it counts if we still do not know better. */
static int use_closed(struct error *error, struct store *store, struct store_save_job *op,
	const struct job_now *before, enum job_state state)
{
	struct job_now now = *before;
	const struct job_row *row = op->job;
	bool unknown = row->sent || row->state == JOB_PARKED;
	struct str closes;
	int rc;

	if (!now.closed.len || (op->keep_claim && str_eq(row->key, now.key)))
		return 0;
	rc = job_closed(error, store, &now, &closes);
	if (rc)
		return rc;
	if (finished(state) || !unknown || !str_eq(row->key, now.key) || !closes.len)
		return job_keep_closed(error, store, &now, STR(""));
	now.state = state;
	now.strict = row->strict;
	op->closed = true;
	return job_close(error, store, &now, closes);
}

/* Ended, or given to a person before anything left: its times are free again. An outcome that is
 * not known keeps them. */
static int free_holds(struct error *error, struct store *store, const struct store_save_job *op,
	const struct job_now *now, enum job_state state)
{
	bool ended =
		finished(state) || state == JOB_DEAD || (state == JOB_PARKED && !op->job->sent);

	return ended && !op->closed ? hold_free_job(error, store, now->seq) : 0;
}

/* Whoever will be handed out again. Not while it is unknown whether something was sent: that is
 * found out first. */
static bool may_be_cancelled(const struct store_save_job *op, enum job_state state)
{
	return !op->keep_claim && !op->job->sent &&
	       (state == JOB_READY || state == JOB_QUEUED || state == JOB_WAITING);
}

static int save_row(struct error *error, struct store *store, struct store_save_job *op,
	const struct job_now *now)
{
	const struct job_row *row = op->job;
	enum job_state state = row->state;
	bool held = turn_holds(now->state, now->strict);
	int rc;

	rc = op->keep_claim ? 0 : come_back(error, store, now, &state);
	if (!rc)
		rc = update(error, store, op, now, state);
	if (!rc && may_be_cancelled(op, state))
		rc = job_cancel_late(error, store, row, now->seq, &state);
	if (!rc)
		rc = settle_claim(error, store, row, now, op->keep_claim);
	if (!rc)
		rc = use_closed(error, store, op, now, state);
	if (!rc)
		rc = free_holds(error, store, op, now, state);
	if (!rc && !op->closed && held && !turn_holds(state, row->strict))
		rc = turn_pass(error, store, now, &op->promoted);
	return rc;
}

static int save_attempts(struct error *error, struct store *store, struct store_save_job *op,
	const struct job_now *now)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < op->attempt_count && !rc; i++)
		rc = attempt_insert(error, store, now->seq, now->tenant, &op->attempts[i],
			sealed_piece(&op->op, 1 + i));
	return rc;
}

static int save_rest(struct error *error, struct store *store, struct store_save_job *op)
{
	size_t i, piece = ((const struct sealed *)op->op.sealed)->count - op->appointment_count -
			  (op->answer != NULL);
	int rc = 0;

	for (i = 0; i < op->event_count && !rc; i++)
		rc = event_apply(error, store, &op->op, &op->events[i], op->claim);
	if (!rc)
		rc = job_insert_all(error, store, &op->op, op->jobs, op->job_count, op->claim);
	for (i = 0; i < op->appointment_count && !rc; i++, piece++)
		rc = appointment_merge(
			error, store, &op->appointments[i], sealed_piece(&op->op, piece));
	if (!rc && op->checkpoint)
		rc = checkpoint_save(error, store, op->checkpoint);
	if (!rc && op->answer)
		rc = answer_save(error, store, op->answer, sealed_piece(&op->op, piece));
	if (!rc)
		rc = mirror_save(error, store, op->days, op->day_count);
	if (rc)
		return rc;
	return hold_take_all(error, store, op->holds, op->hold_count, op->jobs, op->job_count);
}

static int run_save(struct store *store, struct store_op *base)
{
	struct store_save_job *op = (struct store_save_job *)base;
	struct error *error = &base->error;
	struct job_now now;
	int rc;

	op->promoted = 0;
	op->closed = false;
	rc = job_find(error, store, &op->job->id, &now);
	if (!rc)
		rc = check_save(error, op->job, &now);
	if (!rc)
		rc = save_row(error, store, op, &now);
	if (!rc)
		rc = save_attempts(error, store, op, &now);
	return rc ? rc : save_rest(error, store, op);
}

void store_save_job(struct store *store, struct store_save_job *op)
{
	struct prepare what = {
		.job = op->job,
		.attempts = op->attempts,
		.attempt_count = op->attempt_count,
		.events = op->events,
		.event_count = op->event_count,
		.jobs = op->jobs,
		.job_count = op->job_count,
		.appointments = op->appointments,
		.appointment_count = op->appointment_count,
		.answer = op->answer,
	};
	int rc = prepare_change(store, &op->op, &what);

	queue_submit(store, &op->op, rc ? NULL : run_save);
}
