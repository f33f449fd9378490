/* declared.c - operations and event types that the operator's own keys declare.
 *
 * A plugin whose descriptor names an operation "op.*" knows nothing of what there is at the vendor:
 * each key op.NAME of the connection declares an operation NAME (without a dot, so that
 * op.NAME.query is a key of it), and an event type "event.*" stands for the TYPE of each key
 * event.TYPE. What comes out is a copy of what the plugin says about itself with those names in
 * place of the patterns, so that nobody else needs to know of patterns. Runs on the thread that
 * loads.
 */
#include "config/internal.h"

#include <string.h>

/* The length of "op." of "op.*"; 0: this is no pattern. */
static size_t pattern_prefix(const char *text, size_t len)
{
	return len > 2 && text[len - 1] == '*' && text[len - 2] == '.' ? len - 1 : 0;
}

/* What key says for the star; NULL: it does not fit. */
static const char *star_of(const char *key, const char *pattern, size_t prefix)
{
	return strncmp(key, pattern, prefix) == 0 && key[prefix] ? key + prefix : NULL;
}

/* ---- Operations --------------------------------------------------------------------------------
 */

static const struct plugin_op *op_among(const struct plugin_op *ops, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(ops[i].name, name) == 0)
			return &ops[i];
	return NULL;
}

static void declare_op(struct loader *loader, struct plugin_info *info, struct plugin_op op,
	const struct entry *entry)
{
	const struct plugin_op *other = op_among(info->ops, info->op_count, op.name);
	struct plugin_op *ops = (struct plugin_op *)info->ops;

	if (other && other->kind == op.kind)
		return; /* the same key twice: options.c tells that */
	if (other) {
		fault(loader, entry->place,
			"\"%s\" is declared already; an operation and a poll need different names",
			op.name);
		return;
	}
	*PUSH(loader, loader->arena, ops, info->op_count) = op;
	info->ops = ops;
}

static void declare_ops(struct loader *loader, struct plugin_info *info, const struct plugin_op *op,
	const struct section *section)
{
	size_t prefix = pattern_prefix(op->name, strlen(op->name));

	if (!prefix) {
		struct plugin_op *ops = (struct plugin_op *)info->ops;
		*PUSH(loader, loader->arena, ops, info->op_count) = *op;
		info->ops = ops;
		return;
	}
	for (size_t i = 0; i < section->item_count; i++) {
		const struct entry *entry = section->items[i].entry;
		const char *name = star_of(entry->key, op->name, prefix);
		if (name && !strchr(name, '.'))
			declare_op(loader, info,
				(struct plugin_op){name, op->kind, op->schema, NULL}, entry);
	}
}

/* ---- Event types --------------------------------------------------------------------------------
 */

static const char *joined(struct loader *loader, const char *words, struct str word)
{
	return take_printf(loader, "%s%s%.*s", words, *words ? " " : "", STR_ARG(word));
}

static const char *declared_events(
	struct loader *loader, const char *events, const struct section *section)
{
	struct str rest = str_of(events), word;
	const char *out = "";

	while (str_word(&rest, &word)) {
		size_t prefix = pattern_prefix(word.ptr, word.len);
		if (!prefix)
			out = joined(loader, out, word);
		for (size_t i = 0; prefix && i < section->item_count; i++) {
			const char *type = star_of(section->items[i].entry->key, word.ptr, prefix);
			if (type)
				out = joined(loader, out, str_of(type));
		}
	}
	return out;
}

/* ---- Both --------------------------------------------------------------------------------------
 */

static bool has_patterns(const struct plugin_info *info)
{
	for (size_t i = 0; i < info->op_count; i++)
		if (pattern_prefix(info->ops[i].name, strlen(info->ops[i].name)))
			return true;
	return info->events && strstr(info->events, ".*");
}

const struct plugin_info *declared_info(
	struct loader *loader, const struct plugin_info *info, const struct section *section)
{
	struct plugin_info *mine;

	if (!has_patterns(info))
		return info;
	mine = take(loader, loader->arena, sizeof(*mine));
	*mine = *info;
	mine->ops = NULL;
	mine->op_count = 0;
	for (size_t i = 0; i < info->op_count; i++)
		declare_ops(loader, mine, &info->ops[i], section);
	mine->events = declared_events(loader, info->events, section);
	return mine;
}
