/* answer.c - requests, the vendor's error texts, and what kind of failure each of them is.
 *
 * The same refusal comes as different statuses from different versions and builds, so the text
 * decides first and the status second. Never puts a vendor's text into a message unfiltered: the
 * validators echo what the caller said. Pure; any thread. */
#include "calcom.h"

static const kl_str nothing = {0, 0, 0};

struct rule {
	const char *needle; /* lower case */
	uint32_t fail;
	const char *code, *sentence;
};

/* First match wins: the special before the general. */
static const struct rule rules[] = {
	{"invalid or missing calcom_license_key", KL_BAD_AUTH, "license",
		"this self-hosted Cal.com runs without a valid licence key; set CALCOM_LICENSE_KEY "
		"there"},
	{"no_available_users_found_error", KL_CONFLICT, "slot_taken", "this slot is taken"},
	{"already has booking at this time or is not available", KL_CONFLICT, "slot_taken",
		"this slot is taken"},
	{"hosts_unavailable_for_booking", KL_CONFLICT, "slot_taken", "this slot is taken"},
	{"host_unavailable_for_booking", KL_CONFLICT, "slot_taken", "this slot is taken"},
	{"booking_conflict_error", KL_CONFLICT, "slot_taken", "this slot is taken"},
	{"booking_seats_full_error", KL_CONFLICT, "slot_taken", "no seat is left"},
	{"not_enough_available_seats_error", KL_CONFLICT, "slot_taken", "no seat is left"},
	{"no more seats left", KL_CONFLICT, "slot_taken", "no seat is left"},
	{"already booked", KL_CONFLICT, "slot_taken", "this slot is taken"},
	{"already reserved", KL_CONFLICT, "slot_taken", "this slot is reserved"},
	{"already_signed_up_for_this_booking_error", KL_CONFLICT, "duplicate_attendee",
		"this person is in that booking already"},
	{"booking_time_out_of_bounds_error", KL_BAD_INPUT, "out_of_bounds",
		"the start is outside the event type's booking window or notice"},
	{"can't be booked at the \"start\" time", KL_BAD_INPUT, "out_of_bounds",
		"the start is outside the event type's booking window or notice"},
	{"attempting to book a meeting in the past", KL_BAD_INPUT, "in_the_past",
		"the start lies in the past"},
	{"invalid event length", KL_BAD_INPUT, "bad_length",
		"the event type does not offer this length; leave length_min out or use one of "
		"lengths_min"},
	{"booker_limit_exceeded_error", KL_CONFLICT, "booker_limit",
		"this person has as many active bookings as the event type allows"},
	{"maximum number of active bookings", KL_CONFLICT, "booker_limit",
		"this person has as many active bookings as the event type allows"},
	{"error_required_field", KL_BAD_INPUT, "missing_answer",
		"the event type requires an answer that is missing"},
	{"missing required booking field response", KL_BAD_INPUT, "missing_answer",
		"the event type requires an answer that is missing"},
	{"email_validation_error", KL_BAD_INPUT, "bad_answer",
		"the event type does not accept this e-mail address"},
	{"url_validation_error", KL_BAD_INPUT, "bad_answer", "an answer is not a web address"},
	{"invalid_number", KL_BAD_INPUT, "bad_answer", "a phone number is not accepted"},
	{"email_verification_required", KL_BAD_INPUT, "verification_required",
		"the event type wants e-mail verification; nobody can do that in a call"},
	{"invalid_verification_code", KL_BAD_INPUT, "verification_required",
		"the event type wants e-mail verification; nobody can do that in a call"},
	{"parent managed event type", KL_BAD_INPUT, "managed_parent",
		"this is the template of a managed event type; use the copy of a member"},
	{"event_type_not_found_error", KL_GONE, "event_type_not_found",
		"this event type does not exist there"},
	{"no hosts", KL_BAD_INPUT, "no_hosts",
		"the event type has no hosts; assign some in Cal.com"},
	{"booker_email_blocked", KL_BAD_INPUT, "blocked",
		"this person's e-mail address is blocked"},
	{"booker_email_requires_login", KL_BAD_INPUT, "blocked",
		"this e-mail address may only be used by its owner, logged in"},
	{"already ended", KL_BAD_INPUT, "ended", "the appointment is over already"},
	{"does not allow cancellation", KL_BAD_INPUT, "not_allowed",
		"the event type forbids cancelling"},
	{"does not allow reschedul", KL_BAD_INPUT, "not_allowed",
		"the event type forbids rescheduling"},
	{"minimum reschedul", KL_BAD_INPUT, "too_late",
		"it is too late to reschedule by the event type's own notice"},
	{"reschedule notice", KL_BAD_INPUT, "too_late",
		"it is too late to reschedule by the event type's own notice"},
	{"cannot get /", KL_BAD_INPUT, "api_version",
		"the route exists only under another cal-api-version; check the api_version_* "
		"options and base_url"},
	{"cannot post /", KL_BAD_INPUT, "api_version",
		"the route exists only under another cal-api-version; check the api_version_* "
		"options and base_url"},
	{"cannot delete /", KL_BAD_INPUT, "api_version",
		"the route exists only under another cal-api-version; check the api_version_* "
		"options and base_url"},
};

int cal_good(const kl_response *r)
{
	return r && r->outcome == KL_ANSWERED && r->status >= 200 && r->status < 300;
}

kl_str cal_error_text(kl_call *c, const kl_response *r)
{
	kl_str text = CAL_FIRST(c, r->json, "error.message", "message", "error",
		"error.details.message", "message.0");
	if (text.ptr || r->json)
		return text;
	return r->body.len > 400 ? kl_slice(c, r->body, 0, 400) : r->body;
}

static const struct rule *rule_for(kl_call *c, kl_str text)
{
	kl_str low = cal_lower(c, text);
	for (uint32_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (kl_contains(low, rules[i].needle))
			return &rules[i];
	if (kl_contains(low, "event type with id") && kl_contains(low, "not found"))
		for (uint32_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
			if (strcmp(rules[i].needle, "event_type_not_found_error") == 0)
				return &rules[i];
	return 0;
}

/* "responses - {title}error_required_field" and "... field response: title" both name it. */
static kl_str field_in(kl_call *c, kl_str text)
{
	const char *open = text.ptr ? memchr(text.ptr, '{', text.len) : 0;
	const char *colon = text.ptr ? memchr(text.ptr, ':', text.len) : 0;
	uint32_t from, to;
	if (open) {
		from = (uint32_t)(open - text.ptr) + 1;
		for (to = from; to < text.len && text.ptr[to] != '}'; to++)
			;
		return kl_slice(c, text, from, to);
	}
	if (!colon)
		return nothing;
	for (from = (uint32_t)(colon - text.ptr) + 1; from < text.len && text.ptr[from] == ' ';
		from++)
		;
	for (to = from; to < text.len && !memchr(" .,;", text.ptr[to], 4); to++)
		;
	return to > from ? kl_slice(c, text, from, to) : nothing;
}

static kl_str http_note(kl_call *c, uint32_t status)
{
	return KL_CAT(c, KL_LIT(" (HTTP "), cal_digits(c, status), KL_LIT(")"));
}

static void by_rule(kl_call *c, struct cal_failure *f, const struct rule *rule, kl_str text)
{
	kl_str field = nothing;
	f->fail = rule->fail;
	f->code = rule->code;
	if (strcmp(rule->code, "missing_answer") == 0 || strcmp(rule->code, "bad_answer") == 0)
		field = cal_harmless(c, field_in(c, text));
	f->message = KL_CAT(c, KL_LIT("Cal.com: "), kl_s(rule->sentence),
		field.len ? KL_LIT(": ") : KL_LIT(""), field, http_note(c, f->status));
	if (field.len) {
		kl_val *detail = c->host->object(c);
		kl_set_text(c, detail, "field", field);
		f->detail = detail;
	}
}

static void by_status(kl_call *c, struct cal_failure *f, kl_str text)
{
	const char *what = "refused the request";
	f->fail = KL_BAD_INPUT;
	if (f->status == 401 || f->status == 403 || f->status == 498) {
		f->fail = KL_BAD_AUTH;
		what = "refused the API key; check that it is valid and may do this";
	} else if (f->status == 404) {
		f->fail = KL_GONE;
		what = "does not know this (any more)";
	} else if (f->status == 409) {
		f->fail = KL_CONFLICT;
		what = "reports a conflict";
	} else if (f->status >= 500) {
		f->fail = KL_BROKEN;
		what = "failed";
	} else if (f->status < 400) {
		f->fail = KL_SURPRISE;
		what = "answered with something that is no answer";
	}
	kl_str vendor = f->status >= 400 && f->status < 500 ? cal_harmless(c, text) : nothing;
	f->message = KL_CAT(c, KL_LIT("Cal.com "), kl_s(what), http_note(c, f->status),
		vendor.len ? KL_LIT(": ") : KL_LIT(""), vendor);
}

static struct cal_failure not_answered(kl_call *c, const kl_response *r)
{
	struct cal_failure f = {.fail = KL_BROKEN};
	if (r && r->outcome == KL_REFUSED)
		f.message = KL_CAT(c, KL_LIT("not sent to Cal.com: "), kl_s(r->reason));
	else
		f.message = KL_CAT(c, KL_LIT("no usable answer from Cal.com: "),
			r ? kl_s(r->reason) : KL_LIT("interrupted"));
	return f;
}

struct cal_failure cal_classify(kl_call *c, const struct cal_dialect *d, const kl_response *r)
{
	struct cal_failure f = {0};
	if (!r || r->outcome != KL_ANSWERED)
		return not_answered(c, r);
	f.status = r->status;
	if (r->status == 429) {
		f.fail = KL_BUSY;
		f.message = KL_LIT("Cal.com: too many requests (HTTP 429)");
		d->limited(c, r, &f);
		return f;
	}
	kl_str text = cal_error_text(c, r);
	const struct rule *rule = r->status >= 400 && r->status < 500 ? rule_for(c, text) : 0;
	if (rule)
		by_rule(c, &f, rule, text);
	else
		by_status(c, &f, text);
	return f;
}

/* A locked account is told by 403 as well, and a page of HTML is not the vendor's word. */
struct cal_failure cal_classify_one(kl_call *c, const struct cal_dialect *d, const kl_response *r)
{
	struct cal_failure f = cal_classify(c, d, r);
	if (f.status != 403 || f.fail != KL_BAD_AUTH || f.code || !r->json ||
		kl_contains(cal_error_text(c, r), "not authorized to perform"))
		return f;
	f.fail = KL_BAD_INPUT;
	f.code = "forbidden";
	f.message = KL_LIT("Cal.com: this API key may not do that with this booking or event type "
			   "(HTTP 403)");
	return f;
}

const kl_next *cal_fail(kl_call *c, const struct cal_failure *f)
{
	kl_next *n = KL_NEW(c, kl_next);
	if (!n)
		return 0;
	n->then = KL_FAIL;
	n->fail = f->fail;
	n->code = f->code;
	n->message = f->message.ptr ? f->message.ptr : "Cal.com refused the request";
	n->detail = f->detail;
	n->wait_ms = f->wait_ms;
	return n;
}

/* While looking, a limit is no reason to trouble a person: wait, and look again. */
static const kl_next *wait_and_look(kl_call *c, const kl_step *s, int64_t wait_ms)
{
	kl_next *n = KL_NEW(c, kl_next);
	if (!n)
		return 0;
	n->then = KL_WAIT;
	n->wait_ms = wait_ms;
	n->state = s->state;
	return n;
}

const kl_next *cal_bad_answer(kl_call *c, const kl_step *s, const struct cal_dialect *d)
{
	struct cal_failure f = cal_classify(c, d, s->response);
	if (!s->looking)
		return cal_fail(c, &f);
	if (f.fail == KL_BUSY)
		return wait_and_look(c, s, f.wait_ms);
	return kl_then(c, KL_UNSURE, f.message.ptr);
}

const kl_next *cal_surprise(kl_call *c, const char *message)
{
	return kl_failed(c, KL_SURPRISE, 0, message);
}

const kl_next *cal_bad_input(kl_call *c, const char *message)
{
	return kl_failed(c, KL_BAD_INPUT, "input", message);
}

kl_request *cal_request(
	kl_call *c, const char *method, uint32_t repeat, const char *label, kl_str url)
{
	kl_request *r = KL_NEW(c, kl_request);
	if (!r)
		return 0;
	r->repeat = repeat;
	r->method = method;
	r->label = label;
	r->url = url;
	r->auth = "api_key";
	return r;
}

void cal_body(kl_call *c, kl_request *r, const kl_val *json)
{
	if (!r)
		return;
	r->content_type = "application/json";
	r->body = c->host->to_json(c, json);
}

kl_val *cal_state(kl_call *c, const char *at)
{
	kl_val *state = c->host->object(c);
	kl_set_text(c, state, "at", kl_s(at));
	return state;
}

int cal_at(kl_call *c, const kl_step *s, const char *at)
{
	return kl_eq(kl_text(c, s->state, "at"), at);
}

void cal_keep_failure(kl_call *c, kl_val *state, const struct cal_failure *f)
{
	kl_val *kept = c->host->object(c);
	kl_set_i64(c, kept, "fail", f->fail);
	kl_set_i64(c, kept, "wait_ms", f->wait_ms);
	kl_set_text(c, kept, "code", kl_s(f->code));
	kl_set_text(c, kept, "message", f->message);
	kl_set(c, kept, "detail", f->detail);
	kl_set(c, state, "failure", kept);
}

const kl_next *cal_kept_failure(kl_call *c, const kl_step *s)
{
	struct cal_failure f = {0};
	f.fail = (uint32_t)kl_i64(c, s->state, "failure.fail", KL_SURPRISE);
	f.wait_ms = kl_i64(c, s->state, "failure.wait_ms", 0);
	f.code = kl_text(c, s->state, "failure.code").ptr;
	f.message = kl_text(c, s->state, "failure.message");
	f.detail = c->host->find(s->state, "failure.detail");
	return cal_fail(c, &f);
}
