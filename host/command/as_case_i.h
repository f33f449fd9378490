/* as_case_i.h - between as_case.c, which has the story, and as_case_hook.c, as_case_step.c, which
 * make one case of a part of it. */
#ifndef COMMAND_AS_CASE_I_H
#define COMMAND_AS_CASE_I_H

#include "base/json.h"
#include "command/as_case.h"

struct arena;
struct config_connection;
struct scrub;
struct session;

struct case_book { /* the cases of one plugin: one file */
	const char *plugin, *path;
	struct session *session;
	struct json *cases;
	size_t count;
};

struct making {
	const struct invocation *in;
	struct arena *arena;
	const struct json *story;
	struct scrub *scrub;
	const char *source;
	unsigned left_out; /* what could not be made a case; each was told */
};

/* A case of this connection without its arguments and "expect": name, source, now, config, secrets.
 * The name is what; made different from those in the book. */
struct json *case_head(struct making *m, const struct case_book *book,
	const struct config_connection *connection, const char *what, const struct json *now);
void case_add(struct case_book *book, struct arena *arena, const struct json *made);
/* Tells why there is no case of something. */
void case_left_out(struct making *m, const char *what, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Text or {"base64"} as the story has it -> its bytes. */
struct str story_bytes(struct making *m, const struct json *value);
/* As a case has it: {"json"}, a text, {"base64"}; secrets and persons taken out. */
const struct json *case_body(struct making *m, struct str bytes);
/* Without members that are null, and without empty lists but for those named. */
const struct json *case_trimmed(struct making *m, const struct json *value);

void hook_as_cases(struct making *m, struct case_book *book,
	const struct config_connection *connection, const struct json *inbox);
void step_as_case(struct making *m, struct case_book *book,
	const struct config_connection *connection, const struct json *job,
	const struct json *last);

#endif
