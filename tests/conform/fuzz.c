/* fuzz.c - one byte somewhere is enough. */
#define NORMALIZE normalize
#include "bell.h"

static int normalize(kl_call *c, const kl_inbound *in)
{
	volatile int *volatile nowhere = 0;

	for (uint32_t i = 0; i < in->body.len; i++)
		if (in->body.ptr[i] == '~')
			*nowhere = 1;
	return bell_normalize(c, in);
}

BELL
