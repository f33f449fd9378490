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
	struct arena *arena = arena_create(MEMORY);
	const struct json *answer;
	int code = client_ask(in, arena, client_request(in, arena, verb), &answer);

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
	.usage = "[--json]",
	.summary = "what the host has, waits for and needs",
	.help = "",
	.options = "state-dir=",
};

static int run_reload(const struct invocation *in)
{
	return ask_and_print(in, "reload");
}

const struct command command_reload = {
	.name = "reload",
	.run = run_reload,
	.usage = "[--json]",
	.summary = "check the configuration and take it over; the old one stays on error",
	.help = "Runs that have begun finish on the configuration they began with.\n",
	.options = "state-dir=",
};

static int run_version(const struct invocation *in)
{
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
};

static int help_overview(void)
{
	puts("klinke VERB [ARGUMENTS]\n");
	for (size_t i = 0; commands[i]; i++)
		printf("  %-8s  %s\n", commands[i]->name, commands[i]->summary);
	puts("\nEvery verb takes -c FILE (else KLINKE_CONFIG, else /etc/klinke/klinke.ini) and "
	     "--help; those\n"
	     "that read take --json. klinke help VERB tells more; klinke help config [SECTION] "
	     "tells every\n"
	     "key of the configuration.\n\n"
	     "Exit codes: 0 fine, 1 failed, 2 usage, 69 nobody answers, 75 try later, 78 "
	     "configuration.");
	return 0;
}

static int run_help(const struct invocation *in)
{
	const struct command *command;

	if (in->count == 0)
		return help_overview();
	if (strcmp(in->args[0], "config") == 0) {
		config_help(stdout, in->count > 1 ? in->args[1] : NULL);
		return 0;
	}
	command = command_find(in->args[0]);
	if (!command)
		return usage_error(in, "there is no verb %s", in->args[0]);
	printf("klinke %s %s\n\n%s.\n%s%s", command->name, command->usage, command->summary,
		command->help[0] ? "\n" : "", command->help);
	return 0;
}

const struct command command_help = {
	.name = "help",
	.run = run_help,
	.usage = "[VERB | config [SECTION]]",
	.summary = "this, or more about one verb",
	.help = "",
};
