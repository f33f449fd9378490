/* str.h - bytes with a length, and a buffer that grows up to a stated maximum. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

struct str { /* ptr NULL: nothing; len 0 with a ptr: empty text. Not owned */
	const char *ptr;
	size_t len;
};
#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})
#define STR_ARG(s) (int)(s).len, (s).ptr ? (s).ptr : "" /* for "%.*s" */

struct str str_of(const char *text); /* NULL: nothing */
bool str_eq(struct str a, struct str b);
bool str_is(struct str a, const char *text);
bool str_begins(struct str s, const char *with);
struct str str_dup(struct arena *arena, struct str s); /* NUL follows */
/* The pieces, one after another; NUL follows. ptr NULL: no memory. */
struct str str_cat(struct arena *arena, const struct str *pieces, size_t count);
bool str_utf8_ok(struct str s);
bool str_one_line(struct str s); /* tabs, no other control character: fit for a header of HTTP */
size_t str_utf8_span(struct str s); /* bytes in front that are well-formed */
size_t str_utf8_len(const char *text, size_t len); /* of the first character; 0: malformed */

/* The name that word was probably meant to be, NULL: none is near. names ends with NULL. */
const char *str_nearest(struct str word, const char *const *names);

struct buf { /* buf_init or {.max = N}; buf_finish frees */
	char *ptr;     /* NUL-terminated once something was added */
	size_t len, cap, max;
	bool failed;   /* no memory or more than max: everything since is lost */
};
void buf_init(struct buf *buf, size_t max);
void buf_finish(struct buf *buf);
void buf_reset(struct buf *buf); /* empty, memory kept, failed forgotten */
void buf_drop(struct buf *buf, size_t n); /* the first n bytes; the rest moves to the front */
void buf_add(struct buf *buf, const void *bytes, size_t n);
void buf_add_str(struct buf *buf, struct str s);
void buf_add_text(struct buf *buf, const char *text);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* How: hex, base64, base64url (no padding), percent. Results are in the arena; ptr NULL:
 * unknown way, invalid input or no memory. */
struct str str_encode(struct arena *arena, const char *how, struct str in);
struct str str_decode(struct arena *arena, const char *how, struct str in);
int str_hex(char digit); /* 0 to 15; -1: it is none */

#endif
