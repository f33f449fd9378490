/* options.c - the keys of a section that belong to its plugin: typed, checked, made to JSON.
 *
 * Secrets never get into the JSON, only that they are set. Runs on the thread that loads.
 */
#include "config/internal.h"

#include <stdlib.h>
#include <string.h>
#include "base/json.h"
#include "klinke/plugin.h"

#define KIND(option) ((option)->kind & 0xff)

/* ---- The plugin itself -------------------------------------------------------------------------
 */

/* Those that there are, when none is near: "; there are calcom_v1, calcom_v2". */
static const char *plugins_there(struct loader *loader)
{
	const char *const *names = loader->ctx.plugin_names;
	const char *all = "";

	for (size_t i = 0; names && names[i]; i++)
		all = take_printf(loader, "%s%s%s", all, i ? ", " : "; there are ", names[i]);
	return all;
}

static void tell_unknown(
	struct loader *loader, const struct value *value, const struct error *error)
{
	const char *near;
	const char *const *names = loader->ctx.plugin_names;
	size_t count = 0;
	bool show = *error->text && !value_hidden(value, value->text);

	while (names && names[count])
		count++;
	near = hint(loader, value->text, names, count);
	fault(loader, value->place, "there is no plugin \"%s\"%s%s%s", value_shown(loader, value),
		show ? ": " : "", show ? error->text : "", *near ? near : plugins_there(loader));
}

const char *plugin_of(struct loader *loader, struct section *section,
	const struct plugin_info **info, const char **disabled)
{
	struct item *item = section_next(section, "plugin", NULL);
	struct error error = {.code = E_NOTFOUND};
	struct value value;

	if (!item || !value_expand(loader, &value, item->entry, ' '))
		return NULL;
	if (!str_name_ok(value.text)) {
		fault(loader, value.place,
			"\"%s\" is no plugin's name; write it without folder and .so%s",
			value_shown(loader, &value), plugins_there(loader));
		return NULL;
	}
	if (loader->ctx.plugin)
		*info = loader->ctx.plugin(loader->ctx.user, value.text.ptr, &error);
	if (*info)
		return value.text.ptr;
	if (error.code == E_NOTFOUND) {
		tell_unknown(loader, &value, &error);
		for (size_t i = 0; i < section->item_count; i++) /* of these no plugin is asked */
			value_look(loader, section->items[i].entry);
		return NULL;
	}
	*disabled =
		take_printf(loader, "%s", *error.text ? error.text : "the plugin does not load");
	warn(loader, value.place, "[%s %s] is out of service: %s", section->kind, section->name,
		*disabled);
	return value.text.ptr;
}

const struct plugin_op *plugin_op_find(const struct plugin_info *info, const char *name)
{
	for (size_t i = 0; i < info->op_count; i++)
		if (strcmp(info->ops[i].name, name) == 0)
			return &info->ops[i];
	return NULL;
}

/* ---- Single options ----------------------------------------------------------------------------
 */

struct work {
	struct loader *loader;
	struct section *section;
	struct plugin_use *use;
	struct json *object;
};

static const char *digits(struct loader *loader, int64_t n)
{
	return take_printf(loader, "%lld", (long long)n);
}

static void refuse(struct work *work, const struct value *value, const char *key,
	const char *expected, const char *more)
{
	fault(work->loader, value->place, "\"%s\" is no value for \"%s\"; expected %s%s",
		value_shown(work->loader, value), key, expected, more);
}

static const char *checked_choice(
	struct work *work, const struct plugin_option *option, const struct value *value)
{
	struct str rest = str_of(option->choices), word;
	const char **list = NULL;
	size_t count = 0;

	while (str_word(&rest, &word)) {
		if (str_eq(word, value->text))
			return value->text.ptr;
		*PUSH(work->loader, work->loader->scratch, list, count) =
			take_text(work->loader, word);
	}
	refuse(work, value, option->key,
		take_printf(work->loader, "one of: %s", option->choices ? option->choices : ""),
		hint(work->loader, value->text, list, count));
	return NULL;
}

/* As the plugin gets it: durations in ms, sizes in bytes. NULL: refused. */
static const char *checked(struct work *work, const struct plugin_option *option, const char *key,
	const struct value *value)
{
	struct loader *loader = work->loader;
	bool yes;
	int64_t n;

	switch (KIND(option)) {
	case KL_OPT_INT:
		if (parse_int(value->text, &n))
			return digits(loader, n);
		refuse(work, value, key, "a whole number", "");
		return NULL;
	case KL_OPT_BOOL:
		if (parse_bool(value->text, &yes))
			return yes ? "true" : "false";
		refuse(work, value, key, "yes or no", "");
		return NULL;
	case KL_OPT_MS:
		if (parse_ms(value->text, &n))
			return digits(loader, n);
		refuse(work, value, key, "a duration like 500ms, 10s, 5m, 2h, 1d", "");
		return NULL;
	case KL_OPT_BYTES:
		if (parse_bytes(value->text, &n))
			return digits(loader, n);
		refuse(work, value, key, "a size like 64K, 4M, 1G", "");
		return NULL;
	case KL_OPT_URL:
		if (parse_url(value->text))
			return value->text.ptr;
		refuse(work, value, key, "a URL like https://api.example.com", "");
		return NULL;
	case KL_OPT_CHOICE:
		return checked_choice(work, option, value);
	default:
		return value->text.ptr;
	}
}

static const struct json *one_text(struct work *work, const struct plugin_option *option,
	const char *key, const struct value *value)
{
	const char *text = checked(work, option, key, value);

	return text ? json_of_text(work->loader->scratch, str_of(text)) : NULL;
}

static void put(struct work *work, const char *key, const struct json *value)
{
	if (value)
		json_put(work->loader->scratch, work->object, key, value);
}

/* "*" and repeated: any number of keys, each of them once. */
static bool is_repeated(const struct plugin_option *option)
{
	return (option->kind & KL_OPT_REPEATED) && strcmp(option->key, "*") != 0;
}

static void load_plain(struct work *work, const struct plugin_option *option, const char *key)
{
	bool repeated = is_repeated(option);
	struct arena *arena = work->loader->scratch;
	struct json *list = repeated ? json_array(arena) : NULL;
	struct item *item = NULL, *first = NULL;
	struct value value;

	while ((item = section_next(work->section, key, item))) {
		if (first && !repeated) {
			fault(work->loader, item->entry->place,
				"\"%s\" is given already in line %u", key,
				(unsigned)first->entry->place.line);
			continue;
		}
		first = first ? first : item;
		if (secret_left_out(work->loader, item->entry) ||
			!value_expand(work->loader, &value, item->entry, ' '))
			continue;
		if (repeated)
			json_push(arena, list, one_text(work, option, key, &value));
		else
			put(work, key, one_text(work, option, key, &value));
	}
	value = (struct value){.text = str_of(option->fallback), .place = work->section->place};
	if (!first && option->fallback && repeated)
		json_push(arena, list, one_text(work, option, key, &value));
	else if (!first && option->fallback)
		put(work, key, one_text(work, option, key, &value));
	if (repeated && json_count(list))
		put(work, key, list);
}

static const struct config_secret *live_secret(struct work *work, const char *key)
{
	const struct config *live = work->loader->ctx.literals;
	struct item *item = section_next(work->section, "tenant", NULL);
	const struct config_connection *connection = NULL;
	struct value owner = {.text = STR(AGENCY)};

	if (live && (!item || value_expand(work->loader, &owner, item->entry, ' ')))
		connection = config_connection(live,
			take_printf(work->loader, "%s/%s", owner.text.ptr, work->section->name));
	return connection ? config_secret(connection, key) : NULL;
}

static void load_secret(struct work *work, const struct plugin_option *option)
{
	struct plugin_use *use = work->use;
	struct config_secret secret = {.option = option->key};
	struct item *item = NULL;

	while ((item = section_next(work->section, option->key, item))) {
		if (use->mapping)
			fault(work->loader, item->entry->place,
				"a mapping needs no secret; leave \"%s\" out", option->key);
		else
			secret_add(
				work->loader, &secret, item->entry, live_secret(work, option->key));
	}
	if (!secret.count)
		return;
	*PUSH(work->loader, work->loader->arena, use->secrets, use->secret_count) = secret;
	json_put_bool(work->loader->scratch, work->object, option->key, true);
}

/* ---- KEY = SPEC : SQL --------------------------------------------------------------------------
 */

/* The first colon outside of parentheses and quotes; len: there is none, all of it is SQL. */
static size_t find_colon(struct str text)
{
	int depth = 0;
	char quote = 0;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (quote) {
			quote = c == quote ? 0 : quote;
			continue;
		}
		if (c == '\'' || c == '"')
			quote = c;
		depth += (c == '(') - (c == ')');
		if (c == ':' && depth == 0)
			return i;
	}
	return text.len;
}

static void load_field(struct work *work, const struct entry *entry)
{
	struct loader *loader = work->loader;
	struct config_field *field;
	struct value value;
	size_t colon;

	if (!value_expand(loader, &value, entry, '\n'))
		return;
	colon = find_colon(value.text);
	field = PUSH(loader, loader->arena, work->use->fields, work->use->field_count);
	field->key = entry->key;
	field->place = entry->place;
	field->spec = "";
	if (colon < value.text.len)
		field->spec = take_text(loader, str_trim((struct str){value.text.ptr, colon}));
	field->sql = take_sql(
		loader, &value, colon < value.text.len ? colon + 1 : 0, value.text.len, NULL);
}

static void load_expression(struct work *work, const struct plugin_option *option, const char *key)
{
	bool repeated = is_repeated(option);
	struct item *item = NULL, *first = NULL;

	while ((item = section_next(work->section, key, item))) {
		if (!work->use->mapping)
			fault(work->loader, item->entry->place,
				"\"%s\" belongs into a [mapping NAME]", key);
		else if (first && !repeated)
			fault(work->loader, item->entry->place,
				"\"%s\" is given already in line %u", key,
				(unsigned)first->entry->place.line);
		else
			load_field(work, item->entry);
		first = first ? first : item;
	}
}

/* ---- All of them -------------------------------------------------------------------------------
 */

static void load_option(struct work *work, const struct plugin_option *option, const char *key)
{
	if (KIND(option) == KL_OPT_SECRET)
		load_secret(work, option);
	else if (KIND(option) == KL_OPT_EXPR)
		load_expression(work, option, key);
	else
		load_plain(work, option, key);
}

static bool is_given(const struct section *section, const char *key, const struct entry **entry)
{
	for (size_t i = 0; i < section->item_count; i++)
		if (strcmp(section->items[i].entry->key, key) == 0) {
			*entry = section->items[i].entry;
			return true;
		}
	return false;
}

static void check_presence(struct work *work, const struct plugin_option *option)
{
	struct section *section = work->section;
	bool wanted =
		work->use->mapping ? KIND(option) != KL_OPT_SECRET : KIND(option) != KL_OPT_EXPR;
	const struct entry *entry;
	bool given = is_given(section, option->key, &entry);

	if (given && (option->kind & KL_OPT_DEPRECATED))
		warn(work->loader, entry->place, "\"%s\" is deprecated%s%s", option->key,
			option->help ? ": " : "", option->help ? option->help : "");
	if (!given && wanted && !section->incomplete && (option->kind & KL_OPT_REQUIRED) &&
		!option->fallback)
		fault(work->loader, section->place, "[%s %s] needs \"%s\"%s%s", section->kind,
			section->name, option->key, option->help ? ": " : "",
			option->help ? option->help : "");
}

/* "*" takes what nobody else has: not the table's keys, not the plugin's named options. */
static void load_wildcard(struct work *work, const struct plugin_option *option)
{
	struct section *section = work->section;

	for (size_t i = 0; i < section->item_count; i++) {
		const char *key = section->items[i].entry->key;
		if (!section->items[i].used && strcmp(key, "like") != 0 &&
			!table_has(table_find(section->kind), key))
			load_option(work, option, key);
	}
}

static const struct plugin_option *load_named(struct work *work)
{
	const struct plugin_info *info = work->use->info;
	const struct plugin_option *wildcard = NULL;

	for (size_t i = 0; i < info->option_count; i++) {
		const struct plugin_option *option = &info->options[i];
		if (strcmp(option->key, "*") == 0) {
			wildcard = option;
			continue;
		}
		if (table_has(table_find(work->section->kind), option->key))
			continue; /* the host's own meaning of that key wins */
		check_presence(work, option);
		load_option(work, option, option->key);
	}
	return wildcard;
}

/* Nobody can say what they mean; any of them may be a secret, so the snapshot shows none. */
static void skip_all(struct work *work)
{
	struct section *section = work->section;

	for (size_t i = 0; i < section->item_count; i++) {
		struct item *item = &section->items[i];
		if (item->used || table_has(table_find(section->kind), item->entry->key))
			continue;
		item->used = true;
		if (secret_is_literal(item->entry))
			item->entry->redact = true;
	}
}

static void leftovers(struct work *work)
{
	const struct plugin_info *info = work->use->info;
	const char **keys = NULL;
	size_t count = 0;

	for (size_t i = 0; info && i < info->option_count; i++)
		*PUSH(work->loader, work->loader->scratch, keys, count) = info->options[i].key;
	apply_leftovers(work->loader, work->section, keys, count);
}

static size_t index_of(const struct section *section, const struct config_field *field)
{
	size_t i = 0;

	while (section->items[i].entry->key != field->key)
		i++;
	return i;
}

static int by_file_order(const void *a, const void *b, void *arg)
{
	size_t x = index_of(arg, a), y = index_of(arg, b);

	return x < y ? -1 : x > y;
}

void options_load(struct loader *loader, struct section *section, struct plugin_use *use)
{
	struct work work = {loader, section, use, json_object(loader->scratch)};
	const struct plugin_option *wildcard;

	if (use->info) {
		wildcard = load_named(&work);
		if (wildcard)
			load_wildcard(&work, wildcard);
	} else {
		skip_all(&work);
	}
	leftovers(&work);
	if (use->field_count)
		qsort_r(use->fields, use->field_count, sizeof(*use->fields), by_file_order,
			section);
	use->options = json_print(loader->scratch, work.object);
	if (!use->options.ptr)
		longjmp(loader->nomem, 1);
	use->options.ptr = take_text(loader, use->options);
}
