/* start.c - copies a plugin's file and starts a worker for it. Never opens a plugin as code. Runs
 * on the thread that holds the connection to the zygote. */
#include "plugin/start.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_FILE ((off_t)256 * 1024 * 1024)
#define SOCKET_BUFFER (1024 * 1024) /* as far as the kernel allows: whole batches at once */

#ifndef MFD_EXEC
#define MFD_EXEC 0x10u
#endif

/* ---- the copy ----------------------------------------------------------------------------- */

static int open_in_directory(const char *directory)
{
	char path[512];
	int fd;

	if (!directory)
		return -1;
	snprintf(path, sizeof(path), "%s/plugin-XXXXXX", directory);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	return fd;
}

/* Newer kernels want to be told that it will be executed, older ones do not know the word. */
static int open_memory(void)
{
	int fd = memfd_create("klinke-plugin", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("klinke-plugin", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return fd;
}

static bool copy_bytes(int from, int to)
{
	char bytes[32 * 1024];
	ssize_t got, put, done;

	while ((got = read(from, bytes, sizeof(bytes))) > 0)
		for (done = 0; done < got; done += put) {
			put = write(to, bytes + done, (size_t)(got - done));
			if (put <= 0)
				return false;
		}
	return got == 0;
}

static int open_source(struct error *error, const char *path)
{
	struct stat info;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return error_set(error, errno == ENOENT ? E_NOTFOUND : E_IO,
			       "plugin file %s cannot be read: %s", path, strerror(errno)),
		       -1;
	if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size <= MOST_FILE)
		return fd;
	close(fd);
	error_set(error, E_INVALID, "plugin file %s is no regular file, or longer than 256 MiB",
		path);
	return -1;
}

int start_copy(struct error *error, const char *path, const char *run_directory)
{
	int from = open_source(error, path), to;

	if (from < 0)
		return -1;
	to = open_memory();
	if (to < 0)
		to = open_in_directory(run_directory);
	if (to < 0 || !copy_bytes(from, to)) {
		error_set(
			error, E_IO, "plugin file %s cannot be copied: %s", path, strerror(errno));
		if (to >= 0)
			close(to);
		to = -1;
	} else {
		fchmod(to, 0555);
		fcntl(to, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	}
	close(from);
	return to;
}

void start_name(char *out, size_t size, const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	size_t len = strlen(name);

	if (len > 3 && strcmp(name + len - 3, ".so") == 0)
		len -= 3;
	snprintf(out, size, "%.*s", (int)len, name);
}

/* ---- the worker --------------------------------------------------------------------------- */

/* Without it the host only knows less about a crash, so failing is no error. */
static int make_progress(struct started *out)
{
	int fd = memfd_create("klinke-progress", MFD_CLOEXEC);

	out->progress = NULL;
	if (fd < 0 || ftruncate(fd, WORKER_PROGRESS_SIZE) != 0)
		return fd;
	out->progress = mmap(NULL, WORKER_PROGRESS_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (out->progress == MAP_FAILED)
		out->progress = NULL;
	return fd;
}

static void set_up_socket(int fd)
{
	int size = SOCKET_BUFFER;

	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

int start_worker(struct error *error, int client, const struct worker_job *job, int copy,
	struct started *out)
{
	int sockets[2], progress, failed;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0)
		return error_set(
			error, E_IO, "plugin %s was not started: %s", job->name, strerror(errno));
	set_up_socket(sockets[0]);
	set_up_socket(sockets[1]);
	fcntl(sockets[0], F_SETFL, O_NONBLOCK);
	progress = make_progress(out);
	out->wire = sockets[0];
	failed = progress < 0 ? error_set(error, E_IO, "plugin %s was not started: %s", job->name,
					strerror(errno))
			      : zygote_spawn(error, client, job,
					&(struct zygote_files){sockets[1], progress, copy});
	close(sockets[1]);
	if (progress >= 0)
		close(progress);
	if (failed)
		start_finish(out);
	return failed;
}

void start_finish(struct started *started)
{
	if (started->wire >= 0)
		close(started->wire);
	if (started->progress)
		munmap(started->progress, WORKER_PROGRESS_SIZE);
	*started = (struct started){.wire = -1};
}
