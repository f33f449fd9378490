/* expr_i.h - the inside of expressions, for expr*.c only. */
#ifndef PIPELINE_EXPR_I_H
#define PIPELINE_EXPR_I_H

#include <sqlite3.h>

#include "base/clock.h"
#include "pipeline/expr.h"

/* ---- The sandbox: a connection that can compute and nothing else -------------------------- */

#define GUARDS 9

struct guard { /* a function of SQLite's whose cost is a product of two lengths */
	struct expr_engine *engine;
	sqlite3_stmt *plain;
};

struct expr_engine {
	sqlite3 *db;
	sqlite3 *plain; /* for guarded functions: SQLite's own behind ours of the same name */
	struct guard guards[GUARDS];
	sqlite3_vfs vfs; /* no files, and the run's clock */
	char vfs_name[48];
	bool vfs_known;
	int64_t now_ms;
	const char *zone, *language;
	char now_text[CLOCK_TEXT + 8];
	int ops, tick_ops; /* of the evaluation so far */
	int64_t cpu_end_ns;
	int64_t work; /* in guarded functions */
	bool stopped; /* by one of these */
	char denied[64]; /* the first thing the authorizer refused */
};

int sandbox_open(struct error *error, struct expr_engine *engine);
void sandbox_close(struct expr_engine *engine);
/* Bounds for one evaluation over at most that many bytes. */
void sandbox_begin(struct expr_engine *engine, size_t longest);

/* Names of the functions that may be called; ends with NULL. */
extern const char *const sandbox_functions[];

/* expr_function.c: local(), and guards in front of SQLite's own. */
int functions_add(struct expr_engine *engine);
void functions_remove(struct expr_engine *engine);

/* ---- Reading the text before SQLite does -------------------------------------------------- */

/* Calls word() for everything that could be a name. Refuses what must not reach SQLite inside our
 * own statement: parameters, comments, a semicolon, a bracket that would close ours, WITH. */
struct scan {
	void (*word)(void *arg, struct str word);
	void *arg;
};
int scan_sql(struct error *error, struct str sql, const struct scan *scan);
/* Column of a byte, in characters from 1, as the text of an error's place. */
void scan_place(char out[24], struct str sql, size_t offset);

#endif
