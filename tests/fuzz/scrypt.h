/* scrypt.h - for targets that stand before scrypt (--wrap): the real one is slow on purpose. */
#ifndef FUZZ_SCRYPT_H
#define FUZZ_SCRYPT_H

#include <stddef.h>
#include <stdint.h>

int __real_EVP_PBE_scrypt(const char *pass, size_t pass_len, const unsigned char *salt,
	size_t salt_len, uint64_t n, uint64_t r, uint64_t p, uint64_t most, unsigned char *key,
	size_t key_len);
int __wrap_EVP_PBE_scrypt(const char *pass, size_t pass_len, const unsigned char *salt,
	size_t salt_len, uint64_t n, uint64_t r, uint64_t p, uint64_t most, unsigned char *key,
	size_t key_len);

#endif
