/* alarm.h - what an operator must learn although no job waits for a person: a calendar that cannot
 * serve callers, a connection that does not work, a plugin that is out of service. Runner's thread.
 *
 * Each is told as an event of the host's own (sdk/events: calendar.failed, connection.failed,
 * plugin.failed), and the first also as a line of the log and in the metrics. Nothing here is a
 * storm: the same calendar, event type and reason are told once an hour, with a count; an outage
 * and a refused key once, until it has worked again. What is told is not kept for the next start.
 */
#ifndef PIPELINE_ALARM_H
#define PIPELINE_ALARM_H

#include "pipeline/job_i.h"

/* A job has ended so. If it was a question of the desk, and its answer is no news for a caller but
 * something that a person should mend, it is counted and told. */
void alarm_question(const struct run *run, enum job_state state, const char *fail, const char *why);
/* A connection's credential was refused for the first time since it worked. */
void alarm_refused(struct runner *r, const struct plan_connection *connection, const char *why,
	int64_t until_ms);
/* A circuit breaker changed: told for each connection with that credential, when it opens and not
 * when its probes fail. */
void alarm_breaker(struct runner *r, const char *key, enum breaker_state state, int64_t until_ms);
/* It was open before the start, and has been told. */
void alarm_breaker_known(struct runner *r, const char *key);
/* It does not load. Told to the tenant that alone uses it, else to the agency. */
void alarm_plugin(struct runner *r, const struct plugin *plugin);

void alarms_start(struct runner *r); /* plugins that did not load before there was a plan */
void alarms_tick(struct runner *r);
void alarms_print(struct runner *r, struct buf *out); /* Prometheus text */
void alarms_finish(struct runner *r);                 /* behind the last commit */

#endif
