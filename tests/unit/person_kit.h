/* person_kit.h - one person's call as it is stored, what no file may hold, and forgetting. */
#ifndef PERSON_KIT_H
#define PERSON_KIT_H

#include <dirent.h>

#include "store_file.h"

WAITED(forget)

#define ANNA "+491713920042"
#define BERND "+4930555123"
#define MAIL "Anna.Schmidt@example.org"
#define NAME "Annegret Schmidt"

static inline struct str text_of(const char *s)
{
	return str_of(s);
}

/* ---- files -------------------------------------------------------------------------------- */

static inline bool file_holds(const char *path, const void *bytes, size_t n)
{
	FILE *file = fopen(path, "re");
	bool found = false;
	char *all;
	long size;

	if (!file)
		return false;
	fseek(file, 0, SEEK_END);
	size = ftell(file);
	rewind(file);
	all = malloc((size_t)size + 1);
	assert_non_null(all);
	if (fread(all, 1, (size_t)size, file) == (size_t)size)
		found = memmem(all, (size_t)size, bytes, n) != NULL;
	fclose(file);
	free(all);
	return found;
}

static inline void no_file_holds(const char *directory, const void *bytes, size_t n)
{
	DIR *dir = opendir(directory);
	struct dirent *one;
	char path[600];

	assert_non_null(dir);
	while ((one = readdir(dir))) {
		if (one->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", directory, one->d_name);
		if (one->d_type == DT_DIR)
			no_file_holds(path, bytes, n);
		else if (file_holds(path, bytes, n))
			fail_msg("%s holds what it must not", path);
	}
	closedir(dir);
}

/* ---- one call of a person ----------------------------------------------------------------- */

struct call { /* as it is stored */
	struct id inbox, event;
	struct job_row job; /* of the event; READY */
};

static inline struct event_row event_of(struct fixture *f, const char *person, const char *uid)
{
	struct event_row event = an_event(str_of(arena_printf(f->arena, "ended:%s", uid)));

	event.person = text_of(person);
	event.subject = str_of(arena_printf(f->arena, "call:%s", uid));
	event.data = str_of(arena_printf(f->arena,
		"{\"call_id\":\"%s\",\"from\":\"%s\",\"name\":\"" NAME "\"}", uid, person));
	event.correlation = event.subject;
	return event;
}

static inline struct id append_of(struct fixture *f, const char *body)
{
	struct inbox_row row = an_inbox_row();
	struct store_append_inbox op = {.row = &row};

	row.body = text_of(body);
	row.correlation = STR("");
	assert_int_equal(append_inbox_now(f, &op), 0);
	return row.id;
}

static inline struct call store_call(
	struct fixture *f, const char *person, const char *others, const char *uid)
{
	struct event_row event = event_of(f, person, uid);
	struct job_row job = a_job(event.subject);
	struct call_row row = {.tenant = TENANT,
		.connection = PHONE,
		.call_id = text_of(uid),
		.person = event.person,
		.from = event.person,
		.started_ms = 1000,
		.data = event.data};
	struct appointment_row appointment = {.tenant = TENANT,
		.connection = STR("praxis-winter/calendar"),
		.uid = text_of(uid),
		.status = STR("booked"),
		.start_ms = 5000,
		.end_ms = 6000,
		.changed_ms = 1000,
		.person = event.person,
		.name = STR(NAME)};
	struct event_change change = {.row = &event,
		.jobs = &job,
		.job_count = 1,
		.call = &row,
		.appointment = &appointment};
	struct store_finish_inbox finish = {
		.tenant = TENANT, .state = INBOX_DONE, .events = &change, .event_count = 1};
	struct call call;

	finish.inbox = event.inbox = append_of(f, event.data.ptr);
	event.others = text_of(others);
	job.event = event.id;
	job.person = event.person;
	job.correlation = event.correlation;
	if (finish_inbox_now(f, &finish) != 0)
		fail_msg("%s", finish.op.error.text);
	call.inbox = event.inbox;
	call.event = event.id;
	call.job = job;
	return call;
}

/* The job does something, and an answer is kept. */
static inline void work(struct fixture *f, struct call *call, enum job_state state)
{
	struct attempt_row attempt = {.id = id_new(),
		.kind = ATTEMPT_STEP,
		.name = STR("whatsapp.send"),
		.outcome = STR("answered"),
		.method = STR("POST"),
		.url = STR("https://example.org/find?to=" ANNA),
		.input = STR("{\"to\":\"" ANNA "\"}"),
		.output = STR("{\"name\":\"" NAME "\"}"),
		.note = STR("sent to " NAME)};
	struct answer_row answer = {.connection = PHONE,
		.dedupe = str_of(arena_printf(f->arena, "ended:%.*s",
			(int)call->job.correlation.len - 5, call->job.correlation.ptr + 5)),
		.tenant = TENANT,
		.result = STR("{\"say\":\"Guten Tag, " NAME "\"}")};
	struct job_row row = call->job;
	struct store_save_job op = {
		.job = &row, .attempts = &attempt, .attempt_count = 1, .answer = &answer};

	row.state = state;
	row.progress = STR("{\"name\":\"" NAME "\"}");
	row.reason = STR("the calendar says: " NAME " has two bookings");
	if (save_job_now(f, &op) != 0)
		fail_msg("%s", op.op.error.text);
}

static inline struct store_forget forget(struct fixture *f, const char *person)
{
	struct store_forget op = {
		.tenant = TENANT, .person = text_of(person), .now_ms = clock_now_ms()};

	do {
		if (forget_now(f, &op) != 0)
			fail_msg("%s", op.op.error.text);
	} while (op.more);
	return op;
}

/* Anna is forgotten, and then this one file is as it was before. Nothing is open afterwards. */
static inline void forget_and_put_back(struct fixture *f, const char *file)
{
	const char *path = arena_printf(f->arena, "%s", in(f, file));
	const char *copy = arena_printf(f->arena, "%s.old", path);

	close_both(f);
	copy_file(path, copy);
	open_store(f);
	open_reader(f);
	forget(f, ANNA);
	close_both(f);
	assert_int_equal(rename(copy, path), 0);
}

static inline struct story story_of(struct fixture *f, const char *uid)
{
	struct error error = {0};
	struct story story;

	if (store_story(&error, f->reader, text_of(uid), TENANT, f->arena, &story) != 0)
		fail_msg("%s", error.text);
	return story;
}

static inline void is_readable(struct fixture *f, const char *uid, bool readable)
{
	struct story story = story_of(f, uid);
	size_t i;

	assert_int_equal(story.event_count, 1);
	assert_int_equal(story.inbox_count, 1);
	assert_int_equal(story.job_count, 1);
	assert_int_equal(story.events[0].unreadable, !readable);
	assert_int_equal(story.inbox[0].unreadable, !readable);
	for (i = 0; i < story.attempt_count; i++)
		assert_int_equal(story.attempts[i].unreadable, !readable);
	assert_int_equal(story.events[0].data.len != 0, readable);
	assert_int_equal(story.inbox[0].body.len != 0, readable);
}

#endif
