/* metrics.h - the figures for Prometheus, text format 0.0.4. */
#ifndef HTTP_METRICS_H
#define HTTP_METRICS_H

struct buf;
struct listener;
struct runner;

/* Waits for the runner; not for the listener's thread. */
void metrics_print(
	struct buf *out, const char *state, struct runner *runner, const struct listener *listener);

#endif
