/* columns.h - the columns of each row, in the order in which rows.c reads them. */
#ifndef STORE_COLUMNS_H
#define STORE_COLUMNS_H

#define INBOX_COLUMNS                                                                              \
	"inbox.id, inbox.tenant, inbox.connection, inbox.route, inbox.method, inbox.path, "        \
	"inbox.correlation, inbox.received_ms, inbox.state, inbox.reason, inbox.kills"
#define RAW_COLUMNS "inbox.lock, inbox_raw.sealed"
#define EVENT_COLUMNS                                                                              \
	"event.id, event.inbox, event.job, event.tenant, event.connection, event.type, "           \
	"event.dedupe, event.subject, event.also, event.regarding, "                               \
	"event.correlation, event.at_ms, event.received_ms, event.lock, event.sealed"
#define JOB_COLUMNS                                                                                \
	"job.id, job.event, job.tenant, job.pipeline, job.connection, job.op, "                    \
	"job.dedupe, job.order_key, job.cancel_on, job.subject, job.key, job.correlation, "        \
	"job.state, job.strict, job.due_ms, job.created_ms, job.updated_ms, job.generation, "      \
	"job.step, job.tries, job.absent, job.kills, job.sent, job.reason, job.fail, job.lock, "   \
	"job.sealed, job.progress"
#define ATTEMPT_COLUMNS                                                                            \
	"attempt.id, job.id, attempt.kind, attempt.step, attempt.number, attempt.name, "           \
	"attempt.outcome, attempt.method, attempt.status, attempt.started_ms, "                    \
	"attempt.took_us, attempt.lock, attempt.sealed, "                                          \
	"attempt.expired"
#define APPOINTMENT_COLUMNS                                                                        \
	"appointment.tenant, appointment.connection, appointment.uid, "                            \
	"appointment.rescheduled_from, appointment.status, appointment.start_ms, "                 \
	"appointment.end_ms, appointment.changed_ms, appointment.event_type, appointment.host, "   \
	"appointment.vendor_id, appointment.key, appointment.version, appointment.lock, "          \
	"appointment.sealed"
#define CALL_COLUMNS                                                                               \
	"call.tenant, call.connection, call.call_id, call.rank, call.direction, call.status, "     \
	"call.agent, call.started_ms, call.ended_ms, call.lock, call.sealed"
#define ANSWER_COLUMNS                                                                             \
	"answer.connection, answer.dedupe, answer.tenant, answer.outcome, answer.at_ms, "          \
	"answer.lock, answer.sealed"
#define HOLD_COLUMNS                                                                               \
	"hold.id, hold.tenant, hold.holder, hold.resource, hold.event_type, hold.start_ms, "       \
	"hold.end_ms, hold.expires_ms, hold.capacity, hold.state, "                                \
	"(SELECT job.id FROM job WHERE job.seq = hold.job)"

#endif
