/* seal.h - raw bytes and personal data, encrypted row by row, and the keys for it.
 *
 * Each sealed row has a data key of its own, used once (AES-256-GCM, bound to the table and the
 * row's id, so that sealed bytes cannot be moved to another row). The data key lies beside the row
 * in its "lock": wrapped, again with AES-256-GCM, by the key of the row's owner, a tenant or, while
 * the tenant is not known, the host. Giving a row to another owner writes a new lock and leaves the
 * bytes alone. An owner's key that is destroyed makes all its rows unreadable.
 *
 * Key store, STATE/keys/ (mode 0700, files 0600, made whole or not at all):
 *	master.key      wraps the owners' keys; without it nothing can be read
 *	person.key      marks persons, so that their rows can be found; wrapped, too
 *	NUMBER.key      one owner's key; NUMBER, 16 hex digits, is in each lock
 * It belongs in no backup that holds the store. Wrapping takes random nonces: good for 2^32 rows
 *per key, a century of a busy office.
 *
 * Safe from any thread.
 */
#ifndef STORE_SEAL_H
#define STORE_SEAL_H

#include "base/crypto.h"
#include "base/error.h"
#include "base/id.h"
#include "base/str.h"

struct arena;
struct keys;

#define SEAL_LOCK (1 + 8 + CRYPTO_NONCE + CRYPTO_KEY + CRYPTO_TAG)
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
/* Tells one master key from another without telling the key. */
void keys_check(const struct keys *keys, uint8_t out[SEAL_CHECK]);
/* The same for the same person (E.164, or an address, of which case does not matter) of the same
 * tenant; without the key nobody can tell whose it is, or try numbers. */
int keys_mark(struct error *error, const struct keys *keys, struct str tenant, struct str person,
	uint8_t out[KEYS_MARK]);
/* Destroys an owner's key: nothing of it can ever be read again. E_NOTFOUND: it has none. */
int keys_forget(struct error *error, struct keys *keys, struct str owner);

/* Bytes that seal_close writes for such parts. */
size_t seal_size(const struct str *parts, size_t count);
/* Makes the owner's key if it has none. */
int seal_close(struct error *error, struct keys *keys, struct str owner, struct seal_place place,
	const struct str *parts, size_t count, uint8_t lock[SEAL_LOCK], uint8_t *sealed);
/* Parts are in the arena. E_CORRUPT: no such key, or the bytes are not what was sealed there. */
int seal_open(struct error *error, struct keys *keys, struct seal_place place, struct str lock,
	struct str sealed, struct arena *arena, struct str *parts, size_t count);
/* A lock for another owner. */
int seal_hand_over(struct error *error, struct keys *keys, struct str owner, struct str lock,
	uint8_t out[SEAL_LOCK]);

#endif
