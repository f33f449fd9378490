/* kit.h - the inside of the conformance kit.
 *
 *   kit      what is known about the file: bytes, descriptor, samples
 *   sample   one call of the plugin as its cases make it, or as the kit makes it up
 *   probe    a loop over items in a child process; item and part say where it is, so that a new
 *            child goes on behind the part that killed the one before
 *   child    the inside of that process: the plugin is loaded there, and only there
 */
#ifndef CONFORM_KIT_H
#define CONFORM_KIT_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/json.h"
#include "plugin/call.h"
#include "plugin/conform/conform.h"

#define KIT_SAMPLES 2048u
#define KIT_FILES 256u
#define KIT_FOUND 64u /* different ones, of one check */

struct sandbox;

struct sample {
	struct str name, config;    /* config: JSON */
	const struct json *secrets; /* by name, each a list; NULL: none known */
	struct str frame;           /* the call as the wire carries it */
	enum plugin_kind kind;
	bool dead;           /* it kills its process as it is: no need to try more of it */
	bool made_up, later; /* later: a step that is not the first of its run */
};

struct found {
	uint32_t more;
	bool note;
	char where[240], what[480], instead[400];
};

struct shared { /* between kit and child; the plugin can spoil it: nothing in it is a pointer */
	_Atomic uint32_t item, part, busy, ready, finished;
	_Atomic uint64_t calls;
	char doing[240];
	uint32_t found_count;
	struct found found[KIT_FOUND];
	uint64_t hashes[KIT_SAMPLES]; /* of what each sample gave; 0: not known */
};

struct kit {
	const struct conform_options *options;
	struct arena *arena;
	struct sandbox *sandbox;
	struct shared *shared;
	int copy; /* descriptor of the private copy that is loaded */
	char name[64];
	struct str file;
	struct plugin_info info;
	struct sample *samples;
	uint32_t sample_count;
	const char *files[KIT_FILES]; /* of cases */
	size_t file_count;
	unsigned cases;               /* read */
	uint32_t round;               /* of processes: each is laid out differently */
	uint32_t picked[KIT_SAMPLES]; /* samples, in the order of the probe that runs */
	int findings;
	const char *note; /* about the check that runs */
	int64_t fuzz_until_ms;
};

struct child {
	const struct kit *kit;
	struct shared *shared;
	struct loaded loaded;
	struct arena *decode, *call;
	const struct call_shape *shape; /* NULL: none */
	uint32_t first_part;            /* of the item it begins with */
	uint64_t random;
};

struct input {
	struct plugin_in in;
	const struct json *config;
	struct plugin_response response; /* of in.step, if it has one: to be changed */
};

struct probe {
	const char *check;
	uint32_t items;
	void (*run)(struct child *child, uint32_t item);
	bool plain;       /* items are samples as they are */
	bool endless;     /* run() goes on to further items by itself, until it is enough */
	bool alone;       /* each item in a process of its own */
	const char *dead; /* what to write instead of what kills it */
};

/* ---- kit.c -------------------------------------------------------------------------------- */

/* On this side of the fork. */
void kit_find(struct kit *kit, const char *check, bool note, const char *where, const char *instead,
	const char *format, ...) __attribute__((format(printf, 6, 7)));
uint64_t kit_random(uint64_t *state);
const char *kit_sample_name(const struct kit *kit, uint32_t i);

/* ---- probe.c ------------------------------------------------------------------------------ */

void probe_run(struct kit *kit, const struct probe *probe);

/* Where the child is, for the case that it dies. false: an earlier child got further already. */
bool child_at(struct child *child, uint32_t part, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* where NULL: what child_at() said. */
void child_find(struct child *child, const char *where, const char *instead, const char *format,
	...) __attribute__((format(printf, 4, 5)));
void child_note(struct child *child, const char *where, const char *instead, const char *format,
	...) __attribute__((format(printf, 4, 5)));
/* Sample i, ready for a call; lives in child->decode until the next. false: there is no point in
 * it.
 */
bool child_take(struct child *child, uint32_t i, struct input *out);
/* In an empty arena of the usual size. */
void child_call(struct child *child, const struct input *input, struct plugin_out *out);
void child_call_in(struct child *child, const struct input *input, struct arena *arena,
	struct plugin_out *out);
/* Notes a finding if the call broke the contract. false: there is no result to go on with. */
bool child_sound(struct child *child, const struct input *input, const struct plugin_out *out);
uint64_t child_hash(const struct plugin_out *out);

/* ---- the checks: each runs and tells -------------------------------------------------------- */

void check_exports(struct kit *kit);
void check_imports(struct kit *kit);
void check_descriptor(struct kit *kit);
void check_cases(struct kit *kit);
void check_purity(struct kit *kit);
void check_restart(struct kit *kit);
void check_starve(struct kit *kit);
void check_guard(struct kit *kit);
void check_sizes(struct kit *kit);
void check_input(struct kit *kit);
void check_outcomes(struct kit *kit);
void check_signature(struct kit *kit);
void check_budget(struct kit *kit);
void check_fuzz(struct kit *kit);

/* ---- shared by them ------------------------------------------------------------------------- */

/* elf.c: the name of what lies at this address of the file; NULL: stripped. */
const char *elf_symbol(const struct kit *kit, uint64_t address);
bool elf_is_instrumented(const struct kit *kit); /* by ASan: nobody may look between its globals */
bool elf_is_ours(const struct kit *kit);         /* a shared object for this machine */

/* sample.c */
void samples_make_up(struct kit *kit);

/* splice.c: where the values of a JSON text are, itself first, then in the order of the text. */
struct span {
	const char *from, *to;
	const char *whole; /* where the member begins, with its key; NULL: it is the top */
	unsigned depth;
};
struct spans {
	struct str text;
	const struct span *list;
	uint32_t count;
};
/* text is JSON. false: no memory. */
bool spans_of(struct arena *arena, struct str text, struct spans *out);
/* by NULL: left out; nothing: the top cannot be left out, or no memory. */
struct str spans_replace(struct arena *arena, const struct spans *spans, uint32_t i, struct str by);

/* The texts of one sample, taken apart once: those that are changed again and again. */
struct known_spans {
	struct spans list[4];
	uint32_t count;
};

/* damage.c: one seeded change of the input, its memory in arena; false: there is nothing to change.
 * known may hold what was taken apart before. */
bool damage_known(
	struct arena *arena, struct known_spans *known, uint64_t *random, struct input *input);

#endif
