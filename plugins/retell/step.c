/* step.c - requests to Retell's REST API, and what their answers mean.
 *
 * Never sends injected words twice: an unknown outcome is looked up in the call itself. Never takes
 * a 2xx for success before its shape is known. Pure: runs on any thread. */
#include "retell.h"

enum { MESSAGE_LIMIT = 200, MOST_METADATA = 50000 };

/* ---- Failures ---- */

const kl_next *retell_bad_input(kl_call *c, const char *message)
{
	return kl_failed(c, KL_BAD_INPUT, NULL, message);
}

const kl_next *retell_surprise(kl_call *c, const char *message)
{
	return kl_failed(c, KL_SURPRISE, NULL, message);
}

/* The vendor's own sentence, if it sent one, cut at a character's border. */
static kl_str vendor_words(kl_call *c, const kl_response *r)
{
	kl_str s = retell_words(c, r->json, "message");
	uint32_t end = MESSAGE_LIMIT;
	if (s.len <= MESSAGE_LIMIT)
		return s;
	while (end && ((unsigned char)s.ptr[end] & 0xc0) == 0x80)
		end--;
	return kl_slice(c, s, 0, end);
}

static const struct status {
	uint32_t from, to, fail;
	const char *text;
} statuses[] = {
	{400, 400, KL_BAD_INPUT, "Retell does not accept the request"},
	{401, 401, KL_BAD_AUTH, "Retell refuses the API key: set a valid api_key"},
	{402, 402, KL_BAD_AUTH,
		"Retell's account needs attention: trial over, or a payment is missing"},
	{403, 403, KL_BAD_AUTH,
		"The API key's scope does not allow this: widen it in Retell's dashboard"},
	{404, 404, KL_GONE, "Retell does not know this id (any more)"},
	{408, 408, KL_BROKEN, "Retell gave up waiting for the request"},
	{409, 409, KL_CONFLICT, "Retell reports a conflicting change"},
	{412, 412, KL_CONFLICT, "It was changed at Retell meanwhile"},
	{422, 422, KL_GONE, "Retell does not know this id under this API key"},
	{429, 429, KL_BUSY, "Retell asks to slow down"},
	{500, 599, KL_BROKEN, "Retell has a fault"},
};

static const kl_next *failed_status(
	kl_call *c, const kl_response *r, uint32_t fail, const char *text)
{
	kl_str words = vendor_words(c, r);
	kl_str digits = retell_digits(c, r->status);
	kl_str message = KL_CAT(c, kl_s(text), KL_LIT(" (HTTP "), digits,
		words.len ? KL_LIT(": ") : KL_LIT(""), words, KL_LIT(")"));
	kl_next *n = KL_NEW(c, kl_next);
	if (!n)
		return NULL;
	n->then = KL_FAIL;
	n->fail = fail;
	n->code = digits.ptr;
	n->message = message.ptr;
	if (fail == KL_BUSY) /* 0: the host's own pause, which grows */
		n->wait_ms = r->retry_after_ms;
	return n;
}

static const kl_next *no_answer(kl_call *c, const kl_response *r)
{
	const char *reason = r->reason ? r->reason : "no reason given";
	return kl_failed(c, KL_BROKEN, NULL,
		KL_CAT(c, KL_LIT("No usable answer from Retell: "), kl_s(reason)).ptr);
}

const kl_next *retell_failure(kl_call *c, const kl_response *r)
{
	if (!r)
		return retell_surprise(c, "The host gave no response");
	if (r->outcome != KL_ANSWERED && r->status < 400)
		return no_answer(c, r);
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		if (r->status >= statuses[i].from && r->status <= statuses[i].to)
			return failed_status(c, r, statuses[i].fail, statuses[i].text);
	if (r->status < 200 || r->status > 299)
		return failed_status(
			c, r, KL_SURPRISE, "Retell answered with an unexpected status");
	if (c->host->type(r->json) != KL_OBJECT)
		return failed_status(c, r, KL_SURPRISE, "Retell's answer is no JSON object");
	return NULL;
}

/* ---- Requests ---- */

kl_request *retell_request(kl_call *c, const char *method, kl_str url, const char *label)
{
	kl_request *r = KL_NEW(c, kl_request);
	if (!r)
		return NULL;
	r->repeat = KL_SAFE;
	r->method = method;
	r->url = url;
	r->auth = "api_key";
	r->label = label;
	return r;
}

static kl_str path_with(kl_call *c, kl_str path, kl_str id)
{
	return KL_CAT(c, path, c->host->encode(c, "percent", id));
}

static const kl_next *get_call(kl_call *c, kl_str id, const kl_val *state)
{
	return kl_send(c,
		retell_request(c, "GET", path_with(c, KL_LIT("/v2/get-call/"), id), "get-call"),
		state);
}

/* ---- test ---- */

static const kl_next *step_test(kl_call *c, const kl_step *s)
{
	const kl_next *failure;
	kl_val *result;
	if (s->why == KL_START)
		return kl_send(c,
			retell_request(c, "GET", KL_LIT("/get-api-key-info"), "get-api-key-info"),
			NULL);
	failure = retell_failure(c, s->response);
	if (failure)
		return failure;
	if (c->host->type(c->host->find(s->response->json, "org_name")) != KL_TEXT)
		return retell_surprise(c, "Retell's answer names no workspace (org_name)");
	result = c->host->object(c);
	kl_set_bool(c, result, "ok", 1);
	kl_set_text(c, result, "workspace", kl_text(c, s->response->json, "org_name"));
	kl_set_text(c, result, "key_name", retell_words(c, s->response->json, "api_key_name"));
	return kl_done(c, result);
}

/* ---- call ---- */

static const kl_next *step_call(kl_call *c, const kl_step *s)
{
	kl_str id = retell_words(c, s->input, "call_id");
	const kl_next *failure;
	if (!id.ptr)
		return retell_bad_input(c, "\"call_id\" is missing, empty or no text");
	if (s->why == KL_START)
		return get_call(c, id, NULL);
	failure = retell_failure(c, s->response);
	if (failure)
		return failure;
	if (!kl_eq(retell_words(c, s->response->json, "call_id"), id.ptr))
		return retell_surprise(c, "Retell's answer is not the call that was asked for");
	if (kl_true(c, s->input, "emit"))
		retell_emit_call(c, s->response->json);
	return kl_done(c, retell_call_data(c, s->response->json, RETELL_ANY));
}

/* ---- agent ---- */

static void copy(kl_call *c, kl_val *o, const char *key, const kl_val *v, const char *path)
{
	if (kl_has(c, v, path))
		kl_set(c, o, key, c->host->find(v, path));
}

/* raw: what a check of the agent's settings needs beyond the names below. */
static kl_val *agent_data(kl_call *c, const kl_val *agent)
{
	static const char *const same[] = {"version", "language", "timezone", "voice_id",
		"webhook_url", "webhook_events", "webhook_timeout_ms", "response_engine"};
	kl_val *o = c->host->object(c);
	copy(c, o, "agent", agent, "agent_id");
	copy(c, o, "name", agent, "agent_name");
	copy(c, o, "published", agent, "is_published");
	copy(c, o, "tags", agent, "assigned_tags");
	copy(c, o, "modified_ms", agent, "last_modification_timestamp");
	copy(c, o, "analysis_fields", agent, "post_call_analysis_data");
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		copy(c, o, same[i], agent, same[i]);
	kl_set(c, o, "raw", agent);
	return o;
}

static const kl_next *step_agent(kl_call *c, const kl_step *s)
{
	kl_str id = retell_words(c, s->input, "agent");
	kl_str version = kl_text(c, s->input, "version");
	const kl_next *failure;
	kl_str url;
	if (!id.ptr)
		return retell_bad_input(c, "\"agent\" is missing, empty or no text");
	if (s->why == KL_START) {
		url = path_with(c, KL_LIT("/get-agent/"), id);
		if (version.len)
			url = path_with(c, KL_CAT(c, url, KL_LIT("?version=")), version);
		return kl_send(c, retell_request(c, "GET", url, "get-agent"), NULL);
	}
	failure = retell_failure(c, s->response);
	if (failure)
		return failure;
	if (!retell_words(c, s->response->json, "agent_id").ptr)
		return retell_surprise(c, "Retell's answer has no agent_id");
	return kl_done(c, agent_data(c, s->response->json));
}

/* ---- update_call ---- */

/* Variables go out as text only; null is refused here since it would remove all of them there. */
static const char *variables_fault(kl_call *c, const kl_val *input)
{
	const kl_val *variables = c->host->find(input, "variables");
	if (!kl_has(c, input, "variables"))
		return NULL;
	if (c->host->type(variables) != KL_OBJECT)
		return "\"variables\" is no object";
	for (uint32_t i = 0; i < c->host->count(variables); i++) {
		kl_str name;
		uint32_t type = c->host->type(c->host->at(variables, i, &name));
		if (type != KL_TEXT && type != KL_NUMBER && type != KL_BOOL)
			return "\"variables\" may hold text, numbers and true or false only";
		if (retell_is_reserved(name))
			return KL_CAT(c, KL_LIT("\"variables\" holds \""), name,
				KL_LIT("\", which Retell computes itself: choose another name"))
				.ptr;
	}
	return NULL;
}

static const char *metadata_fault(kl_call *c, const kl_val *input)
{
	const kl_val *metadata = c->host->find(input, "metadata");
	if (!kl_has(c, input, "metadata"))
		return NULL;
	if (c->host->type(metadata) != KL_OBJECT)
		return "\"metadata\" is no object";
	if (c->host->to_json(c, metadata).len > MOST_METADATA)
		return "\"metadata\" is longer than the 50 kB that Retell takes";
	return NULL;
}

static kl_val *text_members(kl_call *c, const kl_val *variables)
{
	kl_val *out = c->host->object(c);
	for (uint32_t i = 0; i < c->host->count(variables); i++) {
		kl_str name;
		const kl_val *v = c->host->at(variables, i, &name);
		c->host->set(c, out, name, c->host->of_text(c, c->host->text(v)));
	}
	return out;
}

static kl_str update_body(kl_call *c, const kl_val *input)
{
	kl_val *body = c->host->object(c);
	kl_val *fields = c->host->object(c), *control = c->host->object(c);
	if (c->host->count(c->host->find(input, "variables")))
		kl_set(c, fields, "override_dynamic_variables",
			text_members(c, c->host->find(input, "variables")));
	copy(c, fields, "metadata", input, "metadata");
	kl_set_text(c, control, "additional_context", retell_words(c, input, "context"));
	if (kl_true(c, input, "respond"))
		kl_set_bool(c, control, "trigger_response", 1);
	if (c->host->count(fields))
		kl_set(c, body, "fields_to_override", fields);
	if (c->host->count(control))
		kl_set(c, body, "call_control", control);
	return c->host->count(body) ? c->host->to_json(c, body) : (kl_str){0, 0, 0};
}

static const kl_next *send_update(kl_call *c, const kl_step *s, kl_str id)
{
	const char *fault = variables_fault(c, s->input);
	kl_str body;
	kl_request *r;
	if (!fault)
		fault = metadata_fault(c, s->input);
	if (fault)
		return retell_bad_input(c, fault);
	body = update_body(c, s->input);
	if (!body.ptr)
		return retell_bad_input(c, "Nothing to update: give \"variables\", \"metadata\", "
					   "\"context\" or \"respond\"");
	r = retell_request(
		c, "PATCH", path_with(c, KL_LIT("/v2/update-live-call/"), id), "update-live-call");
	if (!r)
		return NULL;
	r->content_type = "application/json";
	r->body = body;
	if (retell_words(c, s->input, "context").ptr || kl_true(c, s->input, "respond"))
		r->repeat = KL_NEVER; /* setting is harmless, saying something twice is not */
	return kl_send(c, r, NULL);
}

static int was_injected(kl_call *c, const kl_val *turns, kl_str context)
{
	for (uint32_t i = 0; i < c->host->count(turns); i++) {
		const kl_val *turn = c->host->at(turns, i, NULL);
		kl_str content = kl_text(c, turn, "content");
		if (kl_eq(kl_text(c, turn, "role"), "injected") && content.len == context.len &&
			kl_eq(content, context.ptr))
			return 1;
	}
	return 0;
}

static kl_val *updated(kl_call *c, kl_str id)
{
	kl_val *result = c->host->object(c);
	kl_set_text(c, result, "call_id", id);
	kl_set_bool(c, result, "updated", 1);
	return result;
}

/* What was injected stands in the call's own transcript. */
static const kl_next *judge_lookup(kl_call *c, const kl_step *s, kl_str id)
{
	kl_str context = retell_words(c, s->input, "context");
	const kl_val *turns = NULL;
	if (retell_failure(c, s->response))
		return kl_then(c, KL_UNSURE,
			"The call could not be read, so nobody knows whether the "
			"agent was told");
	turns = c->host->find(s->response->json, "transcript_with_tool_calls");
	if (was_injected(c, turns, context))
		return kl_done(c, updated(c, id));
	if (c->host->type(turns) != KL_ARRAY)
		return kl_then(c, KL_UNSURE,
			"The call shows no transcript, so nobody knows whether the "
			"agent was told");
	return kl_then(c, KL_ABSENT, NULL);
}

static const kl_next *step_update(kl_call *c, const kl_step *s)
{
	kl_str id = retell_words(c, s->input, "call_id");
	const kl_next *failure;
	if (!id.ptr)
		return retell_bad_input(c, "\"call_id\" is missing, empty or no text");
	if (s->why == KL_START)
		return send_update(c, s, id);
	if (s->why == KL_LOOKUP && !retell_words(c, s->input, "context").ptr)
		return kl_then(c, KL_UNSURE, "Whether the agent was made to speak leaves no trace");
	if (s->why == KL_LOOKUP)
		return get_call(c, id, NULL);
	if (s->looking)
		return judge_lookup(c, s, id);
	failure = retell_failure(c, s->response);
	if (failure)
		return failure;
	if (!kl_true(c, s->response->json, "success"))
		return retell_surprise(c, "Retell's answer does not say that the call was updated");
	return kl_done(c, updated(c, id));
}

/* ---- The table ---- */

static const struct {
	const char *name;
	const kl_next *(*step)(kl_call *, const kl_step *);
} ops[] = {
	{"test", step_test},
	{"call", step_call},
	{"calls", retell_calls},
	{"poll_calls", retell_poll_calls},
	{"agents", retell_agents},
	{"agent", step_agent},
	{"update_call", step_update},
};

const kl_next *retell_step(kl_call *c, const kl_step *s)
{
	if (s->why != KL_START && s->why != KL_RESPONSE && s->why != KL_LOOKUP)
		return retell_surprise(c, "This plugin never waits, and was woken");
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		if (strcmp(s->op, ops[i].name) == 0)
			return ops[i].step(c, s);
	return retell_bad_input(c, "No such operation");
}
