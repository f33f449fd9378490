/* acme.c - Acme: asks it on a schedule what is new, page by page, and tells each thing once.
 *
 * Replace what says "item" by what your vendor's API document says, and the cases with it. */
#include <klinke/sugar.h>

/* checkpoint: the time of the newest item that was told. state: the page that was asked for, and the
 * time of the newest item seen so far. */
static const kl_next *ask(kl_call *c, const kl_step *s, int64_t page, int64_t newest)
{
	kl_request *r = KL_NEW(c, kl_request);
	kl_val *state = c->host->object(c);
	int64_t since = c->host->i64(s->checkpoint, 0);

	if (!r)
		return 0;
	kl_set_i64(c, state, "page", page);
	kl_set_i64(c, state, "newest", newest);
	r->repeat = KL_SAFE; /* reading twice does no harm */
	r->method = "GET";
	r->url = KL_CAT(c, KL_LIT("/items?since="), c->host->text(c->host->of_i64(c, since)),
		KL_LIT("&page="), c->host->text(c->host->of_i64(c, page)));
	r->auth = "key";
	r->label = "items";
	return kl_send(c, r, state);
}

static void tell(kl_call *c, const kl_val *item)
{
	kl_event *e = KL_NEW(c, kl_event);
	int64_t at = kl_i64(c, item, "changed_at", 0);

	if (!e || !kl_text(c, item, "id").len || at < 0)
		return;
	e->type = "item.changed";
	/* the same item, changed again, is another event */
	e->dedupe = KL_CAT(c, kl_text(c, item, "id"), KL_LIT("@"), kl_text(c, item, "changed_at"));
	e->subject = KL_CAT(c, KL_LIT("item:"), kl_text(c, item, "id"));
	e->at_ms = at;
	e->data = item;
	c->host->emit(c, e);
}

static int64_t tell_all(kl_call *c, const kl_val *items, int64_t newest)
{
	for (uint32_t i = 0; i < c->host->count(items); i++) {
		int64_t at = kl_i64(c, c->host->at(items, i, 0), "changed_at", 0);

		tell(c, c->host->at(items, i, 0));
		newest = at > newest ? at : newest;
	}
	return newest;
}

static const kl_next *refused(kl_call *c, const kl_response *r)
{
	kl_next *busy;

	if (r->outcome != KL_ANSWERED)
		return kl_failed(c, KL_BROKEN, 0, "Acme could not be asked");
	if (r->status == 401 || r->status == 403)
		return kl_failed(c, KL_BAD_AUTH, 0, "Acme refuses the key");
	if (r->status != 429)
		return kl_failed(c, KL_SURPRISE, 0, "Acme gave an answer that is not in its manual");
	busy = (kl_next *)kl_failed(c, KL_BUSY, 0, "Acme wants fewer requests");
	if (busy)
		busy->wait_ms = r->retry_after_ms;
	return busy;
}

/* Events and checkpoint of a step are kept together: what was told is not asked for again. */
static const kl_next *step(kl_call *c, const kl_step *s)
{
	const kl_response *r = s->response;
	const kl_val *items;
	int64_t newest, page = kl_i64(c, s->state, "page", 0);

	if (s->why == KL_START)
		return ask(c, s, 1, c->host->i64(s->checkpoint, 0));
	items = c->host->find(r->json, "items");
	if (r->outcome != KL_ANSWERED || r->status != 200 || c->host->type(items) != KL_ARRAY)
		return refused(c, r);
	newest = tell_all(c, items, kl_i64(c, s->state, "newest", 0));
	if (kl_true(c, r->json, "more") && page < 1000)
		return ask(c, s, page + 1, newest);
	c->host->checkpoint(c, c->host->of_i64(c, newest));
	return kl_done(c, c->host->object(c));
}

static const kl_option options[] = {
	{"api_key", KL_OPT_SECRET | KL_OPT_REQUIRED, 0, 0, 0, "key of the account at Acme"},
	{"base_url", KL_OPT_URL, 0, "https://api.acme.example", 0, "where Acme's API is"},
};
static const kl_op ops[] = {
	{"poll_items", KL_OP_POLL, 0, "{\"type\":\"object\"}", "tells what is new at Acme"},
};
static const kl_credential credentials[] = {{"key", KL_AUTH_BEARER, 0, "api_key", 0, 0}};
static const kl_plugin acme = {
	.size = sizeof(kl_plugin),
	.id = "org.example.acme",
	.version = "0.1.0",
	.summary = "What is new at Acme",
	.events = "item.changed",
	.options = KL_LIST(options),
	.ops = KL_LIST(ops),
	.credentials = KL_LIST(credentials),
	.step = step,
};
KL_PLUGIN(&acme)
