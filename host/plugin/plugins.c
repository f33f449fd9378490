/* plugins.c - the set of plugins on its loop: handles, news from the zygote, the tick.
 *
 * Work is noted while callbacks run and done once per turn, just before the loop sleeps: that is
 * what makes one write of many frames. The loop's thread runs all of it.
 */
#include "plugin/crew.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#define TICK_MS 10
#define FIRST_PAUSE_MS 100
#define LONGEST_PAUSE_MS 5000
#define HEALTHY_MS 30000 /* a zygote that lived so long was no part of a row of deaths */

/* ---- turns -------------------------------------------------------------------------------- */

static void on_idle(uv_idle_t *idle)
{
	(void)idle; /* it only keeps the loop from sleeping before on_prepare */
}

static bool has_finished(const struct plugins *plugins)
{
	return plugins->finished.head || plugins->starved;
}

static bool is_busy(const struct plugins *plugins)
{
	const struct plugin *plugin;

	if (plugins->finished.head || plugins->connect_at_ms)
		return true;
	for (plugin = plugins->list; plugin; plugin = plugin->next)
		if (plugin_is_busy(plugin))
			return true;
	return false;
}

static void run_finished(struct plugins *plugins)
{
	struct flight *flight;
	struct plugin_call *call;

	while ((flight = queue_pop(&plugins->finished)))
		flight_answered(flight->call->plugin, flight);
	while ((call = plugins->starved)) {
		plugins->starved = call->next;
		plugin_call_ended(call);
	}
}

static void on_prepare(uv_prepare_t *prepare)
{
	struct plugins *plugins = prepare->data;
	struct plugin *plugin;

	uv_idle_stop(&plugins->idle);
	do {
		run_finished(plugins); /* whose done() may submit more */
		for (plugin = plugins->list; plugin; plugin = plugin->next)
			plugin_dispatch(plugin);
	} while (has_finished(plugins));
	if (!is_busy(plugins))
		uv_timer_stop(&plugins->tick);
}

static void connect_again(struct plugins *plugins, int64_t now_ms);

static void on_tick(uv_timer_t *timer)
{
	struct plugins *plugins = timer->data;
	struct plugin *plugin;
	int64_t now_ms = clock_mono_ms();

	if (plugins->connect_at_ms && now_ms >= plugins->connect_at_ms)
		connect_again(plugins, now_ms);
	for (plugin = plugins->list; plugin; plugin = plugin->next)
		plugin_tick(plugin, now_ms);
}

void plugins_wake(struct plugins *plugins)
{
	if (plugins->ending)
		return;
	uv_idle_start(&plugins->idle, on_idle);
	if (!uv_is_active((uv_handle_t *)&plugins->tick))
		uv_timer_start(&plugins->tick, on_tick, TICK_MS, TICK_MS);
}

/* ---- news from the zygote ----------------------------------------------------------------- */

static struct hand *find_hand(const struct plugins *plugins, uint32_t number)
{
	const struct plugin *plugin;
	struct hand *hand;

	for (plugin = plugins->list; plugin; plugin = plugin->next)
		for (hand = plugin->hands; hand; hand = hand->next)
			if (hand->number == number)
				return hand;
	return NULL;
}

static void take_news(struct plugins *plugins, const struct zygote_news *news)
{
	struct hand *hand = find_hand(plugins, news->number);
	char how[120];

	if (!hand || (news->kind != ZYGOTE_EXITED && news->kind != ZYGOTE_FAILED))
		return;
	if (news->kind == ZYGOTE_EXITED)
		zygote_describe_exit(how, sizeof(how), news->value);
	else
		snprintf(how, sizeof(how), "could not be forked (%s)", strerror(news->value));
	hand_ended(hand, how);
}

static void on_closed(uv_handle_t *handle);

static void hang_up(struct plugins *plugins)
{
	plugins->control_closing = true;
	uv_close((uv_handle_t *)&plugins->control, on_closed);
	close(plugins->client);
	plugins->client = -1;
}

/* Nobody can be started: to wait for that would only let everybody wait. */
static void disable_all(struct plugins *plugins, const char *why)
{
	struct plugin *plugin;

	for (plugin = plugins->list; plugin; plugin = plugin->next)
		if (plugin->settings.isolation != PLUGIN_ISOLATE_INLINE &&
			plugin->state != PLUGIN_BROKEN)
			plugin_disable(plugin, why);
}

static void lengthen_pause(struct plugins *plugins, int64_t now_ms)
{
	plugins->connect_at_ms = now_ms + plugins->connect_pause_ms;
	plugins->connect_pause_ms =
		plugins->connect_pause_ms ? 2 * plugins->connect_pause_ms : FIRST_PAUSE_MS;
	if (plugins->connect_pause_ms > LONGEST_PAUSE_MS)
		plugins->connect_pause_ms = LONGEST_PAUSE_MS;
}

static void lose_zygote(struct plugins *plugins)
{
	int64_t now_ms = clock_mono_ms();
	struct plugin *plugin;

	hang_up(plugins);
	for (plugin = plugins->list; plugin; plugin = plugin->next)
		plugin_lose_zygote(plugin);
	if (!zygote_renews(plugins->options.zygote)) {
		disable_all(plugins,
			"the process that workers are forked from is gone; restart klinke");
		return;
	}
	if (now_ms - plugins->lost_at_ms > HEALTHY_MS)
		plugins->connect_pause_ms = 0;
	plugins->lost_at_ms = now_ms;
	lengthen_pause(plugins, now_ms);
	plugins_wake(plugins);
}

static void on_control(uv_poll_t *poll, int status, int events);

static void watch_control(struct plugins *plugins)
{
	uv_poll_start(&plugins->control, UV_READABLE | UV_DISCONNECT, on_control);
}

static void on_control(uv_poll_t *poll, int status, int events)
{
	struct plugins *plugins = poll->data;
	struct zygote_news news;
	int got;

	(void)events;
	while ((got = zygote_read(plugins->client, &news)) > 0)
		take_news(plugins, &news);
	if (got < 0)
		lose_zygote(plugins);
	else if (status < 0) /* which libuv takes for the end of watching */
		watch_control(plugins);
}

static void open_handle(struct plugins *plugins, uv_handle_t *handle)
{
	handle->data = plugins;
	uv_unref(handle);
	plugins->open_handles++;
}

static int open_control(struct error *error, struct plugins *plugins)
{
	int failed = uv_poll_init(plugins->options.loop, &plugins->control, plugins->client);

	if (failed)
		return error_set(error, E_IO,
			"the process that workers are forked from cannot be watched: %s",
			uv_strerror(failed));
	open_handle(plugins, (uv_handle_t *)&plugins->control);
	watch_control(plugins);
	return 0;
}

static int connect_client(struct error *error, struct plugins *plugins)
{
	plugins->client = zygote_connect(error, plugins->options.zygote);
	if (plugins->client < 0)
		return -1;
	if (open_control(error, plugins) == 0)
		return 0;
	close(plugins->client);
	plugins->client = -1;
	return -1;
}

static void connect_again(struct plugins *plugins, int64_t now_ms)
{
	struct plugin *plugin;
	struct error error = {0};

	if (plugins->control_closing)
		return; /* the handle is used again; next tick */
	if (connect_client(&error, plugins) < 0) {
		disable_all(plugins, error.text);
		lengthen_pause(plugins, now_ms);
		return;
	}
	plugins->connect_at_ms = 0;
	for (plugin = plugins->list; plugin; plugin = plugin->next)
		plugin_regain_zygote(plugin);
	plugins_wake(plugins);
}

/* ---- create, destroy ---------------------------------------------------------------------- */

static void open_handles(struct plugins *plugins)
{
	uv_loop_t *loop = plugins->options.loop;

	uv_prepare_init(loop, &plugins->prepare);
	uv_idle_init(loop, &plugins->idle);
	uv_timer_init(loop, &plugins->tick);
	open_handle(plugins, (uv_handle_t *)&plugins->prepare);
	open_handle(plugins, (uv_handle_t *)&plugins->idle);
	open_handle(plugins, (uv_handle_t *)&plugins->tick);
	uv_ref((uv_handle_t *)&plugins->tick); /* while there is work the loop goes on */
	uv_prepare_start(&plugins->prepare, on_prepare);
}

static void fill_defaults(struct plugins_options *options)
{
	options->timeout_ms = options->timeout_ms ? options->timeout_ms : 2000;
	options->load_timeout_ms = options->load_timeout_ms ? options->load_timeout_ms : 5000;
	options->worker_memory =
		options->worker_memory ? options->worker_memory : (size_t)256 * 1024 * 1024;
}

static void free_plugins(struct plugins *plugins)
{
	if (plugins->client >= 0)
		close(plugins->client); /* the zygote kills what is left */
	free(plugins->directories);
	free(plugins->run_directory);
	free(plugins);
}

struct plugins *plugins_create(struct error *error, const struct plugins_options *options)
{
	struct plugins *plugins = calloc(1, sizeof(*plugins));

	if (!plugins) {
		error_set(error, E_NOMEM, "no memory for the plugins");
		return NULL;
	}
	plugins->options = *options;
	fill_defaults(&plugins->options);
	plugins->client = -1;
	plugins->directories = strdup(options->directories ? options->directories : "");
	plugins->run_directory = options->run_directory ? strdup(options->run_directory) : NULL;
	if (!plugins->directories || (options->run_directory && !plugins->run_directory)) {
		error_set(error, E_NOMEM, "no memory for the plugins");
	} else if (!options->zygote || connect_client(error, plugins) == 0) {
		open_handles(plugins);
		return plugins;
	}
	free_plugins(plugins);
	return NULL;
}

static void on_closed(uv_handle_t *handle)
{
	struct plugins *plugins = handle->data;

	if (handle == (uv_handle_t *)&plugins->control)
		plugins->control_closing = false;
	if (--plugins->open_handles)
		return;
	while (plugins->configured) {
		struct setting *setting = plugins->configured;
		plugins->configured = setting->next;
		free(setting);
	}
	free_plugins(plugins);
}

void plugins_destroy(struct plugins *plugins)
{
	struct plugin *plugin, *next;

	if (!plugins)
		return;
	plugins->ending = true;
	for (plugin = plugins->list; plugin; plugin = plugin->next)
		plugin_end(plugin);
	run_finished(plugins); /* also what done() has submitted meanwhile */
	for (plugin = plugins->list; plugin; plugin = next) {
		next = plugin->next;
		plugin_free(plugin);
	}
	plugins->list = NULL;
	uv_close((uv_handle_t *)&plugins->prepare, on_closed);
	uv_close((uv_handle_t *)&plugins->idle, on_closed);
	uv_close((uv_handle_t *)&plugins->tick, on_closed);
	if (plugins->client >= 0)
		uv_close((uv_handle_t *)&plugins->control, on_closed);
}

/* ---- finding ------------------------------------------------------------------------------ */

static struct setting *find_setting(const struct plugins *plugins, const char *name)
{
	struct setting *setting = plugins->configured;

	while (setting && strcmp(setting->name, name) != 0)
		setting = setting->next;
	return setting;
}

int plugins_configure(struct error *error, struct plugins *plugins, const char *name,
	const struct plugin_settings *settings)
{
	struct setting *setting = find_setting(plugins, name);

	if (!setting) {
		setting = calloc(1, sizeof(*setting));
		if (!setting)
			return error_set(error, E_NOMEM, "no memory for plugin %s", name);
		snprintf(setting->name, sizeof(setting->name), "%s", name);
		setting->next = plugins->configured;
		plugins->configured = setting;
	}
	setting->settings = *settings;
	return 0;
}

/* Into plugin->path: the first that exists, or else the name alone, for the sentence. */
static void find_file(struct plugins *plugins, struct plugin *plugin)
{
	const char *at = plugins->directories;

	while (*at) {
		int len = (int)strcspn(at, ":");
		snprintf(plugin->path, sizeof(plugin->path), "%.*s/%s.so", len, at, plugin->name);
		if (access(plugin->path, R_OK) == 0)
			return;
		at += len + (at[len] == ':');
	}
}

static bool is_name(const char *name)
{
	return *name && strlen(name) < 60 && !strchr(name, '/') && name[0] != '.';
}

struct plugin *plugins_get(struct plugins *plugins, const char *name)
{
	struct plugin *plugin = plugins->list;
	const struct setting *setting = find_setting(plugins, name);

	while (plugin && strcmp(plugin->name, name) != 0)
		plugin = plugin->next;
	if (plugin)
		return plugin;
	plugin = calloc(1, sizeof(*plugin));
	if (!plugin)
		return NULL;
	plugin->plugins = plugins;
	plugin->settings = setting ? setting->settings : plugins->options.settings;
	snprintf(plugin->name, sizeof(plugin->name), "%s", name);
	plugin->next = plugins->list;
	plugins->list = plugin;
	if (is_name(name)) {
		find_file(plugins, plugin);
		plugin_start_loading(plugin);
	} else {
		plugin->state = PLUGIN_BROKEN;
		snprintf(plugin->problem, sizeof(plugin->problem),
			"\"%.60s\" is no name of a plugin: it is a file's name without .so", name);
	}
	return plugin;
}
