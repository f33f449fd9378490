/* migrate.h - brings the database's schema up to this build's, and proves that it is. */
#ifndef STORE_MIGRATE_H
#define STORE_MIGRATE_H

#include <sqlite3.h>

#include "base/error.h"
#include "store/care.h"

struct migration { /* from schema/NNNN_name.sql, numbered from 1 */
	unsigned number;
	const char *name, *sql;
};
extern const struct migration store_migrations[];
extern const unsigned store_migration_count;

struct migrations { /* those of a build; tests bring their own */
	const struct migration *list;
	unsigned count;
};
struct migrations migrations_released(void);

/* The schema's number. E_CORRUPT: not a store of ours. E_CONFLICT: made by a newer build. */
int migrate_origin(struct error *error, sqlite3 *db, struct migrations all, long *version);

struct migrated {
	long from, to;
	char snapshot[CARE_PATH]; /* empty: a new store, or nothing to do */
};
/* Applies what is missing, each migration in a transaction of its own, after a snapshot into the
 * directory, and compares what came out. If any of it fails, the snapshot is put back, and the
 * error says so. Nobody else may have the database open. */
int migrate_up(struct error *error, sqlite3 *db, struct migrations all, const char *directory,
	struct migrated *out);

/* Only by its number, for connections beside a running host. E_CONFLICT: another build's. */
int migrate_check(struct error *error, sqlite3 *db);

/* Compares each table, index, view and trigger with a fresh database made of the same migrations.
 * E_CORRUPT names the first that is missing, differs or should not be there. */
int migrate_verify(struct error *error, sqlite3 *db);
/* The same with the first `version` of them. */
int migrate_verify_at(struct error *error, sqlite3 *db, struct migrations all, long version);

/* What the migrations behind `from` would change; see care_migrate_plan. */
int migrate_plan(
	struct error *error, struct migrations all, long from, care_planned *tell, void *user);

/* A new database as the first `version` migrations make it. */
int migrate_fresh(struct error *error, sqlite3 *db, struct migrations all, long version);

#endif
