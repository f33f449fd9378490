/* store.c - opening and closing: directory, lock, file, schema, keys, threads. Never repairs,
 * renames or recreates what is damaged: that is for a person. The thread that opens and closes. */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "store/care_i.h"
#include "store/engine.h"
#include "store/lock.h"
#include "store/migrate.h"
#include "store/wal.h"

#define START_CHECK_MS 250
#define GROUP_DEFAULT 256
#define SCRATCH_MAX ((size_t)64 << 20)

static int fail_path(struct error *error, const char *doing, const char *path)
{
	int code = errno == EACCES || errno == EPERM || errno == EROFS ? E_DENIED : E_IO;

	return error_set(error, code, "cannot %s %s: %s", doing, path, strerror(errno));
}

/* A directory whose name is not on disk is gone after a power cut, with all that was synced in it.
 * At each start, since the one that made it may have died before this. Where nobody may look into
 * the directory above, whoever made that must have saved it. */
static int sync_name(struct error *error, const char *path)
{
	char above[4400];
	int fd, rc = 0;

	snprintf(above, sizeof(above), "%s/..", path);
	fd = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (fsync(fd) != 0 && errno != EINVAL && errno != EROFS)
		rc = fail_path(error, "save the name of the state directory", path);
	close(fd);
	return rc;
}

static int make_directory(struct error *error, const char *path)
{
	struct stat st;
	int made = mkdir(path, 0700);

	if (made != 0 && errno == EACCES)
		return error_set(error, E_DENIED,
			"cannot create the state directory %s: %s; make it for the user that the "
			"host runs as, or name another one: state = in [host]",
			path, strerror(errno));
	if (made != 0 && errno != EEXIST)
		return fail_path(error, "create the state directory", path);
	if (stat(path, &st) != 0)
		return fail_path(error, "read the state directory", path);
	if (!S_ISDIR(st.st_mode))
		return error_set(
			error, E_INVALID, "the state directory %s is not a directory", path);
	return sync_name(error, path);
}

/* SQLite gives its log and index files the mode of this one. */
static int make_file(struct error *error, const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return fail_path(error, "open", path);
	close(fd);
	return 0;
}

/* ---- the keys that belong to the file -----------------------------------------------------------
 */

static int read_check(
	struct error *error, struct conn *conn, uint8_t check[SEAL_CHECK], bool *there)
{
	struct stmt stmt;
	struct str value;
	int rc;

	stmt_begin_sql(&stmt, conn, "SELECT value FROM meta WHERE name = 'keys'");
	rc = stmt_step(error, &stmt);
	*there = rc == 1;
	if (rc == 1) {
		value = col_str(&stmt);
		if (value.len == SEAL_CHECK)
			memcpy(check, value.ptr, SEAL_CHECK);
		else
			rc = error_set(
				error, E_CORRUPT, "the store's note about its keys is damaged");
	}
	stmt_end(&stmt);
	return rc < 0 ? rc : 0;
}

static int write_check(struct error *error, struct conn *conn, const uint8_t check[SEAL_CHECK])
{
	struct stmt stmt;

	stmt_begin_sql(&stmt, conn, "INSERT INTO meta (name, value) VALUES ('keys', ?1)");
	stmt_blob(&stmt, check, SEAL_CHECK);
	return stmt_done(error, &stmt);
}

/* Other keys than the ones this store was written with would only be noticed when somebody needs an
 * old row, and then it is too late. */
static int open_keys(struct error *error, struct store *store)
{
	uint8_t stored[SEAL_CHECK] = {0}, check[SEAL_CHECK];
	bool there;
	int rc;

	rc = read_check(error, &store->conn, stored, &there);
	if (!rc)
		rc = keys_open(error, &store->keys, store->directory, !there && !store->read_only);
	if (rc == E_NOTFOUND && there)
		return error_set(error, E_CORRUPT,
			"%s/keys/master.key is missing, and what is stored was sealed under it: "
			"put back the "
			"keys directory that belongs to this store",
			store->directory);
	if (rc)
		return rc;
	keys_check(store->keys, check);
	if (there && memcmp(stored, check, SEAL_CHECK) != 0)
		return error_set(error, E_CORRUPT,
			"%s/keys is another store's key store: put back the one that belongs to "
			"this store",
			store->directory);
	if (!there && !store->read_only)
		rc = write_check(error, &store->conn, check);
	keys_allow(store->keys, !store->read_only);
	return rc;
}

/* ---- opening ------------------------------------------------------------------------------------
 */

/* Half of a restore, or a key store whose file is gone: to begin anew would hide it. */
static int check_files(struct error *error, const struct store *store, const char *path)
{
	char other[4200];

	snprintf(other, sizeof(other), "%s/" CARE_UNFINISHED, store->directory);
	if (access(other, F_OK) == 0)
		return error_set(error, E_CONFLICT,
			"a restore was interrupted in %s: run klinke restore again; what was there "
			"before lies in %s/before-restore-*",
			store->directory, store->directory);
	snprintf(other, sizeof(other), "%s/keys/master.key", store->directory);
	if (access(path, F_OK) != 0 && errno == ENOENT && access(other, F_OK) == 0)
		return error_set(error, E_CORRUPT,
			"%s is gone, and its key store is there: klinke restore a backup; to begin "
			"with nothing, move %s/keys away, too",
			path, store->directory);
	return 0;
}

/* As far as that goes in a moment; the rest is for the check by schedule. */
static int check_pages(struct error *error, const struct store *store, const char *path)
{
	struct care_check check = {.quick = true, .for_ms = START_CHECK_MS};
	struct care_checked checked;
	struct stat st;
	int rc;

	if (stat(path, &st) != 0 || st.st_size == 0)
		return 0;
	rc = care_verify(error, path, &check, &checked);
	if (rc != E_CORRUPT)
		return rc == E_NOMEM ? rc : 0; /* what cannot be checked may still be opened */
	care_damaged(store->directory, checked.first);
	return error_set(error, E_CORRUPT,
		"the store's file %s is damaged (%s); nothing was changed: klinke restore a "
		"backup, "
		"or klinke salvage reads what can be read into a new file",
		path, checked.first);
}

/* Closing a file copies its log into it: not into one that is damaged. */
static int check_untouched(struct error *error, struct store *store, const char *path)
{
	int rc;

	sqlite3_db_config(store->conn.db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	rc = check_pages(error, store, path);
	if (!rc)
		sqlite3_db_config(store->conn.db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	return rc;
}

/* A store has its tables before it has keys. */
static int check_emptiness(struct error *error, const struct store *store, const char *path)
{
	char keys[4200];
	long version;
	int rc = migrate_origin(error, store->conn.db, migrations_released(), &version);

	snprintf(keys, sizeof(keys), "%s/keys/master.key", store->directory);
	if (rc || version || access(keys, F_OK) != 0)
		return rc;
	return error_set(error, E_CORRUPT,
		"%s is empty, and its key store is there: klinke restore a backup; to begin with "
		"nothing, move %s/keys away",
		path, store->directory);
}

static int migrate(struct error *error, struct store *store, const char *path)
{
	struct migrated done;
	char from[16], to[16];
	int rc = check_emptiness(error, store, path);

	if (!rc)
		rc = migrate_up(
			error, store->conn.db, migrations_released(), store->directory, &done);
	if (rc || !done.snapshot[0])
		return rc;
	snprintf(from, sizeof(from), "%ld", done.from);
	snprintf(to, sizeof(to), "%ld", done.to);
	log_line(LOG_INFO, "schema migrated", "from", from, "to", to, "copy_from_before",
		done.snapshot, NULL);
	return 0;
}

static int open_writer(struct error *error, struct store *store, const char *path)
{
	int rc;

	rc = check_files(error, store, path);
	if (!rc)
		rc = wal_guard(error, store->directory, STORE_FILE, true);
	if (!rc)
		rc = wal_guard(error, store->directory, "keys/persons.db", false);
	if (!rc)
		rc = make_file(error, path);
	if (!rc)
		rc = conn_open(error, &store->conn, path, CONN_WRITER);
	if (!rc)
		rc = check_untouched(error, store, path);
	if (!rc)
		rc = checkpoint_all(error, &store->conn);
	if (!rc)
		rc = migrate(error, store, path);
	if (!rc)
		rc = migrate_verify(error, store->conn.db);
	if (!rc)
		rc = open_keys(error, store);
	if (!rc)
		rc = forget_finish(error, store);
	if (!rc)
		rc = job_recover(error, store);
	if (!rc)
		rc = gone_begin(error, store);
	if (!rc)
		rc = checkpoint_start(error, store, path);
	if (!rc)
		rc = queue_start(error, store);
	return rc;
}

static int open_reader(struct error *error, struct store *store, const char *path)
{
	int rc;

	rc = conn_open(error, &store->conn, path, CONN_READER);
	if (!rc)
		rc = migrate_verify(error, store->conn.db);
	return rc ? rc : open_keys(error, store);
}

static struct store *create(const struct store_options *options)
{
	struct store *store = calloc(1, sizeof(*store));

	if (!store)
		return NULL;
	snprintf(store->directory, sizeof(store->directory), "%s", options->directory);
	store->lock_fd = -1;
	store->read_only = options->read_only;
	store->max_group = options->max_group ? options->max_group : GROUP_DEFAULT;
	store->scratch = arena_create(SCRATCH_MAX);
	store->queue.last = store->queue.urgent = &store->queue.first;
	store->claims.floor_ms = INT64_MIN;
	pthread_mutex_init(&store->queue.lock, NULL);
	pthread_mutex_init(&store->health.lock, NULL);
	pthread_cond_init(&store->queue.wake, NULL);
	pthread_mutex_init(&store->checkpointer.lock, NULL);
	pthread_cond_init(&store->checkpointer.wake, NULL);
	return store;
}

int store_open(struct error *error, struct store **out, const struct store_options *options)
{
	struct store *store;
	char path[4200];
	int rc = 0;

	if (strlen(options->directory) >= sizeof(store->directory))
		return error_set(error, E_INVALID, "the state directory's name is too long");
	store = create(options);
	if (!store || !store->scratch) {
		store_close(store);
		return error_set(error, E_NOMEM, "no memory for the store");
	}
	snprintf(path, sizeof(path), "%s/" STORE_FILE, store->directory);
	if (!store->read_only)
		rc = make_directory(error, store->directory);
	if (!rc && !store->read_only)
		rc = lock_take(error, store->directory, &store->lock_fd);
	if (!rc)
		rc = store->read_only ? open_reader(error, store, path)
				      : open_writer(error, store, path);
	if (rc)
		store_close(store);
	else
		*out = store;
	return rc;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	queue_stop(store);
	checkpoint_stop(store);
	conn_finish(&store->conn);
	keys_close(store->keys);
	claims_finish(&store->claims);
	free(store->tally.notes);
	arena_destroy(store->scratch);
	lock_release(store->lock_fd);
	pthread_cond_destroy(&store->checkpointer.wake);
	pthread_mutex_destroy(&store->checkpointer.lock);
	pthread_cond_destroy(&store->queue.wake);
	pthread_mutex_destroy(&store->queue.lock);
	pthread_mutex_destroy(&store->health.lock);
	free(store);
}
