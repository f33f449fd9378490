/* plugin_record.c - `klinke plugin record`: runs an operation for real, as `klinke call` does, and
 * makes a case file of it. What it changes at the vendor it changes for real. */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "command/as_case.h"
#include "command/client.h"
#include "command/plugin.h"

#define MEMORY ((size_t)512 * 1024 * 1024)

/* 0, the job that it was, or the exit code. */
static int call(const struct invocation *in, struct arena *arena, const struct json *input,
	const struct json **answer)
{
	struct json *request = json_object(arena);

	json_put_text(arena, request, "verb", STR("call"));
	json_put_bool(arena, request, "record", true);
	json_put_text(arena, request, "target", str_of(in->args[1]));
	json_put(arena, request, "input", input);
	return client_ask(in, arena, request, answer);
}

static int record(const struct invocation *in, struct arena *arena)
{
	const struct json *input, *answer;
	struct error error = {0};
	const char *job;
	int code;

	input = client_input(arena, in->count > 2 ? in->args[2] : "{}", &error);
	if (!input) {
		code = fail(in, &error);
		return error.code == E_INVALID ? EXIT_USAGE : code;
	}
	code = call(in, arena, input, &answer);
	if (code)
		return code;
	job = arena_printf(arena, "%.*s", STR_ARG(json_get_text(answer, "job")));
	fprintf(stderr, "%s: %.*s; klinke show %s tells the whole story\n", in->args[1],
		STR_ARG(json_get_text(answer, "state")), job);
	return as_case(in, job, "klinke plugin record");
}

int plugin_record(const struct invocation *in)
{
	struct arena *arena;
	int code;

	if (in->count < 2 || in->count > 3)
		return usage_error(
			in, "record needs TENANT/CONNECTION.OPERATION, and takes one input");
	arena = arena_create(MEMORY);
	code = record(in, arena);
	arena_destroy(arena);
	return code;
}
