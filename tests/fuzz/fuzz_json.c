/* Whatever the bytes: the parser ends, and what it accepts prints to text that it reads back as the
 * same tree. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct arena *arena = arena_create(4 << 20);
	struct error error = {0};
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
	arena_destroy(arena);
	return 0;
}
