/* say.h - every sentence that a caller hears, in German and English.
 *
 * Sentences are lines of say_table.h, with {1} to {4} for what differs. None of them says
 * "booked" but those that a calendar's answer leads to. Pure; safe from any thread.
 */
#ifndef DESK_SAY_H
#define DESK_SAY_H

#include "base/clock.h"
#include "base/str.h"

struct arena;
struct desk_run;
struct desk_next;
struct json;

enum say_language { SAY_DE, SAY_EN };

enum say_id {
#define SAY_LINE(id, de, en) SAY_##id,
#include "desk/say_table.h"
#undef SAY_LINE
	SAY_COUNT
};

struct str say(struct arena *arena, enum say_language language, enum say_id id,
	const struct str *args, size_t count);
/* SAY(run, TIME_GONE, when): in the language of the run's tenant. */
#define SAY(run, id, ...)                                                                          \
	say((run)->arena, say_language(run), SAY_##id, (const struct str[]){__VA_ARGS__},          \
		sizeof((const struct str[]){__VA_ARGS__}) / sizeof(struct str))
#define SAY0(run, id) say((run)->arena, say_language(run), SAY_##id, NULL, 0)
enum say_language say_language(const struct desk_run *run);

/* "Donnerstag, den 19. Juni um 16:30 Uhr"; "heute, Dienstag, den 17. Juni um 16:30 Uhr", likewise
 * "morgen,"; with the year from half a year on. "Thursday, 19 June at 4:30 pm". */
struct str say_when(struct arena *arena, enum say_language language, const struct zone *zone,
	int64_t ms, int64_t now_ms);
/* The same without a time. */
struct str say_day(struct arena *arena, enum say_language language, const struct zone *zone,
	int64_t ms, int64_t now_ms);
/* Which day it is: "Dienstag, der 17. Juni 2025"; "Tuesday, 17 June 2025". */
struct str say_today(
	struct arena *arena, enum say_language language, const struct zone *zone, int64_t now_ms);
/* "09:00 Uhr"; "9:00 am". */
struct str say_clock(
	struct arena *arena, enum say_language language, const struct zone *zone, int64_t ms);
/* "a, b oder c"; with "und": "a, b und c". Empty ones are left out. */
struct str say_or(
	struct arena *arena, enum say_language language, const struct str *list, size_t count);
struct str say_and(
	struct arena *arena, enum say_language language, const struct str *list, size_t count);
/* "59,50 Euro"; "45 Minuten". */
struct str say_price(
	struct arena *arena, enum say_language language, int64_t minor, struct str currency);
struct str say_minutes(struct arena *arena, enum say_language language, int64_t minutes);
/* Two sentences with a space between, either may be empty. */
struct str say_then(struct arena *arena, struct str first, struct str second);

/* With a capital letter in front, to begin a sentence. */
struct str say_capital(struct arena *arena, struct str text);

/* next = DONE with result (NULL: a new object), "success" and "say" set. */
void say_done(struct desk_run *run, struct desk_next *next, struct json *result, bool success,
	struct str sentence);

#endif
