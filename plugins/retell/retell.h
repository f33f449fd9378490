/* retell.h - what the files of the Retell plugin share.
 *
 * retell.c    what the plugin declares; verify() and check()
 * text.c      numbers, names, money and fingerprints, all on kl_str
 * call.c      a vendor's call or chat object becomes our canonical data
 * events.c    normalize(): webhooks become events
 * function.c  normalize() of in-call functions: who asks, what, and is it a repeat
 * reply.c     reply(): what a waiting caller hears, in the vendor's shape
 * step.c      step(): requests to the REST API and the reading of their answers
 * poll.c      the operations that page through the list of calls */
#ifndef RETELL_H
#define RETELL_H

#include <klinke/sugar.h>

/* Ids and page keys are opaque, but not without bounds: a page of ids must fit a step's state. */
enum { RETELL_LONGEST_ID = 256, RETELL_LONGEST_PAGE_KEY = 4096 };

/* ---- text.c ---- */

/* The value at path if it is text that is not empty; else nothing. */
kl_str retell_words(kl_call *c, const kl_val *v, const char *path);
/* As above, without what models write into fields they cannot fill ("None", "{{call_id}}"). */
kl_str retell_real(kl_call *c, const kl_val *v, const char *path);
int retell_is_placeholder(kl_str s);
/* A member by its whole name, whatever characters that holds. */
const kl_val *retell_member(kl_call *c, const kl_val *object, kl_str name);
int retell_is_e164(kl_str s);
kl_str retell_digits(kl_call *c, int64_t n);
/* The instant at path in milliseconds; 0: there is none, or it is one in seconds, or in no year of
 * four digits. */
int64_t retell_ms(kl_call *c, const kl_val *v, const char *path);
/* "Datum: Termin", "_datum__termin" -> "datum_termin" */
kl_str retell_plain_name(kl_call *c, kl_str name);
kl_str retell_lower(kl_call *c, kl_str s);
/* US cents as decimal digits ("33.35") -> micro-dollars (333500). 0: not a number, or too big. */
int retell_micro_usd(kl_str cents, int64_t *micro);
/* 32 hex digits that do not depend on the order of members. */
kl_str retell_fingerprint(kl_call *c, const kl_val *v);

/* ---- call.c ---- */

enum retell_rank {
	RETELL_ANY = -1,
	RETELL_REGISTERED,
	RETELL_ONGOING,
	RETELL_ENDED,
	RETELL_ANALYZED
};

/* Canonical data of a call. at_least: what the event's name proves, since the vendor's status may
 * lag behind it. With RETELL_ANY the object itself decides, and its analysis is taken if there. */
kl_val *retell_call_data(kl_call *c, const kl_val *call, int at_least);
/* The same with "turns" and the transcript's end only: what is being said now. */
kl_val *retell_live_data(kl_call *c, const kl_val *call, int at_least);
/* The same without the transcript. */
kl_val *retell_call_facts(kl_call *c, const kl_val *call, int at_least);
kl_val *retell_chat_data(kl_call *c, const kl_val *chat, int at_least);
/* E.164 number of the person at the other end; nothing if it is withheld. */
kl_str retell_person(kl_call *c, const kl_val *call);
/* Sets key to an E.164 number, or key_raw to what came instead. */
void retell_set_number(kl_call *c, kl_val *o, const char *key, const char *key_raw, kl_str number);

/* ---- events.c ---- */

struct retell_told {
	const char *type;
	kl_str dedupe, subject, person;
	int64_t at_ms; /* 0 or less: not known */
	const kl_val *data;
};

void retell_tell(kl_call *c, const struct retell_told *t);
/* "call:ID", or nothing without an id. */
kl_str retell_subject(kl_call *c, const char *kind, kl_str id);
/* Tells the place and the remedy; the code that normalize() returns. */
int retell_bad(kl_call *c, const char *path, const char *message);
/* The digits after "v=" of a header that verify() has seen. */
kl_str retell_signed_digits(kl_call *c, const kl_inbound *in);
/* own if that is known, else what the body says, else what was signed. */
int64_t retell_happened_ms(kl_call *c, const kl_inbound *in, const kl_val *body, int64_t own);

int retell_normalize(kl_call *c, const kl_inbound *in);
/* call.ended and call.analyzed, as far as the object goes, with the webhooks' dedupe keys.
 * The number of events. */
uint32_t retell_emit_call(kl_call *c, const kl_val *call);

/* ---- function.c ---- */

/* Emits call.function; 0, or KL_BAD_INPUT. */
int retell_function(kl_call *c, const kl_inbound *in, const kl_val *body);

/* ---- reply.c ---- */

/* Promises nothing, since nobody will do anything about it. */
#define RETELL_UNANSWERED                                                                          \
	"Das kann ich im Moment leider nicht erledigen. Bitte wenden Sie sich direkt an das Team."

const kl_answer *retell_reply(kl_call *c, const kl_reply *r);
/* A variable that Retell computes itself; setting it shadows the truth or fails. */
int retell_is_reserved(kl_str name);

/* ---- step.c ---- */

const kl_next *retell_step(kl_call *c, const kl_step *s);
kl_request *retell_request(kl_call *c, const char *method, kl_str url, const char *label);
const kl_next *retell_bad_input(kl_call *c, const char *message);
const kl_next *retell_surprise(kl_call *c, const char *message);
/* NULL if the response is a 2xx whose body is a JSON object, else the failure. */
const kl_next *retell_failure(kl_call *c, const kl_response *r);

/* ---- poll.c ---- */

const kl_next *retell_calls(kl_call *c, const kl_step *s);
const kl_next *retell_poll_calls(kl_call *c, const kl_step *s);
const kl_next *retell_agents(kl_call *c, const kl_step *s);

#endif
