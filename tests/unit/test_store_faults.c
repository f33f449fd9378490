/* A disk that fails once, at each call in turn: what was acknowledged is stored, what was refused
 * is not, and the next operation works. */
#include "store_file.h"

/* ---- a layer below the store that fails the nth write or sync
 * ------------------------------------ */

static int countdown; /* 0: never; used by the writer's and the checkpointer's thread */
static int failed;

static bool fails_now(void)
{
	if (__atomic_load_n(&countdown, __ATOMIC_SEQ_CST) == 0)
		return false;
	if (__atomic_sub_fetch(&countdown, 1, __ATOMIC_SEQ_CST) != 0)
		return false;
	__atomic_add_fetch(&failed, 1, __ATOMIC_SEQ_CST);
	return true;
}

/* What becomes of the pages of the file (not the log) when a sync of it fails: the kernel drops
 * them and says so once. They are lost unless they are written again. */
#define PAGE 4096
#define PAGES_MAX 65536
enum fate { SAFE, WRITTEN, LOST };

static uint8_t fate[PAGES_MAX];
static int file_syncs_fail; /* every so often; 0: none */
static int file_syncs, file_syncs_failed;

static bool sync_of_file_fails(void)
{
	int every = __atomic_load_n(&file_syncs_fail, __ATOMIC_SEQ_CST);
	bool yes = every && __atomic_add_fetch(&file_syncs, 1, __ATOMIC_SEQ_CST) % every == 0;

	for (size_t i = 0; i < PAGES_MAX; i++)
		if (__atomic_load_n(&fate[i], __ATOMIC_SEQ_CST) == WRITTEN)
			__atomic_store_n(&fate[i], yes ? LOST : SAFE, __ATOMIC_SEQ_CST);
	if (yes)
		__atomic_add_fetch(&file_syncs_failed, 1, __ATOMIC_SEQ_CST);
	return yes;
}

static size_t lost(void)
{
	size_t n = 0;

	for (size_t i = 0; i < PAGES_MAX; i++)
		n += fate[i] == LOST;
	return n;
}

/* SQLite's files are used as they are, but for two of their methods. Its log has other methods than
 * its database. */
static const sqlite3_io_methods *real[2];
static sqlite3_io_methods methods[2];
static sqlite3_vfs faulty, *real_vfs;

static const sqlite3_io_methods *real_of(const sqlite3_file *file)
{
	return real[file->pMethods == &methods[1]];
}

static int faulty_write(sqlite3_file *file, const void *bytes, int n, sqlite3_int64 at)
{
	if (file->pMethods == &methods[0] && at / PAGE < PAGES_MAX)
		__atomic_store_n(&fate[at / PAGE], WRITTEN, __ATOMIC_SEQ_CST);
	return fails_now() ? SQLITE_IOERR_WRITE : real_of(file)->xWrite(file, bytes, n, at);
}

static int faulty_sync(sqlite3_file *file, int flags)
{
	if (file->pMethods == &methods[0] && sync_of_file_fails())
		return SQLITE_IOERR_FSYNC;
	return fails_now() ? SQLITE_IOERR_FSYNC : real_of(file)->xSync(file, flags);
}

static int faulty_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
	int rc = real_vfs->xOpen(real_vfs, name, file, flags, out);
	int i = flags & SQLITE_OPEN_WAL ? 1 : 0;

	(void)vfs;
	if (!file->pMethods || !(flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_DB)))
		return rc;
	if (!real[i]) { /* at the first open, before there is a second thread */
		real[i] = file->pMethods;
		methods[i] = *real[i];
		methods[i].xWrite = faulty_write;
		methods[i].xSync = faulty_sync;
	}
	assert_ptr_equal(file->pMethods, real[i]);
	file->pMethods = &methods[i];
	return rc;
}

static void register_faulty(void)
{
	real_vfs = sqlite3_vfs_find(NULL);
	faulty = *real_vfs;
	faulty.zName = "faulty";
	faulty.xOpen = faulty_open;
	assert_int_equal(sqlite3_vfs_register(&faulty, 1), SQLITE_OK);
}

/* ---- the test
 * -------------------------------------------------------------------------------------- */

#define OPS 20
#define ROUNDS 60

struct batch {
	struct inbox_row rows[OPS];
	struct store_append_inbox ops[OPS];
};

static void submit(struct fixture *f, struct batch *batch, char *body, size_t body_len)
{
	struct waiter waiter;
	int i;

	waiter_init(&waiter, OPS);
	for (i = 0; i < OPS; i++) {
		batch->rows[i] = an_inbox_row();
		batch->rows[i].body = (struct str){body, body_len};
		batch->ops[i] = (struct store_append_inbox){
			.row = &batch->rows[i], .op = {.done = waiter_done, .user = &waiter}};
		store_append_inbox(f->store, &batch->ops[i]);
	}
	waiter_wait(&waiter);
}

static bool is_stored(const struct inbox_row *rows, size_t count, const struct id *id)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (memcmp(&rows[i].id, id, sizeof(*id)) == 0)
			return true;
	return false;
}

static void compare(struct fixture *f, const struct batch *batches, size_t count)
{
	struct store_filter filter = {.limit = 1000000};
	struct inbox_row *rows;
	size_t stored, i, k;

	assert_int_equal(store_list_inbox(NULL, f->reader, &filter, f->arena, &rows, &stored), 0);
	for (i = 0; i < count; i++)
		for (k = 0; k < OPS; k++) {
			int result = batches[i].ops[k].op.result;
			if (result)
				assert_int_equal(result, E_IO);
			if (is_stored(rows, stored, &batches[i].rows[k].id) != (result == 0))
				fail_msg("row %zu of round %zu: result %d, but it is %sstored", k,
					i, result, result ? "" : "not ");
		}
}

static void each_call_that_fails_once_fails_its_group_only(void **state)
{
	struct fixture *f = *state;
	struct batch *batches = calloc(ROUNDS, sizeof(*batches));
	char *body = calloc(1, 20000);
	int i;

	for (i = 0; i < ROUNDS; i++) {
		__atomic_store_n(&countdown, i % 2 ? 0 : 1 + i / 2, __ATOMIC_SEQ_CST);
		submit(f, &batches[i], body, 20000);
		if (i % 2) /* the round after: nothing is left of the fault */
			assert_int_equal(batches[i].ops[OPS - 1].op.result, 0);
	}
	__atomic_store_n(&countdown, 0, __ATOMIC_SEQ_CST);
	assert_true(__atomic_load_n(&failed, __ATOMIC_SEQ_CST) > 5);
	compare(f, batches, ROUNDS);
	reopen(f);
	compare(f, batches, ROUNDS);
	free(batches);
	free(body);
}

/* The log is begun anew only when the file has all of it on disk: also if a sync in between failed
 * and the next ones did not. */
static void what_a_failed_sync_lost_is_copied_again(void **state)
{
	struct fixture *f = *state;
	struct batch *batch = calloc(1, sizeof(*batch));
	char *body = calloc(1, 20000);
	int i;

	file_syncs = file_syncs_failed = 0;
	__atomic_store_n(&file_syncs_fail, 2, __ATOMIC_SEQ_CST);
	for (i = 0; i < 2 * ROUNDS; i++)
		submit(f, batch, body, 20000);
	assert_true(__atomic_load_n(&file_syncs_failed, __ATOMIC_SEQ_CST) > 1);
	__atomic_store_n(&file_syncs_fail, 0, __ATOMIC_SEQ_CST);
	reopen(f);
	assert_int_equal(lost(), 0);
	free(batch);
	free(body);
}

/* A claim belongs to its commit: what could not be committed is not in anybody's hands. */
static void a_claim_is_given_back_when_its_commit_fails(void **state)
{
	struct fixture *f = *state;
	struct job_row jobs[2] = {a_job(STR("")), a_job(STR(""))};
	struct store_add_jobs op = {.jobs = jobs, .job_count = 2, .claim = true};

	__atomic_store_n(&countdown, 1, __ATOMIC_SEQ_CST);
	assert_int_equal(add_jobs_now(f, &op), E_IO);
	assert_int_equal(claim(f, 2000, 10).count, 0);
	op.claim = false;
	assert_int_equal(add_jobs_now(f, &op), 0);
	assert_int_equal(claim(f, 2000, 10).count, 2);
}

/* ---- a bad page ---------------------------------------------------------------------------- */

#define MANY 100

/* The number of a page of table job, from its middle. The store is closed. */
static int64_t a_page_of_jobs(struct fixture *f)
{
	return number(in(f, "klinke.db"),
		"SELECT pageno FROM dbstat WHERE name = 'job' AND pagetype = 'leaf' "
		"ORDER BY path LIMIT 1 OFFSET 3");
}

/* In one group with a webhook; gives what became of the save, the webhook must be stored. */
static int save_beside_a_webhook(struct fixture *f, const struct job_row *job)
{
	struct job_row row = *job;
	struct inbox_row hook = an_inbox_row();
	struct store_save_job op = {.job = &row};
	struct store_append_inbox append_op = {.row = &hook};
	struct waiter waiter;

	row.state = JOB_DONE;
	waiter_init(&waiter, 2);
	op.op.user = append_op.op.user = &waiter;
	op.op.done = append_op.op.done = waiter_done;
	store_cork(f->store);
	store_append_inbox(f->store, &append_op);
	store_save_job(f->store, &op);
	store_uncork(f->store);
	waiter_wait(&waiter);
	assert_int_equal(append_op.op.result, 0);
	return op.op.result;
}

static void who_meets_a_bad_page_fails_alone(void **state)
{
	struct fixture *f = *state;
	struct store_counts counts;
	struct job_row jobs[MANY];
	int64_t page;
	int bad = 0;

	for (int i = 0; i < MANY; i++) {
		jobs[i] = a_job(STR(""));
		jobs[i].input = STR("{\"a\":\"some bytes, so that there are many pages\"}");
	}
	add(f, jobs, MANY);
	close_both(f);
	page = a_page_of_jobs(f);
	open_store(f);
	open_reader(f);
	flip(in(f, "klinke.db"), (page - 1) * PAGE, PAGE);
	for (int i = 0; i < MANY; i++) {
		int rc = save_beside_a_webhook(f, &jobs[i]);
		assert_true(rc == 0 || rc == E_CORRUPT);
		bad += rc != 0;
	}
	assert_in_range(bad, 1, MANY - 1);
	assert_int_equal(store_count(NULL, f->reader, &counts), 0);
	assert_int_equal(counts.inbox_new, MANY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(each_call_that_fails_once_fails_its_group_only),
		STORE_TEST(what_a_failed_sync_lost_is_copied_again),
		STORE_TEST(a_claim_is_given_back_when_its_commit_fails),
		STORE_TEST(who_meets_a_bad_page_fails_alone),
	};

	register_faulty();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
