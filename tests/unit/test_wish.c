/* The wish resolver by its C interface, its tables, its memory; desk.match and its errors. What
 * phrases mean is in tests/wish, what holds for every day in test_wish_property.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "desk/match.h"
#include "desk/wish_i.h"

#define MINUTE ((int64_t)60000)

struct desk {
	struct arena *arena;
	struct wish_context context;
};

static int64_t at(const struct desk *d, const char *text)
{
	int64_t ms = 0;

	if (!clock_parse(str_of(text), d->context.zone, &ms))
		fail_msg("no time: %s", text);
	return ms;
}

static int set_up(void **state)
{
	static struct desk desk;

	desk.arena = arena_create((size_t)16 << 20);
	desk.context =
		(struct wish_context){.zone = zone_find("Europe/Berlin"), .length_ms = 30 * MINUTE};
	desk.context.now_ms = at(&desk, "2025-06-17T10:00:00"); /* a Tuesday */
	*state = &desk;
	return desk.arena ? 0 : -1;
}

static int tear_down(void **state)
{
	struct desk *desk = *state;

	arena_destroy(desk->arena);
	return 0;
}

static struct wish *wish(const struct desk *d, const char *phrase)
{
	struct wish *out = wish_read(d->arena, &d->context, str_of(phrase));

	assert_non_null(out);
	return out;
}

static void allows(const struct desk *d, const char *phrase, const char *slot, bool expected)
{
	if (wish_allows(wish(d, phrase), at(d, slot)) != expected)
		fail_msg("\"%s\" %s %s", phrase, expected ? "refuses" : "allows", slot);
}

/* ---- slots ---- */

static void the_end_of_the_appointment_counts_for_until(void **state)
{
	struct desk *d = *state;

	allows(d, "bis 12 Uhr", "2025-06-18T11:30:00", true);
	allows(d, "bis 12 Uhr", "2025-06-18T11:45:00", false);
	d->context.length_ms = 60 * MINUTE;
	allows(d, "bis 12 Uhr", "2025-06-18T11:30:00", false);
	allows(d, "ab 12 Uhr", "2025-06-18T12:00:00", true);
	allows(d, "nicht nach 17 Uhr", "2025-06-18T16:30:00", false);
	allows(d, "um elf", "2025-06-18T11:00:00", true);
}

static void what_is_over_is_not_wished(void **state)
{
	struct desk *d = *state;

	allows(d, "heute", "2025-06-17T09:30:00", false);
	allows(d, "heute", "2025-06-17T10:00:00", true);
	allows(d, "heute", "2025-06-18T10:00:00", false);
	allows(d, "egal", "2025-06-17T09:30:00", true);
}

static void a_tenant_bends_the_parts_of_the_day(void **state)
{
	struct desk *d = *state;
	struct wish_settings settings;

	wish_defaults(&settings);
	settings.part[WISH_EARLY] = (struct wish_range){7 * 60, 9 * 60};
	settings.about = 15;
	allows(d, "morgens", "2025-06-18T09:30:00", true);
	allows(d, "gegen vier", "2025-06-18T16:30:00", true);
	d->context.settings = &settings;
	allows(d, "morgens", "2025-06-18T09:30:00", false);
	allows(d, "morgens", "2025-06-18T08:30:00", true);
	allows(d, "gegen vier", "2025-06-18T16:30:00", false);
	allows(d, "gegen vier", "2025-06-18T16:15:00", true);
}

static void a_wish_outlives_its_context_and_its_phrase(void **state)
{
	struct desk *d = *state;
	char state_name[4] = "BY", phrase[] = "nicht am Feiertag, zwölf Xylophone";
	struct wish_settings settings;
	struct wish *w;
	struct json *words;

	wish_defaults(&settings);
	d->context.state = state_name;
	d->context.settings = &settings;
	w = wish(d, phrase);
	memset(state_name, 0, sizeof(state_name));
	memset(phrase, 'x', sizeof(phrase));
	memset(&settings, 0, sizeof(settings));
	assert_false(wish_allows(w, at(d, "2025-06-19T10:00:00"))); /* Corpus Christi */
	assert_true(wish_allows(w, at(d, "2025-06-20T10:00:00")));
	words = (struct json *)json_get(wish_constraints(d->arena, w), "not_understood");
	assert_true(str_is(json_text(json_at(words, json_count(words) - 1, NULL)), "Xylophone"));
}

/* ---- order ---- */

static void the_nearest_to_the_wish_comes_first(void **state)
{
	struct desk *d = *state;
	struct wish *about = wish(d, "Donnerstag gegen 16 Uhr"),
		    *soon = wish(d, "so bald wie möglich");

	assert_int_equal(wish_distance(about, at(d, "2025-06-19T16:00:00")), 0);
	assert_int_equal(wish_distance(about, at(d, "2025-06-19T15:45:00")), 15 * MINUTE);
	assert_int_equal(wish_distance(about, at(d, "2025-06-19T17:30:00")), 90 * MINUTE);
	assert_int_equal(wish_distance(about, at(d, "2025-06-20T16:00:00")), 1440 * MINUTE);
	assert_int_equal(
		wish_distance(wish(d, "zwischen 16 und 19 Uhr"), at(d, "2025-06-19T17:30:00")), 0);
	assert_false(wish_restricts(soon));
	assert_true(wish_distance(soon, at(d, "2025-06-18T08:00:00")) <
		    wish_distance(soon, at(d, "2025-06-18T09:00:00")));
}

/* ---- what it names ---- */

static void exact(const struct desk *d, const char *phrase, const char *instant)
{
	int64_t ms = -7;
	bool found = wish_exact(wish(d, phrase), &ms);

	if (found != (instant != NULL))
		fail_msg("\"%s\" names %s", phrase, found ? "an instant" : "none");
	if (instant)
		assert_int_equal(ms, at(d, instant));
	else
		assert_int_equal(ms, -7);
}

static void one_day_and_one_time_are_one_instant(void **state)
{
	struct desk *d = *state;

	exact(d, "Donnerstag um 16 Uhr", "2025-06-19T16:00:00");
	exact(d, "morgen halb fünf", "2025-06-18T16:30:00");
	exact(d, "2025-06-19T16:00:00", "2025-06-19T16:00:00");
	exact(d, "donnerstags um 16 Uhr", NULL);
	exact(d, "Donnerstag um 16 oder 17 Uhr", NULL);
	exact(d, "Donnerstag gegen 16 Uhr", NULL);
	exact(d, "um 16 Uhr", NULL);
	exact(d, "heute um 9", NULL);
	exact(d, "am 31. Juni um 10 Uhr", NULL);
}

static void spans(const struct desk *d, const char *phrase, const char *from, const char *to)
{
	int64_t from_ms = 0, to_ms = 0;

	if (wish_days(wish(d, phrase), &from_ms, &to_ms) != (from != NULL))
		fail_msg("\"%s\" is %sbounded", phrase, from ? "not " : "");
	if (!from)
		return;
	assert_int_equal(from_ms, at(d, from));
	assert_int_equal(to_ms, at(d, to));
}

static void the_days_it_speaks_of(void **state)
{
	struct desk *d = *state;

	spans(d, "nächste Woche", "2025-06-23", "2025-06-30");
	spans(d, "diese Woche", "2025-06-17", "2025-06-23");
	spans(d, "nächste Woche Dienstag oder Donnerstag", "2025-06-24", "2025-06-27");
	spans(d, "bis Freitag", "2025-06-17", "2025-06-21");
	spans(d, "Donnerstag", "2025-06-19", "2025-06-20");
	spans(d, "ab Freitag", NULL, NULL);
	spans(d, "donnerstags", NULL, NULL);
	spans(d, "um vier", NULL, NULL);
	spans(d, "2023-06-13", NULL, NULL);
}

/* ---- what cannot be ---- */

static void fault(const struct desk *d, const char *phrase, enum wish_fault kind, const char *meant)
{
	int64_t ms = 0;

	if (wish_fault(wish(d, phrase), &ms) != kind)
		fail_msg("\"%s\" has fault %d", phrase, wish_fault(wish(d, phrase), NULL));
	assert_int_equal(ms, meant ? at(d, meant) : -1);
}

static void no_such_date_or_time_matches_nothing_and_says_what_was_meant(void **state)
{
	struct desk *d = *state;

	fault(d, "am 31. Juni", WISH_NO_SUCH_DATE, "2025-06-30");
	fault(d, "30.2.2026", WISH_NO_SUCH_DATE, "2026-02-28");
	fault(d, "um 25 Uhr", WISH_NO_SUCH_TIME, NULL);
	fault(d, "16:75", WISH_NO_SUCH_TIME, NULL);
	fault(d, "2023-06-13", WISH_PAST, "2026-06-13");
	fault(d, "2023-09-13", WISH_PAST, "2025-09-13");
	fault(d, "gestern", WISH_PAST, NULL);
	fault(d, "heute um 8", WISH_PAST, "2025-06-17T20:00:00");
	fault(d, "heute um 08:00", WISH_PAST, "2025-06-17T20:00:00");
	fault(d, "Donnerstag um 16 Uhr", WISH_SOUND, NULL);
	fault(d, "nicht am Montag", WISH_SOUND, NULL);
	allows(d, "um 25 Uhr", "2025-06-18T01:00:00", false);
	allows(d, "2023-06-13", "2026-06-13T10:00:00", false);
	allows(d, "am 31. Juni oder am 2. Juli", "2025-07-02T10:00:00", true);
}

static void the_hour_that_is_skipped_in_spring(void **state)
{
	struct desk *d = *state;
	int64_t ms;

	d->context.now_ms = at(d, "2025-03-28T10:00:00");
	fault(d, "am 30. März nachts um halb drei", WISH_IN_GAP, "2025-03-30T03:30:00");
	exact(d, "am 30. März nachts um halb drei", NULL);
	d->context.now_ms = at(d, "2025-10-24T10:00:00");
	assert_true(wish_exact(wish(d, "am 26. Oktober nachts um halb drei"), &ms));
	assert_int_equal(ms, at(d, "2025-10-26T02:30:00+02:00"));
	allows(d, "am 26. Oktober nachts um halb drei", "2025-10-26T02:30:00+01:00", true);
}

static void both_readings_of_what_is_ambiguous(void **state)
{
	struct desk *d = *state;
	struct wish *w = wish(d, "nächsten Donnerstag");
	const struct json *readings = json_get(wish_constraints(d->arena, w), "readings");

	assert_true(wish_ambiguous(w));
	assert_int_equal(json_count(readings), 2);
	assert_true(str_is(json_text(json_find(json_at(readings, 0, NULL), "say")),
		"Donnerstag, den 19. Juni"));
	assert_true(str_is(json_text(json_find(json_at(readings, 1, NULL), "say")),
		"Donnerstag, den 26. Juni"));
	assert_true(wish_allows(w, at(d, "2025-06-19T16:00:00")));
	assert_false(wish_allows(w, at(d, "2025-06-26T16:00:00")));
	assert_false(wish_ambiguous(wish(d, "Donnerstag")));
	assert_false(wish_ambiguous(wish(d, "Donnerstag nächste Woche")));
	d->context.now_ms = at(d, "2025-06-20T10:00:00"); /* on Friday both are the same */
	assert_false(wish_ambiguous(wish(d, "nächsten Donnerstag")));
}

/* ---- fields ---- */

static void fields(
	struct desk *d, const char *date, const char *time, const char *words, const char *instant)
{
	struct wish *w =
		wish_read_fields(d->arena, &d->context, str_of(date), str_of(time), str_of(words));
	int64_t ms = 0;

	assert_non_null(w);
	if (!wish_exact(w, &ms))
		fail_msg("%s + %s + %s is no instant", date, time, words);
	assert_int_equal(ms, at(d, instant));
}

static void agents_send_date_and_time_apart(void **state)
{
	struct desk *d = *state;

	fields(d, "2025-11-26", "16:00", NULL, "2025-11-26T16:00:00");
	fields(d, "26.11.", "16 Uhr", "", "2025-11-26T16:00:00");
	fields(d, "morgen", "halb fünf", NULL, "2025-06-18T16:30:00");
	fields(d, "Donnerstag", "9", NULL, "2025-06-19T09:00:00");
	fields(d, "26.11.", "", "um vier", "2025-11-26T16:00:00");
	fields(d, NULL, NULL, "Donnerstag um vier", "2025-06-19T16:00:00");
	fields(d, "Donnerstag um vier", NULL, "", "2025-06-19T16:00:00");
	assert_false(wish_restricts(
		wish_read_fields(d->arena, &d->context, str_of(NULL), str_of(NULL), str_of(NULL))));
}

/* ---- saying ---- */

static void said(const struct desk *d, const char *phrase, const char *expected)
{
	struct str text = wish_say(d->arena, wish(d, phrase));

	if (!str_is(text, expected))
		fail_msg("\"%s\" is said as \"%.*s\"", phrase, STR_ARG(text));
}

static void a_wish_is_said_back(void **state)
{
	struct desk *d = *state;

	said(d, "Do 16-19 Uhr", "Donnerstag, den 19. Juni zwischen 16 und 19 Uhr");
	said(d, "dienstags früh und donnerstags abends, aber nicht am Feiertag",
		"dienstags morgens oder donnerstags abends, aber nicht an Feiertagen");
	said(d, "halb fünf", "um 16:30 Uhr");
	said(d, "ab Montag", "ab Montag, dem 23. Juni");
	said(d, "nicht vor acht", "jederzeit, nur nicht vor 8 Uhr");
	said(d, "2026-08-02", "Sonntag, den 2. August 2026");
	said(d, "am 31. Juni",
		"31. Juni: dieses Datum gibt es nicht. Meinten Sie Montag, den 30. Juni?");
	said(d, "bla", "");
	d->context.language = WISH_EN;
	said(d, "Thursday between 4 and 7 pm", "Thursday, 19 June between 4 pm and 7 pm");
	said(d, "Mondays to Wednesdays before noon", "Mondays to Wednesdays until noon");
	said(d, "no Mondays", "any time, but not on Mondays");
}

/* ---- bytes and memory ---- */

static void any_bytes_are_a_phrase(void **state)
{
	struct desk *d = *state;
	char bytes[256];
	struct str phrase = {bytes, sizeof(bytes)};

	for (int shift = 0; shift < 256; shift++) {
		struct wish *w;

		for (int i = 0; i < 256; i++)
			bytes[i] = (char)((i * 7 + shift * 13) & 0xff);
		w = wish_read(d->arena, &d->context, phrase);
		assert_non_null(w);
		assert_true(str_utf8_ok(json_print(d->arena, wish_constraints(d->arena, w))));
		arena_reset(d->arena);
	}
	assert_non_null(wish_read(d->arena, &d->context, (struct str){NULL, 0}));
}

static void without_memory_there_is_no_wish(void **state)
{
	struct desk *d = *state;
	unsigned n = 0;
	bool done = false;

	while (!done) {
		struct wish *w;

		arena_reset(d->arena);
		arena_starve(d->arena, ++n);
		w = wish_read(
			d->arena, &d->context, STR("nächsten Montag um xyz vier oder am 31.6."));
		done = !arena_failed(d->arena);
		assert_true(done == (w != NULL));
		arena_starve(d->arena, 0);
	}
	assert_in_range(n, 5, 100);
}

/* ---- tables ---- */

static void every_entry_can_be_found(const struct lexicon *lexicon)
{
	char folded[FOLDED_MAX];
	struct entry found;

	for (size_t i = 0; i < lexicon->count; i++) {
		const struct entry *entry = &lexicon->entries[i];
		size_t len = word_fold(folded, lexicon, str_of(entry->text));

		if (strcmp(folded, entry->text) != 0)
			fail_msg("\"%s\" is not folded", entry->text);
		assert_true(word_look_up(lexicon, (struct str){folded, len}, &found));
		if (found.kind != entry->kind || found.value != entry->value)
			fail_msg("\"%s\" is listed twice with two meanings", entry->text);
	}
	for (size_t i = 0; i < lexicon->fill_count; i++) {
		word_fold(folded, lexicon, str_of(lexicon->fill[i]));
		if (strcmp(folded, lexicon->fill[i]) != 0)
			fail_msg("\"%s\" is not folded", lexicon->fill[i]);
		assert_true(word_look_up(lexicon, str_of(folded), &found));
		if (found.kind != W_FILL)
			fail_msg("\"%s\" says something", folded);
	}
}

static void the_tables_are_sound(void **state)
{
	(void)state;
	every_entry_can_be_found(&lexicon_de);
	every_entry_can_be_found(&lexicon_en);
}

/* ---- desk.match ---- */

static struct str matched(struct desk *d, const char *line, bool *ok)
{
	return desk_match_line(d->arena, str_of(line), ok);
}

static void slots_come_back_as_they_were_given(void **state)
{
	struct desk *d = *state;
	bool ok = false;
	struct str out = matched(d,
		"{\"phrase\":\"Donnerstag ab 16 "
		"Uhr\",\"now\":\"2025-06-17T10:00:00+02:00\",\"length_min\":"
		"30,"
		"\"slots\":[\"2025-06-19T18:00:00\",\"2025-06-19T14:00:00Z\",\"2025-06-19T15:00:00+"
		"02:00\"]"
		"}",
		&ok);
	const char *expected = "{\"matched\":[\"2025-06-19T18:00:00\",\"2025-06-19T14:00:00Z\"],";

	assert_true(ok);
	assert_memory_equal(out.ptr, expected, strlen(expected));
}

static void refused(struct desk *d, const char *line, const char *member)
{
	bool ok = true;
	struct str out = matched(d, line, &ok);

	assert_false(ok);
	if (!memmem(out.ptr, out.len, member, strlen(member)) ||
		!memmem(out.ptr, out.len, "\"error\"", 7))
		fail_msg("%s: %.*s", line, STR_ARG(out));
}

#define ASKED "{\"phrase\":\"egal\",\"now\":\"2025-06-17T10:00:00Z\",\"slots\":[]"

static void bad_input_is_told_by_its_member(void **state)
{
	struct desk *d = *state;

	refused(d, "[]", "object");
	refused(d, "{", "not JSON");
	refused(d, "{}", "phrase");
	refused(d, "{\"phrase\":7}", "phrase");
	refused(d, "{\"phrase\":\"x\",\"slots\":[]}", "now");
	refused(d, "{\"phrase\":\"x\",\"now\":\"gestern\",\"slots\":[]}", "now");
	refused(d, "{\"phrase\":\"x\",\"now\":\"2025-06-17\"}", "slots");
	refused(d, "{\"phrase\":\"x\",\"now\":\"2025-06-17\",\"slots\":[1]}", "slots");
	refused(d, "{\"phrase\":\"x\",\"now\":\"2025-06-17\",\"slots\":[\"x\"]}", "slots");
	refused(d, ASKED ",\"timezone\":\"Mars\"}", "timezone");
	refused(d, ASKED ",\"timezone\":1}", "timezone");
	refused(d, ASKED ",\"language\":\"fr\"}", "language");
	refused(d, ASKED ",\"length_min\":-1}", "length_min");
	refused(d, ASKED ",\"length_min\":\"30\"}", "length_min");
	refused(d, ASKED ",\"state\":\"Bayern und Berlin\"}", "state");
	refused(d, ASKED ",\"state\":\"XX\"}", "state");
	refused(d, ASKED ",\"settings\":[]}", "settings");
	refused(d, ASKED ",\"settings\":{\"early\":\"10:00-06:00\"}}", "settings");
	refused(d, ASKED ",\"settings\":{\"dawn\":\"06:00-10:00\"}}", "unknown name");
	refused(d, ASKED ",\"settings\":{\"about_min\":-1}}", "about_min");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(the_end_of_the_appointment_counts_for_until),
		TEST(what_is_over_is_not_wished),
		TEST(a_tenant_bends_the_parts_of_the_day),
		TEST(a_wish_outlives_its_context_and_its_phrase),
		TEST(the_nearest_to_the_wish_comes_first),
		TEST(one_day_and_one_time_are_one_instant),
		TEST(the_days_it_speaks_of),
		TEST(no_such_date_or_time_matches_nothing_and_says_what_was_meant),
		TEST(the_hour_that_is_skipped_in_spring),
		TEST(both_readings_of_what_is_ambiguous),
		TEST(agents_send_date_and_time_apart),
		TEST(a_wish_is_said_back),
		TEST(any_bytes_are_a_phrase),
		TEST(without_memory_there_is_no_wish),
		TEST(the_tables_are_sound),
		TEST(slots_come_back_as_they_were_given),
		TEST(bad_input_is_told_by_its_member),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
