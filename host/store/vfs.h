/* vfs.h - a layer below SQLite that hands a commit to the kernel in one piece.
 *
 * SQLite writes each page of a commit to its log in two calls, 24 bytes and 4096. With groups of
 * many rows those calls are most of what a commit costs. This layer gathers what is written to the
 * log in sequence, and writes it at once when SQLite asks for the sync that makes it durable, or
 * for anything else about the file. All other files are SQLite's own business.
 */
#ifndef STORE_VFS_H
#define STORE_VFS_H

#define VFS_NAME "klinke"

/* Once per process, from any thread; later calls do nothing. 0, or an SQLite result code. */
int vfs_register(void);

#endif
