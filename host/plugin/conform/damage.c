/* damage.c - what vendors, pipelines and strangers send when they do not send what they should:
 * cut, of another type, deep, huge, repeated, missing, not UTF-8. Everything is drawn from a seed.
 *
 * What the host itself promises stays: JSON of its own is JSON, an operation's input is an object.
 * Runs in children. */
#include <klinke/plugin.h>
#include <stdio.h>
#include <string.h>

#include "plugin/conform/kit.h"

#define DEEP 30u
#define DEPTH_MOST 48u /* of the host's 64, which a plugin may come to by wrapping what it got */
#define HUGE ((size_t)16 * 1024) /* with room for all of it in a state of 64 KiB */
#define LONG ((size_t)600)
#define TRIES 120u /* of one sample */

/* What a change is made with. */
struct damage {
	struct arena *arena;
	struct known_spans *known; /* NULL: nothing is known */
	uint64_t *random;
};

/* ---- one text of JSON --------------------------------------------------------------------- */

static struct str deep(struct arena *arena, bool objects)
{
	struct str open = objects ? STR("{\"data\":") : STR("["),
		   close = objects ? STR("}") : STR("]");
	struct str pieces[2 * DEEP + 1];
	unsigned i;

	for (i = 0; i < DEEP; i++) {
		pieces[i] = open;
		pieces[2 * DEEP - i] = close;
	}
	pieces[DEEP] = STR("[]");
	return str_cat(arena, pieces, 2 * DEEP + 1);
}

/* Mostly just long: a huge one costs as much as hundreds of others. */
static struct str huge(struct arena *arena, uint64_t *random)
{
	size_t len = kit_random(random) % 8 ? LONG : HUGE;
	char *text = arena_take(arena, len);

	if (!text)
		return (struct str){0};
	memset(text, 'x', len);
	text[0] = text[len - 1] = '"';
	return (struct str){text, len};
}

/* Nothing: the value is left out. */
static struct str other_value(struct arena *arena, uint64_t *random)
{
	static const char *const values[] = {"null", "true", "false", "0", "-1", "1.5",
		"9223372036854775808", "-9223372036854775808", "1e400",
		"123456789012345678901234567890", "\"\"", "\"x\"", "\" \"", "\"0\"",
		"\"\\u00e4\\ud83d\\ude00\"", "\"2026-02-30T25:61:00Z\"", "\"../../x?y=%00#\"",
		"\"\\r\\nX-Injected: 1\"", "[]", "{}", "[null]", "[[],{}]", "{\"\":{}}",
		"[1,\"2\",true,null]"};
	const size_t count = sizeof(values) / sizeof(values[0]);
	uint64_t drawn = kit_random(random) % (count + 4);

	if (drawn < count)
		return str_of(values[drawn]);
	if (drawn == count)
		return huge(arena, random);
	if (drawn == count + 1)
		return (struct str){0};
	return deep(arena, drawn == count + 2);
}

/* NULL: no memory. */
static const struct spans *take_apart(const struct damage *d, struct str text)
{
	struct spans *out;
	uint32_t i;

	for (i = 0; d->known && i < d->known->count; i++)
		if (d->known->list[i].text.ptr == text.ptr &&
			d->known->list[i].text.len == text.len)
			return &d->known->list[i];
	out = arena_take(d->arena, sizeof(*out));
	return out && text.ptr && spans_of(d->arena, text, out) ? out : NULL;
}

/* keep_top: it stays an object, as the host promises. */
static bool swap_json(struct damage *d, struct str *text, bool keep_top)
{
	const struct spans *spans = take_apart(d, *text);
	struct str made, by;
	uint32_t target;

	if (!spans || spans->count <= keep_top)
		return false;
	target = keep_top + (uint32_t)(kit_random(d->random) % (spans->count - keep_top));
	by = other_value(d->arena, d->random);
	if (spans->list[target].depth + (by.len > 2 * DEEP && by.len < LONG ? DEEP : 0) + 2 >
		DEPTH_MOST)
		return false; /* the host itself would refuse it, or never make it */
	made = spans_replace(d->arena, spans, target, by);
	if (!made.ptr)
		return false;
	*text = made;
	return true;
}

/* ---- raw bytes ---------------------------------------------------------------------------- */

static bool damage_bytes(struct arena *arena, uint64_t *random, struct str *text)
{
	static const char *const bad[] = {"\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
		"\n", "\"", "{", "]", "\\", ":", "\xef\xbb\xbf"};
	uint64_t how = kit_random(random) % 6, at = text->len ? kit_random(random) % text->len : 0;
	char *copy = arena_strndup(arena, text->ptr, text->len);
	struct str pieces[3] = {{copy, at}};

	if (!copy || (!text->len && how < 4))
		return false;
	if (how == 0)
		*text = (struct str){copy, at};
	else if (how == 1)
		copy[at] = (char)kit_random(random);
	else if (how == 2)
		copy[at] ^= (char)(1u << kit_random(random) % 8);
	else if (how == 3)
		copy[at] = '\0';
	if (how == 1 || how == 2 || how == 3)
		text->ptr = copy;
	if (how < 4)
		return true;
	pieces[1] = how == 4 ? str_of(bad[kit_random(random) % (sizeof(bad) / sizeof(bad[0]))])
			     : (struct str){copy, text->len};
	pieces[2] = (struct str){copy + at, text->len - at};
	*text = str_cat(arena, pieces, 3);
	return text->ptr != NULL;
}

static bool damage_body(struct damage *d, struct str *body)
{
	if (kit_random(d->random) % 3 && swap_json(d, body, false))
		return true;
	return damage_bytes(d->arena, d->random, body);
}

/* ---- headers and query -------------------------------------------------------------------- */

/* What the listener lets through: queries are UTF-8, no line holds control characters. */
static bool damage_value(struct arena *arena, uint64_t *random, bool utf8, struct str *value)
{
	struct str changed = *value;
	size_t i;

	if (!damage_bytes(arena, random, &changed) || (utf8 && !str_utf8_ok(changed)))
		return false;
	for (i = 0; i < changed.len; i++)
		if ((unsigned char)changed.ptr[i] < 0x20)
			return false;
	*value = changed;
	return true;
}

static bool damage_pairs(
	struct arena *arena, uint64_t *random, bool query, struct plugin_pairs *pairs)
{
	struct plugin_pair *items = arena_take(arena, (pairs->count + 1) * sizeof(*items));
	size_t i = pairs->count ? kit_random(random) % pairs->count : 0;

	if (!items || !pairs->count)
		return false;
	memcpy(items, pairs->items, pairs->count * sizeof(*items));
	*pairs = (struct plugin_pairs){items, pairs->count};
	switch (kit_random(random) % 4) {
	case 0: /* missing */
		items[i] = items[--pairs->count];
		return true;
	case 1: /* twice, first with another value */
		items[pairs->count++] = items[i];
		return damage_value(arena, random, query, &items[i].value);
	case 2:
		items[i].value = STR("");
		return true;
	default:
		return damage_value(arena, random, query, &items[i].value);
	}
}

static bool damage_inbound(struct damage *d, struct plugin_inbound *inbound)
{
	static const char *const methods[] = {"GET", "POST", "PUT", "DELETE", "HEAD"};

	switch (kit_random(d->random) % 8) {
	case 0:
		return damage_pairs(d->arena, d->random, false, &inbound->headers);
	case 1:
		return damage_pairs(d->arena, d->random, true, &inbound->query);
	case 2:
		inbound->method = str_of(methods[kit_random(d->random) % 5]);
		return true;
	default:
		return damage_body(d, &inbound->body);
	}
}

/* ---- one call ----------------------------------------------------------------------------- */

static bool damage_response(struct damage *d, struct plugin_response *response)
{
	static const uint16_t statuses[] = {200, 201, 202, 204, 301, 302, 304, 400, 401, 403, 404,
		409, 410, 412, 422, 423, 429, 451, 499};

	if (response->outcome != KL_ANSWERED)
		return false;
	switch (kit_random(d->random) % 6) {
	case 0:
		response->status =
			statuses[kit_random(d->random) % (sizeof(statuses) / sizeof(statuses[0]))];
		return true;
	case 1:
		return damage_pairs(d->arena, d->random, false, &response->headers);
	default:
		if (!response->body.ptr)
			response->body = STR("{}");
		return damage_body(d, &response->body);
	}
}

static bool damage_step(struct damage *d, struct input *input)
{
	struct plugin_step_in *step = &input->in.step;

	if (step->response && kit_random(d->random) % 4)
		return damage_response(d, &input->response);
	/* the input is the same on every step of a run: only the first can be surprised by it */
	return step->why == KL_START && swap_json(d, &step->input, true);
}

static bool damage_map(struct arena *arena, uint64_t *random, struct plugin_map_in *map)
{
	size_t i = map->field_count ? kit_random(random) % map->field_count : 0;
	struct plugin_field *fields = arena_take(arena, (map->field_count + 1) * sizeof(*fields));

	if (!fields || !map->field_count)
		return false;
	memcpy(fields, map->fields, map->field_count * sizeof(*fields));
	map->fields = fields;
	if (kit_random(random) % 4 == 0) /* the operator writes this */
		return damage_value(arena, random, true, &fields[i].spec);
	fields[i].value = other_value(arena, random);
	return true;
}

bool damage_known(
	struct arena *arena, struct known_spans *known, uint64_t *random, struct input *input)
{
	struct damage d = {arena, known, random};

	switch (input->in.kind) {
	case PLUGIN_VERIFY:
	case PLUGIN_NORMALIZE:
		return damage_inbound(&d, &input->in.inbound);
	case PLUGIN_REPLY:
		return kit_random(random) % 2 ? swap_json(&d, &input->in.reply.result, true)
					      : damage_inbound(&d, &input->in.reply.inbound);
	case PLUGIN_STEP:
		return damage_step(&d, input);
	case PLUGIN_MAP:
		return damage_map(arena, random, &input->in.map);
	case PLUGIN_CHECK:
		break;
	}
	return false;
}

static bool damage_any(struct arena *arena, uint64_t *random, struct input *input)
{
	return damage_known(arena, NULL, random, input);
}

/* ---- the check ---------------------------------------------------------------------------- */

static void damaged(struct child *child, uint32_t i)
{
	struct plugin_out out;
	struct input input;
	unsigned n;

	for (n = 0; n < TRIES; n++) {
		uint64_t random = child->random * 1000 + n;
		if (!child_at(child, n, "%s, change %u of seed %llu",
			    kit_sample_name(child->kit, i), n,
			    (unsigned long long)child->kit->options->seed))
			continue;
		if (!child_take(child, i, &input))
			return;
		if (!damage_any(child->decode, &random, &input))
			continue;
		child_call(child, &input, &out);
		child_sound(child, &input, &out);
	}
}

/* The bodies that everybody tries first, whole and at once. */
static void replaced(struct child *child, uint32_t i)
{
	static const char *const bodies[] = {"", "{", "null", "[]", "{}", "0", "\"x\"", "<html>",
		"\xff\xfe", "{\"a\":\xff}", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["};
	struct plugin_out out;
	struct input input;
	unsigned n;

	for (n = 0; n < sizeof(bodies) / sizeof(bodies[0]); n++) {
		if (!child_at(child, TRIES + n, "%s, body %s", kit_sample_name(child->kit, i),
			    *bodies[n] ? bodies[n] : "empty"))
			continue;
		if (!child_take(child, i, &input))
			return;
		if (input.in.kind == PLUGIN_VERIFY || input.in.kind == PLUGIN_NORMALIZE)
			input.in.inbound.body = str_of(bodies[n]);
		else if (input.in.kind == PLUGIN_STEP && input.in.step.response)
			input.response.body = str_of(bodies[n]);
		else
			return;
		child_call(child, &input, &out);
		child_sound(child, &input, &out);
	}
}

static void both(struct child *child, uint32_t i)
{
	damaged(child, i);
	replaced(child, i);
}

void check_input(struct kit *kit)
{
	const struct probe probe = {.check = "input",
		.items = kit->sample_count,
		.run = both,
		.dead = "take nothing for granted about what comes in: readers answer \"nothing\" "
			"to "
			"everything that is not there, and a kl_str without ptr has no bytes"};

	probe_run(kit, &probe);
}
