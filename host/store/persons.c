/* persons.c - the keys of persons: STATE/keys/persons.db, what is on its way there, and what is
 * kept in memory. Never unwraps a key, never leaves a destroyed one in a file of its own. Any
 * thread; to the disk goes only the store's writer, and nobody waits for it meanwhile: what must be
 * looked up is read through a connection of its own. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "store/conn.h"
#include "store/keys.h"

#define KEPT 2048 /* in memory; a power of two */
#define VERSION 1
#define SCAN_BYTES 65536
#define SCAN_STEP (4 << 20) /* of the file at a time: the writer has others waiting */

struct kept_key {
	struct key key; /* number 0: none */
};
struct kept_mark {
	uint8_t mark[KEYS_MARK];
	uint64_t number; /* 0: none */
};
struct draft { /* made, and not on disk yet */
	struct draft *next;
	struct person person;
};

struct trace { /* a destroyed key, as it was wrapped: looked for in the file */
	struct trace *next;
	uint8_t wrapped[KEYS_WRAPPED];
};

struct persons {
	char directory[4096], path[4200];
	pthread_mutex_t adding; /* who looks for a person and may add one; over reads of the file */
	struct conn reader;     /* under adding */
	pthread_mutex_t lock;   /* memory: for moments */
	struct draft *first, **last;
	size_t drafts;
	struct kept_key *keys; /* NULL: nothing is kept */
	struct kept_mark *marks;
	atomic_uint forgets;
	struct conn writer;     /* the writer's thread */
	struct trace *traces;   /* likewise */
	sqlite3_int64 searched; /* of the file, for them */
	bool blind;             /* there was no memory for one: the file is rewritten unseen */
};

static const struct query q_mark = {
	Q_PERSON_MARK, "SELECT mark, number, tenant, wrapped FROM person WHERE mark = ?1"};
static const struct query q_number = {
	Q_PERSON_NUMBER, "SELECT mark, number, tenant, wrapped FROM person WHERE number = ?1"};
static const struct query q_add = {
	Q_PERSON_ADD, "INSERT INTO person (mark, number, tenant, wrapped) VALUES (?, ?, ?, ?)"};
static const struct query q_delete = {Q_PERSON_DELETE, "DELETE FROM person WHERE number = ?1"};
static const struct query q_bury = {Q_PERSON_BURY,
	"INSERT INTO gone (number, mark, at_ms) VALUES (?, ?, ?) ON CONFLICT (number) DO NOTHING"};
static const struct query q_begin = {Q_BEGIN, "BEGIN IMMEDIATE"};
static const struct query q_commit = {Q_COMMIT, "COMMIT"};
static const struct query q_rollback = {Q_ROLLBACK, "ROLLBACK"};

/* secure_delete writes zeros over what is deleted. */
static const char schema[] = "PRAGMA secure_delete=ON; PRAGMA wal_autocheckpoint=1000;"
			     "PRAGMA cache_size=-512;";
static const char tables[] =
	"BEGIN IMMEDIATE;"
	"CREATE TABLE person (mark BLOB PRIMARY KEY CHECK (length(mark) = 16),"
	" number INTEGER NOT NULL UNIQUE, tenant INTEGER NOT NULL, wrapped BLOB NOT NULL)"
	" STRICT, WITHOUT ROWID;"
	"CREATE TABLE gone (number INTEGER PRIMARY KEY, mark BLOB NOT NULL,"
	" at_ms INTEGER NOT NULL) STRICT;"
	"PRAGMA user_version=1; COMMIT;";

struct persons *persons_create(const char *directory)
{
	struct persons *persons = calloc(1, sizeof(*persons));

	if (!persons)
		return NULL;
	snprintf(persons->directory, sizeof(persons->directory), "%s", directory);
	snprintf(persons->path, sizeof(persons->path), "%s/persons.db", directory);
	persons->last = &persons->first;
	pthread_mutex_init(&persons->adding, NULL);
	pthread_mutex_init(&persons->lock, NULL);
	return persons;
}

void persons_keep(struct persons *persons)
{
	persons->keys = calloc(KEPT, sizeof(*persons->keys));
	persons->marks = calloc(KEPT, sizeof(*persons->marks));
	if (persons->keys && persons->marks)
		return;
	free(persons->keys); /* it works without, only slower */
	free(persons->marks);
	persons->keys = NULL;
	persons->marks = NULL;
}

/* In one go: who found a key before and only then comes to keep it sees that it may be gone. */
static void drop_kept(struct persons *persons)
{
	pthread_mutex_lock(&persons->lock);
	atomic_fetch_add(&persons->forgets, 1);
	if (persons->keys) {
		crypto_wipe(persons->keys, KEPT * sizeof(*persons->keys));
		crypto_wipe(persons->marks, KEPT * sizeof(*persons->marks));
	}
	pthread_mutex_unlock(&persons->lock);
}

static void drop_traces(struct persons *persons)
{
	while (persons->traces) {
		struct trace *next = persons->traces->next;
		free(persons->traces);
		persons->traces = next;
	}
	persons->blind = false;
	persons->searched = 0;
}

void persons_close(struct persons *persons)
{
	if (!persons)
		return;
	while (persons->first) {
		struct draft *next = persons->first->next;
		free(persons->first);
		persons->first = next;
	}
	drop_traces(persons);
	conn_finish(&persons->reader);
	conn_finish(&persons->writer);
	drop_kept(persons);
	free(persons->keys);
	free(persons->marks);
	pthread_mutex_destroy(&persons->adding);
	pthread_mutex_destroy(&persons->lock);
	free(persons);
}

/* ---- in memory ---------------------------------------------------------------------------- */

static size_t place_of_number(uint64_t number)
{
	return (size_t)(number * UINT64_C(0x9e3779b97f4a7c15) >> 40) & (KEPT - 1);
}

static size_t place_of_mark(const uint8_t mark[KEYS_MARK])
{
	return ((size_t)mark[0] | (size_t)mark[1] << 8) & (KEPT - 1);
}

bool persons_kept(struct persons *persons, uint64_t number, struct key *key)
{
	const struct kept_key *kept;
	bool found;

	if (!persons->keys)
		return false;
	pthread_mutex_lock(&persons->lock);
	kept = &persons->keys[place_of_number(number)];
	found = kept->key.number == number;
	if (found)
		*key = kept->key;
	pthread_mutex_unlock(&persons->lock);
	return found;
}

bool persons_kept_mark(struct persons *persons, const uint8_t mark[KEYS_MARK], uint64_t *number)
{
	const struct kept_mark *kept;
	bool found;

	if (!persons->marks)
		return false;
	pthread_mutex_lock(&persons->lock);
	kept = &persons->marks[place_of_mark(mark)];
	found = kept->number && memcmp(kept->mark, mark, KEYS_MARK) == 0;
	if (found)
		*number = kept->number;
	pthread_mutex_unlock(&persons->lock);
	return found;
}

/* Under the lock. */
static void remember(struct persons *persons, const struct person *person, const uint8_t *key)
{
	struct kept_key *kept_key = &persons->keys[place_of_number(person->number)];
	struct kept_mark *kept_mark = &persons->marks[place_of_mark(person->mark)];

	kept_key->key.number = person->number;
	memcpy(kept_key->key.bytes, key, CRYPTO_KEY);
	kept_mark->number = person->number;
	memcpy(kept_mark->mark, person->mark, KEYS_MARK);
}

void persons_remember(
	struct persons *persons, const struct person *person, const uint8_t *key, unsigned forgets)
{
	if (!persons->keys)
		return;
	pthread_mutex_lock(&persons->lock);
	if (atomic_load(&persons->forgets) == forgets)
		remember(persons, person, key);
	pthread_mutex_unlock(&persons->lock);
}

unsigned persons_forgets(const struct persons *persons)
{
	return atomic_load(&persons->forgets);
}

/* By mark, or by number if that is NULL. */
static bool find_draft(
	struct persons *persons, const uint8_t *mark, uint64_t number, struct person *out)
{
	const struct draft *draft;

	pthread_mutex_lock(&persons->lock);
	for (draft = persons->first; draft; draft = draft->next)
		if (mark ? memcmp(draft->person.mark, mark, KEYS_MARK) == 0
			 : draft->person.number == number)
			break;
	if (draft)
		*out = draft->person;
	pthread_mutex_unlock(&persons->lock);
	return draft != NULL;
}

/* ---- the file, read ----------------------------------------------------------------------- */

static int version_of(struct error *error, struct conn *conn, int64_t *version)
{
	struct stmt stmt;
	int rc;

	*version = 0;
	stmt_begin_sql(&stmt, conn, "PRAGMA user_version");
	rc = stmt_step(error, &stmt);
	if (rc == 1)
		*version = col_i64(&stmt);
	stmt_end(&stmt);
	return rc < 0 ? rc : 0;
}

static int newer(struct error *error, const struct persons *persons)
{
	return error_set(error, E_CORRUPT,
		"%s is of a newer version of this program, or no key store of persons: put back "
		"the keys directory that belongs to this store",
		persons->path);
}

/* *there false: there is no file yet. */
static int open_reader(struct error *error, struct persons *persons, bool *there)
{
	int64_t version;
	int rc;

	*there = persons->reader.db != NULL;
	if (*there || access(persons->path, F_OK) != 0)
		return 0;
	rc = conn_open(error, &persons->reader, persons->path, CONN_READER);
	if (!rc)
		rc = version_of(error, &persons->reader, &version);
	if (!rc && version != VERSION)
		rc = newer(error, persons);
	*there = !rc;
	if (rc)
		conn_finish(&persons->reader);
	return rc;
}

static int read_person(struct error *error, struct stmt *stmt, struct person *out)
{
	struct str mark, wrapped;
	int rc = stmt_step(error, stmt);

	if (rc == 1) {
		mark = col_str(stmt);
		memset(out, 0, sizeof(*out));
		if (mark.len == KEYS_MARK)
			memcpy(out->mark, mark.ptr, KEYS_MARK);
		out->number = (uint64_t)col_i64(stmt);
		out->tenant = (uint64_t)col_i64(stmt);
		wrapped = col_str(stmt);
		if (wrapped.len == KEYS_WRAPPED)
			memcpy(out->wrapped, wrapped.ptr, KEYS_WRAPPED);
	}
	stmt_end(stmt);
	return rc == 1 ? 0 : rc ? rc : error_set(error, E_NOTFOUND, "there is no such key");
}

/* Under adding. */
static int look_up(struct error *error, struct persons *persons, const uint8_t *mark,
	uint64_t number, struct person *out)
{
	struct stmt stmt;
	bool there;
	int rc;

	rc = open_reader(error, persons, &there);
	if (!rc && !there)
		rc = error_set(error, E_NOTFOUND, "there is no such key");
	if (rc)
		return rc;
	stmt_begin(&stmt, &persons->reader, mark ? &q_mark : &q_number);
	if (mark)
		stmt_blob(&stmt, mark, KEYS_MARK);
	else
		stmt_i64(&stmt, (int64_t)number);
	return read_person(error, &stmt, out);
}

/* What is on its way first: it leaves that list only after it is in the file. */
static int find(struct error *error, struct persons *persons, const uint8_t *mark, uint64_t number,
	struct person *out)
{
	if (find_draft(persons, mark, number, out))
		return 0;
	return look_up(error, persons, mark, number, out);
}

int persons_by_number(struct error *error, struct persons *persons, uint64_t number,
	struct person *out, unsigned *forgets)
{
	int rc;

	pthread_mutex_lock(&persons->adding);
	*forgets = persons_forgets(persons);
	rc = find(error, persons, NULL, number, out);
	pthread_mutex_unlock(&persons->adding);
	return rc;
}

int persons_find(struct error *error, struct persons *persons, const uint8_t mark[KEYS_MARK],
	struct person *out)
{
	int rc;

	pthread_mutex_lock(&persons->adding);
	rc = find(error, persons, mark, 0, out);
	pthread_mutex_unlock(&persons->adding);
	return rc;
}

/* ---- new ones ----------------------------------------------------------------------------- */

static int add(struct error *error, struct persons *persons, const struct person *person,
	const uint8_t *key)
{
	struct draft *draft = malloc(sizeof(*draft));

	if (!draft)
		return error_set(error, E_NOMEM, "no memory for a person's key");
	*draft = (struct draft){.person = *person};
	pthread_mutex_lock(&persons->lock);
	*persons->last = draft;
	persons->last = &draft->next;
	persons->drafts++;
	if (persons->keys)
		remember(persons, person, key);
	pthread_mutex_unlock(&persons->lock);
	return 0;
}

int persons_find_or_add(struct error *error, struct persons *persons, struct person *draft,
	const uint8_t *key, bool *made)
{
	struct person found;
	int rc;

	*made = false;
	pthread_mutex_lock(&persons->adding);
	rc = find(error, persons, draft->mark, 0, &found);
	if (!rc) {
		*draft = found;
	} else if (rc == E_NOTFOUND) {
		if (error)
			*error = (struct error){0};
		rc = add(error, persons, draft, key);
		*made = !rc;
	}
	pthread_mutex_unlock(&persons->adding);
	return rc;
}

/* ---- the file, written: the writer's thread ----------------------------------------------- */

static int fail_file(struct error *error, const struct persons *persons, const char *doing)
{
	return error_set(error, errno == EACCES || errno == EPERM ? E_DENIED : E_IO,
		"cannot %s %s: %s", doing, persons->path, strerror(errno));
}

/* What a kill in the middle of it left, too: it begins anew. */
static int clear_draft(struct error *error, const struct persons *persons, const char *draft)
{
	static const char *const ends[] = {"", "-journal", "-wal", "-shm"};
	char name[sizeof(persons->path) + 20];
	int fd;

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		snprintf(name, sizeof(name), "%s%s", draft, ends[i]);
		if (unlink(name) != 0 && errno != ENOENT)
			return fail_file(error, persons, "make");
	}
	fd = open(draft, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail_file(error, persons, "make");
	close(fd);
	return 0;
}

static int fill_draft(struct error *error, const char *draft)
{
	struct conn conn;
	int rc = conn_open(error, &conn, draft, CONN_WRITER);

	if (rc)
		return rc;
	rc = conn_exec(error, &conn, schema);
	if (!rc)
		rc = conn_exec(error, &conn, tables);
	if (!rc)
		rc = conn_exec(error, &conn, "PRAGMA wal_checkpoint(TRUNCATE)");
	conn_finish(&conn);
	return rc;
}

/* Whole or not at all: what makes a new file a database with a log is written by way of SQLite's
 * old journal, and after a kill in the midst of that nobody who only reads could open it. */
static int make_if_missing(struct error *error, struct persons *persons)
{
	char draft[sizeof(persons->path) + 8];
	int rc = 0;

	snprintf(draft, sizeof(draft), "%s.new", persons->path);
	pthread_mutex_lock(&persons->adding);
	if (access(persons->path, F_OK) != 0) {
		rc = clear_draft(error, persons, draft);
		if (!rc)
			rc = fill_draft(error, draft);
		if (!rc && rename(draft, persons->path) != 0)
			rc = fail_file(error, persons, "make");
	}
	pthread_mutex_unlock(&persons->adding);
	return rc;
}

/* The file's name must be on disk too before a row counts on what is in it. */
static int make_file(struct error *error, struct persons *persons)
{
	int dir, rc = make_if_missing(error, persons);
	bool ok;

	if (rc)
		return rc;
	dir = open(persons->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ok = dir >= 0 && fsync(dir) == 0;
	if (dir >= 0)
		close(dir);
	return ok ? 0 : fail_file(error, persons, "save the name of");
}

static int open_writer(struct error *error, struct persons *persons)
{
	int64_t version;
	int rc;

	if (persons->writer.db)
		return 0;
	rc = make_file(error, persons);
	if (!rc)
		rc = conn_open(error, &persons->writer, persons->path, CONN_WRITER);
	if (!rc)
		rc = version_of(error, &persons->writer, &version);
	if (!rc && version != VERSION)
		rc = newer(error, persons);
	if (!rc)
		rc = conn_exec(error, &persons->writer, schema);
	if (rc)
		conn_finish(&persons->writer);
	return rc;
}

static int insert(struct error *error, struct conn *conn, const struct person *person)
{
	struct stmt stmt;

	stmt_begin(&stmt, conn, &q_add);
	stmt_blob(&stmt, person->mark, KEYS_MARK);
	stmt_i64(&stmt, (int64_t)person->number);
	stmt_i64(&stmt, (int64_t)person->tenant);
	stmt_blob(&stmt, person->wrapped, KEYS_WRAPPED);
	return stmt_done(error, &stmt);
}

static int end(struct error *error, struct persons *persons, int rc)
{
	if (!rc)
		rc = conn_run(error, &persons->writer, &q_commit);
	if (rc && persons->writer.db && !sqlite3_get_autocommit(persons->writer.db))
		conn_run(NULL, &persons->writer, &q_rollback);
	return rc;
}

static void forget_drafts(struct persons *persons, size_t count)
{
	pthread_mutex_lock(&persons->lock);
	for (; count; count--) {
		struct draft *draft = persons->first;
		persons->first = draft->next;
		if (!persons->first)
			persons->last = &persons->first;
		persons->drafts--;
		free(draft);
	}
	pthread_mutex_unlock(&persons->lock);
}

int persons_flush(struct error *error, struct persons *persons)
{
	const struct draft *draft;
	size_t count, i;
	int rc;

	pthread_mutex_lock(&persons->lock);
	count = persons->drafts;
	draft = persons->first;
	pthread_mutex_unlock(&persons->lock);
	if (!count)
		return 0;
	rc = open_writer(error, persons);
	if (!rc)
		rc = conn_run(error, &persons->writer, &q_begin);
	if (rc)
		return rc;
	/* Only this thread takes drafts away, and others add behind the last one. */
	for (i = 0; i < count && !rc; i++) {
		rc = insert(error, &persons->writer, &draft->person);
		if (i + 1 < count)
			draft = draft->next;
	}
	rc = end(error, persons, rc);
	if (!rc)
		forget_drafts(persons, count);
	return rc;
}

/* ---- forgetting --------------------------------------------------------------------------- */

static int bury(struct error *error, struct persons *persons, const struct keys_gone *gone)
{
	struct stmt stmt;
	int rc = conn_run(error, &persons->writer, &q_begin);

	if (rc)
		return rc;
	stmt_begin(&stmt, &persons->writer, &q_delete);
	stmt_i64(&stmt, (int64_t)gone->number);
	rc = stmt_done(error, &stmt);
	if (!rc) {
		stmt_begin(&stmt, &persons->writer, &q_bury);
		stmt_i64(&stmt, (int64_t)gone->number);
		stmt_blob(&stmt, gone->mark, KEYS_MARK);
		stmt_i64(&stmt, gone->at_ms);
		rc = stmt_done(error, &stmt);
	}
	return end(error, persons, rc);
}

/* The log holds copies of pages as they were. */
static int empty_log(struct error *error, struct persons *persons)
{
	if (sqlite3_wal_checkpoint_v2(
		    persons->writer.db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) == SQLITE_OK)
		return 0;
	return conn_fail(error, &persons->writer, "emptying the log of the persons' keys");
}

/* Reads n bytes, as many of them as there are; SQLite fills up what lies behind the end. */
static bool read_piece(sqlite3_file *file, uint8_t *out, int n, sqlite3_int64 at)
{
	int rc = file->pMethods->xRead(file, out, n, at);

	return rc == SQLITE_OK || rc == SQLITE_IOERR_SHORT_READ;
}

static void note_trace(struct persons *persons, const uint8_t wrapped[KEYS_WRAPPED])
{
	struct trace *trace = malloc(sizeof(*trace));

	persons->searched = 0;
	if (!trace) {
		persons->blind = true;
		return;
	}
	memcpy(trace->wrapped, wrapped, KEYS_WRAPPED);
	trace->next = persons->traces;
	persons->traces = trace;
}

static bool holds_one(const struct persons *persons, const uint8_t *chunk, size_t len)
{
	const struct trace *trace = persons->traces;

	while (trace && !memmem(chunk, len, trace->wrapped, KEYS_WRAPPED))
		trace = trace->next;
	return trace != NULL;
}

/* Pages that were split once may hold a second copy that no delete reaches. The next piece of the
 * file is searched, through SQLite's own descriptor, see make_if_missing(). What cannot be read may
 * hold one. *more: there are pieces left. */
static bool piece_holds(struct persons *persons, bool *more)
{
	uint8_t *chunk = malloc(SCAN_BYTES + KEYS_WRAPPED);
	sqlite3_int64 size = 0, to = persons->searched + SCAN_STEP;
	sqlite3_file *file = NULL;
	bool found;

	sqlite3_file_control(persons->writer.db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
	found = !chunk || !file || !file->pMethods ||
		file->pMethods->xFileSize(file, &size) != SQLITE_OK;
	for (; persons->searched < size && persons->searched < to && !found;
		persons->searched += SCAN_BYTES)
		found = !read_piece(file, chunk, SCAN_BYTES + KEYS_WRAPPED, persons->searched) ||
			holds_one(persons, chunk, SCAN_BYTES + KEYS_WRAPPED);
	free(chunk);
	*more = !found && persons->searched < size;
	return found;
}

int persons_search(struct error *error, struct persons *persons, bool *more)
{
	int rc = 0;

	*more = false;
	if (!persons->traces && !persons->blind)
		return 0;
	if (persons->blind || piece_holds(persons, more)) {
		pthread_mutex_lock(&persons->adding);
		rc = conn_exec(error, &persons->writer, "VACUUM");
		if (!rc)
			rc = empty_log(error, persons);
		pthread_mutex_unlock(&persons->adding);
	}
	if (!rc && !*more)
		drop_traces(persons);
	return rc;
}

static int destroy(struct error *error, struct persons *persons, const struct person *person,
	const struct keys_gone *gone)
{
	int rc;

	rc = bury(error, persons, gone);
	drop_kept(persons); /* after nobody can find it any more */
	if (!rc && person)
		note_trace(persons, person->wrapped);
	return rc ? rc : empty_log(error, persons);
}

/* Nobody may find or add a key meanwhile: they wait, since this is rare. */
int persons_forget(struct error *error, struct persons *persons, const uint8_t mark[KEYS_MARK],
	int64_t at_ms, struct keys_gone *gone)
{
	struct person person;
	int rc;

	memset(gone, 0, sizeof(*gone));
	rc = open_writer(error, persons);
	if (rc)
		return rc;
	pthread_mutex_lock(&persons->adding);
	rc = persons_flush(error, persons);
	if (!rc)
		rc = find(error, persons, mark, 0, &person);
	if (!rc) {
		gone->number = person.number;
		gone->at_ms = at_ms;
		memcpy(gone->mark, mark, KEYS_MARK);
		rc = destroy(error, persons, &person, gone);
	} else if (rc == E_NOTFOUND) {
		if (error)
			*error = (struct error){0};
		rc = empty_log(error, persons); /* if the last time it could not be done */
	}
	pthread_mutex_unlock(&persons->adding);
	return rc;
}

int persons_bury(struct error *error, struct persons *persons, const struct keys_gone *gone)
{
	struct person person;
	int rc, found;

	rc = open_writer(error, persons);
	if (rc)
		return rc;
	pthread_mutex_lock(&persons->adding);
	found = find(NULL, persons, NULL, gone->number, &person);
	rc = destroy(error, persons, found ? NULL : &person, gone);
	pthread_mutex_unlock(&persons->adding);
	return rc;
}

static int read_gone(struct error *error, struct persons *persons, struct arena *arena,
	struct keys_gone **gone, size_t *count)
{
	size_t room = 0;
	struct stmt stmt;
	int rc;

	stmt_begin_sql(&stmt, &persons->reader, "SELECT number, mark, at_ms FROM gone");
	while ((rc = stmt_step(error, &stmt)) == 1) {
		struct str mark;
		if (*count == room) {
			struct keys_gone *more =
				arena_alloc(arena, (room ? 2 * room : 64) * sizeof(*more));
			if (!more)
				break;
			if (room)
				memcpy(more, *gone, room * sizeof(*more));
			*gone = more;
			room = room ? 2 * room : 64;
		}
		(*gone)[*count].number = (uint64_t)col_i64(&stmt);
		mark = col_str(&stmt);
		if (mark.len == KEYS_MARK)
			memcpy((*gone)[*count].mark, mark.ptr, KEYS_MARK);
		(*gone)[(*count)++].at_ms = col_i64(&stmt);
	}
	stmt_end(&stmt);
	if (rc == 1)
		return error_set(error, E_NOMEM, "no memory for what was forgotten");
	return rc < 0 ? rc : 0;
}

int persons_list_gone(struct error *error, struct persons *persons, struct arena *arena,
	struct keys_gone **gone, size_t *count)
{
	bool there;
	int rc;

	*gone = NULL;
	*count = 0;
	pthread_mutex_lock(&persons->adding);
	rc = open_reader(error, persons, &there);
	if (!rc && there)
		rc = read_gone(error, persons, arena, gone, count);
	pthread_mutex_unlock(&persons->adding);
	return rc;
}
