/* sample.c - a well-behaved plugin that uses every part of the ABI, for the tests of its host. */
#include <klinke/sugar.h>

static void check(kl_call *c, const kl_val *config)
{
	if (!kl_has(c, config, "api_key"))
		c->host->problem(
			c, "api_key", "is missing: the vendor refuses everything without it");
	if (kl_eq(kl_text(c, config, "base_url"), "http://wrong"))
		c->host->problem(c, "base_url", "is wrong");
}

static const kl_answer *verify(kl_call *c, const kl_inbound *in)
{
	kl_answer *a = KL_NEW(c, kl_answer);
	kl_mac *mac = KL_NEW(c, kl_mac);
	kl_str *texts = c->host->alloc(c, 2 * sizeof(*texts));
	kl_str signature = kl_pair_get(in->headers, "x-signature");

	if (!a || !mac || !texts)
		return 0;
	a->kind = KL_ACCEPT;
	a->refused = 403;
	if (kl_eq(kl_s(in->method), "GET")) {
		a->kind = KL_HANDSHAKE;
		a->body = kl_pair_get(in->query, "challenge");
		c->host->require_secret(c, "hook_token", kl_pair_get(in->query, "token"));
		return a;
	}
	if (!signature.ptr) {
		a->kind = KL_REJECT;
		a->reason = "header x-signature is missing";
		return a;
	}
	texts[0] = in->body;
	texts[1] = c->host->decode(c, "hex", signature);
	mac->hash = "sha256";
	mac->secret = "hook_secret";
	mac->pieces = (kl_list){&texts[0], 1, sizeof(kl_str)};
	mac->macs = (kl_list){&texts[1], 1, sizeof(kl_str)};
	c->host->require_mac(c, mac);
	return a;
}

static int normalize(kl_call *c, const kl_inbound *in)
{
	const kl_val *body = c->host->from_json(c, in->body), *list = c->host->find(body, "events");

	if (!body)
		return KL_SURPRISE;
	for (uint32_t i = 0; i < c->host->count(list); i++) {
		const kl_val *one = c->host->at(list, i, 0);
		kl_event *e = KL_NEW(c, kl_event);
		if (!e)
			return KL_BROKEN;
		e->type = "thing.happened";
		e->dedupe = kl_text(c, one, "id");
		e->subject = KL_CAT(c, KL_LIT("thing:"), kl_text(c, one, "id"));
		e->person = kl_text(c, one, "phone");
		e->at_ms = kl_i64(c, one, "at", 0);
		e->data = one;
		c->host->emit(c, e);
	}
	if (kl_true(c, body, "look")) {
		kl_start *s = KL_NEW(c, kl_start);
		if (!s)
			return KL_BROKEN;
		s->op = "list";
		s->input = body;
		c->host->start(c, s);
	}
	c->host->log(c, 1, "normalized");
	return 0;
}

static const kl_answer *reply(kl_call *c, const kl_reply *r)
{
	kl_answer *a = KL_NEW(c, kl_answer);
	kl_val *o = c->host->object(c);

	if (!a)
		return 0;
	kl_set_text(c, o, "say", kl_text(c, r->result, "say"));
	kl_set_i64(c, o, "outcome", r->outcome);
	a->kind = KL_ACCEPT;
	a->content_type = "application/json";
	a->body = c->host->to_json(c, o);
	return a;
}

/* create: one NEVER request; looked up by listing. list: pages of rows. */
static const kl_next *send(kl_call *c, const char *method, kl_str url, uint32_t repeat,
	const kl_val *body, const kl_val *state)
{
	static const kl_pair version[] = {{KL_LIT("X-Version"), KL_LIT("1")}};
	kl_request *r = KL_NEW(c, kl_request);

	if (!r)
		return 0;
	r->repeat = repeat;
	r->method = method;
	r->url = url;
	r->auth = "key";
	r->label = "things";
	r->content_type = body ? "application/json" : 0;
	r->headers = (kl_list)KL_LIST(version);
	r->body = c->host->to_json(c, body);
	return kl_send(c, r, state);
}

static const kl_next *create(kl_call *c, const kl_step *s)
{
	const kl_response *r = s->response;
	kl_val *body = c->host->object(c);

	if (s->why == KL_START) {
		kl_set_text(c, body, "name", kl_text(c, s->input, "name"));
		kl_set_text(c, body, "key", s->key);
		return send(c, "POST", KL_LIT("/things"), KL_NEVER, body, c->host->of_i64(c, 1));
	}
	if (s->why == KL_LOOKUP)
		return send(c, "GET", KL_LIT("/things"), KL_SAFE, 0, s->state);
	if (!r || r->outcome != KL_ANSWERED)
		return s->looking ? kl_then(c, KL_UNSURE, "the list does not answer")
				  : kl_failed(c, KL_BROKEN, 0, "no answer");
	if (s->looking) {
		for (uint32_t i = 0; i < c->host->count(c->host->find(r->json, "things")); i++) {
			const kl_val *thing = c->host->at(c->host->find(r->json, "things"), i, 0);
			kl_str key = kl_text(c, thing, "key");
			if (key.len == s->key.len && memcmp(key.ptr, s->key.ptr, key.len) == 0)
				return kl_done(c, thing);
		}
		return kl_then(c, KL_ABSENT, 0);
	}
	if (r->status == 429) {
		kl_next *n = KL_NEW(c, kl_next);
		if (!n)
			return 0;
		n->then = KL_FAIL;
		n->fail = KL_BUSY;
		n->wait_ms = r->retry_after_ms;
		n->message = "too fast";
		return n;
	}
	if (r->status >= 400)
		return kl_failed(c, KL_BAD_INPUT, "refused", "the vendor refused it");
	return kl_done(c, r->json);
}

static const kl_next *list(kl_call *c, const kl_step *s)
{
	int64_t page = c->host->i64(s->state, 0);
	const kl_val *rows;

	if (s->why == KL_RESPONSE) {
		if (s->response->outcome != KL_ANSWERED)
			return kl_failed(c, KL_BROKEN, 0, "no answer");
		rows = c->host->find(s->response->json, "rows");
		for (uint32_t i = 0; i < c->host->count(rows); i++)
			c->host->row(c, c->host->at(rows, i, 0));
		if (!kl_true(c, s->response->json, "more")) {
			c->host->checkpoint(c, c->host->of_i64(c, page));
			return kl_done(c, c->host->object(c));
		}
	}
	page++;
	return send(c, "GET",
		KL_CAT(c, KL_LIT("/rows?page="), c->host->text(c->host->of_i64(c, page))), KL_SAFE,
		0, c->host->of_i64(c, page));
}

static const kl_next *later(kl_call *c, const kl_step *s)
{
	kl_next *n = KL_NEW(c, kl_next);

	if (s->why == KL_TIMER)
		return kl_done(c, c->host->object(c));
	if (!n)
		return 0;
	n->then = KL_WAIT;
	n->wait_ms = 60000;
	return n;
}

static const kl_next *echo(kl_call *c, const kl_step *s)
{
	kl_val *o = c->host->object(c);

	c->host->set(c, o, KL_LIT("input"), s->input);
	c->host->set(c, o, KL_LIT("config"), s->config);
	kl_set_i64(c, o, "seed", (int64_t)c->seed);
	kl_set_text(c, o, "run", kl_s(c->run));
	return kl_done(c, o);
}

static const kl_next *step(kl_call *c, const kl_step *s)
{
	if (kl_eq(kl_s(s->op), "create"))
		return create(c, s);
	if (kl_eq(kl_s(s->op), "list"))
		return list(c, s);
	if (kl_eq(kl_s(s->op), "later"))
		return later(c, s);
	return echo(c, s);
}

static const kl_val *map(kl_call *c, const kl_map *m)
{
	const kl_time1 *time = c->host->extension("kl.time/1");
	kl_val *o = c->host->object(c);

	for (uint32_t i = 0; i < m->fields.count; i++) {
		const kl_field *f = (const kl_field *)m->fields.ptr + i;
		int64_t ms;
		if (!f->value) {
			c->host->problem(c, f->key.ptr, "has no value");
			continue;
		}
		if (kl_eq(f->spec, "datetime")) {
			if (time->parse(c, c->host->text(f->value),
				    kl_text(c, m->context, "timezone").ptr, &ms))
				kl_set_text(c, o, f->key.ptr, time->print(c, ms, 0));
			else
				c->host->problem(c, f->key.ptr, "is no time");
			continue;
		}
		c->host->set(c, o, f->key, f->value);
	}
	return o;
}

static const kl_option options[] = {
	{"api_key", KL_OPT_SECRET, 0, 0, 0, "the vendor's key"},
	{"hook_secret", KL_OPT_SECRET, 0, 0, 0, "signs webhooks"},
	{"hook_token", KL_OPT_SECRET, 0, 0, 0, "for the handshake"},
	{"base_url", KL_OPT_URL, 0, "https://api.example.test", 0, "where the vendor is"},
};
static const kl_op ops[] = {
	{"create", KL_OP_ACTION | KL_OP_LOOKUP, 0, 0, "makes a thing"},
	{"list", KL_OP_POLL, 0, 0, "lists things"},
	{"later", KL_OP_ACTION, 0, 0, "waits a minute"},
	{"echo", KL_OP_ACTION, 0, 0, "gives back what it got"},
};
static const kl_route routes[] = {
	{"", 0, 0, "events"},
	{"ask", 1000, 0, "somebody waits"},
};
static const kl_credential credentials[] = {
	{"key", KL_AUTH_HEADER, 0, "api_key", 0, "X-Api-Key"},
};
static const kl_plugin plugin = {
	.size = sizeof(kl_plugin),
	.state_version = 1,
	.id = "test.klinke.sample",
	.version = "1.0.0",
	.summary = "Uses every part of the ABI",
	.events = "thing.happened thing.gone",
	.hosts = "api.example.test",
	.options = KL_LIST(options),
	.ops = KL_LIST(ops),
	.routes = KL_LIST(routes),
	.credentials = KL_LIST(credentials),
	.check = check,
	.verify = verify,
	.normalize = normalize,
	.reply = reply,
	.step = step,
	.map = map,
};
KL_PLUGIN(&plugin)
