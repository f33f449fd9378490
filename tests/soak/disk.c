/* disk.c - LD_PRELOAD: a disk below one directory that can fail, and lose its power.
 *
 *	DISK_ROOT     the directory, absolute, without a slash at its end
 *	DISK_JOURNAL  what was done to it is appended there: disk.py makes up the disk from it
 *	DISK_CUT      after that many records the power is gone: SIGKILL; 0 or none: never
 *	DISK_SYNC_US  how long a sync takes
 *	DISK_FAULTS   a file with a struct faults: what fails from now on; others write to it
 *
 * Each operation is done first and written down then: what is killed in between was never finished.
 * A sync is not done at all but written down with the number of records that came before it: these
 * are safe from then on, or, if the sync fails, lost for good, as kernels do it. So the journal
 * outlives kill -9 (it is in the kernel), and no disk is worn. SQLite's -shm is left out: it is
 * mapped, and nobody may rely on it after a cut. What goes through stdio or the calls relative to a
 * directory (openat, renameat) is not seen: klinke run writes nothing that way. Any thread,
 * one lock.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define FD_MAX 4096

enum op {
	OP_WRITE = 1,
	OP_SIZE,
	OP_SYNC,
	OP_CREATE,
	OP_MKDIR,
	OP_LINK,
	OP_RENAME,
	OP_UNLINK,
	OP_LOST, /* a sync that failed */
};

struct record { /* then `first` and `second` bytes: path and path, or nothing and data */
	uint64_t op, inode;
	int64_t at; /* write: offset; size: it; sync: records before it */
	uint64_t first, second;
};

struct faults { /* chances in a thousand */
	uint32_t read, write, sync;
	uint32_t number; /* errno of what fails */
	uint32_t happened;
};

static const char *root;
static size_t root_len;
static int journal = -1;
static uint64_t records, cut;
static useconds_t sync_us;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct faults none, *faults = &none;
static uint32_t dice = 2463534242u;
static uint64_t watched[FD_MAX]; /* inode of what is open there; 0: not ours */

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static uint64_t number_of(const char *name)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : 0;
}

static void map_faults(const char *path)
{
	int fd = path ? REAL(open64)(path, O_RDWR | O_CLOEXEC) : -1;
	void *there =
		fd < 0 ? MAP_FAILED
		       : mmap(NULL, sizeof(*faults), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (there != MAP_FAILED)
		faults = there;
	if (fd >= 0)
		REAL(close)(fd);
	dice ^= (uint32_t)getpid() * 2654435761u;
}

static __attribute__((constructor)) void begin(void)
{
	const char *path = getenv("DISK_JOURNAL");

	root = getenv("DISK_ROOT");
	if (!root || !path)
		return;
	map_faults(getenv("DISK_FAULTS"));
	root_len = strlen(root);
	records = number_of("DISK_RECORDS");
	cut = number_of("DISK_CUT");
	sync_us = (useconds_t)number_of("DISK_SYNC_US");
	journal = REAL(open64)(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (journal >= 0 && journal < 900) { /* out of the way of who counts descriptors */
		int high = fcntl(journal, F_DUPFD_CLOEXEC, 900);
		if (high >= 0) {
			REAL(close)(journal);
			journal = high;
		}
	}
}

static uint64_t count(void)
{
	uint64_t n;

	pthread_mutex_lock(&lock);
	n = records;
	pthread_mutex_unlock(&lock);
	return n;
}

static void note(
	enum op op, uint64_t inode, int64_t at, const char *path, const void *data, size_t len)
{
	int saved = errno;
	struct record r = {op, inode, at, path ? strlen(path) : 0, len};
	struct iovec parts[] = {{&r, sizeof(r)}, {(void *)(uintptr_t)path, r.first},
		{(void *)(uintptr_t)data, len}};

	pthread_mutex_lock(&lock);
	if (writev(journal, parts, 3) != (ssize_t)(sizeof(r) + r.first + len))
		abort(); /* a journal with holes would accuse the innocent */
	if (++records == cut)
		kill(getpid(), SIGKILL);
	pthread_mutex_unlock(&lock);
	errno = saved;
}

static int is_ours(const char *path)
{
	size_t len = strlen(path);

	return journal >= 0 && strncmp(path, root, root_len) == 0 &&
	       (path[root_len] == '/' || path[root_len] == '\0') &&
	       (len < 4 || strcmp(path + len - 4, "-shm") != 0);
}

/* True, with errno set, if what has such a chance to fail shall fail. */
static int fails(const uint32_t *chance)
{
	uint32_t wanted = __atomic_load_n(chance, __ATOMIC_RELAXED), x;

	if (!wanted)
		return 0;
	x = __atomic_load_n(&dice, __ATOMIC_RELAXED); /* two threads may throw the same: no harm */
	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	__atomic_store_n(&dice, x, __ATOMIC_RELAXED);
	if (x % 1000 >= wanted)
		return 0;
	__atomic_add_fetch(&faults->happened, 1, __ATOMIC_RELAXED);
	errno = (int)faults->number;
	return 1;
}

static uint64_t inode_of(int fd)
{
	struct stat64 st;

	return fstat64(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) ? st.st_ino
										     : 0;
}

static uint64_t watched_at(int fd)
{
	return fd >= 0 && fd < FD_MAX ? __atomic_load_n(&watched[fd], __ATOMIC_RELAXED) : 0;
}

/* ---- opening and closing -------------------------------------------------------------------- */

static int open_any(const char *path, int flags, mode_t mode)
{
	struct stat64 st;
	int ours = is_ours(path), created = ours && (flags & O_CREAT) && lstat64(path, &st) != 0;
	int fd;

	if (ours && (flags & (O_CREAT | O_WRONLY | O_RDWR)) &&
		(created || faults->number == EROFS) && fails(&faults->write))
		return -1;
	fd = REAL(open64)(path, flags, mode);
	if (fd < 0 || !ours)
		return fd;
	if (fd >= FD_MAX)
		abort();
	__atomic_store_n(&watched[fd], inode_of(fd), __ATOMIC_RELAXED);
	if (created)
		note(OP_CREATE, watched[fd], 0, path, NULL, 0);
	else if (flags & O_TRUNC)
		note(OP_SIZE, watched[fd], 0, NULL, NULL, 0);
	return fd;
}

int open64(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = flags & O_CREAT ? (mode_t)va_arg(args, int) : 0;
	va_end(args);
	return open_any(path, flags, mode);
}

int open(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = flags & O_CREAT ? (mode_t)va_arg(args, int) : 0;
	va_end(args);
	return open_any(path, flags, mode);
}

int close(int fd)
{
	if (fd >= 0 && fd < FD_MAX)
		__atomic_store_n(&watched[fd], 0, __ATOMIC_RELAXED);
	return REAL(close)(fd);
}

/* ---- content -------------------------------------------------------------------------------- */

/* Half of the bytes may still find room. */
static size_t room(size_t len)
{
	return len > 1 && faults->number == ENOSPC && (dice & 1) ? len / 2 : 0;
}

ssize_t pwrite64(int fd, const void *data, size_t len, off64_t at)
{
	ssize_t n;

	if (watched_at(fd) && fails(&faults->write) && !(len = room(len)))
		return -1;
	n = REAL(pwrite64)(fd, data, len, at);
	if (n > 0 && watched_at(fd))
		note(OP_WRITE, watched_at(fd), at, NULL, data, (size_t)n);
	return n;
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t at)
{
	return pwrite64(fd, data, len, at);
}

ssize_t write(int fd, const void *data, size_t len)
{
	off64_t at = watched_at(fd) ? lseek64(fd, 0, SEEK_CUR) : 0;
	ssize_t n;

	if (watched_at(fd) && fails(&faults->write) && !(len = room(len)))
		return -1;
	n = REAL(write)(fd, data, len);
	if (n > 0 && watched_at(fd))
		note(OP_WRITE, watched_at(fd), at, NULL, data, (size_t)n);
	return n;
}

ssize_t pread64(int fd, void *data, size_t len, off64_t at)
{
	return watched_at(fd) && fails(&faults->read) ? -1 : REAL(pread64)(fd, data, len, at);
}

ssize_t read(int fd, void *data, size_t len)
{
	return watched_at(fd) && fails(&faults->read) ? -1 : REAL(read)(fd, data, len);
}

int ftruncate64(int fd, off64_t size)
{
	int rc;

	if (watched_at(fd) && fails(&faults->write))
		return -1;
	rc = REAL(ftruncate64)(fd, size);
	if (rc == 0 && watched_at(fd))
		note(OP_SIZE, watched_at(fd), size, NULL, NULL, 0);
	return rc;
}

int ftruncate(int fd, off_t size)
{
	return ftruncate64(fd, size);
}

/* ---- syncs ---------------------------------------------------------------------------------- */

int fsync(int fd)
{
	int64_t before = (int64_t)count();

	if (!watched_at(fd))
		return REAL(fsync)(fd);
	usleep(sync_us);
	if (fails(&faults->sync)) {
		note(OP_LOST, watched_at(fd), before, NULL, NULL, 0);
		return -1;
	}
	note(OP_SYNC, watched_at(fd), before, NULL, NULL, 0);
	return 0;
}

int fdatasync(int fd)
{
	return watched_at(fd) ? fsync(fd) : REAL(fdatasync)(fd);
}

/* ---- names ---------------------------------------------------------------------------------- */

static uint64_t inode_at(const char *path)
{
	struct stat64 st;

	return lstat64(path, &st) == 0 ? st.st_ino : 0;
}

int mkdir(const char *path, mode_t mode)
{
	int rc;

	if (is_ours(path) && fails(&faults->write))
		return -1;
	rc = REAL(mkdir)(path, mode);
	if (rc == 0 && is_ours(path))
		note(OP_MKDIR, inode_at(path), 0, path, NULL, 0);
	return rc;
}

int link(const char *from, const char *to)
{
	int rc;

	if (is_ours(to) && fails(&faults->write))
		return -1;
	rc = REAL(link)(from, to);
	if (rc == 0 && is_ours(to))
		note(OP_LINK, inode_at(to), 0, to, NULL, 0);
	return rc;
}

int rename(const char *from, const char *to)
{
	int rc;

	if (is_ours(to) && fails(&faults->write))
		return -1;
	rc = REAL(rename)(from, to);
	if (rc == 0 && is_ours(to))
		note(OP_RENAME, inode_at(to), 0, from, to, strlen(to));
	return rc;
}

int unlink(const char *path)
{
	uint64_t inode = is_ours(path) ? inode_at(path) : 0;
	int rc;

	if (inode && faults->number == EROFS && fails(&faults->write))
		return -1;
	rc = REAL(unlink)(path);
	if (rc == 0 && inode)
		note(OP_UNLINK, inode, 0, path, NULL, 0);
	return rc;
}
