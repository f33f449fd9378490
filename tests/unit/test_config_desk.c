/* test_config_desk.c - the configuration: desks, services, branches, and pipelines that a caller
 * waits for. */
#include "config_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "desk/desk.h"
#include "desk/holiday.h"

/* ---- Faults -------------------------------------------------------------------------------- */

CASE(desks_are_checked, "desks")
CASE(services_are_checked, "services")
CASE(branches_are_checked, "branches")
CASE(pipelines_that_a_caller_waits_for_are_checked, "waiting")

/* Two lists, since this room lies below the desk's: they must not drift apart. */
static void a_state_is_known_if_its_holidays_are(void **state)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	static const char *const tails[] = {"", "-K", "-A", "-B"};
	size_t known = 0;

	(void)state;
	for (size_t i = 0; i < 26 * 26 * 4; i++) {
		char code[8], ini[200];
		struct config *config;
		snprintf(code, sizeof(code), "%c%c%s", letters[i % 26], letters[i / 26 % 26],
			tails[i / 26 / 26]);
		snprintf(ini, sizeof(ini),
			"[tenant t]\ntimezone = Europe/Berlin\n[branch b]\ntenant = t\n"
			"state = %s\n",
			code);
		config = load_text(ini, NULL);
		if ((config != NULL) != holiday_state_known(code))
			fail_msg("%s", code);
		known += config != NULL;
		config_unref(config);
	}
	assert_int_equal(known, 20);
}

/* ---- Values -------------------------------------------------------------------------------- */

static void assert_span(struct config_span span, int32_t from, int32_t to)
{
	assert_int_equal(span.from, from);
	assert_int_equal(span.to, to);
}

static void desks_arrive(void **state)
{
	struct config *config = load_good("good.ini");
	const struct config_desk *desk = config_desk_for(config, config_tenant(config, "winter"));

	(void)state;
	assert_non_null(desk);
	assert_string_equal(desk->tenant->name, "winter");
	assert_string_equal(desk->calendar->full, "winter/calendar");
	assert_string_equal(desk->email, "praxis@winter.example");
	assert_int_equal(desk->horizon_ms, 21LL * 24 * 3600 * 1000);
	assert_int_equal(desk->alternatives, 3);
	assert_int_equal(desk->hold_ms, 120000);
	assert_int_equal(desk->fresh_ms, 60000);
	assert_int_equal(desk->refresh_ms, 0);
	assert_int_equal(desk->notice_ms, 1800000);
	assert_false(desk->by_number);
	assert_true(desk->by_name_date);
	assert_string_equal(desk->state, "");
	assert_span(desk->early, 7 * 60, 9 * 60 + 30);
	assert_span(desk->evening, 18 * 60, 24 * 60);
	assert_span(desk->morning, 6 * 60, 12 * 60);
	assert_int_equal(desk->about_ms, 1200000);
	config_unref(config);
}

static void a_desk_has_conventions_of_its_own(void **state)
{
	struct config *config = load_text("[tenant t]\ntimezone = Europe/Berlin\n[desk t]\n"
					  "[connection calendar]\nplugin = calendar\n"
					  "[tenant u]\ntimezone = Europe/Berlin\n",
		NULL);
	const struct config_desk *desk;

	(void)state;
	assert_non_null(config);
	assert_null(config_desk_for(config, config_tenant(config, "u")));
	assert_null(config_desk_for(config, NULL));
	desk = config_desk_for(config, config_tenant(config, "t"));
	assert_string_equal(desk->calendar->full, "agency/calendar");
	assert_null(desk->email);
	assert_int_equal(desk->horizon_ms, 14LL * 24 * 3600 * 1000);
	assert_int_equal(desk->alternatives, 2);
	assert_int_equal(desk->hold_ms, 300000);
	assert_int_equal(desk->fresh_ms, 600000);
	assert_int_equal(desk->refresh_ms, 300000);
	assert_int_equal(desk->notice_ms, 3600000);
	assert_true(desk->by_number && desk->by_name_date);
	assert_span(desk->early, 360, 600);
	assert_span(desk->morning, 360, 720);
	assert_span(desk->noon, 660, 840);
	assert_span(desk->afternoon, 720, 1080);
	assert_span(desk->early_afternoon, 720, 900);
	assert_span(desk->late_afternoon, 900, 1080);
	assert_span(desk->evening, 1020, 1320);
	assert_int_equal(desk->about_ms, 1800000);
	config_unref(config);
}

static void nobody_need_prove_anything(void **state)
{
	struct config *config = load_good("good.ini");
	const struct config_desk *desk = config_desk_for(config, config_tenant(config, "herbst"));

	(void)state;
	assert_false(desk->by_number || desk->by_name_date);
	assert_string_equal(desk->state, "BY-A");
	assert_string_equal(desk->calendar->full, "agency/termine");
	config_unref(config);
}

static void services_arrive(void **state)
{
	struct config *config = load_good("good.ini");
	size_t count;
	const struct config_service *s = config_services(config, &count);

	(void)state;
	assert_int_equal(count, 3);
	assert_string_equal(s[0].tenant->name, "winter");
	assert_string_equal(s[0].name, "cleaning");
	assert_string_equal(s[0].title, "Zahnreinigung");
	assert_int_equal(s[0].aliases.count, 3);
	assert_string_equal(s[0].aliases.list[1], "professionelle Zahnreinigung");
	assert_string_equal(s[0].aliases.list[2], "Reinigung");
	assert_int_equal(s[0].length_ms, 3600000);
	assert_int_equal(s[0].price_minor, 8900);
	assert_string_equal(s[0].currency, "EUR");
	assert_string_equal(s[0].event_type, "4711");
	assert_null(s[0].calendar);
	assert_int_equal(s[0].staff_count, 2);
	assert_string_equal(s[0].staff[0].name, "Dr. Anna Winter");
	assert_string_equal(s[0].staff[0].event_type, "4712");
	assert_string_equal(s[0].staff[1].name, "Dr. Jo: Frost");
	assert_int_equal(s[0].capacity, 1);
	assert_string_equal(s[1].title, "check");
	assert_int_equal(s[1].price_minor, -1);
	assert_string_equal(s[1].currency, "");
	assert_int_equal(s[1].capacity, 4);
	assert_string_equal(s[2].tenant->name, "sommer");
	assert_int_equal(s[2].price_minor, 12000);
	assert_string_equal(s[2].currency, "CHF");
	assert_string_equal(s[2].calendar->full, "sommer/calendar");
	config_unref(config);
}

static void prices_are_minor_units(void **state)
{
	static const struct {
		const char *price, *currency;
		int64_t minor;
	} cases[] = {{"89,00 EUR", "EUR", 8900}, {"89.05 EUR", "EUR", 8905}, {"0 EUR", "EUR", 0},
		{"1200,99 CHF", "CHF", 120099}, {"15 €", "EUR", 1500}, {"7,50€", "EUR", 750}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char ini[300];
		size_t count;
		snprintf(ini, sizeof(ini),
			"[tenant t]\ntimezone = Europe/Berlin\n[service s]\ntenant = t\n"
			"duration = 30m\nevent_type = 1\nprice = %s\n",
			cases[i].price);
		struct config *config = load_text(ini, NULL);
		assert_non_null(config);
		const struct config_service *s = config_services(config, &count);
		assert_int_equal(s->price_minor, cases[i].minor);
		assert_string_equal(s->currency, cases[i].currency);
		config_unref(config);
	}
}

static void branches_arrive(void **state)
{
	struct config *config = load_good("good.ini");
	size_t count;
	const struct config_branch *b = config_branches(config, &count);

	(void)state;
	assert_int_equal(count, 2);
	assert_string_equal(b[0].tenant->name, "winter");
	assert_string_equal(b[0].name, "mitte");
	assert_string_equal(b[0].title, "Winter in Mitte");
	assert_string_equal(b[0].address, "Torstr. 1, 10119 Berlin");
	assert_int_equal(b[0].numbers.count, 2);
	assert_string_equal(b[0].numbers.list[1], "+4930999111");
	assert_string_equal(b[0].agent, "agent_9");
	assert_int_equal(b[0].agent_version, 0);
	assert_string_equal(b[0].state, "");
	assert_int_equal(b[0].override_count, 2);
	assert_string_equal(b[0].overrides[0].service->title, "Zahnreinigung");
	assert_string_equal(b[0].overrides[0].service->tenant->name, "winter");
	assert_int_equal(b[0].overrides[0].length_ms, 2700000);
	assert_int_equal(b[0].overrides[0].price_minor, 7000);
	assert_string_equal(b[0].overrides[0].event_type, "7");
	assert_int_equal(b[0].overrides[0].active, -1);
	assert_int_equal(b[0].overrides[1].active, 0);
	assert_int_equal(b[0].overrides[1].length_ms, -1);
	assert_int_equal(b[0].overrides[1].price_minor, -1);
	assert_null(b[0].overrides[1].event_type);
	assert_string_equal(b[1].title, "nord");
	assert_string_equal(b[1].agent, "");
	assert_int_equal(b[1].agent_version, -1);
	assert_int_equal(b[1].override_count, 0);
	config_unref(config);
}

static void a_branchs_number_leads_to_its_tenant(void **state)
{
	struct config *config = load_good("good.ini");
	const struct config_tenant *winter = config_tenant(config, "winter");

	(void)state;
	assert_ptr_equal(config_tenant_for(config, CONFIG_BY_NUMBER, STR("+4930999111")), winter);
	assert_ptr_equal(config_tenant_for(config, CONFIG_BY_NUMBER, STR("+49301234568")), winter);
	assert_ptr_equal(config_tenant_for(config, CONFIG_BY_NUMBER, STR("+49301234567")), winter);
	assert_null(config_tenant_for(config, CONFIG_BY_NUMBER, STR("+4930999112")));
	config_unref(config);
}

static void what_a_waiting_caller_hears_arrives(void **state)
{
	struct config *config = load_good("good.ini");
	const struct config_pipeline *ring = config_pipeline(config, "agency/ring");
	const struct config_pipeline *ask = config_pipeline(config, "agency/ask");

	(void)state;
	assert_true(ring->fallback_is_sql);
	assert_string_equal(ring->fallback.text.ptr,
		"iif(tenant ->> 'language' = 'de',\n'Guten Tag.', 'Hello.')");
	assert_string_equal(ring->late->connection, "phone");
	assert_string_equal(ring->late->op, "update_call");
	assert_int_equal(ring->late->arg_count, 1);
	assert_false(ask->fallback_is_sql);
	assert_string_equal(ask->fallback.text.ptr, "Einen Moment bitte.");
	assert_null(ask->late);
	config_unref(config);
}

/* config/desk.ini against the real desk's operations: a wrong name there would be found by the
 * first caller. */
static void the_shipped_pipelines_answer_every_function(void **state)
{
	static const struct {
		const char *when, *op;
		int64_t within_ms;
	} expected[] = {{NULL, "inbound", 1000},
		{"data ->> 'name' = 'check_availability'", "offer", 450},
		{"data ->> 'name' = 'book_appointment'", "book", 8000},
		{"data ->> 'name' = 'reschedule_appointment'", "reschedule", 8000},
		{"data ->> 'name' = 'cancel_appointment'", "cancel", 8000},
		{"data ->> 'name' = 'find_appointments'", "find", 450},
		{"data ->> 'name' = 'list_services'", "services", 450},
		{"data ->> 'name' = 'request_callback'", "callback", 450}};
	static const struct plugin_info *const real[] = {&desk_info};
	static const char *const events[] = {"call.inbound", "call.function", NULL};
	struct config_context ctx = world;
	struct config_faults faults = {0};
	struct config *config;
	size_t count;

	(void)state;
	ctx.builtins = real;
	ctx.events = events;
	config = config_load(&faults, "../../../config/desk.ini", &ctx);
	assert_int_equal(faults.count, 0);
	assert_non_null(config);
	const struct config_pipeline *p = config_pipelines(config, &count);
	assert_int_equal(count, sizeof(expected) / sizeof(*expected));
	for (size_t i = 0; i < count; i++) {
		assert_null(p[i].tenant);
		assert_int_equal(p[i].within_ms, expected[i].within_ms);
		assert_int_equal(p[i].when.text.ptr != NULL, expected[i].when != NULL);
		if (expected[i].when)
			assert_string_equal(p[i].when.text.ptr, expected[i].when);
		assert_int_equal(p[i].step_count, 1);
		assert_true(p[i].steps[0].call.builtin);
		assert_string_equal(p[i].steps[0].call.op, expected[i].op);
		assert_true(p[i].fallback_is_sql);
		assert_null(p[i].late);
	}
	config_unref(config);
}

/* ---- Secrets and snapshots ------------------------------------------------------------------ */

static void a_tenant_has_two_tokens_at_most(void **state)
{
	struct config *config = load_good("good.ini");
	const struct config_tenant *winter = config_tenant(config, "winter");

	(void)state;
	assert_int_equal(winter->token.count, 2);
	assert_string_equal(winter->token.values[0].ptr, "live_4711_4711_4711");
	assert_string_equal(winter->token.values[1].ptr, "admin_4711_4711_4711");
	assert_int_equal(config_tenant(config, "sommer")->token.count, 0);
	assert_null(strstr(config_snapshot(config).ptr, "4711\n  "));
	assert_null(strstr(config_snapshot(config).ptr, "live_4711_4711_4711"));
	config_unref(config);
	assert_told("[tenant t]\ntimezone = Europe/Berlin\ntoken = ${LIVE_TOKEN}\n"
		    "token = ${ADMIN_TOKEN}\ntoken = ${VOICE_KEY}\n",
		":5:1: error: \"token\" can be given twice at most");
}

static void a_literal_token_stays_its_tenants(void **state)
{
	static const char ini[] = "[tenant a]\ntimezone = Europe/Berlin\n"
				  "[tenant b]\ntimezone = Europe/Berlin\ntoken = lit_b_4711_4711_4711\n"
				  "[tenant c]\ntimezone = Europe/Berlin\ntoken = lit_c_4711_4711_4711\n";
	struct config *config = load_text(ini, NULL), *again;
	char *told;

	(void)state;
	assert_non_null(config);
	assert_null(strstr(config_snapshot(config).ptr, "4711"));
	again = reload(config_snapshot(config), config, &told);
	assert_non_null(again);
	assert_string_equal(told, "");
	assert_int_equal(config_tenant(again, "a")->token.count, 0);
	assert_string_equal(config_tenant(again, "b")->token.values[0].ptr, "lit_b_4711_4711_4711");
	assert_string_equal(config_tenant(again, "c")->token.values[0].ptr, "lit_c_4711_4711_4711");
	assert_true(config_tenant(again, "c")->token.literal);
	free(told);
	config_unref(again);
	config_unref(config);
}

static void a_snapshot_has_desks_services_and_branches(void **state)
{
	struct config *config = load_good("good.ini"), *again;
	const struct config_tenant *winter;
	size_t count;
	char *told;

	(void)state;
	again = reload(config_snapshot(config), NULL, &told);
	assert_non_null(again);
	assert_string_equal(told, "");
	winter = config_tenant(again, "winter");
	assert_int_equal(config_desk_for(again, winter)->about_ms, 1200000);
	assert_ptr_equal(config_desk_for(again, winter)->tenant, winter);
	assert_string_equal(config_services(again, &count)[0].staff[1].name, "Dr. Jo: Frost");
	assert_int_equal(count, 3);
	assert_ptr_equal(config_branches(again, &count)[0].overrides[0].service,
		config_services(again, &count));
	assert_true(config_pipeline(again, "agency/ring")->fallback_is_sql);
	assert_int_equal(config_desk_for(again, winter)->place.line,
		config_desk_for(config, config_tenant(config, "winter"))->place.line);
	free(told);
	config_unref(again);
	config_unref(config);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(desks_are_checked),
		cmocka_unit_test(services_are_checked),
		cmocka_unit_test(branches_are_checked),
		cmocka_unit_test(pipelines_that_a_caller_waits_for_are_checked),
		cmocka_unit_test(a_state_is_known_if_its_holidays_are),
		cmocka_unit_test(desks_arrive),
		cmocka_unit_test(a_desk_has_conventions_of_its_own),
		cmocka_unit_test(nobody_need_prove_anything),
		cmocka_unit_test(services_arrive),
		cmocka_unit_test(prices_are_minor_units),
		cmocka_unit_test(branches_arrive),
		cmocka_unit_test(a_branchs_number_leads_to_its_tenant),
		cmocka_unit_test(what_a_waiting_caller_hears_arrives),
		cmocka_unit_test(the_shipped_pipelines_answer_every_function),
		cmocka_unit_test(a_tenant_has_two_tokens_at_most),
		cmocka_unit_test(a_literal_token_stays_its_tenants),
		cmocka_unit_test(a_snapshot_has_desks_services_and_branches),
	};

	return cmocka_run_group_tests(tests, go_to_cases, NULL);
}
