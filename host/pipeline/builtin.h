/* builtin.h - operations of the host's own connection "desk" as steps of a run. Runner's thread.
 *
 * What desk_step() asks for becomes jobs of their own (a calendar's slots, book, …), stored with
 * the holds they need, run like any other; the run stays in hand until they have ended. A read that
 * is under way already is shared. Nothing here waits for the disk or a calendar.
 */
#ifndef PIPELINE_BUILTIN_H
#define PIPELINE_BUILTIN_H

#include "pipeline/job_i.h"

#define BUILTIN_NAME "desk"
/* Subject of reads that refresh the mirror: nobody's problem if one fails, the next one may not. */
#define BUILTIN_READ "mirror"

bool builtin_is(const struct run *run); /* is its step in hand the host's own? */
void builtin_begin(struct run *run);
/* The holds could not be had: chosen again. False: it was not about holds. */
bool builtin_taken(struct run *run);
/* The caller of this job must hear something now. False: it can say nothing. */
bool builtin_late(struct runner *r, const struct id *job, struct arena *arena, struct str *result);

/* What it has made is stored. */
void builtin_saved(struct run *run);

/* A job has ended (its row says how): who has asked goes on. */
void builtin_tell(struct run *ended);
/* Does a desk operation wait for it? */
bool builtin_asked(const struct runner *r, const struct id *job);
bool builtin_is_read(const struct run *run);
/* Its failure is news that a caller has not heard: the event that says so. False: it is not. */
bool builtin_unheard(struct run *run, struct plugin_event *event);

/* At the very end: what is still under way is forgotten here, not in the store. */
void builtin_abandon(struct runner *r);

/* The mirror by the clock, expired holds; called about once a second. */
void builtin_tick(struct runner *r);
/* At start, and after a reload: the configuration's part of the catalogue. Waits for the disk;
 * not the runner's thread. */
int builtin_catalogue(struct error *error, struct store *store, const struct config *config);

#endif
