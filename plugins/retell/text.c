/* text.c - numbers, names, money and fingerprints.
 *
 * Never computes money in floating point and never reports a value it could not read: it says no.
 * Pure: runs on any thread. */
#include "retell.h"

kl_str retell_words(kl_call *c, const kl_val *v, const char *path)
{
	kl_str none = {0, 0, 0};
	const kl_val *found = c->host->find(v, path);
	kl_str s;
	if (c->host->type(found) != KL_TEXT)
		return none;
	s = c->host->text(found);
	return s.len ? s : none;
}

static int same_letters(kl_str s, const char *lower)
{
	size_t n = strlen(lower);
	if (s.len != n)
		return 0;
	for (size_t i = 0; i < n; i++) {
		char ch = s.ptr[i];
		if (ch >= 'A' && ch <= 'Z')
			ch = (char)(ch + 32);
		if (ch != lower[i])
			return 0;
	}
	return 1;
}

int retell_is_placeholder(kl_str s)
{
	static const char *const words[] = {"none", "null", "undefined", "unknown", "current",
		"current_call", "dummy_call_id", "n/a", "caller_number", "caller_phone_number"};
	if (!s.ptr || !s.len || kl_contains(s, "{{"))
		return 1;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (same_letters(s, words[i]))
			return 1;
	return 0;
}

kl_str retell_real(kl_call *c, const kl_val *v, const char *path)
{
	kl_str none = {0, 0, 0};
	kl_str s = kl_text(c, v, path);
	return retell_is_placeholder(s) ? none : s;
}

const kl_val *retell_member(kl_call *c, const kl_val *object, kl_str name)
{
	char *p = c->host->alloc(c, (uint64_t)name.len * 2 + 2);
	char *end = p;
	if (!p || !name.ptr)
		return NULL;
	*end++ = '/';
	for (uint32_t i = 0; i < name.len; i++) {
		char ch = name.ptr[i];
		*end++ = ch == '~' || ch == '/' ? '~' : ch;
		if (ch == '~' || ch == '/')
			*end++ = ch == '~' ? '0' : '1';
	}
	return c->host->find(object, p);
}

static int is_digit(char ch)
{
	return ch >= '0' && ch <= '9';
}

int retell_is_e164(kl_str s)
{
	if (!s.ptr || s.len < 8 || s.len > 16 || s.ptr[0] != '+' || s.ptr[1] == '0')
		return 0;
	for (uint32_t i = 1; i < s.len; i++)
		if (!is_digit(s.ptr[i]))
			return 0;
	return 1;
}

kl_str retell_digits(kl_call *c, int64_t n)
{
	return c->host->text(c->host->of_i64(c, n));
}

static const int64_t YEAR_2001_MS = INT64_C(1000000000000); /* in seconds it is far off still */
static const int64_t YEAR_10000_MS = INT64_C(253402300800000);

int64_t retell_ms(kl_call *c, const kl_val *v, const char *path)
{
	int64_t ms = kl_i64(c, v, path, 0);
	if (ms >= YEAR_2001_MS && ms < YEAR_10000_MS)
		return ms;
	if (ms > 0)
		c->host->log(c, 2,
			KL_CAT(c, kl_s(path), KL_LIT(" is no time in milliseconds: left out")).ptr);
	return 0;
}

/* Lower case for ASCII and for the umlauts that German dashboards are full of. */
static void lower_in_place(char *p, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++) {
		unsigned char next = i + 1 < len ? (unsigned char)p[i + 1] : 0;
		if (p[i] >= 'A' && p[i] <= 'Z')
			p[i] = (char)(p[i] + 32);
		else if ((unsigned char)p[i] == 0xc3 &&
			 (next == 0x84 || next == 0x96 || next == 0x9c))
			p[i + 1] = (char)(next + 0x20);
	}
}

kl_str retell_lower(kl_call *c, kl_str s)
{
	kl_str out = kl_slice(c, s, 0, s.len);
	char *p;
	if (!out.ptr || !(p = c->host->alloc(c, (uint64_t)out.len + 1)))
		return out;
	memcpy(p, out.ptr, out.len);
	lower_in_place(p, out.len);
	out.ptr = p;
	return out;
}

static int separates(char ch)
{
	return ch == ' ' || ch == '\t' || ch == ':' || ch == '_';
}

kl_str retell_plain_name(kl_call *c, kl_str name)
{
	kl_str out = {0, 0, 0};
	char *p;
	uint32_t n = 0;
	if (!name.ptr || !(p = c->host->alloc(c, (uint64_t)name.len + 1)))
		return out;
	for (uint32_t i = 0; i < name.len; i++) {
		if (!separates(name.ptr[i]))
			p[n++] = name.ptr[i];
		else if (n && p[n - 1] != '_')
			p[n++] = '_';
	}
	if (n && p[n - 1] == '_')
		p[--n] = 0;
	lower_in_place(p, n);
	out.ptr = p;
	out.len = n;
	return out;
}

/* ---- Money ---- */

struct decimal {
	kl_str digits;  /* what is left of the exponent */
	int32_t places; /* digits after the point, less the exponent */
};

static int read_exponent(kl_str s, uint32_t at, int32_t *exponent)
{
	int32_t n = 0;
	int negative = at < s.len && s.ptr[at] == '-';
	if (at < s.len && (s.ptr[at] == '-' || s.ptr[at] == '+'))
		at++;
	if (at >= s.len || s.len - at > 3)
		return 0;
	for (; at < s.len; at++) {
		if (!is_digit(s.ptr[at]))
			return 0;
		n = n * 10 + (s.ptr[at] - '0');
	}
	*exponent = negative ? -n : n;
	return 1;
}

static int split_decimal(kl_str s, struct decimal *out)
{
	int32_t exponent = 0, places = 0;
	uint32_t i = 0;
	int point = 0;
	for (; i < s.len && s.ptr[i] != 'e' && s.ptr[i] != 'E'; i++) {
		if (s.ptr[i] == '.' && !point)
			point = 1;
		else if (!is_digit(s.ptr[i]))
			return 0;
		else
			places += point;
	}
	if (i == 0 || (i < s.len && !read_exponent(s, i + 1, &exponent)))
		return 0;
	out->digits.ptr = s.ptr;
	out->digits.len = i;
	out->places = places - exponent;
	return 1;
}

/* The first keep digits as a number, rounded by the one after them. */
static int leading_digits(kl_str digits, int32_t keep, int64_t *out)
{
	int64_t n = 0;
	int32_t seen = 0;
	for (uint32_t i = 0; i < digits.len && seen <= keep; i++) {
		int32_t digit = digits.ptr[i] - '0';
		if (digits.ptr[i] == '.')
			continue;
		if (seen++ == keep)
			n += digit >= 5;
		else if (n > INT64_MAX / 100)
			return 0;
		else
			n = n * 10 + digit;
	}
	*out = n;
	return 1;
}

/* A cent is 10,000 micro-dollars: the number grows by four places, further ones are rounded. */
int retell_micro_usd(kl_str cents, int64_t *micro)
{
	struct decimal d;
	int32_t count = 0, grow;
	if (!cents.ptr || !split_decimal(cents, &d))
		return 0;
	for (uint32_t i = 0; i < d.digits.len; i++)
		count += d.digits.ptr[i] != '.';
	grow = 4 - d.places;
	if (!leading_digits(d.digits, grow < 0 ? count + grow : count, micro))
		return 0;
	for (; grow > 0; grow--) {
		if (*micro > INT64_MAX / 100)
			return 0;
		*micro *= 10;
	}
	return 1;
}

/* ---- Fingerprints ---- */

enum { DIGEST = 32, DEEPEST = 32 };

static kl_str fingerprint(kl_call *c, const kl_val *v, uint32_t depth);

/* Members are added up lane by lane, so their order does not matter: the vendor's webhook and its
 * REST answer need not agree on it. */
static kl_str of_members(kl_call *c, const kl_val *object, uint32_t depth)
{
	uint64_t sum[DIGEST / 8] = {0}, lanes[DIGEST / 8];
	kl_str key, all = {(const char *)sum, sizeof(sum), 0};
	for (uint32_t i = 0; i < c->host->count(object); i++) {
		const kl_val *member = c->host->at(object, i, &key);
		kl_str inner = fingerprint(c, member, depth + 1);
		kl_str both = c->host->hash(c, "sha256", KL_CAT(c, key, KL_LIT("\0"), inner));
		if (both.len != DIGEST)
			continue;
		memcpy(lanes, both.ptr, DIGEST);
		for (uint32_t k = 0; k < DIGEST / 8; k++)
			sum[k] += lanes[k];
	}
	return c->host->hash(c, "sha256", KL_CAT(c, KL_LIT("o"), all));
}

static kl_str of_items(kl_call *c, const kl_val *array, uint32_t depth)
{
	uint32_t n = c->host->count(array);
	char *all = c->host->alloc(c, (uint64_t)n * DIGEST + 1);
	kl_str joined = {all, all ? n * DIGEST : 0, 0};
	for (uint32_t i = 0; all && i < n; i++) {
		kl_str inner = fingerprint(c, c->host->at(array, i, NULL), depth + 1);
		if (inner.len == DIGEST)
			memcpy(all + (size_t)i * DIGEST, inner.ptr, DIGEST);
	}
	return c->host->hash(c, "sha256", KL_CAT(c, KL_LIT("a"), joined));
}

static kl_str fingerprint(kl_call *c, const kl_val *v, uint32_t depth)
{
	uint32_t type = c->host->type(v);
	if (type == KL_OBJECT && depth < DEEPEST)
		return of_members(c, v, depth);
	if (type == KL_ARRAY && depth < DEEPEST)
		return of_items(c, v, depth);
	return c->host->hash(c, "sha256", c->host->to_json(c, v));
}

kl_str retell_fingerprint(kl_call *c, const kl_val *v)
{
	kl_str hex = c->host->encode(c, "hex", fingerprint(c, v, 0));
	return hex.len > 32 ? kl_slice(c, hex, 0, 32) : hex;
}
