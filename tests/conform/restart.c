/* restart.c - remembers from one step to the next what belongs into the state. */
#define STEP step
#include "bell.h"

static int asked;

static const kl_next *step(kl_call *c, const kl_step *s)
{
	if (s->why == KL_START)
		asked = 1;
	if (s->why == KL_START || s->looking || s->response->status > 299)
		return bell_step(c, s);
	return asked ? bell_step(c, s) : kl_failed(c, KL_SURPRISE, 0, "nobody asked");
}

BELL
