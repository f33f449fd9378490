/* intake.h - a webhook's way from the socket to its events.
 *
 * verify (in the plugin) -> check what it requires against the secrets -> store the raw row ->
 * answer -> normalize (in the plugin) -> events and their jobs in one commit. Everything here
 * but intake_take() is the runner's thread.
 */
#ifndef PIPELINE_INTAKE_H
#define PIPELINE_INTAKE_H

#include "pipeline/runner.h"

struct hook_answer {
	unsigned status;
	const char *content_type; /* NULL: none */
	struct str body;
	unsigned retry_after_s; /* 0: none */
};

struct hook { /* one request to /hooks/OWNER/CONNECTION[/ROUTE]; the caller's until answered */
	struct mailbox_item item;
	struct runner *runner;
	struct str owner, connection, route; /* of the path */
	struct str method, path;
	struct plugin_pairs query, headers;
	struct str body;
	int64_t received_ms;
	/* Exactly once, on any thread; afterwards nobody here touches the hook. */
	void (*answer)(struct hook *hook, const struct hook_answer *answer);
	void *user;
};

struct plan;

/* Raw rows that a former process left, of any connection, come before what arrives now. Runner's
 * thread. */
void intakes_begin(struct runner *runner);
/* What waits in the store is behind in the new configuration, too. Runner's thread. */
void intakes_reload(const struct plan *from, struct plan *to);

/* From any thread. Never blocks; too much at once is answered 503 with Retry-After. */
void intake_take(struct runner *runner, struct hook *hook);

#endif
