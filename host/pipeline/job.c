/* job.c - a run's life: begun, step after step, saved, over. Runner's thread; saved() is the
 * writer's and only hands over. Sends nothing itself.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "pipeline/alarm.h"
#include "pipeline/asks.h"
#include "pipeline/builtin.h"
#include "pipeline/caller.h"
#include "pipeline/job_i.h"

/* ---- Beginning ---------------------------------------------------------------------------- */

static void copy(struct arena *arena, struct str *s)
{
	*s = s->ptr ? str_dup(arena, *s) : STR("");
}

static void copy_job(struct run *run, const struct job_row *job)
{
	struct job_row *r = &run->row;
	struct str *const texts[] = {&r->tenant, &r->pipeline, &r->connection, &r->op, &r->input,
		&r->person, &r->dedupe, &r->order_key, &r->cancel_on, &r->subject, &r->key,
		&r->correlation, &r->progress, &r->reason, &r->fail};

	*r = *job;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		copy(run->arena, texts[i]);
}

static void copy_event(struct run *run, const struct event_row *event)
{
	struct event_row *e = &run->event;
	struct str *const texts[] = {&e->tenant, &e->connection, &e->type, &e->dedupe, &e->subject,
		&e->also, &e->regarding, &e->person, &e->others, &e->data, &e->correlation};

	*e = *event;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		copy(run->arena, texts[i]);
}

/* The key of a step is made of the job's id and the step: the same one after every restart, and
 * unlike any other. */
static void make_key(struct run *run)
{
	struct id id = run->row.id;
	char *key = arena_alloc(run->arena, ID_TEXT);
	uint32_t n = ((id.b[8] & 0x3fu) << 8 | id.b[9]) + run->row.step * 2 + run->step.instead;

	id.b[8] = (uint8_t)((id.b[8] & 0xc0) | (n >> 8 & 0x3f));
	id.b[9] = (uint8_t)n;
	if (key)
		id_text(key, &id);
	run->row.key = str_of(key);
}

static struct run *create(struct runner *r, struct plan *plan, const struct job_row *job,
	const struct event_row *event)
{
	struct arena *arena = runner_arena(r);
	struct run *run = arena ? arena_alloc(arena, sizeof(*run)) : NULL;

	if (!run) {
		arena_destroy(arena);
		return NULL;
	}
	run->runner = r;
	run->arena = arena;
	run->plan = plan_ref(plan);
	copy_job(run, job);
	if (event && !id_is_zero(&event->id))
		copy_event(run, event);
	run->tenant = run->row.tenant.len ? config_tenant(plan->config, run->row.tenant.ptr) : NULL;
	if (run->row.pipeline.len)
		run->pipeline = plan_pipeline(plan, run->row.pipeline);
	run->last = run->mapped = STR("{}");
	run->scope =
		(struct route_scope){.arena = arena, .event = &run->event, .tenant = run->tenant};
	progress_read(run);
	run->next = r->all_runs;
	run->link = &r->all_runs;
	if (run->next)
		run->next->link = &run->next;
	r->all_runs = run;
	run->urgent = run_urgent(run);
	r->urgent += run->urgent;
	r->runs++;
	atomic_store(&r->n_runs, r->runs);
	return run;
}

/* The host was away, or too much was going on: whoever asked has heard by now that it failed. What
 * has done something goes on. */
static bool comes_too_late(const struct run *run)
{
	const struct job_row *row = &run->row;

	return caller_gone(run) && !row->step && !row->sent && !row->tries && !row->kills &&
	       !row->fail.len;
}

struct giving_back {
	struct store_unclaim_jobs op;
	struct id job;
};

/* Writer's thread. */
static void given_back(struct store_op *op)
{
	free(op->user); /* if that failed, it is claimed again after a restart at the latest */
}

/* It is nobody's again, and claimed with the next tick. */
static void give_back(struct runner *r, const struct id *job)
{
	struct giving_back *g = calloc(1, sizeof(*g));

	r->claim_later = true;
	if (!g) {
		if (r->keepsake_count < KEEPSAKES_MAX)
			r->keepsakes[r->keepsake_count++] = *job;
		return;
	}
	g->job = *job;
	g->op.jobs = &g->job;
	g->op.job_count = 1;
	g->op.op.done = given_back;
	g->op.op.user = g;
	store_unclaim_jobs(r->store, &g->op);
}

void jobs_give_back(struct runner *r)
{
	size_t count = r->keepsake_count;

	r->keepsake_count = 0;
	for (size_t i = 0; i < count; i++) {
		struct id job = r->keepsakes[i];
		give_back(r, &job);
	}
}

/* orphan: why it cannot go on; NULL: it can. */
static void go(struct run *run, const char *orphan)
{
	if (orphan) {
		run->foreign = true;
		run_end(run, JOB_PARKED, "bad input", arena_printf(run->arena, "%s", orphan));
	} else if (run->row.pipeline.len && !run->pipeline)
		run_end(run, JOB_PARKED, "bad input",
			"its pipeline is not in the configuration it began with");
	else if (run->refused.len)
		run_end(run, JOB_PARKED, "bad input", run->refused.ptr);
	else if (run->closed.len)
		operation_closed(run);
	else if (comes_too_late(run))
		run_end(run, JOB_DROPPED, NULL, JOB_NOBODY);
	else
		run_next(run);
}

static void begin(struct runner *r, struct plan *plan, const struct job_row *job,
	const struct event_row *event, const char *orphan)
{
	struct run *run = create(r, plan, job, event);

	if (run) {
		if (!orphan && run->pipeline && plan->generation != job->generation)
			renew_run(run);
		go(run, orphan);
		return;
	}
	log_line(LOG_ERROR, "no memory to run a job, it will be tried again", NULL);
	give_back(r, &job->id);
}

/* A step's number and what it has kept say something about the pipeline it began with only. */
static bool has_begun(const struct job_row *job)
{
	return job->pipeline.len && (job->step || job->sent || job->progress.len > 2);
}

void job_begin(struct runner *r, const struct job_row *job, const struct event_row *event)
{
	struct error error = {0};
	struct plan *plan = runner_plan(r, job->generation, &error);
	char why[sizeof(error.text) + 100];

	if (plan) {
		begin(r, renew_wanted(plan, r->plan, job) ? r->plan : plan, job, event, NULL);
	} else if (has_begun(job)) {
		snprintf(why, sizeof(why), "the configuration it began with cannot be used now: %s",
			error.text);
		begin(r, r->plan, job, event, why);
	} else {
		log_line(LOG_WARN,
			"the configuration a job was made for cannot be used any more; it goes by "
			"today's",
			"reason", error.text, NULL);
		begin(r, r->plan, job, event, NULL);
	}
}

void jobs_stored(struct runner *r, struct plan *plan, const struct event_row *event,
	const struct job_row *jobs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (jobs[i].claimed)
			begin(r, plan, &jobs[i], event, NULL);
		else
			r->claim_wanted = true;
}

unsigned jobs_room(const struct runner *r)
{
	unsigned busy = r->runs - r->urgent - r->resting;

	return busy >= RUNS_MAX || r->resting >= RESTING_MAX ? 0 : RUNS_MAX - busy;
}

bool jobs_promise(struct runner *r, size_t n, bool urgent, unsigned *promised)
{
	*promised = 0;
	if (r->options.only_ours)
		return false;
	if (urgent ? r->urgent + n > URGENT_MAX : r->draining || r->promised + n > jobs_room(r))
		return false;
	*promised = (unsigned)n;
	r->promised += *promised;
	return true;
}

/* ---- What a run is doing ------------------------------------------------------------------ */

bool run_urgent(const struct run *run)
{
	const struct runner *r = run->runner;

	return waiter_waits(r, &run->row.id) || callers_wait(r, &run->row.id) ||
	       asks_urgent(r, &run->row.id);
}

const struct plan_step *run_step(const struct run *run)
{
	if (!run->pipeline || run->row.step >= run->pipeline->config->step_count)
		return NULL;
	return &run->pipeline->steps[run->row.step];
}

const struct plan_call *run_call(const struct run *run)
{
	const struct plan_step *step = run_step(run);
	if (!step)
		return NULL;
	return run->step.instead ? &step->otherwise : &step->call;
}

const char *run_op(const struct run *run)
{
	return run->pipeline ? run_call(run)->config->op : run->row.op.ptr;
}

struct expr_scope run_scope(struct run *run)
{
	struct expr_scope scope = route_expr_scope(&run->scope, run->step.now_ms);

	scope.result = run->last;
	scope.steps = run->results;
	scope.step_count = run->result_count;
	return scope;
}

static bool grow_attempts(struct run *run)
{
	size_t cap = run->attempt_cap ? 4 * run->attempt_cap : 8;
	struct attempt_row *all;

	if (run->attempt_cap >= ATTEMPTS_MAX ||
		!(all = arena_alloc(run->arena, cap * sizeof(*all))))
		return false;
	if (run->attempt_count)
		memcpy(all, run->attempts, run->attempt_count * sizeof(*all));
	run->attempts = all;
	run->attempt_cap = cap;
	return true;
}

void run_note(struct run *run, enum attempt_kind kind, const char *name, const char *outcome,
	struct str input, struct str output, const char *note)
{
	struct attempt_row *a;

	if (run->attempt_count == run->attempt_cap && !grow_attempts(run))
		return;
	a = &run->attempts[run->attempt_count++];
	*a = (struct attempt_row){
		.id = id_new(),
		.job = run->row.id,
		.kind = kind,
		.step = run->row.step,
		.number = run->row.tries + 1,
		.name = str_of(arena_printf(run->arena, "%s", name)),
		.outcome = str_of(outcome),
		.started_ms = run->began_ms,
		.took_us = (uint32_t)(clock_mono_us() - run->began_us),
		.input = input,
		.output = output,
		.note = str_of(note),
	};
	if (a->input.len > RECORDED_MAX)
		a->input.len = RECORDED_MAX;
	if (a->output.len > RECORDED_MAX)
		a->output.len = RECORDED_MAX;
}

/* ---- Saving ------------------------------------------------------------------------------- */

static void release(struct run *run)
{
	struct runner *r = run->runner;

	*run->link = run->next;
	if (run->next)
		run->next->link = run->link;
	plan_unref(run->keys);
	plan_unref(run->plan);
	r->urgent -= run->urgent;
	r->runs--;
	runner_arena_back(r, run->arena);
	atomic_store(&r->n_runs, r->runs);
	runner_claim(r);
}

static void starved_here(struct mailbox_item *item)
{
	struct run *run = (struct run *)item;

	give_back(run->runner, &run->row.id);
	release(run);
}

/* Not released at once: whoever comes to this may still look at the run. */
static void starved(struct run *run)
{
	if (run->starving || run_rests_until_stored(run, starved))
		return;
	run->starving = true;
	log_line(LOG_ERROR, "no memory to go on with a job, it will be tried again", "correlation",
		run->row.correlation.ptr, NULL);
	builtin_leave(run);
	run->item.run = starved_here;
	runner_post(run->runner, &run->item);
}

/* The row keeps what it says about requests sent, so a retry by a person looks first. */
void run_too_big(struct run *run)
{
	if (arena_starved(run->arena))
		starved(run);
	else
		run_end(run, JOB_PARKED, "surprise", "it needs more memory than one run may have");
}

struct run *job_ahead(struct runner *r, struct plan *plan, const struct event_row *event,
	const struct job_row *job)
{
	struct run *run = create(r, plan, job, event);

	if (run) {
		run->ahead = true;
		go(run, NULL);
	}
	return run;
}

void job_is_stored(struct run *run)
{
	void (*then)(struct run *) = run->when_stored;

	run->ahead = false;
	run->when_stored = NULL;
	if (then)
		then(run);
}

void job_never_was(struct run *run)
{
	run->ahead = false;
	run->never_was = true;
	if (run->when_stored)
		release(run);
}

bool run_rests_until_stored(struct run *run, void (*then)(struct run *run))
{
	if (run->ahead)
		run->when_stored = then;
	return run->ahead;
}

struct run *jobs_find(struct runner *r, const struct id *job)
{
	for (struct run *run = r->all_runs; run; run = run->next)
		if (memcmp(&run->row.id, job, sizeof(*job)) == 0)
			return run;
	return NULL;
}

void jobs_abandon(struct runner *r)
{
	struct run *next;

	for (struct run *run = r->all_runs; run; run = next) {
		next = run->next;
		run->plan->orphan = true;
		if (run->keys)
			run->keys->orphan = true;
		plan_unref(run->keys);
		plan_unref(run->plan);
		arena_destroy(run->arena);
	}
	r->all_runs = NULL;
}

static void ended(struct run *run)
{
	struct runner *r = run->runner;

	atomic_fetch_add(run->row.state == JOB_DONE ? &r->n_done : &r->n_failed, 1);
	waiter_tell(r, &run->row, run->last);
	if (run->has_answer)
		callers_tell(r, &run->row.id, &run->answer);
	asks_tell(run);
	release(run);
}

static bool comes_back(const struct run *run)
{
	return !run->save.keep_claim &&
	       (run->row.state == JOB_READY || run->row.state == JOB_WAITING);
}

static void after_save(struct run *run)
{
	struct runner *r = run->runner;
	struct store_save_job *s = &run->save;

	for (size_t i = 0; i < s->event_count; i++) {
		const struct event_change *e = &s->events[i];
		atomic_fetch_add(e->repeat ? &r->n_repeats : &r->n_events, 1);
		if (e->repeat)
			continue;
		if (e->closed || e->cancelled)
			r->claim_wanted = true;
		jobs_stored(r, run->plan, e->row, e->jobs, e->job_count);
	}
	jobs_stored(r, run->plan, id_is_zero(&run->event.id) ? NULL : &run->event, s->jobs,
		s->job_count);
	if (s->promoted || s->closed)
		r->claim_wanted = true;
	if (comes_back(run) && run->row.due_ms < r->next_due_ms)
		r->claim_wanted =
			true; /* so that the timer learns of it; not before it is stored */
	run->attempt_count = 0;
	run->event_count = 0;
	run->has_checkpoint = false;
	run->appointment_count = run->day_count = 0;
	builtin_saved(run);
}

static void saved_here(struct mailbox_item *item);

static void saved(struct store_op *op)
{
	struct run *run = op->user;
	run->item.run = saved_here;
	runner_post(run->runner, &run->item);
}

static void submit(struct run *run)
{
	struct store_save_job *s = &run->save;

	memset(&s->op, 0, sizeof(s->op));
	s->op.urgent = run->urgent;
	s->op.done = saved;
	s->op.user = run;
	store_save_job(run->runner->store, s);
}

/* What the store will never take must not be offered for ever: the job alone, for a person. */
static void save_bare(struct run *run)
{
	struct store_save_job *s = &run->save;

	run->bare = true;
	run->row.state = JOB_PARKED;
	run->row.fail = STR("surprise");
	run->row.reason = str_of(arena_printf(
		run->arena, "what it wanted to store was refused: %s", s->op.error.text));
	run->saved = ended;
	*s = (struct store_save_job){.job = &run->row};
	submit(run);
}

static void not_saved(struct run *run)
{
	struct runner *r = run->runner;
	int code = run->save.op.result;
	bool never =
		code == E_INVALID || code == E_CONFLICT || code == E_NOTFOUND || code == E_TAKEN;

	if (code == E_TAKEN && builtin_taken(run))
		return;
	log_line(LOG_ERROR,
		!never      ? "job not stored, will be tried again"
		: run->bare ? "job cannot be stored"
			    : "job not stored as it is, will be parked",
		"reason", run->save.op.error.text, "correlation", run->row.correlation.ptr, NULL);
	if (!never) {
		run->next_unsaved = r->unsaved;
		r->unsaved = run;
	} else if (!run->bare) {
		save_bare(run);
	} else {
		ended(run); /* a person has decided about it meanwhile, or it is gone */
	}
}

static void saved_here(struct mailbox_item *item)
{
	struct run *run = (struct run *)item;

	run->runner->promised -= run->promised;
	run->promised = 0;
	if (run->never_was) {
		release(run);
		return;
	}
	if (run->save.op.result < 0) {
		not_saved(run);
		return;
	}
	after_save(run);
	if (run->save.closed) /* an event has told what was unknown: the job is the store's again */
		release(run);
	else if (run->saved)
		run->saved(run);
	else
		release(run);
}

void jobs_save_again(struct runner *r)
{
	struct run *list = r->unsaved;

	r->unsaved = NULL;
	while (list) {
		struct run *run = list;
		list = run->next_unsaved;
		if (run->unheard && !waiter_listens(r, &run->row.id))
			run->row.state = run->unheard;
		submit(run);
	}
}

static size_t count_jobs(const struct run *run)
{
	size_t n = run->save.job_count;

	for (size_t i = 0; i < run->event_count; i++)
		n += run->events[i].job_count;
	return n;
}

void run_save(struct run *run, bool keep_claim, void (*then)(struct run *run))
{
	struct store_save_job *s = &run->save;
	struct job_row *jobs = s->jobs;
	size_t job_count = s->job_count;
	struct str progress;

	memset(s, 0, sizeof(*s));
	run->row.updated_ms = clock_now_ms();
	progress = run->foreign ? run->row.progress : progress_print(run);
	if (!progress.ptr && keep_claim && arena_starved(run->arena)) {
		starved(run); /* what it needs after a crash must not be missing */
		return;
	}
	if (progress.ptr) /* else what was stored last still holds */
		run->row.progress = progress;
	run->saved = then;
	s->job = &run->row;
	s->keep_claim = keep_claim;
	s->attempts = run->attempts;
	s->attempt_count = run->attempt_count;
	s->events = run->events;
	s->event_count = run->event_count;
	s->jobs = jobs;
	s->job_count = job_count;
	s->claim = jobs_promise(run->runner, count_jobs(run), false, &run->promised);
	s->holds = run->holds;
	s->hold_count = run->hold_count;
	s->days = run->days;
	s->day_count = run->day_count;
	s->answer = run->has_answer && run->answer.dedupe.len ? &run->answer : NULL;
	s->appointments = run->appointments;
	s->appointment_count = run->appointment_count;
	s->checkpoint = run->has_checkpoint ? &run->checkpoint : NULL;
	submit(run);
}

/* ---- Ends --------------------------------------------------------------------------------- */

void run_emit(struct run *run, const struct plugin_event *e)
{
	struct route_input in = {.plan = run->plan,
		.engine = run->runner->engine,
		.job = run->row.id,
		.persons = run->row.person,
		.connection = STR(ROUTE_OURS),
		.tenant = run->tenant,
		.correlation = run->row.correlation,
		.now_ms = clock_now_ms(),
		.arena = run->arena};
	struct event_change *change =
		arena_alloc(run->arena, (run->event_count + 1) * sizeof(*change));
	struct error error = {0};

	if (!change)
		return; /* the arena has failed, and with it the run */
	if (run->event_count)
		memcpy(change, run->events, run->event_count * sizeof(*change));
	run->events = change;
	if (route_event(&error, &in, e, &change[run->event_count]) == 0)
		run->event_count++;
	else if (error.code == E_NOMEM)
		arena_fail_starved(run->arena);
	else
		log_line(LOG_ERROR, "event of the host's own cannot be used", "type", e->type.ptr,
			"reason", error.text, "correlation", run->row.correlation.ptr, NULL);
}

static void alarm_event(struct run *run, const char *type)
{
	struct json *data = json_object(run->arena);
	struct plugin_event e = {.type = str_of(type)};
	char id[ID_TEXT];

	for (const char *const *alarm = config_host_events; *alarm; alarm++)
		if (str_is(run->event.type, *alarm))
			return; /* an alarm that fails raises no alarm */
	id_text(id, &run->row.id);
	json_put_text(run->arena, data, "job", str_of(id));
	json_put_text(run->arena, data, "pipeline", run->row.pipeline);
	json_put_text(run->arena, data, "connection", run->row.connection);
	json_put_text(run->arena, data, "op", run->row.op);
	json_put_text(run->arena, data, "fail", run->row.fail);
	json_put_text(run->arena, data, "reason", run->row.reason);
	json_put_text(run->arena, data, "event_type", run->event.type);
	e.data = json_print(run->arena, data);
	run_emit(run, &e);
	if (!run->row.sent && builtin_unheard(run, &e))
		run_emit(run, &e);
}

/* on_error = and late = are one operation, as a job of its own: it has its own tries and story. */
static void start_call(
	struct run *run, const struct plan_call *call, const char *what, struct str subject)
{
	const struct plan_connection *to;
	struct job_row *job;
	struct error error = {0};
	struct str input;

	if (!call->config)
		return;
	to = plan_connection_for(run->plan, run->tenant, call->config->connection);
	job = arena_alloc(run->arena, sizeof(*job));
	if (!to || !job || run_input(&error, run, call, &input) < 0) {
		if (error.code == E_NOMEM)
			arena_fail_starved(run->arena);
		log_line(LOG_ERROR, "call cannot be started", "what", what, "pipeline",
			run->row.pipeline.ptr, "reason", error.text, "correlation",
			run->row.correlation.ptr, NULL);
		return;
	}
	*job = (struct job_row){.id = id_new(),
		.event = run->row.event,
		.tenant = run->row.tenant,
		.connection = str_of(to->config->full),
		.op = str_of(call->config->op),
		.input = input,
		.person = run->row.person,
		.subject = subject,
		.correlation = run->row.correlation,
		.state = JOB_READY,
		.due_ms = clock_now_ms(),
		.created_ms = clock_now_ms(),
		.generation = run->plan->generation};
	run->save.jobs = job;
	run->save.job_count = 1;
}

/* Whoever was on the line has heard something else, or nothing: now there is a result. */
static void come_late(struct run *run)
{
	if (caller_gone(run) && !run->heard)
		start_call(run, &run->pipeline->late, "late", STR(JOB_LATE));
}

/* A plugin quotes a vendor behind "(HTTP 422): ", and a vendor may name whom it is about: that is
 * for who looks at the job, not for the log. */
const char *run_own_words(struct arena *arena, const char *reason)
{
	const char *end = reason ? strstr(reason, "): ") : NULL;

	if (!end)
		return reason;
	return arena_printf(arena, "%.*s", (int)(end + 1 - reason), reason);
}

/* Whoever waited for one operation reads in this moment why it failed, and nothing happened over
 * there: no other person is needed. */
static enum job_state heard(struct run *run, enum job_state state)
{
	if ((state != JOB_PARKED && state != JOB_DEAD) || run->pipeline || run->row.sent ||
		!waiter_listens(run->runner, &run->row.id))
		return state;
	run->unheard = state;
	return JOB_DROPPED;
}

void run_end(struct run *run, enum job_state state, const char *fail, const char *reason)
{
	char id[ID_TEXT];

	state = heard(run, state);
	run->row.state = state;
	run->row.fail = str_of(fail ? fail : "");
	run->row.reason = str_of(reason ? reason : "");
	alarm_question(run, state, fail, reason);
	if (state == JOB_PARKED || state == JOB_DEAD) {
		id_text(id, &run->row.id);
		log_line(LOG_ERROR, state == JOB_DEAD ? "job dead" : "job parked", "tenant",
			run->row.tenant.len ? run->row.tenant.ptr : NULL, "job", id, "pipeline",
			run->row.pipeline.len ? run->row.pipeline.ptr : NULL, "fail", fail,
			"reason", run_own_words(run->arena, reason), "correlation",
			run->row.correlation.len ? run->row.correlation.ptr : NULL, NULL);
		alarm_event(run, state == JOB_DEAD ? "job.dead" : "job.parked");
		if (run->pipeline)
			start_call(run, &run->pipeline->on_error, "on_error", STR(""));
	}
	if (state == JOB_DONE)
		come_late(run);
	if (arena_starved(run->arena) && (state != JOB_DONE || caller_gone(run))) {
		starved(run); /* nobody would hear of it */
		return;
	}
	run->has_answer = caller_answer_row(run, &run->answer);
	run_save(run, false, ended);
}

void run_later(struct run *run, int64_t due_ms, const char *fail, const char *reason)
{
	int64_t now_ms = clock_now_ms();

	if (now_ms > run->runner->latest_ms)
		run->runner->latest_ms = now_ms;
	run->row.state = JOB_READY;
	run->row.due_ms = due_ms;
	run->row.fail = str_of(fail ? fail : "");
	run->row.reason = str_of(reason ? reason : "");
	asks_put_off(run);
	run_save(run, false, NULL);
}

/* ---- Step after step ---------------------------------------------------------------------- */

void run_step_done(struct run *run, struct str result, const char *name)
{
	if (run->result_count < STEPS_MAX) {
		run->results[run->result_count].name = str_of(name);
		run->results[run->result_count++].json = result;
	}
	run->last = result;
	run->row.step++;
	run->row.tries = run->row.absent = run->row.kills = 0;
	run->row.sent = false;
	run->row.fail = run->row.reason = STR("");
	run->row.cancel_on = STR("");
	run->step = (struct step_state){.due_ms = run->step.due_ms};
	run->row_texts = 0;
}

static struct str joined(struct arena *arena, struct config_list words)
{
	const char *text = "";
	for (size_t i = 0; i < words.count; i++)
		text = arena_printf(arena, "%s%s%s", text, i ? " " : "", words.list[i]);
	return str_of(text);
}

/* True: the run waits (or has ended), false: go on now. */
static bool wait_for_its_time(struct run *run, const struct plan_step *step)
{
	struct expr_scope scope = run_scope(run);
	const struct json *value = NULL;
	struct error error = {0};
	int64_t due = 0;

	if (!step->at || run->step.waited)
		return false;
	if (expr_eval(&error, step->at, &scope, run->arena, &value) < 0 ||
		!clock_parse(json_text(value), zone_find(scope.zone), &due)) {
		if (run_lacks_memory(run, &error))
			return true;
		run_end(run, JOB_PARKED, "bad input",
			arena_printf(run->arena, "%s:%u: at = gives no instant%s%s",
				step->config->at.place.file, step->config->at.place.line,
				error.text[0] ? ": " : "", error.text));
		return true;
	}
	run->step.waited = true;
	due += step->config->at_offset_ms;
	if (due > run->step.due_ms) /* else it was long ago, and a person runs it again */
		run->step.due_ms = due;
	if (due <= clock_now_ms())
		return false;
	run->row.state = JOB_WAITING;
	run->row.due_ms = due;
	run->row.cancel_on = joined(run->arena, step->config->cancel_on);
	run_save(run, false, NULL);
	return true;
}

void run_next(struct run *run)
{
	const struct plan_step *step = run_step(run);
	size_t count = run->pipeline ? run->pipeline->config->step_count : 1;

	if (run->row.step >= count) {
		run_end(run, JOB_DONE, NULL, NULL);
		return;
	}
	if (!run->step.now_ms)
		run->step.now_ms = clock_now_ms();
	run->row.state = JOB_READY;
	make_key(run);
	if (step && wait_for_its_time(run, step))
		return;
	if (!builtin_is(run) && run_rests_until_stored(run, run_next))
		return;
	if (step && run_call(run)->config->mapping)
		mapping_begin(run);
	else
		operation_begin(run);
}
