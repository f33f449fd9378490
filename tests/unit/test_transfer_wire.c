/* What comes of a request on the wire, against a peer that does what a test tells it to. */
#include "wire_kit.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"

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
		cmocka_unit_test(cancelling_tells_whether_anything_left),
		cmocka_unit_test(destroying_ends_every_request),
		cmocka_unit_test(a_deadline_ends_a_request_under_way),
		cmocka_unit_test(an_answer_that_finds_no_memory_is_unknown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
