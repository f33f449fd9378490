/* match.c - desk.match: JSON in, JSON out around the wish resolver. Any thread. */
#include "desk/match.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "desk/holiday.h"
#include "desk/wish.h"

#define LENGTH_MAX_MIN 1440
#define STATE_MAX 8

struct question {
	struct wish_context context;
	struct wish_settings settings;
	char state[STATE_MAX];
	struct str phrase;
	const struct json *slots;
	const char *fault; /* a sentence naming the member; NULL: none */
};

static const char *const part_names[WISH_PARTS] = {
	[WISH_EARLY] = "early",
	[WISH_FORENOON] = "forenoon",
	[WISH_NOON] = "noon",
	[WISH_AFTERNOON] = "afternoon",
	[WISH_AFTERNOON_1ST] = "early_afternoon",
	[WISH_AFTERNOON_2ND] = "late_afternoon",
	[WISH_EVENING] = "evening",
};

static bool is_text_or_absent(const struct json *in, const char *key)
{
	enum json_type type = json_type(json_get(in, key));

	return type == JSON_TEXT || type == JSON_NONE || type == JSON_NULL;
}

static const char *read_zone(struct question *q, const struct json *in)
{
	char name[64];
	struct str given = json_get_text(in, "timezone");

	if (!given.ptr)
		given = STR("Europe/Berlin");
	snprintf(name, sizeof(name), "%.*s", STR_ARG(given));
	q->context.zone = given.len < sizeof(name) ? zone_find(name) : NULL;
	return q->context.zone ? NULL : "timezone is unknown; give a name like \"Europe/Berlin\"";
}

static const char *read_language(struct question *q, const struct json *in)
{
	struct str given = json_get_text(in, "language");

	if (given.ptr && !str_is(given, "de") && !str_is(given, "en"))
		return "language must be \"de\" or \"en\"";
	q->context.language = str_is(given, "en") ? WISH_EN : WISH_DE;
	return NULL;
}

static const char *read_length(struct question *q, const struct json *in)
{
	const struct json *given = json_get(in, "length_min");
	int64_t minutes = json_i64(given, -1);

	if (!given || json_type(given) == JSON_NULL)
		return NULL;
	if (minutes < 0 || minutes > LENGTH_MAX_MIN)
		return "length_min must be a whole number of minutes from 0 to 1440";
	q->context.length_ms = minutes * 60000;
	return NULL;
}

static const char *read_state(struct question *q, const struct json *in)
{
	struct str given = json_get_text(in, "state");

	snprintf(q->state, STATE_MAX, "%.*s", STR_ARG(given));
	q->context.state = q->state;
	if (given.len >= STATE_MAX || !holiday_state_known(q->state))
		return "state must be a federal state of Germany in two letters, like \"BY\"";
	return NULL;
}

/* "06:00-10:00" */
static bool read_range(struct str text, struct wish_range *out)
{
	unsigned h1, m1, h2, m2;
	char copy[16];
	int end = 0;

	if (text.len >= sizeof(copy))
		return false;
	snprintf(copy, sizeof(copy), "%.*s", STR_ARG(text));
	if (sscanf(copy, "%2u:%2u-%2u:%2u%n", &h1, &m1, &h2, &m2, &end) != 4 ||
		(size_t)end != text.len)
		return false;
	out->from = (int16_t)(h1 * 60 + m1);
	out->to = (int16_t)(h2 * 60 + m2);
	return m1 < 60 && m2 < 60 && out->from < out->to && out->to <= 1440;
}

static bool is_setting(const struct json *given, size_t at)
{
	struct str key;

	json_at(given, at, &key);
	for (int i = 0; i < WISH_PARTS; i++)
		if (str_is(key, part_names[i]))
			return true;
	return str_is(key, "about_min");
}

static const char *read_settings(struct question *q, const struct json *in)
{
	const struct json *given = json_get(in, "settings"), *about;
	int64_t minutes;

	wish_defaults(&q->settings);
	q->context.settings = &q->settings;
	if (given && json_type(given) != JSON_OBJECT && json_type(given) != JSON_NULL)
		return "settings must be an object, like {\"early\":\"06:00-10:00\"}";
	for (size_t i = 0; i < json_count(given); i++)
		if (!is_setting(given, i))
			return "settings holds an unknown name; they are early, forenoon, noon, "
			       "afternoon, "
			       "early_afternoon, late_afternoon, evening and about_min";
	for (int i = 0; i < WISH_PARTS; i++) {
		const struct json *range = json_get(given, part_names[i]);

		if (range && !read_range(json_text(range), &q->settings.part[i]))
			return "settings: a part of the day must be a range like \"06:00-10:00\"";
	}
	about = json_get(given, "about_min");
	minutes = json_i64(about, -1);
	if (about && (minutes < 0 || minutes > 720))
		return "settings.about_min must be a whole number of minutes from 0 to 720";
	if (about)
		q->settings.about = (int16_t)minutes;
	return NULL;
}

static const char *read_now(struct question *q, const struct json *in)
{
	if (!clock_parse(json_get_text(in, "now"), q->context.zone, &q->context.now_ms))
		return "now must be the time of the call, like \"2025-06-17T10:00:00+02:00\"";
	return NULL;
}

static const char *read_slots(struct question *q, const struct json *in)
{
	q->slots = json_get(in, "slots");
	if (json_type(q->slots) != JSON_ARRAY)
		return "slots must be a list of times, like [\"2025-06-17T07:00:00+02:00\"]";
	for (size_t i = 0; i < json_count(q->slots); i++) {
		const struct json *slot = json_at(q->slots, i, NULL);
		int64_t ms;

		if (json_type(slot) != JSON_TEXT ||
			!clock_parse(json_text(slot), q->context.zone, &ms))
			return "slots holds something that is no time; each must be like "
			       "\"2025-06-17T07:00:00+02:00\"";
	}
	return NULL;
}

static const char *read_question(struct question *q, const struct json *in)
{
	static const char *const texts[] = {"now", "timezone", "language", "state"};
	static const char *const wrong[] = {"now must be text", "timezone must be text",
		"language must be text", "state must be text"};
	const char *fault = NULL;

	if (json_type(in) != JSON_OBJECT)
		return "the input must be a JSON object with phrase, now and slots";
	if (json_type(json_get(in, "phrase")) != JSON_TEXT)
		return "phrase must be text: what the caller said";
	q->phrase = json_get_text(in, "phrase");
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (!is_text_or_absent(in, texts[i]))
			return wrong[i];
	(void)((fault = read_zone(q, in)) || (fault = read_language(q, in)) ||
		(fault = read_length(q, in)) || (fault = read_state(q, in)) ||
		(fault = read_settings(q, in)) || (fault = read_now(q, in)) ||
		(fault = read_slots(q, in)));
	return fault;
}

static struct json *matched(struct arena *arena, const struct question *q, const struct wish *wish)
{
	struct json *out = json_array(arena);

	for (size_t i = 0; i < json_count(q->slots); i++) {
		struct str slot = json_text(json_at(q->slots, i, NULL));
		int64_t ms;

		if (clock_parse(slot, q->context.zone, &ms) && wish_allows(wish, ms))
			json_push(arena, out, json_of_text(arena, slot));
	}
	return out;
}

struct json *desk_match(struct arena *arena, const struct json *in)
{
	struct question q = {0};
	struct json *out = json_object(arena);
	const char *fault = read_question(&q, in);
	struct wish *wish;

	if (fault) {
		json_put_text(arena, out, "error", str_of(fault));
		return out;
	}
	wish = wish_read(arena, &q.context, q.phrase);
	if (!wish)
		return NULL;
	json_put(arena, out, "matched", matched(arena, &q, wish));
	json_put(arena, out, "constraints", wish_constraints(arena, wish));
	json_put_bool(arena, out, "ambiguous", wish_ambiguous(wish));
	json_put_text(arena, out, "say", wish_say(arena, wish));
	return arena_failed(arena) ? NULL : out;
}

/* A NUL in what the caller said is a blank: our JSON takes none, and the line is no worse for it.
 */
static struct str without_nuls(struct arena *arena, struct str line)
{
	char *text = arena_strndup(arena, line.ptr ? line.ptr : "", line.len);

	for (size_t i = 0; text && i + 6 <= line.len; i++) {
		if (text[i] != '\\')
			continue;
		if (memcmp(text + i, "\\u0000", 6) == 0)
			memset(text + i, ' ', 6);
		i++; /* what is escaped begins nothing */
	}
	return text ? (struct str){text, line.len} : line;
}

struct str desk_match_line(struct arena *arena, struct str line, bool *ok)
{
	struct error error = {0};
	const struct json *in = json_parse(arena, without_nuls(arena, line), &error);
	struct json *out;

	if (in) {
		out = desk_match(arena, in);
	} else {
		out = json_object(arena);
		json_put_text(arena, out, "error",
			str_of(arena_printf(
				arena, "the line is not JSON: %s (%s)", error.text, error.place)));
	}
	*ok = out && !json_get(out, "error");
	return json_print(arena, out);
}
