/* prove.c - does this key list all bookings of an event type? Whose is it, and who is the key?
 *
 * A key lists the bookings of its account. So an account's own event type is proven by its own
 * list, and a team's by the list of the team, if the account is owner or admin there: an
 * administrator of the whole server may read that list too, and finds only its own in it. Pure;
 * any thread. */
#include "v2.h"

static const char owner_remedy[] = "use the API key of that account for it";
static const char team_remedy[] =
	"use the key of an owner or admin of the team, with scope = team (and organization, if the "
	"team is in one)";

static struct cal_proof ask_type(
	kl_call *c, const kl_step *s, kl_str event_type, const kl_val *keep)
{
	kl_str url = KL_CAT(c, KL_LIT("/event-types/"), cal_escape(c, event_type));
	return cal_ask(c, s, v2_request(c, s, V2_EVENT_TYPES, "GET", KL_SAFE, "event_type", url),
		"type", keep, 0);
}

/* A round robin is nobody's own, whoever made it; a copy of a managed one is its owner's. */
static struct cal_proof of_type(kl_call *c, const kl_step *s, kl_str event_type, const kl_val *keep)
{
	const kl_val *type = v2_data(c, s->response);
	kl_str team = CAL_FIRST(c, type, "teamId", "team.id");
	kl_str owner = cal_text(c, type, "ownerId");
	kl_val *more = c->host->object(c);
	int64_t n;
	int own = kl_has(c, type, "parentEventTypeId") ||
		  (!team.ptr && !cal_text(c, type, "schedulingType").ptr);
	if (!cal_same(cal_text(c, type, "id"), event_type) || !cal_id(own ? owner : team, &n))
		return cal_not_proven(
			c, event_type, "names neither its owner nor its team", v2_dialect.remedy);
	kl_set_text(c, more, own ? "owner" : "team", own ? owner : team);
	return cal_ask(c, s, v2_request(c, s, V2_BOOKINGS, "GET", KL_SAFE, "me", KL_LIT("/me")),
		"me", keep, more);
}

static int lists_by_default(kl_call *c, const kl_step *s, const char *scope, kl_str team)
{
	return kl_eq(v2_option(c, s->config, "scope", "user"), scope) &&
	       (!team.ptr || cal_same(team, cal_text(c, s->config, "team")));
}

static struct cal_proof ask_members(kl_call *c, const kl_step *s, kl_str me, const kl_val *keep)
{
	int64_t skip = kl_i64(c, s->state, "skip", -250) + 250;
	kl_val *more = c->host->object(c);
	kl_str url = v2_team_url(c, s->config, cal_text(c, s->state, "team"), "/memberships");
	url = cal_query(c, url, "take", KL_LIT("250"));
	url = cal_query(c, url, "skip", cal_digits(c, skip));
	kl_set_text(c, more, "me", me);
	kl_set_i64(c, more, "skip", skip);
	return cal_ask(c, s, v2_request(c, s, V2_BOOKINGS, "GET", KL_SAFE, "members", url),
		"members", keep, more);
}

static struct cal_proof of_me(kl_call *c, const kl_step *s, kl_str event_type, const kl_val *keep)
{
	kl_str me = cal_text(c, v2_data(c, s->response), "id");
	kl_str owner = cal_text(c, s->state, "owner");
	struct cal_proof p = {0};
	int64_t n;
	if (!cal_id(me, &n))
		return cal_not_proven(c, event_type,
			"may be of another account, for Cal.com does not say whose this key is",
			owner_remedy);
	if (!owner.ptr)
		return ask_members(c, s, me, keep);
	if (!cal_same(me, owner))
		return cal_not_proven(
			c, event_type, "is of another account than this key", owner_remedy);
	if (!lists_by_default(c, s, "user", (kl_str){0, 0, 0}))
		p.whose = KL_LIT(CAL_OWN);
	return p;
}

static int leads(kl_call *c, const kl_val *member, kl_str team)
{
	kl_str role = cal_text(c, member, "role");
	return (kl_eq(role, "OWNER") || kl_eq(role, "ADMIN")) && kl_true(c, member, "accepted") &&
	       cal_same(cal_text(c, member, "teamId"), team);
}

static struct cal_proof of_members(
	kl_call *c, const kl_step *s, kl_str event_type, const kl_val *keep)
{
	const kl_val *members = v2_data(c, s->response);
	kl_str me = cal_text(c, s->state, "me"), team = cal_text(c, s->state, "team");
	uint32_t n = c->host->type(members) == KL_ARRAY ? c->host->count(members) : 0;
	struct cal_proof p = {0};
	for (uint32_t i = 0; i < n; i++) {
		const kl_val *member = c->host->at(members, i, 0);
		if (!cal_same(cal_text(c, member, "userId"), me) || !leads(c, member, team))
			continue;
		if (!lists_by_default(c, s, "team", team))
			p.whose = team;
		return p;
	}
	if (n >= 250 && kl_i64(c, s->state, "skip", 0) < 250 * CAL_MAX_PAGES)
		return ask_members(c, s, me, keep);
	return cal_not_proven(c, event_type,
		"is a team's, of which this key's account is neither owner nor admin", team_remedy);
}

struct cal_proof v2_prove(kl_call *c, const kl_step *s, kl_str event_type, const kl_val *keep)
{
	kl_str asked = cal_text(c, s->state, "ask");
	if (!cal_at(c, s, "proof"))
		return ask_type(c, s, event_type, keep);
	if (!cal_good(s->response))
		return cal_not_told(c, s, &v2_dialect, event_type);
	if (kl_eq(asked, "type"))
		return of_type(c, s, event_type, keep);
	return kl_eq(asked, "me") ? of_me(c, s, event_type, keep)
				  : of_members(c, s, event_type, keep);
}
