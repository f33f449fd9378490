/* job.h - jobs in hand. Runner's thread. */
#ifndef PIPELINE_JOB_H
#define PIPELINE_JOB_H

#include "pipeline/plan.h"
#include "store/store.h"

struct run;
struct runner;

/* After a commit: begins those jobs that the store has claimed for us. event: what they are
 * about, or NULL. Copies what it needs. */
void jobs_stored(struct runner *runner, struct plan *plan, const struct event_row *event,
	const struct job_row *jobs, size_t count);

/* Begins a job whose row and event were submitted, but are not stored yet: it goes as far as it can
 * by itself, and what it saves comes behind them. NULL: no memory, it begins when they are stored.
 * Then either job_is_stored() or, if there was no such event in the end, job_never_was(). */
struct run *job_ahead(struct runner *runner, struct plan *plan, const struct event_row *event,
	const struct job_row *job);
void job_is_stored(struct run *run);
void job_never_was(struct run *run);

/* How many more jobs that nobody waits for may be in hand. */
unsigned jobs_room(const struct runner *runner);

/* May an operation hand out the n jobs it inserts, or are too many in hand? What somebody waits for
 * has room of its own. *promised, to be taken off runner->promised when it is done, is set. */
bool jobs_promise(struct runner *runner, size_t n, bool urgent, unsigned *promised);

/* Begins a job that the store handed out. Copies what it needs. */
void job_begin(struct runner *runner, const struct job_row *job, const struct event_row *event);

#endif
