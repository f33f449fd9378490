/* rejoices.c - takes every answer for a yes. */
#define STEP step
#include "bell.h"

static const kl_next *step(kl_call *c, const kl_step *s)
{
	return s->why == KL_RESPONSE && !s->looking ? kl_done(c, c->host->object(c))
						    : bell_step(c, s);
}

BELL
