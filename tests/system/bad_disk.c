/* bad_disk.c - LD_PRELOAD for tests: below BAD_DISK nothing can be written. BAD_DISK_HOW is "full"
 * (files open, writing fails: ENOSPC) or "readonly" (opening for writing fails: EROFS); with
 * BAD_DISK_WHEN only while that file is there. Any thread.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#define FD_MAX 4096
static bool ours[FD_MAX];

static bool below(const char *path)
{
	const char *root = getenv("BAD_DISK");

	return root && strncmp(path, root, strlen(root)) == 0;
}

static bool is(const char *how)
{
	const char *given = getenv("BAD_DISK_HOW"), *when = getenv("BAD_DISK_WHEN");

	return given && strcmp(given, how) == 0 && (!when || access(when, F_OK) == 0);
}

static int refuse(int number)
{
	errno = number;
	return -1;
}

static int note(int fd, const char *path)
{
	if (fd >= 0 && fd < FD_MAX)
		ours[fd] = below(path);
	return fd;
}

#define OPEN(name)                                                                                 \
	int name(const char *path, int flags, ...)                                                 \
	{                                                                                          \
		int (*next)(const char *, int, ...) =                                              \
			(int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #name);                  \
		va_list ap;                                                                        \
		mode_t mode;                                                                       \
		va_start(ap, flags);                                                               \
		mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;                                   \
		va_end(ap);                                                                        \
		if (is("readonly") && below(path) && (flags & (O_WRONLY | O_RDWR | O_CREAT)))      \
			return refuse(EROFS);                                                      \
		return note(next(path, flags, mode), path);                                        \
	}
int open(const char *path, int flags, ...);
int open64(const char *path, int flags, ...);
OPEN(open)
OPEN(open64)

#define WRITE(name, offset)                                                                        \
	ssize_t name(int fd, const void *bytes, size_t n, offset at)                               \
	{                                                                                          \
		ssize_t (*next)(int, const void *, size_t, offset) =                               \
			(ssize_t(*)(int, const void *, size_t, offset))dlsym(RTLD_NEXT, #name);    \
		if (fd >= 0 && fd < FD_MAX && ours[fd] && is("full"))                              \
			return refuse(ENOSPC);                                                     \
		return next(fd, bytes, n, at);                                                     \
	}
WRITE(pwrite, off_t)
WRITE(pwrite64, off64_t)

ssize_t write(int fd, const void *bytes, size_t n)
{
	ssize_t (*next)(int, const void *, size_t) =
		(ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");

	if (fd >= 0 && fd < FD_MAX && ours[fd] && is("full"))
		return refuse(ENOSPC);
	return next(fd, bytes, n);
}

int mkdir(const char *path, mode_t mode)
{
	int (*next)(const char *, mode_t) =
		(int (*)(const char *, mode_t))dlsym(RTLD_NEXT, "mkdir");

	if (is("readonly") && below(path))
		return refuse(access(path, F_OK) == 0 ? EEXIST : EROFS);
	return next(path, mode);
}
