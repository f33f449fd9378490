/* Clocks and civil time. The last tests hold our zone reader against zdump, for every zone and
 * every transition from 1900 to 2060. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/clock.h"

static void parsed(const char *text, const char *zone, const char *utc)
{
	char out[CLOCK_TEXT];
	int64_t ms;

	if (!clock_parse(str_of(text), zone ? zone_find(zone) : NULL, &ms))
		fail_msg("not parsed: %s", text);
	clock_utc(out, ms);
	assert_string_equal(out, utc);
}

static void not_parsed(struct str text, const char *zone)
{
	int64_t ms = 42;

	if (clock_parse(text, zone ? zone_find(zone) : NULL, &ms))
		fail_msg("parsed: %.*s", STR_ARG(text));
	assert_int_equal(ms, 42);
}

static void instants_are_read(void **state)
{
	(void)state;
	parsed("2026-11-26T16:15:00Z", NULL, "2026-11-26T16:15:00.000Z");
	parsed("2026-11-26t16:15:00.5z", NULL, "2026-11-26T16:15:00.500Z");
	parsed("2026-11-26T16:15:00,123456789Z", NULL, "2026-11-26T16:15:00.123Z");
	parsed("2026-11-26 17:15+01:00", NULL, "2026-11-26T16:15:00.000Z");
	parsed("2026-11-26T17:15:00+0100", NULL, "2026-11-26T16:15:00.000Z");
	parsed("2026-11-26T17:15:00+01", NULL, "2026-11-26T16:15:00.000Z");
	parsed("2026-11-26T06:45:00-09:30", NULL, "2026-11-26T16:15:00.000Z");
	parsed("20261126T161500Z", NULL, "2026-11-26T16:15:00.000Z");
	parsed("2026-11-26T16:15", "Europe/Berlin", "2026-11-26T15:15:00.000Z");
	parsed("2026-07-26T16:15:00", "Europe/Berlin", "2026-07-26T14:15:00.000Z");
	parsed("2026-07-26", "Europe/Berlin", "2026-07-25T22:00:00.000Z");
	parsed("20260726", "Europe/Berlin", "2026-07-25T22:00:00.000Z");
	parsed("2024-02-29T00:00:00Z", NULL, "2024-02-29T00:00:00.000Z");
	parsed("2000-02-29T00:00:00Z", NULL, "2000-02-29T00:00:00.000Z");
	parsed("0001-01-01T00:00:00Z", NULL, "0001-01-01T00:00:00.000Z");
	parsed("9999-12-31T23:59:59.999Z", NULL, "9999-12-31T23:59:59.999Z");
	parsed("1969-12-31T23:59:59.999Z", NULL, "1969-12-31T23:59:59.999Z");
	parsed("2016-12-31T23:59:60Z", NULL, "2017-01-01T00:00:00.000Z");
}

static void what_is_no_instant_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"x",
		"2026",
		"2026-11",
		"2026-11-2",
		"2026-13-01",
		"2026-00-01",
		"2026-11-00",
		"2026-11-31",
		"2023-02-29",
		"1900-02-29",
		"2026-11-26T",
		"2026-11-26T1",
		"2026-11-26T16",
		"2026-11-26T16:1",
		"2026-11-26T24:00:00Z",
		"2026-11-26T16:60Z",
		"2026-11-26T16:15:61Z",
		"2026-11-26T16:15:00.Z",
		"2026-11-26T16:15:00+",
		"2026-11-26T16:15:00+1",
		"2026-11-26T16:15:00+01:",
		"2026-11-26T16:15:00+01:60",
		"2026-11-26T16:15:00+24:00",
		"2026-11-26T16:15:00ZZ",
		"2026-11-26T16:15:00Z ",
		" 2026-11-26T16:15:00Z",
		"2026-1126T16:15:00Z",
		"202611-26",
		"2026-11-26T16:1500Z",
		"2026-11-26Z",
		"-2026-11-26",
		"+2026-11-26",
		"2026-11-26X16:15:00Z",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		not_parsed(str_of(bad[i]), "Europe/Berlin");
	not_parsed(STR("2026-11-26T16:15:00"), NULL);
	not_parsed(STR("2026-11-26"), NULL);
	not_parsed(STR("2026-11-26T16:15:00\0Z"), NULL);
	not_parsed((struct str){0}, "Europe/Berlin");
}

static void printed(int64_t ms, const char *zone, const char *expected)
{
	struct arena *arena = arena_create(4096);

	assert_string_equal(clock_print(arena, ms, zone ? zone_find(zone) : NULL).ptr, expected);
	arena_destroy(arena);
}

static void instants_are_printed(void **state)
{
	(void)state;
	printed(INT64_C(1795709700000), NULL, "2026-11-26T16:15:00Z");
	printed(INT64_C(1795709700000), "Europe/Berlin", "2026-11-26T17:15:00+01:00");
	printed(INT64_C(1795709700007), "Asia/Kolkata", "2026-11-26T21:45:00.007+05:30");
	printed(INT64_C(1795709700000), "America/New_York", "2026-11-26T11:15:00-05:00");
	printed(INT64_C(-1), NULL, "1969-12-31T23:59:59.999Z");
	/* Offsets had seconds then; the instant stays exact with the minutes. */
	printed(INT64_C(-2500000000000), "Europe/Berlin", "1890-10-11T20:26:20+00:53");
	printed(INT64_C(-100000000000), "Africa/Monrovia", "1966-10-31T13:29:20-00:44");
	printed(INT64_MIN, NULL, "0000-01-01T00:00:00Z");
	printed(INT64_MAX, NULL, "9999-12-31T23:59:59.999Z");
}

static void clocks_go_forward(void **state)
{
	int64_t us = clock_mono_us(), now = clock_now_ms();

	(void)state;
	assert_true(clock_mono_us() >= us);
	assert_true(clock_mono_ms() >= us / 1000);
	assert_true(now / 1000 - time(NULL) <= 1 && time(NULL) - now / 1000 <= 1);
}

static struct civil civil(int year, int month, int day, int hour, int minute)
{
	return (struct civil){
		.year = year, .month = month, .day = day, .hour = hour, .minute = minute};
}

static int instants(const char *zone, struct civil c, const char *utc)
{
	char out[CLOCK_TEXT];
	int64_t ms;
	int count = zone_instant(zone_find(zone), &c, &ms);

	if (count >= 0) {
		clock_utc(out, ms);
		out[16] = '\0';
		assert_string_equal(out, utc);
	}
	return count;
}

static void gaps_and_folds(void **state)
{
	(void)state;
	assert_int_equal(
		instants("Europe/Berlin", civil(2026, 3, 29, 1, 59), "2026-03-29T00:59"), 1);
	assert_int_equal(
		instants("Europe/Berlin", civil(2026, 3, 29, 2, 0), "2026-03-29T01:00"), 0);
	assert_int_equal(
		instants("Europe/Berlin", civil(2026, 3, 29, 2, 59), "2026-03-29T01:59"), 0);
	assert_int_equal(
		instants("Europe/Berlin", civil(2026, 3, 29, 3, 0), "2026-03-29T01:00"), 1);
	assert_int_equal(
		instants("Europe/Berlin", civil(2026, 10, 25, 2, 30), "2026-10-25T00:30"), 2);
	assert_int_equal(
		instants("Europe/Berlin", civil(2026, 10, 25, 3, 0), "2026-10-25T02:00"), 1);
	/* By the footer's rule alone. */
	assert_int_equal(
		instants("Europe/Berlin", civil(2058, 3, 31, 2, 30), "2058-03-31T01:30"), 0);
	assert_int_equal(
		instants("Europe/Berlin", civil(2058, 10, 27, 2, 30), "2058-10-27T00:30"), 2);
	/* Samoa left out a whole day. */
	assert_int_equal(
		instants("Pacific/Apia", civil(2011, 12, 30, 12, 0), "2011-12-30T22:00"), 0);
	assert_int_equal(
		instants("Australia/Lord_Howe", civil(2026, 4, 5, 1, 45), "2026-04-04T14:45"), 2);
	/* Negative summer time, across the new year in the south. */
	assert_int_equal(
		instants("Europe/Dublin", civil(2050, 7, 1, 12, 0), "2050-07-01T11:00"), 1);
	assert_int_equal(
		instants("Australia/Sydney", civil(2050, 1, 1, 0, 30), "2049-12-31T13:30"), 1);
}

static void no_such_date(void **state)
{
	(void)state;
	assert_int_equal(instants("UTC", civil(2026, 2, 29, 0, 0), NULL), -1);
	assert_int_equal(instants("UTC", civil(2026, 13, 1, 0, 0), NULL), -1);
	assert_int_equal(instants("UTC", civil(2026, 0, 1, 0, 0), NULL), -1);
	assert_int_equal(instants("UTC", civil(2026, 1, 1, 24, 0), NULL), -1);
	assert_int_equal(instants("UTC", civil(2026, 1, 1, -1, 0), NULL), -1);
	assert_int_equal(instants("UTC", civil(2024, 2, 29, 23, 59), "2024-02-29T23:59"), 1);
}

static void weekdays_begin_with_monday(void **state)
{
	const struct zone *berlin = zone_find("Europe/Berlin");

	(void)state;
	assert_int_equal(zone_civil(berlin, INT64_C(1795709700000)).weekday, 4); /* Thursday */
	assert_int_equal(zone_civil(berlin, 0).weekday, 4);
	assert_int_equal(zone_civil(berlin, INT64_C(-86400000)).weekday, 3);
	assert_int_equal(
		zone_civil(berlin, INT64_C(1795906800000)).weekday, 7); /* 29 November 2026 */
}

static void only_zones_are_found(void **state)
{
	(void)state;
	assert_ptr_equal(zone_find("Europe/Berlin"), zone_find("Europe/Berlin"));
	assert_string_equal(zone_name(zone_find("Europe/Berlin")), "Europe/Berlin");
	assert_null(zone_find("Europe/Nowhere"));
	assert_null(zone_find("../../../etc/passwd"));
	assert_null(zone_find("/etc/localtime"));
	assert_null(zone_find("Europe"));
	assert_null(zone_find("tzdata.zi"));
	assert_null(zone_find("zone1970.tab"));
	assert_null(zone_find("right/Europe/Berlin")); /* counts leap seconds */
	assert_null(zone_find(""));
	assert_null(zone_find(NULL));
}

/* ---- against zdump ------------------------------------------------------------ */

#define ZONES_MAX 1000

static char names[ZONES_MAX][64];
static size_t name_count;

/* "Z NAME ..." of tzdata's own list; links ("L TARGET NAME") are the same files again. */
static void read_names(void)
{
	FILE *file = fopen("/usr/share/zoneinfo/tzdata.zi", "r");
	char line[512], word[64];

	assert_non_null(file);
	name_count = 0;
	while (fgets(line, sizeof(line), file) && name_count < ZONES_MAX) {
		if (sscanf(line, "Z %63s", word) == 1)
			memcpy(names[name_count++], word, sizeof(word));
		else if (sscanf(line, "L %*s %63s", word) == 1)
			assert_non_null(zone_find(word));
	}
	fclose(file);
	assert_in_range(name_count, 300, ZONES_MAX - 1);
}

/* The last line of a zone's file is its rule for all time to come. */
static void read_rule(const char *name, char *rule, size_t size)
{
	char path[200], bytes[8192];
	size_t len, start;
	FILE *file;

	snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", name);
	file = fopen(path, "r");
	assert_non_null(file);
	len = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	assert_in_range(len, 45, sizeof(bytes) - 1);
	bytes[--len] = '\0';
	for (start = len; bytes[start - 1] != '\n'; start--)
		;
	snprintf(rule, size, "%s", bytes + start);
}

/* Of the zones with the same rule, one is enough. */
static void keep_one_for_each_rule(void)
{
	static char rules[ZONES_MAX][64];
	size_t i, k, kept = 0;

	for (i = 0; i < name_count; i++) {
		read_rule(names[i], rules[kept], sizeof(rules[kept]));
		for (k = 0; strcmp(rules[k], rules[kept]) != 0; k++)
			;
		if (k == kept)
			memmove(names[kept++], names[i], sizeof(names[i]));
	}
	name_count = kept;
}

static int month_of(const char *name)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	const char *found = strstr(months, name);

	assert_non_null(found);
	return (int)(found - months) / 3 + 1;
}

struct line { /* of zdump: an instant on one side of a transition */
	char zone[64];
	int64_t utc_s;
	struct civil wall;
};

/* "Europe/Berlin  Sun Mar 29 00:59:59 2026 UT = Sun Mar 29 01:59:59 2026 CET isdst=0 gmtoff=3600"
 */
static bool read_line(FILE *pipe, struct line *line)
{
	char text[256], month[4], wall_month[4];
	struct civil *w = &line->wall;
	struct tm utc = {0};
	int n;

	if (!fgets(text, sizeof(text), pipe))
		return false;
	n = sscanf(text,
		"%63s %*s %3s %d %d:%d:%d %d UT = %*s %3s %d %d:%d:%d %d %*s isdst=%*d gmtoff=%d",
		line->zone, month, &utc.tm_mday, &utc.tm_hour, &utc.tm_min, &utc.tm_sec,
		&utc.tm_year, wall_month, &w->day, &w->hour, &w->minute, &w->second, &w->year,
		&w->offset_s);
	if (n != 14)
		fail_msg("zdump said: %s", text);
	utc.tm_mon = month_of(month) - 1;
	utc.tm_year -= 1900;
	w->month = month_of(wall_month);
	line->utc_s = (int64_t)timegm(&utc);
	return true;
}

static void check_civil(const struct zone *zone, const struct line *line)
{
	struct civil c = zone_civil(zone, line->utc_s * 1000);
	const struct civil *w = &line->wall;

	if (c.year != w->year || c.month != w->month || c.day != w->day || c.hour != w->hour ||
		c.minute != w->minute || c.second != w->second || c.offset_s != w->offset_s)
		fail_msg("%s at %lld: %d-%d-%d %d:%d:%d %d", line->zone, (long long)line->utc_s,
			c.year, c.month, c.day, c.hour, c.minute, c.second, c.offset_s);
}

/* What the wall shows halfway through what a transition skips or repeats. */
static void check_transition(
	const struct zone *zone, const struct line *before, const struct line *after)
{
	int64_t wall_s = after->utc_s + (before->wall.offset_s + after->wall.offset_s) / 2, first;
	int expected = before->wall.offset_s < after->wall.offset_s ? 0 : 2, count;
	struct civil wall = zone_civil(zone_find("UTC"), wall_s * 1000);

	if (before->wall.offset_s == after->wall.offset_s)
		return; /* another name for the same time */
	count = zone_instant(zone, &wall, &first);
	if (count != expected || first != (wall_s - before->wall.offset_s) * 1000)
		fail_msg("%s around %lld: %d instants, first %lld", after->zone,
			(long long)after->utc_s, count, (long long)first);
}

static void check_back(const struct zone *zone, const struct line *line)
{
	int64_t first = 0;
	int count = zone_instant(zone, &line->wall, &first);

	if (count == 1)
		assert_true(first == line->utc_s * 1000);
	else
		assert_true(count == 2 && first <= line->utc_s * 1000);
}

static FILE *start_zdump(const char *years)
{
	struct buf command;
	FILE *pipe;
	size_t i;

	buf_init(&command, 1 << 20);
	buf_printf(&command, "LC_ALL=C zdump -V -c %s", years);
	for (i = 0; i < name_count; i++)
		buf_printf(&command, " '%s'", names[i]);
	pipe = popen(command.ptr, "r");
	buf_finish(&command);
	assert_non_null(pipe);
	return pipe;
}

/* Returns the number of lines. */
static size_t compare_with_zdump(const char *years)
{
	struct line line, before = {0};
	const struct zone *zone = NULL;
	size_t lines = 0;
	FILE *pipe;

	pipe = start_zdump(years);
	while (read_line(pipe, &line)) {
		if (strcmp(line.zone, before.zone) != 0)
			zone = zone_find(line.zone);
		assert_non_null(zone);
		check_civil(zone, &line);
		check_back(zone, &line);
		if (strcmp(line.zone, before.zone) == 0 && line.utc_s == before.utc_s + 1)
			check_transition(zone, &before, &line);
		before = line;
		lines++;
	}
	assert_int_equal(pclose(pipe), 0);
	return lines;
}

static void every_transition_is_zdumps(void **state)
{
	(void)state;
	read_names();
	assert_true(compare_with_zdump("1970,2038") > 25000);
}

static void every_rule_is_zdumps(void **state)
{
	(void)state;
	read_names();
	keep_one_for_each_rule();
	assert_in_range(name_count, 30, 200);
	assert_true(compare_with_zdump("2038,2060") > 1500);
}

/* Between the transitions too, by the C library, for some zones. */
static void every_third_day_is_the_c_librarys(void **state)
{
	static const char *const some[] = {"Europe/Berlin", "Europe/Dublin", "America/Sao_Paulo",
		"Australia/Lord_Howe", "Africa/Casablanca", "Asia/Gaza", "America/Nuuk"};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(some) / sizeof(*some); i++) {
		const struct zone *zone = zone_find(some[i]);
		setenv("TZ", some[i], 1);
		tzset();
		for (time_t t = 0; t < (time_t)90 * 365 * 86400; t += 250001) {
			struct civil c = zone_civil(zone, (int64_t)t * 1000);
			struct tm tm;
			assert_non_null(localtime_r(&t, &tm));
			assert_int_equal(c.offset_s, tm.tm_gmtoff);
			assert_int_equal(c.day, tm.tm_mday);
			assert_int_equal(c.weekday % 7, tm.tm_wday);
		}
	}
	unsetenv("TZ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(instants_are_read),
		cmocka_unit_test(what_is_no_instant_is_refused),
		cmocka_unit_test(instants_are_printed),
		cmocka_unit_test(clocks_go_forward),
		cmocka_unit_test(gaps_and_folds),
		cmocka_unit_test(no_such_date),
		cmocka_unit_test(weekdays_begin_with_monday),
		cmocka_unit_test(only_zones_are_found),
		cmocka_unit_test(every_transition_is_zdumps),
		cmocka_unit_test(every_rule_is_zdumps),
		cmocka_unit_test(every_third_day_is_the_c_librarys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
