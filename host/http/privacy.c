/* privacy.c - the verbs about one person: all that is stored of them, and that nothing can be read
 * any more. Operators only. Never tells one tenant's rows with another's. Any thread; keeps
 * nothing.
 */
#include <string.h>
#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "http/admin_i.h"
#include "http/rows.h"

#define TRIES 5

/* ---- Who is meant ------------------------------------------------------------------------- */

static int ambiguous(struct ask *q, const struct person_hit *a, const struct person_hit *b)
{
	return error_set(&q->error, E_CONFLICT,
		"%.*s knows %.*s and %.*s: give the number with its country code, like +49 171 "
		"1234567",
		STR_ARG(a->tenant), STR_ARG(a->person), STR_ARG(b->person));
}

/* One for each tenant. */
static int find(struct ask *q, struct person_hit **hits, size_t *count)
{
	struct str person = json_get_text(q->request, "person");
	struct str tenant = json_get_text(q->request, "tenant");

	if (!person.len)
		return error_set(&q->error, E_INVALID,
			"say whom: a telephone number or a mail address is missing");
	if (admin_reader(q) < 0 ||
		store_find_person(&q->error, q->reader, tenant, person, q->arena, hits, count) < 0)
		return q->error.code;
	for (size_t i = 1; i < *count; i++)
		for (size_t k = 0; k < i; k++)
			if ((*hits)[i].known && (*hits)[k].known &&
				str_eq((*hits)[i].tenant, (*hits)[k].tenant))
				return ambiguous(q, &(*hits)[k], &(*hits)[i]);
	return 0;
}

static int nobody(struct ask *q)
{
	struct str tenant = json_get_text(q->request, "tenant");

	return error_set(&q->error, E_NOTFOUND, "nothing is stored of %.*s%s%.*s",
		STR_ARG(json_get_text(q->request, "person")), tenant.len ? ", by " : "",
		STR_ARG(tenant));
}

/* ---- Forgetting --------------------------------------------------------------------------- */

static struct json *names(struct ask *q, const struct str *list, size_t count)
{
	struct json *out = json_array(q->arena);

	for (size_t i = 0; i < count; i++)
		if (!str_is(list[i], "klinke"))
			json_push(q->arena, out, json_of_text(q->arena, list[i]));
	return out;
}

static void put_time(struct ask *q, struct json *o, const char *key, int64_t ms)
{
	char text[CLOCK_TEXT];

	clock_utc(text, ms);
	json_put_text(q->arena, o, key, str_of(text));
}

static struct json *counts(struct ask *q, const struct store_forget *op)
{
	const struct {
		const char *name;
		uint32_t n;
	} all[] = {{"webhooks", op->webhooks}, {"events", op->events}, {"jobs", op->jobs},
		{"attempts", op->attempts}, {"calls", op->calls},
		{"appointments", op->appointments}, {"answers", op->answers}};
	struct json *o = json_object(q->arena);

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		json_put_i64(q->arena, o, all[i].name, all[i].n);
	return o;
}

static struct json *receipt(struct ask *q, const struct person_hit *hit,
	const struct store_forget *op, struct json *vendors)
{
	struct json *o = json_object(q->arena), *dropped = json_object(q->arena);

	json_put_text(q->arena, o, "tenant", hit->tenant);
	json_put_text(q->arena, o, "person", hit->person);
	put_time(q, o, "at", op->now_ms);
	json_put_bool(q->arena, o, "key_destroyed", op->known);
	if (hit->forgotten_ms)
		put_time(q, o, "forgotten_before", hit->forgotten_ms);
	json_put(q->arena, o, "unreadable", counts(q, op));
	json_put_i64(q->arena, o, "shared_webhooks", op->shared);
	json_put_i64(q->arena, dropped, "jobs", op->dropped);
	json_put_i64(q->arena, dropped, "parked_webhooks", op->mentions);
	json_put(q->arena, o, "dropped", dropped);
	json_put_bool(q->arena, o, "backups_of_the_store_unreadable", true);
	json_put(q->arena, o, "vendors_that_know", vendors);
	return o;
}

static int forget_now(struct ask *q, const struct person_hit *hit, struct store_forget *op)
{
	struct str why = json_get_text(q->request, "reason");
	struct latch latch;
	int rc;

	*op = (struct store_forget){
		.tenant = hit->tenant,
		.person = hit->person,
		.reason = str_of(arena_printf(q->arena, "the person was forgotten%s%.*s",
			why.len ? ": " : "", STR_ARG(why))),
		.now_ms = clock_now_ms(),
	};
	do {
		admin_begin_wait(&latch, &op->op);
		store_forget(q->admin->store, op);
		rc = admin_end_wait(q, &latch, &op->op);
	} while (!rc && op->more);
	return rc;
}

/* Again while somebody reads; what was done the first time is not told a second time. */
static int forget(struct ask *q, const struct person_hit *hit, struct store_forget *out)
{
	struct store_forget op;
	int rc = forget_now(q, hit, out);

	for (int i = 1; i < TRIES && rc == E_BUSY; i++) {
		q->error = (struct error){0};
		rc = forget_now(q, hit, &op);
		if (op.known || op.mentions)
			*out = op;
	}
	return rc;
}

/* *out NULL: nothing was stored there. */
static int forget_one(struct ask *q, const struct person_hit *hit, struct json **out)
{
	struct store_forget op;
	struct json *vendors;
	struct str *connections;
	size_t count;

	*out = NULL;
	if (store_person_connections(&q->error, q->reader, hit->tenant, hit->person, q->arena,
		    &connections, &count) < 0)
		return q->error.code;
	vendors = names(q, connections, count);
	if (forget(q, hit, &op) < 0)
		return q->error.code;
	if (op.known || op.mentions || hit->forgotten_ms)
		*out = receipt(q, hit, &op, vendors);
	return 0;
}

const struct json *privacy_forget(struct ask *q)
{
	struct json *list = json_array(q->arena), *o = json_object(q->arena), *one;
	struct person_hit *hits;
	size_t count;

	if (find(q, &hits, &count) < 0)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		if (forget_one(q, &hits[i], &one) < 0)
			return NULL;
		if (one)
			json_push(q->arena, list, one);
	}
	if (!json_count(list)) {
		nobody(q);
		return NULL;
	}
	json_put(q->arena, o, "receipts", list);
	return o;
}

/* ---- Exporting ---------------------------------------------------------------------------- */

static struct json *answer_row(struct ask *q, const struct answer_row *row)
{
	struct json *o = json_object(q->arena);
	const struct json *result = json_parse(q->arena, row->result, NULL);

	json_put_text(q->arena, o, "connection", row->connection);
	put_time(q, o, "at", row->at_ms);
	if (result)
		json_put(q->arena, o, "result", result);
	return o;
}

static const struct json *told(struct ask *q, const struct person_hit *hit)
{
	struct json *calls = json_array(q->arena), *bookings = json_array(q->arena);
	struct json *answers = json_array(q->arena), *o;
	struct person_rows rows;

	if (store_read_person(&q->error, q->reader, hit->tenant, hit->person, q->arena, &rows) < 0)
		return NULL;
	o = rows_story(q->arena, &rows.story, false);
	for (size_t i = 0; i < rows.call_count; i++)
		json_push(q->arena, calls, rows_call(q->arena, &rows.calls[i]));
	for (size_t i = 0; i < rows.appointment_count; i++)
		json_push(q->arena, bookings, rows_appointment(q->arena, &rows.appointments[i]));
	for (size_t i = 0; i < rows.answer_count; i++)
		json_push(q->arena, answers, answer_row(q, &rows.answers[i]));
	json_put_text(q->arena, o, "tenant", hit->tenant);
	json_put_text(q->arena, o, "person", hit->person);
	put_time(q, o, "at", clock_now_ms());
	json_put(q->arena, o, "calls", calls);
	json_put(q->arena, o, "appointments", bookings);
	json_put(q->arena, o, "answers", answers);
	json_put(q->arena, o, "connections", names(q, rows.connections, rows.connection_count));
	json_put_i64(q->arena, o, "mentioned_elsewhere", rows.mentions);
	return o;
}

const struct json *privacy_export(struct ask *q)
{
	struct json *list = json_array(q->arena), *o = json_object(q->arena);
	struct person_hit *hits = NULL;
	const struct json *one;
	size_t count = 0;

	if (find(q, &hits, &count) < 0)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		if (!hits[i].known)
			continue;
		one = told(q, &hits[i]);
		if (!one)
			return NULL;
		json_push(q->arena, list, one);
	}
	if (!json_count(list)) {
		nobody(q);
		return NULL;
	}
	json_put(q->arena, o, "persons", list);
	return o;
}
