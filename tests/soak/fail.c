/* fail.c - preloaded into a host under test: lets exactly the Nth call of one kind fail, once; or
 * the first one from a place that has not failed yet.
 *
 * The calls are those of the process and of all its libraries. Kind and N come from outside, over a
 * shared file that KLINKE_FAIL names (layout below, written by torture.py), so one process serves
 * many N; a file that is armed before the start fails the start. Never changes a call that it does
 * not fail, and counts nothing while it is disarmed. Runs on every thread.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind {
	NONE,
	MALLOC,
	READ,
	RECV,
	WRITE,
	SEND,
	FSYNC,
	OPEN,
	ACCEPT,
	CONNECT,
	FORK,
	MMAP,
	THREAD,
	EPOLL,
	DESCRIPTOR,
	WAIT,
	RESOLVE,
	TRUNCATE
};

enum role { HOST, ZYGOTE, WORKER };

#define FRAMES 40
#define DEPTH 12 /* frames that make a place */
#define OURS 2   /* innermost ones that are of this file */
#define PLACES (1 << 16)

/* All members by their natural alignment: torture.py writes it with struct.pack. */
struct table {
	_Atomic uint32_t kind; /* NONE: disarmed. Written last */
	_Atomic uint32_t role; /* whose calls */
	_Atomic uint64_t nth;  /* from 1; 0: the first from a new place */
	_Atomic uint64_t from; /* with 0: the calls before this one are not looked at */
	_Atomic uint32_t variant;
	_Atomic uint32_t fired;
	_Atomic uint64_t count;
	_Atomic uint64_t at;   /* count of the call that failed */
	_Atomic int32_t error; /* what the call that failed was told; -1: it was cut short */
	_Atomic uint32_t depth;
	_Atomic uint64_t frames[FRAMES]; /* where from */
	_Atomic uint64_t places[PLACES]; /* hashes of stacks that have failed; 0: free */
};

#define CUT (-1)

static struct table *table;
static enum role role = HOST;
static _Thread_local int inside __attribute__((tls_model("initial-exec")));

/* ---- What is behind us -------------------------------------------------------------------- */

/* dlsym() may allocate before malloc is found: it gets these bytes, which are never given back. */
static _Alignas(16) char early[16384];
static size_t early_used;
/* Volatile: the compiler is told that dlsym() never comes back into this file, and it does. */
static _Thread_local volatile bool finding __attribute__((tls_model("initial-exec")));

static void *early_take(size_t n)
{
	void *piece = early + early_used;

	early_used += (n + 15) & ~(size_t)15;
	if (early_used > sizeof(early))
		abort();
	return piece;
}

static bool is_early(const void *p)
{
	return (const char *)p >= early && (const char *)p < early + sizeof(early);
}

static void *find(const char *name)
{
	void *found;

	finding = true;
	found = dlsym(RTLD_NEXT, name);
	finding = false;
	return found;
}

#define REAL(type, name, ...)                                                                      \
	static type (*real)(__VA_ARGS__);                                                          \
	if (!real) {                                                                               \
		void *found = find(name);                                                          \
		memcpy(&real, &found, sizeof(real));                                               \
	}

/* ---- Whether to fail ---------------------------------------------------------------------- */

static void remember(void *const *frames, int n)
{
	for (int i = 0; i < n; i++)
		atomic_store(&table->frames[i], (uint64_t)(uintptr_t)frames[i]);
	atomic_store(&table->depth, (uint32_t)n);
}

static uint64_t hash(void *const *frames, int n)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (int i = OURS; i < n && i < OURS + DEPTH; i++)
		h = (h ^ (uint64_t)(uintptr_t)frames[i]) * 0x100000001b3u;
	return h ? h : 1;
}

/* true: it was not there. */
static bool add_place(uint64_t h)
{
	for (uint64_t i = h;; i++) {
		uint64_t there = 0;
		if (atomic_compare_exchange_strong(&table->places[i % PLACES], &there, h))
			return true;
		if (there == h)
			return false;
	}
}

static bool is_chosen(enum kind kind)
{
	uint64_t nth = atomic_load(&table->nth), count = atomic_fetch_add(&table->count, 1) + 1;
	void *frames[FRAMES];
	int n;

	if (nth ? count != nth : atomic_load(&table->fired) || count < atomic_load(&table->from))
		return false;
	n = nth ? 0 : backtrace(frames, OURS + DEPTH); /* what takes the time here */
	if (!nth && !add_place(hash(frames, n) ^ kind))
		return false;
	atomic_store(&table->at, count);
	n = backtrace(frames, FRAMES);
	remember(frames, n);
	return true;
}

static bool is_due(enum kind kind)
{
	if (!table || inside || atomic_load_explicit(&table->kind, memory_order_acquire) != kind ||
		atomic_load(&table->role) != role)
		return false;
	inside++;
	bool chosen = is_chosen(kind);
	inside--;
	return chosen;
}

/* errno is set, and the table knows that it has happened. */
static void fail(int error)
{
	atomic_store(&table->error, error);
	atomic_store(&table->fired, 1);
	if (error > 0)
		errno = error;
}

static int choose(const int *errors, size_t count)
{
	return errors[atomic_load(&table->variant) % count];
}

#define FAIL_WITH(...)                                                                             \
	do {                                                                                       \
		static const int errors[] = {__VA_ARGS__};                                         \
		fail(choose(errors, sizeof(errors) / sizeof(*errors)));                            \
	} while (0)

/* What can happen to bytes depends on what they come from. */
static void fail_bytes(int fd, bool out)
{
	struct stat st = {0};
	bool patient;

	inside++;
	fstat(fd, &st);
	patient = !(fcntl(fd, F_GETFL) & O_NONBLOCK);
	inside--;
	if (S_ISREG(st.st_mode) && out)
		FAIL_WITH(ENOSPC, EIO, CUT);
	else if (S_ISREG(st.st_mode))
		FAIL_WITH(EIO, CUT);
	else if (S_ISSOCK(st.st_mode) && out)
		FAIL_WITH(EPIPE, EINTR, ENOBUFS, ECONNRESET, CUT);
	else if (S_ISSOCK(st.st_mode)) /* no EAGAIN: who waits for an edge relies on the kernel
					  there */
		FAIL_WITH(ECONNRESET, EINTR, ENOMEM, CUT);
	else if (patient || out) /* an eventfd is never full */
		FAIL_WITH(EINTR);
	else
		FAIL_WITH(EINTR, EAGAIN);
}

/* true: give it -1; false: go on, with *n cut if that is what fails. */
static bool fails_bytes(enum kind kind, int fd, bool out, size_t *n)
{
	if (!is_due(kind))
		return false;
	fail_bytes(fd, out);
	if (atomic_load(&table->error) != CUT)
		return true;
	if (*n > 1)
		*n = 1;
	return false;
}

__attribute__((constructor)) static void open_table(void)
{
	const char *name = getenv("KLINKE_FAIL");
	int fd = name ? open(name, O_RDWR | O_CLOEXEC) : -1;
	void *frames[FRAMES], *mapped;

	if (fd < 0)
		return;
	backtrace(frames, FRAMES); /* loads what it needs now, not when memory fails */
	mapped = mmap(NULL, sizeof(*table), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (mapped != MAP_FAILED)
		table = mapped;
}

/* ---- Memory ------------------------------------------------------------------------------- */

static bool fails_memory(void)
{
	if (!is_due(MALLOC))
		return false;
	fail(ENOMEM);
	return true;
}

void *malloc(size_t n)
{
	if (finding)
		return early_take(n);
	REAL(void *, "malloc", size_t);
	return fails_memory() ? NULL : real(n);
}

void *calloc(size_t count, size_t n)
{
	if (finding)
		return early_take(count * n);
	REAL(void *, "calloc", size_t, size_t);
	return fails_memory() ? NULL : real(count, n);
}

void *realloc(void *old, size_t n)
{
	REAL(void *, "realloc", void *, size_t);
	if (is_early(old)) {
		void *new = malloc(n);
		size_t left = (size_t)(early + sizeof(early) - (char *)old);
		return new ? memcpy(new, old, n < left ? n : left) : NULL;
	}
	return fails_memory() ? NULL : real(old, n);
}

void free(void *p)
{
	if (!p || finding ||
		is_early(p)) /* dlsym() frees what said why it failed before: let it be */
		return;
	REAL(void, "free", void *);
	real(p);
}

int posix_memalign(void **out, size_t alignment, size_t n)
{
	REAL(int, "posix_memalign", void **, size_t, size_t);
	return fails_memory() ? ENOMEM : real(out, alignment, n);
}

void *aligned_alloc(size_t alignment, size_t n)
{
	REAL(void *, "aligned_alloc", size_t, size_t);
	return fails_memory() ? NULL : real(alignment, n);
}

#define MAPS(name)                                                                                 \
	void *name(void *at, size_t n, int protection, int flags, int fd, off_t offset)            \
	{                                                                                          \
		REAL(void *, #name, void *, size_t, int, int, int, off_t);                         \
		if (is_due(MMAP)) {                                                                \
			fail(ENOMEM);                                                              \
			return MAP_FAILED;                                                         \
		}                                                                                  \
		return real(at, n, protection, flags, fd, offset);                                 \
	}
MAPS(mmap)
MAPS(mmap64)

/* ---- Bytes -------------------------------------------------------------------------------- */

ssize_t read(int fd, void *to, size_t n)
{
	REAL(ssize_t, "read", int, void *, size_t);
	return fails_bytes(READ, fd, false, &n) ? -1 : real(fd, to, n);
}

#define PREADS(name)                                                                               \
	ssize_t name(int fd, void *to, size_t n, off_t offset)                                     \
	{                                                                                          \
		REAL(ssize_t, #name, int, void *, size_t, off_t);                                  \
		return fails_bytes(READ, fd, false, &n) ? -1 : real(fd, to, n, offset);            \
	}
PREADS(pread)
PREADS(pread64)

/* The fortified ones are what the same call becomes in an optimised build. */
ssize_t __read_chk(int fd, void *to, size_t n, size_t size);
ssize_t __read_chk(int fd, void *to, size_t n, size_t size)
{
	REAL(ssize_t, "__read_chk", int, void *, size_t, size_t);
	return fails_bytes(READ, fd, false, &n) ? -1 : real(fd, to, n, size);
}

ssize_t __pread64_chk(int fd, void *to, size_t n, off_t offset, size_t size);
ssize_t __pread64_chk(int fd, void *to, size_t n, off_t offset, size_t size)
{
	REAL(ssize_t, "__pread64_chk", int, void *, size_t, off_t, size_t);
	return fails_bytes(READ, fd, false, &n) ? -1 : real(fd, to, n, offset, size);
}

ssize_t recv(int fd, void *to, size_t n, int flags)
{
	REAL(ssize_t, "recv", int, void *, size_t, int);
	return fails_bytes(RECV, fd, false, &n) ? -1 : real(fd, to, n, flags);
}

ssize_t __recv_chk(int fd, void *to, size_t n, size_t size, int flags);
ssize_t __recv_chk(int fd, void *to, size_t n, size_t size, int flags)
{
	REAL(ssize_t, "__recv_chk", int, void *, size_t, size_t, int);
	return fails_bytes(RECV, fd, false, &n) ? -1 : real(fd, to, n, size, flags);
}

ssize_t recvfrom(int fd, void *restrict to, size_t n, int flags, struct sockaddr *restrict from,
	socklen_t *restrict size)
{
	REAL(ssize_t, "recvfrom", int, void *, size_t, int, struct sockaddr *, socklen_t *);
	return fails_bytes(RECV, fd, false, &n) ? -1 : real(fd, to, n, flags, from, size);
}

/* Cut messages are not tried: packets of our own sockets come whole or not at all. */
ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	size_t n = 1;

	REAL(ssize_t, "recvmsg", int, struct msghdr *, int);
	return fails_bytes(RECV, fd, false, &n) ? -1 : real(fd, message, flags);
}

ssize_t write(int fd, const void *from, size_t n)
{
	REAL(ssize_t, "write", int, const void *, size_t);
	return fails_bytes(WRITE, fd, true, &n) ? -1 : real(fd, from, n);
}

#define PWRITES(name)                                                                              \
	ssize_t name(int fd, const void *from, size_t n, off_t offset)                             \
	{                                                                                          \
		REAL(ssize_t, #name, int, const void *, size_t, off_t);                            \
		return fails_bytes(WRITE, fd, true, &n) ? -1 : real(fd, from, n, offset);          \
	}
PWRITES(pwrite)
PWRITES(pwrite64)

ssize_t writev(int fd, const struct iovec *pieces, int count)
{
	size_t n = (size_t)count;

	REAL(ssize_t, "writev", int, const struct iovec *, int);
	return fails_bytes(WRITE, fd, true, &n) ? -1 : real(fd, pieces, (int)n);
}

ssize_t send(int fd, const void *from, size_t n, int flags)
{
	REAL(ssize_t, "send", int, const void *, size_t, int);
	return fails_bytes(SEND, fd, true, &n) ? -1 : real(fd, from, n, flags);
}

ssize_t sendto(
	int fd, const void *from, size_t n, int flags, const struct sockaddr *to, socklen_t size)
{
	REAL(ssize_t, "sendto", int, const void *, size_t, int, const struct sockaddr *, socklen_t);
	return fails_bytes(SEND, fd, true, &n) ? -1 : real(fd, from, n, flags, to, size);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	size_t n = 1;

	REAL(ssize_t, "sendmsg", int, const struct msghdr *, int);
	return fails_bytes(SEND, fd, true, &n) ? -1 : real(fd, message, flags);
}

/* ---- Files -------------------------------------------------------------------------------- */

#define SYNCS(name)                                                                                \
	int name(int fd)                                                                           \
	{                                                                                          \
		REAL(int, #name, int);                                                             \
		if (is_due(FSYNC)) {                                                               \
			FAIL_WITH(EIO, ENOSPC);                                                    \
			return -1;                                                                 \
		}                                                                                  \
		return real(fd);                                                                   \
	}
SYNCS(fsync)
SYNCS(fdatasync)

#define TRUNCATES(name)                                                                            \
	int name(int fd, off_t length)                                                             \
	{                                                                                          \
		REAL(int, #name, int, off_t);                                                      \
		if (is_due(TRUNCATE)) {                                                            \
			FAIL_WITH(EIO, ENOSPC);                                                    \
			return -1;                                                                 \
		}                                                                                  \
		return real(fd, length);                                                           \
	}
TRUNCATES(ftruncate)
TRUNCATES(ftruncate64)

static bool fails_open(void)
{
	if (!is_due(OPEN))
		return false;
	FAIL_WITH(EMFILE, EIO, ENFILE, ENOMEM);
	return true;
}

#define MODE_OF(flags)                                                                             \
	mode_t mode = 0;                                                                           \
	if ((flags) & (O_CREAT | O_TMPFILE)) {                                                     \
		va_list rest;                                                                      \
		va_start(rest, flags);                                                             \
		mode = va_arg(rest, mode_t);                                                       \
		va_end(rest);                                                                      \
	}

#define OPENS(name)                                                                                \
	int name(const char *path, int flags, ...)                                                 \
	{                                                                                          \
		MODE_OF(flags)                                                                     \
		REAL(int, #name, const char *, int, ...);                                          \
		return fails_open() ? -1 : real(path, flags, mode);                                \
	}
OPENS(open)
OPENS(open64)

#define OPENS_AT(name)                                                                             \
	int name(int fd, const char *path, int flags, ...)                                         \
	{                                                                                          \
		MODE_OF(flags)                                                                     \
		REAL(int, #name, int, const char *, int, ...);                                     \
		return fails_open() ? -1 : real(fd, path, flags, mode);                            \
	}
OPENS_AT(openat)
OPENS_AT(openat64)

#define OPENS_2(name)                                                                              \
	int name(const char *path, int flags);                                                     \
	int name(const char *path, int flags)                                                      \
	{                                                                                          \
		REAL(int, #name, const char *, int);                                               \
		return fails_open() ? -1 : real(path, flags);                                      \
	}
OPENS_2(__open_2)
OPENS_2(__open64_2)

#define FOPENS(name)                                                                               \
	FILE *name(const char *restrict path, const char *restrict mode)                           \
	{                                                                                          \
		REAL(FILE *, #name, const char *, const char *);                                   \
		return fails_open() ? NULL : real(path, mode);                                     \
	}
FOPENS(fopen)
FOPENS(fopen64)

DIR *opendir(const char *path)
{
	REAL(DIR *, "opendir", const char *);
	return fails_open() ? NULL : real(path);
}

/* ---- Sockets and other descriptors -------------------------------------------------------- */

static bool fails_accept(void)
{
	if (!is_due(ACCEPT))
		return false;
	FAIL_WITH(EMFILE, ECONNABORTED, EINTR, ENFILE, ENOBUFS, ENOMEM);
	return true;
}

int accept(int fd, struct sockaddr *restrict from, socklen_t *restrict size)
{
	REAL(int, "accept", int, struct sockaddr *, socklen_t *);
	return fails_accept() ? -1 : real(fd, from, size);
}

int accept4(int fd, struct sockaddr *restrict from, socklen_t *restrict size, int flags)
{
	REAL(int, "accept4", int, struct sockaddr *, socklen_t *, int);
	return fails_accept() ? -1 : real(fd, from, size, flags);
}

int connect(int fd, const struct sockaddr *to, socklen_t size)
{
	REAL(int, "connect", int, const struct sockaddr *, socklen_t);
	if (is_due(CONNECT)) {
		FAIL_WITH(ECONNREFUSED, ENETUNREACH, EADDRNOTAVAIL, ETIMEDOUT);
		return -1;
	}
	return real(fd, to, size);
}

static bool fails_descriptor(void)
{
	if (!is_due(DESCRIPTOR))
		return false;
	FAIL_WITH(EMFILE, ENFILE, ENOMEM);
	return true;
}

int socket(int domain, int type, int protocol)
{
	REAL(int, "socket", int, int, int);
	return fails_descriptor() ? -1 : real(domain, type, protocol);
}

int socketpair(int domain, int type, int protocol, int fds[2])
{
	REAL(int, "socketpair", int, int, int, int *);
	return fails_descriptor() ? -1 : real(domain, type, protocol, fds);
}

int eventfd(unsigned value, int flags)
{
	REAL(int, "eventfd", unsigned, int);
	return fails_descriptor() ? -1 : real(value, flags);
}

int timerfd_create(int clock, int flags)
{
	REAL(int, "timerfd_create", int, int);
	return fails_descriptor() ? -1 : real(clock, flags);
}

int pipe2(int fds[2], int flags)
{
	REAL(int, "pipe2", int *, int);
	return fails_descriptor() ? -1 : real(fds, flags);
}

int epoll_create1(int flags)
{
	REAL(int, "epoll_create1", int);
	return fails_descriptor() ? -1 : real(flags);
}

int memfd_create(const char *name, unsigned flags)
{
	REAL(int, "memfd_create", const char *, unsigned);
	return fails_descriptor() ? -1 : real(name, flags);
}

int signalfd(int fd, const sigset_t *mask, int flags)
{
	REAL(int, "signalfd", int, const sigset_t *, int);
	return fails_descriptor() ? -1 : real(fd, mask, flags);
}

/* The kernel takes memory for what is added, and for nothing else. */
int epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
	REAL(int, "epoll_ctl", int, int, int, struct epoll_event *);
	if (op == EPOLL_CTL_ADD && is_due(EPOLL)) {
		FAIL_WITH(ENOMEM, ENOSPC);
		return -1;
	}
	return real(epoll, op, fd, event);
}

/* ---- Waiting ------------------------------------------------------------------------------ */

int epoll_wait(int epoll, struct epoll_event *events, int most, int timeout)
{
	REAL(int, "epoll_wait", int, struct epoll_event *, int, int);
	if (is_due(WAIT)) {
		fail(EINTR);
		return -1;
	}
	return real(epoll, events, most, timeout);
}

int epoll_pwait(int epoll, struct epoll_event *events, int most, int timeout, const sigset_t *mask)
{
	REAL(int, "epoll_pwait", int, struct epoll_event *, int, int, const sigset_t *);
	if (is_due(WAIT)) {
		fail(EINTR);
		return -1;
	}
	return real(epoll, events, most, timeout, mask);
}

int poll(struct pollfd *fds, nfds_t count, int timeout)
{
	REAL(int, "poll", struct pollfd *, nfds_t, int);
	if (is_due(WAIT)) {
		FAIL_WITH(EINTR, ENOMEM);
		return -1;
	}
	return real(fds, count, timeout);
}

/* ---- Names -------------------------------------------------------------------------------- */

int getaddrinfo(const char *restrict node, const char *restrict service,
	const struct addrinfo *restrict hints, struct addrinfo **restrict found)
{
	REAL(int, "getaddrinfo", const char *, const char *, const struct addrinfo *,
		struct addrinfo **);
	if (is_due(RESOLVE)) {
		static const int errors[] = {EAI_MEMORY, EAI_AGAIN, EAI_FAIL, EAI_NONAME};
		int error = choose(errors, 4);
		fail(CUT);
		return error;
	}
	return real(node, service, hints, found);
}

/* ---- Processes and threads ---------------------------------------------------------------- */

static bool fails_fork(void)
{
	if (!is_due(FORK))
		return false;
	FAIL_WITH(EAGAIN, ENOMEM);
	return true;
}

pid_t fork(void)
{
	pid_t pid;

	REAL(pid_t, "fork", void);
	if (fails_fork())
		return -1;
	pid = real();
	if (pid == 0)
		role = ZYGOTE;
	return pid;
}

pid_t _Fork(void)
{
	pid_t pid;

	REAL(pid_t, "_Fork", void);
	if (fails_fork())
		return -1;
	pid = real();
	if (pid == 0)
		role = WORKER;
	return pid;
}

int pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attributes,
	void *(*run)(void *), void *restrict argument)
{
	REAL(int, "pthread_create", pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
	if (is_due(THREAD)) {
		fail(EAGAIN);
		return EAGAIN;
	}
	return real(thread, attributes, run, argument);
}
