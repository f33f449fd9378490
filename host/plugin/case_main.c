/* klinke-case - runs a plugin's case files: what it is given, and what it must make of it.
 *
 * Needs no network, no clock and no secrets but those in the cases. One thread. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/case.h"
#include "plugin/session.h"

#define PLUGIN_MEMORY ((size_t)16 * 1024 * 1024)

static const char usage[] =
	"usage: klinke-case [--worker] [--requests | --answers | --events] [-v] PLUGIN.so "
	"CASEFILE...\n"
	"\n"
	"Runs every case and prints a line for each; what differs is told below it.\n"
	"  --worker    in a sandboxed worker, as the host does; else in this process\n"
	"  --requests  print each request that the plugin makes, one JSON object a line\n"
	"  --answers   print each answer that the cases make up, one JSON object a line\n"
	"  --events    print each event that the plugin emits, one JSON object a line\n"
	"  -v          print what each case gave\n";

struct arguments {
	enum case_print print;
	bool verbose, worker;
	const char *plugin;
	char **files;
};

static bool parse_arguments(struct arguments *out, int argc, char **argv)
{
	static const struct option options[] = {
		{"requests", no_argument, NULL, 'r'},
		{"answers", no_argument, NULL, 'a'},
		{"events", no_argument, NULL, 'e'},
		{"worker", no_argument, NULL, 'w'},
		{"verbose", no_argument, NULL, 'v'},
		{0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "v", options, NULL)) != -1) {
		if (c == '?')
			return false;
		out->verbose |= c == 'v';
		out->worker |= c == 'w';
		if (c == 'r')
			out->print = CASE_REQUESTS;
		if (c == 'a')
			out->print = CASE_ANSWERS;
		if (c == 'e')
			out->print = CASE_EVENTS;
	}
	if (argc - optind < 2)
		return false;
	out->plugin = argv[optind];
	out->files = argv + optind + 1;
	return true;
}

static int run_files(struct case_runner *runner, char **files)
{
	for (; *files; files++)
		case_file(runner, *files);
	if (runner->print == CASE_TAP)
		printf("1..%u\n# %u passed, %u failed\n", runner->run, runner->run - runner->failed,
			runner->failed);
	return runner->failed ? 1 : 0;
}

/* "plugins/retell.so" -> "retell" */
static const char *plugin_name_of(struct arena *arena, const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	size_t len = strlen(name);

	if (len > 3 && strcmp(name + len - 3, ".so") == 0)
		len -= 3;
	return arena_strndup(arena, name, len);
}

static int run_here(struct case_runner *runner, const struct arguments *arguments)
{
	struct arena *arena = arena_create(PLUGIN_MEMORY);
	char *file = realpath(arguments->plugin, NULL);
	struct error error = {0};
	struct loaded loaded;
	int failed;

	if (!file || load_plugin(&error, arena, file, plugin_name_of(arena, arguments->plugin),
			     arguments->plugin, &loaded)) {
		fprintf(stderr, "klinke-case: %s: %s\n", arguments->plugin,
			file ? error.text : "no such file");
		failed = 1;
	} else {
		runner->loaded = &loaded;
		runner->info = &loaded.info;
		failed = run_files(runner, arguments->files);
	}
	free(file);
	arena_destroy(arena);
	return failed;
}

static int run_in_worker(struct case_runner *runner, const struct arguments *arguments)
{
	struct error error = {0};
	int failed;

	runner->session = session_open(&error, NULL, arguments->plugin);
	if (!runner->session) {
		fprintf(stderr, "klinke-case: %s\n", error.text);
		return 1;
	}
	runner->info = session_info(runner->session);
	failed = run_files(runner, arguments->files);
	session_close(runner->session);
	return failed;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {0};
	struct case_runner runner = {0};

	if (!parse_arguments(&arguments, argc, argv)) {
		fputs(usage, stderr);
		return 2;
	}
	runner.print = arguments.print;
	runner.verbose = arguments.verbose;
	if (arguments.worker)
		return run_in_worker(&runner, &arguments);
	return run_here(&runner, &arguments);
}
