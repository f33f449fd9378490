/* alarm.c - events that no job and no webhook tells. See alarm.h. Never asks anybody, never waits.
 * Runner's thread; stored() is the writer's and only hands over.
 */
#include "pipeline/alarm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "pipeline/asks.h"

#define QUIET_MS INT64_C(3600000)
#define TROUBLES_MAX 1024 /* told apart; more are only counted */
#define NAME_ROOM 512
#define REASON_ROOM 400

struct telling { /* an event on its way to the disk; in its own arena */
	struct mailbox_item item;
	struct telling *next, **link;
	struct runner *runner;
	struct arena *arena;
	struct plan *plan;
	struct store_add_events op;
	struct event_change change;
	unsigned promised;
};

struct trouble { /* of one calendar, event type and reason */
	struct trouble *next;
	char tenant[NAME_ROOM], connection[NAME_ROOM], event_type[NAME_ROOM], op[64], fail[24];
	char reason[REASON_ROOM], correlation[ID_TEXT]; /* of the latest */
	uint64_t untold;
	int64_t first_ms; /* of those not told; wall clock */
	int64_t quiet_until_ms;
};

struct sum { /* for the metrics */
	struct sum *next;
	char tenant[NAME_ROOM], fail[24];
	uint64_t count;
};

struct outage { /* a breaker that is told to be open */
	struct outage *next;
	char key[128];
};

struct alarms {
	struct telling *tellings;
	struct trouble *troubles;
	size_t trouble_count;
	struct sum *sums;
	struct outage *outages;
};

static struct alarms *alarms_of(struct runner *r)
{
	if (!r->alarms)
		r->alarms = calloc(1, sizeof(*r->alarms));
	return r->alarms;
}

/* Cut between characters. */
static void keep(char *out, size_t room, struct str text)
{
	size_t n = text.len < room ? text.len : room - 1;

	while (n && n < text.len && ((unsigned char)text.ptr[n] & 0xc0) == 0x80)
		n--;
	if (n)
		memcpy(out, text.ptr, n);
	out[n] = '\0';
}

/* ---- Telling ------------------------------------------------------------------------------ */

static void forget_telling(struct telling *t)
{
	*t->link = t->next;
	if (t->next)
		t->next->link = t->link;
	plan_unref(t->plan);
}

static void stored_here(struct mailbox_item *item)
{
	struct telling *t = (struct telling *)item;
	struct runner *r = t->runner;

	r->promised -= t->promised;
	if (t->op.op.result < 0) {
		log_line(LOG_ERROR, "event of the host's own not stored", "reason",
			t->op.op.error.text, NULL);
	} else {
		atomic_fetch_add(&r->n_events, 1);
		jobs_stored(r, t->plan, t->change.row, t->change.jobs, t->change.job_count);
	}
	forget_telling(t);
	runner_arena_back(r, t->arena);
	runner_claim(r);
}

static void stored(struct store_op *op)
{
	struct telling *t = op->user;

	t->item.run = stored_here;
	runner_post(t->runner, &t->item);
}

static void submit(struct telling *t)
{
	struct runner *r = t->runner;

	t->plan = plan_ref(r->plan);
	t->next = r->alarms->tellings;
	t->link = &r->alarms->tellings;
	if (t->next)
		t->next->link = &t->next;
	r->alarms->tellings = t;
	t->op.op.done = stored;
	t->op.op.user = t;
	t->op.events = &t->change;
	t->op.event_count = 1;
	t->op.claim = jobs_promise(r, t->change.job_count, false, &t->promised);
	store_add_events(r->store, &t->op);
}

/* Nobody is told by a command that has started the runner for itself, nor when it stops. */
static bool is_mute(struct runner *r)
{
	return !r->plan || r->options.only_ours || r->stopping || !alarms_of(r);
}

/* data and correlation lie in the arena, which goes back to the runner. correlation nothing: it
 * begins here. */
static void tell(struct runner *r, struct arena *arena, const struct config_tenant *tenant,
	const char *type, const struct json *data, struct str correlation)
{
	struct telling *t = arena_alloc(arena, sizeof(*t));
	char *own = arena_alloc(arena, ID_TEXT);
	struct plugin_event e = {.type = str_of(type), .data = json_print(arena, data)};
	struct route_input in = {.plan = r->plan,
		.engine = r->engine,
		.connection = STR(ROUTE_OURS),
		.tenant = tenant,
		.now_ms = clock_now_ms(),
		.arena = arena};
	struct id id = id_new();
	struct error error = {0};

	if (own)
		id_text(own, &id);
	in.correlation = correlation.len ? correlation : str_of(own);
	if (!t || arena_failed(arena) || route_event(&error, &in, &e, &t->change) < 0) {
		log_line(LOG_ERROR, "event of the host's own cannot be told", "type", type,
			"reason", error.text[0] ? error.text : "no memory", NULL);
		runner_arena_back(r, arena);
		return;
	}
	t->runner = r;
	t->arena = arena;
	submit(t);
}

static void put_instant(struct arena *arena, struct json *data, const char *key, int64_t ms)
{
	char text[CLOCK_TEXT];

	clock_utc(text, ms);
	json_put_text(arena, data, key, str_of(text));
}

/* ---- A calendar that cannot serve callers ------------------------------------------------- */

/* Of a booking that is gone, or a time that is taken, a caller hears; the office has nothing to
 * mend. An event type that is gone is another matter. */
static bool is_callers_news(const struct run *run, const char *fail)
{
	static const char *const of_a_booking[] = {"find_booking", "reschedule", "cancel"};

	if (strcmp(fail, fail_name(KL_CONFLICT)) == 0)
		return true;
	for (size_t i = 0; i < sizeof(of_a_booking) / sizeof(of_a_booking[0]); i++)
		if (strcmp(fail, fail_name(KL_GONE)) == 0 && str_is(run->row.op, of_a_booking[i]))
			return true;
	return false;
}

/* A read by the clock is tried again by the clock before anybody asks, unless trying is no use. */
static bool matters(const struct run *run, const char *fail)
{
	if (asks_wanted(run->runner, &run->row.id))
		return true;
	return asks_is_read(run) && strcmp(fail, fail_name(KL_BROKEN)) != 0 &&
	       strcmp(fail, fail_name(KL_BUSY)) != 0;
}

static bool is_trouble(const struct run *run, enum job_state state, const char *fail)
{
	return state != JOB_DONE && !run->row.sent && fail && fail[0] && matters(run, fail) &&
	       !is_callers_news(run, fail);
}

static void count(struct alarms *a, struct str tenant, const char *fail)
{
	struct sum *s = a->sums;

	while (s && !(str_is(tenant, s->tenant) && strcmp(s->fail, fail) == 0))
		s = s->next;
	if (!s) {
		s = calloc(1, sizeof(*s));
		if (!s)
			return;
		keep(s->tenant, sizeof(s->tenant), tenant);
		keep(s->fail, sizeof(s->fail), str_of(fail));
		s->next = a->sums;
		a->sums = s;
	}
	s->count++;
}

static struct trouble *new_trouble(
	struct alarms *a, const struct run *run, struct str event_type, const char *fail)
{
	struct trouble *t = a->trouble_count < TROUBLES_MAX ? calloc(1, sizeof(*t)) : NULL;

	if (!t)
		return NULL;
	keep(t->tenant, sizeof(t->tenant), run->row.tenant);
	keep(t->connection, sizeof(t->connection), run->row.connection);
	keep(t->event_type, sizeof(t->event_type), event_type);
	keep(t->fail, sizeof(t->fail), str_of(fail));
	t->next = a->troubles;
	a->troubles = t;
	a->trouble_count++;
	return t;
}

static struct trouble *find_trouble(
	struct alarms *a, const struct run *run, struct str event_type, const char *fail)
{
	struct trouble *t = a->troubles;

	while (t && !(strcmp(t->fail, fail) == 0 && str_is(event_type, t->event_type) &&
			    str_is(run->row.connection, t->connection) &&
			    str_is(run->row.tenant, t->tenant)))
		t = t->next;
	return t ? t : new_trouble(a, run, event_type, fail);
}

static const char *some(const char *text)
{
	return text[0] ? text : NULL;
}

static void log_trouble(struct arena *arena, const struct trouble *t)
{
	char times[24];

	snprintf(times, sizeof(times), "%llu", (unsigned long long)t->untold);
	log_line(LOG_ERROR, "a calendar cannot serve callers", "tenant", some(t->tenant),
		"connection", t->connection, "op", t->op, "event_type", some(t->event_type), "fail",
		t->fail, "reason", run_own_words(arena, t->reason), "count", times, "correlation",
		some(t->correlation), NULL);
}

static void tell_trouble(struct runner *r, struct trouble *t)
{
	struct arena *arena = runner_arena(r);
	struct json *data = arena ? json_object(arena) : NULL;

	if (!arena)
		return; /* the next tick tries again */
	log_trouble(arena, t);
	json_put_text(arena, data, "connection", str_of(t->connection));
	json_put_text(arena, data, "op", str_of(t->op));
	json_put_text(arena, data, "event_type", str_of(t->event_type));
	json_put_text(arena, data, "fail", str_of(t->fail));
	json_put_text(arena, data, "reason", str_of(t->reason));
	json_put_i64(arena, data, "count", (int64_t)t->untold);
	put_instant(arena, data, "since", t->first_ms);
	tell(r, arena, config_tenant(r->plan->config, t->tenant), "calendar.failed", data,
		str_dup(arena, str_of(t->correlation)));
	t->untold = 0;
	t->quiet_until_ms = clock_now_ms() + QUIET_MS;
}

/* A clock that was put back makes nothing quiet for longer. */
static bool is_quiet(const struct trouble *t)
{
	int64_t left = t->quiet_until_ms - clock_now_ms();

	return left > 0 && left <= QUIET_MS;
}

void alarm_question(const struct run *run, enum job_state state, const char *fail, const char *why)
{
	struct runner *r = run->runner;
	struct trouble *t;
	struct str event_type;

	if (is_mute(r) || !is_trouble(run, state, fail))
		return;
	count(r->alarms, run->row.tenant, fail);
	event_type = json_get_text(json_parse(run->arena, run->row.input, NULL), "event_type");
	t = find_trouble(r->alarms, run, event_type, fail);
	if (!t)
		return;
	keep(t->op, sizeof(t->op), run->row.op);
	keep(t->reason, sizeof(t->reason), str_of(why));
	keep(t->correlation, sizeof(t->correlation), run->row.correlation);
	if (!t->untold++)
		t->first_ms = clock_now_ms();
	if (!is_quiet(t))
		tell_trouble(r, t);
}

/* ---- Connections and plugins -------------------------------------------------------------- */

static void tell_connection(struct runner *r, const struct plan_connection *c, const char *fail,
	const char *reason, int64_t until_ms)
{
	struct arena *arena = runner_arena(r);
	struct json *data = arena ? json_object(arena) : NULL;

	if (!arena)
		return;
	json_put_text(arena, data, "connection", str_of(c->config->full));
	json_put_text(arena, data, "plugin", str_of(c->config->plugin));
	json_put_text(arena, data, "fail", str_of(fail));
	json_put_text(arena, data, "reason", str_of(reason));
	put_instant(arena, data, "until", until_ms);
	tell(r, arena, c->config->tenant, "connection.failed", data, STR(""));
}

void alarm_refused(
	struct runner *r, const struct plan_connection *c, const char *why, int64_t until_ms)
{
	if (!is_mute(r))
		tell_connection(r, c, fail_name(KL_BAD_AUTH), why, until_ms);
}

static struct outage **find_outage(struct alarms *a, const char *key)
{
	struct outage **p = &a->outages;

	while (*p && strcmp((*p)->key, key) != 0)
		p = &(*p)->next;
	return p;
}

void alarm_breaker_known(struct runner *r, const char *key)
{
	struct alarms *a = alarms_of(r);
	struct outage *o = a && !*find_outage(a, key) ? calloc(1, sizeof(*o)) : NULL;

	if (!o)
		return;
	keep(o->key, sizeof(o->key), str_of(key));
	o->next = a->outages;
	a->outages = o;
}

static void forget_outage(struct alarms *a, const char *key)
{
	struct outage **p = find_outage(a, key), *o = *p;

	if (!o)
		return;
	*p = o->next;
	free(o);
}

void alarm_breaker(struct runner *r, const char *key, enum breaker_state state, int64_t until_ms)
{
	const struct transfer_lane *lane;

	if (is_mute(r))
		return;
	if (state == BREAKER_CLOSED)
		forget_outage(r->alarms, key);
	if (state != BREAKER_OPEN || *find_outage(r->alarms, key))
		return;
	alarm_breaker_known(r, key);
	lane = transfer_lane(r->transfer, key, NULL);
	for (size_t i = 0; i < r->plan->connection_count; i++)
		if (lane && r->plan->connections[i].lane == lane)
			tell_connection(r, &r->plan->connections[i], fail_name(KL_BROKEN),
				"it failed so often that it is left in peace for a while",
				until_ms);
}

/* NULL: the agency's. */
static const struct config_tenant *only_user(const struct plan *plan, const struct plugin *plugin)
{
	const struct plan_connection *first = NULL;

	for (size_t i = 0; i < plan->connection_count; i++) {
		const struct plan_connection *c = &plan->connections[i];
		if (c->plugin != plugin)
			continue;
		first = first ? first : c;
		if (c->config->tenant != first->config->tenant)
			return NULL;
	}
	return first ? first->config->tenant : NULL;
}

void alarm_plugin(struct runner *r, const struct plugin *plugin)
{
	struct arena *arena = is_mute(r) ? NULL : runner_arena(r);
	struct json *data = arena ? json_object(arena) : NULL;
	const char *problem = plugin_problem(plugin);

	if (!arena)
		return;
	json_put_text(arena, data, "plugin", str_of(plugin_name(plugin)));
	json_put_text(arena, data, "reason", str_of(problem ? problem : "it does not load"));
	tell(r, arena, only_user(r->plan, plugin), "plugin.failed", data, STR(""));
}

/* ---- By the clock ------------------------------------------------------------------------- */

void alarms_start(struct runner *r)
{
	const struct plugin *plugin = NULL;

	while ((plugin = plugins_next(r->plugins, plugin)))
		if (plugin_state(plugin) == PLUGIN_BROKEN)
			alarm_plugin(r, plugin);
}

void alarms_tick(struct runner *r)
{
	struct trouble **p = r->alarms ? &r->alarms->troubles : NULL;

	if (!p || is_mute(r))
		return;
	while (*p) {
		struct trouble *t = *p;
		bool over = !is_quiet(t);
		if (over && !t->untold) {
			*p = t->next;
			free(t);
			r->alarms->trouble_count--;
			continue;
		}
		if (over)
			tell_trouble(r, t);
		p = &t->next;
	}
}

void alarms_print(struct runner *r, struct buf *out)
{
	const struct sum *s = r->alarms ? r->alarms->sums : NULL;

	buf_add_text(out,
		"# HELP klinke_desk_failures_total Questions of the desk that a calendar did not "
		"answer.\n# TYPE klinke_desk_failures_total counter\n");
	for (; s; s = s->next)
		buf_printf(out, "klinke_desk_failures_total{tenant=\"%s\",reason=\"%s\"} %llu\n",
			s->tenant, s->fail, (unsigned long long)s->count);
}

void alarms_finish(struct runner *r)
{
	struct alarms *a = r->alarms;

	if (!a)
		return;
	while (a->tellings) {
		struct telling *t = a->tellings;
		t->plan->orphan = true; /* the plugins are gone */
		forget_telling(t);
		arena_destroy(t->arena);
	}
	for (struct trouble *next, *t = a->troubles; t; t = next) {
		next = t->next;
		free(t);
	}
	for (struct sum *next, *s = a->sums; s; s = next) {
		next = s->next;
		free(s);
	}
	for (struct outage *next, *o = a->outages; o; o = next) {
		next = o->next;
		free(o);
	}
	free(a);
	r->alarms = NULL;
}
