/* wish_clock.c - times of day as they are said: "halb fünf", "zehn nach halb elf", "16.30 Uhr",
 * "quarter to five", "9-12", "ab 16 Uhr", "gegen Mittag", "am späten Nachmittag". Which half of the
 * day a bare hour means is decided later (wish_time.c). Pure; any thread. */
#include "desk/wish_i.h"

struct clock clock_of(int hour, int minute, bool vague)
{
	struct clock out = {.vague = vague && hour <= 12};

	out.bad = hour > 24 || minute > 59 || (hour == 24 && minute > 0);
	out.minutes = out.bad ? 0 : (int16_t)(hour * 60 + minute);
	return out;
}

/* Of a spoken clock, which counts from an hour up to 12; it may lie before it. */
static struct clock spoken(int hour, int minutes)
{
	int sum = hour * 60 + minutes;

	if (hour > 24)
		return (struct clock){.bad = true};
	if (hour <= 12 && sum < 60)
		sum += 720; /* "halb eins" is half past twelve */
	return (struct clock){.minutes = (int16_t)(sum % 1440), .vague = hour >= 1 && hour <= 12};
}

/* ---- parts of the day ---- */

static size_t part_words(const struct reader *r, size_t at, struct time_item *out)
{
	const struct word *word = word_at(r, at);
	size_t next = at + 1;
	bool early = is(r, at, W_EARLY), late = is(r, at, W_LATE);

	*out = (struct time_item){.how = TIME_PART, .part = NO_PART};
	if (is(r, at, W_PART)) {
		out->part = word->value;
		return next;
	}
	if (is_part_of_day(r, at)) {
		out->part = WISH_EARLY;
		return next;
	}
	if (!early && !late)
		return 0;
	next = skip_over(r, next, KINDS(W_ART, W_IN, W_DASH));
	if (is_part_of_day(r, next) ||
		(is(r, next, W_PART) && word_at(r, next)->value == WISH_EARLY)) {
		out->part = WISH_EARLY;
		return next + 1;
	}
	if (is(r, next, W_PART)) {
		out->part = word_at(r, next)->value;
		out->half = early ? 1 : 2;
		if (early && !r->lexicon->german && out->part == WISH_FORENOON) {
			out->part = WISH_EARLY;
			out->half = 0;
		}
		return next + 1;
	}
	if (word->value != 1)
		return 0;
	out->part = early ? WISH_EARLY : WISH_EVENING;
	return at + 1;
}

/* "am Nachmittag", "in der Früh", "in the morning" */
static size_t read_part(const struct reader *r, size_t at, struct time_item *out)
{
	size_t next = part_words(r, at, out);

	if (next)
		return next;
	at = skip_over(r, at, KINDS(W_ART, W_IN, W_AT, W_EVERY));
	return part_words(r, at, out);
}

/* ---- clocks ---- */

/* What shows that a number is no hour: "zwei Wochen", "2.8.", "15. August". */
static bool counts_something(const struct reader *r, size_t next)
{
	return is(r, next, W_UNIT) || is(r, next, W_MONTH) ||
	       (is(r, next, W_ORDINAL) && word_at(r, next)->value == 0);
}

static size_t hour_word(const struct reader *r, size_t at, int *hour)
{
	size_t next = read_number(r, at, hour);

	if (!next || *hour > 24 || (is(r, at, W_ONE) && !is(r, next, W_OCLOCK)))
		return 0;
	return next;
}

/* "halb fünf", "half past four", "half four" */
static size_t read_half(const struct reader *r, size_t at, struct clock *out)
{
	int hour;
	size_t next = at + 1;

	if (!is(r, at, W_HALF))
		return 0;
	if (is(r, next, W_PAST) && !r->lexicon->german)
		next++;
	next = hour_word(r, next, &hour);
	if (!next || counts_something(r, next))
		return 0;
	*out = spoken(hour, r->lexicon->german ? -30 : 30);
	return next;
}

static bool is_past(const struct reader *r, size_t at)
{
	return is(r, at, W_PAST) ||
	       (!r->lexicon->german && is(r, at, W_FROM) && word_at(r, at)->value == 2);
}

/* "zehn nach", "Viertel vor"; in front of an hour or of "halb". */
static size_t read_minutes_off(const struct reader *r, size_t at, int *minutes)
{
	size_t next;

	if (is(r, at, W_ONE) && is(r, at + 1, W_QUARTER))
		at++;
	if (is(r, at, W_QUARTER) && word_at(r, at)->value == 15) {
		*minutes = 15;
		next = at + 1;
	} else {
		next = read_number(r, at, minutes);
		if (!next || *minutes > 29 || is(r, at, W_ONE))
			return 0;
		if (is(r, next, W_FILL)) /* "minutes" */
			next++;
	}
	if (is(r, next, W_TO))
		*minutes = -*minutes;
	else if (!is_past(r, next))
		return 0;
	return next + 1;
}

/* English "ten to eleven" may be a range: only as a clock where it could be no range, or after a
 * word for a time. */
static bool is_english_range(const struct reader *r, size_t at, int minutes, int hour)
{
	if (r->lexicon->german || minutes >= 0 || is(r, at, W_QUARTER) || is(r, at, W_ONE))
		return false;
	if (at > 0 && (is(r, at - 1, W_AT) || is(r, at - 1, W_ABOUT)))
		return false;
	if (at > 0 && is(r, at - 1, W_FROM))
		return true;
	return is_digits(r, at) || minutes % 5 != 0 || -minutes < hour;
}

static size_t read_relative_clock(const struct reader *r, size_t at, struct clock *out)
{
	int minutes, hour;
	struct clock half;
	size_t next = read_minutes_off(r, at, &minutes), last;

	if (!next)
		return 0;
	last = read_half(r, next, &half);
	if (last) {
		*out = half;
		out->minutes = (int16_t)((half.minutes + minutes + 1440) % 1440);
		return last;
	}
	last = hour_word(r, next, &hour);
	if (!last || counts_something(r, last) || is_english_range(r, at, minutes, hour))
		return 0;
	*out = spoken(hour, minutes);
	return last;
}

/* "dreiviertel zwei", "drei viertel zwei", "viertel drei": so many quarters of that hour. */
static size_t read_quarters(const struct reader *r, size_t at, struct clock *out)
{
	int hour, minutes;
	size_t next = at + 1;

	if (!r->lexicon->german)
		return 0;
	if (is(r, at, W_NUMBER) && word_at(r, at)->value == 3 && is(r, next, W_QUARTER)) {
		minutes = 45;
		next++;
	} else if (is(r, at, W_QUARTER)) {
		minutes = word_at(r, at)->value;
	} else {
		return 0;
	}
	next = hour_word(r, next, &hour);
	if (!next || counts_something(r, next))
		return 0;
	*out = spoken(hour, minutes - 60);
	return next;
}

/* The seconds and the offset that machines write. */
static size_t skip_seconds(const struct reader *r, size_t at)
{
	if (is(r, at, W_COLON) && word_at(r, at)->glued && is_digits(r, at + 1))
		at += 2;
	else
		return at;
	if (is(r, at, W_UNKNOWN) && word_at(r, at)->glued && word_at(r, at)->said.len == 1)
		return at + 1;
	if ((is(r, at, W_AND) || is(r, at, W_DASH)) && word_at(r, at)->glued &&
		is_digits(r, at + 1) && is(r, at + 2, W_COLON) && is_digits(r, at + 3))
		return at + 4;
	return at;
}

/* "16:30", "16.30", "1630" */
static size_t read_digital(
	const struct reader *r, size_t at, bool loose, struct clock *out, bool *sure)
{
	const struct word *a = word_at(r, at), *b = word_at(r, at + 2);
	bool vague = a->digits == 1 || a->value >= 10;
	bool colon = is(r, at + 1, W_COLON);

	if (!is_digits(r, at))
		return 0;
	if ((colon || is(r, at + 1, W_DOT)) && word_at(r, at + 1)->glued && b->glued &&
		is_digits(r, at + 2) && b->digits == 2 && a->digits <= 2) {
		if (!colon && is(r, at + 3, W_DOT) && word_at(r, at + 3)->glued && b->value <= 12 &&
			is_digits(r, at + 4))
			return 0;
		*out = clock_of(a->value, b->value, vague && a->value > 0);
		*sure = true;
		return colon ? skip_seconds(r, at + 3) : at + 3;
	}
	if (a->digits < 3 || (!loose && !is(r, at + 1, W_OCLOCK)))
		return 0;
	*out = clock_of(a->value / 100, a->value % 100, a->digits == 3 && a->value >= 100);
	*sure = true;
	return at + 1;
}

/* The minutes of "vierzehn Uhr vierzig", "four thirty". */
static size_t read_minutes(const struct reader *r, size_t at, int *minutes)
{
	bool zero = is(r, at, W_NUMBER) && !is_digits(r, at) && word_at(r, at)->value == 0;
	size_t next = read_number(r, at, minutes);

	if (zero && is(r, at + 1, W_NUMBER) && word_at(r, at + 1)->value < 10)
		next = read_number(r, ++at, minutes); /* "acht Uhr null fünf" */
	if (!next || is(r, at, W_ONE) || *minutes > 59 || counts_something(r, next))
		return 0;
	if (is_digits(r, at) && word_at(r, at)->digits != 2)
		return 0;
	if (is(r, next, W_OCLOCK) || is(r, next, W_TO) || is_past(r, next) || is(r, next, W_HALF) ||
		is(r, next, W_COLON) || is(r, next, W_SLASH) ||
		(is(r, next, W_DOT) && word_at(r, next)->glued && is_digits(r, next + 1)))
		return 0;
	return next;
}

/* The dash of "three-thirty"; not of "nine-ten". */
static size_t skip_dash_of_clock(const struct reader *r, size_t at)
{
	bool dash = !r->lexicon->german && is(r, at, W_DASH) && word_at(r, at)->glued;

	return dash && !is_digits(r, at + 1) && word_at(r, at + 1)->value > 12 ? at + 1 : at;
}

/* Behind "8": "in the evening"; but not "for two in the evening". */
static bool part_tells_hour(const struct reader *r, size_t at, size_t next)
{
	struct time_item part;

	return !r->lexicon->german && is(r, next, W_IN) && (at == 0 || !is(r, at - 1, W_FILL)) &&
	       read_part(r, next, &part);
}

static size_t read_hour(
	const struct reader *r, size_t at, bool loose, struct clock *out, bool *sure)
{
	int hour, minutes = 0;
	size_t next = read_number(r, at, &hour), last;
	bool leading = is_digits(r, at) && word_at(r, at)->digits == 2 && hour < 10;
	bool oclock;

	if (!next || counts_something(r, next))
		return 0;
	oclock = is(r, next, W_OCLOCK);
	if (is(r, at, W_ONE) && !oclock && !is(r, next, W_AMPM))
		return 0;
	if (is_digits(r, at) && word_at(r, at)->digits > 2 && !oclock)
		return 0;
	*sure = oclock || is(r, next, W_AMPM);
	if (oclock)
		next++;
	if (!r->lexicon->german && is(r, next, W_NUMBER) && word_at(r, next)->value == 100) {
		*sure = true; /* "sixteen hundred" */
		next++;
	} else if (oclock || !is_digits(r, at)) {
		last = read_minutes(r, skip_dash_of_clock(r, next), &minutes);
		if (last && (oclock || (minutes >= 10 && hour <= 24))) {
			*sure = *sure || (loose || !r->lexicon->german);
			next = last;
		} else {
			minutes = 0;
		}
	}
	if (!*sure && !loose && !part_tells_hour(r, at, next))
		return 0;
	*out = clock_of(hour, minutes, !leading && hour > 0);
	return next;
}

/* "um acht Uhr abends", "8 Uhr in der Früh", "4 in the afternoon" */
static size_t read_part_behind(const struct reader *r, size_t at, int *part)
{
	struct time_item item;
	size_t next = read_part(r, at, &item);

	if (!next || is(r, at, W_EVERY) || is(r, at, W_AT) || item.half)
		return at;
	*part = item.part;
	return next;
}

static void apply_meridiem(const struct word *word, struct clock *out)
{
	int hour = out->minutes / 60;

	if (out->bad)
		return;
	if (word->value == 12 && hour < 12)
		out->minutes = (int16_t)(out->minutes + 720);
	if (word->value == 0 && hour == 12)
		out->minutes = (int16_t)(out->minutes - 720);
	out->vague = false;
	out->named = true;
}

/* loose: a bare number is a time, too. */
static size_t read_clock(
	const struct reader *r, size_t at, bool loose, struct clock *out, int *part)
{
	bool sure = true;
	size_t next;

	*part = NO_PART;
	if (is(r, at, W_POINT)) {
		*out = (struct clock){.minutes = word_at(r, at)->value};
		return at + 1;
	}
	(void)((next = read_relative_clock(r, at, out)) || (next = read_half(r, at, out)) ||
		(next = read_quarters(r, at, out)) ||
		(next = read_digital(r, at, loose, out, &sure)) ||
		(next = read_hour(r, at, loose, out, &sure)));
	if (!next)
		return 0;
	if (is(r, next, W_OCLOCK))
		next++;
	if (is(r, next, W_AMPM)) {
		apply_meridiem(word_at(r, next), out);
		next++;
	}
	return out->vague ? read_part_behind(r, next, part) : next;
}

/* ---- times ---- */

static size_t skip_light(const struct reader *r, size_t at)
{
	at = skip_over(r, at, KINDS(W_ABOUT, W_AT, W_ART, W_SO, W_FILL));
	return at;
}

static size_t read_two(const struct reader *r, size_t at, bool between, struct time_item *out)
{
	int part;
	size_t next = read_clock(r, skip_light(r, at), true, &out->a, &out->part), last;

	if (!next)
		return 0;
	if (!is(r, next, W_UNTIL) && !is(r, next, W_DASH) && !(between && is(r, next, W_AND)) &&
		!(is(r, next, W_TO) && !r->lexicon->german))
		return 0;
	last = read_clock(r, skip_light(r, next + 1), true, &out->b, &part);
	if (!last)
		return 0;
	if (out->part == NO_PART)
		out->part = part;
	out->how = TIME_RANGE;
	return last;
}

/* "Feierabend" is when evening begins; "vor der Arbeit" is early. */
static size_t read_work(const struct reader *r, size_t at, bool upper, struct time_item *out)
{
	at = skip_articles(r, at);
	if (!is(r, at, W_WORK))
		return 0;
	if (upper) {
		out->how = TIME_PART;
		out->part = WISH_EARLY;
	} else {
		out->how = TIME_FROM;
		out->a = clock_of(r->settings->part[WISH_EVENING].from / 60,
			r->settings->part[WISH_EVENING].from % 60, false);
	}
	return at + 1;
}

/* "ab dem Nachmittag", "bis Mittag", "nach dem Vormittag" */
static size_t read_part_bound(
	const struct reader *r, size_t at, enum word_kind word, struct time_item *out)
{
	struct time_item part;
	size_t next = read_part(r, at, &part);
	struct wish_range range;
	bool inner = word == W_FROM || word == W_TO;
	int minutes;

	if (!next)
		return 0;
	range = part.part == NIGHT ? (struct wish_range){1320, 1440} : r->settings->part[part.part];
	minutes = inner ? range.from : range.to;
	if (part.part == WISH_NOON)
		minutes = 720;
	out->how = word == W_FROM || word == W_PAST ? TIME_FROM : TIME_UNTIL;
	out->a = (struct clock){.minutes = (int16_t)minutes};
	out->part = NO_PART;
	return next;
}

static size_t read_time_bound(struct reader *r, size_t at, struct time_item *out)
{
	enum word_kind word = (enum word_kind)word_at(r, at)->kind;
	bool upper = word == W_UNTIL || word == W_TO;
	size_t next, first = skip_light(r, at + 1);

	if ((word == W_TO || word == W_PAST) && !r->lexicon->german)
		return 0;
	if (word == W_FROM && word_at(r, at)->value == 2)
		word = W_PAST;
	if (word == W_FROM && (next = read_two(r, at + 1, false, out)))
		return next;
	out->how = upper ? TIME_UNTIL : TIME_FROM;
	next = read_clock(r, first, true, &out->a, &out->part);
	if (next)
		return next;
	next = read_part_bound(r, first, word, out);
	return next ? next : read_work(r, first, upper, out);
}

/* "später als 15 Uhr", "no earlier than nine" */
static size_t read_than(struct reader *r, size_t at, struct time_item *out)
{
	size_t next = skip_light(r, at + 2);

	if (!is(r, at + 1, W_THAN))
		return 0;
	out->how = is(r, at, W_LATE) ? TIME_FROM : TIME_UNTIL;
	return read_clock(r, next, true, &out->a, &out->part);
}

/* "um vier (herum)", "gegen Mittag" */
static size_t read_at(struct reader *r, size_t at, struct time_item *out)
{
	bool about = false;
	struct time_item part;
	size_t next, first = skip_light(r, at);

	for (; at < first; at++)
		about = about || is(r, at, W_ABOUT);
	out->how = about ? TIME_ABOUT : TIME_AT;
	next = read_clock(r, at, true, &out->a, &out->part);
	if (next && !about && read_two(r, at, false, &part)) {
		next = read_two(r, at, false, out);
	} else if (!next && (next = read_part(r, at, &part))) {
		*out = part;
		if (part.part == WISH_NOON && about && r->lexicon->german) {
			out->how = TIME_ABOUT;
			out->a = (struct clock){.minutes = 720};
		}
		return next;
	}
	return next;
}

/* "um vier rum", "16 Uhr spätestens" */
static size_t read_behind(const struct reader *r, size_t at, struct time_item *out)
{
	enum bound bound;
	size_t next = read_bound_behind(r, at, &bound);

	if (out->how != TIME_AT)
		return at;
	if (next) {
		out->how = bound == BOUND_FROM ? TIME_FROM : TIME_UNTIL;
		return next;
	}
	if (is(r, at, W_ROUND))
		out->how = TIME_ABOUT;
	else
		return at;
	return at + 1;
}

/* "acht oder neun Uhr": the word for the second is for both. */
static bool is_listed_hour(const struct reader *r, size_t at)
{
	struct clock clock;
	int part;

	if (is(r, at, W_NUMBER) && is(r, at + 1, W_ROUND))
		return true; /* "10ish" */
	return is(r, at, W_NUMBER) && (is(r, at + 1, W_OR) || is(r, at + 1, W_AND)) &&
	       read_clock(r, at + 2, false, &clock, &part);
}

static size_t read_bare(struct reader *r, size_t at, bool loose, struct time_item *out)
{
	size_t next = read_two(r, at, false, out);

	if (next && !is(r, at, W_FILL) && !is(r, at, W_ART))
		return next;
	next = read_part(r, at, out);
	if (next)
		return next;
	out->how = TIME_AT;
	loose = loose || is_listed_hour(r, at);
	next = read_clock(r, at, loose, &out->a, &out->part);
	if (next == at + 1 && (is(r, next, W_UNKNOWN) || is(r, next, W_SLOT)))
		return 0; /* "zwei Personen" */
	if (next && out->a.bad && loose && next == at + 1)
		return 0; /* a number that is no hour, and nothing says it were one */
	return next;
}

size_t read_time(struct reader *r, size_t at, bool loose, struct time_item *out)
{
	size_t next;

	*out = (struct time_item){.part = NO_PART};
	switch ((enum word_kind)word_at(r, at)->kind) {
	case W_AT:
	case W_ABOUT:
		if (is(r, at + 1, W_FROM) || is(r, at + 1, W_UNTIL))
			return read_time_bound(r, at + 1, out);
		next = read_at(r, at, out);
		break;
	case W_BETWEEN:
		return read_two(r, at + 1, true, out);
	case W_OF:
		return read_two(r, at + 1, false, out);
	case W_TO:
	case W_PAST:
	case W_FROM:
	case W_UNTIL:
		return read_time_bound(r, at, out);
	case W_EARLY:
	case W_LATE:
		next = read_than(r, at, out);
		if (next)
			return next;
		/* fall through */
	default:
		next = read_bare(r, at, loose, out);
	}
	return next ? read_behind(r, next, out) : 0;
}
