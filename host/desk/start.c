/* start.c - the one instant a caller chose, out of a slot, words and what is held for the call.
 *
 * Only reads, asks no calendar, takes nothing for granted that was not said. Runs on the runner's
 * thread.
 */
#include "desk/start.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/arena.h"
#include "base/json.h"
#include "desk/steps.h"

#define DAY_MS ((int64_t)24 * 60 * 60 * 1000)
#define BOOKING_MS DAY_MS /* as long as an unknown outcome may take to be found out */

/* ---- What is held for this caller ---------------------------------------------------------- */

struct held {
	struct hold_row *rows; /* in the order in which they were said */
	size_t count;
};

bool start_serves(const struct office_service *service, struct str event_type)
{
	if (!service || str_eq(service->event_type, event_type))
		return true;
	for (size_t i = 0; i < service->staff_count; i++)
		if (str_eq(service->staff[i].event_type, event_type))
			return true;
	return false;
}

/* The agent says what for; else it is what was offered. */
static bool service_named(const struct desk_run *run, const struct question *question)
{
	static const char *const names[] = {"service", "dienstleistung", "service_name", "leistung",
		"event_type_id", "event_type", NULL};

	return question->service_said.len || question_text(run, names).len;
}

static bool with_staff(const struct question *question, const struct hold_row *row)
{
	return !question->staff || str_eq(question->staff->event_type, row->event_type);
}

static int by_id(const void *a, const void *b)
{
	const struct hold_row *x = a, *y = b;

	return memcmp(&x->id, &y->id, sizeof(x->id));
}

static void read_held(struct desk_run *run, const struct question *question, struct held *held)
{
	const struct office_service *service =
		service_named(run, question) ? question->service : NULL;
	size_t count = 0;

	memset(held, 0, sizeof(*held));
	if (!run->holder.len ||
		store_list_holds_of(NULL, desk_reader(run->desk), str_of(run->tenant->name),
			run->holder, run->now_ms, run->arena, &held->rows, &count) != 0)
		return;
	for (size_t i = 0; i < count; i++)
		if (held->rows[i].start_ms > run->now_ms &&
			start_serves(service, held->rows[i].event_type) &&
			with_staff(question, &held->rows[i]))
			held->rows[held->count++] = held->rows[i];
	if (held->count)
		qsort(held->rows, held->count, sizeof(*held->rows), by_id);
}

/* Those of the latest offer: they were said together, so they expire together. */
static size_t latest(struct desk_run *run, const struct held *held, const struct hold_row ***out)
{
	int64_t expires_ms = 0;
	size_t count = 0;

	*out = arena_alloc(run->arena, (held->count + 1) * sizeof(**out));
	for (size_t i = 0; i < held->count; i++)
		if (held->rows[i].expires_ms > expires_ms)
			expires_ms = held->rows[i].expires_ms;
	for (size_t i = 0; *out && i < held->count; i++)
		if (held->rows[i].state == HOLD_OFFERED && held->rows[i].expires_ms == expires_ms)
			(*out)[count++] = &held->rows[i];
	return count;
}

/* All that were offered in this call; list has room for them. */
static size_t offered(const struct held *held, const struct hold_row **list)
{
	size_t count = 0;

	for (size_t i = 0; list && i < held->count; i++)
		if (held->rows[i].state == HOLD_OFFERED)
			list[count++] = &held->rows[i];
	return count;
}

static const struct hold_row *held_at(const struct held *held, int64_t ms)
{
	for (size_t i = 0; i < held->count; i++)
		if (held->rows[i].start_ms == ms)
			return &held->rows[i];
	return NULL;
}

/* ---- "Den zweiten" ------------------------------------------------------------------------- */

static const struct {
	const char *word;
	int at; /* from the end if negative */
} ordinals[] = {
	{"erste", 0},
	{"ersten", 0},
	{"erster", 0},
	{"erstes", 0},
	{"ersterer", 0},
	{"ersteren", 0},
	{"first", 0},
	{"former", 0},
	{"zweite", 1},
	{"zweiten", 1},
	{"zweiter", 1},
	{"zweites", 1},
	{"second", 1},
	{"dritte", 2},
	{"dritten", 2},
	{"dritter", 2},
	{"drittes", 2},
	{"third", 2},
	{"letzte", -1},
	{"letzten", -1},
	{"letzter", -1},
	{"letztes", -1},
	{"letzterer", -1},
	{"letzteren", -1},
	{"last", -1},
	{"latter", -1},
};

static const char *const beside[] = {"den", "der", "die", "das", "dem", "the", "bitte", "please",
	"ja", "yes", "gern", "gerne", "ich", "nehme", "nehmen", "wir", "moechte", "termin",
	"vorschlag", "option", "slot", "one", "appointment", "i", "ll", "will", "take", "dann",
	"then", "ok", "okay", "mein", "meinen", "my", NULL};

static bool ordinal_word(struct str word, int *at)
{
	for (size_t i = 0; i < sizeof(ordinals) / sizeof(ordinals[0]); i++) {
		if (!str_is(word, ordinals[i].word))
			continue;
		*at = ordinals[i].at;
		return true;
	}
	return false;
}

static bool beside_word(struct str word)
{
	for (size_t i = 0; beside[i]; i++)
		if (str_is(word, beside[i]))
			return true;
	return false;
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (unsigned char)c >= 0x80;
}

/* The next word in lower case, "" at the end; too long: cut, and so no word of ours. */
static struct str next_word(struct str *text, char word[32])
{
	size_t n = 0;

	while (text->len && !is_letter(*text->ptr)) {
		text->ptr++;
		text->len--;
	}
	while (text->len && is_letter(*text->ptr)) {
		char c = *text->ptr;
		if (n < 31)
			word[n++] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
		text->ptr++;
		text->len--;
	}
	return (struct str){word, n};
}

bool start_ordinal(struct str text, size_t count, size_t *at)
{
	char buffer[32];
	struct str word;
	int found = 0, which = 0;

	while ((word = next_word(&text, buffer)).len) {
		if (ordinal_word(word, &which))
			found++;
		else if (!beside_word(word) && !str_is(word, "möchte"))
			return false;
	}
	if (found != 1 || count == 0 || which >= (int)count)
		return false;
	*at = which < 0 ? count - 1 : (size_t)which;
	return true;
}

static const struct hold_row *by_ordinal(
	const struct question *question, const struct hold_row **list, size_t count)
{
	const struct str said[] = {question->words, question->date, question->time};
	size_t at;

	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++)
		if (said[i].len && start_ordinal(said[i], count, &at))
			return list[at];
	return NULL;
}

/* ---- Words --------------------------------------------------------------------------------- */

/* What is liked in general, beside a day and a time, is not the choice. */
static const struct wish *what(const struct question *question)
{
	return question->asked ? question->asked : question->wish;
}

/* "Ja, gerne": no choice was said, but nothing else either. */
static bool nothing_else_said(struct desk_run *run, const struct question *question)
{
	const struct json *understood = wish_constraints(run->arena, what(question));

	return json_count(json_get(understood, "not_understood")) == 0;
}

/* Held times that fit what was said, each start once; nothing said fits all. */
static size_t fitting(struct desk_run *run, const struct question *question,
	const struct hold_row **list, size_t count)
{
	size_t n = 0;

	if (!wish_restricts(what(question)) && !nothing_else_said(run, question))
		return 0; /* it was not understood, which is no choice */
	for (size_t i = 0; i < count; i++) {
		if (wish_restricts(what(question)) &&
			!wish_allows(what(question), list[i]->start_ms))
			continue;
		if (n && list[n - 1]->start_ms == list[i]->start_ms)
			continue;
		list[n++] = list[i];
	}
	return n;
}

static struct str whens(struct desk_run *run, const struct question *question,
	const struct hold_row **list, size_t count)
{
	struct str texts[3];
	size_t n = 0;

	for (; n < count && n < sizeof(texts) / sizeof(texts[0]); n++)
		texts[n] = say_when(run->arena, say_language(run), question->zone,
			list[n]->start_ms, run->now_ms);
	return say_or(run->arena, say_language(run), texts, n);
}

static struct str readings(struct desk_run *run, const struct question *question)
{
	const struct json *list =
		json_get(wish_constraints(run->arena, what(question)), "readings");
	struct str texts[2];
	size_t n = 0;

	for (; n < json_count(list) && n < 2; n++)
		texts[n] = json_get_text(json_at(list, n, NULL), "say");
	return say_or(run->arena, say_language(run), texts, n);
}

static struct str what_is_missing(struct desk_run *run, const struct question *question,
	const struct hold_row **fits, size_t count)
{
	int64_t from_ms, to_ms;

	if (count > 1)
		return SAY(run, BOOK_WHICH, whens(run, question, fits, count));
	if (question->slot_bad)
		return SAY0(run, WHICH_TIME);
	if (wish_ambiguous(what(question)))
		return SAY(run, BOOK_READINGS, readings(run, question));
	if (wish_restricts(what(question)) && wish_days(what(question), &from_ms, &to_ms) &&
		to_ms - from_ms < DAY_MS + DAY_MS / 12)
		return SAY(run, BOOK_TIME,
			say_day(run->arena, say_language(run), question->zone, from_ms,
				run->now_ms));
	return SAY0(run, BOOK_WHEN);
}

/* ---- Bounds -------------------------------------------------------------------------------- */

static bool day_after(const struct civil *a, const struct civil *b)
{
	if (a->year != b->year)
		return a->year > b->year;
	if (a->month != b->month)
		return a->month > b->month;
	return a->day > b->day;
}

/* What was offered may be had, even if it has come nearer while we talked. */
static struct str out_of_bounds(
	struct desk_run *run, const struct question *question, const struct start *start)
{
	int64_t last_ms = run->now_ms + run->settings->horizon_ms;
	struct civil day = zone_civil(question->zone, start->ms);
	struct civil last = zone_civil(question->zone, last_ms);
	enum say_language language = say_language(run);

	if (start->ms <= run->now_ms)
		return SAY(run, OVER,
			say_when(run->arena, language, question->zone, start->ms, run->now_ms));
	if (start->held)
		return (struct str){0};
	if (start->ms < run->now_ms + run->settings->notice_ms)
		return SAY0(run, TOO_SOON);
	if (day_after(&day, &last))
		return SAY(run, TOO_FAR,
			say_day(run->arena, language, question->zone, last_ms, run->now_ms));
	return (struct str){0};
}

/* ---- The choice ---------------------------------------------------------------------------- */

/* Which service the time was offered for, if the agent does not repeat it. */
static struct office_service *service_of(
	struct desk_run *run, const struct question *question, struct str event_type)
{
	struct office_service *services = NULL;
	size_t count;

	if (service_named(run, question) || !question->office ||
		(question->service && start_serves(question->service, event_type)))
		return question->service;
	count = office_offered(run->arena, question->office, question->branch, &services);
	for (size_t i = 0; i < count; i++)
		if (start_serves(&services[i], event_type))
			return &services[i];
	return question->service;
}

static void take_hold(struct desk_run *run, const struct question *question, struct start *start,
	const struct hold_row *hold)
{
	start->ms = hold->start_ms;
	start->held = hold;
	start->service = service_of(run, question, hold->event_type);
}

/* Without a slot: words, against what is held first, for they are mostly about that. */
static void choose_by_words(struct desk_run *run, const struct question *question,
	const struct held *held, struct start *start)
{
	const struct hold_row **list = NULL, *hold;
	size_t count = latest(run, held, &list);
	int64_t ms;

	hold = by_ordinal(question, list, count);
	if (!hold) {
		count = fitting(run, question, list, count);
		if (count == 0 && wish_restricts(what(question)))
			count = fitting(run, question, list, offered(held, list));
		hold = count == 1 ? list[0] : NULL;
	}
	if (hold)
		take_hold(run, question, start, hold);
	else if (count == 0 && !wish_ambiguous(what(question)) && wish_exact(what(question), &ms)) {
		start->ms = ms;
		start->held = held_at(held, ms);
	} else
		start->sentence = what_is_missing(run, question, list, count);
}

/* Several services, none named, none offered: the first one would be a guess. */
static struct str which_service(
	struct desk_run *run, const struct question *question, const struct start *start)
{
	struct office_service *list = NULL;
	struct str titles[3];
	size_t count, n = 0;

	if (start->held || service_named(run, question) || question->staff)
		return (struct str){0};
	count = office_offered(run->arena, question->office, question->branch, &list);
	if (count < 2)
		return (struct str){0};
	for (; n < count && n < sizeof(titles) / sizeof(titles[0]); n++)
		titles[n] = list[n].title;
	return SAY(run, BOOK_SERVICE, say_or(run->arena, say_language(run), titles, n));
}

void start_choose(struct desk_run *run, const struct question *question, struct start *start)
{
	struct held held;

	*start = (struct start){.ms = -1, .service = question->service};
	read_held(run, question, &held);
	start->sentence = question_complaint(run, question);
	if (start->sentence.len)
		return;
	if (question->start_ms >= 0) {
		start->ms = question->start_ms;
		start->held = held_at(&held, start->ms);
		if (start->held)
			start->service = service_of(run, question, start->held->event_type);
	} else
		choose_by_words(run, question, &held, start);
	if (start->ms < 0)
		return;
	start->sentence = out_of_bounds(run, question, start);
	if (!start->sentence.len)
		start->sentence = which_service(run, question, start);
	if (start->sentence.len)
		start->ms = -1;
}

/* ---- The slot ------------------------------------------------------------------------------ */

static void slot_of_hold(const struct hold_row *hold, struct mirror_slot *slot)
{
	*slot = (struct mirror_slot){
		.start_ms = hold->start_ms,
		.end_ms = hold->end_ms,
		.event_type = hold->event_type,
		.resource = hold->resource,
		.capacity = hold->capacity,
	};
}

/* Nobody knows whether it is free: the calendar is asked. */
static void slot_of_service(
	struct desk_run *run, const struct question *question, int64_t ms, struct mirror_slot *slot)
{
	const struct office_service *service = question->service;
	const struct office_staff *staff = question->staff;

	if (!staff && !service->event_type.len && service->staff_count)
		staff = &service->staff[0];
	*slot = (struct mirror_slot){
		.start_ms = ms,
		.end_ms = ms + service->length_ms,
		.event_type = staff ? staff->event_type : service->event_type,
	};
	mirror_resource(run->arena, service, staff, slot);
}

bool start_slot(struct desk_run *run, const struct question *question, const struct start *start,
	struct mirror_slot *slot)
{
	struct question about = *question;
	const struct mirror_slot *found;
	struct mirror *mirror;

	assert(start->ms >= 0 && start->service);
	about.service = start->service;
	if (start->held) {
		slot_of_hold(start->held, slot);
		return true;
	}
	mirror = mirror_read(run, &about);
	found = mirror ? mirror_find(mirror, start->ms) : NULL;
	if (found) {
		*slot = *found;
		return true;
	}
	slot_of_service(run, &about, start->ms, slot);
	return !mirror || !mirror_fresh(mirror, &about, start->ms, slot->end_ms);
}

struct str start_calendar(const struct desk_run *run, const struct office_service *service)
{
	return service->connection.len ? service->connection
				       : str_of(run->settings->calendar->full);
}

/* All its tries are used up: it failed for good. */
static bool is_dead(struct desk_run *run, const struct desk_ask *ask)
{
	struct job_row job;

	return store_get_job(NULL, desk_reader(run->desk), str_of(run->tenant->name), ask->dedupe,
		       run->arena, &job) == 0 &&
	       (job.state == JOB_DEAD || job.state == JOB_DROPPED);
}

bool start_refused(struct desk_run *run, const struct desk_ask *ask)
{
	/* "store": it was not written down, so there is no job that could still do it. */
	static const char *const final[] = {"bad input", "gone", "conflict", "store"};

	if (ask->end == DESK_REFUSED)
		return true;
	if (ask->end != DESK_FAILED)
		return false;
	for (size_t i = 0; i < sizeof(final) / sizeof(final[0]); i++)
		if (str_is(ask->fail, final[i]))
			return true;
	return is_dead(run, ask);
}

const struct hold_row *start_hold(
	struct desk_run *run, const struct mirror_slot *slot, int64_t length_ms)
{
	struct hold_row *hold = arena_alloc(run->arena, sizeof(*hold));

	if (hold)
		*hold = (struct hold_row){
			.id = id_new(),
			.tenant = str_of(run->tenant->name),
			.holder = run->holder,
			.resource = slot->resource,
			.event_type = slot->event_type,
			.start_ms = slot->start_ms,
			.end_ms = length_ms ? slot->start_ms + length_ms : slot->end_ms,
			.expires_ms = run->now_ms + BOOKING_MS,
			.capacity = slot->capacity,
			.state = HOLD_BOOKING,
		};
	return hold;
}
