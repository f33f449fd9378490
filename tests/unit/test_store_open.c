/* Opening: one process at a time, nothing that differs from what it must be, keys that fit. */
#include "store_file.h"

#include <sys/stat.h>
#include <sys/wait.h>

static void the_state_directory_is_for_its_owner_only(void **state)
{
	struct fixture *f = *state;
	static const char *const files[] = {
		"klinke.db", "klinke.db-wal", "keys/master.key", "lock"};
	struct stat st;
	size_t i;

	append(f);
	for (i = 0; i < sizeof(files) / sizeof(*files); i++) {
		assert_int_equal(stat(in(f, files[i]), &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
	}
	assert_int_equal(stat(in(f, "keys"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
}

static void a_second_process_is_told_who_has_the_directory(void **state)
{
	struct fixture *f = *state;
	char pid[32];

	snprintf(pid, sizeof(pid), "process %ld ", (long)getpid());
	refused(f, E_BUSY, pid);
	store_close(f->store);
	open_store(f); /* the lock went with it */
}

static void a_reader_beside_a_running_host_needs_no_lock(void **state)
{
	struct fixture *f = *state;
	struct store_options options = {.directory = f->directory, .read_only = true};
	struct store_append_inbox op = {0};
	struct inbox_row row = an_inbox_row();
	struct store *second, *first = f->store;

	assert_int_equal(store_open(NULL, &second, &options), 0);
	op.row = &row;
	f->store = second;
	assert_int_equal(append_inbox_now(f, &op), E_DENIED);
	f->store = first;
	store_close(second);
}

static void what_a_killed_host_left_can_be_read_before_it_runs_again(void **state)
{
	struct fixture *f = *state;
	struct store_filter filter = {0};
	struct inbox_row *rows;
	size_t count;
	pid_t child;

	close_both(f);
	child = fork();
	if (child == 0) {
		open_store(f);
		append(f);
		_exit(0); /* without closing anything: the row is only in the log */
	}
	assert_int_equal(waitpid(child, NULL, 0), child);
	open_reader(f);
	assert_int_equal(store_list_inbox(NULL, f->reader, &filter, f->arena, &rows, &count), 0);
	assert_int_equal(count, 1);
	open_store(f); /* and its lock is free */
}

static void each_difference_of_the_schema_is_named(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *change, *says, *undo;
	} cases[] = {
		{"DROP INDEX job_open", "index job_open is missing",
			"CREATE INDEX job_open ON job (state, due_ms) WHERE state <> 6"},
		{"CREATE TABLE notes (x)", "table notes should not be there", "DROP TABLE notes"},
		{"ALTER TABLE breaker ADD COLUMN x INTEGER", "table breaker differs",
			"ALTER TABLE breaker DROP COLUMN x"},
		{"CREATE TRIGGER t AFTER INSERT ON job BEGIN SELECT 1; END",
			"trigger t should not be there", "DROP TRIGGER t"},
	};
	size_t i;

	close_both(f);
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		by_hand(in(f, "klinke.db"), cases[i].change);
		refused(f, E_CORRUPT, cases[i].says);
		by_hand(in(f, "klinke.db"), cases[i].undo);
	}
	by_hand(in(f, "klinke.db"),
		"DROP TABLE checkpoint"); /* "migrated", but the table is not there */
	refused(f, E_CORRUPT, "table checkpoint is missing");
}

static void white_space_and_comments_are_no_difference(void **state)
{
	struct fixture *f = *state;

	close_both(f);
	by_hand(in(f, "klinke.db"),
		"DROP INDEX inbox_open;"
		"CREATE INDEX  inbox_open\n ON inbox (state) -- by hand\n WHERE state IN (1, 3)");
	open_store(f);
}

static void another_programs_database_is_left_alone(void **state)
{
	struct fixture *f = *state;

	close_both(f);
	by_hand(in(f, "klinke.db"), "PRAGMA application_id = 7");
	refused(f, E_CORRUPT, "not made by Klinke");
}

static void a_newer_schema_is_not_touched(void **state)
{
	struct fixture *f = *state;

	close_both(f);
	by_hand(in(f, "klinke.db"), "PRAGMA user_version = 99");
	refused(f, E_CONFLICT, "newer");
}

static void overwrite(struct fixture *f, const char *name, off_t at, const char *bytes)
{
	int fd = open(in(f, name), O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, strlen(bytes), at), strlen(bytes));
	close(fd);
}

static void a_damaged_file_is_reported_and_kept(void **state)
{
	struct fixture *f = *state;
	const char *path = in(f, "klinke.db");
	struct stat before, after;

	close_both(f);
	overwrite(f, "klinke.db", 0, "this is no database");
	assert_int_equal(stat(path, &before), 0);
	refused(f, E_CORRUPT, "restore a backup");
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_size, after.st_size);
	assert_int_equal(before.st_ino, after.st_ino);
}

/* ---- keys ------------------------------------------------------------------------------------ */

static void move_away(struct fixture *f, const char *from, const char *to)
{
	assert_int_equal(rename(in(f, from), in(f, to)), 0);
}

static void without_its_master_key_a_store_does_not_open(void **state)
{
	struct fixture *f = *state;

	close_both(f);
	move_away(f, "keys/master.key", "elsewhere");
	refused(f, E_CORRUPT, "master.key is missing");
	move_away(f, "elsewhere", "keys/master.key");
	open_store(f);
}

static void put_key_of(struct fixture *f, struct fixture *other, const char *name)
{
	move_away(f, name, "elsewhere");
	assert_int_equal(link(in(other, name), in(f, name)), 0);
}

static void the_keys_of_another_store_are_refused(void **state)
{
	struct fixture *f = *state, *other = NULL;

	close_both(f);
	set_up((void **)&other);
	close_both(other);
	put_key_of(f, other, "keys/master.key");
	refused(f, E_CORRUPT, "person.key does not belong to master.key");
	put_key_of(f, other, "keys/person.key");
	refused(f, E_CORRUPT, "another store's key store");
	tear_down((void **)&other);
}

static void a_missing_key_of_marks_is_not_made_anew(void **state)
{
	struct fixture *f = *state;

	close_both(f);
	move_away(f, "keys/person.key", "elsewhere");
	refused(f, E_CORRUPT, "person.key is missing");
}

static void a_damaged_key_file_is_named(void **state)
{
	struct fixture *f = *state;

	close_both(f);
	overwrite(f, "keys/master.key", 0, "XXXX");
	overwrite(f, "keys/master.key", 95, "XXXX");
	refused(f, E_CORRUPT, "master.key is damaged");
}

/* The file of the tenant's key: the one that names it. */
static void destroy_key(struct fixture *f, const char *owner)
{
	char command[256];

	snprintf(command, sizeof(command), "rm $(grep -l '^owner %s$' %s/keys/*.key)", owner,
		f->directory);
	assert_int_equal(system(command), 0);
}

static void a_destroyed_key_takes_its_rows_and_no_others(void **state)
{
	struct fixture *f = *state;
	struct store_finish_inbox finish = {.state = INBOX_DONE, .tenant = TENANT};
	struct event_row event = an_event(STR("e"));
	struct event_change change = {.row = &event};
	struct store_filter filter = {0};
	struct event_row *rows;
	struct id other;
	struct story story;
	char text[ID_TEXT];
	size_t count;

	finish.inbox = append(f);
	finish.events = &change;
	finish.event_count = 1;
	assert_int_equal(finish_inbox_now(f, &finish), 0);
	other = append(f); /* tenant unknown: the host's key */
	close_both(f);
	destroy_key(f, "praxis-winter");
	open_store(f);
	open_reader(f);
	assert_int_equal(store_list_events(NULL, f->reader, &filter, f->arena, &rows, &count), 0);
	assert_int_equal(count, 1);
	assert_true(rows[0].unreadable);
	assert_str(rows[0].person, "");
	id_text(text, &finish.inbox);
	assert_int_equal(store_story(NULL, f->reader, str_of(text), STR(""), f->arena, &story), 0);
	assert_true(story.inbox[0].unreadable); /* handed over to the tenant's key */
	assert_str(story.inbox[0].body, "");
	id_text(text, &other);
	assert_int_equal(store_story(NULL, f->reader, str_of(text), STR(""), f->arena, &story), 0);
	assert_false(story.inbox[0].unreadable);
	assert_true(story.inbox[0].body.len > 0);
}

static void an_unreadable_pending_row_is_parked_and_the_next_ones_come(void **state)
{
	struct fixture *f = *state;
	struct store_pending_inbox op = {.arena = f->arena, .limit = 10};
	struct store_filter filter = {.states = 1u << INBOX_PARKED};
	struct inbox_row row = an_inbox_row(), *rows;
	struct store_append_inbox sealed = {.row = &row};
	struct id readable;
	size_t count;

	row.tenant = TENANT;
	assert_int_equal(append_inbox_now(f, &sealed), 0);
	readable = append(f);
	close_both(f);
	destroy_key(f, "praxis-winter");
	open_store(f);
	open_reader(f);
	assert_int_equal(pending_inbox_now(f, &op), 0);
	assert_int_equal(op.count, 1);
	assert_id(op.rows[0].id, readable);
	assert_int_equal(store_list_inbox(NULL, f->reader, &filter, f->arena, &rows, &count), 0);
	assert_int_equal(count, 1);
	assert_id(rows[0].id, row.id);
	assert_non_null(strstr(rows[0].reason.ptr, "not in the key store"));
}

static void sealed_bytes_moved_to_another_row_are_noticed(void **state)
{
	struct fixture *f = *state;
	struct id a = append(f);
	struct story story;
	char text[ID_TEXT];

	append(f);
	close_both(f);
	by_hand(in(f, "klinke.db"),
		"UPDATE inbox_raw SET sealed = (SELECT sealed FROM inbox_raw WHERE seq = 2)"
		" WHERE seq = 1;"
		"UPDATE inbox SET lock = (SELECT lock FROM inbox WHERE seq = 2) WHERE seq = 1");
	open_store(f);
	open_reader(f);
	id_text(text, &a);
	assert_int_equal(store_story(NULL, f->reader, str_of(text), STR(""), f->arena, &story), 0);
	assert_true(story.inbox[0].unreadable);
}

static void bodies_and_persons_are_not_in_the_files_in_clear(void **state)
{
	struct fixture *f = *state;
	struct event_row event = an_event(STR("e"));
	struct call_row call = {.tenant = TENANT,
		.connection = PHONE,
		.call_id = STR("c1"),
		.person = STR("Erika Mustermann"),
		.data = STR("{\"x\":\"Mustermann\"}")};
	struct appointment_row appointment = {.tenant = TENANT,
		.connection = PHONE,
		.uid = STR("b1"),
		.person = STR("Mustermann")};
	struct event_change change = {.row = &event, .call = &call, .appointment = &appointment};
	struct store_finish_inbox finish = {.state = INBOX_DONE, .tenant = TENANT};
	char command[128];

	finish.inbox = append(f);
	finish.events = &change;
	finish.event_count = 1;
	assert_int_equal(finish_inbox_now(f, &finish), 0);
	snprintf(command, sizeof(command), "! grep -rq Mustermann %s", f->directory);
	assert_int_equal(system(command), 0);
	snprintf(command, sizeof(command), "grep -rq praxis-winter %s", f->directory);
	assert_int_equal(system(command), 0); /* it does look into the right files */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(the_state_directory_is_for_its_owner_only),
		STORE_TEST(a_second_process_is_told_who_has_the_directory),
		STORE_TEST(a_reader_beside_a_running_host_needs_no_lock),
		STORE_TEST(what_a_killed_host_left_can_be_read_before_it_runs_again),
		STORE_TEST(each_difference_of_the_schema_is_named),
		STORE_TEST(white_space_and_comments_are_no_difference),
		STORE_TEST(another_programs_database_is_left_alone),
		STORE_TEST(a_newer_schema_is_not_touched),
		STORE_TEST(a_damaged_file_is_reported_and_kept),
		STORE_TEST(without_its_master_key_a_store_does_not_open),
		STORE_TEST(the_keys_of_another_store_are_refused),
		STORE_TEST(a_missing_key_of_marks_is_not_made_anew),
		STORE_TEST(a_damaged_key_file_is_named),
		STORE_TEST(a_destroyed_key_takes_its_rows_and_no_others),
		STORE_TEST(an_unreadable_pending_row_is_parked_and_the_next_ones_come),
		STORE_TEST(sealed_bytes_moved_to_another_row_are_noticed),
		STORE_TEST(bodies_and_persons_are_not_in_the_files_in_clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
