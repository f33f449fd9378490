/* sizes.c - refuses structs that are bigger than those it was built with. */
#define NORMALIZE normalize
#include "bell.h"

static int normalize(kl_call *c, const kl_inbound *in)
{
	return in->size == sizeof(*in) ? bell_normalize(c, in) : KL_BROKEN;
}

BELL
