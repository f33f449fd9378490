/* json_tree.h - the inside of struct json, for json.c, json_parse.c and json_print.c only. */
#ifndef BASE_JSON_TREE_H
#define BASE_JSON_TREE_H

#include <string.h>

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

/* Bytes up to the next quote, backslash or control character; there is one, at end at the latest: a
 * NUL. Eight at a time, by the classic test for a byte below n (which may report one that is none
 * only behind one that is). */
static inline size_t json_plain_len(const char *text, const char *end)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), tops = UINT64_C(0x8080808080808080);
	const char *at = text;

	while (end - at >= 8) {
		uint64_t word, quote, slash;
		memcpy(&word, at, 8);
		quote = word ^ (ones * '"');
		slash = word ^ (ones * '\\');
		if ((((word - ones * 0x20) & ~word) | ((quote - ones) & ~quote) |
			    ((slash - ones) & ~slash)) &
			tops)
			break;
		at += 8;
	}
	while ((unsigned char)*at >= 0x20 && *at != '"' && *at != '\\')
		at++;
	return (size_t)(at - text);
}

#endif
