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

/* "12 in = 10 read + 1 ignored + 1 parked"; what is none is left out. */
static void print_sum(const struct json *row, const char *name, const char *const *parts)
{
	const struct json *part = json_get(row, name);
	bool first = true;

	printf("  %-9s %lld in", name, count_of(part, "in"));
	for (size_t i = 0; parts[i]; i++) {
		if (!count_of(part, parts[i]))
			continue;
		printf(" %c %lld %s", first ? '=' : '+', count_of(part, parts[i]), parts[i]);
		first = false;
	}
	if (count_of(part, "repeats"))
		printf(" (and %lld that came again)", count_of(part, "repeats"));
	putchar('\n');
}

static bool nothing_came(const struct json *row)
{
	static const char *const parts[] = {"webhooks", "events", "jobs"};
	long long sum = 0;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		sum += count_of(json_get(row, parts[i]), "in") +
		       count_of(json_get(row, parts[i]), "repeats");
	return sum == 0;
}

static void print_effects(const struct json *effects)
{
	long long bookings = count_of(effects, "bookings"), sent = count_of(effects, "messages");
	long long unknowns = count_of(effects, "unknowns");

	printf("  %-9s %lld %s made, %lld %s sent", "effects", bookings,
		bookings == 1 ? "booking" : "bookings", sent, sent == 1 ? "message" : "messages");
	if (unknowns)
		printf("; of %lld requests the outcome was unknown, for a while at least",
			unknowns);
	putchar('\n');
}

static long long need_somebody(const struct json *row)
{
	return count_of(json_get(row, "webhooks"), "parked") +
	       count_of(json_get(row, "jobs"), "parked") + count_of(json_get(row, "jobs"), "dead");
}

static void print_receipt(const struct json *row)
{
	static const char *const webhooks[] = {"read", "ignored", "parked", "waiting", NULL};
	static const char *const events[] = {
		"done", "filtered", "parked", "dead", "waiting", "dropped", NULL};
	static const char *const jobs[] = {"done", "parked", "dead", "waiting", "dropped", NULL};
	bool stored = json_bool(json_get(row, "stored"), false);
	bool balanced = json_bool(json_get(row, "balanced"), false);

	printf("%.*s, %.*s, counted %.*s: ", STR_ARG(json_get_text(row, "tenant")),
		STR_ARG(json_get_text(row, "day")),
		STR_ARG(stored ? json_get_text(row, "made") : STR("now")));
	if (balanced && nothing_came(row)) {
		puts("nothing came");
		return;
	}
	puts(balanced ? "it balances"
		      : "IT DOES NOT BALANCE, something that came is nowhere, or there twice");
	print_sum(row, "webhooks", webhooks);
	print_sum(row, "events", events);
	print_sum(row, "jobs", jobs);
	print_effects(json_get(row, "effects"));
	if (need_somebody(row))
		puts("  klinke dead lists what is parked or dead, and what to do");
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
		"dropped. Webhooks count for the owner of their connection (agency: of those that "
		"are no tenant's),\n"
		"everything else for its tenant. Jobs are runs of pipelines and single operations, "
		"among them the host's\n"
		"own: polls, questions to a calendar.\n"
		"Without --day it is today, so far. The receipt of a day is stored soon after the "
		"tenant's midnight,\n"
		"as things stood then; klinke dead lists what needs you now. 0: all balance. 1: "
		"one "
		"does not.\n",
	.options = "day= tenant= config= json state-dir=",
};
