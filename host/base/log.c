/* log.c - log lines to stderr. Never allocates, never writes a secret that was registered, never
 * interprets a value. Any thread; a line is one write(2). */
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/mask.h"

#define LINE_MAX_BYTES                                                                             \
	4096 /* PIPE_BUF: up to this, lines of several threads never mix in a pipe                 \
	      */
#define VALUE_MAX 1024
#define SECRET_MIN 6

struct line {
	char text[LINE_MAX_BYTES];
	size_t len;
	bool json;
};

static const struct str cut_mark = {"...", 3};

/* ---- settings ----------------------------------------------------------------- *
 * Logging is the one service that everything uses without being handed it, so its settings and
 * the secrets are the process's. */

static enum log_level least_level = LOG_INFO;
static enum log_format line_format = LOG_LOGFMT;

void log_setup(enum log_level least, enum log_format format)
{
	__atomic_store_n(&least_level, least, __ATOMIC_RELAXED);
	__atomic_store_n(&line_format, format, __ATOMIC_RELAXED);
}

/* ---- secrets ------------------------------------------------------------------------------ */

static pthread_rwlock_t secrets_lock = PTHREAD_RWLOCK_INITIALIZER;
static struct str *secrets;
static size_t secret_count, secret_cap;
static uint64_t secret_heads[64]; /* one bit per hash of a secret's first four bytes */

static unsigned head_hash(const char *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return v * UINT32_C(2654435761) >> 20; /* 12 bits */
}

static bool is_known(struct str secret)
{
	size_t i;

	for (i = 0; i < secret_count; i++)
		if (str_eq(secrets[i], secret))
			return true;
	return false;
}

/* Under the lock. Without memory a secret cannot be kept; the first line of defence, not to log
 * it at all, still holds. */
static void keep_secret(struct str secret)
{
	size_t cap = secret_cap ? 2 * secret_cap : 16;
	struct str *grown;
	char *copy;

	if (is_known(secret))
		return;
	if (secret_count == secret_cap) {
		grown = realloc(secrets, cap * sizeof(*grown));
		if (!grown)
			return;
		secrets = grown;
		secret_cap = cap;
	}
	copy = malloc(secret.len);
	if (!copy)
		return;
	memcpy(copy, secret.ptr, secret.len);
	secrets[secret_count++] = (struct str){copy, secret.len};
	secret_heads[head_hash(copy) / 64] |= UINT64_C(1) << head_hash(copy) % 64;
}

void log_secret(struct str secret)
{
	struct arena *arena;
	struct str encoded;

	if (!secret.ptr || secret.len < SECRET_MIN)
		return;
	arena = arena_create(4 * secret.len + 64);
	encoded = str_encode(arena, "percent", secret); /* as it stands in URLs and forms */
	pthread_rwlock_wrlock(&secrets_lock);
	keep_secret(secret);
	if (encoded.ptr)
		keep_secret(encoded);
	pthread_rwlock_unlock(&secrets_lock);
	arena_destroy(arena);
}

/* Length of the longest secret that begins at p, 0: none. */
static size_t secret_at(const char *p, size_t len)
{
	size_t i, found = 0;
	unsigned hash;

	if (len < SECRET_MIN)
		return 0;
	hash = head_hash(p);
	if (!(secret_heads[hash / 64] >> hash % 64 & 1))
		return 0;
	for (i = 0; i < secret_count; i++)
		if (secrets[i].len <= len && secrets[i].len > found &&
			memcmp(p, secrets[i].ptr, secrets[i].len) == 0)
			found = secrets[i].len;
	return found;
}

/* ---- masking ------------------------------------------------------------------------------ */

static bool is_personal(const char *key)
{
	size_t len = strlen(key);

	return len >= 7 && strcmp(key + len - 7, "_person") == 0;
}

/* ---- the line ----------------------------------------------------------------------------- */

/* Room is kept for the end of the line. */
static bool put(struct line *line, const char *bytes, size_t n)
{
	if (n > sizeof(line->text) - 8 - line->len)
		return false;
	memcpy(line->text + line->len, bytes, n);
	line->len += n;
	return true;
}

static bool put_escape(struct line *line, unsigned char c)
{
	char text[6] = {
		'\\', 'u', '0', '0', "0123456789abcdef"[c >> 4], "0123456789abcdef"[c & 15]};

	switch (c) {
	case '"':
		return put(line, "\\\"", 2);
	case '\\':
		return put(line, "\\\\", 2);
	case '\n':
		return put(line, "\\n", 2);
	case '\r':
		return put(line, "\\r", 2);
	case '\t':
		return put(line, "\\t", 2);
	default:
		return put(line, text, 6);
	}
}

/* One character of a value: never more than a line, never a control sequence for a terminal
 * (C0, DEL and C1), always UTF-8. Returns the bytes consumed. */
static size_t put_char(struct line *line, const char *p, size_t len, bool *ok)
{
	size_t n = str_utf8_len(p, len);
	unsigned char c = (unsigned char)*p;

	if (!n)
		*ok = put(line, "\xef\xbf\xbd", 3);
	else if (c < 0x20 || c == '"' || c == '\\' || c == 0x7f)
		*ok = put_escape(line, c);
	else if (n == 2 && c == 0xc2 && (unsigned char)p[1] < 0xa0)
		*ok = put_escape(line, (unsigned char)p[1]);
	else
		*ok = put(line, p, n);
	return n ? n : 1;
}

static bool put_masked(struct line *line, struct str masked)
{
	size_t i = 0;
	bool ok = true;

	while (i < masked.len && ok)
		i += put_char(line, masked.ptr + i, masked.len - i, &ok);
	return ok;
}

static void put_inside(struct line *line, struct str value)
{
	size_t i = 0, secret, personal, masked_len, begin = line->len;
	char masked[MASK_MAX];
	bool ok = true;

	while (i < value.len && ok) {
		if (line->len - begin > VALUE_MAX) {
			put(line, cut_mark.ptr, cut_mark.len);
			return;
		}
		secret = secret_at(value.ptr + i, value.len - i);
		personal = secret ? 0 : mask_at(value, i, masked, &masked_len);
		if (secret) {
			ok = put(line, "[secret]", 8);
			i += secret;
		} else if (personal) {
			ok = put_masked(line, (struct str){masked, masked_len});
			i += personal;
		} else {
			i += put_char(line, value.ptr + i, value.len - i, &ok);
		}
	}
}

static bool is_bare(struct str value)
{
	size_t i;

	for (i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.ptr[i];
		if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c >= 0x7f)
			return false;
	}
	return value.len > 0;
}

/* A pair that does not fit whole is left out rather than cut inside its quotes. */
static void put_pair(struct line *line, const char *key, struct str value)
{
	size_t begin = line->len;
	bool quotes = line->json || !is_bare(value), ok;

	ok = put(line, line->json ? ",\"" : " ", line->json ? 2 : 1);
	ok = ok && put(line, key, strlen(key)) && put(line, "\":", line->json ? 2 : 0);
	ok = ok && put(line, line->json ? "" : "=", line->json ? 0 : 1);
	ok = ok && put(line, "\"", quotes ? 1 : 0);
	if (ok)
		put_inside(line, value);
	if (!ok || !put(line, "\"", quotes ? 1 : 0))
		line->len = begin;
}

static void begin_line(struct line *line, enum log_level level)
{
	static const char *const names[] = {"debug", "info", "warn", "error"};
	char time[CLOCK_TEXT];

	clock_utc(time, clock_now_ms());
	line->len = 0;
	line->json = __atomic_load_n(&line_format, __ATOMIC_RELAXED) == LOG_JSON;
	put_pair(line, "time", str_of(time));
	put_pair(line, "level", str_of(names[level]));
	line->text[0] = '{'; /* was the comma or space in front of the first pair */
}

static void end_line(struct line *line)
{
	const char *text = line->json ? line->text : line->text + 1;
	size_t len;
	ssize_t written;

	if (line->json)
		line->text[line->len++] = '}';
	line->text[line->len++] = '\n';
	len = (size_t)(line->text + line->len - text);
	written = write(STDERR_FILENO, text, len);
	(void)written; /* there is no other place to complain to */
}

static void put_value(struct line *line, const char *key, const char *value)
{
	char masked[MASK_MAX];
	struct str text = str_of(value);

	if (is_personal(key))
		text = (struct str){masked, mask_one(masked, text)};
	put_pair(line, key, text);
}

void log_line(enum log_level level, const char *message, ...)
{
	struct line line;
	const char *key;
	va_list args;

	if (level < __atomic_load_n(&least_level, __ATOMIC_RELAXED))
		return;
	pthread_rwlock_rdlock(&secrets_lock);
	begin_line(&line, level);
	put_pair(&line, "msg", str_of(message));
	va_start(args, message);
	while ((key = va_arg(args, const char *))) {
		const char *value = va_arg(args, const char *);
		if (value)
			put_value(&line, key, value);
	}
	va_end(args);
	pthread_rwlock_unlock(&secrets_lock);
	end_line(&line);
}
