/* zone_rule.c - calendar arithmetic and the POSIX rule of a zone. Pure functions; any thread. */
#include "base/zone_rule.h"

#include <ctype.h>
#include <string.h>

#define DAY_S 86400

/* Counting years from March makes the leap day the last of its year; 400 years repeat. */
int64_t zone_days(int64_t year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t of_era = y - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void zone_date_of(int64_t days, int64_t *year, int *month, int *day)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t of_era = z - era * 146097;
	int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
	int64_t from_march = (5 * of_year + 2) / 153;

	*day = (int)(of_year - (153 * from_march + 2) / 5 + 1);
	*month = (int)(from_march < 10 ? from_march + 3 : from_march - 9);
	*year = y + era * 400 + (*month <= 2);
}

static bool is_leap(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int zone_month_len(int64_t year, int month)
{
	static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return lengths[month - 1] + (month == 2 && is_leap(year));
}

/* ---- parsing ------------------------------------------------------------------------------ */

static bool parse_int(const char **at, int max, int *value)
{
	int n = 0;

	if (!isdigit((unsigned char)**at))
		return false;
	while (isdigit((unsigned char)**at)) {
		n = 10 * n + (*(*at)++ - '0');
		if (n > max)
			return false;
	}
	*value = n;
	return true;
}

static bool skip_name(const char **at)
{
	const char *begin = *at;

	if (**at == '<') {
		*at = strchr(*at, '>');
		if (!*at)
			return false;
		++*at;
		return true;
	}
	while (isalpha((unsigned char)**at))
		++*at;
	return *at - begin >= 3;
}

/* [+-]hh[:mm[:ss]]. An offset has at most 24 hours, a time of day may lie in the days around. */
static bool parse_time(const char **at, int max_hours, int32_t *seconds)
{
	int sign = **at == '-' ? -1 : 1, hour, minute = 0, second = 0;

	if (**at == '-' || **at == '+')
		++*at;
	if (!parse_int(at, max_hours, &hour))
		return false;
	if (**at == ':') {
		++*at;
		if (!parse_int(at, 59, &minute))
			return false;
	}
	if (**at == ':') {
		++*at;
		if (!parse_int(at, 59, &second))
			return false;
	}
	*seconds = sign * (hour * 3600 + minute * 60 + second);
	return true;
}

static bool parse_month_date(const char **at, struct zone_date *date)
{
	date->kind = 'M';
	++*at;
	if (!parse_int(at, 12, &date->month) || !date->month || *(*at)++ != '.')
		return false;
	if (!parse_int(at, 5, &date->week) || !date->week || *(*at)++ != '.')
		return false;
	return parse_int(at, 6, &date->day);
}

static bool parse_date(const char **at, struct zone_date *date)
{
	bool ok;

	if (*(*at)++ != ',')
		return false;
	if (**at == 'M') {
		ok = parse_month_date(at, date);
	} else if (**at == 'J') {
		++*at;
		date->kind = 'J';
		ok = parse_int(at, 365, &date->day) && date->day > 0;
	} else {
		date->kind = '0';
		ok = parse_int(at, 365, &date->day);
	}
	date->time_s = 2 * 3600;
	if (ok && **at == '/') {
		++*at;
		ok = parse_time(at, 167, &date->time_s);
	}
	return ok;
}

static bool is_offset(int32_t seconds)
{
	return seconds > -DAY_S && seconds < DAY_S;
}

bool zone_rule_parse(struct zone_rule *rule, const char *text)
{
	const char *at = text;
	int32_t west;

	*rule = (struct zone_rule){0};
	if (!skip_name(&at) || !parse_time(&at, 24, &west))
		return false;
	rule->std_s = -west;
	if (!*at)
		return is_offset(rule->std_s);
	rule->has_dst = true;
	rule->dst_s = rule->std_s + 3600;
	if (!skip_name(&at))
		return false;
	if (*at != ',') {
		if (!parse_time(&at, 24, &west))
			return false;
		rule->dst_s = -west;
	}
	return is_offset(rule->std_s) && is_offset(rule->dst_s) && parse_date(&at, &rule->start) &&
	       parse_date(&at, &rule->end) && !*at;
}

/* ---- evaluating --------------------------------------------------------------------------- */

static int64_t month_day(const struct zone_date *date, int64_t year)
{
	int64_t first = zone_days(year, date->month, 1);
	int weekday =
		(int)(((first % 7) + 7 + 4) % 7); /* 0 Sunday; 1 January 1970 was a Thursday */
	int day = 1 + (date->day - weekday + 7) % 7 + 7 * (date->week - 1);

	while (day > zone_month_len(year, date->month))
		day -= 7;
	return first + day - 1;
}

static int64_t date_s(const struct zone_date *date, int64_t year)
{
	int64_t days;

	if (date->kind == 'M')
		days = month_day(date, year);
	else if (date->kind == 'J')
		days = zone_days(year, 1, 1) + date->day - 1 + (date->day >= 60 && is_leap(year));
	else
		days = zone_days(year, 1, 1) + date->day;
	return days * DAY_S + date->time_s;
}

void zone_rule_year(const struct zone_rule *rule, int64_t year, int64_t *start_s, int64_t *end_s)
{
	*start_s = date_s(&rule->start, year) - rule->std_s;
	*end_s = date_s(&rule->end, year) - rule->dst_s;
}

static int64_t floor_days(int64_t s)
{
	return (s >= 0 ? s : s - (DAY_S - 1)) / DAY_S;
}

/* Near the turn of a year dates of its neighbours count, too: the rule may put them beyond their
 * year, as day 365 or 100 hours after midnight. */
static int32_t offset_near_new_year(const struct zone_rule *rule, int64_t year, int64_t utc_s)
{
	int64_t last = INT64_MIN, start, end;
	int32_t offset = rule->std_s;

	for (int64_t y = year - 2; y <= year + 1; y++) {
		zone_rule_year(rule, y, &start, &end);
		if (end <= utc_s && end >= last) {
			last = end;
			offset = rule->std_s;
		}
		if (start <= utc_s && start >= last) {
			last = start;
			offset = rule->dst_s;
		}
	}
	return offset;
}

int32_t zone_rule_offset(const struct zone_rule *rule, int64_t utc_s)
{
	int64_t year, start, end, day_of_year;
	int month, day;

	if (!rule->has_dst)
		return rule->std_s;
	zone_date_of(floor_days(utc_s + rule->std_s), &year, &month, &day);
	day_of_year = floor_days(utc_s + rule->std_s) - zone_days(year, 1, 1);
	if (day_of_year < 10 || day_of_year > 355)
		return offset_near_new_year(rule, year, utc_s);
	zone_rule_year(rule, year, &start, &end);
	if (start < end)
		return utc_s >= start && utc_s < end ? rule->dst_s : rule->std_s;
	return utc_s >= start || utc_s < end ? rule->dst_s : rule->std_s;
}
