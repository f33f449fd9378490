/* event.c - what happened, with all that it causes, or nothing of it if it is a repeat. The
 * writer's thread. */
#include "store/engine.h"

#include <string.h>

static const struct query q_insert = {Q_EVENT_INSERT,
	"INSERT INTO event (id, inbox, job, tenant, connection, type, dedupe, subject, also, "
	"regarding, correlation, at_ms, received_ms, person, other, third, fourth, lock, sealed) "
	"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
	"ON CONFLICT (connection, dedupe) WHERE dedupe <> '' DO NOTHING"};

static int insert(struct error *error, struct store *store, const struct event_row *row,
	const struct sealed_piece *sealed)
{
	struct stmt stmt;

	stmt_begin(&stmt, &store->conn, &q_insert);
	stmt_id(&stmt, &row->id);
	stmt_id(&stmt, &row->inbox);
	stmt_id(&stmt, &row->job);
	stmt_text(&stmt, row->tenant);
	stmt_text(&stmt, row->connection);
	stmt_text(&stmt, row->type);
	stmt_text(&stmt, row->dedupe);
	stmt_text(&stmt, row->subject);
	stmt_text(&stmt, row->also);
	stmt_text(&stmt, row->regarding);
	stmt_text(&stmt, row->correlation);
	stmt_i64(&stmt, row->at_ms);
	stmt_i64(&stmt, row->received_ms);
	stmt_owners(&stmt, &sealed->owners);
	stmt_sealed(&stmt, sealed);
	return stmt_done(error, &stmt);
}

/* The key of a step is the id of its job with the step counted into bytes 8 and 9, so only few jobs
 * lie between the ends of that span. */
static const struct query q_story = {Q_EVENT_STORY,
	"SELECT correlation FROM job WHERE id BETWEEN ?1 AND ?2 AND substr(id, 11) = ?3 "
	"AND +tenant = ?4 AND correlation <> '' LIMIT 1"};

/* What answers a step of ours goes on with its story: the booking with that of the call, the
 * message's being read with that of the booking. */
static int join_story(struct error *error, struct store *store, struct event_change *change)
{
	struct id key, low, high;
	struct stmt stmt;
	struct str correlation;
	int rc;

	if (!id_parse(&key, change->row->regarding))
		return 0;
	low = high = key;
	memset(low.b + 8, 0, 8);
	memset(high.b + 8, 0xff, 8);
	stmt_begin(&stmt, &store->conn, &q_story);
	stmt_id(&stmt, &low);
	stmt_id(&stmt, &high);
	stmt_blob(&stmt, key.b + 10, 6);
	stmt_text(&stmt, change->row->tenant);
	rc = stmt_step(error, &stmt);
	correlation = rc == 1 ? col_text(&stmt, store->scratch) : STR("");
	stmt_end(&stmt);
	if (rc < 0 || !correlation.len || correlation.len >= sizeof(change->correlation))
		return rc < 0 ? rc : 0;
	memcpy(change->correlation, correlation.ptr, correlation.len);
	change->correlation[correlation.len] = '\0';
	change->row->correlation = str_of(change->correlation);
	for (size_t i = 0; i < change->job_count; i++)
		change->jobs[i].correlation = change->row->correlation;
	return 0;
}

static void nothing_of_it(struct event_change *change)
{
	size_t i;

	change->closed = change->cancelled = 0;
	for (i = 0; i < change->job_count; i++) {
		change->jobs[i].state = 0;
		change->jobs[i].claimed = false;
	}
}

static int free_holds(struct error *error, struct store *store, const struct event_change *change)
{
	uint32_t freed = 0;

	if (!change->frees.len)
		return 0;
	return hold_free_holder(error, store, change->row->tenant, change->frees, &freed);
}

/* As it stands in the columns. */
static struct event_row in_columns(struct store *store, const struct event_row *row)
{
	struct event_row out = *row;

	out.dedupe = blind_text(store->keys, store->scratch, row->dedupe);
	out.subject = blind_text(store->keys, store->scratch, row->subject);
	out.also = blind_text(store->keys, store->scratch, row->also);
	return out;
}

int event_apply(struct error *error, struct store *store, const struct store_op *op,
	struct event_change *change, bool claim)
{
	const struct sealed_piece *sealed = sealed_piece(op, change->sealed);
	struct event_row blind, *row = &blind;
	int rc;

	nothing_of_it(change);
	rc = join_story(error, store, change);
	if (rc)
		return rc;
	blind = in_columns(store, change->row);
	if (arena_failed(store->scratch))
		return error_set(error, E_NOMEM, "no memory to store an event");
	rc = gone_find(error, store, row, &change->repeat);
	if (!rc && !change->repeat) {
		rc = insert(error, store, row, sealed);
		change->repeat = !sqlite3_changes(store->conn.db);
	}
	if (!rc)
		rc = tally_note(error, store, change->repeat ? TALLY_REPEAT : TALLY_EVENT,
			row->tenant, row->received_ms);
	if (rc || change->repeat)
		return rc;
	/* First what it ends, then what it begins: a moved booking drops the old reminder and sets
	 * the new one. */
	rc = job_cancel(error, store, row, &change->cancelled);
	if (!rc)
		rc = job_close_regarded(error, store, row, change->closes, &change->closed);
	if (!rc)
		rc = free_holds(error, store, change);
	if (!rc && change->call)
		rc = call_merge(error, store, change->call, &sealed->owners);
	if (!rc && change->appointment)
		rc = appointment_merge(
			error, store, change->appointment, sealed_piece(op, change->sealed + 1));
	if (!rc)
		rc = job_insert_all(error, store, op, change->jobs, change->job_count, claim);
	return rc;
}
