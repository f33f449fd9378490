/* control.h - the Unix socket by which commands talk to a running host.
 *
 * STATE/control.sock, mode 0600: whoever may write it is the operator. One JSON object per line in
 * (see admin.h), one out.
 */
#ifndef HTTP_CONTROL_H
#define HTTP_CONTROL_H

#include <stdint.h>
#include "http/admin.h"

struct control;

/* Serves on threads of its own. */
struct control *control_create(struct error *error, const struct admin *admin);
void control_destroy(struct control *control); /* takes NULL */

/* The other side: one request, one answer in the arena. E_NOTFOUND: no host is running there.
 * timeout_ms: for the whole exchange. */
int control_ask(struct error *error, const char *state, struct str request, uint32_t timeout_ms,
	struct arena *arena, struct str *answer);

#endif
