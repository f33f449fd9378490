/* input.c - do the arguments of a step fit what its operation says of its input?
 *
 * Looks at names, at choices among given words, and at what is missing where nothing else could
 * give it: a run's input is the last mapping's result, or in =, and the arguments over it. Never
 * refuses what a mapping or an expression may still bring, and never looks at types: plugins read
 * texts as numbers. Runs on the thread that loads.
 */
#include "config/internal.h"

#include <string.h>
#include "base/json.h"

#define DEPTH_MAX 8 /* of schemas within schemas */

struct checking {
	struct loader *loader;
	const struct config_call *call;
	const struct json *schema;
	const char **names; /* of all inputs there are */
	size_t name_count;
	bool open; /* others are taken too */
};

static const char *const combined[] = {"allOf", "anyOf", "oneOf"};

/* ---- What there is ------------------------------------------------------------------------ */

static void collect(struct checking *c, const struct json *schema, unsigned depth)
{
	const struct json *properties = json_get(schema, "properties");
	const struct json *more = json_get(schema, "additionalProperties");
	struct loader *loader = c->loader;
	struct str name;

	for (size_t i = 0; i < json_count(properties); i++) {
		json_at(properties, i, &name);
		*PUSH(loader, loader->scratch, c->names, c->name_count) = take_text(loader, name);
	}
	c->open |= json_get(schema, "$ref") || json_get(schema, "patternProperties") ||
		   (more && json_bool(more, true));
	for (size_t k = 0; depth && k < sizeof(combined) / sizeof(*combined); k++)
		for (size_t i = 0; i < json_count(json_get(schema, combined[k])); i++)
			collect(c, json_at(json_get(schema, combined[k]), i, NULL), depth - 1);
}

/* {} says nothing of the input; with "additionalProperties": false it says that there is none. */
static bool says_nothing(const struct checking *c)
{
	return !c->name_count && json_bool(json_get(c->schema, "additionalProperties"), true);
}

/* What it may have been meant, or all there are. */
static const char *suggestion(struct checking *c, const struct config_arg *arg)
{
	const char *near = hint(c->loader, str_of(arg->name), c->names, c->name_count);
	const char *all = c->name_count ? "; it has: " : "; it takes none";

	for (size_t i = 0; !*near && i < c->name_count; i++)
		all = take_printf(c->loader, "%s%s%s", all, i ? ", " : "", c->names[i]);
	return *near ? near : all;
}

static void check_name(struct checking *c, const struct config_arg *arg)
{
	for (size_t i = 0; i < c->name_count; i++)
		if (strcmp(c->names[i], arg->name) == 0)
			return;
	fault(c->loader, arg->place, "%s.%s has no input \"%s\"%s", c->call->connection,
		c->call->op, arg->name, suggestion(c, arg));
}

static void check_choice(struct checking *c, const struct config_arg *arg)
{
	const struct json *choices =
		json_get(json_get(json_get(c->schema, "properties"), arg->name), "enum");
	struct loader *loader = c->loader;
	const char **words = NULL, *list = "";
	size_t count = 0;

	for (size_t i = 0; i < json_count(choices); i++) {
		struct str word = json_text(json_at(choices, i, NULL));
		if (str_eq(word, arg->value.text))
			return;
		*PUSH(loader, loader->scratch, words, count) = take_text(loader, word);
		list = take_printf(loader, "%s%s%s", list, i ? ", " : "", words[i]);
	}
	if (count)
		fault(loader, arg->value.place, "\"%s\" of %s.%s is one of: %s%s", arg->name,
			c->call->connection, c->call->op, list,
			hint(loader, arg->value.text, words, count));
}

/* ---- What is missing ---------------------------------------------------------------------- */

static bool given(const struct config_call *call, struct str name)
{
	for (size_t i = 0; i < call->arg_count; i++)
		if (str_is(name, call->args[i].name))
			return true;
	return false;
}

static const char *add(
	struct loader *loader, const char *list, const char *between, const char *more)
{
	return list && more ? take_printf(loader, "%s%s%s", list, between, more)
	       : more       ? more
			    : list;
}

static const char *missing(struct checking *c, const struct json *schema, unsigned depth);

/* NULL: one of them has all it needs, or there are none. */
static const char *missing_of_any(struct checking *c, const struct json *list, unsigned depth)
{
	const char *all = NULL;

	for (size_t i = 0; i < json_count(list); i++) {
		const char *lacks = missing(c, json_at(list, i, NULL), depth);
		if (!lacks)
			return NULL;
		all = add(c->loader, all, " or ", lacks);
	}
	return all;
}

/* For a person: `"start", "name"`; NULL: nothing. */
static const char *missing(struct checking *c, const struct json *schema, unsigned depth)
{
	const struct json *required = json_get(schema, "required"),
			  *all = json_get(schema, "allOf");
	struct loader *loader = c->loader;
	const char *lacks = NULL;

	for (size_t i = 0; i < json_count(required); i++) {
		struct str name = json_text(json_at(required, i, NULL));
		if (!given(c->call, name))
			lacks = add(loader, lacks, ", ",
				take_printf(loader, "\"%.*s\"", STR_ARG(name)));
	}
	if (!depth)
		return lacks;
	lacks = add(
		loader, lacks, "; and ", missing_of_any(c, json_get(schema, "anyOf"), depth - 1));
	lacks = add(
		loader, lacks, "; and ", missing_of_any(c, json_get(schema, "oneOf"), depth - 1));
	for (size_t i = 0; i < json_count(all); i++)
		lacks = add(loader, lacks, "; and ", missing(c, json_at(all, i, NULL), depth - 1));
	return lacks;
}

/* ---- Of which operation? ------------------------------------------------------------------ */

/* True: a fault was told. */
static bool check(struct loader *loader, const struct config_call *call,
	const struct plugin_info *info, bool fed)
{
	const struct plugin_op *op = info ? plugin_op_find(info, call->op) : NULL;
	struct checking c = {.loader = loader, .call = call};
	size_t before = loader->faults->count;
	const char *lacks;

	if (!op || !op->schema)
		return false;
	c.schema = json_parse(loader->scratch, str_of(op->schema), NULL);
	collect(&c, c.schema, DEPTH_MAX);
	for (size_t i = 0; i < call->arg_count; i++) {
		if (!c.open && !says_nothing(&c))
			check_name(&c, &call->args[i]);
		if (!call->args[i].is_sql)
			check_choice(&c, &call->args[i]);
	}
	if (fed || loader->faults->count > before) /* a slip in a name is not a second fault */
		return loader->faults->count > before;
	lacks = missing(&c, c.schema, DEPTH_MAX);
	if (lacks)
		fault(loader, call->place,
			"%s.%s needs %s: give it here, NAME=VALUE, or by a mapping before or in =",
			call->connection, call->op, lacks);
	return loader->faults->count > before;
}

void input_check(struct loader *loader, const struct config_call *call,
	const struct config_tenant *tenant, bool fed)
{
	const struct config *config = loader->config;
	bool told = false;

	/* What was fine when it was stored still runs, whatever its plugin has learned to want since. */
	if (!call->op || loader->from_snapshot)
		return;
	for (size_t i = 0; call->builtin && i < loader->ctx.builtin_count; i++)
		if (strcmp(loader->ctx.builtins[i]->name, call->connection) == 0)
			told = check(loader, call, loader->ctx.builtins[i], fed);
	for (size_t i = 0; !call->builtin && !told && i < config->connection_count; i++) {
		const struct config_connection *c = &config->connections[i];
		if (strcmp(c->name, call->connection) == 0 &&
			(!tenant || !c->tenant || c->tenant == tenant))
			told = check(loader, call, c->info, fed);
	}
}
