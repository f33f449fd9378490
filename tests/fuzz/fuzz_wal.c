/* fuzz_wal.c - logs of SQLite's: any bytes; and, if the first byte is odd, a log of commits made of
 * the rest, of which either the last commit is spoiled in any way (as by a power cut: nothing may
 * be said) or one bit before that (then it must be). With GUARD in that byte the log lies in a
 * state, as at a start: it stays as it is, and damage leaves word and, with KEEP, a copy, until
 * somebody is forgotten. With NOTE any bytes are such a word. */
#include <assert.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../unit/wal_kit.h"
#include "base/error.h"
#include "base/log.h"
#include "store/care.h"
#include "store/wal.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { GUARD = 0x40, KEEP = 0x80, NOTE = 0x20 };

static char state[256]; /* a directory of our own */
static unsigned mode;   /* of this input */

/* ---- A state that is opened ----------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static void remove_state(void)
{
	nftw(state, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void make_state(void)
{
	const char *tmp = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : getenv("TMPDIR");

	log_setup(LOG_ERROR + 1, LOG_LOGFMT); /* all of it is told, of each input */
	snprintf(state, sizeof(state), "%s/klinke-fuzz-XXXXXX", tmp ? tmp : "/tmp");
	assert(mkdtemp(state));
	atexit(remove_state);
}

static void in_state(const char *name, char path[300])
{
	if (!state[0])
		make_state();
	snprintf(path, 300, "%s/%s", state, name);
}

static void put(const char *name, const uint8_t *bytes, size_t len)
{
	char path[300];
	int fd;

	in_state(name, path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
	close(fd);
}

static bool holds(const char *path, const uint8_t *bytes, size_t len)
{
	uint8_t *all = malloc(len + 1);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool same = fd >= 0 && read(fd, all, len + 1) == (ssize_t)len && !memcmp(all, bytes, len);

	if (fd >= 0)
		close(fd);
	free(all);
	return same;
}

/* How many copies there are, each of these bytes. */
static size_t copies(const uint8_t *bytes, size_t len)
{
	char pattern[300];
	glob_t found = {0};
	size_t count;

	in_state(CARE_DAMAGED_LOG "*.wal", pattern);
	glob(pattern, 0, NULL, &found);
	count = found.gl_pathc;
	for (size_t i = 0; i < count; i++)
		assert(holds(found.gl_pathv[i], bytes, len));
	globfree(&found);
	return count;
}

static void guard(const uint8_t *bytes, size_t len, bool damaged)
{
	bool keep = mode & KEEP;
	struct care_noted first, second;
	struct error error = {0};
	char log[300];

	put("klinke.db-wal", bytes, len);
	in_state("klinke.db-wal", log);
	assert(wal_guard(&error, state, "klinke.db", keep) == 0);
	assert(care_note_read(state, CARE_DAMAGE, &first) == damaged);
	assert(copies(bytes, len) == (size_t)(damaged && keep));
	/* A start that came no further: once is enough. */
	assert(wal_guard(&error, state, "klinke.db", keep) == 0 && holds(log, bytes, len));
	assert(copies(bytes, len) == (size_t)(damaged && keep));
	assert(care_note_read(state, CARE_DAMAGE, &second) == damaged);
	assert(!damaged || (first.at_ms == second.at_ms && strstr(second.text, "klinke.db")));
	wal_drop_copies(state);
	assert(copies(bytes, len) == 0);
	care_note_clear(state, CARE_DAMAGE);
	unlink(log);
	assert(wal_guard(&error, state, "klinke.db", keep) == 0); /* a state without a log */
}

/* The file is one line; what is read of it is what would be written for it. */
static void note(const uint8_t *bytes, size_t len)
{
	struct care_noted first, second;
	bool there;

	put("damage.note", bytes, len);
	there = care_note_read(state, CARE_DAMAGE, &first);
	care_damaged(state, "more of it"); /* what was found first is what counts */
	assert(care_note_read(state, CARE_DAMAGE, &second));
	assert(strcmp(second.text, there ? first.text : "more of it") == 0);
	if (there) {
		assert(!strchr(first.text, '\n') && strlen(first.text) < sizeof(first.text));
		assert(care_note_write(NULL, state, CARE_DAMAGE, first.at_ms, first.text) == 0);
		assert(care_note_read(state, CARE_DAMAGE, &second));
		assert(first.at_ms == second.at_ms && strcmp(first.text, second.text) == 0);
	}
	care_note_clear(state, CARE_DAMAGE);
	assert(!care_note_read(state, CARE_DAMAGE, &second));
}

/* ---- A log ---------------------------------------------------------------------------------- */

static int look(const uint8_t *bytes, size_t len, struct wal_damage *out)
{
	struct wal_damage again;
	struct error error = {0};
	int fd = memfd_create("wal", MFD_CLOEXEC), rc;

	assert(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
	rc = wal_look(&error, fd, out);
	assert(rc == 0 || rc == 1);
	assert(wal_look(&error, fd, &again) == rc && again.frame == out->frame);
	assert(out->commits <= out->frames && out->frames <= len / KIT_FRAME);
	close(fd);
	if (mode & GUARD)
		guard(bytes, len, rc == 1);
	return rc;
}

struct source {
	const uint8_t *at;
	size_t left;
};

static unsigned take(struct source *s)
{
	unsigned n = s->left ? *s->at : 0;

	s->at += s->left > 0;
	s->left -= s->left > 0;
	return n;
}

/* At most 8 commits; starts[i] is the first frame of the ith. */
static unsigned build(struct kit_log *k, struct source *s, unsigned starts[9])
{
	unsigned commits = 4 + take(s) % 5;

	kit_begin(k, take(s) & 1, 77);
	for (unsigned c = 0; c < commits; c++) {
		unsigned frames = 1 + take(s) % 4;
		starts[c] = k->frames + 1;
		for (unsigned i = 1; i <= frames; i++)
			kit_add(k, c * 8 + i, i == frames, (uint8_t)take(s));
	}
	starts[commits] = k->frames + 1;
	return commits;
}

/* What the disk had there before, sector by sector: another log, or anything. */
static void tear(struct kit_log *k, struct source *s, unsigned from)
{
	static struct kit_log old;
	uint8_t *end = k->bytes + kit_len(k);

	kit_begin(&old, take(s) & 1, 76);
	while (old.frames < k->frames)
		kit_add(&old, 1 + take(s) % 9, take(s) & 1, 3);
	for (uint8_t *p = kit_frame(k, from); p < end; p++)
		if (!((size_t)(p - k->bytes) % 128) || p == kit_frame(k, from)) {
			size_t n = (size_t)(end - p) < 128 ? (size_t)(end - p) : 128;
			unsigned kind = take(s) % 4;
			if (kind == 1)
				memset(p, 0, n);
			else if (kind == 2)
				memcpy(p, old.bytes + (p - k->bytes), n);
			else if (kind == 3)
				memset(p, (int)take(s), n);
		}
}

static void structured(struct source s)
{
	static struct kit_log k;
	struct wal_damage damage;
	unsigned starts[9], commits = build(&k, &s, starts), at;

	assert(look(k.bytes, kit_len(&k), &damage) == 0);
	if (take(&s) & 1) {
		tear(&k, &s, starts[commits - 1]);
		assert(look(k.bytes, kit_len(&k) - take(&s), &damage) == 0);
		return;
	}
	at = 1 + take(&s) % (starts[commits - 1] - 3); /* two before the frame that proves it */
	kit_frame(&k, at)[(take(&s) << 8 | take(&s)) % KIT_FRAME] ^= (uint8_t)(1 << take(&s) % 8);
	assert(look(k.bytes, kit_len(&k), &damage) == 1);
	assert(damage.frame == at);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct wal_damage damage;

	mode = len ? bytes[0] : 0;
	if (mode & NOTE)
		note(bytes + 1, len - 1);
	else if (mode & 1)
		structured((struct source){bytes + 1, len - 1});
	else if (len)
		look(bytes + 1, len - 1, &damage);
	return 0;
}
