/* Trace Context: which headers are one (the recommendation's own examples), and that what is
 * written is read as the same trace. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/arena.h"
#include "pipeline/trace.h"

static void a_trace_is_read_or_taken_for_none(void **state)
{
	static const char *const good[] = {
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
		"cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		"cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-the-future-brings"};
	static const char *const bad[] = {"", "00",
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
		"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
		"00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
		"00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
		"cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01more"};
	struct id trace;
	char text[ID_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(trace_read(&trace, str_of(good[i])));
		id_text(text, &trace);
		assert_string_equal(text, "4bf92f35-77b3-4da6-a3ce-929d0e0e4736");
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(trace_read(&trace, str_of(bad[i])));
}

static void a_correlation_is_written_as_its_trace(void **state)
{
	struct arena *arena = arena_create(4096);
	struct id id = id_new(), trace;
	struct str first, second;
	char text[ID_TEXT];

	(void)state;
	id_text(text, &id);
	first = trace_write(arena, str_of(text));
	second = trace_write(arena, str_of(text));
	assert_true(trace_read(&trace, first));
	assert_memory_equal(&trace, &id, sizeof(id));
	assert_true(trace_read(&trace, second));
	assert_false(str_eq(first, second)); /* each request is a span of its own */
	assert_null(trace_write(arena, STR("call:1")).ptr);
	arena_destroy(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_trace_is_read_or_taken_for_none),
		cmocka_unit_test(a_correlation_is_written_as_its_trace),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
