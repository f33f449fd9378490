/* client.c - see client.h. */
#include "command/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "command/setup.h"
#include "http/control.h"
#include "pipeline/runner.h"
#include "store/store.h"

#define PATIENCE_MS 90000

/* ---- Where is the state?
 * --------------------------------------------------------------------------------- */

static const struct plugin_info *not_asked(void *user, const char *name, struct error *error)
{
	(void)user;
	(void)name;
	error_set(error, E_BUSY, "plugins are not asked for this");
	return NULL;
}

/* For verbs that only look at rows the plugins need not be there, and other faults do not matter
 * as long as the state directory is known. */
static int find_state(const struct invocation *in, struct arena *arena, const char **state)
{
	struct config_context ctx = {.plugin = not_asked};
	struct config_faults faults = {0};
	struct config *config;

	*state = invocation_get(in, "state-dir");
	if (*state)
		return 0;
	config = config_load(&faults, in->config, &ctx);
	if (config)
		*state = arena_printf(arena, "%s", config_host(config)->state);
	else
		config_faults_print(stderr, &faults, in->json);
	config_unref(config);
	config_faults_finish(&faults);
	return *state ? 0 : EXIT_CONFIG;
}

/* ---- Without a host
 * -------------------------------------------------------------------------------------------- */

static int ask_here(const struct invocation *in, const struct admin *admin, struct arena *arena,
	struct str request, struct str *answer)
{
	(void)in;
	*answer = json_print(arena, admin_answer(admin, arena, request));
	return 0;
}

static int call_here(const struct invocation *in, struct admin *admin, struct arena *arena,
	struct str request, struct str *answer)
{
	struct error error = {0};
	struct config_faults faults = {0};
	struct setup *setup = setup_create(&error, in->zygote);
	struct config *config = setup ? setup_load(setup, in->config, &faults) : NULL;
	struct runner_options options = {
		.zygote = in->zygote, .store = admin->store, .config = config, .only_ours = true};
	int code = EXIT_CONFIG;

	if (!config)
		config_faults_print(stderr, &faults, in->json);
	else if (!(admin->runner = runner_create(&error, &options)))
		code = fail(in, &error);
	else
		code = ask_here(in, admin, arena, request, answer);
	runner_destroy(admin->runner);
	config_unref(config);
	config_faults_finish(&faults);
	setup_destroy(setup);
	return code;
}

static int alone(const struct invocation *in, const char *state, struct arena *arena,
	struct str request, struct str *answer)
{
	struct store_options options = {.directory = state};
	struct admin admin = {.state = state};
	struct error error = {0};
	int code;

	log_setup(LOG_ERROR, LOG_LOGFMT); /* a person reads this, not a journal */
	if (store_open(&error, &admin.store, &options) < 0)
		return fail(in, &error);
	code = in->zygote ? call_here(in, &admin, arena, request, answer)
			  : ask_here(in, &admin, arena, request, answer);
	store_close(admin.store);
	return code;
}

/* ---- Asking
 * -------------------------------------------------------------------------------------------------------
 */

static int told_error(const struct invocation *in, const struct json *e)
{
	struct str code = json_get_text(e, "code");
	struct error error = {.code = E_IO};

	for (int c = E_NOMEM; c >= E_CLOSED; c--)
		if (str_is(code, error_name(c)))
			error.code = c;
	snprintf(error.text, sizeof(error.text), "%.*s", STR_ARG(json_get_text(e, "text")));
	return fail(in, &error);
}

int client_ask(const struct invocation *in, struct arena *arena, const struct json *request,
	const struct json **answer)
{
	struct str text = json_print(arena, request), line = {0};
	struct error error = {0};
	const char *state;
	int code = find_state(in, arena, &state);

	if (code)
		return code;
	if (control_ask(&error, state, text, PATIENCE_MS, arena, &line) < 0) {
		if (error.code != E_NOTFOUND)
			return fail(in, &error);
		code = alone(in, state, arena, text, &line);
		if (code)
			return code;
	}
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
