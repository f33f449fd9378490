/* replay.c - a webhook again, from its raw bytes. */
#include <stdio.h>

#include "base/arena.h"
#include "base/json.h"
#include "command/client.h"
#include "command/list.h"

#define MEMORY ((size_t)256 * 1024 * 1024)

static void print_would(const struct invocation *in, struct arena *arena, const struct json *rows)
{
	static const char *const columns[] = {
		"received", "connection", "route", "state", "id", NULL};

	if (in->json) {
		client_print_rows(arena, rows);
		return;
	}
	puts("would be read again; events already known stay as they are:");
	list_table(rows, columns);
}

static int replay_one(const struct invocation *in, const char *id)
{
	struct arena *arena = arena_create(MEMORY);
	struct json *request = client_request(in, arena, "replay");
	const struct json *answer;
	int code;

	json_put_text(arena, request, "id", str_of(id));
	code = client_ask(in, arena, request, &answer);
	if (code == 0 && invocation_get(in, "dry-run"))
		print_would(in, arena, json_get(answer, "rows"));
	else if (code == 0 && in->json)
		printf("%.*s\n", STR_ARG(json_print(arena, answer)));
	else if (code == 0)
		printf("is read again: %.*s\n", STR_ARG(json_get_text(answer, "inbox")));
	arena_destroy(arena);
	return code;
}

static int run(const struct invocation *in)
{
	int worst = 0;

	if (in->count == 0)
		return usage_error(in, "say which: the id is missing");
	for (int i = 0; i < in->count; i++) {
		int code = replay_one(in, in->args[i]);
		worst = code > worst ? code : worst;
	}
	return worst;
}

const struct command command_replay = {
	.name = "replay",
	.run = run,
	.usage = "ID... [OPTIONS]",
	.summary = "read a webhook again from its raw bytes",
	.help = "The webhook that the id belongs to is normalized again, by today's plugin and "
		"configuration.\n"
		"Events that are already known are not made twice, so nothing is booked or sent "
		"twice; what\n"
		"could not be read before (parked) becomes events now. ID is that of the webhook, "
		"or of an event\n"
		"or a job that came from it; the first or last 8 characters are enough.\n",
	.options = "config= json dry-run tenant= state-dir=",
};
