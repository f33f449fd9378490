/* calcom.h - what calcom_v1 and calcom_v2 share. Compiled into both, exported by none.
 *
 * The two vendors' APIs differ in paths, names and error texts; what an office wants of them does
 * not. So the flows whose mistakes would hurt (booking, looking an unknown outcome up, webhooks)
 * are written once here, and a struct cal_dialect says how one API spells them.
 *
 * Memory  Everything lives in the arena of the call (kl_host.alloc). Nothing is freed.
 * Texts   A cal_* reader treats null, "" and absent alike: ptr NULL. The vendor uses all three.
 * Times   int64 ms UTC; texts handed out end in "Z".
 */
#ifndef CALCOM_H
#define CALCOM_H

#include <klinke/sugar.h>

/* metadata.klinke_key carries kl_step.key to the vendor and back. */
#define CAL_KEY "klinke_key"
#define CAL_MINUTE INT64_C(60000)
#define CAL_DAY INT64_C(86400000)
/* A list longer than this is not walked to its end: the caller must narrow the window. */
#define CAL_MAX_PAGES 20

/* ---- text.c: words, numbers, addresses ------------------------------------------------ */

/* Text or number at path; "nothing" for null, "", absent, objects and arrays. */
kl_str cal_text(kl_call *c, const kl_val *v, const char *path);
/* The first of several paths that has something. */
kl_str cal_first(kl_call *c, const kl_val *v, const char *const *paths, uint32_t count);
#define CAL_FIRST(c, v, ...)                                                                       \
	cal_first((c), (v), (const char *const[]){__VA_ARGS__},                                    \
		(uint32_t)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *)))
int cal_same(kl_str a, kl_str b);
/* ASCII case ignored; for e-mail addresses. */
int cal_same_fold(kl_str a, kl_str b);
/* The digits of two phone numbers agree ("+49 30 1" and "+49301"). */
int cal_same_digits(kl_str a, kl_str b);
kl_str cal_lower(kl_call *c, kl_str s);
int cal_ends(kl_str s, const char *tail);
kl_str cal_digits(kl_call *c, int64_t n);
/* 1 if s is a positive decimal number of at most 18 digits; *n gets it. */
int cal_id(kl_str s, int64_t *n);
/* url plus "?name=value" or "&name=value", the value percent-encoded; nothing for no value. */
kl_str cal_query(kl_call *c, kl_str url, const char *name, kl_str value);
kl_str cal_escape(kl_call *c, kl_str s);
/* A vendor's sentence made fit for a log: short, and without any word that could be an address,
 * a number of a person, or a booking uid, which at this vendor opens the booking to anybody. */
kl_str cal_harmless(kl_call *c, kl_str s);
/* 1 and *ms, or 0. Without an offset the text is read in zone (NULL: refused). */
int cal_parse(kl_call *c, kl_str text, const char *zone, int64_t *ms);
/* "2027-03-30T07:00:00Z" */
kl_str cal_print(kl_call *c, int64_t ms);
int cal_zone_known(kl_call *c, const char *zone);
/* Midnight in zone at or before ms, moved by days; ms itself if the zone is not known. */
int64_t cal_midnight(kl_call *c, const char *zone, int64_t ms, int32_t days);

/* ---- answer.c: requests, and what came back ------------------------------------------- */

struct cal_failure {
	uint32_t fail, status;
	const char *code;
	kl_str message;
	const kl_val *detail;
	int64_t wait_ms;
};

struct cal_window { /* bookings that begin in [from_ms, to_ms) */
	int64_t from_ms, to_ms;
	kl_str event_type, email; /* may be nothing */
	kl_str whose;             /* CAL_OWN, a team's number, or nothing: as the options say */
	uint32_t page;            /* from 0 */
};
#define CAL_OWN "own" /* those of the key's own account */

struct cal_range { /* slots that begin in [from_ms, to_ms) */
	int64_t from_ms, to_ms;
	kl_str event_type, length_min, reschedule_uid;
	const char *zone;
};

struct cal_booking_input {
	kl_str event_type, name, email, phone, language, zone, notes;
	int64_t event_type_id, start_ms, length_min; /* length_min 0: the type's own */
	const kl_val *fields, *location, *metadata;
};

/* Whether a list without a booking proves that there is none: only if this key lists all bookings
 * of the event type. No ask, no whose, no why: proven by what the options let us list. */
struct cal_proof {
	const kl_next *ask; /* return it; what comes back (state at "proof") is for prove() again */
	kl_str whose;       /* only this list proves it: a cal_window.whose */
	kl_str why, remedy; /* not proven: "this, and that; use such a key" */
};

/* How one version of the API spells things. All pointers are set. */
struct cal_dialect {
	const char *slot_start; /* name of the start inside a listed slot */
	const char *remedy;     /* which key would prove it, of any event type */
	const kl_request *(*list)(kl_call *, const kl_step *, const struct cal_window *);
	/* The bookings of a list answer; NULL: this is no list. */
	const kl_val *(*items)(kl_call *, const kl_response *);
	int (*more)(kl_call *, const kl_response *);
	/* The one booking of an answer; NULL: there is none in it. */
	const kl_val *(*one)(kl_call *, const kl_response *);
	const kl_request *(*create)(kl_call *, const kl_step *, const struct cal_booking_input *);
	const kl_request *(*slots)(kl_call *, const kl_step *, const struct cal_range *);
	/* {"2027-03-30": [slot, ...], ...}; NULL: not an answer about slots. */
	const kl_val *(*days)(kl_call *, const kl_response *);
	/* keep is carried along as keep of the state. Sends SAFE requests only. */
	struct cal_proof (*prove)(
		kl_call *, const kl_step *, kl_str event_type, const kl_val *keep);
	/* How long to keep still after a 429; 0 and a sharper failure for a locked account. */
	void (*limited)(kl_call *, const kl_response *, struct cal_failure *);
};

/* ANSWERED with a 2xx status. */
int cal_good(const kl_response *r);
/* Decoded error text, whichever of the vendor's shapes it came in. */
kl_str cal_error_text(kl_call *c, const kl_response *r);
/* Class, code and sentence of an answer that is not good. */
struct cal_failure cal_classify(kl_call *c, const struct cal_dialect *d, const kl_response *r);
/* The same for a request about one booking or event type: the key may be fine and that one somebody
 * else's, which must not stop the connection. */
struct cal_failure cal_classify_one(
	kl_call *c, const struct cal_dialect *d, const kl_response *r);
const kl_next *cal_fail(kl_call *c, const struct cal_failure *f);
/* What the answer to a plain read is worth when it is not good. looking: UNSURE, or a WAIT. */
const kl_next *cal_bad_answer(kl_call *c, const kl_step *s, const struct cal_dialect *d);
const kl_next *cal_surprise(kl_call *c, const char *message);
const kl_next *cal_bad_input(kl_call *c, const char *message);

kl_request *cal_request(
	kl_call *c, const char *method, uint32_t repeat, const char *label, kl_str url);
void cal_body(kl_call *c, kl_request *r, const kl_val *json);

/* Our own state between steps: {"at": at, ...}. */
kl_val *cal_state(kl_call *c, const char *at);
int cal_at(kl_call *c, const kl_step *s, const char *at);
/* Keeps a failure across a look at what really happened, and takes it out again. */
void cal_keep_failure(kl_call *c, kl_val *state, const struct cal_failure *f);
const kl_next *cal_kept_failure(kl_call *c, const kl_step *s);

/* ---- booking.c: the one shape of a booking ------------------------------------------- */

/* The contract's booking (sdk/operations/calendar.md) out of a v1, v2 or webhook object. */
kl_val *cal_booking(kl_call *c, const kl_val *raw);
kl_str cal_uid(kl_call *c, const kl_val *raw);
kl_str cal_key(kl_call *c, const kl_val *raw);
kl_str cal_rescheduled_from(kl_call *c, const kl_val *raw);
/* "booked", "requested", "cancelled", "rejected", or nothing. Constants. */
kl_str cal_status(kl_call *c, const kl_val *raw);
int cal_active(kl_call *c, const kl_val *raw);
int cal_start_ms(kl_call *c, const kl_val *raw, int64_t *ms);
const kl_next *cal_done_booking(kl_call *c, const kl_val *raw, int is_new);
/* Emits it, with the identity that webhook and poll agree on. reason may be nothing. */
void cal_emit(kl_call *c, const kl_val *raw, kl_val *booking, const char *type, int64_t at_ms,
	kl_str dedupe);
/* The state that it shows, as an event, if the input has emit: as the webhook would have told it.
 */
void cal_emit_if_asked(kl_call *c, const kl_step *s, const kl_val *raw, kl_val *booking);
/* uid, status and start: what webhook and poll both know of one change. */
kl_str cal_identity(kl_call *c, const kl_val *booking);
/* The event type that tells this state; NULL if the state is not news by itself. */
const char *cal_event_of(kl_call *c, const kl_val *booking);

/* ---- flows ------------------------------------------------------------------------------ */

const kl_next *cal_op_book(kl_call *c, const kl_step *s, const struct cal_dialect *d);
const kl_next *cal_op_slots(kl_call *c, const kl_step *s, const struct cal_dialect *d);
/* find_booking by key, e-mail or phone in a window; by uid is the dialect's own affair. */
const kl_next *cal_op_search(kl_call *c, const kl_step *s, const struct cal_dialect *d);
/* All bookings of a window. */
const kl_next *cal_op_bookings(kl_call *c, const kl_step *s, const struct cal_dialect *d);
/* Reads and checks the input of book; NULL, or the failure to return. */
const kl_next *cal_booking_input(kl_call *c, const kl_step *s, struct cal_booking_input *in);
/* The value {"type","value"} of input.location: both parts, value may be nothing. */
kl_str cal_location_type(kl_call *c, const kl_val *location);
kl_str cal_location_value(kl_call *c, const kl_val *location);
/* metadata of the input plus our key, every value a text. */
kl_val *cal_metadata(kl_call *c, const kl_step *s, const kl_val *given);
/* 1 if a slot that begins at start_ms is listed. */
int cal_offers(kl_call *c, const struct cal_dialect *d, const kl_val *days, const char *zone,
	int64_t start_ms);

/* ---- proof.c: is what is not listed not there? ------------------------------------------------
 */

/* A question of prove(): its state is {at: "proof", ask: name, keep, me, team, owner}, the last
 * three as the state has them unless more sets them. */
struct cal_proof cal_ask(kl_call *c, const kl_step *s, const kl_request *r, const char *name,
	const kl_val *keep, const kl_val *more);
/* The answer to a question is not good: what that means. */
struct cal_proof cal_not_told(
	kl_call *c, const kl_step *s, const struct cal_dialect *d, kl_str event_type);
/* "event type 310455 WHY" */
struct cal_proof cal_not_proven(kl_call *c, kl_str event_type, const char *why, const char *remedy);
/* The end of test: out, and whether this key could look bookings of input.event_type up. */
const kl_next *cal_test_done(
	kl_call *c, const kl_step *s, const struct cal_dialect *d, const kl_val *out);

/* ---- webhook.c ----------------------------------------------------------------------------- */

const kl_answer *cal_verify(kl_call *c, const kl_inbound *in);
int cal_normalize(kl_call *c, const kl_inbound *in);

/* ---- rows.c: pieces of event type and schedule rows ---------------------------------------- */

/* "09:00" out of "09:00:00" and "1970-01-01T09:00:00.000Z". */
kl_str cal_clock(kl_call *c, kl_str text);
kl_val *cal_person(kl_call *c, kl_str id, kl_str name);
kl_val *cal_buffers(kl_call *c, const kl_val *type);
#define CAL_HAS_SEATS "it has seats: cancelling or moving one of them from here would do it to all"
void cal_set_bookable(kl_call *c, kl_val *row, const char *reason_or_null);
/* Days, from and to of one availability, the days from 1 for Monday to 7. */
const kl_val *cal_hours(kl_call *c, const kl_val *hours);

/* Shared tails of check(): nothing if base is nothing. */
void cal_check_slash(kl_call *c, kl_str base);
/* Host of an absolute URL, lower case, without user, port and trailing dot. */
kl_str cal_host(kl_call *c, kl_str url);

#endif
