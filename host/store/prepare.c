/* prepare.c - what an operation needs before it is queued: the sealed bytes of its rows. Never
 * touches the database. The submitting thread, so that the writer does not wait for ciphers. */
#include "store/engine.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct seal_place place_of(const char *table, const struct id *id)
{
	return (struct seal_place){table, {(const char *)id->b, sizeof(id->b)}};
}

/* One text for the columns that make a row unique; none of them contains a NUL. */
struct str row_name(struct arena *arena, struct str tenant, struct str connection, struct str key)
{
	size_t len = tenant.len + connection.len + key.len + 2;
	char *text = arena_alloc(arena, len);

	if (!text)
		return (struct str){"", 0};
	if (tenant.len)
		memcpy(text, tenant.ptr, tenant.len);
	if (connection.len)
		memcpy(text + tenant.len + 1, connection.ptr, connection.len);
	if (key.len)
		memcpy(text + tenant.len + connection.len + 2, key.ptr, key.len);
	return (struct str){text, len};
}

const struct sealed_piece *sealed_piece(const struct store_op *op, size_t index)
{
	const struct sealed *sealed = op->sealed;

	assert(sealed && index < sealed->count);
	return &sealed->piece[index];
}

void stmt_sealed(struct stmt *stmt, const struct sealed_piece *piece)
{
	if (!piece->bytes) {
		stmt_null(stmt);
		stmt_null(stmt);
		return;
	}
	stmt_blob(stmt, piece->lock, sizeof(piece->lock));
	stmt_blob(stmt, piece->bytes, piece->len);
}

/* ---- one malloc for all pieces ------------------------------------------------------------------
 */

struct work {
	struct store *store;
	struct store_op *op;
	struct sealed *sealed; /* NULL while sizes are added up */
	uint8_t *at;
	size_t count, bytes;
};

static int fail(struct store_op *op, int code)
{
	op->result = code;
	free(op->sealed);
	op->sealed = NULL;
	return code;
}

/* First pass: how much; second pass: do it. */
static int add_piece(struct work *work, struct str owner, struct seal_place place,
	const struct str *parts, size_t count)
{
	size_t size = seal_size(parts, count);
	struct sealed_piece *piece;

	work->count++;
	work->bytes += size;
	if (!work->sealed)
		return 0;
	piece = &work->sealed->piece[work->count - 1];
	piece->bytes = work->at;
	piece->len = size;
	work->at += size;
	return seal_close(&work->op->error, work->store->keys, owner, place, parts, count,
		piece->lock, piece->bytes ? (uint8_t *)work->at - size : NULL);
}

static void skip_piece(struct work *work)
{
	work->count++;
}

static int allocate(struct work *work)
{
	size_t head = sizeof(struct sealed) + work->count * sizeof(struct sealed_piece);
	struct sealed *sealed = malloc(head + work->bytes);

	if (!sealed)
		return error_set(&work->op->error, E_NOMEM, "no memory to seal a row");
	memset(sealed, 0, head);
	sealed->count = work->count;
	work->sealed = work->op->sealed = sealed;
	work->at = (uint8_t *)sealed + head;
	work->count = work->bytes = 0;
	return 0;
}

int prepare_inbox(struct store *store, struct store_op *op, const struct inbox_row *row)
{
	struct str parts[] = {row->query, row->headers, row->body};
	struct work work = {.store = store, .op = op};
	int rc;

	op->sealed = NULL;
	if (store->read_only)
		return 0;
	add_piece(&work, row->tenant, place_of("inbox", &row->id), parts, 3);
	rc = allocate(&work);
	if (!rc)
		rc = add_piece(&work, row->tenant, place_of("inbox", &row->id), parts, 3);
	return rc ? fail(op, rc) : 0;
}

/* ---- a change ----------------------------------------------------------------------------------
 */

static int add_attempt(struct work *work, struct str tenant, const struct attempt_row *row)
{
	struct str parts[] = {row->input, row->output, row->more};

	return add_piece(work, tenant, place_of("attempt", &row->id), parts, 3);
}

/* With a place whose name is made of three columns. */
static int add_named(struct work *work, const char *table, const struct str name[3],
	const struct str *parts, size_t count)
{
	struct arena *arena = arena_create(name[0].len + name[1].len + name[2].len + 64);
	struct seal_place place = {table, row_name(arena, name[0], name[1], name[2])};
	int rc;

	if (arena_failed(arena))
		rc = error_set(&work->op->error, E_NOMEM, "no memory to seal a row");
	else
		rc = add_piece(work, name[0], place, parts, count);
	arena_destroy(arena);
	return rc;
}

static int mark_person(struct work *work, const struct appointment_row *row)
{
	struct sealed_piece *piece;

	if (!work->sealed || !row->person.len)
		return 0;
	piece = &work->sealed->piece[work->count - 1];
	piece->known = true;
	return keys_mark(
		&work->op->error, work->store->keys, row->tenant, row->person, piece->mark);
}

static int add_appointment(struct work *work, const struct appointment_row *row)
{
	int rc;

	if (!row || (!row->person.len && !row->name.len)) {
		skip_piece(work);
		return 0;
	}
	rc = add_named(work, "appointment",
		(const struct str[]){row->tenant, row->connection, row->uid},
		(const struct str[]){row->person, row->name}, 2);
	return rc ? rc : mark_person(work, row);
}

static int add_answer(struct work *work, const struct answer_row *row)
{
	return add_named(work, "answer",
		(const struct str[]){row->tenant, row->connection, row->dedupe}, &row->result, 1);
}

static int add_event(struct work *work, const struct event_change *change)
{
	const struct event_row *row = change->row;
	int rc = 0;

	if (row->person.len)
		rc = add_piece(work, row->tenant, place_of("event", &row->id), &row->person, 1);
	else
		skip_piece(work);
	return rc ? rc : add_appointment(work, change->appointment);
}

static int add_all(struct work *work, const struct prepare *what)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < what->attempt_count && !rc; i++)
		rc = add_attempt(work, what->tenant, &what->attempts[i]);
	for (i = 0; i < what->event_count && !rc; i++)
		rc = add_event(work, &what->events[i]);
	for (i = 0; i < what->appointment_count && !rc; i++)
		rc = add_appointment(work, &what->appointments[i]);
	return rc || !what->answer ? rc : add_answer(work, what->answer);
}

/* state is both what the caller asks for and what becomes of it; the writer may have to run an
 * operation twice, so the wish is kept apart. */
static void note_wishes(struct job_row *jobs, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		jobs[i].waits = jobs[i].state == JOB_WAITING;
}

int prepare_change(struct store *store, struct store_op *op, const struct prepare *what)
{
	struct work work = {.store = store, .op = op};
	size_t i;
	int rc;

	op->sealed = NULL;
	note_wishes(what->jobs, what->job_count);
	for (i = 0; i < what->event_count; i++)
		note_wishes(what->events[i].jobs, what->events[i].job_count);
	if (store->read_only)
		return 0;
	rc = add_all(&work, what);
	if (!rc && !work.count)
		return 0;
	if (!rc)
		rc = allocate(&work);
	if (!rc)
		rc = add_all(&work, what);
	return rc ? fail(op, rc) : 0;
}
