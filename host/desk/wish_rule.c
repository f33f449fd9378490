/* wish_rule.c - drafts become rules with concrete days: the coming Thursday, the Tuesdays of next
 * week; and what cannot be, is found. Pure; any thread. */
#include "base/arena.h"
#include "desk/wish_i.h"

#define ALL_DAYS 0x7f

static struct span span_of(int from, int to)
{
	return (struct span){.from = from, .to = to, .mask = ALL_DAYS};
}

static int first_bit(uint8_t mask)
{
	int day = 1;

	while (day < 7 && !(mask & (1u << (day - 1))))
		day++;
	return day;
}

static bool is_one_bit(uint8_t mask)
{
	return mask && !(mask & (mask - 1));
}

static int weekday_of(int day)
{
	return (day % 7 + 7 + 3) % 7 + 1;
}

/* ---- windows: the periods of a draft ---- */

struct windows {
	struct span at[RULE_PERIODS];
	size_t count;
	bool free;  /* one of them is a week or a month, not only "ab" or "bis" */
	int lowest; /* "ab nächster Woche" */
};

static void add_period(struct windows *w, const struct day_item *day)
{
	size_t n = 0;
	struct span kept[RULE_PERIODS];

	for (size_t i = 0; i < w->count; i++) {
		int from = w->at[i].from > day->from ? w->at[i].from : day->from;
		int to = w->at[i].to < day->to ? w->at[i].to : day->to;

		if (from <= to || day->bound)
			kept[n++] = span_of(from, to);
	}
	if (n == 0 && w->count < RULE_PERIODS) {
		w->at[w->count++] = span_of(day->from, day->to);
		return;
	}
	for (size_t i = 0; i < n; i++)
		w->at[i] = kept[i];
	w->count = n;
}

/* "nächste Woche ab Mittwoch": the Wednesday of that week. */
static struct day_item moved(const struct day_item *bound, const struct windows *w)
{
	struct day_item out = *bound;
	int day;

	if (!bound->mask || !w->free || w->at[0].to - w->at[0].from > 6)
		return out;
	day = w->at[0].from - weekday_of(w->at[0].from) + first_bit(bound->mask);
	bound_days(&out, bound->bound, day, day);
	return out;
}

static void read_windows(const struct draft *draft, struct windows *w)
{
	*w = (struct windows){.count = 1, .lowest = DAY_MIN};
	w->at[0] = span_of(DAY_MIN, DAY_MAX);
	for (size_t i = 0; i < draft->period_count; i++) {
		const struct day_item *day = &draft->periods[i]->day;

		if (day->bound)
			continue;
		add_period(w, day);
		w->free = true;
	}
	for (size_t i = 0; i < draft->period_count; i++) {
		struct day_item day = moved(&draft->periods[i]->day, w);

		if (!day.bound)
			continue;
		add_period(w, &day);
		if (day.from > w->lowest)
			w->lowest = day.from;
	}
}

/* ---- what cannot be ---- */

/* Nothing is lost if it was not wished anyway. */
static void lose(struct reader *r, const struct draft *draft, const struct item *item, int meant)
{
	if (r->lost || draft->excluded)
		return;
	r->lost = item;
	r->lost_meant = meant;
}

static void find_lost(struct reader *r, const struct draft *draft)
{
	for (size_t i = 0; i < draft->day_count; i++)
		if (draft->days[i]->day.fault)
			lose(r, draft, draft->days[i], draft->days[i]->day.meant);
	for (size_t i = 0; i < draft->period_count; i++)
		if (draft->periods[i]->day.fault)
			lose(r, draft, draft->periods[i], draft->periods[i]->day.meant);
	for (size_t i = 0; i < draft->time_count; i++) {
		const struct time_item *time = &draft->times[i]->time;

		if (time->a.bad || (time->how == TIME_RANGE && time->b.bad))
			lose(r, draft, draft->times[i], DAY_MIN);
	}
}

/* ---- days ---- */

struct days {
	struct reader *r;
	const struct draft *draft;
	struct windows windows;
	struct span *out;
	size_t count;
};

static void push(struct days *d, struct span span)
{
	if (d->count < RULE_DAYS)
		d->out[d->count++] = span;
}

static void push_in_windows(struct days *d, struct span span)
{
	for (size_t i = 0; i < d->windows.count; i++) {
		struct span in = span;

		in.from = d->windows.at[i].from;
		in.to = d->windows.at[i].to;
		push(d, in);
	}
}

/* The coming weekend is the one that is not over. */
static void push_weekend(struct days *d, struct span span)
{
	span.from = monday_of(d->r, 0) + 5;
	span.to = span.from + 1;
	span.mask = ALL_DAYS;
	push(d, span);
}

static void push_weekday(struct days *d, const struct day_item *item)
{
	struct span span = {.mask = item->mask, .holiday = item->working ? -1 : 0};
	enum pick pick = item->pick;
	int day;

	/* "Montag geht nicht" is about all of them. */
	if (d->draft->excluded && pick == PICK_COMING && !item->weeks && !d->windows.free)
		pick = PICK_EVERY;
	span.every = pick == PICK_EVERY;
	if (span.every || (d->windows.free && !item->weeks)) {
		push_in_windows(d, span);
	} else if (!is_one_bit(item->mask)) {
		push_weekend(d, span);
	} else {
		if (item->weeks && first_bit(item->mask) == d->r->weekday)
			day = d->r->today + 7 * item->weeks;
		else
			day = pick_day(d->r, first_bit(item->mask), pick) + 7 * item->weeks;
		if (item->in_weeks)
			day = choose_day(d->r, day,
				monday_of(d->r, item->weeks) + first_bit(item->mask) - 1);
		if (day < d->windows.lowest)
			day += (d->windows.lowest - day + 6) / 7 * 7;
		push(d, span_of(day, day));
	}
}

static void push_month_day(struct days *d, const struct item *said)
{
	const struct day_item *item = &said->day;
	struct day_item found = {0};
	int near = d->windows.free ? d->windows.at[0].from : d->r->today;

	date_in_month_of(d->r, near, item->month_day, false, &found);
	if (!d->windows.free) {
		for (int ahead = 1; ahead <= 3 && (found.fault || found.from < d->r->today);
			ahead++) {
			int from, to;

			month_after(d->r, ahead, &from, &to);
			date_in_month_of(d->r, from, item->month_day, false, &found);
		}
	}
	if (!found.fault) {
		push(d, span_of(found.from, found.from));
		return;
	}
	push(d, (struct span){.none = true});
	lose(d->r, d->draft, said, found.meant);
}

static void push_day(struct days *d, const struct item *said)
{
	const struct day_item *item = &said->day;
	struct span span = span_of(item->from, item->to);

	if (item->fault) {
		push(d, (struct span){.none = true});
		return;
	}
	switch (item->how) {
	case DAY_WEEKDAY:
		push_weekday(d, item);
		break;
	case DAY_OF_MONTH:
		push_month_day(d, said);
		break;
	case DAY_HOLIDAY:
		span.holiday = 1;
		push_in_windows(d, span);
		break;
	case DAY_ALL:
		push_in_windows(d, span);
		break;
	default:
		push(d, span);
	}
}

/* ---- a weekday and a date that are one day ---- */

static bool is_one_day(const struct day_item *item)
{
	return (item->how == DAY_DATE && item->from == item->to && !item->fault) ||
	       item->how == DAY_OF_MONTH;
}

static bool is_one_weekday(const struct day_item *item)
{
	return item->how == DAY_WEEKDAY && is_one_bit(item->mask) && item->pick != PICK_EVERY &&
	       !item->weeks;
}

int weekday_belongs(const struct day_item *weekday, const struct day_item *date, enum join join)
{
	if (join > JOIN_COMMA || !is_one_weekday(weekday) || !is_one_day(date))
		return 0;
	if (date->how == DAY_OF_MONTH)
		return 1;
	if (weekday_of(date->from) == first_bit(weekday->mask))
		return 1;
	return date->spelled ? 2 : 0;
}

/* Drops the weekday that only repeats the date. If they contradict, people differ: the date is the
 * main reading, the weekday the other. */
static bool is_repeated(struct days *d, size_t k)
{
	const struct draft *draft = d->draft;
	const struct day_item *item = &draft->days[k]->day;
	int fits = 0;

	if (k + 1 < draft->day_count)
		fits = weekday_belongs(item, &draft->days[k + 1]->day, draft->day_join[k + 1]);
	if (fits == 0 && k > 0)
		fits = weekday_belongs(item, &draft->days[k - 1]->day, draft->day_join[k]);
	if (fits == 2) {
		d->r->ambiguous = true;
		return !d->r->other;
	}
	if (fits == 1)
		return true;
	if (!d->r->other || !is_one_day(item) || !item->spelled)
		return false;
	if (k > 0 && weekday_belongs(&draft->days[k - 1]->day, item, draft->day_join[k]) == 2)
		return true;
	return k + 1 < draft->day_count &&
	       weekday_belongs(&draft->days[k + 1]->day, item, draft->day_join[k + 1]) == 2;
}

static size_t rule_days(struct reader *r, const struct draft *draft, struct span out[RULE_DAYS])
{
	struct days d = {.r = r, .draft = draft, .out = out};

	read_windows(draft, &d.windows);
	for (size_t k = 0; k < draft->day_count; k++)
		if (!is_repeated(&d, k))
			push_day(&d, draft->days[k]);
	for (size_t k = 0; k < draft->period_count && draft->day_count == 0; k++)
		if (draft->periods[k]->day.fault)
			push(&d, (struct span){.none = true});
	if (draft->day_count == 0 && draft->period_count && d.count == 0)
		push_in_windows(&d, span_of(DAY_MIN, DAY_MAX));
	return d.count;
}

/* "nicht am 31. Juni" excludes nothing. */
static bool can_be(const struct rule *rule)
{
	bool days = rule->day_count == 0, hours = rule->hour_count == 0;

	for (size_t i = 0; i < rule->day_count; i++)
		days = days || !rule->days[i].none;
	for (size_t i = 0; i < rule->hour_count; i++)
		hours = hours || !rule->hours[i].none;
	return days && hours;
}

bool read_rules(struct reader *r, struct wish *wish)
{
	struct draft *drafts = arena_alloc(r->arena, RULES_MAX * sizeof(*drafts));
	size_t count = drafts ? read_drafts(r, drafts) : 0;

	wish->rules = arena_alloc(r->arena, (count + 1) * sizeof(*wish->rules));
	if (!wish->rules)
		return false;
	for (size_t i = 0; i < count; i++) {
		struct rule *rule = &wish->rules[wish->count];

		if (drafts[i].dropped ||
			drafts[i].day_count + drafts[i].period_count + drafts[i].time_count == 0)
			continue;
		*rule = (struct rule){.excluded = drafts[i].excluded};
		find_lost(r, &drafts[i]);
		rule->day_count = rule_days(r, &drafts[i], rule->days);
		rule->hour_count = rule_hours(r, &drafts[i], rule->hours);
		if (!rule->excluded || can_be(rule))
			wish->count++;
	}
	return true;
}
