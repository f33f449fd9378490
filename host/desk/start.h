/* start.h - the one instant a caller chose: to book, or to move an appointment to.
 *
 * It must be exactly one: a slot as it was offered, words that fit exactly one of the times that
 * are held for this caller ("den ersten", "um halb fünf"), or a day and a time. Otherwise a
 * sentence asks for what is missing. Nothing is asked of a calendar here. One thread: the runner's.
 */
#ifndef DESK_START_H
#define DESK_START_H

#include "desk/mirror.h"

struct start {
	int64_t ms; /* -1: not exactly one; then `sentence` says what is missing */
	struct str sentence;
	const struct hold_row *held;    /* it is held for this caller; NULL: it is not */
	struct office_service *service; /* the question's, or that of the hold if none was said */
};

/* question.wish and start_ms are what was said about it. */
void start_choose(struct desk_run *run, const struct question *question, struct start *start);

/* What is booked then, and under which resource it is kept: as it was offered, else as the mirror
 * knows it, else as the service says. False: the mirror is fresh, and it is not free. */
bool start_slot(struct desk_run *run, const struct question *question, const struct start *start,
	struct mirror_slot *slot);

/* The hold while it is being booked. length_ms 0: the slot's. */
const struct hold_row *start_hold(
	struct desk_run *run, const struct mirror_slot *slot, int64_t length_ms);

/* It, or one of its staff, is booked as that event type. */
bool start_serves(const struct office_service *service, struct str event_type);

/* The calendar it is booked at. */
struct str start_calendar(const struct desk_run *run, const struct office_service *service);

/* What was asked did not happen, and will not by itself. */
bool start_refused(struct desk_run *run, const struct desk_ask *ask);

/* "Der zweite", "the last one" of count things; nothing else may be said. */
bool start_ordinal(struct str text, size_t count, size_t *at);

#endif
