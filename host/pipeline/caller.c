/* caller.c - whoever is on the line is answered in time. See caller.h. Runner's thread; kept() is
 * the writer's and only hands over.
 */
#include "pipeline/caller.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "pipeline/builtin.h"
#include "pipeline/job_i.h"

#define MARGIN_MS 50 /* for storing and shaping what is said in the end; less if there is less */
#define RETRY_AFTER_S 2
#define SHAPE_TRIES 2 /* a worker that dies on it is replaced once */

/* ---- Time --------------------------------------------------------------------------------- */

static void on_timer(uv_timer_t *timer);

static void arm(struct runner *r)
{
	int64_t first = INT64_MAX, now = clock_mono_ms();

	if (r->stopping)
		return; /* there are no plugins any more that could give an answer its shape */
	for (const struct caller *c = r->callers; c; c = c->next) {
		int64_t due = c->decided ? c->hard_ms : c->soft_ms;
		if (c->hook && due < first)
			first = due;
	}
	if (first == INT64_MAX)
		uv_timer_stop(&r->caller_timer);
	else
		uv_timer_start(
			&r->caller_timer, on_timer, first > now ? (uint64_t)(first - now) : 0, 0);
}

/* Not later than then; 0: as before. */
static void hurry(struct caller *c, int64_t hard_ms, int64_t margin_ms)
{
	if (!hard_ms || c->hard_ms <= hard_ms)
		return;
	c->hard_ms = hard_ms;
	if (c->soft_ms > hard_ms - margin_ms)
		c->soft_ms = hard_ms - margin_ms;
}

static void set_deadline(struct caller *c, int64_t limit_ms)
{
	int64_t margin = limit_ms / 8 < MARGIN_MS ? limit_ms / 8 : MARGIN_MS;
	int64_t waited = clock_now_ms() - c->row->received_ms;

	if (waited < 0 || waited > limit_ms) /* the clock has jumped: from now on, then */
		waited = 0;
	c->hard_ms = clock_mono_ms() - waited + limit_ms - margin / 5;
	c->soft_ms = c->hard_ms - margin;
	hurry(c, c->runner->hurry_ms, margin);
}

/* ---- The answer itself -------------------------------------------------------------------- */

static void leave(struct caller *c)
{
	struct runner *r = c->runner;

	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	plan_unref(c->plan);
	c->plan = NULL;
	c->gone(c);
	arm(r);
}

/* While the plugin is being asked it has c's memory: c leaves when it comes back. */
static void give(struct caller *c, unsigned status, const char *content_type, struct str body)
{
	struct hook *hook = c->hook;
	struct hook_answer a = {.status = status,
		.content_type = content_type,
		.body = body,
		.retry_after_s = status == 503 ? RETRY_AFTER_S : 0};

	c->hook = NULL;
	hook->answer(hook, &a);
	if (!c->asking)
		leave(c);
}

void caller_refuse(struct caller *c, const char *why)
{
	atomic_fetch_add(&c->runner->n_refused, 1);
	if (why)
		log_line(LOG_ERROR, "caller not answered", "connection",
			c->connection->config->full, "reason", why, NULL);
	give(c, 503, "text/plain; charset=utf-8", STR("no answer in time, please ask again\n"));
}

static void count(const struct caller *c)
{
	struct runner *r = c->runner;

	atomic_fetch_add(c->outcome == KL_REPLY_DONE     ? &r->n_answered
			 : c->outcome == KL_REPLY_REPEAT ? &r->n_repeated
			 : c->outcome == KL_REPLY_NONE   ? &r->n_unanswered
							 : &r->n_fallbacks,
		1);
}

/* Said when it has its shape and is on disk; at the last moment without the second. */
static void say(struct caller *c, bool now)
{
	const struct plugin_answer *a = &c->call.out.answer;

	if (!c->shaped || !c->on_disk || !(c->kept || now))
		return;
	count(c);
	if (!c->connection->config->info->can_reply)
		give(c, 200, NULL, STR(""));
	else
		give(c, a->status ? a->status : 200,
			a->content_type.len ? a->content_type.ptr : "text/plain; charset=utf-8",
			a->body);
}

static void shape(struct caller *c);

static void shaped(struct plugin_call *call)
{
	struct caller *c = call->user;

	c->asking = false;
	if (!c->hook) { /* refused meanwhile */
		leave(c);
		return;
	}
	for (uint32_t i = 0; i < call->out.logs.count; i++)
		log_line(LOG_WARN, call->out.logs.items[i].message.ptr, "connection",
			c->connection->config->full, "correlation", c->row->correlation.ptr, NULL);
	if (call->out.status == PLUGIN_OK) {
		c->shaped = true;
		say(c, false);
	} else if (c->tries < SHAPE_TRIES && call->out.status == PLUGIN_DIED) {
		shape(c);
	} else {
		caller_refuse(c, call->out.error.text);
	}
}

static void shape(struct caller *c)
{
	struct plugin_call *call = &c->call;

	memset(call, 0, sizeof(*call));
	call->plugin = c->connection->plugin;
	call->config = c->connection->options;
	call->in.kind = PLUGIN_REPLY;
	call->in.attempt = ++c->tries;
	call->in.now_ms = c->row->received_ms;
	memcpy(&call->in.seed, c->row->id.b, sizeof(call->in.seed));
	call->in.run = c->row->correlation;
	call->in.reply = (struct plugin_reply_in){
		.inbound = *c->inbound, .outcome = c->outcome, .result = c->result};
	call->timeout_ms = (unsigned)c->connection->config->worker.call_timeout_ms;
	call->urgent = true;
	call->arena = c->arena;
	call->done = shaped;
	call->user = c;
	c->asking = true;
	plugin_submit(call);
}

static void fix(struct caller *c, uint32_t outcome, struct str result, bool kept)
{
	c->decided = true;
	c->outcome = outcome;
	c->result = str_dup(c->arena, result);
	c->kept = kept;
	arm(c->runner);
}

static void tell(struct caller *c)
{
	if (c->connection->config->info->can_reply) {
		shape(c);
	} else {
		c->shaped = true;
		say(c, false);
	}
}

static void decide(struct caller *c, uint32_t outcome, struct str result, bool kept)
{
	fix(c, outcome, result, kept);
	tell(c);
}

static bool waits_for(const struct caller *c, const struct id *job)
{
	return c->hook && memcmp(&c->job, job, sizeof(*job)) == 0;
}

/* Everybody who waits for that job: the same request may have come twice. The result may be one of
 * theirs, so nobody leaves before all have it. */
static void decide_all(
	struct runner *r, const struct id *job, uint32_t outcome, struct str result, bool kept)
{
	struct caller *next;

	for (struct caller *c = r->callers; c; c = c->next)
		if (waits_for(c, job) && !c->decided)
			fix(c, outcome, result, kept);
	for (struct caller *c = r->callers; c; c = next) {
		next = c->next;
		if (waits_for(c, job) && c->decided && !c->shaped && !c->asking)
			tell(c);
	}
}

/* What they were told is on disk, or cannot be: then saying it is all that is left. */
static void all_kept(struct runner *r, const struct id *job)
{
	struct caller *next;

	for (struct caller *c = r->callers; c; c = next) {
		next = c->next;
		if (!waits_for(c, job) || !c->decided || c->kept)
			continue;
		c->kept = true;
		say(c, false);
	}
}

/* ---- What is said when there is nothing else ---------------------------------------------- */

static struct str words(struct arena *arena, struct str text)
{
	struct json *o = json_object(arena);

	json_put(arena, o, "success", json_of_bool(arena, false));
	json_put_text(arena, o, "say", text);
	return json_print(arena, o);
}

static struct str fallback_of(struct arena *arena, const struct plan_pipeline *p,
	const struct event_row *event, const struct config_tenant *tenant)
{
	struct route_scope seen = {.arena = arena, .event = event, .tenant = tenant};
	struct expr_scope scope = route_expr_scope(&seen, event->received_ms);
	const struct json *value = NULL;
	struct error error = {0};

	if (!p->fallback)
		return words(arena, p->config->fallback.text);
	if (expr_eval(&error, p->fallback, &scope, arena, &value) < 0)
		log_line(LOG_ERROR, "fallback cannot be made", "pipeline", p->config->full,
			"reason", error.text, NULL);
	return words(arena, json_text(value));
}

static struct str fallback(struct caller *c)
{
	const struct config_tenant *tenant =
		config_tenant(c->plan->config, str_dup(c->arena, c->event->tenant).ptr);

	return fallback_of(c->arena, c->pipeline, c->event, tenant);
}

/* ---- Kept: what is said before its run has ended ------------------------------------------ */

struct keeping {
	struct mailbox_item item;
	struct keeping *next, **link; /* of all: those still under way at the end are freed then */
	struct runner *runner;
	struct arena *arena;
	struct store_save_answer op;
	struct answer_row row;
	struct id job;
};

static void free_keeping(struct keeping *k)
{
	*k->link = k->next;
	if (k->next)
		k->next->link = k->link;
	arena_destroy(k->arena);
}

static void kept_here(struct mailbox_item *item)
{
	struct keeping *k = (struct keeping *)item;

	if (k->op.op.result < 0)
		log_line(LOG_ERROR, "answer not stored", "reason", k->op.op.error.text, NULL);
	all_kept(k->runner, &k->job);
	free_keeping(k);
}

/* Writer's thread. */
static void kept(struct store_op *op)
{
	struct keeping *k = op->user;

	k->item.run = kept_here;
	runner_post(k->runner, &k->item);
}

/* False: it cannot be kept. */
static bool keep(const struct caller *c, uint32_t outcome, struct str result)
{
	struct arena *arena = c->event->dedupe.len ? arena_create(RUN_MEMORY) : NULL;
	struct keeping *k = arena ? arena_alloc(arena, sizeof(*k)) : NULL;

	if (!k) {
		arena_destroy(arena);
		return false;
	}
	k->arena = arena;
	k->runner = c->runner;
	k->next = c->runner->keepings;
	k->link = &c->runner->keepings;
	if (k->next)
		k->next->link = &k->next;
	c->runner->keepings = k;
	k->job = c->job;
	k->row = (struct answer_row){.connection = str_dup(arena, c->event->connection),
		.dedupe = str_dup(arena, c->event->dedupe),
		.tenant = str_dup(arena, c->event->tenant),
		.person = str_dup(arena, c->event->person),
		.outcome = outcome,
		.result = str_dup(arena, result),
		.at_ms = clock_now_ms()};
	k->op.row = &k->row;
	k->op.op.done = kept;
	k->op.op.user = k;
	k->op.op.urgent = true;
	store_save_answer(c->runner->store, &k->op);
	return true;
}

/* ---- Deadlines ---------------------------------------------------------------------------- */

/* It has ended, and only its last commit is missing. What it says is true whatever becomes of that,
 * unless it speaks of what only this commit does. */
static bool is_true_already(const struct run *run)
{
	return run->has_answer && !run->event_count && !run->hold_count;
}

static void tell_so_far(struct caller *c)
{
	struct runner *r = c->runner;
	struct id job = c->job;
	struct run *run = jobs_find(r, &job);
	struct str result = {0};
	bool late = run && builtin_late(run, c->arena, &result);
	uint32_t outcome = late ? KL_REPLY_DONE : KL_REPLY_FALLBACK;

	if (run && is_true_already(run)) { /* kept by callers_tell() */
		decide_all(r, &job, run->answer.outcome, run->answer.result, false);
		return;
	}
	if (!late)
		result = fallback(c);
	decide_all(r, &job, outcome, result, !keep(c, outcome, result));
}

static void soft(struct caller *c)
{
	c->store(c);
	if (!c->pipeline) { /* not even normalized: the plugin hangs, or too much is going on */
		decide(c, KL_REPLY_NONE, (struct str){0}, true);
		return;
	}
	log_line(LOG_WARN, "caller told before the pipeline was through", "tenant",
		str_dup(c->arena, c->event->tenant).ptr, "pipeline", c->pipeline->config->full,
		"correlation", str_dup(c->arena, c->event->correlation).ptr, NULL);
	atomic_fetch_add(&c->runner->n_late, 1);
	tell_so_far(c);
}

static void hard(struct caller *c)
{
	if (c->on_disk && c->shaped)
		say(c, true);
	else
		caller_refuse(
			c, c->on_disk ? "its plugin does not answer" : "it is not on disk yet");
}

static void on_timer(uv_timer_t *timer)
{
	struct runner *r = timer->data;
	int64_t now = clock_mono_ms();
	struct caller *next;

	for (struct caller *c = r->callers; c; c = next) {
		next = c->next;
		if (!c->hook || c->decided || c->soft_ms > now)
			continue;
		soft(c);
		next = r->callers; /* others may have been answered with it, and be gone */
	}
	for (struct caller *c = r->callers; c; c = next) {
		next = c->next;
		if (c->hook && c->decided && c->hard_ms <= now)
			hard(c);
	}
	arm(r);
}

/* ---- Of an intake ------------------------------------------------------------------------- */

void caller_begin(struct caller *c, int64_t limit_ms)
{
	struct runner *r = c->runner;

	c->next = r->callers;
	c->link = &r->callers;
	if (c->next)
		c->next->link = &c->next;
	r->callers = c;
	set_deadline(c, limit_ms);
	arm(r);
}

void caller_expects(struct caller *c, int64_t within_ms)
{
	int64_t route = c->hard_ms;

	if (!c->hook || c->decided)
		return;
	set_deadline(c, within_ms);
	hurry(c, route, MARGIN_MS); /* the vendor does not wait as long as the operator would */
	arm(c->runner);
}

void caller_stored(struct caller *c)
{
	c->on_disk = true;
	if (c->hook)
		say(c, false);
}

void caller_none(struct caller *c)
{
	if (c->hook && !c->decided)
		decide(c, KL_REPLY_NONE, (struct str){0}, true);
}

static void know(struct caller *c, struct plan *plan, const struct plan_pipeline *pipeline,
	const struct event_row *event)
{
	if (!c->plan)
		c->plan = plan_ref(plan);
	c->pipeline = pipeline;
	c->event = event;
}

void caller_asks(struct caller *c, struct plan *plan, const struct plan_pipeline *pipeline,
	const struct job_row *job, const struct event_row *event, bool stored)
{
	c->first = stored;
	if (!c->hook || c->decided)
		return;
	know(c, plan, pipeline, event);
	c->job = job->id;
}

static struct caller *first_of(const struct caller *again)
{
	for (struct caller *c = again->runner->callers; c; c = c->next)
		if (c != again && c->first && c->event &&
			str_eq(c->event->connection, again->event->connection) &&
			str_eq(c->event->dedupe, again->event->dedupe))
			return c;
	return NULL;
}

/* The same request again: what was said the first time, or together with it. */
void caller_repeat(struct caller *c, struct plan *plan, const struct plan_pipeline *pipeline,
	const struct event_row *event)
{
	const struct caller *first;
	struct answer_row row = {0};

	if (!c->hook || c->decided)
		return;
	know(c, plan, pipeline, event);
	c->job = (struct id){{0}};
	first = first_of(c);
	if (first && !first->decided) {
		c->job = first->job;
		if (c->soft_ms > first->soft_ms)
			c->soft_ms = first->soft_ms;
		arm(c->runner);
	} else if (first) {
		decide(c, KL_REPLY_REPEAT, first->result, true);
	} else if (store_get_answer(NULL, c->runner->reader, event->connection, event->dedupe,
			   c->arena, &row) == 0 &&
		   !row.unreadable) {
		decide(c, KL_REPLY_REPEAT, row.result, true);
	} else {
		decide(c, KL_REPLY_FALLBACK, fallback(c), true);
	}
}

/* ---- Of runs ------------------------------------------------------------------------------ */

bool callers_wait(const struct runner *r, const struct id *job)
{
	for (const struct caller *c = r->callers; c; c = c->next)
		if (waits_for(c, job) && !c->decided)
			return true;
	return false;
}

bool caller_gone(const struct run *run)
{
	return run->pipeline && run->pipeline->config->within_ms &&
	       !callers_wait(run->runner, &run->row.id);
}

bool caller_answer_row(struct run *run, struct answer_row *row)
{
	bool done = run->row.state == JOB_DONE;

	if (!run->pipeline || !run->pipeline->config->within_ms ||
		!callers_wait(run->runner, &run->row.id))
		return false;
	*row = (struct answer_row){.connection = run->event.connection,
		.dedupe = run->event.dedupe,
		.tenant = run->row.tenant,
		.outcome = done ? KL_REPLY_DONE : KL_REPLY_FALLBACK,
		.result = done ? run->last
			       : fallback_of(run->arena, run->pipeline, &run->event, run->tenant),
		.at_ms = clock_now_ms()};
	return true;
}

void callers_tell(struct runner *r, const struct id *job, const struct answer_row *row)
{
	all_kept(r, job);
	decide_all(r, job, row->outcome, row->result, true);
}

/* ---- The host stops ----------------------------------------------------------------------- */

void callers_hurry(struct runner *r, int64_t until_ms)
{
	r->hurry_ms = until_ms;
	for (struct caller *c = r->callers; c; c = c->next)
		hurry(c, until_ms, MARGIN_MS);
	arm(r);
}

void callers_stop(struct runner *r)
{
	uv_timer_stop(&r->caller_timer);
}

void callers_abandon(struct runner *r)
{
	while (r->keepings)
		free_keeping(r->keepings);
}

void caller_abandon(struct caller *c)
{
	if (c->hook)
		c->hook->answer(c->hook,
			&(struct hook_answer){.status = 503, .retry_after_s = RETRY_AFTER_S});
	if (c->plan)
		c->plan->orphan = true;
	plan_unref(c->plan);
}
