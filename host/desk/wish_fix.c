/* wish_fix.c - what a caller takes back: "Mittwoch, nein, lieber Donnerstag" wishes Thursday only.
 * What follows the correction stands in the place of what it corrects: a day for the last day, a
 * time for the last time. Pure; any thread. */
#include "desk/wish_i.h"

struct kinds { /* that stand in a correction */
	bool weekday, date, period, time;
};

static bool is_wished(const struct item *item)
{
	return item->kind == ITEM_DAY || item->kind == ITEM_TIME;
}

static void note(struct kinds *k, const struct item *item)
{
	if (item->kind == ITEM_TIME)
		k->time = true;
	else if (item->day.how == DAY_PERIOD)
		k->period = true;
	else if (item->day.how == DAY_WEEKDAY)
		k->weekday = true;
	else
		k->date = true;
}

static struct kinds kinds_behind(const struct reader *r, size_t at)
{
	struct kinds k = {0};

	do
		note(&k, &r->items[at++]);
	while (at < r->count && is_wished(&r->items[at]) && !r->items[at].corrects);
	return k;
}

/* "nächste Woche Dienstag, nein, Mittwoch": the week stays. */
static bool is_taken_back(const struct item *item, const struct kinds *by)
{
	if (item->kind == ITEM_FINE)
		return true;
	if (item->kind == ITEM_TIME)
		return by->time;
	if (item->day.how == DAY_PERIOD)
		return by->period || by->date;
	return by->weekday || by->date || by->period;
}

/* Back to the last "or": what lies before that was not meant. */
static size_t find_corrected(const struct reader *r, size_t count)
{
	while (count > 0 &&
		(is_wished(&r->items[count - 1]) || r->items[count - 1].kind == ITEM_FINE)) {
		count--;
		if (r->items[count].join == JOIN_AND || r->items[count].join == JOIN_OR)
			break;
	}
	return count;
}

/* The first count are done; returns how many of them are left. */
static size_t take_back(struct reader *r, size_t count, size_t at)
{
	size_t first = find_corrected(r, count), n = first;
	struct kinds by = kinds_behind(r, at);
	enum join join = r->items[first].join;

	if (first > 0 && r->items[first - 1].kind == ITEM_NOT)
		return count;
	for (size_t i = first; i < count; i++)
		if (!is_taken_back(&r->items[i], &by))
			r->items[n++] = r->items[i];
	if (n == count)
		return count;
	r->items[at].join = n > first ? JOIN_NONE : join;
	r->items[first].join = n > first ? join : r->items[first].join;
	return n;
}

void correct_items(struct reader *r)
{
	size_t count = 0;

	for (size_t i = 0; i < r->count; i++) {
		if (r->items[i].corrects && is_wished(&r->items[i]))
			count = take_back(r, count, i);
		r->items[count++] = r->items[i];
	}
	r->count = count;
}
