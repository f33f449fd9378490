/* dead.c - what needs a person: list it, look at it, run it again, let it go. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "command/client.h"
#include "command/list.h"

#define MEMORY ((size_t)256 * 1024 * 1024)

static int list(const struct invocation *in)
{
	static const char *const columns[] = {
		"updated", "state", "tenant", "pipeline", "fail", "id", "reason", NULL};
	return list_rows(in, "jobs", "parked,dead", columns, "nothing is dead or parked");
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
		printf("%s %.*s\n", strcmp(verb, "drop") == 0 ? "dropped" : "runs again:",
			STR_ARG(json_get_text(answer, "job")));
	arena_destroy(arena);
	return code;
}

static int run(const struct invocation *in)
{
	const char *what = in->count ? in->args[0] : "list";
	int worst = 0;

	if (strcmp(what, "list") == 0 && in->count <= 1)
		return list(in);
	if (strcmp(what, "show") == 0 && in->count == 2) {
		struct invocation show = *in;
		show.args++;
		show.count--;
		return command_show.run(&show);
	}
	if ((strcmp(what, "retry") != 0 && strcmp(what, "drop") != 0) || in->count < 2)
		return usage_error(in, in->count < 2 ? "say which: the id is missing"
						     : "there are list, show, retry and drop");
	for (int i = 1; i < in->count; i++) {
		int code = decide_one(in, what, in->args[i]);
		worst = code > worst ? code : worst;
	}
	return worst;
}

const struct command command_dead = {
	.name = "dead",
	.run = run,
	.usage = "[list | show ID | retry ID… [--resend] | drop ID…] [--reason TEXT] [--tenant T] "
		 "[--json]",
	.summary = "what needs you: look, run it again, or let it go",
	.help = "list    jobs that are parked (for a person) or dead (all tries used up), newest "
		"first\n"
		"show    the whole story of one\n"
		"retry   run it again from the step it is at. If its last request may have "
		"arrived, the\n"
		"        provider is asked first; nothing is sent twice\n"
		"retry --resend\n"
		"        you have looked and know that it did not arrive: send it again\n"
		"drop    let it go; it stays in the history\n"
		"An id may be cut to its first 8 characters.\n",
	.options = "reason= resend tenant= state= since= limit= before= pipeline= state-dir=",
};
