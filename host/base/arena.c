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
#include <sys/mman.h>
#include <unistd.h>

#define ALIGN _Alignof(max_align_t)
#define FIRST_CHUNK ((size_t)4096)
#define KEPT_CHUNK ((size_t)64 * 1024)  /* the most that a reset arena keeps, unless told */
#define LAST_CHUNK ((size_t)256 * 1024) /* beyond this, chunks stop doubling */

struct chunk {
	struct chunk *next;
	size_t size;
	char *fence;   /* NULL, or where the page begins that faults */
	size_t mapped; /* bytes in front of it */
	_Alignas(max_align_t) char bytes[];
};

struct arena {
	struct chunk *newest;
	size_t filled; /* of the newest chunk */
	size_t used, max;
	size_t kept; /* the most that stays when it is reset */
	unsigned starve;
	bool failed, starved, fenced;
	unsigned char filling; /* behind a fenced piece, up to its alignment */
};

struct arena *arena_create(size_t max_bytes)
{
	struct arena *arena = calloc(1, sizeof(*arena));

	if (arena)
		*arena = (struct arena){.max = max_bytes, .kept = KEPT_CHUNK};
	return arena;
}

void arena_keep(struct arena *arena, size_t most)
{
	if (arena)
		arena->kept = most;
}

static void free_chunk(struct chunk *chunk)
{
	if (chunk->fence)
		munmap(chunk, chunk->mapped + (size_t)getpagesize());
	else
		free(chunk);
}

static void free_chunks(struct chunk *chunk)
{
	while (chunk) {
		struct chunk *next = chunk->next;
		free_chunk(chunk);
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

void arena_fail_starved(struct arena *arena)
{
	arena->starved = true;
	fail(arena);
}

static bool is_due(struct arena *arena)
{
	return arena->starve && --arena->starve == 0;
}

static struct chunk *add_chunk(struct arena *arena, size_t size)
{
	struct chunk *chunk = malloc(sizeof(*chunk) + size);

	if (!chunk)
		return NULL;
	chunk->size = size;
	chunk->fence = NULL;
	chunk->next = arena->newest;
	arena->newest = chunk;
	arena->filled = 0;
	return chunk;
}

/* ---- fenced: each piece ends where a page begins that faults ------------------------------ */

static char *carve_fenced(struct arena *arena, size_t n, size_t rounded)
{
	size_t page = (size_t)getpagesize();
	size_t mapped = (sizeof(struct chunk) + rounded + page - 1) & ~(page - 1);
	struct chunk *chunk = mmap(NULL, mapped + page, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (chunk == MAP_FAILED)
		return NULL;
	chunk->fence = (char *)chunk + mapped;
	chunk->mapped = mapped;
	chunk->size = n;
	chunk->next = arena->newest;
	arena->newest = chunk;
	arena->filled = n; /* the next piece never fits behind it */
	if (mprotect(chunk->fence, page, PROT_NONE) != 0)
		return NULL;
	memset(chunk->fence - rounded + n, arena->filling, rounded - n);
	return chunk->fence - rounded;
}

void arena_fence(struct arena *arena, unsigned char filling)
{
	arena->fenced = true;
	arena->filling = filling;
}

static bool is_whole(const struct chunk *chunk, unsigned char filling)
{
	const char *p = chunk->fence - ((chunk->size + ALIGN - 1) & ~(ALIGN - 1)) + chunk->size;

	for (; p < chunk->fence; p++)
		if ((unsigned char)*p != filling)
			return false;
	return true;
}

bool arena_overrun(const struct arena *arena)
{
	const struct chunk *chunk;

	for (chunk = arena->newest; chunk; chunk = chunk->next)
		if (chunk->fence && chunk->size && !is_whole(chunk, arena->filling))
			return true;
	return false;
}

#ifdef ARENA_EMU /* a malloc for each piece, exactly as long as asked for */

void arena_reset(struct arena *arena)
{
	free_chunks(arena->newest);
	arena->newest = NULL;
	arena->used = 0;
	arena->failed = arena->starved = false;
}

static char *carve(struct arena *arena, size_t n, size_t rounded)
{
	struct chunk *chunk = add_chunk(arena, n);

	(void)rounded;
	return chunk ? chunk->bytes : NULL;
}

#else

/* The biggest chunk that is not too big stays: an arena that is used again for the same kind of
 * work soon needs no malloc at all. */
void arena_reset(struct arena *arena)
{
	struct chunk *chunk = arena->newest, *kept = NULL;

	while (chunk) {
		struct chunk *next = chunk->next, *out = chunk;
		if (!chunk->fence && chunk->size <= arena->kept &&
			(!kept || chunk->size > kept->size)) {
			out = kept;
			kept = chunk;
		}
		if (out)
			free_chunk(out);
		chunk = next;
	}
	if (kept)
		kept->next = NULL;
	arena->newest = kept;
	arena->filled = arena->used = 0;
	arena->failed = arena->starved = false;
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
	if (n > SIZE_MAX / 4 || rounded > arena->max - arena->used)
		return fail(arena);
	if (!rounded)
		rounded = ALIGN < arena->max - arena->used ? ALIGN : 0;
	if (is_due(arena))
		piece = NULL;
	else
		piece = arena->fenced ? carve_fenced(arena, n, rounded) : carve(arena, n, rounded);
	if (!piece) {
		arena_fail_starved(arena);
		return NULL;
	}
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

bool arena_starved(const struct arena *arena)
{
	return !arena || arena->starved;
}

size_t arena_used(const struct arena *arena)
{
	return arena ? arena->used : 0;
}

void arena_starve(struct arena *arena, unsigned nth)
{
	arena->starve = nth;
}
