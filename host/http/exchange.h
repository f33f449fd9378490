/* exchange.h - what listener.c (socket, thread, deadlines) and exchange.c (one request after
 * another on a connection) share. */
#ifndef HTTP_EXCHANGE_H
#define HTTP_EXCHANGE_H

#include "base/mailbox.h"
#include "http/request.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

enum phase {
	PHASE_IDLE, /* nothing of a next request was seen */
	PHASE_HEAD, /* some of it */
	PHASE_BODY,
	PHASE_HANDLER, /* handed over, suspended */
	PHASE_ANSWERING,
	PHASE_STREAMING, /* an answer that goes on */
	PHASE_LINGER,    /* refused and half closed: we read on a little, or a reset would
			    overtake our answer */
	PHASE_CUT
};

struct exchange;

struct client { /* one TCP connection; the listener's thread only */
	struct listener *listener;
	struct MHD_Connection *connection;
	struct client *prev, *next;
	struct exchange *exchange;
	int fd;
	enum phase phase;
	bool served; /* at least one request */
	int64_t since_ms;
	uint64_t bytes_seen; /* by the kernel, when the last request ended */
	size_t lingered;
	struct tls *tls; /* what it began with; NULL: in clear */
	char remote[56];
};

struct exchange {               /* one request and its answer */
	struct request request; /* first: request_answer() gets back to us from it */
	struct mailbox_item item;
	struct listener *listener;
	struct client *client; /* NULL: the listener has closed, nobody waits any more */
	struct exchange *next_free;
	struct buf body;
	bool begun, handed, answered_at_once;
	struct MHD_Response *response;
	struct stream *stream; /* NULL: an answer with an end */
	unsigned status;
};

struct listener {
	struct MHD_Daemon *daemon;
	struct listener_options options;
	pthread_t thread;
	int listen_fd, wake_fd, epoll_fd;
	unsigned port;
	struct mailbox mailbox;
	struct client *clients;
	struct exchange *in_handler, *free_exchanges;
	uint32_t free_count, waiting;
	int64_t swept_ms, accept_again_ms;
	bool stopping, draining;
	bool lenient_parser; /* see line_ends_cleanly() */
	struct mailbox_item drain_item, stop_item;

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	unsigned holders; /* the thread and its owner */
	bool started, closed, wants_empty, empty;
	struct tls *tls; /* for connections to come; NULL: in clear */

	atomic_uint_fast64_t accepted, requests, answered, rejected, cut;
	atomic_uint connections, now_waiting;
};

/* Callbacks for libmicrohttpd; cls is the listener. */
void exchange_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
	enum MHD_ConnectionNotificationCode code);
void *exchange_begin(void *cls, const char *uri, struct MHD_Connection *connection);
enum MHD_Result exchange_serve(void *cls, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *data, size_t *size, void **context);
void exchange_completed(void *cls, struct MHD_Connection *connection, void **context,
	enum MHD_RequestTerminationCode code);

void exchange_abandon(struct client *client); /* the listener closes; its answer goes nowhere */
void exchange_free_all(struct listener *listener);
void client_enter(struct client *client, enum phase phase);
void client_cut(struct client *client);             /* libmicrohttpd sees the end and cleans up */
uint64_t client_bytes(const struct client *client); /* received so far, as the kernel says */
void exchange_set_headers(struct MHD_Response *response, const struct answer *answer);
void listener_now_empty(struct listener *listener);
struct tls *listener_tls(struct listener *listener); /* a reference; NULL: in clear */

#endif
