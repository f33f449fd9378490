/* json_print.c - tree to JSON text. The same walk runs twice, first to measure, then to write, so
 * that the text is one exact piece of the arena. Any thread. */
#include "base/json_tree.h"

#include <assert.h>
#include <string.h>

#include "base/arena.h"

struct out {
	char *ptr; /* NULL: only measure */
	size_t len;
	bool pretty;
	unsigned indent;
};

static void put(struct out *out, const char *bytes, size_t n)
{
	if (out->ptr && n)
		memcpy(out->ptr + out->len, bytes, n);
	out->len += n;
}

static void put_char(struct out *out, char c)
{
	if (out->ptr)
		out->ptr[out->len] = c;
	out->len++;
}

static void put_escape(struct out *out, unsigned char c)
{
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	const char *found = c ? strchr(from, c) : NULL;

	put_char(out, '\\');
	if (found) {
		put_char(out, to[found - from]);
		return;
	}
	put(out, "u00", 3);
	put_char(out, "0123456789abcdef"[c >> 4]);
	put_char(out, "0123456789abcdef"[c & 15]);
}

static void put_text(struct out *out, const char *text, size_t len)
{
	const char *end = text + len;

	put_char(out, '"');
	for (;;) {
		size_t plain = json_plain_len(text, end);
		put(out, text, plain);
		text += plain;
		if (text == end)
			break;
		put_escape(out, (unsigned char)*text++);
	}
	put_char(out, '"');
}

static void new_line(struct out *out)
{
	unsigned i;

	if (!out->pretty)
		return;
	put_char(out, '\n');
	for (i = 0; i < out->indent; i++)
		put(out, "  ", 2);
}

static void put_value(struct out *out, const struct json *value);

static void put_container(struct out *out, const struct json *value, const char *brackets)
{
	uint32_t i;

	put_char(out, brackets[0]);
	out->indent++;
	for (i = 0; i < value->len; i++) {
		const struct json_member *member = &value->u.members[i];
		if (i)
			put_char(out, ',');
		new_line(out);
		if (value->type == JSON_OBJECT) {
			put_text(out, member->key, member->key_len);
			put(out, ": ", out->pretty ? 2 : 1);
		}
		put_value(out, member->value);
	}
	out->indent--;
	if (value->len)
		new_line(out);
	put_char(out, brackets[1]);
}

static void put_value(struct out *out, const struct json *value)
{
	switch (value->type) {
	case JSON_BOOL:
		put(out, value->yes ? "true" : "false", value->yes ? 4 : 5);
		break;
	case JSON_NUMBER:
		put(out, value->u.text, value->len);
		break;
	case JSON_TEXT:
		put_text(out, value->u.text, value->len);
		break;
	case JSON_ARRAY:
		put_container(out, value, "[]");
		break;
	case JSON_OBJECT:
		put_container(out, value, "{}");
		break;
	default:
		put(out, "null", 4);
	}
}

static struct str print(struct arena *arena, const struct json *value, bool pretty)
{
	struct out out = {.pretty = pretty};
	size_t len;

	if (!value)
		return (struct str){0};
	put_value(&out, value);
	len = out.len;
	out = (struct out){.pretty = pretty, .ptr = arena_take(arena, len + 1)};
	if (!out.ptr)
		return (struct str){0};
	put_value(&out, value);
	assert(out.len == len);
	out.ptr[len] = '\0';
	return (struct str){out.ptr, len};
}

struct str json_print(struct arena *arena, const struct json *value)
{
	return print(arena, value, false);
}

struct str json_print_pretty(struct arena *arena, const struct json *value)
{
	return print(arena, value, true);
}
