/* good.c - nothing is wrong with it. */
#include "bell.h"

BELL
