/* What came is counted once, in its commit; what became of it is counted from the rows. */
#include "store_fixture.h"
#include "store_plan.h"

#include "base/error.h"
#include "store/reader.h"

WAITED(save_receipt)

#define DAY_MS (INT64_C(24) * 60 * 60 * 1000)
#define OTHER STR("praxis-sommer")

static struct receipt_counts counts_of(
	struct fixture *f, struct str tenant, int64_t from_ms, int64_t to_ms)
{
	struct receipt_day day = {.tenant = tenant, .from_ms = from_ms, .to_ms = to_ms};
	struct error error = {0};

	if (store_count_receipts(&error, f->reader, &day, 1) != 0)
		fail_msg("%s", error.text);
	return day.counts;
}

static struct receipt_counts first_day(struct fixture *f, struct str tenant)
{
	return counts_of(f, tenant, 0, DAY_MS);
}

static bool tell(struct fixture *f, struct str dedupe, struct str tenant, struct job_row *jobs,
	size_t count, enum inbox_state state)
{
	struct event_row row = an_event(dedupe);
	struct event_change change = {.row = &row, .jobs = jobs, .job_count = count};
	struct store_finish_inbox op = {.inbox = append(f),
		.state = state,
		.tenant = tenant,
		.events = &change,
		.event_count = 1};

	row.tenant = tenant;
	for (size_t i = 0; i < count; i++) {
		jobs[i].tenant = tenant;
		jobs[i].event = row.id;
	}
	if (finish_inbox_now(f, &op) != 0)
		fail_msg("%s", op.op.error.text);
	return change.repeat;
}

static void every_fate_has_its_place_and_both_sides_agree(void **state)
{
	static const enum job_state fates[] = {
		JOB_DONE, JOB_PARKED, JOB_DEAD, JOB_WAITING, JOB_DROPPED, JOB_READY};
	static const char *const names[] = {"1", "2", "3", "4", "5", "6"};
	struct fixture *f = *state;
	struct receipt_counts c;

	for (size_t i = 0; i < 6; i++) {
		struct job_row jobs[2] = {a_job(STR("")), a_job(STR(""))};
		assert_false(tell(f, str_of(names[i]), TENANT, jobs, 2, INBOX_DONE));
		save(f, &jobs[0], JOB_DONE);
		save(f, &jobs[1], fates[i]);
	}
	assert_false(tell(f, STR("nobody wants it"), TENANT, NULL, 0, INBOX_DONE));
	assert_true(tell(f, STR("1"), TENANT, NULL, 0, INBOX_DONE));
	append(f);
	c = first_day(f, TENANT);
	assert_int_equal(c.webhooks.in, 9);
	assert_int_equal(c.webhooks.read, 8);
	assert_int_equal(c.webhooks.waiting, 1);
	assert_int_equal(c.events.in, 7);
	assert_int_equal(c.events.repeats, 1);
	assert_int_equal(c.events.filtered, 1);
	assert_int_equal(c.events.done, 2); /* one of its jobs was dropped, the other is done */
	assert_int_equal(c.events.parked, 1);
	assert_int_equal(c.events.dead, 1);
	assert_int_equal(c.events.waiting, 2);
	assert_int_equal(c.jobs.in, 12);
	assert_int_equal(c.jobs.done, 7);
	assert_int_equal(c.jobs.waiting, 2);
	assert_int_equal(c.jobs.dropped, 1);
	assert_true(receipt_balanced(&c));
}

static void a_row_that_is_lost_is_missed(void **state)
{
	struct fixture *f = *state;
	struct receipt_counts c;

	tell(f, STR("1"), TENANT, NULL, 0, INBOX_DONE);
	tell(f, STR("2"), TENANT, NULL, 0, INBOX_DONE);
	c = first_day(f, TENANT);
	assert_true(receipt_balanced(&c));
	assert_int_equal(sqlite3_exec(f->store->conn.db, "DELETE FROM event WHERE dedupe = '1'",
				 NULL, NULL, NULL),
		SQLITE_OK);
	c = first_day(f, TENANT);
	assert_int_equal(c.events.in, 2);
	assert_int_equal(c.events.filtered, 1);
	assert_false(receipt_balanced(&c));
}

static void tenants_are_counted_apart(void **state)
{
	struct fixture *f = *state;
	struct job_row job = a_job(STR(""));
	struct receipt_counts c;

	tell(f, STR("1"), TENANT, NULL, 0, INBOX_DONE);
	tell(f, STR("2"), OTHER, &job, 1, INBOX_DONE);
	c = first_day(f, OTHER);
	assert_int_equal(c.events.in, 1);
	assert_int_equal(c.events.waiting, 1);
	assert_int_equal(c.jobs.in, 1);
	assert_int_equal(c.webhooks.in, 0); /* they came by the connection of the first */
	c = first_day(f, TENANT);
	assert_int_equal(c.events.in, 1);
	assert_int_equal(c.webhooks.in, 2);
	assert_int_equal(c.jobs.in, 0);
}

static int count_steps(void *user)
{
	(*(long *)user)++;
	return 0;
}

static long steps_of(struct fixture *f, struct receipt_day *days, size_t count)
{
	long steps = 0;

	sqlite3_progress_handler(f->reader->conn.db, 1, count_steps, &steps);
	assert_int_equal(store_count_receipts(NULL, f->reader, days, count), 0);
	sqlite3_progress_handler(f->reader->conn.db, 0, NULL, NULL);
	return steps;
}

/* Two hundred offices' days cost hardly more than one's, and each is counted as it is alone; a day
 * that is asked for twice, too. */
static void many_tenants_are_counted_in_one_go(void **state)
{
	static struct receipt_day days[202];
	static char names[200][16];
	struct fixture *f = *state;
	long alone, all;
	size_t met = 0;

	for (int i = 0; i < 300; i++) {
		struct job_row job = a_job(STR(""));
		char dedupe[16];
		snprintf(dedupe, sizeof(dedupe), "e%d", i);
		job.state = JOB_DONE;
		tell(f, str_of(dedupe), i % 3 ? TENANT : OTHER, &job, 1, INBOX_DONE);
	}
	days[0] = (struct receipt_day){.tenant = TENANT, .to_ms = DAY_MS};
	alone = steps_of(f, days, 1);
	for (size_t i = 0; i < 200; i++) {
		snprintf(names[i], sizeof(names[i]), "q%03zu", (i * 77) % 200);
		days[i] = (struct receipt_day){.tenant = str_of(names[i]), .to_ms = DAY_MS};
	}
	days[7] = days[200] = (struct receipt_day){.tenant = TENANT, .to_ms = DAY_MS};
	days[201] = (struct receipt_day){.tenant = OTHER, .to_ms = DAY_MS};
	all = steps_of(f, days, 202);
	for (size_t i = 0; i < 202; i++) {
		struct receipt_counts c = first_day(f, days[i].tenant);
		assert_memory_equal(&days[i].counts, &c, sizeof(c));
		assert_true(receipt_balanced(&c));
		met += c.events.in > 0;
	}
	assert_int_equal(met, 3);
	if (all > 4 * alone + 202 * 100)
		fail_msg("%ld steps for 202 days, %ld for one", all, alone);
}

static void days_end_at_a_quarter_of_an_hour(void **state)
{
	struct fixture *f = *state;
	struct inbox_row row = an_inbox_row();
	struct store_append_inbox op = {.row = &row};
	static const int64_t at[] = {-1, 0, TALLY_MS - 1, TALLY_MS};
	struct receipt_counts c;

	for (int i = 0; i < 4; i++) {
		row.id = id_new();
		row.received_ms = 100 * DAY_MS + at[i];
		assert_int_equal(append_inbox_now(f, &op), 0);
	}
	c = counts_of(f, TENANT, 100 * DAY_MS, 100 * DAY_MS + TALLY_MS);
	assert_int_equal(c.webhooks.in, 2);
	assert_int_equal(c.webhooks.waiting, 2);
}

/* What fails in the middle of a group is not counted, and what is with it is counted once. */
static void what_was_not_stored_is_not_counted(void **state)
{
	enum { N = 60 };
	struct fixture *f = *state;
	struct inbox_row rows[N];
	struct store_append_inbox ops[N];
	struct receipt_counts c;
	struct waiter waiter;
	int failed = 0;

	waiter_init(&waiter, N);
	memset(ops, 0, sizeof(ops));
	for (int i = 0; i < N; i++) {
		rows[i] = an_inbox_row();
		if (i % 3 == 2)
			rows[i].id = rows[i - 1].id; /* is there already */
		ops[i].row = &rows[i];
		ops[i].op.done = waiter_done;
		ops[i].op.user = &waiter;
		store_append_inbox(f->store, &ops[i]);
	}
	waiter_wait(&waiter);
	for (int i = 0; i < N; i++)
		failed += ops[i].op.result != 0;
	c = first_day(f, TENANT);
	assert_int_equal(failed, N / 3);
	assert_int_equal(c.webhooks.in, N - N / 3);
	assert_true(receipt_balanced(&c));
}

/* Its job was stored before it turned out that the time is taken. */
static void what_was_undone_is_not_counted(void **state)
{
	struct fixture *f = *state;
	struct receipt_counts c;

	for (int i = 0; i < 2; i++) {
		struct job_row job = a_job(STR(""));
		struct hold_row hold = {.id = id_new(),
			.tenant = TENANT,
			.holder = i ? STR("call:2") : STR("call:1"),
			.resource = STR("staff:Dr. Petersen"),
			.event_type = STR("1"),
			.start_ms = 100 * DAY_MS,
			.end_ms = 100 * DAY_MS + HOLD_CELL_MS,
			.expires_ms = clock_now_ms() + DAY_MS,
			.capacity = 1,
			.state = HOLD_BOOKING,
			.job = job.id};
		struct store_add_jobs op = {
			.jobs = &job, .job_count = 1, .holds = &hold, .hold_count = 1};
		assert_int_equal(add_jobs_now(f, &op), i ? E_TAKEN : 0);
	}
	c = first_day(f, TENANT);
	assert_int_equal(c.jobs.in, 1);
	assert_int_equal(c.jobs.waiting, 1);
}

static void one_row_for_a_quarter_of_an_hour(void **state)
{
	struct fixture *f = *state;
	sqlite3_stmt *stmt;

	for (int i = 0; i < 20; i++)
		append(f);
	assert_int_equal(sqlite3_prepare_v2(
				 f->reader->conn.db, "SELECT count(*) FROM tally", -1, &stmt, NULL),
		SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	assert_int_equal(sqlite3_column_int64(stmt, 0), 1);
	sqlite3_finalize(stmt);
}

static void effects_are_those_of_the_day(void **state)
{
	static const struct {
		const char *name, *outcome;
		enum attempt_kind kind;
	} steps[] = {{"calendar.book", "done", ATTEMPT_STEP},
		{"calendar.book", "done, an event told", ATTEMPT_STEP},
		{"calendar.book", "conflict", ATTEMPT_STEP},
		{"calendar.book", "done", ATTEMPT_REQUEST}, {"desk.book", "done", ATTEMPT_STEP},
		{"whatsapp.send", "done, looked up", ATTEMPT_STEP},
		{"whatsapp.send", "unknown", ATTEMPT_STEP}};
	struct fixture *f = *state;
	struct job_row job = a_job(STR(""));
	struct attempt_row attempts[7];
	struct store_save_job op = {.job = &job, .attempts = attempts, .attempt_count = 7};
	struct receipt_counts c;

	memset(attempts, 0, sizeof(attempts));
	for (int i = 0; i < 7; i++)
		attempts[i] = (struct attempt_row){.id = id_new(),
			.kind = steps[i].kind,
			.name = str_of(steps[i].name),
			.outcome = str_of(steps[i].outcome),
			.started_ms = 1000};
	add(f, &job, 1);
	job.state = JOB_DONE;
	assert_int_equal(save_job_now(f, &op), 0);
	c = first_day(f, TENANT);
	assert_int_equal(c.bookings, 2);
	assert_int_equal(c.messages, 1);
	assert_int_equal(c.unknowns, 1);
	assert_int_equal(first_day(f, OTHER).bookings, 0);
	assert_int_equal(counts_of(f, TENANT, DAY_MS, 2 * DAY_MS).messages, 0);
}

static void a_receipt_is_made_once_and_read_by_its_tenant(void **state)
{
	struct fixture *f = *state;
	struct receipt_row row = {
		.tenant = TENANT, .day = 100, .made_ms = 5, .data = STR("{\"a\":0}")};
	struct store_save_receipt op = {.row = &row};
	struct receipt_row *rows;
	size_t count;

	assert_int_equal(save_receipt_now(f, &op), 0);
	row.data = STR("{\"a\":2}");
	row.balanced = false;
	assert_int_equal(save_receipt_now(f, &op), 0);
	row.data = STR("{\"a\":1}");
	row.balanced = true;
	row.made_ms = 4; /* the other one was made by a clock that was wrong */
	assert_int_equal(save_receipt_now(f, &op), 0);
	row.tenant = OTHER;
	row.day = 101;
	assert_int_equal(save_receipt_now(f, &op), 0);
	assert_int_equal(
		store_list_receipts(NULL, f->reader, STR(""), 0, 1000, f->arena, &rows, &count), 0);
	assert_int_equal(count, 2);
	assert_int_equal(rows[0].day, 101);
	assert_int_equal(
		store_list_receipts(NULL, f->reader, TENANT, 100, 100, f->arena, &rows, &count), 0);
	assert_int_equal(count, 1);
	assert_str(rows[0].data, "{\"a\":1}");
	assert_true(rows[0].balanced);
	assert_int_equal(
		store_list_receipts(NULL, f->reader, TENANT, 101, 101, f->arena, &rows, &count), 0);
	assert_int_equal(count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(every_fate_has_its_place_and_both_sides_agree),
		STORE_TEST(a_row_that_is_lost_is_missed),
		STORE_TEST(tenants_are_counted_apart),
		STORE_TEST(many_tenants_are_counted_in_one_go),
		STORE_TEST(days_end_at_a_quarter_of_an_hour),
		STORE_TEST(what_was_not_stored_is_not_counted),
		STORE_TEST(what_was_undone_is_not_counted),
		STORE_TEST(one_row_for_a_quarter_of_an_hour),
		STORE_TEST(effects_are_those_of_the_day),
		STORE_TEST(a_receipt_is_made_once_and_read_by_its_tenant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
