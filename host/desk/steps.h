/* steps.h - the desk's operations, one function each; desk.c calls them by name. */
#ifndef DESK_STEPS_H
#define DESK_STEPS_H

#include "desk/desk.h"

struct offices;

void desk_match_step(struct desk_run *run, struct desk_next *next);  /* desk.c */
void desk_inbound(struct desk_run *run, struct desk_next *next);     /* inbound.c */
void desk_offer(struct desk_run *run, struct desk_next *next);       /* offer.c */
void desk_book(struct desk_run *run, struct desk_next *next);        /* book.c */
void desk_find(struct desk_run *run, struct desk_next *next);        /* find.c */
void desk_reschedule(struct desk_run *run, struct desk_next *next);  /* change.c */
void desk_cancel(struct desk_run *run, struct desk_next *next);      /* change.c */
void desk_services(struct desk_run *run, struct desk_next *next);    /* services.c */
void desk_callback(struct desk_run *run, struct desk_next *next);    /* callback.c */
void desk_set_service(struct desk_run *run, struct desk_next *next); /* catalogue_set.c */
void desk_set_branch(struct desk_run *run, struct desk_next *next);  /* catalogue_set.c */

/* What the operations read. */
struct store_reader *desk_reader(const struct desk *desk);
const struct offices *desk_offices(const struct desk *desk);

void desk_fail(struct desk_next *next, struct str reason); /* next = FAIL */

#endif
