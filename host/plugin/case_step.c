/* case_step.c - one operation from start to end, against the exchange that the case describes.
 * Does what the host's runner does with a step's answer, without time and network. One thread. */
#include "plugin/case.h"

#include <klinke/plugin.h>
#include <string.h>

#define MOST_STEPS 1000

struct walk { /* where an operation stands */
	struct case_run *run;
	const struct json *exchange;
	size_t at; /* of the exchange */
	struct plugin_in in;
	struct json *events;
	bool parked; /* nobody knows, and nobody can be asked */
	struct str rows[MOST_STEPS];
	size_t row_count;
};

/* Does step() know KL_LOOKUP for it? "op.*" stands for what only the operator names. */
static bool can_look(const struct case_run *run, struct str name)
{
	const struct plugin_info *info = run->runner->info;
	bool pattern = false;
	size_t i;

	for (i = 0; i < info->op_count; i++) {
		const struct plugin_op *op = &info->ops[i];
		if (str_is(name, op->name))
			return (op->kind & KL_OP_LOOKUP) != 0;
		if (strstr(op->name, ".*"))
			pattern |= (op->kind & KL_OP_LOOKUP) != 0;
	}
	return pattern;
}

static void send_request(struct walk *walk, const struct plugin_next *next)
{
	const struct json *turn = json_at(walk->exchange, walk->at++, NULL);
	struct plugin_step_in *step = &walk->in.step;
	const struct plugin_response *response;

	case_request(walk->run, walk->at, &next->request, json_get(turn, "expect"));
	response = case_answer(walk->run, &next->request, json_get(turn, "answer"));
	step->response = response;
	step->why = KL_RESPONSE;
	if (next->request.repeat == KL_NEVER && (!response || response->outcome == KL_UNKNOWN)) {
		step->why = KL_LOOKUP;
		step->looking = 1;
		walk->parked = !can_look(walk->run, step->op);
	}
}

/* false: the operation is at its end. */
static bool advance(struct walk *walk, const struct plugin_out *out)
{
	const struct plugin_next *next = &out->next;
	struct plugin_step_in *step = &walk->in.step;
	size_t left = json_count(walk->exchange) - walk->at;

	if (next->then == KL_SEND && !left)
		case_fault(walk->run, "request %zu is more than the case foresees: %.*s %.*s",
			walk->at + 1, STR_ARG(next->request.method), STR_ARG(next->request.url));
	if (!left || (next->then != KL_SEND && next->then != KL_WAIT))
		return false;
	if (next->then == KL_SEND) {
		send_request(walk, next);
	} else {
		step->why = KL_TIMER;
		step->response = NULL;
		walk->in.now_ms += next->wait_ms;
	}
	step->state = next->state;
	step->step++;
	return !walk->parked;
}

static void note_effects(struct walk *walk, const struct plugin_out *out)
{
	case_add_events(walk->run, walk->events, out);
	if (out->rows.ptr)
		walk->rows[walk->row_count++] = out->rows;
	if (out->checkpoint.ptr)
		walk->in.step.checkpoint = out->checkpoint;
}

static bool walk_to_end(struct walk *walk, struct plugin_out *out)
{
	unsigned steps;

	for (steps = 0; steps < MOST_STEPS; steps++) {
		if (!case_call(walk->run, &walk->in, out))
			return false;
		note_effects(walk, out);
		if (!advance(walk, out))
			return true;
	}
	case_fault(walk->run, "more than %d steps", MOST_STEPS);
	return false;
}

static const struct json *all_rows(struct walk *walk)
{
	struct json *all = json_array(walk->run->arena);
	size_t i, k;

	for (i = 0; i < walk->row_count; i++) {
		const struct json *rows = case_parse(walk->run, walk->rows[i]);
		for (k = 0; k < json_count(rows); k++)
			json_push(walk->run->arena, all, json_at(rows, k, NULL));
	}
	return all;
}

static const struct json *end_json(struct walk *walk, const struct plugin_out *out)
{
	static const char *const ends[] = {"?", "done", "send", "wait", "fail", "absent", "unsure"};
	static const char *const fails[] = {
		NULL, "bad_input", "bad_auth", "busy", "broken", "gone", "conflict", "surprise"};
	const struct plugin_next *next = &out->next;
	struct arena *arena = walk->run->arena;
	struct json *actual = json_object(arena);
	struct str result = next->result;

	if (result.ptr && walk->row_count)
		result = call_merge_rows(arena, result, walk->rows, walk->row_count);
	if (walk->parked) { /* as the host does, without asking the plugin */
		json_put_text(arena, actual, "then", STR("unsure"));
		json_put(arena, actual, "events", walk->events);
		return actual;
	}
	json_put_text(arena, actual, "then", str_of(ends[next->then]));
	if (next->then == KL_FAIL)
		json_put_text(arena, actual, "fail", str_of(fails[next->fail]));
	json_put_text(arena, actual, "code", next->code);
	json_put_text(arena, actual, "message", next->message);
	json_put_i64(arena, actual, "wait_ms", next->wait_ms);
	json_put(arena, actual, "result", case_parse(walk->run, result));
	json_put(arena, actual, "detail", case_parse(walk->run, next->detail));
	json_put(arena, actual, "state", case_parse(walk->run, next->state));
	json_put(arena, actual, "rows", all_rows(walk));
	json_put(arena, actual, "events", walk->events);
	json_put(arena, actual, "checkpoint", case_parse(walk->run, walk->in.step.checkpoint));
	return actual;
}

static void begin(struct walk *walk, const struct json *spec)
{
	struct case_run *run = walk->run;
	struct str key = json_get_text(spec, "key");

	walk->exchange = json_get(spec, "exchange");
	walk->events = json_array(run->arena);
	walk->in = case_in(run, PLUGIN_STEP);
	walk->in.step = (struct plugin_step_in){
		.why = KL_START,
		.state_version = run->runner->info->state_version,
		.op = json_get_text(spec, "op"),
		.input = case_text_of(run, json_get(spec, "input")),
		.checkpoint = case_text_of(run, json_get(spec, "checkpoint")),
		.key = key.ptr ? key : STR("0199d4c2-0000-7000-8000-000000000001"),
	};
	if (json_type(json_get(spec, "checkpoint")) == JSON_NULL)
		walk->in.step.checkpoint = (struct str){0};
}

void case_step(struct case_run *run, const struct json *spec)
{
	struct walk *walk = arena_alloc(run->arena, sizeof(*walk));
	struct plugin_out out;

	if (!walk)
		return;
	walk->run = run;
	begin(walk, spec);
	if (!walk_to_end(walk, &out))
		return;
	if (walk->at < json_count(walk->exchange))
		case_fault(run, "it ended after %zu of %zu requests that the case foresees",
			walk->at, json_count(walk->exchange));
	case_expect(run, json_get(run->spec, "expect"), end_json(walk, &out));
}
