/* zygote.c - forks workers on request and tells how they ended; and the client's side of asking.
 *
 * Never loads a plugin, never reads configuration. The zygote is one process with one thread; the
 * functions of zygote.h run in the host, on the thread that holds the connection.
 */
#include "plugin/zygote.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "plugin/sandbox.h"
#include "plugin/warm.h"

enum request_kind {
	REQUEST_CLIENT = 1, /* on the first connection only; brings one descriptor */
	REQUEST_SPAWN,      /* brings three */
	REQUEST_KILL,
	REQUEST_REPORT
};

struct request {
	uint32_t kind, number;
	struct worker_job job; /* SPAWN only */
};

#define MOST_FDS 3
#define HOST_FD 3       /* in the zygote */
#define WORD "--zygote" /* the only argument of a program that shall be one */

struct plugin_zygote {        /* in the host */
	pthread_mutex_t lock; /* who finds it gone makes another, whatever the thread */
	int socket;
	pid_t pid; /* 0: nothing to wait for */
	bool renewable;
};

struct child {
	struct child *next;
	pid_t pid;
	int client; /* -1: it is gone, nobody wants to hear */
	uint32_t number;
};

struct zygote { /* in the zygote */
	struct sandbox *sandbox;
	struct child *children;
	struct pollfd *fds; /* [0] the host, [1] signals, then clients */
	size_t count;
};

/* ---- messages with descriptors ------------------------------------------------------------ */

static bool send_request(int socket, const struct request *request, const int *fds, size_t count)
{
	char control[CMSG_SPACE(MOST_FDS * sizeof(int))] = {0};
	size_t len =
		request->kind == REQUEST_SPAWN ? sizeof(*request) : offsetof(struct request, job);
	struct iovec iov = {(void *)request, len};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t sent;

	if (count) {
		struct cmsghdr *head;
		message.msg_control = control;
		message.msg_controllen = CMSG_SPACE(count * sizeof(int));
		head = CMSG_FIRSTHDR(&message);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(head), fds, count * sizeof(int));
	}
	do
		sent = sendmsg(socket, &message, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent == (ssize_t)len;
}

/* Bytes received, 0: the other side is gone, -1: not this time. fds that were not sent are -1. */
static ssize_t receive_request(int socket, struct request *request, int fds[MOST_FDS])
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(MOST_FDS * sizeof(int))];
	} control;
	struct iovec iov = {request, sizeof(*request)};
	struct msghdr message = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};
	struct cmsghdr *head;
	ssize_t got;

	memset(request, 0, sizeof(*request));
	fds[0] = fds[1] = fds[2] = -1;
	do
		got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	head = got > 0 ? CMSG_FIRSTHDR(&message) : NULL;
	if (head && head->cmsg_type == SCM_RIGHTS)
		memcpy(fds, CMSG_DATA(head), head->cmsg_len - CMSG_LEN(0));
	return got;
}

static void close_fds(const int fds[MOST_FDS])
{
	int i;

	for (i = 0; i < MOST_FDS; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static void tell(int client, uint32_t kind, uint32_t number, int value)
{
	struct zygote_news news = {.kind = kind, .number = number, .value = value};

	if (client >= 0)
		send(client, &news, offsetof(struct zygote_news, text), MSG_NOSIGNAL);
}

/* ---- the zygote: children ----------------------------------------------------------------- */

static void close_from(unsigned first)
{
	int fd;

	if (syscall(SYS_close_range, first, ~0u, 0) == 0)
		return;
	for (fd = (int)first; fd < 4096; fd++)
		close(fd);
}

/* Numbers may overlap, so they are first moved out of the way. */
static void place_fds(const int fds[MOST_FDS])
{
	static const int places[MOST_FDS] = {SANDBOX_WIRE_FD, SANDBOX_PROGRESS_FD, SANDBOX_FILE_FD};
	int high[MOST_FDS], i;

	for (i = 0; i < MOST_FDS; i++)
		high[i] = fcntl(fds[i], F_DUPFD, 64);
	for (i = 0; i < MOST_FDS; i++)
		if (high[i] < 0 || dup2(high[i], places[i]) < 0)
			_exit(3);
	close_from(SANDBOX_FILE_FD + 1);
}

/* A plugin prints to nowhere; ASan and TSan keep what they report on. */
static void silence(void)
{
	int fd = open("/dev/null", O_RDWR), i;

	for (i = 0; i < (SANDBOX_RELAXED ? 2 : 3); i++)
		if (fd < 0 || dup2(fd, i) < 0)
			close(i);
	if (fd > STDERR_FILENO)
		close(fd);
}

static _Noreturn void become_worker(
	struct zygote *zygote, const struct request *request, const int fds[MOST_FDS], pid_t parent)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	silence();
	place_fds(fds);
	worker_main(&request->job, zygote->sandbox, parent);
}

static void spawn(
	struct zygote *zygote, int client, const struct request *request, const int fds[MOST_FDS])
{
	struct child *child = calloc(1, sizeof(*child));
	pid_t self = getpid();
	/* Not fork(): libuv's handler would close descriptors that are ours by now. */
	pid_t pid = child && fds[2] >= 0 ? _Fork() : -1;

	if (pid == 0)
		become_worker(zygote, request, fds, self);
	if (pid < 0) {
		tell(client, ZYGOTE_FAILED, request->number, errno);
		free(child);
		return;
	}
	*child = (struct child){zygote->children, pid, client, request->number};
	zygote->children = child;
	tell(client, ZYGOTE_SPAWNED, request->number, pid);
}

/* Who is not there any more has been told of; but if that was lost, it is asked for again, and
 * must be told of again, or it would be waited for for ever. */
static void kill_child(struct zygote *zygote, int client, uint32_t number)
{
	struct child *child = zygote->children;

	while (child && (child->client != client || child->number != number))
		child = child->next;
	if (child)
		kill(child->pid, SIGKILL);
	else
		tell(client, ZYGOTE_EXITED, number, SIGKILL);
}

static void reap(struct zygote *zygote)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct child **at = &zygote->children, *gone;
		while (*at && (*at)->pid != pid)
			at = &(*at)->next;
		gone = *at;
		if (!gone)
			continue;
		*at = gone->next;
		tell(gone->client, ZYGOTE_EXITED, gone->number, status);
		free(gone);
	}
}

/* ---- the zygote: clients ------------------------------------------------------------------ */

static void add_client(struct zygote *zygote, int fd)
{
	struct pollfd *more;

	if (fd < 0)
		return;
	more = realloc(zygote->fds, (zygote->count + 1) * sizeof(*more));
	if (!more) {
		close(fd);
		return;
	}
	zygote->fds = more;
	zygote->fds[zygote->count++] = (struct pollfd){.fd = fd, .events = POLLIN};
}

static void drop_client(struct zygote *zygote, size_t i)
{
	int client = zygote->fds[i].fd;
	struct child *child;

	for (child = zygote->children; child; child = child->next)
		if (child->client == client) {
			kill(child->pid, SIGKILL);
			child->client = -1;
		}
	close(client);
	zygote->fds[i] = zygote->fds[--zygote->count];
}

static void report(const struct zygote *zygote, int client)
{
	struct zygote_news news = {.kind = ZYGOTE_REPORT};
	struct buf text;

	buf_init(&text, sizeof(news.text) - 1);
	sandbox_report(zygote->sandbox, &text);
	snprintf(news.text, sizeof(news.text), "%s", text.ptr ? text.ptr : "");
	buf_finish(&text);
	send(client, &news, sizeof(news), MSG_NOSIGNAL);
}

/* false: the client is gone. */
static bool serve_client(struct zygote *zygote, int client)
{
	struct request request;
	int fds[MOST_FDS];

	if (receive_request(client, &request, fds) == 0)
		return false;
	request.job.name[sizeof(request.job.name) - 1] = '\0';
	request.job.path[sizeof(request.job.path) - 1] = '\0';
	if (request.kind == REQUEST_SPAWN)
		spawn(zygote, client, &request, fds);
	else if (request.kind == REQUEST_KILL)
		kill_child(zygote, client, request.number);
	else if (request.kind == REQUEST_REPORT)
		report(zygote, client);
	close_fds(fds);
	return true;
}

static void serve_host(struct zygote *zygote)
{
	struct request request;
	int fds[MOST_FDS];

	if (receive_request(zygote->fds[0].fd, &request, fds) != 0) {
		add_client(zygote, fds[0]);
		return;
	}
	while (zygote->children) { /* their deaths are not awaited: PDEATHSIG is set, too */
		kill(zygote->children->pid, SIGKILL);
		zygote->children = zygote->children->next;
	}
	_exit(0);
}

static void serve_signals(struct zygote *zygote)
{
	struct signalfd_siginfo info;

	if (read(zygote->fds[1].fd, &info, sizeof(info)) > 0)
		reap(zygote);
}

static _Noreturn void serve(struct zygote *zygote)
{
	for (;;) {
		size_t i;
		if (poll(zygote->fds, zygote->count, -1) < 0)
			continue;
		if (zygote->fds[1].revents)
			serve_signals(zygote);
		for (i = zygote->count - 1; i >= 2; i--)
			if (zygote->fds[i].revents && !serve_client(zygote, zygote->fds[i].fd))
				drop_client(zygote, i);
		if (zygote->fds[0].revents)
			serve_host(zygote);
	}
}

/* ---- the zygote: start -------------------------------------------------------------------- */

/* A terminal's or service manager's signals are for the host, which ends us when it ends. */
static int set_up_signals(void)
{
	static const int deaf[] = {
		SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGTSTP, SIGUSR1, SIGUSR2};
	sigset_t child;
	size_t i;
	int number;

	for (number = 1; number < NSIG; number++)
		signal(number, SIG_DFL); /* whatever this process had installed before */
	for (i = 0; i < sizeof(deaf) / sizeof(*deaf); i++)
		signal(deaf[i], SIG_IGN);
	setpgid(0, 0);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_SETMASK, &child, NULL);
	return signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Secrets come in the environment, for ${NAME}: not one copy of them in any worker. */
static void forget_environment(void)
{
	char **at;

	for (at = environ; at && *at; at++)
		if (strncmp(*at, "TZDIR=", 6) != 0)
			explicit_bzero(*at, strlen(*at));
}

/* The host is at HOST_FD, and nothing else is open but what it prints to. */
static _Noreturn void become_zygote(void)
{
	struct zygote zygote = {0};

	prctl(PR_SET_NAME, "klinke-zygote");
	forget_environment();
	close_from(HOST_FD + 1);
	add_client(&zygote, HOST_FD);
	add_client(&zygote, set_up_signals());
	if (zygote.count != 2)
		_exit(1);
	warm_up();
	zygote.sandbox = sandbox_prepare();
	if (!zygote.sandbox)
		_exit(1);
	serve(&zygote);
}

static _Noreturn void become_first_zygote(int socket, pid_t host)
{
	int kept = fcntl(socket, F_DUPFD_CLOEXEC, HOST_FD);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (kept < 0 || getppid() != host)
		_exit(1);
	if (kept != HOST_FD)
		dup2(kept, HOST_FD);
	become_zygote();
}

void plugin_zygote_main(int argc, char **argv)
{
	int type = 0;
	socklen_t len = sizeof(type);

	if (argc != 2 || strcmp(argv[1], WORD) != 0)
		return;
	if (getsockopt(HOST_FD, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_SEQPACKET)
		become_zygote();
	fprintf(stderr, "klinke: " WORD " is what klinke run says to itself\n");
	_exit(64);
}

/* ---- in the host: the zygote -------------------------------------------------------------- */

static int not_started(struct error *error)
{
	return error_set(error, E_IO,
		"the process that plugins' workers are forked from was not "
		"started: %s",
		strerror(errno));
}

static int fork_first(struct plugin_zygote *zygote)
{
	pid_t host = getpid();
	int sockets[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0)
		return -1;
	zygote->pid = fork();
	if (zygote->pid == 0)
		become_first_zygote(sockets[1], host);
	close(sockets[1]);
	zygote->socket = sockets[0];
	if (zygote->pid > 0)
		return 0;
	close(sockets[0]);
	return -1;
}

struct plugin_zygote *plugin_zygote_start(struct error *error)
{
	struct plugin_zygote *zygote = calloc(1, sizeof(*zygote));

	if (zygote && fork_first(zygote) == 0) {
		pthread_mutex_init(&zygote->lock, NULL);
		return zygote;
	}
	not_started(error);
	free(zygote);
	return NULL;
}

void plugin_zygote_renew(struct plugin_zygote *zygote)
{
	zygote->renewable = true;
}

bool zygote_renews(const struct plugin_zygote *zygote)
{
	return zygote->renewable;
}

/* Of our environment it needs where the zones are; and sanitizers, what they are told. */
static void choose_environment(char **out, size_t most)
{
	size_t count = 0;
	char **at;

	for (at = environ; at && *at && count + 1 < most; at++)
		if (strncmp(*at, "TZDIR=", 6) == 0 || strstr(*at, "SAN_OPTIONS="))
			out[count++] = *at;
	out[count] = NULL;
}

/* By now this process has threads, files and secrets, which a fork would hand on: so it is this
 * program begun anew, that gets one descriptor. */
static int spawn_another(pid_t *pid, int socket)
{
	char name[] = "klinke-zygote", word[] = WORD;
	char *argv[] = {name, word, NULL}, *environment[8];
	posix_spawn_file_actions_t actions;
	int failed = posix_spawn_file_actions_init(&actions);

	if (failed)
		return failed;
	choose_environment(environment, sizeof(environment) / sizeof(*environment));
	failed = posix_spawn_file_actions_adddup2(&actions, socket, HOST_FD);
	if (!failed)
		failed = posix_spawn(pid, "/proc/self/exe", &actions, NULL, argv, environment);
	posix_spawn_file_actions_destroy(&actions);
	return failed;
}

static void bury(struct plugin_zygote *zygote)
{
	if (zygote->socket >= 0)
		close(zygote->socket);
	zygote->socket = -1;
	while (zygote->pid > 0 && waitpid(zygote->pid, NULL, 0) < 0 && errno == EINTR)
		;
	zygote->pid = 0;
}

static int renew(struct error *error, struct plugin_zygote *zygote)
{
	int sockets[2], failed;

	if (zygote->pid > 0)
		kill(zygote->pid, SIGKILL);
	bury(zygote);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0)
		return not_started(error);
	failed = spawn_another(&zygote->pid, sockets[1]);
	close(sockets[1]);
	zygote->socket = sockets[0];
	if (!failed)
		return 0;
	zygote->pid = 0;
	bury(zygote);
	errno = failed;
	return not_started(error);
}

void plugin_zygote_stop(struct plugin_zygote *zygote)
{
	if (!zygote)
		return;
	bury(zygote);
	pthread_mutex_destroy(&zygote->lock);
	free(zygote);
}

/* ---- in the host: a client ---------------------------------------------------------------- */

static int hand_over(struct error *error, struct plugin_zygote *zygote, int socket)
{
	struct request request = {.kind = REQUEST_CLIENT};
	bool gone = zygote->socket < 0 ||
		    (zygote->pid > 0 && waitpid(zygote->pid, NULL, WNOHANG) == zygote->pid);

	if (gone)
		zygote->pid = 0;
	if (!gone && send_request(zygote->socket, &request, &socket, 1))
		return 0;
	if (!zygote->renewable)
		return error_set(error, E_CLOSED,
			"the process that plugins' workers are forked from is gone; restart "
			"klinke");
	if (renew(error, zygote) < 0)
		return E_CLOSED;
	return send_request(zygote->socket, &request, &socket, 1) ? 0 : not_started(error);
}

int zygote_connect(struct error *error, struct plugin_zygote *zygote)
{
	int sockets[2], failed;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0)
		return error_set(error, E_IO, "no connection to the zygote: %s", strerror(errno)),
		       -1;
	pthread_mutex_lock(&zygote->lock);
	failed = hand_over(error, zygote, sockets[1]);
	pthread_mutex_unlock(&zygote->lock);
	close(sockets[1]);
	if (!failed)
		return sockets[0];
	close(sockets[0]);
	return -1;
}

int zygote_spawn(struct error *error, int client, const struct worker_job *job,
	const struct zygote_files *files)
{
	struct request request = {.kind = REQUEST_SPAWN, .number = job->number, .job = *job};
	int fds[MOST_FDS] = {files->wire, files->progress, files->file};

	if (send_request(client, &request, fds, MOST_FDS))
		return 0;
	return error_set(error, E_CLOSED,
		"plugin %s was not started: the process that workers are forked from is gone (%s)",
		job->name, strerror(errno));
}

void zygote_kill(int client, uint32_t number)
{
	struct request request = {.kind = REQUEST_KILL, .number = number};

	send_request(client, &request, NULL, 0);
}

static void zygote_ask_report(int client)
{
	struct request request = {.kind = REQUEST_REPORT};

	send_request(client, &request, NULL, 0);
}

int zygote_read(int client, struct zygote_news *news)
{
	ssize_t got;

	memset(news, 0, sizeof(*news));
	do
		got = recv(client, news, sizeof(*news), MSG_DONTWAIT);
	while (got < 0 && errno == EINTR);
	if (got >= (ssize_t)offsetof(struct zygote_news, text)) {
		news->text[sizeof(news->text) - 1] = '\0';
		return 1;
	}
	return got < 0 && errno != ECONNRESET ? 0 : -1; /* another error passes */
}

struct str plugin_sandbox_report(struct plugin_zygote *zygote, struct arena *arena)
{
	struct zygote_news news = {0};
	int client = zygote_connect(NULL, zygote);
	struct pollfd fd = {.fd = client, .events = POLLIN};

	if (client < 0)
		return (struct str){0};
	zygote_ask_report(client);
	if (poll(&fd, 1, 5000) > 0)
		zygote_read(client, &news);
	close(client);
	return str_dup(arena, str_of(news.text));
}

void zygote_describe_exit(char *out, size_t size, int status)
{
	const char *name = WIFSIGNALED(status) ? sigabbrev_np(WTERMSIG(status)) : NULL;

	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		snprintf(out, size,
			"was killed by the sandbox (SIGSYS): it tried what plugins may not do");
	else if (WIFSIGNALED(status))
		snprintf(out, size, "was killed by SIG%s", name ? name : "?");
	else
		snprintf(out, size, "ended with code %d", WEXITSTATUS(status));
}
