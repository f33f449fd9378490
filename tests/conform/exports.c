/* exports.c - shows a function that is nobody's business. */
#include "bell.h"

KL_EXPORT int helper(int n);
int helper(int n)
{
	return n + 1;
}

BELL
