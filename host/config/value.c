/* value.c - single words to numbers, durations, sizes, addresses. Pure functions; any thread. */
#include "config/internal.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' ||
	       c == '-';
}

bool str_name_ok(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_name_char(s.ptr[i]))
			return false;
	return s.len > 0 && s.len <= NAME_MAX_LEN;
}

static bool separates(char c)
{
	return c == ' ' || c == '\t' || c == ',' || c == '\n';
}

bool str_word(struct str *rest, struct str *word)
{
	while (rest->len && separates(*rest->ptr))
		rest->ptr++, rest->len--;
	*word = (struct str){rest->ptr, 0};
	if (!rest->len)
		return false;
	while (word->len < rest->len && !separates(word->ptr[word->len]))
		word->len++;
	rest->ptr += word->len;
	rest->len -= word->len;
	return true;
}

/* Digits in front of s, at most 15 of them, so that nothing overflows later. */
static bool take_digits(struct str *s, int64_t *out)
{
	size_t i = 0;

	*out = 0;
	for (; i < s->len && is_digit(s->ptr[i]); i++) {
		if (i == 15)
			return false;
		*out = *out * 10 + (s->ptr[i] - '0');
	}
	s->ptr += i;
	s->len -= i;
	return i > 0;
}

bool parse_int(struct str s, int64_t *out)
{
	bool minus = s.len && *s.ptr == '-';

	if (minus)
		s.ptr++, s.len--;
	if (!take_digits(&s, out) || s.len)
		return false;
	if (minus)
		*out = -*out;
	return true;
}

/* ---- Units -------------------------------------------------------------------------------- */

struct unit {
	const char *name;
	int64_t factor;
};

static int64_t take_unit(struct str *s, const struct unit *units, size_t count)
{
	size_t len = 0;

	while (len < s->len && !is_digit(s->ptr[len]))
		len++;
	for (size_t i = 0; i < count; i++)
		if (str_is((struct str){s->ptr, len}, units[i].name)) {
			s->ptr += len;
			s->len -= len;
			return units[i].factor;
		}
	return 0;
}

#define COUNT(a) (sizeof(a) / sizeof(*(a)))
#define LONGEST_MS (3660LL * 24 * 3600 * 1000) /* ten years */

bool parse_ms(struct str s, int64_t *out)
{
	static const struct unit units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000},
		{"d", 86400000}, {"w", 604800000}};
	int64_t n, factor;

	*out = 0;
	if (str_is(s, "0"))
		return true;
	do {
		if (!take_digits(&s, &n))
			return false;
		factor = take_unit(&s, units, COUNT(units));
		if (!factor || n > LONGEST_MS / factor)
			return false;
		*out += n * factor;
	} while (s.len && *out <= LONGEST_MS);
	return *out <= LONGEST_MS;
}

bool parse_bytes(struct str s, int64_t *out)
{
	static const struct unit units[] = {{"", 1}, {"B", 1}, {"K", 1 << 10}, {"k", 1 << 10},
		{"KB", 1 << 10}, {"kB", 1 << 10}, {"KiB", 1 << 10}, {"M", 1 << 20}, {"MB", 1 << 20},
		{"MiB", 1 << 20}, {"G", 1 << 30}, {"GB", 1 << 30}, {"GiB", 1 << 30}};
	int64_t factor;

	if (!take_digits(&s, out))
		return false;
	factor = take_unit(&s, units, COUNT(units));
	if (!factor || s.len || *out > (INT64_C(1) << 50) / factor)
		return false;
	*out *= factor;
	return true;
}

bool parse_rate(struct str s, struct config_rate *out)
{
	static const struct unit units[] = {{"/s", 1000}, {"/sec", 1000}, {"/second", 1000},
		{"/m", 60000}, {"/min", 60000}, {"/minute", 60000}, {"/h", 3600000},
		{"/hour", 3600000}, {"/d", 86400000}, {"/day", 86400000}};

	if (!take_digits(&s, &out->count) || out->count < 1 || out->count > 1000000)
		return false;
	out->per_ms = take_unit(&s, units, COUNT(units));
	return out->per_ms && !s.len;
}

bool parse_bool(struct str s, bool *out)
{
	static const char *const words[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};

	for (size_t i = 0; i < COUNT(words); i++)
		if (str_is(s, words[i])) {
			*out = i & 1;
			return true;
		}
	return false;
}

bool parse_choice(struct str s, const char *choices, int *out)
{
	struct str rest = str_of(choices), word;

	*out = 0;
	while (str_word(&rest, &word)) {
		if (str_is(word, "|"))
			continue;
		if (str_eq(word, s))
			return true;
		++*out;
	}
	return false;
}

/* Enough to catch a slip; what it leads to is transfer's business. */
bool parse_url(struct str s)
{
	static const char *const schemes[] = {"https://", "http://"};

	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.ptr[i] <= ' ')
			return false;
	for (size_t i = 0; i < COUNT(schemes); i++) {
		size_t n = strlen(schemes[i]);
		if (s.len > n && memcmp(s.ptr, schemes[i], n) == 0)
			return s.ptr[n] != '/' && s.ptr[n] != ':' && s.ptr[n] != '?';
	}
	return false;
}

static bool is_address(struct str s, int *bits)
{
	char text[INET6_ADDRSTRLEN];
	unsigned char address[16];

	if (!s.len || s.len >= sizeof(text))
		return false;
	memcpy(text, s.ptr, s.len);
	text[s.len] = '\0';
	*bits = 32;
	if (inet_pton(AF_INET, text, address) == 1)
		return true;
	*bits = 128;
	return inet_pton(AF_INET6, text, address) == 1;
}

static bool is_host(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_name_char(s.ptr[i]) && s.ptr[i] != '.')
			return false;
	return s.len > 0 && s.len < 254 && s.ptr[0] != '.' && s.ptr[0] != '-';
}

/* host:port, [v6]:port; port 1 (or from) to 65535 */
static bool split_port(struct str s, struct str *host, int64_t *port)
{
	const char *colon = memrchr(s.ptr, ':', s.len);

	if (!colon ||
		!parse_int((struct str){colon + 1, (size_t)(s.ptr + s.len - colon) - 1}, port) ||
		*port < 0 || *port > 65535)
		return false;
	*host = (struct str){s.ptr, (size_t)(colon - s.ptr)};
	return true;
}

static bool unbracket(struct str *host)
{
	int bits;

	if (host->len < 3 || host->ptr[0] != '[' || host->ptr[host->len - 1] != ']')
		return false;
	host->ptr++;
	host->len -= 2;
	return is_address(*host, &bits) && bits == 128;
}

bool parse_net(struct str s)
{
	const char *slash = s.len ? memchr(s.ptr, '/', s.len) : NULL;
	struct str host = s;
	int64_t prefix, port;
	int bits;

	if (slash) {
		host.len = (size_t)(slash - s.ptr);
		return is_address(host, &bits) &&
		       parse_int((struct str){slash + 1, s.len - host.len - 1}, &prefix) &&
		       prefix >= 0 && prefix <= bits;
	}
	if (is_address(s, &bits) || is_host(s))
		return true;
	return split_port(s, &host, &port) && port && (is_host(host) || unbracket(&host));
}

bool parse_listen(struct str s, bool *loopback)
{
	struct str host;
	int64_t port;
	int bits;

	*loopback = false;
	if (!s.len || !split_port(s, &host, &port))
		return false;
	if (!host.len)
		return true; /* ":8080", every address */
	if (unbracket(&host)) {
		*loopback = str_is(host, "::1");
		return true;
	}
	*loopback = str_is(host, "localhost") || (host.len > 4 && memcmp(host.ptr, "127.", 4) == 0);
	return str_is(host, "localhost") || (is_address(host, &bits) && bits == 32);
}

/* People write numbers with blanks and dashes; what providers send is E.164. */
bool parse_number(struct str s, char out[20])
{
	size_t len = 0;

	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];
		if (s.len - i > 2 && memcmp(s.ptr + i, "(0)", 3) == 0)
			i += 2; /* +49 (0) 30: dialled inland only */
		if (memchr(" -/().", s.ptr[i], 6))
			continue;
		if (len == 16 || !(is_digit(c) || (c == '+' && !len)))
			return false;
		out[len++] = c;
	}
	out[len] = '\0';
	return len >= 5 && out[0] == '+' && out[1] != '0';
}

/* ---- Times of day, money, addresses ------------------------------------------------------- */

/* "6", "06:00", "24:00" */
static bool take_clock(struct str *s, int32_t *minutes)
{
	int64_t hour, minute = 0;

	*s = str_trim(*s);
	if (!take_digits(s, &hour))
		return false;
	if (s->len && *s->ptr == ':') {
		s->ptr++, s->len--;
		if (s->len < 2 || !is_digit(s->ptr[0]) || !is_digit(s->ptr[1]) ||
			!take_digits(s, &minute))
			return false;
	}
	if (hour > 24 || minute > 59 || (hour == 24 && minute))
		return false;
	*minutes = (int32_t)(60 * hour + minute);
	*s = str_trim(*s);
	return true;
}

bool parse_span(struct str s, struct config_span *out)
{
	static const char dash[] = "\xe2\x80\x93"; /* what word processors make of a minus */

	if (!take_clock(&s, &out->from) || !s.len)
		return false;
	size_t len = s.len > 3 && memcmp(s.ptr, dash, 3) == 0 ? 3 : *s.ptr == '-';
	s.ptr += len;
	s.len -= len;
	return len && take_clock(&s, &out->to) && !s.len;
}

/* Those of countries whose money has hundredths; the rest would be off by a factor. */
static const char *currency_of(struct str s)
{
	static const char *const all[] = {
		"EUR", "CHF", "USD", "GBP", "PLN", "CZK", "DKK", "SEK", "NOK"};

	for (size_t i = 0; i < COUNT(all); i++)
		if (str_is(s, all[i]))
			return all[i];
	return str_is(s, "\xe2\x82\xac") ? "EUR" : NULL;
}

bool parse_price(struct str s, int64_t *minor, const char **currency)
{
	int64_t cents = 0;

	if (!take_digits(&s, minor) || *minor > 1000000000)
		return false;
	if (s.len && (*s.ptr == ',' || *s.ptr == '.')) {
		s.ptr++, s.len--;
		size_t before = s.len;
		if (!take_digits(&s, &cents) || before - s.len != 2)
			return false; /* "1.200" may be a thousand or one */
	}
	*minor = *minor * 100 + cents;
	*currency = currency_of(str_trim(s));
	return *currency != NULL;
}

bool parse_email(struct str s)
{
	const char *at = s.len ? memchr(s.ptr, '@', s.len) : NULL;
	struct str host = {at ? at + 1 : NULL, at ? (size_t)(s.ptr + s.len - at) - 1 : 0};

	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.ptr[i] <= ' ' || strchr("<>,;\"", s.ptr[i]))
			return false;
	return at && at > s.ptr && is_host(host) && memchr(host.ptr, '.', host.len) &&
	       host.ptr[host.len - 1] != '.';
}
