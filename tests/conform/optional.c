/* optional.c - checks the signature when there is one. */
#define VERIFY verify
#include "bell.h"

static const kl_answer *verify(kl_call *c, const kl_inbound *in)
{
	kl_answer *a = KL_NEW(c, kl_answer);

	if (kl_pair_get(in->headers, "x-signature").ptr)
		return bell_verify(c, in);
	if (a)
		a->kind = KL_ACCEPT;
	return a;
}

BELL
