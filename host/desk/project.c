/* project.c - events of calls and bookings as rows of call and appointment.
 *
 * Reads only what the operation and event contracts promise (sdk/operations, event schemas);
 * never looks at a vendor's own members. Runs on the runner's thread, keeps nothing.
 */
#include "desk/project.h"

#include <assert.h>
#include <string.h>
#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"

static bool begins(struct str s, const char *prefix)
{
	size_t n = strlen(prefix);
	return s.len >= n && memcmp(s.ptr, prefix, n) == 0;
}

static int64_t instant(const struct json *object, const char *key)
{
	int64_t ms = 0;
	clock_parse(json_get_text(object, key), NULL, &ms);
	return ms;
}

/* What the office asks of a call, not the transcript: the event has that. */
static struct str facts(struct arena *arena, const struct json *data)
{
	static const char *const kept[] = {"agent_name", "class", "disconnection_reason",
		"duration_ms", "analysis", "custom", "cost"};
	struct json *o = json_object(arena);

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		json_put(arena, o, kept[i], json_get(data, kept[i]));
	return json_print(arena, o);
}

bool project_call(struct arena *arena, const struct event_row *event, const struct json *data,
	struct call_row *row)
{
	struct str call_id = json_get_text(data, "call_id");

	assert(event && row);
	if (!begins(event->type, "call.") || call_id.len == 0)
		return false;
	*row = (struct call_row){
		.tenant = event->tenant,
		.connection = event->connection,
		.call_id = call_id,
		.rank = (uint32_t)json_i64(json_get(data, "rank"), 0),
		.direction = json_get_text(data, "direction"),
		.status = json_get_text(data, "status"),
		.agent = json_get_text(data, "agent"),
		.person = event->person,
		.from = json_get_text(data, "from"),
		.to = json_get_text(data, "to"),
		.started_ms = instant(data, "started"),
		.ended_ms = instant(data, "ended"),
		.data = facts(arena, data),
	};
	return true;
}

/* The booking's own word, unless the event knows better. */
static struct str booking_status(struct str type, const struct json *booking)
{
	if (str_is(type, "booking.cancelled"))
		return STR("cancelled");
	if (str_is(type, "booking.rejected"))
		return STR("rejected");
	if (str_is(type, "booking.noshow"))
		return STR("noshow");
	struct str status = json_get_text(booking, "status");
	return status.len ? status : STR("requested");
}

static void fill(struct appointment_row *row, const struct json *booking)
{
	row->uid = json_get_text(booking, "uid");
	row->rescheduled_from = json_get_text(booking, "rescheduled_from");
	row->start_ms = instant(booking, "start");
	row->end_ms = instant(booking, "end");
	row->event_type = json_get_text(booking, "event_type");
	row->host = json_text(json_find(booking, "host.name"));
	row->key = json_get_text(booking, "key");
}

bool project_appointment(struct arena *arena, const struct event_row *event,
	const struct json *data, struct appointment_row *row)
{
	(void)arena;
	assert(event && row);
	if (!begins(event->type, "booking."))
		return false;
	memset(row, 0, sizeof(*row));
	fill(row, data);
	row->tenant = event->tenant;
	row->connection = event->connection;
	row->status = booking_status(event->type, data);
	row->changed_ms = event->at_ms;
	row->person = event->person;
	return row->uid.len > 0;
}

bool project_booking(const struct job_row *job, struct str connection, const struct json *booking,
	int64_t now_ms, struct appointment_row *row)
{
	assert(job && row);
	memset(row, 0, sizeof(*row));
	fill(row, booking);
	row->tenant = job->tenant;
	row->connection = connection;
	row->status = booking_status(STR(""), booking);
	row->changed_ms = now_ms;
	row->person = json_text(json_find(booking, "attendee.phone"));
	return row->uid.len > 0 && row->start_ms > 0;
}
