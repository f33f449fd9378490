/* lane.h - the queue of one credential: token bucket, pause, concurrency, breaker.
 *
 * Plain data, no clock and no timer of its own; transfer.c asks it what may go and when to ask
 * again. now is clock_mono_us() or _ms(), as the name says.
 */
#ifndef TRANSFER_LANE_H
#define TRANSFER_LANE_H

#include "transfer/breaker.h"

struct request_list { /* through transfer_request.own */
	struct transfer_request *first, *last;
};
void list_append(struct request_list *list, struct transfer_request *request);
void list_remove(struct request_list *list, struct transfer_request *request);

struct transfer_lane {
	char *key;
	double rate_per_s, burst, tokens;
	uint32_t concurrency, queue, max_wait_ms;
	int64_t tokens_at_us, paused_until_ms;
	struct breaker breaker;
	struct request_list urgent, ordinary;
	uint32_t queued, queued_urgent, running;
	int64_t next_expiry_ms; /* no request waits beyond it; INT64_MAX */
	uint64_t answered, not_sent, unknown, refused;
	struct transfer_lane *next;       /* of all */
	struct transfer_lane *next_ready; /* waiting for a place in max_total */
	bool ready;
};

struct transfer_lane *lane_create(const char *key, int64_t now_us);
void lane_destroy(struct transfer_lane *lane);
void lane_limit(struct transfer_lane *lane, const struct transfer_limits *limits);

void lane_push(struct transfer_lane *lane, struct transfer_request *request);
struct transfer_request *lane_first(const struct transfer_lane *lane); /* urgent ones first */
void lane_drop(struct transfer_lane *lane, struct transfer_request *request);
/* One that has waited beyond its own.wait_until_ms, taken out of the queue; NULL: none. */
struct transfer_request *lane_expired(struct transfer_lane *lane, int64_t now_ms);

/* 0: one may go, as far as tokens and pause are concerned, and lane_spend() takes its token.
 * Else when to ask again, in ms. */
int64_t lane_wait_ms(struct transfer_lane *lane, int64_t now_us);
void lane_spend(struct transfer_lane *lane);
/* How long a request that comes now would wait for its token at least, ms. */
int64_t lane_forecast_ms(struct transfer_lane *lane, int64_t now_us, bool urgent);
void lane_pause(struct transfer_lane *lane, int64_t until_ms);

#endif
