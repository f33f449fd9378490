/* Looking after a store: copies that are whole, a way back that destroys nothing, migrations that
 * can fail, damage that is told. */
#include "care_kit.h"

#include <glob.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "store/migrate.h"

/* A state directory of its own beside the fixture's, removed with it. */
static struct fixture other_state(struct fixture *f, const char *name)
{
	struct fixture other = {.arena = f->arena};

	snprintf(other.directory, sizeof(other.directory), "%.40s/%.20s", f->directory, name);
	return other;
}

/* ---- copies ------------------------------------------------------------------------------- */

static void a_copy_is_one_file_of_mode_0600_with_all_rows(void **state)
{
	struct fixture *f = *state;
	struct care_copied copied;
	struct care_noted noted;
	struct stat st;

	append_some(f, 20);
	copied = backup(f, in(f, "copy.db"));
	assert_string_equal(copied.path, in(f, "copy.db"));
	assert_int_equal(stat(copied.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_size, copied.bytes);
	assert_int_not_equal(access(in(f, "copy.db-wal"), F_OK), 0);
	assert_int_not_equal(access(in(f, "copy.db.part"), F_OK), 0);
	assert_int_equal(number(copied.path, "SELECT count(*) FROM event"), 20);
	assert_int_equal(number(copied.path, "SELECT count(*) FROM inbox_raw"), 20);
	assert_int_equal(copied.schema, store_migration_count);
	assert_true(care_note_read(f->directory, CARE_BACKUP, &noted));
	assert_non_null(strstr(noted.text, "copy.db"));
}

static void a_directory_gets_a_file_named_by_the_time(void **state)
{
	struct fixture *f = *state;
	struct care_copied copied;

	assert_int_equal(mkdir(in(f, "copies"), 0700), 0);
	copied = backup(f, in(f, "copies"));
	assert_non_null(strstr(copied.path, "/copies/klinke-2"));
	assert_int_equal(access(copied.path, F_OK), 0);
}

static void nothing_is_written_over(void **state)
{
	struct fixture *f = *state;
	struct care_copied copied = backup(f, in(f, "copy.db"));
	struct error error = {0};

	assert_int_equal(care_backup(&error, f->directory, in(f, "copy.db"), &copied), E_CONFLICT);
	assert_says(&error, "exists");
	fclose(fopen(in(f, "x.part"), "w")); /* somebody else writes there */
	assert_int_equal(care_backup(&error, f->directory, in(f, "x"), &copied), E_CONFLICT);
	assert_int_equal(access(in(f, "x.part"), F_OK), 0);
	assert_int_equal(care_backup(&error, f->directory, in(f, "no/where"), &copied), E_NOTFOUND);
	assert_int_equal(care_backup(&error, in(f, "none"), in(f, "y"), &copied), E_NOTFOUND);
}

/* What refers to nothing is copied and restored as it is: it is no reason to have no copy. */
static void a_reference_into_nowhere_is_copied(void **state)
{
	struct fixture *f = *state;
	struct care_restored restored;
	struct error error = {0};
	long version;

	append_some(f, 3);
	close_both(f);
	by_hand(in(f, "klinke.db"), "INSERT INTO inbox_raw VALUES (4711, x'00')");
	backup(f, in(f, "copy.db"));
	assert_int_equal(care_restore(&error, f->directory, in(f, "copy.db"), NULL, &restored), 0);
	assert_int_equal(care_verify_schema(&error, f->directory, &version), E_CORRUPT);
	assert_says(&error, "inbox_raw");
	open_store(f);
}

struct busy {
	struct fixture *f;
	atomic_bool stop;
	atomic_int written;
};

static void *keep_writing(void *arg)
{
	struct busy *busy = arg;

	while (!atomic_load(&busy->stop)) {
		append(busy->f);
		atomic_fetch_add(&busy->written, 1);
	}
	return NULL;
}

/* Rows come while it is copied, and every copy is a moment: what was there before is in it, and it
 * passes its own check of rows against the store. */
static void the_writer_goes_on_while_it_is_copied(void **state)
{
	struct fixture *f = *state;
	struct busy busy = {.f = f};
	pthread_t thread;
	char name[32];
	int i;

	append_some(f, 200);
	assert_int_equal(pthread_create(&thread, NULL, keep_writing, &busy), 0);
	for (i = 0; i < 5; i++) {
		int before = atomic_load(&busy.written);
		struct care_copied copied;

		while (atomic_load(&busy.written) < before + 5)
			usleep(1000);
		before = atomic_load(&busy.written);
		snprintf(name, sizeof(name), "copy%d.db", i);
		copied = backup(f, in(f, name));
		assert_true(number(copied.path, "SELECT count(*) FROM inbox") >= 200 + before);
	}
	atomic_store(&busy.stop, true);
	pthread_join(thread, NULL);
}

static void a_copy_on_a_full_disk_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct rlimit before, small;
	struct care_copied copied;
	struct error error = {0};

	append_some(f, 50);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = 64 << 10;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(care_backup(&error, f->directory, in(f, "copy.db"), &copied), E_IO);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_not_equal(access(in(f, "copy.db"), F_OK), 0);
	assert_int_not_equal(access(in(f, "copy.db.part"), F_OK), 0);
	backup(f, in(f, "copy.db"));
}

static void keys_are_copied_apart_and_open_the_store(void **state)
{
	struct fixture *f = *state;
	struct care_keys_copied copied;
	struct error error = {0};
	struct stat st;

	append_some(f, 3);
	assert_int_equal(care_backup_keys(&error, f->directory, in(f, "safe"), &copied), 0);
	assert_string_equal(copied.path, in(f, "safe/keys"));
	assert_true(copied.files >= 4); /* master, marks, the host's, the tenant's */
	assert_int_equal(stat(in(f, "safe/keys/master.key"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_false(copied.replaced);
}

/* What was destroyed since is not left behind in a copy. */
static void a_newer_copy_of_the_keys_replaces_the_older(void **state)
{
	struct fixture *f = *state, *stranger = NULL;
	struct care_keys_copied copied;
	struct error error = {0};

	append_some(f, 3);
	assert_int_equal(care_backup_keys(&error, f->directory, in(f, "safe"), &copied), 0);
	close_both(f);
	by_hand(in(f, "keys/persons.db"), "DELETE FROM person");
	assert_int_equal(care_backup_keys(&error, f->directory, in(f, "safe"), &copied), 0);
	assert_true(copied.replaced);
	assert_int_equal(number(in(f, "safe/keys/persons.db"), "SELECT count(*) FROM person"), 0);
	assert_int_not_equal(access(in(f, "safe/keys.part"), F_OK), 0);
	set_up((void **)&stranger);
	append_some(stranger, 1);
	assert_int_equal(
		care_backup_keys(&error, stranger->directory, in(f, "safe"), &copied), E_CONFLICT);
	tear_down((void **)&stranger);
}

/* ---- restore ------------------------------------------------------------------------------ */

static void what_was_there_lies_aside_and_the_copy_is_the_store(void **state)
{
	struct fixture *f = *state;
	struct care_restored restored;
	struct error error = {0};
	char aside[CARE_PATH + 32];

	append_some(f, 5);
	backup(f, in(f, "copy.db"));
	append_some(f, 2);
	close_both(f);
	if (care_restore(&error, f->directory, in(f, "copy.db"), NULL, &restored) != 0)
		fail_msg("%s", error.text);
	assert_true(restored.sealed_read > 0);
	assert_int_equal(restored.sealed_read, restored.sealed_tried);
	assert_false(restored.keys_replaced);
	open_store(f);
	open_reader(f);
	assert_int_equal(events_of(f, true), 5);
	snprintf(aside, sizeof(aside), "%s/klinke.db", restored.aside);
	assert_int_equal(number(aside, "SELECT count(*) FROM event"), 7);
	assert_int_not_equal(access(in(f, "restore.part"), F_OK), 0);
	assert_int_not_equal(access(in(f, "restore.unfinished"), F_OK), 0);
	append_some(f, 1); /* and it goes on */
	assert_int_equal(events_of(f, true), 6);
}

/* Each file of a state is its owner's, also if root restored it. */
static int belongs(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)flag;
	(void)ftw;
	if (st->st_uid != (geteuid() == 0 ? 65534 : geteuid()))
		fail_msg("%s belongs to %u", path, (unsigned)st->st_uid);
	return 0;
}

static int give_away(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return geteuid() == 0 ? lchown(path, 65534, 65534) : 0;
}

static void what_root_restores_is_the_hosts(void **state)
{
	struct fixture *f = *state;
	struct care_keys_copied keys;
	struct care_restored restored;
	struct error error = {0};
	char command[512];

	append_some(f, 4);
	assert_int_equal(mkdir(in(f, "copies"), 0700), 0);
	backup(f, in(f, "copies/copy.db"));
	assert_int_equal(care_backup_keys(&error, f->directory, in(f, "safe"), &keys), 0);
	close_both(f);
	snprintf(command, sizeof(command), "rm $(grep -l '^owner praxis-winter$' %s/keys/*.key)",
		f->directory);
	assert_int_equal(system(command), 0);
	assert_int_equal(nftw(f->directory, give_away, 8, FTW_PHYS), 0);
	assert_int_equal(care_restore(&error, f->directory, in(f, "copies/copy.db"), in(f, "safe"),
				 &restored),
		0);
	assert_int_equal(restored.keys_added, 1);
	assert_int_equal(care_note_write(&error, f->directory, CARE_BACKUP, 1, "x"), 0);
	assert_int_equal(nftw(f->directory, belongs, 8, FTW_PHYS), 0);
}

static void a_running_host_is_not_restored_under_its_feet(void **state)
{
	struct fixture *f = *state;
	struct care_restored restored;
	struct error error = {0};

	backup(f, in(f, "copy.db"));
	assert_int_equal(
		care_restore(&error, f->directory, in(f, "copy.db"), NULL, &restored), E_BUSY);
	append_some(f, 1);
}

static void on_an_empty_machine_the_keys_come_along(void **state)
{
	struct fixture *f = *state, other = other_state(f, "other");
	struct care_keys_copied keys;
	struct care_restored restored;
	struct error error = {0};

	append_some(f, 5);
	backup(f, in(f, "copy.db"));
	assert_int_equal(care_backup_keys(&error, f->directory, in(f, "safe"), &keys), 0);
	assert_int_equal(care_restore(&error, other.directory, in(f, "copy.db"), NULL, &restored),
		E_NOTFOUND);
	assert_says(&error, "--keys");
	assert_int_equal(
		care_restore(&error, other.directory, in(f, "copy.db"), in(f, "safe"), &restored),
		0);
	assert_string_equal(restored.aside, "");
	open_store(&other);
	open_reader(&other);
	assert_int_equal(events_of(&other, true), 5);
	close_both(&other);
}

static void other_keys_are_refused_and_nothing_changes(void **state)
{
	struct fixture *f = *state, *stranger = NULL;
	struct care_restored restored;
	struct care_keys_copied keys;
	struct error error = {0};

	append_some(f, 5);
	set_up((void **)&stranger);
	append_some(stranger, 2);
	backup(stranger, in(f, "strange.db"));
	assert_int_equal(care_backup_keys(&error, stranger->directory, in(f, "strange"), &keys), 0);
	close_both(f);
	assert_int_equal(care_restore(&error, f->directory, in(f, "strange.db"), NULL, &restored),
		E_CORRUPT);
	assert_says(&error, "another key store");
	open_store(f);
	open_reader(f);
	assert_int_equal(events_of(f, true), 5);
	/* With its own keys it is taken, and ours lie aside with our rows. */
	close_both(f);
	assert_int_equal(care_restore(&error, f->directory, in(f, "strange.db"), in(f, "strange"),
				 &restored),
		0);
	assert_true(restored.keys_replaced);
	open_store(f);
	open_reader(f);
	assert_int_equal(events_of(f, true), 2);
	close_both(f);
	{
		struct fixture old = {.arena = f->arena};
		snprintf(old.directory, sizeof(old.directory), "%.63s", restored.aside);
		open_store(&old);
		open_reader(&old);
		assert_int_equal(events_of(&old, true), 5);
		close_both(&old);
	}
	tear_down((void **)&stranger);
}

/* A person's key, or a tenant's, that was lost: the copy has it, and only what is missing is taken.
 */
static void a_lost_key_comes_back_from_its_copy(void **state)
{
	struct fixture *f = *state;
	struct care_keys_copied keys;
	struct care_restored restored;
	struct error error = {0};
	char command[512];

	append_some(f, 4);
	backup(f, in(f, "copy.db"));
	assert_int_equal(care_backup_keys(&error, f->directory, in(f, "safe"), &keys), 0);
	close_both(f);
	snprintf(command, sizeof(command), "rm $(grep -l '^owner praxis-winter$' %s/keys/*.key)",
		f->directory);
	assert_int_equal(system(command), 0);
	assert_int_equal(
		care_restore(&error, f->directory, in(f, "copy.db"), NULL, &restored), E_CORRUPT);
	assert_says(&error, "none can be read");
	assert_int_equal(
		care_restore(&error, f->directory, in(f, "copy.db"), in(f, "safe"), &restored), 0);
	assert_int_equal(restored.keys_added, 1);
	open_store(f);
	open_reader(f);
	assert_int_equal(events_of(f, true), 4);
}

/* Who was forgotten after the copy was made: neither the old rows nor the old keys bring them back,
 * while somebody whose key was lost comes back. */
static void who_was_forgotten_stays_so(void **state)
{
	struct fixture *f = *state;
	struct care_keys_copied keys;
	struct care_restored restored;
	struct error error = {0};
	char sql[300];
	int64_t number_gone;

	append_some(f, 4);
	backup(f, in(f, "copy.db"));
	assert_int_equal(care_backup_keys(&error, f->directory, in(f, "safe"), &keys), 0);
	close_both(f);
	assert_true(number(in(f, "keys/persons.db"), "SELECT count(*) FROM person") >= 3);
	number_gone = number(in(f, "keys/persons.db"), "SELECT min(number) FROM person");
	snprintf(sql, sizeof(sql),
		"INSERT INTO gone SELECT number, mark, 1 FROM person WHERE number = %lld;"
		"DELETE FROM person WHERE number = %lld;"
		"DELETE FROM person WHERE number = (SELECT max(number) FROM person)",
		(long long)number_gone, (long long)number_gone);
	by_hand(in(f, "keys/persons.db"), sql);
	if (care_restore(&error, f->directory, in(f, "copy.db"), in(f, "safe"), &restored) != 0)
		fail_msg("%s", error.text);
	assert_int_equal(restored.keys_added, 1);
	snprintf(sql, sizeof(sql), "SELECT count(*) FROM person WHERE number = %lld",
		(long long)number_gone);
	assert_int_equal(number(in(f, "keys/persons.db"), sql), 0);
	assert_int_equal(number(in(f, "keys/persons.db"), "SELECT count(*) FROM gone"), 1);
	assert_int_equal(number(in(f, "safe/keys/persons.db"), "SELECT count(*) FROM gone"), 0);
	assert_int_equal(number(in(f, "keys/persons.db"), "SELECT count(*) FROM person"),
		number(in(f, "safe/keys/persons.db"), "SELECT count(*) FROM person") - 1);
}

static void refuse_restore(struct fixture *f, const char *file, int code, const char *says)
{
	struct care_restored restored;
	struct error error = {0};

	assert_int_equal(care_restore(&error, f->directory, file, NULL, &restored), code);
	assert_says(&error, says);
	assert_int_not_equal(access(in(f, "restore.part"), F_OK), 0);
	assert_int_not_equal(access(in(f, "restore.unfinished"), F_OK), 0);
	open_store(f);
	open_reader(f);
	assert_int_equal(events_of(f, true), 5);
	close_both(f);
}

/* Bad input leaves what is there as it is. */
static void what_is_no_good_copy_is_refused(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	append_some(f, 5);
	backup(f, in(f, "a.db"));
	backup(f, in(f, "newer.db"));
	backup(f, in(f, "damaged.db"));
	backup(f, in(f, "cut.db"));
	backup(f, in(f, "schema.db"));
	close_both(f);
	by_hand(in(f, "newer.db"), "PRAGMA user_version = 99");
	by_hand(in(f, "schema.db"), "DROP INDEX job_open");
	assert_int_equal(stat(in(f, "damaged.db"), &st), 0);
	for (off_t page = 3; page < st.st_size / 4096; page++)
		flip(in(f, "damaged.db"), page * 4096, 100);
	assert_int_equal(truncate(in(f, "cut.db"), st.st_size / 2), 0);
	by_hand(in(f, "a.db"), "PRAGMA application_id = 7");
	fclose(fopen(in(f, "empty.db"), "w"));
	refuse_restore(f, in(f, "none.db"), E_NOTFOUND, "none.db");
	refuse_restore(f, in(f, "a.db"), E_CORRUPT, "not made by Klinke");
	refuse_restore(f, in(f, "empty.db"), E_CORRUPT, "empty");
	refuse_restore(f, in(f, "newer.db"), E_CONFLICT, "newer");
	refuse_restore(f, in(f, "damaged.db"), E_CORRUPT, "damaged");
	refuse_restore(f, in(f, "cut.db"), E_CORRUPT, "damaged");
	refuse_restore(f, in(f, "schema.db"), E_CORRUPT, "job_open is missing");
	refuse_restore(f, in(f, "keys/master.key"), E_CORRUPT, "not a database");
	refuse_restore(f, f->directory, E_INVALID, "not a file");
}

static void half_a_restore_starts_no_host(void **state)
{
	struct fixture *f = *state;
	struct care_restored restored;
	struct error error;

	append_some(f, 5);
	backup(f, in(f, "copy.db"));
	close_both(f);
	fclose(fopen(in(f, "restore.unfinished"), "w"));
	refused(f, E_CONFLICT, "run klinke restore again");
	assert_int_equal(care_restore(&error, f->directory, in(f, "copy.db"), NULL, &restored), 0);
	open_store(f);
}

static void a_file_that_is_gone_is_not_begun_anew(void **state)
{
	struct fixture *f = *state;

	close_both(f);
	assert_int_equal(unlink(in(f, "klinke.db")), 0);
	refused(f, E_CORRUPT, "is gone");
	assert_int_not_equal(access(in(f, "klinke.db"), F_OK), 0);
	fclose(fopen(in(f, "klinke.db"), "w"));
	refused(f, E_CORRUPT, "is empty");
}

/* Runs work(f) in a child that is killed after so many microseconds. */
static void killed_after(struct fixture *f, unsigned us, void (*work)(struct fixture *f))
{
	pid_t child = fork();

	if (child == 0) {
		work(f);
		_exit(0);
	}
	usleep(us);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static void restore_copy(struct fixture *f)
{
	struct care_restored restored;

	care_restore(NULL, f->directory, in(f, "copy.db"), NULL, &restored);
}

/* The largest number of events that any file that lies aside has. */
static int64_t most_aside(struct fixture *f)
{
	int64_t most = 0, n;
	glob_t found;
	size_t i;

	if (glob(in(f, "before-restore-*/klinke.db"), 0, NULL, &found) != 0)
		return 0;
	for (i = 0; i < found.gl_pathc; i++) {
		n = number(found.gl_pathv[i], "SELECT count(*) FROM event");
		most = n > most ? n : most;
	}
	globfree(&found);
	return most;
}

/* At whatever moment: what was there is there or lies aside, and the same restore ends it. */
static void a_restore_that_is_killed_loses_nothing(void **state)
{
	struct store_options options;
	struct fixture *f = *state;
	struct care_restored restored;
	struct error error = {0};
	int64_t now;
	int round, rc;

	append_some(f, 5);
	backup(f, in(f, "copy.db"));
	append_some(f, 2);
	close_both(f);
	options = (struct store_options){.directory = f->directory};
	for (round = 0; round < 6; round++) {
		killed_after(f, 1000 + (unsigned)(round * round) * 5000, restore_copy);
		rc = store_open(&error, &f->store, &options);
		if (rc) {
			assert_int_equal(rc, E_CONFLICT);
			assert_says(&error, "run klinke restore again");
			assert_int_equal(care_restore(&error, f->directory, in(f, "copy.db"), NULL,
						 &restored),
				0);
			open_store(f);
		}
		open_reader(f);
		now = (int64_t)events_of(f, true);
		assert_true(now == 7 || (now == 5 && most_aside(f) == 7));
		close_both(f);
	}
}

/* ---- migrations --------------------------------------------------------------------------- */

#define ADD_COLUMN "ALTER TABLE breaker ADD COLUMN note TEXT NOT NULL DEFAULT '';"
#define ADD_TABLE                                                                                  \
	"CREATE TABLE extra (id INTEGER PRIMARY KEY, job INTEGER REFERENCES job (seq)) STRICT;"

/* The released ones and one or two that exist only here. */
static struct migrations with(struct fixture *f, const char *second, const char *third)
{
	unsigned n = store_migration_count;
	struct migration *list = arena_alloc(f->arena, (n + 2) * sizeof(*list));

	memcpy(list, store_migrations, n * sizeof(*list));
	list[n] = (struct migration){n + 1, "9001_second.sql", second};
	list[n + 1] = (struct migration){n + 2, "9002_third.sql", third};
	return (struct migrations){list, n + (third ? 2 : 1)};
}

static int up(struct fixture *f, struct migrations all, struct migrated *done, struct error *error)
{
	sqlite3 *db = database(in(f, "klinke.db"));
	int rc;

	memset(error, 0, sizeof(*error));
	rc = migrate_up(error, db, all, f->directory, done);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return rc;
}

static void a_migration_keeps_rows_and_a_copy_from_before(void **state)
{
	struct fixture *f = *state;
	struct migrated done;
	struct error error;
	struct migrations all = with(f, ADD_COLUMN, ADD_TABLE);

	append_some(f, 6);
	close_both(f);
	if (up(f, all, &done, &error) != 0)
		fail_msg("%s", error.text);
	assert_int_equal(done.from, store_migration_count);
	assert_int_equal(done.to, store_migration_count + 2);
	assert_int_equal(number(in(f, "klinke.db"), "PRAGMA user_version"), done.to);
	assert_int_equal(number(in(f, "klinke.db"), "SELECT count(*) FROM event"), 6);
	assert_int_equal(number(done.snapshot, "PRAGMA user_version"), done.from);
	assert_int_equal(number(done.snapshot, "SELECT count(*) FROM event"), 6);
	assert_int_equal(up(f, all, &done, &error), 0); /* nothing to do any more */
	assert_string_equal(done.snapshot, "");
	refused(f, E_CONFLICT, "newer"); /* this build is now the older one */
}

static void put_back_after(
	struct fixture *f, const char *second, const char *third, const char *says)
{
	struct migrated done;
	struct error error;

	if (up(f, with(f, second, third), &done, &error) >= 0)
		fail_msg("%s", "it did not fail");
	assert_says(&error, says);
	assert_says(&error, "again as it was");
	assert_int_equal(number(in(f, "klinke.db"), "PRAGMA user_version"), store_migration_count);
	open_store(f); /* its schema is compared there */
	open_reader(f);
	assert_int_equal(events_of(f, true), 6);
	close_both(f);
	assert_int_equal(unlink(done.snapshot), 0); /* the next one may be of the same second */
}

static void a_migration_that_fails_is_undone_with_those_before_it(void **state)
{
	struct fixture *f = *state;

	append_some(f, 6);
	close_both(f);
	put_back_after(f, "CREATE TABLE breaker (x);", NULL, "9001_second.sql");
	put_back_after(f, ADD_COLUMN, "DELETE FROM event; SELECT nonsense();", "9002_third.sql");
	/* Its SQL runs, and leaves references into nowhere. */
	put_back_after(
		f, ADD_COLUMN, "PRAGMA foreign_keys=OFF; DELETE FROM inbox;", "references to rows");
	/* It does to this store what it does not do to a new one. */
	put_back_after(f, ADD_TABLE,
		"DROP INDEX event_tenant; CREATE INDEX event_tenant ON event "
		"(tenant); CREATE TABLE x2 AS SELECT max(seq) AS m FROM job;"
		"DROP TABLE IF EXISTS x2; SELECT 1 FROM event WHERE abs("
		"-9223372036854775807 - (SELECT count(*) > 0 FROM event));",
		"9002_third.sql");
}

static void a_migration_without_room_for_its_copy_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct rlimit before, small;
	struct migrated done;
	struct error error;

	append_some(f, 6);
	close_both(f);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = 64 << 10;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(up(f, with(f, ADD_COLUMN, NULL), &done, &error), E_IO);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_says(&error, "nothing was changed");
	open_store(f);
}

static void migrate_twice(struct fixture *f)
{
	struct migrated done;
	struct error error;

	up(f, with(f, ADD_COLUMN, ADD_TABLE), &done, &error);
}

static void a_migration_that_is_killed_goes_on(void **state)
{
	struct fixture *f = *state;
	struct migrated done;
	struct error error;
	int64_t version;
	int round;

	append_some(f, 6);
	close_both(f);
	for (round = 0; round < 4; round++) {
		killed_after(f, 500 + (unsigned)(round * round) * 8000, migrate_twice);
		assert_int_equal(number(in(f, "klinke.db"), "SELECT count(*) FROM event"), 6);
		version = number(in(f, "klinke.db"), "PRAGMA user_version");
		assert_in_range(version, store_migration_count, store_migration_count + 2);
	}
	if (up(f, with(f, ADD_COLUMN, ADD_TABLE), &done, &error) != 0)
		fail_msg("%s", error.text);
	assert_int_equal(done.to, store_migration_count + 2);
}

static void note_change(void *user, const struct care_migration *migration, const char *change)
{
	struct buf *text = user;

	buf_printf(text, "%s%s;", change ? " " : migration->name, change ? change : "");
}

static void a_plan_names_what_changes(void **state)
{
	struct fixture *f = *state;
	struct buf text = {.max = 10000};
	struct migrations all = with(f, ADD_COLUMN ADD_TABLE, "DROP INDEX job_open");

	assert_int_equal(migrate_plan(NULL, all, store_migration_count, note_change, &text), 0);
	assert_string_equal(text.ptr, "9001_second.sql; changes table breaker; creates table "
				      "extra;9002_third.sql; drops index job_open;");
	buf_finish(&text);
}

/* ---- damage ------------------------------------------------------------------------------- */

static void a_bad_page_is_told_at_the_next_start_and_kept(void **state)
{
	struct fixture *f = *state;
	struct care_noted noted;
	struct stat before, after;
	struct error error;
	int64_t root;

	append_some(f, 50);
	close_both(f);
	root = root_of(in(f, "klinke.db"), "event_subject");
	flip(in(f, "klinke.db"), (root - 1) * 4096, 4096);
	assert_int_equal(stat(in(f, "klinke.db"), &before), 0);
	error = refused(f, E_CORRUPT, "klinke salvage");
	assert_says(&error, "klinke restore");
	assert_int_equal(stat(in(f, "klinke.db"), &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(before.st_size, after.st_size);
	assert_true(care_note_read(f->directory, CARE_DAMAGE, &noted));
}

static void a_statement_that_meets_a_bad_page_notes_it(void **state)
{
	struct fixture *f = *state;
	struct store_filter filter = {0};
	struct care_noted noted;
	struct event_row *rows;
	size_t count;
	int64_t root;

	append_some(f, 50);
	reopen(f);
	root = root_of(in(f, "klinke.db"), "event");
	close_both(f);
	open_store(f);
	flip(in(f, "klinke.db"), (root - 1) * 4096, 4096); /* while it runs */
	open_reader(f);
	assert_false(care_note_read(f->directory, CARE_DAMAGE, &noted));
	assert_int_equal(
		store_list_events(NULL, f->reader, &filter, f->arena, &rows, &count), E_CORRUPT);
	assert_true(care_note_read(f->directory, CARE_DAMAGE, &noted));
}

static void a_damaged_store_gives_no_backup(void **state)
{
	struct fixture *f = *state;
	struct care_copied copied;
	struct error error = {0};
	int64_t root;

	append_some(f, 50);
	close_both(f);
	root = root_of(in(f, "klinke.db"), "event_subject");
	flip(in(f, "klinke.db"), (root - 1) * 4096, 4096);
	assert_int_equal(care_backup(&error, f->directory, in(f, "copy.db"), &copied), E_CORRUPT);
	assert_says(&error, "no backup was made");
	assert_int_not_equal(access(in(f, "copy.db"), F_OK), 0);
	assert_int_not_equal(access(in(f, "copy.db.part"), F_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(a_copy_is_one_file_of_mode_0600_with_all_rows),
		STORE_TEST(a_directory_gets_a_file_named_by_the_time),
		STORE_TEST(nothing_is_written_over),
		STORE_TEST(a_reference_into_nowhere_is_copied),
		STORE_TEST(the_writer_goes_on_while_it_is_copied),
		STORE_TEST(a_copy_on_a_full_disk_leaves_nothing),
		STORE_TEST(keys_are_copied_apart_and_open_the_store),
		STORE_TEST(a_newer_copy_of_the_keys_replaces_the_older),
		STORE_TEST(what_was_there_lies_aside_and_the_copy_is_the_store),
		STORE_TEST(what_root_restores_is_the_hosts),
		STORE_TEST(a_running_host_is_not_restored_under_its_feet),
		STORE_TEST(on_an_empty_machine_the_keys_come_along),
		STORE_TEST(other_keys_are_refused_and_nothing_changes),
		STORE_TEST(a_lost_key_comes_back_from_its_copy),
		STORE_TEST(who_was_forgotten_stays_so),
		STORE_TEST(what_is_no_good_copy_is_refused),
		STORE_TEST(half_a_restore_starts_no_host),
		STORE_TEST(a_file_that_is_gone_is_not_begun_anew),
		STORE_TEST(a_restore_that_is_killed_loses_nothing),
		STORE_TEST(a_migration_keeps_rows_and_a_copy_from_before),
		STORE_TEST(a_migration_that_fails_is_undone_with_those_before_it),
		STORE_TEST(a_migration_without_room_for_its_copy_changes_nothing),
		STORE_TEST(a_migration_that_is_killed_goes_on),
		STORE_TEST(a_plan_names_what_changes),
		STORE_TEST(a_bad_page_is_told_at_the_next_start_and_kept),
		STORE_TEST(a_statement_that_meets_a_bad_page_notes_it),
		STORE_TEST(a_damaged_store_gives_no_backup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
