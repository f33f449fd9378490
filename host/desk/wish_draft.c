/* wish_draft.c - which day goes with which time: a row of items becomes alternatives and exclusions
 * ("dienstags früh und donnerstags abends, aber nicht am Feiertag"). Pure; any thread. */
#include "desk/wish_i.h"

struct build {
	struct reader *r;
	struct draft *drafts;
	size_t count, at; /* at: of the item */
	bool excluded, except;
};

static const struct item *next_item(const struct build *b)
{
	return b->at + 1 < b->r->count ? &b->r->items[b->at + 1] : NULL;
}

static bool is_empty(const struct draft *d)
{
	return d->day_count + d->period_count + d->time_count == 0;
}

static struct draft *current(struct build *b)
{
	struct draft *d = b->count ? &b->drafts[b->count - 1] : NULL;

	if (d && is_empty(d)) {
		d->excluded = b->excluded;
		d->except = b->except;
	}
	return d;
}

/* NULL: no room, the rest is not taken. */
static struct draft *open_draft(struct build *b, bool chained)
{
	struct draft *last = current(b);

	if (last && is_empty(last))
		return last;
	if (b->count == RULES_MAX)
		return NULL;
	b->drafts[b->count] = (struct draft){.excluded = b->excluded, .except = b->except};
	b->drafts[b->count].chained =
		chained && last && !last->closed && last->excluded == b->excluded;
	return &b->drafts[b->count++];
}

static void close_draft(struct build *b)
{
	struct draft *last = current(b);

	if (last && !is_empty(last))
		last->closed = true;
}

static void end_not(struct build *b)
{
	close_draft(b);
	b->excluded = b->except = false;
}

static bool is_listed(enum join join)
{
	return join == JOIN_AND || join == JOIN_OR;
}

static bool same_kind(const struct item *a, const struct item *b)
{
	return a->day.how == b->day.how && a->day.pick == b->day.pick;
}

static void put_day(struct build *b, struct draft *d, const struct item *item)
{
	for (size_t i = 0; d && item->day.how == DAY_WEEKDAY && i < d->day_count; i++)
		if (d->days[i]->day.how == DAY_WEEKDAY && d->days[i]->day.mask == item->day.mask &&
			same_kind(d->days[i], item) && !item->day.weeks)
			return; /* said twice */
	if (d && d->day_count == RULE_DAYS)
		d = open_draft(b, true);
	if (!d || (item->day.how == DAY_PERIOD && d->period_count == RULE_PERIODS))
		return;
	if (item->day.how == DAY_PERIOD) {
		d->periods[d->period_count++] = item;
	} else {
		d->days[d->day_count] = item;
		d->day_join[d->day_count++] = item->join;
	}
	d->last_day = true;
}

static void put_time(struct draft *d, const struct item *item)
{
	if (!d || d->time_count == RULE_TIMES)
		return;
	if (d->time_count == 0)
		d->time_first = d->day_count + d->period_count == 0;
	d->times[d->time_count] = item;
	d->time_join[d->time_count++] = item->join;
	d->last_day = false;
}

/* The last day leaves for a draft of its own. */
static struct draft *split_last_day(struct build *b, struct draft *d)
{
	const struct item *day = d->days[d->day_count - 1];
	struct draft *out;

	if (b->count == RULES_MAX)
		return d;
	d->day_count--;
	out = open_draft(b, true);
	if (out)
		put_day(b, out, day);
	return out;
}

static bool has_free_period(const struct draft *d)
{
	for (size_t i = 0; i < d->period_count; i++)
		if (d->periods[i]->day.bound == BOUND_NONE)
			return true;
	return false;
}

static bool is_weekday(const struct item *item)
{
	return item && item->kind == ITEM_DAY && item->day.how == DAY_WEEKDAY;
}

/* "nächste Woche Dienstag früh oder Donnerstag abends": the week is for both. */
static void carry_period(struct build *b, const struct draft *from, struct draft *to)
{
	const struct item *next = next_item(b);

	if (!to || from == to || from->excluded != to->excluded || !is_weekday(&b->r->items[b->at]))
		return;
	if (next && next->kind == ITEM_DAY && next->day.how == DAY_PERIOD && !is_listed(next->join))
		return;
	for (size_t i = 0; i < from->period_count; i++)
		to->periods[to->period_count++] = from->periods[i];
}

static void day_in_new_draft(struct build *b, const struct item *item)
{
	struct draft *last = current(b);
	struct draft *d = open_draft(b, is_listed(item->join));

	if (last && d)
		carry_period(b, last, d);
	put_day(b, d, item);
}

/* A draft that has no time yet. */
static void add_day_to_days(struct build *b, struct draft *d, const struct item *item)
{
	bool period = item->day.how == DAY_PERIOD;

	if (!period && d->day_count == 0 && d->period_count && is_listed(item->join)) {
		put_day(b, open_draft(b, true), item);
	} else if (period && is_listed(item->join) && item->day.bound == BOUND_NONE &&
		   !is_empty(d)) {
		put_day(b, open_draft(b, true), item);
	} else if (period && has_free_period(d) && d->day_count > 1 &&
		   item->day.bound == BOUND_NONE && is_listed(d->day_join[d->day_count - 1])) {
		put_day(b, split_last_day(b, d), item);
	} else {
		put_day(b, d, item);
	}
}

/* "nicht vor zehn am Montag": Monday from ten. */
static void turn_bound(struct build *b, struct draft *d, const struct item *item)
{
	struct item *time =
		d && d->time_count == 1 ? &b->r->items[d->times[0] - b->r->items] : NULL;

	if (!time || !d->excluded || d->except || d->day_count + d->period_count ||
		item->join != JOIN_NONE)
		return;
	if (time->time.how != TIME_FROM && time->time.how != TIME_UNTIL)
		return;
	time->time.how = time->time.how == TIME_FROM ? TIME_UNTIL : TIME_FROM;
	d->excluded = b->excluded = false;
}

static void place_day(struct build *b, const struct item *item)
{
	struct draft *d = current(b);
	bool period = item->day.how == DAY_PERIOD, listed = is_listed(item->join);

	turn_bound(b, d, item);
	if (!d || d->closed) {
		day_in_new_draft(b, item);
	} else if (d->time_count == 0) {
		add_day_to_days(b, d, item);
	} else if (!listed &&
		   (period ? !has_free_period(d) || item->day.bound : d->day_count == 0)) {
		put_day(b, d, item); /* "Dienstag früh nächste Woche", "vormittags am Montag" */
	} else if (d->time_first && (d->day_count || d->period_count) && listed && !period) {
		put_day(b, d, item); /* "um zehn am Montag oder Dienstag" */
	} else if (d->time_first && d->day_count && item->join == JOIN_NONE && d->last_day) {
		put_day(b, d, item); /* "um zehn am Donnerstag, den 26." */
	} else {
		day_in_new_draft(b, item);
	}
}

/* "werktags außer freitags zwischen acht und zwölf": the time is for what is wished. */
static struct draft *wished_before(struct build *b, const struct draft *d, const struct item *item)
{
	struct draft *before = b->count > 1 ? &b->drafts[b->count - 2] : NULL;

	if (!before || !d->except || d->time_count || before->excluded || before->time_count ||
		before->day_count + before->period_count == 0 || item->join != JOIN_NONE)
		return NULL;
	return item->time.how == TIME_RANGE || item->time.how == TIME_AT ? before : NULL;
}

static void place_time(struct build *b, const struct item *item)
{
	struct draft *d = current(b);
	struct draft *before = d ? wished_before(b, d, item) : NULL;
	const struct item *next = next_item(b);
	bool day_follows = next && next->kind == ITEM_DAY && next->join == JOIN_NONE;

	if (before) {
		put_time(before, item);
		end_not(b);
	} else if (!d || d->closed) {
		put_time(open_draft(b, is_listed(item->join)), item);
	} else if (d->time_count == 0 || !d->last_day || !d->time_first) {
		put_time(d, item);
	} else if (d->day_count > 1 && is_listed(d->day_join[d->day_count - 1]) &&
		   !is_listed(item->join)) {
		put_time(split_last_day(b, d), item);
	} else if (is_listed(item->join) || (item->join == JOIN_COMMA && day_follows)) {
		put_time(open_draft(b, true), item);
	} else {
		put_time(d, item);
	}
}

/* ---- what is not wished ---- */

/* A comma ends "nicht Montag, Dienstag um zehn", but not "außer montags, mittwochs und freitags".
 */
static bool goes_on(const struct build *b, const struct draft *d, const struct item *item)
{
	const struct item *next = next_item(b);

	if (item->kind != ITEM_DAY || d->time_count || d->day_count == 0)
		return false;
	if (weekday_belongs(&d->days[d->day_count - 1]->day, &item->day, item->join) == 1)
		return true; /* "nicht am Montag, den 30." */
	if (!same_kind(item, d->days[d->day_count - 1]))
		return false;
	return d->except ||
	       (next && next->kind == ITEM_DAY && is_listed(next->join) && same_kind(item, next));
}

static void negate(struct build *b)
{
	struct draft *d = current(b), *out;
	size_t k;

	if (!d || d->closed || is_empty(d))
		return;
	for (k = d->day_count; k > 1 && (is_listed(d->day_join[k - 1]) ||
						same_kind(d->days[k - 1], d->days[k - 2]));
		k--)
		;
	if (k > 0 && d->day_join[k - 1] == JOIN_COMMA && d->last_day &&
		(k > 1 || d->period_count || d->time_first) && b->count < RULES_MAX) {
		d->closed = true;
		b->excluded = true;
		out = open_draft(b, false);
		for (k--; out && k < d->day_count; k++)
			put_day(b, out, d->days[k]);
		d->day_count -= out ? out->day_count : 0;
	} else {
		d->excluded = true;
	}
	b->excluded = false;
	close_draft(b);
}

static bool belongs_behind(const struct build *b, const struct item *item)
{
	const struct item *next = next_item(b);
	const struct draft *d = b->count ? &b->drafts[b->count - 1] : NULL;

	if (!d || d->closed || is_empty(d) || item->except || item->join > JOIN_COMMA)
		return false;
	if (!next || next->join != JOIN_NONE || next->rather || next->kind > ITEM_TIME)
		return true;
	return item->verb && next->kind == ITEM_DAY && d->day_count &&
	       next->day.bound == BOUND_NONE && !is(b->r, next->word, W_ART);
}

/* "dienstags nicht vor zehn": that is about Tuesdays. */
static void begin_not(struct build *b, const struct item *item)
{
	struct draft *last = current(b), *d;
	const struct item *next = next_item(b);
	bool about_last = last && !last->closed && !last->excluded && item->join == JOIN_NONE &&
			  next && next->kind == ITEM_TIME && next->join == JOIN_NONE;

	close_draft(b);
	b->excluded = true;
	b->except = item->except;
	d = open_draft(b, false);
	if (!about_last || !d || d == last)
		return;
	for (size_t i = 0; i < last->day_count; i++)
		put_day(b, d, last->days[i]);
	for (size_t i = 0; i < last->period_count; i++)
		put_day(b, d, last->periods[i]);
}

/* "dienstags nicht vor zehn und donnerstags nicht nach 15 Uhr": the second day has a "nicht" of its
 * own. */
static bool begins_another(const struct build *b, const struct draft *d, const struct item *item)
{
	const struct item *not = next_item(b);
	const struct item *time = not &&b->at + 2 < b->r->count ? not +1 : NULL;

	return d && d->time_count && item->kind == ITEM_DAY && time && not ->kind == ITEM_NOT &&
	       not ->join == JOIN_NONE && !not ->except && time->kind == ITEM_TIME;
}

static void take(struct build *b, const struct item *item)
{
	struct draft *d = current(b);

	if (item->kind == ITEM_NOT && belongs_behind(b, item)) {
		negate(b);
		return;
	}
	if (item->kind == ITEM_BAD && d && !d->closed && !is_empty(d)) {
		negate(b);
		return;
	}
	if (item->kind == ITEM_NOT || item->kind == ITEM_BAD) {
		begin_not(b, item);
		return;
	}
	if (item->kind == ITEM_FINE) {
		if (!b->excluded)
			close_draft(b);
		return;
	}
	if (item->join == JOIN_BUT || (item->rather && b->excluded))
		end_not(b);
	else if (b->excluded && item->join == JOIN_COMMA && d && !is_empty(d) &&
		 !goes_on(b, d, item))
		end_not(b);
	else if (b->excluded && begins_another(b, d, item))
		end_not(b);
	if (item->kind == ITEM_DAY)
		place_day(b, item);
	else
		place_time(b, item);
}

/* ---- what was said apart but belongs together ---- */

static void lend_times(struct draft *to, const struct draft *from)
{
	for (size_t i = 0; i < from->time_count && to->time_count < RULE_TIMES; i++) {
		enum join join = from->time_join[i];

		to->times[to->time_count] = from->times[i];
		to->time_join[to->time_count++] = i == 0 && !is_listed(join) ? JOIN_NONE : join;
	}
}

static bool has_days(const struct draft *d)
{
	return d->day_count + d->period_count > 0;
}

/* "Dienstag oder Mittwoch, aber erst ab zehn": a time without a day narrows all, and a day without
 * a time the times before it. */
static void merge(struct draft *drafts, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct draft *d = &drafts[i];
		bool taken = false;

		if (d->excluded || d->chained || is_empty(d) || (has_days(d) && d->time_count))
			continue;
		for (size_t k = 0; k < i; k++) {
			struct draft *before = &drafts[k];

			if (before->excluded || before->dropped || is_empty(before))
				continue;
			if (!has_days(d) && has_days(before)) {
				lend_times(before, d);
				taken = true;
			} else if (has_days(d) && !has_days(before)) {
				lend_times(d, before);
				before->dropped = true;
			}
		}
		d->dropped = taken;
	}
}

/* "morgen oder nächste Woche vormittags": the time is for both. */
static void lend_back(struct draft *drafts, size_t count)
{
	for (size_t i = count; i-- > 1;) {
		struct draft *before = &drafts[i - 1];

		if (drafts[i].chained && !before->time_count && !is_empty(before) &&
			before->excluded == drafts[i].excluded)
			lend_times(before, &drafts[i]);
	}
}

size_t read_drafts(struct reader *r, struct draft *drafts)
{
	struct build b = {.r = r, .drafts = drafts};

	for (b.at = 0; b.at < r->count; b.at++)
		take(&b, &r->items[b.at]);
	lend_back(drafts, b.count);
	merge(drafts, b.count);
	return b.count;
}
