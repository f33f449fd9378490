/* renew.c - a job that a person runs again goes by today's configuration, if it can: the mistake in
 * the old one may be what stopped it. Runner's thread.
 *
 * Never for what may have happened: that is looked up as it was sent.
 */
#include <string.h>

#include "pipeline/job_i.h"

static bool is_decided(const struct job_row *job)
{
	return job->pipeline.len && !job->sent && str_is(job->fail, JOB_AGAIN);
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_call(const struct config_step *a, const struct config_step *b)
{
	return strcmp(a->name, b->name) == 0 && same_text(a->call.mapping, b->call.mapping) &&
	       same_text(a->call.connection, b->call.connection) &&
	       same_text(a->call.op, b->call.op);
}

/* What is done already must have been done in the same way, and what comes next be the same. */
static bool fits(const struct plan_pipeline *old, const struct plan_pipeline *new, uint32_t step)
{
	if (!old || !new || step >= old->config->step_count || step >= new->config->step_count)
		return false;
	for (uint32_t i = 0; i <= step; i++)
		if (!same_call(&old->config->steps[i], &new->config->steps[i]))
			return false;
	return true;
}

bool renew_wanted(const struct plan *old, const struct plan *todays, const struct job_row *job)
{
	return old != todays && is_decided(job) &&
	       (!job->tenant.len || config_tenant(todays->config, job->tenant.ptr)) &&
	       fits(plan_pipeline(old, job->pipeline), plan_pipeline(todays, job->pipeline),
		       job->step);
}

/* The step in hand is begun anew, and so are the mappings that its input comes from. */
void renew_run(struct run *run)
{
	run->row.generation = run->plan->generation;
	run->step = (struct step_state){.due_ms = run->step.due_ms,
		.waited = run->step.waited,
		.instead = run->step.instead};
	run->row_texts = 0;
	while (!run->step.instead && run->row.step && run->result_count == run->row.step &&
		run->pipeline->config->steps[run->row.step - 1].call.mapping) {
		run->row.step--;
		run->result_count--;
	}
	run->last = run->mapped = STR("{}");
	for (size_t i = 0; i < run->result_count; i++) {
		run->last = run->results[i].json;
		if (run->pipeline->config->steps[i].call.mapping)
			run->mapped = run->last;
	}
}
