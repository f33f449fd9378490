/* transfer.c - see transfer.h: takes requests in, lets them out of their lanes in turn, accounts
 * for what came of them. Never blocks and never repeats a request. Runs on the loop's thread only.
 */
#include "transfer/room.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A Retry-After of weeks is a mistake over there; the job runner asks again on its own terms. */
#define LONGEST_PAUSE_MS (3600 * 1000LL)
/* libcurl's handles kept when nothing is under way; a rush makes more and they go with it. */
#define KEPT_SLOTS 16

static int64_t wall_ms(const struct transfer *transfer)
{
	return transfer->now_ms ? transfer->now_ms(transfer->user) : clock_now_ms();
}

static int64_t to_wall(const struct transfer *transfer, int64_t mono_ms)
{
	return mono_ms - clock_mono_ms() + wall_ms(transfer);
}

/* ---- Breaker and lanes ------------------------------------------------------------------------
 */

static void report_breaker(struct transfer *transfer, struct transfer_lane *lane)
{
	uint32_t failures, successes;
	const struct breaker *breaker = &lane->breaker;

	if (!transfer->on_breaker)
		return;
	breaker_count(breaker, clock_mono_ms(), &failures, &successes);
	transfer->on_breaker(transfer->user, lane->key, breaker->state,
		breaker->state == BREAKER_OPEN ? to_wall(transfer, breaker->until_ms) : 0, failures,
		successes);
}

static struct transfer_lane *find_lane(struct transfer *transfer, const char *key)
{
	struct transfer_lane *lane = transfer->lanes;

	while (lane && strcmp(lane->key, key))
		lane = lane->next;
	return lane;
}

struct transfer_lane *transfer_lane(
	struct transfer *transfer, const char *key, const struct transfer_limits *limits)
{
	struct transfer_lane *lane = find_lane(transfer, key);

	if (!lane) {
		lane = lane_create(key, clock_mono_us());
		if (!lane)
			return NULL;
		lane->next = transfer->lanes;
		transfer->lanes = lane;
		lane->burst = 0; /* still new: the first limits fill it with tokens */
	}
	if (limits)
		lane_limit(lane, limits);
	return lane;
}

int transfer_restore_breaker(
	struct transfer *transfer, const char *key, enum breaker_state state, int64_t until_ms)
{
	struct transfer_lane *lane = transfer_lane(transfer, key, NULL);
	int64_t now_ms = clock_mono_ms();

	if (!lane)
		return E_NOMEM;
	breaker_restore(&lane->breaker, now_ms, state, until_ms - wall_ms(transfer) + now_ms);
	return 0;
}

static void visit_lane(struct transfer *transfer, struct transfer_lane *lane,
	void (*visit)(void *user, const struct transfer_lane_status *status), void *user)
{
	int64_t now_us = clock_mono_us();
	const struct breaker *breaker = &lane->breaker;
	struct transfer_lane_status status = {.key = lane->key,
		.breaker = breaker->state,
		.queued = lane->queued,
		.running = lane->running,
		.answered = lane->answered,
		.not_sent = lane->not_sent,
		.unknown = lane->unknown,
		.refused = lane->refused};

	lane_wait_ms(lane, now_us);
	status.tokens = lane->tokens;
	if (breaker->state == BREAKER_OPEN)
		status.until_ms = to_wall(transfer, breaker->until_ms);
	if (lane->paused_until_ms > now_us / 1000)
		status.paused_until_ms = to_wall(transfer, lane->paused_until_ms);
	breaker_count(breaker, now_us / 1000, &status.failures, &status.successes);
	visit(user, &status);
}

void transfer_each_lane(struct transfer *transfer,
	void (*visit)(void *user, const struct transfer_lane_status *status), void *user)
{
	for (struct transfer_lane *lane = transfer->lanes; lane; lane = lane->next)
		visit_lane(transfer, lane, visit, user);
}

/* ---- Ends of requests -------------------------------------------------------------------------
 */

static void count(struct transfer_lane *lane, uint32_t outcome)
{
	switch (outcome) {
	case KL_ANSWERED:
		lane->answered++;
		break;
	case KL_NOT_SENT:
		lane->not_sent++;
		break;
	case KL_UNKNOWN:
		lane->unknown++;
		break;
	default:
		lane->refused++;
	}
}

/* Without an attempt: done is called from the loop, not from whoever called us. */
static void end_later(struct transfer *transfer, struct transfer_request *request, uint32_t outcome,
	const char *reason)
{
	request->outcome = outcome;
	request->reason = reason;
	request->at_us.total = clock_mono_us() - request->own.submitted_us;
	request->own.place = PLACE_ENDED;
	count(request->lane, outcome);
	list_append(&transfer->ended, request);
	pump_later(transfer);
}

void room_later(struct transfer *transfer)
{
	struct request_list ended = transfer->ended;

	/* What is submitted from a callback and ends at once waits for the next round. */
	transfer->ended = (struct request_list){NULL, NULL};
	while (ended.first) {
		struct transfer_request *request = ended.first;

		list_remove(&ended, request);
		request->own.place = PLACE_NOWHERE;
		request->done(request);
	}
}

static struct slot *take_slot(struct transfer *transfer)
{
	struct slot *slot = transfer->free_slots;

	if (!slot)
		return slot_create(&transfer->setup);
	transfer->free_slots = slot->next_free;
	transfer->free_count--;
	return slot;
}

static void drop_slots(struct transfer *transfer, uint32_t keep)
{
	while (transfer->free_count > keep) {
		struct slot *slot = transfer->free_slots;

		transfer->free_slots = slot->next_free;
		transfer->free_count--;
		slot_destroy(slot);
	}
}

static void give_slot(struct transfer *transfer, struct slot *slot)
{
	slot_clear(slot);
	slot->next_free = transfer->free_slots;
	transfer->free_slots = slot;
	transfer->free_count++;
	if (!transfer->running)
		drop_slots(transfer, KEPT_SLOTS);
}

/* An answer that says "too many" or is too big for us proves that the peer is up. */
static bool is_peers_fault(const struct slot *slot)
{
	const struct transfer_request *request = slot->request;

	if (request->outcome == KL_NOT_SENT || request->status >= 500)
		return true;
	return request->outcome == KL_UNKNOWN && !slot->too_big;
}

/* ours: it failed here, which says nothing about the peer. */
static void judge_peer(struct transfer *transfer, struct slot *slot, bool ours)
{
	struct transfer_request *request = slot->request;
	struct transfer_lane *lane = request->lane;
	int64_t now_ms = clock_mono_ms();

	if ((request->status == 429 || request->status == 503) && request->retry_after_ms > 0)
		lane_pause(lane, now_ms + (request->retry_after_ms < LONGEST_PAUSE_MS
							  ? request->retry_after_ms
							  : LONGEST_PAUSE_MS));
	if (ours || slot->cancelled || request->outcome == KL_REFUSED) {
		if (slot->probe)
			breaker_release(&lane->breaker);
	} else if (breaker_result(&lane->breaker, now_ms, !is_peers_fault(slot), slot->probe)) {
		report_breaker(transfer, lane);
	}
}

/* Everything but the callback and the next one's turn. */
static void conclude(struct transfer *transfer, struct slot *slot, CURLcode code)
{
	struct transfer_request *request = slot->request;

	slot_conclude(slot, code, wall_ms(transfer), clock_mono_us());
	/* libcurl remembers what it was told of a name: the next try shall ask again. */
	if (slot_was_misled(slot))
		transfer->setup.doubt_until_ms = clock_mono_ms() + (SLOT_NAMES_S + 1) * 1000;
	judge_peer(transfer, slot, code == CURLE_OUT_OF_MEMORY);
	list_remove(&transfer->flying, request);
	request->own.slot = NULL;
	request->lane->running--;
	transfer->running--;
	give_slot(transfer, slot);
}

/* ---- The way out of a lane --------------------------------------------------------------------
 */

static void wait_for_place(struct transfer *transfer, struct transfer_lane *lane)
{
	if (lane->ready)
		return;
	lane->ready = true;
	lane->next_ready = NULL;
	*transfer->ready_end = lane;
	transfer->ready_end = &lane->next_ready;
}

static struct transfer_lane *next_ready(struct transfer *transfer)
{
	struct transfer_lane *lane = transfer->ready;

	if (!lane)
		return NULL;
	transfer->ready = lane->next_ready;
	if (!transfer->ready)
		transfer->ready_end = &transfer->ready;
	lane->ready = false;
	return lane;
}

/* False: the breaker does not let it, and it has been refused. */
static bool pass_breaker(
	struct transfer *transfer, struct transfer_request *request, struct slot *slot)
{
	struct transfer_lane *lane = request->lane;
	int64_t retry_ms;
	bool changed;
	enum breaker_leave leave =
		breaker_ask(&lane->breaker, clock_mono_ms(), &retry_ms, &changed);

	if (changed)
		report_breaker(transfer, lane);
	slot->probe = leave == BREAKER_PROBE;
	if (leave != BREAKER_REFUSE)
		return true;
	request->retry_after_ms = retry_ms;
	end_later(transfer, request, KL_REFUSED,
		"the circuit is open: too many requests to this peer failed lately");
	return false;
}

static void take_off(struct transfer *transfer, struct transfer_request *request, struct slot *slot)
{
	struct transfer_lane *lane = request->lane;

	lane_spend(lane);
	lane->running++;
	transfer->running++;
	request->own.place = PLACE_FLYING;
	request->own.slot = slot;
	request->started_ms = wall_ms(transfer);
	list_append(&transfer->flying, request);
	if (pump_add(transfer, slot))
		return;
	slot->cancelled = true; /* our fault, not the peer's */
	conclude(transfer, slot, CURLE_OUT_OF_MEMORY);
	count(lane, request->outcome);
	request->own.place = PLACE_ENDED;
	list_append(&transfer->ended, request);
	pump_later(transfer);
}

static void let_out(struct transfer *transfer, struct transfer_request *request)
{
	int64_t now_us = clock_mono_us();
	int64_t left_ms = request->deadline_ms ? request->deadline_ms - now_us / 1000 : INT32_MAX;
	struct slot *slot = take_slot(transfer);

	request->at_us.queue = now_us - request->own.submitted_us;
	if (!slot) {
		end_later(transfer, request, KL_NOT_SENT, "nothing was sent: no memory");
		return;
	}
	const char *problem = slot_prepare(slot, request, left_ms);
	if (problem && (slot->starved || arena_starved(slot->arena))) {
		end_later(transfer, request, KL_NOT_SENT, "nothing was sent: no memory");
		give_slot(transfer, slot);
	} else if (problem) {
		/* The sentence may stand in the slot's memory. */
		problem = arena_strndup(request->arena, problem, strlen(problem));
		end_later(transfer, request, KL_REFUSED,
			problem ? problem : "the request cannot be sent as it is");
		give_slot(transfer, slot);
	} else if (!pass_breaker(transfer, request, slot)) {
		give_slot(transfer, slot);
	} else {
		take_off(transfer, request, slot);
	}
}

static void expire(struct transfer *transfer, struct transfer_lane *lane)
{
	struct transfer_request *request;
	int64_t now_ms = clock_mono_ms();

	while ((request = lane_expired(lane, now_ms)))
		end_later(transfer, request, KL_NOT_SENT,
			"nothing was sent: it waited too long for its turn");
}

/* Lets out what may go; at most that many. */
static void run_lane(struct transfer *transfer, struct transfer_lane *lane, uint32_t most)
{
	struct transfer_request *request;

	while ((request = lane_first(lane)) && lane->running < lane->concurrency) {
		if (transfer->running >= transfer->max_total || !most--) {
			wait_for_place(transfer, lane);
			break;
		}
		int64_t now_us = clock_mono_us();
		int64_t wait_ms = lane_wait_ms(lane, now_us);
		if (wait_ms > 0) {
			pump_wake_at(transfer, now_us / 1000 + wait_ms);
			break;
		}
		lane_drop(lane, request);
		let_out(transfer, request);
	}
	if (lane->queued)
		pump_wake_at(transfer, lane->next_expiry_ms);
}

/* A place is free: lanes that were kept back take turns, so that one busy credential cannot keep
 * the others waiting. */
static void run_next(struct transfer *transfer, struct transfer_lane *lane)
{
	if (!transfer->ready) {
		run_lane(transfer, lane, UINT32_MAX);
		return;
	}
	if (lane->queued)
		wait_for_place(transfer, lane);
	while (transfer->running < transfer->max_total && (lane = next_ready(transfer)))
		run_lane(transfer, lane, 1);
}

void room_attempt_ended(struct transfer *transfer, struct slot *slot, CURLcode code)
{
	struct transfer_request *request = slot->request;
	struct transfer_lane *lane = request->lane;

	conclude(transfer, slot, code);
	count(lane, request->outcome);
	request->own.place = PLACE_NOWHERE;
	request->done(request);
	run_next(transfer, lane);
}

void room_wake(struct transfer *transfer)
{
	expire(transfer, transfer->open_lane);
	run_lane(transfer, transfer->open_lane, UINT32_MAX);
	for (struct transfer_lane *lane = transfer->lanes; lane; lane = lane->next) {
		if (!lane->queued)
			continue;
		expire(transfer, lane);
		run_lane(transfer, lane, UINT32_MAX);
	}
}

/* ---- The way in -------------------------------------------------------------------------------
 */

static void begin(struct transfer *transfer, struct transfer_request *request)
{
	assert(request->done && request->own.place == PLACE_NOWHERE);
	if (!request->lane)
		request->lane = transfer->open_lane;
	request->outcome = request->status = request->sends = 0;
	request->answer_headers = NULL;
	request->answer_header_count = 0;
	request->answer = (struct str){NULL, 0};
	request->retry_after_ms = request->started_ms = 0;
	request->reason = request->peer = NULL;
	memset(&request->at_us, 0, sizeof(request->at_us));
	request->own.transfer = transfer;
	request->own.slot = NULL;
	request->own.submitted_us = clock_mono_us();
	request->own.wait_until_ms = request->deadline_ms ? request->deadline_ms
							  : request->own.submitted_us / 1000 +
								    request->lane->max_wait_ms;
	request->url_redacted = transfer_redact(request->arena, request->url, request->auth.param);
}

/* Better told now than after a wait that is known to be in vain. */
static bool is_hopeless(struct transfer *transfer, struct transfer_request *request)
{
	struct transfer_lane *lane = request->lane;
	int64_t now_us = request->own.submitted_us, now_ms = now_us / 1000;
	int64_t wait_ms = lane_forecast_ms(lane, now_us, request->urgent);

	if (transfer->closing) {
		end_later(transfer, request, KL_NOT_SENT, "nothing was sent: shutting down");
	} else if (now_ms >= request->own.wait_until_ms) {
		end_later(transfer, request, KL_NOT_SENT,
			"nothing was sent: its deadline had passed already");
	} else if (lane->breaker.state == BREAKER_OPEN && now_ms < lane->breaker.until_ms) {
		request->retry_after_ms = lane->breaker.until_ms - now_ms;
		end_later(transfer, request, KL_REFUSED,
			"the circuit is open: too many requests to this peer failed lately");
	} else if (now_ms + wait_ms > request->own.wait_until_ms) {
		request->retry_after_ms = wait_ms;
		end_later(transfer, request, KL_REFUSED,
			lane->paused_until_ms > now_ms
				? "the peer asked us to wait longer than this request may"
				: "the rate limit of this credential is spent");
	} else if (lane->queued >= lane->queue) {
		end_later(transfer, request, KL_NOT_SENT,
			"nothing was sent: too many requests wait for this credential");
	} else {
		return false;
	}
	return true;
}

void transfer_submit(struct transfer *transfer, struct transfer_request *request)
{
	begin(transfer, request);
	if (is_hopeless(transfer, request))
		return;
	request->own.place = PLACE_QUEUED;
	lane_push(request->lane, request);
	run_lane(transfer, request->lane, UINT32_MAX);
}

void transfer_cancel(struct transfer_request *request)
{
	struct transfer *transfer = request->own.transfer;
	struct transfer_lane *lane = request->lane;

	assert(request->own.place != PLACE_NOWHERE);
	if (request->own.place == PLACE_QUEUED) {
		lane_drop(lane, request);
		end_later(transfer, request, KL_NOT_SENT, "nothing was sent: it was cancelled");
	} else if (request->own.place == PLACE_FLYING) {
		struct slot *slot = request->own.slot;

		slot->cancelled = true;
		pump_remove(transfer, slot);
		conclude(transfer, slot, CURLE_ABORTED_BY_CALLBACK);
		count(lane, request->outcome);
		request->own.place = PLACE_ENDED;
		list_append(&transfer->ended, request);
		pump_later(transfer);
		pump_wake_at(transfer, clock_mono_ms()); /* its place is free */
	}
}

/* ---- The room itself --------------------------------------------------------------------------
 */

static int copy_text(const char **out, const char *text)
{
	*out = text ? strdup(text) : NULL;
	return text && !*out ? -1 : 0;
}

static int take_options(
	struct error *error, struct transfer *transfer, const struct transfer_options *options)
{
	struct slot_setup *setup = &transfer->setup;

	transfer->max_total = options->max_total ? options->max_total : 256;
	transfer->on_breaker = options->on_breaker;
	transfer->now_ms = options->now_ms;
	transfer->user = options->user;
	setup->connect_timeout_ms =
		options->connect_timeout_ms ? options->connect_timeout_ms : 10000;
	setup->timeout_ms = options->timeout_ms ? options->timeout_ms : 30000;
	setup->max_header_bytes = options->max_header_bytes ? options->max_header_bytes : 65536;
	if (copy_text(&setup->user_agent, options->user_agent ? options->user_agent : "klinke") ||
		copy_text(&setup->ca_file, options->ca_file))
		return error_set(error, E_NOMEM, "no memory for outgoing requests");
	for (size_t i = 0; options->resolve && options->resolve[i]; i++) {
		struct curl_slist *longer = curl_slist_append(setup->resolve, options->resolve[i]);
		if (!longer)
			return error_set(error, E_NOMEM, "no memory for outgoing requests");
		setup->resolve = longer;
	}
	setup->egress = transfer->egress = egress_create(error, options->allow_private);
	return transfer->egress ? 0 : E_INVALID;
}

struct transfer *transfer_create(
	struct error *error, uv_loop_t *loop, const struct transfer_options *options)
{
	static const struct transfer_limits open_limits = {
		.concurrency = UINT32_MAX, .queue = 100000, .breaker = {.failure_rate = 2}};
	struct transfer *transfer = calloc(1, sizeof(*transfer));

	if (!transfer || curl_global_init(CURL_GLOBAL_DEFAULT)) {
		error_set(error, E_NOMEM, "no memory for outgoing requests");
		free(transfer);
		return NULL;
	}
	transfer->loop = loop;
	transfer->ready_end = &transfer->ready;
	transfer->open_lane = lane_create("", clock_mono_us());
	if (!transfer->open_lane || take_options(error, transfer, options) ||
		pump_init(error, transfer)) {
		if (!transfer->open_lane)
			error_set(error, E_NOMEM, "no memory for outgoing requests");
		room_free(transfer);
		return NULL;
	}
	lane_limit(transfer->open_lane, &open_limits);
	return transfer;
}

static void cancel_queue(struct transfer_lane *lane)
{
	struct transfer_request *request;

	while ((request = lane_first(lane)))
		transfer_cancel(request);
}

void transfer_destroy(struct transfer *transfer)
{
	if (!transfer)
		return;
	transfer->closing = true;
	cancel_queue(transfer->open_lane);
	for (struct transfer_lane *lane = transfer->lanes; lane; lane = lane->next)
		cancel_queue(lane);
	while (transfer->flying.first)
		transfer_cancel(transfer->flying.first);
	while (transfer->ended.first)
		room_later(transfer);
	drop_slots(transfer, 0);
	pump_finish(transfer);
}

void room_free(struct transfer *transfer)
{
	while (transfer->lanes) {
		struct transfer_lane *lane = transfer->lanes;

		transfer->lanes = lane->next;
		lane_destroy(lane);
	}
	lane_destroy(transfer->open_lane);
	egress_destroy(transfer->egress);
	curl_slist_free_all(transfer->setup.resolve);
	free((char *)transfer->setup.user_agent);
	free((char *)transfer->setup.ca_file);
	free(transfer);
	curl_global_cleanup();
}
