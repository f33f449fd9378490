/* read.c - what can be read from v1: account, event types, hosts, schedules. Pure; any thread. */
#include "v1.h"

const kl_next *v1_test(kl_call *c, const kl_step *s)
{
	kl_str event_type = cal_text(c, s->input, "event_type");
	int64_t n;
	if (event_type.ptr && !cal_id(event_type, &n))
		return cal_bad_input(c, "test: event_type must be the id of an event type");
	if (s->why == KL_START)
		return v1_get(c, "me", KL_LIT("/me"), cal_state(c, "me"));
	if (cal_at(c, s, "proof"))
		return cal_test_done(c, s, &v1_dialect, c->host->find(s->state, "keep"));
	if (!cal_good(s->response))
		return cal_bad_answer(c, s, &v1_dialect);
	const kl_val *me = c->host->find(s->response->json, "user");
	kl_val *out = c->host->object(c);
	if (!cal_text(c, me, "id").ptr)
		return cal_surprise(c, "Cal.com's answer to /me names no account");
	kl_set_text(c, out, "account", cal_text(c, me, "id"));
	kl_set_text(c, out, "name", CAL_FIRST(c, me, "name", "username"));
	kl_set_text(c, out, "email", cal_text(c, me, "email"));
	kl_set_text(c, out, "timezone", cal_text(c, me, "timeZone"));
	return event_type.ptr ? cal_test_done(c, s, &v1_dialect, out) : kl_done(c, out);
}

/* ---- event types ------------------------------------------------------------------------------
 */

static const kl_val *option_values(kl_call *c, const kl_val *options)
{
	kl_val *out = c->host->array(c);
	for (uint32_t i = 0; i < c->host->count(options); i++) {
		const kl_val *o = c->host->at(options, i, 0);
		kl_str value = CAL_FIRST(c, o, "value", "");
		if (value.ptr)
			c->host->push(c, out, c->host->of_text(c, value));
	}
	return c->host->count(out) ? out : 0;
}

static const kl_val *field(kl_call *c, const kl_val *f)
{
	kl_val *out = c->host->object(c);
	kl_set_text(c, out, "name", cal_text(c, f, "name"));
	kl_set_text(c, out, "type", cal_text(c, f, "type"));
	kl_set_text(c, out, "label", CAL_FIRST(c, f, "label", "defaultLabel"));
	kl_set_bool(c, out, "required", kl_true(c, f, "required"));
	kl_set_bool(c, out, "builtin", kl_starts(kl_text(c, f, "editable"), "system"));
	kl_set_bool(c, out, "hidden", kl_true(c, f, "hidden"));
	kl_set(c, out, "options", option_values(c, c->host->find(f, "options")));
	return out;
}

/* bookingFields is null until somebody customised it: then there is nothing to ask. */
static const kl_val *fields(kl_call *c, const kl_val *type)
{
	const kl_val *given = c->host->find(type, "bookingFields");
	kl_val *out = c->host->array(c);
	for (uint32_t i = 0; i < c->host->count(given); i++)
		c->host->push(c, out, field(c, c->host->at(given, i, 0)));
	return out;
}

/* Hosts of a team type have an id and no name here. */
static const kl_val *hosts(kl_call *c, const kl_val *type)
{
	const kl_val *given = c->host->find(type, "hosts");
	kl_val *out = c->host->array(c);
	for (uint32_t i = 0; i < c->host->count(given); i++) {
		const kl_val *h = c->host->at(given, i, 0);
		kl_str id = cal_text(c, h, "userId");
		if (id.ptr)
			c->host->push(c, out, cal_person(c, id, cal_text(c, h, "name")));
	}
	kl_str owner = CAL_FIRST(c, type, "owner.id", "userId");
	if (!c->host->count(out) && owner.ptr && !kl_has(c, type, "teamId"))
		c->host->push(c, out,
			cal_person(c, owner, CAL_FIRST(c, type, "owner.name", "owner.username")));
	return out;
}

static const kl_val *lengths(kl_call *c, const kl_val *type)
{
	const kl_val *given = c->host->find(type, "metadata.multipleDuration");
	if (c->host->count(given))
		return given;
	kl_val *out = c->host->array(c);
	c->host->push(c, out, c->host->find(type, "length"));
	return out;
}

static const char *not_bookable(kl_call *c, const kl_val *type)
{
	kl_str scheduling = cal_text(c, type, "schedulingType");
	if (kl_eq(scheduling, "MANAGED"))
		return "the template of a managed event type; use the copy of a member";
	if (scheduling.ptr && !c->host->count(c->host->find(type, "hosts")) &&
		!kl_true(c, type, "assignAllTeamMembers"))
		return "no hosts are assigned";
	if (kl_true(c, type, "requiresBookerEmailVerification"))
		return "it wants the booker's e-mail verified";
	if (kl_i64(c, type, "seatsPerTimeSlot", 0) > 0)
		return CAL_HAS_SEATS;
	return 0;
}

static void event_type_row(kl_call *c, const kl_val *type)
{
	kl_val *row = c->host->object(c);
	kl_str scheduling = cal_lower(c, cal_text(c, type, "schedulingType"));
	kl_set_text(c, row, "id", cal_text(c, type, "id"));
	kl_set_text(c, row, "slug", cal_text(c, type, "slug"));
	kl_set_text(c, row, "title", cal_text(c, type, "title"));
	kl_set_i64(c, row, "length_min", kl_i64(c, type, "length", 0));
	kl_set(c, row, "lengths_min", lengths(c, type));
	kl_set_text(c, row, "team", cal_text(c, type, "teamId"));
	kl_set_text(c, row, "scheduling", scheduling.ptr ? scheduling : KL_LIT("personal"));
	kl_set_text(c, row, "parent", cal_text(c, type, "parentId"));
	kl_set(c, row, "hosts", hosts(c, type));
	kl_set_bool(c, row, "requires_confirmation", kl_true(c, type, "requiresConfirmation"));
	kl_set_bool(c, row, "hidden", kl_true(c, type, "hidden"));
	cal_set_bookable(c, row, not_bookable(c, type));
	kl_set(c, row, "fields", fields(c, type));
	kl_set_i64(c, row, "minimum_notice_min", kl_i64(c, type, "minimumBookingNotice", 0));
	kl_set(c, row, "buffers", cal_buffers(c, type));
	c->host->row(c, row);
}

static kl_str team_of(kl_call *c, const kl_step *s)
{
	kl_str team = cal_text(c, s->input, "team");
	return team.ptr ? team : cal_text(c, s->config, "team");
}

static const kl_next *ask_event_types(kl_call *c, kl_str team, const char *at)
{
	kl_str url = KL_LIT("/event-types");
	if (team.ptr)
		url = KL_CAT(c, KL_LIT("/teams/"), cal_escape(c, team), KL_LIT("/event-types"));
	return v1_get(c, "event_types", url, cal_state(c, at));
}

const kl_next *v1_event_types(kl_call *c, const kl_step *s)
{
	if (s->why == KL_START)
		return ask_event_types(c, team_of(c, s), "event_types");
	if (!cal_good(s->response))
		return cal_bad_answer(c, s, &v1_dialect);
	const kl_val *list = c->host->find(s->response->json, "event_types");
	if (c->host->type(list) != KL_ARRAY)
		return cal_surprise(c, "Cal.com's list of event types is not one");
	for (uint32_t i = 0; i < c->host->count(list); i++)
		event_type_row(c, c->host->at(list, i, 0));
	return kl_done(c, c->host->object(c));
}

/* ---- people ------------------------------------------------------------------------------------
 */

static int has_key(kl_call *c, const kl_val *object, kl_str key)
{
	for (uint32_t i = 0; i < c->host->count(object); i++) {
		kl_str k = {0, 0, 0};
		c->host->at(object, i, &k);
		if (cal_same(k, key))
			return 1;
	}
	return 0;
}

/* An ordinary key may not list a team, but it sees who hosts the team's event types. */
static uint32_t host_rows(kl_call *c, const kl_val *types)
{
	kl_val *seen = c->host->object(c);
	for (uint32_t i = 0; i < c->host->count(types); i++) {
		const kl_val *list = hosts(c, c->host->at(types, i, 0));
		for (uint32_t k = 0; k < c->host->count(list); k++) {
			const kl_val *host = c->host->at(list, k, 0);
			kl_str id = cal_text(c, host, "id");
			if (has_key(c, seen, id))
				continue;
			c->host->set(c, seen, id, c->host->of_bool(c, 1));
			c->host->row(c, host);
		}
	}
	return c->host->count(seen);
}

const kl_next *v1_members(kl_call *c, const kl_step *s)
{
	if (!team_of(c, s).ptr)
		return cal_bad_input(c, "members: say which team, in the input or as option team");
	if (s->why == KL_START)
		return ask_event_types(c, team_of(c, s), "members");
	if (!cal_good(s->response))
		return cal_bad_answer(c, s, &v1_dialect);
	const kl_val *list = c->host->find(s->response->json, "event_types");
	if (c->host->type(list) != KL_ARRAY)
		return cal_surprise(c, "Cal.com's list of event types is not one");
	if (!host_rows(c, list))
		return kl_failed(c, KL_GONE, "unsupported",
			"Cal.com v1 does not list a team's people for an ordinary key, and no "
			"event "
			"type of this team has hosts to tell them from");
	return kl_done(c, c->host->object(c));
}

/* ---- schedules
 * ------------------------------------------------------------------------------------ */

static kl_str date_part(kl_call *c, kl_str date)
{
	return date.len > 10 ? kl_slice(c, date, 0, 10) : date;
}

static void split_hours(kl_call *c, const kl_val *given, kl_val *hours, kl_val *overrides)
{
	for (uint32_t i = 0; i < c->host->count(given); i++) {
		const kl_val *a = c->host->at(given, i, 0);
		kl_str date = cal_text(c, a, "date");
		if (!date.ptr) {
			c->host->push(c, hours, cal_hours(c, a));
			continue;
		}
		kl_val *day = c->host->object(c);
		kl_set_text(c, day, "date", date_part(c, date));
		kl_set_text(c, day, "from", cal_clock(c, cal_text(c, a, "startTime")));
		kl_set_text(c, day, "to", cal_clock(c, cal_text(c, a, "endTime")));
		c->host->push(c, overrides, day);
	}
}

static void schedule_row(kl_call *c, const kl_val *schedule, kl_str default_id)
{
	kl_val *row = c->host->object(c);
	kl_val *hours = c->host->array(c), *overrides = c->host->array(c);
	split_hours(c, c->host->find(schedule, "availability"), hours, overrides);
	kl_set_text(c, row, "id", cal_text(c, schedule, "id"));
	kl_set_text(c, row, "owner", cal_text(c, schedule, "userId"));
	kl_set_text(c, row, "name", cal_text(c, schedule, "name"));
	kl_set_text(c, row, "timezone", cal_text(c, schedule, "timeZone"));
	kl_set_bool(c, row, "default", cal_same(cal_text(c, schedule, "id"), default_id));
	kl_set(c, row, "availability", hours);
	kl_set(c, row, "overrides", overrides);
	c->host->row(c, row);
}

/* A schedule does not say that it is the default; the account does. */
const kl_next *v1_schedules(kl_call *c, const kl_step *s)
{
	if (s->why == KL_START)
		return v1_get(c, "me", KL_LIT("/me"), cal_state(c, "me"));
	if (!cal_good(s->response))
		return cal_bad_answer(c, s, &v1_dialect);
	if (cal_at(c, s, "me")) {
		kl_val *state = cal_state(c, "schedules");
		kl_set_text(c, state, "default",
			cal_text(c, s->response->json, "user.defaultScheduleId"));
		return v1_get(c, "schedules", KL_LIT("/schedules"), state);
	}
	const kl_val *list = c->host->find(s->response->json, "schedules");
	if (c->host->type(list) != KL_ARRAY)
		return cal_surprise(c, "Cal.com's list of schedules is not one");
	for (uint32_t i = 0; i < c->host->count(list); i++)
		schedule_row(c, c->host->at(list, i, 0), cal_text(c, s->state, "default"));
	return kl_done(c, c->host->object(c));
}
