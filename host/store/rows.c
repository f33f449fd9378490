/* rows.c - how columns become rows. Never selects anything by itself. Whichever thread owns the
 * statement. */
#include "store/engine.h"

#include <string.h>

void read_inbox(struct stmt *stmt, struct arena *arena, struct inbox_row *row)
{
	memset(row, 0, sizeof(*row));
	row->id = col_id(stmt);
	row->tenant = col_text(stmt, arena);
	row->connection = col_text(stmt, arena);
	row->route = col_text(stmt, arena);
	row->method = col_text(stmt, arena);
	row->path = col_text(stmt, arena);
	row->correlation = col_text(stmt, arena);
	row->received_ms = col_i64(stmt);
	row->state = (enum inbox_state)col_i64(stmt);
	row->reason = col_text(stmt, arena);
	row->kills = (uint32_t)col_i64(stmt);
}

int read_raw(struct error *error, struct keys *keys, struct stmt *stmt, struct arena *arena,
	struct inbox_row *row)
{
	struct str lock = col_str(stmt), sealed = col_str(stmt),
		   parts[3] = {{"", 0}, {"", 0}, {"", 0}};
	int rc = 0;

	row->expired = !lock.len;
	if (!row->expired)
		rc = seal_open(
			error, keys, place_of("inbox", &row->id), lock, sealed, arena, parts, 3);
	if (rc)
		return rc;
	row->query = parts[0];
	row->headers = parts[1];
	row->body = parts[2];
	return 0;
}

int read_event(struct error *error, struct keys *keys, struct stmt *stmt, struct arena *arena,
	struct event_row *row)
{
	struct str lock, sealed, parts[4] = {STR(""), STR(""), STR(""), STR("")};
	int rc;

	memset(row, 0, sizeof(*row));
	row->id = col_id(stmt);
	row->inbox = col_id(stmt);
	row->job = col_id(stmt);
	row->tenant = col_text(stmt, arena);
	row->connection = col_text(stmt, arena);
	row->type = col_text(stmt, arena);
	row->dedupe = col_text(stmt, arena);
	row->subject = col_text(stmt, arena);
	row->also = col_text(stmt, arena);
	row->regarding = col_text(stmt, arena);
	row->correlation = col_text(stmt, arena);
	row->at_ms = col_i64(stmt);
	row->received_ms = col_i64(stmt);
	lock = col_str(stmt);
	sealed = col_str(stmt);
	if (!lock.len) { /* not kept that long */
		row->person = row->others = STR("");
		row->data = STR("{}");
		return 0;
	}
	rc = seal_open(error, keys, place_of("event", &row->id), lock, sealed, arena, parts, 4);
	row->person = parts[0];
	row->others = parts[1];
	row->data = parts[2];
	if (!rc)
		row->subject = parts[3];
	return rc;
}

struct str persons_of_event(struct arena *arena, const struct event_row *row)
{
	if (!row->others.len || !row->person.len)
		return row->person.len ? row->person : row->others;
	return str_cat(arena, (const struct str[]){row->person, STR(" "), row->others}, 3);
}

/* Two columns, or one with both behind each other. */
static int open_job(struct error *error, struct keys *keys, struct arena *arena,
	struct job_row *row, struct str lock, struct str sealed)
{
	struct str parts[2] = {STR(""), STR("")};
	int rc = 0;

	if (lock.ptr)
		rc = seal_open(
			error, keys, place_of("job", &row->id), lock, sealed, arena, parts, 2);
	row->input = parts[0];
	row->person = parts[1];
	return rc;
}

static int open_progress(struct error *error, struct keys *keys, struct arena *arena,
	struct job_row *row, struct str box)
{
	struct str parts[2] = {STR(""), STR("")};
	int rc;

	row->progress = STR("{}");
	if (!box.ptr)
		return 0;
	rc = box_open(error, keys, place_of("progress", &row->id), box, arena, parts, 2);
	row->progress = parts[0];
	if (!row->reason.len) /* the store's own came later */
		row->reason = parts[1];
	return rc;
}

int read_job(struct error *error, struct keys *keys, struct stmt *stmt, struct arena *arena,
	struct job_row *row)
{
	struct str lock, sealed, progress;
	int rc;

	memset(row, 0, sizeof(*row));
	row->id = col_id(stmt);
	row->event = col_id(stmt);
	row->tenant = col_text(stmt, arena);
	row->pipeline = col_text(stmt, arena);
	row->connection = col_text(stmt, arena);
	row->op = col_text(stmt, arena);
	row->dedupe = col_text(stmt, arena);
	row->order_key = col_text(stmt, arena);
	row->cancel_on = col_text(stmt, arena);
	row->subject = col_text(stmt, arena);
	row->key = col_text(stmt, arena);
	row->correlation = col_text(stmt, arena);
	row->state = (enum job_state)col_i64(stmt);
	row->strict = col_i64(stmt) != 0;
	row->due_ms = col_i64(stmt);
	row->created_ms = col_i64(stmt);
	row->updated_ms = col_i64(stmt);
	row->generation = (uint64_t)col_i64(stmt);
	row->step = (uint32_t)col_i64(stmt);
	row->tries = (uint32_t)col_i64(stmt);
	row->absent = (uint32_t)col_i64(stmt);
	row->kills = (uint32_t)col_i64(stmt);
	row->sent = col_i64(stmt) != 0;
	row->reason = col_text(stmt, arena);
	row->fail = col_text(stmt, arena);
	lock = col_str(stmt);
	sealed = col_str(stmt);
	progress = col_str(stmt);
	rc = open_job(error, keys, arena, row, lock, sealed);
	return rc ? rc : open_progress(error, keys, arena, row, progress);
}

int read_attempt(struct error *error, struct keys *keys, struct stmt *stmt, struct arena *arena,
	struct attempt_row *row)
{
	struct str lock, sealed, parts[5] = {STR(""), STR(""), STR(""), STR(""), STR("")};
	int rc = 0;

	memset(row, 0, sizeof(*row));
	row->id = col_id(stmt);
	row->job = col_id(stmt);
	row->kind = (enum attempt_kind)col_i64(stmt);
	row->step = (uint32_t)col_i64(stmt);
	row->number = (uint32_t)col_i64(stmt);
	row->name = col_text(stmt, arena);
	row->outcome = col_text(stmt, arena);
	row->method = col_text(stmt, arena);
	row->status = (uint32_t)col_i64(stmt);
	row->started_ms = col_i64(stmt);
	row->took_us = (uint32_t)col_i64(stmt);
	lock = col_str(stmt);
	sealed = col_str(stmt);
	row->expired = col_i64(stmt) != 0;
	if (lock.len)
		rc = seal_open(
			error, keys, place_of("attempt", &row->id), lock, sealed, arena, parts, 5);
	if (rc)
		return rc;
	row->input = parts[0];
	row->output = parts[1];
	row->more = parts[2];
	row->url = parts[3];
	row->note = parts[4];
	return 0;
}

int read_appointment(struct error *error, struct keys *keys, struct stmt *stmt, struct arena *arena,
	struct appointment_row *row)
{
	struct seal_place place = {"appointment", {"", 0}};
	struct str lock, sealed, parts[2] = {STR(""), STR("")};
	int rc = 0;

	memset(row, 0, sizeof(*row));
	row->tenant = col_text(stmt, arena);
	row->connection = col_text(stmt, arena);
	row->uid = col_text(stmt, arena);
	row->rescheduled_from = col_text(stmt, arena);
	row->status = col_text(stmt, arena);
	row->start_ms = col_i64(stmt);
	row->end_ms = col_i64(stmt);
	row->changed_ms = col_i64(stmt);
	row->event_type = col_text(stmt, arena);
	row->host = col_text(stmt, arena);
	row->vendor_id = col_text(stmt, arena);
	row->key = col_text(stmt, arena);
	row->version = (uint32_t)col_i64(stmt);
	lock = col_str(stmt);
	sealed = col_str(stmt);
	place.row = row_name(arena, row->tenant, row->connection, row->uid);
	if (lock.ptr)
		rc = seal_open(error, keys, place, lock, sealed, arena, parts, 2);
	row->person = rc ? STR("") : parts[0];
	row->name = rc ? STR("") : parts[1];
	return rc;
}
