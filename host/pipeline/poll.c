/* poll.c - operations that run by the clock: poll_OP = 5m of a connection. Runner's thread.
 *
 * A schedule adds a job whose dedupe names its time slot, so that a restart or two ticks never
 * poll twice for one slot, and a poll that is still running is not overtaken (order key). Also
 * watches the clock itself.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "pipeline/job.h"
#include "pipeline/pause.h"
#include "pipeline/route.h"
#include "pipeline/runner_i.h"

#define TICK_MS 1000

struct poll_add {
	struct mailbox_item item;
	struct runner *runner;
	struct arena *arena;
	struct plan *plan;
	struct store_add_jobs op;
	struct job_row job;
};

static void added_here(struct mailbox_item *item)
{
	struct poll_add *add = (struct poll_add *)item;

	if (add->op.op.result < 0)
		log_line(LOG_ERROR, "poll not scheduled", "connection", add->job.connection.ptr,
			"reason", add->op.op.error.text, NULL);
	else if (add->op.added)
		jobs_stored(add->runner, add->plan, NULL, &add->job, 1);
	runner_claim(add->runner);
	plan_unref(add->plan);
	arena_destroy(add->arena);
}

static void added(struct store_op *op)
{
	struct poll_add *add = op->user;
	add->item.run = added_here;
	runner_post(add->runner, &add->item);
}

static void fill(struct poll_add *add, const struct plan_poll *poll, int64_t slot, int64_t now)
{
	const struct config_connection *c = poll->connection->config;
	char *correlation = arena_alloc(add->arena, ID_TEXT);

	char set[32] = ""; /* slots that come again after the clock was put back are others */

	if (add->runner->clock_put_back_ms)
		snprintf(set, sizeof(set), "/%lld", (long long)add->runner->clock_put_back_ms);
	add->job = (struct job_row){
		.id = id_new(),
		.tenant = route_owner(c->tenant),
		.connection = str_of(c->full),
		.op = str_of(poll->config->op),
		.input = STR("{}"),
		.dedupe = str_of(arena_printf(add->arena, "poll/%s/%s/%lld%s", c->full,
			poll->config->op, (long long)slot, set)),
		.order_key =
			str_of(arena_printf(add->arena, "poll/%s/%s", c->full, poll->config->op)),
		.state = JOB_READY,
		.due_ms = now,
		.created_ms = now,
		.updated_ms = now,
		.generation = add->plan->generation,
	};
	add->job.subject = add->job.order_key;
	if (correlation)
		id_text(correlation, &add->job.id);
	add->job.correlation = str_of(correlation);
}

/* False: no memory; the next tick tries again. */
static bool schedule(struct runner *r, const struct plan_poll *poll, int64_t slot, int64_t now)
{
	struct arena *arena = arena_create(65536);
	struct poll_add *add = arena ? arena_alloc(arena, sizeof(*add)) : NULL;

	if (!add) {
		arena_destroy(arena);
		return false;
	}
	add->arena = arena;
	add->runner = r;
	add->plan = plan_ref(r->plan);
	fill(add, poll, slot, now);
	if (arena_failed(arena)) { /* without its keys it would not be the only one */
		plan_unref(add->plan);
		arena_destroy(arena);
		return false;
	}
	add->op.op.done = added;
	add->op.op.user = add;
	add->op.jobs = &add->job;
	add->op.job_count = 1;
	add->op.claim = r->runs < RUNS_MAX;
	store_add_jobs(r->store, &add->op);
	return true;
}

static void tick(uv_timer_t *timer)
{
	struct runner *r = timer->data;
	int64_t now = clock_now_ms();

	for (size_t i = 0; i < r->plan->poll_count && !r->draining; i++) {
		struct plan_poll *poll = &r->plan->polls[i];
		int64_t slot = now / poll->config->every_ms;
		if (slot != poll->last_slot && schedule(r, poll, slot, now))
			poll->last_slot = slot;
	}
}

/* What was to wait for a moment does not wait for as long as the clock was put back. A few times,
 * since what was under way then may be stored later. */
static void clock_put_back(struct runner *r)
{
	pauses_end(r);
	r->clock_put_back_ms = clock_now_ms();
	r->hasten_ticks = 5;
}

/* Set by more than a second since the last tick, or for a moment in between. What is due by the new
 * time is due now. */
void polls_watch_clock(struct runner *r)
{
	int64_t now = clock_now_ms(), ahead = now - clock_mono_ms();
	int64_t leap = ahead - r->clock_ahead_ms;
	bool back = leap < -CLOCK_SLACK_MS || r->latest_ms > now + CLOCK_SLACK_MS;
	char text[32];

	r->clock_ahead_ms = ahead;
	r->latest_ms = now;
	if (back)
		clock_put_back(r);
	if (back || leap > CLOCK_SLACK_MS) {
		snprintf(text, sizeof(text), "%lld", (long long)leap);
		log_line(LOG_WARN, "the clock was set", "by_ms", text, NULL);
		r->even_since_ms = now;
		r->claim_wanted = true;
	}
	if (r->hasten_ticks) {
		r->hasten_ticks--;
		runner_hasten(r, "");
	}
}

void polls_start(struct runner *r)
{
	if (r->plan->poll_count)
		uv_timer_start(&r->poll_timer, tick, 0, TICK_MS);
	else
		uv_timer_stop(&r->poll_timer);
}
