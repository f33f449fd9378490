/* sink.c - a plugin with one operation: POST the input to base_url. For the benchmark. */
#include <klinke/sugar.h>

static const kl_next *step(kl_call *c, const kl_step *s)
{
	kl_request *r;

	if (s->why == KL_LOOKUP)
		return kl_then(c, KL_UNSURE, "a sink cannot be asked");
	if (s->why == KL_RESPONSE)
		return s->response->status == 200 ? kl_done(c, s->response->json) :
			kl_failed(c, KL_BROKEN, 0, "the sink refused");
	r = KL_NEW(c, kl_request);
	if (!r)
		return 0;
	r->repeat = kl_eq(kl_text(c, s->config, "repeat"), "never") ? KL_NEVER : KL_KEYED;
	r->method = "POST";
	r->url = KL_LIT("/");
	r->label = "post";
	r->content_type = "application/json";
	r->body = c->host->to_json(c, s->input);
	return kl_send(c, r, c->host->object(c));
}

static const kl_option options[] = {
	{"base_url", KL_OPT_URL | KL_OPT_REQUIRED, 0, 0, 0, "where to"},
	{"repeat", KL_OPT_CHOICE, 0, "never", "never keyed", "how it may be repeated"},
};
static const kl_op ops[] = {{"post", KL_OP_ACTION | KL_OP_LOOKUP, 0, 0, "POST the input"}};
static const kl_plugin plugin = {
	.size = sizeof(kl_plugin),
	.id = "org.klinke.bench.sink",
	.version = "1.0.0",
	.summary = "posts to a sink",
	.events = "",
	.hosts = "",
	.options = KL_LIST(options),
	.ops = KL_LIST(ops),
	.step = step,
};
KL_PLUGIN(&plugin)
