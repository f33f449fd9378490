/* peer.h - a scripted HTTP peer for tests: answers the nth request with the nth step, byte for
 * byte, and remembers what it was sent. */
#ifndef TESTS_PEER_H
#define TESTS_PEER_H

#include <stdbool.h>
#include <stddef.h>

enum peer_then { PEER_KEEP, PEER_CLOSE, PEER_RESET, PEER_HANG };

struct peer_step {
	const char *reply; /* NULL: none */
	enum peer_then then;
	int delay_ms; /* before the reply */
};

struct peer;
struct peer *peer_start(const struct peer_step *steps, size_t count); /* the last one repeats */
void peer_stop(struct peer *peer);
unsigned peer_port(const struct peer *peer);
unsigned peer_requests(struct peer *peer);               /* whole ones, so far */
unsigned peer_connections(struct peer *peer);            /* accepted, so far */
unsigned peer_closed(struct peer *peer);                 /* of these, closed by us */
const char *peer_request(struct peer *peer, unsigned n); /* from 0; NULL: there is none */

#endif
