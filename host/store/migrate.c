/* migrate.c - migrations by number, and the comparison of the schema that is with the one that must
 * be. Never repairs what differs: a person has to know. Runs where the store is opened, before any
 * thread. */
#include "store/migrate.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define APPLICATION_ID 0x4b6c6e6b /* "Klnk" */

/* Objects as "type name", ordered; SQLite's own (sqlite_*) have no SQL of their own to compare. */
static const char list_objects[] = "SELECT type, name, sql FROM sqlite_schema "
				   "WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";

static int fail(struct error *error, sqlite3 *db, const char *doing)
{
	int code = E_IO;

	switch (sqlite3_errcode(db)) {
	case SQLITE_NOTADB:
		return error_set(error, E_CORRUPT,
			"%s: the file is not a database, or damaged at its beginning: restore a "
			"backup",
			doing);
	case SQLITE_CORRUPT:
		code = E_CORRUPT;
		break;
	case SQLITE_NOMEM:
		code = E_NOMEM;
		break;
	}
	return error_set(error, code, "%s: %s", doing, sqlite3_errmsg(db));
}

static int exec(struct error *error, sqlite3 *db, const char *sql, const char *doing)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return fail(error, db, doing);
	return 0;
}

static int read_number(struct error *error, sqlite3 *db, const char *sql, long *out)
{
	sqlite3_stmt *stmt;

	*out = 0;
	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
		return fail(error, db, "reading the store's version");
	if (sqlite3_step(stmt) == SQLITE_ROW)
		*out = (long)sqlite3_column_int64(stmt, 0);
	if (sqlite3_finalize(stmt) != SQLITE_OK)
		return fail(error, db, "reading the store's version");
	return 0;
}

static int check_origin(struct error *error, sqlite3 *db, long *version)
{
	long application, objects;
	int rc;

	rc = read_number(error, db, "PRAGMA user_version", version);
	if (!rc)
		rc = read_number(error, db, "PRAGMA application_id", &application);
	if (!rc)
		rc = read_number(error, db, "SELECT count(*) FROM sqlite_schema", &objects);
	if (rc)
		return rc;
	if (application != APPLICATION_ID && (application || *version || objects))
		return error_set(error, E_CORRUPT,
			"the database in the state directory was not made by Klinke: choose "
			"another "
			"directory");
	if (*version > (long)store_migration_count)
		return error_set(error, E_CONFLICT,
			"the store has schema %ld, this build knows only %u: it was used by a "
			"newer "
			"Klinke, install that one or restore an older backup",
			*version, store_migration_count);
	return 0;
}

static int apply_from(struct error *error, sqlite3 *db, unsigned version)
{
	char text[160];
	unsigned i;
	int rc = 0;

	for (i = version; i < store_migration_count && !rc; i++) {
		snprintf(text, sizeof(text), "applying migration %s", store_migrations[i].name);
		rc = exec(error, db, store_migrations[i].sql, text);
	}
	snprintf(text, sizeof(text), "PRAGMA user_version=%u; PRAGMA application_id=%d",
		store_migration_count, APPLICATION_ID);
	return rc ? rc : exec(error, db, text, "noting the schema's number");
}

int migrate_apply(struct error *error, sqlite3 *db)
{
	long version;
	int rc;

	rc = check_origin(error, db, &version);
	if (rc || version == (long)store_migration_count)
		return rc;
	rc = exec(error, db, "BEGIN IMMEDIATE", "beginning the migration");
	if (rc)
		return rc;
	rc = apply_from(error, db, (unsigned)version);
	if (!rc)
		rc = exec(error, db, "COMMIT", "committing the migration");
	if (rc)
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

/* ---- verification ------------------------------------------------------------------------- */

struct object {
	const char *type, *name;
	char *sql; /* normalised */
};

/* The next character that means something: runs of white space are one blank, comments nothing.
 * *quote: inside a quoted piece. */
static const char *skip_blank(const char *p)
{
	for (;;) {
		if (isspace((unsigned char)*p)) {
			p++;
		} else if (p[0] == '-' && p[1] == '-') {
			p += strcspn(p, "\n");
		} else if (p[0] == '/' && p[1] == '*') {
			p = strstr(p + 2, "*/");
			if (!p)
				return "";
			p += 2;
		} else {
			return p;
		}
	}
}

static char *normalise(const char *sql)
{
	char *out = malloc(strlen(sql) + 1), *at = out, quote = 0;
	const char *p = sql;

	while (out && *p) {
		const char *next = quote ? p : skip_blank(p);
		if (next != p && at != out && *next)
			*at++ = ' ';
		p = next;
		if (!*p)
			break;
		if (quote)
			quote = *p == quote ? 0 : quote;
		else if (strchr("'\"`[", *p))
			quote = *p == '[' ? ']' : *p;
		*at++ = *p++;
	}
	if (out)
		*at = '\0';
	return out;
}

/* 1: an object, 0: the end, or an error. */
static int next_object(struct error *error, sqlite3 *db, sqlite3_stmt *stmt, struct object *object)
{
	int rc = sqlite3_step(stmt);

	free(object->sql);
	memset(object, 0, sizeof(*object));
	if (rc == SQLITE_DONE)
		return 0;
	if (rc != SQLITE_ROW)
		return fail(error, db, "reading the store's schema");
	object->type = (const char *)sqlite3_column_text(stmt, 0);
	object->name = (const char *)sqlite3_column_text(stmt, 1);
	if (sqlite3_column_text(stmt, 2))
		object->sql = normalise((const char *)sqlite3_column_text(stmt, 2));
	if (!object->type || !object->name || !object->sql)
		return error_set(error, E_CORRUPT, "the store's schema has an object without SQL");
	return 1;
}

static int differ(struct error *error, const char *what, const struct object *object)
{
	return error_set(error, E_CORRUPT,
		"the store's schema is not what this build made: %s %s %s; nothing was changed: "
		"restore a "
		"backup, or undo what was done to the schema by hand",
		object->type, object->name, what);
}

/* Both lists are ordered by name, so the smaller name is the one the other side lacks. */
static int compare(struct error *error, const struct object *is, const struct object *must)
{
	int order = !is->name ? 1 : !must->name ? -1 : strcmp(is->name, must->name);

	if (order > 0)
		return differ(error, "is missing", must);
	if (order < 0)
		return differ(error, "should not be there", is);
	if (strcmp(is->type, must->type) != 0 || strcmp(is->sql, must->sql) != 0)
		return differ(error, "differs", is);
	return 0;
}

static int compare_all(struct error *error, sqlite3 *db, sqlite3 *fresh)
{
	sqlite3_stmt *left = NULL, *right = NULL;
	struct object is = {0}, must = {0};
	int more = 1, rc = 0;

	if (sqlite3_prepare_v2(db, list_objects, -1, &left, NULL) != SQLITE_OK)
		rc = fail(error, db, "reading the store's schema");
	else if (sqlite3_prepare_v2(fresh, list_objects, -1, &right, NULL) != SQLITE_OK)
		rc = fail(error, fresh, "reading the expected schema");
	while (!rc && more) {
		int a = next_object(error, db, left, &is), b;
		b = a < 0 ? a : next_object(error, fresh, right, &must);
		rc = a < 0 ? a : b < 0 ? b : 0;
		more = a || b;
		if (!rc && more)
			rc = compare(error, &is, &must);
	}
	free(is.sql);
	free(must.sql);
	sqlite3_finalize(left);
	sqlite3_finalize(right);
	return rc;
}

int migrate_check(struct error *error, sqlite3 *db)
{
	long version;
	int rc;

	rc = check_origin(error, db, &version);
	if (!rc && version != (long)store_migration_count)
		rc = error_set(error, E_CONFLICT,
			"the store has schema %ld, this build needs %u: start the host once to "
			"migrate it",
			version, store_migration_count);
	return rc;
}

int migrate_verify(struct error *error, sqlite3 *db)
{
	sqlite3 *fresh = NULL;
	int rc;

	rc = migrate_check(error, db);
	if (!rc && sqlite3_open(":memory:", &fresh) != SQLITE_OK)
		rc = error_set(error, E_NOMEM, "no memory to check the store's schema");
	if (!rc)
		rc = apply_from(error, fresh, 0);
	if (!rc)
		rc = compare_all(error, db, fresh);
	sqlite3_close(fresh);
	return rc;
}
