/* What one tenant asks about another's id costs what it costs to ask about none: the same
 * statements, as many steps of SQLite. So nobody learns by the clock what is not told. */
#include "store_fixture.h"
#include "base/error.h"

#include <sqlite3.h>

#define OTHER STR("praxis-sommer") /* asks; all that is named is TENANT's */
#define OTHER_PHONE STR("praxis-sommer/phone")
#define TRACED 64
/* A row that is found and then not shown is read a little further than none: some five steps, well
 * below a microsecond. */
#define SLACK 16

struct trace {
	char statements[TRACED][96];
	size_t count;
	int steps[TRACED], rows;
};
static struct trace *tracing; /* one thread */

static int on_trace(unsigned kind, void *context, void *p, void *x)
{
	sqlite3_stmt *stmt = p;

	(void)context;
	(void)x;
	if (!tracing)
		return 0;
	if (kind == SQLITE_TRACE_ROW) {
		tracing->rows++;
		return 0;
	}
	assert_true(tracing->count < TRACED);
	tracing->steps[tracing->count] = sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_VM_STEP, 1);
	snprintf(tracing->statements[tracing->count++], sizeof(tracing->statements[0]), "%.95s",
		sqlite3_sql(stmt));
	return 0;
}

static int watch(sqlite3 *db, const char **error, const void *api)
{
	(void)error;
	(void)api;
	return sqlite3_trace_v2(db, SQLITE_TRACE_PROFILE | SQLITE_TRACE_ROW, on_trace, NULL);
}

static int set_up_watched(void **state)
{
	sqlite3_auto_extension((void (*)(void))watch);
	return set_up(state);
}

/* ---- What is there ------------------------------------------------------------------------ */

struct town {
	struct fixture *f;
	struct id event, inbox, job;
};

static void one_office(struct town *t, struct str tenant, struct str connection, const char *call)
{
	struct event_row event = an_event(STR(""));
	struct call_row row = {.tenant = tenant, .connection = connection, .call_id = str_of(call)};
	struct appointment_row booking = {
		.tenant = tenant, .connection = connection, .uid = str_of(call)};
	struct event_change change = {.row = &event, .call = &row, .appointment = &booking};
	struct store_finish_inbox op = {.state = INBOX_DONE, .tenant = tenant, .events = &change};
	struct job_row job = a_job(STR(""));
	struct inbox_row hook = an_inbox_row();
	struct store_append_inbox append = {.row = &hook};

	event.tenant = job.tenant = tenant;
	event.connection = connection;
	event.subject = str_of(call);
	event.correlation = job.correlation = str_of(call);
	hook.connection = connection;
	hook.correlation = str_of(call);
	assert_int_equal(append_inbox_now(t->f, &append), 0);
	op.inbox = event.inbox = hook.id;
	op.event_count = 1;
	if (finish_inbox_now(t->f, &op) != 0)
		fail_msg("%s", op.op.error.text);
	add(t->f, &job, 1);
	t->event = event.id;
	t->inbox = event.inbox;
	t->job = job.id;
}

static struct town build(void **state)
{
	struct town t = {.f = *state};

	for (int i = 0; i < 3; i++)
		one_office(&t, OTHER, OTHER_PHONE, i ? "c_other_1" : "c_other_0");
	one_office(&t, TENANT, PHONE, "c_winter");
	return t;
}

/* ---- Twice the same question -------------------------------------------------------------- */

typedef int (*question)(struct fixture *f, struct str about);

static int traced(struct fixture *f, question ask, struct str about, struct trace *trace)
{
	int rc;

	memset(trace, 0, sizeof(*trace));
	tracing = trace;
	rc = ask(f, about);
	tracing = NULL;
	return rc;
}

static void assert_alike(struct fixture *f, question ask, struct str there, struct str nowhere)
{
	static struct trace a, b;
	int rc;

	traced(f, ask, nowhere, &b); /* once before: statements are prepared */
	rc = traced(f, ask, there, &a);
	assert_int_equal(rc, traced(f, ask, nowhere, &b));
	assert_int_equal(a.count, b.count);
	assert_true(a.count > 0);
	assert_int_equal(a.rows, b.rows);
	for (size_t i = 0; i < a.count; i++) {
		assert_string_equal(a.statements[i], b.statements[i]);
		if (abs(a.steps[i] - b.steps[i]) > SLACK)
			fail_msg("%d steps, %d for what is not there: %s", a.steps[i], b.steps[i],
				a.statements[i]);
	}
}

static int ask_story(struct fixture *f, struct str about)
{
	struct story story;
	struct error error;
	return store_story(&error, f->reader, about, OTHER, f->arena, &story);
}

static struct str text_of(const struct id *id, char text[ID_TEXT])
{
	id_text(text, id);
	return str_of(text);
}

/* The end differs, the beginning (the time) does not. */
static struct id like(const struct id *id)
{
	struct id other = *id;
	other.b[15] ^= 0x5a;
	return other;
}

static void a_story_by_any_id(void **state)
{
	struct town t = build(state);
	const struct id *ids[] = {&t.event, &t.inbox, &t.job};
	char there[ID_TEXT], nowhere[ID_TEXT];

	for (size_t i = 0; i < 3; i++) {
		struct id decoy = like(ids[i]);
		text_of(ids[i], there);
		text_of(&decoy, nowhere);
		assert_alike(t.f, ask_story, str_of(there), str_of(nowhere));
		assert_alike(t.f, ask_story, str_of(there + 24), str_of(nowhere + 24));
	}
	assert_alike(t.f, ask_story, STR("c_winter"), STR("c_wunter"));
	assert_int_equal(ask_story(t.f, STR("c_winter")), E_NOTFOUND);
	assert_int_equal(ask_story(t.f, STR("c_other_0")), 0); /* its own is there */
}

/* ---- Lists -------------------------------------------------------------------------------- */

static struct store_filter *filter; /* of the lists */
static struct str *blank;           /* its member that says about what */

static int ask_lists(struct fixture *f, struct str about)
{
	struct inbox_row *inbox;
	struct event_row *events;
	struct job_row *jobs;
	struct call_row *calls;
	struct appointment_row *appointments;
	size_t n = 0, sum = 0;
	int rc;

	*blank = about;
	rc = store_list_inbox(NULL, f->reader, filter, f->arena, &inbox, &n);
	sum += n;
	rc |= store_list_events(NULL, f->reader, filter, f->arena, &events, &n);
	sum += n;
	rc |= store_list_jobs(NULL, f->reader, filter, f->arena, &jobs, &n);
	sum += n;
	rc |= store_list_calls(NULL, f->reader, filter, f->arena, &calls, &n);
	sum += n;
	rc |= store_list_appointments(NULL, f->reader, filter, f->arena, &appointments, &n);
	return rc ? rc : (int)(sum + n);
}

static void lists_narrowed_by_what_is_anothers(void **state)
{
	struct town t = build(state);
	struct store_filter f = {.tenant = OTHER};

	filter = &f;
	blank = &f.connection;
	assert_alike(t.f, ask_lists, PHONE, STR("praxis-wunter/phone"));
	f.connection = (struct str){0};
	blank = &f.subject;
	assert_alike(t.f, ask_lists, STR("c_winter"), STR("c_wunter"));
	f.subject = (struct str){0};
	blank = &f.correlation;
	assert_alike(t.f, ask_lists, STR("c_winter"), STR("c_wunter"));
	f.correlation = (struct str){0};
	blank = &f.pipeline;
	assert_alike(t.f, ask_lists, STR("praxis-winter/x"), STR("praxis-wunter/x"));
}

static int ask_pages(struct fixture *f, struct str about)
{
	struct store_filter page = {.tenant = OTHER};
	struct event_row *events;
	struct job_row *jobs;
	struct inbox_row *inbox;
	size_t n[3];

	assert_true(id_parse(&page.before, about));
	if (store_list_events(NULL, f->reader, &page, f->arena, &events, &n[0]) ||
		store_list_jobs(NULL, f->reader, &page, f->arena, &jobs, &n[1]) ||
		store_list_inbox(NULL, f->reader, &page, f->arena, &inbox, &n[2]))
		return -1;
	return (int)(n[0] + n[1] + n[2]);
}

static void pages_behind_what_is_anothers(void **state)
{
	struct town t = build(state);
	const struct id *ids[] = {&t.event, &t.inbox, &t.job};
	char there[ID_TEXT], nowhere[ID_TEXT];

	for (size_t i = 0; i < 3; i++) {
		struct id decoy = like(ids[i]);
		text_of(ids[i], there);
		text_of(&decoy, nowhere);
		assert_alike(t.f, ask_pages, str_of(there), str_of(nowhere));
		assert_int_equal(ask_pages(t.f, str_of(there)), 0);
	}
}

/* ---- Streams and the desk ----------------------------------------------------------------- */

static int ask_place(struct fixture *f, struct str about)
{
	struct error error;
	struct id event;
	int64_t place;

	assert_true(id_parse(&event, about));
	return store_live_place(&error, f->reader, &event, OTHER, &place);
}

static void a_stream_from_anothers_event(void **state)
{
	struct town t = build(state);
	struct id decoy = like(&t.event);
	char there[ID_TEXT], nowhere[ID_TEXT];

	assert_alike(t.f, ask_place, text_of(&t.event, there), text_of(&decoy, nowhere));
	assert_int_equal(ask_place(t.f, str_of(there)), E_NOTFOUND);
}

static int ask_desk(struct fixture *f, struct str about)
{
	struct appointment_query query = {.tenant = OTHER, .connection = about, .to_ms = INT64_MAX};
	struct appointment_row *rows;
	struct hold_row *holds;
	struct slot_day *days;
	size_t n[3];

	if (store_find_appointments(NULL, f->reader, &query, f->arena, &rows, &n[0]) ||
		store_list_holds(
			NULL, f->reader, OTHER, about, 0, INT64_MAX, 0, f->arena, &holds, &n[1]) ||
		store_list_slots(NULL, f->reader, OTHER, about, STR("310455"), 0, 30000, f->arena,
			&days, &n[2]))
		return -1;
	return (int)(n[0] + n[1] + n[2]);
}

static void the_mirror_and_holds_of_anothers_calendar(void **state)
{
	struct town t = build(state);

	assert_alike(t.f, ask_desk, PHONE, STR("praxis-wunter/phone"));
	assert_int_equal(ask_desk(t.f, PHONE), 0);
}

#define WATCHED(name) cmocka_unit_test_setup_teardown(name, set_up_watched, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WATCHED(a_story_by_any_id),
		WATCHED(lists_narrowed_by_what_is_anothers),
		WATCHED(pages_behind_what_is_anothers),
		WATCHED(a_stream_from_anothers_event),
		WATCHED(the_mirror_and_holds_of_anothers_calendar),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
