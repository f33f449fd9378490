/* store_fixture.h - a store in a directory of its own, and operations that are waited for. */
#ifndef STORE_FIXTURE_H
#define STORE_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <ftw.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/latch.h"
#include "store/store.h"

struct fixture {
	char directory[64];
	struct store *store;
	struct store_reader *reader;
	struct arena *arena;
};

static inline int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static inline void remove_files(const char *path)
{
	nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static inline void open_store(struct fixture *f)
{
	struct store_options options = {.directory = f->directory};
	struct error error = {0};

	if (store_open(&error, &f->store, &options) != 0)
		fail_msg("%s", error.text);
}

static inline void open_reader(struct fixture *f)
{
	struct error error = {0};

	if (store_reader_open(&error, &f->reader, f->directory) != 0)
		fail_msg("%s", error.text);
}

static inline int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	snprintf(f->directory, sizeof(f->directory), "/tmp/klinke-store-XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	f->arena = arena_create((size_t)64 << 20);
	open_store(f);
	open_reader(f);
	*state = f;
	return 0;
}

static inline void close_both(struct fixture *f)
{
	store_reader_close(f->reader);
	store_close(f->store);
	f->reader = NULL;
	f->store = NULL;
}

static inline void reopen(struct fixture *f)
{
	close_both(f);
	open_store(f);
	open_reader(f);
}

static inline int tear_down(void **state)
{
	struct fixture *f = *state;

	close_both(f);
	arena_destroy(f->arena);
	remove_files(f->directory);
	free(f);
	return 0;
}

static inline void assert_says(const struct error *error, const char *words)
{
	if (!strstr(error->text, words))
		fail_msg("\"%s\" does not say \"%s\"", error->text, words);
}

/* It does not open, and says these words. */
static inline struct error refused(struct fixture *f, int code, const char *words)
{
	struct store_options options = {.directory = f->directory};
	struct error error = {0};
	struct store *store = NULL;

	assert_int_equal(store_open(&error, &store, &options), code);
	assert_null(store);
	assert_says(&error, words);
	return error;
}

/* ---- waiting ---------------------------------------------------------------------------- */

/* For as many operations as are told. */
struct waiter {
	struct latch latch;
	atomic_uint left;
};

static inline void waiter_done(struct store_op *op)
{
	struct waiter *waiter = op->user;

	if (atomic_fetch_sub(&waiter->left, 1) == 1)
		latch_open(&waiter->latch);
}

static inline void waiter_init(struct waiter *waiter, unsigned count)
{
	assert_true(count > 0);
	latch_init(&waiter->latch);
	atomic_init(&waiter->left, count);
}

static inline void waiter_wait(struct waiter *waiter)
{
	latch_wait(&waiter->latch);
}

/* Submits with store_XXX and waits; gives the operation's result. */
#define WAITED(name)                                                                               \
	static inline int name##_now(struct fixture *f, struct store_##name *op)                   \
	{                                                                                          \
		struct waiter waiter;                                                              \
                                                                                                   \
		waiter_init(&waiter, 1);                                                           \
		op->op.user = &waiter;                                                             \
		op->op.done = waiter_done;                                                         \
		store_##name(f->store, op);                                                        \
		waiter_wait(&waiter);                                                              \
		return op->op.result;                                                              \
	}
WAITED(append_inbox)
WAITED(finish_inbox)
WAITED(save_job)
WAITED(add_jobs)
WAITED(claim)
WAITED(pending_inbox)
WAITED(decide_job)
WAITED(hasten_jobs)
WAITED(replay_inbox)
WAITED(save_generation)
WAITED(save_breaker)

/* ---- rows ------------------------------------------------------------------------------ */

#define TENANT STR("praxis-winter")
#define PHONE STR("praxis-winter/phone")

static inline struct inbox_row an_inbox_row(void)
{
	return (struct inbox_row){
		.id = id_new(),
		.connection = PHONE,
		.route = STR("events"),
		.method = STR("POST"),
		.path = STR("/hooks/praxis-winter/phone"),
		.query = STR("[]"),
		.headers = STR("[[\"x-signature\",\"v=1\"]]"),
		.body = STR("{\"event\":\"call_ended\",\"name\":\"Erika Mustermann\"}"),
		.correlation = STR("c0ffee"),
		.received_ms = 1000,
		.state = INBOX_NEW,
	};
}

static inline struct event_row an_event(struct str dedupe)
{
	return (struct event_row){
		.id = id_new(),
		.tenant = TENANT,
		.connection = PHONE,
		.type = STR("call.ended"),
		.dedupe = dedupe,
		.subject = STR("call_1"),
		.person = STR("{\"name\":\"Erika Mustermann\"}"),
		.data = STR("{\"from\":\"+4930123\"}"),
		.correlation = STR("c0ffee"),
		.at_ms = 900,
		.received_ms = 1000,
	};
}

static inline struct job_row a_job(struct str order_key)
{
	return (struct job_row){
		.id = id_new(),
		.tenant = TENANT,
		.pipeline = STR("book-after-call"),
		.order_key = order_key,
		.correlation = STR("c0ffee"),
		.due_ms = 1000,
		.created_ms = 1000,
		.updated_ms = 1000,
		.generation = 1,
		.progress = STR("{}"),
	};
}

static inline struct id append(struct fixture *f)
{
	struct inbox_row row = an_inbox_row();
	struct store_append_inbox op = {.row = &row};

	assert_int_equal(append_inbox_now(f, &op), 0);
	return row.id;
}

static inline void add(struct fixture *f, struct job_row *jobs, size_t count)
{
	struct store_add_jobs op = {.jobs = jobs, .job_count = count};

	assert_int_equal(add_jobs_now(f, &op), 0);
}

static inline struct store_claim claim(struct fixture *f, int64_t now_ms, size_t limit)
{
	struct store_claim op = {.arena = f->arena, .now_ms = now_ms, .limit = limit};

	assert_int_equal(claim_now(f, &op), 0);
	return op;
}

static inline struct store_save_job save(
	struct fixture *f, const struct job_row *job, enum job_state state)
{
	struct job_row row = *job;
	struct store_save_job op = {.job = &row};

	row.state = state;
	if (save_job_now(f, &op) != 0)
		fail_msg("%s", op.op.error.text);
	op.job = job;
	return op;
}

/* As it is stored now. */
static inline struct job_row stored(struct fixture *f, const struct job_row *job)
{
	struct store_filter filter = {.limit = 1000000};
	struct job_row *rows;
	size_t count, i;

	assert_int_equal(store_list_jobs(NULL, f->reader, &filter, f->arena, &rows, &count), 0);
	for (i = 0; i < count; i++)
		if (memcmp(&rows[i].id, &job->id, sizeof(job->id)) == 0)
			return rows[i];
	fail_msg("the job is not stored");
	return (struct job_row){0};
}

static inline enum job_state state_of(struct fixture *f, const struct job_row *job)
{
	return stored(f, job).state;
}

#define assert_str(s, text) assert_true(str_is(s, text))
#define assert_id(a, b) assert_memory_equal(&(a), &(b), sizeof(struct id))
#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
