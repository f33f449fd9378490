/* offer.c - not written yet. */
#include "desk/steps.h"

void desk_offer(struct desk_run *run, struct desk_next *next)
{
	(void)run;
	desk_fail(next, STR("This operation is not there yet."));
}
