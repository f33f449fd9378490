/* intake_i.h - a webhook in hand, for intake.c, backlog.c and reading.c. Runner's thread. */
#ifndef PIPELINE_INTAKE_I_H
#define PIPELINE_INTAKE_I_H

#include "pipeline/caller.h"
#include "pipeline/intake.h"
#include "pipeline/runner_i.h"

#define FETCH 256 /* read from the store at once */

struct intake {
	struct mailbox_item item, stored; /* both may be under way at once */
	struct intake *next, **link; /* all in hand: the store may show them as new meanwhile */
	struct runner *runner;
	struct hook *hook;             /* NULL once answered, or once the caller has it */
	struct caller caller;          /* of a route where somebody waits */
	struct job_row *answering;     /* of these, the job that answers; NULL: none */
	struct event_change *answered; /* the event it is about */
	struct run *ahead;             /* it has begun already, while its event is being stored */
	unsigned parts;                /* ways under way: storing, reading, answering */
	bool storing;                  /* its raw row was given to the store */
	bool lost;                     /* it could not be stored */
	struct arena *arena;
	struct plan *plan;
	const struct plan_connection *connection;
	const struct plugin_route *route;
	struct inbox_row row;
	struct plugin_inbound inbound;
	struct plugin_call call;
	struct store_append_inbox append;
	struct store_finish_inbox finish;
	unsigned promised;        /* see jobs_promise() */
	bool bare;                /* finished without the events that the store refused */
	struct intake *next_held; /* backlog.c */
};

/* intake.c: an empty one of today's plan; NULL: no memory. */
struct intake *intake_create(struct runner *runner, const struct plan_connection *connection);
/* One way of it is over; with the last one it is gone. */
void intake_release(struct intake *in);
void intake_call(struct intake *in, enum plugin_kind kind, void (*done)(struct plugin_call *));
void intake_log_notes(const struct intake *in);
bool intake_waits(const struct intake *in);            /* is, or was, somebody on the line? */
unsigned intakes_reading(const struct runner *runner); /* stored and in hand, about */
const struct plugin_route *intake_route(const struct plugin_info *info, struct str name);

/* What the runner keeps of its connection in today's plan, which may not be the one that it began
 * with; NULL: the connection is gone. */
struct plan_connection *intake_connection_now(const struct intake *in);
/* Its raw row is on its way to the store, at the latest from now on. */
void intake_store(struct intake *in);

/* backlog.c: it is stored, or somebody waits: read it when it is its turn. */
void intake_read(struct intake *in);
/* This row is not in hand, and the next fetches must find it: a slow one may be older than what
 * they have passed already. */
void backlog_left(struct runner *runner, const struct id *inbox);
/* One of its connection stays in the store, and with it all of that connection that come after it:
 * what is read sooner happens sooner, and a booking would be made after it was cancelled. */
void backlog_behind(const struct intake *in);

/* reading.c: what it means, now. */
void intake_normalize(struct intake *in);
/* It could not be read: the row, if there is one, stays NEW until the plugin is back or less is
 * going on. */
void intake_not_read(struct intake *in);
void intake_park(struct intake *in, const char *reason); /* for a person */

#endif
