/* export.c - all that is stored of one person, for that person. */
#include <stdio.h>

#include "base/arena.h"
#include "base/json.h"
#include "command/client.h"

#define MEMORY ((size_t)1024 * 1024 * 1024)

static struct str as_text(struct arena *arena, const struct json *value)
{
	return json_type(value) == JSON_TEXT ? json_text(value) : json_print(arena, value);
}

/* The members of a row, one below the other; ids and the like are for the machine. */
static void print_row(struct arena *arena, const struct json *row)
{
	static const char *const left_out[] = {
		"id", "inbox", "job", "event", "correlation", "generation", "key", "tenant"};

	for (size_t i = 0; i < json_count(row); i++) {
		struct str key, text = as_text(arena, json_at(row, i, &key));
		bool shown = text.len != 0;
		for (size_t k = 0; k < sizeof(left_out) / sizeof(left_out[0]); k++)
			shown &= !str_is(key, left_out[k]);
		if (shown)
			printf("    %.*s: %.*s\n", STR_ARG(key), STR_ARG(text));
	}
	puts("");
}

static void print_rows(struct arena *arena, const struct json *person, const char *key,
	const char *title, const char *what)
{
	const struct json *rows = json_get(person, key);

	if (!json_count(rows))
		return;
	printf("  %s (%zu)%s%s\n\n", title, json_count(rows), *what ? ": " : "", what);
	for (size_t i = 0; i < json_count(rows); i++)
		print_row(arena, json_at(rows, i, NULL));
}

static void print_person(struct arena *arena, const struct json *person)
{
	const struct json *list = json_get(person, "connections");

	printf("%.*s, as %.*s knows them at %.*s\n\n", STR_ARG(json_get_text(person, "person")),
		STR_ARG(json_get_text(person, "tenant")), STR_ARG(json_get_text(person, "at")));
	print_rows(arena, person, "appointments", "Appointments", "");
	print_rows(arena, person, "calls", "Calls", "");
	print_rows(arena, person, "events", "What happened", "");
	print_rows(arena, person, "jobs", "What was done about it", "");
	print_rows(arena, person, "attempts", "Steps and requests", "sent and received");
	print_rows(arena, person, "answers", "What was said in calls", "");
	print_rows(arena, person, "inbox", "Webhooks as they came",
		"without a body where it told of others, too");
	printf("  Connections that know of them:");
	for (size_t i = 0; i < json_count(list); i++)
		printf(" %.*s", STR_ARG(json_text(json_at(list, i, NULL))));
	puts("");
	if (json_i64(json_get(person, "mentioned_elsewhere"), 0))
		printf("  %.*s events are about somebody else and mention them; they are not "
		       "shown\n",
			STR_ARG(json_print(arena, json_get(person, "mentioned_elsewhere"))));
}

static int run(const struct invocation *in)
{
	return client_ask_person(in, MEMORY, "persons", print_person);
}

const struct command command_export = {
	.name = "export",
	.run = run,
	.usage = "PERSON [OPTIONS]",
	.summary = "all that is stored of a person",
	.help = "PERSON is a telephone number in any spelling, or a mail address. Events, calls, "
		"appointments,\n"
		"jobs with what was sent and answered, and the webhooks as they came; of all "
		"tenants, each for\n"
		"itself, unless one is named. The raw bytes of a webhook that told of others, too, "
		"are left out:\n"
		"what it says of this person is in the events. What is about somebody else and "
		"mentions them is\n"
		"counted only. 1: nothing is stored of them.\n",
	.options = "config= json tenant= state-dir=",
};
