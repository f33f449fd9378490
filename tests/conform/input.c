/* input.c - believes that what was a text yesterday is a text today. */
#define NORMALIZE normalize
#include "bell.h"

static int normalize(kl_call *c, const kl_inbound *in)
{
	const kl_val *body = c->host->from_json(c, in->body);
	const volatile char *id = kl_text(c, body, "id").ptr;

	return id[0] == '?' ? KL_BAD_INPUT : bell_normalize(c, in);
}

BELL
