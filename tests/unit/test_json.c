/* JSON: what is accepted, what is refused and where, and that what goes in comes out. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"

static int setup(void **state)
{
	*state = arena_create(8 << 20);
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	arena_destroy(*state);
	return 0;
}

static void accept(struct arena *arena, const char *text, const char *compact)
{
	struct error error = {0};
	struct json *value = json_parse(arena, str_of(text), &error);

	if (!value)
		fail_msg("%s: %s %s", text, error.place, error.text);
	assert_string_equal(json_print(arena, value).ptr, compact);
}

static void refuse(struct arena *arena, struct str text, const char *place)
{
	struct error error = {0};

	if (json_parse(arena, text, &error))
		fail_msg("accepted: %.*s", STR_ARG(text));
	assert_int_equal(error.code, E_INVALID);
	assert_string_equal(error.place, place);
	assert_true(error.text[0]);
}

static void prints_compactly_what_it_read(void **state)
{
	accept(*state, " { \"a\" : [ 1 , -2.50e+3 , true , false , null ] , \"\" : { } } ",
		"{\"a\":[1,-2.50e+3,true,false,null],\"\":{}}");
	accept(*state, "\"\"", "\"\"");
	accept(*state, "\t0\r\n", "0");
	accept(*state, "\"\\u00e4\\ud83d\\ude00\\/\\b\\f\\n\\r\\t\\\\\\\"\\u001f\"",
		"\"\xc3\xa4\xf0\x9f\x98\x80/\\b\\f\\n\\r\\t\\\\\\\"\\u001f\"");
	accept(*state, "[12345678901234567890123, 1E400, -0, 0.10]",
		"[12345678901234567890123,1E400,-0,0.10]");
	accept(*state, "{\"A\":1,\"a\":2}", "{\"A\":1,\"a\":2}");
}

static void refuses_with_the_place(void **state)
{
	static const char *const cases[][2] = {
		{"", "1:1"},
		{" ", "1:2"},
		{"[1,]", "1:4"},
		{"[,1]", "1:2"},
		{"[1 2]", "1:4"},
		{"{\"a\":1,}", "1:8"},
		{"{\"a\" 1}", "1:6"},
		{"{a:1}", "1:2"},
		{"{1:1}", "1:2"},
		{"[1", "1:1"},
		{"{\"a\":", "1:6"},
		{"nul", "1:1"},
		{"nulll", "1:5"},
		{"True", "1:1"},
		{"01", "1:2"},
		{"-", "1:1"},
		{"+1", "1:1"},
		{".5", "1:1"},
		{"1.", "1:1"},
		{"1.e1", "1:1"},
		{"1e", "1:1"},
		{"1e+", "1:1"},
		{"0x10", "1:2"},
		{"NaN", "1:1"},
		{"Infinity", "1:1"},
		{"'a'", "1:1"},
		{"\"a", "1:1"},
		{"\"\\x\"", "1:2"},
		{"\"\\u12\"", "1:2"},
		{"\"\\u12G4\"", "1:2"},
		{"\"a\tb\"", "1:3"},
		{"\"a\nb\"", "1:3"},
		{"\"\\u0000\"", "1:2"},
		{"\"\\ud800\"", "1:2"},
		{"\"\\udc00\"", "1:2"},
		{"\"\\ud800\\ud800\"", "1:2"},
		{"\"\\ud800x\"", "1:2"},
		{"{\"a\":1,\"b\":2,\"a\":3}", "1:14"},
		{"{\"a\":1,\"\\u0061\":2}", "1:8"},
		{"1 1", "1:3"},
		{"[1]]", "1:4"},
		{"// x\n1", "1:1"},
		{"[\n\"\xc3\xa4\xc3\xb6\", x]", "2:7"},
		{"\xef\xbb\xbf{}", "1:1"},
		{"[\"\xff\"]", "1:3"},
		{"[\"\xc0\x80\"]", "1:3"},
		{"[\"\xed\xa0\x80\"]", "1:3"},
		{"[\"\xf4\x90\x80\x80\"]", "1:3"},
		{"[\"\xc3", "1:3"},
		{"\"\\", "1:2"},
		{"\"\\u", "1:2"},
		{"\"\\ud800\\", "1:2"},
		{"[1}", "1:3"},
		{"{\"a\":1]", "1:7"},
		{"\f1", "1:1"},
		{"\xc2\xa0"
		 "1",
			"1:1"},
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		refuse(*state, str_of(cases[i][0]), cases[i][1]);
	refuse(*state, STR("1\0"), "1:2");
	refuse(*state, STR("\"a\0b\""), "1:3");
	refuse(*state, STR("[\0]"), "1:2");
}

static char *nested(struct arena *arena, size_t depth)
{
	char *text = arena_alloc(arena, 2 * depth + 1);

	memset(text, '[', depth);
	memset(text + depth, ']', depth);
	return text;
}

static void stops_at_depth_64(void **state)
{
	assert_non_null(json_parse(*state, str_of(nested(*state, 64)), NULL));
	refuse(*state, str_of(nested(*state, 65)), "1:65");
	refuse(*state, str_of(nested(*state, 100000)), "1:65");
}

static void finds_a_repeated_key_among_many(void **state)
{
	struct buf text;
	int i;

	buf_init(&text, 1 << 20);
	for (i = 0; i < 20000; i++)
		buf_printf(&text, "%c\"k%d\":%d", i ? ',' : '{', i, i);
	buf_add_text(&text, "}");
	assert_non_null(json_parse(*state, (struct str){text.ptr, text.len}, NULL));
	text.len--;
	buf_add_text(&text, ",\n\"k7\":0,\"k9\":0}");
	refuse(*state, (struct str){text.ptr, text.len}, "2:1");
	buf_finish(&text);
}

static void reads_numbers_exactly(void **state)
{
	struct json *a = json_parse(*state,
		STR("[9223372036854775807,-9223372036854775808,9223372036854775808,1e3,1.0,-0,"
		    "\"7\",0.1,1e999]"),
		NULL);

	assert_true(json_i64(json_at(a, 0, NULL), 0) == INT64_MAX);
	assert_true(json_i64(json_at(a, 1, NULL), 0) == INT64_MIN);
	assert_int_equal(json_i64(json_at(a, 2, NULL), 42), 42);
	assert_int_equal(json_i64(json_at(a, 3, NULL), 42), 42);
	assert_int_equal(json_i64(json_at(a, 4, NULL), 42), 42);
	assert_int_equal(json_i64(json_at(a, 5, NULL), 42), 0);
	assert_int_equal(json_i64(json_at(a, 6, NULL), 42), 42);
	assert_true(json_f64(json_at(a, 3, NULL), 0) == 1000.0);
	assert_true(json_f64(json_at(a, 7, NULL), 0) == 0.1);
	assert_true(json_f64(json_at(a, 8, NULL), 42) == 42);
	assert_string_equal(json_text(json_at(a, 2, NULL)).ptr, "9223372036854775808");
	assert_int_equal(json_i64(NULL, 42), 42);
}

static void finds_by_path_and_pointer(void **state)
{
	struct json *v = json_parse(*state,
		STR("{\"a\":{\"b\":[10,{\"c\":11}],\"\":12},\"hub.mode\":[13],\"x/y\":14,"
		    "\"m~n\":15,\"\":16,\"01\":17}"),
		NULL);

	assert_ptr_equal(json_find(v, ""), v);
	assert_int_equal(json_i64(json_find(v, "a.b.0"), 0), 10);
	assert_int_equal(json_i64(json_find(v, "a.b.1.c"), 0), 11);
	assert_int_equal(json_i64(json_find(v, "/a/b/1/c"), 0), 11);
	assert_int_equal(json_i64(json_find(v, "/a/"), 0), 12);
	assert_int_equal(json_i64(json_find(v, "/hub.mode/0"), 0), 13);
	assert_int_equal(json_i64(json_find(v, "/x~1y"), 0), 14);
	assert_int_equal(json_i64(json_find(v, "/m~0n"), 0), 15);
	assert_int_equal(json_i64(json_find(v, "/"), 0), 16);
	assert_int_equal(json_i64(json_find(v, "01"), 0), 17);
	assert_null(json_find(v, "a.b.2"));
	assert_null(json_find(v, "a.b.00"));
	assert_null(json_find(v, "a.b.-"));
	assert_null(json_find(v, "a.b.c"));
	assert_null(json_find(v, "A"));
	assert_null(json_find(v, "/m~n"));
	assert_null(json_find(v, "a.b.99999999999999999999"));
	assert_null(json_find(NULL, "a"));
}

static void readers_answer_nothing_for_nothing(void **state)
{
	struct str key;

	(void)state;
	assert_int_equal(json_type(NULL), JSON_NONE);
	assert_int_equal(json_count(NULL), 0);
	assert_null(json_at(NULL, 0, &key));
	assert_null(key.ptr);
	assert_null(json_get(NULL, "a"));
	assert_null(json_text(NULL).ptr);
	assert_true(json_bool(NULL, true));
	assert_true(json_f64(NULL, 4.5) == 4.5);
}

static void builds_replaces_and_ignores_nothing(void **state)
{
	struct arena *a = *state;
	struct json *o = json_object(a), *list = json_array(a);

	json_put_text(a, o, "t", STR("x"));
	json_put_text(a, o, "absent", (struct str){0});
	json_put_i64(a, o, "n", INT64_MIN);
	json_put_bool(a, o, "b", true);
	json_put(a, o, "z", json_of_null(a));
	json_put_text(a, o, "t", STR("\"y\n"));
	json_push(a, list, json_of_f64(a, 0.1));
	json_push(a, list, json_of_f64(a, 1e300));
	json_push(a, list, json_of_f64(a, 0.30000000000000004));
	json_push(a, list, json_of_f64(a, INFINITY));
	json_push(a, list, json_of_number(a, STR("00")));
	json_push(a, list, NULL);
	json_put(a, o, "l", list);
	json_push(a, NULL, list);
	assert_false(arena_failed(a));
	assert_string_equal(json_print(a, o).ptr,
		"{\"t\":\"\\\"y\\n\",\"n\":-9223372036854775808,\"b\":true,\"z\":null,"
		"\"l\":[0.1,1e+300,0.30000000000000004,null]}");
}

static void text_that_is_not_utf8_is_replaced(void **state)
{
	struct arena *a = *state;
	struct json *o = json_object(a);

	json_put_text(a, o, "v", STR("a\xff\0\xe2\x82"));
	json_set(a, o, STR("k\xff"), json_of_i64(a, 1));
	json_set(a, o, STR("k\xfe"), json_of_i64(a, 2));
	accept(a, json_print(a, o).ptr,
		"{\"v\":\"a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\",\"k\xef\xbf\xbd\":"
		"2}");
}

static void a_contained_value_is_frozen(void **state)
{
	struct arena *a = *state;
	struct json *outer = json_object(a), *inner = json_object(a);

	json_put(a, outer, "inner", inner);
	assert_false(arena_failed(a));
	json_put_i64(a, inner, "late", 1);
	assert_true(arena_failed(a));
	assert_int_equal(json_count(inner), 0);
}

static void nothing_contains_itself(void **state)
{
	struct arena *a = *state;
	struct json *list = json_array(a);

	json_push(a, list, list);
	assert_true(arena_failed(a));
	assert_int_equal(json_count(list), 0);
}

static void built_trees_stop_at_depth_64_too(void **state)
{
	struct arena *a = *state;
	struct json *inner = json_array(a), *outer;
	int i;

	for (i = 1; i < 64; i++) {
		outer = json_array(a);
		json_push(a, outer, inner);
		inner = outer;
	}
	assert_false(arena_failed(a));
	assert_non_null(json_parse(a, json_print(a, inner), NULL));
	json_push(a, json_array(a), inner);
	assert_true(arena_failed(a));
}

static bool equal(struct arena *a, const char *x, const char *y)
{
	return json_equal(json_parse(a, str_of(x), NULL), json_parse(a, str_of(y), NULL));
}

static void equality_ignores_order_and_spelling(void **state)
{
	struct arena *a = *state;

	assert_true(equal(a, "{\"a\":1,\"b\":[1,\"x\"]}", "{\"b\":[1.0,\"\\u0078\"],\"a\":1e0}"));
	assert_true(equal(a, "-0", "0"));
	assert_false(equal(a, "9007199254740993", "9007199254740992"));
	assert_false(equal(a, "[1,2]", "[2,1]"));
	assert_false(equal(a, "{\"a\":1}", "{\"a\":1,\"b\":2}"));
	assert_false(equal(a, "{\"a\":1}", "{\"b\":1}"));
	assert_false(equal(a, "1", "\"1\""));
	assert_false(equal(a, "true", "false"));
	assert_true(equal(a, "null", "null"));
	assert_false(json_equal(json_of_null(a), NULL));
	assert_true(json_equal(NULL, NULL));
}

static void big_objects_compare_by_key(void **state)
{
	struct json *x = json_object(*state), *y = json_object(*state);
	char key[16];
	int i;

	for (i = 0; i < 100; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		json_put_i64(*state, x, key, i);
		snprintf(key, sizeof(key), "k%d", 99 - i);
		json_put_i64(*state, y, key, 99 - i);
	}
	assert_true(json_equal(x, y));
	json_put_i64(*state, y, "k50", 51);
	assert_false(json_equal(x, y));
}

static void prints_prettily(void **state)
{
	struct json *v = json_parse(*state, STR("{\"a\":[1,{}],\"b\":[]}"), NULL);

	assert_string_equal(json_print_pretty(*state, v).ptr,
		"{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": []\n}");
}

static void every_failed_allocation_is_told(void **state)
{
	static const char text[] = "{\"a\":[1,2,{\"b\":\"c\"}],\"d\":null}";
	unsigned nth;

	(void)state;
	for (nth = 1;; nth++) {
		struct arena *arena = arena_create(1 << 20);
		struct error error = {0};
		struct json *value;
		arena_starve(arena, nth);
		value = json_parse(arena, str_of(text), &error);
		arena_starve(arena, 0);
		if (value)
			assert_string_equal(json_print(arena, value).ptr, text);
		else
			assert_int_equal(error.code, E_NOMEM);
		arena_destroy(arena);
		if (value)
			break;
	}
	assert_true(nth > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(prints_compactly_what_it_read, setup, teardown),
		cmocka_unit_test_setup_teardown(refuses_with_the_place, setup, teardown),
		cmocka_unit_test_setup_teardown(stops_at_depth_64, setup, teardown),
		cmocka_unit_test_setup_teardown(finds_a_repeated_key_among_many, setup, teardown),
		cmocka_unit_test_setup_teardown(reads_numbers_exactly, setup, teardown),
		cmocka_unit_test_setup_teardown(finds_by_path_and_pointer, setup, teardown),
		cmocka_unit_test(readers_answer_nothing_for_nothing),
		cmocka_unit_test_setup_teardown(
			builds_replaces_and_ignores_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(text_that_is_not_utf8_is_replaced, setup, teardown),
		cmocka_unit_test_setup_teardown(a_contained_value_is_frozen, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_contains_itself, setup, teardown),
		cmocka_unit_test_setup_teardown(built_trees_stop_at_depth_64_too, setup, teardown),
		cmocka_unit_test_setup_teardown(
			equality_ignores_order_and_spelling, setup, teardown),
		cmocka_unit_test_setup_teardown(big_objects_compare_by_key, setup, teardown),
		cmocka_unit_test_setup_teardown(prints_prettily, setup, teardown),
		cmocka_unit_test(every_failed_allocation_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
