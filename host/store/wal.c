/* wal.c - see wal.h. Never changes a log; runs once at a start, on the thread that opens the store,
 * before SQLite does. */
#include "store/wal.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/care.h"
#include "store/files.h"

#define HEAD 32
#define FRAME_HEAD 24
#define MAGIC UINT32_C(0x377f0682) /* its lowest bit: checksums read big-endian words */
#define PAGE_DEFAULT 4096

struct sum {
	uint32_t a, b;
};

struct frame {
	uint32_t page, size; /* size: of the database after this commit; 0: no commit */
	uint64_t salts;
	struct sum sum;
};

struct walk {
	int fd;
	bool big_endian;
	uint32_t page_size;
	uint64_t salts;
	struct frame last; /* the one before, or the head's checksum */
	bool committed;    /* last ends a commit, and goes on from the one before it */
	uint8_t *bytes;    /* one frame */
};

static uint32_t word(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint64_t two_words(const uint8_t *p)
{
	return (uint64_t)word(p) << 32 | word(p + 4);
}

static uint32_t sum_word(const struct walk *w, const uint8_t *p)
{
	return w->big_endian ? word(p) : __builtin_bswap32(word(p));
}

static struct sum add(const struct walk *w, struct sum s, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i + 8 <= len; i += 8) {
		s.a += sum_word(w, p + i) + s.b;
		s.b += sum_word(w, p + i + 4) + s.a;
	}
	return s;
}

static bool same(struct sum x, struct sum y)
{
	return x.a == y.a && x.b == y.b;
}

static bool is_page_size(uint32_t n)
{
	return n >= 512 && n <= 65536 && (n & (n - 1)) == 0;
}

/* False: it is not whole, and what is taken from it is a guess. */
static bool read_head(struct walk *w, const uint8_t head[HEAD])
{
	uint32_t magic = word(head);

	w->big_endian = magic == (MAGIC | 1);
	w->page_size = is_page_size(word(head + 8)) ? word(head + 8) : PAGE_DEFAULT;
	w->salts = two_words(head + 16);
	w->last.sum = (struct sum){word(head + 24), word(head + 28)};
	return (magic | 1) == (MAGIC | 1) && is_page_size(word(head + 8)) &&
	       same(add(w, (struct sum){0, 0}, head, 24), w->last.sum);
}

/* 1: read, 0: there is no whole frame there. */
static int read_frame(struct error *error, struct walk *w, uint64_t number, struct frame *out)
{
	size_t len = FRAME_HEAD + w->page_size, have = 0;
	off_t at = (off_t)(HEAD + (number - 1) * len);
	ssize_t got = 1;

	while (have < len && got > 0) {
		got = pread(w->fd, w->bytes + have, len - have, at + (off_t)have);
		if (got < 0 && errno == EINTR)
			got = 1;
		else if (got < 0)
			return file_fail(error, "read", "the store's log");
		else
			have += (size_t)got;
	}
	out->page = word(w->bytes);
	out->size = word(w->bytes + 4);
	out->salts = two_words(w->bytes + 8);
	out->sum = (struct sum){word(w->bytes + 16), word(w->bytes + 20)};
	return have == len;
}

/* Its checksum goes on from the one that stands before it, whether or not that one's bytes are
 * those it was made of. */
static bool goes_on(const struct walk *w, const struct frame *f)
{
	struct sum sum = add(w, w->last.sum, w->bytes, 8);

	return f->page && same(add(w, sum, w->bytes + FRAME_HEAD, w->page_size), f->sum);
}

/* A disk whose sectors can tear gets the last frame of a commit several times: that is one commit.
 */
static bool repeats(const struct frame *last, const struct frame *f)
{
	return f->size && f->page == last->page;
}

/* Behind the bad place. True: this frame proves that what is before it was synced. The mark of a
 * commit counts only where its frame is whole: a torn one may have that of an older log. */
static bool count(struct walk *w, const struct frame *f, struct wal_damage *out)
{
	bool ours = f->salts == w->salts, whole = ours && goes_on(w, f);
	bool proof = whole && w->committed && !repeats(&w->last, f);

	out->frames += ours;
	out->commits += ours && f->size;
	w->committed = whole && f->size;
	w->last = *f;
	return proof;
}

static int walk_on(struct error *error, struct walk *w, struct wal_damage *out, bool bad)
{
	bool proved = false;
	struct frame f;
	uint64_t n = 1;
	int rc;

	for (; (rc = read_frame(error, w, n, &f)) == 1; n++) {
		if (!bad && f.salts == w->salts && goes_on(w, &f)) {
			w->last = f;
			continue;
		}
		if (!bad)
			out->frame = n;
		else if (n == 1)
			w->salts = f.salts; /* the head does not tell */
		bad = true;
		proved |= count(w, &f, out);
	}
	return rc < 0 ? rc : proved;
}

int wal_look(struct error *error, int fd, struct wal_damage *out)
{
	struct walk w = {.fd = fd};
	uint8_t head[HEAD];
	ssize_t got;
	int rc;

	memset(out, 0, sizeof(*out));
	got = pread(fd, head, HEAD, 0);
	if (got < 0)
		return file_fail(error, "read", "the store's log");
	if (got < HEAD)
		return 0;
	bool whole = read_head(&w, head);
	w.bytes = malloc(FRAME_HEAD + w.page_size);
	if (!w.bytes)
		return error_set(error, E_NOMEM, "no memory to look at the store's log");
	rc = walk_on(error, &w, out, !whole);
	free(w.bytes);
	return rc;
}

/* ---- telling ------------------------------------------------------------------------------ */

/* Named by the time of its last byte: a start that comes no further does not copy it again. */
static int keep(
	struct error *error, const char *state, const char *log, int fd, char kept[CARE_PATH])
{
	char stamp[FILE_STAMP];
	struct stat st;
	int rc;

	if (fstat(fd, &st) != 0)
		return file_fail(error, "read", log);
	file_stamp(stamp, (int64_t)st.st_mtime * 1000, 0);
	rc = file_path(error, kept, CARE_PATH, "%s/" CARE_DAMAGED_LOG "%s.wal", state, stamp);
	if (rc || file_exists(kept))
		return rc;
	rc = file_copy(error, log, kept);
	if (rc)
		unlink(kept);
	return rc ? rc : file_sync_parent(error, kept);
}

static void tell(const char *state, const char *name, const struct wal_damage *d, const char *kept)
{
	struct care_noted noted;
	char what[400], where[40] = "its head";

	if (d->frame)
		snprintf(where, sizeof(where), "frame %" PRIu64, d->frame);
	snprintf(what, sizeof(what),
		"the log of %s was damaged at %s: %" PRIu64 " frames with %" PRIu64
		" commits could not be used, so what was stored last before may be missing",
		name, where, d->frames, d->commits);
	log_line(LOG_ERROR, "the store's log is damaged", "what", what, "copy", kept, "remedy",
		"klinke gaps --fetch brings what the vendors still list; the file is checked now: "
		"if that finds more, klinke restore a backup",
		NULL);
	if (!care_note_read(state, CARE_DAMAGE, &noted))
		care_note_write(NULL, state, CARE_DAMAGE, clock_now_ms(), what);
}

int wal_guard(struct error *error, const char *state, const char *name, bool copy)
{
	struct wal_damage damage;
	char log[CARE_PATH], kept[CARE_PATH] = "none, it holds keys";
	struct error why = {0};
	int fd, rc = file_path(error, log, sizeof(log), "%s/%s-wal", state, name);

	if (rc)
		return rc;
	fd = open(log, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0; /* none, or SQLite will say what is wrong with it */
	rc = wal_look(error, fd, &damage);
	if (rc == 1) {
		rc = 0;
		if (copy && keep(&why, state, log, fd, kept) < 0)
			snprintf(kept, sizeof(kept), "none: %s", why.text);
		tell(state, name, &damage, kept);
	}
	close(fd);
	return rc;
}

/* ---- forgetting --------------------------------------------------------------------------- */

static bool blank(const char *path)
{
	static const char zeros[65536];
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st = {0};
	bool done = fd >= 0 && fstat(fd, &st) == 0;

	for (off_t at = 0; done && at < st.st_size; at += (off_t)sizeof(zeros)) {
		size_t left = (size_t)(st.st_size - at);
		size_t n = left < sizeof(zeros) ? left : sizeof(zeros);
		done = pwrite(fd, zeros, n, at) == (ssize_t)n;
	}
	done = done && fsync(fd) == 0;
	if (fd >= 0)
		close(fd);
	return done;
}

void wal_drop_copies(const char *state)
{
	char pattern[CARE_PATH];
	glob_t found = {0};

	if (file_path(NULL, pattern, sizeof(pattern), "%s/" CARE_DAMAGED_LOG "*.wal", state) ||
		glob(pattern, 0, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc; i++) {
		bool gone = blank(found.gl_pathv[i]) && unlink(found.gl_pathv[i]) == 0;
		log_line(gone ? LOG_INFO : LOG_ERROR,
			gone ? "the copy of a damaged log is removed, since somebody was forgotten"
			     : "the copy of a damaged log must be removed by hand: somebody was "
			       "forgotten, and it may hold webhooks of theirs",
			"copy", found.gl_pathv[i], NULL);
	}
	globfree(&found);
}
