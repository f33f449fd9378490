/* logon.c - see logon.h: a table of fixed size under one lock. Never holds a cookie's value or a
 * credential, so nothing read from here opens anything. Any thread. */
#include "http/logon.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"

#define LOGONS 512
#define OF_ONE_CREDENTIAL 16
#define IDLE_MS ((int64_t)12 * 3600 * 1000)
#define LONGEST_MS ((int64_t)7 * 24 * 3600 * 1000)

struct logon {
	bool open;
	uint8_t id[LOGON_DIGEST], credential[LOGON_DIGEST];
	char tenant[LOGON_TENANT];
	int64_t opened_ms, used_ms;
};

struct logons {
	pthread_mutex_t lock;
	uint8_t (*allowed)[LOGON_DIGEST]; /* credentials that open sessions */
	size_t allowed_count;
	struct logon rows[LOGONS];
};

struct logons *logons_create(void)
{
	struct logons *s = calloc(1, sizeof(*s));

	if (s)
		pthread_mutex_init(&s->lock, NULL);
	return s;
}

void logons_destroy(struct logons *s)
{
	if (!s)
		return;
	pthread_mutex_destroy(&s->lock);
	free(s->allowed);
	free(s);
}

static bool digest(struct str text, const char *tenant, uint8_t out[LOGON_DIGEST])
{
	const struct str pieces[] = {str_of(tenant), STR("\n"), text};
	uint8_t hash[CRYPTO_HASH_MAX];

	if (crypto_hash("sha256", pieces, 3, hash) != LOGON_DIGEST)
		return false;
	memcpy(out, hash, LOGON_DIGEST);
	return true;
}

static bool same(const uint8_t a[LOGON_DIGEST], const uint8_t b[LOGON_DIGEST])
{
	return crypto_equal((struct str){(const char *)a, LOGON_DIGEST},
		(struct str){(const char *)b, LOGON_DIGEST});
}

static bool is_over(const struct logon *row, int64_t now_ms)
{
	return !row->open || now_ms - row->used_ms > IDLE_MS ||
	       now_ms - row->opened_ms > LONGEST_MS;
}

/* A free row, or the one that was not used for longest: of this credential's if it has as many as
 * it may, else of all. */
static struct logon *place(struct logons *s, const uint8_t credential[LOGON_DIGEST], int64_t now_ms)
{
	struct logon *empty = NULL, *oldest = &s->rows[0], *own = NULL;
	size_t mine = 0;

	for (size_t i = 0; i < LOGONS; i++) {
		struct logon *row = &s->rows[i];
		if (is_over(row, now_ms)) {
			empty = row;
			continue;
		}
		if (row->used_ms < oldest->used_ms)
			oldest = row;
		if (!same(row->credential, credential))
			continue;
		mine++;
		if (!own || row->used_ms < own->used_ms)
			own = row;
	}
	return mine >= OF_ONE_CREDENTIAL ? own : empty ? empty : oldest;
}

static bool is_allowed(const struct logons *s, const uint8_t credential[LOGON_DIGEST]) /* locked */
{
	for (size_t i = 0; i < s->allowed_count; i++)
		if (same(s->allowed[i], credential))
			return true;
	return false;
}

bool logon_open(struct logons *s, struct str credential, const char *tenant, int64_t now_ms,
	char id[LOGON_ID])
{
	struct logon fresh = {.open = true, .opened_ms = now_ms, .used_ms = now_ms};
	uint8_t random[(LOGON_ID - 1) / 2];
	bool allowed;

	if (strlen(tenant) >= LOGON_TENANT || !digest(credential, tenant, fresh.credential))
		return false;
	strcpy(fresh.tenant, tenant);
	crypto_random(random, sizeof(random));
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(id + 2 * i, 3, "%02x", random[i]);
	if (!digest(str_of(id), "", fresh.id))
		return false;
	pthread_mutex_lock(&s->lock);
	allowed = is_allowed(s, fresh.credential);
	if (allowed)
		*place(s, fresh.credential, now_ms) = fresh;
	pthread_mutex_unlock(&s->lock);
	return allowed;
}

static struct logon *find(struct logons *s, struct str id) /* locked */
{
	uint8_t hash[LOGON_DIGEST];

	if (id.len != LOGON_ID - 1 || !digest(id, "", hash))
		return NULL;
	for (size_t i = 0; i < LOGONS; i++)
		if (s->rows[i].open && same(s->rows[i].id, hash))
			return &s->rows[i];
	return NULL;
}

bool logon_find(struct logons *s, struct str id, int64_t now_ms, char tenant[LOGON_TENANT])
{
	struct logon *row;
	bool found;

	pthread_mutex_lock(&s->lock);
	row = find(s, id);
	found = row && !is_over(row, now_ms);
	if (found) {
		row->used_ms = now_ms;
		memcpy(tenant, row->tenant, LOGON_TENANT);
	}
	pthread_mutex_unlock(&s->lock);
	return found;
}

void logon_close(struct logons *s, struct str id)
{
	struct logon *row;

	pthread_mutex_lock(&s->lock);
	row = find(s, id);
	if (row)
		memset(row, 0, sizeof(*row));
	pthread_mutex_unlock(&s->lock);
}

bool logons_allow(struct logons *s, const struct logon_credential *list, size_t count)
{
	uint8_t(*allowed)[LOGON_DIGEST] = calloc(count + 1, sizeof(*allowed)),
	(*before)[LOGON_DIGEST];
	size_t n = 0;

	while (allowed && n < count && digest(list[n].secret, list[n].tenant, allowed[n]))
		n++;
	if (!allowed || n < count) {
		free(allowed);
		return false;
	}
	pthread_mutex_lock(&s->lock);
	before = s->allowed;
	s->allowed = allowed;
	s->allowed_count = count;
	for (size_t i = 0; i < LOGONS; i++)
		if (s->rows[i].open && !is_allowed(s, s->rows[i].credential))
			memset(&s->rows[i], 0, sizeof(s->rows[i]));
	pthread_mutex_unlock(&s->lock);
	free(before);
	return true;
}
