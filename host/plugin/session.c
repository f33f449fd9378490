/* session.c - stub */
#include "plugin/session.h"
#include <stddef.h>
struct session *session_open(struct error *error, struct plugin_zygote *zygote, const char *path)
{
	(void)zygote;
	(void)path;
	error_set(error, E_INVALID, "--worker is not there yet");
	return NULL;
}
void session_close(struct session *session)
{
	(void)session;
}
const struct plugin_info *session_info(const struct session *session)
{
	(void)session;
	return NULL;
}
int session_call(struct error *error, struct session *session, struct str config,
	const struct plugin_in *in, struct arena *arena, struct plugin_out *out)
{
	(void)session, (void)config, (void)in, (void)arena, (void)out;
	return error_set(error, E_INVALID, "--worker is not there yet");
}
