/* inbox.c - webhooks as they came, and what they meant. Never changes raw bytes. The writer's
 * thread, but for the sealing. */
#include "store/engine.h"

#include <string.h>

#include "store/columns.h"

static const struct query q_insert = {Q_INBOX_INSERT,
	"INSERT INTO inbox (id, tenant, connection, route, method, path, correlation, received_ms, "
	"state, reason, kills, lock) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"};
static const struct query q_raw = {
	Q_INBOX_RAW, "INSERT INTO inbox_raw (seq, sealed) VALUES (?1, ?2)"};
static const struct query q_find = {
	Q_INBOX_FIND, "SELECT seq, state, tenant, lock FROM inbox WHERE id = ?1"};
static const struct query q_mark = {Q_INBOX_MARK,
	"UPDATE inbox SET state = ?1, reason = ?2, kills = ?3, tenant = ?4, "
	"lock = coalesce(?5, lock) WHERE seq = ?6"};
static const struct query q_pending = {Q_INBOX_PENDING,
	"SELECT inbox.seq, " INBOX_COLUMNS ", " RAW_COLUMNS
	" FROM inbox INDEXED BY inbox_open JOIN inbox_raw ON inbox_raw.seq = inbox.seq "
	"WHERE state = 1 AND state IN (1, 3) "
	"AND inbox.seq > coalesce((SELECT seq FROM inbox WHERE id = ?1), 0) "
	"ORDER BY inbox.seq"};

/* ---- first commit -------------------------------------------------------------------------------
 */

static int run_append(struct store *store, struct store_op *base)
{
	const struct inbox_row *row = ((struct store_append_inbox *)base)->row;
	const struct sealed_piece *raw = sealed_piece(base, 0);
	struct stmt stmt;
	int rc;

	stmt_begin(&stmt, &store->conn, &q_insert);
	stmt_id(&stmt, &row->id);
	stmt_text(&stmt, row->tenant);
	stmt_text(&stmt, row->connection);
	stmt_text(&stmt, row->route);
	stmt_text(&stmt, row->method);
	stmt_text(&stmt, row->path);
	stmt_text(&stmt, row->correlation);
	stmt_i64(&stmt, row->received_ms);
	stmt_i64(&stmt, row->state ? row->state : INBOX_NEW);
	stmt_text(&stmt, blind_text(store->keys, store->scratch, row->reason));
	stmt_i64(&stmt, row->kills);
	stmt_blob(&stmt, raw->lock, raw->lock_len);
	rc = stmt_done(&base->error, &stmt);
	if (rc)
		return rc;
	stmt_begin(&stmt, &store->conn, &q_raw);
	stmt_i64(&stmt, sqlite3_last_insert_rowid(store->conn.db));
	stmt_blob(&stmt, raw->bytes, raw->len);
	rc = stmt_done(&base->error, &stmt);
	return rc ? rc
		  : tally_note(&base->error, store, TALLY_WEBHOOK, tally_owner(row->connection),
			    row->received_ms);
}

void store_append_inbox(struct store *store, struct store_append_inbox *op)
{
	int rc = prepare_inbox(store, &op->op, op->row);

	queue_submit(store, &op->op, rc ? NULL : run_append);
}

/* ---- second commit ------------------------------------------------------------------------------
 */

struct found {
	int64_t seq; /* 0: not there */
	enum inbox_state state;
	struct str tenant, lock;
};

static int find(struct error *error, struct store *store, const struct id *id, struct found *found)
{
	struct stmt stmt;
	int rc;

	memset(found, 0, sizeof(*found));
	stmt_begin(&stmt, &store->conn, &q_find);
	stmt_id(&stmt, id);
	rc = stmt_step(error, &stmt);
	if (rc == 1) {
		found->seq = col_i64(&stmt);
		found->state = (enum inbox_state)col_i64(&stmt);
		found->tenant = col_text(&stmt, store->scratch);
		found->lock = col_text(&stmt, store->scratch);
		rc = arena_failed(store->scratch) ? error_set(error, E_NOMEM, "no memory for a row")
						  : 0;
	} else if (rc == 0) {
		rc = error_set(error, E_NOTFOUND, "there is no such row in the inbox");
	}
	stmt_end(&stmt);
	return rc;
}

struct marking { /* how a row is left */
	enum inbox_state state;
	struct str reason;
	uint32_t kills;
	struct str tenant;
	struct str lock; /* empty: as it is */
};

static int mark(struct error *error, struct store *store, const struct found *found,
	const struct marking *as)
{
	struct stmt stmt;

	stmt_begin(&stmt, &store->conn, &q_mark);
	stmt_i64(&stmt, as->state);
	stmt_text(&stmt, blind_text(store->keys, store->scratch, as->reason));
	stmt_i64(&stmt, as->kills);
	stmt_text(&stmt, as->tenant);
	if (as->lock.len)
		stmt_blob(&stmt, as->lock.ptr, as->lock.len);
	else
		stmt_null(&stmt);
	stmt_i64(&stmt, found->seq);
	return stmt_done(error, &stmt);
}

/* ---- whose the raw bytes are -------------------------------------------------------------- */

static bool is_in(const uint64_t *numbers, size_t count, uint64_t number)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (numbers[i] == number)
			return true;
	return false;
}

/* All persons of all events: a webhook of several can be read as long as none is forgotten, because
 * nobody can cut one of them out of it. Each one's events are rows of their own. */
static int persons_of(struct error *error, struct store *store, const struct store_finish_inbox *op,
	uint64_t **numbers, size_t *count)
{
	const struct seal_owners *owners;
	size_t i, k;

	*count = 0;
	*numbers = arena_alloc(
		store->scratch, (op->event_count * SEAL_OWNERS + 1) * sizeof(**numbers));
	if (!*numbers)
		return error_set(error, E_NOMEM, "no memory for the owners of a webhook");
	for (i = 0; i < op->event_count; i++) {
		owners = &sealed_piece(&op->op, op->events[i].sealed)->owners;
		for (k = 0; k < owners->persons && *count < SEAL_OWNERS_MAX; k++)
			if (!is_in(*numbers, *count, owners->number[k]))
				(*numbers)[(*count)++] = owners->number[k];
	}
	return 0;
}

/* What nobody could read may be about anybody: it gets a key of its own, so that it can be
 * forgotten by itself if a person turns out to be in it. */
static int find_owners(struct error *error, struct store *store,
	const struct store_finish_inbox *op, struct str tenant, uint64_t **numbers, size_t *count)
{
	struct seal_owners nobody;
	int rc;

	rc = persons_of(error, store, op, numbers, count);
	if (rc || *count)
		return rc;
	*count = 1;
	if (op->state == INBOX_PARKED)
		return seal_owner_alone(
			error, store->keys, tenant, place_of("inbox", &op->inbox), &(*numbers)[0]);
	rc = seal_owners(error, store->keys, tenant, NULL, 0, &nobody);
	(*numbers)[0] = nobody.number[0];
	return rc;
}

/* A lock that names them already, or cannot be opened any more, stays. */
static int hand_over(struct error *error, struct store *store, const struct found *found,
	const uint64_t *numbers, size_t count, struct str *lock)
{
	uint8_t *out;
	int rc;

	if (count == 1 && seal_count_owners(found->lock) == 1 &&
		seal_owner_at(found->lock, 0) == numbers[0])
		return 0;
	out = arena_take(store->scratch, SEAL_LOCK(count));
	if (!out)
		return error_set(error, E_NOMEM, "no memory for the lock of a webhook");
	rc = seal_hand_over(error, store->keys, numbers, count, found->lock, out);
	if (!rc)
		*lock = (struct str){(const char *)out, SEAL_LOCK(count)};
	if (rc == E_CORRUPT && !store->conn.broken) {
		*error = (struct error){0};
		rc = 0;
	}
	return rc;
}

static int mark_finished(
	struct error *error, struct store *store, const struct store_finish_inbox *op)
{
	struct marking as = {.state = op->state, .reason = op->reason, .kills = op->kills};
	struct found found;
	uint64_t *numbers;
	size_t count;
	int rc;

	rc = find(error, store, &op->inbox, &found);
	if (rc)
		return rc;
	if (found.state != INBOX_NEW)
		return error_set(error, E_CONFLICT, "the inbox row is finished already");
	as.tenant = op->tenant.len ? op->tenant : found.tenant;
	if (op->state != INBOX_NEW)
		rc = find_owners(error, store, op, as.tenant, &numbers, &count);
	if (!rc && op->state != INBOX_NEW)
		rc = hand_over(error, store, &found, numbers, count, &as.lock);
	return rc ? rc : mark(error, store, &found, &as);
}

static int run_finish(struct store *store, struct store_op *base)
{
	struct store_finish_inbox *op = (struct store_finish_inbox *)base;
	struct error *error = &base->error;
	size_t i;
	int rc;

	rc = mark_finished(error, store, op);
	for (i = 0; i < op->event_count && !rc; i++)
		rc = event_apply(error, store, base, &op->events[i], op->claim);
	return rc ? rc : job_insert_all(error, store, base, op->jobs, op->job_count, op->claim);
}

void store_finish_inbox(struct store *store, struct store_finish_inbox *op)
{
	struct prepare what = {
		.events = op->events,
		.event_count = op->event_count,
		.jobs = op->jobs,
		.job_count = op->job_count,
	};
	int rc = prepare_change(store, &op->op, &what);

	queue_submit(store, &op->op, rc ? NULL : run_finish);
}

/* ---- after a restart ---------------------------------------------------------------------- */

/* An unreadable row must not keep the others waiting: it is left to a person. */
static int read_pending(
	struct error *error, struct store *store, struct stmt *stmt, struct store_pending_inbox *op)
{
	struct inbox_row *row = &op->rows[op->count];
	struct found found = {.seq = col_i64(stmt)};
	int rc;

	read_inbox(stmt, op->arena, row);
	if (arena_failed(op->arena))
		return error_set(error, E_NOMEM, "no memory for the pending rows");
	rc = read_raw(error, store->keys, stmt, op->arena, row);
	if (rc == E_CORRUPT && !store->conn.broken) {
		struct error why = *error;
		const struct marking as = {.state = INBOX_PARKED,
			.reason = str_of(why.text),
			.kills = row->kills,
			.tenant = row->tenant};
		*error = (struct error){0};
		return mark(error, store, &found, &as);
	}
	op->count += !rc;
	return rc;
}

/* A row at a time; those that do not fit any more are asked for with the next call. */
static int next_pending(
	struct error *error, struct store *store, struct stmt *stmt, struct store_pending_inbox *op)
{
	size_t before = op->count;
	int rc = stmt_step(error, stmt);

	if (rc != 1)
		return rc;
	rc = read_pending(error, store, stmt, op);
	if (!rc && arena_failed(op->arena))
		rc = error_set(error, E_NOMEM, "no memory for the pending rows");
	if (rc == E_NOMEM && before && arena_failed(op->arena)) {
		*error = (struct error){0};
		op->count = before;
		op->more = true;
		return 0;
	}
	return rc ? rc : 1;
}

static int run_pending(struct store *store, struct store_op *base)
{
	struct store_pending_inbox *op = (struct store_pending_inbox *)base;
	struct error *error = &base->error;
	struct stmt stmt;
	int rc = 1;

	op->count = 0;
	op->more = false;
	op->rows = arena_alloc(op->arena, (op->limit ? op->limit : 1) * sizeof(*op->rows));
	if (!op->rows)
		return error_set(error, E_NOMEM, "no memory for the pending rows");
	stmt_begin(&stmt, &store->conn, &q_pending);
	stmt_id(&stmt, &op->after);
	while (rc == 1 && op->count < op->limit)
		rc = next_pending(error, store, &stmt, op);
	stmt_end(&stmt);
	op->more |= op->count == op->limit;
	return rc < 0 ? rc : 0;
}

void store_pending_inbox(struct store *store, struct store_pending_inbox *op)
{
	op->op.sealed = NULL;
	queue_submit(store, &op->op, run_pending);
}

/* ---- again -------------------------------------------------------------------------------- */

static int run_replay(struct store *store, struct store_op *base)
{
	struct store_replay_inbox *op = (struct store_replay_inbox *)base;
	struct marking as = {.state = INBOX_NEW};
	struct found found;
	int rc;

	rc = find(&base->error, store, &op->inbox, &found);
	if (rc)
		return rc;
	if (found.state == INBOX_NEW)
		return error_set(&base->error, E_CONFLICT, "the webhook is still in work");
	if (!op->drop && !found.lock.len)
		return error_set(&base->error, E_CONFLICT,
			"the webhook's bytes were deleted when keep_raw was over: there is nothing "
			"left to read");
	if (op->drop && found.state != INBOX_PARKED)
		return error_set(&base->error, E_CONFLICT, "the webhook is not parked");
	as.tenant = found.tenant;
	if (op->drop) {
		as.state = INBOX_IGNORED;
		as.reason = op->reason;
	}
	return mark(&base->error, store, &found, &as);
}

void store_replay_inbox(struct store *store, struct store_replay_inbox *op)
{
	op->op.sealed = NULL;
	queue_submit(store, &op->op, run_replay);
}
