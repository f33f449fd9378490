/* trusting.c - accepts everything. */
#define VERIFY verify
#include "bell.h"

static const kl_answer *verify(kl_call *c, const kl_inbound *in)
{
	kl_answer *a = KL_NEW(c, kl_answer);

	(void)in;
	if (a)
		a->kind = KL_ACCEPT;
	return a;
}

BELL
