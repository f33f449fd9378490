/* offer.h - which free times are said to a caller, and kept for the call.
 *
 * The exactly wished one first, then the nearest to the wish within what the caller allows, then by
 * the habits of a known caller; never two that overlap. All that is said is held.
 */
#ifndef DESK_OFFER_H
#define DESK_OFFER_H

#include "desk/mirror.h"

struct json;

struct offer { /* input of offer_times */
	const struct question *question;
	const struct wish *wish; /* NULL: the question's */
	struct str lead;         /* the sentence before the times: why there must be others */
	bool success;            /* of the result */
	bool plain;              /* times are told without the members of check_availability */
	const int64_t *without;  /* starts known not to be free, whatever the mirror says */
	size_t without_count;
	struct json *result; /* members to begin with; NULL: none */
};

/* next = DONE: result and say with the times there are (none: the sentence says so), and their
 * holds. Only from days that are fresh, so what is said is true; nothing is asked. */
void offer_times(struct desk_run *run, struct desk_next *next, const struct offer *offer);

/* Chosen slots for a wish, at most `limit`. *within: they are what the caller allows (else the
 * nearest outside). Not those in `without`. */
size_t offer_choose(struct desk_run *run, const struct question *question, const struct wish *wish,
	const struct mirror *mirror, const int64_t *without, size_t without_count, size_t limit,
	const struct mirror_slot ***chosen, bool *within);


#endif
