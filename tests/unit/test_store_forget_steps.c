/* Forgetting beside others who wait for the writer: in steps of a bounded size, each of which finds
 * its rows by an index, however much is stored. */
#include "person_kit.h"

#include "store/engine.h"

#define STRANGERS 40000  /* their keys are about 6 MiB */
#define PARKED 3000      /* webhooks, of another tenant */
#define OWN 9            /* that mention her */
#define MOST_STEPS 60000 /* of SQLite's machine, for one operation */

static void fill(struct fixture *f)
{
	char sql[800];

	close_both(f);
	snprintf(sql, sizeof(sql),
		"BEGIN; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "
		"%d) "
		"INSERT INTO person SELECT randomblob(16), 1000 + i, 1, randomblob(60) FROM n; "
		"COMMIT",
		STRANGERS);
	by_hand(in(f, "keys/persons.db"), sql);
	snprintf(sql, sizeof(sql),
		"BEGIN; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "
		"%d) "
		"INSERT INTO inbox SELECT 1000 + i, randomblob(16), 'praxis-sommer', "
		"'praxis-sommer/phone', '', 'POST', '/', '', 1000, 3, 'no JSON', 0, x'' FROM n;"
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) "
		"INSERT "
		"INTO hold (id, tenant, holder, resource, event_type, start_ms, end_ms, "
		"expires_ms, "
		"capacity, seat, state) SELECT randomblob(16), 'praxis-sommer', '~h' || i, 'r', "
		"'e', "
		"i, i + 1, 1000000, 1, 0, 1 FROM n; COMMIT",
		PARKED);
	by_hand(in(f, "klinke.db"), sql);
	open_store(f);
	open_reader(f);
}

static void park(struct fixture *f, const char *body)
{
	struct store_finish_inbox finish = {
		.tenant = TENANT, .state = INBOX_PARKED, .reason = STR("no JSON")};

	finish.inbox = append_of(f, body);
	assert_int_equal(finish_inbox_now(f, &finish), 0);
}

static int count_steps(void *user)
{
	(*(long *)user)++;
	return 0;
}

static void others_get_their_turn_meanwhile(void **state)
{
	struct fixture *f = *state;
	struct store_forget op = {.tenant = TENANT, .person = STR(ANNA), .now_ms = clock_now_ms()};
	unsigned turns = 0;
	long steps, most = 0;

	for (int i = 0; i < OWN; i++)
		park(f, "{broken " ANNA);
	store_call(f, ANNA, "", "call_a");
	fill(f);
	park(f, "and one more of " ANNA);
	sqlite3_progress_handler(f->store->conn.db, 1, count_steps, &steps);
	do {
		steps = 0;
		if (forget_now(f, &op) != 0)
			fail_msg("%s", op.op.error.text);
		most = steps > most ? steps : most;
		turns++;
		park(f, "{whoever comes in between}");
	} while (op.more);
	sqlite3_progress_handler(f->store->conn.db, 0, NULL, NULL);
	assert_true(op.known);
	assert_int_equal(op.events, 1);
	assert_int_equal(op.mentions, OWN + 1);
	assert_true(turns >= PARKED / 512);
	if (most > MOST_STEPS)
		fail_msg("%ld steps in one operation", most);
	op = (struct store_forget){.tenant = TENANT, .person = STR(ANNA), .now_ms = clock_now_ms()};
	assert_int_equal(forget_now(f, &op), 0);
	assert_false(op.known);
	assert_int_equal(op.mentions, 0);
}

/* ---- plans ------------------------------------------------------------------------------- */

static struct {
	char text[64][2000];
	unsigned count;
} said;

static int on_statement(unsigned kind, void *user, void *stmt, void *text)
{
	(void)kind;
	(void)user;
	(void)text;
	assert_true(said.count < 64);
	snprintf(said.text[said.count++], 2000, "EXPLAIN QUERY PLAN %s", sqlite3_sql(stmt));
	return 0;
}

static void no_statement_reads_a_whole_table(void **state)
{
	struct fixture *f = *state;
	struct call anna;
	sqlite3_stmt *plan;
	sqlite3 *db;

	anna = store_call(f, ANNA, MAIL, "call_a");
	work(f, &anna, JOB_PARKED);
	park(f, "{broken " ANNA);
	said.count = 0;
	sqlite3_trace_v2(f->store->conn.db, SQLITE_TRACE_STMT, on_statement, NULL);
	forget(f, ANNA);
	sqlite3_trace_v2(f->store->conn.db, 0, NULL, NULL);
	assert_true(said.count > 15);
	db = database(in(f, "klinke.db"));
	for (unsigned i = 0; i < said.count; i++) {
		if (strstr(said.text[i], "BEGIN") || strstr(said.text[i], "COMMIT") ||
			strstr(said.text[i], "SAVEPOINT") || strstr(said.text[i], "PRAGMA"))
			continue;
		if (sqlite3_prepare_v2(db, said.text[i], -1, &plan, NULL) != SQLITE_OK)
			fail_msg("%s: %s", said.text[i], sqlite3_errmsg(db));
		while (sqlite3_step(plan) == SQLITE_ROW) {
			const char *detail = (const char *)sqlite3_column_text(plan, 3);
			if (strncmp(detail, "SCAN", 4) == 0 && !strstr(detail, "CONSTANT ROW") &&
				!strstr(detail, "SCAN (subquery"))
				fail_msg("%s: %s", detail, said.text[i]);
		}
		sqlite3_finalize(plan);
	}
	sqlite3_close(db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(others_get_their_turn_meanwhile),
		STORE_TEST(no_statement_reads_a_whole_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
