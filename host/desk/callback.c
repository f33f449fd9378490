/* callback.c - desk.callback: somebody shall call back. Tells it as an event, and no more; who
 * gets it is a pipeline's business. The runner's thread.
 */
#include "desk/callback.h"

#include "base/arena.h"
#include "base/json.h"
#include "desk/steps.h"

#define TEXT_MAX 1000 /* bytes of a reason or a wish that are kept */

static struct str brief(struct str text)
{
	if (text.len > TEXT_MAX) {
		text.len = TEXT_MAX;
		text.len = str_utf8_span(text);
	}
	return text;
}

static void put(struct arena *arena, struct json *object, const char *key, struct str value)
{
	if (value.len)
		json_put_text(arena, object, key, brief(value));
}

static struct str preferred(const struct desk_run *run, const struct question *question)
{
	static const char *const names[] = {
		"preferred_time", "callback_time", "wunschzeit", "when", "wann", NULL};
	struct str said = question_text(run, names);

	return said.len ? said : question->words;
}

static struct str callback_data(
	struct desk_run *run, const struct question *question, struct str reason)
{
	struct arena *arena = run->arena;
	struct json *data = json_object(arena);

	json_put_text(arena, data, "phone", question->caller_phone);
	put(arena, data, "name", question->name);
	put(arena, data, "reason", reason);
	put(arena, data, "preferred_time", preferred(run, question));
	put(arena, data, "call_id", json_get_text(run->data, "call_id"));
	if (question->branch)
		put(arena, data, "branch", question->branch->name);
	return json_print(arena, data);
}

const struct desk_event *callback_event(
	struct desk_run *run, const struct question *question, struct str reason)
{
	struct desk_event *event = arena_alloc(run->arena, sizeof(*event));

	if (!event)
		return NULL;
	event->type = STR("callback.requested");
	event->data = callback_data(run, question, reason);
	/* Once for a call and number: a caller who asks again wants no second call. */
	event->dedupe = str_cat(run->arena,
		(const struct str[]){
			STR("callback:"), run->holder, STR(":"), question->caller_phone},
		4);
	return event;
}

static struct str sentence(struct desk_run *run, const struct question *question)
{
	struct str phone = question->caller_phone;
	struct str wish = preferred(run, question).len ? SAY0(run, CALLBACK_WISH) : STR("");
	struct str ends = str_of(arena_printf(
		run->arena, "%c %c", phone.ptr[phone.len - 2], phone.ptr[phone.len - 1]));

	return say_then(run->arena, SAY(run, CALLBACK_TO, ends), wish);
}

void desk_callback(struct desk_run *run, struct desk_next *next)
{
	struct question *question = question_read(run);
	struct json *result = json_object(run->arena);

	if (!question)
		return;
	json_put_bool(run->arena, result, "callback_noted", question->caller_phone.len >= 3);
	if (question->caller_phone.len < 3) {
		say_done(run, next, result, false, SAY0(run, CALLBACK_PHONE));
		return;
	}
	next->events = callback_event(run, question, question->reason);
	next->event_count = next->events ? 1 : 0;
	say_done(run, next, result, true, sentence(run, question));
}
