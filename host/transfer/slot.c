/* slot.c - see slot.h: options and callbacks of one libcurl handle, and the verdict on how an
 * attempt ended. Loop's thread.
 *
 * The verdict rests on two facts. libcurl calls our pre-request function each time right before
 * it puts a request onto a connection, so an attempt that never got there has sent nothing; and
 * CURLINFO_REQUEST_SIZE counts what has been handed to the socket. libcurl would by itself repeat
 * a request, POST or not, if a kept-alive connection dies without an answer. That second time
 * goes through the pre-request function too, and is stopped there when it could do harm.
 */
#include "transfer/slot.h"

#include "base/arena.h"
#include "base/clock.h"

#include <arpa/inet.h>
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARENA_MAX (2u << 20)
#define DEFAULT_MAX_BODY (4u << 20)
/* Kept between attempts; more is given back, or one big answer would stay in every slot. */
#define KEPT_BODY (64u << 10)
/* How long a connection may have been idle. Servers close after 5 s and more; a NEVER request
 * that meets a closing connection ends as UNKNOWN, so it takes only fresh ones. */
#define IDLE_NEVER_S 4L
#define IDLE_OTHER_S 55L

/* ---- Callbacks ---------------------------------------------------------------------------- */

static size_t on_header(char *line, size_t size, size_t count, void *user)
{
	struct slot *slot = user;

	return head_line(&slot->head, line, size * count) ? size * count : 0;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *user)
{
	struct slot *slot = user;
	size_t n = size * count, room = slot->max_body - slot->body.len;

	if (n > room) {
		slot->too_big = true;
		buf_add(&slot->body, bytes, room);
		return 0;
	}
	buf_add(&slot->body, bytes, n);
	return slot->body.failed ? 0 : n;
}

static curl_socket_t on_open(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct slot *slot = user;

	if (purpose != CURLSOCKTYPE_IPCXN || !egress_allows(slot->setup->egress, slot->tls,
						     slot->host, slot->port, &address->addr)) {
		slot->refused_address = true;
		return CURL_SOCKET_BAD;
	}
	slot->opened = true;
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static long bytes_sent(const struct slot *slot)
{
	long size = 0;

	curl_easy_getinfo(slot->easy, CURLINFO_REQUEST_SIZE, &size);
	return size;
}

static int on_ready_to_send(void *user, char *peer, char *local, int peer_port, int local_port)
{
	struct slot *slot = user;

	(void)local;
	(void)local_port;
	if (slot->sends > 0) {
		bool harmless = slot->request->repeat == KL_SAFE ||
				slot->request->repeat == KL_KEYED || bytes_sent(slot) == 0;
		if (!harmless || slot->sends >= 2)
			return CURL_PREREQFUNC_ABORT;
	}
	slot->sends++;
	snprintf(slot->peer, sizeof(slot->peer), strchr(peer, ':') ? "[%s]:%d" : "%s:%d", peer,
		peer_port);
	return CURL_PREREQFUNC_OK;
}

/* ---- Making and ending ------------------------------------------------------------------------
 */

/* Nothing of this may be missing: without its proxy and protocols a handle would go elsewhere. */
static bool set_constants(struct slot *slot)
{
	CURL *easy = slot->easy;
	const struct slot_setup *setup = slot->setup;
	CURLcode bad = 0;

	bad |= curl_easy_setopt(easy, CURLOPT_PRIVATE, slot);
	bad |= curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, slot->error);
	bad |= curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	bad |= curl_easy_setopt(easy, CURLOPT_HEADERDATA, slot);
	bad |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	bad |= curl_easy_setopt(easy, CURLOPT_WRITEDATA, slot);
	bad |= curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
	bad |= curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, slot);
	bad |= curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_ready_to_send);
	bad |= curl_easy_setopt(easy, CURLOPT_PREREQDATA, slot);
	bad |= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	bad |= curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 1L);
	bad |= curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
	bad |= curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	bad |= curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	bad |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	bad |= curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	bad |= curl_easy_setopt(easy, CURLOPT_PROXY, "");
	bad |= curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	bad |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	bad |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	bad |= curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	bad |= curl_easy_setopt(easy, CURLOPT_USERAGENT, setup->user_agent);
	bad |= curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)setup->connect_timeout_ms);
	if (setup->ca_file)
		bad |= curl_easy_setopt(easy, CURLOPT_CAINFO, setup->ca_file);
	if (setup->resolve)
		bad |= curl_easy_setopt(easy, CURLOPT_RESOLVE, setup->resolve);
	return !bad;
}

struct slot *slot_create(const struct slot_setup *setup)
{
	struct slot *slot = calloc(1, sizeof(*slot));

	if (!slot)
		return NULL;
	slot->setup = setup;
	head_init(&slot->head, setup->max_header_bytes);
	buf_init(&slot->body, 0);
	slot->arena = arena_create(ARENA_MAX);
	slot->easy = curl_easy_init();
	if (slot->arena && slot->easy && set_constants(slot))
		return slot;
	slot_destroy(slot);
	return NULL;
}

void slot_destroy(struct slot *slot)
{
	if (!slot)
		return;
	curl_easy_cleanup(slot->easy);
	curl_url_cleanup(slot->url);
	arena_destroy(slot->arena);
	head_finish(&slot->head);
	buf_finish(&slot->body);
	free(slot);
}

void slot_clear(struct slot *slot)
{
	slot->request = NULL;
	slot->probe = slot->too_big = slot->cancelled = false;
	slot->refused_address = slot->opened = slot->starved = false;
	slot->sends = 0;
	slot->peer[0] = slot->error[0] = '\0';
	arena_reset(slot->arena);
	head_reset(&slot->head);
	if (slot->body.cap > KEPT_BODY)
		buf_finish(&slot->body);
	buf_reset(&slot->body);
}

/* ---- Before ------------------------------------------------------------------------------- */

/* What failed for want of memory is no mistake in the request. */
static bool got(struct slot *slot, CURLUcode code)
{
	slot->starved |= code == CURLUE_OUT_OF_MEMORY;
	return code == CURLUE_OK;
}

static bool set(struct slot *slot, CURLcode code)
{
	slot->starved |= code != CURLE_OK;
	return code == CURLE_OK;
}

static const char *read_host(struct slot *slot)
{
	char *scheme = NULL, *host = NULL, *port = NULL;
	const char *problem = "the URL has no host";

	if (got(slot, curl_url_get(slot->url, CURLUPART_SCHEME, &scheme, 0)) &&
		got(slot, curl_url_get(slot->url, CURLUPART_HOST, &host, 0)) &&
		got(slot, curl_url_get(slot->url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT))) {
		size_t len = strlen(host), skip = host[0] == '[';

		slot->tls = !strcmp(scheme, "https");
		slot->port = (unsigned)strtoul(port, NULL, 10);
		if (!slot->tls && strcmp(scheme, "http"))
			problem = "only https (and, where allowed, http) can be sent";
		else if (len < sizeof(slot->host) && len > 2 * skip) {
			snprintf(slot->host, sizeof(slot->host), "%.*s", (int)(len - 2 * skip),
				host + skip);
			problem = NULL;
		}
	}
	curl_free(scheme);
	curl_free(host);
	curl_free(port);
	return problem;
}

static const char *set_url(struct slot *slot)
{
	const struct transfer_request *request = slot->request;
	const char *problem = NULL;
	const char *text = slot_url(slot, &problem);

	if (!text)
		return problem ? problem : "no memory for the URL";
	curl_url_cleanup(slot->url);
	slot->url = curl_url();
	slot->starved = !slot->url;
	if (!slot->url ||
		!got(slot, curl_url_set(slot->url, CURLUPART_URL, text, CURLU_DISALLOW_USER)))
		return "the URL cannot be understood, or has a user name in it";
	problem = read_host(slot);
	if (problem)
		return problem;
	if (!egress_lists(request->allowed_hosts, request->allowed_host_count, slot->host,
		    slot->port, slot->tls ? 443 : 80))
		return arena_printf(slot->arena,
			"%s:%u is not among the hosts this plugin declares or its options name",
			slot->host, slot->port);
	if (!slot->tls && egress_is_empty(slot->setup->egress))
		return arena_printf(slot->arena,
			"plain http to %s:%u is refused; use https, or add it to allow_private",
			slot->host, slot->port);
	set(slot, curl_easy_setopt(slot->easy, CURLOPT_CURLU, slot->url));
	return NULL;
}

static bool is_method(struct str method)
{
	for (size_t i = 0; i < method.len; i++) {
		if (method.ptr[i] < 'A' || method.ptr[i] > 'Z')
			return false;
	}
	return method.len > 0 && method.len < 16 && !str_is(method, "CONNECT");
}

static const char *set_method(struct slot *slot)
{
	struct transfer_request *request = slot->request;
	const char *problem = NULL;
	struct str body = slot_body(slot, &problem);
	bool head = str_is(request->method, "HEAD");

	if (!is_method(request->method))
		return "the method must be a word in capitals";
	bool upload = body.len || str_is(request->method, "POST") ||
		      str_is(request->method, "PUT") || str_is(request->method, "PATCH");
	if (head && upload)
		return "a HEAD request has no body";
	char *name = arena_strndup(slot->arena, request->method.ptr, request->method.len);
	if (upload) {
		curl_easy_setopt(slot->easy, CURLOPT_POST, 1L);
		curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDS, body.len ? body.ptr : "");
		curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
	} else {
		curl_easy_setopt(slot->easy, head ? CURLOPT_NOBODY : CURLOPT_HTTPGET, 1L);
	}
	set(slot, curl_easy_setopt(slot->easy, CURLOPT_CUSTOMREQUEST, name));
	return problem;
}

const char *slot_prepare(struct slot *slot, struct transfer_request *request, int64_t left_ms)
{
	const char *problem;
	int64_t timeout = request->timeout_ms ? request->timeout_ms : slot->setup->timeout_ms;

	slot->request = request;
	problem = set_url(slot);
	if (!problem)
		problem = set_method(slot);
	if (problem)
		return problem;
	curl_easy_setopt(slot->easy, CURLOPT_HTTPHEADER, slot_headers(slot, &problem));
	slot->starved |= arena_starved(slot->arena);
	if (arena_failed(slot->arena) || slot->starved)
		return "the request is too large";
	if (left_ms < timeout)
		timeout = left_ms > 0 ? left_ms : 1;
	curl_easy_setopt(slot->easy, CURLOPT_TIMEOUT_MS, (long)timeout);
	curl_easy_setopt(slot->easy, CURLOPT_MAXAGE_CONN,
		request->repeat == KL_SAFE || request->repeat == KL_KEYED ? IDLE_OTHER_S
									  : IDLE_NEVER_S);
	curl_easy_setopt(slot->easy, CURLOPT_DNS_CACHE_TIMEOUT,
		clock_mono_ms() < slot->setup->doubt_until_ms ? 0L : SLOT_NAMES_S);
	slot->max_body = request->max_body ? request->max_body : DEFAULT_MAX_BODY;
	slot->body.max = slot->max_body + 1; /* the NUL */
	return problem;
}

/* ---- After -------------------------------------------------------------------------------- */

static int64_t since(const struct slot *slot, CURLINFO what, int64_t start_us)
{
	curl_off_t us = 0;

	curl_easy_getinfo(slot->easy, what, &us);
	return us > 0 ? start_us + (int64_t)us : 0;
}

static void take_times(struct slot *slot, int64_t now_us)
{
	struct transfer_request *request = slot->request;
	int64_t start = request->at_us.queue;

	request->at_us.dns = since(slot, CURLINFO_NAMELOOKUP_TIME_T, start);
	request->at_us.connect = since(slot, CURLINFO_CONNECT_TIME_T, start);
	request->at_us.tls = since(slot, CURLINFO_APPCONNECT_TIME_T, start);
	request->at_us.first_byte =
		slot->head.status ? since(slot, CURLINFO_STARTTRANSFER_TIME_T, start) : 0;
	request->at_us.total = now_us - request->own.submitted_us;
}

static void take_answer(struct slot *slot, int64_t now_ms)
{
	struct transfer_request *request = slot->request;
	struct str body = {slot->body.ptr ? slot->body.ptr : "", slot->body.len};

	if (!slot->head.status || slot->head.status < 200)
		return;
	request->status = slot->head.status;
	request->answer_headers = head_copy(&slot->head, request->arena);
	if (request->answer_headers)
		request->answer_header_count = slot->head.count;
	request->answer = str_dup(request->arena, body);
	int64_t retry = transfer_retry_after(head_find(&slot->head, "retry-after"), now_ms);
	request->retry_after_ms = retry > 0 ? retry : 0;
}

static const char *error_text(struct slot *slot, CURLcode code)
{
	if (slot->cancelled)
		return "it was cancelled";
	for (char *c = slot->error; *c; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = ' ';
	}
	return slot->error[0] ? slot->error : curl_easy_strerror(code);
}

static const char *unknown_reason(struct slot *slot, CURLcode code)
{
	struct arena *arena = slot->request->arena;

	if (code == CURLE_OK)
		return "sent, but no whole answer came: its head was cut";
	if (slot->too_big)
		return arena_printf(arena, "the answer is larger than %zu bytes", slot->max_body);
	if (code == CURLE_WRITE_ERROR && slot->head.status)
		return "the head of the answer is malformed or too large";
	if (code == CURLE_ABORTED_BY_CALLBACK && !slot->cancelled)
		return "the connection was closed after the request was sent and before any "
		       "answer came";
	return arena_printf(arena, "sent, but no whole answer came: %s", error_text(slot, code));
}

static bool is_refused(const struct slot *slot)
{
	return slot->refused_address && !slot->opened;
}

bool slot_was_misled(const struct slot *slot)
{
	uint8_t address[16];

	return is_refused(slot) && inet_pton(AF_INET, slot->host, address) != 1 &&
	       inet_pton(AF_INET6, slot->host, address) != 1;
}

/* An address stays what it is. What a name leads to may be wrong for a while: a router without its
 * line answers for every name with its own address, and a filter with 0.0.0.0. */
static void judge_refused(struct slot *slot)
{
	struct transfer_request *request = slot->request;
	bool misled = slot_was_misled(slot);

	request->outcome = misled ? KL_NOT_SENT : KL_REFUSED;
	request->reason = arena_printf(request->arena,
		"%sthe address of %s:%u is %s; add it to allow_private if that is meant",
		misled ? "nothing was sent: " : "", slot->host, slot->port,
		slot->tls ? "not a public one" : "none that plain http may go to");
}

static void judge(struct slot *slot, CURLcode code)
{
	struct transfer_request *request = slot->request;
	struct arena *arena = request->arena;
	bool sent = slot->sends > 0 && bytes_sent(slot) > 0;
	/* libcurl finds nothing wrong with a head that ends in the middle: no body, then. */
	bool whole = code == CURLE_OK && slot->head.whole;

	if (whole && request->status >= 500) {
		request->outcome = KL_UNKNOWN;
		request->reason = arena_printf(arena, "the server answered %u", request->status);
	} else if (whole && request->status) {
		request->outcome = KL_ANSWERED;
	} else if (sent) {
		request->outcome = KL_UNKNOWN;
		request->reason = unknown_reason(slot, code);
	} else if (is_refused(slot)) {
		judge_refused(slot);
	} else {
		request->outcome = KL_NOT_SENT;
		request->reason =
			arena_printf(arena, "nothing was sent: %s", error_text(slot, code));
	}
}

void slot_conclude(struct slot *slot, CURLcode code, int64_t now_ms, int64_t now_us)
{
	struct transfer_request *request = slot->request;

	request->sends = slot->sends;
	if (slot->peer[0])
		request->peer = arena_strndup(request->arena, slot->peer, strlen(slot->peer));
	take_times(slot, now_us);
	take_answer(slot, now_ms);
	judge(slot, code);
	if (!arena_failed(request->arena) && !slot->body.failed)
		return;
	/* An answer that cannot be kept is no answer; what is certain stays. */
	if (request->outcome == KL_ANSWERED)
		request->outcome = KL_UNKNOWN;
	request->answer = (struct str){NULL, 0};
	request->reason = "no memory for the answer";
}
