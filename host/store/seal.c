/* seal.c - data keys, locks and sealed bytes. Never keeps a data key. Any thread: rows are sealed
 * where they are submitted, so that the writer does not wait for it. */
#include "store/seal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "store/keys.h"

/* Lock: version, number of owners (2 bytes), the numbers of their keys, nonce, wrapped data key
 * with tag. It is wrapped by the one owner's key or, of several, by the hash of all their keys in
 * the order of their numbers: without any one of them it cannot be made. Sealed: GCM over the
 * parts, each behind its length (4 bytes, little endian), a NUL after it. */
#define VERSION 2
#define AT_NUMBERS 3
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

/* ---- owners ------------------------------------------------------------------------------- */

static int lost(struct error *error, uint64_t number)
{
	if (number & SEAL_PERSON)
		return error_set(error, E_CORRUPT,
			"this was sealed under a person's key, %016llx, that is not in the key "
			"store: the person was forgotten, or the keys directory of this store must "
			"be put back",
			(unsigned long long)number);
	return error_set(error, E_CORRUPT,
		"these bytes were sealed under key %016llx, which is not in the key store: it was "
		"destroyed on purpose, or the keys directory of this store must be put back",
		(unsigned long long)number);
}

static int find_key(struct error *error, struct keys *keys, uint64_t number, struct key *key)
{
	int rc = keys_by_number(error, keys, number, key);

	return rc == E_NOTFOUND ? lost(error, number) : rc;
}

static int by_number(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Of sorted numbers; each key is hashed into what came before, so that hundreds need no memory. */
static int wrapping_key(struct error *error, struct keys *keys, const uint64_t *numbers,
	size_t count, uint8_t out[CRYPTO_KEY])
{
	uint8_t hash[CRYPTO_HASH_MAX] = {0};
	struct key key;
	size_t i;
	int rc;

	rc = find_key(error, keys, numbers[0], &key);
	memcpy(out, key.bytes, CRYPTO_KEY);
	for (i = 1; i < count && !rc; i++) {
		rc = find_key(error, keys, numbers[i], &key);
		if (!rc && crypto_hash("sha256",
				   (const struct str[]){
					   bytes(out, CRYPTO_KEY), bytes(key.bytes, CRYPTO_KEY)},
				   2, hash) < CRYPTO_KEY)
			rc = error_set(error, E_NOMEM, "no memory to wrap a data key");
		memcpy(out, hash, CRYPTO_KEY);
	}
	crypto_wipe(&key, sizeof(key));
	crypto_wipe(hash, sizeof(hash));
	return rc;
}

static int add_owner(struct error *error, struct keys *keys, struct str tenant, struct str person,
	struct seal_owners *out)
{
	uint8_t mark[KEYS_MARK];
	uint64_t number;
	size_t i;
	int rc;

	rc = keys_mark(error, keys, tenant, person, mark);
	if (!rc)
		rc = keys_of_mark(error, keys, tenant, mark, &number);
	for (i = 0; i < out->count && !rc; i++)
		if (out->number[i] == number)
			return 0;
	if (!rc)
		out->number[out->count++] = number;
	return rc;
}

int seal_owners(struct error *error, struct keys *keys, struct str tenant,
	const struct str *persons, size_t count, struct seal_owners *out)
{
	struct key key;
	size_t i;
	int rc = 0;

	memset(out, 0, sizeof(*out));
	for (i = 0; i < count && out->count < SEAL_OWNERS && !rc; i++)
		if (persons[i].len)
			rc = add_owner(error, keys, tenant, persons[i], out);
	out->persons = out->count;
	if (rc || out->count)
		return rc;
	rc = keys_of_owner(error, keys, tenant, &key);
	if (!rc)
		out->number[out->count++] = key.number;
	crypto_wipe(&key, sizeof(key));
	return rc;
}

/* ---- locks -------------------------------------------------------------------------------- */

static void put_u64(uint8_t *at, uint64_t n)
{
	int i;

	for (i = 0; i < 8; i++)
		at[i] = (uint8_t)(n >> (56 - 8 * i));
}

static uint64_t get_u64(const uint8_t *at)
{
	uint64_t n = 0;
	int i;

	for (i = 0; i < 8; i++)
		n = n << 8 | at[i];
	return n;
}

size_t seal_count_owners(struct str lock)
{
	const uint8_t *at = (const uint8_t *)lock.ptr;
	size_t count =
		lock.len >= SEAL_LOCK(1) && at[0] == VERSION ? (size_t)at[1] << 8 | at[2] : 0;

	return count && count <= SEAL_OWNERS_MAX && lock.len == SEAL_LOCK(count) ? count : 0;
}

uint64_t seal_owner_at(struct str lock, size_t index)
{
	return get_u64((const uint8_t *)lock.ptr + AT_NUMBERS + 8 * index);
}

/* numbers are sorted. */
static int wrap(struct error *error, struct keys *keys, const uint64_t *numbers, size_t count,
	const uint8_t data_key[CRYPTO_KEY], const uint8_t nonce[CRYPTO_NONCE], uint8_t *lock)
{
	size_t head = AT_NUMBERS + 8 * count, i;
	uint8_t key[CRYPTO_KEY];
	bool ok;
	int rc;

	rc = wrapping_key(error, keys, numbers, count, key);
	if (rc)
		return rc;
	lock[0] = VERSION;
	lock[1] = (uint8_t)(count >> 8);
	lock[2] = (uint8_t)count;
	for (i = 0; i < count; i++)
		put_u64(lock + AT_NUMBERS + 8 * i, numbers[i]);
	memcpy(lock + head, nonce, CRYPTO_NONCE);
	ok = crypto_seal(key, nonce, bytes(lock, head), bytes(data_key, CRYPTO_KEY),
		lock + head + CRYPTO_NONCE);
	crypto_wipe(key, sizeof(key));
	return ok ? 0 : error_set(error, E_NOMEM, "no memory to wrap a data key");
}

/* The numbers out of a lock; more than a few need memory. */
static int owners_of(struct error *error, struct str lock, uint64_t few[SEAL_OWNERS],
	uint64_t **numbers, size_t *count)
{
	size_t i;

	*numbers = few;
	*count = seal_count_owners(lock);
	if (!*count)
		return error_set(error, E_CORRUPT, "a row's lock is damaged: restore a backup");
	if (*count > SEAL_OWNERS)
		*numbers = malloc(*count * sizeof(**numbers));
	if (!*numbers)
		return error_set(error, E_NOMEM, "no memory to open a row");
	for (i = 0; i < *count; i++)
		(*numbers)[i] = seal_owner_at(lock, i);
	return 0;
}

static int unwrap(
	struct error *error, struct keys *keys, struct str lock, uint8_t data_key[CRYPTO_KEY])
{
	uint64_t few[SEAL_OWNERS], *numbers;
	const uint8_t *at = (const uint8_t *)lock.ptr;
	uint8_t key[CRYPTO_KEY];
	size_t count, head;
	bool ok = false;
	int rc;

	rc = owners_of(error, lock, few, &numbers, &count);
	if (rc)
		return rc;
	head = AT_NUMBERS + 8 * count;
	rc = wrapping_key(error, keys, numbers, count, key);
	if (!rc)
		ok = crypto_unseal(key, at + head, bytes(at, head),
			bytes(at + head + CRYPTO_NONCE, CRYPTO_KEY + CRYPTO_TAG), data_key);
	crypto_wipe(key, sizeof(key));
	if (numbers != few)
		free(numbers);
	if (!rc && !ok)
		rc = error_set(error, E_CORRUPT,
			"a row's data key cannot be unwrapped: the row was changed, or its key "
			"is another store's");
	return rc;
}

int seal_hand_over(struct error *error, struct keys *keys, const uint64_t *numbers, size_t count,
	struct str lock, uint8_t *out)
{
	uint8_t data_key[CRYPTO_KEY], nonce[CRYPTO_NONCE];
	uint64_t *sorted;
	int rc;

	assert(count && count <= SEAL_OWNERS_MAX);
	sorted = malloc(count * sizeof(*sorted));
	if (!sorted)
		return error_set(error, E_NOMEM, "no memory to wrap a data key");
	memcpy(sorted, numbers, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), by_number);
	crypto_random(nonce, sizeof(nonce));
	rc = unwrap(error, keys, lock, data_key);
	if (!rc)
		rc = wrap(error, keys, sorted, count, data_key, nonce, out);
	crypto_wipe(data_key, sizeof(data_key));
	free(sorted);
	return rc;
}

int seal_mark_alone(struct error *error, struct keys *keys, struct str tenant,
	struct seal_place place, uint8_t out[KEYS_MARK])
{
	char text[PLACE_MAX];
	/* Not like the mark of any person: those have no second NUL. */
	struct str pieces[] = {tenant, {"\0", 2}, place_text(place, text)};

	return keys_mark_text(error, keys, pieces, 3, out, KEYS_MARK);
}

int seal_owner_alone(struct error *error, struct keys *keys, struct str tenant,
	struct seal_place place, uint64_t *number)
{
	uint8_t mark[KEYS_MARK];
	int rc = seal_mark_alone(error, keys, tenant, place, mark);

	return rc ? rc : keys_of_mark(error, keys, tenant, mark, number);
}

int keys_alive(struct error *error, struct keys *keys, struct str lock)
{
	size_t count = seal_count_owners(lock), i;
	struct key key;
	int rc = 0;

	for (i = 0; i < count && !rc; i++)
		rc = keys_by_number(error, keys, seal_owner_at(lock, i), &key);
	crypto_wipe(&key, sizeof(key));
	if (rc == E_NOTFOUND)
		rc = error_set(error, E_BUSY, "a person was forgotten while this was on its way");
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

int seal_close(struct error *error, struct keys *keys, const struct seal_owners *owners,
	struct seal_place place, const struct str *parts, size_t count, uint8_t *lock,
	uint8_t *sealed)
{
	struct seal_owners sorted = *owners;
	size_t size = seal_size(parts, count) - CRYPTO_TAG;
	struct {
		uint8_t key[CRYPTO_KEY], nonce[CRYPTO_NONCE];
	} fresh; /* one call of the kernel for both */
	char text[PLACE_MAX];
	uint8_t *plain;
	int rc;

	if (sorted.count > 1)
		qsort(sorted.number, sorted.count, sizeof(sorted.number[0]), by_number);
	if (size >= INT32_MAX)
		return error_set(error, E_INVALID, "more than 2 GB cannot be sealed");
	plain = join(parts, count, size ? size : 1);
	crypto_random(&fresh, sizeof(fresh));
	if (!plain ||
		!crypto_seal(fresh.key, once, place_text(place, text), bytes(plain, size), sealed))
		rc = error_set(error, E_NOMEM, "no memory to seal a row");
	else
		rc = wrap(error, keys, sorted.number, sorted.count, fresh.key, fresh.nonce, lock);
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

int box_open(struct error *error, struct keys *keys, struct seal_place place, struct str box,
	struct arena *arena, struct str *parts, size_t count)
{
	const uint8_t *at = (const uint8_t *)box.ptr;
	size_t owners = box.len >= SEAL_LOCK(1) ? (size_t)at[1] << 8 | at[2] : 0;
	size_t head = owners && owners <= SEAL_OWNERS ? SEAL_LOCK(owners) : 0;

	if (!head || head > box.len)
		return error_set(error, E_CORRUPT, "a row's lock is damaged: restore a backup");
	return seal_open(error, keys, place, bytes(box.ptr, head),
		bytes(box.ptr + head, box.len - head), arena, parts, count);
}
