/* seal.c - data keys, locks and sealed bytes. Never keeps a data key. Any thread: rows are sealed
 * where they are submitted, so that the writer does not wait for it. */
#include "store/seal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "store/keys.h"

/* Lock: version, number of the wrapping key, nonce, wrapped data key with tag.
 * Sealed: GCM over the parts, each behind its length (4 bytes, little endian), a NUL after it. */
#define VERSION 1
#define AT_NUMBER 1
#define AT_NONCE 9
#define AT_WRAPPED (AT_NONCE + CRYPTO_NONCE)
#define PLACE_MAX 512
#define FRAME (4 + 1)

static struct str bytes(const void *ptr, size_t len)
{
	return (struct str){ptr, len};
}

/* A data key is used once, so its nonce needs no chance. */
static const uint8_t once[CRYPTO_NONCE];

static void put_u32(uint8_t *at, size_t n)
{
	int i;

	for (i = 0; i < 4; i++)
		at[i] = (uint8_t)(n >> (8 * i));
}

static size_t get_u32(const uint8_t *at)
{
	return (size_t)at[0] | (size_t)at[1] << 8 | (size_t)at[2] << 16 | (size_t)at[3] << 24;
}

/* Longer names of a row are cut to their hash: still one place, one text. */
static struct str place_text(struct seal_place place, char out[PLACE_MAX])
{
	size_t head = (size_t)snprintf(out, 32, "%s:", place.table);

	if (place.row.len <= PLACE_MAX - head) {
		memcpy(out + head, place.row.ptr, place.row.len);
		return bytes(out, head + place.row.len);
	}
	head += crypto_hash("sha256", &place.row, 1, (uint8_t *)out + head);
	return bytes(out, head);
}

/* ---- locks -------------------------------------------------------------------------------- */

static int wrap(struct error *error, struct keys *keys, struct str owner,
	const uint8_t data_key[CRYPTO_KEY], const uint8_t nonce[CRYPTO_NONCE],
	uint8_t lock[SEAL_LOCK])
{
	struct key key;
	bool ok;
	int rc, i;

	rc = keys_of_owner(error, keys, owner, &key);
	if (rc)
		return rc;
	lock[0] = VERSION;
	for (i = 0; i < 8; i++)
		lock[AT_NUMBER + i] = (uint8_t)(key.number >> (56 - 8 * i));
	memcpy(lock + AT_NONCE, nonce, CRYPTO_NONCE);
	ok = crypto_seal(key.bytes, lock + AT_NONCE, bytes(lock, AT_NONCE),
		bytes(data_key, CRYPTO_KEY), lock + AT_WRAPPED);
	crypto_wipe(&key, sizeof(key));
	return ok ? 0 : error_set(error, E_NOMEM, "no memory to wrap a data key");
}

static int find_key(struct error *error, struct keys *keys, const uint8_t *lock, struct key *key)
{
	uint64_t number = 0;
	int rc, i;

	for (i = 0; i < 8; i++)
		number = number << 8 | lock[AT_NUMBER + i];
	rc = keys_by_number(error, keys, number, key);
	if (rc == E_NOTFOUND)
		return error_set(error, E_CORRUPT,
			"these bytes were sealed under key %016llx, which is not in the key store: "
			"it was "
			"destroyed on purpose, or the keys directory of this store must be put "
			"back",
			(unsigned long long)number);
	return rc;
}

static int unwrap(
	struct error *error, struct keys *keys, struct str lock, uint8_t data_key[CRYPTO_KEY])
{
	const uint8_t *at = (const uint8_t *)lock.ptr;
	struct key key;
	bool ok;
	int rc;

	if (lock.len != SEAL_LOCK || at[0] != VERSION)
		return error_set(error, E_CORRUPT, "a row's lock is damaged: restore a backup");
	rc = find_key(error, keys, at, &key);
	if (rc)
		return rc;
	ok = crypto_unseal(key.bytes, at + AT_NONCE, bytes(at, AT_NONCE),
		bytes(at + AT_WRAPPED, CRYPTO_KEY + CRYPTO_TAG), data_key);
	crypto_wipe(&key, sizeof(key));
	if (!ok)
		return error_set(error, E_CORRUPT,
			"a row's data key cannot be unwrapped: the row was changed, or its key "
			"file is "
			"another store's");
	return 0;
}

int seal_hand_over(struct error *error, struct keys *keys, struct str owner, struct str lock,
	uint8_t out[SEAL_LOCK])
{
	uint8_t data_key[CRYPTO_KEY], nonce[CRYPTO_NONCE];
	int rc;

	crypto_random(nonce, sizeof(nonce));
	rc = unwrap(error, keys, lock, data_key);
	if (!rc)
		rc = wrap(error, keys, owner, data_key, nonce, out);
	crypto_wipe(data_key, sizeof(data_key));
	return rc;
}

/* ---- rows --------------------------------------------------------------------------------- */

size_t seal_size(const struct str *parts, size_t count)
{
	size_t size = CRYPTO_TAG, i;

	for (i = 0; i < count; i++)
		size += FRAME + parts[i].len;
	return size;
}

static uint8_t *join(const struct str *parts, size_t count, size_t size)
{
	uint8_t *plain = malloc(size), *at = plain;
	size_t i;

	for (i = 0; i < count && plain; i++) {
		put_u32(at, parts[i].len);
		if (parts[i].len)
			memcpy(at + 4, parts[i].ptr, parts[i].len);
		at[4 + parts[i].len] = '\0';
		at += FRAME + parts[i].len;
	}
	return plain;
}

int seal_close(struct error *error, struct keys *keys, struct str owner, struct seal_place place,
	const struct str *parts, size_t count, uint8_t lock[SEAL_LOCK], uint8_t *sealed)
{
	size_t size = seal_size(parts, count) - CRYPTO_TAG;
	struct {
		uint8_t key[CRYPTO_KEY], nonce[CRYPTO_NONCE];
	} fresh; /* one call of the kernel for both */
	char text[PLACE_MAX];
	uint8_t *plain;
	int rc;

	if (size >= INT32_MAX)
		return error_set(error, E_INVALID, "more than 2 GB cannot be sealed");
	plain = join(parts, count, size ? size : 1);
	crypto_random(&fresh, sizeof(fresh));
	if (!plain ||
		!crypto_seal(fresh.key, once, place_text(place, text), bytes(plain, size), sealed))
		rc = error_set(error, E_NOMEM, "no memory to seal a row");
	else
		rc = wrap(error, keys, owner, fresh.key, fresh.nonce, lock);
	crypto_wipe(&fresh, sizeof(fresh));
	free(plain);
	return rc;
}

static bool split(const uint8_t *plain, size_t size, struct str *parts, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		size_t len = size < FRAME ? size : get_u32(plain);
		if (size < FRAME || len > size - FRAME)
			return false;
		parts[i] = bytes(plain + 4, len);
		plain += FRAME + len;
		size -= FRAME + len;
	}
	return size == 0;
}

int seal_open(struct error *error, struct keys *keys, struct seal_place place, struct str lock,
	struct str sealed, struct arena *arena, struct str *parts, size_t count)
{
	uint8_t data_key[CRYPTO_KEY], *plain;
	char text[PLACE_MAX];
	bool ok;
	int rc;

	rc = unwrap(error, keys, lock, data_key);
	if (rc)
		return rc;
	plain = arena_take(arena, sealed.len ? sealed.len : 1);
	ok = plain && crypto_unseal(data_key, once, place_text(place, text), sealed, plain);
	crypto_wipe(data_key, sizeof(data_key));
	if (!plain)
		return error_set(error, E_NOMEM, "no memory to open a sealed row");
	if (!ok || !split(plain, sealed.len - CRYPTO_TAG, parts, count))
		return error_set(error, E_CORRUPT,
			"the sealed bytes of a row were changed or moved since they were stored: "
			"restore a "
			"backup");
	return 0;
}
