/* session.c - the case runner under musl has no workers: libuv and libseccomp are not there. */
#include "plugin/session.h"

#include <assert.h>
#include <stddef.h>

struct session *session_open(struct error *error, struct plugin_zygote *zygote, const char *path)
{
	(void)zygote;
	error_set(error, E_INVALID, "%s: this case runner has no workers", path);
	return NULL;
}

void session_close(struct session *session)
{
	assert(!session);
}

const struct plugin_info *session_info(const struct session *session)
{
	assert(!session);
	return NULL;
}

int session_call(struct error *error, struct session *session, struct str config,
	const struct plugin_in *in, struct arena *arena, struct plugin_out *out)
{
	(void)config, (void)in, (void)arena, (void)out;
	assert(!session);
	return error_set(error, E_INVALID, "this case runner has no workers");
}
