/* checkpoint.c - moves what the write-ahead log holds into the database's file, so that the log
 * stays small. Never inside a commit: a thread of its own copies the bulk while the writer goes on;
 * the little that came meanwhile is copied by the writer between two groups, because only a log
 * that is copied whole can be begun anew. */
#include "store/engine.h"

#define WANTED_PAGES 1024    /* 4 MiB: begin */
#define SMALL_PAGES 256      /* what the writer may be asked to copy: about a millisecond */
#define TOO_MANY_PAGES 16384 /* 64 MiB: the thread does not keep up, the writer does it all */
#define ROUNDS 4

/* Pages that are left, or -1. Passive: waits for nobody. */
static int copy(struct conn *conn)
{
	int in_log = 0, copied = 0;

	if (sqlite3_wal_checkpoint_v2(
		    conn->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &in_log, &copied) != SQLITE_OK)
		return -1; /* busy, or the disk: the next commit will say so in its own words */
	return in_log - copied;
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
	int left, rounds;

	while (wait_for_work(&store->checkpointer)) {
		left = copy(&store->checkpointer.conn);
		for (rounds = 1; left > SMALL_PAGES && rounds < ROUNDS; rounds++)
			left = copy(&store->checkpointer.conn);
		if (left >= 0)
			ask_writer(store);
	}
	return NULL;
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

	if (wal_pages < WANTED_PAGES || !checkpointer->started)
		return;
	pthread_mutex_lock(&checkpointer->lock);
	if (!checkpointer->wanted) {
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
