/* case_file.c - reads case files, prepares each case, runs it, prints its line. One thread. */
#include "plugin/case.h"

#include <errno.h>
#include <klinke/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "plugin/host.h"
#include "plugin/session.h"

#define CASE_MEMORY ((size_t)256 * 1024 * 1024)

/* ---- one call ----------------------------------------------------------------------------- */

struct case_memory {
	struct case_memory *next;
	struct arena *arena;
};

/* Each call has an arena of its own, as in the host, so that its limit is the same. */
static struct arena *call_memory(struct case_run *run)
{
	struct case_memory *memory = arena_alloc(run->arena, sizeof(*memory));

	if (!memory)
		return NULL;
	memory->arena = arena_create(host_limits(NULL).memory);
	memory->next = run->calls;
	run->calls = memory;
	return memory->arena;
}

static void free_calls(struct case_run *run)
{
	struct case_memory *memory;

	for (memory = run->calls; memory; memory = memory->next)
		arena_destroy(memory->arena);
}

bool case_call(struct case_run *run, struct plugin_in *in, struct plugin_out *out)
{
	struct session *session = run->runner->session;
	struct arena *arena = call_memory(run);
	struct error error = {0};

	if (!session)
		call_run(run->runner->loaded, run->config, in, NULL, arena, out);
	else if (session_call(&error, session, run->config_text, in, arena, out))
		case_fault(run, "%s", error.text);
	if (!error.code && out->status != PLUGIN_OK)
		case_fault(run, "%s", out->error.text);
	if (run->runner->called)
		run->runner->called(run, in, out);
	return !error.code && out->status == PLUGIN_OK;
}

/* ---- config ------------------------------------------------------------------------------- */

static bool wants_fallback(const struct plugin_option *option, const struct json *given)
{
	uint32_t kind = option->kind & 255u;

	return option->fallback && kind != KL_OPT_SECRET && kind != KL_OPT_EXPR &&
	       strcmp(option->key, "*") != 0 && !json_get(given, option->key);
}

static const struct json *make_config(
	struct case_run *run, const struct json *given, const struct json *secrets)
{
	const struct plugin_info *info = run->runner->info;
	struct json *config = json_object(run->arena), *hold = json_array(run->arena);
	struct str key;
	size_t i;

	for (i = 0; i < info->option_count; i++)
		if (wants_fallback(&info->options[i], given))
			json_put_text(run->arena, config, info->options[i].key,
				str_of(info->options[i].fallback));
	for (i = 0; i < json_count(given); i++) {
		const struct json *value = json_at(given, i, &key);
		json_set(run->arena, config, key, value);
	}
	for (i = 0; i < json_count(secrets); i++) {
		json_at(secrets, i, &key);
		json_set(run->arena, config, key, json_of_bool(run->arena, true));
	}
	json_push(run->arena, hold, config); /* freezes it: a plugin cannot change it */
	return config;
}

static bool read_now(struct case_run *run)
{
	const struct json *now = json_get(run->spec, "now");

	run->now_ms = INT64_C(1795510800000); /* 2026-11-24T09:00:00Z */
	if (json_type(now) == JSON_NUMBER)
		run->now_ms = json_i64(now, run->now_ms);
	else if (now && !clock_parse(json_text(now), NULL, &run->now_ms))
		case_fault(run, "\"now\" is an instant like 2026-11-24T09:00:00Z, or milliseconds");
	return !run->faults.len;
}

/* ---- one case ----------------------------------------------------------------------------- */

typedef void case_kind(struct case_run *run, const struct json *spec);

static case_kind *find_kind(struct case_run *run, const struct json **spec)
{
	static const struct {
		const char *key;
		case_kind *kind;
	} kinds[] = {
		{"verify", case_verify},
		{"normalize", case_normalize},
		{"reply", case_reply},
		{"check", case_check},
		{"step", case_step},
		{"map", case_map},
	};
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		*spec = json_get(run->spec, kinds[i].key);
		if (*spec)
			return kinds[i].kind;
	}
	case_fault(run, "a case has one of verify, normalize, reply, check, step, map");
	return NULL;
}

/* A misspelt key would silently prove nothing. */
static void refuse_unknown_keys(struct case_run *run)
{
	static const char known[] = " name config secrets now expect verify normalize reply check "
				    "step map comment source ";
	char word[64];
	struct str key;
	size_t i;

	for (i = 0; i < json_count(run->spec); i++) {
		json_at(run->spec, i, &key);
		snprintf(word, sizeof(word), " %.*s ", STR_ARG(key));
		if (!strstr(known, word))
			case_fault(run, "unknown key \"%.*s\" in the case", STR_ARG(key));
	}
}

static void print_result(struct case_runner *runner, const struct case_run *run, const char *path)
{
	FILE *to = runner->print == CASE_TAP ? stdout : stderr;

	runner->run++;
	if (run->faults.len)
		runner->failed++;
	if (runner->ended) {
		runner->ended(
			runner, path, run->name, (struct str){run->faults.ptr, run->faults.len});
		return;
	}
	if (runner->print != CASE_TAP && !run->faults.len)
		return;
	fprintf(to, "%s %u - %.*s\n", run->faults.len ? "not ok" : "ok", runner->run,
		STR_ARG(run->name));
	if (run->faults.len)
		fprintf(to, "#   in %s\n%s", path, run->faults.ptr);
}

void case_one(
	struct case_runner *runner, struct arena *arena, const char *path, const struct json *spec)
{
	struct case_run run = {.runner = runner, .arena = arena, .spec = spec};
	const struct json *arguments;
	case_kind *kind;

	buf_init(&run.faults, 1024 * 1024);
	run.name = json_get_text(spec, "name");
	if (!run.name.len)
		run.name = STR("(no name)");
	refuse_unknown_keys(&run);
	kind = find_kind(&run, &arguments);
	run.config = make_config(&run, json_get(spec, "config"), json_get(spec, "secrets"));
	run.config_text = json_print(arena, run.config);
	if (kind && read_now(&run))
		kind(&run, arguments);
	if (arena_failed(arena))
		case_fault(&run, "the case runner has no more memory for this case");
	print_result(runner, &run, path);
	buf_finish(&run.faults);
	free_calls(&run);
}

/* ---- one file ----------------------------------------------------------------------------- */

static struct str read_whole(struct arena *arena, const char *path)
{
	FILE *file = fopen(path, "rb");
	char *text = NULL;
	long size = -1;

	if (!file)
		return (struct str){0};
	if (fseek(file, 0, SEEK_END) == 0)
		size = ftell(file);
	if (size >= 0 && fseek(file, 0, SEEK_SET) == 0)
		text = arena_alloc(arena, (size_t)size + 1);
	if (text && fread(text, 1, (size_t)size, file) != (size_t)size)
		text = NULL;
	fclose(file);
	return (struct str){text, text ? (size_t)size : 0};
}

static void fail_file(
	struct case_runner *runner, const char *path, const char *place, const char *why)
{
	runner->run++;
	runner->failed++;
	if (runner->ended) {
		runner->ended(runner, path, str_of(place), str_of(why));
		return;
	}
	fprintf(runner->print == CASE_TAP ? stdout : stderr, "not ok %u - %s:%s: %s\n", runner->run,
		path, place, why);
}

/* Each case gets an arena of its own, and parses the file again: cases are few, and no case can
 * touch another's tree. */
static size_t run_nth(struct case_runner *runner, const char *path, size_t nth)
{
	struct arena *arena = arena_create(CASE_MEMORY);
	struct str text = read_whole(arena, path);
	struct error error = {0};
	struct json *file = text.ptr ? json_parse(arena, text, &error) : NULL;
	size_t count = json_type(file) == JSON_ARRAY ? json_count(file) : 1;

	if (!text.ptr)
		fail_file(runner, path, "0", strerror(errno));
	else if (!file)
		fail_file(runner, path, error.place, error.text);
	else if (json_type(file) == JSON_OBJECT)
		case_one(runner, arena, path, file);
	else if (nth < count)
		case_one(runner, arena, path, json_at(file, nth, NULL));
	else
		fail_file(runner, path, "1", "the file holds no case");
	arena_destroy(arena);
	return count;
}

void case_file(struct case_runner *runner, const char *path)
{
	size_t i, count = 1;

	for (i = 0; i < count; i++)
		count = run_nth(runner, path, i);
}
