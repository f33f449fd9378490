/* listener.h - inbound HTTP/1.1: complete requests in, one answer each out.
 *
 * The listener has a thread of its own. It calls the handler there, once per complete and
 * well-formed request; the handler must not block. request_answer() may be called from any
 * thread, also from inside the handler. Until then the connection is suspended and costs a
 * descriptor and its buffers, nothing else.
 *
 * What never reaches the handler: bodies over max_body (413), heads over 32 KiB (431), malformed
 * or ambiguous requests (400: two lengths, length and chunks together, encoded NULs, dot segments,
 * overlong UTF-8), other methods (405), requests not complete by our deadlines (connection cut).
 * Timeouts count from the first byte, not from the last, so a dripping client gains nothing.
 */
#ifndef HTTP_LISTENER_H
#define HTTP_LISTENER_H

#include "base/str.h"

struct arena;
struct error;
struct listener;
struct tls;

struct request_pair {
	struct str name, value;
};

struct request { /* read only; lives until it is answered, not longer */
	struct arena
		*arena; /* of this request, for the handler's own use; 256 KiB besides the body */
	const char *method; /* GET HEAD POST PUT PATCH DELETE */
	struct str target;  /* as received, "/hooks/a%20b?x=1" */
	struct str path;    /* decoded, UTF-8, begins with a slash, no "." or ".." segments */
	const struct request_pair *query; /* decoded, in order; "a" without "=" has value "" */
	size_t query_count;
	const struct request_pair *headers; /* names in lower case; duplicates kept, in order */
	size_t header_count;
	struct str body;  /* exactly the bytes received; ptr NULL: none */
	char remote[56];  /* address without port, "203.0.113.7" */
	bool secure;      /* came by TLS */
	int64_t began_us; /* clock_mono_us() at its first byte */
	void *user;       /* the handler's own */
};

struct answer { /* copied by request_answer() */
	unsigned status;
	const char *content_type; /* NULL: none */
	const struct request_pair *headers;
	size_t header_count;
	struct str body;
	bool close; /* end the connection after it */
};

struct listener_options { /* 0: the default in brackets. Copied */
	const char
		*address; /* "127.0.0.1:8080", "[::]:8080", ":8080" is every address; port 0: any */
	int fd;           /* > 0: a listening socket (socket activation); address is not used */
	size_t max_body;  /* [1 MiB] */
	uint32_t header_deadline_ms; /* first byte to end of head [10000] */
	uint32_t body_deadline_ms;   /* end of head to end of body [30000] */
	uint32_t idle_ms;            /* kept-alive without a request [75000] */
	uint32_t max_connections;    /* beyond: 503 and closed [1024] */
	struct tls *tls;             /* NULL: in clear. A reference is taken */
	void (*handler)(void *user, struct request *request);
	void *user;
};

/* NULL and error: address not understood (E_INVALID), taken or not allowed (E_IO), no memory. */
struct listener *listener_create(struct error *error, const struct listener_options *options);
unsigned listener_port(const struct listener *listener);

/* For connections from now on; takes a reference. Only if it began with one, and not NULL. */
void listener_renew_tls(struct listener *listener, struct tls *tls);

/* Stops accepting at once, answers on open connections go out with Connection: close. Waits until
 * nothing is under way or deadline_ms (clock_mono_ms()) has come: 0, or E_TIMEOUT. Not from the
 * handler. */
int listener_drain(struct listener *listener, int64_t deadline_ms);
/* Cuts what is left. Requests not answered yet stay valid until they are; their answers go nowhere.
 * Every request must be answered for its memory to be freed. */
void listener_destroy(struct listener *listener);

/* Exactly once per request; afterwards request is gone. Any thread. */
void request_answer(struct request *request, const struct answer *answer);

/* An answer that goes on: head is sent (its body is empty), then what is written, as it is written.
 * Only from inside the handler, instead of request_answer(); after it request is gone, too. NULL:
 * refused and answered, with 503 (no memory, or the listener drains); over() is not called then.
 * Everything but request_stream() may be called from any thread, also after over(). */
struct stream_options {
	size_t room; /* bytes that may wait for a client that does not take them [256 KiB] */
	/* On the listener's thread, exactly once: the client has left, has all of it, or was cut:
	 * by stream_cut(), or because it took nothing of what waits for body_deadline_ms. */
	void (*over)(void *user, bool cut);
	void *user;
};
struct stream;
struct stream *request_stream(
	struct request *request, const struct answer *head, const struct stream_options *options);
size_t stream_room(struct stream *stream); /* what stream_write() would take now */
/* All or nothing. False: nothing, there is no room for it, or the stream is over. */
bool stream_write(struct stream *stream, struct str bytes);
void stream_end(struct stream *stream); /* the client still gets what was written */
void stream_cut(struct stream *stream); /* at once, and so that the client knows it is not all */
void stream_release(struct stream *stream); /* after over(); takes NULL */

/* First header of that name (lower case), first query parameter; nothing if there is none. */
struct str request_header(const struct request *request, const char *name);
struct str request_query(const struct request *request, const char *name);

struct listener_stats {
	uint64_t accepted, requests, answered, rejected, cut; /* rejected: by us, without handler */
	uint32_t connections, waiting; /* now; waiting: handed over, not answered */
	int64_t tls_expires_ms;        /* since 1970; 0: no TLS */
};
void listener_stats(struct listener *listener, struct listener_stats *out);

#endif
