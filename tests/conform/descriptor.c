/* descriptor.c - an id that is none, and a schema that is no JSON. */
#define ID "Bell"
#define SCHEMA "{'type': 'object'}"
#include "bell.h"

BELL
