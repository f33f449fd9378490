/* store_plan.h - what SQLite says of the statements that a connection keeps. */
#ifndef STORE_PLAN_H
#define STORE_PLAN_H

#include <sqlite3.h>

#include "store_fixture.h"

static inline void assert_plan(sqlite3 *db, const char *text)
{
	sqlite3_stmt *plan;
	char sql[4096];

	snprintf(sql, sizeof(sql), "EXPLAIN QUERY PLAN %s", text);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &plan, NULL), SQLITE_OK);
	while (sqlite3_step(plan) == SQLITE_ROW) {
		const char *detail = (const char *)sqlite3_column_text(plan, 3);
		if (strncmp(detail, "SCAN", 4) == 0 && !strstr(detail, "CONSTANT ROW") &&
			!strstr(detail, "job_closed")) /* an index of hardly any rows */
			fail_msg("%s: %s", detail, text);
		if (strstr(detail, "TEMP B-TREE"))
			fail_msg("%s: %s", detail, text);
	}
	sqlite3_finalize(plan);
}

/* None of them reads a whole table, or sorts. Gives their number. */
static inline unsigned assert_plans(sqlite3 *db)
{
	sqlite3_stmt *stmt;
	unsigned seen = 0;

	for (stmt = NULL; (stmt = sqlite3_next_stmt(db, stmt));) {
		if (strncmp(sqlite3_sql(stmt), "EXPLAIN", 7) == 0)
			continue;
		assert_plan(db, sqlite3_sql(stmt));
		seen++;
	}
	return seen;
}

#endif
