/* metrics.h - the figures for Prometheus, text format 0.0.4. */
#ifndef HTTP_METRICS_H
#define HTTP_METRICS_H

struct buf;
struct listener;
struct live;
struct runner;

struct metrics_sources {
	const char *state;   /* directory */
	const char *sandbox; /* see struct admin */
	struct runner *runner;
	struct listener *listener;
	struct live *live;
};

/* Waits for the runner; not for the listener's thread. */
void metrics_print(struct buf *out, const struct metrics_sources *of);

#endif
