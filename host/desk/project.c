/* project.c - events of calls and bookings as rows of call and appointment.
 *
 * Reads only what the operation and event contracts promise (sdk/operations, event schemas);
 * never looks at a vendor's own members. Runs on the runner's thread, keeps nothing.
 */
#include "desk/project.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "desk/mirror.h"

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
	if (!str_begins(event->type, "call.") || call_id.len == 0)
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
		.started_ms = json_get_instant(data, "started"),
		.ended_ms = json_get_instant(data, "ended"),
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
	row->start_ms = json_get_instant(booking, "start");
	row->end_ms = json_get_instant(booking, "end");
	row->event_type = json_get_text(booking, "event_type");
	row->host = json_text(json_find(booking, "host.name"));
	row->key = json_get_text(booking, "key");
	row->name = json_text(json_find(booking, "attendee.name"));
	row->vendor_id = json_get_text(booking, "id");
}

bool project_appointment(struct arena *arena, const struct event_row *event,
	const struct json *data, struct appointment_row *row)
{
	(void)arena;
	assert(event && row);
	if (!str_begins(event->type, "booking."))
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

static bool project_booking(const struct job_row *job, struct str connection,
	const struct json *booking, int64_t now_ms, struct appointment_row *row)
{
	memset(row, 0, sizeof(*row));
	fill(row, booking);
	row->tenant = job->tenant;
	row->connection = connection;
	row->status = booking_status(STR(""), booking);
	row->changed_ms = now_ms;
	row->person = json_text(json_find(booking, "attendee.phone"));
	return row->uid.len > 0 && row->start_ms > 0;
}

size_t project_bookings(struct arena *arena, const struct job_row *job, struct str connection,
	const struct json *result, int64_t now_ms, struct appointment_row **rows)
{
	const struct json *list = json_get(result, "rows");
	size_t n = json_type(list) == JSON_ARRAY ? json_count(list) : 0, count = 0;

	*rows = arena_alloc(arena, (n + 1) * sizeof(**rows));
	if (!*rows)
		return 0;
	for (size_t i = 0; i < n; i++)
		count += project_booking(
			job, connection, json_at(list, i, NULL), now_ms, &(*rows)[count]);
	if (!count)
		count += project_booking(job, connection, result, now_ms, &(*rows)[0]);
	return count;
}

/* ---- Slots --------------------------------------------------------------------------------- */

#define MINUTE_MS 60000
#define DAYS_MAX 400 /* of one question; more is nobody's horizon */

struct day_range {
	const struct zone *zone;
	int32_t from, to; /* to exclusive */
};

/* The whole days between the two instants; the one that asked_ms is in counts as whole. */
static bool whole_days(const struct json *input, int64_t asked_ms, struct day_range *out)
{
	char zone[64];
	struct str name = json_get_text(input, "timezone");
	int64_t from_ms, to_ms;

	snprintf(zone, sizeof(zone), "%.*s", STR_ARG(name));
	out->zone = zone_find(zone);
	if (!out->zone || !clock_parse(json_get_text(input, "from"), out->zone, &from_ms) ||
		!clock_parse(json_get_text(input, "to"), out->zone, &to_ms) || to_ms <= from_ms)
		return false;
	if (from_ms < asked_ms)
		from_ms = mirror_midnight(out->zone, mirror_day(out->zone, asked_ms));
	out->from = mirror_day(out->zone, from_ms - 1) + 1;
	out->to = mirror_day(out->zone, to_ms);
	return out->to > out->from && out->to - out->from <= DAYS_MAX;
}

static bool start_of(const struct json *slot, int64_t *ms)
{
	return clock_parse(
		json_type(slot) == JSON_TEXT ? json_text(slot) : json_get_text(slot, "start"), NULL,
		ms);
}

/* The starts of that day, which stand together since the list is sorted. *at moves behind them. */
static struct str starts_of(struct arena *arena, const struct json *slots, size_t *at,
	const struct zone *zone, int32_t day)
{
	struct buf out = {.max = (size_t)1 << 20};
	struct str text;
	int64_t ms;

	for (; *at < json_count(slots); (*at)++) {
		if (!start_of(json_at(slots, *at, NULL), &ms) || mirror_day(zone, ms) < day)
			continue;
		if (mirror_day(zone, ms) > day)
			break;
		buf_printf(&out, "%s%lld", out.len ? " " : "", (long long)(ms / MINUTE_MS));
	}
	if (out.failed)
		arena_fail(arena);
	text = str_dup(arena, (struct str){out.ptr ? out.ptr : "", out.len});
	buf_finish(&out);
	return text;
}

static struct str key_of(struct arena *arena, const struct json *input)
{
	struct str id = json_get_text(input, "event_type");
	struct str length = json_get_text(input, "length_min");

	if (length.len == 0)
		return id;
	return str_cat(arena, (const struct str[]){id, STR("@"), length}, 3);
}

size_t project_slots(struct arena *arena, const struct job_row *job, struct str connection,
	const struct json *input, const struct json *result, int64_t asked_ms,
	struct slot_day **days)
{
	const struct json *slots = json_get(result, "slots");
	struct day_range range;
	size_t at = 0, count;
	struct slot_day *rows;

	assert(job && days);
	*days = NULL;
	if (json_type(slots) != JSON_ARRAY || json_get_text(input, "event_type").len == 0 ||
		json_get_text(input, "reschedule_uid").len || job->tenant.len == 0 ||
		!whole_days(input, asked_ms, &range))
		return 0;
	count = (size_t)(range.to - range.from);
	rows = arena_alloc(arena, count * sizeof(*rows));
	for (size_t i = 0; rows && i < count; i++)
		rows[i] = (struct slot_day){
			.tenant = job->tenant,
			.connection = connection,
			.event_type = key_of(arena, input),
			.staff = STR(""),
			.day = range.from + (int32_t)i,
			.asked_ms = asked_ms,
			.starts = starts_of(arena, slots, &at, range.zone, range.from + (int32_t)i),
		};
	*days = rows;
	return arena_failed(arena) ? 0 : count;
}
