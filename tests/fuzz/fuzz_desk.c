/* fuzz_desk.c - whatever an agent's model fills in, and whatever a calendar answers to it.
 *
 * Input: one line, and a JSON object. The line's bytes choose the operation, the office, who calls
 * and when, a failing allocation ('~': none), and then how each question ends, as `ends` names it;
 * without, as its success. The object has what a step is given: "input", "args", "variables", "to";
 * and "results", what the calendar answers where the line says so; "event" is one that the office
 * would keep.
 *
 * What is asserted is the contract of desk.h and sdk/operations/desk.md: every end has a sentence;
 * nothing is said to be done that no calendar said; what is offered is held, within the horizon;
 * nobody's connection is asked but the office's; nobody hears of other people's appointments; and
 * the same question is answered alike.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "desk/desk.h"
#include "desk/project.h"
#include "desk_office.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define MINUTE_MS INT64_C(60000)
#define STEPS_MAX 40
#define TAKEN_MAX 5 /* the host gives up, too */
#define CHOICES 5   /* bytes of the line before the ends */

/* k what is wanted, j the next of "results", then refusals: t taken, x exists, r moved, c
 * cancelled, n changed, g gone, l too many, d twice, i input, o conflict and no more; f failed, u
 * unknown, L late, T taken by somebody quicker, e an empty success, q requested, a answered as
 * cancelled. */
static const char ends[] = "kjtxrcngldiofuLTeqa";

static const char *const ops[] = {"offer", "book", "find", "reschedule", "cancel", "services",
	"callback", "inbound", "set_service", "set_branch"};
static const char *const tenants[] = {"praxis", "english", "nord", "sued", "empty"};
static const char *const connections[] = {
	"praxis/", "english/", "agency/shared", "agency/shared", "empty/"};
/* Of the shared calendar, a tenant's own event types. */
static const char *const own_types[] = {"", "", "77", "88 89", ""};
static const char *const callers[] = {OFFICE_CALLER, OFFICE_FAMILY, OFFICE_NEW, ""};

struct play {
	struct desk_run run;
	struct desk_next next;
	struct arena *arena; /* of what is checked and given, which never fails */
	size_t tenant;
	const struct json *given;
	struct str ends;  /* not played yet */
	size_t results;   /* played */
	bool said_ok[4];  /* by the calendar: book, reschedule, cancel, anything */
	bool told_secret; /* the caller knows of others: their names may come back */
};

static char letter(struct str *ends_left)
{
	unsigned char c;

	if (!ends_left->len)
		return 'k';
	c = (unsigned char)*ends_left->ptr++;
	ends_left->len--;
	return c && strchr(ends, c) ? (char)c : ends[c % (sizeof(ends) - 1)];
}

static size_t choose(uint8_t byte, size_t count)
{
	return (byte >= '0' && byte <= '9' ? byte - '0' : byte) % count;
}

static bool contains(struct str text, struct str part)
{
	return memmem(text.ptr, text.len, part.ptr, part.len) != NULL;
}

/* ---- What must hold ------------------------------------------------------------------------- */

static bool is_own(const struct play *p, struct str connection)
{
	const char *own = connections[p->tenant];
	size_t len = strlen(own);

	if (own[len - 1] != '/')
		return str_is(connection, own);
	return connection.len > len && memcmp(connection.ptr, own, len) == 0;
}

static void check_hold(const struct play *p, const struct hold_row *hold, enum hold_state state)
{
	const struct desk_run *run = &p->run;

	assert(hold->state == state);
	assert(str_is(hold->tenant, tenants[p->tenant]));
	assert(str_eq(hold->holder, run->holder));
	assert(hold->resource.len && hold->event_type.len && hold->capacity > 0);
	assert(hold->start_ms > run->now_ms && hold->start_ms < hold->end_ms);
	assert(hold->expires_ms > run->now_ms);
	if (state == HOLD_OFFERED) /* to the midnight of its last day, which may have 25 hours */
		assert(hold->start_ms <
			run->now_ms + run->settings->horizon_ms + 25 * 60 * MINUTE_MS);
	if (*own_types[p->tenant])
		assert(contains(str_of(own_types[p->tenant]), hold->event_type));
}

static void check_ask(const struct play *p, const struct desk_ask *ask, bool change)
{
	const struct json *input = json_parse(p->arena, ask->input, NULL);
	struct str type = json_get_text(input, "event_type");
	size_t len = strlen(tenants[p->tenant]);

	assert(is_own(p, ask->connection));
	assert(ask->op.len && json_type(input) == JSON_OBJECT);
	if (ask->dedupe.len)
		assert(change && ask->dedupe.len > len && ask->dedupe.ptr[len] == '/' &&
			memcmp(ask->dedupe.ptr, tenants[p->tenant], len) == 0);
	if (*own_types[p->tenant] && type.len)
		assert(contains(str_of(own_types[p->tenant]), type));
	if (str_is(ask->op, "book") || str_is(ask->op, "reschedule") || str_is(ask->op, "cancel"))
		assert(ask->dedupe.len);
	if (str_is(ask->op, "reschedule") || str_is(ask->op, "cancel"))
		assert(json_get_text(input, "uid").len);
	for (size_t i = 0; i < ask->hold_count; i++)
		check_hold(p, &ask->holds[i], HOLD_BOOKING);
}

/* Times that are told are kept for the caller, each once. */
static void check_slots(const struct play *p, const struct json *slots)
{
	const struct desk_next *next = &p->next;

	for (size_t i = 0; i < json_count(slots); i++) {
		struct str start = json_get_text(json_at(slots, i, NULL), "start");
		size_t held = 0;
		int64_t ms = 0;

		assert(clock_parse(start, NULL, &ms));
		for (size_t k = 0; k < next->hold_count; k++)
			held += next->holds[k].start_ms == ms;
		assert(held == 1);
	}
	assert(json_count(slots) == next->hold_count);
	for (size_t i = 0; i < next->hold_count; i++)
		for (size_t k = 0; k < i; k++)
			assert(next->holds[i].start_ms >= next->holds[k].end_ms ||
				next->holds[k].start_ms >= next->holds[i].end_ms);
}

static void check_done(const struct play *p, const struct json *result)
{
	bool success = json_bool(json_get(result, "success"), false);

	assert(json_type(json_get(result, "success")) == JSON_BOOL);
	if (json_bool(json_get(result, "booked"), false))
		assert(success && (p->said_ok[0] || json_bool(json_get(result, "already"), false)));
	if (json_bool(json_get(result, "requested"), false))
		assert(success && p->said_ok[0]);
	if (json_bool(json_get(result, "rescheduled"), false))
		assert(p->said_ok[1]);
	if (json_bool(json_get(result, "cancelled"), false))
		assert(p->said_ok[2] || str_is(json_get_text(result, "status"), "cancelled") ||
			str_is(json_get_text(result, "status"), "rejected"));
	if (json_bool(json_get(result, "pending"), false))
		assert(!success && !json_bool(json_get(result, "booked"), false));
}

static void check_events(const struct play *p)
{
	for (size_t i = 0; i < p->next.event_count; i++) {
		const struct desk_event *event = &p->next.events[i];

		assert(event->type.len && contains(str_of(desk_info.events), event->type));
		assert(event->dedupe.len);
		assert(json_type(json_parse(p->arena, event->data, NULL)) == JSON_OBJECT);
	}
}

static void check_catalogue(const struct play *p)
{
	const struct catalogue *rows = p->next.catalogue;

	for (size_t i = 0; rows && i < rows->service_count; i++)
		assert(str_is(rows->services[i].tenant, tenants[p->tenant]) &&
			rows->services[i].name.len && rows->services[i].origin == CATALOGUE_PERSON);
	for (size_t i = 0; rows && i < rows->branch_count; i++)
		assert(str_is(rows->branches[i].tenant, tenants[p->tenant]) &&
			rows->branches[i].name.len && rows->branches[i].origin == CATALOGUE_PERSON);
	for (size_t i = 0; rows && i < rows->override_count; i++)
		assert(str_is(rows->overrides[i].tenant, tenants[p->tenant]));
}

static void check_end(struct play *p)
{
	const struct desk_next *next = &p->next;
	const struct json *result = json_parse(p->arena, next->result, NULL);

	assert(json_type(result) == JSON_OBJECT && str_utf8_ok(next->result));
	assert(json_get_text(result, "say").len && str_utf8_ok(json_get_text(result, "say")));
	assert(p->told_secret || !contains(next->result, STR(OFFICE_OTHERS)));
	check_done(p, result);
	for (size_t i = 0; i < next->hold_count; i++)
		check_hold(p, &next->holds[i], HOLD_OFFERED);
	if (p->run.why != DESK_LATE && !str_is(p->run.op, "inbound"))
		check_slots(p, json_get(result, "slots"));
	for (size_t i = 0; i < next->refresh_count; i++)
		check_ask(p, &next->refresh[i], false);
	check_events(p);
	check_catalogue(p);
}

/* ---- The calendar --------------------------------------------------------------------------- */

static struct str booking(struct play *p, const struct desk_ask *ask, const char *status)
{
	struct arena *arena = p->arena;
	const struct json *input = json_parse(arena, ask->input, NULL);
	struct json *out = json_object(arena), *attendee = json_object(arena);
	struct str start = json_get_text(input, "start");
	struct str uid = json_get_text(input, "uid");

	json_put_text(arena, out, "uid", uid.len && !start.len ? uid : STR("new-1"));
	json_put_text(arena, out, "start", start.len ? start : STR("2042-06-19T09:00:00Z"));
	json_put_text(arena, out, "event_type", json_get_text(input, "event_type"));
	json_put_text(arena, out, "status", str_of(status));
	json_put_text(arena, attendee, "name", json_get_text(input, "name"));
	json_put_text(arena, attendee, "phone", p->run.caller);
	json_put(arena, out, "attendee", attendee);
	if (uid.len && start.len)
		json_put_text(arena, out, "rescheduled_from", uid);
	return json_print(arena, out);
}

static struct str wanted(struct play *p, const struct desk_ask *ask)
{
	if (str_is(ask->op, "slots"))
		return STR("{\"slots\":[{\"start\":\"2042-06-18T08:00:00Z\"}]}");
	if (str_is(ask->op, "find_booking"))
		return STR("{\"found\":false,\"rows\":[]}");
	return booking(p, ask, str_is(ask->op, "cancel") ? "cancelled" : "booked");
}

static void refuse(struct play *p, struct desk_ask *ask, char how)
{
	static const struct {
		char how;
		const char *fail, *code;
	} refusals[] = {{'t', "conflict", "slot_taken"}, {'x', "conflict", "existing_booking"},
		{'r', "conflict", "rescheduled"}, {'c', "conflict", "cancelled"},
		{'n', "conflict", "changed"}, {'g', "gone", "not_found"},
		{'l', "conflict", "booker_limit"}, {'d', "conflict", "duplicate_attendee"},
		{'i', "bad input", "input"}, {'o', "conflict", ""}};

	ask->end = how == 'f' ? DESK_FAILED : how == 'u' ? DESK_UNKNOWN : DESK_REFUSED;
	ask->reason = STR("for the office only");
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		if (refusals[i].how == how) {
			ask->fail = str_of(refusals[i].fail);
			ask->code = str_of(refusals[i].code);
		}
	if (how == 'x')
		ask->detail = booking(p, ask, "booked");
}

static void remember_ok(struct play *p, const struct desk_ask *ask)
{
	static const char *const changes[] = {"book", "reschedule", "cancel"};

	for (size_t i = 0; i < 3; i++)
		p->said_ok[i] |= str_is(ask->op, changes[i]);
}

static void end_ask(struct play *p, struct desk_ask *ask, char how)
{
	const struct json *result = NULL;

	if (!strchr("kjeqa", how)) {
		refuse(p, ask, how);
		return;
	}
	if (how == 'j')
		result = json_at(json_get(p->given, "results"), p->results++, NULL);
	ask->end = DESK_OK;
	if (how == 'q' || how == 'a')
		ask->result = booking(p, ask, how == 'q' ? "requested" : "cancelled");
	else if (how == 'e')
		ask->result = STR("{}");
	else
		ask->result = result ? json_print(p->arena, result) : wanted(p, ask);
	remember_ok(p, ask);
}

/* ---- Step after step ------------------------------------------------------------------------ */

static void step(struct play *p, enum desk_why why)
{
	p->run.why = why;
	p->run.taken += why == DESK_TAKEN;
	desk_step(&p->run, &p->next);
	if (arena_failed(p->run.arena)) {
		assert(p->next.then == DESK_FAIL && p->next.reason.len);
		return;
	}
	if (p->next.then == DESK_ASK) {
		assert(p->next.ask_count > 0);
		for (size_t i = 0; i < p->next.ask_count; i++)
			check_ask(p, &p->next.asks[i], true);
	} else if (p->next.then == DESK_DONE) {
		check_end(p);
	} else {
		assert(p->next.then == DESK_FAIL && p->next.reason.len);
	}
}

/* The caller is told something now; what was asked goes on. */
static void be_late(struct play *p)
{
	struct desk_run before = p->run;

	step(p, DESK_LATE);
	assert(arena_failed(p->run.arena) || p->next.then != DESK_ASK);
	p->run = before;
}

/* False: it is over. */
static bool play_ask(struct play *p, bool *late)
{
	char how = letter(&p->ends);

	p->run.asks = p->next.asks;
	p->run.ask_count = p->next.ask_count;
	if (how == 'L' && !*late) {
		*late = true;
		be_late(p);
		if (arena_failed(p->run.arena))
			return false;
		how = letter(&p->ends);
	}
	if (how == 'T' && p->run.ask_count == 1 && p->run.asks[0].hold_count) {
		if (p->run.taken >= TAKEN_MAX)
			return false;
		step(p, DESK_TAKEN);
		return true;
	}
	for (size_t i = 0; i < p->run.ask_count; i++, how = letter(&p->ends))
		end_ask(p, &p->run.asks[i], strchr("LT", how) ? 'k' : how);
	step(p, DESK_ANSWERED);
	return true;
}

static void play(struct play *p)
{
	bool late = false;

	step(p, DESK_START);
	for (int i = 0; i < STEPS_MAX && !arena_failed(p->run.arena); i++) {
		if (p->next.then == DESK_ASK) {
			if (!play_ask(p, &late))
				return;
		} else if (p->next.then == DESK_DONE && p->next.hold_count &&
			   p->run.taken < TAKEN_MAX && letter(&p->ends) == 'T') {
			step(p, DESK_TAKEN);
		} else {
			return;
		}
	}
	assert(arena_failed(p->run.arena) || p->next.then != DESK_ASK); /* it comes to an end */
}

/* ---- Beginning ------------------------------------------------------------------------------ */

static const struct json *data(struct arena *arena, const struct json *given)
{
	struct json *out = json_object(arena);

	json_put_text(arena, out, "call_id", STR("1"));
	json_put_text(arena, out, "to", json_get_text(given, "to"));
	json_put(arena, out, "args", json_get(given, "args"));
	json_put(arena, out, "variables", json_get(given, "variables"));
	return out;
}

static void begin(struct play *p, struct arena *used, const uint8_t *line)
{
	static const int64_t later_min[] = {0, 0, 0, 5, 11 * 60, 3 * 1440, -1440, 12 * 1440};
	const struct desk_office *office = desk_office();
	const struct json *input = json_get(p->given, "input");
	const struct config_tenant *tenant;

	p->tenant = choose(line[1], sizeof(tenants) / sizeof(tenants[0]));
	tenant = config_tenant(office->config, tenants[p->tenant]);
	p->run = (struct desk_run){
		.desk = office->desk,
		.arena = used,
		.config = office->config,
		.tenant = tenant,
		.settings = config_desk_for(office->config, tenant),
		.op = str_of(ops[choose(line[0], sizeof(ops) / sizeof(ops[0]))]),
		.input = json_type(input) == JSON_OBJECT ? input : json_object(p->arena),
		.data = data(p->arena, p->given),
		.holder = STR("call:1"),
		.caller = str_of(callers[choose(line[2], sizeof(callers) / sizeof(callers[0]))]),
		.now_ms = OFFICE_NOW + later_min[choose(line[3], 8)] * MINUTE_MS,
	};
}

/* Pure: the same question again, the same words. */
static void check_same(const struct play *p, const uint8_t *line)
{
	struct play again = {.arena = p->arena, .given = p->given, .told_secret = p->told_secret};

	begin(&again, p->run.arena, line);
	again.run.why = DESK_START;
	desk_step(&again.run, &again.next);
	if (arena_failed(p->run.arena))
		return;
	assert(again.next.then == p->next.then && again.next.ask_count == p->next.ask_count);
	assert(str_eq(again.next.result, p->next.result));
	for (size_t i = 0; i < p->next.ask_count; i++)
		assert(str_eq(again.next.asks[i].input, p->next.asks[i].input) &&
			str_eq(again.next.asks[i].dedupe, p->next.asks[i].dedupe));
}

/* Whoever knows the name and the day of an appointment may hear of it, where that is a proof. */
static bool told_secret(const struct play *p, struct str text)
{
	if (contains(text, STR("zgeheim")) || contains(text, STR("\\u")))
		return true;
	return p->run.settings->by_name_date && contains(text, STR("name"));
}

/* ---- What the office keeps of an event or an answer ----------------------------------------- */

static void check_days(const struct slot_day *days, size_t count)
{
	assert(count <= 400);
	for (size_t i = 0; i < count; i++) {
		assert(days[i].event_type.len && (!i || days[i].day == days[i - 1].day + 1));
		for (size_t k = 0; k < days[i].starts.len; k++)
			assert(strchr("0123456789 -", days[i].starts.ptr[k]));
	}
}

static void check_projection(struct play *p)
{
	const struct json *data = json_get(p->given, "event");
	const struct json *result = json_at(json_get(p->given, "results"), 0, NULL);
	struct event_row event = {.tenant = str_of(p->run.tenant->name),
		.connection = STR("praxis/phone"),
		.type = json_get_text(data, "type"),
		.person = STR(OFFICE_CALLER)};
	struct job_row job = {.tenant = event.tenant};
	struct appointment_row booking, *bookings;
	struct call_row call;
	struct slot_day *days;
	size_t count;

	if (project_call(p->arena, &event, data, &call))
		assert(call.call_id.len && json_parse(p->arena, call.data, NULL));
	if (project_appointment(p->arena, &event, data, &booking))
		assert(booking.uid.len && booking.status.len);
	count = project_bookings(p->arena, &job, event.connection, result, OFFICE_NOW, &bookings);
	for (size_t i = 0; i < count; i++)
		assert(bookings[i].uid.len && bookings[i].start_ms > 0);
	count = project_slots(p->arena, &job, event.connection, json_get(p->given, "input"), result,
		p->run.now_ms, &days);
	check_days(days, count);
}

static void play_once(struct play *p, const uint8_t *line, struct str text, struct arena *used)
{
	struct play first;

	p->given = json_parse(p->arena, text, NULL);
	if (json_type(p->given) != JSON_OBJECT)
		return;
	begin(p, used, line);
	check_projection(p);
	p->told_secret = told_secret(p, text);
	if (line[4] != '~')
		arena_starve(used, line[4] + 1u);
	first = *p;
	step(&first, DESK_START);
	if (!arena_failed(used))
		check_same(&first, line);
	if (!arena_failed(used))
		play(p);
	assert(!arena_failed(p->arena));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const uint8_t *end = len ? memchr(bytes, '\n', len) : NULL;
	size_t line = end ? (size_t)(end - bytes) : 0;
	struct play p = {0};
	struct arena *used;

	if (line < CHOICES)
		return 0;
	used = arena_create((size_t)64 << 20);
	p.arena = arena_create((size_t)64 << 20);
	p.ends = (struct str){(const char *)bytes + CHOICES, line - CHOICES};
	play_once(&p, bytes, (struct str){(const char *)end + 1, len - line - 1}, used);
	arena_destroy(p.arena);
	arena_destroy(used);
	return 0;
}
