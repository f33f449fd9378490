/* transfer.h - outbound HTTP: one attempt per submit, and the truth about what came of it.
 *
 * Everything here belongs to one thread, the one that runs the loop. A request waits in its lane
 * (rate, concurrency, breaker; one lane per credential), goes out through libcurl, and comes back
 * through its done callback exactly once. done is never called from inside transfer_submit() or
 * transfer_cancel(); it may itself submit, cancel, and free or reuse its request.
 *
 * Nothing is repeated here except a request none of whose bytes left this machine, or a SAFE or
 * KEYED one whose kept-alive connection turned out to be dead (once, on a new connection). Retries
 * over time are the job runner's, because they must survive a restart. Redirects are answers.
 *
 * Where a request may go: https to allowed_hosts; plain http only to what allow_private covers.
 * The address is checked when the socket is made, so a name that changes its address gains
 * nothing. An address that is not allowed is REFUSED; a name that leads to such a one NOT_SENT, and
 * asked for anew by the next try: name servers may be wrong for a while. Private, loopback,
 * link-local, multicast and reserved ranges (also inside IPv6) need allow_private. Certificates are
 * always checked. No proxy from the environment is used.
 */
#ifndef TRANSFER_TRANSFER_H
#define TRANSFER_TRANSFER_H

#include "base/str.h"
#include "klinke/plugin.h" /* KL_AUTH_*, KL_NEVER .., KL_ANSWERED .. */

#include <uv.h>

struct arena;
struct error;
struct transfer;
struct transfer_lane;

/* ---- Lanes -------------------------------------------------------------------------------- */

enum breaker_state {          /* stored as numbers: never renumber */
	BREAKER_CLOSED = 0,   /* requests flow */
	BREAKER_OPEN = 1,     /* everything is REFUSED until until_ms */
	BREAKER_HALF_OPEN = 2 /* one probe decides */
};

/* 0 in any field: the default in brackets. */
struct transfer_limits {
	double rate_per_s;    /* tokens per second [no limit] */
	double burst;         /* most tokens saved up [the larger of rate_per_s and 1] */
	uint32_t concurrency; /* requests under way at once [32] */
	uint32_t queue;       /* requests waiting at once [1000] */
	uint32_t max_wait_ms; /* longest wait in the lane, for requests without deadline [60000] */
	struct {
		uint32_t window_ms;  /* how far back it looks [60000] */
		uint32_t min_volume; /* never opens on fewer requests [10] */
		double failure_rate; /* 0..1, opens from here [0.5]; above 1: never opens */
		uint32_t open_ms; /* stays open [30000]; doubles while probes fail, to 10 times */
	} breaker;
};

/* Finds or makes the lane; limits are taken over each time (NULL: unchanged or defaults). key is
 * the fingerprint of a credential, never the credential: it is stored and logged. Lanes live as
 * long as the transfer. NULL: no memory. */
struct transfer_lane *transfer_lane(
	struct transfer *transfer, const char *key, const struct transfer_limits *limits);

/* What transfer_options.on_breaker has reported earlier, at start. until_ms is wall-clock. */
int transfer_restore_breaker(
	struct transfer *transfer, const char *key, enum breaker_state state, int64_t until_ms);

struct transfer_lane_status {
	const char *key; /* lives as long as the lane */
	enum breaker_state breaker;
	int64_t until_ms;        /* wall-clock end of OPEN; 0 */
	int64_t paused_until_ms; /* wall-clock, by the peer's Retry-After; 0 */
	uint32_t queued, running;
	uint32_t failures, successes; /* inside the breaker's window */
	double tokens;
	uint64_t answered, not_sent, unknown, refused; /* since start */
};
/* For pages and metrics: calls visit for each lane. */
void transfer_each_lane(struct transfer *transfer,
	void (*visit)(void *user, const struct transfer_lane_status *status), void *user);

/* ---- The room ----------------------------------------------------------------------------- */

struct transfer_options {                 /* 0 or NULL: the default in brackets. Copied */
	const char *user_agent;           /* ["klinke"] */
	const char *ca_file;              /* PEM [the system's] */
	const char *const *allow_private; /* NULL-terminated: "10.0.0.0/8", "127.0.0.1:8090",
					     "[::1]:8090", "nas.local", "nas.local:5232". A name
					     covers private and loopback addresses, nothing worse */
	const char *const *resolve;       /* NULL-terminated "host:port:address", instead of DNS */
	uint32_t max_total;               /* requests under way at once, all lanes [256] */
	uint32_t connect_timeout_ms;      /* name, connection and TLS together [10000] */
	uint32_t timeout_ms;              /* of a request that does not say [30000] */
	uint32_t max_header_bytes;        /* of an answer's head [65536] */
	/* A breaker changed: persist it. Wall-clock; counts are those of the window. */
	void (*on_breaker)(void *user, const char *key, enum breaker_state state, int64_t until_ms,
		uint32_t failures, uint32_t successes);
	int64_t (*now_ms)(void *user); /* wall-clock [clock_now_ms()] */
	void *user;
};

/* NULL and error: no memory, or an allow_private entry that cannot be read (E_INVALID). */
struct transfer *transfer_create(
	struct error *error, uv_loop_t *loop, const struct transfer_options *options);

/* Ends every request (outcome as far as known; done is called from here), then closes its handles
 * on the loop: the caller runs the loop until it is empty. Memory goes with the last handle. May be
 * called from done. */
void transfer_destroy(struct transfer *transfer);

/* ---- Requests ----------------------------------------------------------------------------- */

struct transfer_header {
	struct str name, value;
};

struct transfer_auth {
	uint32_t scheme;   /* KL_AUTH_*; 0: none. OAUTH2: secret is the access token */
	struct str secret; /* logged, recorded and shown nowhere */
	struct str user;   /* BASIC */
	struct str param;  /* HEADER, QUERY, FORM: the name */
};

struct transfer_request {
	/* In. Everything pointed to stays valid and unchanged until done. */
	struct transfer_lane *lane; /* NULL: one without limits or breaker */
	struct arena *arena;        /* for the answer */
	void (*done)(struct transfer_request *request);
	void *user;
	uint32_t repeat;        /* KL_NEVER (also 0), KL_KEYED, KL_SAFE */
	bool urgent;            /* a caller is on the line: before all that are not */
	struct str method, url; /* url: absolute, without secrets */
	const struct transfer_header
		*headers; /* none that HTTP itself needs: Host, Content-Length… */
	size_t header_count;
	struct str content_type; /* nothing: none is sent */
	struct str body;
	struct transfer_auth auth;
	const struct str *allowed_hosts; /* "api.cal.com" (the scheme's port), "host:8443" */
	size_t allowed_host_count;
	struct str traceparent; /* nothing: not sent */
	uint32_t timeout_ms;    /* from the first attempt to connect; 0: the room's */
	size_t max_body;        /* of the answer; 0: 4 MiB */
	int64_t deadline_ms;    /* clock_mono_ms() at which done is due; 0: none */

	/* Out, in the arena. */
	uint32_t outcome; /* KL_ANSWERED, KL_NOT_SENT, KL_UNKNOWN, KL_REFUSED */
	uint32_t status;  /* 0: no status line came. UNKNOWN may have one: 5xx, cut body */
	const struct transfer_header *answer_headers; /* names in lower case, duplicates kept */
	size_t answer_header_count;
	struct str answer;      /* the body; of an UNKNOWN what came of it, at most max_body */
	int64_t retry_after_ms; /* from now; 0: nothing known. REFUSED: when to try again */
	const char *reason;     /* a sentence unless ANSWERED: no secrets, no payload. Else NULL */
	const char *url_redacted; /* for records: user info and secret-looking parameters masked */
	const char *peer;         /* address it was sent to, "203.0.113.7:443"; NULL */
	uint32_t sends;           /* how often the request went onto a connection: 0, 1, rarely 2 */
	int64_t started_ms;       /* wall-clock, when it left the lane; 0: it never did */
	struct {
		int64_t queue, dns, connect, tls, first_byte,
			total; /* each since submit, us; 0: not */
	} at_us;

	/* Ours while it is under way. */
	struct {
		struct transfer *transfer;
		struct transfer_request *prev, *next;
		void *slot;
		int64_t submitted_us, wait_until_ms;
		uint32_t place;
	} own;
};

/* Takes over request until done. Never fails: what cannot be sent ends as REFUSED or NOT_SENT. */
void transfer_submit(struct transfer *transfer, struct transfer_request *request);
/* Ends it soon: NOT_SENT if nothing left, else UNKNOWN. Only between submit and done. */
void transfer_cancel(struct transfer_request *request);

/* ---- Small helpers ------------------------------------------------------------------------ */

/* "host" or "host:port" of an absolute URL, as allowed_hosts wants it. Nothing: no URL. */
struct str transfer_host(struct arena *arena, struct str url);
/* Ms from now of a Retry-After value, seconds or HTTP date; -1: neither. Past: 0. */
int64_t transfer_retry_after(struct str value, int64_t now_ms);
/* The URL with user info and the values of secret-looking parameters (key, token, secret,
 * password, signature …, and extra if not nothing) replaced by "***". NULL: no memory. */
const char *transfer_redact(struct arena *arena, struct str url, struct str extra);

#endif
