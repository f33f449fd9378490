/* receipts.c - the receipt of each tenant's day: what came is held against what became of it. See
 * care.h. Never writes one before the day is over, nor twice. Counting is on a thread of its
 * own or the asking one; the rest is the runner's thread.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/latch.h"
#include "base/log.h"
#include "desk/mirror.h"
#include "pipeline/care.h"
#include "pipeline/route.h"
#include "pipeline/runner_i.h"

#define DAY_MS (INT64_C(24) * 60 * 60 * 1000)
#define AFTER_MS 120000 /* behind midnight: what was under way is stored by then */
#define LOOK_MS 3600000 /* the clock, or a tenant's zone, may change */
#define AGAIN_MS 60000  /* after a failure */
#define DAYS_BACK 5     /* of a host that was away; tallies are kept a little longer */
#define MEMORY ((size_t)64 * 1024 * 1024)

struct receipts {
	struct aside aside;
	struct runner *runner;
	const struct config *config;
	bool under_way;
	int64_t due_ms; /* clock_now_ms */
	atomic_bool stop;
	atomic_ullong made, unbalanced;
};

/* ---- One of them -------------------------------------------------------------------------- */

struct whose {
	struct str tenant;
	const struct zone *zone;
};

/* The agency's own days are those of UTC. */
static struct whose whose_at(const struct config *config, size_t i)
{
	size_t count;
	const struct config_tenant *tenants = config_tenants(config, &count);

	if (i >= count)
		return (struct whose){route_owner(NULL), zone_find("UTC")};
	return (struct whose){str_of(tenants[i].name), zone_find(tenants[i].timezone)};
}

static size_t whose_count(const struct config *config)
{
	size_t count;

	config_tenants(config, &count);
	return count + 1;
}

static struct str day_text(struct arena *arena, int32_t day)
{
	struct civil c = zone_civil(zone_find("UTC"), day * DAY_MS);

	return str_of(arena_printf(arena, "%04d-%02d-%02d", c.year, c.month, c.day));
}

struct figure {
	const char *name;
	uint64_t count;
};

static void put_figures(struct arena *arena, struct json *o, const char *name,
	const struct figure *figures, size_t count)
{
	struct json *part = json_object(arena);

	for (size_t i = 0; i < count; i++)
		json_put_i64(arena, part, figures[i].name, (int64_t)figures[i].count);
	json_put(arena, o, name, part);
}

#define FIGURES(...)                                                                               \
	(const struct figure[]){__VA_ARGS__},                                                      \
		sizeof((const struct figure[]){__VA_ARGS__}) / sizeof(struct figure)

/* made_ms 0: now. */
static struct json *receipt_json(struct arena *arena, struct str tenant, int32_t day,
	int64_t made_ms, const struct receipt_counts *c)
{
	struct json *o = json_object(arena);
	char made[CLOCK_TEXT];

	json_put_text(arena, o, "tenant", tenant);
	json_put_text(arena, o, "day", day_text(arena, day));
	if (made_ms) {
		clock_utc(made, made_ms);
		json_put_text(arena, o, "made", str_of(made));
	}
	json_put_bool(arena, o, "balanced", receipt_balanced(c));
	put_figures(arena, o, "webhooks",
		FIGURES({"in", c->webhooks.in}, {"read", c->webhooks.read},
			{"ignored", c->webhooks.ignored}, {"parked", c->webhooks.parked},
			{"waiting", c->webhooks.waiting}));
	put_figures(arena, o, "events",
		FIGURES({"in", c->events.in}, {"done", c->events.done},
			{"filtered", c->events.filtered}, {"parked", c->events.parked},
			{"dead", c->events.dead}, {"waiting", c->events.waiting},
			{"dropped", c->events.dropped}, {"repeats", c->events.repeats}));
	put_figures(arena, o, "jobs",
		FIGURES({"in", c->jobs.in}, {"done", c->jobs.done}, {"parked", c->jobs.parked},
			{"dead", c->jobs.dead}, {"waiting", c->jobs.waiting},
			{"dropped", c->jobs.dropped}));
	put_figures(arena, o, "effects",
		FIGURES({"bookings", c->bookings}, {"messages", c->messages},
			{"unknowns", c->unknowns}));
	return o;
}

/* Days that are counted together, since that reads what is stored once. */
struct days {
	struct receipt_day *list; /* in the arena */
	size_t count, room;
	int32_t *numbers; /* of the days, by place */
};

static int add_day(struct error *error, struct days *days, const struct whose *whose, int32_t day,
	struct arena *arena)
{
	if (days->count == days->room) {
		size_t room = days->room ? 2 * days->room : 16;
		struct receipt_day *list = arena_alloc(arena, room * sizeof(*list));
		int32_t *numbers = arena_alloc(arena, room * sizeof(*numbers));
		if (!list || !numbers)
			return error_set(error, E_NOMEM, "no memory for receipts");
		if (days->count) {
			memcpy(list, days->list, days->count * sizeof(*list));
			memcpy(numbers, days->numbers, days->count * sizeof(*numbers));
		}
		days->list = list;
		days->numbers = numbers;
		days->room = room;
	}
	days->numbers[days->count] = day;
	days->list[days->count] = (struct receipt_day){.tenant = whose->tenant,
		.from_ms = mirror_midnight(whose->zone, day),
		.to_ms = mirror_midnight(whose->zone, day + 1),
		.place = days->count};
	days->count++;
	return 0;
}

/* ---- Saved -------------------------------------------------------------------------------- */

static void over(struct store_op *op)
{
	latch_open(op->user);
}

static int save(struct error *error, struct store *store, const struct receipt_row *row)
{
	struct latch latch;
	struct store_save_receipt op = {.row = row, .op = {.done = over, .user = &latch}};

	latch_init(&latch);
	store_save_receipt(store, &op);
	latch_wait(&latch);
	if (op.op.result < 0)
		*error = op.op.error;
	return op.op.result;
}

static void tell(struct receipts *rc, const struct receipt_row *row)
{
	atomic_fetch_add(&rc->made, 1);
	if (row->balanced)
		return;
	atomic_fetch_add(&rc->unbalanced, 1);
	log_line(LOG_ERROR, "receipt does not balance: something that came is nowhere, or twice",
		"tenant", row->tenant.ptr, "receipt", row->data.ptr, NULL);
}

static bool nothing_came(const struct receipt_counts *c)
{
	return !c->webhooks.in && !c->events.in && !c->events.repeats && !c->jobs.in;
}

static int make(struct error *error, struct receipts *rc, const struct receipt_day *of, int32_t day,
	struct arena *arena)
{
	const struct receipt_counts *counts = &of->counts;
	struct receipt_row row = {.tenant = of->tenant, .day = day, .made_ms = clock_now_ms()};
	bool yesterday = of->to_ms + DAY_MS > row.made_ms - AFTER_MS;
	int err;

	/* of a day before there was a host there is nothing to say */
	if (nothing_came(counts) && receipt_balanced(counts) && !yesterday)
		return 0;
	row.balanced = receipt_balanced(counts);
	row.data = json_print(arena, receipt_json(arena, of->tenant, day, row.made_ms, counts));
	if (arena_failed(arena))
		return error_set(error, E_NOMEM, "no memory for a receipt");
	err = save(error, rc->runner->store, &row);
	if (!err)
		tell(rc, &row);
	return err;
}

/* One from the future was made by a clock that was wrong. */
static bool is_made(const struct receipt_row *rows, size_t count, int32_t day)
{
	int64_t now = clock_now_ms();

	for (size_t i = 0; i < count; i++)
		if (rows[i].day == day && rows[i].made_ms <= now)
			return true;
	return false;
}

static int add_missing(struct error *error, struct days *days, struct store_reader *reader,
	const struct whose *whose, struct arena *arena)
{
	int32_t today = mirror_day(whose->zone, clock_now_ms() - AFTER_MS);
	struct receipt_row *rows;
	size_t count;
	int err = store_list_receipts(
		error, reader, whose->tenant, today - DAYS_BACK, today - 1, arena, &rows, &count);

	for (int32_t day = today - DAYS_BACK; day < today && !err; day++)
		if (!is_made(rows, count, day))
			err = add_day(error, days, whose, day, arena);
	return err;
}

static int make_all(struct error *error, struct receipts *rc, struct store_reader *reader,
	struct days *days, struct arena *arena)
{
	int err = days->count ? store_count_receipts(error, reader, days->list, days->count) : 0;

	for (size_t i = 0; i < days->count && !err && !atomic_load(&rc->stop); i++)
		err = make(error, rc, &days->list[i], days->numbers[days->list[i].place], arena);
	return err;
}

/* ---- By the clock ------------------------------------------------------------------------- */

/* A thread of its own. */
static void work(struct aside *w)
{
	struct receipts *rc = w->data;
	struct arena *arena = arena_create(MEMORY);
	struct store_reader *reader = NULL;
	struct error error = {0};
	struct days days = {0};
	int64_t now = clock_now_ms(), next = now + LOOK_MS;
	int err = arena ? store_reader_open(&error, &reader, config_host(rc->config)->state)
			: E_NOMEM;

	for (size_t i = 0; i < whose_count(rc->config) && !err; i++) {
		struct whose whose = whose_at(rc->config, i);
		int64_t midnight =
			mirror_midnight(whose.zone, mirror_day(whose.zone, now - AFTER_MS) + 1);
		err = add_missing(&error, &days, reader, &whose, arena);
		if (midnight + AFTER_MS < next)
			next = midnight + AFTER_MS;
	}
	if (!err)
		err = make_all(&error, rc, reader, &days, arena);
	if (err)
		log_line(LOG_ERROR, "receipts not made, will be tried again", "reason", error.text,
			NULL);
	rc->due_ms = err ? now + AGAIN_MS : next;
	store_reader_close(reader);
	arena_destroy(arena);
}

static void worked(struct aside *w)
{
	struct receipts *rc = w->data;

	config_unref(rc->config);
	rc->config = NULL;
	rc->under_way = false;
}

void receipts_tick(struct runner *r)
{
	struct receipts *rc = r->receipts;
	int64_t now = clock_now_ms();

	if (r->draining || r->options.only_ours)
		return;
	if (!rc) {
		rc = r->receipts = calloc(1, sizeof(*rc));
		if (!rc)
			return;
		rc->runner = r;
		rc->aside = (struct aside){.work = work, .worked = worked, .data = rc};
	}
	if (rc->under_way || (now < rc->due_ms && rc->due_ms <= now + LOOK_MS))
		return;
	rc->config = config_ref(r->plan->config);
	rc->under_way = runner_aside(r, &rc->aside) == 0;
	if (!rc->under_way)
		worked(&rc->aside);
}

void receipts_stop(struct runner *r)
{
	if (r->receipts)
		atomic_store(&r->receipts->stop, true);
}

bool receipts_busy(const struct runner *r)
{
	return r->receipts && r->receipts->under_way;
}

void receipts_finish(struct runner *r)
{
	free(r->receipts);
	r->receipts = NULL;
}

void receipts_print(struct runner *r, struct buf *out)
{
	struct receipts *rc = r->receipts;

	if (!rc)
		return;
	buf_printf(out,
		"# HELP klinke_receipts_total Daily receipts made.\n"
		"# TYPE klinke_receipts_total counter\nklinke_receipts_total %llu\n"
		"# HELP klinke_receipts_unbalanced_total Those that do not balance.\n"
		"# TYPE klinke_receipts_unbalanced_total counter\n"
		"klinke_receipts_unbalanced_total %llu\n",
		(unsigned long long)atomic_load(&rc->made),
		(unsigned long long)atomic_load(&rc->unbalanced));
}

/* ---- For people --------------------------------------------------------------------------- */

static bool read_day(struct str text, int32_t *day)
{
	int64_t ms;

	if (text.len != 10 || !clock_parse(text, zone_find("UTC"), &ms))
		return false;
	*day = (int32_t)(ms / DAY_MS);
	return true;
}

static void push_stored(struct arena *arena, struct json *list, const struct receipt_row *row)
{
	struct json *o = json_parse(arena, row->data, NULL);

	json_put_bool(arena, o, "stored", true);
	json_push(arena, list, o);
}

static int list_stored(struct error *error, struct store_reader *reader, struct str tenant,
	int32_t day, struct arena *arena, struct json *list, size_t *count)
{
	struct receipt_row *rows;
	int err = store_list_receipts(error, reader, tenant, day, day, arena, &rows, count);

	for (size_t i = 0; !err && i < *count; i++)
		push_stored(arena, list, &rows[i]);
	return err;
}

static int count_now(struct error *error, struct store_reader *reader, struct days *days,
	struct arena *arena, struct json *list)
{
	int err = days->count ? store_count_receipts(error, reader, days->list, days->count) : 0;

	for (size_t i = 0; i < days->count && !err; i++) {
		const struct receipt_day *of = &days->list[i];
		struct json *o =
			receipt_json(arena, of->tenant, days->numbers[of->place], 0, &of->counts);
		json_put_bool(arena, o, "stored", false);
		json_push(arena, list, o);
	}
	return err;
}

/* What is stored of it into list, else it is to be counted. */
static int list_one(struct error *error, struct store_reader *reader, const struct whose *whose,
	const struct receipt_ask *ask, struct arena *arena, struct json *list, struct days *days)
{
	int32_t today = mirror_day(whose->zone, clock_now_ms()), day = today;
	size_t count = 0;
	int err = 0;

	if (ask->day.len && !read_day(ask->day, &day))
		return error_set(error, E_INVALID, "%.*s is no day: say it like 2026-11-22",
			STR_ARG(ask->day));
	if (day > today)
		return error_set(error, E_INVALID, "that day has not come yet");
	if (day < today)
		err = list_stored(error, reader, whose->tenant, day, arena, list, &count);
	if (err || count)
		return err;
	if (day < today - DAYS_BACK)
		return 0;
	return add_day(error, days, whose, day, arena);
}

static int only_stored(struct error *error, struct store_reader *reader,
	const struct receipt_ask *ask, struct arena *arena, struct json *list)
{
	size_t count;
	int32_t day;

	if (!ask->day.len)
		return error_set(error, E_CLOSED,
			"no host is running here, and only it counts today; --day names a day "
			"before");
	if (!read_day(ask->day, &day))
		return error_set(error, E_INVALID, "%.*s is no day: say it like 2026-11-22",
			STR_ARG(ask->day));
	return list_stored(error, reader, ask->tenant, day, arena, list, &count);
}

int receipts_list(struct error *error, const struct config *config, struct store_reader *reader,
	const struct receipt_ask *ask, struct arena *arena, struct json *list)
{
	bool found = !ask->tenant.len;
	struct days days = {0};
	int err = 0;

	if (!config)
		return only_stored(error, reader, ask, arena, list);
	for (size_t i = 0; i < whose_count(config) && !err; i++) {
		struct whose whose = whose_at(config, i);
		if (ask->tenant.len && !str_eq(ask->tenant, whose.tenant))
			continue;
		found = true;
		err = list_one(error, reader, &whose, ask, arena, list, &days);
	}
	if (!err)
		err = count_now(error, reader, &days, arena, list);
	return err || found ? err : error_set(error, E_NOTFOUND, "there is no such tenant");
}
