/* progress.c - what a run knows, as the JSON kept in its row, and back. Runner's thread. */
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "pipeline/job_i.h"

static const struct json *parsed(struct run *run, struct str text)
{
	return text.len ? json_parse(run->arena, text, NULL) : NULL;
}

struct str progress_print(struct run *run)
{
	struct arena *a = run->arena;
	struct json *o = json_object(a), *results = json_array(a), *step = json_object(a);

	for (size_t i = 0; i < run->result_count; i++) {
		struct json *r = json_array(a);
		json_push(a, r, json_of_text(a, run->results[i].name));
		json_push(a, r, parsed(run, run->results[i].json));
		json_push(a, results, r);
	}
	json_put(a, o, "results", results);
	json_put(a, step, "input", parsed(run, run->step.input));
	json_put(a, step, "state", parsed(run, run->step.state));
	json_put_i64(a, step, "now", run->step.now_ms);
	json_put_i64(a, step, "number", run->step.number);
	json_put_bool(a, step, "looking", run->step.looking);
	json_put_bool(a, step, "happened", run->step.happened);
	json_put_bool(a, step, "waited", run->step.waited);
	json_put_bool(a, step, "waiting", run->step.waiting);
	json_put_bool(a, step, "instead", run->step.instead);
	json_put_i64(a, step, "timeout", run->step.timeout_ms);
	json_put(a, o, "step", step);
	return json_print(a, o);
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
	run->step.now_ms = json_i64(json_get(step, "now"), 0);
	run->step.number = (uint32_t)json_i64(json_get(step, "number"), 0);
	run->step.looking = json_bool(json_get(step, "looking"), false);
	run->step.happened = json_bool(json_get(step, "happened"), false);
	run->step.waited = json_bool(json_get(step, "waited"), false);
	run->step.waiting = json_bool(json_get(step, "waiting"), false);
	run->step.instead = json_bool(json_get(step, "instead"), false);
	run->step.timeout_ms = (uint32_t)json_i64(json_get(step, "timeout"), 0);
	if (closed)
		run->closed = json_print(run->arena, closed);
}
