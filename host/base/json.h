/* json.h - JSON as an immutable tree in an arena. One tree for the host, the plugins' value
 * tree (plugin.h kl_val is this struct) and the wire.
 *
 * Parsing takes the whole input or nothing: UTF-8 only, keys case-sensitive, no NUL inside
 * text, depth at most 64, a repeated key is an error. Numbers keep the digits received.
 * Readers accept NULL and answer "nothing".
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/str.h"

struct arena;
struct error;
struct json;

enum json_type { /* same numbers as enum kl_type */
	JSON_NONE,
	JSON_NULL,
	JSON_BOOL,
	JSON_NUMBER,
	JSON_TEXT,
	JSON_ARRAY,
	JSON_OBJECT
};

/* NULL on error; the error's place is "line:column", from 1, columns in characters. Not JSON is
 * E_INVALID; E_NOMEM: no memory, or the arena's maximum. */
struct json *json_parse(struct arena *arena, struct str text, struct error *error);
struct str json_print(struct arena *arena, const struct json *value); /* compact */
struct str json_print_pretty(struct arena *arena, const struct json *value);

enum json_type json_type(const struct json *value);
size_t json_count(const struct json *value);
const struct json *json_at(const struct json *value, size_t i, struct str *key_or_null);
const struct json *json_get(const struct json *object, const char *key);
/* "a.b.0.c", or a JSON Pointer if it begins with a slash; "" is value itself. */
const struct json *json_find(const struct json *value, const char *path);
struct str json_text(const struct json *value); /* text; digits; "true"; else nothing */
struct str json_get_text(const struct json *object, const char *key);
/* As clock_parse() reads it; 0: none. */
int64_t json_get_instant(const struct json *object, const char *key);
int64_t json_i64(const struct json *value, int64_t otherwise); /* only digits: 1.0, 1e3 are otherwise */
double json_f64(const struct json *value, double otherwise);
bool json_bool(const struct json *value, bool otherwise);
bool json_equal(const struct json *a, const struct json *b); /* order of keys does not count */

/* Building: a NULL container or value makes a call do nothing. A value is frozen once
 * another one contains it; changing it then, or nesting deeper than 64, fails the arena.
 * json_set replaces an existing key. Text is copied; bytes that are not UTF-8, and NULs,
 * become U+FFFD. A number that is not finite becomes null. */
struct json *json_object(struct arena *arena);
struct json *json_array(struct arena *arena);
void json_set(struct arena *arena, struct json *object, struct str key, const struct json *value);
void json_push(struct arena *arena, struct json *array, const struct json *value);
const struct json *json_of_text(struct arena *arena, struct str text);
const struct json *json_of_number(struct arena *arena, struct str digits); /* NULL: no number */
const struct json *json_of_i64(struct arena *arena, int64_t n);
const struct json *json_of_f64(struct arena *arena, double d);
const struct json *json_of_bool(struct arena *arena, bool yes);
const struct json *json_of_null(struct arena *arena);
/* Shorthands for the commonest. */
void json_put_text(struct arena *arena, struct json *object, const char *key, struct str text);
void json_put_i64(struct arena *arena, struct json *object, const char *key, int64_t n);
void json_put_bool(struct arena *arena, struct json *object, const char *key, bool yes);
void json_put(struct arena *arena, struct json *object, const char *key, const struct json *value);

#endif
