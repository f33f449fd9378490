/* load.c - sends signed Retell webhooks as fast as they are answered, or at a given rate; and is the
 * sink that receives what the pipeline makes of them, so that one clock times both ends.
 *
 *   load --to HOST:PORT --path PATH --key KEY [--connections 64] [--seconds 10] [--rate N]
 *        [--sink PORT] [--run NAME] [--tenants N --deadline MS]
 *
 * With --tenants it is callers that are sent: check_availability by N tenants in turn, to
 * /hooks/t0/phone/function and so on; answers that came after the deadline are counted, and those
 * that were looked up in the mirror.
 *
 * Prints one JSON object. Every call id is new: "NAME-INDEX". One thread, epoll; the same load for every
 * server it is pointed at.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/hmac.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define BODY 2500
#define WIRE (BODY + 1024)
#define SENT_MAX 4000000
#define DRAIN_S 20

struct connection {
	int fd;
	bool sink;
	char out[WIRE];
	size_t out_len, out_done;
	char in[16384];
	size_t in_len;
	bool busy;
	uint32_t index; /* of the webhook under way */
};

static struct {
	struct sockaddr_in to;
	const char *path, *key, *run;
	unsigned connections, seconds, rate, sink, tenants, deadline_ms;
	uint32_t late, checked;
	int epoll, clock;
	uint32_t sent, answered, failed, arrived, extra;
	int64_t *begun_us;   /* of each webhook */
	uint32_t *ack_us, *arrive_us;
} g = {.connections = 64, .seconds = 10, .run = "bench", .path = "/"};

static int64_t now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int64_t wall_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- Webhooks --------------------------------------------------------------------------------- */

/* A function call of a caller who is on the line. */
static size_t make_question(char *body, uint32_t index)
{
	return (size_t)snprintf(body, BODY,
		"{\"name\":\"check_availability\",\"args\":{\"customer_preferences\":\"am liebsten "
		"nachmittags\"},\"call\":{\"call_type\":\"phone_call\",\"call_id\":\"%s-%" PRIu32
		"\",\"agent_id\":\"agent_1\",\"agent_version\":3,\"call_status\":\"ongoing\","
		"\"direction\":\"inbound\",\"from_number\":\"+4917139%05" PRIu32
		"\",\"to_number\":\"+493023125010\",\"start_timestamp\":%" PRId64
		",\"transcript\":\"Agent: Guten Tag. User: ich haette gern einen Termin, am liebsten "
		"nachmittags.\",\"transcript_with_tool_calls\":[{\"role\":\"tool_call_invocation\","
		"\"tool_call_id\":\"tool_%s_%" PRIu32 "\",\"name\":\"check_availability\","
		"\"arguments\":\"{}\"}]}}", g.run, index, index % 100000, wall_ms() - 20000, g.run,
		index);
}

/* A call_analyzed of about 2.5 KB: what fills it up is the transcript, as in life. */
static size_t make_body(char *body, uint32_t index)
{
	static const char words[] = "User: ich haette gern einen Termin am Donnerstag nach vier. ";
	size_t n = (size_t)snprintf(body, BODY,
		"{\"event\":\"call_analyzed\",\"call\":{\"call_type\":\"phone_call\",\"call_id\":\"%s-%" PRIu32
		"\",\"agent_id\":\"agent_1\",\"agent_version\":3,\"call_status\":\"ended\",\"direction\":"
		"\"inbound\",\"from_number\":\"+4917139%05" PRIu32 "\",\"to_number\":\"+493023125010\","
		"\"start_timestamp\":1795511524118,\"end_timestamp\":1795511697518,\"duration_ms\":173400,"
		"\"disconnection_reason\":\"user_hangup\",\"call_analysis\":{\"call_summary\":\"Termin\","
		"\"user_sentiment\":\"Positive\",\"call_successful\":true,\"custom_analysis_data\":{"
		"\"appointment_requested\":true,\"_name\":\"Jana Berger\",\"_datum__termin\":\"26.11.2026\","
		"\"_uhrzeit__termin\":\"17:15\"}},\"transcript\":\"", g.run, index, index % 100000);

	while (n < BODY - sizeof(words) - 4) {
		memcpy(body + n, words, sizeof(words) - 1);
		n += sizeof(words) - 1;
	}
	memcpy(body + n, "\"}}", 3);
	return n + 3;
}

static void sign(char out[65], const char *body, size_t len, int64_t at_ms)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char mac[32];
	char text[BODY + 24];
	unsigned mac_len = sizeof(mac);
	size_t n;

	memcpy(text, body, len);
	n = len + (size_t)snprintf(text + len, 24, "%" PRId64, at_ms);
	HMAC(EVP_sha256(), g.key, (int)strlen(g.key), (unsigned char *)text, n, mac, &mac_len);
	for (size_t i = 0; i < 32; i++) {
		out[2 * i] = digits[mac[i] >> 4];
		out[2 * i + 1] = digits[mac[i] & 15];
	}
	out[64] = '\0';
}

static void make_request(struct connection *c, uint32_t index)
{
	char body[BODY + 8], mac[65];
	size_t len = g.tenants ? make_question(body, index) : make_body(body, index);
	int64_t at = wall_ms();
	char own[64];
	const char *path = g.path;

	if (g.tenants) {
		snprintf(own, sizeof(own), "/hooks/t%u/phone/function", index % g.tenants);
		path = own;
	}

	sign(mac, body, len, at);
	c->out_len = (size_t)snprintf(c->out, sizeof(c->out),
		"POST %s HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nX-Retell-Signature: "
		"v=%" PRId64 ",d=%s\r\nContent-Length: %zu\r\n\r\n", path, at, mac, len);
	memcpy(c->out + c->out_len, body, len);
	c->out_len += len;
	c->out_done = 0;
	c->index = index;
}

/* ---- Sockets -------------------------------------------------------------------------------------- */

static void watch(struct connection *c, uint32_t events, int how)
{
	struct epoll_event e = {.events = events, .data.ptr = c};
	if (epoll_ctl(g.epoll, how, c->fd, &e) < 0)
		die("epoll");
}

static void open_connection(struct connection *c)
{
	int one = 1;

	c->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&g.to, sizeof(g.to)) < 0)
		die("connect");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	fcntl(c->fd, F_SETFL, O_NONBLOCK);
	watch(c, EPOLLIN, EPOLL_CTL_ADD);
}

static void push(struct connection *c)
{
	while (c->out_done < c->out_len) {
		ssize_t n = send(c->fd, c->out + c->out_done, c->out_len - c->out_done, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN) {
			watch(c, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
			return;
		}
		if (n <= 0)
			die("send");
		c->out_done += (size_t)n;
	}
}

static void send_next(struct connection *c)
{
	if (g.sent == SENT_MAX)
		return;
	make_request(c, g.sent);
	c->busy = true;
	g.begun_us[g.sent++] = now_us();
	push(c);
}

/* Length of the first whole message in the buffer; 0: more must come. *body: where it begins. */
static size_t whole(struct connection *c, char **body)
{
	char *end, *length;
	size_t n;

	c->in[c->in_len] = '\0';
	end = strstr(c->in, "\r\n\r\n");
	if (!end)
		return 0;
	*end = '\0';
	length = strcasestr(c->in, "\r\ncontent-length:");
	n = (size_t)(end - c->in) + 4 + (length ? strtoul(length + 17, NULL, 10) : 0);
	*end = '\r';
	*body = end + 4;
	return n <= c->in_len ? n : 0;
}

static void drop(struct connection *c, size_t n)
{
	memmove(c->in, c->in + n, c->in_len - n);
	c->in_len -= n;
}

static void on_answer(struct connection *c)
{
	char *body;
	size_t n = whole(c, &body);

	if (!n)
		return;
	if (strncmp(c->in + 9, "20", 2) == 0) {
		g.ack_us[c->index] = (uint32_t)(now_us() - g.begun_us[c->index]);
		g.answered++;
		g.late += g.deadline_ms && g.ack_us[c->index] > g.deadline_ms * 1000;
		g.checked += memmem(body, n - (size_t)(body - c->in), "\"availability_checked\":true", 27) != NULL;
	} else {
		g.failed++;
	}
	drop(c, n);
	c->busy = false;
}

static void on_call(struct connection *c)
{
	static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n"
				 "\r\n{\"ok\":true}";
	char *body, *mark, name[64];
	size_t n;

	while ((n = whole(c, &body))) {
		snprintf(name, sizeof(name), "\"%s-", g.run);
		mark = memmem(body, (size_t)(c->in + n - body), name, strlen(name));
		if (mark) {
			uint32_t index = (uint32_t)strtoul(mark + strlen(name), NULL, 10);
			if (index < g.sent && !g.arrive_us[index]) {
				g.arrive_us[index] = (uint32_t)(now_us() - g.begun_us[index]) | 1;
				g.arrived++;
			} else {
				g.extra++;
			}
		}
		drop(c, n);
		memcpy(c->out, ok, sizeof(ok) - 1);
		c->out_len = sizeof(ok) - 1;
		c->out_done = 0;
		push(c);
	}
}

static void on_event(struct connection *c, uint32_t events)
{
	ssize_t n;

	if (events & EPOLLOUT) {
		watch(c, EPOLLIN, EPOLL_CTL_MOD);
		push(c);
	}
	if (!(events & (EPOLLIN | EPOLLHUP)))
		return;
	n = recv(c->fd, c->in + c->in_len, sizeof(c->in) - 1 - c->in_len, 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		close(c->fd);
		if (c->sink)
			free(c);
		else if (c->busy)
			die("the server closed a connection with a webhook under way");
		else
			open_connection(c); /* it was idle for too long: every server may */
		return;
	}
	c->in_len += (size_t)n;
	if (c->sink)
		on_call(c);
	else
		on_answer(c);
}

static void accept_all(int listener)
{
	int fd, one = 1;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		struct connection *c = calloc(1, sizeof(*c));
		if (!c)
			die("memory");
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		c->fd = fd;
		c->sink = true;
		watch(c, EPOLLIN, EPOLL_CTL_ADD);
	}
}

static int open_sink(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)g.sink),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 512) < 0)
		die("sink");
	epoll_ctl(g.epoll, EPOLL_CTL_ADD, fd, &e);
	return fd;
}

/* ---- Running -------------------------------------------------------------------------------------------- */

/* Sleeps until the next webhook is due: a load that spins takes a core from what it measures. */
static void open_clock(void)
{
	long gap = 1000000000L / g.rate;
	struct itimerspec each = {{gap / 1000000000L, gap % 1000000000L}, {0, gap % 1000000000L}};
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = &g};

	if (fd < 0 || timerfd_settime(fd, 0, &each, NULL) < 0 ||
		epoll_ctl(g.epoll, EPOLL_CTL_ADD, fd, &e) < 0)
		die("timer");
	g.clock = fd;
}

static void poll_once(int listener, int timeout_ms)
{
	struct epoll_event events[256];
	uint64_t ticks;
	int n = epoll_wait(g.epoll, events, 256, timeout_ms);

	for (int i = 0; i < n; i++)
		if (events[i].data.ptr == &g)
			(void)!read(g.clock, &ticks, sizeof(ticks)); /* send_due() knows how many */
		else if (events[i].data.ptr)
			on_event(events[i].data.ptr, events[i].events);
		else
			accept_all(listener);
}

/* At a rate, webhooks are due by the clock; one that finds no free connection is late, and its
 * lateness counts, because a caller would have waited. */
static void send_due(struct connection *all, int64_t began, int64_t now)
{
	uint64_t due = g.rate ? (uint64_t)(now - began) * g.rate / 1000000 + 1 : UINT64_MAX;

	for (unsigned i = 0; i < g.connections && g.sent < due; i++) {
		if (all[i].busy)
			continue;
		send_next(&all[i]);
		if (g.rate)
			g.begun_us[all[i].index] = began + (int64_t)all[i].index * 1000000 / g.rate;
	}
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

static double percentile(uint32_t *us, uint32_t count, double p)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < count; i++)
		if (us[i])
			us[n++] = us[i];
	if (!n)
		return 0;
	qsort(us, n, sizeof(*us), by_size);
	return us[(uint32_t)((double)(n - 1) * p)] / 1000.0;
}

static void report(double seconds, double drained)
{
	uint32_t *ack = g.ack_us, *arrive = g.arrive_us;
	double ack50 = percentile(ack, g.sent, 0.5), ack99 = percentile(ack, g.sent, 0.99);
	double most = percentile(ack, g.sent, 1);
	double in50 = percentile(arrive, g.sent, 0.5), in99 = percentile(arrive, g.sent, 0.99);

	printf("{\"sent\":%u,\"answered\":%u,\"failed\":%u,\"per_s\":%.0f,\"ack_p50_ms\":%.2f,"
	       "\"ack_p99_ms\":%.2f,\"ack_max_ms\":%.2f,\"late\":%u,\"checked\":%u,\"arrived\":%u,\"twice\":%u,\"arrived_per_s\":%.0f,"
	       "\"arrive_p50_ms\":%.2f,\"arrive_p99_ms\":%.2f}\n", g.sent, g.answered, g.failed,
		g.answered / seconds, ack50, ack99, most, g.late, g.checked, g.arrived, g.extra, g.arrived / drained, in50, in99);
}

static void run(void)
{
	struct connection *all = calloc(g.connections, sizeof(*all));
	int64_t began, end, now;
	int listener = -1;
	double seconds;

	g.epoll = epoll_create1(0);
	if (g.sink)
		listener = open_sink();
	for (unsigned i = 0; i < g.connections; i++)
		open_connection(&all[i]);
	began = now_us();
	end = began + (int64_t)g.seconds * 1000000;
	if (g.rate)
		open_clock(); /* not sooner: each tick must find its webhook due */
	while ((now = now_us()) < end) {
		send_due(all, began, now);
		poll_once(listener, 10);
	}
	while (g.answered + g.failed < g.sent && now_us() < end + DRAIN_S * 1000000LL)
		poll_once(listener, 10);
	seconds = (double)(now_us() - began) / 1e6;
	while (g.sink && g.arrived < g.answered && now_us() < end + DRAIN_S * 1000000LL)
		poll_once(listener, 10);
	report(seconds, (double)(now_us() - began) / 1e6);
	free(all);
}

static void parse(int argc, char **argv)
{
	for (int i = 1; i + 1 < argc; i += 2) {
		const char *name = argv[i], *value = argv[i + 1];
		char host[64];
		unsigned port;
		if (strcmp(name, "--to") == 0 && sscanf(value, "%63[^:]:%u", host, &port) == 2) {
			g.to.sin_family = AF_INET;
			g.to.sin_port = htons((uint16_t)port);
			inet_pton(AF_INET, host, &g.to.sin_addr);
		} else if (strcmp(name, "--path") == 0)
			g.path = value;
		else if (strcmp(name, "--key") == 0)
			g.key = value;
		else if (strcmp(name, "--run") == 0)
			g.run = value;
		else if (strcmp(name, "--connections") == 0)
			g.connections = (unsigned)atoi(value);
		else if (strcmp(name, "--seconds") == 0)
			g.seconds = (unsigned)atoi(value);
		else if (strcmp(name, "--rate") == 0)
			g.rate = (unsigned)atoi(value);
		else if (strcmp(name, "--tenants") == 0)
			g.tenants = (unsigned)atoi(value);
		else if (strcmp(name, "--deadline") == 0)
			g.deadline_ms = (unsigned)atoi(value);
		else if (strcmp(name, "--sink") == 0)
			g.sink = (unsigned)atoi(value);
	}
	if (!g.to.sin_port || !g.key || !g.connections) {
		fputs("load: --to HOST:PORT --path PATH --key KEY …\n", stderr);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	parse(argc, argv);
	g.begun_us = calloc(SENT_MAX, sizeof(*g.begun_us));
	g.ack_us = calloc(SENT_MAX, sizeof(*g.ack_us));
	g.arrive_us = calloc(SENT_MAX, sizeof(*g.arrive_us));
	if (!g.begun_us || !g.ack_us || !g.arrive_us)
		die("memory");
	run();
	return 0;
}
