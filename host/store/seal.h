/* seal.h - raw bytes and personal data, encrypted row by row, and the keys for it.
 *
 * Each sealed row has a data key of its own, used once (AES-256-GCM, bound to the table and the
 * row's id, so that sealed bytes cannot be moved to another row). The data key lies beside the row
 * in its "lock": wrapped, again with AES-256-GCM, by the keys of the row's owners. Owners are the
 * persons it is about, as far as they are known; of a row about nobody its tenant or, while that is
 * not known, the host. Giving a row to other owners writes a new lock and leaves the bytes alone. A
 * key that is destroyed makes all its rows unreadable; of a row with several owners, each one's.
 *
 * Key store, STATE/keys/ (mode 0700, files 0600, made whole or not at all):
 *	master.key      wraps the tenants' keys; without it nothing can be read
 *	person.key      marks persons, so that their rows can be found; wrapped, too
 *	NUMBER.key      a tenant's key; NUMBER, 16 hex digits, is in each lock
 *	persons.db      the persons' keys, each wrapped by its tenant's: SQLite, since they are many
 * It belongs in no backup that holds the store: whoever has both can read what was forgotten since.
 * Wrapping takes random nonces: good for 2^32 rows per key, a century of a busy office.
 *
 * A person's key is random and made when the first row about them is sealed. It reaches the disk
 * before the row does (keys_flush), and only then costs a sync. Forgotten, it is overwritten, and
 * its number stays behind, here and in the store's table `forgotten`: an older copy of either does
 * not bring it back. Who calls again afterwards is somebody new.
 *
 * Safe from any thread, unless it says otherwise.
 */
#ifndef STORE_SEAL_H
#define STORE_SEAL_H

#include <stdbool.h>

#include "base/crypto.h"
#include "base/error.h"
#include "base/id.h"
#include "base/str.h"

struct arena;
struct keys;

#define SEAL_PERSON (UINT64_C(1) << 63) /* in the number of a person's key, and of no other */
#define SEAL_OWNERS 4 /* of a row that is sealed; one that is handed over may have more */
#define SEAL_OWNERS_MAX 4096
#define SEAL_LOCK(owners) (1 + 2 + 8 * (owners) + CRYPTO_NONCE + CRYPTO_KEY + CRYPTO_TAG)
#define SEAL_CHECK 16
#define KEYS_MARK 16

struct seal_place { /* what sealed bytes are bound to */
	const char *table;
	struct str row; /* its id, or the columns that make it unique */
};

/* create: makes the directory, the master key and the key of marks if there are none; otherwise
 * E_NOTFOUND, or E_CORRUPT if only the latter is missing. */
int keys_open(struct error *error, struct keys **out, const char *state_directory, bool create);
/* May keys of owners be made from now on? As keys_open's create until it is called. */
void keys_allow(struct keys *keys, bool create);
void keys_close(struct keys *keys); /* takes NULL */
/* Tenants that have a key, one after another; *place NULL: the first. The host's own is empty. A
 * key that another process made since is there when its number was asked for. */
#define KEYS_OWNER 208
bool keys_next_owner(struct keys *keys, void **place, char owner[KEYS_OWNER]);
/* Tells one master key from another without telling the key. */
void keys_check(const struct keys *keys, uint8_t out[SEAL_CHECK]);
struct seal_owners { /* by the numbers of their keys */
	uint64_t number[SEAL_OWNERS];
	size_t count;   /* at least 1 */
	size_t persons; /* of them; 0: nobody is known, it is the tenant's */
};

/* The same for the same person (E.164, or an address, of which case does not matter) of the same
 * tenant; without the key nobody can tell whose it is, or try numbers. */
int keys_mark(struct error *error, const struct keys *keys, struct str tenant, struct str person,
	uint8_t out[KEYS_MARK]);

/* ---- Persons ------------------------------------------------------------------------------ */

/* Brings the keys made since to the disk: before a row that needs them is committed. One thread,
 * the store's writer; others go on meanwhile. Costs nothing if there are none. */
int keys_flush(struct error *error, struct keys *keys);

struct keys_gone { /* a tombstone */
	uint64_t number;
	uint8_t mark[KEYS_MARK];
	int64_t at_ms;
};
/* Destroys the key that goes by this mark, for good, if there is one: *gone is its tombstone,
 * number 0: there was none. The writer's thread. E_BUSY: somebody reads the keys without end; it is
 * destroyed, but its bytes may still be in the log of persons.db: call again. */
int keys_forget_person(struct error *error, struct keys *keys, const uint8_t mark[KEYS_MARK],
	int64_t at_ms, struct keys_gone *gone);
/* Likewise one that is known to be forgotten, and may be back out of an older copy. */
int keys_bury(struct error *error, struct keys *keys, const struct keys_gone *gone);
/* After both: the file is searched for other copies of the destroyed keys, a piece with each call,
 * and rewritten if there are any. *more: call again. The writer's thread. */
int keys_search(struct error *error, struct keys *keys, bool *more);
/* Is there a key of this number, be it usable or not? */
int keys_has(struct error *error, struct keys *keys, uint64_t number, bool *there);
/* All tombstones, in the arena. */
int keys_list_gone(struct error *error, struct keys *keys, struct arena *arena,
	struct keys_gone **gone, size_t *count);
/* The number of a person's key; 0: there is none. Makes none. */
int keys_find_person(
	struct error *error, struct keys *keys, const uint8_t mark[KEYS_MARK], uint64_t *number);
/* How often a person was forgotten since it was opened: what was sealed before the last time may
 * lie under a key that is gone. */
unsigned keys_forgets(const struct keys *keys);
/* E_BUSY: one of the lock's keys is gone; nothing may be stored under it. */
int keys_alive(struct error *error, struct keys *keys, struct str lock);

/* ---- Rows --------------------------------------------------------------------------------- */

/* Whose a row is: these persons' (E.164 numbers or addresses; empty ones are left out, the first
 * SEAL_OWNERS count) or, if there are none, the tenant's. Makes keys for those that have none. */
int seal_owners(struct error *error, struct keys *keys, struct str tenant,
	const struct str *persons, size_t count, struct seal_owners *out);
/* Nobody knows whose the row is, and it may be somebody's: it gets a key of its own. */
int seal_owner_alone(struct error *error, struct keys *keys, struct str tenant,
	struct seal_place place, uint64_t *number);
/* The mark by which that key goes. */
int seal_mark_alone(struct error *error, struct keys *keys, struct str tenant,
	struct seal_place place, uint8_t out[KEYS_MARK]);

/* Bytes that seal_close writes for such parts. */
size_t seal_size(const struct str *parts, size_t count);
/* lock has room for SEAL_LOCK(owners->count). */
int seal_close(struct error *error, struct keys *keys, const struct seal_owners *owners,
	struct seal_place place, const struct str *parts, size_t count, uint8_t *lock,
	uint8_t *sealed);
/* Parts are in the arena. E_CORRUPT: no such key, or the bytes are not what was sealed there. */
int seal_open(struct error *error, struct keys *keys, struct seal_place place, struct str lock,
	struct str sealed, struct arena *arena, struct str *parts, size_t count);
/* With both in one piece. */
int box_open(struct error *error, struct keys *keys, struct seal_place place, struct str box,
	struct arena *arena, struct str *parts, size_t count);
/* A lock for other owners, all of them; out has room for SEAL_LOCK(count). */
int seal_hand_over(struct error *error, struct keys *keys, const uint64_t *numbers, size_t count,
	struct str lock, uint8_t *out);
/* How many owners a lock names, and which one. 0: it is damaged. */
size_t seal_count_owners(struct str lock);
uint64_t seal_owner_at(struct str lock, size_t index);

#endif
