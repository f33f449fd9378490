/* load.h - a shared object becomes a plugin: opened, asked for its descriptor, checked, described.
 *
 * Runs the plugin's constructors and its entry point, so callers are in a worker, in the case
 * runner, or know that the plugin is trusted (inline). Never unloads: pointers into a plugin
 * stay valid for the life of the process.
 */
#ifndef PLUGIN_LOAD_H
#define PLUGIN_LOAD_H

#include <klinke/plugin.h>

#include "base/error.h"
#include "base/plugin_info.h"

struct arena;

struct loaded {
	kl_plugin raw;           /* what is missing in an older one is zero */
	struct plugin_info info; /* arrays in the arena, texts in the plugin */
	const kl_plugin *(*entry)(const kl_host *host); /* may be asked again */
};

/* file: what to open; name and path: what to call it in sentences and in info. 0 or a negative
 * code; the sentence says what its author has to change. */
int load_plugin(struct error *error, struct arena *arena, const char *file, const char *name,
	const char *path, struct loaded *out);

#endif
