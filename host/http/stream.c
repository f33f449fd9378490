/* stream.c - an answer that goes on: bytes written by any thread wait here until the client takes
 * them. Never grows beyond its room, and never waits: a client that has taken all of it is
 * suspended and costs a descriptor.
 *
 * Reading (libmicrohttpd's side) is the listener's thread; writing is any thread's. Held by its
 * writer, by libmicrohttpd's response, and by the mailbox while a wake-up is on its way.
 */
#include "http/stream.h"

#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define ROOM ((size_t)256 << 10)
/* What the kernel keeps for a client that does not read. Left alone it would be megabytes. */
#define SEND_BUFFER (64 << 10)
/* Who does not acknowledge what was sent, or keeps its window shut, for so long is not there. */
#define SILENT_MS 60000
#define BLOCK ((size_t)16 << 10)

struct stream {
	struct mailbox_item item;
	struct listener *listener;
	struct client *client; /* listener's thread */
	bool asleep;           /* listener's thread: suspended */
	void (*over)(void *user, bool cut);
	void *user;
	atomic_uint holders;
	pthread_mutex_t lock; /* of what follows */
	struct buf buf;
	size_t taken; /* of buf */
	bool posted, ended, cut, gone;
};

static void let_go(struct stream *s)
{
	if (atomic_fetch_sub(&s->holders, 1) > 1)
		return;
	pthread_mutex_destroy(&s->lock);
	buf_finish(&s->buf);
	free(s);
}

/* ---- The listener's thread ---------------------------------------------------------------- */

/* What is left of buf goes to its beginning once that costs no more than was taken. */
static void take(struct stream *s, char *to, size_t n)
{
	size_t left;

	memcpy(to, s->buf.ptr + s->taken, n);
	s->taken += n;
	left = s->buf.len - s->taken;
	if (s->taken < left)
		return;
	memmove(s->buf.ptr, s->buf.ptr + s->taken, left);
	s->buf.len = left;
	s->taken = 0;
}

static ssize_t give(void *cls, uint64_t position, char *to, size_t max)
{
	struct stream *s = cls;
	size_t n;
	bool ended, cut;

	(void)position;
	pthread_mutex_lock(&s->lock);
	n = s->buf.len - s->taken;
	n = n < max ? n : max;
	if (n)
		take(s, to, n);
	ended = s->ended;
	cut = s->cut;
	pthread_mutex_unlock(&s->lock);
	if (cut || !s->client || s->client->phase == PHASE_CUT)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	client_enter(s->client, PHASE_STREAMING); /* it moves */
	if (n)
		return (ssize_t)n;
	if (ended)
		return MHD_CONTENT_READER_END_OF_STREAM;
	s->asleep = true;
	MHD_suspend_connection(s->client->connection);
	return 0;
}

static void response_freed(void *cls)
{
	let_go(cls);
}

void stream_stir(struct stream *s)
{
	if (!s->asleep || !s->client)
		return;
	s->asleep = false;
	MHD_resume_connection(s->client->connection);
}

void stream_stalled(struct stream *s)
{
	pthread_mutex_lock(&s->lock);
	s->cut = true;
	pthread_mutex_unlock(&s->lock);
	client_cut(s->client);
}

bool stream_idle(const struct stream *s)
{
	return s->asleep;
}

static void on_wake(struct mailbox_item *item)
{
	struct stream *s = (struct stream *)(void *)((char *)item - offsetof(struct stream, item));
	bool cut;

	pthread_mutex_lock(&s->lock);
	s->posted = false;
	cut = s->cut;
	pthread_mutex_unlock(&s->lock);
	if (s->client && cut)
		client_cut(s->client);
	else if (s->client && s->asleep)
		client_enter(s->client, PHASE_STREAMING); /* from here on it is the client's turn */
	stream_stir(s);
	let_go(s);
}

void stream_gone(struct stream *s)
{
	bool cut;

	pthread_mutex_lock(&s->lock);
	s->gone = true;
	cut = s->cut;
	pthread_mutex_unlock(&s->lock);
	s->client = NULL;
	s->over(s->user, cut);
}

static struct stream *create(struct exchange *exchange, const struct stream_options *options)
{
	struct stream *s = calloc(1, sizeof(*s));
	int size = SEND_BUFFER, silent_ms = SILENT_MS;

	if (!s)
		return NULL;
	s->listener = exchange->listener;
	s->client = exchange->client;
	s->item.run = on_wake;
	s->over = options->over;
	s->user = options->user;
	atomic_init(&s->holders, 2); /* the writer and the response */
	pthread_mutex_init(&s->lock, NULL);
	buf_init(&s->buf, options->room ? options->room : ROOM);
	setsockopt(s->client->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(s->client->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silent_ms, sizeof(silent_ms));
	return s;
}

struct stream *request_stream(
	struct request *request, const struct answer *head, const struct stream_options *options)
{
	struct exchange *exchange = (struct exchange *)request;
	struct stream *s = NULL;

	assert(exchange->listener->in_handler == exchange && options->over && !head->body.len);
	if (!exchange->listener->draining)
		s = create(exchange, options);
	if (s)
		exchange->response = MHD_create_response_from_callback(
			MHD_SIZE_UNKNOWN, BLOCK, give, s, response_freed);
	if (!s || !exchange->response) {
		if (s) {
			let_go(s);
			let_go(s);
		}
		request_answer(request, &(struct answer){.status = 503,
						.body = STR("not now, please try again\n"),
						.close = true});
		return NULL;
	}
	exchange_set_headers(exchange->response, head);
	exchange->status = head->status;
	exchange->stream = s;
	exchange->answered_at_once = true;
	return s;
}

/* ---- Any thread --------------------------------------------------------------------------- */

static void wake(struct stream *s) /* locked */
{
	if (s->posted || s->gone)
		return;
	s->posted = true;
	atomic_fetch_add(&s->holders, 1);
	/* Locked, so that nothing is posted once it is gone: the listener may be, too. */
	mailbox_post(&s->listener->mailbox, &s->item);
}

static size_t room(const struct stream *s) /* locked */
{
	return s->gone || s->ended || s->cut ? 0 : s->buf.max - (s->buf.len - s->taken);
}

size_t stream_room(struct stream *s)
{
	size_t n;

	pthread_mutex_lock(&s->lock);
	n = room(s);
	pthread_mutex_unlock(&s->lock);
	return n;
}

bool stream_write(struct stream *s, struct str bytes)
{
	bool fits;

	pthread_mutex_lock(&s->lock);
	fits = bytes.len && bytes.len <= room(s);
	if (fits && s->buf.len + bytes.len > s->buf.max) {
		memmove(s->buf.ptr, s->buf.ptr + s->taken, s->buf.len - s->taken);
		s->buf.len -= s->taken;
		s->taken = 0;
	}
	if (fits) {
		buf_add_str(&s->buf, bytes);
		fits = !s->buf.failed;
		s->cut |= !fits; /* no memory: what it had is lost */
		wake(s);
	}
	pthread_mutex_unlock(&s->lock);
	return fits;
}

void stream_end(struct stream *s)
{
	pthread_mutex_lock(&s->lock);
	s->ended = true;
	wake(s);
	pthread_mutex_unlock(&s->lock);
}

void stream_cut(struct stream *s)
{
	pthread_mutex_lock(&s->lock);
	s->cut = true;
	wake(s);
	pthread_mutex_unlock(&s->lock);
}

void stream_release(struct stream *s)
{
	if (s)
		let_go(s);
}
