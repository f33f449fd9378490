/* prove.c - does this key list all bookings of an event type? Who is the key, and whose is the
 * type?
 *
 * v1 lists whom a booking was given to, and the key is one person's: an administrator of the server
 * sees all, everybody else is sure of the own event types only, even who leads a team. Pure; any
 * thread. */
#include "v1.h"

static struct cal_proof of_me(kl_call *c, const kl_step *s, kl_str event_type, const kl_val *keep)
{
	kl_str me = cal_text(c, s->response->json, "user.id");
	kl_val *more = c->host->object(c);
	kl_str url = KL_CAT(c, KL_LIT("/event-types/"), cal_escape(c, event_type));
	int64_t n;
	if (kl_eq(cal_text(c, s->response->json, "user.role"), "ADMIN"))
		return (struct cal_proof){0};
	if (!cal_id(me, &n))
		return cal_not_proven(c, event_type,
			"may be of another account, for Cal.com does not say whose this key is",
			v1_dialect.remedy);
	kl_set_text(c, more, "me", me);
	return cal_ask(c, s, cal_request(c, "GET", KL_SAFE, "event_type", url), "type", keep, more);
}

static struct cal_proof of_type(kl_call *c, const kl_step *s, kl_str event_type)
{
	const kl_val *type = c->host->find(s->response->json, "event_type");
	kl_str owner = CAL_FIRST(c, type, "userId", "owner.id");
	if (kl_has(c, type, "teamId") ||
		(kl_has(c, type, "schedulingType") && !kl_has(c, type, "parentId")))
		return cal_not_proven(c, event_type,
			"is a team's, and v1 shows a key the bookings of one person",
			"use the key of an administrator of the server, or calcom_v2 with the key "
			"of an owner or admin of the team");
	if (!cal_same(cal_text(c, type, "id"), event_type) ||
		!cal_same(owner, cal_text(c, s->state, "me")))
		return cal_not_proven(
			c, event_type, "is of another account than this key", v1_dialect.remedy);
	return (struct cal_proof){0};
}

struct cal_proof v1_prove(kl_call *c, const kl_step *s, kl_str event_type, const kl_val *keep)
{
	if (!cal_at(c, s, "proof"))
		return cal_ask(
			c, s, cal_request(c, "GET", KL_SAFE, "me", KL_LIT("/me")), "me", keep, 0);
	if (!cal_good(s->response))
		return cal_not_told(c, s, &v1_dialect, event_type);
	return kl_eq(cal_text(c, s->state, "ask"), "me") ? of_me(c, s, event_type, keep)
							 : of_type(c, s, event_type);
}
