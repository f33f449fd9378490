/* lockout.h - who guesses wrongly waits longer each time: a count of failed logins for each address
 * (of IPv6: each /64), in a table that never grows. Any thread.
 *
 * Five are free; each further one doubles the pause, from a second to five minutes. An hour without
 * one forgets. A right guess does not: else whoever has one credential could try others with it.
 */
#ifndef HTTP_LOCKOUT_H
#define HTTP_LOCKOUT_H

#include <stdint.h>

struct lockout;

struct lockout *lockout_create(void);          /* NULL: no memory */
void lockout_destroy(struct lockout *lockout); /* takes NULL */

/* 0: it may try, which counts as failed until lockout_passed() says otherwise, so that many tries
 * at once gain nothing. Else the seconds after which it may. now_ms: clock_mono_ms(). */
unsigned lockout_try(struct lockout *lockout, const char *address, int64_t now_ms);
void lockout_passed(struct lockout *lockout, const char *address);

#endif
