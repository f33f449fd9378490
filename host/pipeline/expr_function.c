/* expr_function.c - the functions that expressions get from us.
 *
 * local() reads the run's zone. The guards stand in front of SQLite's functions whose cost is a
 * product of two lengths: one call is one instruction, during which nobody is asked whether to go
 * on. Never allocates beyond what SQLite does. The engine's thread.
 */
#include "pipeline/expr_i.h"

#include "base/words.h"

#include <stdio.h>
#include <string.h>

/* Byte comparisons of one evaluation: some 100 ms at worst, nobody needs a thousandth of it. */
#define WORK_MAX (INT64_C(1) << 26)

static const struct guarded {
	const char *name, *sql;
	int args;
	int64_t per; /* bytes times bytes for one comparison */
} guarded[GUARDS] = {
	{"instr", "SELECT instr(?1, ?2)", 2, 1}, {"replace", "SELECT replace(?1, ?2, ?3)", 3, 1},
	{"trim", "SELECT trim(?1, ?2)", 2, 1}, {"ltrim", "SELECT ltrim(?1, ?2)", 2, 1},
	{"rtrim", "SELECT rtrim(?1, ?2)", 2, 1}, {"like", "SELECT like(?1, ?2)", 2, 1},
	{"like", "SELECT like(?1, ?2, ?3)", 3, 1}, {"glob", "SELECT glob(?1, ?2)", 2, 1},
	{"json_patch", "SELECT json_patch(?1, ?2)", 2, 32}, /* of keys, each with its value */
};

static bool may_work(struct expr_engine *engine, int64_t work)
{
	if (work > WORK_MAX - engine->work)
		return false;
	engine->work += work;
	return true;
}

static void run_plain(
	sqlite3_context *context, struct guard *guard, int count, sqlite3_value **values)
{
	int i, code;

	for (i = 0; i < count; i++)
		sqlite3_bind_value(guard->plain, i + 1, values[i]);
	code = sqlite3_step(guard->plain);
	if (code == SQLITE_ROW) {
		sqlite3_result_value(context, sqlite3_column_value(guard->plain, 0));
	} else {
		sqlite3_result_error(context, sqlite3_errmsg(guard->engine->plain), -1);
		sqlite3_result_error_code(context, code);
	}
	sqlite3_reset(guard->plain);
}

static void run_guarded(sqlite3_context *context, int count, sqlite3_value **values)
{
	struct guard *guard = sqlite3_user_data(context);
	const struct guarded *what = &guarded[guard - guard->engine->guards];
	int64_t work = (int64_t)sqlite3_value_bytes(values[0]) * sqlite3_value_bytes(values[1]);

	if (may_work(guard->engine, work / what->per)) {
		run_plain(context, guard, count, values);
		return;
	}
	guard->engine->stopped = true;
	sqlite3_result_error(context, "too long", -1);
}

static const struct zone *zone_of(struct expr_engine *engine, int count, sqlite3_value **values)
{
	const char *name = engine->zone;

	if (count == 2)
		name = (const char *)sqlite3_value_text(values[1]);
	return name ? zone_find(name) : NULL;
}

/* Text without an offset is UTC, as everywhere in SQLite. */
static bool instant_of(sqlite3_value *value, int64_t *ms)
{
	struct str text = {.ptr = (const char *)sqlite3_value_text(value)};

	text.len = text.ptr ? (size_t)sqlite3_value_bytes(value) : 0;
	return sqlite3_value_type(value) == SQLITE_TEXT && clock_parse(text, zone_find("UTC"), ms);
}

/* day(t), clock(t): as the office's people say it, in its zone and language. */
static void run_words(sqlite3_context *context, sqlite3_value **values, bool day)
{
	struct expr_engine *engine = sqlite3_user_data(context);
	const struct zone *zone = zone_of(engine, 1, values);
	char out[WORDS_TEXT];
	struct civil civil;
	int64_t ms;
	size_t len;

	if (sqlite3_value_type(values[0]) == SQLITE_NULL)
		return;
	if (!zone || !instant_of(values[0], &ms)) {
		sqlite3_result_error(context, "day() and clock() want an instant as text, like now or "
			"data ->> '$.start'", -1);
		return;
	}
	civil = zone_civil(zone, ms);
	len = day ? words_day(out, &civil, engine->language) : words_clock(out, &civil);
	sqlite3_result_text(context, out, (int)len, SQLITE_TRANSIENT);
}

static void run_day(sqlite3_context *context, int count, sqlite3_value **values)
{
	(void)count;
	run_words(context, values, true);
}

static void run_clock(sqlite3_context *context, int count, sqlite3_value **values)
{
	(void)count;
	run_words(context, values, false);
}

static void run_local(sqlite3_context *context, int count, sqlite3_value **values)
{
	struct expr_engine *engine = sqlite3_user_data(context);
	const struct zone *zone = zone_of(engine, count, values);
	char out[CLOCK_TEXT + 8];
	int64_t ms;
	size_t len;

	if (sqlite3_value_type(values[0]) == SQLITE_NULL)
		return;
	if (!zone) {
		sqlite3_result_error(context, "local(): no such time zone", -1);
	} else if (!instant_of(values[0], &ms)) {
		sqlite3_result_error(context,
			"local(): this is no instant as text; "
			"local(now) and local(data ->> '$.start') are meant",
			-1);
	} else {
		len = clock_write(out, ms - (ms % 1000 + 1000) % 1000, zone); /* for people */
		sqlite3_result_text(context, out, (int)len, SQLITE_TRANSIENT);
	}
}

static int add_guard(struct expr_engine *engine, size_t i)
{
	struct guard *guard = &engine->guards[i];
	int code;

	guard->engine = engine;
	code = sqlite3_prepare_v3(
		engine->plain, guarded[i].sql, -1, SQLITE_PREPARE_PERSISTENT, &guard->plain, NULL);
	if (code != SQLITE_OK)
		return code;
	return sqlite3_create_function_v2(engine->db, guarded[i].name, guarded[i].args,
		SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_SUBTYPE, guard, run_guarded, NULL, NULL,
		NULL);
}

int functions_add(struct expr_engine *engine)
{
	int code = SQLITE_OK, args;
	size_t i;

	for (i = 0; i < GUARDS && code == SQLITE_OK; i++)
		code = add_guard(engine, i);
	for (args = 1; args <= 2 && code == SQLITE_OK; args++)
		code = sqlite3_create_function_v2(engine->db, "local", args, SQLITE_UTF8, engine,
			run_local, NULL, NULL, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_create_function_v2(engine->db, "day", 1, SQLITE_UTF8, engine, run_day,
			NULL, NULL, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_create_function_v2(engine->db, "clock", 1, SQLITE_UTF8, engine,
			run_clock, NULL, NULL, NULL);
	return code;
}

void functions_remove(struct expr_engine *engine)
{
	size_t i;

	for (i = 0; i < GUARDS; i++)
		sqlite3_finalize(engine->guards[i].plain);
}
