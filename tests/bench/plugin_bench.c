/* plugin_bench - what it costs that a plugin runs in a worker and not in the host's own process.
 *
 *	plugin_bench DIRECTORY-OF-RETELL.SO [SECONDS]
 *
 * The same calls of the same file, in turns of a tenth of a second so that a drift of the machine
 * hits both: one at a time (what a waiting caller feels) and 64 in flight (what a busy host pays).
 * Prints the medians of all turns, in microseconds per call, and their difference. One thread; the
 * worker is a process.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "plugin/plugin.h"

#define IN_FLIGHT 64
#define TURNS 200
#define TURN_US 100000

struct side {
	struct plugins *plugins;
	struct plugin *plugin;
	double per_call_us[TURNS];
};

struct bench {
	uv_loop_t loop;
	struct plugin_in in;
	struct plugin_call calls[IN_FLIGHT];
	int64_t end_us;
	unsigned running;
	uint64_t done;
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "plugin_bench: %s: %s\n", what, why);
	exit(1);
}

static void submit(struct plugin_call *call, const struct plugin_in *in)
{
	arena_reset(call->arena);
	call->in = *in;
	plugin_submit(call);
}

static void done(struct plugin_call *call)
{
	struct bench *bench = call->user;

	if (call->out.status != PLUGIN_OK)
		die("a call", call->out.error.text);
	bench->done++;
	if (clock_mono_us() < bench->end_us)
		submit(call, &bench->in);
	else
		bench->running--;
}

/* Microseconds per call with that many in flight. */
static double turn(struct bench *bench, struct side *side, unsigned in_flight)
{
	int64_t start = clock_mono_us();
	unsigned i;

	bench->done = 0;
	bench->running = in_flight;
	bench->end_us = start + TURN_US;
	for (i = 0; i < in_flight; i++) {
		bench->calls[i].plugin = side->plugin;
		submit(&bench->calls[i], &bench->in);
	}
	while (bench->running)
		uv_run(&bench->loop, UV_RUN_ONCE);
	return (double)(clock_mono_us() - start) / (double)bench->done;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *numbers, size_t count)
{
	qsort(numbers, count, sizeof(*numbers), by_size);
	return numbers[count / 2];
}

static void compare(struct bench *bench, struct side *sides, const char *what, unsigned in_flight,
	double seconds)
{
	size_t turns = (size_t)(seconds * 1e6 / TURN_US / 2), i, k;
	double here, worker;

	turns = turns < 3 ? 3 : turns > TURNS ? TURNS : turns;
	for (i = 0; i < turns; i++)
		for (k = 0; k < 2; k++)
			sides[k].per_call_us[i] = turn(bench, &sides[k], in_flight);
	here = median(sides[0].per_call_us, turns);
	worker = median(sides[1].per_call_us, turns);
	printf("  %s, %2u in flight: in the process %.1f us, in a worker %.1f us: overhead %.1f "
	       "us\n",
		what, in_flight, here, worker, worker - here);
}

static void open_side(struct bench *bench, struct side *side, struct plugin_zygote *zygote,
	const char *directory, enum plugin_isolation isolation)
{
	struct plugins_options options = {
		.loop = &bench->loop,
		.zygote = zygote,
		.directories = directory,
		.settings = {.isolation = isolation},
	};
	struct error error;

	side->plugins = plugins_create(&error, &options);
	if (!side->plugins)
		die("plugins", error.text);
	side->plugin = plugins_get(side->plugins, "retell");
	while (plugin_state(side->plugin) == PLUGIN_LOADING)
		uv_run(&bench->loop, UV_RUN_ONCE);
	if (plugin_problem(side->plugin))
		die("retell", plugin_problem(side->plugin));
}

/* What Retell sends after a call; what fills it up to about 2.5 KB is the transcript. */
static struct str make_body(char *body, size_t size)
{
	static const char words[] = "User: ich haette gern einen Termin am Donnerstag nach vier. ";
	size_t n = (size_t)snprintf(body, size,
		"{\"event\":\"call_analyzed\",\"call\":{\"call_id\":\"bench-1\",\"agent_id\":"
		"\"agent_1\","
		"\"call_status\":\"ended\",\"direction\":\"inbound\",\"from_number\":\"+"
		"491713920042\","
		"\"to_number\":\"+493023125010\",\"start_timestamp\":1795511524118,"
		"\"end_timestamp\":1795511697518,\"duration_ms\":173400,\"call_analysis\":{"
		"\"call_successful\":true,\"custom_analysis_data\":{\"appointment_requested\":true,"
		"\"_name\":\"Jana Berger\",\"_datum__termin\":\"26.11.2026\"}},\"transcript\":\"");

	while (n + sizeof(words) + 4 < size) {
		memcpy(body + n, words, sizeof(words) - 1);
		n += sizeof(words) - 1;
	}
	memcpy(body + n, "\"}}", 4);
	return (struct str){body, n + 3};
}

static void set_up(struct bench *bench, char *body, size_t size)
{
	static struct plugin_pair signature;
	unsigned i;

	signature.name = STR("x-retell-signature");
	signature.value = STR("v=1795511700000,d=0123456789abcdef0123456789abcdef"
			      "0123456789abcdef0123456789abcdef");
	uv_loop_init(&bench->loop);
	bench->in = (struct plugin_in){
		.now_ms = INT64_C(1795511700100),
		.inbound = {.route = STR(""),
			.method = STR("POST"),
			.path = STR("/hooks/bench/phone"),
			.headers = {&signature, 1},
			.body = make_body(body, size)},
	};
	for (i = 0; i < IN_FLIGHT; i++) {
		bench->calls[i].arena = arena_create((size_t)16 * 1024 * 1024);
		bench->calls[i].done = done;
		bench->calls[i].user = bench;
	}
}

static void finish(struct bench *bench, struct side *sides, struct plugin_zygote *zygote)
{
	unsigned i;

	for (i = 0; i < 2; i++)
		plugins_destroy(sides[i].plugins);
	uv_run(&bench->loop, UV_RUN_DEFAULT);
	uv_loop_close(&bench->loop);
	plugin_zygote_stop(zygote);
	for (i = 0; i < IN_FLIGHT; i++)
		arena_destroy(bench->calls[i].arena);
}

int main(int argc, char **argv)
{
	static struct side sides[2];
	static struct bench bench;
	static char body[2560];
	double seconds = argc > 2 ? atof(argv[2]) : 4;
	struct error error;
	struct plugin_zygote *zygote;
	unsigned in_flight;

	if (argc < 2) {
		fprintf(stderr, "usage: plugin_bench DIRECTORY-OF-RETELL.SO [SECONDS]\n");
		return 2;
	}
	zygote = plugin_zygote_start(&error);
	if (!zygote)
		die("zygote", error.text);
	set_up(&bench, body, sizeof(body));
	open_side(&bench, &sides[0], NULL, argv[1], PLUGIN_ISOLATE_INLINE);
	open_side(&bench, &sides[1], zygote, argv[1], PLUGIN_ISOLATE_WORKER);
	for (in_flight = 1; in_flight <= IN_FLIGHT; in_flight *= IN_FLIGHT) {
		bench.in.kind = PLUGIN_VERIFY;
		compare(&bench, sides, "verify()   ", in_flight, seconds / 4);
		bench.in.kind = PLUGIN_NORMALIZE;
		compare(&bench, sides, "normalize()", in_flight, seconds / 4);
	}
	finish(&bench, sides, zygote);
	return 0;
}
