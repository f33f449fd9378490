/* pager.c - the paging service of the samples, in C: messages to the pagers of a house.
 *
 * There is no such vendor. The same plugin is written in C++ (pager.cc) and in Rust (pager.rs), and
 * all three pass cases/pager.json. Its API:
 *
 *   POST /pages {"to", "text", "level", "key"}   201 {"id"}, 404 no such pager, 429 too many
 *   GET  /pages?key=KEY                          200 {"pages": [...]}
 *   GET  /pages?after=ID                         200 {"pages": [{"id", ...}], "more": BOOL}
 *   webhook {"id", "event": "read", "page", "key", "at"}, signed: X-Pager-Signature is the hex
 *           HMAC-SHA256 of X-Pager-Time, a dot, and the body
 */
#include <klinke/sugar.h>

static void check(kl_call *c, const kl_val *config)
{
	if (kl_text(c, config, "sender").len > 11)
		c->host->problem(
			c, "sender", "is longer than the 11 characters that a pager shows");
}

/* ---- what the vendor tells us ------------------------------------------------------------- */

static const kl_answer *reject(kl_call *c, const char *reason)
{
	kl_answer *a = KL_NEW(c, kl_answer);

	if (!a)
		return 0;
	a->kind = KL_REJECT;
	a->reason = reason;
	return a;
}

static const kl_answer *verify(kl_call *c, const kl_inbound *in)
{
	kl_str time = kl_pair_get(in->headers, "x-pager-time");
	kl_str hex = kl_pair_get(in->headers, "x-pager-signature");
	kl_answer *a = KL_NEW(c, kl_answer);
	kl_mac *mac = KL_NEW(c, kl_mac);
	kl_str *texts = (kl_str *)c->host->alloc(c, 4 * sizeof(kl_str));

	if (!a || !mac || !texts)
		return 0;
	if (!time.ptr || !hex.ptr)
		return reject(c, "x-pager-time or x-pager-signature is missing");
	texts[0] = time;
	texts[1] = KL_LIT(".");
	texts[2] = in->body;
	texts[3] = c->host->decode(c, "hex", hex);
	if (!texts[3].ptr)
		return reject(c, "x-pager-signature is not hexadecimal");
	mac->hash = "sha256";
	mac->secret = "hook_secret";
	mac->pieces = (kl_list){texts, 3, sizeof(kl_str)};
	mac->macs = (kl_list){texts + 3, 1, sizeof(kl_str)};
	c->host->require_mac(c, mac);
	a->kind = KL_ACCEPT;
	return a;
}

static int64_t instant(kl_call *c, kl_str text)
{
	const kl_time1 *time = (const kl_time1 *)c->host->extension("kl.time/1");
	int64_t ms = 0;

	return time && text.ptr && time->parse(c, text, 0, &ms) ? ms : 0;
}

static int normalize(kl_call *c, const kl_inbound *in)
{
	const kl_val *body = c->host->from_json(c, in->body);
	kl_event *e = KL_NEW(c, kl_event);

	if (!e || !kl_has(c, body, "id"))
		return KL_BAD_INPUT;
	if (!kl_eq(kl_text(c, body, "event"), "read"))
		return KL_SURPRISE;
	e->type = "page.read";
	e->at_ms = instant(c, kl_text(c, body, "at"));
	e->dedupe = kl_text(c, body, "id");
	e->subject = KL_CAT(c, KL_LIT("page:"), kl_text(c, body, "page"));
	e->regarding = kl_text(c, body, "key"); /* who read it got it: closes a lost answer */
	e->data = body;
	c->host->emit(c, e);
	return 0;
}

/* Who presses the pager's button waits for a line on its display. */
static const kl_answer *reply(kl_call *c, const kl_reply *r)
{
	kl_answer *a = KL_NEW(c, kl_answer);
	kl_val *o = c->host->object(c);

	if (!a)
		return 0;
	kl_set_text(c, o, "display", kl_text(c, r->result, "say"));
	kl_set_bool(c, o, "beep", r->outcome == KL_REPLY_DONE);
	a->kind = KL_ACCEPT;
	a->content_type = "application/json";
	a->body = c->host->to_json(c, o);
	return a;
}

/* ---- what we ask of it -------------------------------------------------------------------- */

static const kl_next *get(kl_call *c, kl_str url)
{
	kl_request *r = KL_NEW(c, kl_request);

	if (!r)
		return 0;
	r->repeat = KL_SAFE;
	r->method = "GET";
	r->url = url;
	r->auth = "key";
	r->label = "pages";
	return kl_send(c, r, 0);
}

static const kl_next *refused(kl_call *c, const kl_response *r)
{
	kl_next *busy = r->status == 429 ? KL_NEW(c, kl_next) : 0;

	if (busy) {
		busy->then = KL_FAIL;
		busy->fail = KL_BUSY;
		busy->wait_ms = r->retry_after_ms;
		busy->message = "the paging service wants a pause";
		return busy;
	}
	if (r->outcome != KL_ANSWERED)
		return kl_failed(c, KL_BROKEN, 0, "the paging service does not answer");
	if (r->status == 401)
		return kl_failed(c, KL_BAD_AUTH, 0, "the paging service refuses the key");
	if (r->status == 404)
		return kl_failed(c, KL_GONE, 0, "there is no such pager");
	return kl_failed(
		c, KL_SURPRISE, 0, "the paging service answered what its manual does not tell");
}

static const kl_next *page_send(kl_call *c, const kl_step *s)
{
	kl_val *body = c->host->object(c);
	kl_request *r = KL_NEW(c, kl_request);

	if (!kl_has(c, s->input, "to"))
		return kl_failed(c, KL_BAD_INPUT, 0, "to is missing: say which pager");
	if (!r)
		return 0;
	kl_set_text(c, body, "to", kl_text(c, s->input, "to"));
	kl_set_text(c, body, "text", kl_text(c, s->input, "text"));
	kl_set_text(c, body, "level", kl_text(c, s->config, "level"));
	kl_set_text(c, body, "sender", kl_text(c, s->config, "sender"));
	kl_set_text(c, body, "key", s->key);
	r->repeat = KL_NEVER; /* the service pages again for the same key */
	r->method = "POST";
	r->url = KL_LIT("/pages");
	r->auth = "key";
	r->label = "page";
	r->content_type = "application/json";
	r->body = c->host->to_json(c, body);
	return kl_send(c, r, 0);
}

static const kl_next *page_found(kl_call *c, const kl_response *r)
{
	const kl_val *first = c->host->find(r->json, "pages.0");

	if (r->outcome != KL_ANSWERED || r->status != 200 || !c->host->find(r->json, "pages"))
		return kl_then(c, KL_UNSURE, "the list of pages cannot be read");
	if (!kl_has(c, first, "id"))
		return kl_then(c, KL_ABSENT, 0);
	return kl_done(c, first);
}

static const kl_next *page(kl_call *c, const kl_step *s)
{
	if (s->why == KL_START)
		return page_send(c, s);
	if (s->why == KL_LOOKUP)
		return get(
			c, KL_CAT(c, KL_LIT("/pages?key="), c->host->encode(c, "percent", s->key)));
	if (s->looking)
		return page_found(c, s->response);
	if (s->response->status == 201 && kl_has(c, s->response->json, "id"))
		return kl_done(c, s->response->json);
	return refused(c, s->response);
}

static const kl_next *history_from(kl_call *c, kl_str after)
{
	return get(c,
		after.len ? KL_CAT(c, KL_LIT("/pages?after="), c->host->encode(c, "percent", after))
			  : KL_LIT("/pages"));
}

static const kl_next *history(kl_call *c, const kl_step *s)
{
	const kl_val *pages;
	kl_str last = {0, 0, 0};

	if (s->why == KL_START)
		return history_from(c, c->host->text(s->checkpoint));
	if (s->response->outcome != KL_ANSWERED || s->response->status != 200)
		return refused(c, s->response);
	pages = c->host->find(s->response->json, "pages");
	for (uint32_t i = 0; i < c->host->count(pages); i++) {
		const kl_val *one = c->host->at(pages, i, 0);
		c->host->row(c, one);
		last = kl_text(c, one, "id");
	}
	if (last.len)
		c->host->checkpoint(c, c->host->of_text(c, last));
	if (last.len && kl_true(c, s->response->json, "more"))
		return history_from(c, last);
	return kl_done(c, c->host->object(c));
}

static const kl_next *step(kl_call *c, const kl_step *s)
{
	return kl_eq(kl_s(s->op), "page") ? page(c, s) : history(c, s);
}

/* ---- what it declares --------------------------------------------------------------------- */

static const kl_option options[] = {
	{"base_url", KL_OPT_URL | KL_OPT_REQUIRED, 0, 0, 0, "where the paging service is"},
	{"api_key", KL_OPT_SECRET | KL_OPT_REQUIRED, 0, 0, 0, "key of the paging service"},
	{"hook_secret", KL_OPT_SECRET, 0, 0, 0, "what it signs its webhooks with"},
	{"sender", KL_OPT_TEXT, 0, 0, 0, "shown as sender, up to 11 characters"},
	{"level", KL_OPT_CHOICE, 0, "normal", "quiet normal urgent", "how loud"},
};
static const kl_op ops[] = {
	{"page", KL_OP_ACTION | KL_OP_LOOKUP, 0, 0, "shows a text on a pager"},
	{"history", KL_OP_POLL, 0, 0, "pages since the last look"},
};
static const kl_route routes[] = {
	{"", 0, 0, "a page was read"},
	{"button", 2000, 0, "somebody presses the pager's button"},
};
static const kl_credential credentials[] = {{"key", KL_AUTH_BEARER, 0, "api_key", 0, 0}};
static const kl_plugin pager = {
	.size = sizeof(kl_plugin),
	.id = "org.example.pager",
	.version = "1.0.0",
	.summary = "Messages to the pagers of a house (a sample)",
	.events = "page.read",
	.options = KL_LIST(options),
	.ops = KL_LIST(ops),
	.routes = KL_LIST(routes),
	.credentials = KL_LIST(credentials),
	.check = check,
	.verify = verify,
	.normalize = normalize,
	.reply = reply,
	.step = step,
};
KL_PLUGIN(&pager)
