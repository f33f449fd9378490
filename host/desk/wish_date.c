/* wish_date.c - dates with a number in them ("2.8.", "August 2nd", "am zweiten August",
 * "2026-08-02") and the arithmetic of days. Pure; any thread. */
#include "base/zone_rule.h"
#include "desk/wish_i.h"

const struct word *word_at(const struct reader *r, size_t at)
{
	return &r->words.at[at < r->words.count ? at : r->words.count];
}

bool is(const struct reader *r, size_t at, enum word_kind kind)
{
	return at < r->words.count && word_at(r, at)->kind == kind;
}

bool is_digits(const struct reader *r, size_t at)
{
	return is(r, at, W_NUMBER) && word_at(r, at)->digits > 0;
}

static bool is_among(const struct word *word, const uint8_t *kinds)
{
	while (*kinds && *kinds != word->kind)
		kinds++;
	return *kinds != 0;
}

size_t skip_over(const struct reader *r, size_t at, const uint8_t *kinds)
{
	for (int i = 0; i < SKIP_MAX && at < r->words.count && is_among(word_at(r, at), kinds); i++)
		at++;
	return at;
}

size_t skip_back(const struct reader *r, size_t at, const uint8_t *kinds)
{
	for (int i = 0; i < SKIP_MAX && at > 0 && is_among(word_at(r, at - 1), kinds); i++)
		at--;
	return at;
}

size_t skip_articles(const struct reader *r, size_t at)
{
	at = skip_over(r, at, KINDS(W_ART));
	return at;
}

/* ---- days ---- */

int day_of(int year, int month, int day)
{
	if (year < 1970 || year > 9999 || month < 1 || month > 12 || day < 1 ||
		day > zone_month_len(year, month))
		return DAY_MIN;
	return (int)zone_days(year, month, day);
}

static void today_of(const struct reader *r, int *year, int *month, int *day)
{
	int64_t y;

	zone_date_of(r->today, &y, month, day);
	*year = (int)y;
}

int this_year(const struct reader *r)
{
	int year, month, day;

	today_of(r, &year, &month, &day);
	return year;
}

int monday_of(const struct reader *r, int weeks)
{
	return r->today - (r->weekday - 1) + 7 * weeks;
}

void day_span(struct day_item *out, enum day_how how, int from, int to)
{
	out->how = how;
	out->from = from;
	out->to = to;
}

/* year 0: the one that is not over. */
void month_span(const struct reader *r, int month, int year, int *from, int *to)
{
	int this_year, this_month, day;

	today_of(r, &this_year, &this_month, &day);
	if (year == 0)
		year = month < this_month ? this_year + 1 : this_year;
	*from = (int)zone_days(year, month, 1);
	*to = *from + zone_month_len(year, month) - 1;
}

void month_after(const struct reader *r, int months, int *from, int *to)
{
	int year, month, day;

	today_of(r, &year, &month, &day);
	month += months - 1;
	month_span(r, month % 12 + 1, year + month / 12, from, to);
}

/* ---- numbers ---- */

size_t read_number(const struct reader *r, size_t at, int *value)
{
	const struct word *word = word_at(r, at);
	size_t next = at + 1;

	if (is(r, at, W_ONE)) {
		*value = 1;
		return at + 1;
	}
	if (!is(r, at, W_NUMBER))
		return 0;
	*value = word->value;
	if (r->lexicon->german || word->digits || word->value < 20 || word->value % 10 != 0)
		return next;
	if (is(r, next, W_DASH))
		next++;
	word = word_at(r, next); /* "twenty five", "twenty-five" */
	if (!is(r, next, W_NUMBER) || word->digits || word->value < 1 || word->value > 9)
		return at + 1;
	*value += word->value;
	return next + 1;
}

static size_t ordinal_words(const struct reader *r, size_t at, int *value)
{
	size_t next = at + 1;

	if (is(r, at, W_ORDINAL) && word_at(r, at)->value > 0) {
		*value = word_at(r, at)->value;
		return at + 1;
	}
	if (!is(r, at, W_NUMBER) || word_at(r, at)->digits || word_at(r, at)->value % 10 != 0)
		return 0;
	if (is(r, next, W_DASH))
		next++;
	if (!is(r, next, W_ORDINAL) || word_at(r, next)->value < 1 || word_at(r, next)->value > 9)
		return 0;
	*value = word_at(r, at)->value + word_at(r, next)->value; /* "twenty first" */
	return next + 1;
}

size_t read_ordinal(const struct reader *r, size_t at, int *value)
{
	size_t next = at + 1;

	if (!is_digits(r, at))
		return ordinal_words(r, at, value);
	*value = word_at(r, at)->value;
	if (word_at(r, at)->digits > 2)
		return 0;
	if (is(r, next, W_DOT) && word_at(r, next)->glued)
		return is_digits(r, next + 1) && word_at(r, next + 1)->glued ? 0 : next + 1;
	if (is(r, next, W_ORDINAL) && word_at(r, next)->value == 0)
		return next + 1; /* "2nd", "2ten" */
	return 0;
}

/* ---- dates ---- */

static void no_such_date(struct reader *r, struct day_item *out, int year, int month)
{
	out->fault = WISH_NO_SUCH_DATE;
	out->meant = DAY_MIN;
	out->from = out->to = DAY_MIN;
	if (month < 1 || month > 12)
		return;
	if (year == 0) {
		int from, to;

		month_span(r, month, 0, &from, &to);
		out->meant = to;
	} else {
		out->meant = day_of(year, month, 1) + zone_month_len(year, month) - 1;
	}
}

/* year 0: the coming one, today counts. */
static void set_date(struct reader *r, struct day_item *out, int year, int month, int day)
{
	int this_year, this_month, this_day, found;

	today_of(r, &this_year, &this_month, &this_day);
	out->how = DAY_DATE;
	out->spelled = true;
	out->fault = WISH_SOUND;
	if (year > 0 && year < 100)
		year += 2000;
	found = day_of(year ? year : this_year, month, day);
	if (year == 0 && (found == DAY_MIN || found < r->today)) {
		int next = day_of(this_year + 1, month, day);

		found = found == DAY_MIN && month >= this_month ? found : next;
	}
	if (found == DAY_MIN) {
		no_such_date(r, out, year, month);
		return;
	}
	out->from = out->to = found;
	if (found < r->today) {
		int again = day_of(this_year, month, day);

		out->fault = WISH_PAST;
		out->meant = again >= r->today ? again : day_of(this_year + 1, month, day);
	}
}

/* That day of the month in which near lies; before: or of the month before, if it is later than
 * near
 * ("28. bis 3. August"). */
void date_in_month_of(struct reader *r, int near, int day, bool before, struct day_item *out)
{
	int64_t year;
	int month, of;

	zone_date_of(near, &year, &month, &of);
	if (before && day > of && --month == 0) {
		month = 12;
		year--;
	}
	set_date(r, out, (int)year, month, day);
}

/* Of the Gregorian calendar, by Gauss as mended by Lichtenberg. */
static int easter(int year)
{
	int k = year / 100, m = 15 + (3 * k + 3) / 4 - (8 * k + 13) / 25, s = 2 - (3 * k + 3) / 4;
	int a = year % 19, d = (19 * a + m) % 30, r = (d + a / 11) / 29;
	int og = 21 + d - r, sz = 7 - (year + year / 4 + s) % 7, oe = 7 - (og - sz) % 7;

	return day_of(year, 3, 1) + og + oe - 1;
}

/* "Ostermontag", "Weihnachten": the coming one. */
void read_feast(const struct reader *r, int feast, struct day_item *out)
{
	int days = feast / FEAST_TWO;

	feast %= FEAST_TWO;
	for (int year = this_year(r); year <= this_year(r) + 1; year++) {
		int date = feast - FEAST_DATE;
		int day = date > 100 ? day_of(year, date / 100, date % 100)
				     : easter(year) + feast - 100;

		day_span(out, DAY_DATE, day, day + days);
		if (out->to >= r->today)
			break;
	}
}

static bool is_separator(const struct reader *r, size_t at, enum word_kind kind)
{
	return is(r, at, kind) && word_at(r, at)->glued;
}

/* "2026-08-02", also with dots or slashes; a "T" behind it. */
static size_t read_iso(struct reader *r, size_t at, struct day_item *out)
{
	const struct word *year = word_at(r, at);
	const enum word_kind kind = (enum word_kind)word_at(r, at + 1)->kind;
	size_t next = at + 5;

	if (!is_digits(r, at) || year->digits != 4 || year->value < 1900)
		return 0;
	if ((kind != W_DASH && kind != W_DOT && kind != W_SLASH) ||
		!is_separator(r, at + 1, kind) || !is_separator(r, at + 3, kind))
		return 0;
	if (!is_digits(r, at + 2) || !is_digits(r, at + 4))
		return 0;
	set_date(r, out, year->value, word_at(r, at + 2)->value, word_at(r, at + 4)->value);
	if (is(r, next, W_UNKNOWN) && word_at(r, next)->glued && word_at(r, next)->said.len == 1)
		next++;
	return next;
}

/* "20250624", as machines write it: of this century only, for phone numbers have as many digits. */
static size_t read_compact(struct reader *r, size_t at, struct day_item *out)
{
	const struct str said = word_at(r, at)->said;
	int value = 0, year, month;

	if (at >= r->words.count || said.len != 8 || said.ptr[0] != '2' || said.ptr[1] != '0')
		return 0;
	for (size_t i = 0; i < said.len; i++) {
		if (said.ptr[i] < '0' || said.ptr[i] > '9')
			return 0;
		value = value * 10 + (said.ptr[i] - '0');
	}
	year = value / 10000;
	month = value / 100 % 100;
	if (day_of(year, month, value % 100) == DAY_MIN)
		return 0;
	set_date(r, out, year, month, value % 100);
	return at + 1;
}

static size_t read_year(const struct reader *r, size_t at, int *year)
{
	*year = 0;
	if (!is_digits(r, at) || word_at(r, at)->digits != 4 || word_at(r, at)->value < 1900 ||
		word_at(r, at)->value > 2999 || is(r, at + 1, W_OCLOCK) || is(r, at + 1, W_COLON))
		return at;
	*year = word_at(r, at)->value;
	return at + 1;
}

/* What stands behind "2.8" or in front of it makes it a time. */
static bool is_dotted_time(const struct reader *r, size_t at, size_t end)
{
	return is(r, end, W_OCLOCK) || is(r, end, W_AMPM) ||
	       (at > 0 && (is(r, at - 1, W_AT) || is(r, at - 1, W_ABOUT)));
}

/* "2.8.", "2. 8. 2026", "02.08.26" */
static size_t read_dotted(struct reader *r, size_t at, struct day_item *out)
{
	int day, month, year = 0;
	size_t next = at + 2;
	bool closed;

	if (!is_digits(r, at) || !is_separator(r, at + 1, W_DOT) || !is_digits(r, next))
		return 0;
	day = word_at(r, at)->value;
	month = word_at(r, next)->value;
	closed = is_separator(r, next + 1, W_DOT);
	if (word_at(r, at)->digits > 2 || word_at(r, next)->digits > 2 || month < 1)
		return 0;
	if (!closed && (month > 12 || is_dotted_time(r, at, next + 1) || !word_at(r, next)->glued))
		return 0;
	if (month > 12 && (day > 31 || is_dotted_time(r, at, next + 1)))
		return 0;
	next += closed ? 2 : 1;
	if (closed && is_digits(r, next) && word_at(r, next)->digits == 2 &&
		word_at(r, next)->glued) {
		year = word_at(r, next)->value;
		next++;
	} else if (closed) {
		next = read_year(r, next, &year);
	}
	set_date(r, out, year, month, day);
	return next;
}

/* "8/2", "8/2/2026": the month comes first in English, where people differ. */
static size_t read_slashed(struct reader *r, size_t at, struct day_item *out)
{
	int a, b, year = 0;
	size_t next = at + 3;
	bool swap;

	if (!is_digits(r, at) || !is_separator(r, at + 1, W_SLASH) || !is_digits(r, at + 2))
		return 0;
	a = word_at(r, at)->value;
	b = word_at(r, at + 2)->value;
	if (a < 1 || a > 31 || b < 1 || b > 31 || (a > 12 && b > 12))
		return 0;
	if (is_separator(r, next, W_SLASH) && is_digits(r, next + 1)) {
		year = word_at(r, next + 1)->value;
		next += 2;
	}
	swap = !r->lexicon->german;
	if (swap && a <= 12 && b <= 12 && a != b) {
		r->ambiguous = true;
		swap = !r->other;
	}
	if (a > 12)
		swap = false;
	else if (b > 12)
		swap = true;
	set_date(r, out, year, swap ? a : b, swap ? b : a);
	return next;
}

/* "2. August", "2 August", "zweiten August 2026", "2nd of August", "zweiten achten" */
static size_t read_day_month(struct reader *r, size_t at, struct day_item *out)
{
	int day, month, year;
	size_t next = read_ordinal(r, at, &day);
	bool spelled = next > 0;

	if (!spelled)
		next = read_number(r, at, &day);
	if (!next || day > 99)
		return 0;
	if (spelled && is(r, next, W_OF))
		next++;
	if (spelled && !r->lexicon->german)
		next = skip_articles(r, next);
	if (is(r, next, W_MONTH)) {
		month = word_at(r, next)->value;
		next++;
	} else if (!spelled || !r->lexicon->german || !(next = read_ordinal(r, next, &month)) ||
		   month > 12) {
		return 0;
	}
	if (is(r, next, W_DOT) && word_at(r, next)->glued)
		next++;
	next = read_year(r, next, &year);
	set_date(r, out, year, month, day);
	return next;
}

/* "August 2nd, 2026", "Aug 2" */
static size_t read_month_day(struct reader *r, size_t at, struct day_item *out)
{
	int day, year;
	size_t next, last;

	if (r->lexicon->german || !is(r, at, W_MONTH))
		return 0;
	next = skip_articles(r, at + 1);
	last = read_ordinal(r, next, &day);
	if (!last)
		last = read_number(r, next, &day);
	if (!last || day > 99 || is(r, last, W_AMPM) || is(r, last, W_COLON) ||
		is(r, last, W_OCLOCK))
		return 0;
	next = read_year(r, is(r, last, W_COMMA) ? last + 1 : last, &year);
	set_date(r, out, year, word_at(r, at)->value, day);
	return year ? next : last;
}

size_t read_date(struct reader *r, size_t at, struct day_item *out)
{
	size_t next;

	(void)((next = read_iso(r, at, out)) || (next = read_compact(r, at, out)) ||
		(next = read_dotted(r, at, out)) || (next = read_slashed(r, at, out)) ||
		(next = read_day_month(r, at, out)) || (next = read_month_day(r, at, out)));
	return next;
}
