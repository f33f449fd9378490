/* Who guesses waits longer each time, and nobody else does. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "http/lockout.h"

#define NOW INT64_C(1000000)

static void each_failure_doubles_the_pause(void **state)
{
	static const unsigned pauses[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300};
	struct lockout *lockout = lockout_create();
	int64_t now_ms = NOW;

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_int_equal(lockout_try(lockout, "192.0.2.1", now_ms), 0);
	for (size_t i = 0; i < sizeof(pauses) / sizeof(pauses[0]); i++) {
		assert_int_equal(lockout_try(lockout, "192.0.2.1", now_ms), pauses[i]);
		/* asking while it lasts makes it no longer, and no shorter */
		now_ms += pauses[i] * 1000 - 1;
		assert_int_equal(lockout_try(lockout, "192.0.2.1", now_ms), 1);
		now_ms++;
		assert_int_equal(lockout_try(lockout, "192.0.2.1", now_ms), 0);
	}
	lockout_destroy(lockout);
}

static void other_addresses_do_not_wait(void **state)
{
	struct lockout *lockout = lockout_create();

	(void)state;
	for (int i = 0; i < 5; i++)
		lockout_try(lockout, "2001:db8:1:2::1", NOW);
	assert_int_equal(lockout_try(lockout, "2001:db8:1:2:ffff::9", NOW), 1); /* one /64 */
	assert_int_equal(lockout_try(lockout, "2001:db8:1:3::1", NOW), 0);
	assert_int_equal(lockout_try(lockout, "192.0.2.2", NOW), 0);
	lockout_destroy(lockout);
}

static void a_right_one_counts_as_none_and_forgives_nothing(void **state)
{
	struct lockout *lockout = lockout_create();

	(void)state;
	for (int i = 0; i < 50; i++) {
		assert_int_equal(lockout_try(lockout, "192.0.2.1", NOW), 0);
		lockout_passed(lockout, "192.0.2.1");
	}
	for (int i = 0; i < 4; i++)
		assert_int_equal(lockout_try(lockout, "192.0.2.1", NOW), 0);
	assert_int_equal(lockout_try(lockout, "192.0.2.1", NOW), 0);
	lockout_passed(lockout, "192.0.2.1");
	assert_int_equal(lockout_try(lockout, "192.0.2.1", NOW), 0);
	assert_int_equal(lockout_try(lockout, "192.0.2.1", NOW), 1);
	lockout_destroy(lockout);
}

static void an_hour_forgets(void **state)
{
	struct lockout *lockout = lockout_create();

	(void)state;
	for (int i = 0; i < 5; i++)
		lockout_try(lockout, "192.0.2.1", NOW);
	assert_int_equal(lockout_try(lockout, "192.0.2.1", NOW), 1);
	for (int i = 0; i < 5; i++)
		assert_int_equal(lockout_try(lockout, "192.0.2.1", NOW + 3600001), 0);
	assert_int_equal(lockout_try(lockout, "192.0.2.1", NOW + 3600001), 1);
	lockout_destroy(lockout);
}

static void a_crowd_frees_nobody_who_failed_often(void **state)
{
	struct lockout *lockout = lockout_create();
	char address[20];

	(void)state;
	for (int i = 0; i < 5; i++)
		lockout_try(lockout, "192.0.2.1", NOW);
	for (int i = 0; i < 5000; i++) {
		snprintf(address, sizeof(address), "10.0.%d.%d", i / 256, i % 256);
		lockout_try(lockout, address, NOW + i / 100);
	}
	assert_int_equal(lockout_try(lockout, "192.0.2.1", NOW + 100), 1);
	lockout_destroy(lockout);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_failure_doubles_the_pause),
		cmocka_unit_test(other_addresses_do_not_wait),
		cmocka_unit_test(a_right_one_counts_as_none_and_forgives_nothing),
		cmocka_unit_test(an_hour_forgets),
		cmocka_unit_test(a_crowd_frees_nobody_who_failed_often),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
