/* operation.c - a step that talks to a provider: the plugin says what, the host does it. Runner's
 * thread.
 *
 *   operation_begin -> plugin.step(START) -> SEND -> transfer -> plugin.step(RESPONSE) -> … DONE
 *                                             |
 *                        a NEVER request: first the mark "sent" is on disk
 *
 * Begun again after a crash with that mark, or with an unknown outcome, the plugin is asked to
 * look (KL_LOOKUP), never to send again.
 */
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "desk/desk.h"
#include "desk/project.h"
#include "pipeline/asks.h"
#include "pipeline/builtin.h"
#include "pipeline/job_i.h"
#include "pipeline/pause.h"
#include "pipeline/trace.h"
#include "plugin/call.h"

#define STORE_MS 5000 /* until what could not be read there is read again */

static void step(struct run *run, uint32_t why, const struct plugin_response *response);

static const char *label(struct run *run)
{
	return arena_printf(run->arena, "%s.%s", run->connection->config->name, run_op(run));
}

static const struct plugin_op *find_op(const struct run *run)
{
	const struct plugin_info *info = run->connection->config->info;

	for (size_t i = 0; i < info->op_count; i++)
		if (strcmp(info->ops[i].name, run_op(run)) == 0)
			return &info->ops[i];
	return NULL;
}

/* ---- Beginning ---------------------------------------------------------------------------- */

static const struct plan_connection *find_connection(const struct run *run)
{
	if (run->pipeline)
		return plan_connection_for(
			run->plan, run->tenant, run_call(run)->config->connection);
	return plan_connection(run->plan, run->row.connection);
}

/* False: the run has gone another way. */
static bool ready(struct run *run)
{
	int64_t pause;

	run->connection = find_connection(run);
	if (!run->connection) {
		run_end(run, JOB_PARKED, "bad input", "its connection is not in the configuration");
		return false;
	}
	if (!run->connection->config->info) {
		run_later(run, clock_now_ms() + DISABLED_MS, "plugin",
			run->connection->config->disabled);
		return false;
	}
	if (!find_op(run)) {
		run_end(run, JOB_PARKED, "bad input", "its connection has no such operation");
		return false;
	}
	pause = paused_until(run->runner, str_of(run->connection->config->full));
	if (pause && asks_is_read(run)) {
		run_end(run, JOB_DROPPED, "bad auth", "the connection is paused");
		return false;
	}
	if (pause && !waiter_waits(run->runner, &run->row.id)) {
		run_later(run, pause, "bad auth",
			"the connection is paused: its credential was refused");
		return false;
	}
	return true;
}

bool run_make_input(struct run *run)
{
	struct error error = {0};

	if (run->step.input.len)
		return true;
	if (!run->pipeline)
		run->step.input = run->row.input.len ? run->row.input : STR("{}");
	else if (run_input(&error, run, run_call(run), &run->step.input) < 0) {
		if (!run_lacks_memory(run, &error))
			run_failed(run, KL_BAD_INPUT, NULL,
				arena_printf(run->arena, "%s", error.text), 0);
		return false;
	}
	return true;
}

static void look(struct run *run, const struct plugin_response *response)
{
	if (!(find_op(run)->kind & KL_OP_LOOKUP)) {
		run_unknown(run, "it may have happened, and this provider cannot be asked");
		return;
	}
	run->step.looking = true;
	run->look_state = run->step.state;
	step(run, KL_LOOKUP, response);
}

void operation_begin(struct run *run)
{
	if (builtin_is(run)) {
		builtin_begin(run);
		return;
	}
	run->began_us = clock_mono_us();
	run->began_ms = clock_now_ms();
	if (!ready(run) || !run_make_input(run))
		return;
	if (run->step.waiting) /* after a whole answer: nothing of it is in question */
		step(run, KL_TIMER, NULL);
	else if (run->row.sent)
		look(run, NULL);
	else
		step(run, KL_START, NULL);
}

/* ---- Effects of a plugin step ------------------------------------------------------------- */

void run_add_rows(struct run *run, struct str rows)
{
	size_t cap = run->row_cap ? 2 * run->row_cap : 8;
	struct str *all = run->rows;

	if (!rows.len)
		return;
	if (run->row_texts == run->row_cap) {
		all = arena_alloc(run->arena, cap * sizeof(*all));
		if (!all)
			return; /* the arena has failed, and with it the run */
		if (run->row_texts)
			memcpy(all, run->rows, run->row_texts * sizeof(*all));
		run->rows = all;
		run->row_cap = cap;
	}
	all[run->row_texts++] = rows;
}

static void add_events(struct run *run)
{
	const struct plugin_out *out = &run->call.out;
	struct route_input in = {.plan = run->plan,
		.engine = run->runner->engine,
		.job = run->row.id,
		.connection = str_of(run->connection->config->full),
		.tenant = run->connection->config->tenant,
		.correlation = run->row.correlation,
		.keep_orphans = true,
		.now_ms = clock_now_ms(),
		.arena = run->arena};
	struct event_change *all;

	if (!out->events.count)
		return;
	all = arena_alloc(run->arena, (run->event_count + out->events.count) * sizeof(*all));
	if (!all)
		return; /* the arena has failed, and with it the run */
	if (run->event_count)
		memcpy(all, run->events, run->event_count * sizeof(*all));
	for (uint32_t i = 0; i < out->events.count; i++) {
		struct error error = {0};
		if (route_event(&error, &in, &out->events.items[i], &all[run->event_count]) == 0)
			run->event_count++;
		else
			log_line(LOG_ERROR, "event of an operation cannot be used", "connection",
				run->connection->config->full, "reason", error.text, "correlation",
				run->row.correlation.ptr, NULL);
	}
	run->events = all;
}

static void take_effects(struct run *run)
{
	const struct plugin_out *out = &run->call.out;

	for (uint32_t i = 0; i < out->logs.count; i++) {
		int level = out->logs.items[i].level;
		log_line((enum log_level)(level < 0   ? 0
					  : level > 3 ? 3
						      : level),
			out->logs.items[i].message.ptr, "connection", run->connection->config->full,
			"correlation", run->row.correlation.ptr, NULL);
	}
	run_add_rows(run, out->rows);
	add_events(run);
	if (out->checkpoint.len) {
		run->checkpoint =
			(struct checkpoint_row){.connection = str_of(run->connection->config->full),
				.op = str_of(run_op(run)),
				.value = out->checkpoint};
		run->has_checkpoint = true;
	}
}

/* ---- Sending ------------------------------------------------------------------------------ */

static const char *outcome_name(uint32_t outcome)
{
	static const char *const names[] = {"", "answered", "not sent", "unknown", "refused"};
	return outcome < sizeof(names) / sizeof(names[0]) ? names[outcome] : "unknown";
}

/* All that a provider has, of whomever: polls, and lists as sdk/operations has them. */
static bool lists_all(const struct run *run)
{
	return (find_op(run)->kind & 0xff) == KL_OP_POLL || strcmp(run_op(run), "bookings") == 0 ||
	       strcmp(run_op(run), "calls") == 0;
}

/* In its answer the plugin looks for what the run is about, and the rest of it is about others. A
 * vendor cannot be asked for the bookings of one number. */
static bool tells_of_others(const struct run *run)
{
	const struct transfer_request *t = &run->request;

	if (t->repeat != KL_SAFE || t->status >= 400 || waiter_records(run->runner, &run->row.id))
		return false;
	return run->step.looking || lists_all(run) ||
	       (strcmp(run_op(run), "find_booking") == 0 &&
		       !json_get_text(json_parse(run->arena, run->step.input, NULL), "uid").len);
}

/* The answer has been read. What nobody can read is kept, to see what it was. */
static void leave_out_others(struct run *run)
{
	const struct plugin_out *out = &run->call.out;

	if (out->status == PLUGIN_OK && out->next.then == KL_FAIL && out->next.fail == KL_SURPRISE)
		run->listed = 0;
	record_leave_out(run);
}

static void note_request(struct run *run)
{
	const struct transfer_request *t = &run->request;
	const struct plugin_request *asked = &run->call.out.next.request;
	size_t before = run->attempt_count;

	run->listed = 0;
	run->began_ms = t->started_ms ? t->started_ms : clock_now_ms();
	run_note(run, ATTEMPT_REQUEST, asked->label.len ? asked->label.ptr : run_op(run),
		outcome_name(t->outcome), t->body, t->answer, t->reason);
	if (run->attempt_count == before)
		return;
	run->attempts[before].method = t->method;
	run->attempts[before].url = str_of(t->url_redacted);
	run->attempts[before].status = t->status;
	run->attempts[before].took_us = (uint32_t)(t->at_us.total - t->at_us.queue);
	record_request(run);
	if (tells_of_others(run))
		run->listed = run->attempt_count;
}

static const struct plugin_response *response_of(struct run *run)
{
	const struct transfer_request *t = &run->request;
	struct plugin_response *r = &run->response;
	struct plugin_pair *headers =
		arena_alloc(run->arena, (t->answer_header_count + 1) * sizeof(*headers));

	for (size_t i = 0; headers && i < t->answer_header_count; i++) {
		headers[i].name = t->answer_headers[i].name;
		headers[i].value = t->answer_headers[i].value;
	}
	*r = (struct plugin_response){
		.outcome = t->outcome,
		.status = t->status,
		.attempts = run->row.tries + 1,
		.retry_after_ms = t->retry_after_ms,
		.reason = str_of(t->reason),
		.headers = {headers, headers ? t->answer_header_count : 0},
		.body = t->answer,
	};
	return r;
}

/* The request did not leave, or our own rules held it back: nothing happened there. */
static void not_sent(struct run *run)
{
	const struct transfer_request *t = &run->request;

	run->step.unresolved = run->step.looking;
	if (run->runner->stopping && !asks_is_read(run))
		run_cut_off(run);
	else if (t->outcome == KL_REFUSED && !t->retry_after_ms)
		run_failed(run, KL_BAD_INPUT, NULL, t->reason, 0);
	else
		run_failed(run, t->outcome == KL_REFUSED ? KL_BUSY : KL_BROKEN, NULL, t->reason,
			t->retry_after_ms);
}

/* Also who sends us elsewhere has not answered: a proxy, a page to log in. */
static bool is_no_answer(const struct transfer_request *t)
{
	return t->outcome == KL_UNKNOWN || (t->status >= 300 && t->status < 400);
}

/* An outage in the middle of a look-up says nothing about what it looks for: look again later. */
static void look_unanswered(struct run *run)
{
	const struct transfer_request *t = &run->request;
	const char *why =
		t->outcome == KL_UNKNOWN ? t->reason : "the look-up was answered with a redirect";

	record_leave_out(run);
	run->step.unresolved = true;
	run_failed(run, KL_BROKEN, NULL, why, t->retry_after_ms);
}

static void answered(struct transfer_request *t)
{
	struct run *run = t->user;

	atomic_fetch_add(&run->runner->n_requests, 1);
	note_request(run);
	if (t->repeat == KL_NEVER)
		run->declined = t->outcome == KL_ANSWERED && t->status >= 400;
	if (t->outcome == KL_NOT_SENT || t->outcome == KL_REFUSED)
		not_sent(run);
	else if (run->step.looking && is_no_answer(t))
		look_unanswered(run);
	else if (t->repeat == KL_NEVER && t->outcome == KL_UNKNOWN)
		look(run, response_of(run));
	else
		step(run, KL_RESPONSE, response_of(run));
}

static void transmit(struct run *run)
{
	run->began_us = clock_mono_us();
	transfer_submit(run->runner->transfer, &run->request);
}

static const struct plugin_credential *find_credential(const struct run *run, struct str name)
{
	const struct plugin_info *info = run->connection->config->info;

	for (size_t i = 0; i < info->credential_count; i++)
		if (str_is(name, info->credentials[i].name))
			return &info->credentials[i];
	return NULL;
}

/* A run finishes on the configuration it began with, but not on a key that was replaced since;
 * a new key is for the place it was set for. */
static const struct plan_connection *todays(const struct run *run)
{
	const struct plan_connection *then = run->connection, *now;

	if (!run->runner->plan) /* the host stops */
		return then;
	now = plan_connection(run->runner->plan, str_of(then->config->full));
	if (!now || !now->config->info || now->plugin != then->plugin ||
		!str_eq(now->base_url, then->base_url))
		return then;
	return now;
}

/* "X-Key", or "{auth_name}": the name is what the operator set for that option. */
static struct str param_of(struct arena *arena, const char *param, const struct json *options)
{
	struct str name = str_of(param);
	const char *key;

	if (name.len < 3 || name.ptr[0] != '{' || name.ptr[name.len - 1] != '}')
		return name;
	key = arena_strndup(arena, name.ptr + 1, name.len - 2);
	return key ? json_get_text(options, key) : (struct str){0};
}

/* NULL, or why the credential cannot be applied. */
static const char *apply_auth(struct run *run, struct str name)
{
	const struct plugin_credential *c = find_credential(run, name);
	const struct plan_connection *holder = todays(run);
	const struct config_secret *secret;
	const struct json *options;
	struct transfer_auth *auth = &run->request.auth;

	if (!name.len)
		return NULL;
	if (!c)
		return "the plugin names a credential that it does not declare";
	secret = config_secret(holder->config, c->secret);
	if (!secret || !secret->count)
		return arena_printf(run->arena, "option %s is not set", c->secret);
	if (holder != run->connection) { /* the secret must outlive the request */
		plan_unref(run->keys);
		run->keys = plan_ref(run->runner->plan);
	}
	run->request.lane = holder->lane; /* a lane is a credential's */
	if (c->scheme == KL_AUTH_OAUTH2)
		return "this host does not know the credential scheme oauth2 yet";
	auth->scheme = c->scheme;
	auth->secret = secret->values[0];
	options = json_parse(run->arena, holder->config->options, NULL); /* and so is its user */
	auth->param = param_of(run->arena, c->param, options);
	if (c->user)
		auth->user = json_get_text(options, c->user);
	return NULL;
}

static struct str absolute(struct run *run, struct str url)
{
	if (!url.len || url.ptr[0] != '/')
		return url;
	return str_of(arena_printf(
		run->arena, "%.*s%.*s", STR_ARG(run->connection->base_url), STR_ARG(url)));
}

static void fill_request(struct run *run, const struct plugin_request *r)
{
	struct transfer_request *t = &run->request;
	struct transfer_header *headers =
		arena_alloc(run->arena, (r->headers.count + 1) * sizeof(*headers));

	for (size_t i = 0; headers && i < r->headers.count; i++) {
		headers[i].name = r->headers.items[i].name;
		headers[i].value = r->headers.items[i].value;
	}
	memset(t, 0, sizeof(*t));
	t->lane = run->connection->lane;
	t->arena = run->arena;
	t->done = answered;
	t->user = run;
	t->repeat = r->repeat;
	t->urgent = run_urgent(run);
	t->method = r->method;
	t->url = absolute(run, r->url);
	t->headers = headers;
	t->header_count = headers ? r->headers.count : 0;
	t->content_type = r->content_type;
	t->body = r->body;
	t->allowed_hosts = run->connection->hosts;
	t->allowed_host_count = run->connection->host_count;
	t->traceparent = trace_write(run->arena, run->row.correlation);
	t->timeout_ms = r->timeout_ms ? r->timeout_ms
				      : (uint32_t)run->connection->config->limits.timeout_ms;
}

/* Of the plugin that runs now; the configuration may be older than it. */
static uint32_t state_version(const struct run *run)
{
	const struct plugin_info *info = plugin_info(run->connection->plugin);

	return info ? info->state_version : run->connection->config->info->state_version;
}

static void keep_state(struct run *run, struct str state)
{
	if (run->step.looking) {
		run->look_state = state;
		return;
	}
	run->step.state = state;
	run->step.state_version = state_version(run);
}

static void send_it(struct run *run)
{
	const struct plugin_next *next = &run->call.out.next;
	const char *problem;

	if (run->step.looking && next->request.repeat != KL_SAFE) {
		run_unknown(run,
			"the plugin wants to send something unsafe while it looks; this is a fault "
			"of the plugin");
		return;
	}
	run->step.happened |= run->row.sent && !run->step.looking && !run->declined;
	fill_request(run, &next->request);
	problem = apply_auth(run, next->request.auth);
	if (problem) {
		run->step.unresolved = run->step.looking;
		run_failed(run, KL_BAD_INPUT, NULL, problem, 0);
		return;
	}
	keep_state(run, next->state);
	if (arena_failed(run->arena)) { /* parts of the request are missing */
		run_too_big(run);
		return;
	}
	if (next->request.repeat == KL_NEVER) {
		run->row.sent = true;
		run->step.timeout_ms = run->request.timeout_ms;
		run_save(run, true, transmit);
	} else if (run->event_count || run->has_checkpoint ||
		   run->attempt_count > ATTEMPTS_MAX / 2) {
		run_save(run, true, transmit); /* a long poll keeps what it has page by page */
	} else {
		transmit(run);
	}
}

/* ---- Results ------------------------------------------------------------------------------ */

/* What a calendar of the agency finds may be of any of its offices. */
static bool is_shared(const struct run *run)
{
	return !run->connection->config->tenant && strcmp(run_op(run), "find_booking") == 0;
}

static struct str with_rows(struct run *run, struct str result)
{
	if (!result.len)
		result = STR("{}");
	if (run->row_texts)
		result = call_merge_rows(run->arena, result, run->rows, run->row_texts);
	return is_shared(run) && run->tenant ? share_result(run, result) : result;
}

static void keep_own(struct run *run)
{
	struct appointment_row *rows = run->appointments;
	size_t n = 0;

	if (!is_shared(run))
		return;
	for (size_t i = 0; i < run->appointment_count; i++)
		if (desk_serves(run->runner->desk, run->row.tenant, rows[i].event_type))
			rows[n++] = rows[i];
	run->appointment_count = n;
}

static void project(struct run *run, struct str result)
{
	const struct json *value = json_parse(run->arena, result, NULL);

	run->appointment_count = project_bookings(run->arena, &run->row,
		str_of(run->connection->config->full), value, clock_now_ms(), &run->appointments);
	keep_own(run);
	run->day_count = 0;
	if (strcmp(run_op(run), "slots") == 0)
		run->day_count =
			project_slots(run->arena, &run->row, str_of(run->connection->config->full),
				json_parse(run->arena, run->step.input, NULL), value, run->began_ms,
				&run->days);
}

static void note_step(struct run *run, const char *outcome, struct str output, const char *note)
{
	size_t before = run->attempt_count;

	run_note(run, ATTEMPT_STEP, label(run), outcome, run->step.input, output, note);
	if (run->attempt_count > before)
		record_step(run);
}

/* Without the rows of a list. */
static struct str kept_of(const struct run *run, struct str result)
{
	bool whole =
		!run->row_texts || !lists_all(run) || waiter_records(run->runner, &run->row.id);

	return whole ? result : run->call.out.next.result;
}

static void complete(struct run *run, struct str result, const char *how)
{
	bool must_keep;

	note_step(run, how, kept_of(run, result), NULL);
	unpause(run->runner, str_of(run->connection->config->full));
	project(run, result);
	if (arena_failed(run->arena)) {
		run_too_big(run);
		return;
	}
	must_keep = run->row.sent || run->event_count || run->has_checkpoint ||
		    run->appointment_count || run->day_count;
	run->row.sent = false;
	if (!run->pipeline) {
		run->last = result;
		run_end(run, JOB_DONE, NULL, NULL);
		return;
	}
	run_step_done(run, result, run_step(run)->config->name);
	if (must_keep && run_step(run))
		run_save(run, true, run_next);
	else
		run_next(run);
}

void operation_closed(struct run *run)
{
	const struct json *data = json_parse(run->arena, run->closed, NULL);
	struct str status = json_get_text(data, "status");

	run->began_us = clock_mono_us();
	run->began_ms = clock_now_ms();
	run->connection = find_connection(run);
	if (!run->connection || !run->connection->config->info) {
		operation_begin(run); /* says what is missing */
		return;
	}
	run->step.happened = false;
	if (str_is(status, "failed"))
		run_failed(run, KL_GONE, json_get_text(data, "code").ptr,
			"the provider reports that it failed", 0);
	else
		complete(run, run->closed, "done, an event told");
}

/* ---- The plugin's word -------------------------------------------------------------------- */

static void note_failure(struct run *run, const char *message)
{
	note_step(run, fail_name(run->call.out.next.fail), run->response.body, message);
}

static void failed(struct run *run)
{
	const struct plugin_next *next = &run->call.out.next;
	const char *message = next->message.len ? next->message.ptr : "the plugin gives no reason";

	note_failure(run, message);
	run->fail_code = next->code;
	run->fail_detail = next->detail;
	if (next->fail == KL_SURPRISE && run->row.sent && !run->step.looking) {
		/* an answer that nobody understands is no refusal; only that of the request itself
		 * says something about it */
		look(run, run->step.happened ? NULL : &run->response);
		return;
	}
	run_failed(run, next->fail, next->code.len ? next->code.ptr : NULL, message, next->wait_ms);
}

static void pause_here(struct run *run)
{
	const struct plugin_next *next = &run->call.out.next;

	keep_state(run, next->state);
	if (run->step.looking) { /* looked again from the beginning */
		run->step.looking = false;
		run_later(run, clock_now_ms() + next->wait_ms, "unknown", "looking again later");
		return;
	}
	run->step.waiting = true;
	run->step.happened |= run->row.sent && !run->declined;
	run_later(run, clock_now_ms() + next->wait_ms, NULL, NULL);
}

static void look_failed(struct run *run)
{
	/* BROKEN, BUSY, BAD_AUTH of the look-up itself prove nothing about what is looked up */
	const struct plugin_next *next = &run->call.out.next;
	const char *message = next->message.len ? next->message.ptr : "the look-up failed";

	note_failure(run, message);
	run->step.unresolved = true;
	run_failed(run, next->fail, next->code.len ? next->code.ptr : NULL, message, next->wait_ms);
}

static void follow(struct run *run)
{
	const struct plugin_next *next = &run->call.out.next;

	run->step.waiting = false;
	switch (next->then) {
	case KL_DONE:
		complete(run, with_rows(run, next->result),
			run->step.looking ? "done, looked up" : "done");
		break;
	case KL_SEND:
		send_it(run);
		break;
	case KL_WAIT:
		pause_here(run);
		break;
	case KL_FAIL:
		/* only the first answer to KL_LOOKUP judges the lost request's own response, if
		 * there was one: after a crash nothing proves that it did not happen */
		if (run->step.looking &&
			(run->call.in.step.why != KL_LOOKUP || !run->call.in.step.response))
			look_failed(run);
		else
			failed(run);
		break;
	case KL_ABSENT:
		note_step(run, "absent", STR(""), NULL);
		run_absent(run);
		break;
	default:
		run_unknown(run, next->message.len ? next->message.ptr : NULL);
	}
}

static void stepped(struct plugin_call *c)
{
	struct run *run = c->user;

	run->step.number++;
	leave_out_others(run);
	if (c->out.status == PLUGIN_DIED || c->out.status == PLUGIN_TIMEOUT) {
		run_died(run);
	} else if (run_not_taken(run)) {
		return;
	} else if (c->out.status != PLUGIN_OK) {
		if (run->row.sent)
			run_unknown(run, c->out.error.text);
		else
			run_failed(run, KL_SURPRISE, NULL, c->out.error.text, 0);
	} else {
		take_effects(run);
		if (arena_failed(run->arena))
			run_too_big(run);
		else
			follow(run);
	}
}

/* False: it cannot be read, and the run goes on later. Not knowing it is not the same as there
 * being none: the poll would begin from nothing. */
static bool read_checkpoint(struct run *run, struct str *value)
{
	struct error error = {0};
	int err;

	if (run->has_checkpoint) {
		*value = run->checkpoint.value;
		return true;
	}
	if ((find_op(run)->kind & 0xff) != KL_OP_POLL)
		return true;
	err = store_get_checkpoint(&error, run->runner->reader,
		str_of(run->connection->config->full), str_of(run_op(run)), run->arena, value);
	if (err == 0 || err == E_NOTFOUND)
		return true;
	if (!run_lacks_memory(run, &error))
		run_later(run, clock_now_ms() + STORE_MS, "store",
			arena_printf(run->arena, "%s", error.text));
	return false;
}

static void step(struct run *run, uint32_t why, const struct plugin_response *response)
{
	struct plugin_call *c = &run->call;
	struct str checkpoint = {0};

	if (!read_checkpoint(run, &checkpoint))
		return;
	memset(c, 0, sizeof(*c));
	c->plugin = run->connection->plugin;
	c->config = run->connection->options;
	c->in.kind = PLUGIN_STEP;
	c->in.attempt = run->row.tries + 1;
	c->in.now_ms = clock_now_ms();
	if (why == KL_START)
		record_begin(run, c->in.now_ms, checkpoint);
	memcpy(&c->in.seed, run->row.id.b + 8, sizeof(c->in.seed));
	c->in.run = run->row.key;
	c->in.step = (struct plugin_step_in){
		.why = why,
		.step = run->step.number,
		.state_version = why == KL_START || (run->step.looking && why != KL_LOOKUP)
					 ? state_version(run)
					 : run->step.state_version,
		.looking = run->step.looking,
		.op = str_of(run_op(run)),
		.input = run->step.input,
		.state = why == KL_START     ? (struct str){0}
			 : run->step.looking ? run->look_state
					     : run->step.state,
		.checkpoint = checkpoint,
		.response = response,
		.key = run->row.key,
	};
	c->timeout_ms = (unsigned)run->connection->config->worker.call_timeout_ms;
	c->urgent = run_urgent(run);
	c->arena = run->arena;
	c->done = stepped;
	c->user = run;
	plugin_submit(c);
}
