/* figures.c - lanes and plugins as Prometheus text, and plugins for people. No personal data: lanes
 * are named by a digest. Runner's thread. */
#include "pipeline/runner_i.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "pipeline/pause.h"

/* All samples of one name stand together under its head, as the format wants it. */
struct family {
	const char *name, *type, *help;
	struct buf *out;
	double (*lane)(
		const struct transfer_lane_status *s); /* one of the two, or NULL: outcomes */
	double (*plugin)(const struct plugin_stats *s, enum plugin_state state);
};

static double lane_open(const struct transfer_lane_status *s)
{
	return s->breaker == BREAKER_OPEN;
}

static double lane_queued(const struct transfer_lane_status *s)
{
	return s->queued;
}

static double lane_running(const struct transfer_lane_status *s)
{
	return s->running;
}

static void print_head(const struct family *f)
{
	buf_printf(f->out, "# HELP %s %s\n# TYPE %s %s\n", f->name, f->help, f->name, f->type);
}

static void print_lane(void *user, const struct transfer_lane_status *s)
{
	const struct family *f = user;
	buf_printf(f->out, "%s{lane=\"%s\"} %.0f\n", f->name, s->key, f->lane(s));
}

static void print_outcomes(void *user, const struct transfer_lane_status *s)
{
	const struct family *f = user;
	const struct {
		const char *name;
		uint64_t count;
	} outcomes[] = {{"answered", s->answered}, {"unknown", s->unknown},
		{"not_sent", s->not_sent}, {"refused", s->refused}};

	for (size_t i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++)
		buf_printf(f->out, "%s{lane=\"%s\",outcome=\"%s\"} %llu\n", f->name, s->key,
			outcomes[i].name, (unsigned long long)outcomes[i].count);
}

static double plugin_up(const struct plugin_stats *s, enum plugin_state state)
{
	(void)s;
	return state == PLUGIN_READY;
}

static double plugin_calls(const struct plugin_stats *s, enum plugin_state state)
{
	(void)state;
	return (double)s->calls;
}

static double plugin_died(const struct plugin_stats *s, enum plugin_state state)
{
	(void)state;
	return (double)(s->died + s->timeouts);
}

static double plugin_in_flight(const struct plugin_stats *s, enum plugin_state state)
{
	(void)state;
	return s->in_flight;
}

static void print_plugins(const struct family *f, const struct plugins *plugins)
{
	const struct plugin *plugin = NULL;

	while ((plugin = plugins_next(plugins, plugin))) {
		struct plugin_stats s = plugin_stats(plugin);
		buf_printf(f->out, "%s{plugin=\"%s\"} %.0f\n", f->name, plugin_name(plugin),
			f->plugin(&s, plugin_state(plugin)));
	}
}

void figures_print(struct runner *r, struct buf *out)
{
	struct family families[] = {
		{.name = "klinke_lane_open",
			.type = "gauge",
			.lane = lane_open,
			.help = "1: the circuit breaker of a credential is open."},
		{.name = "klinke_lane_queued",
			.type = "gauge",
			.lane = lane_queued,
			.help = "Requests that wait for their turn."},
		{.name = "klinke_lane_running",
			.type = "gauge",
			.lane = lane_running,
			.help = "Requests under way."},
		{.name = "klinke_requests_total",
			.type = "counter",
			.help = "Requests to providers by what became of them."},
		{.name = "klinke_plugin_up",
			.type = "gauge",
			.plugin = plugin_up,
			.help = "1: the plugin is loaded and works."},
		{.name = "klinke_plugin_calls_total",
			.type = "counter",
			.plugin = plugin_calls,
			.help = "Calls of the plugin."},
		{.name = "klinke_plugin_died_total",
			.type = "counter",
			.plugin = plugin_died,
			.help = "Calls that ended with the death of a worker."},
		{.name = "klinke_plugin_in_flight",
			.type = "gauge",
			.plugin = plugin_in_flight,
			.help = "Calls under way."},
	};

	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		struct family *f = &families[i];
		f->out = out;
		print_head(f);
		if (f->plugin)
			print_plugins(f, r->plugins);
		else
			transfer_each_lane(r->transfer, f->lane ? print_lane : print_outcomes, f);
	}
}

/* ---- For people --------------------------------------------------------------------------- */

static const char *state_name(const struct plugin *plugin, const struct plugin_stats *stats)
{
	if (plugin_state(plugin) == PLUGIN_BROKEN)
		return "disabled";
	if (plugin_state(plugin) == PLUGIN_LOADING)
		return "loading";
	return stats->pausing && !stats->workers ? "restarting" : "ready";
}

static void put_death(
	struct arena *arena, struct json *o, const struct plugin *plugin, int64_t at_ms)
{
	char at[CLOCK_TEXT];

	clock_utc(at, at_ms);
	json_put_text(arena, o, "last_death", str_of(at));
	json_put_text(arena, o, "last_reason", str_of(plugin_last_death(plugin)));
}

static struct json *plugin_row(struct arena *arena, const struct plugin *plugin)
{
	struct plugin_stats stats = plugin_stats(plugin);
	struct json *o = json_object(arena);

	json_put_text(arena, o, "plugin", str_of(plugin_name(plugin)));
	json_put_text(arena, o, "state", str_of(state_name(plugin, &stats)));
	if (plugin_problem(plugin))
		json_put_text(arena, o, "problem", str_of(plugin_problem(plugin)));
	json_put_i64(arena, o, "calls", (int64_t)stats.calls);
	json_put_i64(arena, o, "deaths", (int64_t)stats.deaths);
	if (stats.deaths)
		put_death(arena, o, plugin, stats.last_death_ms);
	return o;
}

void figures_plugins(struct runner *r, struct arena *arena, struct json *list)
{
	const struct plugin *plugin = NULL;

	while ((plugin = plugins_next(r->plugins, plugin)))
		json_push(arena, list, plugin_row(arena, plugin));
}

static void trouble(struct arena *arena, struct json *list, const struct plan_connection *c,
	const char *what, const char *remedy, const char *when, int64_t at_ms)
{
	struct json *o = json_object(arena);
	char at[CLOCK_TEXT];

	clock_utc(at, at_ms);
	json_put_text(arena, o, "connection", str_of(c->config->full));
	json_put_text(arena, o, "trouble", str_of(what));
	json_put_text(arena, o, "remedy", str_of(remedy));
	json_put_text(arena, o, when, str_of(at));
	json_push(arena, list, o);
}

struct open_lanes { /* each of them, told for the connections that use it */
	struct runner *runner;
	struct arena *arena;
	struct json *list;
};

static void tell_open(void *user, const struct transfer_lane_status *s)
{
	struct open_lanes *told = user;
	struct runner *r = told->runner;
	const struct transfer_lane *lane = transfer_lane(r->transfer, s->key, NULL);

	for (size_t i = 0; s->breaker == BREAKER_OPEN && i < r->plan->connection_count; i++)
		if (r->plan->connections[i].lane == lane)
			trouble(told->arena, told->list, &r->plan->connections[i],
				"its vendor fails so often that it is left in peace for a while",
				"it is asked again by itself, and its jobs go on then; klinke "
				"events --type connection.failed tells since when",
				"until", s->until_ms);
}

static void tell_unproven(struct arena *arena, struct json *list, const struct plan_connection *c)
{
	trouble(arena, list, c,
		arena_printf(arena, "%u webhooks refused, and none taken since: %s",
			(unsigned)c->unproven, c->unproven_why),
		"if they are the vendor's: make the secret here the one that is set there, klinke "
		"reload, then klinke gaps --fetch brings what was missed",
		"at", c->unproven_ms);
}

void figures_troubles(struct runner *r, struct arena *arena, struct json *list)
{
	struct open_lanes told = {r, arena, list};

	for (size_t i = 0; i < r->plan->connection_count; i++) {
		const struct plan_connection *c = &r->plan->connections[i];
		int64_t until_ms = paused_until(r, str_of(c->config->full));
		if (until_ms)
			trouble(arena, list, c, "its key is refused, and its jobs wait",
				"renew the key at the vendor and in the configuration, then klinke "
				"reload",
				"until", until_ms);
		if (c->unproven)
			tell_unproven(arena, list, c);
	}
	transfer_each_lane(r->transfer, tell_open, &told);
}
