/* arena.c - bump allocation in chunks that grow.
 *
 * Never gives back single pieces and never frees what somebody else allocated. Runs on whichever
 * thread owns the arena, and only there.
 */
#include "base/arena.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIGN _Alignof(max_align_t)
#define FIRST_CHUNK ((size_t)4096)
#define KEPT_CHUNK ((size_t)64 * 1024) /* the most that a reset arena keeps */
#define LAST_CHUNK ((size_t)256 * 1024) /* beyond this, chunks stop doubling */

struct chunk {
	struct chunk *next;
	size_t size;
	_Alignas(max_align_t) char bytes[];
};

struct arena {
	struct chunk *newest;
	size_t filled; /* of the newest chunk */
	size_t used, max;
	unsigned starve;
	bool failed;
};

struct arena *arena_create(size_t max_bytes)
{
	struct arena *arena = calloc(1, sizeof(*arena));

	if (arena)
		arena->max = max_bytes;
	return arena;
}

static void free_chunks(struct chunk *chunk)
{
	while (chunk) {
		struct chunk *next = chunk->next;
		free(chunk);
		chunk = next;
	}
}

void arena_destroy(struct arena *arena)
{
	if (!arena)
		return;
	free_chunks(arena->newest);
	free(arena);
}

static void *fail(struct arena *arena)
{
	arena->failed = true;
	return NULL;
}

void arena_fail(struct arena *arena)
{
	fail(arena);
}

static bool starved(struct arena *arena)
{
	return arena->starve && --arena->starve == 0;
}

static struct chunk *add_chunk(struct arena *arena, size_t size)
{
	struct chunk *chunk = malloc(sizeof(*chunk) + size);

	if (!chunk)
		return NULL;
	chunk->size = size;
	chunk->next = arena->newest;
	arena->newest = chunk;
	arena->filled = 0;
	return chunk;
}

#ifdef ARENA_EMU /* a malloc for each piece, exactly as long as asked for */

void arena_reset(struct arena *arena)
{
	free_chunks(arena->newest);
	arena->newest = NULL;
	arena->used = 0;
	arena->failed = false;
}

static char *carve(struct arena *arena, size_t n, size_t rounded)
{
	struct chunk *chunk = add_chunk(arena, n);

	(void)rounded;
	return chunk ? chunk->bytes : NULL;
}

#else

/* The biggest chunk that is not too big stays: an arena that is used again for the same kind of work
 * soon needs no malloc at all. */
void arena_reset(struct arena *arena)
{
	struct chunk *chunk = arena->newest, *kept = NULL;

	while (chunk) {
		struct chunk *next = chunk->next, *out = chunk;
		if (chunk->size <= KEPT_CHUNK && (!kept || chunk->size > kept->size)) {
			out = kept;
			kept = chunk;
		}
		free(out);
		chunk = next;
	}
	if (kept)
		kept->next = NULL;
	arena->newest = kept;
	arena->filled = arena->used = 0;
	arena->failed = false;
}

static char *carve(struct arena *arena, size_t n, size_t rounded)
{
	size_t size = FIRST_CHUNK;
	char *piece;

	(void)n;
	if (!arena->newest || arena->newest->size - arena->filled < rounded) {
		if (arena->newest && arena->newest->size < LAST_CHUNK)
			size = 2 * arena->newest->size;
		else if (arena->newest)
			size = LAST_CHUNK;
		if (!add_chunk(arena, size < rounded ? rounded : size))
			return NULL;
	}
	piece = arena->newest->bytes + arena->filled;
	arena->filled += rounded;
	return piece;
}

#endif

void *arena_take(struct arena *arena, size_t n)
{
	size_t rounded = (n + ALIGN - 1) & ~(ALIGN - 1);
	char *piece;

	if (!arena || arena->failed)
		return NULL;
	if (starved(arena) || n > SIZE_MAX / 4 || rounded > arena->max - arena->used)
		return fail(arena);
	if (!rounded)
		rounded = ALIGN < arena->max - arena->used ? ALIGN : 0;
	piece = carve(arena, n, rounded);
	if (!piece)
		return fail(arena);
	arena->used += rounded;
	return piece;
}

void *arena_alloc(struct arena *arena, size_t n)
{
	void *piece = arena_take(arena, n);

	return piece ? memset(piece, 0, n) : NULL;
}

char *arena_strndup(struct arena *arena, const char *text, size_t len)
{
	char *copy = len < SIZE_MAX ? arena_take(arena, len + 1) : NULL;

	if (!copy)
		return NULL;
	if (len)
		memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

/* Most texts are short: they are formatted once, on the stack. */
char *arena_printf(struct arena *arena, const char *format, ...)
{
	char brief[256], *text;
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(brief, sizeof(brief), format, args);
	va_end(args);
	assert(len >= 0);
	text = arena_take(arena, (size_t)len + 1);
	if (!text)
		return NULL;
	if ((size_t)len < sizeof(brief)) {
		memcpy(text, brief, (size_t)len + 1);
		return text;
	}
	va_start(args, format);
	vsnprintf(text, (size_t)len + 1, format, args);
	va_end(args);
	return text;
}

bool arena_failed(const struct arena *arena)
{
	return !arena || arena->failed;
}

size_t arena_used(const struct arena *arena)
{
	return arena ? arena->used : 0;
}

void arena_starve(struct arena *arena, unsigned nth)
{
	arena->starve = nth;
}
