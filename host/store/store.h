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
 * Privacy   What may tell of a person is sealed before it is written: a data key per row, wrapped
 *           by the key of the person or, as long as nobody is known, of the tenant, in the key store
 *           STATE/keys, which belongs in no backup. Whoever knows more persons of a row than its
 *           member `person` says so in `others`. Numbers, addresses and WhatsApp's ids in what rows
 *           are found by (dedupe, subject, also, order_key, holder) stand there as keyed codes; read
 *           again, an event's subject is as it was, the others are codes, which may be used in their
 *           place.
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

/* Before anything else uses SQLite in this process: it need not count its memory, which takes a lock
 * that all threads share for every allocation. */
void store_begin_process(void);

/* Takes the directory's lock (E_BUSY if another process has it), creates or migrates the
 * schema, verifies it object by object (E_CORRUPT names what differs), starts the writer. */
int store_open(struct error *error, struct store **out, const struct store_options *options);
void store_close(struct store *store); /* commits what was submitted, then stops */
/* Did the last commit fail? Then *error says why; until one that writes something has succeeded. Any
 * thread, without the disk. */
bool store_failing(struct store *store, struct error *error);

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
	bool expired;      /* out: keep_raw was over; they are empty, too */
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
	struct str person;    /* E.164 or address of whom it is about; sealed */
	struct str others;    /* further numbers and addresses in it, blanks between; sealed */
	struct str data;      /* JSON; sealed */
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
	struct str input;          /* JSON; of a single operation; sealed */
	struct str person; /* numbers and addresses of all whom it is about, blanks between; those
			      of its event too; sealed */
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
	struct str progress; /* JSON: results of finished steps, plugin's state; the runner's own;
				sealed */
	struct str reason; /* DEAD, PARKED, DROPPED, or of the last failed try; for a person; sealed,
			      unless it is the store's own */
	struct str fail;     /* class of the last failure: "busy"; empty: none */
	bool claimed;        /* out, of an inserted job: it is in the caller's hands */
	bool waits;          /* the store's: what the caller asked for, from submit to done */
	uint32_t sealed;     /* the store's: index of what was sealed of it */
	bool unreadable;
};

enum attempt_kind { ATTEMPT_STEP = 1, ATTEMPT_REQUEST };

/* more holds, of a step, "now" (its first moment, ms) and "checkpoint" (what a poll began with); of a
 * request "headers" (of the answer, those that a plugin may read) and "retry_after_ms". */
struct attempt_row { /* one step finished, or one request with its answer; for show */
	struct id id;
	struct id job;
	enum attempt_kind kind;
	uint32_t step, number;  /* number: which try */
	struct str name;        /* "map booking", "calendar.book", or the request's label */
	struct str outcome;     /* "done", "filtered", "answered", "unknown", "bad input" … */
	struct str method, url; /* of a request; url without secrets, sealed */
	uint32_t status;        /* HTTP; 0: none */
	int64_t started_ms;
	uint32_t took_us;
	struct str input, output; /* bodies or JSON; sealed by the store */
	struct str more; /* JSON object, sealed: what it takes to play it again, see below; or nothing */
	struct str note;          /* sentence for a person; sealed */
	bool unreadable, expired; /* out; url and note stay */
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
	struct str status;                    /* requested, booked, cancelled, rejected, noshow,
						 rescheduled: it lives on under another uid */
	int64_t start_ms, end_ms, changed_ms; /* older changed_ms never overwrites */
	struct str event_type, host;
	struct str person, name; /* sealed; person, E.164 or address, is found by a keyed hash */
	struct str vendor_id;    /* a second name, which some calendars want for a change */
	struct str key;
	uint32_t version; /* out: 1, and one more whenever anything of it but changed_ms, key and
			     name is another */
	bool unreadable;
};

struct checkpoint_row {
	struct str connection, op, value; /* JSON */
};

/* A time that is kept for somebody. It is laid out in cells of HOLD_CELL_MS: of one resource each
 * cell exists `capacity` times, so 9:00-9:30 and 9:15-9:45 collide wherever they come from. A hold
 * takes one seat of the resource for all its cells. It is over when the host's clock has reached
 * expires_ms. At most 7 days long, and of a resource of at most 1000 seats, else E_INVALID. */
#define HOLD_CELL_MS (5 * 60 * 1000)
enum hold_state {
	HOLD_OFFERED = 1, /* said to a caller; ends with the call, or expires */
	HOLD_BOOKING      /* `job` is booking it; ends with that job, or expires */
};
struct hold_row {
	struct id id;
	struct str tenant;
	struct str holder;   /* "call:ID" */
	struct str resource; /* "staff:Dr. Petersen", "event_type:310455" */
	struct str event_type;
	int64_t start_ms, end_ms, expires_ms;
	uint32_t capacity; /* of the resource; 0 is 1 */
	enum hold_state state;
	struct id job; /* BOOKING: it is stored already, or one of the same operation's jobs */
};

/* What the calendar said is free on one day: the mirror. Fresh if asked_ms > dirty_ms. Days are
 * marked dirty also while they are not in the mirror, so that the answer to a question that was
 * under way when a booking came is not taken for fresh. */
struct slot_day {
	struct str tenant, connection, event_type, staff; /* staff: empty, anybody */
	int32_t day;       /* of the office's wall calendar, days since 1970-01-01 */
	int64_t asked_ms;  /* when the calendar was asked; an older answer never overwrites */
	int64_t dirty_ms;  /* out: when a booking last changed that day, by the host's clock; 0:
			      never */
	struct str starts; /* minutes since 1970 UTC, rising, "29684910 29684940"; may be empty */
};

/* What a waiting caller was told, once for each event; the first one stays. */
struct answer_row {
	struct str connection, dedupe; /* of the event */
	struct str tenant;
	uint32_t outcome;  /* KL_REPLY_DONE, KL_REPLY_FALLBACK */
	struct str result; /* JSON; sealed by the store */
	struct str person; /* in: as of the event; of a job's answer its job's counts */
	int64_t at_ms;
	bool unreadable;
};

/* The office's catalogue. Rows of origin INI are replaced as a whole by store_save_catalogue. Of
 * two rows of one name a person's counts, whole, and the INI's comes back in no reader. */
enum catalogue_origin { CATALOGUE_INI = 1, CATALOGUE_PERSON };
struct service_row { /* table master_service */
	struct str tenant, name, title;
	struct str aliases; /* JSON array: what callers say */
	struct str connection, event_type;
	struct str staff; /* JSON array of {"name", "event_type"}; may be empty */
	uint32_t length_min, capacity, position;
	int64_t price_minor; /* -1: not said */
	struct str currency;
	bool active;
	enum catalogue_origin origin;
};
struct branch_row {
	struct str tenant, name, title, address;
	struct str numbers; /* JSON array of E.164; table phone_number, unique over all tenants */
	struct str agent;   /* the voice agent that answers there; may be empty */
	int32_t agent_version; /* -1: not said */
	struct str state;   /* federal state, "BE" */
	uint32_t position;
	enum catalogue_origin origin;
};
struct override_row { /* table branch_service_override: what differs in one branch */
	struct str tenant, branch, service;
	int32_t active;      /* 0, 1; -1: as everywhere */
	int32_t length_min;  /* -1: as everywhere */
	int64_t price_minor; /* -1: as everywhere */
	struct str event_type; /* empty: as everywhere */
	enum catalogue_origin origin;
};
struct catalogue {
	struct service_row *services; /* in the order of position */
	struct branch_row *branches;
	struct override_row *overrides;
	size_t service_count, branch_count, override_count;
};

/* An operation goes on only if the appointment is as it was seen. */
struct appointment_expect {
	struct str tenant, connection, uid;
	uint32_t version;
};

/* ---- Write operations --------------------------------------------------------------------- */

struct store_op {                                      /* first member of every operation */
	struct store_op *next;                         /* the store's */
	int (*run)(struct store *, struct store_op *); /* the store's */
	void *sealed;                                  /* the store's */
	void (*done)(struct store_op *op);             /* called on the writer's thread */
	void *user;                                    /* the caller's */
	bool urgent; /* somebody is on the line: before all that are not. What must come in order is
			all urgent, or all not */
	int result; /* 0 or an error_code: then nothing of it was stored */
	struct error error;
};

/* What is submitted between the two becomes one commit: the writer begins no other meanwhile, so
 * not for long. One thread only. */
void store_cork(struct store *store);
void store_uncork(struct store *store);

/* First commit: the raw row, before the 2xx. */
struct store_append_inbox {
	struct store_op op;
	const struct inbox_row *row;
};
void store_append_inbox(struct store *store, struct store_append_inbox *op);

/* An event together with all it causes: if the event is a repeat, none of it is stored. */
struct event_change {
	struct event_row *row; /* out: correlation, if it regards a job: that one's, and so of all it
				  causes. One story has one correlation */
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
	struct str frees; /* holder whose OFFERED holds end with this (it hung up); may be empty */
	uint32_t closed, cancelled; /* out: jobs closed by regarding, dropped by cancel_on */
	uint32_t sealed;            /* the store's: index of what was sealed of it */
	char correlation[ID_TEXT];  /* the store's: where the text of row->correlation lies then */
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
 * job is READY with "closed" in its progress whatever state was saved, and store_claim has it.
 * Holds: all of them, in this order, or E_TAKEN, and nothing of the operation is stored. What is
 * expired does not stand in the way. The holder's own: one of the same resource and start is
 * renewed (under the new id), an OFFERED one that overlaps is replaced. But a time that a job is
 * booking stays that job's: offered to the same holder once more it only lasts longer, and for
 * another job it is E_TAKEN. A job that is DONE, DROPPED, DEAD, or PARKED with nothing sent, however it came to
 * be, frees the holds that name it; one whose outcome is unknown keeps them.
 * An appointment that begins to take a time, or lets go of one, here or by an event, makes the days
 * of its connection around its old and its new time dirty, one more at each end (the store knows no
 * zone). */
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
	const struct appointment_row *appointments; /* as the calendar told them */
	size_t appointment_count;
	const struct checkpoint_row *checkpoint; /* NULL: unchanged */
	const struct hold_row *holds;
	size_t hold_count;
	const struct slot_day *days; /* what the calendar said */
	size_t day_count;
	const struct answer_row *answer; /* NULL: none */
	bool claim;                      /* hand out inserted jobs that are READY and due */
	uint32_t promoted;                       /* out: jobs that became READY through this */
	bool closed;                             /* out: an event answered what was unknown */
};
void store_save_job(struct store *store, struct store_save_job *op);

/* By a schedule, a person, or a run that asks something. Holds as with store_save_job: E_TAKEN. A
 * job whose dedupe is known already takes no holds. E_CONFLICT: the appointment is not as expected
 * any more, or not there; not asked if all jobs were known already, because the first of them may
 * have changed it. */
struct store_add_jobs {
	struct store_op op;
	struct job_row *jobs;
	size_t job_count;
	const struct hold_row *holds;
	size_t hold_count;
	const struct appointment_expect *expect; /* NULL: nothing */
	bool claim;     /* hand out inserted jobs that are READY and due */
	uint32_t added; /* out: the others were there (dedupe) */
};
void store_add_jobs(struct store *store, struct store_add_jobs *op);

/* The host's own, that neither a webhook nor a job tells. */
struct store_add_events {
	struct store_op op;
	struct event_change *events;
	size_t event_count;
	bool claim; /* hand out inserted jobs that are READY and due */
};
void store_add_events(struct store *store, struct store_add_events *op);

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

/* Jobs in our hands that cannot be run after all (no memory): as they were before they were handed
 * out, so that store_claim has them again. What an event said of them meanwhile takes effect. */
struct store_unclaim_jobs {
	struct store_op op;
	const struct id *jobs;
	size_t job_count;
	uint32_t unclaimed; /* out: the others were passed over */
};
void store_unclaim_jobs(struct store *store, struct store_unclaim_jobs *op);

/* The raw rows not finished, oldest first: after a restart. */
struct store_pending_inbox {
	struct store_op op;
	struct arena *arena;
	struct id after; /* zero: from the beginning */
	size_t limit;
	struct inbox_row *rows; /* out: as many of them as fit into the arena */
	size_t count;           /* out */
	bool more;              /* out: there may be some behind the last one */
};
void store_pending_inbox(struct store *store, struct store_pending_inbox *op);

/* What a person decides about a dead or parked job. RETRY: READY again with tries 0, due now, its
 * fail JOB_AGAIN until it runs, from the step in hand. RESEND: as RETRY, but also forgets that something was sent. DROP: DROPPED. */
#define JOB_AGAIN "again"
enum job_verdict { VERDICT_RETRY = 1, VERDICT_RESEND, VERDICT_DROP };
struct store_decide_job {
	struct store_op op;
	struct id job;
	enum job_verdict verdict;
	struct str reason; /* who and why; kept */
};
void store_decide_job(struct store *store, struct store_decide_job *op); /* E_CONFLICT: not dead */

/* What jobs waited for may be mended: READY ones whose last failure is of this class are due now.
 * Without a class: those that were put off by a clock that was ahead of today's, since it was put
 * back by more than they should wait. */
#define CLOCK_SLACK_MS 1000
struct store_hasten_jobs {
	struct store_op op;
	struct str fail;
	struct store *store; /* ours, as those below: it takes small steps */
	void (*told)(struct store_op *op);
	int64_t now_ms;
	bool more, begun;
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

/* Also a pause of one connection, whose credential was refused: its key is BREAKER_PAUSE and the
 * connection's full name, its state "paused" or "closed", failures how often in a row. */
#define BREAKER_PAUSE "connection "
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

struct store_save_answer { /* of a caller who was told before the run ended */
	struct store_op op;
	const struct answer_row *row;
};
void store_save_answer(struct store *store, struct store_save_answer *op);

/* Expired holds of all tenants, and OFFERED ones of a holder if one is named, are removed. */
struct store_free_holds {
	struct store_op op;
	struct str tenant, holder; /* empty: only what is expired */
	int64_t now_ms;
	uint32_t freed; /* out */
};
void store_free_holds(struct store *store, struct store_free_holds *op);

/* Rows of `origin` are replaced by these (INI: all of them; PERSON: those of the same tenant and
 * name). E_CONFLICT: a number belongs to another branch that counts, of whichever tenant, or a name
 * is there twice. E_INVALID: what must be JSON is not. */
struct store_save_catalogue {
	struct store_op op;
	enum catalogue_origin origin;
	const struct catalogue *catalogue;
};
void store_save_catalogue(struct store *store, struct store_save_catalogue *op);

/* Destroys a person's key: what is sealed under it can never be read again, here or in any copy of
 * the database made before. Their open jobs are DROPPED, also those in somebody's hands, which then
 * cannot be saved (E_CONFLICT); a PARKED webhook that mentions them is let go of. Codes and marks by
 * which they were found are taken out. It can be interrupted at any point, and is finished when the
 * store is opened again. Who has no key: known is false, and nothing happens, but for what is PARKED.
 * E_BUSY: somebody reads without end, and bytes of theirs may still be in a log: call again from the
 * beginning; what is told of it then counts, too.
 * It takes small steps, since others wait for the writer: what is PARKED and the file of the keys are
 * gone through piece by piece. As long as more is set, submit it again as it is. */
struct store_forget {
	struct store_op op;
	bool more; /* false at first; out: it is not over */
	struct str tenant, person; /* E.164 or address */
	struct str reason;         /* of what is dropped */
	int64_t now_ms;
	bool known; /* out: there was a key; what follows became unreadable now */
	uint32_t webhooks, shared, events, jobs, attempts, calls, appointments, answers;
	uint32_t dropped;  /* jobs that were not over */
	uint32_t mentions; /* PARKED webhooks that nobody could read and that name them */
	bool again;        /* ours, as those below: where the last step ended */
	uint32_t before;
	int64_t from, after;
};
void store_forget(struct store *store, struct store_forget *op);

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

/* ---- Reading for the desk: what a waiting caller needs, by index, in microseconds ---- */

/* By day, then staff. Days without a row were never asked for. to_day is included. */
int store_list_slots(struct error *, struct store_reader *, struct str tenant, struct str connection,
	struct str event_type, int32_t from_day, int32_t to_day, struct arena *,
	struct slot_day **days, size_t *count);
/* Not expired at now_ms, that overlap [from_ms, to_ms), by start. resource empty: all. */
int store_list_holds(struct error *, struct store_reader *, struct str tenant, struct str resource,
	int64_t from_ms, int64_t to_ms, int64_t now_ms, struct arena *, struct hold_row **rows,
	size_t *count);
int store_list_holds_of(struct error *, struct store_reader *, struct str tenant,
	struct str holder, int64_t now_ms, struct arena *, struct hold_row **rows, size_t *count);
/* By start, oldest first. */
struct appointment_query {
	struct str tenant;
	struct str connection;  /* empty: all of the tenant's */
	struct str person;      /* as in the rows, E.164, or an address in any case; empty: all */
	int64_t from_ms, to_ms; /* of their start; to_ms is not included */
	bool standing;          /* booked or requested only */
	size_t limit;           /* 0: 50 */
};
int store_find_appointments(struct error *, struct store_reader *,
	const struct appointment_query *, struct arena *, struct appointment_row **rows,
	size_t *count);
int store_get_answer(struct error *, struct store_reader *, struct str connection,
	struct str dedupe, struct arena *, struct answer_row *row); /* E_NOTFOUND: none yet */
/* By tenant, then in the order of position. JSON columns that were empty come back as []. */
int store_get_catalogue(struct error *, struct store_reader *, struct str tenant, /* empty: all */
	struct arena *, struct catalogue *catalogue);
/* As such a text stands in rows: to compare with a holder, a dedupe or an order key that was read. */
struct str store_code(struct store_reader *, struct str text, struct arena *);
/* By its dedupe key, which the tenant's own name begins. E_NOTFOUND. */
int store_get_job(struct error *, struct store_reader *, struct str tenant, struct str dedupe,
	struct arena *, struct job_row *row);

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

/* Who is meant by a number in any spelling, or an address. Numbers without a country code are tried
 * with those of many countries: there is a hit for each that somebody here has. If nobody knows them there is one of each
 * tenant, not known, with the best guess: they may be in a webhook that nobody could read. */
struct person_hit {
	struct str tenant, person; /* E.164, or the address */
	bool known;                /* has a key */
	int64_t forgotten_ms;      /* the last time; 0: never */
};
int store_find_person(struct error *, struct store_reader *, struct str tenant_or_empty,
	struct str text, struct arena *, struct person_hit **hits, size_t *count);

/* All that is stored of a person, oldest first. A webhook that brought others' events, too, comes
 * without its body. What tells of somebody else and only mentions them is counted, not told. */
struct person_rows {
	struct story story;
	struct call_row *calls;
	struct appointment_row *appointments;
	struct answer_row *answers;
	size_t call_count, appointment_count, answer_count;
	struct str *connections; /* that know of them: each once */
	size_t connection_count;
	uint32_t mentions;
};
int store_read_person(struct error *, struct store_reader *, struct str tenant, struct str person,
	struct arena *, struct person_rows *rows);
/* Only which connections know of them, as rows->connections: however much there is of them. */
int store_person_connections(struct error *, struct store_reader *, struct str tenant,
	struct str person, struct arena *, struct str **connections, size_t *count);

struct store_counts { /* for /metrics and readiness */
	uint64_t inbox_new, inbox_parked, events;
	uint64_t jobs[JOB_DROPPED + 1];
	int64_t oldest_ready_ms; /* due time; 0: none */
};
int store_count(struct error *, struct store_reader *, struct store_counts *counts);

/* ---- Looking on: what happens in calls, in the order in which it was stored ---- */

/* Another number than before: something was committed meanwhile. */
int store_data_version(struct error *, struct store_reader *, int64_t *version);

/* A place is behind one event and before the next. */
int store_live_end(struct error *, struct store_reader *, int64_t *place); /* behind the last */
int store_live_place(struct error *, struct store_reader *, const struct id *event,
	struct str tenant_or_empty, int64_t *place); /* behind this; E_NOTFOUND, also another's */
int store_live_last(struct error *, struct store_reader *, struct str tenant_or_empty,
	struct id *event); /* zero: there is none */

struct live_range {
	struct str tenant; /* empty: all */
	int64_t after, until;
	size_t limit; /* not 0 */
};
struct live_row {
	struct event_row event; /* call.* but call.other, and booking.* if a call led to it */
	struct str call;        /* subject of that call; may be empty */
	int64_t place;          /* behind it */
};
struct live_page {
	struct live_row *rows;
	size_t count;
	int64_t reached; /* go on behind this until it is `until`: a page may be empty */
};
int store_list_live(struct error *, struct store_reader *, const struct live_range *,
	struct arena *, struct live_page *page);
/* Calls that began since then and have not ended, at most 200. */
int store_list_running(struct error *, struct store_reader *, struct str tenant_or_empty,
	int64_t since_ms, struct arena *, struct call_row **rows, size_t *count);

/* ---- Retention ---------------------------------------------------------------------------- */

/* What is kept for how long, after it is finished. Each kind holds what the kinds behind it say, so
 * callers give no kind longer than the next one: raw <= transcript and recording <= call <=
 * metadata. */
enum keep_kind {
	KEEP_RAW,        /* bytes of webhooks, requests and answers */
	KEEP_TRANSCRIPT, /* "transcript" of events, and of inputs and results of jobs */
	KEEP_RECORDING,  /* "recording_url", likewise */
	KEEP_CALL,       /* everything else they say; calls; appointments, from their end on */
	KEEP_METADATA,   /* the rows themselves: that something came and what was done */
	KEEP_KINDS
};
#define KEEP_FOREVER (-1)
struct keep {
	struct str tenant; /* empty: of all that have none of their own, and of what is nobody's */
	int64_t ms[KEEP_KINDS]; /* or KEEP_FOREVER */
};

/* One small step of a pass over everything that is stored; the caller submits the next one, with
 * `at` as `next` says, when others have had their turn. Touched is only what is finished: no
 * webhook that is not DONE or IGNORED, nothing of a job that is not DONE or DROPPED, no event that
 * such a job or a webhook that is PARKED needs, no row that another one names, no appointment
 * before its end. Where a pass ended is remembered, so the next one begins behind what has nothing
 * left to lose. A deleted event leaves a mark by which its repeats are known for GONE_KEPT_MS.
 * A clock that is two days after the last pass is doubted: nothing is done, unless the caller says
 * that it may be trusted. The host was off, or the clock is wrong, and what is deleted stays so.
 * Besides: answers to callers, old days of the mirror, reads and polls that are done and told
 * nothing, tallies, generations that no open job needs. */
#define GONE_KEPT_MS (INT64_C(3) * 366 * 24 * 60 * 60 * 1000)
struct retain_place {
	uint32_t walk; /* zeroed at the beginning of a pass */
	int64_t seq, settled;
	uint32_t young; /* rows in a row that are not due */
	bool left;      /* a row was left behind for a later pass */
};
struct store_retain {
	struct store_op op;
	const struct keep *keeps; /* [0]: with an empty tenant; the others sorted by it */
	size_t keep_count;
	int64_t now_ms;
	uint64_t generation; /* the current one; older ones in use count as well */
	unsigned rows;       /* looked at, at most; 0: a good default */
	bool trusted;        /* now_ms, however long after the last pass */
	struct retain_place at;
	struct retain_place next;   /* out */
	bool over;                  /* out: that was the last step */
	bool doubted;               /* out: now_ms; the pass was not begun */
	uint32_t freed[KEEP_KINDS]; /* out: rows that lost this */
	uint32_t swept;             /* out: rows of the host's own that were deleted */
};
void store_retain(struct store *store, struct store_retain *op);

struct store_save_checkpoint { /* of what is no poll */
	struct store_op op;
	const struct checkpoint_row *row;
};
void store_save_checkpoint(struct store *store, struct store_save_checkpoint *op);

/* ---- The daily receipt -------------------------------------------------------------------- */

/* What came in a span of time, as it was counted in the same commits, and what became of it, counted
 * from the rows. Both sides must be the same; who is right when they are not, nobody knows. */
struct receipt_counts {
	struct { /* of the connections that belong to the tenant itself, or to the agency */
		uint64_t in, read, ignored, parked, waiting;
	} webhooks;
	struct { /* each once, by the worst of its jobs; filtered: no pipeline wanted it */
		uint64_t in, done, filtered, parked, dead, waiting, dropped;
		uint64_t repeats; /* came again and were told nobody; not part of in */
	} events;
	struct { /* runs of pipelines and single operations */
		uint64_t in, done, parked, dead, waiting, dropped;
	} jobs;
	uint64_t bookings, messages; /* made, sent: steps that ended well in that time */
	uint64_t unknowns;           /* steps whose outcome nobody knew, for a while at least */
};
bool receipt_balanced(const struct receipt_counts *counts);

struct receipt_row {
	struct str tenant;
	int32_t day;     /* of the tenant's calendar, days since 1970-01-01 */
	int64_t made_ms;
	bool balanced;
	struct str data; /* JSON */
};
struct store_save_receipt { /* the first one of a day stays, unless it is from the future */
	struct store_op op;
	const struct receipt_row *row;
};
void store_save_receipt(struct store *store, struct store_save_receipt *op);

/* Days of tenants, each from a quarter of an hour to a quarter of an hour; the list is sorted by
 * tenant. Reads every row since the first of them once, however many they are: not for a thread that
 * somebody waits for. On an error nothing is said of counts.
 * Right as long as it begins after now - TALLY_KEPT_MS. */
#define TALLY_MS (15 * 60 * 1000)
#define TALLY_KEPT_MS (INT64_C(156) * 60 * 60 * 1000) /* six days, and half a one for zones */
struct receipt_day {
	struct str tenant;
	int64_t from_ms, to_ms;
	struct receipt_counts counts; /* out */
	size_t place;                 /* the caller's */
};
int store_count_receipts(
	struct error *, struct store_reader *, struct receipt_day *days, size_t count);
/* Newest day first. tenant empty: all; from_day to to_day, both included. */
int store_list_receipts(struct error *, struct store_reader *, struct str tenant, int32_t from_day,
	int32_t to_day, struct arena *, struct receipt_row **rows, size_t *count);

#endif
