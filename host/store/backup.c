/* backup.c - a store's file as another file, and the key store apart from it. Never holds the
 * writer up: a reader sees one moment, whatever is committed meanwhile. Never leaves a copy under
 * its name that was not read again and found whole. The caller's thread. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/care_i.h"
#include "store/files.h"
#include "store/migrate.h"
#include "store/seal.h"

#define STEP_PAGES 256 /* a MiB: what is read between two looks at the locks */

/* ---- pages -------------------------------------------------------------------------------- */

static int copy_pages(
	struct error *error, sqlite3 *from, sqlite3 *to, const char *doing, const char *file)
{
	sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
	int rc;

	if (!backup)
		return care_fail(error, to, doing, file);
	do {
		rc = sqlite3_backup_step(backup, STEP_PAGES);
	} while (rc == SQLITE_OK);
	if (sqlite3_backup_finish(backup) == SQLITE_OK && rc == SQLITE_DONE)
		return 0;
	/* Errors of reading are in `from`, of writing in `to`, and of locks in neither. */
	if (rc == SQLITE_BUSY || rc == SQLITE_LOCKED)
		return error_set(
			error, E_BUSY, "%s %s: another program keeps it locked", doing, file);
	return care_fail(error, sqlite3_errcode(to) == SQLITE_OK ? from : to, doing, file);
}

/* A single file, without a log beside it: the header of a running store's says that there is one.
 */
static int settle(struct error *error, sqlite3 *db, const char *file)
{
	return care_exec(error, db, "PRAGMA journal_mode=DELETE; PRAGMA wal_autocheckpoint=1000",
		"writing", file);
}

static int compare_rows(struct error *error, sqlite3 *db, const char *file,
	const struct care_tables *must, struct care_copied *out)
{
	struct care_tables *is = malloc(sizeof(*is));
	unsigned i;
	int rc;

	if (!is)
		return error_set(error, E_NOMEM, "no memory to check %s", file);
	rc = care_count(error, db, file, is);
	if (!rc && is->count != must->count)
		rc = error_set(error, E_CORRUPT, "%s has %u tables, the store has %u", file,
			is->count, must->count);
	for (i = 0; !rc && i < is->count; i++)
		if (strcmp(is->name[i], must->name[i]) != 0 || is->rows[i] != must->rows[i])
			rc = error_set(error, E_CORRUPT,
				"%s has %lld rows in %s, the store has %lld in %s", file,
				(long long)is->rows[i], is->name[i], (long long)must->rows[i],
				must->name[i]);
	out->rows = is->all;
	out->tables = is->count;
	free(is);
	return rc;
}

/* Read again from the disk, through a connection that has seen nothing of the writing. */
static int check_copy(struct error *error, const char *file, const struct care_tables *must,
	struct care_copied *out)
{
	sqlite3 *db = NULL;
	struct stat st;
	int rc = care_open(error, &db, file, SQLITE_OPEN_READONLY);

	if (!rc) /* pages only: what refers to nothing must be copied, too */
		rc = care_verify_pages(error, db, file);
	if (!rc)
		rc = compare_rows(error, db, file, must, out);
	if (!rc)
		rc = migrate_origin(error, db, migrations_released(), &out->schema);
	if (rc == E_CONFLICT) /* of tests with migrations of their own */
		rc = 0;
	sqlite3_close(db);
	if (!rc && stat(file, &st) != 0)
		rc = file_fail(error, "read", file);
	out->bytes = rc ? 0 : st.st_size;
	return rc;
}

static int write_copy(struct error *error, sqlite3 *from, const char *draft)
{
	sqlite3 *to = NULL;
	int rc;

	rc = file_draft(error, draft);
	if (rc)
		return rc;
	rc = care_open(error, &to, draft, SQLITE_OPEN_READWRITE);
	if (!rc)
		rc = care_exec(error, to, "PRAGMA synchronous=FULL", "writing", draft);
	if (!rc)
		rc = copy_pages(error, from, to, "copying the store into", draft);
	if (!rc)
		rc = settle(error, to, draft);
	sqlite3_close(to);
	if (!rc)
		rc = file_sync(error, draft);
	if (rc)
		file_remove(draft);
	return rc;
}

int care_copy(struct error *error, sqlite3 *from, const char *from_file, const char *draft,
	struct care_copied *out)
{
	struct care_tables *tables = calloc(1, sizeof(*tables));
	int rc;

	memset(out, 0, sizeof(*out));
	if (!tables)
		return error_set(error, E_NOMEM, "no memory to copy the store");
	rc = care_exec(error, from, "BEGIN", "reading", from_file);
	if (!rc) {
		rc = care_count(error, from, from_file, tables); /* from here on it is one moment */
		if (!rc)
			rc = write_copy(error, from, draft);
		sqlite3_exec(from, "COMMIT", NULL, NULL, NULL);
	}
	if (!rc && (rc = check_copy(error, draft, tables, out)) != 0)
		file_remove(draft);
	free(tables);
	return rc;
}

int care_put(struct error *error, sqlite3 *to, const char *from_file)
{
	sqlite3 *from = NULL;
	int rc = care_open(error, &from, from_file, SQLITE_OPEN_READONLY);

	if (!rc)
		rc = copy_pages(error, from, to, "putting back", from_file);
	sqlite3_close(from);
	return rc;
}

/* ---- names -------------------------------------------------------------------------------- */

static bool is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int name_copy(struct error *error, const char *to, char path[CARE_PATH])
{
	char stamp[FILE_STAMP];

	file_stamp(stamp, clock_now_ms(), 0);
	if (is_directory(to))
		return file_path(error, path, CARE_PATH, "%s/klinke-%s.db", to, stamp);
	if (!*to || to[strlen(to) - 1] == '/')
		return error_set(error, E_NOTFOUND, "there is no directory %s", to);
	if (file_exists(to))
		return error_set(error, E_CONFLICT,
			"%s exists, and nothing is written over: choose another name", to);
	return file_path(error, path, CARE_PATH, "%s", to);
}

/* ---- the store ---------------------------------------------------------------------------- */

static int backup_as(
	struct error *error, const char *state, const char *path, struct care_copied *out)
{
	char file[CARE_PATH], draft[CARE_PATH + 8];
	sqlite3 *db = NULL;
	long version;
	int rc;

	snprintf(draft, sizeof(draft), "%s.part", path);
	rc = file_path(error, file, sizeof(file), "%s/" STORE_FILE, state);
	if (!rc && !file_exists(file))
		rc = error_set(error, E_NOTFOUND,
			"there is no store in %s: no host has run on it yet", state);
	if (!rc)
		rc = care_open(error, &db, file, SQLITE_OPEN_READONLY);
	if (!rc)
		rc = migrate_origin(error, db, migrations_released(), &version);
	if (!rc)
		rc = care_copy(error, db, file, draft, out);
	sqlite3_close(db);
	if (!rc && (rc = file_publish(error, draft, path)) != 0)
		file_remove(draft);
	return rc;
}

int care_backup(struct error *error, const char *state, const char *to, struct care_copied *out)
{
	char path[CARE_PATH], text[400];
	struct error why = {0};
	int rc = name_copy(error, to, path);

	memset(out, 0, sizeof(*out));
	if (rc)
		return rc;
	rc = backup_as(&why, state, path, out);
	if (rc)
		return error_set(error, rc, "%s%s", why.text,
			rc == E_CORRUPT ? "; no backup was made, klinke doctor looks at the store"
					: "");
	snprintf(out->path, sizeof(out->path), "%s", path);
	snprintf(text, sizeof(text), "%.300s, %lld rows", path, (long long)out->rows);
	care_note_write(NULL, state, CARE_BACKUP, clock_now_ms(), text);
	return 0;
}

/* ---- the keys ----------------------------------------------------------------------------- */

int care_keys_check(
	struct error *error, sqlite3 *db, const char *file, uint8_t out[SEAL_CHECK], bool *there)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(
		db, "SELECT value FROM meta WHERE name = 'keys'", -1, &stmt, NULL);

	*there = false;
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW && sqlite3_column_bytes(stmt, 0) == SEAL_CHECK) {
		memcpy(out, sqlite3_column_blob(stmt, 0), SEAL_CHECK);
		*there = true;
		rc = 0;
	} else if (rc == SQLITE_ROW) {
		rc = error_set(error, E_CORRUPT, "%s: its note about its keys is damaged", file);
	} else {
		rc = rc == SQLITE_DONE ? 0 : care_fail(error, db, "reading", file);
	}
	sqlite3_finalize(stmt);
	return rc;
}

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && strcmp(text + n - m, end) == 0;
}

/* A database among the keys is copied as one moment, too; its log belongs to it. */
int care_copy_key_file(struct error *error, const char *from, const char *to)
{
	sqlite3 *db = NULL;
	int rc;

	if (!ends_with(from, ".db"))
		return file_copy(error, from, to);
	rc = care_open(error, &db, from, SQLITE_OPEN_READONLY);
	if (!rc)
		rc = write_copy(error, db, to);
	if (!rc)
		rc = care_verify(error, to, &(struct care_check){0}, &(struct care_checked){0});
	sqlite3_close(db);
	return rc;
}

static bool is_key_file(const char *name)
{
	return name[0] != '.' && !ends_with(name, "-wal") && !ends_with(name, "-shm") &&
	       !ends_with(name, "-journal");
}

int care_copy_keys(struct error *error, const char *from, const char *to, unsigned *files)
{
	char source[CARE_PATH], target[CARE_PATH];
	DIR *dir = opendir(from);
	struct dirent *file;
	int rc = 0;

	*files = 0;
	if (!dir)
		return file_fail(error, "list", from);
	if (mkdir(to, 0700) != 0)
		rc = file_fail(error, "create", to);
	while (!rc && (file = readdir(dir))) {
		if (!is_key_file(file->d_name))
			continue;
		rc = file_path(error, source, sizeof(source), "%s/%s", from, file->d_name);
		if (!rc)
			rc = file_path(error, target, sizeof(target), "%s/%s", to, file->d_name);
		if (!rc)
			rc = care_copy_key_file(error, source, target);
		*files += !rc;
	}
	closedir(dir);
	return rc ? rc : file_sync(error, to);
}

/* The files with the same bytes: the same master key. */
bool care_same_master(const char *a, const char *b)
{
	char path[2][CARE_PATH + 16], text[2][1024];
	size_t n[2] = {0, 1};

	for (int i = 0; i < 2; i++) {
		FILE *file;
		snprintf(path[i], sizeof(path[i]), "%s/master.key", i ? b : a);
		file = fopen(path[i], "re");
		if (!file)
			return false;
		n[i] = fread(text[i], 1, sizeof(text[i]), file);
		fclose(file);
	}
	return n[0] == n[1] && memcmp(text[0], text[1], n[0]) == 0;
}

/* parent/keys is the key store of the state's database, and can be opened. */
static int check_keys(struct error *error, const char *state, const char *parent)
{
	uint8_t stored[SEAL_CHECK], copied[SEAL_CHECK];
	char file[CARE_PATH];
	struct keys *keys = NULL;
	sqlite3 *db = NULL;
	bool there;
	int rc;

	rc = file_path(error, file, sizeof(file), "%s/" STORE_FILE, state);
	if (!rc)
		rc = care_open(error, &db, file, SQLITE_OPEN_READONLY);
	if (!rc)
		rc = care_keys_check(error, db, file, stored, &there);
	sqlite3_close(db);
	if (!rc)
		rc = keys_open(error, &keys, parent, false);
	if (rc)
		return rc;
	keys_check(keys, copied);
	keys_close(keys);
	if (there && memcmp(stored, copied, SEAL_CHECK) != 0)
		return error_set(error, E_CORRUPT,
			"%s/keys is not the key store of %s: a copy of it would open nothing",
			state, file);
	return 0;
}

/* The older copy goes as the newer one comes: it may hold the key of somebody who was forgotten. */
static int exchange(struct error *error, const char *newer, const char *older)
{
	int rc = file_exchange(error, newer, older);

	if (!rc)
		file_remove(newer);
	return rc;
}

/* As above: neither the draft, nor what an interrupted exchange left. */
static void remove_rest(const char *draft, const char *path, bool published)
{
	char aside[CARE_PATH];

	file_remove(draft);
	if (published && file_path(NULL, aside, sizeof(aside), "%s" FILE_OLDER, path) == 0)
		file_remove(aside);
}

int care_backup_keys(
	struct error *error, const char *state, const char *directory, struct care_keys_copied *out)
{
	char from[CARE_PATH], draft[CARE_PATH], inner[CARE_PATH + 8];
	int rc;

	memset(out, 0, sizeof(*out));
	if (mkdir(directory, 0700) != 0 && errno != EEXIST)
		return file_fail(error, "create", directory);
	rc = file_path(error, from, sizeof(from), "%s/keys", state);
	if (!rc)
		rc = file_path(error, out->path, sizeof(out->path), "%s/keys", directory);
	if (!rc)
		rc = file_path(error, draft, sizeof(draft), "%s/keys.part", directory);
	if (rc)
		return rc;
	out->replaced = file_exists(out->path);
	if (out->replaced && !care_same_master(out->path, from))
		return error_set(error, E_CONFLICT,
			"%s holds other keys than this store's, and nothing is written over: "
			"choose "
			"another directory",
			out->path);
	file_remove(draft);
	snprintf(inner, sizeof(inner), "%s/keys", draft);
	if (mkdir(draft, 0700) != 0)
		return file_fail(error, "create", draft);
	rc = care_copy_keys(error, from, inner, &out->files);
	if (!rc)
		rc = check_keys(error, state, draft);
	if (!rc)
		rc = out->replaced ? exchange(error, inner, out->path)
				   : file_publish(error, inner, out->path);
	remove_rest(draft, out->path, !rc);
	return rc;
}
