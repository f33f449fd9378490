/* fuzz.c - changed samples, one after another, as fast as they go, for as long as was asked.
 *
 * Runs in children; a new one goes on where the one before has died. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "plugin/conform/kit.h"

#define CHANGES_MOST 3u
#define BATCH 1024u /* changed inputs of one sample before the next: taking one apart costs */

static bool time_is_up(const struct child *child)
{
	return clock_mono_ms() >= child->kit->fuzz_until_ms;
}

/* The change of that number, of the same seed, is the same each time. */
static bool changed(struct child *child, struct arena *arena, uint64_t number, struct input *input)
{
	uint64_t random = child->kit->options->seed ^ number * UINT64_C(0xd1342543de82ef95);
	uint64_t changes = 1 + kit_random(&random) % CHANGES_MOST;
	bool any = false;

	while (changes--)
		any |= damage_any(arena, &random, input);
	return any;
}

static void one(
	struct child *child, struct arena *arena, const struct input *as_it_is, uint64_t number)
{
	struct input input = *as_it_is;
	struct plugin_out out;

	if (input.in.kind == PLUGIN_STEP && input.in.step.response)
		input.in.step.response = &input.response;
	arena_reset(arena);
	if (!changed(child, arena, number, &input))
		return;
	child_call(child, &input, &out);
	if (out.status == PLUGIN_OK || out.error.code != E_NOMEM)
		child_sound(child, &input, &out);
}

/* item: the round. A number tells sample and change, so that a death can be told and passed by. */
static void rounds(struct child *child, uint32_t item)
{
	struct arena *arena = arena_create((size_t)64 << 20);
	uint32_t i, n, count = child->kit->sample_count;
	struct input input;

	for (i = item % count; !time_is_up(child); i = (i + 1) % count, item++) {
		atomic_store(&child->shared->item, item);
		if (!child_take(child, i, &input))
			continue;
		for (n = child->first_part; n < BATCH && (n % 64 || !time_is_up(child)); n++) {
			atomic_store_explicit(&child->shared->part, n, memory_order_relaxed);
			if (n % 64 == 0 || n == child->first_part)
				snprintf(child->shared->doing, sizeof(child->shared->doing),
					"%s, fuzzed with seed %llu", kit_sample_name(child->kit, i),
					(unsigned long long)child->kit->options->seed);
			one(child, arena, &input, (uint64_t)item * BATCH + n);
		}
		child->first_part = 0;
	}
	arena_destroy(arena);
}

void check_fuzz(struct kit *kit)
{
	const struct probe probe = {.check = "fuzz",
		.items = UINT32_MAX,
		.endless = true,
		.run = rounds,
		.dead = "whatever comes in, do not crash and do not loop"};
	uint64_t before = atomic_load(&kit->shared->calls);
	int64_t began = clock_mono_ms(), took;

	if (!kit->sample_count)
		return;
	kit->fuzz_until_ms = began + kit->options->fuzz_ms;
	probe_run(kit, &probe);
	took = clock_mono_ms() - began;
	kit->note = arena_printf(kit->arena, "%llu calls/s",
		(unsigned long long)((atomic_load(&kit->shared->calls) - before) * 1000 /
				     (uint64_t)(took > 0 ? took : 1)));
}
