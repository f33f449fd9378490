/* test_desk_change.c - whose appointments a caller hears of, moves and cancels, and what is said
 * after each way that may end. */
#include "desk_kit.h"

#define FRIDAY_9 "2042-06-20T09:00"
#define TUESDAY_16 "2042-06-24T16:00"
#define NOBODY "{\"rows\":[],\"found\":false}"

static void erika_has_friday(struct world *w)
{
	kit_has(w, "bk1", FRIDAY_9, CALLER, "Erika Muster");
}

static void erika_has_two(struct world *w)
{
	erika_has_friday(w);
	kit_has(w, "bk2", TUESDAY_16, CALLER, "Otto Muster");
}

/* ---- Find ---------------------------------------------------------------------------------- */

static void a_number_hears_its_own_appointments(void **state)
{
	struct world *w = *state;
	struct desk_ask *ask;

	erika_has_two(w);
	kit_has(w, "bk3", "2042-06-20T10:00", "+4930999", "Somebody Else");
	kit_has(w, "past", "2042-06-16T10:00", CALLER, "Erika Muster");
	kit_start(w, "find", "{}");
	ask = kit_ask(w, "find_booking");
	assert_str(ask->connection, "praxis-winter/calendar");
	assert_int_equal(ask->dedupe.len, 0);
	assert_input(w, ask, "phone", CALLER);
	assert_input(w, ask, "from", "2042-06-17T08:00:00Z");
	assert_input(w, ask, "to", "2042-12-14T08:00:00Z");
	kit_ok(w, NOBODY);
	assert_heard(w, "true",
		"Sie haben 2 Termine: Freitag, den 20. Juni um 09:00 Uhr, Prophylaxe und Dienstag, "
		"den 24. Juni um 16:00 Uhr, Prophylaxe.");
	assert_text(w->result, "count", "2");
	assert_text(w->result, "appointments.0.uid", "bk1");
	assert_text(w->result, "appointments.0.start", "2042-06-20T09:00:00+02:00");
	assert_text(w->result, "appointments.0.status", "booked");
	assert_text(w->result, "appointments.0.service", "Prophylaxe");
}

static void a_number_in_the_arguments_proves_nothing(void **state)
{
	struct world *w = *state;

	erika_has_friday(w);
	w->caller = "+4930999";
	kit_start(w, "find",
		"{\"phone\":\"" CALLER "\",\"caller\":\"" CALLER "\",\"from_number\":\"" CALLER
		"\"}");
	assert_input(w, kit_ask(w, "find_booking"), "phone", "+4930999");
	kit_ok(w, NOBODY);
	assert_heard(w, "true", "Unter Ihrer Nummer finde ich keinen kommenden Termin.");
	assert_text(w->result, "count", "0");
}

static void a_late_calendar_leaves_what_the_store_knows(void **state)
{
	struct world *w = *state;

	kit_start(w, "find", "{}");
	kit_step(w, DESK_LATE);
	assert_heard(w, "false",
		"Das kann ich gerade leider nicht nachsehen. Dürfen wir Sie zurückrufen?");
	kit_start(w, "find", "{}");
	kit_end(w, DESK_FAILED, "broken", "", "");
	assert_heard(w, "false",
		"Das kann ich gerade leider nicht nachsehen. Dürfen wir Sie zurückrufen?");
	erika_has_friday(w);
	kit_start(w, "find", "{}");
	kit_step(w, DESK_LATE);
	assert_heard(w, "true",
		"Sie haben einen Termin: Freitag, den 20. Juni um 09:00 Uhr, Prophylaxe.");
}

static void the_calendar_knows_more_than_the_store(void **state)
{
	struct world *w = *state;

	erika_has_two(w);
	kit_start(w, "find", "{}");
	kit_ok(w, "{\"found\":true,\"rows\":["
		  "{\"uid\":\"bk1\",\"status\":\"cancelled\",\"start\":\"2042-06-20T07:00:00Z\"},"
		  "{\"uid\":\"bk2\",\"status\":\"booked\",\"start\":\"2042-06-24T14:30:00Z\","
		  "\"event_type\":\"310455\"},"
		  "{\"uid\":\"older\",\"id\":\"99\",\"status\":\"requested\",\"start\":"
		  "\"2042-07-24T14:00:00Z\",\"event_type\":\"5\"},"
		  "{\"uid\":\"strange\",\"status\":\"booked\",\"start\":\"2042-07-25T14:00:00Z\","
		  "\"attendee\":{\"phone\":\"+4930999\"}},"
		  "{\"uid\":\"\",\"start\":\"2042-07-26T14:00:00Z\"},{\"uid\":\"x\"},null]}");
	assert_heard(w, "true",
		"Sie haben 2 Termine: Dienstag, den 24. Juni um 16:30 Uhr, Prophylaxe und "
		"Donnerstag, den 24. Juli um 16:00 Uhr, noch nicht bestätigt.");
}

static void what_was_moved_is_not_told_twice(void **state)
{
	struct world *w = *state;
	struct appointment_row row = kit_appointment("bk2", TUESDAY_16, CALLER, "Erika Muster");

	erika_has_friday(w);
	row.rescheduled_from = STR("bk1");
	kit_happens(w, &row);
	kit_start(w, "find", "{}");
	kit_ok(w, NOBODY);
	assert_heard(w, "true",
		"Sie haben einen Termin: Dienstag, den 24. Juni um 16:00 Uhr, Prophylaxe.");
	w->caller = "";
	kit_start(w, "find", "{\"name\":\"Erika Muster\",\"date\":\"Freitag\"}");
	assert_text(w->result, "success", "false");
	kit_start(w, "find", "{\"name\":\"Erika Muster\",\"date\":\"24. Juni\"}");
	assert_text(w->result, "appointments.0.uid", "bk2");
}

static void many_appointments_are_not_all_spoken(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 5; i++)
		kit_has(w, arena_printf(w->f->arena, "bk%d", i),
			arena_printf(w->f->arena, "2042-06-%dT09:00", 18 + i), CALLER, "Erika");
	kit_start(w, "find", "{}");
	kit_ok(w, NOBODY);
	assert_heard(w, "true",
		"Sie haben 5 Termine. Die nächsten sind: morgen, Mittwoch, den 18. Juni um 09:00 "
		"Uhr, Prophylaxe, Donnerstag, den 19. Juni um 09:00 Uhr, Prophylaxe und Freitag, "
		"den "
		"20. Juni um 09:00 Uhr, Prophylaxe.");
	assert_int_equal(json_count(json_get(w->result, "appointments")), 5);
}

static void a_withheld_number_needs_name_and_day(void **state)
{
	struct world *w = *state;

	erika_has_friday(w);
	kit_has(w, "bk3", "2042-06-20T10:00", "+4930999", "Otto Weber");
	w->caller = "";
	kit_start(w, "find", "{}");
	assert_heard(
		w, "false", "Auf welchen Namen und für welchen Tag ist der Termin eingetragen?");
	kit_start(w, "find", "{\"name\":\"Erika Muster\"}");
	assert_heard(w, "false", "Für welchen Tag ist der Termin eingetragen?");
	kit_start(w, "find", "{\"date\":\"Freitag\"}");
	assert_heard(w, "false", "Auf welchen Namen ist der Termin eingetragen?");
	kit_start(w, "find", "{\"name\":\"Erika Muster\",\"date\":\"nächste Woche\"}");
	assert_heard(w, "false", "Für welchen Tag ist der Termin eingetragen?");
	kit_start(w, "find", "{\"name\":\"Muster\",\"date\":\"Freitag\"}");
	assert_heard(w, "true",
		"Sie haben einen Termin: Freitag, den 20. Juni um 09:00 Uhr, Prophylaxe.");
	kit_start(w, "find", "{\"name\":\"Muhster\",\"date\":\"20.06.2042\"}");
	assert_text(w->result, "success", "true");
	kit_start(w, "find", "{\"name\":\"Muster\",\"date\":\"Samstag\"}");
	assert_heard(w, "false",
		"Das kann ich am Telefon leider nicht sicher zuordnen. Unter welcher Nummer dürfen "
		"wir Sie zurückrufen?");
	assert_int_equal(w->next.event_count, 0);
	kit_start(w, "find",
		"{\"name\":\"Muster\",\"date\":\"Samstag\",\"phone\":\"+49 30 777 888\"}");
	assert_heard(w, "false",
		"Das kann ich am Telefon leider nicht sicher zuordnen. Wir rufen Sie zurück.");
	assert_int_equal(w->next.event_count, 1);
	assert_str(w->next.events[0].type, "callback.requested");
	assert_text(kit_json(w, w->next.events[0].data), "phone", "+4930777888");
	assert_text(kit_json(w, w->next.events[0].data), "name", "Muster");
	assert_text(kit_json(w, w->next.events[0].data), "reason", "Frage nach einem Termin");
}

static void two_of_one_name_on_one_day_need_the_time(void **state)
{
	struct world *w = *state;

	w->caller = "";
	erika_has_friday(w);
	kit_has(w, "bk4", "2042-06-20T11:00", "+4930999", "Jonas Muster");
	kit_start(w, "find", "{\"name\":\"Muster\",\"date\":\"Freitag\"}");
	assert_heard(w, "false", "Um wie viel Uhr ist der Termin?");
	kit_start(w, "find", "{\"name\":\"Muster\",\"date\":\"Freitag\",\"time\":\"11 Uhr\"}");
	assert_text(w->result, "appointments.0.uid", "bk4");
	kit_start(w, "find", "{\"name\":\"Jonas Muster\",\"date\":\"Freitag\"}");
	assert_text(w->result, "appointments.0.uid", "bk4");
	kit_start(w, "find", "{\"name\":\"Muster\",\"date\":\"Freitag\",\"time\":\"12 Uhr\"}");
	assert_heard(w, "false",
		"Das kann ich am Telefon leider nicht sicher zuordnen. Unter welcher Nummer dürfen "
		"wir Sie zurückrufen?");
}

static void the_policy_decides_what_proves(void **state)
{
	struct world *w = *state;
	struct appointment_row row = kit_appointment("bk9", FRIDAY_9, CALLER, "Erika Muster");

	row.tenant = STR("english");
	row.connection = STR("english/calendar");
	row.event_type = STR("9");
	kit_happens(w, &row);
	w->tenant = "english"; /* number only */
	w->caller = "";
	kit_start(w, "cancel", "{\"name\":\"Erika Muster\",\"date\":\"Friday\"}");
	assert_heard(w, "false",
		"I cannot match that with certainty on the phone. What number may we call you back "
		"on?");
	w->caller = CALLER;
	kit_start(w, "find", "{}");
	kit_ok(w, NOBODY);
	assert_heard(w, "true", "You have one appointment: Friday, 20 June at 9:00 am, Check-up.");
	row.tenant = STR("nord");
	row.connection = STR("agency/shared");
	row.event_type = STR("77");
	kit_happens(w, &row);
	w->tenant = "nord"; /* name and day only */
	kit_start(w, "find", "{}");
	assert_heard(
		w, "false", "Auf welchen Namen und für welchen Tag ist der Termin eingetragen?");
	kit_start(w, "find", "{\"name\":\"Erika Muster\",\"date\":\"Freitag\"}");
	assert_heard(w, "true",
		"Sie haben einen Termin: Freitag, den 20. Juni um 09:00 Uhr, Haarschnitt.");
}

/* Two offices with one calendar of their agency. */
static void offices_do_not_hear_of_each_others_callers(void **state)
{
	struct world *w = *state;

	w->tenant = "sued";
	kit_start(w, "find", "{}");
	assert_str(kit_ask(w, "find_booking")->connection, "agency/shared");
	kit_ok(w, "{\"rows\":[{\"uid\":\"n\",\"status\":\"booked\",\"start\":\"2042-06-20T07:00:"
		  "00Z\","
		  "\"event_type\":\"77\"},{\"uid\":\"s\",\"status\":\"booked\",\"start\":"
		  "\"2042-06-21T07:00:00Z\",\"event_type\":\"88\"}]}");
	assert_heard(w, "true",
		"Sie haben einen Termin: Samstag, den 21. Juni um 09:00 Uhr, Haarschnitt.");
	erika_has_friday(w); /* at praxis-winter */
	kit_start(w, "cancel", "{\"uid\":\"bk1\",\"name\":\"Erika Muster\",\"date\":\"Freitag\"}");
	kit_ask(w, "find_booking");
	kit_ok(w, NOBODY);
	assert_heard(w, "false",
		"Das kann ich am Telefon leider nicht sicher zuordnen. Wir rufen Sie zurück.");
}

/* ---- Cancel -------------------------------------------------------------------------------- */

static struct desk_ask *cancel_friday(struct world *w)
{
	kit_start(w, "cancel", "{\"date\":\"Freitag\"}");
	return kit_ask(w, "cancel");
}

static void an_appointment_is_cancelled_as_it_was_seen(void **state)
{
	struct world *w = *state;
	struct desk_ask *ask;

	erika_has_two(w);
	kit_start(w, "cancel", "{\"date\":\"Freitag\",\"reason\":\"krank\"}");
	ask = kit_ask(w, "cancel");
	assert_str(ask->dedupe, "praxis-winter/cancel/call:1/praxis-winter/calendar/bk1/1");
	assert_input(w, ask, "uid", "bk1");
	assert_input(w, ask, "id", "4711");
	assert_input(w, ask, "reason", "krank");
	assert_non_null(ask->expect);
	assert_str(ask->expect->uid, "bk1");
	assert_str(ask->expect->tenant, "praxis-winter");
	assert_int_equal(ask->hold_count, 0);
	assert_int_equal(kit_store_ask(w, ask), 0);
	kit_ok(w, "{\"uid\":\"bk1\",\"status\":\"cancelled\"}");
	assert_heard(w, "true", "Ihr Termin ist abgesagt: Freitag, den 20. Juni um 09:00 Uhr.");
	assert_text(w->result, "cancelled", "true");
	assert_text(w->result, "uid", "bk1");
}

static void the_only_appointment_needs_no_words(void **state)
{
	struct world *w = *state;

	erika_has_friday(w);
	kit_start(w, "cancel", "{}");
	kit_ask(w, "find_booking"); /* is it the only one? */
	kit_ok(w, NOBODY);
	assert_input(w, kit_ask(w, "cancel"), "uid", "bk1");
	kit_start(w, "cancel", "{}");
	kit_step(w, DESK_LATE);
	assert_heard(w, "false",
		"Meinen Sie diesen Termin: Freitag, den 20. Juni um 09:00 Uhr, Prophylaxe?");
	kit_ok(w, NOBODY); /* too late to cancel behind the caller's back */
	assert_heard(w, "false",
		"Meinen Sie diesen Termin: Freitag, den 20. Juni um 09:00 Uhr, Prophylaxe?");
	kit_start(w, "cancel", "{}");
	kit_end(w, DESK_FAILED, "broken", "", "");
	assert_heard(w, "false",
		"Meinen Sie diesen Termin: Freitag, den 20. Juni um 09:00 Uhr, Prophylaxe?");
}

static void of_several_none_is_guessed(void **state)
{
	struct world *w = *state;

	erika_has_two(w);
	kit_start(w, "cancel", "{}");
	kit_ok(w, NOBODY);
	assert_heard(w, "false",
		"Welchen Termin meinen Sie: Freitag, den 20. Juni um 09:00 Uhr, Prophylaxe oder "
		"Dienstag, den 24. Juni um 16:00 Uhr, Prophylaxe?");
	assert_text(w->result, "cancelled", "false");
	kit_start(w, "cancel", "{\"phrase\":\"den zweiten\"}");
	kit_ok(w, NOBODY);
	assert_input(w, kit_ask(w, "cancel"), "uid", "bk2");
	kit_start(w, "cancel", "{\"time\":\"16 Uhr\"}");
	assert_input(w, kit_ask(w, "cancel"), "uid", "bk2");
	kit_start(w, "cancel", "{\"slot\":\"2042-06-24T16:00:00+02:00\"}");
	assert_input(w, kit_ask(w, "cancel"), "uid", "bk2");
	kit_start(w, "cancel", "{\"uid\":\"bk1\"}");
	assert_input(w, kit_ask(w, "cancel"), "uid", "bk1");
	kit_start(w, "cancel", "{\"name\":\"Otto Muster\"}");
	kit_ok(w, NOBODY);
	assert_input(w, kit_ask(w, "cancel"), "uid", "bk2");
}

static void what_the_caller_has_not_is_said(void **state)
{
	struct world *w = *state;

	erika_has_friday(w);
	kit_start(w, "cancel", "{\"date\":\"Donnerstag\"}");
	kit_ok(w, NOBODY);
	assert_heard(w, "false",
		"Einen solchen Termin finde ich nicht, aber diesen: Freitag, den 20. Juni um 09:00 "
		"Uhr, Prophylaxe. Meinen Sie den?");
	kit_has(w, "bk2", TUESDAY_16, CALLER, "Otto Muster");
	kit_start(w, "cancel", "{\"uid\":\"of somebody else\"}");
	kit_ok(w, NOBODY);
	assert_heard(w, "false",
		"Einen solchen Termin finde ich nicht, aber diese: Freitag, den 20. Juni um 09:00 "
		"Uhr, Prophylaxe oder Dienstag, den 24. Juni um 16:00 Uhr, Prophylaxe. Welchen "
		"meinen Sie?");
	/* With name and day it may be somebody else's, who asked for the favour. */
	kit_has(w, "bk3", "2042-06-19T10:00", "+4930999", "Otto Weber");
	kit_start(w, "cancel", "{\"date\":\"Donnerstag\",\"name\":\"Otto Weber\"}");
	kit_ok(w, NOBODY);
	assert_input(w, kit_ask(w, "cancel"), "uid", "bk3");
}

/* The number is the wife's, the appointment the husband's. */
static void a_name_that_does_not_fit_is_no_small_matter(void **state)
{
	struct world *w = *state;

	erika_has_friday(w);
	kit_start(w, "cancel", "{\"date\":\"Freitag\",\"name\":\"Otto Weber\"}");
	assert_heard(w, "false",
		"Unter Ihrer Nummer steht dieser Termin auf den Namen Erika Muster: Freitag, den "
		"20. "
		"Juni um 09:00 Uhr, Prophylaxe. Meinen Sie den?");
	assert_text(w->result, "uid", "bk1");
	kit_start(w, "cancel", "{\"date\":\"Freitag\",\"name\":\"Otto Weber\",\"uid\":\"bk1\"}");
	assert_input(w, kit_ask(w, "cancel"), "uid", "bk1");
	kit_has(w, "bk3", "2042-06-20T11:00", "+4930999", "Otto Weber");
	kit_start(w, "cancel", "{\"date\":\"Freitag\",\"name\":\"Otto Weber\"}");
	assert_input(w, kit_ask(w, "cancel"), "uid", "bk3");
	kit_start(w, "cancel", "{\"date\":\"Freitag\",\"name\":\"Erika Muhster\"}");
	assert_input(w, kit_ask(w, "cancel"), "uid", "bk1");
}

static void an_unknown_number_may_still_prove_it(void **state)
{
	struct world *w = *state;

	erika_has_friday(w);
	w->caller = "+4930999";
	kit_start(w, "cancel", "{}");
	kit_ok(w, NOBODY);
	assert_heard(w, "false",
		"Unter Ihrer Nummer finde ich keinen kommenden Termin. Auf welchen Namen und für "
		"welchen Tag ist der Termin eingetragen?");
	kit_start(w, "cancel", "{\"name\":\"Erika Muster\",\"date\":\"Freitag\"}");
	kit_ok(w, NOBODY);
	assert_input(w, kit_ask(w, "cancel"), "uid", "bk1");
	kit_start(w, "cancel", "{\"name\":\"Erika Muster\",\"date\":\"Samstag\"}");
	kit_ok(w, NOBODY);
	assert_heard(w, "false",
		"Das kann ich am Telefon leider nicht sicher zuordnen. Wir rufen Sie zurück.");
	assert_int_equal(w->next.event_count, 1);
	assert_text(kit_json(w, w->next.events[0].data), "reason", "möchte einen Termin absagen");
	assert_text(kit_json(w, w->next.events[0].data), "phone", "+4930999");
}

static void what_only_the_calendar_knows_is_cancelled_there(void **state)
{
	struct world *w = *state;
	struct desk_ask *ask;

	kit_start(w, "cancel", "{\"date\":\"Freitag\"}");
	kit_ok(w, "{\"rows\":[{\"uid\":\"older\",\"id\":\"99\",\"status\":\"booked\",\"start\":"
		  "\"2042-06-20T07:00:00Z\"}]}");
	ask = kit_ask(w, "cancel");
	assert_input(w, ask, "uid", "older");
	assert_input(w, ask, "id", "99");
	assert_null(ask->expect);
}

static void what_changed_meanwhile_is_not_cancelled(void **state)
{
	struct world *w = *state;
	struct appointment_row row = kit_appointment("bk1", FRIDAY_9, CALLER, "Erika Muster");

	kit_happens(w, &row);
	cancel_friday(w);
	row.changed_ms = NOW;
	row.start_ms += HOUR_MS;
	row.end_ms += HOUR_MS;
	kit_happens(w, &row);
	assert_int_equal(kit_store_ask(w, kit_ask(w, "cancel")), E_CONFLICT);
	kit_end(w, DESK_REFUSED, "conflict", "changed", "");
	assert_heard(w, "false",
		"Der Termin wurde inzwischen geändert. Er steht jetzt so im Kalender: Freitag, den "
		"20. Juni um 10:00 Uhr, Prophylaxe.");
	assert_text(w->result, "cancelled", "false");
	cancel_friday(w);
	row.status = STR("cancelled");
	row.changed_ms = NOW + 1;
	kit_happens(w, &row);
	kit_end(w, DESK_REFUSED, "conflict", "changed", "");
	assert_heard(w, "true",
		"Dieser Termin ist bereits abgesagt: Freitag, den 20. Juni um 10:00 Uhr.");
}

static void a_moved_appointment_is_told_where_it_is(void **state)
{
	struct world *w = *state;
	struct appointment_row row = kit_appointment("bk2", TUESDAY_16, CALLER, "Erika Muster");

	erika_has_friday(w);
	cancel_friday(w);
	row.rescheduled_from = STR("bk1");
	kit_happens(w, &row);
	kit_end(w, DESK_REFUSED, "conflict", "rescheduled", "{\"uid\":\"bk2\"}");
	assert_heard(w, "false",
		"Der Termin wurde inzwischen geändert. Er steht jetzt so im Kalender: Dienstag, "
		"den "
		"24. Juni um 16:00 Uhr, Prophylaxe.");
	assert_text(w->result, "uid", "bk2");
}

static void cancelling_ends_honestly(void **state)
{
	struct world *w = *state;
	static const char pending[] = "Ich habe die Absage vorgemerkt und bestätige per WhatsApp.";
	static const char refused[] =
		"Absagen konnte ich Ihren Termin leider nicht. Dürfen wir Sie zurückrufen?";

	erika_has_friday(w);
	cancel_friday(w);
	kit_step(w, DESK_LATE);
	assert_heard(w, "false", pending);
	assert_text(w->result, "pending", "true");
	cancel_friday(w);
	kit_end(w, DESK_UNKNOWN, "surprise", "", "");
	assert_heard(w, "false", pending);
	cancel_friday(w);
	kit_end(w, DESK_FAILED, "busy", "", "");
	assert_heard(w, "false", pending);
	cancel_friday(w);
	kit_ok(w, "{\"uid\":\"bk1\",\"status\":\"booked\"}");
	assert_heard(w, "false", pending);
	cancel_friday(w);
	kit_end(w, DESK_REFUSED, "gone", "not_found", "");
	assert_heard(w, "false",
		"Diesen Termin gibt es im Kalender nicht mehr. Dürfen wir Sie zurückrufen?");
	cancel_friday(w);
	kit_end(w, DESK_REFUSED, "bad input", "too_late", "");
	assert_heard(w, "false", refused);
	cancel_friday(w);
	kit_end(w, DESK_FAILED, "store", "", ""); /* no job is there that could still do it */
	assert_heard(w, "false", refused);
	cancel_friday(w);
	kit_end(w, DESK_REFUSED, "conflict", "changed", "");
	assert_text(w->result, "cancelled", "false");
}

/* ---- Reschedule ---------------------------------------------------------------------------- */

static void monday_is_free(struct world *w)
{
	FREE(w, "310455", "2042-06-23T10:00", "2042-06-23T11:00", "2042-06-24T10:00");
}

static struct desk_ask *move_friday(struct world *w)
{
	kit_start(w, "reschedule",
		"{\"date\":\"Freitag\",\"new_slot\":\"2042-06-23T10:00:00+02:00\"}");
	return kit_ask(w, "reschedule");
}

static void an_appointment_is_moved_under_a_hold(void **state)
{
	struct world *w = *state;
	struct appointment_row row = kit_appointment("bk1", FRIDAY_9, CALLER, "Erika Muster");
	struct desk_ask *ask;

	row.end_ms = row.start_ms + 45 * MINUTE_MS; /* not the service's length */
	kit_happens(w, &row);
	monday_is_free(w);
	ask = move_friday(w);
	assert_str(ask->dedupe, "praxis-winter/reschedule/call:1/praxis-winter/calendar/bk1/1/"
				"2042-06-23T08:00:00Z");
	assert_input(w, ask, "uid", "bk1");
	assert_input(w, ask, "id", "4711");
	assert_input(w, ask, "start", "2042-06-23T08:00:00Z");
	assert_str(ask->expect->uid, "bk1");
	assert_int_equal(ask->hold_count, 1);
	assert_str(ask->holds[0].resource, "event_type:310455");
	assert_int_equal(ask->holds[0].start_ms, kit_ms("2042-06-23T10:00"));
	assert_int_equal(ask->holds[0].end_ms, kit_ms("2042-06-23T10:45"));
	assert_int_equal(kit_store_ask(w, ask), 0);
	kit_ok(w, "{\"uid\":\"bk2\",\"status\":\"booked\",\"start\":\"2042-06-23T08:00:00Z\","
		  "\"rescheduled_from\":\"bk1\"}");
	assert_heard(w, "true", "Ihr Termin ist verlegt: Montag, den 23. Juni um 10:00 Uhr.");
	assert_text(w->result, "rescheduled", "true");
	assert_text(w->result, "uid", "bk2");
}

static void somebodys_appointment_stays_with_them(void **state)
{
	struct world *w = *state;
	struct appointment_row row = kit_appointment("bk1", FRIDAY_9, CALLER, "Erika Muster");

	row.event_type = STR("402");
	row.end_ms = row.start_ms + HOUR_MS;
	kit_happens(w, &row);
	FREE(w, "401", "2042-06-23T10:00");
	FREE(w, "402", "2042-06-23T10:00", "2042-06-23T15:00");
	assert_str(move_friday(w)->holds[0].resource, "staff:Dr. Weiß");
	FREE(w, "402", "2042-06-23T15:00");
	kit_start(w, "reschedule",
		"{\"date\":\"Freitag\",\"new_slot\":\"2042-06-23T10:00:00+02:00\"}");
	assert_heard(w, "false",
		"Zu dieser Zeit ist leider nichts frei: Montag, den 23. Juni um 10:00 Uhr. Ihr "
		"Termin bleibt bestehen: Freitag, den 20. Juni um 09:00 Uhr. Ich kann Ihnen "
		"Montag, "
		"den 23. Juni um 15:00 Uhr anbieten. Passt Ihnen das?");
}

static void old_and_new_time_are_told_apart(void **state)
{
	static const char *const said[] = {
		"\"old_date\":\"Freitag\",\"date\":\"Montag\",\"time\":\"10 Uhr\"",
		"\"date\":\"Freitag\",\"new_date\":\"2042-06-23\",\"new_time\":\"10:00\"",
		"\"new_datum\":\"23.06.2042\",\"new_uhrzeit\":\"10:00\",\"uid\":\"bk1\"",
		"\"date\":\"Freitag\",\"new_wish\":\"am Montag um zehn\"",
		"\"date\":\"Freitag\",\"new_start\":\"2042-06-23T08:00:00Z\"",
		"\"uid\":\"bk1\",\"date\":\"Montag\",\"time\":\"10 Uhr\"",
		"\"uid\":\"bk1\",\"slot\":\"2042-06-23T10:00:00+02:00\"",
	};
	struct world *w = *state;

	erika_has_two(w);
	monday_is_free(w);
	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		kit_start(w, "reschedule", arena_printf(w->f->arena, "{%s}", said[i]));
		assert_input(w, kit_ask(w, "reschedule"), "uid", "bk1");
		assert_input(w, kit_ask(w, "reschedule"), "start", "2042-06-23T08:00:00Z");
	}
}

static void one_date_is_the_new_one_if_only_one_is_to_be_moved(void **state)
{
	struct world *w = *state;

	erika_has_friday(w);
	monday_is_free(w);
	kit_start(w, "reschedule", "{\"date\":\"Montag\",\"time\":\"10 Uhr\"}");
	kit_ok(w, NOBODY);
	assert_input(w, kit_ask(w, "reschedule"), "start", "2042-06-23T08:00:00Z");
	kit_start(w, "reschedule", "{\"date\":\"Freitag\"}");
	assert_heard(w, "false",
		"Auf welchen Tag und welche Uhrzeit möchten Sie Ihren Termin verlegen: Freitag, "
		"den "
		"20. Juni um 09:00 Uhr, Prophylaxe?");
	kit_has(w, "bk2", TUESDAY_16, CALLER, "Otto Muster");
	kit_start(w, "reschedule", "{\"date\":\"Montag\",\"time\":\"10 Uhr\"}");
	kit_ok(w, NOBODY);
	assert_text(w->result, "success", "false");
}

static void the_new_time_is_asked_for_like_a_booking(void **state)
{
	struct world *w = *state;

	erika_has_friday(w);
	monday_is_free(w);
	kit_start(w, "reschedule", "{\"old_date\":\"Freitag\",\"date\":\"Montag\"}");
	assert_heard(w, "false", "Um wie viel Uhr möchten Sie kommen: Montag, den 23. Juni?");
	kit_start(w, "reschedule",
		"{\"old_date\":\"Freitag\",\"slot\":\"2042-06-16T10:00:00+02:00\"}");
	assert_heard(w, "false",
		"Montag, den 16. Juni um 10:00 Uhr ist schon vorbei. Welcher Tag passt Ihnen?");
	kit_start(w, "reschedule",
		"{\"old_date\":\"Freitag\",\"slot\":\"2042-06-20T09:00:00+02:00\"}");
	assert_heard(w, "true",
		"Ihr Termin ist bereits so eingetragen: Freitag, den 20. Juni um 09:00 Uhr, "
		"Prophylaxe.");
	assert_text(w->result, "rescheduled", "false");
	/* It does not stand in its own way. */
	kit_start(w, "reschedule",
		"{\"old_date\":\"Freitag\",\"slot\":\"2042-06-20T09:15:00+02:00\"}");
	assert_input(w, kit_ask(w, "reschedule"), "start", "2042-06-20T07:15:00Z");
}

static void an_offered_time_may_be_taken_by_its_number(void **state)
{
	struct world *w = *state;

	erika_has_friday(w);
	monday_is_free(w);
	kit_start(w, "offer", "{\"service\":\"Prophylaxe\",\"date\":\"Montag\"}");
	assert_true(w->next.hold_count >= 2);
	assert_int_equal(kit_keep(w), 0);
	kit_start(w, "reschedule", "{\"date\":\"Freitag\",\"new_wish\":\"den zweiten\"}");
	assert_input(w, kit_ask(w, "reschedule"), "start", "2042-06-23T09:00:00Z");
}

/* A calendar moves it within its event type, whoever the new time was offered with. */
static void it_is_held_where_it_is_booked(void **state)
{
	struct world *w = *state;

	erika_has_friday(w);
	FREE(w, "501", "2042-06-23T10:00");
	kit_start(w, "offer", "{\"service\":\"Prophylaxe\",\"staff\":\"Frau Kern\"}");
	assert_int_equal(kit_keep(w), 0);
	assert_str(move_friday(w)->holds[0].resource, "event_type:310455");
}

static void a_withheld_number_moves_by_name_and_day(void **state)
{
	struct world *w = *state;

	erika_has_friday(w);
	monday_is_free(w);
	w->caller = "";
	kit_start(w, "reschedule",
		"{\"name\":\"Erika Muster\",\"date\":\"20. Juni\",\"new_date\":\"Montag\","
		"\"new_time\":\"10 Uhr\"}");
	assert_input(w, kit_ask(w, "reschedule"), "uid", "bk1");
	kit_start(w, "reschedule",
		"{\"name\":\"Otto Weber\",\"date\":\"20. Juni\",\"new_date\":\"Montag\","
		"\"new_time\":\"10 Uhr\",\"phone\":\"030 777 888\"}");
	assert_heard(w, "false",
		"Das kann ich am Telefon leider nicht sicher zuordnen. Wir rufen Sie zurück.");
	assert_text(kit_json(w, w->next.events[0].data), "reason", "möchte einen Termin verlegen");
}

static void moving_ends_honestly(void **state)
{
	struct world *w = *state;
	static const char pending[] =
		"Ich habe die Verlegung vorgemerkt und bestätige per WhatsApp.";
	static const char taken[] =
		"Dieser Termin ist leider gerade vergeben worden: Montag, den 23. Juni um 10:00 "
		"Uhr. "
		"Ihr Termin bleibt bestehen: Freitag, den 20. Juni um 09:00 Uhr. Ich kann Ihnen "
		"Montag, den 23. Juni um 11:00 Uhr oder Dienstag, den 24. Juni um 10:00 Uhr "
		"anbieten. Passt Ihnen das?";
	static const char refused[] =
		"Ihr Termin bleibt bestehen: Freitag, den 20. Juni um 09:00 Uhr. Verlegen konnte "
		"ich Ihren Termin leider nicht. Dürfen wir Sie zurückrufen?";

	erika_has_friday(w);
	monday_is_free(w);
	move_friday(w);
	kit_step(w, DESK_LATE);
	assert_heard(w, "false", pending);
	move_friday(w);
	kit_end(w, DESK_UNKNOWN, "surprise", "", "");
	assert_heard(w, "false", pending);
	assert_text(w->result, "pending", "true");
	move_friday(w);
	kit_ok(w, "{}");
	assert_heard(w, "false", pending);
	move_friday(w);
	kit_ok(w, "{\"uid\":\"bk2\",\"status\":\"requested\",\"start\":\"2042-06-23T08:00:00Z\"}");
	assert_heard(w, "true",
		"Ihr Wunsch ist eingetragen: Montag, den 23. Juni um 10:00 Uhr. Wir müssen die "
		"neue "
		"Zeit noch bestätigen.");
	assert_text(w->result, "rescheduled", "false");
	move_friday(w);
	kit_end(w, DESK_REFUSED, "conflict", "slot_taken", "");
	assert_heard(w, "false", taken);
	assert_int_equal(w->next.hold_count, 2);
	move_friday(w);
	kit_step(w, DESK_TAKEN);
	assert_heard(w, "false", taken);
	move_friday(w);
	kit_end(w, DESK_REFUSED, "bad input", "too_late", "");
	assert_heard(w, "false", refused);
	move_friday(w);
	kit_end(w, DESK_FAILED, "store", "", "");
	assert_heard(w, "false", refused);
}

static void somebody_else_moved_it_first(void **state)
{
	struct world *w = *state;
	struct appointment_row row = kit_appointment("bk2", TUESDAY_16, CALLER, "Erika Muster");

	erika_has_friday(w);
	monday_is_free(w);
	move_friday(w);
	row.rescheduled_from = STR("bk1");
	kit_happens(w, &row);
	kit_end(w, DESK_REFUSED, "conflict", "rescheduled", "{\"uid\":\"bk2\"}");
	assert_heard(w, "false",
		"Der Termin wurde inzwischen geändert. Er steht jetzt so im Kalender: Dienstag, "
		"den "
		"24. Juni um 16:00 Uhr, Prophylaxe.");
	/* What the same question became, asked again after its answer is gone. */
	row.uid = STR("bk3");
	row.start_ms = kit_ms("2042-06-23T10:00");
	row.rescheduled_from = STR("bk2");
	row.changed_ms = NOW;
	kit_start(w, "reschedule",
		"{\"date\":\"24. Juni\",\"new_slot\":\"2042-06-23T10:00:00+02:00\"}");
	assert_input(w, kit_ask(w, "reschedule"), "uid", "bk2");
	kit_happens(w, &row);
	kit_ok(w, "");
	assert_heard(w, "true", "Ihr Termin ist verlegt: Montag, den 23. Juni um 10:00 Uhr.");
}

static void in_english_too(void **state)
{
	struct world *w = *state;
	struct appointment_row row = kit_appointment("bk1", FRIDAY_9, CALLER, "Erika Muster");

	row.tenant = STR("english");
	row.connection = STR("english/calendar");
	row.event_type = STR("9");
	kit_happens(w, &row);
	w->tenant = "english";
	FREE(w, "9", "2042-06-23T10:00", "2042-06-23T11:00");
	kit_start(w, "reschedule",
		"{\"date\":\"Friday\",\"new_date\":\"Monday\",\"new_time\":\"10 am\"}");
	kit_ask(w, "reschedule");
	kit_ok(w, "{\"uid\":\"bk2\",\"status\":\"booked\",\"start\":\"2042-06-23T08:00:00Z\"}");
	assert_heard(w, "true", "Your appointment has been moved: Monday, 23 June at 10:00 am.");
	kit_start(w, "cancel", "{\"date\":\"Friday\"}");
	kit_ok(w, "{\"uid\":\"bk1\",\"status\":\"cancelled\"}");
	assert_heard(w, "true", "Your appointment is cancelled: Friday, 20 June at 9:00 am.");
	kit_start(w, "cancel", "{\"date\":\"Friday\"}");
	kit_step(w, DESK_LATE);
	assert_heard(w, "false", "I have noted the cancellation and will confirm it by WhatsApp.");
	kit_start(w, "cancel", "{\"date\":\"Thursday\"}");
	kit_ok(w, NOBODY);
	assert_heard(w, "false",
		"I find no such appointment, but this one: Friday, 20 June at 9:00 am, Check-up. "
		"Is "
		"that the one you mean?");
}

/* ---- All ends ------------------------------------------------------------------------------ */

/* kit_check looks at each result: nothing is said to be done that no calendar said. */
static void no_end_of_a_change_says_more_than_the_calendar(void **state)
{
	static const char *const ops[] = {"{\"date\":\"Freitag\"}",
		"{\"date\":\"Freitag\",\"new_slot\":\"2042-06-23T10:00:00+02:00\"}"};
	static const char *const codes[] = {
		"", "slot_taken", "changed", "rescheduled", "cancelled", "not_found"};
	static const char *const texts[] = {"", "{}", "[]", "not JSON",
		"{\"uid\":\"bk1\",\"status\":\"cancelled\",\"start\":\"2042-06-23T08:00:00Z\"}",
		"{\"uid\":\"bk1\",\"status\":\"booked\",\"start\":\"2042-06-23T08:00:00Z\"}"};
	struct world *w = *state;

	erika_has_friday(w);
	monday_is_free(w);
	for (size_t n = 0; n < 2 * 5 * 6 * 6; n++) {
		size_t op = n % 2, end = n / 2 % 5, code = n / 10 % 6, text = n / 60 % 6;
		bool done;
		kit_start(w, op ? "reschedule" : "cancel", ops[op]);
		kit_ask(w, op ? "reschedule" : "cancel");
		w->run.asks[0].end = (enum desk_end)end;
		w->run.asks[0].code = str_of(codes[code]);
		w->run.asks[0].result = w->run.asks[0].detail = str_of(texts[text]);
		kit_step(w, DESK_ANSWERED);
		assert_int_equal(w->next.then, DESK_DONE);
		done = json_bool(json_get(w->result, op ? "rescheduled" : "cancelled"), false);
		assert_int_equal(done, end == DESK_OK && text == (op ? 5 : 4));
	}
}

/* Whatever a model makes up: an answer, and nothing done. */
static void whatever_an_agent_sends_is_answered(void **state)
{
	static const char *const ops[] = {"book", "find", "reschedule", "cancel"};
	static const char *const names[] = {"date", "time", "slot", "phrase", "name", "uid",
		"new_date", "new_slot", "old_date", "service", "staff", "phone", "which"};
	static const char *const values[] = {"\"\"", "null", "true", "-1", "1e400", "[[]]",
		"{\"a\":1}", "\"Freitag\"", "\"den zweiten\"", "\"\\u0001 \\u0007\"",
		"\"🦷 9 Uhr 🦷\"", "\"9999-99-99T99:99:99Z\"", "\"2042-06-20T09:00:00+02:00\"",
		"\"0000-00-00\"", "\"Erika Muster\"", "\"310455\"", "\"+49301112220\""};
	struct world *w = *state;
	uint32_t seed = 1;

	erika_has_two(w);
	monday_is_free(w);
	for (size_t n = 0; n < 3000; n++) {
		struct buf args = {.max = 4096};
		buf_add_text(&args, "{");
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
			seed = seed * 1664525u + 1013904223u;
			if (seed >> 30 == 0)
				buf_printf(&args, "%s\"%s\":%s", args.len > 1 ? "," : "", names[i],
					values[(seed >> 16) %
						(sizeof(values) / sizeof(values[0]))]);
		}
		buf_add_text(&args, "}");
		w->caller = n % 3 ? CALLER : "";
		kit_start(w, ops[n % 4], args.ptr);
		buf_finish(&args);
		for (int steps = 0; w->next.then == DESK_ASK && steps < 4; steps++)
			kit_step(w, n % 2 ? DESK_LATE : DESK_ANSWERED);
		assert_int_equal(w->next.then, DESK_DONE);
		arena_reset(w->f->arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DESK_TEST(a_number_hears_its_own_appointments),
		DESK_TEST(a_number_in_the_arguments_proves_nothing),
		DESK_TEST(a_late_calendar_leaves_what_the_store_knows),
		DESK_TEST(the_calendar_knows_more_than_the_store),
		DESK_TEST(what_was_moved_is_not_told_twice),
		DESK_TEST(many_appointments_are_not_all_spoken),
		DESK_TEST(a_withheld_number_needs_name_and_day),
		DESK_TEST(two_of_one_name_on_one_day_need_the_time),
		DESK_TEST(the_policy_decides_what_proves),
		DESK_TEST(offices_do_not_hear_of_each_others_callers),
		DESK_TEST(an_appointment_is_cancelled_as_it_was_seen),
		DESK_TEST(the_only_appointment_needs_no_words),
		DESK_TEST(of_several_none_is_guessed),
		DESK_TEST(what_the_caller_has_not_is_said),
		DESK_TEST(a_name_that_does_not_fit_is_no_small_matter),
		DESK_TEST(an_unknown_number_may_still_prove_it),
		DESK_TEST(what_only_the_calendar_knows_is_cancelled_there),
		DESK_TEST(what_changed_meanwhile_is_not_cancelled),
		DESK_TEST(a_moved_appointment_is_told_where_it_is),
		DESK_TEST(cancelling_ends_honestly),
		DESK_TEST(an_appointment_is_moved_under_a_hold),
		DESK_TEST(somebodys_appointment_stays_with_them),
		DESK_TEST(old_and_new_time_are_told_apart),
		DESK_TEST(one_date_is_the_new_one_if_only_one_is_to_be_moved),
		DESK_TEST(the_new_time_is_asked_for_like_a_booking),
		DESK_TEST(an_offered_time_may_be_taken_by_its_number),
		DESK_TEST(it_is_held_where_it_is_booked),
		DESK_TEST(a_withheld_number_moves_by_name_and_day),
		DESK_TEST(moving_ends_honestly),
		DESK_TEST(somebody_else_moved_it_first),
		DESK_TEST(in_english_too),
		DESK_TEST(whatever_an_agent_sends_is_answered),
		DESK_TEST(no_end_of_a_change_says_more_than_the_calendar),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
