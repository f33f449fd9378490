/* zone_rule.h - the footer of a TZif file: a POSIX TZ string, for all time after the table; and the
 * days of the Gregorian calendar.
 *
 * The rule is for zone.c only; whoever counts days or months (the desk's holidays and wishes) uses
 * the functions at the end. Pure; safe from any thread. */
#ifndef BASE_ZONE_RULE_H
#define BASE_ZONE_RULE_H

#include <stdbool.h>
#include <stdint.h>

struct zone_date { /* one of the three ways POSIX names a day, and the second of it */
	char kind; /* 'M' month.week.day, 'J' day 1..365 without 29 February, '0' day 0..365 */
	int month, week, day;
	int32_t time_s; /* may lie in the days around */
};

struct zone_rule {
	bool has_dst;
	int32_t std_s, dst_s; /* east of UTC */
	struct zone_date start, end;
};

bool zone_rule_parse(struct zone_rule *rule, const char *text);
int32_t zone_rule_offset(const struct zone_rule *rule, int64_t utc_s);
/* The instants at which summer time begins and ends in a year. */
void zone_rule_year(const struct zone_rule *rule, int64_t year, int64_t *start_s, int64_t *end_s);

/* Days since 1970 of a date of the Gregorian calendar, and back. */
int64_t zone_days(int64_t year, int month, int day);
void zone_date_of(int64_t days, int64_t *year, int *month, int *day);
int zone_month_len(int64_t year, int month);

#endif
