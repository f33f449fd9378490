/* keys.h - the key store's inside, for seal.c only. */
#ifndef STORE_KEYS_H
#define STORE_KEYS_H

#include "store/seal.h"

struct key { /* a copy: wipe it */
	uint64_t number;
	uint8_t bytes[CRYPTO_KEY];
};

int keys_of_owner(struct error *error, struct keys *keys, struct str owner, struct key *key);
int keys_by_number(struct error *error, struct keys *keys, uint64_t number, struct key *key);

#endif
