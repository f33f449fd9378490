/* forget.c - a person's key is destroyed, and what happened is told as a receipt. */
#include <inttypes.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/json.h"
#include "command/client.h"

#define MEMORY ((size_t)256 * 1024 * 1024)

static const char *const kinds[][3] = {{"webhooks", "webhook", "webhooks"},
	{"events", "event", "events"}, {"calls", "call", "calls"},
	{"appointments", "appointment", "appointments"}, {"jobs", "job", "jobs"},
	{"attempts", "step or request", "steps and requests"},
	{"answers", "answer to a caller", "answers to callers"}};

static int64_t number(const struct json *o, const char *key)
{
	return json_i64(json_get(o, key), 0);
}

static void print_counts(const struct json *receipt)
{
	const struct json *counts = json_get(receipt, "unreadable");
	const char *comma = "";

	printf("  unreadable from now on: ");
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		int64_t n = number(counts, kinds[i][0]);
		if (n)
			printf("%s%" PRId64 " %s", comma, n, kinds[i][n == 1 ? 1 : 2]);
		comma = n ? ", " : comma;
	}
	puts(*comma ? "" : "nothing, no row was left of them");
	if (number(receipt, "shared_webhooks"))
		printf("  of the webhooks %" PRId64
		       " told of others, too: their raw bytes are gone for all, what the others'\n"
		       "  events say is kept\n",
			number(receipt, "shared_webhooks"));
}

static void print_dropped(const struct json *receipt)
{
	const struct json *dropped = json_get(receipt, "dropped");
	int64_t jobs = number(dropped, "jobs"), hooks = number(dropped, "parked_webhooks");

	if (jobs)
		printf("  dropped: %" PRId64 " %s not over; nothing more is sent for %s\n", jobs,
			jobs == 1 ? "job that was" : "jobs that were", jobs == 1 ? "it" : "them");
	if (hooks)
		printf("  dropped: %" PRId64 " parked %s nobody could read and that %s them\n",
			hooks, hooks == 1 ? "webhook that" : "webhooks that",
			hooks == 1 ? "names" : "name");
}

static void print_vendors(const struct json *receipt)
{
	const struct json *list = json_get(receipt, "vendors_that_know");

	if (!json_count(list))
		return;
	printf("  not reached: what the vendors keep. These connections know of them:");
	for (size_t i = 0; i < json_count(list); i++)
		printf(" %.*s", STR_ARG(json_text(json_at(list, i, NULL))));
	puts("");
}

static void print_receipt(struct arena *arena, const struct json *receipt)
{
	struct str before = json_get_text(receipt, "forgotten_before");
	bool now = json_bool(json_get(receipt, "key_destroyed"), false);

	(void)arena;
	printf("%.*s, of %.*s: ", STR_ARG(json_get_text(receipt, "person")),
		STR_ARG(json_get_text(receipt, "tenant")));
	if (now)
		printf("forgotten at %.*s\n", STR_ARG(json_get_text(receipt, "at")));
	else if (before.len)
		printf("was forgotten at %.*s; nothing was stored since\n", STR_ARG(before));
	else
		puts("had no key");
	if (now) {
		print_counts(receipt);
		puts("  copies of the store made before cannot be read either, as far as they tell "
		     "of them\n"
		     "  copies of the key store made before (klinke backup --keys) still hold the "
		     "key: make a new\n"
		     "  one and destroy the old");
	}
	print_dropped(receipt);
	if (now)
		print_vendors(receipt);
}

static int run(const struct invocation *in)
{
	return client_ask_person(in, MEMORY, "receipts", print_receipt);
}

const struct command command_forget = {
	.name = "forget",
	.run = run,
	.usage = "PERSON [OPTIONS]",
	.summary = "make all that is stored of a person unreadable, and print a receipt",
	.help = "PERSON is a telephone number in any spelling, or a mail address. Their key is "
		"destroyed: whatever\n"
		"is sealed under it can never be read again, here or in any copy of the store "
		"made before. Jobs\n"
		"that are not over are dropped, parked webhooks that name them let go of. Of all "
		"tenants, unless\n"
		"one is named. There is no way back; klinke export PERSON first shows what there "
		"is.\n"
		"\n"
		"A person who is known by a number and an address is forgotten by each. What "
		"vendors keep is not\n"
		"reached: the receipt names the connections that know of them. Who calls again "
		"later is somebody\n"
		"new. 0: forgotten, also if that was before; 1: nothing is stored of them.\n",
	.options = "config= json tenant= reason= state-dir=",
};
