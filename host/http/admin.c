/* admin.c - the verbs of admin.h over the store and the runner. Any thread; keeps nothing. */
#include "http/admin.h"

#include <assert.h>
#include <string.h>
#include <strings.h>
#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "config/config.h"
#include "http/admin_i.h"
#include "http/rows.h"
#include "pipeline/care.h"
#include "pipeline/runner.h"

#define CALL_MS 60000
#define GAPS_SINCE_MS ((int64_t)48 * 3600 * 1000)
#define RUNNING_MS ((int64_t)4 * 3600 * 1000) /* longer than any call; its end was lost */

int admin_reader(struct ask *q)
{
	if (q->reader)
		return 0;
	return store_reader_open(&q->error, &q->reader, q->admin->state);
}

static struct str tenant_of(const struct ask *q)
{
	return q->admin->tenant ? str_of(q->admin->tenant) : json_get_text(q->request, "tenant");
}

/* ---- Lists -------------------------------------------------------------------------------- */

/* "24h", "30m", "7d": that long ago. Otherwise an instant. */
static bool parse_since(struct str text, int64_t *ms)
{
	int64_t n = 0, unit;
	size_t i = 0;

	if (clock_parse(text, NULL, ms))
		return true;
	for (; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9' && n < 1000000; i++)
		n = n * 10 + (text.ptr[i] - '0');
	if (i == 0 || i + 1 != text.len)
		return false;
	switch (text.ptr[i]) {
	case 's':
		unit = 1000;
		break;
	case 'm':
		unit = 60000;
		break;
	case 'h':
		unit = 3600000;
		break;
	case 'd':
		unit = 86400000;
		break;
	default:
		return false;
	}
	*ms = clock_now_ms() - n * unit;
	return true;
}

static int read_time(struct ask *q, const char *key, int64_t *ms)
{
	struct str text = json_get_text(q->request, key);

	if (!text.len || parse_since(text, ms))
		return 0;
	return error_set(&q->error, E_INVALID,
		"%s is neither an instant (2026-11-24T09:00:00Z) nor a time ago (30m, 24h, 7d)",
		key);
}

/* A number, or a number as text: that is how it comes in a URL. */
static int read_limit(struct ask *q, size_t *limit)
{
	const struct json *value = json_get(q->request, "limit");
	int64_t n;

	*limit = 0;
	if (!value)
		return 0;
	if (json_type(value) == JSON_TEXT)
		value = json_of_number(q->arena, json_text(value));
	n = json_i64(value, 0);
	if (n < 1)
		return error_set(&q->error, E_INVALID, "limit is not a whole number above 0");
	*limit = (size_t)n;
	return 0;
}

static int read_states(struct ask *q, uint32_t *states)
{
	struct str words = json_get_text(q->request, "state");
	bool inbox = str_is(json_get_text(q->request, "verb"), "inbox");

	*states = 0;
	if (!words.len)
		return 0;
	*states = inbox ? rows_inbox_states(words) : rows_job_states(words);
	if (*states)
		return 0;
	return error_set(&q->error, E_INVALID, "no such state; there are %s",
		inbox ? "new, done, parked and ignored"
		      : "ready, queued, waiting, parked, dead, done and dropped");
}

/* The bare name of a connection, if it is said whose. */
static struct str full_name(struct ask *q, struct str tenant, struct str name)
{
	if (!name.len || !tenant.len || memchr(name.ptr, '/', name.len))
		return name;
	return str_of(arena_printf(q->arena, "%.*s/%.*s", STR_ARG(tenant), STR_ARG(name)));
}

static int read_filter(struct ask *q, struct store_filter *f)
{
	struct str before = json_get_text(q->request, "before");

	memset(f, 0, sizeof(*f));
	f->tenant = tenant_of(q);
	f->connection = full_name(q, f->tenant, json_get_text(q->request, "connection"));
	f->type = json_get_text(q->request, "type");
	f->subject = json_get_text(q->request, "subject");
	f->correlation = json_get_text(q->request, "correlation");
	f->pipeline = json_get_text(q->request, "pipeline");
	if (read_limit(q, &f->limit) < 0 || read_states(q, &f->states) < 0)
		return q->error.code;
	if (before.len && !id_parse(&f->before, before))
		return error_set(&q->error, E_INVALID, "before is not a whole id");
	if (read_time(q, "since", &f->since_ms) < 0)
		return q->error.code;
	return read_time(q, "until", &f->until_ms);
}

static struct json *rows_object(struct ask *q, struct json *list)
{
	struct json *o = json_object(q->arena);
	json_put(q->arena, o, "rows", list);
	return o;
}

#define LIST(name, row_type, list, one)                                                            \
	static const struct json *name(struct ask *q)                                              \
	{                                                                                          \
		struct json *out = json_array(q->arena);                                           \
		struct store_filter f;                                                             \
		row_type *rows;                                                                    \
		size_t count;                                                                      \
		if (read_filter(q, &f) < 0 || admin_reader(q) < 0 ||                               \
			list(&q->error, q->reader, &f, q->arena, &rows, &count) < 0)               \
			return NULL;                                                               \
		for (size_t i = 0; i < count; i++)                                                 \
			json_push(q->arena, out, one);                                             \
		return rows_object(q, out);                                                        \
	}

LIST(events, struct event_row, store_list_events, rows_event(q->arena, &rows[i]))
LIST(jobs, struct job_row, store_list_jobs, rows_job(q->arena, &rows[i]))
LIST(inbox, struct inbox_row, store_list_inbox, rows_inbox(q->arena, &rows[i], false))
LIST(calls, struct call_row, store_list_calls, rows_call(q->arena, &rows[i]))
LIST(appointments, struct appointment_row, store_list_appointments,
	rows_appointment(q->arena, &rows[i]))

/* The place first: what happens meanwhile is told by the stream, at worst again. */
static const struct json *running(struct ask *q)
{
	struct json *list = json_array(q->arena), *o;
	char after[ID_TEXT];
	struct call_row *rows;
	struct id last;
	size_t count;

	if (admin_reader(q) < 0 || store_live_last(&q->error, q->reader, tenant_of(q), &last) < 0 ||
		store_list_running(&q->error, q->reader, tenant_of(q), clock_now_ms() - RUNNING_MS,
			q->arena, &rows, &count) < 0)
		return NULL;
	for (size_t i = 0; i < count; i++)
		json_push(q->arena, list, rows_call(q->arena, &rows[i]));
	o = rows_object(q, list);
	id_text(after, &last);
	if (!id_is_zero(&last))
		json_put_text(q->arena, o, "after", str_of(after));
	return o;
}

/* What needs a person, in one shape: jobs that are parked or dead, webhooks nobody could read. */

static struct json *dead_row(
	struct ask *q, struct json *from, const char *kind, struct str what, const char *changed)
{
	static const char *const members[] = {"id", "state", "tenant", "fail", "reason", "advice",
		"subject", "event", "correlation"};
	struct json *o = json_object(q->arena);

	json_put_text(q->arena, o, "kind", str_of(kind));
	json_put_text(q->arena, o, "updated", json_get_text(from, changed));
	json_put_text(q->arena, o, "what", what);
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (json_get(from, members[i]))
			json_put_text(q->arena, o, members[i], json_get_text(from, members[i]));
	return o;
}

static struct json *dead_job(struct ask *q, const struct job_row *row)
{
	struct str what = row->pipeline;

	if (!what.len)
		what = str_of(arena_printf(
			q->arena, "%.*s.%.*s", STR_ARG(row->connection), STR_ARG(row->op)));
	return dead_row(q, rows_job(q->arena, row), "job", what, "updated");
}

static struct json *dead_hook(struct ask *q, const struct inbox_row *row)
{
	struct str what = str_of(arena_printf(q->arena, "webhook of %.*s%s%.*s",
		STR_ARG(row->connection), row->route.len ? "/" : "", STR_ARG(row->route)));
	return dead_row(q, rows_inbox(q->arena, row, false), "webhook", what, "received");
}

static int dead_hooks(struct ask *q, struct store_filter *f, struct json *out)
{
	struct inbox_row *rows;
	size_t count;

	if ((f->states && !(f->states & UINT32_C(1) << JOB_PARKED)) || f->pipeline.len)
		return 0;
	f->states = UINT32_C(1) << INBOX_PARKED;
	if (store_list_inbox(&q->error, q->reader, f, q->arena, &rows, &count) < 0)
		return q->error.code;
	for (size_t i = 0; i < count; i++)
		json_push(q->arena, out, dead_hook(q, &rows[i]));
	return 0;
}

static const struct json *dead(struct ask *q)
{
	struct json *out = json_array(q->arena);
	struct store_filter f, jobs;
	struct job_row *rows;
	size_t count;

	if (read_filter(q, &f) < 0 || admin_reader(q) < 0 || dead_hooks(q, &f, out) < 0)
		return NULL;
	if (read_filter(q, &jobs) < 0)
		return NULL;
	if (!jobs.states)
		jobs.states = UINT32_C(1) << JOB_PARKED | UINT32_C(1) << JOB_DEAD;
	if (store_list_jobs(&q->error, q->reader, &jobs, q->arena, &rows, &count) < 0)
		return NULL;
	for (size_t i = 0; i < count && (!jobs.limit || json_count(out) < jobs.limit); i++)
		json_push(q->arena, out, dead_job(q, &rows[i]));
	return rows_object(q, out);
}

static int read_story(struct ask *q, struct story *story)
{
	struct str id = json_get_text(q->request, "id");

	memset(story, 0, sizeof(*story));
	if (!id.len)
		return error_set(&q->error, E_INVALID, "say which: the id is missing");
	if (admin_reader(q) < 0)
		return q->error.code;
	return store_story(&q->error, q->reader, id, tenant_of(q), q->arena, story);
}

static const struct json *show(struct ask *q)
{
	bool exact = json_get(q->request, "exact") != NULL && !q->admin->tenant;
	struct story story;

	return read_story(q, &story) < 0 ? NULL : rows_story(q->arena, &story, exact);
}

/* ---- Decisions ---------------------------------------------------------------------------- */

static void over(struct store_op *op)
{
	latch_open(op->user);
}

void admin_begin_wait(struct latch *latch, struct store_op *op)
{
	latch_init(latch);
	op->done = over;
	op->user = latch;
}

int admin_end_wait(struct ask *q, struct latch *latch, struct store_op *op)
{
	latch_wait(latch);
	if (op->result < 0)
		q->error = op->error;
	else if (q->admin->runner)
		runner_nudge(q->admin->runner);
	return op->result;
}

/* An id, or a piece of one that is long enough for the store to have found it by. */
static bool names(struct str text, const struct id *id)
{
	char full[ID_TEXT];
	size_t n = ID_TEXT - 1;

	id_text(full, id);
	if (text.len < 8 || text.len > n)
		return false;
	return strncasecmp(full, text.ptr, text.len) == 0 ||
	       strncasecmp(full + n - text.len, text.ptr, text.len) == 0;
}

struct patient { /* what a decision is about */
	const struct job_row *job;
	const struct inbox_row *inbox; /* one of the two */
	bool named;
	size_t count;
};

static void consider(struct patient *p, struct str text, const struct job_row *job,
	const struct inbox_row *inbox, bool sick)
{
	bool named = names(text, job ? &job->id : &inbox->id);

	if (p->named || (!named && !sick))
		return;
	p->named = named;
	p->count = named ? 1 : p->count + 1;
	p->job = job;
	p->inbox = inbox;
}

/* What the id names by itself or, if it names a call, a booking, an event, the one thing of it that
 * is dead or parked. */
static int find_patient(struct ask *q, struct patient *p)
{
	struct str text = json_get_text(q->request, "id");
	struct story story;

	memset(p, 0, sizeof(*p));
	if (read_story(q, &story) < 0)
		return q->error.code;
	for (size_t i = 0; i < story.job_count; i++)
		consider(p, text, &story.jobs[i], NULL,
			story.jobs[i].state == JOB_PARKED || story.jobs[i].state == JOB_DEAD);
	for (size_t i = 0; i < story.inbox_count; i++)
		consider(p, text, NULL, &story.inbox[i], story.inbox[i].state == INBOX_PARKED);
	if (p->count == 1)
		return 0;
	return p->count ? error_set(&q->error, E_CONFLICT,
				  "more than one thing of %.*s is dead or parked; name the job or "
				  "the webhook: klinke show %.*s",
				  STR_ARG(text), STR_ARG(text))
			: error_set(&q->error, E_NOTFOUND,
				  "nothing that is dead or parked belongs to %.*s", STR_ARG(text));
}

static const struct json *decided(struct ask *q, const char *what, const struct id *id)
{
	struct json *o = json_object(q->arena);
	char text[ID_TEXT];

	id_text(text, id);
	json_put_text(q->arena, o, what, str_of(text));
	return o;
}

static const struct json *decide_job(struct ask *q, const struct id *id, enum job_verdict verdict)
{
	struct store_decide_job op = {
		.job = *id, .verdict = verdict, .reason = json_get_text(q->request, "reason")};
	struct latch latch;

	admin_begin_wait(&latch, &op.op);
	store_decide_job(q->admin->store, &op);
	return admin_end_wait(q, &latch, &op.op) < 0 ? NULL : decided(q, "job", id);
}

static const struct json *decide_hook(struct ask *q, const struct id *id, bool drop)
{
	struct store_replay_inbox op = {
		.inbox = *id, .drop = drop, .reason = json_get_text(q->request, "reason")};
	struct latch latch;

	admin_begin_wait(&latch, &op.op);
	store_replay_inbox(q->admin->store, &op);
	return admin_end_wait(q, &latch, &op.op) < 0 ? NULL : decided(q, "inbox", id);
}

static const struct json *decide(struct ask *q, enum job_verdict verdict)
{
	struct patient p;

	if (find_patient(q, &p) < 0)
		return NULL;
	assert(p.job || p.inbox);
	return p.job ? decide_job(q, &p.job->id, verdict)
		     : decide_hook(q, &p.inbox->id, verdict == VERDICT_DROP);
}

static bool wants_resend(const struct json *request)
{
	const struct json *resend = json_get(request, "resend");
	return json_bool(resend, false) || str_is(json_text(resend), "true");
}

static const struct json *retry(struct ask *q)
{
	return decide(q, wants_resend(q->request) ? VERDICT_RESEND : VERDICT_RETRY);
}

static const struct json *drop(struct ask *q)
{
	return decide(q, VERDICT_DROP);
}

/* The webhook that is named, or that an event or a job of this id came from; else the only one. */
static const struct inbox_row *find_hook(const struct story *story, struct str text)
{
	struct id event = {{0}}, inbox = {{0}};

	for (size_t i = 0; i < story->job_count; i++)
		if (names(text, &story->jobs[i].id))
			event = story->jobs[i].event;
	for (size_t i = 0; i < story->event_count; i++)
		if (names(text, &story->events[i].id) ||
			memcmp(&event, &story->events[i].id, sizeof(event)) == 0)
			inbox = story->events[i].inbox;
	for (size_t i = 0; i < story->inbox_count; i++)
		if (names(text, &story->inbox[i].id) ||
			memcmp(&inbox, &story->inbox[i].id, sizeof(inbox)) == 0)
			return &story->inbox[i];
	return story->inbox_count == 1 ? &story->inbox[0] : NULL;
}

static const struct json *would_replay(struct ask *q, const struct inbox_row *hook)
{
	struct json *list = json_array(q->arena);
	json_push(q->arena, list, rows_inbox(q->arena, hook, false));
	return rows_object(q, list);
}

static const struct json *replay(struct ask *q)
{
	struct str text = json_get_text(q->request, "id");
	const struct inbox_row *hook;
	struct story story;

	if (read_story(q, &story) < 0)
		return NULL;
	hook = find_hook(&story, text);
	if (hook && json_get(q->request, "dry-run"))
		return would_replay(q, hook);
	if (hook)
		return decide_hook(q, &hook->id, false);
	if (story.inbox_count)
		error_set(&q->error, E_CONFLICT,
			"%zu webhooks belong to it; name one of them: klinke show %.*s --json",
			story.inbox_count, STR_ARG(text));
	else
		error_set(&q->error, E_NOTFOUND,
			"no webhook belongs to it, so there is nothing to replay; "
			"klinke dead retry runs a failed job again");
	return NULL;
}

/* ---- Operations and state ----------------------------------------------------------------- */

static const struct json *call(struct ask *q)
{
	struct str target = json_get_text(q->request, "target"), result;
	const struct json *input = json_get(q->request, "input");
	const struct runner_wait wait = {
		.timeout_ms = (uint32_t)json_i64(json_get(q->request, "timeout_ms"), CALL_MS),
		.record = json_bool(json_get(q->request, "record"), false),
		.peer = q->admin->peer};
	size_t dot = target.len;

	while (dot > 0 && target.ptr[dot - 1] != '.')
		dot--;
	if (dot < 2) {
		error_set(&q->error, E_INVALID, "say what to call: TENANT/CONNECTION.OPERATION");
		return NULL;
	}
	if (!q->admin->runner) {
		error_set(&q->error, E_CLOSED, "no host is running here to call anything");
		return NULL;
	}
	if (runner_run(&q->error, q->admin->runner, (struct str){target.ptr, dot - 1},
		    (struct str){target.ptr + dot, target.len - dot},
		    input ? json_print(q->arena, input) : STR("{}"), &wait, q->arena, &result) < 0)
		return NULL;
	return json_parse(q->arena, result, &q->error);
}

bool admin_next_means(struct str *rest, struct admin_means *out)
{
	const char *end, *colon;
	struct str line;

	if (!rest->len)
		return false;
	end = memchr(rest->ptr, '\n', rest->len);
	line = (struct str){rest->ptr, end ? (size_t)(end - rest->ptr) : rest->len};
	rest->ptr += line.len + (end != NULL);
	rest->len -= line.len + (end != NULL);
	colon = memchr(line.ptr, ':', line.len);
	if (!colon || line.ptr + line.len - colon < 2)
		return false;
	out->name = (struct str){line.ptr, (size_t)(colon - line.ptr)};
	out->why = (struct str){colon + 2, (size_t)(line.ptr + line.len - colon) - 2};
	out->there = str_is(out->why, "yes");
	return true;
}

static void put_sandbox(struct ask *q, struct json *status)
{
	struct str rest = str_of(q->admin->sandbox);
	struct json *o = json_object(q->arena);
	struct admin_means means;

	while (admin_next_means(&rest, &means))
		json_set(q->arena, o, means.name, json_of_text(q->arena, means.why));
	if (json_count(o))
		json_put(q->arena, status, "sandbox", o);
}

static struct json *troubles(struct ask *q)
{
	struct json *list = json_array(q->arena);

	runner_troubles(q->admin->runner, q->arena, list);
	return list;
}

static const struct json *status(struct ask *q)
{
	struct json *o = json_object(q->arena), *jobs = json_object(q->arena);
	struct store_counts c;

	if (admin_reader(q) < 0 || store_count(&q->error, q->reader, &c) < 0)
		return NULL;
	json_put_text(q->arena, o, "version", str_of(KLINKE_VERSION));
	json_put_bool(q->arena, o, "running", q->admin->runner != NULL);
	json_put_i64(q->arena, o, "events", (int64_t)c.events);
	json_put_i64(q->arena, o, "webhooks_waiting", (int64_t)c.inbox_new);
	json_put_i64(q->arena, o, "webhooks_parked", (int64_t)c.inbox_parked);
	for (int s = JOB_READY; s <= JOB_DROPPED; s++)
		json_put_i64(q->arena, jobs, rows_job_state((enum job_state)s), (int64_t)c.jobs[s]);
	json_put(q->arena, o, "jobs", jobs);
	put_sandbox(q, o);
	if (q->admin->runner) {
		struct runner_stats r;
		runner_stats(q->admin->runner, &r);
		json_put_i64(q->arena, o, "generation", (int64_t)r.generation);
		json_put(q->arena, o, "troubles", troubles(q));
	}
	return o;
}

static const struct json *plugins(struct ask *q)
{
	struct json *list = json_array(q->arena);

	if (q->admin->runner)
		runner_plugins(q->admin->runner, q->arena, list);
	return rows_object(q, list);
}

static const struct json *reload(struct ask *q)
{
	if (!q->admin->reload) {
		error_set(&q->error, E_CLOSED, "no host is running here that could reload");
		return NULL;
	}
	return q->admin->reload(q->admin->user, &q->error) < 0 ? NULL : status(q);
}

/* ---- Care ---------------------------------------------------------------------------------- */

static const struct json *receipt(struct ask *q)
{
	const struct config *config = q->admin->runner ? runner_config(q->admin->runner) : NULL;
	struct receipt_ask ask = {tenant_of(q), json_get_text(q->request, "day")};
	struct json *list = json_array(q->arena);
	int err = admin_reader(q);

	if (!err)
		err = receipts_list(&q->error, config, q->reader, &ask, q->arena, list);
	config_unref(config);
	return err ? NULL : rows_object(q, list);
}

static const struct json *gaps(struct ask *q)
{
	const struct json *fetch = json_get(q->request, "fetch");
	struct gaps_ask ask = {.tenant = tenant_of(q),
		.since_ms = clock_now_ms() - GAPS_SINCE_MS,
		.fetch = fetch && !str_is(json_text(fetch), "false")};
	struct json *out = NULL;

	if (read_time(q, "since", &ask.since_ms) < 0)
		return NULL;
	if (!q->admin->runner) {
		error_set(&q->error, E_CLOSED, "no host is running here that could ask vendors");
		return NULL;
	}
	return gaps_find(&q->error, q->admin->runner, &ask, q->arena, &out) < 0 ? NULL : out;
}

/* ---- Dispatch ----------------------------------------------------------------------------- */

static const struct verb {
	const char *name;
	const struct json *(*answer)(struct ask *q);
	bool changes;
	bool everything; /* not for somebody who may see one tenant only */
} verbs[] = {
	{"events", events, false, false}, {"jobs", jobs, false, false},
	{"inbox", inbox, false, false}, {"calls", calls, false, false},
	{"running", running, false, false}, {"appointments", appointments, false, false},
	{"dead", dead, false, false}, {"show", show, false, false}, {"retry", retry, true, false},
	{"drop", drop, true, false}, {"replay", replay, true, false}, {"call", call, true, true},
	{"receipt", receipt, false, false}, {"gaps", gaps, true, true},
	{"status", status, false, true}, {"plugins", plugins, false, true},
	{"reload", reload, true, true}, {"forget", privacy_forget, true, true},
	{"export", privacy_export, true, true}, /* POST: a person has no place in a URL */
};

static const struct verb *verb_find(struct str name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (str_is(name, verbs[i].name))
			return &verbs[i];
	return NULL;
}

bool admin_changes(struct str name)
{
	const struct verb *verb = verb_find(name);
	return verb && verb->changes;
}

const struct json *admin_verbs(struct arena *arena)
{
	struct json *list = json_array(arena);

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		struct json *o = json_object(arena);
		json_put_text(arena, o, "verb", str_of(verbs[i].name));
		json_put_bool(arena, o, "changes", verbs[i].changes);
		json_put_text(
			arena, o, "for", verbs[i].everything ? STR("operator") : STR("offices"));
		json_push(arena, list, o);
	}
	return list;
}

/* For an office another's name is like one that there is not. */
static bool asks_elsewhere(struct ask *q)
{
	struct str asked = json_get_text(q->request, "tenant");

	if (!q->admin->tenant || !asked.len || str_is(asked, q->admin->tenant))
		return false;
	error_set(&q->error, E_NOTFOUND, "there is no such tenant");
	return true;
}

static const struct json *dispatch(struct ask *q)
{
	struct str name = json_get_text(q->request, "verb");
	const struct verb *verb = verb_find(name);

	if (!verb)
		error_set(&q->error, E_INVALID, "there is no verb %.*s", STR_ARG(name));
	else if (verb->everything && q->admin->tenant)
		error_set(&q->error, E_DENIED, "%s is for the operator of this host", verb->name);
	else if (!asks_elsewhere(q))
		return verb->answer(q);
	return NULL;
}

static const struct json *error_object(struct ask *q)
{
	struct json *o = json_object(q->arena), *e = json_object(q->arena);

	json_put_text(q->arena, e, "code", str_of(error_name(q->error.code)));
	json_put_text(q->arena, e, "text", str_of(q->error.text));
	if (q->error.place[0])
		json_put_text(q->arena, e, "place", str_of(q->error.place));
	json_put(q->arena, o, "error", e);
	return o;
}

const struct json *admin_answer(const struct admin *admin, struct arena *arena, struct str request)
{
	struct ask q = {.admin = admin, .arena = arena};
	const struct json *answer = NULL;

	q.request = json_parse(arena, request, &q.error);
	if (q.request)
		answer = dispatch(&q);
	if (!answer)
		answer = error_object(&q);
	store_reader_close(q.reader);
	return answer;
}
