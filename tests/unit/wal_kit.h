/* wal_kit.h - write-ahead logs made by hand, with the checksums that the documentation of SQLite's
 * file format asks for. Written without a look at what reads them. */
#ifndef WAL_KIT_H
#define WAL_KIT_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define KIT_PAGE 512
#define KIT_FRAME (24 + KIT_PAGE)
#define KIT_FRAMES 64

struct kit_log {
	uint8_t bytes[32 + KIT_FRAMES * KIT_FRAME];
	unsigned frames;
	uint32_t s1, s2;
	uint32_t salt;
	bool big;
};

static inline void kit_word(uint8_t *p, uint32_t n)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(n >> (24 - 8 * i));
}

static inline uint32_t kit_read(const struct kit_log *k, const uint8_t *p)
{
	uint32_t n = 0;

	for (int i = 0; i < 4; i++)
		n |= (uint32_t)p[i] << (k->big ? 24 - 8 * i : 8 * i);
	return n;
}

static inline void kit_sum(struct kit_log *k, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i += 8) {
		k->s1 += kit_read(k, p + i) + k->s2;
		k->s2 += kit_read(k, p + i + 4) + k->s1;
	}
}

static inline void kit_begin(struct kit_log *k, bool big, uint32_t salt)
{
	memset(k, 0, sizeof(*k));
	k->big = big;
	k->salt = salt;
	kit_word(k->bytes, big ? 0x377f0683 : 0x377f0682);
	kit_word(k->bytes + 4, 3007000);
	kit_word(k->bytes + 8, KIT_PAGE);
	kit_word(k->bytes + 12, 7);
	kit_word(k->bytes + 16, salt);
	kit_word(k->bytes + 20, ~salt);
	kit_sum(k, k->bytes, 24);
	kit_word(k->bytes + 24, k->s1);
	kit_word(k->bytes + 28, k->s2);
}

static inline uint8_t *kit_frame(struct kit_log *k, unsigned number)
{
	assert(number >= 1 && number <= KIT_FRAMES);
	return k->bytes + 32 + (size_t)(number - 1) * KIT_FRAME;
}

/* The next frame; commit: the last of a commit. */
static inline void kit_add(struct kit_log *k, uint32_t page, bool commit, uint8_t fill)
{
	uint8_t *p = kit_frame(k, ++k->frames);

	kit_word(p, page);
	kit_word(p + 4, commit ? 99 : 0);
	kit_word(p + 8, k->salt);
	kit_word(p + 12, ~k->salt);
	memset(p + 24, fill, KIT_PAGE);
	kit_sum(k, p, 8);
	kit_sum(k, p + 24, KIT_PAGE);
	kit_word(p + 16, k->s1);
	kit_word(p + 20, k->s2);
}

static inline size_t kit_len(const struct kit_log *k)
{
	return 32 + (size_t)k->frames * KIT_FRAME;
}

#endif
