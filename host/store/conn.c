/* conn.c - a connection, its statements, and what its errors mean for a person. Never begins or
 * ends a transaction by itself. A connection belongs to one thread at a time. */
#include "store/conn.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "store/care_i.h"
#include "store/store.h"
#include "store/vfs.h"

static const char *const pragmas[] = {
	/* The writer never checkpoints inside a commit: that is where the long tail comes from.
	 * What it deletes it overwrites: otherwise the bytes stay in the file until something needs
	 * the room. */
	[CONN_WRITER] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
			"PRAGMA wal_autocheckpoint=0; PRAGMA cache_size=-4096;"
			"PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF;"
			"PRAGMA secure_delete=ON;",
	[CONN_CHECKPOINTER] = "PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0;"
			      "PRAGMA cache_size=-64; PRAGMA trusted_schema=OFF;",
	[CONN_READER] = "PRAGMA query_only=ON; PRAGMA cache_size=-1024; PRAGMA temp_store=MEMORY;"
			"PRAGMA trusted_schema=OFF;",
};

void store_begin_process(void)
{
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

int conn_open(struct error *error, struct conn *conn, const char *path, enum conn_kind kind)
{
	int flags = kind == CONN_READER ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE, rc;

	memset(conn, 0, sizeof(*conn));
	if (kind == CONN_WRITER && vfs_register() != SQLITE_OK)
		return error_set(error, E_NOMEM, "no memory to open the store");
	rc = sqlite3_open_v2(path, &conn->db, flags | SQLITE_OPEN_NOMUTEX,
		kind == CONN_WRITER ? VFS_NAME : NULL);
	if (rc != SQLITE_OK) {
		rc = conn->db ? conn_fail(error, conn, "opening the store")
			      : error_set(error, E_NOMEM, "no memory to open the store");
		conn_finish(conn);
		return rc;
	}
	sqlite3_extended_result_codes(conn->db, 1);
	sqlite3_busy_timeout(conn->db, CONN_BUSY_MS);
	sqlite3_db_config(conn->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	rc = conn_exec(error, conn, pragmas[kind]);
	if (rc)
		conn_finish(conn);
	return rc;
}

void conn_finish(struct conn *conn)
{
	size_t i;

	for (i = 0; i < QUERY_COUNT; i++)
		sqlite3_finalize(conn->kept[i]);
	sqlite3_close(conn->db);
	memset(conn, 0, sizeof(*conn));
}

static int fail_constraint(struct error *error, sqlite3 *db, const char *doing)
{
	const char *what = sqlite3_errmsg(db); /* names columns, never values */

	switch (sqlite3_extended_errcode(db)) {
	case SQLITE_CONSTRAINT_UNIQUE:
	case SQLITE_CONSTRAINT_PRIMARYKEY:
	case SQLITE_CONSTRAINT_ROWID:
		return error_set(error, E_CONFLICT, "%s: exists already (%s)", doing, what);
	case SQLITE_CONSTRAINT_FOREIGNKEY:
		return error_set(error, E_INVALID,
			"%s: it names an inbox row, event or job that is not stored", doing);
	default:
		return error_set(error, E_INVALID, "%s: a value is not allowed (%s)", doing, what);
	}
}

static int fail_full(struct error *error, const char *doing)
{
	return error_set(error, E_IO,
		"%s: the disk is full; nothing of it was stored: free space in the state directory",
		doing);
}

static int fail_disk(struct error *error, sqlite3 *db, const char *doing)
{
	int number = sqlite3_system_errno(db);

	if (number == ENOSPC || number == EDQUOT)
		return fail_full(error, doing);
	return error_set(error, E_IO,
		"%s: the disk refuses (%s%s%s); nothing of it was stored: check the disk of the "
		"state "
		"directory",
		doing, sqlite3_errstr(sqlite3_extended_errcode(db)), number ? ": " : "",
		number ? strerror(number) : "");
}

/* Whichever statement meets it, of whichever thread: said once, and seen by all that look. */
static void note_damage(sqlite3 *db)
{
	const char *file = sqlite3_db_filename(db, "main"), *end;
	char state[CARE_PATH];

	end = file ? strrchr(file, '/') : NULL;
	if (!end || strcmp(end + 1, STORE_FILE) != 0 || end - file >= CARE_PATH)
		return;
	snprintf(state, sizeof(state), "%.*s", (int)(end - file), file);
	care_damaged(state, sqlite3_errmsg(db));
}

int conn_fail(struct error *error, struct conn *conn, const char *doing)
{
	sqlite3 *db = conn->db;

	switch (sqlite3_extended_errcode(db) & 0xff) {
	case SQLITE_CONSTRAINT:
		return fail_constraint(error, db, doing);
	case SQLITE_ERROR: /* "malformed JSON" */
	case SQLITE_MISMATCH:
		return error_set(error, E_INVALID, "%s: %s", doing, sqlite3_errmsg(db));
	case SQLITE_TOOBIG:
		return error_set(error, E_INVALID, "%s: a value is too long", doing);
	case SQLITE_READONLY:
		return error_set(error, E_DENIED,
			"%s: the store cannot be written: check the rights of the state directory "
			"and how "
			"its file system is mounted (%s, %d)",
			doing, sqlite3_errmsg(db), sqlite3_extended_errcode(db));
	}
	conn->broken = true;
	switch (sqlite3_extended_errcode(db) & 0xff) {
	case SQLITE_FULL:
		return fail_full(error, doing);
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
		return fail_disk(error, db, doing);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		note_damage(db);
		return error_set(error, E_CORRUPT,
			"%s: the store's file is damaged (%s): stop the host, keep the file, "
			"klinke restore a backup, or klinke salvage",
			doing, sqlite3_errmsg(db));
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return error_set(
			error, E_BUSY, "%s: another program keeps the store locked", doing);
	case SQLITE_NOMEM:
		return error_set(error, E_NOMEM, "%s: no memory", doing);
	}
	return error_set(error, E_IO, "%s: %s", doing, sqlite3_errmsg(db));
}

int conn_exec(struct error *error, struct conn *conn, const char *sql)
{
	if (sqlite3_exec(conn->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return conn_fail(error, conn, "preparing the store");
	return 0;
}

int conn_run(struct error *error, struct conn *conn, const struct query *query)
{
	struct stmt stmt;

	stmt_begin(&stmt, conn, query);
	return stmt_done(error, &stmt);
}

/* ---- statements --------------------------------------------------------------------------- */

void stmt_begin(struct stmt *stmt, struct conn *conn, const struct query *query)
{
	sqlite3_stmt **kept = &conn->kept[query->slot];

	*stmt = (struct stmt){.conn = conn, .kept = true};
	if (!*kept)
		stmt->rc = sqlite3_prepare_v3(
			conn->db, query->sql, -1, SQLITE_PREPARE_PERSISTENT, kept, NULL);
	stmt->s = *kept;
	assert(stmt->rc != SQLITE_ERROR); /* SQL that does not compile is our mistake */
}

void stmt_begin_sql(struct stmt *stmt, struct conn *conn, const char *sql)
{
	*stmt = (struct stmt){.conn = conn};
	stmt->rc = sqlite3_prepare_v2(conn->db, sql, -1, &stmt->s, NULL);
}

void stmt_end(struct stmt *stmt)
{
	if (stmt->kept)
		sqlite3_reset(stmt->s);
	else
		sqlite3_finalize(stmt->s);
	stmt->s = NULL;
}

static void note(struct stmt *stmt, int rc)
{
	if (stmt->rc == SQLITE_OK)
		stmt->rc = rc;
}

void stmt_text(struct stmt *stmt, struct str text)
{
	note(stmt, sqlite3_bind_text64(stmt->s, ++stmt->parameter, text.ptr ? text.ptr : "",
			   text.len, SQLITE_STATIC, SQLITE_UTF8));
}

void stmt_blob(struct stmt *stmt, const void *bytes, size_t len)
{
	note(stmt, sqlite3_bind_blob64(
			   stmt->s, ++stmt->parameter, bytes ? bytes : "", len, SQLITE_STATIC));
}

void stmt_null(struct stmt *stmt)
{
	note(stmt, sqlite3_bind_null(stmt->s, ++stmt->parameter));
}

void stmt_id(struct stmt *stmt, const struct id *id)
{
	if (id_is_zero(id))
		stmt_null(stmt);
	else
		stmt_blob(stmt, id->b, sizeof(id->b));
}

void stmt_i64(struct stmt *stmt, int64_t n)
{
	note(stmt, sqlite3_bind_int64(stmt->s, ++stmt->parameter, n));
}

int stmt_step(struct error *error, struct stmt *stmt)
{
	int rc = stmt->rc == SQLITE_OK ? sqlite3_step(stmt->s) : stmt->rc;

	stmt->column = 0;
	if (rc == SQLITE_ROW)
		return 1;
	if (rc == SQLITE_DONE)
		return 0;
	return conn_fail(error, stmt->conn, "using the store");
}

int stmt_done(struct error *error, struct stmt *stmt)
{
	int rc = stmt_step(error, stmt);

	stmt_end(stmt);
	return rc < 0 ? rc : 0;
}

int64_t col_i64(struct stmt *stmt)
{
	return sqlite3_column_int64(stmt->s, stmt->column++);
}

struct str col_str(struct stmt *stmt)
{
	/* The pointer first: asking for it may change the length. */
	const char *ptr = sqlite3_column_blob(stmt->s, stmt->column);
	int len = sqlite3_column_bytes(stmt->s, stmt->column++);

	return (struct str){ptr, ptr ? (size_t)len : 0};
}

struct str col_text(struct stmt *stmt, struct arena *arena)
{
	struct str s = col_str(stmt);

	return s.ptr ? str_dup(arena, s) : STR("");
}

struct id col_id(struct stmt *stmt)
{
	struct str s = col_str(stmt);
	struct id id = {{0}};

	if (s.len == sizeof(id.b))
		memcpy(id.b, s.ptr, sizeof(id.b));
	return id;
}
