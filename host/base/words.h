/* words.h - dates as people say them, in the languages offices speak. Safe from any thread. */
#ifndef BASE_WORDS_H
#define BASE_WORDS_H

#include "base/clock.h"

#define WORDS_TEXT 64

/* "Donnerstag, 26. November 2026"; "Thursday, 26 November 2026". language: "de" or "en"; any other
 * is "en". Returns the length. */
size_t words_day(char out[WORDS_TEXT], const struct civil *civil, const char *language);
size_t words_clock(char out[WORDS_TEXT], const struct civil *civil); /* "17:15" */

#endif
