/* str.c - texts, the growing buffer, and the four encodings. Never interprets a locale. Any thread;
 * a buffer belongs to one at a time. */
#include "base/str.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

struct str str_of(const char *text)
{
	return (struct str){text, text ? strlen(text) : 0};
}

bool str_eq(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool str_is(struct str a, const char *text)
{
	return str_eq(a, str_of(text));
}

bool str_begins(struct str s, const char *with)
{
	size_t n = strlen(with);

	return s.len >= n && memcmp(s.ptr, with, n) == 0;
}

struct str str_dup(struct arena *arena, struct str s)
{
	char *copy = s.ptr ? arena_strndup(arena, s.ptr, s.len) : NULL;

	return (struct str){copy, copy ? s.len : 0};
}

struct str str_cat(struct arena *arena, const struct str *pieces, size_t count)
{
	size_t len = 0, done = 0;
	char *text;

	for (size_t i = 0; i < count; i++)
		len += pieces[i].len;
	text = arena_take(arena, len + 1);
	if (!text)
		return (struct str){0};
	for (size_t i = 0; i < count; i++) {
		if (pieces[i].len)
			memcpy(text + done, pieces[i].ptr, pieces[i].len);
		done += pieces[i].len;
	}
	text[len] = '\0';
	return (struct str){text, len};
}

/* Length of the well-formed sequence at p (Unicode table 3-7), 0 if there is none. */
size_t str_utf8_len(const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text;
	unsigned char low = 0x80, high = 0xbf;
	size_t n, i;

	if (!len)
		return 0;
	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (n > len)
		return 0;
	if (p[0] == 0xe0)
		low = 0xa0; /* overlong */
	else if (p[0] == 0xed)
		high = 0x9f; /* surrogates */
	else if (p[0] == 0xf0)
		low = 0x90; /* overlong */
	else if (p[0] == 0xf4)
		high = 0x8f; /* beyond U+10FFFF */
	if (p[1] < low || p[1] > high)
		return 0;
	for (i = 2; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

bool str_one_line(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

size_t str_utf8_span(struct str s)
{
	size_t i = 0, n;
	uint64_t word;

	while (i < s.len) {
		if (s.len - i >= 8) { /* eight plain bytes at once */
			memcpy(&word, s.ptr + i, 8);
			if (!(word & UINT64_C(0x8080808080808080))) {
				i += 8;
				continue;
			}
		}
		n = str_utf8_len(s.ptr + i, s.len - i);
		if (!n)
			break;
		i += n;
	}
	return i;
}

bool str_utf8_ok(struct str s)
{
	return str_utf8_span(s) == s.len;
}

#define NEAR_MAX 40

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static unsigned least(unsigned a, unsigned b, unsigned c)
{
	a = a < b ? a : b;
	return a < c ? a : c;
}

/* Edits (Levenshtein) from a to b, both at most NEAR_MAX long; upper and lower case are the same.
 */
static unsigned distance(struct str a, struct str b)
{
	unsigned row[NEAR_MAX + 1], before, above;
	size_t i, k;

	for (k = 0; k <= b.len; k++)
		row[k] = (unsigned)k;
	for (i = 1; i <= a.len; i++) {
		before = row[0];
		row[0] = (unsigned)i;
		for (k = 1; k <= b.len; k++) {
			above = row[k];
			row[k] = least(above + 1, row[k - 1] + 1,
				before + (lower(a.ptr[i - 1]) != lower(b.ptr[k - 1])));
			before = above;
		}
	}
	return row[b.len];
}

const char *str_nearest(struct str word, const char *const *names)
{
	unsigned edits, fewest = word.len < 3 ? 1 : word.len < 6 ? 2 : 3; /* more is no typo */
	const char *nearest = NULL;

	if (!word.len || word.len > NEAR_MAX)
		return NULL;
	for (; *names; names++) {
		struct str name = str_of(*names);
		if (name.len > NEAR_MAX)
			continue;
		edits = distance(word, name);
		if (edits < name.len && (edits < fewest || (edits == fewest && !nearest))) {
			fewest = edits;
			nearest = *names;
		}
	}
	return nearest;
}

/* ---- buf ---------------------------------------------------------------------------------- */

void buf_init(struct buf *buf, size_t max)
{
	*buf = (struct buf){.max = max};
}

void buf_finish(struct buf *buf)
{
	free(buf->ptr);
	*buf = (struct buf){.max = buf->max};
}

void buf_reset(struct buf *buf)
{
	buf->len = 0;
	buf->failed = false;
	if (buf->ptr)
		buf->ptr[0] = '\0';
}

void buf_drop(struct buf *buf, size_t n)
{
	assert(n <= buf->len);
	if (!n)
		return;
	buf->len -= n;
	memmove(buf->ptr, buf->ptr + n, buf->len + 1);
}

/* Room for n more bytes and the NUL. */
static bool reserve(struct buf *buf, size_t n)
{
	size_t want, cap = buf->cap ? buf->cap : 64;
	char *grown;

	if (buf->failed)
		return false;
	if (n > buf->max - buf->len || buf->max == SIZE_MAX) {
		buf->failed = true;
		return false;
	}
	want = buf->len + n + 1;
	if (want <= buf->cap)
		return true;
	while (cap < want)
		cap = cap > SIZE_MAX / 2 ? want : cap * 2;
	if (cap > buf->max + 1)
		cap = buf->max + 1;
	grown = realloc(buf->ptr, cap);
	if (!grown) {
		buf->failed = true;
		return false;
	}
	buf->ptr = grown;
	buf->cap = cap;
	return true;
}

void buf_add(struct buf *buf, const void *bytes, size_t n)
{
	if (!reserve(buf, n))
		return;
	if (n)
		memcpy(buf->ptr + buf->len, bytes, n);
	buf->len += n;
	buf->ptr[buf->len] = '\0';
}

void buf_add_str(struct buf *buf, struct str s)
{
	buf_add(buf, s.ptr, s.len);
}

void buf_add_text(struct buf *buf, const char *text)
{
	buf_add(buf, text, strlen(text));
}

void buf_printf(struct buf *buf, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	assert(len >= 0);
	if (!reserve(buf, (size_t)len))
		return;
	va_start(args, format);
	vsnprintf(buf->ptr + buf->len, (size_t)len + 1, format, args);
	va_end(args);
	buf->len += (size_t)len;
}

/* ---- encodings ---------------------------------------------------------------------------- */

static const char hex_digits[] = "0123456789abcdef";
static const char base64_std[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base64_url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static const struct str nothing;

int str_hex(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return -1;
}

static struct str done(char *out, size_t len)
{
	out[len] = '\0';
	return (struct str){out, len};
}

static struct str hex_encode(struct arena *arena, struct str in)
{
	char *out = in.len < SIZE_MAX / 2 ? arena_take(arena, 2 * in.len + 1) : NULL;
	size_t i;

	if (!out)
		return nothing;
	for (i = 0; i < in.len; i++) {
		out[2 * i] = hex_digits[(unsigned char)in.ptr[i] >> 4];
		out[2 * i + 1] = hex_digits[(unsigned char)in.ptr[i] & 15];
	}
	return done(out, 2 * in.len);
}

static struct str hex_decode(struct arena *arena, struct str in)
{
	char *out = in.len % 2 == 0 ? arena_take(arena, in.len / 2 + 1) : NULL;
	size_t i;

	if (!out)
		return nothing;
	for (i = 0; i < in.len; i += 2) {
		int high = str_hex(in.ptr[i]), low = str_hex(in.ptr[i + 1]);
		if (high < 0 || low < 0)
			return nothing;
		out[i / 2] = (char)(high << 4 | low);
	}
	return done(out, in.len / 2);
}

static struct str base64_encode(struct arena *arena, struct str in, const char *digits, bool pad)
{
	const unsigned char *p = (const unsigned char *)in.ptr;
	char *out = in.len < SIZE_MAX / 2 ? arena_take(arena, in.len / 3 * 4 + 5) : NULL;
	size_t i, n = 0, k;

	if (!out)
		return nothing;
	for (i = 0; i < in.len; i += 3) {
		size_t have = in.len - i < 3 ? in.len - i : 3;
		uint32_t v = (uint32_t)p[i] << 16;
		if (have > 1)
			v |= (uint32_t)p[i + 1] << 8;
		if (have > 2)
			v |= p[i + 2];
		for (k = 0; k < 4; k++)
			if (k <= have)
				out[n++] = digits[v >> (18 - 6 * k) & 63];
			else if (pad)
				out[n++] = '=';
	}
	return done(out, n);
}

static int base64_value(char c, const char *digits)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == digits[62])
		return 62;
	return c == digits[63] ? 63 : -1;
}

/* Without the padding already; bits that fit no byte must be zero, so that there is exactly one
 * text for each value. */
static struct str base64_decode(struct arena *arena, struct str in, const char *digits)
{
	char *out = in.len % 4 != 1 ? arena_take(arena, in.len / 4 * 3 + 3) : NULL;
	size_t i, n = 0;
	uint32_t v = 0;
	unsigned bits = 0;

	if (!out)
		return nothing;
	for (i = 0; i < in.len; i++) {
		int digit = base64_value(in.ptr[i], digits);
		if (digit < 0)
			return nothing;
		v = (v << 6 | (uint32_t)digit) & 0xffff;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			out[n++] = (char)(v >> bits & 0xff);
		}
	}
	if (v & ((1u << bits) - 1))
		return nothing;
	return done(out, n);
}

static bool base64_unpad(struct str *in)
{
	size_t pads = 0;

	if (in->len % 4)
		return false;
	while (pads < 2 && pads < in->len && in->ptr[in->len - 1 - pads] == '=')
		pads++;
	in->len -= pads;
	return true;
}

static bool is_unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_' || c == '~';
}

static struct str percent_encode(struct arena *arena, struct str in)
{
	char *out = in.len < SIZE_MAX / 4 ? arena_take(arena, 3 * in.len + 1) : NULL;
	size_t i, n = 0;

	if (!out)
		return nothing;
	for (i = 0; i < in.len; i++) {
		unsigned char c = (unsigned char)in.ptr[i];
		if (is_unreserved((char)c)) {
			out[n++] = (char)c;
			continue;
		}
		out[n++] = '%';
		out[n++] = "0123456789ABCDEF"[c >> 4];
		out[n++] = "0123456789ABCDEF"[c & 15];
	}
	return done(out, n);
}

static struct str percent_decode(struct arena *arena, struct str in)
{
	char *out = in.len < SIZE_MAX ? arena_take(arena, in.len + 1) : NULL;
	size_t i, n = 0;

	if (!out)
		return nothing;
	for (i = 0; i < in.len; i++) {
		int high, low;
		if (in.ptr[i] != '%') {
			out[n++] = in.ptr[i];
			continue;
		}
		if (in.len - i < 3)
			return nothing;
		high = str_hex(in.ptr[i + 1]);
		low = str_hex(in.ptr[i + 2]);
		if (high < 0 || low < 0)
			return nothing;
		out[n++] = (char)(high << 4 | low);
		i += 2;
	}
	return done(out, n);
}

struct str str_encode(struct arena *arena, const char *how, struct str in)
{
	if (!in.ptr)
		return nothing;
	if (strcmp(how, "hex") == 0)
		return hex_encode(arena, in);
	if (strcmp(how, "base64") == 0)
		return base64_encode(arena, in, base64_std, true);
	if (strcmp(how, "base64url") == 0)
		return base64_encode(arena, in, base64_url, false);
	if (strcmp(how, "percent") == 0)
		return percent_encode(arena, in);
	return nothing;
}

struct str str_decode(struct arena *arena, const char *how, struct str in)
{
	if (!in.ptr)
		return nothing;
	if (strcmp(how, "hex") == 0)
		return hex_decode(arena, in);
	if (strcmp(how, "base64") == 0)
		return base64_unpad(&in) ? base64_decode(arena, in, base64_std) : nothing;
	if (strcmp(how, "base64url") == 0)
		return base64_decode(arena, in, base64_url);
	if (strcmp(how, "percent") == 0)
		return percent_decode(arena, in);
	return nothing;
}
