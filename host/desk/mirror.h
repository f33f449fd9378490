/* mirror.h - what is free, as the calendar told us some time ago: the store's slot days.
 *
 * Knows its age by day. Reads only; what is stale is asked for by an ask "slots" over the whole
 * horizon, which builtin.c coalesces and whose answer it stores. One thread: the runner's.
 */
#ifndef DESK_MIRROR_H
#define DESK_MIRROR_H

#include "desk/question.h"

struct mirror_slot { /* one start somebody may have */
	int64_t start_ms, end_ms;
	struct str staff; /* empty: anybody */
	struct str event_type;
	struct str resource; /* for a hold */
	uint32_t capacity;
	uint32_t order; /* its place among the service's staff */
};

struct mirror {
	struct mirror_slot *slots; /* by start, then in the order of the service's staff */
	size_t count;
	int32_t from_day, to_day; /* of the wall calendar, to_day exclusive */
	int64_t from_ms, to_ms;   /* the horizon: now, the midnight that ends its last day */
	const bool *fresh;        /* by day, from from_day */
	int64_t asked_ms;         /* of the oldest fresh day; 0: none is fresh */
	struct str connection;    /* the calendar */
	uint32_t stale;           /* a bit for each event type that has to be asked for */
};

/* Free starts of the question's service (and staff), less what others hold, less what is sooner
 * than the notice. NULL: no memory. A reader's error counts as nothing fresh. */
struct mirror *mirror_read(struct desk_run *run, const struct question *question);

/* Every day that [from_ms, to_ms) touches and that is within the horizon is fresh. */
bool mirror_fresh(const struct mirror *mirror, const struct question *question, int64_t from_ms,
	int64_t to_ms);
bool mirror_all_fresh(const struct mirror *mirror);

/* The slot that begins then, NULL: it is not free, or not known. */
const struct mirror_slot *mirror_find(const struct mirror *mirror, int64_t start_ms);

/* The questions that make it fresh: one `slots` over the horizon for each event type that is
 * stale, at most `limit` of them. Returns how many. */
size_t mirror_ask(struct desk_run *run, const struct question *question,
	const struct mirror *mirror, size_t limit, struct desk_ask **asks);


/* The resource and capacity a start of this service is held under: "staff:NAME" if somebody is
 * named, else "event_type:ID". */
void mirror_resource(struct arena *arena, const struct office_service *service,
	const struct office_staff *staff, struct mirror_slot *slot);

/* The office's wall calendar: days since 1970-01-01, and the instant one begins. */
int32_t mirror_day(const struct zone *zone, int64_t ms);
int64_t mirror_midnight(const struct zone *zone, int32_t day);

#endif
