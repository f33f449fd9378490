/* Appointments as events tell them: versions, moves, persons, and what is known of them. */
#include "store_plan.h"
#include "store_visit.h"

#include "store/engine.h"
#include "store/reader.h"

static void a_version_counts_what_has_changed(void **state)
{
	struct fixture *f = *state;
	struct appointment_row row = an_appointment(STR("b1"), AT(9, 0));

	become(f, &row);
	assert_int_equal(only(f, TENANT).version, 1);
	happen(f, &row, STR("the same by webhook"));
	assert_int_equal(only(f, TENANT).version, 1);
	row.changed_ms++;
	row.start_ms += HOUR_MS;
	row.end_ms += HOUR_MS;
	happen(f, &row, STR("moved"));
	assert_int_equal(only(f, TENANT).version, 2);
	row.changed_ms -= 5;
	row.status = STR("cancelled");
	happen(f, &row, STR("older"));
	assert_int_equal(only(f, TENANT).version, 2);
	row.changed_ms += 10;
	happen(f, &row, STR("cancelled"));
	assert_int_equal(only(f, TENANT).version, 3);
	assert_str(only(f, TENANT).status, "cancelled");
	assert_str(only(f, TENANT).vendor_id, "4711");
}

/* The calendar tells only the new one. */
static void what_an_appointment_was_moved_from_stands_no_longer(void **state)
{
	struct fixture *f = *state;
	struct appointment_row old = an_appointment(STR("b1"), AT(9, 0));
	struct appointment_row moved = an_appointment(STR("b2"), AT(11, 0)), *rows;
	struct appointment_query standing = {
		.tenant = TENANT, .to_ms = INT64_MAX, .standing = true};
	size_t count;

	become(f, &old);
	moved.rescheduled_from = STR("b1");
	moved.changed_ms = old.changed_ms + 1;
	happen(f, &moved, STR("moved"));
	assert_int_equal(
		store_find_appointments(NULL, f->reader, &standing, f->arena, &rows, &count), 0);
	assert_int_equal(count, 1);
	assert_str(rows[0].uid, "b2");
	happen(f, &old, STR("the old one, late"));
	assert_int_equal(
		store_find_appointments(NULL, f->reader, &standing, f->arena, &rows, &count), 0);
	assert_int_equal(count, 1);
}

/* Webhooks overtake each other: in each order of an appointment that was moved twice, and of its
 * repeats, the last time stands alone and the other two are known to be free. */
static void a_move_that_comes_before_what_it_moved_leaves_one(void **state)
{
	static const unsigned char orders[][5] = {{0, 1, 2, 0, 1}, {0, 2, 1, 1, 0}, {1, 0, 2, 0, 1},
		{1, 2, 0, 0, 2}, {2, 0, 1, 0, 2}, {2, 1, 0, 1, 0}};
	struct fixture *f = *state;
	struct appointment_query standing = {
		.tenant = TENANT, .to_ms = INT64_MAX, .standing = true};

	for (unsigned o = 0; o < 6; o++) {
		struct appointment_row rows[3], *found;
		char uids[3][16], dedupe[32];
		size_t count;

		for (unsigned i = 0; i < 3; i++) {
			snprintf(uids[i], sizeof(uids[i]), "o%u-b%u", o, i);
			rows[i] = an_appointment(str_of(uids[i]), AT(9 + (int)i, 0));
			rows[i].changed_ms += i;
			if (i)
				rows[i].rescheduled_from = str_of(uids[i - 1]);
		}
		for (unsigned n = 0; n < 5; n++) {
			snprintf(dedupe, sizeof(dedupe), "%u-%u", o, n);
			happen(f, &rows[orders[o][n]], str_of(dedupe));
		}
		found = find(f, &standing, &count);
		if (count != 1 || !str_is(found[0].uid, uids[2]))
			fail_msg("order %u: %zu stand", o, count);
		rows[2].status = STR("cancelled");
		rows[2].changed_ms++;
		happen(f, &rows[2], str_of(uids[2]));
		happen(f, &rows[0], str_of(uids[0])); /* does not stand up again */
		find(f, &standing, &count);
		assert_int_equal(count, 0);
	}
	assert_plans(f->store->conn.db);
}

/* Of another tenant or connection a uid means nothing; and one that was moved in place is itself.
 */
static void only_what_was_moved_yields(void **state)
{
	struct fixture *f = *state;
	struct appointment_row old = an_appointment(STR("b1"), AT(9, 0));
	struct appointment_row moved = an_appointment(STR("b2"), AT(11, 0));
	struct appointment_query standing = {
		.tenant = TENANT, .to_ms = INT64_MAX, .standing = true};
	size_t count;

	moved.rescheduled_from = STR("b1");
	moved.connection = STR("praxis-winter/other");
	happen(f, &moved, STR("1"));
	moved = an_appointment(STR("b3"), AT(11, 0));
	moved.rescheduled_from = STR("b1");
	moved.tenant = STR("praxis-sommer");
	happen(f, &moved, STR("2"));
	old.rescheduled_from = STR("b1");
	happen(f, &old, STR("3"));
	happen(f, &old, STR("4"));
	find(f, &standing, &count);
	assert_int_equal(count, 2);
}

static void what_expects_an_older_version_is_a_conflict_and_stores_nothing(void **state)
{
	struct fixture *f = *state;
	struct appointment_row row = an_appointment(STR("b1"), AT(9, 0));
	struct appointment_expect expect = {
		.tenant = TENANT, .connection = CALENDAR, .uid = STR("b1"), .version = 1};
	struct hold_row hold = a_hold(STR("call:1"), AT(10, 0), AT(10, 30));
	struct job_row job = a_job(STR("")), again;
	struct store_add_jobs op = {
		.jobs = &job, .job_count = 1, .expect = &expect, .holds = &hold, .hold_count = 1};

	assert_int_equal(add_jobs_now(f, &op), E_CONFLICT); /* it is not there */
	become(f, &row);
	row.status = STR("cancelled");
	happen(f, &row, STR("by somebody else"));
	assert_int_equal(add_jobs_now(f, &op), E_CONFLICT);
	assert_int_equal(hold_count(f), 0);
	assert_int_equal(
		store_get_job(NULL, f->reader, TENANT, STR("k"), f->arena, &again), E_NOTFOUND);
	expect.version = 2;
	job.dedupe = STR("praxis-winter|cancel|b1");
	assert_int_equal(add_jobs_now(f, &op), 0);
	assert_int_equal(hold_count(f), 1);
	/* asked once more, when the first has already changed it */
	row.changed_ms++;
	row.status = STR("booked");
	become(f, &row);
	again = job;
	again.id = id_new();
	op.jobs = &again;
	assert_int_equal(add_jobs_now(f, &op), 0);
	assert_int_equal(op.added, 0);
}

static void a_persons_appointments_come_by_start_and_as_they_are_wanted(void **state)
{
	struct fixture *f = *state;
	struct appointment_row rows[] = {an_appointment(STR("b3"), AT(11, 0)),
		an_appointment(STR("b1"), AT(9, 0)), an_appointment(STR("b2"), AT(10, 0)),
		an_appointment(STR("b4"), AT(12, 0)), an_appointment(STR("b5"), AT(8, 0))};
	struct appointment_query query = {
		.tenant = TENANT, .person = ERIKA, .from_ms = AT(9, 0), .to_ms = AT(12, 0)};
	struct appointment_row *found;
	size_t count, i;

	rows[2].status = STR("cancelled");
	rows[4].person = STR("Erika@Example.org");
	for (i = 0; i < 5; i++)
		become(f, &rows[i]);
	found = find(f, &query, &count);
	assert_int_equal(count, 3);
	assert_str(found[0].uid, "b1");
	assert_str(found[0].person, "+4930901820");
	assert_str(found[0].name, "Erika Mustermann");
	assert_str(found[1].uid, "b2");
	assert_str(found[2].uid, "b3");
	query.standing = true;
	found = find(f, &query, &count);
	assert_int_equal(count, 2);
	assert_str(found[1].uid, "b3");
	query.limit = 1;
	find(f, &query, &count);
	assert_int_equal(count, 1);
	query.connection = PHONE;
	find(f, &query, &count);
	assert_int_equal(count, 0);
	query = (struct appointment_query){
		.tenant = TENANT, .person = STR("erika@example.ORG"), .to_ms = FOREVER};
	found = find(f, &query, &count);
	assert_int_equal(count, 1);
	assert_str(found[0].person, "Erika@Example.org");
	query.person = STR("");
	query.from_ms = AT(8, 30);
	find(f, &query, &count);
	assert_int_equal(count, 4);
	query.person = STR("+49309018200");
	find(f, &query, &count);
	assert_int_equal(count, 0);
}

static void what_is_known_of_a_person_is_merged(void **state)
{
	struct fixture *f = *state;
	struct appointment_row row = an_appointment(STR("b1"), AT(9, 0));
	struct appointment_query query = {.tenant = TENANT, .person = ERIKA, .to_ms = FOREVER};
	size_t count;

	row.name = STR("");
	become(f, &row);
	row.changed_ms++;
	row.person = STR("");
	row.name = STR("Erika M.");
	become(f, &row);
	assert_str(only(f, TENANT).person, "+4930901820");
	assert_str(only(f, TENANT).name, "Erika M.");
	row.changed_ms -= 5;
	row.person = STR("+49111");
	row.name = STR("Anybody");
	become(f, &row);
	assert_str(only(f, TENANT).person, "+4930901820");
	assert_str(only(f, TENANT).name, "Erika M.");
	row.changed_ms += 10;
	row.person = row.name = STR("");
	become(f, &row);
	assert_str(only(f, TENANT).name, "Erika M.");
	find(f, &query, &count);
	assert_int_equal(count, 1);
	row.person = STR("+49222");
	become(f, &row);
	assert_str(only(f, TENANT).person, "+49222");
	find(f, &query, &count);
	assert_int_equal(count, 0);
	query.person = row.person;
	find(f, &query, &count);
	assert_int_equal(count, 1);
}

/* The hash of the only appointment of a tenant. */
static void hash_of(struct fixture *f, const char *tenant, unsigned char out[16])
{
	sqlite3_stmt *stmt;
	char sql[120];

	snprintf(sql, sizeof(sql), "SELECT person_hash FROM appointment WHERE tenant = '%s'",
		tenant);
	assert_int_equal(sqlite3_prepare_v2(f->reader->conn.db, sql, -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	assert_int_equal(sqlite3_column_bytes(stmt, 0), 16);
	memcpy(out, sqlite3_column_blob(stmt, 0), 16);
	sqlite3_finalize(stmt);
}

static void a_persons_hash_differs_between_tenants_and_between_stores(void **state)
{
	struct fixture *f = *state, *other = NULL;
	struct appointment_row row = an_appointment(STR("b1"), AT(9, 0));
	unsigned char a[16], b[16], c[16], again[16];

	set_up((void **)&other);
	become(f, &row);
	become(other, &row);
	hash_of(f, "praxis-winter", a);
	hash_of(other, "praxis-winter", b);
	row.tenant = OTHER;
	become(f, &row);
	hash_of(f, "praxis-sommer", c);
	reopen(f);
	row.tenant = TENANT;
	row.changed_ms++;
	become(f, &row);
	hash_of(f, "praxis-winter", again);
	assert_memory_not_equal(a, b, 16);
	assert_memory_not_equal(a, c, 16);
	assert_memory_equal(a, again, 16);
	tear_down((void **)&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(a_version_counts_what_has_changed),
		STORE_TEST(a_move_that_comes_before_what_it_moved_leaves_one),
		STORE_TEST(only_what_was_moved_yields),
		STORE_TEST(what_an_appointment_was_moved_from_stands_no_longer),
		STORE_TEST(what_expects_an_older_version_is_a_conflict_and_stores_nothing),
		STORE_TEST(a_persons_appointments_come_by_start_and_as_they_are_wanted),
		STORE_TEST(what_is_known_of_a_person_is_merged),
		STORE_TEST(a_persons_hash_differs_between_tenants_and_between_stores),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
