/* mirror.c - what the calendar said is free, and what was booked since. Never believes an answer
 * that was asked for earlier than the one it has. The writer's thread. */
#include "store/engine.h"

#include "base/clock.h"

static const struct query q_save = {Q_SLOT_SAVE,
	"INSERT INTO slot (tenant, connection, event_type, day, staff, asked_ms, starts) "
	"VALUES (?, ?, ?, ?, ?, ?, ?) "
	"ON CONFLICT (tenant, connection, event_type, day, staff) DO UPDATE SET "
	"asked_ms = excluded.asked_ms, starts = excluded.starts "
	"WHERE excluded.asked_ms >= slot.asked_ms"};
static const struct query q_dirty = {Q_SLOT_DIRTY,
	"INSERT INTO slot_dirty (tenant, connection, day, dirty_ms) VALUES (?, ?, ?, ?) "
	"ON CONFLICT (tenant, connection, day) DO UPDATE SET "
	"dirty_ms = max(slot_dirty.dirty_ms, excluded.dirty_ms)"};

#define DAY_MS (INT64_C(24) * 60 * 60 * 1000)
#define DAYS_MAX 400 /* of one appointment: a longer one is a mistake somewhere */

static int save_day(struct error *error, struct store *store, const struct slot_day *day)
{
	struct stmt stmt;

	stmt_begin(&stmt, &store->conn, &q_save);
	stmt_text(&stmt, day->tenant);
	stmt_text(&stmt, day->connection);
	stmt_text(&stmt, day->event_type);
	stmt_i64(&stmt, day->day);
	stmt_text(&stmt, day->staff);
	stmt_i64(&stmt, day->asked_ms);
	stmt_text(&stmt, day->starts);
	return stmt_done(error, &stmt);
}

int mirror_save(struct error *error, struct store *store, const struct slot_day *days, size_t count)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < count && !rc; i++)
		rc = save_day(error, store, &days[i]);
	return rc;
}

static int mark(struct error *error, struct store *store, struct str tenant, struct str connection,
	int64_t day, int64_t now_ms)
{
	struct stmt stmt;

	stmt_begin(&stmt, &store->conn, &q_dirty);
	stmt_text(&stmt, tenant);
	stmt_text(&stmt, connection);
	stmt_i64(&stmt, day);
	stmt_i64(&stmt, now_ms);
	return stmt_done(error, &stmt);
}

/* The office's day may be one more or one less than the day in UTC. */
int mirror_dirty(struct error *error, struct store *store, struct str tenant, struct str connection,
	int64_t start_ms, int64_t end_ms)
{
	int64_t now_ms = clock_now_ms(), day, last;
	int rc = 0;

	if (start_ms <= 0)
		return 0; /* not known */
	day = start_ms / DAY_MS - 1;
	last = (end_ms > start_ms ? end_ms : start_ms) / DAY_MS + 1;
	if (last - day > DAYS_MAX)
		last = day + DAYS_MAX;
	for (; day <= last && !rc; day++)
		rc = mark(error, store, tenant, connection, day, now_ms);
	return rc;
}
