/* The arena: aligned, zeroed, bounded, and it remembers failure. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"

static void pieces_are_zeroed_and_aligned(void **state)
{
	struct arena *arena = arena_create(1 << 20);
	size_t i, k;

	(void)state;
	for (k = 0; k < 2; k++) {
		for (i = 0; i < 3000; i++) {
			unsigned char *p = arena_alloc(arena, i % 70);
			assert_non_null(p);
			assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
			for (size_t n = 0; n < i % 70; n++)
				assert_int_equal(p[n], 0);
			memset(p, 0xff, i % 70);
		}
		arena_reset(arena);
	}
	arena_destroy(arena);
}

static void it_stays_below_its_maximum_and_remembers(void **state)
{
	struct arena *arena = arena_create(1000);
	size_t n = 0;

	(void)state;
	while (arena_alloc(arena, 100))
		n++;
	assert_in_range(n, 8, 10);
	assert_in_range(arena_used(arena), 800, 1000);
	assert_true(arena_failed(arena));
	assert_null(arena_alloc(arena, 1)); /* would fit, but what came before is missing */
	arena_reset(arena);
	assert_false(arena_failed(arena));
	assert_int_equal(arena_used(arena), 0);
	assert_non_null(arena_alloc(arena, 1000 / 16 * 16));
	arena_destroy(arena);
}

static void sizes_that_overflow_fail(void **state)
{
	struct arena *arena = arena_create(SIZE_MAX);

	(void)state;
	assert_null(arena_alloc(arena, SIZE_MAX));
	arena_reset(arena);
	assert_null(arena_alloc(arena, SIZE_MAX - 40));
	arena_reset(arena);
	assert_null(arena_strndup(arena, "", SIZE_MAX));
	arena_destroy(arena);
}

static void one_piece_may_fill_it(void **state)
{
	struct arena *arena = arena_create(3 << 20);
	char *small = arena_strndup(arena, "abc", 2), *big = arena_alloc(arena, 2 << 20);

	(void)state;
	assert_string_equal(small, "ab");
	assert_non_null(big);
	big[(2 << 20) - 1] = 1;
	assert_non_null(arena_alloc(arena, 1 << 19));
	assert_null(arena_alloc(arena, 1 << 20));
	arena_destroy(arena);
}

static void starving_fails_the_nth_piece_only(void **state)
{
	struct arena *arena = arena_create(1000);

	(void)state;
	arena_starve(arena, 2);
	assert_non_null(arena_alloc(arena, 1));
	assert_null(arena_alloc(arena, 1));
	assert_true(arena_failed(arena));
	arena_reset(arena);
	arena_starve(arena, 1);
	arena_starve(arena, 0);
	assert_non_null(arena_alloc(arena, 1));
	arena_fail(arena);
	assert_true(arena_failed(arena));
	arena_destroy(arena);
}

static void printing_makes_text(void **state)
{
	struct arena *arena = arena_create(1 << 16);
	char *text = arena_printf(arena, "%s-%05d", "x", 42);

	(void)state;
	assert_string_equal(text, "x-00042");
	assert_int_equal(strlen(arena_printf(arena, "%5000d", 1)), 5000);
	assert_null(arena_printf(arena, "%70000d", 1));
	arena_destroy(arena);
}

static void no_arena_is_one_that_failed(void **state)
{
	(void)state;
	assert_true(arena_failed(NULL));
	assert_null(arena_alloc(NULL, 1));
	assert_int_equal(arena_used(NULL), 0);
	arena_destroy(NULL);
}

/* How a child ends that reads this byte. */
static int end_of_reader(const volatile char *byte)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		_exit(*byte == 1 ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void a_fenced_piece_faults_behind_its_end(void **state)
{
	struct arena *arena = arena_create(100000);
	const char *piece;

	(void)state;
	arena_fence(arena, 0xa5);
	piece = arena_alloc(arena, 48);
	assert_non_null(piece);
	assert_int_equal(end_of_reader(piece + 47), 0);
	assert_true(WIFSIGNALED(end_of_reader(piece + 48)));
	arena_destroy(arena);
}

static void a_fence_sees_what_was_written_over(void **state)
{
	struct arena *arena = arena_create(100000);
	volatile char *piece;

	(void)state;
	arena_fence(arena, 0xa5);
	piece = arena_alloc(arena, 5);
	assert_non_null(arena_alloc(arena, 16));
	piece[4] = 1;
	assert_false(arena_overrun(arena));
	assert_int_equal((unsigned char)piece[5], 0xa5);
	piece[5] = 1;
	assert_true(arena_overrun(arena));
	arena_reset(arena);
	assert_false(arena_overrun(arena));
	assert_int_equal(arena_used(arena), 0);
	arena_destroy(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_are_zeroed_and_aligned),
		cmocka_unit_test(it_stays_below_its_maximum_and_remembers),
		cmocka_unit_test(sizes_that_overflow_fail),
		cmocka_unit_test(one_piece_may_fill_it),
		cmocka_unit_test(starving_fails_the_nth_piece_only),
		cmocka_unit_test(printing_makes_text),
		cmocka_unit_test(a_fenced_piece_faults_behind_its_end),
		cmocka_unit_test(a_fence_sees_what_was_written_over),
		cmocka_unit_test(no_arena_is_one_that_failed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
