/* dialect.c - how Cal.com v2 spells requests and answers. Pure; any thread. */
#include "v2.h"

kl_str v2_option(kl_call *c, const kl_val *config, const char *key, const char *fallback)
{
	kl_str s = cal_text(c, config, key);
	return s.ptr ? s : kl_s(fallback);
}

static kl_str version_of(kl_call *c, const kl_val *config, enum v2_resource resource)
{
	switch (resource) {
	case V2_EVENT_TYPES:
		return v2_option(c, config, "api_version_event_types", "2024-06-14");
	case V2_SCHEDULES:
		return v2_option(c, config, "api_version_schedules", "2024-06-11");
	case V2_SLOTS:
		return v2_option(c, config, "api_version_slots", "2024-09-04");
	case V2_BOOKINGS:
		break;
	}
	return v2_option(c, config, "api_version_bookings", "2024-08-13");
}

kl_request *v2_request(kl_call *c, const kl_step *s, enum v2_resource resource, const char *method,
	uint32_t repeat, const char *label, kl_str url)
{
	kl_request *r = cal_request(c, method, repeat, label, url);
	kl_pair *header = c->host->alloc(c, sizeof(*header));
	if (!r || !header)
		return 0;
	header->name = KL_LIT("cal-api-version");
	header->value = version_of(c, s->config, resource);
	r->headers = (kl_list){header, 1, sizeof(*header)};
	return r;
}

kl_str v2_team_url(kl_call *c, const kl_val *config, kl_str team, const char *tail)
{
	kl_str org = cal_escape(c, cal_text(c, config, "organization"));
	team = cal_escape(c, team);
	if (org.len)
		return KL_CAT(
			c, KL_LIT("/organizations/"), org, KL_LIT("/teams/"), team, kl_s(tail));
	return KL_CAT(c, KL_LIT("/teams/"), team, kl_s(tail));
}

kl_str v2_list_url(kl_call *c, const kl_val *config, kl_str whose)
{
	kl_str scope = v2_option(c, config, "scope", "user");
	kl_str org = cal_escape(c, cal_text(c, config, "organization"));
	if (kl_eq(whose, CAL_OWN))
		return KL_LIT("/bookings");
	if (whose.len)
		return v2_team_url(c, config, whose, "/bookings");
	if (kl_eq(scope, "organization"))
		return KL_CAT(c, KL_LIT("/organizations/"), org, KL_LIT("/bookings"));
	if (kl_eq(scope, "team"))
		return v2_team_url(c, config, cal_text(c, config, "team"), "/bookings");
	return KL_LIT("/bookings");
}

const kl_val *v2_data(kl_call *c, const kl_response *r)
{
	const kl_val *data = c->host->find(r->json, "data");
	uint32_t type = c->host->type(data);
	return type == KL_OBJECT || type == KL_ARRAY ? data : 0;
}

/* No status filter: a cancelled or declined booking is an answer too. */
static const kl_request *list(kl_call *c, const kl_step *s, const struct cal_window *w)
{
	kl_str url = v2_list_url(c, s->config, w->whose);
	url = cal_query(c, url, "eventTypeId", w->event_type);
	url = cal_query(c, url, "attendeeEmail", w->email);
	url = cal_query(c, url, "afterStart", cal_print(c, w->from_ms));
	/* the filter is on the end: a booking that begins in the window may end after it */
	url = cal_query(c, url, "beforeEnd", cal_print(c, w->to_ms + CAL_DAY));
	url = cal_query(c, url, "sortStart", KL_LIT("asc"));
	url = cal_query(c, url, "take", KL_LIT("100"));
	url = cal_query(c, url, "skip", cal_digits(c, (int64_t)w->page * 100));
	return v2_request(c, s, V2_BOOKINGS, "GET", KL_SAFE, "bookings", url);
}

static const kl_val *items(kl_call *c, const kl_response *r)
{
	const kl_val *data = v2_data(c, r);
	return c->host->type(data) == KL_ARRAY ? data : 0;
}

static int more(kl_call *c, const kl_response *r)
{
	if (kl_has(c, r->json, "pagination.hasNextPage"))
		return kl_true(c, r->json, "pagination.hasNextPage");
	if (kl_true(c, r->json, "pagination.hasMore")) /* another contract: never the last page */
		return 1;
	return c->host->count(items(c, r)) >= 100;
}

/* A recurring uid answers with an array: its first appointment speaks for it. */
static const kl_val *one(kl_call *c, const kl_response *r)
{
	const kl_val *data = v2_data(c, r);
	if (c->host->type(data) == KL_ARRAY)
		data = c->host->at(data, 0, 0);
	return c->host->type(data) == KL_OBJECT ? data : 0;
}

struct place {
	const char *type, *vendor, *value; /* value: name of the member that takes it */
};

static const struct place places[] = {
	{"in_person", "address", 0},
	{"link", "link", 0},
	{"host_phone", "phone", 0},
	{"default_app", "organizersDefaultApp", 0},
	{"integration", "integration", "integration"},
	{"attendee_address", "attendeeAddress", "address"},
	{"attendee_phone", "attendeePhone", "phone"},
	{"other", "attendeeDefined", "location"},
};

/* NULL: no such type. */
static const kl_val *place_of(kl_call *c, const struct cal_booking_input *in)
{
	kl_str type = cal_location_type(c, in->location);
	kl_str value = cal_location_value(c, in->location);
	kl_val *out = c->host->object(c);
	for (uint32_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (!kl_eq(type, places[i].type))
			continue;
		kl_set_text(c, out, "type", kl_s(places[i].vendor));
		if (strcmp(places[i].type, "attendee_phone") == 0 && !value.ptr)
			value = in->phone;
		if (places[i].value)
			kl_set_text(c, out, places[i].value, value);
		return out;
	}
	return 0;
}

/* The vendor takes the phone in attendee only, and guests beside it; the rest are answers. */
static int is_own_place(kl_str key)
{
	return kl_eq(key, "attendeePhoneNumber") || kl_eq(key, "smsReminderNumber") ||
	       kl_eq(key, "guests") || kl_eq(key, "location") || kl_eq(key, "email") ||
	       kl_eq(key, "name");
}

static const kl_val *answers(kl_call *c, const struct cal_booking_input *in)
{
	kl_val *out = c->host->object(c);
	for (uint32_t i = 0; i < c->host->count(in->fields); i++) {
		kl_str key = {0, 0, 0};
		const kl_val *v = c->host->at(in->fields, i, &key);
		if (c->host->type(v) != KL_NULL && !is_own_place(key))
			c->host->set(c, out, key, v);
	}
	kl_set_text(c, out, "notes", in->notes);
	return c->host->count(out) ? out : 0;
}

static const kl_val *attendee(kl_call *c, const struct cal_booking_input *in)
{
	kl_val *a = c->host->object(c);
	kl_set_text(c, a, "name", in->name);
	kl_set_text(c, a, "email", in->email);
	kl_set_text(c, a, "phoneNumber", in->phone);
	kl_set_text(c, a, "timeZone", in->zone);
	kl_set_text(c, a, "language", in->language);
	return a;
}

/* Only listed keys: one more is a 400. */
static const kl_request *create(kl_call *c, const kl_step *s, const struct cal_booking_input *in)
{
	kl_val *body = c->host->object(c);
	const kl_val *place = place_of(c, in);
	if (kl_has(c, in->location, "") && !place)
		return 0;
	kl_request *r =
		v2_request(c, s, V2_BOOKINGS, "POST", KL_NEVER, "book", KL_LIT("/bookings"));
	kl_set_i64(c, body, "eventTypeId", in->event_type_id);
	kl_set_text(c, body, "start", cal_print(c, in->start_ms));
	kl_set(c, body, "attendee", attendee(c, in));
	if (in->length_min)
		kl_set_i64(c, body, "lengthInMinutes", in->length_min);
	kl_set(c, body, "location", place);
	kl_set(c, body, "bookingFieldsResponses", answers(c, in));
	if (c->host->type(c->host->find(in->fields, "guests")) == KL_ARRAY)
		kl_set(c, body, "guests", c->host->find(in->fields, "guests"));
	kl_set(c, body, "metadata", cal_metadata(c, s, in->metadata));
	cal_body(c, r, body);
	return r;
}

/* Whole local days; the end a second before midnight, which the vendor would move to the next. */
static const kl_request *slots(kl_call *c, const kl_step *s, const struct cal_range *w)
{
	int64_t from = cal_midnight(c, w->zone, w->from_ms, 0);
	int64_t to = cal_midnight(c, w->zone, w->to_ms - 1, 1) - 1000;
	kl_str url = cal_query(c, KL_LIT("/slots"), "eventTypeId", w->event_type);
	url = cal_query(c, url, "start", cal_print(c, from));
	url = cal_query(c, url, "end", cal_print(c, to));
	url = cal_query(c, url, "timeZone", kl_s(w->zone));
	url = cal_query(c, url, "duration", w->length_min);
	url = cal_query(c, url, "format", KL_LIT("range"));
	url = cal_query(c, url, "bookingUidToReschedule", w->reschedule_uid);
	return v2_request(c, s, V2_SLOTS, "GET", KL_SAFE, "slots", url);
}

static const kl_val *days(kl_call *c, const kl_response *r)
{
	return v2_data(c, r);
}

/* The application sets no Retry-After; it blocks for a minute. */
static void limited(kl_call *c, const kl_response *r, struct cal_failure *f)
{
	(void)c;
	f->wait_ms = r->retry_after_ms > 0 ? r->retry_after_ms : CAL_MINUTE;
}

const struct cal_dialect v2_dialect = {
	.slot_start = "start",
	.remedy = "use the key of its owner or, for a team's, of an owner or admin of the team, "
		  "with scope = team",
	.list = list,
	.items = items,
	.more = more,
	.one = one,
	.create = create,
	.slots = slots,
	.days = days,
	.prove = v2_prove,
	.limited = limited,
};
