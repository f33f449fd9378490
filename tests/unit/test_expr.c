/* Expressions: what they give, what they cannot reach, and that they end. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "pipeline/expr.h"

static const char *const step_names[] = {"book", "offer-it", "data", NULL};

struct fixture {
	struct expr_engine *engine;
	struct arena *arena;
	struct expr_scope scope;
	struct expr_step steps[2];
};

static struct str text_of(void *from, enum expr_text which)
{
	(void)from;
	return which == EXPR_EVENT    ? STR("{\"type\":\"call.analyzed\",\"dta\":1}")
	       : which == EXPR_TENANT ? STR("{\"name\":\"Praxis\"}")
				      : STR("{}");
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	f->engine = expr_engine_create(NULL);
	f->arena = arena_create(32 << 20);
	f->steps[0] = (struct expr_step){STR("book"), STR("{\"uid\":\"u1\"}")};
	f->steps[1] = (struct expr_step){STR("offer-it"), STR("{\"n\":2}")};
	f->scope = (struct expr_scope){
		.text = text_of,
		.data = STR(
			"{\"name\":\"Anna\",\"big\":9007199254740993,\"price\":12.50,\"yes\":true,"
			"\"no\":false,\"nil\":null,\"list\":[1,2,{\"a\":\"\\u00e4\"}],"
			"\"start\":\"2026-11-26T16:15:00Z\",\"word\":\"maybe\"}"),
		.steps = f->steps,
		.step_count = 2,
		.now_ms = INT64_C(1795018500000), /* 2026-11-18T16:15:00Z */
		.zone = "Europe/Berlin",
	};
	*state = f;
	return f->engine && f->arena ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	expr_engine_destroy(f->engine);
	arena_destroy(f->arena);
	free(f);
	return 0;
}

static struct expr *compiled(struct fixture *f, const char *sql)
{
	struct error error = {0};
	struct expr *expr = expr_compile(&error, f->engine, str_of(sql), step_names);

	if (!expr)
		fail_msg("%s: %s %s", sql, error.place, error.text);
	return expr;
}

static const struct json *value_of(struct fixture *f, const char *sql)
{
	struct expr *expr = compiled(f, sql);
	struct error error = {0};
	const struct json *value;

	if (expr_eval(&error, expr, &f->scope, f->arena, &value) != 0)
		fail_msg("%s: %s", sql, error.text);
	expr_free(expr);
	return value;
}

static void gives(struct fixture *f, const char *sql, const char *expected)
{
	const struct json *value = value_of(f, sql);

	if (!expected)
		assert_null(value);
	else
		assert_string_equal(json_print(f->arena, value).ptr, expected);
}

/* Does not compile, for this reason, at this column. */
static void refused(struct fixture *f, const char *sql, const char *place, const char *why)
{
	struct error error = {0};

	if (expr_compile(&error, f->engine, str_of(sql), step_names))
		fail_msg("compiled: %s", sql);
	assert_int_equal(error.code, E_INVALID);
	if (!strstr(error.text, why))
		fail_msg("%s: \"%s\" does not say \"%s\"", sql, error.text, why);
	if (place)
		assert_string_equal(error.place, place);
}

/* Compiles, but running it is an error of this code. */
static void fails(struct fixture *f, const char *sql, int code, const char *why)
{
	struct expr *expr = compiled(f, sql);
	struct error error = {0};
	const struct json *value;

	assert_int_equal(expr_eval(&error, expr, &f->scope, f->arena, &value), code);
	assert_int_equal(error.code, code);
	assert_null(value);
	if (!strstr(error.text, why))
		fail_msg("%s: \"%s\" does not say \"%s\"", sql, error.text, why);
	expr_free(expr);
}

static void reads_the_columns_of_the_run(void **state)
{
	gives(*state, "data ->> '$.name'", "\"Anna\"");
	gives(*state, "event ->> 'type'", "\"call.analyzed\"");
	gives(*state, "TENANT ->> 'name'", "\"Praxis\"");
	gives(*state, "steps.book ->> '$.uid'", "\"u1\"");
	gives(*state, "steps.\"offer-it\" ->> 'n'", "2");
	gives(*state, "data ->> 'name' || ' ' || (steps.book ->> 'uid')", "\"Anna u1\"");
	gives(*state, "[data] ->> 'name'", "\"Anna\"");
	gives(*state, "caller ->> 'name'", NULL);
	gives(*state, "result is null and raw is null", "1");
	gives(*state, "start", "\"2026-11-26T16:15:00Z\"");
	gives(*state, "1 + 1", "2");
}

static void a_step_named_like_a_column_does_not_hide_it(void **state)
{
	gives(*state, "data ->> 'name' = 'Anna' and steps.data is null", "1");
}

static void the_result_of_a_step_wins_for_start(void **state)
{
	struct fixture *f = *state;

	f->scope.result = STR("{\"start\":\"2027-01-01T00:00:00Z\"}");
	gives(f, "start", "\"2027-01-01T00:00:00Z\"");
	f->scope.data = (struct str){0};
	f->scope.result = (struct str){0};
	gives(f, "start", NULL);
}

static void types_survive(void **state)
{
	gives(*state, "data ->> 'big'", "9007199254740993");
	gives(*state, "data ->> 'price'", "12.5");
	gives(*state, "data ->> 'yes'", "1");
	gives(*state, "data -> 'yes'", "true");
	gives(*state, "data -> 'nil'", "null");
	gives(*state, "data ->> 'nil'", NULL);
	gives(*state, "data -> 'list'", "[1,2,{\"a\":\"\xc3\xa4\"}]");
	gives(*state, "data ->> 'list'", "\"[1,2,{\\\"a\\\":\\\"\\\\u00e4\\\"}]\"");
	gives(*state, "iif(data ->> 'no', 1, json_array('x', data -> 'yes'))", "[\"x\",true]");
	gives(*state, "coalesce(data -> 'absent', data -> 'list' -> 2)", "{\"a\":\"\xc3\xa4\"}");
	gives(*state, "json_patch(data -> '$.list[2]', '{\"b\":1}')",
		"{\"a\":\"\xc3\xa4\",\"b\":1}");
	gives(*state, "1e999", "null");
}

static void lists_are_read_with_json_each(void **state)
{
	gives(*state,
		"(select group_concat(value, '+') from json_each(data, '$.list') where "
		"type = 'integer')",
		"\"1+2\"");
	gives(*state, "(select count(*) from json_tree(data))", "14");
	gives(*state, "exists(select 1 from json_each(data, '$.list') where value = 2)", "1");
}

static void the_clock_is_the_runs(void **state)
{
	struct fixture *f = *state;
	struct expr *expr = compiled(f, "datetime('now')");
	const struct json *value;

	gives(f, "now", "\"2026-11-18T16:15:00Z\"");
	gives(f, "date('now')", "\"2026-11-18\"");
	gives(f, "current_timestamp", "\"2026-11-18 16:15:00\"");
	gives(f, "unixepoch()", "1795018500");
	gives(f, "strftime('%H', now)", "\"16\"");
	assert_int_equal(expr_eval(NULL, expr, &f->scope, f->arena, &value), 0);
	assert_string_equal(json_text(value).ptr, "2026-11-18 16:15:00");
	f->scope.now_ms += 86400000;
	assert_int_equal(expr_eval(NULL, expr, &f->scope, f->arena, &value), 0);
	assert_string_equal(json_text(value).ptr, "2026-11-19 16:15:00");
	expr_free(expr);
}

static void local_is_the_tenants_zone(void **state)
{
	struct fixture *f = *state;

	gives(f, "local(now)", "\"2026-11-18T17:15:00+01:00\"");
	gives(f, "local(start)", "\"2026-11-26T17:15:00+01:00\"");
	gives(f, "local('2026-07-01 10:00')", "\"2026-07-01T12:00:00+02:00\"");
	gives(f, "local(now, 'America/New_York')", "\"2026-11-18T11:15:00-05:00\"");
	gives(f, "local(data ->> 'absent')", NULL);
	fails(f, "local(now, 'Mars/Base')", E_INVALID, "no such time zone");
	fails(f, "local(data ->> 'name')", E_INVALID, "no instant");
	fails(f, "local(1795018500)", E_INVALID, "no instant");
	f->scope.zone = NULL;
	gives(f, "local(now)", "\"2026-11-18T16:15:00+00:00\"");
}

static int test(struct fixture *f, const char *sql, struct error *error)
{
	struct expr *expr = compiled(f, sql);
	int yes = expr_test(error, expr, &f->scope);

	expr_free(expr);
	return yes;
}

static void conditions_are_yes_or_no(void **state)
{
	struct error error = {0};

	assert_int_equal(test(*state, "data ->> 'name' = 'Anna'", NULL), 1);
	assert_int_equal(test(*state, "data ->> 'name' = 'Otto'", NULL), 0);
	assert_int_equal(test(*state, "data ->> 'yes'", NULL), 1);
	assert_int_equal(test(*state, "data ->> 'no'", NULL), 0);
	assert_int_equal(test(*state, "data -> 'yes'", NULL), 1);
	assert_int_equal(test(*state, "data ->> 'absent'", NULL), 0);
	assert_int_equal(test(*state, "0.5", NULL), 1);
	assert_int_equal(test(*state, "'2'", NULL), 1);
	assert_int_equal(test(*state, "data ->> 'name'", &error), E_INVALID);
	assert_non_null(strstr(error.text, "is not null"));
	assert_null(strstr(error.text, "Anna"));
}

static void unknown_names_get_a_suggestion(void **state)
{
	refused(*state, "dta ->> 'x'", "1", "did you mean data?");
	refused(*state, "  1 + (evnt ->> 'x')", "8", "did you mean event?");
	refused(*state, "'\xc3\xa4' || dta", "8", "did you mean data?");
	refused(*state, "steps.bok ->> 'x'", "1", "did you mean steps.book?");
	refused(*state, "data.name", "1", "data ->> '$.name'");
	refused(*state, "xyzzy", "1", "event, data, raw");
	refused(*state, "repalce('a', 'b', 'c')", "1", "did you mean replace?");
	refused(*state, "\"Anna\"", "1", "single quotes");
	refused(*state, "json_each('[1]')", "1", "is a table");
	refused(*state, "instr('a')", "1", "wrong number of arguments");
	refused(*state, "data ->>", "9", "ends too early");
	refused(*state, "", "1", "must stand here");
	refused(*state, " \t\n", "1", "must stand here");
}

static void exactly_one_expression(void **state)
{
	refused(*state, "1), (2", "2", "closes nothing");
	refused(*state, "1) from sqlite_master where (1", "2", "closes nothing");
	refused(*state, "(1", "1", "never closed");
	refused(*state, "1; select 2", "2", "semicolon");
	refused(*state, "1, 2", NULL, "row value");
	refused(*state, "1 -- x", "3", "comments");
	refused(*state, "1 /* x */", "3", "comments");
	refused(*state, "1 /* x", "3", "comments");
	refused(*state, "'abc", "1", "never closed");
	refused(*state, "1 from json_each('[1]')", "3", "syntax error");
	refused(*state, "1 as x", "3", "syntax error");
	refused(*state, "*", "1", "syntax error");
	refused(*state, "run.*", NULL, "");
}

static void no_parameters(void **state)
{
	refused(*state, "?", "1", "parameters");
	refused(*state, "data = ?1", "8", "parameters");
	refused(*state, ":a", "1", "parameters");
	refused(*state, "@a", "1", "parameters");
	refused(*state, "$a", "1", "parameters");
	refused(*state, "#1", "1", "parameters");
	refused(*state, "\xef\xbb\xbf$a", NULL, "not one expression"); /* BOM: a space to SQLite */
	gives(*state, "'?1 $a :b @c -- ; )'", "\"?1 $a :b @c -- ; )\"");
}

static void no_tables_but_json(void **state)
{
	static const char *const tables[] = {
		"sqlite_master",
		"sqlite_schema",
		"sqlite_temp_master",
		"temp.sqlite_master",
		"main.sqlite_master",
		"pragma_database_list",
		"pragma_table_info('x')",
		"pragma_function_list",
		"pragma_module_list",
		"dbstat",
		"sqlite_stmt",
		"fts5",
		"rtree",
		"generate_series(1, 9)",
		"fts4aux",
		"completion",
		"fsdir('/')",
		"sqlite_dbpage",
		"bytecode('select 1')",
	};
	char sql[200];
	size_t i;

	for (i = 0; i < sizeof(tables) / sizeof(*tables); i++) {
		snprintf(sql, sizeof(sql), "(select 1 from %s)", tables[i]);
		refused(*state, sql, NULL, "");
		snprintf(sql, sizeof(sql), "(select count(*) from %s)", tables[i]);
		refused(*state, sql, NULL, "");
	}
}

static void no_statement_but_select(void **state)
{
	static const char *const statements[] = {
		"attach 'x' as y",
		"(attach 'x' as y)",
		"pragma user_version",
		"create table t(x)",
		"(create table t(x))",
		"drop table t",
		"insert into t values (1)",
		"vacuum",
		"vacuum into '/tmp/x'",
		"(delete from t)",
		"(update t set x = 1)",
		"begin",
		"commit",
		"explain select 1",
		"raise(abort, 'x')",
		"with a as (select 1) select * from a",
		"(with recursive c(x) as (select 1 union select x+1 from c) select 1 from c)",
		"(insert into json_each values (1) returning 1)",
	};
	size_t i;

	for (i = 0; i < sizeof(statements) / sizeof(*statements); i++)
		refused(*state, statements[i], NULL, "");
}

static void only_listed_functions(void **state)
{
	static const char *const calls[] = {
		"printf('%d', 1)",
		"format('%1000000000d', 1)",
		"random()",
		"randomblob(9)",
		"zeroblob(1000000000)",
		"hex(zeroblob(1000000))",
		"load_extension('x')",
		"sqlite_version()",
		"sqlite_source_id()",
		"sqlite_compileoption_get(1)",
		"sqlite_compileoption_used('x')",
		"sqlite_log(1, 'x')",
		"last_insert_rowid()",
		"changes()",
		"total_changes()",
		"likelihood(1, 0.5)",
		"likely(1)",
		"unlikely(1)",
		"fts3_tokenizer('simple')",
		"fts5(1)",
		"fts5_source_id()",
		"matchinfo(1)",
		"snippet(1)",
		"offsets(1)",
		"rtreenode(1, 2)",
		"rtreecheck('x')",
		"soundex('x')",
		"writefile('/tmp/x', 'y')",
		"readfile('/etc/passwd')",
		"edit('x')",
		"fsdir('/')",
		"eval('select 1')",
		"'a' match 'b'",
		"'a' regexp 'b'",
		"row_number() over ()",
		"PRINTF('%d', 1)",
		"\"printf\"('%d', 1)",
		"(select random() from json_each('[1]'))",
		"1 limit random()",
		"iif(1, random(), 2)",
		"sqlite_rename_table(1,2,3,4,5,6,7)",
	};
	size_t i;

	for (i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		refused(*state, calls[i], NULL, "");
	refused(*state, "1 + random()", "5", "function random is not available");
}

static void no_zone_of_the_machine(void **state)
{
	refused(*state, "datetime('now', 'localtime')", "18", "local(t)");
	refused(*state, "datetime('now', 'UTC')", "18", "local(t)");
}

/* 64 KB of the letter a. */
#define TEN "json_each('[1,2,3,4,5,6,7,8,9,10]')"
#define BIG                                                                                        \
	"(select "                                                                                 \
	"group_concat('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', '') "    \
	"from " TEN " a, " TEN " b, " TEN " c)"

static void bombs_are_stopped(void **state)
{
	static const struct {
		const char *sql;
		int code;
		const char *why;
	} bombs[] = {
		{"(select count(*) from " TEN " a, " TEN " b, " TEN " c, " TEN " d, " TEN " e, " TEN
		 " f, " TEN " g, " TEN " h, " TEN " i)",
			E_TIMEOUT, "too long"},
		{"instr(" BIG ", " BIG " || 'b')", E_TIMEOUT, "too long"},
		{"replace(" BIG ", " BIG " || 'b', 'x')", E_TIMEOUT, "too long"},
		{"replace(" BIG ", 'a', 'aaaaaaaaaaaaaaaa')", E_INVALID, "too long"},
		{"trim(" BIG ", " BIG ")", E_TIMEOUT, "too long"},
		{"ltrim(" BIG ", " BIG ")", E_TIMEOUT, "too long"},
		{"rtrim(" BIG ", " BIG ")", E_TIMEOUT, "too long"},
		{BIG " like " BIG, E_TIMEOUT, "too long"},
		{BIG " like substr(" BIG ", 1, 200)", E_INVALID, "too complex"},
		{BIG " glob substr(" BIG ", 1, 200)", E_INVALID, "too complex"},
		{"hex(" BIG " || " BIG " || " BIG ")", E_INVALID, "too long"},
		{"(select json_group_array(" BIG ") from " TEN " a, " TEN " b)", E_INVALID,
			"too long"},
		{"(select group_concat(" BIG ") from " TEN " a, " TEN " b)", E_INVALID, "too long"},
		{"(select length(d||d) from (select c||c as d from (select b||b as c from (select "
		 "a||a as b from (select " BIG " as a)))))",
			E_INVALID, "too long"},
		{"(select count(*) from (select distinct " BIG " || a.value || b.value from " TEN
		 " a, " TEN " b))",
			E_INVALID, "too much"},
		{"(select count(*) from (select " BIG " || a.value || b.value as x from " TEN
		 " a, " TEN " b order by x))",
			E_INVALID, "too much"},
		{"json_patch((select json_group_object(a.value || '-' || b.value || '-' || c.value "
		 "|| "
		 "'-' || d.value, 1) from " TEN " a, " TEN " b, " TEN " c, " TEN " d), (select "
		 "json_group_object(a.value || '-' || b.value || '-' || c.value || '-' || d.value, "
		 "1) "
		 "from " TEN " a, " TEN " b, " TEN " c, " TEN " d))",
			E_TIMEOUT, "too long"},
	};
	size_t i;

	for (i = 0; i < sizeof(bombs) / sizeof(*bombs); i++)
		fails(*state, bombs[i].sql, bombs[i].code, bombs[i].why);
}

static void depth_and_length_are_bounded(void **state)
{
	struct fixture *f = *state;
	struct buf sql;
	int i;

	buf_init(&sql, 1 << 20);
	for (i = 0; i < 200; i++)
		buf_add_text(&sql, "not ");
	buf_add_text(&sql, "1");
	refused(f, sql.ptr, NULL, "deep");
	buf_reset(&sql);
	for (i = 0; i < 100; i++)
		buf_add_text(&sql, "(");
	refused(f, sql.ptr, "65", "deep");
	buf_reset(&sql);
	for (i = 0; i < 300; i++)
		buf_add_text(&sql, "1+");
	buf_add_text(&sql, "1");
	refused(f, sql.ptr, NULL, "too large");
	buf_reset(&sql);
	for (i = 0; i < 9000; i++)
		buf_add_text(&sql, "1 ");
	refused(f, sql.ptr, NULL, "16 KB");
	buf_finish(&sql);
}

/* After everything that was refused, the engine works on. */
static void an_engine_survives_its_bombs(void **state)
{
	fails(*state, "instr(" BIG ", " BIG ")", E_TIMEOUT, "too long");
	gives(*state, "instr('abc', 'c')", "3");
	gives(*state, "'abc' like 'A%' and 'a_c' like 'a\\_c' escape '\\' and not 'b' glob 'a*'",
		"1");
	gives(*state, "trim('xax', 'x') || ltrim('xax', 'x') || rtrim('xax', 'x') || trim(' b ')",
		"\"aaxxab\"");
	gives(*state, "replace('abc', 'b', '')", "\"ac\"");
	gives(*state, "instr(null, 'x')", NULL);
}

static void long_columns_may_be_read(void **state)
{
	struct fixture *f = *state;
	struct buf raw;

	buf_init(&raw, 4 << 20);
	buf_add_text(&raw, "{\"x\":\"");
	while (raw.len < (2 << 20))
		buf_add_text(&raw, "0123456789");
	buf_add_text(&raw, "\",\"name\":\"Otto\"}");
	f->scope.raw = (struct str){raw.ptr, raw.len};
	gives(f, "raw ->> 'name'", "\"Otto\"");
	gives(f, "length(raw ->> 'x') > 2000000 and instr(raw, 'Otto') > 0", "1");
	buf_finish(&raw);
}

static void texts_need_no_nul(void **state)
{
	struct fixture *f = *state;
	static const char text[] = "{\"a\":12}garbage";
	char *exact = malloc(8);

	memcpy(exact, text, 8);
	f->scope.data = (struct str){exact, 8};
	gives(f, "data ->> 'a'", "12");
	gives(f, "data", "\"{\\\"a\\\":12}\"");
	free(exact);
}

static void errors_carry_nothing_of_the_data(void **state)
{
	struct fixture *f = *state;
	struct expr *expr = compiled(f, "json_extract(data, '$' || (data ->> 'name'))");
	struct error error = {0};
	const struct json *value;

	assert_int_equal(expr_eval(&error, expr, &f->scope, f->arena, &value), E_INVALID);
	assert_null(strstr(error.text, "Anna"));
	assert_non_null(strstr(error.text, "JSON path"));
	expr_free(expr);
	fails(f, "json(data ->> 'name')", E_INVALID, "malformed JSON");
	fails(f, "x'41'", E_INVALID, "bytes");
	fails(f, "json('{\"a\":1,\"a\":2}')", E_INVALID, "this key");
	fails(f, "abs(-9223372036854775807 - 1)", E_INVALID, "overflow");
}

static void two_expressions_do_not_disturb_each_other(void **state)
{
	struct fixture *f = *state;
	struct expr *a = compiled(f, "data ->> 'name'"), *b = compiled(f, "steps.book ->> 'uid'");
	const struct json *x, *y;
	int i;

	for (i = 0; i < 3; i++) {
		assert_int_equal(expr_eval(NULL, a, &f->scope, f->arena, &x), 0);
		assert_int_equal(expr_eval(NULL, b, &f->scope, f->arena, &y), 0);
		assert_string_equal(json_text(x).ptr, "Anna");
		assert_string_equal(json_text(y).ptr, "u1");
		f->scope.step_count = 2;
	}
	f->scope.step_count = 0;
	assert_int_equal(expr_eval(NULL, b, &f->scope, f->arena, &y), 0);
	assert_null(y);
	expr_free(a);
	expr_free(b);
}

static void a_full_arena_is_told(void **state)
{
	struct fixture *f = *state;
	struct expr *expr = compiled(f, "data");
	struct arena *small = arena_create(64);
	struct error error = {0};
	const struct json *value;

	assert_int_equal(expr_eval(&error, expr, &f->scope, small, &value), E_NOMEM);
	arena_destroy(small);
	expr_free(expr);
}

#define EXPR_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* ---- together ----------------------------------------------------------------------------- */

static const char *const together[] = {"data ->> '$.name'", "data ->> '$.big'", "data -> '$.list'",
	"data ->> '$.price' || ' Euro'", "data ->> '$.nothing'", "upper(tenant ->> '$.name')",
	"now", "start", "case when data ->> '$.yes' then 'ja' end", "local(start)",
	"(select count(*) from json_each(data, '$.list'))"};
#define TOGETHER (sizeof(together) / sizeof(together[0]))

static struct expr *compiled_together(struct fixture *f, const char *const *sqls, size_t count)
{
	struct str texts[300];

	for (size_t i = 0; i < count; i++)
		texts[i] = str_of(sqls[i]);
	return expr_compile_all(f->engine, texts, count);
}

static struct str no_text(void *from, enum expr_text which)
{
	(void)from;
	(void)which;
	return (struct str){0};
}

/* It must not pass for NULL: `when = event ->> 'type' is null` would hold. */
static void a_text_without_memory_fails_what_names_it(void **state)
{
	struct fixture *f = *state;

	f->scope.text = no_text;
	fails(f, "event is null", E_NOMEM, "memory");
	gives(f, "data is null", "0");
}

static void together_they_give_what_each_gives_alone(void **state)
{
	struct fixture *f = *state;
	struct expr *all = compiled_together(f, together, TOGETHER);
	const struct json *values[TOGETHER], *alone;

	assert_non_null(all);
	assert_int_equal(expr_eval(NULL, all, &f->scope, f->arena, values), 0);
	for (size_t i = 0; i < TOGETHER; i++) {
		struct expr *one = compiled(f, together[i]);

		assert_int_equal(expr_eval(NULL, one, &f->scope, f->arena, &alone), 0);
		assert_int_equal(alone == NULL, values[i] == NULL);
		assert_true(str_eq(json_print(f->arena, alone), json_print(f->arena, values[i])));
		expr_free(one);
	}
	expr_free(all);
}

static void what_fails_alone_fails_together(void **state)
{
	struct fixture *f = *state;
	const char *const sqls[] = {"data ->> '$.name'", "json_extract(data, '$[')"};
	struct expr *all = compiled_together(f, sqls, 2);
	const struct json *values[2];
	struct error error = {0};

	assert_non_null(all);
	assert_int_equal(expr_eval(&error, all, &f->scope, f->arena, values), E_INVALID);
	expr_free(all);
}

static void what_cannot_be_together_is_not(void **state)
{
	struct fixture *f = *state;
	const char *const steps[] = {"data ->> '$.name'", "steps.book ->> '$.uid'"};
	const char *const closes[] = {"1", "2) from (select 3"};
	const char *many[300];

	for (size_t i = 0; i < 300; i++)
		many[i] = "data ->> '$.name'";
	assert_null(compiled_together(f, steps, 2));
	assert_null(compiled_together(f, closes, 2));
	assert_null(compiled_together(f, many, 300));
	assert_null(compiled_together(f, many, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EXPR_TEST(reads_the_columns_of_the_run),
		EXPR_TEST(a_step_named_like_a_column_does_not_hide_it),
		EXPR_TEST(the_result_of_a_step_wins_for_start),
		EXPR_TEST(types_survive),
		EXPR_TEST(lists_are_read_with_json_each),
		EXPR_TEST(the_clock_is_the_runs),
		EXPR_TEST(local_is_the_tenants_zone),
		EXPR_TEST(conditions_are_yes_or_no),
		EXPR_TEST(unknown_names_get_a_suggestion),
		EXPR_TEST(exactly_one_expression),
		EXPR_TEST(no_parameters),
		EXPR_TEST(no_tables_but_json),
		EXPR_TEST(no_statement_but_select),
		EXPR_TEST(only_listed_functions),
		EXPR_TEST(no_zone_of_the_machine),
		EXPR_TEST(bombs_are_stopped),
		EXPR_TEST(depth_and_length_are_bounded),
		EXPR_TEST(an_engine_survives_its_bombs),
		EXPR_TEST(long_columns_may_be_read),
		EXPR_TEST(texts_need_no_nul),
		EXPR_TEST(errors_carry_nothing_of_the_data),
		EXPR_TEST(two_expressions_do_not_disturb_each_other),
		EXPR_TEST(a_full_arena_is_told),
		EXPR_TEST(a_text_without_memory_fails_what_names_it),
		EXPR_TEST(together_they_give_what_each_gives_alone),
		EXPR_TEST(what_fails_alone_fails_together),
		EXPR_TEST(what_cannot_be_together_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
