/* files.c - see files.h. Never replaces a file that it was not told to be a draft. Any thread. */
#include "store/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/care.h"

int file_fail(struct error *error, const char *doing, const char *path)
{
	int number = errno, code = E_IO;

	if (number == EACCES || number == EPERM || number == EROFS)
		code = E_DENIED;
	else if (number == ENOENT || number == ENOTDIR)
		code = E_NOTFOUND;
	else if (number == EEXIST || number == ENOTEMPTY)
		code = E_CONFLICT;
	return error_set(error, code, "cannot %s %s: %s", doing, path, strerror(number));
}

int file_path(struct error *error, char *out, size_t size, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(out, size, format, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= size)
		return error_set(error, E_INVALID, "a path is too long: %.100s…", out);
	return 0;
}

int file_sync(struct error *error, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;

	if (fd < 0)
		return file_fail(error, "open", path);
	if (fsync(fd) != 0)
		rc = file_fail(error, "bring to the disk", path);
	close(fd);
	return rc;
}

int file_sync_parent(struct error *error, const char *path)
{
	char parent[CARE_PATH];
	char *slash;

	snprintf(parent, sizeof(parent), "%s", path);
	slash = strrchr(parent, '/');
	if (!slash)
		return file_sync(error, ".");
	slash[slash == parent] = '\0';
	return file_sync(error, parent);
}

static bool is_directory(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Whoever comes in between loses nothing: a directory takes the place of an empty one only. */
static int move_directory(const char *from, const char *to)
{
	if (file_exists(to)) {
		errno = EEXIST;
		return -1;
	}
	return rename(from, to);
}

/* One behind the other; what was there goes back if the second step fails. */
static int exchange_in_steps(const char *newer, const char *older)
{
	char aside[CARE_PATH];
	int number;

	if (file_path(NULL, aside, sizeof(aside), "%s" FILE_OLDER, older)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	file_remove(aside); /* of one that was interrupted */
	if (rename(older, aside) != 0)
		return -1;
	if (rename(newer, older) == 0)
		return rename(aside, newer);
	number = errno;
	rename(aside, older);
	errno = number;
	return -1;
}

int file_exchange(struct error *error, const char *newer, const char *older)
{
	int rc = renameat2(AT_FDCWD, newer, AT_FDCWD, older, RENAME_EXCHANGE);

	if (rc != 0 && errno == EINVAL)
		rc = exchange_in_steps(newer, older);
	if (rc != 0)
		return file_fail(error, "exchange", older);
	return file_sync_parent(error, older);
}

int file_publish(struct error *error, const char *draft, const char *path)
{
	int rc = renameat2(AT_FDCWD, draft, AT_FDCWD, path, RENAME_NOREPLACE);

	if (rc != 0 && errno == EINVAL) /* a file system that cannot, such as NFS */
		rc = is_directory(draft)      ? move_directory(draft, path)
		     : link(draft, path) == 0 ? unlink(draft)
					      : -1;
	if (rc != 0 && errno == EEXIST)
		return error_set(error, E_CONFLICT,
			"%s exists, and nothing is written over: choose another name", path);
	if (rc != 0)
		return file_fail(error, "create", path);
	return file_sync_parent(error, path);
}

int file_draft(struct error *error, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 && errno == EEXIST)
		return error_set(error, E_CONFLICT,
			"%s exists: another copy is being written there, or was interrupted; then "
			"remove it",
			path);
	if (fd < 0)
		return file_fail(error, "create", path);
	close(fd);
	return 0;
}

static bool copy_bytes(int from, int to)
{
	char chunk[65536];
	ssize_t n;

	while ((n = read(from, chunk, sizeof(chunk))) > 0)
		for (ssize_t at = 0, k; at < n; at += k)
			if ((k = write(to, chunk + at, (size_t)(n - at))) <= 0)
				return false;
	return n == 0;
}

int file_copy(struct error *error, const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), out, rc = 0;

	if (in < 0)
		return file_fail(error, "read", from);
	out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out < 0)
		rc = file_fail(error, "create", to);
	else if (!copy_bytes(in, out) || fsync(out) != 0)
		rc = file_fail(error, "write", to);
	if (out >= 0 && close(out) != 0 && !rc)
		rc = file_fail(error, "write", to);
	close(in);
	return rc;
}

int file_write(struct error *error, const char *path, const char *text)
{
	char draft[CARE_PATH];
	size_t len = strlen(text);
	int fd, rc;

	rc = file_path(error, draft, sizeof(draft), "%s.new", path);
	if (rc)
		return rc;
	fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return file_fail(error, "create", draft);
	if (write(fd, text, len) != (ssize_t)len || fsync(fd) != 0)
		rc = file_fail(error, "write", draft);
	if (close(fd) != 0 && !rc)
		rc = file_fail(error, "write", draft);
	if (!rc && rename(draft, path) != 0)
		rc = file_fail(error, "write", path);
	if (rc)
		unlink(draft);
	return rc;
}

bool file_exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

void file_remove(const char *path)
{
	if (file_exists(path))
		nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void give_all(const char *path, const struct stat *owner)
{
	char inner[CARE_PATH];
	struct dirent *entry;
	DIR *dir = opendir(path);

	while (dir && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
			file_path(NULL, inner, sizeof(inner), "%s/%s", path, entry->d_name) == 0)
			give_all(inner, owner);
	if (dir)
		closedir(dir);
	/* What cannot be given is told by who cannot open it. */
	if (lchown(path, owner->st_uid, owner->st_gid) != 0)
		return;
}

void file_give(const char *state, const char *path)
{
	struct stat owner, st;

	if (geteuid() == 0 && stat(state, &owner) == 0 && lstat(path, &st) == 0 &&
		!S_ISLNK(st.st_mode) && owner.st_uid != 0)
		give_all(path, &owner);
}

void file_stamp(char out[FILE_STAMP], int64_t ms, int again)
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;
	size_t n;

	gmtime_r(&seconds, &tm);
	n = strftime(out, FILE_STAMP, "%Y%m%dT%H%M%SZ", &tm);
	if (again)
		snprintf(out + n, FILE_STAMP - n, "-%d", again);
}
