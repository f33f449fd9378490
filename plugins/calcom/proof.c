/* proof.c - is what a list does not have not there? What both dialects' prove() is made of, and
 * what test tells of it beforehand.
 *
 * A key lists what its account may see, and says nothing of the rest. Whoever takes the rest for
 * absent books twice. So each dialect asks whose the event type is and who the key is; an answer
 * that fails, or that nobody understands, proves nothing. Pure; any thread. */
#include "calcom.h"

static const char *const carried[] = {"me", "team", "owner"};

struct cal_proof cal_ask(kl_call *c, const kl_step *s, const kl_request *r, const char *name,
	const kl_val *keep, const kl_val *more)
{
	struct cal_proof p = {0};
	kl_val *state = cal_state(c, "proof");
	kl_set_text(c, state, "ask", kl_s(name));
	kl_set(c, state, "keep", keep);
	for (uint32_t i = 0; i < sizeof(carried) / sizeof(carried[0]); i++) {
		kl_str known = cal_text(c, more, carried[i]);
		kl_set_text(c, state, carried[i],
			known.ptr ? known : cal_text(c, s->state, carried[i]));
	}
	kl_set(c, state, "skip", c->host->find(more, "skip"));
	p.ask = kl_send(c, r, state);
	return p;
}

struct cal_proof cal_not_proven(kl_call *c, kl_str event_type, const char *why, const char *remedy)
{
	struct cal_proof p = {0};
	p.why = KL_CAT(c, KL_LIT("event type "), event_type, KL_LIT(" "), kl_s(why));
	p.remedy = kl_s(remedy);
	return p;
}

/* Refused or hidden: the key sees too little. Anything else is no word about the key. */
struct cal_proof cal_not_told(
	kl_call *c, const kl_step *s, const struct cal_dialect *d, kl_str event_type)
{
	struct cal_proof p = {0};
	struct cal_failure f = cal_classify(c, d, s->response);
	int ours = f.code && strcmp(f.code, "api_version") == 0;
	if ((f.status == 403 || f.status == 404) && !ours)
		return cal_not_proven(
			c, event_type, "is hidden from this API key, or its team is", d->remedy);
	p.ask = cal_bad_answer(c, s, d);
	return p;
}

const kl_next *cal_test_done(
	kl_call *c, const kl_step *s, const struct cal_dialect *d, const kl_val *out)
{
	kl_str event_type = cal_text(c, s->input, "event_type");
	kl_val *told = c->host->object(c);
	struct cal_proof p = d->prove(c, s, event_type, out);
	if (p.ask)
		return p.ask;
	for (uint32_t i = 0; i < c->host->count(out); i++) {
		kl_str key = {0, 0, 0};
		const kl_val *v = c->host->at(out, i, &key);
		c->host->set(c, told, key, v);
	}
	kl_set_bool(c, told, "provable", !p.why.ptr);
	kl_set_text(c, told, "reason", p.why);
	kl_set_text(c, told, "remedy", p.remedy);
	return kl_done(c, told);
}
