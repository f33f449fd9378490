/* wish_period.c - weeks, months and pieces of them: "nächste Woche", "Mitte August", "in zwei
 * Wochen", "KW 26". Pure; any thread. */
#include "desk/wish_i.h"

/* ---- spans ---- */

static void bad_past(struct day_item *out)
{
	day_span(out, DAY_DATE, DAY_MIN, DAY_MIN);
	out->fault = WISH_PAST;
	out->meant = DAY_MIN;
}

static bool unit_span(const struct reader *r, int unit, int ahead, struct day_item *out)
{
	int from, to;

	if (unit == UNIT_DAY) {
		day_span(out, DAY_DATE, r->today + ahead, r->today + ahead);
	} else if (unit == UNIT_WEEK) {
		day_span(out, DAY_PERIOD, monday_of(r, ahead), monday_of(r, ahead) + 6);
	} else if (unit == UNIT_MONTH) {
		month_after(r, ahead, &from, &to);
		day_span(out, DAY_PERIOD, from, to);
	} else if (unit == UNIT_YEAR) {
		from = day_of(this_year(r) + ahead, 1, 1);
		to = day_of(this_year(r) + ahead + 1, 1, 1) - 1;
		day_span(out, DAY_PERIOD, from, to);
	} else {
		return false;
	}
	return true;
}

/* "die nächsten drei Wochen", "in den nächsten Tagen": from today on. */
static bool run_span(const struct reader *r, int unit, int count, struct day_item *out)
{
	static const int days[] = {
		[UNIT_DAY] = 1, [UNIT_WEEK] = 7, [UNIT_MONTH] = 31, [UNIT_YEAR] = 366};

	if (unit == UNIT_HOUR || count > 1000)
		return false;
	day_span(out, DAY_PERIOD, r->today, r->today + days[unit] * count);
	return true;
}

static bool modifier(const struct reader *r, size_t at, int *ahead)
{
	switch ((enum word_kind)word_at(r, at)->kind) {
	case W_THIS:
		*ahead = 0;
		return true;
	case W_NEXT:
	case W_COMING:
		*ahead = 1;
		return true;
	case W_AFTER_NEXT:
		*ahead = 2;
		return true;
	case W_LAST:
		*ahead = -1;
		return true;
	default:
		return false;
	}
}

/* "the week after next" */
static size_t after_next(const struct reader *r, size_t at, int *unit)
{
	size_t next = skip_articles(r, at);

	if (r->lexicon->german || !is(r, next, W_UNIT) || !is(r, next + 1, W_FROM) ||
		!is(r, next + 2, W_NEXT))
		return 0;
	*unit = word_at(r, next)->value;
	return next + 3;
}

/* "nächste Woche", "die nächsten zwei Wochen" */
static size_t read_modified(struct reader *r, size_t at, struct day_item *out)
{
	int ahead, count = 0, unit;
	size_t next = after_next(r, at, &unit), counted;

	if (next)
		return unit_span(r, unit, 2, out) ? next : 0;
	next = skip_articles(r, at);
	if (!modifier(r, next, &ahead))
		return 0;
	next++;
	next = skip_over(r, next, KINDS(W_FILL));
	counted = read_number(r, next, &count);
	next = counted ? counted : next;
	if (!is(r, next, W_UNIT))
		return 0;
	unit = word_at(r, next)->value;
	if (ahead < 0)
		return bad_past(out), next + 1;
	if (ahead == 1 && (counted || word_at(r, next)->plural)) {
		if (!counted)
			count = unit == UNIT_DAY ? 7 : 2;
		return run_span(r, unit, count, out) ? next + 1 : 0;
	}
	return unit_span(r, unit, ahead, out) ? next + 1 : 0;
}

/* "in zwei Wochen", "in einem Monat", "in drei Tagen", "in a fortnight" */
size_t read_ahead(struct reader *r, size_t at, int *count, int *unit)
{
	size_t next;

	if (!is(r, at, W_IN))
		return 0;
	next = read_number(r, at + 1, count);
	if (!next || !is(r, next, W_UNIT) || *count > 1000)
		return 0;
	*unit = word_at(r, next)->value;
	if (*unit == UNIT_WEEK && *count == 1 && word_at(r, next)->plural)
		*count = 2; /* a fortnight */
	return *unit == UNIT_HOUR ? 0 : next + 1;
}

/* "in zwei bis drei Wochen" */
static size_t read_in_range(struct reader *r, size_t at, struct day_item *out)
{
	struct day_item last;
	int from, to, unit;
	size_t next = is(r, at, W_IN) ? read_number(r, at + 1, &from) : 0;

	if (!next || !(is(r, next, W_UNTIL) || is(r, next, W_DASH) || is(r, next, W_OR) ||
			     is(r, next, W_TO)))
		return 0;
	next = read_number(r, next + 1, &to);
	if (!next || !is(r, next, W_UNIT) || from > to || to > 1000)
		return 0;
	unit = word_at(r, next)->value;
	if (!unit_span(r, unit, from, out) || !unit_span(r, unit, to, &last))
		return 0;
	day_span(out, DAY_PERIOD, out->from, last.to);
	return next + 1;
}

static size_t read_in(struct reader *r, size_t at, struct day_item *out)
{
	int count, unit, day;
	size_t next = read_ahead(r, at, &count, &unit);

	if (!next || !unit_span(r, unit, count, out))
		return 0;
	if (unit == UNIT_DAY && count == 8 && r->lexicon->german) {
		day = choose_day(r, r->today + 8, r->today + 7); /* "in acht Tagen": a week */
		day_span(out, DAY_DATE, day, day);
	}
	return next;
}

/* "innerhalb der nächsten zwei Wochen", "within two weeks" */
static size_t read_within(struct reader *r, size_t at, struct day_item *out)
{
	int count = 1;
	size_t next = at + 1, counted;

	if (!is(r, at, W_WITHIN))
		return 0;
	next = skip_over(r, next, KINDS(W_OF, W_ART, W_NEXT));
	counted = read_number(r, next, &count);
	next = counted ? counted : next;
	if (!is(r, next, W_UNIT) || !run_span(r, word_at(r, next)->value, count, out))
		return 0;
	return next + 1;
}

/* ---- edges: beginning, middle and end ---- */

enum edge { EDGE_BEGIN, EDGE_MID, EDGE_END };

/* A week's edge is a day: Monday, Wednesday, Friday. A month's is a third of it. */
static void edge_of(enum edge edge, int unit, int from, int to, struct day_item *out)
{
	static const int weekday[] = {0, 2, 4};

	if (unit == UNIT_WEEK) {
		from += weekday[edge];
		day_span(out, DAY_DATE, from, from);
		return;
	}
	if (edge == EDGE_BEGIN)
		to = from + 9;
	else if (edge == EDGE_MID)
		to = (from += 10) + 9;
	else
		from += 20;
	day_span(out, DAY_PERIOD, from, to);
}

/* ahead -1: none was named, so the first that is not over. */
static void unit_edge(struct reader *r, enum edge edge, int unit, int ahead, struct day_item *out)
{
	struct day_item whole;

	for (int i = ahead < 0 ? 0 : ahead; i <= (ahead < 0 ? 1 : ahead); i++) {
		unit_span(r, unit, i, &whole);
		edge_of(edge, unit, whole.from, whole.to, out);
		if (out->to >= r->today)
			break;
	}
}

static size_t read_year_of(const struct reader *r, size_t at, int *year)
{
	const struct word *word = word_at(r, at);

	*year = 0;
	if (!is_digits(r, at) || word->digits != 4 || word->value < 1970 || word->value > 2999)
		return at;
	*year = word->value;
	return at + 1;
}

static void month_edge(struct reader *r, enum edge edge, int month, int year, struct day_item *out)
{
	int from, to;

	month_span(r, month, year, &from, &to);
	edge_of(edge, UNIT_MONTH, from, to, out);
	if (year == 0 && out->to < r->today) {
		month_after(r, 12, &from, &to);
		edge_of(edge, UNIT_MONTH, from, to, out);
	}
}

static bool edge_word(const struct reader *r, size_t at, enum edge *edge)
{
	const struct word *word = word_at(r, at);
	bool english = !r->lexicon->german;

	if (word->kind == W_BEGIN || (english && word->kind == W_EARLY))
		*edge = EDGE_BEGIN;
	else if (word->kind == W_MID)
		*edge = EDGE_MID;
	else if (word->kind == W_END || (english && word->kind == W_LATE))
		*edge = EDGE_END;
	else
		return false;
	return at < r->words.count;
}

/* "Ende der Woche", "Mitte nächster Woche", "Anfang August", "end of next month" */
static size_t read_edge(struct reader *r, size_t at, struct day_item *out)
{
	enum edge edge, other;
	int ahead = -1, year;
	size_t next = skip_articles(r, at);

	if (is(r, next, W_EDGE)) {
		unit_edge(r, (enum edge)(word_at(r, next)->value / 8), word_at(r, next)->value % 8,
			-1, out);
		return next + 1;
	}
	if (!edge_word(r, next, &edge))
		return 0;
	next++;
	if (is(r, next, W_DASH) && !edge_word(r, next + 1, &other))
		next++; /* "mid-August" */
	next = skip_over(r, next, KINDS(W_OF, W_ART, W_IN));
	if ((is(r, next, W_UNTIL) || is(r, next, W_OR) || is(r, next, W_DASH)) &&
		edge_word(r, next + 1, &other) && is(r, next + 2, W_MONTH)) {
		month_edge(r, edge, word_at(r, next + 2)->value, 0, out);
		return next; /* "Anfang bis Mitte Juli" */
	}
	if (is(r, next, W_MONTH)) {
		int month = word_at(r, next)->value;

		next = read_year_of(r, next + 1, &year);
		month_edge(r, edge, month, year, out);
		return next;
	}
	if (modifier(r, next, &ahead))
		next++;
	if (!is(r, next, W_UNIT) || ahead < -1 ||
		(word_at(r, next)->value != UNIT_WEEK && word_at(r, next)->value != UNIT_MONTH))
		return 0;
	unit_edge(r, edge, word_at(r, next)->value, ahead, out);
	return next + 1;
}

/* ---- other periods ---- */

/* English "may" is a month only where one can stand. */
static bool is_month(const struct reader *r, size_t at)
{
	size_t before = at > 0 ? at - 1 : r->words.count;

	if (!is(r, at, W_MONTH))
		return false;
	if (r->lexicon->german || word_at(r, at)->value != 5)
		return true;
	return is(r, before, W_IN) || is(r, before, W_OF) || is(r, before, W_UNTIL) ||
	       is(r, before, W_FROM) || is(r, before, W_NEXT) || is(r, before, W_THIS) ||
	       r->words.count == 1;
}

static size_t read_month(struct reader *r, size_t at, struct day_item *out)
{
	int year, from, to, month;
	size_t next = skip_articles(r, at);

	if (is(r, next, W_IN) || is(r, next, W_NEXT) || is(r, next, W_THIS) ||
		is(r, next, W_COMING))
		next++;
	if (!is_month(r, next))
		return 0;
	month = word_at(r, next)->value;
	next = read_year_of(r, next + 1, &year);
	month_span(r, month, year, &from, &to);
	day_span(out, DAY_PERIOD, from, to);
	if (to < r->today) {
		out->fault = WISH_PAST;
		out->meant = DAY_MIN;
	}
	return next;
}

/* "KW 26", "in der 26. Kalenderwoche" */
static size_t read_week_name(const struct reader *r, size_t at, int *week)
{
	size_t next;

	if (is(r, at, W_WEEKNO) && is_digits(r, at + 1)) {
		*week = word_at(r, at + 1)->value;
		return at + 2;
	}
	next = read_ordinal(r, skip_over(r, at, KINDS(W_IN, W_ART)), week);
	return next && is(r, next, W_WEEKNO) ? next + 1 : 0;
}

/* ISO weeks: the first is that with 4 January. */
static size_t read_week_number(struct reader *r, size_t at, struct day_item *out)
{
	int week, year = this_year(r);
	size_t next = read_week_name(r, at, &week);

	if (!next || week < 1 || week > 53)
		return 0;
	for (int i = 0; i < 2; i++, year++) {
		int fourth = day_of(year, 1, 4);
		int monday = fourth - (fourth + 3) % 7 + 7 * (week - 1);

		day_span(out, DAY_PERIOD, monday, monday + 6);
		if (out->to >= r->today)
			break;
	}
	return next;
}

/* "ersten Montag im Juli", "last Friday of the month" */
size_t read_nth_weekday(struct reader *r, size_t at, struct day_item *out)
{
	int nth = 0, from, to, day;
	bool last = is(r, at, W_LAST);
	size_t next = last ? at + 1 : read_ordinal(r, at, &nth);

	if (!next || !is(r, next, W_WEEKDAY) || (!last && (nth < 1 || nth > 5)))
		return 0;
	day = word_at(r, next)->value;
	next = skip_over(r, next + 1, KINDS(W_IN, W_OF, W_ART));
	if (is(r, next, W_MONTH))
		month_span(r, word_at(r, next)->value, 0, &from, &to);
	else if (is(r, next, W_UNIT) && word_at(r, next)->value == UNIT_MONTH)
		month_after(r, 0, &from, &to);
	else
		return 0;
	if (last)
		from = to - 6;
	day = from + (day + 6 - (from + 3) % 7) % 7 + (last ? 0 : 7 * (nth - 1));
	day_span(out, DAY_DATE, day, day);
	out->fault = day > to ? WISH_NO_SUCH_DATE : day < r->today ? WISH_PAST : WISH_SOUND;
	out->meant = DAY_MIN;
	return next + 1;
}

/* "erste Woche im Juli", "last week of June": seven days from its begin, or up to its end. */
size_t read_nth_week(struct reader *r, size_t at, struct day_item *out)
{
	int nth = 0, from, to;
	bool last;
	size_t next = skip_over(r, at, KINDS(W_IN, W_ART));

	last = is(r, next, W_LAST);
	next = last ? next + 1 : read_ordinal(r, next, &nth);
	if (!next || !is(r, next, W_UNIT) || word_at(r, next)->value != UNIT_WEEK ||
		(!last && (nth < 1 || nth > 4)))
		return 0;
	next = skip_over(r, next + 1, KINDS(W_IN, W_OF, W_ART));
	if (!is(r, next, W_MONTH))
		return 0;
	month_span(r, word_at(r, next)->value, 0, &from, &to);
	from = last ? to - 6 : from + 7 * (nth - 1);
	day_span(out, DAY_PERIOD, from, from + 6);
	if (out->to < r->today) {
		out->fault = WISH_PAST;
		out->meant = DAY_MIN;
	}
	return next + 1;
}

/* "die Woche vom 7. Juli" */
static size_t read_week_of(struct reader *r, size_t at, struct day_item *out)
{
	size_t next = skip_over(r, at, KINDS(W_IN, W_ART));
	int monday;

	if (!is(r, next, W_UNIT) || word_at(r, next)->value != UNIT_WEEK || !is(r, next + 1, W_OF))
		return 0;
	next = read_date(r, skip_articles(r, next + 2), out);
	if (!next || out->fault)
		return next;
	monday = out->from - (out->from + 3) % 7;
	day_span(out, DAY_PERIOD, monday, monday + 6);
	return next;
}

size_t read_period(struct reader *r, size_t at, struct day_item *out)
{
	size_t next;

	(void)((next = read_modified(r, at, out)) || (next = read_in(r, at, out)) ||
		(next = read_in_range(r, at, out)) || (next = read_within(r, at, out)) ||
		(next = read_week_of(r, at, out)) || (next = read_edge(r, at, out)) ||
		(next = read_week_number(r, at, out)) || (next = read_month(r, at, out)));
	return next;
}
