/* starve.c - takes every allocation for granted. */
#define NORMALIZE normalize
#include "bell.h"

static int normalize(kl_call *c, const kl_inbound *in)
{
	kl_event *e = KL_NEW(c, kl_event);

	e->type = "bell.rung";
	e->data = c->host->from_json(c, in->body);
	c->host->emit(c, e);
	return 0;
}

BELL
