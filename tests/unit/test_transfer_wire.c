/* What comes of a request on the wire, against a peer that does what a test tells it to. */
#include "transfer/transfer.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "peer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define SECRET "cal_live_s3cr3t"

struct world {
	uv_loop_t loop;
	struct transfer *transfer;
	struct peer *peer;
	char host[64];
	char breaker[200]; /* what on_breaker was told, as text */
	int64_t breaker_until_ms;
};

struct ask { /* a request with its memory */
	struct transfer_request request;
	char url[128];
	struct str host;
	bool done;
	unsigned order; /* in which it was done, from 1 */
};
static unsigned done_count;

static void note_breaker(void *user, const char *key, enum breaker_state state, int64_t until_ms,
	uint32_t failures, uint32_t successes)
{
	struct world *world = user;
	size_t len = strlen(world->breaker);

	snprintf(world->breaker + len, sizeof(world->breaker) - len, "%s=%d(%u/%u) ", key, state,
		failures, successes);
	world->breaker_until_ms = until_ms;
}

static struct world *begin_with(
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
	done_count = 0;
	return world;
}
#define BEGIN(...)                                                                                 \
	static const struct peer_step steps[] = {__VA_ARGS__};                                     \
	struct world *world = begin_with(steps, sizeof(steps) / sizeof(steps[0]), NULL)

static void end(struct world *world)
{
	/* First: the loop lets go of descriptors whose numbers its threads may have got again. */
	if (world->peer)
		peer_stop(world->peer);
	transfer_destroy(world->transfer);
	uv_run(&world->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&world->loop), 0);
	free(world);
}

static void on_done(struct transfer_request *request)
{
	struct ask *ask = request->user;

	assert_false(ask->done);
	ask->done = true;
	ask->order = ++done_count;
}

static struct ask *ask_new(struct world *world, const char *method, const char *path)
{
	struct ask *ask = calloc(1, sizeof(*ask));
	struct transfer_request *request = &ask->request;

	snprintf(ask->url, sizeof(ask->url), "http://%s%s", world->host, path);
	ask->host = str_of(world->host);
	request->arena = arena_create(8 << 20);
	request->done = on_done;
	request->user = ask;
	request->method = str_of(method);
	request->url = str_of(ask->url);
	request->allowed_hosts = &ask->host;
	request->allowed_host_count = 1;
	request->timeout_ms = 5000;
	return ask;
}

static void ask_wait(struct world *world, struct ask *ask)
{
	while (!ask->done) {
		int more = uv_run(&world->loop, UV_RUN_ONCE);
		assert_true(more || ask->done); /* nothing left that could ever end it */
	}
}

static struct transfer_request *ask_run(struct world *world, struct ask *ask)
{
	transfer_submit(world->transfer, &ask->request);
	assert_false(ask->done); /* never from inside submit */
	ask_wait(world, ask);
	if (ask->request.reason)
		assert_null(strstr(ask->request.reason, SECRET));
	assert_null(strstr(ask->request.url_redacted, SECRET));
	return &ask->request;
}

static void ask_free(struct ask *ask)
{
	arena_destroy(ask->request.arena);
	free(ask);
}

static void check_outcome(
	const struct transfer_request *request, uint32_t expected, const char *file, int line)
{
	if (request->outcome != expected)
		print_message("reason: %s\n", request->reason);
	_assert_int_equal(request->outcome, expected, file, line);
}
#define assert_outcome(request, expected) check_outcome(request, expected, __FILE__, __LINE__)
#define assert_text(str, text) assert_true(str_is(str, text))

/* ---- What was sent, what came back ------------------------------------------------------------
 */

static void a_whole_answer_comes_back_with_its_head_and_body(void **state)
{
	BEGIN({"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nSet-Cookie: a=1\r\n"
	       "X-Odd:   spaced  \r\nset-cookie: b=2\r\nContent-Length: 5\r\n\r\nhello",
		PEER_KEEP, 0});
	(void)state;
	struct ask *ask = ask_new(world, "POST", "/v2/bookings?x=1#part");
	const struct transfer_header headers[] = {
		{STR("cal-api-version"), STR("2024-08-13")}, {STR("X-Empty"), STR("")}};
	ask->request.headers = headers;
	ask->request.header_count = 2;
	ask->request.body = STR("{\"a\":1}");
	ask->request.content_type = STR("application/json");
	ask->request.auth.scheme = KL_AUTH_BEARER;
	ask->request.auth.secret = STR(SECRET);
	ask->request.traceparent = STR("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
	struct transfer_request *request = ask_run(world, ask);

	assert_outcome(request, KL_ANSWERED);
	assert_int_equal(request->status, 201);
	assert_text(request->answer, "hello");
	assert_null(request->reason);
	assert_int_equal(request->answer_header_count, 4);
	assert_text(request->answer_headers[0].name, "set-cookie");
	assert_text(request->answer_headers[1].name, "x-odd");
	assert_text(request->answer_headers[1].value, "spaced");
	assert_text(request->answer_headers[2].value, "b=2");
	assert_string_equal(request->peer, world->host);
	assert_int_equal(request->sends, 1);
	assert_true(request->at_us.first_byte > 0 && request->started_ms > 0);
	assert_true(request->at_us.total >= request->at_us.first_byte);

	const char *sent = peer_request(world->peer, 0);
	assert_memory_equal(sent, "POST /v2/bookings?x=1 HTTP/1.1\r\n", 32);
	assert_non_null(strstr(sent, "\r\ncal-api-version: 2024-08-13\r\n"));
	assert_non_null(strstr(sent, "\r\nX-Empty:\r\n"));
	assert_non_null(strstr(sent, "\r\nAuthorization: Bearer " SECRET "\r\n"));
	assert_non_null(strstr(sent, "\r\nContent-Type: application/json\r\n"));
	assert_non_null(strstr(sent, "\r\nContent-Length: 7\r\n"));
	assert_non_null(strstr(sent, "\r\nUser-Agent: klinke\r\n"));
	assert_non_null(strstr(sent, "\r\ntraceparent: 00-0af7"));
	assert_non_null(strstr(sent, "\r\n\r\n{\"a\":1}"));
	assert_null(strcasestr(sent, "expect"));
	assert_null(strcasestr(sent, "accept-encoding"));
	ask_free(ask);
	end(world);
}

static void methods_frame_their_bodies_as_http_wants_it(void **state)
{
	static const struct {
		const char *method, *body, *expect;
	} cases[] = {
		{"GET", NULL, "GET / HTTP/1.1\r\n"},
		{"DELETE", NULL, "DELETE / HTTP/1.1\r\n"},
		{"POST", NULL, "Content-Length: 0\r\n"},
		{"PUT", "x", "PUT / HTTP/1.1\r\n"},
		{"PATCH", "yy", "Content-Length: 2\r\n"},
		{"DELETE", "zzz", "DELETE / HTTP/1.1\r\n"},
		{"GET", NULL, "GET / HTTP/1.1\r\n"},
	};
	BEGIN({OK, PEER_KEEP, 0});
	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ask *ask = ask_new(world, cases[i].method, "/");
		ask->request.body = str_of(cases[i].body);
		assert_outcome(ask_run(world, ask), KL_ANSWERED);
		const char *sent = peer_request(world->peer, i);
		assert_non_null(strstr(sent, cases[i].expect));
		assert_null(strstr(sent, "Content-Type"));
		bool has_length = strstr(sent, "Content-Length");
		assert_int_equal(has_length, cases[i].body || !strcmp(cases[i].method, "POST"));
		ask_free(ask);
	}
	assert_int_equal(peer_connections(world->peer), 1);
	end(world);
}

static void a_credential_goes_where_it_belongs_and_is_not_recorded(void **state)
{
	static const struct {
		uint32_t scheme;
		const char *expect;
	} cases[] = {
		{KL_AUTH_BASIC, "Authorization: Basic dXNlcjpjYWxfbGl2ZV9zM2NyM3Q=\r\n"},
		{KL_AUTH_HEADER, "apiKey: " SECRET "\r\n"},
		{KL_AUTH_QUERY, "POST /p?apiKey=mine&apiKey=" SECRET " HTTP/1.1\r\n"},
		{KL_AUTH_FORM, "\r\n\r\na=1&apiKey=" SECRET},
		{KL_AUTH_OAUTH2, "Authorization: Bearer " SECRET "\r\n"},
	};
	BEGIN({OK, PEER_KEEP, 0});
	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ask *ask = ask_new(world, "POST", "/p?apiKey=mine");
		ask->request.body = STR("a=1");
		ask->request.content_type = STR("application/x-www-form-urlencoded");
		ask->request.auth.scheme = cases[i].scheme;
		ask->request.auth.user = STR("user");
		ask->request.auth.param = STR("apiKey");
		ask->request.auth.secret = STR(SECRET);
		assert_outcome(ask_run(world, ask), KL_ANSWERED);
		assert_non_null(strstr(peer_request(world->peer, i), cases[i].expect));
		assert_non_null(strstr(ask->request.url_redacted, "/p?apiKey=***"));
		ask_free(ask);
	}
	end(world);
}

static void redirects_are_answers(void **state)
{
	BEGIN({"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", PEER_KEEP,
		0});
	(void)state;
	struct ask *ask = ask_new(world, "GET", "/");
	assert_outcome(ask_run(world, ask), KL_ANSWERED);
	assert_int_equal(ask->request.status, 302);
	assert_int_equal(peer_requests(world->peer), 1);
	ask_free(ask);
	end(world);
}

/* ---- Outcomes ---------------------------------------------------------------------------------
 */

static void nothing_is_sent_to_a_port_nobody_listens_on(void **state)
{
	struct world *world = begin_with(NULL, 0, NULL);
	(void)state;
	struct ask *ask = ask_new(world, "POST", "/");
	assert_outcome(ask_run(world, ask), KL_NOT_SENT);
	assert_int_equal(ask->request.status, 0);
	assert_int_equal(ask->request.sends, 0);
	assert_non_null(strstr(ask->request.reason, "nothing was sent"));
	ask_free(ask);
	end(world);
}

static void nothing_is_sent_to_a_name_that_does_not_resolve(void **state)
{
	struct world *world = begin_with(NULL, 0, NULL);
	(void)state;
	snprintf(world->host, sizeof(world->host), "no-such-host.invalid");
	struct ask *ask = ask_new(world, "POST", "/");
	assert_outcome(ask_run(world, ask), KL_NOT_SENT);
	ask_free(ask);
	end(world);
}

static void unknown(struct peer_step step, unsigned status, const char *kept, size_t max_body)
{
	struct world *world = begin_with(&step, 1, NULL);
	struct ask *ask = ask_new(world, "POST", "/");

	ask->request.max_body = max_body;
	ask->request.timeout_ms = 400;
	ask->request.body = STR("x");
	assert_outcome(ask_run(world, ask), KL_UNKNOWN);
	assert_int_equal(ask->request.status, status);
	assert_text(ask->request.answer, kept);
	assert_non_null(ask->request.reason);
	assert_int_equal(peer_requests(world->peer), 1);
	ask_free(ask);
	end(world);
}

static void what_was_sent_and_not_wholly_answered_is_unknown(void **state)
{
	(void)state;
	unknown((struct peer_step){NULL, PEER_CLOSE, 0}, 0, "", 0);
	unknown((struct peer_step){NULL, PEER_RESET, 0}, 0, "", 0);
	unknown((struct peer_step){NULL, PEER_HANG, 0}, 0, "", 0);
	unknown((struct peer_step){"HTTP/1.1 100 Continue\r\n\r\n", PEER_CLOSE, 0}, 0, "", 0);
	unknown((struct peer_step){"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal", PEER_CLOSE,
			0},
		200, "hal", 0);
	unknown((struct peer_step){"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal", PEER_HANG, 0},
		200, "hal", 0);
	unknown((struct peer_step){"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
				   "3\r\nhal\r\n",
			PEER_CLOSE, 0},
		200, "hal", 0);
	unknown((struct peer_step){"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n123456789",
			PEER_KEEP, 0},
		200, "12345", 5);
	unknown((struct peer_step){"HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno", PEER_KEEP, 0},
		503, "no", 0);
	unknown((struct peer_step){"SSH-2.0-OpenSSH\r\n", PEER_CLOSE, 0}, 0, "", 0);
	unknown((struct peer_step){"HTTP/1.1 200 OK\r\nContent-Len", PEER_CLOSE, 0}, 200, "", 0);
	unknown((struct peer_step){"HTTP/1.1 200 OK\r\nServer: x\r\n", PEER_CLOSE, 0}, 200, "", 0);
}

static void a_head_without_end_is_unknown(void **state)
{
	char *reply = malloc(200000);
	int len = sprintf(reply, "HTTP/1.1 200 OK\r\n");

	(void)state;
	while (len < 190000)
		len += sprintf(reply + len, "X-%d: 0123456789012345678901234567890\r\n", len);
	sprintf(reply + len, "Content-Length: 0\r\n\r\n");
	struct peer_step step = {reply, PEER_KEEP, 0};
	struct world *world = begin_with(&step, 1, NULL);
	struct ask *ask = ask_new(world, "GET", "/");
	assert_outcome(ask_run(world, ask), KL_UNKNOWN);
	ask_free(ask);
	end(world);
	free(reply);
}

/* ---- Sent once --------------------------------------------------------------------------------
 */

static struct transfer_request *second_request(struct world *world, uint32_t repeat)
{
	struct ask *first = ask_new(world, "POST", "/first");
	struct ask *second = ask_new(world, "POST", "/second");

	first->request.body = second->request.body = STR("book");
	second->request.repeat = repeat;
	assert_outcome(ask_run(world, first), KL_ANSWERED);
	ask_free(first);
	return ask_run(world, second);
}

static void a_never_request_is_not_sent_again_when_its_kept_connection_dies(void **state)
{
	BEGIN({OK, PEER_KEEP, 0}, {NULL, PEER_CLOSE, 0}, {OK, PEER_KEEP, 0});
	(void)state;
	struct transfer_request *request = second_request(world, KL_NEVER);
	assert_outcome(request, KL_UNKNOWN);
	assert_int_equal(request->sends, 1);
	assert_int_equal(peer_requests(world->peer), 2);
	ask_free(request->user);
	end(world);
}

static void a_safe_request_is_sent_again_once_when_its_kept_connection_dies(void **state)
{
	BEGIN({OK, PEER_KEEP, 0}, {NULL, PEER_RESET, 0}, {OK, PEER_KEEP, 0});
	(void)state;
	struct transfer_request *request = second_request(world, KL_SAFE);
	assert_outcome(request, KL_ANSWERED);
	assert_int_equal(request->sends, 2);
	assert_int_equal(peer_requests(world->peer), 3);
	ask_free(request->user);
	end(world);
}

static void a_connection_closed_while_idle_is_not_used(void **state)
{
	BEGIN({OK, PEER_CLOSE, 0}, {OK, PEER_KEEP, 0});
	(void)state;
	struct ask *first = ask_new(world, "POST", "/first"), *second;
	assert_outcome(ask_run(world, first), KL_ANSWERED);
	ask_free(first);
	while (peer_closed(world->peer) < 1)
		usleep(100);
	second = ask_new(world, "POST", "/second");
	struct transfer_request *request = ask_run(world, second);
	assert_outcome(request, KL_ANSWERED);
	assert_int_equal(peer_requests(world->peer), 2);
	assert_int_equal(peer_connections(world->peer), 2);
	ask_free(request->user);
	end(world);
}

/* ---- Where it may go --------------------------------------------------------------------------
 */

static void ends(
	struct world *world, const char *url, const char *host, uint32_t outcome, const char *why)
{
	struct ask *ask = ask_new(world, "GET", "/");
	struct str allowed = str_of(host);

	ask->request.url = str_of(url);
	ask->request.allowed_hosts = &allowed;
	ask_run(world, ask);
	assert_outcome(&ask->request, outcome);
	if (!strstr(ask->request.reason, why))
		print_message("%s: %s\n", url, ask->request.reason);
	assert_non_null(strstr(ask->request.reason, why));
	ask_free(ask);
}

static void refused(struct world *world, const char *url, const char *host, const char *why)
{
	ends(world, url, host, KL_REFUSED, why);
}

/* What a name leads to may be right the next time. */
static void misled(struct world *world, const char *url, const char *host)
{
	ends(world, url, host, KL_NOT_SENT, "not a public one; add it to allow_private");
}

static void only_declared_hosts_and_public_addresses_are_reached(void **state)
{
	static const struct peer_step steps[] = {{OK, PEER_KEEP, 0}};
	static const char *const resolve[] = {"rebound.test:443:127.0.0.1",
		"mapped.test:443:[::ffff:10.0.0.1]", "meta.test:443:169.254.169.254",
		"named.test:443:169.254.169.254", "nat.test:443:[64:ff9b::7f00:1]", NULL};
	static const char *const allow[] = {"named.test", "127.0.0.1:1", NULL};
	struct transfer_options options = {.resolve = resolve, .allow_private = allow};
	struct world *world = begin_with(steps, 1, &options);
	char url[100];
	(void)state;

	refused(world, "https://evil.test/", "api.cal.com", "not among the hosts");
	refused(world, "https://api.cal.com:8443/", "api.cal.com", "not among the hosts");
	refused(world, "https://api.cal.com.evil.test/", "api.cal.com", "not among the hosts");
	misled(world, "https://rebound.test/", "rebound.test");
	misled(world, "https://mapped.test/", "mapped.test");
	misled(world, "https://meta.test/", "meta.test");
	misled(world, "https://nat.test/", "nat.test");
	misled(world, "https://named.test/", "named.test");
	refused(world, "https://2130706433/", "127.0.0.1", "not a public one");
	refused(world, "https://[::ffff:10.0.0.1]/", "::ffff:10.0.0.1", "not a public one");
	refused(world, "ftp://api.cal.com/", "api.cal.com", "only https");
	refused(world, "file:///etc/passwd", "api.cal.com", "no host");
	refused(world, "https://user:pw@api.cal.com/", "api.cal.com", "user name");
	refused(world, "https://api.cal.com/a b", "api.cal.com", "percent-encoded");
	refused(world, "/relative", "api.cal.com", "URL");
	refused(world, "", "api.cal.com", "URL");
	/* The rule is for another port. */
	snprintf(url, sizeof(url), "http://%s/", world->host);
	refused(world, url, world->host, "plain http");
	assert_int_equal(peer_connections(world->peer), 0);
	end(world);
}

static void plain_http_goes_nowhere_without_allow_private(void **state)
{
	static const char *const nothing[] = {NULL};
	struct transfer_options options = {.allow_private = nothing};
	struct world *world = begin_with(NULL, 0, &options);
	(void)state;
	refused(world, "http://api.cal.com/", "api.cal.com", "plain http");
	end(world);
}

static void headers_cannot_smuggle_a_second_request(void **state)
{
	const struct transfer_header bad[] = {{STR("X-A"), STR("b\r\nHost: evil")},
		{STR("X-A"), STR("b\nc")}, {STR("X A"), STR("b")}, {STR("X-A:"), STR("b")},
		{STR(""), STR("b")}, {STR("X\r\nY"), STR("b")}, {STR("Content-Length"), STR("5")},
		{STR("transfer-encoding"), STR("chunked")}, {STR("HOST"), STR("evil")},
		{STR("Connection"), STR("close")}, {STR("Authorization"), STR("Bearer x")},
		{STR("X-A"), {"a\0b", 3}}};
	BEGIN({OK, PEER_KEEP, 0});
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct ask *ask = ask_new(world, "GET", "/");
		ask->request.headers = &bad[i];
		ask->request.header_count = 1;
		ask->request.auth.scheme = KL_AUTH_BEARER;
		ask->request.auth.secret = STR(SECRET);
		assert_outcome(ask_run(world, ask), KL_REFUSED);
		ask_free(ask);
	}
	struct ask *ask = ask_new(world, "GE T", "/");
	assert_outcome(ask_run(world, ask), KL_REFUSED);
	ask_free(ask);
	ask = ask_new(world, "GET", "/");
	ask->request.auth.scheme = KL_AUTH_BEARER;
	ask->request.auth.secret = STR(SECRET "\r\nX: y");
	assert_outcome(ask_run(world, ask), KL_REFUSED);
	ask_free(ask);
	assert_int_equal(peer_connections(world->peer), 0);
	end(world);
}

/* ---- Lanes ------------------------------------------------------------------------------------
 */

static void a_lane_goes_in_order_and_urgent_ones_first(void **state)
{
	BEGIN({OK, PEER_KEEP, 10});
	(void)state;
	struct transfer_limits limits = {.concurrency = 1};
	struct transfer_lane *lane = transfer_lane(world->transfer, "k", &limits);
	struct ask *asks[4];
	static const unsigned order[] = {1, 3, 4, 2};
	for (int i = 0; i < 4; i++) {
		asks[i] = ask_new(world, "GET", "/");
		asks[i]->request.lane = lane;
		asks[i]->request.urgent = i == 3;
		transfer_submit(world->transfer, &asks[i]->request);
	}
	for (int i = 0; i < 4; i++)
		ask_wait(world, asks[i]);
	for (int i = 0; i < 4; i++) {
		assert_outcome(&asks[i]->request, KL_ANSWERED);
		assert_int_equal(asks[i]->order, order[i]);
		ask_free(asks[i]);
	}
	assert_int_equal(peer_connections(world->peer), 1);
	end(world);
}

static void a_lane_keeps_its_rate(void **state)
{
	BEGIN({OK, PEER_KEEP, 0});
	(void)state;
	struct transfer_limits limits = {.rate_per_s = 25, .burst = 2};
	struct transfer_lane *lane = transfer_lane(world->transfer, "k", &limits);
	struct ask *asks[5];
	int64_t start = clock_mono_ms();
	for (int i = 0; i < 5; i++) {
		asks[i] = ask_new(world, "GET", "/");
		asks[i]->request.lane = lane;
		transfer_submit(world->transfer, &asks[i]->request);
	}
	for (int i = 0; i < 5; i++)
		ask_wait(world, asks[i]);
	/* Two at once, three more at 40 ms each. */
	assert_in_range(clock_mono_ms() - start, 115, 4000);
	for (int i = 0; i < 5; i++) {
		assert_outcome(&asks[i]->request, KL_ANSWERED);
		ask_free(asks[i]);
	}
	end(world);
}

static void a_spent_lane_says_when_to_come_again(void **state)
{
	BEGIN({OK, PEER_KEEP, 0});
	(void)state;
	struct transfer_limits limits = {.rate_per_s = 0.5};
	struct transfer_lane *lane = transfer_lane(world->transfer, "k", &limits);
	struct ask *first = ask_new(world, "GET", "/"), *late = ask_new(world, "GET", "/");
	first->request.lane = late->request.lane = lane;
	assert_outcome(ask_run(world, first), KL_ANSWERED);
	/* New limits are no way around the old ones. */
	transfer_lane(world->transfer, "k", &limits);
	late->request.deadline_ms = clock_mono_ms() + 30;
	assert_outcome(ask_run(world, late), KL_REFUSED);
	assert_in_range(late->request.retry_after_ms, 500, 2000);
	assert_int_equal(peer_requests(world->peer), 1);
	ask_free(first);
	ask_free(late);
	end(world);
}

static void a_full_lane_and_a_long_wait_send_nothing(void **state)
{
	BEGIN({OK, PEER_KEEP, 400});
	(void)state;
	struct transfer_limits limits = {.concurrency = 1, .queue = 2};
	struct transfer_lane *lane = transfer_lane(world->transfer, "k", &limits);
	struct ask *asks[4];
	for (int i = 0; i < 4; i++) {
		asks[i] = ask_new(world, "GET", "/");
		asks[i]->request.lane = lane;
		if (i == 2)
			asks[i]->request.deadline_ms = clock_mono_ms() + 60;
		transfer_submit(world->transfer, &asks[i]->request);
	}
	for (int i = 0; i < 4; i++)
		ask_wait(world, asks[i]);
	assert_outcome(&asks[0]->request, KL_ANSWERED);
	assert_outcome(&asks[1]->request, KL_ANSWERED);
	assert_outcome(&asks[2]->request, KL_NOT_SENT);
	assert_non_null(strstr(asks[2]->request.reason, "waited too long"));
	assert_in_range(asks[2]->request.at_us.total, 55000, 350000);
	assert_outcome(&asks[3]->request, KL_NOT_SENT);
	assert_int_equal(asks[3]->order, 1);
	for (int i = 0; i < 4; i++)
		ask_free(asks[i]);
	end(world);
}

static void places_are_shared_when_all_are_taken(void **state)
{
	static const struct peer_step steps[] = {{OK, PEER_KEEP, 5}};
	struct transfer_options options = {.max_total = 1};
	struct world *world = begin_with(steps, 1, &options);
	(void)state;
	struct transfer_lane *busy = transfer_lane(world->transfer, "busy", NULL);
	struct transfer_lane *other = transfer_lane(world->transfer, "other", NULL);
	struct ask *asks[11];
	for (int i = 0; i < 11; i++) {
		asks[i] = ask_new(world, "GET", "/");
		asks[i]->request.lane = i < 10 ? busy : other;
		transfer_submit(world->transfer, &asks[i]->request);
	}
	for (int i = 0; i < 11; i++)
		ask_wait(world, asks[i]);
	assert_in_range(asks[10]->order, 2, 3); /* not behind the ten */
	for (int i = 0; i < 11; i++)
		ask_free(asks[i]);
	end(world);
}

static void retry_after_pauses_the_lane(void **state)
{
	BEGIN({"HTTP/1.1 429 Slow\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n", PEER_KEEP, 0},
		{OK, PEER_KEEP, 0});
	(void)state;
	struct transfer_lane *lane = transfer_lane(world->transfer, "k", NULL);
	struct ask *asks[3];
	for (int i = 0; i < 3; i++) {
		asks[i] = ask_new(world, "GET", "/");
		asks[i]->request.lane = lane;
	}
	asks[1]->request.deadline_ms = clock_mono_ms() + 500;
	int64_t start = clock_mono_ms();
	assert_outcome(ask_run(world, asks[0]), KL_ANSWERED);
	assert_int_equal(asks[0]->request.retry_after_ms, 1000);
	assert_outcome(ask_run(world, asks[1]), KL_REFUSED);
	assert_in_range(asks[1]->request.retry_after_ms, 1, 1000);
	assert_outcome(ask_run(world, asks[2]), KL_ANSWERED);
	assert_in_range(clock_mono_ms() - start, 995, 3000);
	for (int i = 0; i < 3; i++)
		ask_free(asks[i]);
	end(world);
}

/* ---- Breaker ----------------------------------------------------------------------------------
 */

static uint32_t lane_outcome(struct world *world, struct transfer_lane *lane)
{
	struct ask *ask = ask_new(world, "GET", "/");

	ask->request.lane = lane;
	ask->request.repeat = KL_SAFE;
	uint32_t outcome = ask_run(world, ask)->outcome;
	if (outcome == KL_REFUSED)
		assert_true(ask->request.retry_after_ms > 0);
	ask_free(ask);
	return outcome;
}

static void pass_ms(struct world *world, int64_t ms)
{
	int64_t until = clock_mono_ms() + ms;

	while (clock_mono_ms() < until)
		usleep(1000);
	uv_run(&world->loop, UV_RUN_NOWAIT);
}

static void the_breaker_opens_probes_and_closes(void **state)
{
	BEGIN({"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", PEER_KEEP, 0},
		{"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", PEER_KEEP, 0},
		{"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", PEER_KEEP, 0},
		{"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", PEER_KEEP, 0}, /* opens */
		{"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", PEER_KEEP, 0}, /* probe */
		{"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", PEER_KEEP, 0}, /* probe */
		{OK, PEER_KEEP, 0});
	(void)state;
	struct transfer_limits limits = {
		.breaker = {.min_volume = 4, .failure_rate = 0.7, .open_ms = 300}};
	struct transfer_lane *lane = transfer_lane(world->transfer, "k", &limits);
	assert_int_equal(lane_outcome(world, lane), KL_UNKNOWN);
	assert_int_equal(lane_outcome(world, lane), KL_ANSWERED);
	assert_int_equal(lane_outcome(world, lane), KL_UNKNOWN);
	assert_string_equal(world->breaker, "");
	assert_int_equal(lane_outcome(world, lane), KL_UNKNOWN);
	assert_string_equal(world->breaker, "k=1(3/1) ");
	assert_in_range(world->breaker_until_ms - clock_now_ms(), 0, 300);
	assert_int_equal(lane_outcome(world, lane), KL_REFUSED);
	assert_int_equal(peer_requests(world->peer), 4);
	pass_ms(world, 301);
	assert_int_equal(lane_outcome(world, lane), KL_UNKNOWN);
	assert_string_equal(world->breaker, "k=1(3/1) k=2(3/1) k=1(4/1) ");
	pass_ms(world, 301); /* twice as long now */
	assert_int_equal(lane_outcome(world, lane), KL_REFUSED);
	pass_ms(world, 301);
	assert_int_equal(lane_outcome(world, lane), KL_ANSWERED);
	assert_string_equal(world->breaker, "k=1(3/1) k=2(3/1) k=1(4/1) k=2(4/1) k=0(0/0) ");
	assert_int_equal(lane_outcome(world, lane), KL_ANSWERED);
	end(world);
}

static void an_open_breaker_survives_a_restart(void **state)
{
	BEGIN({OK, PEER_KEEP, 0});
	(void)state;
	assert_int_equal(
		transfer_restore_breaker(world->transfer, "k", BREAKER_OPEN, clock_now_ms() + 400),
		0);
	struct transfer_limits limits = {.breaker = {.open_ms = 1000}};
	struct transfer_lane *lane = transfer_lane(world->transfer, "k", &limits);
	assert_int_equal(lane_outcome(world, lane), KL_REFUSED);
	assert_int_equal(lane_outcome(world, NULL), KL_ANSWERED);
	pass_ms(world, 405);
	assert_int_equal(lane_outcome(world, lane), KL_ANSWERED);
	assert_string_equal(world->breaker, "k=2(0/0) k=0(0/0) ");
	end(world);
}

/* ---- Ends -------------------------------------------------------------------------------------
 */

static void cancelling_tells_whether_anything_left(void **state)
{
	BEGIN({NULL, PEER_HANG, 0});
	(void)state;
	struct transfer_limits limits = {.concurrency = 1};
	struct transfer_lane *lane = transfer_lane(world->transfer, "k", &limits);
	struct ask *flying = ask_new(world, "GET", "/"), *queued = ask_new(world, "GET", "/");
	flying->request.lane = queued->request.lane = lane;
	transfer_submit(world->transfer, &flying->request);
	transfer_submit(world->transfer, &queued->request);
	while (peer_requests(world->peer) < 1)
		uv_run(&world->loop, UV_RUN_NOWAIT);
	transfer_cancel(&queued->request);
	transfer_cancel(&flying->request);
	assert_false(flying->done || queued->done);
	ask_wait(world, flying);
	ask_wait(world, queued);
	assert_outcome(&flying->request, KL_UNKNOWN);
	assert_outcome(&queued->request, KL_NOT_SENT);
	ask_free(flying);
	ask_free(queued);
	end(world);
}

static void destroying_ends_every_request(void **state)
{
	BEGIN({NULL, PEER_HANG, 0});
	(void)state;
	struct transfer_limits limits = {.concurrency = 1};
	struct transfer_lane *lane = transfer_lane(world->transfer, "k", &limits);
	struct ask *flying = ask_new(world, "GET", "/"), *queued = ask_new(world, "GET", "/");
	flying->request.lane = queued->request.lane = lane;
	transfer_submit(world->transfer, &flying->request);
	transfer_submit(world->transfer, &queued->request);
	while (peer_requests(world->peer) < 1)
		uv_run(&world->loop, UV_RUN_NOWAIT);
	end(world);
	assert_outcome(&flying->request, KL_UNKNOWN);
	assert_outcome(&queued->request, KL_NOT_SENT);
	ask_free(flying);
	ask_free(queued);
}

static void a_deadline_ends_a_request_under_way(void **state)
{
	BEGIN({NULL, PEER_HANG, 0});
	(void)state;
	struct ask *ask = ask_new(world, "GET", "/");
	ask->request.deadline_ms = clock_mono_ms() + 120;
	assert_outcome(ask_run(world, ask), KL_UNKNOWN);
	assert_in_range(ask->request.at_us.total, 100000, 4000000);
	ask_free(ask);
	end(world);
}

static void an_answer_that_finds_no_memory_is_unknown(void **state)
{
	BEGIN({"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", PEER_KEEP, 0});
	(void)state;
	for (unsigned nth = 1; nth < 6; nth++) {
		struct ask *ask = ask_new(world, "GET", "/");
		arena_starve(ask->request.arena, nth);
		transfer_submit(world->transfer, &ask->request);
		ask_wait(world, ask);
		assert_outcome(&ask->request, KL_UNKNOWN);
		assert_int_equal(ask->request.status, 200);
		assert_string_equal(ask->request.reason, "no memory for the answer");
		ask_free(ask);
	}
	end(world);
}

/* ---- A kernel without memory ------------------------------------------------------------------
 */

static int refusals; /* of sockets that libuv wants to look at */

/* libuv's, too. */
int epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
	if (op == EPOLL_CTL_ADD && refusals) {
		refusals--;
		errno = ENOMEM;
		return -1;
	}
	return (int)syscall(SYS_epoll_ctl, epoll, op, fd, event);
}

static void a_socket_that_cannot_be_watched_is_served_all_the_same(void **state)
{
	BEGIN({OK, PEER_KEEP, 0}, {OK, PEER_CLOSE, 0}, {OK, PEER_KEEP, 0});
	(void)state;
	refusals = 1;
	for (unsigned n = 1; n < 4; n++) {
		struct ask *ask = ask_new(world, "POST", "/");
		assert_outcome(ask_run(world, ask), KL_ANSWERED);
		assert_int_equal(refusals, 0);
		assert_int_equal(peer_requests(world->peer), n);
		ask_free(ask);
	}
	end(world);
}

static void one_that_is_not_answered_ends_by_its_deadline(void **state)
{
	BEGIN({NULL, PEER_HANG, 0});
	(void)state;
	struct ask *ask = ask_new(world, "GET", "/");
	refusals = 1;
	ask->request.deadline_ms = clock_mono_ms() + 120;
	assert_outcome(ask_run(world, ask), KL_UNKNOWN);
	ask_free(ask);
	end(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_socket_that_cannot_be_watched_is_served_all_the_same),
		cmocka_unit_test(one_that_is_not_answered_ends_by_its_deadline),
		cmocka_unit_test(a_whole_answer_comes_back_with_its_head_and_body),
		cmocka_unit_test(methods_frame_their_bodies_as_http_wants_it),
		cmocka_unit_test(a_credential_goes_where_it_belongs_and_is_not_recorded),
		cmocka_unit_test(redirects_are_answers),
		cmocka_unit_test(nothing_is_sent_to_a_port_nobody_listens_on),
		cmocka_unit_test(nothing_is_sent_to_a_name_that_does_not_resolve),
		cmocka_unit_test(what_was_sent_and_not_wholly_answered_is_unknown),
		cmocka_unit_test(a_head_without_end_is_unknown),
		cmocka_unit_test(a_never_request_is_not_sent_again_when_its_kept_connection_dies),
		cmocka_unit_test(a_safe_request_is_sent_again_once_when_its_kept_connection_dies),
		cmocka_unit_test(a_connection_closed_while_idle_is_not_used),
		cmocka_unit_test(only_declared_hosts_and_public_addresses_are_reached),
		cmocka_unit_test(plain_http_goes_nowhere_without_allow_private),
		cmocka_unit_test(headers_cannot_smuggle_a_second_request),
		cmocka_unit_test(a_lane_goes_in_order_and_urgent_ones_first),
		cmocka_unit_test(a_lane_keeps_its_rate),
		cmocka_unit_test(a_spent_lane_says_when_to_come_again),
		cmocka_unit_test(a_full_lane_and_a_long_wait_send_nothing),
		cmocka_unit_test(places_are_shared_when_all_are_taken),
		cmocka_unit_test(retry_after_pauses_the_lane),
		cmocka_unit_test(the_breaker_opens_probes_and_closes),
		cmocka_unit_test(an_open_breaker_survives_a_restart),
		cmocka_unit_test(cancelling_tells_whether_anything_left),
		cmocka_unit_test(destroying_ends_every_request),
		cmocka_unit_test(a_deadline_ends_a_request_under_way),
		cmocka_unit_test(an_answer_that_finds_no_memory_is_unknown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
