/* poll.c - changes for which Cal.com sends no webhook, by the time of their last update.
 *
 * Walks by key, not by page number: a booking that changes during the walk moves to the end of the
 * sort order, and page numbers would skip its neighbour. Re-reads two minutes each time, since rows
 * become visible later than their timestamps; the events' identities make that harmless. The first
 * poll tells nothing: it marks where we came in. Pure; any thread. */
#include "v2.h"

#define OVERLAP (2 * CAL_MINUTE)
#define PAGE 100

struct walk {
	int64_t after_ms, since_ms, kept_ms; /* asked after; our first poll; last checkpoint */
	uint32_t skip, pages;
};

/* Team lists do not filter by update, so a team is a filter on the user's list. */
static kl_str url_of(kl_call *c, const kl_step *s, const struct walk *w)
{
	kl_str scope = v2_option(c, s->config, "scope", "user");
	kl_str team = cal_text(c, s->config, "team"), url = KL_LIT("/bookings");
	if (kl_eq(scope, "organization"))
		url = v2_list_url(c, s->config, (kl_str){0, 0, 0});
	if (kl_eq(scope, "team"))
		url = cal_query(c, url, "teamId", team);
	url = cal_query(c, url, "afterUpdatedAt", cal_print(c, w->after_ms));
	url = cal_query(c, url, "sortUpdatedAt", KL_LIT("asc"));
	url = cal_query(c, url, "take", KL_LIT("100"));
	return cal_query(c, url, "skip", cal_digits(c, w->skip));
}

static const kl_next *ask(kl_call *c, const kl_step *s, const struct walk *w)
{
	kl_val *state = cal_state(c, "poll");
	kl_set_i64(c, state, "after_ms", w->after_ms);
	kl_set_i64(c, state, "since_ms", w->since_ms);
	kl_set_i64(c, state, "kept_ms", w->kept_ms);
	kl_set_i64(c, state, "skip", w->skip);
	kl_set_i64(c, state, "pages", w->pages);
	return kl_send(
		c, v2_request(c, s, V2_BOOKINGS, "GET", KL_SAFE, "poll", url_of(c, s, w)), state);
}

static void keep(kl_call *c, int64_t updated_ms, int64_t since_ms)
{
	kl_val *point = c->host->object(c);
	kl_set_text(c, point, "updated", cal_print(c, updated_ms));
	kl_set_text(c, point, "since", cal_print(c, since_ms));
	c->host->checkpoint(c, point);
}

static const kl_next *begin(kl_call *c, const kl_step *s)
{
	struct walk w = {0};
	if (!cal_parse(c, cal_text(c, s->checkpoint, "updated"), "UTC", &w.after_ms) ||
		!cal_parse(c, cal_text(c, s->checkpoint, "since"), "UTC", &w.since_ms)) {
		keep(c, c->now_ms, c->now_ms);
		return kl_done(c, c->host->object(c));
	}
	w.kept_ms = w.after_ms;
	w.after_ms -= OVERLAP;
	return ask(c, s, &w);
}

/* A booking older than our first poll that merely changed is not news as a booking. */
static int is_old_news(kl_call *c, const struct walk *w, const kl_val *raw)
{
	int64_t made = 0;
	return cal_active(c, raw) && cal_parse(c, cal_text(c, raw, "createdAt"), "UTC", &made) &&
	       made < w->since_ms;
}

static void tell_noshow(kl_call *c, const kl_val *raw, int64_t at_ms)
{
	kl_str email = CAL_FIRST(c, raw, "attendees.0.email");
	kl_val *mark = c->host->object(c), *marks = c->host->array(c), *b = cal_booking(c, raw);
	if (!kl_true(c, raw, "attendees.0.absent") || !email.ptr)
		return;
	kl_set_text(c, mark, "email", email);
	kl_set_bool(c, mark, "noshow", 1);
	c->host->push(c, marks, mark);
	kl_set(c, b, "noshow", marks);
	cal_emit(c, raw, b, "booking.noshow", at_ms,
		KL_CAT(c, cal_uid(c, raw), KL_LIT(":noshow:"), email));
}

/* Of a seated booking one row stands for many attendees; only webhooks tell those apart. */
static void tell(kl_call *c, const struct walk *w, const kl_val *raw, int64_t at_ms)
{
	kl_val *b = cal_booking(c, raw);
	const char *type = cal_event_of(c, b);
	if (!cal_uid(c, raw).ptr || kl_has(c, raw, "attendees.0.seatUid"))
		return;
	if (type && !is_old_news(c, w, raw))
		cal_emit(c, raw, b, type, at_ms, cal_identity(c, b));
	tell_noshow(c, raw, at_ms);
}

/* Servers that leave rescheduledToUid out: the new half of a move was updated with the old. */
static int has_successor(kl_call *c, const kl_val *items, const kl_val *raw)
{
	for (uint32_t i = 0; i < c->host->count(items); i++)
		if (cal_same(cal_rescheduled_from(c, c->host->at(items, i, 0)), cal_uid(c, raw)))
			return 1;
	return 0;
}

static int64_t tell_page(kl_call *c, const struct walk *w, const kl_val *items)
{
	int64_t newest = 0;
	for (uint32_t i = 0; i < c->host->count(items); i++) {
		const kl_val *raw = c->host->at(items, i, 0);
		int64_t at = 0;
		if (cal_parse(c, cal_text(c, raw, "updatedAt"), "UTC", &at) && at > newest)
			newest = at;
		if (!has_successor(c, items, raw))
			tell(c, w, raw, at);
	}
	return newest;
}

static struct walk walk_of(kl_call *c, const kl_step *s)
{
	struct walk w;
	w.after_ms = kl_i64(c, s->state, "after_ms", 0);
	w.since_ms = kl_i64(c, s->state, "since_ms", 0);
	w.kept_ms = kl_i64(c, s->state, "kept_ms", 0);
	w.skip = (uint32_t)kl_i64(c, s->state, "skip", 0);
	w.pages = (uint32_t)kl_i64(c, s->state, "pages", 0);
	return w;
}

const kl_next *v2_poll(kl_call *c, const kl_step *s)
{
	if (s->why == KL_START)
		return begin(c, s);
	if (!cal_good(s->response))
		return cal_bad_answer(c, s, &v2_dialect);
	const kl_val *items = v2_dialect.items(c, s->response);
	if (!items)
		return cal_surprise(c, "Cal.com's list of bookings is not one");
	struct walk w = walk_of(c, s);
	int64_t newest = tell_page(c, &w, items);
	if (newest > w.kept_ms) {
		keep(c, newest, w.since_ms);
		w.kept_ms = newest;
	}
	if (!v2_dialect.more(c, s->response) || ++w.pages >= 50)
		return kl_done(c, c->host->object(c));
	/* no progress in time: that many share one instant, and only then pages are counted */
	w.skip = newest > w.after_ms ? 0 : w.skip + PAGE;
	w.after_ms = newest > w.after_ms ? newest : w.after_ms;
	return ask(c, s, &w);
}
