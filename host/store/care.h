/* care.h - looking after a store: copies, the way back, the schema's next number, damage.
 *
 * None of it is needed to run; store.h opens and uses a store without. Paths are names of files and
 * directories as the operator gave them. Everything here that writes does it beside the place
 * first, brings it to the disk, and gives it its name last; nothing that exists is written over.
 * Errors say what to do. Any thread, one call at a time per state directory.
 *
 * What care leaves in STATE:
 *	backup.note, integrity.note, damage.note   when, and one sentence (care_note)
 *	before-schema-NNNN-TIME.db                 the store before a migration
 *	before-restore-TIME/                       what was there before a restore
 *	restore.unfinished                         a restore that was interrupted: no host starts
 *	damaged-log-TIME.wal                       a log of SQLite's that could not be used to its end
 */
#ifndef STORE_CARE_H
#define STORE_CARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct arena;

#define CARE_PATH 4400
#define CARE_DAMAGED_LOG "damaged-log-"

/* ---- Notes: small files that every process may read --------------------------------------- */

enum care_note { CARE_BACKUP, CARE_INTEGRITY, CARE_DAMAGE, CARE_NOTES };
struct care_noted {
	int64_t at_ms;
	char text[400];
};
int care_note_write(struct error *error, const char *state, enum care_note note, int64_t at_ms,
	const char *text);
bool care_note_read(const char *state, enum care_note note, struct care_noted *out);
void care_note_clear(const char *state, enum care_note note);

/* The first time it notes it and says so in the log, later it does nothing: from whichever
 * connection found that the file is not what it must be. */
void care_damaged(const char *state, const char *what);

/* ---- Checking ----------------------------------------------------------------------------- */

struct care_check {
	bool quick;     /* without comparing indexes with their tables */
	int64_t for_ms; /* at most that long; 0: to the end */
	bool foreign;   /* also each reference from one table to another */
};
struct care_checked {
	bool finished;   /* false: the time was up, and nothing was found so far */
	unsigned faults; /* at most 100 are counted */
	char first[300]; /* the first of them */
};
/* Reads the file through a connection of its own, beside a running host too, table by table so that
 * the log can be emptied in between. 0 with faults 0: nothing was found. E_CORRUPT: there are
 * faults, and first says which. */
int care_verify(struct error *error, const char *file, const struct care_check *check,
	struct care_checked *out);
/* The schema of the state's store, object by object, its references and its pages. E_CONFLICT:
 * migrations are missing, or it is newer than this build. */
int care_verify_schema(struct error *error, const char *state, long *version);

/* ---- Copies ------------------------------------------------------------------------------- */

struct care_copied {
	char path[CARE_PATH];
	int64_t bytes, rows;
	unsigned tables;
	long schema;
};
/* One moment of the store as one file, checked and with as many rows in each table as the store had
 * at that moment. The writer goes on meanwhile. to: a file that does not exist, or a directory, in
 * which the file gets a name with the time. E_CONFLICT: it exists. E_CORRUPT: the store itself is
 * damaged. */
int care_backup(struct error *error, const char *state, const char *to, struct care_copied *out);

struct care_keys_copied {
	char path[CARE_PATH]; /* directory/keys */
	unsigned files;
	bool replaced; /* an older copy of the same keys */
};
/* The key store into directory/keys. Opened and compared with the store before it gets its name. An
 * older copy of the same key store is replaced by it, since it may hold what was destroyed;
 * E_CONFLICT: what is there is another's. */
int care_backup_keys(struct error *error, const char *state, const char *directory,
	struct care_keys_copied *out);

struct care_restored {
	char aside[CARE_PATH]; /* where the present state lies now; empty: there was none */
	int64_t rows;
	long schema; /* older than this build's: the next start migrates it */
	unsigned sealed_tried, sealed_read; /* of the newest sealed rows */
	unsigned keys_added;                /* files that only the given keys had */
	bool keys_replaced; /* those that were there were another store's, and lie aside */
};
/* Takes the lock (E_BUSY: a host runs). keys: a directory that care_backup_keys made, or NULL for
 * the key store that is there. E_CORRUPT: the file is damaged, not ours, or sealed under other
 * keys. E_CONFLICT: it is of a newer build. On every error the state is as it was. */
int care_restore(struct error *error, const char *state, const char *file, const char *keys,
	struct care_restored *out);

/* ---- Migrations --------------------------------------------------------------------------- */

struct care_migration {
	unsigned number;
	const char *name;
};
/* What would be done, in order: change is "creates table x"; once for each, and once per migration
 * with change NULL, before its changes. */
typedef void care_planned(void *user, const struct care_migration *migration, const char *change);
/* Beside a running host. *from, *to: the numbers. */
int care_migrate_plan(struct error *error, const char *state, long *from, long *to,
	care_planned *tell, void *user);
/* Takes the lock. snapshot: where the store from before is; empty if there was nothing to do. On an
 * error it has been put back. */
int care_migrate_apply(
	struct error *error, const char *state, long *from, long *to, char snapshot[CARE_PATH]);

/* ---- Damage ------------------------------------------------------------------------------- */

struct care_saved { /* of one table */
	const char *table;
	int64_t read;
	int64_t missing;  /* rows that an index still names; -1: nothing is left to tell by */
	int64_t unusable; /* read, but not a row of this table any more */
	int64_t cut;      /* references to what is missing that were cut */
	int64_t left_out; /* that mean nothing without what is missing */
	char where[160];  /* ranges of numbers that could not be read: "101-160, 204" */
};
struct care_salvaged {
	struct care_saved *tables; /* in the arena */
	size_t count;
	int64_t read, missing, left_out;
	bool whole; /* nothing is missing, cut or left out */
};
/* Reads what can be read into a new file, which care_restore takes. Takes the lock. Never writes to
 * the store. */
int care_salvage(struct error *error, const char *state, const char *to, struct arena *arena,
	struct care_salvaged *out);

/* ---- By schedule -------------------------------------------------------------------------- */

struct care_watch;
/* A thread of lowest priority that checks the store every every_ms (0: never) and writes
 * integrity.note; a fault becomes damage.note and a line in the log, and its end clears it. Who reads
 * a table holds the write-ahead log back: a check is put off for ten minutes if the log has grown by
 * log_growth bytes meanwhile (0: 256 MiB). */
struct care_watch *care_watch_start(
	struct error *error, const char *state, int64_t every_ms, int64_t log_growth);
void care_watch_stop(struct care_watch *watch); /* takes NULL; does not wait for the check's end */

#endif
