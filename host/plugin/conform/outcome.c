/* outcome.c - every way in which a request may end, at every step that sends one.
 *
 * Does what the host does with what a step answers (pipeline/operation.c), without time, network
 * and store. Runs in children. */
#include <klinke/plugin.h>
#include <stdio.h>
#include <string.h>

#include "plugin/conform/kit.h"

#define MOST_STEPS 24u /* of one run that is told the same each time */

struct ending { /* of a request */
	const char *name;
	uint32_t outcome, status;
	bool crash; /* the host died between sending and answer */
};

static const struct ending endings[] = {
	{"a crash of the host", KL_UNKNOWN, 0, true},
	{"no answer", KL_UNKNOWN, 0, false},
	{"500", KL_UNKNOWN, 500, false},
	{"502", KL_UNKNOWN, 502, false},
	{"503", KL_UNKNOWN, 503, false},
	{"not sent", KL_NOT_SENT, 0, false},
	{"refused by the host", KL_REFUSED, 0, false},
	{"200", KL_ANSWERED, 200, false},
	{"201", KL_ANSWERED, 201, false},
	{"204", KL_ANSWERED, 204, false},
	{"302", KL_ANSWERED, 302, false},
	{"304", KL_ANSWERED, 304, false},
	{"400", KL_ANSWERED, 400, false},
	{"401", KL_ANSWERED, 401, false},
	{"403", KL_ANSWERED, 403, false},
	{"404", KL_ANSWERED, 404, false},
	{"409", KL_ANSWERED, 409, false},
	{"422", KL_ANSWERED, 422, false},
	{"429", KL_ANSWERED, 429, false},
};
#define ENDINGS (sizeof(endings) / sizeof(endings[0]))

static const struct {
	const char *name, *bytes;
} bodies[] = {
	{"no body", ""},
	{"{}", "{}"},
	{"[]", "[]"},
	{"null", "null"},
	{"a text", "\"ok\""},
	{"a page", "<!DOCTYPE html><html><body>Bad gateway</body></html>"},
	{"an error", "{\"status\":\"error\",\"error\":{\"code\":\"X\",\"message\":\"no\"},"
		     "\"message\":\"no\"}"},
	{"empty data", "{\"status\":\"success\",\"data\":{}}"},
	{"empty lists", "{\"data\":[],\"items\":[],\"results\":[]}"},
	{"cut JSON", "{\"data\":{\"id\":"},
	{"1 MiB", NULL},
};
#define BODIES (sizeof(bodies) / sizeof(bodies[0]))

struct walk {
	struct child *child;
	const struct ending *ending;
	uint32_t body;
	struct input input;
	struct arena *kept; /* state between steps */
	uint32_t repeat;    /* of the request that has ended */
	bool confirmed;     /* something was ANSWERED with 2xx since the sample's request */
	bool first;         /* the sample is the beginning of its run */
	bool asked_before;  /* the sample looks, and has been answered */
	bool waited;        /* between requests: it may go on for as long as it likes */
	bool asked_again;   /* a look-up's own request has ended */
};

/* ---- the response ------------------------------------------------------------------------- */

static struct str big_body(struct arena *arena)
{
	const size_t len = (size_t)1 << 20;
	char *text = arena_take(arena, len);

	if (!text)
		return STR("");
	memset(text, 'x', len);
	memcpy(text, "{\"data\":\"", 9);
	memcpy(text + len - 2, "\"}", 2);
	return (struct str){text, len};
}

static void respond(struct walk *walk)
{
	static const struct plugin_pair type = {{"content-type", 12}, {"application/json", 16}};
	const struct ending *ending = walk->ending;

	walk->input.response = (struct plugin_response){
		.outcome = ending->outcome,
		.status = ending->status,
		.attempts = 1,
		.retry_after_ms = ending->status == 429 ? 7000 : 0,
		.reason = ending->outcome == KL_ANSWERED ? (struct str){0} : STR("made up"),
		.headers = {&type, ending->status ? 1 : 0},
	};
	if (ending->status)
		walk->input.response.body = bodies[walk->body].bytes
						    ? str_of(bodies[walk->body].bytes)
						    : big_body(walk->kept);
	walk->confirmed |= ending->outcome == KL_ANSWERED && ending->status / 100 == 2;
}

static const struct plugin_op *op_of(const struct walk *walk)
{
	const struct plugin_info *info = &walk->child->kit->info;
	const struct plugin_op *pattern = NULL; /* "op.*", for names that an operator made */
	size_t i;

	for (i = 0; i < info->op_count; i++) {
		if (str_is(walk->input.in.step.op, info->ops[i].name))
			return &info->ops[i];
		if (strchr(info->ops[i].name, '*') && !pattern)
			pattern = &info->ops[i];
	}
	return pattern;
}

/* false: here the host goes on without the plugin. */
static bool answer(struct walk *walk, const struct plugin_request *request)
{
	struct plugin_step_in *step = &walk->input.in.step;
	const struct ending *ending = walk->ending;
	const struct plugin_op *op = op_of(walk);
	bool never = request->repeat == KL_NEVER;

	walk->repeat = request->repeat;
	respond(walk);
	walk->asked_again = step->looking;
	step->why = KL_RESPONSE;
	step->response = &walk->input.response;
	if (ending->outcome == KL_ANSWERED)
		return true;
	if (!never)
		return !ending->crash; /* after a crash it is sent again */
	if (ending->outcome != KL_UNKNOWN || !op || !(op->kind & KL_OP_LOOKUP))
		return false;
	step->why = KL_LOOKUP;
	step->looking = 1;
	if (ending->crash)
		step->response = NULL;
	return true;
}

/* ---- what must not be said ---------------------------------------------------------------- */

static bool is_refusal(uint32_t status)
{
	return status == 400 || status == 401 || status == 403 || status == 422 || status == 429;
}

static void judge_done(struct walk *walk, bool looked)
{
	const struct plugin_step_in *step = &walk->input.in.step;

	if (looked && !walk->confirmed)
		child_find(walk->child, NULL,
			"send a SAFE request that shows whether it happened; KL_DONE needs the "
			"result that was found, else KL_UNSURE",
			"operation %.*s says KL_DONE in a look-up that nobody has answered",
			STR_ARG(step->op));
	else if (walk->ending->outcome != KL_ANSWERED && !walk->confirmed)
		child_find(walk->child, NULL,
			"look at response->outcome first: only KL_ANSWERED has a status and a "
			"body; "
			"the rest is KL_BROKEN at most",
			"operation %.*s says KL_DONE, and its request was never answered",
			STR_ARG(step->op));
	else if (walk->repeat != KL_SAFE && is_refusal(walk->ending->status))
		child_find(walk->child, NULL,
			"look at response->status before the body: 401 is KL_BAD_AUTH, 429 "
			"KL_BUSY, "
			"what you do not know KL_SURPRISE",
			"operation %.*s says KL_DONE to a refusal with status %u",
			STR_ARG(step->op), walk->ending->status);
}

/* An answer that says nothing proves nothing: absent twice, and it is sent again. */
static void judge_absent(struct walk *walk)
{
	uint32_t status = walk->ending->status;
	bool page = bodies[walk->body].bytes && bodies[walk->body].bytes[0] == '<';
	bool cut = bodies[walk->body].bytes && bodies[walk->body].name[0] == 'c';

	if (walk->asked_before)
		return;
	if (walk->asked_again && walk->ending->outcome == KL_ANSWERED &&
		(status == 404 || status == 410 || (status / 100 == 2 && !page && !cut)))
		return;
	child_find(walk->child, NULL,
		"say KL_ABSENT only when the vendor has shown a list, or a 404, without it; else "
		"KL_UNSURE, or KL_FAIL with KL_BROKEN to be asked again",
		"operation %.*s says KL_ABSENT, and nobody has answered what it asked",
		STR_ARG(walk->input.in.step.op));
}

static void judge_busy(struct walk *walk, const struct plugin_next *next)
{
	if (walk->first && walk->ending->status == 429 && next->then == KL_FAIL &&
		next->fail != KL_BUSY && !walk->input.in.step.looking)
		child_note(walk->child, NULL,
			"fail with KL_BUSY, and wait_ms from response->retry_after_ms: the host "
			"comes "
			"back after that",
			"operation %.*s does not take 429 for KL_BUSY",
			STR_ARG(walk->input.in.step.op));
}

static void judge(struct walk *walk, const struct plugin_next *next)
{
	if (next->then == KL_DONE)
		judge_done(walk, walk->input.in.step.looking);
	if (next->then == KL_ABSENT)
		judge_absent(walk);
	judge_busy(walk, next);
}

/* ---- a run -------------------------------------------------------------------------------- */

/* What a next step needs, copied out of the call's arena. false: it is at its end. */
static bool keep(struct walk *walk, const struct plugin_out *out)
{
	struct plugin_step_in *step = &walk->input.in.step;
	const struct plugin_next *next = &out->next;

	if (next->then == KL_WAIT) {
		step->why = KL_TIMER;
		step->response = NULL;
		walk->input.in.now_ms += next->wait_ms;
		walk->waited = true;
	} else if (next->then != KL_SEND || !answer(walk, &next->request)) {
		return false;
	}
	step->state = next->state.ptr ? str_dup(walk->kept, next->state) : (struct str){0};
	if (out->checkpoint.ptr)
		step->checkpoint = str_dup(walk->kept, out->checkpoint);
	step->step++;
	return true;
}

static void go_on(struct walk *walk, struct plugin_out *out)
{
	struct child *child = walk->child;
	unsigned steps;

	for (steps = 0; steps < MOST_STEPS; steps++) {
		if (!keep(walk, out))
			return;
		child_call(child, &walk->input, out);
		if (!child_sound(child, &walk->input, out))
			return;
		judge(walk, &out->next);
		walk->first = false;
	}
	if (!walk->waited && walk->ending->status / 100 != 2 &&
		walk->ending->outcome != KL_NOT_SENT)
		child_find(child, NULL,
			"count attempts in next.state and fail: the host retries, and backs off, "
			"and "
			"tells a person",
			"operation %.*s goes on for ever, however often it is told the same",
			STR_ARG(walk->input.in.step.op));
}

static void one_ending(struct child *child, uint32_t i, uint32_t number)
{
	struct walk walk = {.child = child,
		.ending = &endings[number / BODIES],
		.body = number % BODIES,
		.kept = arena_create((size_t)64 << 20)};
	struct plugin_out out;

	if (child_take(child, i, &walk.input)) {
		const struct plugin_step_in *step = &walk.input.in.step;
		walk.first = step->why == KL_START;
		walk.asked_before = step->looking && step->response &&
				    step->response->outcome == KL_ANSWERED &&
				    step->response->status / 100 == 2;
		child_call(child, &walk.input, &out);
		if (out.status == PLUGIN_OK && out.next.then == KL_SEND)
			go_on(&walk, &out);
	}
	arena_destroy(walk.kept);
}

static bool sends(struct child *child, uint32_t i)
{
	struct plugin_out out;
	struct input input;

	if (child->kit->samples[i].kind != PLUGIN_STEP || !child_take(child, i, &input))
		return false;
	child_call(child, &input, &out);
	return out.status == PLUGIN_OK && out.next.then == KL_SEND;
}

static void ended(struct child *child, uint32_t i)
{
	uint32_t number;

	child_at(child, child->first_part, "%s", kit_sample_name(child->kit, i));
	if (!sends(child, i))
		return;
	for (number = 0; number < ENDINGS * BODIES; number++) {
		const struct ending *ending = &endings[number / BODIES];
		if (!ending->status && number % BODIES)
			continue;
		if (child_at(child, number, "%s, its request ends with %s%s%s",
			    kit_sample_name(child->kit, i), ending->name,
			    ending->status ? " and " : "",
			    ending->status ? bodies[number % BODIES].name : ""))
			one_ending(child, i, number);
	}
}

void check_outcomes(struct kit *kit)
{
	const struct probe probe = {.check = "outcomes",
		.items = kit->sample_count,
		.run = ended,
		.dead = "every request may end in every way: response may be NULL in a look-up, "
			"body may "
			"be "
			"empty, json may be NULL, status may be 0"};

	if (kit->info.can_step)
		probe_run(kit, &probe);
	else
		kit->note = "it has no operations";
}
