/* client.c - see client.h. */
#include "command/client.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "command/setup.h"
#include "http/control.h"
#include "pipeline/runner.h"
#include "store/store.h"

#define PATIENCE_MS 90000
#define GAPS_MS 1800000 /* vendors are asked page by page */
#define BUSY_MS 2000

/* ---- Where is the state? ------------------------------------------------------------------ */

static const struct plugin_info *not_asked(void *user, const char *name, struct error *error)
{
	(void)user;
	(void)name;
	error_set(error, E_BUSY, "plugins are not asked for this");
	return NULL;
}

struct search {
	struct arena *arena;
	const char *state;
};

static void on_host(void *user, const struct config_host *host)
{
	struct search *s = user;
	s->state = host->state[0] ? arena_printf(s->arena, "%s", host->state) : NULL;
}

/* Warnings would be about plugins that nobody asked. */
static void print_errors(const struct invocation *in, struct config_faults *faults)
{
	size_t kept = 0;

	for (size_t i = 0; i < faults->count; i++) {
		struct config_fault f = faults->list[i];
		if (f.severity != CONFIG_ERROR)
			continue;
		faults->list[i] = faults->list[kept]; /* all of them are freed later */
		faults->list[kept++] = f;
	}
	size_t all = faults->count;
	faults->count = kept;
	config_faults_print(stderr, faults, in->json);
	faults->count = all;
}

/* For verbs that only look at rows the plugins need not be there, nor the secrets in this shell's
 * environment: no fault matters as long as the state directory is known. */
static int find(const struct invocation *in, struct arena *arena, bool quiet, const char **state)
{
	struct search search = {.arena = arena};
	struct config_context ctx = {.user = &search, .plugin = not_asked, .host = on_host};
	struct config_faults faults = {0};

	*state = invocation_get(in, "state-dir");
	if (*state)
		return 0;
	if (access(in->config, R_OK) == 0)
		config_unref(config_load(&faults, in->config, &ctx));
	else
		config_faults_add(&faults, (struct config_place){in->config, 0, 0}, CONFIG_ERROR,
			"cannot be read: %s; -c FILE names another one", strerror(errno));
	if (!search.state && !quiet)
		print_errors(in, &faults);
	config_faults_finish(&faults);
	*state = search.state;
	return *state ? 0 : EXIT_CONFIG;
}

int client_find_state(const struct invocation *in, struct arena *arena, const char **state)
{
	return find(in, arena, false, state);
}

int client_find_state_quietly(const struct invocation *in, struct arena *arena, const char **state)
{
	return find(in, arena, true, state);
}

/* ---- Without a host ----------------------------------------------------------------------- */

static int ask_here(const struct invocation *in, const struct admin *admin, struct arena *arena,
	struct str request, struct str *answer)
{
	(void)in;
	*answer = json_print(arena, admin_answer(admin, arena, request));
	return 0;
}

static int call_here(const struct invocation *in, struct admin *admin, const struct config *config,
	struct arena *arena, struct str request, struct str *answer)
{
	struct runner_options options = {
		.zygote = in->zygote, .store = admin->store, .config = config, .only_ours = true};
	struct error error = {0};
	int code;

	admin->runner = runner_create(&error, &options);
	code = admin->runner ? ask_here(in, admin, arena, request, answer) : fail(in, &error);
	runner_destroy(admin->runner);
	return code;
}

static bool is_there(const struct invocation *in, const char *state, struct error *error)
{
	char store[PATH_MAX];

	snprintf(store, sizeof(store), "%s/klinke.db", state);
	if (in->zygote || access(store, F_OK) == 0) /* `call` may be the first to use it */
		return true;
	error_set(error, E_NOTFOUND,
		access(state, F_OK) == 0
			? "%s holds no store: no host has run on it yet, or it is another directory"
			: "%s is not there: no host has run on it yet",
		state);
	return false;
}

/* config: NULL for verbs that only look. *busy: somebody else has the directory just now. */
static int with_store(const struct invocation *in, const char *state, const struct config *config,
	struct arena *arena, struct str request, struct str *answer, struct error *busy)
{
	struct store_options options = {.directory = state};
	struct admin admin = {.state = state};
	struct error error = {0};
	int code;

	if (store_open(&error, &admin.store, &options) < 0) {
		if (error.code != E_BUSY)
			return fail(in, &error);
		*busy = error;
		return EXIT_LATER;
	}
	code = config ? call_here(in, &admin, config, arena, request, answer)
		      : ask_here(in, &admin, arena, request, answer);
	store_close(admin.store);
	return code;
}

/* The configuration first: a store that is begun with a faulty one would be there afterwards, owned
 * by whoever typed. */
static int with_config(const struct invocation *in, const char *state, struct arena *arena,
	struct str request, struct str *answer, struct error *busy)
{
	struct error error = {0};
	struct config_faults faults = {0};
	struct setup *setup = setup_create(&error, in->zygote);
	struct config *config = setup ? setup_load(setup, in->config, &faults) : NULL;
	int code = EXIT_CONFIG;

	if (config)
		code = with_store(in, state, config, arena, request, answer, busy);
	else if (setup)
		config_faults_print(stderr, &faults, in->json);
	else
		code = fail(in, &error);
	config_unref(config);
	config_faults_finish(&faults);
	setup_destroy(setup);
	return code;
}

static int alone(const struct invocation *in, const char *state, struct arena *arena,
	struct str request, struct str *answer, struct error *busy)
{
	struct error error = {0};

	log_setup(LOG_ERROR, LOG_LOGFMT); /* a person reads this, not a journal */
	if (!is_there(in, state, &error))
		return fail(in, &error);
	return in->zygote ? with_config(in, state, arena, request, answer, busy)
			  : with_store(in, state, NULL, arena, request, answer, busy);
}

/* ---- Asking ------------------------------------------------------------------------------- */

static int exit_code_of(const struct invocation *in, const struct error *error)
{
	int code = fail(in, error);

	if (error->code != E_INVALID)
		return code;
	return strcmp(in->verb, "reload") == 0 ? EXIT_CONFIG : EXIT_USAGE;
}

static int told_error(const struct invocation *in, const struct json *e)
{
	struct str code = json_get_text(e, "code");
	struct error error = {.code = E_IO};

	for (int c = E_NOMEM; c >= E_CLOSED; c--)
		if (str_is(code, error_name(c)))
			error.code = c;
	snprintf(error.text, sizeof(error.text), "%.*s", STR_ARG(json_get_text(e, "text")));
	return exit_code_of(in, &error);
}

/* The host, or the directory itself. A host that is just starting has the one and not yet the
 * other, and so has another command: both are over in a moment. */
static int ask_somebody(const struct invocation *in, const char *state, struct arena *arena,
	struct str request, struct str *answer)
{
	struct error error = {0}, busy = {0};
	int64_t until = clock_mono_ms() + BUSY_MS;
	uint32_t patience = strcmp(in->verb, "gaps") == 0 ? GAPS_MS : PATIENCE_MS;

	for (;;) {
		if (control_ask(&error, state, request, patience, arena, answer) == 0)
			return 0;
		if (error.code != E_NOTFOUND)
			return fail(in, &error);
		int code = alone(in, state, arena, request, answer, &busy);
		if (!busy.code)
			return code;
		if (clock_mono_ms() > until)
			return fail(in, &busy);
		busy.code = 0;
		usleep(20000);
	}
}

int client_ask(const struct invocation *in, struct arena *arena, const struct json *request,
	const struct json **answer)
{
	struct str text = json_print(arena, request), line = {0};
	struct error error = {0};
	const char *state;
	int code = client_find_state(in, arena, &state);

	if (code == 0)
		code = ask_somebody(in, state, arena, text, &line);
	if (code)
		return code;
	*answer = json_parse(arena, line, &error);
	if (!*answer)
		return fail(in, &error);
	if (json_get(*answer, "error"))
		return told_error(in, json_get(*answer, "error"));
	return 0;
}

struct json *client_request(const struct invocation *in, struct arena *arena, const char *verb)
{
	struct json *o = json_object(arena);

	for (size_t i = 0; i < in->given_count; i++)
		if (strcmp(in->given[i].name, "limit") == 0)
			json_put(arena, o, "limit",
				json_of_number(arena, str_of(in->given[i].value)));
		else
			json_put_text(arena, o, in->given[i].name, str_of(in->given[i].value));
	json_put_text(arena, o, "verb", str_of(verb));
	return o;
}

void client_print_rows(struct arena *arena, const struct json *rows)
{
	for (size_t i = 0; i < json_count(rows); i++) {
		struct str line = json_print(arena, json_at(rows, i, NULL));
		printf("%.*s\n", STR_ARG(line));
	}
}

static int ask_person(const struct invocation *in, struct arena *arena, const char *list,
	void (*print)(struct arena *arena, const struct json *member))
{
	struct json *request = client_request(in, arena, in->verb);
	const struct json *answer, *members;
	int code;

	json_put_text(arena, request, "person", str_of(in->args[0]));
	code = client_ask(in, arena, request, &answer);
	if (code)
		return code;
	if (in->json) {
		printf("%.*s\n", STR_ARG(json_print(arena, answer)));
		return 0;
	}
	members = json_get(answer, list);
	for (size_t i = 0; i < json_count(members); i++)
		print(arena, json_at(members, i, NULL));
	return 0;
}

int client_ask_person(const struct invocation *in, size_t max, const char *list,
	void (*print)(struct arena *arena, const struct json *member))
{
	struct arena *arena;
	int code;

	if (in->count != 1)
		return usage_error(in, "say whom: one number or one address, in quotes");
	arena = arena_create(max);
	code = ask_person(in, arena, list, print);
	arena_destroy(arena);
	return code;
}
