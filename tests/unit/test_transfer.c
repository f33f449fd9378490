/* The parts of transfer that need no network: addresses, heads, URLs, Retry-After, breaker. */
#include "transfer/breaker.h"
#include "transfer/egress.h"
#include "transfer/head.h"

#include "base/arena.h"
#include "base/error.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- Addresses --------------------------------------------------------------------------------
 */

static struct sockaddr_storage address_of(const char *text)
{
	struct sockaddr_storage out;
	struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&out;

	memset(&out, 0, sizeof(out));
	out.ss_family = strchr(text, ':') ? AF_INET6 : AF_INET;
	assert_int_equal(
		inet_pton(out.ss_family, text,
			out.ss_family == AF_INET ? (void *)&v4->sin_addr : (void *)&v6->sin6_addr),
		1);
	return out;
}

static const struct {
	const char *address;
	enum egress_class class;
} addresses[] = {
	{"8.8.8.8", EGRESS_PUBLIC},
	{"9.255.255.255", EGRESS_PUBLIC},
	{"10.0.0.0", EGRESS_PRIVATE},
	{"10.255.255.255", EGRESS_PRIVATE},
	{"11.0.0.0", EGRESS_PUBLIC},
	{"100.63.255.255", EGRESS_PUBLIC},
	{"100.64.0.0", EGRESS_PRIVATE},
	{"100.127.255.255", EGRESS_PRIVATE},
	{"100.128.0.0", EGRESS_PUBLIC},
	{"100.100.100.200", EGRESS_FORBIDDEN},
	{"127.0.0.1", EGRESS_LOOPBACK},
	{"127.255.255.255", EGRESS_LOOPBACK},
	{"0.0.0.0", EGRESS_FORBIDDEN},
	{"0.1.2.3", EGRESS_FORBIDDEN},
	{"169.254.169.254", EGRESS_FORBIDDEN},
	{"169.253.0.1", EGRESS_PUBLIC},
	{"168.63.129.16", EGRESS_FORBIDDEN},
	{"172.15.255.255", EGRESS_PUBLIC},
	{"172.16.0.0", EGRESS_PRIVATE},
	{"172.31.255.255", EGRESS_PRIVATE},
	{"172.32.0.0", EGRESS_PUBLIC},
	{"192.168.1.1", EGRESS_PRIVATE},
	{"192.169.0.0", EGRESS_PUBLIC},
	{"192.0.0.192", EGRESS_FORBIDDEN},
	{"198.18.0.1", EGRESS_FORBIDDEN},
	{"198.19.255.255", EGRESS_FORBIDDEN},
	{"198.20.0.0", EGRESS_PUBLIC},
	{"203.0.113.7", EGRESS_FORBIDDEN},
	{"224.0.0.1", EGRESS_FORBIDDEN},
	{"240.0.0.1", EGRESS_FORBIDDEN},
	{"255.255.255.255", EGRESS_FORBIDDEN},
	{"223.255.255.255", EGRESS_PUBLIC},
	{"2a00:1450::1", EGRESS_PUBLIC},
	{"2606:4700::1111", EGRESS_PUBLIC},
	{"::1", EGRESS_LOOPBACK},
	{"::", EGRESS_FORBIDDEN},
	{"::2", EGRESS_FORBIDDEN},
	{"fc00::1", EGRESS_PRIVATE},
	{"fdff::1", EGRESS_PRIVATE},
	{"fd00:ec2::254", EGRESS_FORBIDDEN},
	{"fe80::1", EGRESS_FORBIDDEN},
	{"fec0::1", EGRESS_FORBIDDEN},
	{"ff02::1", EGRESS_FORBIDDEN},
	{"2001:db8::1", EGRESS_FORBIDDEN},
	{"2001::1", EGRESS_FORBIDDEN},
	{"2001:4860::8888", EGRESS_PUBLIC},
	{"::ffff:127.0.0.1", EGRESS_LOOPBACK},
	{"::ffff:8.8.8.8", EGRESS_PUBLIC},
	{"::ffff:169.254.169.254", EGRESS_FORBIDDEN},
	{"::127.0.0.1", EGRESS_FORBIDDEN},
	{"64:ff9b::a00:1", EGRESS_PRIVATE},
	{"64:ff9b::808:808", EGRESS_PUBLIC},
	{"64:ff9b:1::808:808", EGRESS_FORBIDDEN},
	{"2002:7f00:1::", EGRESS_LOOPBACK},
	{"2002:808:808::", EGRESS_PUBLIC},
	{"100::1", EGRESS_FORBIDDEN},
	{"4000::1", EGRESS_FORBIDDEN},
};

static void every_address_has_its_class(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		struct sockaddr_storage address = address_of(addresses[i].address);
		enum egress_class class = egress_classify((struct sockaddr *)&address);
		if (class != addresses[i].class)
			print_message("%s\n", addresses[i].address);
		assert_int_equal(class, addresses[i].class);
	}
	struct sockaddr local = {.sa_family = AF_UNIX};
	assert_int_equal(egress_classify(&local), EGRESS_FORBIDDEN);
}

static bool allows(
	const struct egress *egress, bool tls, const char *host, unsigned port, const char *address)
{
	struct sockaddr_storage where = address_of(address);

	return egress_allows(egress, tls, host, port, (struct sockaddr *)&where);
}

static void rules_open_what_they_name_and_nothing_else(void **state)
{
	static const char *const rules[] = {"10.1.0.0/16", "127.0.0.1:8090", "[::1]:8090",
		"nas.local", "cal.local:5232", "169.254.7.7", "fd12::/16", NULL};
	struct egress *egress = egress_create(NULL, rules);
	(void)state;
	assert_non_null(egress);
	assert_true(allows(egress, false, "x", 80, "10.1.2.3"));
	assert_true(allows(egress, false, "x", 80, "::ffff:10.1.2.3"));
	assert_false(allows(egress, false, "x", 80, "10.2.2.3"));
	assert_true(allows(egress, true, "x", 8090, "127.0.0.1"));
	assert_false(allows(egress, true, "x", 8091, "127.0.0.1"));
	assert_false(allows(egress, true, "x", 8090, "127.0.0.2"));
	assert_true(allows(egress, true, "x", 8090, "::1"));
	assert_true(allows(egress, false, "NAS.local", 1, "192.168.0.9"));
	assert_true(allows(egress, false, "nas.local", 1, "127.0.0.1"));
	assert_false(allows(egress, true, "nas.local", 1, "169.254.169.254"));
	assert_false(allows(egress, true, "nas.local.evil", 1, "192.168.0.9"));
	assert_true(allows(egress, true, "cal.local", 5232, "192.168.0.9"));
	assert_false(allows(egress, true, "cal.local", 443, "192.168.0.9"));
	assert_true(allows(egress, true, "x", 1, "169.254.7.7"));
	assert_false(allows(egress, true, "x", 1, "169.254.7.8"));
	assert_true(allows(egress, true, "x", 1, "fd12::7"));
	assert_false(allows(egress, true, "x", 1, "fd13::7"));
	/* Public: with TLS always, without it never, whatever a name rule says. */
	assert_true(allows(egress, true, "x", 443, "8.8.8.8"));
	assert_false(allows(egress, false, "x", 80, "8.8.8.8"));
	assert_false(allows(egress, false, "nas.local", 80, "8.8.8.8"));
	egress_destroy(egress);
}

static void a_rule_that_cannot_be_read_is_named(void **state)
{
	static const char *const bad[] = {"10.0.0.0/33", "10.0.0", "", "a b", "host:0",
		"host:70000", "host:x", "[::1", "[::1]x", "fd00::/129", "http://x", "10.0.0.1/",
		"127.0.0.1:"};
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *rules[] = {"10.0.0.0/8", bad[i], NULL};
		struct error error = {0};

		assert_null(egress_create(&error, rules));
		assert_int_equal(error.code, E_INVALID);
		assert_non_null(strstr(error.text, bad[i]));
	}
}

static void hosts_match_whole_and_with_their_port(void **state)
{
	const struct str hosts[] = {STR("api.cal.com"), STR("127.0.0.1:8090"), STR("[::1]:8090"),
		{"a\0b", 3}, {NULL, 0}};
	(void)state;
	assert_true(egress_lists(hosts, 5, "API.cal.com", 443, 443));
	assert_false(egress_lists(hosts, 5, "api.cal.com", 8443, 443));
	assert_false(egress_lists(hosts, 5, "cal.com", 443, 443));
	assert_false(egress_lists(hosts, 5, "api.cal.com.", 443, 443));
	assert_false(egress_lists(hosts, 5, "a", 443, 443));
	assert_false(egress_lists(hosts, 5, "", 443, 443));
	assert_true(egress_lists(hosts, 5, "127.0.0.1", 8090, 80));
	assert_false(egress_lists(hosts, 5, "127.0.0.1", 80, 80));
	assert_true(egress_lists(hosts, 5, "::1", 8090, 80));
	assert_false(egress_lists(hosts, 0, "api.cal.com", 443, 443));
}

/* ---- Heads ------------------------------------------------------------------------------------
 */

static bool feed(struct head *head, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n") + 1;
		if (!head_line(head, text, len))
			return false;
		text += len;
	}
	return true;
}

static void the_last_head_counts_and_trailers_do_not(void **state)
{
	struct head head;
	struct arena *arena = arena_create(4096);
	(void)state;
	head_init(&head, 4096);
	assert_true(
		feed(&head, "HTTP/1.1 103 Early\r\nX: 1\r\n\r\nHTTP/2 200 \r\nA: 1\r\nEmpty:\r\n"
			    "Fold: a\r\n  b\r\nno colon\r\na : 2 \r\n\r\nTrailer: x\r\n"));
	assert_int_equal(head.status, 200);
	assert_true(head.whole);
	assert_int_equal(head.count, 4);
	const struct transfer_header *headers = head_copy(&head, arena);
	assert_true(str_is(headers[0].name, "a") && str_is(headers[0].value, "1"));
	assert_true(str_is(headers[1].name, "empty") && str_is(headers[1].value, ""));
	assert_true(str_is(headers[2].value, "a b"));
	assert_int_equal(headers[2].value.ptr[3], 0);
	assert_true(str_is(headers[3].name, "a") && str_is(headers[3].value, "2"));
	assert_true(str_is(head_find(&head, "a"), "1"));
	assert_null(head_find(&head, "trailer").ptr);
	head_finish(&head);
	arena_destroy(arena);
}

static void a_head_that_is_none_or_too_big_is_refused(void **state)
{
	static const char *const bad[] = {"SSH-2.0\r\n", "HTTP/1.1 2x0 OK\r\n", "HTTP/1.1\r\n",
		"HTTP/1.1 099 OK\r\n", "HTTP/1.1 200 OK\r\n folded into nothing\r\n"};
	char line[] = "Name: value\r\n", big[70];
	struct head head;
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		head_init(&head, 100);
		assert_false(feed(&head, bad[i]));
		head_finish(&head);
	}
	head_init(&head, 60);
	memset(big, 'x', sizeof(big));
	big[1] = ':';
	assert_true(feed(&head, "HTTP/1.1 200 OK\r\n"));
	assert_false(head_line(&head, big, sizeof(big)));
	head_finish(&head);
	head_init(&head, 1 << 20);
	assert_true(feed(&head, "HTTP/1.1 200 OK\r\n"));
	for (int i = 0; i < HEAD_LINES; i++)
		assert_true(feed(&head, line));
	assert_false(feed(&head, line));
	head_finish(&head);
}

static void retry_after_reads_seconds_and_dates(void **state)
{
	static const struct {
		const char *value;
		int64_t ms;
	} cases[] = {
		{"120", 120000},
		{"0", 0},
		{" 7 ", 7000},
		{"Sun, 06 Nov 1994 08:49:38 GMT", 1000},
		{"Sunday, 06-Nov-94 08:49:38 GMT", 1000},
		{"Sun Nov  6 08:49:38 1994", 1000},
		{"Sun, 06 Nov 1994 08:49:00 GMT", 0},
		{"", -1},
		{"-5", -1},
		{"1.5", -1},
		{"soon", -1},
		{"12x", -1},
		{"Sun, 06 Foo", -1},
		{"0x10", -1},
		{"99999999999999999999999999", 366LL * 24 * 3600 * 1000},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t ms = transfer_retry_after(str_of(cases[i].value), 784111777000);
		if (ms != cases[i].ms)
			print_message("%s: %lld\n", cases[i].value, (long long)ms);
		assert_int_equal(ms, cases[i].ms);
	}
	assert_int_equal(transfer_retry_after((struct str){NULL, 0}, 0), -1);
}

/* ---- URLs -------------------------------------------------------------------------------------
 */

static void secrets_in_urls_are_masked(void **state)
{
	static const char *const cases[][2] = {
		{"https://api.cal.com/v1/slots?apiKey=cal_live_1&start=2025",
			"https://api.cal.com/v1/slots?apiKey=***&start=2025"},
		{"https://u:p@h/x", "https://***@h/x"},
		{"https://u:p@q@h/x?a=b@c", "https://***@h/x?a=b@c"},
		{"https://h?access_TOKEN=1&x=2&sig=3&", "https://h?access_TOKEN=***&x=2&sig=***&"},
		{"https://h/?attendeeEmail=a@b.c&phone=%2B49",
			"https://h/?attendeeEmail=***&phone=***"},
		{"https://h/a?special=1&token", "https://h/a?special=***&token"},
		{"https://h/a?%6Bey=1", "https://h/a?%6Bey=***"},
		{"https://h/a#token=1", "https://h/a"},
		{"/relative?key=a=b", "/relative?key=***"},
		{"", ""},
		{"https://", "https://"},
	};
	struct arena *arena = arena_create(65536);
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(
			transfer_redact(arena, str_of(cases[i][0]), STR("special")), cases[i][1]);
	assert_true(str_is(transfer_host(arena, STR("https://api.cal.com/x")), "api.cal.com"));
	assert_true(str_is(transfer_host(arena, STR("http://[::1]:80/")), "[::1]:80"));
	assert_null(transfer_host(arena, STR("nonsense")).ptr);
	arena_destroy(arena);
}

/* ---- Breaker ----------------------------------------------------------------------------------
 */

static void old_failures_are_forgotten(void **state)
{
	struct transfer_limits limits = {
		.breaker = {.window_ms = 1200, .min_volume = 4, .failure_rate = 1, .open_ms = 100}};
	struct breaker breaker;
	uint32_t failures, successes;
	(void)state;
	breaker_init(&breaker);
	breaker_limit(&breaker, &limits);
	assert_false(breaker_result(&breaker, 10000, false, false));
	assert_false(breaker_result(&breaker, 10100, false, false));
	assert_false(breaker_result(&breaker, 10600, false, false));
	breaker_count(&breaker, 11300, &failures, &successes);
	assert_int_equal(failures, 1);
	assert_false(breaker_result(&breaker, 11300, false, false));
	assert_false(breaker_result(&breaker, 11310, false, false));
	assert_true(breaker_result(&breaker, 11320, false, false));
	assert_int_equal(breaker.state, BREAKER_OPEN);
	assert_int_equal(breaker.until_ms, 11420);
	/* What was under way when it opened decides nothing. */
	assert_false(breaker_result(&breaker, 11330, true, false));
	assert_int_equal(breaker.state, BREAKER_OPEN);
}

static void one_probe_at_a_time_decides(void **state)
{
	struct breaker breaker;
	int64_t retry;
	bool changed;
	(void)state;
	breaker_init(&breaker);
	breaker_restore(&breaker, 1000, BREAKER_OPEN, 1500);
	assert_int_equal(breaker_ask(&breaker, 1400, &retry, &changed), BREAKER_REFUSE);
	assert_int_equal(retry, 100);
	assert_int_equal(breaker_ask(&breaker, 1500, &retry, &changed), BREAKER_PROBE);
	assert_true(changed);
	assert_int_equal(breaker_ask(&breaker, 1501, &retry, &changed), BREAKER_REFUSE);
	assert_false(changed);
	breaker_release(&breaker); /* it was cancelled: the next one probes */
	assert_int_equal(breaker_ask(&breaker, 1502, &retry, &changed), BREAKER_PROBE);
	assert_true(breaker_result(&breaker, 1600, true, true));
	assert_int_equal(breaker.state, BREAKER_CLOSED);
	/* A clock that jumped does not keep it open for a year. */
	breaker_restore(&breaker, 1000, BREAKER_OPEN, 1LL << 40);
	assert_int_equal(breaker.until_ms, 1000 + 300000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_address_has_its_class),
		cmocka_unit_test(rules_open_what_they_name_and_nothing_else),
		cmocka_unit_test(a_rule_that_cannot_be_read_is_named),
		cmocka_unit_test(hosts_match_whole_and_with_their_port),
		cmocka_unit_test(the_last_head_counts_and_trailers_do_not),
		cmocka_unit_test(a_head_that_is_none_or_too_big_is_refused),
		cmocka_unit_test(retry_after_reads_seconds_and_dates),
		cmocka_unit_test(secrets_in_urls_are_masked),
		cmocka_unit_test(old_failures_are_forgotten),
		cmocka_unit_test(one_probe_at_a_time_decides),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
