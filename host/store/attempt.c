/* attempt.c - the record of what was tried; written once, for show. The writer's thread. */
#include "store/engine.h"

static const struct query q_insert = {Q_ATTEMPT_INSERT,
	"INSERT INTO attempt (id, job, tenant, kind, step, number, name, outcome, method, status, "
	"started_ms, took_us, lock, sealed) "
	"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"};

int attempt_insert(struct error *error, struct store *store, int64_t job, struct str tenant,
	const struct attempt_row *row, const struct sealed_piece *sealed)
{
	struct stmt stmt;

	stmt_begin(&stmt, &store->conn, &q_insert);
	stmt_id(&stmt, &row->id);
	stmt_i64(&stmt, job);
	stmt_text(&stmt, tenant);
	stmt_i64(&stmt, row->kind);
	stmt_i64(&stmt, row->step);
	stmt_i64(&stmt, row->number);
	stmt_text(&stmt, row->name);
	stmt_text(&stmt, row->outcome);
	stmt_text(&stmt, row->method);
	stmt_i64(&stmt, row->status);
	stmt_i64(&stmt, row->started_ms);
	stmt_i64(&stmt, row->took_us);
	stmt_sealed(&stmt, sealed);
	return stmt_done(error, &stmt);
}
