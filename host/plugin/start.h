/* start.h - a plugin's file and a worker for it: what running host and sessions share. */
#ifndef PLUGIN_START_H
#define PLUGIN_START_H

#include "plugin/zygote.h"

struct started {                          /* the host's ends */
	int wire;                         /* not blocking */
	struct worker_progress *progress; /* NULL: there is none */
};

/* A private, unchangeable copy of the file: an update of it on disk must not pull the code away
 * under a running worker. In memory, or unlinked in run_directory (NULL: only in memory). A
 * descriptor, or -1: error says why. */
int start_copy(struct error *error, const char *path, const char *run_directory);

/* "retell" of ".../retell.so" */
void start_name(char *out, size_t size, const char *path);

/* Asks the zygote for a worker with this copy. 0: news will tell. */
int start_worker(struct error *error, int client, const struct worker_job *job, int copy,
	struct started *out);
void start_finish(struct started *started); /* closes and unmaps */

#endif
