/* offer.c - desk.offer: free times for a wish, the nearest first, and kept for the call.
 *
 * Says only times of days that are fresh, and only those that it holds. Never books, never asks
 * twice for the same. Runs on the runner's thread.
 */
#include "desk/offer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/arena.h"
#include "base/json.h"
#include "desk/steps.h"

#define DAY_MS (24 * 60 * 60 * 1000LL)
#define HOUR_MS (60 * 60 * 1000LL)
#define SAID_MAX 10   /* times that anybody listens to */
#define TAKEN_MAX 5   /* after that others are simply quicker */
#define ASKED_MAX 2   /* a booking may make a day stale while its answer is on its way */
#define WISH_SAID 160 /* bytes of a wish that are repeated to the caller */
#define PAST 20       /* appointments that make habits */

/* ---- Habits -------------------------------------------------------------------------------- */

struct habits { /* when and with whom a known caller comes */
	const struct appointment_row *rows;
	size_t count; /* below 2 there is no habit */
	const struct zone *zone;
};

static void read_habits(struct desk_run *run, const struct question *question, struct habits *out)
{
	struct appointment_query query = {
		.tenant = str_of(run->tenant->name),
		.person = run->caller,
		.from_ms = run->now_ms - 365 * DAY_MS,
		.to_ms = run->now_ms,
		.standing = true,
		.limit = PAST,
	};
	struct appointment_row *rows = NULL;
	size_t count = 0;

	memset(out, 0, sizeof(*out));
	out->zone = question->zone;
	if (run->caller.len == 0 || store_find_appointments(NULL, desk_reader(run->desk), &query,
					    run->arena, &rows, &count) != 0)
		return;
	out->rows = rows;
	out->count = count;
}

static int minute_of_day(const struct civil *at)
{
	return at->hour * 60 + at->minute;
}

/* The more of the past is like it, the higher. */
static int habit_score(const struct habits *habits, const struct mirror_slot *slot)
{
	struct civil at;
	int score = 0;

	if (habits->count < 2)
		return 0;
	at = zone_civil(habits->zone, slot->start_ms);
	for (size_t i = 0; i < habits->count; i++) {
		struct civil then = zone_civil(habits->zone, habits->rows[i].start_ms);
		score += then.weekday == at.weekday ? 2 : 0;
		score += abs(minute_of_day(&then) - minute_of_day(&at)) <= 60 ? 2 : 0;
		score += slot->staff.len && str_eq(slot->staff, habits->rows[i].host) ? 1 : 0;
	}
	return score;
}

/* ---- Choosing ------------------------------------------------------------------------------ */

enum rank { RANK_EXACT, RANK_WISH, RANK_PREFERENCE, RANK_OUTSIDE };

struct candidate {
	const struct mirror_slot *slot;
	enum rank rank;
	int64_t distance;
	int habit;
};

struct choice {                        /* what the candidates are measured against */
	const struct wish *wish;       /* whole */
	const struct wish *asked;      /* distances are from this one */
	const struct wish *preference; /* NULL: none beside it */
	int64_t exact_ms;              /* -1: none */
	struct habits habits;
	const int64_t *without;
	size_t without_count;
};

static int64_t exact_of(const struct question *question, const struct wish *wish)
{
	int64_t ms = -1;

	if (wish == question->wish && question->start_ms >= 0)
		return question->start_ms;
	if (wish == question->wish && question->asked && wish_exact(question->asked, &ms))
		return ms;
	return wish_exact(wish, &ms) ? ms : -1;
}

static void begin_choice(struct desk_run *run, const struct question *question,
	const struct wish *wish, struct choice *out)
{
	bool apart = wish == question->wish && question->asked;

	memset(out, 0, sizeof(*out));
	out->wish = wish;
	out->asked = apart ? question->asked : wish;
	out->preference =
		apart && wish_restricts(question->preference) ? question->preference : NULL;
	out->exact_ms = exact_of(question, wish);
	read_habits(run, question, &out->habits);
}

static bool is_without(const struct choice *choice, int64_t start_ms)
{
	for (size_t i = 0; i < choice->without_count; i++)
		if (choice->without[i] == start_ms)
			return true;
	return false;
}

static void measure(
	const struct choice *choice, const struct mirror_slot *slot, struct candidate *out)
{
	out->slot = slot;
	out->distance = wish_distance(choice->asked, slot->start_ms);
	out->habit = habit_score(&choice->habits, slot);
	if (choice->exact_ms >= 0 && slot->start_ms == choice->exact_ms)
		out->rank = RANK_EXACT;
	else if (choice->exact_ms < 0 && wish_allows(choice->wish, slot->start_ms))
		out->rank = RANK_WISH;
	else if (choice->preference && wish_allows(choice->preference, slot->start_ms))
		out->rank = RANK_PREFERENCE;
	else
		out->rank = RANK_OUTSIDE;
}

/* Within what the caller allows the exact one is no nearer than it is; so ranks come first. */
static int by_merit(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	if (x->distance != y->distance)
		return x->distance < y->distance ? -1 : 1;
	if (x->habit != y->habit)
		return x->habit > y->habit ? -1 : 1;
	if (x->slot->start_ms != y->slot->start_ms)
		return x->slot->start_ms < y->slot->start_ms ? -1 : 1;
	return (x->slot->order > y->slot->order) - (x->slot->order < y->slot->order);
}

static bool overlaps(
	const struct mirror_slot *const *chosen, size_t count, const struct mirror_slot *slot)
{
	for (size_t i = 0; i < count; i++)
		if (chosen[i]->start_ms < slot->end_ms && slot->start_ms < chosen[i]->end_ms)
			return true;
	return false;
}

/* The best, none of which overlap, and none from outside if there is one within. */
static size_t pick(
	const struct candidate *list, size_t count, size_t limit, const struct mirror_slot **chosen)
{
	size_t n = 0;

	for (size_t i = 0; i < count && n < limit; i++) {
		if (list[i].rank == RANK_OUTSIDE && list[0].rank != RANK_OUTSIDE)
			break;
		if (!overlaps(chosen, n, list[i].slot))
			chosen[n++] = list[i].slot;
	}
	return n;
}

static size_t choose(struct desk_run *run, const struct choice *choice, const struct mirror *mirror,
	size_t limit, const struct mirror_slot ***chosen, enum rank *rank)
{
	struct candidate *list = arena_take(run->arena, (mirror->count + 1) * sizeof(*list));
	size_t count = 0;

	*rank = RANK_OUTSIDE;
	*chosen = arena_alloc(run->arena, (limit + 1) * sizeof(**chosen));
	if (!list || !*chosen)
		return 0;
	for (size_t i = 0; i < mirror->count; i++)
		if (!is_without(choice, mirror->slots[i].start_ms))
			measure(choice, &mirror->slots[i], &list[count++]);
	qsort(list, count, sizeof(*list), by_merit);
	if (count)
		*rank = list[0].rank;
	return pick(list, count, *rank == RANK_EXACT ? 1 : limit, *chosen);
}

size_t offer_choose(struct desk_run *run, const struct question *question, const struct wish *wish,
	const struct mirror *mirror, const int64_t *without, size_t without_count, size_t limit,
	const struct mirror_slot ***chosen, bool *within)
{
	struct choice choice;
	enum rank rank;
	size_t count;

	begin_choice(run, question, wish, &choice);
	choice.without = without;
	choice.without_count = without_count;
	count = choose(run, &choice, mirror, limit, chosen, &rank);
	*within = count > 0 && rank != RANK_OUTSIDE;
	return count;
}

/* Rows of state OFFERED for these. */
static const struct hold_row *offer_holds(
	struct desk_run *run, const struct mirror_slot *const *slots, size_t count)
{
	struct hold_row *rows = arena_alloc(run->arena, (count + 1) * sizeof(*rows));

	for (size_t i = 0; rows && i < count; i++)
		rows[i] = (struct hold_row){
			.id = id_new(),
			.tenant = str_of(run->tenant->name),
			.holder = run->holder,
			.resource = slots[i]->resource,
			.event_type = slots[i]->event_type,
			.start_ms = slots[i]->start_ms,
			.end_ms = slots[i]->end_ms,
			.expires_ms = run->now_ms + run->settings->hold_ms,
			.capacity = slots[i]->capacity,
			.state = HOLD_OFFERED,
		};
	return rows;
}

/* ---- Saying it ----------------------------------------------------------------------------- */

struct saying { /* one answer in the making */
	struct desk_run *run;
	const struct question *question;
	const struct choice *choice;
	const struct mirror_slot **slots;
	size_t count;
	enum rank rank; /* of the first */
	struct json *result;
};

/* With the name only where the caller did not say it. */
static struct str with_staff(
	const struct saying *s, const struct mirror_slot *slot, struct str when)
{
	if (slot->staff.len == 0 || s->question->staff)
		return when;
	return SAY(s->run, WITH, when, slot->staff);
}

static struct str spoken(const struct saying *s, const struct mirror_slot *slot)
{
	return with_staff(s, slot,
		say_when(s->run->arena, s->question->language, s->question->zone, slot->start_ms,
			s->run->now_ms));
}

/* Those that are said, but for the one at `but_ms`. */
static struct str spoken_list(const struct saying *s, int64_t but_ms)
{
	struct str list[SAID_MAX];
	size_t count = 0;

	for (size_t i = 0; i < s->count && i < SAID_MAX; i++)
		if (s->slots[i]->start_ms != but_ms)
			list[count++] = spoken(s, s->slots[i]);
	return say_or(s->run->arena, s->question->language, list, count);
}

/* For a sentence: a day that was just named is not named again. */
static struct str spoken_short(const struct saying *s)
{
	struct str list[SAID_MAX];
	const struct zone *zone = s->question->zone;
	struct arena *arena = s->run->arena;
	size_t count = 0;

	for (; count < s->count && count < SAID_MAX; count++) {
		const struct mirror_slot *slot = s->slots[count];
		if (count == 0 || mirror_day(zone, slot->start_ms) !=
					  mirror_day(zone, s->slots[count - 1]->start_ms))
			list[count] = spoken(s, slot);
		else
			list[count] = with_staff(s, slot,
				SAY(s->run, AT,
					say_clock(arena, s->question->language, zone,
						slot->start_ms)));
	}
	return say_or(arena, s->question->language, list, count);
}

static void put_slots(const struct saying *s)
{
	struct arena *arena = s->run->arena;
	struct json *list = json_array(arena);

	for (size_t i = 0; i < s->count; i++) {
		struct json *one = json_object(arena);
		json_put_text(arena, one, "start",
			clock_print(arena, s->slots[i]->start_ms, s->question->zone));
		json_put_text(arena, one, "spoken", spoken(s, s->slots[i]));
		if (s->slots[i]->staff.len)
			json_put_text(arena, one, "staff", s->slots[i]->staff);
		json_push(arena, list, one);
	}
	json_put(arena, s->result, "slots", list);
}

/* The one day the wish is about; false: there are several, or none. */
static bool wished_day(const struct saying *s, int32_t *day)
{
	int64_t from_ms = 0, to_ms = 0;

	if (s->choice->exact_ms >= 0) {
		*day = mirror_day(s->question->zone, s->choice->exact_ms);
		return true;
	}
	if (!wish_days(s->choice->asked, &from_ms, &to_ms))
		return false;
	*day = mirror_day(s->question->zone, from_ms);
	return mirror_day(s->question->zone, to_ms - 1) == *day;
}

/* "09:00 Uhr, 10:00 Uhr, 14:00 Uhr": what is held of the wished day, by the clock. */
static struct str clocks(const struct saying *s)
{
	struct buf out = {.max = 1024};
	struct str text;
	int32_t day;
	int64_t last = 0;

	for (size_t n = 0; wished_day(s, &day) && n < s->count; n++) {
		const struct mirror_slot *next = NULL;
		for (size_t i = 0; i < s->count; i++)
			if (s->slots[i]->start_ms > last &&
				mirror_day(s->question->zone, s->slots[i]->start_ms) == day &&
				(!next || s->slots[i]->start_ms < next->start_ms))
				next = s->slots[i];
		if (!next)
			break;
		last = next->start_ms;
		buf_add_text(&out, out.len ? ", " : "");
		buf_add_str(&out,
			say_clock(s->run->arena, s->question->language, s->question->zone, last));
	}
	text = str_dup(s->run->arena, (struct str){out.ptr ? out.ptr : "", out.len});
	buf_finish(&out);
	return text;
}

/* "2025-06-19, 2025-06-26": each once, in the order of the alternatives. */
static struct str dates(const struct saying *s, int64_t but_ms)
{
	struct buf out = {.max = 1024};
	struct str text;

	for (size_t i = 0; i < s->count; i++) {
		char date[40];
		struct civil at = zone_civil(s->question->zone, s->slots[i]->start_ms);
		snprintf(date, sizeof(date), "%04d-%02d-%02d", at.year, at.month, at.day);
		if (s->slots[i]->start_ms == but_ms || (out.len && strstr(out.ptr, date)))
			continue;
		buf_printf(&out, "%s%s", out.len ? ", " : "", date);
	}
	text = str_dup(s->run->arena, (struct str){out.ptr ? out.ptr : "", out.len});
	buf_finish(&out);
	return text;
}

static void put_understood(const struct saying *s)
{
	struct arena *arena = s->run->arena;
	struct str understood = wish_say(arena, s->choice->wish);
	const struct json *left = NULL;

	if (understood.len && understood.len <= WISH_SAID)
		json_put_text(arena, s->result, "understood", understood);
	if (wish_ambiguous(s->choice->wish))
		json_put_bool(arena, s->result, "ambiguous", true);
	left = json_get(wish_constraints(arena, s->choice->wish), "not_understood");
	if (json_count(left) && s->question->words.len <= WISH_SAID)
		json_put(arena, s->result, "not_understood", left);
}

static void put_members(const struct saying *s, bool checked)
{
	struct arena *arena = s->run->arena;
	int64_t but_ms = s->rank == RANK_EXACT ? s->choice->exact_ms : -1;
	bool free = s->count > 0 &&
		    (s->rank == RANK_EXACT || (s->choice->exact_ms < 0 && s->rank == RANK_WISH));

	json_put_bool(arena, s->result, "availability_checked", checked);
	json_put_bool(arena, s->result, "requested_slot_available", free);
	json_put_text(arena, s->result, "available_slots", clocks(s));
	json_put_i64(arena, s->result, "slots_count", (int64_t)s->count);
	json_put_text(arena, s->result, "alternative_slots", spoken_list(s, but_ms));
	json_put_text(arena, s->result, "alternative_dates", dates(s, but_ms));
	json_put_bool(
		arena, s->result, "preference_matched", s->count > 0 && s->rank != RANK_OUTSIDE);
	put_slots(s);
	if (s->question->service)
		json_put_text(arena, s->result, "service", s->question->service->title);
	if (checked)
		put_understood(s);
}

/* Why what was wished is not among what is said; empty: it is. */
static struct str why_others(const struct saying *s, const struct mirror *mirror)
{
	struct desk_run *run = s->run;
	int64_t exact_ms = s->choice->exact_ms, from_ms = 0, to_ms = 0;
	struct str wish;

	if (s->count && s->rank <= RANK_WISH)
		return (struct str){"", 0};
	if (exact_ms >= mirror->to_ms ||
		(wish_days(s->choice->asked, &from_ms, &to_ms) && from_ms >= mirror->to_ms))
		return SAY(run, TOO_FAR,
			say_day(run->arena, s->question->language, s->question->zone,
				mirror->to_ms - HOUR_MS, run->now_ms));
	if (exact_ms >= 0 && exact_ms < run->now_ms + run->settings->notice_ms)
		return SAY0(run, TOO_SOON);
	if (exact_ms >= 0)
		return SAY(run, NOT_FREE,
			say_capital(run->arena, say_when(run->arena, s->question->language,
							s->question->zone, exact_ms, run->now_ms)));
	if (s->count && s->rank == RANK_PREFERENCE)
		return SAY0(run, NONE_WITHIN_WISH);
	if (!wish_restricts(s->choice->wish))
		return (struct str){"", 0};
	wish = wish_say(run->arena, s->choice->wish);
	if (wish.len == 0 || wish.len > WISH_SAID)
		return SAY0(run, NONE_WITHIN_WISH);
	return SAY(run, NONE_WITHIN, say_capital(run->arena, wish));
}

static struct str sentence(const struct saying *s, const struct mirror *mirror, struct str lead)
{
	struct desk_run *run = s->run;
	struct str last = say_day(run->arena, s->question->language, s->question->zone,
		mirror->to_ms - HOUR_MS, run->now_ms);

	if (s->question->staff_said.len && !s->question->staff)
		lead = say_then(run->arena, SAY0(run, NO_PERSON), lead);
	if (s->count == 0)
		return say_then(run->arena, lead,
			mirror_all_fresh(mirror) ? SAY(run, NONE_AT_ALL, last)
						 : SAY0(run, CALENDAR_SILENT));
	if (s->rank == RANK_EXACT)
		return say_then(run->arena, lead, SAY(run, FREE, spoken(s, s->slots[0])));
	return say_then(run->arena, lead, SAY(run, OFFER, spoken_short(s)));
}

static void done(struct saying *s, struct desk_next *next, bool success, struct str text)
{
	next->holds = offer_holds(s->run, s->slots, s->count);
	next->hold_count = s->count;
	say_done(s->run, next, s->result, success, text);
}

static size_t limit_of(const struct desk_run *run)
{
	int64_t n = run->settings->alternatives;

	return n < 1 ? 1 : n > SAID_MAX - 1 ? SAID_MAX - 1 : (size_t)n;
}

void offer_times(struct desk_run *run, struct desk_next *next, const struct offer *offer)
{
	const struct question *question = offer->question;
	struct mirror *mirror = mirror_read(run, question);
	struct choice choice;
	struct saying saying = {.run = run, .question = question, .choice = &choice};

	if (!mirror)
		return;
	begin_choice(run, question, offer->wish ? offer->wish : question->wish, &choice);
	choice.without = offer->without;
	choice.without_count = offer->without_count;
	saying.count = choose(run, &choice, mirror, limit_of(run), &saying.slots, &saying.rank);
	saying.result = offer->result ? offer->result : json_object(run->arena);
	if (offer->plain)
		put_slots(&saying);
	else
		put_members(&saying, mirror->asked_ms != 0);
	done(&saying, next, offer->success, sentence(&saying, mirror, offer->lead));
}

/* ---- desk.offer ---------------------------------------------------------------------------- */

struct offering { /* kept between steps */
	unsigned asked;
};

/* A sentence instead of times; nothing is held. */
static void tell(struct desk_run *run, struct desk_next *next, const struct question *question,
	bool success, struct str text)
{
	struct choice choice = {.wish = question->wish, .asked = question->wish, .exact_ms = -1};
	struct saying saying = {.run = run,
		.question = question,
		.choice = &choice,
		.rank = RANK_OUTSIDE,
		.result = json_object(run->arena)};

	put_members(&saying, false);
	done(&saying, next, success, text);
}

static bool fresh_enough(
	const struct mirror *mirror, const struct question *question, const struct choice *choice)
{
	int64_t from_ms, to_ms;

	if (mirror_all_fresh(mirror))
		return true;
	if (choice->exact_ms >= 0)
		return mirror_fresh(mirror, question, choice->exact_ms, choice->exact_ms + 1);
	return wish_days(choice->asked, &from_ms, &to_ms) &&
	       mirror_fresh(mirror, question, from_ms, to_ms);
}

/* Every question of the last ASK got an answer that can be used. */
static bool answered(const struct desk_run *run)
{
	for (size_t i = 0; i < run->ask_count; i++)
		if (run->asks[i].end != DESK_OK)
			return false;
	return true;
}

static bool may_ask(const struct desk_run *run, const struct offering *state)
{
	if (run->why == DESK_ANSWERED && !answered(run))
		return false;
	return state->asked < ASKED_MAX;
}

static bool ask(struct desk_run *run, struct desk_next *next, const struct question *question,
	const struct mirror *mirror, struct offering *state)
{
	if (!may_ask(run, state))
		return false;
	next->ask_count = mirror_ask(run, question, mirror, SIZE_MAX, &next->asks);
	if (next->ask_count == 0)
		return false;
	next->then = DESK_ASK;
	state->asked++;
	return true;
}

static void read_ahead(struct desk_run *run, struct desk_next *next,
	const struct question *question, const struct mirror *mirror)
{
	struct desk_ask *asks = NULL;

	next->refresh_count = mirror_ask(run, question, mirror, 2, &asks);
	next->refresh = asks;
}

/* What is there is said if the day is known and fits; else the calendar is asked first. */
static void offer_now(struct desk_run *run, struct desk_next *next, const struct question *question,
	const struct mirror *mirror, struct offering *state)
{
	struct choice choice;
	struct saying s = {.run = run, .question = question, .choice = &choice};
	bool fresh;
	int32_t day;

	begin_choice(run, question, question->wish, &choice);
	fresh = fresh_enough(mirror, question, &choice);
	s.count = choose(run, &choice, mirror,
		limit_of(run) + (choice.exact_ms < 0 && wished_day(&s, &day)), &s.slots, &s.rank);
	if (!fresh || s.count == 0 || s.rank > RANK_WISH) {
		if (!mirror_all_fresh(mirror) && ask(run, next, question, mirror, state))
			return;
		if (!fresh) {
			tell(run, next, question, false, SAY0(run, CALENDAR_SILENT));
			return;
		}
	}
	s.result = json_object(run->arena);
	put_members(&s, true);
	if (run->why == DESK_START || run->why == DESK_TAKEN)
		read_ahead(run, next, question, mirror);
	done(&s, next, true, sentence(&s, mirror, why_others(&s, mirror)));
}

void desk_offer(struct desk_run *run, struct desk_next *next)
{
	struct question *question = question_read(run);
	struct offering *state = run->state;
	struct mirror *mirror;
	struct str complaint;

	if (!state)
		run->state = state = arena_alloc(run->arena, sizeof(*state));
	if (!question || !state)
		return;
	complaint = question_complaint(run, question);
	if (complaint.len) {
		tell(run, next, question, false, complaint);
	} else if (!question->check) {
		tell(run, next, question, true, SAY0(run, CHECK_OFF));
	} else if (run->why == DESK_LATE) {
		tell(run, next, question, false, SAY0(run, STILL_LOOKING));
	} else if (run->taken > TAKEN_MAX) {
		tell(run, next, question, false, SAY0(run, BEING_OFFERED));
	} else {
		mirror = mirror_read(run, question);
		if (mirror)
			offer_now(run, next, question, mirror, state);
	}
}
