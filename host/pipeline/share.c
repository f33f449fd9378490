/* share.c - what a calendar of the agency finds may be of any of its offices: who asked gets their
 * own. Asks nobody, stores nothing. Runner's thread. */
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "desk/desk.h"
#include "pipeline/job_i.h"

static bool serves_another(const struct run *run, struct str event_type)
{
	size_t count;
	const struct config_tenant *all = config_tenants(run->plan->config, &count);

	for (size_t i = 0; i < count; i++)
		if (&all[i] != run->tenant &&
			desk_serves(run->runner->desk, str_of(all[i].name), event_type))
			return true;
	return false;
}

/* An office that names event types has those; one that names none has what no other names. */
static bool is_own(const struct run *run, const struct json *booking)
{
	const struct config *config = run->plan->config;
	struct str event_type = json_get_text(booking, "event_type");
	const struct config_tenant *named =
		config_tenant_for(config, CONFIG_BY_EVENT_TYPE, event_type);

	if (named == run->tenant || desk_serves(run->runner->desk, run->row.tenant, event_type))
		return true;
	return !named && !run->tenant->event_types.count && !config_desk_for(config, run->tenant) &&
	       !serves_another(run, event_type);
}

static const struct json *own_of(const struct run *run, const struct json *rows)
{
	struct json *own = json_array(run->arena);

	for (size_t i = 0; i < json_count(rows); i++)
		if (is_own(run, json_at(rows, i, NULL)))
			json_push(run->arena, own, json_at(rows, i, NULL));
	return own;
}

static bool stands(const struct json *booking)
{
	struct str status = json_get_text(booking, "status");

	return str_is(status, "booked") || str_is(status, "requested");
}

static bool is_before(struct str a, struct str b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int order = n ? memcmp(a.ptr, b.ptr, n) : 0;

	return order ? order < 0 : a.len < b.len;
}

/* The one to speak of, as sdk/operations/calendar.md says: the earliest that stands. */
static const struct json *best_of(const struct json *rows)
{
	const struct json *best = NULL;

	for (size_t i = 0; i < json_count(rows); i++) {
		const struct json *row = json_at(rows, i, NULL);
		if (!best || stands(row) > stands(best) ||
			(stands(row) == stands(best) && is_before(json_get_text(row, "start"),
								json_get_text(best, "start"))))
			best = row;
	}
	return best;
}

struct str share_result(struct run *run, struct str result)
{
	const struct json *value = json_parse(run->arena, result, NULL);
	const struct json *rows = own_of(run, json_get(value, "rows"));
	const struct json *booking = json_get(value, "booking");
	struct json *out = json_object(run->arena);

	if (json_type(value) != JSON_OBJECT)
		return result;
	if (json_get_text(value, "uid").len && !is_own(run, value))
		return STR("{\"found\":false}");
	if (booking && !is_own(run, booking))
		booking = best_of(rows);
	for (size_t i = 0; i < json_count(value); i++) {
		struct str key;
		const struct json *member = json_at(value, i, &key);
		if (!str_is(key, "rows") && !str_is(key, "booking") && !str_is(key, "found"))
			json_set(run->arena, out, key, member);
	}
	if (json_get(value, "found"))
		json_put_bool(run->arena, out, "found", booking != NULL);
	json_put(run->arena, out, "booking", booking);
	if (json_get(value, "rows"))
		json_put(run->arena, out, "rows", rows);
	return json_print(run->arena, out);
}
