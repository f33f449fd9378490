/* admin.c - the verbs of admin.h over the store and the runner. Any thread; keeps nothing. */
#include "http/admin.h"

#include <pthread.h>
#include <string.h>
#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "http/rows.h"
#include "pipeline/runner.h"

#define CALL_MS 60000

struct ask {
	const struct admin *admin;
	struct arena *arena;
	const struct json *request;
	struct store_reader *reader;
	struct error error;
};

static int reader_of(struct ask *q)
{
	if (q->reader)
		return 0;
	return store_reader_open(&q->error, &q->reader, q->admin->state);
}

static struct str tenant_of(const struct ask *q)
{
	return q->admin->tenant ? str_of(q->admin->tenant) : json_get_text(q->request, "tenant");
}

/* ---- Lists
 * -------------------------------------------------------------------------------------------- */

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

static int read_filter(struct ask *q, struct store_filter *f)
{
	struct str before = json_get_text(q->request, "before");
	struct str states = json_get_text(q->request, "state");

	memset(f, 0, sizeof(*f));
	f->tenant = tenant_of(q);
	f->connection = json_get_text(q->request, "connection");
	f->type = json_get_text(q->request, "type");
	f->subject = json_get_text(q->request, "subject");
	f->correlation = json_get_text(q->request, "correlation");
	f->pipeline = json_get_text(q->request, "pipeline");
	if (read_limit(q, &f->limit) < 0)
		return q->error.code;
	if (states.len && !(f->states = rows_job_states(states)))
		return error_set(&q->error, E_INVALID,
			"no such state; there are ready, queued, waiting, "
			"parked, dead, done and dropped");
	if (before.len && !id_parse(&f->before, before))
		return error_set(&q->error, E_INVALID, "before is not an id");
	if (read_time(q, "since", &f->since_ms) < 0)
		return q->error.code;
	return read_time(q, "until", &f->until_ms);
}

static const struct json *rows_object(struct ask *q, struct json *list)
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
		if (read_filter(q, &f) < 0 || reader_of(q) < 0 ||                                  \
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

static int read_story(struct ask *q, struct story *story)
{
	struct str id = json_get_text(q->request, "id");

	if (!id.len)
		return error_set(&q->error, E_INVALID, "say which: the id is missing");
	if (reader_of(q) < 0)
		return q->error.code;
	return store_story(&q->error, q->reader, id, tenant_of(q), q->arena, story);
}

static const struct json *show(struct ask *q)
{
	struct story story;
	return read_story(q, &story) < 0 ? NULL : rows_story(q->arena, &story);
}

/* ---- Decisions
 * ------------------------------------------------------------------------------------------ */

struct waited {
	pthread_mutex_t lock;
	pthread_cond_t done;
	bool over;
};

static void over(struct store_op *op)
{
	struct waited *w = op->user;

	pthread_mutex_lock(&w->lock);
	w->over = true;
	pthread_cond_signal(&w->done);
	pthread_mutex_unlock(&w->lock);
}

static void begin_wait(struct waited *w, struct store_op *op)
{
	memset(w, 0, sizeof(*w));
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->done, NULL);
	op->done = over;
	op->user = w;
}

static int end_wait(struct ask *q, struct waited *w, struct store_op *op)
{
	pthread_mutex_lock(&w->lock);
	while (!w->over)
		pthread_cond_wait(&w->done, &w->lock);
	pthread_mutex_unlock(&w->lock);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->done);
	if (op->result < 0)
		q->error = op->error;
	else if (q->admin->runner)
		runner_nudge(q->admin->runner);
	return op->result;
}

/* The job that the id names, by itself or by what it belongs to, if that is one job. */
static int find_job(struct ask *q, struct id *id)
{
	struct str text = json_get_text(q->request, "id");
	const struct job_row *found = NULL;
	struct story story;

	if (read_story(q, &story) < 0)
		return q->error.code;
	for (size_t i = 0; i < story.job_count; i++) {
		const struct job_row *job = &story.jobs[i];
		char full[ID_TEXT];
		id_text(full, &job->id);
		if (strncmp(full, text.ptr, text.len) == 0) {
			*id = job->id;
			return 0;
		}
		if (job->state != JOB_PARKED && job->state != JOB_DEAD)
			continue;
		if (found)
			return error_set(&q->error, E_CONFLICT,
				"more than one job of %.*s is dead or "
				"parked; name the job",
				STR_ARG(text));
		found = job;
	}
	if (!found)
		return error_set(&q->error, E_NOTFOUND, "no dead or parked job belongs to %.*s",
			STR_ARG(text));
	*id = found->id;
	return 0;
}

static const struct json *decide(struct ask *q, enum job_verdict verdict)
{
	struct store_decide_job op = {
		.verdict = verdict, .reason = json_get_text(q->request, "reason")};
	struct json *o = json_object(q->arena);
	struct waited w;
	char id[ID_TEXT];

	if (find_job(q, &op.job) < 0)
		return NULL;
	begin_wait(&w, &op.op);
	store_decide_job(q->admin->store, &op);
	if (end_wait(q, &w, &op.op) < 0)
		return NULL;
	id_text(id, &op.job);
	json_put_text(q->arena, o, "job", str_of(id));
	return o;
}

static const struct json *retry(struct ask *q)
{
	return decide(q,
		json_bool(json_get(q->request, "resend"), false) ? VERDICT_RESEND : VERDICT_RETRY);
}

static const struct json *drop(struct ask *q)
{
	return decide(q, VERDICT_DROP);
}

static const struct json *replay(struct ask *q)
{
	struct store_replay_inbox op = {0};
	struct json *o = json_object(q->arena);
	struct story story;
	struct waited w;
	char id[ID_TEXT];

	if (read_story(q, &story) < 0)
		return NULL;
	if (story.inbox_count == 0) {
		error_set(&q->error, E_NOTFOUND,
			"no webhook belongs to it, so there is nothing to replay; "
			"klinke dead retry runs a failed job again");
		return NULL;
	}
	op.inbox = story.inbox[0].id;
	begin_wait(&w, &op.op);
	store_replay_inbox(q->admin->store, &op);
	if (end_wait(q, &w, &op.op) < 0)
		return NULL;
	id_text(id, &op.inbox);
	json_put_text(q->arena, o, "inbox", str_of(id));
	return o;
}

/* ---- Operations and state
 * ----------------------------------------------------------------------------------- */

static const struct json *call(struct ask *q)
{
	struct str target = json_get_text(q->request, "target"), result;
	const struct json *input = json_get(q->request, "input");
	size_t dot = target.len;

	while (dot > 0 && target.ptr[dot - 1] != '.')
		dot--;
	if (dot < 2) {
		error_set(&q->error, E_INVALID, "say what to call: TENANT/CONNECTION.OPERATION");
		return NULL;
	}
	if (!q->admin->runner) {
		error_set(&q->error, E_BUSY, "no host is running here to call anything");
		return NULL;
	}
	if (runner_run(&q->error, q->admin->runner, (struct str){target.ptr, dot - 1},
		    (struct str){target.ptr + dot, target.len - dot},
		    input ? json_print(q->arena, input) : STR("{}"),
		    (uint32_t)json_i64(json_get(q->request, "timeout_ms"), CALL_MS), q->arena,
		    &result) < 0)
		return NULL;
	return json_parse(q->arena, result, &q->error);
}

static const struct json *status(struct ask *q)
{
	struct json *o = json_object(q->arena), *jobs = json_object(q->arena);
	struct store_counts c;

	if (reader_of(q) < 0 || store_count(&q->error, q->reader, &c) < 0)
		return NULL;
	json_put_text(q->arena, o, "version", str_of(KLINKE_VERSION));
	json_put_bool(q->arena, o, "running", q->admin->runner != NULL);
	json_put_i64(q->arena, o, "events", (int64_t)c.events);
	json_put_i64(q->arena, o, "webhooks_waiting", (int64_t)c.inbox_new);
	json_put_i64(q->arena, o, "webhooks_parked", (int64_t)c.inbox_parked);
	for (int s = JOB_READY; s <= JOB_DROPPED; s++)
		json_put_i64(q->arena, jobs, rows_job_state((enum job_state)s), (int64_t)c.jobs[s]);
	json_put(q->arena, o, "jobs", jobs);
	if (q->admin->runner) {
		struct runner_stats r;
		runner_stats(q->admin->runner, &r);
		json_put_i64(q->arena, o, "generation", (int64_t)r.generation);
	}
	return o;
}

static const struct json *reload(struct ask *q)
{
	if (!q->admin->reload) {
		error_set(&q->error, E_BUSY, "no host is running here that could reload");
		return NULL;
	}
	return q->admin->reload(q->admin->user, &q->error) < 0 ? NULL : status(q);
}

/* ---- Dispatch
 * ----------------------------------------------------------------------------------------------------
 */

static const struct {
	const char *name;
	const struct json *(*answer)(struct ask *q);
	bool everything; /* not for somebody who may see one tenant only */
} verbs[] = {
	{"events", events, false},
	{"jobs", jobs, false},
	{"inbox", inbox, false},
	{"calls", calls, false},
	{"appointments", appointments, false},
	{"show", show, false},
	{"retry", retry, false},
	{"drop", drop, false},
	{"replay", replay, false},
	{"call", call, true},
	{"status", status, true},
	{"reload", reload, true},
};

static const struct json *dispatch(struct ask *q)
{
	struct str verb = json_get_text(q->request, "verb");

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (!str_is(verb, verbs[i].name))
			continue;
		if (!verbs[i].everything || !q->admin->tenant)
			return verbs[i].answer(q);
		error_set(
			&q->error, E_DENIED, "%s is for the operator of this host", verbs[i].name);
		return NULL;
	}
	error_set(&q->error, E_INVALID, "there is no verb %.*s", STR_ARG(verb));
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
