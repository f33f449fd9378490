/* catalogue.c - the office's services and branches, as the INI and persons say. Never mixes a row
 * of both: of one name a person's row counts, whole. Saving is the writer's thread, reading the
 * reader's. */
#include "store/reader.h"

#include <string.h>

/* ---- saving ------------------------------------------------------------------------------- */

/* Rare, so nothing of it is kept prepared. */

static int empty(struct error *error, struct store *store, enum catalogue_origin origin)
{
	static const char *const deletes[] = {
		"DELETE FROM master_service WHERE origin = ?1",
		"DELETE FROM branch WHERE origin = ?1",
		"DELETE FROM branch_service_override WHERE origin = ?1",
	};
	struct stmt stmt;
	size_t i;
	int rc = 0;

	for (i = 0; i < sizeof(deletes) / sizeof(*deletes) && !rc; i++) {
		stmt_begin_sql(&stmt, &store->conn, deletes[i]);
		stmt_i64(&stmt, origin);
		rc = stmt_done(error, &stmt);
	}
	return rc;
}

/* An empty text is an empty list. */
static void stmt_list(struct stmt *stmt, struct str list)
{
	stmt_text(stmt, list.len ? list : STR("[]"));
}

static void begin_insert(struct stmt *stmt, struct store *store, enum catalogue_origin origin,
	const char *ini, const char *person)
{
	stmt_begin_sql(stmt, &store->conn, origin == CATALOGUE_PERSON ? person : ini);
}

#define SERVICE                                                                                    \
	"INTO master_service (tenant, name, origin, title, aliases, connection, event_type, "      \
	"staff, length_min, capacity, position, price_minor, currency, active) "                   \
	"VALUES (?, ?, ?, ?, json(?), ?, ?, json(?), ?, ?, ?, ?, ?, ?)"

static int save_service(struct error *error, struct store *store, enum catalogue_origin origin,
	const struct service_row *row)
{
	struct stmt stmt;

	begin_insert(&stmt, store, origin, "INSERT " SERVICE, "INSERT OR REPLACE " SERVICE);
	stmt_text(&stmt, row->tenant);
	stmt_text(&stmt, row->name);
	stmt_i64(&stmt, origin);
	stmt_text(&stmt, row->title);
	stmt_list(&stmt, row->aliases);
	stmt_text(&stmt, row->connection);
	stmt_text(&stmt, row->event_type);
	stmt_list(&stmt, row->staff);
	stmt_i64(&stmt, row->length_min);
	stmt_i64(&stmt, row->capacity);
	stmt_i64(&stmt, row->position);
	stmt_i64(&stmt, row->price_minor);
	stmt_text(&stmt, row->currency);
	stmt_i64(&stmt, row->active);
	return stmt_done(error, &stmt);
}

#define BRANCH                                                                                     \
	"INTO branch (tenant, name, origin, title, address, numbers, agent, agent_version, "       \
	"state, position) VALUES (?, ?, ?, ?, ?, json(?), ?, ?, ?, ?)"

static int save_branch(struct error *error, struct store *store, enum catalogue_origin origin,
	const struct branch_row *row)
{
	struct stmt stmt;

	begin_insert(&stmt, store, origin, "INSERT " BRANCH, "INSERT OR REPLACE " BRANCH);
	stmt_text(&stmt, row->tenant);
	stmt_text(&stmt, row->name);
	stmt_i64(&stmt, origin);
	stmt_text(&stmt, row->title);
	stmt_text(&stmt, row->address);
	stmt_list(&stmt, row->numbers);
	stmt_text(&stmt, row->agent);
	stmt_i64(&stmt, row->agent_version);
	stmt_text(&stmt, row->state);
	stmt_i64(&stmt, row->position);
	return stmt_done(error, &stmt);
}

#define OVERRIDE                                                                                   \
	"INTO branch_service_override (tenant, branch, service, origin, active, length_min, "      \
	"price_minor, event_type) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"

static int save_override(struct error *error, struct store *store, enum catalogue_origin origin,
	const struct override_row *row)
{
	struct stmt stmt;

	begin_insert(&stmt, store, origin, "INSERT " OVERRIDE, "INSERT OR REPLACE " OVERRIDE);
	stmt_text(&stmt, row->tenant);
	stmt_text(&stmt, row->branch);
	stmt_text(&stmt, row->service);
	stmt_i64(&stmt, origin);
	stmt_i64(&stmt, row->active);
	stmt_i64(&stmt, row->length_min);
	stmt_i64(&stmt, row->price_minor);
	stmt_text(&stmt, row->event_type);
	return stmt_done(error, &stmt);
}

static int save_rows(struct error *error, struct store *store, enum catalogue_origin origin,
	const struct catalogue *catalogue)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < catalogue->service_count && !rc; i++)
		rc = save_service(error, store, origin, &catalogue->services[i]);
	for (i = 0; i < catalogue->branch_count && !rc; i++)
		rc = save_branch(error, store, origin, &catalogue->branches[i]);
	for (i = 0; i < catalogue->override_count && !rc; i++)
		rc = save_override(error, store, origin, &catalogue->overrides[i]);
	return rc;
}

/* ---- one number, one branch --------------------------------------------------------------- */

/* Of each name the row of the highest origin: a person's goes before INI's. */
#define COUNTS(table, key)                                                                         \
	table ".origin = (SELECT max(o.origin) FROM " table " AS o WHERE o.tenant = " table        \
	      ".tenant AND " key ")"
#define BRANCH_COUNTS COUNTS("branch", "o.name = branch.name")

/* Who has it is the operator's to know, not another tenant's. */
static int twice(struct error *error, struct store *store)
{
	struct stmt stmt;
	struct str number;
	int rc;

	stmt_begin_sql(&stmt, &store->conn,
		"SELECT value FROM branch, json_each(branch.numbers) WHERE " BRANCH_COUNTS
		" GROUP BY value HAVING count(DISTINCT branch.tenant || '/' || branch.name) > 1 "
		"LIMIT 1");
	rc = stmt_step(error, &stmt);
	number = rc == 1 ? col_str(&stmt) : STR("");
	if (rc >= 0)
		rc = error_set(error, E_CONFLICT,
			"the number %.*s belongs to another branch already: a number is dialled to "
			"reach one branch only",
			STR_ARG(number));
	stmt_end(&stmt);
	return rc;
}

static int save_numbers(struct error *error, struct store *store)
{
	struct stmt stmt;
	int rc;

	rc = conn_exec(error, &store->conn, "DELETE FROM phone_number");
	if (rc)
		return rc;
	stmt_begin_sql(&stmt, &store->conn,
		"INSERT INTO phone_number (number, tenant, branch) "
		"SELECT DISTINCT value, branch.tenant, branch.name FROM branch, "
		"json_each(branch.numbers) "
		"WHERE " BRANCH_COUNTS);
	rc = stmt_done(error, &stmt);
	return rc == E_CONFLICT ? twice(error, store) : rc;
}

static int run_save(struct store *store, struct store_op *base)
{
	struct store_save_catalogue *op = (struct store_save_catalogue *)base;
	struct error *error = &base->error;
	int rc = 0;

	if (op->origin == CATALOGUE_INI)
		rc = empty(error, store, op->origin);
	if (!rc)
		rc = save_rows(error, store, op->origin, op->catalogue);
	return rc ? rc : save_numbers(error, store);
}

void store_save_catalogue(struct store *store, struct store_save_catalogue *op)
{
	op->op.sealed = NULL;
	queue_submit(store, &op->op, run_save);
}

/* ---- reading ------------------------------------------------------------------------------ */

static int one_service(struct error *error, struct store_reader *reader, struct stmt *stmt,
	struct arena *arena, void *to)
{
	struct service_row *row = to;

	(void)error;
	(void)reader;
	row->tenant = col_text(stmt, arena);
	row->name = col_text(stmt, arena);
	row->origin = (enum catalogue_origin)col_i64(stmt);
	row->title = col_text(stmt, arena);
	row->aliases = col_text(stmt, arena);
	row->connection = col_text(stmt, arena);
	row->event_type = col_text(stmt, arena);
	row->staff = col_text(stmt, arena);
	row->length_min = (uint32_t)col_i64(stmt);
	row->capacity = (uint32_t)col_i64(stmt);
	row->position = (uint32_t)col_i64(stmt);
	row->price_minor = col_i64(stmt);
	row->currency = col_text(stmt, arena);
	row->active = col_i64(stmt) != 0;
	return 0;
}

static int one_branch(struct error *error, struct store_reader *reader, struct stmt *stmt,
	struct arena *arena, void *to)
{
	struct branch_row *row = to;

	(void)error;
	(void)reader;
	row->tenant = col_text(stmt, arena);
	row->name = col_text(stmt, arena);
	row->origin = (enum catalogue_origin)col_i64(stmt);
	row->title = col_text(stmt, arena);
	row->address = col_text(stmt, arena);
	row->numbers = col_text(stmt, arena);
	row->agent = col_text(stmt, arena);
	row->agent_version = (int32_t)col_i64(stmt);
	row->state = col_text(stmt, arena);
	row->position = (uint32_t)col_i64(stmt);
	return 0;
}

static int one_override(struct error *error, struct store_reader *reader, struct stmt *stmt,
	struct arena *arena, void *to)
{
	struct override_row *row = to;

	(void)error;
	(void)reader;
	row->tenant = col_text(stmt, arena);
	row->branch = col_text(stmt, arena);
	row->service = col_text(stmt, arena);
	row->origin = (enum catalogue_origin)col_i64(stmt);
	row->active = (int32_t)col_i64(stmt);
	row->length_min = (int32_t)col_i64(stmt);
	row->price_minor = col_i64(stmt);
	row->event_type = col_text(stmt, arena);
	return 0;
}

/* ?1: the tenant, in the second of both. */
struct both {
	const char *all, *mine;
};
#define BOTH(columns, table, key, order)                                                           \
	{                                                                                          \
		"SELECT " columns " FROM " table " WHERE " COUNTS(table, key) " ORDER BY " order,  \
			"SELECT " columns " FROM " table " WHERE " table                           \
			".tenant = ?1 AND " COUNTS(table, key) " ORDER BY " order                  \
	}
static const struct both services = BOTH("tenant, name, origin, title, aliases, connection, "
					 "event_type, staff, length_min, capacity, position, "
					 "price_minor, currency, active",
	"master_service", "o.name = master_service.name",
	"master_service.tenant, master_service.position, master_service.name");
static const struct both branches =
	BOTH("tenant, name, origin, title, address, numbers, agent, agent_version, state, position",
		"branch", "o.name = branch.name", "branch.tenant, branch.position, branch.name");
static const struct both overrides = BOTH("tenant, branch, service, origin, active, length_min, "
					  "price_minor, event_type",
	"branch_service_override",
	"o.branch = branch_service_override.branch AND o.service = branch_service_override.service",
	"branch_service_override.tenant, branch_service_override.branch, "
	"branch_service_override.service");

static int read_table(struct error *error, struct store_reader *reader, struct str tenant,
	const struct both *sql, const struct row_kind *kind, struct arena *arena, void **rows,
	size_t *count)
{
	struct stmt stmt;

	stmt_begin_sql(&stmt, &reader->conn, tenant.len ? sql->mine : sql->all);
	if (tenant.len)
		stmt_text(&stmt, tenant);
	return rows_collect(error, reader, &stmt, kind, arena, rows, count);
}

static int read_tables(struct error *error, struct store_reader *reader, struct str tenant,
	struct arena *arena, struct catalogue *out)
{
	static const struct row_kind service = {sizeof(struct service_row), one_service};
	static const struct row_kind branch = {sizeof(struct branch_row), one_branch};
	static const struct row_kind override = {sizeof(struct override_row), one_override};
	void *rows;
	int rc;

	rc = read_table(
		error, reader, tenant, &services, &service, arena, &rows, &out->service_count);
	out->services = rows;
	if (rc)
		return rc;
	rc = read_table(
		error, reader, tenant, &branches, &branch, arena, &rows, &out->branch_count);
	out->branches = rows;
	if (rc)
		return rc;
	rc = read_table(
		error, reader, tenant, &overrides, &override, arena, &rows, &out->override_count);
	out->overrides = rows;
	return rc;
}

int store_get_catalogue(struct error *error, struct store_reader *reader, struct str tenant,
	struct arena *arena, struct catalogue *catalogue)
{
	int rc;

	memset(catalogue, 0, sizeof(*catalogue));
	rc = conn_exec(error, &reader->conn, "BEGIN"); /* one moment for all of it */
	if (rc)
		return rc;
	rc = read_tables(error, reader, tenant, arena, catalogue);
	conn_exec(NULL, &reader->conn, "COMMIT");
	return rc;
}
