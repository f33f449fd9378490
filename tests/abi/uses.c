/* uses.c - every macro of the public headers once, in words that are C99 and C++11 alike. Only
 * compiled (headers.sh). */
#include <klinke/sugar.h>

static kl_str both(kl_call *c)
{
	kl_str first = KL_LIT("bell:");

	return KL_CAT(c, first, kl_s("front"), KL_LIT("door"));
}

static void check(kl_call *c, const kl_val *config)
{
	kl_event *e = KL_NEW(c, kl_event);

	if (!e || !KL_HAS(kl_event, e, data) || !kl_has(c, config, "key"))
		return;
	e->subject = both(c);
	c->host->emit(c, e);
}

static const kl_op ops[] = {{"ring", KL_OP_ACTION | KL_OP_LOOKUP, 0, 0, "rings"}};
static const kl_list list = KL_LIST(ops);

static const kl_plugin *made(void)
{
	static kl_plugin plugin;

	plugin.size = (uint32_t)sizeof(plugin);
	plugin.needs_minor = KL_MINOR;
	plugin.ops = list;
	plugin.check = check;
	return &plugin;
}

KL_PLUGIN(made())
