/* change.c - what changes something in v2 besides booking itself: hold, release, reschedule,
 * cancel; and find_booking by uid.
 *
 * A refusal of reschedule or cancel is never taken at its word: the booking is read, and what it
 * shows decides. So "cancelled already" is success, but only if the appointment does not live on
 * under another uid. Pure; any thread. */
#include "v2.h"

/* ---- hold, release ------------------------------------------------------------------------- */

static const kl_next *hold_send(kl_call *c, const kl_step *s)
{
	kl_val *body = c->host->object(c);
	kl_str length = cal_text(c, s->input, "length_min");
	kl_str minutes = cal_text(c, s->input, "minutes");
	int64_t id, start, n;
	if (!cal_id(cal_text(c, s->input, "event_type"), &id))
		return cal_bad_input(c, "hold: event_type must be the id of an event type");
	if (!cal_parse(c, cal_text(c, s->input, "start"), 0, &start))
		return cal_bad_input(c, "hold: start must be an instant like 2026-11-26T16:15:00Z");
	if ((length.ptr && !cal_id(length, &n)) || (minutes.ptr && !cal_id(minutes, &n)))
		return cal_bad_input(c, "hold: length_min and minutes must be numbers");
	kl_set_i64(c, body, "eventTypeId", id);
	kl_set_text(c, body, "slotStart", cal_print(c, start));
	if (cal_id(length, &n))
		kl_set_i64(c, body, "slotDuration", n);
	if (cal_id(minutes, &n))
		kl_set_i64(c, body, "reservationDuration", n);
	kl_request *r =
		v2_request(c, s, V2_SLOTS, "POST", KL_NEVER, "hold", KL_LIT("/slots/reservations"));
	cal_body(c, r, body);
	return kl_send(c, r, cal_state(c, "hold"));
}

static const kl_next *hold_refused(kl_call *c, const kl_step *s)
{
	struct cal_failure f = cal_classify_one(c, &v2_dialect, s->response);
	if (f.status == 422 && (!f.code || strcmp(f.code, "no_hosts") != 0)) {
		f.fail = KL_CONFLICT;
		f.code = "slot_taken";
		f.message = KL_LIT("Cal.com: this slot is taken or reserved (HTTP 422)");
	}
	return cal_fail(c, &f);
}

const kl_next *v2_hold(kl_call *c, const kl_step *s)
{
	int64_t until = 0;
	if (s->why == KL_START)
		return hold_send(c, s);
	/* Nobody can list reservations, and one that was made lapses by itself. */
	if (s->why == KL_LOOKUP)
		return kl_failed(c, KL_BROKEN, "hold_unknown",
			"Cal.com gave no usable answer to a reservation; should it exist, it "
			"lapses by "
			"itself within minutes");
	if (!cal_good(s->response))
		return hold_refused(c, s);
	const kl_val *data = v2_data(c, s->response);
	kl_str uid = cal_text(c, data, "reservationUid");
	kl_val *out = c->host->object(c);
	if (!uid.ptr)
		return cal_surprise(c, "Cal.com's answer to a reservation has no reservationUid");
	kl_set_text(c, out, "hold", uid);
	if (cal_parse(c, cal_text(c, data, "reservationUntil"), "UTC", &until))
		kl_set_text(c, out, "until", cal_print(c, until));
	return kl_done(c, out);
}

const kl_next *v2_release(kl_call *c, const kl_step *s)
{
	kl_str hold = cal_text(c, s->input, "hold");
	kl_val *out = c->host->object(c);
	if (!hold.ptr)
		return cal_bad_input(c, "release: hold is missing");
	if (s->why == KL_START)
		return kl_send(c,
			v2_request(c, s, V2_SLOTS, "DELETE", KL_SAFE, "release",
				KL_CAT(c, KL_LIT("/slots/reservations/"), cal_escape(c, hold))),
			cal_state(c, "release"));
	struct cal_failure f = cal_classify(c, &v2_dialect, s->response);
	if (!cal_good(s->response) && (f.status != 404 || f.code)) /* gone is as good as released */
		return cal_fail(c, &f);
	kl_set_text(c, out, "hold", hold);
	return kl_done(c, out);
}

/* ---- one booking --------------------------------------------------------------------------- */

static kl_str booking_url(kl_call *c, kl_str uid, const char *tail)
{
	return KL_CAT(c, KL_LIT("/bookings/"), cal_escape(c, uid), kl_s(tail));
}

static const kl_next *read_booking(kl_call *c, const kl_step *s, kl_str uid, const kl_val *state)
{
	return kl_send(c,
		v2_request(c, s, V2_BOOKINGS, "GET", KL_SAFE, "booking", booking_url(c, uid, "")),
		state);
}

static int is_not_found(const kl_response *r)
{
	return r && r->outcome == KL_ANSWERED && r->status == 404;
}

static struct cal_failure classify_one(kl_call *c, const kl_step *s)
{
	return cal_classify_one(c, &v2_dialect, s->response);
}

const kl_next *v2_find_booking(kl_call *c, const kl_step *s)
{
	kl_str uid = cal_text(c, s->input, "uid");
	kl_val *out = c->host->object(c);
	if (!uid.ptr)
		return cal_op_search(c, s, &v2_dialect);
	if (s->why == KL_START)
		return read_booking(c, s, uid, cal_state(c, "find"));
	struct cal_failure f = classify_one(c, s);
	if (is_not_found(s->response) && (!f.code || strcmp(f.code, "api_version") != 0)) {
		kl_set_bool(c, out, "found", 0);
		return kl_done(c, out);
	}
	if (!cal_good(s->response))
		return cal_fail(c, &f);
	const kl_val *raw = v2_dialect.one(c, s->response);
	if (!cal_uid(c, raw).ptr)
		return cal_surprise(c, "Cal.com's answer has no booking");
	kl_val *b = cal_booking(c, raw);
	cal_emit_if_asked(c, s, raw, b);
	b = cal_booking(c, raw); /* what was told is frozen */
	kl_set_bool(c, b, "new", 0);
	kl_set_bool(c, out, "found", 1);
	kl_set(c, out, "booking", b);
	return kl_done(c, out);
}

/* Refused for good reason, or because it has happened already? Only the booking knows. */
static int worth_a_look(const struct cal_failure *f)
{
	return f->status >= 400 && f->status < 500 && f->fail != KL_BAD_AUTH &&
	       f->fail != KL_BUSY && f->status != 404;
}

static const kl_next *moved_on(kl_call *c, kl_str successor)
{
	kl_val *detail = c->host->object(c);
	kl_set_text(c, detail, "uid", successor);
	struct cal_failure f = {.fail = KL_CONFLICT, .code = "rescheduled", .detail = detail};
	f.message = KL_LIT("Cal.com: this booking was moved; its appointment has another uid now");
	return cal_fail(c, &f);
}

static const kl_next *look_at(
	kl_call *c, const kl_step *s, const char *at, const struct cal_failure *f)
{
	kl_val *state = cal_state(c, at);
	if (f)
		cal_keep_failure(c, state, f);
	return read_booking(c, s, cal_text(c, s->input, "uid"), state);
}

/* ---- cancel --------------------------------------------------------------------------------- */

static const kl_next *cancel_send(kl_call *c, const kl_step *s)
{
	kl_val *body = c->host->object(c);
	kl_str reason = cal_text(c, s->input, "reason");
	/* a host who gives none is refused */
	kl_set_text(c, body, "cancellationReason", reason.ptr ? reason : KL_LIT("Cancelled"));
	/* SAFE: sets a fixed state, and "already cancelled" counts as success */
	kl_request *r = v2_request(c, s, V2_BOOKINGS, "POST", KL_SAFE, "cancel",
		booking_url(c, cal_text(c, s->input, "uid"), "/cancel"));
	cal_body(c, r, body);
	return kl_send(c, r, cal_state(c, "cancel"));
}

static const kl_next *cancel_answer(kl_call *c, const kl_step *s)
{
	if (!cal_good(s->response)) {
		struct cal_failure f = classify_one(c, s);
		return worth_a_look(&f) ? look_at(c, s, "check", &f) : cal_fail(c, &f);
	}
	const kl_val *raw = v2_dialect.one(c, s->response);
	if (cal_uid(c, raw).ptr && kl_eq(cal_status(c, raw), "cancelled"))
		return cal_done_booking(c, raw, 0);
	struct cal_failure odd = {.fail = KL_SURPRISE};
	odd.message = KL_LIT("Cal.com accepted the cancellation, but the booking is not cancelled");
	return look_at(c, s, "check", &odd);
}

static const kl_next *cancel_check(kl_call *c, const kl_step *s)
{
	if (!cal_good(s->response))
		return cal_kept_failure(c, s);
	const kl_val *raw = v2_dialect.one(c, s->response);
	kl_str successor = cal_text(c, raw, "rescheduledToUid");
	if (!kl_eq(cal_status(c, raw), "cancelled"))
		return cal_kept_failure(c, s);
	return successor.ptr ? moved_on(c, successor) : cal_done_booking(c, raw, 0);
}

const kl_next *v2_cancel(kl_call *c, const kl_step *s)
{
	if (!cal_text(c, s->input, "uid").ptr)
		return cal_bad_input(c, "cancel: uid is missing");
	if (s->why == KL_START)
		return cancel_send(c, s);
	return cal_at(c, s, "check") ? cancel_check(c, s) : cancel_answer(c, s);
}

/* ---- reschedule ------------------------------------------------------------------------------ */

static const kl_next *move_send(kl_call *c, const kl_step *s, int64_t start)
{
	kl_val *body = c->host->object(c);
	kl_set_text(c, body, "start", cal_print(c, start));
	kl_set_text(c, body, "reschedulingReason", cal_text(c, s->input, "reason"));
	kl_set_text(c, body, "rescheduledBy", cal_text(c, s->input, "by"));
	kl_request *r = v2_request(c, s, V2_BOOKINGS, "POST", KL_NEVER, "reschedule",
		booking_url(c, cal_text(c, s->input, "uid"), "/reschedule"));
	cal_body(c, r, body);
	return kl_send(c, r, cal_state(c, "move"));
}

static const kl_next *move_done(kl_call *c, const kl_step *s, const kl_val *raw)
{
	kl_val *b = cal_booking(c, raw);
	kl_set_text(c, b, "rescheduled_from", cal_text(c, s->input, "uid"));
	kl_set_bool(c, b, "new", 1);
	return kl_done(c, b);
}

static const kl_next *move_answer(kl_call *c, const kl_step *s, int64_t start)
{
	int64_t at = 0;
	if (!cal_good(s->response)) {
		struct cal_failure f = classify_one(c, s);
		return worth_a_look(&f) ? look_at(c, s, "old", &f) : cal_fail(c, &f);
	}
	const kl_val *raw = v2_dialect.one(c, s->response);
	if (cal_active(c, raw) && cal_start_ms(c, raw, &at) && at == start && cal_uid(c, raw).ptr &&
		!cal_same(cal_uid(c, raw), cal_text(c, s->input, "uid")))
		return move_done(c, s, raw);
	struct cal_failure odd = {.fail = KL_SURPRISE};
	odd.message = KL_LIT("Cal.com accepted the new time, but its answer does not show it");
	return look_at(c, s, "old", &odd);
}

/* The old booking names its successor, and is readable by its uid whoever hosts it. */
static const kl_next *move_old(kl_call *c, const kl_step *s)
{
	if (!cal_good(s->response)) {
		if (!s->looking)
			return cal_kept_failure(c, s);
		/* hidden, or not there: of what cannot be read nobody knows where it is now */
		if (is_not_found(s->response))
			return kl_then(c, KL_UNSURE,
				"Cal.com does not show the booking that was to be moved: look "
				"there whether it was");
		return cal_bad_answer(c, s, &v2_dialect);
	}
	const kl_val *raw = v2_dialect.one(c, s->response);
	kl_str successor = cal_text(c, raw, "rescheduledToUid");
	kl_val *state = cal_state(c, "new");
	if (successor.ptr) {
		kl_set_text(c, state, "uid", successor);
		return read_booking(c, s, successor, state);
	}
	if (cal_active(c, raw))
		return s->looking ? kl_then(c, KL_ABSENT, "the booking stands where it was")
				  : cal_kept_failure(c, s);
	if (s->looking)
		return kl_then(c, KL_UNSURE,
			"Cal.com shows the old booking as cancelled and names no new one");
	return kl_failed(c, KL_CONFLICT, "cancelled", "Cal.com: this booking is cancelled");
}

static const kl_next *move_new(kl_call *c, const kl_step *s, int64_t start)
{
	int64_t at = 0;
	if (!cal_good(s->response))
		return cal_bad_answer(c, s, &v2_dialect);
	const kl_val *raw = v2_dialect.one(c, s->response);
	if (cal_active(c, raw) && cal_start_ms(c, raw, &at) && at == start)
		return move_done(c, s, raw);
	return moved_on(c, cal_text(c, s->state, "uid"));
}

const kl_next *v2_reschedule(kl_call *c, const kl_step *s)
{
	int64_t start = 0;
	if (!cal_text(c, s->input, "uid").ptr)
		return cal_bad_input(c, "reschedule: uid is missing");
	if (!cal_parse(c, cal_text(c, s->input, "start"), 0, &start))
		return cal_bad_input(
			c, "reschedule: start must be an instant like 2026-11-26T16:15:00Z");
	if (s->why == KL_START)
		return move_send(c, s, start);
	if (s->why == KL_LOOKUP || s->why == KL_TIMER)
		return look_at(c, s, "old", 0);
	if (cal_at(c, s, "move"))
		return move_answer(c, s, start);
	return cal_at(c, s, "new") ? move_new(c, s, start) : move_old(c, s);
}
