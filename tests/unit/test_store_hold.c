/* Holds: two callers never get the same time, whoever holds it, and whatever ends first. */
#include "store_desk.h"

#define ANNA STR("call:anna")
#define BERT STR("call:bert")
#define CARL STR("call:carl")

/* ---- cells and seats ------------------------------------------------------------------------ */

static void overlapping_times_of_one_resource_collide_wherever_they_come_from(void **state)
{
	struct fixture *f = *state;
	struct hold_row nine = a_hold(ANNA, AT(9, 0), AT(9, 30));
	struct hold_row quarter = a_hold(BERT, AT(9, 15), AT(9, 45));
	struct hold_row next = a_hold(BERT, AT(9, 30), AT(10, 0)), *rows;
	struct job_row job = a_job(STR(""));
	size_t count;

	assert_int_equal(take(f, &nine, 1), 0);
	assert_int_equal(book(f, &job, &quarter), E_TAKEN);
	assert_int_equal(take(f, &next, 1), 0);
	rows = holds_of(f, TENANT, &count);
	assert_int_equal(count, 2);
	assert_id(rows[0].id, nine.id);
	assert_str(rows[0].holder, "call:anna");
	assert_str(rows[0].resource, "staff:Dr. Petersen");
	assert_str(rows[0].event_type, "310455");
	assert_true(rows[0].end_ms == AT(9, 30) && rows[0].expires_ms == nine.expires_ms);
	assert_id(rows[1].id, next.id);
	quarter.tenant = OTHER; /* has a Dr. Petersen, too */
	quarter.state = HOLD_OFFERED;
	quarter.job = (struct id){{0}};
	assert_int_equal(take(f, &quarter, 1), 0);
	quarter.tenant = TENANT;
	quarter.resource = STR("staff:Dr. Sommer");
	quarter.id = id_new();
	assert_int_equal(take(f, &quarter, 1), 0);
}

static void an_operation_whose_time_is_taken_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct hold_row nine = a_hold(ANNA, AT(9, 0), AT(9, 30));
	struct hold_row two[] = {
		a_hold(BERT, AT(11, 0), AT(11, 30)), a_hold(BERT, AT(9, 15), AT(9, 45))};
	struct job_row job = a_job(STR("")), emitted = a_job(STR(""));
	struct event_row event = an_event(STR("evt"));
	struct event_change change = {.row = &event};
	struct answer_row answer = {.connection = PHONE,
				  .dedupe = STR("evt"),
				  .tenant = TENANT,
				  .result = STR("{}")},
			  got;
	struct store_save_job op = {.job = &job,
		.holds = two,
		.hold_count = 2,
		.jobs = &emitted,
		.job_count = 1,
		.events = &change,
		.event_count = 1,
		.answer = &answer};
	struct store_counts counts;

	assert_int_equal(take(f, &nine, 1), 0);
	add(f, &job, 1);
	job.state = JOB_DONE;
	assert_int_equal(save_job_now(f, &op), E_TAKEN);
	assert_non_null(strstr(op.op.error.text, "Dr. Petersen"));
	assert_int_equal(hold_count(f), 1);
	assert_int_equal(store_count(NULL, f->reader, &counts), 0);
	assert_int_equal(counts.jobs[JOB_READY], 1);
	assert_int_equal(counts.jobs[JOB_DONE], 0);
	assert_int_equal(counts.events, 0);
	assert_int_equal(
		store_get_answer(NULL, f->reader, PHONE, STR("evt"), f->arena, &got), E_NOTFOUND);
	op.hold_count = 1;
	assert_int_equal(save_job_now(f, &op), 0);
	assert_int_equal(hold_count(f), 2);
}

static int take_of_two(struct fixture *f, struct str holder, int64_t start_ms, int64_t end_ms)
{
	struct hold_row hold = a_hold(holder, start_ms, end_ms);

	hold.resource = STR("event_type:310455");
	hold.capacity = 2;
	return take(f, &hold, 1);
}

static void a_resource_of_two_takes_two_and_not_three(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(take_of_two(f, ANNA, AT(9, 0), AT(9, 30)), 0);
	assert_int_equal(take_of_two(f, BERT, AT(9, 15), AT(9, 45)), 0);
	assert_int_equal(take_of_two(f, CARL, AT(9, 20), AT(9, 50)), E_TAKEN);
	assert_int_equal(take_of_two(f, CARL, AT(9, 30), AT(10, 0)), 0);
	assert_int_equal(take_of_two(f, ANNA, AT(9, 40), AT(10, 10)), E_TAKEN);
	assert_int_equal(hold_count(f), 3);
}

static void times_that_share_a_cell_collide_though_they_do_not_touch(void **state)
{
	struct fixture *f = *state;
	struct hold_row first = a_hold(ANNA, AT(9, 0), AT(9, 12));
	struct hold_row second = a_hold(BERT, AT(9, 13), AT(9, 30));

	assert_int_equal(take(f, &first, 1), 0);
	assert_int_equal(take(f, &second, 1), E_TAKEN);
	second.start_ms = AT(9, 15);
	assert_int_equal(take(f, &second, 1), 0);
}

static void what_is_expired_does_not_stand_in_the_way(void **state)
{
	struct fixture *f = *state;
	struct hold_row old = a_hold(ANNA, AT(9, 0), AT(9, 30));
	struct hold_row new = a_hold(BERT, AT(9, 15), AT(9, 45)), *rows;
	size_t count;

	old.expires_ms = clock_now_ms() - 1;
	assert_int_equal(take(f, &old, 1), 0);
	assert_int_equal(hold_count(f), 0);
	assert_int_equal(take(f, &new, 1), 0);
	/* not only hidden: gone */
	assert_int_equal(store_list_holds(NULL, f->reader, TENANT, STR(""), 0, FOREVER, 0, f->arena,
				 &rows, &count),
		0);
	assert_int_equal(count, 1);
	assert_id(rows[0].id, new.id);
}

static void a_hold_that_makes_no_sense_is_refused(void **state)
{
	struct fixture *f = *state;
	struct hold_row good = a_hold(ANNA, AT(9, 0), AT(9, 30)), bad[7];
	size_t i;

	for (i = 0; i < 7; i++)
		bad[i] = good;
	bad[0].end_ms = bad[0].start_ms;
	bad[1].end_ms = bad[1].start_ms + 8 * DAY_MS;
	bad[2].holder = STR("");
	bad[3].resource = STR("");
	bad[4].state = HOLD_BOOKING; /* of no job */
	bad[5].capacity = 1000000;
	bad[6].state = HOLD_BOOKING;
	bad[6].job = id_new(); /* of one that is not stored */
	for (i = 0; i < 7; i++)
		assert_int_equal(take(f, &bad[i], 1), E_INVALID);
	assert_int_equal(hold_count(f), 0);
	good.capacity = 0; /* is 1 */
	assert_int_equal(take(f, &good, 1), 0);
	assert_int_equal(holds_of(f, TENANT, &i)->capacity, 1);
}

/* ---- the holder's own ----------------------------------------------------------------------- */

static void an_offer_is_renewed_and_another_one_takes_its_place(void **state)
{
	struct fixture *f = *state;
	struct hold_row first = a_hold(ANNA, AT(9, 0), AT(9, 30)), again = first, *rows;
	struct hold_row other = a_hold(ANNA, AT(9, 15), AT(9, 45));
	size_t count;

	assert_int_equal(take(f, &first, 1), 0);
	again.id = id_new();
	again.expires_ms += HOUR_MS;
	again.end_ms = AT(9, 40); /* longer than it was */
	assert_int_equal(take(f, &again, 1), 0);
	rows = holds_of(f, TENANT, &count);
	assert_int_equal(count, 1);
	assert_true(rows[0].expires_ms == again.expires_ms && rows[0].end_ms == AT(9, 40));
	assert_int_equal(take(f, &other, 1), 0);
	rows = holds_of(f, TENANT, &count);
	assert_int_equal(count, 1);
	assert_id(rows[0].id, other.id);
	first.id = id_new();
	first.holder = BERT;
	first.end_ms = AT(9, 15); /* what Anna has let go of is free again */
	assert_int_equal(take(f, &first, 1), 0);
}

static void a_time_being_booked_is_neither_offered_away_nor_booked_by_another_job(void **state)
{
	struct fixture *f = *state;
	struct job_row job = a_job(STR("")), second = a_job(STR(""));
	struct hold_row offer = a_hold(ANNA, AT(9, 0), AT(9, 30)), hold = offer, twin = offer;
	struct hold_row beside = a_hold(ANNA, AT(9, 15), AT(9, 45)), *rows;
	size_t count;

	assert_int_equal(take(f, &offer, 1), 0);
	hold.id = id_new();
	assert_int_equal(book(f, &job, &hold), 0); /* the offer became the booking's */
	offer.id = id_new();
	offer.expires_ms += HOUR_MS;
	assert_int_equal(take(f, &offer, 1), 0);
	twin.id = id_new();
	assert_int_equal(book(f, &second, &twin), E_TAKEN);
	assert_int_equal(take(f, &beside, 1), E_TAKEN);
	rows = holds_of(f, TENANT, &count);
	assert_int_equal(count, 1);
	assert_int_equal(rows[0].state, HOLD_BOOKING);
	assert_id(rows[0].job, job.id);
	assert_true(rows[0].expires_ms == offer.expires_ms);
}

/* ---- two at once ---------------------------------------------------------------------------- */

#define RACES 1000

struct racer {
	struct fixture *f;
	pthread_t thread;
	pthread_barrier_t *start;
	const char *name;
	int result[RACES];
};

/* Each race is for a resource of its own, the second one a quarter of an hour later. */
static void *race(void *arg)
{
	struct racer *racer = arg;
	char resource[32];
	unsigned i;

	for (i = 0; i < RACES; i++) {
		int64_t late = *racer->name == 'b' ? 15 * MINUTE_MS : 0;
		struct hold_row hold =
			a_hold(str_of(racer->name), AT(9, 0) + late, AT(9, 30) + late);

		snprintf(resource, sizeof(resource), "staff:%u", i);
		hold.resource = str_of(resource);
		pthread_barrier_wait(racer->start);
		racer->result[i] = take(racer->f, &hold, 1);
	}
	return NULL;
}

static void of_two_threads_that_want_one_cell_exactly_one_gets_it(void **state)
{
	struct fixture *f = *state;
	pthread_barrier_t start;
	struct racer racers[2] = {
		{.f = f, .start = &start, .name = "a"}, {.f = f, .start = &start, .name = "b"}};
	unsigned i;

	assert_int_equal(pthread_barrier_init(&start, NULL, 2), 0);
	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
	for (i = 0; i < 2; i++)
		pthread_join(racers[i].thread, NULL);
	pthread_barrier_destroy(&start);
	for (i = 0; i < RACES; i++) {
		int a = racers[0].result[i], b = racers[1].result[i];
		if (!((a == 0 && b == E_TAKEN) || (a == E_TAKEN && b == 0)))
			fail_msg("race %u: %d and %d", i, a, b);
	}
	assert_int_equal(hold_count(f), RACES);
}

/* ---- what frees ----------------------------------------------------------------------------- */

/* One offered and one being booked by Anna, one offered to Bert. */
static struct job_row three_holds(struct fixture *f)
{
	struct hold_row offers[] = {
		a_hold(ANNA, AT(9, 0), AT(9, 30)), a_hold(BERT, AT(10, 0), AT(10, 30))};
	struct hold_row booking = a_hold(ANNA, AT(11, 0), AT(11, 30));
	struct job_row job = a_job(STR(""));

	assert_int_equal(take(f, offers, 2), 0);
	assert_int_equal(book(f, &job, &booking), 0);
	assert_int_equal(hold_count(f), 3);
	return job;
}

static void hang_up(struct fixture *f, struct str dedupe)
{
	struct event_row event = an_event(dedupe);
	struct event_change change = {.row = &event, .frees = ANNA};
	struct store_finish_inbox op = {.inbox = append(f),
		.state = INBOX_DONE,
		.tenant = TENANT,
		.events = &change,
		.event_count = 1};

	event.inbox = op.inbox;
	assert_int_equal(finish_inbox_now(f, &op), 0);
}

static void hanging_up_frees_what_was_offered_and_not_what_is_being_booked(void **state)
{
	struct fixture *f = *state;
	struct hold_row *rows, again = a_hold(ANNA, AT(9, 0), AT(9, 30));
	size_t count;

	three_holds(f);
	hang_up(f, STR("evt-1"));
	rows = holds_of(f, TENANT, &count);
	assert_int_equal(count, 2);
	assert_str(rows[0].holder, "call:bert");
	assert_int_equal(rows[1].state, HOLD_BOOKING);
	assert_int_equal(take(f, &again, 1), 0);
	hang_up(f, STR("evt-1")); /* a repeat ends nothing */
	assert_int_equal(hold_count(f), 3);
}

static void a_job_that_ends_frees_the_times_it_was_to_book(void **state)
{
	static const struct {
		enum job_state state;
		bool sent;
		size_t left;
	} cases[] = {{JOB_DONE, false, 0}, {JOB_DROPPED, false, 0}, {JOB_DEAD, false, 0},
		{JOB_PARKED, false, 0}, {JOB_PARKED, true, 1}, {JOB_READY, false, 1},
		{JOB_READY, true, 1}, {JOB_WAITING, false, 1}};
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct hold_row hold = a_hold(ANNA, AT(9, 0), AT(9, 30));
		struct job_row job = a_job(STR(""));
		size_t count;

		hold.start_ms += (int64_t)i * HOUR_MS;
		hold.end_ms += (int64_t)i * HOUR_MS;
		assert_int_equal(book(f, &job, &hold), 0);
		job.sent = cases[i].sent;
		save(f, &job, cases[i].state);
		assert_int_equal(
			store_list_holds(NULL, f->reader, TENANT, hold.resource, hold.start_ms,
				hold.end_ms, 0, f->arena, &(struct hold_row *){NULL}, &count),
			0);
		if (count != cases[i].left)
			fail_msg("state %d: %zu holds are left", (int)cases[i].state, count);
	}
}

static void a_job_that_an_event_or_a_person_ends_frees_its_times_too(void **state)
{
	struct fixture *f = *state;
	struct job_row cancelled = a_job(STR("")), parked = a_job(STR(""));
	struct hold_row nine = a_hold(ANNA, AT(9, 0), AT(9, 30));
	struct hold_row ten = a_hold(ANNA, AT(10, 0), AT(10, 30));
	struct store_decide_job drop = {.verdict = VERDICT_DROP, .job = parked.id};

	cancelled.cancel_on = STR("call.ended");
	cancelled.subject = STR("call_1");
	assert_int_equal(book(f, &cancelled, &nine), 0);
	assert_int_equal(book(f, &parked, &ten), 0);
	parked.sent = true;
	save(f, &parked, JOB_PARKED);
	assert_int_equal(hold_count(f), 2);
	hang_up(f, STR("evt"));
	assert_int_equal(state_of(f, &cancelled), JOB_DROPPED);
	assert_int_equal(hold_count(f), 1);
	assert_int_equal(decide_job_now(f, &drop), 0);
	assert_int_equal(hold_count(f), 0);
}

/* The event that answers comes while the job is in hand: it goes on, with its times. */
static void a_job_that_was_answered_meanwhile_keeps_its_times_until_it_ends(void **state)
{
	struct fixture *f = *state;
	struct job_row job = a_job(STR(""));
	struct hold_row hold = a_hold(ANNA, AT(9, 0), AT(9, 30));
	struct event_row event = an_event(STR("evt"));
	struct event_change change = {.row = &event, .closes = STR("{\"uid\":\"b1\"}")};
	struct store_finish_inbox finish = {
		.state = INBOX_DONE, .tenant = TENANT, .events = &change, .event_count = 1};
	struct store_save_job mark = {.job = &job, .keep_claim = true};
	struct store_claim claimed;

	assert_int_equal(book(f, &job, &hold), 0);
	claimed = claim(f, 2000, 1);
	assert_int_equal(claimed.count, 1);
	job = claimed.claimed[0].job;
	job.key = event.regarding = STR("key-1");
	job.sent = true;
	assert_int_equal(save_job_now(f, &mark), 0);
	finish.inbox = append(f);
	assert_int_equal(finish_inbox_now(f, &finish), 0);
	job.sent = false;
	assert_true(save(f, &job, JOB_PARKED).closed);
	assert_int_equal(state_of(f, &job), JOB_READY);
	assert_int_equal(hold_count(f), 1);
	save(f, &job, JOB_DONE);
	assert_int_equal(hold_count(f), 0);
}

static void a_job_that_is_known_already_takes_no_times(void **state)
{
	struct fixture *f = *state;
	struct job_row job = a_job(STR("")), again = a_job(STR(""));
	struct hold_row nine = a_hold(ANNA, AT(9, 0), AT(9, 30));
	struct hold_row ten = a_hold(ANNA, AT(10, 0), AT(10, 30));

	job.dedupe = again.dedupe = STR("praxis-winter|book|1");
	assert_int_equal(book(f, &job, &nine), 0);
	assert_int_equal(book(f, &again, &ten), 0);
	assert_int_equal(again.state, 0);
	assert_int_equal(hold_count(f), 1);
}

static void freeing_takes_what_is_expired_and_what_a_holder_was_offered(void **state)
{
	struct fixture *f = *state;
	struct store_free_holds op = {.now_ms = clock_now_ms()};
	struct hold_row old = a_hold(CARL, AT(12, 0), AT(12, 30)), *rows;
	size_t count;

	three_holds(f);
	old.expires_ms = op.now_ms;
	assert_int_equal(take(f, &old, 1), 0);
	assert_int_equal(free_holds_now(f, &op), 0);
	assert_int_equal(op.freed, 1);
	op.tenant = OTHER;
	op.holder = ANNA;
	assert_int_equal(free_holds_now(f, &op), 0);
	assert_int_equal(op.freed, 0);
	op.tenant = TENANT;
	assert_int_equal(free_holds_now(f, &op), 0);
	assert_int_equal(op.freed, 1);
	assert_int_equal(store_list_holds_of(
				 NULL, f->reader, TENANT, ANNA, op.now_ms, f->arena, &rows, &count),
		0);
	assert_int_equal(count, 1);
	assert_int_equal(rows[0].state, HOLD_BOOKING);
	op.now_ms += 2 * HOUR_MS;
	assert_int_equal(free_holds_now(f, &op), 0);
	assert_int_equal(op.freed, 2); /* Anna's booking, Bert's offer */
}

/* ---- reading -------------------------------------------------------------------------------- */

static size_t between(struct fixture *f, struct str resource, int64_t from_ms, int64_t to_ms)
{
	struct hold_row *rows;
	size_t count;

	assert_int_equal(store_list_holds(NULL, f->reader, TENANT, resource, from_ms, to_ms,
				 clock_now_ms(), f->arena, &rows, &count),
		0);
	return count;
}

static void holds_are_found_by_whatever_they_overlap(void **state)
{
	struct fixture *f = *state;
	struct hold_row holds[] = {a_hold(ANNA, AT(9, 0), AT(9, 30)),
		a_hold(ANNA, AT(9, 30), AT(10, 0)), a_hold(ANNA, AT(8, 0), AT(8, 0) + 7 * DAY_MS)};

	holds[2].resource = STR("room:1");
	assert_int_equal(take(f, holds, 3), 0);
	assert_int_equal(between(f, STR(""), AT(9, 0), AT(9, 30)), 2);
	assert_int_equal(between(f, STR(""), AT(9, 29), AT(9, 31)), 3);
	assert_int_equal(between(f, STR("staff:Dr. Petersen"), AT(9, 29), AT(9, 31)), 2);
	assert_int_equal(between(f, STR("room:1"), AT(7, 0) + 7 * DAY_MS, FOREVER), 1);
	assert_int_equal(between(f, STR("room:1"), AT(8, 0) + 7 * DAY_MS, FOREVER), 0);
	assert_int_equal(between(f, STR("room:1"), 0, AT(8, 0)), 0);
	assert_int_equal(between(f, STR("room"), 0, FOREVER), 0);
}

static void holds_survive_a_restart(void **state)
{
	struct fixture *f = *state;
	struct hold_row late = a_hold(BERT, AT(11, 15), AT(11, 45));
	struct job_row job = three_holds(f);

	reopen(f);
	assert_int_equal(hold_count(f), 3);
	assert_int_equal(take(f, &late, 1), E_TAKEN);
	save(f, &job, JOB_DONE);
	assert_int_equal(take(f, &late, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(overlapping_times_of_one_resource_collide_wherever_they_come_from),
		STORE_TEST(an_operation_whose_time_is_taken_leaves_nothing),
		STORE_TEST(a_resource_of_two_takes_two_and_not_three),
		STORE_TEST(times_that_share_a_cell_collide_though_they_do_not_touch),
		STORE_TEST(what_is_expired_does_not_stand_in_the_way),
		STORE_TEST(a_hold_that_makes_no_sense_is_refused),
		STORE_TEST(an_offer_is_renewed_and_another_one_takes_its_place),
		STORE_TEST(a_time_being_booked_is_neither_offered_away_nor_booked_by_another_job),
		STORE_TEST(of_two_threads_that_want_one_cell_exactly_one_gets_it),
		STORE_TEST(hanging_up_frees_what_was_offered_and_not_what_is_being_booked),
		STORE_TEST(a_job_that_ends_frees_the_times_it_was_to_book),
		STORE_TEST(a_job_that_an_event_or_a_person_ends_frees_its_times_too),
		STORE_TEST(a_job_that_was_answered_meanwhile_keeps_its_times_until_it_ends),
		STORE_TEST(a_job_that_is_known_already_takes_no_times),
		STORE_TEST(freeing_takes_what_is_expired_and_what_a_holder_was_offered),
		STORE_TEST(holds_are_found_by_whatever_they_overlap),
		STORE_TEST(holds_survive_a_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
