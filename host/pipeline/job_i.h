/* job_i.h - the inside of a run, for job.c, step.c, operation.c, outcome.c. Runner's thread.
 *
 * A run is one job in hand: it walks over the steps of its pipeline (or does its one operation),
 * and is saved whenever losing it would hurt: before a request that must not be sent twice, when
 * it waits, and at its end. What is not saved can be done again, since plugins are pure and
 * everything else is SAFE or KEYED.
 */
#ifndef PIPELINE_JOB_I_H
#define PIPELINE_JOB_I_H

#include "base/mailbox.h"
#include "pipeline/job.h"
#include "pipeline/route.h"
#include "pipeline/runner_i.h"

#define STEPS_MAX 64
#define ATTEMPTS_MAX 128   /* recorded between two saves; more are counted, not kept */
#define RECORDED_MAX 65536 /* bytes of a body that are kept for show */
#define DISABLED_MS 30000  /* until a plugin or connection out of service is tried again */

struct step_state {             /* of the step in hand; stored in job_row.progress */
	struct str input;       /* JSON; the same on every step of the operation */
	struct str state;       /* the plugin's; nothing at the start */
	uint32_t state_version; /* of the plugin that wrote it: an update may come between */
	int64_t now_ms;  /* the time the step began: expressions see this one, also after a crash */
	uint32_t number; /* plugin steps so far */
	bool looking;    /* between KL_LOOKUP and its answer */
	bool happened;   /* a NEVER request was answered: never from the top again */
	bool unresolved; /* a look-up failed: what it looked for is still in question */
	int64_t due_ms;  /* what at = said, or when a person said retry: tries and their age count
			  * from here; 0: from the job's beginning */
	bool waited;     /* at = is over */
	bool waiting;    /* for the timer of a KL_WAIT */
	bool instead;    /* doing otherwise = of this step */
	uint32_t timeout_ms; /* of the NEVER request that was sent */
};

struct builtin;

struct run {
	struct mailbox_item item;
	struct run *next, **link; /* of all in hand */
	struct runner *runner;
	struct arena *arena;
	struct plan *plan;
	struct plan *keys; /* whose secrets a request uses, if not plan's; else NULL */
	const struct config_tenant *tenant;
	const struct plan_pipeline *pipeline;     /* NULL: one operation */
	const struct plan_connection *connection; /* of the step in hand */
	struct job_row row;
	struct event_row event; /* id zero: none */
	struct route_scope scope;
	struct expr_step results[STEPS_MAX];
	size_t result_count;
	struct str last;   /* JSON: result of the last finished step */
	struct str mapped; /* JSON: result of the last mapping; {} */
	struct step_state step;
	struct str closed;  /* an event settled the unknown outcome */
	struct str refused; /* its when = could not be evaluated: why */

	struct plugin_call call;
	struct plugin_response response;
	struct plugin_field *fields; /* of a map step */
	int64_t began_us;            /* of the step or request in hand */
	int64_t began_ms;
	struct transfer_request request;
	bool declined; /* the last NEVER request was answered with 400 or more: it did not happen */
	struct str look_state; /* the plugin's, while looking; not kept */
	struct str *rows;      /* one JSON array for each plugin step that had any */
	size_t row_texts, row_cap;

	int64_t first_ms; /* when the plugin was asked to begin, and what a poll began with */
	struct str first_checkpoint;
	size_t listed; /* behind the attempt whose answer tells of others too; 0: none */
	struct attempt_row *attempts; /* grows up to ATTEMPTS_MAX */
	size_t attempt_cap;
	size_t attempt_count;
	struct event_change *events; /* what the operation emitted, routed */
	size_t event_count;
	struct checkpoint_row checkpoint;
	struct appointment_row *appointments; /* as the calendar told them */
	size_t appointment_count;
	struct answer_row answer;
	bool has_checkpoint, has_answer;
	const struct hold_row *holds; /* to be had with the next save */
	size_t hold_count;
	struct slot_day *days; /* what the calendar says is free */
	size_t day_count;
	struct str fail_code, fail_detail; /* of the last failure, as the plugin gave them */
	struct builtin *builtin;           /* of the host's own operation in hand */
	bool urgent; /* somebody waited for it when it began: it has room of its own */
	bool told;   /* the caller has heard what was known so far */
	bool heard;  /* and that was its result */
	struct store_save_job save;
	void (*saved)(struct run *run);
	bool ahead; /* its own row is not stored yet: nothing leaves, nobody is asked */
	void (*when_stored)(struct run *run); /* ahead, and it rests until then; NULL: it saves */
	bool starving;                        /* on its way back to the store */
	bool never_was;                       /* as soon as its save comes back it is gone */
	bool foreign; /* what it has kept is of a configuration that is not here: left as it is */
	unsigned promised;        /* see jobs_promise() */
	enum job_state unheard;   /* what it becomes if who waited for it does not hear its end;
				     0: as it is */
	bool bare;                /* saved without all that the store refused */
	struct run *next_unsaved; /* the disk was full; tried again with the next tick */
};

/* job.c */
#define JOB_LATE "late" /* subject of what is pushed into a call that may be over by then */
#define JOB_NOBODY "nobody was on the line any more"
void run_next(struct run *run); /* the step in hand, or the end */
/* share.c: of the result of find_booking by a calendar of the agency, what is the run's own
 * office's. */
struct str share_result(struct run *run, struct str result);
/* True: it begins ahead of its own row, and goes on with then() when that is stored. */
bool run_rests_until_stored(struct run *run, void (*then)(struct run *run));
void run_save(struct run *run, bool keep_claim, void (*then)(struct run *run));
void run_step_done(struct run *run, struct str result, const char *name);
/* renew.c: whether a person runs it again, and today's plan can take it; then, of the run made with
 * today's plan, what it kept of the old one is forgotten as far as it was not done. */
bool renew_wanted(const struct plan *old, const struct plan *todays, const struct job_row *job);
void renew_run(struct run *run);

/* An event of the host's own, stored with the next save. */
void run_emit(struct run *run, const struct plugin_event *event);
void run_end(struct run *run, enum job_state state, const char *fail, const char *reason);
void run_later(struct run *run, int64_t due_ms, const char *fail, const char *reason);
/* Its arena has failed. No memory now: as after a crash it goes on from its row, with the next
 * tick; more than one run may have: it is parked. */
void run_too_big(struct run *run);
void run_note(struct run *run, enum attempt_kind kind, const char *name, const char *outcome,
	struct str input, struct str output, const char *note);
/* Of a failure's reason what may stand in the log: without a vendor's own words, which may name
 * whom it is about. */
const char *run_own_words(struct arena *arena, const char *reason);
const struct plan_step *run_step(const struct run *run); /* NULL: one operation */
const struct plan_call *run_call(const struct run *run); /* NULL: one operation */
const char *run_op(const struct run *run);               /* its name */
struct expr_scope run_scope(struct run *run);
void jobs_save_again(struct runner *r); /* those whose save failed */
void jobs_give_back(struct runner *r);  /* those that nobody could be given back */
struct run *jobs_find(struct runner *r, const struct id *job); /* in hand; NULL: it is not */

/* Does somebody wait for it? Then it goes before others. */
bool run_urgent(const struct run *run);
/* record.c: what the last attempt noted needs to be played again. */
void record_begin(struct run *run, int64_t now_ms, struct str checkpoint);
void record_request(struct run *run);
void record_step(struct run *run);
void record_leave_out(struct run *run); /* the answer of the attempt that is run->listed */

/* operation.c: fills step.input. False: the run has gone another way. */
bool run_make_input(struct run *run);

/* progress.c */
struct str progress_print(struct run *run);
void progress_read(struct run *run);

/* input.c: 0, or error: an expression failed. *input is a JSON object. */
int run_input(
	struct error *error, struct run *run, const struct plan_call *call, struct str *input);

/* operation.c: a JSON array, for the result's "rows" */
void run_add_rows(struct run *run, struct str rows);

/* mapping.c */
void mapping_begin(struct run *run);
/* operation.c */
void operation_begin(struct run *run);
void operation_closed(struct run *run);

/* outcome.c: what a failure means for the run. fail: KL_*; wait_ms: what the vendor asked for */
void run_failed(
	struct run *run, uint32_t fail, const char *code, const char *message, int64_t wait_ms);
void run_unknown(struct run *run, const char *why); /* parked until somebody knows */
void run_absent(struct run *run);
void run_died(struct run *run); /* the worker died on it */
/* The plugin did not take the call: later, and it costs nothing. False: it did. */
bool run_not_taken(struct run *run);
/* It was not sent, since the host stops: at once after the start, and it costs nothing. */
void run_cut_off(struct run *run);
/* It failed for want of memory: later, and it costs nothing. False: for something else. */
bool run_lacks_memory(struct run *run, const struct error *error);
const char *fail_name(uint32_t fail);

#endif
