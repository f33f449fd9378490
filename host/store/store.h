/* store.h - where everything that happened and everything to do is kept.
 *
 * Named operations, never SQL: the engine behind (SQLite today, PostgreSQL later) is nobody's
 * business up here. The store knows rows, order keys and transactions; it does not know what
 * a pipeline or a webhook means.
 *
 * Writing   Each write operation is a struct that the caller owns, fills and submits; it and
 *           everything it points to must stay untouched until done() is called. Operations
 *           of all threads that arrive together are committed together (group commit), each
 *           in a savepoint of its own, so one that fails takes no other with it. done() runs
 *           on the writer's thread, after the commit is on disk: hand over and return.
 *           Operations submitted by one thread are applied in that order.
 * Reading   store_reader functions run on the caller's thread with a connection of its own.
 * Order     A job may run when no older unfinished job has its order key. The store keeps
 *           that rule: a new job behind another one is QUEUED, and made READY in the same
 *           transaction in which the last one before it lets go of the key.
 * Claims    store_claim hands out READY jobs that are due, each at most once until it is
 *           saved again or the process ends. After a restart, what was running is READY again.
 *           An operation with `claim` set hands out the jobs it inserts at once, if they are
 *           READY and due: then job_row.claimed is true, and no store_claim is needed for them.
 *           Claiming is worth the question whenever an answer says promoted, closed or cancelled,
 *           after a person's verdict, and at next_due_ms.
 * Privacy   Raw bytes are sealed before they are written: a data key per row, wrapped by the
 *           key store in STATE/keys, which belongs in no backup.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "base/id.h"
#include "base/str.h"

struct arena;
struct store;

struct store_options {
	const char *directory; /* STATE; created with mode 0700 */
	unsigned max_group;    /* operations in one commit; 0: a good default */
	bool read_only;        /* for commands beside a running host: no writer, no lock */
};

/* Takes the directory's lock (E_BUSY if another process has it), creates or migrates the
 * schema, verifies it object by object (E_CORRUPT names what differs), starts the writer. */
int store_open(struct error *error, struct store **out, const struct store_options *options);
void store_close(struct store *store); /* commits what was submitted, then stops */

/* ---- Rows --------------------------------------------------------------------------------- */

enum inbox_state { INBOX_NEW = 1, INBOX_DONE, INBOX_PARKED, INBOX_IGNORED };

struct inbox_row { /* one webhook as it came */
	struct id id;
	struct str tenant;     /* empty: not known yet */
	struct str connection; /* "praxis-winter/phone", "agency/phone" */
	struct str route, method, path;
	struct str query, headers; /* JSON arrays of [name, value] */
	struct str body;           /* sealed by the store */
	struct str correlation;    /* id shared by all that follows */
	int64_t received_ms;
	enum inbox_state state;
	struct str reason; /* PARKED: for a person */
	uint32_t kills;    /* workers that died normalizing it */
	bool unreadable;   /* out: its key was destroyed or is missing; sealed columns are empty */
};

struct event_row { /* what happened */
	struct id id;
	struct id inbox; /* zero: not from a webhook */
	struct id job;   /* zero: not from a job */
	struct str tenant, connection, type;
	struct str dedupe;    /* unique per connection; empty: never a repeat */
	struct str subject;   /* the order key of what it causes */
	struct str also;      /* a second subject: what this one replaces; may be empty */
	struct str regarding; /* key of a job of ours; may be empty */
	struct str person;    /* sealed by the store */
	struct str data;      /* JSON */
	struct str correlation;
	int64_t at_ms, received_ms;
	bool unreadable;
};

enum job_state {
	JOB_READY = 1, /* may run when due */
	JOB_QUEUED,    /* behind an older one of its key */
	JOB_WAITING,   /* for its time (at =); lets go of the key */
	JOB_PARKED,    /* for a person, or for an event that regards it; lets go of the key */
	JOB_DEAD,      /* all tries used up; lets go of the key */
	JOB_DONE,
	JOB_DROPPED /* by a person, or by cancel_on */
};

struct job_row { /* what we do: one run of a pipeline, or one operation */
	struct id id;
	struct id event; /* zero: started by a schedule or a person */
	struct str tenant;
	struct str pipeline;       /* empty: a single operation */
	struct str connection, op; /* of a single operation; else empty */
	struct str input;          /* JSON; of a single operation */
	struct str dedupe;         /* unique while set: a second one is not inserted */
	struct str order_key;      /* empty: none */
	struct str cancel_on;      /* event types, space separated; with a matching subject */
	struct str subject;
	struct str key; /* idempotency key of the step in hand; matches regarding */
	struct str correlation;
	enum job_state state;
	bool strict; /* PARKED and WAITING keep the key */
	int64_t due_ms, created_ms, updated_ms;
	uint64_t generation; /* of the configuration it began with */
	uint32_t step;       /* index of the step in hand */
	uint32_t tries;      /* of the step in hand */
	uint32_t absent;     /* times the look-up said absent */
	uint32_t kills;      /* workers that died on it */
	bool sent;           /* a NEVER request left, its outcome is not stored */
	struct str progress; /* JSON: results of finished steps, plugin's state; the runner's own */
	struct str reason;   /* DEAD, PARKED, DROPPED, or of the last failed try; for a person */
	struct str fail;     /* class of the last failure: "busy"; empty: none */
	bool claimed;        /* out, of an inserted job: it is in the caller's hands */
	bool waits;          /* the store's: what the caller asked for, from submit to done */
};

enum attempt_kind { ATTEMPT_STEP = 1, ATTEMPT_REQUEST };

struct attempt_row { /* one step finished, or one request with its answer; for show */
	struct id id;
	struct id job;
	enum attempt_kind kind;
	uint32_t step, number;  /* number: which try */
	struct str name;        /* "map booking", "calendar.book", or the request's label */
	struct str outcome;     /* "done", "filtered", "answered", "unknown", "bad input" … */
	struct str method, url; /* of a request; url without secrets */
	uint32_t status;        /* HTTP; 0: none */
	int64_t started_ms;
	uint32_t took_us;
	struct str input, output; /* bodies or JSON; sealed by the store */
	struct str note;          /* sentence for a person */
	bool unreadable;
};

struct call_row { /* projection of call.* events; a late event of lower rank fills gaps only */
	struct str tenant, connection, call_id;
	uint32_t rank;
	struct str direction, status, agent, person, from, to; /* from, to, person sealed */
	int64_t started_ms, ended_ms;
	struct str data; /* JSON: facts without the transcript; sealed */
	bool unreadable;
};

struct appointment_row { /* projection of booking.* events and of bookings we made */
	struct str tenant, connection, uid;
	struct str rescheduled_from;
	struct str status;                    /* requested, booked, cancelled, rejected, noshow */
	int64_t start_ms, end_ms, changed_ms; /* older changed_ms never overwrites */
	struct str event_type, host, person;  /* person sealed */
	struct str key;
	bool unreadable;
};

struct checkpoint_row {
	struct str connection, op, value; /* JSON */
};

/* ---- Write operations --------------------------------------------------------------------- */

struct store_op {                                      /* first member of every operation */
	struct store_op *next;                         /* the store's */
	int (*run)(struct store *, struct store_op *); /* the store's */
	void *sealed;                                  /* the store's */
	void (*done)(struct store_op *op);             /* called on the writer's thread */
	void *user;                                    /* the caller's */
	int result; /* 0 or an error_code: then nothing of it was stored */
	struct error error;
};

/* First commit: the raw row, before the 2xx. */
struct store_append_inbox {
	struct store_op op;
	const struct inbox_row *row;
};
void store_append_inbox(struct store *store, struct store_append_inbox *op);

/* An event together with all it causes: if the event is a repeat, none of it is stored. */
struct event_change {
	const struct event_row *row;
	struct job_row *jobs; /* in: state WAITING, or anything else for READY.
				 out: READY, WAITING or QUEUED; 0: not inserted,
				 its dedupe or the event is a repeat; and claimed */
	size_t job_count;
	const struct call_row *call;               /* NULL: none */
	const struct appointment_row *appointment; /* NULL: none */
	bool repeat;                               /* out */
	struct str closes;          /* JSON result for the job that regarding names, if it
				       was sent or is PARKED: it becomes READY, not sent,
				       with this as member "closed" of its progress;
				       empty: none */
	uint32_t closed, cancelled; /* out: jobs closed by regarding, dropped by cancel_on */
};

/* Second commit: everything a webhook meant; the raw row is marked. E_NOTFOUND: no such row.
 * E_CONFLICT: it is not NEW (any more). */
struct store_finish_inbox {
	struct store_op op;
	struct id inbox;
	struct str tenant;      /* now known; empty: as before */
	enum inbox_state state; /* DONE, PARKED, IGNORED; NEW: only kills changed */
	struct str reason;
	uint32_t kills;
	struct event_change *events;
	size_t event_count;
	struct job_row *jobs; /* started operations, each by its own dedupe */
	size_t job_count;
	bool claim; /* hand out inserted jobs that are READY and due */
};
void store_finish_inbox(struct store *store, struct store_finish_inbox *op);

/* A job moves on: its row, its attempts, and what the step emitted, in one transaction. Its own
 * change comes first, so a job it starts under its own order key is not QUEUED behind it if it lets
 * go. Saved as READY after it had let go of its key (WAITING or PARKED, not strict), without
 * keep_claim, while another job has the key: it is QUEUED. E_CONFLICT: it was DONE or DROPPED.
 * An event that regards a job in our hands is kept beside it, and takes effect when the job is
 * saved with its outcome still unknown (same key, and sent or PARKED): closed is true then, the
 * job is READY with "closed" in its progress whatever state was saved, and store_claim has it. */
struct store_save_job {
	struct store_op op;
	const struct job_row *job; /* id, and all that may change: state … fail */
	bool keep_claim;           /* still in our hands (e.g. the mark before sending) */
	const struct attempt_row *attempts;
	size_t attempt_count;
	struct event_change *events;
	size_t event_count;
	struct job_row *jobs;
	size_t job_count;
	const struct appointment_row *appointment;
	const struct checkpoint_row *checkpoint; /* NULL: unchanged */
	bool claim;                              /* hand out inserted jobs that are READY and due */
	uint32_t promoted;                       /* out: jobs that became READY through this */
	bool closed;                             /* out: an event answered what was unknown */
};
void store_save_job(struct store *store, struct store_save_job *op);

struct store_add_jobs { /* by a schedule or a person */
	struct store_op op;
	struct job_row *jobs;
	size_t job_count;
	bool claim;     /* hand out inserted jobs that are READY and due */
	uint32_t added; /* out: the others were there (dedupe) */
};
void store_add_jobs(struct store *store, struct store_add_jobs *op);

/* Hands out due jobs with their events, oldest due first. They live in the arena. */
struct claimed {
	struct job_row job;
	struct event_row event; /* id zero: none */
};
struct store_claim {
	struct store_op op;
	struct arena *arena;
	int64_t now_ms;
	size_t limit;
	struct claimed *claimed; /* out */
	size_t count;            /* out */
	int64_t next_due_ms;     /* out: when to ask again; INT64_MAX: nothing waits */
};
void store_claim(struct store *store, struct store_claim *op);

/* The raw rows not finished, oldest first: after a restart. */
struct store_pending_inbox {
	struct store_op op;
	struct arena *arena;
	struct id after; /* zero: from the beginning */
	size_t limit;
	struct inbox_row *rows; /* out */
	size_t count;           /* out */
};
void store_pending_inbox(struct store *store, struct store_pending_inbox *op);

/* What a person decides about a dead or parked job. RETRY: READY again with tries 0, from the
 * step in hand. RESEND: as RETRY, but also forgets that something was sent. DROP: DROPPED. */
enum job_verdict { VERDICT_RETRY = 1, VERDICT_RESEND, VERDICT_DROP };
struct store_decide_job {
	struct store_op op;
	struct id job;
	enum job_verdict verdict;
	struct str reason; /* who and why; kept */
};
void store_decide_job(struct store *store, struct store_decide_job *op); /* E_CONFLICT: not dead */

/* What jobs waited for may be mended: READY ones whose last failure is of this class are due now. */
struct store_hasten_jobs {
	struct store_op op;
	struct str fail;
};
void store_hasten_jobs(struct store *store, struct store_hasten_jobs *op);

/* A raw row again, from the beginning: PARKED or DONE becomes NEW. Repeats stay repeats. With
 * `drop` a person lets go of a PARKED one instead: it becomes IGNORED. */
struct store_replay_inbox {
	struct store_op op;
	struct id inbox;
	bool drop;
	struct str reason; /* of dropping: who and why; kept */
};
void store_replay_inbox(struct store *store, struct store_replay_inbox *op);

struct store_save_generation { /* a configuration as text, without the values of secrets */
	struct store_op op;
	uint64_t generation; /* out: the same text again has the same number */
	struct str text;
};
void store_save_generation(struct store *store, struct store_save_generation *op);

struct breaker_row {
	struct str key, state; /* closed, open, half-open */
	int64_t until_ms;
	uint32_t failures, successes;
};
struct store_save_breaker {
	struct store_op op;
	const struct breaker_row *row;
};
void store_save_breaker(struct store *store, struct store_save_breaker *op);

/* ---- Reading ------------------------------------------------------------------------------ */

struct store_reader;
int store_reader_open(struct error *error, struct store_reader **out, const char *directory);
void store_reader_close(struct store_reader *reader);

struct store_filter { /* empty or 0: everything */
	struct str tenant, connection, type, subject, correlation, pipeline;
	uint32_t states; /* bit mask of 1 << enum job_state or inbox_state */
	int64_t since_ms, until_ms;
	struct id before; /* paging: newest first, continue behind this one */
	size_t limit;     /* 0: 50 */
};
/* Rows live in the arena. Tenant handling is in the filter: a caller that acts for one tenant
 * sets it, and gets nothing of another. Bodies are unsealed. */
int store_list_inbox(struct error *, struct store_reader *, const struct store_filter *,
	struct arena *, struct inbox_row **rows, size_t *count); /* without bodies */
int store_list_events(struct error *, struct store_reader *, const struct store_filter *,
	struct arena *, struct event_row **rows, size_t *count);
int store_list_jobs(struct error *, struct store_reader *, const struct store_filter *,
	struct arena *, struct job_row **rows, size_t *count);
int store_list_calls(struct error *, struct store_reader *, const struct store_filter *,
	struct arena *, struct call_row **rows, size_t *count);
int store_list_appointments(struct error *, struct store_reader *, const struct store_filter *,
	struct arena *, struct appointment_row **rows, size_t *count);
int store_list_breakers(struct error *, struct store_reader *, struct arena *,
	struct breaker_row **rows, size_t *count);
int store_get_checkpoint(struct error *, struct store_reader *, struct str connection,
	struct str op, struct arena *, struct str *value); /* E_NOTFOUND: none yet */
int store_get_generation(struct error *, struct store_reader *, uint64_t generation, struct arena *,
	struct str *text);

/* Everything that shares a correlation with id (of an inbox row, event, job, attempt, or a call id,
 * or a booking uid, or at least 8 characters of an id's beginning or, E_CONFLICT if ambiguous,
 * end). */
struct story {
	struct inbox_row *inbox;
	size_t inbox_count;
	struct event_row *events;
	size_t event_count;
	struct job_row *jobs;
	size_t job_count;
	struct attempt_row *attempts; /* with bodies, in order of time */
	size_t attempt_count;
};
int store_story(struct error *, struct store_reader *, struct str id, struct str tenant_or_empty,
	struct arena *, struct story *story);

struct store_counts { /* for /metrics and readiness */
	uint64_t inbox_new, inbox_parked, events;
	uint64_t jobs[JOB_DROPPED + 1];
	int64_t oldest_ready_ms; /* due time; 0: none */
};
int store_count(struct error *, struct store_reader *, struct store_counts *counts);

#endif
