/* project.c - calls and appointments as they stand after all events so far, in whatever order those
 * came. Never lets what is older overwrite what is newer. The writer's thread. */
#include "store/engine.h"

#include <stdlib.h>

static const struct query q_call_find = {Q_CALL_FIND,
	"SELECT rank, lock, sealed FROM call "
	"WHERE tenant = ?1 AND connection = ?2 AND call_id = ?3"};
static const struct query q_call_patch = {Q_CALL_MERGE, "SELECT json_patch(?1, ?2)"};
/* Whoever has the higher rank, or the same and comes later, wins; the other fills what is empty. */
static const struct query q_call_save = {Q_CALL_SAVE,
	"INSERT INTO call (tenant, connection, call_id, rank, direction, status, agent, "
	"started_ms, "
	"ended_ms, lock, sealed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
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
	"rank = max(rank, excluded.rank), lock = excluded.lock, sealed = excluded.sealed"};
/* The same by changed_ms. */
static const struct query q_appointment_save = {Q_APPOINTMENT_SAVE,
	"INSERT INTO appointment (tenant, connection, uid, rescheduled_from, status, start_ms, "
	"end_ms, "
	"changed_ms, event_type, host, key, lock, person) "
	"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
	"ON CONFLICT (tenant, connection, uid) DO UPDATE SET "
	"rescheduled_from = iif(excluded.changed_ms >= changed_ms, "
	"  coalesce(nullif(excluded.rescheduled_from, ''), rescheduled_from), "
	"  coalesce(nullif(rescheduled_from, ''), excluded.rescheduled_from)), "
	"status = iif(excluded.changed_ms >= changed_ms, "
	"  coalesce(nullif(excluded.status, ''), status), "
	"  coalesce(nullif(status, ''), excluded.status)), "
	"start_ms = iif(excluded.changed_ms >= changed_ms, "
	"  coalesce(nullif(excluded.start_ms, 0), start_ms), "
	"  coalesce(nullif(start_ms, 0), excluded.start_ms)), "
	"end_ms = iif(excluded.changed_ms >= changed_ms, "
	"  coalesce(nullif(excluded.end_ms, 0), end_ms), "
	"  coalesce(nullif(end_ms, 0), excluded.end_ms)), "
	"event_type = iif(excluded.changed_ms >= changed_ms, "
	"  coalesce(nullif(excluded.event_type, ''), event_type), "
	"  coalesce(nullif(event_type, ''), excluded.event_type)), "
	"host = iif(excluded.changed_ms >= changed_ms, "
	"  coalesce(nullif(excluded.host, ''), host), "
	"  coalesce(nullif(host, ''), excluded.host)), "
	"key = iif(excluded.changed_ms >= changed_ms, "
	"  coalesce(nullif(excluded.key, ''), key), "
	"  coalesce(nullif(key, ''), excluded.key)), "
	/* lock and person belong together: both come from the same side */
	"lock = iif(excluded.changed_ms >= changed_ms, "
	"  coalesce(excluded.lock, lock), coalesce(lock, excluded.lock)), "
	"person = iif(excluded.changed_ms >= changed_ms, "
	"  coalesce(excluded.person, person), coalesce(person, excluded.person)), "
	"changed_ms = max(changed_ms, excluded.changed_ms)"};

/* ---- calls ------------------------------------------------------------------------------------
 */

enum { FROM, TO, PERSON, DATA, PARTS };

struct old_call {
	bool there, readable;
	uint32_t rank;
	struct str parts[PARTS];
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
		lock = col_str(&stmt);
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

static int merge_parts(struct error *error, struct store *store, const struct call_row *row,
	struct str parts[PARTS])
{
	struct str new[PARTS] = {row->from, row->to, row->person, row->data};
	const struct str *winner = new, *loser;
	struct old_call old;
	int rc, i;

	rc = find_call(error, store, row, &old);
	if (rc)
		return rc;
	loser = old.parts;
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
	stmt_sealed(&stmt, sealed);
	return stmt_done(error, &stmt);
}

/* Sealed here and not where it was submitted, because it is merged with what is stored. */
int call_merge(struct error *error, struct store *store, const struct call_row *row)
{
	struct str parts[PARTS];
	struct sealed_piece piece;
	uint8_t *sealed;
	int rc;

	rc = merge_parts(error, store, row, parts);
	if (rc)
		return rc;
	piece.len = seal_size(parts, PARTS);
	piece.bytes = sealed = arena_take(store->scratch, piece.len);
	if (!sealed)
		return error_set(error, E_NOMEM, "no memory to merge a call");
	rc = seal_close(error, store->keys, row->tenant, call_place(store, row), parts, PARTS,
		piece.lock, sealed);
	return rc ? rc : save_call(error, store, row, &piece);
}

/* ---- appointments ------------------------------------------------------------------------------
 */

int appointment_merge(struct error *error, struct store *store, const struct appointment_row *row,
	const struct sealed_piece *person)
{
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
	stmt_text(&stmt, row->key);
	stmt_sealed(&stmt, person);
	return stmt_done(error, &stmt);
}
