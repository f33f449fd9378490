/* The store's rows: what was acknowledged is there, whole, once. */
#include "store_fixture.h"

static void a_raw_row_comes_back_as_it_came(void **state)
{
	struct fixture *f = *state;
	struct store_pending_inbox op = {.arena = f->arena, .limit = 10};
	struct id id = append(f);

	assert_int_equal(pending_inbox_now(f, &op), 0);
	assert_int_equal(op.count, 1);
	assert_id(op.rows[0].id, id);
	assert_str(op.rows[0].body, "{\"event\":\"call_ended\",\"name\":\"Erika Mustermann\"}");
	assert_str(op.rows[0].headers, "[[\"x-signature\",\"v=1\"]]");
	assert_str(op.rows[0].connection, "praxis-winter/phone");
	assert_int_equal(op.rows[0].state, INBOX_NEW);
	assert_int_equal(op.rows[0].received_ms, 1000);
}

static void pending_rows_come_oldest_first_page_by_page_and_survive_a_restart(void **state)
{
	struct fixture *f = *state;
	struct id ids[5];
	struct store_pending_inbox op = {.arena = f->arena, .limit = 3};
	struct store_finish_inbox finish = {.state = INBOX_DONE};
	size_t i;

	for (i = 0; i < 5; i++)
		ids[i] = append(f);
	finish.inbox = ids[1];
	assert_int_equal(finish_inbox_now(f, &finish), 0);
	reopen(f);
	assert_int_equal(pending_inbox_now(f, &op), 0);
	assert_int_equal(op.count, 3);
	assert_id(op.rows[0].id, ids[0]);
	assert_id(op.rows[1].id, ids[2]);
	assert_id(op.rows[2].id, ids[3]);
	op.after = op.rows[2].id;
	assert_int_equal(pending_inbox_now(f, &op), 0);
	assert_int_equal(op.count, 1);
	assert_id(op.rows[0].id, ids[4]);
}

static void the_same_id_twice_is_a_conflict_and_takes_nothing_with_it(void **state)
{
	struct fixture *f = *state;
	struct inbox_row row = an_inbox_row(), other = an_inbox_row();
	struct store_append_inbox ops[3] = {{.row = &row}, {.row = &row}, {.row = &other}};
	struct store_pending_inbox pending = {.arena = f->arena, .limit = 10};
	struct waiter waiter;
	int i;

	waiter_init(&waiter, 3);
	for (i = 0; i < 3; i++) {
		ops[i].op.user = &waiter;
		ops[i].op.done = waiter_done;
		store_append_inbox(f->store, &ops[i]);
	}
	waiter_wait(&waiter);
	assert_int_equal(ops[0].op.result, 0);
	assert_int_equal(ops[1].op.result, E_CONFLICT);
	assert_int_equal(ops[2].op.result, 0);
	assert_int_equal(pending_inbox_now(f, &pending), 0);
	assert_int_equal(pending.count, 2);
}

static void a_repeated_event_stores_nothing_of_its_change(void **state)
{
	struct fixture *f = *state;
	struct event_row first = an_event(STR("evt-1")), again = an_event(STR("evt-1"));
	struct job_row job = a_job(STR("")), twin = a_job(STR(""));
	struct event_change change = {.row = &first, .jobs = &job, .job_count = 1};
	struct store_finish_inbox op = {
		.state = INBOX_DONE, .tenant = TENANT, .events = &change, .event_count = 1};
	struct store_counts counts;

	op.inbox = first.inbox = append(f);
	job.event = first.id;
	assert_int_equal(finish_inbox_now(f, &op), 0);
	assert_false(change.repeat);
	assert_int_equal(job.state, JOB_READY);
	change = (struct event_change){.row = &again, .jobs = &twin, .job_count = 1};
	op.inbox = again.inbox = append(f);
	twin.event = again.id;
	assert_int_equal(finish_inbox_now(f, &op), 0);
	assert_true(change.repeat);
	assert_int_equal(twin.state, 0);
	assert_int_equal(store_count(NULL, f->reader, &counts), 0);
	assert_int_equal(counts.events, 1);
	assert_int_equal(counts.jobs[JOB_READY], 1);
	assert_int_equal(counts.inbox_new, 0);
}

static void an_event_without_dedupe_is_never_a_repeat(void **state)
{
	struct fixture *f = *state;
	struct event_row rows[2] = {an_event(STR("")), an_event(STR(""))};
	struct event_change changes[2] = {{.row = &rows[0]}, {.row = &rows[1]}};
	struct store_finish_inbox op = {.state = INBOX_DONE, .events = changes, .event_count = 2};

	op.inbox = append(f);
	assert_int_equal(finish_inbox_now(f, &op), 0);
	assert_false(changes[0].repeat);
	assert_false(changes[1].repeat);
}

static void finishing_twice_is_a_conflict_and_an_unknown_row_is_not_found(void **state)
{
	struct fixture *f = *state;
	struct store_finish_inbox op = {.state = INBOX_DONE};
	struct store_replay_inbox replay = {0};

	op.inbox = id_new();
	assert_int_equal(finish_inbox_now(f, &op), E_NOTFOUND);
	op.inbox = replay.inbox = append(f);
	assert_int_equal(replay_inbox_now(f, &replay), E_CONFLICT);
	assert_int_equal(finish_inbox_now(f, &op), 0);
	assert_int_equal(finish_inbox_now(f, &op), E_CONFLICT);
	assert_int_equal(replay_inbox_now(f, &replay), 0);
	assert_int_equal(finish_inbox_now(f, &op), 0);
}

static void an_operation_that_fails_half_way_leaves_nothing_and_the_others_stay(void **state)
{
	struct fixture *f = *state;
	struct event_row good = an_event(STR("good")), bad = an_event(STR("bad"));
	struct event_change changes[2] = {{.row = &good}, {.row = &bad}};
	struct store_finish_inbox op = {.state = INBOX_DONE, .events = changes, .event_count = 2};
	struct inbox_row row = an_inbox_row();
	struct store_append_inbox other = {.row = &row};
	struct store_counts counts;
	struct waiter waiter;

	op.inbox = append(f);
	bad.job = id_new(); /* no such job */
	waiter_init(&waiter, 2);
	op.op.user = other.op.user = &waiter;
	op.op.done = other.op.done = waiter_done;
	store_append_inbox(f->store, &other);
	store_finish_inbox(f->store, &op);
	waiter_wait(&waiter);
	assert_int_equal(op.op.result, E_INVALID);
	assert_int_equal(other.op.result, 0);
	assert_int_equal(store_count(NULL, f->reader, &counts), 0);
	assert_int_equal(counts.events, 0);
	assert_int_equal(counts.inbox_new, 2);
}

static void a_row_without_tenant_is_refused_but_the_inbox_takes_it(void **state)
{
	struct fixture *f = *state;
	struct job_row job = a_job(STR(""));
	struct store_add_jobs op = {.jobs = &job, .job_count = 1};

	job.tenant = STR("");
	assert_int_equal(add_jobs_now(f, &op), E_INVALID);
	assert_non_null(strstr(op.op.error.text, "tenant"));
	append(f); /* has none */
}

static void generations_are_numbered_by_their_text(void **state)
{
	struct fixture *f = *state;
	struct store_save_generation a = {.text = STR("[host]\n")},
				     b = {.text = STR("[tenant x]\n")};
	struct str text;

	assert_int_equal(save_generation_now(f, &a), 0);
	assert_int_equal(save_generation_now(f, &b), 0);
	assert_int_not_equal(a.generation, b.generation);
	b.text = STR("[host]\n");
	assert_int_equal(save_generation_now(f, &b), 0);
	assert_int_equal(b.generation, a.generation);
	assert_int_equal(store_get_generation(NULL, f->reader, a.generation, f->arena, &text), 0);
	assert_str(text, "[host]\n");
	assert_int_equal(store_get_generation(NULL, f->reader, 99, f->arena, &text), E_NOTFOUND);
}

static void breakers_survive_a_restart(void **state)
{
	struct fixture *f = *state;
	struct breaker_row row = {.key = STR("cal"), .state = STR("open"), .until_ms = 7}, *rows;
	struct store_save_breaker op = {.row = &row};
	size_t count;

	assert_int_equal(save_breaker_now(f, &op), 0);
	row.state = STR("half-open");
	row.failures = 3;
	assert_int_equal(save_breaker_now(f, &op), 0);
	reopen(f);
	assert_int_equal(store_list_breakers(NULL, f->reader, f->arena, &rows, &count), 0);
	assert_int_equal(count, 1);
	assert_str(rows[0].state, "half-open");
	assert_int_equal(rows[0].failures, 3);
}

/* Writer's thread. */
struct sequence {
	struct waiter waiter;
	const struct store_op *done[6];
	unsigned count;
};

static void note_turn(struct store_op *op)
{
	struct sequence *sequence = op->user;
	struct store_op waited = {.user = &sequence->waiter};

	sequence->done[sequence->count++] = op;
	waiter_done(&waited);
}

static void who_is_on_the_line_goes_first_and_in_order(void **state)
{
	struct fixture *f = *state;
	static const bool urgent[6] = {false, true, false, true, true, false};
	static const unsigned turn[6] = {1, 3, 4, 0, 2, 5};
	struct store_append_inbox op[6] = {0};
	struct inbox_row row[6];
	struct sequence sequence = {.count = 0};

	waiter_init(&sequence.waiter, 6);
	store_cork(f->store);
	for (unsigned i = 0; i < 6; i++) {
		row[i] = an_inbox_row();
		op[i].row = &row[i];
		op[i].op.done = note_turn;
		op[i].op.user = &sequence;
		op[i].op.urgent = urgent[i];
		store_append_inbox(f->store, &op[i]);
	}
	store_uncork(f->store);
	waiter_wait(&sequence.waiter);
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(op[i].op.result, 0);
		assert_ptr_equal(sequence.done[i], &op[turn[i]].op);
	}
}

/* A backlog of large bodies is read as far as memory goes, and on from there. */
static void pending_rows_that_do_not_fit_come_with_the_next_call(void **state)
{
	struct fixture *f = *state;
	struct arena *little = arena_create(65536);
	struct store_pending_inbox op = {.arena = little, .limit = 40};
	struct inbox_row row = an_inbox_row();
	struct store_append_inbox append_op = {.row = &row};
	size_t seen = 0, calls = 0;
	struct id ids[20];

	row.body = (struct str){arena_alloc(f->arena, 10000), 10000};
	for (size_t i = 0; i < 20; i++) {
		ids[i] = row.id = id_new();
		assert_int_equal(append_inbox_now(f, &append_op), 0);
	}
	do {
		assert_int_equal(pending_inbox_now(f, &op), 0);
		assert_in_range(op.count, 1, 6);
		for (size_t i = 0; i < op.count; i++, seen++) {
			assert_id(op.rows[i].id, ids[seen]);
			assert_int_equal(op.rows[i].body.len, 10000);
		}
		op.after = op.rows[op.count - 1].id;
		arena_reset(little);
		calls++;
	} while (op.more);
	assert_int_equal(seen, 20);
	assert_in_range(calls, 4, 20);
	arena_destroy(little);
	op = (struct store_pending_inbox){.arena = arena_create(9000), .limit = 1};
	assert_int_equal(pending_inbox_now(f, &op), E_NOMEM); /* not even the first one */
	arena_destroy(op.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(a_raw_row_comes_back_as_it_came),
		STORE_TEST(pending_rows_come_oldest_first_page_by_page_and_survive_a_restart),
		STORE_TEST(pending_rows_that_do_not_fit_come_with_the_next_call),
		STORE_TEST(the_same_id_twice_is_a_conflict_and_takes_nothing_with_it),
		STORE_TEST(a_repeated_event_stores_nothing_of_its_change),
		STORE_TEST(an_event_without_dedupe_is_never_a_repeat),
		STORE_TEST(finishing_twice_is_a_conflict_and_an_unknown_row_is_not_found),
		STORE_TEST(an_operation_that_fails_half_way_leaves_nothing_and_the_others_stay),
		STORE_TEST(a_row_without_tenant_is_refused_but_the_inbox_takes_it),
		STORE_TEST(generations_are_numbered_by_their_text),
		STORE_TEST(breakers_survive_a_restart),
		STORE_TEST(who_is_on_the_line_goes_first_and_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
