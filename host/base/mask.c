/* mask.c - see mask.h. Never guesses a name in free text: who writes one there must not log it. Any
 * thread. */
#include "base/mask.h"

#include <ctype.h>
#include <string.h>

#include "base/id.h"

/* ---- one ---------------------------------------------------------------------------------- */

static bool is_number(struct str s)
{
	size_t i, digits = 0;

	for (i = 0; i < s.len; i++)
		if (s.ptr[i] >= '0' && s.ptr[i] <= '9')
			digits++;
		else if (!strchr("+-/() .", s.ptr[i]) || !s.ptr[i])
			return false;
	return digits > 0;
}

static size_t append(char *out, size_t at, const char *bytes, size_t n)
{
	if (n > MASK_MAX - at)
		n = MASK_MAX - at;
	memcpy(out + at, bytes, n);
	return at + n;
}

static size_t mask_number(char *out, struct str s)
{
	char last[2];
	size_t i = s.len, kept = 0, digits = 0, n;

	for (n = 0; n < s.len; n++)
		digits += s.ptr[n] >= '0' && s.ptr[n] <= '9';
	n = append(out, 0, "***", 3);
	while (digits > 4 && i-- && kept < 2) /* of a short one, two digits are half of it */
		if (s.ptr[i] >= '0' && s.ptr[i] <= '9')
			last[1 - kept++] = s.ptr[i];
	return kept == 2 ? append(out, n, last, 2) : n;
}

static size_t mask_names(char *out, struct str s)
{
	size_t i = 0, n = 0, len, words = 0;

	while (i < s.len) {
		len = str_utf8_len(s.ptr + i, s.len - i);
		if (s.ptr[i] == ' ' || !len) {
			i++;
			continue;
		}
		if (++words > 4)
			return append(out, n, " ...", 4);
		if (n)
			n = append(out, n, " ", 1);
		if (s.ptr[i] >= '0' && s.ptr[i] <= '9')
			n = append(out, n, "*", 1);
		else
			n = append(out, n, s.ptr + i, len);
		n = append(out, n, ".", 1);
		while (i < s.len && s.ptr[i] != ' ')
			i++;
	}
	return n;
}

size_t mask_one(char out[MASK_MAX], struct str s)
{
	const char *at = s.len ? memrchr(s.ptr, '@', s.len) : NULL;

	if (at) {
		size_t n = append(out, 0, "***", 3), domain = s.len - (size_t)(at - s.ptr);
		return domain <= 100 ? append(out, n, at, domain) : n;
	}
	return is_number(s) ? mask_number(out, s) : mask_names(out, s);
}

/* ---- in a text ---------------------------------------------------------------------------- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	       (unsigned char)c >= 0x80;
}

/* Digits and what people write between them; ends with a digit. */
static size_t number_span(struct str text, size_t at, size_t *digits)
{
	size_t i = at + (text.ptr[at] == '+'), end = at, gap = 0;

	for (*digits = 0; i < text.len && gap < 4; i++) {
		if (is_digit(text.ptr[i])) {
			++*digits;
			end = i + 1;
			gap = 0;
		} else if (memchr(" -/().", text.ptr[i], 6)) {
			gap++;
		} else {
			break;
		}
	}
	return end - at;
}

/* An instant in ms has 13 digits and begins with 1, which no number does that has so many. */
static bool is_bare(struct str text, size_t at)
{
	size_t n = 0;

	while (at + n < text.len && is_digit(text.ptr[at + n]))
		n++;
	return n >= 11 && n <= 14 && text.ptr[at] != '1';
}

static bool is_id(const char *p)
{
	for (size_t i = 0; i < ID_TEXT - 1; i++)
		if (i == 8 || i == 13 || i == 18 || i == 23 ? p[i] != '-'
							    : !isxdigit((unsigned char)p[i]))
			return false;
	return true;
}

/* A group of an id may have digits only: it is no number, and people look for ids. */
static bool is_in_id(struct str text, size_t at)
{
	static const uint8_t groups[] = {0, 9, 14, 19, 24};

	for (size_t i = 0; i < sizeof(groups); i++)
		if (at >= groups[i] && at - groups[i] + ID_TEXT - 1 <= text.len &&
			is_id(text.ptr + at - groups[i]))
			return true;
	return false;
}

static size_t number_at(struct str text, size_t at)
{
	size_t digits, n, i = at;
	char c = text.ptr[at], next = at + 1 < text.len ? text.ptr[at + 1] : 0;

	if ((is_digit(c) || c == '+') && is_in_id(text, at))
		return 0;
	if (at && (is_word(text.ptr[at - 1]) || text.ptr[at - 1] == '.' || text.ptr[at - 1] == '+'))
		return 0;
	if (c == '+' && (is_digit(next) || next == ' ' || next == '('))
		n = number_span(text, at, &digits);
	else if (c == '0' && is_digit(next))
		n = number_span(text, at, &digits);
	else if (c == '(' && next == '0')
		n = number_span(text, at, &digits);
	else if (is_digit(c) && is_bare(text, at))
		for (n = digits = 0; i < text.len && is_digit(text.ptr[i]); i++)
			n = ++digits;
	else
		return 0;
	if (digits < 7 || digits > 17 || (at + n < text.len && is_word(text.ptr[at + n])))
		return 0;
	return n;
}

static bool is_local(char c)
{
	return is_word(c) || (c && memchr(".%+-'", c, 5));
}

/* "@", or as it stands in URLs. */
static size_t at_sign(struct str text, size_t i)
{
	if (i < text.len && text.ptr[i] == '@')
		return 1;
	return i + 3 <= text.len && memcmp(text.ptr + i, "%40", 3) == 0 ? 3 : 0;
}

static size_t domain_span(struct str text, size_t at)
{
	size_t i = at, end = at, dots = 0;

	for (; i < text.len && (is_word(text.ptr[i]) || text.ptr[i] == '-' || text.ptr[i] == '.');
		i++) {
		dots += text.ptr[i] == '.' && i > at;
		if (is_word(text.ptr[i]))
			end = i + 1;
	}
	return dots ? end - at : 0;
}

static size_t address_at(struct str text, size_t at, size_t *domain)
{
	size_t i = at, sign, span;

	if ((at && is_local(text.ptr[at - 1])) || !is_local(text.ptr[at]))
		return 0;
	while (i < text.len && is_local(text.ptr[i]) && !at_sign(text, i))
		i++;
	sign = i > at ? at_sign(text, i) : 0;
	span = sign ? domain_span(text, i + sign) : 0;
	*domain = i + sign;
	return span ? *domain + span - at : 0;
}

/* Where the value of a member begins, if its key at `at` is one of a name; 0: it is not. Quotes may
 * be escaped, when JSON lies in JSON. */
static size_t name_value_at(struct str text, size_t at)
{
	static const char *const keys[] = {"name", "first_name", "last_name", "firstName",
		"lastName", "full_name", "fullName", "vorname", "nachname", "_name", "caller_name",
		"customer_name", "kundenname", "patient_name", "attendee_name", "anrede_name"};
	size_t i, n, at_value;

	if (text.ptr[at] != '"')
		return 0;
	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		n = strlen(keys[i]);
		if (at + 1 + n >= text.len || memcmp(text.ptr + at + 1, keys[i], n) != 0)
			continue;
		at_value = at + 1 + n;
		at_value += text.ptr[at_value] == '\\';
		if (at_value >= text.len || text.ptr[at_value++] != '"')
			continue;
		while (at_value < text.len && memchr(" :\\", text.ptr[at_value], 3))
			at_value++;
		if (at_value < text.len && text.ptr[at_value] == '"')
			return at_value + 1;
	}
	return 0;
}

/* The quote before `at` opens the value of a name. */
static bool opens_name(struct str text, size_t at)
{
	size_t i, begin = at > 64 ? at - 64 : 0;

	if (!at || text.ptr[at - 1] != '"')
		return false;
	for (i = at - 1; i-- > begin;)
		if (name_value_at(text, i) == at)
			return true;
	return false;
}

static size_t name_at(struct str text, size_t at)
{
	size_t n = 0;

	if (!opens_name(text, at))
		return 0;
	while (at + n < text.len && text.ptr[at + n] != '"' && text.ptr[at + n] != '\\')
		n++;
	return n;
}

size_t mask_at(struct str text, size_t at, char out[MASK_MAX], size_t *len)
{
	size_t domain, n;

	n = name_at(text, at);
	if (n) {
		*len = mask_one(out, (struct str){text.ptr + at, n});
		return n;
	}
	n = address_at(text, at, &domain);
	if (n) {
		*len = append(out, 0, "***@", 4);
		*len = append(out, *len, text.ptr + domain, at + n - domain);
		return n;
	}
	n = number_at(text, at);
	if (n)
		*len = mask_number(out, (struct str){text.ptr + at, n});
	return n;
}
