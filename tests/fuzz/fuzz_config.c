/* fuzz_config.c - any bytes as configuration: no crash, no leak, no secret told.
 *
 * The input is office.ini; after a line "----" follows more.ini, which the first may include.
 * What loads must give a snapshot without the secret, which loads again and gives itself.
 * libFuzzer; corpus in tests/fuzz/config.
 */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "base/error.h"
#include "config/config.h"
#include "klinke/plugin.h"

static const char secret[] = "s3~cr3t";

static const struct plugin_option options[] = {
	{"api_key", KL_OPT_SECRET | KL_OPT_REQUIRED, NULL, NULL, NULL},
	{"max_age", KL_OPT_MS, "5m", NULL, NULL},
	{"base_url", KL_OPT_URL, NULL, NULL, NULL},
	{"mode", KL_OPT_CHOICE, NULL, "fast slow", NULL},
	{"limit", KL_OPT_INT, NULL, NULL, NULL},
	{"loud", KL_OPT_BOOL, NULL, NULL, NULL},
	{"size", KL_OPT_BYTES, NULL, NULL, NULL},
	{"extra", KL_OPT_TEXT | KL_OPT_REPEATED, NULL, NULL, NULL},
};
static const struct plugin_option wildcard[] = {
	{"prefix", KL_OPT_TEXT | KL_OPT_DEPRECATED, NULL, NULL, NULL},
	{"*", KL_OPT_EXPR | KL_OPT_REPEATED, NULL, NULL, NULL},
};
static const struct plugin_op ops[] = {
	{"call", KL_OP_ACTION, NULL, NULL},
	{"poll_calls", KL_OP_POLL, NULL, NULL},
	{"tell", KL_OP_ACTION,
		"{\"type\":\"object\",\"required\":[\"text\"],\"allOf\":[{\"anyOf\":[{\"required\":"
		"[\"to\"]},{\"required\":[\"user\"]}]}],\"properties\":{\"to\":{\"type\":"
		"\"string\"},"
		"\"user\":{},\"text\":{\"type\":\"string\"},\"tone\":{\"enum\":[\"soft\",\"loud\"]}"
		"}}",
		NULL},
	{"hang_up", KL_OP_ACTION,
		"{\"type\":\"object\",\"properties\":{},\"additionalProperties\":false}", NULL},
	{"note", KL_OP_ACTION,
		"{\"type\":\"object\",\"properties\":{\"text\":{}},\"additionalProperties\":true}",
		NULL},
};
static const struct plugin_op calendar_ops[] = {
	{"slots", KL_OP_ACTION, NULL, NULL}, {"book", KL_OP_ACTION, NULL, NULL}};
static const struct plugin_option declared[] = {
	{"*", KL_OPT_TEXT | KL_OPT_REPEATED, NULL, NULL, NULL},
};
static const struct plugin_op declared_ops[] = {{"op.*", KL_OP_ACTION, NULL, NULL},
	{"poll.*", KL_OP_POLL, NULL, NULL}, {"fixed", KL_OP_ACTION, NULL, NULL}};
static const struct plugin_op desk_ops[] = {{"offer", KL_OP_ACTION, NULL, NULL}};

#define LIST(field, a) .field##s = a, .field##_count = sizeof(a) / sizeof(*(a))

static const struct plugin_info voice = {.name = "voice",
	.events = "call.ended call.inbound call.function chat.inbound",
	LIST(option, options),
	LIST(op, ops)};
static const struct plugin_info calendar = {.name = "calendar", LIST(op, calendar_ops)};
static const struct plugin_info declaring = {.name = "declaring",
	.events = "event.* fixed.event",
	LIST(option, declared),
	LIST(op, declared_ops)};
static const struct plugin_info desk = {.name = "desk", LIST(op, desk_ops)};
static const struct plugin_info mapper = {.name = "mapper", LIST(option, wildcard), .can_map = 1};
static const struct plugin_info *const builtins[] = {&voice, &desk};
static const char *const words[] = {"data", "event", NULL};

struct input {
	struct str office, more;
};

static const struct plugin_info *find_plugin(void *user, const char *name, struct error *error)
{
	(void)user;
	if (strcmp(name, "voice") == 0)
		return &voice;
	if (strcmp(name, "mapper") == 0)
		return &mapper;
	if (strcmp(name, "calendar") == 0)
		return &calendar;
	if (strcmp(name, "declaring") == 0)
		return &declaring;
	error_set(error, strcmp(name, "broken") ? E_NOTFOUND : E_IO, "does not load");
	return NULL;
}

static int check_sql(void *user, struct error *error, struct str sql, const char *const *step_names,
	size_t *offset)
{
	(void)user;
	while (*step_names)
		step_names++;
	if (!memchr(sql.ptr, '!', sql.len))
		return 0;
	*offset = sql.len % 7;
	return error_at(error, E_INVALID, "3", "no such column: %.*s", STR_ARG(sql));
}

static const char *environment(void *user, const char *name)
{
	(void)user;
	return strcmp(name, "S") == 0 ? secret : strcmp(name, "N") == 0 ? "5" : NULL;
}

static int read_file(
	void *user, struct error *error, const char *path, struct buf *out, unsigned *mode)
{
	const struct input *input = user;
	struct str text = input->office;
	const char *slash = strrchr(path, '/'); /* a snapshot looks beside where the file was */

	*mode = 0100644;
	if (strcmp(slash ? slash + 1 : path, "secret") == 0)
		text = str_of(secret);
	else if (strcmp(path, "more.ini") == 0)
		text = input->more;
	else if (strcmp(path, "office.ini") != 0)
		return error_set(error, E_NOTFOUND, "there is no such file");
	buf_add_str(out, text);
	return out->failed ? error_set(error, E_INVALID, "too big") : 0;
}

static int list_files(void *user, struct error *error, const char *pattern,
	void (*found)(void *arg, const char *path), void *arg)
{
	(void)user;
	(void)error;
	found(arg, "more.ini");
	if (strchr(pattern, '?'))
		found(arg, "office.ini");
	return 0;
}

static void check_faults(const struct config_faults *faults, bool may_show)
{
	static FILE *nowhere;

	if (!nowhere)
		nowhere = fopen("/dev/null", "w");
	assert(nowhere);
	config_faults_print(nowhere, faults, true);
	config_faults_print(nowhere, faults, false);
	for (size_t i = 0; i < faults->count; i++) {
		assert(str_utf8_ok(str_of(faults->list[i].text)));
		assert(may_show || !strstr(faults->list[i].text, secret));
	}
}

static void check_again(
	const struct config *config, const struct config_context *ctx, bool may_show)
{
	struct config_faults faults = {0};
	struct config_context again_ctx = *ctx;
	struct config *again;
	struct str snapshot = config_snapshot(config);

	again_ctx.literals = config;
	assert(may_show || !has(snapshot, secret));
	again = config_load_text(&faults, snapshot, &again_ctx);
	check_faults(&faults, may_show);
	/* A plugin that does not load hides all of its keys, so there may be less in it. */
	if (!has(snapshot, "broken")) {
		assert(again);
		assert(str_eq(config_snapshot(again), snapshot));
	}
	config_faults_finish(&faults);
	config_unref(again);
}

/* What runs for an event is what config_pipelines() has for it. */
static void check_pipelines(const struct config *config)
{
	static const char *const events[] = {"call.ended", "order.made", "fixed.event", "no.such"};
	size_t tenants, all;
	const struct config_tenant *list = config_tenants(config, &tenants);

	config_pipelines(config, &all);
	for (size_t e = 0; e < sizeof(events) / sizeof(*events); e++)
		for (size_t t = 0; t <= tenants; t++)
			assert(config_pipelines_for(config, events[e], t ? &list[t - 1] : NULL)
					.count <= all);
}

/* The same bytes as a snapshot that nobody took. */
static void check_text(const struct config_context *ctx, struct str text, bool may_show)
{
	struct config_faults faults = {0};
	struct config *config = config_load_text(&faults, text, ctx);

	check_faults(&faults, may_show);
	assert(!config == (faults.errors > 0));
	config_faults_finish(&faults);
	config_unref(config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char cut[] = "\n----\n";
	const char *text = (const char *)data;
	const char *at = size ? memmem(text, size, cut, sizeof(cut) - 1) : NULL;
	struct input input = {{text, at ? (size_t)(at - text) : size}, {"", 0}};
	struct config_context ctx = {.user = &input,
		.plugin = find_plugin,
		.plugin_names = words,
		.builtins = builtins,
		.builtin_count = 2,
		.check_sql = check_sql,
		.columns = words,
		.getenv = environment,
		.read_file = read_file,
		.list_files = list_files};
	struct config_faults faults = {0};
	struct config *config;
	/* Names of files are told; and what the file itself says in clear is no secret of ours. */
	bool may_show =
		has((struct str){text, size}, secret) || has((struct str){text, size}, "include");

	if (at)
		input.more = (struct str){
			at + sizeof(cut) - 1, size - (size_t)(at - text) - (sizeof(cut) - 1)};
	config = config_load(&faults, "office.ini", &ctx);
	check_faults(&faults, may_show);
	assert(!config == (faults.errors > 0));
	if (config) {
		check_pipelines(config);
		check_again(config, &ctx, may_show);
	}
	check_text(&ctx, input.office, may_show);
	config_unref(config);
	config_faults_finish(&faults);
	return 0;
}
