/* catalogue.c - services and branches: out of the INI, out of the store, and what holds in one
 * branch.
 *
 * Never writes. Runs on the runner's thread; desk_catalogue() on any that has the configuration.
 */
#include "desk/catalogue.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/arena.h"
#include "base/json.h"
#include "config/config.h"
#include "desk/desk.h"

#define MINUTE_MS 60000

/* ---- From the configuration ---------------------------------------------------------------- */

static struct str list_json(struct arena *arena, const struct config_list *list)
{
	struct json *array = json_array(arena);

	for (size_t i = 0; i < list->count; i++)
		json_push(arena, array, json_of_text(arena, str_of(list->list[i])));
	return json_print(arena, array);
}

static struct str staff_json(struct arena *arena, const struct config_service *service)
{
	struct json *array = json_array(arena);

	for (size_t i = 0; i < service->staff_count; i++) {
		struct json *one = json_object(arena);
		json_put_text(arena, one, "name", str_of(service->staff[i].name));
		json_put_text(arena, one, "event_type", str_of(service->staff[i].event_type));
		json_push(arena, array, one);
	}
	return json_print(arena, array);
}

static const struct config_connection *calendar_of(
	const struct config *config, const struct config_service *service)
{
	const struct config_desk *desk = config_desk_for(config, service->tenant);

	if (service->calendar)
		return service->calendar;
	return desk ? desk->calendar : NULL;
}

static void service_from(struct arena *arena, const struct config *config,
	const struct config_service *service, uint32_t position, struct service_row *row)
{
	const struct config_connection *calendar = calendar_of(config, service);

	*row = (struct service_row){
		.tenant = str_of(service->tenant->name),
		.name = str_of(service->name),
		.title = str_of(service->title),
		.aliases = list_json(arena, &service->aliases),
		.connection = str_of(calendar ? calendar->full : ""),
		.event_type = str_of(service->event_type ? service->event_type : ""),
		.staff = staff_json(arena, service),
		.length_min = (uint32_t)(service->length_ms / MINUTE_MS),
		.capacity = (uint32_t)service->capacity,
		.position = position,
		.price_minor = service->price_minor,
		.currency = str_of(service->currency),
		.active = true,
		.origin = CATALOGUE_INI,
	};
}

static void branch_from(struct arena *arena, const struct config_branch *branch, uint32_t position,
	struct branch_row *row)
{
	*row = (struct branch_row){
		.tenant = str_of(branch->tenant->name),
		.name = str_of(branch->name),
		.title = str_of(branch->title),
		.address = str_of(branch->address),
		.numbers = list_json(arena, &branch->numbers),
		.agent = str_of(branch->agent),
		.agent_version = (int32_t)branch->agent_version,
		.state = str_of(branch->state),
		.position = position,
		.origin = CATALOGUE_INI,
	};
}

static void override_from(const struct config_branch *branch,
	const struct config_override *override, struct override_row *row)
{
	*row = (struct override_row){
		.tenant = str_of(branch->tenant->name),
		.branch = str_of(branch->name),
		.service = str_of(override->service->name),
		.active = override->active,
		.length_min =
			override->length_ms < 0 ? -1 : (int32_t)(override->length_ms / MINUTE_MS),
		.price_minor = override->price_minor,
		.event_type = str_of(override->event_type ? override->event_type : ""),
		.origin = CATALOGUE_INI,
	};
}

void desk_catalogue(struct arena *arena, const struct config *config, struct catalogue *out)
{
	size_t branch_count = 0, override_count = 0;
	const struct config_service *services = config_services(config, &out->service_count);
	const struct config_branch *branches = config_branches(config, &branch_count);

	for (size_t i = 0; i < branch_count; i++)
		override_count += branches[i].override_count;
	out->services = arena_alloc(arena, (out->service_count + 1) * sizeof(*out->services));
	out->branches = arena_alloc(arena, (branch_count + 1) * sizeof(*out->branches));
	out->overrides = arena_alloc(arena, (override_count + 1) * sizeof(*out->overrides));
	out->branch_count = out->override_count = 0;
	if (arena_failed(arena)) {
		out->service_count = 0;
		return;
	}
	for (size_t i = 0; i < out->service_count; i++)
		service_from(arena, config, &services[i], (uint32_t)i, &out->services[i]);
	for (size_t i = 0; i < branch_count; i++) {
		branch_from(arena, &branches[i], (uint32_t)i, &out->branches[i]);
		for (size_t k = 0; k < branches[i].override_count; k++)
			override_from(&branches[i], &branches[i].overrides[k],
				&out->overrides[out->override_count++]);
	}
	out->branch_count = branch_count;
}

/* ---- As the desk keeps it ------------------------------------------------------------------ */

struct offices {
	struct office *list; /* by tenant */
	size_t count;
};

static const struct str *texts(struct arena *arena, struct str json, size_t *count)
{
	const struct json *array = json_parse(arena, json, NULL);
	struct str *list;

	*count = json_type(array) == JSON_ARRAY ? json_count(array) : 0;
	list = arena_alloc(arena, (*count + 1) * sizeof(*list));
	for (size_t i = 0; list && i < *count; i++)
		list[i] = json_text(json_at(array, i, NULL));
	return list;
}

static void take_staff(struct arena *arena, struct str json, struct office_service *service)
{
	const struct json *array = json_parse(arena, json, NULL);
	size_t count = json_type(array) == JSON_ARRAY ? json_count(array) : 0;
	struct office_staff *list = arena_alloc(arena, (count + 1) * sizeof(*list));

	for (size_t i = 0; list && i < count; i++) {
		const struct json *one = json_at(array, i, NULL);
		list[i].name = json_get_text(one, "name");
		list[i].event_type = json_get_text(one, "event_type");
	}
	service->staff = list;
	service->staff_count = list ? count : 0;
}

static void take_service(
	struct arena *arena, const struct service_row *row, struct office_service *out)
{
	*out = (struct office_service){
		.name = row->name,
		.title = row->title.len ? row->title : row->name,
		.connection = row->connection,
		.event_type = row->event_type,
		.length_ms = (int64_t)row->length_min * MINUTE_MS,
		.price_minor = row->price_minor,
		.currency = row->currency,
		.capacity = row->capacity ? row->capacity : 1,
		.position = row->position,
		.active = row->active,
	};
	out->aliases = texts(arena, row->aliases, &out->alias_count);
	take_staff(arena, row->staff, out);
}

static void take_branch(
	struct arena *arena, const struct branch_row *row, struct office_branch *out)
{
	*out = (struct office_branch){
		.name = row->name,
		.title = row->title.len ? row->title : row->name,
		.address = row->address,
		.agent = row->agent,
		.agent_version = row->agent_version,
		.state = row->state,
		.position = row->position,
	};
	out->numbers = texts(arena, row->numbers, &out->number_count);
}

static int by_tenant(const void *a, const void *b)
{
	const struct str *x = &((const struct office *)a)->tenant;
	const struct str *y = &((const struct office *)b)->tenant;
	size_t least = x->len < y->len ? x->len : y->len;
	int order = least ? memcmp(x->ptr, y->ptr, least) : 0;

	return order ? order : (x->len > y->len) - (x->len < y->len);
}

const struct office *offices_find(const struct offices *offices, struct str tenant)
{
	struct office key = {.tenant = tenant};

	if (offices->count == 0)
		return NULL;
	return bsearch(&key, offices->list, offices->count, sizeof(*offices->list), by_tenant);
}

static void name_offices(struct offices *offices, const struct catalogue *rows)
{
	size_t count = 0, unique = 0;

	for (size_t i = 0; i < rows->service_count; i++)
		offices->list[count++].tenant = rows->services[i].tenant;
	for (size_t i = 0; i < rows->branch_count; i++)
		offices->list[count++].tenant = rows->branches[i].tenant;
	qsort(offices->list, count, sizeof(*offices->list), by_tenant);
	for (size_t i = 0; i < count; i++)
		if (i == 0 || !str_eq(offices->list[i].tenant, offices->list[unique - 1].tenant))
			offices->list[unique++].tenant = offices->list[i].tenant;
	offices->count = unique;
}

static struct office *office_of(const struct offices *offices, struct str tenant)
{
	return (struct office *)offices_find(offices, tenant);
}

/* Room for its rows, of which there are as many as counted; then they are counted again. */
static void make_room(struct arena *arena, struct office *office)
{
	office->services =
		arena_alloc(arena, (office->service_count + 1) * sizeof(*office->services));
	office->branches =
		arena_alloc(arena, (office->branch_count + 1) * sizeof(*office->branches));
	office->overrides =
		arena_alloc(arena, (office->override_count + 1) * sizeof(*office->overrides));
	office->service_count = office->branch_count = office->override_count = 0;
}

static void count_rows(const struct offices *offices, const struct catalogue *rows)
{
	for (size_t i = 0; i < rows->service_count; i++)
		office_of(offices, rows->services[i].tenant)->service_count++;
	for (size_t i = 0; i < rows->branch_count; i++)
		office_of(offices, rows->branches[i].tenant)->branch_count++;
	for (size_t i = 0; i < rows->override_count; i++) {
		struct office *office = office_of(offices, rows->overrides[i].tenant);
		if (office)
			office->override_count++;
	}
}

/* A person's row goes before the INI's of the same name, whichever comes first; the names of a
 * person's are put in before the others. */
static void add_service(
	struct arena *arena, const struct offices *offices, const struct service_row *row)
{
	struct office *office = office_of(offices, row->tenant);

	for (size_t i = 0; i < office->service_count; i++)
		if (str_eq(office->services[i].name, row->name))
			return;
	take_service(arena, row, &office->services[office->service_count++]);
}

static void add_branch(
	struct arena *arena, const struct offices *offices, const struct branch_row *row)
{
	struct office *office = office_of(offices, row->tenant);

	for (size_t i = 0; i < office->branch_count; i++)
		if (str_eq(office->branches[i].name, row->name))
			return;
	take_branch(arena, row, &office->branches[office->branch_count++]);
}

static void add_override(const struct offices *offices, const struct override_row *row)
{
	struct office *office = office_of(offices, row->tenant);
	struct override_row *list = office ? (struct override_row *)office->overrides : NULL;

	for (size_t i = 0; list && i < office->override_count; i++)
		if (str_eq(list[i].branch, row->branch) && str_eq(list[i].service, row->service))
			return;
	if (list)
		list[office->override_count++] = *row;
}

static int by_position(const void *a, const void *b)
{
	const struct office_service *x = a, *y = b;

	return (x->position > y->position) - (x->position < y->position);
}

static int branch_by_position(const void *a, const void *b)
{
	const struct office_branch *x = a, *y = b;

	return (x->position > y->position) - (x->position < y->position);
}

static bool same_calendar(const struct office_service *a, const struct office_service *b)
{
	return str_eq(a->event_type, b->event_type) && str_eq(a->connection, b->connection);
}

/* Also a branch's own length makes an event type one of several lengths. */
static void mark_lengths(struct office *office)
{
	for (size_t i = 0; i < office->service_count; i++) {
		struct office_service *one = &office->services[i];
		for (size_t k = 0; k < office->service_count; k++)
			if (same_calendar(one, &office->services[k]) &&
				one->length_ms != office->services[k].length_ms)
				one->one_of_lengths = true;
		for (size_t k = 0; k < office->override_count; k++)
			if (str_eq(office->overrides[k].service, one->name) &&
				office->overrides[k].length_min > 0 &&
				office->overrides[k].event_type.len == 0 &&
				office->overrides[k].length_min * MINUTE_MS != one->length_ms)
				one->one_of_lengths = true;
	}
}

static void fill_offices(
	struct arena *arena, const struct offices *offices, const struct catalogue *rows)
{
	static const enum catalogue_origin order[] = {CATALOGUE_PERSON, CATALOGUE_INI};

	for (size_t o = 0; o < 2; o++) {
		for (size_t i = 0; i < rows->service_count; i++)
			if (rows->services[i].origin == order[o])
				add_service(arena, offices, &rows->services[i]);
		for (size_t i = 0; i < rows->branch_count; i++)
			if (rows->branches[i].origin == order[o])
				add_branch(arena, offices, &rows->branches[i]);
		for (size_t i = 0; i < rows->override_count; i++)
			if (rows->overrides[i].origin == order[o])
				add_override(offices, &rows->overrides[i]);
	}
}

struct offices *offices_read(struct arena *arena, const struct catalogue *rows)
{
	struct offices *offices = arena_alloc(arena, sizeof(*offices));
	size_t most = rows->service_count + rows->branch_count + 1;

	if (offices)
		offices->list = arena_alloc(arena, most * sizeof(*offices->list));
	if (arena_failed(arena))
		return NULL;
	name_offices(offices, rows);
	count_rows(offices, rows);
	for (size_t i = 0; i < offices->count; i++)
		make_room(arena, &offices->list[i]);
	if (arena_failed(arena))
		return NULL;
	fill_offices(arena, offices, rows);
	for (size_t i = 0; i < offices->count; i++) {
		struct office *office = &offices->list[i];
		qsort(office->services, office->service_count, sizeof(*office->services),
			by_position);
		qsort(office->branches, office->branch_count, sizeof(*office->branches),
			branch_by_position);
		mark_lengths(office);
	}
	return arena_failed(arena) ? NULL : offices;
}

/* ---- What holds in one branch -------------------------------------------------------------- */

bool office_service_has(const struct office_service *service, struct str event_type)
{
	if (str_eq(service->event_type, event_type))
		return true;
	for (size_t i = 0; i < service->staff_count; i++)
		if (str_eq(service->staff[i].event_type, event_type))
			return true;
	return false;
}

bool office_serves(const struct office *office, struct str event_type)
{
	for (size_t i = 0; event_type.len && i < office->service_count; i++)
		if (office_service_has(&office->services[i], event_type))
			return true;
	for (size_t i = 0; event_type.len && i < office->override_count; i++)
		if (str_eq(office->overrides[i].event_type, event_type))
			return true;
	return false;
}

const struct office_branch *office_branch(const struct office *office, struct str name)
{
	for (size_t i = 0; office && i < office->branch_count; i++)
		if (str_eq(office->branches[i].name, name))
			return &office->branches[i];
	return NULL;
}

static bool answers(const struct office_branch *branch, struct str number)
{
	for (size_t i = 0; i < branch->number_count; i++)
		if (str_eq(branch->numbers[i], number))
			return true;
	return false;
}

const struct office_branch *office_dialled(const struct office *office, struct str number)
{
	for (size_t i = 0; office && number.len && i < office->branch_count; i++)
		if (answers(&office->branches[i], number))
			return &office->branches[i];
	return office && office->branch_count == 1 ? &office->branches[0] : NULL;
}

static const struct str *dup_list(struct arena *arena, const struct str *from, size_t count)
{
	struct str *list = arena_alloc(arena, (count + 1) * sizeof(*list));

	for (size_t i = 0; list && i < count; i++)
		list[i] = str_dup(arena, from[i]);
	return list;
}

static const struct office_staff *dup_staff(
	struct arena *arena, const struct office_staff *from, size_t count)
{
	struct office_staff *list = arena_alloc(arena, (count + 1) * sizeof(*list));

	for (size_t i = 0; list && i < count; i++) {
		list[i].name = str_dup(arena, from[i].name);
		list[i].event_type = str_dup(arena, from[i].event_type);
	}
	return list;
}

static const struct override_row *override_for(const struct office *office,
	const struct office_branch *branch, const struct office_service *service)
{
	for (size_t i = 0; branch && i < office->override_count; i++)
		if (str_eq(office->overrides[i].branch, branch->name) &&
			str_eq(office->overrides[i].service, service->name))
			return &office->overrides[i];
	return NULL;
}

/* A branch's own event type is nobody's in particular: its people are not known. */
static void apply(struct arena *arena, struct office_service *service, const struct override_row *o)
{
	if (o->active >= 0)
		service->active = o->active != 0;
	if (o->length_min > 0)
		service->length_ms = (int64_t)o->length_min * MINUTE_MS;
	if (o->price_minor >= 0)
		service->price_minor = o->price_minor;
	if (o->event_type.len) {
		service->event_type = str_dup(arena, o->event_type);
		service->staff_count = 0;
		service->one_of_lengths = false;
	}
}

struct office_service *office_effective(struct arena *arena, const struct office *office,
	const struct office_branch *branch, const struct office_service *service)
{
	const struct override_row *override = override_for(office, branch, service);
	struct office_service *out = arena_alloc(arena, sizeof(*out));

	if (!out)
		return NULL;
	*out = *service;
	out->name = str_dup(arena, service->name);
	out->title = str_dup(arena, service->title);
	out->aliases = dup_list(arena, service->aliases, service->alias_count);
	out->connection = str_dup(arena, service->connection);
	out->event_type = str_dup(arena, service->event_type);
	out->staff = dup_staff(arena, service->staff, service->staff_count);
	out->currency = str_dup(arena, service->currency);
	if (override)
		apply(arena, out, override);
	return arena_failed(arena) ? NULL : out;
}

size_t office_offered(struct arena *arena, const struct office *office,
	const struct office_branch *branch, struct office_service **services)
{
	size_t count = 0, most = office ? office->service_count : 0;

	*services = arena_alloc(arena, (most + 1) * sizeof(**services));
	for (size_t i = 0; *services && i < most; i++) {
		const struct office_service *one =
			office_effective(arena, office, branch, &office->services[i]);
		if (one && one->active)
			(*services)[count++] = *one;
	}
	return arena_failed(arena) ? 0 : count;
}
