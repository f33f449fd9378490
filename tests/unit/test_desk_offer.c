/* test_desk_offer.c - which times a caller is offered: desk_step() against a real store. */
#include "desk_offer.h"

#include "desk/mirror.h"

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

/* ---- Habits -------------------------------------------------------------------------------- */

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		DESK_TEST(a_wished_slot_that_is_free_is_said_and_held),
		DESK_TEST(others_are_near_the_wish_and_within_the_preference),
		DESK_TEST(a_day_is_answered_with_its_times),
		DESK_TEST(outside_of_the_wish_is_said_to_be_outside),
		DESK_TEST(a_weekday_that_contradicts_its_date_is_ambiguous),
		DESK_TEST(a_weekday_that_fits_its_date_changes_nothing),
		DESK_TEST(without_a_wish_the_first_ones_are_said),
		DESK_TEST(nothing_free_is_said_with_the_end_of_the_horizon),
		DESK_TEST(beyond_the_horizon_is_not_guessed),
		DESK_TEST(a_slot_as_offered_is_understood),
		DESK_TEST(what_others_hold_is_not_offered),
		DESK_TEST(the_callers_own_holds_do_not_stand_in_the_way),
		DESK_TEST(capacity_counts),
		DESK_TEST(what_was_taken_meanwhile_is_replaced),
		DESK_TEST(what_is_not_known_is_asked_once_for_the_horizon),
		DESK_TEST(the_answer_is_chosen_from),
		DESK_TEST(a_late_calendar_is_no_reason_to_invent_times),
		DESK_TEST(a_calendar_that_fails_is_said_honestly),
		DESK_TEST(answers_that_leave_the_mirror_stale_are_not_asked_for_ever),
		DESK_TEST(what_is_old_is_asked_again),
		DESK_TEST(habits_order_what_is_equally_near),
		DESK_TEST(without_memory_it_fails_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
