/* test_config_faults.c - the configuration: every fault at its place, nothing secret in it, and the
 * help that knows every key. */
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

/* ---- Faults ------------------------------------------------------------------------------------
 */

CASE(lines_that_are_no_ini_are_told, "syntax")
CASE(windows_line_ends_and_a_byte_order_mark_are_fine, "crlf-bom")
CASE(bytes_that_are_no_text_are_told, "bytes")
CASE(host_values_are_checked, "host")
CASE(a_reachable_host_needs_a_token, "reachable")
CASE(what_opens_the_host_is_checked, "admin")
CASE(tokens_in_clear_are_told, "clear")
CASE(a_pipeline_has_an_end, "long")
CASE(repeats_are_told_with_the_first_place, "twice")
CASE(tenants_are_checked, "tenants")
CASE(connections_are_checked, "connections")
CASE(a_plugin_that_is_not_there_hides_no_other_fault, "away")
CASE(secrets_are_found_and_never_shown, "secrets")
CASE(templates_are_checked, "inherit")
CASE(pipelines_are_checked, "pipelines")
CASE(inputs_of_steps_are_checked, "inputs")
CASE(mappings_are_checked, "mappings")
CASE(includes_are_checked, "include")
CASE(common_slips_are_told_with_what_is_meant, "slips")
CASE(a_file_of_windows_notepad_is_told_once, "utf16")
CASE(an_empty_file_is_told, "empty")
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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_that_are_no_ini_are_told),
		cmocka_unit_test(windows_line_ends_and_a_byte_order_mark_are_fine),
		cmocka_unit_test(bytes_that_are_no_text_are_told),
		cmocka_unit_test(host_values_are_checked),
		cmocka_unit_test(a_reachable_host_needs_a_token),
		cmocka_unit_test(what_opens_the_host_is_checked),
		cmocka_unit_test(tokens_in_clear_are_told),
		cmocka_unit_test(a_pipeline_has_an_end),
		cmocka_unit_test(repeats_are_told_with_the_first_place),
		cmocka_unit_test(tenants_are_checked),
		cmocka_unit_test(connections_are_checked),
		cmocka_unit_test(secrets_are_found_and_never_shown),
		cmocka_unit_test(templates_are_checked),
		cmocka_unit_test(pipelines_are_checked),
		cmocka_unit_test(mappings_are_checked),
		cmocka_unit_test(includes_are_checked),
		cmocka_unit_test(inputs_of_steps_are_checked),
		cmocka_unit_test(a_plugin_that_is_not_there_hides_no_other_fault),
		cmocka_unit_test(common_slips_are_told_with_what_is_meant),
		cmocka_unit_test(a_file_of_windows_notepad_is_told_once),
		cmocka_unit_test(an_empty_file_is_told),
		cmocka_unit_test(a_good_file_has_no_faults),
		cmocka_unit_test(a_missing_file_is_told),
		cmocka_unit_test(faults_are_json_on_demand),
		cmocka_unit_test(others_may_add_faults_in_order),
		cmocka_unit_test(the_list_of_faults_is_bounded),
		cmocka_unit_test(a_world_readable_secret_is_told),
		cmocka_unit_test(suggestions_are_near),
		cmocka_unit_test(help_names_every_key),
	};

	return cmocka_run_group_tests(tests, go_to_cases, NULL);
}
