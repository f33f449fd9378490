/* plugin.h - the contract between klinke and its plugins, ABI 1.
 *
 * A plugin is a set of pure functions. It never opens a socket, a file, a
 * thread or a timer: it reads what the host hands it and says what should
 * happen next. The host does the I/O, and runs the plugin inside a sandboxed
 * worker or inside itself; the plugin cannot tell which.
 *
 * Memory   What the host passes lives until the call returns. What you return
 *          is a constant or comes from alloc(). Nobody frees anything.
 * Errors   When memory runs out, builders become no-ops and the host fails the
 *          call. Readers accept NULL and answer "nothing". So: no checks.
 * Threads  Any thread, several at once. Keep no mutable globals.
 * Text     kl_str is bytes and a length; the bytes may hold NULs, and one more
 *          NUL always follows them. const char * is NUL-terminated UTF-8.
 * Time     int64 milliseconds since 1970 UTC where the name ends in _ms.
 *          Inside JSON an instant is text, "2026-11-26T16:15:00Z".
 * Growth   Structs grow at the tail and have no padding there, on any target.
 *          Whoever fills a struct allocates it and sets size; whoever reads it
 *          asks KL_HAS() first. A bigger struct is never refused. kl_str,
 *          kl_list and kl_pair never grow. The elements of a list are stride
 *          bytes apart, which is how they grow.
 *          New *abilities* are extensions, "kl.name/revision".
 * Secrets  You name them, the host applies them. Their values never come here.
 */
#ifndef KLINKE_PLUGIN_H
#define KLINKE_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KL_MINOR 0 /* counts tail additions; the ABI number is in the entry point */
#define KL_HAS(T, s, field) ((s)->size >= offsetof(T, field) + sizeof((s)->field))

typedef struct kl_str { /* ptr NULL: nothing at all; len 0 with a ptr: empty text */
	const char *ptr;
	uint32_t len, zero;
} kl_str;

typedef struct kl_list {
	const void *ptr;
	uint32_t count, stride;
} kl_list;

typedef struct kl_pair {
	kl_str name, value;
} kl_pair;

typedef struct kl_val kl_val; /* one JSON value, opaque and immutable */
typedef struct kl_host kl_host;

typedef struct kl_call { /* one call; more follows that is not yours */
	uint32_t size, attempt;
	int64_t now_ms;      /* the only clock */
	uint64_t seed;       /* the only randomness: same run and step, same seed */
	const kl_host *host;
	const char *run;     /* id of this run, as in logs and traces */
} kl_call;

enum kl_type { KL_NONE, KL_NULL, KL_BOOL, KL_NUMBER, KL_TEXT, KL_ARRAY, KL_OBJECT };

/* How a run fails. The host acts on the class, a person reads the message. */
enum kl_fail {
	KL_BAD_INPUT = 1, /* will never work as it is: park it, show a person */
	KL_BAD_AUTH,      /* credential refused: pause this connection, tell a person */
	KL_BUSY,          /* rate limited: again after wait_ms */
	KL_BROKEN,        /* their fault, and nothing happened there: back off, run again */
	KL_GONE,          /* the target does not exist (any more) */
	KL_CONFLICT,      /* it exists already, or changed under us; a slot is taken */
	KL_SURPRISE       /* not an answer we understand: park it with the bytes */
};

/* ---- Events ------------------------------------------------------------------ */

typedef struct kl_event {
	uint32_t size, flags;  /* flags: 0 */
	int64_t at_ms;         /* when it happened over there; 0 = now */
	const char *type;      /* "booking.created": one of kl_plugin.events */
	kl_str dedupe;         /* the provider's own id; repeats are dropped. Empty: never */
	kl_str subject;        /* events of one subject stay in order */
	kl_str regarding;      /* kl_step.key of a run of ours that this is the answer to:
	                          closes it if its outcome was unknown. Usually empty */
	kl_str person;         /* E.164 number or e-mail of whom it is about; may be empty */
	const kl_val *data;
} kl_event;

/* An operation of this same connection that the host shall run now, because the
 * webhook alone does not tell the whole truth ("look at the booking"). */
typedef struct kl_start {
	uint32_t size, flags;  /* flags: 0 */
	const char *op;        /* one of kl_plugin.ops */
	const kl_val *input;
	kl_str dedupe;         /* the same one is started once. Empty: always */
	kl_str subject;        /* as of an event */
} kl_start;

/* ---- Proof of origin ------------------------------------------------------------
 * verify() says what must hold; the host, which has the secrets, checks it after
 * the call, in constant time, against every currently valid value of the secret. */

typedef struct kl_mac {
	uint32_t size, flags;  /* flags: 0 */
	const char *hash;      /* "sha256", "sha1", "sha512" */
	const char *secret;    /* name of an option of kind KL_OPT_SECRET */
	kl_list pieces;        /* of kl_str: the message is these, one after another */
	kl_list macs;          /* of kl_str, raw bytes: one of them must be the HMAC */
} kl_mac;

/* ---- What the host offers -------------------------------------------------------- */

struct kl_host {
	uint32_t size, minor;

	void *(*alloc)(kl_call *, uint64_t n); /* zeroed, aligned for anything */

	/* Read. A path is "a.b.0.c", or, if it begins with a slash, a JSON Pointer
	 * ("/hub.mode/0"), which reaches every key; "" is the value itself. */
	uint32_t (*type)(const kl_val *);
	uint32_t (*count)(const kl_val *);
	const kl_val *(*find)(const kl_val *, const char *path);
	const kl_val *(*at)(const kl_val *, uint32_t i, kl_str *key_or_null);
	kl_str (*text)(const kl_val *); /* of a number: its digits, as received */
	int64_t (*i64)(const kl_val *, int64_t otherwise); /* otherwise: absent, no integer */
	double (*f64)(const kl_val *, double otherwise);

	/* Build. A value is frozen once another one contains it. Setting a key again
	 * replaces its value; a NULL value is ignored, so absent stays absent. */
	kl_val *(*object)(kl_call *);
	kl_val *(*array)(kl_call *);
	void (*set)(kl_call *, kl_val *object, kl_str key, const kl_val *);
	void (*push)(kl_call *, kl_val *array, const kl_val *);
	const kl_val *(*of_text)(kl_call *, kl_str); /* ptr NULL: NULL */
	const kl_val *(*of_i64)(kl_call *, int64_t);
	const kl_val *(*of_f64)(kl_call *, double);
	const kl_val *(*of_bool)(kl_call *, int);
	const kl_val *(*of_null)(kl_call *);

	/* Convert. how: "hex", "base64", "base64url", "percent". ptr NULL: invalid. */
	const kl_val *(*from_json)(kl_call *, kl_str); /* NULL: not JSON, or not UTF-8 */
	kl_str (*to_json)(kl_call *, const kl_val *);
	kl_str (*encode)(kl_call *, const char *how, kl_str);
	kl_str (*decode)(kl_call *, const char *how, kl_str);
	kl_str (*hash)(kl_call *, const char *hash, kl_str data); /* raw bytes, no key */

	/* Effects: noted now, committed together if and only if the call succeeds. */
	void (*require_mac)(kl_call *, const kl_mac *);                       /* verify() */
	void (*require_secret)(kl_call *, const char *secret, kl_str guess); /* verify() */
	void (*emit)(kl_call *, const kl_event *);           /* normalize(), step() */
	void (*start)(kl_call *, const kl_start *);          /* normalize() */
	void (*row)(kl_call *, const kl_val *);  /* step(): appends to the result's "rows" */
	void (*checkpoint)(kl_call *, const kl_val *); /* step(): durable, per connection and op */
	void (*problem)(kl_call *, const char *path, const char *message); /* check(), map() */
	void (*log)(kl_call *, int level, const char *message); /* 0 debug .. 3 error */

	const void *(*extension)(const char *id); /* "kl.time/1"; NULL: this host has none */
};

/* ---- Inbound: verify, then the host stores the bytes and answers, then normalize --- */

typedef struct kl_inbound {
	uint32_t size, flags;    /* flags: 0 */
	const kl_val *config;    /* options of the connection, without the secrets */
	const char *route, *method, *path;
	kl_list query, headers;  /* of kl_pair; query decoded; header names in lower case;
	                            duplicates kept, in order */
	kl_str body;             /* exactly the bytes received */
} kl_inbound;

enum kl_answer_kind {
	KL_ACCEPT = 1, /* store the bytes, then answer with this. status 0: 200 */
	KL_HANDSHAKE,  /* answer with this, store nothing. status 0: 200 */
	KL_REJECT      /* status 0: 401 */
};

typedef struct kl_answer {
	uint32_t size, kind;
	uint32_t status, refused; /* refused: status if a require_*() does not hold; 0: 401 */
	const char *content_type; /* NULL: text/plain, or application/json if body has one */
	const char *reason;       /* KL_REJECT: for the log, names the part that failed */
	kl_str body;
} kl_answer;

/* On a route that declares reply_ms somebody waits for an answer. */
enum kl_reply_outcome {
	KL_REPLY_NONE = 1, /* no pipeline answers this one */
	KL_REPLY_DONE,     /* result is what the pipeline made */
	KL_REPLY_FALLBACK, /* too late or failed: result holds the fallback's words */
	KL_REPLY_REPEAT    /* the request came again: result is the first one's */
};

typedef struct kl_reply {
	uint32_t size, outcome;
	const kl_inbound *inbound;
	const kl_val *result; /* an object with, always, "say" (text); NULL only for NONE */
} kl_reply;

/* ---- Outbound: a state machine the host advances, one pure step at a time ----------- */

enum kl_repeat {      /* may the host resend when it cannot know the outcome? */
	KL_NEVER = 1, /* it creates something, and there is no key */
	KL_KEYED,     /* the server drops repeats of our idempotency key */
	KL_SAFE       /* it reads, or sets something to a fixed value */
};

typedef struct kl_request {
	uint32_t size, repeat;
	uint32_t timeout_ms, zero; /* 0: the operator's default */
	const char *method;
	kl_str url;                /* absolute, or "/path" below option base_url */
	const char *auth;          /* name of a credential of kl_plugin; NULL: none */
	const char *label;         /* for metrics and traces: few distinct values */
	const char *content_type;
	kl_list headers;           /* of kl_pair */
	kl_str body;
} kl_request;

enum kl_outcome {
	KL_ANSWERED = 1, /* status and body are the server's */
	KL_NOT_SENT,     /* no byte of the request left this machine */
	KL_UNKNOWN,      /* sent, no usable answer: it may have happened. A 5xx, a cut body,
	                    a crash between sending and answer, a timeout */
	KL_REFUSED       /* by the host: egress rule, open circuit, spent budget */
};

typedef struct kl_response {
	uint32_t size, outcome, status, attempts; /* status 0: there was no answer */
	int64_t retry_after_ms; /* from now, parsed from the headers; 0: none */
	const char *reason;     /* unless ANSWERED: what went wrong, for a person */
	const kl_val *json;     /* the body, if it is JSON, else NULL */
	kl_list headers;        /* of kl_pair, names in lower case */
	kl_str body;
} kl_response;

enum kl_why {
	KL_START = 1, /* the beginning */
	KL_RESPONSE,  /* the request you sent was ANSWERED, or was SAFE or KEYED and the host
	                 has given up; look at response->outcome */
	KL_TIMER,     /* what you waited for is over */
	KL_LOOKUP     /* a NEVER request left this machine and nobody knows what came of it:
	                 find out. state is what you kept with that request; response is what
	                 little is known, or NULL after a crash. Send SAFE requests, then
	                 answer KL_DONE (found: the result), KL_ABSENT, KL_UNSURE, or KL_FAIL
	                 if the response itself proves that nothing happened */
};

typedef struct kl_step {
	uint32_t size, why, step, state_version; /* version: of who wrote state */
	uint32_t looking, zero;           /* looking 1: between KL_LOOKUP and its answer */
	const char *op;
	const kl_val *config, *input;     /* the same on every step of a run */
	const kl_val *state;              /* what you kept last step; NULL at start */
	const kl_val *checkpoint;         /* last committed one, or NULL */
	const kl_response *response;      /* KL_RESPONSE, sometimes KL_LOOKUP; else NULL */
	kl_str key; /* idempotency key, [a-z0-9-]{36}; survives crash and restart. Put it
	               where the provider gives it back: it is how an outcome is looked up */
} kl_step;

enum kl_then {
	KL_DONE = 1,
	KL_SEND,
	KL_WAIT,
	KL_FAIL,
	KL_ABSENT, /* looking only: it did not happen. Seen twice, with the request's timeout
	              between, the run starts again */
	KL_UNSURE  /* looking only: cannot be known. Parked until a person or an event with
	              kl_event.regarding decides */
};

typedef struct kl_next {
	uint32_t size, then;
	int64_t wait_ms;           /* KL_WAIT; KL_FAIL with KL_BUSY. From now */
	const kl_val *result;      /* KL_DONE; an object. row()s appear in it as "rows" */
	const kl_val *state;       /* KL_SEND, KL_WAIT: yours again next step; 64 KiB */
	const kl_request *request; /* KL_SEND */
	uint32_t fail, zero;       /* KL_FAIL: enum kl_fail */
	const char *code;          /* KL_FAIL: the provider's own code, or NULL */
	const char *message;       /* KL_FAIL, KL_UNSURE: for a person; no secrets, no payload */
	const kl_val *detail;      /* KL_FAIL: facts a pipeline may use, or NULL */
} kl_next;

/* ---- Mapping: from an event to the input of an operation ------------------------------
 * Options of kind KL_OPT_EXPR are written by the operator as "SPEC : SQL". The host
 * evaluates the SQL; map() gets the values and makes one object of them. What cannot be
 * made is told with problem(key, sentence), all of it, not only the first. */

typedef struct kl_field {
	kl_str key, spec;    /* "phone", "phone(DE), required" */
	kl_str place;        /* "office.ini:31", for sentences */
	const kl_val *value; /* NULL: the expression gave NULL. Booleans may arrive as 0/1 */
} kl_field;

typedef struct kl_map {
	uint32_t size, flags;   /* flags: 0 */
	const kl_val *config;   /* options that are no expressions */
	const kl_val *context;  /* timezone, language, country, now, event (its type), data */
	kl_list fields;         /* of kl_field, in the order of the file */
} kl_map;

/* ---- What a plugin declares ------------------------------------------------------------ */

enum { KL_OPT_TEXT = 1, KL_OPT_INT, KL_OPT_BOOL, KL_OPT_MS, KL_OPT_BYTES, KL_OPT_URL,
       KL_OPT_CHOICE, KL_OPT_SECRET, KL_OPT_EXPR, /* or'ed with: */ KL_OPT_REQUIRED = 256,
       KL_OPT_REPEATED = 512, KL_OPT_DEPRECATED = 1024 };

typedef struct kl_option {
	const char *key;      /* "*" is every key not named otherwise (mappings) */
	uint32_t kind, zero;
	const char *fallback; /* as the operator would write it; NULL: none */
	const char *choices;  /* KL_OPT_CHOICE: "a b c" */
	const char *help;
} kl_option;

enum { KL_OP_ACTION = 1, KL_OP_POLL, /* polls: started by the operator's schedule */
       /* or'ed with: */ KL_OP_LOOKUP = 256 /* step() knows KL_LOOKUP for it */ };

typedef struct kl_op {
	const char *name;
	uint32_t kind, zero;
	const char *schema;   /* JSON Schema of the input, or NULL */
	const char *help;
} kl_op;

typedef struct kl_route { /* POST or GET /hooks/TENANT/CONNECTION/name; "" is the bare one */
	const char *name;
	uint32_t reply_ms, zero; /* > 0: the caller waits that long at most for reply() */
	const char *help;
} kl_route;

enum kl_scheme {
	KL_AUTH_BEARER = 1, /* Authorization: Bearer SECRET */
	KL_AUTH_BASIC,      /* Authorization: Basic, user is the option named by user */
	KL_AUTH_HEADER,     /* header named by param */
	KL_AUTH_QUERY,      /* parameter named by param, added to the URL */
	KL_AUTH_FORM,       /* field named by param, added to the urlencoded body */
	KL_AUTH_OAUTH2      /* client credentials; token URL is the option named by param */
};

typedef struct kl_credential {
	const char *name;
	uint32_t scheme, zero;
	const char *secret; /* option of kind KL_OPT_SECRET */
	const char *user, *param;
} kl_credential;

typedef struct kl_plugin {
	uint32_t size, needs_minor;         /* older hosts must refuse it */
	uint32_t state_version, flags;      /* flags: 0 */
	const char *id, *version, *summary; /* reverse DNS, for ever; semver; a line */
	const char *events;                 /* "booking.created booking.cancelled" */
	const char *hosts;                  /* "api.cal.com": where it needs to go, besides
	                                       the host of each option of kind KL_OPT_URL */
	kl_list options, ops, routes, credentials;

	/* All optional: leave out what you cannot do. */
	void (*check)(kl_call *, const kl_val *config);            /* see problem() */
	const kl_answer *(*verify)(kl_call *, const kl_inbound *); /* NULL: reject */
	int (*normalize)(kl_call *, const kl_inbound *);           /* 0 or enum kl_fail */
	const kl_answer *(*reply)(kl_call *, const kl_reply *);    /* NULL: 200, no body */
	const kl_next *(*step)(kl_call *, const kl_step *);
	const kl_val *(*map)(kl_call *, const kl_map *);
	const void *(*extension)(const char *id); /* "kl.batch/1", "kl.stream/1" */
} kl_plugin;

/* ---- Extensions ------------------------------------------------------------------------
 * kl.time/1   below.
 * Reserved, no host of this minor offers them; their shapes are settled so far:
 * kl.mail/1   KL_SEND with an envelope instead of a URL: sender, recipients, MIME bytes;
 *             the response's status is the last SMTP reply code; a lost reply after the
 *             354 is KL_UNKNOWN.
 * kl.xml/1    from_xml() into the value tree: {"name", "attributes", "children", "text"}.
 * kl.blob/1   bodies too big for memory, by handle: put(bytes), size, read(offset, n). */

typedef struct kl_civil { /* what a clock on the wall of that zone shows */
	uint32_t size;
	int32_t year, month, day, hour, minute, second; /* month and day from 1 */
	int32_t weekday;    /* 1 Monday .. 7 Sunday */
	int32_t offset_s;   /* east of UTC */
	int32_t zero;
} kl_civil;

typedef struct kl_time1 {
	uint32_t size, zero;
	/* 1, or 0 if the zone is not known. Fills out, of which the caller set size. */
	int32_t (*civil)(kl_call *, const char *zone, int64_t ms, kl_civil *out);
	/* How many instants show this on the wall: 0 (skipped in spring), 1, 2 (autumn), -1:
	 * zone not known or no such date. first_ms is the earlier one, or for 0 the instant
	 * as far after the gap as the time is inside it. Reads only year .. second. */
	int32_t (*instant)(kl_call *, const char *zone, const kl_civil *, int64_t *first_ms);
	/* 1, or 0: RFC 3339 or ISO 8601 text. Without an offset it is read in zone; zone NULL
	 * then refuses it. A date alone is its midnight. */
	int32_t (*parse)(kl_call *, kl_str text, const char *zone, int64_t *ms);
	/* "2026-11-26T16:15:00Z"; with a zone "2026-11-26T17:15:00+01:00". */
	kl_str (*print)(kl_call *, int64_t ms, const char *zone_or_null);
} kl_time1;

#ifdef KL_STATIC /* linked into the host: -DKL_STATIC=_calcom */
#define KL_JOIN2(a, b) a##b
#define KL_JOIN(a, b) KL_JOIN2(a, b)
#define KL_ENTRY KL_JOIN(klinke_plugin_v1, KL_STATIC)
#else
#define KL_ENTRY klinke_plugin_v1
#endif
#ifdef __cplusplus
} /* extern "C" */
#define KL_EXPORT extern "C" __attribute__((visibility("default")))
#else
#define KL_EXPORT extern __attribute__((visibility("default")))
#endif
/* The one exported function. NULL: this host is not good enough. */
#define KL_PLUGIN(p) KL_EXPORT const kl_plugin *KL_ENTRY(const kl_host *); \
	const kl_plugin *KL_ENTRY(const kl_host *h) { (void)h; return (p); }
#endif
