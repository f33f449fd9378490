/* room.h - what transfer.c (lanes and requests) and pump.c (libcurl on the loop) share. */
#ifndef TRANSFER_ROOM_H
#define TRANSFER_ROOM_H

#include "transfer/lane.h"
#include "transfer/slot.h"

struct watch;

enum place { PLACE_NOWHERE, PLACE_QUEUED, PLACE_FLYING, PLACE_ENDED };

struct transfer {
	uv_loop_t *loop;
	CURLM *multi;
	uv_timer_t curl_timer;  /* libcurl's own */
	uv_timer_t blind_timer; /* of connections that could not be watched */
	uv_timer_t wake_timer;  /* a lane has tokens again, a request has waited too long */
	uv_timer_t later_timer; /* requests that ended without libcurl await their callback */
	unsigned handles_open;
	int64_t wake_at_ms;     /* INT64_MAX: not set */
	struct watch **watches; /* by descriptor */
	size_t watch_count;

	struct slot_setup setup;
	struct egress *egress;
	struct slot *free_slots;
	uint32_t free_count;
	uint32_t max_total, running;
	struct transfer_lane *lanes;              /* all but open_lane */
	struct transfer_lane *open_lane;          /* of requests without one */
	struct transfer_lane *ready, **ready_end; /* kept back by max_total only */
	struct request_list flying, ended;
	bool closing;

	void (*on_breaker)(void *user, const char *key, enum breaker_state state, int64_t until_ms,
		uint32_t failures, uint32_t successes);
	int64_t (*now_ms)(void *user);
	void *user;
};

/* pump.c */
int pump_init(struct error *error, struct transfer *transfer);
void pump_finish(struct transfer *transfer); /* closes the handles; the last one frees transfer */
bool pump_add(struct transfer *transfer, struct slot *slot);
void pump_remove(struct transfer *transfer, struct slot *slot);
void pump_wake_at(struct transfer *transfer, int64_t at_ms);
void pump_later(struct transfer *transfer);

/* transfer.c, called from pump.c */
void room_attempt_ended(struct transfer *transfer, struct slot *slot, CURLcode code);
void room_wake(struct transfer *transfer);
void room_later(struct transfer *transfer);
void room_free(struct transfer *transfer);

#endif
