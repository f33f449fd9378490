/* memory.c - the loader's memory: two arenas, and one jump when either is empty.
 *
 * Never gives anything back: the arenas go as a whole. Runs on the thread that loads.
 */
#include "config/internal.h"

#include <stdarg.h>
#include <string.h>

static void *or_jump(struct loader *loader, void *piece)
{
	if (!piece)
		longjmp(loader->nomem, 1);
	return piece;
}

void *take(struct loader *loader, struct arena *arena, size_t n)
{
	return or_jump(loader, arena_alloc(arena, n));
}

char *take_text(struct loader *loader, struct str text)
{
	return or_jump(loader, arena_strndup(loader->arena, text.ptr, text.len));
}

char *take_printf(struct loader *loader, const char *format, ...)
{
	char piece[1024], *copy;
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(piece, sizeof(piece), format, args);
	va_end(args);
	if (len < (int)sizeof(piece))
		return take_text(loader, str_of(piece));
	copy = take(loader, loader->arena, (size_t)len + 1);
	va_start(args, format);
	vsnprintf(copy, (size_t)len + 1, format, args);
	va_end(args);
	return copy;
}

/* Room doubles whenever the count reaches a power of two. */
void *take_more(struct loader *loader, struct arena *arena, void *list, size_t count, size_t size)
{
	char *bigger;

	if (count & (count - 1))
		return list;
	bigger = take(loader, arena, (count ? 2 * count : 1) * size);
	if (count)
		memcpy(bigger, list, count * size);
	return bigger;
}
