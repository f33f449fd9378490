/* wish.c - the face of the wish resolver. Pure; never reads a clock. Any thread. */
#include "desk/wish.h"

#include "base/arena.h"
#include "base/json.h"

struct wish {
	struct wish_context context;
};

void wish_defaults(struct wish_settings *settings)
{
	*settings = (struct wish_settings){
		.part =
			{
				[WISH_EARLY] = {6 * 60, 10 * 60},
				[WISH_FORENOON] = {6 * 60, 12 * 60},
				[WISH_NOON] = {11 * 60, 14 * 60},
				[WISH_AFTERNOON] = {12 * 60, 18 * 60},
				[WISH_AFTERNOON_1ST] = {12 * 60, 15 * 60},
				[WISH_AFTERNOON_2ND] = {15 * 60, 18 * 60},
				[WISH_EVENING] = {17 * 60, 22 * 60},
			},
		.about = 30,
	};
}

struct wish *wish_read(struct arena *arena, const struct wish_context *context, struct str phrase)
{
	struct wish *wish = arena_alloc(arena, sizeof(*wish));

	(void)phrase;
	if (wish)
		wish->context = *context;
	return wish;
}

struct wish *wish_read_fields(struct arena *arena, const struct wish_context *context,
	struct str date, struct str time, struct str words)
{
	(void)date, (void)time;
	return wish_read(arena, context, words);
}

bool wish_allows(const struct wish *wish, int64_t start_ms)
{
	(void)wish, (void)start_ms;
	return true;
}

int64_t wish_distance(const struct wish *wish, int64_t start_ms)
{
	(void)wish, (void)start_ms;
	return 0;
}

bool wish_exact(const struct wish *wish, int64_t *start_ms)
{
	(void)wish, (void)start_ms;
	return false;
}

bool wish_days(const struct wish *wish, int64_t *from_ms, int64_t *to_ms)
{
	(void)wish, (void)from_ms, (void)to_ms;
	return false;
}

bool wish_restricts(const struct wish *wish)
{
	(void)wish;
	return false;
}

bool wish_earliest(const struct wish *wish)
{
	(void)wish;
	return false;
}

enum wish_fault wish_fault(const struct wish *wish, int64_t *meant_ms)
{
	(void)wish;
	if (meant_ms)
		*meant_ms = -1;
	return WISH_SOUND;
}

bool wish_ambiguous(const struct wish *wish)
{
	(void)wish;
	return false;
}

struct json *wish_constraints(struct arena *arena, const struct wish *wish)
{
	(void)wish;
	return json_object(arena);
}

struct str wish_say(struct arena *arena, const struct wish *wish)
{
	(void)arena, (void)wish;
	return STR("");
}
