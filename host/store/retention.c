/* retention.c - passes over all that is stored: what is finished and old enough loses what it says,
 * in the end itself (expire.c). Never touches what somebody may still need: open work, what is
 * parked or dead, rows that others name. A little of it in each operation, so that nobody waits for
 * it. The writer's thread. */
#include "store/engine.h"
#include "store/expire.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crypto.h"

#define ROWS_DEFAULT 256
#define ROWS_MOST 4096
#define LONGEST_US 2000 /* of one step: somebody may be on the line */
#define YOUNG_MOST 1000 /* rows come in the order of time, but for jumps of the clock */
#define SWEEP_ROWS 128
#define ROW_MAX                                                                                    \
	((size_t)512 << 20) /* of one row in work: some copies of the largest there may be */

#define TEXT_OF(x) #x
#define STRING(x) TEXT_OF(x)

#define DAY_MS (INT64_C(24) * 60 * 60 * 1000)
#define HOUSE_MS (7 * DAY_MS)  /* reads of the mirror and polls, if nothing came of them */
#define ANSWER_MS (2 * DAY_MS) /* a caller's request is repeated within minutes */
#define DOUBT_MS (2 * DAY_MS)
#define GENERATIONS_KEPT 20
#define OPEN_MOST 2000 /* with more open jobs, generations wait for another night */

/* ---- walks: what is looked at, row by row ------------------------------------------------- */

enum have { FREE, BLOCKED, NOTHING }; /* NOTHING: nothing left to lose */

struct seen {
	int64_t seq, age_ms;
	struct str tenant;
	enum have have;
	bool house; /* the host's own housekeeping */
};

struct walk {
	const char *name; /* of its place in table retention */
	enum keep_kind kind;
	const char *scan; /* seq, tenant, time, have, house; behind ?1, at most ?2 */
	int (*act)(struct error *error, struct store *store, int64_t seq, bool *changed);
	bool all; /* not in the order of time */
};

#define OPEN "NOT IN (6, 7)"
#define LAST(table) "seq = (SELECT max(seq) FROM " table ")" /* its number must not come again */
#define EVENT_SCAN                                                                                 \
	"SELECT seq, tenant, received_ms, EXISTS (SELECT 1 FROM job WHERE job.event = event.id "   \
	"AND job.state " OPEN "), 0 FROM event WHERE seq > ?1 ORDER BY seq LIMIT ?2"
#define JOB_SCAN                                                                                   \
	"SELECT seq, tenant, updated_ms, state " OPEN                                              \
	", 0 FROM job WHERE seq > ?1 ORDER BY seq LIMIT ?2"

static const struct walk walks[] = {
	{"raw", KEEP_RAW,
		"SELECT seq, tenant, received_ms, CASE WHEN length(lock) = 0 THEN 2 "
		"WHEN state NOT IN (2, 4) THEN 1 ELSE EXISTS (SELECT 1 FROM event JOIN job "
		"ON job.event = event.id WHERE event.inbox = inbox.id AND job.state " OPEN
		") END, 0 FROM inbox WHERE seq > ?1 ORDER BY seq LIMIT ?2",
		expire_raw, false},
	{"bodies", KEEP_RAW,
		"SELECT attempt.seq, attempt.tenant, attempt.started_ms, "
		"CASE WHEN attempt.expired THEN 2 ELSE job.state " OPEN
		" END, 0 FROM attempt CROSS JOIN job ON job.seq = attempt.job "
		"WHERE attempt.seq > ?1 ORDER BY attempt.seq LIMIT ?2",
		expire_bodies, false},
	{"event transcripts", KEEP_TRANSCRIPT, EVENT_SCAN, expire_event_transcript, false},
	{"job transcripts", KEEP_TRANSCRIPT, JOB_SCAN, expire_job_transcript, false},
	{"event recordings", KEEP_RECORDING, EVENT_SCAN, expire_event_recording, false},
	{"job recordings", KEEP_RECORDING, JOB_SCAN, expire_job_recording, false},
	{"event data", KEEP_CALL, EVENT_SCAN, expire_event_data, false},
	{"job data", KEEP_CALL, JOB_SCAN, expire_job_data, false},
	{"calls", KEEP_CALL,
		"SELECT seq, tenant, coalesce(nullif(max(started_ms, ended_ms), 0), "
		"(SELECT max(received_ms) FROM event INDEXED BY event_subject "
		"WHERE subject = 'call:' || call_id "
		"AND subject <> '' AND event.tenant = call.tenant), 0), " LAST(
			"call") ", 0 FROM call WHERE seq > ?1 ORDER BY seq LIMIT ?2",
		expire_call, false},
	{"appointments", KEEP_CALL,
		"SELECT seq, tenant, max(start_ms, end_ms, changed_ms), " LAST(
			"appointment") ", 0 FROM appointment WHERE seq > ?1 ORDER BY seq LIMIT ?2",
		expire_appointment, true},
	{"jobs", KEEP_METADATA,
		"SELECT seq, tenant, updated_ms, state " OPEN
		" OR EXISTS (SELECT 1 FROM event WHERE event.job = job.id) "
		"OR EXISTS (SELECT 1 FROM hold WHERE hold.job = job.seq) OR " LAST(
			"job") ", state = 6 AND pipeline = '' AND (subject = 'mirror' OR subject "
			       "GLOB 'poll/*') "
			       "FROM job WHERE seq > ?1 ORDER BY seq LIMIT ?2",
		expire_job, false},
	{"events", KEEP_METADATA,
		"SELECT seq, tenant, received_ms, "
		"EXISTS (SELECT 1 FROM job WHERE job.event = event.id) "
		"OR coalesce((SELECT state NOT IN (2, 4) FROM inbox WHERE inbox.id = event.inbox), "
		"0) OR " LAST("event") ", 0 FROM event WHERE seq > ?1 ORDER BY seq LIMIT ?2",
		expire_event, false},
	{"webhooks", KEEP_METADATA,
		"SELECT seq, tenant, received_ms, state NOT IN (2, 4) "
		"OR EXISTS (SELECT 1 FROM event WHERE event.inbox = inbox.id) OR " LAST(
			"inbox") ", 0 FROM inbox WHERE seq > ?1 ORDER BY seq LIMIT ?2",
		expire_inbox, false},
};
#define WALKS (sizeof(walks) / sizeof(*walks))

/* ---- what is kept how long ---------------------------------------------------------------- */

static int by_tenant(const void *key, const void *element)
{
	const struct str *tenant = key;
	const struct keep *keep = element;
	size_t n = tenant->len < keep->tenant.len ? tenant->len : keep->tenant.len;
	int order = n ? memcmp(tenant->ptr, keep->tenant.ptr, n) : 0;

	return order ? order : (tenant->len > keep->tenant.len) - (tenant->len < keep->tenant.len);
}

static const struct keep *keep_of(const struct store_retain *op, struct str tenant)
{
	const struct keep *own =
		bsearch(&tenant, op->keeps + 1, op->keep_count - 1, sizeof(*op->keeps), by_tenant);

	return own ? own : &op->keeps[0];
}

enum fate { SETTLED, NOW, LATER, YOUNG };

static enum fate fate_of(
	const struct store_retain *op, const struct walk *walk, const struct seen *row)
{
	int64_t ms = keep_of(op, row->tenant)->ms[walk->kind];

	if (row->house && (ms == KEEP_FOREVER || ms > HOUSE_MS))
		ms = HOUSE_MS;
	if (row->have == NOTHING || ms == KEEP_FOREVER)
		return SETTLED;
	if (row->age_ms > op->now_ms - ms)
		return YOUNG;
	return row->have == BLOCKED ? LATER : NOW;
}

/* ---- where a pass begins ------------------------------------------------------------------ */

static int get_place(struct error *error, struct store *store, const char *name, int64_t *seq)
{
	struct stmt stmt;
	int rc;

	*seq = 0;
	stmt_begin_sql(&stmt, &store->conn, "SELECT seq FROM retention WHERE name = ?1");
	stmt_text(&stmt, str_of(name));
	rc = stmt_step(error, &stmt);
	if (rc == 1)
		*seq = col_i64(&stmt);
	stmt_end(&stmt);
	return rc < 0 ? rc : 0;
}

static int set_place(struct error *error, struct store *store, const char *name, int64_t seq)
{
	struct stmt stmt;

	stmt_begin_sql(&stmt, &store->conn,
		"INSERT INTO retention (name, seq) VALUES (?1, ?2) "
		"ON CONFLICT (name) DO UPDATE SET seq = excluded.seq");
	stmt_text(&stmt, str_of(name));
	stmt_i64(&stmt, seq);
	return stmt_done(error, &stmt);
}

/* What was settled under other rules may not be under these. */
static int check_rules(struct error *error, struct store *store, const struct store_retain *op)
{
	uint8_t hash[CRYPTO_HASH_MAX];
	int64_t now = 0, then;
	int rc;

	for (size_t i = 0; i < op->keep_count; i++) {
		const struct str pieces[] = {{(const char *)&now, sizeof(now)}, op->keeps[i].tenant,
			{(const char *)op->keeps[i].ms, sizeof(op->keeps[i].ms)}};
		crypto_hash("sha256", pieces, 3, hash);
		memcpy(&now, hash, sizeof(now));
	}
	rc = get_place(error, store, "rules", &then);
	if (rc || now == then)
		return rc;
	rc = conn_exec(error, &store->conn, "DELETE FROM retention WHERE name <> 'last'");
	return rc ? rc : set_place(error, store, "rules", now);
}

/* At the beginning of a pass: *doubted, or the time is noted. */
static int check_clock(
	struct error *error, struct store *store, const struct store_retain *op, bool *doubted)
{
	int64_t last;
	int rc = get_place(error, store, "last", &last);

	*doubted = !op->trusted && last && op->now_ms > last + DOUBT_MS;
	return rc || *doubted ? rc : set_place(error, store, "last", op->now_ms);
}

static int begin_walk(struct error *error, struct store *store, struct retain_place *place)
{
	unsigned walk = place->walk;
	int64_t seq = 0;
	int rc = 0;

	if (walk < WALKS)
		rc = get_place(error, store, walks[walk].name, &seq);
	*place = (struct retain_place){.walk = walk, .seq = seq, .settled = seq};
	return rc;
}

static int end_walk(struct error *error, struct store *store, struct retain_place *place)
{
	int rc = set_place(error, store, walks[place->walk].name, place->settled);

	place->walk++;
	return rc ? rc : begin_walk(error, store, place);
}

/* ---- one step of a walk ------------------------------------------------------------------- */

/* Up to limit rows, or fewer if that takes too long; *over: there are no more. */
static int scan(struct error *error, struct store *store, const struct walk *walk, int64_t after,
	struct seen *rows, size_t limit, size_t *count, bool *over)
{
	int64_t until_us = clock_mono_us() + LONGEST_US;
	struct stmt stmt;
	int rc = 0;

	*count = 0;
	stmt_begin_sql(&stmt, &store->conn, walk->scan);
	stmt_i64(&stmt, after);
	stmt_i64(&stmt, (int64_t)limit);
	while ((!*count || clock_mono_us() < until_us) && (rc = stmt_step(error, &stmt)) == 1) {
		struct seen *row = &rows[(*count)++];
		row->seq = col_i64(&stmt);
		row->tenant = col_text(&stmt, store->scratch);
		row->age_ms = col_i64(&stmt);
		row->have = (enum have)col_i64(&stmt);
		row->house = col_i64(&stmt) != 0;
	}
	stmt_end(&stmt);
	*over = rc == 0 && *count < limit;
	if (rc >= 0 && arena_failed(store->scratch))
		return error_set(error, E_NOMEM, "no memory to look for what is old");
	return rc < 0 ? rc : 0;
}

/* In memory of its own: what is left in the step's must not decide. */
static int act(struct error *error, struct store *store, const struct walk *walk, int64_t seq,
	bool *changed)
{
	struct arena *step = store->scratch;
	int rc;

	store->scratch = arena_create(ROW_MAX);
	rc = walk->act(error, store, seq, changed);
	arena_destroy(store->scratch);
	store->scratch = step;
	return rc;
}

static int visit(
	struct error *error, struct store *store, struct store_retain *op, const struct seen *row)
{
	const struct walk *walk = &walks[op->next.walk];
	struct retain_place *place = &op->next;
	enum fate fate = fate_of(op, walk, row);
	bool changed = false;
	int rc = 0;

	if (fate == NOW)
		rc = act(error, store, walk, row->seq, &changed);
	if (rc)
		return rc;
	op->freed[walk->kind] += changed;
	/* A job that is not gone yet had more attempts than one pass takes, or the newest of all.
	 */
	place->left |= fate == LATER || fate == YOUNG ||
		       (fate == NOW && !changed && walk->act == expire_job);
	place->young = fate == YOUNG ? place->young + 1 : 0;
	place->seq = row->seq;
	if (!place->left)
		place->settled = row->seq;
	return 0;
}

static int step_walk(struct error *error, struct store *store, struct store_retain *op)
{
	const struct walk *walk = &walks[op->next.walk];
	size_t limit = op->rows && op->rows < ROWS_MOST ? op->rows : ROWS_DEFAULT, count, i;
	struct seen *rows = arena_alloc(store->scratch, limit * sizeof(*rows));
	int64_t until_us = clock_mono_us() + LONGEST_US;
	bool over;
	int rc;

	if (!rows)
		return error_set(error, E_NOMEM, "no memory to look for what is old");
	rc = scan(error, store, walk, op->next.seq, rows, limit, &count, &over);
	for (i = 0; i < count && !rc && (!i || clock_mono_us() < until_us); i++)
		rc = visit(error, store, op, &rows[i]);
	if (rc)
		return rc;
	if ((i == count && over) || (!walk->all && op->next.young >= YOUNG_MOST))
		return end_walk(error, store, &op->next);
	return 0;
}

/* ---- sweeps: the host's own -------------------------------------------------------------- */

static int64_t a_day(const struct store_retain *op)
{
	return op->now_ms / DAY_MS - 2;
}

static int64_t old_answer(const struct store_retain *op)
{
	return op->now_ms - ANSWER_MS;
}

static int64_t old_quarter(const struct store_retain *op)
{
	return (op->now_ms - TALLY_KEPT_MS) / TALLY_MS;
}

static int64_t old_mark(const struct store_retain *op)
{
	return op->now_ms - GONE_KEPT_MS;
}

static int64_t the_generation(const struct store_retain *op)
{
	return (int64_t)op->generation;
}

static const struct sweep {
	const char *sql; /* ?1: before that; ?2: at most */
	int64_t (*before)(const struct store_retain *op);
} sweeps[] = {
	{"DELETE FROM answer WHERE seq IN (SELECT seq FROM answer "
	 "WHERE seq < (SELECT max(seq) FROM answer) ORDER BY seq LIMIT ?2) AND at_ms < ?1",
		old_answer},
	{"DELETE FROM slot WHERE (tenant, connection, event_type, day, staff) IN (SELECT tenant, "
	 "connection, event_type, day, staff FROM slot INDEXED BY slot_day WHERE day < ?1 LIMIT "
	 "?2)",
		a_day},
	{"DELETE FROM slot_dirty WHERE (tenant, connection, day) IN (SELECT tenant, connection, "
	 "day "
	 "FROM slot_dirty INDEXED BY slot_dirty_day WHERE day < ?1 LIMIT ?2)",
		a_day},
	{"DELETE FROM tally WHERE (tenant, quarter) IN (SELECT tenant, quarter FROM tally "
	 "INDEXED BY tally_quarter WHERE quarter < ?1 LIMIT ?2)",
		old_quarter},
	{"DELETE FROM gone WHERE seq IN (SELECT seq FROM gone ORDER BY seq LIMIT ?2) AND gone_ms < "
	 "?1",
		old_mark},
	{"DELETE FROM generation WHERE number IN (SELECT number FROM generation AS old WHERE "
	 "number < (SELECT max(number) FROM generation) - " STRING(
		 GENERATIONS_KEPT) " AND number "
				   "<> ?1 AND (SELECT count(*) FROM (SELECT 1 FROM job INDEXED BY "
				   "job_open WHERE state <> 6 "
				   "LIMIT " STRING(OPEN_MOST) ")) < " STRING(
					   OPEN_MOST) " AND NOT EXISTS (SELECT 1 FROM job "
						      "INDEXED BY job_open WHERE state <> 6 AND "
						      "generation = old.number) LIMIT min(?2, 8))",
		the_generation},
};
#define SWEEPS (sizeof(sweeps) / sizeof(*sweeps))

static int step_sweep(struct error *error, struct store *store, struct store_retain *op)
{
	const struct sweep *sweep = &sweeps[op->next.walk - WALKS];
	struct stmt stmt;
	int rc, n;

	stmt_begin_sql(&stmt, &store->conn, sweep->sql);
	stmt_i64(&stmt, sweep->before(op));
	stmt_i64(&stmt, SWEEP_ROWS);
	rc = stmt_done(error, &stmt);
	n = rc ? 0 : sqlite3_changes(store->conn.db);
	op->swept += (uint32_t)n;
	if (n < SWEEP_ROWS)
		op->next.walk++;
	return rc;
}

/* ---- the operation ------------------------------------------------------------------------ */

static int step(struct error *error, struct store *store, struct store_retain *op)
{
	int rc = 0;

	if (op->next.walk == 0 && op->next.seq == 0) {
		rc = check_clock(error, store, op, &op->doubted);
		if (rc || op->doubted)
			return rc;
		rc = check_rules(error, store, op);
		if (!rc)
			rc = begin_walk(error, store, &op->next);
	}
	if (rc)
		return rc;
	if (op->next.walk < WALKS)
		return step_walk(error, store, op);
	return step_sweep(error, store, op);
}

static int run_retain(struct store *store, struct store_op *base)
{
	struct store_retain *op = (struct store_retain *)base;
	int rc;

	op->next = op->at;
	op->swept = 0;
	op->doubted = false;
	memset(op->freed, 0, sizeof(op->freed));
	rc = step(&base->error, store, op);
	op->over = op->doubted || op->next.walk == WALKS + SWEEPS;
	return rc;
}

void store_retain(struct store *store, struct store_retain *op)
{
	op->op.sealed = NULL;
	queue_submit(store, &op->op, run_retain);
}
