/* dead.c - what needs a person: list it, look at it, run it again, let it go. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "command/client.h"
#include "command/list.h"
#include "config/config.h"

#define MEMORY ((size_t)256 * 1024 * 1024)

static int list(const struct invocation *in)
{
	static const char *const columns[] = {
		"updated", "state", "tenant", "what", "fail", "id", "reason", NULL};
	return list_rows(in, "dead", columns, "nothing is dead or parked");
}

static void print_decision(const char *verb, const struct json *answer)
{
	struct str job = json_get_text(answer, "job"), hook = json_get_text(answer, "inbox");

	printf("%s %.*s\n",
		strcmp(verb, "drop") == 0 ? "dropped:"
		: hook.len                ? "is read again:"
					  : "runs again:",
		STR_ARG(hook.len ? hook : job));
}

static int decide_one(const struct invocation *in, const char *verb, const char *id)
{
	struct arena *arena = arena_create(MEMORY);
	struct json *request = client_request(in, arena, verb);
	const struct json *answer;
	const char *reason = invocation_get(in, "reason");
	const char *user = getenv("USER");
	int code;

	json_put_text(arena, request, "id", str_of(id));
	json_put_bool(arena, request, "resend", invocation_get(in, "resend") != NULL);
	json_put_text(arena, request, "reason",
		str_of(arena_printf(arena, "%s by %s%s%s", verb, user ? user : "the operator",
			reason ? ": " : "", reason ? reason : "")));
	code = client_ask(in, arena, request, &answer);
	if (code == 0 && in->json)
		printf("%.*s\n", STR_ARG(json_print(arena, answer)));
	else if (code == 0)
		print_decision(verb, answer);
	arena_destroy(arena);
	return code;
}

static int no_such(const struct invocation *in, const char *what)
{
	static const char *const names[] = {"list", "show", "retry", "drop"};
	const char *meant = config_suggest(str_of(what), names, 4);

	return usage_error(in,
		"there is no \"%s\" here%s%s%s; there are list, show, retry and drop", what,
		meant ? ", did you mean " : "", meant ? meant : "", meant ? "?" : "");
}

static int decide_all(const struct invocation *in, const char *what)
{
	int worst = 0;

	for (int i = 1; i < in->count; i++) {
		int code = decide_one(in, what, in->args[i]);
		worst = code > worst ? code : worst;
	}
	return worst;
}

#define ALL_MOST 10000

/* Those that are there now: one that fails again at once is not asked twice. */
static int decide_listed(const struct invocation *in, const char *what)
{
	struct arena *arena = arena_create(MEMORY);
	struct json *request = client_request(in, arena, "dead");
	const struct json *answer, *rows;
	int worst;

	if (!invocation_get(in, "limit"))
		json_put_i64(arena, request, "limit", ALL_MOST);
	worst = client_ask(in, arena, request, &answer);
	rows = worst ? NULL : json_get(answer, "rows");
	if (!worst && !json_count(rows) && !in->json)
		puts("nothing is dead or parked");
	for (size_t i = 0; i < json_count(rows); i++) {
		struct str id = json_get_text(json_at(rows, i, NULL), "id");
		int code = decide_one(in, what, arena_printf(arena, "%.*s", STR_ARG(id)));
		worst = code > worst ? code : worst;
	}
	arena_destroy(arena);
	return worst;
}

static int decide_every(const struct invocation *in, const char *what)
{
	if (strcmp(what, "show") == 0 || in->count > 1)
		return usage_error(in, "--all goes with retry or drop, and without ids");
	if (invocation_get(in, "resend"))
		return usage_error(
			in, "--resend is for one that you have looked after: name its id");
	return decide_listed(in, what);
}

static int run(const struct invocation *in)
{
	const char *what = in->count ? in->args[0] : "list";
	struct invocation show = *in;

	if (strcmp(what, "list") == 0)
		return in->count <= 1 ? list(in) : usage_error(in, "list takes no ids");
	if (strcmp(what, "show") != 0 && strcmp(what, "retry") != 0 && strcmp(what, "drop") != 0)
		return no_such(in, what);
	if (invocation_get(in, "all"))
		return decide_every(in, what);
	if (in->count < 2)
		return usage_error(in, "say which: the id is missing");
	if (strcmp(what, "show") != 0)
		return decide_all(in, what);
	show.args++;
	show.count--;
	return command_show.run(&show);
}

const struct command command_dead = {
	.name = "dead",
	.run = run,
	.usage = "[list | show ID | retry ID...|--all [--resend] | drop ID...|--all] [OPTIONS]",
	.summary = "what needs you: look, run it again, or let it go",
	.help = "list    jobs that are parked (for a person) or dead (all tries used up), and "
		"webhooks that\n"
		"        could not be read\n"
		"show    the whole story of one\n"
		"retry   run it again from the step it is at; read a webhook again. If the last "
		"request of\n"
		"        a job may have arrived, the provider is asked first; nothing is sent "
		"twice\n"
		"drop    let it go; it stays in the history\n"
		"\n"
		"An id may be cut to its first or last 8 characters. Several ids: the exit code "
		"is the worst. --all: those that list\n"
		"would show, so also only some of them: klinke dead retry --all --pipeline "
		"agency/confirm --since 12h\n",
	.options = "config= json tenant= connection= pipeline= state= since= until= limit= reason= "
		   "resend all full state-dir=",
};
