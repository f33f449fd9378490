/* store_desk.h - what the tests of the desk's tables share: times of a day, holds, operations. */
#ifndef STORE_DESK_H
#define STORE_DESK_H

#include "store_fixture.h"

#define OTHER STR("praxis-sommer")
#define CALENDAR STR("praxis-winter/calendar")
#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)
#define DAY 20650 /* a day the tests play on */
#define AT(hour, minute) (DAY * DAY_MS + (hour)*HOUR_MS + (minute)*MINUTE_MS)
#define FOREVER (INT64_MAX / 2)

WAITED(save_answer)
WAITED(free_holds)
WAITED(save_catalogue)
WAITED(unclaim_jobs)

static inline struct hold_row a_hold(struct str holder, int64_t start_ms, int64_t end_ms)
{
	return (struct hold_row){
		.id = id_new(),
		.tenant = TENANT,
		.holder = holder,
		.resource = STR("staff:Dr. Petersen"),
		.event_type = STR("310455"),
		.start_ms = start_ms,
		.end_ms = end_ms,
		.expires_ms = clock_now_ms() + HOUR_MS,
		.capacity = 1,
		.state = HOLD_OFFERED,
	};
}

static inline int take(struct fixture *f, const struct hold_row *holds, size_t count)
{
	struct store_add_jobs op = {.holds = holds, .hold_count = count};

	return add_jobs_now(f, &op);
}

/* A job, and the time it books. */
static inline int book(struct fixture *f, struct job_row *job, struct hold_row *hold)
{
	struct store_add_jobs op = {.jobs = job, .job_count = 1, .holds = hold, .hold_count = 1};

	hold->state = HOLD_BOOKING;
	hold->job = job->id;
	return add_jobs_now(f, &op);
}

/* All of a tenant that stand now, by start. */
static inline struct hold_row *holds_of(struct fixture *f, struct str tenant, size_t *count)
{
	struct hold_row *rows;

	assert_int_equal(store_list_holds(NULL, f->reader, tenant, STR(""), 0, FOREVER,
				 clock_now_ms(), f->arena, &rows, count),
		0);
	return rows;
}

static inline size_t hold_count(struct fixture *f)
{
	size_t count;

	holds_of(f, TENANT, &count);
	return count;
}

#endif
