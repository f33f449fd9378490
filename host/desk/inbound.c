/* inbound.c - desk.inbound: the phone rings. Which agent answers, and what it should know.
 *
 * Answers from what is there and never waits for a calendar; what is not known is left out. The
 * days ahead and the caller's appointments are read meanwhile, in at most two questions. Runs on
 * the runner's thread.
 */
#include "desk/offer.h"

#include <string.h>
#include "base/arena.h"
#include "base/json.h"
#include "desk/steps.h"

#define DAY_MS (24 * 60 * 60 * 1000LL)
#define AHEAD_MS (365 * DAY_MS) /* a caller's next appointment */
#define PAST_MS (365 * DAY_MS)
#define FIRST_SLOTS 3 /* enough to begin with; the caller has not said anything yet */
#define KNOWN 50      /* appointments that are looked at */

struct known {                        /* the caller, by number */
	struct appointment_row *rows; /* by start */
	size_t count, ahead;          /* ahead: index of the first to come; count: none */
};

static void read_known(struct desk_run *run, struct known *out)
{
	struct appointment_query query = {
		.tenant = str_of(run->tenant->name),
		.person = run->caller,
		.from_ms = run->now_ms - PAST_MS,
		.to_ms = run->now_ms + AHEAD_MS,
		.standing = true,
		.limit = KNOWN,
	};

	memset(out, 0, sizeof(*out));
	if (run->caller.len == 0 || store_find_appointments(NULL, desk_reader(run->desk), &query,
					    run->arena, &out->rows, &out->count) != 0)
		out->count = 0;
	while (out->ahead < out->count && out->rows[out->ahead].start_ms < run->now_ms)
		out->ahead++;
}

/* The latest name the number came under; a family that shares one has none. */
static struct str name_of(struct arena *arena, const struct known *known)
{
	struct str name = {"", 0};

	for (size_t i = 0; i < known->count; i++) {
		if (known->rows[i].name.len == 0)
			continue;
		if (name.len && !str_eq(question_fold(arena, name),
					question_fold(arena, known->rows[i].name)))
			return (struct str){"", 0};
		name = known->rows[i].name;
	}
	return name;
}

/* ---- Variables ----------------------------------------------------------------------------- */

static void put(struct desk_run *run, struct json *variables, const char *key, struct str value)
{
	if (value.len)
		json_put_text(run->arena, variables, key, value);
}

static struct str first_slots(
	struct desk_run *run, const struct question *question, const struct mirror *mirror)
{
	struct str list[FIRST_SLOTS];
	const struct mirror_slot **slots = NULL;
	bool within;
	size_t count = offer_choose(
		run, question, question->wish, mirror, NULL, 0, FIRST_SLOTS, &slots, &within);

	for (size_t i = 0; i < count; i++)
		list[i] = say_when(run->arena, question->language, question->zone,
			slots[i]->start_ms, run->now_ms);
	return say_or(run->arena, question->language, list, count);
}

static struct json *variables_of(struct desk_run *run, const struct question *question,
	const struct known *known, const struct mirror *mirror)
{
	struct json *out = json_object(run->arena);
	struct str name = name_of(run->arena, known);
	int64_t now_ms = run->now_ms;

	put(run, out, "office", str_of(run->tenant->title));
	if (question->branch)
		put(run, out, "branch", question->branch->title);
	put(run, out, "caller_known", known->count ? STR("true") : STR("false"));
	put(run, out, "caller_name", name);
	if (known->ahead < known->count)
		put(run, out, "next_appointment",
			say_when(run->arena, question->language, question->zone,
				known->rows[known->ahead].start_ms, now_ms));
	put(run, out, "today", say_today(run->arena, question->language, question->zone, now_ms));
	put(run, out, "now", say_clock(run->arena, question->language, question->zone, now_ms));
	if (mirror && mirror_all_fresh(mirror))
		put(run, out, "first_slots", first_slots(run, question, mirror));
	return out;
}

/* ---- Reading ahead ------------------------------------------------------------------------- */

/* What a caller comes for most, if it is still offered; else the branch's first service. */
static void usual_service(
	struct desk_run *run, struct question *question, const struct known *known)
{
	struct office_service *list = NULL;
	size_t count = office_offered(run->arena, question->office, question->branch, &list);
	size_t best = 1; /* once is no habit */

	for (size_t i = 0; i < count; i++) {
		size_t times = 0;
		for (size_t k = 0; k < known->ahead; k++)
			times += known->rows[k].event_type.len &&
				 str_eq(known->rows[k].event_type, list[i].event_type);
		if (times > best) {
			best = times;
			question->service = &list[i];
		}
	}
}

static struct desk_ask own_appointments(struct desk_run *run, struct str connection)
{
	struct arena *arena = run->arena;
	struct json *input = json_object(arena);

	json_put_text(arena, input, "phone", run->caller);
	return (struct desk_ask){.connection = connection,
		.op = STR("find_booking"),
		.input = json_print(arena, input)};
}

/* None if all is fresh; else the slots, and who it is whose days are looked at anyway. */
static void read_ahead(struct desk_run *run, struct desk_next *next,
	const struct question *question, const struct mirror *mirror)
{
	struct desk_ask *slots = NULL, *asks = arena_alloc(run->arena, 2 * sizeof(*asks));
	size_t count = mirror_ask(run, question, mirror, 1, &slots);

	if (!asks || count == 0)
		return;
	asks[0] = slots[0];
	if (run->caller.len)
		asks[count++] = own_appointments(run, mirror->connection);
	next->refresh = asks;
	next->refresh_count = count;
}

void desk_inbound(struct desk_run *run, struct desk_next *next)
{
	struct question *question = question_read(run);
	struct mirror *mirror = NULL;
	struct known known;
	struct json *result;

	if (!question)
		return;
	read_known(run, &known);
	if (question->fault != QUESTION_NO_SERVICES) {
		if (question->fault == QUESTION_SOUND)
			usual_service(run, question, &known);
		if (question->service)
			mirror = mirror_read(run, question);
	}
	result = json_object(run->arena);
	if (question->branch && question->branch->agent.len) {
		json_put_text(run->arena, result, "agent", question->branch->agent);
		if (question->branch->agent_version >= 0)
			json_put_i64(run->arena, result, "agent_version",
				question->branch->agent_version);
	}
	json_put(run->arena, result, "variables", variables_of(run, question, &known, mirror));
	if (mirror)
		read_ahead(run, next, question, mirror);
	say_done(run, next, result, true, SAY(run, HELLO, str_of(run->tenant->title)));
}
