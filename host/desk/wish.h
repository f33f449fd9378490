/* wish.h - what a caller says ("donnerstags zwischen 16 und 19 Uhr, aber nicht am Feiertag"),
 * resolved against a clock that stands still for the call, so that free slots can be asked.
 *
 * A wish lives in the arena it was read into; the context and the phrase may go after
 * wish_read, but not its zone. Pure: same input, same answer. Safe from any thread.
 *
 * A wish is a set of alternatives (days and times of day each) less a set of exclusions. What was
 * not understood restricts nothing and is reported in the constraints. A slot that begins before
 * now matches no wish that restricts anything. Times of day are those of the zone's wall clock.
 */
#ifndef DESK_WISH_H
#define DESK_WISH_H

#include "base/clock.h"

struct arena;
struct json;
struct wish;

enum wish_language { WISH_DE, WISH_EN };

/* Parts of the day; their ranges are a tenant's convention. A range bounds begin and end. */
enum wish_part {
	WISH_EARLY,	    /* früh, morgens; early */
	WISH_FORENOON,	    /* vormittags; morning */
	WISH_NOON,	    /* mittags; lunchtime */
	WISH_AFTERNOON,	    /* nachmittags */
	WISH_AFTERNOON_1ST, /* früher Nachmittag */
	WISH_AFTERNOON_2ND, /* später Nachmittag */
	WISH_EVENING,	    /* abends */
	WISH_PARTS
};

struct wish_settings {
	struct wish_range {
		int16_t from, to; /* minutes since midnight, 0 <= from < to <= 1440 */
	} part[WISH_PARTS];
	int16_t about; /* minutes that "gegen" allows to either side */
};

void wish_defaults(struct wish_settings *settings);

struct wish_context {
	int64_t now_ms; /* the call's, frozen: not the clock's */
	const struct zone *zone;
	enum wish_language language;
	const char *state; /* "BY", "BE", …: whose public holidays; NULL or "": nationwide ones */
	const struct wish_settings *settings; /* NULL: wish_defaults */
	int64_t length_ms; /* of the appointment: "bis 12 Uhr" is about its end; 0: unknown */
};

/* Any bytes are fine; only the first WISH_PHRASE of them are read. NULL: no memory. */
#define WISH_PHRASE 16384
struct wish *wish_read(
	struct arena *arena, const struct wish_context *context, struct str phrase);

/* The same from what agents send apart ("2026-11-26", "26.11.", "morgen"; "16:00", "halb fünf";
 * free words). Each may be nothing. Day and time of the first two belong together. */
struct wish *wish_read_fields(struct arena *arena, const struct wish_context *context,
	struct str date, struct str time, struct str words);

bool wish_allows(const struct wish *wish, int64_t start_ms);

/* How far off, in ms, days count 24 h: orders the allowed ones (nearest to "gegen 16 Uhr", soonest
 * for "so früh wie möglich") and those that are not. 0: exactly as wished. */
int64_t wish_distance(const struct wish *wish, int64_t start_ms);

/* It names exactly one instant ("Donnerstag um 16 Uhr"), which exists and is to come. */
bool wish_exact(const struct wish *wish, int64_t *start_ms);

/* The days it speaks of: local midnights, to_ms exclusive, from_ms not before today. False: open
 * at the end, or none is left. */
bool wish_days(const struct wish *wish, int64_t *from_ms, int64_t *to_ms);

bool wish_restricts(const struct wish *wish); /* false: nothing said, nothing understood, "egal" */

/* It names a date or time that is none, or is over: "31. Juni", "25 Uhr", 2:30 in the gap of
 * spring, "2023-06-13". Such a part matches no slot. */
enum wish_fault { WISH_SOUND, WISH_NO_SUCH_DATE, WISH_NO_SUCH_TIME, WISH_IN_GAP, WISH_PAST };
/* *meant_ms: what was meant, most likely (the month's last day; the instant behind the gap; the
 * coming such day; midnight of a day if no time was named); -1: no idea. May be NULL. */
enum wish_fault wish_fault(const struct wish *wish, int64_t *meant_ms);

/* People differ about it ("nächsten Donnerstag" said on a Monday). It matches as the first of the
 * two readings in its constraints. */
bool wish_ambiguous(const struct wish *wish);

/* What was understood: {"any":[{…}],"none":[{…}],"order":"earliest","fault":{…},
 * "readings":[{"any":…,"none":…,"say":"…"},{…}],"not_understood":["…"]}; a member that says
 * nothing is left out. See README.md of the room. */
struct json *wish_constraints(struct arena *arena, const struct wish *wish);

/* To be spoken, in the context's language: "Donnerstag, den 19. Juni zwischen 16 und 19 Uhr"; with
 * a fault the sentence that tells it; "" if nothing was understood. */
struct str wish_say(struct arena *arena, const struct wish *wish);

#endif
