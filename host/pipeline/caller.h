/* caller.h - somebody is on the line: a webhook that waits for what a pipeline makes of it.
 *
 * Whatever happens, it is answered before its deadline: with the pipeline's result, with what a
 * desk operation can say so far, with the pipeline's fallback, or, if not even its own bytes are
 * on disk, with 503. What was said is stored before it is said, and said again when the same
 * request comes again. Runner's thread.
 *
 *   begin ─▶ stored (raw row) ─▶ asks (its job) ─▶ told (the run has ended)  ─▶ answer
 *                             ├▶ repeat (known event)  ─────────────────────▶ answer
 *                             └▶ none (no pipeline answers) ────────────────▶ answer
 *   soft deadline: the run is asked what it can say, or the fallback is taken; stored; answered
 *   hard deadline: the same, without waiting for the disk any longer
 */
#ifndef PIPELINE_CALLER_H
#define PIPELINE_CALLER_H

#include "pipeline/intake.h"
#include "pipeline/plan.h"

struct run;

struct caller { /* part of an intake; hook NULL: nobody waits */
	struct caller *next, **link;
	struct runner *runner;
	struct hook *hook;
	struct arena *arena;
	const struct plan_connection *connection;
	const struct plugin_inbound *inbound;
	const struct inbox_row *row;
	void (*store)(struct caller *caller); /* its raw row, if it is not on its way yet */
	void (*gone)(struct caller *caller);  /* answered: it may be freed now */

	int64_t soft_ms, hard_ms; /* clock_mono_ms */
	bool on_disk;             /* its raw row */
	const struct plan_pipeline *pipeline;
	struct plan *plan;
	struct id job; /* zero: none yet */
	const struct event_row *event;
	bool first;          /* to ask for it: its event is stored, and was no repeat */
	bool decided;        /* outcome and result are final */
	bool kept;           /* the answer is on disk, or needs not be */
	bool shaped, asking; /* the plugin has given it its shape; is being asked */
	unsigned tries;
	uint32_t outcome;  /* KL_REPLY_* */
	struct str result; /* JSON */
	struct plugin_call call;
};

/* The fields up to gone are set. limit_ms: what the route declares. */
void caller_begin(struct caller *caller, int64_t limit_ms);
void caller_stored(struct caller *caller);
/* It was not: answered 503. */
void caller_refuse(struct caller *caller, const char *why); /* why NULL: it is told elsewhere */
/* Its events are about to be stored, and a pipeline will answer it in that time. */
void caller_expects(struct caller *caller, int64_t within_ms);
/* This pipeline answers; its job is about to begin. stored: its event is, and is no repeat; until
 * then it may be told so, and what follows is caller_repeat(). */
void caller_asks(struct caller *caller, struct plan *plan, const struct plan_pipeline *pipeline,
	const struct job_row *job, const struct event_row *event, bool stored);
void caller_repeat(struct caller *caller, struct plan *plan, const struct plan_pipeline *pipeline,
	const struct event_row *event);
void caller_none(struct caller *caller);

/* Of runs. Its pipeline answers callers, and nobody waits for this answer (any more). */
bool caller_gone(const struct run *run);
bool callers_wait(const struct runner *r, const struct id *job);
/* The answer of a run that ends, to be stored with it; its result, or the fallback. False: its
 * pipeline answers nobody. */
bool caller_answer_row(struct run *run, struct answer_row *row);
/* It is stored. */
void callers_tell(struct runner *r, const struct id *job, const struct answer_row *row);

/* The host stops: everybody is answered by then (clock_mono_ms), also who comes later. */
void callers_hurry(struct runner *r, int64_t until_ms);
void callers_stop(struct runner *r);
/* At the very end, when nothing is under way any more. */
void caller_abandon(struct caller *caller);
void callers_abandon(struct runner *r);

#endif
