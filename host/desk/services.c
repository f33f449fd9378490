/* services.c - desk.services: what the office offers. Knows no calendar. The runner's thread. */
#include "desk/question.h"

#include "base/arena.h"
#include "base/json.h"
#include "desk/steps.h"

#define SAID 5 /* more than that nobody remembers */
#define MINUTE_MS 60000

static struct str spoken(struct desk_run *run, const struct office_service *service)
{
	struct str minutes =
		say_minutes(run->arena, say_language(run), service->length_ms / MINUTE_MS);

	if (service->price_minor < 0)
		return SAY(run, SERVICE, service->title, minutes);
	return SAY(run, SERVICE_PRICED, service->title, minutes,
		say_price(run->arena, say_language(run), service->price_minor, service->currency));
}

static struct json *row(struct desk_run *run, const struct office_service *service)
{
	struct arena *arena = run->arena;
	struct json *out = json_object(arena);
	struct json *staff = json_array(arena);

	json_put_text(arena, out, "name", service->name);
	json_put_text(arena, out, "title", service->title);
	json_put_i64(arena, out, "length_min", service->length_ms / MINUTE_MS);
	if (service->price_minor >= 0) {
		json_put_i64(arena, out, "price_minor", service->price_minor);
		if (service->currency.len)
			json_put_text(arena, out, "currency", service->currency);
	}
	for (size_t i = 0; i < service->staff_count; i++)
		json_push(arena, staff, json_of_text(arena, service->staff[i].name));
	if (service->staff_count)
		json_put(arena, out, "staff", staff);
	json_put_text(arena, out, "spoken", spoken(run, service));
	return out;
}

static struct str sentence(struct desk_run *run, const struct office_service *list, size_t count)
{
	struct buf all = {.max = 8192};
	size_t said = count <= SAID ? count : SAID, left = count - said;
	struct str text;

	for (size_t i = 0; i < said; i++) {
		buf_add_text(&all, i ? "; " : "");
		buf_add_str(&all, spoken(run, &list[i]));
	}
	text = str_dup(run->arena, (struct str){all.ptr ? all.ptr : "", all.len});
	buf_finish(&all);
	if (left == 0)
		return SAY(run, SERVICES, text);
	if (left == 1)
		return SAY(run, SERVICES_MORE_ONE, text);
	return SAY(run, SERVICES_MORE, text, str_of(arena_printf(run->arena, "%zu", left)));
}

void desk_services(struct desk_run *run, struct desk_next *next)
{
	struct question *question = question_read(run);
	struct json *result = json_object(run->arena), *rows = json_array(run->arena);
	struct office_service *list = NULL;
	size_t count;

	if (!question)
		return;
	count = office_offered(run->arena, question->office, question->branch, &list);
	for (size_t i = 0; i < count; i++)
		json_push(run->arena, rows, row(run, &list[i]));
	json_put_i64(run->arena, result, "services_count", (int64_t)count);
	json_put(run->arena, result, "services", rows);
	if (count == 0)
		say_done(run, next, result, false, SAY0(run, NO_SERVICES));
	else
		say_done(run, next, result, true, sentence(run, list, count));
}
