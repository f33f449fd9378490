/* salvage.c - reads what can be read of a damaged store into a new file, and says what is missing.
 */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "command/client.h"
#include "store/care.h"

#define MEMORY ((size_t)64 * 1024 * 1024)

static void tell_table(const struct care_saved *t)
{
	char missing[32];

	if (!t->read && !t->missing && !t->unusable)
		return;
	snprintf(missing, sizeof(missing), "%lld", (long long)t->missing);
	printf("%-24s %10lld %10s  ", t->table, (long long)t->read,
		t->missing < 0 ? "some" : missing);
	if (t->where[0])
		printf("rows %s ", t->where);
	if (t->unusable)
		printf("%lld made no sense ", (long long)t->unusable);
	if (t->cut)
		printf("%lld references cut ", (long long)t->cut);
	if (t->left_out)
		printf("%lld left out: what they belong to is missing", (long long)t->left_out);
	printf("\n");
}

static void tell(const char *file, const struct care_salvaged *saved)
{
	size_t i;

	printf("%-24s %10s %10s\n", "table", "read", "missing");
	for (i = 0; i < saved->count; i++)
		tell_table(&saved->tables[i]);
	printf("\n%s: %lld rows%s\n", file, (long long)saved->read,
		saved->whole ? ", all there are" : "");
	printf("klinke restore %s makes it the store; a backup that is not old may lose less\n",
		file);
}

static void tell_json(struct arena *arena, const char *file, const struct care_salvaged *saved)
{
	struct json *o = json_object(arena), *list = json_array(arena);
	size_t i;

	for (i = 0; i < saved->count; i++) {
		const struct care_saved *t = &saved->tables[i];
		struct json *one = json_object(arena);
		json_put_text(arena, one, "table", str_of(t->table));
		json_put_i64(arena, one, "read", t->read);
		if (t->missing >= 0)
			json_put_i64(arena, one, "missing", t->missing);
		json_put_i64(arena, one, "unusable", t->unusable);
		json_put_i64(arena, one, "cut", t->cut);
		json_put_i64(arena, one, "left_out", t->left_out);
		json_put_text(arena, one, "where", str_of(t->where));
		json_push(arena, list, one);
	}
	json_put_text(arena, o, "file", str_of(file));
	json_put_i64(arena, o, "rows", saved->read);
	json_put_bool(arena, o, "whole", saved->whole);
	json_put(arena, o, "tables", list);
	printf("%.*s\n", STR_ARG(json_print(arena, o)));
}

static int run(const struct invocation *in)
{
	struct care_salvaged saved;
	struct error error = {0};
	struct arena *arena;
	const char *state;
	int code;

	if (in->count != 1)
		return usage_error(in, "say where to: one file that is not there yet");
	log_setup(LOG_ERROR, LOG_LOGFMT);
	arena = arena_create(MEMORY);
	code = client_find_state(in, arena, &state);
	if (code == 0 && care_salvage(&error, state, in->args[0], arena, &saved) < 0)
		code = fail(in, &error);
	else if (code == 0 && in->json)
		tell_json(arena, in->args[0], &saved);
	else if (code == 0)
		tell(in->args[0], &saved);
	if (code == 0 && !saved.whole)
		code = EXIT_FAILED;
	arena_destroy(arena);
	return code;
}

const struct command command_salvage = {
	.name = "salvage",
	.run = run,
	.usage = "NEWFILE [OPTIONS]",
	.summary = "read what can be read of a damaged store into a new file",
	.help = "With the host stopped. The damaged file is only read. Rows around bad pages are "
		"read "
		"from both\n"
		"sides, rows whose tree is broken from the pages themselves; what is missing is "
		"counted by table.\n"
		"NEWFILE is whole in itself: klinke restore takes it. 0: nothing is missing. 1: "
		"something is, or it\n"
		"could not be done.\n",
	.options = "config= json state-dir=",
};
