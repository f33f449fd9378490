/* builtin.c - the desk's operations, driven. See builtin.h. Runner's thread; learned(), freed() are
 * the writer's and only hand over.
 */
#include "pipeline/builtin.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/latch.h"
#include "base/log.h"
#include "desk/desk.h"
#include "pipeline/asks.h"
#include "pipeline/caller.h"

#define TAKEN_MAX 8
#define FREE_EVERY_MS 60000
#define COME_BACK_MS 1000

struct builtin { /* a desk operation in hand */
	struct desk_run desk;
	struct desk_next next;
	size_t open; /* questions that have not ended; with some, the run rests */
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

/* ---- What comes of it --------------------------------------------------------------------- */

/* Calls of two offices may have the same id, and these events are all of one connection. */
static struct str of_tenant(struct run *run, struct str dedupe)
{
	if (!dedupe.len)
		return dedupe;
	return str_of(arena_printf(run->arena, "%s/%.*s", run->tenant->name, STR_ARG(dedupe)));
}

static void add_events(struct run *run, const struct desk_next *next)
{
	for (size_t i = 0; i < next->event_count; i++)
		run_emit(run, &(struct plugin_event){.type = next->events[i].type,
				      .data = next->events[i].data,
				      .dedupe = of_tenant(run, next->events[i].dedupe),
				      .subject = run->row.subject,
				      .person = run->event.person});
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
	run_note(run, ATTEMPT_STEP, arena_printf(run->arena, BUILTIN_NAME ".%s", run_op(run)),
		run->told ? "done, late" : "done", run->step.input, result, NULL);
	if (!run->told || (run->pipeline && run->pipeline->late.config)) {
		run->holds = b->next.holds; /* what nobody hears need not be kept */
		run->hold_count = b->next.hold_count;
	}
	add_events(run, &b->next);
	for (size_t i = 0; i < b->next.refresh_count; i++) {
		struct desk_ask ask = b->next.refresh[i];
		asks_put(run->runner, run->plan, run->tenant->name, NULL, &ask);
	}
	if (!run->pipeline) {
		run->last = result;
		run_end(run, JOB_DONE, NULL, NULL);
		return;
	}
	run_step_done(run, result, run_step(run)->config->name);
	if (run_step(run) && (run->hold_count || run->event_count))
		run_save(run, true, run_next);
	else
		run_next(run);
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

/* So many of its questions are open: with some it rests, and others may have its room. */
static void rest(struct run *run, size_t open)
{
	struct runner *r = run->runner;
	size_t before = run->builtin->open;

	run->builtin->open = open;
	if (run->urgent || !before == !open)
		return;
	if (open) {
		r->resting++;
		runner_claim(r);
	} else {
		r->resting--;
	}
}

static void ask_all(struct run *run)
{
	struct builtin *b = run->builtin;
	size_t n = b->next.ask_count;

	b->desk.asks = b->next.asks;
	b->desk.ask_count = n;
	rest(run, n);
	for (size_t i = 0; i < n; i++)
		asks_put(run->runner, run->plan, run->tenant->name, run, &b->desk.asks[i]);
}

void builtin_answered(struct run *run)
{
	struct builtin *b = run->builtin;

	assert(b->open > 0);
	rest(run, b->open - 1);
	if (!b->open)
		advance(run, DESK_ANSWERED);
}

void builtin_retake(struct run *run)
{
	assert(run->builtin->open == 1); /* what needs holds is asked alone */
	rest(run, 0);
	advance(run, DESK_TAKEN);
}

void builtin_leave(struct run *run)
{
	asks_leave(run);
	if (run->builtin)
		rest(run, 0);
}

void builtin_come_back(struct run *run, int64_t due_ms)
{
	int64_t soonest = clock_now_ms() + COME_BACK_MS;

	builtin_leave(run);
	run_later(run, due_ms > soonest ? due_ms : soonest, "busy",
		"what it asks of the calendar is tried again later");
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
	if (rows)
		d->coming_count +=
			asks_coming(run, rows + d->coming_count, COMING_MAX - d->coming_count);
}

static bool goes_further(const struct desk_next *next)
{
	return (next->then == DESK_ASK && next->ask_count) ||
	       (next->then == DESK_DONE && next->catalogue);
}

static void go_further(struct run *run)
{
	if (run->builtin->next.then == DESK_ASK)
		ask_all(run);
	else
		learn(run);
}

/* It took long: the caller may have been told so. */
static void stored(struct run *run)
{
	if (caller_gone(run))
		run_end(run, JOB_DROPPED, NULL, JOB_NOBODY);
	else
		go_further(run);
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
	if (arena_failed(run->arena)) {
		run_too_big(run);
	} else if (goes_further(&b->next)) {
		if (!run_rests_until_stored(run, stored))
			go_further(run);
	} else if (b->next.then == DESK_DONE) {
		complete(run);
	} else {
		run_failed(run, KL_BAD_INPUT, NULL,
			b->next.reason.len ? b->next.reason.ptr : "the desk gives no reason", 0);
	}
}

static bool has_changes(const struct builtin *b)
{
	for (size_t i = 0; i < b->desk.ask_count; i++)
		if (b->desk.asks[i].dedupe.len)
			return true;
	return false;
}

/* What changes the calendar may take hours until it is through, and goes on as a job of its own, as
 * reads do: the run does not wait for it. Nothing is said of a change that is not even on disk. */
static bool let_go(struct run *run, const struct desk_next *next)
{
	struct builtin *b = run->builtin;
	bool stored = !has_changes(b) || asks_stored(run);

	asks_leave(run);
	rest(run, 0);
	if (stored) {
		b->next = *next;
		run->heard = true;
		complete(run);
	} else {
		run_end(run, JOB_DROPPED, NULL, "its question was not stored in time");
	}
	return stored;
}

bool builtin_late(struct run *run, struct arena *arena, struct str *result)
{
	struct builtin *b = run->builtin;
	struct desk_next next = {0};

	if (!b || !b->open)
		return false;
	b->desk.why = DESK_LATE;
	desk_step(&b->desk, &next);
	if (next.then != DESK_DONE || !next.result.len)
		return false;
	*result = str_dup(arena, next.result);
	if (has_changes(b) || !run->pipeline || !run->pipeline->late.config)
		return let_go(run, &next);
	run->told = true; /* reads end soon, and `late =` waits for them */
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
		.op = str_of(run_op(run)),
		.input = json_parse(run->arena, run->step.input, NULL),
		.data = run->event.data.len ? json_parse(run->arena, run->event.data, NULL) : NULL,
		.holder = subject.len ? subject : str_of(arena_printf(run->arena, "run:%s", id)),
		.caller = caller_of(run),
		.now_ms = run->step.now_ms};
}

void builtin_begin(struct run *run)
{
	run->began_us = clock_mono_us();
	run->began_ms = clock_now_ms();
	if (!run->tenant) {
		run_end(run, JOB_PARKED, "bad input", "its tenant is not in the configuration");
		return;
	}
	if (caller_gone(run)) { /* what the calendar was asked before goes on by itself */
		run_end(run, JOB_DROPPED, NULL, JOB_NOBODY);
		return;
	}
	if (!run_make_input(run))
		return;
	run->builtin = arena_alloc(run->arena, sizeof(*run->builtin));
	if (!run->builtin) {
		run_too_big(run);
		return;
	}
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

	if (!changes_calendar(run) || asks_matter(run->runner, &run->row.id))
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
		asks_put(r, r->plan, tenant->name, NULL, &asks[i]);
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

static void seeded(struct store_op *op)
{
	latch_open(op->user);
}

int builtin_catalogue(struct error *error, struct store *store, const struct config *config)
{
	struct arena *arena = arena_create(RUN_MEMORY);
	struct catalogue catalogue = {0};
	struct latch latch;
	struct store_save_catalogue op = {.op = {.done = seeded, .user = &latch},
		.origin = CATALOGUE_INI,
		.catalogue = &catalogue};

	if (!arena)
		return error_set(error, E_NOMEM, "no memory for the catalogue");
	desk_catalogue(arena, config, &catalogue);
	latch_init(&latch);
	store_save_catalogue(store, &op);
	latch_wait(&latch);
	arena_destroy(arena);
	if (op.op.result < 0 && error)
		*error = op.op.error;
	return op.op.result;
}
