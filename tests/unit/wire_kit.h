/* wire_kit.h - a transfer against a peer that follows a script, in one loop, and single requests.
 */
#ifndef WIRE_KIT_H
#define WIRE_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/error.h"
#include "peer.h"
#include "transfer/transfer.h"

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define SECRET "cal_live_s3cr3t"

struct world {
	uv_loop_t loop;
	struct transfer *transfer;
	struct peer *peer;
	char host[64];
	char breaker[200]; /* what on_breaker was told, as text */
	int64_t breaker_until_ms;
	unsigned done; /* requests */
};

struct ask { /* a request with its memory */
	struct transfer_request request;
	struct world *world;
	char url[128];
	struct str host;
	bool done;
	unsigned order; /* in which it was done, from 1 */
};

static inline void note_breaker(void *user, const char *key, enum breaker_state state,
	int64_t until_ms, uint32_t failures, uint32_t successes)
{
	struct world *world = user;
	size_t len = strlen(world->breaker);

	snprintf(world->breaker + len, sizeof(world->breaker) - len, "%s=%d(%u/%u) ", key, state,
		failures, successes);
	world->breaker_until_ms = until_ms;
}

static inline struct world *begin_with(
	const struct peer_step *steps, size_t count, const struct transfer_options *more)
{
	static const char *const allow[] = {"127.0.0.1", "[::1]", "named.test", NULL};
	struct world *world = calloc(1, sizeof(*world));
	struct transfer_options options = more ? *more : (struct transfer_options){0};
	struct error error = {0};

	if (!options.allow_private)
		options.allow_private = allow;
	options.on_breaker = note_breaker;
	options.user = world;
	assert_int_equal(uv_loop_init(&world->loop), 0);
	world->transfer = transfer_create(&error, &world->loop, &options);
	assert_non_null(world->transfer);
	if (count)
		world->peer = peer_start(steps, count);
	snprintf(world->host, sizeof(world->host), "127.0.0.1:%u",
		world->peer ? peer_port(world->peer) : 1);
	return world;
}
#define BEGIN(...)                                                                                 \
	static const struct peer_step steps[] = {__VA_ARGS__};                                     \
	struct world *world = begin_with(steps, sizeof(steps) / sizeof(steps[0]), NULL)

static inline void end(struct world *world)
{
	/* First: the loop lets go of descriptors whose numbers its threads may have got again. */
	if (world->peer)
		peer_stop(world->peer);
	transfer_destroy(world->transfer);
	uv_run(&world->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&world->loop), 0);
	free(world);
}

static inline void on_done(struct transfer_request *request)
{
	struct ask *ask = request->user;

	assert_false(ask->done);
	ask->done = true;
	ask->order = ++ask->world->done;
}

static inline struct ask *ask_new(struct world *world, const char *method, const char *path)
{
	struct ask *ask = calloc(1, sizeof(*ask));
	struct transfer_request *request = &ask->request;

	snprintf(ask->url, sizeof(ask->url), "http://%s%s", world->host, path);
	ask->host = str_of(world->host);
	request->arena = arena_create(8 << 20);
	request->done = on_done;
	request->user = ask;
	ask->world = world;
	request->method = str_of(method);
	request->url = str_of(ask->url);
	request->allowed_hosts = &ask->host;
	request->allowed_host_count = 1;
	request->timeout_ms = 5000;
	return ask;
}

static inline void ask_wait(struct world *world, struct ask *ask)
{
	while (!ask->done) {
		int more = uv_run(&world->loop, UV_RUN_ONCE);
		assert_true(more || ask->done); /* nothing left that could ever end it */
	}
}

static inline struct transfer_request *ask_run(struct world *world, struct ask *ask)
{
	transfer_submit(world->transfer, &ask->request);
	assert_false(ask->done); /* never from inside submit */
	ask_wait(world, ask);
	if (ask->request.reason)
		assert_null(strstr(ask->request.reason, SECRET));
	assert_null(strstr(ask->request.url_redacted, SECRET));
	return &ask->request;
}

static inline void ask_free(struct ask *ask)
{
	arena_destroy(ask->request.arena);
	free(ask);
}

static inline void check_outcome(
	const struct transfer_request *request, uint32_t expected, const char *file, int line)
{
	if (request->outcome != expected)
		print_message("reason: %s\n", request->reason);
	_assert_int_equal(request->outcome, expected, file, line);
}
#define assert_outcome(request, expected) check_outcome(request, expected, __FILE__, __LINE__)
#define assert_text(str, text) assert_true(str_is(str, text))

#endif
