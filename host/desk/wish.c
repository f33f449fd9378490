/* wish.c - the face of the wish resolver: reads a phrase through its four hands (wish_i.h) and asks
 * slots against the rules. Never reads a clock, never writes. Any thread. */
#include "desk/wish.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/zone_rule.h"
#include "desk/holiday.h"
#include "desk/wish_i.h"

#define MINUTE_MS ((int64_t)60000)
#define DAY_MS (1440 * MINUTE_MS)
#define SEARCH_DAYS 31
#define SAID_MAX 120

void wish_defaults(struct wish_settings *settings)
{
	*settings = (struct wish_settings){
		.part = {[WISH_EARLY] = {360, 600},
			[WISH_FORENOON] = {360, 720},
			[WISH_NOON] = {660, 840},
			[WISH_AFTERNOON] = {720, 1080},
			[WISH_AFTERNOON_1ST] = {720, 900},
			[WISH_AFTERNOON_2ND] = {900, 1080},
			[WISH_EVENING] = {1020, 1320}},
		.about = 30,
	};
}

/* ---- reading ---- */

static void read_fault(struct reader *r, struct wish *wish);

static int civil_day(const struct civil *civil)
{
	return (int)zone_days(civil->year, civil->month, civil->day);
}

static bool is_strange(const struct word *word)
{
	return !word->spent &&
	       (word->kind == W_UNKNOWN || word->kind == W_NUMBER || word->kind == W_ORDINAL ||
		       word->kind == W_MONTH || word->kind == W_WEEKNO || word->kind == W_LAST ||
		       word->kind == W_HALF || word->kind == W_QUARTER);
}

static void keep_strange(struct reader *r, struct wish *wish)
{
	size_t count = 0;

	for (size_t i = 0; i < r->words.count; i++)
		count += is_strange(&r->words.at[i]);
	wish->strange = arena_alloc(r->arena, (count + 1) * sizeof(*wish->strange));
	for (size_t i = 0; wish->strange && i < r->words.count; i++)
		if (is_strange(&r->words.at[i]))
			wish->strange[wish->strange_count++] =
				str_dup(r->arena, r->words.at[i].said);
}

static struct wish *read_once(struct arena *arena, const struct wish_context *context,
	struct str phrase, bool other, bool *ambiguous)
{
	struct wish *wish = arena_alloc(arena, sizeof(*wish));
	struct civil now = zone_civil(context->zone, context->now_ms);
	struct reader r = {.arena = arena, .context = context, .other = other};

	if (!wish)
		return NULL;
	wish->context = *context;
	wish_defaults(&wish->settings);
	if (context->settings)
		wish->settings = *context->settings;
	snprintf(wish->state, sizeof(wish->state), "%s", context->state ? context->state : "");
	wish->context.settings = &wish->settings;
	wish->context.state = wish->state;
	r.context = &wish->context;
	r.settings = &wish->settings;
	r.lexicon = context->language == WISH_EN ? &lexicon_en : &lexicon_de;
	r.today = wish->today = civil_day(&now);
	r.weekday = now.weekday;
	r.minute = now.hour * 60 + now.minute;
	if (!words_read(&r.words, arena, r.lexicon, phrase) || !read_items(&r) ||
		!read_rules(&r, wish))
		return NULL;
	wish->order = r.order;
	keep_strange(&r, wish);
	read_fault(&r, wish);
	*ambiguous = r.ambiguous;
	return arena_failed(arena) ? NULL : wish;
}

struct wish *wish_read(struct arena *arena, const struct wish_context *context, struct str phrase)
{
	bool ambiguous, ignored;
	struct wish *wish = read_once(arena, context, phrase, false, &ambiguous);

	if (wish && ambiguous) {
		wish->other = read_once(arena, context, phrase, true, &ignored);
		if (!wish->other)
			return NULL;
	}
	return wish;
}

static bool is_bare_hour(struct str time)
{
	for (size_t i = 0; i < time.len; i++)
		if (time.ptr[i] < '0' || time.ptr[i] > '9')
			return false;
	return time.len > 0;
}

struct wish *wish_read_fields(struct arena *arena, const struct wish_context *context,
	struct str date, struct str time, struct str words)
{
	struct str at = context->language == WISH_EN ? STR(" at ") : STR(" um ");
	struct str pieces[] = {date, is_bare_hour(time) ? at : STR(" "), time,
		date.len || time.len ? STR(", ") : STR(""), words};
	struct str all = str_cat(arena, pieces, sizeof(pieces) / sizeof(pieces[0]));

	return all.ptr ? wish_read(arena, context, all) : NULL;
}

/* ---- a slot ---- */

struct moment {                       /* a slot on the wall clock */
	int day, begin, end, weekday; /* minutes; end may be beyond midnight */
};

static struct moment wish_moment(const struct wish *wish, int64_t start_ms)
{
	struct civil begin = zone_civil(wish->context.zone, start_ms);
	struct civil end = zone_civil(wish->context.zone, start_ms + wish->context.length_ms);
	struct moment out = {.day = civil_day(&begin), .weekday = begin.weekday};

	out.begin = begin.hour * 60 + begin.minute;
	out.end = end.hour * 60 + end.minute + 1440 * (civil_day(&end) - out.day);
	if (end.second)
		out.end++;
	return out;
}

static bool is_holiday(const struct wish *wish, int day)
{
	int64_t year;
	int month, of;

	zone_date_of(day, &year, &month, &of);
	return holiday_is(wish->state, (int)year, month, of, NULL);
}

static bool span_has(const struct wish *wish, const struct span *span, int day)
{
	int weekday = (day % 7 + 7 + 3) % 7;

	if (span->none || day < span->from || day > span->to || !(span->mask & (1u << weekday)))
		return false;
	return span->holiday == 0 || is_holiday(wish, day) == (span->holiday > 0);
}

static bool has_day(const struct wish *wish, const struct rule *rule, int day)
{
	for (size_t i = 0; i < rule->day_count; i++)
		if (span_has(wish, &rule->days[i], day))
			return true;
	return rule->day_count == 0;
}

static bool fits(const struct hours *h, int begin, int end)
{
	if (h->none || begin < h->lo || begin > h->hi)
		return false;
	return end <= h->end && begin < h->end;
}

static bool has_hour(const struct rule *rule, const struct moment *m)
{
	for (size_t i = 0; i < rule->hour_count; i++) {
		const struct hours *h = &rule->hours[i];

		if (fits(h, m->begin, m->end) || (h->end > 1440 && h->end < END_OPEN &&
							 fits(h, m->begin + 1440, m->end + 1440)))
			return true;
	}
	return rule->hour_count == 0;
}

/* Whether any of it lies in hours that are not wished: "nicht vor acht" is about the begin, "nicht
 * nach 17 Uhr" about the end. */
static bool overlaps(const struct hours *h, int begin, int end)
{
	if (h->none)
		return false;
	if (end == begin)
		end++;
	if (h->target >= 0)
		return begin >= h->lo && begin <= h->hi;
	return end > h->lo && begin < h->end;
}

static bool excludes_hour(const struct rule *rule, const struct moment *m)
{
	for (size_t i = 0; i < rule->hour_count; i++) {
		const struct hours *h = &rule->hours[i];

		if (overlaps(h, m->begin, m->end) ||
			(h->end > 1440 && h->end < END_OPEN &&
				overlaps(h, m->begin + 1440, m->end + 1440)))
			return true;
	}
	return rule->hour_count == 0;
}

bool wish_restricts(const struct wish *wish)
{
	return wish->count > 0;
}

bool wish_allows(const struct wish *wish, int64_t start_ms)
{
	struct moment m;
	bool wished = true;

	if (wish->count == 0)
		return true;
	if (start_ms < wish->context.now_ms)
		return false;
	m = wish_moment(wish, start_ms);
	for (size_t i = 0; i < wish->count && wished; i++)
		wished = wish->rules[i].excluded;
	for (size_t i = 0; i < wish->count; i++) {
		const struct rule *rule = &wish->rules[i];

		if (rule->excluded && has_day(wish, rule, m.day) && excludes_hour(rule, &m))
			return false;
		if (!rule->excluded && !wished)
			wished = has_day(wish, rule, m.day) && has_hour(rule, &m);
	}
	return wished;
}

/* ---- how far ---- */

static int64_t days_off(const struct wish *wish, const struct rule *rule, int day)
{
	int64_t best = INT32_MAX / 2;

	for (int k = 0; k <= SEARCH_DAYS; k++)
		if (has_day(wish, rule, day + k) || has_day(wish, rule, day - k))
			return k;
	for (size_t i = 0; i < rule->day_count; i++) {
		const struct span *span = &rule->days[i];
		int64_t off =
			day < span->from ? (int64_t)span->from - day : (int64_t)day - span->to;

		if (!span->none && off < best)
			best = off;
	}
	return best;
}

static int minutes_off(const struct hours *h, int begin, int end)
{
	int off = 0;

	if (h->target >= 0)
		return abs(begin - h->target);
	if (begin < h->lo)
		off = h->lo - begin;
	if (begin > h->hi)
		off = begin - h->hi;
	if (end > h->end && end - h->end > off)
		off = end - h->end;
	return off;
}

static int64_t rule_distance(
	const struct wish *wish, const struct rule *rule, const struct moment *m)
{
	int best = rule->hour_count ? 2880 : 0;

	for (size_t i = 0; i < rule->hour_count; i++) {
		int off = minutes_off(&rule->hours[i], m->begin, m->end);

		best = off < best ? off : best;
	}
	return days_off(wish, rule, m->day) * DAY_MS + best * MINUTE_MS;
}

int64_t wish_distance(const struct wish *wish, int64_t start_ms)
{
	struct moment m = wish_moment(wish, start_ms);
	int64_t best = -1, ahead = start_ms - wish->context.now_ms;

	for (size_t i = 0; i < wish->count; i++) {
		int64_t off;

		if (wish->rules[i].excluded)
			continue;
		off = rule_distance(wish, &wish->rules[i], &m);
		if (best < 0 || off < best)
			best = off;
	}
	best = best < 0 ? 0 : best;
	if (wish->order == 1)
		return best + (ahead > 0 ? ahead : 0);
	if (wish->order == 2)
		return best + (ahead < 400 * DAY_MS ? 400 * DAY_MS - ahead : 0);
	return best;
}

/* ---- what it names ---- */

static bool span_single(const struct span *span)
{
	return !span->none && span->from == span->to && span->holiday == 0 && span->mask == 0x7f;
}

static int64_t wish_instant(const struct wish *wish, int day, int minute, int *count)
{
	struct civil civil = {0};
	int64_t year, ms = 0;
	int n;

	zone_date_of(day, &year, &civil.month, &civil.day);
	civil.year = (int)year;
	civil.hour = minute / 60;
	civil.minute = minute % 60;
	n = zone_instant(wish->context.zone, &civil, &ms);
	if (count)
		*count = n;
	return ms;
}

/* The one day and minute it names; false: none, or more. */
static bool names_one(const struct wish *wish, int *day, int *minute)
{
	bool found = false;

	for (size_t i = 0; i < wish->count; i++) {
		const struct rule *rule = &wish->rules[i];

		if (rule->excluded)
			continue;
		if (rule->hour_count != 1 || rule->hours[0].how != TIME_AT || rule->hours[0].none)
			return false;
		for (size_t k = 0; k < rule->day_count; k++) {
			if (!span_single(&rule->days[k]) ||
				(found && (*day != rule->days[k].from ||
						  *minute != rule->hours[0].target)))
				return false;
			*day = rule->days[k].from;
			*minute = rule->hours[0].target;
			found = true;
		}
	}
	return found;
}

bool wish_exact(const struct wish *wish, int64_t *start_ms)
{
	int day, minute, count;
	int64_t ms;

	if (!names_one(wish, &day, &minute))
		return false;
	ms = wish_instant(wish, day, minute, &count);
	if (count < 1 || !wish_allows(wish, ms))
		return false;
	*start_ms = ms;
	return true;
}

/* Without the days at both ends that its weekdays leave out. */
static bool trim(const struct wish *wish, const struct span *span, int *from, int *to)
{
	*from = span->from > wish->today ? span->from : wish->today;
	*to = span->to;
	if (span->none || *from > *to)
		return false;
	if (span->holiday > 0)
		return true;
	for (int k = 0; k < 14 && *from <= *to && !span_has(wish, span, *from); k++)
		++*from;
	for (int k = 0; k < 14 && *to < DAY_MAX && *from <= *to && !span_has(wish, span, *to); k++)
		--*to;
	return *from <= *to;
}

bool wish_days(const struct wish *wish, int64_t *from_ms, int64_t *to_ms)
{
	int first = DAY_MAX, last = DAY_MIN;

	for (size_t i = 0; i < wish->count; i++) {
		const struct rule *rule = &wish->rules[i];

		for (size_t k = 0; k < rule->day_count && !rule->excluded; k++) {
			int from, to;

			if (!trim(wish, &rule->days[k], &from, &to))
				continue;
			first = from < first ? from : first;
			last = to > last ? to : last;
		}
		if (!rule->excluded && rule->day_count == 0)
			return false;
	}
	if (first > last || last >= DAY_MAX)
		return false;
	*from_ms = wish_instant(wish, first, 0, NULL);
	*to_ms = wish_instant(wish, last + 1, 0, NULL);
	return true;
}

enum wish_fault wish_fault(const struct wish *wish, int64_t *meant_ms)
{
	if (meant_ms)
		*meant_ms = wish->fault ? wish->fault_ms : -1;
	return wish->fault;
}

bool wish_ambiguous(const struct wish *wish)
{
	return wish->other != NULL;
}

/* ---- what cannot be ---- */

/* The words themselves: what lies between them may be anything, and long. */
static void fault_said(struct reader *r, struct wish *wish, const struct item *item)
{
	size_t from = item->word, last = item->end, len = 0;
	char text[SAID_MAX];

	while (from + 1 < last && !is(r, from, W_NUMBER) && !is(r, from, W_ORDINAL) &&
		!is(r, from, W_MONTH))
		from++;
	while (last > from + 1 && (is(r, last - 1, W_COMMA) || is(r, last - 1, W_DOT)))
		last--;
	for (size_t i = from; i < last && i < r->words.count; i++) {
		const struct word *word = &r->words.at[i];
		size_t n = str_utf8_span(word->said);

		if (len + n + 1 > sizeof(text))
			break;
		if (i > from && !word->glued)
			text[len++] = ' ';
		memcpy(text + len, word->said.ptr, n);
		len += n;
	}
	wish->fault_said = str_dup(r->arena, (struct str){text, len});
}

static void item_fault(struct reader *r, struct wish *wish, const struct item *item)
{
	if (item->kind == ITEM_TIME) {
		wish->fault = WISH_NO_SUCH_TIME;
	} else {
		wish->fault = item->day.fault ? item->day.fault : WISH_NO_SUCH_DATE;
		wish->fault_day = item->day.fault ? item->day.from : DAY_MIN;
		if (r->lost_meant != DAY_MIN)
			wish->fault_ms = wish_instant(wish, r->lost_meant, 0, NULL);
	}
	fault_said(r, wish, item);
}

/* The one instant it names, if that is in the gap or over. What is over and was said by an hour of
 * up to twelve may mean the other half of today; else tomorrow. */
static void instant_fault(struct wish *wish)
{
	int day, minute, count;
	int64_t ms;

	if (!names_one(wish, &day, &minute))
		return;
	ms = wish_instant(wish, day, minute, &count);
	if (count == 0 || ms < wish->context.now_ms) {
		wish->fault_day = day;
		wish->fault_minute = minute;
	}
	if (count == 0) {
		wish->fault = WISH_IN_GAP;
		wish->fault_ms = ms;
	} else if (ms < wish->context.now_ms) {
		wish->fault = WISH_PAST;
		wish->fault_ms = wish_instant(wish, day, (minute + 720) % 1440, NULL);
		if (minute >= 720 || wish->fault_ms < wish->context.now_ms)
			wish->fault_ms = wish_instant(wish, day + 1, minute, NULL);
	}
}

static void read_fault(struct reader *r, struct wish *wish)
{
	wish->fault_ms = wish->fault_minute = -1;
	wish->fault_day = DAY_MIN;
	if (r->lost)
		item_fault(r, wish, r->lost);
	else
		instant_fault(wish);
}
