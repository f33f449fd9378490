/* What holds for wishes on every day of ten years (of two under a sanitizer), both changes of the
 * clock among them. The expected days are counted here, with whole days since 1970 and nothing of
 * the resolver. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "desk/wish.h"
#include "plugin/sandbox.h"

/* What sanitizers look for does not depend on the year, and they take ten times as long. */
#define FIRST_YEAR (SANDBOX_RELAXED ? 2024 : 2019)
#define LAST_YEAR (SANDBOX_RELAXED ? 2025 : 2028)
#define AHEAD 40 /* days that are looked at */
#define SLOT_MS INT64_C(1800000)

static const char *const weekdays[7] = {
	"Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"};
static const char *const weekdays_en[7] = {
	"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"};
static const char *const months[12] = {"Januar", "Februar", "März", "April", "Mai", "Juni", "Juli",
	"August", "September", "Oktober", "November", "Dezember"};
static const char *const months_en[12] = {"January", "February", "March", "April", "May", "June",
	"July", "August", "September", "October", "November", "December"};

/* ---- civil dates -------------------------------------------------------------------------- */

static bool leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int month_length(int year, int month)
{
	static const int length[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return month == 2 && leap(year) ? 29 : length[month - 1];
}

struct day {
	int number; /* since 1970-01-01 */
	int year, month, day;
	int weekday; /* 0 Monday */
};

static struct day day_first(int year)
{
	struct day day = {.year = year, .month = 1, .day = 1};
	int y;

	for (y = 1970; y < year; y++)
		day.number += leap(y) ? 366 : 365;
	day.weekday = (day.number + 3) % 7; /* 1970 began on a Thursday */
	return day;
}

static struct day day_after(struct day day, int days)
{
	for (; days > 0; days--) {
		day.number++;
		day.weekday = (day.weekday + 1) % 7;
		if (++day.day > month_length(day.year, day.month)) {
			day.day = 1;
			if (++day.month > 12) {
				day.month = 1;
				day.year++;
			}
		}
	}
	return day;
}

/* ---- one moment, its slots and its wishes --------------------------------------------------- */

struct moment {
	struct arena *arena;
	const struct zone *zone;
	struct day today;
	int minute; /* of the day */
	int64_t now_ms;
	enum wish_language language;
	int64_t slots[AHEAD]; /* one a day, its time differs; -1: the clock does not show it */
};

static int slot_minute(int ahead)
{
	static const int minutes[] = {18 * 60, 7 * 60, 12 * 60 + 30, 9 * 60};

	return minutes[ahead % 4];
}

/* False: the clock does not show this. */
static bool instant(const struct moment *moment, struct day day, int minute, int64_t *ms)
{
	struct civil civil = {.year = day.year,
		.month = day.month,
		.day = day.day,
		.hour = minute / 60,
		.minute = minute % 60};

	return zone_instant(moment->zone, &civil, ms) > 0;
}

static struct moment moment_at(struct arena *arena, const char *zone, struct day day, int minute)
{
	struct moment moment = {.arena = arena,
		.zone = zone_find(zone),
		.today = day,
		.minute = minute,
		.language = WISH_DE};
	int ahead;

	assert_non_null(moment.zone);
	while (!instant(&moment, day, moment.minute, &moment.now_ms))
		moment.minute++;
	for (ahead = 0; ahead < AHEAD; ahead++, day = day_after(day, 1))
		if (!instant(&moment, day, slot_minute(ahead), &moment.slots[ahead]))
			moment.slots[ahead] = -1;
	return moment;
}

static const struct wish *wish(const struct moment *moment, const char *phrase)
{
	struct wish_context context = {.now_ms = moment->now_ms,
		.zone = moment->zone,
		.language = moment->language,
		.length_ms = SLOT_MS};
	struct wish *read;

	arena_reset(moment->arena);
	read = wish_read(moment->arena, &context, str_of(phrase));
	assert_non_null(read);
	return read;
}

static void complain(
	const struct moment *moment, const char *phrase, struct day day, int minute, bool allowed)
{
	fail_msg("said on %s %d-%02d-%02d %02d:%02d: '%s' %s %s %d-%02d-%02d %02d:%02d",
		weekdays_en[moment->today.weekday], moment->today.year, moment->today.month,
		moment->today.day, moment->minute / 60, moment->minute % 60, phrase,
		allowed ? "allows" : "does not allow", weekdays_en[day.weekday], day.year,
		day.month, day.day, minute / 60, minute % 60);
}

/* What a phrase means: of a day, so many days ahead. */
typedef bool expected_fn(const struct moment *moment, struct day day, int ahead, int number);

/* phrase allows exactly the days that expected says. */
static void means_days(
	const struct moment *moment, const char *phrase, expected_fn *expected, int number)
{
	const struct wish *read = wish(moment, phrase);
	struct day day = moment->today;
	int ahead;

	for (ahead = 0; ahead < AHEAD; ahead++, day = day_after(day, 1)) {
		bool wanted = expected(moment, day, ahead, number) &&
			      moment->slots[ahead] >= moment->now_ms;

		if (moment->slots[ahead] >= 0 && wish_allows(read, moment->slots[ahead]) != wanted)
			complain(moment, phrase, day, slot_minute(ahead), !wanted);
	}
}

/* Calls check for each day of the ten years, at a time of day that differs. */
static void every_day(void (*check)(const struct moment *moment))
{
	static const int times[] = {10 * 60, 5, 23 * 60 + 55, 2 * 60 + 30, 8 * 60};
	struct arena *arena = arena_create(1 << 20);
	struct day day;

	for (day = day_first(FIRST_YEAR); day.year <= LAST_YEAR; day = day_after(day, 1)) {
		struct moment moment =
			moment_at(arena, "Europe/Berlin", day, times[day.number % 5]);

		check(&moment);
	}
	arena_destroy(arena);
}

/* ---- days ----------------------------------------------------------------------------------- */

static bool is_ahead(const struct moment *moment, struct day day, int ahead, int number)
{
	(void)moment, (void)day;
	return ahead == number;
}

static bool is_weekday(const struct moment *moment, struct day day, int ahead, int number)
{
	(void)moment, (void)ahead;
	return day.weekday == number;
}

static bool is_not_weekday(const struct moment *moment, struct day day, int ahead, int number)
{
	return !is_weekday(moment, day, ahead, number);
}

/* number: weeks from this one */
static bool is_week(const struct moment *moment, struct day day, int ahead, int number)
{
	(void)day;
	return (moment->today.weekday + ahead) / 7 == number;
}

/* number: 10 * weeks + weekday */
static bool is_day_of_week(const struct moment *moment, struct day day, int ahead, int number)
{
	return is_week(moment, day, ahead, number / 10) && day.weekday == number % 10;
}

static bool is_from(const struct moment *moment, struct day day, int ahead, int number)
{
	(void)moment, (void)day;
	return ahead >= number;
}

static bool is_until(const struct moment *moment, struct day day, int ahead, int number)
{
	(void)moment, (void)day;
	return ahead <= number;
}

static void weekday_names(const struct moment *moment)
{
	char phrase[80];
	int w;

	for (w = 0; w < 7; w++) {
		int coming = (w - moment->today.weekday + 7) % 7;

		snprintf(phrase, sizeof(phrase), "%c%ss", tolower(weekdays[w][0]), weekdays[w] + 1);
		means_days(moment, phrase, is_weekday, w);
		snprintf(phrase, sizeof(phrase), "außer %c%ss", tolower(weekdays[w][0]),
			weekdays[w] + 1);
		means_days(moment, phrase, is_not_weekday, w);
		snprintf(phrase, sizeof(phrase), "nächste Woche %s", weekdays[w]);
		means_days(moment, phrase, is_day_of_week, 10 + w);
		if (!coming) /* people differ on what it means on the day itself */
			continue;
		snprintf(phrase, sizeof(phrase), "am %s", weekdays[w]);
		means_days(moment, phrase, is_ahead, coming);
		snprintf(phrase, sizeof(phrase), "ab %s", weekdays[w]);
		means_days(moment, phrase, is_from, coming);
		snprintf(phrase, sizeof(phrase), "bis %s", weekdays[w]);
		means_days(moment, phrase, is_until, coming);
	}
}

static void weekday_names_mean_their_days(void **state)
{
	(void)state;
	every_day(weekday_names);
}

static void counted_days(const struct moment *moment)
{
	means_days(moment, "heute", is_ahead, 0);
	means_days(moment, "morgen", is_ahead, 1);
	means_days(moment, "übermorgen", is_ahead, 2);
	means_days(moment, "in drei Tagen", is_ahead, 3);
	means_days(moment, "in 10 Tagen", is_ahead, 10);
	means_days(moment, "heute in einer Woche", is_ahead, 7);
	means_days(moment, "morgen in zwei Wochen", is_ahead, 15);
	means_days(moment, "übermorgen in drei Wochen", is_ahead, 23);
	means_days(moment, "ab morgen", is_from, 1);
}

static void counted_weeks(const struct moment *moment)
{
	means_days(moment, "diese Woche", is_week, 0);
	means_days(moment, "nächste Woche", is_week, 1);
	means_days(moment, "übernächste Woche", is_week, 2);
	means_days(moment, "in zwei Wochen", is_week, 2);
	means_days(moment, "in drei Wochen", is_week, 3);
	means_days(moment, "Mitte nächster Woche", is_day_of_week, 10 + 2);
	means_days(moment, "Ende nächster Woche", is_day_of_week, 10 + 4);
}

static void counted_days_and_weeks_mean_their_days(void **state)
{
	(void)state;
	every_day(counted_days);
	every_day(counted_weeks);
}

static void english_days(const struct moment *in_german)
{
	struct moment moment = *in_german;
	char phrase[80];
	int w;

	moment.language = WISH_EN;
	means_days(&moment, "today", is_ahead, 0);
	means_days(&moment, "tomorrow", is_ahead, 1);
	means_days(&moment, "the day after tomorrow", is_ahead, 2);
	means_days(&moment, "in three days", is_ahead, 3);
	means_days(&moment, "two weeks from tomorrow", is_ahead, 15);
	means_days(&moment, "next week", is_week, 1);
	means_days(&moment, "in two weeks", is_week, 2);
	for (w = 0; w < 7; w++) {
		int coming = (w - moment.today.weekday + 7) % 7;

		snprintf(phrase, sizeof(phrase), "%ss", weekdays_en[w]);
		means_days(&moment, phrase, is_weekday, w);
		snprintf(phrase, sizeof(phrase), "except %ss", weekdays_en[w]);
		means_days(&moment, phrase, is_not_weekday, w);
		snprintf(phrase, sizeof(phrase), "%s next week", weekdays_en[w]);
		means_days(&moment, phrase, is_day_of_week, 10 + w);
		snprintf(phrase, sizeof(phrase), "on %s", weekdays_en[w]);
		if (coming)
			means_days(&moment, phrase, is_ahead, coming);
	}
}

static void english_days_mean_their_days(void **state)
{
	(void)state;
	every_day(english_days);
}

/* number: first * 100 + last day of the next month, 0 for its end */
static bool is_in_next_month(const struct moment *moment, struct day day, int ahead, int number)
{
	int month = moment->today.month % 12 + 1;
	int year = moment->today.year + (month == 1);

	(void)ahead;
	return day.month == month && day.year == year && day.day >= number / 100 &&
	       (number % 100 == 0 || day.day <= number % 100);
}

static void months_and_dates(const struct moment *moment)
{
	char phrase[80];
	struct day day = day_after(moment->today, 1 + moment->today.number % (AHEAD - 1));
	int ahead = day.number - moment->today.number;

	means_days(moment, "nächsten Monat", is_in_next_month, 100);
	means_days(moment, "Anfang nächsten Monats", is_in_next_month, 110);
	means_days(moment, "Mitte nächsten Monats", is_in_next_month, 1120);
	means_days(moment, "Ende nächsten Monats", is_in_next_month, 2100);
	snprintf(phrase, sizeof(phrase), "Anfang %s", months[moment->today.month % 12]);
	means_days(moment, phrase, is_in_next_month, 110);
	snprintf(phrase, sizeof(phrase), "am %d. %s", day.day, months[day.month - 1]);
	means_days(moment, phrase, is_ahead, ahead);
	snprintf(phrase, sizeof(phrase), "am %d.%d.", day.day, day.month);
	means_days(moment, phrase, is_ahead, ahead);
	snprintf(phrase, sizeof(phrase), "%02d.%02d.%04d", day.day, day.month, day.year);
	means_days(moment, phrase, is_ahead, ahead);
	snprintf(phrase, sizeof(phrase), "%04d-%02d-%02d", day.year, day.month, day.day);
	means_days(moment, phrase, is_ahead, ahead);
	snprintf(phrase, sizeof(phrase), "%s, den %d. %s %d", weekdays[day.weekday], day.day,
		months[day.month - 1], day.year);
	means_days(moment, phrase, is_ahead, ahead);
	if (ahead < 28) {
		snprintf(phrase, sizeof(phrase), "am %d.", day.day);
		means_days(moment, phrase, is_ahead, ahead);
	}
}

static void english_dates(const struct moment *in_german)
{
	struct moment moment = *in_german;
	struct day day = day_after(moment.today, 1 + moment.today.number % (AHEAD - 1));
	int ahead = day.number - moment.today.number;
	const char *th = day.day / 10 == 1   ? "th"
			 : day.day % 10 == 1 ? "st"
			 : day.day % 10 == 2 ? "nd"
			 : day.day % 10 == 3 ? "rd"
					     : "th";
	char phrase[80];

	moment.language = WISH_EN;
	snprintf(phrase, sizeof(phrase), "%s %d%s", months_en[day.month - 1], day.day, th);
	means_days(&moment, phrase, is_ahead, ahead);
	snprintf(
		phrase, sizeof(phrase), "on the %d%s of %s", day.day, th, months_en[day.month - 1]);
	means_days(&moment, phrase, is_ahead, ahead);
}

static void months_and_dates_mean_their_days(void **state)
{
	(void)state;
	every_day(months_and_dates);
	every_day(english_dates);
}

/* A date that is over matches nothing, and no day is made up for one that is not there. */
static bool is_never(const struct moment *moment, struct day day, int ahead, int number)
{
	(void)moment, (void)day, (void)ahead, (void)number;
	return false;
}

static void no_such_days(const struct moment *moment)
{
	char phrase[80];
	int month = 1 + moment->today.number % 12;
	int year = moment->today.year;

	snprintf(phrase, sizeof(phrase), "am %d.%d.%d", month_length(year, month) + 1, month, year);
	means_days(moment, phrase, is_never, 0);
	snprintf(phrase, sizeof(phrase), "%04d-%02d-%02d", year - 1, moment->today.month,
		moment->today.day % 28 + 1);
	means_days(moment, phrase, is_never, 0);
	means_days(moment, "am 31. Juni", is_never, 0);
	means_days(moment, "am 30. Februar", is_never, 0);
	means_days(moment, "gestern", is_never, 0);
	means_days(moment, "um 25 Uhr", is_never, 0);
}

static void what_is_no_day_or_over_matches_nothing(void **state)
{
	(void)state;
	every_day(no_such_days);
}

/* ---- times of day --------------------------------------------------------------------------- */

/* On the day after: phrase means starts from first to last minute, slots beginning every 5. */
static void means_times(const struct moment *moment, const char *phrase, int first, int last)
{
	const struct wish *read = wish(moment, phrase);
	struct day day = day_after(moment->today, 1);
	int minute;

	for (minute = 0; minute < 1440; minute += 5) {
		bool wanted = minute >= first && minute <= last;
		int64_t ms;

		if (instant(moment, day, minute, &ms) && wish_allows(read, ms) != wanted)
			complain(moment, phrase, day, minute, !wanted);
	}
}

static void clock_times(const struct moment *moment)
{
	static const struct {
		const char *words;
		int minutes; /* after the hour that is named */
	} spoken[] = {{"um %s", 0}, {"um halb %s", -30}, {"um Viertel vor %s", -15},
		{"um Viertel nach %s", 15}, {"um dreiviertel %s", -15},
		{"um zehn nach halb %s", -20}, {"um fünf vor %s", -5}, {"um zwanzig nach %s", 20}};
	static const char *const hours[] = {"eins", "zwei", "drei", "vier", "fünf", "sechs",
		"sieben", "acht", "neun", "zehn", "elf", "zwölf"};
	char words[80], phrase[96];
	size_t i;
	int hour, minute;

	for (hour = 1; hour <= 12; hour++) {
		for (i = 0; i < sizeof(spoken) / sizeof(*spoken); i++) {
			minute = hour * 60 + spoken[i].minutes;
			if (minute < 7 * 60)
				minute += 720;
			snprintf(words, sizeof(words), spoken[i].words, hours[hour - 1]);
			snprintf(phrase, sizeof(phrase), "morgen %s", words);
			means_times(moment, phrase, minute, minute);
		}
	}
	for (hour = 7; hour < 24; hour++) {
		minute = 5 * ((hour * 7 + moment->today.number) % 12);
		snprintf(phrase, sizeof(phrase), "morgen um %d:%02d Uhr", hour, minute);
		means_times(moment, phrase, hour * 60 + minute, hour * 60 + minute);
		snprintf(phrase, sizeof(phrase), "morgen um %d Uhr", hour);
		means_times(moment, phrase, hour * 60, hour * 60);
		snprintf(phrase, sizeof(phrase), "morgen ab %d Uhr", hour);
		means_times(moment, phrase, hour * 60, 1440);
		snprintf(phrase, sizeof(phrase), "morgen bis %d Uhr", hour);
		means_times(moment, phrase, 0, hour * 60 - 30);
		snprintf(phrase, sizeof(phrase), "morgen gegen %d Uhr", hour);
		means_times(moment, phrase, hour * 60 - 30, hour * 60 + 30);
	}
}

static void parts_of_the_day(const struct moment *moment)
{
	means_times(moment, "morgen früh", 6 * 60, 10 * 60 - 30);
	means_times(moment, "morgen vormittags", 6 * 60, 12 * 60 - 30);
	means_times(moment, "morgen mittags", 11 * 60, 14 * 60 - 30);
	means_times(moment, "morgen nachmittags", 12 * 60, 18 * 60 - 30);
	means_times(moment, "morgen am frühen Nachmittag", 12 * 60, 15 * 60 - 30);
	means_times(moment, "morgen am späten Nachmittag", 15 * 60, 18 * 60 - 30);
	means_times(moment, "morgen abends", 17 * 60, 22 * 60 - 30);
	means_times(moment, "morgen von 9 bis 12 Uhr", 9 * 60, 12 * 60 - 30);
	means_times(moment, "morgen zwischen 16 und 19 Uhr", 16 * 60, 19 * 60 - 30);
	means_times(moment, "morgen nicht vor acht", 8 * 60, 1440);
}

/* Is the next day not 24 hours long? */
static bool changes(const char *zone, struct day day)
{
	struct moment moment = {.zone = zone_find(zone)};
	int64_t from, to;

	assert_true(instant(&moment, day_after(day, 1), 12 * 60, &to));
	assert_true(instant(&moment, day, 12 * 60, &from));
	return to - from != INT64_C(86400000);
}

/* On the eve of each change of the clock, and on one day of every month. */
static void some_days(void (*check)(const struct moment *moment))
{
	struct arena *arena = arena_create(1 << 20);
	struct day day;

	for (day = day_first(FIRST_YEAR); day.year <= LAST_YEAR; day = day_after(day, 1)) {
		struct moment moment = moment_at(arena, "Europe/Berlin", day, 12 * 60);

		if (day.day == 17 || changes("Europe/Berlin", day))
			check(&moment);
	}
	arena_destroy(arena);
}

static void times_of_day_are_those_on_the_wall(void **state)
{
	(void)state;
	some_days(clock_times);
	some_days(parts_of_the_day);
}

/* ---- the changes of the clock --------------------------------------------------------------- */

/* Each quarter of an hour of a day by its name: it exists exactly if the clock shows it. */
static void quarters(const char *zone, struct arena *arena, struct day day)
{
	struct moment moment = moment_at(arena, zone, day, 0);
	struct day tomorrow = day_after(day, 1);
	int minute;

	for (minute = 0; minute < 1440; minute += 15) {
		char phrase[80];
		const struct wish *read;
		int64_t wanted, found = -1;
		bool exists = instant(&moment, tomorrow, minute, &wanted), exact;

		snprintf(phrase, sizeof(phrase), "%04d-%02d-%02d %02d:%02d Uhr", tomorrow.year,
			tomorrow.month, tomorrow.day, minute / 60, minute % 60);
		read = wish(&moment, phrase);
		exact = wish_exact(read, &found);
		if (exact && (!exists || !wish_allows(read, found)))
			complain(&moment, phrase, tomorrow, minute, true);
		if (minute < 7 * 60) /* may be taken for the afternoon */
			continue;
		if (!exact || found != wanted || !wish_allows(read, wanted))
			complain(&moment, phrase, tomorrow, minute, false);
	}
}

static void no_instant_is_made_up(void **state)
{
	static const char *const zones[] = {
		"Europe/Berlin", "Europe/London", "America/New_York", "Australia/Lord_Howe", "UTC"};
	struct arena *arena = arena_create(1 << 20);
	struct day day;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(zones) / sizeof(*zones); i++)
		for (day = day_first(2023); day.year <= 2025; day = day_after(day, 1))
			if (day.number % 10 == 0 || changes(zones[i], day))
				quarters(zones[i], arena, day);
	arena_destroy(arena);
}

static void gap_of(struct arena *arena, struct day day)
{
	struct moment moment = moment_at(arena, "Europe/Berlin", day, 600);
	struct day tomorrow = day_after(day, 1);
	const struct wish *read;
	int64_t midnight, end, ms;

	if (instant(&moment, tomorrow, 150, &ms))
		return;
	read = wish(&moment, "morgen nachts um halb drei");
	assert_true(instant(&moment, tomorrow, 0, &midnight));
	assert_true(instant(&moment, day_after(tomorrow, 1), 0, &end));
	assert_true(end - midnight == INT64_C(23) * 3600000);
	for (ms = midnight; ms < end; ms += 900000)
		if (wish_allows(read, ms))
			fail_msg("a time in the gap of %d matches", day.year);
	assert_false(wish_exact(read, &ms));
	assert_int_equal(wish_fault(read, NULL), WISH_IN_GAP);
}

static void a_time_in_the_gap_never_matches(void **state)
{
	struct arena *arena = arena_create(1 << 20);
	struct day day;

	(void)state;
	for (day = day_first(FIRST_YEAR); day.year <= LAST_YEAR; day = day_after(day, 1))
		gap_of(arena, day);
	arena_destroy(arena);
}

static void a_time_that_is_twice_matches_twice(void **state)
{
	struct arena *arena = arena_create(1 << 20);
	struct day day = day_first(2025);
	struct moment moment;
	const struct wish *read;
	int64_t ms;

	(void)state;
	day = day_after(day, 297); /* 25 October */
	moment = moment_at(arena, "Europe/Berlin", day, 600);
	read = wish(&moment, "morgen nachts um halb drei");
	assert_true(instant(&moment, day_after(day, 1), 150, &ms));
	assert_true(wish_allows(read, ms));
	assert_true(wish_allows(read, ms + 3600000));
	assert_false(wish_allows(read, ms - 3600000));
	assert_false(wish_allows(read, ms + 2 * 3600000));
	arena_destroy(arena);
}

/* ---- two phrases ---------------------------------------------------------------------------- */

#define SAMPLE (AHEAD * 5)

static void sample(const struct moment *moment, const char *phrase, bool allowed[SAMPLE])
{
	static const int minutes[] = {7 * 60 + 30, 9 * 60, 12 * 60, 15 * 60 + 30, 19 * 60};
	const struct wish *read = wish(moment, phrase);
	struct day day = moment->today;
	int ahead, i;

	for (ahead = 0; ahead < AHEAD; ahead++, day = day_after(day, 1)) {
		for (i = 0; i < 5; i++) {
			int64_t ms = 0;

			assert_true(instant(moment, day, minutes[i], &ms));
			allowed[ahead * 5 + i] = wish_allows(read, ms);
		}
	}
}

static void same_as(const struct moment *moment, const char *a, const char *b)
{
	bool allowed[2][SAMPLE];

	sample(moment, a, allowed[0]);
	sample(moment, b, allowed[1]);
	if (memcmp(allowed[0], allowed[1], sizeof(allowed[0])) != 0)
		fail_msg("on %d-%02d-%02d '%s' is not '%s'", moment->today.year,
			moment->today.month, moment->today.day, a, b);
}

static void no_more_than(const struct moment *moment, const char *more, const char *less)
{
	bool allowed[2][SAMPLE];
	size_t i;

	sample(moment, more, allowed[0]);
	sample(moment, less, allowed[1]);
	for (i = 0; i < SAMPLE; i++)
		if (allowed[1][i] && !allowed[0][i])
			fail_msg("on %d-%02d-%02d '%s' allows more than '%s'", moment->today.year,
				moment->today.month, moment->today.day, less, more);
}

static const char *const phrases[] = {"donnerstags", "montags und mittwochs", "am Freitag",
	"morgen", "übermorgen", "nächste Woche", "in zwei Wochen", "nächste Woche Dienstag", "früh",
	"vormittags", "nachmittags", "am späten Nachmittag", "abends", "um neun", "um halb vier",
	"gegen 15 Uhr", "ab 12 Uhr", "bis 16 Uhr", "zwischen 9 und 13 Uhr",
	"donnerstags von 9 bis 16 Uhr", "außer mittwochs", "nicht vor acht",
	"dienstags früh und donnerstags abends", "Ende des Monats", "am fünfzehnten", "Anfang März",
	"am zwölften März um neun", "frühestens um neun"};
#define PHRASES (sizeof(phrases) / sizeof(*phrases))

static void filled(const struct moment *moment)
{
	static const char *const fillers[][2] = {{"", " bitte"}, {"ähm, also, ", ""},
		{"ich hätte gern einen Termin ", ", wenn das geht"}, {"Ja, hallo, ", " wäre gut"},
		{"am liebsten ", ""}, {"😀 ", " 😀"}, {"  ", "\n"}, {"Qwertz, ", ". Blubb"}};
	char phrase[200];
	size_t i, j = (size_t)moment->today.number % PHRASES;

	for (i = 0; i < sizeof(fillers) / sizeof(*fillers); i++) {
		snprintf(
			phrase, sizeof(phrase), "%s%s%s", fillers[i][0], phrases[j], fillers[i][1]);
		same_as(moment, phrases[j], phrase);
	}
}

static void fillers_change_nothing(void **state)
{
	(void)state;
	every_day(filled);
}

static void replace(char *out, const char *in, const char *const (*pairs)[2])
{
	while (*in) {
		size_t i;

		for (i = 0; pairs[i][0] && strncmp(in, pairs[i][0], strlen(pairs[i][0])) != 0; i++)
			;
		if (pairs[i][0]) {
			strcpy(out, pairs[i][1]);
			in += strlen(pairs[i][0]);
			out += strlen(out);
		} else {
			*out++ = *in++;
		}
	}
	*out = '\0';
}

static void respelt(const struct moment *moment)
{
	static const char *const plain[][2] = {{"ä", "ae"}, {"ö", "oe"}, {"ü", "ue"}, {"ß", "ss"},
		{"Ä", "Ae"}, {"Ö", "Oe"}, {"Ü", "Ue"}, {NULL, NULL}};
	static const char *const large[][2] = {{"ä", "Ä"}, {"ö", "Ö"}, {"ü", "Ü"}, {NULL, NULL}};
	static const char *const apart[][2] = {
		{"ä", "a\xcc\x88"}, {"ö", "o\xcc\x88"}, {"ü", "u\xcc\x88"}, {NULL, NULL}};
	const char *phrase = phrases[(size_t)moment->today.number % PHRASES];
	char changed[200];
	size_t i;

	replace(changed, phrase, plain);
	same_as(moment, phrase, changed);
	replace(changed, phrase, apart);
	same_as(moment, phrase, changed);
	replace(changed, phrase, large);
	for (i = 0; changed[i]; i++)
		changed[i] = (char)toupper((unsigned char)changed[i]);
	same_as(moment, phrase, changed);
	for (i = 0; changed[i]; i++)
		changed[i] = (char)tolower((unsigned char)changed[i]);
	same_as(moment, phrase, changed);
}

static void capitals_and_spellings_change_nothing(void **state)
{
	(void)state;
	every_day(respelt);
}

static void narrowed(const struct moment *moment)
{
	static const char *const base[] = {"donnerstags", "montags und mittwochs", "nächste Woche",
		"in zwei Wochen", "morgen", "am Freitag", "unter der Woche"};
	static const char *const added[] = {" vormittags", " ab 15 Uhr", " bis 12 Uhr", " um neun",
		" gegen 15 Uhr", " zwischen 9 und 13 Uhr", ", aber nicht mittwochs",
		" außer am Feiertag", ", nicht vor acht", ", nur nicht morgen",
		", aber nicht abends"};
	const char *wide = base[(size_t)moment->today.number % (sizeof(base) / sizeof(*base))];
	char narrow[120], narrower[160];
	size_t i, j;

	for (i = 0; i < sizeof(added) / sizeof(*added); i++) {
		j = 6 + (i + (size_t)moment->today.number) % 5; /* an exclusion */
		snprintf(narrow, sizeof(narrow), "%s%s", wide, added[i]);
		no_more_than(moment, wide, narrow);
		snprintf(narrower, sizeof(narrower), "%s%s", narrow, added[j]);
		no_more_than(moment, narrow, narrower);
	}
}

static void a_constraint_added_adds_no_slot(void **state)
{
	(void)state;
	every_day(narrowed);
}

/* ---- any words ------------------------------------------------------------------------------ */

static unsigned next_random(unsigned *seed)
{
	*seed = *seed * 1103515245u + 12345u;
	return *seed >> 16;
}

static void random_phrase(unsigned *seed, char *out, size_t size)
{
	static const char *const words[] = {"montags", "Donnerstag", "am", "um", "ab", "bis",
		"nicht", "außer", "und", "oder", "nächste", "Woche", "in", "zwei", "drei", "Tagen",
		"morgen", "früh", "abends", "halb", "Viertel", "vor", "nach", "16", "Uhr", "12.",
		"Juni", "Anfang", "Ende", "zwischen", "-", ",", "19.", "2025", "25", "31.",
		"Feiertag", "geht", "kein", "von", "heute", "0", "24", "60", "letzten", "29.",
		"Februar", "Mitte", ":", "30", "dreiviertel", "Monats", "gegen", "spätestens",
		"egal", "ä", "\xff", "00:00", "99999999999", "nie", "diese", "weder", "2:30",
		"nachts"};
	size_t n = 0, count = 1 + next_random(seed) % 12;

	out[0] = '\0';
	while (count-- && n + 20 < size)
		n += (size_t)snprintf(out + n, size - n, "%s ",
			words[next_random(seed) % (sizeof(words) / sizeof(*words))]);
}

static void consistent(const struct moment *moment, const char *phrase)
{
	const struct wish *read = wish(moment, phrase);
	int64_t from, to, ms, exact = -1;
	bool bounded = wish_days(read, &from, &to), named = wish_exact(read, &exact);
	int i;

	if (named && (exact < moment->now_ms || !wish_allows(read, exact)))
		fail_msg("'%s' names an instant that it does not allow", phrase);
	for (i = -48; i < 48 * AHEAD; i += 3) {
		ms = moment->now_ms + i * SLOT_MS;
		if (wish_distance(read, ms) < 0)
			fail_msg("'%s' has a distance below 0", phrase);
		if (!wish_allows(read, ms))
			continue;
		if (wish_restricts(read) && ms < moment->now_ms)
			fail_msg("'%s' allows what is over", phrase);
		if (bounded && (ms < from || ms >= to))
			fail_msg("'%s' allows a day that it does not speak of", phrase);
	}
}

static void any_words_are_consistent(void **state)
{
	struct arena *arena = arena_create(1 << 20);
	unsigned seed = 20250617;
	struct day day;

	(void)state;
	for (day = day_first(FIRST_YEAR); day.year <= LAST_YEAR; day = day_after(day, 1)) {
		struct moment moment =
			moment_at(arena, "Europe/Berlin", day, (int)(next_random(&seed) % 1440));
		char phrase[256];

		random_phrase(&seed, phrase, sizeof(phrase));
		consistent(&moment, phrase);
		random_phrase(&seed, phrase, sizeof(phrase));
		consistent(&moment, phrase);
	}
	arena_destroy(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(weekday_names_mean_their_days),
		cmocka_unit_test(counted_days_and_weeks_mean_their_days),
		cmocka_unit_test(english_days_mean_their_days),
		cmocka_unit_test(months_and_dates_mean_their_days),
		cmocka_unit_test(what_is_no_day_or_over_matches_nothing),
		cmocka_unit_test(times_of_day_are_those_on_the_wall),
		cmocka_unit_test(no_instant_is_made_up),
		cmocka_unit_test(a_time_in_the_gap_never_matches),
		cmocka_unit_test(a_time_that_is_twice_matches_twice),
		cmocka_unit_test(fillers_change_nothing),
		cmocka_unit_test(capitals_and_spellings_change_nothing),
		cmocka_unit_test(a_constraint_added_adds_no_slot),
		cmocka_unit_test(any_words_are_consistent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
