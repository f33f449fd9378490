/* holiday.c - public holidays of Germany: one table of rules, and Easter. It never asks a clock or
 * a zone, and keeps no state. Any thread. */
#include "desk/holiday.h"

#include <stddef.h>
#include <string.h>

#include "base/zone_rule.h"

enum { /* who keeps a day; the last four are communities */
	BW = 1 << 0,
	BY = 1 << 1,
	BE = 1 << 2,
	BB = 1 << 3,
	HB = 1 << 4,
	HH = 1 << 5,
	HE = 1 << 6,
	MV = 1 << 7,
	NI = 1 << 8,
	NW = 1 << 9,
	RP = 1 << 10,
	SL = 1 << 11,
	SN = 1 << 12,
	ST = 1 << 13,
	SH = 1 << 14,
	TH = 1 << 15,
	BY_CATHOLIC = 1 << 16,
	SN_CATHOLIC = 1 << 17,
	TH_CATHOLIC = 1 << 18,
	AUGSBURG = 1 << 19,
	NATION = 1 << 20, /* nothing but what all keep */
	ALL = (1 << 21) - 1,
};

static const struct {
	const char *code;
	unsigned bits;
} states[] = {
	{"BW", BW},
	{"BY", BY},
	{"BE", BE},
	{"BB", BB},
	{"HB", HB},
	{"HH", HH},
	{"HE", HE},
	{"MV", MV},
	{"NI", NI},
	{"NW", NW},
	{"RP", RP},
	{"SL", SL},
	{"SN", SN},
	{"ST", ST},
	{"SH", SH},
	{"TH", TH},
	{"BY-K", BY | BY_CATHOLIC},
	{"SN-K", SN | SN_CATHOLIC},
	{"TH-K", TH | TH_CATHOLIC},
	{"BY-A", BY | BY_CATHOLIC | AUGSBURG},
	{"", NATION},
};

enum anchor {
	FIXED,      /* month, day */
	EASTER,     /* day: offset from Easter Sunday */
	REPENTANCE, /* Buß- und Bettag: the Wednesday before 23 November */
};

static const struct rule {
	const char *name;
	unsigned states;
	enum anchor anchor;
	int month, day;
	int from, to; /* years, both included; 0: no bound */
} rules[] = {
	{"Neujahr", ALL, FIXED, 1, 1, 0, 0},
	{"Heilige Drei Könige", BW | BY | ST, FIXED, 1, 6, 0, 0},
	{"Internationaler Frauentag", BE, FIXED, 3, 8, 2019, 0},
	{"Internationaler Frauentag", MV, FIXED, 3, 8, 2023, 0},
	{"Karfreitag", ALL, EASTER, 0, -2, 0, 0},
	{"Ostersonntag", BB, EASTER, 0, 0, 0, 0},
	{"Ostermontag", ALL, EASTER, 0, 1, 0, 0},
	{"Tag der Arbeit", ALL, FIXED, 5, 1, 0, 0},
	{"Tag der Befreiung", BE, FIXED, 5, 8, 2020, 2020},
	{"Tag der Befreiung", BE, FIXED, 5, 8, 2025, 2025},
	{"Christi Himmelfahrt", ALL, EASTER, 0, 39, 0, 0},
	{"Pfingstsonntag", BB, EASTER, 0, 49, 0, 0},
	{"Pfingstmontag", ALL, EASTER, 0, 50, 0, 0},
	{"Fronleichnam", BW | BY | HE | NW | RP | SL | SN_CATHOLIC | TH_CATHOLIC, EASTER, 0, 60, 0,
		0},
	{"Jahrestag des Volksaufstandes", BE, FIXED, 6, 17, 2028, 2028},
	{"Augsburger Friedensfest", AUGSBURG, FIXED, 8, 8, 0, 0},
	{"Mariä Himmelfahrt", SL | BY_CATHOLIC, FIXED, 8, 15, 0, 0},
	{"Weltkindertag", TH, FIXED, 9, 20, 2019, 0},
	{"Tag der Deutschen Einheit", ALL, FIXED, 10, 3, 0, 0},
	{"Reformationstag", BB | MV | SN | ST | TH, FIXED, 10, 31, 0, 0},
	{"Reformationstag", HB | HH | NI | SH, FIXED, 10, 31, 2018, 0},
	{"Reformationstag", ALL, FIXED, 10, 31, 2017, 2017},
	{"Allerheiligen", BW | BY | NW | RP | SL, FIXED, 11, 1, 0, 0},
	{"Buß- und Bettag", SN, REPENTANCE, 0, 0, 0, 0},
	{"Erster Weihnachtstag", ALL, FIXED, 12, 25, 0, 0},
	{"Zweiter Weihnachtstag", ALL, FIXED, 12, 26, 0, 0},
};

static unsigned state_bits(const char *state)
{
	size_t i;

	for (i = 0; i < sizeof(states) / sizeof(*states); i++)
		if (strcmp(states[i].code, state) == 0)
			return states[i].bits;
	return 0;
}

static int day_of_year(int year, int month, int day)
{
	int m;

	for (m = 1; m < month; m++)
		day += zone_month_len(year, m);
	return day;
}

/* Gauss's rule with the two corrections of the Gregorian calendar, as days since the last of
 * February. */
static int easter_day_of_year(int year)
{
	int century = year / 100;
	int moon = 15 + (3 * century + 3) / 4 - (8 * century + 13) / 25;
	int sun = 2 - (3 * century + 3) / 4;
	int golden = year % 19;
	int seed = (19 * golden + moon) % 30;
	int full_moon = 21 + seed - (seed + golden / 11) / 29;
	int sunday = 7 - (year + year / 4 + sun) % 7;
	int march = full_moon + 7 - (full_moon - sunday) % 7;

	return day_of_year(year, 2, zone_month_len(year, 2)) + march;
}

/* The Wednesday that is 32 days before the fourth Sunday of Advent. */
static int repentance_day_of_year(int year)
{
	int before = year - 1;
	int weekday; /* of 22 November, 0 Monday */
	int last = day_of_year(year, 11, 22);

	weekday = (before + before / 4 - before / 100 + before / 400 + last - 1) % 7;
	return last - (weekday + 5) % 7;
}

static bool falls_on(const struct rule *rule, int year, int day)
{
	if ((rule->from && year < rule->from) || (rule->to && year > rule->to))
		return false;
	if (rule->anchor == EASTER)
		return easter_day_of_year(year) + rule->day == day;
	if (rule->anchor == REPENTANCE)
		return repentance_day_of_year(year) == day;
	return day_of_year(year, rule->month, rule->day) == day;
}

bool holiday_is(const char *state, int year, int month, int day, const char **name)
{
	unsigned bits = state ? state_bits(state) : NATION;
	size_t i;

	if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1 ||
		day > zone_month_len(year, month))
		return false;
	day = day_of_year(year, month, day);
	for (i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
		if (!(rules[i].states & (bits ? bits : NATION)) || !falls_on(&rules[i], year, day))
			continue;
		if (name)
			*name = rules[i].name;
		return true;
	}
	return false;
}

bool holiday_state_known(const char *state)
{
	return !state || state_bits(state) != 0;
}
