/* pause.h - connections whose credential was refused: all their jobs wait. Runner's thread.
 *
 * Knocking on with a refused key locks accounts. A pause is by the connection's full name, so each
 * tenant's is its own and the agency's is one for all; it ends by itself (longer each time until
 * the connection has worked), with a reload, and with a start. Its row, of state "paused", is there
 * for `klinke doctor`.
 */
#ifndef PIPELINE_PAUSE_H
#define PIPELINE_PAUSE_H

#include "pipeline/job_i.h"

/* Until when the run's connection waits, from now on; why: what the vendor said. */
int64_t pause_connection(struct run *run, const char *why);
/* 0, or until when jobs of this connection wait. */
int64_t paused_until(const struct runner *r, struct str connection);
void unpause(struct runner *r, struct str connection); /* it has worked: nobody waits any more */
void pauses_end(struct runner *r); /* perhaps the credentials are right now, or the clock */
void pauses_print(struct runner *r, struct buf *out); /* Prometheus text */
void pauses_finish(struct runner *r);

#endif
