/* desk.h - what a caller on the line is told: free times, bookings, changes, services.
 *
 * The operations of the host's own connection "desk", as pure as a plugin's: desk_step() reads the
 * mirror, the holds and the catalogue, and says what happens next: an answer, or questions for a
 * calendar. It never waits, sends, or writes: pipeline/builtin.c stores what it says, has the
 * questions asked (each as a job of its own, with the calendar's plugin), keeps the deadline, and
 * steps it again. One thread: the runner's.
 *
 *   START ─▶ DONE                          from the mirror; with holds for what is offered
 *         └▶ ASK ─▶ ANSWERED ─▶ DONE | ASK the calendar has answered all questions
 *                └▶ LATE ─▶ DONE           the caller must be told something now; what was asked
 *                                          goes on, and ANSWERED still comes, for `late =`
 *   TAKEN: the holds of a DONE or ASK could not be had, somebody was quicker: choose again.
 *
 * Every result is an object that always has "success" and "say", one sentence or two in the tenant's
 * language that can be spoken as they are. What goes wrong on the caller's side (no such day, an
 * unknown service) is a result, too; only what an operator must mend is DESK_FAIL.
 * The shapes of inputs and results: sdk/operations/desk.md.
 */
#ifndef DESK_DESK_H
#define DESK_DESK_H

#include "base/plugin_info.h"
#include "config/config.h"
#include "store/store.h"

struct desk;
struct json;

/* The connection "desk" as the configuration and `klinke plugin info desk` see it. */
extern const struct plugin_info desk_info;

/* Keeps the reader; reads the catalogue with desk_refresh(), also after it has changed. */
struct desk *desk_create(struct error *error, struct store_reader *reader);
int desk_refresh(struct error *error, struct desk *desk);
void desk_destroy(struct desk *desk); /* takes NULL */

/* Is this an event type of the office's services? A calendar of the agency tells the bookings of
 * all its offices; what is not served here is another's. */
bool desk_serves(const struct desk *desk, struct str tenant, struct str event_type);

/* The tables service, branch of the configuration as rows of origin INI, in the arena. */
void desk_catalogue(struct arena *arena, const struct config *config, struct catalogue *out);

enum desk_end {
	DESK_OPEN,    /* not ended yet */
	DESK_OK,      /* result */
	DESK_REFUSED, /* it did not happen and will not: fail, code, reason, detail */
	DESK_FAILED,  /* no answer, but nothing happened there; it may be tried again by itself, unless
			 fail is "store": it could not be stored, and nobody will try it */
	DESK_UNKNOWN  /* it may have happened; the host finds out */
};

struct desk_ask { /* one operation of a connection */
	struct str connection, op; /* full name: "praxis-winter/calendar", "book" */
	struct str input;          /* JSON object, as sdk/operations says */
	struct str dedupe;         /* asked once for ever under this key, which begins with the
				      tenant's name; empty: a shared read. If the same is being
				      asked already, its answer is shared */
	const struct hold_row *holds; /* of state BOOKING, kept until it has ended; job is filled by
					 the host. Not to be had: why = TAKEN, nothing is asked */
	size_t hold_count;
	const struct appointment_expect *expect; /* NULL; changed: ended as REFUSED, "changed" */

	enum desk_end end; /* filled by the host, as all below */
	struct str result; /* JSON */
	struct str fail;   /* class, "conflict"; or "store" */
	struct str code;   /* the calendar's contract, "slot_taken"; may be empty */
	struct str reason; /* for a person; not to be said to a caller */
	struct str detail; /* JSON or empty */
};

enum desk_why { DESK_START = 1, DESK_ANSWERED, DESK_TAKEN, DESK_LATE };

struct desk_run { /* one operation for one caller; lives as long as its arena */
	/* The host's: */
	struct desk *desk;
	struct arena *arena;
	const struct config *config;
	const struct config_tenant *tenant;
	const struct config_desk *settings; /* NULL: the tenant has none, DESK_FAIL says so */
	struct str op;
	const struct json *input; /* arguments, as the step's in = and arguments made them */
	const struct json *data;  /* the event's; NULL: called by a person */
	struct str holder;        /* "call:ID", or "run:ID" */
	struct str caller;        /* E.164 of who is calling, from the envelope; empty: withheld */
	int64_t now_ms;           /* frozen for the run */
	const struct hold_row *coming; /* of others, on their way to the store: not in the reader
					  yet, and likely to be there when ours come */
	size_t coming_count;
	enum desk_why why;
	uint32_t taken;           /* how often TAKEN came: give up at some point */
	struct desk_ask *asks;    /* those of the last ASK */
	size_t ask_count;
	/* The operation's: */
	void *state; /* kept between steps */
};

enum desk_then { DESK_DONE = 1, DESK_ASK, DESK_FAIL };

struct desk_event { /* something that happened, for pipelines */
	struct str type; /* of desk_info.events */
	struct str data; /* JSON */
	struct str dedupe;
};

struct desk_next {
	enum desk_then then;
	struct str result; /* DONE: JSON object with "success" and "say" */
	const struct hold_row *holds; /* DONE: of state OFFERED, to be kept with it */
	size_t hold_count;
	const struct desk_event *events; /* DONE */
	size_t event_count;
	const struct catalogue *catalogue; /* DONE: rows of origin PERSON to be stored */
	struct desk_ask *asks; /* ASK */
	size_t ask_count;
	const struct desk_ask *refresh; /* DONE: reads nobody waits for (what is stale) */
	size_t refresh_count;
	struct str reason; /* FAIL: for the operator */
};

/* Never fails but for memory (the arena's). */
void desk_step(struct desk_run *run, struct desk_next *next);

/* The reads that keep a tenant's mirror fresh, those that are older than half of `fresh`; for the
 * schedule. None of a tenant without [desk]. */
size_t desk_stale(struct desk *desk, struct arena *arena, const struct config *config,
	const struct config_tenant *tenant, int64_t now_ms, struct desk_ask **asks);

#endif
