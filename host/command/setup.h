/* setup.h - a configuration as a command needs it: read, its plugins asked, checked to the end. */
#ifndef COMMAND_SETUP_H
#define COMMAND_SETUP_H

#include "config/config.h"
#include "plugin/plugin.h"

struct setup; /* keeps what the config points to; outlives it */

struct setup *setup_create(struct error *error, struct plugin_zygote *zygote);
void setup_destroy(struct setup *setup); /* takes NULL */

/* Everything `klinke check` checks: grammar, names, expressions, and each plugin's own opinion of
 * its options. NULL: faults say why. From any thread. */
struct config *setup_load(struct setup *setup, const char *path, struct config_faults *faults);
/* The same from a stored generation. */
struct config *setup_revive(struct setup *setup, struct str snapshot, struct error *error);

/* Where the last configuration says plugins lie; ends with NULL; NULL: not known. */
const char *const *setup_directories(const struct setup *setup);
/* Path of NAME.so in the directories of the last configuration, valid until the next; NULL: none. */
const char *setup_plugin_path(struct setup *setup, const char *name);

#endif
