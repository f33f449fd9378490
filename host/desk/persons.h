/* persons.h - whom a piece of JSON tells of: numbers and addresses, so that the store can seal a
 * row under the keys of all of them. Only what the contracts of events and operations call a
 * person's (sdk/events, sdk/operations), never a number somewhere in a text. Any thread.
 */
#ifndef DESK_PERSONS_H
#define DESK_PERSONS_H

#include <stdbool.h>
#include "base/str.h"

struct arena;
struct json;

/* Each once, blanks between: those of the list `known`, then those in data (NULL: none), without
 * `first`. Empty: nobody. */
struct str persons_in(
	struct arena *arena, struct str first, struct str known, const struct json *data);
/* One and a list, or two lists; what is in both is there once. */
struct str persons_join(struct arena *arena, struct str a, struct str b);

#endif
