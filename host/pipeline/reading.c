/* reading.c - what a stored webhook means: the plugin normalizes it, its events and their jobs are
 * the second commit. Whatever happens here, its raw row is on disk: NEW until this is through, and
 * found again by intake_fetch(). Runner's thread; finished() and fetched() are the writer's and
 * only hand over.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "pipeline/intake_i.h"
#include "pipeline/job.h"
#include "pipeline/route.h"

#define KILLS_MAX 2 /* a webhook that kills two workers is parked */

/* ---- Stored ------------------------------------------------------------------------------- */

static void finish(struct intake *in, enum inbox_state state, const char *reason);

/* The one that answers; NULL: none does. */
static const struct plan_pipeline *pipeline_of(const struct intake *in)
{
	return in->answering ? plan_pipeline(in->plan, in->answering->pipeline) : NULL;
}

/* The events are stored: their answer may be made, or was made before. */
static void answer_caller(struct intake *in)
{
	const struct plan_pipeline *p = pipeline_of(in);

	if (!p)
		caller_none(&in->caller);
	else if (in->answered->repeat)
		caller_repeat(&in->caller, in->plan, p, in->answered->row);
	else
		caller_asks(&in->caller, in->plan, p, in->answering, in->answered->row, true);
}

/* What answers goes ahead: its end, and the answer, become one commit with its event. If that
 * turns out to be a repeat nothing has happened, since all it stores lies behind it. */
static void go_ahead(struct intake *in)
{
	if (!in->finish.claim || !in->caller.hook || in->caller.decided)
		return;
	caller_asks(
		&in->caller, in->plan, pipeline_of(in), in->answering, in->answered->row, false);
	in->ahead = job_ahead(in->runner, in->plan, in->answered->row, in->answering);
}

static void settle_ahead(struct intake *in, bool stored)
{
	struct run *run = in->ahead;

	in->ahead = NULL;
	if (run && stored)
		job_is_stored(run);
	else if (run)
		job_never_was(run);
}

static void begin_jobs(struct intake *in, const struct event_change *e)
{
	for (size_t i = 0; i < e->job_count; i++)
		if (&e->jobs[i] != in->answering || !in->ahead || !e->jobs[i].claimed)
			jobs_stored(in->runner, in->plan, e->row, &e->jobs[i], 1);
}

/* It is not in hand, and the next fetches must find it: a slow one may be older than what they have
 * passed already. */
static void left(struct runner *r, const struct id *id)
{
	if (!r->left_behind || memcmp(id, &r->left, sizeof(*id)) < 0)
		r->left = *id;
	r->left_behind = true;
	if (memcmp(id, &r->fetch_after, sizeof(*id)) <= 0)
		r->fetch_after = (struct id){{0}};
}

static void not_finished(struct intake *in)
{
	struct store_finish_inbox *f = &in->finish;
	int code = f->op.result;
	bool never = code == E_INVALID || code == E_CONFLICT || code == E_NOTFOUND;

	settle_ahead(in, false);
	if (in->lost) { /* has been told already, and the caller refused */
		intake_release(in);
		return;
	}
	log_line(LOG_ERROR,
		never ? "events refused by the store" : "events not stored, will be tried again",
		"connection", in->connection->config->full, "reason", f->op.error.text,
		"correlation", in->row.correlation.ptr, NULL);
	if (never && !in->bare) { /* offered again, it would be refused again, for ever */
		in->bare = true;
		f->event_count = f->job_count = 0;
		in->answering = NULL;
		f->tenant = STR("");
		finish(in, INBOX_PARKED,
			arena_printf(in->arena, "what it means was refused by the store: %s",
				f->op.error.text));
		return;
	}
	if (!never) {
		in->runner->backlog_later = true;
		left(in->runner, &in->row.id);
	}
	if (in->caller.hook)
		caller_refuse(&in->caller, "its events could not be stored");
	intake_release(in);
}

static void finished_here(struct mailbox_item *item)
{
	struct intake *in = (struct intake *)item;
	struct store_finish_inbox *f = &in->finish;
	struct runner *r = in->runner;

	r->promised -= in->promised;
	in->promised = 0;
	if (f->op.result < 0) {
		not_finished(in);
		return;
	}
	if (intake_waits(in))
		answer_caller(in);
	for (size_t i = 0; i < f->event_count; i++) {
		struct event_change *e = &f->events[i];
		atomic_fetch_add(e->repeat ? &r->n_repeats : &r->n_events, 1);
		if (e->repeat)
			continue;
		if (e->closed || e->cancelled)
			r->claim_wanted = true;
		begin_jobs(in, e);
	}
	settle_ahead(in, in->answering && in->answering->claimed);
	jobs_stored(r, in->plan, NULL, f->jobs, f->job_count);
	runner_claim(r);
	intake_release(in);
}

/* Writer's thread. */
static void finished(struct store_op *op)
{
	struct intake *in = op->user;
	in->item.run = finished_here;
	runner_post(in->runner, &in->item);
}

static size_t count_jobs(const struct store_finish_inbox *f)
{
	size_t n = f->job_count;

	for (size_t i = 0; i < f->event_count; i++)
		n += f->events[i].job_count;
	return n;
}

static void finish(struct intake *in, enum inbox_state state, const char *reason)
{
	struct store_finish_inbox *f = &in->finish;
	const struct plan_pipeline *p = pipeline_of(in);
	char id[ID_TEXT];

	id_text(id, &in->row.id);
	if (state == INBOX_PARKED)
		log_line(LOG_ERROR, "webhook parked", "connection", in->connection->config->full,
			"id", id, "correlation", in->row.correlation.ptr, "reason", reason, NULL);
	if (p)
		caller_expects(&in->caller, p->config->within_ms);
	if (intake_waits(in)) {
		store_cork(in->runner->store);
		intake_store(in);
	}
	f->op.done = finished;
	f->op.user = in;
	f->op.urgent = intake_waits(in);
	f->inbox = in->row.id;
	f->state = state;
	f->reason = str_of(reason);
	f->kills = in->row.kills;
	f->claim = jobs_promise(in->runner, count_jobs(f), in->answering != NULL, &in->promised);
	store_finish_inbox(in->runner->store, f);
	if (p)
		go_ahead(in);
	if (intake_waits(in))
		store_uncork(in->runner->store);
}

/* ---- What it means ------------------------------------------------------------------------ */

static struct route_input route_input(struct intake *in)
{
	return (struct route_input){
		.plan = in->plan,
		.engine = in->runner->engine,
		.inbox = in->row.id,
		.connection = in->row.connection,
		.tenant = in->connection->config->tenant,
		.correlation = in->row.correlation,
		.waits = in->caller.hook != NULL,
		.now_ms = in->row.received_ms,
		.arena = in->arena,
	};
}

/* Whose the raw bytes are: somebody's only if everything in them is. */
static struct str owner(const struct store_finish_inbox *f)
{
	struct str tenant = f->event_count ? f->events[0].row->tenant : STR("");

	for (size_t i = 1; i < f->event_count; i++)
		if (!str_eq(f->events[i].row->tenant, tenant))
			return STR("");
	return tenant;
}

/* Fills the events that fit; NULL, or why one does not. Replaying is safe: repeats are dropped. */
static const char *route_all(struct intake *in)
{
	const struct plugin_out *out = &in->call.out;
	struct route_input input = route_input(in);
	struct store_finish_inbox *f = &in->finish;
	const char *problem = NULL;
	struct error error = {0};

	f->events = arena_alloc(in->arena, (out->events.count + 1) * sizeof(*f->events));
	f->jobs = arena_alloc(in->arena, (out->starts.count + 1) * sizeof(*f->jobs));
	if (!f->events || !f->jobs)
		return "no memory for its events";
	for (uint32_t i = 0; i < out->events.count; i++) {
		struct event_change *e = &f->events[f->event_count];
		if (route_event(&error, &input, &out->events.items[i], e) < 0) {
			if (error.code == E_NOMEM)
				arena_fail_starved(in->arena);
			problem = arena_printf(in->arena, "%s", error.text);
			continue;
		}
		f->event_count++;
		if (!in->answering && (in->answering = route_answering(&input, e))) {
			in->answered = e;
			input.waits = false; /* one answer */
		}
	}
	for (uint32_t i = 0; i < out->starts.count; i++)
		route_start(&input, &out->starts.items[i], &f->jobs[f->job_count++]);
	f->tenant = problem ? STR("") : owner(f);
	return problem;
}

static const char *complaints(struct intake *in)
{
	const struct plugin_out *out = &in->call.out;
	const char *text = "the plugin cannot read this webhook";

	for (uint32_t i = 0; i < out->problems.count; i++)
		text = arena_printf(in->arena, "%s%s%s%s%s", i ? text : "", i ? "; " : "",
			out->problems.items[i].path.len ? out->problems.items[i].path.ptr : "",
			out->problems.items[i].path.len ? ": " : "",
			out->problems.items[i].message.ptr);
	return text;
}

static void died(struct intake *in)
{
	char id[ID_TEXT];

	id_text(id, &in->row.id);
	in->row.kills++;
	log_line(LOG_ERROR, "plugin died on a webhook", "connection", in->connection->config->full,
		"id", id, "correlation", in->row.correlation.ptr, "reason", in->call.out.error.text,
		NULL);
	if (in->row.kills >= KILLS_MAX)
		finish(in, INBOX_PARKED,
			arena_printf(in->arena,
				"plugin %s died on it twice; mend the plugin, then klinke replay "
				"it",
				in->connection->config->plugin));
	else {
		in->in_turn = true;
		intake_read(in);
	}
}

/* Too much is in hand: this one stays in the store until there is room, and with it all of its
 * connection that comes after it. What is read sooner happens sooner: a booking would be made after
 * it was cancelled. */
static bool *behind(const struct intake *in)
{
	return &in->plan->connections[in->connection - in->plan->connections].behind;
}

/* The row, if there is one, stays NEW until the plugin is back or less is going on. */
static void not_read(struct intake *in)
{
	in->runner->backlog_later = true;
	left(in->runner, &in->row.id);
	if (in->caller.hook)
		caller_refuse(&in->caller, in->call.out.error.code ? in->call.out.error.text
								   : "there is no memory for it");
	/* A worker died on it, and there is no other yet: forgotten, it could kill for ever. */
	if (in->row.kills != in->finish.kills && !intake_waits(in)) {
		finish(in, INBOX_NEW, "");
		return;
	}
	if (in->call.out.status == PLUGIN_NOT_RUN && !intake_waits(in))
		*behind(in) = true;
	if (!in->storing && intake_waits(in))
		in->runner->hooks--;
	intake_release(in);
}

static void normalized(struct plugin_call *c)
{
	struct intake *in = c->user;
	const char *problem;

	intake_log_notes(in);
	switch (c->out.status) {
	case PLUGIN_DIED:
	case PLUGIN_TIMEOUT:
		died(in);
		return;
	case PLUGIN_DISABLED:
	case PLUGIN_NOT_RUN:
		not_read(in);
		return;
	case PLUGIN_FAILED:
		if (c->out.error.code == E_NOMEM)
			not_read(in);
		else
			finish(in, INBOX_PARKED, c->out.error.text);
		return;
	case PLUGIN_OK:
		break;
	}
	if (c->out.returned) {
		finish(in, INBOX_PARKED, complaints(in));
		return;
	}
	problem = route_all(in);
	if (arena_starved(in->arena)) {
		not_read(in);
		return;
	}
	if (arena_failed(in->arena)) { /* anything of it may be missing: none of it counts */
		in->finish.event_count = in->finish.job_count = 0;
		in->answering = NULL;
		in->finish.tenant = STR("");
		problem = "it needs more memory than one webhook may have";
	}
	finish(in,
		problem                                         ? INBOX_PARKED
		: in->finish.event_count + in->finish.job_count ? INBOX_DONE
								: INBOX_IGNORED,
		problem);
}

/* ---- When --------------------------------------------------------------------------------- */

static void leave_in_store(struct intake *in)
{
	in->runner->backlog = true;
	left(in->runner, &in->row.id);
	*behind(in) = true;
	intake_release(in);
}

static void hold(struct intake *in)
{
	struct runner *r = in->runner;

	in->next_held = NULL;
	*(r->held ? r->held_end : &r->held) = in;
	r->held_end = &in->next_held;
}

static struct intake *take_held(struct runner *r)
{
	struct intake *list = r->held;

	r->held = NULL;
	return list;
}

/* Those held came before it. */
static void spill(struct intake *in)
{
	struct intake *next;

	for (struct intake *held = take_held(in->runner); held; held = next) {
		next = held->next_held;
		leave_in_store(held);
	}
	leave_in_store(in);
}

void intake_read(struct intake *in)
{
	struct runner *r = in->runner;

	if (!in->connection->config->info->can_normalize)
		finish(in, INBOX_IGNORED, "the plugin makes no events");
	else if (in->in_turn || intake_waits(in))
		intake_call(in, PLUGIN_NORMALIZE, normalized);
	else if (intakes_reading(r) > NORMALIZE_MAX)
		spill(in);
	else if (*behind(in) && r->fetching) /* there may be no more in the store */
		hold(in);
	else if (*behind(in))
		leave_in_store(in);
	else
		intake_call(in, PLUGIN_NORMALIZE, normalized);
}

void intakes_reload(const struct plan *from, struct plan *to)
{
	for (size_t i = 0; i < to->connection_count; i++) {
		const struct plan_connection *before =
			plan_connection(from, str_of(to->connections[i].config->full));
		to->connections[i].behind = before && before->behind;
	}
}

/* All that was left in the store is in hand, or goes to nobody. */
static void caught_up(struct runner *r)
{
	for (size_t i = 0; i < r->plan->connection_count; i++)
		r->plan->connections[i].behind = false;
}

static void read_held(struct runner *r)
{
	struct intake *next;

	for (struct intake *held = take_held(r); held; held = next) {
		next = held->next_held;
		intake_read(held);
	}
}

/* ---- After a restart, or when too much came at once --------------------------------------- */

#define FETCH_MEMORY ((size_t)256 * 1024 * 1024) /* what does not fit comes with the next */

struct fetch {
	struct mailbox_item item;
	struct runner *runner;
	struct store_pending_inbox op;
};

static struct plugin_pairs pairs_parse(struct arena *arena, struct str text)
{
	struct json *list = json_parse(arena, text, NULL);
	size_t count = json_count(list);
	struct plugin_pair *items = arena_alloc(arena, (count + 1) * sizeof(*items));

	for (size_t i = 0; items && i < count; i++) {
		const struct json *pair = json_at(list, i, NULL);
		items[i].name = json_text(json_at(pair, 0, NULL));
		items[i].value = json_text(json_at(pair, 1, NULL));
	}
	return (struct plugin_pairs){items, items ? count : 0};
}

static bool in_hand(const struct runner *r, const struct id *id)
{
	for (const struct intake *in = r->intakes; in; in = in->next)
		if (memcmp(&in->row.id, id, sizeof(*id)) == 0)
			return true;
	return false;
}

static void again(struct runner *r, const struct inbox_row *row)
{
	const struct plan_connection *connection = plan_connection(r->plan, row->connection);
	struct intake *in;

	if (!connection || !connection->config->info ||
		plugin_state(connection->plugin) == PLUGIN_BROKEN)
		return; /* stays NEW: its connection or plugin may come back */
	if (in_hand(r, &row->id))
		return;
	in = intake_create(r, connection);
	if (!in) {
		r->backlog_later = true;
		left(r, &row->id);
		return;
	}
	in->route = intake_route(connection->config->info, row->route);
	in->row = *row;
	in->row.correlation = str_dup(in->arena, row->correlation);
	in->finish.kills = row->kills;
	in->in_turn = true;
	in->row.connection = str_of(connection->config->full);
	in->inbound = (struct plugin_inbound){
		.route = str_of(in->route ? in->route->name : ""),
		.method = str_dup(in->arena, row->method),
		.path = str_dup(in->arena, row->path),
		.query = pairs_parse(in->arena, row->query),
		.headers = pairs_parse(in->arena, row->headers),
		.body = str_dup(in->arena, row->body),
	};
	in->row.body = in->inbound.body;
	if (arena_starved(in->arena))
		not_read(in);
	else if (arena_failed(in->arena))
		finish(in, INBOX_PARKED, "it needs more memory than one webhook may have");
	else if (in->route)
		intake_read(in);
	else
		finish(in, INBOX_PARKED, "the plugin no longer has this route");
}

static void fetched_here(struct mailbox_item *item)
{
	struct fetch *f = (struct fetch *)item;
	struct runner *r = f->runner;
	bool read = f->op.op.result == 0, more = read && f->op.more;

	for (size_t i = 0; read && i < f->op.count; i++)
		again(r, &f->op.rows[i]);
	r->fetching = false; /* not sooner: who is done already must not fetch the same */
	r->backlog_later |= !read;
	/* what was skipped (its connection is gone) must not hide what comes behind it */
	r->fetch_after = more && f->op.count ? f->op.rows[f->op.count - 1].id : (struct id){{0}};
	if (r->left_behind)
		left(r, &r->left);
	else if (read && !more)
		caught_up(r);
	if (more && id_is_zero(&r->fetch_after)) /* from the beginning: not at once and for ever */
		r->backlog_later = true;
	else
		r->backlog |= more;
	arena_destroy(f->op.arena);
	free(f);
	read_held(r);
}

static void fetched(struct store_op *op)
{
	struct fetch *f = op->user;
	f->item.run = fetched_here;
	runner_post(f->runner, &f->item);
}

void intake_fetch(struct runner *r)
{
	struct fetch *f;

	if (r->fetching || r->draining || r->options.only_ours ||
		intakes_reading(r) > NORMALIZE_MAX / 2)
		return; /* the tick asks again */
	f = calloc(1, sizeof(*f));
	if (!f || !(f->op.arena = arena_create(FETCH_MEMORY))) {
		free(f);
		return; /* asked again with the next tick */
	}
	r->backlog = false;
	r->fetching = true;
	r->left_behind = false;
	f->runner = r;
	f->op.op.done = fetched;
	f->op.op.user = f;
	f->op.limit = FETCH;
	f->op.after = r->fetch_after;
	store_pending_inbox(r->store, &f->op);
}
