/* session.h - one worker, used by one thread that waits for each answer.
 *
 * For commands, checks and the case runner; the running host uses plugin.h. Several sessions may
 * be open, each in its own thread.
 */
#ifndef PLUGIN_SESSION_H
#define PLUGIN_SESSION_H

#include "plugin/data.h"

struct arena;
struct plugin_info;
struct plugin_zygote; /* plugin.h */
struct session;

/* Loads the plugin in a worker of its own. zygote NULL: one is forked for this session, from here,
 * which must have no other threads. NULL: error says why. */
struct session *session_open(struct error *error, struct plugin_zygote *zygote, const char *path);
void session_close(struct session *session); /* takes NULL */

const struct plugin_info *session_info(const struct session *session);

/* One call, with the default limits and timeout. 0, and out->status says how it went; negative: the
 * session is lost, open another. out lives in the arena. */
int session_call(struct error *error, struct session *session, struct str config,
	const struct plugin_in *in, struct arena *arena, struct plugin_out *out);

#endif
