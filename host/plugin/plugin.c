/* plugin.c - one plugin: loading, its queues, who runs what, what happens when a worker dies.
 *
 * Never runs a plugin's code itself, but for inline isolation. The loop's thread runs all of it.
 */
#include "plugin/crew.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "plugin/call.h"

#define EDITION_MEMORY ((size_t)4 * 1024 * 1024)
#define MOST_TRIES 3u
#define FIRST_BACKOFF_MS 100
#define LONGEST_BACKOFF_MS 5000
#define HEALTHY_MS 30000 /* a worker that lived so long was no part of a row of deaths */

/* ---- queues ------------------------------------------------------------------------------- */

void queue_push(struct queue *queue, struct flight *flight)
{
	flight->next = NULL;
	if (queue->last)
		queue->last->next = flight;
	else
		queue->head = flight;
	queue->last = flight;
	queue->count++;
}

struct flight *queue_pop(struct queue *queue)
{
	struct flight *flight = queue->head;

	if (!flight)
		return NULL;
	queue->head = flight->next;
	if (!queue->head)
		queue->last = NULL;
	queue->count--;
	flight->next = NULL;
	return flight;
}

/* All of from, in its order, before what is there. */
static void queue_push_front(struct queue *queue, struct queue *from)
{
	if (!from->head)
		return;
	from->last->next = queue->head;
	queue->head = from->head;
	if (!queue->last)
		queue->last = from->last;
	queue->count += from->count;
	*from = (struct queue){0};
}

/* ---- the end of a call -------------------------------------------------------------------- */

void plugin_call_ended(struct plugin_call *call)
{
	struct plugin_stats *stats = &call->plugin->stats;

	stats->failed += call->out.status == PLUGIN_FAILED;
	stats->died += call->out.status == PLUGIN_DIED;
	stats->timeouts += call->out.status == PLUGIN_TIMEOUT || call->out.status == PLUGIN_NOT_RUN;
	call->done(call);
}

void flight_answered(struct plugin *plugin, struct flight *flight)
{
	struct plugin_call *call = flight->call;

	(void)plugin;
	free(flight);
	if (call)
		plugin_call_ended(call);
}

static void set_end(struct plugin *plugin, struct plugin_call *call, enum plugin_status status,
	int code, const char *sentence)
{
	call->out = (struct plugin_out){.status = status};
	error_set(&call->out.error, code, "plugin %s: %s: %s", plugin->name,
		call_name(call->in.kind), sentence);
}

void flight_end(struct plugin *plugin, struct flight *flight, enum plugin_status status, int code,
	const char *sentence)
{
	if (flight->call)
		set_end(plugin, flight->call, status, code, sentence);
	flight_answered(plugin, flight);
}

/* done() at the end of this turn, never inside plugin_submit(). */
static void end_later(struct plugin *plugin, struct flight *flight, enum plugin_status status,
	int code, const char *sentence)
{
	set_end(plugin, flight->call, status, code, sentence);
	queue_push(&plugin->plugins->finished, flight);
	plugins_wake(plugin->plugins);
}

static void disable_waiting(struct plugin *plugin)
{
	struct flight *flight;

	while ((flight = queue_pop(&plugin->urgent)) || (flight = queue_pop(&plugin->waiting)))
		end_later(plugin, flight, PLUGIN_DISABLED, E_DENIED, plugin->problem);
}

/* ---- states ------------------------------------------------------------------------------- */

static void __attribute__((format(printf, 2, 3)))
plugin_changed(struct plugin *plugin, const char *format, ...)
{
	const struct plugins_options *options = &plugin->plugins->options;
	char what[600];
	va_list args;

	if (!options->changed || plugin->plugins->ending)
		return;
	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	options->changed(options->user, plugin, what);
}

void plugin_disable(struct plugin *plugin, const char *sentence)
{
	plugin->state = PLUGIN_BROKEN;
	plugin->respawn_at_ms = 0;
	snprintf(plugin->problem, sizeof(plugin->problem), "%s", sentence);
	disable_waiting(plugin);
	plugin_changed(plugin, "disabled: %s", plugin->problem);
}

static void close_copy(struct edition *edition)
{
	if (edition && edition->copy >= 0)
		close(edition->copy);
	if (edition)
		edition->copy = -1;
}

/* The file that was being read is no good. What ran before goes on. */
static void give_up_loading(struct plugin *plugin, const char *sentence)
{
	close_copy(plugin->loading);
	plugin->loading = NULL;
	if (plugin->current)
		plugin_changed(plugin, "not reloaded, the old one goes on: %s", sentence);
	else
		plugin_disable(plugin, sentence);
}

/* ---- loading ------------------------------------------------------------------------------ */

static struct edition *new_edition(struct error *error, struct plugin *plugin)
{
	struct edition *edition = calloc(1, sizeof(*edition));

	if (!edition) {
		error_set(error, E_NOMEM, "no memory for plugin %s", plugin->name);
		return NULL;
	}
	edition->copy = start_copy(error, plugin->path, plugin->plugins->run_directory);
	edition->arena = arena_create(EDITION_MEMORY);
	edition->next = plugin->editions; /* kept for ever: infos have been handed out */
	plugin->editions = edition;
	return edition->copy >= 0 ? edition : NULL;
}

static int load_inline(struct error *error, struct plugin *plugin, struct edition *edition)
{
	char file[32];

	edition->loaded = calloc(1, sizeof(*edition->loaded));
	if (!edition->loaded)
		return error_set(error, E_NOMEM, "no memory for plugin %s", plugin->name);
	snprintf(file, sizeof(file), "/proc/self/fd/%d", edition->copy);
	return load_plugin(
		error, edition->arena, file, plugin->name, plugin->path, edition->loaded);
}

static void adopt_inline(struct plugin *plugin)
{
	struct edition *edition = plugin->loading;

	edition->info = edition->loaded->info;
	edition->ready = true;
	plugin->current = edition;
	plugin->loading = NULL;
	plugin->state = PLUGIN_READY;
	plugin_changed(plugin, "ready, version %s, inside the host", edition->info.version);
}

/* A lack of descriptors or of memory passes; what is wrong with the file does not. */
static void load_later(struct plugin *plugin, int code, const char *sentence)
{
	bool passes = code == E_NOMEM || code == E_IO || code == E_CLOSED;

	if (!passes || plugin->current || ++plugin->load_tries > MOST_TRIES) {
		plugin->load_tries = 0;
		give_up_loading(plugin, sentence);
		return;
	}
	close_copy(plugin->loading);
	plugin->loading = NULL;
	plugin->state = PLUGIN_LOADING;
	plugin->load_at_ms = clock_mono_ms() + FIRST_BACKOFF_MS;
	plugin_changed(plugin, "not loaded yet: %s", sentence);
	plugins_wake(plugin->plugins);
}

void plugin_start_loading(struct plugin *plugin)
{
	struct error error = {0};
	bool is_inline = plugin->settings.isolation == PLUGIN_ISOLATE_INLINE;
	int failed;

	if (plugin->plugins->connect_at_ms && !is_inline) {
		plugin->load_again = true;
		return;
	}
	plugin->load_at_ms = 0;
	close_copy(plugin->loading);
	plugin->loading = new_edition(&error, plugin);
	if (!plugin->loading) {
		load_later(plugin, error.code, error.text);
		return;
	}
	if (!plugin->current)
		plugin->state = PLUGIN_LOADING;
	failed = is_inline ? load_inline(&error, plugin, plugin->loading)
			   : hand_start(&error, plugin, plugin->loading, false);
	if (failed)
		load_later(plugin, error.code, error.text);
	else if (is_inline)
		adopt_inline(plugin);
}

static bool somebody_may_wait(const struct plugin_info *info)
{
	size_t i;

	for (i = 0; i < info->route_count; i++)
		if (info->routes[i].reply_ms)
			return true;
	return false;
}

static unsigned count_hands(const struct plugin *plugin, bool urgent)
{
	const struct hand *hand;
	unsigned count = 0;

	for (hand = plugin->hands; hand; hand = hand->next)
		count += hand->edition == plugin->current && hand->urgent == urgent &&
			 hand->state <= HAND_READY;
	return count;
}

static void start_urgent(struct plugin *plugin)
{
	if (!plugin->respawn_at_ms && !count_hands(plugin, true))
		hand_start(NULL, plugin, plugin->current, true);
}

/* As many workers as there ought to be. */
static void fill_crew(struct plugin *plugin)
{
	unsigned wanted = plugin->settings.workers ? plugin->settings.workers : 1;
	unsigned have = count_hands(plugin, false);

	plugin->respawn_at_ms = 0;
	for (; have < wanted; have++)
		if (hand_start(NULL, plugin, plugin->current, false))
			plugin->respawn_at_ms = clock_mono_ms() + LONGEST_BACKOFF_MS;
	if (somebody_may_wait(&plugin->current->info))
		start_urgent(plugin);
}

static void retire_others(struct plugin *plugin)
{
	struct hand *hand;

	for (hand = plugin->hands; hand; hand = hand->next)
		if (hand->edition != plugin->current)
			hand_retire(hand);
}

void plugin_hand_ready(struct hand *hand)
{
	struct plugin *plugin = hand->plugin;

	if (hand->edition == plugin->loading) {
		close_copy(plugin->current);
		plugin->current = plugin->loading;
		plugin->loading = NULL;
		plugin->state = PLUGIN_READY;
		plugin->deaths = 0;
		retire_others(plugin);
		fill_crew(plugin);
		plugin_changed(plugin, "ready, version %s", plugin->current->info.version);
	}
	plugins_wake(plugin->plugins);
}

void plugin_hand_refused(struct hand *hand, const char *sentence)
{
	struct plugin *plugin = hand->plugin;

	if (hand->edition == plugin->loading)
		give_up_loading(plugin, sentence);
	hand_kill(hand, sentence);
}

/* ---- deaths ------------------------------------------------------------------------------- */

static void end_suspect(struct hand *hand, struct flight *flight, const char *how)
{
	char sentence[300];

	if (hand->killed_for == flight->id) {
		snprintf(sentence, sizeof(sentence), "it ran for more than %u ms and was stopped",
			flight->timeout_ms);
		flight_end(hand->plugin, flight, PLUGIN_TIMEOUT, E_TIMEOUT, sentence);
		return;
	}
	snprintf(sentence, sizeof(sentence), "its worker %s while running it", how);
	flight_end(hand->plugin, flight, PLUGIN_DIED, E_CLOSED, sentence);
}

/* The suspect's caller is told; the others are innocent and go to the next worker. */
static void share_out(struct hand *hand, const char *how)
{
	const struct flight *suspect =
		hand->orphan && !hand->killed_for ? NULL : hand_suspect(hand);
	struct queue again = {0};
	struct flight *flight;

	while ((flight = queue_pop(&hand->flights)))
		if (!flight->call)
			flight_answered(hand->plugin, flight);
		else if (flight == suspect)
			end_suspect(hand, flight, how);
		else if (++flight->tries > MOST_TRIES)
			flight_end(hand->plugin, flight, PLUGIN_DIED, E_CLOSED,
				"one worker after another died while it waited");
		else
			queue_push(&again, flight);
	queue_push_front(hand->urgent ? &hand->plugin->urgent : &hand->plugin->waiting, &again);
}

static void plan_respawn(struct plugin *plugin)
{
	int64_t now_ms = clock_mono_ms(), wait_ms = FIRST_BACKOFF_MS;
	unsigned i;

	if (now_ms - plugin->last_death_ms > HEALTHY_MS)
		plugin->deaths = 0;
	plugin->last_death_ms = now_ms;
	for (i = 1; i < plugin->deaths && wait_ms < LONGEST_BACKOFF_MS; i++)
		wait_ms *= 2;
	if (wait_ms > LONGEST_BACKOFF_MS)
		wait_ms = LONGEST_BACKOFF_MS;
	plugin->respawn_at_ms = now_ms + (plugin->deaths ? wait_ms : 0);
	plugin->deaths++;
	plugin->stats.respawns++;
}

static void note_death(struct plugin *plugin, const char *how, const char *in)
{
	plugin->stats.deaths++;
	plugin->stats.last_death_ms = clock_now_ms();
	snprintf(plugin->last_death, sizeof(plugin->last_death), "its worker %s%s%s", how,
		in ? " in " : "", in ? in : "");
}

static void unlink_hand(struct hand *hand)
{
	struct hand **at = &hand->plugin->hands;

	while (*at != hand)
		at = &(*at)->next;
	*at = hand->next;
}

void plugin_hand_ended(struct hand *hand, const char *how)
{
	struct plugin *plugin = hand->plugin;
	bool was_current = hand->edition == plugin->current && hand->edition && !hand->orphan;
	bool was_loading = hand->edition == plugin->loading && plugin->loading;
	const struct flight *ran = hand_suspect(hand);
	char end[200], sentence[300];

	unlink_hand(hand);
	if (hand->killed_why[0])
		snprintf(end, sizeof(end), "was stopped: %s", hand->killed_why);
	else
		snprintf(end, sizeof(end), "%s%s", how,
			hand->was_ready ? "" : " while it was loaded");
	snprintf(sentence, sizeof(sentence), "plugin %s: its worker %s", plugin->name, end);
	if (was_current || was_loading)
		note_death(plugin, end, ran && ran->call ? call_name(ran->call->in.kind) : NULL);
	if (was_loading)
		load_later(plugin, hand->starved ? E_NOMEM : E_CORRUPT, sentence);
	share_out(hand, how);
	hand_destroy(hand);
	if (was_current && plugin->state == PLUGIN_READY) {
		plan_respawn(plugin);
		plugin_changed(plugin, "%s", sentence);
	}
	plugins_wake(plugin->plugins);
}

/* ---- the zygote's end --------------------------------------------------------------------- */

void plugin_lose_zygote(struct plugin *plugin)
{
	if (plugin->settings.isolation == PLUGIN_ISOLATE_INLINE)
		return;
	plugin->load_again = plugin->loading;
	close_copy(plugin->loading);
	plugin->loading = NULL;
	plugin->respawn_at_ms = 0;
	while (plugin->hands) {
		plugin->hands->orphan = true;
		hand_ended(plugin->hands, "died with the zygote");
	}
}

void plugin_regain_zygote(struct plugin *plugin)
{
	bool again = plugin->load_again;

	if (plugin->settings.isolation == PLUGIN_ISOLATE_INLINE)
		return;
	plugin->load_again = false;
	if (plugin->current) {
		plugin->state = PLUGIN_READY;
		fill_crew(plugin);
		plugin_changed(plugin, "the process that workers are forked from was made anew");
	}
	if (again)
		plugin_start_loading(plugin);
}

/* ---- dispatch ----------------------------------------------------------------------------- */

static struct hand *choose(const struct plugin *plugin, bool urgent)
{
	struct hand *hand, *best = NULL;

	for (hand = plugin->hands; hand; hand = hand->next)
		if (hand->state == HAND_READY && hand->urgent == urgent && hand_has_room(hand) &&
			(!best || hand->flights.count < best->flights.count))
			best = hand;
	return best;
}

static void dispatch_queue(struct plugin *plugin, struct queue *queue, bool urgent)
{
	while (queue->head) {
		struct hand *hand = choose(plugin, urgent);
		struct flight *flight;
		if (!hand && urgent)
			hand = choose(plugin, false);
		if (!hand)
			return;
		flight = queue_pop(queue);
		if (!hand_send(hand, flight))
			end_later(plugin, flight, PLUGIN_FAILED, E_NOMEM,
				"there is no memory for its arguments, or they are longer than 64 "
				"MiB");
	}
}

static void run_inline(struct plugin *plugin, struct flight *flight)
{
	struct plugin_call *call = flight->call;

	call_run(plugin->current->loaded, call->config ? call->config->tree : NULL, &call->in,
		&plugin->plugins->options.limits, call->arena, &call->out);
	flight_answered(plugin, flight);
}

void plugin_dispatch(struct plugin *plugin)
{
	struct hand *hand;
	struct flight *flight;

	if (plugin->state != PLUGIN_READY)
		return;
	if (plugin->settings.isolation == PLUGIN_ISOLATE_INLINE) {
		while ((flight = queue_pop(&plugin->urgent)) ||
			(flight = queue_pop(&plugin->waiting)))
			run_inline(plugin, flight);
		return;
	}
	if (plugin->urgent.head)
		start_urgent(plugin);
	dispatch_queue(plugin, &plugin->urgent, true);
	dispatch_queue(plugin, &plugin->waiting, false);
	for (hand = plugin->hands; hand; hand = hand->next)
		hand_flush(hand);
}

/* ---- time --------------------------------------------------------------------------------- */

static void expire_queue(struct plugin *plugin, struct queue *queue, int64_t now_ms)
{
	struct queue kept = {0};
	struct flight *flight;

	while ((flight = queue_pop(queue)))
		if (now_ms < flight->deadline_ms)
			queue_push(&kept, flight);
		else
			end_later(plugin, flight, PLUGIN_NOT_RUN, E_TIMEOUT,
				"no worker was free in time");
	*queue = kept;
}

/* Their callers stop waiting; whether the worker is to blame hand_tick() decides. Those that are
 * behind the one it runs are not. */
static void expire_flights(struct plugin *plugin, struct hand *hand, int64_t now_ms)
{
	const struct flight *runs = hand_suspect(hand);
	struct flight *flight;

	for (flight = hand->flights.head; flight; flight = flight->next) {
		struct flight *told;
		if (!flight->call || now_ms < flight->deadline_ms)
			continue;
		told = calloc(1, sizeof(*told));
		if (!told)
			continue; /* next time */
		told->call = flight->call;
		flight->call = NULL;
		if (flight == runs)
			end_later(plugin, told, PLUGIN_TIMEOUT, E_TIMEOUT,
				"it was not answered in time");
		else
			end_later(plugin, told, PLUGIN_NOT_RUN, E_TIMEOUT,
				"another call kept its worker busy");
	}
}

void plugin_tick(struct plugin *plugin, int64_t now_ms)
{
	struct hand *hand;

	expire_queue(plugin, &plugin->urgent, now_ms);
	expire_queue(plugin, &plugin->waiting, now_ms);
	for (hand = plugin->hands; hand; hand = hand->next) {
		if (hand->flights.count)
			hand_drain(hand); /* if this loop was late, they are not to blame */
		expire_flights(plugin, hand, now_ms);
		hand_tick(hand, now_ms);
	}
	if (plugin->respawn_at_ms && now_ms >= plugin->respawn_at_ms)
		fill_crew(plugin);
	if (plugin->load_at_ms && now_ms >= plugin->load_at_ms)
		plugin_start_loading(plugin);
}

bool plugin_is_busy(const struct plugin *plugin)
{
	const struct hand *hand;

	if (plugin->waiting.count || plugin->urgent.count || plugin->respawn_at_ms ||
		plugin->load_at_ms)
		return true;
	for (hand = plugin->hands; hand; hand = hand->next)
		if (hand->flights.count || hand->state != HAND_READY)
			return true;
	return false;
}

/* ---- plugin.h ----------------------------------------------------------------------------- */

/* done() at the end of this turn, too, by what the call has about it. */
static void starve(struct plugin *plugin, struct plugin_call *call)
{
	set_end(plugin, call, PLUGIN_FAILED, E_NOMEM, "there is no memory to call it");
	call->next = plugin->plugins->starved;
	plugin->plugins->starved = call;
	plugins_wake(plugin->plugins);
}

void plugin_submit(struct plugin_call *call)
{
	struct plugin *plugin = call->plugin;
	struct plugins *plugins = plugin->plugins;
	struct flight *flight = calloc(1, sizeof(*flight));

	assert(call->done && call->arena);
	assert(!call->config || call->config->plugin == plugin);
	if (!flight) {
		starve(plugin, call);
		return;
	}
	flight->id = ++plugins->last_id;
	flight->call = call;
	flight->timeout_ms = call->timeout_ms ? call->timeout_ms : plugins->options.timeout_ms;
	flight->deadline_ms = clock_mono_ms() + flight->timeout_ms;
	plugin->stats.calls++;
	if (plugin->state == PLUGIN_BROKEN)
		end_later(plugin, flight, PLUGIN_DISABLED, E_DENIED, plugin->problem);
	else
		queue_push(call->urgent ? &plugin->urgent : &plugin->waiting, flight);
	plugins_wake(plugins);
}

void plugin_reload(struct plugin *plugin)
{
	plugin_start_loading(plugin);
}

const char *plugin_name(const struct plugin *plugin)
{
	return plugin->name;
}

enum plugin_state plugin_state(const struct plugin *plugin)
{
	return plugin->state;
}

const char *plugin_problem(const struct plugin *plugin)
{
	return plugin->state == PLUGIN_BROKEN ? plugin->problem : NULL;
}

const struct plugin_info *plugin_info(const struct plugin *plugin)
{
	return plugin->current ? &plugin->current->info : NULL;
}

struct plugin_stats plugin_stats(const struct plugin *plugin)
{
	struct plugin_stats stats = plugin->stats;
	const struct hand *hand;

	stats.queued = plugin->waiting.count + plugin->urgent.count;
	stats.pausing = plugin->respawn_at_ms != 0;
	for (hand = plugin->hands; hand; hand = hand->next) {
		stats.in_flight += hand->flights.count;
		stats.workers += hand->state == HAND_READY;
	}
	return stats;
}

const char *plugin_last_death(const struct plugin *plugin)
{
	return plugin->last_death;
}

const struct plugin *plugins_next(const struct plugins *plugins, const struct plugin *plugin)
{
	return plugin ? plugin->next : plugins->list;
}

/* ---- connections' options ----------------------------------------------------------------- */

static bool read_config(struct error *error, struct plugin_config *config)
{
	config->arena = arena_create(1024 * 1024 + 16 * config->len);
	config->tree = json_parse(config->arena, (struct str){config->text, config->len}, error);
	if (config->tree && json_type(config->tree) != JSON_OBJECT) {
		error_set(error, E_INVALID, "options of a connection are no JSON object");
		return false;
	}
	json_push(config->arena, json_array(config->arena), config->tree); /* freezes it */
	return config->tree;
}

static void free_config(struct plugin_config *config)
{
	arena_destroy(config->arena);
	free(config->text);
	free(config);
}

struct plugin_config *plugin_config_create(
	struct error *error, struct plugin *plugin, struct str json)
{
	struct plugin_config *config = calloc(1, sizeof(*config));

	if (!config)
		return NULL;
	config->plugin = plugin;
	config->len = json.len;
	config->text = json.ptr ? strndup(json.ptr, json.len) : NULL;
	if (!config->text || !read_config(error, config)) {
		free_config(config);
		return NULL;
	}
	if (plugin->settings.isolation != PLUGIN_ISOLATE_INLINE) {
		arena_destroy(config->arena); /* the worker has its own tree */
		config->arena = NULL;
		config->tree = NULL;
	}
	config->number = ++plugin->plugins->last_config;
	config->next = plugin->configs;
	plugin->configs = config;
	return config;
}

void plugin_config_destroy(struct plugin_config *config)
{
	struct plugin_config **at;
	struct hand *hand;

	if (!config)
		return;
	for (at = &config->plugin->configs; *at != config;)
		at = &(*at)->next;
	*at = config->next;
	for (hand = config->plugin->hands; hand; hand = hand->next)
		hand_forget(hand, config->number);
	plugins_wake(config->plugin->plugins);
	free_config(config);
}

/* ---- the end of a plugin ------------------------------------------------------------------ */

static void end_all(struct plugin *plugin)
{
	struct queue all = {0};
	struct flight *flight;
	struct hand *hand;

	queue_push_front(&all, &plugin->waiting);
	queue_push_front(&all, &plugin->urgent);
	for (hand = plugin->hands; hand; hand = hand->next)
		queue_push_front(&all, &hand->flights);
	while ((flight = queue_pop(&all)))
		flight_end(plugin, flight, PLUGIN_DISABLED, E_CLOSED, "the host is stopping");
}

void plugin_end(struct plugin *plugin)
{
	plugin->state = PLUGIN_BROKEN;
	plugin->respawn_at_ms = plugin->load_at_ms = 0;
	snprintf(plugin->problem, sizeof(plugin->problem), "the host is stopping");
	end_all(plugin);
}

void plugin_free(struct plugin *plugin)
{
	while (plugin->hands) {
		struct hand *hand = plugin->hands;
		plugin->hands = hand->next;
		hand_destroy(hand);
	}
	while (plugin->editions) {
		struct edition *edition = plugin->editions;
		plugin->editions = edition->next;
		close_copy(edition);
		arena_destroy(edition->arena);
		free(edition->loaded);
		free(edition);
	}
	while (plugin->configs) { /* whoever made them may still destroy them: not after this */
		struct plugin_config *config = plugin->configs;
		plugin->configs = config->next;
		free_config(config);
	}
	free(plugin);
}
