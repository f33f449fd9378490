/* gone.c - marks of events that are deleted: a repeat of one is known by it, and nothing else is.
 * The writer's thread. */
#include "store/engine.h"

#include "base/clock.h"
#include "base/crypto.h"

#define MARK 16

static void mark_of(struct str connection, struct str dedupe, uint8_t mark[CRYPTO_HASH_MAX])
{
	const struct str pieces[] = {connection, {"", 1}, dedupe};

	crypto_hash("sha256", pieces, 3, mark);
}

int gone_add(struct error *error, struct store *store, struct str connection, struct str dedupe)
{
	static const struct query q = {Q_GONE_ADD,
		"INSERT INTO gone (mark, gone_ms) VALUES (?1, ?2) "
		"ON CONFLICT (mark) DO NOTHING"};
	uint8_t mark[CRYPTO_HASH_MAX];
	struct stmt stmt;

	mark_of(connection, dedupe, mark);
	stmt_begin(&stmt, &store->conn, &q);
	stmt_blob(&stmt, mark, MARK);
	stmt_i64(&stmt, clock_now_ms());
	store->has_gone = true;
	return stmt_done(error, &stmt);
}

int gone_find(struct error *error, struct store *store, const struct event_row *event, bool *gone)
{
	static const struct query q = {Q_GONE_FIND, "SELECT 1 FROM gone WHERE mark = ?1"};
	uint8_t mark[CRYPTO_HASH_MAX];
	struct stmt stmt;
	int rc;

	*gone = false;
	if (!store->has_gone || !event->dedupe.len)
		return 0;
	mark_of(event->connection, event->dedupe, mark);
	stmt_begin(&stmt, &store->conn, &q);
	stmt_blob(&stmt, mark, MARK);
	rc = stmt_step(error, &stmt);
	stmt_end(&stmt);
	*gone = rc == 1;
	return rc < 0 ? rc : 0;
}

int gone_begin(struct error *error, struct store *store)
{
	struct stmt stmt;
	int rc;

	stmt_begin_sql(&stmt, &store->conn, "SELECT 1 FROM gone LIMIT 1");
	rc = stmt_step(error, &stmt);
	stmt_end(&stmt);
	store->has_gone = rc == 1;
	return rc < 0 ? rc : 0;
}
