/* Reading: filters, pages, tenants, projections, the story of a thing. */
#include "store_fixture.h"

static void store_event(struct fixture *f, struct event_row *event, const struct call_row *call,
	const struct appointment_row *appointment)
{
	struct event_change change = {.row = event, .call = call, .appointment = appointment};
	struct store_finish_inbox op = {.state = INBOX_DONE,
		.tenant = event->tenant,
		.inbox = append(f),
		.events = &change,
		.event_count = 1};

	event->inbox = op.inbox;
	if (finish_inbox_now(f, &op) != 0)
		fail_msg("%s", op.op.error.text);
}

/* ---- lists ------------------------------------------------------------------------------------
 */

static void lists_are_newest_first_filtered_and_paged(void **state)
{
	struct fixture *f = *state;
	struct event_row events[5], *rows;
	struct store_filter filter = {.limit = 2};
	size_t count, i;

	for (i = 0; i < 5; i++) {
		events[i] = an_event(STR(""));
		events[i].received_ms = 1000 + (int64_t)i;
		events[i].type = i % 2 ? STR("call.started") : STR("call.ended");
		events[i].subject = i % 2 ? STR("call_1") : STR("call_2");
		store_event(f, &events[i], NULL, NULL);
	}
	assert_int_equal(store_list_events(NULL, f->reader, &filter, f->arena, &rows, &count), 0);
	assert_int_equal(count, 2);
	assert_id(rows[0].id, events[4].id);
	assert_id(rows[1].id, events[3].id);
	filter.before = rows[1].id;
	assert_int_equal(store_list_events(NULL, f->reader, &filter, f->arena, &rows, &count), 0);
	assert_int_equal(count, 2);
	assert_id(rows[0].id, events[2].id);
	filter = (struct store_filter){.type = STR("call.ended"),
		.subject = STR("call_2"),
		.connection = PHONE,
		.correlation = STR("c0ffee"),
		.since_ms = 1002,
		.until_ms = 1004};
	assert_int_equal(store_list_events(NULL, f->reader, &filter, f->arena, &rows, &count), 0);
	assert_int_equal(count, 1);
	assert_id(rows[0].id, events[2].id);
	assert_str(rows[0].person, "{\"name\":\"Erika Mustermann\"}");
}

static void a_tenant_sees_nothing_of_another(void **state)
{
	struct fixture *f = *state;
	struct event_row event = an_event(STR(""));
	struct call_row call = {.tenant = TENANT, .connection = PHONE, .call_id = STR("c1")};
	struct appointment_row appointment = {
		.tenant = TENANT, .connection = PHONE, .uid = STR("b1")};
	struct job_row job = a_job(STR(""));
	struct store_filter filter = {.tenant = STR("praxis-sommer")};
	struct inbox_row *inbox;
	struct event_row *events;
	struct job_row *jobs;
	struct call_row *calls;
	struct appointment_row *appointments;
	size_t n[5];
	int round;

	store_event(f, &event, &call, &appointment);
	add(f, &job, 1);
	for (round = 0; round < 2; round++) {
		assert_int_equal(
			store_list_inbox(NULL, f->reader, &filter, f->arena, &inbox, &n[0]), 0);
		assert_int_equal(
			store_list_events(NULL, f->reader, &filter, f->arena, &events, &n[1]), 0);
		assert_int_equal(
			store_list_jobs(NULL, f->reader, &filter, f->arena, &jobs, &n[2]), 0);
		assert_int_equal(
			store_list_calls(NULL, f->reader, &filter, f->arena, &calls, &n[3]), 0);
		assert_int_equal(store_list_appointments(
					 NULL, f->reader, &filter, f->arena, &appointments, &n[4]),
			0);
		assert_int_equal(n[0] + n[1] + n[2] + n[3] + n[4], round ? 5 : 0);
		filter.tenant = TENANT;
	}
}

static void jobs_are_found_by_state_and_by_the_type_of_their_event(void **state)
{
	struct fixture *f = *state;
	struct event_row event = an_event(STR(""));
	struct job_row jobs[3] = {a_job(STR("")), a_job(STR("")), a_job(STR(""))}, *rows;
	struct store_filter filter = {.states = 1u << JOB_DEAD | 1u << JOB_PARKED};
	size_t count;

	store_event(f, &event, NULL, NULL);
	jobs[1].event = event.id;
	add(f, jobs, 3);
	save(f, &jobs[0], JOB_DEAD);
	save(f, &jobs[1], JOB_PARKED);
	assert_int_equal(store_list_jobs(NULL, f->reader, &filter, f->arena, &rows, &count), 0);
	assert_int_equal(count, 2);
	filter.type = STR("call.ended");
	assert_int_equal(store_list_jobs(NULL, f->reader, &filter, f->arena, &rows, &count), 0);
	assert_int_equal(count, 1);
	assert_id(rows[0].id, jobs[1].id);
	filter = (struct store_filter){.pipeline = STR("another")};
	assert_int_equal(store_list_jobs(NULL, f->reader, &filter, f->arena, &rows, &count), 0);
	assert_int_equal(count, 0);
}

static void figures_count_every_state(void **state)
{
	struct fixture *f = *state;
	struct job_row jobs[4] = {a_job(STR("k")), a_job(STR("k")), a_job(STR("")), a_job(STR(""))};
	struct store_counts counts;

	append(f);
	add(f, jobs, 4);
	save(f, &jobs[2], JOB_DONE);
	save(f, &jobs[3], JOB_DEAD);
	assert_int_equal(store_count(NULL, f->reader, &counts), 0);
	assert_int_equal(counts.inbox_new, 1);
	assert_int_equal(counts.jobs[JOB_READY], 1);
	assert_int_equal(counts.jobs[JOB_QUEUED], 1);
	assert_int_equal(counts.jobs[JOB_DONE], 1);
	assert_int_equal(counts.jobs[JOB_DEAD], 1);
	assert_int_equal(counts.oldest_ready_ms, 1000);
}

static void a_reader_sees_what_was_there_and_does_not_stop_the_writer(void **state)
{
	struct fixture *f = *state;
	struct inbox_row *rows;
	struct store_filter filter = {0};
	size_t before, after;

	append(f);
	assert_int_equal(store_list_inbox(NULL, f->reader, &filter, f->arena, &rows, &before), 0);
	append(f);
	assert_int_equal(store_list_inbox(NULL, f->reader, &filter, f->arena, &rows, &after), 0);
	assert_int_equal(before, 1);
	assert_int_equal(after, 2);
	assert_int_equal(rows[0].body.len, 0); /* lists are without bodies */
}

/* ---- projections ------------------------------------------------------------------------------
 */

static struct call_row the_call(struct fixture *f)
{
	struct store_filter filter = {.subject = STR("c1")};
	struct call_row *rows;
	size_t count;

	assert_int_equal(store_list_calls(NULL, f->reader, &filter, f->arena, &rows, &count), 0);
	assert_int_equal(count, 1);
	return rows[0];
}

static void a_late_event_of_a_call_fills_gaps_only(void **state)
{
	struct fixture *f = *state;
	struct event_row events[3] = {an_event(STR("")), an_event(STR("")), an_event(STR(""))};
	struct call_row analyzed = {.tenant = TENANT,
		.connection = PHONE,
		.call_id = STR("c1"),
		.rank = 40,
		.status = STR("analyzed"),
		.ended_ms = 900,
		.data = STR("{\"summary\":\"x\",\"cost\":{\"cents\":12}}")};
	struct call_row started = {.tenant = TENANT,
		.connection = PHONE,
		.call_id = STR("c1"),
		.rank = 10,
		.status = STR("started"),
		.direction = STR("inbound"),
		.started_ms = 100,
		.from = STR("+4930123"),
		.data = STR("{\"summary\":\"\",\"agent\":7}")};
	struct call_row again = {.tenant = TENANT,
		.connection = PHONE,
		.call_id = STR("c1"),
		.rank = 40,
		.person = STR("Erika"),
		.from = STR("+4930999")};
	struct call_row now;

	store_event(f, &events[0], &analyzed, NULL);
	store_event(f, &events[1], &started, NULL);
	now = the_call(f);
	assert_str(now.status, "analyzed");
	assert_int_equal(now.rank, 40);
	assert_str(now.direction, "inbound");
	assert_int_equal(now.started_ms, 100);
	assert_int_equal(now.ended_ms, 900);
	assert_str(now.from, "+4930123");
	assert_str(now.data, "{\"summary\":\"x\",\"agent\":7,\"cost\":{\"cents\":12}}");
	store_event(f, &events[2], &again, NULL);
	now = the_call(f);
	assert_str(now.status, "analyzed");
	assert_str(now.person, "Erika");
	assert_str(now.from, "+4930999"); /* the same rank, but later */
	assert_str(now.data, "{\"summary\":\"x\",\"agent\":7,\"cost\":{\"cents\":12}}");
}

static void an_older_change_of_an_appointment_never_overwrites(void **state)
{
	struct fixture *f = *state;
	struct event_row events[2] = {an_event(STR("")), an_event(STR(""))};
	struct appointment_row cancelled = {.tenant = TENANT,
		.connection = PHONE,
		.uid = STR("b1"),
		.status = STR("cancelled"),
		.changed_ms = 20};
	struct appointment_row booked = {.tenant = TENANT,
		.connection = PHONE,
		.uid = STR("b1"),
		.status = STR("booked"),
		.changed_ms = 10,
		.start_ms = 5000,
		.end_ms = 6000,
		.person = STR("Erika"),
		.key = STR("key-1")};
	struct store_filter filter = {.subject = STR("b1")};
	struct appointment_row *rows;
	size_t count;

	store_event(f, &events[0], NULL, &cancelled);
	store_event(f, &events[1], NULL, &booked);
	assert_int_equal(
		store_list_appointments(NULL, f->reader, &filter, f->arena, &rows, &count), 0);
	assert_int_equal(count, 1);
	assert_str(rows[0].status, "cancelled");
	assert_int_equal(rows[0].changed_ms, 20);
	assert_int_equal(rows[0].start_ms, 5000);
	assert_str(rows[0].person, "Erika");
	assert_str(rows[0].key, "key-1");
}

/* ---- stories ----------------------------------------------------------------------------------
 */

struct tale { /* a webhook, its event, its job, an attempt */
	struct event_row event;
	struct job_row job;
	struct attempt_row attempt;
};

static struct tale tell(struct fixture *f, struct str correlation, struct str subject)
{
	struct tale tale = {.event = an_event(STR("")), .job = a_job(STR(""))};
	struct event_change change = {.row = &tale.event, .jobs = &tale.job, .job_count = 1};
	struct store_finish_inbox op = {
		.state = INBOX_DONE, .tenant = TENANT, .events = &change, .event_count = 1};
	struct store_save_job saved = {
		.job = &tale.job, .attempts = &tale.attempt, .attempt_count = 1};

	op.inbox = tale.event.inbox = append(f);
	tale.event.correlation = tale.job.correlation = correlation;
	tale.event.subject = subject;
	tale.job.event = tale.event.id;
	assert_int_equal(finish_inbox_now(f, &op), 0);
	tale.attempt = (struct attempt_row){.id = id_new(),
		.kind = ATTEMPT_STEP,
		.name = STR("map"),
		.input = STR("in"),
		.more = STR("{\"now\":1}")};
	tale.job.state = JOB_DONE;
	assert_int_equal(save_job_now(f, &saved), 0);
	return tale;
}

static int ask(struct fixture *f, const char *id, const char *tenant, struct story *story)
{
	return store_story(NULL, f->reader, str_of(id), str_of(tenant), f->arena, story);
}

static void assert_whole(const struct story *story, const struct tale *tale)
{
	assert_int_equal(story->inbox_count, 1);
	assert_int_equal(story->event_count, 1);
	assert_int_equal(story->job_count, 1);
	assert_int_equal(story->attempt_count, 1);
	assert_id(story->inbox[0].id, tale->event.inbox);
	assert_true(story->inbox[0].body.len > 0);
	assert_id(story->events[0].id, tale->event.id);
	assert_id(story->jobs[0].id, tale->job.id);
	assert_id(story->attempts[0].id, tale->attempt.id);
	assert_id(story->attempts[0].job, tale->job.id);
	assert_str(story->attempts[0].input, "in");
	assert_str(story->attempts[0].output, "");
	assert_str(story->attempts[0].more, "{\"now\":1}");
}

static void every_id_of_a_story_tells_it_whole(void **state)
{
	struct fixture *f = *state;
	struct tale tale = tell(f, STR("corr-1"), STR("call_1")), other;
	const struct id *ids[] = {
		&tale.event.inbox, &tale.event.id, &tale.job.id, &tale.attempt.id};
	struct story story;
	char text[ID_TEXT];
	size_t i;

	other = tell(f, STR("corr-2"), STR("call_2"));
	for (i = 0; i < 4; i++) {
		id_text(text, ids[i]);
		assert_int_equal(ask(f, text, "", &story), 0);
		assert_whole(&story, &tale);
	}
	assert_int_equal(ask(f, "call_1", "", &story), 0);
	assert_whole(&story, &tale);
	assert_int_equal(ask(f, "corr-2", "", &story), 0);
	assert_whole(&story, &other);
}

static void the_end_of_an_id_is_enough_and_an_ambiguous_one_is_a_conflict(void **state)
{
	struct fixture *f = *state;
	struct tale tale = tell(f, STR("corr-1"), STR("call_1"));
	struct story story;
	char text[ID_TEXT];

	tell(f, STR("corr-2"), STR("call_2"));
	id_text(text, &tale.job.id);
	assert_int_equal(ask(f, text + 36 - 9, "", &story), 0);
	assert_whole(&story, &tale);
	text[8] = '\0'; /* the clock of this minute: all of them */
	assert_int_equal(ask(f, text, "", &story), E_CONFLICT);
	assert_int_equal(ask(f, "abc", "", &story), E_NOTFOUND);
	assert_int_equal(ask(f, "ffffffff-ffff", "", &story), E_NOTFOUND);
}

static void a_story_is_told_to_its_own_tenant_only(void **state)
{
	struct fixture *f = *state;
	struct tale tale = tell(f, STR("corr-1"), STR("call_1"));
	struct story story;
	char text[ID_TEXT];

	id_text(text, &tale.job.id);
	assert_int_equal(ask(f, text, "praxis-sommer", &story), E_NOTFOUND);
	assert_int_equal(ask(f, "call_1", "praxis-sommer", &story), E_NOTFOUND);
	assert_int_equal(ask(f, text, "praxis-winter", &story), 0);
	assert_whole(&story, &tale);
}

static void a_raw_row_that_meant_nothing_has_a_story_too(void **state)
{
	struct fixture *f = *state;
	struct id id = append(f);
	struct story story;
	char text[ID_TEXT];

	id_text(text, &id);
	assert_int_equal(ask(f, text, "", &story), 0);
	assert_int_equal(story.inbox_count, 1);
	assert_int_equal(story.event_count + story.job_count + story.attempt_count, 0);
}

static void a_list_longer_than_its_arena_says_so(void **state)
{
	struct fixture *f = *state;
	struct arena *small = arena_create(2000);
	struct store_filter filter = {0};
	struct job_row jobs[20], *rows;
	struct error error;
	size_t count, i;

	for (i = 0; i < 20; i++)
		jobs[i] = a_job(STR(""));
	add(f, jobs, 20);
	assert_int_equal(
		store_list_jobs(&error, f->reader, &filter, small, &rows, &count), E_NOMEM);
	arena_destroy(small);
	assert_int_equal(store_list_jobs(NULL, f->reader, &filter, f->arena, &rows, &count), 0);
	assert_int_equal(count, 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(lists_are_newest_first_filtered_and_paged),
		STORE_TEST(a_tenant_sees_nothing_of_another),
		STORE_TEST(jobs_are_found_by_state_and_by_the_type_of_their_event),
		STORE_TEST(figures_count_every_state),
		STORE_TEST(a_reader_sees_what_was_there_and_does_not_stop_the_writer),
		STORE_TEST(a_late_event_of_a_call_fills_gaps_only),
		STORE_TEST(an_older_change_of_an_appointment_never_overwrites),
		STORE_TEST(every_id_of_a_story_tells_it_whole),
		STORE_TEST(the_end_of_an_id_is_enough_and_an_ambiguous_one_is_a_conflict),
		STORE_TEST(a_story_is_told_to_its_own_tenant_only),
		STORE_TEST(a_raw_row_that_meant_nothing_has_a_story_too),
		STORE_TEST(a_list_longer_than_its_arena_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
