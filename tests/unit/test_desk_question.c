/* test_desk_question.c - what a caller's question is taken to mean: services, people, nonsense,
 * branches.
 */
#include "desk_offer.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		DESK_TEST(services_are_found_as_they_are_said),
		DESK_TEST(an_unknown_service_is_not_guessed),
		DESK_TEST(a_person_is_found_as_heard),
		DESK_TEST(nonsense_is_answered_kindly),
		DESK_TEST(absurd_members_are_passed_over),
		DESK_TEST(ten_kilobytes_are_only_long),
		DESK_TEST(the_predecessors_variables_are_read),
		DESK_TEST(the_steps_input_goes_before_the_arguments),
		DESK_TEST(a_branch_has_its_own_event_type_or_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
