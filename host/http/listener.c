/* listener.c - see listener.h: the listening socket, the thread and its deadlines. Never looks at
 * what a request says (exchange.c, request.c). */
#include "http/stream.h"
#include "http/tls.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/latch.h"
#include "base/log.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Above max_connections, for those that are told that there are too many. */
#define SPARE_CONNECTIONS 64
/* Holds a head of 32 KiB with its index; touched only as far as it is used. */
#define CONNECTION_MEMORY (48u << 10)
#define LINGER_MS 2000
#define BACKLOG 1024
#define ACCEPTED_AT_ONCE 64
#define ACCEPT_PAUSE_MS 50

/* ---- The socket -------------------------------------------------------------------------------
 */

static int bad_address(struct error *error, const char *address)
{
	return error_set(error, E_INVALID,
		"\"%.100s\" is no address to listen on; write it like 127.0.0.1:8080, [::1]:8080 "
		"or :8080",
		address);
}

/* "127.0.0.1:80", "[::]:80", ":80" */
static int split_address(struct error *error, const char *address, char host[64], const char **port)
{
	const char *colon = strrchr(address, ':');
	const char *start = address;
	size_t len = colon ? (size_t)(colon - address) : 0;

	if (!colon || !colon[1] || strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
		strtoul(colon + 1, NULL, 10) > 65535)
		return bad_address(error, address);
	if (len >= 2 && start[0] == '[' && start[len - 1] == ']') {
		start++;
		len -= 2;
	} else if (memchr(start, ':', len)) {
		return bad_address(error, address);
	}
	if (len >= 64)
		return bad_address(error, address);
	memcpy(host, start, len);
	host[len] = '\0';
	*port = colon + 1;
	return 0;
}

static int try_bind(const struct addrinfo *info)
{
	int on = 1, off = 0;
	int fd = socket(info->ai_family, info->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
		info->ai_protocol);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (info->ai_family == AF_INET6) /* "every address" means the old ones too */
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (!bind(fd, info->ai_addr, info->ai_addrlen) && !listen(fd, BACKLOG))
		return fd;
	int kept = errno;
	close(fd);
	errno = kept;
	return -1;
}

static int open_socket(struct error *error, const char *address, int *out)
{
	char host[64] = "";
	const char *port = NULL;
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV};
	struct addrinfo *info = NULL;
	int fd = -1;

	if (split_address(error, address, host, &port))
		return E_INVALID;
	if (!host[0] || !strcmp(host, "::")) {
		hints.ai_family = AF_INET6;
		if (!getaddrinfo("::", port, &hints, &info))
			fd = try_bind(info);
		if (info)
			freeaddrinfo(info);
		info = NULL;
		if (fd < 0 && errno == EAFNOSUPPORT)
			strcpy(host, "0.0.0.0"); /* a kernel without IPv6 */
		hints.ai_family = AF_UNSPEC;
	}
	if (fd < 0 && host[0] && strcmp(host, "::")) {
		if (getaddrinfo(host, port, &hints, &info))
			return bad_address(error, address);
		fd = try_bind(info);
		freeaddrinfo(info);
	}
	*out = fd;
	if (fd >= 0)
		return 0;
	return error_set(error, E_IO,
		"cannot listen on %.100s: %s; is another program using it, or is it not allowed?",
		address, strerror(errno));
}

static unsigned port_of(int fd)
{
	struct sockaddr_storage address = {0};
	socklen_t len = sizeof(address);

	if (getsockname(fd, (struct sockaddr *)&address, &len))
		return 0;
	if (address.ss_family == AF_INET)
		return ntohs(((struct sockaddr_in *)(void *)&address)->sin_port);
	if (address.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)(void *)&address)->sin6_port);
	return 0;
}

/* ---- Deadlines --------------------------------------------------------------------------------
 */

/* A next request has begun when more bytes came than there were when the last one ended. The
 * kernel counts; libmicrohttpd tells nothing before the request line is whole. */
static bool has_begun(struct client *client)
{
	uint64_t bytes = client_bytes(client);

	if (!client->bytes_seen)
		client->bytes_seen = bytes;
	return bytes > client->bytes_seen;
}

static uint32_t limit_of(const struct client *client)
{
	const struct listener_options *options = &client->listener->options;

	switch (client->phase) {
	case PHASE_IDLE:
		return options->idle_ms;
	case PHASE_HEAD:
		return options->header_deadline_ms;
	case PHASE_BODY:
	case PHASE_ANSWERING:
		return options->body_deadline_ms;
	case PHASE_STREAMING: /* of not taking what is there */
		return client->listener->draining ? LINGER_MS : options->body_deadline_ms;
	case PHASE_LINGER:
		return LINGER_MS;
	default:
		return UINT32_MAX; /* the handler has its own; what is cut is cut */
	}
}

/* Of TLS the bytes tell nothing: a handshake is no request. */
static bool is_silent(const struct client *client)
{
	bool nothing = client->tls ? !client->exchange : !client_bytes(client);

	return client->phase == PHASE_IDLE ||
	       (client->phase == PHASE_HEAD && !client->served && nothing);
}

/* libmicrohttpd does not look at suspended connections, so we do. */
static bool has_left(const struct client *client)
{
	struct pollfd fd = {client->fd, POLLRDHUP, 0};

	return poll(&fd, 1, 0) > 0;
}

static void check_stream(struct client *client, int64_t now_ms)
{
	struct stream *stream = client->exchange->stream;

	if (!stream_idle(stream)) {
		if (now_ms - client->since_ms > (int64_t)limit_of(client))
			stream_stalled(stream);
	} else if (has_left(client)) {
		client_enter(client, PHASE_CUT);
		stream_stir(stream);
	}
}

static void check_client(struct client *client, int64_t now_ms)
{
	if (client->phase == PHASE_STREAMING) {
		check_stream(client, now_ms);
		return;
	}
	if (client->phase == PHASE_IDLE && has_begun(client))
		client_enter(client, PHASE_HEAD);
	if (now_ms - client->since_ms > (int64_t)limit_of(client))
		client_cut(client);
	else if (client->listener->draining && is_silent(client))
		client_cut(client);
}

static int64_t sweep_interval(const struct listener *listener)
{
	uint32_t least = listener->options.header_deadline_ms;

	if (listener->options.body_deadline_ms < least)
		least = listener->options.body_deadline_ms;
	if (listener->options.idle_ms < least)
		least = listener->options.idle_ms;
	least /= 8;
	return least < 20 ? 20 : least > 1000 ? 1000 : least;
}

static void sweep(struct listener *listener)
{
	int64_t now_ms = clock_mono_ms();

	if (now_ms - listener->swept_ms < sweep_interval(listener))
		return;
	listener->swept_ms = now_ms;
	for (struct client *client = listener->clients; client; client = client->next)
		check_client(client, now_ms);
}

/* ---- Accepting --------------------------------------------------------------------------------
 * Ours, since libmicrohttpd would accept nothing after one failure for want of a descriptor or of
 * memory until some connection ends: a kept-alive one may take its time.
 */

static bool has_place(const struct listener *listener)
{
	return atomic_load(&listener->connections) <
	       listener->options.max_connections + SPARE_CONNECTIONS;
}

static bool may_accept(const struct listener *listener)
{
	return listener->listen_fd >= 0 && has_place(listener) &&
	       clock_mono_ms() >= listener->accept_again_ms;
}

/* false: no more for now. */
static bool accept_one(struct listener *listener)
{
	struct sockaddr_storage from;
	socklen_t size = sizeof(from);
	int fd = accept4(
		listener->listen_fd, (struct sockaddr *)&from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0) /* if it cannot, it closes fd */
		MHD_add_connection(listener->daemon, fd, (struct sockaddr *)&from, size);
	if (fd >= 0 || errno == EINTR || errno == ECONNABORTED)
		return true;
	if (errno != EAGAIN && errno != EWOULDBLOCK)
		listener->accept_again_ms = clock_mono_ms() + ACCEPT_PAUSE_MS;
	return false;
}

static void accept_some(struct listener *listener)
{
	for (int n = 0; n < ACCEPTED_AT_ONCE && has_place(listener); n++)
		if (!accept_one(listener))
			return;
}

/* ---- The thread -------------------------------------------------------------------------------
 */

static void wake(void *arg)
{
	struct listener *listener = arg;
	uint64_t one = 1;

	while (write(listener->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static void wait_for_work(struct listener *listener)
{
	struct pollfd fds[3] = {{listener->epoll_fd, POLLIN, 0}, {listener->wake_fd, POLLIN, 0},
		{may_accept(listener) ? listener->listen_fd : -1, POLLIN, 0}};
	MHD_UNSIGNED_LONG_LONG pending;
	int timeout = listener->clients ? (int)sweep_interval(listener) : -1;
	uint64_t count;

	if (MHD_get_timeout(listener->daemon, &pending) == MHD_YES && pending < 1)
		timeout = 0;
	else if (fds[2].fd < 0 && listener->listen_fd >= 0 &&
		 (timeout < 0 || timeout > ACCEPT_PAUSE_MS))
		timeout = ACCEPT_PAUSE_MS;
	if (poll(fds, 3, timeout) <= 0)
		return;
	if (fds[2].revents)
		accept_some(listener);
	if ((fds[1].revents & POLLIN) && read(listener->wake_fd, &count, sizeof(count)) < 0)
		return; /* nothing there after all */
}

static void close_down(struct listener *listener)
{
	struct client *next;

	for (struct client *client = listener->clients; client; client = next) {
		next = client->next;
		exchange_abandon(client);
	}
	MHD_stop_daemon(listener->daemon);
	pthread_mutex_lock(&listener->lock);
	listener->closed = true;
	pthread_cond_broadcast(&listener->changed);
	pthread_mutex_unlock(&listener->lock);
	/* Who still holds a request answers it some day; its memory is ours until then. */
	while (mailbox_drain(&listener->mailbox) || listener->waiting) {
		struct pollfd fd = {listener->wake_fd, POLLIN, 0};
		uint64_t count;

		if (!listener->waiting)
			continue;
		if (poll(&fd, 1, -1) > 0 && read(listener->wake_fd, &count, sizeof(count)) < 0)
			continue;
	}
}

static void let_go(struct listener *listener)
{
	pthread_mutex_lock(&listener->lock);
	bool last = --listener->holders == 0;
	pthread_mutex_unlock(&listener->lock);
	if (!last)
		return;
	exchange_free_all(listener);
	if (listener->listen_fd >= 0)
		close(listener->listen_fd);
	if (listener->wake_fd >= 0)
		close(listener->wake_fd);
	pthread_cond_destroy(&listener->changed);
	pthread_mutex_destroy(&listener->lock);
	free((char *)listener->options.address);
	tls_unref(listener->tls);
	free(listener);
}

static void *run(void *arg)
{
	struct listener *listener = arg;

	pthread_setname_np(pthread_self(), "listener");
	pthread_mutex_lock(&listener->lock);
	listener->thread = pthread_self();
	pthread_mutex_unlock(&listener->lock);
	for (;;) {
		mailbox_drain(&listener->mailbox);
		if (listener->stopping)
			break;
		MHD_run(listener->daemon);
		sweep(listener);
		wait_for_work(listener);
	}
	close_down(listener);
	let_go(listener);
	return NULL;
}

/* ---- Making -----------------------------------------------------------------------------------
 */

/* libmicrohttpd says what strangers did wrong; each of them could fill the log. */
__attribute__((format(printf, 2, 0))) static void on_log(
	void *cls, const char *format, va_list arguments)
{
	char text[200];

	(void)cls;
	vsnprintf(text, sizeof(text), format, arguments);
	text[strcspn(text, "\n")] = '\0';
	log_line(LOG_DEBUG, "listener", "detail", text, NULL);
}

/* Paths and queries are decoded by request.c, which refuses what is doubtful. */
static size_t keep_escaped(void *cls, struct MHD_Connection *connection, char *text)
{
	(void)cls;
	(void)connection;
	return strlen(text);
}

static struct MHD_Daemon *start_daemon(struct listener *listener)
{
	unsigned tls = listener->tls ? MHD_USE_TLS : 0;
	struct MHD_OptionItem secure[] = {{MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)tls_priorities},
		{MHD_OPTION_HTTPS_MEM_CERT, 0, NULL}, {MHD_OPTION_HTTPS_MEM_KEY, 0, NULL},
		{MHD_OPTION_END, 0, NULL}};

	if (tls) {
		secure[1].ptr_value = (void *)tls_certificate_text(listener->tls);
		secure[2].ptr_value = (void *)tls_key_text(listener->tls);
	}
	/* The logger comes first: options before it would complain to stderr. */
	return MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET |
					MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | tls,
		0, NULL, NULL, exchange_serve, listener, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
		MHD_OPTION_ARRAY, tls ? secure : &secure[3], MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)(listener->options.max_connections + SPARE_CONNECTIONS),
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
		MHD_OPTION_CONNECTION_TIMEOUT, 0u, MHD_OPTION_STRICT_FOR_CLIENT, 1,
		MHD_OPTION_UNESCAPE_CALLBACK, keep_escaped, NULL, MHD_OPTION_URI_LOG_CALLBACK,
		exchange_begin, listener, MHD_OPTION_NOTIFY_CONNECTION, exchange_connection,
		listener, MHD_OPTION_NOTIFY_COMPLETED, exchange_completed, listener,
		MHD_OPTION_END);
}

static void take_options(struct listener *listener, const struct listener_options *options)
{
	struct listener_options *mine = &listener->options;

	*mine = *options;
	mine->address = NULL;
	mine->tls = NULL;
	listener->tls = tls_ref(options->tls);
	if (!mine->max_body)
		mine->max_body = 1u << 20;
	if (!mine->header_deadline_ms)
		mine->header_deadline_ms = 10000;
	if (!mine->body_deadline_ms)
		mine->body_deadline_ms = 30000;
	if (!mine->idle_ms)
		mine->idle_ms = 75000;
	if (!mine->max_connections)
		mine->max_connections = 1024;
}

static int start_thread(struct error *error, struct listener *listener)
{
	pthread_t thread;
	pthread_attr_t attributes;
	sigset_t all, before;

	/* Signals are for the main thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	listener->holders = 2;
	int rc = pthread_create(&thread, &attributes, run, listener);
	pthread_attr_destroy(&attributes);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!rc)
		return 0;
	listener->holders = 1;
	return error_set(error, E_NOMEM, "cannot start the listener's thread: %s", strerror(rc));
}

static int open_all(
	struct error *error, struct listener *listener, const struct listener_options *options)
{
	if (options->fd > 0)
		listener->listen_fd = options->fd;
	else if (open_socket(error, options->address, &listener->listen_fd))
		return -1;
	fcntl(listener->listen_fd, F_SETFL, O_NONBLOCK); /* a handed-down one may block */
	listener->port = port_of(listener->listen_fd);
	listener->lenient_parser = strcmp(MHD_get_version(), "0.9.75") == 0;
	listener->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	listener->daemon = listener->wake_fd >= 0 ? start_daemon(listener) : NULL;
	if (listener->tls)
		tls_forget_text(listener->tls);
	if (!listener->daemon)
		return error_set(error, E_NOMEM, "no memory or descriptors for the listener");
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(listener->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	listener->epoll_fd = info->epoll_fd;
	return start_thread(error, listener);
}

struct listener *listener_create(struct error *error, const struct listener_options *options)
{
	struct listener *listener = calloc(1, sizeof(*listener));

	assert(options->handler && (options->address || options->fd > 0));
	if (!listener) {
		error_set(error, E_NOMEM, "no memory for the listener");
		return NULL;
	}
	listener->listen_fd = listener->wake_fd = -1;
	listener->holders = 1;
	pthread_mutex_init(&listener->lock, NULL);
	latch_init_timed(&listener->changed);
	mailbox_init(&listener->mailbox, wake, listener);
	take_options(listener, options);
	if (!open_all(error, listener, options))
		return listener;
	if (listener->daemon)
		MHD_stop_daemon(listener->daemon);
	let_go(listener);
	return NULL;
}

unsigned listener_port(const struct listener *listener)
{
	return listener->port;
}

/* ---- Ending -----------------------------------------------------------------------------------
 */

static void stop_accepting(struct listener *listener)
{
	if (listener->draining)
		return;
	listener->draining = true;
	close(listener->listen_fd);
	listener->listen_fd = -1;
	listener->swept_ms = 0; /* idle ones go at once */
}

void listener_now_empty(struct listener *listener)
{
	pthread_mutex_lock(&listener->lock);
	if (listener->wants_empty) {
		listener->empty = true;
		pthread_cond_broadcast(&listener->changed);
	}
	pthread_mutex_unlock(&listener->lock);
}

static struct listener *owner_of(struct mailbox_item *item, size_t offset)
{
	return (struct listener *)(void *)((char *)item - offset);
}

static void on_drain(struct mailbox_item *item)
{
	struct listener *listener = owner_of(item, offsetof(struct listener, drain_item));

	stop_accepting(listener);
	for (struct client *client = listener->clients; client; client = client->next)
		if (client->phase == PHASE_STREAMING)
			stream_end(client->exchange->stream);
	if (!listener->clients)
		listener_now_empty(listener);
}

static void on_stop(struct mailbox_item *item)
{
	struct listener *listener = owner_of(item, offsetof(struct listener, stop_item));

	stop_accepting(listener);
	listener->stopping = true;
}

int listener_drain(struct listener *listener, int64_t deadline_ms)
{
	struct timespec until = latch_time(deadline_ms);
	int rc = 0;

	pthread_mutex_lock(&listener->lock);
	bool first = !listener->wants_empty;
	listener->wants_empty = true;
	pthread_mutex_unlock(&listener->lock);
	if (first) {
		listener->drain_item.run = on_drain;
		mailbox_post(&listener->mailbox, &listener->drain_item);
	}
	pthread_mutex_lock(&listener->lock);
	while (!listener->empty && !rc)
		rc = pthread_cond_timedwait(&listener->changed, &listener->lock, &until);
	bool empty = listener->empty;
	pthread_mutex_unlock(&listener->lock);
	return empty ? 0 : E_TIMEOUT;
}

void listener_destroy(struct listener *listener)
{
	if (!listener)
		return;
	listener->stop_item.run = on_stop;
	mailbox_post(&listener->mailbox, &listener->stop_item);
	pthread_mutex_lock(&listener->lock);
	while (!listener->closed)
		pthread_cond_wait(&listener->changed, &listener->lock);
	pthread_mutex_unlock(&listener->lock);
	let_go(listener);
}

/* ---- TLS --------------------------------------------------------------------------------------
 */

struct tls *listener_tls(struct listener *listener)
{
	struct tls *tls;

	pthread_mutex_lock(&listener->lock);
	tls = tls_ref(listener->tls);
	pthread_mutex_unlock(&listener->lock);
	return tls;
}

void listener_renew_tls(struct listener *listener, struct tls *tls)
{
	struct tls *before;

	assert(listener->tls && tls);
	tls_forget_text(tls);
	pthread_mutex_lock(&listener->lock);
	before = listener->tls;
	listener->tls = tls_ref(tls);
	pthread_mutex_unlock(&listener->lock);
	tls_unref(before);
}

void listener_stats(struct listener *listener, struct listener_stats *out)
{
	struct tls *tls = listener_tls(listener);

	out->tls_expires_ms = tls ? tls_expires_ms(tls) : 0;
	tls_unref(tls);
	out->accepted = atomic_load(&listener->accepted);
	out->requests = atomic_load(&listener->requests);
	out->answered = atomic_load(&listener->answered);
	out->rejected = atomic_load(&listener->rejected);
	out->cut = atomic_load(&listener->cut);
	out->connections = atomic_load(&listener->connections);
	out->waiting = atomic_load(&listener->now_waiting);
}
