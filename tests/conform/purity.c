/* purity.c - counts its calls. */
#define STEP step
#include "bell.h"

static int calls;

static const kl_next *step(kl_call *c, const kl_step *s)
{
	kl_val *o = c->host->object(c);

	if (s->why == KL_START)
		return bell_send(c, s, "PUT");
	kl_set_i64(c, o, "calls", ++calls);
	return s->looking || s->response->status > 299 ? bell_step(c, s) : kl_done(c, o);
}

BELL
