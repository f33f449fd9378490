/* wish_time.c - times as they were said become minutes of the day: which half of the day is meant,
 * what "nachmittags ab 16 Uhr" leaves over. Pure; any thread. */
#include <stdlib.h>

#include "desk/wish_i.h"

#define NOON 720
#define DAY 1440
#define LATE 1320 /* nobody means a range that ends later, if an earlier one is as good */

static struct wish_range part_range(const struct reader *r, int part, int half)
{
	struct wish_range range;
	int16_t middle;

	if (part == NIGHT)
		return (struct wish_range){LATE, DAY + 360};
	if (part == WISH_AFTERNOON && half)
		return r->settings->part[half == 1 ? WISH_AFTERNOON_1ST : WISH_AFTERNOON_2ND];
	range = r->settings->part[part];
	middle = (int16_t)((range.from + range.to) / 2);
	if (half == 1)
		range.to = middle;
	else if (half == 2)
		range.from = middle;
	return range;
}

static int outside(struct wish_range range, int minute)
{
	if (minute < range.from)
		return range.from - minute;
	return minute > range.to ? minute - range.to : 0;
}

/* An hour from 1 to 6 is the afternoon's, unless a part of the day says otherwise. */
static int minutes_of(const struct reader *r, struct clock clock, int hint)
{
	int m = clock.minutes;

	if (!clock.vague)
		return m;
	if (hint == NO_PART)
		return m >= 60 && m < 420 ? m + NOON : m;
	m %= NOON;
	if (hint == NIGHT)
		return m < 360 ? m : m + NOON;
	return outside(part_range(r, hint, 0), m + NOON) < outside(part_range(r, hint, 0), m)
		       ? m + NOON
		       : m;
}

/* The second of a range is behind the first: "11 bis 1", "9 bis 5", "8-10 pm". */
static void range_of(const struct reader *r, const struct time_item *item, int hint, int *a, int *b)
{
	bool lifted;

	*a = minutes_of(r, item->a, hint);
	if (item->a.vague && item->b.named)
		*a = item->a.minutes % NOON + (item->b.minutes >= NOON ? NOON : 0);
	if (item->a.vague && item->b.named && *a >= item->b.minutes)
		*a = item->a.minutes % DAY;
	lifted = hint == NO_PART && *a != item->a.minutes;
	*b = item->b.minutes;
	if (item->b.vague && *b <= *a)
		*b += NOON;
	if (item->b.vague && *b <= *a)
		*b += NOON;
	if (lifted && item->b.minutes > item->a.minutes && (*b <= *a || *b > LATE)) {
		*a = item->a.minutes;
		*b = item->b.minutes;
	}
	if (*b <= *a)
		*b += DAY;
}

static struct hours hours_of(const struct reader *r, const struct time_item *item, int hint)
{
	struct hours out = {.hi = 2 * DAY, .end = END_OPEN, .target = -1, .how = item->how};
	int a = minutes_of(r, item->a, hint), b;
	struct wish_range range;

	out.none = item->a.bad || (item->how == TIME_RANGE && item->b.bad);
	out.part = item->part;
	out.half = item->half;
	out.vague = item->a.vague && hint == NO_PART;
	switch (item->how) {
	case TIME_PART:
		range = part_range(r, item->part, item->half);
		out.lo = range.from;
		out.end = range.to;
		break;
	case TIME_AT:
		out.lo = out.hi = out.target = a % DAY;
		break;
	case TIME_ABOUT:
		out.target = a % DAY;
		out.lo = out.target - r->settings->about;
		out.hi = out.target + r->settings->about;
		break;
	case TIME_FROM:
		out.lo = a;
		break;
	case TIME_UNTIL:
		out.end = a;
		break;
	case TIME_RANGE:
		range_of(r, item, hint, &a, &b);
		out.lo = a;
		out.end = b;
		break;
	}
	return out;
}

static bool is_empty(const struct hours *h)
{
	return h->lo > h->hi || h->lo >= h->end;
}

/* What was said exactly wins over the part of the day: on the side it bounds. */
static bool narrow_part(const struct hours *part, struct hours *exact)
{
	if (exact->how == TIME_FROM && part->end > exact->lo) {
		exact->end = part->end;
		exact->how = TIME_RANGE;
	} else if (exact->how == TIME_UNTIL && part->lo < exact->end) {
		exact->lo = part->lo;
		exact->how = TIME_RANGE;
	}
	return true;
}

static bool narrow(const struct hours *a, const struct hours *b, struct hours *out)
{
	const struct hours *point = a->target >= 0 ? a : b;

	*out = a->how == TIME_PART ? *b : *a;
	if (a->none || b->none) {
		*out = a->none ? *a : *b;
		return true;
	}
	if (a->how == TIME_PART && b->how != TIME_PART)
		return narrow_part(a, out);
	if (b->how == TIME_PART && a->how != TIME_PART)
		return narrow_part(b, out);
	out->lo = a->lo > b->lo ? a->lo : b->lo;
	out->hi = a->hi < b->hi ? a->hi : b->hi;
	out->end = a->end < b->end ? a->end : b->end;
	out->target = point->target;
	out->how = point->target >= 0 ? point->how : TIME_RANGE;
	if (a->how == b->how && a->how == TIME_PART && a->lo == b->lo && a->end == b->end)
		out->how = TIME_PART;
	return !is_empty(out);
}

/* Whether the kth time goes beside the others ("10 oder 11 Uhr") instead of narrowing them. */
static bool is_beside(const struct draft *draft, size_t k)
{
	const struct time_item *last = &draft->times[k - 1]->time, *item = &draft->times[k]->time;
	enum join join = draft->time_join[k];
	bool bounds = (last->how == TIME_FROM && item->how == TIME_UNTIL) ||
		      (last->how == TIME_UNTIL && item->how == TIME_FROM);

	if (join == JOIN_OR || (draft->excluded && join != JOIN_NONE))
		return true;
	if (join == JOIN_AND)
		return !bounds;
	if (join == JOIN_NONE)
		return false;
	return (last->how == TIME_PART && item->how == TIME_PART) ||
	       (last->how == TIME_AT && item->how == TIME_AT);
}

/* The part of the day that tells what half of it an hour is in. */
static int hint_of(const struct draft *draft, size_t k, int before)
{
	const struct time_item *item = &draft->times[k]->time;

	if (item->how != TIME_PART && item->part != NO_PART)
		return item->part;
	if (before != NO_PART || item->how == TIME_PART)
		return before;
	for (k++; k < draft->time_count; k++) { /* "acht oder neun Uhr abends" */
		const struct time_item *later = &draft->times[k]->time;

		if (draft->time_join[k] != JOIN_OR && draft->time_join[k] != JOIN_AND)
			break;
		if (later->how != TIME_PART && later->part != NO_PART)
			return later->part;
	}
	return NO_PART;
}

static size_t narrow_all(struct hours out[RULE_TIMES], size_t count, const struct hours *by)
{
	struct hours kept[RULE_TIMES];
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		if (narrow(&out[i], by, &kept[n]))
			n++;
	if (n == 0) {
		out[count] = *by;
		return count + 1;
	}
	for (size_t i = 0; i < n; i++)
		out[i] = kept[i];
	return n;
}

size_t rule_hours(const struct reader *r, const struct draft *draft, struct hours out[RULE_TIMES])
{
	int hint = NO_PART;
	size_t n = 0;

	for (size_t k = 0; k < draft->time_count; k++) {
		const struct time_item *item = &draft->times[k]->time;
		bool beside = k > 0 && is_beside(draft, k);
		struct hours hours;

		if (beside && draft->times[k - 1]->time.how == TIME_PART)
			hint = NO_PART;
		hint = hint_of(draft, k, hint);
		hours = hours_of(r, item, hint);
		if (item->how == TIME_PART)
			hint = item->part;
		if (k == 0 || beside)
			out[n++] = hours;
		else
			n = narrow_all(out, n, &hours);
	}
	return n;
}
