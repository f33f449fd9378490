/* lane.c - see lane.h. Never starts or ends a request: it only says which and when. */
#include "transfer/lane.h"

#include <stdlib.h>
#include <string.h>

void list_append(struct request_list *list, struct transfer_request *request)
{
	request->own.prev = list->last;
	request->own.next = NULL;
	if (list->last)
		list->last->own.next = request;
	else
		list->first = request;
	list->last = request;
}

void list_remove(struct request_list *list, struct transfer_request *request)
{
	if (request->own.prev)
		request->own.prev->own.next = request->own.next;
	else
		list->first = request->own.next;
	if (request->own.next)
		request->own.next->own.prev = request->own.prev;
	else
		list->last = request->own.prev;
	request->own.prev = request->own.next = NULL;
}

struct transfer_lane *lane_create(const char *key, int64_t now_us)
{
	static const struct transfer_limits defaults;
	struct transfer_lane *lane = calloc(1, sizeof(*lane));

	if (!lane)
		return NULL;
	lane->key = strdup(key);
	if (!lane->key) {
		free(lane);
		return NULL;
	}
	lane->tokens_at_us = now_us;
	lane->next_expiry_ms = INT64_MAX;
	breaker_init(&lane->breaker);
	lane_limit(lane, &defaults);
	return lane;
}

void lane_destroy(struct transfer_lane *lane)
{
	if (!lane)
		return;
	free(lane->key);
	free(lane);
}

void lane_limit(struct transfer_lane *lane, const struct transfer_limits *limits)
{
	double before = lane->burst;
	double burst = limits->burst > 0 ? limits->burst : limits->rate_per_s;

	lane->rate_per_s = limits->rate_per_s > 0 ? limits->rate_per_s : 0;
	lane->burst = burst >= 1 ? burst : 1;
	/* A new lane starts full. One whose limits change on reload gets no fresh tokens, or
	 * every reload would be a way around the limit. */
	if (before <= 0)
		lane->tokens = lane->burst;
	else if (lane->tokens > lane->burst)
		lane->tokens = lane->burst;
	lane->concurrency = limits->concurrency ? limits->concurrency : 32;
	lane->queue = limits->queue ? limits->queue : 1000;
	lane->max_wait_ms = limits->max_wait_ms ? limits->max_wait_ms : 60000;
	breaker_limit(&lane->breaker, limits);
}

void lane_push(struct transfer_lane *lane, struct transfer_request *request)
{
	list_append(request->urgent ? &lane->urgent : &lane->ordinary, request);
	lane->queued++;
	lane->queued_urgent += request->urgent;
	if (request->own.wait_until_ms < lane->next_expiry_ms)
		lane->next_expiry_ms = request->own.wait_until_ms;
}

struct transfer_request *lane_first(const struct transfer_lane *lane)
{
	return lane->urgent.first ? lane->urgent.first : lane->ordinary.first;
}

void lane_drop(struct transfer_lane *lane, struct transfer_request *request)
{
	list_remove(request->urgent ? &lane->urgent : &lane->ordinary, request);
	lane->queued--;
	lane->queued_urgent -= request->urgent;
	if (!lane->queued)
		lane->next_expiry_ms = INT64_MAX;
}

static struct transfer_request *earliest(struct transfer_request *a, struct transfer_request *list)
{
	for (; list; list = list->own.next) {
		if (!a || list->own.wait_until_ms < a->own.wait_until_ms)
			a = list;
	}
	return a;
}

struct transfer_request *lane_expired(struct transfer_lane *lane, int64_t now_ms)
{
	if (now_ms < lane->next_expiry_ms)
		return NULL;
	struct transfer_request *first =
		earliest(earliest(NULL, lane->urgent.first), lane->ordinary.first);
	lane->next_expiry_ms = first ? first->own.wait_until_ms : INT64_MAX;
	if (!first || now_ms < lane->next_expiry_ms)
		return NULL;
	lane_drop(lane, first);
	return first;
}

static void refill(struct transfer_lane *lane, int64_t now_us)
{
	if (now_us > lane->tokens_at_us)
		lane->tokens += (double)(now_us - lane->tokens_at_us) / 1e6 * lane->rate_per_s;
	if (lane->tokens > lane->burst)
		lane->tokens = lane->burst;
	lane->tokens_at_us = now_us;
}

/* A token that is a millionth short counts, or rounding would make it wait once more. */
#define WHOLE_TOKEN 0.999999

int64_t lane_wait_ms(struct transfer_lane *lane, int64_t now_us)
{
	int64_t pause = lane->paused_until_ms - now_us / 1000;
	int64_t wait = 0;

	if (lane->rate_per_s > 0) {
		refill(lane, now_us);
		if (lane->tokens < WHOLE_TOKEN)
			wait = (int64_t)((1 - lane->tokens) / lane->rate_per_s * 1000) + 1;
	}
	return pause > wait ? pause : wait;
}

void lane_spend(struct transfer_lane *lane)
{
	if (lane->rate_per_s > 0)
		lane->tokens -= 1;
}

int64_t lane_forecast_ms(struct transfer_lane *lane, int64_t now_us, bool urgent)
{
	int64_t pause = lane->paused_until_ms - now_us / 1000, wait = 0;
	uint32_t before = urgent ? lane->queued_urgent : lane->queued;

	if (lane->rate_per_s > 0) {
		refill(lane, now_us);
		double missing = before + 1 - lane->tokens;
		if (missing > 1 - WHOLE_TOKEN)
			wait = (int64_t)(missing / lane->rate_per_s * 1000);
	}
	return pause > wait ? pause : wait;
}

void lane_pause(struct transfer_lane *lane, int64_t until_ms)
{
	if (until_ms > lane->paused_until_ms)
		lane->paused_until_ms = until_ms;
}
