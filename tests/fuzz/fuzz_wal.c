/* fuzz_wal.c - logs of SQLite's: any bytes; and, if the first byte is odd, a log of commits made of
 * the rest, of which either the last commit is spoiled in any way (as by a power cut: nothing may
 * be said) or one bit before that (then it must be). */
#include <assert.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../unit/wal_kit.h"
#include "base/error.h"
#include "store/wal.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

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

	if (len && bytes[0] & 1)
		structured((struct source){bytes + 1, len - 1});
	else if (len)
		look(bytes + 1, len - 1, &damage);
	return 0;
}
