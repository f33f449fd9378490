/* json_tree.h - the inside of struct json, for json.c, json_parse.c and json_print.c only. */
#ifndef BASE_JSON_TREE_H
#define BASE_JSON_TREE_H

#include "base/json.h"

#define JSON_DEPTH 64 /* containers inside each other */

struct json_member {
	const char *key; /* NULL in an array */
	const struct json *value;
	uint32_t key_len;
};

struct json {
	uint8_t type;   /* enum json_type */
	uint8_t frozen; /* contained in another, or not a container */
	uint8_t depth;  /* 0: no container; 1: none inside */
	uint8_t yes;
	uint32_t len; /* bytes of text or digits (a NUL follows), or members */
	uint32_t cap;
	union {
		const char *text;
		struct json_member *members;
	} u;
};

/* What json_push and json_set share; the key is not copied. */
bool json_append(
	struct arena *arena, struct json *container, struct str key, const struct json *value);
/* Length of the RFC 8259 number that text begins with, 0: none. */
size_t json_number_len(const char *text, size_t len);
/* Index of a member that repeats the key of an earlier one, -1: none, -2: no memory. */
long json_repeated(const struct json *object);

#endif
