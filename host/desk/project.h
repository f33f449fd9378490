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

/* The same for the result of a calendar operation of ours (a booking with uid and start). */
bool project_booking(const struct job_row *job, struct str connection, const struct json *booking,
	int64_t now_ms, struct appointment_row *row);

#endif
