/* warm.h - what a worker could not read any more, read before: time zones, libcrypto. */
#ifndef PLUGIN_WARM_H
#define PLUGIN_WARM_H

void warm_up(void);

#endif
