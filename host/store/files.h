/* files.h - the few things about files that copies need, for this room only. Each sets error. */
#ifndef STORE_FILES_H
#define STORE_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* "cannot DOING PATH: errno's words". */
int file_fail(struct error *error, const char *doing, const char *path);
/* Fails (E_INVALID) where snprintf would cut. */
int file_path(struct error *error, char *out, size_t size, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
int file_sync(struct error *error, const char *path); /* a file or a directory */
int file_sync_parent(struct error *error, const char *path);
/* Under its new name, on disk; E_CONFLICT: something has that name. */
int file_publish(struct error *error, const char *draft, const char *path);
/* Both are there, and each gets the other's name. Where the file system cannot do it at once there is
 * a moment in which only older with FILE_OLDER behind its name is there. */
#define FILE_OLDER ".older"
int file_exchange(struct error *error, const char *newer, const char *older);
/* A new one of mode 0600 to write a copy into; E_CONFLICT: somebody else writes there. */
int file_draft(struct error *error, const char *path);
/* Bytes into a new file of mode 0600, on disk. */
int file_copy(struct error *error, const char *from, const char *to);
int file_write(struct error *error, const char *path, const char *text);
bool file_exists(const char *path);
/* A file or a directory with all below; what is not there is fine. */
void file_remove(const char *path);
/* Done by root for a state that is another user's: the file, or all below the directory, becomes
 * that user's, or its host could not open it. Otherwise nothing. */
void file_give(const char *state, const char *path);
/* "20261123T010203Z", for names; "20261123T010203Z-2" for the third of the same second. */
#define FILE_STAMP 32
void file_stamp(char out[FILE_STAMP], int64_t ms, int again);

#endif
