/* plugin_bench.h - a loop with plugins in workers, and calls of them that are waited for. The
 * zygote is one for all tests of a program, as one process has: PLUGIN_TESTS is what main() does.
 */
#ifndef PLUGIN_BENCH_H
#define PLUGIN_BENCH_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <klinke/plugin.h>

#include "base/arena.h"
#include "base/json.h"
#include "plugin/plugin.h"
#include "plugin/sandbox.h"

static struct plugin_zygote *zygote; /* one for all tests, as one process has */

struct bench {
	uv_loop_t loop;
	struct plugins *plugins;
	unsigned done, changes;
	char last_change[600];
};

struct job { /* one call of a test */
	struct bench *bench;
	struct plugin_call call;
	unsigned done;  /* how often */
	uint64_t order; /* which one in the bench it was */
};

static inline void note_change(void *user, struct plugin *plugin, const char *what)
{
	struct bench *bench = user;

	(void)plugin;
	bench->changes++;
	snprintf(bench->last_change, sizeof(bench->last_change), "%s", what);
}

static inline void open_bench(struct bench *bench, const char *directories)
{
	struct plugins_options options = {
		.loop = &bench->loop,
		.zygote = zygote,
		.directories = directories,
		.timeout_ms = 20000,
		.load_timeout_ms = SANDBOX_RELAXED ? 10000 : 1500,
		.changed = note_change,
		.user = bench,
	};
	struct error error = {0};

	memset(bench, 0, sizeof(*bench));
	assert_int_equal(uv_loop_init(&bench->loop), 0);
	bench->plugins = plugins_create(&error, &options);
	if (!bench->plugins)
		fail_msg("%s", error.text);
}

static inline void close_bench(struct bench *bench)
{
	plugins_destroy(bench->plugins);
	uv_run(&bench->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&bench->loop), 0);
}

static inline void on_done(struct plugin_call *call)
{
	struct job *job = call->user;

	job->done++;
	job->order = ++job->bench->done;
}

static inline void prepare(
	struct bench *bench, struct job *job, struct plugin *plugin, const char *op)
{
	memset(job, 0, sizeof(*job));
	job->bench = bench;
	job->call = (struct plugin_call){
		.plugin = plugin,
		.in = {.kind = PLUGIN_STEP,
			.attempt = 1,
			.now_ms = 1,
			.seed = 1,
			.run = STR("run"),
			.step = {.why = KL_START, .op = str_of(op), .input = STR("{\"a\":1}")}},
		.arena = arena_create(64 << 20),
		.done = on_done,
		.user = job,
	};
}

static inline void give(struct job *job)
{
	unsigned done = job->done;

	plugin_submit(&job->call);
	assert_int_equal(job->done, done);
}

static inline void submit(
	struct bench *bench, struct job *job, struct plugin *plugin, const char *op)
{
	prepare(bench, job, plugin, op);
	give(job);
}

static inline void release(struct job *job)
{
	arena_destroy(job->call.arena);
}

static inline void run_until_done(struct job *job)
{
	while (!job->done)
		assert_true(uv_run(&job->bench->loop, UV_RUN_ONCE) || job->done);
}

static inline void run_op(
	struct bench *bench, struct job *job, struct plugin *plugin, const char *op)
{
	submit(bench, job, plugin, op);
	run_until_done(job);
}

static inline const char *how(const struct job *job)
{
	struct arena *arena = job->call.arena;
	const struct json *result = json_parse(arena, job->call.out.next.result, NULL);

	return json_get_text(result, "how").ptr;
}

static inline void assert_contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" does not contain \"%s\"", text, part);
}

static inline void assert_fine(struct bench *bench, struct plugin *plugin)
{
	struct job job;

	run_op(bench, &job, plugin, "fine");
	if (job.call.out.status != PLUGIN_OK)
		fail_msg("%s", job.call.out.error.text);
	assert_string_equal(how(&job), "fine");
	release(&job);
}
#define PLUGIN_TESTS(argc, argv, tests)                                                            \
	do {                                                                                       \
		struct error error_ = {0};                                                         \
		int failed_;                                                                       \
                                                                                                   \
		plugin_zygote_main(argc, argv);                                                    \
		zygote = plugin_zygote_start(&error_);                                             \
		if (!zygote) {                                                                     \
			fprintf(stderr, "%s\n", error_.text);                                      \
			return 1;                                                                  \
		}                                                                                  \
		plugin_zygote_renew(zygote);                                                       \
		failed_ = cmocka_run_group_tests(tests, NULL, NULL);                               \
		plugin_zygote_stop(zygote);                                                        \
		return failed_;                                                                    \
	} while (0)

#endif
