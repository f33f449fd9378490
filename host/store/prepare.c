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

/* The numbers and addresses of a list; more than fit are left out. */
static size_t split(struct str list, struct str out[SEAL_OWNERS])
{
	size_t count = 0;

	while (list.len && count < SEAL_OWNERS) {
		const char *blank = memchr(list.ptr, ' ', list.len);
		size_t n = blank ? (size_t)(blank - list.ptr) : list.len;
		if (n)
			out[count++] = (struct str){list.ptr, n};
		n += n < list.len;
		list.ptr += n;
		list.len -= n;
	}
	return count;
}

/* ---- what was sealed ---------------------------------------------------------------------- */

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
	stmt_blob(stmt, piece->lock, piece->lock_len);
	stmt_blob(stmt, piece->bytes, piece->len);
}

void stmt_box(struct stmt *stmt, const struct sealed_piece *piece)
{
	if (piece->bytes)
		stmt_blob(stmt, piece->lock, piece->lock_len + piece->len);
	else
		stmt_null(stmt);
}

void stmt_owners(struct stmt *stmt, const struct seal_owners *owners)
{
	size_t i;

	for (i = 0; i < SEAL_OWNERS; i++)
		if (i < owners->persons)
			stmt_i64(stmt, (int64_t)owners->number[i]);
		else
			stmt_null(stmt);
}

int sealed_check(struct store *store, struct store_op *op)
{
	const struct sealed *sealed = op->sealed;
	size_t i;
	int rc = 0;

	if (!sealed || sealed->forgets == keys_forgets(store->keys))
		return 0;
	for (i = 0; i < sealed->count && !rc; i++)
		if (sealed->piece[i].bytes)
			rc = keys_alive(&op->error, store->keys,
				(struct str){(const char *)sealed->piece[i].lock,
					sealed->piece[i].lock_len});
	return rc;
}

/* ---- one malloc for all pieces ------------------------------------------------------------ */

struct work {
	struct store *store;
	struct store_op *op;
	struct sealed *sealed; /* NULL while sizes are added up */
	uint8_t *at;
	size_t count, bytes;
};

struct whose { /* a row */
	struct str tenant;
	struct str person[SEAL_OWNERS];
	size_t count;
};

static int fail(struct store_op *op, int code)
{
	op->result = code;
	free(op->sealed);
	op->sealed = NULL;
	return code;
}

static int seal_piece(struct work *work, const struct whose *whose, struct seal_place place,
	const struct str *parts, size_t count)
{
	struct sealed_piece *piece = &work->sealed->piece[work->count - 1];
	struct error *error = &work->op->error;
	struct keys *keys = work->store->keys;
	uint8_t *lock = work->at;
	int rc;

	rc = seal_owners(error, keys, whose->tenant, whose->person, whose->count, &piece->owners);
	if (rc)
		return rc;
	piece->lock = lock;
	piece->lock_len = SEAL_LOCK(piece->owners.count);
	piece->bytes = lock + piece->lock_len;
	piece->len = seal_size(parts, count);
	work->at += piece->lock_len + piece->len;
	return seal_close(
		error, keys, &piece->owners, place, parts, count, lock, lock + piece->lock_len);
}

/* First pass: how much; second pass: do it. */
static int add_piece(struct work *work, const struct whose *whose, struct seal_place place,
	const struct str *parts, size_t count)
{
	work->count++;
	work->bytes += SEAL_LOCK(whose->count ? whose->count : 1) + seal_size(parts, count);
	return work->sealed ? seal_piece(work, whose, place, parts, count) : 0;
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
	sealed->forgets = keys_forgets(work->store->keys);
	work->sealed = work->op->sealed = sealed;
	work->at = (uint8_t *)sealed + head;
	work->count = work->bytes = 0;
	return 0;
}

/* Nobody knows yet whom it is about. */
int prepare_inbox(struct store *store, struct store_op *op, const struct inbox_row *row)
{
	struct str parts[] = {row->query, row->headers, row->body};
	struct whose whose = {.tenant = row->tenant};
	struct work work = {.store = store, .op = op};
	int rc;

	op->sealed = NULL;
	if (store->read_only)
		return 0;
	add_piece(&work, &whose, place_of("inbox", &row->id), parts, 3);
	rc = allocate(&work);
	if (!rc)
		rc = add_piece(&work, &whose, place_of("inbox", &row->id), parts, 3);
	return rc ? fail(op, rc) : 0;
}

/* ---- a change ----------------------------------------------------------------------------- */

static struct whose of_job(const struct job_row *row)
{
	struct whose whose = {.tenant = row->tenant};

	whose.count = split(row->person, whose.person);
	return whose;
}

/* What the person is called comes first, as it is; a list has its members apart. */
static struct whose of_event(const struct event_row *row)
{
	struct whose whose = {.tenant = row->tenant};
	struct str others[SEAL_OWNERS];
	size_t count = split(row->others, others), i;

	if (row->person.len)
		whose.person[whose.count++] = row->person;
	for (i = 0; i < count && whose.count < SEAL_OWNERS; i++)
		whose.person[whose.count++] = others[i];
	return whose;
}

static struct whose of_one(struct str tenant, struct str person)
{
	struct whose whose = {.tenant = tenant, .person = {person}, .count = person.len != 0};

	return whose;
}

static int add_attempt(struct work *work, const struct whose *whose, const struct attempt_row *row)
{
	struct str parts[] = {row->input, row->output, row->more, row->url, row->note};

	return add_piece(work, whose, place_of("attempt", &row->id), parts, 5);
}

/* With a place whose name is made of three columns. */
static int add_named(struct work *work, const struct whose *whose, const char *table,
	const struct str name[3], const struct str *parts, size_t count)
{
	struct arena *arena = arena_create(name[0].len + name[1].len + name[2].len + 4096);
	struct seal_place place = {table, row_name(arena, name[0], name[1], name[2])};
	int rc;

	if (arena_failed(arena))
		rc = error_set(&work->op->error, E_NOMEM, "no memory to seal a row");
	else
		rc = add_piece(work, whose, place, parts, count);
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
	struct whose whose;
	int rc;

	if (!row || (!row->person.len && !row->name.len)) {
		skip_piece(work);
		return 0;
	}
	whose = of_one(row->tenant, row->person);
	rc = add_named(work, &whose, "appointment",
		(const struct str[]){row->tenant, row->connection, row->uid},
		(const struct str[]){row->person, row->name}, 2);
	return rc ? rc : mark_person(work, row);
}

/* Found by the same texts as the event, which stand there without persons. */
static int add_answer(struct work *work, const struct answer_row *row, const struct job_row *job)
{
	struct whose whose = job ? of_job(job) : of_one(row->tenant, row->person);
	struct arena *arena = arena_create(4096 + 64 * (row->dedupe.len + 1));
	struct str dedupe = blind_text(work->store->keys, arena, row->dedupe);
	int rc = 0;

	if (arena_failed(arena))
		rc = error_set(&work->op->error, E_NOMEM, "no memory to seal an answer");
	if (!rc)
		rc = add_named(work, &whose, "answer",
			(const struct str[]){row->tenant, row->connection, dedupe}, &row->result,
			1);
	arena_destroy(arena);
	return rc;
}

/* An empty object is as good as nothing, and most jobs begin with that. */
static int add_progress(struct work *work, const struct job_row *row)
{
	struct str parts[] = {row->progress, row->reason};
	struct whose whose;

	if (row->progress.len <= 2 && !row->reason.len) {
		skip_piece(work);
		return 0;
	}
	whose = of_job(row);
	return add_piece(work, &whose, place_of("progress", &row->id), parts, 2);
}

static int add_job(struct work *work, struct job_row *row)
{
	struct str parts[] = {row->input, row->person};
	struct whose whose = of_job(row);
	int rc = 0;

	row->sealed = (uint32_t)work->count;
	/* state is both what the caller asks for and what becomes of it; the writer may have to run
	 * an operation twice, so the wish is kept apart. */
	if (!work->sealed)
		row->waits = row->state == JOB_WAITING;
	if (row->input.len || (row->person.len && id_is_zero(&row->event)))
		rc = add_piece(work, &whose, place_of("job", &row->id), parts, 2);
	else
		skip_piece(work);
	return rc ? rc : add_progress(work, row);
}

static int add_jobs(struct work *work, struct job_row *jobs, size_t count)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < count && !rc; i++)
		rc = add_job(work, &jobs[i]);
	return rc;
}

static int add_event(struct work *work, struct event_change *change)
{
	const struct event_row *row = change->row;
	struct str parts[] = {row->person, row->others, row->data, row->subject};
	struct whose whose = of_event(row);
	int rc;

	change->sealed = (uint32_t)work->count;
	rc = add_piece(work, &whose, place_of("event", &row->id), parts, 4);
	if (!rc)
		rc = add_appointment(work, change->appointment);
	return rc ? rc : add_jobs(work, change->jobs, change->job_count);
}

static int add_saved(struct work *work, const struct prepare *what)
{
	struct whose whose;
	size_t i;
	int rc;

	if (!what->job)
		return 0;
	rc = add_progress(work, what->job);
	whose = of_job(what->job);
	for (i = 0; i < what->attempt_count && !rc; i++)
		rc = add_attempt(work, &whose, &what->attempts[i]);
	return rc;
}

static int add_all(struct work *work, const struct prepare *what)
{
	size_t i;
	int rc = add_saved(work, what);

	for (i = 0; i < what->event_count && !rc; i++)
		rc = add_event(work, &what->events[i]);
	if (!rc)
		rc = add_jobs(work, what->jobs, what->job_count);
	for (i = 0; i < what->appointment_count && !rc; i++)
		rc = add_appointment(work, &what->appointments[i]);
	return rc || !what->answer ? rc : add_answer(work, what->answer, what->job);
}

/* Its key went while it was sealed: not damage, and the next time there is another one. */
static int fail_change(struct work *work, int code)
{
	struct store_op *op = work->op;

	if ((code == E_CORRUPT || code == E_NOTFOUND) && work->sealed &&
		work->sealed->forgets != keys_forgets(work->store->keys))
		code = error_set(
			&op->error, E_BUSY, "a person was forgotten while this was on its way");
	return fail(op, code);
}

int prepare_change(struct store *store, struct store_op *op, const struct prepare *what)
{
	struct work work = {.store = store, .op = op};
	int rc;

	op->sealed = NULL;
	if (store->read_only)
		return 0;
	rc = add_all(&work, what);
	if (!rc && !work.count)
		return 0;
	if (!rc)
		rc = allocate(&work);
	if (!rc)
		rc = add_all(&work, what);
	return rc ? fail_change(&work, rc) : 0;
}
