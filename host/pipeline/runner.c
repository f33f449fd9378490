/* runner.c - the runner's thread, its loop, and what wakes it. See runner.h.
 *
 * Everything without a comment to the contrary runs on the runner's thread.
 */
#include "pipeline/runner.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/latch.h"
#include "base/log.h"
#include "desk/desk.h"
#include "pipeline/alarm.h"
#include "pipeline/asks.h"
#include "pipeline/builtin.h"
#include "pipeline/caller.h"
#include "pipeline/care.h"
#include "pipeline/intake.h"
#include "pipeline/job_i.h"
#include "pipeline/pause.h"
#include "pipeline/runner_i.h"

#define LAST_WORDS_MS 100 /* from the answer to the end of the connection, when the host stops */

/* ---- Mail --------------------------------------------------------------------------------- */

void runner_post(struct runner *r, struct mailbox_item *item)
{
	mailbox_post(&r->mailbox, item);
}

static void worked(struct mailbox_item *item)
{
	struct aside *aside = (struct aside *)item;

	pthread_join(aside->thread, NULL); /* it has posted this, and may still be at it */
	aside->worked(aside);
}

static void *work(void *arg)
{
	struct aside *aside = arg;

	pthread_setname_np(pthread_self(), "aside");
	aside->work(aside);
	aside->item.run = worked;
	runner_post(aside->runner, &aside->item);
	return NULL;
}

int runner_aside(struct runner *r, struct aside *aside)
{
	aside->runner = r;
	return pthread_create(&aside->thread, NULL, work, aside) == 0 ? 0 : E_NOMEM;
}

static void wake(void *arg)
{
	struct runner *r = arg;
	uv_async_send(&r->wake);
}

static void on_wake(uv_async_t *async)
{
	struct runner *r = async->data;
	if (!r->stopping) /* what comes later would ask plugins that are gone */
		mailbox_drain(&r->mailbox);
}

/* ---- Memory: a run needs about as much as the one before it ------------------------------- */

struct arena *runner_arena(struct runner *r)
{
	return r->spares ? r->spare[--r->spares] : arena_create(RUN_MEMORY);
}

void runner_arena_back(struct runner *r, struct arena *arena)
{
	if (r->spares == SPARES_MAX) {
		arena_destroy(arena);
		return;
	}
	arena_reset(arena);
	r->spare[r->spares++] = arena;
}

/* ---- Asking the runner something, from another thread ------------------------------------- */

struct question {
	struct mailbox_item item;
	struct runner *runner;
	void (*ask)(struct question *q);
	struct latch answered;
	int result;
	struct error *error;
	const struct config *config;
	uint64_t generation; /* the configuration's */
	int64_t deadline_ms;
	struct buf *out;
	struct arena *arena;
	struct json *list;
	void (*by)(struct runner *r, struct arena *arena, struct json *list);
};

static void question_run(struct mailbox_item *item)
{
	struct question *q = (struct question *)item;

	q->ask(q);
	latch_open(&q->answered);
}

static int ask(struct runner *r, struct question *q, void (*what)(struct question *))
{
	q->runner = r;
	q->ask = what;
	q->item.run = question_run;
	latch_init(&q->answered);
	runner_post(r, &q->item);
	latch_wait(&q->answered);
	return q->result;
}

/* ---- The clock ---------------------------------------------------------------------------- */

/* Once a second: what could not be done for lack of something. */
static void on_tick(uv_timer_t *timer)
{
	struct runner *r = timer->data;

	bool nudged = atomic_exchange(&r->nudged, false);

	polls_watch_clock(r);
	disk_try(r);
	intake_tick(r);
	jobs_save_again(r);
	jobs_give_back(r);
	r->claim_wanted |= r->claim_later || nudged;
	r->claim_later = false;
	runner_claim(r);
	builtin_tick(r);
	alarms_tick(r);
	retention_tick(r);
	receipts_tick(r);
	gaps_tick(r);
	r->backlog |= r->backlog_later || nudged;
	r->backlog_later = false;
	if (r->backlog)
		intake_fetch(r);
}

/* ---- Reload ------------------------------------------------------------------------------- */

/* A new version of a plugin comes with a reload. Calls in flight end on the old one; a file that
 * does not load leaves the old one at work. */
static void reload_plugins(struct plan *plan)
{
	for (size_t i = 0; i < plan->connection_count; i++) {
		bool first = true;
		for (size_t k = 0; k < i && first; k++)
			first = plan->connections[k].plugin != plan->connections[i].plugin;
		if (first)
			plugin_reload(plan->connections[i].plugin);
	}
}

static void reload_here(struct question *q)
{
	struct runner *r = q->runner;
	struct plan_means m = generation_means(r);
	struct plan *plan = plan_create(q->error, q->config, q->generation, &m);

	q->result = plan ? generation_keep(q->error, r, r->plan) : E_INVALID;
	if (q->result < 0) {
		plan_unref(plan);
		return;
	}
	intakes_reload(r->plan, plan);
	r->plan = plan;
	r->unusable = 0;
	atomic_store(&r->n_generation, q->generation);
	reload_plugins(plan);
	desk_refresh(NULL, r->desk); /* the old catalogue stays if it cannot be read */
	pauses_end(r);               /* perhaps the credentials are right now */
	runner_hasten(r, "bad auth");
	retention_reload(r);
	polls_start(r);
	r->claim_wanted = r->backlog = true;
	runner_claim(r);
	intake_fetch(r);
}

int runner_reload(struct error *error, struct runner *r, const struct config *config)
{
	struct question q = {.error = error, .config = config};
	int err = generation_save(error, r->store, config, &q.generation); /* on this thread */

	if (err == 0)
		err = builtin_catalogue(error, r->store, config);
	return err < 0 ? err : ask(r, &q, reload_here);
}

/* ---- Beginning and end -------------------------------------------------------------------- */

static void on_plugin(void *user, struct plugin *plugin, const char *what)
{
	struct runner *r = user;

	bool ready = strncmp(what, "ready", 5) == 0; /* else a worker has died */

	log_line(plugin_state(plugin) == PLUGIN_BROKEN ? LOG_ERROR
		 : ready                               ? LOG_INFO
						       : LOG_WARN,
		"plugin", "plugin", plugin_name(plugin), "what", what, NULL);
	if (plugin_state(plugin) == PLUGIN_BROKEN)
		alarm_plugin(r, plugin);
	if (plugin_state(plugin) == PLUGIN_READY) {
		runner_hasten(r, "plugin");
		r->backlog_later = true;
	}
}

static char *directories(const struct config *config)
{
	const struct config_list *list = &config_host(config)->plugins;
	size_t n = 1;
	char *text;

	for (size_t i = 0; i < list->count; i++)
		n += strlen(list->list[i]) + 1;
	text = calloc(1, n);
	for (size_t i = 0; text && i < list->count; i++) {
		strcat(text, i ? ":" : "");
		strcat(text, list->list[i]);
	}
	return text;
}

static int create_plugins(struct error *error, struct runner *r)
{
	char *dirs = directories(r->options.config);
	struct plugins_options options = {.loop = &r->loop,
		.zygote = r->options.zygote,
		.directories = dirs,
		.run_directory = config_host(r->options.config)->state,
		.changed = on_plugin,
		.user = r};

	r->plugins = dirs ? plugins_create(error, &options) : NULL;
	free(dirs);
	return r->plugins ? 0 : E_NOMEM;
}

static int create_transfer(struct error *error, struct runner *r)
{
	struct transfer_options options = {.user_agent = "klinke",
		.allow_private = config_host(r->options.config)->allow_private.list,
		.on_breaker = breaker_changed,
		.user = r};

	r->transfer = transfer_create(error, &r->loop, &options);
	return r->transfer ? 0 : E_INVALID;
}

static int create_loop(struct error *error, struct runner *r)
{
	if (uv_loop_init(&r->loop) < 0 || uv_async_init(&r->loop, &r->wake, on_wake) < 0)
		return error_set(error, E_IO, "the event loop cannot be made");
	uv_timer_init(&r->loop, &r->claim_timer);
	uv_timer_init(&r->loop, &r->poll_timer);
	uv_timer_init(&r->loop, &r->tick_timer);
	uv_timer_init(&r->loop, &r->caller_timer);
	r->wake.data = r->claim_timer.data = r->poll_timer.data = r->tick_timer.data =
		r->caller_timer.data = r;
	mailbox_init(&r->mailbox, wake, r);
	r->has_loop = true;
	return 0;
}

static int create_plan(struct error *error, struct runner *r)
{
	struct plan_means m = generation_means(r);
	uint64_t generation;
	int err = generation_save(error, r->store, r->options.config, &generation);

	if (err < 0)
		return err;
	r->plan = plan_create(error, r->options.config, generation, &m);
	atomic_store(&r->n_generation, generation);
	return r->plan ? 0 : E_INVALID;
}

static int create_desk(struct error *error, struct runner *r)
{
	int err = builtin_catalogue(error, r->store, r->options.config);

	if (err < 0)
		return err;
	r->desk = desk_create(error, r->reader);
	return r->desk ? desk_refresh(error, r->desk) : E_NOMEM;
}

static void *run(void *arg)
{
	struct runner *r = arg;

	pthread_setname_np(pthread_self(), "runner");
	r->even_since_ms = clock_now_ms();
	if (!r->options.only_ours) {
		uv_timer_start(&r->tick_timer, on_tick, TICK_MS, TICK_MS);
		polls_start(r);
		alarms_start(r);
		runner_hasten(r, "bad auth"); /* both may have been mended while we were away */
		runner_hasten(r, "plugin");
		runner_hasten(r, ""); /* or the clock may have been put right */
		r->clock_ahead_ms = clock_now_ms() - clock_mono_ms();
		r->claim_wanted = true;
		runner_claim(r);
		intakes_begin(r);
	}
	uv_run(&r->loop, UV_RUN_DEFAULT);
	return NULL;
}

static int create_all(struct error *error, struct runner *r)
{
	int err = create_loop(error, r);

	if (!err)
		err = store_reader_open(error, &r->reader, config_host(r->options.config)->state);
	if (!err && !(r->engine = expr_engine_create(error)))
		err = E_NOMEM;
	if (!err)
		err = create_plugins(error, r);
	if (!err)
		err = create_transfer(error, r);
	if (!err)
		err = breakers_restore(error, r);
	if (!err)
		err = create_plan(error, r);
	if (!err)
		err = create_desk(error, r);
	if (!err && pthread_create(&r->thread, NULL, run, r) != 0)
		err = error_set(error, E_IO, "the runner's thread cannot be started");
	r->started = !err;
	return err;
}

struct runner *runner_create(struct error *error, const struct runner_options *options)
{
	struct runner *r = calloc(1, sizeof(*r));

	if (!r) {
		error_set(error, E_NOMEM, "no memory for the runner");
		return NULL;
	}
	r->options = *options;
	r->store = options->store;
	r->next_due_ms = INT64_MAX;
	config_ref(options->config);
	if (create_all(error, r) == 0)
		return r;
	runner_destroy(r);
	return NULL;
}

static void drain_here(struct question *q)
{
	q->runner->draining = true;
	receipts_stop(q->runner);
	gaps_stop(q->runner);
}

static void count_running(struct question *q)
{
	const struct runner *r = q->runner;

	/* What the store was asked for and has not answered yet would have nobody to free it. */
	q->result = (int)(r->hooks + r->normalizing + r->runs + r->claiming + r->fetching);
}

static void send_waiters_away(struct question *q)
{
	waiters_leave(q->runner);
}

static void hurry_here(struct question *q)
{
	callers_hurry(q->runner, q->deadline_ms);
}

void runner_hurry(struct runner *r, int64_t deadline_ms)
{
	struct question q = {.deadline_ms = deadline_ms - LAST_WORDS_MS};

	ask(r, &q, hurry_here);
}

void runner_drain(struct runner *r, int64_t deadline_ms)
{
	struct question q = {0};

	ask(r, &q, drain_here);
	while (clock_mono_ms() < deadline_ms) {
		struct question running = {0};
		if (ask(r, &running, count_running) == 0)
			break;
		nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
	}
	q = (struct question){0};
	ask(r, &q, send_waiters_away);
}

static void close_handle(uv_handle_t *handle, void *arg)
{
	(void)arg;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

/* What is still under way ends here as far as memory goes; its rows tell where it was. */
static void stop_here(struct question *q)
{
	struct runner *r = q->runner;

	r->draining = r->stopping = true;
	receipts_stop(r);
	gaps_stop(r);
	uv_timer_stop(&r->poll_timer);
	uv_timer_stop(&r->claim_timer);
	uv_timer_stop(&r->tick_timer);
	callers_stop(r);
	intake_tick(r);
	uv_stop(&r->loop);
}

static void finish_loop(struct runner *r)
{
	if (!r->has_loop)
		return;
	uv_run(&r->loop, UV_RUN_NOWAIT);
	uv_walk(&r->loop, close_handle, NULL);
	while (uv_run(&r->loop, UV_RUN_DEFAULT) != 0)
		;
	uv_loop_close(&r->loop);
}

/* Returns when the store has nothing of ours in its hands any more: operations are done in their
 * order, and the generation in use is stored already. */
static void settle(struct runner *r)
{
	uint64_t generation;

	if (r->started)
		generation_save(NULL, r->store, r->options.config, &generation);
}

static void is_caring(struct question *q)
{
	q->result = receipts_busy(q->runner) || gaps_busy(q->runner);
}

/* Threads that look at receipts and gaps may wait for operations, which only a runner that runs can
 * tell the end of. They hear that it stops, and ask for nothing more. */
static void end_care(struct runner *r)
{
	struct question stop = {0}, away = {0}, busy = {0};

	ask(r, &stop, drain_here);
	ask(r, &away, send_waiters_away);
	while (ask(r, &busy, is_caring)) {
		nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
		busy = (struct question){0};
	}
}

void runner_destroy(struct runner *r)
{
	struct question q = {0};

	if (!r)
		return;
	if (r->started) {
		end_care(r);
		ask(r, &q, stop_here);
		pthread_join(r->thread, NULL);
	}
	if (r->transfer)
		transfer_destroy(r->transfer);
	generations_drop(r);
	plugins_destroy(r->plugins);
	settle(r);
	finish_loop(r);
	retention_finish(r);
	receipts_finish(r);
	gaps_finish(r);
	jobs_abandon(r);
	intakes_abandon(r);
	callers_abandon(r);
	asks_abandon(r);
	alarms_finish(r);
	pauses_finish(r);
	desk_destroy(r->desk);
	expr_engine_destroy(r->engine);
	store_reader_close(r->reader);
	config_unref(r->options.config);
	while (r->spares)
		arena_destroy(r->spare[--r->spares]);
	free(r);
}

/* ---- Figures ------------------------------------------------------------------------------ */

void runner_stats(struct runner *r, struct runner_stats *out)
{
	*out = (struct runner_stats){
		.hooks = atomic_load(&r->n_hooks),
		.rejected = atomic_load(&r->n_rejected),
		.refused = atomic_load(&r->n_refused),
		.strays = atomic_load(&r->n_strays),
		.events = atomic_load(&r->n_events),
		.repeats = atomic_load(&r->n_repeats),
		.jobs_done = atomic_load(&r->n_done),
		.jobs_failed = atomic_load(&r->n_failed),
		.requests = atomic_load(&r->n_requests),
		.jobs_running = atomic_load(&r->n_runs),
		.generation = atomic_load(&r->n_generation),
		.answered = atomic_load(&r->n_answered),
		.fallbacks = atomic_load(&r->n_fallbacks),
		.repeated = atomic_load(&r->n_repeated),
		.unanswered = atomic_load(&r->n_unanswered),
		.late = atomic_load(&r->n_late),
	};
}

static void metrics_here(struct question *q)
{
	figures_print(q->runner, q->out);
	retention_print(q->runner, q->out);
	receipts_print(q->runner, q->out);
	gaps_print(q->runner, q->out);
	alarms_print(q->runner, q->out);
	pauses_print(q->runner, q->out);
}

static void config_here(struct question *q)
{
	q->config = config_ref(q->runner->plan->config);
}

const struct config *runner_config(struct runner *r)
{
	struct question q = {0};

	ask(r, &q, config_here);
	return q.config;
}

void runner_metrics(struct runner *r, struct buf *out)
{
	ask(r, &(struct question){.out = out}, metrics_here);
}

static void list_here(struct question *q)
{
	q->by(q->runner, q->arena, q->list);
}

void runner_plugins(struct runner *r, struct arena *arena, struct json *list)
{
	ask(r, &(struct question){.arena = arena, .list = list, .by = figures_plugins}, list_here);
}

void runner_troubles(struct runner *r, struct arena *arena, struct json *list)
{
	ask(r, &(struct question){.arena = arena, .list = list, .by = figures_troubles}, list_here);
}
