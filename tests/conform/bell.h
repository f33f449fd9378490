/* bell.h - a plugin that is fine, to be made bad in one place.
 *
 * A bell that can be rung ("ring") and looked for ("KL_LOOKUP"), and that tells when somebody
 * rings. Whoever includes this defines one of the words below before it. */
#include <klinke/sugar.h>

#ifndef VERIFY
#define VERIFY bell_verify
#endif
#ifndef NORMALIZE
#define NORMALIZE bell_normalize
#endif
#ifndef STEP
#define STEP bell_step
#endif
#ifndef ID
#define ID "org.example.bell"
#endif
#ifndef SCHEMA
#define SCHEMA "{\"type\":\"object\",\"properties\":{\"text\":{\"type\":\"string\"}}}"
#endif

static inline KL_UNUSED const kl_answer *bell_verify(kl_call *c, const kl_inbound *in)
{
	kl_answer *a = KL_NEW(c, kl_answer);
	kl_mac *mac = KL_NEW(c, kl_mac);
	kl_str *texts = (kl_str *)c->host->alloc(c, 2 * sizeof(kl_str));

	if (!a || !mac || !texts)
		return 0;
	texts[0] = in->body;
	texts[1] = c->host->decode(c, "hex", kl_pair_get(in->headers, "x-signature"));
	a->kind = texts[1].len == 32 ? KL_ACCEPT : KL_REJECT;
	mac->hash = "sha256";
	mac->secret = "hook_secret";
	mac->pieces = (kl_list){&texts[0], 1, sizeof(kl_str)};
	mac->macs = (kl_list){&texts[1], 1, sizeof(kl_str)};
	c->host->require_mac(c, mac);
	return a;
}

static inline KL_UNUSED int bell_normalize(kl_call *c, const kl_inbound *in)
{
	const kl_val *body = c->host->from_json(c, in->body);
	kl_event *e = KL_NEW(c, kl_event);

	if (!e || !kl_has(c, body, "id"))
		return KL_BAD_INPUT;
	e->type = "bell.rung";
	e->dedupe = kl_text(c, body, "id");
	e->data = body;
	c->host->emit(c, e);
	return 0;
}

static inline KL_UNUSED const kl_next *bell_send(kl_call *c, const kl_step *s, const char *method)
{
	kl_val *body = c->host->object(c);
	kl_request *r = KL_NEW(c, kl_request);

	if (!r)
		return 0;
	kl_set_text(c, body, "text", kl_text(c, s->input, "text"));
	kl_set_text(c, body, "key", s->key);
	r->repeat = kl_eq(kl_s(method), "GET") ? KL_SAFE : KL_NEVER;
	r->method = method;
	r->url = KL_CAT(c, KL_LIT("/rings/"), s->key);
	r->auth = "key";
	r->label = "ring";
	r->body = r->repeat == KL_SAFE ? KL_LIT("") : c->host->to_json(c, body);
	return kl_send(c, r, body);
}

static inline KL_UNUSED const kl_next *bell_busy(kl_call *c, const kl_response *r)
{
	kl_next *n = KL_NEW(c, kl_next);

	if (!n)
		return 0;
	n->then = KL_FAIL;
	n->fail = KL_BUSY;
	n->wait_ms = r->retry_after_ms;
	n->message = "the bell is rung too often";
	return n;
}

static inline KL_UNUSED const kl_next *bell_step(kl_call *c, const kl_step *s)
{
	const kl_response *r = s->response;

	if (s->why == KL_START)
		return bell_send(c, s, "PUT");
	if (s->why == KL_LOOKUP)
		return bell_send(c, s, "GET");
	if (!r || r->outcome != KL_ANSWERED)
		return s->looking ? kl_then(c, KL_UNSURE, "the bell does not answer")
				  : kl_failed(c, KL_BROKEN, 0, "the bell does not answer");
	if (s->looking && r->status == 404)
		return kl_then(c, KL_ABSENT, 0);
	if (r->status == 429)
		return bell_busy(c, r);
	if (r->status < 300 && (!s->looking || kl_has(c, r->json, "rung")))
		return kl_done(c, c->host->object(c));
	return s->looking ? kl_then(c, KL_UNSURE, "the bell does not say whether it rang")
			  : kl_failed(c, KL_SURPRISE, 0, "the bell gave no answer from its manual");
}

static const kl_option bell_options[] = {
	{"api_key", KL_OPT_SECRET | KL_OPT_REQUIRED, 0, 0, 0, "key of the bell"},
	{"hook_secret", KL_OPT_SECRET, 0, 0, 0, "signs what the bell sends"},
	{"base_url", KL_OPT_URL | KL_OPT_REQUIRED, 0, 0, 0, "where the bell is"},
};
static const kl_op bell_ops[] = {
	{"ring", KL_OP_ACTION | KL_OP_LOOKUP, 0, SCHEMA, "rings and shows a text"},
};
static const kl_route bell_routes[] = {{"", 0, 0, "somebody rings"}};
static const kl_credential bell_credentials[] = {{"key", KL_AUTH_BEARER, 0, "api_key", 0, 0}};

/* With a prototype before it, so that it can be last in the file or first. */
#define BELL                                                                                       \
	static const kl_plugin bell = {                                                            \
		.size = sizeof(kl_plugin),                                                         \
		.id = ID,                                                                          \
		.version = "1.0.0",                                                                \
		.summary = "A bell in the waiting room",                                           \
		.events = "bell.rung",                                                             \
		.options = KL_LIST(bell_options),                                                  \
		.ops = KL_LIST(bell_ops),                                                          \
		.routes = KL_LIST(bell_routes),                                                    \
		.credentials = KL_LIST(bell_credentials),                                          \
		.verify = VERIFY,                                                                  \
		.normalize = NORMALIZE,                                                            \
		.step = STEP,                                                                      \
	};                                                                                         \
	KL_PLUGIN(&bell)
