/* asks.h - what desk operations ask a calendar: each question a job of its own. Runner's thread.
 *
 * A question is stored with the holds it needs and runs like any other job; the run that asks rests
 * in hand until it has ended, and hears of it by builtin_answered(). A read that is under way for
 * the same tenant is shared. A question that is put off keeps nobody in hand but who has a caller
 * on the line: others come back when it is due, and ask again by the same dedupe key.
 */
#ifndef PIPELINE_ASKS_H
#define PIPELINE_ASKS_H

#include "desk/desk.h"
#include "pipeline/job_i.h"

/* Subject of reads that refresh the mirror: nobody's problem if one fails, the next one may not. */
#define ASKS_READ "mirror"

/* run NULL: a refresh that nobody waits for. Else *ask is filled when it has ended, which may be
 * before this returns, and lives until then. */
void asks_put(struct runner *r, struct plan *plan, const char *tenant, struct run *run,
	struct desk_ask *ask);

/* A job has ended (its row says how): who has asked goes on. */
void asks_tell(struct run *ended);
/* A job will be tried again, not now. */
void asks_put_off(const struct run *later);
/* The run waits no longer; what it has asked goes on by itself. */
void asks_leave(struct run *run);

/* Is this job a question whose answer still matters to somebody? To somebody who is on the line? */
bool asks_matter(const struct runner *r, const struct id *job);
bool asks_urgent(const struct runner *r, const struct id *job);
bool asks_is_read(const struct run *run);
/* Did an operation ask it, and not only the clock? Also if that has not waited for the answer. */
bool asks_wanted(const struct runner *r, const struct id *job);
/* Are all questions of the run on disk? */
bool asks_stored(const struct run *run);

/* Holds of the tenant that questions of other runs are about to take: at most that many, shared
 * with them. */
size_t asks_coming(const struct run *but, struct hold_row *out, size_t most);

/* At the very end: what is still under way is forgotten here, not in the store. */
void asks_abandon(struct runner *r);

#endif
