/* list.c - the verbs that list rows: events, jobs, calls. Newest first, a table for people, one
 * JSON object per line for programs. */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "command/client.h"
#include "command/list.h"

#define MEMORY ((size_t)512 * 1024 * 1024)
#define COLUMNS_MAX 10

/* Characters, not bytes: that is what lines up. */
static size_t width_of(struct str s)
{
	size_t n = 0;
	for (size_t i = 0; i < s.len; i++)
		n += (s.ptr[i] & 0xc0) != 0x80;
	return n;
}

static void print_cell(struct str text, size_t width, bool last)
{
	size_t shown = width_of(text);

	printf("%.*s", STR_ARG(text));
	if (last)
		return;
	for (; shown < width + 2; shown++)
		putchar(' ');
}

void list_table(const struct json *rows, const char *const *columns)
{
	size_t widths[COLUMNS_MAX] = {0}, count = 0;

	for (; columns[count]; count++) {
		widths[count] = strlen(columns[count]);
		for (size_t i = 0; i < json_count(rows); i++) {
			size_t w = width_of(json_get_text(json_at(rows, i, NULL), columns[count]));
			widths[count] = w > widths[count] ? w : widths[count];
		}
	}
	for (size_t k = 0; k < count; k++)
		print_cell(str_of(columns[k]), widths[k], k + 1 == count);
	putchar('\n');
	for (size_t i = 0; i < json_count(rows); i++) {
		for (size_t k = 0; k < count; k++)
			print_cell(json_get_text(json_at(rows, i, NULL), columns[k]), widths[k],
				k + 1 == count);
		putchar('\n');
	}
}

static int list(const struct invocation *in, const char *verb, const char *const *columns,
	const char *nothing)
{
	struct arena *arena = arena_create(MEMORY);
	struct json *request = client_request(in, arena, verb);
	const struct json *answer, *rows;
	int code;

	code = client_ask(in, arena, request, &answer);
	if (code == 0) {
		rows = json_get(answer, "rows");
		if (in->json)
			client_print_rows(arena, rows);
		else if (json_count(rows) == 0)
			puts(nothing);
		else
			list_table(rows, columns);
	}
	arena_destroy(arena);
	return code;
}

/* A name without its owner is nobody's: there would be no rows, as if nothing had happened. */
static const char *without_owner(const struct invocation *in, const char *option)
{
	const char *name = invocation_get(in, option);

	return name && !strchr(name, '/') ? name : NULL;
}

int list_rows(const struct invocation *in, const char *verb, const char *const *columns,
	const char *nothing)
{
	const char *bare = without_owner(in, "pipeline");

	if (bare)
		return usage_error(
			in, "--pipeline is TENANT/NAME, or agency/%s if it is for all", bare);
	bare = invocation_get(in, "tenant") ? NULL : without_owner(in, "connection");
	if (bare)
		return usage_error(in, "--connection is TENANT/%s, or name the --tenant too", bare);
	return list(in, verb, columns, nothing);
}

#define FILTERS "config= json tenant= connection= since= until= limit= state-dir="

static int run_events(const struct invocation *in)
{
	static const char *const columns[] = {
		"time", "type", "tenant", "source", "subject", "id", NULL};

	if (in->count)
		return usage_error(in, "it takes no arguments; klinke show ID tells a story");
	return list_rows(in, "events", columns, "no events");
}

const struct command command_events = {
	.name = "events",
	.run = run_events,
	.usage = "[OPTIONS]",
	.summary = "list what happened, newest first",
	.help = "klinke show ID tells what came of one.\n",
	.options = "type= subject= before= " FILTERS,
};

static int run_jobs(const struct invocation *in)
{
	static const char *const columns[] = {"updated", "state", "tenant", "pipeline",
		"connection", "op", "fail", "id", "reason", NULL};

	if (in->count)
		return usage_error(in, "it takes no arguments; klinke show ID tells a story");
	return list_rows(in, "jobs", columns, "no jobs");
}

const struct command command_jobs = {
	.name = "jobs",
	.run = run_jobs,
	.usage = "[OPTIONS]",
	.summary = "list what was and is to be done, newest first",
	.help = "States: ready (to be run), queued (behind an older one of the same subject), "
		"waiting (for its\n"
		"time), parked (for a person), dead (all tries used up), done, dropped.\n"
		"--since and --until ask when a job was made; --type asks for the event it was "
		"made for.\n",
	.options = "state= pipeline= type= subject= before= " FILTERS,
};

static int run_calls(const struct invocation *in)
{
	static const char *const columns[] = {
		"started", "status", "direction", "from", "to", "tenant", "call_id", NULL};

	if (in->count)
		return usage_error(in, "it takes no arguments; klinke show CALL_ID tells a story");
	return list_rows(in, "calls", columns, "no calls");
}

const struct command command_calls = {
	.name = "calls",
	.run = run_calls,
	.usage = "[OPTIONS]",
	.summary = "list the phone calls, newest first",
	.help = "klinke show CALL_ID tells what came of one.\n",
	.options = FILTERS,
};
