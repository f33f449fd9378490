/* progress.c - what a run knows, as the JSON kept in its row, and back. Runner's thread. */
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "pipeline/job_i.h"

static const struct json *parsed(struct run *run, struct str text)
{
	return text.len ? json_parse(run->arena, text, NULL) : NULL;
}

static const char *yes(bool it)
{
	return it ? "true" : "false";
}

static void add_member(struct buf *out, const char *key, struct str json)
{
	if (!json.len)
		return;
	buf_printf(out, ",\"%s\":", key);
	buf_add_str(out, json);
}

/* Only across a wait: whoever begins again collects them again. */
static void add_rows(struct buf *out, const struct run *run)
{
	if (!run->step.waiting || !run->row_texts)
		return;
	buf_add_text(out, ",\"rows\":");
	for (size_t i = 0; i < run->row_texts; i++) {
		buf_add_text(out, i ? "," : "[");
		buf_add_str(out, run->rows[i]);
	}
	buf_add_text(out, "]");
}

/* The results are JSON already and go in as they are: a run is saved several times, and parsing
 * them each time would cost more than all the rest of it. */
struct str progress_print(struct run *run)
{
	const struct step_state *s = &run->step;
	struct buf out;
	struct str kept;

	buf_init(&out, RUN_MEMORY);
	buf_add_text(&out, "{\"results\":[");
	for (size_t i = 0; i < run->result_count; i++) {
		struct str name =
			run->results[i].name; /* checked by config: letters, digits, _ and - */
		buf_printf(&out, "%s[\"%.*s\",", i ? "," : "", STR_ARG(name));
		buf_add_str(&out, run->results[i].json);
		buf_add_text(&out, "]");
	}
	buf_printf(&out,
		"],\"step\":{\"now\":%lld,\"due\":%lld,\"number\":%u,\"timeout\":%u,\"looking\":%s,"
		"\"happened\":%s,\"waited\":%s,\"waiting\":%s,\"instead\":%s",
		(long long)s->now_ms, (long long)s->due_ms, s->number, s->timeout_ms,
		yes(s->looking), yes(s->happened), yes(s->waited), yes(s->waiting),
		yes(s->instead));
	add_member(&out, "input", s->input);
	add_member(&out, "state", s->state);
	if (s->state.len)
		buf_printf(&out, ",\"version\":%u", s->state_version);
	add_rows(&out, run);
	buf_add_text(&out, "}}");
	kept = str_dup(run->arena, (struct str){out.ptr, out.len});
	if (out.failed)
		arena_fail(run->arena);
	buf_finish(&out);
	return kept;
}

static void read_results(struct run *run, const struct json *results)
{
	size_t n = json_count(results);

	for (size_t i = 0; i < n && i < STEPS_MAX; i++) {
		const struct json *pair = json_at(results, i, NULL);
		run->results[i].name = json_text(json_at(pair, 0, NULL));
		run->results[i].json = json_print(run->arena, json_at(pair, 1, NULL));
		run->last = run->results[i].json;
		if (run->pipeline && i < run->pipeline->config->step_count &&
			run->pipeline->config->steps[i].call.mapping)
			run->mapped = run->last;
		run->result_count = i + 1;
	}
}

static void read_rows(struct run *run, const struct json *rows)
{
	size_t n = json_count(rows);

	for (size_t i = 0; i < n; i++)
		run_add_rows(run, json_print(run->arena, json_at(rows, i, NULL)));
}

void progress_read(struct run *run)
{
	const struct json *o = parsed(run, run->row.progress);
	const struct json *step = json_get(o, "step"), *closed = json_get(o, "closed");

	read_results(run, json_get(o, "results"));
	run->refused = json_get_text(o, "refused");
	if (json_get(step, "input"))
		run->step.input = json_print(run->arena, json_get(step, "input"));
	if (json_get(step, "state"))
		run->step.state = json_print(run->arena, json_get(step, "state"));
	read_rows(run, json_get(step, "rows"));
	run->step.state_version = (uint32_t)json_i64(json_get(step, "version"), 0);
	run->step.now_ms = json_i64(json_get(step, "now"), 0);
	run->step.number = (uint32_t)json_i64(json_get(step, "number"), 0);
	run->step.looking = json_bool(json_get(step, "looking"), false);
	run->step.happened = json_bool(json_get(step, "happened"), false);
	run->step.due_ms = json_i64(json_get(step, "due"), 0);
	if (str_is(run->row.fail, JOB_AGAIN) && run->row.due_ms > run->step.due_ms)
		run->step.due_ms = run->row.due_ms;
	run->step.waited = json_bool(json_get(step, "waited"), false);
	run->step.waiting = json_bool(json_get(step, "waiting"), false);
	run->step.instead = json_bool(json_get(step, "instead"), false);
	run->step.timeout_ms = (uint32_t)json_i64(json_get(step, "timeout"), 0);
	if (closed)
		run->closed = json_print(run->arena, closed);
}
