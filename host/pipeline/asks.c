/* asks.c - questions as jobs. See asks.h. Runner's thread; added() is the writer's and only hands
 * over.
 */
#include "pipeline/asks.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "desk/persons.h"
#include "pipeline/builtin.h"
#include "pipeline/caller.h"

struct ask { /* a question under way; malloc'ed, for the run may be gone at a hard stop */
	struct mailbox_item item;
	struct ask *next, **link; /* of all */
	struct runner *runner;
	struct run *run; /* NULL: nobody waits */
	struct desk_ask *ask;
	struct arena *arena; /* of the job's texts */
	struct plan *plan;
	struct store_add_jobs op;
	struct job_row job;
	struct hold_row *holds;
	bool stored; /* its job is the store's, or somebody else's job is waited for */
	bool over;   /* nobody may share it any more */
	bool wanted; /* there was a run when it was put */
};

/* ---- A question --------------------------------------------------------------------------- */

static void free_ask(struct ask *a)
{
	*a->link = a->next;
	if (a->next)
		a->next->link = a->link;
	plan_unref(a->plan);
	arena_destroy(a->arena);
	free(a);
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
	a->next = r->asks;
	a->link = &r->asks;
	if (a->next)
		a->next->link = &a->next;
	r->asks = a;
	return a;
}

static bool is_about(const struct ask *a, const struct id *job)
{
	return memcmp(&a->job.id, job, sizeof(*job)) == 0;
}

bool asks_is_read(const struct run *run)
{
	return !run->pipeline && str_is(run->row.subject, ASKS_READ);
}

bool asks_matter(const struct runner *r, const struct id *job)
{
	for (const struct ask *a = r->asks; a; a = a->next)
		if (a->run && !a->run->told && is_about(a, job))
			return true;
	return false;
}

bool asks_wanted(const struct runner *r, const struct id *job)
{
	for (const struct ask *a = r->asks; a; a = a->next)
		if (a->wanted && is_about(a, job))
			return true;
	return false;
}

bool asks_urgent(const struct runner *r, const struct id *job)
{
	for (const struct ask *a = r->asks; a; a = a->next)
		if (a->run && is_about(a, job) &&
			(callers_wait(r, &a->run->row.id) || waiter_waits(r, &a->run->row.id)))
			return true;
	return false;
}

bool asks_stored(const struct run *run)
{
	for (const struct ask *a = run->runner->asks; a; a = a->next)
		if (a->run == run && !a->stored)
			return false;
	return true;
}

size_t asks_coming(const struct run *but, struct hold_row *out, size_t most)
{
	size_t n = 0;

	for (const struct ask *a = but->runner->asks; a; a = a->next)
		for (size_t i = 0; a->run != but && !a->stored && i < a->op.hold_count &&
				   n < most && str_eq(a->job.tenant, but->row.tenant);
			i++)
			out[n++] = a->holds[i];
	return n;
}

/* ---- Its end ------------------------------------------------------------------------------ */

static void end_ask(struct ask *a, enum desk_end end, const char *fail, const char *reason)
{
	struct run *run = a->run;

	if (run) {
		a->ask->end = end;
		a->ask->fail = str_of(fail);
		a->ask->reason = str_of(arena_printf(run->arena, "%s", reason));
	}
	free_ask(a);
	if (run)
		builtin_answered(run);
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

static void tell(struct ask *a, struct run *ended)
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
		builtin_answered(run);
}

void asks_tell(struct run *ended)
{
	struct runner *r = ended->runner;
	struct ask *a;

	for (a = r->asks; a; a = a->next)
		a->over |= is_about(a, &ended->row.id);
	a = r->asks;
	while (a) { /* an answer may make new questions: from the beginning after each */
		struct ask *next = a->next;
		if (is_about(a, &ended->row.id)) {
			tell(a, ended);
			next = r->asks;
		}
		a = next;
	}
}

void asks_put_off(const struct run *later)
{
	struct runner *r = later->runner;
	struct ask *a = r->asks;

	while (a) {
		struct ask *next = a->next;
		if (a->run && is_about(a, &later->row.id) && !callers_wait(r, &a->run->row.id)) {
			builtin_come_back(a->run, later->row.due_ms);
			next = r->asks;
		}
		a = next;
	}
}

static bool is_own_read(const struct ask *a)
{
	return a->op.job_count && str_is(a->job.subject, ASKS_READ);
}

void asks_leave(struct run *run)
{
	for (struct ask *next, *a = run->runner->asks; a; a = next) {
		next = a->next;
		if (a->run == run && a->stored && !is_own_read(a))
			free_ask(a);
		else if (a->run == run)
			a->run = NULL; /* on its way to the store, or shared by others */
	}
}

/* ---- Stored, or not ----------------------------------------------------------------------- */

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
		end_ask(a, DESK_UNKNOWN, "", "what became of the same question is not known");
		return;
	}
	read_row(a, &row);
	if (a->ask->end != DESK_OPEN) {
		free_ask(a);
		builtin_answered(run);
		return;
	}
	a->job.id = row.id; /* it waits for its next try */
	if (!callers_wait(a->runner, &run->row.id))
		builtin_come_back(run, row.due_ms);
}

/* A read that was never begun answers nobody who shares it. */
static void fail_sharers(const struct ask *first)
{
	struct runner *r = first->runner;
	struct id id = first->job.id;
	struct ask *a = r->asks;

	while (a) {
		struct ask *next = a->next;
		if (a != first && is_about(a, &id)) {
			end_ask(a, DESK_FAILED, "store", first->op.op.error.text);
			next = r->asks;
		}
		a = next;
	}
}

static void not_added(struct ask *a)
{
	struct run *run = a->run;
	int code = a->op.op.result;

	if (code == E_TAKEN && run) {
		free_ask(a);
		builtin_retake(run);
		return;
	}
	if (code == E_CONFLICT && run) {
		a->ask->code = STR("changed");
		end_ask(a, DESK_REFUSED, "conflict", a->op.op.error.text);
		return;
	}
	log_line(LOG_ERROR, "question not stored", "connection", a->job.connection.ptr, "reason",
		a->op.op.error.text, "correlation", a->job.correlation.ptr, NULL);
	a->over = true;
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

/* ---- Asking ------------------------------------------------------------------------------- */

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
		.subject =
			read ? STR(ASKS_READ) : str_dup(a->arena, run ? run->row.subject : STR("")),
		.state = JOB_READY,
		.due_ms = clock_now_ms(),
		.generation = a->plan->generation};
	a->job.created_ms = a->job.updated_ms = a->job.due_ms;
	if (run)
		a->job.event = run->event.id;
	a->job.person = persons_join(a->arena, run ? str_dup(a->arena, run->row.person) : STR(""),
		persons_in(a->arena, (struct str){0}, run ? run->row.person : STR(""),
			json_parse(a->arena, a->job.input, NULL)));
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

/* Of the same tenant: what is read goes into that one's mirror only. */
static const struct ask *under_way(
	const struct runner *r, const struct desk_ask *ask, const char *tenant)
{
	for (const struct ask *a = r->asks; ask->dedupe.len == 0 && a; a = a->next)
		if (!a->over && str_is(a->job.subject, ASKS_READ) && str_eq(a->job.op, ask->op) &&
			str_eq(a->job.connection, ask->connection) &&
			str_eq(a->job.input, ask->input) && str_is(a->job.tenant, tenant))
			return a;
	return NULL;
}

static void submit(struct ask *a)
{
	a->op.op.done = added;
	a->op.op.user = a;
	a->op.op.urgent = a->run && a->run->urgent;
	a->op.jobs = &a->job;
	a->op.job_count = 1;
	a->op.claim = true;
	store_add_jobs(a->runner->store, &a->op);
}

static void no_memory(struct run *run, struct desk_ask *ask)
{
	if (!run)
		return;
	ask->end = DESK_FAILED;
	ask->fail = STR("store"); /* which it never reached */
	ask->reason = STR("no memory");
	builtin_answered(run);
}

void asks_put(struct runner *r, struct plan *plan, const char *tenant, struct run *run,
	struct desk_ask *ask)
{
	const struct ask *same = under_way(r, ask, tenant);
	struct ask *a;

	if (same && !run)
		return;
	a = new_ask(r, plan);
	if (!a) {
		no_memory(run, ask);
		return;
	}
	a->run = run;
	a->wanted = run != NULL;
	a->ask = run ? ask : NULL;
	fill_job(a, ask, tenant);
	if (same) {
		a->job.id = same->job.id;
		a->stored = true;
		return;
	}
	fill_holds(a, ask);
	submit(a);
}

void asks_abandon(struct runner *r)
{
	while (r->asks) {
		r->asks->plan->orphan = true;
		free_ask(r->asks);
	}
}
