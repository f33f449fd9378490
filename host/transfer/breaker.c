/* breaker.c - see breaker.h. Never blocks, allocates or looks at a clock. Runs on the loop's
 * thread, like all of this room. */
#include "transfer/breaker.h"

#include <assert.h>
#include <string.h>

/* While a probe is out nobody knows when it ends; this is how soon the others may ask again. */
#define PROBE_RETRY_MS 1000
#define LONGEST_FACTOR 10

void breaker_init(struct breaker *breaker)
{
	static const struct transfer_limits defaults;

	memset(breaker, 0, sizeof(*breaker));
	breaker_limit(breaker, &defaults);
}

void breaker_limit(struct breaker *breaker, const struct transfer_limits *limits)
{
	breaker->window_ms = limits->breaker.window_ms ? limits->breaker.window_ms : 60000;
	breaker->min_volume = limits->breaker.min_volume ? limits->breaker.min_volume : 10;
	breaker->open_ms = limits->breaker.open_ms ? limits->breaker.open_ms : 30000;
	breaker->failure_rate =
		limits->breaker.failure_rate > 0 ? limits->breaker.failure_rate : 0.5;
}

static int64_t slice_number(const struct breaker *breaker, int64_t now_ms)
{
	int64_t length = breaker->window_ms / BREAKER_SLICES;

	return now_ms / (length > 0 ? length : 1);
}

static void note(struct breaker *breaker, int64_t now_ms, bool good)
{
	int64_t number = slice_number(breaker, now_ms);
	unsigned i = (unsigned)(number % BREAKER_SLICES);

	if (breaker->slices[i].number != number) {
		breaker->slices[i].number = number;
		breaker->slices[i].failures = breaker->slices[i].successes = 0;
	}
	if (good)
		breaker->slices[i].successes++;
	else
		breaker->slices[i].failures++;
}

void breaker_count(
	const struct breaker *breaker, int64_t now_ms, uint32_t *failures, uint32_t *successes)
{
	int64_t number = slice_number(breaker, now_ms);

	*failures = *successes = 0;
	for (unsigned i = 0; i < BREAKER_SLICES; i++) {
		if (breaker->slices[i].number <= number - BREAKER_SLICES ||
			breaker->slices[i].number > number)
			continue;
		*failures += breaker->slices[i].failures;
		*successes += breaker->slices[i].successes;
	}
}

static bool too_many_failures(const struct breaker *breaker, int64_t now_ms)
{
	uint32_t failures, successes;

	breaker_count(breaker, now_ms, &failures, &successes);
	if (failures + successes < breaker->min_volume)
		return false;
	return (double)failures >= breaker->failure_rate * ((double)failures + successes);
}

static void open_up(struct breaker *breaker, int64_t now_ms)
{
	uint32_t factor = breaker->opened < 4 ? 1u << breaker->opened : LONGEST_FACTOR;

	if (factor > LONGEST_FACTOR)
		factor = LONGEST_FACTOR;
	breaker->state = BREAKER_OPEN;
	breaker->until_ms = now_ms + (int64_t)breaker->open_ms * factor;
	breaker->opened++;
	breaker->probing = false;
}

static void close_up(struct breaker *breaker)
{
	breaker->state = BREAKER_CLOSED;
	breaker->until_ms = 0;
	breaker->opened = 0;
	breaker->probing = false;
	/* What went wrong before must not count against a peer that is well again. */
	memset(breaker->slices, 0, sizeof(breaker->slices));
}

enum breaker_leave breaker_ask(
	struct breaker *breaker, int64_t now_ms, int64_t *retry_ms, bool *changed)
{
	*changed = false;
	*retry_ms = 0;
	if (breaker->state == BREAKER_CLOSED)
		return BREAKER_PASS;
	if (breaker->state == BREAKER_OPEN) {
		if (now_ms < breaker->until_ms) {
			*retry_ms = breaker->until_ms - now_ms;
			return BREAKER_REFUSE;
		}
		breaker->state = BREAKER_HALF_OPEN;
		breaker->until_ms = 0;
		*changed = true;
	}
	if (breaker->probing) {
		*retry_ms = PROBE_RETRY_MS;
		return BREAKER_REFUSE;
	}
	breaker->probing = true;
	return BREAKER_PROBE;
}

bool breaker_result(struct breaker *breaker, int64_t now_ms, bool good, bool probe)
{
	note(breaker, now_ms, good);
	if (breaker->state == BREAKER_HALF_OPEN && probe) {
		if (good)
			close_up(breaker);
		else
			open_up(breaker, now_ms);
		return true;
	}
	/* Answers of requests sent before it opened change nothing: only the probe decides. */
	if (breaker->state != BREAKER_CLOSED || good || !too_many_failures(breaker, now_ms))
		return false;
	open_up(breaker, now_ms);
	return true;
}

void breaker_release(struct breaker *breaker)
{
	breaker->probing = false;
}

void breaker_restore(
	struct breaker *breaker, int64_t now_ms, enum breaker_state state, int64_t until_ms)
{
	assert(state == BREAKER_CLOSED || state == BREAKER_OPEN || state == BREAKER_HALF_OPEN);
	close_up(breaker);
	if (state == BREAKER_CLOSED)
		return;
	/* A probe that was out when we went down proved nothing: ask again at once. */
	breaker->state = BREAKER_OPEN;
	breaker->opened = 1;
	breaker->until_ms = state == BREAKER_OPEN ? until_ms : now_ms;
	/* A clock that jumped must not keep it open for days. */
	if (breaker->until_ms > now_ms + (int64_t)breaker->open_ms * LONGEST_FACTOR)
		breaker->until_ms = now_ms + (int64_t)breaker->open_ms * LONGEST_FACTOR;
}
