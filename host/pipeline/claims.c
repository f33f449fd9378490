/* claims.c - which jobs are due: asked of the store when the next one is, as many as there is room
 * for, and handed to job.c. Never runs one. The runner's thread, but for runner_nudge(). */
#include "pipeline/runner_i.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "pipeline/job_i.h"

#define CLAIM_MEMORY ((size_t)256 * 1024 * 1024)

struct claim {
	struct mailbox_item item;
	struct runner *runner;
	struct store_claim op;
};

static void on_claim_timer(uv_timer_t *timer)
{
	struct runner *r = timer->data;

	r->claim_wanted = true;
	runner_claim(r);
}

static void arm(struct runner *r)
{
	int64_t wait = r->next_due_ms - clock_now_ms();

	if (r->next_due_ms == INT64_MAX) {
		uv_timer_stop(&r->claim_timer);
		return;
	}
	/* not longer than a minute: the wall clock may jump */
	uv_timer_start(&r->claim_timer, on_claim_timer,
		(uint64_t)(wait < 1       ? 1
			   : wait > 60000 ? 60000
					  : wait),
		0);
}

static void claimed_here(struct mailbox_item *item)
{
	struct claim *c = (struct claim *)item;
	struct runner *r = c->runner;

	r->claiming = false;
	/* Jobs too big to be had together are had one after another. */
	r->claim_limit = c->op.op.result == E_NOMEM ? (c->op.limit + 1) / 2 : RUNS_MAX;
	if (c->op.op.result < 0) {
		log_line(LOG_ERROR, "jobs cannot be read", "reason", c->op.op.error.text, NULL);
		r->next_due_ms = clock_now_ms() + TICK_MS;
	} else {
		r->next_due_ms = c->op.next_due_ms;
		r->claim_wanted |= c->op.count == c->op.limit;
		for (size_t i = 0; i < c->op.count; i++)
			job_begin(r, &c->op.claimed[i].job, &c->op.claimed[i].event);
	}
	arm(r);
	arena_destroy(c->op.arena);
	free(c);
	runner_claim(r);
}

static void claimed(struct store_op *op)
{
	struct claim *c = op->user;
	c->item.run = claimed_here;
	runner_post(c->runner, &c->item);
}

void runner_claim(struct runner *r)
{
	struct claim *c;

	if (!r->claim_wanted || r->claiming || r->draining || r->options.only_ours || !jobs_room(r))
		return;
	c = calloc(1, sizeof(*c));
	if (!c || !(c->op.arena = arena_create(CLAIM_MEMORY))) {
		free(c);
		return;
	}
	r->claim_wanted = false;
	r->claiming = true;
	c->runner = r;
	c->op.op.done = claimed;
	c->op.op.user = c;
	c->op.now_ms = clock_now_ms();
	c->op.limit = jobs_room(r);
	if (r->claim_limit && c->op.limit > r->claim_limit)
		c->op.limit = r->claim_limit;
	store_claim(r->store, &c->op);
}

static void nudged(struct mailbox_item *item)
{
	struct nudge {
		struct mailbox_item item;
		struct runner *runner;
	} *n = (struct nudge *)item;

	n->runner->claim_wanted = true;
	n->runner->backlog = true;
	runner_claim(n->runner);
	intake_fetch(n->runner);
	free(n);
}

void runner_nudge(struct runner *r)
{
	struct nudge {
		struct mailbox_item item;
		struct runner *runner;
	} *n = calloc(1, sizeof(*n));

	if (!n) {
		atomic_store(&r->nudged, true);
		return;
	}
	n->item.run = nudged;
	n->runner = r;
	runner_post(r, &n->item);
}

/* ---- What is mended need not be waited for ------------------------------------------------ */

static void hastened(struct store_op *op)
{
	free(op->user); /* if it failed, they are due later by themselves */
}

/* Jobs that wait because of such a failure are claimed with the next claim. */
void runner_hasten(struct runner *r, const char *fail)
{
	struct store_hasten_jobs *op = calloc(1, sizeof(*op));

	if (!op)
		return;
	op->fail = str_of(fail);
	op->op.done = hastened;
	op->op.user = op;
	store_hasten_jobs(r->store, op);
	r->claim_wanted = true;
}
