/* retention.c - what is finished and old enough loses what it says, in the end itself. Never
 * touches what somebody may still need: open work, what is parked or dead, rows that others name;
 * and never forgets that an event was there. A little of it in each operation, so that nobody waits
 * for it. The writer's thread. */
#include "store/engine.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/json.h"

#define ROWS_DEFAULT 256
#define ROWS_MOST 4096
#define LONGEST_US 2000 /* of one step: somebody may be on the line */
#define YOUNG_MOST 1000 /* rows come in the order of time, but for jumps of the clock */
#define SWEEP_ROWS 128
#define DEPTH_MOST 64
#define ROW_MAX                                                                                    \
	((size_t)512 << 20) /* of one row in work: some copies of the largest there may be */
#define TREE_MAX ((size_t)64 << 20) /* and of what is read of it */

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

/* ---- bytes as they came ------------------------------------------------------------------- */

static int run_seq(struct error *error, struct store *store, const struct query *query, int64_t seq)
{
	struct stmt stmt;

	stmt_begin(&stmt, &store->conn, query);
	stmt_i64(&stmt, seq);
	return stmt_done(error, &stmt);
}

/* As run_seq; has it changed a row? */
static int change_seq(struct error *error, struct store *store, const struct query *query,
	int64_t seq, bool *changed)
{
	int rc = run_seq(error, store, query, seq);

	*changed = !rc && sqlite3_changes(store->conn.db) > 0;
	return rc;
}

/* An empty lock says that there is nothing to unseal any more. */
static int drop_raw(struct error *error, struct store *store, int64_t seq, bool *changed)
{
	static const struct query bytes = {
		Q_RETAIN_RAW, "UPDATE inbox_raw SET sealed = x'' WHERE seq = ?1"};
	static const struct query lock = {
		Q_RETAIN_RAW_LOCK, "UPDATE inbox SET lock = x'' WHERE seq = ?1"};
	int rc = run_seq(error, store, &bytes, seq);

	return rc ? rc : change_seq(error, store, &lock, seq, changed);
}

struct sealed_row { /* in the scratch arena */
	struct id id;
	struct str lock, sealed, parts[5];
};

/* Columns id, lock, sealed. */
static int get_sealed(struct error *error, struct store *store, const struct query *query,
	int64_t seq, struct sealed_row *row)
{
	struct stmt stmt;
	int rc;

	memset(row, 0, sizeof(*row));
	stmt_begin(&stmt, &store->conn, query);
	stmt_i64(&stmt, seq);
	rc = stmt_step(error, &stmt);
	if (rc == 1) {
		row->id = col_id(&stmt);
		row->lock = col_text(&stmt, store->scratch);
		row->sealed = col_text(&stmt, store->scratch);
	}
	stmt_end(&stmt);
	if (rc >= 0 && arena_failed(store->scratch))
		rc = error_set(error, E_NOMEM, "no memory for a row");
	return rc < 0 ? rc : 0;
}

/* Parameters lock, sealed (NULL if empty), seq. */
static int set_sealed(struct error *error, struct store *store, const struct query *query,
	int64_t seq, const struct sealed_row *row)
{
	struct stmt stmt;

	stmt_begin(&stmt, &store->conn, query);
	stmt_bytes(&stmt, row->lock);
	stmt_bytes(&stmt, row->sealed);
	stmt_i64(&stmt, seq);
	return stmt_done(error, &stmt);
}

static struct str without_query(struct str url)
{
	const char *query = url.len ? memchr(url.ptr, '?', url.len) : NULL;

	return query ? (struct str){url.ptr, (size_t)(query - url.ptr)} : url;
}

static int drop_bodies(struct error *error, struct store *store, int64_t seq, bool *changed)
{
	static const struct query get = {
		Q_RETAIN_ATTEMPT, "SELECT id, lock, sealed FROM attempt WHERE seq = ?1"};
	static const struct query set = {Q_RETAIN_ATTEMPT_SET,
		"UPDATE attempt SET lock = coalesce(?1, x''), sealed = coalesce(?2, x''), "
		"expired = 1 WHERE seq = ?3 AND NOT expired"};
	struct sealed_row row;
	bool readable;
	int rc;

	rc = get_sealed(error, store, &get, seq, &row);
	if (!rc)
		rc = open_again(error, store, place_of("attempt", &row.id), row.lock, row.sealed,
			row.parts, 5, &readable);
	if (!rc && readable) {
		row.parts[0] = row.parts[1] = row.parts[2] = STR("");
		row.parts[3] = without_query(row.parts[3]);
		rc = seal_again(error, store, place_of("attempt", &row.id), &row.lock, &row.sealed,
			row.parts, 5);
	} else {
		row.lock = row.sealed = STR("");
	}
	if (!rc)
		rc = set_sealed(error, store, &set, seq, &row);
	*changed = !rc && sqlite3_changes(store->conn.db) > 0;
	return rc;
}

/* ---- members of what was said ------------------------------------------------------------- */

static const char *const transcript[] = {"transcript", "transcript_shortened", NULL};
static const char *const recording[] = {"recording_url", NULL};

static bool is_named(struct str key, const char *const *names)
{
	while (*names && !str_is(key, *names))
		names++;
	return *names != NULL;
}

/* A copy without these members, however deep they lie; value itself if it has none. */
static const struct json *without(struct arena *arena, const struct json *value,
	const char *const *names, unsigned depth, bool *found)
{
	enum json_type type = json_type(value);
	struct json *copy;

	if ((type != JSON_OBJECT && type != JSON_ARRAY) || depth > DEPTH_MOST)
		return value;
	copy = type == JSON_OBJECT ? json_object(arena) : json_array(arena);
	for (size_t i = 0; i < json_count(value); i++) {
		struct str key;
		const struct json *item = json_at(value, i, &key);
		if (type == JSON_OBJECT && is_named(key, names)) {
			*found = true;
			continue;
		}
		item = without(arena, item, names, depth + 1, found);
		if (type == JSON_OBJECT)
			json_set(arena, copy, key, item);
		else
			json_push(arena, copy, item);
	}
	return copy;
}

/* What cannot be read cannot be cut, and goes as a whole; so does what is too big to be read: the
 * next look would fare the same, and nothing behind it would ever be looked at. */
static int cut_text(struct error *error, struct arena *tree, struct str text,
	const char *const *names, struct str *out, bool *found)
{
	const struct json *value = json_parse(tree, text, NULL);
	bool here = false;

	if (value)
		value = without(tree, value, names, 0, &here);
	if (value && here)
		*out = json_print(tree, value);
	if (arena_starved(tree))
		return error_set(error, E_NOMEM, "no memory to shorten what was said");
	if (!value || arena_failed(tree)) {
		here = true;
		*out = STR("{}");
	}
	*found |= here;
	return 0;
}

/* *found: out is another text. */
static int cut(struct error *error, struct store *store, struct str text, const char *const *names,
	struct str *out, bool *found)
{
	struct arena *tree;
	bool may = false;
	int rc;

	*out = text;
	for (size_t i = 0; names[i]; i++)
		may |= text.len && memmem(text.ptr, text.len, names[i], strlen(names[i]));
	if (!may)
		return 0;
	tree = arena_create(TREE_MAX);
	if (!tree)
		return error_set(error, E_NOMEM, "no memory to shorten what was said");
	rc = cut_text(error, tree, text, names, out, found);
	if (!rc && out->ptr != text.ptr)
		*out = str_dup(store->scratch, *out);
	arena_destroy(tree);
	return rc || !arena_failed(store->scratch)
		       ? rc
		       : error_set(error, E_NOMEM, "no memory to shorten what was said");
}

struct cut_from { /* a table, and which of its sealed parts holds JSON */
	const char *table;
	size_t part_count, part;
	struct query get, set;
};
static const struct cut_from from_event = {"event", 4, 2,
	{Q_RETAIN_EVENT, "SELECT id, lock, sealed FROM event WHERE seq = ?1"},
	{Q_RETAIN_EVENT_SET, "UPDATE event SET lock = ?1, sealed = ?2 WHERE seq = ?3"}};
static const struct cut_from from_job = {"job", 2, 0,
	{Q_RETAIN_JOB, "SELECT id, lock, sealed FROM job WHERE seq = ?1"},
	{Q_RETAIN_JOB_SET, "UPDATE job SET lock = ?1, sealed = ?2 WHERE seq = ?3"}};

static int cut_sealed(struct error *error, struct store *store, const struct cut_from *from,
	int64_t seq, const char *const *names, bool *changed)
{
	struct sealed_row row;
	bool readable = false;
	int rc;

	rc = get_sealed(error, store, &from->get, seq, &row);
	if (!rc)
		rc = open_again(error, store, place_of(from->table, &row.id), row.lock, row.sealed,
			row.parts, from->part_count, &readable);
	if (!rc && readable)
		rc = cut(error, store, row.parts[from->part], names, &row.parts[from->part],
			changed);
	if (rc || !*changed)
		return rc;
	rc = seal_again(error, store, place_of(from->table, &row.id), &row.lock, &row.sealed,
		row.parts, from->part_count);
	return rc ? rc : set_sealed(error, store, &from->set, seq, &row);
}

static int set_progress(
	struct error *error, struct store *store, int64_t seq, const struct sealed_row *row)
{
	static const struct query set = {
		Q_RETAIN_PROGRESS_SET, "UPDATE job SET progress = ?1 WHERE seq = ?2"};
	struct seal_owners owners;
	struct str box;
	struct stmt stmt;
	int rc;

	rc = owners_of_lock(error, store, row->lock, STR(""), &owners);
	if (!rc)
		rc = seal_box(
			error, store, &owners, place_of("progress", &row->id), row->parts, 2, &box);
	if (rc)
		return rc;
	stmt_begin(&stmt, &store->conn, &set);
	stmt_bytes(&stmt, box);
	stmt_i64(&stmt, seq);
	return stmt_done(error, &stmt);
}

static int cut_progress(struct error *error, struct store *store, int64_t seq,
	const char *const *names, bool *changed)
{
	static const struct query get = {
		Q_RETAIN_PROGRESS, "SELECT id, progress, NULL FROM job WHERE seq = ?1"};
	struct sealed_row row;
	bool here = false;
	int rc;

	rc = get_sealed(error, store, &get, seq, &row);
	if (rc || !row.lock.len)
		return rc;
	rc = box_open(error, store->keys, place_of("progress", &row.id), row.lock, store->scratch,
		row.parts, 2);
	if (rc == E_CORRUPT && !store->conn.broken) { /* forgotten */
		*error = (struct error){0};
		return 0;
	}
	if (!rc)
		rc = cut(error, store, row.parts[0], names, &row.parts[0], &here);
	*changed |= here;
	return rc || !here ? rc : set_progress(error, store, seq, &row);
}

static int cut_job(struct error *error, struct store *store, int64_t seq, const char *const *names,
	bool *changed)
{
	int rc = cut_sealed(error, store, &from_job, seq, names, changed);

	return rc ? rc : cut_progress(error, store, seq, names, changed);
}

static int cut_event_transcript(
	struct error *error, struct store *store, int64_t seq, bool *changed)
{
	return cut_sealed(error, store, &from_event, seq, transcript, changed);
}

static int cut_event_recording(struct error *error, struct store *store, int64_t seq, bool *changed)
{
	return cut_sealed(error, store, &from_event, seq, recording, changed);
}

static int cut_job_transcript(struct error *error, struct store *store, int64_t seq, bool *changed)
{
	return cut_job(error, store, seq, transcript, changed);
}

static int cut_job_recording(struct error *error, struct store *store, int64_t seq, bool *changed)
{
	return cut_job(error, store, seq, recording, changed);
}

/* ---- all of what was said ----------------------------------------------------------------- */

static int empty_event(struct error *error, struct store *store, int64_t seq, bool *changed)
{
	static const struct query q = {Q_RETAIN_EVENT_EMPTY,
		"UPDATE event SET lock = x'', sealed = x'', person = NULL, other = NULL, "
		"third = NULL, fourth = NULL WHERE seq = ?1 AND length(lock) > 0"};

	return change_seq(error, store, &q, seq, changed);
}

static int empty_job(struct error *error, struct store *store, int64_t seq, bool *changed)
{
	static const struct query q = {Q_RETAIN_JOB_EMPTY,
		"UPDATE job SET lock = NULL, sealed = NULL, progress = NULL, person = NULL, "
		"other = NULL, third = NULL, fourth = NULL WHERE seq = ?1 AND (lock IS NOT NULL OR "
		"progress IS NOT NULL)"};

	return change_seq(error, store, &q, seq, changed);
}

static int drop_call(struct error *error, struct store *store, int64_t seq, bool *changed)
{
	static const struct query q = {Q_RETAIN_CALL, "DELETE FROM call WHERE seq = ?1"};

	return change_seq(error, store, &q, seq, changed);
}

static int drop_appointment(struct error *error, struct store *store, int64_t seq, bool *changed)
{
	static const struct query q = {
		Q_RETAIN_APPOINTMENT, "DELETE FROM appointment WHERE seq = ?1"};

	return change_seq(error, store, &q, seq, changed);
}

/* ---- the rows themselves ------------------------------------------------------------------ */

/* One of many attempts, a long poll, goes over several passes. */
static int drop_job(struct error *error, struct store *store, int64_t seq, bool *changed)
{
	static const struct query attempts = {Q_RETAIN_ATTEMPTS_GONE,
		"DELETE FROM attempt WHERE seq IN (SELECT seq FROM attempt WHERE job = ?1 "
		"AND seq < (SELECT max(seq) FROM attempt) LIMIT 256)"};
	static const struct query left = {
		Q_RETAIN_ATTEMPTS_LEFT, "SELECT EXISTS (SELECT 1 FROM attempt WHERE job = ?1)"};
	static const struct query job = {Q_RETAIN_JOB_GONE, "DELETE FROM job WHERE seq = ?1"};
	struct stmt stmt;
	bool any = true;
	int rc;

	rc = run_seq(error, store, &attempts, seq);
	if (rc)
		return rc;
	stmt_begin(&stmt, &store->conn, &left);
	stmt_i64(&stmt, seq);
	rc = stmt_step(error, &stmt);
	if (rc == 1)
		any = col_i64(&stmt) != 0;
	stmt_end(&stmt);
	return rc < 0 || any ? (rc < 0 ? rc : 0) : change_seq(error, store, &job, seq, changed);
}

static void mark_of(struct str connection, struct str dedupe, uint8_t mark[CRYPTO_HASH_MAX])
{
	const struct str pieces[] = {connection, {"", 1}, dedupe};

	crypto_hash("sha256", pieces, 3, mark);
}

#define MARK 16
static int add_mark(
	struct error *error, struct store *store, struct str connection, struct str dedupe)
{
	static const struct query q = {Q_GONE_ADD,
		"INSERT INTO gone (mark, gone_ms) VALUES (?1, ?2) "
		"ON CONFLICT (mark) DO NOTHING"};
	uint8_t mark[CRYPTO_HASH_MAX];
	struct stmt stmt;

	mark_of(connection, dedupe, mark);
	stmt_begin(&stmt, &store->conn, &q);
	stmt_blob(&stmt, mark, MARK);
	stmt_i64(&stmt, clock_now_ms());
	store->has_gone = true;
	return stmt_done(error, &stmt);
}

int retain_is_gone(
	struct error *error, struct store *store, const struct event_row *event, bool *gone)
{
	static const struct query q = {Q_GONE_FIND, "SELECT 1 FROM gone WHERE mark = ?1"};
	uint8_t mark[CRYPTO_HASH_MAX];
	struct stmt stmt;
	int rc;

	*gone = false;
	if (!store->has_gone || !event->dedupe.len)
		return 0;
	mark_of(event->connection, event->dedupe, mark);
	stmt_begin(&stmt, &store->conn, &q);
	stmt_blob(&stmt, mark, MARK);
	rc = stmt_step(error, &stmt);
	stmt_end(&stmt);
	*gone = rc == 1;
	return rc < 0 ? rc : 0;
}

static int drop_event(struct error *error, struct store *store, int64_t seq, bool *changed)
{
	static const struct query q = {Q_RETAIN_EVENT_GONE,
		"DELETE FROM event WHERE seq = ?1 RETURNING connection, dedupe"};
	struct str connection = STR(""), dedupe = STR("");
	struct stmt stmt;
	int rc;

	stmt_begin(&stmt, &store->conn, &q);
	stmt_i64(&stmt, seq);
	while ((rc = stmt_step(error, &stmt)) == 1) {
		connection = col_text(&stmt, store->scratch);
		dedupe = col_text(&stmt, store->scratch);
		*changed = true;
	}
	stmt_end(&stmt);
	return rc || !dedupe.len ? rc : add_mark(error, store, connection, dedupe);
}

static int drop_inbox(struct error *error, struct store *store, int64_t seq, bool *changed)
{
	static const struct query q = {Q_RETAIN_INBOX_GONE, "DELETE FROM inbox WHERE seq = ?1"};

	return change_seq(error, store, &q, seq, changed);
}

static const struct walk walks[] = {
	{"raw", KEEP_RAW,
		"SELECT seq, tenant, received_ms, CASE WHEN length(lock) = 0 THEN 2 "
		"WHEN state NOT IN (2, 4) THEN 1 ELSE EXISTS (SELECT 1 FROM event JOIN job "
		"ON job.event = event.id WHERE event.inbox = inbox.id AND job.state " OPEN
		") END, 0 FROM inbox WHERE seq > ?1 ORDER BY seq LIMIT ?2",
		drop_raw, false},
	{"bodies", KEEP_RAW,
		"SELECT attempt.seq, attempt.tenant, attempt.started_ms, "
		"CASE WHEN attempt.expired THEN 2 ELSE job.state " OPEN
		" END, 0 FROM attempt CROSS JOIN job ON job.seq = attempt.job "
		"WHERE attempt.seq > ?1 ORDER BY attempt.seq LIMIT ?2",
		drop_bodies, false},
	{"event transcripts", KEEP_TRANSCRIPT, EVENT_SCAN, cut_event_transcript, false},
	{"job transcripts", KEEP_TRANSCRIPT, JOB_SCAN, cut_job_transcript, false},
	{"event recordings", KEEP_RECORDING, EVENT_SCAN, cut_event_recording, false},
	{"job recordings", KEEP_RECORDING, JOB_SCAN, cut_job_recording, false},
	{"event data", KEEP_CALL, EVENT_SCAN, empty_event, false},
	{"job data", KEEP_CALL, JOB_SCAN, empty_job, false},
	{"calls", KEEP_CALL,
		"SELECT seq, tenant, coalesce(nullif(max(started_ms, ended_ms), 0), "
		"(SELECT max(received_ms) FROM event INDEXED BY event_subject "
		"WHERE subject = 'call:' || call_id "
		"AND subject <> '' AND event.tenant = call.tenant), 0), " LAST(
			"call") ", 0 FROM call WHERE seq > ?1 ORDER BY seq LIMIT ?2",
		drop_call, false},
	{"appointments", KEEP_CALL,
		"SELECT seq, tenant, max(start_ms, end_ms, changed_ms), " LAST(
			"appointment") ", 0 FROM appointment WHERE seq > ?1 ORDER BY seq LIMIT ?2",
		drop_appointment, true},
	{"jobs", KEEP_METADATA,
		"SELECT seq, tenant, updated_ms, state " OPEN
		" OR EXISTS (SELECT 1 FROM event WHERE event.job = job.id) "
		"OR EXISTS (SELECT 1 FROM hold WHERE hold.job = job.seq) OR " LAST(
			"job") ", state = 6 AND pipeline = '' AND (subject = 'mirror' OR subject "
			       "GLOB 'poll/*') "
			       "FROM job WHERE seq > ?1 ORDER BY seq LIMIT ?2",
		drop_job, false},
	{"events", KEEP_METADATA,
		"SELECT seq, tenant, received_ms, "
		"EXISTS (SELECT 1 FROM job WHERE job.event = event.id) "
		"OR coalesce((SELECT state NOT IN (2, 4) FROM inbox WHERE inbox.id = event.inbox), "
		"0) OR " LAST("event") ", 0 FROM event WHERE seq > ?1 ORDER BY seq LIMIT ?2",
		drop_event, false},
	{"webhooks", KEEP_METADATA,
		"SELECT seq, tenant, received_ms, state NOT IN (2, 4) "
		"OR EXISTS (SELECT 1 FROM event WHERE event.inbox = inbox.id) OR " LAST(
			"inbox") ", 0 FROM inbox WHERE seq > ?1 ORDER BY seq LIMIT ?2",
		drop_inbox, false},
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
		       (fate == NOW && !changed && walk->act == drop_job);
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

int retain_begin(struct error *error, struct store *store)
{
	struct stmt stmt;
	int rc;

	stmt_begin_sql(&stmt, &store->conn, "SELECT 1 FROM gone LIMIT 1");
	rc = stmt_step(error, &stmt);
	stmt_end(&stmt);
	store->has_gone = rc == 1;
	return rc < 0 ? rc : 0;
}
