/* salvage.c - what can be read of a damaged store, in a new file. Rows are read from both ends of a
 * table towards what cannot be read, in ever smaller ranges, and what no tree leads to any more
 * from the pages themselves. Never writes to the store, never makes up a row: what refers to
 * something that is missing is cut, or left out, and counted. The caller's thread, under the lock.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/str.h"
#include "store/care_i.h"
#include "store/files.h"
#include "store/leaves.h"
#include "store/lock.h"
#include "store/migrate.h"

#define SEEKS_MAX 2000000 /* that fail, in one table: some seconds */
#define SQL_MAX 4096

struct range {
	int64_t lo, hi;
};

/* A row has a number above 0, but for those that persons' keys number: all of these are below. */
static const struct range usual = {1, INT64_MAX}, of_keys = {INT64_MIN + 1, -1};
#define NUMBERED_BY_KEYS "forgotten"

struct ranges {
	struct range *list;
	size_t count, cap;
};

struct table {
	struct care_saved *saved;
	struct range all;         /* numbers there may be */
	bool rowid, broken;       /* broken: something in it could not be read */
	unsigned columns, key;    /* key: the column that is the rowid */
	char types[LEAF_COLUMNS]; /* 'I', 'T', 'B', 'R' */
	bool null[LEAF_COLUMNS];
	char list[SQL_MAX / 2], keys[400]; /* names with commas; the primary key's, descending */
	struct ranges gaps;
	unsigned seeks;
	sqlite3_stmt *up, *down, *insert, *have;
};

struct salvage {
	struct error *error;
	struct arena *arena;
	const char *file, *draft;
	sqlite3 *from, *to; /* from NULL: not even its head can be read */
	struct table *tables;
	struct care_salvaged *out;
};

static int fail_to(struct salvage *s)
{
	return care_fail(s->error, s->to, "writing", s->draft);
}

/* ---- ranges ------------------------------------------------------------------------------- */

static void add_range(struct ranges *r, int64_t lo, int64_t hi)
{
	struct range *grown;

	if (r->count && r->list[r->count - 1].hi == lo - 1) {
		r->list[r->count - 1].hi = hi;
		return;
	}
	if (r->count == r->cap) {
		grown = realloc(r->list, (r->cap ? 2 * r->cap : 64) * sizeof(*grown));
		if (!grown)
			return; /* then the pages are not asked for it */
		r->list = grown;
		r->cap = r->cap ? 2 * r->cap : 64;
	}
	r->list[r->count++] = (struct range){lo, hi};
}

static bool in_ranges(const struct ranges *r, int64_t n)
{
	size_t lo = 0, hi = r->count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (n < r->list[mid].lo)
			hi = mid;
		else if (n > r->list[mid].hi)
			lo = mid + 1;
		else
			return true;
	}
	return false;
}

static int by_number(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return x->lo < y->lo ? -1 : x->lo > y->lo;
}

static void sort_ranges(struct ranges *r)
{
	if (r->count)
		qsort(r->list, r->count, sizeof(*r->list), by_number);
}

static void print_ranges(const struct ranges *r, char out[160])
{
	size_t i, at = 0;

	out[0] = '\0';
	for (i = 0; i < r->count && at < 100; i++) {
		const struct range *one = &r->list[i];
		if (one->lo == of_keys.lo && one->hi == of_keys.hi) {
			snprintf(out, 160, "any");
			return;
		}
		at += (size_t)snprintf(
			out + at, 160 - at, "%s%lld", i ? ", " : "", (long long)one->lo);
		if (one->hi == INT64_MAX)
			at += (size_t)snprintf(out + at, 160 - at, "-");
		else if (one->hi > one->lo)
			at += (size_t)snprintf(out + at, 160 - at, "-%lld", (long long)one->hi);
	}
	if (i < r->count)
		snprintf(out + at, 160 - at, " and %zu more ranges", r->count - i);
}

/* ---- a table as it must be ---------------------------------------------------------------- */

static char type_of(const char *declared)
{
	return strcmp(declared, "INTEGER") == 0 || strcmp(declared, "INT") == 0 ? 'I' : declared[0];
}

static int read_columns(struct salvage *s, struct table *t)
{
	sqlite3_stmt *stmt = NULL;
	char sql[160];
	size_t at = 0, key = 0;
	int rc;

	snprintf(sql, sizeof(sql),
		"SELECT name, type, pk, \"notnull\" FROM pragma_table_info('%s')", t->saved->table);
	rc = sqlite3_prepare_v2(s->to, sql, -1, &stmt, NULL);
	while (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW && t->columns < LEAF_COLUMNS) {
		const char *name = (const char *)sqlite3_column_text(stmt, 0);
		at += (size_t)snprintf(t->list + at, sizeof(t->list) - at, "%s\"%s\"",
			t->columns ? "," : "", name);
		if (sqlite3_column_int(stmt, 2)) {
			key += (size_t)snprintf(t->keys + key, sizeof(t->keys) - key,
				"%s\"%s\" DESC", key ? "," : "", name);
			t->key = t->columns;
		}
		t->types[t->columns] = type_of((const char *)sqlite3_column_text(stmt, 1));
		t->null[t->columns] = !sqlite3_column_int(stmt, 3);
		t->columns++;
	}
	return sqlite3_finalize(stmt) == SQLITE_OK ? 0 : fail_to(s);
}

static int prepare_insert(struct salvage *s, struct table *t)
{
	char sql[SQL_MAX];
	size_t at;
	int64_t n = 0;
	int rc;

	t->all = strcmp(t->saved->table, NUMBERED_BY_KEYS) == 0 ? of_keys : usual;
	snprintf(sql, sizeof(sql), "SELECT wr FROM pragma_table_list WHERE name = '%s'",
		t->saved->table);
	rc = care_number(s->error, s->to, sql, &n);
	if (rc < 0)
		return rc;
	t->rowid = !n;
	at = (size_t)snprintf(sql, sizeof(sql), "INSERT OR IGNORE INTO \"%s\" (%s) VALUES (?",
		t->saved->table, t->list);
	for (unsigned i = 1; i < t->columns; i++)
		at += (size_t)snprintf(sql + at, sizeof(sql) - at, ",?");
	snprintf(sql + at, sizeof(sql) - at, ")");
	if (sqlite3_prepare_v2(s->to, sql, -1, &t->insert, NULL) != SQLITE_OK)
		return fail_to(s);
	if (!t->rowid)
		return 0;
	snprintf(sql, sizeof(sql), "SELECT 1 FROM \"%s\" WHERE rowid = ?1", t->saved->table);
	return sqlite3_prepare_v2(s->to, sql, -1, &t->have, NULL) == SQLITE_OK ? 0 : fail_to(s);
}

/* The reading side may not even know the table any more. */
static void prepare_reading(struct salvage *s, struct table *t)
{
	static const char *const ways[] = {"", " DESC"};
	sqlite3_stmt **stmts[] = {&t->up, &t->down};
	char sql[SQL_MAX];

	for (int i = 0; s->from && i < 2; i++) {
		if (t->rowid)
			snprintf(sql, sizeof(sql),
				"SELECT %s FROM \"%s\" NOT INDEXED WHERE rowid BETWEEN ?1 AND ?2 "
				"ORDER BY rowid%s",
				t->list, t->saved->table, ways[i]);
		else
			snprintf(sql, sizeof(sql), "SELECT %s FROM \"%s\"%s%s", t->list,
				t->saved->table, i ? " ORDER BY " : "", i ? t->keys : "");
		sqlite3_prepare_v2(s->from, sql, -1, stmts[i], NULL);
	}
}

static void finish_table(struct table *t)
{
	sqlite3_finalize(t->up);
	sqlite3_finalize(t->down);
	sqlite3_finalize(t->insert);
	sqlite3_finalize(t->have);
	free(t->gaps.list);
}

/* ---- rows --------------------------------------------------------------------------------- */

/* The row that is bound. 0, or the new file's own trouble. */
static int insert(struct salvage *s, struct table *t)
{
	int rc = sqlite3_step(t->insert), changed = sqlite3_changes(s->to);

	sqlite3_reset(t->insert);
	if (rc != SQLITE_DONE && (rc & 0xff) != SQLITE_CONSTRAINT)
		return fail_to(s);
	if (rc == SQLITE_DONE && changed)
		t->saved->read++;
	else if (t->rowid) /* a table without is read from both ends, so rows come twice */
		t->saved->unusable++;
	return 0;
}

/* Rows in this direction as long as they can be read; *last is the number of the last one.
 * SQLITE_DONE: all of them. */
static int walk(
	struct salvage *s, struct table *t, sqlite3_stmt *stmt, struct range range, int64_t *last)
{
	int rc, err = 0;

	sqlite3_bind_int64(stmt, 1, range.lo);
	sqlite3_bind_int64(stmt, 2, range.hi);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW && !err) {
		for (unsigned i = 0; i < t->columns; i++)
			sqlite3_bind_value(
				t->insert, (int)i + 1, sqlite3_column_value(stmt, (int)i));
		*last = sqlite3_column_int64(stmt, (int)t->key);
		err = insert(s, t);
	}
	sqlite3_reset(stmt);
	t->seeks += rc != SQLITE_DONE;
	t->broken = t->broken || rc != SQLITE_DONE;
	return err ? err : rc;
}

/* From both ends. What is left in the middle is *rest; false: nothing is. */
static bool squeeze(
	struct salvage *s, struct table *t, struct range range, struct range *rest, int *err)
{
	int64_t last = range.lo - 1, first = range.hi;
	bool some = false;
	int rc = walk(s, t, t->up, range, &last);

	*err = rc < 0 ? rc : 0;
	if (rc < 0 || rc == SQLITE_DONE || last >= range.hi)
		return false;
	range.lo = last + 1;
	first = INT64_MAX;
	rc = walk(s, t, t->down, range, &first);
	*err = rc < 0 ? rc : 0;
	if (rc < 0 || rc == SQLITE_DONE)
		return false;
	some = first != INT64_MAX;
	*rest = (struct range){range.lo, some ? first - 1 : range.hi};
	return rest->lo <= rest->hi;
}

/* Smaller and smaller around what cannot be read. A stack of 64 halves is as deep as it gets. */
static int read_range(struct salvage *s, struct table *t, struct range whole)
{
	struct range stack[130], rest;
	size_t depth = 0;
	int err = 0;

	stack[depth++] = whole;
	while (depth && !err) {
		struct range now = stack[--depth];
		if (!squeeze(s, t, now, &rest, &err))
			continue;
		if (rest.lo == rest.hi || t->seeks > SEEKS_MAX) {
			add_range(&t->gaps, rest.lo, rest.hi);
			continue;
		}
		int64_t mid = rest.lo + (rest.hi - rest.lo) / 2;
		stack[depth++] = (struct range){mid + 1, rest.hi};
		stack[depth++] = (struct range){rest.lo, mid};
	}
	return err;
}

/* ---- what an index knows ------------------------------------------------------------------ */

typedef void on_number(struct salvage *s, struct table *t, int64_t n, void *user);

/* The numbers that a whole index names. False: there is none, or it is damaged, too. */
static bool ask_index(
	struct salvage *s, struct table *t, const char *index, on_number *tell, void *user)
{
	sqlite3_stmt *stmt = NULL;
	char sql[300];
	int rc;

	snprintf(sql, sizeof(sql), "SELECT rowid FROM \"%s\" INDEXED BY \"%s\"", t->saved->table,
		index);
	rc = sqlite3_prepare_v2(s->from, sql, -1, &stmt, NULL);
	while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		tell(s, t, sqlite3_column_int64(stmt, 0), user);
		rc = SQLITE_OK;
	}
	sqlite3_finalize(stmt);
	return rc == SQLITE_DONE;
}

/* begin is called before each try. */
static bool ask_indexes(
	struct salvage *s, struct table *t, on_number *tell, void *user, void (*begin)(void *user))
{
	sqlite3_stmt *stmt = NULL;
	char sql[160];
	bool told = false;

	snprintf(sql, sizeof(sql), "SELECT name FROM pragma_index_list('%s') WHERE NOT partial",
		t->saved->table);
	if (!s->from || !t->rowid || sqlite3_prepare_v2(s->to, sql, -1, &stmt, NULL) != SQLITE_OK)
		return false;
	while (!told && sqlite3_step(stmt) == SQLITE_ROW) {
		begin(user);
		told = ask_index(s, t, (const char *)sqlite3_column_text(stmt, 0), tell, user);
	}
	sqlite3_finalize(stmt);
	return told;
}

static void begin_largest(void *user)
{
	*(int64_t *)user = 0;
}

static void keep_largest(struct salvage *s, struct table *t, int64_t n, void *user)
{
	int64_t *largest = user;

	(void)s;
	(void)t;
	*largest = n > *largest ? n : *largest;
}

static bool is_here(struct table *t, int64_t n)
{
	bool here;

	sqlite3_bind_int64(t->have, 1, n);
	here = sqlite3_step(t->have) == SQLITE_ROW;
	sqlite3_reset(t->have);
	return here;
}

static void begin_missing(void *user)
{
	((struct ranges *)user)->count = 0;
}

static void keep_missing(struct salvage *s, struct table *t, int64_t n, void *user)
{
	(void)s;
	if (!is_here(t, n))
		add_range(user, n, n);
}

/* In the index's order they come in any. */
static void count_missing(struct salvage *s, struct table *t)
{
	struct ranges missing = {0}, merged = {0};
	size_t i;

	t->saved->missing = 0;
	if (!t->broken)
		return;
	if (ask_indexes(s, t, keep_missing, &missing, begin_missing)) {
		sort_ranges(&missing);
		for (i = 0; i < missing.count; i++) {
			t->saved->missing += missing.list[i].hi - missing.list[i].lo + 1;
			add_range(&merged, missing.list[i].lo, missing.list[i].hi);
		}
		print_ranges(&merged, t->saved->where);
	} else {
		t->saved->missing = -1;
		print_ranges(&t->gaps, t->saved->where);
	}
	free(missing.list);
	free(merged.list);
}

/* ---- one table ---------------------------------------------------------------------------- */

/* The range of numbers there may be. Without its end the tree is no help: its root is bad. */
static bool find_end(struct salvage *s, struct table *t, int64_t *end)
{
	char sql[160];

	snprintf(sql, sizeof(sql), "SELECT coalesce(max(rowid), 0) FROM \"%s\" NOT INDEXED",
		t->saved->table);
	if (s->from && care_number(NULL, s->from, sql, end) == 1)
		return true;
	return ask_indexes(s, t, keep_largest, end, begin_largest) && *end > 0;
}

static int read_by_rowid(struct salvage *s, struct table *t)
{
	int64_t end = 0;

	if (!t->up || !t->down || !find_end(s, t, &end)) {
		t->broken = true;
		add_range(&t->gaps, t->all.lo, t->all.hi);
		return 0;
	}
	return end >= t->all.lo && end ? read_range(s, t, (struct range){t->all.lo, end}) : 0;
}

static int read_both_ways(struct salvage *s, struct table *t)
{
	struct range all = usual; /* no numbers: it is not asked for */
	int64_t last;
	int rc;

	if (!t->up || !t->down) {
		t->broken = true;
		return 0;
	}
	rc = walk(s, t, t->up, all, &last);
	if (rc != SQLITE_DONE && rc >= 0)
		rc = walk(s, t, t->down, all, &last);
	return rc < 0 ? rc : 0;
}

static int read_table(struct salvage *s, struct table *t)
{
	int rc = read_columns(s, t);

	if (!rc)
		rc = prepare_insert(s, t);
	if (rc)
		return rc;
	prepare_reading(s, t);
	rc = t->rowid ? read_by_rowid(s, t) : read_both_ways(s, t);
	sort_ranges(&t->gaps);
	return rc;
}

/* ---- what the pages still hold ------------------------------------------------------------ */

static bool fits(const struct table *t, const struct leaf_value *values, unsigned count)
{
	static const enum leaf_type types[] = {
		['I'] = LEAF_INTEGER, ['T'] = LEAF_TEXT, ['B'] = LEAF_BLOB, ['R'] = LEAF_REAL};

	if (count != t->columns)
		return false;
	for (unsigned i = 0; i < count; i++) {
		bool null = values[i].type == LEAF_NULL;
		if (i == t->key ? !null
			: null  ? !t->null[i]
				: values[i].type != types[(unsigned char)t->types[i]])
			return false;
	}
	return true;
}

static void bind_values(
	struct table *t, int64_t rowid, const struct leaf_value *values, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		const struct leaf_value *v = &values[i];
		int at = (int)i + 1;
		if (i == t->key)
			sqlite3_bind_int64(t->insert, at, rowid);
		else if (v->type == LEAF_INTEGER)
			sqlite3_bind_int64(t->insert, at, v->integer);
		else if (v->type == LEAF_REAL)
			sqlite3_bind_double(t->insert, at, v->real);
		else if (v->type == LEAF_TEXT)
			sqlite3_bind_text64(
				t->insert, at, v->bytes, v->len, SQLITE_STATIC, SQLITE_UTF8);
		else if (v->type == LEAF_BLOB)
			sqlite3_bind_blob64(t->insert, at, v->bytes, v->len, SQLITE_STATIC);
		else
			sqlite3_bind_null(t->insert, at);
	}
}

/* Only where the trees left a gap, and only what is in every column what the table wants there. */
static void on_leaf(void *user, int64_t rowid, const struct leaf_value *values, unsigned count)
{
	struct salvage *s = user;

	for (size_t i = 0; i < s->out->count && !s->error->code; i++) {
		struct table *t = &s->tables[i];
		if (!t->rowid || !in_ranges(&t->gaps, rowid) || !fits(t, values, count) ||
			is_here(t, rowid))
			continue;
		bind_values(t, rowid, values, count);
		insert(s, t);
		return;
	}
}

static int read_pages(struct salvage *s)
{
	bool wanted = false;
	int fd, rc;

	for (size_t i = 0; i < s->out->count; i++)
		wanted = wanted || s->tables[i].gaps.count;
	if (!wanted)
		return 0;
	fd = open(s->file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return file_fail(s->error, "read", s->file);
	rc = leaves_scan(s->error, fd, on_leaf, s);
	close(fd);
	return rc ? rc : s->error->code;
}

/* ---- references --------------------------------------------------------------------------- */

static int change(struct salvage *s, const char *sql, int64_t *count)
{
	if (sqlite3_exec(s->to, sql, NULL, NULL, NULL) != SQLITE_OK)
		return fail_to(s);
	*count += sqlite3_changes64(s->to);
	return 0;
}

/* A reference that may be empty is emptied; a row that is nothing without its parent goes. */
static int cut_one(struct salvage *s, struct care_saved *saved, const char *column,
	const char *parent, const char *key, bool may_be_empty)
{
	char dangling[400], sql[600];
	int rc = 0;

	snprintf(dangling, sizeof(dangling),
		"\"%s\" IS NOT NULL AND \"%s\" NOT IN (SELECT \"%s\" FROM \"%s\")", column, column,
		key, parent);
	snprintf(sql, sizeof(sql), "UPDATE OR IGNORE \"%s\" SET \"%s\" = NULL WHERE %s",
		saved->table, column, dangling);
	if (may_be_empty)
		rc = change(s, sql, &saved->cut);
	snprintf(sql, sizeof(sql), "DELETE FROM \"%s\" WHERE %s", saved->table, dangling);
	return rc ? rc : change(s, sql, &saved->left_out);
}

static int cut_references(struct salvage *s, struct care_saved *saved)
{
	static const char sql[] =
		"SELECT f.\"from\", f.\"table\", f.\"to\", NOT c.\"notnull\" AND NOT c.pk "
		"FROM pragma_foreign_key_list(?1) f, pragma_table_info(?1) c "
		"WHERE c.name = f.\"from\"";
	sqlite3_stmt *stmt = NULL;
	int rc = 0;

	if (sqlite3_prepare_v2(s->to, sql, -1, &stmt, NULL) != SQLITE_OK)
		return fail_to(s);
	sqlite3_bind_text(stmt, 1, saved->table, -1, SQLITE_STATIC);
	while (!rc && sqlite3_step(stmt) == SQLITE_ROW)
		rc = cut_one(s, saved, (const char *)sqlite3_column_text(stmt, 0),
			(const char *)sqlite3_column_text(stmt, 1),
			(const char *)sqlite3_column_text(stmt, 2), sqlite3_column_int(stmt, 3));
	sqlite3_finalize(stmt);
	return rc;
}

/* What was left out may be referred to itself: until nothing changes. */
static int cut_all(struct salvage *s)
{
	int64_t before, after = 0;
	int rc = 0;

	do {
		before = after;
		for (size_t i = 0; !rc && i < s->out->count; i++)
			rc = cut_references(s, &s->out->tables[i]);
		after = 0;
		for (size_t i = 0; i < s->out->count; i++)
			after += s->out->tables[i].cut + s->out->tables[i].left_out;
	} while (!rc && after != before);
	return rc;
}

/* ---- the whole ---------------------------------------------------------------------------- */

/* Of what the store was; if that cannot be read, what this build makes. */
static int make_new(struct salvage *s)
{
	struct migrations all = migrations_released();
	struct error why = {0};
	int64_t ours = 1;
	long version = 0;
	int rc;

	if (s->from) {
		rc = migrate_origin(&why, s->from, all, &version);
		if (rc)
			care_number(NULL, s->from,
				"SELECT count(*) FROM sqlite_schema WHERE name = 'inbox_raw'",
				&ours);
		if (rc == E_CONFLICT || !ours)
			return error_set(s->error, rc, "%s", why.text);
	}
	if (version < 1)
		version = (long)all.count;
	rc = care_open(s->error, &s->to, s->draft, SQLITE_OPEN_READWRITE);
	if (!rc)
		rc = care_exec(s->error, s->to,
			"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA "
			"foreign_keys=OFF; PRAGMA locking_mode=EXCLUSIVE; PRAGMA temp_store=MEMORY",
			"writing", s->draft);
	return rc ? rc : migrate_fresh(s->error, s->to, all, version);
}

static int list_tables(struct salvage *s)
{
	struct care_tables *names = calloc(1, sizeof(*names));
	int rc;

	if (!names)
		return error_set(s->error, E_NOMEM, "no memory for salvage");
	rc = care_tables(s->error, s->to, s->draft, names);
	s->out->tables = arena_alloc(s->arena, names->count * sizeof(*s->out->tables));
	s->tables = arena_alloc(s->arena, names->count * sizeof(*s->tables));
	if (!rc && s->tables && s->out->tables)
		s->out->count = names->count;
	else if (!rc)
		rc = error_set(s->error, E_NOMEM, "no memory for salvage");
	for (size_t i = 0; i < s->out->count; i++) {
		s->out->tables[i].table =
			arena_strndup(s->arena, names->name[i], strlen(names->name[i]));
		s->tables[i].saved = &s->out->tables[i];
	}
	free(names);
	return rc;
}

static void sum_up(struct salvage *s)
{
	struct care_salvaged *out = s->out;

	out->whole = true;
	for (size_t i = 0; i < out->count; i++) {
		struct care_saved *one = &out->tables[i];
		out->read += one->read - one->left_out;
		out->missing += one->missing > 0 ? one->missing : 0;
		out->left_out += one->left_out;
		out->whole = out->whole && !one->missing && !one->unusable && !one->cut &&
			     !one->left_out;
	}
}

static int read_all(struct salvage *s)
{
	int rc = make_new(s);

	if (!rc)
		rc = list_tables(s);
	if (!rc)
		rc = care_exec(s->error, s->to, "BEGIN", "writing", s->draft);
	for (size_t i = 0; !rc && i < s->out->count; i++)
		rc = read_table(s, &s->tables[i]);
	if (!rc)
		rc = read_pages(s);
	for (size_t i = 0; !rc && i < s->out->count; i++) /* before rows are left out for it */
		count_missing(s, &s->tables[i]);
	if (!rc)
		rc = cut_all(s);
	if (!rc)
		sum_up(s);
	for (size_t i = 0; i < s->out->count; i++)
		finish_table(&s->tables[i]);
	if (!rc)
		rc = care_exec(s->error, s->to, "COMMIT", "writing", s->draft);
	return rc;
}

static int publish(struct salvage *s, const char *to)
{
	int rc = care_verify_whole(s->error, s->to, s->draft);

	sqlite3_close(s->to);
	s->to = NULL;
	if (!rc)
		rc = file_sync(s->error, s->draft);
	return rc ? rc : file_publish(s->error, s->draft, to);
}

static int salvage_locked(struct salvage *s, const char *to)
{
	int rc;

	if (file_exists(to))
		return error_set(s->error, E_CONFLICT,
			"%s exists, and nothing is written over: choose another name", to);
	if (!file_exists(s->file))
		return error_set(s->error, E_NOTFOUND, "there is no store %s", s->file);
	rc = file_draft(s->error, s->draft);
	if (rc)
		return rc;
	if (care_open(NULL, &s->from, s->file, SQLITE_OPEN_READONLY) != 0)
		s->from = NULL;
	rc = read_all(s);
	sqlite3_close(s->from);
	if (!rc)
		rc = publish(s, to);
	sqlite3_close(s->to);
	if (rc)
		file_remove(s->draft);
	return rc;
}

int care_salvage(struct error *error, const char *state, const char *to, struct arena *arena,
	struct care_salvaged *out)
{
	char file[CARE_PATH], draft[CARE_PATH + 8];
	struct error why = {0};
	struct salvage s = {
		.error = &why, .arena = arena, .file = file, .draft = draft, .out = out};
	int fd = -1, rc;

	memset(out, 0, sizeof(*out));
	snprintf(draft, sizeof(draft), "%.*s.part", CARE_PATH - 1, to);
	rc = file_path(&why, file, sizeof(file), "%s/" STORE_FILE, state);
	if (!rc)
		rc = lock_take(&why, state, &fd);
	if (!rc)
		rc = salvage_locked(&s, to);
	lock_release(fd);
	return rc ? error_set(error, rc, "%s", why.text) : 0;
}
