/* call.h - one call of a loaded plugin, in this process, on this thread.
 *
 * What a worker does for each frame, inline isolation for each call and the case runner for each
 * case. Whatever the plugin returns is read with suspicion; whoever does not trust this process's
 * memory afterwards (the host, of a worker) asks call_check() again on its own side.
 */
#ifndef PLUGIN_CALL_H
#define PLUGIN_CALL_H

#include "plugin/data.h"
#include "plugin/load.h"

struct arena;
struct json;

/* config: NULL is an empty object. The arena is the call's alone, with limits->memory (or its
 * default) as maximum; everything in out lives there. */
void call_run(const struct loaded *plugin, const struct json *config, const struct plugin_in *in,
	const struct plugin_limits *limits, struct arena *arena, struct plugin_out *out);

/* For the conformance kit: how the structs look that a plugin reads. Each lies in a piece of the
 * arena of its own, exactly as big as in minor 0, or with grow bytes that mean nothing behind it,
 * as a newer host's would. Elements of a list move as far apart. */
struct call_shape {
	uint32_t grow;       /* a multiple of 16 */
	const kl_host *host; /* NULL: the usual one */
};
/* shape NULL: as call_run(). */
void call_run_shaped(const struct call_shape *shape, const struct loaded *plugin,
	const struct json *config, const struct plugin_in *in, const struct plugin_limits *limits,
	struct arena *arena, struct plugin_out *out);

/* Does out say only what info allows and what can follow in? If not it becomes PLUGIN_FAILED, with
 * the sentence, and without effects. */
void call_check(const struct plugin_info *info, const struct plugin_in *in,
	const struct plugin_limits *limits, struct plugin_out *out);

/* Makes out PLUGIN_FAILED, without effects (but logs). */
void call_fail(const char *plugin, enum plugin_kind kind, int code, const char *sentence,
	struct plugin_out *out);

/* All but status, error and logs. */
void call_drop_effects(struct plugin_out *out);

/* "step()" */
const char *call_name(enum plugin_kind kind);

/* result (a JSON object) with "rows": the elements of all these JSON arrays, in order. A run of
 * several steps has one text per step. Nothing: no memory, or one of them is broken. */
struct str call_merge_rows(
	struct arena *arena, struct str result, const struct str *rows, size_t count);

#endif
