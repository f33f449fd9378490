/* option.c - what every option of the verbs means, once. Help is printed from here, so a verb
 * cannot take an option that its help does not tell. Constant data. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "command/command.h"
#include "config/config.h"

#define OPTIONS_MAX 32
#define LIMIT_DIGITS 9

static const struct option {
	const char *name, *value, *help;
} options[] = {
	{"config", "FILE", "-c FILE; else KLINKE_CONFIG, else /etc/klinke/klinke.ini"},
	{"json", NULL, "for programs: JSON, rows as one object per line"},
	{"tenant", "TENANT", "only what is this tenant's"},
	{"connection", "NAME", "only of this connection: TENANT/NAME, or NAME with --tenant"},
	{"type", "TYPE", "only events of this type: call.analyzed"},
	{"subject", "SUBJECT", "only what is about it: call:ID, booking:UID"},
	{"pipeline", "NAME", "only runs of this pipeline: TENANT/NAME, agency/NAME"},
	{"state", "STATE,...", "only in one of these states"},
	{"since", "TIME", "an instant (2026-11-24T09:00:00Z) or a time ago (30m, 24h, 7d)"},
	{"day", "DAY", "of the tenant's calendar: 2026-11-22; today if left out"},
	{"fetch", NULL, "bring in what never came; pipelines run for it"},
	{"until", "TIME", "likewise; the end is not part of it"},
	{"limit", "N", "at most that many rows; 50 if left out"},
	{"before", "ID", "the next page: continue behind the last id of this one"},
	{"full", NULL, "bodies uncut"},
	{"dry-run", NULL, "tell what would be read again, change nothing"},
	{"resend", NULL, "retry: you know that it did not arrive, so send it again"},
	{"all", NULL, "retry, drop: all that list would show with the same options"},
	{"reason", "TEXT", "why; it is kept with your decision"},
	{"cases", "FILE", "check: a case file or a directory of them; may be given again"},
	{"seed", "N", "check: draw the same again; it is printed at the end"},
	{"only", "CHECK,...", "check: only these"},
	{"fuzz", "TIME", "check: and then change inputs for that long (60s, 5m)"},
	{"kind", "KIND", "new: provider, mapping or polling; provider if left out"},
	{"templates", "DIRECTORY",
		"new: where the templates are; else KLINKE_TEMPLATES, else as installed"},
	{"as-case", NULL, "make case files of it, see above"},
	{"out", "FILE", "-o FILE: where the cases go, or a directory for PLUGIN.json; else stdout"},
	{"real-persons", NULL, "leave names, numbers and addresses as they are"},
	{"keys", "DIRECTORY", "of the key store's copy, which lies apart from that of the store"},
	{"state-dir", "DIRECTORY", "the state directory; then no configuration is read"},
};

int option_kind(const struct command *command, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = command->options; p && *p;) {
		size_t word = strcspn(p, " ");
		bool value = word && p[word - 1] == '=';
		if (n && word - value == n && strncmp(p, name, n) == 0)
			return value;
		p += word + strspn(p + word, " ");
	}
	return -1;
}

void option_help(const struct command *command)
{
	char left[40];

	puts("\nOptions");
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		const struct option *o = &options[i];
		if (option_kind(command, o->name) < 0)
			continue;
		snprintf(left, sizeof(left), "--%s%s%s", o->name, o->value ? " " : "",
			o->value ? o->value : "");
		printf("  %-22s %s\n", left, o->help);
	}
	printf("  %-22s %s\n", "--help", "this");
}

int option_unknown(const struct invocation *in, const struct command *command, const char *name)
{
	const char *words[OPTIONS_MAX] = {"help"}, *meant;
	size_t count = 1;

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (option_kind(command, options[i].name) >= 0)
			words[count++] = options[i].name;
	meant = config_suggest((struct str){name, strlen(name)}, words, count);
	return usage_error(in, "there is no option --%s%s%s%s", name,
		meant ? "; did you mean --" : "", meant ? meant : "", meant ? "?" : "");
}

const char *option_fault(const char *name, const char *value)
{
	size_t digits = strspn(value, "0123456789");

	if (strcmp(name, "limit") == 0 &&
		(!digits || value[digits] || digits > LIMIT_DIGITS || value[0] == '0'))
		return "must be a whole number above 0";
	return *value ? NULL : "must not be empty";
}
