/* queue.c - operations on their way to the disk: the queue and the writer's thread. Whatever has
 * arrived while a commit was on its way to the disk is the next group. Never lets an operation wait
 * for a fuller group, never calls done() before the commit is on disk. */
#include "store/engine.h"

#include <assert.h>
#include <stdlib.h>

static const struct query q_begin = {Q_BEGIN, "BEGIN IMMEDIATE"};
static const struct query q_commit = {Q_COMMIT, "COMMIT"};
static const struct query q_rollback = {Q_ROLLBACK, "ROLLBACK"};
static const struct query q_savepoint = {Q_SAVEPOINT, "SAVEPOINT one"};
static const struct query q_undo_savepoint = {Q_UNDO_SAVEPOINT, "ROLLBACK TO one"};
static const struct query q_release = {Q_RELEASE, "RELEASE one"};

/* ---- a group: the writer's thread --------------------------------------------------------- */

static void roll_back(struct store *store)
{
	claims_undo(&store->claims, 0);
	if (!sqlite3_get_autocommit(store->conn.db)) /* SQLite may have done it already */
		conn_run(NULL, &store->conn, &q_rollback);
	store->conn.broken = false;
}

static void fail_group(struct store_op *group, const struct error *error)
{
	for (; group; group = group->next) {
		if (!group->run)
			continue;
		group->error = *error;
		group->result = error->code;
	}
}

static void commit_group(struct store *store, struct store_op *group);

/* A page that one of them needs cannot be read, or there was no memory for it: the others' are
 * fine. What an operation says of its error is its own then. */
static void commit_one_by_one(struct store *store, struct store_op *group)
{
	while (group) {
		struct store_op *next = group->next;

		group->next = NULL;
		commit_group(store, group);
		group->next = next;
		group = next;
	}
}

enum group_result { GROUP_FINE, GROUP_FAILED, GROUP_AGAIN };

/* Without a savepoint an operation that fails may leave half of itself behind; then the group must
 * be run again, with savepoints. They cost a copy of each page they touch, so not every group pays.
 */
static enum group_result run_one(struct store *store, struct store_op *op, bool careful)
{
	size_t mark = claims_mark(&store->claims), noted = store->tally.count;
	sqlite3_int64 changes = sqlite3_total_changes64(store->conn.db);
	struct conn *conn = &store->conn;

	arena_reset(store->scratch);
	op->error = (struct error){0};
	if (careful && conn_run(&op->error, conn, &q_savepoint))
		return GROUP_FAILED;
	op->result = sealed_check(store, op);
	if (!op->result)
		op->result = op->run(store, op);
	if (conn->broken || sqlite3_get_autocommit(conn->db))
		return GROUP_FAILED;
	if (op->result) {
		claims_undo(&store->claims, mark);
		store->tally.count = noted;
	}
	if (!careful)
		return op->result && sqlite3_total_changes64(conn->db) != changes ? GROUP_AGAIN
										  : GROUP_FINE;
	if (op->result && conn_run(&op->error, conn, &q_undo_savepoint))
		return GROUP_FAILED;
	return conn_run(&op->error, conn, &q_release) ? GROUP_FAILED : GROUP_FINE;
}

static enum group_result try_group(
	struct store *store, struct store_op *group, bool careful, struct error *error)
{
	enum group_result result = GROUP_FINE;
	struct store_op *op;

	store->conn.broken = false;
	store->tally.count = 0;
	store->forgot = false;
	if (conn_run(error, &store->conn, &q_begin))
		return GROUP_FAILED;
	for (op = group; op && result == GROUP_FINE; op = op->next) {
		if (!op->run)
			continue;
		result = run_one(store, op, careful);
		if (result == GROUP_FAILED)
			*error = op->error;
	}
	if (result == GROUP_FINE && tally_flush(error, store))
		result = GROUP_FAILED;
	/* No row before the keys that it was sealed under. */
	if (result == GROUP_FINE &&
		(keys_flush(error, store->keys) || conn_run(error, &store->conn, &q_commit)))
		result = GROUP_FAILED;
	return result;
}

static void set_failing(struct store *store, const struct error *error)
{
	pthread_mutex_lock(&store->health.lock);
	if (error)
		store->health.error = *error;
	atomic_store(&store->health.failing, error != NULL);
	pthread_mutex_unlock(&store->health.lock);
}

bool store_failing(struct store *store, struct error *error)
{
	if (!atomic_load(&store->health.failing))
		return false;
	pthread_mutex_lock(&store->health.lock);
	*error = store->health.error;
	pthread_mutex_unlock(&store->health.lock);
	return true;
}

/* A group that has written nothing says nothing about the disk. */
static void note_written(struct store *store, sqlite3_int64 changes_before)
{
	if (atomic_load(&store->health.failing) &&
		sqlite3_total_changes64(store->conn.db) != changes_before)
		set_failing(store, NULL);
}

static void commit_group(struct store *store, struct store_op *group)
{
	sqlite3_int64 changes = sqlite3_total_changes64(store->conn.db);
	struct error error = {0};
	enum group_result result;

	result = try_group(store, group, false, &error);
	if (result == GROUP_AGAIN) {
		roll_back(store);
		result = try_group(store, group, true, &error);
	}
	if (result == GROUP_FINE) {
		claims_keep(&store->claims);
		note_written(store, changes);
		if (store->forgot)
			forget_settle(store, group);
		return;
	}
	roll_back(store);
	if (group->next && (error.code == E_CORRUPT || error.code == E_NOMEM)) {
		commit_one_by_one(store, group);
		return;
	}
	if (!error.code)
		error_set(&error, E_IO, "the store could not commit; nothing of it was stored");
	set_failing(store, &error);
	fail_group(group, &error);
}

static void finish_group(struct store_op *group)
{
	while (group) {
		struct store_op *next = group->next;
		free(group->sealed);
		group->sealed = NULL;
		group->next = NULL;
		group->done(group); /* the operation may be gone now */
		group = next;
	}
}

/* ---- the queue ---------------------------------------------------------------------------- */

static void put_on(struct queue *queue, struct store_op *op)
{
	struct store_op **at = op->urgent ? queue->urgent : queue->last;

	op->next = *at;
	*at = op;
	if (op->urgent)
		queue->urgent = &op->next;
	if (!op->next)
		queue->last = &op->next;
}

/* All up to the last one of a group. */
static void take_off(struct queue *queue, struct store_op *last)
{
	queue->first = last->next;
	last->next = NULL;
	if (!queue->first)
		queue->last = &queue->first;
	if (!queue->first || !queue->first->urgent)
		queue->urgent = &queue->first;
}

/* The next group, NULL to stop. Under the lock only as long as it takes to move pointers. */
static struct store_op *next_group(struct queue *queue, unsigned max, bool *settle)
{
	struct store_op *group, *last;
	unsigned n;

	pthread_mutex_lock(&queue->lock);
	while ((!queue->first || queue->corked) && !queue->stopping && !queue->settle) {
		queue->sleeping = true;
		pthread_cond_wait(&queue->wake, &queue->lock);
		queue->sleeping = false;
	}
	*settle = queue->settle;
	queue->settle = false;
	group = last = queue->corked ? NULL : queue->first;
	for (n = 1; last && last->next && n < max; n++)
		last = last->next;
	if (last)
		take_off(queue, last);
	pthread_mutex_unlock(&queue->lock);
	return group;
}

static bool stopped(struct queue *queue)
{
	bool yes;

	pthread_mutex_lock(&queue->lock);
	yes = queue->stopping && !queue->first;
	pthread_mutex_unlock(&queue->lock);
	return yes;
}

static int note_wal(void *arg, sqlite3 *db, const char *schema, int pages)
{
	(void)db;
	(void)schema;
	checkpoint_after_group(arg, pages);
	return SQLITE_OK;
}

static void *write_groups(void *arg)
{
	struct store *store = arg;
	bool settle;

	pthread_setname_np(pthread_self(), "writer");
	do {
		struct store_op *group = next_group(&store->queue, store->max_group, &settle);
		if (settle)
			checkpoint_settle(store);
		if (!group)
			continue;
		commit_group(store, group);
		finish_group(group);
	} while (!stopped(&store->queue));
	return NULL;
}

int queue_start(struct error *error, struct store *store)
{
	sqlite3_wal_hook(store->conn.db, note_wal, store);
	if (pthread_create(&store->writer, NULL, write_groups, store) != 0)
		return error_set(
			error, E_NOMEM, "cannot start the store's writer: too many threads");
	store->writing = true;
	return 0;
}

void queue_stop(struct store *store)
{
	struct queue *queue = &store->queue;

	if (!store->writing)
		return;
	pthread_mutex_lock(&queue->lock);
	queue->stopping = true;
	pthread_cond_signal(&queue->wake);
	pthread_mutex_unlock(&queue->lock);
	pthread_join(store->writer, NULL);
	store->writing = false;
}

void queue_submit(
	struct store *store, struct store_op *op, int (*run)(struct store *, struct store_op *))
{
	struct queue *queue = &store->queue;
	bool wake;

	assert(op->done);
	op->next = NULL;
	op->run = run;
	if (!store->writing) {
		op->result = error_set(&op->error, E_DENIED, "the store is open for reading only");
		free(op->sealed);
		op->sealed = NULL;
		op->done(op);
		return;
	}
	pthread_mutex_lock(&queue->lock);
	assert(!queue->stopping);
	put_on(queue, op);
	wake = queue->sleeping && !queue->corked;
	pthread_mutex_unlock(&queue->lock);
	if (wake)
		pthread_cond_signal(&queue->wake);
}

bool queue_again(struct store *store, struct store_op *op)
{
	struct queue *queue = &store->queue;
	bool over;

	pthread_mutex_lock(&queue->lock);
	over = queue->stopping;
	if (!over)
		put_on(queue, op);
	pthread_mutex_unlock(&queue->lock);
	return !over;
}

void store_cork(struct store *store)
{
	struct queue *queue = &store->queue;

	pthread_mutex_lock(&queue->lock);
	assert(!queue->corked);
	queue->corked = true;
	pthread_mutex_unlock(&queue->lock);
}

void store_uncork(struct store *store)
{
	struct queue *queue = &store->queue;
	bool wake;

	pthread_mutex_lock(&queue->lock);
	queue->corked = false;
	wake = queue->sleeping && queue->first;
	pthread_mutex_unlock(&queue->lock);
	if (wake)
		pthread_cond_signal(&queue->wake);
}
