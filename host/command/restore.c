/* restore.c - a copy becomes the store again. Only without a host; what was there is moved aside.
 */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "command/client.h"
#include "store/care.h"

#define MEMORY ((size_t)16 * 1024 * 1024)

static void tell(const char *file, const struct care_restored *done)
{
	printf("store    %s, %lld rows, schema %ld\n", file, (long long)done->rows, done->schema);
	if (done->sealed_tried)
		printf("keys     fit: %u of %u sealed rows were read\n", done->sealed_read,
			done->sealed_tried);
	if (done->keys_added)
		printf("         %u keys that were missing were taken from --keys\n",
			done->keys_added);
	if (done->aside[0])
		printf("before   %s: what was there%s. Remove it when you no longer need it\n",
			done->aside,
			done->keys_replaced ? ", with keys that belong to another store" : "");
	puts("next     start the host. What happened after the copy is not in it: polls fetch "
	     "calls "
	     "and\n"
	     "         bookings from the vendors again, and jobs that were open then run now");
}

static void tell_json(struct arena *arena, const char *file, const struct care_restored *done)
{
	struct json *o = json_object(arena);

	json_put_text(arena, o, "file", str_of(file));
	json_put_i64(arena, o, "rows", done->rows);
	json_put_i64(arena, o, "schema", done->schema);
	json_put_i64(arena, o, "sealed_read", done->sealed_read);
	json_put_i64(arena, o, "sealed_tried", done->sealed_tried);
	json_put_i64(arena, o, "keys_added", done->keys_added);
	json_put_bool(arena, o, "keys_replaced", done->keys_replaced);
	if (done->aside[0])
		json_put_text(arena, o, "before", str_of(done->aside));
	printf("%.*s\n", STR_ARG(json_print(arena, o)));
}

static int run(const struct invocation *in)
{
	struct care_restored done;
	struct error error = {0};
	struct arena *arena;
	const char *state;
	int code;

	if (in->count != 1)
		return usage_error(in, "say which copy: one file");
	log_setup(LOG_ERROR, LOG_LOGFMT);
	arena = arena_create(MEMORY);
	code = client_find_state(in, arena, &state);
	if (code == 0 &&
		care_restore(&error, state, in->args[0], invocation_get(in, "keys"), &done) < 0)
		code = fail(in, &error);
	else if (code == 0 && in->json)
		tell_json(arena, in->args[0], &done);
	else if (code == 0)
		tell(in->args[0], &done);
	arena_destroy(arena);
	return code;
}

const struct command command_restore = {
	.name = "restore",
	.run = run,
	.usage = "FILE [--keys DIRECTORY] [OPTIONS]",
	.summary = "make a copy the store again",
	.help = "With the host stopped (75 tells who runs). FILE is what klinke backup, klinke "
		"salvage or a\n"
		"migration wrote. It is checked from its first page to its last, its schema, its "
		"keys, and some of\n"
		"its sealed rows are read, before anything is touched. What is there is moved to\n"
		"STATE/before-restore-TIME, never removed.\n"
		"Without --keys the key store that is there must fit. With it: if both have the "
		"same "
		"master key, only\n"
		"files that are missing are added, so that who was forgotten stays forgotten; if "
		"not, the one that is\n"
		"there is moved aside.\n",
	.options = "config= json keys= state-dir=",
};
