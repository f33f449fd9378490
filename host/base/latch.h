/* latch.h - one thread waits until another says that something is over; and conditions that wait by
 * the clock that never jumps.
 *
 * The one makes a latch (latch_init), hands it to whoever will open it once, on any thread, and
 * waits (latch_wait): then what was written before latch_open() is seen, and the latch is gone.
 */
#ifndef BASE_LATCH_H
#define BASE_LATCH_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct latch {
	pthread_mutex_t lock;
	pthread_cond_t opened;
	bool open;
};

void latch_init(struct latch *latch);
/* The last that its caller does with it: who waits may free it in this moment. */
void latch_open(struct latch *latch);
void latch_wait(struct latch *latch);

/* For pthread_cond_timedwait() with latch_time(): init it with this, destroy it as any other. */
void latch_init_timed(pthread_cond_t *condition);
/* An instant of clock_mono_ms(). */
struct timespec latch_time(int64_t mono_ms);

#endif
