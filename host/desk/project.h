/* project.h - what an event changes in the office's own picture: its calls and appointments.
 *
 * Pure: reads an event, fills a row, stores nothing. The rows point into the event, the data
 * and the arena, and live as long as those.
 */
#ifndef DESK_PROJECT_H
#define DESK_PROJECT_H

#include <stdbool.h>
#include "store/store.h"

struct json;

/* True if the event is about a call, and row is filled. */
bool project_call(struct arena *arena, const struct event_row *event, const struct json *data,
	struct call_row *row);

/* True if the event is about a booking. */
bool project_appointment(struct arena *arena, const struct event_row *event,
	const struct json *data, struct appointment_row *row);

/* The same for the result of a calendar operation of ours: a booking with uid and start, or rows of
 * them. Returns how many. */
size_t project_bookings(struct arena *arena, const struct job_row *job, struct str connection,
	const struct json *result, int64_t now_ms, struct appointment_row **rows);

/* The result of a calendar's `slots` as days of the mirror: those that the question covers whole, of
 * the wall calendar of its timezone; today from asked_ms on. A day without starts is a row, too:
 * that nothing is free is known. event_type has "@LENGTH" behind it if the question had a length,
 * as the mirror asks by. Returns how many; 0: none, or the question or result cannot be read. */
size_t project_slots(struct arena *arena, const struct job_row *job, struct str connection,
	const struct json *input, const struct json *result, int64_t asked_ms,
	struct slot_day **days);

#endif
