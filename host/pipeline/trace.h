/* trace.h - W3C Trace Context: our correlation is the trace's id, in and out. Any thread. */
#ifndef PIPELINE_TRACE_H
#define PIPELINE_TRACE_H

#include <stdbool.h>

#include "base/id.h"

struct arena;

/* The trace that a request's "traceparent" names; false: it is none (then it is as if absent). */
bool trace_read(struct id *trace, struct str traceparent);
/* "traceparent" of a request that belongs to it, with a span of its own. Nothing: the correlation
 * is no id, or no memory. */
struct str trace_write(struct arena *arena, struct str correlation);

#endif
