/* password.c - scrypt of libcrypto behind password.h. Never keeps a password. Any thread. */
#include "base/password.h"

#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/crypto.h"
#include "base/error.h"

#define SALT 16
#define HASH 32
#define MEMORY_MOST ((uint64_t)128 << 20)
#define FACTOR_MOST 16 /* of p: beyond, one guess would take seconds */

static const char prefix[] = "$scrypt$";

struct parts {
	uint64_t rounds, block, times;
	uint8_t salt[SALT], hash[HASH];
};

/* ---- Base64 without padding --------------------------------------------------------------- */

static void encode(const uint8_t *from, size_t n, char *to)
{
	int len = EVP_EncodeBlock((unsigned char *)to, from, (int)n);

	while (len > 0 && to[len - 1] == '=')
		to[--len] = '\0';
}

static bool decode(struct str text, uint8_t *to, size_t n)
{
	unsigned char in[64], out[64];
	size_t padded = (n + 2) / 3 * 4, whole = (n * 8 + 5) / 6;
	char again[64];

	if (text.len != whole || padded > sizeof(in))
		return false;
	memset(in, '=', padded);
	memcpy(in, text.ptr, whole);
	if (EVP_DecodeBlock(out, in, (int)padded) < 0)
		return false;
	memcpy(to, out, n);
	encode(to, n, again); /* libcrypto takes blanks, and bits beyond the end, for nothing */
	return memcmp(again, text.ptr, whole) == 0;
}

/* ---- The line ----------------------------------------------------------------------------- */

static bool take_text(struct str *rest, const char *text)
{
	size_t n = strlen(text);

	if (rest->len < n || memcmp(rest->ptr, text, n) != 0)
		return false;
	rest->ptr += n;
	rest->len -= n;
	return true;
}

static bool take_number(struct str *rest, uint64_t *n)
{
	size_t digits = 0;

	for (*n = 0; rest->len && rest->ptr[0] >= '0' && rest->ptr[0] <= '9' && digits < 3;
		digits++) {
		*n = *n * 10 + (uint64_t)(rest->ptr[0] - '0');
		rest->ptr++;
		rest->len--;
	}
	return digits > 0;
}

static bool split(struct str line, struct parts *out)
{
	uint64_t log;
	const char *dollar;
	struct str salt;

	if (!take_text(&line, prefix) || !take_text(&line, "ln=") || !take_number(&line, &log) ||
		!take_text(&line, ",r=") || !take_number(&line, &out->block) ||
		!take_text(&line, ",p=") || !take_number(&line, &out->times) ||
		!take_text(&line, "$") || log > 30)
		return false;
	out->rounds = UINT64_C(1) << log;
	dollar = memchr(line.ptr, '$', line.len);
	if (!dollar)
		return false;
	salt = (struct str){line.ptr, (size_t)(dollar - line.ptr)};
	line = (struct str){dollar + 1, line.len - salt.len - 1};
	return decode(salt, out->salt, SALT) && decode(line, out->hash, HASH);
}

bool password_is_line(struct str text)
{
	return text.ptr && take_text(&text, prefix);
}

const char *password_fault(struct str line)
{
	struct parts p;

	if (!line.ptr || !split(line, &p))
		return "is no line of klinke password ($scrypt$ln=…,r=…,p=…$SALT$HASH)";
	if (p.rounds < 1 << 14 || p.block < 8 || p.times < 1)
		return "is too cheap to guess (ln=14,r=8,p=1 at least); klinke password makes one";
	if (128 * p.block * p.rounds > MEMORY_MOST || p.times > FACTOR_MOST)
		return "would take too much memory or time for each login; klinke password makes "
		       "one";
	return NULL;
}

static bool derive(const struct parts *p, struct str password, uint8_t hash[HASH])
{
	return EVP_PBE_scrypt(password.ptr, password.len, p->salt, SALT, p->rounds, p->block,
		       p->times, MEMORY_MOST + (1 << 20), hash, HASH) == 1;
}

static int refuse(struct error *error, struct str password)
{
	if (password.len < PASSWORD_LEAST)
		return error_set(
			error, E_INVALID, "a password has %d characters at least", PASSWORD_LEAST);
	if (password.len > PASSWORD_MOST)
		return error_set(
			error, E_INVALID, "a password has %d characters at most", PASSWORD_MOST);
	for (size_t i = 0; i < password.len; i++)
		if ((unsigned char)password.ptr[i] < ' ')
			return error_set(error, E_INVALID,
				"a password is one line of text without control characters");
	return 0;
}

int password_make(struct error *error, struct str password, char line[PASSWORD_LINE])
{
	struct parts p = {.rounds = 1 << 14, .block = 8, .times = 5}; /* 16 MiB */
	char salt[32], hash[64];
	int rc = refuse(error, password);

	if (rc)
		return rc;
	crypto_random(p.salt, SALT);
	if (!derive(&p, password, p.hash))
		return error_set(error, E_NOMEM, "no memory to hash the password");
	encode(p.salt, SALT, salt);
	encode(p.hash, HASH, hash);
	snprintf(line, PASSWORD_LINE, "%sln=14,r=8,p=5$%s$%s", prefix, salt, hash);
	crypto_wipe(&p, sizeof(p));
	return 0;
}

bool password_holds(struct str line, struct str guess)
{
	uint8_t hash[HASH];
	struct parts p;
	bool holds;

	if (password_fault(line) || !split(line, &p) || guess.len > PASSWORD_MOST || !guess.ptr)
		return false;
	holds = derive(&p, guess, hash) && crypto_equal((struct str){(const char *)hash, HASH},
						   (struct str){(const char *)p.hash, HASH});
	crypto_wipe(hash, sizeof(hash));
	return holds;
}
