/* store_kill - kill -9 at any moment loses nothing that was acknowledged and doubles nothing.
 *
 *	store_kill [ROUNDS [SEED]]
 *
 * A child works on a store: it takes webhooks, makes events and jobs of them, has each job hold a
 * time that others want, too, saves and claims jobs, and tells each acknowledgement through a pipe.
 * The parent kills it at a moment of chance, opens the same store, and compares it with all it was
 * told since the first round: the parent is the witness, and what it knows never comes from the
 * store. Not told is free: such a row may be there or not, whole or not at all. And whatever is
 * there: no two holds have one seat at one time, and none is half there.
 */
#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "store/store.h"

#define OUTSTANDING 32
#define ROUNDS 50
#define TENANT STR("praxis-winter")
#define PHONE STR("praxis-winter/phone")

enum told { TOLD_INBOX = 1, TOLD_FINISHED, TOLD_HELD, TOLD_JOB_DONE };

struct message {               /* shorter than PIPE_BUF: written whole or not at all */
	uint32_t what, number; /* number: of the webhook, counted over all rounds */
	struct id inbox, event, job;
	struct id hold; /* zero: none that must be there */
};

/* ---- the child: one chain per place, webhook -> event and job -> job done
 * ------------------------------ */

struct chain {
	struct message told;
	struct inbox_row inbox;
	struct store_append_inbox append;
	struct event_row event;
	struct job_row job;
	struct event_change change;
	struct store_finish_inbox finish;
	struct hold_row hold;
	struct store_save_job save;
	struct attempt_row attempt;
	struct store *store;
	int pipe;
	uint32_t *next_number;
	char body[600], dedupe[32], resource[32], holder[32];
};

static void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
static void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "store_kill: ");
	vfprintf(stderr, format, args);
	fprintf(stderr, "\n");
	va_end(args);
	exit(1);
}

static void tell(struct chain *chain, enum told what, const struct store_op *op)
{
	if (op->result)
		die("operation failed: %s", op->error.text);
	chain->told.what = what;
	if (write(chain->pipe, &chain->told, sizeof(chain->told)) != sizeof(chain->told))
		_exit(0); /* the parent is gone */
}

static void begin_chain(struct chain *chain);

static void job_is_saved(struct store_op *op)
{
	struct chain *chain = op->user;

	tell(chain, TOLD_JOB_DONE, op);
	begin_chain(chain);
}

static void finish_job(struct chain *chain)
{
	chain->attempt = (struct attempt_row){.id = id_new(),
		.kind = ATTEMPT_STEP,
		.name = STR("map"),
		.input = {chain->body, strlen(chain->body)}};
	chain->job.state = JOB_DONE;
	chain->save = (struct store_save_job){.op = {.done = job_is_saved, .user = chain},
		.job = &chain->job,
		.attempts = &chain->attempt,
		.attempt_count = 1};
	store_save_job(chain->store, &chain->save);
}

static void time_is_held(struct store_op *op)
{
	struct chain *chain = op->user;

	if (op->result != E_TAKEN) {
		/* what is expired may go at any time */
		if (chain->hold.expires_ms > chain->inbox.received_ms)
			chain->told.hold = chain->hold.id;
		tell(chain, TOLD_HELD, op);
	}
	finish_job(chain);
}

/* The first of two rooms has one seat, the second two; 64 chains want the same morning. */
static void hold_time(struct chain *chain)
{
	uint32_t number = chain->told.number, room = number & 1;
	int64_t quarter = (int64_t)number / 64 * 96 + (number / 2 * 7) % 16;

	snprintf(chain->resource, sizeof(chain->resource), "room:%u", room);
	snprintf(chain->holder, sizeof(chain->holder), "call:%u", number);
	chain->hold = (struct hold_row){.id = id_new(),
		.tenant = TENANT,
		.holder = str_of(chain->holder),
		.resource = str_of(chain->resource),
		.start_ms = quarter * 15 * 60000,
		.end_ms = (quarter + 2) * 15 * 60000,
		.expires_ms = chain->inbox.received_ms + (number % 5 ? 3600000 : 0),
		.capacity = 1 + room,
		.state = HOLD_BOOKING,
		.job = chain->job.id};
	chain->save = (struct store_save_job){.op = {.done = time_is_held, .user = chain},
		.job = &chain->job,
		.keep_claim = true,
		.holds = &chain->hold,
		.hold_count = 1};
	store_save_job(chain->store, &chain->save);
}

static void inbox_is_finished(struct store_op *op)
{
	struct chain *chain = op->user;

	tell(chain, TOLD_FINISHED, op);
	if (chain->job.state == JOB_READY && chain->job.claimed)
		hold_time(chain);
	else
		begin_chain(chain); /* behind another one of its key: stays for the next life */
}

static void inbox_is_stored(struct store_op *op)
{
	struct chain *chain = op->user;

	tell(chain, TOLD_INBOX, op);
	chain->event = (struct event_row){.id = chain->told.event,
		.inbox = chain->told.inbox,
		.tenant = TENANT,
		.connection = PHONE,
		.type = STR("call.ended"),
		.dedupe = str_of(chain->dedupe),
		.data = STR("{}")};
	chain->job = (struct job_row){.id = chain->told.job,
		.event = chain->told.event,
		.tenant = TENANT,
		.pipeline = STR("p"),
		.order_key = chain->told.number % 3 ? STR("") : STR("shared"),
		.progress = STR("{}")};
	chain->change =
		(struct event_change){.row = &chain->event, .jobs = &chain->job, .job_count = 1};
	chain->finish =
		(struct store_finish_inbox){.op = {.done = inbox_is_finished, .user = chain},
			.inbox = chain->told.inbox,
			.state = INBOX_DONE,
			.tenant = TENANT,
			.events = &chain->change,
			.event_count = 1,
			.claim = true};
	store_finish_inbox(chain->store, &chain->finish);
}

static void body_of(char body[600], uint32_t number)
{
	memset(body, 'a' + (int)(number % 26), 599);
	body[599] = '\0';
	body[snprintf(body, 600, "%u:", number)] = ' ';
}

static void begin_chain(struct chain *chain)
{
	chain->told.number = __atomic_fetch_add(chain->next_number, 1, __ATOMIC_RELAXED);
	chain->told.inbox = id_new();
	chain->told.event = id_new();
	chain->told.job = id_new();
	chain->told.hold = (struct id){{0}};
	body_of(chain->body, chain->told.number);
	snprintf(chain->dedupe, sizeof(chain->dedupe), "evt-%u", chain->told.number);
	chain->inbox = (struct inbox_row){.id = chain->told.inbox,
		.connection = PHONE,
		.method = STR("POST"),
		.body = {chain->body, strlen(chain->body)},
		.received_ms = clock_now_ms(),
		.state = INBOX_NEW};
	chain->append = (struct store_append_inbox){
		.op = {.done = inbox_is_stored, .user = chain}, .row = &chain->inbox};
	store_append_inbox(chain->store, &chain->append);
}

static void work(const char *directory, int pipe, uint32_t first)
{
	struct store_options options = {.directory = directory};
	struct chain *chains = calloc(OUTSTANDING, sizeof(*chains));
	struct store *store;
	struct error error;
	size_t i;

	if (store_open(&error, &store, &options) != 0)
		die("open: %s", error.text);
	for (i = 0; i < OUTSTANDING; i++) {
		chains[i].store = store;
		chains[i].pipe = pipe;
		chains[i].next_number = &first;
		begin_chain(&chains[i]);
	}
	for (;;)
		pause();
}

/* ---- the parent
 * ---------------------------------------------------------------------------------- */

struct witness {               /* by number */
	struct message *known; /* what: the last that was told; 0: nothing */
	uint32_t capacity, next, told[TOLD_JOB_DONE + 1];
};

static void note(struct witness *witness, const struct message *message)
{
	if (message->number >= witness->capacity) {
		uint32_t capacity = 2 * message->number + 1024;
		witness->known = realloc(witness->known, capacity * sizeof(*witness->known));
		if (!witness->known)
			die("no memory");
		memset(witness->known + witness->capacity, 0,
			(capacity - witness->capacity) * sizeof(*witness->known));
		witness->capacity = capacity;
	}
	witness->known[message->number] = *message;
	witness->told[message->what]++;
	if (message->number >= witness->next)
		witness->next = message->number + 1;
}

static void live_and_die(struct witness *witness, const char *directory, int64_t life_us)
{
	uint32_t first = witness->next + OUTSTANDING; /* numbers that were begun but not told */
	struct message message;
	int ends[2], status;
	ssize_t n;
	pid_t child;
	int64_t end;

	if (pipe(ends) != 0)
		die("pipe: %s", strerror(errno));
	child = fork();
	if (child == 0) {
		close(ends[0]);
		work(directory, ends[1], first);
	}
	close(ends[1]);
	for (end = 0; (n = read(ends[0], &message, sizeof(message))) == sizeof(message);) {
		note(witness, &message);
		if (!end)
			end = clock_mono_us() + life_us; /* it lives from its first word on */
		if (clock_mono_us() >= end)
			kill(child,
				SIGKILL); /* what is in the pipe was acknowledged all the same */
	}
	close(ends[0]);
	if (waitpid(child, &status, 0) != child || !WIFSIGNALED(status))
		die("the child ended by itself");
}

/* Every id the store has, for looking up; a second time is one too many. */
struct found {
	struct id id;
	int state;
};

static int by_id(const void *a, const void *b)
{
	return memcmp(
		&((const struct found *)a)->id, &((const struct found *)b)->id, sizeof(struct id));
}

static const struct found *look_up(const struct found *all, size_t count, const struct id *id)
{
	struct found key = {.id = *id};

	return count ? bsearch(&key, all, count, sizeof(*all), by_id) : NULL;
}

static struct found *all_inbox(struct store_reader *reader, size_t *count)
{
	struct store_filter filter = {.limit = 100000000};
	struct arena *arena = arena_create((size_t)1 << 30);
	struct inbox_row *rows;
	struct found *all;
	struct error error;
	size_t i;

	if (store_list_inbox(&error, reader, &filter, arena, &rows, count) != 0)
		die("list: %s", error.text);
	all = calloc(*count + 1, sizeof(*all));
	for (i = 0; i < *count; i++)
		all[i] = (struct found){rows[i].id, (int)rows[i].state};
	arena_destroy(arena);
	qsort(all, *count, sizeof(*all), by_id);
	return all;
}

static struct found *all_jobs(struct store_reader *reader, size_t *count)
{
	struct store_filter filter = {.limit = 100000000};
	struct arena *arena = arena_create((size_t)1 << 30);
	struct job_row *rows;
	struct found *all;
	struct error error;
	size_t i;

	if (store_list_jobs(&error, reader, &filter, arena, &rows, count) != 0)
		die("list: %s", error.text);
	all = calloc(*count + 1, sizeof(*all));
	for (i = 0; i < *count; i++)
		all[i] = (struct found){rows[i].id, (int)rows[i].state};
	arena_destroy(arena);
	qsort(all, *count, sizeof(*all), by_id);
	return all;
}

struct all { /* what the store has */
	struct found *inbox, *jobs, *holds;
	size_t inbox_count, job_count, hold_count;
};

static void check_one(const struct message *known, const struct all *all)
{
	const struct found *row = look_up(all->inbox, all->inbox_count, &known->inbox);
	const struct found *job = look_up(all->jobs, all->job_count, &known->job);
	const struct found *hold = look_up(all->holds, all->hold_count, &known->hold);

	if (!row)
		die("webhook %u was acknowledged and is lost", known->number);
	if (known->what >= TOLD_FINISHED && row->state != INBOX_DONE)
		die("webhook %u was finished and is not", known->number);
	if (known->what >= TOLD_FINISHED && !job)
		die("the job of webhook %u was acknowledged and is lost", known->number);
	if (known->what >= TOLD_JOB_DONE && job->state != JOB_DONE)
		die("the job of webhook %u was done and is in state %d", known->number, job->state);
	if (row->state == INBOX_NEW && job)
		die("webhook %u is half finished", known->number);
	if (known->what == TOLD_HELD && !id_is_zero(&known->hold) && job->state != JOB_DONE &&
		!hold)
		die("the time of webhook %u was held and is not", known->number);
}

/* Bodies of some rows: whole, and each the one that was sent. */
static void check_story(struct store_reader *reader, const struct message *known)
{
	struct arena *arena = arena_create((size_t)16 << 20);
	char text[ID_TEXT], body[600];
	struct story story;
	struct error error;

	id_text(text, &known->inbox);
	body_of(body, known->number);
	if (store_story(&error, reader, str_of(text), STR(""), arena, &story) != 0)
		die("story of webhook %u: %s", known->number, error.text);
	if (story.inbox_count != 1 || !str_is(story.inbox[0].body, body))
		die("webhook %u came back changed", known->number);
	arena_destroy(arena);
}

/* Each finished webhook has one job, and each job its webhook, told or not. */
static void check_pairs(const struct found *inbox, size_t inbox_count, size_t job_count)
{
	size_t i, done = 0;

	for (i = 0; i < inbox_count; i++)
		done += inbox[i].state == INBOX_DONE;
	if (done != job_count)
		die("%zu webhooks are finished, but there are %zu jobs", done, job_count);
}

static void check_order(const struct found *jobs, size_t count)
{
	size_t i, ready = 0, queued = 0;

	for (i = 0; i < count; i++) {
		ready += jobs[i].state == JOB_READY;
		queued += jobs[i].state == JOB_QUEUED;
	}
	if (queued && !ready)
		die("%zu jobs are queued behind nobody", queued);
}

/* ---- holds: looked at with SQL, because the store hides what must not be -----------------------
 */

static void check_none(sqlite3 *db, const char *what, const char *sql)
{
	sqlite3_stmt *stmt;

	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK ||
		sqlite3_step(stmt) != SQLITE_ROW)
		die("%s: %s", what, sqlite3_errmsg(db));
	if (sqlite3_column_int64(stmt, 0))
		die("%lld %s", (long long)sqlite3_column_int64(stmt, 0), what);
	sqlite3_finalize(stmt);
}

static struct found *all_holds(sqlite3 *db, size_t *count)
{
	struct found *all = NULL;
	sqlite3_stmt *stmt;

	*count = 0;
	if (sqlite3_prepare_v2(db, "SELECT id, state FROM hold ORDER BY id", -1, &stmt, NULL) !=
		SQLITE_OK)
		die("holds: %s", sqlite3_errmsg(db));
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		all = realloc(all, (*count + 1) * sizeof(*all));
		if (!all)
			die("no memory");
		memcpy(&all[*count].id, sqlite3_column_blob(stmt, 0), sizeof(struct id));
		all[(*count)++].state = sqlite3_column_int(stmt, 1);
	}
	sqlite3_finalize(stmt);
	return all;
}

static struct found *check_holds(const char *directory, size_t *count)
{
	struct found *all;
	char path[200];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/klinke.db", directory);
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
		die("open: %s", sqlite3_errmsg(db));
	check_none(db, "pairs of holds have one seat at one time",
		"SELECT count(*) FROM hold AS a JOIN hold AS b ON a.tenant = b.tenant "
		"AND a.resource = b.resource AND a.seat = b.seat AND a.seq < b.seq "
		"AND b.start_ms > a.start_ms - 1800000 AND b.start_ms < a.end_ms "
		"AND b.end_ms > a.start_ms");
	check_none(db, "holds are half there",
		"SELECT count(*) FROM hold WHERE (end_ms - start_ms) / 300000 <> (SELECT count(*) "
		"FROM hold_cell AS c WHERE c.hold = hold.seq AND c.tenant = hold.tenant "
		"AND c.resource = hold.resource AND c.seat = hold.seat "
		"AND c.cell >= start_ms / 300000 AND c.cell < end_ms / 300000)");
	check_none(db, "cells belong to no hold",
		"SELECT count(*) FROM hold_cell WHERE hold NOT IN (SELECT seq FROM hold)");
	check_none(db, "holds belong to a job that has ended",
		"SELECT count(*) FROM hold JOIN job ON job.seq = hold.job WHERE job.state = 6");
	all = all_holds(db, count);
	sqlite3_close(db);
	return all;
}

static void check_told(
	const struct witness *witness, struct store_reader *reader, const struct all *all)
{
	uint32_t i;

	for (i = 0; i < witness->next; i++)
		if (witness->known[i].what)
			check_one(&witness->known[i], all);
	for (i = 0; i < witness->next; i += 1 + witness->next / 50)
		if (witness->known[i].what)
			check_story(reader, &witness->known[i]);
}

static void check(struct witness *witness, const char *directory)
{
	struct store_options options = {.directory = directory};
	struct store_reader *reader;
	struct store *store;
	struct error error;
	struct all all;

	if (store_open(&error, &store, &options) != 0) /* recovers the log */
		die("after the kill: %s", error.text);
	if (store_reader_open(&error, &reader, directory) != 0)
		die("after the kill: %s", error.text);
	all.inbox = all_inbox(reader, &all.inbox_count);
	all.jobs = all_jobs(reader, &all.job_count);
	all.holds = check_holds(directory, &all.hold_count);
	check_told(witness, reader, &all);
	check_pairs(all.inbox, all.inbox_count, all.job_count);
	check_order(all.jobs, all.job_count);
	free(all.inbox);
	free(all.jobs);
	free(all.holds);
	store_reader_close(reader);
	store_close(store);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : ROUNDS, i;
	char directory[] = "/tmp/klinke-kill-XXXXXX";
	struct witness witness = {0};

	srand(argc > 2 ? (unsigned)atoi(argv[2]) : 1);
	signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(directory))
		die("mkdtemp: %s", strerror(errno));
	for (i = 0; i < rounds; i++) {
		live_and_die(&witness, directory, rand() % 60000);
		check(&witness, directory);
	}
	printf("%u rounds: %u webhooks, %u finished, %u times held, %u jobs done; none lost, none "
	       "doubled\n",
		rounds, witness.told[TOLD_INBOX], witness.told[TOLD_FINISHED],
		witness.told[TOLD_HELD], witness.told[TOLD_JOB_DONE]);
	nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(witness.known);
	return witness.told[TOLD_JOB_DONE] > rounds && witness.told[TOLD_HELD] > rounds ? 0 : 1;
}
