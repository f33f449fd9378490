/* case_expect.c - expected against actual JSON, with a line for each difference. One thread. */
#include "plugin/case.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void case_fault(struct case_run *run, const char *format, ...)
{
	char line[2000];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	buf_printf(&run->faults, "#   %s\n", line);
}

static bool is_nothing(const struct json *value)
{
	return json_type(value) == JSON_NONE || json_type(value) == JSON_NULL;
}

static const char *shown(struct case_run *run, const struct json *value)
{
	struct str text = json_print(run->arena, value);

	return value ? (text.len > 600 ? arena_printf(run->arena, "%.600s...", text.ptr) : text.ptr)
		     : "nothing";
}

static void differ(struct case_run *run, const char *place, const struct json *expect,
	const struct json *actual)
{
	case_fault(run, "%s: expected %s, got %s", place, shown(run, expect), shown(run, actual));
}

static const char *join(struct case_run *run, const char *place, struct str key)
{
	return arena_printf(run->arena, "%s%s%.*s", place, *place ? "." : "", STR_ARG(key));
}

static const char *join_index(struct case_run *run, const char *place, size_t i)
{
	return arena_printf(run->arena, "%s[%zu]", place, i);
}

static const struct json *member(const struct json *object, struct str key)
{
	size_t i;
	struct str name;

	for (i = 0; i < json_count(object); i++) {
		const struct json *value = json_at(object, i, &name);
		if (str_eq(name, key))
			return value;
	}
	return NULL;
}

static void compare_objects(struct case_run *run, const char *place, const struct json *expect,
	const struct json *actual, bool exact)
{
	const char *inner;
	struct str key;
	size_t i;

	for (i = 0; i < json_count(expect); i++) {
		const struct json *value = json_at(expect, i, &key);
		inner = join(run, place, key);
		case_compare(run, inner, value, member(actual, key), exact);
	}
	for (i = 0; exact && i < json_count(actual); i++) {
		const struct json *value = json_at(actual, i, &key);
		inner = join(run, place, key);
		if (!member(expect, key))
			differ(run, inner, NULL, value);
	}
}

static void compare_arrays(struct case_run *run, const char *place, const struct json *expect,
	const struct json *actual, bool exact)
{
	const char *inner;
	size_t i, count = json_count(expect);

	if (json_count(actual) != count)
		case_fault(run, "%s: expected %zu elements, got %zu: %s", place, count,
			json_count(actual), shown(run, actual));
	for (i = 0; i < count && i < json_count(actual); i++) {
		inner = join_index(run, place, i);
		case_compare(run, inner, json_at(expect, i, NULL), json_at(actual, i, NULL), exact);
	}
}

void case_compare(struct case_run *run, const char *place, const struct json *expect,
	const struct json *actual, bool exact)
{
	if (!exact && is_nothing(expect) && is_nothing(actual))
		return;
	if (json_type(expect) != json_type(actual)) {
		differ(run, place, expect, actual);
		return;
	}
	if (json_type(expect) == JSON_OBJECT)
		compare_objects(run, place, expect, actual, exact);
	else if (json_type(expect) == JSON_ARRAY)
		compare_arrays(run, place, expect, actual, exact);
	else if (!json_equal(expect, actual))
		differ(run, place, expect, actual);
}

/* ---- words of "expect" -------------------------------------------------------------------- */

/* "reason_contains" looks into "reason"; in a problem "contains" looks into "message". */
static bool contains_word(struct str key, struct str *into)
{
	static const char suffix[] = "_contains";
	size_t len = sizeof(suffix) - 1;

	if (str_is(key, "contains")) {
		*into = STR("message");
		return true;
	}
	if (key.len <= len || memcmp(key.ptr + key.len - len, suffix, len) != 0)
		return false;
	*into = (struct str){key.ptr, key.len - len};
	return true;
}

static void compare_contains(struct case_run *run, const char *place, const struct json *expect,
	const struct json *actual)
{
	struct str part = json_text(expect), whole = json_text(actual);

	if (!part.ptr || !whole.ptr || !memmem(whole.ptr, whole.len, part.ptr, part.len))
		case_fault(run, "%s: expected %s inside %s", place, shown(run, expect),
			shown(run, actual));
}

/* Members whose values are the plugin's own JSON: words of ours mean nothing there. */
static bool is_payload(struct str key)
{
	static const char *const keys[] = {
		"data", "result", "input", "rows", "checkpoint", "detail", "json", "body"};
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (str_is(key, keys[i]))
			return true;
	return false;
}

static void expect_object(struct case_run *run, const char *place, const struct json *expect,
	const struct json *actual);

static void expect_list(struct case_run *run, const char *place, const struct json *expect,
	const struct json *actual)
{
	const char *inner;
	size_t i;

	if (json_count(expect) != json_count(actual))
		case_fault(run, "%s: expected %zu elements, got %zu: %s", place, json_count(expect),
			json_count(actual), shown(run, actual));
	for (i = 0; i < json_count(expect) && i < json_count(actual); i++) {
		inner = join_index(run, place, i);
		if (json_type(json_at(expect, i, NULL)) != JSON_OBJECT)
			case_fault(run, "%s: expect an object here", inner);
		else
			expect_object(
				run, inner, json_at(expect, i, NULL), json_at(actual, i, NULL));
	}
}

static void expect_object(struct case_run *run, const char *place, const struct json *expect,
	const struct json *actual)
{
	bool exact_result = !*place && json_get(run->spec, "map");
	const char *inner;
	struct str key, into;
	size_t i;

	for (i = 0; i < json_count(expect); i++) {
		const struct json *value = json_at(expect, i, &key);
		inner = join(run, place, key);
		if (contains_word(key, &into))
			compare_contains(run, inner, value, member(actual, into));
		else if (is_payload(key))
			case_compare(run, inner, value, member(actual, key),
				str_is(key, "json") || (str_is(key, "result") && exact_result));
		else if (json_type(value) == JSON_ARRAY && member(actual, key))
			expect_list(run, inner, value, member(actual, key));
		else
			case_compare(run, inner, value, member(actual, key), false);
	}
}

void case_expect(struct case_run *run, const struct json *expect, const struct json *actual)
{
	if (run->runner->told) {
		run->runner->told(run, "end", actual);
		return;
	}
	if (json_type(expect) != JSON_OBJECT || !json_count(expect)) {
		case_fault(run, "the case has no \"expect\", or an empty one: it proves nothing");
		return;
	}
	expect_object(run, "", expect, actual);
	if (run->runner->verbose)
		printf("#   got %s\n", json_print(run->arena, actual).ptr);
}
