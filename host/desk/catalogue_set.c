/* catalogue_set.c - desk.set_service and desk.set_branch: what a person adds or changes.
 *
 * Checks everything and stores nothing: the rows are the host's to keep. What is not named stays as
 * it was. Every refusal names the member and the remedy. The runner's thread.
 */
#include "desk/question.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/arena.h"
#include "base/json.h"
#include "desk/holiday.h"
#include "desk/steps.h"

#define MINUTE_MS 60000
#define NAME_MAX_LEN 64
#define LENGTH_MAX 1440 /* minutes: a day; longer is no appointment */

/* ---- Members ------------------------------------------------------------------------------- */

struct setting { /* one call; the first fault is the one that is told */
	struct desk_run *run;
	const struct json *input;
	struct str fault;
};

__attribute__((format(printf, 2, 3))) static void refuse(struct setting *s, const char *format, ...)
{
	char text[320];
	va_list args;

	if (s->fault.len)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	s->fault = str_dup(s->run->arena, str_of(text));
}

static struct str take_text(struct setting *s, const char *key, struct str otherwise)
{
	const struct json *value = json_get(s->input, key);
	enum json_type type = json_type(value);

	if (type <= JSON_NULL) /* copied: the catalogue may be read anew before it is stored */
		return str_dup(s->run->arena, otherwise);
	if (type != JSON_TEXT && type != JSON_NUMBER) {
		refuse(s, "%s must be a text.", key);
		return otherwise;
	}
	if (json_text(value).len > 500)
		refuse(s, "%s is too long: at most 500 bytes.", key);
	return json_text(value);
}

static int64_t take_number(
	struct setting *s, const char *key, int64_t least, int64_t most, int64_t otherwise)
{
	const struct json *value = json_get(s->input, key);
	int64_t n = json_i64(value, INT64_MIN);

	if (json_type(value) <= JSON_NULL)
		return otherwise;
	if (n < least || n > most)
		refuse(s, "%s must be a whole number from %lld to %lld.", key, (long long)least,
			(long long)most);
	return n;
}

static bool take_bool(struct setting *s, const char *key, bool otherwise)
{
	const struct json *value = json_get(s->input, key);

	if (json_type(value) <= JSON_NULL)
		return otherwise;
	if (json_type(value) != JSON_BOOL)
		refuse(s, "%s must be true or false.", key);
	return json_bool(value, otherwise);
}

static struct str take_name(struct setting *s)
{
	struct str name = json_get_text(s->input, "name");

	if (name.len == 0 || name.len > NAME_MAX_LEN)
		refuse(s, "name is missing, or longer than %d characters.", NAME_MAX_LEN);
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];
		if ((c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') &&
			c != '-' && c != '_' && c != '.')
			refuse(s, "name may only have letters, digits, - _ and . "
				  "(what people read is the title).");
	}
	return name;
}

static bool is_e164(struct str text)
{
	if (text.len < 8 || text.len > 16 || text.ptr[0] != '+' || text.ptr[1] == '0')
		return false;
	for (size_t i = 1; i < text.len; i++)
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
	return true;
}

/* A list of texts as JSON; otherwise what there was. */
static struct str take_list(
	struct setting *s, const char *key, const struct str *old, size_t old_count, bool numbers)
{
	const struct json *value = json_get(s->input, key);
	struct json *out = json_array(s->run->arena);

	if (json_type(value) > JSON_NULL && json_type(value) != JSON_ARRAY)
		refuse(s, "%s must be a list of texts.", key);
	for (size_t i = 0; json_type(value) <= JSON_NULL && i < old_count; i++)
		json_push(s->run->arena, out, json_of_text(s->run->arena, old[i]));
	for (size_t i = 0; json_type(value) == JSON_ARRAY && i < json_count(value); i++) {
		struct str one = json_text(json_at(value, i, NULL));
		if (one.len == 0 || one.len > 200)
			refuse(s, "%s must be a list of texts of at most 200 bytes.", key);
		else if (numbers && !is_e164(one))
			refuse(s, "%s must be written like +493023125010.", key);
		json_push(s->run->arena, out, json_of_text(s->run->arena, one));
	}
	return json_print(s->run->arena, out);
}

/* ---- Services ------------------------------------------------------------------------------ */

static struct str take_staff(struct setting *s, const struct office_service *old)
{
	struct arena *arena = s->run->arena;
	const struct json *value = json_get(s->input, "staff");
	struct json *out = json_array(arena);
	size_t count = json_type(value) == JSON_ARRAY ? json_count(value) : 0;

	if (json_type(value) > JSON_NULL && json_type(value) != JSON_ARRAY)
		refuse(s, "staff must be a list of {\"name\", \"event_type\"}.");
	for (size_t i = 0; json_type(value) <= JSON_NULL && old && i < old->staff_count; i++) {
		struct json *one = json_object(arena);
		json_put_text(arena, one, "name", old->staff[i].name);
		json_put_text(arena, one, "event_type", old->staff[i].event_type);
		json_push(arena, out, one);
	}
	for (size_t i = 0; i < count; i++) {
		const struct json *given = json_at(value, i, NULL);
		struct json *one = json_object(arena);
		struct str name = json_get_text(given, "name");
		struct str event_type = json_get_text(given, "event_type");
		if (name.len == 0 || event_type.len == 0)
			refuse(s,
				"staff must be a list of {\"name\", \"event_type\"}: entry %zu "
				"lacks one.",
				i + 1);
		json_put_text(arena, one, "name", name);
		json_put_text(arena, one, "event_type", event_type);
		json_push(arena, out, one);
	}
	return json_print(arena, out);
}

static bool has_slots(const struct plugin_info *info)
{
	for (size_t i = 0; info && i < info->op_count; i++)
		if (strcmp(info->ops[i].name, "slots") == 0)
			return true;
	return false;
}

/* By its bare name, of this tenant or the agency; nobody else's. */
static struct str take_calendar(struct setting *s, const struct office_service *old)
{
	struct desk_run *run = s->run;
	struct str name = take_text(s, "calendar", STR(""));
	const struct config_connection *calendar;
	char plain[128];

	if (name.len == 0 && old && old->connection.len)
		return str_dup(run->arena, old->connection);
	if (name.len == 0) {
		if (!run->settings || !run->settings->calendar)
			refuse(s,
				"calendar is missing: the tenant has no [desk %s] that names one.",
				run->tenant->name);
		return run->settings && run->settings->calendar
			       ? str_of(run->settings->calendar->full)
			       : STR("");
	}
	snprintf(plain, sizeof(plain), "%.*s", STR_ARG(name));
	calendar = config_connection_for(run->config, run->tenant, plain);
	if (!calendar || (calendar->info && !has_slots(calendar->info))) {
		refuse(s,
			"calendar: there is no connection \"%.60s\" of this tenant that has slots.",
			plain);
		return STR("");
	}
	return str_of(calendar->full);
}

static const struct office_service *service_called(const struct office *office, struct str name)
{
	for (size_t i = 0; office && i < office->service_count; i++)
		if (str_eq(office->services[i].name, name))
			return &office->services[i];
	return NULL;
}

static const struct office *own_office(const struct desk_run *run)
{
	return offices_find(desk_offices(run->desk), str_of(run->tenant->name));
}

static void take_service(struct setting *s, struct service_row *row)
{
	const struct office *office = own_office(s->run);
	struct str name = take_name(s);
	const struct office_service *old = service_called(office, name);
	const struct office_service none = {.title = name,
		.price_minor = -1,
		.capacity = 1,
		.active = true,
		.event_type = {"", 0},
		.currency = {"", 0},
		.position = office ? (uint32_t)office->service_count : 0};
	const struct office_service *was = old ? old : &none;

	*row = (struct service_row){
		.tenant = str_of(s->run->tenant->name),
		.name = name,
		.title = take_text(s, "title", was->title),
		.aliases = take_list(s, "aliases", was->aliases, was->alias_count, false),
		.connection = take_calendar(s, old),
		.event_type = take_text(s, "event_type", was->event_type),
		.staff = take_staff(s, old),
		.length_min = (uint32_t)take_number(
			s, "length_min", 1, LENGTH_MAX, was->length_ms / MINUTE_MS),
		.capacity = (uint32_t)take_number(s, "capacity", 1, 1000, was->capacity),
		.position = (uint32_t)take_number(s, "position", 0, 100000, was->position),
		.price_minor = take_number(s, "price_minor", -1, INT32_MAX, was->price_minor),
		.currency = take_text(s, "currency", was->currency),
		.active = take_bool(s, "active", was->active),
		.origin = CATALOGUE_PERSON,
	};
	if (row->length_min == 0)
		refuse(s, "length_min is missing: how many minutes it takes.");
	if (row->event_type.len == 0 && str_is(row->staff, "[]"))
		refuse(s,
			"event_type is missing: the calendar's id of it, or staff with one each.");
	if (row->currency.len && row->currency.len != 3)
		refuse(s, "currency must be a code of three letters, like EUR.");
}

static void saved(struct setting *s, struct desk_next *next, const struct catalogue *rows,
	const char *what, struct str name)
{
	struct json *result;

	if (s->fault.len) {
		desk_fail(next, s->fault);
		return;
	}
	result = json_object(s->run->arena);
	json_put_text(s->run->arena, result, what, name);
	next->catalogue = rows;
	say_done(s->run, next, result, true, SAY(s->run, SAVED, name));
}

void desk_set_service(struct desk_run *run, struct desk_next *next)
{
	struct setting s = {.run = run, .input = run->input};
	struct catalogue *rows = arena_alloc(run->arena, sizeof(*rows));

	if (!rows || !(rows->services = arena_alloc(run->arena, sizeof(*rows->services))))
		return;
	take_service(&s, rows->services);
	rows->service_count = 1;
	saved(&s, next, rows, "service", rows->services->name);
}

/* ---- Branches ------------------------------------------------------------------------------ */

static void take_branch(struct setting *s, struct branch_row *row)
{
	const struct office *office = own_office(s->run);
	struct str name = take_name(s);
	const struct office_branch *old = office_branch(office, name);
	const struct office_branch none = {.title = name,
		.address = {"", 0},
		.agent = {"", 0},
		.agent_version = -1,
		.state = {"", 0},
		.position = office ? (uint32_t)office->branch_count : 0};
	const struct office_branch *was = old ? old : &none;
	char state[16];

	*row = (struct branch_row){
		.tenant = str_of(s->run->tenant->name),
		.name = name,
		.title = take_text(s, "title", was->title),
		.address = take_text(s, "address", was->address),
		.numbers = take_list(s, "numbers", was->numbers, was->number_count, true),
		.agent = take_text(s, "agent", was->agent),
		.agent_version =
			(int32_t)take_number(s, "agent_version", -1, INT32_MAX, was->agent_version),
		.state = take_text(s, "state", was->state),
		.position = (uint32_t)take_number(s, "position", 0, 100000, was->position),
		.origin = CATALOGUE_PERSON,
	};
	snprintf(state, sizeof(state), "%.*s", STR_ARG(row->state));
	if (!holiday_state_known(state))
		refuse(s, "state must be a federal state like BE or BY, or left out.");
}

static void take_override(
	struct setting *s, const struct json *given, struct str branch, struct override_row *row)
{
	struct setting one = {.run = s->run, .input = given, .fault = s->fault};
	const struct json *active = json_get(given, "active");
	struct str service = json_get_text(given, "service");

	*row = (struct override_row){
		.tenant = str_of(s->run->tenant->name),
		.branch = branch,
		.service = service,
		.active = json_type(active) <= JSON_NULL ? -1 : take_bool(&one, "active", true),
		.length_min = (int32_t)take_number(&one, "length_min", 1, LENGTH_MAX, -1),
		.price_minor = take_number(&one, "price_minor", 0, INT32_MAX, -1),
		.event_type = take_text(&one, "event_type", STR("")),
		.origin = CATALOGUE_PERSON,
	};
	if (!service_called(own_office(s->run), service))
		refuse(&one, "overrides: there is no service \"%.*s\"; see desk.services.",
			(int)(service.len < 60 ? service.len : 60), service.ptr ? service.ptr : "");
	s->fault = one.fault;
}

static void take_overrides(struct setting *s, struct str branch, struct catalogue *rows)
{
	const struct json *list = json_get(s->input, "overrides");
	size_t count = json_type(list) == JSON_ARRAY ? json_count(list) : 0;

	if (json_type(list) > JSON_NULL && json_type(list) != JSON_ARRAY)
		refuse(s, "overrides must be a list of {\"service\", …}.");
	rows->overrides = arena_alloc(s->run->arena, (count + 1) * sizeof(*rows->overrides));
	for (size_t i = 0; rows->overrides && i < count; i++)
		take_override(s, json_at(list, i, NULL), branch, &rows->overrides[i]);
	rows->override_count = rows->overrides ? count : 0;
}

void desk_set_branch(struct desk_run *run, struct desk_next *next)
{
	struct setting s = {.run = run, .input = run->input};
	struct catalogue *rows = arena_alloc(run->arena, sizeof(*rows));

	if (!rows || !(rows->branches = arena_alloc(run->arena, sizeof(*rows->branches))))
		return;
	take_branch(&s, rows->branches);
	rows->branch_count = 1;
	take_overrides(&s, rows->branches->name, rows);
	saved(&s, next, rows, "branch", rows->branches->name);
}
