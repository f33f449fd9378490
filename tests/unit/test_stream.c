/* Answers that go on, as their writer and their reader see them. */
#include "http/listener.h"

#include "base/error.h"

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

#include "base/clock.h"

#define PATIENCE_MS 20000

struct world {
	struct listener *listener;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct stream *stream; /* the newest */
	unsigned opened, over, cut, refused;
	size_t room;
};

static void over(void *user, bool cut)
{
	struct world *world = user;

	pthread_mutex_lock(&world->lock);
	world->over++;
	world->cut += cut;
	pthread_cond_broadcast(&world->changed);
	pthread_mutex_unlock(&world->lock);
}

static void handle(void *user, struct request *request)
{
	struct world *world = user;
	struct answer answer = {.status = 200, .content_type = "text/plain"};
	struct stream_options options = {.room = world->room, .over = over, .user = world};
	struct stream *stream;

	if (!str_is(request->path, "/stream")) {
		answer.body = STR("short");
		request_answer(request, &answer);
		return;
	}
	stream = request_stream(request, &answer, &options);
	pthread_mutex_lock(&world->lock);
	world->stream = stream;
	world->opened += stream != NULL;
	world->refused += !stream;
	pthread_cond_broadcast(&world->changed);
	pthread_mutex_unlock(&world->lock);
}

static struct world *begin(uint32_t body_deadline_ms, size_t room)
{
	struct world *world = calloc(1, sizeof(*world));
	struct listener_options options = {.address = "127.0.0.1:0",
		.body_deadline_ms = body_deadline_ms,
		.handler = handle,
		.user = world};
	struct error error = {0};

	pthread_mutex_init(&world->lock, NULL);
	pthread_cond_init(&world->changed, NULL);
	world->room = room;
	world->listener = listener_create(&error, &options);
	assert_non_null(world->listener);
	return world;
}

static void end(struct world *world)
{
	listener_destroy(world->listener);
	pthread_mutex_destroy(&world->lock);
	pthread_cond_destroy(&world->changed);
	free(world);
}

static void wait_for(struct world *world, const unsigned *number, unsigned least)
{
	pthread_mutex_lock(&world->lock);
	while (*number < least)
		pthread_cond_wait(&world->changed, &world->lock);
	pthread_mutex_unlock(&world->lock);
}

static bool is_over(struct world *world)
{
	pthread_mutex_lock(&world->lock);
	bool yes = world->over > 0;
	pthread_mutex_unlock(&world->lock);
	return yes;
}

static int dial(struct world *world)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)listener_port(world->listener)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0), small = 4096;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static int open_stream(struct world *world)
{
	int fd = dial(world);
	unsigned before = world->opened;

	say(fd, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
	wait_for(world, &world->opened, before + 1);
	return fd;
}

/* Reads until this was said. False: the connection ended without it. */
static bool hear(int fd, const char *until, struct buf *heard)
{
	char piece[4096];

	while (!heard->ptr || !strstr(heard->ptr, until)) {
		struct pollfd pollfd = {fd, POLLIN, 0};
		assert_int_equal(poll(&pollfd, 1, PATIENCE_MS), 1);
		ssize_t n = recv(fd, piece, sizeof(piece), 0);
		if (n <= 0)
			return false;
		buf_add(heard, piece, (size_t)n);
	}
	return true;
}

static bool hears(int fd, const char *until)
{
	struct buf heard;
	bool found;

	buf_init(&heard, 64 << 20);
	found = hear(fd, until, &heard);
	buf_finish(&heard);
	return found;
}

static void what_is_written_is_sent_until_its_end(void **state)
{
	struct world *world = begin(0, 0);
	int fd = open_stream(world);
	(void)state;
	assert_true(stream_write(world->stream, STR("first;")));
	assert_true(hears(fd, "first;"));
	assert_true(stream_write(world->stream, STR("second;")));
	assert_true(stream_write(world->stream, STR("third;")));
	assert_true(hears(fd, "third;"));
	stream_write(world->stream, STR("last"));
	stream_end(world->stream);
	assert_true(hears(fd, "last\r\n0\r\n\r\n"));
	wait_for(world, &world->over, 1);
	assert_int_equal(world->cut, 0);
	assert_false(stream_write(world->stream, STR("too late")));
	assert_int_equal(stream_room(world->stream), 0);
	stream_release(world->stream);
	say(fd, "GET /other HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_true(hears(fd, "short"));
	close(fd);
	end(world);
}

static void who_takes_nothing_is_cut_and_costs_no_more_than_its_room(void **state)
{
	struct world *world = begin(100, 100000);
	int fd = open_stream(world);
	char *block = calloc(1, 10001);
	size_t written = 0;
	(void)state;
	memset(block, 'x', 10000);
	while (!is_over(world)) /* what it does not take goes to the kernel at first */
		if (stream_write(world->stream, (struct str){block, 10000}))
			written += 10000;
		else
			sched_yield();
	assert_int_equal(world->cut, 1);
	assert_in_range(written, 100000 - 10000, 2000000); /* the rest is the kernel's */
	assert_false(hears(fd, "\r\n0\r\n\r\n"));          /* it can tell that this is not all */
	stream_release(world->stream);
	free(block);
	close(fd);
	end(world);
}

static void a_slow_reader_gets_all_of_it(void **state)
{
	struct world *world = begin(0, 100000);
	int fd = open_stream(world);
	struct buf heard;
	char line[64];
	unsigned i = 0, expect = 0;
	(void)state;
	buf_init(&heard, 64 << 20);
	while (i < 100000) { /* writes until it is full, reads on, writes again */
		int n = snprintf(line, sizeof(line), "<%u>", i);
		if (stream_write(world->stream, (struct str){line, (size_t)n}))
			i++;
		else {
			char piece[4096];
			ssize_t got = recv(fd, piece, sizeof(piece), 0);
			assert_true(got > 0);
			buf_add(&heard, piece, (size_t)got);
		}
	}
	stream_end(world->stream);
	assert_true(hear(fd, "\r\n0\r\n\r\n", &heard));
	wait_for(world, &world->over, 1);
	assert_int_equal(world->cut, 0);
	/* Without the lines of chunk sizes every number is there, in order. */
	char *text = malloc(heard.len + 1), *to = text, *at = strstr(heard.ptr, "\r\n\r\n") + 4;
	for (unsigned long size; (size = strtoul(at, &at, 16)); at += size + 2, to += size)
		memcpy(to, at += 2, size);
	*to = '\0';
	for (at = text; *at; expect++) {
		int n = snprintf(line, sizeof(line), "<%u>", expect);
		assert_memory_equal(at, line, (size_t)n);
		at += n;
	}
	assert_int_equal(expect, 100000);
	free(text);
	buf_finish(&heard);
	stream_release(world->stream);
	close(fd);
	end(world);
}

static void who_leaves_is_noticed(void **state)
{
	struct world *world = begin(100, 0);
	int fd = open_stream(world);
	(void)state;
	stream_write(world->stream, STR("hello"));
	assert_true(hears(fd, "hello"));
	close(fd);
	wait_for(world, &world->over, 1);
	assert_int_equal(world->cut, 0);
	stream_release(world->stream);
	end(world);
}

static void a_cut_is_at_once(void **state)
{
	struct world *world = begin(0, 0);
	int fd = open_stream(world);
	(void)state;
	stream_write(world->stream, STR("hello"));
	assert_true(hears(fd, "hello"));
	stream_cut(world->stream);
	wait_for(world, &world->over, 1);
	assert_int_equal(world->cut, 1);
	assert_false(hears(fd, "\r\n0\r\n\r\n"));
	stream_release(world->stream);
	close(fd);
	end(world);
}

static void draining_ends_streams(void **state)
{
	struct world *world = begin(0, 0);
	int fd = open_stream(world);
	(void)state;
	stream_write(world->stream, STR("hello"));
	assert_int_equal(listener_drain(world->listener, clock_mono_ms() + PATIENCE_MS), 0);
	assert_true(hears(fd, "hello\r\n0\r\n\r\n"));
	assert_int_equal(world->over, 1);
	stream_release(world->stream);
	close(fd);
	end(world);
}

static void the_end_of_the_listener_is_the_end_of_streams(void **state)
{
	struct world *world = begin(0, 50000);
	int idle = open_stream(world);
	struct stream *first = world->stream;
	char *block = calloc(1, 50001);
	(void)state;
	int full = open_stream(world);
	memset(block, 'x', 50000);
	while (stream_write(world->stream, (struct str){block, 10000}))
		;
	listener_destroy(world->listener);
	assert_int_equal(world->over, 2);
	assert_false(stream_write(first, STR("x")));
	stream_end(first);
	stream_cut(world->stream);
	stream_release(first);
	stream_release(world->stream);
	free(block);
	close(idle);
	close(full);
	pthread_mutex_destroy(&world->lock);
	pthread_cond_destroy(&world->changed);
	free(world);
}

/* One writes while the other side ends it, again and again: for the sanitizers. */
static void *write_on(void *arg)
{
	for (unsigned refused = 0; refused < 1000;)
		refused = stream_write(arg, STR("and so on; ")) ? 0 : refused + 1;
	return NULL;
}

static void ends_from_both_sides(void **state)
{
	struct world *world = begin(500, 4096);
	(void)state;
	for (unsigned i = 0; i < 50; i++) {
		pthread_t thread;
		int fd = open_stream(world);
		struct stream *stream = world->stream;
		pthread_create(&thread, NULL, write_on, stream);
		assert_true(hears(fd, "on; "));
		if (i % 3 == 0)
			stream_end(stream);
		else if (i % 3 == 1)
			stream_cut(stream);
		close(fd);
		wait_for(world, &world->over, i + 1);
		pthread_join(thread, NULL);
		stream_release(stream);
	}
	end(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_sent_until_its_end),
		cmocka_unit_test(who_takes_nothing_is_cut_and_costs_no_more_than_its_room),
		cmocka_unit_test(a_slow_reader_gets_all_of_it),
		cmocka_unit_test(who_leaves_is_noticed),
		cmocka_unit_test(a_cut_is_at_once),
		cmocka_unit_test(draining_ends_streams),
		cmocka_unit_test(the_end_of_the_listener_is_the_end_of_streams),
		cmocka_unit_test(ends_from_both_sides),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
