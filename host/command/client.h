/* client.h - how a verb reaches the rows: through the running host, or, if none runs, by holding
 * the state directory's lock itself. There are never two writers. */
#ifndef COMMAND_CLIENT_H
#define COMMAND_CLIENT_H

#include "base/str.h"
#include "command/command.h"

struct arena;
struct error;
struct json;

/* Sends one request (see http/admin.h), prints what went wrong. 0 and *answer in the arena, or the
 * exit code. With `call` and no host, a runner is started for this one operation. */
int client_ask(const struct invocation *in, struct arena *arena, const struct json *request,
	const struct json **answer);

/* Where the state is, for verbs that look at its files themselves: --state-dir, or the
 * configuration's. 0, or EXIT_CONFIG and the faults are printed. */
int client_find_state(const struct invocation *in, struct arena *arena, const char **state);
int client_find_state_quietly(const struct invocation *in, struct arena *arena, const char **state);

/* An object with "verb" and the given options of the invocation (tenant, since …). */
struct json *client_request(const struct invocation *in, struct arena *arena, const char *verb);

/* JSON itself, @FILE or - for stdin. NULL and error: it cannot be read, or is no object. */
const struct json *client_input(struct arena *arena, const char *given, struct error *error);

/* One JSON object per row, a line each. */
void client_print_rows(struct arena *arena, const struct json *rows);

/* A whole verb about the one person who is its argument: asks, and prints the answer as JSON or
 * each member of its list in words. Takes at most max bytes. The exit code. */
int client_ask_person(const struct invocation *in, size_t max, const char *list,
	void (*print)(struct arena *arena, const struct json *member));

#endif
