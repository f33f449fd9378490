/* Jobs: order keys, claims, what events do to them, what people decide. */
#include "store_fixture.h"

#define K STR("call:1")

/* An event by itself, through an inbox row of its own. */
static struct event_change happen(struct fixture *f, struct event_row *row, struct job_row *jobs,
	size_t count, const char *closes)
{
	struct event_change change = {
		.row = row, .jobs = jobs, .job_count = count, .closes = str_of(closes)};
	struct store_finish_inbox op = {
		.state = INBOX_DONE, .inbox = append(f), .events = &change, .event_count = 1};

	if (finish_inbox_now(f, &op) != 0)
		fail_msg("%s", op.op.error.text);
	return change;
}

/* ---- order ---------------------------------------------------------------------------------- */

static void jobs_of_one_key_run_one_after_another(void **state)
{
	struct fixture *f = *state;
	struct job_row jobs[3] = {a_job(K), a_job(K), a_job(K)};

	add(f, jobs, 3);
	assert_int_equal(jobs[0].state, JOB_READY);
	assert_int_equal(jobs[1].state, JOB_QUEUED);
	assert_int_equal(jobs[2].state, JOB_QUEUED);
	assert_int_equal(claim(f, 2000, 10).count, 1);
	assert_int_equal(save(f, &jobs[0], JOB_DONE).promoted, 1);
	assert_int_equal(state_of(f, &jobs[1]), JOB_READY);
	assert_int_equal(state_of(f, &jobs[2]), JOB_QUEUED);
	assert_int_equal(save(f, &jobs[1], JOB_DEAD).promoted, 1);
	assert_int_equal(state_of(f, &jobs[2]), JOB_READY);
	assert_int_equal(save(f, &jobs[2], JOB_DONE).promoted, 0);
}

static void keys_of_two_tenants_and_no_key_at_all_are_independent(void **state)
{
	struct fixture *f = *state;
	struct job_row jobs[4] = {a_job(K), a_job(K), a_job(STR("")), a_job(STR(""))};

	jobs[1].tenant = STR("praxis-sommer");
	add(f, jobs, 4);
	assert_int_equal(claim(f, 2000, 10).count, 4);
}

static void waiting_and_parked_jobs_let_go_of_their_key(void **state)
{
	struct fixture *f = *state;
	struct job_row jobs[3] = {a_job(K), a_job(K), a_job(K)};

	add(f, jobs, 3);
	jobs[0].due_ms = 9000;
	assert_int_equal(save(f, &jobs[0], JOB_WAITING).promoted, 1);
	assert_int_equal(save(f, &jobs[1], JOB_PARKED).promoted, 1);
	assert_int_equal(state_of(f, &jobs[2]), JOB_READY);
}

static void strict_jobs_keep_their_key_while_they_wait(void **state)
{
	struct fixture *f = *state;
	struct job_row jobs[2] = {a_job(K), a_job(K)};

	jobs[0].strict = true;
	add(f, jobs, 2);
	jobs[0].due_ms = 9000;
	assert_int_equal(save(f, &jobs[0], JOB_WAITING).promoted, 0);
	assert_int_equal(state_of(f, &jobs[1]), JOB_QUEUED);
	assert_int_equal(save(f, &jobs[0], JOB_PARKED).promoted, 0);
	assert_int_equal(state_of(f, &jobs[1]), JOB_QUEUED);
	assert_int_equal(save(f, &jobs[0], JOB_DEAD).promoted, 1);
}

static void a_job_for_later_waits_and_takes_no_key_unless_strict(void **state)
{
	struct fixture *f = *state;
	struct job_row jobs[3] = {a_job(K), a_job(K), a_job(K)};

	jobs[0].state = jobs[1].state = JOB_WAITING;
	jobs[0].due_ms = jobs[1].due_ms = 9000;
	jobs[1].strict = true;
	add(f, jobs, 3);
	assert_int_equal(jobs[0].state, JOB_WAITING);
	assert_int_equal(jobs[1].state, JOB_WAITING);
	assert_int_equal(jobs[2].state, JOB_QUEUED);
}

static void one_that_comes_back_waits_behind_who_has_the_key(void **state)
{
	struct fixture *f = *state;
	struct job_row jobs[2] = {a_job(K), a_job(K)};
	struct store_claim claimed;

	add(f, jobs, 2);
	jobs[0].due_ms = 3000;
	save(f, &jobs[0], JOB_WAITING);
	claimed = claim(f, 4000, 10);
	assert_int_equal(claimed.count, 2); /* due, so it runs beside the other */
	save(f, &jobs[0], JOB_READY);
	assert_int_equal(state_of(f, &jobs[0]), JOB_QUEUED);
	assert_int_equal(save(f, &jobs[1], JOB_DONE).promoted, 1);
	assert_int_equal(state_of(f, &jobs[0]), JOB_READY);
}

/* ---- claims --------------------------------------------------------------------------------- */

static void a_job_is_handed_out_once_until_it_is_saved(void **state)
{
	struct fixture *f = *state;
	struct job_row jobs[2] = {a_job(STR("")), a_job(STR(""))};

	add(f, jobs, 2);
	assert_int_equal(claim(f, 2000, 1).count, 1);
	assert_int_equal(claim(f, 2000, 10).count, 1);
	assert_int_equal(claim(f, 2000, 10).count, 0);
	jobs[0].due_ms = 5000;
	save(f, &jobs[0], JOB_READY);
	assert_int_equal(claim(f, 4999, 10).count, 0);
	assert_int_equal(claim(f, 4999, 10).next_due_ms, 5000);
	assert_int_equal(claim(f, 5000, 10).count, 1);
	assert_int_equal(claim(f, 5000, 10).next_due_ms, INT64_MAX);
}

static void a_kept_claim_is_not_handed_out_again(void **state)
{
	struct fixture *f = *state;
	struct job_row job = a_job(STR("")), marked;
	struct store_save_job op = {.job = &marked, .keep_claim = true};

	add(f, &job, 1);
	claim(f, 2000, 1);
	marked = job;
	marked.state = JOB_READY;
	marked.sent = true;
	assert_int_equal(save_job_now(f, &op), 0);
	assert_int_equal(claim(f, 2000, 10).count, 0);
	assert_true(stored(f, &job).sent);
	op.keep_claim = false;
	assert_int_equal(save_job_now(f, &op), 0);
	assert_int_equal(claim(f, 2000, 10).count, 1);
}

static void after_a_restart_what_was_running_is_handed_out_again(void **state)
{
	struct fixture *f = *state;
	struct job_row job = a_job(STR(""));
	struct event_row event = an_event(STR("e"));
	struct store_claim claimed;

	job.event = event.id;
	happen(f, &event, &job, 1, NULL);
	assert_int_equal(claim(f, 2000, 1).count, 1);
	reopen(f);
	claimed = claim(f, 2000, 1);
	assert_int_equal(claimed.count, 1);
	assert_id(claimed.claimed[0].job.id, job.id);
	assert_str(claimed.claimed[0].job.pipeline, "book-after-call");
	assert_id(claimed.claimed[0].event.id, event.id);
	assert_str(claimed.claimed[0].event.person, "{\"name\":\"Erika Mustermann\"}");
	assert_str(claimed.claimed[0].event.data, "{\"from\":\"+4930123\"}");
}

static void the_oldest_due_come_first_of_ready_and_waiting_ones(void **state)
{
	struct fixture *f = *state;
	struct job_row jobs[4] = {a_job(STR("")), a_job(STR("")), a_job(STR("")), a_job(STR(""))};
	struct store_claim claimed;

	jobs[0].due_ms = 40;
	jobs[1].due_ms = 10;
	jobs[2].due_ms = 30;
	jobs[3].due_ms = 20;
	jobs[2].state = jobs[3].state = JOB_WAITING;
	add(f, jobs, 4);
	claimed = claim(f, 35, 2);
	assert_int_equal(claimed.count, 2);
	assert_id(claimed.claimed[0].job.id, jobs[1].id);
	assert_id(claimed.claimed[1].job.id, jobs[3].id);
	assert_int_equal(claimed.next_due_ms, 30);
	claimed = claim(f, 35, 2);
	assert_int_equal(claimed.count, 1);
	assert_id(claimed.claimed[0].job.id, jobs[2].id);
	assert_int_equal(claimed.next_due_ms, 40);
}

static void an_operation_may_claim_what_it_inserts(void **state)
{
	struct fixture *f = *state;
	struct job_row jobs[3] = {a_job(K), a_job(K), a_job(STR(""))};
	struct store_add_jobs op = {.jobs = jobs, .job_count = 3, .claim = true};

	jobs[2].due_ms = clock_now_ms() + 100000;
	assert_int_equal(add_jobs_now(f, &op), 0);
	assert_true(jobs[0].claimed);
	assert_false(jobs[1].claimed); /* queued */
	assert_false(jobs[2].claimed); /* not due */
	assert_int_equal(claim(f, 2000, 10).count, 0);
	save(f, &jobs[0], JOB_DONE);
	assert_int_equal(claim(f, 2000, 10).count, 1);
	assert_int_equal(claim(f, jobs[2].due_ms, 10).count, 1);
}

static void a_failed_operation_keeps_no_claim(void **state)
{
	struct fixture *f = *state;
	struct job_row jobs[2] = {a_job(STR("")), a_job(STR(""))};
	struct store_add_jobs op = {.jobs = jobs, .job_count = 2, .claim = true};
	struct job_row other = a_job(STR(""));

	add(f, &other, 1);
	jobs[1].id = other.id; /* a conflict, after the first one is inserted and claimed */
	assert_int_equal(add_jobs_now(f, &op), E_CONFLICT);
	op.job_count = 1;
	op.claim = false;
	assert_int_equal(add_jobs_now(f, &op), 0);
	assert_int_equal(claim(f, 2000, 10).count, 2);
}

static void a_second_job_of_one_dedupe_is_not_inserted(void **state)
{
	struct fixture *f = *state;
	struct job_row jobs[3] = {a_job(STR("")), a_job(STR("")), a_job(STR(""))};
	struct store_add_jobs op = {.jobs = jobs, .job_count = 3};

	jobs[0].dedupe = jobs[1].dedupe = STR("sync 2026-11-22");
	assert_int_equal(add_jobs_now(f, &op), 0);
	assert_int_equal(op.added, 2);
	assert_int_equal(jobs[0].state, JOB_READY);
	assert_int_equal(jobs[1].state, 0);
	assert_int_equal(jobs[2].state, JOB_READY);
}

/* ---- saving --------------------------------------------------------------------------------- */

static void a_saved_job_is_stored_as_it_is(void **state)
{
	struct fixture *f = *state;
	struct job_row job = a_job(STR("")), now;

	add(f, &job, 1);
	job.due_ms = 77;
	job.step = 2;
	job.tries = 3;
	job.absent = 1;
	job.kills = 4;
	job.sent = true;
	job.key = STR("key-1");
	job.progress = STR("{\"a\":1}");
	job.reason = STR("timed out");
	job.fail = STR("busy");
	job.generation = 9;
	save(f, &job, JOB_READY);
	now = stored(f, &job);
	assert_int_equal(now.due_ms, 77);
	assert_int_equal(now.step, 2);
	assert_int_equal(now.tries, 3);
	assert_int_equal(now.absent, 1);
	assert_int_equal(now.kills, 4);
	assert_true(now.sent);
	assert_str(now.key, "key-1");
	assert_str(now.progress, "{\"a\":1}");
	assert_str(now.reason, "timed out");
	assert_str(now.fail, "busy");
	assert_int_equal(now.generation, 9);
	assert_str(now.pipeline, "book-after-call");
}

static void a_finished_job_cannot_be_saved_nor_an_unknown_one(void **state)
{
	struct fixture *f = *state;
	struct job_row job = a_job(STR("")), unknown = a_job(STR(""));
	struct store_save_job op = {.job = &job};

	add(f, &job, 1);
	save(f, &job, JOB_DONE);
	assert_int_equal(save_job_now(f, &op), E_CONFLICT);
	op.job = &unknown;
	unknown.state = JOB_DONE;
	assert_int_equal(save_job_now(f, &op), E_NOTFOUND);
}

static void a_step_saves_all_it_did_at_once(void **state)
{
	struct fixture *f = *state;
	struct job_row job = a_job(K), next = a_job(K);
	struct attempt_row attempts[2] = {{.id = id_new(),
						  .kind = ATTEMPT_REQUEST,
						  .name = STR("calendar.book"),
						  .number = 1,
						  .method = STR("POST"),
						  .url = STR("https://api.cal.com/v2/bookings"),
						  .status = 201,
						  .outcome = STR("answered"),
						  .started_ms = 5,
						  .took_us = 900,
						  .input = STR("{\"q\":1}"),
						  .output = STR("{\"uid\":\"b1\"}")},
		{.id = id_new(),
			.kind = ATTEMPT_STEP,
			.name = STR("calendar.book"),
			.outcome = STR("done"),
			.started_ms = 6}};
	struct event_row event = an_event(STR("own"));
	struct event_change change = {.row = &event};
	struct appointment_row appointment = {.tenant = TENANT,
		.connection = STR("cal"),
		.uid = STR("b1"),
		.status = STR("booked"),
		.person = STR("Erika"),
		.changed_ms = 1};
	struct checkpoint_row checkpoint = {STR("cal"), STR("bookings"), STR("{\"after\":7}")};
	struct store_save_job op = {.job = &job,
		.attempts = attempts,
		.attempt_count = 2,
		.events = &change,
		.event_count = 1,
		.jobs = &next,
		.job_count = 1,
		.appointments = &appointment,
		.appointment_count = 1,
		.checkpoint = &checkpoint};
	struct story story;
	struct str value;
	char text[ID_TEXT];

	add(f, &job, 1);
	event.job = job.id;
	job.state = JOB_DONE;
	assert_int_equal(save_job_now(f, &op), 0);
	assert_int_equal(next.state, JOB_READY); /* not behind the one that is done */
	assert_int_equal(store_get_checkpoint(
				 NULL, f->reader, STR("cal"), STR("bookings"), f->arena, &value),
		0);
	assert_str(value, "{\"after\":7}");
	id_text(text, &job.id);
	assert_int_equal(store_story(NULL, f->reader, str_of(text), STR(""), f->arena, &story), 0);
	assert_int_equal(story.attempt_count, 2);
	assert_str(story.attempts[0].output, "{\"uid\":\"b1\"}");
	assert_str(story.attempts[0].url, "https://api.cal.com/v2/bookings");
	assert_int_equal(story.attempts[0].status, 201);
	assert_str(story.attempts[1].outcome, "done");
	assert_int_equal(story.event_count, 1);
}

/* ---- answered by an event ---------------------------------------------------------------------
 */

static struct event_row an_answer(const char *key)
{
	struct event_row event = an_event(STR(""));

	event.regarding = str_of(key);
	return event;
}

static void an_event_that_regards_a_sent_job_makes_it_ready_with_the_answer(void **state)
{
	struct fixture *f = *state;
	struct job_row job = a_job(K), now;
	struct event_row event = an_answer("key-1");

	add(f, &job, 1);
	job.key = STR("key-1");
	job.sent = true;
	job.progress = STR("{\"steps\":[1]}");
	job.due_ms = clock_now_ms() + 100000;
	save(f, &job, JOB_READY);
	assert_int_equal(happen(f, &event, NULL, 0, "{\"uid\":\"b1\"}").closed, 1);
	now = stored(f, &job);
	assert_int_equal(now.state, JOB_READY);
	assert_false(now.sent);
	assert_str(now.progress, "{\"steps\":[1],\"closed\":{\"uid\":\"b1\"}}");
	assert_int_equal(claim(f, clock_now_ms(), 10).count, 1);
}

static void an_event_closes_a_parked_job_but_none_that_was_not_sent(void **state)
{
	struct fixture *f = *state;
	struct job_row jobs[3] = {a_job(STR("")), a_job(STR("")), a_job(STR(""))};
	struct event_row parked = an_answer("parked"), idle = an_answer("idle"),
			 done = an_answer("done"), silent = an_answer("parked");

	add(f, jobs, 3);
	jobs[0].key = STR("parked");
	jobs[0].progress = STR("not JSON");
	jobs[1].key = STR("idle");
	jobs[2].key = STR("done");
	jobs[2].sent = true;
	save(f, &jobs[0], JOB_PARKED);
	save(f, &jobs[1], JOB_READY);
	save(f, &jobs[2], JOB_DONE);
	assert_int_equal(happen(f, &silent, NULL, 0, NULL).closed, 0); /* says nothing */
	assert_int_equal(happen(f, &parked, NULL, 0, "true").closed, 1);
	assert_str(stored(f, &jobs[0]).progress, "{\"closed\":true}");
	assert_int_equal(happen(f, &idle, NULL, 0, "true").closed, 0);
	assert_int_equal(happen(f, &done, NULL, 0, "true").closed, 0);
	assert_int_equal(state_of(f, &jobs[2]), JOB_DONE);
}

static void an_answer_of_another_tenant_closes_nothing(void **state)
{
	struct fixture *f = *state;
	struct job_row job = a_job(STR(""));
	struct event_row event = an_answer("key-1");

	add(f, &job, 1);
	job.key = STR("key-1");
	save(f, &job, JOB_PARKED);
	event.tenant = STR("praxis-sommer");
	assert_int_equal(happen(f, &event, NULL, 0, "true").closed, 0);
	assert_int_equal(state_of(f, &job), JOB_PARKED);
}

static struct str correlation_of(struct fixture *f, const struct event_row *event)
{
	struct story story;
	char text[ID_TEXT];

	id_text(text, &event->id);
	assert_int_equal(store_story(NULL, f->reader, str_of(text), STR(""), f->arena, &story), 0);
	for (size_t i = 0; i < story.event_count; i++)
		if (memcmp(&story.events[i].id, &event->id, sizeof(event->id)) == 0)
			return story.events[i].correlation;
	fail_msg("the event is not stored");
	return STR("");
}

/* The key of a later step names its job, too; another tenant's does not. */
static void an_answer_goes_on_with_the_story_of_its_job(void **state)
{
	struct fixture *f = *state;
	struct job_row job = a_job(STR("")), next = a_job(STR("")), theirs = a_job(STR(""));
	struct event_row event, foreign, plain = an_event(STR(""));
	struct id key = job.id;
	char text[ID_TEXT];

	job.correlation = STR("of the call");
	add(f, &job, 1);
	key.b[9] ^= 1;
	id_text(text, &key);
	event = an_answer(text);
	foreign = an_answer(text);
	event.correlation = foreign.correlation = plain.correlation = STR("of its webhook");
	foreign.tenant = theirs.tenant = STR("praxis-sommer");
	happen(f, &event, &next, 1, NULL);
	happen(f, &foreign, &theirs, 1, NULL);
	happen(f, &plain, NULL, 0, NULL);
	assert_str(correlation_of(f, &event), "of the call");
	assert_str(stored(f, &next).correlation, "of the call");
	assert_str(stored(f, &theirs).correlation, "c0ffee");
	assert_str(correlation_of(f, &foreign), "of its webhook");
	assert_str(correlation_of(f, &plain), "of its webhook");
}

static void an_answer_that_is_no_json_is_refused_with_its_event(void **state)
{
	struct fixture *f = *state;
	struct job_row job = a_job(STR(""));
	struct event_row event = an_answer("key-1");
	struct event_change change = {.row = &event, .closes = STR("{broken")};
	struct store_finish_inbox op = {
		.state = INBOX_DONE, .inbox = append(f), .events = &change, .event_count = 1};
	struct store_counts counts;

	add(f, &job, 1);
	job.key = STR("key-1");
	save(f, &job, JOB_PARKED);
	assert_int_equal(finish_inbox_now(f, &op), E_INVALID);
	assert_int_equal(store_count(NULL, f->reader, &counts), 0);
	assert_int_equal(counts.events, 0);
	assert_int_equal(state_of(f, &job), JOB_PARKED);
}

/* The request is out, the answer's event overtakes the response. */
static struct job_row sent_and_in_hand(struct fixture *f)
{
	struct job_row job = a_job(STR(""));
	struct store_save_job op = {.job = &job, .keep_claim = true};

	add(f, &job, 1);
	assert_int_equal(claim(f, 2000, 10).count, 1);
	job.key = STR("key-1");
	job.sent = true;
	job.state = JOB_READY;
	assert_int_equal(save_job_now(f, &op), 0);
	return job;
}

static void an_answer_to_a_job_in_hand_counts_if_its_own_outcome_is_unknown(void **state)
{
	struct fixture *f = *state;
	struct job_row job = sent_and_in_hand(f);
	struct event_row event = an_answer("key-1");

	assert_int_equal(happen(f, &event, NULL, 0, "{\"uid\":1}").closed, 0);
	assert_true(stored(f, &job).sent);
	assert_true(save(f, &job, JOB_PARKED).closed);
	assert_int_equal(state_of(f, &job), JOB_READY);
	assert_str(stored(f, &job).progress, "{\"closed\":{\"uid\":1}}");
	assert_int_equal(claim(f, clock_now_ms(), 10).count, 1);
}

static void an_answer_to_a_job_in_hand_is_forgotten_if_the_job_knows_better(void **state)
{
	struct fixture *f = *state;
	struct job_row job = sent_and_in_hand(f);
	struct event_row event = an_answer("key-1");

	happen(f, &event, NULL, 0, "{\"uid\":1}");
	job.sent = false;
	job.key = STR("key-2");
	job.step = 1;
	assert_false(save(f, &job, JOB_READY).closed);
	assert_str(stored(f, &job).progress, "{}");
	job.sent = true;
	assert_false(save(f, &job, JOB_PARKED).closed);
}

static void an_answer_kept_beside_a_job_survives_a_crash(void **state)
{
	struct fixture *f = *state;
	struct job_row job = sent_and_in_hand(f);
	struct event_row event = an_answer("key-1");

	happen(f, &event, NULL, 0, "{\"uid\":1}");
	reopen(f);
	assert_str(stored(f, &job).progress, "{\"closed\":{\"uid\":1}}");
	assert_false(stored(f, &job).sent);
}

/* ---- cancelled by an event ----------------------------------------------------------------------
 */

static void an_event_drops_the_jobs_that_name_it_and_its_subject(void **state)
{
	struct fixture *f = *state;
	struct job_row jobs[6], fresh = a_job(STR(""));
	struct event_row event = an_event(STR(""));
	struct event_change change;
	size_t i;

	for (i = 0; i < 6; i++) {
		jobs[i] = a_job(STR(""));
		jobs[i].state = JOB_WAITING;
		jobs[i].subject = STR("b1");
		jobs[i].cancel_on = STR("booking.cancelled booking.rescheduled");
	}
	jobs[1].subject = STR("b0");                    /* what it replaces */
	jobs[2].subject = STR("b2");                    /* another booking */
	jobs[3].cancel_on = STR("booking.cancelled.x"); /* another type */
	jobs[4].tenant = STR("praxis-sommer");
	jobs[5].state = 0;
	add(f, jobs, 6);
	event.type = STR("booking.rescheduled");
	event.subject = STR("b1");
	event.also = STR("b0");
	fresh.state = JOB_WAITING;
	fresh.subject = STR("b1");
	fresh.cancel_on = jobs[0].cancel_on;
	change = happen(f, &event, &fresh, 1, NULL);
	assert_int_equal(change.cancelled, 3);
	assert_int_equal(state_of(f, &jobs[0]), JOB_DROPPED);
	assert_str(stored(f, &jobs[0]).reason, "cancelled by booking.rescheduled");
	assert_int_equal(state_of(f, &jobs[1]), JOB_DROPPED);
	assert_int_equal(state_of(f, &jobs[2]), JOB_WAITING);
	assert_int_equal(state_of(f, &jobs[3]), JOB_WAITING);
	assert_int_equal(state_of(f, &jobs[4]), JOB_WAITING);
	assert_int_equal(state_of(f, &jobs[5]), JOB_DROPPED);
	assert_int_equal(state_of(f, &fresh), JOB_WAITING); /* the new one stays */
}

static void a_job_in_hand_is_not_cancelled_and_a_cancelled_one_passes_its_key_on(void **state)
{
	struct fixture *f = *state;
	struct job_row jobs[3] = {a_job(STR("")), a_job(K), a_job(K)};
	struct event_row event = an_event(STR(""));
	size_t i;

	for (i = 0; i < 2; i++) {
		jobs[i].subject = STR("b1");
		jobs[i].cancel_on = STR("booking.cancelled");
	}
	jobs[1].due_ms = 5000;
	add(f, jobs, 3);
	assert_int_equal(claim(f, 2000, 10).count, 1);
	event.type = STR("booking.cancelled");
	event.subject = STR("b1");
	assert_int_equal(happen(f, &event, NULL, 0, NULL).cancelled, 1);
	assert_int_equal(state_of(f, &jobs[0]), JOB_READY);
	assert_int_equal(state_of(f, &jobs[1]), JOB_DROPPED);
	assert_int_equal(state_of(f, &jobs[2]), JOB_READY);
	assert_int_equal(claim(f, 2000, 10).count, 1);
}

/* The reminder's first step was still in work when its booking went. */
static void what_was_cancelled_while_in_hand_does_not_begin_to_wait(void **state)
{
	static const struct {
		const char *type, *subject, *also;
		enum job_state becomes;
	} cases[] = {
		{"booking.cancelled", "b1", "", JOB_DROPPED},
		{"booking.cancelled", "b3", "b1", JOB_DROPPED}, /* moved: b3 replaces it */
		{"booking.cancelled", "b2", "", JOB_WAITING},   /* another booking */
		{"booking.created", "b1", "", JOB_WAITING},     /* another type */
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct event_row first = an_event(STR("")), event = an_event(STR(""));
		struct job_row jobs[2] = {a_job(K), a_job(K)};
		first.type = STR("booking.cancelled"); /* of before: does not count */
		first.subject = jobs[0].subject = STR("b1");
		jobs[0].event = first.id;
		happen(f, &first, jobs, 2, NULL);
		assert_int_equal(claim(f, 2000, 10).count, 1);
		event.type = str_of(cases[i].type);
		event.subject = str_of(cases[i].subject);
		event.also = str_of(cases[i].also);
		happen(f, &event, NULL, 0, NULL);
		jobs[0].cancel_on = STR("booking.rescheduled booking.cancelled");
		jobs[0].due_ms = INT64_C(1) << 50;
		save(f, &jobs[0], JOB_WAITING);
		assert_int_equal(state_of(f, &jobs[0]), cases[i].becomes);
		assert_int_equal(claim(f, 2000, 10).count, 1); /* the next one of its key */
		save(f, &jobs[1], JOB_DONE);
	}
}

/* The vendor, or we in a storm, told of the cancellation first. */
static void what_was_cancelled_before_it_was_told_does_not_begin_to_wait(void **state)
{
	static const struct {
		int64_t cancelled_ms;
		enum job_state becomes;
	} cases[] = {{901, JOB_DROPPED}, {900, JOB_WAITING}, {899, JOB_WAITING}};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct event_row made = an_event(STR("")), over = an_event(STR(""));
		struct job_row job = a_job(STR(""));
		made.subject = over.subject = job.subject =
			str_of(arena_printf(f->arena, "early%zu", i));
		made.type = STR("booking.created");
		over.type = job.cancel_on = STR("booking.cancelled");
		over.at_ms = cases[i].cancelled_ms;
		job.event = made.id;
		happen(f, &over, NULL, 0, NULL);
		happen(f, &made, &job, 1, NULL);
		assert_int_equal(claim(f, 2000, 10).count, 1);
		job.due_ms = INT64_C(1) << 50;
		save(f, &job, JOB_WAITING);
		assert_int_equal(state_of(f, &job), cases[i].becomes);
	}
}

/* As if it had come before the job was handed out: the next try would send what nobody wants any
 * more. But what may have been sent is looked up first. */
static void what_was_cancelled_while_in_hand_is_not_tried_again(void **state)
{
	static const struct {
		enum job_state saved;
		bool sent,
			before; /* before: the event comes while the job waits for its next try */
		enum job_state becomes;
	} cases[] = {
		{JOB_READY, false, false, JOB_DROPPED},
		{JOB_WAITING, false, false, JOB_DROPPED},
		{JOB_READY, true, false, JOB_READY},
		{JOB_READY, false, true, JOB_DROPPED},
		{JOB_READY, true, true, JOB_READY},
		{JOB_PARKED, false, false, JOB_PARKED},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct event_row first = an_event(STR("")), event = an_event(STR(""));
		struct job_row job = a_job(STR(""));
		const char *uid = arena_printf(f->arena, "b%zu", i);
		first.type = STR("booking.created");
		first.subject = event.subject = job.subject = str_of(uid);
		job.event = first.id;
		happen(f, &first, &job, 1, NULL);
		assert_int_equal(claim(f, 2000, 10).count, 1);
		event.type = job.cancel_on = STR("booking.cancelled");
		job.sent = cases[i].sent;
		job.due_ms = INT64_C(1) << 50;
		if (cases[i].before)
			save(f, &job, cases[i].saved);
		happen(f, &event, NULL, 0, NULL);
		if (!cases[i].before)
			save(f, &job, cases[i].saved);
		assert_int_equal(state_of(f, &job), cases[i].becomes);
		if (job.sent) { /* nothing was sent, as is known now */
			assert_int_equal(claim(f, INT64_C(1) << 51, 10).count, 1);
			job.sent = false;
			save(f, &job, JOB_READY);
			assert_int_equal(state_of(f, &job), JOB_DROPPED);
		}
	}
	assert_int_equal(claim(f, INT64_C(1) << 51, 10).count, 0);
}

/* ---- decided by a person ------------------------------------------------------------------------
 */

static int decide(struct fixture *f, const struct job_row *job, enum job_verdict verdict)
{
	struct store_decide_job op = {
		.job = job->id, .verdict = verdict, .reason = STR("ann: looked at it")};

	return decide_job_now(f, &op);
}

static void a_dead_job_can_be_retried_resent_and_dropped(void **state)
{
	struct fixture *f = *state;
	struct job_row job = a_job(STR(""));

	add(f, &job, 1);
	assert_int_equal(decide(f, &job, VERDICT_RETRY), E_CONFLICT);
	job.sent = true;
	job.tries = 5;
	job.step = 2;
	save(f, &job, JOB_DEAD);
	assert_int_equal(decide(f, &job, VERDICT_RETRY), 0);
	assert_int_equal(state_of(f, &job), JOB_READY);
	assert_int_equal(stored(f, &job).tries, 0);
	assert_int_equal(stored(f, &job).step, 2);
	assert_true(stored(f, &job).sent);
	assert_str(stored(f, &job).reason, "ann: looked at it");
	assert_int_equal(claim(f, clock_now_ms(), 1).count, 1);
	save(f, &job, JOB_PARKED);
	assert_int_equal(decide(f, &job, VERDICT_RESEND), 0);
	assert_false(stored(f, &job).sent);
	save(f, &job, JOB_DEAD);
	assert_int_equal(decide(f, &job, VERDICT_DROP), 0);
	assert_int_equal(state_of(f, &job), JOB_DROPPED);
	assert_int_equal(decide(f, &job, VERDICT_RETRY), E_CONFLICT);
}

static void a_retried_job_waits_behind_who_has_its_key(void **state)
{
	struct fixture *f = *state;
	struct job_row jobs[2] = {a_job(K), a_job(K)};

	add(f, jobs, 2);
	save(f, &jobs[0], JOB_DEAD);
	assert_int_equal(decide(f, &jobs[0], VERDICT_RETRY), 0);
	assert_int_equal(state_of(f, &jobs[0]), JOB_QUEUED);
	assert_int_equal(save(f, &jobs[1], JOB_DONE).promoted, 1);
	assert_int_equal(state_of(f, &jobs[0]), JOB_READY);
}

static void dropping_a_strict_parked_job_passes_its_key_on(void **state)
{
	struct fixture *f = *state;
	struct job_row jobs[2] = {a_job(K), a_job(K)};

	jobs[0].strict = true;
	add(f, jobs, 2);
	save(f, &jobs[0], JOB_PARKED);
	assert_int_equal(decide(f, &jobs[0], VERDICT_DROP), 0);
	assert_int_equal(state_of(f, &jobs[1]), JOB_READY);
}

/* Put off by a clock that was five hours ahead: such a job does not wait for five hours. One that
 * was put off by today's clock, or waits for an instant, does. */
static void a_clock_that_was_put_back_keeps_nobody_waiting(void **state)
{
	struct fixture *f = *state;
	int64_t now = clock_now_ms(), ahead = now + 5 * 3600000;
	struct job_row jobs[] = {a_job(STR("")), a_job(STR("")), a_job(STR(""))};
	struct store_add_jobs op = {.jobs = jobs, .job_count = 3};
	struct store_hasten_jobs hasten = {.fail = STR("")};
	struct store_claim got;

	for (int i = 0; i < 3; i++)
		jobs[i].due_ms = ahead + 500;
	jobs[0].updated_ms = jobs[2].updated_ms = ahead;
	jobs[1].updated_ms = now;
	jobs[2].state = JOB_WAITING;
	assert_int_equal(add_jobs_now(f, &op), 0);
	assert_int_equal(claim(f, now + 60000, 10).count, 0);
	assert_int_equal(hasten_jobs_now(f, &hasten), 0);
	got = claim(f, now + 60000, 10);
	assert_int_equal(got.count, 1);
	assert_memory_equal(&got.claimed[0].job.id, &jobs[0].id, sizeof(struct id));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(jobs_of_one_key_run_one_after_another),
		STORE_TEST(keys_of_two_tenants_and_no_key_at_all_are_independent),
		STORE_TEST(waiting_and_parked_jobs_let_go_of_their_key),
		STORE_TEST(strict_jobs_keep_their_key_while_they_wait),
		STORE_TEST(a_job_for_later_waits_and_takes_no_key_unless_strict),
		STORE_TEST(one_that_comes_back_waits_behind_who_has_the_key),
		STORE_TEST(a_job_is_handed_out_once_until_it_is_saved),
		STORE_TEST(a_kept_claim_is_not_handed_out_again),
		STORE_TEST(after_a_restart_what_was_running_is_handed_out_again),
		STORE_TEST(the_oldest_due_come_first_of_ready_and_waiting_ones),
		STORE_TEST(an_operation_may_claim_what_it_inserts),
		STORE_TEST(a_failed_operation_keeps_no_claim),
		STORE_TEST(a_second_job_of_one_dedupe_is_not_inserted),
		STORE_TEST(a_saved_job_is_stored_as_it_is),
		STORE_TEST(a_finished_job_cannot_be_saved_nor_an_unknown_one),
		STORE_TEST(a_step_saves_all_it_did_at_once),
		STORE_TEST(an_event_that_regards_a_sent_job_makes_it_ready_with_the_answer),
		STORE_TEST(an_event_closes_a_parked_job_but_none_that_was_not_sent),
		STORE_TEST(an_answer_of_another_tenant_closes_nothing),
		STORE_TEST(an_answer_goes_on_with_the_story_of_its_job),
		STORE_TEST(an_answer_that_is_no_json_is_refused_with_its_event),
		STORE_TEST(an_answer_to_a_job_in_hand_counts_if_its_own_outcome_is_unknown),
		STORE_TEST(an_answer_to_a_job_in_hand_is_forgotten_if_the_job_knows_better),
		STORE_TEST(an_answer_kept_beside_a_job_survives_a_crash),
		STORE_TEST(an_event_drops_the_jobs_that_name_it_and_its_subject),
		STORE_TEST(a_job_in_hand_is_not_cancelled_and_a_cancelled_one_passes_its_key_on),
		STORE_TEST(what_was_cancelled_while_in_hand_does_not_begin_to_wait),
		STORE_TEST(what_was_cancelled_while_in_hand_is_not_tried_again),
		STORE_TEST(what_was_cancelled_before_it_was_told_does_not_begin_to_wait),
		STORE_TEST(a_dead_job_can_be_retried_resent_and_dropped),
		STORE_TEST(a_retried_job_waits_behind_who_has_its_key),
		STORE_TEST(dropping_a_strict_parked_job_passes_its_key_on),
		STORE_TEST(a_clock_that_was_put_back_keeps_nobody_waiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
