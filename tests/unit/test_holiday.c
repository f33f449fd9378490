/* Public holidays by state: dates as published, counts per state and year, what the law changed. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "desk/holiday.h"

static const char *const all[] = {"BW", "BY", "BE", "BB", "HB", "HH", "HE", "MV", "NI", "NW", "RP",
	"SL", "SN", "ST", "SH", "TH"};
#define STATES (sizeof(all) / sizeof(*all))

static void is(const char *state, int year, int month, int day, const char *expected)
{
	const char *name = "none";

	if (!holiday_is(state, year, month, day, &name))
		fail_msg("no holiday in '%s': %d-%d-%d", state, year, month, day);
	assert_string_equal(name, expected);
	assert_true(holiday_is(state, year, month, day, NULL));
}

static void is_not(const char *state, int year, int month, int day)
{
	const char *name = "untouched";

	if (holiday_is(state, year, month, day, &name))
		fail_msg("a holiday in '%s': %d-%d-%d, %s", state, year, month, day, name);
	assert_string_equal(name, "untouched");
}

static int count(const char *state, int year)
{
	int month, day, n = 0;

	for (month = 1; month <= 12; month++)
		for (day = 1; day <= 31; day++)
			n += holiday_is(state, year, month, day, NULL);
	return n;
}

static void every_state_keeps_the_nine_of_the_nation(void **state)
{
	size_t i;

	(void)state;
	assert_int_equal(count("", 2025), 9);
	assert_int_equal(count("", 2017), 10); /* 500 years Reformation */
	for (i = 0; i < STATES; i++) {
		is(all[i], 2025, 1, 1, "Neujahr");
		is(all[i], 2025, 4, 18, "Karfreitag");
		is(all[i], 2025, 4, 21, "Ostermontag");
		is(all[i], 2025, 5, 1, "Tag der Arbeit");
		is(all[i], 2025, 5, 29, "Christi Himmelfahrt");
		is(all[i], 2025, 6, 9, "Pfingstmontag");
		is(all[i], 2025, 10, 3, "Tag der Deutschen Einheit");
		is(all[i], 2025, 12, 25, "Erster Weihnachtstag");
		is(all[i], 2025, 12, 26, "Zweiter Weihnachtstag");
		is(all[i], 2017, 10, 31, "Reformationstag");
		is_not(all[i], 2025, 12, 24);
		is_not(all[i], 2025, 12, 31);
	}
}

static void a_state_has_its_number_of_days(void **state)
{
	static const int published_2026[STATES] = {
		12, 12, 10, 12, 10, 10, 10, 11, 10, 11, 11, 12, 11, 11, 10, 11};
	size_t i;

	(void)state;
	for (i = 0; i < STATES; i++)
		if (count(all[i], 2026) != published_2026[i])
			fail_msg("%s: %d", all[i], count(all[i], 2026));
	assert_int_equal(count("BE", 2018), 9);
	assert_int_equal(count("BE", 2019), 10);
	assert_int_equal(count("BE", 2020), 11);
	assert_int_equal(count("BE", 2025), 11);
	assert_int_equal(count("BE", 2028), 11);
	assert_int_equal(count("BY-K", 2026), 13);
	assert_int_equal(count("BY-A", 2026), 14);
}

static void easter_is_where_the_tables_have_it(void **state)
{
	static const struct {
		int year, month,
			day; /* of the Sunday; the earliest and the latest are among them */
	} easter[] = {{1818, 3, 22}, {1886, 4, 25}, {1954, 4, 18}, {1981, 4, 19}, {2000, 4, 23},
		{2008, 3, 23}, {2011, 4, 24}, {2016, 3, 27}, {2019, 4, 21}, {2022, 4, 17},
		{2023, 4, 9}, {2024, 3, 31}, {2025, 4, 20}, {2026, 4, 5}, {2027, 3, 28},
		{2028, 4, 16}, {2029, 4, 1}, {2030, 4, 21}, {2038, 4, 25}, {2049, 4, 18},
		{2076, 4, 19}};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(easter) / sizeof(*easter); i++) {
		is("BB", easter[i].year, easter[i].month, easter[i].day, "Ostersonntag");
		is_not("BE", easter[i].year, easter[i].month, easter[i].day);
	}
	is("BB", 2025, 6, 8, "Pfingstsonntag");
	is("", 2024, 3, 29, "Karfreitag");
	is("", 2024, 4, 1, "Ostermontag");
	is("", 2024, 5, 9, "Christi Himmelfahrt");
	is("", 2024, 5, 20, "Pfingstmontag");
	is("", 2008, 5, 1, "Tag der Arbeit"); /* and Ascension Day */
}

static void states_differ(void **state)
{
	(void)state;
	is("BW", 2026, 1, 6, "Heilige Drei Könige");
	is("ST", 2026, 1, 6, "Heilige Drei Könige");
	is_not("HE", 2026, 1, 6);
	is("HE", 2026, 6, 4, "Fronleichnam");
	is_not("TH", 2026, 6, 4);
	is("TH-K", 2026, 6, 4, "Fronleichnam");
	is("SN-K", 2026, 6, 4, "Fronleichnam");
	is("SL", 2026, 8, 15, "Mariä Himmelfahrt");
	is_not("BY", 2026, 8, 15);
	is("BY-K", 2026, 8, 15, "Mariä Himmelfahrt");
	is("BY-A", 2026, 8, 8, "Augsburger Friedensfest");
	is_not("BY-K", 2026, 8, 8);
	is("BY-A", 2026, 11, 1, "Allerheiligen");
	is("NW", 2026, 11, 1, "Allerheiligen");
	is_not("HE", 2026, 11, 1);
	is("SN", 2026, 10, 31, "Reformationstag");
	is_not("BW", 2026, 10, 31);
	is_not("", 2026, 10, 31);
}

static void repentance_day_is_saxony_s(void **state)
{
	(void)state;
	is("SN", 1995, 11, 22, "Buß- und Bettag");
	is("SN", 2022, 11, 16, "Buß- und Bettag");
	is("SN", 2023, 11, 22, "Buß- und Bettag");
	is("SN", 2024, 11, 20, "Buß- und Bettag");
	is("SN", 2025, 11, 19, "Buß- und Bettag");
	is("SN", 2026, 11, 18, "Buß- und Bettag");
	is_not("BY", 2025, 11, 19);
	is_not("", 2025, 11, 19);
}

static void laws_change(void **state)
{
	static const char *const north[] = {"HB", "HH", "NI", "SH"};
	size_t i;

	(void)state;
	is_not("BE", 2018, 3, 8);
	is("BE", 2019, 3, 8, "Internationaler Frauentag");
	is_not("MV", 2022, 3, 8);
	is("MV", 2023, 3, 8, "Internationaler Frauentag");
	is_not("TH", 2018, 9, 20);
	is("TH", 2019, 9, 20, "Weltkindertag");
	for (i = 0; i < 4; i++) {
		is_not(north[i], 2016, 10, 31);
		is(north[i], 2018, 10, 31, "Reformationstag");
	}
	is_not("BE", 2018, 10, 31);
	is("BE", 2020, 5, 8, "Tag der Befreiung");
	is_not("BE", 2021, 5, 8);
	is("BE", 2025, 5, 8, "Tag der Befreiung");
	is_not("BB", 2025, 5, 8);
	is("BE", 2028, 6, 17, "Jahrestag des Volksaufstandes");
	is_not("BE", 2027, 6, 17);
}

static void no_date_and_no_state_is_no_fault(void **state)
{
	(void)state;
	is_not("", 2025, 0, 1);
	is_not("", 2025, 13, 1);
	is_not("", 2025, 1, 0);
	is_not("", 2025, 4, 31);
	is_not("", 2025, 2, 29);
	is_not("", 0, 1, 1);
	is_not("", 2147483647, 1, 1);
	is("XX", 2025, 1, 1, "Neujahr");
	is_not("XX", 2026, 1, 6);
	is(NULL, 2025, 1, 1, "Neujahr");
	is_not(NULL, 2026, 1, 6);
	assert_true(holiday_state_known("BE"));
	assert_true(holiday_state_known(""));
	assert_true(holiday_state_known(NULL));
	assert_false(holiday_state_known("be"));
	assert_false(holiday_state_known("Berlin"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_state_keeps_the_nine_of_the_nation),
		cmocka_unit_test(a_state_has_its_number_of_days),
		cmocka_unit_test(easter_is_where_the_tables_have_it),
		cmocka_unit_test(states_differ),
		cmocka_unit_test(repentance_day_is_saxony_s),
		cmocka_unit_test(laws_change),
		cmocka_unit_test(no_date_and_no_state_is_no_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
