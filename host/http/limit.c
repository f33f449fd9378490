/* limit.c - see limit.h. Looks at one row of the table for each question, so a storm costs the same
 * as a visit. */
#include "http/limit.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"

#define ROW_BITS 7
#define ROWS (1u << ROW_BITS)
#define WAYS 8
#define TOKEN 60000 /* so that per_minute is what comes back in a millisecond */

struct bucket {
	uint64_t key; /* 0: nobody yet */
	int64_t level, at_ms;
};

struct limit {
	int64_t per_ms, full;
	uint64_t odd; /* unknown outside, so that nobody can choose addresses of one row */
	struct bucket rows[ROWS][WAYS];
};

struct limit *limit_create(unsigned per_minute, unsigned burst)
{
	struct limit *limit = calloc(1, sizeof(*limit));

	if (!limit)
		return NULL;
	limit->per_ms = per_minute;
	limit->full = (int64_t)burst * TOKEN;
	crypto_random(&limit->odd, sizeof(limit->odd));
	limit->odd |= 1;
	return limit;
}

void limit_destroy(struct limit *limit)
{
	free(limit);
}

uint64_t limit_key(const char *address)
{
	uint8_t bytes[16] = {0};
	uint64_t key = 0;

	if (inet_pton(AF_INET6, address, bytes) == 1) {
		memcpy(&key, bytes, sizeof(key));
	} else if (inet_pton(AF_INET, address, bytes) == 1) {
		memcpy(&key, bytes, 4);
		key = key << 8 | 1; /* no network in use begins with 01 */
	}
	return key ? key : 1;
}

static int64_t level_of(const struct limit *limit, const struct bucket *b, int64_t now_ms)
{
	int64_t away_ms = now_ms - b->at_ms;

	if (!b->key || away_ms * limit->per_ms >= limit->full - b->level)
		return limit->full;
	return b->level + away_ms * limit->per_ms;
}

/* Its own bucket, or the fullest, which nobody needs so little. */
static struct bucket *find(struct limit *limit, uint64_t key, int64_t now_ms)
{
	struct bucket *row = limit->rows[key * limit->odd >> (64 - ROW_BITS)], *best = row;

	for (size_t i = 0; i < WAYS; i++) {
		if (row[i].key == key)
			return &row[i];
		if (level_of(limit, &row[i], now_ms) > level_of(limit, best, now_ms))
			best = &row[i];
	}
	return best;
}

unsigned limit_take(struct limit *limit, const char *address, int64_t now_ms)
{
	uint64_t key = limit_key(address);
	struct bucket *b = find(limit, key, now_ms);
	int64_t per_s = limit->per_ms * 1000;

	b->level = level_of(limit, b, now_ms);
	b->at_ms = now_ms;
	b->key = key;
	if (b->level < TOKEN)
		return (unsigned)((TOKEN - b->level + per_s - 1) / per_s);
	b->level -= TOKEN;
	return 0;
}
