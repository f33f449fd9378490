/* test_desk_offer.c - what a caller is offered, told when the phone rings, and what a person sets:
 * desk_step() against a real store. The clock stands at Tuesday, 17 June 2025, 10:00 in Berlin.
 */
#include "store_desk.h"

#include "base/json.h"
#include "config_world.h"
#include "desk/desk.h"
#include "desk/mirror.h"
#include "desk/project.h"
#include "desk/say.h"
#include "desk/steps.h"

#define NOW INT64_C(1750147200000) /* 2025-06-17T10:00:00+02:00 */
#define CALLER "+4930111222"
#define PROPHYLAXE "310455"

static const char office[] =
	"[tenant praxis-winter]\nname = Praxis Winter\ntimezone = Europe/Berlin\nlanguage = de\n"
	"[connection calendar]\ntenant = praxis-winter\nplugin = calendar\n"
	"[desk praxis-winter]\ncalendar = calendar\n"
	"[service prophylaxe]\ntenant = praxis-winter\ntitle = Prophylaxe\n"
	"aliases = Professionelle Zahnreinigung, PZR\nduration = 30m\nprice = 59,50 EUR\n"
	"event_type = 310455\n"
	"[service fuellung]\ntenant = praxis-winter\ntitle = Füllung\nduration = 1h\n"
	"event_type = 310456\nstaff = Dr. Petersen : 401\nstaff = Dr. Weiß : 402\n"
	"[service gruppe]\ntenant = praxis-winter\ntitle = Gruppenkurs\nduration = 30m\n"
	"event_type = 310457\ncapacity = 2\n"
	"[branch mitte]\ntenant = praxis-winter\ntitle = Praxis in Mitte\n"
	"numbers = +493023125010\nagent = agent_mitte\nagent_version = 14\n"
	"override = gruppe active=no\n"
	"[branch nord]\ntenant = praxis-winter\nnumbers = +493023125020\n"
	"override = prophylaxe duration=45m price=\"70 EUR\" event_type=555\n"
	"[branch sued]\ntenant = praxis-winter\nnumbers = +493023125030\n"
	"override = gruppe duration=45m\n"
	"[tenant english]\ntimezone = Europe/London\nlanguage = en\n"
	"[connection calendar]\ntenant = english\nplugin = calendar\n"
	"[desk english]\ncalendar = calendar\n"
	"[service check]\ntenant = english\ntitle = Check-up\nduration = 30m\nevent_type = 9\n"
	"[tenant bare]\ntimezone = Europe/Berlin\n";

struct world {
	struct fixture *f;
	struct config *config;
	struct desk *desk;
	struct desk_run run;
	struct desk_next next;
	const struct json *result;
};

/* ---- Setting up ---------------------------------------------------------------------------- */

static struct world *world_of(void **state)
{
	return *state;
}

static int build(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct catalogue rows = {0};
	struct store_save_catalogue op = {.origin = CATALOGUE_INI, .catalogue = &rows};
	struct error error = {0};
	char *told = NULL;

	set_up((void **)&w->f);
	w->config = load_text(office, &told);
	if (!w->config)
		fail_msg("%s", told);
	free(told);
	desk_catalogue(w->f->arena, w->config, &rows);
	assert_int_equal(save_catalogue_now(w->f, &op), 0);
	w->desk = desk_create(&error, w->f->reader);
	if (!w->desk)
		fail_msg("%s", error.text);
	*state = w;
	return 0;
}

static int tear(void **state)
{
	struct world *w = *state;

	desk_destroy(w->desk);
	config_unref(w->config);
	tear_down((void **)&w->f);
	free(w);
	return 0;
}

static const struct json *parsed(struct world *w, const char *text)
{
	struct error error = {0};
	const struct json *json = text ? json_parse(w->f->arena, str_of(text), &error) : NULL;

	if (text && !json)
		fail_msg("%s: %s", text, error.text);
	return json;
}

/* As the calendar's answer to `slots` over the whole horizon is stored. event_type: "ID", or
 * "ID@LENGTH". starts: local times. */
static void calendar_says_at(
	struct world *w, const char *event_type, int64_t asked_ms, const char *const *starts)
{
	struct arena *arena = w->f->arena;
	struct json *result = json_object(arena), *slots = json_array(arena);
	const char *at = strchr(event_type, '@');
	char *input = arena_printf(arena,
		"{\"event_type\":\"%.*s\",\"from\":\"2025-06-16T22:00:00Z\","
		"\"to\":\"2025-07-01T22:00:00Z\",\"timezone\":\"Europe/Berlin\"%s%s}",
		(int)strcspn(event_type, "@"), event_type, at ? ",\"length_min\":" : "",
		at ? at + 1 : "");
	struct job_row job = a_job(STR(""));
	struct slot_day *days;

	for (size_t i = 0; starts[i]; i++) {
		struct json *slot = json_object(arena);
		int64_t ms;
		assert_true(clock_parse(str_of(starts[i]), zone_find("Europe/Berlin"), &ms));
		json_put_text(arena, slot, "start", clock_print(arena, ms, NULL));
		json_push(arena, slots, slot);
	}
	json_put(arena, result, "slots", slots);
	add(w->f, &job, 1);
	struct store_save_job op = {.job = &job};
	op.day_count = project_slots(
		arena, &job, CALENDAR, parsed(w, input), result, NOW - MINUTE_MS, &days);
	assert_int_equal(op.day_count, 15);
	for (size_t i = 0; i < op.day_count; i++)
		days[i].asked_ms = asked_ms;
	op.days = days;
	job.state = JOB_DONE;
	assert_int_equal(save_job_now(w->f, &op), 0);
}

#define STARTS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define CALENDAR_SAYS(w, event_type, ...)                                                          \
	calendar_says_at(w, event_type, NOW - MINUTE_MS, STARTS(__VA_ARGS__))

/* ---- Stepping ------------------------------------------------------------------------------ */

static void step(struct world *w, enum desk_why why)
{
	struct error error = {0};

	w->run.why = why;
	desk_step(&w->run, &w->next);
	w->result = NULL;
	if (w->next.then != DESK_DONE)
		return;
	w->result = json_parse(w->f->arena, w->next.result, &error);
	if (!w->result)
		fail_msg("%s", error.text);
	assert_int_equal(json_type(json_get(w->result, "success")), JSON_BOOL);
	assert_true(json_get_text(w->result, "say").len > 0);
}

static void start_as(
	struct world *w, const char *tenant, const char *op, const char *input, const char *data)
{
	const struct config_tenant *of = config_tenant(w->config, tenant);

	w->run = (struct desk_run){
		.desk = w->desk,
		.arena = w->f->arena,
		.config = w->config,
		.tenant = of,
		.settings = config_desk_for(w->config, of),
		.op = str_of(op),
		.input = parsed(w, input),
		.data = parsed(w, data),
		.holder = STR("call:1"),
		.caller = STR(CALLER),
		.now_ms = NOW,
	};
	step(w, DESK_START);
}

static void start(struct world *w, const char *op, const char *args)
{
	char *data = arena_printf(
		w->f->arena, "{\"call_id\":\"1\",\"to\":\"+493023125010\",\"args\":%s}", args);

	start_as(w, "praxis-winter", op, "{}", data);
}

static void offer(struct world *w, const char *args)
{
	start(w, "offer", args);
}

#define assert_member(w, name, text)                                                               \
	do {                                                                                       \
		struct str got_ = json_text(json_find((w)->result, name));                         \
		if (!str_is(got_, text))                                                           \
			fail_msg("%s: \"%.*s\", not \"%s\"", name, STR_ARG(got_), text);           \
	} while (0)

static bool said(const struct world *w, const char *part)
{
	struct str say = json_get_text(w->result, "say");

	return memmem(say.ptr, say.len, part, strlen(part)) != NULL;
}
#define assert_said(w, part)                                                                       \
	do {                                                                                       \
		if (!said(w, part))                                                                \
			fail_msg("\"%.*s\" does not say \"%s\"",                                   \
				STR_ARG(json_get_text((w)->result, "say")), part);                 \
	} while (0)

/* Every step of the way nothing is held that is not said, and the other way round. */
static void assert_holds(const struct world *w)
{
	const struct json *slots = json_get(w->result, "slots");

	assert_int_equal(w->next.hold_count, json_count(slots));
	for (size_t i = 0; i < w->next.hold_count; i++) {
		const struct hold_row *hold = &w->next.holds[i];
		int64_t ms;
		assert_true(
			clock_parse(json_get_text(json_at(slots, i, NULL), "start"), NULL, &ms));
		assert_int_equal(hold->start_ms, ms);
		assert_int_equal(hold->state, HOLD_OFFERED);
		assert_true(hold->expires_ms == NOW + w->run.settings->hold_ms);
		assert_str(hold->holder, "call:1");
		assert_str(hold->tenant, "praxis-winter");
	}
}

static void assert_nothing_told(const struct world *w)
{
	assert_int_equal(w->next.then, DESK_DONE);
	assert_member(w, "availability_checked", "false");
	assert_member(w, "requested_slot_available", "false");
	assert_member(w, "available_slots", "");
	assert_member(w, "alternative_slots", "");
	assert_member(w, "slots_count", "0");
	assert_int_equal(w->next.hold_count, 0);
}

/* ---- From the mirror ----------------------------------------------------------------------- */

static void a_wished_slot_that_is_free_is_said_and_held(void **state)
{
	struct world *w = world_of(state);

	CALENDAR_SAYS(w, PROPHYLAXE, "2025-06-19T09:00", "2025-06-19T16:30", "2025-06-26T17:00");
	offer(w, "{\"service\":\"PZR\",\"requested_date\":\"2025-06-19\","
		 "\"requested_time\":\"16:30\"}");
	assert_member(w, "success", "true");
	assert_member(w, "availability_checked", "true");
	assert_member(w, "requested_slot_available", "true");
	assert_member(w, "available_slots", "16:30 Uhr");
	assert_member(w, "slots_count", "1");
	assert_member(w, "alternative_slots", "");
	assert_member(w, "preference_matched", "true");
	assert_member(w, "slots.0.start", "2025-06-19T16:30:00+02:00");
	assert_member(w, "say",
		"Ja, Donnerstag, den 19. Juni um 16:30 Uhr ist frei. "
		"Soll ich diesen Termin für Sie buchen?");
	assert_holds(w);
	assert_str(w->next.holds[0].resource, "event_type:310455");
	assert_int_equal(w->next.holds[0].end_ms - w->next.holds[0].start_ms, 30 * MINUTE_MS);
	assert_int_equal(w->next.refresh_count, 0);
}

static void others_are_near_the_wish_and_within_the_preference(void **state)
{
	struct world *w = world_of(state);

	CALENDAR_SAYS(w, PROPHYLAXE, "2025-06-18T16:00", "2025-06-19T11:00", "2025-06-19T16:30",
		"2025-06-20T16:00", "2025-06-26T17:00", "2025-06-26T18:00");
	offer(w, "{\"requested_date\":\"2025-06-19\",\"requested_time\":\"16:00\","
		 "\"customer_preferences\":\"donnerstags 16 bis 19 Uhr\"}");
	assert_member(w, "requested_slot_available", "false");
	assert_member(w, "preference_matched", "true");
	assert_member(w, "alternative_slots",
		"Donnerstag, den 19. Juni um 16:30 Uhr oder Donnerstag, den 26. Juni um 17:00 Uhr");
	assert_member(w, "alternative_dates", "2025-06-19, 2025-06-26");
	assert_member(w, "available_slots", "16:30 Uhr");
	assert_member(w, "slots_count", "2");
	assert_said(w, "16:00 Uhr ist leider nicht mehr frei.");
	assert_said(w, "Ich kann Ihnen Donnerstag, den 19. Juni um 16:30 Uhr oder");
	assert_holds(w);
}

static void a_day_is_answered_with_its_times(void **state)
{
	struct world *w = world_of(state);

	CALENDAR_SAYS(w, PROPHYLAXE, "2025-06-18T08:00", "2025-06-19T09:00", "2025-06-19T09:15",
		"2025-06-19T10:00", "2025-06-19T14:00", "2025-06-20T08:00");
	offer(w, "{\"datum\":\"2025-06-19\"}");
	assert_member(w, "requested_slot_available", "true");
	assert_member(w, "available_slots", "09:00 Uhr, 10:00 Uhr, 14:00 Uhr");
	assert_member(w, "slots_count", "3");
	assert_said(w, "Donnerstag, den 19. Juni um 09:00 Uhr, um 10:00 Uhr oder um 14:00 Uhr ");
	assert_holds(w);
}

static void outside_of_the_wish_is_said_to_be_outside(void **state)
{
	struct world *w = world_of(state);

	CALENDAR_SAYS(w, PROPHYLAXE, "2025-06-18T09:00", "2025-06-20T09:00", "2025-06-27T11:00");
	offer(w, "{\"customer_preferences\":\"donnerstags zwischen 16 und 19 Uhr\"}");
	assert_member(w, "success", "true");
	assert_member(w, "requested_slot_available", "false");
	assert_member(w, "preference_matched", "false");
	assert_member(w, "slots_count", "2");
	assert_said(w, "ist leider nichts frei. Ich kann Ihnen ");
	assert_holds(w);
}

/* Tuesday is the 24th: which of both is meant, nobody knows. */
static void a_weekday_that_contradicts_its_date_is_ambiguous(void **state)
{
	struct world *w = world_of(state);

	CALENDAR_SAYS(w, PROPHYLAXE, "2025-06-18T09:00", "2025-06-24T09:00", "2025-06-25T09:00");
	offer(w, "{\"date\":\"2025-06-24\",\"weekday\":\"Mittwoch\"}");
	assert_member(w, "ambiguous", "true");
	assert_said(w, "Dienstag, den 24. Juni um 09:00 Uhr");
	start(w, "book",
		"{\"date\":\"24.06.2025\",\"wochentag\":\"Mittwoch\",\"time\":\"9 Uhr\","
		"\"service\":\"Prophylaxe\",\"name\":\"Max\"}");
	assert_member(w, "success", "false");
	assert_said(w, "Wann genau meinen Sie: Dienstag, den 24. Juni");
}

static void a_weekday_that_fits_its_date_changes_nothing(void **state)
{
	struct world *w = world_of(state);

	CALENDAR_SAYS(w, PROPHYLAXE, "2025-06-18T09:00", "2025-06-24T09:00", "2025-06-26T09:00");
	offer(w, "{\"date\":\"2025-06-24\",\"weekday\":\"Dienstag\"}");
	assert_member(w, "ambiguous", "");
	assert_member(w, "available_slots", "09:00 Uhr");
	offer(w, "{\"date\":\"morgen\",\"wochentag\":\"Mittwoch\",\"time\":\"9 Uhr\"}");
	assert_said(w, "Ja, morgen, Mittwoch, den 18. Juni um 09:00 Uhr ist frei.");
	offer(w, "{\"date\":\"nächste Woche\",\"weekday\":\"Donnerstag\"}");
	assert_said(w, "Donnerstag, den 26. Juni um 09:00 Uhr");
	offer(w, "{\"date\":\"2025-06-24\",\"weekday\":\"donnerstags\"}");
	assert_member(w, "available_slots", "09:00 Uhr");
	offer(w, "{\"weekday\":\"Donnerstag\"}");
	assert_member(w, "understood", "Donnerstag, den 19. Juni");
}

static void without_a_wish_the_first_ones_are_said(void **state)
{
	struct world *w = world_of(state);

	/* 10:30 is within the notice of an hour */
	CALENDAR_SAYS(w, PROPHYLAXE, "2025-06-17T10:30", "2025-06-17T11:00", "2025-06-18T08:00",
		"2025-06-19T09:00");
	offer(w, "{}");
	assert_member(w, "alternative_slots",
		"heute, Dienstag, den 17. Juni um 11:00 Uhr oder "
		"morgen, Mittwoch, den 18. Juni um 08:00 Uhr");
	assert_member(w, "preference_matched", "true");
	assert_member(w, "service", "Prophylaxe");
}

static void nothing_free_is_said_with_the_end_of_the_horizon(void **state)
{
	struct world *w = world_of(state);

	calendar_says_at(w, PROPHYLAXE, NOW - MINUTE_MS, STARTS(NULL));
	offer(w, "{}");
	assert_int_equal(w->next.then, DESK_DONE);
	assert_member(w, "availability_checked", "true");
	assert_member(w, "slots_count", "0");
	assert_said(w, "Bis Dienstag, den 1. Juli ist leider nichts frei.");
}

static void beyond_the_horizon_is_not_guessed(void **state)
{
	struct world *w = world_of(state);

	CALENDAR_SAYS(w, PROPHYLAXE, "2025-06-18T09:00", "2025-06-30T09:00");
	offer(w, "{\"requested_date\":\"2025-08-14\",\"requested_time\":\"09:00\"}");
	assert_member(w, "requested_slot_available", "false");
	assert_said(w, "nur bis Dienstag, den 1. Juli.");
	assert_member(w, "slots.0.start", "2025-06-30T09:00:00+02:00");
}

static void a_slot_as_offered_is_understood(void **state)
{
	struct world *w = world_of(state);

	CALENDAR_SAYS(w, PROPHYLAXE, "2025-06-19T16:30");
	offer(w, "{\"slot\":\"2025-06-19T16:30:00+02:00\"}");
	assert_member(w, "requested_slot_available", "true");
	offer(w, "{\"slot\":\"2025-06-19T14:30:00Z\"}");
	assert_member(w, "requested_slot_available", "true");
	offer(w, "{\"slot\":\"2025-06-19T16:30\"}");
	assert_member(w, "requested_slot_available", "true");
}

/* ---- Holds --------------------------------------------------------------------------------- */

static void hold(struct world *w, const char *holder, const char *resource, const char *start,
	int64_t length_ms, uint32_t capacity)
{
	struct hold_row row = a_hold(str_of(holder), 0, 0);

	row.resource = str_of(resource);
	row.capacity = capacity;
	assert_true(clock_parse(str_of(start), zone_find("Europe/Berlin"), &row.start_ms));
	row.end_ms = row.start_ms + length_ms;
	assert_int_equal(take(w->f, &row, 1), 0);
}

static void what_others_hold_is_not_offered(void **state)
{
	struct world *w = world_of(state);

	CALENDAR_SAYS(w, PROPHYLAXE, "2025-06-19T09:00", "2025-06-19T09:30", "2025-06-19T10:00");
	hold(w, "call:2", "event_type:310455", "2025-06-19T09:15", 30 * MINUTE_MS, 1);
	offer(w, "{\"datum\":\"2025-06-19\"}");
	assert_member(w, "available_slots", "10:00 Uhr");
}

static void the_callers_own_holds_do_not_stand_in_the_way(void **state)
{
	struct world *w = world_of(state);

	CALENDAR_SAYS(w, PROPHYLAXE, "2025-06-19T09:00");
	hold(w, "call:1", "event_type:310455", "2025-06-19T09:00", 30 * MINUTE_MS, 1);
	offer(w, "{\"datum\":\"2025-06-19\",\"uhrzeit\":\"9 Uhr\"}");
	assert_member(w, "requested_slot_available", "true");
}

static void capacity_counts(void **state)
{
	struct world *w = world_of(state);
	const char *nord = "{\"to\":\"+493023125020\",\"args\":{\"service\":\"Gruppenkurs\","
			   "\"datum\":\"2025-06-19\"}}";

	CALENDAR_SAYS(w, "310457@30", "2025-06-19T18:00");
	hold(w, "call:2", "event_type:310457", "2025-06-19T18:00", 30 * MINUTE_MS, 2);
	start_as(w, "praxis-winter", "offer", "{}", nord);
	assert_member(w, "available_slots", "18:00 Uhr");
	assert_int_equal(w->next.holds[0].capacity, 2);
	hold(w, "call:3", "event_type:310457", "2025-06-19T18:00", 30 * MINUTE_MS, 2);
	start_as(w, "praxis-winter", "offer", "{}", nord);
	assert_member(w, "available_slots", "");
}

static void what_was_taken_meanwhile_is_replaced(void **state)
{
	struct world *w = world_of(state);

	CALENDAR_SAYS(w, PROPHYLAXE, "2025-06-19T09:00", "2025-06-19T10:00");
	offer(w, "{\"datum\":\"2025-06-19\"}");
	assert_member(w, "available_slots", "09:00 Uhr, 10:00 Uhr");
	hold(w, "call:2", "event_type:310455", "2025-06-19T09:00", 30 * MINUTE_MS, 1);
	w->run.taken = 1;
	step(w, DESK_TAKEN);
	assert_member(w, "available_slots", "10:00 Uhr");
	w->run.taken = 6;
	step(w, DESK_TAKEN);
	assert_nothing_told(w);
	assert_member(w, "success", "false");
}

/* ---- Asking -------------------------------------------------------------------------------- */

static void what_is_not_known_is_asked_once_for_the_horizon(void **state)
{
	struct world *w = world_of(state);

	offer(w, "{\"datum\":\"2025-06-19\"}");
	assert_int_equal(w->next.then, DESK_ASK);
	assert_int_equal(w->next.ask_count, 1);
	assert_str(w->next.asks[0].connection, "praxis-winter/calendar");
	assert_str(w->next.asks[0].op, "slots");
	assert_int_equal(w->next.asks[0].dedupe.len, 0);
	assert_str(w->next.asks[0].input,
		"{\"event_type\":\"310455\",\"from\":\"2025-06-16T22:00:00Z\","
		"\"to\":\"2025-07-01T22:00:00Z\",\"timezone\":\"Europe/Berlin\"}");
}

/* What builtin.c does between the steps. */
static void answer(struct world *w, enum desk_end end)
{
	w->run.asks = w->next.asks;
	w->run.ask_count = w->next.ask_count;
	for (size_t i = 0; i < w->run.ask_count; i++)
		w->run.asks[i].end = end;
	step(w, DESK_ANSWERED);
}

static void the_answer_is_chosen_from(void **state)
{
	struct world *w = world_of(state);

	offer(w, "{\"datum\":\"2025-06-19\"}");
	assert_int_equal(w->next.then, DESK_ASK);
	CALENDAR_SAYS(w, PROPHYLAXE, "2025-06-19T09:00");
	answer(w, DESK_OK);
	assert_int_equal(w->next.then, DESK_DONE);
	assert_member(w, "available_slots", "09:00 Uhr");
	assert_holds(w);
}

static void a_late_calendar_is_no_reason_to_invent_times(void **state)
{
	struct world *w = world_of(state);

	offer(w, "{\"datum\":\"2025-06-19\"}");
	w->run.asks = w->next.asks;
	w->run.ask_count = w->next.ask_count;
	step(w, DESK_LATE);
	assert_nothing_told(w);
	assert_said(w, "Ich sehe noch im Kalender nach.");
	CALENDAR_SAYS(w, PROPHYLAXE, "2025-06-19T09:00"); /* and then it comes */
	step(w, DESK_ANSWERED);
	assert_int_equal(w->next.then, DESK_DONE);
}

static void a_calendar_that_fails_is_said_honestly(void **state)
{
	struct world *w = world_of(state);
	static const enum desk_end ends[] = {DESK_FAILED, DESK_REFUSED, DESK_UNKNOWN};

	for (size_t i = 0; i < 3; i++) {
		offer(w, "{\"datum\":\"2025-06-19\"}");
		answer(w, ends[i]);
		assert_nothing_told(w);
		assert_member(w, "success", "false");
		assert_said(w, "Ich kann gerade nicht in den Kalender sehen.");
	}
}

static void answers_that_leave_the_mirror_stale_are_not_asked_for_ever(void **state)
{
	struct world *w = world_of(state);
	unsigned asks = 0;

	offer(w, "{\"datum\":\"2025-06-19\"}");
	for (; w->next.then == DESK_ASK && asks < 10; asks++)
		answer(w, DESK_OK);
	assert_int_equal(asks, 2);
	assert_nothing_told(w);
}

static void what_is_old_is_asked_again(void **state)
{
	struct world *w = world_of(state);

	calendar_says_at(w, PROPHYLAXE, NOW - 11 * MINUTE_MS, STARTS("2025-06-19T09:00"));
	offer(w, "{\"datum\":\"2025-06-19\"}");
	assert_int_equal(w->next.then, DESK_ASK);
}

/* ---- The question -------------------------------------------------------------------------- */

static void services_are_found_as_they_are_said(void **state)
{
	struct world *w = world_of(state);
	static const char *const words[][2] = {{"prophylaxe", "Prophylaxe"},
		{"PROPHYLAXE", "Prophylaxe"}, {"Termin zur Prophylaxe bitte", "Prophylaxe"},
		{"Zahnreinigung", "Prophylaxe"}, {"pzr", "Prophylaxe"}, {"310455", "Prophylaxe"},
		{"Fuellung", "Füllung"}, {"FÜLLUNG", "Füllung"}, {"eine Füllung", "Füllung"},
		{"310456", "Füllung"}};

	CALENDAR_SAYS(w, PROPHYLAXE, "2025-06-19T09:00");
	CALENDAR_SAYS(w, "310456", "2025-06-19T09:00");
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		offer(w, arena_printf(w->f->arena, "{\"dienstleistung\":\"%s\"}", words[i][0]));
		assert_member(w, "service", words[i][1]);
	}
	offer(w, "{\"event_type_id\":310456}");
	assert_member(w, "service", "Füllung");
}

static void an_unknown_service_is_not_guessed(void **state)
{
	struct world *w = world_of(state);
	static const char *const words[] = {"Haarschnitt", "🦷", "4711", "a", "Gruppenkurs"};

	CALENDAR_SAYS(w, PROPHYLAXE, "2025-06-19T09:00");
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		offer(w, arena_printf(w->f->arena, "{\"service\":\"%s\"}", words[i]));
		assert_nothing_told(w);
		assert_member(w, "success", "false");
		assert_said(w, "Prophylaxe und Füllung");
	}
}

static void a_person_is_found_as_heard(void **state)
{
	struct world *w = world_of(state);
	static const char *const words[] = {
		"Dr. Petersen", "petersen", "Frau Petersen", "Pedersen"};

	CALENDAR_SAYS(w, "401", "2025-06-19T09:00");
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		offer(w, arena_printf(w->f->arena,
				 "{\"service\":\"Füllung\",\"mitarbeiter_wunsch\":\"%s\","
				 "\"datum\":\"2025-06-19\"}",
				 words[i]));
		assert_int_equal(w->next.then, DESK_DONE);
		assert_member(w, "slots.0.staff", "Dr. Petersen");
		assert_str(w->next.holds[0].resource, "staff:Dr. Petersen");
		assert_int_equal(w->next.holds[0].end_ms - w->next.holds[0].start_ms, HOUR_MS);
	}
	offer(w, "{\"service\":\"Füllung\",\"staff\":\"Dr. Niemand\"}");
	assert_nothing_told(w);
	assert_said(w, "Dr. Petersen oder Dr. Weiß");
	offer(w, "{\"service\":\"PZR\",\"staff\":\"Petersen\"}"); /* nobody can be chosen there */
	assert_int_equal(w->next.then, DESK_ASK);
}

static void nonsense_is_answered_kindly(void **state)
{
	struct world *w = world_of(state);
	static const char *const args[] = {
		"{\"requested_date\":\"31. Juni\"}",
		"{\"requested_date\":\"2025-06-31\"}",
		"{\"requested_date\":\"2025-06-19\",\"requested_time\":\"25 Uhr\"}",
		"{\"requested_date\":\"2023-06-13\"}",
		"{\"slot\":\"2023-06-13T10:00:00+02:00\"}",
		"{\"slot\":\"2025-06-31T10:00:00+02:00\"}",
		"{\"requested_date\":\"2026-03-29\",\"requested_time\":\"02:30\"}",
	};

	CALENDAR_SAYS(w, PROPHYLAXE, "2025-06-19T09:00");
	for (size_t i = 0; i < sizeof(args) / sizeof(args[0]); i++) {
		offer(w, args[i]);
		if (!str_is(json_text(json_get(w->result, "availability_checked")), "false"))
			fail_msg("%s: %.*s", args[i], STR_ARG(w->next.result));
		assert_nothing_told(w);
		assert_member(w, "success", "false");
	}
}

static void absurd_members_are_passed_over(void **state)
{
	struct world *w = world_of(state);
	static const char *const args[] = {
		"{\"requested_date\":[],\"service\":{},\"staff\":true,\"slot\":false}",
		"{\"requested_date\":null,\"requested_time\":null,\"email\":7,\"phone\":[1]}",
		"{\"customer_preferences\":\"\",\"service\":\"unknown\",\"staff\":\"None\"}",
		"{\"customer_preferences\":\"🦷🦷🦷\",\"name\":\"{{name}}\"}",
		"null",
		"[]",
		"7",
	};

	CALENDAR_SAYS(w, PROPHYLAXE, "2025-06-19T09:00");
	for (size_t i = 0; i < sizeof(args) / sizeof(args[0]); i++) {
		offer(w, args[i]);
		assert_int_equal(w->next.then, DESK_DONE);
		assert_member(w, "slots_count", "1");
	}
}

static void ten_kilobytes_are_only_long(void **state)
{
	struct world *w = world_of(state);
	char *phrase = arena_alloc(w->f->arena, 10241);

	memset(phrase, 'x', 10240);
	CALENDAR_SAYS(w, PROPHYLAXE, "2025-06-19T09:00");
	offer(w, arena_printf(w->f->arena, "{\"customer_preferences\":\"%s\"}", phrase));
	assert_member(w, "slots_count", "1");
	assert_true(w->next.result.len < 2000);
	offer(w, arena_printf(w->f->arena, "{\"service\":\"%s\"}", phrase));
	assert_nothing_told(w);
	assert_true(w->next.result.len < 2000);
}

static void the_predecessors_variables_are_read(void **state)
{
	struct world *w = world_of(state);

	CALENDAR_SAYS(w, PROPHYLAXE, "2025-06-19T09:00");
	CALENDAR_SAYS(w, "310456", "2025-06-19T09:00");
	start_as(w, "praxis-winter", "offer", "{}",
		"{\"args\":{},\"variables\":{\"check_availability\":\"true\","
		"\"event_type_id\":310456,\"requested_date\":\"2025-06-19\","
		"\"service\":\"PZR\"}}");
	assert_member(w, "service", "Füllung");
	assert_member(w, "available_slots", "09:00 Uhr");
	offer(w, "{\"check_availability\":\"false\"}");
	assert_nothing_told(w);
	offer(w, "{\"check_availability\":false}");
	assert_nothing_told(w);
}

static void the_steps_input_goes_before_the_arguments(void **state)
{
	struct world *w = world_of(state);

	CALENDAR_SAYS(w, "310456", "2025-06-19T09:00");
	start_as(w, "praxis-winter", "offer", "{\"service\":\"Füllung\"}",
		"{\"args\":{\"service\":\"PZR\"}}");
	assert_member(w, "service", "Füllung");
}

static void a_branch_has_its_own_event_type_or_length(void **state)
{
	struct world *w = world_of(state);
	static const char *const asked[][3] = {
		{"+493023125020", "Prophylaxe",
			"{\"event_type\":\"555\",\"from\":\"2025-06-16T22:00:00Z\","
			"\"to\":\"2025-07-01T22:00:00Z\",\"timezone\":\"Europe/Berlin\"}"},
		{"+493023125020", "Gruppenkurs",
			"{\"event_type\":\"310457\",\"from\":\"2025-06-16T22:00:00Z\","
			"\"to\":\"2025-07-01T22:00:00Z\",\"timezone\":\"Europe/"
			"Berlin\",\"length_min\":30}"},
		{"+493023125030", "Gruppenkurs",
			"{\"event_type\":\"310457\",\"from\":\"2025-06-16T22:00:00Z\","
			"\"to\":\"2025-07-01T22:00:00Z\",\"timezone\":\"Europe/"
			"Berlin\",\"length_min\":45}"},
	};

	for (size_t i = 0; i < 3; i++) {
		start_as(w, "praxis-winter", "offer", "{}",
			arena_printf(w->f->arena, "{\"to\":\"%s\",\"args\":{\"service\":\"%s\"}}",
				asked[i][0], asked[i][1]));
		assert_int_equal(w->next.then, DESK_ASK);
		assert_str(w->next.asks[0].input, asked[i][2]);
	}
}

/* ---- Habits -------------------------------------------------------------------------------- */

static void was_there(struct world *w, const char *uid, const char *start)
{
	struct appointment_row row = {
		.tenant = TENANT,
		.connection = CALENDAR,
		.uid = str_of(uid),
		.status = STR("booked"),
		.event_type = STR(PROPHYLAXE),
		.person = STR(CALLER),
		.name = STR("Erika Mustermann"),
		.changed_ms = 1,
	};
	struct job_row job = a_job(STR(""));
	struct store_save_job op = {.job = &job, .appointments = &row, .appointment_count = 1};

	assert_true(clock_parse(str_of(start), zone_find("Europe/Berlin"), &row.start_ms));
	row.end_ms = row.start_ms + 30 * MINUTE_MS;
	add(w->f, &job, 1);
	job.state = JOB_DONE;
	assert_int_equal(save_job_now(w->f, &op), 0);
}

static void habits_order_what_is_equally_near(void **state)
{
	struct world *w = world_of(state);

	CALENDAR_SAYS(w, PROPHYLAXE, "2025-06-18T09:00", "2025-06-19T09:00", "2025-06-19T17:00",
		"2025-06-20T17:00");
	offer(w, "{}");
	assert_member(w, "slots.0.start", "2025-06-18T09:00:00+02:00");
	was_there(w, "a", "2025-01-09T17:00");
	offer(w, "{}");
	assert_member(w, "slots.0.start", "2025-06-18T09:00:00+02:00"); /* once is no habit */
	was_there(w, "b", "2025-03-06T17:00");
	offer(w, "{}");
	assert_member(w, "slots.0.start", "2025-06-19T17:00:00+02:00");
	w->run.caller = STR("");
	step(w, DESK_START);
	assert_member(w, "slots.0.start", "2025-06-18T09:00:00+02:00");
}

/* ---- The phone rings ----------------------------------------------------------------------- */

static const char ring[] = "{\"from\":\"" CALLER "\",\"to\":\"+493023125010\"}";

static void a_call_gets_its_agent_and_texts(void **state)
{
	struct world *w = world_of(state);

	was_there(w, "a", "2025-01-09T17:00");
	was_there(w, "b", "2025-06-20T17:00"); /* which makes its day stale, by the real clock */
	calendar_says_at(w, PROPHYLAXE, clock_now_ms() + HOUR_MS, STARTS("2025-06-19T09:00"));
	start_as(w, "praxis-winter", "inbound", "{}", ring);
	assert_member(w, "agent", "agent_mitte");
	assert_member(w, "agent_version", "14");
	assert_member(w, "variables.office", "Praxis Winter");
	assert_member(w, "variables.branch", "Praxis in Mitte");
	assert_member(w, "variables.caller_known", "true");
	assert_member(w, "variables.caller_name", "Erika Mustermann");
	assert_member(w, "variables.next_appointment", "Freitag, den 20. Juni um 17:00 Uhr");
	assert_member(w, "variables.today", "Dienstag, der 17. Juni 2025");
	assert_member(w, "variables.now", "10:00 Uhr");
	assert_member(w, "variables.first_slots", "Donnerstag, den 19. Juni um 09:00 Uhr");
	for (size_t i = 0; i < json_count(json_get(w->result, "variables")); i++)
		assert_int_equal(
			json_type(json_at(json_get(w->result, "variables"), i, NULL)), JSON_TEXT);
	assert_int_equal(w->next.refresh_count, 0);
	assert_int_equal(w->next.hold_count, 0);
}

static void a_ring_reads_ahead_in_two_questions(void **state)
{
	struct world *w = world_of(state);

	start_as(w, "praxis-winter", "inbound", "{}", ring);
	assert_member(w, "variables.caller_known", "false");
	assert_null(json_find(w->result, "variables.first_slots"));
	assert_null(json_find(w->result, "variables.caller_name"));
	assert_int_equal(w->next.refresh_count, 2);
	assert_str(w->next.refresh[0].op, "slots");
	assert_str(w->next.refresh[1].op, "find_booking");
	assert_str(w->next.refresh[1].input, "{\"phone\":\"" CALLER "\"}");
}

static void a_withheld_number_rings_too(void **state)
{
	struct world *w = world_of(state);

	start_as(w, "praxis-winter", "inbound", "{}", "{\"from_raw\":\"anonymous\"}");
	w->run.caller = STR("");
	step(w, DESK_START);
	assert_member(w, "success", "true");
	assert_member(w, "variables.caller_known", "false");
	assert_null(json_get(w->result, "agent"));
	assert_int_equal(w->next.refresh_count, 1);
}

/* ---- Services, call back ------------------------------------------------------------------- */

static void services_are_said_with_length_and_price(void **state)
{
	struct world *w = world_of(state);

	start(w, "services", "{}");
	assert_member(w, "say",
		"Wir bieten an: Prophylaxe, 30 Minuten, 59,50 Euro; Füllung, 60 Minuten.");
	assert_member(w, "services_count", "2");
	start_as(w, "praxis-winter", "services", "{}", "{\"to\":\"+493023125020\"}");
	assert_member(w, "services.0.spoken", "Prophylaxe, 45 Minuten, 70 Euro");
	assert_member(w, "services_count", "3");
	start_as(w, "english", "services", "{}", NULL);
	assert_member(w, "say", "We offer: Check-up, 30 minutes.");
}

static void a_call_back_is_told_once_with_the_callers_number(void **state)
{
	struct world *w = world_of(state);
	const struct json *data;

	start(w, "callback",
		"{\"name\":\"Jana "
		"Berger\",\"phone_number\":\"caller_number\",\"reason\":\"Schmerzen\","
		"\"preferred_time\":\"morgen früh\"}");
	assert_member(w, "success", "true");
	assert_said(w, "Endziffern 2 2");
	assert_int_equal(w->next.event_count, 1);
	assert_str(w->next.events[0].type, "callback.requested");
	data = json_parse(w->f->arena, w->next.events[0].data, NULL);
	assert_str(json_get_text(data, "phone"), CALLER);
	assert_str(json_get_text(data, "name"), "Jana Berger");
	assert_str(json_get_text(data, "reason"), "Schmerzen");
	assert_str(json_get_text(data, "preferred_time"), "morgen früh");
	assert_str(json_get_text(data, "call_id"), "1");
	assert_str(json_get_text(data, "branch"), "mitte");
	assert_str(w->next.events[0].dedupe, "callback:call:1:" CALLER);
}

static void a_call_back_needs_a_number(void **state)
{
	struct world *w = world_of(state);

	start(w, "callback", "{\"phone\":\"unknown\"}");
	w->run.caller = STR("");
	step(w, DESK_START);
	assert_member(w, "success", "false");
	assert_member(w, "say", "Unter welcher Telefonnummer dürfen wir Sie zurückrufen?");
	assert_int_equal(w->next.event_count, 0);
	start(w, "callback", "{\"phone\":\"030 / 123 45-67\"}");
	assert_int_equal(w->next.event_count, 1);
	assert_non_null(strstr(w->next.events[0].data.ptr, "\"+49301234567\""));
}

/* ---- A person sets ------------------------------------------------------------------------- */

static void set(struct world *w, const char *op, const char *input)
{
	struct store_save_catalogue save_op = {.origin = CATALOGUE_PERSON};
	struct error error = {0};

	start_as(w, "praxis-winter", op, input, NULL);
	if (w->next.then == DESK_FAIL)
		fail_msg("%.*s", STR_ARG(w->next.reason));
	save_op.catalogue = w->next.catalogue;
	assert_int_equal(save_catalogue_now(w->f, &save_op), 0);
	assert_int_equal(desk_refresh(&error, w->desk), 0);
}

static void a_person_adds_and_changes_services(void **state)
{
	struct world *w = world_of(state);

	set(w, "set_service",
		"{\"name\":\"bleaching\",\"title\":\"Bleaching\",\"length_min\":90,"
		"\"event_type\":77,\"price_minor\":24900,\"currency\":\"EUR\"}");
	set(w, "set_service", "{\"name\":\"prophylaxe\",\"price_minor\":6500}");
	start(w, "services", "{}");
	assert_member(w, "say",
		"Wir bieten an: Prophylaxe, 30 Minuten, 65 Euro; Füllung, 60 Minuten; "
		"Bleaching, 90 Minuten, 249 Euro.");
	set(w, "set_branch",
		"{\"name\":\"mitte\",\"overrides\":[{\"service\":\"bleaching\",\"active\":false}]"
		"}");
	start(w, "services", "{}");
	assert_member(w, "services_count", "2"); /* the INI's "gruppe active=no" holds, too */
	start_as(w, "praxis-winter", "inbound", "{}", ring);
	assert_member(w, "agent", "agent_mitte");
}

static void what_a_person_sets_is_checked(void **state)
{
	struct world *w = world_of(state);
	static const char *const wrong[][3] = {
		{"set_service", "{}", "name"},
		{"set_service", "{\"name\":\"a b\"}", "name"},
		{"set_service", "{\"name\":\"x\",\"event_type\":\"1\"}", "length_min"},
		{"set_service", "{\"name\":\"x\",\"event_type\":\"1\",\"length_min\":\"viel\"}",
			"length_min"},
		{"set_service", "{\"name\":\"x\",\"length_min\":30}", "event_type"},
		{"set_service", "{\"name\":\"x\",\"length_min\":30,\"staff\":[{\"name\":\"A\"}]}",
			"staff"},
		{"set_service", "{\"name\":\"prophylaxe\",\"calendar\":\"nowhere\"}", "calendar"},
		{"set_service", "{\"name\":\"prophylaxe\",\"currency\":\"Euro\"}", "currency"},
		{"set_service", "{\"name\":\"prophylaxe\",\"active\":\"ja\"}", "active"},
		{"set_branch", "{\"name\":\"x\",\"numbers\":[\"030 123\"]}", "numbers"},
		{"set_branch", "{\"name\":\"x\",\"state\":\"XX\"}", "state"},
		{"set_branch", "{\"name\":\"x\",\"overrides\":[{\"service\":\"nope\"}]}",
			"overrides"},
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		start_as(w, "praxis-winter", wrong[i][0], wrong[i][1], NULL);
		assert_int_equal(w->next.then, DESK_FAIL);
		if (!strstr(w->next.reason.ptr, wrong[i][2]))
			fail_msg("%s: %s", wrong[i][1], w->next.reason.ptr);
		assert_null(w->next.catalogue);
	}
}

/* ---- The rest ------------------------------------------------------------------------------ */

static void what_an_operator_must_mend_fails(void **state)
{
	struct world *w = world_of(state);

	start_as(w, "bare", "offer", "{}", NULL);
	assert_int_equal(w->next.then, DESK_FAIL);
	assert_non_null(strstr(w->next.reason.ptr, "[desk bare]"));
	start_as(w, "praxis-winter", "nonsense", "{}", NULL);
	assert_int_equal(w->next.then, DESK_FAIL);
}

static void tenants_do_not_see_each_other(void **state)
{
	struct world *w = world_of(state);

	CALENDAR_SAYS(w, PROPHYLAXE, "2025-06-19T09:00");
	start_as(w, "english", "offer", "{\"event_type_id\":310455}", ring);
	assert_int_equal(w->next.then, DESK_DONE);
	assert_said(w, "We offer Check-up.");
	assert_int_equal(w->next.hold_count, 0);
}

static void what_is_getting_old_is_read_again_by_schedule(void **state)
{
	struct world *w = world_of(state);
	const struct config_tenant *tenant = config_tenant(w->config, "praxis-winter");
	struct desk_ask *asks;
	/* 310455, 555, 310456 and its two people, 310457 of 30 and 45 minutes */
	size_t all = desk_stale(w->desk, w->f->arena, w->config, tenant, NOW, &asks);

	assert_int_equal(all, 7);
	calendar_says_at(w, "401", NOW - 4 * MINUTE_MS, STARTS("2025-06-19T09:00"));
	assert_int_equal(desk_stale(w->desk, w->f->arena, w->config, tenant, NOW, &asks), 6);
	assert_int_equal(
		desk_stale(w->desk, w->f->arena, w->config, tenant, NOW + 2 * MINUTE_MS, &asks), 7);
	assert_int_equal(desk_stale(w->desk, w->f->arena, w->config,
				 config_tenant(w->config, "bare"), NOW, &asks),
		0);
}

static void dates_and_lists_are_spoken(void **state)
{
	struct arena *arena = world_of(state)->f->arena;
	const struct zone *zone = zone_find("Europe/Berlin");
	const struct str list[] = {STR("a"), STR(""), STR("b"), STR("c")};
	const int64_t hour = HOUR_MS, day = DAY_MS;

	assert_str(
		say_when(arena, SAY_EN, zone, NOW + 2 * day, NOW), "Thursday, 19 June at 10:00 am");
	assert_str(say_when(arena, SAY_EN, zone, NOW + 2 * hour, NOW),
		"today, Tuesday, 17 June at 12:00 pm");
	assert_str(say_when(arena, SAY_EN, zone, NOW + 14 * hour + 5 * MINUTE_MS, NOW),
		"tomorrow, Wednesday, 18 June at 12:05 am");
	assert_str(say_when(arena, SAY_DE, zone, NOW + 200 * day, NOW),
		"Samstag, den 3. Januar 2026 um 09:00 Uhr"); /* and winter time */
	assert_str(say_today(arena, SAY_EN, zone, NOW), "Tuesday, 17 June 2025");
	assert_str(say_or(arena, SAY_DE, list, 4), "a, b oder c");
	assert_str(say_and(arena, SAY_EN, list, 3), "a and b");
	assert_str(say_or(arena, SAY_DE, list, 0), "");
	assert_str(say_price(arena, SAY_EN, 5905, STR("EUR")), "59.05 euros");
	assert_str(say_price(arena, SAY_DE, 12000, STR("CHF")), "120 Franken");
	assert_str(say_capital(arena, STR("übermorgen")), "Übermorgen");
	/* The eve of both changes of the clock: tomorrow is tomorrow. */
	assert_str(say_day(arena, SAY_DE, zone, INT64_C(1774735200000) + 3 * hour,
			   INT64_C(1774735200000)),
		"morgen, Sonntag, den 29. März");
	assert_str(say_day(arena, SAY_DE, zone, INT64_C(1792965600000) - hour,
			   INT64_C(1792965600000) - 3 * hour),
		"heute, Sonntag, den 25. Oktober");
}

/* Every allocation fails once: then it says so, or has done without; nothing falls over. */
static void without_memory_it_fails_and_no_more(void **state)
{
	struct world *w = world_of(state);
	static const char *const ops[] = {"offer", "inbound", "services", "callback"};
	unsigned failed = 0;

	CALENDAR_SAYS(w, PROPHYLAXE, "2025-06-19T09:00", "2025-06-19T16:30");
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		start(w, ops[i], "{\"datum\":\"2025-06-19\",\"wish\":\"nachmittags\"}");
		for (unsigned n = 1; n < 2000; n++) {
			w->run.arena = arena_create((size_t)1 << 20);
			w->run.state = NULL;
			w->run.why = DESK_START;
			arena_starve(w->run.arena, n);
			desk_step(&w->run, &w->next);
			bool ran_out = arena_failed(w->run.arena);
			assert_int_equal(w->next.then == DESK_FAIL, ran_out);
			failed += ran_out;
			arena_destroy(w->run.arena);
			if (!ran_out)
				break;
		}
		w->run.arena = w->f->arena;
	}
	assert_true(failed > 200);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, build, tear)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_wished_slot_that_is_free_is_said_and_held),
		TEST(others_are_near_the_wish_and_within_the_preference),
		TEST(a_day_is_answered_with_its_times),
		TEST(outside_of_the_wish_is_said_to_be_outside),
		TEST(a_weekday_that_contradicts_its_date_is_ambiguous),
		TEST(a_weekday_that_fits_its_date_changes_nothing),
		TEST(without_a_wish_the_first_ones_are_said),
		TEST(nothing_free_is_said_with_the_end_of_the_horizon),
		TEST(beyond_the_horizon_is_not_guessed),
		TEST(a_slot_as_offered_is_understood),
		TEST(what_others_hold_is_not_offered),
		TEST(the_callers_own_holds_do_not_stand_in_the_way),
		TEST(capacity_counts),
		TEST(what_was_taken_meanwhile_is_replaced),
		TEST(what_is_not_known_is_asked_once_for_the_horizon),
		TEST(the_answer_is_chosen_from),
		TEST(a_late_calendar_is_no_reason_to_invent_times),
		TEST(a_calendar_that_fails_is_said_honestly),
		TEST(answers_that_leave_the_mirror_stale_are_not_asked_for_ever),
		TEST(what_is_old_is_asked_again),
		TEST(services_are_found_as_they_are_said),
		TEST(an_unknown_service_is_not_guessed),
		TEST(a_person_is_found_as_heard),
		TEST(nonsense_is_answered_kindly),
		TEST(absurd_members_are_passed_over),
		TEST(ten_kilobytes_are_only_long),
		TEST(the_predecessors_variables_are_read),
		TEST(the_steps_input_goes_before_the_arguments),
		TEST(a_branch_has_its_own_event_type_or_length),
		TEST(habits_order_what_is_equally_near),
		TEST(a_call_gets_its_agent_and_texts),
		TEST(a_ring_reads_ahead_in_two_questions),
		TEST(a_withheld_number_rings_too),
		TEST(services_are_said_with_length_and_price),
		TEST(a_call_back_is_told_once_with_the_callers_number),
		TEST(a_call_back_needs_a_number),
		TEST(a_person_adds_and_changes_services),
		TEST(what_a_person_sets_is_checked),
		TEST(what_an_operator_must_mend_fails),
		TEST(tenants_do_not_see_each_other),
		TEST(dates_and_lists_are_spoken),
		TEST(without_memory_it_fails_and_no_more),
		TEST(what_is_getting_old_is_read_again_by_schedule),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
