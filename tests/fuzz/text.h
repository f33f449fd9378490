/* text.h - what targets ask of a text. */
#ifndef FUZZ_TEXT_H
#define FUZZ_TEXT_H

#include <string.h>

#include "base/str.h"

/* The first line, which rest then begins behind. */
static inline struct str line_of(struct str *rest)
{
	const char *stop = rest->len ? memchr(rest->ptr, '\n', rest->len) : NULL;
	struct str line = {rest->ptr, stop ? (size_t)(stop - rest->ptr) : rest->len};

	rest->ptr += line.len + (stop != NULL);
	rest->len -= line.len + (stop != NULL);
	return line;
}

static inline bool has(struct str text, const char *word)
{
	return text.len && memmem(text.ptr, text.len, word, strlen(word));
}

#endif
