/* files.c - the only code of this room that touches the file system.
 *
 * Never writes. Reads whole files into memory that is wiped afterwards, because any of them may
 * hold a secret. Runs on the thread that loads.
 */
#include "config/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void wipe(struct buf *buf)
{
	if (buf->ptr)
		explicit_bzero(buf->ptr, buf->cap);
	buf_finish(buf);
}

/* Growing later would leave copies of a secret in freed memory. */
static void reserve(struct buf *buf, size_t n)
{
	static const char zeros[4096];
	size_t before = buf->len;

	for (size_t done = 0; done < n && !buf->failed; done += sizeof(zeros))
		buf_add(buf, zeros, sizeof(zeros) < n - done ? sizeof(zeros) : n - done);
	if (!buf->failed)
		buf->len = before;
}

static int read_all(struct error *error, int fd, const char *path, struct buf *out)
{
	char piece[16384];
	ssize_t n;

	while ((n = read(fd, piece, sizeof(piece))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		buf_add(out, piece, (size_t)n);
		if (out->failed)
			break;
	}
	explicit_bzero(piece, sizeof(piece));
	if (n < 0)
		return error_set(error, E_IO, "\"%s\" cannot be read: %s", path, strerror(errno));
	if (out->failed)
		return error_set(
			error, E_INVALID, "\"%s\" is too big (at most %zu bytes)", path, out->max);
	return 0;
}

static int read_fd(struct error *error, int fd, const char *path, struct buf *out, unsigned *mode)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_set(error, E_IO, "\"%s\" cannot be read: %s", path, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return error_set(error, E_INVALID, "\"%s\" is a directory", path);
	*mode = (unsigned)st.st_mode;
	if (S_ISREG(st.st_mode) && st.st_size > 0 && (uintmax_t)st.st_size < out->max)
		reserve(out, (size_t)st.st_size);
	return read_all(error, fd, path, out);
}

int files_read_default(struct error *error, const char *path, struct buf *out, unsigned *mode)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), result;

	if (fd < 0)
		return error_set(error,
			errno == ENOENT   ? E_NOTFOUND
			: errno == EACCES ? E_DENIED
					  : E_IO,
			"\"%s\" cannot be opened: %s", path, strerror(errno));
	result = read_fd(error, fd, path, out, mode);
	close(fd);
	return result;
}

int files_read(struct loader *loader, struct error *error, const char *path, struct buf *out,
	unsigned *mode)
{
	*mode = 0;
	if (loader->ctx.read_file)
		return loader->ctx.read_file(loader->ctx.user, error, path, out, mode);
	return files_read_default(error, path, out, mode);
}

static int list_default(struct error *error, const char *pattern,
	void (*found)(void *arg, const char *path), void *arg)
{
	glob_t matches = {0};
	int result = glob(pattern, 0, NULL, &matches);

	for (size_t i = 0; result == 0 && i < matches.gl_pathc; i++)
		found(arg, matches.gl_pathv[i]);
	globfree(&matches);
	if (result == 0 || result == GLOB_NOMATCH)
		return 0;
	return error_set(error, result == GLOB_NOSPACE ? E_NOMEM : E_IO,
		"files like \"%s\" cannot be listed", pattern);
}

int files_list(struct loader *loader, struct error *error, const char *pattern,
	void (*found)(void *arg, const char *path), void *arg)
{
	if (loader->ctx.list_files)
		return loader->ctx.list_files(loader->ctx.user, error, pattern, found, arg);
	return list_default(error, pattern, found, arg);
}

const char *files_beside(struct loader *loader, const char *file, struct str path)
{
	const char *slash = strrchr(file, '/');
	int dir = slash ? (int)(slash - file) + 1 : 0;
	bool base = *loader->base && *file != '/';

	if (path.len && *path.ptr == '/')
		return take_text(loader, path);
	return take_printf(loader, "%s%s%.*s%.*s", base ? loader->base : "", base ? "/" : "", dir,
		file, STR_ARG(path));
}
