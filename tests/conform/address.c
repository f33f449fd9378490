/* address.c - keeps nothing, but what it says depends on where it lies. */
#define NORMALIZE normalize
#include "bell.h"

static int normalize(kl_call *c, const kl_inbound *in)
{
	kl_val *o = c->host->object(c);
	kl_event *e = KL_NEW(c, kl_event);

	if (!e)
		return KL_BROKEN;
	kl_set_i64(c, o, "at", (int64_t)(uintptr_t)in->body.ptr);
	e->type = "bell.rung";
	e->data = o;
	c->host->emit(c, e);
	return 0;
}

BELL
