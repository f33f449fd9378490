/* change.c - the desk's operations reschedule and cancel: of the caller's own appointment.
 *
 * First whose and which, then the calendar is asked, and only if the appointment is still as it was
 * seen. Says "moved" or "cancelled" only if the calendar did. Runs on the runner's thread.
 */
#include <assert.h>
#include <string.h>
#include "base/arena.h"
#include "base/json.h"
#include "desk/identity.h"
#include "desk/others.h"
#include "desk/start.h"
#include "desk/steps.h"

struct change {
	bool moves; /* reschedule */
	struct question *question;
	struct identity identity;
	bool looked, late;      /* the calendar was asked which there are; it took too long */
	bool sent;              /* it was asked to change it */
	struct question wanted; /* reschedule: the new time; its date, time, words, start_ms */
	bool wanted_said;
	struct appointment_row row; /* which */
	struct start start;
	struct mirror_slot slot;
	struct others others; /* begun: it is over, and others are offered */
};

static struct str when(struct desk_run *run, const struct change *change, int64_t ms)
{
	return say_when(run->arena, say_language(run), change->question->zone, ms, run->now_ms);
}

static struct str label(
	struct desk_run *run, const struct change *change, const struct appointment_row *row)
{
	return identity_label(run, change->question, row);
}

static const char *done_key(const struct change *change)
{
	return change->moves ? "rescheduled" : "cancelled";
}

static void tell(struct desk_run *run, struct desk_next *next, const struct change *change,
	struct json *result, bool success, struct str sentence)
{
	struct json *out = result ? result : json_object(run->arena);

	if (!json_get(out, done_key(change)))
		json_put_bool(run->arena, out, done_key(change), false);
	say_done(run, next, out, success, sentence);
}

static void tell_how_it_stands(struct desk_run *run, struct desk_next *next,
	const struct change *change, const struct appointment_row *row, bool done, bool success,
	struct str sentence)
{
	struct json *out = json_object(run->arena);

	identity_put(run, change->question, out, row);
	json_put_bool(run->arena, out, done_key(change), done);
	tell(run, next, change, out, success, sentence);
}

/* ---- What was said: which one, and where to ------------------------------------------------ */

#define TEXT_OF(run, ...) question_text(run, (const char *const[]){__VA_ARGS__, NULL})

static struct str uid_said(const struct desk_run *run)
{
	return TEXT_OF(run, "uid", "booking_uid", "appointment_uid", "appointment_id", "booking_id",
		"booking_ref");
}

static struct identity_words old_said(const struct desk_run *run, const struct question *question)
{
	struct identity_words said = {.start_ms = -1};
	struct str start = TEXT_OF(run, "old_start", "old_slot", "current_start");

	said.date = TEXT_OF(run, "old_date", "old_datum", "altes_datum", "current_date",
		"appointment_date", "termin_datum");
	said.time = TEXT_OF(
		run, "old_time", "old_uhrzeit", "alte_uhrzeit", "current_time", "termin_uhrzeit");
	said.words = TEXT_OF(run, "old_wish", "old_appointment", "which", "termin");
	if (start.len && !question_instant(question, start, &said.start_ms))
		said.words = start;
	return said;
}

static bool any(const struct identity_words *said)
{
	return said->date.len || said->time.len || said->words.len || said->start_ms >= 0;
}

static struct identity_words new_said(const struct desk_run *run, const struct question *question)
{
	struct identity_words said = {.start_ms = -1};
	struct str start = TEXT_OF(run, "new_slot", "new_start", "new_datetime", "neuer_termin");

	said.date = TEXT_OF(run, "new_date", "new_datum", "neues_datum");
	said.time = TEXT_OF(run, "new_time", "new_uhrzeit", "neue_uhrzeit");
	said.words = TEXT_OF(
		run, "new_wish", "new_preference", "new_preferences", "new_phrase", "neuer_wunsch");
	if (start.len && !question_instant(question, start, &said.start_ms) && !said.words.len)
		said.words = start;
	return said;
}

static struct identity_words plain_said(const struct question *question)
{
	return (struct identity_words){.date = question->date,
		.time = question->time,
		.words = question->words,
		.start_ms = question->start_ms};
}

static void want(struct desk_run *run, struct change *change, const struct identity_words *said)
{
	struct question *wanted = &change->wanted;

	change->wanted_said = any(said);
	wanted->slot_bad = false;
	wanted->asked = wanted->preference = NULL;
	wanted->start_ms = said->start_ms;
	wanted->date = said->date;
	wanted->time = said->time;
	wanted->words = said->words;
	wanted->wish = question_wish(run, change->question, said->date, said->time, said->words);
}

static bool says_one_of_them(
	struct desk_run *run, struct change *change, const struct identity_words *plain)
{
	bool said = false;

	identity_say(run, &change->identity, plain);
	return identity_fits(run, &change->identity, &said) > 0 && said;
}

/* Agents send one date where there should be two. It is the appointment's if one of the caller's
 * fits it, else the new one, provided there is only one appointment it can be about. */
static void sort_out(struct desk_run *run, struct change *change)
{
	struct identity_words nothing = {.start_ms = -1}, plain = plain_said(change->question);
	struct identity_words old = old_said(run, change->question);
	struct identity_words new = new_said(run, change->question);

	if (!change->moves) {
		old = any(&old) ? old : plain;
	} else if (!any(&new) && any(&old)) {
		new = plain;
	} else if (any(&new) && !any(&old)) {
		old = plain;
	} else if (!any(&new)) {
		bool is_old = !identity_by_number(run) || change->identity.count == 0 ||
			      says_one_of_them(run, change, &plain);
		bool is_new = !is_old && (change->identity.count == 1 || uid_said(run).len);
		old = is_new ? nothing : plain;
		new = is_new ? plain : nothing;
	}
	old.uid = uid_said(run);
	identity_say(run, &change->identity, &old);
	want(run, change, &new);
}

/* ---- Asking -------------------------------------------------------------------------------- */

static struct str dedupe(struct desk_run *run, const struct change *change)
{
	char target[1 + CLOCK_TEXT + 8] = "";
	const struct appointment_row *row = &change->row;

	if (change->moves) {
		target[0] = '/';
		clock_write(target + 1, change->start.ms, NULL);
	}
	return str_of(arena_printf(run->arena, "%s/%s/%.*s/%.*s/%.*s/%u%s", run->tenant->name,
		change->moves ? "reschedule" : "cancel", STR_ARG(run->holder),
		STR_ARG(row->connection), STR_ARG(row->uid), (unsigned)row->version, target));
}

static struct str input(struct desk_run *run, const struct change *change)
{
	struct json *in = json_object(run->arena);
	const struct appointment_row *row = &change->row;

	json_put_text(run->arena, in, "uid", row->uid);
	if (row->vendor_id.len)
		json_put_text(run->arena, in, "id", row->vendor_id);
	if (change->moves)
		json_put_text(
			run->arena, in, "start", clock_print(run->arena, change->start.ms, NULL));
	if (change->question->reason.len)
		json_put_text(run->arena, in, "reason", change->question->reason);
	return json_print(run->arena, in);
}

/* What only the calendar knows has no version here; the calendar itself must notice then. */
static const struct appointment_expect *expect(struct desk_run *run, const struct change *change)
{
	struct appointment_expect *expect = arena_alloc(run->arena, sizeof(*expect));

	if (!expect || change->row.changed_ms == 0)
		return NULL;
	*expect = (struct appointment_expect){
		.tenant = change->row.tenant,
		.connection = change->row.connection,
		.uid = change->row.uid,
		.version = change->row.version,
	};
	return expect;
}

static int64_t length_ms(const struct change *change)
{
	int64_t length = change->row.end_ms - change->row.start_ms;

	return change->row.end_ms > 0 && length > 0 ? length : 0;
}

static void ask(struct desk_run *run, struct desk_next *next, struct change *change)
{
	struct desk_ask *one = arena_alloc(run->arena, sizeof(*one));

	if (!one)
		return;
	*one = (struct desk_ask){
		.connection = change->row.connection,
		.op = change->moves ? STR("reschedule") : STR("cancel"),
		.input = input(run, change),
		.dedupe = dedupe(run, change),
		.expect = expect(run, change),
	};
	if (change->moves) {
		one->holds = start_hold(run, &change->slot, length_ms(change));
		one->hold_count = 1;
	}
	change->sent = true;
	next->then = DESK_ASK;
	next->asks = one;
	next->ask_count = 1;
}

/* ---- The new time -------------------------------------------------------------------------- */

/* The service of the appointment, so that it is held where it is booked. One that is not offered
 * any more can be moved all the same. */
static void wanted_service(struct desk_run *run, struct change *change)
{
	const struct office_staff *staff = NULL;
	const struct office_service *known = identity_service(run, &change->row, &staff);
	struct office_service *service =
		known ? office_effective(run->arena, change->question->office,
				change->question->branch, known)
		      : arena_alloc(run->arena, sizeof(*service));

	if (!service)
		return;
	if (!known)
		service->capacity = 1;
	service->connection = change->row.connection;
	service->event_type = staff ? service->event_type : change->row.event_type;
	service->staff_count = staff ? service->staff_count : 0;
	if (length_ms(change))
		service->length_ms = length_ms(change);
	change->wanted.service = service;
	change->wanted.staff = staff;
	change->wanted.fault = QUESTION_SOUND;
	change->wanted.service_said = service->title.len ? service->title : STR("-");
}

static void offer_others(
	struct desk_run *run, struct desk_next *next, struct change *change, struct str lead)
{
	if (!change->others.begun)
		others_begin(
			run, &change->others, &change->wanted, change->start.ms, "rescheduled");
	change->others.lead = say_then(
		run->arena, lead, SAY(run, MOVE_KEPT, when(run, change, change->row.start_ms)));
	others_offer(run, next, &change->others);
}

static void taken(struct desk_run *run, struct desk_next *next, struct change *change)
{
	offer_others(run, next, change, SAY(run, TIME_TAKEN, when(run, change, change->start.ms)));
}

/* Its own old time looks busy to it. */
static bool overlaps_itself(const struct change *change)
{
	int64_t length = change->slot.end_ms - change->slot.start_ms;

	return change->start.ms < change->row.start_ms + length &&
	       change->row.start_ms < change->start.ms + length;
}

static void move(struct desk_run *run, struct desk_next *next, struct change *change)
{
	wanted_service(run, change);
	if (arena_failed(run->arena))
		return;
	if (!change->wanted_said) {
		tell(run, next, change, NULL, false,
			SAY(run, MOVE_WHEN, label(run, change, &change->row)));
		return;
	}
	start_choose(run, &change->wanted, &change->start);
	if (change->start.ms < 0) {
		tell(run, next, change, NULL, false, change->start.sentence);
	} else if (change->start.ms == change->row.start_ms) {
		tell_how_it_stands(run, next, change, &change->row, false, true,
			SAY(run, MOVE_SAME, label(run, change, &change->row)));
	} else if (!start_slot(run, &change->wanted, &change->start, &change->slot) &&
		   !overlaps_itself(change)) {
		offer_others(run, next, change,
			SAY(run, TIME_NOT_FREE, when(run, change, change->start.ms)));
	} else {
		ask(run, next, change);
	}
}

/* ---- Which one ----------------------------------------------------------------------------- */

/* The calendar may know more than the store: needed if nothing fits, or if it is not said which. */
static bool must_look(struct desk_run *run, const struct change *change)
{
	bool said = false;
	size_t fits = identity_fits(run, &change->identity, &said);

	if (change->looked || !identity_by_number(run) ||
		wish_fault(change->identity.which, NULL) != WISH_SOUND)
		return false;
	return !said || fits == 0;
}

static void look(struct desk_run *run, struct desk_next *next, struct change *change)
{
	change->looked = true;
	next->then = DESK_ASK;
	next->ask_count = identity_asks(run, &next->asks);
}

/* The only one we know of is not the only one there may be. */
static bool unsure(struct desk_run *run, const struct change *change)
{
	bool said = false;

	identity_fits(run, &change->identity, &said);
	return change->identity.incomplete && change->identity.count && !said;
}

static void go_on(struct desk_run *run, struct desk_next *next, struct change *change)
{
	enum identity_end end;
	struct str sentence = {0};

	memset(&change->row, 0, sizeof(change->row));
	end = identity_one(run, &change->identity, &change->row, &sentence);
	if (end == IDENTITY_NO_PROOF)
		identity_callback(run, next, change->question,
			change->moves ? SAY0(run, ABOUT_RESCHEDULE) : SAY0(run, ABOUT_CANCEL));
	else if (end == IDENTITY_ASK && change->row.uid.len)
		tell_how_it_stands(run, next, change, &change->row, false, false, sentence);
	else if (end == IDENTITY_ASK)
		tell(run, next, change, NULL, false, sentence);
	else if (change->late || unsure(run, change))
		tell_how_it_stands(run, next, change, &change->row, false, false,
			SAY(run, WHO_THIS, label(run, change, &change->row)));
	else if (change->moves)
		move(run, next, change);
	else
		ask(run, next, change);
}

static void begin(struct desk_run *run, struct desk_next *next, struct change *change)
{
	change->question = question_read(run);
	if (!change->question)
		return;
	change->wanted = *change->question;
	identity_read(run, change->question, &change->identity);
	sort_out(run, change);
	if (must_look(run, change))
		look(run, next, change);
	else
		go_on(run, next, change);
}

/* What the calendar knows of the caller. Once the caller was told that it took too long, nothing
 * is changed behind their back. */
static void looked(struct desk_run *run, struct desk_next *next, struct change *change)
{
	struct question *question = change->question;

	question->office = offices_find(desk_offices(run->desk), str_of(run->tenant->name));
	change->wanted.office = question->office;
	if (run->why == DESK_LATE)
		change->late = true;
	identity_answered(run, &change->identity);
	sort_out(run, change);
	go_on(run, next, change);
}

/* ---- The end ------------------------------------------------------------------------------- */

static void pending(struct desk_run *run, struct desk_next *next, const struct change *change)
{
	struct json *out = json_object(run->arena);

	json_put_bool(run->arena, out, "pending", true);
	tell(run, next, change, out, false,
		change->moves ? SAY0(run, MOVE_PENDING) : SAY0(run, CANCEL_PENDING));
}

/* What the calendar answered; of a question asked before only what became of it may be left. */
static bool read_moved(
	struct desk_run *run, const struct change *change, struct appointment_row *row)
{
	const struct json *result = json_parse(run->arena, run->asks[0].result, NULL);
	const struct appointment_row *known;

	if (identity_booking(run, change->row.connection, result, row))
		return identity_stands(row);
	known = identity_successor(run, &change->row);
	if (!known || !identity_stands(known) || known->start_ms != change->start.ms)
		return false;
	*row = *known;
	return true;
}

static void moved(struct desk_run *run, struct desk_next *next, const struct change *change)
{
	struct appointment_row row;
	bool requested;

	if (!read_moved(run, change, &row)) {
		pending(run, next, change);
		return;
	}
	requested = str_is(row.status, "requested");
	tell_how_it_stands(run, next, change, &row, !requested, true,
		requested ? SAY(run, MOVE_REQUESTED, when(run, change, row.start_ms))
			  : SAY(run, MOVED, when(run, change, row.start_ms)));
}

static struct str status_now(struct desk_run *run, const struct change *change)
{
	struct str status =
		json_get_text(json_parse(run->arena, run->asks[0].result, NULL), "status");
	const struct appointment_row *row = NULL;

	if (!status.len)
		row = identity_row(
			run, change->row.connection, change->row.uid, change->row.start_ms);
	return row ? row->status : status;
}

static void cancelled(struct desk_run *run, struct desk_next *next, const struct change *change)
{
	struct appointment_row row = change->row;

	row.status = status_now(run, change);
	if (!str_is(row.status, "cancelled") && !str_is(row.status, "rejected"))
		pending(run, next, change);
	else
		tell_how_it_stands(run, next, change, &row, true, true,
			SAY(run, CANCELLED, when(run, change, row.start_ms)));
}

static bool says(const struct desk_ask *ask, const char *code)
{
	return str_is(ask->code, code) || str_is(ask->reason, code) || str_is(ask->fail, code);
}

/* Somebody else was there before: how does it stand now? */
static void changed(struct desk_run *run, struct desk_next *next, struct change *change)
{
	const struct appointment_row *row = identity_successor(run, &change->row);

	if (!row)
		row = identity_row(
			run, change->row.connection, change->row.uid, change->row.start_ms);
	if (!row)
		tell(run, next, change, NULL, false, SAY0(run, CHANGED));
	else if (identity_stands(row))
		tell_how_it_stands(run, next, change, row, false, false,
			SAY(run, CHANGED_TO, label(run, change, row)));
	else if (!change->moves)
		tell_how_it_stands(run, next, change, row, true, true,
			SAY(run, CANCELLED_ALREADY, when(run, change, row->start_ms)));
	else
		tell_how_it_stands(run, next, change, row, false, false,
			SAY(run, CHANGED_CANCELLED, when(run, change, row->start_ms)));
}

static void refused(struct desk_run *run, struct desk_next *next, struct change *change)
{
	const struct desk_ask *one = &run->asks[0];

	if (says(one, "slot_taken") && change->moves)
		taken(run, next, change);
	else if (says(one, "changed") || says(one, "rescheduled") || says(one, "cancelled"))
		changed(run, next, change);
	else if (says(one, "gone") || says(one, "not_found"))
		tell(run, next, change, NULL, false, SAY0(run, CHANGED_GONE));
	else if (change->moves)
		tell(run, next, change, NULL, false,
			say_then(run->arena,
				SAY(run, MOVE_KEPT, when(run, change, change->row.start_ms)),
				SAY0(run, MOVE_REFUSED)));
	else
		tell(run, next, change, NULL, false, SAY0(run, CANCEL_REFUSED));
}

static void answered(struct desk_run *run, struct desk_next *next, struct change *change)
{
	if (change->others.begun)
		others_offer(run, next, &change->others);
	else if (!change->sent)
		looked(run, next, change);
	else if (run->asks[0].end == DESK_OK && change->moves)
		moved(run, next, change);
	else if (run->asks[0].end == DESK_OK)
		cancelled(run, next, change);
	else if (start_refused(run, &run->asks[0]))
		refused(run, next, change);
	else
		pending(run, next, change);
}

static void step(struct desk_run *run, struct desk_next *next, bool moves)
{
	struct change *change = run->state;

	switch (run->why) {
	case DESK_START:
		change = run->state = arena_alloc(run->arena, sizeof(*change));
		if (change) {
			change->moves = moves;
			begin(run, next, change);
		}
		return;
	case DESK_ANSWERED:
		answered(run, next, change);
		return;
	case DESK_TAKEN:
		taken(run, next, change);
		return;
	case DESK_LATE:
		if (change->others.begun)
			others_offer(run, next, &change->others);
		else if (change->sent)
			pending(run, next, change);
		else
			looked(run, next, change);
		return;
	}
}

void desk_reschedule(struct desk_run *run, struct desk_next *next)
{
	step(run, next, true);
}

void desk_cancel(struct desk_run *run, struct desk_next *next)
{
	step(run, next, false);
}
