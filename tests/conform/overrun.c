/* overrun.c - writes one byte too many. */
#define NORMALIZE normalize
#include "bell.h"

static int normalize(kl_call *c, const kl_inbound *in)
{
	volatile char *p = (volatile char *)c->host->alloc(c, 5);

	for (uint32_t i = 0; p && i <= 5; i++)
		p[i] = 'x';
	return bell_normalize(c, in);
}

BELL
