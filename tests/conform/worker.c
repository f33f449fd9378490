/* worker.c - uses more of libc than mem* and str*: no fault, but only a worker will do. */
#define STEP step
#include "bell.h"
#include <ctype.h>

static const kl_next *step(kl_call *c, const kl_step *s)
{
	return toupper((unsigned char)c->run[0]) != 1 ? bell_step(c, s) : 0;
}

BELL
