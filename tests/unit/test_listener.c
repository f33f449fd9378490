/* The listener, as clients see it: raw sockets, polite ones and others. */
#include "http/listener.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define MOST 4096

struct world {
	struct listener *listener;
	pthread_t answerer;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct request *echoes[MOST], *held[MOST];
	unsigned echo_count, held_count, handled;
	bool stop;
};

/* What the handler saw, as text, so that a test can compare the whole of it. */
static void echo(struct request *request)
{
	struct buf text;
	char number[32];

	buf_init(&text, 16 << 20);
	buf_printf(&text, "%s %.*s", request->method, STR_ARG(request->path));
	for (size_t i = 0; i < request->query_count; i++)
		buf_printf(&text, " {%.*s|%.*s}", STR_ARG(request->query[i].name),
			STR_ARG(request->query[i].value));
	for (size_t i = 0; i < request->header_count; i++)
		buf_printf(&text, "\n%.*s=%.*s", STR_ARG(request->headers[i].name),
			STR_ARG(request->headers[i].value));
	buf_add_text(&text, "\n\n");
	buf_add_str(&text, request->body);
	snprintf(number, sizeof(number), "%zu", request->body.len);
	struct request_pair headers[] = {
		{STR("X-Length"), str_of(number)}, {STR("X-Remote"), str_of(request->remote)}};
	struct answer answer = {.status = 200,
		.content_type = "text/plain",
		.headers = headers,
		.header_count = 2,
		.body = {text.ptr, text.len}};
	request_answer(request, &answer);
	buf_finish(&text);
}

static void *answer_all(void *arg)
{
	struct world *world = arg;

	pthread_mutex_lock(&world->lock);
	while (!world->stop) {
		while (world->echo_count) {
			struct request *request = world->echoes[--world->echo_count];

			pthread_mutex_unlock(&world->lock);
			echo(request);
			pthread_mutex_lock(&world->lock);
		}
		if (!world->stop)
			pthread_cond_wait(&world->changed, &world->lock);
	}
	pthread_mutex_unlock(&world->lock);
	return NULL;
}

static void handle(void *user, struct request *request)
{
	struct world *world = user;

	if (str_is(request->path, "/at-once")) {
		echo(request);
		request = NULL;
	}
	pthread_mutex_lock(&world->lock);
	world->handled++;
	if (request && str_is(request->path, "/hold"))
		world->held[world->held_count++] = request;
	else if (request)
		world->echoes[world->echo_count++] = request;
	pthread_cond_broadcast(&world->changed);
	pthread_mutex_unlock(&world->lock);
}

static struct world *begin_with(struct listener_options options)
{
	struct world *world = calloc(1, sizeof(*world));
	struct error error = {0};

	pthread_mutex_init(&world->lock, NULL);
	pthread_cond_init(&world->changed, NULL);
	if (!options.address)
		options.address = "127.0.0.1:0";
	options.handler = handle;
	options.user = world;
	world->listener = listener_create(&error, &options);
	if (!world->listener)
		print_message("%s\n", error.text);
	assert_non_null(world->listener);
	pthread_create(&world->answerer, NULL, answer_all, world);
	return world;
}

static struct world *begin(void)
{
	return begin_with((struct listener_options){.max_body = 100000});
}

static void end(struct world *world)
{
	listener_destroy(world->listener);
	pthread_mutex_lock(&world->lock);
	world->stop = true;
	pthread_cond_broadcast(&world->changed);
	pthread_mutex_unlock(&world->lock);
	pthread_join(world->answerer, NULL);
	pthread_mutex_destroy(&world->lock);
	pthread_cond_destroy(&world->changed);
	free(world);
}

static unsigned handled(struct world *world)
{
	pthread_mutex_lock(&world->lock);
	unsigned n = world->handled;
	pthread_mutex_unlock(&world->lock);
	return n;
}

static struct request *wait_held(struct world *world, unsigned n)
{
	pthread_mutex_lock(&world->lock);
	while (world->held_count <= n)
		pthread_cond_wait(&world->changed, &world->lock);
	struct request *request = world->held[n];
	pthread_mutex_unlock(&world->lock);
	return request;
}

/* ---- The client -------------------------------------------------------------------------------
 */

static int try_dial(struct world *world)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)listener_port(world->listener)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

static int dial(struct world *world)
{
	int fd = try_dial(world);

	assert_true(fd >= 0);
	return fd;
}

static void say_n(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
		if (n <= 0)
			return; /* refused: the answer tells */
		text += n;
		len -= (size_t)n;
	}
}

static void say(int fd, const char *text)
{
	say_n(fd, text, strlen(text));
}

struct reply {
	char text[400000];
	size_t len;
	int status;
	const char *body;
	bool closed; /* the connection ended while reading it */
};
static struct reply reply; /* of the last hear(); too big for a stack */

static bool is_whole(void)
{
	char *end = strstr(reply.text, "\r\n\r\n");
	const char *length = strstr(reply.text, "\r\nContent-Length: ");

	if (!end)
		return false;
	reply.body = end + 4;
	reply.status = atoi(reply.text + 9);
	if (reply.status == 100)
		return true;
	return !length ||
	       reply.len >= (size_t)(end + 4 - reply.text) + strtoul(length + 18, NULL, 10);
}

/* The next answer, or the end of the connection; within five seconds. */
static int hear(int fd)
{
	memset(&reply, 0, sizeof(reply));
	while (!is_whole()) {
		struct pollfd pollfd = {fd, POLLIN, 0};
		assert_int_equal(poll(&pollfd, 1, 5000), 1);
		/* One byte at a time leaves the next answer where it is. */
		ssize_t n = recv(fd, reply.text + reply.len, reply.len < 600 ? 1 : 100000, 0);
		if (n <= 0) {
			reply.closed = true;
			return reply.status;
		}
		reply.len += (size_t)n;
		assert_true(reply.len < sizeof(reply.text));
	}
	return reply.status;
}

static bool is_closed(int fd)
{
	struct pollfd pollfd = {fd, POLLIN, 0};
	char rest[1000];
	ssize_t n;

	do {
		assert_int_equal(poll(&pollfd, 1, 5000), 1);
		n = recv(fd, rest, sizeof(rest), 0);
	} while (n > 0);
	return true;
}

/* ---- What arrives -----------------------------------------------------------------------------
 */

static void a_request_arrives_whole_and_as_sent(void **state)
{
	struct world *world = begin();
	int fd = dial(world);
	(void)state;
	say(fd, "POST /hooks/a%20b/%C3%BC?hub.mode=a+b%26&empty&=x&hub.mode=2&e= HTTP/1.1\r\n"
		"Host: x\r\nX-Two: 1\r\nx-two:  2 \r\nX-Empty:\r\nContent-Length: 6\r\n\r\n");
	say_n(fd, "a\0b\r\nc", 6);
	assert_int_equal(hear(fd), 200);
	assert_non_null(strstr(reply.text, "X-Length: 6\r\n"));
	assert_non_null(strstr(reply.text, "X-Remote: 127.0.0.1\r\n"));
	static const char expect[] =
		"POST /hooks/a b/\xc3\xbc {hub.mode|a b&} {empty|} {|x} {hub.mode|2} {e|}\n"
		"host=x\nx-two=1\nx-two=2\nx-empty=\ncontent-length=6\n\na\0b\r\nc";
	assert_memory_equal(reply.body, expect, sizeof(expect) - 1);
	close(fd);
	end(world);
}

static void kept_connections_carry_one_request_after_another(void **state)
{
	struct world *world = begin();
	int fd = dial(world);
	(void)state;
	for (int i = 0; i < 3; i++) {
		say(fd, "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi");
		assert_int_equal(hear(fd), 200);
		say(fd, "GET /at-once HTTP/1.1\r\nHost: x\r\n\r\n");
		assert_int_equal(hear(fd), 200);
		assert_memory_equal(reply.body, "GET /at-once\n", 13);
	}
	/* Two in one go, answered in their order. */
	say(fd, "GET /1 HTTP/1.1\r\nHost: x\r\n\r\nPUT /2 HTTP/1.1\r\nHost: x\r\n"
		"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\nT: 1\r\n\r\n");
	assert_int_equal(hear(fd), 200);
	assert_memory_equal(reply.body, "GET /1\n", 7);
	assert_int_equal(hear(fd), 200);
	assert_memory_equal(reply.body, "PUT /2\n", 7);
	assert_non_null(strstr(reply.body, "\n\nabcde"));
	assert_non_null(strstr(reply.text, "X-Length: 5\r\n"));
	close(fd);
	end(world);
}

static void a_client_that_expects_100_gets_it(void **state)
{
	struct world *world = begin();
	int fd = dial(world);
	(void)state;
	say(fd, "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
		"Content-Length: 2\r\n\r\n");
	assert_int_equal(hear(fd), 100);
	say(fd, "hi");
	assert_int_equal(hear(fd), 200);
	assert_non_null(strstr(reply.body, "\n\nhi"));
	/* Not if the body is unwelcome. */
	say(fd, "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
		"Content-Length: 200000\r\n\r\n");
	assert_int_equal(hear(fd), 413);
	assert_true(is_closed(fd));
	close(fd);
	end(world);
}

static void old_and_proxy_forms_are_understood(void **state)
{
	struct world *world = begin();
	(void)state;
	int fd = dial(world);
	say(fd, "GET /old HTTP/1.0\r\n\r\n");
	assert_int_equal(hear(fd), 200);
	assert_memory_equal(reply.body, "GET /old\n", 9);
	assert_true(is_closed(fd));
	close(fd);
	fd = dial(world);
	say(fd, "GET http://klinke.example:8080/p?q=1 HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_int_equal(hear(fd), 200);
	assert_memory_equal(reply.body, "GET /p {q|1}\n", 13);
	say(fd, "GET http://klinke.example HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_int_equal(hear(fd), 200);
	assert_memory_equal(reply.body, "GET /\n", 6);
	say(fd, "HEAD / HTTP/1.1\r\nHost: x\r\n\r\nGET /n HTTP/1.1\r\nHost: x\r\n\r\n");
	char head[2000] = "";
	size_t len = 0;
	while (!strstr(head, "GET /n")) { /* the HEAD's answer has a length and no body */
		struct pollfd pollfd = {fd, POLLIN, 0};
		assert_int_equal(poll(&pollfd, 1, 5000), 1);
		ssize_t n = recv(fd, head + len, sizeof(head) - 1 - len, 0);
		assert_true(n > 0);
		len += (size_t)n;
	}
	assert_null(strstr(head, "HEAD /"));
	close(fd);
	end(world);
}

/* ---- What does not ----------------------------------------------------------------------------
 */

static void ambiguous_requests_are_refused_and_the_connection_ends(void **state)
{
	static const char *const bad[] = {
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: "
		"chunked\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: "
		"5\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nab",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -2\r\n\r\nab",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +2\r\n\r\nab",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2, 2\r\n\r\nab",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0x2\r\n\r\nab",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\nab",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length : 2\r\n\r\nab",
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
		"chunked\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \x0b"
		"chunked\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nX: a\nContent-Length: 5\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nX: a\rContent-Length: 5\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nX\x01: a\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\n: a\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
		"GET / HTTP/1.1\r\n\r\n",
		"GET /a%00b HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /a%0ab HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /a%2 HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /a%zz HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /../etc HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /a/%2e%2e/b HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /a/. HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /a%2fb HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /%c0%ae%c0%ae/ HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /%ff HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /?a=%00 HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /?%ff=1 HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET a HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET * HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /#a HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET\r\n\r\n",
	};
	struct world *world = begin();
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int fd = dial(world);
		say(fd, bad[i]);
		/* What is smuggled behind must never be taken for a request. */
		say(fd, "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n");
		int status = hear(fd);
		if (status != 400 && !(reply.closed && !reply.len))
			print_message("%zu: %s\n%s\n", i, bad[i], reply.text);
		assert_true(status == 400 || (reply.closed && !reply.len));
		assert_true(is_closed(fd));
		close(fd);
	}
	assert_int_equal(handled(world), 0);
	end(world);
}

static void a_refusal_says_what_would_help(void **state)
{
	static const struct {
		const char *request, *expect;
		int status;
	} cases[] = {
		{"TRACE / HTTP/1.1\r\nHost: x\r\n\r\n", "Allow: GET, HEAD, POST", 405},
		{"get / HTTP/1.1\r\nHost: x\r\n\r\n", "Allow: GET, HEAD, POST", 405},
		{"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "not understood", 405},
		{"POST / HTTP/1.1\r\nHost: x\r\nExpect: tea\r\nContent-Length: 2\r\n\r\n", "100",
			417},
		{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100001\r\n\r\n", "larger", 413},
		{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999\r\n\r\n",
			"larger", 413},
	};
	struct world *world = begin();
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int fd = dial(world);
		say(fd, cases[i].request);
		assert_int_equal(hear(fd), cases[i].status); /* at once, with no body sent */
		assert_non_null(strstr(reply.text, cases[i].expect));
		assert_non_null(strstr(reply.text, "Connection: close"));
		close(fd);
	}
	assert_int_equal(handled(world), 0);
	end(world);
}

static void a_head_beyond_32_kib_is_refused(void **state)
{
	struct world *world = begin();
	char *text = malloc(200000);
	(void)state;
	for (int i = 0; i < 3; i++) {
		static const int lengths[] = {30000, 34000, 150000};
		int fd = dial(world);
		int len = sprintf(text, "GET / HTTP/1.1\r\nHost: x\r\nX: ");
		memset(text + len, 'x', (size_t)lengths[i]);
		strcpy(text + len + lengths[i], "\r\n\r\n");
		say(fd, text);
		assert_int_equal(hear(fd), i ? 431 : 200);
		close(fd);
	}
	int fd = dial(world), len = sprintf(text, "GET / HTTP/1.1\r\nHost: x\r\n");
	for (int i = 0; i < 100; i++)
		len += sprintf(text + len, "X: %d\r\n", i);
	strcpy(text + len, "\r\n");
	say(fd, text);
	assert_int_equal(hear(fd), 431);
	close(fd);
	assert_int_equal(handled(world), 1);
	free(text);
	end(world);
}

static void a_client_that_sends_too_much_still_reads_why(void **state)
{
	struct world *world = begin();
	char *big = malloc(3 << 20);
	(void)state;
	memset(big, 'x', 3 << 20);
	/* Declared, and sent in spite of the answer, like clients that read only afterwards. */
	int fd = dial(world);
	say(fd, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3145728\r\n\r\n");
	say_n(fd, big, 3 << 20);
	assert_int_equal(hear(fd), 413);
	assert_true(is_closed(fd));
	close(fd);
	/* In chunks, which say so only on the way. */
	fd = dial(world);
	say(fd, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n300000\r\n");
	say_n(fd, big, 3 << 20);
	say(fd, "\r\n0\r\n\r\n");
	assert_int_equal(hear(fd), 413);
	assert_true(is_closed(fd));
	close(fd);
	/* Exactly as much as is allowed. */
	fd = dial(world);
	say(fd, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n");
	say_n(fd, big, 100000);
	assert_int_equal(hear(fd), 200);
	assert_non_null(strstr(reply.text, "X-Length: 100000\r\n"));
	close(fd);
	assert_int_equal(handled(world), 1);
	free(big);
	end(world);
}

/* ---- Deadlines --------------------------------------------------------------------------------
 */

/* Drips one byte after another until cut off; returns after how many ms. */
static int64_t drip(int fd, const char *byte)
{
	int64_t start = clock_mono_ms();
	struct pollfd pollfd = {fd, POLLIN, 0};

	while (clock_mono_ms() - start < 4000) {
		say(fd, byte);
		if (poll(&pollfd, 1, 10))
			break;
	}
	return clock_mono_ms() - start;
}

static void a_dripping_client_is_cut_off_and_holds_up_nobody(void **state)
{
	struct world *world = begin_with((struct listener_options){
		.header_deadline_ms = 300, .body_deadline_ms = 300, .idle_ms = 3000});
	(void)state;
	int other = dial(world);
	int fd = dial(world);
	say(fd, "GET / HTTP/1.1\r\nHost: x\r\nX: ");
	assert_in_range(drip(fd, "x"), 200, 3900);
	close(fd);
	fd = dial(world);
	say(fd, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n\r\n");
	assert_in_range(drip(fd, "x"), 200, 3900);
	close(fd);
	/* The second request of a kept connection. */
	fd = dial(world);
	say(fd, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_int_equal(hear(fd), 200);
	assert_in_range(drip(fd, "G"), 200, 3900);
	close(fd);
	close(other);
	assert_int_equal(handled(world), 1);
	struct listener_stats stats;
	listener_stats(world->listener, &stats);
	assert_true(stats.cut >= 3);
	end(world);
}

static void silent_connections_end(void **state)
{
	struct world *world =
		begin_with((struct listener_options){.header_deadline_ms = 200, .idle_ms = 400});
	(void)state;
	int64_t start = clock_mono_ms();
	int fresh = dial(world), kept = dial(world);
	say(kept, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_int_equal(hear(kept), 200);
	assert_true(is_closed(fresh));
	assert_in_range(clock_mono_ms() - start, 150, 4900);
	assert_true(is_closed(kept));
	assert_in_range(clock_mono_ms() - start, 390, 4900);
	close(fresh);
	close(kept);
	end(world);
}

static void a_held_request_has_no_deadline_here(void **state)
{
	struct world *world = begin_with((struct listener_options){
		.header_deadline_ms = 50, .body_deadline_ms = 50, .idle_ms = 50});
	int fd = dial(world);
	(void)state;
	say(fd, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
	struct request *request = wait_held(world, 0);
	usleep(300000);
	echo(request);
	assert_int_equal(hear(fd), 200);
	close(fd);
	end(world);
}

static void too_many_connections_are_told_so(void **state)
{
	struct world *world = begin_with((struct listener_options){.max_connections = 3});
	int fds[3];
	(void)state;
	for (int i = 0; i < 3; i++) {
		fds[i] = dial(world);
		say(fds[i], "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
		assert_int_equal(hear(fds[i]), 200);
	}
	int fd = dial(world);
	assert_int_equal(hear(fd), 503);
	assert_non_null(strstr(reply.text, "Retry-After: "));
	say(fd, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_true(is_closed(fd));
	close(fd);
	assert_int_equal(handled(world), 3);
	close(fds[0]);
	struct listener_stats stats;
	do {
		usleep(1000);
		listener_stats(world->listener, &stats);
	} while (stats.connections > 2);
	fd = dial(world);
	say(fd, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_int_equal(hear(fd), 200);
	close(fd);
	close(fds[1]);
	close(fds[2]);
	end(world);
}

/* ---- Answers and ends -------------------------------------------------------------------------
 */

static void an_answer_may_end_the_connection(void **state)
{
	struct world *world = begin();
	int fd = dial(world);
	(void)state;
	say(fd, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
	struct request *request = wait_held(world, 0);
	struct answer answer = {.status = 204, .close = true};
	request_answer(request, &answer);
	assert_int_equal(hear(fd), 204);
	assert_non_null(strstr(reply.text, "Connection: close"));
	assert_true(is_closed(fd));
	close(fd);
	end(world);
}

static void a_client_that_left_is_answered_into_the_void(void **state)
{
	struct world *world = begin();
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		int fd = dial(world);
		say(fd, "POST /hold HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx");
		struct request *request = wait_held(world, i);
		close(fd);
		assert_true(str_is(request->body, "x"));
		echo(request);
	}
	int fd = dial(world);
	say(fd, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_int_equal(hear(fd), 200);
	close(fd);
	end(world);
}

static void draining_finishes_what_is_under_way(void **state)
{
	struct world *world = begin();
	(void)state;
	int idle = dial(world), busy = dial(world), fresh = dial(world);
	say(idle, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_int_equal(hear(idle), 200);
	say(busy, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
	struct request *request = wait_held(world, 0);
	assert_int_equal(listener_drain(world->listener, clock_mono_ms() + 100), E_TIMEOUT);
	assert_true(is_closed(idle));
	assert_true(is_closed(fresh));
	int late = try_dial(world);
	assert_int_equal(late, -1);
	echo(request);
	assert_int_equal(hear(busy), 200);
	assert_non_null(strstr(reply.text, "Connection: close"));
	assert_int_equal(listener_drain(world->listener, clock_mono_ms() + 3000), 0);
	assert_true(is_closed(busy));
	close(idle);
	close(busy);
	close(fresh);
	end(world);
}

static void requests_outlive_the_listener_until_they_are_answered(void **state)
{
	struct world *world = begin();
	int fds[4];
	struct request *requests[4];
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		fds[i] = dial(world);
		say(fds[i], "POST /hold?k=v HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx");
		requests[i] = wait_held(world, i);
	}
	echo(requests[0]); /* perhaps on its way when the listener goes */
	end(world);
	for (unsigned i = 1; i < 4; i++) {
		assert_true(is_closed(fds[i]));
		assert_true(str_is(request_query(requests[i], "k"), "v"));
		assert_true(str_is(request_header(requests[i], "host"), "x"));
		echo(requests[i]);
	}
	for (unsigned i = 0; i < 4; i++)
		close(fds[i]);
}

static void addresses_are_checked(void **state)
{
	static const char *const bad[] = {"", "8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x",
		"127.0.0.1:70000", "::1:8080", "localhost:8080", "[::1]", "300.0.0.1:80"};
	struct listener_options options = {.handler = handle};
	struct error error = {0};
	char taken[40];
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		options.address = bad[i];
		assert_null(listener_create(&error, &options));
		assert_int_equal(error.code, E_INVALID);
	}
	struct world *world = begin_with((struct listener_options){.address = "127.0.0.1:0"});
	snprintf(taken, sizeof(taken), "127.0.0.1:%u", listener_port(world->listener));
	options.address = taken;
	assert_null(listener_create(&error, &options));
	assert_int_equal(error.code, E_IO);
	assert_non_null(strstr(error.text, taken));
	end(world);
	/* Every address, reached over IPv4; its clients look like IPv4 ones. */
	world = begin_with((struct listener_options){.address = ":0"});
	int fd = dial(world);
	say(fd, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_int_equal(hear(fd), 200);
	assert_non_null(strstr(reply.text, "X-Remote: 127.0.0.1\r\n"));
	close(fd);
	end(world);
}

/* ---- Many at once -----------------------------------------------------------------------------
 */

struct load {
	struct world *world;
	unsigned good;
	pthread_t thread;
};

static void *one_load(void *arg)
{
	struct load *load = arg;
	int fd = try_dial(load->world);
	char text[200], answer[2000];

	for (unsigned i = 0; i < 200; i++) {
		int len = snprintf(text, sizeof(text),
			"POST /%u HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n%04u", i, i);
		say_n(fd, text, (size_t)len);
		size_t have = 0;
		char expect[20];
		snprintf(expect, sizeof(expect), "\n\n%04u", i);
		do {
			ssize_t n = recv(fd, answer + have, sizeof(answer) - 1 - have, 0);
			if (n <= 0)
				break;
			have += (size_t)n;
			answer[have] = '\0';
		} while (!strstr(answer, expect));
		load->good += strstr(answer, expect) != NULL;
	}
	close(fd);
	return NULL;
}

static void many_clients_get_each_their_own_answer(void **state)
{
	struct world *world = begin();
	struct load loads[16] = {{0}};
	(void)state;
	for (int i = 0; i < 16; i++) {
		loads[i].world = world;
		pthread_create(&loads[i].thread, NULL, one_load, &loads[i]);
	}
	for (int i = 0; i < 16; i++) {
		pthread_join(loads[i].thread, NULL);
		assert_int_equal(loads[i].good, 200);
	}
	struct listener_stats stats;
	listener_stats(world->listener, &stats);
	assert_int_equal(stats.requests, 3200);
	assert_int_equal(stats.answered, 3200);
	assert_int_equal(stats.waiting, 0);
	end(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_arrives_whole_and_as_sent),
		cmocka_unit_test(kept_connections_carry_one_request_after_another),
		cmocka_unit_test(a_client_that_expects_100_gets_it),
		cmocka_unit_test(old_and_proxy_forms_are_understood),
		cmocka_unit_test(ambiguous_requests_are_refused_and_the_connection_ends),
		cmocka_unit_test(a_refusal_says_what_would_help),
		cmocka_unit_test(a_head_beyond_32_kib_is_refused),
		cmocka_unit_test(a_client_that_sends_too_much_still_reads_why),
		cmocka_unit_test(a_dripping_client_is_cut_off_and_holds_up_nobody),
		cmocka_unit_test(silent_connections_end),
		cmocka_unit_test(a_held_request_has_no_deadline_here),
		cmocka_unit_test(too_many_connections_are_told_so),
		cmocka_unit_test(an_answer_may_end_the_connection),
		cmocka_unit_test(a_client_that_left_is_answered_into_the_void),
		cmocka_unit_test(draining_finishes_what_is_under_way),
		cmocka_unit_test(requests_outlive_the_listener_until_they_are_answered),
		cmocka_unit_test(addresses_are_checked),
		cmocka_unit_test(many_clients_get_each_their_own_answer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
