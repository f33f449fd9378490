/* wish_json.c - what was understood, for agents, logs and tests. The members are described in this
 * room's README.md. Pure; any thread. */
#include <stdio.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/zone_rule.h"
#include "desk/wish_i.h"

static const char *const weekdays[] = {
	"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"};
static const char *const parts[] = {[WISH_EARLY] = "early",
	[WISH_FORENOON] = "forenoon",
	[WISH_NOON] = "noon",
	[WISH_AFTERNOON] = "afternoon",
	[WISH_AFTERNOON_1ST] = "early_afternoon",
	[WISH_AFTERNOON_2ND] = "late_afternoon",
	[WISH_EVENING] = "evening",
	[NIGHT] = "night"};

static void put_date(struct arena *arena, struct json *out, const char *key, int day)
{
	char text[32];
	int64_t year;
	int month, of;

	zone_date_of(day, &year, &month, &of);
	snprintf(text, sizeof(text), "%04d-%02d-%02d", (int)year, month, of);
	json_put_text(arena, out, key, str_of(text));
}

static void put_clock(struct arena *arena, struct json *out, const char *key, int minutes)
{
	char text[32];

	if (minutes < 0)
		minutes += 1440;
	if (minutes > 1440)
		minutes -= 1440;
	snprintf(text, sizeof(text), "%02d:%02d", minutes / 60, minutes % 60);
	json_put_text(arena, out, key, str_of(text));
}

static struct json *span_json(struct arena *arena, const struct span *span)
{
	struct json *out = json_object(arena), *names = json_array(arena);

	if (span->none) {
		json_put_bool(arena, out, "impossible", true);
		return out;
	}
	if (span->from != DAY_MIN)
		put_date(arena, out, "from", span->from);
	if (span->to != DAY_MAX)
		put_date(arena, out, "to", span->to);
	for (int i = 0; i < 7; i++)
		if (span->mask & (1u << i))
			json_push(arena, names, json_of_text(arena, str_of(weekdays[i])));
	if (span->mask != 0x7f)
		json_put(arena, out, "weekdays", names);
	if (span->holiday)
		json_put_text(arena, out, "holidays", str_of(span->holiday > 0 ? "only" : "none"));
	return out;
}

static struct json *hours_json(struct arena *arena, const struct hours *hours)
{
	struct json *out = json_object(arena);

	if (hours->none) {
		json_put_bool(arena, out, "impossible", true);
		return out;
	}
	if (hours->how == TIME_PART)
		json_put_text(arena, out, "part", str_of(parts[hours->part]));
	if (hours->how == TIME_AT) {
		put_clock(arena, out, "begin", hours->target);
		return out;
	}
	if (hours->how == TIME_ABOUT)
		put_clock(arena, out, "near", hours->target);
	if (hours->lo > 0 || hours->how == TIME_ABOUT)
		put_clock(arena, out, "begin_from", hours->lo);
	if (hours->how == TIME_ABOUT)
		put_clock(arena, out, "begin_to", hours->hi);
	if (hours->end != END_OPEN)
		put_clock(arena, out, "end_until", hours->end);
	return out;
}

static struct json *rule_json(struct arena *arena, const struct rule *rule)
{
	struct json *out = json_object(arena), *days = json_array(arena),
		    *times = json_array(arena);

	for (size_t i = 0; i < rule->day_count; i++)
		json_push(arena, days, span_json(arena, &rule->days[i]));
	for (size_t i = 0; i < rule->hour_count; i++)
		json_push(arena, times, hours_json(arena, &rule->hours[i]));
	if (rule->day_count)
		json_put(arena, out, "days", days);
	if (rule->hour_count)
		json_put(arena, out, "times", times);
	return out;
}

static void put_rules(struct arena *arena, struct json *out, const struct wish *wish)
{
	struct json *any = json_array(arena), *none = json_array(arena);

	for (size_t i = 0; i < wish->count; i++)
		json_push(arena, wish->rules[i].excluded ? none : any,
			rule_json(arena, &wish->rules[i]));
	if (json_count(any))
		json_put(arena, out, "any", any);
	if (json_count(none))
		json_put(arena, out, "none", none);
}

static void put_fault(struct arena *arena, struct json *out, const struct wish *wish)
{
	static const char *const kinds[] = {[WISH_NO_SUCH_DATE] = "no_such_date",
		[WISH_NO_SUCH_TIME] = "no_such_time",
		[WISH_IN_GAP] = "in_gap",
		[WISH_PAST] = "past"};
	struct json *fault = json_object(arena);

	json_put_text(arena, fault, "kind", str_of(kinds[wish->fault]));
	if (wish->fault_said.len)
		json_put_text(arena, fault, "said", wish->fault_said);
	if (wish->fault_ms >= 0)
		json_put_text(arena, fault, "meant",
			clock_print(arena, wish->fault_ms, wish->context.zone));
	json_put(arena, out, "fault", fault);
}

#define STRANGE_TOLD 20 /* more say nothing more, and a voice agent would read them all */

static void put_strange(struct arena *arena, struct json *out, const struct wish *wish)
{
	struct json *words = json_array(arena);

	for (size_t i = 0; i < wish->strange_count && i < STRANGE_TOLD; i++)
		json_push(arena, words, json_of_text(arena, wish->strange[i]));
	json_put(arena, out, "not_understood", words);
}

static struct json *reading_json(struct arena *arena, const struct wish *wish)
{
	struct json *out = json_object(arena);

	put_rules(arena, out, wish);
	json_put_text(arena, out, "say", wish_say(arena, wish));
	return out;
}

struct json *wish_constraints(struct arena *arena, const struct wish *wish)
{
	struct json *out = json_object(arena), *readings;

	put_rules(arena, out, wish);
	if (wish->order)
		json_put_text(
			arena, out, "order", str_of(wish->order == 1 ? "earliest" : "latest"));
	if (wish->fault)
		put_fault(arena, out, wish);
	if (wish->other) {
		readings = json_array(arena);
		json_push(arena, readings, reading_json(arena, wish));
		json_push(arena, readings, reading_json(arena, wish->other));
		json_put(arena, out, "readings", readings);
	}
	if (wish->strange_count)
		put_strange(arena, out, wish);
	return out;
}
