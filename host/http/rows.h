/* rows.h - stored rows as JSON, one shape for the command line, the API and the pages.
 *
 * Ids are 36 characters, times RFC 3339 in UTC, states words. The objects live in the arena.
 */
#ifndef HTTP_ROWS_H
#define HTTP_ROWS_H

#include "store/store.h"

struct json;

struct json *rows_inbox(struct arena *arena, const struct inbox_row *row, bool with_body);
struct json *rows_event(struct arena *arena, const struct event_row *row);
struct json *rows_job(struct arena *arena, const struct job_row *row);
struct json *rows_call(struct arena *arena, const struct call_row *row);
struct json *rows_appointment(struct arena *arena, const struct appointment_row *row);
/* largest: bytes of data; beyond, large members are left out and "shortened" says so. */
struct json *rows_live(struct arena *arena, const struct live_row *row, size_t largest);
/* exact: also what it takes to play it again ("more" of attempts, "query"), and bodies as the bytes
 * they are: a text, or {"base64"}. Else bodies are JSON where they can be. */
struct json *rows_story(struct arena *arena, const struct story *story, bool exact);

/* Bit mask of words like "parked,dead"; 0: one of them is no such state. */
uint32_t rows_job_states(struct str words);
uint32_t rows_inbox_states(struct str words);
const char *rows_job_state(enum job_state state);

#endif
