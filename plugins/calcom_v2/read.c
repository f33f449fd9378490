/* read.c - what can be read from v2: account, event types, people, schedules. Pure; any thread. */
#include "v2.h"

const kl_next *v2_test(kl_call *c, const kl_step *s)
{
	kl_str event_type = cal_text(c, s->input, "event_type");
	int64_t n;
	if (event_type.ptr && !cal_id(event_type, &n))
		return cal_bad_input(c, "test: event_type must be the id of an event type");
	if (s->why == KL_START)
		return kl_send(c,
			v2_request(c, s, V2_BOOKINGS, "GET", KL_SAFE, "me", KL_LIT("/me")),
			cal_state(c, "me"));
	if (cal_at(c, s, "proof"))
		return cal_test_done(c, s, &v2_dialect, c->host->find(s->state, "keep"));
	if (!cal_good(s->response))
		return cal_bad_answer(c, s, &v2_dialect);
	const kl_val *me = v2_data(c, s->response);
	kl_val *out = c->host->object(c);
	if (!cal_text(c, me, "id").ptr)
		return cal_surprise(c, "Cal.com's answer to /me names no account");
	kl_set_text(c, out, "account", cal_text(c, me, "id"));
	kl_set_text(c, out, "name", CAL_FIRST(c, me, "name", "username"));
	kl_set_text(c, out, "email", cal_text(c, me, "email"));
	kl_set_text(c, out, "timezone", cal_text(c, me, "timeZone"));
	kl_set_text(c, out, "organization", cal_text(c, me, "organizationId"));
	return event_type.ptr ? cal_test_done(c, s, &v2_dialect, out) : kl_done(c, out);
}

/* ---- event types ---------------------------------------------------------------------------- */

/* Team from the input, else from the options; nothing: the key's own. */
static kl_str team_url(kl_call *c, const kl_step *s, const char *tail)
{
	kl_str team = cal_text(c, s->input, "team");
	if (!team.ptr)
		team = cal_text(c, s->config, "team");
	return team.ptr ? v2_team_url(c, s->config, team, tail) : team;
}

static const kl_val *field(kl_call *c, const kl_val *f)
{
	kl_val *out = c->host->object(c);
	const kl_val *options = c->host->find(f, "options");
	kl_set_text(c, out, "name", CAL_FIRST(c, f, "slug", "field", "type"));
	kl_set_text(c, out, "type", CAL_FIRST(c, f, "type", "field"));
	kl_set_text(c, out, "label", cal_text(c, f, "label"));
	kl_set_bool(c, out, "required", kl_true(c, f, "required"));
	kl_set_bool(c, out, "builtin", kl_true(c, f, "isDefault") || kl_has(c, f, "field"));
	kl_set_bool(c, out, "hidden", kl_true(c, f, "hidden"));
	if (c->host->type(options) == KL_ARRAY)
		kl_set(c, out, "options", options);
	return out;
}

static const kl_val *fields(kl_call *c, const kl_val *type)
{
	const kl_val *given = c->host->find(type, "bookingFields");
	kl_val *out = c->host->array(c);
	for (uint32_t i = 0; i < c->host->count(given); i++)
		c->host->push(c, out, field(c, c->host->at(given, i, 0)));
	return out;
}

static const kl_val *hosts(kl_call *c, const kl_val *type)
{
	int team = kl_has(c, type, "hosts");
	const kl_val *given = c->host->find(type, team ? "hosts" : "users");
	kl_val *out = c->host->array(c);
	for (uint32_t i = 0; i < c->host->count(given); i++) {
		const kl_val *h = c->host->at(given, i, 0);
		kl_str id = CAL_FIRST(c, h, "userId", "id");
		if (id.ptr)
			c->host->push(
				c, out, cal_person(c, id, CAL_FIRST(c, h, "name", "username")));
	}
	kl_str owner = cal_text(c, type, "ownerId");
	if (!c->host->count(out) && !team && owner.ptr)
		c->host->push(c, out, cal_person(c, owner, (kl_str){0, 0, 0}));
	return out;
}

static const kl_val *lengths(kl_call *c, const kl_val *type)
{
	const kl_val *given = c->host->find(type, "lengthInMinutesOptions");
	if (c->host->count(given))
		return given;
	kl_val *out = c->host->array(c);
	c->host->push(c, out, c->host->find(type, "lengthInMinutes"));
	return out;
}

static const char *not_bookable(kl_call *c, const kl_val *type)
{
	kl_str scheduling = cal_text(c, type, "schedulingType");
	if (kl_eq(scheduling, "managed") || kl_eq(scheduling, "MANAGED"))
		return "the template of a managed event type; use the copy of a member";
	if (scheduling.ptr && !kl_true(c, type, "assignAllTeamMembers") &&
		!c->host->count(c->host->find(type, "hosts")))
		return "no hosts are assigned";
	if (kl_true(c, type, "requiresBookerEmailVerification"))
		return "it wants the booker's e-mail verified";
	if (kl_i64(c, type, "seats.seatsPerTimeSlot", kl_i64(c, type, "seatsPerTimeSlot", 0)) > 0)
		return CAL_HAS_SEATS;
	return 0;
}

/* The policy may be a {"disabled": true} object instead of being absent. */
static int needs_confirmation(kl_call *c, const kl_val *type)
{
	return kl_has(c, type, "confirmationPolicy.type") &&
	       !kl_true(c, type, "confirmationPolicy.disabled");
}

static kl_str snake_scheduling(kl_call *c, const kl_val *type)
{
	kl_str s = cal_text(c, type, "schedulingType");
	if (kl_eq(s, "roundRobin") || kl_eq(s, "ROUND_ROBIN"))
		return KL_LIT("round_robin");
	return s.ptr ? cal_lower(c, s) : KL_LIT("personal");
}

static void event_type_row(kl_call *c, const kl_val *type)
{
	kl_val *row = c->host->object(c);
	kl_set_text(c, row, "id", cal_text(c, type, "id"));
	kl_set_text(c, row, "slug", cal_text(c, type, "slug"));
	kl_set_text(c, row, "title", cal_text(c, type, "title"));
	kl_set_i64(c, row, "length_min", kl_i64(c, type, "lengthInMinutes", 0));
	kl_set(c, row, "lengths_min", lengths(c, type));
	kl_set_text(c, row, "team", CAL_FIRST(c, type, "teamId", "team.id"));
	kl_set_text(c, row, "scheduling", snake_scheduling(c, type));
	kl_set_text(c, row, "parent", cal_text(c, type, "parentEventTypeId"));
	kl_set(c, row, "hosts", hosts(c, type));
	kl_set_bool(c, row, "requires_confirmation", needs_confirmation(c, type));
	kl_set_bool(c, row, "hidden", kl_true(c, type, "hidden"));
	cal_set_bookable(c, row, not_bookable(c, type));
	kl_set(c, row, "fields", fields(c, type));
	kl_set_i64(c, row, "minimum_notice_min", kl_i64(c, type, "minimumBookingNotice", 0));
	kl_set(c, row, "buffers", cal_buffers(c, type));
	c->host->row(c, row);
}

const kl_next *v2_event_types(kl_call *c, const kl_step *s)
{
	if (s->why == KL_START) {
		kl_str url = team_url(c, s, "/event-types");
		if (!url.ptr)
			url = KL_LIT("/event-types");
		return kl_send(c,
			v2_request(c, s, V2_EVENT_TYPES, "GET", KL_SAFE, "event_types", url),
			cal_state(c, "event_types"));
	}
	if (!cal_good(s->response))
		return cal_bad_answer(c, s, &v2_dialect);
	const kl_val *data = v2_data(c, s->response);
	if (c->host->type(data) != KL_ARRAY)
		return cal_surprise(c, "Cal.com's list of event types is not one");
	for (uint32_t i = 0; i < c->host->count(data); i++)
		event_type_row(c, c->host->at(data, i, 0));
	return kl_done(c, c->host->object(c));
}

/* ---- people ---------------------------------------------------------------------------------- */

static void member_row(kl_call *c, const kl_val *m)
{
	kl_val *row = cal_person(
		c, cal_text(c, m, "userId"), CAL_FIRST(c, m, "user.name", "user.username"));
	if (kl_has(c, m, "accepted") && !kl_true(c, m, "accepted"))
		return; /* invited only: cannot host anything yet */
	kl_set_text(c, row, "email", cal_text(c, m, "user.email"));
	kl_set_text(c, row, "role", cal_lower(c, cal_text(c, m, "role")));
	c->host->row(c, row);
}

static const kl_next *ask_members(kl_call *c, const kl_step *s, int64_t skip)
{
	kl_str url = team_url(c, s, "/memberships");
	kl_val *state = cal_state(c, "members");
	if (!url.ptr)
		return cal_bad_input(c, "members: say which team, in the input or as option team");
	url = cal_query(c, url, "take", KL_LIT("250"));
	url = cal_query(c, url, "skip", cal_digits(c, skip));
	kl_set_i64(c, state, "skip", skip);
	return kl_send(c, v2_request(c, s, V2_BOOKINGS, "GET", KL_SAFE, "members", url), state);
}

const kl_next *v2_members(kl_call *c, const kl_step *s)
{
	if (s->why == KL_START)
		return ask_members(c, s, 0);
	if (!cal_good(s->response))
		return cal_bad_answer(c, s, &v2_dialect);
	const kl_val *data = v2_data(c, s->response);
	if (c->host->type(data) != KL_ARRAY)
		return cal_surprise(c, "Cal.com's list of members is not one");
	uint32_t n = c->host->count(data);
	for (uint32_t i = 0; i < n; i++)
		member_row(c, c->host->at(data, i, 0));
	if (n >= 250) /* this list has no pagination block */
		return ask_members(c, s, kl_i64(c, s->state, "skip", 0) + n);
	return kl_done(c, c->host->object(c));
}

/* ---- schedules ------------------------------------------------------------------------------- */

static const kl_val *overrides(kl_call *c, const kl_val *schedule)
{
	const kl_val *given = c->host->find(schedule, "overrides");
	kl_val *out = c->host->array(c);
	for (uint32_t i = 0; i < c->host->count(given); i++) {
		const kl_val *o = c->host->at(given, i, 0);
		kl_val *day = c->host->object(c);
		kl_set_text(c, day, "date", cal_text(c, o, "date"));
		kl_set_text(c, day, "from", cal_clock(c, cal_text(c, o, "startTime")));
		kl_set_text(c, day, "to", cal_clock(c, cal_text(c, o, "endTime")));
		c->host->push(c, out, day);
	}
	return out;
}

static void schedule_row(kl_call *c, const kl_val *schedule)
{
	const kl_val *given = c->host->find(schedule, "availability");
	kl_val *row = c->host->object(c), *hours = c->host->array(c);
	for (uint32_t i = 0; i < c->host->count(given); i++)
		c->host->push(c, hours, cal_hours(c, c->host->at(given, i, 0)));
	kl_set_text(c, row, "id", cal_text(c, schedule, "id"));
	kl_set_text(c, row, "owner", cal_text(c, schedule, "ownerId"));
	kl_set_text(c, row, "name", cal_text(c, schedule, "name"));
	kl_set_text(c, row, "timezone", cal_text(c, schedule, "timeZone"));
	kl_set_bool(c, row, "default", kl_true(c, schedule, "isDefault"));
	kl_set(c, row, "availability", hours);
	kl_set(c, row, "overrides", overrides(c, schedule));
	c->host->row(c, row);
}

const kl_next *v2_schedules(kl_call *c, const kl_step *s)
{
	if (s->why == KL_START)
		return kl_send(c,
			v2_request(c, s, V2_SCHEDULES, "GET", KL_SAFE, "schedules",
				KL_LIT("/schedules")),
			cal_state(c, "schedules"));
	if (!cal_good(s->response))
		return cal_bad_answer(c, s, &v2_dialect);
	const kl_val *data = v2_data(c, s->response);
	if (c->host->type(data) != KL_ARRAY)
		return cal_surprise(c, "Cal.com's list of schedules is not one");
	for (uint32_t i = 0; i < c->host->count(data); i++)
		schedule_row(c, c->host->at(data, i, 0));
	return kl_done(c, c->host->object(c));
}
