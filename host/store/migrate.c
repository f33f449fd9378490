/* migrate.c - migrations by number, with a way back, and the comparison of the schema that is with
 * the one that must be. Never repairs what differs: a person has to know. Runs where the store is
 * opened, before any thread. */
#include "store/migrate.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/care_i.h"
#include "store/files.h"
#include "store/lock.h"

#define APPLICATION_ID 0x4b6c6e6b /* "Klnk" */

/* Objects as "type name", ordered; SQLite's own (sqlite_*) have no SQL of their own to compare. */
static const char list_objects[] = "SELECT type, name, sql FROM sqlite_schema "
				   "WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";

static int fail(struct error *error, sqlite3 *db, const char *doing)
{
	int code = E_IO;

	switch (sqlite3_errcode(db) & 0xff) {
	case SQLITE_NOTADB:
		return error_set(error, E_CORRUPT,
			"%s: the file is not a database, or damaged at its beginning: restore a "
			"backup",
			doing);
	case SQLITE_CORRUPT:
		return error_set(error, E_CORRUPT, "%s: the file is damaged (%s)", doing,
			sqlite3_errmsg(db));
	case SQLITE_NOMEM:
		code = E_NOMEM;
		break;
	case SQLITE_BUSY:
		return error_set(
			error, E_BUSY, "%s: another program keeps the store locked", doing);
	case SQLITE_FULL:
		return error_set(error, code,
			"%s: the disk is full: free space in the state directory", doing);
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

struct migrations migrations_released(void)
{
	return (struct migrations){store_migrations, store_migration_count};
}

int migrate_origin(struct error *error, sqlite3 *db, struct migrations all, long *version)
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
	if (*version > (long)all.count)
		return error_set(error, E_CONFLICT,
			"the store has schema %ld, this build knows only %u: it was used by a "
			"newer "
			"Klinke, install that one or restore an older backup",
			*version, all.count);
	return 0;
}

static int note_number(struct error *error, sqlite3 *db, unsigned number)
{
	char text[96];

	snprintf(text, sizeof(text), "PRAGMA user_version=%u; PRAGMA application_id=%d", number,
		APPLICATION_ID);
	return exec(error, db, text, "noting the schema's number");
}

int migrate_fresh(struct error *error, sqlite3 *db, struct migrations all, long version)
{
	char text[160];
	long i;
	int rc = 0;

	for (i = 0; i < version && !rc; i++) {
		snprintf(text, sizeof(text), "applying migration %s", all.list[i].name);
		rc = exec(error, db, all.list[i].sql, text);
	}
	return rc ? rc : note_number(error, db, (unsigned)version);
}

/* ---- going up ----------------------------------------------------------------------------- */

static int check_references(struct error *error, sqlite3 *db)
{
	int64_t row;
	int rc = care_number(error, db, "SELECT 1 FROM pragma_foreign_key_check LIMIT 1", &row);

	if (rc > 0)
		rc = error_set(error, E_CORRUPT, "it leaves references to rows that are not there");
	return rc;
}

/* References are checked at its end: a table that is built anew is away for a moment. */
static int apply_one(struct error *error, sqlite3 *db, const struct migration *one)
{
	struct error why = {0};
	int rc;

	rc = exec(&why, db, "PRAGMA foreign_keys=OFF; BEGIN IMMEDIATE", "beginning");
	if (!rc)
		rc = exec(&why, db, one->sql, "its SQL");
	if (!rc)
		rc = check_references(&why, db);
	if (!rc)
		rc = note_number(&why, db, one->number);
	if (!rc)
		rc = exec(&why, db, "COMMIT", "committing");
	if (rc && !sqlite3_get_autocommit(db))
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	sqlite3_exec(db, "PRAGMA foreign_keys=ON", NULL, NULL, NULL);
	return rc ? error_set(error, rc, "applying migration %s: %s", one->name, why.text) : 0;
}

static int apply_from(struct error *error, sqlite3 *db, struct migrations all, long version)
{
	int rc = 0;

	for (; version < (long)all.count && !rc; version++)
		rc = apply_one(error, db, &all.list[version]);
	return rc ? rc : migrate_verify_at(error, db, all, (long)all.count);
}

static int name_snapshot(struct error *error, const char *directory, struct migrated *out)
{
	char stamp[FILE_STAMP];
	int n = 0, rc;

	do {
		file_stamp(stamp, clock_now_ms(), n++);
		rc = file_path(error, out->snapshot, sizeof(out->snapshot),
			"%s/before-schema-%04ld-%s.db", directory, out->to, stamp);
	} while (!rc && file_exists(out->snapshot));
	return rc;
}

static int take_snapshot(
	struct error *error, sqlite3 *db, const char *directory, struct migrated *out)
{
	char draft[CARE_PATH + 8];
	struct care_copied copied;
	struct error why = {0};
	int rc = name_snapshot(&why, directory, out);

	snprintf(draft, sizeof(draft), "%s.new", out->snapshot);
	file_remove(draft); /* of a start that was interrupted: nobody else has the lock */
	if (!rc)
		rc = care_copy(&why, db, NULL, draft, &copied);
	if (!rc)
		rc = file_publish(&why, draft, out->snapshot);
	if (!rc) {
		file_give(directory, out->snapshot);
		return 0;
	}
	out->snapshot[0] = '\0';
	return error_set(error, rc,
		"the schema must go from %ld to %ld, and the copy that comes before cannot be "
		"made, "
		"so nothing was changed: %s",
		out->from, out->to, why.text);
}

static int put_back(
	struct error *error, sqlite3 *db, const struct migrated *out, int code, const char *why)
{
	struct error second = {0};

	if (care_put(&second, db, out->snapshot) < 0)
		return error_set(error, E_CORRUPT,
			"%s; putting the old state back failed too (%s): klinke restore %s", why,
			second.text, out->snapshot);
	return error_set(error, code,
		"%s; the store is again as it was, with schema %ld: use the build that made it, "
		"and "
		"report this",
		why, out->from);
}

int migrate_up(struct error *error, sqlite3 *db, struct migrations all, const char *directory,
	struct migrated *out)
{
	struct error why = {0};
	int rc;

	memset(out, 0, sizeof(*out));
	rc = migrate_origin(error, db, all, &out->from);
	out->to = (long)all.count;
	if (rc || out->from == out->to)
		return rc;
	if (out->from)
		rc = take_snapshot(error, db, directory, out);
	if (rc)
		return rc;
	rc = apply_from(&why, db, all, out->from);
	if (rc && out->from)
		return put_back(error, db, out, rc, why.text);
	return rc ? error_set(error, rc, "%s", why.text) : 0;
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

	rc = migrate_origin(error, db, migrations_released(), &version);
	if (!rc && version != (long)store_migration_count)
		rc = error_set(error, E_CONFLICT,
			"the store has schema %ld, this build needs %u: start the host once to "
			"migrate it",
			version, store_migration_count);
	return rc;
}

int migrate_verify_at(struct error *error, sqlite3 *db, struct migrations all, long version)
{
	sqlite3 *fresh = NULL;
	int rc = 0;

	if (sqlite3_open(":memory:", &fresh) != SQLITE_OK)
		rc = error_set(error, E_NOMEM, "no memory to check the store's schema");
	if (!rc)
		rc = migrate_fresh(error, fresh, all, version);
	if (!rc)
		rc = compare_all(error, db, fresh);
	sqlite3_close(fresh);
	return rc;
}

int migrate_verify(struct error *error, sqlite3 *db)
{
	int rc = migrate_check(error, db);

	return rc ? rc : migrate_verify_at(error, db, migrations_released(), store_migration_count);
}

/* ---- telling what would be done ----------------------------------------------------------- */

struct telling {
	const struct care_migration *migration;
	care_planned *tell;
	void *user;
};

static void tell_change(const struct telling *telling, const char *verb, sqlite3_stmt *row)
{
	char text[300];

	snprintf(text, sizeof(text), "%s %s %s", verb, (const char *)sqlite3_column_text(row, 0),
		(const char *)sqlite3_column_text(row, 1));
	telling->tell(telling->user, telling->migration, text);
}

/* Both lists are ordered by name. */
static void tell_differences(const struct telling *telling, sqlite3_stmt *old, sqlite3_stmt *new)
{
	int a = sqlite3_step(old), b = sqlite3_step(new);

	while (a == SQLITE_ROW || b == SQLITE_ROW) {
		int order = a != SQLITE_ROW   ? 1
			    : b != SQLITE_ROW ? -1
					      : strcmp((const char *)sqlite3_column_text(old, 1),
							(const char *)sqlite3_column_text(new, 1));
		if (order < 0)
			tell_change(telling, "drops", old);
		else if (order > 0)
			tell_change(telling, "creates", new);
		else if (strcmp((const char *)sqlite3_column_text(old, 2),
				 (const char *)sqlite3_column_text(new, 2)) != 0)
			tell_change(telling, "changes", new);
		a = order <= 0 ? sqlite3_step(old) : a;
		b = order >= 0 ? sqlite3_step(new) : b;
	}
}

static int tell_migration(
	struct error *error, struct migrations all, long at, const struct telling *telling)
{
	sqlite3 *old = NULL, *new = NULL;
	sqlite3_stmt *left = NULL, *right = NULL;
	int rc = 0;

	if (sqlite3_open(":memory:", &old) != SQLITE_OK ||
		sqlite3_open(":memory:", &new) != SQLITE_OK)
		rc = error_set(error, E_NOMEM, "no memory to look at the migrations");
	if (!rc)
		rc = migrate_fresh(error, old, all, at);
	if (!rc)
		rc = migrate_fresh(error, new, all, at + 1);
	if (!rc && (sqlite3_prepare_v2(old, list_objects, -1, &left, NULL) != SQLITE_OK ||
			   sqlite3_prepare_v2(new, list_objects, -1, &right, NULL) != SQLITE_OK))
		rc = error_set(error, E_NOMEM, "no memory to look at the migrations");
	if (!rc) {
		telling->tell(telling->user, telling->migration, NULL);
		tell_differences(telling, left, right);
	}
	sqlite3_finalize(left);
	sqlite3_finalize(right);
	sqlite3_close(old);
	sqlite3_close(new);
	return rc;
}

int migrate_plan(
	struct error *error, struct migrations all, long from, care_planned *tell, void *user)
{
	int rc = 0;

	for (; from < (long)all.count && !rc; from++) {
		struct care_migration one = {all.list[from].number, all.list[from].name};
		rc = tell_migration(error, all, from, &(struct telling){&one, tell, user});
	}
	return rc;
}

/* ---- for a person ------------------------------------------------------------------------- */

static int open_state(struct error *error, const char *state, int flags, sqlite3 **db)
{
	char file[CARE_PATH];
	int rc = file_path(error, file, sizeof(file), "%s/" CARE_UNFINISHED, state);

	if (!rc && file_exists(file))
		return error_set(error, E_CONFLICT,
			"a restore was interrupted in %s: run klinke restore again", state);
	if (!rc)
		rc = file_path(error, file, sizeof(file), "%s/" STORE_FILE, state);
	if (!rc && !file_exists(file))
		rc = error_set(error, E_NOTFOUND,
			"there is no store in %s: the first start of the host makes it", state);
	return rc ? rc : care_open(error, db, file, flags);
}

int care_migrate_plan(struct error *error, const char *state, long *from, long *to,
	care_planned *tell, void *user)
{
	struct migrations all = migrations_released();
	sqlite3 *db = NULL;
	int rc = open_state(error, state, SQLITE_OPEN_READONLY, &db);

	*to = (long)all.count;
	if (!rc)
		rc = migrate_origin(error, db, all, from);
	sqlite3_close(db);
	return rc ? rc : migrate_plan(error, all, *from, tell, user);
}

int care_migrate_apply(
	struct error *error, const char *state, long *from, long *to, char snapshot[CARE_PATH])
{
	struct migrated *done = calloc(1, sizeof(*done));
	sqlite3 *db = NULL;
	int fd = -1, rc;

	if (!done)
		return error_set(error, E_NOMEM, "no memory to migrate");
	rc = lock_take(error, state, &fd);
	if (!rc)
		rc = open_state(error, state, SQLITE_OPEN_READWRITE, &db);
	if (!rc)
		rc = care_exec(error, db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL",
			"opening", NULL);
	if (!rc)
		rc = migrate_up(error, db, migrations_released(), state, done);
	if (!rc)
		rc = migrate_verify(error, db);
	sqlite3_close(db);
	lock_release(fd);
	*from = done->from;
	*to = done->to;
	snprintf(snapshot, CARE_PATH, "%s", done->snapshot);
	free(done);
	return rc;
}
