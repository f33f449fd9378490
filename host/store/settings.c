/* settings.c - small things the host remembers: configurations, breakers, how far polling has read,
 * what callers were told.
 * The writer's thread. */
#include "store/engine.h"

static const struct query q_checkpoint_save = {Q_CHECKPOINT_SAVE,
	"INSERT INTO checkpoint (connection, op, value) VALUES (?, ?, ?) "
	"ON CONFLICT (connection, op) DO UPDATE SET value = excluded.value"};
static const struct query q_generation_find = {Q_GENERATION_FIND,
	"SELECT number FROM generation WHERE text = ?1 ORDER BY number DESC LIMIT 1"};
static const struct query q_generation_insert = {
	Q_GENERATION_INSERT, "INSERT INTO generation (text) VALUES (?1)"};
static const struct query q_breaker_save = {Q_BREAKER_SAVE,
	"INSERT INTO breaker (key, state, until_ms, failures, successes) VALUES (?, ?, ?, ?, ?) "
	"ON CONFLICT (key) DO UPDATE SET state = excluded.state, until_ms = excluded.until_ms, "
	"failures = excluded.failures, successes = excluded.successes"};
static const struct query q_answer_save = {Q_ANSWER_SAVE,
	"INSERT INTO answer (connection, dedupe, tenant, outcome, at_ms, lock, sealed) "
	"VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (connection, dedupe) DO NOTHING"};

int checkpoint_save(struct error *error, struct store *store, const struct checkpoint_row *row)
{
	struct stmt stmt;

	stmt_begin(&stmt, &store->conn, &q_checkpoint_save);
	stmt_text(&stmt, row->connection);
	stmt_text(&stmt, row->op);
	stmt_text(&stmt, row->value);
	return stmt_done(error, &stmt);
}

static int run_checkpoint(struct store *store, struct store_op *base)
{
	const struct checkpoint_row *row = ((struct store_save_checkpoint *)base)->row;

	return checkpoint_save(&base->error, store, row);
}

void store_save_checkpoint(struct store *store, struct store_save_checkpoint *op)
{
	op->op.sealed = NULL;
	queue_submit(store, &op->op, run_checkpoint);
}

static int run_generation(struct store *store, struct store_op *base)
{
	struct store_save_generation *op = (struct store_save_generation *)base;
	struct stmt stmt;
	int rc;

	stmt_begin(&stmt, &store->conn, &q_generation_find);
	stmt_text(&stmt, op->text);
	rc = stmt_step(&base->error, &stmt);
	if (rc == 1)
		op->generation = (uint64_t)col_i64(&stmt);
	stmt_end(&stmt);
	if (rc)
		return rc < 0 ? rc : 0;
	stmt_begin(&stmt, &store->conn, &q_generation_insert);
	stmt_text(&stmt, op->text);
	rc = stmt_done(&base->error, &stmt);
	op->generation = (uint64_t)sqlite3_last_insert_rowid(store->conn.db);
	return rc;
}

void store_save_generation(struct store *store, struct store_save_generation *op)
{
	op->op.sealed = NULL;
	queue_submit(store, &op->op, run_generation);
}

static int run_breaker(struct store *store, struct store_op *base)
{
	const struct breaker_row *row = ((struct store_save_breaker *)base)->row;
	struct stmt stmt;

	stmt_begin(&stmt, &store->conn, &q_breaker_save);
	stmt_text(&stmt, row->key);
	stmt_text(&stmt, row->state);
	stmt_i64(&stmt, row->until_ms);
	stmt_i64(&stmt, row->failures);
	stmt_i64(&stmt, row->successes);
	return stmt_done(&base->error, &stmt);
}

void store_save_breaker(struct store *store, struct store_save_breaker *op)
{
	op->op.sealed = NULL;
	queue_submit(store, &op->op, run_breaker);
}

int answer_save(struct error *error, struct store *store, const struct answer_row *row,
	const struct sealed_piece *sealed)
{
	struct stmt stmt;

	stmt_begin(&stmt, &store->conn, &q_answer_save);
	stmt_text(&stmt, row->connection);
	stmt_text(&stmt, blind_text(store->keys, store->scratch, row->dedupe));
	stmt_text(&stmt, row->tenant);
	stmt_i64(&stmt, row->outcome);
	stmt_i64(&stmt, row->at_ms);
	stmt_sealed(&stmt, sealed);
	return stmt_done(error, &stmt);
}

static int run_answer(struct store *store, struct store_op *base)
{
	const struct answer_row *row = ((struct store_save_answer *)base)->row;

	return answer_save(&base->error, store, row, sealed_piece(base, 0));
}

void store_save_answer(struct store *store, struct store_save_answer *op)
{
	struct prepare what = {.answer = op->row};
	int rc = prepare_change(store, &op->op, &what);

	queue_submit(store, &op->op, rc ? NULL : run_answer);
}
