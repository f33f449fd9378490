/* book.c - the desk's operation book: one wish, one booking.
 *
 * Asks the calendar once for each start of a caller, whatever the agent repeats, and says "booked"
 * only if the calendar did. Keeps the time while that is open. Runs on the runner's thread.
 */
#include <assert.h>
#include <string.h>
#include "base/arena.h"
#include "base/json.h"
#include "desk/identity.h"
#include "desk/others.h"
#include "desk/phonetic.h"
#include "desk/start.h"
#include "desk/steps.h"

struct book {
	struct question *question;
	struct start start;
	struct mirror_slot slot;
	struct str connection;
	struct others others; /* begun: it is over, and others are offered */
};

static struct str when(struct desk_run *run, const struct book *book, int64_t ms)
{
	return say_when(run->arena, say_language(run), book->question->zone, ms, run->now_ms);
}

static void tell(struct desk_run *run, struct desk_next *next, struct json *result, bool success,
	struct str sentence)
{
	struct json *out = result ? result : json_object(run->arena);

	if (!json_get(out, "booked"))
		json_put_bool(run->arena, out, "booked", false);
	say_done(run, next, out, success, sentence);
}

/* ---- Other times --------------------------------------------------------------------------- */

static void offer_others(
	struct desk_run *run, struct desk_next *next, struct book *book, struct str lead)
{
	struct question about = *book->question;

	about.service = book->start.service;
	if (!book->others.begun)
		others_begin(run, &book->others, &about, book->start.ms, "booked");
	book->others.lead = lead;
	others_offer(run, next, &book->others);
}

static void taken(struct desk_run *run, struct desk_next *next, struct book *book)
{
	offer_others(run, next, book, SAY(run, TIME_TAKEN, when(run, book, book->start.ms)));
}

/* ---- Asking -------------------------------------------------------------------------------- */

static struct str email(const struct desk_run *run, const struct question *question)
{
	if (question->email.len || question->caller_phone.len || !run->settings->email)
		return question->email;
	return str_of(run->settings->email);
}

static struct str booker(const struct desk_run *run, const struct question *question)
{
	return question->caller_phone.len ? question->caller_phone : email(run, question);
}

static struct str missing(const struct desk_run *run, const struct question *question)
{
	if (!question->name.len)
		return SAY0(run, BOOK_NAME);
	if (!booker(run, question).len)
		return SAY0(run, BOOK_CONTACT);
	return (struct str){0};
}

static struct str dedupe(
	struct desk_run *run, const struct book *book, struct str event_type, size_t ended)
{
	char start[CLOCK_TEXT + 8];
	struct str again = {0};

	clock_write(start, book->start.ms, NULL);
	if (ended)
		again = str_of(arena_printf(run->arena, "/%zu", ended));
	return str_of(arena_printf(run->arena, "%s/book/%.*s/%.*s/%s%.*s", run->tenant->name,
		STR_ARG(run->holder), STR_ARG(event_type), start, STR_ARG(again)));
}

/* Appointments of this person at that start, of any state. */
static struct appointment_row *at_that_start(
	struct desk_run *run, const struct book *book, struct str person, size_t *count)
{
	struct appointment_query query = {
		.tenant = str_of(run->tenant->name),
		.connection = book->connection,
		.person = person,
		.from_ms = book->start.ms,
		.to_ms = book->start.ms + 1,
		.limit = 50,
	};
	struct appointment_row *rows = NULL;

	*count = 0;
	if (person.len && store_find_appointments(NULL, desk_reader(run->desk), &query, run->arena,
				  &rows, count) != 0)
		*count = 0;
	return rows;
}

/* What was booked and given up again may be wished again: that is another wish. */
static size_t ended_bookings(struct desk_run *run, const struct book *book)
{
	size_t count, n = 0;
	struct appointment_row *rows =
		at_that_start(run, book, booker(run, book->question), &count);

	for (size_t i = 0; i < count; i++)
		n += !identity_stands(&rows[i]) || identity_moved(run, &rows[i]);
	return n;
}

static bool same_person(const struct appointment_row *row, struct str name)
{
	return !row->name.len || !name.len || phonetic_same_name(row->name, name);
}

/* The very appointment that the caller's own number has. */
static const struct appointment_row *booked_already(struct desk_run *run, const struct book *book)
{
	size_t count;
	struct appointment_row *rows = at_that_start(run, book, run->caller, &count);

	for (size_t i = 0; i < count; i++)
		if (identity_stands(&rows[i]) && !identity_moved(run, &rows[i]) &&
			same_person(&rows[i], book->question->name) &&
			start_serves(book->start.service, rows[i].event_type))
			return &rows[i];
	return NULL;
}

/* If nobody is wished for, a repeated wish must not go to somebody else: what was asked for in this
 * call at that start is asked for again. */
static bool asked_before(
	struct desk_run *run, const struct book *book, struct str event_type, size_t ended)
{
	struct job_row job;

	return event_type.len &&
	       store_get_job(NULL, desk_reader(run->desk), str_of(run->tenant->name),
		       dedupe(run, book, event_type, ended), run->arena, &job) == 0;
}

static void keep_to_staff(struct desk_run *run, struct book *book, size_t ended)
{
	const struct office_service *service = book->start.service;

	if (book->question->staff || asked_before(run, book, book->slot.event_type, ended))
		return;
	for (size_t i = 0; i < service->staff_count; i++) {
		if (!asked_before(run, book, service->staff[i].event_type, ended))
			continue;
		book->slot.event_type = service->staff[i].event_type;
		mirror_resource(run->arena, service, &service->staff[i], &book->slot);
		return;
	}
}

static void put_some(struct arena *arena, struct json *object, const char *key, struct str text)
{
	if (text.len)
		json_put_text(arena, object, key, text);
}

static const struct json *metadata(struct desk_run *run)
{
	struct json *out = json_object(run->arena);
	struct str call = run->holder;

	if (call.len > 5 && memcmp(call.ptr, "call:", 5) == 0)
		call = (struct str){call.ptr + 5, call.len - 5};
	json_put_text(run->arena, out, "call_id", call);
	return out;
}

static struct str input(struct desk_run *run, const struct book *book)
{
	const struct question *question = book->question;
	struct arena *arena = run->arena;
	struct json *in = json_object(arena);

	json_put_text(arena, in, "event_type", book->slot.event_type);
	json_put_text(arena, in, "start", clock_print(arena, book->start.ms, NULL));
	json_put_text(arena, in, "name", question->name);
	put_some(arena, in, "phone", question->caller_phone);
	put_some(arena, in, "email", email(run, question));
	json_put_text(arena, in, "language", say_language(run) == SAY_EN ? STR("en") : STR("de"));
	json_put_text(arena, in, "timezone", str_of(zone_name(question->zone)));
	if (book->start.service->one_of_lengths)
		json_put_i64(arena, in, "length_min", book->start.service->length_ms / 60000);
	put_some(arena, in, "notes", question->reason);
	json_put(arena, in, "fields", json_get(run->input, "fields"));
	json_put(arena, in, "metadata", metadata(run));
	return json_print(arena, in);
}

static void ask(struct desk_run *run, struct desk_next *next, struct book *book, size_t ended)
{
	struct desk_ask *one = arena_alloc(run->arena, sizeof(*one));

	if (!one)
		return;
	*one = (struct desk_ask){
		.connection = book->connection,
		.op = STR("book"),
		.input = input(run, book),
		.dedupe = dedupe(run, book, book->slot.event_type, ended),
		.holds = start_hold(run, &book->slot, 0),
		.hold_count = 1,
	};
	next->then = DESK_ASK;
	next->asks = one;
	next->ask_count = 1;
}

/* ---- The beginning ------------------------------------------------------------------------- */

static void put_booking(struct desk_run *run, struct json *out, const struct appointment_row *row,
	const struct question *question)
{
	json_put_text(run->arena, out, "uid", row->uid);
	json_put_text(
		run->arena, out, "start", clock_print(run->arena, row->start_ms, question->zone));
	if (row->end_ms)
		json_put_text(run->arena, out, "end",
			clock_print(run->arena, row->end_ms, question->zone));
}

/* That it stands in the store is the calendar's word, too. */
static void tell_already(struct desk_run *run, struct desk_next *next, const struct book *book,
	const struct appointment_row *row)
{
	struct json *out = json_object(run->arena);
	bool booked = str_is(row->status, "booked");
	struct str at = when(run, book, row->start_ms);

	put_booking(run, out, row, book->question);
	json_put_bool(run->arena, out, "already", true);
	json_put_bool(run->arena, out, "booked", booked);
	tell(run, next, out, true,
		booked ? SAY(run, BOOKED_ALREADY, at) : SAY(run, BOOK_REQUESTED, at));
}

static void begin(struct desk_run *run, struct desk_next *next, struct book *book)
{
	const struct appointment_row *row;
	struct str wanting;
	size_t ended;
	bool free;

	start_choose(run, book->question, &book->start);
	if (book->start.ms < 0) {
		tell(run, next, NULL, false, book->start.sentence);
		return;
	}
	book->connection = start_calendar(run, book->start.service);
	row = booked_already(run, book);
	if (row) {
		tell_already(run, next, book, row);
		return;
	}
	free = start_slot(run, book->question, &book->start, &book->slot);
	ended = ended_bookings(run, book);
	keep_to_staff(run, book, ended);
	wanting = missing(run, book->question);
	if (!free && !asked_before(run, book, book->slot.event_type, ended))
		offer_others(
			run, next, book, SAY(run, TIME_NOT_FREE, when(run, book, book->start.ms)));
	else if (wanting.len)
		tell(run, next, NULL, false, wanting);
	else
		ask(run, next, book, ended);
}

/* ---- The end ------------------------------------------------------------------------------- */

static void tell_booked(struct desk_run *run, struct desk_next *next, const struct book *book,
	const struct appointment_row *row)
{
	struct json *out = json_object(run->arena);
	bool requested = str_is(row->status, "requested");
	struct str at = when(run, book, row->start_ms);

	put_booking(run, out, row, book->question);
	json_put_bool(run->arena, out, "booked", !requested);
	json_put_bool(run->arena, out, "requested", requested);
	if (requested)
		tell(run, next, out, true, SAY(run, BOOK_REQUESTED, at));
	else if (same_person(row, book->question->name))
		tell(run, next, out, true, SAY(run, BOOKED, at));
	else
		tell(run, next, out, true, SAY(run, BOOKED_FOR, at, row->name));
}

static void pending(struct desk_run *run, struct desk_next *next, const struct book *book)
{
	struct json *out = json_object(run->arena);

	json_put_bool(run->arena, out, "pending", true);
	json_put_text(run->arena, out, "start",
		clock_print(run->arena, book->start.ms, book->question->zone));
	tell(run, next, out, false,
		book->question->caller_phone.len ? SAY0(run, BOOK_PENDING)
						 : SAY0(run, BOOK_PENDING_MAIL));
}

/* What the calendar answered; of a question asked long ago only the appointment may be left. */
static bool read_booking(struct desk_run *run, const struct book *book, struct appointment_row *row)
{
	const struct json *result = json_parse(run->arena, run->asks[0].result, NULL);
	struct appointment_row *rows;
	size_t count;

	if (identity_booking(run, book->connection, result, row))
		return true;
	rows = at_that_start(run, book, booker(run, book->question), &count);
	for (size_t i = 0; i < count; i++) {
		if (!str_eq(rows[i].event_type, book->slot.event_type) ||
			!same_person(&rows[i], book->question->name))
			continue;
		*row = rows[i];
		return true;
	}
	return false;
}

/* An answer of a minute ago (the same wish, shared) may be over: somebody cancelled or moved it. */
static void succeeded(struct desk_run *run, struct desk_next *next, const struct book *book)
{
	const struct appointment_row *now;
	struct appointment_row row;

	if (!read_booking(run, book, &row)) {
		pending(run, next, book);
		return;
	}
	now = identity_row(run, row.connection, row.uid, row.start_ms);
	if (now && identity_moved(run, now))
		now = identity_successor(run, now);
	if (!identity_stands(&row) || (now && !identity_stands(now)))
		tell(run, next, NULL, false,
			SAY(run, BOOK_CANCELLED, when(run, book, row.start_ms)));
	else if (now && now->start_ms != row.start_ms)
		tell(run, next, NULL, false,
			SAY(run, CHANGED_TO, identity_label(run, book->question, now)));
	else
		tell_booked(run, next, book, &row);
}

static void exists(struct desk_run *run, struct desk_next *next, const struct book *book)
{
	struct json *out = json_object(run->arena);
	struct appointment_row row;

	json_put_bool(run->arena, out, "already", true);
	if (!identity_booking(run, book->connection,
		    json_parse(run->arena, run->asks[0].detail, NULL), &row)) {
		tell(run, next, out, false, SAY0(run, BOOK_EXISTS_SOME));
		return;
	}
	put_booking(run, out, &row, book->question);
	tell(run, next, out, row.start_ms == book->start.ms && identity_stands(&row),
		SAY(run, BOOK_EXISTS, when(run, book, row.start_ms)));
}

static void refused(struct desk_run *run, struct desk_next *next, struct book *book)
{
	struct str code = run->asks[0].code;

	if (str_is(code, "slot_taken"))
		taken(run, next, book);
	else if (str_is(code, "existing_booking") || str_is(code, "duplicate_attendee"))
		exists(run, next, book);
	else if (str_is(code, "booker_limit"))
		tell(run, next, NULL, false, SAY0(run, BOOK_LIMIT));
	else if (str_is(code, "cancelled") || str_is(code, "moved"))
		tell(run, next, NULL, false,
			SAY(run, BOOK_CANCELLED, when(run, book, book->start.ms)));
	else if (str_is(run->asks[0].fail, "conflict") && !code.len) /* known, but not which one */
		offer_others(run, next, book, SAY(run, BOOK_NOT, when(run, book, book->start.ms)));
	else
		tell(run, next, NULL, false, SAY0(run, BOOK_REFUSED));
}

static void answered(struct desk_run *run, struct desk_next *next, struct book *book)
{
	assert(run->ask_count > 0);
	if (book->others.begun)
		others_offer(run, next, &book->others);
	else if (run->asks[0].end == DESK_OK)
		succeeded(run, next, book);
	else if (start_refused(run, &run->asks[0]))
		refused(run, next, book);
	else
		pending(run, next, book);
}

void desk_book(struct desk_run *run, struct desk_next *next)
{
	struct book *book = run->state;

	switch (run->why) {
	case DESK_START:
		book = run->state = arena_alloc(run->arena, sizeof(*book));
		if (book && (book->question = question_read(run)))
			begin(run, next, book);
		return;
	case DESK_ANSWERED:
		answered(run, next, book);
		return;
	case DESK_TAKEN:
		taken(run, next, book);
		return;
	case DESK_LATE:
		if (book->others.begun)
			others_offer(run, next, &book->others);
		else
			pending(run, next, book);
		return;
	}
}
