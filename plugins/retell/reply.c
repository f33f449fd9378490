/* reply.c - what a waiting caller hears, in the shape the vendor documents.
 *
 * Never sends a variable that is not text (one wrong type voids the whole answer at the vendor)
 * and never says that something was done when no pipeline did it.
 * Pure: runs on any thread. */
#include "retell.h"

enum {
	FUNCTION_LIMIT = 15000, /* the vendor cuts there, in the middle of the JSON */
	MOST_SAID = 4000        /* bytes; minutes of talking */
};

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

int retell_is_reserved(kl_str name)
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
		if (retell_is_reserved(name)) {
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

/* A number in the vendor's sample, in other places of its API also a tag. SQL brings NULL, and
 * numbers as text; one member of a wrong type voids the whole answer at the vendor. */
static const kl_val *agent_version(kl_call *c, const kl_reply *r)
{
	const kl_val *given = c->host->find(r->result, "agent_version");
	kl_str text = c->host->text(given);
	int is_text = c->host->type(given) == KL_TEXT;
	int64_t number = c->host->i64(is_text ? c->host->from_json(c, text) : given, -1);
	if (number >= 0)
		return c->host->of_i64(c, number);
	if (is_text && text.len && text.ptr[0] >= 'a' && text.ptr[0] <= 'z')
		return given;
	if (kl_has(c, given, "") && (text.len || !is_text))
		c->host->log(
			c, 2, "\"agent_version\" is not sent: it must be a whole number or a tag");
	return NULL;
}

/* The documented shape. Also what rejects a call: the older one has no word for it. */
static kl_val *documented_shape(kl_call *c, const kl_reply *r)
{
	kl_val *inner = c->host->object(c);
	kl_set_text(c, inner, "override_agent_id", retell_words(c, r->result, "agent"));
	kl_set(c, inner, "override_agent_version", agent_version(c, r));
	kl_set(c, inner, "dynamic_variables",
		text_variables(c, c->host->find(r->result, "variables")));
	kl_set(c, inner, "metadata", only_object(c, c->host->find(r->result, "metadata")));
	kl_set(c, inner, "agent_override",
		only_object(c, c->host->find(r->result, "agent_override")));
	return inner;
}

/* What listeners of before understand: an agent and variables, nothing else. */
static kl_val *older_shape(kl_call *c, const kl_reply *r)
{
	static const char *const lost[] = {"agent_version", "metadata", "agent_override"};
	kl_val *inner = c->host->object(c);
	kl_set_text(c, inner, "agent_id", retell_words(c, r->result, "agent"));
	kl_set(c, inner, "dynamic_variables",
		text_variables(c, c->host->find(r->result, "variables")));
	for (size_t i = 0; i < sizeof(lost) / sizeof(lost[0]); i++)
		if (kl_has(c, r->result, lost[i]))
			c->host->log(c, 2,
				KL_CAT(c, KL_LIT("\""), kl_s(lost[i]),
					KL_LIT("\" is not sent: the older shape of "
					       "inbound_answer has no place for it"))
					.ptr);
	return inner;
}

static const kl_answer *reply_inbound(kl_call *c, const kl_reply *r)
{
	kl_val *out = c->host->object(c), *inner = c->host->object(c);
	const kl_val *reject = c->host->find(r->result, "reject");
	const char *name = inbound_name(c, r->inbound);
	int older = kl_eq(kl_text(c, r->inbound->config, "inbound_answer"), "predecessor") &&
		    strcmp(name, "call_inbound") == 0; /* nobody ever answered texts that way */
	if (c->host->type(reject) == KL_BOOL && kl_true(c, reject, "")) {
		/* Alone: an error in any other member would void the rejection. */
		kl_set_bool(c, inner, "reject", 1);
		older = 0;
	} else if (r->outcome != KL_REPLY_NONE) {
		inner = older ? older_shape(c, r) : documented_shape(c, r);
	}
	kl_set(c, out, older ? "response" : name, inner);
	return answer_json(c, out);
}

/* ---- In the call ---- */

static kl_str unanswered(kl_call *c, const kl_inbound *in)
{
	kl_str own = retell_words(c, in->config, "unanswered");
	return own.ptr ? own : KL_LIT(RETELL_UNANSWERED);
}

static int is_flat(kl_call *c, const kl_val *v)
{
	uint32_t type = c->host->type(v);
	return type == KL_TEXT || type == KL_NUMBER || type == KL_BOOL;
}

/* Bytes of the object so far; a character is never less than one. */
static uint32_t room_left(kl_call *c, const kl_val *out)
{
	uint32_t len = c->host->to_json(c, out).len + (uint32_t)sizeof(",\"shortened\":true");
	return len < FUNCTION_LIMIT ? FUNCTION_LIMIT - len : 0;
}

static int fits(kl_call *c, const kl_val *out, kl_str key, const kl_val *v)
{
	uint32_t need = c->host->to_json(c, c->host->of_text(c, key)).len +
			c->host->to_json(c, v).len + (uint32_t)sizeof(":,");
	return need <= room_left(c, out);
}

/* As many items as fit, the first ones: those are the nearest to the wish. */
static const kl_val *first_items(kl_call *c, const kl_val *list, uint32_t room)
{
	kl_val *kept = c->host->array(c);
	uint32_t used = 0, count = 0;
	for (uint32_t i = 0; i < c->host->count(list); i++, count++) {
		const kl_val *item = c->host->at(list, i, NULL);
		used += c->host->to_json(c, item).len + 1;
		if (used > room)
			break;
		c->host->push(c, kept, item);
	}
	return count ? kept : NULL;
}

/* A member that may be too long; whether all of it went in. */
static int add_what_fits(kl_call *c, kl_val *out, kl_str key, const kl_val *v)
{
	uint32_t around = key.len * 6 + (uint32_t)sizeof("\"\":[],");
	if (fits(c, out, key, v)) {
		c->host->set(c, out, key, v);
		return 1;
	}
	if (c->host->type(v) == KL_ARRAY && room_left(c, out) > around)
		c->host->set(c, out, key, first_items(c, v, room_left(c, out) - around));
	return 0;
}

/* Members but for those that are there already; whether all went in. */
static int add_members(kl_call *c, kl_val *out, const kl_val *result, int flat, int short_enough)
{
	int all = 1;
	for (uint32_t i = 0; i < c->host->count(result); i++) {
		kl_str key;
		const kl_val *v = c->host->at(result, i, &key);
		if (is_flat(c, v) != flat || kl_eq(key, "success") || kl_eq(key, "say"))
			continue;
		if (short_enough)
			c->host->set(c, out, key, v);
		else
			all &= add_what_fits(c, out, key, v);
	}
	return all;
}

static kl_str sayable(kl_call *c, kl_str say)
{
	uint32_t end = MOST_SAID;
	if (say.len <= MOST_SAID)
		return say;
	while (end && ((unsigned char)say.ptr[end] & 0xc0) == 0x80)
		end--;
	return kl_slice(c, say, 0, end);
}

/* Did it work? What the pipeline says counts (SQL says 1); else that it came to its end. */
static int success(kl_call *c, const kl_reply *r)
{
	if (kl_has(c, r->result, "success"))
		return kl_true(c, r->result, "success");
	return r->result && (r->outcome == KL_REPLY_DONE || r->outcome == KL_REPLY_REPEAT);
}

/* "success" and "say" in front: the agent reads from the beginning, and so does whoever cuts. */
static kl_val *begun(kl_call *c, const kl_reply *r)
{
	kl_val *out = c->host->object(c);
	kl_str say = kl_text(c, r->result, "say");
	int good = r->outcome != KL_REPLY_NONE && success(c, r);
	if (!say.ptr || r->outcome == KL_REPLY_NONE)
		say = good ? KL_LIT("") : unanswered(c, r->inbound);
	kl_set_bool(c, out, "success", good);
	kl_set_text(c, out, "say", sayable(c, say));
	return out;
}

static const kl_answer *reply_function(kl_call *c, const kl_reply *r)
{
	const kl_val *result = r->outcome == KL_REPLY_NONE ? NULL : r->result;
	kl_val *out = begun(c, r);
	uint32_t len = c->host->to_json(c, result).len + c->host->to_json(c, out).len;
	int all, short_enough = len <= FUNCTION_LIMIT;
	/* Texts, numbers and flags first, since the agent reads those; then lists. */
	all = add_members(c, out, result, 1, short_enough);
	all &= add_members(c, out, result, 0, short_enough);
	if (!all || kl_text(c, result, "say").len > MOST_SAID) {
		c->host->log(c, 2,
			"The result is longer than the 15,000 characters Retell reads: what does "
			"not fit is left out");
		kl_set_bool(c, out, "shortened", 1);
	}
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
