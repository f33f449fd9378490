/* wish_day.c - days as they are called: "nächsten Donnerstag", "heute", "am 15.", "werktags", and
 * from them ranges and bounds: "Montag bis Mittwoch", "ab Freitag". Pure; any thread. */
#include "desk/wish_i.h"

/* ---- a weekday's coming day ---- */

static int coming(const struct reader *r, int weekday)
{
	return r->today + (weekday - r->weekday + 6) % 7 + 1;
}

/* The two readings, if they differ. */
int choose_day(struct reader *r, int first, int second)
{
	if (first == second)
		return first;
	r->ambiguous = true;
	return r->other ? second : first;
}

/* "Donnerstag" said on a Thursday is the next one: today is called today. "nächsten Donnerstag" is
 * the coming one in German, the one of next week in English, and people differ in both. */
int pick_day(struct reader *r, int weekday, enum pick pick)
{
	int soon = coming(r, weekday);
	int next = monday_of(r, 1) + weekday - 1;

	switch (pick) {
	case PICK_COMING:
		return choose_day(r, soon, weekday == r->weekday ? r->today : soon);
	case PICK_THIS:
		return weekday == r->weekday ? choose_day(r, r->today, soon) : soon;
	case PICK_NEXT:
		return r->lexicon->german ? choose_day(r, soon, next) : choose_day(r, next, soon);
	case PICK_AFTER_NEXT:
		return choose_day(r, soon + 7, next + 7);
	default:
		return soon;
	}
}

/* ---- words for days ---- */

/* "jeden Donnerstag", "immer am Donnerstag", "an einem Donnerstag" */
static bool every_before(const struct reader *r, size_t at)
{
	at = skip_back(r, at, KINDS(W_ART, W_FILL, W_ORDINAL));
	return at > 0 && (is(r, at - 1, W_EVERY) || is(r, at - 1, W_ONE));
}

static bool pick_word(const struct reader *r, size_t at, enum pick *pick)
{
	switch ((enum word_kind)word_at(r, at)->kind) {
	case W_NEXT:
		*pick = PICK_NEXT;
		return true;
	case W_COMING:
		*pick = PICK_SURE;
		return true;
	case W_THIS:
		*pick = PICK_THIS;
		return true;
	case W_AFTER_NEXT:
		*pick = PICK_AFTER_NEXT;
		return true;
	default:
		return false;
	}
}

static bool is_abbreviated(const struct reader *r, size_t at)
{
	return is(r, at, W_WEEKDAY) && word_at(r, at)->abbreviated;
}

/* "so" is Sunday among abbreviations only: "Sa/So", "Fr-So". */
static bool is_sunday(const struct reader *r, size_t at)
{
	return is(r, at, W_SO) && at >= 2 && is_abbreviated(r, at - 2) &&
	       (is(r, at - 1, W_SLASH) || is(r, at - 1, W_DASH) || is(r, at - 1, W_AND) ||
		       is(r, at - 1, W_OR) || is(r, at - 1, W_UNTIL) || is(r, at - 1, W_COMMA));
}

static bool is_weekday(const struct reader *r, size_t at)
{
	return is(r, at, W_WEEKDAY) || is_sunday(r, at);
}

static uint8_t bit(int weekday)
{
	return (uint8_t)(1u << (weekday - 1));
}

static bool is_until(const struct reader *r, size_t at)
{
	return is(r, at, W_UNTIL) || is(r, at, W_DASH) || (!r->lexicon->german && is(r, at, W_TO));
}

/* "Montag bis Mittwoch" is a habit, every week: nobody says it for one week but with "nächste". */
static size_t read_weekday_range(const struct reader *r, size_t at, struct day_item *out)
{
	size_t last = skip_articles(r, at + 2);
	int from = word_at(r, at)->value, to;

	if (!is_until(r, at + 1) || !is_weekday(r, last))
		return 0;
	to = word_at(r, last)->value;
	out->how = DAY_WEEKDAY;
	out->pick = PICK_EVERY;
	out->mask = 0;
	for (int day = from;; day = day % 7 + 1) {
		out->mask |= bit(day);
		if (day == to)
			break;
	}
	return last + 1;
}

/* "Montag in einer Woche", "Thursday week" */
static size_t read_weeks_behind(struct reader *r, size_t at, int *days)
{
	int count, unit;
	size_t next = read_ahead(r, at, &count, &unit);

	*days = 0;
	if (next && unit == UNIT_WEEK)
		*days = 7 * count;
	else if (next && unit == UNIT_DAY)
		*days = count == 8 && r->lexicon->german ? choose_day(r, 8, 7) : count;
	else
		next = 0;
	return next ? next : at;
}

/* "Dienstag, dem 24. Juni": one day, and not two that are wished or not. */
static size_t read_date_of_weekday(struct reader *r, size_t at, struct day_item *out)
{
	struct day_item date = {0};
	size_t next = read_date(r, skip_articles(r, at + is(r, at, W_COMMA)), &date);

	if (!next || date.fault || !date.spelled || date.from != date.to)
		return 0;
	if (out->mask != bit((date.from + 3) % 7 + 1))
		return 0;
	*out = date;
	return next;
}

static size_t read_weekday(struct reader *r, size_t at, struct day_item *out)
{
	enum pick pick = PICK_COMING;
	size_t next = skip_articles(r, at);
	int days;

	if (is(r, next, W_LAST) && is_weekday(r, next + 1)) {
		day_span(out, DAY_DATE, DAY_MIN, DAY_MIN);
		out->fault = WISH_PAST;
		out->meant = DAY_MIN;
		return next + 2;
	}
	if (pick_word(r, next, &pick))
		next++;
	if (!is_weekday(r, next))
		return 0;
	out->how = DAY_WEEKDAY;
	out->mask = bit(word_at(r, next)->value);
	out->pick = word_at(r, next)->plural || every_before(r, at) ? PICK_EVERY : pick;
	if (pick == PICK_COMING && (at = read_weekday_range(r, next, out)))
		return at;
	if (out->pick == PICK_COMING && (at = read_date_of_weekday(r, next + 1, out)))
		return at;
	if (!r->lexicon->german && is(r, next + 1, W_UNIT) &&
		word_at(r, next + 1)->value == UNIT_WEEK) {
		out->weeks = 1; /* "Thursday week" */
		return next + 2;
	}
	at = read_weeks_behind(r, next + 1, &days);
	if (days == 8 && r->lexicon->german)
		days = 7; /* "Donnerstag in acht Tagen" */
	out->weeks = days % 7 ? 0 : days / 7;
	out->in_weeks = out->weeks > 0;
	return days % 7 ? next + 1 : at;
}

static size_t read_weekend(struct reader *r, size_t at, struct day_item *out)
{
	enum pick pick = PICK_COMING;
	size_t next = skip_articles(r, at);
	int saturday = monday_of(r, 0) + 5;

	if (pick_word(r, next, &pick))
		next++;
	if (!is(r, next, W_WEEKEND))
		return 0;
	out->how = DAY_WEEKDAY;
	out->mask = bit(6) | bit(7);
	out->pick = word_at(r, next)->plural || every_before(r, at) ? PICK_EVERY : pick;
	if (out->pick == PICK_COMING || out->pick == PICK_EVERY)
		return next + 1;
	if (pick == PICK_NEXT && r->weekday < 6)
		saturday = r->lexicon->german ? choose_day(r, saturday, saturday + 7)
					      : choose_day(r, saturday + 7, saturday);
	else if (pick == PICK_NEXT || (pick == PICK_SURE && r->weekday >= 6))
		saturday += 7;
	else if (pick == PICK_AFTER_NEXT)
		saturday =
			r->weekday < 6 ? choose_day(r, saturday + 7, saturday + 14) : saturday + 14;
	day_span(out, DAY_DATE, saturday, saturday + 1);
	return next + 1;
}

/* "am Morgen", "jeden Morgen", "Donnerstag Morgen": the part; "Montag oder morgen": the day. */
bool is_part_of_day(const struct reader *r, size_t at)
{
	const struct word *before;

	if (!is(r, at, W_MORNING) || at == 0)
		return false;
	before = word_at(r, at - 1);
	switch ((enum word_kind)before->kind) {
	case W_EVERY:
	case W_THIS:
	case W_EARLY:
	case W_LATE:
	case W_WEEKDAY:
	case W_RELDAY:
	case W_MORNING:
	case W_MONTH:
	case W_NEXT:
		return true;
	case W_ART: /* "am Morgen", not "zum morgen" */
		return true;
	case W_DOT: /* "am 2.8. morgen" */
		return at >= 2 && is_digits(r, at - 2);
	default:
		return false;
	}
}

/* "morgen in zwei Wochen", "heute in acht Tagen"; "two weeks from tomorrow" */
static size_t read_relative(struct reader *r, size_t at, struct day_item *out)
{
	size_t next = skip_articles(r, at);
	int count, days = 0;

	if (is(r, next, W_RELDAY) || (is(r, next, W_MORNING) && !is_part_of_day(r, next))) {
		int day = r->today + word_at(r, next)->value;

		next = read_weeks_behind(r, next + 1, &days);
		day_span(out, DAY_DATE, day + days, day + days);
		out->fault = day + days < r->today ? WISH_PAST : WISH_SOUND;
		out->meant = DAY_MIN;
		return next;
	}
	if (is(r, next, W_THIS) && is(r, next + 1, W_PART)) { /* "this afternoon" */
		day_span(out, DAY_DATE, r->today, r->today);
		return next + 1;
	}
	if (is(r, next, W_UNIT) && word_at(r, next)->value == UNIT_DAY && is(r, next + 1, W_FROM) &&
		is(r, next + 2, W_RELDAY)) { /* "the day after tomorrow" */
		days = word_at(r, next + 2)->value + 1;
		day_span(out, DAY_DATE, r->today + days, r->today + days);
		return next + 3;
	}
	next = read_number(r, at, &count);
	if (!next || !is(r, next, W_UNIT) || !is(r, next + 1, W_FROM) || count > 1000)
		return 0;
	days = word_at(r, next)->value == UNIT_WEEK ? 7 : word_at(r, next)->value == UNIT_DAY;
	if (is(r, next + 2, W_WEEKDAY) && days == 7) {
		out->how = DAY_WEEKDAY;
		out->mask = bit(word_at(r, next + 2)->value);
		out->pick = PICK_COMING;
		out->weeks = count;
		return next + 3;
	}
	if (!is(r, next + 2, W_RELDAY) || !days)
		return 0;
	days = days * count + word_at(r, next + 2)->value;
	day_span(out, DAY_DATE, r->today + days, r->today + days);
	return next + 3;
}

/* ---- a day of the month ---- */

static bool is_lister(const struct reader *r, size_t at)
{
	return is_until(r, at) || is(r, at, W_AND) || is(r, at, W_OR) || is(r, at, W_COMMA) ||
	       is(r, at, W_SLASH);
}

/* Of "3., 4. und 10. August" the first two want the month of the last. */
static bool borrow_month(struct reader *r, size_t at, int day, struct day_item *out)
{
	struct day_item later;
	int other;

	for (int i = 0; i < 4 && is_lister(r, at); i++) {
		bool range = is_until(r, at);

		at = skip_articles(r, at + 1);
		if (read_date(r, at, &later)) {
			struct day_item whole = later;

			if (later.fault == WISH_NO_SUCH_DATE)
				return false;
			date_in_month_of(r, later.from, day, range, &whole);
			*out = whole;
			return true;
		}
		at = read_ordinal(r, at, &other);
		if (!at)
			return false;
	}
	return false;
}

/* Where an ordinal without an article is a day: "Donnerstag 26.", "am 24. und 26."; in English
 * "15th", but not "second". */
static bool may_be_day(const struct reader *r, size_t first, size_t next)
{
	if (!r->lexicon->german)
		return is_digits(r, first);
	if (first == 0)
		return false;
	switch ((enum word_kind)word_at(r, first - 1)->kind) {
	case W_ART:
	case W_WEEKDAY:
		return true;
	case W_OF:
	case W_BETWEEN:
	case W_COMMA:
		return is_lister(r, next);
	case W_AND:
	case W_OR:
		return first >= 2 && (is(r, first - 2, W_DOT) || is(r, first - 2, W_ORDINAL));
	default:
		return false;
	}
}

/* "am 15" */
static size_t read_bare_day(const struct reader *r, size_t at, int *day)
{
	if (!r->lexicon->german || at == 0 || !word_at(r, at - 1)->article_dative)
		return 0;
	if (!is_digits(r, at) || word_at(r, at)->digits > 2 || is(r, at + 1, W_OCLOCK) ||
		is(r, at + 1, W_COLON) || is(r, at + 1, W_UNIT))
		return 0;
	*day = word_at(r, at)->value;
	return at + 1;
}

/* "am 15.", "the 15th", "den zweiten"; also before "bis zum 20.". */
static size_t read_month_day_alone(struct reader *r, size_t at, struct day_item *out)
{
	size_t first = skip_articles(r, at), next;
	int day;

	next = read_ordinal(r, first, &day);
	if (!next && first > at)
		next = read_bare_day(r, first, &day);
	if (!next)
		return 0;
	if (borrow_month(r, next, day, out))
		return next;
	if (day < 1 || day > 31 || is(r, next, W_SLOT) || is(r, next, W_FEAST) ||
		is(r, next, W_UNKNOWN) || is(r, next, W_WEEKNO) ||
		(day <= 5 && is(r, next, W_WEEKDAY)) || is(r, next, W_OCLOCK))
		return 0;
	if (first == at && !may_be_day(r, first, next))
		return 0;
	out->how = DAY_OF_MONTH;
	out->month_day = day;
	return next;
}

/* ---- any of these ---- */

static size_t read_kind_of_day(struct reader *r, size_t at, struct day_item *out)
{
	size_t next = skip_articles(r, at);

	if (is(r, next, W_ORDINAL) && is(r, next + 1, W_FEAST)) { /* "zweiter Weihnachtstag" */
		read_feast(r, word_at(r, next + 1)->value, out);
		out->from = word_at(r, next)->value == 1 ? out->from : out->to;
		out->to = word_at(r, next)->value == 1 ? out->from : out->to;
		return next + 2;
	}
	if (is(r, next, W_FEAST)) {
		read_feast(r, word_at(r, next)->value, out);
		return next + 1;
	}
	if (is(r, next, W_HOLIDAY)) {
		out->how = DAY_HOLIDAY;
		return next + 1;
	}
	if (is(r, next, W_ON) && word_at(r, next)->value == 1) { /* "unter der Woche" */
		next = skip_articles(r, next + 1);
		if (!is(r, next, W_UNIT) || word_at(r, next)->value != UNIT_WEEK)
			return 0;
	} else if (is(r, next, W_EVERY) && is(r, next + 1, W_UNIT)) {
		out->how = DAY_ALL; /* but "all day Friday" is no day */
		return word_at(r, next + 1)->value == UNIT_DAY && word_at(r, next)->value != 2
			       ? next + 2
			       : 0;
	} else if (!is(r, next, W_WORKDAYS)) {
		return 0;
	}
	out->how = DAY_WEEKDAY;
	out->pick = PICK_EVERY;
	out->mask = 0x1f;
	out->working = is(r, next, W_WORKDAYS) && word_at(r, next)->value == 1;
	return next + 1;
}

static size_t read_single(struct reader *r, size_t at, struct day_item *out)
{
	size_t start = skip_articles(r, at), next;

	*out = (struct day_item){0};
	(void)((next = read_nth_weekday(r, start, out)) || (next = read_nth_week(r, at, out)) ||
		(next = read_date(r, start, out)) || (next = read_month_day_alone(r, at, out)) ||
		(next = read_weekend(r, at, out)) || (next = read_weekday(r, at, out)) ||
		(next = read_relative(r, at, out)) || (next = read_kind_of_day(r, at, out)) ||
		(next = read_period(r, at, out)));
	return next;
}

/* The first and last day an item stands for; a weekday's is the first such day from after on. */
static bool ends_of(struct reader *r, const struct day_item *item, int after, int *from, int *to)
{
	if (item->fault)
		return false;
	if (item->how == DAY_DATE || item->how == DAY_PERIOD) {
		*from = item->from;
		*to = item->to;
		return true;
	}
	if (item->how == DAY_OF_MONTH) {
		struct day_item found = {0};

		date_in_month_of(
			r, after > r->today ? after : r->today, item->month_day, false, &found);
		if (found.from < after)
			date_in_month_of(r, after + 31, item->month_day, false, &found);
		*from = *to = found.from;
		return !found.fault;
	}
	if (item->how == DAY_WEEKDAY && item->mask == (bit(6) | bit(7))) {
		*from = monday_of(r, 0) + 5;
		*to = *from + 1;
		return true;
	}
	if (item->how != DAY_WEEKDAY || item->mask == 0 || (item->mask & (item->mask - 1)))
		return false;
	for (int day = 1; day <= 7; day++) {
		if (item->mask != bit(day))
			continue;
		*from = pick_day(r, day, item->pick) + 7 * item->weeks;
		if (*from < after)
			*from += (after - *from + 6) / 7 * 7;
		*to = *from;
	}
	return true;
}

/* Also the "4" of "July 1-4". */
static size_t read_range_end(
	struct reader *r, size_t at, const struct day_item *first, struct day_item *last)
{
	int day;
	size_t next = read_single(r, at, last);

	if (next || r->lexicon->german || !first->spelled || first->fault)
		return next;
	next = read_number(r, at, &day);
	if (!next || day > 31 || is(r, next, W_COLON) || is(r, next, W_AMPM) ||
		is(r, next, W_OCLOCK))
		return 0;
	date_in_month_of(r, first->from, day, false, last);
	return next;
}

/* "3.8. bis 10.8.", "morgen bis Freitag", "zwischen dem 3. und dem 10. August" */
static size_t read_range(struct reader *r, size_t at, bool between, struct day_item *out)
{
	struct day_item first, last;
	int from, to, ignored;
	size_t next = read_single(r, at, &first);

	if (!next || !(is_until(r, next) || (between && is(r, next, W_AND))))
		return 0;
	next = read_range_end(r, next + 1, &first, &last);
	if (!next || last.how == DAY_HOLIDAY || last.how == DAY_ALL)
		return 0;
	if (between && first.how == DAY_WEEKDAY && last.how == DAY_WEEKDAY) {
		out->how = DAY_WEEKDAY;
		out->pick = PICK_EVERY;
		for (int day = 0, on = 0; day < 14; day++) {
			on |= (first.mask >> (day % 7)) & 1;
			if (on)
				out->mask |= (uint8_t)(1u << (day % 7));
			if (on && ((last.mask >> (day % 7)) & 1))
				break;
		}
		return next;
	}
	if (!ends_of(r, &first, DAY_MIN, &from, &ignored) ||
		!ends_of(r, &last, from, &ignored, &to) || to < from)
		return 0;
	day_span(out, DAY_PERIOD, from, to);
	return next;
}

static enum bound bound_word(const struct reader *r, size_t at)
{
	const struct word *word = word_at(r, at);

	switch ((enum word_kind)word->kind) {
	case W_FROM:
		return word->value == 2 ? BOUND_AFTER : BOUND_FROM;
	case W_PAST:
		return r->lexicon->german ? BOUND_AFTER : BOUND_NONE;
	case W_UNTIL:
		return word->value == 2 ? BOUND_BEFORE : BOUND_UNTIL;
	case W_TO:
		return r->lexicon->german ? BOUND_BEFORE : BOUND_NONE;
	default:
		return BOUND_NONE;
	}
}

void bound_days(struct day_item *out, enum bound bound, int from, int to)
{
	out->how = DAY_PERIOD;
	out->bound = bound;
	out->from = bound == BOUND_FROM ? from : bound == BOUND_AFTER ? to + 1 : DAY_MIN;
	out->to = bound == BOUND_UNTIL ? to : bound == BOUND_BEFORE ? from - 1 : DAY_MAX;
}

/* "ab Freitag", "bis Ende August", "nach dem 15.", "vor dem Wochenende" */
size_t read_bound(struct reader *r, size_t at, struct day_item *out)
{
	enum bound bound = bound_word(r, at);
	struct day_item item;
	int from, to;
	size_t next = at + 1;

	if (bound == BOUND_NONE)
		return 0;
	next = skip_over(r, next, KINDS(W_ABOUT, W_FILL, W_SO));
	next = read_single(r, next, &item);
	if (!next)
		return 0;
	*out = (struct day_item){0};
	if (item.fault) {
		*out = item;
		return next;
	}
	if (item.how == DAY_WEEKDAY && item.pick == PICK_COMING)
		item.pick = PICK_SURE;
	if (item.how == DAY_WEEKDAY && item.pick == PICK_EVERY)
		return 0;
	if (!ends_of(r, &item, DAY_MIN, &from, &to))
		return 0;
	bound_days(out, bound, from, to);
	out->mask =
		item.how == DAY_WEEKDAY && item.pick == PICK_SURE && !item.weeks ? item.mask : 0;
	return next;
}

size_t read_bound_behind(const struct reader *r, size_t at, enum bound *bound)
{
	bool last = at + 1 >= r->words.count || is(r, at + 1, W_COMMA) || is(r, at + 1, W_DOT);

	if (is(r, at, W_OR) && (is(r, at + 1, W_LATE) || is(r, at + 1, W_EARLY)) &&
		word_at(r, at + 1)->value == 0) {
		*bound = is(r, at + 1, W_LATE) ? BOUND_FROM : BOUND_UNTIL;
		return at + 2;
	}
	if (is(r, at, W_AT) && is(r, at + 1, W_ART) && is(r, at + 2, W_SOONEST)) {
		*bound = word_at(r, at + 2)->value == 1 ? BOUND_FROM : BOUND_UNTIL;
		return at + 3;
	}
	if (!last || word_at(r, at)->value != 1 || !(is(r, at, W_FROM) || is(r, at, W_UNTIL)))
		return 0;
	*bound = is(r, at, W_FROM) ? BOUND_FROM : BOUND_UNTIL;
	return at + 1;
}

/* "Donnerstag frühestens" */
static size_t bind_behind(struct reader *r, size_t at, struct day_item *item)
{
	struct day_item day = *item;
	enum bound bound;
	int from, to;
	size_t next = read_bound_behind(r, at, &bound);

	if (!next || day.how == DAY_PERIOD || day.pick == PICK_EVERY)
		return at;
	if (day.how == DAY_WEEKDAY && day.pick == PICK_COMING)
		day.pick = PICK_SURE;
	if (!ends_of(r, &day, DAY_MIN, &from, &to))
		return at;
	*item = (struct day_item){0};
	bound_days(item, bound, from, to);
	return next;
}

/* "zwischen den Jahren" */
static size_t read_turn_of_year(struct reader *r, size_t at, struct day_item *out)
{
	size_t next = skip_articles(r, at);
	int year = this_year(r);

	if (next == at || !is(r, next, W_UNIT) || word_at(r, next)->value != UNIT_YEAR)
		return 0;
	day_span(out, DAY_PERIOD, day_of(year, 12, 27), day_of(year, 12, 31));
	return next + 1;
}

size_t read_day(struct reader *r, size_t at, struct day_item *out)
{
	bool between = is(r, at, W_BETWEEN), of = is(r, at, W_OF);
	size_t next;

	*out = (struct day_item){0};
	next = between ? read_turn_of_year(r, at + 1, out) : 0;
	if (next)
		return next;
	next = read_range(r, at + (between || of), between, out);
	if (next)
		return next;
	if (of && (next = read_single(r, at + 1, out))) /* "von Montag an" */
		return next;
	*out = (struct day_item){0};
	next = between ? 0 : read_single(r, at, out);
	return next ? bind_behind(r, next, out) : 0;
}
