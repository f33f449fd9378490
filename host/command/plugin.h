/* plugin.h - what `klinke plugin` can do; one file each. */
#ifndef COMMAND_PLUGIN_H
#define COMMAND_PLUGIN_H

#include "command/command.h"

struct arena;
struct json;

/* Rows of operation, input, kind, needed ("yes", "one of to, phone"), of operations as `plugin info
 * --json` has them. */
struct json *plugin_inputs(struct arena *arena, const struct json *operations);

/* args[0] is the word itself. They return the exit code. */
int plugin_check(const struct invocation *in);
int plugin_new(const struct invocation *in);
int plugin_record(const struct invocation *in);

#endif
