/* json_parse.c - JSON text to tree, in one pass over one copy of the text: escapes are undone in
 * place and the closing quote becomes the NUL that follows every text.
 *
 * Never accepts what RFC 8259 does not, nor a part of the input. Any thread.
 */
#include "base/json_tree.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"

struct parser {
	struct arena *arena;
	char *at, *end; /* in our copy; a NUL stands at end */
	char *begin;
	const char *original;
	struct error *error;
	unsigned depth;
};

/* Lines and columns count from 1, columns in characters. */
static void set_place(struct parser *p, const char *where, const char *sentence)
{
	size_t i, offset = (size_t)(where - p->begin), line = 1, column = 1;
	char place[64];

	for (i = 0; i < offset; i++) {
		if (p->original[i] == '\n') {
			line++;
			column = 1;
		} else if (((unsigned char)p->original[i] & 0xc0) != 0x80) {
			column++;
		}
	}
	snprintf(place, sizeof(place), "%zu:%zu", line, column);
	error_at(p->error, E_INVALID, place, "%s", sentence);
}

static bool refuse(struct parser *p, const char *where, const char *sentence)
{
	set_place(p, where, sentence);
	return false;
}

static bool no_memory(struct parser *p)
{
	error_set(p->error, E_NOMEM, "no memory for this JSON, or it is bigger than allowed");
	return false;
}

static void skip_space(struct parser *p)
{
	while (*p->at == ' ' || *p->at == '\n' || *p->at == '\r' || *p->at == '\t')
		p->at++;
}

static struct json *add_node(struct parser *p, enum json_type type)
{
	struct json *node = arena_alloc(p->arena, sizeof(*node));

	if (!node) {
		no_memory(p);
		return NULL;
	}
	node->type = (uint8_t)type;
	node->frozen = type != JSON_ARRAY && type != JSON_OBJECT;
	return node;
}

/* ---- text --------------------------------------------------------------------------------- */

static int hex4(const char *p)
{
	int i, v = 0;

	for (i = 0; i < 4; i++) {
		char c = p[i];
		if (c >= '0' && c <= '9')
			v = v << 4 | (c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			v = v << 4 | ((c | 32) - 'a' + 10);
		else
			return -1; /* also at the final NUL */
	}
	return v;
}

static char *put_utf8(char *out, unsigned c)
{
	if (c < 0x80) {
		*out++ = (char)c;
	} else if (c < 0x800) {
		*out++ = (char)(0xc0 | c >> 6);
		*out++ = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		*out++ = (char)(0xe0 | c >> 12);
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
		*out++ = (char)(0x80 | (c & 0x3f));
	} else {
		*out++ = (char)(0xf0 | c >> 18);
		*out++ = (char)(0x80 | (c >> 12 & 0x3f));
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
		*out++ = (char)(0x80 | (c & 0x3f));
	}
	return out;
}

/* p->at is behind "\u". */
static char *unescape_code(struct parser *p, char *out)
{
	char *start = p->at - 2;
	int c = hex4(p->at), low;

	if (c < 0) {
		refuse(p, start, "four hexadecimal digits must follow \\u");
		return NULL;
	}
	p->at += 4;
	if (c == 0) {
		refuse(p, start, "\\u0000 is not accepted inside text");
		return NULL;
	}
	if (c < 0xd800 || c > 0xdfff)
		return put_utf8(out, (unsigned)c);
	low = c < 0xdc00 && p->at[0] == '\\' && p->at[1] == 'u' ? hex4(p->at + 2) : -1;
	if (low < 0xdc00 || low > 0xdfff) {
		refuse(p, start, "half a surrogate pair is no character");
		return NULL;
	}
	p->at += 6;
	return put_utf8(out, 0x10000 + ((unsigned)(c - 0xd800) << 10 | (unsigned)(low - 0xdc00)));
}

/* p->at is at the backslash; returns where the next byte goes, NULL: error. */
static char *unescape(struct parser *p, char *out)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *found;

	p->at += 2;
	if (p->at[-1] == 'u')
		return unescape_code(p, out);
	found = p->at[-1] ? strchr(from, p->at[-1]) : NULL;
	if (!found) {
		refuse(p, p->at - 2,
			"no such escape; allowed are \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX");
		return NULL;
	}
	*out++ = to[found - from];
	return out;
}

/* p->at is behind the opening quote. */
static bool parse_text(struct parser *p, struct str *text)
{
	char *begin = p->at, *out = begin, *plain;

	for (;;) {
		plain = p->at;
		p->at += json_plain_len(p->at, p->end);
		if (out != plain)
			memmove(out, plain, (size_t)(p->at - plain));
		out += p->at - plain;
		if (*p->at == '"')
			break;
		if (*p->at == '\\') {
			out = unescape(p, out);
			if (!out)
				return false;
		} else if (p->at == p->end) {
			return refuse(p, begin - 1, "this text has no closing quote");
		} else {
			return refuse(p, p->at, "a control character inside text must be escaped");
		}
	}
	p->at++;
	*out = '\0';
	*text = (struct str){begin, (size_t)(out - begin)};
	return true;
}

/* ---- the other values --------------------------------------------------------------------- */

static const struct json *parse_value(struct parser *p);

static const struct json *parse_string(struct parser *p)
{
	struct json *node;
	struct str text;

	p->at++;
	if (!parse_text(p, &text))
		return NULL;
	node = add_node(p, JSON_TEXT);
	if (!node)
		return NULL;
	node->u.text = text.ptr;
	node->len = (uint32_t)text.len;
	return node;
}

static const struct json *parse_number(struct parser *p)
{
	size_t len = json_number_len(p->at, (size_t)(p->end - p->at));
	struct json *node;

	if (!len) {
		refuse(p, p->at, "not a number as JSON writes it");
		return NULL;
	}
	node = add_node(p, JSON_NUMBER);
	if (!node)
		return NULL;
	node->u.text = arena_strndup(p->arena, p->at, len);
	node->len = (uint32_t)len;
	if (!node->u.text) {
		no_memory(p);
		return NULL;
	}
	p->at += len;
	return node;
}

static const struct json *parse_word(struct parser *p, const char *word, enum json_type type)
{
	size_t len = strlen(word);
	struct json *node;

	if ((size_t)(p->end - p->at) < len || memcmp(p->at, word, len) != 0) {
		refuse(p, p->at,
			"a value must stand here: text in double quotes, a number, true, "
			"false, null, [ or {");
		return NULL;
	}
	p->at += len;
	node = add_node(p, type);
	if (node)
		node->yes = word[0] == 't';
	return node;
}

static bool parse_member(struct parser *p, struct json *container)
{
	struct str key = {0};
	const struct json *value;

	skip_space(p);
	if (container->type == JSON_OBJECT) {
		if (*p->at != '"')
			return refuse(p, p->at, "a key in double quotes must stand here");
		p->at++;
		if (!parse_text(p, &key))
			return false;
		skip_space(p);
		if (*p->at != ':')
			return refuse(p, p->at, "a colon must follow the key");
		p->at++;
	}
	value = parse_value(p);
	if (!value)
		return false;
	skip_space(p);
	return json_append(p->arena, container, key, value) || no_memory(p);
}

static bool check_repeated(struct parser *p, const struct json *object)
{
	long i = json_repeated(object);

	if (i == -2)
		return no_memory(p);
	if (i < 0)
		return true;
	return refuse(p, object->u.members[i].key - 1, "this key stands in the object already");
}

static bool parse_members(struct parser *p, struct json *container, char close)
{
	const char *open = p->at++;

	skip_space(p);
	if (*p->at == close) {
		p->at++;
		return true;
	}
	for (;;) {
		if (!parse_member(p, container))
			return false;
		if (*p->at == close)
			break;
		if (p->at == p->end)
			return refuse(p, open,
				close == '}' ? "this { is never closed" : "this [ is never closed");
		if (*p->at != ',')
			return refuse(p, p->at,
				close == '}' ? "a comma or } must stand here"
					     : "a comma or ] must stand here");
		p->at++;
	}
	p->at++;
	return container->type == JSON_ARRAY || check_repeated(p, container);
}

static const struct json *parse_container(struct parser *p, enum json_type type, char close)
{
	struct json *node;
	bool ok;

	if (p->depth == JSON_DEPTH) {
		refuse(p, p->at, "nested deeper than 64 levels");
		return NULL;
	}
	node = add_node(p, type);
	if (!node)
		return NULL;
	node->depth = 1;
	p->depth++;
	ok = parse_members(p, node, close);
	p->depth--;
	return ok ? node : NULL;
}

static const struct json *parse_value(struct parser *p)
{
	skip_space(p);
	switch (*p->at) {
	case '{':
		return parse_container(p, JSON_OBJECT, '}');
	case '[':
		return parse_container(p, JSON_ARRAY, ']');
	case '"':
		return parse_string(p);
	case 't':
		return parse_word(p, "true", JSON_BOOL);
	case 'f':
		return parse_word(p, "false", JSON_BOOL);
	case '-':
	case '0':
	case '1':
	case '2':
	case '3':
	case '4':
	case '5':
	case '6':
	case '7':
	case '8':
	case '9':
		return parse_number(p);
	default:
		return parse_word(p, "null", JSON_NULL);
	}
}

static bool check_bytes(struct parser *p, struct str text)
{
	size_t valid = str_utf8_span(text);

	if (valid < text.len)
		return refuse(p, p->begin + valid, "these bytes are not UTF-8");
	if (str_begins(text, "\xef\xbb\xbf"))
		return refuse(p, p->begin, "a byte order mark must not stand before JSON");
	return true;
}

struct json *json_parse(struct arena *arena, struct str text, struct error *error)
{
	struct parser p = {.arena = arena, .error = error, .original = text.ptr};
	const struct json *root;

	p.begin = text.len < UINT32_MAX ? arena_strndup(arena, text.ptr, text.len) : NULL;
	if (!p.begin) {
		no_memory(&p);
		return NULL;
	}
	p.at = p.begin;
	p.end = p.begin + text.len;
	if (!check_bytes(&p, text))
		return NULL;
	root = parse_value(&p);
	if (!root)
		return NULL;
	skip_space(&p);
	if (p.at != p.end) {
		refuse(&p, p.at, "nothing may follow the value");
		return NULL;
	}
	return (struct json *)root; /* made here, contained in nothing: the caller may add to it */
}
