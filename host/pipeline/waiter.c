/* waiter.c - somebody waits for one operation: `klinke call`, the admin API.
 *
 * runner_run() is called on the waiter's own thread and sleeps there; the rest is the runner's
 * thread. The job is stored like any other, so giving up waiting loses nothing.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/latch.h"
#include "desk/desk.h"
#include "desk/persons.h"
#include "pipeline/builtin.h"
#include "pipeline/job.h"
#include "pipeline/route.h"
#include "pipeline/runner_i.h"

#define OPS_TOLD 64
#define ENDING_MS 10000      /* for a last commit */
#define CONNECTIONS_TOLD 200 /* among which a slip of the finger is looked for */

struct waiter {
	struct mailbox_item item;
	struct waiter *next;
	struct runner *runner;
	struct store_add_jobs op;
	struct job_row job;
	struct arena *arena; /* of the row; the waiter's own */
	struct plan *plan;
	pthread_mutex_t lock;
	pthread_cond_t told;
	bool over, left; /* left: nobody waits any more; the runner frees it */
	bool ending;     /* its job is over and only on its way to the disk */
	bool stored;     /* runner's thread: the job is the store's */
	bool records;    /* its answers are wanted whole */
	int peer;        /* runner_wait */
	struct error error;
	struct str state, fail, reason, result; /* malloc'ed text of the end */
};

static void destroy(struct waiter *w)
{
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->told);
	free((char *)w->fail.ptr);
	free((char *)w->reason.ptr);
	free((char *)w->result.ptr);
	arena_destroy(w->arena);
	free(w);
}

static struct str keep(struct str s)
{
	char *copy = s.len ? strndup(s.ptr, s.len) : NULL;
	return (struct str){copy, copy ? s.len : 0};
}

static void unlink_waiter(struct runner *r, struct waiter *w)
{
	for (struct waiter **p = &r->waiters; *p; p = &(*p)->next)
		if (*p == w) {
			*p = w->next;
			return;
		}
}

/* Runner's thread: no more is known of it here. */
static void finish(struct waiter *w)
{
	bool left;

	unlink_waiter(w->runner, w);
	plan_unref(w->plan);
	w->plan = NULL;
	pthread_mutex_lock(&w->lock);
	w->over = true;
	left = w->left;
	pthread_cond_signal(&w->told);
	pthread_mutex_unlock(&w->lock);
	if (left)
		destroy(w);
}

static const char *state_name(enum job_state state)
{
	static const char *const names[] = {
		"", "ready", "queued", "waiting", "parked", "dead", "done", "dropped"};
	return names[state];
}

void waiter_tell(struct runner *r, const struct job_row *job, struct str result)
{
	for (struct waiter *w = r->waiters; w; w = w->next) {
		if (memcmp(w->job.id.b, job->id.b, sizeof(job->id.b)) != 0)
			continue;
		w->state = str_of(state_name(job->state));
		w->fail = keep(job->fail);
		w->reason = keep(job->reason);
		w->result = keep(result);
		finish(w);
		return;
	}
}

static void leave(struct waiter *w)
{
	char id[ID_TEXT];

	id_text(id, &w->job.id);
	error_set(&w->error, E_CLOSED,
		"the host stops; it goes on after the next start, klinke show %s tells what became "
		"of it",
		id);
	finish(w);
}

/* Those whose job is on its way to the store leave when it is there. */
void waiters_leave(struct runner *r)
{
	struct waiter *next;

	r->waiters_leave = true;
	for (struct waiter *w = r->waiters; w; w = next) {
		next = w->next;
		if (w->stored)
			leave(w);
	}
}

static bool has_hung_up(int peer)
{
	char byte;

	return peer > 0 && recv(peer, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* Under its lock: it may leave at any moment, but not once it is counted on. */
static bool listens(struct waiter *w)
{
	bool there;

	pthread_mutex_lock(&w->lock);
	there = !w->left && !has_hung_up(w->peer);
	w->ending |= there;
	pthread_mutex_unlock(&w->lock);
	return there;
}

bool waiter_listens(struct runner *r, const struct id *job)
{
	for (struct waiter *w = r->waiters; w; w = w->next)
		if (memcmp(w->job.id.b, job->b, sizeof(job->b)) == 0)
			return listens(w);
	return false;
}

bool waiter_waits(const struct runner *r, const struct id *job)
{
	for (const struct waiter *w = r->waiters; w; w = w->next)
		if (memcmp(w->job.id.b, job->b, sizeof(job->b)) == 0)
			return true;
	return false;
}

bool waiter_records(const struct runner *r, const struct id *job)
{
	for (const struct waiter *w = r->waiters; w; w = w->next)
		if (w->records && memcmp(w->job.id.b, job->b, sizeof(job->b)) == 0)
			return true;
	return false;
}

static void added_here(struct mailbox_item *item)
{
	struct waiter *w = (struct waiter *)((char *)item - offsetof(struct waiter, item));
	struct runner *r = w->runner;

	if (w->op.op.result < 0) {
		w->error = w->op.op.error;
		finish(w);
		return;
	}
	w->stored = true;
	jobs_stored(r, w->plan, NULL, &w->job, 1);
	runner_claim(r);
	if (r->waiters_leave)
		leave(w);
}

static void added(struct store_op *op)
{
	struct waiter *w = op->user;
	w->item.run = added_here;
	runner_post(w->runner, &w->item);
}

static bool has_op(const struct plugin_info *info, struct str op)
{
	for (size_t i = 0; info && i < info->op_count; i++)
		if (str_is(op, info->ops[i].name))
			return true;
	return false;
}

/* "desk" alone: the tenant that has one, if only one has. */
static const struct config_tenant *only_desk(struct waiter *w)
{
	size_t count;
	const struct config_tenant *tenants = config_tenants(w->plan->config, &count);
	const struct config_tenant *found = NULL;

	for (size_t i = 0; i < count; i++) {
		if (!config_desk_for(w->plan->config, &tenants[i]))
			continue;
		if (found)
			return NULL;
		found = &tenants[i];
	}
	if (found)
		w->job.connection = str_of(arena_printf(w->arena, "%s/" BUILTIN_NAME, found->name));
	return found;
}

/* "praxis-winter/desk": the tenant; NULL: it is no desk, or there is no such tenant. */
static const struct config_tenant *desk_of(struct waiter *w)
{
	static const char end[] = "/" BUILTIN_NAME;
	struct str full = w->job.connection;
	size_t n = sizeof(end) - 1;

	if (str_is(full, BUILTIN_NAME))
		return only_desk(w);

	if (full.len <= n || memcmp(full.ptr + full.len - n, end, n) != 0)
		return NULL;
	return config_tenant(
		w->plan->config, arena_printf(w->arena, "%.*s", (int)(full.len - n), full.ptr));
}

static void no_connection(struct waiter *w)
{
	const char *names[CONNECTIONS_TOLD], *meant;
	size_t count, told = 0;
	const struct config_connection *list = config_connections(w->plan->config, &count);

	for (; told < count && told < CONNECTIONS_TOLD; told++)
		names[told] = list[told].full;
	meant = config_suggest(w->job.connection, names, told);
	if (meant)
		error_set(&w->error, E_NOTFOUND, "there is no connection %s; did you mean %s?",
			w->job.connection.ptr, meant);
	else
		error_set(&w->error, E_NOTFOUND, "there is no connection %s; give TENANT/NAME%s%s",
			w->job.connection.ptr, told ? ", like " : "", told ? names[0] : "");
}

static void no_operation(struct waiter *w, const char *plugin, const struct plugin_info *info)
{
	const char *names[OPS_TOLD], *meant;
	size_t told = 0;

	for (; told < info->op_count && told < OPS_TOLD; told++)
		names[told] = info->ops[told].name;
	meant = config_suggest(w->job.op, names, told);
	error_set(&w->error, E_NOTFOUND,
		"plugin %s has no operation %s%s%s%s klinke plugin info %s lists them", plugin,
		w->job.op.ptr, meant ? "; did you mean " : "", meant ? meant : "",
		meant ? "?" : ";", plugin);
}

static void begin(struct mailbox_item *item)
{
	struct waiter *w = (struct waiter *)((char *)item - offsetof(struct waiter, item));
	struct runner *r = w->runner;
	const struct plan_connection *c = plan_connection(r->plan, w->job.connection);
	const struct config_tenant *desk;

	w->plan = plan_ref(r->plan);
	desk = desk_of(w);
	w->next = r->waiters;
	r->waiters = w;
	if (r->draining)
		error_set(&w->error, E_CLOSED, "the host stops and begins nothing new");
	else if (desk && !has_op(&desk_info, w->job.op))
		no_operation(w, BUILTIN_NAME, &desk_info);
	else if (desk)
		w->job.tenant = str_of(desk->name);
	else if (!c)
		no_connection(w);
	else if (!c->config->info)
		error_set(&w->error, E_BUSY, "connection %s is disabled: %s", c->config->full,
			c->config->disabled);
	else if (!has_op(c->config->info, w->job.op))
		no_operation(w, c->config->plugin, c->config->info);
	if (w->error.code) {
		finish(w);
		return;
	}
	if (c && !desk)
		w->job.tenant = route_owner(c->config->tenant);
	w->job.generation = w->plan->generation;
	w->op.op.done = added;
	w->op.op.user = w;
	w->op.jobs = &w->job;
	w->op.job_count = 1;
	w->op.claim = true;
	store_add_jobs(r->store, &w->op);
}

static struct waiter *create(
	struct runner *r, struct str connection, struct str op, struct str input)
{
	struct waiter *w = calloc(1, sizeof(*w));
	char *correlation;

	if (!w || !(w->arena = arena_create(64 * 1024 * 1024))) {
		free(w);
		return NULL;
	}
	pthread_mutex_init(&w->lock, NULL);
	latch_init_timed(&w->told);
	correlation = arena_alloc(w->arena, ID_TEXT);
	w->runner = r;
	w->item.run = begin;
	w->job.id = id_new();
	w->job.connection = str_dup(w->arena, connection);
	w->job.op = str_dup(w->arena, op);
	w->job.input = str_dup(w->arena, input);
	w->job.person = persons_in(w->arena, (struct str){0}, (struct str){0},
		json_parse(w->arena, w->job.input, NULL));
	w->job.state = JOB_READY;
	w->job.due_ms = w->job.created_ms = w->job.updated_ms = clock_now_ms();
	if (correlation)
		id_text(correlation, &w->job.id);
	w->job.correlation = str_of(correlation);
	if (!arena_failed(w->arena))
		return w;
	destroy(w);
	return NULL;
}

static void sleep_until(struct waiter *w, int64_t ms)
{
	struct timespec until = latch_time(ms);

	while (!w->over && pthread_cond_timedwait(&w->told, &w->lock, &until) == 0)
		;
}

/* Who was counted on to hear the end waits for it a little longer. */
static bool wait_until_over(struct waiter *w, uint32_t timeout_ms)
{
	int64_t until = clock_mono_ms() + timeout_ms;
	bool over;

	pthread_mutex_lock(&w->lock);
	sleep_until(w, until);
	if (!w->over && w->ending)
		sleep_until(w, until + ENDING_MS);
	over = w->over;
	w->left = !over;
	pthread_mutex_unlock(&w->lock);
	return over;
}

static struct str report(const struct waiter *w, struct arena *arena)
{
	struct json *o = json_object(arena);
	char id[ID_TEXT];

	id_text(id, &w->job.id);
	json_put_text(arena, o, "job", str_of(id));
	json_put_text(arena, o, "state", w->state);
	if (w->fail.len)
		json_put_text(arena, o, "fail", w->fail);
	if (w->reason.len)
		json_put_text(arena, o, "reason", w->reason);
	if (str_is(w->state, "done"))
		json_put(arena, o, "result", json_parse(arena, w->result, NULL));
	return json_print(arena, o);
}

int runner_run(struct error *error, struct runner *r, struct str connection, struct str op,
	struct str input, const struct runner_wait *wait, struct arena *arena, struct str *result)
{
	struct waiter *w;
	char id[ID_TEXT];

	if (!json_parse(arena, input, error))
		return E_INVALID;
	w = create(r, connection, op, input);
	if (!w)
		return error_set(error, E_NOMEM, "no memory for an operation");
	w->records = wait->record;
	w->peer = wait->peer;
	id_text(id, &w->job.id);
	runner_post(r, &w->item);
	if (!wait_until_over(w, wait->timeout_ms))
		return error_set(error, E_TIMEOUT,
			"no end after %u ms; it goes on, klinke show %s tells what "
			"became of it",
			wait->timeout_ms, id);
	if (w->error.code) {
		int code = w->error.code;
		if (error)
			*error = w->error;
		destroy(w);
		return code;
	}
	*result = report(w, arena);
	destroy(w);
	return 0;
}
