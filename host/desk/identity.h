/* identity.h - whose appointments a caller may hear of, move or cancel.
 *
 * What proves it is the tenant's policy (identity =):
 *   number     the number the call comes from, as the telephone network tells it (desk_run.caller);
 *              never a number that was said or sent as an argument
 *   name-date  a name that sounds the same, together with the day of the appointment; exactly one
 *              appointment of the office must fit
 * Else a sentence asks for what is missing; after that the office calls back. Nothing is guessed: a
 * number that has several appointments (a family) is asked which one. Nobody hears of appointments
 * that are not proved to be theirs, not even that there are some.
 *
 * The store may not know appointments made before the host was there; the calendar does. So the use
 * is: identity_read(), ASK what identity_asks() gives (LATE does without), identity_answered(),
 * then identity_say() and identity_one() or, for all of them, identity.rows. One thread: the
 * runner's.
 */
#ifndef DESK_IDENTITY_H
#define DESK_IDENTITY_H

#include "desk/question.h"

struct json;

struct identity_words { /* what was said about the appointment that exists; each may be empty */
	struct str uid;
	struct str date, time, words;
	int64_t start_ms; /* its start as an instant; -1: none */
};

struct identity {
	const struct question *question;
	struct identity_words said;
	struct wish *which; /* of said; never NULL */
	/* Standing appointments to come that belong to the caller's number, by start; none if the
	 * number proves nothing here. Those only the calendar knows have changed_ms 0. */
	struct appointment_row *rows;
	size_t count;
	bool unread;     /* the store could not be read: rows may be missing */
	bool incomplete; /* a calendar was asked and has not answered: likewise */
};

enum identity_end {
	IDENTITY_ONE,     /* *row */
	IDENTITY_ASK,     /* *sentence asks; if it asks whether it is this one, *row is it */
	IDENTITY_NO_PROOF /* identity_callback() */
};

/* Does the number that calls prove anything? */
bool identity_by_number(const struct desk_run *run);

void identity_read(
	struct desk_run *run, const struct question *question, struct identity *identity);
void identity_say(
	struct desk_run *run, struct identity *identity, const struct identity_words *said);

/* How many rows fit what was said; said: that was anything at all. */
size_t identity_fits(struct desk_run *run, const struct identity *identity, bool *said);

/* "find_booking" of the tenant's calendars by the caller's number; 0: it proves nothing. */
size_t identity_asks(struct desk_run *run, struct desk_ask **asks);

/* Takes what run->asks have answered so far into identity->rows. */
void identity_answered(struct desk_run *run, struct identity *identity);

enum identity_end identity_one(struct desk_run *run, const struct identity *identity,
	struct appointment_row *row, struct str *sentence);

/* next = DONE: the office calls back (event callback.requested), or asks for the number if none is
 * known. about: what the caller wanted, for the office. */
void identity_callback(struct desk_run *run, struct desk_next *next,
	const struct question *question, struct str about);

/* "Donnerstag, den 26. November um 16:30 Uhr, Prophylaxe bei Dr. Petersen" */
struct str identity_label(
	struct desk_run *run, const struct question *question, const struct appointment_row *row);
/* The same of several, joined with "or" or "and"; not more than a listener keeps in mind. */
struct str identity_labels(struct desk_run *run, const struct question *question,
	const struct appointment_row *rows, size_t count, bool alternatives);

/* It is requested or booked. */
bool identity_stands(const struct appointment_row *row);

/* What it was moved to, as far as that is known; NULL: it was not moved. */
const struct appointment_row *identity_successor(
	struct desk_run *run, const struct appointment_row *row);
bool identity_moved(struct desk_run *run, const struct appointment_row *row);

/* The office's service it is of, and with whom if that is somebody's own event type; NULL: none. */
const struct office_service *identity_service(const struct desk_run *run,
	const struct appointment_row *row, const struct office_staff **staff);

/* Members uid, start, end, status, when, service, staff of a result. */
void identity_put(struct desk_run *run, const struct question *question, struct json *out,
	const struct appointment_row *row);

/* As the store has it now, NULL: it does not know it. around_ms: its start, when last seen. */
const struct appointment_row *identity_row(
	struct desk_run *run, struct str connection, struct str uid, int64_t around_ms);

/* A booking of a calendar's result as a row; false: it has no uid or start. */
bool identity_booking(struct desk_run *run, struct str connection, const struct json *booking,
	struct appointment_row *row);

#endif
