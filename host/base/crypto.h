/* crypto.h - the little cryptography the host needs, over libcrypto. Safe from any thread; each
 * thread keeps its contexts, so that a call costs no allocation.
 *
 * Hashes go by name: "sha256", "sha1", "sha512".
 */
#ifndef BASE_CRYPTO_H
#define BASE_CRYPTO_H

#include "base/str.h"

#define CRYPTO_HASH_MAX 64
#define CRYPTO_KEY 32   /* AES-256 */
#define CRYPTO_NONCE 12 /* never twice with the same key */
#define CRYPTO_TAG 16

/* Length of the result; 0: unknown hash, or libcrypto has no memory. The message is the pieces,
 * one after another. */
size_t crypto_hmac(const char *hash, struct str key, const struct str *pieces, size_t count,
	uint8_t out[CRYPTO_HASH_MAX]);
size_t crypto_hash(const char *hash, const struct str *pieces, size_t count,
	uint8_t out[CRYPTO_HASH_MAX]);

/* In time that depends on the lengths only. */
bool crypto_equal(struct str a, struct str b);

void crypto_random(void *out, size_t n); /* aborts rather than return something guessable */
void crypto_wipe(void *secret, size_t n);

/* AES-256-GCM. sealed has room for plain.len + CRYPTO_TAG and may not overlap plain. aad is bound to
 * it without being in it. False: no memory, or too long. */
bool crypto_seal(const uint8_t key[CRYPTO_KEY], const uint8_t nonce[CRYPTO_NONCE], struct str aad,
	struct str plain, uint8_t *sealed);
/* plain has room for sealed.len - CRYPTO_TAG. False: not sealed with these, or changed since; plain
 * then holds zeros. */
bool crypto_unseal(const uint8_t key[CRYPTO_KEY], const uint8_t nonce[CRYPTO_NONCE], struct str aad,
	struct str sealed, uint8_t *plain);

#endif
