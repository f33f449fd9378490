/* migrate.h - brings the database's schema up to this build's, and proves that it is. */
#ifndef STORE_MIGRATE_H
#define STORE_MIGRATE_H

#include <sqlite3.h>

#include "base/error.h"

struct migration { /* from schema/NNNN_name.sql, numbered from 1 */
	unsigned number;
	const char *name, *sql;
};
extern const struct migration store_migrations[];
extern const unsigned store_migration_count;

/* Applies what is missing, all of it in one transaction. E_CORRUPT: not a store of ours.
 * E_CONFLICT: made by a newer build. */
int migrate_apply(struct error *error, sqlite3 *db);

/* Only by its number, for connections beside a running host. E_CONFLICT: another build's. */
int migrate_check(struct error *error, sqlite3 *db);

/* Compares each table, index, view and trigger with a fresh database made of the same migrations.
 * E_CORRUPT names the first that is missing, differs or should not be there. */
int migrate_verify(struct error *error, sqlite3 *db);

#endif
