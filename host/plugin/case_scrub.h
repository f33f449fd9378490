/* case_scrub.h - takes secrets and persons out of what happened before it becomes a case file, the
 * same way wherever they stand, so that a plugin still sees one person as one person.
 *
 * First it is told what is secret and looks at everything (scrub_secret, scrub_look); then it
 * changes (scrub_text, scrub_json). What it cannot know: a name in free text that stands nowhere as
 * a name. All memory is the arena's.
 */
#ifndef PLUGIN_CASE_SCRUB_H
#define PLUGIN_CASE_SCRUB_H

#include <stdbool.h>

#include "base/str.h"

struct arena;
struct json;
struct scrub;

/* persons: also names, addresses and numbers. NULL: no memory. */
struct scrub *scrub_create(struct arena *arena, bool persons);

/* This value, also percent-encoded and in base64, becomes that. A value of less than four bytes is
 * only replaced where it stands alone. */
void scrub_secret(struct scrub *scrub, struct str value, struct str becomes);
/* No secret, but of this place only: an address. */
void scrub_replace(struct scrub *scrub, struct str value, struct str becomes);

/* Finds secrets by the names of members and parameters, and persons. */
void scrub_look(struct scrub *scrub, const struct json *value);

struct str scrub_text(struct scrub *scrub, struct str text);
const struct json *scrub_json(struct scrub *scrub, const struct json *value);

/* Is this the name of something secret: "access_token", "X-Api-Key"? */
bool scrub_is_secret_name(struct str name);

#endif
