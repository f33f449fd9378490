/* small.c - the verbs of a few lines: status, reload, version, help. */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "command/client.h"
#include "config/config.h"

#define MEMORY ((size_t)64 * 1024 * 1024)

static int ask_and_print(const struct invocation *in, const char *verb)
{
	struct arena *arena;
	const struct json *answer;
	int code;

	if (in->count)
		return usage_error(in, "it takes no arguments");
	arena = arena_create(MEMORY);
	code = client_ask(in, arena, client_request(in, arena, verb), &answer);
	if (code == 0) {
		struct str text =
			in->json ? json_print(arena, answer) : json_print_pretty(arena, answer);
		printf("%.*s\n", STR_ARG(text));
	}
	arena_destroy(arena);
	return code;
}

static int run_status(const struct invocation *in)
{
	return ask_and_print(in, "status");
}

const struct command command_status = {
	.name = "status",
	.run = run_status,
	.usage = "[OPTIONS]",
	.summary = "what the host has, waits for and needs",
	.help = "Numbers of events, of webhooks that wait or are parked, of jobs by their state; "
		"running tells\n"
		"whether a host answered, or the state directory was read without one; sandbox "
		"tells what confines\n"
		"plugins there, and what its kernel lacks for it. klinke dead lists what needs "
		"you.\n",
	.options = "config= json state-dir=",
};

static int run_reload(const struct invocation *in)
{
	return ask_and_print(in, "reload");
}

const struct command command_reload = {
	.name = "reload",
	.run = run_reload,
	.usage = "[OPTIONS]",
	.summary = "check the configuration and take it over; the old one stays on error",
	.help = "The running host reads the file it was started with again, in its own "
		"environment. Runs that\n"
		"have begun finish on the configuration they began with. The same as HUP, but "
		"tells the result:\n"
		"0 taken over, 78 refused, 69 no host runs here.\n",
	.options = "config= json state-dir=",
};

static int run_version(const struct invocation *in)
{
	if (in->count)
		return usage_error(in, "it takes no arguments");
	if (in->json)
		puts("{\"version\":\"" KLINKE_VERSION "\",\"abi\":1}");
	else
		puts("klinke " KLINKE_VERSION " (plugin ABI 1)");
	return 0;
}

const struct command command_version = {
	.name = "version",
	.run = run_version,
	.usage = "[--json]",
	.summary = "version of the host and of its plugin ABI",
	.help = "",
	.options = "json",
};

static int help_overview(void)
{
	puts("klinke VERB [ARGUMENTS]\n");
	for (size_t i = 0; commands[i]; i++)
		printf("  %-8s  %s\n", commands[i]->name, commands[i]->summary);
	puts("\nklinke help VERB, or klinke VERB --help, tells more. klinke help config [SECTION] "
	     "tells every key\n"
	     "of the configuration: that is -c FILE, else KLINKE_CONFIG, else "
	     "/etc/klinke/klinke.ini. Verbs\n"
	     "that read take --json.\n\n"
	     "Exit codes: 0 fine, 1 failed, 2 usage, 69 nobody answers, 75 try later, 78 "
	     "configuration.");
	return 0;
}

/* For programs: every verb and what it takes. */
static int help_json(void)
{
	struct arena *arena = arena_create(MEMORY);
	struct json *list = json_array(arena);
	struct str text;

	for (size_t i = 0; commands[i]; i++) {
		struct json *o = json_object(arena);
		json_put_text(arena, o, "verb", str_of(commands[i]->name));
		json_put_text(arena, o, "usage", str_of(commands[i]->usage));
		json_put_text(arena, o, "summary", str_of(commands[i]->summary));
		json_put_text(arena, o, "options",
			str_of(commands[i]->options ? commands[i]->options : ""));
		json_push(arena, list, o);
	}
	text = json_print_pretty(arena, list);
	printf("%.*s\n", STR_ARG(text));
	arena_destroy(arena);
	return text.ptr ? EXIT_OK : EXIT_FAILED;
}

static int help_config(const struct invocation *in)
{
	const char *names[16], *section = in->count > 1 ? in->args[1] : NULL, *meant;
	size_t count;
	const struct config_section *sections = config_sections(&count);

	for (size_t i = 0; i < count; i++)
		names[i] = sections[i].kind;
	for (size_t i = 0; i < count; i++)
		if (!section || strcmp(section, names[i]) == 0) {
			config_help(stdout, section);
			return 0;
		}
	meant = config_suggest(str_of(section), names, count);
	return usage_error(in, "there is no section [%s]%s%s%s", section,
		meant ? "; did you mean [" : "", meant ? meant : "", meant ? "]?" : "");
}

static int help_verb(const struct invocation *in)
{
	const struct command *command = command_find(in->args[0]);

	if (!command)
		return command_unknown(in->args[0]);
	printf("klinke %s %s\n\n%s.\n%s%s", command->name, command->usage, command->summary,
		command->help[0] ? "\n" : "", command->help);
	option_help(command);
	return 0;
}

static int run_help(const struct invocation *in)
{
	if (in->json && in->count)
		return usage_error(in, "--json tells of all verbs, not of one");
	if (in->json)
		return help_json();
	if (in->count == 0)
		return help_overview();
	if (strcmp(in->args[0], "config") == 0 && in->count <= 2)
		return help_config(in);
	if (in->count > 1)
		return usage_error(in, "one verb at a time");
	return help_verb(in);
}

const struct command command_help = {
	.name = "help",
	.run = run_help,
	.usage = "[VERB | config [SECTION]] [--json]",
	.summary = "this, or more about one verb",
	.help = "",
	.options = "json",
};
