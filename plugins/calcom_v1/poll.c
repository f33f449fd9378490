/* poll.c - changes for which Cal.com sends no webhook, by comparing with what was there last time.
 *
 * v1 neither filters by nor shows the time of an update, so the checkpoint remembers uid, status
 * and start of every booking of the next weeks. The first poll tells nothing: it only remembers.
 * Pure; any thread. */
#include "v1.h"

#define DEFAULT_DAYS 60
/* uid, status and start take some 60 bytes each; a checkpoint should stay a small thing */
#define MOST_KNOWN 900

struct view {
	const kl_val *known; /* uid -> "status:start"; NULL at the first poll */
	int64_t last_ms, horizon_ms;
	kl_val *now;
};

static kl_str mark_of(kl_call *c, const kl_val *booking)
{
	return KL_CAT(
		c, cal_text(c, booking, "status"), KL_LIT(":"), cal_text(c, booking, "start"));
}

static kl_str known_mark(kl_call *c, const kl_val *known, kl_str uid)
{
	for (uint32_t i = 0; i < c->host->count(known); i++) {
		kl_str key = {0, 0, 0};
		const kl_val *mark = c->host->at(known, i, &key);
		if (cal_same(key, uid))
			return c->host->text(mark);
	}
	return (kl_str){0, 0, 0};
}

/* The old half of a move has status CANCELLED, and only the new half says why. */
static int has_successor(kl_call *c, const kl_val *items, kl_str uid)
{
	for (uint32_t i = 0; i < c->host->count(items); i++)
		if (cal_same(cal_rescheduled_from(c, c->host->at(items, i, 0)), uid))
			return 1;
	return 0;
}

/* Not known: new, or merely come into view. A day of grace, since webhooks drop the repeats. */
static int is_fresh(kl_call *c, const struct view *v, const kl_val *raw)
{
	int64_t made = 0;
	return cal_parse(c, cal_text(c, raw, "createdAt"), "UTC", &made) &&
	       made >= v->last_ms - CAL_DAY;
}

static void tell(kl_call *c, const struct view *v, const kl_val *items, const kl_val *raw)
{
	kl_val *b = cal_booking(c, raw);
	kl_str uid = cal_uid(c, raw), mark = mark_of(c, b);
	kl_str known = known_mark(c, v->known, uid);
	const char *type = cal_event_of(c, b);
	int64_t start = 0;
	if (!uid.ptr || !cal_start_ms(c, raw, &start))
		return;
	if (start < v->horizon_ms && c->host->count(v->now) < MOST_KNOWN)
		c->host->set(c, v->now, uid, c->host->of_text(c, mark));
	if (!v->known || !type || cal_same(known, mark) || has_successor(c, items, uid))
		return;
	if (known.ptr || is_fresh(c, v, raw))
		cal_emit(c, raw, b, type, c->now_ms, cal_identity(c, b));
}

static struct view view_of(kl_call *c, const kl_step *s)
{
	struct view v = {0};
	int64_t days = kl_i64(c, s->config, "poll_days", 0);
	if (days <= 0 && !cal_id(cal_text(c, s->config, "poll_days"), &days))
		days = DEFAULT_DAYS;
	v.known = c->host->find(s->checkpoint, "known");
	if (c->host->type(v.known) != KL_OBJECT ||
		!cal_parse(c, cal_text(c, s->checkpoint, "at"), "UTC", &v.last_ms))
		v.known = 0;
	v.horizon_ms = c->now_ms + days * CAL_DAY;
	v.now = c->host->object(c);
	return v;
}

const kl_next *v1_poll(kl_call *c, const kl_step *s)
{
	/* no page, no take: everything at once, so that both halves of a move are in one answer */
	if (s->why == KL_START)
		return v1_get(c, "poll",
			cal_query(c, KL_LIT("/bookings"), "dateFrom",
				cal_print(c, c->now_ms - CAL_DAY)),
			cal_state(c, "poll"));
	if (!cal_good(s->response))
		return cal_bad_answer(c, s, &v1_dialect);
	const kl_val *items = v1_dialect.items(c, s->response);
	if (!items)
		return cal_surprise(c, "Cal.com's list of bookings is not one");
	struct view v = view_of(c, s);
	for (uint32_t i = 0; i < c->host->count(items); i++)
		tell(c, &v, items, c->host->at(items, i, 0));
	kl_val *point = c->host->object(c);
	kl_set_text(c, point, "at", cal_print(c, c->now_ms));
	kl_set(c, point, "known", v.now);
	c->host->checkpoint(c, point);
	return kl_done(c, c->host->object(c));
}
