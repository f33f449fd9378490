/* acme.c - Acme: creates a ticket there, and hears when one was changed.
 *
 * Replace what says "ticket" by what your vendor's API document says, and the cases with it. */
#include <klinke/sugar.h>

/* ---- Inbound: is it genuine, and what does it mean? ---- */

/* The host has the secret: it compares HMAC-SHA256(hook_secret, body) with what came. */
static const kl_answer *verify(kl_call *c, const kl_inbound *in)
{
	kl_answer *a = KL_NEW(c, kl_answer);
	kl_mac *mac = KL_NEW(c, kl_mac);
	kl_str *texts = (kl_str *)c->host->alloc(c, 2 * sizeof(kl_str));

	if (!a || !mac || !texts)
		return 0;
	texts[0] = in->body;
	texts[1] = c->host->decode(c, "hex", kl_pair_get(in->headers, "x-acme-signature"));
	a->kind = texts[1].len == 32 ? KL_ACCEPT : KL_REJECT;
	a->reason = "header x-acme-signature is missing, or not 64 hex digits";
	mac->hash = "sha256";
	mac->secret = "hook_secret";
	mac->pieces = (kl_list){&texts[0], 1, sizeof(kl_str)};
	mac->macs = (kl_list){&texts[1], 1, sizeof(kl_str)};
	c->host->require_mac(c, mac);
	return a;
}

static int normalize(kl_call *c, const kl_inbound *in)
{
	const kl_val *body = c->host->from_json(c, in->body);
	kl_event *e = KL_NEW(c, kl_event);

	if (!e || !kl_text(c, body, "event_id").len)
		return KL_BAD_INPUT; /* the host keeps the bytes and shows them to a person */
	e->type = "ticket.changed";
	e->dedupe = kl_text(c, body, "event_id"); /* the same id again is no second event */
	e->subject = KL_CAT(c, KL_LIT("ticket:"), kl_text(c, body, "ticket.id"));
	e->regarding = kl_text(c, body, "ticket.key"); /* ours, if we made it */
	e->data = c->host->find(body, "ticket");
	c->host->emit(c, e);
	return 0;
}

/* ---- Outbound: create ---- */

static const kl_next *send(kl_call *c, const char *method, kl_str url, const kl_val *body)
{
	kl_request *r = KL_NEW(c, kl_request);

	if (!r)
		return 0;
	r->repeat = body ? KL_NEVER : KL_SAFE; /* creating twice makes two */
	r->method = method;
	r->url = url; /* below option base_url */
	r->auth = "key";
	r->label = body ? "create" : "find";
	r->content_type = body ? "application/json" : 0;
	r->body = body ? c->host->to_json(c, body) : KL_LIT("");
	return kl_send(c, r, 0);
}

/* s->key goes along, so that a lost answer can be looked up by it. */
static const kl_next *create(kl_call *c, const kl_step *s)
{
	kl_val *body = c->host->object(c);

	kl_set_text(c, body, "title", kl_text(c, s->input, "title"));
	kl_set_text(c, body, "key", s->key);
	return send(c, "POST", KL_LIT("/tickets"), body);
}

static const kl_next *created(kl_call *c, const kl_response *r)
{
	kl_next *busy;

	if (r->outcome != KL_ANSWERED)
		return kl_failed(c, KL_BROKEN, 0, "Acme could not be asked");
	if (r->status < 300 && kl_has(c, r->json, "id"))
		return kl_done(c, r->json);
	if (r->status == 401 || r->status == 403)
		return kl_failed(c, KL_BAD_AUTH, 0, "Acme refuses the key");
	if (r->status == 400 || r->status == 422)
		return kl_failed(c, KL_BAD_INPUT, 0, "Acme refuses the ticket as it is");
	if (r->status != 429)
		return kl_failed(c, KL_SURPRISE, 0, "Acme gave an answer that is not in its manual");
	busy = (kl_next *)kl_failed(c, KL_BUSY, 0, "Acme wants fewer requests");
	if (busy)
		busy->wait_ms = r->retry_after_ms;
	return busy;
}

/* The answer to GET /tickets?key=OURS tells what came of a lost POST. */
static const kl_next *looked(kl_call *c, const kl_response *r)
{
	const kl_val *list = c->host->find(r->json, "tickets");

	if (r->outcome != KL_ANSWERED || r->status != 200 || c->host->type(list) != KL_ARRAY)
		return kl_then(c, KL_UNSURE, "Acme does not say whether the ticket is there");
	if (c->host->count(list) == 0)
		return kl_then(c, KL_ABSENT, 0);
	if (c->host->type(c->host->at(list, 0, 0)) != KL_OBJECT)
		return kl_then(c, KL_UNSURE, "Acme's list holds something that is no ticket");
	return kl_done(c, c->host->at(list, 0, 0));
}

static const kl_next *step(kl_call *c, const kl_step *s)
{
	if (s->why == KL_START)
		return create(c, s);
	if (s->why == KL_LOOKUP)
		return send(c, "GET", KL_CAT(c, KL_LIT("/tickets?key="), s->key), 0);
	return s->looking ? looked(c, s->response) : created(c, s->response);
}

/* ---- What it declares ---- */

static const kl_option options[] = {
	{"api_key", KL_OPT_SECRET | KL_OPT_REQUIRED, 0, 0, 0, "key of the account at Acme"},
	{"hook_secret", KL_OPT_SECRET, 0, 0, 0, "signs Acme's webhooks"},
	{"base_url", KL_OPT_URL, 0, "https://api.acme.example", 0, "where Acme's API is"},
};
static const kl_op ops[] = {
	{"create", KL_OP_ACTION | KL_OP_LOOKUP, 0,
		"{\"type\":\"object\",\"required\":[\"title\"],"
		"\"properties\":{\"title\":{\"type\":\"string\"}}}",
		"creates a ticket"},
};
static const kl_route routes[] = {{"", 0, 0, "a ticket was changed"}};
static const kl_credential credentials[] = {{"key", KL_AUTH_BEARER, 0, "api_key", 0, 0}};
static const kl_plugin acme = {
	.size = sizeof(kl_plugin),
	.id = "org.example.acme",
	.version = "0.1.0",
	.summary = "Tickets at Acme",
	.events = "ticket.changed",
	.options = KL_LIST(options),
	.ops = KL_LIST(ops),
	.routes = KL_LIST(routes),
	.credentials = KL_LIST(credentials),
	.verify = verify,
	.normalize = normalize,
	.step = step,
};
KL_PLUGIN(&acme)
