/* disk.c - is the disk back that refused the last commit? Never more than one try at once. Runner's
 * thread; tried() is the writer's. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "pipeline/route.h"
#include "pipeline/runner_i.h"

struct trial {
	struct store_save_checkpoint op;
	struct checkpoint_row row;
	struct runner *runner;
	char value[32];
};

/* Writer's thread. */
static void tried(struct store_op *op)
{
	struct trial *t = op->user;

	atomic_store(&t->runner->trying, false);
	free(t);
}

/* Who watches readiness sends nothing until it is there again, so nothing else might be written. */
void disk_try(struct runner *r)
{
	struct error error;
	struct trial *t;

	if (!store_failing(r->store, &error) || atomic_exchange(&r->trying, true))
		return;
	t = calloc(1, sizeof(*t));
	if (!t) {
		atomic_store(&r->trying, false);
		return;
	}
	snprintf(t->value, sizeof(t->value), "%lld", (long long)clock_now_ms());
	t->row = (struct checkpoint_row){STR(ROUTE_OURS), STR("disk"), str_of(t->value)};
	t->runner = r;
	t->op.row = &t->row;
	t->op.op.done = tried;
	t->op.op.user = t;
	store_save_checkpoint(r->store, &t->op);
}
