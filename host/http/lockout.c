/* lockout.c - see lockout.h. Never grows, never waits; any thread, under one lock. */
#include "http/lockout.h"

#include <pthread.h>
#include <stdlib.h>

#include "http/limit.h"

#define ADDRESSES 1024
#define FREE 5
#define LONGEST_MS ((int64_t)5 * 60 * 1000)
#define FORGOTTEN_MS ((int64_t)3600 * 1000)

struct row {
	uint64_t key; /* 0: nobody */
	unsigned failures;
	int64_t last_ms;
};

struct lockout {
	pthread_mutex_t lock;
	struct row rows[ADDRESSES];
};

struct lockout *lockout_create(void)
{
	struct lockout *lockout = calloc(1, sizeof(*lockout));

	if (lockout)
		pthread_mutex_init(&lockout->lock, NULL);
	return lockout;
}

void lockout_destroy(struct lockout *lockout)
{
	if (!lockout)
		return;
	pthread_mutex_destroy(&lockout->lock);
	free(lockout);
}

/* Its own row; else an empty or forgotten one; else that of who has failed least, and last longest
 * ago. */
static struct row *find(struct lockout *lockout, uint64_t key, int64_t now_ms)
{
	struct row *best = &lockout->rows[0];

	for (size_t i = 0; i < ADDRESSES; i++) {
		struct row *row = &lockout->rows[i];
		if (now_ms - row->last_ms > FORGOTTEN_MS)
			row->failures = 0;
		if (row->key == key)
			return row;
		if (row->failures < best->failures ||
			(row->failures == best->failures && row->last_ms < best->last_ms))
			best = row;
	}
	*best = (struct row){.key = key, .last_ms = now_ms};
	return best;
}

static int64_t pause_of(unsigned failures)
{
	int64_t pause_ms = 1000;

	if (failures < FREE)
		return 0;
	while (failures-- > FREE && pause_ms < LONGEST_MS)
		pause_ms *= 2;
	return pause_ms < LONGEST_MS ? pause_ms : LONGEST_MS;
}

unsigned lockout_try(struct lockout *lockout, const char *address, int64_t now_ms)
{
	int64_t left_ms;
	struct row *row;

	pthread_mutex_lock(&lockout->lock);
	row = find(lockout, limit_key(address), now_ms);
	left_ms = row->last_ms + pause_of(row->failures) - now_ms;
	if (left_ms <= 0 || !row->failures) {
		row->failures++;
		row->last_ms = now_ms;
		left_ms = 0;
	}
	pthread_mutex_unlock(&lockout->lock);
	return (unsigned)((left_ms + 999) / 1000);
}

void lockout_passed(struct lockout *lockout, const char *address)
{
	uint64_t key = limit_key(address);

	pthread_mutex_lock(&lockout->lock);
	for (size_t i = 0; i < ADDRESSES; i++)
		if (lockout->rows[i].key == key && lockout->rows[i].failures)
			lockout->rows[i].failures--;
	pthread_mutex_unlock(&lockout->lock);
}
