/* rude.h - a plugin that does whatever bytes say: with the host's table, with what it is given, and
 * with what it hands back. Pointers are into memory that is there; everything else may be wrong. */
#ifndef FUZZ_RUDE_H
#define FUZZ_RUDE_H

#include <stddef.h>
#include <stdint.h>

#include <klinke/plugin.h>

/* What it does from now on. The bytes are the caller's as long as it runs. */
void rude_begin(const uint8_t *bytes, size_t len);

/* Its next byte, for what else the input decides; 0 behind the end. */
uint8_t rude_byte(void);

extern const kl_plugin rude_plugin;

#endif
