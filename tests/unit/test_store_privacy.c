/* What tells of a person, and that it can be forgotten: rows, copies of the database made before,
 * keys that come back, an interruption at any point. */
#include <signal.h>
#include <sys/wait.h>

#include "person_kit.h"

/* ---- tests -------------------------------------------------------------------------------- */

static void nothing_of_a_person_is_in_clear(void **state)
{
	struct fixture *f = *state;
	struct call call = store_call(f, ANNA, MAIL, "call_1");
	struct event_row event = event_of(f, ANNA, "x");
	struct event_change change = {.row = &event};
	struct store_finish_inbox finish = {
		.tenant = TENANT, .state = INBOX_DONE, .events = &change, .event_count = 1};
	static const char *const secrets[] = {
		ANNA, "491713920042", "1713920042", MAIL, "wamid.HBgNNDkxNzEzOTIwMDQy", "Annegret"};

	work(f, &call, JOB_DEAD);
	event.subject = STR("contact:491713920042");
	event.dedupe = STR("status:wamid.HBgNNDkxNzEzOTIwMDQy/x:" ANNA);
	event.also = STR("mail:" MAIL);
	finish.inbox = append_of(f, "{}");
	assert_int_equal(finish_inbox_now(f, &finish), 0);
	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++)
		no_file_holds(f->directory, secrets[i], strlen(secrets[i]));
	close_both(f); /* and with the log copied into the file */
	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++)
		no_file_holds(f->directory, secrets[i], strlen(secrets[i]));
	open_store(f);
	open_reader(f);
	assert_true(file_holds(in(f, "klinke.db"), "call_1", 6));
}

static void who_is_found_by_a_code_is_found(void **state)
{
	struct fixture *f = *state;
	struct event_row event = event_of(f, ANNA, "m");
	struct event_change change = {.row = &event};
	struct store_finish_inbox finish = {
		.tenant = TENANT, .state = INBOX_DONE, .events = &change, .event_count = 1};
	struct store_filter filter = {.subject = STR("contact:491713920042")};
	struct event_row *rows;
	size_t count;

	event.subject = STR("contact:491713920042");
	event.dedupe = STR("message:wamid.HBgNNDkxNzEzOTIwMDQy");
	finish.inbox = append_of(f, "{}");
	assert_int_equal(finish_inbox_now(f, &finish), 0);
	assert_int_equal(store_list_events(NULL, f->reader, &filter, f->arena, &rows, &count), 0);
	assert_int_equal(count, 1);
	assert_str(rows[0].subject, "contact:491713920042");
	finish.inbox = append_of(f, "{}");
	event.id = id_new();
	assert_int_equal(finish_inbox_now(f, &finish), 0);
	assert_true(change.repeat);
	event.dedupe = rows[0].dedupe; /* as it was read: the same once more */
	event.id = id_new();
	finish.inbox = append_of(f, "{}");
	assert_int_equal(finish_inbox_now(f, &finish), 0);
	assert_true(change.repeat);
}

static void forgetting_takes_all_of_a_person_and_nothing_else(void **state)
{
	struct fixture *f = *state;
	struct call anna = store_call(f, ANNA, "", "call_a"),
		    bernd = store_call(f, BERND, "", "call_b");
	struct store_forget op;
	struct call_row *calls;
	struct appointment_row *rows;
	struct store_filter filter = {.tenant = TENANT};
	struct appointment_query query = {
		.tenant = TENANT, .person = STR(ANNA), .to_ms = INT64_MAX};
	size_t count;

	work(f, &anna, JOB_PARKED);
	work(f, &bernd, JOB_PARKED);
	is_readable(f, "call_a", true);
	op = forget(f, ANNA);
	assert_true(op.known);
	assert_int_equal(op.webhooks, 1);
	assert_int_equal(op.shared, 0);
	assert_int_equal(op.events, 1);
	assert_int_equal(op.jobs, 1);
	assert_int_equal(op.attempts, 1);
	assert_int_equal(op.calls, 1);
	assert_int_equal(op.appointments, 1);
	assert_int_equal(op.answers, 1);
	assert_int_equal(op.dropped, 1);
	is_readable(f, "call_a", false);
	is_readable(f, "call_b", true);
	assert_int_equal(state_of(f, &anna.job), JOB_DROPPED);
	assert_int_equal(state_of(f, &bernd.job), JOB_PARKED);
	assert_int_equal(store_list_calls(NULL, f->reader, &filter, f->arena, &calls, &count), 0);
	assert_int_equal(count, 2);
	assert_int_equal(calls[0].unreadable + calls[1].unreadable, 1);
	assert_int_equal(
		store_find_appointments(NULL, f->reader, &query, f->arena, &rows, &count), 0);
	assert_int_equal(count, 0);
	query.person = STR(BERND);
	assert_int_equal(
		store_find_appointments(NULL, f->reader, &query, f->arena, &rows, &count), 0);
	assert_int_equal(count, 1);
	assert_str(rows[0].name, NAME);
}

static void twice_is_once_and_a_stranger_is_nobody(void **state)
{
	struct fixture *f = *state;
	struct person_hit *hits;
	struct store_forget op;
	size_t count;

	store_call(f, ANNA, "", "call_a");
	assert_true(forget(f, ANNA).known);
	op = forget(f, ANNA);
	assert_false(op.known);
	assert_int_equal(op.events + op.webhooks + op.jobs, 0);
	assert_false(forget(f, BERND).known);
	assert_int_equal(store_find_person(NULL, f->reader, TENANT, STR("0171 3920042"), f->arena,
				 &hits, &count),
		0);
	assert_int_equal(count, 1);
	assert_false(hits[0].known);
	assert_true(hits[0].forgotten_ms > 0);
}

static void who_calls_again_is_somebody_new(void **state)
{
	struct fixture *f = *state;

	store_call(f, ANNA, "", "call_a");
	forget(f, ANNA);
	store_call(f, ANNA, "", "call_b");
	is_readable(f, "call_a", false);
	is_readable(f, "call_b", true);
	reopen(f);
	is_readable(f, "call_b", true);
	assert_int_equal(forget(f, ANNA).events, 1);
	is_readable(f, "call_b", false);
}

static void an_old_copy_of_the_database_cannot_be_read_either(void **state)
{
	struct fixture *f = *state;

	store_call(f, ANNA, "", "call_a");
	store_call(f, BERND, "", "call_b");
	forget_and_put_back(f, "klinke.db");
	open_store(f);
	open_reader(f);
	is_readable(f, "call_a", false);
	is_readable(f, "call_b", true);
	/* and what was in clear there is taken out when it is opened */
	assert_int_equal(number(in(f, "klinke.db"),
				 "SELECT count(*) FROM appointment WHERE person_hash IS NOT NULL"),
		1);
	assert_int_equal(
		number(in(f, "klinke.db"), "SELECT count(*) FROM job WHERE state NOT IN (6, 7)"),
		1);
}

static void an_old_copy_of_the_keys_brings_nobody_back(void **state)
{
	struct fixture *f = *state;

	store_call(f, ANNA, "", "call_a");
	store_call(f, BERND, "", "call_b");
	forget_and_put_back(f, "keys/persons.db");
	assert_int_equal(number(in(f, "keys/persons.db"), "SELECT count(*) FROM person"), 2);
	open_store(f);
	open_reader(f);
	is_readable(f, "call_a", false);
	is_readable(f, "call_b", true);
	close_both(f);
	assert_int_equal(number(in(f, "keys/persons.db"), "SELECT count(*) FROM person"), 1);
	assert_int_equal(number(in(f, "keys/persons.db"), "SELECT count(*) FROM gone"), 1);
	open_store(f);
	open_reader(f);
}

/* The bytes of the key, not only the row. */
static void a_destroyed_key_is_in_no_file(void **state)
{
	struct fixture *f = *state;
	char uid[32], person[32];
	uint8_t wrapped[60];
	int i;

	for (i = 0; i < 80; i++) { /* so that pages are split */
		snprintf(uid, sizeof(uid), "call_%d", i);
		snprintf(person, sizeof(person), "+4917100%05d", i);
		store_call(f, person, "", uid);
	}
	store_call(f, ANNA, "", "call_a");
	blob(in(f, "keys/persons.db"), "SELECT wrapped FROM person", wrapped, sizeof(wrapped));
	for (i = 0; i < 80; i++) {
		snprintf(person, sizeof(person), "+4917100%05d", i);
		assert_true(forget(f, person).known);
	}
	forget(f, ANNA);
	no_file_holds(f->directory, wrapped, sizeof(wrapped));
	assert_int_equal(number(in(f, "keys/persons.db"), "SELECT count(*) FROM person"), 0);
}

static void a_webhook_of_several_persons_needs_each_of_them(void **state)
{
	struct fixture *f = *state;
	struct event_row events[3] = {
		event_of(f, ANNA, "m1"), event_of(f, BERND, "m2"), event_of(f, "+43166001", "m3")};
	struct event_change changes[3] = {
		{.row = &events[0]}, {.row = &events[1]}, {.row = &events[2]}};
	struct store_finish_inbox finish = {
		.tenant = TENANT, .state = INBOX_DONE, .events = changes, .event_count = 3};
	struct person_rows rows;
	struct store_forget op;

	finish.inbox = append_of(f, "{\"all\":\"three\"}");
	for (int i = 0; i < 3; i++)
		events[i].inbox = finish.inbox;
	assert_int_equal(finish_inbox_now(f, &finish), 0);
	assert_str(story_of(f, "m1").inbox[0].body, "{\"all\":\"three\"}");
	/* told to one of them: without what is the others' */
	assert_int_equal(store_read_person(NULL, f->reader, TENANT, STR(ANNA), f->arena, &rows), 0);
	assert_int_equal(rows.story.event_count, 1);
	assert_int_equal(rows.story.inbox_count, 1);
	assert_int_equal(rows.story.inbox[0].body.len, 0);
	op = forget(f, BERND);
	assert_int_equal(op.webhooks, 1);
	assert_int_equal(op.shared, 1);
	assert_true(story_of(f, "m1").inbox[0].unreadable);
	assert_false(story_of(f, "m1").events[0].unreadable);
	assert_true(story_of(f, "m2").events[0].unreadable);
	assert_false(story_of(f, "m3").events[0].unreadable);
}

/* Hundreds, as WhatsApp may send them. */
static void of_hundreds_too(void **state)
{
	enum { MANY = 700 };
	struct fixture *f = *state;
	struct event_row *events = arena_alloc(f->arena, MANY * sizeof(*events));
	struct event_change *changes = arena_alloc(f->arena, MANY * sizeof(*changes));
	struct store_finish_inbox finish = {
		.tenant = TENANT, .state = INBOX_DONE, .events = changes, .event_count = MANY};

	finish.inbox = append_of(f, "{\"all\":\"of them\"}");
	for (int i = 0; i < MANY; i++) {
		events[i] = event_of(f, arena_printf(f->arena, "+49301%06d", i),
			arena_printf(f->arena, "m%d", i));
		events[i].inbox = finish.inbox;
		changes[i] = (struct event_change){.row = &events[i]};
	}
	assert_int_equal(finish_inbox_now(f, &finish), 0);
	reopen(f);
	assert_str(story_of(f, "m1").inbox[0].body, "{\"all\":\"of them\"}");
	assert_int_equal(forget(f, "+49301000500").shared, 1);
	assert_true(story_of(f, "m1").inbox[0].unreadable);
	assert_false(story_of(f, "m499").events[0].unreadable);
	assert_true(story_of(f, "m500").events[0].unreadable);
}

static void a_row_is_the_other_addresss_too(void **state)
{
	struct fixture *f = *state;

	store_call(f, ANNA, MAIL, "call_a");
	assert_int_equal(forget(f, "ANNA.SCHMIDT@EXAMPLE.ORG").events, 1);
	is_readable(f, "call_a", false);
}

static void a_parked_webhook_that_names_them_is_let_go(void **state)
{
	struct fixture *f = *state;
	static const char *const bodies[] = {"{\"from\":\"0171 / 392 00-42\"}", "{broken " MAIL,
		"+49 (0)171 3920042 garbage", "{\"from\":\"" BERND "\"}"};
	struct store_forget op;

	for (int i = 0; i < 4; i++) {
		struct store_finish_inbox finish = {
			.tenant = TENANT, .state = INBOX_PARKED, .reason = STR("no JSON")};
		finish.inbox = append_of(f, bodies[i]);
		assert_int_equal(finish_inbox_now(f, &finish), 0);
	}
	op = forget(f, ANNA);
	assert_int_equal(op.mentions, 2);
	assert_int_equal(forget(f, MAIL).mentions, 1);
	assert_int_equal(
		number(in(f, "klinke.db"), "SELECT count(*) FROM inbox WHERE state = 3"), 1);
	assert_int_equal(number(in(f, "klinke.db"),
				 "SELECT count(*) FROM inbox_raw WHERE length(sealed) = 0"),
		3);
	/* each has had a key of its own, so that a copy made before cannot be read */
	close_both(f);
	assert_int_equal(number(in(f, "keys/persons.db"), "SELECT count(*) FROM gone"), 3);
	open_store(f);
	open_reader(f);
}

static void a_job_in_somebodys_hands_stores_nothing_any_more(void **state)
{
	struct fixture *f = *state;
	struct call call = store_call(f, ANNA, "", "call_a");
	struct store_claim claimed = claim(f, 2000, 10);
	struct store_save_job op = {.job = &claimed.claimed[0].job};

	assert_int_equal(claimed.count, 1);
	assert_str(claimed.claimed[0].job.person, ANNA);
	forget(f, ANNA);
	claimed.claimed[0].job.state = JOB_DONE;
	claimed.claimed[0].job.progress = STR("{\"name\":\"" NAME "\"}");
	assert_int_equal(save_job_now(f, &op), E_CONFLICT);
	assert_int_equal(state_of(f, &call.job), JOB_DROPPED);
	assert_int_equal(claim(f, INT64_MAX / 2, 10).count, 0);
}

static void who_is_behind_a_dropped_job_may_run(void **state)
{
	struct fixture *f = *state;
	struct job_row one = a_job(STR("k")), two = a_job(STR("k"));

	one.person = STR(ANNA);
	two.person = STR(BERND);
	add(f, &one, 1);
	add(f, &two, 1);
	assert_int_equal(state_of(f, &two), JOB_QUEUED);
	assert_int_equal(forget(f, ANNA).dropped, 1);
	assert_int_equal(state_of(f, &two), JOB_READY);
}

/* ---- at the same moment ------------------------------------------------------------------- */

#define CALLS 120

struct caller {
	struct fixture *f;
	unsigned stored, refused;
};

/* Own memory: the fixture's arena is the other thread's. */
static void *call_again_and_again(void *arg)
{
	struct caller *caller = arg;
	struct arena *arena = arena_create((size_t)16 << 20);
	struct fixture own = {.store = caller->f->store, .arena = arena};

	for (int i = 0; i < CALLS; i++) {
		struct event_row event = event_of(&own, ANNA, arena_printf(arena, "again_%d", i));
		struct event_change change = {.row = &event};
		struct store_finish_inbox finish = {
			.tenant = TENANT, .state = INBOX_DONE, .events = &change, .event_count = 1};
		finish.inbox = event.inbox = append_of(&own, event.data.ptr);
		while (finish_inbox_now(&own, &finish) == E_BUSY)
			caller->refused++;
		assert_int_equal(finish.op.result, 0);
		caller->stored++;
	}
	arena_destroy(arena);
	return NULL;
}

/* Whatever was acknowledged can be read, or was forgotten; never is it lost in between. */
static void who_calls_while_they_are_forgotten_loses_nothing(void **state)
{
	struct fixture *f = *state;
	struct caller caller = {.f = f};
	struct store_filter filter = {.limit = 10 * CALLS};
	struct event_row *rows;
	size_t count, i, unreadable = 0;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, call_again_and_again, &caller), 0);
	for (i = 0; i < 25; i++)
		forget(f, ANNA);
	pthread_join(thread, NULL);
	assert_int_equal(caller.stored, CALLS);
	assert_int_equal(store_list_events(NULL, f->reader, &filter, f->arena, &rows, &count), 0);
	assert_int_equal(count, CALLS);
	for (i = 0; i < count; i++)
		unreadable += rows[i].unreadable;
	assert_int_equal(unreadable,
		number(in(f, "klinke.db"),
			"SELECT count(*) FROM event WHERE person IN (SELECT number FROM "
			"forgotten)"));
	forget(f, ANNA);
	assert_int_equal(store_list_events(NULL, f->reader, &filter, f->arena, &rows, &count), 0);
	for (i = 0; i < count; i++)
		assert_true(rows[i].unreadable);
}

/* ---- interrupted -------------------------------------------------------------------------- */

/* The key is gone, the rows were not seen to: as if the host was killed in between. */
static void what_was_interrupted_is_finished_at_the_start(void **state)
{
	struct fixture *f = *state;
	struct call call = store_call(f, ANNA, "", "call_a");

	forget_and_put_back(f, "klinke.db");
	assert_int_equal(number(in(f, "klinke.db"), "SELECT count(*) FROM forgotten"), 0);
	open_store(f);
	open_reader(f);
	assert_int_equal(number(in(f, "klinke.db"), "SELECT count(*) FROM forgotten"), 1);
	assert_int_equal(state_of(f, &call.job), JOB_DROPPED);
	is_readable(f, "call_a", false);
}

static void submitted(struct store_op *op)
{
	(void)op;
}

/* kill -9 at any moment of it: what is readable afterwards is all of the person, or nothing; who
 * was not forgotten is readable. */
static void killed_at_any_moment_it_is_done_or_not(void **state)
{
	struct fixture *f = *state;
	int round, pipe_[2], gone = 0;

	store_call(f, BERND, "", "call_b");
	for (round = 0; round < 12; round++) {
		const char *uid = arena_printf(f->arena, "call_%d", round);
		struct story story;
		pid_t child;
		char ready;
		store_call(f, ANNA, "", uid);
		close_both(f);
		assert_int_equal(pipe(pipe_), 0);
		child = fork();
		assert_true(child >= 0);
		if (!child) {
			struct store_forget op = {.op.done = submitted,
				.tenant = TENANT,
				.person = STR(ANNA),
				.now_ms = 1};
			open_store(f);
			store_forget(f->store, &op);
			if (write(pipe_[1], "x", 1) != 1)
				_exit(1);
			for (;;)
				pause();
		}
		close(pipe_[1]);
		assert_int_equal(read(pipe_[0], &ready, 1), 1);
		close(pipe_[0]);
		usleep((useconds_t)(round * 700)); /* which moment, not a condition */
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		open_store(f);
		open_reader(f);
		story = story_of(f, uid);
		gone += story.events[0].unreadable;
		is_readable(f, uid, !story.events[0].unreadable);
		if (story.events[0].unreadable)
			assert_int_equal(story.jobs[0].state, JOB_DROPPED);
		is_readable(f, "call_b", true);
		forget(f, ANNA);
		is_readable(f, uid, false);
	}
	print_message("destroyed before the kill: %d of %d\n", gone, round);
}

/* What only reads cannot mend what a kill left half made, so nothing may be. */
static void killed_while_the_first_is_stored_it_opens_again(void **state)
{
	struct fixture *f = *state;
	int whole = 0;

	close_both(f); /* who forks has no threads */
	for (int round = 0; round < 24; round++) {
		struct fixture other = *f;
		int pipe_[2];
		pid_t child;
		char ready;
		snprintf(other.directory, sizeof(other.directory), "%.50s/%d", f->directory, round);
		assert_int_equal(mkdir(other.directory, 0700), 0);
		assert_int_equal(pipe(pipe_), 0);
		child = fork();
		assert_true(child >= 0);
		if (!child) {
			open_store(&other);
			if (write(pipe_[1], "x", 1) != 1)
				_exit(1);
			store_call(&other, ANNA, "", "call_a");
			for (;;)
				pause();
		}
		close(pipe_[1]);
		assert_int_equal(read(pipe_[0], &ready, 1), 1);
		close(pipe_[0]);
		usleep((useconds_t)(round * round * 60)); /* which moment, not a condition */
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		whole += file_holds(in(&other, "keys/persons.db"), "SQLite", 6);
		open_reader(&other);
		open_store(&other);
		store_call(&other, BERND, "", "call_b");
		is_readable(&other, "call_b", true);
		assert_int_not_equal(access(in(&other, "keys/persons.db.new"), F_OK), 0);
		close_both(&other);
	}
	print_message("made before the kill: %d of 24\n", whole);
	open_store(f);
	open_reader(f);
}

/* A key that reached the disk with no row is no harm; a row without its key must not be. */
static void a_row_never_comes_before_its_key(void **state)
{
	struct fixture *f = *state;

	close_both(f);
	open_store(f);
	open_reader(f);
	store_call(f, ANNA, "", "call_a");
	/* whatever is in the database is in the other file by then, without closing it */
	assert_int_equal(
		number(in(f, "keys/persons.db"), "SELECT count(*) FROM person WHERE number < 0"),
		1);
	assert_int_equal(number(in(f, "klinke.db"), "SELECT person FROM event"),
		number(in(f, "keys/persons.db"), "SELECT number FROM person"));
}

/* ---- who is meant ------------------------------------------------------------------------- */

static void a_number_is_known_in_any_spelling(void **state)
{
	static const char *const spellings[] = {ANNA, "0171 3920042", "0171/392 00 42",
		"0049 171 3920042", "+49 (0) 171 3920042", "+49 (0)171-3920042", "491713920042",
		" +49 171 3920042 "};
	static const char *const wrong[] = {"0171 3920043", "+43 171 3920042"};
	struct fixture *f = *state;
	struct person_hit *hits;
	size_t count, i;

	store_call(f, ANNA, "", "call_a");
	reopen(f); /* a reader knows the tenants of its beginning */
	for (i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
		assert_int_equal(store_find_person(NULL, f->reader, STR(""), text_of(spellings[i]),
					 f->arena, &hits, &count),
			0);
		if (count != 1 || !hits[0].known)
			fail_msg("not found: %s", spellings[i]);
		assert_str(hits[0].person, ANNA);
		assert_str(hits[0].tenant, "praxis-winter");
	}
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(store_find_person(NULL, f->reader, TENANT, text_of(wrong[i]),
					 f->arena, &hits, &count),
			0);
		assert_int_equal(count, 1);
		assert_false(hits[0].known);
	}
	assert_int_equal(
		store_find_person(NULL, f->reader, TENANT, STR("Anna"), f->arena, &hits, &count),
		E_INVALID);
	assert_int_equal(
		store_find_person(NULL, f->reader, TENANT, STR(""), f->arena, &hits, &count),
		E_INVALID);
}

static void all_of_a_person_is_told_and_nothing_of_others(void **state)
{
	struct fixture *f = *state;
	struct call anna = store_call(f, ANNA, "", "call_a");
	struct person_rows rows;
	size_t i;

	work(f, &anna, JOB_DONE);
	store_call(f, BERND, ANNA, "call_b"); /* mentions her */
	assert_int_equal(store_read_person(NULL, f->reader, TENANT, STR(ANNA), f->arena, &rows), 0);
	assert_int_equal(rows.story.event_count, 1);
	assert_int_equal(rows.story.inbox_count, 1);
	assert_true(rows.story.inbox[0].body.len > 0);
	assert_int_equal(rows.story.job_count, 1);
	assert_int_equal(rows.story.attempt_count, 1);
	assert_str(rows.story.attempts[0].note, "sent to " NAME);
	assert_int_equal(rows.call_count, 1);
	assert_int_equal(rows.appointment_count, 1);
	assert_int_equal(rows.answer_count, 1);
	assert_int_equal(rows.mentions, 1);
	for (i = 0; i < rows.connection_count; i++)
		assert_true(str_is(rows.connections[i], "praxis-winter/phone") ||
			    str_is(rows.connections[i], "praxis-winter/calendar") ||
			    str_is(rows.connections[i], "praxis-winter/whatsapp"));
	assert_int_equal(rows.connection_count, 3);
	assert_int_equal(
		store_read_person(NULL, f->reader, STR("another"), STR(ANNA), f->arena, &rows), 0);
	assert_int_equal(rows.story.event_count + rows.call_count + rows.appointment_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(nothing_of_a_person_is_in_clear),
		STORE_TEST(who_is_found_by_a_code_is_found),
		STORE_TEST(forgetting_takes_all_of_a_person_and_nothing_else),
		STORE_TEST(twice_is_once_and_a_stranger_is_nobody),
		STORE_TEST(who_calls_again_is_somebody_new),
		STORE_TEST(an_old_copy_of_the_database_cannot_be_read_either),
		STORE_TEST(an_old_copy_of_the_keys_brings_nobody_back),
		STORE_TEST(a_destroyed_key_is_in_no_file),
		STORE_TEST(a_webhook_of_several_persons_needs_each_of_them),
		STORE_TEST(of_hundreds_too),
		STORE_TEST(a_row_is_the_other_addresss_too),
		STORE_TEST(a_parked_webhook_that_names_them_is_let_go),
		STORE_TEST(a_job_in_somebodys_hands_stores_nothing_any_more),
		STORE_TEST(who_is_behind_a_dropped_job_may_run),
		STORE_TEST(who_calls_while_they_are_forgotten_loses_nothing),
		STORE_TEST(what_was_interrupted_is_finished_at_the_start),
		STORE_TEST(killed_at_any_moment_it_is_done_or_not),
		STORE_TEST(killed_while_the_first_is_stored_it_opens_again),
		STORE_TEST(a_row_never_comes_before_its_key),
		STORE_TEST(a_number_is_known_in_any_spelling),
		STORE_TEST(all_of_a_person_is_told_and_nothing_of_others),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
