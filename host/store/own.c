/* own.c - events that the host itself tells, of no webhook and no job, with all that they cause.
 * The writer's thread. */
#include "store/engine.h"

static int run_add(struct store *store, struct store_op *base)
{
	struct store_add_events *op = (struct store_add_events *)base;
	int rc = 0;

	for (size_t i = 0; i < op->event_count && !rc; i++)
		rc = event_apply(&base->error, store, base, &op->events[i], op->claim);
	return rc;
}

void store_add_events(struct store *store, struct store_add_events *op)
{
	struct prepare what = {.events = op->events, .event_count = op->event_count};
	int rc = prepare_change(store, &op->op, &what);

	queue_submit(store, &op->op, rc ? NULL : run_add);
}
