/* plan.h - a configuration made ready to run: expressions compiled, plugins found, lanes chosen.
 *
 * One plan per configuration generation. A run keeps the plan it began with, so a reload in the
 * middle of it changes nothing for it. Belongs to the runner's thread; counted references.
 */
#ifndef PIPELINE_PLAN_H
#define PIPELINE_PLAN_H

#include "config/config.h"
#include "pipeline/expr.h"
#include "plugin/plugin.h"
#include "transfer/transfer.h"

struct plan_connection {
	const struct config_connection *config;
	struct plugin *plugin;
	struct plugin_config *options;
	struct transfer_lane *lane;
	struct str base_url; /* nothing: the plugin gives absolute URLs */
	struct str *hosts;   /* where it may go */
	size_t host_count;
	/* The runner's, as it goes: */
	bool behind;       /* webhooks of it wait in the store */
	uint32_t unproven; /* webhooks without a valid proof of origin since the last one with it */
	int64_t unproven_ms;
	char unproven_why[128];
};

struct plan_poll {
	const struct plan_connection *connection;
	const struct config_poll *config;
	int64_t last_slot; /* that was scheduled: poll.c's, as it goes; 0: none */
};

struct plan_arg {
	const struct config_arg *config;
	struct expr *sql; /* NULL: config->value is the text */
};

struct plan_call { /* what a step does */
	const struct config_call *config;
	struct plan_arg *args;
	const struct config_mapping *mapping; /* NULL unless "map" */
	struct plugin *plugin;                /* of the mapping */
	struct plugin_config *options;        /* of the mapping */
	struct expr **fields;                 /* one per mapping->fields */
	struct expr *together;                /* all of them; NULL: only one by one */
};

struct plan_step {
	const struct config_step *config;
	struct plan_call call, otherwise;
	struct expr *in, *at; /* NULL: not given */
};

struct plan_pipeline {
	const struct config_pipeline *config;
	struct expr *when; /* NULL: always */
	struct plan_step *steps;
	struct plan_call on_error, late;
	struct expr *fallback;   /* NULL: config->fallback is the text */
	const char **step_names; /* NULL-terminated */
};

struct plan {
	const struct config *config;
	uint64_t generation;
	struct plan_connection *connections;
	size_t connection_count;
	struct plan_poll *polls; /* of those whose plugin is there */
	size_t poll_count;
	struct plan_pipeline *pipelines;
	size_t pipeline_count;
	struct arena *arena;
	unsigned refs;
	bool orphan; /* the plugins are gone, and its options with them */
};

struct plan_means {
	struct plugins *plugins;
	struct transfer *transfer;
	struct expr_engine *engine;
};

/* Takes a reference of its own to config. NULL: error says why, with the place in the file. */
struct plan *plan_create(struct error *error, const struct config *config, uint64_t generation,
	const struct plan_means *means);
struct plan *plan_ref(struct plan *plan);
void plan_unref(struct plan *plan); /* takes NULL */

const struct plan_connection *plan_connection(const struct plan *plan, struct str full);
const struct plan_pipeline *plan_pipeline(const struct plan *plan, struct str full);
/* The bare name in a pipeline, for a run of this tenant. */
const struct plan_connection *plan_connection_for(
	const struct plan *plan, const struct config_tenant *tenant, const char *name);

#endif
