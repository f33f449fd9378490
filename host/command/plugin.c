/* plugin.c - which plugins there are, what one says about itself, and how it has fared in the
 * running host. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "command/client.h"
#include "command/command.h"
#include "command/list.h"
#include "command/plugin.h"
#include "command/setup.h"
#include "http/control.h"
#include "klinke/plugin.h"

#define MEMORY ((size_t)64 * 1024 * 1024)
#define PATIENCE_MS 5000

struct asked {
	const struct invocation *in;
	struct arena *arena;
	struct setup *setup;
	struct error error;
	const struct json *health; /* of all plugins, as the host tells it; NULL: no host answers */
};

/* ---- How they fare ------------------------------------------------------------------------ */

/* That no host runs is no fault: there is nothing to tell then. */
static void ask_health(struct asked *a)
{
	struct error error = {0};
	const char *state;
	struct str line;

	if (client_find_state_quietly(a->in, a->arena, &state) == 0 &&
		control_ask(&error, state, STR("{\"verb\":\"plugins\"}"), PATIENCE_MS, a->arena,
			&line) == 0)
		a->health = json_get(json_parse(a->arena, line, &error), "rows");
}

static const struct json *health_of(const struct asked *a, const char *name)
{
	for (size_t i = 0; i < json_count(a->health); i++) {
		const struct json *row = json_at(a->health, i, NULL);
		if (str_is(json_get_text(row, "plugin"), name))
			return row;
	}
	return NULL;
}

static void put_health(struct asked *a, struct json *o, const char *name)
{
	static const char *const members[] = {
		"state", "problem", "calls", "deaths", "last_death", "last_reason"};
	const struct json *row = health_of(a, name);

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (json_get(row, members[i]))
			json_put(a->arena, o, members[i], json_get(row, members[i]));
	if (a->health && !row)
		json_put_text(a->arena, o, "state", STR("not used"));
}

static const char *afterwards(const struct json *o)
{
	struct str state = json_get_text(o, "state");

	return str_is(state, "disabled")     ? "it is disabled"
	       : str_is(state, "restarting") ? "the next one starts after a pause"
					     : "another was started";
}

static void print_deaths(const char *indent, const struct json *o)
{
	struct str problem = json_get_text(o, "problem");

	if (problem.len)
		printf("%sdisabled: %.*s\n", indent, STR_ARG(problem));
	if (json_i64(json_get(o, "deaths"), 0))
		printf("%s%.*s deaths since the host began, the last at %.*s: %.*s; %s\n", indent,
			STR_ARG(json_get_text(o, "deaths")),
			STR_ARG(json_get_text(o, "last_death")),
			STR_ARG(json_get_text(o, "last_reason")), afterwards(o));
}

static void print_health(const struct asked *a, const struct json *o)
{
	puts("\nin the running host");
	if (!a->health) {
		puts("  no host answers here, so it is not known");
		return;
	}
	printf("  state    %.*s\n", STR_ARG(json_get_text(o, "state")));
	if (json_get(o, "deaths"))
		printf("  deaths   %.*s\n  calls    %.*s\n", STR_ARG(json_get_text(o, "deaths")),
			STR_ARG(json_get_text(o, "calls")));
	print_deaths("  ", o);
}

static void print_troubles(const struct json *rows)
{
	for (size_t i = 0; i < json_count(rows); i++) {
		const struct json *o = json_at(rows, i, NULL);
		if (!json_get_text(o, "problem").len && !json_i64(json_get(o, "deaths"), 0))
			continue;
		printf("\n%.*s\n", STR_ARG(json_get_text(o, "name")));
		print_deaths("  ", o);
	}
}

/* ---- As JSON ------------------------------------------------------------------------------ */

static const char *kind_name(uint32_t kind)
{
	static const char *const names[] = {"", "text", "number", "bool", "duration", "size", "url",
		"choice", "secret", "expression"};
	return (kind & 0xff) < sizeof(names) / sizeof(names[0]) ? names[kind & 0xff] : "?";
}

static void put(struct asked *a, struct json *o, const char *key, const char *text)
{
	if (text && text[0])
		json_put_text(a->arena, o, key, str_of(text));
}

static struct json *options_json(struct asked *a, const struct plugin_info *info)
{
	struct json *list = json_array(a->arena);

	for (size_t i = 0; i < info->option_count; i++) {
		const struct plugin_option *p = &info->options[i];
		struct json *o = json_object(a->arena);
		put(a, o, "key", p->key);
		put(a, o, "kind", kind_name(p->kind));
		json_put_bool(a->arena, o, "required", (p->kind & KL_OPT_REQUIRED) != 0);
		json_put_bool(a->arena, o, "repeated", (p->kind & KL_OPT_REPEATED) != 0);
		put(a, o, "default", p->fallback);
		put(a, o, "choices", p->choices);
		put(a, o, "help", p->help);
		json_push(a->arena, list, o);
	}
	return list;
}

static struct json *ops_json(struct asked *a, const struct plugin_info *info)
{
	struct json *list = json_array(a->arena);

	for (size_t i = 0; i < info->op_count; i++) {
		struct json *o = json_object(a->arena);
		put(a, o, "name", info->ops[i].name);
		put(a, o, "kind", (info->ops[i].kind & 0xff) == KL_OP_POLL ? "poll" : "action");
		json_put_bool(a->arena, o, "lookup", (info->ops[i].kind & KL_OP_LOOKUP) != 0);
		put(a, o, "help", info->ops[i].help);
		if (info->ops[i].schema)
			json_put(a->arena, o, "input",
				json_parse(a->arena, str_of(info->ops[i].schema), NULL));
		json_push(a->arena, list, o);
	}
	return list;
}

static struct json *routes_json(struct asked *a, const struct plugin_info *info)
{
	struct json *list = json_array(a->arena);

	for (size_t i = 0; i < info->route_count; i++) {
		struct json *o = json_object(a->arena);
		json_put_text(a->arena, o, "path",
			str_of(arena_printf(a->arena, "/hooks/TENANT/CONNECTION%s%s",
				info->routes[i].name[0] ? "/" : "", info->routes[i].name)));
		put(a, o, "help", info->routes[i].help);
		json_push(a->arena, list, o);
	}
	return list;
}

/* What it must be given to work: by the operator, and from the world. */
static struct json *needs_json(struct asked *a, const struct plugin_info *info)
{
	struct json *o = json_object(a->arena), *secrets = json_array(a->arena);
	struct json *addresses = json_array(a->arena); /* options that name a host */

	for (size_t i = 0; i < info->option_count; i++) {
		uint32_t kind = info->options[i].kind & 0xff;
		if (kind == KL_OPT_SECRET || kind == KL_OPT_URL)
			json_push(a->arena, kind == KL_OPT_URL ? addresses : secrets,
				json_of_text(a->arena, str_of(info->options[i].key)));
	}
	put(a, o, "hosts", info->hosts);
	json_put(a->arena, o, "secrets", secrets);
	json_put(a->arena, o, "addresses", addresses);
	return o;
}

/* What it is given here: a process without anything, as far as this kernel can. */
static struct json *gets_json(struct asked *a)
{
	struct str rest = plugin_sandbox_report(a->in->zygote, a->arena);
	struct json *o = json_object(a->arena);
	struct admin_means means;

	while (admin_next_means(&rest, &means))
		json_set(a->arena, o, means.name, json_of_text(a->arena, means.why));
	json_put_text(a->arena, o, "files", STR("none; those of libraries while it is loaded"));
	json_put_text(a->arena, o, "network", STR("none; the host sends, to the hosts above only"));
	json_put_text(a->arena, o, "secrets", STR("none; the host puts them in, by their names"));
	json_put_text(a->arena, o, "time", STR("call_timeout of its connection, then SIGKILL"));
	return o;
}

static struct json *info_json(struct asked *a, const struct plugin_info *info)
{
	struct json *o = json_object(a->arena);

	put(a, o, "name", info->name);
	put(a, o, "path", info->path);
	put(a, o, "id", info->id);
	put(a, o, "version", info->version);
	put(a, o, "summary", info->summary);
	put(a, o, "hosts", info->hosts);
	put(a, o, "events", info->events);
	json_put(a->arena, o, "options", options_json(a, info));
	json_put(a->arena, o, "operations", ops_json(a, info));
	json_put(a->arena, o, "routes", routes_json(a, info));
	json_put(a->arena, o, "needs", needs_json(a, info));
	json_put(a->arena, o, "gets", gets_json(a));
	put_health(a, o, info->name);
	return o;
}

/* ---- For people --------------------------------------------------------------------------- */

static void print_needs(const struct json *needs)
{
	const struct json *secrets = json_get(needs, "secrets");
	const struct json *addresses = json_get(needs, "addresses");
	struct str hosts = json_get_text(needs, "hosts");

	puts("\nneeds");
	for (size_t i = 0; i < json_count(secrets); i++)
		printf("  secret   %.*s\n", STR_ARG(json_text(json_at(secrets, i, NULL))));
	printf("  hosts    %s%.*s", hosts.len || json_count(addresses) ? "" : "none",
		STR_ARG(hosts));
	for (size_t i = 0; i < json_count(addresses); i++)
		printf("%sthat of %.*s", hosts.len || i ? ", " : "",
			STR_ARG(json_text(json_at(addresses, i, NULL))));
	puts("");
}

static void print_gets(const struct json *gets)
{
	puts("\ngets");
	for (size_t i = 0; i < json_count(gets); i++) {
		struct str name;
		struct str text = json_text(json_at(gets, i, &name));
		printf("  %.*s: %.*s\n", STR_ARG(name), STR_ARG(text));
	}
}

static void print_info(const struct asked *a, const struct json *o)
{
	static const char *const facts[] = {"summary", "id", "version", "path", "hosts", "events"};
	static const char *const options[] = {"key", "kind", "default", "help", NULL};
	static const char *const ops[] = {"name", "kind", "help", NULL};
	static const char *const inputs[] = {"operation", "input", "kind", "needed", NULL};
	static const char *const routes[] = {"path", "help", NULL};

	printf("%.*s\n", STR_ARG(json_get_text(o, "name")));
	for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++)
		if (json_get_text(o, facts[i]).len)
			printf("  %-8s %.*s\n", facts[i], STR_ARG(json_get_text(o, facts[i])));
	puts("\noptions");
	list_table(json_get(o, "options"), options);
	puts("\noperations");
	list_table(json_get(o, "operations"), ops);
	puts("\ntheir inputs");
	list_table(plugin_inputs(a->arena, json_get(o, "operations")), inputs);
	puts("\nwebhooks");
	list_table(json_get(o, "routes"), routes);
	print_needs(json_get(o, "needs"));
	print_gets(json_get(o, "gets"));
	print_health(a, o);
}

/* ---- Finding them ------------------------------------------------------------------------- */

static int describe(struct asked *a, const char *path, const char *name, struct plugin_info *info)
{
	struct error error = {0};

	if (plugin_describe(&error, a->in->zygote, path, a->arena, info) < 0) {
		a->error = error;
		return error.code;
	}
	info->name = name;
	info->path = path;
	return 0;
}

static void list_directory(struct asked *a, const char *directory, struct json *rows)
{
	DIR *dir = opendir(directory);
	struct dirent *entry;

	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		size_t n = strlen(entry->d_name);
		struct json *o = json_object(a->arena);
		struct plugin_info info = {0};
		const char *name;
		if (n < 4 || strcmp(entry->d_name + n - 3, ".so") != 0)
			continue;
		name = arena_printf(a->arena, "%.*s", (int)n - 3, entry->d_name);
		json_put_text(a->arena, o, "name", str_of(name));
		if (describe(a, arena_printf(a->arena, "%s/%s", directory, entry->d_name), name,
			    &info) == 0) {
			put(a, o, "version", info.version);
			put(a, o, "summary", info.summary);
		} else {
			json_put_text(a->arena, o, "summary",
				str_of(arena_printf(a->arena, "does not load: %s", a->error.text)));
		}
		put_health(a, o, name);
		json_push(a->arena, rows, o);
	}
	closedir(dir);
}

/* The directories are in the configuration; its faults do not matter for looking at plugins. */
static const char *const *directories(struct asked *a)
{
	struct config_faults faults = {0};

	config_unref(setup_load(a->setup, a->in->config, &faults));
	config_faults_finish(&faults);
	return setup_directories(a->setup);
}

static int list(struct asked *a)
{
	static const char *const columns[] = {"name", "version", "summary", NULL};
	static const char *const lively[] = {"name", "version", "state", "deaths", "summary", NULL};
	struct json *rows = json_array(a->arena);
	const char *const *dirs = directories(a);

	ask_health(a);
	for (size_t i = 0; dirs && dirs[i]; i++)
		list_directory(a, dirs[i], rows);
	if (a->in->json)
		printf("%.*s\n", STR_ARG(json_print(a->arena, rows)));
	else {
		list_table(rows, a->health ? lively : columns);
		print_troubles(rows);
	}
	return 0;
}

static int info(struct asked *a, const char *name)
{
	const char *path = strchr(name, '/') ? name : NULL;
	struct plugin_info info = {0};
	struct json *o;

	if (!path && directories(a))
		path = setup_plugin_path(a->setup, name);
	if (!path) {
		error_set(&a->error, E_NOTFOUND,
			"there is no plugin %s; klinke plugin list shows them", name);
		return fail(a->in, &a->error);
	}
	if (describe(a, path, name, &info) < 0)
		return fail(a->in, &a->error);
	if (!strchr(name, '/')) /* a file is not what the host runs by its name */
		ask_health(a);
	o = info_json(a, &info);
	if (a->in->json)
		printf("%.*s\n", STR_ARG(json_print(a->arena, o)));
	else
		print_info(a, o);
	return 0;
}

static int run(const struct invocation *in)
{
	struct asked a = {.in = in};
	int code;

	if (in->count && strcmp(in->args[0], "check") == 0)
		return plugin_check(in);
	if (in->count && strcmp(in->args[0], "new") == 0)
		return plugin_new(in);
	if (in->count && strcmp(in->args[0], "record") == 0)
		return plugin_record(in);
	a.arena = arena_create(MEMORY);
	a.setup = setup_create(&a.error, in->zygote);
	if (!a.arena || !a.setup)
		code = fail(in, &a.error);
	else if (in->count == 1 && strcmp(in->args[0], "list") == 0)
		code = list(&a);
	else if (in->count == 2 && strcmp(in->args[0], "info") == 0)
		code = info(&a, in->args[1]);
	else
		code = usage_error(
			in, "there are list and info NAME, check FILE.so, new NAME, record WHAT");
	setup_destroy(a.setup);
	arena_destroy(a.arena);
	return code;
}

const struct command command_plugin = {
	.name = "plugin",
	.run = run,
	.usage = "list | info NAME|FILE.so | check FILE.so [CASES...] | new NAME [DIR] |\n"
		 "       record TENANT/CONNECTION.OPERATION [JSON | @FILE | -] [OPTIONS]",
	.summary = "the plugins there are; check one; begin one; record a case",
	.help = "info tells a plugin's options, operations and their input, webhook addresses, "
		"what "
		"it needs, and what\n"
		"it gets here: its process, and what confines that. Names are looked up in the "
		"directories of\n"
		"plugins = in the configuration. Of the running host both tell whether it has the "
		"plugin, how often a worker\n"
		"of it has died since the host began, when and how the last one did, and what came "
		"of that.\n"
		"A plugin is loaded in a sandboxed process to be asked; nothing is sent.\n"
		"\n"
		"check runs the conformance kit: the plugin with its own cases (--cases, or cases/ "
		"beside the file), and\n"
		"with what the kit makes of them. A crash is a finding, not the end. A finding "
		"says "
		"where, what, and what\n"
		"to write instead; a note is worth knowing, and no fault. What is drawn is drawn "
		"from "
		"--seed, which is\n"
		"printed. With --json one object a line: check, level, where, what, instead, "
		"more.\n"
		"Exit codes: 0 no finding, 1 findings, 2 usage, 69 it could not be run. The "
		"checks:\n"
		"  exports     the file exports its entry point and nothing else\n"
		"  imports     it imports mem* and str* at most; else which isolation that forces\n"
		"  descriptor  id, version, events, hosts, options, operations, routes, schemas\n"
		"  cases       its own cases, in the sandbox\n"
		"  purity      the same call gives the same bytes: again, shuffled, in another "
		"process\n"
		"  restart     each step goes on in a new process from its state alone\n"
		"  starve      each allocation of each call fails once\n"
		"  guard       reads and writes beyond what was allocated, or after the call\n"
		"  sizes       structs exactly as in minor 0, and bigger ones with anything "
		"behind\n"
		"  input       cut, of another type, deep, huge, repeated, missing, not UTF-8\n"
		"  outcomes    every outcome, status and body at every step that sends\n"
		"  signature   one flipped bit in a genuine webhook is refused\n"
		"  budget      processor time and memory of each call\n"
		"  fuzz        with --fuzz: changes of all these inputs, calls a second at the "
		"end\n"
		"\n"
		"new writes DIR (NAME if left out): NAME.c, cases/NAME.json, meson.build and "
		"README.md of a plugin that\n"
		"builds and passes. Nothing is written over.\n"
		"\n"
		"record runs an operation for real, as klinke call does, and makes a case file of "
		"it: what was sent and\n"
		"answered, without secrets, and with other names, numbers and addresses of "
		"persons, "
		"the same everywhere.\n"
		"The case is run at once: 0, it passes; 1, it does not, or none could be made, and "
		"why. How what has happened\n"
		"becomes a case, webhooks too: klinke help show. Free text may still tell of "
		"somebody: look at a case before\n"
		"you give it away.\n",
	.options = "config= json cases= seed= only= fuzz= kind= templates= out= real-persons "
		   "state-dir=",
	.needs_zygote = true,
};
