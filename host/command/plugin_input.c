/* plugin_input.c - what operations take, from their schemas, as a table for people.
 *
 * Never judges a schema: what it does not understand it leaves out. Main thread.
 */
#include "base/arena.h"
#include "base/json.h"
#include "command/plugin.h"

#define SOME_TEXT(list) ((list) ? (list) : "")

static const char *joined(
	struct arena *arena, const char *list, const char *between, struct str word)
{
	return list ? arena_printf(arena, "%s%s%.*s", list, between, STR_ARG(word))
		    : arena_printf(arena, "%.*s", STR_ARG(word));
}

/* "voice | chat", "string | integer"; "any" if nothing is said. */
static const char *kind_of(struct arena *arena, const struct json *property)
{
	const struct json *choices = json_get(property, "enum");
	const struct json *types = choices ? choices : json_get(property, "type");
	const char *list =
		json_type(types) == JSON_TEXT ? joined(arena, NULL, "", json_text(types)) : NULL;

	for (size_t i = 0; i < json_count(types); i++)
		list = joined(arena, list, " | ", json_text(json_at(types, i, NULL)));
	return list ? list : "any";
}

static bool lists(const struct json *words, struct str word)
{
	for (size_t i = 0; i < json_count(words); i++)
		if (str_eq(json_text(json_at(words, i, NULL)), word))
			return true;
	return false;
}

/* "one of to, phone" if that name is required by one of the alternatives, and no other by all. */
static const char *one_of(struct arena *arena, const struct json *alternatives, struct str name)
{
	const char *list = NULL;
	bool found = false;

	for (size_t i = 0; i < json_count(alternatives); i++) {
		const struct json *required = json_get(json_at(alternatives, i, NULL), "required");
		found |= lists(required, name);
		for (size_t k = 0; k < json_count(required); k++)
			list = joined(arena, list, k ? " + " : ", ",
				json_text(json_at(required, k, NULL)));
	}
	return found ? arena_printf(arena, "one of %s", SOME_TEXT(list)) : NULL;
}

static const char *needed(struct arena *arena, const struct json *schema, struct str name)
{
	const struct json *all = json_get(schema, "allOf");
	const char *found = lists(json_get(schema, "required"), name) ? "yes" : NULL;

	if (!found)
		found = one_of(arena, json_get(schema, "anyOf"), name);
	if (!found)
		found = one_of(arena, json_get(schema, "oneOf"), name);
	for (size_t i = 0; !found && i < json_count(all); i++)
		found = one_of(arena, json_get(json_at(all, i, NULL), "anyOf"), name);
	return SOME_TEXT(found);
}

struct json *plugin_inputs(struct arena *arena, const struct json *operations)
{
	struct json *rows = json_array(arena);

	for (size_t i = 0; i < json_count(operations); i++) {
		const struct json *op = json_at(operations, i, NULL),
				  *schema = json_get(op, "input");
		const struct json *properties = json_get(schema, "properties");
		for (size_t k = 0; k < json_count(properties); k++) {
			struct json *row = json_object(arena);
			struct str name;
			const struct json *property = json_at(properties, k, &name);
			json_put_text(arena, row, "operation", json_get_text(op, "name"));
			json_put_text(arena, row, "input", name);
			json_put_text(arena, row, "kind", str_of(kind_of(arena, property)));
			json_put_text(arena, row, "needed", str_of(needed(arena, schema, name)));
			json_push(arena, rows, row);
		}
	}
	return rows;
}
