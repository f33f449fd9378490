/* plugin.h - what `klinke plugin` can do; one file each. */
#ifndef COMMAND_PLUGIN_H
#define COMMAND_PLUGIN_H

#include "command/command.h"

/* args[0] is the word itself. They return the exit code. */
int plugin_check(const struct invocation *in);
int plugin_new(const struct invocation *in);
int plugin_record(const struct invocation *in);

#endif
