/* fuzz_wish.c - whatever a caller says, and whatever line is given to desk.match.
 *
 * Input: a JSON object is a line for desk.match; else the first 4 bytes choose language, state,
 * zone, length, the day and the time it is said, and a failing allocation; the rest is the phrase,
 * with two line ends date, time and words apart. An answer must not contradict itself, and must be
 * the same when asked again.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "desk/match.h"
#include "desk/wish.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define HOUR_MS INT64_C(3600000)
#define DAY_MS (24 * HOUR_MS)
#define FIRST_MS INT64_C(1577836800000) /* 2020 */
#define SLOTS 100
#define STEP_MS (13 * HOUR_MS + HOUR_MS / 2)

static struct str piece(struct str *rest)
{
	const char *stop = rest->len ? memchr(rest->ptr, '\n', rest->len) : NULL;
	struct str found = *rest;

	if (stop) {
		found.len = (size_t)(stop - rest->ptr);
		rest->ptr = stop + 1;
		rest->len -= found.len + 1;
	} else {
		*rest = (struct str){0};
	}
	return found;
}

static const struct wish *read_wish(
	struct arena *arena, const struct wish_context *context, struct str text)
{
	struct str rest = text, date, time;

	date = piece(&rest);
	time = piece(&rest);
	if (rest.ptr)
		return wish_read_fields(arena, context, date, time, rest);
	return wish_read(arena, context, text);
}

static void check_slots(const struct wish *wish, int64_t now_ms)
{
	int64_t from = 0, to = 0, exact = 0;
	bool bounded = wish_days(wish, &from, &to);

	if (bounded)
		assert(from < to);
	if (wish_exact(wish, &exact))
		assert(exact >= now_ms && wish_allows(wish, exact));
	for (int i = -9; i < SLOTS; i++) {
		int64_t ms = now_ms + i * STEP_MS;

		assert(wish_distance(wish, ms) >= 0);
		if (!wish_allows(wish, ms))
			continue;
		assert(ms >= now_ms || !wish_restricts(wish));
		assert(!bounded || (ms >= from && ms < to));
	}
}

static void check_words(struct arena *arena, const struct wish *wish)
{
	struct str say = wish_say(arena, wish);
	struct json *constraints = wish_constraints(arena, wish);
	int64_t meant = 0;

	wish_fault(wish, &meant);
	assert(say.ptr && str_utf8_ok(say));
	assert(!wish_restricts(wish) || say.len);
	assert(json_type(constraints) == JSON_OBJECT);
	assert(str_utf8_ok(json_print(arena, constraints)));
	if (wish_ambiguous(wish))
		assert(json_count(json_get(constraints, "readings")) == 2);
}

static void check_same(
	struct arena *arena, const struct wish *a, const struct wish *b, int64_t now_ms)
{
	assert(str_eq(wish_say(arena, a), wish_say(arena, b)));
	for (int i = 0; i < SLOTS; i++)
		assert(wish_allows(a, now_ms + i * STEP_MS) ==
			wish_allows(b, now_ms + i * STEP_MS));
}

static void check_phrase(const uint8_t choice[4], struct str text)
{
	static const char *const states[] = {NULL, "", "BY", "BE", "SN", "nowhere"};
	static const char *const zones[] = {
		"Europe/Berlin", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"};
	struct arena *arena = arena_create(16 << 20);
	struct wish_context context = {
		.now_ms = FIRST_MS + (choice[1] * 16 + choice[2] % 16) * DAY_MS +
			  choice[2] * HOUR_MS / 8,
		.zone = zone_find(zones[choice[0] / 2 % 5]),
		.language = choice[0] % 2 ? WISH_EN : WISH_DE,
		.state = states[choice[0] / 10 % 6],
		.length_ms = choice[0] / 60 * HOUR_MS / 2,
	};
	const struct wish *wish;

	if (choice[3] < 64) {
		arena_starve(arena, choice[3] + 1u);
		if (!read_wish(arena, &context, text))
			assert(arena_failed(arena));
		arena_destroy(arena);
		return;
	}
	wish = read_wish(arena, &context, text);
	assert(wish || arena_failed(arena));
	if (wish) {
		check_slots(wish, context.now_ms);
		check_words(arena, wish);
		check_same(arena, wish, read_wish(arena, &context, text), context.now_ms);
	}
	assert(!arena_failed(arena));
	arena_destroy(arena);
}

/* Each of matched is one of slots, in their order. */
static void check_matched(const struct json *matched, const struct json *slots)
{
	size_t i, at = 0;

	assert(json_type(matched) == JSON_ARRAY);
	for (i = 0; i < json_count(matched); i++, at++) {
		struct str slot = json_text(json_at(matched, i, NULL));

		while (at < json_count(slots) && !str_eq(json_text(json_at(slots, at, NULL)), slot))
			at++;
		assert(at < json_count(slots));
	}
}

static void check_line(struct str line)
{
	struct arena *arena = arena_create(64 << 20);
	bool ok = false;
	struct str text = desk_match_line(arena, line, &ok);
	struct json *out = json_parse(arena, text, NULL);

	assert(json_type(out) == JSON_OBJECT);
	assert(!memchr(text.ptr, '\n', text.len) || text.ptr[text.len - 1] == '\n');
	if (ok) {
		const struct json *in = json_parse(arena, line, NULL);

		if (in)
			check_matched(json_get(out, "matched"), json_get(in, "slots"));
		else /* which it reads as a blank */
			assert(memmem(line.ptr, line.len, "\\u0000", 6));
		assert(json_type(json_get(out, "constraints")) == JSON_OBJECT);
		assert(json_type(json_get(out, "ambiguous")) == JSON_BOOL);
		assert(json_type(json_get(out, "say")) == JSON_TEXT);
	} else {
		assert(json_get_text(out, "error").len);
	}
	arena_destroy(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	if (len && bytes[0] == '{')
		check_line((struct str){(const char *)bytes, len});
	else if (len >= 4)
		check_phrase(bytes, (struct str){(const char *)bytes + 4, len - 4});
	return 0;
}
