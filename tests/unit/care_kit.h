/* care_kit.h - what the tests of copies and of salvage share: a store with rows, and
 * a copy of it. */
#ifndef CARE_KIT_H
#define CARE_KIT_H

#include "store_file.h"

#include "store/care.h"

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

static inline int64_t root_of(const char *path, const char *name)
{
	char sql[200];

	snprintf(sql, sizeof(sql), "SELECT rootpage FROM sqlite_schema WHERE name = '%s'", name);
	return number(path, sql);
}

#endif
