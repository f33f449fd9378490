/* forget.c - a person's key is destroyed, and what is left of them in clear goes with it. Never
 * reads what it makes unreadable, but for parked webhooks, of which nobody knows whose they are.
 * The key goes first: whatever happens then, nothing comes back, and the rest is done at the next
 * start. The writer's thread. */
#include "store/engine.h"

#include <string.h>

#include "base/log.h"
#include "store/wal.h"

/* Rows in which the person has a part, by the number of their key. */
#define PART(table, column)                                                                        \
	"SELECT seq FROM " #table " INDEXED BY " #table "_" #column " WHERE " #column              \
	" = ?1 AND " #column " IS NOT NULL "
#define PARTS(table)                                                                               \
	PART(table, person)                                                                        \
	"UNION " PART(table, other) "UNION " PART(table, third) "UNION " PART(table, fourth)
#define EVENTS PARTS(event)
#define JOBS                                                                                       \
	PARTS(job)                                                                                 \
	"UNION SELECT job.seq FROM event JOIN job INDEXED BY job_event ON job.event = event.id "   \
	"AND job.event IS NOT NULL WHERE event.seq IN (" EVENTS ")"
#define CALLS PARTS(call)
#define HOOKS                                                                                      \
	"SELECT inbox.seq, lock FROM inbox WHERE length(lock) > 0 AND id IN "                      \
	"(SELECT inbox FROM event WHERE seq IN (" EVENTS ") AND inbox IS NOT NULL)"
/* After a restart nobody says whose the mark is; then all are looked at. */
#define MARKED "person_hash = ?1 AND person_hash IS NOT NULL"
#define MARKED_HERE MARKED " AND tenant = ?2"

#define GONE_MAX ((size_t)64 << 20) /* of tombstones in memory */

struct leaving {
	struct store *store;
	struct error *error;
	struct store_forget *counts; /* the operation's, or one that nobody looks at */
	struct keys_gone gone;
};

/* ---- counts ------------------------------------------------------------------------------- */

static int count_one(struct leaving *leaving, const char *sql, uint32_t *out)
{
	struct stmt stmt;
	int rc;

	stmt_begin_sql(&stmt, &leaving->store->conn, sql);
	stmt_i64(&stmt, (int64_t)leaving->gone.number);
	rc = stmt_step(leaving->error, &stmt);
	if (rc == 1)
		*out += (uint32_t)col_i64(&stmt);
	stmt_end(&stmt);
	return rc < 0 ? rc : 0;
}

static int count_marked(struct leaving *leaving)
{
	struct stmt stmt;
	int rc;

	stmt_begin_sql(&stmt, &leaving->store->conn,
		leaving->counts->tenant.len ? "SELECT count(*) FROM appointment WHERE " MARKED_HERE
					    : "SELECT count(*) FROM appointment WHERE " MARKED);
	stmt_blob(&stmt, leaving->gone.mark, KEYS_MARK);
	if (leaving->counts->tenant.len)
		stmt_text(&stmt, leaving->counts->tenant);
	rc = stmt_step(leaving->error, &stmt);
	if (rc == 1)
		leaving->counts->appointments += (uint32_t)col_i64(&stmt);
	stmt_end(&stmt);
	return rc < 0 ? rc : 0;
}

static int count_all(struct leaving *leaving)
{
	struct store_forget *c = leaving->counts;
	const struct {
		const char *sql;
		uint32_t *out;
	} all[] = {
		{"SELECT count(*) FROM (" HOOKS ")", &c->webhooks},
		{"SELECT count(*) FROM (" HOOKS ") WHERE substr(lock, 2, 2) <> x'0001'",
			&c->shared},
		{"SELECT count(*) FROM event WHERE seq IN (" EVENTS ")", &c->events},
		{"SELECT count(*) FROM job WHERE seq IN (" JOBS ")", &c->jobs},
		{"SELECT count(*) FROM attempt WHERE job IN (" JOBS ")", &c->attempts},
		{"SELECT count(*) FROM call WHERE seq IN (" CALLS ")", &c->calls},
		{"SELECT count(*) FROM event JOIN answer ON answer.connection = event.connection "
		 "AND answer.dedupe = event.dedupe WHERE event.seq IN (" EVENTS ")",
			&c->answers},
	};
	int rc = count_marked(leaving);
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]) && !rc; i++)
		rc = count_one(leaving, all[i].sql, all[i].out);
	return rc;
}

/* ---- what was to be done ------------------------------------------------------------------ */

static int next_job(struct leaving *leaving, struct id *id)
{
	struct stmt stmt;
	int rc;

	stmt_begin_sql(&stmt, &leaving->store->conn,
		"SELECT id FROM job WHERE state NOT IN (6, 7) AND seq IN (" JOBS
		") ORDER BY seq LIMIT 1");
	stmt_i64(&stmt, (int64_t)leaving->gone.number);
	rc = stmt_step(leaving->error, &stmt);
	*id = rc == 1 ? col_id(&stmt) : (struct id){{0}};
	stmt_end(&stmt);
	return rc < 0 ? rc : 0;
}

static int drop_jobs(struct leaving *leaving)
{
	struct str reason = leaving->counts->reason;
	struct id id;
	int rc;

	for (;;) {
		rc = next_job(leaving, &id);
		if (rc || id_is_zero(&id))
			return rc;
		rc = job_forget(leaving->error, leaving->store, &id,
			reason.len ? reason : STR("the person was forgotten"));
		if (rc)
			return rc;
		leaving->counts->dropped++;
	}
}

/* ---- what stands in clear ----------------------------------------------------------------- */

static int take_out(struct leaving *leaving)
{
	static const char *const all[] = {
		"DELETE FROM hold WHERE seq IN (SELECT hold.seq FROM event CROSS JOIN hold "
		"INDEXED BY hold_holder ON hold.tenant = event.tenant AND hold.holder = "
		"event.subject WHERE event.seq IN (" EVENTS
		") AND hold.state = 1 AND instr(hold.holder, '~') > 0)",
		"UPDATE job SET order_key = '', subject = '' WHERE seq IN (" JOBS
		") AND (instr(order_key, '~') > 0 OR instr(subject, '~') > 0)",
		"UPDATE event SET subject = '', also = '' WHERE seq IN (" EVENTS
		") AND (instr(subject, '~') > 0 OR instr(also, '~') > 0)",
	};
	struct stmt stmt;
	size_t i;
	int rc = 0;

	for (i = 0; i < sizeof(all) / sizeof(all[0]) && !rc; i++) {
		stmt_begin_sql(&stmt, &leaving->store->conn, all[i]);
		stmt_i64(&stmt, (int64_t)leaving->gone.number);
		rc = stmt_done(leaving->error, &stmt);
	}
	if (rc)
		return rc;
	stmt_begin_sql(&stmt, &leaving->store->conn,
		leaving->counts->tenant.len
			? "UPDATE appointment SET person_hash = NULL WHERE " MARKED_HERE
			: "UPDATE appointment SET person_hash = NULL WHERE " MARKED);
	stmt_blob(&stmt, leaving->gone.mark, KEYS_MARK);
	if (leaving->counts->tenant.len)
		stmt_text(&stmt, leaving->counts->tenant);
	return stmt_done(leaving->error, &stmt);
}

static int note_gone(struct leaving *leaving)
{
	struct stmt stmt;

	stmt_begin_sql(&stmt, &leaving->store->conn,
		"INSERT INTO forgotten (number, mark, at_ms) VALUES (?1, ?2, ?3) "
		"ON CONFLICT (number) DO NOTHING");
	stmt_i64(&stmt, (int64_t)leaving->gone.number);
	stmt_blob(&stmt, leaving->gone.mark, KEYS_MARK);
	stmt_i64(&stmt, leaving->gone.at_ms);
	return stmt_done(leaving->error, &stmt);
}

static int clean(struct leaving *leaving)
{
	int rc = count_all(leaving);

	if (!rc)
		rc = drop_jobs(leaving);
	if (!rc)
		rc = take_out(leaving);
	return rc ? rc : note_gone(leaving);
}

/* ---- parked webhooks ---------------------------------------------------------------------- */

/* Digits as they may be written in between anything but digits: "+49 (0) 171 / 39-20042". */
static bool holds_number(struct str text, struct str digits)
{
	size_t i, at, k;

	for (i = 0; i < text.len; i++) {
		for (at = i, k = 0; at < text.len && k < digits.len; at++) {
			char c = text.ptr[at];
			if (c == digits.ptr[k])
				k++;
			else if (at == i || !memchr(" ()/-.+", c, 7))
				break;
		}
		if (k == digits.len)
			return true;
	}
	return false;
}

static bool holds_address(struct str text, struct str address)
{
	size_t i, k;

	for (i = 0; i + address.len <= text.len; i++) {
		for (k = 0; k < address.len; k++) {
			char a = text.ptr[i + k], b = address.ptr[k];
			if ((a >= 'A' && a <= 'Z' ? a + 32 : a) !=
				(b >= 'A' && b <= 'Z' ? b + 32 : b))
				break;
		}
		if (k == address.len)
			return true;
	}
	return false;
}

/* Without the country's code a number has at least these digits of its end. */
#define TAIL 8

static bool mentions(struct str text, struct str person)
{
	if (memchr(person.ptr, '@', person.len))
		return holds_address(text, person);
	if (person.len > TAIL + 1) {
		person.ptr += person.len - TAIL;
		person.len = TAIL;
	}
	return holds_number(text, person);
}

struct parked {
	int64_t seq;
	struct id id;
	struct str tenant, lock, sealed;
};

/* Others wait for the writer meanwhile: so many are looked at with each call. */
#define STEP_ROWS 512
#define STEP_BYTES ((size_t)1 << 20)
#define STEP_DROPS 4 /* each is some syncs */

/* The next one behind parked->seq; seq 0: none. Nothing sealed: it is another tenant's. */
static int next_parked(struct leaving *leaving, struct parked *parked)
{
	struct arena *scratch = leaving->store->scratch;
	struct stmt stmt;
	int rc;

	stmt_begin_sql(&stmt, &leaving->store->conn,
		"SELECT seq, id, tenant, lock, iif(tenant IN ('', 'agency', ?2), (SELECT sealed "
		"FROM inbox_raw WHERE inbox_raw.seq = inbox.seq), NULL) FROM inbox INDEXED BY "
		"inbox_open WHERE state = 3 AND state IN (1, 3) AND seq > ?1 ORDER BY seq LIMIT "
		"1");
	stmt_i64(&stmt, parked->seq);
	stmt_text(&stmt, leaving->counts->tenant);
	rc = stmt_step(leaving->error, &stmt);
	parked->seq = rc == 1 ? col_i64(&stmt) : 0;
	if (rc == 1) {
		parked->id = col_id(&stmt);
		parked->tenant = col_text(&stmt, scratch);
		parked->lock = col_text(&stmt, scratch);
		parked->sealed = col_text(&stmt, scratch);
	}
	stmt_end(&stmt);
	if (rc >= 0 && arena_failed(scratch))
		rc = error_set(leaving->error, E_NOMEM, "no memory for a parked webhook");
	return rc < 0 ? rc : 0;
}

static int empty_parked(struct leaving *leaving, const struct parked *parked)
{
	struct conn *conn = &leaving->store->conn;
	struct stmt stmt;
	int rc;

	stmt_begin_sql(&stmt, conn, "UPDATE inbox_raw SET sealed = x'' WHERE seq = ?1");
	stmt_i64(&stmt, parked->seq);
	rc = stmt_done(leaving->error, &stmt);
	if (rc)
		return rc;
	stmt_begin_sql(&stmt, conn,
		"UPDATE inbox SET state = 4, lock = x'', reason = 'a person in it was forgotten' "
		"WHERE seq = ?1");
	stmt_i64(&stmt, parked->seq);
	leaving->counts->mentions++;
	return stmt_done(leaving->error, &stmt);
}

/* Its own key is destroyed, and its bytes are taken out: until it was parked they lay under the
 * tenant's. */
static int drop_parked(struct leaving *leaving, const struct parked *parked)
{
	struct store *store = leaving->store;
	struct keys_gone before = leaving->gone;
	uint8_t mark[KEYS_MARK];
	int rc;

	rc = seal_mark_alone(
		leaving->error, store->keys, parked->tenant, place_of("inbox", &parked->id), mark);
	if (!rc)
		rc = keys_forget_person(
			leaving->error, store->keys, mark, leaving->counts->now_ms, &leaving->gone);
	if (!rc && leaving->gone.number)
		rc = note_gone(leaving);
	leaving->gone = before;
	return rc ? rc : empty_parked(leaving, parked);
}

/* Its key was destroyed by a forget that was not committed: nobody can look into it any more, and
 * somebody was found in it. */
static int drop_half_dropped(struct leaving *leaving, const struct parked *parked)
{
	struct store *store = leaving->store;
	struct arena *arena = arena_create(GONE_MAX);
	struct keys_gone before = leaving->gone, *gone = NULL;
	uint8_t mark[KEYS_MARK];
	size_t count = 0, i = 0;
	int rc;

	rc = seal_mark_alone(
		leaving->error, store->keys, parked->tenant, place_of("inbox", &parked->id), mark);
	if (!rc)
		rc = keys_list_gone(leaving->error, store->keys, arena, &gone, &count);
	while (!rc && i < count && memcmp(gone[i].mark, mark, KEYS_MARK) != 0)
		i++;
	if (!rc && i < count) {
		leaving->gone = gone[i];
		rc = note_gone(leaving);
		leaving->gone = before;
		if (!rc)
			rc = empty_parked(leaving, parked);
	}
	arena_destroy(arena);
	return rc;
}

static int look_at_one(struct leaving *leaving, const struct parked *parked)
{
	struct str parts[3] = {STR(""), STR(""), STR("")}, person = leaving->counts->person;
	bool readable;
	int rc;

	rc = open_again(leaving->error, leaving->store, place_of("inbox", &parked->id),
		parked->lock, parked->sealed, parts, 3, &readable);
	if (!rc && !readable)
		return drop_half_dropped(leaving, parked);
	if (rc || (!mentions(parts[2], person) && !mentions(parts[0], person)))
		return rc;
	return drop_parked(leaving, parked);
}

static int look_at_parked(struct leaving *leaving)
{
	struct store_forget *op = leaving->counts;
	struct parked parked = {.seq = op->from};
	uint32_t drops = op->mentions + STEP_DROPS;
	size_t rows = 0, bytes = 0;
	int rc = 0;

	while (!rc && rows++ < STEP_ROWS && bytes < STEP_BYTES && op->mentions < drops) {
		arena_reset(leaving->store->scratch);
		rc = next_parked(leaving, &parked);
		if (rc || !parked.seq)
			break;
		if (parked.sealed.len)
			rc = look_at_one(leaving, &parked);
		bytes += parked.sealed.len;
	}
	op->after = parked.seq ? parked.seq : INT64_MAX;
	return rc;
}

/* ---- the operation ------------------------------------------------------------------------ */

static void begin(struct store_forget *op)
{
	op->known = false;
	op->webhooks = op->shared = op->events = op->jobs = op->attempts = 0;
	op->calls = op->appointments = op->answers = op->dropped = op->mentions = 0;
}

static int is_noted(struct leaving *leaving, bool *noted)
{
	struct stmt stmt;
	int rc;

	stmt_begin_sql(&stmt, &leaving->store->conn, "SELECT 1 FROM forgotten WHERE number = ?1");
	stmt_i64(&stmt, (int64_t)leaving->gone.number);
	rc = stmt_step(leaving->error, &stmt);
	*noted = rc == 1;
	stmt_end(&stmt);
	return rc < 0 ? rc : 0;
}

/* Of tombstones: those whose rows were not seen to yet; all of them, or of one mark. */
static int clean_rest(struct leaving *leaving, const uint8_t *mark)
{
	struct arena *arena = arena_create(GONE_MAX);
	struct keys_gone *gone = NULL;
	size_t count = 0, i;
	bool noted;
	int rc;

	rc = keys_list_gone(leaving->error, leaving->store->keys, arena, &gone, &count);
	for (i = 0; i < count && !rc; i++) {
		if (mark && memcmp(gone[i].mark, mark, KEYS_MARK) != 0)
			continue;
		leaving->gone = gone[i];
		rc = is_noted(leaving, &noted);
		if (!rc && !noted) {
			leaving->counts->known = true;
			rc = clean(leaving);
		}
	}
	arena_destroy(arena);
	return rc;
}

static int destroy_key(struct leaving *leaving)
{
	struct store_forget *op = leaving->counts;
	struct keys *keys = leaving->store->keys;
	uint8_t mark[KEYS_MARK];
	int rc;

	begin(op);
	rc = keys_mark(leaving->error, keys, op->tenant, op->person, mark);
	if (!rc)
		rc = keys_forget_person(leaving->error, keys, mark, op->now_ms, &leaving->gone);
	return rc ? rc : clean_rest(leaving, mark);
}

/* May run twice, if its group does: then the key is gone already, and its tombstone is found. */
static int run_forget(struct store *store, struct store_op *base)
{
	struct store_forget *op = (struct store_forget *)base;
	struct leaving leaving = {.store = store, .error = &base->error, .counts = op};
	bool more = false;
	int rc = 0;

	op->mentions = op->before;
	if (!op->again)
		rc = destroy_key(&leaving);
	if (!rc)
		rc = look_at_parked(&leaving);
	if (!rc)
		rc = keys_search(&base->error, store->keys, &more);
	op->more = !rc && (more || op->after != INT64_MAX);
	if (!op->more)
		store->forgot = true;
	return rc;
}

/* The log holds rows as they were: until their events were known, theirs lay under another key. */
void forget_settle(struct store *store, struct store_op *group)
{
	struct error error = {0};
	int rc = checkpoint_empty(&error, &store->conn);

	wal_drop_copies(store->directory);
	for (; group && rc; group = group->next) {
		if (group->run != run_forget || group->result)
			continue;
		group->error = error;
		group->result = rc;
	}
}

void store_forget(struct store *store, struct store_forget *op)
{
	op->again = op->more;
	op->before = op->more ? op->mentions : 0;
	op->from = op->more ? op->after : 0;
	op->op.sealed = NULL;
	queue_submit(store, &op->op, run_forget);
}

/* ---- at start ----------------------------------------------------------------------------- */

static int next_noted(struct leaving *leaving, int64_t *after)
{
	struct str mark;
	struct stmt stmt;
	int rc;

	stmt_begin_sql(&stmt, &leaving->store->conn,
		"SELECT number, mark, at_ms FROM forgotten WHERE number > ?1 ORDER BY number LIMIT "
		"1");
	stmt_i64(&stmt, *after);
	rc = stmt_step(leaving->error, &stmt);
	if (rc == 1) {
		*after = col_i64(&stmt);
		leaving->gone.number = (uint64_t)*after;
		mark = col_str(&stmt);
		memcpy(leaving->gone.mark, mark.ptr, mark.len < KEYS_MARK ? mark.len : KEYS_MARK);
		leaving->gone.at_ms = col_i64(&stmt);
	}
	stmt_end(&stmt);
	return rc;
}

/* An older copy of the key store was put back: whoever was forgotten stays it. */
static int bury_again(struct leaving *leaving)
{
	int64_t after = INT64_MIN;
	int rc;

	while ((rc = next_noted(leaving, &after)) == 1) {
		bool there;
		rc = keys_has(leaving->error, leaving->store->keys, leaving->gone.number, &there);
		if (rc)
			return rc;
		if (!there)
			continue;
		log_line(LOG_WARN,
			"the key of a forgotten person was put back, and is destroyed again", NULL);
		rc = keys_bury(leaving->error, leaving->store->keys, &leaving->gone);
		if (rc)
			return rc;
	}
	return rc;
}

int forget_finish(struct error *error, struct store *store)
{
	struct store_forget nobody = {0};
	struct leaving leaving = {.store = store, .error = error, .counts = &nobody};
	bool more = true;
	int rc;

	arena_reset(store->scratch);
	rc = bury_again(&leaving);
	while (!rc && more)
		rc = keys_search(error, store->keys, &more);
	if (rc)
		return rc;
	rc = conn_exec(error, &store->conn, "BEGIN IMMEDIATE");
	if (!rc)
		rc = clean_rest(&leaving, NULL);
	if (!rc)
		rc = conn_exec(error, &store->conn, "COMMIT");
	if (rc && !sqlite3_get_autocommit(store->conn.db))
		conn_exec(NULL, &store->conn, "ROLLBACK");
	return rc;
}
