/* backup.c - a copy of the store while the host runs, and of its keys, apart from it. Beside the
 * host with a connection of its own, at low priority; it needs no lock. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "command/client.h"
#include "store/care.h"

#define MEMORY ((size_t)16 * 1024 * 1024)
#define NICE 10

/* What PATH will be in: the real name of its directory, or its own if it is one. */
static bool real_place(const char *path, bool itself, char out[CARE_PATH])
{
	char copy[CARE_PATH], *real, *slash;
	struct stat st;

	snprintf(copy, sizeof(copy), "%s", path);
	slash = strrchr(copy, '/');
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		itself = true;
	if (!itself && !slash)
		snprintf(copy, sizeof(copy), ".");
	else if (!itself)
		slash[slash == copy] = '\0';
	real = realpath(copy, NULL);
	snprintf(out, CARE_PATH, "%s", real ? real : copy);
	free(real);
	return out[0] != '\0';
}

static bool within(const char *inner, const char *outer)
{
	size_t n = strlen(outer);

	return strncmp(inner, outer, n) == 0 && (!inner[n] || inner[n] == '/');
}

/* A copy that lies with its keys protects nobody: whoever forgets a person destroys a key, and a
 * backup brings both back. */
static int check_places(struct error *error, const char *state, const char *file, const char *keys)
{
	char place[CARE_PATH], other[CARE_PATH], own[CARE_PATH];

	if (keys && real_place(state, true, own) && real_place(keys, true, other) &&
		within(other, own))
		return error_set(error, E_INVALID,
			"%s is in the state directory itself: name a place that is not lost with "
			"it",
			keys);
	if (!file || !keys || !real_place(file, false, place) || !real_place(keys, true, other))
		return 0;
	if (!within(place, other) && !within(other, place))
		return 0;
	return error_set(error, E_INVALID,
		"the copy and its keys must not lie together, since who has both can read "
		"everything, and who was forgotten would come back: name another place for one of "
		"them");
}

static void print_size(char out[32], int64_t bytes)
{
	static const char *const units[] = {"bytes", "KB", "MB", "GB", "TB"};
	double n = (double)bytes;
	int unit = 0;

	for (; n >= 1000 && unit < 4; unit++)
		n /= 1000;
	snprintf(out, 32, unit ? "%.1f %s" : "%.0f %s", n, units[unit]);
}

static void tell_copy(const struct care_copied *copied)
{
	char size[32];

	print_size(size, copied->bytes);
	printf("store    %s\n"
	       "         %s, %lld rows in %u tables, schema %ld; read again and found whole\n",
		copied->path, size, (long long)copied->rows, copied->tables, copied->schema);
}

static void tell_rest(bool copy, bool keys, const char *directory)
{
	if (copy && !keys)
		puts("keys     are not in it, and without them nobody can read what it holds of "
		     "persons.\n"
		     "         klinke backup --keys DIRECTORY copies them to another place: as "
		     "often as "
		     "this, since\n"
		     "         each person has a key of their own");
	if (keys)
		puts("         Keep them apart from every copy of the store. Who is forgotten "
		     "later "
		     "can still be\n"
		     "         read with this copy of the keys and an old copy of the store: the "
		     "next "
		     "one to the same\n"
		     "         place takes this one's; destroy others");
	if (copy)
		printf("restore  klinke restore FILE%s%s, with the host stopped; on a new machine "
		       "with "
		       "--keys DIRECTORY\n",
			keys ? " --keys " : "", keys ? directory : "");
}

static void tell_json(
	struct arena *arena, const struct care_copied *copied, const struct care_keys_copied *keys)
{
	struct json *o = json_object(arena);

	if (copied) {
		json_put_text(arena, o, "file", str_of(copied->path));
		json_put_i64(arena, o, "bytes", copied->bytes);
		json_put_i64(arena, o, "rows", copied->rows);
		json_put_i64(arena, o, "schema", copied->schema);
	}
	if (keys) {
		json_put_text(arena, o, "keys", str_of(keys->path));
		json_put_i64(arena, o, "key_files", keys->files);
	}
	printf("%.*s\n", STR_ARG(json_print(arena, o)));
}

static int back_up(const struct invocation *in, struct arena *arena, const char *state)
{
	const char *file = in->count ? in->args[0] : NULL, *keys = invocation_get(in, "keys");
	struct care_copied copied;
	struct care_keys_copied keys_copied;
	struct error error = {0};

	if (check_places(&error, state, file, keys) < 0) {
		fail(in, &error);
		return EXIT_USAGE;
	}
	/* The keys last: they open all that the copy holds. */
	if (file && care_backup(&error, state, file, &copied) < 0)
		return fail(in, &error);
	if (file && !in->json)
		tell_copy(&copied);
	if (keys && care_backup_keys(&error, state, keys, &keys_copied) < 0)
		return fail(in, &error);
	if (in->json) {
		tell_json(arena, file ? &copied : NULL, keys ? &keys_copied : NULL);
		return EXIT_OK;
	}
	if (keys)
		printf("keys     %s, %u files, opened with the store%s\n", keys_copied.path,
			keys_copied.files,
			keys_copied.replaced ? "; they replace an older copy" : "");
	tell_rest(file != NULL, keys != NULL, keys);
	return EXIT_OK;
}

static int run(const struct invocation *in)
{
	struct arena *arena;
	const char *state;
	int code;

	if (in->count > 1 || (!in->count && !invocation_get(in, "keys")))
		return usage_error(
			in, "say where to: a file that is not there yet, or a directory");
	setpriority(PRIO_PROCESS, 0, NICE);
	log_setup(LOG_ERROR, LOG_LOGFMT);
	arena = arena_create(MEMORY);
	code = client_find_state(in, arena, &state);
	if (code == 0)
		code = back_up(in, arena, state);
	arena_destroy(arena);
	return code;
}

const struct command command_backup = {
	.name = "backup",
	.run = run,
	.usage = "[FILE | DIRECTORY] [--keys DIRECTORY] [OPTIONS]",
	.summary = "copy the store while the host runs",
	.help = "klinke backup /srv/backup\n"
		"klinke backup --keys /media/safe\n"
		"One moment of the store becomes one file of mode 0600; in a directory it is named "
		"by the time.\n"
		"It is read again and compared before it gets its name, and nothing is written "
		"over. The keys are\n"
		"not in it: they go to another place, DIRECTORY/keys, and replace an older copy of "
		"them there.\n"
		"klinke doctor tells how old the last copy is.\n",
	.options = "config= json keys= state-dir=",
};
