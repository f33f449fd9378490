/* fuzz_case.c - what case files are made with: secrets and persons taken out of any text, and one
 * value of any JSON text replaced or left out.
 *
 * Input: a line with a secret, then the text. A secret with a '#' in it (which nothing that is put
 * in has) must be nowhere in what comes out; what was UTF-8 still is; what was JSON still is.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "plugin/case_scrub.h"
#include "plugin/conform/kit.h"

#define VALUES_MOST 60u

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static bool holds(struct str text, struct str secret)
{
	return text.len && memmem(text.ptr, text.len, secret.ptr, secret.len) != NULL;
}

/* No secret: only the characters are looked at. */
static void check_nowhere(const struct json *value, struct str secret)
{
	if (json_type(value) == JSON_TEXT) {
		assert(!secret.len || !holds(json_text(value), secret));
		assert(str_utf8_ok(json_text(value)));
	}
	for (size_t i = 0; i < json_count(value); i++)
		check_nowhere(json_at(value, i, NULL), secret);
}

static void check_scrub(struct arena *arena, struct str secret, struct str text)
{
	const struct json *value = json_parse(arena, text, NULL);
	struct scrub *scrub = scrub_create(arena, text.len % 2);
	bool told = secret.len >= 4 && memchr(secret.ptr, '#', secret.len) && str_utf8_ok(secret);
	struct str out;

	if (!scrub)
		return;
	if (told)
		scrub_secret(scrub, secret, STR("case"));
	scrub_look(scrub, value ? value : json_of_text(arena, text));
	out = scrub_text(scrub, text);
	assert(arena_failed(arena) || !told || !holds(out, secret));
	assert(arena_failed(arena) || !str_utf8_ok(text) || str_utf8_ok(out));
	if (value && !arena_failed(arena))
		check_nowhere(scrub_json(scrub, value), told ? secret : STR(""));
}

static void check_spans(struct arena *arena, struct str text)
{
	bool is_json = json_parse(arena, text, NULL) != NULL;
	struct spans spans;

	if (!spans_of(arena, text, &spans))
		return;
	for (uint32_t i = 0; i < spans.count && i < VALUES_MOST; i++) {
		struct str by_one = spans_replace(arena, &spans, i, STR("1"));
		struct str gone = spans_replace(arena, &spans, i, (struct str){0});
		assert(spans.list[i].from >= text.ptr && spans.list[i].to <= text.ptr + text.len);
		if (!is_json || arena_failed(arena))
			continue;
		assert(json_parse(arena, by_one, NULL) || arena_failed(arena));
		assert(!gone.ptr == !i);
		assert(!i || json_parse(arena, gone, NULL) || arena_failed(arena));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct arena *arena = arena_create((size_t)64 << 20);
	struct str all = str_dup(arena, (struct str){(const char *)bytes, len}), secret, text;
	const char *line = len ? memchr(all.ptr, '\n', len) : NULL;

	if (line) {
		secret = (struct str){all.ptr, (size_t)(line - all.ptr)};
		text = str_dup(arena, (struct str){line + 1, len - secret.len - 1});
		check_scrub(arena, secret, text);
		check_spans(arena, text);
	}
	arena_destroy(arena);
	return 0;
}
