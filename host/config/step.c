/* step.c - what a step does: "map NAME" or "CONNECTION.OPERATION KEY=VALUE …", and does it exist.
 *
 * Runs on the thread that loads.
 */
#include "config/internal.h"

#include <string.h>
#include "klinke/plugin.h"

struct parse {
	struct loader *loader;
	const struct value *value;
	const struct config_tenant *tenant;
	const char *const *names; /* steps before, for expressions */
	size_t at;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

static struct config_place here(const struct parse *parse, size_t at)
{
	return value_place(parse->value, at);
}

static void skip_blanks(struct parse *parse)
{
	while (parse->at < parse->value->text.len && is_blank(parse->value->text.ptr[parse->at]))
		parse->at++;
}

static struct str word(struct parse *parse)
{
	struct str text = parse->value->text, out;
	size_t from;

	skip_blanks(parse);
	from = parse->at;
	while (parse->at < text.len && !is_blank(text.ptr[parse->at]))
		parse->at++;
	out = (struct str){text.ptr + from, parse->at - from};
	return out;
}

/* ---- Values ------------------------------------------------------------------------------- */

/* At the opening quote. Copies without it; \" \\ \n are understood. */
static bool quoted(struct parse *parse, struct config_arg *arg)
{
	struct str text = parse->value->text;
	size_t from = parse->at++, len = 0;
	char *copy = take(parse->loader, parse->loader->arena, text.len - from + 1);

	for (; parse->at < text.len && text.ptr[parse->at] != '"'; parse->at++) {
		char c = text.ptr[parse->at];
		if (c == '\\' && parse->at + 1 < text.len) {
			c = text.ptr[++parse->at];
			copy[len++] = c == 'n' ? '\n' : c;
		} else {
			copy[len++] = c == '\n' ? ' ' : c; /* a continued line */
		}
	}
	if (parse->at == text.len) {
		fault(parse->loader, here(parse, from),
			"the closing quote of this text is missing");
		return false;
	}
	parse->at++;
	arg->value = (struct config_text){{copy, len}, here(parse, from)};
	return true;
}

/* At "(". Finds what closes it, past quotes and comments; len: nothing does. */
static size_t closing(struct str text, size_t at)
{
	int depth = 0;

	for (; at < text.len; at++) {
		char c = text.ptr[at];
		if (c == '\'' || c == '"') {
			const char *end = memchr(text.ptr + at + 1, c, text.len - at - 1);
			if (!end)
				return text.len;
			at = (size_t)(end - text.ptr);
		} else if (c == '-' && at + 1 < text.len && text.ptr[at + 1] == '-') {
			while (at < text.len && text.ptr[at] != '\n')
				at++;
		} else if (c == '(') {
			depth++;
		} else if (c == ')' && --depth == 0) {
			return at;
		}
	}
	return text.len;
}

static bool expression(struct parse *parse, struct config_arg *arg)
{
	size_t from = parse->at, end = closing(parse->value->text, from);

	if (end >= parse->value->text.len) {
		fault(parse->loader, here(parse, from), "the closing parenthesis is missing");
		return false;
	}
	parse->at = end + 1;
	arg->is_sql = true;
	arg->value = take_sql(parse->loader, parse->value, from + 1, end, parse->names);
	return true;
}

static bool bare(struct parse *parse, struct config_arg *arg)
{
	size_t from = parse->at;
	struct str text = word(parse);

	/* U+201C to U+201E, what word processors make of quotes */
	if (text.len > 2 && memcmp(text.ptr, "\xe2\x80", 2) == 0 &&
		(unsigned char)text.ptr[2] >= 0x9c && (unsigned char)text.ptr[2] <= 0x9e) {
		fault(parse->loader, here(parse, from),
			"typographic quotes; write straight ones: \"…\"");
		return false;
	}
	if (text.len > 1 && *text.ptr == '\'' && !parse->loader->from_snapshot) {
		fault(parse->loader, here(parse, from),
			"a text stands in double quotes here; single ones are for SQL, in "
			"(parentheses)");
		return false;
	}
	arg->value =
		(struct config_text){{take_text(parse->loader, text), text.len}, here(parse, from)};
	return true;
}

static bool arg_value(struct parse *parse, struct config_arg *arg)
{
	struct str text = parse->value->text;
	char c = parse->at < text.len ? text.ptr[parse->at] : ' ';

	if (is_blank(c)) {
		fault(parse->loader, here(parse, parse->at),
			"the value of \"%s\" is missing; write %s=\"\" for an empty text",
			arg->name, arg->name);
		return false;
	}
	if (c != '"' && c != '(')
		return bare(parse, arg);
	if (!(c == '"' ? quoted(parse, arg) : expression(parse, arg)))
		return false;
	if (parse->at < text.len && !is_blank(text.ptr[parse->at])) {
		fault(parse->loader, here(parse, parse->at), "a blank is missing here");
		return false;
	}
	return true;
}

static bool arg_name(
	struct parse *parse, const struct config_arg *before, size_t count, struct config_arg *arg)
{
	struct str text = parse->value->text;
	size_t from = parse->at;

	while (parse->at < text.len && !is_blank(text.ptr[parse->at]) && text.ptr[parse->at] != '=')
		parse->at++;
	struct str name = {text.ptr + from, parse->at - from};
	if (!str_name_ok(name) || parse->at == text.len || text.ptr[parse->at] != '=') {
		fault(parse->loader, here(parse, from),
			"expected KEY=VALUE; a value with blanks is \"quoted\", an expression in "
			"(parentheses)");
		return false;
	}
	parse->at++;
	arg->name = take_text(parse->loader, name);
	arg->place = here(parse, from);
	for (size_t i = 0; i < count; i++)
		if (strcmp(before[i].name, arg->name) == 0) {
			fault(parse->loader, here(parse, from), "\"%s\" is given twice", arg->name);
			return false;
		}
	return true;
}

static bool arguments(struct parse *parse, const struct config_arg **out, size_t *count)
{
	struct config_arg *args = NULL;

	for (skip_blanks(parse); parse->at < parse->value->text.len; skip_blanks(parse)) {
		struct config_arg arg = {0};
		if (!arg_name(parse, args, *count, &arg) || !arg_value(parse, &arg))
			return false;
		*PUSH(parse->loader, parse->loader->arena, args, *count) = arg;
		*out = args;
	}
	return true;
}

bool args_parse(struct loader *loader, const struct config_arg **args, size_t *count,
	const struct value *value, size_t from)
{
	struct parse parse = {loader, value, NULL, NULL, from};

	return arguments(&parse, args, count);
}

/* ---- What is said ------------------------------------------------------------------------- */

/* Text without quotes around it: a continued line is one line when it is spoken. */
static bool plain(struct parse *parse, struct config_arg *arg)
{
	char *copy = take_text(parse->loader, parse->value->text);

	for (char *p = copy; *p; p++)
		*p = *p == '\n' ? ' ' : *p;
	arg->value = (struct config_text){{copy, parse->value->text.len}, here(parse, 0)};
	parse->at = parse->value->text.len;
	return true;
}

bool say_parse(
	struct loader *loader, struct config_text *out, bool *is_sql, const struct value *value)
{
	struct parse parse = {loader, value, NULL, NULL, 0};
	struct config_arg arg = {0};
	char first = value->text.len ? *value->text.ptr : ' ';
	bool ok = first == '('   ? expression(&parse, &arg)
		  : first == '"' ? quoted(&parse, &arg)
				 : plain(&parse, &arg);

	skip_blanks(&parse);
	if (ok && parse.at < value->text.len) {
		fault(loader, here(&parse, parse.at),
			"nothing may follow here; write \"…\" around all of what is said");
		ok = false;
	}
	if (ok && !arg.is_sql && !arg.value.text.len) {
		fault(loader, value->place, "nothing is said here");
		ok = false;
	}
	*out = arg.value;
	*is_sql = arg.is_sql;
	return ok;
}

/* ---- Does it exist? ----------------------------------------------------------------------- */

static bool may_use(const struct parse *parse, const struct config_tenant *owner)
{
	return !parse->tenant || !owner || owner == parse->tenant;
}

static bool tell_mapping(struct parse *parse, struct str name, size_t at)
{
	const struct config *config = parse->loader->config;
	const char **names = NULL;
	size_t count = 0;

	for (size_t i = 0; i < config->mapping_count; i++)
		if (may_use(parse, config->mappings[i].tenant))
			*PUSH(parse->loader, parse->loader->scratch, names, count) =
				config->mappings[i].name;
	fault(parse->loader, here(parse, at), "there is no [mapping %s]%s%s",
		value_word(parse->loader, parse->value, name),
		parse->tenant ? " of this tenant or for all" : "",
		hint(parse->loader, name, names, count));
	return false;
}

static bool map_target(struct parse *parse, struct config_call *call)
{
	const struct config *config = parse->loader->config;
	struct str name = word(parse);
	size_t at = parse->at - name.len;

	if (!name.len) {
		fault(parse->loader, here(parse, at), "expected \"map NAME\"");
		return false;
	}
	for (size_t i = 0; i < config->mapping_count && !call->mapping; i++)
		if (may_use(parse, config->mappings[i].tenant) &&
			str_is(name, config->mappings[i].name))
			call->mapping = config->mappings[i].name;
	if (!call->mapping)
		return tell_mapping(parse, name, at);
	skip_blanks(parse);
	if (parse->at == parse->value->text.len)
		return true;
	fault(parse->loader, here(parse, parse->at), "a mapping takes no arguments; use in = SQL");
	return false;
}

static bool tell_op(
	struct parse *parse, const struct plugin_info *info, const char *name, size_t at)
{
	const char *shown = value_word(parse->loader, parse->value,
		(struct str){parse->value->text.ptr + at, strlen(name)});
	const struct plugin_op *op = plugin_op_find(info, name);
	const char **names = NULL, *near;
	size_t count = 0;

	if (op) {
		fault(parse->loader, here(parse, at),
			"\"%s\" is a poll; schedule it in its [connection] with poll_%s = 5m", name,
			name);
		return false;
	}
	for (size_t i = 0; i < info->op_count; i++)
		*PUSH(parse->loader, parse->loader->scratch, names, count) = info->ops[i].name;
	near = hint(parse->loader, str_of(name), names, count);
	if (!*near)
		near = take_printf(parse->loader, "; klinke plugin info %s lists them", info->name);
	fault(parse->loader, here(parse, at), "plugin \"%s\" has no operation \"%s\"%s", info->name,
		shown, near);
	return false;
}

static bool op_ok(const struct plugin_info *info, const char *name)
{
	const struct plugin_op *op = plugin_op_find(info, name);

	return op && (op->kind & 0xff) != KL_OP_POLL;
}

static bool tell_connection(struct parse *parse, struct str name, size_t at)
{
	const struct config *config = parse->loader->config;
	struct loader *loader = parse->loader;
	const char **names = NULL;
	size_t count = 0;

	for (size_t i = 0; i < config->connection_count; i++)
		if (may_use(parse, config->connections[i].tenant))
			*PUSH(loader, loader->scratch, names, count) = config->connections[i].name;
	for (size_t i = 0; i < loader->ctx.builtin_count; i++)
		*PUSH(loader, loader->scratch, names, count) = loader->ctx.builtins[i]->name;
	fault(loader, here(parse, at), "there is no [connection %s]%s%s",
		value_word(loader, parse->value, name),
		parse->tenant ? " of this tenant or the agency" : "",
		hint(loader, name, names, count));
	return false;
}

/* A pipeline for every tenant finds each tenant's own; one without is told at load, not at night.
 */
static void warn_missing(struct parse *parse, const char *name, size_t at)
{
	const struct config *config = parse->loader->config;

	for (size_t t = 0; t < config->tenant_count && !parse->tenant; t++) {
		bool found = false;
		for (size_t i = 0; i < config->connection_count && !found; i++)
			found = strcmp(config->connections[i].name, name) == 0 &&
				(!config->connections[i].tenant ||
					config->connections[i].tenant == &config->tenants[t]);
		if (!found)
			warn(parse->loader, here(parse, at),
				"this pipeline runs for every tenant, but [tenant %s] has no "
				"[connection %s]",
				config->tenants[t].name, name);
	}
}

/* Told once for each tenant, however many steps there are: a caller would hear only fallbacks. */
static void warn_no_desk(struct parse *parse)
{
	const struct config *config = parse->loader->config;

	for (size_t t = 0; t < config->tenant_count; t++) {
		const struct config_tenant *tenant = &config->tenants[t];
		bool found = parse->tenant && parse->tenant != tenant;
		for (size_t i = 0; i < config->desk_count && !found; i++)
			found = config->desks[i].tenant == tenant;
		if (!found)
			warn(parse->loader, tenant->place,
				"pipelines answer callers of [tenant %s] with the desk, and there "
				"is "
				"no [desk %s]",
				tenant->name, tenant->name);
	}
}

static bool connection_target(
	struct parse *parse, struct config_call *call, size_t from, size_t dot)
{
	const struct config *config = parse->loader->config;
	struct str name = {parse->value->text.ptr + from, dot - from};
	bool found = false, ok = true;

	for (size_t i = 0; i < parse->loader->ctx.builtin_count; i++) {
		const struct plugin_info *own = parse->loader->ctx.builtins[i];
		if (!str_is(name, own->name))
			continue;
		call->builtin = true;
		if (str_is(name, "desk"))
			warn_no_desk(parse);
		return op_ok(own, call->op) || tell_op(parse, own, call->op, dot + 1);
	}
	for (size_t i = 0; i < config->connection_count; i++) {
		const struct config_connection *connection = &config->connections[i];
		if (!str_is(name, connection->name) || !may_use(parse, connection->tenant))
			continue;
		found = true;
		if (connection->info && !op_ok(connection->info, call->op))
			ok = tell_op(parse, connection->info, call->op, dot + 1);
	}
	if (!found)
		return tell_connection(parse, name, from);
	warn_missing(parse, call->connection, from);
	return ok;
}

bool call_parse(struct loader *loader, struct config_call *out, const struct value *value,
	const struct config_tenant *tenant, const char *const *names)
{
	struct parse parse = {loader, value, tenant, names, 0};
	struct str first = word(&parse);
	size_t from = parse.at - first.len, dot = 0;
	bool ok;

	*out = (struct config_call){.place = value_place(value, from)};
	if (str_is(first, "map"))
		return map_target(&parse, out);
	while (dot < first.len && first.ptr[dot] != '.')
		dot++;
	struct str connection = {first.ptr, dot};
	struct str op = {first.ptr + dot + 1, dot < first.len ? first.len - dot - 1 : 0};
	if (!str_name_ok(connection) || !op.len) {
		fault(loader, out->place, "expected \"map NAME\" or \"CONNECTION.OPERATION\"");
		return false;
	}
	out->connection = take_text(loader, connection);
	out->op = take_text(loader, op);
	ok = connection_target(&parse, out, from, from + dot);
	return arguments(&parse, &out->args, &out->arg_count) && ok;
}
