/* What must hold of keys and of forgetting when others are at the same files, at the same moment,
 * or in the same group. */
#include <sys/wait.h>

#include "person_kit.h"
#include "store/keys.h"

WAITED(retain)

/* ---- another program at the keys ---------------------------------------------------------- */

/* Begun before this process has a connection, since SQLite's must not be taken over a fork. */
struct outsider {
	pid_t pid;
	int tell[2], told[2];
};

static void look_when_told(const struct outsider *o, const char *path)
{
	sqlite3 *db;
	char c;

	if (read(o->tell[0], &c, 1) != 1)
		_exit(0);
	if (sqlite3_open(path, &db) != SQLITE_OK ||
		sqlite3_exec(db, "SELECT count(*) FROM person", NULL, NULL, NULL) != SQLITE_OK ||
		sqlite3_close(db) != SQLITE_OK || write(o->told[1], "x", 1) != 1)
		_exit(1);
	_exit(0);
}

static void outsider_begin(struct outsider *o, const char *path)
{
	assert_int_equal(pipe(o->tell), 0);
	assert_int_equal(pipe(o->told), 0);
	o->pid = fork();
	assert_true(o->pid >= 0);
	if (!o->pid) {
		close(o->tell[1]);
		look_when_told(o, path);
	}
}

/* It has looked, and closed the file as SQLite does. */
static bool outsider_look(struct outsider *o)
{
	char c;

	return write(o->tell[1], "x", 1) == 1 && read(o->told[0], &c, 1) == 1;
}

static void outsider_end(struct outsider *o)
{
	int status;

	close(o->tell[1]);
	close(o->tell[0]);
	assert_int_equal(waitpid(o->pid, &status, 0), o->pid);
	assert_int_equal(status, 0);
	close(o->told[0]);
	close(o->told[1]);
}

/* The host goes on while somebody else looks into persons.db, and dies. Nothing is closed. */
static void run_and_die(struct fixture *f, struct outsider *o, bool forgets)
{
	open_store(f);
	store_call(f, BERND, "", "call_b");
	if (forgets)
		forget(f, ANNA);
	if (!outsider_look(o))
		_exit(1);
	store_call(f, "+49301110002", "", "call_c");
	_exit(0);
}

static void acknowledged_stays_readable(struct fixture *f, bool forgets)
{
	struct outsider o;
	int status;
	pid_t host;

	store_call(f, ANNA, "", "call_a");
	close_both(f);
	outsider_begin(&o, in(f, "keys/persons.db"));
	host = fork();
	assert_true(host >= 0);
	if (!host)
		run_and_die(f, &o, forgets);
	assert_int_equal(waitpid(host, &status, 0), host);
	assert_int_equal(status, 0);
	outsider_end(&o);
	open_store(f);
	open_reader(f);
	is_readable(f, "call_a", !forgets);
	is_readable(f, "call_b", true);
	is_readable(f, "call_c", true);
}

static void who_looks_at_the_keys_takes_no_log_away(void **state)
{
	acknowledged_stays_readable(*state, false);
}

static void nor_after_somebody_was_forgotten(void **state)
{
	acknowledged_stays_readable(*state, true);
}

/* ---- at the same moment ------------------------------------------------------------------- */

/* A thread looks for a person, is slow, and keeps the key only after they were forgotten. */
static void a_destroyed_key_is_not_kept_by_who_had_found_it(void **state)
{
	struct fixture *f = *state;
	struct persons *persons = persons_create(f->directory);
	struct person person = {.number = SEAL_PERSON | 7, .mark = {1}}, found;
	struct keys_gone gone;
	struct key key = {.bytes = {9}}, kept;
	uint64_t number;
	unsigned forgets;
	bool made;

	persons_keep(persons);
	assert_int_equal(persons_find_or_add(NULL, persons, &person, key.bytes, &made), 0);
	assert_true(made);
	assert_int_equal(persons_flush(NULL, persons), 0);
	assert_int_equal(persons_by_number(NULL, persons, person.number, &found, &forgets), 0);
	persons_remember(persons, &found, key.bytes, forgets);
	assert_true(persons_kept(persons, person.number, &kept));
	assert_int_equal(persons_forget(NULL, persons, person.mark, 1000, &gone), 0);
	assert_true(gone.number == person.number);
	persons_remember(persons, &found, key.bytes, forgets);
	assert_false(persons_kept(persons, person.number, &kept));
	assert_false(persons_kept_mark(persons, person.mark, &number));
	persons_close(persons);
}

#define CALLS 15

struct caller {
	struct fixture *f;
	int number;
};

/* Own memory: the fixture's arena is the other thread's. */
static void *call_again_and_again(void *arg)
{
	struct caller *caller = arg;
	struct arena *arena = arena_create((size_t)16 << 20);
	struct fixture own = {.store = caller->f->store, .arena = arena};

	for (int i = 0; i < CALLS; i++) {
		struct event_row event =
			event_of(&own, ANNA, arena_printf(arena, "again_%d_%d", caller->number, i));
		struct event_change change = {.row = &event};
		struct store_finish_inbox finish = {
			.tenant = TENANT, .state = INBOX_DONE, .events = &change, .event_count = 1};
		finish.inbox = event.inbox = append_of(&own, event.data.ptr);
		while (finish_inbox_now(&own, &finish) == E_BUSY)
			;
		assert_int_equal(finish.op.result, 0);
	}
	arena_destroy(arena);
	return NULL;
}

/* Whatever others were doing when the person was forgotten: who calls then has another key. */
static void who_calls_after_they_were_forgotten_is_readable(void **state)
{
	struct fixture *f = *state;
	struct caller callers[2] = {{f, 0}, {f, 1}};
	pthread_t threads[2];
	const char *uid;

	for (int i = 0; i < 2; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, call_again_and_again, &callers[i]), 0);
	for (int i = 0; i < 6; i++) {
		forget(f, ANNA);
		uid = arena_printf(f->arena, "after_%d", i);
		store_call(f, ANNA, "", uid);
		is_readable(f, uid, true);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	store_call(f, ANNA, "", "the_last");
	is_readable(f, "the_last", true);
}

/* ---- rows that cannot be read any more ----------------------------------------------------- */

#define GUESTS "anna@example.org guest@example.org fourth@example.org"

/* Anna books for four; the request was sent, and nobody knows yet what became of it. */
static struct job_row a_booking_of_four(struct fixture *f)
{
	struct event_row event = event_of(f, ANNA, "call_a");
	struct job_row job = a_job(STR(""));
	struct event_change change = {.row = &event, .jobs = &job, .job_count = 1};
	struct store_finish_inbox finish = {
		.tenant = TENANT, .state = INBOX_DONE, .events = &change, .event_count = 1};
	struct store_save_job op = {.job = &job};

	event.others = STR(GUESTS);
	finish.inbox = event.inbox = append_of(f, "{}");
	job.event = event.id;
	job.person = STR(ANNA " " GUESTS);
	job.correlation = event.correlation;
	assert_int_equal(finish_inbox_now(f, &finish), 0);
	job.key = STR("k-1");
	job.state = JOB_WAITING;
	job.sent = true;
	job.due_ms = INT64_C(4000000000000);
	job.progress = STR("{\"a\":1}");
	assert_int_equal(save_job_now(f, &op), 0);
	return job;
}

/* The calendar says of the request what became of it. */
static struct event_change answered(struct fixture *f, struct event_row *event)
{
	struct event_change change = {.row = event, .closes = STR("{\"uid\":\"x\"}")};
	struct store_finish_inbox finish = {
		.tenant = TENANT, .state = INBOX_DONE, .events = &change, .event_count = 1};

	*event = event_of(f, BERND, "booking");
	event->regarding = STR("k-1");
	finish.inbox = event->inbox = append_of(f, "{}");
	if (finish_inbox_now(f, &finish) != 0)
		fail_msg("%s", finish.op.error.text);
	return change;
}

static void whoever_is_named_in_a_row_can_be_forgotten(void **state)
{
	static const char *const who[] = {
		ANNA, "anna@example.org", "guest@example.org", "fourth@example.org"};
	struct fixture *f = *state;
	struct store_forget op;
	struct job_row job;

	for (int i = 0; i < 4; i++) {
		job = a_booking_of_four(f);
		op = forget(f, who[i]);
		assert_int_equal(op.events, i + 1); /* all that were made so far */
		assert_int_equal(op.jobs, i + 1);
		assert_int_equal(op.dropped, 1);
		assert_int_equal(state_of(f, &job), JOB_DROPPED);
		by_hand(in(f, "klinke.db"),
			"UPDATE event SET dedupe = hex(id)"); /* the next is no repeat */
	}
}

/* Its key is lost, not forgotten: nobody has dropped the job. */
static void an_event_about_an_unreadable_job_is_stored(void **state)
{
	struct fixture *f = *state;
	struct job_row job = a_booking_of_four(f);
	struct event_row event;

	close_both(f);
	by_hand(in(f, "keys/persons.db"),
		"DELETE FROM person WHERE number = (SELECT max(number) FROM person)");
	open_store(f);
	open_reader(f);
	assert_int_equal(answered(f, &event).closed, 1);
	assert_false(story_of(f, "booking").events[0].unreadable);
	assert_int_equal(
		number(in(f, "klinke.db"), "SELECT count(*) FROM inbox WHERE state = 1"), 0);
	assert_int_equal(claim(f, clock_now_ms() + 1000, 10).count, 0);
	assert_int_equal(state_of(f, &job), JOB_PARKED);
}

/* Likewise what was kept beside a job in somebody's hands, when the host starts. */
static void a_start_does_not_fail_for_an_unreadable_job(void **state)
{
	struct fixture *f = *state;
	struct job_row job = a_booking_of_four(f);
	struct event_row event;

	assert_int_equal(claim(f, INT64_C(4000000000001), 10).count, 1);
	assert_int_equal(answered(f, &event).closed, 0);
	close_both(f);
	by_hand(in(f, "klinke.db"), "UPDATE job SET progress = zeroblob(100)");
	open_store(f);
	open_reader(f);
	assert_int_equal(claim(f, clock_now_ms() + 1000, 10).count, 0);
	assert_int_equal(state_of(f, &job), JOB_PARKED);
}

/* Another operation of the group fails after it has written something, so all of them run twice. */
static void a_forget_that_runs_twice_lets_go_of_what_is_parked(void **state)
{
	struct fixture *f = *state;
	struct store_finish_inbox finish = {
		.tenant = TENANT, .state = INBOX_PARKED, .reason = STR("no JSON")};
	struct store_forget op = {.tenant = TENANT, .person = STR(ANNA), .now_ms = 1000};
	struct appointment_expect expect = {
		.tenant = TENANT, .connection = PHONE, .uid = STR("none"), .version = 3};
	struct job_row job = a_job(STR(""));
	struct store_add_jobs failing = {.jobs = &job, .job_count = 1, .expect = &expect};
	struct waiter waiter;

	store_call(f, ANNA, "", "call_a");
	finish.inbox = append_of(f, "garbage " ANNA);
	assert_int_equal(finish_inbox_now(f, &finish), 0);
	waiter_init(&waiter, 2);
	op.op.user = failing.op.user = &waiter;
	op.op.done = failing.op.done = waiter_done;
	store_cork(f->store);
	store_forget(f->store, &op);
	store_add_jobs(f->store, &failing);
	store_uncork(f->store);
	waiter_wait(&waiter);
	assert_int_equal(failing.op.result, E_CONFLICT);
	assert_int_equal(op.op.result, 0);
	assert_true(op.known);
	assert_int_equal(op.mentions, 1);
	assert_int_equal(
		number(in(f, "klinke.db"), "SELECT count(*) FROM inbox WHERE state = 3"), 0);
	assert_int_equal(number(in(f, "klinke.db"),
				 "SELECT count(*) FROM inbox_raw WHERE length(sealed) = 0"),
		1);
	assert_int_equal(number(in(f, "klinke.db"), "SELECT count(*) FROM forgotten"), 2);
}

/* All that is stored of them need not fit into memory to be forgotten. */
static void who_knows_of_somebody_with_much_is_told_in_little_memory(void **state)
{
	struct fixture *f = *state;
	struct arena *little = arena_create(65536);
	struct person_rows rows;
	struct str *connections;
	size_t count;

	for (int i = 0; i < 100; i++)
		store_call(f, ANNA, "", arena_printf(f->arena, "call_%d", i));
	assert_int_equal(
		store_read_person(NULL, f->reader, TENANT, STR(ANNA), little, &rows), E_NOMEM);
	arena_reset(little);
	assert_int_equal(store_person_connections(
				 NULL, f->reader, TENANT, STR(ANNA), little, &connections, &count),
		0);
	assert_int_equal(count, 2);
	assert_str(connections[0], "praxis-winter/calendar");
	assert_str(connections[1], "praxis-winter/phone");
	arena_destroy(little);
}

/* An older copy of the keys was put back with a damaged row: unreadable is not gone. */
static void a_key_that_came_back_damaged_is_destroyed_too(void **state)
{
	struct fixture *f = *state;

	store_call(f, ANNA, "", "call_a");
	forget_and_put_back(f, "keys/persons.db");
	by_hand(in(f, "keys/persons.db"), "UPDATE person SET wrapped = zeroblob(60)");
	open_store(f);
	open_reader(f);
	assert_int_equal(number(in(f, "keys/persons.db"), "SELECT count(*) FROM person"), 0);
	assert_int_equal(number(in(f, "keys/persons.db"), "SELECT count(*) FROM gone"), 1);
}

/* ---- what is left in files ----------------------------------------------------------------- */

/* Until a webhook's events were known it lay under another key than the person's. */
static void the_lock_that_a_webhook_had_before_is_in_no_file(void **state)
{
	struct fixture *f = *state;
	struct event_row event = event_of(f, ANNA, "call_a");
	struct event_change change = {.row = &event};
	struct store_finish_inbox finish = {
		.tenant = TENANT, .state = INBOX_DONE, .events = &change, .event_count = 1};
	uint8_t lock[400];
	size_t n;

	finish.inbox = event.inbox = append_of(f, event.data.ptr);
	n = blob(in(f, "klinke.db"), "SELECT lock FROM inbox", lock, sizeof(lock));
	assert_int_equal(finish_inbox_now(f, &finish), 0);
	append_of(f, "{}");
	forget(f, ANNA);
	no_file_holds(f->directory, lock, n);
}

static sqlite3 *read_on_and_on(struct fixture *f)
{
	sqlite3 *db = database(in(f, "klinke.db"));

	assert_int_equal(
		sqlite3_exec(db, "BEGIN; SELECT count(*) FROM event", NULL, NULL, NULL), SQLITE_OK);
	return db;
}

static void who_reads_meanwhile_makes_it_busy_and_done_the_next_time(void **state)
{
	struct fixture *f = *state;
	struct store_forget op = {.tenant = TENANT, .person = STR(ANNA), .now_ms = 1000};
	struct stat st;
	sqlite3 *db;

	store_call(f, ANNA, "", "call_a");
	db = read_on_and_on(f);
	assert_int_equal(forget_now(f, &op), E_BUSY);
	assert_true(op.known);
	assert_int_equal(op.events, 1);
	is_readable(f, "call_a", false);
	store_call(f, BERND, "", "call_b"); /* others go on */
	sqlite3_close(db);
	assert_int_equal(forget_now(f, &op), 0);
	assert_false(op.known);
	assert_int_equal(stat(in(f, "klinke.db-wal"), &st), 0);
	assert_int_equal(st.st_size, 0);
	is_readable(f, "call_b", true);
}

static void retain(struct fixture *f)
{
	static const struct keep keep = {.ms = {[KEEP_RAW] = KEEP_FOREVER}};
	struct store_retain op = {
		.keeps = &keep, .keep_count = 1, .now_ms = clock_now_ms(), .trusted = true};

	do {
		assert_int_equal(retain_now(f, &op), 0);
		op.at = op.next;
	} while (!op.over);
}

/* Nor is what was taken out of a parked webhook, whatever ran before. */
static void bytes_that_were_let_go_of_are_in_no_file(void **state)
{
	struct fixture *f = *state;
	struct store_finish_inbox finish = {
		.tenant = TENANT, .state = INBOX_PARKED, .reason = STR("no JSON at all")};
	char *body = arena_alloc(f->arena, 9000);
	static uint8_t sealed[20000];

	append_of(f, "{}");
	retain(f);
	memset(body, 'x', 8999); /* more than a page */
	memcpy(body, ANNA, strlen(ANNA));
	finish.inbox = append_of(f, body);
	blob(in(f, "klinke.db"), "SELECT sealed FROM inbox_raw ORDER BY seq DESC LIMIT 1", sealed,
		sizeof(sealed));
	assert_int_equal(finish_inbox_now(f, &finish), 0);
	append_of(f, "{}");
	assert_int_equal(forget(f, ANNA).mentions, 1);
	no_file_holds(f->directory, sealed + 1500, 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(who_looks_at_the_keys_takes_no_log_away),
		STORE_TEST(nor_after_somebody_was_forgotten),
		STORE_TEST(a_destroyed_key_is_not_kept_by_who_had_found_it),
		STORE_TEST(who_calls_after_they_were_forgotten_is_readable),
		STORE_TEST(whoever_is_named_in_a_row_can_be_forgotten),
		STORE_TEST(an_event_about_an_unreadable_job_is_stored),
		STORE_TEST(a_start_does_not_fail_for_an_unreadable_job),
		STORE_TEST(a_forget_that_runs_twice_lets_go_of_what_is_parked),
		STORE_TEST(who_knows_of_somebody_with_much_is_told_in_little_memory),
		STORE_TEST(a_key_that_came_back_damaged_is_destroyed_too),
		STORE_TEST(the_lock_that_a_webhook_had_before_is_in_no_file),
		STORE_TEST(who_reads_meanwhile_makes_it_busy_and_done_the_next_time),
		STORE_TEST(bytes_that_were_let_go_of_are_in_no_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
