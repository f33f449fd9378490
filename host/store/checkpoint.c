/* checkpoint.c - moves what the write-ahead log holds into the database's file, so that the log
 * stays small. Never inside a commit: a thread of its own copies the bulk while the writer goes on;
 * the little that came meanwhile is copied by the writer between two groups, because only a log
 * that is copied whole can be begun anew. */
#include "store/engine.h"

#define WANTED_PAGES 1024    /* 4 MiB: begin */
#define SMALL_PAGES 256      /* what the writer may be asked to copy: about a millisecond */
#define TOO_MANY_PAGES 16384 /* 64 MiB: the thread does not keep up, the writer does it all */
/* SQLite's index of the log, as its documentation draws it. */
#define INDEX_LOCK 1 /* of who copies */
#define INDEX_SIZE 32768
#define INDEX_COPIED 96 /* where the number of copied pages stands */
#define EMPTY_MS 500    /* what others wait for who reads when somebody was forgotten */
#define ROUNDS 2        /* each takes as long as a sync, and the log grows meanwhile */

static sqlite3_file *file_of(struct conn *conn)
{
	sqlite3_file *file = NULL;

	sqlite3_file_control(conn->db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
	return file && file->pMethods ? file : NULL;
}

/* A sync failed. The kernel may have dropped what it could not write, and will not tell again: the
 * next sync succeeds, and the pages are as old as ever. The log still has them, since it is not
 * begun anew before a sync of all of it; but SQLite remembers what it has copied, and would not
 * copy it again. So it has to forget. (Where that stands: "nBackfill" in sqlite.org/walformat.html.
 * To copy twice is harmless; the lock keeps out who copies just now.) */
static void copy_again(struct conn *conn)
{
	sqlite3_file *file = file_of(conn);
	volatile void *index = NULL;

	if (!file || file->pMethods->iVersion < 2 ||
		file->pMethods->xShmLock(
			file, INDEX_LOCK, 1, SQLITE_SHM_LOCK | SQLITE_SHM_EXCLUSIVE) != SQLITE_OK)
		return; /* somebody copies: that one syncs, and learns of it, too */
	if (file->pMethods->xShmMap(file, 0, INDEX_SIZE, 0, &index) == SQLITE_OK && index)
		__atomic_store_n(
			(volatile uint32_t *)index + INDEX_COPIED / 4, 0, __ATOMIC_SEQ_CST);
	file->pMethods->xShmLock(file, INDEX_LOCK, 1, SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE);
}

/* Pages of the log that are copied now, or -1. Passive: waits for nobody. */
static int copy(struct conn *conn)
{
	int in_log, copied = 0, rc;

	rc = sqlite3_wal_checkpoint_v2(conn->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &in_log, &copied);
	if (rc == SQLITE_IOERR_FSYNC)
		copy_again(conn);
	if (rc != SQLITE_OK)
		return -1; /* busy, or the disk: the next commit will say so in its own words */
	return copied;
}

/* SQLite syncs the database's file only with the copy that ends the log, which is the writer's:
 * without this it would wait there for all that we have copied. */
static void sync_file(struct conn *conn)
{
	sqlite3_file *file = file_of(conn);

	if (file && file->pMethods->xSync(file, SQLITE_SYNC_NORMAL) != SQLITE_OK)
		copy_again(conn);
}

/* What the writer has added meanwhile. */
static int left(struct checkpointer *checkpointer, int copied)
{
	int pages;

	pthread_mutex_lock(&checkpointer->lock);
	pages = checkpointer->wal_pages;
	pthread_mutex_unlock(&checkpointer->lock);
	return pages - copied;
}

/* Two cannot copy at a time: the writer would find us at it and leave the log as it is. */
static void ask_writer(struct store *store)
{
	pthread_mutex_lock(&store->checkpointer.lock);
	store->checkpointer.settling = true;
	pthread_mutex_unlock(&store->checkpointer.lock);
	pthread_mutex_lock(&store->queue.lock);
	store->queue.settle = true;
	pthread_cond_signal(&store->queue.wake);
	pthread_mutex_unlock(&store->queue.lock);
}

static bool wait_for_work(struct checkpointer *checkpointer)
{
	bool go_on;

	pthread_mutex_lock(&checkpointer->lock);
	while ((!checkpointer->wanted || checkpointer->settling) && !checkpointer->stopping)
		pthread_cond_wait(&checkpointer->wake, &checkpointer->lock);
	checkpointer->wanted = false;
	go_on = !checkpointer->stopping;
	pthread_mutex_unlock(&checkpointer->lock);
	return go_on;
}

static void *copy_logs(void *arg)
{
	struct store *store = arg;
	struct checkpointer *checkpointer = &store->checkpointer;
	int copied, rounds;

	pthread_setname_np(pthread_self(), "checkpoint");
	while (wait_for_work(checkpointer)) {
		copied = copy(&checkpointer->conn);
		for (rounds = 1; left(checkpointer, copied) > SMALL_PAGES && rounds < ROUNDS;
			rounds++) {
			sync_file(&checkpointer->conn);
			copied = copy(&checkpointer->conn);
		}
		if (left(checkpointer, copied) > 0) /* else the writer begins anew by itself */
			ask_writer(store);
	}
	return NULL;
}

int checkpoint_all(struct error *error, struct conn *conn)
{
	int rc = sqlite3_wal_checkpoint_v2(conn->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);

	return rc == SQLITE_OK || (rc & 0xff) == SQLITE_BUSY || (rc & 0xff) == SQLITE_LOCKED
		       ? 0
		       : conn_fail(error, conn, "copying what the last process left");
}

int checkpoint_empty(struct error *error, struct conn *conn)
{
	int rc;

	sqlite3_busy_timeout(conn->db, EMPTY_MS);
	rc = sqlite3_wal_checkpoint_v2(conn->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	sqlite3_busy_timeout(conn->db, CONN_BUSY_MS);
	if (rc == SQLITE_OK)
		return 0;
	if (rc == SQLITE_IOERR_FSYNC)
		copy_again(conn);
	rc = conn_fail(error, conn, "emptying the store's log");
	conn->broken = false; /* the group is on disk */
	return rc;
}

int checkpoint_start(struct error *error, struct store *store, const char *path)
{
	struct checkpointer *checkpointer = &store->checkpointer;
	int rc;

	rc = conn_open(error, &checkpointer->conn, path, CONN_CHECKPOINTER);
	if (rc)
		return rc;
	if (pthread_create(&checkpointer->thread, NULL, copy_logs, store) != 0)
		return error_set(
			error, E_NOMEM, "cannot start the store's checkpointer: too many threads");
	checkpointer->started = true;
	return 0;
}

void checkpoint_stop(struct store *store)
{
	struct checkpointer *checkpointer = &store->checkpointer;

	if (checkpointer->started) {
		pthread_mutex_lock(&checkpointer->lock);
		checkpointer->stopping = true;
		pthread_cond_signal(&checkpointer->wake);
		pthread_mutex_unlock(&checkpointer->lock);
		pthread_join(checkpointer->thread, NULL);
		checkpointer->started = false;
	}
	conn_finish(&checkpointer->conn);
}

void checkpoint_after_group(struct store *store, int wal_pages)
{
	struct checkpointer *checkpointer = &store->checkpointer;

	if (!checkpointer->started)
		return;
	pthread_mutex_lock(&checkpointer->lock);
	checkpointer->wal_pages = wal_pages;
	if (wal_pages >= WANTED_PAGES && !checkpointer->wanted) {
		checkpointer->wanted = true;
		pthread_cond_signal(&checkpointer->wake);
	}
	pthread_mutex_unlock(&checkpointer->lock);
	if (wal_pages > TOO_MANY_PAGES)
		copy(&store->conn);
}

void checkpoint_settle(struct store *store)
{
	struct checkpointer *checkpointer = &store->checkpointer;

	copy(&store->conn);
	pthread_mutex_lock(&checkpointer->lock);
	checkpointer->settling = false;
	checkpointer->wanted = false; /* of the log that is copied now */
	pthread_cond_signal(&checkpointer->wake);
	pthread_mutex_unlock(&checkpointer->lock);
}
