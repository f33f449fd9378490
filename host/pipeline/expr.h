/* expr.h - what an operator writes behind `when =` and in mappings: one SQLite expression over the
 * JSON of a run. The language is SQLite's; what is ours is the scope, the clock and the lock.
 *
 * Columns: event, data, raw, call, caller, tenant, result (JSON, NULL if there is none),
 * steps.NAME, now (text, UTC) and start (result's or data's "start"). Read with ->> as in
 * data ->> '$.customer.name'. JSON true and false arrive as 1 and 0.
 * Functions: SQLite's for text, numbers, dates, JSON and aggregates; json_each and json_tree as
 * tables; local(t) and local(t, zone) print an instant in the tenant's zone, or in that one; day(t)
 * and clock(t) as its people say it ("Donnerstag, 26. November 2026", "17:15"). `now` inside date
 * functions is the run's.
 *
 * Nothing else is there: no tables, files, settings, randomness, WITH, comments or parameters. An
 * evaluation is bounded in steps, processor time and memory, each text in it too.
 */
#ifndef PIPELINE_EXPR_H
#define PIPELINE_EXPR_H

#include "base/str.h"

struct arena;
struct error;
struct expr;
struct expr_engine;
struct json;

/* One per thread. NULL: error says why. */
struct expr_engine *expr_engine_create(struct error *error);
void expr_engine_destroy(struct expr_engine *engine); /* takes NULL; after its expressions */

/* step_names: what is visible as steps.NAME, ends with NULL; may be NULL. NULL: not an expression;
 * the error's place is the column in sql, in characters from 1, or empty if unknown. */
struct expr *expr_compile(struct error *error, struct expr_engine *engine, struct str sql,
	const char *const *step_names);
/* Several that compile alone, evaluated together: expr_eval() fills one value for each, and a JSON
 * text that they share is parsed once. NULL: not together (steps.NAME stands in one, or it becomes
 * too much); evaluate them one by one, also if together they fail. */
struct expr *expr_compile_all(struct expr_engine *engine, const struct str *sqls, size_t count);
void expr_free(struct expr *expr); /* takes NULL */

/* The names that may stand in an expression, for suggestions; ends with NULL. */
extern const char *const expr_columns[];

struct expr_step {
	struct str name, json;
};

enum expr_text { EXPR_EVENT, EXPR_CALL, EXPR_CALLER, EXPR_TENANT };

struct expr_scope { /* JSON texts; all lent for the call; ptr NULL: NULL */
	/* Asked for what the expression names, once in an evaluation; NULL: all of these are NULL.
	 * ptr NULL: there is no memory for it. */
	struct str (*text)(void *from, enum expr_text which);
	void *from;
	struct str data, raw;
	struct str result; /* of the last step */
	const struct expr_step *steps; /* those that have run; others are NULL */
	size_t step_count;
	int64_t now_ms;
	const char *zone; /* NULL: UTC */
	const char *language; /* "de", "en"; NULL: "en" */
};

/* 0, *out in the arena: INTEGER and REAL are numbers, TEXT is text, what a JSON function made is
 * that JSON, NULL is NULL. E_INVALID: the expression cannot do that with this data; E_TIMEOUT: it
 * is not done within its bounds; E_NOMEM. Error texts carry nothing of the data. */
int expr_eval(struct error *error, struct expr *expr, const struct expr_scope *scope,
	struct arena *arena, const struct json **out);

/* 1, 0, or an error as above. NULL and 0 are no, other numbers yes; text must be a number, "true"
 * or "false", because SQL would silently take any other for no. */
int expr_test(struct error *error, struct expr *expr, const struct expr_scope *scope);

#endif
