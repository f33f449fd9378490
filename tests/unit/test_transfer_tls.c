/* Certificates are checked, and a failed handshake sends nothing. The server is openssl's own. */
#include "transfer/transfer.h"

#include "base/arena.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/klinke-tls-XXXXXX";
static char key[64], certificate[64];
static unsigned port;
static pid_t server;

static pid_t spawn(const char *const *arguments)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	int null = open("/dev/null", O_RDWR);
	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	execvp(arguments[0], (char *const *)arguments);
	_exit(127);
}

static bool connects(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	bool yes = !connect(fd, (struct sockaddr *)&address, sizeof(address));

	close(fd);
	return yes;
}

static unsigned free_port(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int rc = bind(fd, (struct sockaddr *)&address, len) +
		 getsockname(fd, (struct sockaddr *)&address, &len);

	close(fd);
	return rc ? 0 : ntohs(address.sin_port);
}

static int start_server(void **state)
{
	char where[32];
	int status = -1;
	(void)state;

	if (!mkdtemp(folder))
		return -1;
	snprintf(key, sizeof(key), "%s/key.pem", folder);
	snprintf(certificate, sizeof(certificate), "%s/cert.pem", folder);
	const char *const make[] = {"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
		"ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=peer.test",
		"-addext", "subjectAltName=DNS:peer.test", "-keyout", key, "-out", certificate,
		NULL};
	waitpid(spawn(make), &status, 0);
	port = free_port();
	if (status || !port)
		return -1;
	snprintf(where, sizeof(where), "127.0.0.1:%u", port);
	const char *const serve[] = {"openssl", "s_server", "-accept", where, "-www", "-quiet",
		"-key", key, "-cert", certificate, NULL};
	server = spawn(serve);
	while (!connects()) {
		if (waitpid(server, &status, WNOHANG))
			return -1;
		usleep(10000);
	}
	return 0;
}

static int stop_server(void **state)
{
	(void)state;
	kill(server, SIGTERM);
	waitpid(server, NULL, 0);
	unlink(key);
	unlink(certificate);
	return rmdir(folder);
}

static void on_done(struct transfer_request *request)
{
	*(bool *)request->user = true;
}

/* The outcome of a GET to that name, which leads to the server. */
static uint32_t get(const char *name, const char *ca_file, char reason[200])
{
	char url[100], host[60], pin[100];
	const char *resolve[] = {pin, NULL}, *allow[] = {"127.0.0.1", NULL};
	struct transfer_options options = {
		.ca_file = ca_file, .resolve = resolve, .allow_private = allow};
	uv_loop_t loop;
	bool done = false;

	snprintf(url, sizeof(url), "https://%s:%u/", name, port);
	snprintf(host, sizeof(host), "%s:%u", name, port);
	snprintf(pin, sizeof(pin), "%s:127.0.0.1", host);
	uv_loop_init(&loop);
	struct transfer *transfer = transfer_create(NULL, &loop, &options);
	struct str allowed = str_of(host);
	struct transfer_request request = {.arena = arena_create(1 << 20),
		.done = on_done,
		.user = &done,
		.method = STR("GET"),
		.url = str_of(url),
		.allowed_hosts = &allowed,
		.allowed_host_count = 1,
		.timeout_ms = 10000};
	transfer_submit(transfer, &request);
	while (!done)
		uv_run(&loop, UV_RUN_ONCE);
	snprintf(reason, 200, "%s", request.reason ? request.reason : "");
	uint32_t outcome = request.outcome;
	if (outcome == KL_ANSWERED)
		assert_int_equal(request.status, 200);
	else
		assert_int_equal(request.sends, 0);
	arena_destroy(request.arena);
	transfer_destroy(transfer);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	return outcome;
}

static void a_trusted_certificate_of_the_right_name_is_answered(void **state)
{
	char reason[200];
	(void)state;
	assert_int_equal(get("peer.test", certificate, reason), KL_ANSWERED);
}

static void a_certificate_nobody_vouches_for_sends_nothing(void **state)
{
	char reason[200];
	(void)state;
	assert_int_equal(get("peer.test", NULL, reason), KL_NOT_SENT);
	assert_non_null(strstr(reason, "certificate"));
}

static void a_certificate_of_another_name_sends_nothing(void **state)
{
	char reason[200];
	(void)state;
	assert_int_equal(get("other.test", certificate, reason), KL_NOT_SENT);
	assert_non_null(strstr(reason, "other.test"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_trusted_certificate_of_the_right_name_is_answered),
		cmocka_unit_test(a_certificate_nobody_vouches_for_sends_nothing),
		cmocka_unit_test(a_certificate_of_another_name_sends_nothing),
	};
	return cmocka_run_group_tests(tests, start_server, stop_server);
}
