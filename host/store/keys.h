/* keys.h - the key store's inside, for keys.c, persons.c and seal.c only. */
#ifndef STORE_KEYS_H
#define STORE_KEYS_H

#include <stdbool.h>

#include "store/seal.h"

struct key { /* a copy: wipe it */
	uint64_t number;
	uint8_t bytes[CRYPTO_KEY];
};

#define KEYS_WRAPPED (CRYPTO_NONCE + CRYPTO_KEY + CRYPTO_TAG)

int keys_of_owner(struct error *error, struct keys *keys, struct str owner, struct key *key);
/* A tenant's or a person's. */
int keys_by_number(struct error *error, struct keys *keys, uint64_t number, struct key *key);
/* Of this mark; made if there is none. */
int keys_of_mark(struct error *error, struct keys *keys, struct str tenant,
	const uint8_t mark[KEYS_MARK], uint64_t *number);
int keys_mark_text(struct error *error, const struct keys *keys, const struct str *pieces,
	size_t count, uint8_t *out, size_t n);

/* ---- persons.c ---------------------------------------------------------------------------- */

struct persons;
struct person { /* a key as it is stored */
	uint8_t mark[KEYS_MARK];
	uint64_t number, tenant; /* tenant: number of the key that wraps it */
	uint8_t wrapped[KEYS_WRAPPED];
};

/* Opens nothing yet. */
struct persons *persons_create(const char *directory);
void persons_close(struct persons *persons); /* takes NULL */
/* Keys in memory, of a store's own key store only: whoever reads must see at once that a key is
 * gone, and so keeps none. */
void persons_keep(struct persons *persons);

bool persons_kept(struct persons *persons, uint64_t number, struct key *key);
/* Nothing, if somebody was forgotten since *forgets was told: it may have been this one, and would
 * be back. */
void persons_remember(
	struct persons *persons, const struct person *person, const uint8_t *key, unsigned forgets);
/* 0, or E_NOTFOUND. *forgets: how often somebody was forgotten before it was found. */
int persons_by_number(struct error *error, struct persons *persons, uint64_t number,
	struct person *out, unsigned *forgets);
bool persons_kept_mark(struct persons *persons, const uint8_t mark[KEYS_MARK], uint64_t *number);
/* *made: it was not there and is now *draft, on its way to the disk; otherwise *draft is it. */
int persons_find_or_add(struct error *error, struct persons *persons, struct person *draft,
	const uint8_t *key, bool *made);
int persons_find(struct error *error, struct persons *persons, const uint8_t mark[KEYS_MARK],
	struct person *out);
unsigned persons_forgets(const struct persons *persons);
int persons_flush(struct error *error, struct persons *persons);
int persons_forget(struct error *error, struct persons *persons, const uint8_t mark[KEYS_MARK],
	int64_t at_ms, struct keys_gone *gone);
/* After those two: see keys_search(). */
int persons_search(struct error *error, struct persons *persons, bool *more);
int persons_bury(struct error *error, struct persons *persons, const struct keys_gone *gone);
int persons_list_gone(struct error *error, struct persons *persons, struct arena *arena,
	struct keys_gone **gone, size_t *count);

#endif
