/* route.h - from an event to the jobs it causes. Pure but for ids and the clock. */
#ifndef PIPELINE_ROUTE_H
#define PIPELINE_ROUTE_H

#include "pipeline/plan.h"
#include "store/store.h"

struct route_input { /* who says it happened */
	struct plan *plan;
	struct expr_engine *engine;
	struct id inbox, job;               /* zero: not from one */
	struct str persons;                 /* of that job, as in job_row.person */
	struct str connection;              /* "praxis-winter/phone" */
	const struct config_tenant *tenant; /* NULL: the agency's, not known yet */
	struct str correlation;
	bool waits;        /* somebody waits for the answer: a pipeline with `within` may give it */
	bool keep_orphans; /* of a poll, which will not tell it again: an event that fits no tenant
			      is kept as the agency's and starts nothing */
	int64_t now_ms;
	struct arena *arena;
};

/* The job of the pipeline that answers, among those of a routed event; NULL: none does. It has no
 * order key, for whoever is on the line does not queue. */
struct job_row *route_answering(const struct route_input *in, const struct event_change *change);

/* Fills change->row, jobs and projections. E_NOTFOUND: an agency's event fits no tenant; the
 * error says what was looked at. */
int route_event(struct error *error, const struct route_input *in, const struct plugin_event *event,
	struct event_change *change);

/* Whose event of this type and data is it, that came by a connection of own (NULL: the agency's)?
 * NULL: nobody's. */
struct json;
const struct config_tenant *route_tenant(const struct config *config,
	const struct config_tenant *own, struct str type, const struct json *data);

/* Whose a row is: the tenant's name, or "agency", which no tenant may be called: what the operator
 * calls, and what the agency's connections poll. */
struct str route_owner(const struct config_tenant *tenant);
#define ROUTE_OURS "klinke" /* connection of the host's own events; they need no tenant */

/* A job for one operation, started by normalize(), a schedule or a person. */
void route_start(
	const struct route_input *in, const struct plugin_start *start, struct job_row *job);

/* What expressions of an event's run see; made when one first asks for it. */
struct route_scope {
	struct arena *arena; /* filled by the caller, as the next two */
	const struct event_row *event;
	const struct config_tenant *tenant; /* NULL: none */
	struct str texts[EXPR_TENANT + 1];
};
/* As it is before any step of a run. */
struct expr_scope route_expr_scope(struct route_scope *scope, int64_t now_ms);

#endif
