/* id.h - UUIDv7, made by the host. Sorts by time; text form is 36 lower-case characters. */
#ifndef BASE_ID_H
#define BASE_ID_H

#include <stdbool.h>
#include <stdint.h>
#include "base/str.h"

struct id {
	uint8_t b[16];
};
#define ID_TEXT 37

struct id id_new(void); /* monotonic within the process; safe from any thread */
bool id_is_zero(const struct id *id);
void id_text(char out[ID_TEXT], const struct id *id);
bool id_parse(struct id *id, struct str text);

#endif
