/* newer.c - built with a header that has one member more, which it reads without KL_HAS(). */
#define NORMALIZE normalize
#include "bell.h"

struct newer_inbound {
	kl_inbound known;
	const char *volatile received_from;
};

static int normalize(kl_call *c, const kl_inbound *in)
{
	const struct newer_inbound *newer = (const struct newer_inbound *)(const void *)in;

	return newer->received_from == (const char *)1 ? KL_BROKEN : bell_normalize(c, in);
}

BELL
