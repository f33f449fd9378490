/* care.h - what the host does for itself by the clock: forgets what is old, writes the receipt of
 * each day, looks for what never came. Runner's thread, but for the functions that wait.
 *
 * Retention is many small operations of the store with pauses between them, longer ones while
 * somebody is on the line; a pass that is interrupted goes on with the next one. Receipts and gaps
 * take as long as they take, so each has a thread of its own while it works.
 */
#ifndef PIPELINE_CARE_H
#define PIPELINE_CARE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct arena;
struct buf;
struct config;
struct error;
struct json;
struct runner;
struct store_reader;

/* Once a second. */
void retention_tick(struct runner *runner);
void receipts_tick(struct runner *runner);
void gaps_tick(struct runner *runner);
/* A new configuration: what it says of it counts from now on. */
void retention_reload(struct runner *runner);
/* Prometheus text, appended. */
void retention_print(struct runner *runner, struct buf *out);
void receipts_print(struct runner *runner, struct buf *out);
void gaps_print(struct runner *runner, struct buf *out);
/* The host stops: what is under way ends soon. */
void receipts_stop(struct runner *runner);
void gaps_stop(struct runner *runner);
/* Is a thread at it? */
bool receipts_busy(const struct runner *runner);
bool gaps_busy(const struct runner *runner);
/* The loop has ended. */
void retention_finish(struct runner *runner);
void receipts_finish(struct runner *runner);
void gaps_finish(struct runner *runner);

/* Today's configuration, with a reference of the caller's. From any thread but the runner's. */
const struct config *runner_config(struct runner *runner);

/* ---- Receipts: any thread but the runner's ------------------------------------------------ */

struct receipt_ask {
	struct str tenant; /* empty: all */
	struct str day;    /* 2026-11-22; empty: today, so far */
};
/* Into list, one object for each tenant: {"tenant", "day", "stored", "made" (of stored ones),
 * "balanced", "webhooks", "events", "jobs", "effects"}. What is not stored is counted; what is older
 * than tallies go back is left out. config NULL: only what is stored. */
int receipts_list(struct error *error, const struct config *config, struct store_reader *reader,
	const struct receipt_ask *ask, struct arena *arena, struct json *list);

/* ---- Gaps: any thread but the runner's ---------------------------------------------------- */

struct gaps_ask {
	struct str tenant; /* empty: all */
	int64_t since_ms;
	bool fetch;
	bool first_seen; /* nothing from before a connection was first looked at */
};
/* {"gaps": [{"tenant", "connection", "kind": "call" | "booking", "id", "what", "at", "fetched"}],
 * "problems": [{"connection", "reason"}], "looked": connections, "open": gaps that remain}. */
int gaps_find(struct error *error, struct runner *runner, const struct gaps_ask *ask,
	struct arena *arena, struct json **out);

#endif
