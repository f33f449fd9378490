/* id.c - UUIDv7 (RFC 9562, method 1: a counter in rand_a). Never repeats an id and never goes
 * backwards within the process, even when the clock does. Any thread; one lock. */
#include "base/id.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"

/* The one piece of state that ids need: the last (milliseconds << 12 | counter) given out. */
static pthread_mutex_t last_lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t last;

static uint64_t next_stamp(uint64_t now_ms, uint64_t seed)
{
	uint64_t stamp = now_ms << 12 | (seed & 0x7ff); /* leaves room to count up */

	pthread_mutex_lock(&last_lock);
	if (stamp >> 12 <= last >> 12)
		stamp = last + 1;
	last = stamp;
	pthread_mutex_unlock(&last_lock);
	return stamp;
}

/* The kernel is asked for 256 bytes at a time, which it never gives short: an id costs a system
 * call less. Used bytes are not kept. */
static void take_random(uint64_t out[2])
{
	static _Thread_local struct {
		uint8_t bytes[256];
		size_t left;
	} pool;

	if (pool.left < 2 * sizeof(*out)) {
		ssize_t got = getrandom(pool.bytes, sizeof(pool.bytes), 0);
		assert(got == (ssize_t)sizeof(pool.bytes));
		pool.left = sizeof(pool.bytes);
	}
	pool.left -= 2 * sizeof(*out);
	memcpy(out, pool.bytes + pool.left, 2 * sizeof(*out));
	memset(pool.bytes + pool.left, 0, 2 * sizeof(*out));
}

struct id id_new(void)
{
	struct id id;
	uint64_t random[2], stamp;
	int i;

	take_random(random);
	stamp = next_stamp((uint64_t)clock_now_ms(), random[1]);
	for (i = 0; i < 6; i++)
		id.b[i] = (uint8_t)(stamp >> (52 - 8 * i));
	id.b[6] = (uint8_t)(0x70 | (stamp >> 8 & 0x0f));
	id.b[7] = (uint8_t)stamp;
	memcpy(id.b + 8, random, 8);
	id.b[8] = (uint8_t)(0x80 | (id.b[8] & 0x3f));
	return id;
}

bool id_is_zero(const struct id *id)
{
	static const struct id zero;

	return memcmp(id, &zero, sizeof(zero)) == 0;
}

void id_text(char out[ID_TEXT], const struct id *id)
{
	size_t i, n = 0;

	for (i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			out[n++] = '-';
		out[n++] = "0123456789abcdef"[id->b[i] >> 4];
		out[n++] = "0123456789abcdef"[id->b[i] & 15];
	}
	out[n] = '\0';
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool id_parse(struct id *id, struct str text)
{
	struct id parsed;
	size_t i, n = 0;

	if (text.len != ID_TEXT - 1)
		return false;
	for (i = 0; i < 16; i++) {
		int high, low;
		if ((i == 4 || i == 6 || i == 8 || i == 10) && text.ptr[n++] != '-')
			return false;
		high = digit(text.ptr[n++]);
		low = digit(text.ptr[n++]);
		if (high < 0 || low < 0)
			return false;
		parsed.b[i] = (uint8_t)(high << 4 | low);
	}
	*id = parsed;
	return true;
}
