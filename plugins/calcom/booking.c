/* booking.c - one shape for a booking, whichever of the vendor's four spellings it came in: v2
 * (start, hosts), v1 (startTime, user), webhook payload (organizer, responses.x.value) and the flat
 * MEETING_* webhook. Pure; any thread. */
#include "calcom.h"

static const kl_str nothing = {0, 0, 0};

kl_str cal_uid(kl_call *c, const kl_val *raw)
{
	return CAL_FIRST(c, raw, "uid", "bookingUid");
}

kl_str cal_key(kl_call *c, const kl_val *raw)
{
	return cal_text(c, raw, "metadata." CAL_KEY);
}

kl_str cal_rescheduled_from(kl_call *c, const kl_val *raw)
{
	return CAL_FIRST(c, raw, "rescheduledFromUid", "fromReschedule", "rescheduleUid");
}

kl_str cal_status(kl_call *c, const kl_val *raw)
{
	kl_str s = cal_lower(c, cal_text(c, raw, "status"));
	if (kl_eq(s, "accepted"))
		return KL_LIT("booked");
	if (kl_eq(s, "pending") || kl_eq(s, "awaiting_host"))
		return KL_LIT("requested");
	if (kl_eq(s, "cancelled"))
		return KL_LIT("cancelled");
	return kl_eq(s, "rejected") ? KL_LIT("rejected") : nothing;
}

int cal_active(kl_call *c, const kl_val *raw)
{
	kl_str s = cal_status(c, raw);
	return kl_eq(s, "booked") || kl_eq(s, "requested");
}

int cal_start_ms(kl_call *c, const kl_val *raw, int64_t *ms)
{
	return cal_parse(c, CAL_FIRST(c, raw, "start", "startTime"), "UTC", ms);
}

/* An id as text; the vendor writes "unknown" where it has none. */
static kl_str id_text(kl_str s)
{
	return kl_eq(s, "unknown") ? nothing : s;
}

/* <digits>@sms.cal.com is what the vendor makes of a caller who has no e-mail. */
static int is_placeholder(kl_str email)
{
	return cal_ends(email, "@sms.cal.com");
}

static const kl_val *host_of(kl_call *c, const kl_val *raw)
{
	static const char *const hosts[] = {"hosts.0", "organizer", "user"};
	static const char *const ids[] = {"hosts.0.id", "organizer.id", "userId"};
	kl_val *host = c->host->object(c);
	for (uint32_t i = 0; i < 3; i++) {
		const kl_val *h = c->host->find(raw, hosts[i]);
		if (c->host->type(h) != KL_OBJECT)
			continue;
		kl_set_text(c, host, "id", id_text(cal_text(c, raw, ids[i])));
		kl_set_text(c, host, "name", cal_text(c, h, "name"));
		kl_set_text(c, host, "email", CAL_FIRST(c, h, "displayEmail", "email"));
		return host;
	}
	kl_str id = id_text(cal_text(c, raw, "userId"));
	kl_set_text(c, host, "id", id);
	return id.ptr ? host : 0;
}

static kl_str phone_of(kl_call *c, const kl_val *raw)
{
	kl_str phone = CAL_FIRST(c, raw, "attendees.0.phoneNumber",
		"bookingFieldsResponses.attendeePhoneNumber", "responses.attendeePhoneNumber.value",
		"responses.attendeePhoneNumber", "bookingFieldsResponses.smsReminderNumber",
		"responses.smsReminderNumber.value", "responses.smsReminderNumber",
		"smsReminderNumber");
	kl_str email = cal_text(c, raw, "attendees.0.email");
	if (phone.ptr || !is_placeholder(email))
		return phone;
	return KL_CAT(c, KL_LIT("+"), kl_slice(c, email, 0, email.len - 12));
}

static kl_str email_of(kl_call *c, const kl_val *raw)
{
	kl_str email = CAL_FIRST(c, raw, "attendees.0.displayEmail", "attendees.0.email",
		"bookingFieldsResponses.email", "responses.email.value", "responses.email");
	return is_placeholder(email) ? nothing : email;
}

static const kl_val *attendee_of(kl_call *c, const kl_val *raw)
{
	kl_val *a = c->host->object(c);
	kl_set_text(c, a, "name",
		CAL_FIRST(c, raw, "attendees.0.name", "bookingFieldsResponses.name",
			"responses.name.value", "responses.name"));
	kl_set_text(c, a, "email", email_of(c, raw));
	kl_set_text(c, a, "phone", phone_of(c, raw));
	kl_set_text(c, a, "language",
		CAL_FIRST(c, raw, "attendees.0.language", "attendees.0.language.locale",
			"attendees.0.locale"));
	kl_set_text(c, a, "timezone", cal_text(c, raw, "attendees.0.timeZone"));
	return c->host->count(a) ? a : 0;
}

static void set_times(kl_call *c, kl_val *b, const kl_val *raw)
{
	int64_t start = 0, end = 0;
	int64_t length = kl_i64(c, raw, "duration", kl_i64(c, raw, "length", 0));
	int has_start = cal_start_ms(c, raw, &start);
	int has_end = cal_parse(c, CAL_FIRST(c, raw, "end", "endTime"), "UTC", &end);
	if (has_start)
		kl_set_text(c, b, "start", cal_print(c, start));
	if (has_end)
		kl_set_text(c, b, "end", cal_print(c, end));
	/* 32 bit: a booking is shorter than 24 days, and i386 has no 64-bit division here */
	if (length <= 0 && has_start && has_end && end > start && end - start < 24 * CAL_DAY)
		length = (int32_t)(end - start) / 60000;
	if (length > 0)
		kl_set_i64(c, b, "length_min", length);
	kl_set_text(c, b, "timezone",
		CAL_FIRST(c, raw, "hosts.0.timeZone", "organizer.timeZone", "user.timeZone",
			"attendees.0.timeZone"));
}

kl_val *cal_booking(kl_call *c, const kl_val *raw)
{
	kl_val *b = c->host->object(c);
	kl_set_text(c, b, "uid", cal_uid(c, raw));
	kl_set_text(c, b, "id", CAL_FIRST(c, raw, "id", "bookingId"));
	kl_set_text(c, b, "status", cal_status(c, raw));
	set_times(c, b, raw);
	kl_set_text(c, b, "title", cal_text(c, raw, "title"));
	kl_set_text(c, b, "event_type", CAL_FIRST(c, raw, "eventType.id", "eventTypeId"));
	kl_set(c, b, "host", host_of(c, raw));
	kl_set(c, b, "attendee", attendee_of(c, raw));
	kl_set_text(c, b, "location", cal_text(c, raw, "location"));
	kl_set_text(c, b, "rescheduled_from", cal_rescheduled_from(c, raw));
	kl_set_text(c, b, "rescheduled_to", cal_text(c, raw, "rescheduledToUid"));
	kl_set_text(c, b, "reason",
		CAL_FIRST(c, raw, "cancellationReason", "rejectionReason", "reschedulingReason"));
	kl_set_text(c, b, "key", cal_key(c, raw));
	return b;
}

const kl_next *cal_done_booking(kl_call *c, const kl_val *raw, int is_new)
{
	kl_val *b = cal_booking(c, raw);
	kl_set_bool(c, b, "new", is_new);
	return kl_done(c, b);
}

kl_str cal_identity(kl_call *c, const kl_val *booking)
{
	return KL_CAT(c, cal_text(c, booking, "uid"), KL_LIT(":"), cal_text(c, booking, "status"),
		KL_LIT(":"), cal_text(c, booking, "start"));
}

const char *cal_event_of(kl_call *c, const kl_val *booking)
{
	kl_str status = cal_text(c, booking, "status");
	if (kl_eq(status, "booked"))
		return kl_has(c, booking, "rescheduled_from") ? "booking.rescheduled"
							      : "booking.created";
	if (kl_eq(status, "requested"))
		return "booking.requested";
	if (kl_eq(status, "rejected"))
		return "booking.rejected";
	/* the old half of a move is no cancellation: the appointment lives on */
	if (kl_eq(status, "cancelled") && !kl_has(c, booking, "rescheduled_to"))
		return "booking.cancelled";
	return 0;
}

/* A moved booking gets a new uid, but keeps the iCalendar UID "<first uid>@Cal.com": that is what
 * holds the events of a chain in one order. Without it, a move is ordered after the old booking. */
static kl_str subject_of(kl_call *c, const kl_val *raw, const kl_val *booking)
{
	kl_str ical = CAL_FIRST(c, raw, "iCalUID", "icsUid");
	kl_str from = cal_text(c, booking, "rescheduled_from");
	if (cal_ends(ical, "@Cal.com") && ical.len > 8)
		return KL_CAT(c, KL_LIT("booking:"), kl_slice(c, ical, 0, ical.len - 8));
	if (!from.ptr)
		from = cal_text(c, booking, "uid");
	return from.ptr ? KL_CAT(c, KL_LIT("booking:"), from) : nothing;
}

static int is_e164(kl_str s)
{
	if (s.len < 6 || s.len > 16 || s.ptr[0] != '+')
		return 0;
	for (uint32_t i = 1; i < s.len; i++)
		if (s.ptr[i] < '0' || s.ptr[i] > '9')
			return 0;
	return 1;
}

/* What the attendee typed as a number may be anything. */
static kl_str person_of(kl_call *c, const kl_val *booking)
{
	kl_str phone = cal_text(c, booking, "attendee.phone");
	kl_str email = cal_text(c, booking, "attendee.email");
	if (is_e164(phone))
		return phone;
	return kl_contains(email, "@") ? email : nothing;
}

void cal_emit(kl_call *c, const kl_val *raw, kl_val *booking, const char *type, int64_t at_ms,
	kl_str dedupe)
{
	kl_event event = {.size = sizeof(event), .at_ms = at_ms > 0 ? at_ms : 0, .type = type};
	event.dedupe = dedupe;
	event.subject = subject_of(c, raw, booking);
	event.regarding = cal_key(c, raw);
	event.person = person_of(c, booking);
	event.data = booking;
	c->host->emit(c, &event);
}

/* Of a seated booking one row stands for many attendees; only webhooks tell those apart. */
void cal_emit_if_asked(kl_call *c, const kl_step *s, const kl_val *raw, kl_val *booking)
{
	const char *type = cal_event_of(c, booking);
	int64_t at_ms = c->now_ms;
	if (!kl_true(c, s->input, "emit") || !type || kl_has(c, raw, "attendees.0.seatUid"))
		return;
	if (!cal_parse(c, cal_text(c, raw, "updatedAt"), "UTC", &at_ms))
		at_ms = c->now_ms;
	cal_emit(c, raw, booking, type, at_ms, cal_identity(c, booking));
}
