/* test_config.c - the configuration: every value in its field, and in its snapshot. */
#include "config_world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"

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
	assert_string_equal(host->admin_token.values[0].ptr, "admin_4711_4711_4711");
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
	assert_int_equal(config_host(config)->integrity_check_ms, 24 * 3600 * 1000);
	assert_string_equal(config_host(config)->plugins.list[0], "/usr/lib/klinke/plugins");
	config_connections(config, &count);
	assert_int_equal(count, 0);
	assert_null(config_connection(config, "agency/phone"));
	assert_null(config_tenant(config, "x"));
	config_unref(config);
}

#define DAYS(n) (INT64_C(n) * 24 * 3600 * 1000)

static void what_is_kept_is_the_hosts_unless_a_tenant_says_otherwise(void **state)
{
	struct config *config = load_text("[host]\nkeep_raw = 12h\nkeep_metadata = forever\n"
					  "[tenant a]\ntimezone = UTC\n"
					  "[tenant b]\ntimezone = UTC\nkeep_recording = 0\n"
					  "keep_call = forever\n",
		NULL);
	const int64_t *host = config_host(config)->keep_ms;
	const int64_t *a = config_tenant(config, "a")->keep_ms;
	const int64_t *b = config_tenant(config, "b")->keep_ms;

	(void)state;
	assert_int_equal(host[CONFIG_KEEP_RAW], DAYS(1) / 2);
	assert_int_equal(host[CONFIG_KEEP_TRANSCRIPT], DAYS(30));
	assert_int_equal(host[CONFIG_KEEP_CALL], DAYS(365));
	assert_int_equal(host[CONFIG_KEEP_METADATA], CONFIG_FOREVER);
	assert_memory_equal(a, host, sizeof(config_host(config)->keep_ms));
	assert_int_equal(b[CONFIG_KEEP_CALL], CONFIG_FOREVER);
	assert_int_equal(b[CONFIG_KEEP_RECORDING], 0);
	assert_int_equal(b[CONFIG_KEEP_RAW], 0); /* the links are in it */
	assert_int_equal(b[CONFIG_KEEP_TRANSCRIPT], DAYS(30));
	config_unref(config);
}

static void nothing_is_kept_longer_than_what_it_is_in(void **state)
{
	char *told;
	struct config *config = load_text("[host]\nkeep_transcript = forever\nkeep_call = 60d\n"
					  "keep_metadata = 30d\n",
		&told);
	const int64_t *host = config_host(config)->keep_ms;

	(void)state;
	assert_int_equal(host[CONFIG_KEEP_CALL], DAYS(30));
	assert_int_equal(host[CONFIG_KEEP_TRANSCRIPT], DAYS(30));
	assert_int_equal(host[CONFIG_KEEP_RAW], DAYS(30));
	assert_non_null(strstr(told, ":2:"));
	assert_non_null(strstr(told, "\"keep_transcript\" is longer than \"keep_call\""));
	assert_non_null(strstr(told, ":3:"));
	assert_non_null(strstr(told, "\"keep_call\" is longer than \"keep_metadata\""));
	assert_null(strstr(told, "keep_raw"));
	free(told);
	config_unref(config);
}

static void times_that_forget_too_soon_are_refused(void **state)
{
	static const struct {
		const char *ini, *says;
	} wrong[] = {{"[host]\nkeep_metadata = 13d\n", "from 14d"},
		{"[host]\nkeep_call = 1h\n", "from 1d"},
		{"[host]\nkeep_raw = ever\n", "or forever"},
		{"[tenant t]\ntimezone = UTC\nkeep_metadata = 1d\n", "from 14d"}};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		char *told;
		assert_null(load_text(wrong[i].ini, &told));
		assert_non_null(strstr(told, wrong[i].says));
		free(told);
	}
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

static unsigned line_of(const struct config_connection *connection, const char *key)
{
	for (size_t i = 0; i < connection->key_count; i++)
		if (strcmp(connection->keys[i].key, key) == 0)
			return connection->keys[i].place.line;
	fail_msg("%s does not stand anywhere", key);
	return 0;
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
	assert_int_equal(line_of(own, "max_age"), 38);
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

static void a_snapshot_loads_as_the_same(void **state)
{
	struct config *config = load_good("good.ini"), *again;
	const struct config_pipeline *a, *b;
	char *told;

	(void)state;
	assert_null(strstr(config_snapshot(config).ptr, "sk_"));
	assert_null(strstr(config_snapshot(config).ptr, "admin_4711_4711_4711"));
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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(host_values_arrive),
		cmocka_unit_test(an_empty_file_is_all_defaults),
		cmocka_unit_test(what_is_kept_is_the_hosts_unless_a_tenant_says_otherwise),
		cmocka_unit_test(nothing_is_kept_longer_than_what_it_is_in),
		cmocka_unit_test(times_that_forget_too_soon_are_refused),
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
	};

	return cmocka_run_group_tests(tests, go_to_cases, NULL);
}
