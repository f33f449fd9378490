/* engine.h - the inside of the SQLite engine, for the files of this room only.
 *
 * Writing: submit() seals what must be sealed on the caller's thread and queues the operation; the
 * writer (queue.c) takes all that is queued, runs each operation's run() in one transaction, and
 * calls done() after the commit. What run() changes outside the database (claims) is noted in an
 * undo list, because the commit may fail.
 */
#ifndef STORE_ENGINE_H
#define STORE_ENGINE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "store/conn.h"
#include "store/seal.h"
#include "store/store.h"

/* Jobs in the callers' hands, by seq. Open addressing; 0 is an empty place. */
struct claims {
	int64_t *slots;
	size_t capacity, count;
	struct claim_change {
		int64_t seq;
		bool added;
	} * undo;
	size_t undo_count, undo_capacity;
	int64_t floor_ms; /* every READY or WAITING job that was due before this is claimed */
};

/* What came, noted by the operations of a group, counted when it is committed. */
enum tally_kind { TALLY_WEBHOOK, TALLY_EVENT, TALLY_REPEAT, TALLY_JOB, TALLY_KINDS };
struct tally {
	struct tally_note {
		struct str tenant; /* the operation's own: it stays until done() */
		int64_t quarter;
		enum tally_kind kind;
	} * notes;
	size_t count, capacity;
};

struct queue {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct store_op *first, **last;
	struct store_op **urgent; /* behind the last urgent one: where the next one goes */
	bool sleeping, stopping, settle; /* settle: finish the checkpoint between two groups */
	bool corked;
};

struct checkpointer {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool wanted, stopping, started;
	int wal_pages; /* after the last commit */
	bool settling; /* the writer was asked for the rest: hands off until it has done it */
	struct conn conn;
};

struct health { /* did the last commit that changed something reach the disk? */
	pthread_mutex_t lock;
	atomic_bool failing; /* also without the lock */
	struct error error;
};

struct store {
	char directory[4000];
	int lock_fd;
	bool read_only, writing; /* writing: the writer's thread was started */
	unsigned max_group;
	struct keys *keys;
	struct conn conn;      /* the writer's */
	struct arena *scratch; /* the writer's, emptied before each operation */
	struct claims claims;  /* the writer's */
	struct tally tally;    /* the writer's */
	bool has_gone;         /* the writer's: there may be marks of deleted events */
	bool forgot;           /* the writer's: there is a forget in this group */
	int hastening;         /* the writer's: how many make jobs due, step by step */
	struct queue queue;
	struct checkpointer checkpointer;
	struct health health;
	pthread_t writer;
};

/* ---- queue.c ------------------------------------------------------------------------------ */
int queue_start(struct error *error, struct store *store);
void queue_stop(struct store *store);
/* run NULL: the operation has failed already, result says how; only done() is left. */
void queue_submit(
	struct store *store, struct store_op *op, int (*run)(struct store *, struct store_op *));
/* From its done(): once more, as it is. False: the store is being closed, and it is over. */
bool queue_again(struct store *store, struct store_op *op);

/* ---- checkpoint.c ------------------------------------------------------------------------- */
/* At the start, before anything is promised: what the log shows now may be in memory only, if a
 * sync of the last process failed. What is copied from here on is synced anew. */
int checkpoint_all(struct error *error, struct conn *conn);
/* Not even what was overwritten is left in the log. E_BUSY: somebody reads. The writer's thread,
 * between two groups. */
int checkpoint_empty(struct error *error, struct conn *conn);
int checkpoint_start(struct error *error, struct store *store, const char *path);
void checkpoint_stop(struct store *store);
void checkpoint_after_group(struct store *store, int wal_pages); /* the writer's thread */
void checkpoint_settle(struct store *store);                     /* the writer's thread */

/* ---- claim.c: the writer's thread only ---------------------------------------------------- */
bool claims_have(const struct claims *claims, int64_t seq);
int claims_add(struct error *error, struct claims *claims, int64_t seq);
int claims_drop(struct error *error, struct claims *claims, int64_t seq);
void claims_lower(struct claims *claims, int64_t due_ms); /* an unclaimed job is due then */
size_t claims_mark(const struct claims *claims);
void claims_undo(struct claims *claims, size_t mark);
void claims_keep(struct claims *claims); /* the commit is on disk: forget the undo list */
void claims_finish(struct claims *claims);

/* ---- prepare.c: what is sealed on the submitting thread ----------------------------------- */
struct sealed_piece {
	const uint8_t *lock;  /* NULL: there was nothing to seal */
	const uint8_t *bytes; /* directly behind the lock */
	size_t lock_len, len;
	struct seal_owners owners;
	bool known; /* of an appointment: it has a person, and mark is theirs */
	uint8_t mark[KEYS_MARK];
};
struct sealed { /* one malloc */
	size_t count;
	unsigned forgets; /* before anything was sealed */
	struct sealed_piece piece[];
};
/* 0, or sets op->result and op->error. Pieces: */
int prepare_inbox(struct store *store, struct store_op *op, const struct inbox_row *row); /* 0 */
/* the progress of the job that is saved, if one is; its attempts; per event itself, its
 * appointment's person, and two for each of its jobs; two for each job; appointments; the answer.
 * An event and a job note where their own begin. */
struct prepare {
	const struct job_row *job; /* whose the attempts are; NULL: none is saved */
	const struct attempt_row *attempts;
	size_t attempt_count;
	struct event_change *events;
	size_t event_count;
	struct job_row *jobs;
	size_t job_count;
	const struct appointment_row *appointments;
	size_t appointment_count;
	const struct answer_row *answer;
};
int prepare_change(struct store *store, struct store_op *op, const struct prepare *what);
void stmt_sealed(
	struct stmt *stmt, const struct sealed_piece *piece);       /* lock and bytes, or NULLs */
void stmt_box(struct stmt *stmt, const struct sealed_piece *piece); /* both in one, or NULL */
void stmt_owners(struct stmt *stmt, const struct seal_owners *owners); /* person to fourth */
/* Was it sealed under a key that has been destroyed since? E_BUSY. */
int sealed_check(struct store *store, struct store_op *op);
const struct sealed_piece *sealed_piece(const struct store_op *op, size_t index);

struct seal_place place_of(const char *table, const struct id *id);
struct str row_name(struct arena *arena, struct str tenant, struct str connection, struct str key);

/* ---- reseal.c: what is stored is changed, under the owners it has; the writer's thread ----- */
/* By the numbers that a lock, or a box, begins with; without one the tenant. */
int owners_of_lock(struct error *error, struct store *store, struct str lock, struct str tenant,
	struct seal_owners *out);
/* Lock and bytes in one piece, see box_open(). */
int seal_box(struct error *error, struct store *store, const struct seal_owners *owners,
	struct seal_place place, const struct str *parts, size_t count, struct str *box);
/* *readable false: there is nothing sealed, or its key was destroyed. */
int open_again(struct error *error, struct store *store, struct seal_place place, struct str lock,
	struct str sealed, struct str *parts, size_t count, bool *readable);
/* In: the lock as it is; out: new ones. */
int seal_again(struct error *error, struct store *store, struct seal_place place, struct str *lock,
	struct str *sealed, const struct str *parts, size_t count);
void stmt_bytes(struct stmt *stmt, struct str bytes); /* empty: NULL */

/* ---- blind.c ------------------------------------------------------------------------------ */
/* Without what tells of a person; text itself if there is nothing, else in the arena. */
struct str blind_text(const struct keys *keys, struct arena *arena, struct str text);

/* ---- forget.c ----------------------------------------------------------------------------- */
/* At start: what was interrupted, and keys that came back out of an older copy. */
int forget_finish(struct error *error, struct store *store);
/* After the commit of a group with a forget. */
void forget_settle(struct store *store, struct store_op *group);
/* Ends a job, whoever has it. */
int job_forget(struct error *error, struct store *store, const struct id *id, struct str reason);

/* ---- turn.c: who may run, by order key ---------------------------------------------------- */
struct job_now { /* a stored job, as far as rules need it; text in the scratch arena */
	int64_t seq;
	struct id id;
	struct str tenant, order_key, key;
	struct str closed; /* sealed, see job_closed() */
	enum job_state state;
	bool strict, sent;
};
/* 0 with seq 0: no such job. */
int job_find(struct error *error, struct store *store, const struct id *id, struct job_now *now);
bool turn_holds(enum job_state state, bool strict);
/* May a new job run, or is somebody before it? */
int turn_taken(struct error *error, struct store *store, struct str tenant, struct str order_key,
	bool *taken);
/* Has another job than this the key? */
int turn_held(struct error *error, struct store *store, const struct job_now *now, bool *held);
/* now has let go: the oldest that queues may run, unless another one has the key. */
int turn_pass(
	struct error *error, struct store *store, const struct job_now *now, uint32_t *promoted);

/* ---- event.c, job.c, attempt.c, project.c: parts of operations ---------------------------- */
int event_apply(struct error *error, struct store *store, const struct store_op *op,
	struct event_change *change, bool claim);
int job_insert_all(struct error *error, struct store *store, const struct store_op *op,
	struct job_row *jobs, size_t count, bool claim);
int job_close_regarded(struct error *error, struct store *store, const struct event_row *event,
	struct str closes, uint32_t *closed);
int job_cancel(struct error *error, struct store *store, const struct event_row *event,
	uint32_t *cancelled);
/* A job that is given back to wait or to be tried again, as stored: did an event cancel it while it
 * was in our hands? Then it is DROPPED. */
int job_cancel_late(struct error *error, struct store *store, const struct job_row *row,
	int64_t seq, enum job_state *state);
/* A job that cannot be read, for a person; *why is the reason, and cleared. */
int job_park(struct store *store, const struct id *id, struct error *why);
/* now, as stored: answered by an event. */
int job_close(
	struct error *error, struct store *store, const struct job_now *now, struct str closes);
int job_keep_closed(
	struct error *error, struct store *store, const struct job_now *now, struct str closes);
/* What was kept, opened; empty: nothing, or it cannot be read any more. */
int job_closed(
	struct error *error, struct store *store, const struct job_now *now, struct str *closes);
int job_recover(struct error *error, struct store *store); /* at start */
int attempt_insert(struct error *error, struct store *store, int64_t job, struct str tenant,
	const struct attempt_row *row, const struct sealed_piece *sealed);
int call_merge(struct error *error, struct store *store, const struct call_row *row,
	const struct seal_owners *owners);
int checkpoint_save(struct error *error, struct store *store, const struct checkpoint_row *row);
int appointment_merge(struct error *error, struct store *store, const struct appointment_row *row,
	const struct sealed_piece *sealed);
/* E_CONFLICT: it is not as expected. */
int appointment_check(
	struct error *error, struct store *store, const struct appointment_expect *expect);
int answer_save(struct error *error, struct store *store, const struct answer_row *row,
	const struct sealed_piece *sealed);

/* ---- hold.c, mirror.c --------------------------------------------------------------------- */
#define HOLD_LONGEST_MS (INT64_C(7) * 24 * 60 * 60 * 1000)
/* All of them, or E_TAKEN. Those that name one of jobs that was not inserted are left out. */
int hold_take_all(struct error *error, struct store *store, const struct hold_row *holds,
	size_t count, const struct job_row *jobs, size_t job_count);
int hold_free_job(struct error *error, struct store *store, int64_t job);
/* The OFFERED ones. */
int hold_free_holder(struct error *error, struct store *store, struct str tenant, struct str holder,
	uint32_t *freed);
int mirror_save(
	struct error *error, struct store *store, const struct slot_day *days, size_t count);
/* The days around this time, in whatever zone. */
int mirror_dirty(struct error *error, struct store *store, struct str tenant, struct str connection,
	int64_t start_ms, int64_t end_ms);

/* ---- rows.c: columns as listed in columns.h ----------------------------------------------- */
void read_inbox(struct stmt *stmt, struct arena *arena, struct inbox_row *row);
int read_raw(struct error *error, struct keys *keys, struct stmt *stmt, struct arena *arena,
	struct inbox_row *row);
int read_event(struct error *error, struct keys *keys, struct stmt *stmt, struct arena *arena,
	struct event_row *row);
/* On E_CORRUPT all but what is sealed has been read, and the next column is behind it. */
int read_job(struct error *error, struct keys *keys, struct stmt *stmt, struct arena *arena,
	struct job_row *row);
/* numbers and addresses of an event, as of its jobs */
struct str persons_of_event(struct arena *arena, const struct event_row *row);
int read_attempt(struct error *error, struct keys *keys, struct stmt *stmt, struct arena *arena,
	struct attempt_row *row);
int read_appointment(struct error *error, struct keys *keys, struct stmt *stmt, struct arena *arena,
	struct appointment_row *row);

/* ---- receipt.c: the writer's thread ------------------------------------------------------- */
int tally_note(struct error *error, struct store *store, enum tally_kind kind, struct str tenant,
	int64_t at_ms);
int tally_flush(struct error *error, struct store *store); /* into the transaction */
struct str tally_owner(struct str connection); /* "praxis-winter/phone": praxis-winter */

/* ---- gone.c: the writer's thread ---------------------------------------------------------- */
int gone_begin(struct error *error, struct store *store); /* at start */
/* Was it stored once, and deleted since? */
int gone_find(struct error *error, struct store *store, const struct event_row *event, bool *gone);
int gone_add(struct error *error, struct store *store, struct str connection, struct str dedupe);

#endif
