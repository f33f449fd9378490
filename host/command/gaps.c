/* gaps.c - calls and bookings that the vendors have and we do not, or the other way round. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "command/client.h"
#include "command/list.h"

#define MEMORY ((size_t)512 * 1024 * 1024)

static void print_problems(const struct json *problems)
{
	for (size_t i = 0; i < json_count(problems); i++) {
		const struct json *p = json_at(problems, i, NULL);
		fprintf(stderr, "klinke gaps: %.*s: %.*s\n",
			STR_ARG(json_get_text(p, "connection")),
			STR_ARG(json_get_text(p, "reason")));
	}
}

static void print_what_to_do(int64_t all, int64_t open)
{
	if (all > open)
		printf("\nfetched: %" PRId64 " of %" PRId64 "; klinke events shows what came\n",
			all - open, all);
	else if (open)
		printf("\nopen: %" PRId64 "; klinke gaps --fetch brings in what can be fetched\n",
			open);
}

static void print_gaps(const struct json *answer)
{
	static const char *const columns[] = {
		"kind", "what", "at", "tenant", "connection", "fetched", "id", NULL};
	const struct json *gaps = json_get(answer, "gaps");
	int64_t looked = json_i64(json_get(answer, "looked"), 0);
	int64_t unread = json_i64(json_get(answer, "unread"), 0);

	if (json_count(gaps))
		list_table(gaps, columns);
	else if (!looked)
		puts("no connection has a list to compare with");
	else if (unread)
		fputs(unread < looked ? "no gaps in what could be read\n" : "", stdout);
	else
		printf("no gaps; asked for their lists: %" PRId64 " connections\n", looked);
	print_what_to_do((int64_t)json_count(gaps), json_i64(json_get(answer, "open"), 0));
	if (unread)
		printf("%" PRId64 " of %" PRId64 " lists could not be read; nothing is known%s\n",
			unread, looked, unread == looked ? "" : " of what they have");
	print_problems(json_get(answer, "problems"));
}

static int run(const struct invocation *in)
{
	struct arena *arena;
	const struct json *answer = NULL;
	int code;

	if (in->count)
		return usage_error(in, "it takes no arguments; --since and --tenant say which");
	arena = arena_create(MEMORY);
	code = client_ask(in, arena, client_request(in, arena, "gaps"), &answer);
	if (code == 0 && in->json) {
		struct str text = json_print(arena, answer);
		printf("%.*s\n", STR_ARG(text));
	} else if (code == 0) {
		print_gaps(answer);
	}
	if (code == 0 &&
		(json_i64(json_get(answer, "open"), 0) || json_count(json_get(answer, "problems"))))
		code = EXIT_FAILED;
	arena_destroy(arena);
	return code;
}

const struct command command_gaps = {
	.name = "gaps",
	.run = run,
	.usage = "[--since TIME] [--fetch] [--tenant TENANT] [OPTIONS]",
	.summary = "find calls and bookings that never came, and fetch them",
	.help = "Every phone agent and calendar is asked for its own list, of the last 48 hours if "
		"--since does not\n"
		"say otherwise: calls that began since then, bookings made since then, and all "
		"that "
		"lie ahead. Told\n"
		"is what never came, what stands otherwise there, and what stands here and not "
		"there. With --fetch\n"
		"each is asked for by itself and comes in as if its webhook came now: once, and "
		"pipelines run for\n"
		"it. at: when the call began, or the appointment begins. What is younger than a "
		"minute is left to its\n"
		"webhook. Messengers have no list. 0: no gaps, or\n"
		"all of them closed. 1: there are gaps, or a list could not be had. [host] "
		"find_gaps "
		"= 6h does it by\n"
		"the clock.\n",
	.options = "since= fetch tenant= config= json state-dir=",
	.needs_zygote = true,
};
