/* fuzz.c - changed samples, one after another, as fast as they go, for as long as was asked.
 *
 * Runs in children; a new one goes on where the one before has died. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "plugin/conform/kit.h"

#define CHANGES_MOST 3u
#define BATCH 1024u /* changed inputs of one sample before the next: taking one apart costs */

static bool time_is_up(const struct child *child)
{
	return clock_mono_ms() >= child->kit->fuzz_until_ms;
}

/* The change of that number, of the same seed, is the same each time. */
static bool changed(struct child *child, struct arena *arena, struct known_spans *known,
	uint64_t number, struct input *input)
{
	uint64_t random = child->kit->options->seed ^ number * UINT64_C(0xd1342543de82ef95);
	uint64_t changes = 1 + kit_random(&random) % CHANGES_MOST;
	bool any = false;

	while (changes--)
		any |= damage_known(arena, known, &random, input);
	return any;
}

static void one(struct child *child, struct arena *arena, struct known_spans *known,
	const struct input *as_it_is, uint64_t number)
{
	struct input input = *as_it_is;
	struct plugin_out out;

	if (input.in.kind == PLUGIN_STEP && input.in.step.response)
		input.in.step.response = &input.response;
	arena_reset(arena);
	if (!changed(child, arena, known, number, &input))
		return;
	child_call(child, &input, &out);
	if (out.status == PLUGIN_OK || out.error.code != E_NOMEM)
		child_sound(child, &input, &out);
}

static void know_text(struct known_spans *known, struct arena *arena, struct str text)
{
	if (text.ptr && spans_of(arena, text, &known->list[known->count]))
		known->count++;
}

/* Taking a text apart costs more than changing it, so it is done once for all of a batch. */
static void know(struct known_spans *known, struct arena *arena, const struct input *input)
{
	const struct plugin_in *in = &input->in;

	known->count = 0;
	if (in->kind == PLUGIN_VERIFY || in->kind == PLUGIN_NORMALIZE)
		know_text(known, arena, in->inbound.body);
	if (in->kind == PLUGIN_REPLY) {
		know_text(known, arena, in->reply.inbound.body);
		know_text(known, arena, in->reply.result);
	}
	if (in->kind == PLUGIN_STEP) {
		know_text(known, arena, in->step.input);
		if (in->step.response)
			know_text(known, arena, in->step.response->body);
	}
}

/* item: the round. A number tells sample and change, so that a death can be told and passed by. */
static void rounds(struct child *child, uint32_t item)
{
	struct arena *arena = arena_create((size_t)64 << 20);
	uint32_t i, n, count = child->kit->sample_count;
	struct known_spans known;
	struct input input;

	arena_keep(arena, (size_t)1 << 20);
	for (i = item % count; !time_is_up(child); i = (i + 1) % count, item++) {
		atomic_store(&child->shared->item, item);
		if (!child_take(child, i, &input))
			continue;
		know(&known, child->decode, &input);
		for (n = child->first_part; n < BATCH && (n % 64 || !time_is_up(child)); n++) {
			atomic_store_explicit(&child->shared->part, n, memory_order_relaxed);
			if (n % 64 == 0 || n == child->first_part)
				snprintf(child->shared->doing, sizeof(child->shared->doing),
					"%s, fuzzed with seed %llu", kit_sample_name(child->kit, i),
					(unsigned long long)child->kit->options->seed);
			one(child, arena, &known, &input, (uint64_t)item * BATCH + n);
		}
		child->first_part = 0;
	}
	arena_destroy(arena);
}

/* Of the children that have ended. */
static uint64_t cpu_ms(void)
{
	struct rusage used;

	if (getrusage(RUSAGE_CHILDREN, &used) != 0)
		return 0;
	return (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000 +
	       (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1000;
}

static unsigned long long rate(uint64_t calls, uint64_t ms)
{
	return calls * 1000 / (ms ? ms : 1);
}

void check_fuzz(struct kit *kit)
{
	const struct probe probe = {.check = "fuzz",
		.items = UINT32_MAX,
		.endless = true,
		.run = rounds,
		.dead = "whatever comes in, do not crash and do not loop"};
	uint64_t calls = atomic_load(&kit->shared->calls), cpu = cpu_ms();
	int64_t began = clock_mono_ms();

	if (!kit->sample_count)
		return;
	kit->fuzz_until_ms = began + kit->options->fuzz_ms;
	probe_run(kit, &probe);
	calls = atomic_load(&kit->shared->calls) - calls;
	kit->note = arena_printf(kit->arena, "%llu calls/s, %llu in a second of processor time",
		rate(calls, (uint64_t)(clock_mono_ms() - began)), rate(calls, cpu_ms() - cpu));
}
