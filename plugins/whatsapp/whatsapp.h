/* whatsapp.h - what the files of this plugin share. Facts: Meta's Cloud API documentation. */
#ifndef WHATSAPP_H
#define WHATSAPP_H

#include <klinke/sugar.h>

/* webhook.c */
const kl_answer *whatsapp_verify(kl_call *c, const kl_inbound *in);
int whatsapp_normalize(kl_call *c, const kl_inbound *in);

/* send.c: the body of POST /PHONE/messages; NULL: *problem says what is wrong with the input */
const kl_val *whatsapp_body(kl_call *c, const kl_step *s, const char **problem);

/* input.c: what is wrong with a message to that recipient, with its place; NULL: nothing */
const char *whatsapp_wrong_input(kl_call *c, const kl_val *in, kl_str to);

/* errors.c: a refusal of Meta's as a class; NULL if the answer holds no error object */
const kl_next *whatsapp_refusal(kl_call *c, const kl_response *r);

#endif
