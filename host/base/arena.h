/* arena.h - memory of one call, request or run, freed all at once.
 *
 * An arena never gives back single pieces. When it is full, or the system has
 * no memory, it remembers that it failed and answers NULL from then on; the
 * owner asks arena_failed() once at the end instead of after every call.
 * Not shared between threads. Built with -DARENA_EMU each piece is a malloc of
 * its own, so that ASan sees a byte too many.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct arena;

/* max_bytes: the most it ever hands out; the slack of its chunks comes on top, at most as much
 * again. NULL: no memory. A NULL arena behaves like one that has failed. */
struct arena *arena_create(size_t max_bytes);
void arena_destroy(struct arena *arena); /* takes NULL */
void arena_reset(struct arena *arena);   /* empty again; keeps up to 64 KiB */
void arena_keep(struct arena *arena, size_t most); /* from now on a reset keeps that much instead */

void *arena_alloc(struct arena *arena, size_t n); /* zeroed, aligned for anything */
void *arena_take(struct arena *arena, size_t n);  /* the same, not zeroed */
char *arena_strndup(struct arena *arena, const char *text, size_t len); /* adds a NUL */
char *arena_printf(struct arena *arena, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

bool arena_failed(const struct arena *arena);
/* It failed since the system has no memory now, not by its maximum: later it may work. */
bool arena_starved(const struct arena *arena);
void arena_fail_starved(struct arena *arena); /* as if that had happened */
void arena_fail(struct arena *arena); /* as if memory had run out */
size_t arena_used(const struct arena *arena);

/* For tests: fail the nth allocation from now (1 is the next), 0 stops that. */
void arena_starve(struct arena *arena, unsigned nth);

/* For tests: from now on each piece has pages of its own and ends where one begins that faults when
 * it is touched. What alignment leaves between is filled with this byte. */
void arena_fence(struct arena *arena, unsigned char filling);
bool arena_overrun(const struct arena *arena); /* was a filling written over? */

#endif
