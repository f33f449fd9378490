/* dialect.c - how Cal.com v1 spells requests and answers. Pure; any thread. */
#include "v1.h"

const kl_next *v1_get(kl_call *c, const char *label, kl_str url, const kl_val *state)
{
	return kl_send(c, cal_request(c, "GET", KL_SAFE, label, url), state);
}

/* page and take count only together; there is no filter by event type. */
static const kl_request *list(kl_call *c, const kl_step *s, const struct cal_window *w)
{
	kl_str url = KL_LIT("/bookings");
	(void)s;
	url = cal_query(c, url, "attendeeEmail", w->email);
	url = cal_query(c, url, "dateFrom", cal_print(c, w->from_ms));
	/* the filter is on the end: a booking that begins in the window may end after it */
	if (w->to_ms != V1_FOR_EVER)
		url = cal_query(c, url, "dateTo", cal_print(c, w->to_ms + CAL_DAY));
	url = cal_query(c, url, "take", KL_LIT("100"));
	url = cal_query(c, url, "page", cal_digits(c, (int64_t)w->page + 1));
	return cal_request(c, "GET", KL_SAFE, "bookings", url);
}

static const kl_val *items(kl_call *c, const kl_response *r)
{
	const kl_val *list = c->host->find(r->json, "bookings");
	return c->host->type(list) == KL_ARRAY ? list : 0;
}

static int more(kl_call *c, const kl_response *r)
{
	return c->host->count(items(c, r)) >= 100;
}

/* The manual shows {"booking": ...} where the server sends the booking itself: take both. */
static const kl_val *one(kl_call *c, const kl_response *r)
{
	const kl_val *wrapped = c->host->find(r->json, "booking");
	if (c->host->type(wrapped) == KL_OBJECT)
		return wrapped;
	return c->host->type(r->json) == KL_OBJECT ? r->json : 0;
}

/* ---- booking -------------------------------------------------------------------------------- */

static const struct {
	const char *type, *vendor;
} places[] = {
	{"in_person", "inPerson"},
	{"link", "link"},
	{"host_phone", "userPhone"},
	{"default_app", "conferencing"},
	{"attendee_address", "attendeeInPerson"},
	{"attendee_phone", "phone"},
	{"other", "somewhereElse"},
};

/* v2's names of video services, as v1 stores them. */
static kl_str integration(kl_call *c, kl_str name)
{
	if (kl_eq(name, "cal-video"))
		name = KL_LIT("daily");
	else if (kl_eq(name, "google-meet"))
		name = KL_LIT("google:meet");
	else if (kl_eq(name, "office365-video"))
		name = KL_LIT("office365_video");
	return KL_CAT(c, KL_LIT("integrations:"), name);
}

/* An object, for a plain text silently becomes an empty location. NULL: no such type. */
static const kl_val *place_of(kl_call *c, const struct cal_booking_input *in)
{
	kl_str type = cal_location_type(c, in->location), vendor = {0, 0, 0};
	kl_str value = cal_location_value(c, in->location);
	kl_val *out = c->host->object(c);
	for (uint32_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (kl_eq(type, places[i].type))
			vendor = kl_s(places[i].vendor);
	if (kl_eq(type, "integration")) {
		vendor = integration(c, value);
		value = (kl_str){0, 0, 0};
	}
	if (!vendor.ptr)
		return 0;
	if (kl_eq(type, "attendee_phone") && !value.ptr)
		value = in->phone;
	kl_set_text(c, out, "value", vendor);
	kl_set_text(c, out, "optionValue", value.ptr ? value : KL_LIT(""));
	return out;
}

static int is_own_place(kl_str key)
{
	return kl_eq(key, "attendeePhoneNumber") || kl_eq(key, "smsReminderNumber") ||
	       kl_eq(key, "location") || kl_eq(key, "email") || kl_eq(key, "name");
}

static const kl_val *answers(kl_call *c, const struct cal_booking_input *in, const kl_val *place)
{
	kl_val *out = c->host->object(c);
	kl_set_text(c, out, "name", in->name);
	/* required by the vendor's schema even of those who have none; empty counts as none */
	kl_set_text(c, out, "email", in->email.ptr ? in->email : KL_LIT(""));
	kl_set_text(c, out, "attendeePhoneNumber", in->phone);
	kl_set_text(c, out, "smsReminderNumber", in->phone);
	kl_set(c, out, "location", place);
	kl_set_text(c, out, "notes", in->notes);
	for (uint32_t i = 0; i < c->host->count(in->fields); i++) {
		kl_str key = {0, 0, 0};
		const kl_val *v = c->host->at(in->fields, i, &key);
		if (c->host->type(v) != KL_NULL && !is_own_place(key))
			c->host->set(c, out, key, v);
	}
	return out;
}

static const kl_request *create(kl_call *c, const kl_step *s, const struct cal_booking_input *in)
{
	kl_val *body = c->host->object(c);
	const kl_val *place = place_of(c, in);
	if (kl_has(c, in->location, "") && !place)
		return 0;
	kl_request *r = cal_request(c, "POST", KL_NEVER, "book", KL_LIT("/bookings"));
	kl_set_i64(c, body, "eventTypeId", in->event_type_id);
	kl_set_text(c, body, "start", cal_print(c, in->start_ms));
	if (in->length_min)
		kl_set_text(
			c, body, "end", cal_print(c, in->start_ms + in->length_min * CAL_MINUTE));
	kl_set(c, body, "responses", answers(c, in, place));
	kl_set_text(c, body, "timeZone", in->zone);
	kl_set_text(c, body, "language", in->language);
	kl_set(c, body, "metadata", cal_metadata(c, s, in->metadata));
	cal_body(c, r, body);
	return r;
}

kl_val *v1_texts(kl_call *c, const kl_val *metadata)
{
	kl_val *out = c->host->object(c);
	for (uint32_t i = 0; i < c->host->count(metadata); i++) {
		kl_str key = {0, 0, 0};
		const kl_val *v = c->host->at(metadata, i, &key);
		if (c->host->type(v) == KL_TEXT)
			c->host->set(c, out, key, v);
	}
	return out;
}

/* ---- slots, limits ----------------------------------------------------------------------------
 */

static const kl_request *slots(kl_call *c, const kl_step *s, const struct cal_range *w)
{
	int64_t from = cal_midnight(c, w->zone, w->from_ms, 0);
	int64_t to = cal_midnight(c, w->zone, w->to_ms - 1, 1) - 1000;
	kl_str url = cal_query(c, KL_LIT("/slots"), "eventTypeId", w->event_type);
	(void)s;
	url = cal_query(c, url, "startTime", cal_print(c, from));
	url = cal_query(c, url, "endTime", cal_print(c, to));
	/* without a zone the answer changes its shape */
	url = cal_query(c, url, "timeZone", kl_s(w->zone));
	url = cal_query(c, url, "duration", w->length_min);
	url = cal_query(c, url, "rescheduleUid", w->reschedule_uid);
	return cal_request(c, "GET", KL_SAFE, "slots", url);
}

static const kl_val *days(kl_call *c, const kl_response *r)
{
	const kl_val *found = c->host->find(r->json, "slots");
	uint32_t type = c->host->type(found);
	return type == KL_OBJECT || type == KL_ARRAY ? found : 0;
}

/* N of "Try again in N seconds."; 0 if the text does not say. */
static int64_t seconds_in(kl_str text)
{
	static const char words[] = "Try again in ";
	const uint32_t n = sizeof(words) - 1;
	int64_t seconds = 0;
	for (uint32_t i = 0; text.ptr && i + n < text.len; i++) {
		if (memcmp(text.ptr + i, words, n) != 0)
			continue;
		for (i += n; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9' &&
			     seconds < 100000;
			i++)
			seconds = seconds * 10 + (text.ptr[i] - '0');
		return seconds;
	}
	return 0;
}

/* The manual says epoch seconds, the wire says milliseconds: told apart by size. */
static int64_t until_reset_ms(kl_call *c, const kl_response *r)
{
	int64_t reset = 0;
	if (!cal_id(kl_pair_get(r->headers, "x-ratelimit-reset"), &reset))
		return 0;
	if (reset > INT64_C(100000000000))
		return reset - c->now_ms;
	if (reset > INT64_C(1000000000))
		return reset * 1000 - c->now_ms;
	return reset * 1000;
}

/* Five excesses in half an hour lock the account: never come back early, and not at all once it
 * is locked. */
static void limited(kl_call *c, const kl_response *r, struct cal_failure *f)
{
	kl_str text = cal_error_text(c, r);
	int64_t wait = seconds_in(text) * 1000;
	if (kl_eq(text, "Too many requests")) {
		f->fail = KL_BAD_AUTH;
		f->code = "account_locked";
		f->message = KL_LIT("Cal.com locked this account for too many requests; have it "
				    "unlocked, and lower the rate limit of this connection");
		return;
	}
	if (r->retry_after_ms > wait)
		wait = r->retry_after_ms;
	if (wait <= 0)
		wait = until_reset_ms(c, r);
	f->wait_ms = wait > 0 && wait < CAL_DAY ? wait + 1000 : CAL_MINUTE;
}

const struct cal_dialect v1_dialect = {
	.slot_start = "time",
	.remedy = "use the key of its owner or of an administrator of the server",
	.list = list,
	.items = items,
	.more = more,
	.one = one,
	.create = create,
	.slots = slots,
	.days = days,
	.prove = v1_prove,
	.limited = limited,
};
