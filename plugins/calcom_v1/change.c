/* change.c - what changes something in v1 besides booking itself, and find_booking by uid.
 *
 * v1 reads and cancels by numeric id and reschedules by uid, so a bare uid is first looked for in
 * the list. There is no endpoint to reschedule: a move is a new booking that names the old one,
 * with all of its answers again. PATCH only edits the vendor's row and tells nobody: never used.
 * Pure; any thread. */
#include "v1.h"

const kl_next *v1_hold(kl_call *c, const kl_step *s)
{
	(void)s;
	return kl_failed(c, KL_BAD_INPUT, "unsupported",
		"Cal.com v1 cannot reserve a slot; the hold of this host is the only one");
}

/* ---- reading one booking --------------------------------------------------------------------- */

static kl_str uid_of(kl_call *c, const kl_step *s)
{
	return cal_text(c, s->input, "uid");
}

/* From the input, else what the list told us. */
static kl_str id_of(kl_call *c, const kl_step *s)
{
	kl_str id = cal_text(c, s->input, "id");
	int64_t n;
	if (!cal_id(id, &n))
		id = cal_text(c, s->state, "id");
	return id;
}

static kl_val *state_at(kl_call *c, const kl_step *s, const char *at)
{
	kl_val *state = cal_state(c, at);
	kl_set_text(c, state, "id", id_of(c, s));
	kl_set(c, state, "failure", c->host->find(s->state, "failure"));
	kl_set(c, state, "event_type", c->host->find(s->state, "event_type"));
	return state;
}

static const kl_next *read_booking(kl_call *c, kl_str id, kl_val *state)
{
	kl_set_text(c, state, "id", id);
	return v1_get(c, "booking", KL_CAT(c, KL_LIT("/bookings/"), cal_escape(c, id)), state);
}

/* Everything from yesterday on: uids are not filtered by the server. */
static const kl_next *scan(kl_call *c, const kl_step *s, kl_val *state, uint32_t page)
{
	struct cal_window w = {.from_ms = c->now_ms - CAL_DAY, .to_ms = V1_FOR_EVER, .page = page};
	kl_set_i64(c, state, "page", page);
	return kl_send(c, v1_dialect.list(c, s, &w), state);
}

/* The next page, or NULL if this was the last. */
static const kl_next *scan_on(kl_call *c, const kl_step *s, const char *at)
{
	uint32_t page = (uint32_t)kl_i64(c, s->state, "page", 0) + 1;
	if (!v1_dialect.more(c, s->response))
		return 0;
	if (page >= CAL_MAX_PAGES)
		return cal_bad_input(c, "too many bookings to find this uid; give its id as well");
	return scan(c, s, state_at(c, s, at), page);
}

static const kl_val *with_uid(kl_call *c, const kl_val *items, kl_str uid)
{
	for (uint32_t i = 0; i < c->host->count(items); i++)
		if (cal_same(cal_uid(c, c->host->at(items, i, 0)), uid))
			return c->host->at(items, i, 0);
	return 0;
}

static const kl_val *successor(kl_call *c, const kl_val *items, kl_str uid)
{
	for (uint32_t i = 0; i < c->host->count(items); i++)
		if (cal_same(cal_rescheduled_from(c, c->host->at(items, i, 0)), uid))
			return c->host->at(items, i, 0);
	return 0;
}

static int is_not_found(const kl_response *r)
{
	return r && r->outcome == KL_ANSWERED && r->status == 404;
}

static struct cal_failure classify_one(kl_call *c, const kl_step *s)
{
	return cal_classify_one(c, &v1_dialect, s->response);
}

static const kl_next *not_usable(kl_call *c, const kl_step *s)
{
	struct cal_failure f = classify_one(c, s);
	return s->looking ? cal_bad_answer(c, s, &v1_dialect) : cal_fail(c, &f);
}

static const kl_next *moved_on(kl_call *c, const kl_val *raw)
{
	kl_val *detail = c->host->object(c);
	kl_set_text(c, detail, "uid", cal_uid(c, raw));
	kl_set_text(c, detail, "id", cal_text(c, raw, "id"));
	struct cal_failure f = {.fail = KL_CONFLICT, .code = "rescheduled", .detail = detail};
	f.message = KL_LIT("Cal.com: this booking was moved; its appointment has another uid now");
	return cal_fail(c, &f);
}

static const kl_next *unknown_uid(kl_call *c)
{
	return kl_failed(c, KL_GONE, "not_found",
		"Cal.com shows this API key no booking with this uid from yesterday on; give its "
		"id as well if it is older or another host's");
}

/* ---- find_booking by uid --------------------------------------------------------------------- */

static const kl_next *found(kl_call *c, const kl_step *s, const kl_val *raw)
{
	kl_val *out = c->host->object(c);
	kl_set_bool(c, out, "found", raw != 0);
	if (raw) {
		kl_val *b = cal_booking(c, raw);
		cal_emit_if_asked(c, s, raw, b);
		b = cal_booking(c, raw); /* what was told is frozen */
		kl_set_bool(c, b, "new", 0);
		kl_set(c, out, "booking", b);
	}
	return kl_done(c, out);
}

const kl_next *v1_find_booking(kl_call *c, const kl_step *s)
{
	if (!uid_of(c, s).ptr)
		return cal_op_search(c, s, &v1_dialect);
	if (s->why == KL_START)
		return id_of(c, s).ptr ? read_booking(c, id_of(c, s), cal_state(c, "one"))
				       : scan(c, s, cal_state(c, "find"), 0);
	if (cal_at(c, s, "one") && is_not_found(s->response))
		return found(c, s, 0);
	if (!cal_good(s->response))
		return not_usable(c, s);
	if (cal_at(c, s, "one")) {
		const kl_val *raw = v1_dialect.one(c, s->response);
		return cal_uid(c, raw).ptr ? found(c, s, raw)
					   : cal_surprise(c, "Cal.com's answer has no booking");
	}
	const kl_val *items = v1_dialect.items(c, s->response);
	const kl_val *raw = with_uid(c, items, uid_of(c, s));
	if (!items)
		return cal_surprise(c, "Cal.com's list of bookings is not one");
	const kl_next *on = raw ? 0 : scan_on(c, s, "find");
	return on ? on : found(c, s, raw);
}

/* ---- cancel -----------------------------------------------------------------------------------
 */

static const kl_next *cancel_send(kl_call *c, const kl_step *s, kl_str id)
{
	kl_str reason = cal_text(c, s->input, "reason");
	kl_val *state = cal_state(c, "cancel");
	kl_str url = KL_CAT(c, KL_LIT("/bookings/"), cal_escape(c, id), KL_LIT("/cancel"));
	url = cal_query(c, url, "cancellationReason", reason.ptr ? reason : KL_LIT("Cancelled"));
	kl_set_text(c, state, "id", id);
	/* SAFE: sets a fixed state, and "already cancelled" counts as success */
	return kl_send(c, cal_request(c, "DELETE", KL_SAFE, "cancel", url), state);
}

static const kl_next *cancelled(kl_call *c, const kl_step *s, kl_str id)
{
	kl_val *out = c->host->object(c);
	kl_set_text(c, out, "uid", uid_of(c, s));
	kl_set_text(c, out, "id", id);
	kl_set_text(c, out, "status", KL_LIT("cancelled"));
	kl_set_bool(c, out, "new", 0);
	return kl_done(c, out);
}

static const kl_next *cancel_find(kl_call *c, const kl_step *s)
{
	const kl_val *items = cal_good(s->response) ? v1_dialect.items(c, s->response) : 0;
	const kl_val *raw = with_uid(c, items, uid_of(c, s));
	if (!cal_good(s->response))
		return not_usable(c, s);
	if (!items)
		return cal_surprise(c, "Cal.com's list of bookings is not one");
	if (raw && cal_active(c, raw))
		return cancel_send(c, s, cal_text(c, raw, "id"));
	if (raw) {
		kl_val *state = cal_state(c, "chain");
		kl_set_text(c, state, "id", cal_text(c, raw, "id"));
		kl_set_text(c, state, "event_type", cal_text(c, raw, "eventTypeId"));
		return scan(c, s, state, 0);
	}
	const kl_next *on = scan_on(c, s, "find");
	return on ? on : unknown_uid(c);
}

static const kl_next *cancel_answer(kl_call *c, const kl_step *s)
{
	if (cal_good(s->response) && kl_has(c, s->response->json, "success") &&
		!kl_true(c, s->response->json, "success"))
		return cal_surprise(c, "Cal.com's answer to a cancellation says no success");
	if (cal_good(s->response))
		return cancelled(c, s, id_of(c, s));
	struct cal_failure f = classify_one(c, s);
	int refused = f.status >= 400 && f.status < 500 && f.status != 404;
	if (!refused || f.fail == KL_BAD_AUTH || f.fail == KL_BUSY)
		return cal_fail(c, &f);
	kl_val *state = cal_state(c, "check");
	cal_keep_failure(c, state, &f);
	return read_booking(c, id_of(c, s), state);
}

/* Refused: because it is cancelled already? */
static const kl_next *cancel_check(kl_call *c, const kl_step *s)
{
	const kl_val *raw = cal_good(s->response) ? v1_dialect.one(c, s->response) : 0;
	if (!kl_eq(cal_status(c, raw), "cancelled"))
		return cal_kept_failure(c, s);
	kl_val *state = state_at(c, s, "chain");
	kl_set_text(c, state, "event_type", cal_text(c, raw, "eventTypeId"));
	return scan(c, s, state, 0);
}

/* No successor in sight: cancelled for good, if this key would see one. */
static const kl_next *cancel_prove(
	kl_call *c, const kl_step *s, kl_str event_type, const kl_val *keep)
{
	struct cal_proof p = v1_prove(c, s, event_type, keep);
	if (p.ask)
		return p.ask;
	if (!p.why.ptr)
		return cancelled(c, s, cal_text(c, keep, "id"));
	kl_str words = KL_CAT(c,
		KL_LIT("Cal.com: this booking is cancelled, but it may have been moved to where "
		       "this API key does not see it, for "),
		p.why, KL_LIT(": look there, and "), p.remedy);
	return kl_failed(c, KL_BAD_INPUT, "forbidden", words.ptr);
}

/* Cancelled, but does the appointment live on under another uid? */
static const kl_next *cancel_chain(kl_call *c, const kl_step *s)
{
	const kl_val *items = cal_good(s->response) ? v1_dialect.items(c, s->response) : 0;
	const kl_val *next = successor(c, items, uid_of(c, s));
	if (!items)
		return not_usable(c, s);
	if (next)
		return moved_on(c, next);
	const kl_next *on = scan_on(c, s, "chain");
	if (on)
		return on;
	kl_val *keep = c->host->object(c);
	kl_str event_type = cal_text(c, s->state, "event_type");
	kl_set_text(c, keep, "id", id_of(c, s));
	kl_set_text(c, keep, "event_type", event_type);
	return cancel_prove(c, s, event_type, keep);
}

const kl_next *v1_cancel(kl_call *c, const kl_step *s)
{
	if (!uid_of(c, s).ptr)
		return cal_bad_input(c, "cancel: uid is missing");
	if (s->why == KL_START)
		return id_of(c, s).ptr ? cancel_send(c, s, id_of(c, s))
				       : scan(c, s, cal_state(c, "find"), 0);
	if (cal_at(c, s, "find"))
		return cancel_find(c, s);
	if (cal_at(c, s, "check"))
		return cancel_check(c, s);
	const kl_val *keep = c->host->find(s->state, "keep");
	if (cal_at(c, s, "proof"))
		return cancel_prove(c, s, cal_text(c, keep, "event_type"), keep);
	return cal_at(c, s, "chain") ? cancel_chain(c, s) : cancel_answer(c, s);
}

/* ---- reschedule ---------------------------------------------------------------------------------
 */

static kl_val *old_answers(kl_call *c, const kl_step *s, const kl_val *old)
{
	const kl_val *given = c->host->find(old, "responses");
	kl_val *out = c->host->object(c);
	for (uint32_t i = 0; i < c->host->count(given); i++) {
		kl_str key = {0, 0, 0};
		const kl_val *v = c->host->at(given, i, &key);
		if (c->host->type(v) != KL_NULL)
			c->host->set(c, out, key, v);
	}
	if (!kl_has(c, out, "name"))
		kl_set_text(c, out, "name", cal_text(c, old, "attendees.0.name"));
	if (!kl_has(c, out, "email"))
		kl_set_text(c, out, "email", cal_text(c, old, "attendees.0.email"));
	kl_set_text(c, out, "rescheduleReason", cal_text(c, s->input, "reason"));
	return out;
}

static kl_str or_else(kl_str s, const char *otherwise)
{
	return s.ptr ? s : kl_s(otherwise);
}

static const kl_next *move_send(kl_call *c, const kl_step *s, const kl_val *old, int64_t start)
{
	kl_val *body = c->host->object(c), *metadata = v1_texts(c, c->host->find(old, "metadata"));
	int64_t from = 0, to = 0;
	if (!cal_key(c, old).ptr)
		kl_set_text(c, metadata, CAL_KEY, s->key);
	kl_set(c, body, "eventTypeId", c->host->find(old, "eventTypeId"));
	kl_set_text(c, body, "start", cal_print(c, start));
	/* keep the length, which would fall back to the type's own */
	if (cal_start_ms(c, old, &from) && cal_parse(c, cal_text(c, old, "endTime"), "UTC", &to) &&
		to > from)
		kl_set_text(c, body, "end", cal_print(c, start + (to - from)));
	kl_set(c, body, "responses", old_answers(c, s, old));
	kl_set_text(c, body, "timeZone", or_else(cal_text(c, old, "attendees.0.timeZone"), "UTC"));
	kl_set_text(c, body, "language", or_else(cal_text(c, old, "attendees.0.locale"), "en"));
	kl_set(c, body, "metadata", metadata);
	kl_set_text(c, body, "rescheduleUid", uid_of(c, s));
	kl_set_text(c, body, "rescheduledBy", cal_text(c, s->input, "by"));
	kl_request *r = cal_request(c, "POST", KL_NEVER, "reschedule", KL_LIT("/bookings"));
	cal_body(c, r, body);
	return kl_send(c, r, state_at(c, s, "move"));
}

static const kl_next *move_find(kl_call *c, const kl_step *s)
{
	const kl_val *items = cal_good(s->response) ? v1_dialect.items(c, s->response) : 0;
	const kl_val *raw = with_uid(c, items, uid_of(c, s));
	if (!items)
		return not_usable(c, s);
	if (raw)
		return read_booking(c, cal_text(c, raw, "id"), cal_state(c, "old"));
	const kl_next *on = scan_on(c, s, "find");
	return on ? on : unknown_uid(c);
}

static const kl_next *move_old(kl_call *c, const kl_step *s, int64_t start)
{
	if (!cal_good(s->response))
		return not_usable(c, s);
	const kl_val *old = v1_dialect.one(c, s->response);
	if (!cal_same(cal_uid(c, old), uid_of(c, s)))
		return cal_bad_input(c, "reschedule: id and uid are not of the same booking");
	if (cal_active(c, old))
		return move_send(c, s, old, start);
	return scan(c, s, state_at(c, s, "chain"), 0);
}

/* It no longer stands: moved before, perhaps to where it shall go now, or cancelled. */
static const kl_next *move_chain(kl_call *c, const kl_step *s, int64_t start)
{
	const kl_val *items = cal_good(s->response) ? v1_dialect.items(c, s->response) : 0;
	const kl_val *next = successor(c, items, uid_of(c, s));
	int64_t at = 0;
	if (!items)
		return not_usable(c, s);
	if (next && cal_active(c, next) && cal_start_ms(c, next, &at) && at == start)
		return cal_done_booking(c, next, 1);
	if (next)
		return moved_on(c, next);
	const kl_next *on = scan_on(c, s, "chain");
	if (on)
		return on;
	return kl_failed(c, KL_CONFLICT, "cancelled", "Cal.com: this booking is cancelled");
}

static const kl_next *move_done(kl_call *c, const kl_step *s, const kl_val *raw)
{
	kl_val *b = cal_booking(c, raw);
	kl_set_text(c, b, "rescheduled_from", uid_of(c, s));
	kl_set_bool(c, b, "new", 1);
	return kl_done(c, b);
}

static const kl_next *look(
	kl_call *c, const kl_step *s, kl_val *state, int64_t start, uint32_t page)
{
	struct cal_window w = {
		.from_ms = start - CAL_MINUTE, .to_ms = start + CAL_MINUTE, .page = page};
	kl_set_i64(c, state, "page", page);
	return kl_send(c, v1_dialect.list(c, s, &w), state);
}

static const kl_next *move_answer(kl_call *c, const kl_step *s, int64_t start)
{
	const kl_val *raw = cal_good(s->response) ? v1_dialect.one(c, s->response) : 0;
	struct cal_failure f = {.fail = KL_SURPRISE};
	int64_t at = 0;
	if (cal_active(c, raw) && cal_start_ms(c, raw, &at) && at == start && cal_uid(c, raw).ptr &&
		!cal_same(cal_uid(c, raw), uid_of(c, s)))
		return move_done(c, s, raw);
	f.message = KL_LIT("Cal.com accepted the new time, but its answer does not show it");
	if (!cal_good(s->response))
		f = classify_one(c, s);
	if (!cal_good(s->response) && f.fail != KL_CONFLICT && s->response && s->response->json)
		return cal_fail(c, &f);
	if (f.fail == KL_BAD_AUTH || f.fail == KL_BUSY || f.fail == KL_BROKEN)
		return cal_fail(c, &f);
	kl_val *state = cal_state(c, "verify");
	cal_keep_failure(c, state, &f);
	return look(c, s, state, start, 0);
}

static const kl_next *look_answer(kl_call *c, const kl_step *s, int64_t start)
{
	const kl_val *items = cal_good(s->response) ? v1_dialect.items(c, s->response) : 0;
	const kl_val *next = successor(c, items, uid_of(c, s));
	uint32_t page = (uint32_t)kl_i64(c, s->state, "page", 0) + 1;
	int64_t at = 0;
	if (!items)
		return s->looking ? cal_bad_answer(c, s, &v1_dialect) : cal_kept_failure(c, s);
	if (next && cal_active(c, next) && cal_start_ms(c, next, &at) && at == start)
		return move_done(c, s, next);
	if (next)
		return moved_on(c, next);
	if (v1_dialect.more(c, s->response) && page < CAL_MAX_PAGES)
		return look(c, s, state_at(c, s, s->looking ? "look" : "verify"), start, page);
	return s->looking ? read_booking(c, id_of(c, s), cal_state(c, "stood"))
			  : cal_kept_failure(c, s);
}

/* Another host's booking is not in this key's list. But a move ends the old one: as long as that
 * stands, nothing was moved. */
static const kl_next *look_stood(kl_call *c, const kl_step *s)
{
	const kl_val *old = cal_good(s->response) ? v1_dialect.one(c, s->response) : 0;
	int hidden = s->response && s->response->outcome == KL_ANSWERED &&
		     (s->response->status == 403 || s->response->status == 404);
	if (!cal_good(s->response) && !hidden)
		return cal_bad_answer(c, s, &v1_dialect);
	if (cal_same(cal_uid(c, old), uid_of(c, s)) && cal_active(c, old))
		return kl_then(c, KL_ABSENT, "the booking stands where it was");
	return kl_then(c, KL_UNSURE,
		hidden ? "Cal.com does not show the booking that was to be moved: look there "
			 "whether it was"
		       : "Cal.com shows the old booking as cancelled and this API key no new one: "
			 "look there whether it was moved");
}

const kl_next *v1_reschedule(kl_call *c, const kl_step *s)
{
	int64_t start = 0;
	if (!uid_of(c, s).ptr)
		return cal_bad_input(c, "reschedule: uid is missing");
	if (!cal_parse(c, cal_text(c, s->input, "start"), 0, &start))
		return cal_bad_input(
			c, "reschedule: start must be an instant like 2026-11-26T16:15:00Z");
	if (s->why == KL_START)
		return id_of(c, s).ptr ? read_booking(c, id_of(c, s), cal_state(c, "old"))
				       : scan(c, s, cal_state(c, "find"), 0);
	if (s->why == KL_LOOKUP || s->why == KL_TIMER)
		return look(c, s, state_at(c, s, "look"), start, 0);
	if (cal_at(c, s, "find"))
		return move_find(c, s);
	if (cal_at(c, s, "old"))
		return move_old(c, s, start);
	if (cal_at(c, s, "chain"))
		return move_chain(c, s, start);
	if (cal_at(c, s, "stood"))
		return look_stood(c, s);
	return cal_at(c, s, "move") ? move_answer(c, s, start) : look_answer(c, s, start);
}
