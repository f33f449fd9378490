/* guard.c - looks for a zero byte in what may hold none, far behind its end. */
#define NORMALIZE normalize
#include "bell.h"

static int normalize(kl_call *c, const kl_inbound *in)
{
	const volatile char *p = in->body.ptr;
	uint32_t sum = 0;

	for (uint32_t i = 0; i < in->body.len + 4096; i++)
		sum += (unsigned char)p[i];
	return sum == 1 ? KL_BROKEN : bell_normalize(c, in);
}

BELL
