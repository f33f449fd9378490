/* receipt.c - what came, counted in the commit in which it came; and the daily receipts, in which
 * that is held against what became of it. Never takes one count from the other. Tallies are the
 * writer's thread; counting a day is the reader's, and takes as long as the day was busy. */
#include "store/reader.h"

#include <stdlib.h>
#include <string.h>

/* ---- tallies: the writer's thread --------------------------------------------------------- */

static const struct query q_add = {Q_TALLY_ADD,
	"INSERT INTO tally (tenant, quarter, webhooks, events, repeats, jobs) "
	"VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (tenant, quarter) DO UPDATE SET "
	"webhooks = webhooks + excluded.webhooks, events = events + excluded.events, "
	"repeats = repeats + excluded.repeats, jobs = jobs + excluded.jobs"};

struct str tally_owner(struct str connection)
{
	const char *slash = connection.len ? memchr(connection.ptr, '/', connection.len) : NULL;

	return slash ? (struct str){connection.ptr, (size_t)(slash - connection.ptr)} : connection;
}

static int64_t quarter_of(int64_t ms)
{
	return ms >= 0 ? ms / TALLY_MS : -((-ms + TALLY_MS - 1) / TALLY_MS);
}

int tally_note(struct error *error, struct store *store, enum tally_kind kind, struct str tenant,
	int64_t at_ms)
{
	struct tally *tally = &store->tally;

	if (tally->count == tally->capacity) {
		size_t capacity = tally->capacity ? 2 * tally->capacity : 256;
		struct tally_note *notes = realloc(tally->notes, capacity * sizeof(*notes));
		if (!notes)
			return error_set(error, E_NOMEM, "no memory to count what came");
		tally->notes = notes;
		tally->capacity = capacity;
	}
	tally->notes[tally->count++] = (struct tally_note){tenant, quarter_of(at_ms), kind};
	return 0;
}

static int compare_text(struct str a, struct str b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int order = n ? memcmp(a.ptr, b.ptr, n) : 0;

	return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int by_tenant_and_time(const void *left, const void *right)
{
	const struct tally_note *a = left, *b = right;
	int order = compare_text(a->tenant, b->tenant);

	return order ? order : (a->quarter > b->quarter) - (a->quarter < b->quarter);
}

static int add(struct error *error, struct store *store, const struct tally_note *note,
	const int64_t counts[TALLY_KINDS])
{
	struct stmt stmt;

	stmt_begin(&stmt, &store->conn, &q_add);
	stmt_text(&stmt, note->tenant);
	stmt_i64(&stmt, note->quarter);
	for (int i = 0; i < TALLY_KINDS; i++)
		stmt_i64(&stmt, counts[i]);
	return stmt_done(error, &stmt);
}

/* One row for each tenant of the group. */
int tally_flush(struct error *error, struct store *store)
{
	struct tally_note *notes = store->tally.notes;
	size_t count = store->tally.count;
	int rc = 0;

	if (count > 1)
		qsort(notes, count, sizeof(*notes), by_tenant_and_time);
	for (size_t i = 0, n; i < count && !rc; i = n) {
		int64_t counts[TALLY_KINDS] = {0};
		for (n = i; n < count && !by_tenant_and_time(&notes[i], &notes[n]); n++)
			counts[notes[n].kind]++;
		rc = add(error, store, &notes[i], counts);
	}
	store->tally.count = 0;
	return rc;
}

/* ---- a day: the reader's thread ----------------------------------------------------------- */

/* Rows come in the order of time, but for jumps of the clock and what is stored late. */
#define OLDER_MOST 20000

struct count { /* of several days at once */
	struct store_reader *reader;
	struct receipt_day *days; /* sorted by tenant */
	size_t day_count;
	int64_t from_ms; /* the first of them */
	unsigned older;  /* rows in a row that are from before */
};

static int by_tenant(const void *left, const void *right)
{
	const struct receipt_day *a = left, *b = right;

	return compare_text(a->tenant, b->tenant);
}

/* The next day behind *day (NULL: the first) of this tenant that holds the moment; NULL: no more.
 */
static struct receipt_day *next_day(
	const struct count *c, struct str tenant, int64_t ms, struct receipt_day *day)
{
	size_t low = 0, high = c->day_count;

	while (!day && low < high) {
		size_t middle = low + (high - low) / 2;
		if (compare_text(c->days[middle].tenant, tenant) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (day = day ? day + 1 : c->days + low; day < c->days + c->day_count; day++)
		if (compare_text(day->tenant, tenant) != 0)
			return NULL;
		else if (ms >= day->from_ms && ms < day->to_ms)
			return day;
	return NULL;
}

static bool is_enough(struct count *c, int64_t ms, int64_t from_ms)
{
	c->older = ms < from_ms ? c->older + 1 : 0;
	return c->older >= OLDER_MOST;
}

static int count_in(struct error *error, const struct count *count, struct receipt_day *day)
{
	struct receipt_counts *c = &day->counts;
	struct stmt stmt;
	int rc;

	stmt_begin_sql(&stmt, &count->reader->conn,
		"SELECT coalesce(sum(webhooks), 0), coalesce(sum(events), 0), "
		"coalesce(sum(repeats), 0), coalesce(sum(jobs), 0) FROM tally "
		"WHERE tenant = ?1 AND quarter >= ?2 AND quarter < ?3");
	stmt_text(&stmt, day->tenant);
	stmt_i64(&stmt, quarter_of(day->from_ms));
	stmt_i64(&stmt, quarter_of(day->to_ms));
	rc = stmt_step(error, &stmt);
	if (rc == 1) {
		c->webhooks.in = (uint64_t)col_i64(&stmt);
		c->events.in = (uint64_t)col_i64(&stmt);
		c->events.repeats = (uint64_t)col_i64(&stmt);
		c->jobs.in = (uint64_t)col_i64(&stmt);
	}
	stmt_end(&stmt);
	return rc < 0 ? rc : 0;
}

static void add_webhook(struct receipt_counts *c, enum inbox_state state)
{
	c->webhooks.waiting += state == INBOX_NEW;
	c->webhooks.read += state == INBOX_DONE;
	c->webhooks.parked += state == INBOX_PARKED;
	c->webhooks.ignored += state == INBOX_IGNORED;
}

static void add_job(struct receipt_counts *c, enum job_state state)
{
	c->jobs.waiting += state == JOB_READY || state == JOB_QUEUED || state == JOB_WAITING;
	c->jobs.parked += state == JOB_PARKED;
	c->jobs.dead += state == JOB_DEAD;
	c->jobs.done += state == JOB_DONE;
	c->jobs.dropped += state == JOB_DROPPED;
}

/* states: of its jobs, bits as in 1 << state. */
static void add_event(struct receipt_counts *c, unsigned states)
{
	unsigned open = 1u << JOB_READY | 1u << JOB_QUEUED | 1u << JOB_WAITING;

	if (!states)
		c->events.filtered++;
	else if (states & 1u << JOB_DEAD)
		c->events.dead++;
	else if (states & 1u << JOB_PARKED)
		c->events.parked++;
	else if (states & open)
		c->events.waiting++;
	else if (states & 1u << JOB_DONE)
		c->events.done++;
	else
		c->events.dropped++;
}

static bool ends_with(struct str text, const char *end)
{
	size_t n = strlen(end);

	return text.len > n && memcmp(text.ptr + text.len - n, end, n) == 0;
}

/* The host's own desk asks a calendar to book: the calendar's step counts. */
static void add_step(struct receipt_counts *c, struct str name, struct str outcome)
{
	bool done = str_begins(outcome, "done");

	c->bookings += done && ends_with(name, ".book") && !str_is(name, "desk.book");
	c->messages += done && ends_with(name, ".send");
	c->unknowns += str_is(outcome, "unknown");
}

/* Of all tenants in one go: these two tables know no order but that of storing. */
static int count_webhooks(struct error *error, struct count *count)
{
	struct stmt stmt;
	int rc;

	count->older = 0;
	stmt_begin_sql(&stmt, &count->reader->conn,
		"SELECT received_ms, connection, state FROM inbox ORDER BY seq DESC");
	while ((rc = stmt_step(error, &stmt)) == 1) {
		int64_t ms = col_i64(&stmt);
		struct str owner = tally_owner(col_str(&stmt));
		enum inbox_state state = (enum inbox_state)col_i64(&stmt);
		struct receipt_day *day = NULL;
		while ((day = next_day(count, owner, ms, day)))
			add_webhook(&day->counts, state);
		if (is_enough(count, ms, count->from_ms))
			break;
	}
	stmt_end(&stmt);
	return rc < 0 ? rc : 0;
}

static int count_effects(struct error *error, struct count *count)
{
	struct stmt stmt;
	int rc;

	count->older = 0;
	stmt_begin_sql(&stmt, &count->reader->conn,
		"SELECT started_ms, tenant, kind, name, outcome FROM attempt ORDER BY seq DESC");
	while ((rc = stmt_step(error, &stmt)) == 1) {
		int64_t ms = col_i64(&stmt);
		struct str tenant = col_str(&stmt);
		bool step = col_i64(&stmt) == ATTEMPT_STEP;
		struct str name = col_str(&stmt), outcome = col_str(&stmt);
		struct receipt_day *day = NULL;
		while (step && (day = next_day(count, tenant, ms, day)))
			add_step(&day->counts, name, outcome);
		if (is_enough(count, ms, count->from_ms))
			break;
	}
	stmt_end(&stmt);
	return rc < 0 ? rc : 0;
}

/* A tenant's own rows, by its index. */
static int count_events(struct error *error, struct count *count, struct receipt_day *day)
{
	struct stmt stmt;
	int rc;

	count->older = 0;
	stmt_begin_sql(&stmt, &count->reader->conn,
		"SELECT received_ms, (SELECT coalesce(sum(DISTINCT 1 << job.state), 0) FROM job "
		"WHERE job.event = event.id) FROM event INDEXED BY event_tenant "
		"WHERE tenant = ?1 ORDER BY seq DESC");
	stmt_text(&stmt, day->tenant);
	while ((rc = stmt_step(error, &stmt)) == 1) {
		int64_t ms = col_i64(&stmt);
		if (ms >= day->from_ms && ms < day->to_ms)
			add_event(&day->counts, (unsigned)col_i64(&stmt));
		if (is_enough(count, ms, day->from_ms))
			break;
	}
	stmt_end(&stmt);
	return rc < 0 ? rc : 0;
}

static int count_jobs(struct error *error, struct count *count, struct receipt_day *day)
{
	struct stmt stmt;
	int rc;

	count->older = 0;
	stmt_begin_sql(&stmt, &count->reader->conn,
		"SELECT created_ms, state FROM job INDEXED BY job_tenant WHERE tenant = ?1 "
		"ORDER BY seq DESC");
	stmt_text(&stmt, day->tenant);
	while ((rc = stmt_step(error, &stmt)) == 1) {
		int64_t ms = col_i64(&stmt);
		if (ms >= day->from_ms && ms < day->to_ms)
			add_job(&day->counts, (enum job_state)col_i64(&stmt));
		if (is_enough(count, ms, day->from_ms))
			break;
	}
	stmt_end(&stmt);
	return rc < 0 ? rc : 0;
}

static int count_day(struct error *error, struct count *count, struct receipt_day *day)
{
	int rc = count_in(error, count, day);

	if (!rc)
		rc = count_events(error, count, day);
	return rc ? rc : count_jobs(error, count, day);
}

int store_count_receipts(struct error *error, struct store_reader *reader, struct receipt_day *days,
	size_t day_count)
{
	struct count count = {
		.reader = reader, .days = days, .day_count = day_count, .from_ms = INT64_MAX};
	int rc;

	if (day_count > 1)
		qsort(days, day_count, sizeof(*days), by_tenant);
	for (size_t i = 0; i < day_count; i++) {
		memset(&days[i].counts, 0, sizeof(days[i].counts));
		if (days[i].from_ms < count.from_ms)
			count.from_ms = days[i].from_ms;
	}
	reader->conn.broken = false;
	rc = conn_exec(error, &reader->conn, "BEGIN"); /* one moment for both sides */
	if (rc)
		return rc;
	rc = count_webhooks(error, &count);
	for (size_t i = 0; i < day_count && !rc; i++)
		rc = count_day(error, &count, &days[i]);
	if (!rc)
		rc = count_effects(error, &count);
	conn_exec(NULL, &reader->conn, "COMMIT");
	return rc;
}

bool receipt_balanced(const struct receipt_counts *c)
{
	return c->webhooks.in == c->webhooks.read + c->webhooks.ignored + c->webhooks.parked +
					 c->webhooks.waiting &&
	       c->events.in == c->events.done + c->events.filtered + c->events.parked +
				       c->events.dead + c->events.waiting + c->events.dropped &&
	       c->jobs.in == c->jobs.done + c->jobs.parked + c->jobs.dead + c->jobs.waiting +
				     c->jobs.dropped;
}

/* ---- receipts ----------------------------------------------------------------------------- */

static int run_save(struct store *store, struct store_op *base)
{
	static const struct query q = {Q_RECEIPT_SAVE,
		"INSERT INTO receipt (tenant, day, made_ms, balanced, data) VALUES (?, ?, ?, ?, ?) "
		"ON CONFLICT (tenant, day) DO UPDATE SET made_ms = excluded.made_ms, "
		"balanced = excluded.balanced, data = excluded.data "
		"WHERE excluded.made_ms < receipt.made_ms"};
	const struct receipt_row *row = ((struct store_save_receipt *)base)->row;
	struct stmt stmt;

	stmt_begin(&stmt, &store->conn, &q);
	stmt_text(&stmt, row->tenant);
	stmt_i64(&stmt, row->day);
	stmt_i64(&stmt, row->made_ms);
	stmt_i64(&stmt, row->balanced);
	stmt_text(&stmt, row->data);
	return stmt_done(&base->error, &stmt);
}

void store_save_receipt(struct store *store, struct store_save_receipt *op)
{
	op->op.sealed = NULL;
	queue_submit(store, &op->op, run_save);
}

static int one_receipt(struct error *error, struct store_reader *reader, struct stmt *stmt,
	struct arena *arena, void *to)
{
	struct receipt_row *row = to;

	(void)error;
	(void)reader;
	row->tenant = col_text(stmt, arena);
	row->day = (int32_t)col_i64(stmt);
	row->made_ms = col_i64(stmt);
	row->balanced = col_i64(stmt) != 0;
	row->data = col_text(stmt, arena);
	return 0;
}

int store_list_receipts(struct error *error, struct store_reader *reader, struct str tenant,
	int32_t from_day, int32_t to_day, struct arena *arena, struct receipt_row **rows,
	size_t *count)
{
	static const struct row_kind kind = {sizeof(struct receipt_row), one_receipt};
	struct stmt stmt;
	void *all;
	int rc;

	stmt_begin_sql(&stmt, &reader->conn,
		"SELECT tenant, day, made_ms, balanced, data FROM receipt "
		"WHERE (?1 = '' OR tenant = ?1) AND day BETWEEN ?2 AND ?3 ORDER BY day DESC, "
		"tenant");
	stmt_text(&stmt, tenant);
	stmt_i64(&stmt, from_day);
	stmt_i64(&stmt, to_day);
	rc = rows_collect(error, reader, &stmt, &kind, arena, &all, count);
	*rows = all;
	return rc;
}
