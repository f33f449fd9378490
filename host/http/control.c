/* control.c - both ends of STATE/control.sock. One thread accepts, one serves each connection; they
 * share nothing but the admin, which is read only. */
#include "http/control.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "base/owner.h"

#define CLIENTS_MAX 16
#define LINE_MAX_BYTES ((size_t)64 * 1024 * 1024)
#define MEMORY ((size_t)512 * 1024 * 1024)
#define IDLE_S 10
#define NO_MEMORY                                                                                  \
	"{\"error\":{\"code\":\"no memory\",\"text\":\"the host has no memory for this now; try "  \
	"again\"}}"

struct control {
	struct admin admin;
	int fd;
	pthread_t thread;
	atomic_uint clients;
	atomic_bool stopping;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

static int make_address(struct error *error, const char *state, struct sockaddr_un *address)
{
	int n;

	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	n = snprintf(address->sun_path, sizeof(address->sun_path), "%s/control.sock", state);
	if (n < 0 || (size_t)n >= sizeof(address->sun_path))
		return error_set(error, E_INVALID,
			"the path of state = is too long for a socket: %s", state);
	return 0;
}

static bool read_line(int fd, struct buf *line)
{
	char chunk[4096];

	while (!line->len || line->ptr[line->len - 1] != '\n') {
		ssize_t n = read(fd, chunk, sizeof(chunk));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || line->failed)
			return false;
		buf_add(line, chunk, (size_t)n);
	}
	return !line->failed;
}

static bool write_all(int fd, struct str text)
{
	size_t done = 0;

	while (done < text.len) {
		ssize_t n = send(fd, text.ptr + done, text.len - done, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

static void set_timeouts(int fd, uint32_t ms)
{
	struct timeval t = {.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
}

/* ---- Host's end --------------------------------------------------------------------------- */

struct client {
	struct control *control;
	int fd;
};

static void serve_one(struct control *control, int fd)
{
	struct arena *arena = arena_create(MEMORY);
	struct buf line;

	buf_init(&line, LINE_MAX_BYTES);
	if (arena && read_line(fd, &line)) {
		struct str request = {line.ptr, line.len}, answer;
		struct admin admin = control->admin;
		admin.peer = fd;
		answer = json_print(arena, admin_answer(&admin, arena, request));
		if (write_all(fd, arena_failed(arena) ? STR(NO_MEMORY) : answer))
			write_all(fd, STR("\n"));
	}
	buf_finish(&line);
	arena_destroy(arena);
}

static void *serve(void *arg)
{
	struct client c = *(struct client *)arg;

	free(arg);
	set_timeouts(c.fd, IDLE_S * 1000);
	serve_one(c.control, c.fd);
	close(c.fd);
	atomic_fetch_sub(&c.control->clients, 1);
	return NULL;
}

static void accept_one(struct control *control, int fd)
{
	struct client *c = calloc(1, sizeof(*c));
	pthread_attr_t detached;
	pthread_t thread;

	if (!c || atomic_fetch_add(&control->clients, 1) >= CLIENTS_MAX) {
		if (c)
			atomic_fetch_sub(&control->clients, 1);
		free(c);
		close(fd);
		return;
	}
	*c = (struct client){control, fd};
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&thread, &detached, serve, c) != 0) {
		atomic_fetch_sub(&control->clients, 1);
		free(c);
		close(fd);
	}
	pthread_attr_destroy(&detached);
}

static void *accept_all(void *arg)
{
	struct control *control = arg;

	for (;;) {
		int fd = accept4(control->fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			accept_one(control, fd);
		else if (atomic_load(&control->stopping))
			return NULL;
		else if (errno != EINTR && errno != ECONNABORTED)
			usleep(10000); /* too many open files, no memory: that passes */
	}
}

struct control *control_create(struct error *error, const struct admin *admin)
{
	struct control *c = calloc(1, sizeof(*c));
	struct sockaddr_un address;

	if (!c || make_address(error, admin->state, &address) < 0) {
		free(c);
		return NULL;
	}
	c->admin = *admin;
	strcpy(c->path, address.sun_path);
	unlink(c->path); /* we hold the directory's lock: a socket there is a dead one's */
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || bind(c->fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		chmod(c->path, 0600) < 0 || listen(c->fd, 16) < 0 ||
		pthread_create(&c->thread, NULL, accept_all, c) != 0) {
		error_set(error, E_IO, "%s cannot be served: %s", c->path, strerror(errno));
		if (c->fd >= 0)
			close(c->fd);
		free(c);
		return NULL;
	}
	return c;
}

void control_destroy(struct control *control)
{
	if (!control)
		return;
	atomic_store(&control->stopping, true);
	shutdown(control->fd, SHUT_RDWR);
	pthread_join(control->thread, NULL);
	while (atomic_load(&control->clients) > 0) /* each ends by its own timeout at the latest */
		usleep(1000);
	close(control->fd);
	unlink(control->path);
	free(control);
}

/* ---- Commands' end ------------------------------------------------------------------------ */

int control_ask(struct error *error, const char *state, struct str request, uint32_t timeout_ms,
	struct arena *arena, struct str *answer)
{
	struct sockaddr_un address;
	char owner[OWNER_TEXT];
	struct buf line;
	int fd, err = make_address(error, state, &address);

	if (err < 0)
		return err;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		err = error_set(error, errno == EACCES ? E_DENIED : E_NOTFOUND,
			"no host answers at %s: %s%s", address.sun_path, strerror(errno),
			errno == EACCES ? owner_remedy(owner, state) : "");
		if (fd >= 0)
			close(fd);
		return err;
	}
	set_timeouts(fd, timeout_ms);
	buf_init(&line, LINE_MAX_BYTES);
	if (!write_all(fd, request) || !write_all(fd, STR("\n")) || !read_line(fd, &line))
		err = error_set(
			error, E_TIMEOUT, "the host at %s did not answer", address.sun_path);
	else
		*answer = str_dup(arena, (struct str){line.ptr, line.len - 1});
	buf_finish(&line);
	close(fd);
	return err;
}
