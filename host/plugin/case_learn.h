/* case_learn.h - plays a case and tells what the plugin did, instead of comparing it: how a case's
 * expectations are written. */
#ifndef PLUGIN_CASE_LEARN_H
#define PLUGIN_CASE_LEARN_H

#include "base/str.h"

struct arena;
struct json;
struct session;

struct learnt_mac { /* of verify(): what must hold, and what came */
	struct str hash, secret;
	struct str message; /* the pieces, one after another */
	const struct str *macs;
	size_t count;
};

struct learnt {
	/* Of a step: each request it made, an object as a case's "expect" of an exchange names its
	 * members; "headers" are all of them. */
	const struct json **requests;
	size_t request_count;
	const struct json *end; /* what "expect" is compared with; NULL: the call itself failed */
	const struct learnt_mac *macs;
	size_t mac_count;
	struct str faults; /* a line each: calls that failed, more or fewer requests */
};

/* spec is one case; its expectations are not looked at. In the arena. */
void case_learn(struct session *session, struct arena *arena, const struct json *spec,
	struct learnt *learnt);

#endif
