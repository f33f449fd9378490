/* builtin.c - the desk's operations, driven. See builtin.h. Runner's thread; added(), stored() are
 * the writer's and only hand over.
 */
#include "pipeline/builtin.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "desk/desk.h"
#include "pipeline/caller.h"

#define TAKEN_MAX 8
#define FREE_EVERY_MS 60000

struct ask { /* a question under way; malloc'ed, for the run may be gone at a hard stop */
	struct mailbox_item item;
	struct ask *next, **link; /* of all */
	struct runner *runner;
	struct run *run; /* NULL: nobody waits, a refresh */
	struct desk_ask *ask;
	struct arena *arena; /* of the job's texts */
	struct plan *plan;
	struct store_add_jobs op;
	struct job_row job;
	struct hold_row *holds;
	bool stored; /* its job is the store's, or somebody else's job is waited for */
};

struct builtin { /* a desk operation in hand */
	struct desk_run desk;
	struct desk_next next;
	size_t open; /* asks that have not ended */
	bool said;   /* the caller was told what was known: LATE */
	/* as it was before its result was taken, if the holds cannot be had */
	struct job_row row;
	struct step_state step;
	size_t attempts, events, results;
	struct str last;
	bool undo;
};

static void advance(struct run *run, enum desk_why why);

/* ---- Which ones --------------------------------------------------------------------------- */

static bool is_desk(struct str connection)
{
	static const char end[] = "/" BUILTIN_NAME;
	size_t n = sizeof(end) - 1;

	return connection.len > n && memcmp(connection.ptr + connection.len - n, end, n) == 0;
}

bool builtin_is(const struct run *run)
{
	const struct plan_call *call = run_call(run);

	return run->pipeline ? call && call->config->builtin : is_desk(run->row.connection);
}

bool builtin_is_read(const struct run *run)
{
	return !run->pipeline && str_is(run->row.subject, BUILTIN_READ);
}

bool builtin_asked(const struct runner *r, const struct id *job)
{
	for (const struct ask *a = r->asks; a; a = a->next)
		if (a->run && !a->run->builtin->said && memcmp(&a->job.id, job, sizeof(*job)) == 0)
			return true;
	return false;
}

static const char *op_of(const struct run *run)
{
	return run->pipeline ? run_call(run)->config->op : run->row.op.ptr;
}

/* ---- Asking ------------------------------------------------------------------------------- */

static void free_ask(struct ask *a)
{
	*a->link = a->next;
	if (a->next)
		a->next->link = a->link;
	plan_unref(a->plan);
	arena_destroy(a->arena);
	free(a);
}

static void link_ask(struct ask *a)
{
	struct runner *r = a->runner;

	a->next = r->asks;
	a->link = &r->asks;
	if (a->next)
		a->next->link = &a->next;
	r->asks = a;
}

/* One of the run's questions has its answer; with the last one it goes on. */
static void closed(struct run *run)
{
	struct builtin *b = run->builtin;

	assert(b->open > 0);
	if (--b->open == 0)
		advance(run, DESK_ANSWERED);
}

static void end_ask(struct ask *a, enum desk_end end, const char *fail, const char *reason)
{
	struct run *run = a->run;

	if (run) {
		a->ask->end = end;
		a->ask->fail = str_of(fail ? fail : "");
		a->ask->reason = str_of(reason ? arena_printf(run->arena, "%s", reason) : "");
	}
	free_ask(a);
	if (run)
		closed(run);
}

static void read_row(struct ask *a, const struct job_row *row)
{
	struct run *run = a->run;
	bool unknown = row->state == JOB_PARKED && row->sent;

	a->ask->fail = str_dup(run->arena, row->fail);
	a->ask->reason = str_dup(run->arena, row->reason);
	a->ask->end = row->state == JOB_DONE                                  ? DESK_OK
		      : unknown                                               ? DESK_UNKNOWN
		      : row->state == JOB_DEAD                                ? DESK_FAILED
		      : row->state == JOB_PARKED || row->state == JOB_DROPPED ? DESK_REFUSED
									      : DESK_OPEN;
}

/* The same wish was asked before, by a request that is over: what became of it? */
static void look_up(struct ask *a)
{
	struct job_row row;
	struct run *run = a->run;

	for (const struct run *other = a->runner->all_runs; other; other = other->next)
		if (str_eq(other->row.dedupe, a->job.dedupe) &&
			str_eq(other->row.tenant, a->job.tenant)) {
			a->job.id = other->row.id;
			return;
		}
	if (store_get_job(NULL, a->runner->reader, a->job.tenant, a->job.dedupe, run->arena, &row) <
		0) {
		end_ask(a, DESK_UNKNOWN, NULL, "what became of the same question is not known");
		return;
	}
	read_row(a, &row);
	if (a->ask->end == DESK_OPEN) { /* it waits for its next try */
		a->job.id = row.id;
		return;
	}
	free_ask(a);
	closed(run);
}

/* A read that was never begun answers nobody who shares it. */
static void fail_sharers(const struct ask *first)
{
	struct runner *r = first->runner;
	struct id id = first->job.id;
	struct ask *a = r->asks;

	while (a) {
		if (a == first || memcmp(&a->job.id, &id, sizeof(id)) != 0) {
			a = a->next;
			continue;
		}
		end_ask(a, DESK_FAILED, "store", first->op.op.error.text);
		a = r->asks;
	}
}

static void not_added(struct ask *a)
{
	struct run *run = a->run;
	int code = a->op.op.result;

	if (code == E_TAKEN && run) {
		free_ask(a);
		run->builtin->open--;
		assert(run->builtin->open == 0); /* what needs holds is asked alone */
		advance(run, DESK_TAKEN);
		return;
	}
	if (code == E_CONFLICT && run) {
		a->ask->code = STR("changed");
		end_ask(a, DESK_REFUSED, "conflict", a->op.op.error.text);
		return;
	}
	log_line(LOG_ERROR, "question not stored", "connection", a->job.connection.ptr, "reason",
		a->op.op.error.text, NULL);
	fail_sharers(a);
	end_ask(a, DESK_FAILED, "store", a->op.op.error.text);
}

static void added_here(struct mailbox_item *item)
{
	struct ask *a = (struct ask *)item;
	struct runner *r = a->runner;

	if (a->op.op.result < 0) {
		not_added(a);
		return;
	}
	a->stored = true;
	if (a->op.added)
		jobs_stored(r, a->plan, NULL, &a->job, 1); /* may end it, and free a, at once */
	else if (a->run)
		look_up(a);
	else
		free_ask(a);
	runner_claim(r);
}

/* Writer's thread. */
static void added(struct store_op *op)
{
	struct ask *a = op->user;

	a->item.run = added_here;
	runner_post(a->runner, &a->item);
}

static struct ask *new_ask(struct runner *r, struct plan *plan)
{
	struct ask *a = calloc(1, sizeof(*a));

	if (!a || !(a->arena = arena_create(RUN_MEMORY))) {
		free(a);
		return NULL;
	}
	a->runner = r;
	a->plan = plan_ref(plan);
	return a;
}

static void fill_job(struct ask *a, const struct desk_ask *ask, const char *tenant)
{
	char *correlation = arena_alloc(a->arena, ID_TEXT);
	const struct run *run = a->run;
	bool read = ask->dedupe.len == 0;

	a->job = (struct job_row){.id = id_new(),
		.tenant = str_of(arena_printf(a->arena, "%s", tenant)),
		.connection = str_dup(a->arena, ask->connection),
		.op = str_dup(a->arena, ask->op),
		.input = str_dup(a->arena, ask->input),
		.dedupe = str_dup(a->arena, ask->dedupe),
		.subject = read ? STR(BUILTIN_READ)
				: str_dup(a->arena, run ? run->row.subject : STR("")),
		.state = JOB_READY,
		.due_ms = clock_now_ms(),
		.generation = a->plan->generation};
	a->job.created_ms = a->job.updated_ms = a->job.due_ms;
	if (run)
		a->job.event = run->event.id;
	if (correlation)
		id_text(correlation, &a->job.id);
	a->job.correlation = run ? str_dup(a->arena, run->row.correlation) : str_of(correlation);
}

static void fill_holds(struct ask *a, const struct desk_ask *ask)
{
	a->holds = arena_alloc(a->arena, (ask->hold_count + 1) * sizeof(*a->holds));
	for (size_t i = 0; a->holds && i < ask->hold_count; i++) {
		a->holds[i] = ask->holds[i];
		a->holds[i].job = a->job.id;
	}
	a->op.holds = a->holds;
	a->op.hold_count = a->holds ? ask->hold_count : 0;
	a->op.expect = ask->expect;
}

/* Somebody asks the very same already. */
static const struct ask *under_way(const struct runner *r, const struct desk_ask *ask)
{
	for (const struct ask *a = r->asks; ask->dedupe.len == 0 && a; a = a->next)
		if (str_is(a->job.subject, BUILTIN_READ) && str_eq(a->job.op, ask->op) &&
			str_eq(a->job.connection, ask->connection) &&
			str_eq(a->job.input, ask->input))
			return a;
	return NULL;
}

static void submit(struct ask *a)
{
	a->op.op.done = added;
	a->op.op.user = a;
	a->op.jobs = &a->job;
	a->op.job_count = 1;
	a->op.claim = true;
	store_add_jobs(a->runner->store, &a->op);
}

/* run NULL: a refresh that nobody waits for. */
static void put(struct runner *r, struct plan *plan, const char *tenant, struct run *run,
	struct desk_ask *ask)
{
	const struct ask *same = under_way(r, ask);
	struct ask *a;

	if (same && !run)
		return;
	a = new_ask(r, plan);
	if (!a) {
		if (run) {
			ask->end = DESK_FAILED;
			ask->reason = STR("no memory");
			closed(run);
		}
		return;
	}
	a->run = run;
	a->ask = run ? ask : NULL;
	fill_job(a, ask, tenant);
	link_ask(a);
	if (same) {
		a->job.id = same->job.id;
		a->stored = true;
		return;
	}
	fill_holds(a, ask);
	submit(a);
}

static bool same_job(const struct ask *a, const struct run *ended)
{
	return memcmp(&a->job.id, &ended->row.id, sizeof(a->job.id)) == 0;
}

static void answer_ask(struct ask *a, struct run *ended)
{
	struct run *run = a->run;

	if (run) {
		read_row(a, &ended->row);
		if (a->ask->end == DESK_OPEN)
			a->ask->end = DESK_FAILED;
		a->ask->result = str_dup(run->arena, ended->last);
		a->ask->code = str_dup(run->arena, ended->fail_code);
		a->ask->detail = str_dup(run->arena, ended->fail_detail);
	}
	free_ask(a);
	if (run)
		closed(run);
}

void builtin_tell(struct run *ended)
{
	struct runner *r = ended->runner;
	struct ask *a = r->asks;

	while (a) { /* an answer may make new questions: from the beginning after each */
		if (!same_job(a, ended)) {
			a = a->next;
			continue;
		}
		answer_ask(a, ended);
		a = r->asks;
	}
}

/* ---- What comes of it --------------------------------------------------------------------- */

static void add_events(struct run *run, const struct desk_next *next)
{
	struct route_input in = {.plan = run->plan,
		.engine = run->runner->engine,
		.job = run->row.id,
		.connection = STR(ROUTE_OURS),
		.tenant = run->tenant,
		.correlation = run->row.correlation,
		.now_ms = clock_now_ms(),
		.arena = run->arena};
	struct event_change *all;

	if (!next->event_count)
		return;
	all = arena_alloc(run->arena, (run->event_count + next->event_count) * sizeof(*all));
	if (!all)
		return; /* the arena has failed, and with it the run */
	if (run->event_count)
		memcpy(all, run->events, run->event_count * sizeof(*all));
	run->events = all;
	for (size_t i = 0; i < next->event_count; i++) {
		struct plugin_event e = {.type = next->events[i].type,
			.data = next->events[i].data,
			.dedupe = next->events[i].dedupe,
			.subject = run->row.subject,
			.person = run->event.person};
		struct error error = {0};
		if (route_event(&error, &in, &e, &all[run->event_count]) == 0)
			run->event_count++;
		else
			log_line(LOG_ERROR, "event of the desk cannot be used", "reason",
				error.text, NULL);
	}
}

static void remember(struct run *run)
{
	struct builtin *b = run->builtin;

	b->row = run->row;
	b->step = run->step;
	b->attempts = run->attempt_count;
	b->events = run->event_count;
	b->results = run->result_count;
	b->last = run->last;
	b->undo = true;
}

bool builtin_taken(struct run *run)
{
	struct builtin *b = run->builtin;

	if (!b || !b->undo)
		return false;
	run->row = b->row;
	run->step = b->step;
	run->attempt_count = b->attempts;
	run->event_count = b->events;
	run->result_count = b->results;
	run->last = b->last;
	run->holds = NULL;
	run->hold_count = 0;
	run->has_answer = false;
	run->save.jobs = NULL;
	run->save.job_count = 0;
	b->undo = false;
	advance(run, DESK_TAKEN);
	return true;
}

static void go_on(struct run *run)
{
	run_next(run);
}

void builtin_saved(struct run *run)
{
	run->holds = NULL;
	run->hold_count = 0;
	if (run->builtin)
		run->builtin->undo = false;
}

static void complete(struct run *run)
{
	struct builtin *b = run->builtin;
	struct str result = b->next.result;

	remember(run);
	run_note(run, ATTEMPT_STEP, arena_printf(run->arena, BUILTIN_NAME ".%s", op_of(run)),
		b->said ? "done, late" : "done", run->step.input, result, NULL);
	if (!b->said || (run->pipeline && run->pipeline->late.config)) {
		run->holds = b->next.holds; /* what nobody hears need not be kept */
		run->hold_count = b->next.hold_count;
	}
	add_events(run, &b->next);
	for (size_t i = 0; i < b->next.refresh_count; i++) {
		struct desk_ask ask = b->next.refresh[i];
		put(run->runner, run->plan, run->tenant->name, NULL, &ask);
	}
	if (!run->pipeline) {
		run->last = result;
		run_end(run, JOB_DONE, NULL, NULL);
		return;
	}
	run_step_done(run, result, run_step(run)->config->name);
	if (run_step(run) && (run->hold_count || run->event_count))
		run_save(run, true, go_on);
	else
		go_on(run);
}

/* ---- The catalogue as a person changes it ------------------------------------------------- */

struct learning {
	struct mailbox_item item;
	struct run *run;
	struct store_save_catalogue op;
};

static void learned_here(struct mailbox_item *item)
{
	struct learning *l = (struct learning *)item;
	struct run *run = l->run;
	struct error error = {0};
	int err = l->op.op.result;

	if (err < 0)
		error = l->op.op.error;
	else
		err = desk_refresh(&error, run->runner->desk);
	if (err < 0)
		run_failed(run, KL_CONFLICT, NULL, arena_printf(run->arena, "%s", error.text), 0);
	else
		complete(run);
}

/* Writer's thread. */
static void learned(struct store_op *op)
{
	struct learning *l = op->user;

	l->item.run = learned_here;
	runner_post(l->run->runner, &l->item);
}

static void learn(struct run *run)
{
	struct learning *l = arena_alloc(run->arena, sizeof(*l));

	if (!l) {
		run_failed(run, KL_SURPRISE, NULL, "no memory", 0);
		return;
	}
	l->run = run;
	l->op.origin = CATALOGUE_PERSON;
	l->op.catalogue = run->builtin->next.catalogue;
	l->op.op.done = learned;
	l->op.op.user = l;
	store_save_catalogue(run->runner->store, &l->op);
}

/* ---- Step after step ---------------------------------------------------------------------- */

static void ask_all(struct run *run)
{
	struct builtin *b = run->builtin;

	b->desk.asks = b->next.asks;
	b->desk.ask_count = b->open = b->next.ask_count;
	for (size_t i = 0, n = b->open; i < n; i++)
		put(run->runner, run->plan, run->tenant->name, run, &b->desk.asks[i]);
}

#define COMING_MAX 64

static void add_coming(
	struct desk_run *d, struct hold_row *rows, const struct hold_row *more, size_t n)
{
	for (size_t i = 0; i < n && d->coming_count < COMING_MAX; i++)
		rows[d->coming_count++] = more[i];
}

/* Of the same tenant; two callers who are answered in one moment would else choose the same. */
static void gather_coming(struct run *run)
{
	struct desk_run *d = &run->builtin->desk;
	struct hold_row *rows = arena_alloc(run->arena, COMING_MAX * sizeof(*rows));

	d->coming = rows;
	d->coming_count = 0;
	for (const struct run *r = run->runner->all_runs; rows && r; r = r->next)
		if (r != run && r->hold_count && str_eq(r->row.tenant, run->row.tenant))
			add_coming(d, rows, r->holds, r->hold_count);
	for (const struct ask *a = run->runner->asks; rows && a; a = a->next)
		if (a->run != run && !a->stored && str_eq(a->job.tenant, run->row.tenant))
			add_coming(d, rows, a->holds, a->op.hold_count);
}

static void advance(struct run *run, enum desk_why why)
{
	struct builtin *b = run->builtin;

	if (why == DESK_TAKEN && ++b->desk.taken > TAKEN_MAX) {
		run_failed(run, KL_CONFLICT, NULL, "whatever is chosen, somebody is quicker", 0);
		return;
	}
	b->desk.why = why;
	b->next = (struct desk_next){0};
	gather_coming(run);
	desk_step(&b->desk, &b->next);
	if (arena_failed(run->arena))
		run_end(run, JOB_PARKED, "surprise", "it needs more memory than one run may have");
	else if (b->next.then == DESK_ASK && b->next.ask_count)
		ask_all(run);
	else if (b->next.then == DESK_DONE && b->next.catalogue)
		learn(run);
	else if (b->next.then == DESK_DONE)
		complete(run);
	else
		run_failed(run, KL_BAD_INPUT, NULL,
			b->next.reason.len ? b->next.reason.ptr : "the desk gives no reason", 0);
}

/* What changes the calendar may take hours until it is through. It goes on as a job of its own;
 * the run does not wait for it. Reads end soon: for `late =` they are waited for. */
static bool detach(struct run *run)
{
	struct builtin *b = run->builtin;
	bool left = false;

	for (size_t i = 0; i < b->desk.ask_count; i++)
		left |= b->desk.asks[i].dedupe.len > 0;
	if (!left)
		return false;
	for (struct ask *next, *a = run->runner->asks; a; a = next) {
		next = a->next;
		if (a->run == run && a->stored)
			free_ask(a);
		else if (a->run == run)
			a->run = NULL; /* on its way to the store */
	}
	return true;
}

static struct run *run_of(struct runner *r, const struct id *job)
{
	for (struct run *run = r->all_runs; run; run = run->next)
		if (memcmp(&run->row.id, job, sizeof(*job)) == 0)
			return run;
	return NULL;
}

bool builtin_late(struct runner *r, const struct id *job, struct arena *arena, struct str *result)
{
	struct run *run = run_of(r, job);
	struct builtin *b = run ? run->builtin : NULL;
	struct desk_next next = {0};

	if (!b || !b->open)
		return false;
	b->desk.why = DESK_LATE;
	desk_step(&b->desk, &next);
	if (next.then != DESK_DONE || !next.result.len)
		return false;
	b->said = true;
	*result = str_dup(arena, next.result);
	if (detach(run)) {
		b->open = 0;
		b->next = next;
		run->heard = true;
		complete(run);
	}
	return true;
}

/* ---- Beginning ---------------------------------------------------------------------------- */

static struct str caller_of(const struct run *run)
{
	struct str person = run->event.person;

	return person.len && person.ptr[0] == '+' ? person : STR("");
}

static void fill(struct run *run, struct desk_run *d)
{
	struct str subject = run->event.subject;
	char id[ID_TEXT];

	id_text(id, &run->row.id);
	*d = (struct desk_run){.desk = run->runner->desk,
		.arena = run->arena,
		.config = run->plan->config,
		.tenant = run->tenant,
		.settings = config_desk_for(run->plan->config, run->tenant),
		.op = str_of(op_of(run)),
		.input = json_parse(run->arena, run->step.input, NULL),
		.data = run->event.data.len ? json_parse(run->arena, run->event.data, NULL) : NULL,
		.holder = subject.len ? subject : str_of(arena_printf(run->arena, "run:%s", id)),
		.caller = caller_of(run),
		.now_ms = run->step.now_ms};
}

/* Begun by nobody: the host was away, and whoever asked has been told so by the vendor. What the
 * calendar was asked before goes on as jobs of its own. */
static bool nobody_there(const struct run *run)
{
	return run->pipeline && run->pipeline->config->within_ms &&
	       !callers_wait(run->runner, &run->row.id);
}

void builtin_begin(struct run *run)
{
	run->began_us = clock_mono_us();
	run->began_ms = clock_now_ms();
	if (!run->tenant) {
		run_end(run, JOB_PARKED, "bad input", "its tenant is not in the configuration");
		return;
	}
	if (nobody_there(run)) {
		run_end(run, JOB_DROPPED, NULL, "nobody was on the line any more");
		return;
	}
	run->builtin = arena_alloc(run->arena, sizeof(*run->builtin));
	if (!run->builtin || !run_make_input(run))
		return;
	fill(run, &run->builtin->desk);
	advance(run, DESK_START);
}

/* ---- A failure that nobody has heard ------------------------------------------------------ */

static bool changes_calendar(const struct run *run)
{
	return !run->pipeline && run->row.dedupe.len && str_is(run->row.op, "book") &&
	       run->row.subject.len;
}

bool builtin_unheard(struct run *run, struct plugin_event *event)
{
	struct json *data = json_object(run->arena);
	const struct json *input = json_parse(run->arena, run->row.input, NULL);
	static const char *const told[] = {"event_type", "start", "name", "phone", "email"};

	if (!changes_calendar(run) || builtin_asked(run->runner, &run->row.id))
		return false;
	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++)
		json_put(run->arena, data, told[i], json_get(input, told[i]));
	json_put_text(run->arena, data, "fail", run->row.fail);
	json_put_text(run->arena, data, "reason", run->row.reason);
	*event = (struct plugin_event){.type = STR("booking.failed"),
		.subject = run->row.subject,
		.person = json_get_text(input, "phone"),
		.data = json_print(run->arena, data)};
	return true;
}

void builtin_abandon(struct runner *r)
{
	while (r->asks)
		free_ask(r->asks);
}

/* ---- By the clock ------------------------------------------------------------------------- */

static void freed(struct store_op *op)
{
	free(op->user); /* if it failed, the next minute tries again */
}

static void free_expired(struct runner *r, int64_t now)
{
	struct store_free_holds *op;

	if (now < r->free_due_ms)
		return;
	r->free_due_ms = now + FREE_EVERY_MS;
	op = calloc(1, sizeof(*op));
	if (!op)
		return;
	op->now_ms = clock_now_ms();
	op->op.done = freed;
	op->op.user = op;
	store_free_holds(r->store, op);
}

static void refresh(struct runner *r, const struct config_tenant *tenant)
{
	struct arena *arena = runner_arena(r);
	struct desk_ask *asks = NULL;
	size_t n =
		arena ? desk_stale(r->desk, arena, r->plan->config, tenant, clock_now_ms(), &asks)
		      : 0;

	for (size_t i = 0; i < n; i++)
		put(r, r->plan, tenant->name, NULL, &asks[i]);
	if (arena)
		runner_arena_back(r, arena);
}

/* One tenant at a time, so that a hundred of them do not ask in the same moment. */
static void refresh_next(struct runner *r, int64_t now)
{
	size_t count;
	const struct config_tenant *tenants = config_tenants(r->plan->config, &count);
	const struct config_desk *desk;

	if (!count)
		return;
	if (r->refresh_at >= count) {
		if (now < r->refresh_due_ms)
			return;
		r->refresh_at = 0;
		r->refresh_due_ms = now + 30000;
	}
	desk = config_desk_for(r->plan->config, &tenants[r->refresh_at]);
	if (desk && desk->refresh_ms)
		refresh(r, &tenants[r->refresh_at]);
	r->refresh_at++;
}

void builtin_tick(struct runner *r)
{
	int64_t now = clock_mono_ms();

	if (r->draining)
		return;
	free_expired(r, now);
	refresh_next(r, now);
}

/* ---- The configuration's part of the catalogue -------------------------------------------- */

struct seeding {
	struct store_save_catalogue op;
	pthread_mutex_t lock;
	pthread_cond_t done;
	bool stored;
};

static void seeded(struct store_op *op)
{
	struct seeding *s = op->user;

	pthread_mutex_lock(&s->lock);
	s->stored = true;
	pthread_cond_signal(&s->done);
	pthread_mutex_unlock(&s->lock);
}

int builtin_catalogue(struct error *error, struct store *store, const struct config *config)
{
	struct arena *arena = arena_create(RUN_MEMORY);
	struct catalogue catalogue = {0};
	struct seeding s = {.op = {.op = {.done = seeded}}};

	if (!arena)
		return error_set(error, E_NOMEM, "no memory for the catalogue");
	desk_catalogue(arena, config, &catalogue);
	s.op.op.user = &s;
	s.op.origin = CATALOGUE_INI;
	s.op.catalogue = &catalogue;
	pthread_mutex_init(&s.lock, NULL);
	pthread_cond_init(&s.done, NULL);
	store_save_catalogue(store, &s.op);
	pthread_mutex_lock(&s.lock);
	while (!s.stored)
		pthread_cond_wait(&s.done, &s.lock);
	pthread_mutex_unlock(&s.lock);
	pthread_mutex_destroy(&s.lock);
	pthread_cond_destroy(&s.done);
	arena_destroy(arena);
	if (s.op.op.result < 0 && error)
		*error = s.op.op.error;
	return s.op.op.result;
}
