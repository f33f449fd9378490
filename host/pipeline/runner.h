/* runner.h - the thread on which everything happens that is not receiving or storing.
 *
 * It verifies and normalizes webhooks (intake.h), turns events into jobs (route.h), and runs
 * jobs (job.h) with plugins and transfer on one libuv loop. What it knows that the store does
 * not is only what it can find again: after kill -9 it starts from the rows.
 */
#ifndef PIPELINE_RUNNER_H
#define PIPELINE_RUNNER_H

#include <stdbool.h>
#include "base/mailbox.h"
#include "base/str.h"
#include "store/store.h"
#include "plugin/plugin.h"

struct config;
struct error;
struct runner;

struct runner_options {
	struct plugin_zygote *zygote;
	struct store *store;
	const struct config *config; /* the first one; a reference is taken */
	const struct config *(*revive)(void *user, struct error *error, struct str snapshot);
	/* an older generation from its text; NULL and error */
	void *user;
	bool only_ours; /* run only jobs of runner_run(): for `klinke call` without
			   a host. No schedules, no backlog */
};

/* Loads the plan and starts the thread. NULL: error says why. */
struct runner *runner_create(struct error *error, const struct runner_options *options);
/* A stop is near: callers on the line are answered before then (clock_mono_ms), with what can be
 * said so far. From any thread but the runner's. */
void runner_hurry(struct runner *runner, int64_t deadline_ms);
/* Takes no more webhooks and jobs, waits for what is running until the deadline
 * (clock_mono_ms), leaves the rest in the store. */
void runner_drain(struct runner *runner, int64_t deadline_ms);
void runner_destroy(struct runner *runner); /* takes NULL */

/* A new configuration: 0, or error and the old one stays. Waits for the runner. */
int runner_reload(struct error *error, struct runner *runner, const struct config *config);

struct runner_wait {
	uint32_t timeout_ms;
	bool record; /* with answers that tell of others too, which are not kept else */
	int peer;    /* > 0: the socket of who waits; closed at its end: nobody hears it any more */
};
/* One operation now, recorded like any other. Waits until it is done or has failed. If it failed,
 * nothing happened over there, and that was heard, it is dropped: no dead letter. result in the
 * arena: JSON {"job", "state", "result" or "fail", "reason"}. */
int runner_run(struct error *error, struct runner *runner, struct str connection, struct str op,
	struct str input, const struct runner_wait *wait, struct arena *arena, struct str *result);

/* Something may have become due (a verdict, a replay): look. From any thread. */
void runner_nudge(struct runner *runner);

struct runner_stats {
	uint64_t hooks, rejected, refused, strays, events, repeats, jobs_done, jobs_failed, requests;
	/* callers on the line: told a pipeline's result, its fallback, a stored answer once more,
	 * or that no pipeline answers; and how many were told before their pipeline was through */
	uint64_t answered, fallbacks, repeated, unanswered, late;
	uint32_t jobs_running;
	uint64_t generation;
};
void runner_stats(struct runner *runner, struct runner_stats *out); /* from any thread */
/* Lanes and plugins as Prometheus text, appended to out. Asks the runner, waits for it. */
struct buf;
void runner_metrics(struct runner *runner, struct buf *out);
/* An object for each plugin, of how it has fared since the start: "plugin", "state": ready,
 * loading, restarting or disabled, "problem", "calls", "deaths", "last_death", "last_reason".
 * Waits, too. */
struct json;
void runner_plugins(struct runner *runner, struct arena *arena, struct json *list);
/* Of each connection in trouble an object: "connection", "trouble", "remedy", and "at" or "until". */
void runner_troubles(struct runner *runner, struct arena *arena, struct json *list);

#endif
