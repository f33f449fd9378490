/* expr_sandbox.c - the locked-down connection in which expressions run.
 *
 * Never opens a file (the VFS refuses each, also the temporary ones, which bounds what a query can
 * pile up), never writes, never sees another clock than the run's. One thread: the engine's.
 */
#include "pipeline/expr_i.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/error.h"

#define OPS_MAX 500000 /* virtual machine instructions, some 10 ms: a replay stops at the same */
#define TICK_OPS 100   /* of them between two questions whether to go on */
#define CPU_MAX_NS 150000000   /* and in case single instructions take long */
#define LONG_TEXT (128 * 1024) /* with these they do: then ask more often */
#define LONG_TICK_OPS 5
#define LENGTH_BASE (256 * 1024)

/* What may be called. Left out with intent: printf and format (a width of 1e9), random*, zeroblob,
 * likelihood, load_extension, sqlite_*, fts and rtree helpers, last_insert_rowid, changes. */
const char *const sandbox_functions[] = {
	"->",
	"->>",
	"abs",
	"acos",
	"acosh",
	"asin",
	"asinh",
	"atan",
	"atan2",
	"atanh",
	"avg",
	"ceil",
	"ceiling",
	"char",
	"clock",
	"coalesce",
	"cos",
	"cosh",
	"count",
	"current_date",
	"current_time",
	"current_timestamp",
	"date",
	"datetime",
	"day",
	"degrees",
	"exp",
	"floor",
	"glob",
	"group_concat",
	"hex",
	"ifnull",
	"iif",
	"instr",
	"json",
	"json_array",
	"json_array_length",
	"json_extract",
	"json_group_array",
	"json_group_object",
	"json_insert",
	"json_object",
	"json_patch",
	"json_quote",
	"json_remove",
	"json_replace",
	"json_set",
	"json_type",
	"json_valid",
	"julianday",
	"length",
	"like",
	"ln",
	"local",
	"log",
	"log10",
	"log2",
	"lower",
	"ltrim",
	"max",
	"min",
	"mod",
	"nullif",
	"pi",
	"pow",
	"power",
	"quote",
	"radians",
	"replace",
	"round",
	"rtrim",
	"sign",
	"sin",
	"sinh",
	"sqrt",
	"strftime",
	"substr",
	"substring",
	"sum",
	"tan",
	"tanh",
	"time",
	"total",
	"trim",
	"trunc",
	"typeof",
	"unicode",
	"unixepoch",
	"upper",
	NULL,
};

/* ---- VFS ---------------------------------------------------------------------------------- */

static int refuse_open(
	sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags, int *out_flags)
{
	(void)vfs;
	(void)name;
	(void)flags;
	(void)out_flags;
	file->pMethods = NULL;
	return SQLITE_CANTOPEN;
}

static int refuse_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	(void)vfs;
	(void)name;
	(void)sync;
	return SQLITE_IOERR;
}

static int nothing_there(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
	(void)vfs;
	(void)name;
	(void)flags;
	*out = 0;
	return SQLITE_OK;
}

static int copy_path(sqlite3_vfs *vfs, const char *name, int size, char *out)
{
	(void)vfs;
	snprintf(out, (size_t)size, "%s", name);
	return SQLITE_OK;
}

/* Nothing here may be random: a replay must give the same. */
static int no_randomness(sqlite3_vfs *vfs, int n, char *out)
{
	(void)vfs;
	memset(out, 0, (size_t)n);
	return n;
}

static int no_sleep(sqlite3_vfs *vfs, int microseconds)
{
	(void)vfs;
	return microseconds;
}

static int run_clock(sqlite3_vfs *vfs, sqlite3_int64 *julian_ms)
{
	struct expr_engine *engine = vfs->pAppData;

	*julian_ms = engine->now_ms + INT64_C(210866760000000);
	return SQLITE_OK;
}

static int run_clock_days(sqlite3_vfs *vfs, double *julian_days)
{
	struct expr_engine *engine = vfs->pAppData;

	*julian_days = (double)engine->now_ms / 86400000.0 + 2440587.5;
	return SQLITE_OK;
}

static int add_vfs(struct expr_engine *engine)
{
	snprintf(engine->vfs_name, sizeof(engine->vfs_name), "klinke-expr-%p", (void *)engine);
	engine->vfs = (sqlite3_vfs){
		.iVersion = 2,
		.szOsFile = sizeof(sqlite3_file),
		.mxPathname = 64,
		.zName = engine->vfs_name,
		.pAppData = engine,
		.xOpen = refuse_open,
		.xDelete = refuse_delete,
		.xAccess = nothing_there,
		.xFullPathname = copy_path,
		.xRandomness = no_randomness,
		.xSleep = no_sleep,
		.xCurrentTime = run_clock_days,
		.xCurrentTimeInt64 = run_clock,
	};
	if (sqlite3_vfs_register(&engine->vfs, 0) != SQLITE_OK)
		return E_NOMEM;
	engine->vfs_known = true;
	return 0;
}

/* ---- authorizer --------------------------------------------------------------------------- */

static bool is_function(const char *name)
{
	size_t i;

	for (i = 0; sandbox_functions[i]; i++)
		if (strcasecmp(name, sandbox_functions[i]) == 0)
			return true;
	return false;
}

static int deny(struct expr_engine *engine, const char *what, const char *name)
{
	if (!engine->denied[0])
		snprintf(engine->denied, sizeof(engine->denied), "%s %s", what, name ? name : "");
	return SQLITE_DENY;
}

static int authorize(void *arg, int action, const char *a, const char *b, const char *schema,
	const char *trigger)
{
	struct expr_engine *engine = arg;

	(void)schema;
	(void)trigger;
	switch (action) {
	case SQLITE_SELECT:
		return SQLITE_OK;
	case SQLITE_READ:
		if (a && (strcmp(a, "json_each") == 0 || strcmp(a, "json_tree") == 0))
			return SQLITE_OK;
		return deny(engine, "table", a);
	case SQLITE_FUNCTION:
		return b && is_function(b) ? SQLITE_OK : deny(engine, "function", b);
	default:
		return deny(engine, "this table or", "statement");
	}
}

/* ---- bounds ------------------------------------------------------------------------------- */

static int64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* The processor's clock, not the wall's: a busy machine must not change what an expression gives.
 */
static int ask_to_go_on(void *arg)
{
	struct expr_engine *engine = arg;
	int64_t now = cpu_ns();

	if (!engine->ops)
		engine->cpu_end_ns = now + CPU_MAX_NS;
	engine->ops += engine->tick_ops;
	engine->stopped = engine->ops > OPS_MAX || now > engine->cpu_end_ns;
	return engine->stopped;
}

/* Texts may grow to twice what came in: enough for every rewriting, too little for doubling. */
void sandbox_begin(struct expr_engine *engine, size_t longest)
{
	size_t length = LENGTH_BASE + 2 * (longest < INT32_MAX / 4 ? longest : INT32_MAX / 4);

	engine->ops = 0;
	engine->work = 0;
	engine->stopped = false;
	engine->tick_ops = longest > LONG_TEXT ? LONG_TICK_OPS : TICK_OPS;
	sqlite3_progress_handler(engine->db, engine->tick_ops, ask_to_go_on, engine);
	sqlite3_limit(engine->db, SQLITE_LIMIT_LENGTH, (int)length);
	sqlite3_limit(engine->plain, SQLITE_LIMIT_LENGTH, (int)length);
}

static void set_limits(sqlite3 *db)
{
	static const int limits[][2] = {
		{SQLITE_LIMIT_LENGTH, LENGTH_BASE},
		{SQLITE_LIMIT_SQL_LENGTH, 32 * 1024},
		{SQLITE_LIMIT_COLUMN, 128},
		{SQLITE_LIMIT_EXPR_DEPTH, 100},
		{SQLITE_LIMIT_COMPOUND_SELECT, 8},
		{SQLITE_LIMIT_VDBE_OP, 10000},
		{SQLITE_LIMIT_FUNCTION_ARG, 64},
		{SQLITE_LIMIT_ATTACHED, 0},
		{SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 128},
		{SQLITE_LIMIT_VARIABLE_NUMBER, 200},
		{SQLITE_LIMIT_TRIGGER_DEPTH, 1},
		{SQLITE_LIMIT_WORKER_THREADS, 0},
	};
	size_t i;

	for (i = 0; i < sizeof(limits) / sizeof(*limits); i++)
		sqlite3_limit(db, limits[i][0], limits[i][1]);
}

/* ---- opening ------------------------------------------------------------------------------ */

static int open_memory(struct expr_engine *engine, sqlite3 **db)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY | SQLITE_OPEN_NOMUTEX;

	return sqlite3_open_v2(":memory:", db, flags, engine->vfs_name);
}

/* Temporary tables go to files, which our VFS refuses, once they outgrow a page cache of 2 MB.
 * "In memory" would let them grow without end. */
static int lock_settings(sqlite3 *db)
{
	static const int settings[][2] = {
		{SQLITE_DBCONFIG_DEFENSIVE, 1},
		{SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
		{SQLITE_DBCONFIG_DQS_DML, 0},
		{SQLITE_DBCONFIG_DQS_DDL, 0},
		{SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
		{SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},
		{SQLITE_DBCONFIG_ENABLE_VIEW, 0},
	};
	size_t i;

	for (i = 0; i < sizeof(settings) / sizeof(*settings); i++)
		if (sqlite3_db_config(db, settings[i][0], settings[i][1], NULL) != SQLITE_OK)
			return SQLITE_ERROR;
	return sqlite3_exec(db, "PRAGMA temp_store = FILE", NULL, NULL, NULL);
}

/* Table-valued functions declare their columns when first named, which the authorizer would
 * refuse. */
static int know_json_tables(sqlite3 *db)
{
	return sqlite3_exec(db, "SELECT 1 FROM json_each('[]'), json_tree('[]')", NULL, NULL, NULL);
}

int sandbox_open(struct error *error, struct expr_engine *engine)
{
	if (add_vfs(engine) != 0 || open_memory(engine, &engine->db) != SQLITE_OK ||
		open_memory(engine, &engine->plain) != SQLITE_OK)
		return error_set(error, E_NOMEM, "no memory for expressions");
	set_limits(engine->db);
	set_limits(engine->plain);
	if (lock_settings(engine->db) != SQLITE_OK || know_json_tables(engine->db) != SQLITE_OK ||
		functions_add(engine) != SQLITE_OK)
		return error_set(error, E_IO,
			"this SQLite cannot be locked down for expressions: %s",
			sqlite3_errmsg(engine->db));
	sqlite3_set_authorizer(engine->db, authorize, engine);
	return 0;
}

void sandbox_close(struct expr_engine *engine)
{
	functions_remove(engine);
	sqlite3_close(engine->plain);
	sqlite3_close(engine->db);
	if (engine->vfs_known)
		sqlite3_vfs_unregister(&engine->vfs);
}
