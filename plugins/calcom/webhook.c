/* webhook.c - Cal.com's webhooks, the same for v1 and v2: the same service sends them whichever
 * API registered them.
 *
 * Never trusts the trigger's name where the body knows better: a moved booking that needs no
 * confirmation has been announced as BOOKING_REQUESTED. Pure; any thread. */
#include "calcom.h"

static const kl_str nothing = {0, 0, 0};

/* ---- proof of origin ----------------------------------------------------------------------- */

static const kl_answer *reject(kl_call *c, uint32_t status, const char *reason)
{
	kl_answer *a = KL_NEW(c, kl_answer);
	if (!a)
		return 0;
	a->kind = KL_REJECT;
	a->status = status;
	a->reason = reason;
	return a;
}

static const kl_answer *accept_signed(kl_call *c, const kl_inbound *in, kl_str mac)
{
	kl_answer *a = KL_NEW(c, kl_answer);
	kl_mac *m = KL_NEW(c, kl_mac);
	kl_str *parts = c->host->alloc(c, 2 * sizeof(*parts));
	if (!a || !m || !parts)
		return 0;
	parts[0] = in->body;
	parts[1] = mac;
	m->hash = "sha256";
	m->secret = "webhook_secret";
	m->pieces = (kl_list){&parts[0], 1, sizeof(*parts)};
	m->macs = (kl_list){&parts[1], 1, sizeof(*parts)};
	c->host->require_mac(c, m);
	a->kind = KL_ACCEPT;
	a->status = 200;
	return a;
}

const kl_answer *cal_verify(kl_call *c, const kl_inbound *in)
{
	kl_str given = kl_pair_get(in->headers, "x-cal-signature-256");
	if (strcmp(in->method, "POST") != 0)
		return reject(c, 405, "Cal.com sends webhooks by POST");
	if (!kl_has(c, in->config, "webhook_secret"))
		return reject(c, 0, "webhook_secret is not set for this connection");
	if (!given.ptr || !given.len)
		return reject(c, 0, "header X-Cal-Signature-256 is missing");
	if (kl_eq(given, "no-secret-provided"))
		return reject(c, 0,
			"X-Cal-Signature-256 is no-secret-provided: set a secret at the webhook in "
			"Cal.com, and the same as webhook_secret here");
	kl_str mac = c->host->decode(c, "hex", given);
	if (!mac.ptr || mac.len != 32)
		return reject(c, 0, "X-Cal-Signature-256 is not 64 hex digits");
	return accept_signed(c, in, mac);
}

/* ---- what it says --------------------------------------------------------------------------- */

struct hook {
	kl_str trigger, created;
	const kl_val *raw; /* payload, or for the flat ones the whole body */
	kl_val *booking;
	int64_t at_ms;
};

static int bad(kl_call *c, const char *path, const char *message)
{
	c->host->problem(c, path, message);
	return KL_BAD_INPUT;
}

/* A status in the body that contradicts the trigger wins, except where the trigger is final. */
static void settle_status(kl_call *c, struct hook *h)
{
	if (kl_eq(h->trigger, "BOOKING_CANCELLED"))
		kl_set_text(c, h->booking, "status", KL_LIT("cancelled"));
	else if (kl_eq(h->trigger, "BOOKING_REJECTED"))
		kl_set_text(c, h->booking, "status", KL_LIT("rejected"));
	else if (!kl_has(c, h->booking, "status"))
		kl_set_text(c, h->booking, "status",
			kl_eq(h->trigger, "BOOKING_REQUESTED") ? KL_LIT("requested")
							       : KL_LIT("booked"));
}

/* uid:status:start, so that several scopes and the poll tell it once; of seated bookings every
 * attendee is a change of its own. */
static kl_str state_dedupe(kl_call *c, const struct hook *h)
{
	kl_str identity = cal_identity(c, h->booking);
	if (!kl_has(c, h->raw, "seatsPerTimeSlot"))
		return identity;
	return KL_CAT(c, identity, KL_LIT(":"), cal_text(c, h->raw, "attendees.0.email"));
}

/* For what can happen again in the same state: the vendor has no delivery id. */
static kl_str moment_dedupe(kl_call *c, const struct hook *h)
{
	if (!h->created.ptr)
		return nothing;
	if (!cal_uid(c, h->raw).ptr)
		return KL_CAT(c, h->trigger, KL_LIT(":"), h->created);
	return KL_CAT(c, cal_text(c, h->booking, "uid"), KL_LIT(":"), h->trigger, KL_LIT(":"),
		h->created);
}

static const char *type_of(kl_call *c, const struct hook *h)
{
	const char *type = cal_event_of(c, h->booking);
	if (kl_eq(h->trigger, "BOOKING_RESCHEDULED") && type && !strcmp(type, "booking.created"))
		return "booking.rescheduled"; /* old builds leave rescheduleUid out */
	return type ? type : "calendar.other";
}

static int state_change(kl_call *c, struct hook *h)
{
	if (!cal_uid(c, h->raw).ptr)
		return bad(c, "payload.uid",
			"missing: the webhook has a payload template; remove it in Cal.com");
	settle_status(c, h);
	const char *type = type_of(c, h);
	if (!kl_has(c, h->booking, "start"))
		return bad(c, "payload.startTime",
			"missing or not an instant; remove the payload template in Cal.com");
	if (kl_true(c, h->raw, "requestReschedule"))
		kl_set_bool(c, h->booking, "reschedule_requested", 1);
	cal_emit(c, h->raw, h->booking, type, h->at_ms, state_dedupe(c, h));
	return 0;
}

/* The attendees whose mark changed. */
static const kl_val *marks(kl_call *c, const kl_val *raw)
{
	const kl_val *given = c->host->find(raw, "attendees");
	kl_val *list = c->host->array(c);
	for (uint32_t i = 0; i < c->host->count(given); i++) {
		const kl_val *a = c->host->at(given, i, 0);
		kl_val *mark = c->host->object(c);
		kl_set_text(c, mark, "email", cal_text(c, a, "email"));
		kl_set_bool(c, mark, "noshow", kl_true(c, a, "noShow"));
		c->host->push(c, list, mark);
	}
	return list;
}

/* The poll sees only that somebody is marked, so a first mark is named without its moment. */
static kl_str noshow_dedupe(kl_call *c, const struct hook *h)
{
	if (!kl_true(c, h->raw, "attendees.0.noShow"))
		return moment_dedupe(c, h);
	return KL_CAT(c, cal_text(c, h->booking, "uid"), KL_LIT(":noshow:"),
		cal_text(c, h->raw, "attendees.0.email"));
}

static int noshow(kl_call *c, struct hook *h)
{
	if (!cal_uid(c, h->raw).ptr)
		return bad(c, "payload.bookingUid",
			"missing: the webhook has a payload template; remove it in Cal.com");
	kl_set(c, h->booking, "noshow", marks(c, h->raw));
	cal_emit(c, h->raw, h->booking, "booking.noshow", h->at_ms, noshow_dedupe(c, h));
	return 0;
}

/* Flat bodies, a snapshot from the time of booking: their createdAt is not when this happened. */
static int meeting(kl_call *c, struct hook *h, const char *type)
{
	int begins = strcmp(type, "meeting.started") == 0;
	if (!cal_uid(c, h->raw).ptr)
		return bad(c, "uid", "missing: this is no MEETING webhook of Cal.com");
	if (!cal_parse(c, cal_text(c, h->booking, begins ? "start" : "end"), "UTC", &h->at_ms))
		return bad(c, begins ? "startTime" : "endTime", "missing or not an instant");
	cal_emit(c, h->raw, h->booking, type, h->at_ms,
		KL_CAT(c, cal_text(c, h->booking, "uid"), KL_LIT(":"), kl_s(type), KL_LIT(":"),
			cal_text(c, h->booking, "start")));
	return 0;
}

static int other(kl_call *c, struct hook *h, const char *type)
{
	if (kl_eq(h->trigger, "PING")) { /* a made-up booking; only that it arrived is true */
		kl_event e = {.size = sizeof(e), .type = type};
		kl_val *data = c->host->object(c);
		kl_set_text(c, data, "raw_trigger", h->trigger);
		e.at_ms = h->at_ms > 0 ? h->at_ms : 0;
		e.dedupe = KL_CAT(c, KL_LIT("ping:"), h->created);
		e.data = data;
		c->host->emit(c, &e);
		return 0;
	}
	cal_emit(c, h->raw, h->booking, type, h->at_ms, moment_dedupe(c, h));
	return 0;
}

static int is_state_trigger(kl_str t)
{
	return kl_eq(t, "BOOKING_CREATED") || kl_eq(t, "BOOKING_RESCHEDULED") ||
	       kl_eq(t, "BOOKING_CANCELLED") || kl_eq(t, "BOOKING_REJECTED") ||
	       kl_eq(t, "BOOKING_REQUESTED");
}

static int dispatch(kl_call *c, struct hook *h)
{
	if (is_state_trigger(h->trigger))
		return state_change(c, h);
	if (kl_eq(h->trigger, "BOOKING_NO_SHOW_UPDATED"))
		return noshow(c, h);
	if (kl_eq(h->trigger, "MEETING_STARTED"))
		return meeting(c, h, "meeting.started");
	if (kl_eq(h->trigger, "MEETING_ENDED"))
		return meeting(c, h, "meeting.ended");
	if (kl_eq(h->trigger, "BOOKING_PAID"))
		return other(c, h, "booking.paid");
	return other(c, h, kl_eq(h->trigger, "PING") ? "calendar.ping" : "calendar.other");
}

static const kl_val *parse_body(kl_call *c, const kl_inbound *in)
{
	kl_str type = kl_pair_get(in->headers, "content-type");
	if (kl_starts(type, "application/x-www-form-urlencoded")) {
		bad(c, "body",
			"a form: the webhook has a payload template that is no JSON; "
			"remove it in Cal.com");
		return 0;
	}
	const kl_val *body = c->host->from_json(c, in->body);
	if (c->host->type(body) != KL_OBJECT) {
		bad(c, "body", "not a JSON object; remove the payload template in Cal.com");
		return 0;
	}
	if (c->host->type(c->host->find(body, "triggerEvent")) != KL_TEXT) {
		bad(c, "triggerEvent",
			"missing: the webhook has a payload template; remove it in Cal.com");
		return 0;
	}
	return body;
}

static int is_flat(kl_str trigger)
{
	return kl_eq(trigger, "MEETING_STARTED") || kl_eq(trigger, "MEETING_ENDED");
}

int cal_normalize(kl_call *c, const kl_inbound *in)
{
	struct hook h = {nothing, nothing, 0, 0, 0};
	const kl_val *body = parse_body(c, in);
	if (!body)
		return KL_BAD_INPUT;
	h.trigger = cal_text(c, body, "triggerEvent");
	h.created = cal_text(c, body, "createdAt");
	h.raw = c->host->find(body, "payload");
	if (is_flat(h.trigger) && c->host->type(h.raw) != KL_OBJECT)
		h.raw = body;
	if (is_state_trigger(h.trigger) && c->host->type(h.raw) != KL_OBJECT)
		return bad(c, "payload",
			"missing: the webhook has a payload template; remove it in Cal.com");
	cal_parse(c, h.created, "UTC", &h.at_ms);
	h.booking = cal_booking(c, h.raw);
	kl_set_text(c, h.booking, "raw_trigger", h.trigger);
	return dispatch(c, &h);
}
