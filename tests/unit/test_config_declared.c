/* test_config_declared.c - operations, polls and events that a connection's own keys declare. */
#include "config_world.h"

#include <stdlib.h>
#include <string.h>

#define HEAD "[host]\nlisten = 127.0.0.1:8080\nstate = /tmp/none\nadmin_token = ${ADMIN_TOKEN}\n"
#define SHOP                                                                                       \
	"[connection shop]\nplugin = anything\npoll_orders = 5m\n"                                 \
	"op.refund = POST /refunds\nop.refund.query = a=1\n"                                       \
	"poll.orders = GET /orders\nevent.order.paid = /paid\n"

static struct config *load(const char *text)
{
	char *told;
	struct config *config = load_text(text, &told);

	if (!config)
		fail_msg("%s", told);
	free(told);
	return config;
}

static void keys_become_operations_and_events(void **state)
{
	struct config *config =
		load(HEAD SHOP "[pipeline x]\non = order.paid\nstep = shop.refund\n");
	const struct config_connection *shop = config_connection(config, "agency/shop");

	(void)state;
	assert_int_equal(shop->info->op_count, 3); /* test, refund, orders; no refund.query */
	assert_string_equal(shop->info->ops[0].name, "test");
	assert_string_equal(shop->info->ops[1].name, "refund");
	assert_string_equal(shop->info->ops[2].name, "orders");
	assert_string_equal(shop->info->events, "anything.other order.paid");
	assert_int_equal(shop->poll_count, 1);
	assert_string_equal(shop->polls[0].op, "orders");
	config_unref(config);
}

static void each_connection_has_its_own(void **state)
{
	(void)state;
	assert_told(HEAD SHOP "[connection other]\nplugin = anything\nop.greet = GET /x\n"
			      "[pipeline x]\non = order.paid\nstep = other.refund\n",
		"has no operation \"refund\"");
}

static void what_nobody_declared_is_refused(void **state)
{
	(void)state;
	assert_told(HEAD SHOP "[pipeline x]\non = order.paid\nstep = shop.refnud\n",
		"did you mean \"refund\"");
	assert_told(
		HEAD SHOP "[pipeline x]\non = order.payed\nstep = shop.refund\n", "order.payed");
	assert_told(HEAD SHOP "[pipeline x]\non = order.paid\nstep = shop.orders\n", "is a poll");
	assert_told(HEAD "[connection shop]\nplugin = anything\npoll_order = 5m\n"
			 "poll.orders = GET /orders\n",
		"did you mean");
}

static void one_name_is_not_two_things(void **state)
{
	(void)state;
	assert_told(HEAD "[connection shop]\nplugin = anything\nop.orders = GET /a\n"
			 "poll.orders = GET /b\n",
		"an operation and a poll need different names");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_become_operations_and_events),
		cmocka_unit_test(each_connection_has_its_own),
		cmocka_unit_test(what_nobody_declared_is_refused),
		cmocka_unit_test(one_name_is_not_two_things),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
