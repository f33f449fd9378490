/* generations.c - generations of the configuration: each is stored before anything runs by it, and
 * a job goes on by the one that it began with. The runner's thread, but for generation_save(). */
#include "pipeline/runner_i.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/latch.h"

#define PLANS_KEPT 8 /* former generations */

struct plan_means generation_means(struct runner *r)
{
	return (struct plan_means){r->plugins, r->transfer, r->engine};
}

static void stored(struct store_op *op)
{
	latch_open(op->user);
}

int generation_save(
	struct error *error, struct store *store, const struct config *config, uint64_t *generation)
{
	struct latch latch;
	struct store_save_generation op = {
		.op = {.done = stored, .user = &latch}, .text = config_snapshot(config)};

	latch_init(&latch);
	store_save_generation(store, &op);
	latch_wait(&latch);
	if (op.op.result < 0 && error)
		*error = op.op.error;
	*generation = op.generation;
	return op.op.result;
}

/* The latest few stay at hand; an older one that nothing runs by is read from the store again if a
 * stored job still needs it. */
int generation_keep(struct error *error, struct runner *r, struct plan *plan)
{
	struct plan **old;

	for (size_t i = 0; r->old_count >= PLANS_KEPT && i < r->old_count; i++)
		if (r->old[i]->refs == 1) {
			plan_unref(r->old[i]);
			memmove(&r->old[i], &r->old[i + 1], (--r->old_count - i) * sizeof(*r->old));
			break;
		}
	old = realloc(r->old, (r->old_count + 1) * sizeof(*old));
	if (!old)
		return error_set(error, E_NOMEM, "no memory to keep a former configuration");
	r->old = old;
	r->old[r->old_count++] = plan;
	return 0;
}

static struct plan *revive(struct runner *r, uint64_t generation, struct error *error)
{
	struct plan_means m = generation_means(r);
	struct arena *arena = arena_create(RUN_MEMORY);
	const struct config *config;
	struct plan *plan = NULL;
	struct str text;

	if (arena && r->options.revive &&
		store_get_generation(error, r->reader, generation, arena, &text) == 0) {
		config = r->options.revive(r->options.user, error, text);
		plan = config ? plan_create(error, config, generation, &m) : NULL;
		config_unref(config);
	}
	arena_destroy(arena);
	if (plan && generation_keep(error, r, plan) < 0) {
		plan_unref(plan);
		plan = NULL;
	}
	return plan;
}

struct plan *runner_plan(struct runner *r, uint64_t generation, struct error *error)
{
	struct plan *plan;

	if (r->plan->generation == generation)
		return r->plan;
	for (size_t i = 0; i < r->old_count; i++)
		if (r->old[i]->generation == generation)
			return r->old[i];
	if (generation == r->unusable) { /* not read anew for each of its jobs */
		error_set(error, E_INVALID, "generation %llu cannot be used any more",
			(unsigned long long)generation);
		return NULL;
	}
	plan = revive(r, generation, error);
	if (!plan)
		r->unusable = generation;
	return plan;
}

void generations_drop(struct runner *r)
{
	plan_unref(r->plan);
	r->plan = NULL;
	for (size_t i = 0; i < r->old_count; i++)
		plan_unref(r->old[i]);
	r->old_count = 0;
	free(r->old);
	r->old = NULL;
}
