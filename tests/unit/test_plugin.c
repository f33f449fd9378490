/* Plugins on a loop: what a call gives, and that a plugin which crashes, hangs, lies or tries what
 * it may not costs nobody else anything. */
#include "plugin_bench.h"

#include <malloc.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

/* ---- good plugins ------------------------------------------------------------------- */

static void says_what_it_declares(void **state)
{
	struct bench bench;
	struct plugin *plugin;
	const struct plugin_info *info;
	struct job job;

	(void)state;
	open_bench(&bench, "/nowhere:" TEST_PLUGINS);
	plugin = plugins_get(bench.plugins, "sample");
	assert_null(plugin_info(plugin));
	assert_int_equal(plugin_state(plugin), PLUGIN_LOADING);
	run_op(&bench, &job, plugin, "echo");
	assert_int_equal(job.call.out.status, PLUGIN_OK);
	assert_int_equal(plugin_state(plugin), PLUGIN_READY);
	info = plugin_info(plugin);
	assert_string_equal(info->id, "test.klinke.sample");
	assert_string_equal(info->name, "sample");
	assert_int_equal(info->op_count, 4);
	assert_string_equal(info->ops[0].name, "create");
	assert_int_equal(info->routes[1].reply_ms, 1000);
	assert_string_equal(info->credentials[0].param, "X-Api-Key");
	assert_true(info->can_map && info->can_verify);
	assert_ptr_equal(plugins_get(bench.plugins, "sample"), plugin);
	release(&job);
	close_bench(&bench);
}

#define MANY 10000u

static void answers_ten_thousand_calls_in_flight(void **state)
{
	struct job *jobs = calloc(MANY, sizeof(*jobs));
	struct bench bench;
	struct plugin *plugin;
	struct plugin_config *config;
	int64_t began_us;
	unsigned i;

	(void)state;
	open_bench(&bench, TEST_PLUGINS);
	plugin = plugins_get(bench.plugins, "sample");
	config = plugin_config_create(NULL, plugin, STR("{\"base_url\":\"https://x\"}"));
	run_op(&bench, &jobs[0], plugin, "echo");
	release(&jobs[0]);
	began_us = clock_mono_us();
	for (i = 0; i < MANY; i++) {
		submit(&bench, &jobs[i], plugin, "echo");
		jobs[i].call.in.seed = i;
		jobs[i].call.config = config;
	}
	while (bench.done < MANY + 1)
		assert_true(uv_run(&bench.loop, UV_RUN_ONCE) || bench.done == MANY + 1);
	print_message("%.1f us per call\n", (double)(clock_mono_us() - began_us) / MANY);
	for (i = 0; i < MANY; i++) {
		const struct json *result;
		assert_int_equal(jobs[i].done, 1);
		assert_int_equal(jobs[i].call.out.status, PLUGIN_OK);
		result = json_parse(jobs[i].call.arena, jobs[i].call.out.next.result, NULL);
		assert_int_equal(json_i64(json_get(result, "seed"), -1), i);
		assert_string_equal(
			json_text(json_find(result, "config.base_url")).ptr, "https://x");
		release(&jobs[i]);
	}
	plugin_config_destroy(config);
	close_bench(&bench);
	free(jobs);
}

#define LARGE ((size_t)256 * 1024)
#define ROUNDS 8

static size_t in_use(void)
{
	struct mallinfo2 now = mallinfo2();
	return now.uordblks + now.hblkhd;
}

/* A worker that never catches up: what it has read must not be kept for it. */
static void what_was_sent_to_a_busy_worker_is_let_go(void **state)
{
	struct bench bench;
	struct plugin *plugin;
	struct job jobs[64];
	char *input = malloc(LARGE);
	size_t before, most = 0;
	unsigned sent = 0, each = sizeof(jobs) / sizeof(jobs[0]);

	(void)state;
	memset(input, ' ', LARGE);
	memcpy(input, "{}", 2);
	open_bench(&bench, TEST_PLUGINS);
	plugin = plugins_get(bench.plugins, "sample");
	before = in_use();
	for (unsigned i = 0; i < each; i++)
		jobs[i].done = 1;
	while (bench.done < ROUNDS * each) {
		for (unsigned i = 0; i < each && sent < ROUNDS * each; i++) {
			if (!jobs[i].done)
				continue;
			if (sent >= each)
				release(&jobs[i]);
			prepare(&bench, &jobs[i], plugin, "echo");
			jobs[i].call.in.step.input = (struct str){input, LARGE};
			give(&jobs[i]);
			sent++;
		}
		assert_true(uv_run(&bench.loop, UV_RUN_ONCE) || bench.done == ROUNDS * each);
		if (in_use() > most)
			most = in_use();
	}
	for (unsigned i = 0; i < each; i++) {
		assert_int_equal(jobs[i].call.out.status, PLUGIN_OK);
		release(&jobs[i]);
	}
	assert_true(most - before < ROUNDS * each * LARGE / 4);
	close_bench(&bench);
	free(input);
}

static void knows_each_configuration(void **state)
{
	static const char *const texts[] = {"{\"n\":\"one\"}", "{\"n\":\"two\"}"};
	struct plugin_config *configs[2];
	struct bench bench;
	struct plugin *plugin;
	struct error error = {0};
	struct job jobs[4];
	unsigned i;

	(void)state;
	open_bench(&bench, TEST_PLUGINS);
	plugin = plugins_get(bench.plugins, "sample");
	assert_null(plugin_config_create(&error, plugin, STR("[1]")));
	assert_contains(error.text, "object");
	assert_null(plugin_config_create(&error, plugin, STR("{")));
	for (i = 0; i < 2; i++)
		configs[i] = plugin_config_create(NULL, plugin, str_of(texts[i]));
	for (i = 0; i < 4; i++) {
		submit(&bench, &jobs[i], plugin, "echo");
		jobs[i].call.config = configs[i % 2];
	}
	for (i = 0; i < 4; i++) {
		const struct json *result;
		run_until_done(&jobs[i]);
		result = json_parse(jobs[i].call.arena, jobs[i].call.out.next.result, NULL);
		assert_string_equal(
			json_text(json_find(result, "config.n")).ptr, i % 2 ? "two" : "one");
		release(&jobs[i]);
	}
	plugin_config_destroy(configs[0]);
	plugin_config_destroy(configs[1]);
	close_bench(&bench);
}

static void runs_inside_the_host_if_told(void **state)
{
	struct plugin_settings settings = {.isolation = PLUGIN_ISOLATE_INLINE};
	struct bench bench;
	struct plugin *plugin;
	struct job job;

	(void)state;
	open_bench(&bench, TEST_PLUGINS);
	plugins_configure(NULL, bench.plugins, "sample", &settings);
	plugin = plugins_get(bench.plugins, "sample");
	assert_int_equal(plugin_state(plugin), PLUGIN_READY);
	run_op(&bench, &job, plugin, "echo");
	assert_int_equal(job.call.out.status, PLUGIN_OK);
	assert_int_equal(plugin_stats(plugin).workers, 0);
	release(&job);
	close_bench(&bench);
}

/* ---- deaths -------------------------------------------------------------------------- */

#define AROUND 60u

/* Submits op in the middle of calls that are fine, and checks that these are. */
static void run_among_others(const char *op, enum plugin_status expected, const char *sentence)
{
	struct job jobs[2 * AROUND + 1];
	struct bench bench;
	struct plugin *plugin;
	unsigned i;

	open_bench(&bench, TEST_PLUGINS);
	plugin = plugins_get(bench.plugins, "bad");
	for (i = 0; i < 2 * AROUND + 1; i++)
		submit(&bench, &jobs[i], plugin, i == AROUND ? op : "fine");
	for (i = 0; i < 2 * AROUND + 1; i++) {
		run_until_done(&jobs[i]);
		assert_int_equal(jobs[i].done, 1);
		if (i != AROUND && jobs[i].call.out.status != PLUGIN_OK)
			fail_msg("%u of %s: %s", i, op, jobs[i].call.out.error.text);
	}
	assert_int_equal(jobs[AROUND].call.out.status, expected);
	assert_contains(jobs[AROUND].call.out.error.text, sentence);
	assert_contains(jobs[AROUND].call.out.error.text, "plugin bad: step()");
	assert_fine(&bench, plugin);
	for (i = 0; i < 2 * AROUND + 1; i++)
		release(&jobs[i]);
	close_bench(&bench);
}

static void a_crash_costs_one_call(void **state)
{
	(void)state;
	run_among_others("crash", PLUGIN_DIED, SANDBOX_RELAXED ? "its worker" : "SIGSEGV");
}

static void an_abort_costs_one_call(void **state)
{
	(void)state;
	run_among_others("abort", PLUGIN_DIED, "SIGABRT");
}

static void an_exit_costs_one_call(void **state)
{
	(void)state;
	run_among_others("exit", PLUGIN_DIED, "ended with code 0");
}

static void noise_on_the_wire_costs_one_call(void **state)
{
	(void)state;
	run_among_others("noise", PLUGIN_DIED, "its worker");
}

static void an_endless_loop_costs_one_call(void **state)
{
	struct job loop, others[20];
	struct bench bench;
	struct plugin *plugin;
	unsigned i;

	(void)state;
	open_bench(&bench, TEST_PLUGINS);
	plugin = plugins_get(bench.plugins, "bad");
	assert_fine(&bench, plugin);
	prepare(&bench, &loop, plugin, "loop");
	loop.call.timeout_ms = 300; /* the others keep their own, longer time */
	give(&loop);
	for (i = 0; i < 20; i++)
		submit(&bench, &others[i], plugin, "fine");
	run_until_done(&loop);
	assert_int_equal(loop.call.out.status, PLUGIN_TIMEOUT);
	for (i = 0; i < 20; i++) {
		run_until_done(&others[i]);
		assert_int_equal(others[i].call.out.status, PLUGIN_OK);
		release(&others[i]);
	}
	assert_int_equal(loop.done, 1);
	assert_contains(bench.last_change, "longer than its timeout");
	assert_int_equal(plugin_stats(plugin).timeouts, 1);
	release(&loop);
	close_bench(&bench);
}

/* What was answered in time is an answer, even if this loop was busy elsewhere meanwhile. */
static void a_late_loop_blames_no_plugin(void **state)
{
	struct bench bench;
	struct plugin *plugin;
	struct job job;
	int64_t until_ms;

	(void)state;
	open_bench(&bench, TEST_PLUGINS);
	plugin = plugins_get(bench.plugins, "bad");
	assert_fine(&bench, plugin);
	prepare(&bench, &job, plugin, "fine");
	job.call.timeout_ms = 300;
	give(&job);
	while (!job.done && !plugin_stats(plugin).in_flight)
		uv_run(&bench.loop, UV_RUN_NOWAIT);
	until_ms = clock_mono_ms() + 400;
	while (clock_mono_ms() < until_ms)
		;
	run_until_done(&job);
	assert_int_equal(job.call.out.status, PLUGIN_OK);
	release(&job);
	close_bench(&bench);
}

static void a_waiting_caller_has_a_worker_of_its_own(void **state)
{
	struct job first, busy, waiting;
	struct bench bench;
	struct plugin *plugin;

	(void)state;
	open_bench(&bench, TEST_PLUGINS);
	plugin = plugins_get(bench.plugins, "bad");
	assert_fine(&bench, plugin);
	prepare(&bench, &first, plugin, "fine");
	first.call.urgent = true; /* starts the second worker */
	give(&first);
	run_until_done(&first);
	while (plugin_stats(plugin).workers < 2)
		uv_run(&bench.loop, UV_RUN_ONCE);
	prepare(&bench, &busy, plugin, "loop");
	busy.call.timeout_ms = 1000;
	give(&busy);
	prepare(&bench, &waiting, plugin, "fine");
	waiting.call.urgent = true;
	give(&waiting);
	run_until_done(&busy);
	assert_int_equal(busy.call.out.status, PLUGIN_TIMEOUT);
	assert_int_equal(waiting.done, 1);
	assert_int_equal(waiting.call.out.status, PLUGIN_OK);
	assert_true(waiting.order < busy.order);
	release(&first);
	release(&busy);
	release(&waiting);
	close_bench(&bench);
}

static void nothing_in_flight_is_forgotten_at_the_end(void **state)
{
	struct job jobs[10];
	struct bench bench;
	struct plugin *plugin;
	unsigned i;

	(void)state;
	open_bench(&bench, TEST_PLUGINS);
	plugin = plugins_get(bench.plugins, "bad");
	assert_fine(&bench, plugin);
	for (i = 0; i < 10; i++)
		submit(&bench, &jobs[i], plugin, i == 4 ? "loop" : "fine");
	uv_run(&bench.loop, UV_RUN_NOWAIT);
	close_bench(&bench);
	for (i = 0; i < 10; i++) {
		assert_int_equal(jobs[i].done, 1);
		release(&jobs[i]);
	}
	assert_int_equal(jobs[9].call.out.status, PLUGIN_DISABLED);
}

/* ---- sandbox -------------------------------------------------------------------------- */

/* Where workers are not confined by this the test cannot be kept: only sanitizers may be such a
 * place. */
static bool confined_by(const char *means)
{
	struct arena *arena = arena_create(1 << 16);
	struct str report = plugin_sandbox_report(zygote, arena);
	bool yes = report.ptr && strstr(report.ptr, means);

	assert_true(report.len > 0);
	assert_true(yes || SANDBOX_RELAXED);
	arena_destroy(arena);
	return yes;
}

static void forbidden_calls_end_the_worker(void **state)
{
	static const char *const ops[] = {"fork", "socket", "exec", "kill", "code"};
	size_t i;

	(void)state;
	if (!confined_by("seccomp: yes"))
		return;
	for (i = 0; i < sizeof(ops) / sizeof(*ops); i++)
		run_among_others(ops[i], PLUGIN_DIED, "SIGSYS");
}

static void files_and_memory_are_refused(void **state)
{
	static const char *const ops[] = {"open", "memory"};
	struct bench bench;
	struct plugin *plugin;
	struct job job;
	size_t i;

	(void)state;
	if (!confined_by("seccomp: yes"))
		return;
	open_bench(&bench, TEST_PLUGINS);
	plugin = plugins_get(bench.plugins, "bad");
	for (i = 0; i < 2; i++) {
		run_op(&bench, &job, plugin, ops[i]);
		assert_int_equal(job.call.out.status, PLUGIN_OK);
		assert_string_equal(how(&job), "refused");
		release(&job);
	}
	close_bench(&bench);
}

static void constructors_see_no_files(void **state)
{
	struct bench bench;
	struct job job;

	(void)state;
	if (!confined_by("landlock: yes"))
		return;
	open_bench(&bench, TEST_PLUGINS);
	run_op(&bench, &job, plugins_get(bench.plugins, "bad_constructor_file"), "found");
	assert_int_equal(job.call.out.status, PLUGIN_OK);
	assert_string_equal(how(&job), "refused");
	release(&job);
	close_bench(&bench);
}

/* ---- lies ------------------------------------------------------------------------------ */

static void lies_fail_with_a_sentence(void **state)
{
	static const struct {
		const char *op, *sentence;
	} lies[] = {
		{"null", "is NULL"},
		{"small", ".size is 8"},
		{"huge", ".size is"},
		{"then", "next.then is 77"},
		{"no_result", "KL_DONE needs next.result"},
		{"absent", "KL_LOOKUP only"},
		{"state", "next.state has"},
		{"send_nothing", "next.request is NULL"},
		{"send_url", "request.url"},
		{"send_blank", "request.url"},
		{"send_repeat", "request.repeat is 0"},
		{"send_auth", "request.auth \"nobody\""},
		{"send_stride", "request.headers.stride is 4"},
		{"send_null_list", "request.headers has 3 elements at NULL"},
		{"send_split", "request.headers[0] \"X-A\""},
		{"latin", "next.message is not UTF-8"},
		{"event_null", "emit(): event is NULL"},
		{"event_type", "event.type \"not.declared\""},
		{"event_many", "more than 5000 times"},
		{"wrong_effect", "require_secret() is not for this kind of call"},
		{"cycle", "memory"},
		{"deep", "deeper than 64"},
		{"alloc", "more memory than one call may use"},
	};
	struct bench bench;
	struct plugin *plugin;
	struct job job;
	size_t i;

	(void)state;
	open_bench(&bench, TEST_PLUGINS);
	plugin = plugins_get(bench.plugins, "bad");
	for (i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		run_op(&bench, &job, plugin, lies[i].op);
		if (job.call.out.status != PLUGIN_FAILED)
			fail_msg("%s: status %d, %s", lies[i].op, job.call.out.status,
				job.call.out.error.text);
		assert_contains(job.call.out.error.text, lies[i].sentence);
		assert_contains(job.call.out.error.text, "plugin bad: step()");
		assert_int_equal(job.call.out.events.count, 0);
		release(&job);
	}
	assert_int_equal(plugin_stats(plugin).respawns, 0);
	close_bench(&bench);
}

/* ---- plugins that do not load -------------------------------------------------------------- */

static void what_does_not_load_disables_itself(void **state)
{
	static const struct {
		const char *name, *sentence;
	} broken[] = {
		{"bad_abi2", "built for ABI 2"},
		{"bad_no_entry", "does not export klinke_plugin_v1"},
		{"bad_small", "kl_plugin.size is 16"},
		{"bad_minor", "needs minor 99"},
		{"bad_proud", "not good enough"},
		{"bad_twice", "\"fine\" is declared twice"},
		{"bad_undefined", "nobody_has_this"},
		{"bad_constructor_crash", "SIGSEGV while it was loaded"},
		{"bad_constructor_loop", "did not finish loading"},
		{"not_there", "cannot be read"},
		{"../bad", "no name of a plugin"},
	};
	struct bench bench;
	struct job job;
	size_t i;

	(void)state;
	open_bench(&bench, TEST_PLUGINS);
	for (i = 0; i < sizeof(broken) / sizeof(*broken); i++) {
		struct plugin *plugin = plugins_get(bench.plugins, broken[i].name);
		if (SANDBOX_RELAXED && strcmp(broken[i].name, "bad_constructor_crash") == 0)
			continue; /* ASan makes a report and an exit of it */
		run_op(&bench, &job, plugin, "fine");
		assert_int_equal(job.call.out.status, PLUGIN_DISABLED);
		assert_int_equal(plugin_state(plugin), PLUGIN_BROKEN);
		assert_contains(plugin_problem(plugin), broken[i].sentence);
		assert_contains(job.call.out.error.text, "plugin");
		release(&job);
	}
	assert_fine(&bench, plugins_get(bench.plugins, "bad"));
	close_bench(&bench);
}

static void constructors_may_not_call_home(void **state)
{
	struct bench bench;
	struct plugin *plugin;
	struct job job;

	(void)state;
	if (!confined_by("seccomp: yes"))
		return;
	open_bench(&bench, TEST_PLUGINS);
	plugin = plugins_get(bench.plugins, "bad_constructor_socket");
	run_op(&bench, &job, plugin, "fine");
	assert_int_equal(job.call.out.status, PLUGIN_DISABLED);
	assert_contains(plugin_problem(plugin), "SIGSYS");
	release(&job);
	close_bench(&bench);
}

/* ---- reload --------------------------------------------------------------------------------- */

static void copy_file(const char *from, const char *to)
{
	char command[1200];

	snprintf(
		command, sizeof(command), "cp '%s' '%s.new' && mv '%s.new' '%s'", from, to, to, to);
	assert_int_equal(system(command), 0);
}

static void run_until_changed(struct bench *bench, unsigned changes)
{
	while (bench->changes < changes)
		uv_run(&bench->loop, UV_RUN_ONCE);
}

static void a_reload_repairs_and_a_bad_one_changes_nothing(void **state)
{
	char directory[] = "/tmp/klinke-test-XXXXXX", file[64];
	const struct plugin_info *before;
	struct bench bench;
	struct plugin *plugin;
	struct job job;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(file, sizeof(file), "%s/some.so", directory);
	copy_file(TEST_PLUGINS "/bad_small.so", file);
	open_bench(&bench, directory);
	plugin = plugins_get(bench.plugins, "some");
	run_until_changed(&bench, 1);
	assert_int_equal(plugin_state(plugin), PLUGIN_BROKEN);

	copy_file(TEST_PLUGINS "/bad.so", file);
	plugin_reload(plugin);
	assert_fine(&bench, plugin);
	before = plugin_info(plugin);
	assert_string_equal(before->id, "test.klinke.bad");

	copy_file(TEST_PLUGINS "/bad_twice.so", file);
	plugin_reload(plugin);
	run_until_changed(&bench, 3);
	assert_contains(bench.last_change, "the old one goes on");
	assert_int_equal(plugin_state(plugin), PLUGIN_READY);
	assert_fine(&bench, plugin);

	copy_file(TEST_PLUGINS "/sample.so", file);
	plugin_reload(plugin);
	assert_fine(&bench, plugin); /* the old one, until the new one is there */
	run_until_changed(&bench, 4);
	assert_string_equal(plugin_info(plugin)->id, "test.klinke.sample");
	assert_string_equal(before->id, "test.klinke.bad");
	run_op(&bench, &job, plugin, "echo");
	assert_int_equal(job.call.out.status, PLUGIN_OK);
	release(&job);
	close_bench(&bench);
	unlink(file);
	rmdir(directory);
}

/* ---- without a loop ---------------------------------------------------------------------------
 */

static void commands_describe_and_check(void **state)
{
	struct arena *arena = arena_create(32 << 20);
	struct plugin_info info;
	struct plugin_out out;
	struct error error = {0};

	(void)state;
	assert_int_equal(
		plugin_describe(&error, zygote, TEST_PLUGINS "/sample.so", arena, &info), 0);
	assert_string_equal(info.version, "1.0.0");
	assert_int_equal(info.option_count, 4);
	assert_string_equal(info.options[3].fallback, "https://api.example.test");
	assert_int_equal(plugin_describe(&error, NULL, TEST_PLUGINS "/bad_minor.so", arena, &info),
		E_INVALID);
	assert_contains(error.text, "needs minor 99");
	assert_true(plugin_describe(&error, zygote, "/nowhere/x.so", arena, &info) < 0);
	assert_contains(error.text, "/nowhere/x.so");
	assert_int_equal(plugin_check_config(&error, zygote, TEST_PLUGINS "/sample.so",
				 STR("{\"base_url\":\"http://wrong\"}"), 1, arena, &out),
		0);
	assert_int_equal(out.problems.count, 2);
	assert_string_equal(out.problems.items[0].path.ptr, "api_key");
	assert_int_equal(plugin_check_config(
				 &error, zygote, TEST_PLUGINS "/bad.so", STR("{}"), 1, arena, &out),
		0);
	assert_int_equal(out.problems.count, 0);
	arena_destroy(arena);
}
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_what_it_declares),
		cmocka_unit_test(answers_ten_thousand_calls_in_flight),
		cmocka_unit_test(what_was_sent_to_a_busy_worker_is_let_go),
		cmocka_unit_test(knows_each_configuration),
		cmocka_unit_test(runs_inside_the_host_if_told),
		cmocka_unit_test(a_crash_costs_one_call),
		cmocka_unit_test(an_abort_costs_one_call),
		cmocka_unit_test(an_exit_costs_one_call),
		cmocka_unit_test(noise_on_the_wire_costs_one_call),
		cmocka_unit_test(an_endless_loop_costs_one_call),
		cmocka_unit_test(a_late_loop_blames_no_plugin),
		cmocka_unit_test(a_waiting_caller_has_a_worker_of_its_own),
		cmocka_unit_test(nothing_in_flight_is_forgotten_at_the_end),
		cmocka_unit_test(forbidden_calls_end_the_worker),
		cmocka_unit_test(files_and_memory_are_refused),
		cmocka_unit_test(constructors_see_no_files),
		cmocka_unit_test(lies_fail_with_a_sentence),
		cmocka_unit_test(what_does_not_load_disables_itself),
		cmocka_unit_test(constructors_may_not_call_home),
		cmocka_unit_test(a_reload_repairs_and_a_bad_one_changes_nothing),
		cmocka_unit_test(commands_describe_and_check),
	};

	PLUGIN_TESTS(argc, argv, tests);
}
