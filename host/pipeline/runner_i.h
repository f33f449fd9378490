/* runner_i.h - the inside of the runner, for the files of this room only. */
#ifndef PIPELINE_RUNNER_I_H
#define PIPELINE_RUNNER_I_H

#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

#include "base/error.h"
#include "base/mailbox.h"
#include "pipeline/plan.h"
#include "pipeline/runner.h"

#define RUN_MEMORY ((size_t)64 * 1024 * 1024) /* the most one run or webhook may use */
#define SPARES_MAX 64                         /* arenas that wait for the next run */
#define RUNS_MAX 256                          /* jobs in hand at once */
#define KEEPSAKES_MAX 1024                    /* all that can be in hand */
#define RESTING_MAX 256                       /* and as many that only wait for others */
#define URGENT_MAX 512                        /* and those that somebody waits for */
#define HOOKS_MAX 2048                        /* webhooks between socket and answer */
#define NORMALIZE_MAX 1024                    /* stored, not yet normalized, in hand at once */
#define TICK_MS 1000                          /* between tries, for lack of something */

struct intake;
struct run;
struct alarms;
struct pause;

struct losses { /* webhooks that were not stored, since it was last told */
	uint64_t count;
	char connection[512]; /* of the latest */
	struct error error;
};

struct runner {
	struct runner_options options;
	struct store *store;
	struct store_reader *reader;
	uv_loop_t loop;
	uv_async_t wake;
	uv_timer_t claim_timer, poll_timer, tick_timer;
	struct mailbox mailbox;
	pthread_t thread;
	bool has_loop, started, draining, stopping;

	struct plugins *plugins;
	struct transfer *transfer;
	struct expr_engine *engine;
	struct plan *plan; /* the current one */
	struct plan **old; /* generations that stored jobs still need */
	size_t old_count;
	uint64_t unusable; /* a generation that could not be revived; 0: none */

	unsigned hooks, normalizing, runs;
	unsigned urgent, resting; /* of runs: somebody waits for them; of the others: they wait for
				     what they have asked a calendar */
	unsigned promised;        /* jobs that operations under way may hand out at once */
	struct intake *intakes;   /* webhooks in hand */
	struct run *all_runs;
	bool backlog;       /* raw rows wait in the store that are not in hand */
	bool backlog_later; /* it failed: backlog with the next tick, not at once and for ever */
	bool fetching;
	bool left_behind; /* since the fetch began, more was left in the store … */
	struct id left;   /* … of which this was the first to come */
	struct id fetch_after;
	struct intake *held, **held_end; /* until it is fetched what came before them */
	bool claiming, claim_wanted;
	bool claim_later; /* a job was given back for lack of memory: with the next tick, not at
			     once */
	struct id keepsakes[KEEPSAKES_MAX]; /* jobs for whose giving back there was none either */
	size_t keepsake_count;
	size_t claim_limit; /* 0: none */
	int64_t next_due_ms;
	int64_t clock_ahead_ms;    /* of the monotonic one, a second ago */
	int64_t clock_put_back_ms; /* when it last was; 0: never */
	int64_t even_since_ms;     /* the start, or when the clock was last set: since then it tells
				      how much time has passed */
	int64_t latest_ms;         /* by which a run was put off, since the last tick */
	int hasten_ticks;
	struct pause *pauses; /* pause.h */
	struct losses losses;
	uint64_t strays;        /* webhooks to no connection or route, since it was last told */
	int64_t strays_told_ms; /* clock_mono_ms: not before that again */
	struct alarms *alarms;  /* alarm.h; NULL until the first */
	struct arena *spare[SPARES_MAX];
	size_t spares;
	struct run *unsaved;    /* runs whose save failed */
	struct waiter *waiters; /* runner_run() calls */
	struct desk *desk;
	struct ask *asks;       /* what desk operations wait for, or have refreshed */
	struct caller *callers; /* webhooks that wait for their answer */
	uv_timer_t caller_timer;
	struct keeping *keepings; /* what they were told, on its way to the disk */
	int64_t hurry_ms;         /* clock_mono_ms: they are answered by then; 0: no hurry */
	int64_t free_due_ms, refresh_due_ms; /* clock_mono_ms */
	size_t refresh_at;                   /* tenant whose mirror is looked at next */
	bool waiters_leave;
	struct retention *retention; /* care.h; each NULL until its first tick */
	struct receipts *receipts;
	struct gap_watch *gaps;

	atomic_ullong n_hooks, n_rejected, n_refused, n_strays, n_events, n_repeats, n_done,
		n_failed, n_requests;
	atomic_ullong n_answered, n_fallbacks, n_repeated, n_unanswered, n_late; /* callers */
	atomic_uint n_runs;
	atomic_bool trying; /* whether the disk takes something again */
	atomic_bool nudged; /* there was no memory to say so otherwise: seen with the next tick */
	atomic_ullong n_generation;
};

/* An arena of RUN_MEMORY, used or new, and back. */
struct arena *runner_arena(struct runner *runner); /* NULL: no memory */
void runner_arena_back(struct runner *runner, struct arena *arena);

/* From any thread. */
void runner_post(struct runner *runner, struct mailbox_item *item);

/* Work that reads the store for long: on a thread of its own, then worked() on ours. (libuv's own
 * threads would do, but it aborts the process when they cannot be had.) */
struct aside {
	struct mailbox_item item;
	struct runner *runner;
	pthread_t thread;
	void (*work)(struct aside *aside);
	void (*worked)(struct aside *aside);
	void *data;
};
int runner_aside(struct runner *runner, struct aside *aside); /* E_NOMEM: no thread */

/* ---- generations.c ---- */

/* The plan of that generation: today's, one in hand, or read from the store. NULL: error. */
struct plan *runner_plan(struct runner *runner, uint64_t generation, struct error *error);
struct plan_means generation_means(struct runner *runner);
/* Stored before anything runs by it, so that a run can always find the one it began with. Waits for
 * the disk: at start and reload only. Any thread. */
int generation_save(struct error *error, struct store *store, const struct config *config,
	uint64_t *generation);
/* Takes a former plan in hand. E_NOMEM: it is still the caller's. */
int generation_keep(struct error *error, struct runner *runner, struct plan *plan);
/* Plans give their options back to the plugins, so they go first. Runs and webhooks under way have
 * references of their own until the plugins end them. */
void generations_drop(struct runner *runner);

/* ---- claims.c ---- */

/* Asks the store for due jobs if there is room for them. */
void runner_claim(struct runner *runner);
/* What waits because of such a failure is due now; "": what was put off by a clock that was ahead.
 */
void runner_hasten(struct runner *runner, const char *fail);

/* ---- breakers.c ---- */

/* Kept over a restart, and seen by the doctor. Copies the row. */
void breaker_save(struct runner *runner, const struct breaker_row *row);
/* For struct transfer_options; user is the runner. */
void breaker_changed(void *user, const char *key, enum breaker_state state, int64_t until_ms,
	uint32_t failures, uint32_t successes);
int breakers_restore(struct error *error, struct runner *runner); /* at start */

/* ---- other files ---- */

/* disk.c: writes a little if the last commit failed; called once a second */
void disk_try(struct runner *runner);
/* backlog.c: raw rows that a former process left, or that did not fit in hand. */
void intake_fetch(struct runner *runner);
void intake_tick(struct runner *runner); /* tells of webhooks that were not stored */
/* poll.c */
void polls_start(struct runner *runner);       /* of the plan that is now; the old ones end */
void polls_watch_clock(struct runner *runner); /* once a second */
/* figures.c: appends to out, or objects to list. */
void figures_print(struct runner *runner, struct buf *out);
void figures_plugins(struct runner *runner, struct arena *arena, struct json *list);
void figures_troubles(struct runner *runner, struct arena *arena, struct json *list);
/* job.c, intake.c: at the very end, frees what is still in hand; its rows tell where it was. */
void jobs_abandon(struct runner *runner);
void intakes_abandon(struct runner *runner);
/* waiter.c: somebody waits for this job */
void waiter_tell(struct runner *runner, const struct job_row *job, struct str result);
/* The host stops: everybody who still waits is told so. */
void waiters_leave(struct runner *runner);
bool waiter_waits(const struct runner *runner, const struct id *job);
/* Somebody is there who will hear how it ended, if that is told soon. */
bool waiter_listens(struct runner *runner, const struct id *job);
bool waiter_records(const struct runner *runner, const struct id *job);

#endif
