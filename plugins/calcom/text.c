/* text.c - words, numbers, instants and query strings for both Cal.com plugins.
 * Pure: reads what it is given, writes only to the arena of the call. Runs on any thread. */
#include "calcom.h"

static const kl_str nothing = {0, 0, 0};

kl_str cal_text(kl_call *c, const kl_val *v, const char *path)
{
	const kl_val *found = c->host->find(v, path);
	uint32_t type = c->host->type(found);
	if (type != KL_TEXT && type != KL_NUMBER && type != KL_BOOL)
		return nothing;
	kl_str s = c->host->text(found);
	return s.len ? s : nothing;
}

kl_str cal_first(kl_call *c, const kl_val *v, const char *const *paths, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		kl_str s = cal_text(c, v, paths[i]);
		if (s.ptr)
			return s;
	}
	return nothing;
}

int cal_same(kl_str a, kl_str b)
{
	return a.ptr && b.ptr && a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0;
}

static char lower(char ch)
{
	return ch >= 'A' && ch <= 'Z' ? (char)(ch + 32) : ch;
}

static int is_digit(char ch)
{
	return ch >= '0' && ch <= '9';
}

int cal_same_fold(kl_str a, kl_str b)
{
	if (!a.ptr || !b.ptr || a.len != b.len)
		return 0;
	for (uint32_t i = 0; i < a.len; i++)
		if (lower(a.ptr[i]) != lower(b.ptr[i]))
			return 0;
	return 1;
}

/* The next digit at or after *i, or 0 at the end. */
static char next_digit(kl_str s, uint32_t *i)
{
	while (*i < s.len && !is_digit(s.ptr[*i]))
		(*i)++;
	return *i < s.len ? s.ptr[(*i)++] : 0;
}

int cal_same_digits(kl_str a, kl_str b)
{
	uint32_t i = 0, j = 0, seen = 0;
	if (!a.ptr || !b.ptr)
		return 0;
	for (;;) {
		char x = next_digit(a, &i), y = next_digit(b, &j);
		if (x != y)
			return 0;
		if (!x)
			return seen > 0;
		seen++;
	}
}

kl_str cal_lower(kl_call *c, kl_str s)
{
	char *p = s.ptr ? c->host->alloc(c, (uint64_t)s.len + 1) : 0;
	if (!p)
		return nothing;
	for (uint32_t i = 0; i < s.len; i++)
		p[i] = lower(s.ptr[i]);
	return (kl_str){p, s.len, 0};
}

int cal_ends(kl_str s, const char *tail)
{
	size_t n = strlen(tail);
	return s.ptr && s.len >= n && memcmp(s.ptr + s.len - n, tail, n) == 0;
}

kl_str cal_digits(kl_call *c, int64_t n)
{
	return c->host->text(c->host->of_i64(c, n)); /* no 64-bit division on small machines */
}

int cal_id(kl_str s, int64_t *n)
{
	int64_t value = 0;
	if (!s.ptr || s.len < 1 || s.len > 18)
		return 0;
	for (uint32_t i = 0; i < s.len; i++) {
		if (!is_digit(s.ptr[i]))
			return 0;
		value = value * 10 + (s.ptr[i] - '0');
	}
	*n = value;
	return value > 0;
}

kl_str cal_escape(kl_call *c, kl_str s)
{
	return c->host->encode(c, "percent", s);
}

kl_str cal_query(kl_call *c, kl_str url, const char *name, kl_str value)
{
	if (!value.ptr || !value.len)
		return url;
	return KL_CAT(c, url, kl_contains(url, "?") ? KL_LIT("&") : KL_LIT("?"), kl_s(name),
		KL_LIT("="), cal_escape(c, value));
}

/* A word that might say who, when or which booking; what is not ASCII is a name, or no text. */
static int is_telling(const char *word, uint32_t len)
{
	uint32_t digits = 0;
	for (uint32_t i = 0; i < len; i++) {
		if (word[i] == '@' || (unsigned char)word[i] < 32 || (unsigned char)word[i] > 126)
			return 1;
		digits += is_digit(word[i]) ? 1 : 0;
	}
	/* uids are 20 or more letters and digits; the names of errors are long, but have "_" */
	return digits >= 5 || (len >= 18 && !memchr(word, '_', len));
}

kl_str cal_harmless(kl_call *c, kl_str s)
{
	const uint32_t max = 160;
	char *out = s.ptr ? c->host->alloc(c, max + 8) : 0;
	uint32_t n = 0, i = 0;
	while (out && i < s.len && n < max) {
		uint32_t from = i;
		while (i < s.len && s.ptr[i] != ' ')
			i++;
		uint32_t len = i - from;
		if (is_telling(s.ptr + from, len)) {
			memcpy(out + n, "..", 2);
			n += 2;
		} else if (n + len <= max) {
			memcpy(out + n, s.ptr + from, len);
			n += len;
		} else {
			break;
		}
		if (i < s.len)
			out[n++] = s.ptr[i++];
	}
	return out ? (kl_str){out, n, 0} : nothing;
}

static const kl_time1 *clock_of(kl_call *c)
{
	return (const kl_time1 *)c->host->extension("kl.time/1");
}

int cal_parse(kl_call *c, kl_str text, const char *zone, int64_t *ms)
{
	const kl_time1 *t = clock_of(c);
	return t && text.ptr && text.len && t->parse(c, text, zone, ms) == 1;
}

kl_str cal_print(kl_call *c, int64_t ms)
{
	const kl_time1 *t = clock_of(c);
	return t ? t->print(c, ms, 0) : nothing;
}

int cal_zone_known(kl_call *c, const char *zone)
{
	const kl_time1 *t = clock_of(c);
	kl_civil day = {.size = sizeof(day)};
	return t && zone && *zone && t->civil(c, zone, c->now_ms, &day) == 1;
}

int64_t cal_midnight(kl_call *c, const char *zone, int64_t ms, int32_t days)
{
	const kl_time1 *t = clock_of(c);
	kl_civil day = {.size = sizeof(day)};
	int64_t at = ms;
	/* Noon plus n times 24 h is on the right date whatever the clocks do that week. */
	if (!t || t->civil(c, zone, ms, &day) != 1)
		return ms;
	day.hour = 12;
	day.minute = day.second = 0;
	if (t->instant(c, zone, &day, &at) < 0)
		return ms;
	if (t->civil(c, zone, at + days * CAL_DAY, &day) != 1)
		return ms;
	day.hour = day.minute = day.second = 0;
	return t->instant(c, zone, &day, &at) < 0 ? ms : at;
}
