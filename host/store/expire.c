/* expire.c - see expire.h. Never forgets that an event was there (gone.c). The writer's thread. */
#include "store/expire.h"

#include <string.h>

#include "base/json.h"
#include "store/engine.h"

#define DEPTH_MOST 64
#define TREE_MAX ((size_t)64 << 20) /* of what is read of one row */

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
int expire_raw(struct error *error, struct store *store, int64_t seq, bool *changed)
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

int expire_bodies(struct error *error, struct store *store, int64_t seq, bool *changed)
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

int expire_event_transcript(struct error *error, struct store *store, int64_t seq, bool *changed)
{
	return cut_sealed(error, store, &from_event, seq, transcript, changed);
}

int expire_event_recording(struct error *error, struct store *store, int64_t seq, bool *changed)
{
	return cut_sealed(error, store, &from_event, seq, recording, changed);
}

int expire_job_transcript(struct error *error, struct store *store, int64_t seq, bool *changed)
{
	return cut_job(error, store, seq, transcript, changed);
}

int expire_job_recording(struct error *error, struct store *store, int64_t seq, bool *changed)
{
	return cut_job(error, store, seq, recording, changed);
}

/* ---- all of what was said ----------------------------------------------------------------- */

int expire_event_data(struct error *error, struct store *store, int64_t seq, bool *changed)
{
	static const struct query q = {Q_RETAIN_EVENT_EMPTY,
		"UPDATE event SET lock = x'', sealed = x'', person = NULL, other = NULL, "
		"third = NULL, fourth = NULL WHERE seq = ?1 AND length(lock) > 0"};

	return change_seq(error, store, &q, seq, changed);
}

int expire_job_data(struct error *error, struct store *store, int64_t seq, bool *changed)
{
	static const struct query q = {Q_RETAIN_JOB_EMPTY,
		"UPDATE job SET lock = NULL, sealed = NULL, progress = NULL, person = NULL, "
		"other = NULL, third = NULL, fourth = NULL WHERE seq = ?1 AND (lock IS NOT NULL OR "
		"progress IS NOT NULL)"};

	return change_seq(error, store, &q, seq, changed);
}

int expire_call(struct error *error, struct store *store, int64_t seq, bool *changed)
{
	static const struct query q = {Q_RETAIN_CALL, "DELETE FROM call WHERE seq = ?1"};

	return change_seq(error, store, &q, seq, changed);
}

int expire_appointment(struct error *error, struct store *store, int64_t seq, bool *changed)
{
	static const struct query q = {
		Q_RETAIN_APPOINTMENT, "DELETE FROM appointment WHERE seq = ?1"};

	return change_seq(error, store, &q, seq, changed);
}

/* ---- the rows themselves ------------------------------------------------------------------ */

/* One of many attempts, a long poll, goes over several passes. */
int expire_job(struct error *error, struct store *store, int64_t seq, bool *changed)
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

int expire_event(struct error *error, struct store *store, int64_t seq, bool *changed)
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
	return rc || !dedupe.len ? rc : gone_add(error, store, connection, dedupe);
}

int expire_inbox(struct error *error, struct store *store, int64_t seq, bool *changed)
{
	static const struct query q = {Q_RETAIN_INBOX_GONE, "DELETE FROM inbox WHERE seq = ?1"};

	return change_seq(error, store, &q, seq, changed);
}
