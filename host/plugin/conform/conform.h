/* conform.h - the conformance kit: is this file a plugin that a host can trust with its time?
 *
 * Runs the plugin with its own cases and with what the kit makes of them, always in child
 * processes: a crash is a finding and not the end. Everything that is drawn is drawn from the seed.
 * What each check looks for: conform_check().
 */
#ifndef CONFORM_CONFORM_H
#define CONFORM_CONFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct plugin_zygote;

struct finding {
	const char *check;   /* "purity" */
	const char *where;   /* "cases/book.json: it books, call 2, allocation 17 fails" */
	const char *what;    /* what was seen */
	const char *instead; /* what to write */
	bool note;           /* worth knowing, and no fault */
	unsigned more;       /* as often again, elsewhere */
};

struct conform_options {
	const char *path;
	const char *const
		*cases; /* files or directories; count 0: "cases" beside path, if it is there */
	size_t case_count;
	uint64_t seed;
	const char *only; /* names of checks with commas between; NULL: all */
	int64_t fuzz_ms;  /* 0: no fuzzing */
	struct plugin_zygote *zygote;
	/* Both are called on the caller's thread, in the order of the checks. */
	void (*found)(void *user, const struct finding *finding);
	/* calls: of the plugin; note: a few words about how, or NULL */
	void (*checked)(
		void *user, const char *check, unsigned findings, uint64_t calls, const char *note);
	void *user;
};

/* How many findings (notes do not count), or a negative code: the checks could not be run at all,
 * and error says why. The caller has no other threads. */
int conform_run(struct error *error, const struct conform_options *options);

/* The checks in their order; NULL behind the last. */
struct conform_check {
	const char *name, *about;
};
const struct conform_check *conform_check(size_t i);

#endif
