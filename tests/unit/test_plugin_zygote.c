/* The processes: workers end with their host, and the zygote is made anew when it ends. */
#include "plugin_bench.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

#define AROUND 60u

/* ---- processes --------------------------------------------------------------------------------
 */

/* Process id of a child of parent; 0: none. */
static pid_t child_of(pid_t parent)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	pid_t found = 0;

	while (!found && (entry = readdir(proc))) {
		char path[300], text[300] = "";
		char *rest;
		int fd;
		snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
		fd = open(path, O_RDONLY);
		if (fd < 0)
			continue;
		(void)!read(fd, text, sizeof(text) - 1);
		close(fd);
		rest = strrchr(text, ')');
		if (rest && rest[2] != 'Z' && atoi(rest + 4) == parent)
			found = atoi(text);
	}
	closedir(proc);
	return found;
}

static bool is_alive(pid_t pid)
{
	char path[64], text[300] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return false;
	(void)!read(fd, text, sizeof(text) - 1);
	close(fd);
	return strrchr(text, ')') && strrchr(text, ')')[2] != 'Z';
}

static _Noreturn void be_host(int ready)
{
	struct plugin *plugin;
	struct bench bench;
	struct job job;

	zygote = plugin_zygote_start(NULL); /* a failed assertion here would run on as cmocka */
	open_bench(&bench, TEST_PLUGINS);
	plugin = plugins_get(bench.plugins, "bad");
	run_op(&bench, &job, plugin, "fine");
	if (job.call.out.status != PLUGIN_OK)
		_exit(1);
	(void)!write(ready, "x", 1);
	for (;;)
		pause();
}

static void workers_die_with_their_host(void **state)
{
	pid_t host, its_zygote, worker;
	int64_t deadline_ms;
	int ready[2];
	char byte;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	host = fork();
	if (host == 0)
		be_host(ready[1]);
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	its_zygote = child_of(host);
	worker = child_of(its_zygote);
	assert_true(its_zygote > 0 && worker > 0);
	kill(host, SIGKILL);
	waitpid(host, NULL, 0);
	deadline_ms = clock_mono_ms() + 10000;
	while ((is_alive(worker) || is_alive(its_zygote)) && clock_mono_ms() < deadline_ms)
		usleep(1000);
	assert_false(is_alive(worker));
	assert_false(is_alive(its_zygote));
}

/* ---- the zygote's end -------------------------------------------------------------------------
 */

static void kill_zygote(void)
{
	pid_t it = child_of(getpid());

	assert_true(it > 0);
	kill(it, SIGKILL);
	while (is_alive(it))
		usleep(1000);
}

static void on_look(uv_timer_t *timer)
{
	(void)timer; /* a host's loop has always something to wait for; this one must seem to */
}

static void run_until_told(struct bench *bench, const char *part)
{
	uv_timer_t look;

	uv_timer_init(&bench->loop, &look);
	uv_timer_start(&look, on_look, 1, 1);
	while (!strstr(bench->last_change, part))
		uv_run(&bench->loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&look, NULL);
	uv_run(&bench->loop, UV_RUN_NOWAIT);
}

/* What was in flight goes to the next workers, and nobody is blamed: not even who was running. */
static void a_zygote_that_died_is_made_anew(void **state)
{
	struct job jobs[AROUND];
	struct bench bench;
	struct plugin *plugin;
	unsigned i;

	(void)state;
	open_bench(&bench, TEST_PLUGINS);
	plugin = plugins_get(bench.plugins, "bad");
	assert_fine(&bench, plugin);
	prepare(&bench, &jobs[0], plugin, "loop");
	jobs[0].call.timeout_ms = 1000;
	give(&jobs[0]);
	for (i = 1; i < AROUND; i++)
		submit(&bench, &jobs[i], plugin, "fine");
	while (plugin_stats(plugin).in_flight < AROUND)
		uv_run(&bench.loop, UV_RUN_NOWAIT);
	kill_zygote();
	run_until_told(&bench, "made anew");
	assert_int_equal(plugin_state(plugin), PLUGIN_READY);
	assert_int_equal(bench.done, 1);
	for (i = 0; i < AROUND; i++) {
		run_until_done(&jobs[i]);
		assert_int_equal(jobs[i].call.out.status, i ? PLUGIN_OK : PLUGIN_TIMEOUT);
		release(&jobs[i]);
	}
	assert_int_equal(plugin_stats(plugin).died, 0);
	close_bench(&bench);
}

static void zygotes_that_die_one_after_another_are_made_anew(void **state)
{
	struct bench bench;
	struct plugin *plugins[2];
	unsigned i;

	(void)state;
	open_bench(&bench, TEST_PLUGINS);
	plugins[0] = plugins_get(bench.plugins, "bad");
	plugins[1] = plugins_get(bench.plugins, "sample");
	for (i = 0; i < 4; i++) {
		kill_zygote(); /* the first time while both are being loaded */
		bench.last_change[0] = '\0';
		run_until_told(&bench, i ? "made anew" : "ready");
		assert_fine(&bench, plugins[0]);
		while (plugin_state(plugins[1]) != PLUGIN_READY)
			uv_run(&bench.loop, UV_RUN_ONCE);
	}
	close_bench(&bench);
}

/* What it was asked is lost with it, and its end comes as an error first. */
static void a_zygote_that_dies_before_it_reads_is_made_anew(void **state)
{
	struct bench bench;
	struct plugin *plugin;
	pid_t it;

	(void)state;
	open_bench(&bench, TEST_PLUGINS);
	assert_fine(&bench, plugins_get(bench.plugins, "bad"));
	it = child_of(getpid());
	assert_true(it > 0);
	kill(it, SIGSTOP);
	bench.last_change[0] = '\0';
	plugin = plugins_get(bench.plugins, "sample");
	kill(it, SIGKILL);
	run_until_told(&bench, "made anew");
	while (plugin_state(plugin) != PLUGIN_READY)
		uv_run(&bench.loop, UV_RUN_ONCE);
	close_bench(&bench);
}

static void without_a_zygote_calls_end_at_once_until_there_is_one(void **state)
{
	struct rlimit limit, none;
	struct bench bench;
	struct plugin *plugin;
	struct job job;

	(void)state;
	open_bench(&bench, TEST_PLUGINS);
	plugin = plugins_get(bench.plugins, "bad");
	assert_fine(&bench, plugin);
	getrlimit(RLIMIT_NOFILE, &limit);
	none = (struct rlimit){0, limit.rlim_max};
	kill_zygote(); /* which needs descriptors itself */
	setrlimit(RLIMIT_NOFILE, &none);
	run_until_told(&bench, "disabled");
	run_op(&bench, &job, plugin, "fine");
	setrlimit(RLIMIT_NOFILE, &limit);
	assert_int_equal(job.call.out.status, PLUGIN_DISABLED);
	assert_contains(job.call.out.error.text, strerror(EMFILE));
	release(&job);
	run_until_told(&bench, "made anew");
	assert_fine(&bench, plugin);
	close_bench(&bench);
}
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_zygote_that_died_is_made_anew),
		cmocka_unit_test(zygotes_that_die_one_after_another_are_made_anew),
		cmocka_unit_test(a_zygote_that_dies_before_it_reads_is_made_anew),
		cmocka_unit_test(without_a_zygote_calls_end_at_once_until_there_is_one),
		cmocka_unit_test(workers_die_with_their_host),
	};

	PLUGIN_TESTS(argc, argv, tests);
}
