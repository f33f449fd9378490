/* text.c - trimming, folding and scanning of UTF-8 text.
 *
 * Knows German umlauts and no other letters beyond ASCII: folded text is for comparing, never for
 * showing. Pure: runs on any thread. */
#include "fields.h"

int fields_is_digit(char ch)
{
	return ch >= '0' && ch <= '9';
}

int fields_is_letter(char ch)
{
	return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (unsigned char)ch >= 0x80;
}

static int is_blank(char ch)
{
	return ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r';
}

/* A no-break space (U+00A0) is two bytes. */
static uint32_t blank_at(kl_str s, uint32_t at)
{
	if (at < s.len && is_blank(s.ptr[at]))
		return 1;
	return at + 1 < s.len && memcmp(s.ptr + at, "\xc2\xa0", 2) == 0 ? 2 : 0;
}

void fields_skip_blanks(kl_str s, uint32_t *at)
{
	uint32_t n;
	while ((n = blank_at(s, *at)) > 0)
		*at += n;
}

kl_str fields_trim(kl_call *c, kl_str s)
{
	uint32_t from = 0, to = s.len;
	fields_skip_blanks(s, &from);
	while (to > from) {
		if (is_blank(s.ptr[to - 1]))
			to--;
		else if (to - from >= 2 && memcmp(s.ptr + to - 2, "\xc2\xa0", 2) == 0)
			to -= 2;
		else
			break;
	}
	return kl_slice(c, s, from, to);
}

static const struct {
	const char *letter, *plain;
} umlauts[] = {
	{"\xc3\xa4", "ae"},
	{"\xc3\x84", "ae"},
	{"\xc3\xb6", "oe"},
	{"\xc3\x96", "oe"},
	{"\xc3\xbc", "ue"},
	{"\xc3\x9c", "ue"},
	{"\xc3\x9f", "ss"},
};

static const char *plain_umlaut(kl_str s, uint32_t at)
{
	for (size_t i = 0; at + 1 < s.len && i < sizeof(umlauts) / sizeof(umlauts[0]); i++)
		if (memcmp(s.ptr + at, umlauts[i].letter, 2) == 0)
			return umlauts[i].plain;
	return NULL;
}

kl_str fields_fold(kl_call *c, kl_str s)
{
	kl_str out = {0, 0, 0};
	kl_str t = fields_trim(c, s);
	char *p = c->host->alloc(c, (uint64_t)t.len + 1);
	uint32_t at = 0, n = 0, blank;
	if (!p || !t.ptr)
		return out;
	while (at < t.len) {
		const char *plain = plain_umlaut(t, at);
		if (plain) { /* two bytes for two bytes: never longer than what came */
			memcpy(p + n, plain, 2);
			n += 2;
			at += 2;
		} else if ((blank = blank_at(t, at)) > 0) {
			if (n && p[n - 1] != ' ')
				p[n++] = ' ';
			at += blank;
		} else {
			char ch = t.ptr[at++];
			p[n++] = ch >= 'A' && ch <= 'Z' ? (char)(ch + 32) : ch;
		}
	}
	out.ptr = p;
	out.len = n;
	return out;
}

uint32_t fields_read_number(kl_str s, uint32_t *at, uint32_t most, int32_t *out)
{
	uint32_t n = 0;
	*out = 0;
	while (*at + n < s.len && fields_is_digit(s.ptr[*at + n])) {
		if (++n > most)
			return 0;
		*out = *out * 10 + (s.ptr[*at + n - 1] - '0');
	}
	*at += n;
	return n;
}

kl_str fields_digits(kl_call *c, int64_t n)
{
	return c->host->text(c->host->of_i64(c, n));
}

kl_str fields_shorten(kl_call *c, kl_str s, uint32_t most)
{
	uint32_t end = most;
	if (s.len <= most)
		return s;
	while (end && ((unsigned char)s.ptr[end] & 0xc0) == 0x80)
		end--;
	return KL_CAT(c, kl_slice(c, s, 0, end), KL_LIT("..."));
}
