/* find.c - the desk's operation find: the caller's own appointments, and nobody else's.
 *
 * From the store, and from the calendar if it answers in time, for the store may not know what was
 * booked before it. Runs on the runner's thread.
 */
#include <string.h>
#include "base/arena.h"
#include "base/json.h"
#include "desk/identity.h"
#include "desk/steps.h"

#define TOLD 3
#define LISTED 10

struct find {
	struct question *question;
	struct identity identity;
};

static const struct json *list(struct desk_run *run, const struct question *question,
	const struct appointment_row *rows, size_t count)
{
	struct json *array = json_array(run->arena);

	for (size_t i = 0; i < count && i < LISTED; i++) {
		struct json *one = json_object(run->arena);
		identity_put(run, question, one, &rows[i]);
		json_push(run->arena, array, one);
	}
	return array;
}

static struct str sentence(struct desk_run *run, const struct question *question,
	const struct appointment_row *rows, size_t count)
{
	struct str labels = identity_labels(run, question, rows, count, false);
	struct str number = str_of(arena_printf(run->arena, "%zu", count));

	if (count == 1)
		return SAY(run, FIND_ONE, labels);
	return count > TOLD ? SAY(run, FIND_MORE, labels, number)
			    : SAY(run, FIND_SOME, labels, number);
}

static void tell(struct desk_run *run, struct desk_next *next, const struct question *question,
	const struct appointment_row *rows, size_t count, struct str say)
{
	struct json *out = json_object(run->arena);

	json_put_i64(run->arena, out, "count", (int64_t)count);
	json_put(run->arena, out, "appointments", list(run, question, rows, count));
	if (count)
		say = sentence(run, question, rows, count);
	say_done(run, next, out, true, say);
}

/* Nothing under that number is an answer; unless a name and a day were said, too. */
static void without_number(struct desk_run *run, struct desk_next *next, const struct find *find)
{
	const struct question *question = find->question;
	struct appointment_row row;
	struct str asking = {0};
	enum identity_end end = identity_one(run, &find->identity, &row, &asking);
	bool complete = !find->identity.incomplete && !find->identity.unread;

	if (end == IDENTITY_ONE)
		tell(run, next, question, &row, 1, asking);
	else if (identity_by_number(run) && complete && !question->name.len)
		tell(run, next, question, NULL, 0, SAY0(run, WHO_NOT_BY_NUMBER));
	else if (end == IDENTITY_ASK)
		say_done(run, next, NULL, false, asking);
	else
		identity_callback(run, next, question, SAY0(run, ABOUT_FIND));
}

static void conclude(struct desk_run *run, struct desk_next *next, const struct find *find)
{
	if (find->identity.count)
		tell(run, next, find->question, find->identity.rows, find->identity.count,
			(struct str){0});
	else
		without_number(run, next, find);
}

static void begin(struct desk_run *run, struct desk_next *next, struct find *find)
{
	struct question *question = find->question = question_read(run);

	if (!question)
		return;
	identity_read(run, question, &find->identity);
	identity_say(run, &find->identity,
		&(struct identity_words){.date = question->date,
			.time = question->time,
			.words = question->words,
			.start_ms = question->start_ms});
	next->ask_count = identity_asks(run, &next->asks);
	next->then = DESK_ASK;
	if (next->ask_count == 0)
		conclude(run, next, find);
}

void desk_find(struct desk_run *run, struct desk_next *next)
{
	struct find *find = run->state;

	if (run->why == DESK_START) {
		find = run->state = arena_alloc(run->arena, sizeof(*find));
		if (find)
			begin(run, next, find);
		return;
	}
	identity_answered(run, &find->identity);
	conclude(run, next, find);
}
