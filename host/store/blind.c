/* blind.c - texts by which rows are found and that stand in clear, without the persons in them. A
 * number, an address or an id that holds one becomes a keyed code: the same for the same, so that
 * rows are still found and kept in order, and of no use to who has the database alone. Never
 * changes a code, so that a text which was read from the store may be stored again. Any thread. */
#include <stdio.h>
#include <string.h>

#include "store/engine.h"
#include "store/keys.h"

#define CODE_BYTES 12
#define CODE_LEN (1 + 2 * CODE_BYTES)

static const char contact[] = "contact:"; /* what follows is a person, whatever it looks like */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_code(struct str token)
{
	size_t i;

	if (token.len != CODE_LEN || token.ptr[0] != '~')
		return false;
	for (i = 1; i < token.len; i++)
		if (!memchr("0123456789abcdef", token.ptr[i], 16))
			return false;
	return true;
}

/* E.164, with its plus or without. Thirteen digits that begin with 1 are a time in ms: numbers of
 * that zone have eleven. */
static bool is_number(struct str token)
{
	bool plus = token.len && token.ptr[0] == '+';
	size_t n = token.len - plus, i;

	if (n < 7 || n > 15 || (n == 13 && token.ptr[plus] == '1' && !plus))
		return false;
	for (i = plus; i < token.len; i++)
		if (!is_digit(token.ptr[i]))
			return false;
	return true;
}

static bool is_personal(struct str token)
{
	return is_number(token) || str_begins(token, "wamid.") ||
	       (token.len && memchr(token.ptr, '@', token.len));
}

/* The ids of WhatsApp are base64 and hold the number: a slash does not end them. */
static size_t token_len(struct str text)
{
	bool whole = str_begins(text, "wamid.");
	size_t n = 0;

	while (n < text.len && !strchr(whole ? ": ,;|" : ": ,;|/", text.ptr[n]))
		n++;
	return n;
}

static void add_code(const struct keys *keys, struct buf *out, struct str token)
{
	struct str pieces[] = {{"\0\0\0text", 7}, token};
	uint8_t code[CODE_BYTES];
	size_t i;

	if (token.ptr[0] == '+') { /* the same number */
		pieces[1].ptr++;
		pieces[1].len--;
	}
	if (keys_mark_text(NULL, keys, pieces, 2, code, sizeof(code)))
		out->failed = true;
	buf_add_text(out, "~");
	for (i = 0; i < sizeof(code); i++)
		buf_printf(out, "%02x", code[i]);
}

/* Most texts hold none, and are looked at once. */
static bool has_personal(struct str text)
{
	size_t digits = 0, i;

	if (str_begins(text, contact))
		return true;
	for (i = 0; i < text.len; i++) {
		digits = is_digit(text.ptr[i]) ? digits + 1 : 0;
		if (digits >= 7 || text.ptr[i] == '@' ||
			(text.ptr[i] == 'w' &&
				str_begins((struct str){text.ptr + i, text.len - i}, "wamid.")))
			return true;
	}
	return false;
}

static void code_all(const struct keys *keys, struct buf *out, struct str text)
{
	while (text.len) {
		struct str token = {text.ptr, token_len(text)};
		if (is_personal(token))
			add_code(keys, out, token);
		else
			buf_add_str(out, token);
		if (token.len < text.len)
			buf_add(out, text.ptr + token.len++, 1);
		text.ptr += token.len;
		text.len -= token.len;
	}
}

struct str blind_text(const struct keys *keys, struct arena *arena, struct str text)
{
	struct buf out = {.max = 2 * CODE_LEN * (text.len + 1)};
	struct str rest;

	if (!text.len || !has_personal(text))
		return text;
	if (str_begins(text, contact)) {
		rest = (struct str){text.ptr + strlen(contact), text.len - strlen(contact)};
		buf_add_text(&out, contact);
		if (rest.len && !is_code(rest))
			add_code(keys, &out, rest);
		else
			buf_add_str(&out, rest);
	} else {
		code_all(keys, &out, text);
	}
	if (out.failed)
		arena_fail(arena);
	rest = str_dup(arena, (struct str){out.ptr ? out.ptr : "", out.len});
	buf_finish(&out);
	return rest.ptr ? rest : STR("");
}
