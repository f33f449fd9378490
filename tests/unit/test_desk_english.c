/* test_desk_english.c - whoever calls an English office hears English: every sentence there is, and
 * what each operation says of it, with dates and times as they are said in English.
 */
#include "desk_kit.h"

#include "desk/say.h"

#define THURSDAY "2042-06-19T16:30:00+02:00"
#define BOOKED                                                                                     \
	"{\"uid\":\"bk1\",\"status\":\"booked\",\"start\":\"2042-06-19T14:30:00Z\","               \
	"\"attendee\":{\"name\":\"Ann Miller\"}}"
#define NOBODY "{\"found\":false}" /* as the host hands on a result without rows */

/* ---- What German looks like ---------------------------------------------------------------- */

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80;
}

static bool is_word_of(struct str text, size_t at, const char *word)
{
	size_t len = strlen(word);

	return at + len <= text.len && strncasecmp(text.ptr + at, word, len) == 0 &&
	       (at == 0 || !is_letter(text.ptr[at - 1])) &&
	       (at + len == text.len || !is_letter(text.ptr[at + len]));
}

/* A word that English has not, and German sentences hardly do without; NULL: none. */
static const char *german_in(struct str text)
{
	static const char *const words[] = {"ab", "abgesagt", "auf", "bei", "bis", "das", "dass",
		"dem", "den", "der", "diese", "diesen", "dieser", "ein", "einen", "Euro", "gebucht",
		"gerade", "gern", "heute", "ich", "Ihr", "Ihnen", "Ihre", "ist", "kann", "leider",
		"morgen", "nicht", "nichts", "noch", "oder", "Sie", "sind", "Termin", "Termine",
		"Uhr", "um", "und", "uns", "unter", "vor", "welche", "welchen", "wir", "zu",
		"zwischen", "Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag",
		"Sonntag", "Januar", "Februar", "Mai", "Juni", "Juli", "Oktober", "Dezember",
		"Minuten", "Gespeichert", "Absage", "Frage", "guten", "Tag"};

	for (size_t at = 0; at < text.len; at++) {
		if ((unsigned char)text.ptr[at] >= 0x80)
			return "a letter that English has not";
		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			if (is_word_of(text, at, words[i]))
				return words[i];
	}
	return NULL;
}

static void assert_english(struct str text)
{
	const char *word = german_in(text);

	if (word)
		fail_msg("\"%.*s\" has \"%s\"", STR_ARG(text), word);
}

/* ---- The table ----------------------------------------------------------------------------- */

static const struct {
	const char *id, *de, *en;
} lines[] = {
#define SAY_LINE(id, de, en) {#id, de, en},
#include "desk/say_table.h"
#undef SAY_LINE
};

/* How often {n} stands in it. */
static unsigned places(const char *sentence, char n)
{
	unsigned count = 0;

	for (const char *p = sentence; *p; p++)
		count += p[0] == '{' && p[1] == n && p[2] == '}';
	return count;
}

static void every_sentence_is_there_in_english_with_what_the_german_one_tells(void **state)
{
	(void)state;
	for (size_t i = 0; i < SAY_COUNT; i++) {
		assert_true(*lines[i].en);
		assert_english(str_of(lines[i].en));
		for (char n = '1'; n <= '4'; n++)
			if (!places(lines[i].de, n) != !places(lines[i].en, n))
				fail_msg("%s: {%c} is told in one language only", lines[i].id, n);
	}
}

static void german_is_told_from_english(void **state)
{
	unsigned found = 0;

	(void)state;
	for (size_t i = 0; i < SAY_COUNT; i++)
		found += german_in(str_of(lines[i].de)) != NULL;
	assert_true(found > SAY_COUNT - 12); /* some are but names and numbers */
}

/* ---- Dates and times ----------------------------------------------------------------------- */

#define assert_said(got, text)                                                                     \
	do {                                                                                       \
		struct str got_ = got;                                                             \
		if (!str_is(got_, text))                                                           \
			fail_msg("\"%.*s\", not \"%s\"", STR_ARG(got_), text);                     \
	} while (0)

static void dates_and_times_are_said_as_english_people_do(void **state)
{
	struct world *w = *state;
	struct arena *arena = w->f->arena;
	const struct zone *zone = zone_find("Europe/Berlin");
	int64_t then = kit_ms("2026-11-26T16:30"), now = kit_ms("2026-11-24T10:00");

	assert_said(say_when(arena, SAY_EN, zone, then, now), "Thursday, 26 November at 4:30 pm");
	assert_said(say_when(arena, SAY_EN, zone, then, then - DAY_MS),
		"tomorrow, Thursday, 26 November at 4:30 pm");
	assert_said(say_when(arena, SAY_EN, zone, then, then - HOUR_MS),
		"today, Thursday, 26 November at 4:30 pm");
	assert_said(say_when(arena, SAY_EN, zone, kit_ms("2027-11-25T00:05"), now),
		"Thursday, 25 November 2027 at 12:05 am");
	assert_said(say_day(arena, SAY_EN, zone, then, now), "Thursday, 26 November");
	assert_said(say_today(arena, SAY_EN, zone, then), "Thursday, 26 November 2026");
	assert_said(say_clock(arena, SAY_EN, zone, kit_ms("2026-11-26T12:00")), "12:00 pm");
	assert_said(say_minutes(arena, SAY_EN, 1), "1 minute");
	assert_said(say_price(arena, SAY_EN, 5950, STR("EUR")), "59.50 euros");
}

static void every_day_of_a_year_has_its_english_name(void **state)
{
	struct world *w = *state;
	const struct zone *zone = zone_find("Europe/Berlin");
	int64_t now = kit_ms("2026-01-01T12:00");

	for (int day = 0; day < 366; day++) {
		assert_english(
			say_when(w->f->arena, SAY_EN, zone, now + day * DAY_MS, now - 2 * DAY_MS));
		assert_english(say_today(w->f->arena, SAY_EN, zone, now + day * DAY_MS));
	}
}

/* ---- What is heard ------------------------------------------------------------------------- */

/* The whole result: what is spoken, and what an agent reads in its members. */
#define assert_hears(w, success, sentence)                                                         \
	do {                                                                                       \
		assert_heard(w, success, sentence);                                                \
		assert_english((w)->next.result);                                                  \
	} while (0)

static struct world *english(void **state)
{
	struct world *w = *state;

	w->tenant = "english";
	FREE(w, "9", "2042-06-19T16:30", "2042-06-19T17:00", "2042-06-20T09:00",
		"2042-06-24T12:00");
	return w;
}

static void has(
	struct world *w, const char *uid, const char *start, const char *name, const char *status)
{
	struct appointment_row row = kit_appointment(uid, start, CALLER, name);

	row.tenant = STR("english");
	row.connection = STR("english/calendar");
	row.event_type = STR("9");
	row.status = str_of(status);
	kit_happens(w, &row);
}

static void what_is_free_is_told_in_english(void **state)
{
	static const char *const heard[][2] = {
		{"{\"date\":\"Thursday\",\"time\":\"4:30 pm\"}",
			"Yes, Thursday, 19 June at 4:30 pm is free. Shall I book it for you?"},
		{"{\"wish\":\"some time on Thursday afternoon\"}",
			"I can offer you Thursday, 19 June at 4:30 pm or at 5:00 pm. Does that "
			"suit you?"},
		{"{\"date\":\"Thursday\",\"time\":\"3 pm\"}",
			"Sorry, Thursday, 19 June at 3:00 pm is not free. I can offer you "
			"Thursday, 19 June at 4:30 pm or at 5:00 pm. Does that suit you?"},
		{"{\"wish\":\"tomorrow morning\"}",
			"Sorry, nothing is free for this: Wednesday, 18 June in the morning. I "
			"can offer you Thursday, 19 June at 4:30 pm, at 5:00 pm or Friday, 20 "
			"June at 9:00 am. Does that suit you?"},
		{"{\"date\":\"today\",\"time\":\"10:15\"}",
			"Sorry, that is too soon for an appointment. I can offer you Thursday, 19 "
			"June at 4:30 pm or at 5:00 pm. Does that suit you?"},
		{"{\"date\":\"2043-06-19\"}",
			"I cannot look that far ahead yet, only until Tuesday, 1 July. I can "
			"offer you Tuesday, 24 June at 12:00 pm, Friday, 20 June at 9:00 am or "
			"Thursday, 19 June at 4:30 pm. Does that suit you?"},
		{"{\"staff\":\"Bob\"}",
			"I cannot choose who you see for this service. I can offer you Thursday, "
			"19 June at 4:30 pm or at 5:00 pm. Does that suit you?"},
		{"{\"check_availability\":\"no\"}",
			"Just tell me when it suits you, and I will look for free times."},
	};
	struct world *w = english(state);

	for (size_t i = 0; i < sizeof(heard) / sizeof(heard[0]); i++) {
		kit_start(w, "offer", heard[i][0]);
		assert_hears(w, "true", heard[i][1]);
	}
	kit_start(w, "offer", "{\"wish\":\"Thursdays from four to six, not Friday\"}");
	assert_text(
		w->result, "understood", "on Thursdays between 4 pm and 6 pm, but not on Fridays");
}

static void a_calendar_that_is_away_is_told_in_english(void **state)
{
	struct world *w = english(state);

	w->now_ms = NOW + HOUR_MS;
	kit_start(w, "offer", "{\"date\":\"Thursday\"}");
	kit_step(w, DESK_LATE);
	assert_hears(w, "false",
		"I am still looking into the calendar. One moment, then I can tell you the free "
		"times.");
	kit_start(w, "offer", "{\"date\":\"Thursday\"}");
	kit_end(w, DESK_FAILED, "broken", "", "");
	assert_hears(w, "false",
		"I cannot look into the calendar just now. Shall I note a call back for you?");
}

static void nonsense_is_answered_in_english_by_whatever_hears_it(void **state)
{
	static const char *const heard[][2] = {
		{"{\"date\":\"31 June\"}",
			"31 June: there is no such date. Did you mean Monday, 30 June?"},
		{"{\"date\":\"tomorrow\",\"time\":\"25 o'clock\"}",
			"25 o'clock: there is no such time."},
		{"{\"date\":\"yesterday\"}", "Monday, 16 June 2042 is over already."},
		{"{\"slot\":\"2042-06-01T10:00:00Z\"}",
			"Sunday, 1 June at 12:00 pm is already over. Which day would suit you?"},
		{"{\"slot\":\"2042-06-01T99:00:00Z\"}",
			"I did not understand that time. Which day and time would suit you?"},
		{"{\"service\":\"oil change\"}",
			"I did not find that service here. We offer Check-up."},
	};
	struct world *w = english(state);

	for (size_t i = 0; i < sizeof(heard) / sizeof(heard[0]); i++) {
		kit_start(w, "offer", heard[i][0]);
		assert_hears(w, "false", heard[i][1]);
		kit_start(w, "book", heard[i][0]);
		assert_hears(w, "false", heard[i][1]);
	}
	has(w, "bk1", "2042-06-20T09:00", "Ann Miller", "booked");
	kit_start(w, "cancel", heard[0][0]);
	assert_hears(w, "false", heard[0][1]);
	kit_start(w, "reschedule", "{\"old_date\":\"Friday\",\"new_date\":\"31 June\"}");
	assert_hears(w, "false", heard[0][1]);
}

static void what_a_booking_still_needs_is_asked_in_english(void **state)
{
	static const char *const heard[][2] = {
		{"{}", "Which day and what time would you like to come?"},
		{"{\"date\":\"Thursday\"}", "What time would you like to come: Thursday, 19 June?"},
		{"{\"wish\":\"next Thursday at five\",\"name\":\"Ann\"}",
			"When exactly do you mean: Thursday, 26 June at 5 pm or Thursday, 19 June "
			"at 5 pm?"},
		{"{\"date\":\"Thursday\",\"time\":\"4:30 pm\"}",
			"What name may I put the appointment under?"},
		{"{\"date\":\"Thursday\",\"time\":\"3 pm\",\"name\":\"Ann\"}",
			"Sorry, nothing is free then: Thursday, 19 June at 3:00 pm. I can offer "
			"you Thursday, 19 June at 4:30 pm or at 5:00 pm. Does that suit you?"},
	};
	struct world *w = english(state);

	for (size_t i = 0; i < sizeof(heard) / sizeof(heard[0]); i++) {
		kit_start(w, "book", heard[i][0]);
		assert_hears(w, "false", heard[i][1]);
	}
}

static void ask_for_thursday(struct world *w)
{
	kit_start(w, "book", "{\"slot\":\"" THURSDAY "\",\"name\":\"Ann Miller\"}");
	assert_input(w, kit_ask(w, "book"), "language", "en");
}

static void how_a_booking_ended_is_told_in_english(void **state)
{
	static const char *const refusals[][3] = {
		{"slot_taken", "false",
			"Sorry, that time has just been taken: Thursday, 19 June at 4:30 pm. I "
			"can offer you Thursday, 19 June at 5:00 pm or Friday, 20 June at 9:00 "
			"am. Does that suit you?"},
		{"existing_booking", "true",
			"You already have an appointment: Thursday, 19 June at 4:30 pm."},
		{"booker_limit", "false",
			"Sorry, I cannot enter more appointments for you. May we call you back?"},
		{"cancelled", "false",
			"That appointment has been cancelled since: Thursday, 19 June at 4:30 pm. "
			"Would you like another time?"},
		{"input", "false",
			"Sorry, I could not book that appointment. May we call you back?"},
		{"", "false",
			"Sorry, I could not book that appointment: Thursday, 19 June at 4:30 pm. "
			"I can offer you Thursday, 19 June at 5:00 pm or Friday, 20 June at 9:00 "
			"am. Does that suit you?"},
	};
	struct world *w = english(state);

	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		ask_for_thursday(w);
		kit_end(w, DESK_REFUSED, "conflict", refusals[i][0], BOOKED);
		assert_hears(w, refusals[i][1], refusals[i][2]);
	}
	ask_for_thursday(w);
	kit_ok(w, BOOKED);
	assert_hears(w, "true", "Your appointment is booked: Thursday, 19 June at 4:30 pm.");
	ask_for_thursday(w);
	kit_ok(w, "{\"uid\":\"bk1\",\"status\":\"requested\",\"start\":\"2042-06-19T14:30:00Z\"}");
	assert_hears(w, "true",
		"Your request is entered: Thursday, 19 June at 4:30 pm. We still have to confirm "
		"it.");
	ask_for_thursday(w);
	kit_end(w, DESK_UNKNOWN, "", "", "");
	assert_hears(w, "false", "I have noted the appointment and will confirm it by WhatsApp.");
	w->caller = "";
	ask_for_thursday(w);
	kit_end(w, DESK_UNKNOWN, "", "", "");
	assert_hears(w, "false", "I have noted the appointment and will confirm it by e-mail.");
}

static void whose_appointments_they_are_is_told_in_english(void **state)
{
	struct world *w = english(state);

	kit_start(w, "find", "{}");
	kit_ok(w, NOBODY);
	assert_hears(w, "true", "I find no upcoming appointment under your number.");
	kit_start(w, "cancel", "{}");
	kit_ok(w, NOBODY);
	assert_hears(w, "false",
		"I cannot match that with certainty on the phone. We will call you back.");
	has(w, "bk1", "2042-06-20T09:00", "Ann Miller", "booked");
	kit_start(w, "find", "{}");
	kit_ok(w, NOBODY);
	assert_hears(w, "true", "You have one appointment: Friday, 20 June at 9:00 am, Check-up.");
	kit_start(w, "cancel", "{\"date\":\"Friday\",\"name\":\"Bob Jones\"}");
	assert_hears(w, "false",
		"Under your number there is this appointment in the name of Ann Miller: Friday, "
		"20 June at 9:00 am, Check-up. Is that the one you mean?");
	kit_start(w, "cancel", "{\"date\":\"Monday\"}");
	kit_ok(w, NOBODY);
	assert_hears(w, "false",
		"I find no such appointment, but this one: Friday, 20 June at 9:00 am, Check-up. "
		"Is that the one you mean?");
	has(w, "bk2", "2042-06-24T12:00", "Ben Miller", "requested");
	kit_start(w, "find", "{}");
	kit_ok(w, NOBODY);
	assert_hears(w, "true",
		"You have 2 appointments: Friday, 20 June at 9:00 am, Check-up and Tuesday, 24 "
		"June at 12:00 pm, not confirmed yet.");
	kit_start(w, "cancel", "{}");
	kit_ok(w, NOBODY);
	assert_hears(w, "false",
		"Which appointment do you mean: Friday, 20 June at 9:00 am, Check-up or Tuesday, "
		"24 June at 12:00 pm, not confirmed yet?");
}

static void move_to_thursday(struct world *w)
{
	kit_start(w, "reschedule",
		"{\"old_date\":\"Monday\",\"new_date\":\"Thursday\",\"new_time\":\"5 pm\"}");
	kit_ask(w, "reschedule");
}

static void how_a_move_ended_is_told_in_english(void **state)
{
	static const char *const refusals[][2] = {
		{"slot_taken",
			"Sorry, that time has just been taken: Thursday, 19 June at 5:00 pm. Your "
			"appointment stays as it is: Monday, 23 June at 9:00 am. I can offer you "
			"Thursday, 19 June at 4:30 pm or Friday, 20 June at 9:00 am. Does that "
			"suit you?"},
		{"changed", "The appointment has been changed meanwhile. It now stands like this: "
			    "Monday, 23 June at 9:00 am, Check-up."},
		{"not_found",
			"That appointment is no longer in the calendar. May we call you back?"},
		{"input", "Your appointment stays as it is: Monday, 23 June at 9:00 am. Sorry, I "
			  "could not move your appointment. May we call you back?"},
	};
	struct world *w = english(state);

	has(w, "bk1", "2042-06-23T09:00", "Ann Miller", "booked");
	kit_start(w, "reschedule", "{}");
	kit_ok(w, NOBODY);
	assert_hears(w, "false",
		"Which day and time would you like to move your appointment to: Monday, 23 June "
		"at 9:00 am, Check-up?");
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		move_to_thursday(w);
		kit_end(w, DESK_REFUSED, "conflict", refusals[i][0], "");
		assert_hears(w, "false", refusals[i][1]);
	}
	move_to_thursday(w);
	kit_step(w, DESK_LATE);
	assert_hears(w, "false", "I have noted the change and will confirm it by WhatsApp.");
	move_to_thursday(w);
	kit_ok(w, "{\"uid\":\"bk2\",\"status\":\"booked\",\"start\":\"2042-06-19T15:00:00Z\"}");
	assert_hears(w, "true", "Your appointment has been moved: Thursday, 19 June at 5:00 pm.");
}

static void how_a_cancellation_ended_is_told_in_english(void **state)
{
	static const char *const refusals[][2] = {
		{"input", "Sorry, I could not cancel your appointment. May we call you back?"},
		{"not_found",
			"That appointment is no longer in the calendar. May we call you back?"},
	};
	struct world *w = english(state);

	has(w, "bk1", "2042-06-20T09:00", "Ann Miller", "booked");
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		kit_start(w, "cancel", "{\"date\":\"Friday\"}");
		kit_end(w, DESK_REFUSED, "conflict", refusals[i][0], "");
		assert_hears(w, "false", refusals[i][1]);
	}
	kit_start(w, "cancel", "{\"date\":\"Friday\"}");
	kit_step(w, DESK_LATE);
	assert_hears(w, "false", "I have noted the cancellation and will confirm it by WhatsApp.");
	kit_start(w, "cancel", "{\"date\":\"Friday\"}");
	kit_ok(w, "{\"uid\":\"bk1\",\"status\":\"cancelled\"}");
	assert_hears(w, "true", "Your appointment is cancelled: Friday, 20 June at 9:00 am.");
}

static void a_call_back_is_noted_in_english(void **state)
{
	struct world *w = english(state);

	kit_start(w, "callback", "{\"preferred_time\":\"tomorrow\"}");
	assert_hears(w, "true",
		"I have noted that we will call you back on the number ending in 2 2. I have "
		"added the time that you prefer.");
	w->caller = "";
	kit_start(w, "callback", "{}");
	assert_hears(w, "false", "Which number may we call you back on?");
	kit_start(w, "find", "{}");
	assert_hears(w, "false",
		"I cannot match that with certainty on the phone. What number may we call you "
		"back on?");
}

static void what_an_agent_is_given_when_it_rings_is_english(void **state)
{
	struct world *w = english(state);

	has(w, "bk1", "2042-06-20T09:00", "Ann Miller", "booked");
	kit_start(w, "inbound", "{}");
	assert_hears(w, "true", "english, hello.");
	assert_text(w->result, "variables.today", "Tuesday, 17 June 2042");
	assert_text(w->result, "variables.now", "10:00 am");
	assert_text(w->result, "variables.next_appointment", "Friday, 20 June at 9:00 am");
	kit_start(w, "services", "{}");
	assert_hears(w, "true", "We offer: Check-up, 30 minutes.");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_sentence_is_there_in_english_with_what_the_german_one_tells),
		cmocka_unit_test(german_is_told_from_english),
		DESK_TEST(dates_and_times_are_said_as_english_people_do),
		DESK_TEST(every_day_of_a_year_has_its_english_name),
		DESK_TEST(what_is_free_is_told_in_english),
		DESK_TEST(a_calendar_that_is_away_is_told_in_english),
		DESK_TEST(nonsense_is_answered_in_english_by_whatever_hears_it),
		DESK_TEST(what_a_booking_still_needs_is_asked_in_english),
		DESK_TEST(how_a_booking_ended_is_told_in_english),
		DESK_TEST(whose_appointments_they_are_is_told_in_english),
		DESK_TEST(how_a_move_ended_is_told_in_english),
		DESK_TEST(how_a_cancellation_ended_is_told_in_english),
		DESK_TEST(a_call_back_is_noted_in_english),
		DESK_TEST(what_an_agent_is_given_when_it_rings_is_english),
	};

	return cmocka_run_group_tests_name("english", tests, NULL, NULL);
}
