/* expr.c - compiles and evaluates expressions. An expression becomes the one column of a SELECT
 * whose only source are parameters; those it does not name are not even bound.
 *
 * Never keeps anything of a run. Runs on the engine's thread.
 */
#include "pipeline/expr_i.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"

#define STEPS_MAX 100
#define NOWHERE (1 << 24) /* longer than any statement: nobody is told a place in it */

enum column { EVENT, DATA, RAW, CALL, CALLER, TENANT, RESULT, NOW, START, COLUMNS };

const char *const expr_columns[] = {
	"event",
	"data",
	"raw",
	"call",
	"caller",
	"tenant",
	"result",
	"now",
	"start",
	"steps",
	NULL,
};

struct expr {
	struct expr_engine *engine;
	sqlite3_stmt *stmt;
	int count;           /* of the values it gives */
	int params[COLUMNS]; /* 0: not named */
	size_t step_count;
	struct named_step { /* those that are named */
		char *name;
		int param;
	} * steps;
};

struct expr_engine *expr_engine_create(struct error *error)
{
	struct expr_engine *engine = calloc(1, sizeof(*engine));

	if (!engine) {
		error_set(error, E_NOMEM, "no memory for expressions");
		return NULL;
	}
	if (sandbox_open(error, engine) != 0) {
		expr_engine_destroy(engine);
		return NULL;
	}
	return engine;
}

void expr_engine_destroy(struct expr_engine *engine)
{
	if (!engine)
		return;
	sandbox_close(engine);
	free(engine);
}

void expr_free(struct expr *expr)
{
	size_t i;

	if (!expr)
		return;
	sqlite3_finalize(expr->stmt);
	for (i = 0; i < expr->step_count; i++)
		free(expr->steps[i].name);
	free(expr->steps);
	free(expr);
}

/* ---- compiling: which names stand in it --------------------------------------------------- */

struct compile {
	struct error *error;
	struct expr *expr;
	struct str sql; /* the one in hand */
	const char *const *step_names;
	bool named[COLUMNS], names_steps;
	bool named_steps[STEPS_MAX];
	const char *host_zone; /* where 'localtime' or 'utc' stands */
	struct buf text;
	size_t prefix;
	int params;
};

static bool is_word(struct str word, const char *name)
{
	return strlen(name) == word.len && strncasecmp(word.ptr, name, word.len) == 0;
}

/* May find more than there is, since a quoted text can look like a name; never less. */
static void note_word(void *arg, struct str word)
{
	struct compile *c = arg;
	size_t i;

	for (i = 0; i < COLUMNS; i++)
		c->named[i] |= is_word(word, expr_columns[i]);
	c->names_steps |= is_word(word, "steps");
	for (i = 0; c->step_names && c->step_names[i] && i < STEPS_MAX; i++)
		c->named_steps[i] |= is_word(word, c->step_names[i]);
	if (is_word(word, "localtime") || is_word(word, "utc"))
		c->host_zone = word.ptr;
}

/* ---- compiling: the statement ------------------------------------------------------------- */

static void add_separator(struct compile *c, const char *first)
{
	bool begun = c->text.len && c->text.ptr[c->text.len - 1] == '(';

	buf_add_text(&c->text, begun ? first : ", ");
}

static int column_param(struct compile *c, enum column column)
{
	if (!c->expr->params[column])
		c->expr->params[column] = ++c->params;
	return c->expr->params[column];
}

static void add_columns(struct compile *c)
{
	size_t i;

	buf_add_text(&c->text, " FROM (");
	for (i = 0; i < START; i++) {
		if (!c->named[i])
			continue;
		add_separator(c, "SELECT ");
		buf_printf(&c->text, "?%d AS \"%s\"", column_param(c, (enum column)i),
			expr_columns[i]);
	}
	if (c->named[START]) {
		add_separator(c, "SELECT ");
		buf_printf(&c->text, "coalesce(?%d ->> '$.start', ?%d ->> '$.start') AS \"start\"",
			column_param(c, RESULT), column_param(c, DATA));
	}
	buf_add_text(&c->text, ") AS run");
}

static void add_quoted(struct buf *text, const char *name)
{
	buf_add_text(text, "\"");
	for (; *name; name++)
		buf_add(text, *name == '"' ? "\"\"" : name, *name == '"' ? 2 : 1);
	buf_add_text(text, "\"");
}

static bool keep_step(struct compile *c, const char *name)
{
	struct named_step *step = &c->expr->steps[c->expr->step_count];

	step->name = strdup(name);
	step->param = ++c->params;
	c->expr->step_count += step->name != NULL;
	return step->name != NULL;
}

/* A table of its own, around the other: so a column wins over a step of its name. */
static bool add_steps(struct compile *c)
{
	size_t i;

	buf_add_text(&c->text, ") FROM (");
	for (i = 0; c->step_names[i]; i++) {
		if (!c->named_steps[i])
			continue;
		if (!keep_step(c, c->step_names[i]))
			return false;
		add_separator(c, "SELECT ");
		buf_printf(&c->text, "?%d AS ", c->params);
		add_quoted(&c->text, c->step_names[i]);
	}
	buf_add_text(&c->text, ") AS steps");
	return true;
}

static bool any(const bool *flags, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (flags[i])
			return true;
	return false;
}

static bool write_statement(struct compile *c)
{
	bool steps = c->names_steps && any(c->named_steps, STEPS_MAX), ok = true;

	buf_add_text(&c->text, steps ? "SELECT (SELECT (" : "SELECT (");
	c->prefix = c->text.len;
	buf_add_str(&c->text, c->sql);
	buf_add_text(&c->text, "\n)"); /* on a line of its own, whatever the last one holds */
	if (any(c->named, COLUMNS))
		add_columns(c);
	if (steps) {
		c->expr->steps = calloc(STEPS_MAX, sizeof(*c->expr->steps));
		ok = c->expr->steps && add_steps(c);
	}
	return ok && !c->text.failed;
}

/* ---- compiling: what SQLite says about it ------------------------------------------------- */

/* The word that the message ends with. */
static struct str last_word(const char *message, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(message, prefix, len) == 0 ? str_of(message + len) : (struct str){0};
}

static void complain(struct compile *c, const char *place, const char *what, struct str word,
	const char *nearest, const char *prefix)
{
	if (nearest)
		error_at(c->error, E_INVALID, place, "%s %.*s; did you mean %s%s?", what,
			STR_ARG(word), prefix, nearest);
	else
		error_at(c->error, E_INVALID, place, "%s %.*s", what, STR_ARG(word));
}

/* data.name is what most people write first. */
static bool explain_dot(struct compile *c, const char *place, struct str word)
{
	size_t i, dot = word.len ? strcspn(word.ptr, ".") : 0;

	for (i = 0; i < NOW; i++)
		if (dot < word.len && is_word((struct str){word.ptr, dot}, expr_columns[i])) {
			error_at(c->error, E_INVALID, place, "%s is JSON: write %s ->> '$%s'",
				expr_columns[i], expr_columns[i], word.ptr + dot);
			return true;
		}
	return false;
}

static void explain_column(struct compile *c, const char *place, struct str word)
{
	static const char *const none[] = {NULL};
	const char *nearest = str_nearest(word, expr_columns);
	struct str step = word;

	if (word.len > 6 && strncasecmp(word.ptr, "steps.", 6) == 0) {
		step.ptr += 6;
		step.len -= 6;
		complain(c, place, "no earlier step has the name", step,
			str_nearest(step, c->step_names ? c->step_names : none), "steps.");
	} else if (nearest) {
		complain(c, place, "there is no column", word, nearest, "");
	} else if (!explain_dot(c, place, word)) {
		error_at(c->error, E_INVALID, place,
			"there is no column %.*s; there are event, data, raw, call, caller, "
			"tenant, "
			"result, now, start and steps.NAME, and texts stand in single quotes",
			STR_ARG(word));
	}
}

static void explain(struct compile *c)
{
	const char *message = sqlite3_errmsg(c->expr->engine->db);
	int offset = sqlite3_error_offset(c->expr->engine->db);
	struct str column = last_word(message, "no such column: ");
	struct str function = last_word(message, "no such function: ");
	char place[24] = "";

	if (offset >= (int)c->prefix)
		scan_place(place, c->sql, (size_t)offset - c->prefix);
	if (c->expr->engine->denied[0])
		error_at(c->error, E_INVALID, place, "%s is not available in expressions",
			c->expr->engine->denied);
	else if (offset > (int)(c->prefix + c->sql.len))
		error_at(c->error, E_INVALID, place, "this expression ends too early");
	else if (column.ptr)
		explain_column(c, place, column);
	else if (str_is(function, "json_each") || str_is(function, "json_tree"))
		error_at(c->error, E_INVALID, place,
			"%s is a table: (select value from %s(data, '$.list'))", function.ptr,
			function.ptr);
	else if (function.ptr)
		complain(c, place, "there is no function", function,
			str_nearest(function, sandbox_functions), "");
	else if (strcmp(message, "parser stack overflow") == 0)
		error_at(c->error, E_INVALID, place, "nested too deeply");
	else if (strcmp(message, "out of memory") == 0) /* says SQLite of too many instructions */
		error_at(c->error, E_INVALID, place, "this expression is too long");
	else
		error_at(c->error, E_INVALID, place, "%s", message);
}

static int prepare(struct compile *c)
{
	struct expr *expr = c->expr;
	const char *tail = NULL;

	expr->engine->denied[0] = '\0';
	if (sqlite3_prepare_v3(expr->engine->db, c->text.ptr, (int)c->text.len + 1,
		    SQLITE_PREPARE_PERSISTENT, &expr->stmt, &tail) != SQLITE_OK) {
		explain(c);
		return E_INVALID;
	}
	/* The scan has seen to these; if it and SQLite ever disagree, nothing gets past here. */
	if (!expr->stmt || *tail || sqlite3_column_count(expr->stmt) != expr->count ||
		!sqlite3_stmt_readonly(expr->stmt) ||
		sqlite3_bind_parameter_count(expr->stmt) > c->params)
		return error_set(c->error, E_INVALID, "this is not one expression");
	return 0;
}

static int refuse_host_zone(struct compile *c)
{
	char place[24];

	scan_place(place, c->sql, (size_t)(c->host_zone - c->sql.ptr));
	return error_at(c->error, E_INVALID, place,
		"'localtime' and 'utc' would mean the zone of this "
		"machine; use local(t), which means the tenant's");
}

static int compile(struct compile *c)
{
	const struct scan scan = {note_word, c};
	size_t steps = 0;

	while (c->step_names && c->step_names[steps])
		steps++;
	if (steps > STEPS_MAX)
		return error_set(c->error, E_INVALID, "an expression sees 100 steps at most");
	if (c->sql.len > 16 * 1024)
		return error_set(c->error, E_INVALID, "longer than 16 KB");
	if (!str_utf8_ok(c->sql))
		return error_set(c->error, E_INVALID, "this is not UTF-8");
	if (scan_sql(c->error, c->sql, &scan) != 0)
		return E_INVALID;
	if (c->host_zone)
		return refuse_host_zone(c);
	if (!write_statement(c))
		return error_set(c->error, E_NOMEM, "no memory for this expression");
	c->expr->count = 1;
	return prepare(c);
}

/* As in write_statement(), where there are no steps. */
static int compile_all(struct compile *c, const struct str *sqls, size_t count)
{
	const struct scan scan = {note_word, c};

	for (size_t i = 0; i < count; i++) {
		c->sql = sqls[i];
		if (scan_sql(c->error, c->sql, &scan) != 0)
			return E_INVALID;
		buf_add_text(&c->text, i ? ", (" : "SELECT (");
		buf_add_str(&c->text, c->sql);
		buf_add_text(&c->text, "\n)");
	}
	if (c->names_steps || c->host_zone || count < 2)
		return E_INVALID;
	if (any(c->named, COLUMNS))
		add_columns(c);
	c->expr->count = (int)count;
	return c->text.failed ? E_NOMEM : prepare(c);
}

struct expr *expr_compile_all(struct expr_engine *engine, const struct str *sqls, size_t count)
{
	struct error unused;
	struct compile c = {.error = &unused, .prefix = NOWHERE};
	int failed;

	c.expr = calloc(1, sizeof(*c.expr));
	if (!c.expr)
		return NULL;
	c.expr->engine = engine;
	buf_init(&c.text, 64 * 1024);
	failed = compile_all(&c, sqls, count);
	buf_finish(&c.text);
	if (failed) {
		expr_free(c.expr);
		return NULL;
	}
	return c.expr;
}

struct expr *expr_compile(struct error *error, struct expr_engine *engine, struct str sql,
	const char *const *step_names)
{
	struct compile c = {.error = error, .sql = sql, .step_names = step_names};
	int failed;

	c.expr = calloc(1, sizeof(*c.expr));
	if (!c.expr) {
		error_set(error, E_NOMEM, "no memory for this expression");
		return NULL;
	}
	c.expr->engine = engine;
	buf_init(&c.text, 64 * 1024);
	failed = compile(&c);
	buf_finish(&c.text);
	if (failed) {
		expr_free(c.expr);
		return NULL;
	}
	return c.expr;
}

/* ---- evaluating --------------------------------------------------------------------------- */

static struct str find_step(const struct expr_scope *scope, const char *name)
{
	size_t i;

	for (i = 0; i < scope->step_count; i++)
		if (str_is(scope->steps[i].name, name))
			return scope->steps[i].json;
	return (struct str){0};
}

static int bind(struct expr *expr, int param, struct str text)
{
	return sqlite3_bind_text64(
		expr->stmt, param, text.ptr, text.len, SQLITE_STATIC, SQLITE_UTF8);
}

static int bind_columns(struct expr *expr, const struct str columns[COLUMNS])
{
	int code = SQLITE_OK;
	size_t i;

	for (i = 0; i < COLUMNS && code == SQLITE_OK; i++)
		if (expr->params[i])
			code = bind(expr, expr->params[i], columns[i]);
	return code;
}

static int bind_steps(struct expr *expr, const struct expr_scope *scope)
{
	int code = SQLITE_OK;
	size_t i;

	for (i = 0; i < expr->step_count && code == SQLITE_OK; i++)
		code = bind(expr, expr->steps[i].param, find_step(scope, expr->steps[i].name));
	return code;
}

static size_t longest_text(
	const struct expr *expr, const struct expr_scope *scope, const struct str columns[COLUMNS])
{
	size_t i, longest = 0;

	for (i = 0; i < COLUMNS; i++)
		if (expr->params[i] && columns[i].len > longest)
			longest = columns[i].len;
	for (i = 0; expr->step_count && i < scope->step_count; i++)
		if (scope->steps[i].json.len > longest)
			longest = scope->steps[i].json.len;
	return longest;
}

static bool ask_texts(
	const struct expr *expr, const struct expr_scope *scope, struct str columns[COLUMNS])
{
	static const enum column of[] = {[EXPR_EVENT] = EVENT,
		[EXPR_CALL] = CALL,
		[EXPR_CALLER] = CALLER,
		[EXPR_TENANT] = TENANT};

	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
		if (!expr->params[of[i]])
			continue;
		columns[of[i]] = scope->text(scope->from, (enum expr_text)i);
		if (!columns[of[i]].ptr)
			return false;
	}
	return true;
}

/* What is bound is only lent: it stays in the statement until the next evaluation, unread. */
static int bind_scope(struct expr *expr, const struct expr_scope *scope, struct str now)
{
	struct str columns[COLUMNS] = {
		[DATA] = scope->data,
		[RAW] = scope->raw,
		[RESULT] = scope->result,
		[NOW] = now,
	};
	int code;

	if (scope->text && !ask_texts(expr, scope, columns))
		return SQLITE_NOMEM;
	sandbox_begin(expr->engine, longest_text(expr, scope, columns));
	code = bind_columns(expr, columns);
	return code == SQLITE_OK ? bind_steps(expr, scope) : code;
}

/* SQLite's sentence, up to where it might begin to quote what it was given. */
static int explain_run(struct error *error, struct expr *expr, int code)
{
	struct str message = str_of(sqlite3_errmsg(expr->engine->db));
	size_t quote = strcspn(message.ptr, "'\"");

	if (expr->engine->stopped)
		return error_set(error, E_TIMEOUT, "this expression takes too long");
	switch (code & 0xff) {
	case SQLITE_NOMEM:
		return error_set(error, E_NOMEM, "no memory for this expression");
	case SQLITE_TOOBIG:
		return error_set(error, E_INVALID, "a text in this expression becomes too long");
	case SQLITE_CANTOPEN:
	case SQLITE_IOERR:
	case SQLITE_FULL:
		return error_set(error, E_INVALID, "this expression collects too much at once");
	}
	if (strncmp(message.ptr, "JSON path error", 15) == 0)
		return error_set(
			error, E_INVALID, "a JSON path must look like '$.name' or '$.list[0]'");
	if (quote < message.len && strncmp(message.ptr, "local()", 7) != 0)
		message.len = quote;
	return error_set(error, E_INVALID, "%.*s", STR_ARG(message));
}

static int start(struct error *error, struct expr *expr, const struct expr_scope *scope)
{
	struct expr_engine *engine = expr->engine;
	struct str now = {engine->now_text, 0};
	int code;

	engine->now_ms = scope->now_ms;
	engine->zone = scope->zone ? scope->zone : "UTC";
	engine->language = scope->language;
	if (expr->params[NOW])
		now.len = clock_write(engine->now_text, scope->now_ms, NULL);
	code = bind_scope(expr, scope, now);
	if (code == SQLITE_OK)
		code = sqlite3_step(expr->stmt);
	return code == SQLITE_ROW ? 0 : explain_run(error, expr, code);
}

static struct str column_text(sqlite3_stmt *stmt, int column)
{
	const char *text = (const char *)sqlite3_column_text(stmt, column);

	return (struct str){text, text ? (size_t)sqlite3_column_bytes(stmt, column) : 0};
}

#define JSON_SUBTYPE 74 /* 'J': SQLite's mark on what its JSON functions made */

static int read_text(struct error *error, sqlite3_stmt *stmt, int column, struct arena *arena,
	const struct json **out)
{
	struct error why = {0};
	bool is_json = sqlite3_value_subtype(sqlite3_column_value(stmt, column)) == JSON_SUBTYPE;
	struct str text = column_text(stmt, column);

	if (!text.ptr)
		return error_set(error, E_NOMEM, "no memory for this expression");
	if (!is_json) {
		*out = json_of_text(arena, text);
		return 0;
	}
	*out = json_parse(arena, text, &why);
	if (*out || why.code == E_NOMEM)
		return 0;
	return error_set(
		error, E_INVALID, "the JSON that this expression makes is not valid: %s", why.text);
}

static int read_value(struct error *error, sqlite3_stmt *stmt, int column, struct arena *arena,
	const struct json **out)
{
	int failed = 0;

	*out = NULL;
	switch (sqlite3_column_type(stmt, column)) {
	case SQLITE_NULL:
		return 0;
	case SQLITE_INTEGER:
		*out = json_of_i64(arena, sqlite3_column_int64(stmt, column));
		break;
	case SQLITE_FLOAT:
		*out = json_of_f64(arena, sqlite3_column_double(stmt, column));
		break;
	case SQLITE_TEXT:
		failed = read_text(error, stmt, column, arena, out);
		break;
	default:
		return error_set(error, E_INVALID,
			"this expression gives bytes, not text; use hex() or cast(... as text)");
	}
	if (!failed && arena_failed(arena))
		return error_set(error, E_NOMEM, "no memory for what this expression gives");
	return failed;
}

int expr_eval(struct error *error, struct expr *expr, const struct expr_scope *scope,
	struct arena *arena, const struct json **out)
{
	int failed = start(error, expr, scope);

	for (int i = 0; i < expr->count; i++)
		out[i] = NULL;
	for (int i = 0; i < expr->count && !failed; i++)
		failed = read_value(error, expr->stmt, i, arena, &out[i]);
	sqlite3_reset(expr->stmt);
	return failed;
}

static int truth_of_text(struct error *error, struct str text)
{
	char *end;
	double d;

	if (str_is(text, "true") || str_is(text, "false"))
		return text.len == 4;
	d = text.len ? strtod(text.ptr, &end) : 0;
	if (text.len && end == text.ptr + text.len)
		return d != 0;
	return error_set(error, E_INVALID,
		"this gives text, which is neither true nor false; compare it "
		"with something, or ask whether it `is not null`");
}

static int truth(struct error *error, sqlite3_stmt *stmt)
{
	switch (sqlite3_column_type(stmt, 0)) {
	case SQLITE_NULL:
		return 0;
	case SQLITE_INTEGER:
	case SQLITE_FLOAT:
		return sqlite3_column_double(stmt, 0) != 0;
	case SQLITE_TEXT:
		return truth_of_text(error, column_text(stmt, 0));
	default:
		return error_set(error, E_INVALID, "this gives bytes, neither true nor false");
	}
}

int expr_test(struct error *error, struct expr *expr, const struct expr_scope *scope)
{
	int yes = start(error, expr, scope);

	if (!yes)
		yes = truth(error, expr->stmt);
	sqlite3_reset(expr->stmt);
	return yes;
}
