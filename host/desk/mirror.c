/* mirror.c - free times as the calendar told them, less what others hold.
 *
 * Never writes and never asks: what is stale is said. Runs on the runner's thread with its reader.
 */
#include "desk/mirror.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/arena.h"
#include "base/json.h"
#include "base/log.h"
#include "desk/steps.h"

#define DAY_MS (24 * 60 * 60 * 1000LL)
#define MINUTE_MS 60000
#define SOURCES                                                                                    \
	16 /* event types of one question: those of the staff, if it has none of its own           \
	    */

/* ---- Days of the wall ---------------------------------------------------------------------- */

int32_t mirror_day(const struct zone *zone, int64_t ms)
{
	int64_t wall = ms + (int64_t)zone_civil(zone, ms).offset_s * 1000;

	return (int32_t)(wall >= 0 ? wall / DAY_MS : -((DAY_MS - 1 - wall) / DAY_MS));
}

int64_t mirror_midnight(const struct zone *zone, int32_t day)
{
	static const char *const utc = "UTC";
	struct civil date = zone_civil(zone_find(utc), day * DAY_MS);
	int64_t ms = 0;

	zone_instant(zone, &(struct civil){.year = date.year, .month = date.month, .day = date.day},
		&ms);
	return ms;
}

/* ---- Which event types --------------------------------------------------------------------- */

struct mirror_source {
	struct str event_type;
	const struct office_staff *staff; /* NULL: anybody */
};

/* One that the whole service has stands for all of its people. */
static size_t sources_of(const struct office_service *service, const struct office_staff *staff,
	struct mirror_source out[SOURCES])
{
	size_t count = 0;

	if (staff) {
		out[0] = (struct mirror_source){staff->event_type, staff};
		return 1;
	}
	if (service->event_type.len) {
		out[0] = (struct mirror_source){service->event_type, NULL};
		return 1;
	}
	for (; count < service->staff_count && count < SOURCES; count++)
		out[count] = (struct mirror_source){
			service->staff[count].event_type, &service->staff[count]};
	return count;
}

/* The event type as rows of the mirror know it: with its length where there are several. */
static struct str mirror_key(
	struct arena *arena, const struct office_service *service, struct str event_type)
{
	if (!service->one_of_lengths)
		return event_type;
	return str_of(arena_printf(arena, "%.*s@%lld", STR_ARG(event_type),
		(long long)(service->length_ms / MINUTE_MS)));
}

void mirror_resource(struct arena *arena, const struct office_service *service,
	const struct office_staff *staff, struct mirror_slot *slot)
{
	slot->staff = staff ? staff->name : (struct str){"", 0};
	slot->event_type = staff ? staff->event_type : service->event_type;
	slot->capacity = staff ? 1 : service->capacity;
	slot->resource = str_cat(arena,
		(const struct str[]){staff ? STR("staff:") : STR("event_type:"),
			staff ? staff->name : slot->event_type},
		2);
}

/* ---- Holds of others ----------------------------------------------------------------------- */

struct holds {
	struct hold_row *rows;
	size_t count;
};

static void add_holds(const struct desk_run *run, struct str resource, const struct hold_row *rows,
	size_t count, struct holds *out)
{
	struct str own = store_code(desk_reader(run->desk), run->holder, run->arena);

	for (size_t i = 0; i < count; i++)
		if (!str_eq(rows[i].holder, own) && str_eq(rows[i].resource, resource) &&
			str_is(rows[i].tenant, run->tenant->name))
			out->rows[out->count++] = rows[i];
}

static void read_holds(struct desk_run *run, const struct mirror *mirror, struct str resource,
	int64_t length_ms, struct holds *out)
{
	struct hold_row *rows = NULL;
	size_t count = 0;

	out->count = 0;
	if (store_list_holds(NULL, desk_reader(run->desk), str_of(run->tenant->name), resource,
		    mirror->from_ms, mirror->to_ms + length_ms, run->now_ms, run->arena, &rows,
		    &count) != 0)
		count = 0;
	out->rows = arena_alloc(run->arena, (count + run->coming_count + 1) * sizeof(*out->rows));
	if (!out->rows)
		return;
	add_holds(run, resource, rows, count, out);
	add_holds(run, resource, run->coming, run->coming_count, out);
}

static uint32_t held_at(const struct holds *holds, int64_t cell)
{
	uint32_t count = 0;

	for (size_t i = 0; i < holds->count; i++)
		count += holds->rows[i].start_ms < cell + HOLD_CELL_MS &&
			 holds->rows[i].end_ms > cell;
	return count;
}

/* Each cell that the slot touches has a place left, as the store will count them. */
static bool has_place(const struct holds *holds, const struct mirror_slot *slot)
{
	int64_t cell = slot->start_ms - slot->start_ms % HOLD_CELL_MS;
	uint32_t near = 0;

	for (size_t i = 0; i < holds->count; i++)
		near += holds->rows[i].start_ms < slot->end_ms + HOLD_CELL_MS &&
			holds->rows[i].end_ms > slot->start_ms - HOLD_CELL_MS;
	if (near < slot->capacity)
		return true;
	for (; cell < slot->end_ms; cell += HOLD_CELL_MS)
		if (held_at(holds, cell) >= slot->capacity)
			return false;
	return true;
}

/* ---- Slots --------------------------------------------------------------------------------- */

/* What one reading collects; the mirror is what is left of it. */
struct reading {
	struct desk_run *run;
	const struct question *question;
	struct mirror *mirror;
	struct mirror_slot like; /* of the source in hand */
	struct holds holds;
	size_t room;
	bool *fresh;
};

static void more_room(struct reading *reading)
{
	struct mirror *mirror = reading->mirror;
	size_t room = reading->room ? reading->room * 2 : 256;
	struct mirror_slot *slots = arena_take(reading->run->arena, room * sizeof(*slots));

	if (!slots)
		return;
	if (mirror->count)
		memcpy(slots, mirror->slots, mirror->count * sizeof(*slots));
	mirror->slots = slots;
	reading->room = room;
}

static void add_slot(struct reading *reading, int64_t start_ms)
{
	struct mirror *mirror = reading->mirror;
	struct mirror_slot slot = reading->like;

	slot.start_ms = start_ms;
	slot.end_ms = start_ms + reading->question->service->length_ms;
	if (start_ms < reading->run->now_ms + reading->run->settings->notice_ms ||
		start_ms >= mirror->to_ms || !has_place(&reading->holds, &slot))
		return;
	if (mirror->count == reading->room)
		more_room(reading);
	if (mirror->count < reading->room)
		mirror->slots[mirror->count++] = slot;
}

static void add_day(struct reading *reading, struct str starts)
{
	int64_t minutes = 0;
	bool digits = false;

	for (size_t i = 0; i <= starts.len; i++) {
		char c = i < starts.len ? starts.ptr[i] : ' ';
		if (c >= '0' && c <= '9' && minutes < INT32_MAX) {
			minutes = minutes * 10 + (c - '0');
			digits = true;
		} else if (digits) {
			add_slot(reading, minutes * MINUTE_MS);
			minutes = 0;
			digits = false;
		}
	}
}

static bool is_fresh(const struct slot_day *day, int64_t now_ms, int64_t fresh_ms)
{
	return day->asked_ms > day->dirty_ms && now_ms - day->asked_ms < fresh_ms;
}

/* True if all its days are fresh. Those that are not make the day stale for the whole. */
static bool read_source(
	struct reading *reading, const struct mirror_source *source, int64_t fresh_ms)
{
	struct desk_run *run = reading->run;
	struct mirror *mirror = reading->mirror;
	size_t days = (size_t)(mirror->to_day - mirror->from_day), count = 0;
	bool *seen = arena_alloc(run->arena, days * sizeof(*seen)), all = true;
	struct slot_day *rows = NULL;
	struct error error = {0};

	if (store_list_slots(&error, desk_reader(run->desk), str_of(run->tenant->name),
		    mirror->connection,
		    mirror_key(run->arena, reading->question->service, source->event_type),
		    mirror->from_day, mirror->to_day - 1, run->arena, &rows, &count) != 0 &&
		!arena_failed(run->arena))
		log_line(LOG_WARN, "the mirror cannot be read", "tenant", run->tenant->name,
			"reason", error.text, NULL);
	for (size_t i = 0; seen && i < count; i++) {
		if (rows[i].staff.len || !is_fresh(&rows[i], run->now_ms, fresh_ms))
			continue;
		seen[rows[i].day - mirror->from_day] = true;
		if (mirror->asked_ms == 0 || rows[i].asked_ms < mirror->asked_ms)
			mirror->asked_ms = rows[i].asked_ms;
		add_day(reading, rows[i].starts);
	}
	for (size_t i = 0; seen && i < days; i++) {
		reading->fresh[i] = reading->fresh[i] && seen[i];
		all = all && seen[i];
	}
	return all;
}

static int by_start(const void *a, const void *b)
{
	const struct mirror_slot *x = a, *y = b;

	if (x->start_ms != y->start_ms)
		return x->start_ms < y->start_ms ? -1 : 1;
	return (x->order > y->order) - (x->order < y->order);
}

static void span(struct mirror *mirror, const struct desk_run *run, const struct zone *zone)
{
	mirror->from_ms = run->now_ms;
	mirror->from_day = mirror_day(zone, run->now_ms);
	mirror->to_day = mirror_day(zone, run->now_ms + run->settings->horizon_ms) + 1;
	mirror->to_ms = mirror_midnight(zone, mirror->to_day);
}

static void begin_source(struct reading *reading, const struct mirror_source *source, size_t order)
{
	const struct office_service *service = reading->question->service;

	memset(&reading->like, 0, sizeof(reading->like));
	mirror_resource(reading->run->arena, service, source->staff, &reading->like);
	reading->like.order = (uint32_t)order;
	read_holds(reading->run, reading->mirror, reading->like.resource, service->length_ms,
		&reading->holds);
}

static struct str calendar_of(const struct desk_run *run, const struct office_service *service)
{
	if (service->connection.len)
		return service->connection;
	return str_of(run->settings->calendar ? run->settings->calendar->full : "");
}

static struct mirror *read_within(
	struct desk_run *run, const struct question *question, int64_t fresh_ms)
{
	struct mirror *mirror = arena_alloc(run->arena, sizeof(*mirror));
	struct reading reading = {.run = run, .question = question, .mirror = mirror};
	struct mirror_source sources[SOURCES];
	size_t count;

	assert(question->service);
	if (!mirror)
		return NULL;
	span(mirror, run, question->zone);
	mirror->connection = calendar_of(run, question->service);
	reading.fresh = arena_alloc(run->arena, (size_t)(mirror->to_day - mirror->from_day));
	count = sources_of(question->service, question->staff, sources);
	if (!reading.fresh)
		return NULL;
	memset(reading.fresh, count > 0, (size_t)(mirror->to_day - mirror->from_day));
	for (size_t i = 0; i < count; i++) {
		begin_source(&reading, &sources[i], i);
		if (!read_source(&reading, &sources[i], fresh_ms))
			mirror->stale |= 1u << i;
	}
	mirror->fresh = reading.fresh;
	if (mirror->count > 1)
		qsort(mirror->slots, mirror->count, sizeof(*mirror->slots), by_start);
	return arena_failed(run->arena) ? NULL : mirror;
}

struct mirror *mirror_read(struct desk_run *run, const struct question *question)
{
	return read_within(run, question, run->settings->fresh_ms);
}

bool mirror_fresh(const struct mirror *mirror, const struct question *question, int64_t from_ms,
	int64_t to_ms)
{
	int32_t from = mirror_day(question->zone, from_ms);
	int32_t to = mirror_day(question->zone, to_ms - 1) + 1;

	from = from < mirror->from_day ? mirror->from_day : from;
	to = to > mirror->to_day ? mirror->to_day : to;
	for (; from < to; from++)
		if (!mirror->fresh[from - mirror->from_day])
			return false;
	return true;
}

bool mirror_all_fresh(const struct mirror *mirror)
{
	return mirror->stale == 0;
}

const struct mirror_slot *mirror_find(const struct mirror *mirror, int64_t start_ms)
{
	for (size_t i = 0; i < mirror->count; i++)
		if (mirror->slots[i].start_ms == start_ms)
			return &mirror->slots[i];
	return NULL;
}

/* ---- Asking -------------------------------------------------------------------------------- */

/* From midnight, so that two callers of one day ask the same, and share the answer. */
static struct str slots_input(struct desk_run *run, const struct question *question,
	const struct mirror *mirror, struct str event_type)
{
	struct arena *arena = run->arena;
	struct json *input = json_object(arena);
	int64_t from_ms = mirror_midnight(question->zone, mirror->from_day);

	json_put_text(arena, input, "event_type", event_type);
	json_put_text(arena, input, "from", clock_print(arena, from_ms, NULL));
	json_put_text(arena, input, "to", clock_print(arena, mirror->to_ms, NULL));
	json_put_text(arena, input, "timezone", str_of(zone_name(question->zone)));
	if (question->service->one_of_lengths)
		json_put_i64(arena, input, "length_min", question->service->length_ms / MINUTE_MS);
	return json_print(arena, input);
}

size_t mirror_ask(struct desk_run *run, const struct question *question,
	const struct mirror *mirror, size_t limit, struct desk_ask **asks)
{
	struct mirror_source sources[SOURCES];
	size_t most = sources_of(question->service, question->staff, sources), count = 0;
	struct desk_ask *list = arena_alloc(run->arena, (most + 1) * sizeof(*list));

	*asks = list;
	if (mirror->connection.len == 0)
		return 0;
	for (size_t i = 0; list && i < most && count < limit; i++) {
		if (!(mirror->stale & 1u << i))
			continue;
		list[count++] = (struct desk_ask){
			.connection = mirror->connection,
			.op = STR("slots"),
			.input = slots_input(run, question, mirror, sources[i].event_type),
		};
	}
	return count;
}

/* ---- By schedule --------------------------------------------------------------------------- */

struct stale_list {
	struct desk_ask *list;
	size_t count, room;
};

static void add_ask(struct arena *arena, struct stale_list *all, const struct desk_ask *ask)
{
	for (size_t i = 0; i < all->count; i++)
		if (str_eq(all->list[i].connection, ask->connection) &&
			str_eq(all->list[i].input, ask->input))
			return;
	if (all->count == all->room) {
		size_t room = all->room ? all->room * 2 : 16;
		struct desk_ask *list = arena_alloc(arena, room * sizeof(*list));
		if (!list)
			return;
		if (all->count)
			memcpy(list, all->list, all->count * sizeof(*list));
		all->list = list;
		all->room = room;
	}
	all->list[all->count++] = *ask;
}

static void stale_of(struct desk_run *run, const struct question *question, struct stale_list *all)
{
	const struct mirror *mirror = read_within(run, question, run->settings->fresh_ms / 2);
	struct desk_ask *asks = NULL;
	size_t count = mirror ? mirror_ask(run, question, mirror, SOURCES, &asks) : 0;

	for (size_t i = 0; i < count; i++)
		add_ask(run->arena, all, &asks[i]);
}

static void stale_in(struct desk_run *run, struct question *question, struct stale_list *all)
{
	struct office_service *services = NULL;
	size_t count = office_offered(run->arena, question->office, question->branch, &services);

	for (size_t i = 0; i < count; i++) {
		question->service = &services[i];
		question->staff = NULL;
		stale_of(run, question, all);
		for (size_t k = 0; services[i].event_type.len && k < services[i].staff_count; k++) {
			question->staff = &services[i].staff[k];
			stale_of(run, question, all);
		}
	}
}

size_t desk_stale(struct desk *desk, struct arena *arena, const struct config *config,
	const struct config_tenant *tenant, int64_t now_ms, struct desk_ask **asks)
{
	struct desk_run run = {.desk = desk,
		.arena = arena,
		.config = config,
		.tenant = tenant,
		.settings = config_desk_for(config, tenant),
		.now_ms = now_ms};
	struct question question = {.zone = zone_find(tenant->timezone),
		.office = offices_find(desk_offices(desk), str_of(tenant->name))};
	struct stale_list all = {0};

	*asks = NULL;
	if (!run.settings || !question.office || !question.zone)
		return 0;
	if (question.office->branch_count == 0)
		stale_in(&run, &question, &all);
	for (size_t i = 0; i < question.office->branch_count; i++) {
		question.branch = &question.office->branches[i];
		stale_in(&run, &question, &all);
	}
	*asks = all.list;
	return arena_failed(arena) ? 0 : all.count;
}
