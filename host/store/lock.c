/* lock.c - flock on STATE/lock; the file stays, its lock goes with the process. Never removes the
 * file: two processes could then lock two different ones. Any thread. */
#include "store/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/owner.h"

static long read_pid(int fd)
{
	char text[32] = "";
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	return n > 0 ? strtol(text, NULL, 10) : 0;
}

static void write_pid(int fd)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

	/* Only for the other one's error message: without it the lock is as good. */
	if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)len, 0) != len)
		return;
}

int lock_take(struct error *error, const char *directory, int *fd)
{
	char path[4200], owner[OWNER_TEXT];
	int rc = 0;

	snprintf(path, sizeof(path), "%s/lock", directory);
	*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (*fd < 0)
		return error_set(error, errno == EACCES ? E_DENIED : E_IO, "cannot open %s: %s%s",
			path, strerror(errno),
			errno == EACCES ? owner_remedy(owner, directory) : "");
	if (flock(*fd, LOCK_EX | LOCK_NB) == 0) {
		write_pid(*fd);
		return 0;
	}
	if (errno == EWOULDBLOCK)
		rc = error_set(error, E_BUSY,
			"process %ld has the state directory %s: stop it, or talk to it through "
			"its socket",
			read_pid(*fd), directory);
	else
		rc = error_set(error, E_IO, "cannot lock %s: %s", path, strerror(errno));
	close(*fd);
	*fd = -1;
	return rc;
}

void lock_release(int fd)
{
	if (fd >= 0)
		close(fd);
}
