/* builtin.h - operations of the host's own connection "desk" as steps of a run. Runner's thread.
 *
 * What desk_step() asks for becomes jobs of their own (a calendar's slots, book, …; asks.h); the
 * run rests in hand until they have ended. Nothing here waits for the disk or a calendar.
 */
#ifndef PIPELINE_BUILTIN_H
#define PIPELINE_BUILTIN_H

#include "pipeline/job_i.h"

#define BUILTIN_NAME "desk"

bool builtin_is(const struct run *run); /* is its step in hand the host's own? */
void builtin_begin(struct run *run);
/* The holds could not be had: chosen again. False: it was not about holds. */
bool builtin_taken(struct run *run);
/* Its caller must hear something now. False: it can say nothing. */
bool builtin_late(struct run *run, struct arena *arena, struct str *result);
/* What it has made is stored. */
void builtin_saved(struct run *run);
/* Its failure is news that a caller has not heard: the event that says so. False: it is not. */
bool builtin_unheard(struct run *run, struct plugin_event *event);

/* From asks.c. One of its questions has ended, see desk_ask; with the last one it goes on. */
void builtin_answered(struct run *run);
/* Its question could not have its holds. */
void builtin_retake(struct run *run);
/* Its question is put off until then: it begins again when it can be answered. */
void builtin_come_back(struct run *run, int64_t due_ms);
void builtin_leave(struct run *run); /* it waits for nothing any more */

/* The mirror by the clock, expired holds; called about once a second. */
void builtin_tick(struct runner *r);
/* At start, and after a reload: the configuration's part of the catalogue. Waits for the disk;
 * not the runner's thread. */
int builtin_catalogue(struct error *error, struct store *store, const struct config *config);

#endif
