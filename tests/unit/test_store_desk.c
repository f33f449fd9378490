/* What else the desk reads while a caller waits: answers, the catalogue, jobs that are given back;
 * that none of it is another tenant's, and that all of it is found by an index. */
#include "store_visit.h"
#include "store_plan.h"

#include "store/engine.h"
#include "store/reader.h"

/* ---- answers -----------------------------------------------------------------------------------
 */

static struct answer_row an_answer(struct str dedupe, struct str result)
{
	return (struct answer_row){.connection = PHONE,
		.dedupe = dedupe,
		.tenant = TENANT,
		.outcome = 1,
		.result = result,
		.at_ms = 5};
}

static void the_first_answer_stays(void **state)
{
	struct fixture *f = *state;
	struct answer_row first = an_answer(STR("e1"), STR("{\"say\":\"Um neun.\"}")), got;
	struct answer_row second = an_answer(STR("e1"), STR("{\"say\":\"Um zehn.\"}"));
	struct store_save_answer op = {.row = &first};
	struct job_row job = a_job(STR(""));
	struct store_save_job save = {.job = &job, .answer = &second};

	assert_int_equal(
		store_get_answer(NULL, f->reader, PHONE, STR("e1"), f->arena, &got), E_NOTFOUND);
	assert_int_equal(save_answer_now(f, &op), 0);
	second.outcome = 2;
	op.row = &second;
	assert_int_equal(save_answer_now(f, &op), 0);
	add(f, &job, 1);
	job.state = JOB_DONE;
	assert_int_equal(save_job_now(f, &save), 0);
	assert_int_equal(store_get_answer(NULL, f->reader, PHONE, STR("e1"), f->arena, &got), 0);
	assert_str(got.result, "{\"say\":\"Um neun.\"}");
	assert_str(got.tenant, "praxis-winter");
	assert_int_equal(got.outcome, 1);
	assert_int_equal(got.at_ms, 5);
	assert_int_equal(
		store_get_answer(NULL, f->reader, CALENDAR, STR("e1"), f->arena, &got), E_NOTFOUND);
	assert_int_equal(
		store_get_answer(NULL, f->reader, PHONE, STR("e2"), f->arena, &got), E_NOTFOUND);
}

static void names_persons_and_answers_are_not_in_the_files_in_clear(void **state)
{
	struct fixture *f = *state;
	struct appointment_row row = an_appointment(STR("b1"), AT(9, 0));
	struct answer_row answer = an_answer(STR("e1"), STR("{\"say\":\"Guten Tag, Quendolin\"}"));
	struct store_save_answer op = {.row = &answer};
	char command[200];

	row.name = STR("Theodora Quendolin");
	become(f, &row);
	assert_int_equal(save_answer_now(f, &op), 0);
	assert_str(only(f, TENANT).name, "Theodora Quendolin");
	snprintf(command, sizeof(command), "! grep -rqE 'Quendolin|4930901820' %s", f->directory);
	assert_int_equal(system(command), 0);
	snprintf(command, sizeof(command), "grep -rq 4711 %s", f->directory);
	assert_int_equal(system(command), 0); /* it does look into the right files */
}

/* ---- tenants -----------------------------------------------------------------------------------
 */

static void a_tenant_sees_nothing_of_another_in_any_of_these(void **state)
{
	struct fixture *f = *state;
	struct appointment_row row = an_appointment(STR("b1"), AT(9, 0)), *found;
	struct appointment_query query = {.tenant = OTHER, .person = ERIKA, .to_ms = FOREVER};
	struct slot_day day = a_day(DAY, STR("")), *days;
	struct hold_row hold = a_hold(STR("call:1"), AT(9, 0), AT(9, 30)), *holds;
	struct job_row job = a_job(STR("")), got;
	size_t count;

	job.dedupe = STR("praxis-winter|book|1");
	become(f, &row);
	mirror(f, &day, 1);
	assert_int_equal(book(f, &job, &hold), 0);
	found = find(f, &query, &count);
	assert_int_equal(count, 0);
	assert_null(found);
	query.person = STR("");
	find(f, &query, &count);
	assert_int_equal(count, 0);
	assert_int_equal(store_list_slots(NULL, f->reader, OTHER, CALENDAR, STR("310455"), DAY, DAY,
				 f->arena, &days, &count),
		0);
	assert_int_equal(count, 0);
	holds_of(f, OTHER, &count);
	assert_int_equal(count, 0);
	assert_int_equal(store_list_holds(NULL, f->reader, OTHER, hold.resource, 0, FOREVER, 0,
				 f->arena, &holds, &count),
		0);
	assert_int_equal(count, 0);
	assert_int_equal(store_list_holds_of(
				 NULL, f->reader, OTHER, hold.holder, 0, f->arena, &holds, &count),
		0);
	assert_int_equal(count, 0);
	assert_int_equal(
		store_get_job(NULL, f->reader, OTHER, job.dedupe, f->arena, &got), E_NOTFOUND);
	assert_int_equal(store_get_job(NULL, f->reader, TENANT, job.dedupe, f->arena, &got), 0);
	assert_id(got.id, job.id);
	assert_int_equal(
		store_get_job(NULL, f->reader, TENANT, STR(""), f->arena, &got), E_NOTFOUND);
}

/* ---- the catalogue -----------------------------------------------------------------------------
 */

static struct service_row a_service(struct str name, uint32_t position)
{
	return (struct service_row){.tenant = TENANT,
		.name = name,
		.title = STR("Zahnreinigung"),
		.aliases = STR("[\"Prophylaxe\"]"),
		.connection = CALENDAR,
		.event_type = STR("310455"),
		.length_min = 30,
		.capacity = 1,
		.position = position,
		.price_minor = 8900,
		.currency = STR("EUR"),
		.active = true};
}

static struct branch_row a_branch(struct str tenant, struct str name, struct str numbers)
{
	return (struct branch_row){.tenant = tenant,
		.name = name,
		.title = STR("Mitte"),
		.numbers = numbers,
		.agent_version = -1,
		.state = STR("BE")};
}

static int save_all(
	struct fixture *f, enum catalogue_origin origin, const struct catalogue *catalogue)
{
	struct store_save_catalogue op = {.origin = origin, .catalogue = catalogue};

	return save_catalogue_now(f, &op);
}

static struct catalogue read_all(struct fixture *f, struct str tenant)
{
	struct catalogue catalogue;

	assert_int_equal(store_get_catalogue(NULL, f->reader, tenant, f->arena, &catalogue), 0);
	return catalogue;
}

static void a_catalogue_comes_back_in_its_order_to_its_tenant(void **state)
{
	struct fixture *f = *state;
	struct service_row services[] = {a_service(STR("reinigung"), 2),
		a_service(STR("kontrolle"), 1), a_service(STR("kontrolle"), 1)};
	struct branch_row branches[] = {
		a_branch(TENANT, STR("mitte"), STR("[\"+493011\", \"+493012\"]"))};
	struct override_row overrides[] = {{.tenant = TENANT,
		.branch = STR("mitte"),
		.service = STR("reinigung"),
		.active = -1,
		.length_min = 45,
		.price_minor = -1}};
	struct catalogue in = {.services = services,
				 .service_count = 3,
				 .branches = branches,
				 .branch_count = 1,
				 .overrides = overrides,
				 .override_count = 1},
			 out;

	services[2].tenant = OTHER;
	assert_int_equal(save_all(f, CATALOGUE_INI, &in), 0);
	out = read_all(f, TENANT);
	assert_int_equal(out.service_count, 2);
	assert_str(out.services[0].name, "kontrolle");
	assert_str(out.services[1].name, "reinigung");
	assert_str(out.services[1].aliases, "[\"Prophylaxe\"]");
	assert_str(out.services[1].staff, "[]");
	assert_int_equal(out.services[1].price_minor, 8900);
	assert_int_equal(out.services[1].origin, CATALOGUE_INI);
	assert_true(out.services[1].active);
	assert_int_equal(out.branch_count, 1);
	assert_str(out.branches[0].numbers, "[\"+493011\",\"+493012\"]");
	assert_int_equal(out.branches[0].agent_version, -1);
	assert_str(out.branches[0].state, "BE");
	assert_int_equal(out.override_count, 1);
	assert_int_equal(out.overrides[0].length_min, 45);
	assert_int_equal(out.overrides[0].active, -1);
	out = read_all(f, OTHER);
	assert_int_equal(out.service_count, 1);
	assert_int_equal(out.branch_count + out.override_count, 0);
	out = read_all(f, STR(""));
	assert_int_equal(out.service_count, 3);
	assert_str(out.services[0].tenant, "praxis-sommer");
}

static void rows_of_the_ini_are_replaced_and_a_persons_go_before_them(void **state)
{
	struct fixture *f = *state;
	struct service_row ini[] = {a_service(STR("reinigung"), 1), a_service(STR("kontrolle"), 2)};
	struct service_row person = a_service(STR("reinigung"), 3);
	struct catalogue in = {.services = ini, .service_count = 2},
			 edit = {.services = &person, .service_count = 1}, out;

	person.title = STR("Große Zahnreinigung");
	assert_int_equal(save_all(f, CATALOGUE_INI, &in), 0);
	assert_int_equal(save_all(f, CATALOGUE_PERSON, &edit), 0);
	person.length_min = 60;
	assert_int_equal(save_all(f, CATALOGUE_PERSON, &edit), 0);
	out = read_all(f, TENANT);
	assert_int_equal(out.service_count, 2);
	assert_str(out.services[0].name, "kontrolle");
	assert_str(out.services[1].title, "Große Zahnreinigung");
	assert_int_equal(out.services[1].length_min, 60);
	assert_int_equal(out.services[1].origin, CATALOGUE_PERSON);
	in.services = &ini[0];
	in.service_count = 1;
	assert_int_equal(save_all(f, CATALOGUE_INI, &in), 0);
	out = read_all(f, TENANT);
	assert_int_equal(out.service_count, 1);
	assert_str(out.services[0].title, "Große Zahnreinigung");
	person.name = STR("bleaching");
	person.aliases = STR("[\"cut off");
	assert_int_equal(save_all(f, CATALOGUE_PERSON, &edit), E_INVALID);
	assert_int_equal(read_all(f, TENANT).service_count, 1);
}

static void a_number_is_dialled_to_reach_one_branch_only(void **state)
{
	struct fixture *f = *state;
	struct branch_row mine = a_branch(TENANT, STR("mitte"), STR("[\"+493011\",\"+493011\"]"));
	struct branch_row both[] = {mine, a_branch(OTHER, STR("nord"), STR("[\"+493011\"]"))};
	struct catalogue one = {.branches = &mine, .branch_count = 1},
			 two = {.branches = both, .branch_count = 2},
			 theirs = {.branches = &both[1], .branch_count = 1};
	struct store_save_catalogue op = {.origin = CATALOGUE_PERSON, .catalogue = &theirs};

	assert_int_equal(save_all(f, CATALOGUE_INI, &one), 0);
	assert_int_equal(save_all(f, CATALOGUE_INI, &two), E_CONFLICT);
	assert_int_equal(read_all(f, STR("")).branch_count, 1);
	assert_int_equal(save_catalogue_now(f, &op), E_CONFLICT);
	assert_non_null(strstr(op.op.error.text, "+493011"));
	assert_null(strstr(op.op.error.text, "praxis-winter"));
	/* a person's row of the same branch may have it, and giving it up makes it free */
	assert_int_equal(save_all(f, CATALOGUE_PERSON, &one), 0);
	mine.numbers = STR("");
	assert_int_equal(save_all(f, CATALOGUE_PERSON, &one), 0);
	assert_int_equal(save_catalogue_now(f, &op), 0);
	assert_int_equal(read_all(f, STR("")).branch_count, 2);
}

/* ---- jobs given back ---------------------------------------------------------------------------
 */

static void a_job_that_is_given_back_is_handed_out_again(void **state)
{
	struct fixture *f = *state;
	struct job_row jobs[] = {a_job(STR("")), a_job(STR("")), a_job(STR(""))};
	struct id ids[2];
	struct store_unclaim_jobs op = {.jobs = ids, .job_count = 2};
	struct store_claim claimed;

	add(f, jobs, 3);
	claimed = claim(f, 2000, 2);
	assert_int_equal(claimed.count, 2);
	ids[0] = claimed.claimed[1].job.id;
	ids[1] = jobs[2].id; /* nobody has it */
	assert_int_equal(unclaim_jobs_now(f, &op), 0);
	assert_int_equal(op.unclaimed, 1);
	claimed = claim(f, 2000, 10);
	assert_int_equal(claimed.count, 2);
	assert_id(claimed.claimed[0].job.id, ids[0]);
	assert_id(claimed.claimed[1].job.id, jobs[2].id);
	assert_int_equal(claim(f, 2000, 10).count, 0);
}

static void an_event_that_came_meanwhile_counts_when_a_job_is_given_back(void **state)
{
	struct fixture *f = *state;
	struct job_row job = a_job(STR(""));
	struct store_save_job mark = {.job = &job, .keep_claim = true};
	struct event_row event = an_event(STR("evt"));
	struct event_change change = {.row = &event, .closes = STR("{\"uid\":\"b1\"}")};
	struct store_finish_inbox finish = {
		.state = INBOX_DONE, .tenant = TENANT, .events = &change, .event_count = 1};
	struct store_unclaim_jobs op = {.jobs = &job.id, .job_count = 1};

	add(f, &job, 1);
	job = claim(f, 2000, 1).claimed[0].job;
	job.key = event.regarding = STR("key-1");
	job.sent = true;
	assert_int_equal(save_job_now(f, &mark), 0);
	finish.inbox = append(f);
	assert_int_equal(finish_inbox_now(f, &finish), 0);
	assert_int_equal(unclaim_jobs_now(f, &op), 0);
	job = claim(f, 2000, 1).claimed[0].job;
	assert_false(job.sent);
	assert_non_null(strstr(job.progress.ptr, "b1"));
}

/* ---- by index ----------------------------------------------------------------------------------
 */

/* Each statement that ends tells whether it looked at rows without an index or sorted. */
static int note_scan(unsigned type, void *scans, void *stmt, void *took)
{
	(void)took;
	if (type == SQLITE_TRACE_PROFILE &&
		(sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_FULLSCAN_STEP, 1) > 0 ||
			sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_SORT, 1) > 0)) {
		print_error("scans or sorts: %s\n", sqlite3_sql(stmt));
		++*(unsigned *)scans;
	}
	return 0;
}

/* One of everything the desk does. */
static void work_at_the_desk(struct fixture *f, struct str dedupe, int64_t start_ms)
{
	struct appointment_row row = an_appointment(dedupe, start_ms);
	struct slot_day day = a_day(DAY, STR(""));
	struct hold_row hold = a_hold(STR("call:1"), start_ms, start_ms + HOUR_MS);
	struct answer_row answer = an_answer(dedupe, STR("{}"));
	struct appointment_expect expect = {
		.tenant = TENANT, .connection = CALENDAR, .uid = dedupe, .version = 1};
	struct job_row job = a_job(STR(""));
	struct store_add_jobs op = {
		.jobs = &job, .job_count = 1, .holds = &hold, .hold_count = 1, .expect = &expect};
	struct store_save_job save = {.job = &job,
		.answer = &answer,
		.days = &day,
		.day_count = 1,
		.appointments = &row,
		.appointment_count = 1};
	struct store_free_holds free_all = {.now_ms = 1, .tenant = TENANT, .holder = STR("call:1")};

	become(f, &row);
	assert_int_equal(add_jobs_now(f, &op), 0);
	job.state = JOB_DONE;
	assert_int_equal(save_job_now(f, &save), 0);
	assert_int_equal(free_holds_now(f, &free_all), 0);
}

static void ask_everything(struct fixture *f)
{
	struct appointment_query query = {.tenant = TENANT, .person = ERIKA, .to_ms = FOREVER};
	struct answer_row answer;
	struct hold_row *holds;
	struct job_row job;
	size_t count;

	find(f, &query, &count);
	query.person = STR("");
	find(f, &query, &count);
	assert_true(count > 20);
	slots(f, CALENDAR, DAY, DAY, &count);
	assert_int_equal(count, 1);
	assert_int_equal(hold_count(f), 30);
	assert_int_equal(store_list_holds(NULL, f->reader, TENANT, STR("staff:Dr. Petersen"),
				 AT(9, 0), AT(10, 0), 0, f->arena, &holds, &count),
		0);
	assert_int_equal(store_list_holds_of(NULL, f->reader, TENANT, STR("call:1"), 0, f->arena,
				 &holds, &count),
		0);
	assert_int_equal(store_get_answer(NULL, f->reader, PHONE, STR("b1"), f->arena, &answer), 0);
	store_get_job(NULL, f->reader, TENANT, STR("praxis-winter|x"), f->arena, &job);
	read_all(f, TENANT);
}

static void the_desk_finds_and_writes_all_its_rows_by_an_index(void **state)
{
	struct fixture *f = *state;
	struct service_row services[] = {a_service(STR("a"), 2), a_service(STR("b"), 1)};
	struct catalogue catalogue = {.services = services, .service_count = 2};
	unsigned scans = 0, i;
	char names[40][8];

	assert_int_equal(save_all(f, CATALOGUE_INI, &catalogue), 0);
	sqlite3_trace_v2(f->store->conn.db, SQLITE_TRACE_PROFILE, note_scan, &scans);
	sqlite3_trace_v2(f->reader->conn.db, SQLITE_TRACE_PROFILE, note_scan, &scans);
	for (i = 0; i < 40; i++) {
		snprintf(names[i], sizeof(names[i]), "b%u", i);
		work_at_the_desk(f, str_of(names[i]), AT(9, 0) + i * HOUR_MS);
	}
	for (i = 0; i < 30; i++) {
		struct hold_row hold = a_hold(STR("call:2"), AT(9, 0) + i * HOUR_MS, 0);
		hold.end_ms = hold.start_ms + HOUR_MS;
		assert_int_equal(take(f, &hold, 1), 0);
	}
	ask_everything(f);
	assert_int_equal(scans, 0);
	assert_true(assert_plans(f->reader->conn.db) > 7);
	assert_true(assert_plans(f->store->conn.db) > 18);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(the_first_answer_stays),
		STORE_TEST(names_persons_and_answers_are_not_in_the_files_in_clear),
		STORE_TEST(a_tenant_sees_nothing_of_another_in_any_of_these),
		STORE_TEST(a_catalogue_comes_back_in_its_order_to_its_tenant),
		STORE_TEST(rows_of_the_ini_are_replaced_and_a_persons_go_before_them),
		STORE_TEST(a_number_is_dialled_to_reach_one_branch_only),
		STORE_TEST(a_job_that_is_given_back_is_handed_out_again),
		STORE_TEST(an_event_that_came_meanwhile_counts_when_a_job_is_given_back),
		STORE_TEST(the_desk_finds_and_writes_all_its_rows_by_an_index),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
