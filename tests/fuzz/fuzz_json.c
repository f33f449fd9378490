/* Whatever the bytes: the parser ends, and what it accepts prints to text that it reads back as the
 * same tree. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/id.h"
#include "base/json.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check_round(struct arena *arena, const struct json *value, struct str printed)
{
	const struct json *again = json_parse(arena, printed, NULL);

	assert(again && json_equal(value, again));
	assert(str_utf8_ok(printed));
}

static void walk(const struct json *value)
{
	struct str key, text = json_text(value);
	size_t i;

	if (json_type(value) == JSON_TEXT || json_type(value) == JSON_NUMBER)
		assert(text.ptr[text.len] == '\0' && strlen(text.ptr) == text.len);
	(void)json_f64(value, json_i64(value, 0) ? 1 : 0);
	for (i = 0; i < json_count(value); i++) {
		const struct json *member = json_at(value, i, &key);
		if (json_type(value) == JSON_OBJECT)
			assert(json_get(value, key.ptr) == member);
		walk(member);
	}
}

/* Memory that ends somewhere in it is told, and never half a tree. */
static void check_starved(const uint8_t *bytes, size_t len, const struct json *whole)
{
	struct arena *arena = arena_create(4 << 20);
	struct error error = {0};
	const struct json *value;

	arena_starve(arena, 1 + (len + bytes[len / 2]) % 64);
	value = json_parse(arena, (struct str){(const char *)bytes, len}, &error);
	assert(!value || (whole && json_equal(whole, value)));
	assert(value || !whole || error.code == E_NOMEM);
	arena_destroy(arena);
}

/* What is encoded is decoded to itself; what can be decoded is encoded to itself, or to the form
 * that there is one of. */
static void check_codecs(struct arena *arena, struct str text)
{
	static const char *const ways[] = {"hex", "base64", "base64url", "percent", "rot13"};

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct str coded = str_encode(arena, ways[i], text);
		struct str plain = str_decode(arena, ways[i], text), again;

		assert(!coded.ptr == (i == 4) && (i < 4 || !plain.ptr));
		if (coded.ptr)
			assert(str_eq(str_decode(arena, ways[i], coded), text));
		if (!plain.ptr)
			continue;
		again = str_encode(arena, ways[i], plain);
		assert(i == 3 || again.len == text.len);
		assert(str_eq(str_decode(arena, ways[i], again), plain));
	}
}

static void check_text(struct arena *arena, struct str text)
{
	static const char *const words[] = {"retention", "retry", "timezone", NULL};
	size_t span = str_utf8_span(text);
	const char *near = str_nearest(text, words);
	char printed[ID_TEXT];
	struct id id, same;

	const struct str halves[] = {{text.ptr, span}, {text.ptr + span, text.len - span}};

	assert(str_eq(str_cat(arena, halves, 2), text));
	assert(span <= text.len && str_utf8_ok((struct str){text.ptr, span}));
	assert((span == text.len) == str_utf8_ok(text));
	assert(span == text.len || !str_utf8_len(text.ptr + span, text.len - span));
	assert(!near || near == words[0] || near == words[1] || near == words[2]);
	if (id_parse(&id, text)) {
		id_text(printed, &id);
		assert(strncasecmp(printed, text.ptr, ID_TEXT - 1) == 0);
		assert(id_parse(&same, str_of(printed)) && !memcmp(&id, &same, sizeof(id)));
	}
	check_codecs(arena, text);
}

/* A buffer of bounded size, filled and emptied by pieces. */
static void check_buf(struct str text)
{
	struct buf buf;

	buf_init(&buf, 1 + text.len % 200);
	for (size_t at = 0; at < text.len && !buf.failed; at += 1 + text.len % 7) {
		buf_add_str(
			&buf, (struct str){text.ptr + at, text.len - at < 9 ? text.len - at : 9});
		buf_drop(&buf, buf.len / 3);
		assert(buf.len <= buf.max && (!buf.len || buf.ptr[buf.len] == '\0'));
	}
	buf_printf(&buf, "%.*s", STR_ARG(text));
	assert(buf.len <= buf.max);
	buf_reset(&buf);
	assert(!buf.failed && !buf.len);
	buf_finish(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct arena *arena = arena_create(4 << 20);
	struct error error = {0};
	struct str text = str_dup(arena, (struct str){(const char *)bytes, len});
	const struct json *value =
		json_parse(arena, (struct str){(const char *)bytes, len}, &error);

	if (value) {
		walk(value);
		check_round(arena, value, json_print(arena, value));
		check_round(arena, value, json_print_pretty(arena, value));
	} else {
		assert(error.code == E_NOMEM || (error.code == E_INVALID && error.place[0]));
	}
	if (len)
		check_starved(bytes, len, value);
	if (len && len < 65536 && text.ptr) {
		check_text(arena, text);
		check_buf(text);
	}
	arena_destroy(arena);
	return 0;
}
