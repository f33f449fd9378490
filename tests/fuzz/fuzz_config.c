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

static FILE *nowhere(void)
{
	static FILE *file;

	if (!file)
		file = fopen("/dev/null", "w");
	assert(file);
	return file;
}

static void check_faults(const struct config_faults *faults, bool may_show)
{
	config_faults_print(nowhere(), faults, true);
	config_faults_print(nowhere(), faults, false);
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

static void check_tenants(const struct config *config)
{
	size_t count;
	const struct config_tenant *list = config_tenants(config, &count);

	for (size_t i = 0; i < count; i++) {
		const struct config_desk *own = config_desk_for(config, &list[i]);

		assert(config_tenant(config, list[i].name) == &list[i]);
		assert(!own || own->tenant == &list[i]);
	}
	config_unref(config_ref(config));
	assert(!config_tenant(config, "no-such") && !config_tenant(config, ""));
}

/* A tenant's own name means the tenant's own, and else the agency's. */
static void check_names(const struct config *config)
{
	size_t count;
	const struct config_connection *connections = config_connections(config, &count);
	const struct config_mapping *mappings;
	const struct config_pipeline *pipelines;

	for (size_t i = 0; i < count; i++) {
		const struct config_connection *c = &connections[i];

		assert(config_connection(config, c->full) == c);
		assert(config_connection_for(config, c->tenant, c->name) == c);
		assert(!config_secret(c, "no such"));
	}
	mappings = config_mappings(config, &count);
	for (size_t i = 0; i < count; i++) {
		assert(config_mapping(config, mappings[i].full) == &mappings[i]);
		assert(config_mapping_for(config, mappings[i].tenant, mappings[i].name) ==
			&mappings[i]);
	}
	pipelines = config_pipelines(config, &count);
	for (size_t i = 0; i < count; i++)
		assert(config_pipeline(config, pipelines[i].full) == &pipelines[i]);
}

static void check_services(const struct config *config)
{
	size_t services, branches;

	config_services(config, &services);
	config_branches(config, &branches);
	for (size_t i = 0; i < services; i++)
		assert(config_tenant(config, config_services(config, &services)[i].tenant->name));
	for (size_t i = 0; i < branches; i++)
		assert(config_branches(config, &branches)[i].tenant);
}

/* While it is read: a section with faults may be half filled. */
static void look_host(void *user, const struct config_host *of)
{
	(void)user;
	assert(of->state && of->plugins.list);
}

static void look(void *user, const struct config *config)
{
	size_t count;

	(void)user;
	config_tenants(config, &count);
	for (size_t i = 0; i < count; i++)
		assert(config_tenants(config, &count)[i].name);
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

/* What a plugin complains about, somewhere in the file, as klinke check tells it. */
static void check_complaint(const struct input *input)
{
	struct str text = input->office;
	struct config_place place = {
		text.len % 3 ? "office.ini" : NULL, (unsigned)text.len % 5, (unsigned)text.len % 4};
	struct config_faults faults = {0};

	config_faults_add(&faults, place, CONFIG_ERROR, "%.*s", STR_ARG(text));
	config_faults_add(&faults, place, CONFIG_WARNING, "%.*s", STR_ARG(input->more));
	assert(faults.errors == 1 && faults.count == 2);
	config_faults_print(nowhere(), &faults, true);
	config_faults_print(nowhere(), &faults, false);
	config_faults_finish(&faults);
}

/* klinke config help SECTION, of the first section that is there. */
static void check_help(struct str office)
{
	const char *at = office.len ? memchr(office.ptr, '[', office.len) : NULL;
	size_t left = at ? office.len - (size_t)(at + 1 - office.ptr) : 0, n = 0;
	char kind[16];

	while (n < left && n < sizeof(kind) - 1 && at[1 + n] >= 'a' && at[1 + n] <= 'z')
		n++;
	if (!n)
		return;
	memcpy(kind, at + 1, n);
	kind[n] = '\0';
	config_help(nowhere(), kind);
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
		.list_files = list_files,
		.host = look_host,
		.look = look};
	struct config_faults faults = {0};
	struct config *config;
	/* Names of files are told; and what the file itself says in clear is no secret of ours. */
	bool may_show =
		has((struct str){text, size}, secret) || has((struct str){text, size}, "include");

	if (at)
		input.more = (struct str){
			at + sizeof(cut) - 1, size - (size_t)(at - text) - (sizeof(cut) - 1)};
	check_help(input.office);
	check_complaint(&input);
	config = config_load(&faults, "office.ini", &ctx);
	check_faults(&faults, may_show);
	assert(!config == (faults.errors > 0));
	if (config) {
		check_tenants(config);
		check_names(config);
		check_services(config);
		check_pipelines(config);
		check_again(config, &ctx, may_show);
	}
	check_text(&ctx, input.office, may_show);
	config_unref(config);
	config_faults_finish(&faults);
	return 0;
}
