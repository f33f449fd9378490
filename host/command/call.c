/* call.c - one operation now, printed. desk.match is pure: it is answered here, line by line,
 * without a configuration or a host. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "command/client.h"
#include "desk/match.h"

#define MEMORY ((size_t)512 * 1024 * 1024)

static int print_result(const struct invocation *in, struct arena *arena, const struct json *answer)
{
	struct str state = json_get_text(answer, "state");
	struct str text, what = str_is(state, "dropped") ? STR("it failed") : state;

	if (in->json) {
		text = json_print(arena, answer);
		printf("%.*s\n", STR_ARG(text));
	} else if (str_is(state, "done")) {
		text = json_print_pretty(arena, json_get(answer, "result"));
		printf("%.*s\n", STR_ARG(text));
	} else {
		fprintf(stderr,
			"klinke call: %.*s: %.*s: %.*s\nklinke show %.*s tells the whole story\n",
			STR_ARG(what), STR_ARG(json_get_text(answer, "fail")),
			STR_ARG(json_get_text(answer, "reason")),
			STR_ARG(json_get_text(answer, "job")));
	}
	return str_is(state, "done") ? 0 : EXIT_FAILED;
}

/* ---- desk.match ---- */

static bool match_line(struct arena *arena, struct str line)
{
	struct str out;
	bool ok;

	arena_reset(arena);
	out = desk_match_line(arena, line, &ok);
	if (!out.ptr) { /* the arena is too small for it */
		ok = false;
		out = STR("{\"error\":\"the line is too large\"}");
	}
	printf("%.*s\n", STR_ARG(out));
	fflush(stdout); /* whoever asks over a pipe waits for it */
	return ok;
}

/* A bad line is answered like the others; the exit code tells that there was one. */
static int match_lines(struct arena *arena, FILE *file)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t n;
	int code = EXIT_OK;

	while ((n = getline(&line, &room, file)) >= 0) {
		struct str text = {line, (size_t)n};

		while (text.len && strchr(" \t\r\n", text.ptr[text.len - 1]))
			text.len--;
		if (text.len && !match_line(arena, text))
			code = EXIT_FAILED;
	}
	free(line);
	return code;
}

static int match(const struct invocation *in)
{
	const char *given = in->count > 1 ? in->args[1] : "";
	struct error error = {0};
	struct arena *arena;
	FILE *file = stdin;
	int code;

	if (in->count != 2)
		return usage_error(
			in, "desk.match wants one JSON object, @FILE or - for many lines");
	if (given[0] == '@' && !(file = fopen(given + 1, "r"))) {
		error_set(&error, E_IO, "%s cannot be read: %s", given + 1, strerror(errno));
		return fail(in, &error);
	}
	arena = arena_create(MEMORY);
	if (given[0] == '@' || strcmp(given, "-") == 0)
		code = match_lines(arena, file);
	else
		code = match_line(arena, str_of(given)) ? EXIT_OK : EXIT_FAILED;
	arena_destroy(arena);
	if (file != stdin)
		fclose(file);
	return code;
}

static int run(const struct invocation *in)
{
	struct arena *arena;
	struct json *request;
	const struct json *input, *answer;
	struct error error = {0};
	int code;

	if (in->count > 0 && strcmp(in->args[0], "desk.match") == 0)
		return match(in);
	arena = arena_create(MEMORY);
	request = client_request(in, arena, "call");
	if (in->count < 1 || in->count > 2) {
		arena_destroy(arena);
		return usage_error(in, "say what to call, and at most one input");
	}
	input = client_input(arena, in->count > 1 ? in->args[1] : "{}", &error);
	if (!input) {
		arena_destroy(arena);
		code = fail(in, &error);
		return error.code == E_INVALID ? EXIT_USAGE : code;
	}
	json_put_text(arena, request, "target", str_of(in->args[0]));
	json_put(arena, request, "input", input);
	code = client_ask(in, arena, request, &answer);
	if (code == 0)
		code = print_result(in, arena, answer);
	arena_destroy(arena);
	return code;
}

const struct command command_call = {
	.name = "call",
	.run = run,
	.usage = "TENANT/CONNECTION.OPERATION [JSON | @FILE | -] [OPTIONS]",
	.summary = "run one operation now and print its result",
	.help = "klinke call praxis-winter/calendar.test\n"
		"klinke call praxis-winter/calendar.slots '{\"event_type\":\"310455\",…}'\n"
		"klinke plugin info NAME lists a plugin's operations and their inputs. What is "
		"called is recorded\n"
		"like everything else: klinke show tells its story. It is not tried again by "
		"itself, and if it fails\n"
		"it is no dead letter: you have read why. Parked is only what may have happened. "
		"The running host does\n"
		"it; if none runs, this command does. 0: done. 1: it failed, or nobody knows its "
		"outcome yet.\n"
		"klinke call desk.match - tells which free slots a caller's words mean, one JSON "
		"object per line\n"
		"in and out: {\"phrase\":\"donnerstags ab 16 Uhr\",\"now\":…,\"slots\":[…]}. It "
		"needs "
		"no configuration\n"
		"and no host. 0: done. 1: a line was no question; its answer says why.\n",
	.options = "config= json state-dir=",
	.needs_zygote = true,
};
