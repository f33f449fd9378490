/* How often one address may come: bursts, refill, networks, and a table that strangers fill. */
#include "http/limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static unsigned taken(struct limit *limit, const char *address, int64_t now_ms, unsigned tries)
{
	unsigned n = 0;

	while (tries--)
		n += limit_take(limit, address, now_ms) == 0;
	return n;
}

static void a_burst_then_so_many_a_minute(void **state)
{
	struct limit *limit = limit_create(60, 5);
	(void)state;
	assert_int_equal(taken(limit, "192.0.2.1", 1000, 100), 5);
	assert_int_equal(limit_take(limit, "192.0.2.1", 1000), 1);
	assert_int_equal(taken(limit, "192.0.2.1", 1999, 100), 0);
	assert_int_equal(taken(limit, "192.0.2.1", 2000, 100), 1);
	assert_int_equal(taken(limit, "192.0.2.1", 5000, 100), 3);
	assert_int_equal(taken(limit, "192.0.2.1", INT64_C(1) << 50, 100), 5);
	limit_destroy(limit);
}

static void it_says_when_to_come_again(void **state)
{
	struct limit *limit = limit_create(2, 1);
	(void)state;
	assert_int_equal(limit_take(limit, "192.0.2.1", 0), 0);
	unsigned wait_s = limit_take(limit, "192.0.2.1", 0);
	assert_in_range(wait_s, 30, 31);
	assert_int_equal(limit_take(limit, "192.0.2.1", (int64_t)wait_s * 1000), 0);
	limit_destroy(limit);
}

static void addresses_do_not_disturb_each_other(void **state)
{
	struct limit *limit = limit_create(60, 5);
	(void)state;
	assert_int_equal(taken(limit, "192.0.2.1", 1000, 100), 5);
	assert_int_equal(taken(limit, "192.0.2.2", 1000, 100), 5);
	assert_int_equal(taken(limit, "2001:db8:0:1::1", 1000, 3), 3);
	assert_int_equal(taken(limit, "2001:db8:0:1:ffff::2", 1000, 100), 2); /* the same network */
	assert_int_equal(taken(limit, "2001:db8:0:2::1", 1000, 100), 5);
	assert_int_equal(taken(limit, "", 1000, 100), 5); /* no address is one, too */
	limit_destroy(limit);
}

/* A million addresses: together they get what the table holds and what comes back, not a burst
 * each.
 */
static void very_many_addresses_gain_little(void **state)
{
	struct limit *limit = limit_create(60, 5);
	char address[48];
	unsigned n = 0;
	(void)state;
	for (unsigned round = 0; round < 5; round++)
		for (unsigned i = 0; i < 200000; i++) {
			snprintf(
				address, sizeof(address), "2001:db8:%x:%x::1", i >> 16, i & 0xffff);
			n += limit_take(limit, address, 1000) == 0;
		}
	assert_in_range(n, 5, 1024 * 5);
	assert_int_not_equal(limit_take(limit, "2001:db8:ffff::1", 1000), 0);
	assert_int_equal(limit_take(limit, "2001:db8:ffff::1", 3000), 0);
	limit_destroy(limit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_then_so_many_a_minute),
		cmocka_unit_test(it_says_when_to_come_again),
		cmocka_unit_test(addresses_do_not_disturb_each_other),
		cmocka_unit_test(very_many_addresses_gain_little),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
