/* wish_say.c - a wish in words a caller can say yes to, in German or English. Pure; any thread. */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/words.h"
#include "base/zone_rule.h"
#include "desk/wish_i.h"

#define SAY_MAX ((size_t)64 * 1024)
#define FAR_AWAY 300 /* days ahead from which the year is said */

struct speech {
	struct buf *buf;
	const struct wish *wish;
	bool german;
};

static void say(struct speech *s, const char *german, const char *english)
{
	buf_add_text(s->buf, s->german ? german : english);
}

/* ---- times ---- */

static void say_clock(struct speech *s, int minutes)
{
	int hour = (minutes + 1440) % 1440 / 60, minute = (minutes + 1440) % 60;
	int twelve = hour % 12 ? hour % 12 : 12;

	if (s->german && minutes == 1440)
		hour = 24;
	if (s->german)
		buf_printf(s->buf, minute ? "%d:%02d" : "%d", hour, minute);
	else if (minute)
		buf_printf(s->buf, "%d:%02d %s", twelve, minute, hour < 12 ? "am" : "pm");
	else if (hour % 12 == 0)
		buf_add_text(s->buf, hour ? "noon" : "midnight");
	else
		buf_printf(s->buf, "%d %s", twelve, hour < 12 ? "am" : "pm");
}

static void say_part(struct speech *s, int part, int half)
{
	static const char *const german[] = {"morgens", "vormittags", "mittags", "nachmittags",
		"am frühen Nachmittag", "am späten Nachmittag", "abends", "nachts"};
	static const char *const english[] = {"early in the morning", "in the morning",
		"around midday", "in the afternoon", "in the early afternoon",
		"in the late afternoon", "in the evening", "at night"};
	static const char *const german_nouns[] = {"Morgen", "Vormittag", "Mittag", "Nachmittag",
		"Nachmittag", "Nachmittag", "Abend", "Abend"};
	static const char *const english_nouns[] = {"morning", "morning", "midday", "afternoon",
		"afternoon", "afternoon", "evening", "evening"};

	if (half == 0)
		say(s, german[part], english[part]);
	else
		buf_printf(s->buf, s->german ? "am %s %s" : "in the %s %s",
			s->german ? (half == 1 ? "frühen" : "späten")
				  : (half == 1 ? "early" : "late"),
			s->german ? german_nouns[part] : english_nouns[part]);
}

static void say_bound(struct speech *s, const char *german, const char *english, int minutes)
{
	say(s, german, english);
	buf_add_text(s->buf, " ");
	say_clock(s, minutes);
	say(s, " Uhr", "");
}

static void say_hours(struct speech *s, const struct hours *h, bool excluded)
{
	switch (h->how) {
	case TIME_PART:
		say_part(s, h->part, h->half);
		break;
	case TIME_AT:
		say_bound(s, "um", "at", h->target);
		break;
	case TIME_ABOUT:
		say_bound(s, "gegen", "around", h->target);
		break;
	case TIME_FROM:
		say_bound(s, excluded ? "nach" : "ab", excluded ? "after" : "from", h->lo);
		break;
	case TIME_UNTIL:
		say_bound(s, excluded ? "vor" : "bis", excluded ? "before" : "until", h->end);
		break;
	case TIME_RANGE:
		if (h->end == END_OPEN) {
			say_bound(s, "ab", "from", h->lo);
			break;
		}
		say(s, "zwischen ", "between ");
		say_clock(s, h->lo);
		say_bound(s, " und", " and", h->end);
		break;
	}
}

/* ---- days ---- */

static void say_date(struct speech *s, int day, const char *article)
{
	char text[WORDS_TEXT], *comma;
	struct civil civil = {.weekday = (day % 7 + 7 + 3) % 7 + 1};
	int64_t year;
	size_t len;

	zone_date_of(day, &year, &civil.month, &civil.day);
	civil.year = (int)year;
	len = words_day(text, &civil, s->german ? "de" : "en");
	if (day <= s->wish->today + FAR_AWAY && day >= s->wish->today)
		text[len - 5] = 0; /* " 2026" */
	comma = strchr(text, ',');
	buf_add(s->buf, text, (size_t)(comma - text));
	buf_printf(s->buf, ",%s%s", s->german ? article : "", comma + 1);
}

static void say_weekdays(struct speech *s, uint8_t mask)
{
	static const char *const german[] = {"montags", "dienstags", "mittwochs", "donnerstags",
		"freitags", "samstags", "sonntags"};
	static const char *const english[] = {"Mondays", "Tuesdays", "Wednesdays", "Thursdays",
		"Fridays", "Saturdays", "Sundays"};
	int left = 0, first = 7, last = 0;

	for (int i = 0; i < 7; i++) {
		if (!((mask >> i) & 1))
			continue;
		left++;
		last = i;
		first = first == 7 ? i : first;
	}
	if (left > 2 && last - first == left - 1) {
		say(s, german[first], english[first]);
		say(s, " bis ", " to ");
		say(s, german[last], english[last]);
		return;
	}
	say(s, "", "on ");
	for (int i = 0; i < 7; i++) {
		if (!((mask >> i) & 1))
			continue;
		say(s, german[i], english[i]);
		left--;
		if (left > 0)
			buf_add_text(s->buf, left > 1 ? ", " : s->german ? " und " : " and ");
	}
}

/* "nicht vor Donnerstag" names the day that is possible again. */
static void say_limits(struct speech *s, int from, int to, bool excluded)
{
	if (from != DAY_MIN && to != DAY_MAX) {
		say(s, "von ", "from ");
		say_date(s, from, " dem");
		say(s, " bis ", " to ");
		say_date(s, to, " den");
	} else if (from != DAY_MIN) {
		say(s, excluded ? "nach " : "ab ", excluded ? "after " : "from ");
		say_date(s, excluded ? from - 1 : from, " dem");
	} else {
		say(s, excluded ? "vor " : "bis ", excluded ? "before " : "until ");
		say_date(s, excluded ? to + 1 : to, excluded ? " dem" : " den");
	}
}

/* The only day left of it, DAY_MIN: there are more, or none. */
static int only_day(const struct wish *wish, const struct span *span)
{
	int found = DAY_MIN;

	if (span->from == DAY_MIN || span->to == DAY_MAX || span->to - span->from > 31)
		return span->from == span->to ? span->from : DAY_MIN;
	for (int day = span->from; day <= span->to; day++) {
		if (!((span->mask >> ((day % 7 + 7 + 3) % 7)) & 1) ||
			(span->from != span->to && day < wish->today))
			continue;
		if (found != DAY_MIN)
			return DAY_MIN;
		found = day;
	}
	return span->holiday ? DAY_MIN : found;
}

static void say_span(struct speech *s, const struct span *span, bool excluded)
{
	int day = only_day(s->wish, span);
	bool open = span->from == DAY_MIN && span->to == DAY_MAX;
	int from =
		span->from != DAY_MIN && span->from < s->wish->today && span->to >= s->wish->today
			? s->wish->today
			: span->from;

	if (day != DAY_MIN) {
		say_date(s, day, " den");
		return;
	}
	if (span->holiday > 0)
		say(s, "an Feiertagen", "on public holidays");
	else if (span->mask != 0x7f)
		say_weekdays(s, span->mask);
	else if (open)
		say(s, "an jedem Tag", "on any day");
	if (!open && (span->holiday > 0 || span->mask != 0x7f))
		buf_add_text(s->buf, " ");
	if (!open)
		say_limits(s, from, span->to, excluded);
	if (span->holiday < 0)
		say(s, " außer an Feiertagen", " except public holidays");
}

/* ---- rules ---- */

/* Between two of a list of which so many are left. */
static void say_between(struct speech *s, size_t left, bool excluded)
{
	if (left > 1)
		buf_add_text(s->buf, ", ");
	else if (excluded)
		say(s, " und ", " and ");
	else
		say(s, " oder ", " or ");
}

static void say_days(struct speech *s, const struct rule *rule)
{
	size_t left = 0, said = 0;

	for (size_t i = 0; i < rule->day_count; i++)
		left += !rule->days[i].none;
	for (size_t i = 0; i < rule->day_count; i++) {
		if (rule->days[i].none)
			continue;
		if (said++)
			say_between(s, left, rule->excluded);
		say_span(s, &rule->days[i], rule->excluded && rule->hour_count == 0);
		left--;
	}
	if (said && rule->hour_count)
		buf_add_text(s->buf, " ");
}

static void say_rule(struct speech *s, const struct rule *rule)
{
	size_t left = 0, said = 0;

	say_days(s, rule);
	for (size_t i = 0; i < rule->hour_count; i++)
		left += !rule->hours[i].none;
	for (size_t i = 0; i < rule->hour_count; i++) {
		if (rule->hours[i].none)
			continue;
		if (said++)
			say_between(s, left, rule->excluded);
		say_hours(s, &rule->hours[i], rule->excluded);
		left--;
	}
}

static void say_rules(struct speech *s, bool excluded)
{
	size_t said = 0;

	for (size_t i = 0; i < s->wish->count; i++) {
		if (s->wish->rules[i].excluded != excluded)
			continue;
		if (said++ && excluded)
			say(s, " und nicht ", " and not ");
		else if (said > 1)
			say(s, " oder ", " or ");
		say_rule(s, &s->wish->rules[i]);
	}
}

static bool has_rule(const struct wish *wish, bool excluded)
{
	for (size_t i = 0; i < wish->count; i++)
		if (wish->rules[i].excluded == excluded)
			return true;
	return false;
}

static void say_wish(struct speech *s)
{
	bool wished = has_rule(s->wish, false), excluded = has_rule(s->wish, true);

	say_rules(s, false);
	if (excluded && wished)
		say(s, ", aber nicht ", ", but not ");
	else if (excluded)
		say(s, "jederzeit, nur nicht ", "any time, but not ");
	say_rules(s, true);
	if (s->wish->order && s->wish->count)
		buf_add_text(s->buf, ", ");
	if (s->wish->order == 1)
		say(s, "so früh wie möglich", "as early as possible");
	else if (s->wish->order == 2)
		say(s, "so spät wie möglich", "as late as possible");
}

/* ---- faults ---- */

static void say_instant(struct speech *s, int64_t ms, const char *article)
{
	struct civil civil = zone_civil(s->wish->context.zone, ms);

	say_date(s, (int)zone_days(civil.year, civil.month, civil.day), article);
	if (s->wish->fault_minute >= 0)
		say_bound(s, " um", " at", civil.hour * 60 + civil.minute);
}

static void say_named(struct speech *s, const char *article)
{
	if (s->wish->fault_day != DAY_MIN)
		say_date(s, s->wish->fault_day, article);
	else if (s->wish->fault_said.len)
		buf_add_str(s->buf, s->wish->fault_said);
	else
		say(s, "Dieser Tag", "That day");
	if (s->wish->fault_minute >= 0)
		say_bound(s, " um", " at", s->wish->fault_minute);
}

static void say_fault(struct speech *s)
{
	switch (s->wish->fault) {
	case WISH_NO_SUCH_DATE:
		buf_add_str(s->buf, s->wish->fault_said);
		say(s, ": dieses Datum gibt es nicht.", ": there is no such date.");
		break;
	case WISH_NO_SUCH_TIME:
		buf_add_str(s->buf, s->wish->fault_said);
		say(s, ": diese Uhrzeit gibt es nicht.", ": there is no such time.");
		break;
	case WISH_IN_GAP:
		say_named(s, " den");
		say(s, " gibt es nicht, denn da wird die Uhr vorgestellt.",
			" does not exist, because the clocks go forward then.");
		break;
	default:
		say_named(s, " der");
		say(s, " ist schon vorbei.", " is over already.");
	}
	if (s->wish->fault_ms < 0)
		return;
	say(s, " Meinten Sie ", " Did you mean ");
	say_instant(s, s->wish->fault_ms, " den");
	buf_add_text(s->buf, "?");
}

struct str wish_say(struct arena *arena, const struct wish *wish)
{
	struct buf buf;
	struct speech s = {&buf, wish, wish->context.language == WISH_DE};
	struct str out;

	buf_init(&buf, SAY_MAX);
	if (wish->fault)
		say_fault(&s);
	else
		say_wish(&s);
	out = buf.failed || !buf.len ? STR("") : str_dup(arena, (struct str){buf.ptr, buf.len});
	buf_finish(&buf);
	return out;
}
