/* Many at once: threads, groups, a backlog that costs nothing, a log that stays small. */
#include "store_file.h"
#include "store_plan.h"

#include <sys/resource.h>
#include <signal.h>

#include "store/engine.h"
#include "store/reader.h"

/* ---- threads ----------------------------------------------------------------------------------
 */

#define THREADS 8
#define EACH 200

struct client {
	struct fixture *f;
	pthread_t thread;
	unsigned number;
	int failed;
};

/* Two rows of the same dedupe, from whichever threads, make one event. */
static void *submit_many(void *arg)
{
	struct client *client = arg;
	char dedupe[32];
	unsigned i;

	for (i = 0; i < EACH; i++) {
		struct inbox_row row = an_inbox_row();
		struct store_append_inbox in = {.row = &row};
		struct event_row event = an_event(STR(""));
		struct job_row job = a_job(STR("one key for all"));
		struct event_change change = {.row = &event, .jobs = &job, .job_count = 1};
		struct store_finish_inbox done = {.inbox = row.id,
			.state = INBOX_DONE,
			.tenant = TENANT,
			.events = &change,
			.event_count = 1};

		snprintf(dedupe, sizeof(dedupe), "event %u of pair %u", i, client->number / 2);
		event.dedupe = str_of(dedupe);
		job.event = event.id;
		client->failed |= append_inbox_now(client->f, &in);
		client->failed |= finish_inbox_now(client->f, &done);
	}
	return NULL;
}

static void eight_threads_at_once_lose_and_double_nothing(void **state)
{
	struct fixture *f = *state;
	struct client clients[THREADS];
	struct store_counts counts;
	unsigned i;

	for (i = 0; i < THREADS; i++) {
		clients[i] = (struct client){.f = f, .number = i};
		assert_int_equal(
			pthread_create(&clients[i].thread, NULL, submit_many, &clients[i]), 0);
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(clients[i].thread, NULL);
		assert_int_equal(clients[i].failed, 0);
	}
	assert_int_equal(store_count(NULL, f->reader, &counts), 0);
	assert_int_equal(counts.inbox_new, 0);
	assert_int_equal(counts.events, THREADS * EACH / 2);
	assert_int_equal(counts.jobs[JOB_READY], 1);
	assert_int_equal(counts.jobs[JOB_QUEUED], THREADS * EACH / 2 - 1);
}

struct order {
	struct waiter waiter;
	unsigned next;
	bool wrong;
};

struct numbered {
	struct store_append_inbox op;
	struct inbox_row row;
	unsigned number;
	struct order *order;
};

static void check_order(struct store_op *op)
{
	struct numbered *numbered = (struct numbered *)op;

	numbered->order->wrong |= numbered->number != numbered->order->next++;
	op->user = &numbered->order->waiter;
	waiter_done(op);
}

static void operations_of_one_thread_are_done_in_their_order(void **state)
{
	enum { N = 2000 };
	struct fixture *f = *state;
	struct numbered *all = calloc(N, sizeof(*all));
	struct order order = {.next = 0};
	unsigned i;

	waiter_init(&order.waiter, N);
	for (i = 0; i < N; i++) {
		all[i] = (struct numbered){.row = an_inbox_row(), .number = i, .order = &order};
		all[i].op.row = &all[i].row;
		all[i].op.op.done = check_order;
		store_append_inbox(f->store, &all[i].op);
	}
	waiter_wait(&order.waiter);
	assert_false(order.wrong);
	for (i = 0; i < N; i++)
		assert_int_equal(all[i].op.op.result, 0);
	free(all);
}

static void closing_commits_what_was_submitted(void **state)
{
	enum { N = 1000 };
	struct fixture *f = *state;
	struct numbered *all = calloc(N, sizeof(*all));
	struct order order = {.next = 0};
	struct store_counts counts;
	unsigned i;

	waiter_init(&order.waiter, N);
	for (i = 0; i < N; i++) {
		all[i] = (struct numbered){.row = an_inbox_row(), .number = i, .order = &order};
		all[i].op.row = &all[i].row;
		all[i].op.op.done = check_order;
		store_append_inbox(f->store, &all[i].op);
	}
	store_close(f->store);
	assert_int_equal(order.waiter.left, 0);
	waiter_wait(&order.waiter);
	open_store(f);
	assert_int_equal(store_count(NULL, f->reader, &counts), 0);
	assert_int_equal(counts.inbox_new, N);
	free(all);
}

/* ---- a backlog --------------------------------------------------------------------------------
 */

static void fill_backlog(struct fixture *f, size_t count, struct str order_key)
{
	struct job_row *jobs = calloc(count, sizeof(*jobs));
	size_t i;

	for (i = 0; i < count; i++) {
		jobs[i] = a_job(order_key);
		jobs[i].due_ms = 1000 + (int64_t)(i % 7);
		jobs[i].subject = STR("b1");
	}
	add(f, jobs, count);
	free(jobs);
}

/* Work of the kept statements since the last call: rows scanned or sorted without an index, and
 * steps of SQLite's machine in all. Asking for the counters clears them. */
static long steps(struct fixture *f, bool *scanned)
{
	sqlite3_stmt *stmt = NULL;
	long sum = 0;

	*scanned = false;
	while ((stmt = sqlite3_next_stmt(f->store->conn.db, stmt))) {
		sum += sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_VM_STEP, 1);
		if (sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_FULLSCAN_STEP, 1) > 0 ||
			sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_SORT, 1) > 0) {
			print_error("scans or sorts: %s\n", sqlite3_sql(stmt));
			*scanned = true;
		}
	}
	return sum;
}

/* One of everything that happens all the time. */
static long work(struct fixture *f, const char *dedupe)
{
	struct store_claim claimed = claim(f, 2000, 3);
	struct event_row event = an_event(str_of(dedupe));
	struct job_row job = a_job(STR("the key"));
	struct event_change change = {
		.row = &event, .jobs = &job, .job_count = 1, .closes = STR("true")};
	struct store_finish_inbox finish = {.inbox = append(f),
		.state = INBOX_DONE,
		.tenant = TENANT,
		.events = &change,
		.event_count = 1,
		.claim = true};
	bool scanned;
	long sum;

	event.regarding = STR("key-1");
	assert_int_equal(finish_inbox_now(f, &finish), 0);
	assert_int_equal(claimed.count, 3);
	save(f, &claimed.claimed[0].job, JOB_DONE);
	save(f, &claimed.claimed[1].job, JOB_DEAD);
	save(f, &claimed.claimed[2].job, JOB_PARKED);
	sum = steps(f, &scanned);
	assert_false(scanned);
	return sum;
}

static void a_backlog_of_100000_jobs_costs_nothing(void **state)
{
	struct fixture *f = *state;
	long small, big;
	bool scanned;

	fill_backlog(f, 20, STR(""));
	fill_backlog(f, 20, STR("the key"));
	steps(f, &scanned);
	work(f, "first");
	small = work(f, "second");
	fill_backlog(f, 50000, STR(""));
	fill_backlog(f, 50000, STR("the key"));
	steps(f, &scanned);
	big = work(f, "third");
	/* The claims in our hands are the same; only trees are deeper, which is not a step. */
	if (big > small + small / 2)
		fail_msg("%ld steps with a backlog, %ld without", big, small);
}

/* What a start does for jobs that may have waited for what is mended now. */
static long hasten_all(struct fixture *f)
{
	static const char *const fails[] = {"plugin", "bad auth", ""};
	struct store_hasten_jobs ops[3];
	struct waiter waiter;
	bool scanned;
	long sum;

	waiter_init(&waiter, 3);
	for (int i = 0; i < 3; i++) {
		ops[i] = (struct store_hasten_jobs){
			.fail = str_of(fails[i]), .op = {.done = waiter_done, .user = &waiter}};
		store_hasten_jobs(f->store, &ops[i]);
	}
	waiter_wait(&waiter);
	for (int i = 0; i < 3; i++)
		assert_int_equal(ops[i].op.result, 0);
	sum = steps(f, &scanned);
	assert_false(scanned);
	return sum;
}

static void jobs_that_wait_for_a_provider_cost_a_start_nothing(void **state)
{
	enum { N = 20000 };
	struct fixture *f = *state;
	struct job_row *jobs = calloc(N, sizeof(*jobs));
	bool scanned;
	long none;
	int i;

	fill_backlog(f, 1, STR(""));
	steps(f, &scanned);
	none = hasten_all(f);
	for (i = 0; i < N; i++) {
		jobs[i] = a_job(STR(""));
		jobs[i].fail = STR("broken");
		jobs[i].updated_ms = clock_now_ms();
		jobs[i].due_ms = jobs[i].updated_ms + 3600000;
	}
	add(f, jobs, N);
	free(jobs);
	steps(f, &scanned);
	assert_true(hasten_all(f) < none + 100);
}

static char order[8];
static size_t ordered;

static void note_hasten(struct store_op *op)
{
	order[ordered++] = 'h';
	waiter_done(op);
}

static void note_append(struct store_op *op)
{
	order[ordered++] = 'a';
	waiter_done(op);
}

/* All that wait are due in the end, and whoever comes meanwhile is stored before. */
static void a_vendor_that_is_back_keeps_nobody_waiting(void **state)
{
	enum { N = 2300 };
	struct fixture *f = *state;
	struct job_row *jobs = calloc(N, sizeof(*jobs));
	struct store_hasten_jobs op = {.fail = STR("bad auth"), .op.done = note_hasten};
	struct inbox_row row = an_inbox_row();
	struct store_append_inbox append_op = {.row = &row, .op.done = note_append};
	struct waiter waiter;
	struct store_options options = {.directory = f->directory,
		.max_group = 1}; /* so that the webhook is the next commit */
	bool scanned;

	store_close(f->store);
	assert_int_equal(store_open(NULL, &f->store, &options), 0);
	for (int i = 0; i < N; i++) {
		jobs[i] = a_job(STR(""));
		jobs[i].fail = STR("bad auth");
		jobs[i].updated_ms = clock_now_ms();
		jobs[i].due_ms = INT64_C(4000000000000);
	}
	add(f, jobs, N);
	free(jobs);
	steps(f, &scanned);
	waiter_init(&waiter, 2);
	op.op.user = append_op.op.user = &waiter;
	store_cork(f->store);
	store_hasten_jobs(f->store, &op);
	store_append_inbox(f->store, &append_op);
	store_uncork(f->store);
	waiter_wait(&waiter);
	steps(f, &scanned);
	assert_false(scanned);
	assert_memory_equal(order, "ah", 2);
	assert_int_equal(op.op.result, 0);
	assert_int_equal(claim(f, clock_now_ms() + 1000, N + 1).count, N);
}

static void looking_past_claimed_jobs_is_done_once(void **state)
{
	struct fixture *f = *state;
	long first, second;
	bool scanned;

	fill_backlog(f, 3000, STR(""));
	assert_int_equal(claim(f, 2000, 2900).count, 2900);
	claim(f, 2000, 1);
	steps(f, &scanned);
	claim(f, 2000, 1);
	first = steps(f, &scanned);
	claim(f, 2000, 1);
	second = steps(f, &scanned);
	assert_true(first < 3000 * 10);
	assert_true(second < 3000 * 10);
}

static void every_statement_finds_its_rows_by_an_index(void **state)
{
	struct fixture *f = *state;

	fill_backlog(f, 10, STR("the key"));
	fill_backlog(f, 10, STR(""));
	work(f, "x");
	reopen(f);
	work(f, "y");
	assert_true(assert_plans(f->store->conn.db) > 15);
}

/* By what they have in common, not by their office: that has all of them in common. */
static void what_call_a_booking_came_of_is_found_by_an_index(void **state)
{
	struct fixture *f = *state;
	struct event_row booking = an_event(STR("2"));
	struct event_change change = {.row = &booking};
	struct store_finish_inbox finish = {.inbox = append(f),
		.state = INBOX_DONE,
		.tenant = TENANT,
		.events = &change,
		.event_count = 1};
	struct live_range all = {.tenant = TENANT, .until = 100, .limit = 10};
	struct live_page page;
	struct id nobodys = id_new();
	char key[ID_TEXT];

	id_text(key, &nobodys);
	booking.type = STR("booking.created");
	booking.regarding = str_of(key);
	assert_int_equal(finish_inbox_now(f, &finish), 0);
	watch_statements(f->reader->conn.db);
	assert_int_equal(store_list_live(NULL, f->reader, &all, f->arena, &page), 0);
	assert_true(assert_watched(f->reader->conn.db) >= 2);
	assert_true(assert_plans(f->store->conn.db) > 3);
	assert_int_equal(page.count, 0);
}

/* ---- the log, and a disk that is full
 * ------------------------------------------------------------- */

static off_t size_of(struct fixture *f, const char *name)
{
	struct stat st;

	return stat(in(f, name), &st) == 0 ? st.st_size : -1;
}

static unsigned append_many(struct fixture *f, unsigned count, char *body, size_t body_len)
{
	struct numbered *all = calloc(count, sizeof(*all));
	struct waiter waiter;
	unsigned i, failed = 0;

	waiter_init(&waiter, count);
	for (i = 0; i < count; i++) {
		all[i].row = an_inbox_row();
		all[i].row.body = (struct str){body, body_len};
		all[i].op = (struct store_append_inbox){
			.row = &all[i].row, .op = {.done = waiter_done, .user = &waiter}};
		store_append_inbox(f->store, &all[i].op);
	}
	waiter_wait(&waiter);
	for (i = 0; i < count; i++) {
		failed += all[i].op.op.result != 0;
		if (all[i].op.op.result)
			assert_int_equal(all[i].op.op.result, E_IO);
	}
	free(all);
	return failed;
}

static void the_log_stays_small_while_rows_keep_coming(void **state)
{
	struct fixture *f = *state;
	char *body = calloc(1, 16384);
	int i;

	for (i = 0; i < 50; i++)
		assert_int_equal(append_many(f, 200, body, 16384), 0);
	assert_true(size_of(f, "klinke.db") > (off_t)100 << 20);
	/* from 64 MiB on the writer itself copies; a copy that is under way comes on top */
	assert_true(size_of(f, "klinke.db-wal") < (off_t)96 << 20);
	free(body);
}

static void a_full_disk_fails_operations_clearly_and_later_ones_work(void **state)
{
	struct fixture *f = *state;
	char *body = calloc(1, 4 << 20);
	struct rlimit limit, before;
	struct inbox_row row = an_inbox_row();
	struct store_append_inbox op = {.row = &row};
	struct store_counts counts;
	struct error why = {0};
	unsigned kept = 100;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(append_many(f, 100, body, 100), 0);
	limit = before;
	limit.rlim_cur = 2 << 20;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	kept += 100 - append_many(f, 100, body, 64 << 10);
	row.body = (struct str){body, 4 << 20};
	assert_int_equal(append_inbox_now(f, &op), E_IO);
	assert_non_null(strstr(op.op.error.text, "disk"));
	assert_true(store_failing(f->store, &why));
	assert_string_equal(why.text, op.op.error.text);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(append_inbox_now(f, &op), 0);
	assert_false(store_failing(f->store, &why));
	reopen(f);
	assert_int_equal(store_count(NULL, f->reader, &counts), 0);
	assert_int_equal(counts.inbox_new, kept + 1);
	free(body);
}

/* Sealing itself fails: the operation must come back through done() all the same. */
static void an_operation_that_cannot_be_sealed_comes_back_with_its_error(void **state)
{
	struct fixture *f = *state;
	struct inbox_row row = an_inbox_row(), other = an_inbox_row();
	struct store_append_inbox op = {.row = &row}, fine = {.row = &other};

	row.tenant = STR("two words");
	assert_int_equal(append_inbox_now(f, &op), E_INVALID);
	assert_int_equal(append_inbox_now(f, &fine), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(eight_threads_at_once_lose_and_double_nothing),
		STORE_TEST(operations_of_one_thread_are_done_in_their_order),
		STORE_TEST(closing_commits_what_was_submitted),
		STORE_TEST(a_backlog_of_100000_jobs_costs_nothing),
		STORE_TEST(jobs_that_wait_for_a_provider_cost_a_start_nothing),
		STORE_TEST(a_vendor_that_is_back_keeps_nobody_waiting),
		STORE_TEST(looking_past_claimed_jobs_is_done_once),
		STORE_TEST(every_statement_finds_its_rows_by_an_index),
		STORE_TEST(what_call_a_booking_came_of_is_found_by_an_index),
		STORE_TEST(the_log_stays_small_while_rows_keep_coming),
		STORE_TEST(a_full_disk_fails_operations_clearly_and_later_ones_work),
		STORE_TEST(an_operation_that_cannot_be_sealed_comes_back_with_its_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
