/* test_desk_book.c - one wish, one booking: what is asked of the calendar, and what a caller is
 * told after each way it may end. */
#include "desk_kit.h"

#define THURSDAY_16 "2042-06-19T16:00:00+02:00"
#define BOOK_THURSDAY                                                                              \
	"{\"service\":\"Prophylaxe\",\"slot\":\"" THURSDAY_16 "\",\"name\":\"Erika Muster\"}"
#define BOOKED                                                                                     \
	"{\"uid\":\"bk1\",\"status\":\"booked\",\"start\":\"2042-06-19T14:00:00Z\","               \
	"\"end\":\"2042-06-19T14:30:00Z\",\"event_type\":\"310455\"}"

static void thursday_is_free(struct world *w)
{
	FREE(w, "310455", "2042-06-19T16:00", "2042-06-19T16:30", "2042-06-20T09:00",
		"2042-06-24T16:00");
}

/* ---- The question -------------------------------------------------------------------------- */

static void the_calendar_is_asked_to_book_under_a_hold(void **state)
{
	struct world *w = *state;
	struct desk_ask *ask;

	thursday_is_free(w);
	kit_start(w, "book",
		"{\"service\":\"Prophylaxe\",\"slot\":\"" THURSDAY_16
		"\",\"name\":\"Erika Muster\",\"reason\":\"Zahnfleisch\"}");
	ask = kit_ask(w, "book");
	assert_str(ask->connection, "praxis-winter/calendar");
	assert_str(ask->dedupe, "praxis-winter/book/call:1/310455/2042-06-19T14:00:00Z");
	assert_input(w, ask, "event_type", "310455");
	assert_input(w, ask, "start", "2042-06-19T14:00:00Z");
	assert_input(w, ask, "name", "Erika Muster");
	assert_input(w, ask, "phone", CALLER);
	assert_input(w, ask, "language", "de");
	assert_input(w, ask, "timezone", "Europe/Berlin");
	assert_input(w, ask, "notes", "Zahnfleisch");
	assert_input(w, ask, "metadata.call_id", "1");
	assert_null(json_get(kit_json(w, ask->input), "email"));
	assert_null(json_get(kit_json(w, ask->input), "length_min"));
	assert_int_equal(ask->hold_count, 1);
	assert_int_equal(ask->holds[0].state, HOLD_BOOKING);
	assert_str(ask->holds[0].resource, "event_type:310455");
	assert_str(ask->holds[0].holder, "call:1");
	assert_int_equal(ask->holds[0].start_ms, kit_ms(THURSDAY_16));
	assert_int_equal(ask->holds[0].end_ms, kit_ms(THURSDAY_16) + 30 * MINUTE_MS);
	assert_int_equal(ask->holds[0].expires_ms, NOW + DAY_MS);
	assert_int_equal(kit_store_ask(w, ask), 0);
}

static void a_repeated_wish_is_the_same_question(void **state)
{
	struct world *w = *state;
	struct str first;

	thursday_is_free(w);
	kit_start(w, "book", BOOK_THURSDAY);
	first = kit_ask(w, "book")->dedupe;
	assert_int_equal(kit_store_ask(w, kit_ask(w, "book")), 0);
	kit_start(w, "book",
		"{\"service\":\"Prophylaxe\",\"slot\":\"" THURSDAY_16
		"\",\"name\":\"Erika Mustr\"}");
	assert_true(str_eq(kit_ask(w, "book")->dedupe, first));
	w->holder = "call:2";
	w->caller = "+493099";
	kit_start(w, "book", BOOK_THURSDAY);
	assert_heard(w, "false",
		"Zu dieser Zeit ist leider nichts frei: Donnerstag, den 19. Juni um 16:00 Uhr. Ich "
		"kann Ihnen Donnerstag, den 19. Juni um 16:30 Uhr oder Freitag, den 20. Juni um "
		"09:00 Uhr anbieten. Passt Ihnen das?");
}

static void somebodys_slot_is_held_under_their_name(void **state)
{
	struct world *w = *state;
	struct desk_ask *ask;

	FREE(w, "401", "2042-06-19T15:00");
	FREE(w, "402", "2042-06-19T16:00");
	kit_start(w, "book",
		"{\"service\":\"Füllung\",\"slot\":\"" THURSDAY_16 "\",\"name\":\"Erika Muster\"}");
	ask = kit_ask(w, "book");
	assert_input(w, ask, "event_type", "402");
	assert_str(ask->holds[0].resource, "staff:Dr. Weiß");
	assert_int_equal(ask->holds[0].end_ms - ask->holds[0].start_ms, HOUR_MS);
	assert_int_equal(kit_store_ask(w, ask), 0);
	/* The same wish goes to nobody else, even if that one is free now. */
	FREE(w, "401", "2042-06-19T16:00");
	FREE(w, "402", "2042-06-20T16:00");
	kit_start(w, "book",
		"{\"service\":\"Füllung\",\"slot\":\"" THURSDAY_16 "\",\"name\":\"Erika Muster\"}");
	assert_input(w, kit_ask(w, "book"), "event_type", "402");
}

static void what_was_offered_is_chosen_by_words(void **state)
{
	static const struct {
		const char *said, *start;
	} cases[] = {
		{"{\"phrase\":\"den ersten\"}", "2042-06-19T14:00:00Z"},
		{"{\"phrase\":\"Den zweiten, bitte.\"}", "2042-06-20T07:00:00Z"},
		{"{\"phrase\":\"den letzten\"}", "2042-06-20T07:00:00Z"},
		{"{\"date\":\"Freitag\"}", "2042-06-20T07:00:00Z"},
		{"{\"time\":\"um vier\"}", "2042-06-19T14:00:00Z"},
		{"{\"time\":\"09:00\"}", "2042-06-20T07:00:00Z"},
		{"{\"date\":\"2042-06-19\"}", "2042-06-19T14:00:00Z"},
	};
	struct world *w = *state;

	FREE(w, "310455", "2042-06-19T16:00", "2042-06-20T09:00");
	kit_start(w, "offer", "{\"service\":\"Prophylaxe\"}");
	assert_int_equal(w->next.hold_count, 2);
	assert_int_equal(kit_keep(w), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct str args = str_of(cases[i].said);
		kit_start(w, "book",
			arena_printf(w->f->arena, "%.*s,\"name\":\"Erika Muster\"}",
				(int)args.len - 1, args.ptr));
		assert_input(w, kit_ask(w, "book"), "start", cases[i].start);
	}
	kit_start(w, "book", "{\"phrase\":\"Blumenkohl\",\"name\":\"Erika Muster\"}");
	assert_heard(w, "false", "An welchem Tag und um wie viel Uhr möchten Sie kommen?");
	kit_start(w, "book", "{\"name\":\"Erika Muster\"}");
	assert_heard(w, "false",
		"Welchen Termin möchten Sie: Donnerstag, den 19. Juni um 16:00 Uhr oder Freitag, "
		"den "
		"20. Juni um 09:00 Uhr?");
}

static void the_only_one_offered_needs_no_words(void **state)
{
	struct world *w = *state;

	FREE(w, "401", "2042-06-19T15:00");
	FREE(w, "402", "2042-06-25T15:00");
	kit_start(w, "offer", "{\"service\":\"Füllung\",\"staff\":\"Petersen\"}");
	assert_int_equal(kit_keep(w), 0);
	kit_start(w, "book", "{\"name\":\"Erika Muster\"}");
	assert_input(w, kit_ask(w, "book"), "event_type", "401");
	assert_input(w, kit_ask(w, "book"), "start", "2042-06-19T13:00:00Z");
	kit_start(w, "book", "{\"phrase\":\"ja gerne\",\"name\":\"Erika Muster\"}");
	assert_input(w, kit_ask(w, "book"), "event_type", "401");
	kit_start(w, "book", "{\"phrase\":\"Blumenkohl\",\"name\":\"Erika Muster\"}");
	assert_text(w->result, "success", "false");
	/* With somebody else it is another time. */
	kit_start(w, "book",
		"{\"service\":\"Füllung\",\"staff\":\"Weiß\",\"name\":\"Erika Muster\","
		"\"slot\":\"2042-06-25T15:00:00+02:00\"}");
	assert_input(w, kit_ask(w, "book"), "event_type", "402");
	kit_start(w, "book",
		"{\"service\":\"Füllung\",\"staff\":\"Weiß\",\"name\":\"Erika Muster\","
		"\"time\":\"15 Uhr\"}");
	assert_text(w->result, "success", "false");
	/* Other callers hear nothing of it. */
	w->holder = "call:2";
	kit_start(w, "book", "{\"service\":\"Füllung\",\"name\":\"Erika Muster\"}");
	assert_heard(w, "false", "An welchem Tag und um wie viel Uhr möchten Sie kommen?");
}

static void what_was_offered_may_be_had_though_it_came_nearer(void **state)
{
	struct world *w = *state;

	FREE(w, "310455", "2042-06-17T11:02");
	kit_start(w, "offer", "{\"service\":\"Prophylaxe\"}");
	assert_int_equal(kit_keep(w), 0);
	w->now_ms += 4 * MINUTE_MS;
	kit_start(w, "book", "{\"slot\":\"2042-06-17T11:02:00+02:00\",\"name\":\"Erika Muster\"}");
	assert_input(w, kit_ask(w, "book"), "start", "2042-06-17T09:02:00Z");
	w->now_ms += 2 * MINUTE_MS; /* the offer is over */
	kit_start(w, "book",
		"{\"service\":\"Prophylaxe\",\"slot\":\"2042-06-17T11:02:00+02:00\","
		"\"name\":\"Erika Muster\"}");
	assert_heard(w, "false", "So kurzfristig kann ich leider keinen Termin mehr vergeben.");
}

static void day_and_time_name_the_start(void **state)
{
	static const char *const said[] = {
		"\"date\":\"2042-06-19\",\"time\":\"16:00\"",
		"\"requested_date\":\"Donnerstag\",\"requested_time\":\"16 Uhr\"",
		"\"phrase\":\"am Donnerstag um vier\"",
		"\"start\":\"2042-06-19T16:00:00\"",
		"\"slot\":\"2042-06-19T14:00:00Z\"",
		"\"date\":\"übermorgen\",\"time\":\"sechzehn Uhr\"",
		("\"date\":\"19.06.2042\",\"time\":\"16:00\","
		 "\"customer_preferences\":\"donnerstags zwischen 16 und 19 Uhr\""),
	};
	struct world *w = *state;

	thursday_is_free(w);
	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		kit_start(w, "book",
			arena_printf(w->f->arena,
				"{\"service\":\"Prophylaxe\",\"name\":\"Erika Muster\",%s}",
				said[i]));
		assert_input(w, kit_ask(w, "book"), "start", "2042-06-19T14:00:00Z");
	}
}

static void the_calendar_decides_what_the_mirror_does_not_know(void **state)
{
	struct world *w = *state;
	struct desk_ask *ask;

	kit_start(w, "book", BOOK_THURSDAY);
	ask = kit_ask(w, "book");
	assert_input(w, ask, "event_type", "310455");
	assert_str(ask->holds[0].resource, "event_type:310455");
}

/* ---- What is missing ----------------------------------------------------------------------- */

static void what_is_missing_is_asked_for(void **state)
{
	struct world *w = *state;

	thursday_is_free(w);
	kit_start(w, "book", "{\"service\":\"Prophylaxe\",\"name\":\"Erika Muster\"}");
	assert_heard(w, "false", "An welchem Tag und um wie viel Uhr möchten Sie kommen?");
	kit_start(w, "book",
		"{\"service\":\"Prophylaxe\",\"name\":\"Erika Muster\",\"date\":\"Donnerstag\"}");
	assert_heard(w, "false", "Um wie viel Uhr möchten Sie kommen: Donnerstag, den 19. Juni?");
	kit_start(w, "book", "{\"service\":\"Prophylaxe\",\"slot\":\"" THURSDAY_16 "\"}");
	assert_heard(w, "false", "Auf welchen Namen darf ich den Termin eintragen?");
	kit_start(w, "book", "{\"slot\":\"" THURSDAY_16 "\",\"name\":\"Erika Muster\"}");
	assert_heard(w, "false", "Wofür möchten Sie kommen: Prophylaxe oder Füllung?");
	w->caller = "";
	kit_start(w, "book", BOOK_THURSDAY);
	assert_heard(w, "false", "Unter welcher Telefonnummer können wir Sie erreichen?");
	kit_start(w, "book",
		"{\"service\":\"Prophylaxe\",\"slot\":\"" THURSDAY_16
		"\",\"name\":\"Erika Muster\",\"phone\":\"caller_number\"}");
	assert_heard(w, "false", "Unter welcher Telefonnummer können wir Sie erreichen?");
	kit_start(w, "book",
		"{\"service\":\"Prophylaxe\",\"slot\":\"" THURSDAY_16
		"\",\"name\":\"Erika Muster\",\"phone\":\"030 / 44 55 66\"}");
	assert_input(w, kit_ask(w, "book"), "phone", "+4930445566");
}

static void who_gives_no_address_is_booked_under_the_offices(void **state)
{
	struct world *w = *state;

	w->tenant = "english";
	w->caller = "";
	FREE(w, "9", "2042-06-19T16:00");
	kit_start(w, "book", "{\"slot\":\"" THURSDAY_16 "\",\"name\":\"Erika Muster\"}");
	assert_input(w, kit_ask(w, "book"), "email", "desk@english.example");
	assert_input(w, kit_ask(w, "book"), "language", "en");
	assert_null(json_get(kit_json(w, kit_ask(w, "book")->input), "phone"));
	kit_step(w, DESK_LATE);
	assert_heard(w, "false", "I have noted the appointment and will confirm it by e-mail.");
}

static void what_cannot_be_is_said_kindly_and_asked_of_nobody(void **state)
{
	static const struct {
		const char *said, *say;
	} cases[] = {
		{"\"slot\":\"2042-06-16T16:00:00+02:00\"",
			"Montag, den 16. Juni um 16:00 Uhr ist schon vorbei. Welcher Tag passt "
			"Ihnen?"},
		{"\"slot\":\"2042-06-17T10:30:00+02:00\"",
			"So kurzfristig kann ich leider keinen Termin mehr vergeben."},
		{"\"slot\":\"2042-08-19T16:00:00+02:00\"",
			"So weit im Voraus kann ich noch keine Termine nennen, nur bis Dienstag, "
			"den 1. "
			"Juli."},
		{"\"slot\":\"2042-13-45T99:00:00+02:00\"",
			"Diesen Zeitpunkt habe ich nicht verstanden. Welcher Tag und welche "
			"Uhrzeit "
			"passen Ihnen?"},
	};
	struct world *w = *state;

	thursday_is_free(w);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		kit_start(w, "book",
			arena_printf(w->f->arena,
				"{\"service\":\"Prophylaxe\",\"name\":\"Erika Muster\",%s}",
				cases[i].said));
		assert_heard(w, "false", cases[i].say);
		assert_text(w->result, "booked", "false");
	}
}

/* Their sentences are the wish resolver's; here it matters that nothing is asked. */
static void absurd_wishes_book_nothing(void **state)
{
	static const char *const said[] = {
		"\"date\":\"2023-06-13\",\"time\":\"16:00\"",
		"\"date\":\"31. Juni\",\"time\":\"16:00\"",
		"\"date\":\"Donnerstag\",\"time\":\"25 Uhr\"",
		"\"date\":\"2043-03-29\",\"time\":\"02:30\"",
		"\"date\":\"🦷🦷🦷\",\"time\":\"\"",
		"\"date\":null,\"time\":[],\"phrase\":{}",
		"\"service\":\"Herztransplantation\",\"slot\":\"" THURSDAY_16 "\"",
		"\"event_type_id\":88,\"slot\":\"" THURSDAY_16 "\"",
	};
	struct world *w = *state;

	thursday_is_free(w);
	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		kit_start(w, "book",
			arena_printf(w->f->arena, "{\"name\":\"Erika Muster\",%s}", said[i]));
		if (w->next.then != DESK_DONE)
			fail_msg("%s", said[i]);
		assert_text(w->result, "success", "false");
		assert_text(w->result, "booked", "false");
		assert_int_equal(w->next.hold_count, 0);
	}
}

/* ---- How it ended -------------------------------------------------------------------------- */

static void ask_for_thursday(struct world *w)
{
	thursday_is_free(w);
	kit_start(w, "book", BOOK_THURSDAY);
	kit_ask(w, "book");
}

static void booked_is_said_when_the_calendar_says_it(void **state)
{
	struct world *w = *state;

	ask_for_thursday(w);
	kit_ok(w, BOOKED);
	assert_heard(w, "true", "Ihr Termin ist gebucht: Donnerstag, den 19. Juni um 16:00 Uhr.");
	assert_text(w->result, "booked", "true");
	assert_text(w->result, "uid", "bk1");
	assert_text(w->result, "start", "2042-06-19T16:00:00+02:00");
}

static void in_english_too(void **state)
{
	struct world *w = *state;

	w->tenant = "english";
	FREE(w, "9", "2042-06-19T16:00", "2042-06-20T09:00");
	kit_start(w, "book", "{\"slot\":\"" THURSDAY_16 "\",\"name\":\"Erika Muster\"}");
	kit_ok(w, BOOKED);
	assert_heard(w, "true", "Your appointment is booked: Thursday, 19 June at 4:00 pm.");
	kit_start(w, "book", "{\"slot\":\"" THURSDAY_16 "\",\"name\":\"Erika Muster\"}");
	kit_end(w, DESK_REFUSED, "conflict", "slot_taken", "");
	assert_heard(w, "false",
		"Sorry, that time has just been taken: Thursday, 19 June at 4:00 pm. I can offer "
		"you "
		"Friday, 20 June at 9:00 am. Does that suit you?");
	kit_start(w, "book", "{\"slot\":\"" THURSDAY_16 "\",\"name\":\"Erika Muster\"}");
	kit_step(w, DESK_LATE);
	assert_heard(w, "false", "I have noted the appointment and will confirm it by WhatsApp.");
}

static void a_request_still_has_to_be_confirmed(void **state)
{
	struct world *w = *state;

	ask_for_thursday(w);
	kit_ok(w, "{\"uid\":\"bk1\",\"status\":\"requested\",\"start\":\"2042-06-19T14:00:00Z\"}");
	assert_heard(w, "true",
		"Ihr Terminwunsch ist eingetragen: Donnerstag, den 19. Juni um 16:00 Uhr. Wir "
		"müssen "
		"ihn noch bestätigen.");
	assert_text(w->result, "booked", "false");
	assert_text(w->result, "requested", "true");
}

static void a_taken_slot_brings_others(void **state)
{
	struct world *w = *state;

	ask_for_thursday(w);
	kit_end(w, DESK_REFUSED, "conflict", "slot_taken", "");
	assert_heard(w, "false",
		"Dieser Termin ist leider gerade vergeben worden: Donnerstag, den 19. Juni um "
		"16:00 "
		"Uhr. Ich kann Ihnen Donnerstag, den 19. Juni um 16:30 Uhr oder Freitag, den 20. "
		"Juni um 09:00 Uhr anbieten. Passt Ihnen das?");
	assert_text(w->result, "booked", "false");
	assert_int_equal(w->next.hold_count, 2);
	assert_int_equal(w->next.holds[0].state, HOLD_OFFERED);
	assert_int_equal(kit_keep(w), 0);
}

static void who_was_slower_hears_others(void **state)
{
	struct world *w = *state;

	ask_for_thursday(w);
	assert_int_equal(kit_store_ask(w, kit_ask(w, "book")), 0);
	w->holder = "call:2";
	w->caller = "+493099";
	w->run.taken = 0;
	FREE(w, "310455", "2042-06-19T16:00", "2042-06-20T09:00");
	kit_start(w, "book",
		"{\"service\":\"Prophylaxe\",\"slot\":\"" THURSDAY_16 "\",\"name\":\"Jo Weber\"}");
	/* The mirror already knows the hold; a moment earlier it would not have: */
	assert_text(w->result, "booked", "false");
	assert_int_equal(w->next.hold_count, 1);
}

static void a_race_is_lost_at_the_store(void **state)
{
	struct world *w = *state;
	struct desk_ask *mine;

	ask_for_thursday(w);
	mine = kit_ask(w, "book");
	w->holder = "call:2"; /* between our step and our hold */
	assert_int_equal(take(w->f,
				 &(struct hold_row){.id = id_new(),
					 .tenant = STR("praxis-winter"),
					 .holder = STR("call:2"),
					 .resource = STR("event_type:310455"),
					 .event_type = STR("310455"),
					 .start_ms = kit_ms("2042-06-19T16:15"),
					 .end_ms = kit_ms("2042-06-19T16:45"),
					 .expires_ms = NOW + HOUR_MS,
					 .state = HOLD_OFFERED},
				 1),
		0);
	assert_int_equal(kit_store_ask(w, mine), E_TAKEN);
	kit_step(w, DESK_TAKEN);
	assert_heard(w, "false",
		"Dieser Termin ist leider gerade vergeben worden: Donnerstag, den 19. Juni um "
		"16:00 "
		"Uhr. Ich kann Ihnen Freitag, den 20. Juni um 09:00 Uhr oder Dienstag, den 24. "
		"Juni "
		"um 16:00 Uhr anbieten. Passt Ihnen das?");
	kit_step(w, DESK_TAKEN);
	kit_step(w, DESK_TAKEN);
	assert_heard(w, "false",
		"Dieser Termin ist leider gerade vergeben worden: Donnerstag, den 19. Juni um "
		"16:00 "
		"Uhr. Nennen Sie mir bitte eine andere Zeit.");
	assert_int_equal(w->next.hold_count, 0);
}

static void stale_alternatives_are_asked_for_first(void **state)
{
	struct world *w = *state;

	kit_start(w, "book", BOOK_THURSDAY);
	kit_end(w, DESK_REFUSED, "conflict", "slot_taken", "");
	kit_ask(w, "slots");
	thursday_is_free(w);
	kit_ok(w, "{\"slots\":[]}");
	assert_heard(w, "false",
		"Dieser Termin ist leider gerade vergeben worden: Donnerstag, den 19. Juni um "
		"16:00 "
		"Uhr. Ich kann Ihnen Donnerstag, den 19. Juni um 16:30 Uhr oder Freitag, den 20. "
		"Juni um 09:00 Uhr anbieten. Passt Ihnen das?");
	w->holder = "call:2";
	FREE(w, "310455", "2042-06-24T16:00");
	kit_free(w, "310455", NOW - HOUR_MS / 2, STARTS("2042-06-24T16:00"));
}

static void a_late_calendar_gives_no_alternatives(void **state)
{
	struct world *w = *state;

	kit_start(w, "book", BOOK_THURSDAY);
	kit_end(w, DESK_REFUSED, "conflict", "slot_taken", "");
	kit_ask(w, "slots");
	kit_step(w, DESK_LATE);
	assert_heard(w, "false",
		"Dieser Termin ist leider gerade vergeben worden: Donnerstag, den 19. Juni um "
		"16:00 "
		"Uhr. Ich sehe noch im Kalender nach. Einen Moment bitte, dann nenne ich Ihnen die "
		"freien Zeiten.");
	assert_int_equal(w->next.hold_count, 0);
}

static void what_exists_is_said(void **state)
{
	struct world *w = *state;

	ask_for_thursday(w);
	kit_end(w, DESK_REFUSED, "conflict", "existing_booking",
		"{\"uid\":\"old\",\"status\":\"booked\",\"start\":\"2042-06-20T08:00:00Z\"}");
	assert_heard(
		w, "false", "Sie haben bereits einen Termin: Freitag, den 20. Juni um 10:00 Uhr.");
	assert_text(w->result, "booked", "false");
	ask_for_thursday(w);
	kit_end(w, DESK_REFUSED, "conflict", "existing_booking",
		"{\"uid\":\"old\",\"status\":\"booked\",\"start\":\"2042-06-19T14:00:00Z\"}");
	assert_heard(w, "true",
		"Sie haben bereits einen Termin: Donnerstag, den 19. Juni um 16:00 Uhr.");
	ask_for_thursday(w);
	kit_end(w, DESK_REFUSED, "conflict", "duplicate_attendee", "");
	assert_heard(w, "false", "Für Sie ist zu dieser Zeit bereits ein Termin eingetragen.");
	ask_for_thursday(w);
	kit_end(w, DESK_REFUSED, "conflict", "booker_limit", "");
	assert_heard(w, "false",
		"Mehr Termine kann ich für Sie leider nicht eintragen. Dürfen wir Sie "
		"zurückrufen?");
}

static void a_refusal_is_honest(void **state)
{
	static const char *const codes[] = {
		"", "input", "blocked", "no_hosts", "missing_answer", "too_late", "never heard of"};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		ask_for_thursday(w);
		kit_end(w, DESK_REFUSED, "bad input", codes[i], "");
		assert_heard(w, "false",
			"Diesen Termin konnte ich leider nicht buchen. Dürfen wir Sie "
			"zurückrufen?");
	}
}

static void what_is_not_known_is_said_so(void **state)
{
	struct world *w = *state;
	static const char pending[] = "Ich habe den Termin vorgemerkt und bestätige per WhatsApp.";

	ask_for_thursday(w);
	kit_step(w, DESK_LATE);
	assert_heard(w, "false", pending);
	assert_text(w->result, "pending", "true");
	assert_text(w->result, "booked", "false");
	kit_ok(w, BOOKED); /* for `late =` */
	assert_heard(w, "true", "Ihr Termin ist gebucht: Donnerstag, den 19. Juni um 16:00 Uhr.");
	ask_for_thursday(w);
	kit_end(w, DESK_UNKNOWN, "surprise", "", "");
	assert_heard(w, "false", pending);
	ask_for_thursday(w);
	kit_end(w, DESK_FAILED, "busy", "", "");
	assert_heard(w, "false", pending);
	ask_for_thursday(w);
	kit_ok(w, "{\"rubbish\":true}");
	assert_heard(w, "false", pending);
	assert_text(w->result, "booked", "false");
}

static void what_failed_for_good_is_not_noted(void **state)
{
	struct world *w = *state;
	struct job_row job;
	struct desk_ask *ask;

	ask_for_thursday(w);
	ask = kit_ask(w, "book");
	assert_int_equal(kit_store_ask(w, ask), 0);
	assert_int_equal(store_get_job(NULL, w->f->reader, STR("praxis-winter"), ask->dedupe,
				 w->f->arena, &job),
		0);
	save(w->f, &job, JOB_DEAD);
	kit_end(w, DESK_FAILED, "broken", "", "");
	assert_heard(w, "false",
		"Diesen Termin konnte ich leider nicht buchen. Dürfen wir Sie zurückrufen?");
}

/* No job is there that could still do it. */
static void what_could_not_be_stored_is_not_noted(void **state)
{
	struct world *w = *state;

	ask_for_thursday(w);
	kit_end(w, DESK_FAILED, "store", "", "");
	assert_heard(w, "false",
		"Diesen Termin konnte ich leider nicht buchen. Dürfen wir Sie zurückrufen?");
	assert_null(json_get(w->result, "pending"));
}

/* Of a question that was answered long ago only the class of its failure is left. */
static void a_conflict_without_a_name_brings_others(void **state)
{
	struct world *w = *state;

	ask_for_thursday(w);
	kit_end(w, DESK_REFUSED, "conflict", "", "");
	assert_heard(w, "false",
		"Diesen Termin konnte ich leider nicht buchen: Donnerstag, den 19. Juni um 16:00 "
		"Uhr. Ich kann Ihnen Donnerstag, den 19. Juni um 16:30 Uhr oder Freitag, den 20. "
		"Juni um 09:00 Uhr anbieten. Passt Ihnen das?");
}

static void nothing_is_booked_unless_the_calendar_said_so(void **state)
{
	static const char *const codes[] = {"", "slot_taken", "existing_booking", "cancelled",
		"moved", "duplicate_attendee", "booker_limit", "bad_length"};
	static const char *const texts[] = {"", "{}", "[]", "not JSON", BOOKED,
		"{\"uid\":\"bk1\",\"status\":\"cancelled\",\"start\":\"2042-06-19T14:00:00Z\"}",
		"{\"uid\":\"bk1\",\"status\":\"rejected\",\"start\":\"2042-06-19T14:00:00Z\"}",
		"{\"uid\":\"\",\"status\":\"booked\",\"start\":\"2042-06-19T14:00:00Z\"}",
		"{\"uid\":\"bk1\",\"start\":\"2042-06-19T14:00:00Z\"}"};
	struct world *w = *state;

	thursday_is_free(w);
	for (int end = DESK_OPEN; end <= DESK_UNKNOWN; end++)
		for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
			for (size_t k = 0; k < sizeof(texts) / sizeof(texts[0]); k++) {
				kit_start(w, "book", BOOK_THURSDAY);
				w->run.asks[0].end = (enum desk_end)end;
				w->run.asks[0].code = str_of(codes[i]);
				w->run.asks[0].result = w->run.asks[0].detail = str_of(texts[k]);
				kit_step(w, DESK_ANSWERED);
				if (w->next.then != DESK_DONE)
					continue;
				assert_int_equal(json_bool(json_get(w->result, "booked"), false),
					end == DESK_OK && strcmp(texts[k], BOOKED) == 0);
			}
}

/* ---- Once ---------------------------------------------------------------------------------- */

static void the_same_appointment_is_not_booked_twice(void **state)
{
	struct world *w = *state;
	struct appointment_row row = kit_appointment("bk1", THURSDAY_16, CALLER, "Erika Muster");

	thursday_is_free(w);
	kit_happens(w, &row);
	kit_start(w, "book", BOOK_THURSDAY);
	assert_heard(w, "true",
		"Ihr Termin ist bereits gebucht: Donnerstag, den 19. Juni um 16:00 Uhr.");
	assert_text(w->result, "uid", "bk1");
	/* Somebody else of the family is another matter. */
	FREE(w, "310455", "2042-06-19T16:00");
	kit_start(w, "book",
		"{\"service\":\"Prophylaxe\",\"slot\":\"" THURSDAY_16
		"\",\"name\":\"Otto Weber\"}");
	kit_ask(w, "book");
	/* Nor is what was given up. */
	row.status = STR("cancelled");
	row.changed_ms = NOW;
	kit_happens(w, &row);
	w->now_ms += 2 * MINUTE_MS;
	FREE(w, "310455", "2042-06-19T16:00");
	kit_start(w, "book", BOOK_THURSDAY);
	assert_str(kit_ask(w, "book")->dedupe,
		"praxis-winter/book/call:1/310455/2042-06-19T14:00:00Z/1");
}

static void an_old_answer_is_not_believed_against_the_store(void **state)
{
	struct world *w = *state;
	struct appointment_row row = kit_appointment("bk1", THURSDAY_16, "", "");

	ask_for_thursday(w);
	row.status = STR("cancelled");
	kit_happens(w, &row);
	kit_ok(w, BOOKED);
	assert_heard(w, "false",
		"Dieser Termin wurde inzwischen abgesagt: Donnerstag, den 19. Juni um 16:00 Uhr. "
		"Möchten Sie eine andere Zeit?");
}

static void an_answer_without_a_booking_is_looked_up(void **state)
{
	struct world *w = *state;

	w->caller = "";
	thursday_is_free(w);
	kit_start(w, "book",
		"{\"service\":\"Prophylaxe\",\"slot\":\"" THURSDAY_16
		"\",\"name\":\"Erika Muster\",\"phone\":\"+49301112223\"}");
	kit_has(w, "bk1", THURSDAY_16, "+49301112223", "Erika Muster");
	kit_ok(w, "");
	assert_heard(w, "true", "Ihr Termin ist gebucht: Donnerstag, den 19. Juni um 16:00 Uhr.");
}

static void a_shared_answer_says_for_whom_it_is(void **state)
{
	struct world *w = *state;

	ask_for_thursday(w);
	kit_ok(w, "{\"uid\":\"bk1\",\"status\":\"booked\",\"start\":\"2042-06-19T14:00:00Z\","
		  "\"attendee\":{\"name\":\"Otto Weber\"}}");
	assert_heard(w, "true",
		"Zu dieser Zeit ist bereits ein Termin auf den Namen Otto Weber gebucht: "
		"Donnerstag, "
		"den 19. Juni um 16:00 Uhr.");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DESK_TEST(the_calendar_is_asked_to_book_under_a_hold),
		DESK_TEST(a_repeated_wish_is_the_same_question),
		DESK_TEST(somebodys_slot_is_held_under_their_name),
		DESK_TEST(what_was_offered_is_chosen_by_words),
		DESK_TEST(the_only_one_offered_needs_no_words),
		DESK_TEST(what_was_offered_may_be_had_though_it_came_nearer),
		DESK_TEST(day_and_time_name_the_start),
		DESK_TEST(the_calendar_decides_what_the_mirror_does_not_know),
		DESK_TEST(what_is_missing_is_asked_for),
		DESK_TEST(who_gives_no_address_is_booked_under_the_offices),
		DESK_TEST(what_cannot_be_is_said_kindly_and_asked_of_nobody),
		DESK_TEST(absurd_wishes_book_nothing),
		DESK_TEST(booked_is_said_when_the_calendar_says_it),
		DESK_TEST(in_english_too),
		DESK_TEST(a_request_still_has_to_be_confirmed),
		DESK_TEST(a_taken_slot_brings_others),
		DESK_TEST(who_was_slower_hears_others),
		DESK_TEST(a_race_is_lost_at_the_store),
		DESK_TEST(stale_alternatives_are_asked_for_first),
		DESK_TEST(a_late_calendar_gives_no_alternatives),
		DESK_TEST(what_exists_is_said),
		DESK_TEST(a_refusal_is_honest),
		DESK_TEST(what_is_not_known_is_said_so),
		DESK_TEST(what_failed_for_good_is_not_noted),
		DESK_TEST(what_could_not_be_stored_is_not_noted),
		DESK_TEST(a_conflict_without_a_name_brings_others),
		DESK_TEST(nothing_is_booked_unless_the_calendar_said_so),
		DESK_TEST(the_same_appointment_is_not_booked_twice),
		DESK_TEST(an_old_answer_is_not_believed_against_the_store),
		DESK_TEST(an_answer_without_a_booking_is_looked_up),
		DESK_TEST(a_shared_answer_says_for_whom_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
