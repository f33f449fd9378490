/* host.h - struct kl_host as plugins see it, and the call behind their kl_call.
 *
 * One host_call serves one call of a plugin: everything the plugin allocates comes from its arena,
 * everything it asks for is noted in out. The first thing that breaks the contract or a limit is
 * kept as a sentence; everything after it is ignored.
 */
#ifndef PLUGIN_HOST_H
#define PLUGIN_HOST_H

#include <klinke/plugin.h>

#include "base/arena.h"
#include "base/json.h"
#include "plugin/data.h"

struct call_shape;

struct host_call {
	kl_call pub; /* first: plugins hold pointers to it */
	struct arena *arena;
	struct plugin_limits limits; /* without zeros */
	enum plugin_kind kind;
	struct plugin_out *out;
	const struct call_shape *shape; /* call.h; NULL: structs as they are */
	struct json *rows;              /* NULL: none yet */
	const char *violation;          /* NULL: none; static or in the arena */
	uint32_t capacities[6];         /* of out's lists, by enum host_list */
};

enum host_list { HOST_MACS, HOST_SECRETS, HOST_EVENTS, HOST_STARTS, HOST_PROBLEMS, HOST_LOGS };

extern const kl_host host_table;
extern const kl_time1 host_time; /* extension "kl.time/1" */

/* Defaults where limits has zeros. */
struct plugin_limits host_limits(const struct plugin_limits *limits);

/* out is emptied. The arena is the caller's, and limits.memory its maximum by rights. */
void host_call_init(struct host_call *call, struct arena *arena, const struct plugin_limits *limits,
	const struct plugin_in *in, struct plugin_out *out);

/* kl_val is struct json; the two never meet as complete types. */
static inline const struct json *host_tree(const kl_val *value)
{
	return (const struct json *)(const void *)value;
}
static inline const kl_val *host_val(const struct json *tree)
{
	return (const kl_val *)(const void *)tree;
}

/* ---- Reading what a plugin hands over --------------------------------------------
 * All check first and note a violation, with what ("step(): next.request") in it, and then give
 * something harmless. A wild pointer is not found out: it crashes the worker. */

void host_violate(struct host_call *call, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Copies a struct of the ABI, the tail that it lacks as zeros. false: NULL, misaligned or smaller
 * than it was in minor 0, which is size. */
bool host_read(struct host_call *call, void *to, const void *from, uint32_t size, const char *what);
/* Copies into the arena, a NUL follows. _bytes: any; _string: UTF-8. */
struct str host_read_bytes(struct host_call *call, kl_str s, const char *what);
struct str host_read_string(struct host_call *call, kl_str s, const char *what);
struct str host_read_text(struct host_call *call, const char *text, const char *what);
/* Nothing for NULL. */
struct str host_read_json(struct host_call *call, const kl_val *value);
struct plugin_pairs host_read_pairs(struct host_call *call, kl_list list, const char *what);


/* Effects: see plugin.h. */
void host_require_mac(kl_call *c, const kl_mac *mac);
void host_require_secret(kl_call *c, const char *secret, kl_str guess);
void host_emit(kl_call *c, const kl_event *event);
void host_start(kl_call *c, const kl_start *start);
void host_row(kl_call *c, const kl_val *value);
void host_checkpoint(kl_call *c, const kl_val *value);
void host_problem(kl_call *c, const char *path, const char *message);
void host_log(kl_call *c, int level, const char *message);

#endif
