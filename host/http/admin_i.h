/* admin_i.h - what the verbs of admin.h share, for admin.c and privacy.c only. */
#ifndef HTTP_ADMIN_I_H
#define HTTP_ADMIN_I_H

#include <pthread.h>
#include <stdbool.h>
#include "base/error.h"
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

struct waited {
	pthread_mutex_t lock;
	pthread_cond_t done;
	bool over;
};
void admin_begin_wait(struct waited *w, struct store_op *op);
int admin_end_wait(struct ask *q, struct waited *w, struct store_op *op);

/* privacy.c: NULL and q->error, or the answer */
const struct json *privacy_forget(struct ask *q);
const struct json *privacy_export(struct ask *q);

#endif
