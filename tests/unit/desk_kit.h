/* desk_kit.h - callers on the line, for tests of what the desk offers, books and changes:
 * desk_step() against a real store, the calendar's answers given by hand. The clock stands at
 * Tuesday, 17 June 2042, 10:00 in Berlin: ahead of any real one, since the store lets holds expire
 * by that. Who defines KIT_OFFICE brings kit_office and NOW, which is 10:00 too.
 *
 * Each step is checked: a result has "success" and "say", and what it says was done was said by a
 * calendar.
 */
#ifndef DESK_KIT_H
#define DESK_KIT_H

#include "store_desk.h"

#include "base/json.h"
#include "config_world.h"
#include "desk/desk.h"
#include "desk/project.h"

#ifndef KIT_OFFICE
#define NOW INT64_C(2286604800000) /* 2042-06-17T10:00:00+02:00 */
static const char kit_office[] =
	"[tenant praxis-winter]\ntimezone = Europe/Berlin\nlanguage = de\n"
	"[connection calendar]\ntenant = praxis-winter\nplugin = calendar\n"
	"[desk praxis-winter]\ncalendar = calendar\nhorizon = 14d\n"
	"[service prophylaxe]\ntenant = praxis-winter\ntitle = Prophylaxe\nduration = 30m\n"
	"event_type = 310455\nstaff = Frau Kern : 501\n"
	"[service fuellung]\ntenant = praxis-winter\ntitle = Füllung\nduration = 1h\n"
	"event_type = 400\nstaff = Dr. Petersen : 401\nstaff = Dr. Weiß : 402\n"
	"[tenant english]\ntimezone = Europe/Berlin\nlanguage = en\n"
	"[connection calendar]\ntenant = english\nplugin = calendar\n"
	"[desk english]\ncalendar = calendar\nidentity = number\nemail = desk@english.example\n"
	"[service check]\ntenant = english\ntitle = Check-up\nduration = 30m\nevent_type = 9\n"
	"[connection shared]\nplugin = calendar\n"
	"[tenant nord]\ntimezone = Europe/Berlin\nlanguage = de\n"
	"[desk nord]\ncalendar = shared\nidentity = name-date\n"
	"[service haarschnitt]\ntenant = nord\ntitle = Haarschnitt\nduration = 30m\n"
	"event_type = 77\n"
	"[tenant sued]\ntimezone = Europe/Berlin\nlanguage = de\n"
	"[desk sued]\ncalendar = shared\n"
	"[service haarschnitt]\ntenant = sued\ntitle = Haarschnitt\nduration = 30m\n"
	"event_type = 88\n";
#endif
#define CALLER "+4930111222"

struct world {
	struct fixture *f;
	struct config *config;
	struct desk *desk;
	struct desk_run run;
	struct desk_next next;
	const struct json *result;
	const char *tenant, *caller, *holder; /* of what is started next */
	int64_t now_ms;
	unsigned serial;
};

/* ---- Setting up ---------------------------------------------------------------------------- */

static inline int kit_build(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct catalogue rows = {0};
	struct store_save_catalogue op = {.origin = CATALOGUE_INI, .catalogue = &rows};
	struct error error = {0};
	char *told = NULL;

	set_up((void **)&w->f);
	w->config = load_text(kit_office, &told);
	if (!w->config)
		fail_msg("%s", told);
	free(told);
	desk_catalogue(w->f->arena, w->config, &rows);
#ifndef KIT_OFFICE
	for (size_t i = 0; i < rows.service_count; i++) /* only its people can be booked */
		if (str_is(rows.services[i].name, "fuellung"))
			rows.services[i].event_type = STR("");
#endif
	assert_int_equal(save_catalogue_now(w->f, &op), 0);
	w->desk = desk_create(&error, w->f->reader);
	if (!w->desk)
		fail_msg("%s", error.text);
	w->tenant = "praxis-winter";
	w->caller = CALLER;
	w->holder = "call:1";
	w->now_ms = NOW;
	*state = w;
	return 0;
}

static inline int kit_tear(void **state)
{
	struct world *w = *state;

	desk_destroy(w->desk);
	config_unref(w->config);
	tear_down((void **)&w->f);
	free(w);
	return 0;
}
#define DESK_TEST(name) cmocka_unit_test_setup_teardown(name, kit_build, kit_tear)

static inline int64_t kit_ms(const char *local)
{
	int64_t ms = 0;

	if (!clock_parse(str_of(local), zone_find("Europe/Berlin"), &ms))
		fail_msg("%s", local);
	return ms;
}

static inline struct str kit_text(struct world *w, const char *text)
{
	return str_dup(w->f->arena, str_of(text));
}

static inline const struct json *kit_json(struct world *w, struct str text)
{
	struct error error = {0};
	const struct json *json = json_parse(w->f->arena, text, &error);

	if (!json)
		fail_msg("%.*s: %s", STR_ARG(text), error.text);
	return json;
}

/* ---- The office's picture ------------------------------------------------------------------ */

/* As the calendar's answer to `slots` over the whole horizon is stored. event_type: "ID", or
 * "ID@LENGTH". starts: local times. How many days it was. */
static inline size_t kit_free(
	struct world *w, const char *event_type, int64_t asked_ms, const char *const *starts)
{
	struct arena *arena = w->f->arena;
	struct json *result = json_object(arena), *slots = json_array(arena);
	const int64_t midnight = NOW - 10 * 60 * MINUTE_MS;
	const char *at = strchr(event_type, '@');
	char *input = arena_printf(arena,
		"{\"event_type\":\"%.*s\",\"from\":\"%s\",\"to\":\"%s\","
		"\"timezone\":\"Europe/Berlin\"%s%s}",
		(int)strcspn(event_type, "@"), event_type, clock_print(arena, midnight, NULL).ptr,
		clock_print(arena, midnight + 15 * DAY_MS, NULL).ptr, at ? ",\"length_min\":" : "",
		at ? at + 1 : "");
	struct job_row job = a_job(STR(""));
	struct store_save_job op = {.job = &job};
	char *connection = arena_printf(arena, "%s/calendar", w->tenant);
	struct slot_day *days;

	job.tenant = str_of(w->tenant);
	for (size_t i = 0; starts[i]; i++) {
		struct json *slot = json_object(arena);
		json_put_text(arena, slot, "start", clock_print(arena, kit_ms(starts[i]), NULL));
		json_push(arena, slots, slot);
	}
	json_put(arena, result, "slots", slots);
	add(w->f, &job, 1);
	op.day_count = project_slots(arena, &job, str_of(connection), kit_json(w, str_of(input)),
		result, NOW - MINUTE_MS, &days);
	for (size_t i = 0; i < op.day_count; i++)
		days[i].asked_ms = asked_ms;
	op.days = days;
	assert_true(op.day_count > 0);
	job.state = JOB_DONE;
	assert_int_equal(save_job_now(w->f, &op), 0);
	return op.day_count;
}
#define STARTS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define FREE(w, event_type, ...)                                                                   \
	kit_free(w, event_type, (w)->now_ms - MINUTE_MS, STARTS(__VA_ARGS__))

static inline struct appointment_row kit_appointment(
	const char *uid, const char *start, const char *person, const char *name)
{
	return (struct appointment_row){
		.tenant = STR("praxis-winter"),
		.connection = STR("praxis-winter/calendar"),
		.uid = str_of(uid),
		.status = STR("booked"),
		.start_ms = kit_ms(start),
		.end_ms = kit_ms(start) + 30 * MINUTE_MS,
		.changed_ms = NOW - DAY_MS,
		.event_type = STR("310455"),
		.person = str_of(person),
		.name = str_of(name),
		.vendor_id = STR("4711"),
	};
}

/* By an event, as a webhook brings it. */
static inline void kit_happens(struct world *w, const struct appointment_row *row)
{
	struct event_row event =
		an_event(str_of(arena_printf(w->f->arena, "event-%u", ++w->serial)));
	struct event_change change = {.row = &event, .appointment = row};
	struct store_finish_inbox op = {.inbox = append(w->f),
		.state = INBOX_DONE,
		.tenant = row->tenant,
		.events = &change,
		.event_count = 1};

	event.tenant = row->tenant;
	event.inbox = op.inbox;
	if (finish_inbox_now(w->f, &op) != 0)
		fail_msg("%s", op.op.error.text);
}

static inline void kit_has(
	struct world *w, const char *uid, const char *start, const char *person, const char *name)
{
	struct appointment_row row = kit_appointment(uid, start, person, name);

	kit_happens(w, &row);
}

/* ---- Stepping ------------------------------------------------------------------------------ */

static inline bool kit_asked(const struct world *w, const char *op)
{
	for (size_t i = 0; i < w->run.ask_count; i++)
		if (str_is(w->run.asks[i].op, op) && w->run.asks[i].end == DESK_OK)
			return true;
	return false;
}

/* Whatever happened: nothing is said to be done that no calendar said. `already` is what stands in
 * the store, by its word of some other time. */
static inline void kit_check(const struct world *w)
{
	const struct json *r = w->result;

	assert_int_equal(json_type(json_get(r, "success")), JSON_BOOL);
	assert_true(json_get_text(r, "say").len > 0);
	if (json_bool(json_get(r, "booked"), false) && !json_bool(json_get(r, "already"), false))
		assert_true(kit_asked(w, "book"));
	if (json_bool(json_get(r, "booked"), false))
		assert_true(json_bool(json_get(r, "success"), false));
	if (json_bool(json_get(r, "rescheduled"), false))
		assert_true(kit_asked(w, "reschedule"));
	if (json_bool(json_get(r, "cancelled"), false))
		assert_true(
			kit_asked(w, "cancel") || str_is(json_get_text(r, "status"), "cancelled"));
	if (json_bool(json_get(r, "pending"), false))
		assert_false(json_bool(json_get(r, "success"), true));
}

static inline void kit_step(struct world *w, enum desk_why why)
{
	w->run.why = why;
	w->run.taken += why == DESK_TAKEN;
	desk_step(&w->run, &w->next);
	assert_false(arena_failed(w->f->arena));
	w->result = NULL;
	if (w->next.then == DESK_DONE) {
		w->result = kit_json(w, w->next.result);
		kit_check(w);
	} else if (w->next.then == DESK_ASK) {
		assert_true(w->next.ask_count > 0);
		w->run.asks = w->next.asks;
		w->run.ask_count = w->next.ask_count;
	} else {
		fail_msg("%.*s", STR_ARG(w->next.reason));
	}
}

static inline void kit_start(struct world *w, const char *op, const char *args)
{
	const struct config_tenant *of = config_tenant(w->config, w->tenant);
	struct str data =
		str_of(arena_printf(w->f->arena, "{\"call_id\":\"1\",\"args\":%s}", args));

	w->run = (struct desk_run){
		.desk = w->desk,
		.arena = w->f->arena,
		.config = w->config,
		.tenant = of,
		.settings = config_desk_for(w->config, of),
		.op = str_of(op),
		.input = kit_json(w, STR("{}")),
		.data = kit_json(w, data),
		.holder = str_of(w->holder),
		.caller = str_of(w->caller),
		.now_ms = w->now_ms,
	};
	kit_step(w, DESK_START);
}

static inline struct desk_ask *kit_ask(struct world *w, const char *op)
{
	if (w->next.then != DESK_ASK)
		fail_msg("nothing is asked: %.*s", STR_ARG(w->next.result));
	assert_int_equal(w->run.ask_count, 1);
	assert_str(w->run.asks[0].op, op);
	return &w->run.asks[0];
}

static inline void kit_ok(struct world *w, const char *result)
{
	for (size_t i = 0; i < w->run.ask_count; i++) {
		w->run.asks[i].end = DESK_OK;
		w->run.asks[i].result = kit_text(w, result);
	}
	kit_step(w, DESK_ANSWERED);
}

static inline void kit_end(
	struct world *w, enum desk_end end, const char *fail, const char *code, const char *detail)
{
	for (size_t i = 0; i < w->run.ask_count; i++) {
		w->run.asks[i].end = end;
		w->run.asks[i].fail = str_of(fail);
		w->run.asks[i].code = str_of(code);
		w->run.asks[i].reason = STR("for the office only");
		w->run.asks[i].detail = kit_text(w, detail);
	}
	kit_step(w, DESK_ANSWERED);
}

/* As the host stores a question: its job, its holds, if the appointment is as expected. */
static inline int kit_store_ask(struct world *w, struct desk_ask *ask)
{
	struct job_row job = a_job(STR(""));
	struct store_add_jobs op = {.jobs = &job,
		.job_count = 1,
		.holds = ask->holds,
		.hold_count = ask->hold_count,
		.expect = ask->expect};

	job.tenant = str_of(w->tenant);
	job.pipeline = STR("");
	job.connection = ask->connection;
	job.op = ask->op;
	job.dedupe = ask->dedupe;
	for (size_t i = 0; i < ask->hold_count; i++)
		((struct hold_row *)ask->holds)[i].job = job.id;
	return add_jobs_now(w->f, &op);
}

/* Holds of a DONE, stored with it. */
static inline int kit_keep(struct world *w)
{
	return take(w->f, w->next.holds, w->next.hold_count);
}

/* ---- What came of it ----------------------------------------------------------------------- */

#define assert_text(json, name, text)                                                              \
	do {                                                                                       \
		struct str got_ = json_text(json_find(json, name));                                \
		if (!str_is(got_, text))                                                           \
			fail_msg("%s: \"%.*s\", not \"%s\"", name, STR_ARG(got_), text);           \
	} while (0)

/* The whole sentence. */
#define assert_heard(w, success, sentence)                                                         \
	do {                                                                                       \
		if ((w)->next.then != DESK_DONE)                                                   \
			fail_msg("it asks \"%.*s\"", STR_ARG((w)->run.asks[0].op));                \
		assert_text((w)->result, "say", sentence);                                         \
		assert_text((w)->result, "success", success);                                      \
	} while (0)

#define assert_input(w, ask, name, text) assert_text(kit_json(w, (ask)->input), name, text)

#endif
