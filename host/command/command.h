/* command.h - the verbs of the command line. One file each; main() only finds the verb.
 *
 * Exit codes: 0 fine, 1 failed, 2 usage, 69 nobody answers, 75 try later, 78 bad configuration.
 * Results go to stdout, everything else to stderr. Verbs that read take --json.
 */
#ifndef COMMAND_COMMAND_H
#define COMMAND_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

enum {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_UNAVAILABLE = 69,
	EXIT_LATER = 75,
	EXIT_CONFIG = 78
};

struct error;
struct plugin_zygote;

struct invocation { /* a command line, taken apart */
	const char *verb;
	const char *config; /* -c FILE; else KLINKE_CONFIG, else /etc/klinke/klinke.ini */
	bool json;
	char **args; /* what is no option */
	int count;
	const struct given { /* --name value, for the verb's own options */
		const char *name, *value;
	} * given;
	size_t given_count;
	struct plugin_zygote *zygote; /* forked before anything else; NULL for verbs without */
};

struct command {
	const char *name;
	int (*run)(const struct invocation *in);
	const char *usage;   /* behind "klinke NAME " */
	const char *summary; /* one line */
	const char *help;    /* the rest */
	const char *options; /* "json tenant= resend": with a = it takes a value; or NULL. What each
				means is in option.c */
	bool needs_zygote;
};

extern const struct command *const commands[]; /* ends with NULL */
const struct command *command_find(const char *name);
int command_unknown(const char *name); /* says so, with what may be meant; returns EXIT_USAGE */

/* The whole program: parses, runs, returns the exit code. */
int command_main(int argc, char **argv);

/* 1: the verb takes it with a value, 0: as a flag, -1: not at all. */
int option_kind(const struct command *command, const char *name);
/* One line for each option of the verb. */
void option_help(const struct command *command);
/* Prints that there is no such option and what may be meant; returns EXIT_USAGE. */
int option_unknown(const struct invocation *in, const struct command *command, const char *name);
/* Is its value one? NULL, or what is wrong with it. */
const char *option_fault(const char *name, const char *value);

/* Value of --name, or NULL; flags have the value "". */
const char *invocation_get(const struct invocation *in, const char *name);
/* Prints "klinke VERB: …" and how it is used; returns EXIT_USAGE. */
int usage_error(const struct invocation *in, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Prints the error and returns the exit code that fits it. */
int fail(const struct invocation *in, const struct error *error);

extern const struct command command_run, command_check, command_call, command_events, command_jobs,
	command_calls, command_dead, command_show, command_replay, command_plugin, command_password,
	command_status, command_reload, command_forget, command_export, command_receipt, command_gaps, command_version,
	command_help, command_backup, command_restore, command_migrate, command_salvage,
	command_doctor;

#endif
