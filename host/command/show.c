/* show.c - the whole story of an event, a call, a job: every step, request and answer, in ms. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "command/as_case.h"
#include "command/client.h"

#define MEMORY ((size_t)512 * 1024 * 1024)
#define LINES_MAX 4096
#define BODY_MAX 600 /* of a body, unless --full */

struct line { /* one happening */
	int64_t at_ms;
	size_t order; /* among those of the same millisecond */
	const char *text;
};

struct telling {
	struct arena *arena;
	struct line lines[LINES_MAX];
	size_t count;
	bool full;
};

static void add(struct telling *t, int64_t at_ms, const char *text)
{
	if (t->count < LINES_MAX) {
		t->lines[t->count] = (struct line){at_ms, t->count, text};
		t->count++;
	}
}

static const char *body(
	struct telling *t, const struct json *row, const char *key, const char *arrow)
{
	const struct json *value = json_get(row, key);
	struct str text;

	if (!value)
		return "";
	text = json_type(value) == JSON_TEXT ? json_text(value) : json_print(t->arena, value);
	if (!t->full && text.len > BODY_MAX) {
		text.len = str_utf8_span((struct str){text.ptr, BODY_MAX});
		return arena_printf(t->arena, "\n             %s %.*s… (--full shows all)", arrow,
			STR_ARG(text));
	}
	return arena_printf(t->arena, "\n             %s %.*s", arrow, STR_ARG(text));
}

static const char *note(struct telling *t, const struct json *row, const char *key)
{
	struct str text = json_get_text(row, key);
	return text.len ? arena_printf(t->arena, "\n             ! %.*s", STR_ARG(text)) : "";
}

static const char *advice(struct telling *t, const struct json *row)
{
	struct str text = json_get_text(row, "advice");
	return text.len ? arena_printf(t->arena, "\n             -> %.*s", STR_ARG(text)) : "";
}

static void tell_inbox(struct telling *t, const struct json *row)
{
	add(t, json_get_instant(row, "received"),
		arena_printf(t->arena, "webhook   %.*s /%.*s stored and answered, %.*s%s%s",
			STR_ARG(json_get_text(row, "connection")),
			STR_ARG(json_get_text(row, "route")), STR_ARG(json_get_text(row, "state")),
			note(t, row, "reason"), advice(t, row)));
}

static void tell_event(struct telling *t, const struct json *row)
{
	add(t, json_get_instant(row, "received"),
		arena_printf(t->arena, "event     %.*s  %.*s%s",
			STR_ARG(json_get_text(row, "type")), STR_ARG(json_get_text(row, "subject")),
			body(t, row, "data", "=")));
}

static const char *job_name(struct telling *t, const struct json *row)
{
	struct str pipeline = json_get_text(row, "pipeline");

	if (pipeline.len)
		return arena_printf(t->arena, "%.*s", STR_ARG(pipeline));
	return arena_printf(t->arena, "%.*s.%.*s", STR_ARG(json_get_text(row, "connection")),
		STR_ARG(json_get_text(row, "op")));
}

static void tell_job(struct telling *t, const struct json *row)
{
	struct str state = json_get_text(row, "state");

	add(t, json_get_instant(row, "created"),
		arena_printf(t->arena, "job       %s  begins  %.*s", job_name(t, row),
			STR_ARG(json_get_text(row, "id"))));
	add(t, json_get_instant(row, "updated"),
		arena_printf(t->arena, "job       %s  %.*s%s%.*s%s%s", job_name(t, row),
			STR_ARG(state), json_get_text(row, "due").len ? ", due " : "",
			STR_ARG(json_get_text(row, "due")), note(t, row, "reason"),
			advice(t, row)));
}

static void tell_request(struct telling *t, const struct json *row, double took)
{
	struct str status = json_get_text(row, "status");

	add(t, json_get_instant(row, "started"),
		arena_printf(t->arena, "request   %.*s %.*s  %.*s%s%.*s in %.1f ms%s%s%s",
			STR_ARG(json_get_text(row, "method")), STR_ARG(json_get_text(row, "url")),
			STR_ARG(json_get_text(row, "outcome")), status.len ? " " : "",
			STR_ARG(status), took, body(t, row, "input", ">"),
			body(t, row, "output", "<"), note(t, row, "note")));
}

static void tell_attempt(struct telling *t, const struct json *row)
{
	double took = (double)json_i64(json_get(row, "took_us"), 0) / 1000.0;

	if (str_is(json_get_text(row, "kind"), "request")) {
		tell_request(t, row, took);
		return;
	}
	add(t, json_get_instant(row, "started"),
		arena_printf(t->arena, "step      %.*s  %.*s in %.1f ms%s%s%s",
			STR_ARG(json_get_text(row, "name")), STR_ARG(json_get_text(row, "outcome")),
			took, body(t, row, "input", ">"), body(t, row, "output", "="),
			note(t, row, "note")));
}

static int by_time(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	if (x->at_ms != y->at_ms)
		return x->at_ms < y->at_ms ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static void each(struct telling *t, const struct json *list,
	void (*tell)(struct telling *, const struct json *))
{
	for (size_t i = 0; i < json_count(list); i++)
		tell(t, json_at(list, i, NULL));
}

static void print(struct telling *t)
{
	char began[CLOCK_TEXT];

	qsort(t->lines, t->count, sizeof(t->lines[0]), by_time);
	if (!t->count)
		return;
	clock_utc(began, t->lines[0].at_ms);
	printf("began %s\n", began);
	for (size_t i = 0; i < t->count; i++)
		printf("%+9" PRId64 " ms %s\n", t->lines[i].at_ms - t->lines[0].at_ms,
			t->lines[i].text);
}

static int show(const struct invocation *in, struct telling *t, const char *id)
{
	struct json *request = client_request(in, t->arena, "show");
	struct invocation quiet = *in;
	const struct json *answer;
	int code;

	quiet.zygote = NULL; /* it is for --as-case; nothing is run for looking */

	json_put_text(t->arena, request, "id", str_of(id));
	code = client_ask(&quiet, t->arena, request, &answer);
	if (code)
		return code;
	if (in->json) {
		printf("%.*s\n", STR_ARG(json_print(t->arena, answer)));
		return 0;
	}
	each(t, json_get(answer, "inbox"), tell_inbox);
	each(t, json_get(answer, "events"), tell_event);
	each(t, json_get(answer, "jobs"), tell_job);
	each(t, json_get(answer, "attempts"), tell_attempt);
	print(t);
	return 0;
}

static int run(const struct invocation *in)
{
	struct telling *t;
	int code;

	if (in->count != 1)
		return usage_error(in, "say which: one id");
	if (invocation_get(in, "as-case"))
		return as_case(in, in->args[0], "klinke show --as-case");
	if (invocation_get(in, "out"))
		return usage_error(in, "-o goes with --as-case");
	t = calloc(1, sizeof(*t));
	if (!t || !(t->arena = arena_create(MEMORY))) {
		free(t);
		return EXIT_FAILED;
	}
	t->full = invocation_get(in, "full") != NULL;
	code = show(in, t, in->args[0]);
	arena_destroy(t->arena);
	free(t);
	return code;
}

const struct command command_show = {
	.name = "show",
	.run = run,
	.usage = "ID [OPTIONS]",
	.summary = "the whole story of an event, a call, a job",
	.help = "ID is the id of a webhook, an event or a job (its first or last 8 characters "
		"are enough), a\n"
		"call id or the uid of a booking. Everything that shares its correlation is told "
		"in order of "
		"time: what\n"
		"came (webhook, event), what was done (job, step), what was sent (request: > sent, "
		"< answered).\n"
		"--as-case makes case files of it for the plugin's tests, and runs them at once: a "
		"webhook becomes two\n"
		"cases (it is genuine, it is read), an operation one. Secrets are taken out, "
		"signatures made anew, persons\n"
		"get other names, numbers and addresses. The id of a webhook or job: that one; "
		"else "
		"all of the story, a\n"
		"file for each plugin. Needs the whole configuration. 0: they pass. 1: one does "
		"not, or could not be made.\n",
	.options = "config= json full tenant= state-dir= as-case out= real-persons",
	.needs_zygote = true,
};
