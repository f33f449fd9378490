/* verify.c - is a store's file what it must be? Pages, references, rows. Never changes anything,
 * and never holds the log back for longer than one table takes. Any thread. */
#include "store/care_i.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/latch.h"
#include "store/migrate.h"

#define BUSY_MS 5000
#define FAULTS_MAX 100
#define NAG_MS 10 /* an interrupt between two statements is lost: again */

/* ---- connections -------------------------------------------------------------------------- */

int care_fail(struct error *error, sqlite3 *db, const char *doing, const char *file)
{
	const char *name = file ? file : "the store";

	switch (sqlite3_errcode(db) & 0xff) {
	case SQLITE_NOTADB:
		return error_set(error, E_CORRUPT,
			"%s %s: it is not a database, or damaged at its beginning: restore a "
			"backup",
			doing, name);
	case SQLITE_CORRUPT:
		return error_set(error, E_CORRUPT,
			"%s %s: the file is damaged (%s): klinke restore a backup, or klinke "
			"salvage",
			doing, name, sqlite3_errmsg(db));
	case SQLITE_NOMEM:
		return error_set(error, E_NOMEM, "%s %s: no memory", doing, name);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return error_set(error, E_BUSY,
			"%s %s: another program keeps it locked; end it, or try later", doing,
			name);
	case SQLITE_FULL:
		return error_set(
			error, E_IO, "%s %s: the disk is full: free space there", doing, name);
	case SQLITE_INTERRUPT:
		return error_set(error, E_TIMEOUT, "%s %s: the time is up", doing, name);
	case SQLITE_CANTOPEN:
	case SQLITE_READONLY:
		return error_set(error, E_DENIED, "%s %s: %s", doing, name, sqlite3_errmsg(db));
	}
	return error_set(error, E_IO, "%s %s: %s", doing, name, sqlite3_errmsg(db));
}

int care_open(struct error *error, sqlite3 **db, const char *file, int flags)
{
	int rc = sqlite3_open_v2(file, db, flags | SQLITE_OPEN_NOMUTEX, NULL);

	if (rc != SQLITE_OK) {
		rc = *db ? care_fail(error, *db, "opening", file)
			 : error_set(error, E_NOMEM, "no memory to open %s", file);
		sqlite3_close(*db);
		*db = NULL;
		return rc;
	}
	sqlite3_busy_timeout(*db, BUSY_MS);
	sqlite3_db_config(*db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(*db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	return care_exec(error, *db, "PRAGMA cell_size_check=ON", "opening", file);
}

int care_exec(
	struct error *error, sqlite3 *db, const char *sql, const char *doing, const char *file)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return care_fail(error, db, doing, file);
	return 0;
}

int care_number(struct error *error, sqlite3 *db, const char *sql, int64_t *out)
{
	sqlite3_stmt *stmt = NULL;
	int rc = 0;

	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK &&
		sqlite3_step(stmt) == SQLITE_ROW) {
		*out = sqlite3_column_int64(stmt, 0);
		rc = 1;
	}
	if (sqlite3_finalize(stmt) != SQLITE_OK || (!stmt && sqlite3_errcode(db) != SQLITE_OK))
		rc = care_fail(error, db, "reading", NULL);
	return rc;
}

/* ---- tables ------------------------------------------------------------------------------- */

int care_tables(struct error *error, sqlite3 *db, const char *file, struct care_tables *out)
{
	static const char sql[] =
		"SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT "
		"LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";
	sqlite3_stmt *stmt = NULL;
	int rc;

	memset(out, 0, sizeof(*out));
	rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
	while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		rc = SQLITE_OK;
		if (out->count == CARE_TABLES)
			break; /* nobody's store: comparing its schema says so */
		snprintf(out->name[out->count++], sizeof(out->name[0]), "%s",
			(const char *)sqlite3_column_text(stmt, 0));
	}
	if (rc != SQLITE_DONE && rc != SQLITE_OK)
		rc = care_fail(error, db, "reading the tables of", file);
	else
		rc = 0;
	sqlite3_finalize(stmt);
	return rc;
}

int care_count(struct error *error, sqlite3 *db, const char *file, struct care_tables *out)
{
	char sql[128];
	unsigned i;
	int rc = care_tables(error, db, file, out);

	for (i = 0; i < out->count && rc >= 0; i++) {
		snprintf(sql, sizeof(sql), "SELECT count(*) FROM \"%s\"", out->name[i]);
		rc = care_number(error, db, sql, &out->rows[i]);
		out->all += out->rows[i];
	}
	return rc < 0 ? rc : 0;
}

/* ---- checks ------------------------------------------------------------------------------- */

/* In one line, without SQLite's headline. */
static void note_fault(struct care_checked *out, const char *text)
{
	static const char headline[] = "*** in database main ***\n";
	size_t n = strlen(headline);

	if (out->faults++)
		return;
	snprintf(out->first, sizeof(out->first), "%.299s",
		strncmp(text, headline, n) == 0 ? text + n : text);
	for (char *p = out->first; (p = strchr(p, '\n'));)
		*p = ' ';
}

static bool is_fine(const char *text)
{
	return !text || strcmp(text, "ok") == 0;
}

/* Rows of one text each: "ok", or faults. */
static int run_check(struct error *error, sqlite3 *db, const char *file, const char *sql,
	struct care_checked *out)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);

	while (rc == SQLITE_OK && out->faults < FAULTS_MAX &&
		(rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		const char *text = (const char *)sqlite3_column_text(stmt, 0);
		if (!is_fine(text))
			note_fault(out, text);
		rc = SQLITE_OK;
	}
	if (rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB) {
		note_fault(out, sqlite3_errmsg(db));
		rc = 0;
	} else {
		rc = rc == SQLITE_OK || rc == SQLITE_DONE ? 0
							  : care_fail(error, db, "checking", file);
	}
	sqlite3_finalize(stmt);
	return rc;
}

static int told(struct error *error, const char *file, const struct care_checked *out)
{
	if (!out->faults)
		return 0;
	return error_set(error, E_CORRUPT, "%s is damaged: %s%s", file, out->first,
		out->faults > 1 ? ", and more" : "");
}

static const char foreign[] = "SELECT 'row ' || coalesce(rowid, '') || ' of ' || \"table\" || ' "
			      "names a row of ' || parent "
			      "|| ' that is not there' FROM pragma_foreign_key_check LIMIT 100";

static int check_table(struct error *error, sqlite3 *db, const char *file, const char *table,
	bool quick, struct care_checked *out)
{
	char sql[128];

	snprintf(sql, sizeof(sql), "PRAGMA %s('%s')", quick ? "quick_check" : "integrity_check",
		table);
	return run_check(error, db, file, sql, out);
}

int care_verify_open(struct error *error, sqlite3 *db, const char *file,
	const struct care_check *check, const atomic_bool *stop, struct care_checked *out)
{
	struct care_tables tables;
	struct error ignored = {0};
	unsigned i;
	int rc;

	memset(out, 0, sizeof(*out));
	rc = check_table(&ignored, db, file, "sqlite_schema", check->quick, out);
	if (!rc && !out->faults)
		rc = care_tables(&ignored, db, file, &tables);
	if (rc == E_CORRUPT) {
		note_fault(out, ignored.text);
		return told(error, file, out);
	}
	for (i = 0; !rc && !out->faults && i < tables.count && !(stop && atomic_load(stop)); i++)
		rc = check_table(&ignored, db, file, tables.name[i], check->quick, out);
	if (!rc && !out->faults && check->foreign && !(stop && atomic_load(stop)))
		rc = run_check(&ignored, db, file, foreign, out);
	out->finished = !rc && !(stop && atomic_load(stop));
	if (out->faults)
		return told(error, file, out);
	if (rc && rc != E_TIMEOUT)
		return error_set(error, ignored.code, "%s", ignored.text);
	return 0;
}

int care_verify_pages(struct error *error, sqlite3 *db, const char *file)
{
	struct care_checked out = {0};
	int rc = run_check(error, db, file, "PRAGMA integrity_check", &out);

	return rc ? rc : told(error, file, &out);
}

int care_verify_whole(struct error *error, sqlite3 *db, const char *file)
{
	struct care_checked out = {0};
	int rc = care_verify_pages(error, db, file);

	if (!rc)
		rc = run_check(error, db, file, foreign, &out);
	return rc ? rc : told(error, file, &out);
}

/* ---- for so long -------------------------------------------------------------------------- */

struct timer {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	sqlite3 *db;
	int64_t until_ms;
	atomic_bool up;
	bool over;
};

static void *wait_and_interrupt(void *arg)
{
	struct timer *timer = arg;

	pthread_mutex_lock(&timer->lock);
	while (!timer->over) {
		int64_t now_ms = clock_mono_ms();
		bool late = timer->until_ms <= now_ms;
		struct timespec at = latch_time(late ? now_ms + NAG_MS : timer->until_ms);
		if (late) {
			atomic_store(&timer->up, true);
			sqlite3_interrupt(timer->db);
		}
		pthread_cond_timedwait(&timer->wake, &timer->lock, &at);
	}
	pthread_mutex_unlock(&timer->lock);
	return NULL;
}

static bool timer_start(struct timer *timer, sqlite3 *db, int64_t ms)
{
	bool ok;

	*timer = (struct timer){.db = db, .until_ms = clock_mono_ms() + ms};
	pthread_mutex_init(&timer->lock, NULL);
	latch_init_timed(&timer->wake);
	ok = pthread_create(&timer->thread, NULL, wait_and_interrupt, timer) == 0;
	if (!ok) {
		pthread_cond_destroy(&timer->wake);
		pthread_mutex_destroy(&timer->lock);
	}
	return ok;
}

static void timer_stop(struct timer *timer)
{
	pthread_mutex_lock(&timer->lock);
	timer->over = true;
	pthread_cond_signal(&timer->wake);
	pthread_mutex_unlock(&timer->lock);
	pthread_join(timer->thread, NULL);
	pthread_cond_destroy(&timer->wake);
	pthread_mutex_destroy(&timer->lock);
}

int care_verify(struct error *error, const char *file, const struct care_check *check,
	struct care_checked *out)
{
	struct timer timer;
	sqlite3 *db = NULL;
	int rc;

	memset(out, 0, sizeof(*out));
	rc = care_open(error, &db, file, SQLITE_OPEN_READONLY);
	if (rc == E_CORRUPT)
		note_fault(out, "it is not a database, or damaged at its beginning");
	if (rc) {
		sqlite3_close(db);
		return rc;
	}
	if (!check->for_ms) {
		rc = care_verify_open(error, db, file, check, NULL, out);
	} else if (!timer_start(&timer, db, check->for_ms)) {
		rc = error_set(error, E_NOMEM, "cannot start a thread to check the store");
	} else {
		rc = care_verify_open(error, db, file, check, &timer.up, out);
		timer_stop(&timer);
	}
	sqlite3_close(db);
	return rc;
}

int care_verify_schema(struct error *error, const char *state, long *version)
{
	char file[CARE_PATH];
	sqlite3 *db = NULL;
	int rc;

	rc = snprintf(file, sizeof(file), "%s/" STORE_FILE, state) >= (int)sizeof(file)
		     ? error_set(error, E_INVALID, "the state directory's name is too long")
		     : care_open(error, &db, file, SQLITE_OPEN_READONLY);
	if (!rc)
		rc = migrate_origin(error, db, migrations_released(), version);
	if (!rc)
		rc = migrate_verify(error, db);
	if (!rc)
		rc = care_verify_whole(error, db, file);
	sqlite3_close(db);
	return rc;
}
