/* record.c - what it takes to play an operation again, beside its bodies: the moment it began, what
 * a poll began with, the headers of an answer. For `klinke show --as-case`. Keeps no credential:
 * what was sent for one is added behind this, by transfer. Runner's thread. */
#include <strings.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "pipeline/job_i.h"

#define HEADERS_MAX 4096 /* bytes */

/* Every answer has those of its web server and of what stands in front of it. A plugin reads where
 * to go on and how much is left. */
static bool may_be_read(struct str name)
{
	static const char *const names[] = {
		"content-type", "etag", "last-modified", "link", "location"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (str_is(name, names[i]))
			return true;
	return (name.len > 2 && memcmp(name.ptr, "x-", 2) == 0) ||
	       (name.len > 9 && memcmp(name.ptr, "ratelimit", 9) == 0);
}

static struct json *headers_json(struct run *run)
{
	const struct transfer_request *t = &run->request;
	struct json *list = json_array(run->arena);
	size_t bytes = 0;

	for (size_t i = 0; i < t->answer_header_count; i++) {
		const struct transfer_header *h = &t->answer_headers[i];
		struct json *pair;
		if (!may_be_read(h->name) || bytes + h->name.len + h->value.len > HEADERS_MAX)
			continue;
		bytes += h->name.len + h->value.len;
		pair = json_array(run->arena);
		json_push(run->arena, pair, json_of_text(run->arena, h->name));
		json_push(run->arena, pair, json_of_text(run->arena, h->value));
		json_push(run->arena, list, pair);
	}
	return list;
}

static void keep(struct run *run, const struct json *more)
{
	if (run->attempt_count && json_count(more))
		run->attempts[run->attempt_count - 1].more = json_print(run->arena, more);
}

void record_begin(struct run *run, int64_t now_ms, struct str checkpoint)
{
	run->first_ms = now_ms;
	run->first_checkpoint = checkpoint;
}

void record_request(struct run *run)
{
	struct json *more = json_object(run->arena), *headers = headers_json(run);

	if (json_count(headers))
		json_put(run->arena, more, "headers", headers);
	if (run->request.retry_after_ms)
		json_put_i64(run->arena, more, "retry_after_ms", run->request.retry_after_ms);
	keep(run, more);
}

/* Who asked may be shown it, and is told of when it is exported and forgotten; the others in it may
 * not, and are not. */
void record_leave_out(struct run *run)
{
	struct attempt_row *a = run->listed ? &run->attempts[run->listed - 1] : NULL;
	struct json *more;

	run->listed = 0;
	if (!a || !a->output.len)
		return;
	more = json_parse(run->arena, a->more, NULL);
	if (!more)
		more = json_object(run->arena);
	json_put_i64(run->arena, more, "left_out", (int64_t)run->request.answer.len);
	a->more = json_print(run->arena, more);
	a->output = (struct str){0};
	a->note = str_of(arena_printf(run->arena,
		"%.*s%san answer of %zu bytes that tells of others too: not kept", STR_ARG(a->note),
		a->note.len ? "; " : "", run->request.answer.len));
	run->response.body = (struct str){0};
}

void record_step(struct run *run)
{
	struct json *more = json_object(run->arena);

	if (run->first_ms)
		json_put_i64(run->arena, more, "now", run->first_ms);
	if (run->first_checkpoint.len)
		json_put(run->arena, more, "checkpoint",
			json_parse(run->arena, run->first_checkpoint, NULL));
	keep(run, more);
}
