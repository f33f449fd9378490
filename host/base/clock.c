/* clock.c - the two clocks, and instants as text. Never reads the C library's zone. Any thread. */
#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/zone_rule.h"

int64_t clock_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t clock_mono_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_mono_ms(void)
{
	return clock_mono_us() / 1000;
}

/* ---- reading ------------------------------------------------------------------------------ */

struct reader {
	const char *at, *end;
};

static bool take_digits(struct reader *r, int count, int *value)
{
	int n = 0;

	if (r->end - r->at < count)
		return false;
	while (count--) {
		char c = *r->at++;
		if (c < '0' || c > '9')
			return false;
		n = 10 * n + (c - '0');
	}
	*value = n;
	return true;
}

static bool take(struct reader *r, const char *any)
{
	if (r->at == r->end || !*r->at || !strchr(any, *r->at))
		return false;
	r->at++;
	return true;
}

/* 2026-11-26 or 20261126 */
static bool read_date(struct reader *r, struct civil *c)
{
	bool dashes;

	if (!take_digits(r, 4, &c->year))
		return false;
	dashes = take(r, "-");
	if (!take_digits(r, 2, &c->month))
		return false;
	if (dashes && !take(r, "-"))
		return false;
	return take_digits(r, 2, &c->day);
}

static bool read_fraction(struct reader *r, int *ms)
{
	int digits = 0, unit = 100;

	*ms = 0;
	if (!take(r, ".,"))
		return true;
	while (r->at < r->end && *r->at >= '0' && *r->at <= '9') {
		*ms += unit * (*r->at++ - '0');
		unit /= 10;
		digits++;
	}
	return digits > 0;
}

/* 16:15, 16:15:00, 16:15:00.123, 161500 */
static bool read_time(struct reader *r, struct civil *c, int *ms)
{
	bool colons;

	*ms = 0;
	if (!take_digits(r, 2, &c->hour))
		return false;
	colons = take(r, ":");
	if (!take_digits(r, 2, &c->minute))
		return false;
	if (colons ? !take(r, ":") : r->at == r->end || *r->at < '0' || *r->at > '9')
		return true;
	return take_digits(r, 2, &c->second) && read_fraction(r, ms);
}

/* Z, +01:00, +0100, +01; nothing: *found stays false. */
static bool read_offset(struct reader *r, bool *found, int *offset_s)
{
	int sign, hours, minutes = 0;

	*offset_s = 0;
	*found = r->at < r->end;
	if (!*found || take(r, "Zz"))
		return true;
	sign = *r->at == '-' ? -1 : 1;
	if (!take(r, "+-") || !take_digits(r, 2, &hours))
		return false;
	if (take(r, ":") || r->at < r->end)
		if (!take_digits(r, 2, &minutes))
			return false;
	*offset_s = sign * (hours * 3600 + minutes * 60);
	return hours <= 23 && minutes <= 59;
}

static bool is_civil(const struct civil *c)
{
	return c->month >= 1 && c->month <= 12 && c->day >= 1 &&
	       c->day <= zone_month_len(c->year, c->month) && c->hour <= 23 && c->minute <= 59 &&
	       c->second <= 60;
}

bool clock_parse(struct str text, const struct zone *zone, int64_t *ms)
{
	struct reader r = {text.ptr, text.ptr};
	struct civil c = {0};
	bool has_offset = false;
	int fraction = 0, offset_s = 0;
	int64_t instant;

	if (!text.ptr) /* NULL + 0 is undefined */
		return false;
	r.end += text.len;
	if (!read_date(&r, &c))
		return false;
	if (take(&r, "Tt ") &&
		(!read_time(&r, &c, &fraction) || !read_offset(&r, &has_offset, &offset_s)))
		return false;
	if (r.at != r.end || !is_civil(&c))
		return false;
	if (has_offset)
		instant = (zone_days(c.year, c.month, c.day) * 86400 + c.hour * 3600 +
				  c.minute * 60 + c.second - offset_s) *
			  1000;
	else if (!zone || zone_instant(zone, &c, &instant) < 0)
		return false;
	*ms = instant + fraction;
	return true;
}

/* ---- writing ------------------------------------------------------------------------------ */

struct broken { /* an instant taken apart in some offset */
	int64_t year;
	int month, day, hour, minute, second, ms;
};

static struct broken break_down(int64_t ms, int offset_s)
{
	struct broken b;
	int64_t days;
	int rest;

	ms += (int64_t)offset_s * 1000;
	days = ms / 86400000 - (ms % 86400000 < 0);
	rest = (int)(ms - days * 86400000);
	zone_date_of(days, &b.year, &b.month, &b.day);
	b.hour = rest / 3600000;
	b.minute = rest / 60000 % 60;
	b.second = rest / 1000 % 60;
	b.ms = rest % 1000;
	return b;
}

static int print_local(char *out, size_t size, const struct broken *b)
{
	return snprintf(out, size, "%04" PRId64 "-%02d-%02dT%02d:%02d:%02d", b->year, b->month,
		b->day, b->hour, b->minute, b->second);
}

/* Beyond four digits a year is not RFC 3339 any more. */
static int64_t clamp(int64_t ms)
{
	const int64_t least = INT64_C(-62167219200000), most = INT64_C(253402300799999);

	return ms < least ? least : ms > most ? most : ms;
}

size_t clock_write(char out[CLOCK_TEXT + 8], int64_t ms, const struct zone *zone)
{
	int offset_s = 0, len;
	struct broken b;

	ms = clamp(ms);
	if (zone) /* RFC 3339 has no seconds in offsets, some zones before 1972 had */
		offset_s = zone_civil(zone, ms).offset_s / 60 * 60;
	b = break_down(ms, offset_s);
	len = print_local(out, CLOCK_TEXT + 8, &b);
	if (b.ms)
		len += snprintf(out + len, CLOCK_TEXT + 8 - (size_t)len, ".%03d", b.ms);
	if (!zone)
		len += snprintf(out + len, CLOCK_TEXT + 8 - (size_t)len, "Z");
	else
		len += snprintf(out + len, CLOCK_TEXT + 8 - (size_t)len, "%c%02d:%02d",
			offset_s < 0 ? '-' : '+', abs(offset_s) / 3600, abs(offset_s) / 60 % 60);
	return (size_t)len;
}

struct str clock_print(struct arena *arena, int64_t ms, const struct zone *zone_or_null)
{
	char text[CLOCK_TEXT + 8];
	size_t len = clock_write(text, ms, zone_or_null);

	return str_dup(arena, (struct str){text, len});
}

void clock_utc(char out[CLOCK_TEXT], int64_t ms)
{
	struct broken b = break_down(clamp(ms), 0);
	int len = print_local(out, CLOCK_TEXT, &b);

	snprintf(out + len, CLOCK_TEXT - (size_t)len, ".%03dZ", b.ms);
}
