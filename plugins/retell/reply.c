/* reply.c - what a waiting caller hears, in the shape the vendor documents.
 *
 * Never sends a variable that is not text (one wrong type voids the whole answer at the vendor)
 * and never says that something was done when no pipeline did it.
 * Pure: runs on any thread. */
#include "retell.h"

enum { FUNCTION_LIMIT = 15000 }; /* the vendor cuts there, in the middle of the JSON */

static const kl_answer *answer_json(kl_call *c, const kl_val *v)
{
	kl_answer *a = KL_NEW(c, kl_answer);
	if (!a)
		return NULL;
	a->kind = KL_ACCEPT;
	a->status = 200;
	a->content_type = "application/json";
	a->body = c->host->to_json(c, v);
	return a;
}

/* ---- Variables ---- */

/* Retell computes these itself; setting them shadows the truth or fails. */
static int is_reserved(kl_str name)
{
	static const char *const names[] = {"session_type", "session_duration",
		"session_duration_ms", "current_agent_state", "previous_agent_state",
		"current_node", "previous_node", "direction", "user_number", "agent_number",
		"call_id", "call_type", "chat_id"};
	static const char *const zoned[] = {"current_time", "current_hour", "current_calendar"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (kl_eq(name, names[i]))
			return 1;
	for (size_t i = 0; i < sizeof(zoned) / sizeof(zoned[0]); i++) {
		size_t n = strlen(zoned[i]);
		if (kl_eq(name, zoned[i]) || (kl_starts(name, zoned[i]) && name.ptr[n] == '_'))
			return 1;
	}
	return 0;
}

/* A list becomes one sentence part, "16:30, 17:15". */
static kl_str spoken_list(kl_call *c, const kl_val *list)
{
	kl_str all = KL_LIT("");
	for (uint32_t i = 0; i < c->host->count(list); i++) {
		const kl_val *item = c->host->at(list, i, NULL);
		uint32_t type = c->host->type(item);
		kl_str s = type == KL_ARRAY || type == KL_OBJECT ? c->host->to_json(c, item)
								 : c->host->text(item);
		if (s.len)
			all = all.len ? KL_CAT(c, all, KL_LIT(", "), s) : s;
	}
	return all;
}

static kl_str as_text(kl_call *c, const kl_val *v)
{
	kl_str none = {0, 0, 0};
	switch (c->host->type(v)) {
	case KL_TEXT:
	case KL_NUMBER:
		return c->host->text(v);
	case KL_BOOL:
		return kl_true(c, v, "") ? KL_LIT("true") : KL_LIT("false");
	case KL_ARRAY:
		return spoken_list(c, v);
	case KL_OBJECT:
		return c->host->to_json(c, v);
	default: /* null: the agent's own default counts */
		return none;
	}
}

static const kl_val *text_variables(kl_call *c, const kl_val *variables)
{
	kl_val *out = c->host->object(c);
	uint32_t kept = 0;
	for (uint32_t i = 0; i < c->host->count(variables); i++) {
		kl_str name;
		kl_str text = as_text(c, c->host->at(variables, i, &name));
		if (!text.ptr)
			continue;
		if (is_reserved(name)) {
			c->host->log(c, 2,
				KL_CAT(c, KL_LIT("Variable \""), name,
					KL_LIT("\" is not sent: Retell reserves that name"))
					.ptr);
			continue;
		}
		c->host->set(c, out, name, c->host->of_text(c, text));
		kept++;
	}
	return kept ? out : NULL;
}

/* ---- Before the call is picked up ---- */

static const char *inbound_name(kl_call *c, const kl_inbound *in)
{
	const kl_val *body = c->host->from_json(c, in->body);
	return kl_eq(kl_text(c, body, "event"), "chat_inbound") ? "chat_inbound" : "call_inbound";
}

static const kl_val *only_object(kl_call *c, const kl_val *v)
{
	return c->host->type(v) == KL_OBJECT && c->host->count(v) ? v : NULL;
}

static const kl_answer *reply_inbound(kl_call *c, const kl_reply *r)
{
	kl_val *out = c->host->object(c), *inner = c->host->object(c);
	const kl_val *reject = c->host->find(r->result, "reject");
	if (c->host->type(reject) == KL_BOOL && kl_true(c, reject, "")) {
		/* Alone: an error in any other member would void the rejection. */
		kl_set_bool(c, inner, "reject", 1);
	} else if (r->outcome != KL_REPLY_NONE) {
		kl_set_text(c, inner, "override_agent_id", retell_words(c, r->result, "agent"));
		kl_set(c, inner, "override_agent_version",
			c->host->find(r->result, "agent_version"));
		kl_set(c, inner, "dynamic_variables",
			text_variables(c, c->host->find(r->result, "variables")));
		kl_set(c, inner, "metadata", only_object(c, c->host->find(r->result, "metadata")));
		kl_set(c, inner, "agent_override",
			only_object(c, c->host->find(r->result, "agent_override")));
	}
	kl_set(c, out, inbound_name(c, r->inbound), inner);
	return answer_json(c, out);
}

/* ---- In the call ---- */

static kl_str unanswered(kl_call *c, const kl_inbound *in)
{
	kl_str own = retell_words(c, in->config, "unanswered");
	return own.ptr ? own : KL_LIT(RETELL_UNANSWERED);
}

static const kl_answer *reply_function(kl_call *c, const kl_reply *r)
{
	kl_val *out = c->host->object(c);
	if (r->outcome == KL_REPLY_NONE) {
		kl_set_bool(c, out, "success", 0);
		kl_set_text(c, out, "say", unanswered(c, r->inbound));
		return answer_json(c, out);
	}
	if (c->host->to_json(c, r->result).len <= FUNCTION_LIMIT)
		return answer_json(c, r->result);
	c->host->log(c, 2,
		"The result is longer than the 15,000 characters Retell reads: only its "
		"\"say\" is sent");
	kl_set_text(c, out, "say", retell_words(c, r->result, "say"));
	kl_set_bool(c, out, "shortened", 1);
	return answer_json(c, out);
}

const kl_answer *retell_reply(kl_call *c, const kl_reply *r)
{
	if (strcmp(r->inbound->route, "inbound") == 0)
		return reply_inbound(c, r);
	if (strcmp(r->inbound->route, "function") == 0)
		return reply_function(c, r);
	return NULL;
}
