/* slot.h - one easy handle of libcurl, used for one attempt after another. */
#ifndef TRANSFER_SLOT_H
#define TRANSFER_SLOT_H

#include "transfer/egress.h"
#include "transfer/head.h"

#include <curl/curl.h>
#include <netinet/in.h>

#define SLOT_NAMES_S 60L /* for so long libcurl need not ask for a name again */

struct slot_setup {             /* the same for every slot of a transfer; not owned */
	int64_t doubt_until_ms; /* clock_mono_ms(): until then every name is resolved anew */
	const struct egress *egress;
	const char *user_agent, *ca_file;
	struct curl_slist *resolve;
	uint32_t connect_timeout_ms, timeout_ms, max_header_bytes;
};

struct slot {
	CURL *easy;
	CURLU *url; /* of the attempt; libcurl reads it while it runs */
	const struct slot_setup *setup;
	struct transfer_request *request;
	struct slot *next_free;
	struct arena *arena; /* what the attempt needs besides the caller's memory */
	struct head head;
	struct buf body;
	size_t max_body;
	bool probe; /* it decides about the lane's breaker */
	bool tls, too_big, cancelled;
	bool starved;         /* there was no memory to prepare it */
	bool refused_address; /* an egress rule kept a socket from being made */
	bool opened;          /* a socket was made */
	uint32_t sends;
	char host[256]; /* without brackets */
	unsigned port;
	char peer[INET6_ADDRSTRLEN + 10];
	char error[CURL_ERROR_SIZE];
};

struct slot *slot_create(const struct slot_setup *setup);
void slot_destroy(struct slot *slot); /* takes NULL */

/* Makes the handle ready for request. NULL: it may go; else why not, for a person. timeout_ms:
 * what is left of the deadline at most. */
const char *slot_prepare(struct slot *slot, struct transfer_request *request, int64_t left_ms);
/* After the attempt: fills the out part of the request, from how libcurl says it ended. */
void slot_conclude(struct slot *slot, CURLcode code, int64_t now_ms, int64_t now_us);
/* Did its name lead to nothing but addresses that are refused? */
bool slot_was_misled(const struct slot *slot);
void slot_clear(struct slot *slot); /* ready for the next */

/* fill.c: headers and body as the request wants them, in the slot's arena. */
struct curl_slist *slot_headers(struct slot *slot, const char **problem);
const char *slot_url(struct slot *slot, const char **problem); /* with a QUERY secret */
struct str slot_body(struct slot *slot, const char **problem); /* with a FORM secret */

#endif
