/* reseal.c - what is stored is sealed again, changed, under the owners it has. Never for new rows:
 * those are sealed where they are submitted. The writer's thread; results are in the scratch arena.
 */
#include "store/engine.h"

int owners_of_lock(struct error *error, struct store *store, struct str lock, struct str tenant,
	struct seal_owners *out)
{
	const uint8_t *at = (const uint8_t *)lock.ptr;
	size_t count = lock.len >= SEAL_LOCK(1) ? (size_t)at[1] << 8 | at[2] : 0, i;

	if (!count || count > SEAL_OWNERS || lock.len < SEAL_LOCK(count))
		return seal_owners(error, store->keys, tenant, NULL, 0, out);
	*out = (struct seal_owners){.count = count};
	for (i = 0; i < count; i++)
		out->number[i] = seal_owner_at(lock, i);
	return 0;
}

int seal_box(struct error *error, struct store *store, const struct seal_owners *owners,
	struct seal_place place, const struct str *parts, size_t count, struct str *box)
{
	size_t head = SEAL_LOCK(owners->count), size = head + seal_size(parts, count);
	uint8_t *at = arena_take(store->scratch, size);

	if (!at)
		return error_set(error, E_NOMEM, "no memory to seal a row again");
	*box = (struct str){(const char *)at, size};
	return seal_close(error, store->keys, owners, place, parts, count, at, at + head);
}

int open_again(struct error *error, struct store *store, struct seal_place place, struct str lock,
	struct str sealed, struct str *parts, size_t count, bool *readable)
{
	int rc;

	*readable = false;
	if (!lock.len)
		return 0;
	rc = seal_open(error, store->keys, place, lock, sealed, store->scratch, parts, count);
	*readable = !rc;
	if (rc != E_CORRUPT || store->conn.broken)
		return rc;
	*error = (struct error){0}; /* forgotten */
	return 0;
}

int seal_again(struct error *error, struct store *store, struct seal_place place, struct str *lock,
	struct str *sealed, const struct str *parts, size_t count)
{
	struct seal_owners owners;
	struct str box;
	size_t head;
	int rc;

	rc = owners_of_lock(error, store, *lock, STR(""), &owners);
	if (!rc)
		rc = seal_box(error, store, &owners, place, parts, count, &box);
	if (rc)
		return rc;
	head = SEAL_LOCK(owners.count);
	*lock = (struct str){box.ptr, head};
	*sealed = (struct str){box.ptr + head, box.len - head};
	return 0;
}

void stmt_bytes(struct stmt *stmt, struct str bytes)
{
	if (bytes.len)
		stmt_blob(stmt, bytes.ptr, bytes.len);
	else
		stmt_null(stmt);
}
