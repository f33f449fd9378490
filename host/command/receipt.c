/* receipt.c - what a day brought and what became of it, as an equation. */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "command/client.h"

#define MEMORY ((size_t)512 * 1024 * 1024)

static long long count_of(const struct json *part, const char *name)
{
	return (long long)json_i64(json_get(part, name), 0);
}

/* "12 in = 10 read + 1 ignored + 1 parked" */
static void print_sum(const struct json *row, const char *name, const char *const *parts)
{
	const struct json *part = json_get(row, name);

	printf("  %-9s %lld in", name, count_of(part, "in"));
	for (size_t i = 0; parts[i]; i++)
		printf(" %c %lld %s", i ? '+' : '=', count_of(part, parts[i]), parts[i]);
	if (count_of(part, "repeats"))
		printf(" (and %lld repeats)", count_of(part, "repeats"));
	putchar('\n');
}

static void print_receipt(const struct json *row)
{
	static const char *const webhooks[] = {"read", "ignored", "parked", "waiting", NULL};
	static const char *const events[] = {
		"done", "filtered", "parked", "dead", "waiting", "dropped", NULL};
	static const char *const jobs[] = {"done", "parked", "dead", "waiting", "dropped", NULL};
	const struct json *effects = json_get(row, "effects");
	bool stored = json_bool(json_get(row, "stored"), false);

	printf("%.*s, %.*s, counted %.*s\n", STR_ARG(json_get_text(row, "tenant")),
		STR_ARG(json_get_text(row, "day")),
		STR_ARG(stored ? json_get_text(row, "made") : STR("now")));
	print_sum(row, "webhooks", webhooks);
	print_sum(row, "events", events);
	print_sum(row, "jobs", jobs);
	printf("  %-9s %lld bookings made, %lld messages sent, %lld times nobody knew\n", "effects",
		count_of(effects, "bookings"), count_of(effects, "messages"),
		count_of(effects, "unknowns"));
	if (!json_bool(json_get(row, "balanced"), false))
		puts("  THIS DOES NOT BALANCE: something that came is nowhere, or there twice");
}

static int run(const struct invocation *in)
{
	struct arena *arena;
	const struct json *answer, *rows;
	size_t wrong = 0;
	int code;

	if (in->count)
		return usage_error(in, "it takes no arguments; --day and --tenant say which");
	arena = arena_create(MEMORY);
	code = client_ask(in, arena, client_request(in, arena, "receipt"), &answer);
	rows = code == 0 ? json_get(answer, "rows") : NULL;
	for (size_t i = 0; i < json_count(rows); i++) {
		const struct json *row = json_at(rows, i, NULL);
		wrong += !json_bool(json_get(row, "balanced"), false);
		if (!in->json)
			print_receipt(row);
	}
	if (in->json)
		client_print_rows(arena, rows);
	else if (code == 0 && !json_count(rows))
		puts("no receipt of that day");
	arena_destroy(arena);
	return code ? code : wrong ? EXIT_FAILED : EXIT_OK;
}

const struct command command_receipt = {
	.name = "receipt",
	.run = run,
	.usage = "[--day DAY] [--tenant TENANT] [OPTIONS]",
	.summary = "what a day brought and what became of it, checked",
	.help = "What came is counted in the moment it is stored; what became of it is counted "
		"from "
		"the rows. Both\n"
		"sides must be the same: in = done + filtered (no pipeline wanted it) + parked + "
		"dead + "
		"waiting +\n"
		"dropped. Webhooks count for the owner of their connection, everything else for "
		"its "
		"tenant.\n"
		"Without --day it is today, so far. The receipt of a day is stored soon after the "
		"tenant's midnight,\n"
		"as things stood then; klinke dead lists what needs you now. 0: all balance. 1: "
		"one "
		"does not.\n",
	.options = "day= tenant= config= json state-dir=",
};
