/* What is old loses what it says, then itself; what somebody may need stays; repeats stay repeats.
 */
#include "store_file.h"
#include "store_plan.h"

#include "store/engine.h"

WAITED(retain)
WAITED(save_answer)

#define DAY_MS (INT64_C(24) * 60 * 60 * 1000)
#define THEN INT64_C(1000) /* when the fixture's rows are from */
#define SAID                                                                                       \
	"{\"call_id\":\"1\",\"transcript\":\"Agent: Guten "                                        \
	"Tag\",\"recording_url\":\"https://a/b\","                                                 \
	"\"analysis\":{\"summary\":\"Termin\"}}"

static const struct keep usual = {
	.ms = {30 * DAY_MS, 60 * DAY_MS, 90 * DAY_MS, 180 * DAY_MS, 400 * DAY_MS}};

/* Passes over everything, `rows` at a time, at THEN + days. Gives the sum of the first pass. */
static struct store_retain pass_of(
	struct fixture *f, const struct keep *keeps, size_t count, int64_t days, unsigned rows)
{
	struct store_retain op = {.keeps = keeps,
		.keep_count = count,
		.now_ms = THEN + days * DAY_MS,
		.trusted = true,
		.rows = rows};
	struct store_retain sum = {.rows = 0};

	do {
		if (retain_now(f, &op) != 0)
			fail_msg("%s", op.op.error.text);
		for (int i = 0; i < KEEP_KINDS; i++)
			sum.freed[i] += op.freed[i];
		sum.swept += op.swept;
		sum.rows++; /* steps */
		op.at = op.next;
		assert_true(sum.rows < 10000);
	} while (!op.over);
	return sum;
}

static struct store_retain pass(struct fixture *f, int64_t days)
{
	return pass_of(f, &usual, 1, days, 0);
}

/* ---- something to forget ------------------------------------------------------------------ */

struct story_of { /* a webhook, its event, and a job of it */
	struct id inbox;
	struct event_row event;
	struct job_row job;
};

static bool finish(struct fixture *f, struct story_of *s, enum inbox_state state)
{
	struct event_change change = {.row = &s->event, .jobs = &s->job, .job_count = 1};
	struct store_finish_inbox op = {.inbox = s->inbox,
		.state = state,
		.tenant = s->event.tenant,
		.events = &change,
		.event_count = 1};

	s->event.inbox = s->inbox;
	s->job.event = s->event.id;
	if (finish_inbox_now(f, &op) != 0)
		fail_msg("%s", op.op.error.text);
	return change.repeat;
}

static struct story_of a_story(struct fixture *f, struct str dedupe, struct str tenant)
{
	struct story_of s = {.inbox = append(f), .event = an_event(dedupe), .job = a_job(STR(""))};

	s.event.tenant = s.job.tenant = tenant;
	s.event.data = STR(SAID);
	s.event.correlation = s.job.correlation = dedupe;
	s.job.input = STR("{\"said\":{\"transcript\":\"x\",\"name\":\"Erika\"}}");
	assert_false(finish(f, &s, INBOX_DONE));
	return s;
}

static void end(struct fixture *f, const struct story_of *s, enum job_state state)
{
	struct attempt_row attempt = {.id = id_new(),
		.job = s->job.id,
		.kind = ATTEMPT_REQUEST,
		.name = STR("get-call"),
		.outcome = STR("answered"),
		.method = STR("GET"),
		.url = STR("https://api.example/v1/call?email=a@b.c"),
		.started_ms = THEN,
		.input = STR("{}"),
		.output = STR("{\"name\":\"Erika\"}")};
	struct job_row row = s->job;
	struct store_save_job op = {.job = &row, .attempts = &attempt, .attempt_count = 1};

	row.state = state;
	row.progress = STR("{\"results\":[[\"call\",{\"transcript\":\"x\",\"cost\":1}]]}");
	assert_int_equal(save_job_now(f, &op), 0);
}

static struct story_of a_done_story(struct fixture *f, struct str dedupe)
{
	struct story_of s = a_story(f, dedupe, TENANT);

	end(f, &s, JOB_DONE);
	return s;
}

/* Something younger behind it: the last row of a table always stays. */
static void something_new(struct fixture *f)
{
	struct story_of s = {.inbox = append(f), .event = an_event(STR("")), .job = a_job(STR(""))};
	char dedupe[ID_TEXT];

	id_text(dedupe, &s.event.id);
	s.event.dedupe = str_of(dedupe);
	s.event.received_ms = s.job.updated_ms = THEN + 3000 * DAY_MS;
	finish(f, &s, INBOX_DONE);
	end(f, &s, JOB_READY);
}

static struct story read_story(struct fixture *f, const struct id *id)
{
	char text[ID_TEXT];
	struct story story;

	id_text(text, id);
	if (store_story(NULL, f->reader, str_of(text), STR(""), f->arena, &story) != 0)
		memset(&story, 0, sizeof(story));
	return story;
}

static int64_t count_of(struct fixture *f, const char *sql)
{
	return number(in(f, "klinke.db"), sql);
}

/* ---- kind by kind ------------------------------------------------------------------------- */

static void nothing_goes_before_its_time(void **state)
{
	struct fixture *f = *state;
	struct story_of s = a_done_story(f, STR("one"));
	struct store_retain sum = pass(f, 29);
	struct story story = read_story(f, &s.event.id);

	for (int i = 0; i < KEEP_KINDS; i++)
		assert_int_equal(sum.freed[i], 0);
	assert_str(story.inbox[0].body, "{\"event\":\"call_ended\",\"name\":\"Erika Mustermann\"}");
	assert_false(story.inbox[0].expired);
	assert_str(story.events[0].data, SAID);
	assert_str(story.attempts[0].output, "{\"name\":\"Erika\"}");
}

static void raw_bytes_go_and_rows_tell_that_they_did(void **state)
{
	struct fixture *f = *state;
	struct story_of s = a_done_story(f, STR("one"));
	struct store_retain sum = pass(f, 31);
	struct store_replay_inbox again = {.inbox = s.inbox};
	struct story story = read_story(f, &s.event.id);

	assert_int_equal(sum.freed[KEEP_RAW], 2);
	assert_int_equal(story.inbox_count, 1);
	assert_true(story.inbox[0].expired);
	assert_false(story.inbox[0].unreadable);
	assert_int_equal(story.inbox[0].body.len + story.inbox[0].headers.len, 0);
	assert_true(story.attempts[0].expired);
	assert_int_equal(story.attempts[0].output.len, 0);
	assert_str(story.attempts[0].url, "https://api.example/v1/call");
	assert_str(story.events[0].data, SAID);
	assert_int_equal(replay_inbox_now(f, &again), E_CONFLICT);
	assert_non_null(strstr(again.op.error.text, "keep_raw"));
}

static void transcript_and_recording_are_cut_out_each_in_its_time(void **state)
{
	struct fixture *f = *state;
	struct story_of s = a_done_story(f, STR("one"));

	assert_int_equal(pass(f, 61).freed[KEEP_TRANSCRIPT], 2);
	assert_str(read_story(f, &s.event.id).events[0].data,
		"{\"call_id\":\"1\",\"recording_url\":\"https://a/b\","
		"\"analysis\":{\"summary\":\"Termin\"}}");
	assert_str(stored(f, &s.job).progress, "{\"results\":[[\"call\",{\"cost\":1}]]}");
	assert_str(stored(f, &s.job).input, "{\"said\":{\"name\":\"Erika\"}}");
	assert_int_equal(pass(f, 91).freed[KEEP_RECORDING], 1);
	assert_str(read_story(f, &s.event.id).events[0].data,
		"{\"call_id\":\"1\",\"analysis\":{\"summary\":\"Termin\"}}");
	assert_int_equal(pass(f, 91).freed[KEEP_TRANSCRIPT], 0);
}

static void then_everything_that_was_said(void **state)
{
	struct fixture *f = *state;
	struct story_of s = a_done_story(f, STR("one"));
	struct event_row event;

	pass(f, 181);
	event = read_story(f, &s.event.id).events[0];
	assert_str(event.data, "{}");
	assert_int_equal(event.person.len, 0);
	assert_str(event.dedupe, "one");
	assert_str(stored(f, &s.job).input, "");
	assert_str(stored(f, &s.job).progress, "{}");
}

static void calls_and_appointments_go_after_their_end(void **state)
{
	struct fixture *f = *state;
	struct call_row call = {.tenant = TENANT, .connection = PHONE, .rank = 2};
	struct appointment_row appointment = {.tenant = TENANT,
		.connection = STR("praxis-winter/calendar"),
		.status = STR("booked"),
		.person = STR("+491713920042")};
	static const int64_t days[] = {0, 300, 500};
	char name[16];

	for (int i = 0; i < 3; i++) {
		struct event_row row = an_event(STR(""));
		struct event_change change = {
			.row = &row, .call = &call, .appointment = &appointment};
		struct store_finish_inbox op = {.inbox = append(f),
			.state = INBOX_DONE,
			.events = &change,
			.event_count = 1};

		snprintf(name, sizeof(name), "%d", i);
		call.call_id = appointment.uid = str_of(name);
		call.started_ms = THEN;
		call.ended_ms = appointment.start_ms = THEN + days[i] * DAY_MS;
		appointment.end_ms = appointment.start_ms + 1000;
		appointment.changed_ms = 1;
		assert_int_equal(finish_inbox_now(f, &op), 0);
	}
	assert_int_equal(pass(f, 181).freed[KEEP_CALL], 2 + 3);
	assert_int_equal(count_of(f, "SELECT count(*) FROM call"), 2);
	assert_int_equal(count_of(f, "SELECT count(*) FROM appointment WHERE uid = '0'"), 0);
	assert_int_equal(pass(f, 481).freed[KEEP_CALL], 2);
	assert_int_equal(count_of(f, "SELECT count(*) FROM appointment WHERE uid = '2'"), 1);
}

/* ---- the rows themselves ------------------------------------------------------------------ */

static void a_chain_goes_from_its_end(void **state)
{
	struct fixture *f = *state;
	struct story_of s = a_story(f, STR("one"), TENANT);
	struct event_row told = an_event(STR("two"));
	struct job_row second = a_job(STR("")), row = s.job;
	struct event_change change = {.row = &told, .jobs = &second, .job_count = 1};
	struct store_save_job op = {.job = &row, .events = &change, .event_count = 1};

	told.job = s.job.id;
	second.event = told.id;
	row.state = JOB_DONE;
	assert_int_equal(save_job_now(f, &op), 0);
	save(f, &second, JOB_DROPPED);
	something_new(f);
	pass(f, 401);
	pass(f, 401);
	assert_int_equal(count_of(f, "SELECT count(*) FROM job"), 1);
	assert_int_equal(count_of(f, "SELECT count(*) FROM event"), 1);
	assert_int_equal(count_of(f, "SELECT count(*) FROM inbox"), 1);
	assert_int_equal(count_of(f, "SELECT count(*) FROM inbox_raw"), 1);
	assert_int_equal(count_of(f, "SELECT count(*) FROM gone"), 2);
	assert_int_equal(count_of(f, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
}

static void a_repeat_of_what_was_deleted_is_a_repeat(void **state)
{
	struct fixture *f = *state;
	struct story_of again = {.event = an_event(STR("one")), .job = a_job(STR(""))};
	struct store_counts counts;

	a_done_story(f, STR("one"));
	something_new(f);
	pass(f, 401);
	assert_int_equal(count_of(f, "SELECT count(*) FROM event"), 1);
	reopen(f);
	again.inbox = append(f);
	assert_true(finish(f, &again, INBOX_DONE));
	assert_int_equal(again.job.state, 0);
	assert_int_equal(store_count(NULL, f->reader, &counts), 0);
	assert_int_equal(counts.jobs[JOB_READY], 1); /* of something_new() */
	again.event.id = id_new();
	again.event.connection = STR("praxis-sommer/phone"); /* another's of the same name is not */
	again.inbox = append(f);
	assert_false(finish(f, &again, INBOX_DONE));
}

static void the_mark_tells_nothing_and_goes_in_its_time(void **state)
{
	struct fixture *f = *state;

	a_done_story(f, STR("uid:noshow:erika@example.org"));
	something_new(f);
	pass(f, 401);
	assert_int_equal(count_of(f, "SELECT count(*) FROM gone"), 1);
	assert_int_equal(count_of(f, "SELECT count(*) FROM event WHERE dedupe LIKE '%erika%'"), 0);
	assert_int_equal(count_of(f, "SELECT length(mark) FROM gone"), 16);
	/* marked by the real clock */
	pass(f, (clock_now_ms() + GONE_KEPT_MS) / DAY_MS + 1);
	assert_int_equal(count_of(f, "SELECT count(*) FROM gone"), 0);
}

static void a_number_does_not_come_again(void **state)
{
	struct fixture *f = *state;
	struct story_of s = a_done_story(f, STR("one"));
	struct event_row alone = an_event(STR("alone"));
	struct event_change change = {.row = &alone};
	struct store_finish_inbox told = {
		.inbox = append(f), .state = INBOX_DONE, .events = &change, .event_count = 1};
	struct store_finish_inbox ignored = {.inbox = append(f), .state = INBOX_IGNORED};

	assert_int_equal(finish_inbox_now(f, &told), 0);
	assert_int_equal(finish_inbox_now(f, &ignored), 0);
	pass(f, 5000);
	pass(f, 5000);
	assert_int_equal(count_of(f, "SELECT max(seq) FROM inbox"), 3);
	assert_int_equal(count_of(f, "SELECT max(seq) FROM event"), 2);
	assert_int_equal(count_of(f, "SELECT max(seq) FROM job"), 1);
	assert_str(read_story(f, &s.event.id).events[0].data, "{}");
}

/* ---- what somebody may need --------------------------------------------------------------- */

static void unfinished_work_keeps_all_it_needs(void **state)
{
	static const enum job_state open[] = {JOB_READY, JOB_WAITING, JOB_PARKED, JOB_DEAD};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(open) / sizeof(*open); i++) {
		char name[16];
		snprintf(name, sizeof(name), "open %zu", i);
		struct story_of s = a_story(f, str_of(name), TENANT);
		struct story story;
		end(f, &s, open[i]);
		something_new(f);
		pass(f, 2000);
		pass(f, 2000);
		story = read_story(f, &s.event.id);
		assert_int_equal(story.inbox_count, 1);
		assert_false(story.inbox[0].expired);
		assert_str(story.events[0].data, SAID);
		assert_str(stored(f, &s.job).input,
			"{\"said\":{\"transcript\":\"x\",\"name\":\"Erika\"}}");
		assert_false(story.attempts[0].expired);
	}
}

static void webhooks_that_nobody_read_stay(void **state)
{
	struct fixture *f = *state;
	struct id fresh = append(f);
	struct story_of s = {
		.inbox = append(f), .event = an_event(STR("one")), .job = a_job(STR(""))};

	finish(f, &s, INBOX_PARKED);
	save(f, &s.job, JOB_DONE);
	something_new(f);
	pass(f, 2000);
	pass(f, 2000);
	assert_false(read_story(f, &fresh).inbox[0].expired);
	assert_false(read_story(f, &s.inbox).inbox[0].expired);
	/* its events would come again if it is replayed */
	assert_int_equal(count_of(f, "SELECT count(*) FROM event WHERE dedupe = 'one'"), 1);
}

static void finished_later_goes_later(void **state)
{
	struct fixture *f = *state;
	struct story_of s = a_story(f, STR("one"), TENANT);

	something_new(f);
	assert_int_equal(pass(f, 500).freed[KEEP_RAW], 0);
	s.job.updated_ms = THEN + 500 * DAY_MS; /* a reminder of an appointment far away */
	end(f, &s, JOB_DONE);
	something_new(f);
	assert_int_equal(pass(f, 501).freed[KEEP_METADATA], 0);
	assert_str(read_story(f, &s.event.id).events[0].data, "{}");
	assert_str(stored(f, &s.job).progress,
		"{\"results\":[[\"call\",{\"transcript\":\"x\",\"cost\":1}]]}");
	assert_int_equal(pass(f, 501 + 400).freed[KEEP_METADATA], 1 + 1 + 1);
}

/* ---- whose, and how long ------------------------------------------------------------------ */

static void each_tenant_has_its_own_times(void **state)
{
	const struct keep keeps[] = {usual,
		{STR("praxis-sommer"), {DAY_MS, DAY_MS, DAY_MS, DAY_MS, 14 * DAY_MS}},
		{STR("praxis-winter"),
			{KEEP_FOREVER, KEEP_FOREVER, KEEP_FOREVER, KEEP_FOREVER, KEEP_FOREVER}}};
	struct fixture *f = *state;
	struct story_of winter = a_done_story(f, STR("winter")), summer, autumn;

	summer = a_story(f, STR("summer"), STR("praxis-sommer"));
	end(f, &summer, JOB_DONE);
	autumn = a_story(f, STR("autumn"), STR("praxis-herbst"));
	end(f, &autumn, JOB_DONE);
	pass_of(f, keeps, 3, 2, 0);
	assert_str(read_story(f, &summer.event.id).events[0].data, "{}");
	assert_str(read_story(f, &autumn.event.id).events[0].data, SAID);
	pass_of(f, keeps, 3, 3000, 0);
	assert_str(read_story(f, &winter.event.id).events[0].data, SAID);
	assert_int_equal(count_of(f, "SELECT count(*) FROM event WHERE dedupe = 'summer'"), 0);
	pass(f, 181); /* the rules change: what was passed over is looked at again */
	assert_str(read_story(f, &winter.event.id).events[0].data, "{}");
}

/* ---- a little at a time ------------------------------------------------------------------- */

static void each_step_is_small_and_a_pass_goes_on_where_it_was(void **state)
{
	enum { N = 40 };
	struct fixture *f = *state;
	struct store_retain op = {
		.keeps = &usual, .keep_count = 1, .now_ms = THEN + 31 * DAY_MS, .rows = 3};
	char names[N][16];

	for (int i = 0; i < N; i++) {
		snprintf(names[i], sizeof(names[i]), "%d", i);
		a_done_story(f, str_of(names[i]));
	}
	for (int i = 0; i < 5; i++, op.at = op.next) {
		assert_int_equal(retain_now(f, &op), 0);
		assert_true(op.freed[KEEP_RAW] <= 3);
	}
	assert_int_equal(count_of(f, "SELECT count(*) FROM inbox WHERE length(lock) = 0"), 15);
	reopen(f); /* as after kill -9: the pass begins anew, what is done is done */
	assert_int_equal(pass_of(f, &usual, 1, 31, 3).freed[KEEP_RAW], 2 * N - 15);
	/* nothing is left to look at: far fewer steps than rows */
	assert_true(pass_of(f, &usual, 1, 31, 3).rows < 200);
	assert_int_equal(count_of(f, "SELECT seq FROM retention WHERE name = 'raw'"), N);
}

static void no_step_reads_a_whole_table(void **state)
{
	struct fixture *f = *state;

	a_done_story(f, STR("one"));
	a_done_story(f, STR("two"));
	something_new(f);
	watch_statements(f->store->conn.db);
	pass(f, 401);
	pass(f, 401);
	assert_true(assert_watched(f->store->conn.db) > 30);
	assert_true(assert_plans(f->store->conn.db) > 20);
}

/* ---- the clock ---------------------------------------------------------------------------- */

static void a_clock_that_jumped_deletes_nothing(void **state)
{
	struct fixture *f = *state;
	struct store_retain op = {.keeps = &usual, .keep_count = 1, .now_ms = THEN + DAY_MS};
	struct story_of s = a_done_story(f, STR("one"));

	assert_int_equal(retain_now(f, &op), 0); /* the first one ever */
	assert_false(op.doubted || op.over);
	op.now_ms += 365 * DAY_MS;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(retain_now(f, &op), 0);
		assert_true(op.doubted && op.over);
		assert_int_equal(op.freed[KEEP_RAW], 0);
	}
	assert_false(read_story(f, &s.event.id).inbox[0].expired);
	op.now_ms = THEN; /* and back */
	assert_int_equal(retain_now(f, &op), 0);
	assert_false(op.doubted);
	op.now_ms = THEN + 365 * DAY_MS;
	op.trusted = true; /* the host was off for a year */
	assert_int_equal(retain_now(f, &op), 0);
	assert_int_equal(op.freed[KEEP_RAW], 1);
	op.trusted = false;
	op.now_ms += DAY_MS;
	assert_int_equal(retain_now(f, &op), 0);
	assert_false(op.doubted);
}

/* ---- the host's own ----------------------------------------------------------------------- */

static void housekeeping_goes_after_a_week(void **state)
{
	const struct keep forever = {
		.ms = {KEEP_FOREVER, KEEP_FOREVER, KEEP_FOREVER, KEEP_FOREVER, KEEP_FOREVER}};
	struct fixture *f = *state;
	struct job_row jobs[4];

	for (int i = 0; i < 4; i++) {
		jobs[i] = a_job(STR(""));
		jobs[i].pipeline = STR("");
		jobs[i].connection = STR("praxis-winter/calendar");
		jobs[i].op = STR("slots");
		jobs[i].subject =
			i == 1 ? STR("poll/praxis-winter/calendar/poll_bookings") : STR("mirror");
	}
	jobs[3].subject = STR("call:1");
	add(f, jobs, 4);
	save(f, &jobs[0], JOB_DONE);
	save(f, &jobs[1], JOB_DONE);
	save(f, &jobs[2], JOB_PARKED);
	save(f, &jobs[3], JOB_DONE);
	something_new(f);
	pass_of(f, &forever, 1, 6, 0);
	assert_int_equal(count_of(f, "SELECT count(*) FROM job"), 5);
	pass_of(f, &forever, 1, 8, 0);
	assert_int_equal(count_of(f, "SELECT count(*) FROM job"), 3);
	assert_int_equal(state_of(f, &jobs[2]), JOB_PARKED);
}

static void old_days_and_answers_are_swept(void **state)
{
	struct fixture *f = *state;
	struct job_row job = a_job(STR(""));
	struct slot_day days[300];
	struct store_save_job op = {.job = &job, .days = days, .day_count = 300};
	struct answer_row answer = {.connection = PHONE, .tenant = TENANT, .result = STR("{}")};
	char dedupe[3][8] = {"a", "b", "c"};

	for (int i = 0; i < 300; i++)
		days[i] = (struct slot_day){.tenant = TENANT,
			.connection = STR("praxis-winter/calendar"),
			.event_type = STR("1"),
			.staff = STR(""),
			.day = 20000 + i,
			.starts = STR("")};
	add(f, &job, 1);
	job.state = JOB_DONE;
	assert_int_equal(save_job_now(f, &op), 0);
	for (int i = 0; i < 3; i++) {
		struct store_save_answer save = {.row = &answer};
		answer.dedupe = str_of(dedupe[i]);
		answer.at_ms = (20100 + i) * DAY_MS + DAY_MS / 2;
		assert_int_equal(save_answer_now(f, &save), 0);
	}
	assert_int_equal(pass_of(f, &usual, 1, 20103, 0).swept, 101 + 1 + 1 /* tally */);
	assert_int_equal(count_of(f, "SELECT min(day) FROM slot"), 20101);
	assert_int_equal(count_of(f, "SELECT count(*) FROM answer"), 2);
}

static void generations_that_nobody_uses_are_swept(void **state)
{
	struct fixture *f = *state;
	struct job_row job = a_job(STR(""));
	char text[32];

	for (int i = 1; i <= 40; i++) {
		struct store_save_generation op = {.text = {0}};
		snprintf(text, sizeof(text), "[tenant a%d]", i);
		op.text = str_of(text);
		assert_int_equal(save_generation_now(f, &op), 0);
		assert_int_equal(op.generation, i);
	}
	job.generation = 7;
	add(f, &job, 1);
	pass(f, 1);
	pass(f, 1);
	pass(f, 1);
	assert_int_equal(count_of(f, "SELECT count(*) FROM generation"), 21 + 1);
	assert_int_equal(count_of(f, "SELECT count(*) FROM generation WHERE number = 7"), 1);
	save(f, &job, JOB_DONE);
	pass(f, 1);
	assert_int_equal(count_of(f, "SELECT count(*) FROM generation WHERE number = 7"), 0);
}

static void attempt_again_and_again(struct fixture *f, const struct job_row *job, unsigned count)
{
	struct job_row row = *job;
	struct attempt_row attempts[100];
	struct store_save_job op = {.job = &row, .attempts = attempts};

	for (row.state = JOB_READY; count; count -= (unsigned)op.attempt_count) {
		op.attempt_count = count < 100 ? count : 100;
		for (size_t i = 0; i < op.attempt_count; i++)
			attempts[i] = (struct attempt_row){.id = id_new(),
				.kind = ATTEMPT_STEP,
				.name = STR("x.list"),
				.outcome = STR("done"),
				.input = STR("{}"),
				.started_ms = THEN};
		if (count <= 100)
			row.state = JOB_DONE;
		assert_int_equal(save_job_now(f, &op), 0);
	}
}

/* A long poll: each pass takes some of its attempts, the last one the job. */
static void a_job_of_many_attempts_goes_too(void **state)
{
	struct fixture *f = *state;
	struct job_row jobs[3] = {a_job(STR("")), a_job(STR("")), a_job(STR(""))};

	add(f, jobs, 3); /* the last attempt of all stays, and the last job */
	attempt_again_and_again(f, &jobs[0], 601);
	attempt_again_and_again(f, &jobs[1], 1);
	for (int i = 0; i < 3; i++)
		pass(f, 1000 + i);
	assert_int_equal(count_of(f, "SELECT count(*) FROM job WHERE seq = 1"), 0);
	assert_int_equal(count_of(f, "SELECT count(*) FROM attempt"), 1);
	attempt_again_and_again(f, &jobs[2], 1);
	pass(f, 1003);
	assert_int_equal(count_of(f, "SELECT count(*) FROM job WHERE seq = 2"), 0);
}

/* Its tree is some fifty times as big. */
static struct str a_big_tree(struct fixture *f, size_t count)
{
	char *text = arena_alloc(f->arena, 2 * count + 100);
	size_t at = (size_t)sprintf(text, "{\"transcript\":\"x\",\"numbers\":[0");

	while (count--) {
		text[at++] = ',';
		text[at++] = '1';
	}
	strcpy(text + at, "]}");
	return str_of(text);
}

/* What does not fit into memory goes as a whole in its time, and holds up nobody. */
static void what_is_too_big_to_be_cut_holds_up_nobody(void **state)
{
	struct fixture *f = *state;
	struct story_of big = {
		.inbox = append(f), .event = an_event(STR("big")), .job = a_job(STR(""))};
	struct story_of small;

	big.event.data = a_big_tree(f, 1500000);
	finish(f, &big, INBOX_DONE);
	save(f, &big.job, JOB_DONE);
	small = a_story(f, STR("small"), TENANT);
	save(f, &small.job, JOB_DONE);
	pass(f, 65);
	assert_str(read_story(f, &big.event.id).events[0].data, "{}");
	assert_str(read_story(f, &small.event.id).events[0].data,
		"{\"call_id\":\"1\",\"recording_url\":\"https://a/b\","
		"\"analysis\":{\"summary\":\"Termin\"}}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(nothing_goes_before_its_time),
		STORE_TEST(raw_bytes_go_and_rows_tell_that_they_did),
		STORE_TEST(transcript_and_recording_are_cut_out_each_in_its_time),
		STORE_TEST(then_everything_that_was_said),
		STORE_TEST(calls_and_appointments_go_after_their_end),
		STORE_TEST(a_chain_goes_from_its_end),
		STORE_TEST(a_repeat_of_what_was_deleted_is_a_repeat),
		STORE_TEST(the_mark_tells_nothing_and_goes_in_its_time),
		STORE_TEST(a_number_does_not_come_again),
		STORE_TEST(unfinished_work_keeps_all_it_needs),
		STORE_TEST(webhooks_that_nobody_read_stay),
		STORE_TEST(finished_later_goes_later),
		STORE_TEST(each_tenant_has_its_own_times),
		STORE_TEST(each_step_is_small_and_a_pass_goes_on_where_it_was),
		STORE_TEST(no_step_reads_a_whole_table),
		STORE_TEST(a_clock_that_jumped_deletes_nothing),
		STORE_TEST(housekeeping_goes_after_a_week),
		STORE_TEST(old_days_and_answers_are_swept),
		STORE_TEST(generations_that_nobody_uses_are_swept),
		STORE_TEST(a_job_of_many_attempts_goes_too),
		STORE_TEST(what_is_too_big_to_be_cut_holds_up_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
