/* reading.c - what a stored webhook means: the plugin normalizes it, its events and their jobs are
 * the second commit. Whatever happens here, its raw row is on disk: NEW until this is through, and
 * found again by intake_fetch(). Runner's thread; finished() is the writer's and only hands over.
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
		backlog_left(in->runner, &in->row.id);
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
	else
		intake_normalize(in);
}

void intake_not_read(struct intake *in)
{
	in->runner->backlog_later = true;
	backlog_left(in->runner, &in->row.id);
	if (in->caller.hook)
		caller_refuse(&in->caller, in->call.out.error.code ? in->call.out.error.text
								   : "there is no memory for it");
	/* A worker died on it, and there is no other yet: forgotten, it could kill for ever. */
	if (in->row.kills != in->finish.kills && !intake_waits(in)) {
		finish(in, INBOX_NEW, "");
		return;
	}
	if (in->call.out.status == PLUGIN_NOT_RUN && !intake_waits(in))
		backlog_behind(in);
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
		intake_not_read(in);
		return;
	case PLUGIN_FAILED:
		if (c->out.error.code == E_NOMEM)
			intake_not_read(in);
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
		intake_not_read(in);
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

void intake_normalize(struct intake *in)
{
	if (in->connection->config->info->can_normalize)
		intake_call(in, PLUGIN_NORMALIZE, normalized);
	else
		finish(in, INBOX_IGNORED, "the plugin makes no events");
}

void intake_park(struct intake *in, const char *reason)
{
	finish(in, INBOX_PARKED, reason);
}
