/* person.c - all that is stored of one person. Never tells a row that is somebody else's and only
 * mentions them. The reader's thread. */
#include "store/reader.h"

#include <string.h>

#include "store/columns.h"

#define HITS_MAX 256
#define DIGITS_MAX 15

/* ---- who is meant ------------------------------------------------------------------------- */

/* Countries whose people leave out the code, and what they dial before the rest: "0", or nothing.
 */
static const struct country {
	const char *code, *trunk;
} countries[] = {{"49", "0"}, {"43", "0"}, {"41", "0"}, {"31", "0"}, {"33", "0"}, {"32", "0"},
	{"44", "0"}, {"353", "0"}, {"46", "0"}, {"358", "0"}, {"352", ""}, {"423", ""}, {"45", ""},
	{"47", ""}, {"48", ""}, {"420", ""}, {"34", ""}, {"39", ""}, {"351", ""}, {"1", ""}};

/* The digits, without a "(0)" behind a country's code. 0: it is no number. */
static size_t digits_of(struct str text, char out[DIGITS_MAX + 6])
{
	size_t n = 0, i;

	for (i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (text.len - i >= 3 && n && memcmp(text.ptr + i, "(0)", 3) == 0) {
			i += 2;
			continue;
		}
		if (c >= '0' && c <= '9' && n < DIGITS_MAX + 5)
			out[n++] = c;
		else if (!memchr(" -/().+\t", c, 8) || (c == '+' && n)) {
			out[0] = '\0';
			return 0;
		}
	}
	out[n] = '\0';
	return n;
}

struct search {
	struct error *error;
	struct store_reader *reader;
	struct arena *arena;
	struct keys_gone *gone;
	size_t gone_count;
	struct person_hit *hits;
	size_t count;
};

static int64_t forgotten_at(const struct search *s, const uint8_t mark[KEYS_MARK])
{
	int64_t at = 0;
	size_t i;

	for (i = 0; i < s->gone_count; i++)
		if (memcmp(s->gone[i].mark, mark, KEYS_MARK) == 0 && s->gone[i].at_ms > at)
			at = s->gone[i].at_ms;
	return at;
}

static int add_hit(struct search *s, struct str tenant, struct str person, uint64_t number,
	int64_t forgotten_ms)
{
	if (s->count == HITS_MAX)
		return error_set(s->error, E_INVALID,
			"more tenants know this person than can be told at once: name one");
	s->hits[s->count++] = (struct person_hit){.tenant = str_dup(s->arena, tenant),
		.person = str_dup(s->arena, person),
		.known = number != 0,
		.forgotten_ms = forgotten_ms};
	return 0;
}

static int try_one(struct search *s, struct str tenant, struct str person)
{
	uint8_t mark[KEYS_MARK];
	uint64_t number = 0;
	int64_t forgotten_ms;
	int rc;

	rc = keys_mark(s->error, s->reader->keys, tenant, person, mark);
	if (!rc)
		rc = keys_find_person(s->error, s->reader->keys, mark, &number);
	if (rc)
		return rc;
	forgotten_ms = forgotten_at(s, mark);
	if (!number && !forgotten_ms)
		return 0;
	return add_hit(s, tenant, person, number, forgotten_ms);
}

static int try_number(struct search *s, struct str tenant, const char *code, const char *digits)
{
	char text[2 * DIGITS_MAX + 8];
	size_t n = strlen(code) + strlen(digits);

	if (n < 6 || n > DIGITS_MAX)
		return 0;
	text[0] = '+';
	strcpy(text + 1, code);
	strcat(text, digits);
	return try_one(s, tenant, str_of(text));
}

static int try_countries(struct search *s, struct str tenant, const char *digits)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < sizeof(countries) / sizeof(countries[0]) && !rc; i++) {
		const char *trunk = countries[i].trunk;
		if (strncmp(digits, trunk, strlen(trunk)) == 0)
			rc = try_number(s, tenant, countries[i].code, digits + strlen(trunk));
	}
	return rc;
}

static int try_text(struct search *s, struct str tenant, struct str text)
{
	char digits[DIGITS_MAX + 6];
	int rc;

	if (memchr(text.ptr, '@', text.len))
		return try_one(s, tenant, text);
	digits_of(text, digits);
	if (memchr(text.ptr, '+', text.len))
		return try_number(s, tenant, "", digits);
	if (strncmp(digits, "00", 2) == 0)
		return try_number(s, tenant, "", digits + 2);
	rc = try_number(s, tenant, "", digits); /* the plus was left out */
	return rc ? rc : try_countries(s, tenant, digits);
}

/* Nobody has a key: they may still be in what could not be read. */
static int add_unknown(struct search *s, struct str tenant, struct str text)
{
	char digits[DIGITS_MAX + 6];
	const char *front = "+", *rest = digits;

	if (memchr(text.ptr, '@', text.len))
		return add_hit(s, tenant, text, 0, 0);
	digits_of(text, digits);
	if (strncmp(digits, "00", 2) == 0) {
		rest += 2;
	} else if (digits[0] == '0') {
		front = "+49";
		rest += 1;
	}
	return add_hit(s, tenant, str_of(arena_printf(s->arena, "%s%s", front, rest)), 0, 0);
}

static bool is_address(struct str text)
{
	return memchr(text.ptr, '@', text.len) && !memchr(text.ptr, ' ', text.len);
}

static struct str trimmed(struct str text)
{
	while (text.len && memchr(" \t\r\n", text.ptr[0], 4)) {
		text.ptr++;
		text.len--;
	}
	while (text.len && memchr(" \t\r\n", text.ptr[text.len - 1], 4))
		text.len--;
	return text;
}

int store_find_person(struct error *error, struct store_reader *reader, struct str tenant,
	struct str text, struct arena *arena, struct person_hit **hits, size_t *count)
{
	struct search s = {.error = error, .reader = reader, .arena = arena};
	char digits[DIGITS_MAX + 6], owner[KEYS_OWNER];
	void *place = NULL;
	bool unknown;
	int rc;

	*count = 0;
	text = trimmed(text);
	if (!text.len || (!is_address(text) && digits_of(text, digits) < 4))
		return error_set(error, E_INVALID,
			"a person is named by a telephone number or a mail address");
	s.hits = *hits = arena_alloc(arena, HITS_MAX * sizeof(*s.hits));
	if (!s.hits)
		return error_set(error, E_NOMEM, "no memory to look for a person");
	rc = keys_list_gone(error, reader->keys, arena, &s.gone, &s.gone_count);
	if (!rc && tenant.len)
		rc = try_text(&s, tenant, text);
	while (!rc && !tenant.len && keys_next_owner(reader->keys, &place, owner))
		rc = try_text(&s, str_of(owner), text);
	unknown = !s.count;
	if (!rc && unknown && tenant.len)
		rc = add_unknown(&s, tenant, text);
	place = NULL;
	while (!rc && unknown && !tenant.len && keys_next_owner(reader->keys, &place, owner))
		rc = add_unknown(&s, str_of(owner), text);
	*count = s.count;
	if (!rc && arena_failed(arena))
		rc = error_set(error, E_NOMEM, "no memory to look for a person");
	return rc;
}

/* ---- their rows --------------------------------------------------------------------------- */

/* ?1 number, ?2 tenant, ?3 mark. An event that names somebody besides the one it is about is the
 * other's too only if it is of a booking, in which both are one attendee's. */
#define MINE                                                                                       \
	"SELECT seq FROM event WHERE person = ?1 AND person IS NOT NULL AND tenant = ?2 "          \
	"UNION SELECT seq FROM event WHERE other = ?1 AND other IS NOT NULL AND tenant = ?2 "      \
	"AND type GLOB 'booking.*'"
#define MY_JOBS                                                                                    \
	"SELECT job.seq FROM event JOIN job ON job.event = event.id AND job.event IS NOT NULL "    \
	"WHERE event.seq IN (" MINE ") "                                                           \
	"UNION SELECT seq FROM job WHERE person = ?1 AND person IS NOT NULL AND tenant = ?2 "      \
	"UNION SELECT seq FROM job WHERE other = ?1 AND other IS NOT NULL AND event IS NULL "      \
	"AND tenant = ?2"

struct quest {
	struct store_reader *reader;
	struct arena *arena;
	struct str tenant;
	uint64_t number;
	uint8_t mark[KEYS_MARK];
};

static int read_all(struct error *error, struct quest *quest, const struct row_kind *kind,
	const char *sql, void **rows, size_t *count)
{
	struct stmt stmt;

	stmt_begin_sql(&stmt, &quest->reader->conn, sql);
	stmt_i64(&stmt, (int64_t)quest->number);
	stmt_text(&stmt, quest->tenant);
	if (strstr(sql, "?3"))
		stmt_blob(&stmt, quest->mark, KEYS_MARK);
	return rows_collect(error, quest->reader, &stmt, kind, quest->arena, rows, count);
}

static int one_text(struct error *error, struct store_reader *reader, struct stmt *stmt,
	struct arena *arena, void *row)
{
	(void)error;
	(void)reader;
	*(struct str *)row = col_text(stmt, arena);
	return 0;
}

static int count_mentions(struct error *error, struct quest *quest, uint32_t *count)
{
	struct stmt stmt;
	int rc;

	stmt_begin_sql(&stmt, &quest->reader->conn,
		"SELECT count(*) FROM (SELECT seq FROM event WHERE other = ?1 AND other IS NOT "
		"NULL "
		"AND tenant = ?2 UNION SELECT seq FROM event WHERE third = ?1 AND third IS NOT "
		"NULL "
		"AND tenant = ?2 UNION SELECT seq FROM event WHERE fourth = ?1 AND fourth IS NOT "
		"NULL AND tenant = ?2) WHERE seq NOT IN (" MINE ")");
	stmt_i64(&stmt, (int64_t)quest->number);
	stmt_text(&stmt, quest->tenant);
	rc = stmt_step(error, &stmt);
	if (rc == 1)
		*count = (uint32_t)col_i64(&stmt);
	stmt_end(&stmt);
	return rc < 0 ? rc : 0;
}

/* Alone: no event of it is somebody else's. The others come without their bytes. */
static int read_hooks(struct error *error, struct quest *quest, struct story *story)
{
	void *own, *shared;
	size_t count, more;
	int rc;

#define HOOKS "inbox.id IN (SELECT inbox FROM event WHERE seq IN (" MINE ") AND inbox IS NOT NULL) "
#define OTHERS                                                                                     \
	"EXISTS (SELECT 1 FROM event WHERE event.inbox = inbox.id AND event.inbox IS NOT NULL "    \
	"AND event.seq NOT IN (" MINE ")) "
	rc = read_all(error, quest, &kind_raw,
		"SELECT " INBOX_COLUMNS ", " RAW_COLUMNS
		" FROM inbox JOIN inbox_raw ON inbox_raw.seq = inbox.seq WHERE " HOOKS
		"AND NOT " OTHERS "ORDER BY inbox.seq",
		&own, &count);
	if (!rc)
		rc = read_all(error, quest, &kind_inbox,
			"SELECT " INBOX_COLUMNS " FROM inbox WHERE " HOOKS "AND " OTHERS
			"ORDER BY inbox.seq",
			&shared, &more);
	if (rc)
		return rc;
	story->inbox = arena_alloc(quest->arena, (count + more + 1) * sizeof(*story->inbox));
	if (!story->inbox)
		return error_set(error, E_NOMEM, "no memory for the webhooks of a person");
	if (count)
		memcpy(story->inbox, own, count * sizeof(*story->inbox));
	if (more)
		memcpy(story->inbox + count, shared, more * sizeof(*story->inbox));
	story->inbox_count = count + more;
	return 0;
}

static int read_story(struct error *error, struct quest *quest, struct story *story)
{
	void *rows;
	int rc;

	rc = read_hooks(error, quest, story);
	if (!rc)
		rc = read_all(error, quest, &kind_event,
			"SELECT " EVENT_COLUMNS " FROM event WHERE seq IN (" MINE ") ORDER BY seq",
			&rows, &story->event_count);
	if (rc)
		return rc;
	story->events = rows;
	rc = read_all(error, quest, &kind_job,
		"SELECT " JOB_COLUMNS " FROM job WHERE seq IN (" MY_JOBS ") ORDER BY seq", &rows,
		&story->job_count);
	if (rc)
		return rc;
	story->jobs = rows;
	rc = read_all(error, quest, &kind_attempt,
		"SELECT " ATTEMPT_COLUMNS " FROM attempt JOIN job ON job.seq = attempt.job "
		"WHERE attempt.job IN (" MY_JOBS ") ORDER BY attempt.started_ms, attempt.seq",
		&rows, &story->attempt_count);
	story->attempts = rows;
	return rc;
}

static int read_connections(
	struct error *error, struct quest *quest, struct str **connections, size_t *count)
{
	static const struct row_kind kind_text = {sizeof(struct str), one_text};
	void *rows;
	int rc;

	rc = read_all(error, quest, &kind_text,
		"SELECT connection FROM event WHERE seq IN (" MINE ") "
		"UNION SELECT connection FROM job WHERE seq IN (" MY_JOBS ") "
		"AND connection <> '' "
		"UNION SELECT ?2 || '/' || substr(name, 1, instr(name, '.') - 1) "
		"FROM attempt WHERE kind = 1 AND instr(name, '.') > 1 "
		"AND name NOT GLOB 'desk.*' "
		"AND job IN (" MY_JOBS ") "
		"UNION SELECT connection FROM appointment WHERE tenant = ?2 "
		"AND person_hash = ?3 AND person_hash IS NOT NULL ORDER BY 1",
		&rows, count);
	*connections = rc ? NULL : rows;
	return rc;
}

static int read_rest(struct error *error, struct quest *quest, struct person_rows *out)
{
	void *rows;
	int rc;

	rc = read_all(error, quest, &kind_call,
		"SELECT " CALL_COLUMNS " FROM call WHERE person = ?1 AND person IS NOT NULL "
		"AND tenant = ?2 ORDER BY seq",
		&rows, &out->call_count);
	out->calls = rows;
	if (!rc)
		rc = read_all(error, quest, &kind_appointment,
			"SELECT " APPOINTMENT_COLUMNS " FROM appointment WHERE tenant = ?2 "
			"AND person_hash = ?3 AND person_hash IS NOT NULL ORDER BY start_ms, seq",
			&rows, &out->appointment_count);
	out->appointments = rc ? NULL : rows;
	if (!rc)
		rc = read_all(error, quest, &kind_answer,
			"SELECT " ANSWER_COLUMNS " FROM event JOIN answer "
			"ON answer.connection = event.connection AND answer.dedupe = event.dedupe "
			"WHERE event.seq IN (" MINE ") AND answer.tenant = ?2 ORDER BY answer.seq",
			&rows, &out->answer_count);
	out->answers = rc ? NULL : rows;
	if (!rc)
		rc = read_connections(error, quest, &out->connections, &out->connection_count);
	return rc ? rc : count_mentions(error, quest, &out->mentions);
}

static int begin_quest(struct error *error, struct quest *quest, struct str person)
{
	int rc = keys_mark(error, quest->reader->keys, quest->tenant, person, quest->mark);

	return rc ? rc : keys_find_person(error, quest->reader->keys, quest->mark, &quest->number);
}

int store_person_connections(struct error *error, struct store_reader *reader, struct str tenant,
	struct str person, struct arena *arena, struct str **connections, size_t *count)
{
	struct quest quest = {.reader = reader, .arena = arena, .tenant = tenant};
	int rc = begin_quest(error, &quest, person);

	*count = 0;
	return rc ? rc : read_connections(error, &quest, connections, count);
}

int store_read_person(struct error *error, struct store_reader *reader, struct str tenant,
	struct str person, struct arena *arena, struct person_rows *rows)
{
	struct quest quest = {.reader = reader, .arena = arena, .tenant = tenant};
	int rc;

	memset(rows, 0, sizeof(*rows));
	rc = begin_quest(error, &quest, person);
	if (!rc)
		rc = conn_exec(error, &reader->conn, "BEGIN"); /* one moment for all of it */
	if (rc)
		return rc;
	rc = read_story(error, &quest, &rows->story);
	if (!rc)
		rc = read_rest(error, &quest, rows);
	conn_exec(NULL, &reader->conn, "COMMIT");
	return rc;
}
