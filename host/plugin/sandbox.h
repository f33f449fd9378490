/* sandbox.h - what a worker may not do: files, sockets, processes, endless memory.
 *
 * Prepared once in the zygote, entered by each worker in three steps, each for good:
 *   sandbox_confine()  limits, no new privileges, no user but nobody, Landlock, coarse seccomp
 *   (the plugin is loaded: its constructors run)
 *   sandbox_narrow()   from here on only memory, the wire and the clock
 * What the kernel or the container lacks is left out and told by sandbox_report(). In builds with
 * ASan or TSan, which need all of it for themselves, seccomp, Landlock and the memory limit are
 * left out.
 */
#ifndef PLUGIN_SANDBOX_H
#define PLUGIN_SANDBOX_H

#include <sys/types.h>

#include "base/str.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANDBOX_RELAXED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
	__has_feature(memory_sanitizer)
#define SANDBOX_RELAXED 1
#endif
#endif
#ifndef SANDBOX_RELAXED
#define SANDBOX_RELAXED 0
#endif

/* The only descriptors that a worker has: everything else is closed. */
#define SANDBOX_WIRE_FD 3
#define SANDBOX_PROGRESS_FD 4
#define SANDBOX_FILE_FD 5

struct sandbox;

struct sandbox *sandbox_prepare(void); /* NULL: no memory */
void sandbox_destroy(struct sandbox *sandbox);

/* memory: RLIMIT_AS. parent: who must still live. false: the worker must not go on; *why says. */
bool sandbox_confine(const struct sandbox *sandbox, size_t memory, pid_t parent, const char **why);
bool sandbox_narrow(const struct sandbox *sandbox, const char **why);

/* A line for each means: what it is, "yes" or "no (why)". */
void sandbox_report(const struct sandbox *sandbox, struct buf *to);

#endif
