/* What must hold of keys and of forgetting when others are at the same files, at the same moment,
 * or in the same group. */
#include <sys/wait.h>

#include "person_kit.h"

/* ---- another program at the keys ---------------------------------------------------------- */

/* Begun before this process has a connection, since SQLite's must not be taken over a fork. */
struct outsider {
	pid_t pid;
	int tell[2], told[2];
};

static void look_when_told(const struct outsider *o, const char *path)
{
	sqlite3 *db;
	char c;

	if (read(o->tell[0], &c, 1) != 1)
		_exit(0);
	if (sqlite3_open(path, &db) != SQLITE_OK ||
		sqlite3_exec(db, "SELECT count(*) FROM person", NULL, NULL, NULL) != SQLITE_OK ||
		sqlite3_close(db) != SQLITE_OK || write(o->told[1], "x", 1) != 1)
		_exit(1);
	_exit(0);
}

static void outsider_begin(struct outsider *o, const char *path)
{
	assert_int_equal(pipe(o->tell), 0);
	assert_int_equal(pipe(o->told), 0);
	o->pid = fork();
	assert_true(o->pid >= 0);
	if (!o->pid) {
		close(o->tell[1]);
		look_when_told(o, path);
	}
}

/* It has looked, and closed the file as SQLite does. */
static bool outsider_look(struct outsider *o)
{
	char c;

	return write(o->tell[1], "x", 1) == 1 && read(o->told[0], &c, 1) == 1;
}

static void outsider_end(struct outsider *o)
{
	int status;

	close(o->tell[1]);
	close(o->tell[0]);
	assert_int_equal(waitpid(o->pid, &status, 0), o->pid);
	assert_int_equal(status, 0);
	close(o->told[0]);
	close(o->told[1]);
}

/* The host goes on while somebody else looks into persons.db, and dies. Nothing is closed. */
static void run_and_die(struct fixture *f, struct outsider *o, bool forgets)
{
	open_store(f);
	store_call(f, BERND, "", "call_b");
	if (forgets)
		forget(f, ANNA);
	if (!outsider_look(o))
		_exit(1);
	store_call(f, "+49301110002", "", "call_c");
	_exit(0);
}

static void acknowledged_stays_readable(struct fixture *f, bool forgets)
{
	struct outsider o;
	int status;
	pid_t host;

	store_call(f, ANNA, "", "call_a");
	close_both(f);
	outsider_begin(&o, arena_printf(f->arena, "%s/keys/persons.db", f->directory));
	host = fork();
	assert_true(host >= 0);
	if (!host)
		run_and_die(f, &o, forgets);
	assert_int_equal(waitpid(host, &status, 0), host);
	assert_int_equal(status, 0);
	outsider_end(&o);
	open_store(f);
	open_reader(f);
	is_readable(f, "call_a", !forgets);
	is_readable(f, "call_b", true);
	is_readable(f, "call_c", true);
}

static void who_looks_at_the_keys_takes_no_log_away(void **state)
{
	acknowledged_stays_readable(*state, false);
}

static void nor_after_somebody_was_forgotten(void **state)
{
	acknowledged_stays_readable(*state, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(who_looks_at_the_keys_takes_no_log_away),
		STORE_TEST(nor_after_somebody_was_forgotten),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
