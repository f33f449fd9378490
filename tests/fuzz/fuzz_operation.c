/* fuzz_operation.c - any operation of a bundled plugin against any server, step by step.
 *
 *   calcom_v2 book              plugin, operation
 *   !team=880                   option; @N the time
 *   <{"start":"..."}            input; ^{...} checkpoint; ~KEY the run's key; #3 the third attempt
 *
 *   %% 200 a 0                  answer: status, outcome (a answered, n not sent, u unknown,
 *   name: value                 r refused, c crash), retry after in ms; headers,
 *                               an empty line, the body; then the next answer
 *
 * It does what the host's runner does with a step's answer, at most MOST_STEPS times.
 */
#include <assert.h>
#include <klinke/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bundled.h"

#define MOST_STEPS 8

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

struct walk {
	const struct loaded *plugin;
	const struct plugin_op *op;
	const struct json *config;
	struct arena *arena;
	struct str answers; /* not yet given */
	struct plugin_in in;
	struct plugin_response response;
	struct plugin_pair headers[BUNDLED_LINES];
	bool sent_never, confirmed;
	bool listed, account_told; /* while looking */
};

/* ---- answers -------------------------------------------------------------------- */

static struct str take_answer(struct walk *walk)
{
	struct str all = walk->answers;
	const char *next = all.len > 3 ? memmem(all.ptr + 1, all.len - 1, "\n%% ", 4) : NULL;
	size_t len = next ? (size_t)(next - all.ptr) : all.len;
	size_t taken = len + (next != NULL);

	walk->answers = (struct str){all.ptr + taken, all.len - taken};
	return (struct str){all.ptr, len};
}

static uint32_t outcome_of(char letter, uint32_t status)
{
	if (letter == 'n')
		return KL_NOT_SENT;
	if (letter == 'r')
		return KL_REFUSED;
	/* The host calls a 5xx unknown: it may have happened all the same. */
	return letter == 'u' || letter == 'c' || !status || status >= 500 ? KL_UNKNOWN
									  : KL_ANSWERED;
}

static long number(struct str word)
{
	char text[20];

	snprintf(text, sizeof(text), "%.*s", STR_ARG(word));
	return strtol(text, NULL, 10);
}

/* false: a crash between sending and answer, nothing at all is known. */
static bool read_answer(struct walk *walk)
{
	struct str text = take_answer(walk);
	struct head head;
	struct plugin_response *r = &walk->response;
	size_t count = 0;
	long status;

	head_read(&head, text); /* words: "%%", status, outcome, retry */
	status = number(head.words[1]);
	*r = (struct plugin_response){
		.status = status >= 100 && status <= 599 ? (uint32_t)status : 0,
		.attempts = 1,
		.retry_after_ms = number(head.words[3]) & 0xffffffffffl,
		.reason = STR("made up"),
	};
	r->outcome = outcome_of(head.words[2].len ? head.words[2].ptr[0] : 'a', r->status);
	for (size_t i = 0; i < head.line_count; i++)
		if (split_pair(head.lines[i], ':', &walk->headers[count]))
			count++;
	r->headers = (struct plugin_pairs){walk->headers, count};
	if (r->outcome == KL_ANSWERED)
		r->reason = (struct str){0};
	if (r->outcome == KL_NOT_SENT || r->outcome == KL_REFUSED)
		r->status = 0;
	if (r->status)
		r->body = head.rest;
	walk->confirmed |= r->outcome == KL_ANSWERED && r->status >= 200 && r->status < 300;
	return !(head.words[2].len && head.words[2].ptr[0] == 'c');
}

/* ---- the walk ------------------------------------------------------------------- */

static void note_look(struct walk *walk, const struct plugin_request *request)
{
	const struct plugin_response *r = &walk->response;
	bool good = r->outcome == KL_ANSWERED && r->status >= 200 && r->status < 300;

	if (!walk->in.step.looking || !good)
		return;
	walk->listed |= str_is(request->label, "bookings");
	walk->account_told |= str_is(request->label, "me");
}

/* false: the host ends the run here, without the plugin. */
static bool send_request(struct walk *walk, const struct plugin_request *request)
{
	struct plugin_step_in *step = &walk->in.step;
	bool known = read_answer(walk);
	uint32_t outcome = walk->response.outcome;

	/* What may have happened must be found out, so only such operations may send it. */
	if (request->repeat == KL_NEVER) {
		assert(walk->op->kind & KL_OP_LOOKUP);
		assert(!walk->sent_never); /* twice in one run is what NEVER forbids */
		walk->sent_never = true;
	}
	step->why = KL_RESPONSE;
	step->response = &walk->response;
	note_look(walk, request);
	if (request->repeat != KL_NEVER)
		return true;
	if (outcome == KL_NOT_SENT || outcome == KL_REFUSED)
		return false;
	if (outcome == KL_UNKNOWN) {
		step->why = KL_LOOKUP;
		step->looking = 1;
		step->response = known ? &walk->response : NULL;
	}
	return true;
}

/* Never "booked" before the calendar said so; never "sent" before the messenger did. */
static void check_done(const struct walk *walk)
{
	static const char *const asked[] = {"book", "hold", "send", "test", "slots"};

	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++)
		if (strcmp(walk->op->name, asked[i]) == 0)
			assert(walk->confirmed);
}

/* Who takes a booking for absent has seen the list, and knows whose it is. */
static void check_absent(const struct walk *walk)
{
	assert(walk->in.step.looking);
	if (strcmp(walk->op->name, "book") == 0)
		assert(walk->listed && walk->account_told);
}

/* A person has to make something of it. */
static void check_failure(const struct plugin_next *next)
{
	if (next->then == KL_FAIL)
		assert(next->message.len);
}

/* false: at its end. */
static bool advance(struct walk *walk, const struct plugin_out *out)
{
	const struct plugin_next *next = &out->next;
	struct plugin_step_in *step = &walk->in.step;

	check_failure(next);
	if (next->then == KL_DONE)
		check_done(walk);
	if (next->then == KL_ABSENT)
		check_absent(walk);
	if (out->checkpoint.ptr)
		step->checkpoint = out->checkpoint;
	if (next->then == KL_SEND) {
		if (!walk->answers.len || !send_request(walk, &next->request))
			return false;
	} else if (next->then == KL_WAIT && !step->looking) {
		step->why = KL_TIMER;
		step->response = NULL;
		walk->in.now_ms += next->wait_ms;
	} else {
		return false;
	}
	step->state = next->state;
	step->step++;
	return true;
}

/* "op.*" is each operation that an option op.NAME declares, as host/config/declared.c has it. */
static const struct plugin_op *declared_op(struct walk *walk, const struct plugin_op *pattern,
	const struct head *head, struct str name)
{
	struct plugin_op *op = arena_alloc(walk->arena, sizeof(*op));
	const char *key = arena_printf(walk->arena, "%.*s%.*s=", (int)strlen(pattern->name) - 1,
		pattern->name, STR_ARG(name));

	if (!strstr(pattern->name, ".*") || memchr(name.ptr, '.', name.len) || !is_text(name))
		return NULL;
	*op = *pattern;
	op->name = arena_strndup(walk->arena, name.ptr, name.len);
	for (size_t i = 0; i < head->line_count; i++) {
		struct str line = line_after(head->lines[i], '!');
		if (line.len >= strlen(key) && memcmp(line.ptr, key, strlen(key)) == 0)
			return op;
	}
	return NULL;
}

/* The host asks for declared ones only; a plugin says so, too. */
static const struct plugin_op undeclared = {.name = "undeclared", .kind = KL_OP_ACTION};

static const struct plugin_op *find_op(struct walk *walk, const struct head *head, struct str name)
{
	const struct plugin_info *info = &walk->plugin->info;
	const struct plugin_op *op = NULL;

	for (size_t i = 0; i < info->op_count && !op && name.len; i++)
		op = str_is(name, info->ops[i].name) ? &info->ops[i]
						     : declared_op(walk, &info->ops[i], head, name);
	if (!op && walk->plugin->raw.step && str_is(name, undeclared.name))
		op = &undeclared;
	return op;
}

/* [a-z0-9-]{36} */
static bool is_key(struct str key)
{
	for (size_t i = 0; i < key.len; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-", key.ptr[i]) || !key.ptr[i])
			return false;
	return key.len == 36;
}

static void read_line(struct walk *walk, struct str line)
{
	struct str input = line_after(line, '<'), checkpoint = line_after(line, '^');
	struct str key = line_after(line, '~'), attempt = line_after(line, '#');

	if (attempt.len == 1 && attempt.ptr[0] > '0' && attempt.ptr[0] <= '9')
		walk->in.attempt = (uint32_t)(attempt.ptr[0] - '0');
	if (is_key(key))
		walk->in.step.key = key;
	if (input.ptr)
		walk->in.step.input = json_or_nothing(walk->arena, input, JSON_OBJECT);
	if (checkpoint.ptr)
		walk->in.step.checkpoint = json_or_nothing(walk->arena, checkpoint, JSON_NONE);
}

static bool begin(struct walk *walk, struct str text)
{
	struct head head;

	head_read(&head, text);
	walk->plugin = bundled_find(head.words[0]);
	walk->op = walk->plugin ? find_op(walk, &head, head.words[1]) : NULL;
	if (!walk->op)
		return false;
	walk->config = bundled_config(walk->plugin, &head, walk->arena);
	if (!walk->config)
		return false;
	walk->answers = head.rest;
	walk->in = (struct plugin_in){.kind = PLUGIN_STEP,
		.attempt = 1,
		.now_ms = head.now_ms,
		.seed = 1,
		.run = STR("fuzz")};
	walk->in.step = (struct plugin_step_in){.why = KL_START,
		.state_version = walk->plugin->info.state_version,
		.op = str_of(walk->op->name),
		.key = STR("0199d4c2-0000-7000-8000-000000000001")};
	for (size_t i = 0; i < head.line_count; i++)
		read_line(walk, head.lines[i]);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct walk walk = {.arena = arena_create((size_t)256 << 20)};
	struct plugin_out out;

	if (begin(&walk, (struct str){(const char *)bytes, len}))
		for (unsigned i = 0; i < MOST_STEPS; i++)
			if (!bundled_call(walk.plugin, walk.config, &walk.in, walk.arena, &out) ||
				!advance(&walk, &out))
				break;
	arena_destroy(walk.arena);
	return 0;
}
