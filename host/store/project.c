/* project.c - calls and appointments as they stand after all events so far, in whatever order those
 * came. Never lets what is older overwrite what is newer. The writer's thread. */
#include "store/engine.h"

static const struct query q_call_find = {Q_CALL_FIND,
	"SELECT rank, lock, sealed FROM call "
	"WHERE tenant = ?1 AND connection = ?2 AND call_id = ?3"};
static const struct query q_call_patch = {Q_CALL_MERGE, "SELECT json_patch(?1, ?2)"};
/* Whoever has the higher rank, or the same and comes later, wins; the other fills what is empty. */
static const struct query q_call_save = {Q_CALL_SAVE,
	"INSERT INTO call (tenant, connection, call_id, rank, direction, status, agent, "
	"started_ms, "
	"ended_ms, person, other, third, fourth, lock, sealed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, "
	"?, ?, ?, ?, ?, ?) "
	"ON CONFLICT (tenant, connection, call_id) DO UPDATE SET "
	"direction = iif(excluded.rank >= rank, "
	"  coalesce(nullif(excluded.direction, ''), direction), "
	"  coalesce(nullif(direction, ''), excluded.direction)), "
	"status = iif(excluded.rank >= rank, "
	"  coalesce(nullif(excluded.status, ''), status), "
	"  coalesce(nullif(status, ''), excluded.status)), "
	"agent = iif(excluded.rank >= rank, "
	"  coalesce(nullif(excluded.agent, ''), agent), "
	"  coalesce(nullif(agent, ''), excluded.agent)), "
	"started_ms = iif(excluded.rank >= rank, "
	"  coalesce(nullif(excluded.started_ms, 0), started_ms), "
	"  coalesce(nullif(started_ms, 0), excluded.started_ms)), "
	"ended_ms = iif(excluded.rank >= rank, "
	"  coalesce(nullif(excluded.ended_ms, 0), ended_ms), "
	"  coalesce(nullif(ended_ms, 0), excluded.ended_ms)), "
	"rank = max(rank, excluded.rank), person = excluded.person, other = excluded.other, "
	"third = excluded.third, fourth = excluded.fourth, "
	"lock = excluded.lock, sealed = excluded.sealed"};
static const struct query q_appointment_find = {Q_APPOINTMENT_FIND,
	"SELECT rescheduled_from, status, start_ms, end_ms, changed_ms, event_type, host, "
	"vendor_id, key, version, person_hash, lock, sealed FROM appointment "
	"WHERE tenant = ?1 AND connection = ?2 AND uid = ?3"};
static const struct query q_appointment_save = {Q_APPOINTMENT_SAVE,
	"INSERT INTO appointment (tenant, connection, uid, rescheduled_from, status, start_ms, "
	"end_ms, changed_ms, event_type, host, vendor_id, key, version, person_hash, lock, sealed) "
	"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
	"ON CONFLICT (tenant, connection, uid) DO UPDATE SET "
	"rescheduled_from = excluded.rescheduled_from, status = excluded.status, "
	"start_ms = excluded.start_ms, end_ms = excluded.end_ms, "
	"changed_ms = excluded.changed_ms, event_type = excluded.event_type, "
	"host = excluded.host, vendor_id = excluded.vendor_id, key = excluded.key, "
	"version = excluded.version, person_hash = excluded.person_hash, lock = excluded.lock, "
	"sealed = excluded.sealed"};
static const struct query q_appointment_version = {Q_APPOINTMENT_VERSION,
	"SELECT version FROM appointment WHERE tenant = ?1 AND connection = ?2 AND uid = ?3"};
static const struct query q_appointment_moved = {Q_APPOINTMENT_MOVED,
	"UPDATE appointment SET status = 'rescheduled', changed_ms = max(changed_ms, ?4), "
	"version = version + 1 WHERE tenant = ?1 AND connection = ?2 AND uid = ?3 "
	"AND status IN ('requested', 'booked')"};

static const struct query q_appointment_later = {Q_APPOINTMENT_LATER,
	"SELECT changed_ms FROM appointment INDEXED BY appointment_former WHERE tenant = ?1 AND "
	"connection = ?2 AND rescheduled_from = ?3 AND rescheduled_from <> '' AND uid <> ?3 "
	"LIMIT 1"};

/* ---- calls ------------------------------------------------------------------------------------
 */

enum { FROM, TO, PERSON, DATA, PARTS };

struct old_call {
	bool there, readable;
	uint32_t rank;
	struct str lock, parts[PARTS];
};

static struct seal_place call_place(struct store *store, const struct call_row *row)
{
	return (struct seal_place){
		"call", row_name(store->scratch, row->tenant, row->connection, row->call_id)};
}

static int find_call(
	struct error *error, struct store *store, const struct call_row *row, struct old_call *old)
{
	struct stmt stmt;
	int rc;

	*old = (struct old_call){0};
	stmt_begin(&stmt, &store->conn, &q_call_find);
	stmt_text(&stmt, row->tenant);
	stmt_text(&stmt, row->connection);
	stmt_text(&stmt, row->call_id);
	rc = stmt_step(error, &stmt);
	if (rc == 1) {
		struct str lock, sealed;
		old->there = true;
		old->rank = (uint32_t)col_i64(&stmt);
		lock = old->lock = col_text(&stmt, store->scratch);
		sealed = col_str(&stmt);
		rc = seal_open(error, store->keys, call_place(store, row), lock, sealed,
			store->scratch, old->parts, PARTS);
		old->readable = !rc;
	}
	stmt_end(&stmt);
	if (rc == E_CORRUPT && !store->conn.broken)
		rc = 0; /* forgotten on purpose: what comes now begins anew */
	return rc;
}

/* Facts of both; where both know one, the winner's counts. */
static int merge_data(struct error *error, struct store *store, struct str loser, struct str winner,
	struct str *out)
{
	struct stmt stmt;
	int rc;

	*out = winner.len ? winner : loser;
	if (!loser.len || !winner.len)
		return 0;
	stmt_begin(&stmt, &store->conn, &q_call_patch);
	stmt_text(&stmt, loser);
	stmt_text(&stmt, winner);
	rc = stmt_step(error, &stmt);
	if (rc == 1)
		*out = col_text(&stmt, store->scratch);
	stmt_end(&stmt);
	return rc < 0 ? rc : 0;
}

/* Who is in what was known so far is in what comes of it, too. */
static void join_owners(struct seal_owners *owners, struct str lock)
{
	size_t count = seal_count_owners(lock), i, k;

	for (i = 0; i < count && owners->count < SEAL_OWNERS; i++) {
		uint64_t number = seal_owner_at(lock, i);
		for (k = 0; k < owners->count && owners->number[k] != number;)
			k++;
		if (k < owners->count || !(number & SEAL_PERSON))
			continue;
		if (!owners->persons) /* the tenant's no longer */
			owners->count = 0;
		owners->number[owners->count++] = number;
		owners->persons = owners->count;
	}
}

static int merge_parts(struct error *error, struct store *store, const struct call_row *row,
	struct str parts[PARTS], struct seal_owners *owners)
{
	struct str new[PARTS] = {row->from, row->to, row->person, row->data};
	const struct str *winner = new, *loser;
	struct old_call old;
	int rc, i;

	rc = find_call(error, store, row, &old);
	if (rc)
		return rc;
	loser = old.parts;
	if (old.readable)
		join_owners(owners, old.lock);
	if (old.readable && row->rank < old.rank) {
		winner = old.parts;
		loser = new;
	}
	for (i = 0; i < DATA; i++)
		parts[i] = winner[i].len ? winner[i] : loser[i];
	return merge_data(error, store, loser[DATA], winner[DATA], &parts[DATA]);
}

static int save_call(struct error *error, struct store *store, const struct call_row *row,
	const struct sealed_piece *sealed)
{
	struct stmt stmt;

	stmt_begin(&stmt, &store->conn, &q_call_save);
	stmt_text(&stmt, row->tenant);
	stmt_text(&stmt, row->connection);
	stmt_text(&stmt, row->call_id);
	stmt_i64(&stmt, row->rank);
	stmt_text(&stmt, row->direction);
	stmt_text(&stmt, row->status);
	stmt_text(&stmt, row->agent);
	stmt_i64(&stmt, row->started_ms);
	stmt_i64(&stmt, row->ended_ms);
	stmt_owners(&stmt, &sealed->owners);
	stmt_sealed(&stmt, sealed);
	return stmt_done(error, &stmt);
}

/* Sealed here and not where it was submitted, because it is merged with what is stored. */
int call_merge(struct error *error, struct store *store, const struct call_row *row,
	const struct seal_owners *owners)
{
	struct sealed_piece piece = {.owners = *owners};
	struct str parts[PARTS];
	uint8_t *lock;
	int rc;

	rc = merge_parts(error, store, row, parts, &piece.owners);
	if (rc)
		return rc;
	piece.lock_len = SEAL_LOCK(piece.owners.count);
	piece.len = seal_size(parts, PARTS);
	piece.lock = lock = arena_take(store->scratch, piece.lock_len + piece.len);
	if (!lock)
		return error_set(error, E_NOMEM, "no memory to merge a call");
	piece.bytes = lock + piece.lock_len;
	rc = seal_close(error, store->keys, &piece.owners, call_place(store, row), parts, PARTS,
		lock, lock + piece.lock_len);
	return rc ? rc : save_call(error, store, row, &piece);
}

/* ---- appointments ------------------------------------------------------------------------------
 */

struct standing { /* one as stored; text in the scratch arena */
	bool there;
	struct appointment_row row;
	struct str mark, lock, sealed;
};

static int find_appointment(struct error *error, struct store *store,
	const struct appointment_row *row, struct standing *old)
{
	struct stmt stmt;
	int rc;

	*old = (struct standing){0};
	stmt_begin(&stmt, &store->conn, &q_appointment_find);
	stmt_text(&stmt, row->tenant);
	stmt_text(&stmt, row->connection);
	stmt_text(&stmt, row->uid);
	rc = stmt_step(error, &stmt);
	if (rc == 1) {
		old->there = true;
		old->row.rescheduled_from = col_text(&stmt, store->scratch);
		old->row.status = col_text(&stmt, store->scratch);
		old->row.start_ms = col_i64(&stmt);
		old->row.end_ms = col_i64(&stmt);
		old->row.changed_ms = col_i64(&stmt);
		old->row.event_type = col_text(&stmt, store->scratch);
		old->row.host = col_text(&stmt, store->scratch);
		old->row.vendor_id = col_text(&stmt, store->scratch);
		old->row.key = col_text(&stmt, store->scratch);
		old->row.version = (uint32_t)col_i64(&stmt);
		old->mark = col_text(&stmt, store->scratch);
		old->lock = col_text(&stmt, store->scratch);
		old->sealed = col_text(&stmt, store->scratch);
		rc = arena_failed(store->scratch)
			     ? error_set(error, E_NOMEM, "no memory for an appointment")
			     : 0;
	}
	stmt_end(&stmt);
	return rc;
}

static struct str first_str(struct str a, struct str b)
{
	return a.len ? a : b;
}

static int64_t first_ms(int64_t a, int64_t b)
{
	return a ? a : b;
}

/* What changed later wins; the other fills what is empty. */
static struct appointment_row merge_columns(
	const struct appointment_row *row, const struct appointment_row *old)
{
	bool newer = row->changed_ms >= old->changed_ms;
	const struct appointment_row *a = newer ? row : old, *b = newer ? old : row;
	struct appointment_row out = *row;

	out.rescheduled_from = first_str(a->rescheduled_from, b->rescheduled_from);
	out.status = first_str(a->status, b->status);
	out.start_ms = first_ms(a->start_ms, b->start_ms);
	out.end_ms = first_ms(a->end_ms, b->end_ms);
	out.event_type = first_str(a->event_type, b->event_type);
	out.host = first_str(a->host, b->host);
	out.vendor_id = first_str(a->vendor_id, b->vendor_id);
	out.key = first_str(a->key, b->key);
	out.changed_ms = a->changed_ms;
	return out;
}

/* Does it take another time of the calendar now, or of another one? */
static bool is_moved(const struct appointment_row *a, const struct appointment_row *b)
{
	return a->start_ms != b->start_ms || a->end_ms != b->end_ms ||
	       !str_eq(a->status, b->status) || !str_eq(a->event_type, b->event_type) ||
	       !str_eq(a->host, b->host);
}

static bool is_changed(const struct standing *old, const struct standing *new)
{
	return is_moved(&old->row, &new->row) ||
	       !str_eq(old->row.rescheduled_from, new->row.rescheduled_from) ||
	       !str_eq(old->row.vendor_id, new->row.vendor_id) || !str_eq(old->mark, new->mark);
}

static void use_piece(struct standing *new, const struct sealed_piece *piece)
{
	new->mark = (struct str){(const char *)piece->mark, piece->known ? KEYS_MARK : 0};
	new->lock = (struct str){(const char *)piece->lock, piece->lock_len};
	new->sealed = (struct str){(const char *)piece->bytes, piece->len};
}

static int seal_person(struct error *error, struct store *store, struct seal_place place,
	const struct str parts[2], struct standing *new)
{
	size_t size = seal_size(parts, 2), head;
	struct seal_owners owners;
	uint8_t *bytes;
	int rc;

	rc = seal_owners(error, store->keys, new->row.tenant, parts, 1, &owners);
	if (rc)
		return rc;
	head = SEAL_LOCK(owners.count);
	bytes = arena_take(store->scratch, head + size);
	if (!bytes)
		return error_set(error, E_NOMEM, "no memory to merge an appointment");
	new->lock = (struct str){(const char *)bytes, head};
	new->sealed = (struct str){(const char *)bytes + head, size};
	return seal_close(error, store->keys, &owners, place, parts, 2, bytes, bytes + head);
}

/* Both sides know something of the person: opened, merged, and sealed once more. */
static int merge_persons(struct error *error, struct store *store,
	const struct appointment_row *row, const struct standing *old, struct standing *new)
{
	bool newer = row->changed_ms >= old->row.changed_ms;
	struct seal_place place = {
		"appointment", row_name(store->scratch, row->tenant, row->connection, row->uid)};
	struct str was[2], is[2] = {row->person, row->name}, out[2];
	int rc, i;

	rc = seal_open(error, store->keys, place, old->lock, old->sealed, store->scratch, was, 2);
	if (rc == E_CORRUPT) {
		*error = (struct error){0};
		return 0; /* forgotten on purpose: what comes now begins anew */
	}
	for (i = 0; i < 2 && !rc; i++)
		out[i] = newer ? first_str(is[i], was[i]) : first_str(was[i], is[i]);
	if (!rc && !str_eq(out[0], row->person))
		new->mark = old->mark;
	return rc ? rc : seal_person(error, store, place, out, new);
}

static int merge_person(struct error *error, struct store *store, const struct appointment_row *row,
	const struct sealed_piece *piece, const struct standing *old, struct standing *new)
{
	bool whole = row->person.len && row->name.len && row->changed_ms >= old->row.changed_ms;

	use_piece(new, piece);
	if (!old->lock.len || whole)
		return 0;
	if (piece->bytes)
		return merge_persons(error, store, row, old, new);
	new->mark = old->mark;
	new->lock = old->lock;
	new->sealed = old->sealed;
	return 0;
}

static int save_appointment(
	struct error *error, struct store *store, const struct standing *appointment)
{
	const struct appointment_row *row = &appointment->row;
	struct stmt stmt;

	stmt_begin(&stmt, &store->conn, &q_appointment_save);
	stmt_text(&stmt, row->tenant);
	stmt_text(&stmt, row->connection);
	stmt_text(&stmt, row->uid);
	stmt_text(&stmt, row->rescheduled_from);
	stmt_text(&stmt, row->status);
	stmt_i64(&stmt, row->start_ms);
	stmt_i64(&stmt, row->end_ms);
	stmt_i64(&stmt, row->changed_ms);
	stmt_text(&stmt, row->event_type);
	stmt_text(&stmt, row->host);
	stmt_text(&stmt, row->vendor_id);
	stmt_text(&stmt, row->key);
	stmt_i64(&stmt, row->version);
	stmt_bytes(&stmt, appointment->mark);
	stmt_bytes(&stmt, appointment->lock);
	stmt_bytes(&stmt, appointment->sealed);
	return stmt_done(error, &stmt);
}

/* The times it took and takes are not what the calendar said of them any more. */
static int make_dirty(struct error *error, struct store *store, const struct standing *old,
	const struct appointment_row *row)
{
	int rc = 0;

	if (old->there && !is_moved(&old->row, row))
		return 0;
	if (old->there && (old->row.start_ms != row->start_ms || old->row.end_ms != row->end_ms))
		rc = mirror_dirty(error, store, row->tenant, row->connection, old->row.start_ms,
			old->row.end_ms);
	return rc ? rc
		  : mirror_dirty(
			    error, store, row->tenant, row->connection, row->start_ms, row->end_ms);
}

/* Webhooks overtake each other: of what was moved already only the old half comes now, and the new
 * one stands. Without this both would. */
static int yield_to_later(struct error *error, struct store *store, struct appointment_row *row)
{
	struct stmt stmt;
	int rc;

	if (!str_is(row->status, "requested") && !str_is(row->status, "booked"))
		return 0;
	stmt_begin(&stmt, &store->conn, &q_appointment_later);
	stmt_text(&stmt, row->tenant);
	stmt_text(&stmt, row->connection);
	stmt_text(&stmt, row->uid);
	rc = stmt_step(error, &stmt);
	if (rc == 1) {
		int64_t moved_ms = col_i64(&stmt);
		row->status = STR("rescheduled");
		if (row->changed_ms < moved_ms)
			row->changed_ms = moved_ms;
	}
	stmt_end(&stmt);
	return rc < 0 ? rc : 0;
}

/* What it was moved from stands no longer, and its time is free. A calendar tells only the new one;
 * an older row that comes later cannot raise it again. */
static int replace_former(
	struct error *error, struct store *store, const struct appointment_row *row)
{
	struct appointment_row former = *row;
	struct standing old;
	struct stmt stmt;
	int rc;

	if (!row->rescheduled_from.len || str_eq(row->rescheduled_from, row->uid))
		return 0;
	former.uid = row->rescheduled_from;
	rc = find_appointment(error, store, &former, &old);
	if (rc || !old.there)
		return rc;
	stmt_begin(&stmt, &store->conn, &q_appointment_moved);
	stmt_text(&stmt, row->tenant);
	stmt_text(&stmt, row->connection);
	stmt_text(&stmt, row->rescheduled_from);
	stmt_i64(&stmt, row->changed_ms);
	rc = stmt_done(error, &stmt);
	return rc ? rc
		  : mirror_dirty(error, store, row->tenant, row->connection, old.row.start_ms,
			    old.row.end_ms);
}

int appointment_merge(struct error *error, struct store *store, const struct appointment_row *row,
	const struct sealed_piece *sealed)
{
	struct standing old, new = {.row = *row};
	int rc;

	rc = find_appointment(error, store, row, &old);
	if (rc)
		return rc;
	if (old.there)
		new.row = merge_columns(row, &old.row);
	rc = yield_to_later(error, store, &new.row);
	if (!rc)
		rc = merge_person(error, store, row, sealed, &old, &new);
	if (rc)
		return rc;
	new.row.version = old.row.version + (!old.there || is_changed(&old, &new));
	rc = save_appointment(error, store, &new);
	if (!rc)
		rc = make_dirty(error, store, &old, &new.row);
	return rc ? rc : replace_former(error, store, &new.row);
}

int appointment_check(
	struct error *error, struct store *store, const struct appointment_expect *expect)
{
	struct stmt stmt;
	bool same;
	int rc;

	stmt_begin(&stmt, &store->conn, &q_appointment_version);
	stmt_text(&stmt, expect->tenant);
	stmt_text(&stmt, expect->connection);
	stmt_text(&stmt, expect->uid);
	rc = stmt_step(error, &stmt);
	same = rc == 1 && col_i64(&stmt) == expect->version;
	stmt_end(&stmt);
	if (rc >= 0 && !same)
		rc = error_set(error, E_CONFLICT, "the appointment has changed since it was seen");
	return rc < 0 ? rc : 0;
}
