/* others.c - other times, when the chosen one cannot be had.
 *
 * Says nothing free that is not held. Runs on the runner's thread.
 */
#include "desk/others.h"

#include <string.h>
#include "base/arena.h"
#include "base/json.h"
#include "desk/offer.h"
#include "desk/steps.h"

#define TAKEN_MAX 3 /* then others are simply quicker */

/* The wish may be "den zweiten", or what fitted a time that was held: meant is what is near it. */
static struct wish *near(struct desk_run *run, const struct question *question, int64_t start_ms)
{
	struct civil at = zone_civil(question->zone, start_ms);
	char *text = arena_printf(run->arena, "%04d-%02d-%02d %02d:%02d", at.year, at.month, at.day,
		at.hour, at.minute);

	if (!text)
		return question->wish;
	return question_wish(
		run, question, (struct str){text, 10}, (struct str){text + 11, 5}, (struct str){0});
}

void others_begin(struct desk_run *run, struct others *others, const struct question *question,
	int64_t start_ms, const char *member)
{
	others->begun = true;
	others->question = *question;
	others->start_ms = start_ms;
	others->member = member;
	others->question.start_ms = start_ms;
	if (!question->asked)
		others->question.wish = near(run, question, start_ms);
}

static bool stale(const struct mirror *mirror, const struct others *others)
{
	if (mirror_all_fresh(mirror))
		return false;
	return mirror->count == 0 ||
	       !mirror_fresh(mirror, &others->question, others->start_ms, others->start_ms + 1);
}

static bool ask(struct desk_run *run, struct desk_next *next, struct others *others)
{
	const struct mirror *mirror;

	if (others->asked)
		return false;
	mirror = mirror_read(run, &others->question);
	if (!mirror || !stale(mirror, others))
		return false;
	next->ask_count = mirror_ask(run, &others->question, mirror, SIZE_MAX, &next->asks);
	if (next->ask_count == 0)
		return false;
	next->then = DESK_ASK;
	others->asked = true;
	return true;
}

void others_offer(struct desk_run *run, struct desk_next *next, struct others *others)
{
	struct offer offer = {
		.question = &others->question,
		.lead = others->lead,
		.plain = true,
		.without = &others->start_ms,
		.without_count = 1,
		.result = json_object(run->arena),
	};

	others->question.office = offices_find(desk_offices(run->desk), str_of(run->tenant->name));
	json_put_bool(run->arena, offer.result, others->member, false);
	if (run->why == DESK_LATE) /* nothing can be held now, so nothing is said to be free */
		say_done(run, next, offer.result, false,
			say_then(run->arena, others->lead, SAY0(run, STILL_LOOKING)));
	else if (run->taken >= TAKEN_MAX)
		say_done(run, next, offer.result, false,
			say_then(run->arena, others->lead, SAY0(run, TRY_ANOTHER)));
	else if (!ask(run, next, others))
		offer_times(run, next, &offer);
}
