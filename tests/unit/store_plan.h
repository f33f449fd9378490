/* store_plan.h - what SQLite says of the statements that a connection keeps. */
#ifndef STORE_PLAN_H
#define STORE_PLAN_H

#include <sqlite3.h>

#include "store_fixture.h"

/* Of these, few rows are ever looked at: there are not many, or the first ones are enough. */
static inline bool is_short_scan(const char *detail)
{
	static const char *const few[] = {
		"CONSTANT ROW", "job_closed", "SCAN retention", "SCAN gone", "SCAN answer"};

	for (size_t i = 0; i < sizeof(few) / sizeof(*few); i++)
		if (strstr(detail, few[i]))
			return true;
	return false;
}

static inline void assert_plan(sqlite3 *db, const char *text)
{
	sqlite3_stmt *plan;
	char sql[4096];

	snprintf(sql, sizeof(sql), "EXPLAIN QUERY PLAN %s", text);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &plan, NULL), SQLITE_OK);
	while (sqlite3_step(plan) == SQLITE_ROW) {
		const char *detail = (const char *)sqlite3_column_text(plan, 3);
		if (strncmp(detail, "SCAN", 4) == 0 && !is_short_scan(detail))
			fail_msg("%s: %s", detail, text);
		if (strstr(detail, "TEMP B-TREE"))
			fail_msg("%s: %s", detail, text);
		/* All rows of an office: only who says so wants them. */
		if (strstr(detail, "_tenant (tenant=?)") && !strstr(text, "_tenant"))
			fail_msg("%s: %s", detail, text);
	}
	sqlite3_finalize(plan);
}

#define WATCHED_MOST 256

static inline char **watched(void)
{
	static char *texts[WATCHED_MOST + 1];
	return texts;
}

static inline int watch_one(unsigned what, void *context, void *stmt, void *text)
{
	const char *sql = sqlite3_sql(stmt);
	char **at = watched();

	(void)what, (void)context, (void)text;
	while (*at && strcmp(*at, sql) != 0)
		at++;
	if (!*at && at < watched() + WATCHED_MOST)
		*at = strdup(sql);
	return 0;
}

/* From now on, also what is not kept; call it while nothing runs. */
static inline void watch_statements(sqlite3 *db)
{
	sqlite3_trace_v2(db, SQLITE_TRACE_STMT, watch_one, NULL);
}

/* As assert_plans(), of all statements since. Ends the watch. */
static inline unsigned assert_watched(sqlite3 *db)
{
	unsigned seen = 0;

	sqlite3_trace_v2(db, 0, NULL, NULL);
	for (char **at = watched(); *at; at++, seen++) {
		if (strncmp(*at, "PRAGMA", 6) != 0 &&
			!strstr(*at,
				"DELETE FROM generation")) /* counts what it would read first */
			assert_plan(db, *at);
		free(*at);
		*at = NULL;
	}
	return seen;
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
