/* question.h - what a caller asks for, out of what an agent's model filled in.
 *
 * Read from the step's input, then the event's arguments, then (only the predecessor's names) the
 * variables of the call. Nothing of it is believed without a look: members of the wrong type are
 * taken as text or passed over, placeholders ("caller_number", "None") are no values, and who is
 * calling comes from desk_run.caller alone. Everything lives in the run's arena, also over steps.
 */
#ifndef DESK_QUESTION_H
#define DESK_QUESTION_H

#include "desk/catalogue.h"
#include "desk/desk.h"
#include "desk/say.h"
#include "desk/wish.h"

enum question_fault {
	QUESTION_SOUND,
	QUESTION_NO_SERVICES,     /* the office offers none: nothing is configured */
	QUESTION_UNKNOWN_SERVICE, /* it was named, and is none of ours; service is NULL */
	QUESTION_UNKNOWN_STAFF    /* likewise; staff is NULL */
};

struct question {
	enum say_language language;
	const struct zone *zone;
	const struct office *office;        /* until the run's step ends; NULL: nothing is known */
	const struct office_branch *branch; /* a copy; NULL: none */
	const char *state;                  /* federal state, the branch's or the desk's; "" */

	enum question_fault fault;
	struct office_service *service;   /* as in the branch; NULL: see fault */
	const struct office_staff *staff; /* wished for; NULL: anybody */
	struct str service_said, staff_said;

	/* The wish, verbatim and as understood (never NULL). start_ms: a slot as it was offered;
	 * then the wish is that instant. -1: none. slot_bad: there was one, and it is no instant.
	 */
	struct str date, time, words;
	struct wish *wish;
	/* A day or time and, beside it, what the caller likes in general ("donnerstags 16 bis 19
	 * Uhr"): then the two alone, since something else may be offered within the second. NULL.
	 */
	struct wish *asked, *preference;
	int64_t start_ms;
	bool slot_bad;
	bool check; /* false: "check_availability" says no */

	struct str name, email, reason;
	struct str phone;        /* said; E.164 or empty. Where to call back, never who it is */
	struct str caller_phone; /* said, else the caller's; empty: none */
};

/* NULL: no memory. The operation returns at once, desk_step says so. */
struct question *question_read(struct desk_run *run);

/* A text that the agent sent under one of these names (NULL at the end): input, then args. Trimmed;
 * empty: none, or a placeholder. For members that only one operation knows ("new_date"). */
struct str question_text(const struct desk_run *run, const char *const *names);

/* A wish out of other members, for changes: a new time beside the old one. Never NULL once the
 * question is read. */
struct wish *question_wish(const struct desk_run *run, const struct question *question,
	struct str date, struct str time, struct str words);

/* An instant as we offered it, "2026-11-26T16:30:00+01:00". */
bool question_instant(const struct question *question, struct str text, int64_t *ms);

/* The kind sentence for fault, or for what the wish's fault is; empty: it is sound. */
struct str question_complaint(const struct desk_run *run, const struct question *question);

/* Lower case, umlauts spelled out (ä is ae), everything else one space: to compare what is said. */
struct str question_fold(struct arena *arena, struct str text);

#endif
