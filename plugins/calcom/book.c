/* book.c - makes a booking, exactly one, and finds out what became of it when nobody answered.
 *
 * The vendor has no idempotency key. Ours travels in the metadata, and every doubt (no answer, a
 * 500, a refusal that other people saw together with a booking, a success that is somebody else's)
 * is settled by reading the list of bookings, never by sending again. What the list does not have
 * is absent only if this key lists all of that event type: see proof.c. Pure; any thread. */
#include "calcom.h"

static const kl_next *check_contact(kl_call *c, struct cal_booking_input *in)
{
	if (!in->name.ptr)
		return cal_bad_input(c, "book: name is missing");
	if (!in->email.ptr && !in->phone.ptr)
		return cal_bad_input(c, "book: email or phone is needed, at least one of them");
	if (in->phone.ptr && in->phone.ptr[0] != '+')
		return cal_bad_input(c, "book: phone must be E.164, like +493023125042");
	if (in->email.ptr && !memchr(in->email.ptr, '@', in->email.len))
		return cal_bad_input(c, "book: email is not an e-mail address");
	return 0;
}

/* The vendor's limits, and v1's rule that values are texts. */
static const kl_next *check_metadata(kl_call *c, const kl_val *metadata)
{
	if (c->host->count(metadata) > 49)
		return cal_bad_input(c, "book: metadata may have 49 keys, one more is ours");
	for (uint32_t i = 0; i < c->host->count(metadata); i++) {
		kl_str key = {0, 0, 0};
		const kl_val *v = c->host->at(metadata, i, &key);
		uint32_t type = c->host->type(v);
		if (type == KL_OBJECT || type == KL_ARRAY)
			return cal_bad_input(c, "book: metadata must be flat, its values texts");
		if (key.len > 40 || c->host->text(v).len > 500)
			return cal_bad_input(
				c, "book: metadata keys have at most 40, values 500 characters");
	}
	return 0;
}

static void read_input(kl_call *c, const kl_step *s, struct cal_booking_input *in)
{
	const kl_val *i = s->input;
	in->event_type = cal_text(c, i, "event_type");
	in->name = cal_text(c, i, "name");
	in->email = cal_text(c, i, "email");
	in->phone = cal_text(c, i, "phone");
	in->language = cal_text(c, i, "language");
	in->zone = cal_text(c, i, "timezone");
	in->notes = cal_text(c, i, "notes");
	in->fields = c->host->find(i, "fields");
	in->location = c->host->find(i, "location");
	in->metadata = c->host->find(i, "metadata");
}

const kl_next *cal_booking_input(kl_call *c, const kl_step *s, struct cal_booking_input *in)
{
	read_input(c, s, in);
	kl_str length = cal_text(c, s->input, "length_min");
	if (!cal_id(in->event_type, &in->event_type_id))
		return cal_bad_input(c, "book: event_type must be the id of an event type");
	if (!cal_zone_known(c, in->zone.ptr))
		return cal_bad_input(c, "book: timezone must be an IANA name like Europe/Berlin");
	if (!cal_parse(c, cal_text(c, s->input, "start"), in->zone.ptr, &in->start_ms))
		return cal_bad_input(c, "book: start must be an instant like 2026-11-26T16:15:00Z");
	if (!in->language.ptr)
		return cal_bad_input(c, "book: language is missing, for example de");
	if (length.ptr && !cal_id(length, &in->length_min))
		return cal_bad_input(c, "book: length_min must be a number of minutes");
	const kl_next *wrong = check_contact(c, in);
	return wrong ? wrong : check_metadata(c, in->metadata);
}

kl_val *cal_metadata(kl_call *c, const kl_step *s, const kl_val *given)
{
	kl_val *out = c->host->object(c);
	for (uint32_t i = 0; i < c->host->count(given); i++) {
		kl_str key = {0, 0, 0};
		kl_str value = c->host->text(c->host->at(given, i, &key));
		if (value.ptr)
			c->host->set(c, out, key, c->host->of_text(c, value));
	}
	kl_set_text(c, out, CAL_KEY, s->key);
	return out;
}

kl_str cal_location_type(kl_call *c, const kl_val *location)
{
	return cal_text(c, location, c->host->type(location) == KL_TEXT ? "" : "type");
}

kl_str cal_location_value(kl_call *c, const kl_val *location)
{
	return cal_text(c, location, "value");
}

/* ---- looking ------------------------------------------------------------------------------- */

/* By event type and time, not by e-mail: some event types replace the address that was sent by one
 * made of the phone number, and a list filtered by ours would then swear that nothing happened. */
static const kl_next *look(kl_call *c, const kl_step *s, const struct cal_dialect *d,
	const struct cal_booking_input *in, kl_val *state, uint32_t page)
{
	struct cal_window w = {.from_ms = in->start_ms - CAL_MINUTE,
		.to_ms = in->start_ms + CAL_MINUTE,
		.event_type = in->event_type,
		.whose = cal_text(c, state, "whose"),
		.page = page};
	kl_set_i64(c, state, "page", page);
	return kl_send(c, d->list(c, s, &w), state);
}

/* Of the answer that nobody understood, wherever the look is. */
static int64_t status_of(kl_call *c, const kl_step *s)
{
	return kl_i64(c, s->state, "status", kl_i64(c, s->state, "keep.status", 0));
}

static kl_val *first_look(kl_call *c, int64_t status)
{
	kl_val *state = cal_state(c, "look");
	kl_set_i64(c, state, "status", status);
	return state;
}

/* Carries what a look must remember from page to page. */
static kl_val *next_look(kl_call *c, const kl_step *s)
{
	if (s->looking) {
		kl_val *state = first_look(c, status_of(c, s));
		kl_set(c, state, "whose", c->host->find(s->state, "whose"));
		return state;
	}
	kl_val *state = cal_state(c, "verify");
	kl_set(c, state, "failure", c->host->find(s->state, "failure"));
	return state;
}

/* A booking with seats as the one who has that seat may see it: no other attendee, and what was
 * sent with the seat, since the booking's own metadata is of who came first. */
static const kl_val *seat_view(
	kl_call *c, const kl_val *raw, const kl_val *attendee, const kl_val *metadata)
{
	kl_val *view = c->host->object(c), *attendees = c->host->array(c);
	for (uint32_t i = 0; i < c->host->count(raw); i++) {
		kl_str key = {0, 0, 0};
		const kl_val *v = c->host->at(raw, i, &key);
		if (!kl_eq(key, "attendees") && !kl_eq(key, "metadata"))
			c->host->set(c, view, key, v);
	}
	if (attendee)
		c->host->push(c, attendees, attendee);
	kl_set(c, view, "attendees", attendees);
	kl_set(c, view, "metadata", metadata);
	return view;
}

/* The attendee whose member is this; NULL: none. */
static const kl_val *attendee_with(kl_call *c, const kl_val *raw, const char *member, kl_str value)
{
	const kl_val *attendees = c->host->find(raw, "attendees");
	for (uint32_t i = 0; i < c->host->count(attendees); i++) {
		const kl_val *a = c->host->at(attendees, i, 0);
		if (cal_same(cal_text(c, a, member), value))
			return a;
	}
	return 0;
}

/* Of a listed booking with seats the one that bears our key. */
static const kl_val *own_seat_listed(kl_call *c, const kl_step *s, const kl_val *raw)
{
	const kl_val *a = attendee_with(c, raw, "metadata." CAL_KEY, s->key);
	return a && kl_has(c, a, "seatUid") ? seat_view(c, raw, a, c->host->find(a, "metadata"))
					    : raw;
}

/* The answer to a booking names the seat that was made, whoever made the booking before. */
static const kl_val *own_seat_made(kl_call *c, const kl_step *s, const kl_val *raw)
{
	kl_str seat = cal_text(c, raw, "seatUid");
	const kl_val *a = seat.ptr ? attendee_with(c, raw, "seatUid", seat) : 0;
	return seat.ptr ? seat_view(c, raw, a, cal_metadata(c, s, c->host->find(a, "metadata")))
			: raw;
}

struct found {
	const kl_val *here, *moved, *dead;
};

static void find_ours(kl_call *c, const kl_step *s, const struct cal_booking_input *in,
	const kl_val *items, struct found *f)
{
	for (uint32_t i = 0; i < c->host->count(items); i++) {
		const kl_val *b = own_seat_listed(c, s, c->host->at(items, i, 0));
		int64_t start = 0;
		if (!cal_same(cal_key(c, b), s->key) || !cal_uid(c, b).ptr)
			continue;
		if (!cal_active(c, b))
			f->dead = b;
		else if (cal_start_ms(c, b, &start) && start == in->start_ms)
			f->here = b;
		else
			f->moved = b;
	}
}

static const kl_next *found_moved(kl_call *c, const kl_step *s)
{
	const char *words = "Cal.com has a booking with our key at another time: it was made, and "
			    "moved since; look at it there";
	return s->looking ? kl_then(c, KL_UNSURE, words)
			  : kl_failed(c, KL_CONFLICT, "moved", words);
}

static const kl_next *ask_slots(kl_call *c, const kl_step *s, const struct cal_dialect *d,
	const struct cal_booking_input *in)
{
	struct cal_range r = {.from_ms = in->start_ms,
		.to_ms = in->start_ms + CAL_MINUTE,
		.event_type = in->event_type,
		.zone = in->zone.ptr};
	if (in->length_min)
		r.length_min = cal_digits(c, in->length_min);
	return kl_send(c, d->slots(c, s, &r), cal_state(c, "slots"));
}

static const kl_next *absent(kl_call *c, const kl_step *s, const struct cal_dialect *d,
	const struct cal_booking_input *in)
{
	/* "Host busy" surfaces as a bare 500 on team types. Our own hold hides the slot as well,
	 * so with a hold the slots would say nothing. */
	if (status_of(c, s) == 500 && !cal_text(c, s->input, "hold").ptr)
		return ask_slots(c, s, d, in);
	return kl_then(c, KL_ABSENT, "Cal.com lists no booking with our key");
}

static const kl_next *unproven(kl_call *c, const struct cal_proof *p)
{
	kl_str words = KL_CAT(c, KL_LIT("Cal.com shows this API key no such booking, but "), p->why,
		KL_LIT(": look there whether it was made, and "), p->remedy);
	return kl_then(c, KL_UNSURE, words.ptr);
}

static const kl_next *prove(kl_call *c, const kl_step *s, const struct cal_dialect *d,
	const struct cal_booking_input *in)
{
	kl_val *keep = c->host->object(c);
	kl_set_i64(c, keep, "status", status_of(c, s));
	struct cal_proof p = d->prove(c, s, in->event_type, keep);
	if (p.ask)
		return p.ask;
	if (p.why.ptr)
		return unproven(c, &p);
	if (!p.whose.ptr)
		return absent(c, s, d, in);
	kl_val *state = first_look(c, status_of(c, s));
	kl_set_text(c, state, "whose", p.whose);
	return look(c, s, d, in, state, 0);
}

/* The list knows nothing of us: because there is nothing, or because the key may not see it? */
static const kl_next *not_listed(kl_call *c, const kl_step *s, const struct cal_dialect *d,
	const struct cal_booking_input *in)
{
	if (!s->looking)
		return cal_kept_failure(c, s);
	return kl_has(c, s->state, "whose") ? absent(c, s, d, in) : prove(c, s, d, in);
}

static const kl_next *list_unread(kl_call *c, const kl_step *s, const struct cal_dialect *d,
	const struct cal_booking_input *in)
{
	if (!s->looking)
		return cal_kept_failure(c, s);
	if (cal_good(s->response))
		return kl_then(c, KL_UNSURE, "Cal.com's list of bookings is not one");
	if (!kl_has(c, s->state, "whose"))
		return cal_bad_answer(c, s, d);
	struct cal_proof p = cal_not_told(c, s, d, in->event_type);
	return p.ask ? p.ask : unproven(c, &p);
}

static const kl_next *look_answer(kl_call *c, const kl_step *s, const struct cal_dialect *d,
	const struct cal_booking_input *in)
{
	struct found f = {0};
	const kl_val *items = cal_good(s->response) ? d->items(c, s->response) : 0;
	uint32_t page = (uint32_t)kl_i64(c, s->state, "page", 0);
	if (!items)
		return list_unread(c, s, d, in);
	find_ours(c, s, in, items, &f);
	if (f.here)
		return cal_done_booking(c, f.here, 1);
	if (d->more(c, s->response)) {
		if (page + 1 >= CAL_MAX_PAGES)
			return s->looking ? kl_then(c, KL_UNSURE, "Cal.com's list does not end")
					  : cal_kept_failure(c, s);
		return look(c, s, d, in, next_look(c, s), page + 1);
	}
	if (f.moved)
		return found_moved(c, s);
	if (f.dead)
		return kl_failed(c, KL_CONFLICT, "cancelled",
			"Cal.com: this booking was made and has been cancelled since");
	return not_listed(c, s, d, in);
}

static const kl_next *slots_answer(kl_call *c, const kl_step *s, const struct cal_dialect *d,
	const struct cal_booking_input *in)
{
	const kl_val *days = cal_good(s->response) ? d->days(c, s->response) : 0;
	if (days && !cal_offers(c, d, days, in->zone.ptr, in->start_ms))
		return kl_failed(c, KL_CONFLICT, "slot_taken",
			"Cal.com failed (HTTP 500), made no booking and no longer offers this "
			"slot");
	return kl_then(c, KL_ABSENT, "Cal.com failed and lists no booking with our key");
}

/* ---- the answer to the booking itself ------------------------------------------------------ */

/* Fails only after a look that found nothing: see the head of the file. */
static const kl_next *fail_after_look(kl_call *c, const kl_step *s, const struct cal_dialect *d,
	const struct cal_booking_input *in, const struct cal_failure *f)
{
	kl_val *state = cal_state(c, "verify");
	cal_keep_failure(c, state, f);
	return look(c, s, d, in, state, 0);
}

/* An existing booking of the same person comes back with a success status and other metadata. */
static int is_older(kl_call *c, const kl_step *s, const kl_val *raw)
{
	int64_t made = 0;
	if (cal_key(c, raw).ptr)
		return !cal_same(cal_key(c, raw), s->key);
	if (kl_has(c, raw, "metadata"))
		return 1;
	return cal_parse(c, cal_text(c, raw, "createdAt"), "UTC", &made) &&
	       made < c->now_ms - 15 * CAL_MINUTE;
}

static const kl_next *older(kl_call *c, const kl_val *raw)
{
	kl_val *b = cal_booking(c, raw);
	kl_set_bool(c, b, "new", 0);
	struct cal_failure f = {.fail = KL_CONFLICT, .code = "existing_booking", .detail = b};
	f.message = KL_LIT("Cal.com made nothing new: this person has that booking already");
	return cal_fail(c, &f);
}

static const kl_next *booked(kl_call *c, const kl_step *s, const struct cal_dialect *d,
	const struct cal_booking_input *in)
{
	const kl_val *raw = own_seat_made(c, s, d->one(c, s->response));
	int64_t start = 0;
	struct cal_failure odd = {.fail = KL_SURPRISE};
	/* a decoy of the vendor's spam check: looks like a success, nothing is stored */
	if (raw && kl_i64(c, raw, "id", 1) == 0)
		return kl_failed(c, KL_BAD_INPUT, "blocked",
			"Cal.com's spam check refused this person and stored nothing (booking id "
			"0)");
	odd.message = KL_LIT("Cal.com accepted the booking, but its answer shows none");
	if (!raw || !cal_uid(c, raw).ptr)
		return fail_after_look(c, s, d, in, &odd);
	if (is_older(c, s, raw))
		return older(c, raw);
	odd.message = KL_LIT("Cal.com accepted the booking, but not as it was asked for");
	if (!cal_active(c, raw) || !cal_start_ms(c, raw, &start) || start != in->start_ms)
		return cal_fail(c, &odd);
	return cal_done_booking(c, raw, 1);
}

/* Integrators saw "taken" and the booking both; and a page of some proxy is not the vendor's word.
 */
static int is_doubtful(const struct cal_failure *f, const kl_response *r)
{
	if (f->fail == KL_BAD_AUTH || f->fail == KL_BUSY || r->outcome != KL_ANSWERED)
		return 0;
	return !r->json || (f->code && strcmp(f->code, "slot_taken") == 0);
}

static const kl_next *book_answer(kl_call *c, const kl_step *s, const struct cal_dialect *d,
	const struct cal_booking_input *in)
{
	if (cal_good(s->response))
		return booked(c, s, d, in);
	struct cal_failure f = cal_classify_one(c, d, s->response);
	if (s->response && is_doubtful(&f, s->response))
		return fail_after_look(c, s, d, in, &f);
	return cal_fail(c, &f);
}

const kl_next *cal_op_book(kl_call *c, const kl_step *s, const struct cal_dialect *d)
{
	struct cal_booking_input in = {0};
	const kl_next *wrong = cal_booking_input(c, s, &in);
	if (wrong)
		return wrong;
	if (s->why == KL_START) {
		const kl_request *r = d->create(c, s, &in);
		return r ? kl_send(c, r, cal_state(c, "book"))
			 : cal_bad_input(
				   c, "book: location.type is not one of those of the contract");
	}
	if (s->why == KL_LOOKUP) {
		int64_t status = s->response ? s->response->status : 0;
		return look(c, s, d, &in, first_look(c, status), 0);
	}
	if (s->why == KL_TIMER) /* what was proven before the wait may hold no longer */
		return look(c, s, d, &in, first_look(c, status_of(c, s)), 0);
	if (cal_at(c, s, "book"))
		return book_answer(c, s, d, &in);
	if (cal_at(c, s, "proof"))
		return prove(c, s, d, &in);
	if (cal_at(c, s, "slots"))
		return slots_answer(c, s, d, &in);
	return look_answer(c, s, d, &in);
}
