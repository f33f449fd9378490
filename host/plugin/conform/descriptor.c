/* descriptor.c - what a plugin says about itself: is it possible, and is it enough for a person?
 *
 * load.c has refused already what no host can work with. Texts are read here from plain data; the
 * raw struct is looked at in a child. One thread. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "plugin/conform/kit.h"

#define ABOUT "descriptor"

static void fault(struct kit *kit, const char *where, const char *instead, const char *what)
{
	kit_find(kit, ABOUT, false, where, instead, "%s", what);
}

/* Bytes of text's front that are lower-case letters, digits or one of more. */
static size_t span(const char *text, const char *more)
{
	size_t n = 0;

	while (islower((unsigned char)text[n]) || isdigit((unsigned char)text[n]) ||
		(text[n] && strchr(more, text[n])))
		n++;
	return n;
}

static bool is_name(const char *text, const char *more)
{
	return islower((unsigned char)*text) && !text[span(text, more)];
}

/* Words with dots between, each beginning with a letter or digit. */
static bool is_dotted(const char *text, const char *more, bool any)
{
	unsigned dots = 0;

	for (;; text++, dots++) {
		size_t n = span(text, more);
		if (!n || !isalnum((unsigned char)*text))
			return false;
		text += n;
		if (*text != '.')
			return !*text && (dots || any);
	}
}

static const char *version_number(const char *text)
{
	size_t n = strspn(text, "0123456789");

	return n == 0 || (n > 1 && *text == '0') ? NULL : text + n;
}

static bool is_semver(const char *text)
{
	unsigned i;

	for (i = 0; text && i < 3; i++) {
		text = version_number(text);
		if (text && i < 2)
			text = *text == '.' ? text + 1 : NULL;
	}
	if (!text || !*text)
		return text != NULL;
	if (*text != '-' && *text != '+')
		return false;
	for (text++; *text; text++)
		if (!isalnum((unsigned char)*text) && !strchr(".-+", *text))
			return false;
	return true;
}

/* ---- the head ----------------------------------------------------------------------------- */

static void check_head(struct kit *kit)
{
	const struct plugin_info *info = &kit->info;

	if (!is_dotted(info->id, "-_", false))
		fault(kit, "id",
			"a domain of yours backwards, in lower case: \"org.example.bell\". It "
			"stays for "
			"ever",
			arena_printf(kit->arena, "id \"%s\" is no reverse DNS name", info->id));
	if (!is_semver(info->version))
		fault(kit, "version", "\"1.0.0\": three numbers, see semver.org",
			arena_printf(kit->arena, "version \"%s\" is no semantic version",
				info->version));
	if (strpbrk(info->summary, "\r\n") || strlen(info->summary) > 120)
		fault(kit, "summary", "one line of at most 120 bytes that says what it is for",
			"the summary is longer than a line");
}

/* Each word of the list; false from is_good is a fault. */
static void check_words(struct kit *kit, const char *member, const char *list,
	bool (*is_good)(const char *word), const char *instead)
{
	const char *at = list;
	char word[300];

	while (*(at += strspn(at, " "))) {
		size_t n = strcspn(at, " ");
		const char *again = at + n;
		snprintf(word, sizeof(word), "%.*s", (int)(n < 299 ? n : 299), at);
		if (n >= 256 || !is_good(word))
			fault(kit, member, instead,
				arena_printf(kit->arena, "%s holds \"%s\"", member, word));
		while ((again = strstr(again, word)) &&
			!((again[n] == ' ' || !again[n]) && again[-1] == ' '))
			again++;
		if (again)
			fault(kit, member, "name each once",
				arena_printf(kit->arena, "%s names %s twice", member, word));
		at += n;
	}
}

/* "event.*": the operator's keys declare what stands for the star (config/declared.c). */
static bool is_pattern(const char *word)
{
	size_t n = span(word, "_");

	return n && strcmp(word + n, ".*") == 0;
}

static bool is_event(const char *word)
{
	return is_dotted(word, "_-", false) || is_pattern(word);
}

static bool is_host(const char *word)
{
	char name[300];
	const char *colon = strchr(word, ':');

	snprintf(name, sizeof(name), "%.*s", colon ? (int)(colon - word) : 299, word);
	return is_dotted(name, "-", false) &&
	       (!colon || (colon[1] && !colon[1 + strspn(colon + 1, "0123456789")]));
}

static void check_lists(struct kit *kit)
{
	const struct plugin_info *info = &kit->info;
	bool goes_out = info->hosts[0];
	size_t i;

	check_words(kit, "events", info->events, is_event,
		"event types with blanks between, as in \"booking.created booking.cancelled\"");
	check_words(kit, "hosts", info->hosts, is_host,
		"names of machines with blanks between, without scheme, path or *: "
		"\"api.example.org\"");
	for (i = 0; i < info->option_count; i++)
		goes_out |= (info->options[i].kind & 255u) == KL_OPT_URL;
	if (info->credential_count && !goes_out)
		fault(kit, "hosts",
			"name in hosts where it goes, or declare an option of kind KL_OPT_URL: the "
			"host lets it go nowhere else",
			"it declares credentials, and no machine to send them to");
}

/* ---- options, operations, routes ---------------------------------------------------------- */

static bool holds_word(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = strstr(list, word); at; at = strstr(at + 1, word))
		if ((at == list || at[-1] == ' ') && (!at[len] || at[len] == ' '))
			return true;
	return false;
}

static bool is_number_with(const char *text, const char *units)
{
	size_t digits = strspn(text + (*text == '-'), "0123456789") + (*text == '-');

	return digits > (size_t)(*text == '-') &&
	       (!text[digits] || holds_word(units, text + digits));
}

/* Would the operator's file be refused with it? */
static bool is_good_fallback(const struct plugin_option *option)
{
	const char *text = option->fallback;

	switch (option->kind & 255u) {
	case KL_OPT_INT:
		return is_number_with(text, "");
	case KL_OPT_MS:
		return is_number_with(text, "ms s m h d");
	case KL_OPT_BYTES:
		return is_number_with(text, "B KiB MiB GiB K M G k kB KB MB GB");
	case KL_OPT_BOOL:
		return holds_word("true false yes no on off 1 0", text);
	case KL_OPT_URL:
		return strncmp(text, "https://", 8) == 0 || strncmp(text, "http://", 7) == 0;
	case KL_OPT_CHOICE:
		return holds_word(option->choices, text);
	default:
		return true;
	}
}

static void check_option(struct kit *kit, const struct plugin_option *option)
{
	const uint32_t flags = KL_OPT_REQUIRED | KL_OPT_REPEATED | KL_OPT_DEPRECATED;
	const char *where = arena_printf(kit->arena, "option %s", option->key);

	if (strcmp(option->key, "*") != 0 && !is_name(option->key, "_-."))
		fault(kit, where, "lower-case letters, digits, _ and dots, beginning with a letter",
			"its key cannot be written in a configuration");
	if (option->kind & ~(255u | flags))
		fault(kit, where, "a kind of enum KL_OPT_*, with its flags or'ed",
			arena_printf(kit->arena, "its kind is %#x", option->kind));
	if (option->fallback && (option->kind & KL_OPT_REQUIRED))
		fault(kit, where, "either KL_OPT_REQUIRED or a fallback",
			"it is required and has a fallback, which is never used");
	if (option->fallback && !is_good_fallback(option))
		fault(kit, where, "a fallback as the operator would write it",
			arena_printf(kit->arena, "its fallback \"%s\" is not of its kind",
				option->fallback));
	if (!option->help || !*option->help)
		kit_find(kit, ABOUT, true, where, "a line for the person who fills it in",
			"it has no help");
}

static void check_schema(struct kit *kit, const char *where, const char *schema)
{
	struct error error = {0};
	const struct json *tree = json_parse(kit->arena, str_of(schema), &error);

	if (!tree)
		fault(kit, where, "one JSON Schema, compact",
			arena_printf(kit->arena, "its schema is no JSON: %s", error.text));
	else if (json_type(tree) != JSON_OBJECT)
		fault(kit, where, "an object: {\"type\":\"object\",\"properties\":{...}}",
			"its schema is no object");
	else if (json_get(tree, "type") && !str_is(json_get_text(tree, "type"), "object"))
		fault(kit, where, "\"type\":\"object\": an operation's input is one",
			"its schema describes no object");
}

static void check_op(struct kit *kit, const struct plugin_op *op)
{
	const char *where = arena_printf(kit->arena, "operation %s", op->name);

	if (!is_name(op->name, "_") && !is_pattern(op->name))
		fault(kit, where,
			"lower-case letters, digits and _, beginning with a letter; or \"op.*\"",
			"its name cannot be written in a pipeline");
	if (op->kind & ~(255u | (uint32_t)KL_OP_LOOKUP))
		fault(kit, where, "KL_OP_ACTION or KL_OP_POLL, perhaps with KL_OP_LOOKUP",
			arena_printf(kit->arena, "its kind is %#x", op->kind));
	if (op->schema)
		check_schema(kit, where, op->schema);
	if (!op->help || !*op->help)
		kit_find(kit, ABOUT, true, where, "a line for the person who calls it",
			"it has no help");
}

static void check_routes(struct kit *kit)
{
	size_t i;

	for (i = 0; i < kit->info.route_count; i++) {
		const struct plugin_route *route = &kit->info.routes[i];
		const char *where = arena_printf(kit->arena, "route \"%s\"", route->name);
		if (route->name[span(route->name, "_-")])
			fault(kit, where, "lower-case letters, digits, _ and -, or \"\"",
				"its name cannot be part of an address");
		if (route->reply_ms > 60000)
			fault(kit, where, "the milliseconds that the caller really waits",
				"it lets a caller wait longer than a minute");
	}
}

/* ---- the raw struct ----------------------------------------------------------------------- */

static uint32_t word_at(const void *from, size_t at)
{
	uint32_t word;

	memcpy(&word, (const char *)from + at, sizeof(word));
	return word;
}

static void zeros(struct child *child, const char *what, kl_list list, size_t at)
{
	uint32_t i;

	for (i = 0; i < list.count; i++)
		if (word_at((const char *)list.ptr + (size_t)i * list.stride, at))
			child_find(child, what, "0: a later minor may give it a meaning",
				"%s[%u].zero is not 0", what, i);
}

static void look_at_raw(struct child *child, uint32_t item)
{
	const kl_plugin *raw = &child->loaded.raw;

	(void)item;
	if (raw->flags)
		child_find(child, "flags", "0: a later minor may give it a meaning", "flags is %#x",
			raw->flags);
	zeros(child, "options", raw->options, offsetof(kl_option, zero));
	zeros(child, "ops", raw->ops, offsetof(kl_op, zero));
	zeros(child, "routes", raw->routes, offsetof(kl_route, zero));
	zeros(child, "credentials", raw->credentials, offsetof(kl_credential, zero));
	if (raw->extension && raw->extension("kl.nobody-has-this/1"))
		child_find(child, "extension()", "NULL for every id that it does not know",
			"it has an extension that nobody has");
}

void check_descriptor(struct kit *kit)
{
	const struct probe probe = {.check = ABOUT,
		.items = 1,
		.run = look_at_raw,
		.dead = "extension() compares the id, and returns NULL for all others"};
	size_t i;

	check_head(kit);
	check_lists(kit);
	for (i = 0; i < kit->info.option_count; i++)
		check_option(kit, &kit->info.options[i]);
	for (i = 0; i < kit->info.op_count; i++)
		check_op(kit, &kit->info.ops[i]);
	check_routes(kit);
	probe_run(kit, &probe);
}
