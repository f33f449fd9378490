/* test_desk_ring.c - what is told when the phone rings, of services and call backs, and what a
 * person sets.
 */
#include "desk_offer.h"

#include "desk/mirror.h"
#include "desk/say.h"
#include "desk/steps.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		DESK_TEST(a_call_gets_its_agent_and_texts),
		DESK_TEST(a_ring_reads_ahead_in_two_questions),
		DESK_TEST(a_withheld_number_rings_too),
		DESK_TEST(services_are_said_with_length_and_price),
		DESK_TEST(a_call_back_is_told_once_with_the_callers_number),
		DESK_TEST(a_call_back_needs_a_number),
		DESK_TEST(a_person_adds_and_changes_services),
		DESK_TEST(what_a_person_sets_is_checked),
		DESK_TEST(what_an_operator_must_mend_fails),
		DESK_TEST(tenants_do_not_see_each_other),
		DESK_TEST(what_is_getting_old_is_read_again_by_schedule),
		DESK_TEST(dates_and_lists_are_spoken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
