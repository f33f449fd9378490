/* whatsapp.c - WhatsApp Business Platform, Cloud API: what it offers, and its operations.
 *
 * There is no idempotency key in this API and no way to ask for a message, so a send is NEVER
 * and its look-up is UNSURE; the status webhook carries our key back and settles it.
 */
#include "whatsapp.h"

static kl_str endpoint(kl_call *c, const kl_step *s, kl_str owner, const char *rest)
{
	return KL_CAT(
		c, KL_LIT("/"), kl_text(c, s->config, "version"), KL_LIT("/"), owner, kl_s(rest));
}

static kl_request *request(
	kl_call *c, uint32_t repeat, const char *method, kl_str url, const char *label)
{
	kl_request *r = KL_NEW(c, kl_request);
	if (!r)
		return 0;
	r->repeat = repeat;
	r->method = method;
	r->url = url;
	r->auth = "token";
	r->label = label;
	return r;
}

/* An answer without what was asked for. */
static const kl_next *unusable(kl_call *c, const kl_response *r)
{
	const kl_next *refusal = whatsapp_refusal(c, r);
	if (refusal)
		return refusal;
	if (r->outcome != KL_ANSWERED || r->status >= 500)
		return kl_failed(c, KL_BROKEN, 0, "WhatsApp did not answer");
	if (r->status == 401 || r->status == 403)
		return kl_failed(c, KL_BAD_AUTH, 0, "WhatsApp does not accept the token");
	if (r->status == 429) {
		kl_next *n = (kl_next *)kl_failed(c, KL_BUSY, 0, "WhatsApp asks for patience");
		if (n)
			n->wait_ms = r->retry_after_ms;
		return n;
	}
	return kl_failed(
		c, KL_SURPRISE, 0, "WhatsApp's answer is not the JSON its documentation promises");
}

static int good(const kl_response *r)
{
	return r && r->outcome == KL_ANSWERED && r->status >= 200 && r->status < 300;
}

/* ---- send -------------------------------------------------------------------------------------
 */

static const kl_next *send_message(kl_call *c, const kl_step *s)
{
	const char *problem;
	const kl_val *body = whatsapp_body(c, s, &problem);
	kl_request *r;

	if (!body && problem)
		return kl_failed(c, KL_BAD_INPUT, 0, problem);
	r = request(c, KL_NEVER, "POST",
		endpoint(c, s, kl_text(c, s->config, "phone_number_id"), "/messages"), "send");
	if (!r)
		return 0;
	r->content_type = "application/json";
	r->body = c->host->to_json(c, body);
	return kl_send(c, r, c->host->object(c));
}

static const kl_next *accepted(kl_call *c, const kl_step *s)
{
	const kl_val *j = s->response->json;
	kl_str id = kl_text(c, j, "messages.0.id"),
	       word = kl_text(c, j, "messages.0.message_status");
	kl_val *result;

	if (!good(s->response) || !id.len)
		return unusable(c, s->response);
	result = c->host->object(c);
	kl_set_text(c, result, "message_id", id);
	kl_set_text(c, result, "status", word.len ? word : KL_LIT("accepted"));
	kl_set_text(c, result, "to", kl_text(c, s->input, "to"));
	kl_set_text(c, result, "user_id", kl_text(c, j, "contacts.0.user_id"));
	kl_set_text(c, result, "key", s->key);
	return kl_done(c, result);
}

static const kl_next *step_send(kl_call *c, const kl_step *s)
{
	const kl_next *refusal;

	if (s->why == KL_START)
		return send_message(c, s);
	if (s->why == KL_RESPONSE && s->response)
		return accepted(c, s);
	refusal = s->response ? whatsapp_refusal(c, s->response) : 0;
	if (refusal)
		return refusal;
	return kl_then(c, KL_UNSURE,
		"WhatsApp cannot be asked whether it took the message; its status "
		"webhook will tell");
}

/* ---- mark_read, test ---------------------------------------------------------------------------
 */

static const kl_next *step_mark_read(kl_call *c, const kl_step *s)
{
	kl_str id = kl_text(c, s->input, "message_id");
	kl_val *body;
	kl_request *r;

	if (s->why == KL_RESPONSE && s->response)
		return good(s->response) ? kl_done(c, c->host->object(c))
					 : unusable(c, s->response);
	if (!id.len)
		return kl_failed(c, KL_BAD_INPUT, 0, "mark_read needs message_id");
	body = c->host->object(c);
	kl_set_text(c, body, "messaging_product", KL_LIT("whatsapp"));
	kl_set_text(c, body, "status", KL_LIT("read"));
	kl_set_text(c, body, "message_id", id);
	r = request(c, KL_SAFE, "POST",
		endpoint(c, s, kl_text(c, s->config, "phone_number_id"), "/messages"), "mark_read");
	if (!r)
		return 0;
	r->content_type = "application/json";
	r->body = c->host->to_json(c, body);
	return kl_send(c, r, c->host->object(c));
}

static const kl_next *step_test(kl_call *c, const kl_step *s)
{
	static const char *const fields[] = {
		"display_phone_number", "verified_name", "quality_rating", "status"};
	kl_val *result;

	if (s->why != KL_RESPONSE || !s->response)
		return kl_send(c,
			request(c, KL_SAFE, "GET",
				endpoint(c, s, kl_text(c, s->config, "phone_number_id"),
					"?fields=display_phone_number,verified_name,quality_rating,"
					"status"),
				"test"),
			c->host->object(c));
	if (!good(s->response) || !kl_has(c, s->response->json, "display_phone_number"))
		return unusable(c, s->response);
	result = c->host->object(c);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		kl_set_text(c, result, fields[i], kl_text(c, s->response->json, fields[i]));
	kl_set_text(c, result, "account", kl_text(c, s->response->json, "verified_name"));
	return kl_done(c, result);
}

/* ---- templates: page by page -------------------------------------------------------------------
 */

static const kl_next *templates_page(kl_call *c, const kl_step *s, kl_str after)
{
	kl_str path =
		endpoint(c, s, kl_text(c, s->config, "waba_id"), "/message_templates?limit=100");
	kl_val *state = c->host->object(c);

	if (after.len)
		path = KL_CAT(c, path, KL_LIT("&after="), c->host->encode(c, "percent", after));
	kl_set_text(c, state, "after", after);
	return kl_send(c, request(c, KL_SAFE, "GET", path, "templates"), state);
}

/* A list that promises more and gives no new key to it would be read for ever. */
static const kl_next *templates_more(kl_call *c, const kl_step *s)
{
	kl_str after = kl_text(c, s->response->json, "paging.cursors.after");

	if (!after.len || kl_eq(kl_text(c, s->state, "after"), after.ptr))
		return kl_failed(c, KL_SURPRISE, 0,
			"WhatsApp promises another page of templates and gives no new key to it");
	return templates_page(c, s, after);
}

static const kl_next *step_templates(kl_call *c, const kl_step *s)
{
	const kl_val *data;

	if (!kl_text(c, s->config, "waba_id").len)
		return kl_failed(
			c, KL_BAD_INPUT, 0, "set waba_id on this connection to read templates");
	if (s->why != KL_RESPONSE || !s->response)
		return templates_page(c, s, kl_s(0));
	data = c->host->find(s->response->json, "data");
	if (!good(s->response) || c->host->type(data) != KL_ARRAY)
		return unusable(c, s->response);
	for (uint32_t i = 0; i < c->host->count(data); i++) {
		const kl_val *t = c->host->at(data, i, 0);
		kl_val *row = c->host->object(c);
		kl_set_text(c, row, "id", kl_text(c, t, "id"));
		kl_set_text(c, row, "name", kl_text(c, t, "name"));
		kl_set_text(c, row, "language", kl_text(c, t, "language"));
		kl_set_text(c, row, "status", kl_text(c, t, "status"));
		kl_set_text(c, row, "category", kl_text(c, t, "category"));
		c->host->row(c, row);
	}
	if (kl_has(c, s->response->json, "paging.next"))
		return templates_more(c, s);
	return kl_done(c, c->host->object(c));
}

/* ---- What this plugin is ------------------------------------------------------------------------
 */

static const kl_next *step(kl_call *c, const kl_step *s)
{
	kl_str op = kl_s(s->op);

	if (kl_eq(op, "send"))
		return step_send(c, s);
	if (kl_eq(op, "mark_read"))
		return step_mark_read(c, s);
	if (kl_eq(op, "templates"))
		return step_templates(c, s);
	return step_test(c, s);
}

static int digits_only(kl_str s)
{
	for (uint32_t i = 0; i < s.len; i++)
		if (s.ptr[i] < '0' || s.ptr[i] > '9')
			return 0;
	return s.len > 0;
}

/* "v25.0": it becomes a part of every address. */
static int is_version(kl_call *c, kl_str s)
{
	uint32_t dot = 1;

	if (!kl_starts(s, "v"))
		return 0;
	while (dot < s.len && s.ptr[dot] != '.')
		dot++;
	return dot < s.len && digits_only(kl_slice(c, s, 1, dot)) &&
	       digits_only(kl_slice(c, s, dot + 1, s.len));
}

static void check(kl_call *c, const kl_val *config)
{
	if (!digits_only(kl_text(c, config, "phone_number_id")))
		c->host->problem(c, "phone_number_id",
			"is the id that Meta shows beside the number "
			"(digits only), not the phone number itself");
	if (kl_has(c, config, "waba_id") && !digits_only(kl_text(c, config, "waba_id")))
		c->host->problem(
			c, "waba_id", "is the id of the WhatsApp business account, digits only");
	if (!is_version(c, kl_text(c, config, "version")))
		c->host->problem(c, "version", "must look like v25.0");
}

static const kl_option options[] = {
	{"token", KL_OPT_SECRET | KL_OPT_REQUIRED, 0, 0, 0, "access token of a system user"},
	{"app_secret", KL_OPT_SECRET | KL_OPT_REQUIRED | KL_OPT_REPEATED, 0, 0, 0,
		"app secret of the Meta app; it signs the webhooks"},
	{"verify_token", KL_OPT_SECRET, 0, 0, 0,
		"what you typed as verify token in the app's webhook "
		"settings"},
	{"phone_number_id", KL_OPT_TEXT | KL_OPT_REQUIRED, 0, 0, 0, "id of the sending number"},
	{"waba_id", KL_OPT_TEXT, 0, 0, 0, "id of the WhatsApp business account; for templates"},
	{"language", KL_OPT_TEXT, 0, "de", 0, "language of templates unless the step names one"},
	{"version", KL_OPT_TEXT, 0, "v25.0", 0, "version of the Graph API"},
	{"base_url", KL_OPT_URL, 0, "https://graph.facebook.com", 0, "only for tests"},
};

static const kl_op ops[] = {
	{"test", KL_OP_ACTION, 0, 0, "reads the sending number: proves token and phone_number_id"},
	{"send", KL_OP_ACTION | KL_OP_LOOKUP, 0,
		"{\"type\":\"object\",\"allOf\":["
		"{\"anyOf\":[{\"required\":[\"to\"]},{\"required\":[\"phone\"]},"
		"{\"required\":[\"user_id\"]}]},"
		"{\"anyOf\":[{\"required\":[\"template\"]},{\"required\":[\"text\"]}]}],"
		"\"properties\":{\"to\":{\"type\":\"string\"},\"phone\":{\"type\":\"string\"},"
		"\"user_id\":{\"type\":\"string\"},\"template\":{\"type\":\"string\"},\"language\":"
		"{\"type\":\"string\"},"
		"\"header\":{\"type\":[\"object\",\"array\"]},\"params\":{\"type\":[\"object\","
		"\"array\"]},\"text\":{\"type\":\"string\"},"
		"\"buttons\":{"
		"\"type\":\"array\"},\"list\":{\"type\":\"array\"},\"button\":{\"type\":\"string\"}"
		","
		"\"reply_to\":{\"type\":\"string\"}}}",
		"sends a template, a text, or a text with buttons or a list"},
	{"mark_read", KL_OP_ACTION, 0,
		"{\"type\":\"object\",\"required\":[\"message_id\"],"
		"\"properties\":{\"message_id\":{\"type\":\"string\"}}}",
		"marks a received message as read"},
	{"templates", KL_OP_ACTION, 0, 0, "lists the message templates and their state"},
};

static const kl_route routes[] = {
	{"", 0, 0, "webhook of the Meta app, both the verification and the events"},
};

static const kl_credential credentials[] = {
	{"token", KL_AUTH_BEARER, 0, "token", 0, 0},
};

static const kl_plugin plugin = {
	.size = sizeof(kl_plugin),
	.state_version = 1,
	.id = "com.meta.whatsapp",
	.version = "1.0.0",
	.summary = "WhatsApp Business Platform (Cloud API): templates, texts, buttons, statuses",
	.events = "message.received message.sent message.delivered message.read message.failed "
		  "contact.changed template.changed messenger.problem messenger.other",
	.hosts = "graph.facebook.com",
	.options = KL_LIST(options),
	.ops = KL_LIST(ops),
	.routes = KL_LIST(routes),
	.credentials = KL_LIST(credentials),
	.check = check,
	.verify = whatsapp_verify,
	.normalize = whatsapp_normalize,
	.step = step,
};

KL_PLUGIN(&plugin)
