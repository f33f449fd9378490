/* watch.c - the store checked by schedule. A thread of its own with a connection of its own, at the
 * lowest priority; it holds the log back for one table at a time and never touches the file. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/latch.h"
#include "base/log.h"
#include "store/care_i.h"
#include "store/files.h"

#define NICE 15
#define IO_LOWEST                                                                                  \
	((2 << 13) | 7) /* best effort, the last of it; <linux/ioprio.h> is not everywhere */
#define IO_THREAD 1
#define FIRST_MS 60000  /* after a start others need the disk more */
#define AGAIN_MS 600000 /* a check that could not be made */
#define LOOK_MS 3000    /* for damage that was noted meanwhile */
#define NAG_MS 10
#define KEYS_MS 5000 /* and no longer, when the host stops */
#define GUARD_MS 200 /* between two looks at the log while a check goes on */
#define LOG_GROWTH (INT64_C(256) * 1024 * 1024)

struct care_watch {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	char state[CARE_PATH], file[CARE_PATH];
	int64_t every_ms, next_ms; /* by the monotonic clock */
	int64_t suspected_ms;      /* of the note that was checked last */
	int64_t log_growth, log_most;
	bool put_off;         /* this check, or the last */
	sqlite3 *db;          /* while it checks */
	atomic_bool stopping; /* the watch */
	atomic_bool ending;   /* the check: that, or it is put off */
	bool over;
};

static void step_back(void)
{
	pid_t thread = (pid_t)syscall(SYS_gettid);

	setpriority(PRIO_PROCESS, (id_t)thread, NICE); /* of this thread, on Linux */
#ifdef SYS_ioprio_set
	syscall(SYS_ioprio_set, IO_THREAD, thread, IO_LOWEST);
#endif
}

static void tell(const char *state, int64_t took_ms, int rc, const struct error *why)
{
	struct care_noted damage;
	char text[64];

	snprintf(text, sizeof(text), "%lld", (long long)took_ms);
	if (rc == E_CORRUPT) {
		care_damaged(state, why->text);
		care_note_write(NULL, state, CARE_INTEGRITY, clock_now_ms(), why->text);
		return;
	}
	if (rc) {
		log_line(LOG_WARN, "the store could not be checked", "reason", why->text, NULL);
		return;
	}
	care_note_write(NULL, state, CARE_INTEGRITY, clock_now_ms(), "ok");
	if (care_note_read(state, CARE_DAMAGE, &damage)) {
		care_note_clear(state, CARE_DAMAGE);
		log_line(LOG_INFO, "the store's file is whole again", "was", damage.text, NULL);
	}
	log_line(LOG_INFO, "store checked", "result", "ok", "took_ms", text, NULL);
}

/* The persons' keys, which are small. */
static int check_keys(struct error *error, const struct care_watch *w)
{
	char file[CARE_PATH];
	struct care_checked found;
	struct care_check how = {.for_ms = KEYS_MS};
	int rc = file_path(error, file, sizeof(file), "%s/keys/persons.db", w->state);

	return rc || !file_exists(file) ? rc : care_verify(error, file, &how, &found);
}

static void wait_until(struct care_watch *w, int64_t ms)
{
	struct timespec at = latch_time(ms);

	pthread_cond_timedwait(&w->wake, &w->lock, &at);
}

static int64_t log_size(const struct care_watch *w)
{
	char log[CARE_PATH + 8];
	struct stat st;

	snprintf(log, sizeof(log), "%s-wal", w->file);
	return stat(log, &st) == 0 ? st.st_size : 0;
}

/* A rush of webhooks, and a check of a large table that keeps their log from beginning anew: it
 * would fill the disk. Locked. */
static void look_at_log(struct care_watch *w)
{
	if (atomic_load(&w->ending) || log_size(w) <= w->log_most)
		return;
	log_line(LOG_INFO, "store's check put off", "reason", "its log grows too long meanwhile",
		NULL);
	atomic_store(&w->ending, true);
	w->put_off = true;
}

/* An interrupt between two statements is lost, so it is said until it is heard. */
static void *guard_log(void *arg)
{
	struct care_watch *w = arg;

	pthread_mutex_lock(&w->lock);
	while (w->db) {
		look_at_log(w);
		if (atomic_load(&w->ending))
			sqlite3_interrupt(w->db);
		wait_until(w, clock_mono_ms() + (atomic_load(&w->ending) ? NAG_MS : GUARD_MS));
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static void set_out(struct care_watch *w, sqlite3 *db)
{
	pthread_mutex_lock(&w->lock);
	w->db = db;
	w->put_off = false;
	w->log_most = log_size(w) + w->log_growth;
	atomic_store(&w->ending, atomic_load(&w->stopping));
	look_at_log(w);
	pthread_mutex_unlock(&w->lock);
}

static void come_home(struct care_watch *w)
{
	pthread_mutex_lock(&w->lock);
	w->db = NULL;
	pthread_cond_broadcast(&w->wake);
	pthread_mutex_unlock(&w->lock);
}

static int check_tables(struct error *error, struct care_watch *w, struct care_checked *out)
{
	struct care_check how = {.foreign = true};
	sqlite3 *db = NULL;
	pthread_t guard;
	bool guarded;
	int rc = care_open(error, &db, w->file, SQLITE_OPEN_READONLY);

	if (!rc) {
		set_out(w, db);
		guarded = pthread_create(&guard, NULL, guard_log, w) == 0;
		rc = guarded ? care_verify_open(error, db, w->file, &how, &w->ending, out)
			     : error_set(error, E_NOMEM, "cannot start a thread to guard its log");
		come_home(w);
		if (guarded)
			pthread_join(guard, NULL);
	}
	sqlite3_close(db);
	return rc;
}

static void check(struct care_watch *w)
{
	struct care_checked out = {0};
	struct error error = {0};
	int64_t began = clock_mono_ms();
	int rc = check_tables(&error, w, &out);
	bool again;

	if (!rc && out.finished)
		rc = check_keys(&error, w);
	if (rc || out.finished)
		tell(w->state, clock_mono_ms() - began, rc, &error);
	pthread_mutex_lock(&w->lock);
	again = w->put_off || (rc && rc != E_CORRUPT);
	w->next_ms = clock_mono_ms() + (again ? AGAIN_MS : w->every_ms);
	pthread_mutex_unlock(&w->lock);
}

/* What a statement met is checked soon: a disk that could not be read for a moment is no damage.
 * Once for each note. */
static bool suspects(struct care_watch *w)
{
	struct care_noted damage;

	if (!care_note_read(w->state, CARE_DAMAGE, &damage) || damage.at_ms == w->suspected_ms)
		return false;
	w->suspected_ms = damage.at_ms;
	return true;
}

/* False: it is over. */
static bool wait_for_turn(struct care_watch *w)
{
	int64_t now = clock_mono_ms();
	bool go_on;

	pthread_mutex_lock(&w->lock);
	while (!w->stopping && !(w->every_ms && w->next_ms <= now) && !suspects(w)) {
		bool soon = w->every_ms && w->next_ms < now + LOOK_MS;
		wait_until(w, soon ? w->next_ms : now + LOOK_MS);
		now = clock_mono_ms();
	}
	go_on = !w->stopping;
	pthread_mutex_unlock(&w->lock);
	return go_on;
}

static void *watch(void *arg)
{
	struct care_watch *w = arg;

	pthread_setname_np(pthread_self(), "integrity");
	step_back();
	while (wait_for_turn(w))
		check(w);
	pthread_mutex_lock(&w->lock);
	w->over = true;
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* What was due while no host ran is due soon; what is known to be damaged, too. */
static void plan(struct care_watch *w)
{
	struct care_noted last, damage;
	int64_t left = 0, least = w->every_ms < FIRST_MS ? w->every_ms : FIRST_MS;

	if (care_note_read(w->state, CARE_INTEGRITY, &last))
		left = last.at_ms + w->every_ms - clock_now_ms();
	if (left < least || care_note_read(w->state, CARE_DAMAGE, &damage))
		left = least;
	w->next_ms = clock_mono_ms() + (left < w->every_ms ? left : w->every_ms);
}

struct care_watch *care_watch_start(
	struct error *error, const char *state, int64_t every_ms, int64_t log_growth)
{
	struct care_watch *w = calloc(1, sizeof(*w));

	if (!w || file_path(error, w->file, sizeof(w->file), "%s/" STORE_FILE, state)) {
		if (!w)
			error_set(error, E_NOMEM, "no memory to watch the store");
		free(w);
		return NULL;
	}
	snprintf(w->state, sizeof(w->state), "%s", state);
	w->every_ms = every_ms;
	w->log_growth = log_growth ? log_growth : LOG_GROWTH;
	plan(w);
	pthread_mutex_init(&w->lock, NULL);
	latch_init_timed(&w->wake);
	if (pthread_create(&w->thread, NULL, watch, w) == 0)
		return w;
	error_set(error, E_NOMEM, "cannot start a thread to watch the store");
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
	free(w);
	return NULL;
}

/* An interrupt between two statements is lost, so it is said until it is heard. */
void care_watch_stop(struct care_watch *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	atomic_store(&w->stopping, true);
	atomic_store(&w->ending, true);
	pthread_cond_broadcast(&w->wake);
	while (!w->over) {
		if (w->db)
			sqlite3_interrupt(w->db);
		pthread_mutex_unlock(&w->lock);
		usleep(NAG_MS * 1000);
		pthread_mutex_lock(&w->lock);
	}
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
	free(w);
}
