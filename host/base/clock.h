/* clock.h - the two clocks, civil time in a zone, instants as text.
 *
 * Zones are read from the system's tzdata (TZDIR, /usr/share/zoneinfo), TZif version 1 to 3
 * with the footer rule, and cached. Safe from any thread.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/str.h"

struct arena;

int64_t clock_now_ms(void);  /* since 1970 UTC; may jump */
int64_t clock_mono_ms(void); /* never jumps; for durations and deadlines */
int64_t clock_mono_us(void);

struct civil {
	int year, month, day, hour, minute, second; /* month and day from 1 */
	int weekday;  /* 1 Monday .. 7 Sunday */
	int offset_s; /* east of UTC */
};

struct zone;
const struct zone *zone_find(const char *name); /* NULL: unknown; never freed */
const char *zone_name(const struct zone *zone);
struct civil zone_civil(const struct zone *zone, int64_t ms);
/* Number of instants that show this: 0 in a gap, 1, 2 in a fold, -1 no such date. *first_ms: the
 * earlier one; for a gap as far behind it as the time is inside it. */
int zone_instant(const struct zone *zone, const struct civil *civil, int64_t *first_ms);

/* RFC 3339/ISO 8601, also the basic form without - and :. Without offset: read in zone (in a gap or
 * fold as zone_instant says); zone NULL refuses. A date alone is its midnight. */
bool clock_parse(struct str text, const struct zone *zone, int64_t *ms);
/* "2026-11-26T16:15:00Z", in a zone "2026-11-26T17:15:00+01:00"; ".123" only if there are ms. */
struct str clock_print(struct arena *arena, int64_t ms, const struct zone *zone_or_null);
#define CLOCK_TEXT 32
size_t clock_write(char out[CLOCK_TEXT + 8], int64_t ms, const struct zone *zone_or_null);
void clock_utc(char out[CLOCK_TEXT], int64_t ms); /* "2026-11-26T16:15:00.123Z" */

#endif
