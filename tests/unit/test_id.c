/* UUIDv7: unique and rising, also among threads. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"

#define THREADS 4
#define EACH 20000

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct id));
}

static void *make(void *arg)
{
	struct id *ids = arg;

	for (size_t i = 0; i < EACH; i++)
		ids[i] = id_new();
	return NULL;
}

static void ids_rise_and_never_repeat(void **state)
{
	struct id *ids = calloc(THREADS * EACH, sizeof(*ids));
	pthread_t threads[THREADS];
	size_t i, t;

	(void)state;
	for (t = 0; t < THREADS; t++)
		assert_int_equal(pthread_create(&threads[t], NULL, make, ids + t * EACH), 0);
	for (t = 0; t < THREADS; t++)
		pthread_join(threads[t], NULL);
	for (t = 0; t < THREADS; t++)
		for (i = 1; i < EACH; i++)
			assert_true(compare(&ids[t * EACH + i - 1], &ids[t * EACH + i]) < 0);
	qsort(ids, THREADS * EACH, sizeof(*ids), compare);
	for (i = 1; i < THREADS * EACH; i++)
		assert_true(compare(&ids[i - 1], &ids[i]) < 0);
	free(ids);
}

static void an_id_says_when_and_which_version(void **state)
{
	int64_t before = clock_now_ms(), ms = 0;
	struct id id = id_new();
	char text[ID_TEXT];

	(void)state;
	for (int i = 0; i < 6; i++)
		ms = ms << 8 | id.b[i];
	assert_true(ms >= before - 1 && ms <= clock_now_ms() + 1000);
	id_text(text, &id);
	assert_int_equal(strlen(text), 36);
	assert_int_equal(text[14], '7');
	assert_non_null(strchr("89ab", text[19]));
}

static void text_goes_there_and_back(void **state)
{
	struct id id = id_new(), back;
	char text[ID_TEXT];

	(void)state;
	id_text(text, &id);
	assert_true(id_parse(&back, str_of(text)));
	assert_memory_equal(&id, &back, sizeof(id));
	assert_true(id_parse(&back, STR("019AB1C0-0000-7000-8000-00000000000F")));
	id_text(text, &back);
	assert_string_equal(text, "019ab1c0-0000-7000-8000-00000000000f");
	assert_false(id_parse(&back, STR("019ab1c0-0000-7000-8000-00000000000")));
	assert_false(id_parse(&back, STR("019ab1c00000-7000-8000-00000000000f-")));
	assert_false(id_parse(&back, STR("019ab1c0-0000-7000-8000-00000000000g")));
	assert_false(id_parse(&back, (struct str){0}));
	assert_true(id_is_zero(&(struct id){{0}}));
	assert_false(id_is_zero(&id));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_rise_and_never_repeat),
		cmocka_unit_test(an_id_says_when_and_which_version),
		cmocka_unit_test(text_goes_there_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
