/* identity.c - whose appointments a caller may hear of: by the number that calls, or by name and
 * day.
 *
 * Only reads. Never takes a number out of arguments for proof, never logs a name. Runs on the
 * runner's thread.
 */
#include "desk/identity.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/arena.h"
#include "base/json.h"
#include "desk/callback.h"
#include "desk/phonetic.h"
#include "desk/start.h"
#include "desk/steps.h"

#define DAY_MS ((int64_t)24 * 60 * 60 * 1000)
#define AHEAD_MS (180 * DAY_MS)    /* how far the calendar is asked */
#define FOREVER_MS (3660 * DAY_MS) /* how far the store is asked, which costs nothing */
#define BEFORE_MS (30 * DAY_MS)    /* what was moved may have been moved to an earlier day */
#define ROWS 200
#define CALENDARS 4
#define LABELS 3

bool identity_stands(const struct appointment_row *row)
{
	return str_is(row->status, "booked") || str_is(row->status, "requested");
}

/* ---- What the store knows ------------------------------------------------------------------ */

static int find(struct desk_run *run, const struct appointment_query *query,
	struct appointment_row **rows, size_t *count)
{
	struct error error = {0};
	int rc = store_find_appointments(
		&error, desk_reader(run->desk), query, run->arena, rows, count);

	if (rc != 0)
		*count = 0;
	return rc;
}

static const struct appointment_row *next_of(
	const struct appointment_row *row, const struct appointment_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (row->uid.len && str_eq(rows[i].rescheduled_from, row->uid) &&
			str_eq(rows[i].connection, row->connection))
			return &rows[i];
	return NULL;
}

static int by_start(const void *a, const void *b)
{
	const struct appointment_row *x = a, *y = b;

	return (x->start_ms > y->start_ms) - (x->start_ms < y->start_ms);
}

/* Those to come that stand. The store marks what was moved as soon as it knows both; a row that
 * came after its successor, or from the calendar's answer, may still say "booked" under its old
 * uid. */
static size_t standing(struct desk_run *run, struct appointment_row *rows, size_t count)
{
	struct appointment_row *kept = arena_alloc(run->arena, (count + 1) * sizeof(*kept));
	size_t n = 0;

	if (!kept)
		return 0;
	for (size_t i = 0; i < count; i++)
		if (rows[i].start_ms >= run->now_ms && identity_stands(&rows[i]) &&
			!next_of(&rows[i], rows, count))
			kept[n++] = rows[i];
	if (n)
		memcpy(rows, kept, n * sizeof(*kept));
	return n;
}

bool identity_by_number(const struct desk_run *run)
{
	return run->settings->by_number && run->caller.len;
}

static struct wish *which_wish(
	struct desk_run *run, const struct question *question, const struct identity_words *said)
{
	struct civil civil;

	if (said->start_ms < 0)
		return question_wish(run, question, said->date, said->time, said->words);
	civil = zone_civil(question->zone, said->start_ms);
	return question_wish(run, question,
		str_of(arena_printf(
			run->arena, "%04d-%02d-%02d", civil.year, civil.month, civil.day)),
		str_of(arena_printf(run->arena, "%02d:%02d", civil.hour, civil.minute)),
		(struct str){0});
}

void identity_say(
	struct desk_run *run, struct identity *identity, const struct identity_words *said)
{
	identity->said = *said;
	identity->which = which_wish(run, identity->question, said);
}

void identity_read(struct desk_run *run, const struct question *question, struct identity *identity)
{
	struct identity_words nothing = {.start_ms = -1};
	struct appointment_query query = {
		.tenant = str_of(run->tenant->name),
		.person = run->caller,
		.from_ms = run->now_ms - BEFORE_MS,
		.to_ms = run->now_ms + FOREVER_MS,
		.limit = ROWS,
	};

	memset(identity, 0, sizeof(*identity));
	identity->question = question;
	identity_say(run, identity, &nothing);
	if (!identity_by_number(run))
		return;
	identity->unread = find(run, &query, &identity->rows, &identity->count) != 0;
	identity->count = standing(run, identity->rows, identity->count);
}

const struct appointment_row *identity_row(
	struct desk_run *run, struct str connection, struct str uid, int64_t around_ms)
{
	struct appointment_query query = {
		.tenant = str_of(run->tenant->name),
		.connection = connection,
		.from_ms = around_ms - DAY_MS,
		.to_ms = around_ms + DAY_MS,
		.limit = 5 * ROWS,
	};
	struct appointment_row *rows = NULL;
	size_t count = 0;

	find(run, &query, &rows, &count);
	for (size_t i = 0; i < count; i++)
		if (str_eq(rows[i].uid, uid))
			return &rows[i];
	return NULL;
}

const struct appointment_row *identity_successor(
	struct desk_run *run, const struct appointment_row *row)
{
	struct appointment_query query = {
		.tenant = row->tenant,
		.connection = row->connection,
		.person = row->person,
		.from_ms = run->now_ms - BEFORE_MS,
		.to_ms = run->now_ms + FOREVER_MS,
		.limit = 5 * ROWS,
	};
	const struct appointment_row *last = NULL, *next = row;
	struct appointment_row *rows = NULL;
	size_t count = 0;

	find(run, &query, &rows, &count);
	for (size_t i = 0; i < count && (next = next_of(next, rows, count)); i++)
		last = next;
	return last;
}

bool identity_moved(struct desk_run *run, const struct appointment_row *row)
{
	return identity_successor(run, row) != NULL;
}

/* ---- What the calendar knows --------------------------------------------------------------- */

static size_t calendars(const struct desk_run *run, struct str list[CALENDARS])
{
	const struct office *office =
		offices_find(desk_offices(run->desk), str_of(run->tenant->name));
	size_t count = 0;

	list[count++] = str_of(run->settings->calendar->full);
	for (size_t i = 0; office && i < office->service_count; i++) {
		struct str one = office->services[i].connection;
		size_t k = 0;
		while (k < count && !str_eq(list[k], one))
			k++;
		if (k == count && one.len && count < CALENDARS)
			list[count++] = one;
	}
	return count;
}

size_t identity_asks(struct desk_run *run, struct desk_ask **asks)
{
	struct str list[CALENDARS], input;
	size_t count = calendars(run, list);
	struct json *in = json_object(run->arena);

	if (!identity_by_number(run))
		return 0;
	json_put_text(run->arena, in, "phone", run->caller);
	json_put_text(run->arena, in, "from", clock_print(run->arena, run->now_ms, NULL));
	json_put_text(run->arena, in, "to", clock_print(run->arena, run->now_ms + AHEAD_MS, NULL));
	input = json_print(run->arena, in);
	*asks = arena_alloc(run->arena, count * sizeof(**asks));
	for (size_t i = 0; *asks && i < count; i++)
		(*asks)[i] = (struct desk_ask){
			.connection = list[i], .op = STR("find_booking"), .input = input};
	return *asks ? count : 0;
}

bool identity_booking(struct desk_run *run, struct str connection, const struct json *booking,
	struct appointment_row *row)
{
	*row = (struct appointment_row){
		.tenant = str_of(run->tenant->name),
		.connection = connection,
		.uid = json_get_text(booking, "uid"),
		.vendor_id = json_get_text(booking, "id"),
		.status = json_get_text(booking, "status"),
		.event_type = json_get_text(booking, "event_type"),
		.rescheduled_from = json_get_text(booking, "rescheduled_from"),
		.host = json_text(json_find(booking, "host.name")),
		.name = json_text(json_find(booking, "attendee.name")),
		.person = json_text(json_find(booking, "attendee.phone")),
	};
	clock_parse(json_get_text(booking, "end"), NULL, &row->end_ms);
	return row->uid.len && clock_parse(json_get_text(booking, "start"), NULL, &row->start_ms);
}

/* A calendar of the agency serves many offices: what is not of our event types is another's. */
static bool ours(const struct desk_run *run, const struct appointment_row *row)
{
	const struct config_connection *calendar = run->settings->calendar;

	if (!str_is(row->connection, calendar->full))
		calendar = config_connection(run->config, row->connection.ptr);
	if (calendar && calendar->tenant)
		return calendar->tenant == run->tenant;
	return desk_serves(run->desk, str_of(run->tenant->name), row->event_type);
}

static struct appointment_row *known(struct identity *identity, const struct appointment_row *row)
{
	for (size_t i = 0; i < identity->count; i++)
		if (str_eq(identity->rows[i].uid, row->uid) &&
			str_eq(identity->rows[i].connection, row->connection))
			return &identity->rows[i];
	return NULL;
}

/* The calendar's word counts; but the version and the second name are the store's. */
static void take_booking(
	struct desk_run *run, struct identity *identity, const struct appointment_row *row)
{
	struct appointment_row *old = known(identity, row);

	if ((row->person.len && !str_eq(row->person, run->caller)) || !ours(run, row))
		return;
	if (!old) {
		identity->rows[identity->count++] = *row;
		return;
	}
	old->status = row->status;
	old->start_ms = row->start_ms;
	old->end_ms = row->end_ms;
	if (row->vendor_id.len)
		old->vendor_id = row->vendor_id;
	if (row->name.len)
		old->name = row->name;
}

static const struct json *booking_rows(const struct json *result)
{
	return json_type(result) == JSON_ARRAY ? result : json_get(result, "rows");
}

/* A result without a row has no list either: that nothing was found is known. */
static bool found_none(const struct json *result)
{
	return json_type(json_get(result, "found")) == JSON_BOOL &&
	       !json_bool(json_get(result, "found"), true);
}

void identity_answered(struct desk_run *run, struct identity *identity)
{
	identity->incomplete = false;
	for (size_t i = 0; i < run->ask_count; i++) {
		const struct desk_ask *ask = &run->asks[i];
		const struct json *answer = NULL, *list;
		struct appointment_row row, *rows;
		if (ask->end == DESK_OK)
			answer = json_parse(run->arena, ask->result, NULL);
		list = booking_rows(answer);
		if (!list && !found_none(answer))
			identity->incomplete = true;
		rows = arena_alloc(
			run->arena, (identity->count + json_count(list) + 1) * sizeof(*rows));
		if (!rows)
			return;
		if (identity->count)
			memcpy(rows, identity->rows, identity->count * sizeof(*rows));
		identity->rows = rows;
		for (size_t k = 0; k < json_count(list); k++)
			if (identity_booking(run, ask->connection, json_at(list, k, NULL), &row))
				take_booking(run, identity, &row);
	}
	if (identity->count)
		qsort(identity->rows, identity->count, sizeof(*identity->rows), by_start);
	identity->count = standing(run, identity->rows, identity->count);
}

/* ---- Which one ----------------------------------------------------------------------------- */

static bool words_said(const struct identity *identity)
{
	return wish_restricts(identity->which);
}

static size_t narrow(
	const struct identity *identity, const struct appointment_row **rows, size_t count)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		if (identity->said.uid.len && !str_eq(identity->said.uid, rows[i]->uid))
			continue;
		if (words_said(identity) && !wish_allows(identity->which, rows[i]->start_ms))
			continue;
		rows[n++] = rows[i];
	}
	return n;
}

size_t identity_fits(struct desk_run *run, const struct identity *identity, bool *said)
{
	const struct appointment_row **rows =
		arena_alloc(run->arena, (identity->count + 1) * sizeof(*rows));

	*said = words_said(identity) || identity->said.uid.len;
	for (size_t i = 0; rows && i < identity->count; i++)
		rows[i] = &identity->rows[i];
	return rows ? narrow(identity, rows, identity->count) : 0;
}

/* A name decides only where it fits one of them: what was heard may be spelled in any way. */
static size_t narrow_by_name(
	const struct identity *identity, const struct appointment_row **rows, size_t count)
{
	const struct appointment_row *fits = NULL;
	size_t n = 0;

	if (!identity->question->name.len)
		return count;
	for (size_t i = 0; i < count; i++) {
		if (!phonetic_same_name(rows[i]->name, identity->question->name))
			continue;
		fits = rows[i];
		n++;
	}
	if (n != 1)
		return count;
	rows[0] = fits;
	return 1;
}

static struct str list_labels(struct desk_run *run, const struct question *question,
	const struct appointment_row **rows, size_t count, bool alternatives)
{
	struct str labels[LABELS];
	size_t n = 0;

	for (; n < count && n < LABELS; n++)
		labels[n] = identity_label(run, question, rows[n]);
	return alternatives ? say_or(run->arena, say_language(run), labels, n)
			    : say_and(run->arena, say_language(run), labels, n);
}

struct str identity_labels(struct desk_run *run, const struct question *question,
	const struct appointment_row *rows, size_t count, bool alternatives)
{
	const struct appointment_row *list[LABELS];
	size_t n = 0;

	for (; n < count && n < LABELS; n++)
		list[n] = &rows[n];
	return list_labels(run, question, list, n, alternatives);
}

/* "den zweiten" of those that were just told. */
static bool ordinal(const struct identity *identity, struct appointment_row *row)
{
	size_t at = 0, count = identity->count < LABELS ? identity->count : LABELS;
	struct str words = identity->said.words.len ? identity->said.words : identity->said.date;

	if (identity->said.uid.len || !start_ordinal(words, count, &at))
		return false;
	*row = identity->rows[at];
	return true;
}

static enum identity_end ask(struct str *sentence, struct str text)
{
	*sentence = text;
	return IDENTITY_ASK;
}

/* ---- Name and day -------------------------------------------------------------------------- */

static bool one_day(const struct wish *wish, int64_t *from_ms, int64_t *to_ms)
{
	return wish_restricts(wish) && wish_days(wish, from_ms, to_ms) &&
	       *to_ms - *from_ms < DAY_MS + DAY_MS / 12;
}

/* Those of that day under that name; -1: the store could not be read. */
static int64_t of_that_day(struct desk_run *run, const struct identity *identity, int64_t from_ms,
	int64_t to_ms, struct appointment_row **out)
{
	struct appointment_query query = {
		.tenant = str_of(run->tenant->name),
		.from_ms = from_ms > run->now_ms ? from_ms : run->now_ms,
		.to_ms = to_ms,
		.standing = true,
		.limit = 5 * ROWS,
	};
	size_t count = 0, n = 0;

	if (find(run, &query, out, &count) != 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (phonetic_same_name((*out)[i].name, identity->question->name) &&
			identity_stands(&(*out)[i]) && !identity_moved(run, &(*out)[i]))
			(*out)[n++] = (*out)[i];
	return (int64_t)n;
}

/* Of several under that name on that day the one at that time. */
static enum identity_end by_time(struct desk_run *run, const struct identity *identity,
	const struct appointment_row *rows, size_t count, struct appointment_row *row,
	struct str *sentence)
{
	size_t fits = 0;

	for (size_t i = 0; i < count; i++)
		if (wish_allows(identity->which, rows[i].start_ms) && ++fits)
			*row = rows[i];
	if (fits == 1)
		return IDENTITY_ONE;
	if (fits == count) /* no time was said */
		return ask(sentence, SAY0(run, WHO_TIME));
	return IDENTITY_NO_PROOF;
}

static enum identity_end by_name_date(struct desk_run *run, const struct identity *identity,
	struct appointment_row *row, struct str *sentence)
{
	struct str name = identity->question->name;
	struct appointment_row *rows = NULL;
	int64_t from_ms, to_ms, count;
	bool day = one_day(identity->which, &from_ms, &to_ms);

	if (!name.len && !day)
		return ask(sentence, SAY0(run, WHO_NAME_DATE));
	if (!name.len)
		return ask(sentence, SAY0(run, WHO_NAME));
	if (!day)
		return ask(sentence, SAY0(run, WHO_DATE));
	count = of_that_day(run, identity, from_ms, to_ms, &rows);
	if (count < 0)
		return ask(sentence, SAY0(run, CANNOT_LOOK));
	if (count == 0)
		return IDENTITY_NO_PROOF;
	if (count > 1)
		return by_time(run, identity, rows, (size_t)count, row, sentence);
	*row = rows[0];
	return IDENTITY_ONE;
}

/* Nothing of the caller's number fits what was said: another's, with name and day? Else what the
 * caller has. */
static enum identity_end none_fits(struct desk_run *run, const struct identity *identity,
	struct appointment_row *row, struct str *sentence)
{
	int64_t from_ms, to_ms;

	if (run->settings->by_name_date && identity->question->name.len &&
		one_day(identity->which, &from_ms, &to_ms) &&
		by_name_date(run, identity, row, sentence) == IDENTITY_ONE)
		return IDENTITY_ONE;
	struct str list = identity_labels(
		run, identity->question, identity->rows, identity->count, identity->count > 1);
	return ask(sentence,
		identity->count > 1 ? SAY(run, WHO_OTHERS, list) : SAY(run, WHO_OTHER, list));
}

/* The one that the number has is under another name: perhaps somebody else's is meant, who must
 * be proved like any other; perhaps the name was misheard. */
static enum identity_end named(struct desk_run *run, const struct identity *identity,
	const struct appointment_row *fits, struct appointment_row *row, struct str *sentence)
{
	struct str name = identity->question->name;
	int64_t from_ms, to_ms;

	if (identity->said.uid.len || !name.len || !fits->name.len ||
		phonetic_same_name(fits->name, name)) {
		*row = *fits;
		return IDENTITY_ONE;
	}
	if (run->settings->by_name_date && one_day(identity->which, &from_ms, &to_ms) &&
		by_name_date(run, identity, row, sentence) == IDENTITY_ONE)
		return IDENTITY_ONE;
	*row = *fits;
	return ask(sentence,
		SAY(run, WHO_NAMED, identity_label(run, identity->question, fits), fits->name));
}

static enum identity_end by_number(struct desk_run *run, const struct identity *identity,
	struct appointment_row *row, struct str *sentence)
{
	const struct appointment_row **rows =
		arena_alloc(run->arena, identity->count * sizeof(*rows));
	size_t count = 0;

	if (!rows)
		return ask(sentence, SAY0(run, CANNOT_LOOK));
	if (ordinal(identity, row))
		return IDENTITY_ONE;
	for (size_t i = 0; i < identity->count; i++)
		rows[i] = &identity->rows[i];
	count = narrow(identity, rows, identity->count);
	if (count == 0)
		return none_fits(run, identity, row, sentence);
	if (count > 1)
		count = narrow_by_name(identity, rows, count);
	if (count > 1)
		return ask(
			sentence, SAY(run, WHO_WHICH,
					  list_labels(run, identity->question, rows, count, true)));
	return named(run, identity, rows[0], row, sentence);
}

static struct str complaint(struct desk_run *run, const struct identity *identity)
{
	struct question about = *identity->question;

	about.fault = QUESTION_SOUND; /* the service does not matter here */
	about.slot_bad = false;
	about.start_ms = identity->said.start_ms;
	about.wish = identity->which;
	about.date = identity->said.date;
	about.time = identity->said.time;
	about.words = identity->said.words;
	return question_complaint(run, &about);
}

enum identity_end identity_one(struct desk_run *run, const struct identity *identity,
	struct appointment_row *row, struct str *sentence)
{
	enum identity_end end;
	struct str wrong = complaint(run, identity);

	if (wrong.len)
		return ask(sentence, wrong);
	if (identity->unread)
		return ask(sentence, SAY0(run, CANNOT_LOOK));
	if (identity->count)
		return by_number(run, identity, row, sentence);
	if (!run->settings->by_name_date && identity->incomplete)
		return ask(sentence, SAY0(run, CANNOT_LOOK));
	if (!run->settings->by_name_date)
		return IDENTITY_NO_PROOF;
	end = by_name_date(run, identity, row, sentence);
	if (end != IDENTITY_ONE && identity->incomplete)
		return ask(sentence, SAY0(run, CANNOT_LOOK));
	if (end == IDENTITY_ASK && identity_by_number(run))
		*sentence = say_then(run->arena, SAY0(run, WHO_NOT_BY_NUMBER), *sentence);
	return end;
}

/* ---- How it is told ------------------------------------------------------------------------ */

static const struct office_staff *staff_of(
	const struct office_service *service, struct str event_type)
{
	for (size_t i = 0; i < service->staff_count; i++)
		if (str_eq(service->staff[i].event_type, event_type))
			return &service->staff[i];
	return NULL;
}

const struct office_service *identity_service(const struct desk_run *run,
	const struct appointment_row *row, const struct office_staff **staff)
{
	const struct office *office =
		offices_find(desk_offices(run->desk), str_of(run->tenant->name));

	for (size_t i = 0; office && row->event_type.len && i < office->service_count; i++) {
		if (!office_service_has(&office->services[i], row->event_type))
			continue;
		if (staff)
			*staff = staff_of(&office->services[i], row->event_type);
		return &office->services[i];
	}
	return NULL;
}

static struct str host_of(const struct desk_run *run, const struct appointment_row *row)
{
	const struct office_staff *staff = NULL;

	identity_service(run, row, &staff);
	return staff ? staff->name : row->host;
}

struct str identity_label(
	struct desk_run *run, const struct question *question, const struct appointment_row *row)
{
	const struct office_service *service = identity_service(run, row, NULL);
	struct str host = host_of(run, row);
	struct str when =
		say_when(run->arena, say_language(run), question->zone, row->start_ms, run->now_ms);

	if (str_is(row->status, "requested"))
		return SAY(run, LABEL_REQUESTED, when);
	if (service && host.len)
		return SAY(run, LABEL_SERVICE_HOST, when, service->title, host);
	if (service)
		return SAY(run, LABEL_SERVICE, when, service->title);
	return when;
}

void identity_put(struct desk_run *run, const struct question *question, struct json *out,
	const struct appointment_row *row)
{
	const struct office_service *service = identity_service(run, row, NULL);
	struct str host = host_of(run, row);

	json_put_text(run->arena, out, "uid", row->uid);
	json_put_text(
		run->arena, out, "start", clock_print(run->arena, row->start_ms, question->zone));
	if (row->end_ms)
		json_put_text(run->arena, out, "end",
			clock_print(run->arena, row->end_ms, question->zone));
	json_put_text(run->arena, out, "status", row->status);
	json_put_text(run->arena, out, "when",
		say_when(
			run->arena, say_language(run), question->zone, row->start_ms, run->now_ms));
	if (service)
		json_put_text(run->arena, out, "service", service->title);
	if (host.len)
		json_put_text(run->arena, out, "staff", host);
}

/* ---- The office calls back ----------------------------------------------------------------- */

void identity_callback(struct desk_run *run, struct desk_next *next,
	const struct question *question, struct str about)
{
	struct json *out = json_object(run->arena);
	bool reachable = question->caller_phone.len;
	struct str reason = about;

	if (question->reason.len)
		reason = str_of(arena_printf(
			run->arena, "%.*s: %.*s", STR_ARG(about), STR_ARG(question->reason)));
	json_put_bool(run->arena, out, "callback_noted", reachable);
	say_done(run, next, out, false, reachable ? SAY0(run, WHO_CALLBACK) : SAY0(run, WHO_PHONE));
	if (!reachable)
		return;
	next->events = callback_event(run, question, reason);
	next->event_count = next->events ? 1 : 0;
}
