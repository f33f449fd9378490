/* gaps.c - what never came: calls and bookings as the vendors list them, held against what is
 * stored. See care.h. Never takes anything over from a list: what is missing is asked for by
 * itself, and comes in as an event like any other, under the identity its webhook would have had.
 *
 * gaps_find() runs on the asking thread, or on one of its own, and waits for operations of the
 * runner; the rest is the runner's thread.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "pipeline/care.h"
#include "pipeline/route.h"
#include "pipeline/runner_i.h"

#define DAY_MS (INT64_C(24) * 60 * 60 * 1000)
#define SETTLE_MS 60000       /* the webhook may be under way */
#define SINCE_MS (2 * DAY_MS) /* by the clock */
#define FIRST_MS 60000        /* the first time after a start */
#define AHEAD_MS (366 * DAY_MS)
#define WINDOW_MS (61 * DAY_MS) /* a calendar lists some 2,000 at once */
#define CALLS_MOST 10000
#define CALL_ENDED 2 /* ranks of sdk/operations/voice.md */
#define OPERATION_MS 300000
#define MEMORY ((size_t)256 * 1024 * 1024)
#define CHECKPOINT STR("gaps")

struct gap_watch {
	struct aside aside;
	struct runner *runner;
	const struct config *config;
	bool under_way;
	int64_t due_ms; /* clock_mono_ms */
	atomic_bool stop;
	atomic_ullong found, open, failures;
};

struct hunt {
	struct runner *runner;
	const struct config *config;
	struct store_reader *reader;
	const struct gaps_ask *ask;
	const atomic_bool *stop;  /* NULL: nobody stops it */
	int64_t now_ms, since_ms; /* since_ms: of the connection in hand */
	const struct config_connection *connection;
	struct arena *arena; /* of the answer */
	struct arena *own;   /* of the connection in hand */
	struct json *gaps, *problems;
	size_t looked, unread, open; /* lists: asked for, and of these not had as a whole */
};

/* ---- Asking a vendor ---------------------------------------------------------------------- */

static void problem(struct hunt *h, struct str reason)
{
	struct json *o = json_object(h->arena);

	json_put_text(h->arena, o, "connection", str_of(h->connection->full));
	json_put_text(h->arena, o, "reason", reason);
	json_push(h->arena, h->problems, o);
}

/* NULL: it failed, and is told as a problem unless quietly. */
static const struct json *operate(
	struct hunt *h, const char *op, const struct json *input, bool quietly)
{
	const struct json *answer = NULL;
	struct error error = {0};
	const struct runner_wait wait = {.timeout_ms = OPERATION_MS};
	struct str text, reason;
	int err = E_CLOSED;

	if (!h->stop || !atomic_load(h->stop))
		err = runner_run(&error, h->runner, str_of(h->connection->full), str_of(op),
			json_print(h->own, input), &wait, h->own, &text);
	if (err == 0)
		answer = json_parse(h->own, text, NULL);
	if (str_is(json_get_text(answer, "state"), "done"))
		return json_get(answer, "result");
	reason = answer ? json_get_text(answer, "reason") : str_of(error.text);
	if (!quietly)
		problem(h, reason.len ? reason : STR("the operation did not end well"));
	return NULL;
}

/* ---- What was found ----------------------------------------------------------------------- */

struct gap {
	const char *kind, *what;
	struct str tenant, id;
	int64_t at_ms;
	bool fetched;
};

static void report(struct hunt *h, const struct gap *gap)
{
	struct json *o = json_object(h->arena);
	char at[CLOCK_TEXT];

	json_put_text(h->arena, o, "tenant", gap->tenant);
	json_put_text(h->arena, o, "connection", str_of(h->connection->full));
	json_put_text(h->arena, o, "kind", str_of(gap->kind));
	json_put_text(h->arena, o, "id", gap->id);
	json_put_text(h->arena, o, "what", str_of(gap->what));
	if (gap->at_ms) {
		clock_utc(at, gap->at_ms);
		json_put_text(h->arena, o, "at", str_of(at));
	}
	json_put_bool(h->arena, o, "fetched", gap->fetched);
	json_push(h->arena, h->gaps, o);
	h->open += !gap->fetched;
}

/* Whose it is, as its event would be routed. False: not asked for. */
static bool is_wanted(
	const struct hunt *h, const char *type, const struct json *data, struct str *tenant)
{
	*tenant = route_owner(route_tenant(h->config, h->connection->tenant, str_of(type), data));
	return !h->ask->tenant.len || str_eq(h->ask->tenant, *tenant);
}

/* ---- Calls -------------------------------------------------------------------------------- */

/* -1: it is not here. */
static int64_t rank_here(struct hunt *h, struct str tenant, struct str call_id)
{
	struct store_filter filter = {.tenant = tenant,
		.connection = str_of(h->connection->full),
		.subject = call_id,
		.limit = 1};
	struct call_row *rows;
	size_t count = 0;

	if (store_list_calls(NULL, h->reader, &filter, h->own, &rows, &count) < 0 || !count)
		return -1;
	return rows[0].rank;
}

static const char *missing_of_call(int64_t here, int64_t there)
{
	if (here >= there)
		return NULL;
	if (here < 0)
		return "never came";
	return here < CALL_ENDED ? "its end never came" : "its analysis never came";
}

static void fetch_call(struct hunt *h, struct gap *gap, int64_t there)
{
	struct json *input = json_object(h->own);

	json_put_text(h->own, input, "call_id", gap->id);
	json_put_bool(h->own, input, "emit", true);
	gap->fetched = operate(h, "call", input, true) != NULL &&
		       rank_here(h, gap->tenant, gap->id) >= there;
}

static void look_at_call(struct hunt *h, const struct json *call)
{
	struct gap gap = {.kind = "call",
		.id = json_get_text(call, "call_id"),
		.at_ms = json_get_instant(call, "started")};
	int64_t there = json_i64(json_get(call, "rank"), 0),
		ended = json_get_instant(call, "ended");

	if (!gap.id.len || there < CALL_ENDED || ended > h->now_ms - SETTLE_MS ||
		!is_wanted(h, "call.ended", call, &gap.tenant))
		return;
	gap.what = missing_of_call(rank_here(h, gap.tenant, gap.id), there);
	if (!gap.what)
		return;
	if (h->ask->fetch)
		fetch_call(h, &gap, there);
	report(h, &gap);
}

static void look_at_calls(struct hunt *h)
{
	struct json *input = json_object(h->own);
	const struct json *result, *rows;

	json_put_i64(h->own, input, "since", h->since_ms);
	json_put_i64(h->own, input, "limit", CALLS_MOST);
	json_put_text(h->own, input, "sort", STR("ascending"));
	result = operate(h, "calls", input, false);
	rows = json_get(result, "rows");
	if (json_bool(json_get(result, "more"), false))
		problem(h, STR("it lists more calls than are looked at; give a later --since"));
	for (size_t i = 0; i < json_count(rows); i++)
		look_at_call(h, json_at(rows, i, NULL));
}

/* ---- Bookings ----------------------------------------------------------------------------- */

static bool stands(struct str status)
{
	return str_is(status, "booked") || str_is(status, "requested");
}

/* NULL: it is not here. */
static const struct appointment_row *booking_here(struct hunt *h, struct str tenant, struct str uid)
{
	struct store_filter filter = {.tenant = tenant,
		.connection = str_of(h->connection->full),
		.subject = uid,
		.limit = 1};
	struct appointment_row *rows;
	size_t count = 0;

	if (store_list_appointments(NULL, h->reader, &filter, h->own, &rows, &count) < 0 || !count)
		return NULL;
	return rows;
}

/* The old half of a move: its successor tells. */
static bool is_moved(const struct json *rows, const struct json *booking)
{
	struct str uid = json_get_text(booking, "uid");

	if (json_get_text(booking, "rescheduled_to").len)
		return true;
	for (size_t i = 0; i < json_count(rows); i++)
		if (str_eq(uid, json_text(json_find(
					json_at(rows, i, NULL), "booking.rescheduled_from"))))
			return true;
	return false;
}

/* What the calendar says of a booking and we do not; NULL: we agree. */
static const char *difference(const struct appointment_row *here, const struct json *booking)
{
	struct str status = json_get_text(booking, "status");

	if (!here)
		return stands(status) ? "never came" : NULL;
	if (str_is(here->status, "noshow"))
		return NULL;
	if (!stands(here->status))
		return stands(status) ? "stands there, and not here" : NULL;
	if (!stands(status))
		return status.len ? "stands here, and not there" : NULL;
	if (here->start_ms != json_get_instant(booking, "start"))
		return "is at another time there";
	return str_eq(here->status, status) ? NULL : "is confirmed there, or asked for again";
}

static void fetch_booking(struct hunt *h, struct gap *gap, struct str vendor_id)
{
	const struct appointment_row *here;
	struct json *input = json_object(h->own);
	const struct json *result, *booking;

	json_put_text(h->own, input, "uid", gap->id);
	if (vendor_id.len)
		json_put_text(h->own, input, "id", vendor_id);
	json_put_bool(h->own, input, "emit", true);
	result = operate(h, "find_booking", input, true);
	booking = json_get(result, "booking");
	here = booking_here(h, gap->tenant, gap->id);
	gap->fetched = booking && !difference(here, booking);
}

static void look_at_booking(struct hunt *h, const struct json *rows, const struct json *row)
{
	const struct json *booking = json_get(row, "booking");
	int64_t created = json_get_instant(row, "created");
	struct gap gap = {.kind = "booking",
		.id = json_get_text(booking, "uid"),
		.at_ms = json_get_instant(booking, "start")};
	const struct appointment_row *here;

	if (!gap.id.len || created > h->now_ms - SETTLE_MS ||
		!is_wanted(h, "booking.created", booking, &gap.tenant))
		return;
	here = booking_here(h, gap.tenant, gap.id);
	gap.what = difference(here, booking);
	if (!gap.what || (!here && created && created < h->since_ms) ||
		(!stands(json_get_text(booking, "status")) && is_moved(rows, booking)))
		return;
	if (h->ask->fetch)
		fetch_booking(h, &gap, json_get_text(booking, "id"));
	report(h, &gap);
}

static bool is_listed(const struct json *rows, struct str uid)
{
	for (size_t i = 0; i < json_count(rows); i++)
		if (str_eq(uid, json_text(json_find(json_at(rows, i, NULL), "booking.uid"))))
			return true;
	return false;
}

/* What stands here and is not in the calendar's list at all. */
static void look_for_ours(
	struct hunt *h, const struct json *rows, const char *tenant, int64_t from_ms, int64_t to_ms)
{
	struct appointment_query query = {.tenant = str_of(tenant),
		.connection = str_of(h->connection->full),
		.from_ms = from_ms,
		.to_ms = to_ms,
		.standing = true,
		.limit = SIZE_MAX >> 1};
	struct appointment_row *ours;
	size_t count = 0;

	if (store_find_appointments(NULL, h->reader, &query, h->own, &ours, &count) < 0)
		return;
	for (size_t i = 0; i < count; i++) {
		struct gap gap = {.kind = "booking",
			.what = "stands here, and is not in its list",
			.tenant = ours[i].tenant,
			.id = ours[i].uid,
			.at_ms = ours[i].start_ms};
		if (ours[i].changed_ms > h->now_ms - SETTLE_MS || is_listed(rows, ours[i].uid))
			continue;
		if (h->ask->fetch)
			fetch_booking(h, &gap, ours[i].vendor_id);
		report(h, &gap);
	}
}

static void look_for_all_ours(
	struct hunt *h, const struct json *rows, int64_t from_ms, int64_t to_ms)
{
	size_t count;
	const struct config_tenant *tenants = config_tenants(h->config, &count);

	for (size_t i = 0; i < count; i++) {
		if (h->connection->tenant && h->connection->tenant != &tenants[i])
			continue;
		if (!h->ask->tenant.len || str_is(h->ask->tenant, tenants[i].name))
			look_for_ours(h, rows, tenants[i].name, from_ms, to_ms);
	}
}

static bool look_at_window(struct hunt *h, int64_t from_ms, int64_t to_ms)
{
	struct json *input = json_object(h->own);
	const struct json *result, *rows;

	json_put_text(h->own, input, "from", clock_print(h->own, from_ms, NULL));
	json_put_text(h->own, input, "to", clock_print(h->own, to_ms, NULL));
	result = operate(h, "bookings", input, false);
	if (!result)
		return false;
	rows = json_get(result, "rows");
	for (size_t i = 0; i < json_count(rows); i++)
		look_at_booking(h, rows, json_at(rows, i, NULL));
	look_for_all_ours(h, rows, from_ms, to_ms);
	return true;
}

static void look_at_bookings(struct hunt *h)
{
	int64_t end = h->now_ms + AHEAD_MS, from = h->since_ms;
	bool good = true;

	for (; from < end && good; from += WINDOW_MS) {
		arena_reset(h->own);
		good = look_at_window(h, from, from + WINDOW_MS < end ? from + WINDOW_MS : end);
	}
}

/* ---- Connection by connection ------------------------------------------------------------- */

static bool can(const struct config_connection *c, const char *op)
{
	for (size_t i = 0; c->info && i < c->info->op_count; i++)
		if (strcmp(c->info->ops[i].name, op) == 0)
			return true;
	return false;
}

static int64_t keep_of(const struct hunt *h)
{
	const struct config_tenant *t = h->connection->tenant;

	return t ? t->keep_ms[CONFIG_KEEP_CALL] : config_host(h->config)->keep_ms[CONFIG_KEEP_CALL];
}

struct saved {
	struct store_save_checkpoint op;
	struct checkpoint_row row;
	char connection[512], value[32];
};

static void saved(struct store_op *op)
{
	free(op->user); /* if it failed, the next time is the first one */
}

static void save_first(const struct hunt *h)
{
	struct saved *s = calloc(1, sizeof(*s));

	if (!s)
		return;
	snprintf(s->connection, sizeof(s->connection), "%s", h->connection->full);
	snprintf(s->value, sizeof(s->value), "%lld", (long long)h->now_ms);
	s->row = (struct checkpoint_row){str_of(s->connection), CHECKPOINT, str_of(s->value)};
	s->op.row = &s->row;
	s->op.op.done = saved;
	s->op.op.user = s;
	store_save_checkpoint(h->runner->store, &s->op);
}

/* By the clock nothing is looked for from before the connection was first seen: somebody may have
 * handled it long ago. False: this was the first time. */
static bool since_first(struct hunt *h)
{
	struct str value;
	int64_t first;

	if (!h->ask->first_seen)
		return true;
	if (store_get_checkpoint(
		    NULL, h->reader, str_of(h->connection->full), CHECKPOINT, h->own, &value) < 0) {
		save_first(h);
		return false;
	}
	first = json_i64(json_parse(h->own, value, NULL), h->now_ms);
	if (first > h->since_ms)
		h->since_ms = first;
	return true;
}

static void look(struct hunt *h)
{
	const struct config_connection *c = h->connection;
	bool voice = can(c, "calls") && can(c, "call"), calendar = can(c, "bookings");
	int64_t keep = keep_of(h);

	if ((!voice && !calendar) ||
		(h->ask->tenant.len && c->tenant && !str_is(h->ask->tenant, c->tenant->name)))
		return;
	arena_reset(h->own);
	h->since_ms = h->ask->since_ms;
	if (!since_first(h))
		return;
	h->looked++;
	if (keep != CONFIG_FOREVER && h->since_ms < h->now_ms - keep) {
		problem(h, STR("it is asked further back than keep_call keeps anything; give a "
			       "later --since"));
		return;
	}
	if (voice)
		look_at_calls(h);
	else
		look_at_bookings(h);
}

static void look_and_count(struct hunt *h)
{
	size_t problems = json_count(h->problems);

	look(h);
	h->unread += json_count(h->problems) > problems;
}

static struct json *answer(struct hunt *h)
{
	struct json *o = json_object(h->arena);

	json_put(h->arena, o, "gaps", h->gaps);
	json_put(h->arena, o, "problems", h->problems);
	json_put_i64(h->arena, o, "looked", (int64_t)h->looked);
	json_put_i64(h->arena, o, "unread", (int64_t)h->unread);
	json_put_i64(h->arena, o, "open", (int64_t)h->open);
	return o;
}

static int hunt_all(struct error *error, struct hunt *h)
{
	size_t count;
	const struct config_connection *all = config_connections(h->config, &count);
	int err = store_reader_open(error, &h->reader, config_host(h->config)->state);

	h->own = arena_create(MEMORY);
	if (!err && !h->own)
		err = error_set(error, E_NOMEM, "no memory to look for gaps");
	h->now_ms = clock_now_ms();
	h->gaps = json_array(h->arena);
	h->problems = json_array(h->arena);
	for (size_t i = 0; i < count && !err && (!h->stop || !atomic_load(h->stop)); i++) {
		h->connection = &all[i];
		look_and_count(h);
		if (arena_failed(h->own) || arena_failed(h->arena))
			err = error_set(
				error, E_NOMEM, "no memory to look for gaps at %s", all[i].full);
	}
	store_reader_close(h->reader);
	arena_destroy(h->own);
	return err;
}

int gaps_find(struct error *error, struct runner *r, const struct gaps_ask *ask,
	struct arena *arena, struct json **out)
{
	struct hunt h = {.runner = r, .config = runner_config(r), .ask = ask, .arena = arena};
	int err = hunt_all(error, &h);

	if (!err && ask->tenant.len && !str_eq(ask->tenant, route_owner(NULL)) &&
		!config_tenant(h.config, arena_printf(arena, "%.*s", STR_ARG(ask->tenant))))
		err = error_set(error, E_NOTFOUND, "there is no such tenant");
	if (!err)
		*out = answer(&h);
	config_unref(h.config);
	return err;
}

/* ---- By the clock ------------------------------------------------------------------------- */

static void log_gap(const struct json *gap)
{
	char texts[5][256];
	static const char *const keys[] = {"tenant", "connection", "kind", "id", "what"};
	bool fetched = json_bool(json_get(gap, "fetched"), false);

	for (int i = 0; i < 5; i++)
		snprintf(texts[i], sizeof(texts[i]), "%.*s", STR_ARG(json_get_text(gap, keys[i])));
	log_line(fetched ? LOG_WARN : LOG_ERROR, fetched ? "gap closed" : "gap", "tenant", texts[0],
		"connection", texts[1], "kind", texts[2], "id", texts[3], "what", texts[4], NULL);
}

static void log_problem(const struct json *p)
{
	char connection[256], reason[512];

	snprintf(connection, sizeof(connection), "%.*s", STR_ARG(json_get_text(p, "connection")));
	snprintf(reason, sizeof(reason), "%.*s", STR_ARG(json_get_text(p, "reason")));
	log_line(LOG_WARN, "gaps could not be looked for", "connection", connection, "reason",
		reason, NULL);
}

static void tell(struct gap_watch *g, const struct hunt *h)
{
	for (size_t i = 0; i < json_count(h->gaps); i++)
		log_gap(json_at(h->gaps, i, NULL));
	for (size_t i = 0; i < json_count(h->problems); i++)
		log_problem(json_at(h->problems, i, NULL));
	atomic_fetch_add(&g->found, json_count(h->gaps));
	atomic_fetch_add(&g->failures, json_count(h->problems));
	atomic_store(&g->open, h->open);
}

/* A thread of its own. */
static void work(struct aside *w)
{
	struct gap_watch *g = w->data;
	struct gaps_ask ask = {.since_ms = clock_now_ms() - SINCE_MS,
		.fetch = config_host(g->config)->fetch_gaps,
		.first_seen = true};
	struct hunt h = {.runner = g->runner,
		.config = g->config,
		.ask = &ask,
		.stop = &g->stop,
		.arena = arena_create(MEMORY)};
	struct error error = {0};

	if (h.arena && hunt_all(&error, &h) == 0) {
		tell(g, &h);
	} else if (!atomic_load(&g->stop)) {
		atomic_fetch_add(&g->failures, 1);
		log_line(LOG_WARN, "gaps could not be looked for", "reason", error.text, NULL);
	}
	arena_destroy(h.arena);
}

static void worked(struct aside *w)
{
	struct gap_watch *g = w->data;

	g->due_ms = clock_mono_ms() + config_host(g->config)->find_gaps_ms;
	config_unref(g->config);
	g->config = NULL;
	g->under_way = false;
}

static struct gap_watch *watch_of(struct runner *r, int64_t every_ms)
{
	struct gap_watch *g = r->gaps;

	if (g)
		return g;
	g = r->gaps = calloc(1, sizeof(*g));
	if (!g)
		return NULL;
	g->runner = r;
	g->aside = (struct aside){.work = work, .worked = worked, .data = g};
	g->due_ms = clock_mono_ms() + (every_ms < FIRST_MS ? every_ms : FIRST_MS);
	return g;
}

void gaps_tick(struct runner *r)
{
	int64_t every = config_host(r->plan->config)->find_gaps_ms;
	struct gap_watch *g;

	if (!every || r->draining || r->options.only_ours || !(g = watch_of(r, every)) ||
		g->under_way || clock_mono_ms() < g->due_ms)
		return;
	g->config = config_ref(r->plan->config);
	g->under_way = runner_aside(r, &g->aside) == 0;
	if (!g->under_way)
		worked(&g->aside);
}

void gaps_stop(struct runner *r)
{
	if (r->gaps)
		atomic_store(&r->gaps->stop, true);
}

bool gaps_busy(const struct runner *r)
{
	return r->gaps && r->gaps->under_way;
}

void gaps_finish(struct runner *r)
{
	free(r->gaps);
	r->gaps = NULL;
}

void gaps_print(struct runner *r, struct buf *out)
{
	struct gap_watch *g = r->gaps;

	if (!g)
		return;
	buf_printf(out,
		"# HELP klinke_gaps_found_total Calls and bookings that never came, found by the "
		"clock.\n# TYPE klinke_gaps_found_total counter\nklinke_gaps_found_total %llu\n"
		"# HELP klinke_gaps_open Of those found last, how many could not be fetched.\n"
		"# TYPE klinke_gaps_open gauge\nklinke_gaps_open %llu\n"
		"# HELP klinke_gap_failures_total Lists of vendors that could not be had.\n"
		"# TYPE klinke_gap_failures_total counter\nklinke_gap_failures_total %llu\n",
		(unsigned long long)atomic_load(&g->found),
		(unsigned long long)atomic_load(&g->open),
		(unsigned long long)atomic_load(&g->failures));
}
