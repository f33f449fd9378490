/* slots.c - free slots: asks by whole local days, answers by the asked instants.
 *
 * The vendor keys its answer by date in the asked zone, moves an end at midnight to the next one,
 * shifts its grid to a start in the middle of a day, and has returned slots nobody asked for. So
 * the request is widened to whole days, the date keys are ignored, and the filter is ours. Pure;
 * any thread. */
#include "calcom.h"

struct slot {
	int64_t start, end; /* end 0: not told */
};

struct slots {
	struct slot *at;
	uint32_t count, room;
};

static const kl_next *read_range(kl_call *c, const kl_step *s, struct cal_range *r)
{
	int64_t id, minutes;
	r->event_type = cal_text(c, s->input, "event_type");
	r->zone = cal_text(c, s->input, "timezone").ptr;
	r->length_min = cal_text(c, s->input, "length_min");
	r->reschedule_uid = cal_text(c, s->input, "reschedule_uid");
	if (!cal_id(r->event_type, &id))
		return cal_bad_input(c, "slots: event_type must be the id of an event type");
	if (!cal_zone_known(c, r->zone))
		return cal_bad_input(c, "slots: timezone must be an IANA name like Europe/Berlin");
	if (!cal_parse(c, cal_text(c, s->input, "from"), r->zone, &r->from_ms))
		return cal_bad_input(c, "slots: from must be an instant");
	if (!cal_parse(c, cal_text(c, s->input, "to"), r->zone, &r->to_ms) ||
		r->to_ms <= r->from_ms)
		return cal_bad_input(c, "slots: to must be an instant after from");
	if (r->length_min.ptr && !cal_id(r->length_min, &minutes))
		return cal_bad_input(c, "slots: length_min must be a number of minutes");
	return 0;
}

static int64_t read_end(kl_call *c, const struct cal_range *r, const kl_val *slot, int64_t start)
{
	int64_t end = 0, minutes = 0;
	if (cal_parse(c, cal_text(c, slot, "end"), r->zone, &end))
		return end;
	return cal_id(r->length_min, &minutes) ? start + minutes * CAL_MINUTE : 0;
}

/* A slot that can be booked: not one of a host who is away, nor one without a seat. */
static int is_free(kl_call *c, const kl_val *slot)
{
	return !kl_true(c, slot, "away") && kl_i64(c, slot, "seatsRemaining", 1) > 0;
}

static void collect(kl_call *c, const struct cal_dialect *d, const struct cal_range *r,
	const kl_val *day, struct slots *all)
{
	for (uint32_t i = 0; i < c->host->count(day) && all->count < all->room; i++) {
		const kl_val *slot = c->host->at(day, i, 0);
		int64_t start;
		if (!cal_parse(c, cal_text(c, slot, d->slot_start), r->zone, &start))
			continue;
		if (start < r->from_ms || start >= r->to_ms || !is_free(c, slot))
			continue;
		all->at[all->count++] = (struct slot){start, read_end(c, r, slot, start)};
	}
}

/* Shell's sort: no libc, and the input is nearly sorted. */
static void sort(struct slots *all)
{
	for (uint32_t gap = all->count / 2; gap; gap /= 2)
		for (uint32_t i = gap; i < all->count; i++) {
			struct slot x = all->at[i];
			uint32_t j = i;
			for (; j >= gap && all->at[j - gap].start > x.start; j -= gap)
				all->at[j] = all->at[j - gap];
			all->at[j] = x;
		}
}

static struct slots all_slots(
	kl_call *c, const struct cal_dialect *d, const struct cal_range *r, const kl_val *days)
{
	struct slots all = {0};
	for (uint32_t i = 0; i < c->host->count(days); i++)
		all.room += c->host->count(c->host->at(days, i, 0));
	all.at = c->host->alloc(c, ((uint64_t)all.room + 1) * sizeof(*all.at));
	if (!all.at)
		all.room = 0;
	for (uint32_t i = 0; i < c->host->count(days); i++)
		collect(c, d, r, c->host->at(days, i, 0), &all);
	sort(&all);
	return all;
}

int cal_offers(kl_call *c, const struct cal_dialect *d, const kl_val *days, const char *zone,
	int64_t start_ms)
{
	struct cal_range r = {.from_ms = start_ms, .to_ms = start_ms + 1, .zone = zone};
	return all_slots(c, d, &r, days).count > 0;
}

static const kl_next *slots_done(
	kl_call *c, const struct cal_dialect *d, const struct cal_range *r, const kl_val *days)
{
	struct slots all = all_slots(c, d, r, days);
	kl_val *list = c->host->array(c), *result = c->host->object(c);
	for (uint32_t i = 0; i < all.count; i++) {
		if (i && all.at[i].start == all.at[i - 1].start)
			continue;
		kl_val *slot = c->host->object(c);
		kl_set_text(c, slot, "start", cal_print(c, all.at[i].start));
		if (all.at[i].end)
			kl_set_text(c, slot, "end", cal_print(c, all.at[i].end));
		c->host->push(c, list, slot);
	}
	kl_set(c, result, "slots", list);
	kl_set_text(c, result, "timezone", kl_s(r->zone));
	return kl_done(c, result);
}

const kl_next *cal_op_slots(kl_call *c, const kl_step *s, const struct cal_dialect *d)
{
	struct cal_range r = {0};
	const kl_next *wrong = read_range(c, s, &r);
	if (wrong)
		return wrong;
	if (s->why == KL_START)
		return kl_send(c, d->slots(c, s, &r), cal_state(c, "slots"));
	if (!cal_good(s->response))
		return cal_bad_answer(c, s, d);
	const kl_val *days = d->days(c, s->response);
	if (!days)
		return cal_surprise(c, "Cal.com's answer to a question for slots has no slots");
	return slots_done(c, d, &r, days);
}
