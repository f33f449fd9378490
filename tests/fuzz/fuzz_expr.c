/* Whatever an operator writes: it compiles or is refused with a sentence, it ends, it writes
 * nothing, and it gives the same twice. Input: the expression, a NUL, the data. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "pipeline/expr.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static const char *const step_names[] = {"book", "offer", NULL};

static struct str data_of(struct arena *arena, const char *bytes, size_t len)
{
	const struct json *data = len ? json_parse(arena, (struct str){bytes, len}, NULL) : NULL;

	if (!data)
		return STR("{\"name\":\"Anna\",\"list\":[1,2.5,null,true,{\"a\":\"b\"}],\"start\":"
			   "\"2026-11-26T16:15:00Z\"}");
	return json_print(arena, data);
}

static struct str text_of(void *from, enum expr_text which)
{
	(void)from;
	return which == EXPR_EVENT ? STR("{\"type\":\"call.analyzed\"}") : STR("{}");
}

static void evaluate(struct expr *expr, const struct expr_scope *scope, struct arena *arena)
{
	const struct json *first, *second;
	struct error error = {0};
	int failed = expr_eval(&error, expr, scope, arena, &first), again;

	assert(!failed || (error.code == failed && error.text[0] && !first));
	again = expr_eval(NULL, expr, scope, arena, &second);
	if (!failed && !again) /* the processor's time may end one of them */
		assert(json_equal(first, second));
	failed = expr_test(&error, expr, scope);
	assert(failed <= 1);
}

#define TOGETHER 8

/* Several that compile alone, apart by semicolons, evaluated at once: each gives what it gives
 * alone. */
static void check_together(struct expr_engine *engine, struct str text,
	const struct expr_scope *scope, struct arena *arena)
{
	const struct json *values[TOGETHER] = {0}, *alone;
	struct expr *all = NULL, *ones[TOGETHER];
	struct str sqls[TOGETHER];
	size_t count = 0;

	while (text.len && count < TOGETHER) {
		const char *stop = memchr(text.ptr, ';', text.len);
		size_t n = stop ? (size_t)(stop - text.ptr) : text.len;

		sqls[count] = (struct str){text.ptr, n};
		ones[count] = expr_compile(NULL, engine, sqls[count], step_names);
		if (!ones[count])
			break;
		count++;
		text = (struct str){text.ptr + n + (stop != NULL), text.len - n - (stop != NULL)};
	}
	if (count > 1)
		all = expr_compile_all(engine, sqls, count);
	if (all && expr_eval(NULL, all, scope, arena, values) == 0)
		for (size_t i = 0; i < count; i++)
			if (expr_eval(NULL, ones[i], scope, arena, &alone) == 0)
				assert(json_equal(alone, values[i]));
	expr_free(all);
	for (size_t i = 0; i < count; i++)
		expr_free(ones[i]);
}

/* A new one for each some inputs: nothing may be left behind in it, or by it. */
static struct expr_engine *some_engine(void)
{
	static struct expr_engine *engine;
	static unsigned count;

	if (count++ % 64 == 0) {
		expr_engine_destroy(engine);
		engine = expr_engine_create(NULL);
	}
	return engine;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct expr_engine *engine = some_engine();
	const char *text = (const char *)bytes;
	size_t sql = len ? strnlen(text, len) : 0;
	struct arena *arena = arena_create(16 << 20);
	struct expr_step steps[] = {{STR("book"), STR("{\"uid\":\"u1\"}")}};
	struct expr_scope scope = {.text = text_of,
		.steps = steps,
		.step_count = 1,
		.now_ms = INT64_C(1795018500000),
		.zone = "Europe/Berlin"};
	struct error error = {0};
	struct expr *expr;

	assert(engine && arena);
	scope.data =
		sql < len ? data_of(arena, text + sql + 1, len - sql - 1) : data_of(arena, "", 0);
	expr = expr_compile(&error, engine, (struct str){text, sql}, step_names);
	if (expr)
		evaluate(expr, &scope, arena);
	else
		assert(error.code < 0 && error.text[0]);
	expr_free(expr);
	check_together(engine, (struct str){text, sql}, &scope, arena);
	arena_destroy(arena);
	return 0;
}
