/* doctor_store.c - what the doctor looks at in the store, through readers. */
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "command/doctor.h"
#include "store/care.h"
#include "store/store.h"

#define PAGES_MS 10000 /* for looking at the file's pages */
#define PERSONS_MS 2000
#define BACKUP_OLD_MS (INT64_C(7) * 24 * 60 * 60 * 1000)
#define CHECK_OLD_MS (INT64_C(7) * 24 * 60 * 60 * 1000)
#define DAY_MS (INT64_C(24) * 60 * 60 * 1000)
#define TURNED_MAX 200
#define AHEAD_MS (5 * 60 * 1000)
#define RENEW "renew the key at the vendor and in the configuration, then klinke reload"
#define RESCUE "klinke restore a backup, or klinke salvage what can be read; both without the host"

static void nothing(void *user, const struct care_migration *migration, const char *change)
{
	(void)user;
	(void)migration;
	(void)change;
}

/* False: the file cannot be opened at all. */
static bool check_schema(struct doctor *d)
{
	struct store_options options = {.directory = d->state, .read_only = true};
	struct error error = {0};
	struct store *store = NULL;
	long from, to;

	if (care_migrate_plan(&error, d->state, &from, &to, nothing, NULL) < 0) {
		doctor_say(d, error.code == E_NOTFOUND ? FINDING_WARN : FINDING_FAIL, "store", NULL,
			"%s", error.text);
		return false;
	}
	if (from < to) {
		doctor_say(d, FINDING_WARN, "store",
			"klinke migrate plan tells what changes; the next start does it",
			"schema %ld, this build needs %ld", from, to);
		return true;
	}
	if (store_open(&error, &store, &options) < 0) {
		doctor_say(d, FINDING_FAIL, "store", NULL, "%s", error.text);
		return error.code != E_IO;
	}
	store_close(store);
	doctor_say(d, FINDING_OK, "store", NULL, "schema %ld, object by object; its keys fit", to);
	return true;
}

static void check_persons(struct doctor *d)
{
	struct care_check how = {.for_ms = PERSONS_MS};
	const char *file = arena_printf(d->arena, "%s/keys/persons.db", d->state);
	struct care_checked found;
	struct error error = {0};

	if (access(file, F_OK) == 0 && care_verify(&error, file, &how, &found) < 0)
		doctor_say(d, FINDING_FAIL, "keys",
			"stop the host, move this file away and put back the one that klinke "
			"backup "
			"--keys copied: without a person's key what is stored of them cannot be "
			"read",
			"%s", error.text);
	else
		doctor_say(d, FINDING_OK, "keys", NULL, "there, for their owner only");
}

static void check_keys(struct doctor *d)
{
	static const char *const names[] = {"keys", "keys/master.key", "keys/person.key"};
	struct stat st;

	for (int i = 0; i < 3; i++) {
		const char *path = arena_printf(d->arena, "%s/%s", d->state, names[i]);
		if (stat(path, &st) != 0) {
			doctor_say(d, FINDING_FAIL, "keys",
				"put back the copy that klinke backup --keys made: without it "
				"nothing "
				"sealed can be read",
				"%s is not there", path);
			return;
		}
		if (st.st_mode & 077) {
			doctor_say(d, FINDING_FAIL, "keys",
				arena_printf(d->arena, "chmod go= %s", path),
				"others than its owner can read %s", path);
			return;
		}
	}
	check_persons(d);
}

static void check_pages(struct doctor *d)
{
	struct care_check how = {.quick = true, .for_ms = PAGES_MS};
	const char *file = arena_printf(d->arena, "%s/klinke.db", d->state);
	struct care_noted noted = {0};
	struct care_checked found;
	struct error error = {0};
	char when[CLOCK_TEXT];

	if (care_verify(&error, file, &how, &found) < 0) {
		doctor_say(d, FINDING_FAIL, "pages", RESCUE, "%s", error.text);
		return;
	}
	if (care_note_read(d->state, CARE_DAMAGE, &noted)) {
		clock_utc(when, noted.at_ms);
		doctor_say(d, FINDING_FAIL, "pages", RESCUE, "damage was met at %s: %s", when,
			noted.text);
		return;
	}
	doctor_say(d, FINDING_OK, "pages", NULL, "%s",
		found.finished ? "looked through, nothing found"
			       : "nothing found in ten seconds; the host looks at all of them by "
				 "schedule");
	if (!d->config || !config_host(d->config)->integrity_check_ms)
		doctor_say(d, FINDING_WARN, "pages",
			"integrity_check = 24h in [host]; or klinke migrate verify by a timer",
			"they are not checked by schedule");
	else if (care_note_read(d->state, CARE_INTEGRITY, &noted) &&
		 clock_now_ms() - noted.at_ms >
			 CHECK_OLD_MS + config_host(d->config)->integrity_check_ms)
		doctor_say(d, FINDING_WARN, "pages",
			"a host that runs does it; its log says if it cannot",
			"the last check by schedule was more than a week ago");
}

/* It stays until a person takes it away: what was lost with it is not in the file any more. */
static void check_log(struct doctor *d)
{
	glob_t found;

	if (glob(arena_printf(d->arena, "%s/" CARE_DAMAGED_LOG "*.wal", d->state), 0, NULL,
		    &found) == 0)
		doctor_say(d, FINDING_WARN, "log",
			"klinke gaps --fetch brings what the vendors still list; then move that "
			"file away",
			"commits were lost in a damaged log; the last copy of one is %s",
			found.gl_pathv[found.gl_pathc - 1]);
	globfree(&found);
}

static void check_backup(struct doctor *d)
{
	static const char remedy[] =
		"klinke backup DIRECTORY, by a timer every night, to another disk";
	struct care_noted noted;
	int64_t age;

	if (!care_note_read(d->state, CARE_BACKUP, &noted)) {
		doctor_say(d, FINDING_WARN, "backup", remedy, "none was ever made");
		return;
	}
	age = clock_now_ms() - noted.at_ms;
	doctor_say(d, age > BACKUP_OLD_MS ? FINDING_WARN : FINDING_OK, "backup", remedy,
		"the last one is %" PRId64 " hours old: %s", age / 3600000, noted.text);
}

static void check_waiting(struct doctor *d, struct store_reader *reader)
{
	struct error error = {0};
	struct store_counts c;
	uint64_t dead;

	if (store_count(&error, reader, &c) < 0) {
		doctor_say(d, FINDING_FAIL, "waiting", RESCUE, "%s", error.text);
		return;
	}
	dead = c.jobs[JOB_DEAD] + c.jobs[JOB_PARKED] + c.inbox_parked;
	doctor_say(d, dead ? FINDING_WARN : FINDING_OK, "waiting", "klinke dead lists them",
		"%" PRIu64 " jobs are dead, %" PRIu64 " parked, %" PRIu64
		" webhooks could not be read",
		c.jobs[JOB_DEAD], c.jobs[JOB_PARKED], c.inbox_parked);
}

/* ---- Callers who were turned away --------------------------------------------------------- */

struct turned { /* by one calendar, for one event type and reason */
	struct str connection, event_type, fail, reason, at;
	int64_t count;
};

static struct turned *turned_by(struct turned *all, size_t *count, const struct json *data)
{
	struct str connection = json_get_text(data, "connection"),
		   fail = json_get_text(data, "fail"),
		   event_type = json_get_text(data, "event_type");

	for (size_t i = 0; i < *count; i++)
		if (str_eq(all[i].connection, connection) && str_eq(all[i].fail, fail) &&
			str_eq(all[i].event_type, event_type))
			return &all[i];
	all[*count] = (struct turned){connection, event_type, fail, .count = 0};
	return &all[(*count)++];
}

static const char *turned_remedy(struct doctor *d, const struct turned *t)
{
	if (str_is(t->fail, "gone") || str_is(t->fail, "bad input"))
		return arena_printf(d->arena,
			"klinke call %.*s.event_types lists what it has; mend event_type = in "
			"[service], then klinke reload",
			STR_ARG(t->connection));
	if (str_is(t->fail, "bad auth"))
		return RENEW;
	return arena_printf(d->arena,
		"klinke call %.*s.test asks it now; klinke events --type calendar.failed tells "
		"each time",
		STR_ARG(t->connection));
}

static void say_turned(struct doctor *d, const struct turned *t)
{
	doctor_say(d, FINDING_WARN, "callers", turned_remedy(d, t),
		"%.*s could not serve callers %" PRId64
		" times in the last day%s%.*s, last seen at "
		"%.*s: %.*s: %.*s",
		STR_ARG(t->connection), t->count, t->event_type.len ? ", event type " : "",
		STR_ARG(t->event_type), STR_ARG(t->at), STR_ARG(t->fail), STR_ARG(t->reason));
}

/* From events, newest first: the log may be gone, and with it the host that counted. */
static void check_callers(struct doctor *d, struct store_reader *reader)
{
	struct store_filter filter = {.type = STR("calendar.failed"),
		.since_ms = clock_now_ms() - DAY_MS,
		.limit = TURNED_MAX};
	struct turned all[TURNED_MAX];
	struct event_row *rows;
	struct error error = {0};
	size_t count, turned = 0;

	if (store_list_events(&error, reader, &filter, d->arena, &rows, &count) < 0) {
		doctor_say(d, FINDING_FAIL, "callers", RESCUE, "%s", error.text);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		const struct json *data = json_parse(d->arena, rows[i].data, NULL);
		struct turned *t = turned_by(all, &turned, data);
		char at[CLOCK_TEXT];
		if (!t->count) {
			clock_utc(at, rows[i].at_ms);
			t->at = str_dup(d->arena, str_of(at));
			t->reason = json_get_text(data, "reason");
		}
		t->count += json_i64(json_get(data, "count"), 1);
	}
	for (size_t i = 0; i < turned; i++)
		say_turned(d, &all[i]);
	if (!turned)
		doctor_say(d, FINDING_OK, "callers", NULL,
			"none was turned away by a calendar in the last day");
}

/* ---- Vendors ------------------------------------------------------------------------------ */

static bool is_paused(const struct breaker_row *row)
{
	return str_is(row->state, "paused") && row->key.len > strlen(BREAKER_PAUSE);
}

static void say_vendor(struct doctor *d, const struct breaker_row *row)
{
	int64_t left_s = (row->until_ms - clock_now_ms()) / 1000;

	if (is_paused(row))
		doctor_say(d, FINDING_FAIL, "vendors", RENEW,
			"%.*s is paused for %" PRId64 " s: its credential was refused",
			(int)(row->key.len - strlen(BREAKER_PAUSE)),
			row->key.ptr + strlen(BREAKER_PAUSE), left_s);
	else
		doctor_say(d, FINDING_WARN, "vendors",
			"it is asked again by itself; klinke events --type connection.failed and "
			"klinke call …test tell more",
			"%.*s failed %" PRIu32 " times and is left in peace for %" PRId64 " s",
			STR_ARG(row->key), row->failures, left_s);
}

static void check_breakers(struct doctor *d, struct store_reader *reader)
{
	struct breaker_row *rows;
	struct error error = {0};
	size_t count, i, open = 0;

	if (store_list_breakers(&error, reader, d->arena, &rows, &count) < 0) {
		doctor_say(d, FINDING_FAIL, "vendors", RESCUE, "%s", error.text);
		return;
	}
	for (i = 0; i < count; i++) {
		if ((!str_is(rows[i].state, "open") && !is_paused(&rows[i])) ||
			rows[i].until_ms < clock_now_ms())
			continue;
		open++;
		say_vendor(d, &rows[i]);
	}
	if (!open)
		doctor_say(d, FINDING_OK, "vendors", NULL,
			"none is left in peace for failing, or for refusing its key");
}

/* A clock that went back hides what came before, and signatures look stale. */
static void check_newest(struct doctor *d, struct store_reader *reader)
{
	struct store_filter newest = {.limit = 1};
	struct inbox_row *rows;
	size_t count = 0;
	char when[CLOCK_TEXT];

	if (store_list_inbox(NULL, reader, &newest, d->arena, &rows, &count) < 0 || !count)
		return;
	clock_utc(when, rows[0].received_ms);
	if (rows[0].received_ms > clock_now_ms() + AHEAD_MS)
		doctor_say(d, FINDING_FAIL, "clock", "set it: it went back",
			"the newest webhook is of %s, which is still to come", when);
}

void doctor_store(struct doctor *d)
{
	struct store_reader *reader;

	if (access(arena_printf(d->arena, "%s/restore.unfinished", d->state), F_OK) == 0) {
		doctor_say(d, FINDING_FAIL, "store", "run klinke restore again",
			"a restore was interrupted in %s; what was there before lies in "
			"before-restore-*",
			d->state);
		return;
	}
	if (!check_schema(d))
		return;
	check_keys(d);
	check_pages(d);
	check_log(d);
	check_backup(d);
	if (store_reader_open(NULL, &reader, d->state) < 0)
		return; /* told above */
	check_waiting(d, reader);
	check_callers(d, reader);
	check_breakers(d, reader);
	check_newest(d, reader);
	store_reader_close(reader);
}
