/* A name that answers otherwise the next time, and addresses spelled in odd ways: nothing is ever
 * connected to that the rules do not open. Here this program answers for DNS, and sees each
 * connect(): both stand before libc's for libcurl, too. */
#include "transfer/transfer.h"

#include "base/arena.h"
#include "base/error.h"
#include "peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define LAST "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"

/* ---- DNS and connect() -------------------------------------------------------------------- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *answers[8]; /* of the name moving.test; ends with NULL */
static unsigned asked;
static char connected[2000]; /* addresses, each with a blank behind it */

static struct addrinfo *one_answer(const char *text, unsigned port)
{
	struct addrinfo *info = calloc(1, sizeof(*info) + sizeof(struct sockaddr_storage));
	struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)(info + 1);
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)(info + 1);
	bool six = strchr(text, ':') != NULL;

	info->ai_family = six ? AF_INET6 : AF_INET;
	info->ai_socktype = SOCK_STREAM;
	info->ai_addrlen = six ? sizeof(*v6) : sizeof(*v4);
	info->ai_addr = (struct sockaddr *)(void *)(info + 1);
	info->ai_addr->sa_family = (sa_family_t)info->ai_family;
	if (six)
		v6->sin6_port = htons((uint16_t)port);
	else
		v4->sin_port = htons((uint16_t)port);
	assert_int_equal(inet_pton(info->ai_family, text,
				 six ? (void *)&v6->sin6_addr : (void *)&v4->sin_addr),
		1);
	return info;
}

static int (*libc_getaddrinfo(void))(
	const char *, const char *, const struct addrinfo *, struct addrinfo **)
{
	int (*found)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

	*(void **)&found = dlsym(RTLD_NEXT, "getaddrinfo");
	return found;
}

int getaddrinfo(
	const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
	struct addrinfo **at = out;

	if (!name || strspn(name, "0123456789abcdefABCDEFxX.:%") == strlen(name))
		return libc_getaddrinfo()(name, service, hints, out);
	if (strcmp(name, "moving.test") != 0)
		return EAI_NONAME; /* no test asks the world's DNS */
	pthread_mutex_lock(&lock);
	asked++;
	*out = NULL;
	for (size_t i = 0; answers[i]; i++) {
		*at = one_answer(answers[i], service ? (unsigned)atoi(service) : 0);
		at = &(*at)->ai_next;
	}
	pthread_mutex_unlock(&lock);
	return *out ? 0 : EAI_NONAME;
}

void freeaddrinfo(struct addrinfo *info)
{
	void (*libc)(struct addrinfo *);

	*(void **)&libc = dlsym(RTLD_NEXT, "freeaddrinfo");
	if (!info || info->ai_addr != (struct sockaddr *)(void *)(info + 1) || info->ai_canonname) {
		libc(info);
		return;
	}
	while (info) {
		struct addrinfo *next = info->ai_next;
		free(info);
		info = next;
	}
}

static void note(const struct sockaddr *address)
{
	char text[INET6_ADDRSTRLEN + 2] = "?";
	size_t len = strlen(connected);

	if (address->sa_family == AF_INET)
		inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)address)->sin_addr,
			text, sizeof(text));
	else if (address->sa_family == AF_INET6)
		inet_ntop(AF_INET6,
			&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, text,
			sizeof(text));
	snprintf(connected + len, sizeof(connected) - len, "%s ", text);
}

int connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t len)
{
	int (*libc)(int, const struct sockaddr *, socklen_t);

	*(void **)&libc = dlsym(RTLD_NEXT, "connect");
	pthread_mutex_lock(&lock);
	note(address.__sockaddr__);
	pthread_mutex_unlock(&lock);
	return libc(fd, address.__sockaddr__, len);
}

/* ---- One request -------------------------------------------------------------------------- */

static void resolve_to(const char *first, const char *second)
{
	pthread_mutex_lock(&lock);
	answers[0] = first;
	answers[1] = second;
	answers[2] = NULL;
	connected[0] = '\0';
	pthread_mutex_unlock(&lock);
}

static void on_done(struct transfer_request *request)
{
	*(bool *)request->user = true;
}

struct world {
	uv_loop_t loop;
	struct transfer *transfer;
};

static void begin(struct world *world)
{
	static const char *const allow[] = {"127.0.0.1", NULL};
	struct transfer_options options = {.allow_private = allow};
	struct error error = {0};

	assert_int_equal(uv_loop_init(&world->loop), 0);
	world->transfer = transfer_create(&error, &world->loop, &options);
	assert_non_null(world->transfer);
}

static void end(struct world *world)
{
	transfer_destroy(world->transfer);
	uv_run(&world->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&world->loop), 0);
}

static uint32_t ask(struct world *world, const char *url, const char *host)
{
	struct str hosts[2] = {str_of(host)};
	bool done = false;
	struct transfer_request request = {.done = on_done,
		.user = &done,
		.method = STR("GET"),
		.url = str_of(url),
		.allowed_hosts = hosts,
		.allowed_host_count = 2,
		.timeout_ms = 5000};

	request.arena = arena_create(8 << 20);
	hosts[1] = transfer_host(request.arena, request.url); /* however it is spelled */
	transfer_submit(world->transfer, &request);
	while (!done)
		assert_true(uv_run(&world->loop, UV_RUN_ONCE) || done);
	arena_destroy(request.arena);
	return request.outcome;
}

/* With a transfer of its own, which remembers no name from before. */
static uint32_t outcome(const char *url, const char *host)
{
	struct world world;
	uint32_t outcome;

	begin(&world);
	outcome = ask(&world, url, host);
	end(&world);
	return outcome;
}

static uint32_t ask_name(struct world *world, unsigned port)
{
	char url[64], host[64];

	snprintf(url, sizeof(url), "http://moving.test:%u/", port);
	snprintf(host, sizeof(host), "moving.test:%u", port);
	return ask(world, url, host);
}

static uint32_t outcome_of_name(unsigned port)
{
	struct world world;
	uint32_t outcome;

	begin(&world);
	outcome = ask_name(&world, port);
	end(&world);
	return outcome;
}

/* ---- Names that move ---------------------------------------------------------------------- */

static void a_name_that_moves_is_judged_each_time(void **state)
{
	static const char *const elsewhere[] = {"127.0.0.2", "10.0.0.1", "169.254.169.254",
		"0.0.0.0", "::1", "::ffff:127.0.0.2", "::ffff:10.0.0.1", "64:ff9b::7f00:2",
		"2002:7f00:2::", "fd00::1", "fe80::1", "::"};
	static const struct peer_step steps[] = {{OK, PEER_CLOSE, 0}, {OK, PEER_CLOSE, 0}};
	struct peer *peer = peer_start(steps, 2);

	(void)state;
	resolve_to("127.0.0.1", NULL);
	assert_int_equal(outcome_of_name(peer_port(peer)), KL_ANSWERED);
	assert_string_equal(connected, "127.0.0.1 ");
	for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++) {
		unsigned before = asked;
		resolve_to(elsewhere[i], NULL);
		assert_int_equal(outcome_of_name(peer_port(peer)), KL_NOT_SENT);
		assert_string_equal(connected, "");
		assert_true(asked > before);
	}
	resolve_to("127.0.0.1", NULL);
	assert_int_equal(outcome_of_name(peer_port(peer)), KL_ANSWERED);
	peer_stop(peer);
}

/* As when a router has no line for a moment, and answers for every name itself. */
static void a_wrong_address_is_not_remembered(void **state)
{
	static const struct peer_step steps[] = {{OK, PEER_CLOSE, 0}};
	struct peer *peer = peer_start(steps, 1);
	unsigned before = asked;
	struct world world;

	(void)state;
	begin(&world);
	resolve_to("192.168.0.1", NULL);
	assert_int_equal(ask_name(&world, peer_port(peer)), KL_NOT_SENT);
	assert_int_equal(ask_name(&world, peer_port(peer)), KL_NOT_SENT);
	assert_int_equal(asked - before, 2);
	assert_string_equal(connected, "");
	resolve_to("127.0.0.1", NULL);
	assert_int_equal(ask_name(&world, peer_port(peer)), KL_ANSWERED);
	end(&world);
	peer_stop(peer);
}

static void a_right_one_is(void **state)
{
	static const struct peer_step steps[] = {{LAST, PEER_CLOSE, 0}, {LAST, PEER_CLOSE, 0}};
	struct peer *peer = peer_start(steps, 2);
	unsigned before = asked;
	struct world world;

	(void)state;
	begin(&world);
	resolve_to("127.0.0.1", NULL);
	assert_int_equal(ask_name(&world, peer_port(peer)), KL_ANSWERED);
	assert_int_equal(ask_name(&world, peer_port(peer)), KL_ANSWERED);
	assert_int_equal(asked - before, 1);
	end(&world);
	peer_stop(peer);
}

static void of_several_addresses_only_open_ones_are_tried(void **state)
{
	static const struct peer_step steps[] = {{OK, PEER_CLOSE, 0}, {OK, PEER_CLOSE, 0}};
	struct peer *peer = peer_start(steps, 2);

	(void)state;
	resolve_to("127.0.0.2", "127.0.0.1");
	assert_int_equal(outcome_of_name(peer_port(peer)), KL_ANSWERED);
	assert_string_equal(connected, "127.0.0.1 ");
	resolve_to("10.0.0.1", "::ffff:169.254.169.254");
	assert_int_equal(outcome_of_name(peer_port(peer)), KL_NOT_SENT);
	assert_string_equal(connected, "");
	peer_stop(peer);
}

/* ---- Addresses in disguise ---------------------------------------------------------------- */

static void spellings_of_an_address_open_nothing(void **state)
{
	static const char *const urls[] = {"https://2130706434/", "https://0x7f000002/",
		"https://0x7f.0.0.2/", "https://0177.0.0.2/", "https://017700000002/",
		"https://127.2/", "https://127.0.2/", "https://127.0.0.2./", "https://[::1]/",
		"https://[0:0:0:0:0:0:0:1]/", "https://[::ffff:127.0.0.2]/",
		"https://[::ffff:7f00:2]/", "https://[64:ff9b::7f00:2]/", "https://0/",
		"https://0.0.0.0/", "https://169.254.169.254/", "https://2852039166/",
		"https://0xa9fea9fe/", "https://[::ffff:a9fe:a9fe]/", "https://[fe80::1%25lo]/",
		"https://%31%32%37.0.0.2/", "https://127。0。0。2/", "https://①②⑦.0.0.2/",
		"https://127.0.0.2:443/", "https://127.0.0.2%00.example/"};

	(void)state;
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		uint32_t end;
		resolve_to(NULL, NULL);
		end = outcome(urls[i], "127.0.0.2");
		if (end != KL_REFUSED && end != KL_NOT_SENT)
			fail_msg("%s: outcome %u", urls[i], end);
		if (connected[0])
			fail_msg("%s: connects to %s", urls[i], connected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_that_moves_is_judged_each_time),
		cmocka_unit_test(a_wrong_address_is_not_remembered),
		cmocka_unit_test(a_right_one_is),
		cmocka_unit_test(of_several_addresses_only_open_ones_are_tried),
		cmocka_unit_test(spellings_of_an_address_open_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
