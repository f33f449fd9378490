/* conn.h - one SQLite connection with its kept statements, and the few calls that use them.
 *
 * A statement is a `struct query` somewhere in the room, prepared at its first use. Using one:
 *
 *	struct stmt s;
 *
 *	stmt_begin(&s, conn, &find_job);
 *	stmt_id(&s, &id);              parameters in order
 *	rc = stmt_step(error, &s);     1: a row, 0: no (more) row, or a negative error_code
 *	seq = col_i64(&s);             columns in order
 *	stmt_end(&s);                  always
 *
 * A failing call makes the following ones do nothing; stmt_step tells. Text that was bound must
 * stay until stmt_end, text that was read is gone then.
 */
#ifndef STORE_CONN_H
#define STORE_CONN_H

#include <stdbool.h>
#include <sqlite3.h>

#include "base/error.h"
#include "base/id.h"
#include "base/str.h"

struct arena;

enum query_slot {
	Q_BEGIN,
	Q_COMMIT,
	Q_ROLLBACK,
	Q_SAVEPOINT,
	Q_UNDO_SAVEPOINT,
	Q_RELEASE,
	Q_INBOX_INSERT,
	Q_INBOX_RAW,
	Q_INBOX_FIND,
	Q_INBOX_MARK,
	Q_INBOX_PENDING,
	Q_EVENT_INSERT,
	Q_EVENT_STORY,
	Q_JOB_INSERT,
	Q_JOB_FIND,
	Q_JOB_SAVE,
	Q_JOB_TURN_TAKEN,
	Q_JOB_TURN_HELD,
	Q_JOB_NEXT,
	Q_JOB_PROMOTE,
	Q_JOB_REGARDED,
	Q_JOB_KEEP_CLOSED,
	Q_JOB_CLOSE,
	Q_JOB_PROGRESS,
	Q_JOB_JOIN,
	Q_JOB_TO_CANCEL,
	Q_JOB_CANCEL,
	Q_JOB_CANCELLED,
	Q_JOB_DECIDE,
	Q_JOB_HASTEN,
	Q_JOB_HASTEN_AHEAD,
	Q_JOB_PARK,
	Q_JOB_CLOSED,
	Q_JOB_DUE_READY,
	Q_JOB_DUE_WAITING,
	Q_JOB_CLAIMED,
	Q_ATTEMPT_INSERT,
	Q_CALL_FIND,
	Q_CALL_MERGE,
	Q_CALL_SAVE,
	Q_APPOINTMENT_FIND,
	Q_APPOINTMENT_SAVE,
	Q_APPOINTMENT_VERSION,
	Q_APPOINTMENT_MOVED,
	Q_APPOINTMENT_LATER,
	Q_CHECKPOINT_SAVE,
	Q_GENERATION_FIND,
	Q_GENERATION_INSERT,
	Q_BREAKER_SAVE,
	Q_HOLD_OWN,
	Q_HOLD_RENEW,
	Q_HOLD_CLEAR,
	Q_HOLD_INSERT,
	Q_HOLD_REMOVE,
	Q_HOLD_FREE_JOB,
	Q_HOLD_FREE_HOLDER,
	Q_HOLD_FREE_EXPIRED,
	Q_CELL_INSERT,
	Q_SLOT_SAVE,
	Q_SLOT_DIRTY,
	Q_ANSWER_SAVE,
	Q_READ_SLOTS,
	Q_READ_HOLDS,
	Q_READ_HOLDS_AT,
	Q_READ_HOLDS_OF,
	Q_READ_APPOINTMENTS,
	Q_READ_APPOINTMENTS_OF,
	Q_READ_ANSWER,
	Q_READ_JOB,
	Q_TALLY_ADD,
	Q_RECEIPT_SAVE,
	Q_GONE_FIND,
	Q_GONE_ADD,
	Q_RETAIN_RAW,
	Q_RETAIN_RAW_LOCK,
	Q_RETAIN_ATTEMPT,
	Q_RETAIN_ATTEMPT_SET,
	Q_RETAIN_EVENT,
	Q_RETAIN_EVENT_SET,
	Q_RETAIN_EVENT_EMPTY,
	Q_RETAIN_JOB,
	Q_RETAIN_JOB_SET,
	Q_RETAIN_JOB_EMPTY,
	Q_RETAIN_PROGRESS,
	Q_RETAIN_PROGRESS_SET,
	Q_RETAIN_CALL,
	Q_RETAIN_APPOINTMENT,
	Q_RETAIN_ATTEMPTS_GONE,
	Q_RETAIN_ATTEMPTS_LEFT,
	Q_RETAIN_JOB_GONE,
	Q_RETAIN_EVENT_GONE,
	Q_RETAIN_INBOX_GONE,
	Q_PERSON_MARK,
	Q_PERSON_NUMBER,
	Q_PERSON_ADD,
	Q_PERSON_DELETE,
	Q_PERSON_BURY,
	Q_JOB_FORGET,
	QUERY_COUNT
};
struct query {
	enum query_slot slot; /* one per query */
	const char *sql;
};

#define CONN_BUSY_MS 5000 /* how long a connection waits for others */

enum conn_kind { CONN_WRITER, CONN_CHECKPOINTER, CONN_READER };

struct conn {
	sqlite3 *db;
	bool broken; /* disk, memory or file trouble since it was last set to false: the transaction
			cannot be trusted to hold what it was given */
	sqlite3_stmt *kept[QUERY_COUNT];
};

int conn_open(struct error *error, struct conn *conn, const char *path, enum conn_kind kind);
void conn_finish(struct conn *conn); /* takes one that was not opened, if zeroed */

/* Turns SQLite's last error into a code and a sentence. doing: "storing a job". */
int conn_fail(struct error *error, struct conn *conn, const char *doing);
int conn_exec(struct error *error, struct conn *conn, const char *sql);
int conn_run(struct error *error, struct conn *conn, const struct query *query); /* no parameters */

struct stmt {
	struct conn *conn;
	sqlite3_stmt *s;
	int parameter, column;
	bool kept;
	int rc; /* SQLITE_OK so far */
};

void stmt_begin(struct stmt *stmt, struct conn *conn, const struct query *query);
void stmt_begin_sql(struct stmt *stmt, struct conn *conn, const char *sql); /* not kept */
void stmt_end(struct stmt *stmt);
void stmt_text(struct stmt *stmt, struct str text); /* NULL: empty text */
void stmt_blob(struct stmt *stmt, const void *bytes, size_t len);
void stmt_id(struct stmt *stmt, const struct id *id); /* zero: NULL */
void stmt_i64(struct stmt *stmt, int64_t n);
void stmt_null(struct stmt *stmt);
int stmt_step(struct error *error, struct stmt *stmt);
int stmt_done(struct error *error, struct stmt *stmt); /* step, end; 0 or an error */

int64_t col_i64(struct stmt *stmt);
struct str col_str(struct stmt *stmt);                       /* until the next step */
struct str col_text(struct stmt *stmt, struct arena *arena); /* a copy */
struct id col_id(struct stmt *stmt);                         /* zero: NULL */

#endif
