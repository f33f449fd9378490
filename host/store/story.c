/* story.c - everything that belongs to one thing somebody points at: first which correlations it
 * stands for, then all rows of those. Never shows a row of another tenant than the caller's. The
 * reader's thread. */
#include "store/reader.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "store/columns.h"

#define SHORTEST 8 /* characters of an id that are enough to name it */
#define DIGITS 32

/* ---- which thing is meant -----------------------------------------------------------------------
 */

struct quest {
	struct store_reader *reader;
	struct arena *arena;
	struct str tenant;
	struct id id;            /* found; zero: not yet */
	const char *table;       /* where */
	struct str correlations; /* JSON array */
};

static const char *const tables[] = {"inbox", "event", "job", "attempt"};

/* The hex digits of an id or a piece of one; 0: not that. */
static size_t digits_of(struct str text, char digits[DIGITS + 1])
{
	size_t i, n = 0;

	for (i = 0; i < text.len; i++) {
		char c = (char)tolower((unsigned char)text.ptr[i]);
		if (c == '-')
			continue;
		if (n == DIGITS || !strchr("0123456789abcdef", c) || !c)
			return 0;
		digits[n++] = c;
	}
	digits[n] = '\0';
	return n >= SHORTEST ? n : 0;
}

static struct id id_from(const char *digits, char rest)
{
	struct id id;
	size_t i, len = strlen(digits);
	unsigned byte;
	char pair[3] = "";

	for (i = 0; i < sizeof(id.b); i++) {
		pair[0] = 2 * i < len ? digits[2 * i] : rest;
		pair[1] = 2 * i + 1 < len ? digits[2 * i + 1] : rest;
		sscanf(pair, "%2x", &byte);
		id.b[i] = (uint8_t)byte;
	}
	return id;
}

static int take_hits(struct error *error, struct quest *quest, struct stmt *stmt, const char *table)
{
	struct id id;
	int rc;

	while ((rc = stmt_step(error, stmt)) == 1) {
		id = col_id(stmt);
		if (!id_is_zero(&quest->id) && memcmp(&id, &quest->id, sizeof(id)) != 0) {
			rc = error_set(error, E_CONFLICT,
				"several ids match: give more characters, or the whole id");
			break;
		}
		quest->id = id;
		quest->table = table;
	}
	stmt_end(stmt);
	return rc < 0 ? rc : 0;
}

static int by_beginning(struct error *error, struct quest *quest, const char *digits)
{
	struct id low = id_from(digits, '0'), high = id_from(digits, 'f');
	struct stmt stmt;
	char sql[160];
	size_t i;
	int rc = 0;

	for (i = 0; i < 4 && !rc; i++) {
		snprintf(sql, sizeof(sql),
			"SELECT id FROM %s WHERE id BETWEEN ?1 AND ?2 AND (?3 = '' OR tenant = ?3) "
			"LIMIT 2",
			tables[i]);
		stmt_begin_sql(&stmt, &quest->reader->conn, sql);
		stmt_blob(&stmt, low.b, sizeof(low.b));
		stmt_blob(&stmt, high.b, sizeof(high.b));
		stmt_text(&stmt, quest->tenant);
		rc = take_hits(error, quest, &stmt, tables[i]);
	}
	return rc;
}

/* Reads the index of ids from end to end: the price of being able to name an id by its end, which
 * unlike its beginning is different even for what came in the same minute. */
static int by_end(struct error *error, struct quest *quest, const char *digits)
{
	size_t whole = strlen(digits) / 2, i;
	struct id id = id_from(digits + strlen(digits) % 2, '0');
	struct stmt stmt;
	char sql[240];
	int rc = 0;

	for (i = 0; i < 4 && !rc; i++) {
		snprintf(sql, sizeof(sql),
			"SELECT id FROM %s WHERE substr(id, -%zu) = ?1 AND substr(hex(id), -%zu) = "
			"upper(?2) "
			"AND (?3 = '' OR tenant = ?3) LIMIT 2",
			tables[i], whole, strlen(digits));
		stmt_begin_sql(&stmt, &quest->reader->conn, sql);
		stmt_blob(&stmt, id.b, whole);
		stmt_text(&stmt, str_of(digits));
		stmt_text(&stmt, quest->tenant);
		rc = take_hits(error, quest, &stmt, tables[i]);
	}
	return rc;
}

static int find_id(struct error *error, struct quest *quest, struct str text)
{
	char digits[DIGITS + 1];
	size_t n = digits_of(text, digits);
	int rc;

	if (!n)
		return 0;
	rc = by_beginning(error, quest, digits);
	if (n == DIGITS || (rc == 0 && !id_is_zero(&quest->id)))
		return rc;
	if (rc == E_CONFLICT) /* as a beginning; as an end it may still be the only one */
		quest->id = (struct id){{0}};
	else if (rc)
		return rc;
	if (rc == E_CONFLICT) {
		struct error several = error ? *error : (struct error){0};
		rc = by_end(error, quest, digits);
		if (!rc && id_is_zero(&quest->id)) {
			if (error)
				*error = several;
			return E_CONFLICT;
		}
		return rc;
	}
	return by_end(error, quest, digits);
}

/* ---- its correlations --------------------------------------------------------------------- */

static int take_correlations(struct error *error, struct quest *quest, struct stmt *stmt)
{
	int rc = stmt_step(error, stmt);

	if (rc == 1)
		quest->correlations = col_text(stmt, quest->arena);
	stmt_end(stmt);
	if (rc >= 0 && arena_failed(quest->arena))
		return error_set(error, E_NOMEM, "no memory for the story");
	return rc < 0 ? rc : 0;
}

static int correlations_of_id(struct error *error, struct quest *quest)
{
	struct stmt stmt;
	char sql[240];

	if (strcmp(quest->table, "inbox") == 0)
		snprintf(sql, sizeof(sql),
			"SELECT json_group_array(c) FROM ("
			"SELECT correlation AS c FROM inbox WHERE id = ?1 "
			"UNION SELECT correlation FROM event WHERE inbox = ?1) WHERE c <> ''");
	else if (strcmp(quest->table, "attempt") == 0)
		snprintf(sql, sizeof(sql),
			"SELECT json_array(job.correlation) FROM attempt JOIN job ON job.seq = "
			"attempt.job "
			"WHERE attempt.id = ?1");
	else
		snprintf(sql, sizeof(sql), "SELECT json_array(correlation) FROM %s WHERE id = ?1",
			quest->table);
	stmt_begin_sql(&stmt, &quest->reader->conn, sql);
	stmt_id(&stmt, &quest->id);
	return take_correlations(error, quest, &stmt);
}

/* A call, a booking, or a correlation itself. */
static int correlations_of_subject(struct error *error, struct quest *quest, struct str text)
{
	struct stmt stmt;

	stmt_begin_sql(&stmt, &quest->reader->conn,
		"SELECT json_group_array(c) FROM ("
		"SELECT correlation AS c FROM event WHERE subject <> '' AND subject IN "
		"(?1, 'call:' || ?1, 'booking:' || ?1, 'message:' || ?1, 'contact:' || ?1) "
		"AND (?2 = '' OR tenant = ?2) "
		"UNION SELECT correlation FROM event WHERE correlation = ?1 AND correlation <> '' "
		"AND (?2 = '' OR tenant = ?2) "
		"UNION SELECT correlation FROM job WHERE correlation = ?1 AND correlation <> '' "
		"AND (?2 = '' OR tenant = ?2)) WHERE c <> ''");
	stmt_text(&stmt, blind_text(quest->reader->keys, quest->arena, text));
	stmt_text(&stmt, quest->tenant);
	return take_correlations(error, quest, &stmt);
}

static int find(struct error *error, struct quest *quest, struct str text)
{
	int rc;

	rc = find_id(error, quest, text);
	if (rc)
		return rc;
	if (!id_is_zero(&quest->id))
		return correlations_of_id(error, quest);
	rc = correlations_of_subject(error, quest, text);
	if (!rc && str_is(quest->correlations, "[]"))
		rc = error_set(error, E_NOTFOUND,
			"nothing has the id \"%.*s\": give an id, at least %d characters of one, a "
			"call's id "
			"or a booking's uid",
			STR_ARG(text), SHORTEST);
	return rc;
}

/* ---- all rows of them --------------------------------------------------------------------- */

/* ?1 correlations, ?2 the id that was found, ?3 tenant */
#define SCOPE "IN (SELECT value FROM json_each(?1) WHERE value <> '')"
#define MINE(table) "(?3 = '' OR " table ".tenant = ?3)"

static void begin(struct quest *quest, struct stmt *stmt, const char *sql)
{
	stmt_begin_sql(stmt, &quest->reader->conn, sql);
	stmt_text(stmt, quest->correlations);
	stmt_blob(stmt, quest->id.b, sizeof(quest->id.b));
	stmt_text(stmt, quest->tenant);
}

static int one_raw(struct error *error, struct store_reader *reader, struct stmt *stmt,
	struct arena *arena, void *to)
{
	struct inbox_row *row = to;
	int rc;

	read_inbox(stmt, arena, row);
	rc = read_raw(error, reader->keys, stmt, arena, row);
	return allow_unreadable(reader, error, rc, &row->unreadable);
}

static int one_attempt(struct error *error, struct store_reader *reader, struct stmt *stmt,
	struct arena *arena, void *to)
{
	int rc = read_attempt(error, reader->keys, stmt, arena, to);

	return allow_unreadable(reader, error, rc, &((struct attempt_row *)to)->unreadable);
}

const struct row_kind kind_raw = {sizeof(struct inbox_row), one_raw};
const struct row_kind kind_attempt = {sizeof(struct attempt_row), one_attempt};

/* All rows of a statement over the scope. */
static int read_all(struct error *error, struct quest *quest, const struct row_kind *kind,
	const char *sql, void **rows, size_t *count)
{
	struct stmt stmt;

	begin(quest, &stmt, sql);
	return rows_collect(error, quest->reader, &stmt, kind, quest->arena, rows, count);
}

static int read_all_inbox(struct error *error, struct quest *quest, struct story *story)
{
	void *rows;
	int rc;

	rc = read_all(error, quest, &kind_raw,
		"SELECT " INBOX_COLUMNS ", " RAW_COLUMNS
		" FROM inbox JOIN inbox_raw ON inbox_raw.seq = inbox.seq WHERE inbox.id IN ("
		"SELECT inbox FROM event WHERE correlation " SCOPE " AND correlation <> '' "
		"UNION SELECT inbox FROM event WHERE id = ?2 UNION SELECT ?2) "
		"AND " MINE("inbox") " ORDER BY inbox.seq",
		&rows, &story->inbox_count);
	story->inbox = rows;
	return rc;
}

static int read_all_events(struct error *error, struct quest *quest, struct story *story)
{
	void *rows;
	int rc;

	rc = read_all(error, quest, &kind_event,
		"SELECT " EVENT_COLUMNS " FROM event WHERE seq IN ("
		"SELECT seq FROM event WHERE correlation " SCOPE " AND correlation <> '' "
		"UNION SELECT seq FROM event WHERE id = ?2) "
		"AND " MINE("event") " ORDER BY seq",
		&rows, &story->event_count);
	story->events = rows;
	return rc;
}

#define JOBS                                                                                       \
	"SELECT seq FROM job WHERE correlation " SCOPE " AND correlation <> '' "                   \
	"UNION SELECT seq FROM job WHERE id = ?2 "                                                 \
	"UNION SELECT seq FROM job WHERE event = ?2 "                                              \
	"UNION SELECT job FROM attempt WHERE id = ?2"

static int read_all_jobs(struct error *error, struct quest *quest, struct story *story)
{
	void *rows;
	int rc;

	rc = read_all(error, quest, &kind_job,
		"SELECT " JOB_COLUMNS " FROM job WHERE seq IN (" JOBS
		") AND " MINE("job") " ORDER BY seq",
		&rows, &story->job_count);
	story->jobs = rows;
	return rc;
}

static int read_all_attempts(struct error *error, struct quest *quest, struct story *story)
{
	void *rows;
	int rc;

	rc = read_all(error, quest, &kind_attempt,
		"SELECT " ATTEMPT_COLUMNS " FROM attempt JOIN job ON job.seq = attempt.job "
		"WHERE attempt.job IN (" JOBS
		") AND " MINE("job") " ORDER BY attempt.started_ms, attempt.seq",
		&rows, &story->attempt_count);
	story->attempts = rows;
	return rc;
}

int store_story(struct error *error, struct store_reader *reader, struct str id,
	struct str tenant_or_empty, struct arena *arena, struct story *story)
{
	struct quest quest = {.reader = reader, .arena = arena, .tenant = tenant_or_empty};
	int rc;

	memset(story, 0, sizeof(*story));
	reader->conn.broken = false;
	rc = conn_exec(error, &reader->conn, "BEGIN"); /* one moment for all of it */
	if (rc)
		return rc;
	rc = find(error, &quest, id);
	if (!rc)
		rc = read_all_inbox(error, &quest, story);
	if (!rc)
		rc = read_all_events(error, &quest, story);
	if (!rc)
		rc = read_all_jobs(error, &quest, story);
	if (!rc)
		rc = read_all_attempts(error, &quest, story);
	conn_exec(NULL, &reader->conn, "COMMIT");
	return rc;
}
