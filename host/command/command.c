/* command.c - takes a command line apart and finds its verb. */
#include "command/command.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/error.h"
#include "config/config.h"
#include "plugin/plugin.h"
#include "store/store.h"

#define GIVEN_MAX 32

const struct command *const commands[] = {&command_run, &command_check, &command_call,
	&command_events, &command_jobs, &command_calls, &command_dead, &command_show,
	&command_replay, &command_status, &command_receipt, &command_gaps, &command_doctor,
	&command_reload, &command_backup, &command_restore, &command_migrate, &command_salvage,
	&command_plugin, &command_password, &command_version, &command_forget, &command_export,
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

/* ---- Parsing ------------------------------------------------------------------------------ */

struct parsed {
	struct invocation in;
	struct given given[GIVEN_MAX];
	bool help;
};

static int take_value(struct parsed *p, const char *name, const char *value)
{
	const char *fault = option_fault(name, value);

	if (fault)
		return -usage_error(&p->in, "--%s %s", name, fault);
	if (strcmp(name, "config") == 0)
		p->in.config = value;
	else if (p->in.given_count < GIVEN_MAX)
		p->given[p->in.given_count++] = (struct given){name, value};
	return 0;
}

static void take_flag(struct parsed *p, char *name)
{
	if (strcmp(name, "json") == 0)
		p->in.json = true;
	else if (strcmp(name, "help") == 0)
		p->help = true;
	else if (p->in.given_count < GIVEN_MAX)
		p->given[p->in.given_count++] = (struct given){name, ""};
}

/* "--name=value", "--name value" or "--flag". Returns how many words it took, or -EXIT_USAGE. */
static int parse_long(struct parsed *p, const struct command *command, int argc, char **argv)
{
	char *name = argv[0] + 2, *value = strchr(name, '=');
	int kind, err;

	if (value)
		*value++ = '\0';
	kind = strcmp(name, "help") == 0 ? 0 : option_kind(command, name);
	if (kind < 0)
		return -option_unknown(&p->in, command, name);
	if (kind == 0 && value)
		return -usage_error(&p->in, "--%s takes no value", name);
	if (kind == 0) {
		take_flag(p, name);
		return 1;
	}
	if (!value && argc < 2)
		return -usage_error(&p->in, "--%s needs a value", name);
	err = take_value(p, name, value ? value : argv[1]);
	return err < 0 ? err : value ? 1 : 2;
}

static int parse(struct parsed *p, const struct command *command, int argc, char **argv)
{
	bool options = true;

	p->in.args = argv;
	for (int i = 0; i < argc;) {
		int took = 1;
		if (options && strcmp(argv[i], "--") == 0) {
			options = false;
		} else if (options && strcmp(argv[i], "-c") == 0 &&
			   option_kind(command, "config") >= 0) {
			if (i + 1 == argc)
				return usage_error(&p->in, "-c needs a file");
			p->in.config = argv[i + 1];
			took = 2;
		} else if (options && strcmp(argv[i], "-o") == 0 &&
			   option_kind(command, "out") >= 0) {
			took = i + 1 < argc ? take_value(p, "out", argv[i + 1])
					    : -usage_error(&p->in, "-o needs a file");
			if (took < 0)
				return -took;
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

/* What other tools call it, and what no verb does; also so that nobody who wants to restart is told
 * of restore. */
static const char *called_elsewhere(const char *verb)
{
	static const char *const words[][2] = {
		{"start", "systemctl start klinke starts the service, klinke run a host here"},
		{"stop", "systemctl stop klinke, or TERM, stops the host"},
		{"restart", "systemctl restart klinke does it; klinke reload takes a changed "
			    "configuration"},
		{"log", "journalctl -u klinke is the log; klinke events tells what happened"},
		{"logs", "journalctl -u klinke is the log; klinke events tells what happened"},
		{"tail", "journalctl -fu klinke follows the log"},
		{"test", "klinke check looks through the configuration"},
		{"validate", "klinke check looks through the configuration"},
		{"failed", "klinke dead lists what needs you"},
		{"errors", "klinke dead lists what needs you"},
		{"dlq", "klinke dead lists what needs you"},
		{"retry", "klinke dead retry ID runs it again"},
		{"drop", "klinke dead drop ID lets it go"},
		{"delete", "klinke dead drop ID lets a job go, klinke forget erases a person"},
		{"health", "klinke doctor looks whether all is well"},
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i][0], verb) == 0)
			return words[i][1];
	return NULL;
}

int command_unknown(const char *verb)
{
	const char *elsewhere = called_elsewhere(verb);
	const char *names[sizeof(commands) / sizeof(commands[0])], *meant;
	size_t count = 0;

	if (elsewhere) {
		fprintf(stderr, "klinke: there is no verb %s: %s\n", verb, elsewhere);
		return EXIT_USAGE;
	}
	for (; commands[count]; count++)
		names[count] = commands[count]->name;
	meant = config_suggest((struct str){verb, strlen(verb)}, names, count);
	fprintf(stderr, "klinke: there is no verb %s%s%s%s klinke help lists them\n", verb,
		meant ? "; did you mean " : "", meant ? meant : ".", meant ? "?" : "");
	return EXIT_USAGE;
}

/* A full disk or a closed pipe must not look like a good end. */
static bool printed(const struct invocation *in)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return true;
	fprintf(stderr, "klinke %s: the result could not be written\n", in->verb);
	return false;
}

/* What a process of ours knows must not end in a file on a disk, nor be read by another process of
 * the same user: no verb's, since all of them read the configuration. What is forked inherits it.
 */
static void keep_secrets_in_memory(void)
{
	setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
	prctl(PR_SET_DUMPABLE, 0);
}

int command_main(int argc, char **argv)
{
	const char *env = getenv("KLINKE_CONFIG");
	struct parsed p = {.in = {.config = env ? env : "/etc/klinke/klinke.ini"}};
	const struct command *command;
	struct error error = {0};
	int code;

	keep_secrets_in_memory();
	plugin_zygote_main(argc, argv);
	store_begin_process();
	p.in.verb = argc > 1 ? argv[1] : "help";
	if (strcmp(p.in.verb, "--help") == 0 || strcmp(p.in.verb, "-h") == 0)
		p.in.verb = "help";
	if (strcmp(p.in.verb, "--version") == 0)
		p.in.verb = "version";
	command = command_find(p.in.verb);
	if (!command)
		return command_unknown(p.in.verb);
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
	if (p.in.zygote)
		plugin_zygote_renew(p.in.zygote);
	code = command->run(&p.in);
	plugin_zygote_stop(p.in.zygote);
	return printed(&p.in) ? code : EXIT_FAILED;
}
