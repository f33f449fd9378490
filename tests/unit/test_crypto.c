/* Known answers (RFC 2202, RFC 4231, FIPS 180, NIST's GCM vectors), and that tampering shows. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/crypto.h"

static const char *hex(struct arena *arena, const uint8_t *bytes, size_t len)
{
	return str_encode(arena, "hex", (struct str){(const char *)bytes, len}).ptr;
}

static void digests_are_the_known_ones(void **state)
{
	struct arena *arena = arena_create(1 << 16);
	const struct str abc[] = {STR("a"), STR(""), STR("bc")};
	const struct str jefe[] = {STR("what do ya want "), STR("for nothing?")};
	uint8_t out[CRYPTO_HASH_MAX];

	(void)state;
	assert_int_equal(crypto_hash("sha256", abc, 3, out), 32);
	assert_string_equal(hex(arena, out, 32),
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_int_equal(crypto_hash("sha1", abc, 3, out), 20);
	assert_string_equal(hex(arena, out, 20), "a9993e364706816aba3e25717850c26c9cd0d89d");
	assert_int_equal(crypto_hash("sha512", abc, 3, out), 64);
	assert_int_equal(crypto_hmac("sha256", STR("Jefe"), jefe, 2, out), 32);
	assert_string_equal(hex(arena, out, 32),
		"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	assert_int_equal(crypto_hmac("sha1", STR("Jefe"), jefe, 2, out), 20);
	assert_string_equal(hex(arena, out, 20), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
	assert_int_equal(crypto_hmac("sha512", STR("Jefe"), jefe, 2, out), 64);
	assert_int_equal(out[0], 0x16);
	assert_int_equal(crypto_hmac("md5", STR("Jefe"), jefe, 2, out), 0);
	assert_int_equal(crypto_hash("crc32", abc, 3, out), 0);
	arena_destroy(arena);
}

static void another_key_is_used_each_time(void **state)
{
	const struct str m = STR("message");
	uint8_t a[CRYPTO_HASH_MAX], b[CRYPTO_HASH_MAX], c[CRYPTO_HASH_MAX];

	(void)state;
	crypto_hmac("sha256", STR("key1"), &m, 1, a);
	crypto_hmac("sha256", STR("key2"), &m, 1, b);
	crypto_hmac("sha256", STR("key1"), &m, 1, c);
	assert_memory_not_equal(a, b, 32);
	assert_memory_equal(a, c, 32);
	assert_int_equal(
		crypto_hmac("sha256", STR(""), &m, 1, a), 32); /* an empty key is one too */
	assert_memory_not_equal(a, c, 32);
}

static void comparing_sees_length_and_content(void **state)
{
	(void)state;
	assert_true(crypto_equal(STR("abc"), STR("abc")));
	assert_false(crypto_equal(STR("abc"), STR("abd")));
	assert_false(crypto_equal(STR("abc"), STR("ab")));
	assert_true(crypto_equal(STR(""), STR("")));
}

/* McGrew and Viega, test case 16. */
static void sealing_is_the_known_aes_gcm(void **state)
{
	struct arena *arena = arena_create(1 << 16);
	struct str key = str_decode(arena, "hex",
		STR("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"));
	struct str nonce = str_decode(arena, "hex", STR("cafebabefacedbaddecaf888"));
	struct str aad = str_decode(arena, "hex", STR("feedfacedeadbeeffeedfacedeadbeefabaddad2"));
	struct str plain = str_decode(arena, "hex",
		STR("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
		    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"));
	uint8_t sealed[60 + CRYPTO_TAG], back[60];

	(void)state;
	assert_true(crypto_seal(
		(const uint8_t *)key.ptr, (const uint8_t *)nonce.ptr, aad, plain, sealed));
	assert_string_equal(hex(arena, sealed, sizeof(sealed)),
		"522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
		"8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
		"76fc6ece0f4e1768cddf8853bb2d551b");
	assert_true(crypto_unseal((const uint8_t *)key.ptr, (const uint8_t *)nonce.ptr, aad,
		(struct str){(const char *)sealed, sizeof(sealed)}, back));
	assert_memory_equal(back, plain.ptr, sizeof(back));
	arena_destroy(arena);
}

static void one_changed_bit_shows(void **state)
{
	uint8_t key[CRYPTO_KEY], nonce[CRYPTO_NONCE], sealed[5 + CRYPTO_TAG], plain[5];
	static const uint8_t zeros[5];
	struct str all = {(const char *)sealed, sizeof(sealed)};
	size_t bit;

	(void)state;
	crypto_random(key, sizeof(key));
	crypto_random(nonce, sizeof(nonce));
	assert_true(crypto_seal(key, nonce, STR("aad"), STR("hello"), sealed));
	for (bit = 0; bit < sizeof(sealed) * 8; bit++) {
		sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(crypto_unseal(key, nonce, STR("aad"), all, plain));
		assert_memory_equal(plain, zeros, 5);
		sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_false(crypto_unseal(key, nonce, STR("AAD"), all, plain));
	assert_false(crypto_unseal(key, nonce, (struct str){0}, all, plain));
	assert_false(crypto_unseal(key, nonce, STR("aad"), (struct str){"x", 1}, plain));
	key[31] ^= 1;
	assert_false(crypto_unseal(key, nonce, STR("aad"), all, plain));
	key[31] ^= 1;
	assert_true(crypto_unseal(key, nonce, STR("aad"), all, plain));
	assert_memory_equal(plain, "hello", 5);
}

static void nothing_can_be_sealed_too(void **state)
{
	uint8_t key[CRYPTO_KEY] = {1}, nonce[CRYPTO_NONCE] = {2}, sealed[CRYPTO_TAG], none[1];

	(void)state;
	assert_true(crypto_seal(key, nonce, STR(""), STR(""), sealed));
	assert_true(crypto_unseal(
		key, nonce, (struct str){0}, (struct str){(const char *)sealed, CRYPTO_TAG}, none));
}

static void *hash_much(void *arg)
{
	const struct str m = STR("abc");
	uint8_t out[CRYPTO_HASH_MAX];

	for (int i = 0; i < 2000; i++)
		crypto_hmac("sha256", STR("k"), &m, 1, out);
	memcpy(arg, out, 32);
	return NULL;
}

static void threads_do_not_disturb_each_other(void **state)
{
	uint8_t a[32], b[32];
	pthread_t x, y;

	(void)state;
	pthread_create(&x, NULL, hash_much, a);
	pthread_create(&y, NULL, hash_much, b);
	pthread_join(x, NULL);
	pthread_join(y, NULL);
	assert_memory_equal(a, b, 32);
}

static void random_bytes_differ_and_wiping_wipes(void **state)
{
	uint8_t a[1000] = {0}, b[1000] = {0}, zeros[1000] = {0};

	(void)state;
	crypto_random(a, sizeof(a));
	crypto_random(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	assert_memory_not_equal(a + 992, zeros, 8);
	crypto_wipe(a, sizeof(a));
	assert_memory_equal(a, zeros, sizeof(a));
}

/* Looks through the memory that malloc gives out of; 0 bytes of it if that lies elsewhere. */
static bool heap_holds(const uint8_t *bytes, size_t n)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long from, to;
	bool found = false;
	char line[512];

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		if (strstr(line, "[heap]") && sscanf(line, "%lx-%lx", &from, &to) == 2)
			found = found || memmem((const void *)from, to - from, bytes, n) != NULL;
	fclose(maps);
	return found;
}

static void no_key_outlives_its_call(void **state)
{
	struct str piece = STR("text");
	uint8_t key[CRYPTO_KEY], nonce[CRYPTO_NONCE] = {0}, out[CRYPTO_HASH_MAX];
	uint8_t sealed[4 + CRYPTO_TAG];
	static const char *const hashes[] = {"sha256", "sha1", "sha512"};

	(void)state;
	crypto_random(key, sizeof(key));
	for (size_t i = 0; i < 3; i++)
		assert_true(crypto_hmac(hashes[i], (struct str){(const char *)key, sizeof(key)},
				    &piece, 1, out) > 0);
	assert_true(crypto_seal(key, nonce, STR(""), piece, sealed));
	assert_false(heap_holds(key, sizeof(key)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digests_are_the_known_ones),
		cmocka_unit_test(another_key_is_used_each_time),
		cmocka_unit_test(comparing_sees_length_and_content),
		cmocka_unit_test(sealing_is_the_known_aes_gcm),
		cmocka_unit_test(one_changed_bit_shows),
		cmocka_unit_test(nothing_can_be_sealed_too),
		cmocka_unit_test(threads_do_not_disturb_each_other),
		cmocka_unit_test(random_bytes_differ_and_wiping_wipes),
		cmocka_unit_test(no_key_outlives_its_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
