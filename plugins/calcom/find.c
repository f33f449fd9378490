/* find.c - finds bookings of a person, or of a key of ours, in a window of time; and lists them
 * all.
 *
 * Every match becomes a row; "booking" is the one to speak of: the earliest that still stands.
 * The vendor's filters are only used where they cannot hide a match. Pure; any thread. */
#include "calcom.h"

struct search {
	struct cal_window window;
	kl_str key, email, phone;
};

static const kl_next *read_search(kl_call *c, const kl_step *s, struct search *q)
{
	kl_str from = cal_text(c, s->input, "from"), to = cal_text(c, s->input, "to");
	q->key = cal_text(c, s->input, "key");
	q->email = cal_text(c, s->input, "email");
	q->phone = cal_text(c, s->input, "phone");
	q->window.event_type = cal_text(c, s->input, "event_type");
	q->window.from_ms = c->now_ms - CAL_DAY;
	q->window.to_ms = c->now_ms + 366 * CAL_DAY;
	if (!q->key.ptr && !q->email.ptr && !q->phone.ptr)
		return cal_bad_input(c, "find_booking: give uid, key, email or phone");
	if (from.ptr && !cal_parse(c, from, "UTC", &q->window.from_ms))
		return cal_bad_input(c, "find_booking: from must be an instant");
	if (to.ptr && !cal_parse(c, to, "UTC", &q->window.to_ms))
		return cal_bad_input(c, "find_booking: to must be an instant");
	if (q->window.to_ms <= q->window.from_ms)
		return cal_bad_input(c, "find_booking: to must be after from");
	/* asked for a person by either fact, the vendor's own filter would drop half */
	if (!q->key.ptr && !q->phone.ptr)
		q->window.email = q->email;
	return 0;
}

static int has_attendee(kl_call *c, const struct search *q, const kl_val *raw)
{
	const kl_val *attendees = c->host->find(raw, "attendees");
	for (uint32_t i = 0; i < c->host->count(attendees); i++) {
		const kl_val *a = c->host->at(attendees, i, 0);
		if (cal_same_fold(q->email, cal_text(c, a, "email")) ||
			cal_same_fold(q->email, cal_text(c, a, "displayEmail")) ||
			cal_same_digits(q->phone, cal_text(c, a, "phoneNumber")))
			return 1;
	}
	return 0;
}

static int in_window(kl_call *c, const struct search *q, const kl_val *raw, const kl_val *booking)
{
	int64_t start = 0;
	if (!cal_start_ms(c, raw, &start) || start < q->window.from_ms || start >= q->window.to_ms)
		return 0;
	return !q->window.event_type.ptr ||
	       cal_same(q->window.event_type, cal_text(c, booking, "event_type"));
}

static int matches(kl_call *c, const struct search *q, const kl_val *raw, const kl_val *booking)
{
	if (!in_window(c, q, raw, booking))
		return 0;
	if (q->key.ptr)
		return cal_same(q->key, cal_key(c, raw));
	return has_attendee(c, q, raw) ||
	       cal_same_fold(q->email, cal_text(c, booking, "attendee.email")) ||
	       cal_same_digits(q->phone, cal_text(c, booking, "attendee.phone"));
}

/* Instants as text in one form compare like instants. */
static int is_before(kl_str a, kl_str b)
{
	uint32_t n = a.len < b.len ? a.len : b.len;
	int order = n ? memcmp(a.ptr, b.ptr, n) : 0;
	return order ? order < 0 : a.len < b.len;
}

static int stands(kl_call *c, const kl_val *booking)
{
	kl_str status = cal_text(c, booking, "status");
	return kl_eq(status, "booked") || kl_eq(status, "requested");
}

static const kl_val *better(kl_call *c, const kl_val *best, const kl_val *booking)
{
	if (c->host->type(best) != KL_OBJECT)
		return booking;
	if (stands(c, booking) != stands(c, best))
		return stands(c, booking) ? booking : best;
	return is_before(cal_text(c, booking, "start"), cal_text(c, best, "start")) ? booking
										    : best;
}

static const kl_val *take_matches(
	kl_call *c, const struct search *q, const kl_val *items, const kl_val *best)
{
	for (uint32_t i = 0; i < c->host->count(items); i++) {
		const kl_val *raw = c->host->at(items, i, 0);
		kl_val *booking = cal_booking(c, raw);
		if (!matches(c, q, raw, booking))
			continue;
		kl_set_bool(c, booking, "new", 0);
		c->host->row(c, booking);
		best = better(c, best, booking);
	}
	return best;
}

static const kl_next *search_done(kl_call *c, const kl_val *best)
{
	kl_val *result = c->host->object(c);
	int found = c->host->type(best) == KL_OBJECT;
	kl_set_bool(c, result, "found", found);
	if (found)
		kl_set(c, result, "booking", best);
	return kl_done(c, result);
}

/* ---- all of a time, whosever they are ---- */

static const kl_next *read_window(kl_call *c, const kl_step *s, struct cal_window *w)
{
	kl_str from = cal_text(c, s->input, "from"), to = cal_text(c, s->input, "to");
	w->event_type = cal_text(c, s->input, "event_type");
	w->from_ms = c->now_ms - CAL_DAY;
	w->to_ms = c->now_ms + 366 * CAL_DAY;
	if (from.ptr && !cal_parse(c, from, "UTC", &w->from_ms))
		return cal_bad_input(c, "bookings: from must be an instant");
	if (to.ptr && !cal_parse(c, to, "UTC", &w->to_ms))
		return cal_bad_input(c, "bookings: to must be an instant");
	if (w->to_ms <= w->from_ms)
		return cal_bad_input(c, "bookings: to must be after from");
	return 0;
}

/* The booking is not the row itself: rows of bookings are what an operation has found for somebody,
 * and the host believes them; this list is for holding it against what the host believes. */
static int64_t list_rows(kl_call *c, const struct cal_window *w, const kl_val *items)
{
	struct search q = {.window = *w};
	int64_t told = 0;
	for (uint32_t i = 0; i < c->host->count(items); i++) {
		const kl_val *raw = c->host->at(items, i, 0);
		kl_val *booking = cal_booking(c, raw), *row = c->host->object(c);
		int64_t made = 0;
		if (!in_window(c, &q, raw, booking))
			continue;
		if (cal_parse(c, cal_text(c, raw, "createdAt"), "UTC", &made))
			kl_set_text(c, row, "created", cal_print(c, made));
		kl_set(c, row, "booking", booking);
		c->host->row(c, row);
		told++;
	}
	return told;
}

const kl_next *cal_op_bookings(kl_call *c, const kl_step *s, const struct cal_dialect *d)
{
	struct cal_window w = {0};
	const kl_next *wrong = read_window(c, s, &w);
	if (wrong)
		return wrong;
	kl_val *state = cal_state(c, "bookings");
	if (s->why == KL_START)
		return kl_send(c, d->list(c, s, &w), state);
	if (!cal_good(s->response))
		return cal_bad_answer(c, s, d);
	const kl_val *items = d->items(c, s->response);
	if (!items)
		return cal_surprise(c, "Cal.com's list of bookings is not one");
	int64_t told = kl_i64(c, s->state, "told", 0) + list_rows(c, &w, items);
	w.page = (uint32_t)kl_i64(c, s->state, "page", 0) + 1;
	if (!d->more(c, s->response)) {
		kl_val *result = c->host->object(c);
		kl_set_i64(c, result, "count", told);
		return kl_done(c, result);
	}
	if (w.page >= CAL_MAX_PAGES)
		return cal_bad_input(c, "bookings: too many bookings; narrow from and to");
	kl_set_i64(c, state, "page", w.page);
	kl_set_i64(c, state, "told", told);
	return kl_send(c, d->list(c, s, &w), state);
}

/* ---- those of a person or a key ---- */

const kl_next *cal_op_search(kl_call *c, const kl_step *s, const struct cal_dialect *d)
{
	struct search q = {0};
	const kl_next *wrong = read_search(c, s, &q);
	if (wrong)
		return wrong;
	kl_val *state = cal_state(c, "search");
	if (s->why == KL_START)
		return kl_send(c, d->list(c, s, &q.window), state);
	if (!cal_good(s->response))
		return cal_bad_answer(c, s, d);
	const kl_val *items = d->items(c, s->response);
	if (!items)
		return cal_surprise(c, "Cal.com's list of bookings is not one");
	const kl_val *best = take_matches(c, &q, items, c->host->find(s->state, "best"));
	q.window.page = (uint32_t)kl_i64(c, s->state, "page", 0) + 1;
	if (!d->more(c, s->response))
		return search_done(c, best);
	if (q.window.page >= CAL_MAX_PAGES)
		return cal_bad_input(c, "find_booking: too many bookings; narrow from and to");
	kl_set_i64(c, state, "page", q.window.page);
	kl_set(c, state, "best", best);
	return kl_send(c, d->list(c, s, &q.window), state);
}
