/* pending.c - operations that are not written yet; each goes away with its own file. */
#include "desk/steps.h"

#define PENDING(name)                                                                              \
	void name(struct desk_run *run, struct desk_next *next)                                    \
	{                                                                                          \
		(void)run;                                                                         \
		desk_fail(next, STR("This operation is not there yet."));                          \
	}

PENDING(desk_book)
PENDING(desk_find)
PENDING(desk_reschedule)
PENDING(desk_cancel)
