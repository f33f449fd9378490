/* vfs.c - gathers writes to the log. Never answers a sync before all that was gathered is written,
 * never lets a read miss it. A file belongs to one connection, and so to one thread at a time. */
#include "store/vfs.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sqlite3.h>

#define GATHER_MAX (120 * 1024) /* SQLite takes at most 128 KiB - 1 for one write */

struct log_file {
	sqlite3_file base;
	sqlite3_file *real; /* right behind this struct */
	char *gathered;     /* NULL: no memory, then each write goes through */
	sqlite3_int64 at;   /* where in the file */
	int len;
};

static struct log_file *log_of(sqlite3_file *file)
{
	return (struct log_file *)file;
}

/* What could not be written is forgotten: the commit it belongs to fails by this, and SQLite writes
 * its pages anew with the next one. */
static int flush(struct log_file *log)
{
	int rc;

	if (!log->len)
		return SQLITE_OK;
	rc = log->real->pMethods->xWrite(log->real, log->gathered, log->len, log->at);
	log->len = 0;
	return rc;
}

static int log_close(sqlite3_file *file)
{
	struct log_file *log = log_of(file);
	int rc = flush(log), closed = log->real->pMethods->xClose(log->real);

	free(log->gathered);
	return rc ? rc : closed;
}

static int log_read(sqlite3_file *file, void *out, int n, sqlite3_int64 at)
{
	struct log_file *log = log_of(file);
	int rc = flush(log);

	return rc ? rc : log->real->pMethods->xRead(log->real, out, n, at);
}

static int log_write(sqlite3_file *file, const void *bytes, int n, sqlite3_int64 at)
{
	struct log_file *log = log_of(file);
	int rc;

	if (log->len && (at != log->at + log->len || n > GATHER_MAX - log->len)) {
		rc = flush(log);
		if (rc)
			return rc;
	}
	if (!log->gathered || n > GATHER_MAX)
		return log->real->pMethods->xWrite(log->real, bytes, n, at);
	if (!log->len)
		log->at = at;
	memcpy(log->gathered + log->len, bytes, (size_t)n);
	log->len += n;
	return SQLITE_OK;
}

static int log_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	struct log_file *log = log_of(file);
	int rc = flush(log);

	return rc ? rc : log->real->pMethods->xTruncate(log->real, size);
}

static int log_sync(sqlite3_file *file, int flags)
{
	struct log_file *log = log_of(file);
	int rc = flush(log);

	return rc ? rc : log->real->pMethods->xSync(log->real, flags);
}

static int log_size(sqlite3_file *file, sqlite3_int64 *size)
{
	struct log_file *log = log_of(file);
	int rc = flush(log);

	return rc ? rc : log->real->pMethods->xFileSize(log->real, size);
}

static int log_lock(sqlite3_file *file, int level)
{
	struct log_file *log = log_of(file);

	return log->real->pMethods->xLock(log->real, level);
}

static int log_unlock(sqlite3_file *file, int level)
{
	struct log_file *log = log_of(file);

	return log->real->pMethods->xUnlock(log->real, level);
}

static int log_check_lock(sqlite3_file *file, int *out)
{
	struct log_file *log = log_of(file);

	return log->real->pMethods->xCheckReservedLock(log->real, out);
}

static int log_control(sqlite3_file *file, int op, void *arg)
{
	struct log_file *log = log_of(file);
	int rc = flush(log);

	return rc ? rc : log->real->pMethods->xFileControl(log->real, op, arg);
}

static int log_sector_size(sqlite3_file *file)
{
	struct log_file *log = log_of(file);

	return log->real->pMethods->xSectorSize(log->real);
}

static int log_characteristics(sqlite3_file *file)
{
	struct log_file *log = log_of(file);

	return log->real->pMethods->xDeviceCharacteristics(log->real);
}

static const sqlite3_io_methods log_methods = {
	.iVersion = 1, /* no shared memory, no mapping: a log has neither */
	.xClose = log_close,
	.xRead = log_read,
	.xWrite = log_write,
	.xTruncate = log_truncate,
	.xSync = log_sync,
	.xFileSize = log_size,
	.xLock = log_lock,
	.xUnlock = log_unlock,
	.xCheckReservedLock = log_check_lock,
	.xFileControl = log_control,
	.xSectorSize = log_sector_size,
	.xDeviceCharacteristics = log_characteristics,
};

/* ---- opening ------------------------------------------------------------------------------ */

static sqlite3_vfs *below(sqlite3_vfs *vfs)
{
	return vfs->pAppData;
}

static int vfs_open(
	sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
	struct log_file *log = log_of(file);
	int rc;

	if (!(flags & SQLITE_OPEN_WAL))
		return below(vfs)->xOpen(below(vfs), name, file, flags, out_flags);
	memset(log, 0, sizeof(*log));
	log->real = (sqlite3_file *)(log + 1);
	rc = below(vfs)->xOpen(below(vfs), name, log->real, flags, out_flags);
	if (!log->real->pMethods)
		return rc;
	log->base.pMethods = &log_methods; /* from here on SQLite closes it, even on an error */
	log->gathered = malloc(GATHER_MAX);
	return rc;
}

static sqlite3_vfs ours;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int registered;

/* The one below does everything but open; its other methods take any VFS as their first argument.
 */
static void register_once(void)
{
	sqlite3_vfs *real = sqlite3_vfs_find(NULL);

	assert(real);
	ours = *real;
	ours.pNext = NULL;
	ours.zName = VFS_NAME;
	ours.pAppData = real;
	ours.szOsFile = real->szOsFile + (int)sizeof(struct log_file);
	ours.xOpen = vfs_open;
	registered = sqlite3_vfs_register(&ours, 0);
}

int vfs_register(void)
{
	pthread_once(&once, register_once);
	return registered;
}
