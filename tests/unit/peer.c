/* peer.c - see peer.h. One thread accepts, one more per connection. */
#include "peer.h"

#include <arpa/inet.h>
#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST 256

struct peer {
	const struct peer_step *steps;
	size_t count;
	int fd, stop[2];
	unsigned port;
	pthread_t acceptor, threads[MOST];
	pthread_mutex_t lock;
	unsigned requests, connections, closed;
	char *texts[MOST];
};

struct visit {
	struct peer *peer;
	int fd;
};

static bool readable(struct peer *peer, int fd, int timeout_ms)
{
	struct pollfd fds[2] = {{fd, POLLIN, 0}, {peer->stop[0], POLLIN, 0}};

	return poll(fds, 2, timeout_ms) > 0 && !fds[1].revents && fds[0].revents;
}

static size_t body_length(const char *head)
{
	const char *at = strcasestr(head, "\r\ncontent-length:");

	return at ? strtoul(at + 17, NULL, 10) : 0;
}

/* One whole request, on the heap; NULL: the connection ended. */
static char *read_request(struct peer *peer, int fd)
{
	char *text = calloc(1, 1 << 20);
	size_t len = 0;

	for (;;) {
		char *end = strstr(text, "\r\n\r\n");
		if (end && len >= (size_t)(end + 4 - text) + body_length(text))
			return text;
		ssize_t n = readable(peer, fd, -1) ? read(fd, text + len, (1 << 20) - 1 - len) : 0;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	free(text);
	return NULL;
}

static const struct peer_step *remember(struct peer *peer, char *text)
{
	pthread_mutex_lock(&peer->lock);
	unsigned n = peer->requests++;
	assert(n < MOST);
	peer->texts[n] = text;
	pthread_mutex_unlock(&peer->lock);
	return &peer->steps[n < peer->count ? n : peer->count - 1];
}

static bool play(struct peer *peer, int fd, const struct peer_step *step)
{
	struct linger hard = {1, 0};

	if (step->delay_ms)
		readable(peer, peer->stop[0], step->delay_ms);
	if (step->reply && send(fd, step->reply, strlen(step->reply), MSG_NOSIGNAL) < 0)
		return false;
	if (step->then == PEER_HANG)
		readable(peer, fd, -1);
	if (step->then == PEER_RESET)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	return step->then == PEER_KEEP;
}

static void *serve(void *arg)
{
	struct visit visit = *(struct visit *)arg;
	char *text;

	free(arg);
	while ((text = read_request(visit.peer, visit.fd))) {
		if (!play(visit.peer, visit.fd, remember(visit.peer, text)))
			break;
	}
	close(visit.fd);
	pthread_mutex_lock(&visit.peer->lock);
	visit.peer->closed++;
	pthread_mutex_unlock(&visit.peer->lock);
	return NULL;
}

static void *accept_all(void *arg)
{
	struct peer *peer = arg;

	while (readable(peer, peer->fd, -1)) {
		struct visit *visit = malloc(sizeof(*visit));

		visit->peer = peer;
		visit->fd = accept(peer->fd, NULL, NULL);
		pthread_mutex_lock(&peer->lock);
		assert(peer->connections < MOST);
		pthread_create(&peer->threads[peer->connections++], NULL, serve, visit);
		pthread_mutex_unlock(&peer->lock);
	}
	return NULL;
}

struct peer *peer_start(const struct peer_step *steps, size_t count)
{
	struct peer *peer = calloc(1, sizeof(*peer));
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);

	peer->steps = steps;
	peer->count = count;
	peer->fd = socket(AF_INET, SOCK_STREAM, 0);
	int rc = bind(peer->fd, (struct sockaddr *)&address, sizeof(address));
	rc += listen(peer->fd, 64);
	rc += getsockname(peer->fd, (struct sockaddr *)&address, &len);
	rc += pipe(peer->stop);
	assert(rc == 0);
	peer->port = ntohs(address.sin_port);
	pthread_mutex_init(&peer->lock, NULL);
	pthread_create(&peer->acceptor, NULL, accept_all, peer);
	return peer;
}

void peer_stop(struct peer *peer)
{
	close(peer->stop[1]); /* wakes everybody: the end of a pipe stays readable */
	pthread_join(peer->acceptor, NULL);
	for (unsigned i = 0; i < peer->connections; i++)
		pthread_join(peer->threads[i], NULL);
	for (unsigned i = 0; i < peer->requests; i++)
		free(peer->texts[i]);
	close(peer->fd);
	close(peer->stop[0]);
	pthread_mutex_destroy(&peer->lock);
	free(peer);
}

unsigned peer_port(const struct peer *peer)
{
	return peer->port;
}

static unsigned locked(struct peer *peer, const unsigned *what)
{
	pthread_mutex_lock(&peer->lock);
	unsigned n = *what;
	pthread_mutex_unlock(&peer->lock);
	return n;
}

unsigned peer_requests(struct peer *peer)
{
	return locked(peer, &peer->requests);
}

unsigned peer_connections(struct peer *peer)
{
	return locked(peer, &peer->connections);
}

unsigned peer_closed(struct peer *peer)
{
	return locked(peer, &peer->closed);
}

const char *peer_request(struct peer *peer, unsigned n)
{
	return n < peer_requests(peer) ? peer->texts[n] : NULL;
}
