/* exchange.c - one request after another on a connection: collects it, hands it over, sends what
 * request_answer() was given. Never blocks and never looks into a body. Everything runs on the
 * listener's thread but request_answer() and the two look-ups of request.c.
 *
 * libmicrohttpd runs without a thread of its own, so that all of its state belongs to ours: answers
 * made elsewhere come through the mailbox, many per wake-up, and deadlines need no lock.
 */
#include "http/stream.h"
#include "http/tls.h"

#include "base/arena.h"
#include "base/clock.h"

#include <arpa/inet.h>
#include <assert.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define ARENA_MAX (256u << 10)
#define MAX_HEAD (32u << 10)
#define MAX_HEADERS 100
#define KEPT_BODY (64u << 10)
#define KEPT_EXCHANGES 64
/* What a client may still send after it was refused, so that it gets to read why. */
#define MAX_LINGER (4u << 20)

/* ---- Clients ----------------------------------------------------------------------------------
 */

void client_enter(struct client *client, enum phase phase)
{
	client->phase = phase;
	client->since_ms = clock_mono_ms();
}

void client_cut(struct client *client)
{
	shutdown(client->fd, SHUT_RDWR);
	client_enter(client, PHASE_CUT);
	atomic_fetch_add(&client->listener->cut, 1);
}

uint64_t client_bytes(const struct client *client)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	memset(&info, 0, sizeof(info));
	if (getsockopt(client->fd, IPPROTO_TCP, TCP_INFO, &info, &len))
		return 0; /* no TCP: then only the idle limit holds */
	return info.tcpi_bytes_received;
}

static void print_remote(char out[56], const struct sockaddr *address)
{
	out[0] = '\0';
	if (!address)
		return;
	if (address->sa_family == AF_INET)
		inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)address)->sin_addr,
			out, 56);
	if (address->sa_family != AF_INET6)
		return;
	inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, out,
		56);
	if (!strncmp(out, "::ffff:", 7) && strchr(out, '.'))
		memmove(out, out + 7, strlen(out + 7) + 1);
}

static void *session_of(const struct client *client)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(client->connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);

	return info ? info->tls_session : NULL;
}

static bool send_past(struct client *client, struct str text)
{
	if (client->tls)
		return tls_send_last(session_of(client), text);
	return send(client->fd, text.ptr, text.len, MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
}

/* Written past libmicrohttpd, which could only answer once the whole head or body is there. There
 * is nothing of an earlier answer in its way: it takes one request at a time. */
static void refuse(struct client *client, unsigned status, const char *title, const char *why)
{
	char text[700], body[400];
	int len = snprintf(body, sizeof(body), "%s\n", why);

	len = snprintf(text, sizeof(text),
		"HTTP/1.1 %u %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n%s"
		"Connection: close\r\n\r\n%s",
		status, title, len, status == 503 ? "Retry-After: 5\r\n" : "", body);
	if (send_past(client, (struct str){text, (size_t)len}))
		shutdown(client->fd, SHUT_WR);
	atomic_fetch_add(&client->listener->rejected, 1);
	client->lingered = 0;
	client_enter(client, PHASE_LINGER);
}

/* What libmicrohttpd has is the certificate of the start; after a reload there may be another. */
static void begin_tls(struct client *client)
{
	client->tls = listener_tls(client->listener);
	if (client->tls && !tls_use(client->tls, session_of(client)))
		client_cut(client);
}

static void client_started(
	struct listener *listener, struct MHD_Connection *connection, void **socket_context)
{
	struct client *client = calloc(1, sizeof(*client));
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	if (!client || !info) {
		free(client);
		return; /* without a client its requests are refused */
	}
	client->fd = info->connect_fd;
	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	print_remote(client->remote, info ? info->client_addr : NULL);
	client->listener = listener;
	client->connection = connection;
	client->next = listener->clients;
	if (client->next)
		client->next->prev = client;
	listener->clients = client;
	*socket_context = client;
	client_enter(client, PHASE_HEAD); /* who connects is expected to speak */
	atomic_fetch_add(&listener->accepted, 1);
	begin_tls(client);
	if (atomic_fetch_add(&listener->connections, 1) < listener->options.max_connections)
		return;
	if (client->tls) /* no handshake yet in which it could be told */
		client_cut(client);
	else
		refuse(client, 503, "Service Unavailable", "too many connections; try again soon");
}

static void client_closed(struct listener *listener, void **socket_context)
{
	struct client *client = *socket_context;

	if (!client)
		return;
	if (client->prev)
		client->prev->next = client->next;
	else
		listener->clients = client->next;
	if (client->next)
		client->next->prev = client->prev;
	tls_unref(client->tls);
	free(client);
	*socket_context = NULL;
	if (atomic_fetch_sub(&listener->connections, 1) == 1)
		listener_now_empty(listener);
}

void exchange_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
	enum MHD_ConnectionNotificationCode code)
{
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		client_started(cls, connection, socket_context);
	else
		client_closed(cls, socket_context);
}

/* ---- Exchanges --------------------------------------------------------------------------------
 */

static void on_answered(struct mailbox_item *item);

static struct exchange *exchange_take(struct listener *listener)
{
	struct exchange *exchange = listener->free_exchanges;

	if (exchange) {
		listener->free_exchanges = exchange->next_free;
		listener->free_count--;
	} else {
		exchange = calloc(1, sizeof(*exchange));
		if (!exchange)
			return NULL;
		exchange->listener = listener;
		exchange->item.run = on_answered;
		exchange->request.arena = arena_create(ARENA_MAX);
		buf_init(&exchange->body, listener->options.max_body + 1);
	}
	if (exchange->request.arena)
		return exchange;
	free(exchange);
	return NULL;
}

static void exchange_destroy(struct exchange *exchange)
{
	if (exchange->response)
		MHD_destroy_response(exchange->response);
	arena_destroy(exchange->request.arena);
	buf_finish(&exchange->body);
	free(exchange);
}

static void exchange_give(struct exchange *exchange)
{
	struct listener *listener = exchange->listener;
	struct arena *arena = exchange->request.arena;

	if (exchange->stream)
		stream_gone(exchange->stream);
	exchange->stream = NULL;
	if (listener->free_count >= KEPT_EXCHANGES || exchange->body.cap > KEPT_BODY) {
		exchange_destroy(exchange);
		return;
	}
	if (exchange->response)
		MHD_destroy_response(exchange->response);
	exchange->response = NULL;
	exchange->client = NULL;
	exchange->begun = exchange->handed = exchange->answered_at_once = false;
	arena_reset(arena);
	buf_reset(&exchange->body);
	memset(&exchange->request, 0, sizeof(exchange->request));
	exchange->request.arena = arena;
	exchange->next_free = listener->free_exchanges;
	listener->free_exchanges = exchange;
	listener->free_count++;
}

void exchange_free_all(struct listener *listener)
{
	while (listener->free_exchanges) {
		struct exchange *exchange = listener->free_exchanges;

		listener->free_exchanges = exchange->next_free;
		exchange_destroy(exchange);
	}
	listener->free_count = 0;
}

/* The request line is there, before libmicrohttpd takes it apart. */
void *exchange_begin(void *cls, const char *uri, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct client *client = info ? info->socket_context : NULL;
	struct exchange *exchange = client ? exchange_take(cls) : NULL;

	if (!exchange)
		return NULL;
	exchange->client = client;
	client->exchange = exchange;
	exchange->request.began_us = clock_mono_us();
	exchange->request.target = str_dup(exchange->request.arena, str_of(uri));
	memcpy(exchange->request.remote, client->remote, sizeof(client->remote));
	exchange->request.secure = client->tls != NULL;
	if (client->phase == PHASE_IDLE)
		client_enter(client, PHASE_HEAD);
	return exchange;
}

void exchange_completed(void *cls, struct MHD_Connection *connection, void **context,
	enum MHD_RequestTerminationCode code)
{
	struct exchange *exchange = *context;
	struct client *client = exchange ? exchange->client : NULL;

	(void)cls;
	(void)connection;
	(void)code;
	*context = NULL;
	if (!client)
		return; /* abandoned: it is freed when it is answered */
	client->exchange = NULL;
	client->served = true;
	if (client->phase != PHASE_CUT && client->phase != PHASE_LINGER) {
		client->bytes_seen = 0;
		client_enter(client, PHASE_IDLE);
	}
	exchange_give(exchange);
}

/* ---- Refusing ---------------------------------------------------------------------------------
 */

static const char *title_of(unsigned status)
{
	switch (status) {
	case 400:
		return "Bad Request";
	case 405:
		return "Method Not Allowed";
	case 413:
		return "Content Too Large";
	case 417:
		return "Expectation Failed";
	case 431:
		return "Request Header Fields Too Large";
	default:
		return "Service Unavailable";
	}
}

static enum MHD_Result reject(
	struct exchange *exchange, bool body_follows, unsigned status, const char *why)
{
	char text[400];
	struct client *client = exchange->client;

	if (body_follows) {
		refuse(client, status, title_of(status), why);
		return MHD_YES;
	}
	int len = snprintf(text, sizeof(text), "%s\n", why);
	struct MHD_Response *response =
		MHD_create_response_from_buffer((size_t)len, text, MHD_RESPMEM_MUST_COPY);
	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, "Content-Type", "text/plain");
	MHD_add_response_header(response, "Connection", "close");
	if (status == 405)
		MHD_add_response_header(response, "Allow", "GET, HEAD, POST, PUT, PATCH, DELETE");
	if (status == 503)
		MHD_add_response_header(response, "Retry-After", "5");
	enum MHD_Result result = MHD_queue_response(client->connection, status, response);
	MHD_destroy_response(response);
	atomic_fetch_add(&client->listener->rejected, 1);
	client_enter(client, PHASE_ANSWERING);
	return result;
}

/* ---- The head ---------------------------------------------------------------------------------
 */

struct collect {
	struct exchange *exchange;
	struct request_pair *pairs;
	size_t count;
	const char *last_end; /* the zero behind the last value */
	bool unclean;
};

/* libmicrohttpd 0.9.75 takes a bare LF for a line end, folded lines for half a value, and a line
 * that begins with a colon for the end of the head; it has no option against any of it. It reads
 * in place and puts zeros over the line ends, so what follows a value's zero tells how its line
 * ended. Other versions are not looked at like this. */
static bool line_ends_cleanly(const char *end)
{
	return end[1] == '\0' && end[2] != ' ' && end[2] != '\t';
}

static bool head_ends_cleanly(const char *end)
{
	return end[1] == '\0' && end[2] == '\0' && end[3] == '\0';
}

static enum MHD_Result collect_header(void *cls, enum MHD_ValueKind kind, const char *name,
	size_t name_len, const char *value, size_t value_len)
{
	struct collect *collect = cls;
	struct arena *arena = collect->exchange->request.arena;

	(void)kind;
	if (collect->count == MAX_HEADERS)
		return MHD_NO;
	if (value && collect->exchange->listener->lenient_parser) {
		collect->last_end = value + value_len;
		if (!line_ends_cleanly(collect->last_end))
			collect->unclean = true;
	}
	struct request_pair *pair = &collect->pairs[collect->count++];
	pair->name = str_dup(arena, (struct str){name, name_len});
	pair->value = str_dup(arena, (struct str){value ? value : "", value ? value_len : 0});
	return MHD_YES;
}

static unsigned read_headers(
	struct exchange *exchange, int minor, struct request_frame *frame, const char **why)
{
	struct request *request = &exchange->request;
	struct MHD_Connection *connection = exchange->client->connection;
	int count = MHD_get_connection_values_n(connection, MHD_HEADER_KIND, NULL, NULL);
	struct collect collect = {exchange,
		arena_alloc(request->arena, (MAX_HEADERS + 1) * sizeof(*collect.pairs)), 0, NULL,
		false};
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

	memset(frame, 0, sizeof(*frame));
	*why = "the head of the request is larger than 32 KiB or has more than 100 headers";
	if (count > MAX_HEADERS || !info || info->header_size > MAX_HEAD ||
		(!collect.pairs && !arena_starved(request->arena)))
		return 431;
	*why = "no memory";
	if (!collect.pairs)
		return 503;
	MHD_get_connection_values_n(connection, MHD_HEADER_KIND, collect_header, &collect);
	if (arena_failed(request->arena))
		return 503;
	request->headers = collect.pairs;
	request->header_count = collect.count;
	unsigned status = request_read_headers(collect.pairs, collect.count, minor, frame, why);
	if (!status && collect.last_end && !head_ends_cleanly(collect.last_end))
		collect.unclean = true;
	if (status || !collect.unclean)
		return status;
	*why = "lines of the head must have a name, end with CR LF and not be folded";
	return 400;
}

static const char *known_method(const char *method)
{
	static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		if (!strcmp(method, methods[i]))
			return methods[i];
	}
	return NULL;
}

static enum MHD_Result take_head(struct exchange *exchange, const char *method, const char *version)
{
	struct request *request = &exchange->request;
	struct request_frame frame;
	const char *why;
	int minor = strcmp(version, "HTTP/1.0") ? 1 : 0;
	unsigned status = read_headers(exchange, minor, &frame, &why);

	request->method = known_method(method);
	if (!status && !request->method) {
		why = "this method is not understood here";
		status = 405;
	}
	if (!status)
		status = request_read_target(request, request->target, &why);
	if (!status && frame.length > exchange->listener->options.max_body) {
		why = "the body is larger than this server accepts";
		status = 413;
	}
	if (!status) {
		client_enter(exchange->client, PHASE_BODY);
		return MHD_YES;
	}
	bool body_follows = !frame.expects_continue && (frame.chunked || frame.length);
	return reject(exchange, body_follows, status, why);
}

/* ---- Body, handler, answer --------------------------------------------------------------------
 */

static enum MHD_Result take_body(struct exchange *exchange, const char *data, size_t size)
{
	if (exchange->body.len + size <= exchange->listener->options.max_body) {
		buf_add(&exchange->body, data, size);
		if (!exchange->body.failed)
			return MHD_YES;
		return reject(exchange, true, 503, "no memory");
	}
	return reject(exchange, true, 413, "the body is larger than this server accepts");
}

static enum MHD_Result send_answer(struct exchange *exchange)
{
	struct listener *listener = exchange->listener;

	if (listener->draining)
		MHD_add_response_header(exchange->response, "Connection", "close");
	client_enter(exchange->client, exchange->stream ? PHASE_STREAMING : PHASE_ANSWERING);
	atomic_fetch_add_explicit(&listener->answered, 1, memory_order_relaxed);
	return MHD_queue_response(
		exchange->client->connection, exchange->status, exchange->response);
}

static enum MHD_Result hand_over(struct exchange *exchange)
{
	struct listener *listener = exchange->listener;
	struct client *client = exchange->client;

	exchange->handed = true;
	if (exchange->body.len)
		exchange->request.body = (struct str){exchange->body.ptr, exchange->body.len};
	client_enter(client, PHASE_HANDLER);
	atomic_fetch_add_explicit(&listener->requests, 1, memory_order_relaxed);
	listener->in_handler = exchange;
	listener->options.handler(listener->options.user, &exchange->request);
	listener->in_handler = NULL;
	if (exchange->answered_at_once)
		return exchange->response ? send_answer(exchange) : MHD_NO;
	/* An answer from another thread may be in the mailbox already; that is opened only after
	 * we are back in our loop, so suspending now is not too late. */
	listener->waiting++;
	atomic_fetch_add_explicit(&listener->now_waiting, 1, memory_order_relaxed);
	MHD_suspend_connection(client->connection);
	return MHD_YES;
}

enum MHD_Result exchange_serve(void *cls, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *data, size_t *size, void **context)
{
	struct exchange *exchange = *context;
	size_t n = *size;

	(void)cls;
	(void)connection;
	(void)url;
	*size = 0;
	if (!exchange || !exchange->client)
		return MHD_NO;
	if (exchange->client->phase == PHASE_LINGER) {
		exchange->client->lingered += n;
		return n && exchange->client->lingered < MAX_LINGER ? MHD_YES : MHD_NO;
	}
	if (!exchange->begun) {
		exchange->begun = true;
		return take_head(exchange, method, version);
	}
	if (n)
		return take_body(exchange, data, n);
	if (!exchange->handed)
		return hand_over(exchange);
	return exchange->response ? send_answer(exchange) : MHD_NO;
}

static void on_answered(struct mailbox_item *item)
{
	struct exchange *exchange =
		(struct exchange *)(void *)((char *)item - offsetof(struct exchange, item));

	exchange->listener->waiting--;
	atomic_fetch_sub_explicit(&exchange->listener->now_waiting, 1, memory_order_relaxed);
	if (!exchange->client) {
		exchange_destroy(exchange);
		return;
	}
	client_enter(exchange->client, PHASE_ANSWERING);
	MHD_resume_connection(exchange->client->connection);
}

void exchange_abandon(struct client *client)
{
	if (client->exchange && client->exchange->stream)
		stream_stir(client->exchange->stream); /* else libmicrohttpd would not end */
	if (client->phase != PHASE_HANDLER || !client->exchange)
		return;
	client->exchange->client = NULL;
	client->exchange = NULL;
	MHD_resume_connection(client->connection);
}

static struct MHD_Response *make_response(const struct answer *answer)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
		answer->body.len, (void *)answer->body.ptr, MHD_RESPMEM_MUST_COPY);

	if (response)
		exchange_set_headers(response, answer);
	return response;
}

void exchange_set_headers(struct MHD_Response *response, const struct answer *answer)
{
	char name[128], value[2048];

	if (answer->content_type)
		MHD_add_response_header(response, "Content-Type", answer->content_type);
	for (size_t i = 0; i < answer->header_count; i++) {
		snprintf(name, sizeof(name), "%.*s", STR_ARG(answer->headers[i].name));
		snprintf(value, sizeof(value), "%.*s", STR_ARG(answer->headers[i].value));
		MHD_add_response_header(response, name, value);
	}
	if (answer->close)
		MHD_add_response_header(response, "Connection", "close");
}

void request_answer(struct request *request, const struct answer *answer)
{
	struct exchange *exchange = (struct exchange *)request;
	struct listener *listener = exchange->listener;

	assert(answer->status >= 200 && answer->status <= 599);
	exchange->status = answer->status;
	exchange->response = make_response(answer);
	if (pthread_equal(pthread_self(), listener->thread) && listener->in_handler == exchange)
		exchange->answered_at_once = true;
	else
		mailbox_post(&listener->mailbox, &exchange->item);
}
