/* admin_i.h - what the verbs of admin.h share, for admin.c and privacy.c only. */
#ifndef HTTP_ADMIN_I_H
#define HTTP_ADMIN_I_H

#include "base/error.h"
#include "base/latch.h"
#include "http/admin.h"
#include "store/store.h"

struct ask {
	const struct admin *admin;
	struct arena *arena;
	const struct json *request;
	struct store_reader *reader;
	struct error error;
};
int admin_reader(struct ask *q); /* opens it */

/* Around a store_…() with this op. Below 0, and q->error: it failed. */
void admin_begin_wait(struct latch *latch, struct store_op *op);
int admin_end_wait(struct ask *q, struct latch *latch, struct store_op *op);

/* privacy.c: NULL and q->error, or the answer */
const struct json *privacy_forget(struct ask *q);
const struct json *privacy_export(struct ask *q);

#endif
