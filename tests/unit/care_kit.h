/* care_kit.h - what the tests of copies and of salvage share: a store with rows, its file by hand,
 * pages spoiled. */
#ifndef CARE_KIT_H
#define CARE_KIT_H

#include "store_fixture.h"

#include <fcntl.h>
#include <sqlite3.h>

#include "store/care.h"

#define PATHS 300

static inline const char *in(struct fixture *f, const char *name)
{
	static char paths[8][PATHS];
	static unsigned next;
	char *path = paths[next++ % 8];

	snprintf(path, PATHS, "%s/%s", f->directory, name);
	return path;
}

static inline void assert_says(const struct error *error, const char *words)
{
	if (!strstr(error->text, words))
		fail_msg("\"%s\" does not say \"%s\"", error->text, words);
}

static inline sqlite3 *database(const char *path)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	return db;
}

static inline int64_t number(const char *path, const char *sql)
{
	sqlite3 *db = database(path);
	sqlite3_stmt *stmt;
	int64_t n;

	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	n = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return n;
}

static inline void by_hand(const char *path, const char *sql)
{
	sqlite3 *db = database(path);
	char *message = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
		fail_msg("%s: %s", sql, message);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

struct pair { /* a webhook and what it meant */
	struct inbox_row row;
	struct store_append_inbox append;
	struct event_row event;
	struct event_change change;
	struct store_finish_inbox finish;
	char dedupe[32], person[32];
};

/* All of them in few commits: what takes long is the disk. */
static inline void append_some(struct fixture *f, int count)
{
	struct pair *all = calloc((size_t)count, sizeof(*all));
	struct waiter appended, finished;
	int i;

	waiter_init(&appended, (unsigned)count);
	waiter_init(&finished, (unsigned)count);
	for (i = 0; i < count; i++) {
		struct pair *p = &all[i];
		p->row = an_inbox_row();
		p->append = (struct store_append_inbox){
			.row = &p->row, .op = {.done = waiter_done, .user = &appended}};
		store_append_inbox(f->store, &p->append);
	}
	waiter_wait(&appended);
	for (i = 0; i < count; i++) {
		struct pair *p = &all[i];
		snprintf(p->dedupe, sizeof(p->dedupe), "e%d-%ld", i, random());
		p->event = an_event(str_of(p->dedupe));
		p->event.inbox = p->row.id;
		snprintf(p->person, sizeof(p->person), "+49171%07d", i % 20);
		p->event.person = str_of(p->person);
		p->change = (struct event_change){.row = &p->event};
		p->finish = (struct store_finish_inbox){.inbox = p->row.id,
			.tenant = TENANT,
			.state = INBOX_DONE,
			.events = &p->change,
			.event_count = 1,
			.op = {.done = waiter_done, .user = &finished}};
		store_finish_inbox(f->store, &p->finish);
	}
	waiter_wait(&finished);
	for (i = 0; i < count; i++)
		assert_int_equal(all[i].finish.op.result, 0);
	free(all);
}

static inline struct care_copied backup(struct fixture *f, const char *to)
{
	struct care_copied copied;
	struct error error = {0};

	if (care_backup(&error, f->directory, to, &copied) != 0)
		fail_msg("%s", error.text);
	return copied;
}

static inline size_t events_of(struct fixture *f, bool readable)
{
	struct store_filter filter = {.limit = 100000};
	struct event_row *rows;
	size_t count, i, n = 0;

	assert_int_equal(store_list_events(NULL, f->reader, &filter, f->arena, &rows, &count), 0);
	for (i = 0; i < count; i++)
		n += !readable || (!rows[i].unreadable && rows[i].person.len > 0);
	return n;
}

static inline void flip(const char *path, off_t at, size_t count)
{
	char bytes[4096];
	int fd = open(path, O_RDWR);
	size_t i;

	assert_true(fd >= 0 && count <= sizeof(bytes));
	assert_int_equal(pread(fd, bytes, count, at), count);
	for (i = 0; i < count; i++)
		bytes[i] = (char)(bytes[i] ^ 0x5a);
	assert_int_equal(pwrite(fd, bytes, count, at), count);
	close(fd);
}

static inline int64_t root_of(const char *path, const char *name)
{
	char sql[200];

	snprintf(sql, sizeof(sql), "SELECT rootpage FROM sqlite_schema WHERE name = '%s'", name);
	return number(path, sql);
}

#endif
