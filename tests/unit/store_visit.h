/* store_visit.h - what the tests of mirror, appointments and catalogue put into the store and read
 * of it. */
#ifndef STORE_VISIT_H
#define STORE_VISIT_H

#include "store_desk.h"

#define ERIKA STR("+4930901820")

static inline struct appointment_row an_appointment(struct str uid, int64_t start_ms)
{
	return (struct appointment_row){
		.tenant = TENANT,
		.connection = CALENDAR,
		.uid = uid,
		.status = STR("booked"),
		.start_ms = start_ms,
		.end_ms = start_ms + 30 * MINUTE_MS,
		.changed_ms = 1000,
		.event_type = STR("310455"),
		.host = STR("Dr. Petersen"),
		.person = ERIKA,
		.name = STR("Erika Mustermann"),
		.vendor_id = STR("4711"),
	};
}

/* By an event, as a webhook brings it. */
static inline void happen(struct fixture *f, const struct appointment_row *row, struct str dedupe)
{
	struct event_row event = an_event(dedupe);
	struct event_change change = {.row = &event, .appointment = row};
	struct store_finish_inbox op = {.inbox = append(f),
		.state = INBOX_DONE,
		.tenant = row->tenant,
		.events = &change,
		.event_count = 1};

	event.tenant = row->tenant;
	event.inbox = op.inbox;
	if (finish_inbox_now(f, &op) != 0)
		fail_msg("%s", op.op.error.text);
}

/* By a job of ours. */
static inline void become(struct fixture *f, const struct appointment_row *row)
{
	struct job_row job = a_job(STR(""));
	struct store_save_job op = {.job = &job, .appointments = row, .appointment_count = 1};

	add(f, &job, 1);
	job.state = JOB_DONE;
	if (save_job_now(f, &op) != 0)
		fail_msg("%s", op.op.error.text);
}

static inline struct appointment_row *find(
	struct fixture *f, const struct appointment_query *query, size_t *count)
{
	struct appointment_row *rows;

	assert_int_equal(
		store_find_appointments(NULL, f->reader, query, f->arena, &rows, count), 0);
	return rows;
}

static inline struct appointment_row only(struct fixture *f, struct str tenant)
{
	struct appointment_query query = {.tenant = tenant, .to_ms = FOREVER};
	size_t count;
	struct appointment_row *rows = find(f, &query, &count);

	assert_int_equal(count, 1);
	return rows[0];
}

static inline struct slot_day a_day(int32_t day, struct str staff)
{
	return (struct slot_day){
		.tenant = TENANT,
		.connection = CALENDAR,
		.event_type = STR("310455"),
		.staff = staff,
		.day = day,
		.asked_ms = clock_now_ms(),
		.starts = STR("29684910 29684940"),
	};
}

static inline void mirror(struct fixture *f, const struct slot_day *days, size_t count)
{
	struct job_row job = a_job(STR(""));
	struct store_save_job op = {.job = &job, .days = days, .day_count = count};

	add(f, &job, 1);
	job.state = JOB_DONE;
	if (save_job_now(f, &op) != 0)
		fail_msg("%s", op.op.error.text);
}

static inline struct slot_day *slots(
	struct fixture *f, struct str connection, int32_t from, int32_t to, size_t *count)
{
	struct slot_day *days;

	assert_int_equal(store_list_slots(NULL, f->reader, TENANT, connection, STR("310455"), from,
				 to, f->arena, &days, count),
		0);
	return days;
}

#endif
