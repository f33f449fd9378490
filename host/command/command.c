/* command.c - takes a command line apart and finds its verb. */
#include "command/command.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "config/config.h"
#include "plugin/plugin.h"

#define GIVEN_MAX 32

const struct command *const commands[] = {&command_run, &command_check, &command_call,
	&command_events, &command_jobs, &command_calls, &command_dead, &command_show,
	&command_replay, &command_status, &command_reload, &command_plugin, &command_version,
	&command_help, NULL};

const struct command *command_find(const char *name)
{
	for (size_t i = 0; commands[i]; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

const char *invocation_get(const struct invocation *in, const char *name)
{
	for (size_t i = 0; i < in->given_count; i++)
		if (strcmp(in->given[i].name, name) == 0)
			return in->given[i].value;
	return NULL;
}

int usage_error(const struct invocation *in, const char *format, ...)
{
	const struct command *command = command_find(in->verb);
	va_list ap;

	fprintf(stderr, "klinke %s: ", in->verb);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fprintf(stderr, "\nusage: klinke %s %s\n", in->verb, command ? command->usage : "");
	return EXIT_USAGE;
}

int fail(const struct invocation *in, const struct error *error)
{
	fprintf(stderr, "klinke %s: %s%s%s\n", in->verb, error->place, error->place[0] ? ": " : "",
		error->text);
	switch (error->code) {
	case E_BUSY:
		return EXIT_LATER;
	case E_TIMEOUT:
		return EXIT_LATER;
	case E_CLOSED:
		return EXIT_UNAVAILABLE;
	default:
		return EXIT_FAILED;
	}
}

/* ---- Parsing
 * ------------------------------------------------------------------------------------------ */

struct parsed {
	struct invocation in;
	struct given given[GIVEN_MAX];
	bool help;
};

/* 1: takes a value, 0: a flag, -1: not known. */
static int kind_of(const struct command *command, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = command->options; p && *p;) {
		size_t word = strcspn(p, " ");
		bool value = word && p[word - 1] == '=';
		if (word - value == n && strncmp(p, name, n) == 0)
			return value;
		p += word + strspn(p + word, " ");
	}
	return -1;
}

static int unknown_option(struct parsed *p, const struct command *command, const char *name)
{
	const char *words[GIVEN_MAX];
	char copy[256];
	size_t count = 0;
	const char *meant;

	snprintf(copy, sizeof(copy),
		"%s json help config=", command->options ? command->options : "");
	for (char *word = strtok(copy, " "); word && count < GIVEN_MAX; word = strtok(NULL, " ")) {
		word[strcspn(word, "=")] = '\0';
		words[count++] = word;
	}
	meant = config_suggest((struct str){name, strlen(name)}, words, count);
	if (meant)
		return usage_error(
			&p->in, "there is no option --%s; did you mean --%s?", name, meant);
	return usage_error(&p->in, "there is no option --%s", name);
}

/* "--name=value", "--name value" or "--flag". Returns how many words it took, or -EXIT_USAGE. */
static int parse_long(struct parsed *p, const struct command *command, int argc, char **argv)
{
	char *name = argv[0] + 2, *value = strchr(name, '=');
	int took = 1, kind;

	if (value)
		*value++ = '\0';
	if (strcmp(name, "json") == 0 || strcmp(name, "help") == 0) {
		*(name[0] == 'j' ? &p->in.json : &p->help) = true;
		return 1;
	}
	kind = strcmp(name, "config") == 0 ? 1 : kind_of(command, name);
	if (kind < 0)
		return -unknown_option(p, command, name);
	if (kind == 1 && !value) {
		if (argc < 2)
			return -usage_error(&p->in, "--%s needs a value", name);
		value = argv[1];
		took = 2;
	}
	if (strcmp(name, "config") == 0)
		p->in.config = value;
	else if (p->in.given_count < GIVEN_MAX)
		p->given[p->in.given_count++] = (struct given){name, value ? value : ""};
	return took;
}

static int parse(struct parsed *p, const struct command *command, int argc, char **argv)
{
	bool options = true;

	p->in.args = argv;
	for (int i = 0; i < argc;) {
		int took = 1;
		if (options && strcmp(argv[i], "--") == 0) {
			options = false;
		} else if (options && strcmp(argv[i], "-c") == 0) {
			if (i + 1 == argc)
				return usage_error(&p->in, "-c needs a file");
			p->in.config = argv[i + 1];
			took = 2;
		} else if (options && strcmp(argv[i], "-h") == 0) {
			p->help = true;
		} else if (options && strncmp(argv[i], "--", 2) == 0) {
			took = parse_long(p, command, argc - i, argv + i);
			if (took < 0)
				return -took;
		} else if (options && argv[i][0] == '-' && argv[i][1] != '\0') {
			return usage_error(&p->in, "there is no option %s", argv[i]);
		} else {
			argv[p->in.count++] = argv[i];
		}
		i += took;
	}
	return 0;
}

static int no_such_verb(const char *verb)
{
	const char *names[sizeof(commands) / sizeof(commands[0])], *meant;
	size_t count = 0;

	for (; commands[count]; count++)
		names[count] = commands[count]->name;
	meant = config_suggest((struct str){verb, strlen(verb)}, names, count);
	fprintf(stderr, "klinke: there is no verb %s%s%s%s; klinke help lists them\n", verb,
		meant ? "; did you mean " : "", meant ? meant : "", meant ? "?" : "");
	return EXIT_USAGE;
}

int command_main(int argc, char **argv)
{
	const char *env = getenv("KLINKE_CONFIG");
	struct parsed p = {.in = {.config = env ? env : "/etc/klinke/klinke.ini"}};
	const struct command *command;
	struct error error = {0};
	int code;

	p.in.verb = argc > 1 ? argv[1] : "help";
	if (strcmp(p.in.verb, "--help") == 0 || strcmp(p.in.verb, "-h") == 0)
		p.in.verb = "help";
	if (strcmp(p.in.verb, "--version") == 0)
		p.in.verb = "version";
	command = command_find(p.in.verb);
	if (!command)
		return no_such_verb(p.in.verb);
	p.in.given = p.given;
	code = parse(&p, command, argc > 2 ? argc - 2 : 0, argv + 2);
	if (code)
		return code;
	if (p.help) {
		char *args[] = {(char *)command->name};
		struct invocation in = {.verb = "help", .args = args, .count = 1};
		return command_help.run(&in);
	}
	if (command->needs_zygote && !(p.in.zygote = plugin_zygote_start(&error)))
		return fail(&p.in, &error);
	code = command->run(&p.in);
	plugin_zygote_stop(p.in.zygote);
	return code;
}
