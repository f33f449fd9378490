/* retention.c - forgets what is old, a little at a time. See care.h. Never asks for the next step
 * before the last one is stored, and waits longer while somebody is on the line. Runner's thread;
 * stepped() is the writer's and only hands over.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "pipeline/care.h"
#include "pipeline/runner_i.h"

#define EVERY_MS (INT64_C(6) * 60 * 60 * 1000)
#define AGAIN_MS 60000    /* after a step that failed, and after a pass that deleted rows */
#define PAUSE_MS 20       /* between two steps */
#define LONG_PAUSE_MS 200 /* while somebody is on the line */
#define DOUBT_MS                                                                                   \
	(INT64_C(24) * 60 * 60 * 1000) /* for somebody to notice that the clock is wrong           \
					*/
#define LONG_PAUSES_MOST 300           /* in a row: then a step is due all the same */
#define MEMORY ((size_t)16 * 1024 * 1024)

struct retention {
	struct mailbox_item item;
	struct runner *runner;
	uv_timer_t pause;
	struct arena *arena; /* of the rules of the pass in hand; NULL: none is */
	const struct config *config;
	struct store_retain op;
	bool under_way, afresh; /* afresh: the rules have changed meanwhile */
	int64_t trust_ms;       /* clock_mono_ms from which on a doubted clock counts; 0: it is not
				   doubted */
	unsigned long_pauses;
	int64_t due_ms;             /* clock_mono_ms */
	uint64_t freed[KEEP_KINDS]; /* of this pass */
	uint64_t swept;
	uint64_t total[KEEP_KINDS], total_swept, passes, failures;
};

static const char *const names[KEEP_KINDS] = {"raw", "transcript", "recording", "call", "metadata"};

/* ---- The rules ---------------------------------------------------------------------------- */

static int by_tenant(const void *a, const void *b)
{
	const struct keep *left = a, *right = b;

	return strcmp(left->tenant.ptr, right->tenant.ptr);
}

static void read_keep(struct keep *keep, const char *tenant, const int64_t ms[CONFIG_KEEPS])
{
	_Static_assert((int)KEEP_KINDS == (int)CONFIG_KEEPS, "the kinds are the same");
	_Static_assert(KEEP_FOREVER == CONFIG_FOREVER, "so is for ever");
	keep->tenant = str_of(tenant);
	memcpy(keep->ms, ms, sizeof(keep->ms));
}

static bool read_rules(struct retention *rt)
{
	size_t count;
	const struct config_tenant *tenants = config_tenants(rt->config, &count);
	struct keep *keeps = arena_alloc(rt->arena, (count + 1) * sizeof(*keeps));

	if (!keeps)
		return false;
	read_keep(&keeps[0], "", config_host(rt->config)->keep_ms);
	for (size_t i = 0; i < count; i++)
		read_keep(&keeps[i + 1], tenants[i].name, tenants[i].keep_ms);
	if (count > 1)
		qsort(keeps + 1, count, sizeof(*keeps), by_tenant);
	rt->op.keeps = keeps;
	rt->op.keep_count = count + 1;
	return true;
}

/* ---- A pass ------------------------------------------------------------------------------- */

static void submit(struct retention *rt);

static void end_pass(struct retention *rt, int64_t wait_ms)
{
	config_unref(rt->config);
	arena_destroy(rt->arena);
	rt->config = NULL;
	rt->arena = NULL;
	rt->under_way = false;
	rt->due_ms = clock_mono_ms() + (rt->afresh ? 0 : wait_ms);
	rt->afresh = false;
}

static void tell(const struct retention *rt)
{
	char counts[KEEP_KINDS][24], swept[24];
	uint64_t sum = rt->swept;

	for (int i = 0; i < KEEP_KINDS; i++) {
		snprintf(counts[i], sizeof(counts[i]), "%llu", (unsigned long long)rt->freed[i]);
		sum += rt->freed[i];
	}
	snprintf(swept, sizeof(swept), "%llu", (unsigned long long)rt->swept);
	if (sum)
		log_line(LOG_INFO, "old data deleted", names[0], counts[0], names[1], counts[1],
			names[2], counts[2], names[3], counts[3], names[4], counts[4], "own", swept,
			NULL);
}

static void add_up(struct retention *rt)
{
	for (int i = 0; i < KEEP_KINDS; i++) {
		rt->freed[i] += rt->op.freed[i];
		rt->total[i] += rt->op.freed[i];
	}
	rt->swept += rt->op.swept;
	rt->total_swept += rt->op.swept;
}

static void after_pause(uv_timer_t *timer)
{
	struct retention *rt = timer->data;

	if (rt->runner->draining) {
		end_pass(rt, EVERY_MS);
		return;
	}
	if (rt->runner->callers && rt->long_pauses++ < LONG_PAUSES_MOST) {
		uv_timer_start(&rt->pause, after_pause, LONG_PAUSE_MS, 0);
		return;
	}
	rt->long_pauses = 0;
	submit(rt);
}

static void doubt(struct retention *rt)
{
	if (!rt->trust_ms) {
		rt->trust_ms = clock_mono_ms() + DOUBT_MS;
		log_line(LOG_WARN,
			"nothing old is deleted for a day: by the clock, that was last done more "
			"than two days ago. If the host was not off, look at the clock",
			NULL);
	}
	end_pass(rt, AGAIN_MS);
}

static void stepped_here(struct mailbox_item *item)
{
	struct retention *rt = (struct retention *)item;

	if (rt->op.op.result < 0) {
		log_line(LOG_ERROR, "old data not deleted, will be tried again", "reason",
			rt->op.op.error.text, NULL);
		rt->failures++;
		end_pass(rt, AGAIN_MS);
		return;
	}
	if (rt->op.doubted) {
		doubt(rt);
		return;
	}
	rt->trust_ms = 0;
	add_up(rt);
	if (rt->op.over) {
		tell(rt);
		rt->passes++;
		/* what named a row that was deleted may go with the next pass */
		end_pass(rt, rt->freed[KEEP_METADATA] ? AGAIN_MS : EVERY_MS);
		return;
	}
	rt->op.at = rt->op.next;
	uv_timer_start(&rt->pause, after_pause, PAUSE_MS, 0);
}

static void stepped(struct store_op *op)
{
	struct retention *rt = op->user;

	rt->item.run = stepped_here;
	runner_post(rt->runner, &rt->item);
}

static void submit(struct retention *rt)
{
	store_retain(rt->runner->store, &rt->op);
}

static void begin(struct retention *rt)
{
	rt->op = (struct store_retain){.now_ms = clock_now_ms(),
		.generation = rt->runner->plan->generation,
		.trusted = rt->trust_ms && clock_mono_ms() >= rt->trust_ms,
		.op = {.done = stepped, .user = rt}};
	memset(rt->freed, 0, sizeof(rt->freed));
	rt->swept = 0;
	rt->arena = arena_create(MEMORY);
	rt->config = config_ref(rt->runner->plan->config);
	rt->under_way = true;
	if (rt->arena && read_rules(rt))
		submit(rt);
	else
		end_pass(rt, AGAIN_MS);
}

/* ---- By the clock ------------------------------------------------------------------------- */

static struct retention *retention_of(struct runner *r)
{
	struct retention *rt = r->retention;

	if (rt)
		return rt;
	rt = calloc(1, sizeof(*rt));
	if (!rt)
		return NULL; /* with the next tick */
	rt->runner = r;
	uv_timer_init(&r->loop, &rt->pause);
	rt->pause.data = rt;
	r->retention = rt;
	return rt;
}

void retention_tick(struct runner *r)
{
	struct retention *rt = r->draining || r->options.only_ours ? NULL : retention_of(r);

	if (rt && !rt->under_way && clock_mono_ms() >= rt->due_ms)
		begin(rt);
}

void retention_reload(struct runner *r)
{
	if (!r->retention)
		return;
	r->retention->afresh = true;
	r->retention->due_ms = 0;
}

void retention_print(struct runner *r, struct buf *out)
{
	const struct retention *rt = r->retention;

	if (!rt)
		return;
	buf_add_text(out,
		"# HELP klinke_retention_freed_total Rows that lost this, because it was old.\n"
		"# TYPE klinke_retention_freed_total counter\n");
	for (int i = 0; i < KEEP_KINDS; i++)
		buf_printf(out, "klinke_retention_freed_total{kind=\"%s\"} %llu\n", names[i],
			(unsigned long long)rt->total[i]);
	buf_printf(out,
		"# HELP klinke_retention_passes_total Times everything was looked at for age.\n"
		"# TYPE klinke_retention_passes_total counter\nklinke_retention_passes_total %llu\n"
		"# HELP klinke_retention_failures_total Times it could not be looked at to the "
		"end.\n"
		"# TYPE klinke_retention_failures_total counter\n"
		"klinke_retention_failures_total %llu\n",
		(unsigned long long)rt->passes, (unsigned long long)rt->failures);
}

void retention_finish(struct runner *r)
{
	struct retention *rt = r->retention;

	if (!rt)
		return;
	config_unref(rt->config);
	arena_destroy(rt->arena);
	free(rt);
	r->retention = NULL;
}
