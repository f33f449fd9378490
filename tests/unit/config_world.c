/* config_world.c - see config_world.h. One thread. */
#include "config_world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "klinke/plugin.h"

/* ---- The world of the tests ------------------------------------------------------------------ */

static const struct plugin_option voice_options[] = {
	{"api_key", KL_OPT_SECRET | KL_OPT_REQUIRED, NULL, NULL, "the API key"},
	{"max_age", KL_OPT_MS, "5m", NULL, NULL},
	{"base_url", KL_OPT_URL, "https://api.example.com", NULL, NULL},
	{"mode", KL_OPT_CHOICE, NULL, "fast slow", NULL},
	{"limit", KL_OPT_INT, NULL, NULL, NULL},
	{"loud", KL_OPT_BOOL, NULL, NULL, NULL},
	{"size", KL_OPT_BYTES, NULL, NULL, NULL},
	{"extra", KL_OPT_TEXT | KL_OPT_REPEATED, NULL, NULL, NULL},
	{"greeting", KL_OPT_TEXT, NULL, NULL, NULL},
	{"old", KL_OPT_TEXT | KL_OPT_DEPRECATED, NULL, NULL, "use greeting"},
};
static const struct plugin_op voice_ops[] = {
	{"call", KL_OP_ACTION, NULL, NULL},
	{"update_call", KL_OP_ACTION, NULL, NULL},
	{"tell", KL_OP_ACTION,
		"{\"type\":\"object\",\"required\":[\"text\"],\"allOf\":[{\"anyOf\":[{\"required\":"
		"[\"to\"]},"
		"{\"required\":[\"user\"]}]}],\"properties\":{\"to\":{\"type\":\"string\"},"
		"\"user\":{},"
		"\"text\":{\"type\":\"string\"},\"tone\":{\"enum\":[\"soft\",\"loud\"]}}}",
		NULL},
	{"hang_up", KL_OP_ACTION,
		"{\"type\":\"object\",\"properties\":{},\"additionalProperties\":false}", NULL},
	{"note", KL_OP_ACTION,
		"{\"type\":\"object\",\"properties\":{\"text\":{}},\"additionalProperties\":true}",
		NULL},
	{"poll_calls", KL_OP_POLL, NULL, NULL},
	{"calls_poll", KL_OP_POLL, NULL, NULL},
	{"missed", KL_OP_POLL, NULL, NULL},
};
static const struct plugin_op calendar_ops[] = {
	{"slots", KL_OP_ACTION, NULL, NULL}, {"book", KL_OP_ACTION, NULL, NULL}};
static const struct plugin_option mapper_options[] = {
	{"prefix", KL_OPT_TEXT, NULL, NULL, NULL},
	{"*", KL_OPT_EXPR | KL_OPT_REPEATED, NULL, NULL, NULL},
};
static const struct plugin_op desk_ops[] = {{"offer", KL_OP_ACTION, NULL, NULL}};

#define LIST(field, a) .field##s = a, .field##_count = sizeof(a) / sizeof(*(a))

const struct plugin_info voice = {.name = "voice",
	.events = "call.inbound call.function call.ended call.analyzed chat.inbound",
	LIST(option, voice_options),
	LIST(op, voice_ops),
	.can_step = 1};
static const struct plugin_info calendar = {.name = "calendar",
	.events = "booking.created booking.cancelled",
	LIST(op, calendar_ops),
	.can_step = 1};
static const struct plugin_info mapper = {
	.name = "mapper", LIST(option, mapper_options), .can_map = 1};
/* What there is at the vendor is said by the connection's own keys. */
static const struct plugin_option anything_options[] = {{"*", KL_OPT_TEXT, NULL, NULL, NULL}};
static const struct plugin_op anything_ops[] = {{"test", KL_OP_ACTION, NULL, NULL},
	{"op.*", KL_OP_ACTION | KL_OP_LOOKUP, NULL, NULL}, {"poll.*", KL_OP_POLL, NULL, NULL}};
static const struct plugin_info anything = {.name = "anything",
	.events = "anything.other event.*",
	LIST(option, anything_options),
	LIST(op, anything_ops),
	.can_step = 1};
static const struct plugin_info desk = {.name = "desk", LIST(op, desk_ops)};

const struct plugin_info *find_plugin(void *user, const char *name, struct error *error)
{
	static const struct plugin_info *const all[] = {&voice, &calendar, &mapper, &anything};

	(void)user;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (strcmp(all[i]->name, name) == 0)
			return all[i];
	if (strcmp(name, "broken") == 0)
		error_set(error, E_IO, "broken.so: undefined symbol");
	else
		error_set(error, E_NOTFOUND, "no %s.so in plugins", name);
	return NULL;
}

/* Knows no SQL: BAD, dta and steps that are not there are faults, anything else is fine. */
static int check_sql(void *user, struct error *error, struct str sql, const char *const *step_names,
	size_t *offset)
{
	const char *bad = strstr(sql.ptr, "BAD"), *dta = strstr(sql.ptr, "dta");
	const char *step = strstr(sql.ptr, "steps.");

	(void)user;
	assert_int_equal(sql.ptr[sql.len], '\0');
	if (bad) {
		*offset = (size_t)(bad - sql.ptr);
		return error_set(error, E_INVALID, "syntax error near BAD");
	}
	if (dta) {
		char place[20];
		snprintf(place, sizeof(place), "%zu", (size_t)(dta - sql.ptr) + 1);
		return error_at(error, E_INVALID, place, "no such column: dta");
	}
	while (step && *step_names && strncmp(step + 6, *step_names, strlen(*step_names)))
		step_names++;
	if (step && !*step_names)
		return error_set(error, E_INVALID, "no such column: %s", step);
	return 0;
}

static const char *environment(void *user, const char *name)
{
	static const char *const known[][2] = {{"VOICE_KEY", "sk_env_4711"},
		{"VOICE_KEY_2", "sk_new_4711"}, {"EMPTY", ""}, {"NAME", "Jürgen"},
		{"ADMIN_TOKEN", "admin_4711_4711_4711"}, {"LIVE_TOKEN", "live_4711_4711_4711"}};

	(void)user;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(known[i][0], name) == 0)
			return known[i][1];
	return NULL;
}

static const char *const plugin_names[] = {"voice", "calendar", "mapper", "broken", NULL};
static const char *const columns[] = {"data", "event", "caller", NULL};
static const struct plugin_info *const builtins[] = {&desk};

const struct config_context world = {
	.plugin = find_plugin,
	.plugin_names = plugin_names,
	.builtins = builtins,
	.builtin_count = 1,
	.check_sql = check_sql,
	.columns = columns,
	.getenv = environment,
};

/* ---- Helpers ----------------------------------------------------------------------------------
 */

char *faults_text(const struct config_faults *faults, bool json)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	config_faults_print(out, faults, json);
	fclose(out);
	return text;
}

char *whole_file(const char *path)
{
	char *text = NULL, piece[4096];
	size_t len, n;
	FILE *out = open_memstream(&text, &len), *in = fopen(path, "r");

	if (!in)
		fail_msg("%s: %s", path, strerror(errno));
	while ((n = fread(piece, 1, sizeof(piece), in)) > 0)
		fwrite(piece, 1, n, out);
	fclose(in);
	fclose(out);
	return text;
}

struct config *load_good(const char *path)
{
	struct config_faults faults = {0};
	struct config *config = config_load(&faults, path, &world);
	char *told = faults_text(&faults, false);

	if (!config)
		fail_msg("%s", told);
	free(told);
	config_faults_finish(&faults);
	return config;
}

/* A text as a file of its own; told: NULL, or the faults as printed. */
struct config *load_text(const char *text, char **told)
{
	char path[] = "/tmp/klinke-config-XXXXXX";
	struct config_faults faults = {0};
	struct config *config;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	config = config_load(&faults, path, &world);
	unlink(path);
	if (told)
		*told = faults_text(&faults, false);
	config_faults_finish(&faults);
	return config;
}

void assert_told(const char *ini, const char *expected)
{
	char *told;
	struct config *config = load_text(ini, &told);

	if (!strstr(told, expected))
		fail_msg("expected \"%s\" in:\n%s", expected, told);
	free(told);
	config_unref(config);
}

void assert_case(const char *name)
{
	struct config_faults faults = {0};
	char path[200], *told, *expected;
	struct config *config;

	snprintf(path, sizeof(path), "%s.ini", name);
	config = config_load(&faults, path, &world);
	told = faults_text(&faults, false);
	snprintf(path, sizeof(path), "%s.faults", name);
	expected = whole_file(path);
	assert_string_equal(told, expected);
	assert_int_equal(config == NULL, faults.errors > 0);
	assert_null(strstr(told, "4711")); /* part of every secret */
	config_unref(config);
	config_faults_finish(&faults);
	free(told);
	free(expected);
}

struct config *reload(struct str snapshot, const struct config *literals, char **told)
{
	struct config_context ctx = world;
	struct config_faults faults = {0};
	struct config *config;

	ctx.literals = literals;
	config = config_load_text(&faults, snapshot, &ctx);
	*told = faults_text(&faults, false);
	config_faults_finish(&faults);
	return config;
}

int go_to_cases(void **state)
{
	const char *root = getenv("KLINKE_SOURCE");

	(void)state;
	if (root && chdir(root) < 0)
		return -1;
	return chdir("tests/unit/config");
}
