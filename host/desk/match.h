/* match.h - the desk's operation desk.match: which of these free slots does the caller mean?
 *
 * In:  {"phrase":"…", "now":"2025-06-17T10:00:00+02:00", "timezone":"Europe/Berlin",
 *       "language":"de"|"en", "length_min":30, "slots":["2025-06-17T07:00:00+02:00",…],
 *       "state":"BY", "settings":{"early":"06:00-10:00", "forenoon":…, "noon":…,
 *       "afternoon":…, "early_afternoon":…, "late_afternoon":…, "evening":…, "about_min":30}}
 *      timezone (Europe/Berlin), language (de), length_min (0: unknown), state (nationwide
 *      holidays) and settings may be missing; now without an offset is read in the timezone, as
 *      are slots.
 * Out: {"matched":[the slots as given, in their order], "constraints":{…see wish.h},
 *       "ambiguous":false, "say":"…"}
 *      or {"error":"a sentence naming the member"}.
 * Pure: no configuration, no clock, no state. Safe from any thread.
 */
#ifndef DESK_MATCH_H
#define DESK_MATCH_H

#include "base/str.h"

struct arena;
struct json;

struct json *desk_match(struct arena *arena, const struct json *in); /* NULL: no memory */

/* The same for a line of text; *ok: it was no error. */
struct str desk_match_line(struct arena *arena, struct str line, bool *ok);

#endif
