/* lock.h - one process at a time owns a state directory. */
#ifndef STORE_LOCK_H
#define STORE_LOCK_H

#include "base/error.h"

/* E_BUSY names the process that has it. The lock is gone when fd is closed or the process ends. */
int lock_take(struct error *error, const char *directory, int *fd);
void lock_release(int fd);

#endif
