/* migrate.c - the schema's next number: what it would change, doing it, and proving what is. */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "command/client.h"
#include "config/config.h"
#include "store/care.h"

#define MEMORY ((size_t)16 * 1024 * 1024)

struct planned {
	struct arena *arena;
	bool json;
	struct json *list, *changes;
};

static void on_planned(void *user, const struct care_migration *migration, const char *change)
{
	struct planned *p = user;

	if (!p->json) {
		printf(change ? "         %s\n" : "apply    %s\n",
			change ? change : migration->name);
		return;
	}
	if (change) {
		json_push(p->arena, p->list,
			json_of_text(p->arena,
				str_of(arena_printf(p->arena, "%s: %s", migration->name, change))));
		return;
	}
	json_push(p->arena, p->list, json_of_text(p->arena, str_of(migration->name)));
}

static void print_json(
	struct arena *arena, long from, long to, const char *key, const struct json *more)
{
	struct json *o = json_object(arena);

	json_put_i64(arena, o, "from", from);
	json_put_i64(arena, o, "to", to);
	json_put(arena, o, key, more);
	printf("%.*s\n", STR_ARG(json_print(arena, o)));
}

static int plan(const struct invocation *in, struct arena *arena, const char *state)
{
	struct planned p = {.arena = arena, .json = in->json, .list = json_array(arena)};
	struct error error = {0};
	long from, to;

	if (care_migrate_plan(&error, state, &from, &to, on_planned, &p) < 0)
		return fail(in, &error);
	if (in->json)
		print_json(arena, from, to, "plan", p.list);
	else if (from == to)
		printf("schema   %ld, as this build needs it: nothing to do\n", from);
	else
		printf("schema   %ld becomes %ld, after a copy of the store as it is; klinke "
		       "migrate "
		       "apply does it, and so\n"
		       "         does the next start of the host\n",
			from, to);
	return EXIT_OK;
}

static int apply(const struct invocation *in, struct arena *arena, const char *state)
{
	char snapshot[CARE_PATH];
	struct error error = {0};
	long from, to;

	if (care_migrate_apply(&error, state, &from, &to, snapshot) < 0)
		return fail(in, &error);
	if (in->json)
		print_json(arena, from, to, "before",
			snapshot[0] ? json_of_text(arena, str_of(snapshot)) : json_of_null(arena));
	else if (from == to)
		printf("schema   %ld, as this build needs it: nothing to do\n", from);
	else
		printf("schema   %ld, compared object by object\n"
		       "before   %s: the store with schema %ld. The way back, with the build that "
		       "made "
		       "it:\n"
		       "         klinke restore %s\n",
			to, snapshot, from, snapshot);
	return EXIT_OK;
}

static int verify(const struct invocation *in, struct arena *arena, const char *state)
{
	struct error error = {0};
	long version = 0;

	if (care_verify_schema(&error, state, &version) < 0)
		return fail(in, &error);
	if (in->json)
		print_json(arena, version, version, "verified", json_of_bool(arena, true));
	else
		printf("schema   %ld: every table, index and trigger as this build makes it; every "
		       "reference leads to\n"
		       "         a row; every page of the file is whole\n",
			version);
	return EXIT_OK;
}

static const struct {
	const char *name;
	int (*run)(const struct invocation *in, struct arena *arena, const char *state);
} whats[] = {{"plan", plan}, {"apply", apply}, {"verify", verify}};

static int no_such(const struct invocation *in)
{
	static const char *const names[] = {"plan", "apply", "verify"};
	const char *meant = in->count ? config_suggest(str_of(in->args[0]), names, 3) : NULL;

	return usage_error(in, "say what: plan, apply or verify%s%s%s",
		meant ? "; did you mean " : "", meant ? meant : "", meant ? "?" : "");
}

static int run(const struct invocation *in)
{
	struct arena *arena;
	const char *state;
	size_t i;
	int code;

	for (i = 0; i < 3 && !(in->count == 1 && strcmp(in->args[0], whats[i].name) == 0);)
		i++;
	if (i == 3)
		return no_such(in);
	log_setup(LOG_ERROR, LOG_LOGFMT);
	arena = arena_create(MEMORY);
	code = client_find_state(in, arena, &state);
	if (code == 0)
		code = whats[i].run(in, arena, state);
	arena_destroy(arena);
	return code;
}

const struct command command_migrate = {
	.name = "migrate",
	.run = run,
	.usage = "plan | apply | verify [OPTIONS]",
	.summary = "the store's schema: what would change, do it, prove it",
	.help = "plan    which migrations this build brings and what each changes; beside a "
		"running "
		"host\n"
		"apply   without a host: a copy of the store first, each migration in a "
		"transaction, "
		"then every\n"
		"        table and index is compared. If anything fails, the copy is put back. A "
		"start does the same\n"
		"verify  schema, references and pages of the file, from the first to the last\n",
	.options = "config= json state-dir=",
};
