/* others.h - other times, when the chosen one cannot be had: book and reschedule say them alike.
 *
 * What the mirror has is offered and held; if it is stale about the day, the calendar is asked
 * first, once. One thread: the runner's.
 */
#ifndef DESK_OTHERS_H
#define DESK_OTHERS_H

#include "desk/question.h"

struct others {
	struct question question; /* with the service that was wished */
	int64_t start_ms;         /* cannot be had */
	struct str lead;          /* says so */
	const char *member;       /* false in the result: "booked" */
	bool begun, asked;
};

void others_begin(struct desk_run *run, struct others *others, const struct question *question,
	int64_t start_ms, const char *member);

/* next = DONE with times and holds, or ASK; then again with every step that follows. */
void others_offer(struct desk_run *run, struct desk_next *next, struct others *others);

#endif
