/* latch.c - see latch.h. Any thread. */
#include "base/latch.h"

void latch_init(struct latch *latch)
{
	latch->open = false;
	pthread_mutex_init(&latch->lock, NULL);
	pthread_cond_init(&latch->opened, NULL);
}

void latch_open(struct latch *latch)
{
	pthread_mutex_lock(&latch->lock);
	latch->open = true;
	pthread_cond_signal(&latch->opened);
	pthread_mutex_unlock(&latch->lock);
}

void latch_wait(struct latch *latch)
{
	pthread_mutex_lock(&latch->lock);
	while (!latch->open)
		pthread_cond_wait(&latch->opened, &latch->lock);
	pthread_mutex_unlock(&latch->lock);
	pthread_mutex_destroy(&latch->lock);
	pthread_cond_destroy(&latch->opened);
}

void latch_init_timed(pthread_cond_t *condition)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(condition, &attributes);
	pthread_condattr_destroy(&attributes);
}

struct timespec latch_time(int64_t mono_ms)
{
	return (struct timespec){
		.tv_sec = (time_t)(mono_ms / 1000), .tv_nsec = (long)(mono_ms % 1000) * 1000000};
}
