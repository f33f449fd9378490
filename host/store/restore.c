/* restore.c - a copy becomes the store again. Never destroys what is there: it is moved aside, and
 * what is put in its place was read through before. Whoever is interrupted in the middle leaves
 * restore.unfinished, and no host starts on half of it. The caller's thread, under the lock. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "store/care_i.h"
#include "store/files.h"
#include "store/lock.h"
#include "store/migrate.h"
#include "store/seal.h"
#include "store/store.h"

#define SAMPLE 20 /* rows that are read as a person would */
#define SAMPLE_MEMORY ((size_t)512 << 20)
#define MOVES 8

struct restore {
	const char *state, *file, *keys; /* keys: directory that holds master.key, or NULL */
	char draft[CARE_PATH];           /* STATE/restore.part: a state directory of its own */
	char draft_file[CARE_PATH + 16], draft_keys[CARE_PATH + 16];
	char keys_from[CARE_PATH], present[CARE_PATH];
	bool replace_keys; /* those that are there belong to another store, or there are none */
	struct care_restored *out;
	struct move {
		char from[CARE_PATH], to[CARE_PATH];
	} moves[MOVES]; /* done; undone in reverse if one fails */
	unsigned moved;
};

/* ---- the file ----------------------------------------------------------------------------- */

static int check_file(struct error *error, struct restore *r, sqlite3 *db)
{
	struct error why = {0};
	int rc = migrate_origin(&why, db, migrations_released(), &r->out->schema);

	if (!rc && !r->out->schema)
		rc = error_set(&why, E_CORRUPT, "it is empty");
	return rc ? error_set(error, rc, "%s: %s", r->file, why.text) : 0;
}

static int check_there(struct error *error, struct restore *r)
{
	struct stat st;
	sqlite3 *db = NULL;
	int rc;

	if (stat(r->file, &st) != 0)
		return file_fail(error, "read", r->file);
	if (!S_ISREG(st.st_mode))
		return error_set(error, E_INVALID, "%s is not a file", r->file);
	rc = care_open(error, &db, r->file, SQLITE_OPEN_READONLY);
	if (!rc)
		rc = check_file(error, r, db);
	sqlite3_close(db);
	return rc;
}

/* A copy is verified, not the original: it may lie on a disk that nobody may write to. */
static int copy_in(struct error *error, struct restore *r)
{
	struct care_copied copied;
	sqlite3 *db = NULL;
	int rc;

	rc = care_open(error, &db, r->file, SQLITE_OPEN_READONLY);
	if (!rc)
		rc = check_file(error, r, db);
	if (!rc)
		rc = care_copy(error, db, r->file, r->draft_file, &copied);
	sqlite3_close(db);
	r->out->rows = rc ? 0 : copied.rows;
	return rc;
}

static int check_schema(struct error *error, struct restore *r)
{
	struct error why = {0};
	sqlite3 *db = NULL;
	int rc = care_open(error, &db, r->draft_file, SQLITE_OPEN_READONLY);

	if (rc)
		return rc;
	rc = migrate_verify_at(&why, db, migrations_released(), r->out->schema);
	sqlite3_close(db);
	return rc ? error_set(error, rc, "%s: %s", r->file, why.text) : 0;
}

/* ---- the keys ----------------------------------------------------------------------------- */

/* keys: what care_backup_keys was told, or the directory with the files itself. */
static int find_keys(struct error *error, struct restore *r)
{
	char probe[CARE_PATH + 16];

	snprintf(r->keys_from, sizeof(r->keys_from), "%s/keys", r->keys);
	snprintf(probe, sizeof(probe), "%s/master.key", r->keys_from);
	if (file_exists(probe))
		return 0;
	snprintf(r->keys_from, sizeof(r->keys_from), "%s", r->keys);
	snprintf(probe, sizeof(probe), "%s/master.key", r->keys_from);
	if (file_exists(probe))
		return 0;
	return error_set(error, E_NOTFOUND,
		"there is no key store in %s: name the directory that klinke backup --keys wrote",
		r->keys);
}

/* Files that only the copy has: a tenant's key that was lost. Those that are there stay: the copy
 * may hold a person's key that was destroyed since. */
static int add_missing(struct error *error, const char *from, const char *to, unsigned *added)
{
	char source[CARE_PATH], target[CARE_PATH], draft[CARE_PATH];
	DIR *dir = opendir(from);
	struct dirent *file;
	int rc = 0;

	if (!dir)
		return file_fail(error, "list", from);
	while (!rc && (file = readdir(dir))) {
		const char *end = strrchr(file->d_name, '.');
		if (!end || end == file->d_name || strcmp(end, ".key") != 0)
			continue;
		rc = file_path(error, source, sizeof(source), "%s/%s", from, file->d_name);
		if (!rc)
			rc = file_path(error, target, sizeof(target), "%s/%s", to, file->d_name);
		if (!rc)
			rc = file_path(error, draft, sizeof(draft), "%s/.%s.new", to, file->d_name);
		if (rc || file_exists(target))
			continue;
		file_remove(draft);
		rc = file_copy(error, source, draft);
		if (!rc)
			rc = file_publish(error, draft, target);
		*added += !rc;
	}
	closedir(dir);
	return rc;
}

static int merge(struct error *error, sqlite3 *db, const char *from, unsigned *added)
{
	sqlite3_stmt *stmt = NULL;
	int rc;

	if (sqlite3_prepare_v2(db, "ATTACH ?1 AS copy", -1, &stmt, NULL) == SQLITE_OK) {
		sqlite3_bind_text(stmt, 1, from, -1, SQLITE_STATIC);
		sqlite3_step(stmt);
	}
	if (sqlite3_finalize(stmt) != SQLITE_OK || !stmt)
		return care_fail(error, db, "reading", from);
	rc = care_exec(error, db,
		"PRAGMA secure_delete=ON; BEGIN IMMEDIATE;"
		"INSERT OR IGNORE INTO main.gone SELECT * FROM copy.gone;"
		"DELETE FROM main.person WHERE number IN (SELECT number FROM main.gone);"
		"INSERT OR IGNORE INTO main.person SELECT * FROM copy.person"
		" WHERE number NOT IN (SELECT number FROM main.gone)",
		"adding the persons' keys of", from);
	*added += rc ? 0 : (unsigned)sqlite3_changes(db);
	return rc ? rc : care_exec(error, db, "COMMIT", "adding the persons' keys of", from);
}

/* The persons' keys that only the copy has, but of nobody whom either knows to be forgotten. */
static int add_persons(struct error *error, const char *from, const char *to, unsigned *added)
{
	char source[CARE_PATH], target[CARE_PATH];
	sqlite3 *db = NULL;
	int rc;

	rc = file_path(error, source, sizeof(source), "%s/persons.db", from);
	if (!rc)
		rc = file_path(error, target, sizeof(target), "%s/persons.db", to);
	if (rc || !file_exists(source))
		return rc;
	if (!file_exists(target)) {
		rc = care_copy_key_file(error, source, target);
		*added += !rc;
		return rc;
	}
	rc = care_open(error, &db, target, SQLITE_OPEN_READWRITE);
	if (!rc)
		rc = merge(error, db, source, added);
	sqlite3_close(db);
	return rc;
}

static int add_keys(struct error *error, const char *from, const char *to, unsigned *added)
{
	int rc = add_missing(error, from, to, added);

	return rc ? rc : add_persons(error, from, to, added);
}

/* The keys that the restored store will have, as draft/keys. */
static int bring_keys(struct error *error, struct restore *r)
{
	unsigned files;
	int rc = 0;

	if (!r->keys && !file_exists(r->present))
		return error_set(error, E_NOTFOUND,
			"there is no key store in %s, and without one nothing in %s can be read: "
			"name its copy with --keys",
			r->state, r->file);
	if (r->keys)
		rc = find_keys(error, r);
	if (rc)
		return rc;
	r->replace_keys = r->keys && !care_same_master(r->keys_from, r->present);
	rc = care_copy_keys(
		error, r->replace_keys ? r->keys_from : r->present, r->draft_keys, &files);
	if (!rc && r->keys && !r->replace_keys)
		rc = add_keys(error, r->keys_from, r->draft_keys, &r->out->keys_added);
	return rc;
}

static int check_keys(struct error *error, struct restore *r)
{
	uint8_t stored[SEAL_CHECK], given[SEAL_CHECK];
	struct keys *keys = NULL;
	sqlite3 *db = NULL;
	bool there = false;
	int rc = care_open(error, &db, r->draft_file, SQLITE_OPEN_READONLY);

	if (!rc)
		rc = care_keys_check(error, db, r->file, stored, &there);
	sqlite3_close(db);
	if (!rc)
		rc = keys_open(error, &keys, r->draft, false);
	if (rc)
		return rc;
	keys_check(keys, given);
	keys_close(keys);
	if (there && memcmp(stored, given, SEAL_CHECK) != 0)
		return error_set(error, E_CORRUPT,
			"%s was sealed under another key store than that of %s: name the one that "
			"belongs to it with --keys",
			r->file, r->keys ? r->keys : r->state);
	return 0;
}

/* ---- a sealed row ------------------------------------------------------------------------- */

static void count_event(struct care_restored *out, const struct event_row *row)
{
	out->sealed_tried += row->unreadable || row->person.len;
	out->sealed_read += !row->unreadable && row->person.len;
}

static int sample_events(
	struct error *error, struct care_restored *out, struct store_reader *reader)
{
	struct store_filter filter = {.limit = SAMPLE};
	struct arena *arena = arena_create(SAMPLE_MEMORY);
	struct event_row *rows;
	size_t count = 0;
	int rc = store_list_events(error, reader, &filter, arena, &rows, &count);

	for (size_t i = 0; !rc && i < count; i++)
		count_event(out, &rows[i]);
	arena_destroy(arena);
	return rc;
}

static int sample_hooks(struct error *error, struct care_restored *out, struct store_reader *reader)
{
	struct store_filter filter = {.limit = SAMPLE};
	struct arena *arena = arena_create(SAMPLE_MEMORY);
	struct inbox_row *rows;
	struct story story;
	size_t count = 0;
	int rc = store_list_inbox(error, reader, &filter, arena, &rows, &count);

	for (size_t i = 0; !rc && i < count; i++) {
		char id[ID_TEXT];
		id_text(id, &rows[i].id);
		rc = store_story(error, reader, str_of(id), STR(""), arena, &story);
		for (size_t k = 0; !rc && k < story.inbox_count; k++) {
			out->sealed_tried++;
			out->sealed_read += !story.inbox[k].unreadable;
		}
	}
	arena_destroy(arena);
	return rc;
}

/* By the same code that reads for people. A store of an older build is read after its migration. */
static int read_sealed(struct error *error, struct restore *r)
{
	struct store_reader *reader;
	struct care_restored *out = r->out;
	int rc;

	if (out->schema != (long)store_migration_count)
		return 0;
	rc = store_reader_open(error, &reader, r->draft);
	if (rc)
		return rc;
	rc = sample_events(error, out, reader);
	if (!rc)
		rc = sample_hooks(error, out, reader);
	store_reader_close(reader);
	if (!rc && out->sealed_tried && !out->sealed_read)
		rc = error_set(error, E_CORRUPT,
			"of %u sealed rows of %s none can be read with these keys: name the copy "
			"of "
			"the key store that was made after it with --keys",
			out->sealed_tried, r->file);
	return rc;
}

/* ---- the exchange ------------------------------------------------------------------------- */

static int move(struct error *error, struct restore *r, const char *from, const char *to)
{
	struct move *m = &r->moves[r->moved];

	if (!file_exists(from))
		return 0;
	if ((size_t)snprintf(m->from, sizeof(m->from), "%s", from) >= sizeof(m->from) ||
		(size_t)snprintf(m->to, sizeof(m->to), "%s", to) >= sizeof(m->to))
		return error_set(error, E_INVALID, "the path of the state directory is too long");
	if (rename(from, to) != 0)
		return file_fail(error, "move", from);
	r->moved++;
	return 0;
}

/* False: not all of them; then the marker stays, and no host starts on this. */
static bool undo_moves(struct restore *r)
{
	bool undone = true;

	while (r->moved) {
		struct move *m = &r->moves[--r->moved];
		undone = rename(m->to, m->from) == 0 && undone;
	}
	return undone;
}

static int move_aside(struct error *error, struct restore *r, const char *name)
{
	char from[CARE_PATH], to[CARE_PATH];
	int rc = file_path(error, from, sizeof(from), "%s/%s", r->state, name);

	if (!rc)
		rc = file_path(error, to, sizeof(to), "%s/%s", r->out->aside, name);
	return rc ? rc : move(error, r, from, to);
}

/* So that the log need not be moved apart from its file; a damaged one may not let us. */
static void empty_log(const struct restore *r)
{
	char file[CARE_PATH];
	sqlite3 *db = NULL;

	if (file_path(NULL, file, sizeof(file), "%s/" STORE_FILE, r->state) == 0 &&
		file_exists(file) && care_open(NULL, &db, file, SQLITE_OPEN_READWRITE) == 0)
		sqlite3_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL);
	sqlite3_close(db);
}

/* Root may restore for the host's user. */
static void give(const struct restore *r)
{
	char lock[CARE_PATH];

	file_give(r->state, r->draft);
	file_give(r->state, r->out->aside);
	if (r->out->keys_added)
		file_give(r->state, r->present);
	if (file_path(NULL, lock, sizeof(lock), "%s/lock", r->state) == 0)
		file_give(r->state, lock);
}

static int exchange(struct error *error, struct restore *r)
{
	static const char *const names[] = {
		STORE_FILE, STORE_FILE "-wal", STORE_FILE "-shm", "damage.note", "integrity.note"};
	char file[CARE_PATH];
	int rc = 0;

	for (size_t i = 0; !rc && i < sizeof(names) / sizeof(*names); i++)
		rc = move_aside(error, r, names[i]);
	if (!rc && r->replace_keys)
		rc = move_aside(error, r, "keys");
	if (!rc)
		rc = file_sync(error, r->out->aside);
	if (!rc && r->replace_keys)
		rc = move(error, r, r->draft_keys, r->present);
	if (!rc)
		rc = file_path(error, file, sizeof(file), "%s/" STORE_FILE, r->state);
	if (!rc)
		rc = move(error, r, r->draft_file, file);
	return rc ? rc : file_sync(error, r->state);
}

/* Of one that was interrupted and began again there may be several in one second. */
static int make_aside(struct error *error, struct restore *r)
{
	char stamp[FILE_STAMP];
	int n = 0, rc;

	do {
		file_stamp(stamp, clock_now_ms(), n++);
		rc = file_path(error, r->out->aside, sizeof(r->out->aside), "%s/before-restore-%s",
			r->state, stamp);
	} while (!rc && file_exists(r->out->aside));
	if (!rc && mkdir(r->out->aside, 0700) != 0)
		rc = file_fail(error, "create", r->out->aside);
	return rc;
}

static int put_in_place(struct error *error, struct restore *r)
{
	char marker[CARE_PATH];
	unsigned added = 0;
	bool half = false; /* one before us was interrupted, and the state is what it left */
	bool undone = true;
	int rc;

	rc = file_path(error, marker, sizeof(marker), "%s/" CARE_UNFINISHED, r->state);
	if (!rc) {
		half = file_exists(marker);
		rc = make_aside(error, r);
	}
	if (!rc)
		rc = file_write(
			error, marker, "klinke restore was interrupted here: run it again\n");
	if (!rc)
		rc = file_sync(error, r->state);
	if (!rc && !r->replace_keys && r->keys)
		rc = add_keys(error, r->draft_keys, r->present, &added);
	if (!rc) {
		empty_log(r);
		give(r);
		rc = exchange(error, r);
		undone = !rc || undo_moves(r);
	}
	if (!rc || (!half && undone)) /* done, or all is as it was */
		unlink(marker);
	if (rmdir(r->out->aside) == 0) /* nothing was there */
		r->out->aside[0] = '\0';
	return rc ? rc : file_sync(error, r->state);
}

/* ---- the whole ---------------------------------------------------------------------------- */

static int prepare(struct error *error, struct restore *r)
{
	int rc;

	file_remove(r->draft); /* of one that was interrupted */
	if (mkdir(r->draft, 0700) != 0)
		return file_fail(error, "create", r->draft);
	rc = copy_in(error, r);
	if (!rc)
		rc = check_schema(error, r);
	if (!rc)
		rc = bring_keys(error, r);
	if (!rc)
		rc = check_keys(error, r);
	return rc ? rc : read_sealed(error, r);
}

static int restore_locked(struct error *error, struct restore *r)
{
	int rc;

	rc = file_path(error, r->draft, sizeof(r->draft), "%s/restore.part", r->state);
	if (!rc)
		rc = file_path(error, r->present, sizeof(r->present), "%s/keys", r->state);
	if (rc)
		return rc;
	snprintf(r->draft_file, sizeof(r->draft_file), "%s/" STORE_FILE, r->draft);
	snprintf(r->draft_keys, sizeof(r->draft_keys), "%s/keys", r->draft);
	rc = prepare(error, r);
	if (!rc)
		rc = put_in_place(error, r);
	file_remove(r->draft);
	return rc;
}

int care_restore(struct error *error, const char *state, const char *file, const char *keys,
	struct care_restored *out)
{
	struct restore *r = calloc(1, sizeof(*r));
	int fd = -1, rc = 0;

	memset(out, 0, sizeof(*out));
	if (!r)
		return error_set(error, E_NOMEM, "no memory to restore a store");
	r->state = state;
	r->file = file;
	r->keys = keys;
	r->out = out;
	rc = check_there(error, r); /* before a directory is made for it */
	if (!rc && mkdir(state, 0700) != 0 && errno != EEXIST)
		rc = file_fail(error, "create", state);
	if (!rc)
		rc = lock_take(error, state, &fd);
	if (!rc)
		rc = restore_locked(error, r);
	out->keys_replaced = r->replace_keys;
	lock_release(fd);
	free(r);
	return rc;
}
