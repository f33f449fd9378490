/* kit.c - what is checked, in which order, and what is told. Never runs plugin code in this
 * process. One thread. */
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugin/conform/kit.h"
#include "plugin/plugin.h"
#include "plugin/sandbox.h"
#include "plugin/start.h"
#include "plugin/warm.h"

#define KIT_MEMORY ((size_t)1 << 30)

static const struct check {
	struct conform_check pub;
	void (*run)(struct kit *kit);
} checks[] = {
	{{"exports", "the file exports its entry point and nothing else"}, check_exports},
	{{"imports", "it imports mem* and str* at most; else what that costs"}, check_imports},
	{{"descriptor", "id, version, events, hosts, options, operations, routes, schemas"},
		check_descriptor},
	{{"cases", "its own cases, in the sandbox"}, check_cases},
	{{"purity", "the same call gives the same bytes: twice, shuffled, in another process"},
		check_purity},
	{{"restart", "each step goes on in a new process from its state alone"}, check_restart},
	{{"starve", "each allocation of each call fails once"}, check_starve},
	{{"guard", "reads and writes beyond what was allocated, or after the call"}, check_guard},
	{{"sizes", "structs exactly as in minor 0, and bigger ones with anything behind"},
		check_sizes},
	{{"input", "cut, of another type, deep, huge, repeated, missing, not UTF-8"}, check_input},
	{{"outcomes", "every outcome, status and body at every step that sends"}, check_outcomes},
	{{"signature", "one flipped bit in a genuine webhook is refused"}, check_signature},
	{{"budget", "processor time and memory of each call"}, check_budget},
	{{"fuzz", "for as long as --fuzz says: changes of all these inputs"}, check_fuzz},
};
#define CHECKS (sizeof(checks) / sizeof(checks[0]))

const struct conform_check *conform_check(size_t i)
{
	return i < CHECKS ? &checks[i].pub : NULL;
}

void kit_find(struct kit *kit, const char *check, bool note, const char *where, const char *instead,
	const char *format, ...)
{
	struct finding finding = {.check = check, .where = where, .instead = instead, .note = note};
	char what[480];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	finding.what = what;
	kit->findings += !note;
	kit->options->found(kit->options->user, &finding);
}

/* splitmix64: small, and good enough to draw with. */
uint64_t kit_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

const char *kit_sample_name(const struct kit *kit, uint32_t i)
{
	return kit->samples[i].name.ptr;
}

/* ---- what there is to check --------------------------------------------------------------- */

static int read_bytes(struct error *error, struct kit *kit)
{
	struct stat info;
	char *bytes;

	kit->copy = start_copy(error, kit->options->path, NULL);
	if (kit->copy < 0)
		return E_IO;
	if (fstat(kit->copy, &info) != 0 ||
		!(bytes = arena_take(kit->arena, (size_t)info.st_size)) ||
		pread(kit->copy, bytes, (size_t)info.st_size, 0) != info.st_size)
		return error_set(error, E_IO, "plugin file %s cannot be read", kit->options->path);
	kit->file = (struct str){bytes, (size_t)info.st_size};
	return 0;
}

static int prepare(struct error *error, struct kit *kit)
{
	void *page = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	kit->shared = page == MAP_FAILED ? NULL : page;
	kit->arena = arena_create(KIT_MEMORY);
	kit->samples = arena_alloc(kit->arena, KIT_SAMPLES * sizeof(*kit->samples));
	kit->sandbox = sandbox_prepare();
	if (!kit->shared || !kit->samples || !kit->sandbox)
		return error_set(error, E_NOMEM, "there is no memory for the checks");
	start_name(kit->name, sizeof(kit->name), kit->options->path);
	warm_up();
	return read_bytes(error, kit);
}

static void finish(struct kit *kit)
{
	if (kit->copy >= 0)
		close(kit->copy);
	if (kit->shared)
		munmap(kit->shared, sizeof(*kit->shared));
	sandbox_destroy(kit->sandbox);
	arena_destroy(kit->arena);
}

/* ---- case files --------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	const char *const *one = a, *const *other = b;

	return strcmp(*one, *other);
}

static void add_directory(struct kit *kit, const char *path, DIR *dir)
{
	size_t from = kit->file_count;
	struct dirent *entry;

	while ((entry = readdir(dir)) && kit->file_count < KIT_FILES) {
		size_t n = strlen(entry->d_name);
		if (n > 5 && strcmp(entry->d_name + n - 5, ".json") == 0)
			kit->files[kit->file_count++] =
				arena_printf(kit->arena, "%s/%s", path, entry->d_name);
	}
	qsort(kit->files + from, kit->file_count - from, sizeof(kit->files[0]), by_name);
}

static int add_cases(struct error *error, struct kit *kit, const char *path, bool must)
{
	DIR *dir = opendir(path);

	if (dir) {
		add_directory(kit, path, dir);
		closedir(dir);
	} else if (access(path, R_OK) == 0 && kit->file_count < KIT_FILES) {
		kit->files[kit->file_count++] = path;
	} else if (must) {
		return error_set(error, E_NOTFOUND, "case file %s cannot be read: %s", path,
			strerror(errno));
	}
	return 0;
}

static int find_cases(struct error *error, struct kit *kit)
{
	const struct conform_options *options = kit->options;
	const char *slash = strrchr(options->path, '/');
	int result = 0;
	size_t i;

	for (i = 0; i < options->case_count && result == 0; i++)
		result = add_cases(error, kit, options->cases[i], true);
	if (!options->case_count)
		result = add_cases(error, kit,
			arena_printf(kit->arena, "%.*scases",
				slash ? (int)(slash + 1 - options->path) : 0, options->path),
			false);
	return result;
}

/* Without a descriptor nothing else can be asked. */
static bool describe(struct kit *kit)
{
	struct error error = {0};

	if (!elf_is_ours(kit)) {
		kit_find(kit, "descriptor", false, kit->options->path,
			"build it for this machine with cc -shared -fPIC",
			"the file is no shared object for this machine");
		return false;
	}
	if (plugin_describe(
		    &error, kit->options->zygote, kit->options->path, kit->arena, &kit->info) == 0)
		return true;
	kit_find(kit, "descriptor", false, "while it is loaded",
		"fill in struct kl_plugin as klinke/plugin.h says, and have no constructors", "%s",
		error.text);
	return false;
}

/* ---- the checks in their order ------------------------------------------------------------ */

static bool is_wanted(const struct kit *kit, const char *name)
{
	const char *only = kit->options->only;
	size_t len = strlen(name);

	if (strcmp(name, "fuzz") == 0 && !kit->options->fuzz_ms)
		return false;
	for (; only && *only; only += strcspn(only, ",") + (only[strcspn(only, ",")] == ','))
		if (strcspn(only, ",") == len && strncmp(only, name, len) == 0)
			return true;
	return !only;
}

/* Cases are read even when nobody asked for what they prove: they are everybody's input. */
static void run_check(struct kit *kit, const struct check *check)
{
	bool wanted = is_wanted(kit, check->pub.name);
	int before = kit->findings;
	uint64_t calls = atomic_load(&kit->shared->calls);

	if (!wanted && strcmp(check->pub.name, "cases") != 0)
		return;
	kit->note = NULL;
	check->run(kit);
	if (strcmp(check->pub.name, "cases") == 0)
		samples_make_up(kit);
	if (wanted)
		kit->options->checked(kit->options->user, check->pub.name,
			(unsigned)(kit->findings - before),
			atomic_load(&kit->shared->calls) - calls, kit->note);
}

int conform_run(struct error *error, const struct conform_options *options)
{
	struct kit *kit = calloc(1, sizeof(*kit));
	int result;
	size_t i;

	if (!kit)
		return error_set(error, E_NOMEM, "there is no memory for the checks");
	kit->options = options;
	kit->copy = -1;
	result = prepare(error, kit);
	if (result == 0)
		result = find_cases(error, kit);
	if (result == 0 && !describe(kit)) {
		options->checked(options->user, "descriptor", 1, 0, NULL);
		result = kit->findings;
	} else if (result == 0) {
		for (i = 0; i < CHECKS; i++)
			run_check(kit, &checks[i]);
		result = kit->findings;
	}
	finish(kit);
	free(kit);
	return result;
}
