/* crypto.c - libcrypto behind a few plain calls. Never keeps a key longer than the call needs it.
 * Any thread: looking algorithms up costs more than using them, so each thread keeps contexts that
 * have theirs already, until it ends. */
#include "base/crypto.h"

#include <assert.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

static const char *const hash_names[] = {"sha256", "sha1", "sha512"};
#define HASHES (sizeof(hash_names) / sizeof(*hash_names))

struct contexts {
	EVP_MAC_CTX *hmac[HASHES];
	EVP_MD_CTX *hash[HASHES];
	EVP_MD *md[HASHES];
	EVP_CIPHER_CTX *gcm;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t at_thread_end;
static _Thread_local struct contexts *mine;

static void free_contexts(void *arg)
{
	struct contexts *c = arg;
	size_t i;

	for (i = 0; i < HASHES; i++) {
		EVP_MAC_CTX_free(c->hmac[i]);
		EVP_MD_CTX_free(c->hash[i]);
		EVP_MD_free(c->md[i]);
	}
	EVP_CIPHER_CTX_free(c->gcm);
	free(c);
}

static void make_key(void)
{
	int failed = pthread_key_create(&at_thread_end, free_contexts);

	assert(!failed);
}

static struct contexts *contexts(void)
{
	if (mine)
		return mine;
	pthread_once(&once, make_key);
	mine = calloc(1, sizeof(*mine));
	if (mine && pthread_setspecific(at_thread_end, mine) != 0) {
		free(mine);
		mine = NULL;
	}
	return mine;
}

static int hash_index(const char *name)
{
	size_t i;

	for (i = 0; i < HASHES; i++)
		if (strcmp(name, hash_names[i]) == 0)
			return (int)i;
	return -1;
}

/* ---- hash and HMAC ------------------------------------------------------------------------ */

static EVP_MAC_CTX *hmac_context(int i)
{
	struct contexts *c = contexts();
	OSSL_PARAM params[2];
	EVP_MAC *mac;

	if (!c || c->hmac[i])
		return c ? c->hmac[i] : NULL;
	mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	c->hmac[i] = mac ? EVP_MAC_CTX_new(mac) : NULL;
	EVP_MAC_free(mac);
	params[0] =
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)hash_names[i], 0);
	params[1] = OSSL_PARAM_construct_end();
	if (c->hmac[i] && !EVP_MAC_CTX_set_params(c->hmac[i], params)) {
		EVP_MAC_CTX_free(c->hmac[i]);
		c->hmac[i] = NULL;
	}
	return c->hmac[i];
}

static const uint8_t *bytes(struct str s)
{
	return (const uint8_t *)(s.ptr ? s.ptr : "");
}

/* Replaces the key in the context: it must not outlive the call. */
static void forget_hmac_key(EVP_MAC_CTX *context)
{
	static const uint8_t zero[CRYPTO_KEY];

	if (context)
		EVP_MAC_init(context, zero, sizeof(zero), NULL);
}

static size_t run_hmac(EVP_MAC_CTX *context, struct str key, const struct str *pieces, size_t count,
	uint8_t out[CRYPTO_HASH_MAX])
{
	size_t i, len = 0;

	if (!context || !EVP_MAC_init(context, bytes(key), key.len, NULL))
		return 0;
	for (i = 0; i < count; i++)
		if (!EVP_MAC_update(context, bytes(pieces[i]), pieces[i].len))
			return 0;
	return EVP_MAC_final(context, out, &len, CRYPTO_HASH_MAX) ? len : 0;
}

size_t crypto_hmac(const char *hash, struct str key, const struct str *pieces, size_t count,
	uint8_t out[CRYPTO_HASH_MAX])
{
	int index = hash_index(hash);
	EVP_MAC_CTX *context = index < 0 ? NULL : hmac_context(index);
	size_t len = run_hmac(context, key, pieces, count, out);

	forget_hmac_key(context);
	return len;
}

static bool start_hash(int i)
{
	struct contexts *c = contexts();

	if (!c)
		return false;
	if (!c->md[i])
		c->md[i] = EVP_MD_fetch(NULL, hash_names[i], NULL);
	if (!c->hash[i])
		c->hash[i] = EVP_MD_CTX_new();
	return c->md[i] && c->hash[i] && EVP_DigestInit_ex2(c->hash[i], c->md[i], NULL);
}

size_t crypto_hash(
	const char *hash, const struct str *pieces, size_t count, uint8_t out[CRYPTO_HASH_MAX])
{
	int index = hash_index(hash);
	unsigned len = 0;
	size_t i;

	if (index < 0 || !start_hash(index))
		return 0;
	for (i = 0; i < count; i++)
		if (!EVP_DigestUpdate(mine->hash[index], bytes(pieces[i]), pieces[i].len))
			return 0;
	return EVP_DigestFinal_ex(mine->hash[index], out, &len) ? len : 0;
}

bool crypto_equal(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || CRYPTO_memcmp(a.ptr, b.ptr, a.len) == 0);
}

void crypto_random(void *out, size_t n)
{
	char *at = out;

	while (n) {
		size_t piece = n < 256 ? n : 256; /* up to here never short, never interrupted */
		ssize_t got = getrandom(at, piece, 0);
		if (got != (ssize_t)piece)
			abort();
		at += piece;
		n -= piece;
	}
}

void crypto_wipe(void *secret, size_t n)
{
	OPENSSL_cleanse(secret, n);
}

/* ---- AES-256-GCM -------------------------------------------------------------------------- */

static EVP_CIPHER_CTX *gcm_context(void)
{
	struct contexts *c = contexts();
	EVP_CIPHER *cipher;

	if (!c || c->gcm)
		return c ? c->gcm : NULL;
	cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	c->gcm = cipher ? EVP_CIPHER_CTX_new() : NULL;
	if (c->gcm && !EVP_CipherInit_ex2(c->gcm, cipher, NULL, NULL, 1, NULL)) {
		EVP_CIPHER_CTX_free(c->gcm);
		c->gcm = NULL;
	}
	EVP_CIPHER_free(cipher);
	return c->gcm;
}

/* Key, nonce, aad and text; everything but the tag. */
static bool run_gcm(EVP_CIPHER_CTX *context, int seal, const uint8_t *key, const uint8_t *nonce,
	struct str aad, struct str in, uint8_t *out)
{
	int n;

	if (!context || aad.len > INT_MAX || in.len > INT_MAX - CRYPTO_TAG)
		return false;
	if (!EVP_CipherInit_ex2(context, NULL, key, nonce, seal, NULL))
		return false;
	if (aad.len && !EVP_CipherUpdate(context, NULL, &n, bytes(aad), (int)aad.len))
		return false;
	return !in.len || EVP_CipherUpdate(context, out, &n, bytes(in), (int)in.len);
}

/* Replaces the key in the context: it must not outlive the call. */
static void forget_key(EVP_CIPHER_CTX *context)
{
	static const uint8_t zero[CRYPTO_KEY];

	if (context)
		EVP_CipherInit_ex2(context, NULL, zero, NULL, -1, NULL);
}

bool crypto_seal(const uint8_t key[CRYPTO_KEY], const uint8_t nonce[CRYPTO_NONCE], struct str aad,
	struct str plain, uint8_t *sealed)
{
	EVP_CIPHER_CTX *context = gcm_context();
	bool ok;
	int n;

	ok = run_gcm(context, 1, key, nonce, aad, plain, sealed);
	ok = ok && EVP_CipherFinal_ex(context, sealed + plain.len, &n);
	ok = ok && EVP_CIPHER_CTX_ctrl(
			   context, EVP_CTRL_AEAD_GET_TAG, CRYPTO_TAG, sealed + plain.len) > 0;
	forget_key(context);
	return ok;
}

bool crypto_unseal(const uint8_t key[CRYPTO_KEY], const uint8_t nonce[CRYPTO_NONCE], struct str aad,
	struct str sealed, uint8_t *plain)
{
	EVP_CIPHER_CTX *context = gcm_context();
	uint8_t tag[CRYPTO_TAG], none[CRYPTO_TAG];
	bool ok;
	int n;

	if (sealed.len < CRYPTO_TAG)
		return false;
	sealed.len -= CRYPTO_TAG;
	memcpy(tag, sealed.ptr + sealed.len, CRYPTO_TAG);
	ok = run_gcm(context, 0, key, nonce, aad, sealed, plain);
	ok = ok && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, CRYPTO_TAG, tag) > 0;
	ok = ok && EVP_CipherFinal_ex(context, none, &n) > 0;
	if (!ok && sealed.len)
		crypto_wipe(plain, sealed.len);
	forget_key(context);
	return ok;
}
