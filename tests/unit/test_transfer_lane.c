/* Lanes and their breakers: who goes first, how fast, and when nobody goes, against a peer that
 * does what a test tells it to. */
#include "wire_kit.h"

#include "base/clock.h"

/* ---- Lanes ------------------------------------------------------------------------------------
 */

static void a_lane_goes_in_order_and_urgent_ones_first(void **state)
{
	BEGIN({OK, PEER_KEEP, 10});
	(void)state;
	struct transfer_limits limits = {.concurrency = 1};
	struct transfer_lane *lane = transfer_lane(world->transfer, "k", &limits);
	struct ask *asks[4];
	static const unsigned order[] = {1, 3, 4, 2};
	for (int i = 0; i < 4; i++) {
		asks[i] = ask_new(world, "GET", "/");
		asks[i]->request.lane = lane;
		asks[i]->request.urgent = i == 3;
		transfer_submit(world->transfer, &asks[i]->request);
	}
	for (int i = 0; i < 4; i++)
		ask_wait(world, asks[i]);
	for (int i = 0; i < 4; i++) {
		assert_outcome(&asks[i]->request, KL_ANSWERED);
		assert_int_equal(asks[i]->order, order[i]);
		ask_free(asks[i]);
	}
	assert_int_equal(peer_connections(world->peer), 1);
	end(world);
}

static void a_lane_keeps_its_rate(void **state)
{
	BEGIN({OK, PEER_KEEP, 0});
	(void)state;
	struct transfer_limits limits = {.rate_per_s = 25, .burst = 2};
	struct transfer_lane *lane = transfer_lane(world->transfer, "k", &limits);
	struct ask *asks[5];
	int64_t start = clock_mono_ms();
	for (int i = 0; i < 5; i++) {
		asks[i] = ask_new(world, "GET", "/");
		asks[i]->request.lane = lane;
		transfer_submit(world->transfer, &asks[i]->request);
	}
	for (int i = 0; i < 5; i++)
		ask_wait(world, asks[i]);
	/* Two at once, three more at 40 ms each. */
	assert_in_range(clock_mono_ms() - start, 115, 4000);
	for (int i = 0; i < 5; i++) {
		assert_outcome(&asks[i]->request, KL_ANSWERED);
		ask_free(asks[i]);
	}
	end(world);
}

static void a_spent_lane_says_when_to_come_again(void **state)
{
	BEGIN({OK, PEER_KEEP, 0});
	(void)state;
	struct transfer_limits limits = {.rate_per_s = 0.5};
	struct transfer_lane *lane = transfer_lane(world->transfer, "k", &limits);
	struct ask *first = ask_new(world, "GET", "/"), *late = ask_new(world, "GET", "/");
	first->request.lane = late->request.lane = lane;
	assert_outcome(ask_run(world, first), KL_ANSWERED);
	/* New limits are no way around the old ones. */
	transfer_lane(world->transfer, "k", &limits);
	late->request.deadline_ms = clock_mono_ms() + 30;
	assert_outcome(ask_run(world, late), KL_REFUSED);
	assert_in_range(late->request.retry_after_ms, 500, 2000);
	assert_int_equal(peer_requests(world->peer), 1);
	ask_free(first);
	ask_free(late);
	end(world);
}

static void a_full_lane_and_a_long_wait_send_nothing(void **state)
{
	BEGIN({OK, PEER_KEEP, 400});
	(void)state;
	struct transfer_limits limits = {.concurrency = 1, .queue = 2};
	struct transfer_lane *lane = transfer_lane(world->transfer, "k", &limits);
	struct ask *asks[4];
	for (int i = 0; i < 4; i++) {
		asks[i] = ask_new(world, "GET", "/");
		asks[i]->request.lane = lane;
		if (i == 2)
			asks[i]->request.deadline_ms = clock_mono_ms() + 60;
		transfer_submit(world->transfer, &asks[i]->request);
	}
	for (int i = 0; i < 4; i++)
		ask_wait(world, asks[i]);
	assert_outcome(&asks[0]->request, KL_ANSWERED);
	assert_outcome(&asks[1]->request, KL_ANSWERED);
	assert_outcome(&asks[2]->request, KL_NOT_SENT);
	assert_non_null(strstr(asks[2]->request.reason, "waited too long"));
	assert_in_range(asks[2]->request.at_us.total, 55000, 350000);
	assert_outcome(&asks[3]->request, KL_NOT_SENT);
	assert_int_equal(asks[3]->order, 1);
	for (int i = 0; i < 4; i++)
		ask_free(asks[i]);
	end(world);
}

static void places_are_shared_when_all_are_taken(void **state)
{
	static const struct peer_step steps[] = {{OK, PEER_KEEP, 5}};
	struct transfer_options options = {.max_total = 1};
	struct world *world = begin_with(steps, 1, &options);
	(void)state;
	struct transfer_lane *busy = transfer_lane(world->transfer, "busy", NULL);
	struct transfer_lane *other = transfer_lane(world->transfer, "other", NULL);
	struct ask *asks[11];
	for (int i = 0; i < 11; i++) {
		asks[i] = ask_new(world, "GET", "/");
		asks[i]->request.lane = i < 10 ? busy : other;
		transfer_submit(world->transfer, &asks[i]->request);
	}
	for (int i = 0; i < 11; i++)
		ask_wait(world, asks[i]);
	assert_in_range(asks[10]->order, 2, 3); /* not behind the ten */
	for (int i = 0; i < 11; i++)
		ask_free(asks[i]);
	end(world);
}

static void retry_after_pauses_the_lane(void **state)
{
	BEGIN({"HTTP/1.1 429 Slow\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n", PEER_KEEP, 0},
		{OK, PEER_KEEP, 0});
	(void)state;
	struct transfer_lane *lane = transfer_lane(world->transfer, "k", NULL);
	struct ask *asks[3];
	for (int i = 0; i < 3; i++) {
		asks[i] = ask_new(world, "GET", "/");
		asks[i]->request.lane = lane;
	}
	asks[1]->request.deadline_ms = clock_mono_ms() + 500;
	int64_t start = clock_mono_ms();
	assert_outcome(ask_run(world, asks[0]), KL_ANSWERED);
	assert_int_equal(asks[0]->request.retry_after_ms, 1000);
	assert_outcome(ask_run(world, asks[1]), KL_REFUSED);
	assert_in_range(asks[1]->request.retry_after_ms, 1, 1000);
	assert_outcome(ask_run(world, asks[2]), KL_ANSWERED);
	assert_in_range(clock_mono_ms() - start, 995, 3000);
	for (int i = 0; i < 3; i++)
		ask_free(asks[i]);
	end(world);
}

/* ---- Breaker ----------------------------------------------------------------------------------
 */

static uint32_t lane_outcome(struct world *world, struct transfer_lane *lane)
{
	struct ask *ask = ask_new(world, "GET", "/");

	ask->request.lane = lane;
	ask->request.repeat = KL_SAFE;
	uint32_t outcome = ask_run(world, ask)->outcome;
	if (outcome == KL_REFUSED)
		assert_true(ask->request.retry_after_ms > 0);
	ask_free(ask);
	return outcome;
}

static void pass_ms(struct world *world, int64_t ms)
{
	int64_t until = clock_mono_ms() + ms;

	while (clock_mono_ms() < until)
		usleep(1000);
	uv_run(&world->loop, UV_RUN_NOWAIT);
}

static void the_breaker_opens_probes_and_closes(void **state)
{
	BEGIN({"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", PEER_KEEP, 0},
		{"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", PEER_KEEP, 0},
		{"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", PEER_KEEP, 0},
		{"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", PEER_KEEP, 0}, /* opens */
		{"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", PEER_KEEP, 0}, /* probe */
		{"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", PEER_KEEP, 0}, /* probe */
		{OK, PEER_KEEP, 0});
	(void)state;
	struct transfer_limits limits = {
		.breaker = {.min_volume = 4, .failure_rate = 0.7, .open_ms = 300}};
	struct transfer_lane *lane = transfer_lane(world->transfer, "k", &limits);
	assert_int_equal(lane_outcome(world, lane), KL_UNKNOWN);
	assert_int_equal(lane_outcome(world, lane), KL_ANSWERED);
	assert_int_equal(lane_outcome(world, lane), KL_UNKNOWN);
	assert_string_equal(world->breaker, "");
	assert_int_equal(lane_outcome(world, lane), KL_UNKNOWN);
	assert_string_equal(world->breaker, "k=1(3/1) ");
	assert_in_range(world->breaker_until_ms - clock_now_ms(), 0, 300);
	assert_int_equal(lane_outcome(world, lane), KL_REFUSED);
	assert_int_equal(peer_requests(world->peer), 4);
	pass_ms(world, 301);
	assert_int_equal(lane_outcome(world, lane), KL_UNKNOWN);
	assert_string_equal(world->breaker, "k=1(3/1) k=2(3/1) k=1(4/1) ");
	pass_ms(world, 301); /* twice as long now */
	assert_int_equal(lane_outcome(world, lane), KL_REFUSED);
	pass_ms(world, 301);
	assert_int_equal(lane_outcome(world, lane), KL_ANSWERED);
	assert_string_equal(world->breaker, "k=1(3/1) k=2(3/1) k=1(4/1) k=2(4/1) k=0(0/0) ");
	assert_int_equal(lane_outcome(world, lane), KL_ANSWERED);
	end(world);
}

static void an_open_breaker_survives_a_restart(void **state)
{
	BEGIN({OK, PEER_KEEP, 0});
	(void)state;
	assert_int_equal(
		transfer_restore_breaker(world->transfer, "k", BREAKER_OPEN, clock_now_ms() + 400),
		0);
	struct transfer_limits limits = {.breaker = {.open_ms = 1000}};
	struct transfer_lane *lane = transfer_lane(world->transfer, "k", &limits);
	assert_int_equal(lane_outcome(world, lane), KL_REFUSED);
	assert_int_equal(lane_outcome(world, NULL), KL_ANSWERED);
	pass_ms(world, 405);
	assert_int_equal(lane_outcome(world, lane), KL_ANSWERED);
	assert_string_equal(world->breaker, "k=2(0/0) k=0(0/0) ");
	end(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lane_goes_in_order_and_urgent_ones_first),
		cmocka_unit_test(a_lane_keeps_its_rate),
		cmocka_unit_test(a_spent_lane_says_when_to_come_again),
		cmocka_unit_test(a_full_lane_and_a_long_wait_send_nothing),
		cmocka_unit_test(places_are_shared_when_all_are_taken),
		cmocka_unit_test(retry_after_pauses_the_lane),
		cmocka_unit_test(the_breaker_opens_probes_and_closes),
		cmocka_unit_test(an_open_breaker_survives_a_restart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
