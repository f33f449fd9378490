/* A damaged store read into a new file: what is read is true, what is missing is counted, and the
 * new file is a store. */
#include "care_kit.h"

#define MANY 900

static void append_many(struct fixture *f)
{
	char *body = calloc(1, 10000);
	int i;

	memset(body, 'x', 10000);
	append_some(f, MANY);
	for (i = 0; i < 20; i++) { /* that lie on pages of their own */
		struct inbox_row row = an_inbox_row();
		struct store_append_inbox op = {.row = &row};
		row.body = (struct str){body, 10000};
		assert_int_equal(append_inbox_now(f, &op), 0);
	}
	free(body);
	backup(f, in(f, "whole.db"));
	close_both(f);
}

/* The nth page of a table's or an index's that is of this kind. */
static int64_t page_of(struct fixture *f, const char *name, const char *kind, int n)
{
	char sql[300];

	snprintf(sql, sizeof(sql),
		"SELECT pageno FROM dbstat WHERE name = '%s' AND pagetype = '%s' ORDER BY path "
		"LIMIT 1 OFFSET %d",
		name, kind, n);
	return number(in(f, "klinke.db"), sql);
}

static void spoil(struct fixture *f, int64_t page)
{
	flip(in(f, "klinke.db"), (page - 1) * 4096, 4096);
}

static struct care_salvaged salvage(struct fixture *f, const char *to)
{
	struct care_salvaged saved;
	struct error error = {0};

	if (care_salvage(&error, f->directory, in(f, to), f->arena, &saved) != 0)
		fail_msg("%s", error.text);
	return saved;
}

static const struct care_saved *of_table(const struct care_salvaged *saved, const char *name)
{
	size_t i;

	for (i = 0; i < saved->count; i++)
		if (strcmp(saved->tables[i].table, name) == 0)
			return &saved->tables[i];
	fail_msg("there is no table %s", name);
	return NULL;
}

/* Every row of the new file is one of the whole one; gives how many there are. Long rows go on on
 * pages without any mark of their own: if those are bad, only unsealing tells. */
static int64_t all_are_true(struct fixture *f, const char *file, const char *table)
{
	const char *which = strcmp(table, "inbox_raw") == 0 ? "length(sealed) < 3000" : "1";
	sqlite3 *db = database(in(f, file));
	char sql[600];
	sqlite3_stmt *stmt;
	int64_t n;

	snprintf(sql, sizeof(sql), "ATTACH '%s' AS whole", in(f, "whole.db"));
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	snprintf(sql, sizeof(sql),
		"SELECT count(*), (SELECT count(*) FROM (SELECT * FROM main.\"%s\" WHERE %s EXCEPT "
		"SELECT * FROM whole.\"%s\")) FROM main.\"%s\"",
		table, which, table, table);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	n = sqlite3_column_int64(stmt, 0);
	assert_int_equal(sqlite3_column_int64(stmt, 1), 0);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return n;
}

static void a_whole_store_is_salvaged_whole(void **state)
{
	struct fixture *f = *state;
	struct care_salvaged saved;
	struct error error = {0};
	struct stat st;

	append_many(f);
	saved = salvage(f, "new.db");
	assert_true(saved.whole);
	assert_int_equal(stat(in(f, "new.db"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(all_are_true(f, "new.db", "event"), MANY);
	assert_int_equal(all_are_true(f, "new.db", "inbox_raw"), MANY + 20);
	assert_int_equal(all_are_true(f, "new.db", "meta"), 1);
	assert_int_equal(
		care_salvage(&error, f->directory, in(f, "new.db"), f->arena, &saved), E_CONFLICT);
}

/* The rows of the bad page are missing, and no others; the new file becomes the store. */
static void a_bad_leaf_costs_its_rows_only(void **state)
{
	struct fixture *f = *state;
	struct care_restored restored;
	struct care_salvaged saved;
	const struct care_saved *event;
	struct error error = {0};
	int64_t page, cells;
	char sql[100];

	append_many(f);
	page = page_of(f, "event", "leaf", 7);
	snprintf(sql, sizeof(sql), "SELECT ncell FROM dbstat WHERE pageno = %lld", (long long)page);
	cells = number(in(f, "klinke.db"), sql);
	spoil(f, page);
	saved = salvage(f, "new.db");
	event = of_table(&saved, "event");
	assert_int_equal(event->missing, cells);
	assert_int_equal(event->read, MANY - cells);
	assert_true(*event->where);
	assert_false(saved.whole);
	assert_int_equal(saved.missing, cells);
	assert_int_equal(all_are_true(f, "new.db", "event"), MANY - cells);
	assert_int_equal(care_restore(&error, f->directory, in(f, "new.db"), NULL, &restored), 0);
	open_store(f);
	open_reader(f);
	assert_int_equal(events_of(f, true), MANY - cells);
	append_some(f, 1);
}

/* What no tree leads to any more is still on its pages, long rows too. */
static void a_bad_root_costs_nothing_but_the_tree(void **state)
{
	static const char *const tables[] = {"event", "inbox", "inbox_raw"};
	struct fixture *f = *state;
	struct care_salvaged saved;
	size_t i;

	append_many(f);
	for (i = 0; i < 3; i++)
		spoil(f, root_of(in(f, "whole.db"), tables[i]));
	saved = salvage(f, "new.db");
	assert_int_equal(all_are_true(f, "new.db", "event"), MANY);
	assert_int_equal(all_are_true(f, "new.db", "inbox"), MANY + 20);
	assert_int_equal(all_are_true(f, "new.db", "inbox_raw"), MANY + 20);
	assert_int_equal(of_table(&saved, "event")->missing, 0);
	assert_int_equal(of_table(&saved, "inbox_raw")->missing, -1); /* no index tells */
}

static void bad_indexes_cost_nothing(void **state)
{
	struct fixture *f = *state;
	struct care_salvaged saved;

	append_many(f);
	spoil(f, root_of(in(f, "whole.db"), "event_dedupe"));
	spoil(f, root_of(in(f, "whole.db"), "event_tenant"));
	spoil(f, root_of(in(f, "whole.db"), "sqlite_autoindex_inbox_1"));
	saved = salvage(f, "new.db");
	assert_true(saved.whole);
	assert_int_equal(all_are_true(f, "new.db", "event"), MANY);
}

/* The head and the whole schema are gone: what has numbers is found by what it looks like. */
static void a_file_without_its_first_page_gives_its_rows(void **state)
{
	struct fixture *f = *state;
	struct care_restored restored;
	struct error error = {0};

	append_many(f);
	spoil(f, 1);
	salvage(f, "new.db");
	assert_int_equal(all_are_true(f, "new.db", "event"), MANY);
	assert_int_equal(all_are_true(f, "new.db", "inbox_raw"), MANY + 20);
	assert_int_equal(care_restore(&error, f->directory, in(f, "new.db"), NULL, &restored), 0);
	assert_true(restored.sealed_read > 0);
	open_store(f);
	open_reader(f);
	assert_int_equal(events_of(f, true), MANY);
}

/* Whose key was destroyed is named by the key's number, and those are all below 0. */
static void who_was_forgotten_stays_it(void **state)
{
	static const char rows[] =
		"INSERT INTO forgotten (number, mark, at_ms) VALUES (-9223372036854775807, "
		"randomblob(16), 1), (-5000000000000000000, randomblob(16), 2), (-1, "
		"randomblob(16), 3);"
		"INSERT INTO gone (mark, gone_ms) VALUES (randomblob(16), 4), (randomblob(16), 5);";
	struct fixture *f = *state;
	struct care_salvaged saved;

	append_some(f, 10);
	close_both(f);
	by_hand(in(f, "klinke.db"), rows);
	open_store(f);
	open_reader(f);
	backup(f, in(f, "whole.db"));
	close_both(f);
	saved = salvage(f, "new.db");
	assert_true(saved.whole);
	assert_int_equal(of_table(&saved, "forgotten")->read, 3);
	assert_int_equal(all_are_true(f, "new.db", "forgotten"), 3);
	assert_int_equal(all_are_true(f, "new.db", "gone"), 2);
	spoil(f, 1); /* then only their sign tells them from those of another table */
	salvage(f, "newer.db");
	assert_int_equal(all_are_true(f, "newer.db", "forgotten"), 3);
	assert_int_equal(all_are_true(f, "newer.db", "gone"), 2);
}

/* What refers to a missing row is cut or left out, so that the new file is whole in itself. */
static void references_into_nowhere_are_cut(void **state)
{
	struct fixture *f = *state;
	struct care_salvaged saved;
	struct job_row jobs[200];
	int i;

	for (i = 0; i < 200; i++)
		jobs[i] = a_job(STR(""));
	add(f, jobs, 200);
	for (i = 0; i < 200; i++) {
		struct attempt_row attempt = {.id = id_new(),
			.job = jobs[i].id,
			.kind = ATTEMPT_STEP,
			.name = STR("x"),
			.outcome = STR("done"),
			.input = STR("{}"),
			.output = STR("{}")};
		struct store_save_job op = {
			.job = &jobs[i], .attempts = &attempt, .attempt_count = 1};
		assert_int_equal(save_job_now(f, &op), 0);
	}
	append_many(f);
	spoil(f, page_of(f, "job", "leaf", 1));
	spoil(f, page_of(f, "inbox", "leaf", 3));
	saved = salvage(f, "new.db");
	assert_true(of_table(&saved, "job")->missing > 0);
	assert_int_equal(of_table(&saved, "attempt")->left_out, of_table(&saved, "job")->missing);
	assert_int_equal(of_table(&saved, "event")->cut, of_table(&saved, "inbox")->missing);
	assert_int_equal(of_table(&saved, "event")->read, MANY);
	assert_int_equal(
		number(in(f, "new.db"), "SELECT count(*) FROM pragma_foreign_key_check"), 0);
}

/* Any pages, zeroed or flipped: what is read is true, and it is a store. */
static void whatever_pages_are_bad_what_is_read_is_true(void **state)
{
	struct fixture *f = *state;
	struct care_restored restored;
	struct error error = {0};
	char zeros[4096] = {0}, name[32];
	int64_t pages;
	int round, i, fd;

	append_many(f);
	pages = number(in(f, "klinke.db"), "PRAGMA page_count");
	srandom(4711);
	for (round = 0; round < 4; round++) {
		for (i = 0; i < 6; i++) {
			int64_t page = 1 + random() % pages;
			fd = open(in(f, "klinke.db"), O_WRONLY);
			if (round % 2)
				assert_int_equal(pwrite(fd, zeros, 4096, (page - 1) * 4096), 4096);
			close(fd);
			if (round % 2 == 0)
				spoil(f, page);
		}
		snprintf(name, sizeof(name), "new%d.db", round);
		salvage(f, name);
		assert_true(all_are_true(f, name, "inbox") > MANY / 2);
		assert_true(all_are_true(f, name, "inbox_raw") > MANY / 4);
		assert_true(all_are_true(f, name, "attempt") >= 0);
	}
	assert_int_equal(care_restore(&error, f->directory, in(f, name), NULL, &restored), 0);
	open_store(f);
}

static void anothers_database_is_not_salvaged(void **state)
{
	struct fixture *f = *state;
	struct care_salvaged saved;
	struct error error = {0};

	close_both(f);
	assert_int_equal(unlink(in(f, "klinke.db")), 0);
	fclose(fopen(in(f, "klinke.db"), "w"));
	by_hand(in(f, "klinke.db"), "PRAGMA application_id = 7; CREATE TABLE theirs (x)");
	assert_int_equal(
		care_salvage(&error, f->directory, in(f, "new.db"), f->arena, &saved), E_CORRUPT);
	assert_says(&error, "not made by Klinke");
	assert_int_not_equal(access(in(f, "new.db"), F_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(a_whole_store_is_salvaged_whole),
		STORE_TEST(a_bad_leaf_costs_its_rows_only),
		STORE_TEST(a_bad_root_costs_nothing_but_the_tree),
		STORE_TEST(bad_indexes_cost_nothing),
		STORE_TEST(a_file_without_its_first_page_gives_its_rows),
		STORE_TEST(who_was_forgotten_stays_it),
		STORE_TEST(references_into_nowhere_are_cut),
		STORE_TEST(whatever_pages_are_bad_what_is_read_is_true),
		STORE_TEST(anothers_database_is_not_salvaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
