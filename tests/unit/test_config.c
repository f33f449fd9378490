/* test_config.c - the configuration: every fault at its place, every value in its field.
 *
 * Faults are a corpus: tests/unit/config/NAME.ini is loaded, what is told must be NAME.faults to
 * the letter. KLINKE_SOURCE is the root of the source tree (default: the working directory).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "config/config.h"
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
	{"poll_calls", KL_OP_POLL, NULL, NULL},
	{"calls_poll", KL_OP_POLL, NULL, NULL},
	{"missed", KL_OP_POLL, NULL, NULL},
};
static const struct plugin_op calendar_ops[] = {{"book", KL_OP_ACTION, NULL, NULL}};
static const struct plugin_option mapper_options[] = {
	{"prefix", KL_OPT_TEXT, NULL, NULL, NULL},
	{"*", KL_OPT_EXPR | KL_OPT_REPEATED, NULL, NULL, NULL},
};
static const struct plugin_op desk_ops[] = {{"offer", KL_OP_ACTION, NULL, NULL}};

#define LIST(field, a) .field##s = a, .field##_count = sizeof(a) / sizeof(*(a))

static const struct plugin_info voice = {.name = "voice",
	.events = "call.function call.ended call.analyzed",
	LIST(option, voice_options),
	LIST(op, voice_ops),
	.can_step = 1};
static const struct plugin_info calendar = {.name = "calendar",
	.events = "booking.created booking.cancelled",
	LIST(op, calendar_ops),
	.can_step = 1};
static const struct plugin_info mapper = {
	.name = "mapper", LIST(option, mapper_options), .can_map = 1};
static const struct plugin_info desk = {.name = "desk", LIST(op, desk_ops)};

static const struct plugin_info *find_plugin(void *user, const char *name, struct error *error)
{
	static const struct plugin_info *const all[] = {&voice, &calendar, &mapper};

	(void)user;
	for (size_t i = 0; i < 3; i++)
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
		{"ADMIN_TOKEN", "admin_4711"}};

	(void)user;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(known[i][0], name) == 0)
			return known[i][1];
	return NULL;
}

static const char *const plugin_names[] = {"voice", "calendar", "mapper", "broken", NULL};
static const char *const columns[] = {"data", "event", "caller", NULL};
static const struct plugin_info *const builtins[] = {&desk};

static const struct config_context world = {
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

static char *faults_text(const struct config_faults *faults, bool json)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	config_faults_print(out, faults, json);
	fclose(out);
	return text;
}

static char *whole_file(const char *path)
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

static struct config *load_good(const char *path)
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
static struct config *load_text(const char *text, char **told)
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

static void assert_told(const char *ini, const char *expected)
{
	char *told;
	struct config *config = load_text(ini, &told);

	if (!strstr(told, expected))
		fail_msg("expected \"%s\" in:\n%s", expected, told);
	free(told);
	config_unref(config);
}

/* ---- Faults ------------------------------------------------------------------------------------
 */

static void assert_case(const char *name)
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

#define CASE(name, file)                                                                           \
	static void name(void **state)                                                             \
	{                                                                                          \
		(void)state;                                                                       \
		assert_case(file);                                                                 \
	}
CASE(lines_that_are_no_ini_are_told, "syntax")
CASE(windows_line_ends_and_a_byte_order_mark_are_fine, "crlf-bom")
CASE(bytes_that_are_no_text_are_told, "bytes")
CASE(host_values_are_checked, "host")
CASE(a_reachable_host_needs_a_token, "reachable")
CASE(a_pipeline_has_an_end, "long")
CASE(repeats_are_told_with_the_first_place, "twice")
CASE(tenants_are_checked, "tenants")
CASE(connections_are_checked, "connections")
CASE(secrets_are_found_and_never_shown, "secrets")
CASE(templates_are_checked, "inherit")
CASE(pipelines_are_checked, "pipelines")
CASE(mappings_are_checked, "mappings")
CASE(includes_are_checked, "include")
CASE(a_good_file_has_no_faults, "good")

static void a_missing_file_is_told(void **state)
{
	struct config_faults faults = {0};

	(void)state;
	assert_null(config_load(&faults, "nowhere.ini", &world));
	assert_int_equal(faults.errors, 1);
	assert_string_equal(faults.list[0].file, "nowhere.ini");
	assert_int_equal(faults.list[0].line, 0);
	assert_non_null(strstr(faults.list[0].text, "nowhere.ini"));
	config_faults_finish(&faults);
}

static void faults_are_json_on_demand(void **state)
{
	struct config_faults faults = {0};
	struct arena *arena = arena_create(1 << 20);
	const struct json *first;
	char *told;

	(void)state;
	assert_null(config_load(&faults, "reachable.ini", &world));
	told = faults_text(&faults, true);
	first = json_parse(arena, (struct str){told, strcspn(told, "\n")}, NULL);
	assert_true(str_is(json_get_text(first, "file"), "reachable.ini"));
	assert_int_equal(json_i64(json_get(first, "line"), 0), 1);
	assert_int_equal(json_i64(json_get(first, "col"), 0), 1);
	assert_true(str_is(json_get_text(first, "severity"), "error"));
	assert_non_null(strstr(json_get_text(first, "text").ptr, "admin_token"));
	free(told);
	arena_destroy(arena);
	config_faults_finish(&faults);
}

static void others_may_add_faults_in_order(void **state)
{
	struct config_faults faults = {0};

	(void)state;
	config_faults_add(&faults, (struct config_place){"b.ini", 2, 1}, CONFIG_ERROR, "x%d", 1);
	config_faults_add(&faults, (struct config_place){"a.ini", 9, 1}, CONFIG_WARNING, "y");
	config_faults_add(&faults, (struct config_place){"a.ini", 9, 1}, CONFIG_WARNING, "y");
	assert_int_equal(faults.count, 2);
	assert_int_equal(faults.errors, 1);
	assert_string_equal(faults.list[0].file, "a.ini");
	assert_string_equal(faults.list[1].text, "x1");
	config_faults_finish(&faults);
}

/* Thousands of faults are counted, and the list stays bounded. */
static void the_list_of_faults_is_bounded(void **state)
{
	struct config_faults faults = {0};

	(void)state;
	for (uint32_t i = 0; i < 2000; i++)
		config_faults_add(
			&faults, (struct config_place){"a.ini", i + 1, 1}, CONFIG_ERROR, "x");
	assert_int_equal(faults.errors, 2000);
	assert_true(faults.count >= CONFIG_FAULTS_MAX && faults.count < 2000);
	assert_int_equal(faults.count + faults.left_out, 2000);
	config_faults_finish(&faults);
}

static void a_world_readable_secret_is_told(void **state)
{
	static const char ini[] = "[connection c]\nplugin = voice\napi_key = @%s\n";
	char path[] = "/tmp/klinke-secret-XXXXXX", text[200], *told;
	struct config *config;
	size_t count;
	int fd = mkstemp(path);

	(void)state;
	assert_int_equal(write(fd, "from-file\r\n", 11), 11);
	snprintf(text, sizeof(text), ini, path);
	config = load_text(text, &told);
	assert_non_null(config);
	assert_string_equal(told, "");
	assert_string_equal(
		config_connections(config, &count)->secrets[0].values[0].ptr, "from-file");
	config_unref(config);
	free(told);

	assert_int_equal(fchmod(fd, 0644), 0);
	config = load_text(text, &told);
	assert_non_null(config);
	assert_non_null(strstr(told, ":3:11: warning: "));
	assert_non_null(strstr(told, "chmod o-r"));
	config_unref(config);
	free(told);
	close(fd);
	unlink(path);
}

static void suggestions_are_near(void **state)
{
	static const char *const words[] = {"timezone", "tenant", "rate", "on"};

	(void)state;
	assert_string_equal(config_suggest(STR("tiemzone"), words, 4), "timezone"); /* one swap */
	assert_string_equal(config_suggest(STR("TENANT"), words, 4), "tenant");
	assert_string_equal(config_suggest(STR("rat"), words, 4), "rate");
	assert_null(config_suggest(STR("banana"), words, 4));
	assert_null(config_suggest(STR("x"), words, 4));
	assert_null(config_suggest(STR(""), words, 4));
}

/* ---- Values ------------------------------------------------------------------------------------
 */

static void host_values_arrive(void **state)
{
	struct config *config = load_good("good.ini");
	const struct config_host *host = config_host(config);

	(void)state;
	assert_string_equal(host->listen, "[::1]:8080");
	assert_true(host->loopback);
	assert_string_equal(host->state, "state");
	assert_int_equal(host->plugins.count, 2);
	assert_string_equal(host->plugins.list[1], "/opt/plugins");
	assert_null(host->plugins.list[2]);
	assert_int_equal(host->log, LOG_JSON);
	assert_int_equal(host->log_level, LOG_DEBUG);
	assert_int_equal(host->max_body, 1 << 20);
	assert_int_equal(host->drain_timeout_ms, 90000);
	assert_int_equal(host->header_timeout_ms, 10000);
	assert_string_equal(host->admin_token.values[0].ptr, "admin_4711");
	assert_int_equal(host->allow_private.count, 3);
	config_unref(config);
}

static void an_empty_file_is_all_defaults(void **state)
{
	struct config *config = load_text("", NULL);
	size_t count;

	(void)state;
	assert_non_null(config);
	assert_string_equal(config_host(config)->listen, "127.0.0.1:8080");
	assert_true(config_host(config)->loopback);
	assert_int_equal(config_host(config)->max_body, 4 << 20);
	assert_string_equal(config_host(config)->plugins.list[0], "/usr/lib/klinke/plugins");
	config_connections(config, &count);
	assert_int_equal(count, 0);
	assert_null(config_connection(config, "agency/phone"));
	assert_null(config_tenant(config, "x"));
	config_unref(config);
}

struct asked {
	int hosts, plugins;
};

static void told_host(void *user, const struct config_host *host)
{
	struct asked *asked = user;

	assert_int_equal(asked->plugins, 0);
	assert_string_equal(host->plugins.list[0], "plugins");
	asked->hosts++;
}

static const struct plugin_info *asked_plugin(void *user, const char *name, struct error *error)
{
	((struct asked *)user)->plugins++;
	return find_plugin(NULL, name, error);
}

static void the_host_is_told_before_a_plugin_is_asked_for(void **state)
{
	struct config_context ctx = world;
	struct config_faults faults = {0};
	struct asked asked = {0};
	struct config *config;

	(void)state;
	ctx.user = &asked;
	ctx.host = told_host;
	ctx.plugin = asked_plugin;
	config = config_load(&faults, "good.ini", &ctx);
	assert_non_null(config);
	assert_int_equal(asked.hosts, 1);
	assert_true(asked.plugins > 0);
	config_unref(config);
	config_faults_finish(&faults);
}

static void tenants_arrive(void **state)
{
	struct config *config = load_good("good.ini");
	const struct config_tenant *winter = config_tenant(config, "winter");
	const struct config_tenant *sommer = config_tenant(config, "sommer");

	(void)state;
	assert_string_equal(winter->title, "Praxis Dr. Winter");
	assert_string_equal(winter->country, "AT"); /* of Europe/Vienna */
	assert_int_equal(winter->language, CONFIG_DE);
	assert_string_equal(sommer->title, "sommer");
	assert_string_equal(sommer->country, "CH");
	assert_int_equal(sommer->language, CONFIG_EN);
	assert_string_equal(winter->numbers.list[0], "+49301234567");
	assert_ptr_equal(
		config_tenant_for(config, CONFIG_BY_NUMBER, STR("+49 30 1234567")), winter);
	assert_ptr_equal(config_tenant_for(config, CONFIG_BY_NUMBER, STR("+49301234568")), winter);
	assert_null(config_tenant_for(config, CONFIG_BY_NUMBER, STR("+4930123456")));
	assert_ptr_equal(config_tenant_for(config, CONFIG_BY_AGENT, STR("agent_2")), winter);
	assert_null(config_tenant_for(config, CONFIG_BY_AGENT, STR("4711")));
	assert_ptr_equal(config_tenant_for(config, CONFIG_BY_EVENT_TYPE, STR("4711")), winter);
	config_unref(config);
}

static void options_arrive_as_texts(void **state)
{
	struct config *config = load_good("good.ini");
	struct arena *arena = arena_create(1 << 20);
	const struct config_connection *phone = config_connection(config, "winter/phone");
	const struct json *options = json_parse(arena, phone->options, NULL);
	const struct json *expected = json_parse(arena,
		STR("{\"max_age\":\"120000\",\"base_url\":\"https://api.example.com\",\"loud\":"
		    "\"true\",\"size\":\"2048\",\"extra\":[\"one\",\"two words\"],"
		    "\"api_key\":true}"),
		NULL);

	(void)state;
	assert_true(json_equal(options, expected));
	phone = config_connection(config, "agency/phone");
	options = json_parse(arena, phone->options, NULL);
	assert_true(str_is(json_get_text(options, "greeting"), "Hallo, Jürgen!"));
	assert_true(str_is(json_get_text(options, "max_age"), "300000"));
	arena_destroy(arena);
	config_unref(config);
}

static void connections_arrive(void **state)
{
	struct config *config = load_good("good.ini");
	const struct config_connection *own = config_connection(config, "winter/phone");
	const struct config_connection *shared = config_connection(config, "agency/phone");
	const struct config_secret *key = config_secret(own, "api_key");

	(void)state;
	assert_string_equal(own->full, "winter/phone");
	assert_string_equal(own->tenant->name, "winter");
	assert_ptr_equal(own->info, &voice);
	assert_int_equal(key->count, 2); /* one of its own replaces the template's */
	assert_string_equal(key->values[0].ptr, "sk_new_4711");
	assert_string_equal(key->values[1].ptr, "sk_env_4711");
	assert_false(key->literal);
	assert_int_equal(own->limits.rate.count, 120);
	assert_int_equal(own->limits.rate.per_ms, 60000);
	assert_int_equal(own->retry.max_tries, 3);
	assert_int_equal(own->retry.max_age_ms, 24 * 3600 * 1000);
	assert_int_equal(own->poll_count, 2);
	assert_string_equal(own->polls[0].op, "missed");
	assert_int_equal(own->polls[0].every_ms, 600000);
	assert_string_equal(own->polls[1].op, "poll_calls");
	assert_int_equal(shared->worker.isolation, CONFIG_INLINE);
	assert_null(shared->tenant);
	assert_int_equal(config_connection_place(own, "max_age").line, 36);
	assert_int_equal(config_connection_place(own, "nothing").line, own->place.line);
	config_unref(config);
}

static void a_name_means_the_tenants_own_first(void **state)
{
	struct config *config = load_good("good.ini");
	const struct config_tenant *winter = config_tenant(config, "winter");
	const struct config_tenant *sommer = config_tenant(config, "sommer");

	(void)state;
	assert_string_equal(config_connection_for(config, winter, "phone")->full, "winter/phone");
	assert_string_equal(config_connection_for(config, sommer, "phone")->full, "agency/phone");
	assert_string_equal(config_connection_for(config, NULL, "phone")->full, "agency/phone");
	assert_null(config_connection_for(config, NULL, "calendar"));
	assert_string_equal(config_mapping_for(config, sommer, "booking")->full, "agency/booking");
	assert_null(config_mapping_for(config, sommer, "nothing"));
	assert_null(config_connection(config, "winter/phon"));
	assert_null(config_connection(config, "winter"));
	config_unref(config);
}

static void mappings_arrive(void **state)
{
	struct config *config = load_good("good.ini");
	const struct config_mapping *mapping = config_mapping(config, "agency/booking");

	(void)state;
	assert_string_equal(mapping->options.ptr, "{\"prefix\":\"p\"}");
	assert_int_equal(mapping->field_count, 3);
	assert_string_equal(mapping->fields[0].key, "start");
	assert_string_equal(mapping->fields[0].spec, "datetime, required");
	assert_string_equal(mapping->fields[0].sql.text.ptr, "data ->> 'start'");
	assert_int_equal(mapping->fields[0].sql.place.col, 30);
	assert_string_equal(mapping->fields[1].spec, "");
	assert_string_equal(mapping->fields[1].sql.text.ptr,
		"coalesce(\ndata ->> 'name',  -- as the agent wrote it\n'x:y')");
	assert_string_equal(mapping->fields[2].spec, "choice(a, \"b:c\")");
	config_unref(config);
}

static void pipelines_arrive(void **state)
{
	struct config *config = load_good("good.ini");
	const struct config_pipeline *ask = config_pipeline(config, "agency/ask");
	const struct config_pipeline *book = config_pipeline(config, "winter/book");

	(void)state;
	assert_int_equal(ask->within_ms, 450);
	assert_string_equal(ask->fallback.text.ptr, "Einen Moment bitte.");
	assert_string_equal(ask->when.text.ptr, "data ->> 'name' = 'x'");
	assert_true(ask->steps[0].call.builtin);
	assert_string_equal(ask->steps[0].name, "offer");
	assert_null(ask->steps[0].in.text.ptr);
	assert_int_equal(ask->retry.max_tries, -1);
	assert_false(ask->strict);
	assert_null(ask->on_error);
	assert_int_equal(book->on.count, 2);
	assert_true(book->strict);
	assert_int_equal(book->retry.max_age_ms, 3600000);
	assert_string_equal(book->on_error->connection, "phone");
	assert_null(book->when.text.ptr);
	config_unref(config);
}

static void steps_arrive(void **state)
{
	struct config *config = load_good("good.ini");
	const struct config_pipeline *book = config_pipeline(config, "winter/book");
	const struct config_step *step = &book->steps[1];

	(void)state;
	assert_int_equal(book->step_count, 2);
	assert_string_equal(book->steps[0].call.mapping, "booking");
	assert_string_equal(book->steps[0].name, "booking");
	assert_null(book->steps[0].call.connection);
	assert_string_equal(step->call.connection, "calendar");
	assert_string_equal(step->call.op, "book");
	assert_string_equal(step->name, "booked");
	assert_int_equal(step->call.arg_count, 3);
	assert_string_equal(step->call.args[0].value.text.ptr, "a \"b\" \\ c");
	assert_false(step->call.args[0].is_sql);
	assert_true(step->call.args[1].is_sql);
	assert_string_equal(step->call.args[1].value.text.ptr, "data ->>\n'$.note)'");
	assert_string_equal(step->call.args[2].value.text.ptr, "5");
	assert_string_equal(step->in.text.ptr, "steps.booking");
	assert_string_equal(step->at.text.ptr, "data ->> 'start'");
	assert_int_equal(step->at_offset_ms, -24 * 3600 * 1000);
	assert_int_equal(step->cancel_on.count, 2);
	assert_string_equal(step->cancel_on.list[1], "booking.created");
	assert_string_equal(step->otherwise->connection, "phone");
	config_unref(config);
}

static void events_find_their_pipelines(void **state)
{
	struct config *config = load_good("good.ini");
	const struct config_tenant *winter = config_tenant(config, "winter");
	const struct config_tenant *sommer = config_tenant(config, "sommer");
	struct config_pipelines found = config_pipelines_for(config, "call.ended", winter);

	(void)state;
	assert_int_equal(found.count, 2);
	assert_string_equal(found.list[0]->full, "winter/book");
	assert_string_equal(found.list[1]->full, "agency/all");
	found = config_pipelines_for(config, "call.ended", sommer);
	assert_int_equal(found.count, 1);
	assert_string_equal(found.list[0]->full, "agency/all");
	found = config_pipelines_for(config, "call.ended", NULL);
	assert_int_equal(found.count, 1);
	assert_int_equal(config_pipelines_for(config, "call.analyzed", sommer).count, 0);
	assert_int_equal(config_pipelines_for(config, "call.analyzed", winter).count, 1);
	assert_int_equal(config_pipelines_for(config, "no.such", winter).count, 0);
	config_unref(config);
}

static void an_offset_is_split_off_an_instant(void **state)
{
	static const struct {
		const char *at, *sql;
		int64_t ms;
	} cases[] = {{"start - 24h", "start", -86400000}, {"start + 1h30m", "start", 5400000},
		{"start -10s", "start", -10000}, {"start-2d", "start", -172800000},
		{"start", "start", 0}, {"data ->> 'x'", "data ->> 'x'", 0}, {"x - 5", "x - 5", 0},
		{"x(a - 1h)", "x(a - 1h)", 0}, {"x * 5m", "x * 5m", 0}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char ini[400];
		snprintf(ini, sizeof(ini),
			"[pipeline p]\non = job.dead\nstep = desk.offer\nat = %s\n", cases[i].at);
		struct config *config = load_text(ini, NULL);
		assert_non_null(config);
		const struct config_step *step = config_pipeline(config, "agency/p")->steps;
		assert_string_equal(step->at.text.ptr, cases[i].sql);
		assert_int_equal(step->at_offset_ms, cases[i].ms);
		config_unref(config);
	}
}

static void very_long_lines_are_fine(void **state)
{
	enum { N = 300000 };
	char *ini = malloc(N + 200);
	struct config *config;
	size_t len = (size_t)sprintf(ini, "[tenant t]\ntimezone = Europe/Berlin\nname = ");

	(void)state;
	memset(ini + len, 'x', N);
	ini[len + N] = '\0';
	config = load_text(ini, NULL);
	assert_non_null(config);
	assert_int_equal(strlen(config_tenant(config, "t")->title), N);
	config_unref(config);
	free(ini);
}

static void long_names_are_not_cut(void **state)
{
	static const char name[] = "a-very-long-name-of-a-tenant-with-more-than-49-characters-64-x";
	char ini[300];
	struct config *config;

	(void)state;
	snprintf(ini, sizeof(ini), "[tenant %s]\ntimezone = Europe/Berlin\n", name);
	config = load_text(ini, NULL);
	assert_non_null(config);
	assert_non_null(config_tenant(config, name));
	config_unref(config);
	assert_told("[tenant xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx]\n",
		":1:1: error: ");
}

static void a_semicolon_inside_a_value_is_no_comment(void **state)
{
	struct config *config =
		load_text("[tenant t]\ntimezone = Europe/Berlin\nname = a ; b # c\n", NULL);

	(void)state;
	assert_non_null(config);
	assert_string_equal(config_tenant(config, "t")->title, "a ; b # c");
	config_unref(config);
}

static void a_plugin_that_does_not_load_disables_only_itself(void **state)
{
	char *told;
	struct config *config = load_text("[connection out]\nplugin = broken\n"
					  "thing = hidden-4711\nother = ${VOICE_KEY}\n"
					  "[pipeline p]\non = call.ended\nstep = out.anything\n",
		&told);
	const struct config_connection *out;

	(void)state;
	assert_non_null(config);
	assert_non_null(strstr(told, ":2:10: warning: "));
	out = config_connection(config, "agency/out");
	assert_null(out->info);
	assert_non_null(strstr(out->disabled, "undefined symbol"));
	assert_null(strstr(config_snapshot(config).ptr, "4711"));
	free(told);
	config_unref(config);
}

/* ---- Snapshots ---------------------------------------------------------------------------------
 */

static struct config *reload(struct str snapshot, const struct config *literals, char **told)
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

static void a_snapshot_loads_as_the_same(void **state)
{
	struct config *config = load_good("good.ini"), *again;
	const struct config_pipeline *a, *b;
	char *told;

	(void)state;
	assert_null(strstr(config_snapshot(config).ptr, "sk_"));
	assert_null(strstr(config_snapshot(config).ptr, "admin_4711"));
	assert_non_null(strstr(config_snapshot(config).ptr, "${VOICE_KEY}"));
	again = reload(config_snapshot(config), NULL, &told);
	assert_string_equal(told, "");
	assert_non_null(again);
	assert_string_equal(config_snapshot(again).ptr, config_snapshot(config).ptr);
	a = config_pipeline(config, "winter/book");
	b = config_pipeline(again, "winter/book");
	assert_string_equal(a->place.file, b->place.file);
	assert_int_equal(a->steps[1].call.args[1].value.place.line,
		b->steps[1].call.args[1].value.place.line);
	assert_int_equal(
		a->steps[1].call.args[1].value.place.col, b->steps[1].call.args[1].value.place.col);
	assert_int_equal(b->steps[1].in.place.line, a->steps[1].in.place.line);
	assert_string_equal(
		config_secret(config_connection(again, "winter/phone"), "api_key")->values[0].ptr,
		"sk_new_4711");
	free(told);
	config_unref(config);
	config_unref(again);
}

static void a_snapshot_takes_literal_secrets_from_today(void **state)
{
	static const char ini[] = "[template t]\nplugin = voice\n"
				  "api_key = sk_old_4711\n  continued\napi_key = sk_older_4711\n"
				  "[connection c]\nlike = t\n";
	struct config *config = load_text(ini, NULL), *again;
	const struct config_secret *key;
	char *told;

	(void)state;
	assert_non_null(config);
	assert_true(config_secret(config_connection(config, "agency/c"), "api_key")->literal);
	assert_null(strstr(config_snapshot(config).ptr, "4711"));
	assert_null(strstr(config_snapshot(config).ptr, "continued"));
	again = reload(config_snapshot(config), config, &told);
	assert_non_null(again);
	assert_string_equal(told, "");
	key = config_secret(config_connection(again, "agency/c"), "api_key");
	assert_int_equal(key->count, 2);
	assert_string_equal(key->values[0].ptr, "sk_old_4711 continued");
	assert_string_equal(key->values[1].ptr, "sk_older_4711");
	assert_string_equal(config_snapshot(again).ptr, config_snapshot(config).ptr);
	config_unref(again);
	free(told);

	again = reload(config_snapshot(config), NULL, &told);
	assert_non_null(again);
	assert_non_null(strstr(told, ":3:1: warning: "));
	assert_null(config_secret(config_connection(again, "agency/c"), "api_key"));
	config_unref(again);
	free(told);
	config_unref(config);
}

static void write_file(const char *path, const char *text)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	fputs(text, out);
	fclose(out);
}

/* Its files are looked up where they were, whatever the working directory is by then. */
static void a_snapshot_keeps_includes_and_places(void **state)
{
	char dir[] = "/tmp/klinke-config-XXXXXX", here[4096], *told;
	struct config *config, *again;

	(void)state;
	assert_non_null(getcwd(here, sizeof(here)));
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(mkdir("t", 0700), 0);
	write_file("a.ini", "[host]\ninclude = t/*.ini\nstate = s\n");
	write_file("t/2.ini", "; nothing\n\n[connection b]\nplugin = voice\napi_key = @key\n");
	write_file("t/1.ini", "[connection a]\nplugin = voice\napi_key = @key\n");
	write_file("t/key", "sk_file_4711\n");
	config = load_good("a.ini");
	assert_int_equal(chdir(here), 0);
	again = reload(config_snapshot(config), NULL, &told);
	assert_non_null(again);
	assert_string_equal(config_connection(again, "agency/b")->place.file, "t/2.ini");
	assert_int_equal(config_connection(again, "agency/b")->place.line, 3);
	assert_string_equal(
		config_secret(config_connection(again, "agency/a"), "api_key")->values[0].ptr,
		"sk_file_4711");
	assert_null(strstr(config_snapshot(config).ptr, "4711"));
	assert_null(strstr(config_snapshot(config).ptr, "include"));
	free(told);
	config_unref(again);
	config_unref(config);
	assert_int_equal(chdir(dir), 0);
	unlink("a.ini"), unlink("t/1.ini"), unlink("t/2.ini"), unlink("t/key"), rmdir("t");
	assert_int_equal(chdir(here), 0);
	rmdir(dir);
}

static void a_reference_keeps_it(void **state)
{
	struct config *config = load_good("good.ini");
	const struct config *held = config_ref(config);

	(void)state;
	config_unref(config);
	assert_string_equal(config_host(held)->state, "state");
	config_unref(held);
	config_unref(NULL);
}

/* ---- Tables ------------------------------------------------------------------------------------
 */

static void help_names_every_key(void **state)
{
	size_t sections, len;
	const struct config_section *list = config_sections(&sections);
	char *text = NULL;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	config_help(out, NULL);
	fclose(out);
	for (size_t i = 0; i < sections; i++)
		for (size_t k = 0; k < list[i].key_count; k++) {
			assert_non_null(list[i].keys[k].help);
			assert_non_null(strstr(text, list[i].keys[k].name));
			assert_non_null(strstr(text, list[i].keys[k].type));
		}
	free(text);
	out = open_memstream(&text, &len);
	config_help(out, "tenant");
	fclose(out);
	assert_non_null(strstr(text, "timezone"));
	assert_null(strstr(text, "breaker"));
	free(text);
}

static int go_to_cases(void **state)
{
	const char *root = getenv("KLINKE_SOURCE");

	(void)state;
	if (root && chdir(root) < 0)
		return -1;
	return chdir("tests/unit/config");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_that_are_no_ini_are_told),
		cmocka_unit_test(windows_line_ends_and_a_byte_order_mark_are_fine),
		cmocka_unit_test(bytes_that_are_no_text_are_told),
		cmocka_unit_test(host_values_are_checked),
		cmocka_unit_test(a_reachable_host_needs_a_token),
		cmocka_unit_test(a_pipeline_has_an_end),
		cmocka_unit_test(repeats_are_told_with_the_first_place),
		cmocka_unit_test(tenants_are_checked),
		cmocka_unit_test(connections_are_checked),
		cmocka_unit_test(secrets_are_found_and_never_shown),
		cmocka_unit_test(templates_are_checked),
		cmocka_unit_test(pipelines_are_checked),
		cmocka_unit_test(mappings_are_checked),
		cmocka_unit_test(includes_are_checked),
		cmocka_unit_test(a_good_file_has_no_faults),
		cmocka_unit_test(a_missing_file_is_told),
		cmocka_unit_test(faults_are_json_on_demand),
		cmocka_unit_test(others_may_add_faults_in_order),
		cmocka_unit_test(the_list_of_faults_is_bounded),
		cmocka_unit_test(a_world_readable_secret_is_told),
		cmocka_unit_test(suggestions_are_near),
		cmocka_unit_test(host_values_arrive),
		cmocka_unit_test(an_empty_file_is_all_defaults),
		cmocka_unit_test(the_host_is_told_before_a_plugin_is_asked_for),
		cmocka_unit_test(tenants_arrive),
		cmocka_unit_test(options_arrive_as_texts),
		cmocka_unit_test(connections_arrive),
		cmocka_unit_test(a_name_means_the_tenants_own_first),
		cmocka_unit_test(mappings_arrive),
		cmocka_unit_test(pipelines_arrive),
		cmocka_unit_test(steps_arrive),
		cmocka_unit_test(events_find_their_pipelines),
		cmocka_unit_test(an_offset_is_split_off_an_instant),
		cmocka_unit_test(very_long_lines_are_fine),
		cmocka_unit_test(long_names_are_not_cut),
		cmocka_unit_test(a_semicolon_inside_a_value_is_no_comment),
		cmocka_unit_test(a_plugin_that_does_not_load_disables_only_itself),
		cmocka_unit_test(a_snapshot_loads_as_the_same),
		cmocka_unit_test(a_snapshot_takes_literal_secrets_from_today),
		cmocka_unit_test(a_snapshot_keeps_includes_and_places),
		cmocka_unit_test(a_reference_keeps_it),
		cmocka_unit_test(help_names_every_key),
	};

	return cmocka_run_group_tests(tests, go_to_cases, NULL);
}
