/* live.h - GET /api/v1/live: what happens in calls, told as it is stored, as server-sent events.
 *
 *   id: 0192f5c2-…                    of the event; a browser sends it back as Last-Event-ID
 *   event: call.transcript            its type: call.*, and booking.* that a call led to
 *   data: {"id","time","type","tenant","source","subject","call","data", …}
 *
 * In between `retry:`, and a comment as a heartbeat. `event: reset` says that the id sent with the
 * request is not known (or not this viewer's): the stream goes on from now, and who keeps a list
 * asks for it anew. What is stored is told once and in the order of storing, over any number of
 * reconnects; an event of more than 96 KiB is told without its large members, and says
 * "shortened":true.
 *
 * Streams are suspended connections of the listener; one thread reads the store for all of them, a
 * few times a second and only while there are any. What is new is written to each; who has no room
 * for it gets it when there is room again, and who takes nothing at all is cut and comes back later
 * to go on where it was.
 */
#ifndef HTTP_LIVE_H
#define HTTP_LIVE_H

#include <stdint.h>
#include "base/str.h"

struct error;
struct live;
struct request;

#define LIVE_STREAMS 64
#define LIVE_PER_ADDRESS 4
#define LIVE_CONNECTS_PER_MINUTE 60
#define LIVE_CONNECTS_AT_ONCE 20

/* state: directory. NULL: error says why. */
struct live *live_create(struct error *error, const char *state);
/* After the listener is gone; takes NULL. */
void live_destroy(struct live *live);

/* The next two on the listener's thread, from its handler. */
/* False: this address comes too often, and the request has its 429. */
bool live_admit(struct live *live, struct request *request);
/* Answers it. tenant: whose events, empty: all. */
void live_watch(struct live *live, struct request *request, struct str tenant);

/* Ends all streams; their viewers come back, if they still may. Any thread. */
void live_dismiss(struct live *live);

struct live_stats {
	uint64_t opened, refused, behind, cut, events; /* behind: times one had no room */
	uint32_t streams;                              /* now */
};
void live_stats(struct live *live, struct live_stats *out); /* any thread */

#endif
