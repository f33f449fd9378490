/* fuzz_map.c - any specification and any value for a mapping of `fields`.
 *
 *   fields
 *   <{"timezone":"..."}                        context, see plugin.h; @N the time
 *   phone=phone(DE), required : "0171 1"       key, spec, value in JSON; as many as you like
 */
#include <assert.h>
#include <klinke/plugin.h>
#include <stdio.h>
#include <string.h>

#include "bundled.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static const char context[] =
	"{\"timezone\":\"Europe/Berlin\",\"language\":\"de\",\"country\":\"DE\","
	"\"now\":\"2026-11-24T09:00:00Z\",\"call_start\":\"2026-11-24T08:55:00Z\","
	"\"event\":\"call.analyzed\",\"data\":{\"custom\":{\"a\":1}}}";

static bool read_field(struct arena *arena, struct str line, struct plugin_field *field)
{
	struct plugin_pair key;
	const char *colon = NULL;

	if (line.ptr[0] == '!' || !split_pair(line, '=', &key))
		return false;
	for (size_t i = 0; i + 3 <= key.value.len; i++)
		if (memcmp(key.value.ptr + i, " : ", 3) == 0)
			colon = key.value.ptr + i;
	*field = (struct plugin_field){.key = key.name, .spec = key.value, .place = STR("o.ini:1")};
	if (colon) {
		field->spec.len = (size_t)(colon - key.value.ptr);
		field->value = json_or_nothing(arena,
			(struct str){colon + 3, key.value.len - field->spec.len - 3}, JSON_NONE);
	}
	return is_text(key.name) && is_text(field->spec);
}

/* As it is done when a configuration is read: each key with its specification. */
static void check_specs(const struct loaded *plugin, struct head *head, struct arena *arena)
{
	struct json *config = json_object(arena), *hold = json_array(arena), *option;
	struct plugin_in in = {.kind = PLUGIN_CHECK, .attempt = 1, .now_ms = head->now_ms};
	struct plugin_field field;
	struct plugin_out out;

	for (size_t i = 0; i < head->line_count; i++) {
		if (!read_field(arena, head->lines[i], &field))
			continue;
		option = json_object(arena);
		json_put_text(arena, option, "spec", field.spec);
		json_set(arena, config, field.key, option);
	}
	json_push(arena, hold, config);
	if (!bundled_call(plugin, config, &in, arena, &out))
		return;
	for (size_t i = 0; i < out.problems.count; i++)
		assert(out.problems.items[i].path.len || out.problems.items[i].message.len);
}

static void check_map(const struct loaded *plugin, struct head *head, struct arena *arena)
{
	struct plugin_field fields[BUNDLED_LINES];
	struct plugin_in in = {.kind = PLUGIN_MAP, .attempt = 1, .now_ms = head->now_ms, .seed = 1};
	const struct json *config;
	struct plugin_out out;

	in.map = (struct plugin_map_in){.context = str_of(context), .fields = fields};
	for (size_t i = 0; i < head->line_count; i++) {
		struct str given = line_after(head->lines[i], '<');

		given = given.ptr ? json_or_nothing(arena, given, JSON_OBJECT) : given;
		if (given.ptr)
			in.map.context = given;
		else if (read_field(arena, head->lines[i], &fields[in.map.field_count]))
			in.map.field_count++;
	}
	config = bundled_config(plugin, head, arena);
	if (!config || !bundled_call(plugin, config, &in, arena, &out))
		return;
	for (size_t i = 0; i < out.problems.count; i++)
		assert(out.problems.items[i].path.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct arena *arena = arena_create((size_t)256 << 20);
	struct head head;
	const struct loaded *plugin;

	head_read(&head, (struct str){(const char *)bytes, len});
	plugin = bundled_find(head.words[0]);
	if (plugin && plugin->raw.map)
		check_specs(plugin, &head, arena);
	if (plugin && plugin->raw.map)
		check_map(plugin, &head, arena);
	arena_destroy(arena);
	return 0;
}
