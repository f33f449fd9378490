/* moment.c - dates, times of day, instants and durations, as people write them.
 *
 * Never guesses: no year from two digits, no time of day from a bare date, no hour that the clocks
 * skip. Words such as "tomorrow" are not for a mapping. Pure: runs on any thread. */
#include "fields.h"

struct moment {
	kl_civil at;
	int has_date, has_time, weekday; /* weekday as it was said, 0: it was not */
	kl_str offset;                   /* "Z", "+01:00"; nothing: none */
};

/* ---- Words; the text is folded ---- */

static const struct {
	const char *word;
	int number;
} weekdays[] =
	{
		{"montag", 1},
		{"dienstag", 2},
		{"mittwoch", 3},
		{"donnerstag", 4},
		{"freitag", 5},
		{"samstag", 6},
		{"sonnabend", 6},
		{"sonntag", 7},
		{"mo", 1},
		{"di", 2},
		{"mi", 3},
		{"do", 4},
		{"fr", 5},
		{"sa", 6},
		{"so", 7},
		{"monday", 1},
		{"tuesday", 2},
		{"wednesday", 3},
		{"thursday", 4},
		{"friday", 5},
		{"saturday", 6},
		{"sunday", 7},
		{"mon", 1},
		{"tue", 2},
		{"wed", 3},
		{"thu", 4},
		{"fri", 5},
		{"sat", 6},
		{"sun", 7},
},
  months[] = {
	  {"januar", 1},
	  {"jaenner", 1},
	  {"februar", 2},
	  {"maerz", 3},
	  {"april", 4},
	  {"mai", 5},
	  {"juni", 6},
	  {"juli", 7},
	  {"august", 8},
	  {"september", 9},
	  {"oktober", 10},
	  {"november", 11},
	  {"dezember", 12},
	  {"january", 1},
	  {"february", 2},
	  {"march", 3},
	  {"may", 5},
	  {"june", 6},
	  {"july", 7},
	  {"october", 10},
	  {"december", 12},
};

static kl_str word_at(kl_str s, uint32_t at)
{
	kl_str w = {s.ptr + at, 0, 0};
	while (at + w.len < s.len && fields_is_letter(s.ptr[at + w.len]))
		w.len++;
	return w;
}

static int take_word(kl_str s, uint32_t *at, const char *word)
{
	if (!kl_eq(word_at(s, *at), word))
		return 0;
	*at += (uint32_t)strlen(word);
	return 1;
}

static int take_char(kl_str s, uint32_t *at, char ch)
{
	if (*at >= s.len || s.ptr[*at] != ch)
		return 0;
	(*at)++;
	return 1;
}

static int take_weekday(kl_str s, uint32_t *at)
{
	for (size_t i = 0; i < sizeof(weekdays) / sizeof(weekdays[0]); i++)
		if (take_word(s, at, weekdays[i].word))
			return weekdays[i].number;
	return 0;
}

static int take_month(kl_str s, uint32_t *at)
{
	for (size_t i = 0; i < sizeof(months) / sizeof(months[0]); i++)
		if (take_word(s, at, months[i].word))
			return months[i].number;
	return 0;
}

static int take_article(kl_str s, uint32_t *at)
{
	return take_word(s, at, "den") || take_word(s, at, "dem") || take_word(s, at, "der") ||
	       take_word(s, at, "am") || take_word(s, at, "the") || take_word(s, at, "on");
}

/* ---- Dates ---- */

static int days_in(int32_t year, int32_t month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return days[month - 1] + (month == 2 && leap);
}

static int is_date(const kl_civil *d)
{
	return d->year >= 1900 && d->year <= 2199 && d->month >= 1 && d->month <= 12 &&
	       d->day >= 1 && d->day <= days_in(d->year, d->month);
}

/* 23062023, or 3062023 where a number lost its zero, or 20230623. With years from 1900 to 2199 no
 * number is both. */
static int split_compact(int32_t n, kl_civil *d)
{
	d->day = n / 1000000;
	d->month = n / 10000 % 100;
	d->year = n % 10000;
	if (is_date(d))
		return 1;
	d->year = n / 10000;
	d->month = n / 100 % 100;
	d->day = n % 100;
	return is_date(d);
}

static int read_year(kl_str s, uint32_t *at, kl_civil *d)
{
	fields_skip_blanks(s, at);
	return fields_read_number(s, at, 4, &d->year) == 4;
}

/* "-11-26" behind the year */
static int read_iso_rest(kl_str s, uint32_t *at, kl_civil *d)
{
	return take_char(s, at, '-') && fields_read_number(s, at, 2, &d->month) == 2 &&
	       take_char(s, at, '-') && fields_read_number(s, at, 2, &d->day) == 2;
}

/* ".11.2026", ". November 2026" or " November 2026" behind the day */
static int read_day_first_rest(kl_str s, uint32_t *at, kl_civil *d)
{
	int dot = take_char(s, at, '.');
	fields_skip_blanks(s, at);
	d->month = take_month(s, at);
	if (!d->month && !(dot && fields_read_number(s, at, 2, &d->month) && take_char(s, at, '.')))
		return 0;
	return read_year(s, at, d);
}

/* "November 26, 2026" */
static int read_month_first(kl_str s, uint32_t *at, kl_civil *d)
{
	d->month = take_month(s, at);
	fields_skip_blanks(s, at);
	if (!d->month || !fields_read_number(s, at, 2, &d->day))
		return 0;
	take_char(s, at, ',');
	return read_year(s, at, d);
}

static int read_date_parts(kl_str s, uint32_t *at, kl_civil *d)
{
	uint32_t start = *at, n;
	int32_t number;
	if (read_month_first(s, at, d))
		return 1;
	*at = start;
	n = fields_read_number(s, at, 8, &number);
	if (n == 7 || n == 8)
		return split_compact(number, d);
	if (n == 4) {
		d->year = number;
		return read_iso_rest(s, at, d);
	}
	d->day = number;
	return (n == 1 || n == 2) && read_day_first_rest(s, at, d);
}

static void read_weekday(kl_str s, uint32_t *at, struct moment *m)
{
	m->weekday = take_weekday(s, at);
	if (m->weekday && !take_char(s, at, ','))
		take_char(s, at, '.');
	fields_skip_blanks(s, at);
	take_article(s, at);
	fields_skip_blanks(s, at);
}

/* ---- Times of day ---- */

static int read_seconds(kl_str s, uint32_t *at, kl_civil *d)
{
	if (fields_read_number(s, at, 2, &d->second) != 2)
		return 0;
	if (take_char(s, at, '.') || take_char(s, at, ','))
		while (*at < s.len && fields_is_digit(s.ptr[*at]))
			(*at)++;
	return 1;
}

/* "Uhr", "Uhr 15", "am", "pm" behind the hour. 0: none of them. */
static int read_clock_word(kl_str s, uint32_t *at, kl_civil *d, int minutes)
{
	fields_skip_blanks(s, at);
	if (take_word(s, at, "uhr")) {
		fields_skip_blanks(s, at);
		if (!minutes && *at < s.len && fields_is_digit(s.ptr[*at]))
			return fields_read_number(s, at, 2, &d->minute) > 0;
		return 1;
	}
	if (d->hour >= 1 && d->hour <= 12) {
		int32_t twelve = d->hour == 12 ? 0 : d->hour;
		if (take_word(s, at, "am"))
			return (d->hour = twelve), 1;
		if (take_word(s, at, "pm"))
			return (d->hour = twelve + 12), 1;
	}
	return 0;
}

static int read_time(kl_str s, uint32_t *at, kl_civil *d)
{
	int minutes = 0, word;
	if (!fields_read_number(s, at, 2, &d->hour))
		return 0;
	if (take_char(s, at, ':') || take_char(s, at, '.')) {
		minutes = 1;
		if (fields_read_number(s, at, 2, &d->minute) != 2)
			return 0;
		if (take_char(s, at, ':') && !read_seconds(s, at, d))
			return 0;
	}
	word = read_clock_word(s, at, d, minutes);
	return (minutes || word) && d->hour <= 23 && d->minute <= 59 && d->second <= 59;
}

static int take_two_digits(kl_str s, uint32_t *at, int32_t most)
{
	int32_t n;
	if (*at + 2 > s.len || !fields_is_digit(s.ptr[*at]) || !fields_is_digit(s.ptr[*at + 1]))
		return 0;
	n = (s.ptr[*at] - '0') * 10 + s.ptr[*at + 1] - '0';
	*at += 2;
	return n <= most;
}

/* "z", "+01:00", "+0100", "+01" */
static int read_offset(kl_call *c, kl_str s, uint32_t *at, struct moment *m)
{
	uint32_t start = *at;
	kl_str hours;
	if (take_char(s, at, 'z')) {
		m->offset = KL_LIT("Z");
		return 1;
	}
	if (!take_char(s, at, '+') && !take_char(s, at, '-'))
		return 1;
	if (!take_two_digits(s, at, 14))
		return 0;
	hours = kl_slice(c, s, start, *at);
	m->offset = KL_CAT(c, hours, KL_LIT(":00"));
	if (*at == s.len)
		return 1;
	take_char(s, at, ':');
	start = *at;
	if (!take_two_digits(s, at, 59))
		return 0;
	m->offset = KL_CAT(c, hours, KL_LIT(":"), kl_slice(c, s, start, *at));
	return 1;
}

/* ---- All of it ---- */

static void skip_between(kl_str s, uint32_t *at)
{
	fields_skip_blanks(s, at);
	take_char(s, at, ',');
	fields_skip_blanks(s, at);
	if (*at + 1 < s.len && s.ptr[*at] == 't' && fields_is_digit(s.ptr[*at + 1]))
		(*at)++;
	else if (take_word(s, at, "um") || take_word(s, at, "at"))
		fields_skip_blanks(s, at);
}

static int read_moment(kl_call *c, kl_str text, struct moment *m)
{
	kl_str s = fields_fold(c, text);
	uint32_t at = 0, start;
	memset(m, 0, sizeof(*m));
	m->at.size = sizeof(m->at);
	if (!s.len)
		return 0;
	read_weekday(s, &at, m);
	start = at;
	m->has_date = read_date_parts(s, &at, &m->at) && is_date(&m->at);
	if (!m->has_date)
		at = start;
	else if (at == s.len)
		return 1;
	skip_between(s, &at);
	m->has_time = read_time(s, &at, &m->at);
	if (!m->has_time || (m->has_date && !read_offset(c, s, &at, m)))
		return 0;
	fields_skip_blanks(s, &at);
	return at == s.len;
}

/* ---- Out ---- */

static char *put_number(char *p, int32_t n, int places)
{
	for (int i = places - 1; i >= 0; i--, n /= 10)
		p[i] = (char)('0' + n % 10);
	return p + places;
}

static kl_str print_civil(kl_call *c, const kl_civil *d, int date, int time, int seconds)
{
	kl_str out = {0, 0, 0};
	char *start = c->host->alloc(c, 32), *p = start;
	if (!p)
		return out;
	if (date) {
		p = put_number(p, d->year, 4);
		*p++ = '-';
		p = put_number(p, d->month, 2);
		*p++ = '-';
		p = put_number(p, d->day, 2);
	}
	if (date && time)
		*p++ = 'T';
	if (time) {
		p = put_number(p, d->hour, 2);
		*p++ = ':';
		p = put_number(p, d->minute, 2);
	}
	if (time && seconds) {
		*p++ = ':';
		p = put_number(p, d->second, 2);
	}
	return (kl_str){start, (uint32_t)(p - start), 0};
}

/* ---- Instants ---- */

static const char *zone_of(struct fields_value *v)
{
	kl_str zone = kl_text(v->c, v->context, "timezone");
	return zone.len ? zone.ptr : NULL;
}

static int weekday_differs(struct fields_value *v, const struct moment *m)
{
	const kl_time1 *time = v->c->host->extension("kl.time/1");
	kl_civil noon = m->at, seen = {.size = sizeof(kl_civil)};
	int64_t ms;
	if (!m->weekday || !m->has_date || !time)
		return 0;
	noon.hour = 12;
	if (time->instant(v->c, "UTC", &noon, &ms) < 1 || !time->civil(v->c, "UTC", ms, &seen))
		return 0;
	return seen.weekday != m->weekday;
}

/* Nothing: *ms is it. Of two instants in autumn the earlier one counts. */
static kl_str instant_fault(struct fields_value *v, const struct moment *m, int64_t *ms)
{
	const kl_time1 *time = v->c->host->extension("kl.time/1");
	kl_str none = {0, 0, 0};
	int32_t count;
	if (!time)
		return KL_LIT("cannot be placed in time: this host lacks kl.time/1");
	if (m->offset.ptr) {
		kl_str s = KL_CAT(v->c, print_civil(v->c, &m->at, 1, 1, 1), m->offset);
		return time->parse(v->c, s, NULL, ms) ? none : KL_LIT("is no date with a time");
	}
	if (!zone_of(v))
		return KL_LIT("has no offset, and the tenant has no timezone");
	count = time->instant(v->c, zone_of(v), &m->at, ms);
	if (count < 0)
		return KL_LIT("has no offset, and the tenant's timezone is not known");
	return count ? none : KL_LIT("does not exist there: the clocks skip that hour");
}

static int is_milliseconds(kl_str s)
{
	for (uint32_t i = 0; i < s.len; i++)
		if (!fields_is_digit(s.ptr[i]))
			return 0;
	return s.len == 12 || s.len == 13;
}

static int64_t milliseconds(kl_str s)
{
	int64_t n = 0;
	for (uint32_t i = 0; i < s.len; i++)
		n = n * 10 + (s.ptr[i] - '0');
	return n;
}

void fields_make_datetime(struct fields_value *v)
{
	const kl_time1 *time = v->c->host->extension("kl.time/1");
	struct moment m;
	int64_t ms = 0;
	if (is_milliseconds(v->text)) {
		ms = milliseconds(v->text);
	} else if (!read_moment(v->c, v->text, &m) || !m.has_date) {
		v->fault = KL_LIT("is no date with a time");
	} else if (!m.has_time) {
		v->fault = KL_LIT("has no time of day");
	} else if (weekday_differs(v, &m)) {
		v->fault = KL_LIT("names a weekday that is not that date's");
	} else {
		v->fault = instant_fault(v, &m, &ms);
	}
	if (!v->fault.ptr && time)
		v->out = v->c->host->of_text(v->c, time->print(v->c, ms, NULL));
}

/* ---- Dates and times alone ---- */

/* An instant is a date only in a place: that of the tenant. */
static kl_str localize(struct fields_value *v, struct moment *m)
{
	const kl_time1 *time = v->c->host->extension("kl.time/1");
	kl_str none = {0, 0, 0};
	int64_t ms = 0;
	kl_str fault;
	if (!m->offset.ptr)
		return none;
	fault = instant_fault(v, m, &ms);
	if (fault.ptr)
		return fault;
	if (!zone_of(v) || !time->civil(v->c, zone_of(v), ms, &m->at))
		return KL_LIT("has an offset, and the tenant has no known timezone");
	return none;
}

void fields_make_date(struct fields_value *v)
{
	struct moment m;
	if (!read_moment(v->c, v->text, &m) || !m.has_date)
		v->fault = KL_LIT("is no date");
	else if (weekday_differs(v, &m))
		v->fault = KL_LIT("names a weekday that is not that date's");
	else
		v->fault = localize(v, &m);
	if (!v->fault.ptr)
		v->out = v->c->host->of_text(v->c, print_civil(v->c, &m.at, 1, 0, 0));
}

void fields_make_time(struct fields_value *v)
{
	struct moment m;
	if (!read_moment(v->c, v->text, &m) || !m.has_time)
		v->fault = KL_LIT("is no time of day");
	else
		v->fault = localize(v, &m);
	if (!v->fault.ptr)
		v->out =
			v->c->host->of_text(v->c, print_civil(v->c, &m.at, 0, 1, m.at.second != 0));
}

/* ---- Durations ---- */

static int minutes_per_unit(kl_str s, uint32_t *at)
{
	static const char *const hours[] = {
		"h", "std", "stunde", "stunden", "hour", "hours", "hrs"};
	static const char *const minutes[] = {"m", "min", "mins", "minute", "minuten", "minutes"};
	fields_skip_blanks(s, at);
	for (size_t i = 0; i < sizeof(hours) / sizeof(hours[0]); i++)
		if (take_word(s, at, hours[i]))
			return 60;
	for (size_t i = 0; i < sizeof(minutes) / sizeof(minutes[0]); i++)
		if (take_word(s, at, minutes[i]))
			return 1;
	return 0;
}

/* "1,5 Stunden": hundredths that are whole minutes */
static int read_fraction(kl_str s, uint32_t *at, int32_t *hundredths)
{
	uint32_t n;
	*hundredths = 0;
	if (!take_char(s, at, ',') && !take_char(s, at, '.'))
		return 1;
	n = fields_read_number(s, at, 2, hundredths);
	*hundredths *= n == 1 ? 10 : 1;
	return n > 0;
}

static int add_part(kl_str s, uint32_t *at, int32_t *total, int *unit_before)
{
	int32_t n, hundredths, minutes;
	int unit;
	if (!fields_read_number(s, at, 5, &n) || !read_fraction(s, at, &hundredths))
		return 0;
	unit = minutes_per_unit(s, at);
	if (!unit && *at == s.len) /* "30" alone, or "1h 30" */
		unit = 1;
	if (!unit || unit == *unit_before || (*unit_before == 1 && unit == 60))
		return 0;
	minutes = unit * hundredths;
	*total += n * unit + minutes / 100;
	*unit_before = unit;
	return minutes % 100 == 0;
}

/* "1:30" */
static int read_clock_duration(kl_str s, int32_t *total)
{
	uint32_t at = 0;
	int32_t hours, minutes;
	if (!fields_read_number(s, &at, 2, &hours) || !take_char(s, &at, ':') ||
		fields_read_number(s, &at, 2, &minutes) != 2 || minutes > 59)
		return 0;
	*total = hours * 60 + minutes;
	return at == s.len;
}

static int read_duration(kl_str s, int32_t *total)
{
	uint32_t at = kl_starts(s, "pt") ? 2 : 0;
	int unit = 0;
	*total = 0;
	if (at >= s.len)
		return 0;
	while (at < s.len) {
		if (!add_part(s, &at, total, &unit))
			return 0;
		take_char(s, &at, '.'); /* "Std." */
		fields_skip_blanks(s, &at);
		if (take_word(s, &at, "und") || take_word(s, &at, "and"))
			fields_skip_blanks(s, &at);
	}
	return 1;
}

void fields_make_duration(struct fields_value *v)
{
	kl_str s = fields_fold(v->c, v->text);
	int32_t minutes;
	if (read_clock_duration(s, &minutes) || read_duration(s, &minutes))
		v->out = v->c->host->of_i64(v->c, minutes);
	else
		v->fault = KL_LIT("is no length of time");
}
