/* worker.h - the process in which one plugin runs.
 *
 * Forked from the zygote, it enters the sandbox, loads the plugin, says HELLO or REFUSED, and then
 * answers calls in their order until the wire closes. It answers everything it has read before it
 * writes, but for answers that have waited a millisecond.
 */
#ifndef PLUGIN_WORKER_H
#define PLUGIN_WORKER_H

#include <stdint.h>
#include <sys/types.h>

#include "plugin/data.h"

struct sandbox;

/* Shared memory between host and worker, so that the host knows which call a dead worker was
 * running even though earlier answers had not left it. The plugin can spoil it: it is a hint. */
struct worker_progress {
	_Atomic uint64_t call;      /* id; 0: none */
	_Atomic int64_t started_us; /* clock_mono_us() */
};
#define WORKER_PROGRESS_SIZE 4096

struct worker_job {      /* what the zygote was asked to start */
	uint32_t number; /* the client's name for it */
	uint32_t zero;
	uint64_t memory;
	struct plugin_limits limits;
	char name[64];
	char path[512];
};

/* Wire, progress and file are at their places (sandbox.h), nothing else is open. */
_Noreturn void worker_main(
	const struct worker_job *job, const struct sandbox *sandbox, pid_t parent);

#endif
