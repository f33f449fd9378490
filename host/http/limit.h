/* limit.h - how often one address may come: a token bucket for each, in a table that never grows.
 * For one thread at a time.
 *
 * An IPv6 address counts by its first 64 bits, since its owner has all of the others. When the
 * table is full, a new address takes the place of one that has been away, with what that one had
 * left: who comes from very many addresses gains nothing by it.
 */
#ifndef HTTP_LIMIT_H
#define HTTP_LIMIT_H

#include <stdint.h>

struct limit;

/* burst: so many at once; then per_minute. NULL: no memory. */
struct limit *limit_create(unsigned per_minute, unsigned burst);
void limit_destroy(struct limit *limit); /* takes NULL */

/* 0: it may, and that is counted. Else the seconds after which it may again. now_ms:
 * clock_mono_ms().
 */
unsigned limit_take(struct limit *limit, const char *address, int64_t now_ms);

/* What an address counts by: never 0. */
uint64_t limit_key(const char *address);

#endif
