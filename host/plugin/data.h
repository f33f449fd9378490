/* data.h - what goes into a plugin call and what comes out, as plain data.
 *
 * The same structs are used on both sides of the wire and by a call inside this process. JSON is
 * text here (compact, UTF-8); it becomes a tree only where a plugin reads it. Every str is
 * followed by a NUL when it comes out of a call; what goes in need not be. ptr NULL: nothing.
 * Numbers of enums are those of klinke/plugin.h (KL_*), which is the manual of their meaning.
 */
#ifndef PLUGIN_DATA_H
#define PLUGIN_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

enum plugin_kind {
	PLUGIN_VERIFY = 1,
	PLUGIN_NORMALIZE,
	PLUGIN_REPLY,
	PLUGIN_STEP,
	PLUGIN_MAP,
	PLUGIN_CHECK
};

enum plugin_status {
	PLUGIN_OK,
	PLUGIN_FAILED,  /* the call broke the contract or a limit; the same call will again */
	PLUGIN_DIED,    /* its worker died while this very call was running */
	PLUGIN_TIMEOUT, /* no answer within timeout_ms */
	PLUGIN_DISABLED, /* the plugin does not load; see plugin_problem() */
	PLUGIN_NOT_RUN   /* no worker came to it within timeout_ms: not its fault */
};

struct plugin_pair {
	struct str name, value;
};
struct plugin_pairs {
	const struct plugin_pair *items;
	size_t count;
};

/* ---- in ----------------------------------------------------------------------------------- */

struct plugin_inbound {
	struct str route, method, path;
	struct plugin_pairs query, headers; /* query decoded, header names in lower case */
	struct str body;
};

struct plugin_reply_in {
	struct plugin_inbound inbound;
	uint32_t outcome;  /* KL_REPLY_* */
	struct str result; /* JSON object with "say"; nothing only for KL_REPLY_NONE */
};

struct plugin_response {
	uint32_t outcome, status, attempts; /* outcome: KL_ANSWERED ... */
	int64_t retry_after_ms;
	struct str reason;
	struct plugin_pairs headers; /* names in lower case */
	struct str body;             /* parsed for the plugin if it is JSON */
};

struct plugin_step_in {
	uint32_t why, step, state_version, looking;
	struct str op;
	struct str input, state, checkpoint;    /* JSON; state and checkpoint may be nothing */
	const struct plugin_response *response; /* NULL: none */
	struct str key;
};

struct plugin_field {
	struct str key, spec, place;
	struct str value; /* JSON; nothing: the expression gave NULL */
};

struct plugin_map_in {
	struct str context; /* JSON object */
	const struct plugin_field *fields;
	size_t field_count;
};

struct plugin_in {
	enum plugin_kind kind;
	uint32_t attempt;
	int64_t now_ms;
	uint64_t seed;
	struct str run; /* id of the run, as in logs */
	union {
		struct plugin_inbound inbound; /* VERIFY, NORMALIZE */
		struct plugin_reply_in reply;
		struct plugin_step_in step;
		struct plugin_map_in map;
	}; /* CHECK has none */
};

/* ---- out ---------------------------------------------------------------------------------- */

struct plugin_answer {                  /* VERIFY, REPLY; kind 0: the plugin returned NULL */
	uint32_t kind, status, refused; /* as returned; 0 means the default of plugin.h */
	struct str content_type, reason, body;
};

struct plugin_request { /* KL_SEND. Which hosts are allowed is not checked here */
	uint32_t repeat, timeout_ms;
	struct str method, url, auth, label, content_type;
	struct plugin_pairs headers;
	struct str body;
};

struct plugin_next { /* STEP */
	uint32_t then;
	int64_t wait_ms;
	struct str result, state; /* JSON; result holds the rows as "rows" if there are any */
	bool has_request;
	struct plugin_request request;
	uint32_t fail;
	struct str code, message;
	struct str detail; /* JSON */
};

struct plugin_mac { /* to be checked by the caller: one of macs is the HMAC of pieces */
	struct str hash, secret;
	const struct str *pieces;
	size_t piece_count;
	const struct str *macs;
	size_t mac_count;
};

struct plugin_secret {
	struct str secret, guess; /* guess must equal a valid value of the option secret */
};

struct plugin_event {
	int64_t at_ms; /* 0: now */
	struct str type, dedupe, subject, regarding, person;
	struct str data; /* JSON; "null" if the plugin gave none */
};

struct plugin_start {
	struct str op;
	struct str input; /* JSON; "null" if the plugin gave none */
	struct str dedupe, subject;
};

struct plugin_complaint { /* CHECK, MAP */
	struct str path, message;
};

struct plugin_note {
	int level; /* 0 debug .. 3 error */
	struct str message;
};

/* An array of T with its length; all of one call together live in the call's arena. */
#define PLUGIN_LIST(T)                                                                             \
	struct {                                                                                   \
		T *items;                                                                          \
		uint32_t count;                                                                    \
	}

struct plugin_out {
	enum plugin_status status;
	struct error error; /* unless PLUGIN_OK: which plugin, which member, what to do */
	int returned;       /* NORMALIZE: 0 or KL_* of enum kl_fail */
	struct plugin_answer answer;
	struct plugin_next next;
	struct str mapped; /* MAP: JSON object; nothing if map() returned NULL */
	/* Effects. Empty unless PLUGIN_OK, but for logs. */
	PLUGIN_LIST(struct plugin_mac) macs;
	PLUGIN_LIST(struct plugin_secret) secrets;
	PLUGIN_LIST(struct plugin_event) events;
	PLUGIN_LIST(struct plugin_start) starts;
	PLUGIN_LIST(struct plugin_complaint) problems;
	PLUGIN_LIST(struct plugin_note) logs;
	struct str rows;       /* JSON array; nothing if there was no row() */
	struct str checkpoint; /* JSON; nothing: keep the old one */
};

/* What one call may use. Zero in a member: the default beside it. */
struct plugin_limits {
	size_t memory;         /* 16 MiB: everything a call allocates */
	uint32_t state;        /* 64 KiB of JSON text */
	uint32_t events, rows; /* 5,000, 20,000 */
	uint32_t notes;        /* 200: logs, and as many problems */
};

#endif
