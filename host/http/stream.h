/* stream.h - the inside of an answer that goes on, for exchange.c and listener.c; everything here
 * runs on the listener's thread. What others may do is in listener.h. */
#ifndef HTTP_STREAM_H
#define HTTP_STREAM_H

#include "http/exchange.h"

/* Its connection has ended, however that came. Calls over(). */
void stream_gone(struct stream *stream);
/* libmicrohttpd looks at the connection again: after a cut, and before it is stopped. */
void stream_stir(struct stream *stream);
/* The client takes nothing of what waits for it. */
void stream_stalled(struct stream *stream);
/* The client has everything that was written so far. */
bool stream_idle(const struct stream *stream);

#endif
