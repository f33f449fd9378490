/* keys.c - the key store: files of STATE/keys/, read at start, made at first use. Never writes a
 * key in clear but the master's, never overwrites a file. Any thread; one lock, held over a file's
 * fsync only when an owner gets its first key. */
#include "store/keys.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX 1024
#define OWNER_MAX 200
#define PERSON_MAX 512 /* what follows does not count for a mark */
#define WRAPPED KEYS_WRAPPED

struct entry {
	struct entry *next;
	struct key key;
	char owner[OWNER_MAX + 1]; /* tenant; empty: the host */
};

struct keys {
	char directory[4096];
	uint8_t master[CRYPTO_KEY];
	uint8_t person[CRYPTO_KEY]; /* of marks */
	pthread_mutex_t lock;
	struct entry *first;
	struct persons *persons;
	bool may_create;
};

/* ---- text of a file ----------------------------------------------------------------------- */

static void to_hex(char *out, const uint8_t *bytes, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

static bool from_hex(uint8_t *out, const char *text, size_t n)
{
	unsigned byte;
	size_t i;

	if (strlen(text) != 2 * n || strspn(text, "0123456789abcdef") != 2 * n)
		return false;
	for (i = 0; i < n && sscanf(text + 2 * i, "%2x", &byte) == 1; i++)
		out[i] = (uint8_t)byte;
	return true;
}

/* The value of "name value\n" in text, copied; NULL-safe on a file that is cut off. */
static bool get_line(const char *text, const char *name, char *out, size_t size)
{
	size_t len = strlen(name), n;

	while (text && *text) {
		n = strcspn(text, "\n");
		if (strncmp(text, name, len) == 0 && text[len] == ' ' && text[n] == '\n' &&
			n - len - 1 < size) {
			memcpy(out, text + len + 1, n - len - 1);
			out[n - len - 1] = '\0';
			return true;
		}
		text = text[n] ? text + n + 1 : NULL;
	}
	return false;
}

/* ---- files -------------------------------------------------------------------------------- */

static int fail_file(struct error *error, struct keys *keys, const char *doing, const char *name)
{
	int code = errno == EACCES || errno == EPERM ? E_DENIED : E_IO;

	return error_set(
		error, code, "cannot %s %s/%s: %s", doing, keys->directory, name, strerror(errno));
}

static bool write_all(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(fd, text, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		text += n;
		len -= (size_t)n;
	}
	return true;
}

static bool sync_directory(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = fd >= 0 && fsync(fd) == 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

/* Under its name only when it is whole and on disk: a torn key would be a lost key. */
static int create_file(struct error *error, struct keys *keys, const char *name, const char *text)
{
	char path[4400], draft[4400];
	bool ok;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", keys->directory, name);
	snprintf(draft, sizeof(draft), "%s/.%s.new", keys->directory, name);
	unlink(draft);
	fd = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail_file(error, keys, "create key file", name);
	ok = write_all(fd, text, strlen(text)) && fsync(fd) == 0;
	ok = close(fd) == 0 && ok;
	ok = ok && link(draft, path) == 0 && sync_directory(keys->directory);
	if (!ok) {
		fail_file(error, keys, "write key file", name);
		unlink(draft);
		return error ? error->code : E_IO;
	}
	unlink(draft);
	return 0;
}

static int read_file(struct error *error, struct keys *keys, const char *name, char text[FILE_MAX])
{
	char path[4400];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", keys->directory, name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT)
		return error_set(error, E_NOTFOUND, "there is no key file %s", path);
	if (fd < 0)
		return fail_file(error, keys, "open key file", name);
	n = read(fd, text, FILE_MAX - 1);
	if (n < 0)
		fail_file(error, keys, "read key file", name);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n < 0 ? E_IO : 0;
}

static int damaged(struct error *error, struct keys *keys, const char *name, const char *why)
{
	return error_set(error, E_CORRUPT,
		"key file %s/%s %s: put back the keys directory that belongs "
		"to this store",
		keys->directory, name, why);
}

/* ---- master key --------------------------------------------------------------------------- */

static int make_master(struct error *error, struct keys *keys)
{
	char hex[2 * CRYPTO_KEY + 1], text[FILE_MAX];
	int rc;

	crypto_random(keys->master, CRYPTO_KEY);
	to_hex(hex, keys->master, CRYPTO_KEY);
	snprintf(text, sizeof(text),
		"klinke-key 1\n"
		"# Wraps all other keys here. Without it nothing that was received can be read.\n"
		"master %s\n",
		hex);
	rc = create_file(error, keys, "master.key", text);
	crypto_wipe(hex, sizeof(hex));
	crypto_wipe(text, sizeof(text));
	return rc;
}

static int load_master(struct error *error, struct keys *keys)
{
	char text[FILE_MAX], hex[2 * CRYPTO_KEY + 1] = "";
	int rc;

	rc = read_file(error, keys, "master.key", text);
	if (rc == E_NOTFOUND && keys->may_create)
		return make_master(error, keys);
	if (!rc && (!get_line(text, "master", hex, sizeof(hex)) ||
			   !from_hex(keys->master, hex, CRYPTO_KEY)))
		rc = damaged(error, keys, "master.key", "is damaged");
	crypto_wipe(hex, sizeof(hex));
	crypto_wipe(text, sizeof(text));
	return rc;
}

/* ---- wrapped keys ------------------------------------------------------------------------- */

static int wrap_key(struct error *error, const struct keys *keys, struct str bound,
	const uint8_t key[CRYPTO_KEY], char hex[2 * WRAPPED + 1])
{
	uint8_t wrapped[WRAPPED];

	crypto_random(wrapped, CRYPTO_NONCE);
	if (!crypto_seal(keys->master, wrapped, bound, (struct str){(const char *)key, CRYPTO_KEY},
		    wrapped + CRYPTO_NONCE))
		return error_set(error, E_NOMEM, "no memory to wrap a key");
	to_hex(hex, wrapped, WRAPPED);
	return 0;
}

static int unwrap_key(struct error *error, struct keys *keys, const char *name, const char *text,
	struct str bound, uint8_t key[CRYPTO_KEY])
{
	uint8_t wrapped[WRAPPED];
	char hex[2 * WRAPPED + 1];

	if (!get_line(text, "wrapped", hex, sizeof(hex)) || !from_hex(wrapped, hex, WRAPPED))
		return damaged(error, keys, name, "is damaged");
	if (!crypto_unseal(keys->master, wrapped, bound,
		    (struct str){(const char *)wrapped + CRYPTO_NONCE, CRYPTO_KEY + CRYPTO_TAG},
		    key))
		return damaged(error, keys, name, "does not belong to master.key");
	return 0;
}

/* ---- the key of marks --------------------------------------------------------------------- */

#define PERSON_FILE "person.key"
#define PERSON_BOUND STR("klinke person marks")

static int make_person(struct error *error, struct keys *keys)
{
	char hex[2 * WRAPPED + 1], text[FILE_MAX];
	int rc;

	crypto_random(keys->person, CRYPTO_KEY);
	rc = wrap_key(error, keys, PERSON_BOUND, keys->person, hex);
	if (rc)
		return rc;
	snprintf(text, sizeof(text), "klinke-key 1\n# Finds a person's rows.\nwrapped %s\n", hex);
	return create_file(error, keys, PERSON_FILE, text);
}

static int load_person(struct error *error, struct keys *keys)
{
	char text[FILE_MAX];
	int rc;

	rc = read_file(error, keys, PERSON_FILE, text);
	if (rc == E_NOTFOUND)
		return keys->may_create ? make_person(error, keys)
					: damaged(error, keys, PERSON_FILE, "is missing");
	return rc ? rc : unwrap_key(error, keys, PERSON_FILE, text, PERSON_BOUND, keys->person);
}

/* ---- owners' keys ------------------------------------------------------------------------- */

static void name_of(char name[32], uint64_t number)
{
	snprintf(name, 32, "%016" PRIx64 ".key", number);
}

/* The owner is bound to its key, so that files cannot be exchanged under one another. */
static struct str bound_to(const struct entry *entry)
{
	return str_of(entry->owner);
}

static int save_entry(struct error *error, struct keys *keys, const struct entry *entry)
{
	char hex[2 * WRAPPED + 1], text[FILE_MAX], name[32];
	int rc;

	rc = wrap_key(error, keys, bound_to(entry), entry->key.bytes, hex);
	if (rc)
		return rc;
	snprintf(text, sizeof(text), "klinke-key 1\nowner %s\nwrapped %s\n",
		*entry->owner ? entry->owner : "-", hex);
	name_of(name, entry->key.number);
	return create_file(error, keys, name, text);
}

static int parse_entry(struct error *error, struct keys *keys, const char *name, const char *text,
	struct entry *entry)
{
	if (!get_line(text, "owner", entry->owner, sizeof(entry->owner)))
		return damaged(error, keys, name, "is damaged");
	if (strcmp(entry->owner, "-") == 0)
		*entry->owner = '\0';
	return unwrap_key(error, keys, name, text, bound_to(entry), entry->key.bytes);
}

static void push(struct keys *keys, struct entry *entry)
{
	entry->next = keys->first;
	keys->first = entry;
}

static void free_entry(struct entry *entry)
{
	crypto_wipe(&entry->key, sizeof(entry->key));
	free(entry);
}

static int load_entry(struct error *error, struct keys *keys, uint64_t number)
{
	struct entry *entry = calloc(1, sizeof(*entry));
	char name[32], text[FILE_MAX];
	int rc;

	if (!entry)
		return error_set(error, E_NOMEM, "no memory for a key");
	entry->key.number = number;
	name_of(name, number);
	rc = read_file(error, keys, name, text);
	if (!rc)
		rc = parse_entry(error, keys, name, text, entry);
	if (rc)
		free_entry(entry);
	else
		push(keys, entry);
	return rc;
}

static int load_entries(struct error *error, struct keys *keys)
{
	DIR *dir = opendir(keys->directory);
	struct dirent *file;
	uint64_t number;
	char name[32];
	int rc = 0;

	if (!dir)
		return fail_file(error, keys, "list", "");
	while (!rc && (file = readdir(dir))) {
		if (sscanf(file->d_name, "%16" SCNx64, &number) != 1)
			continue;
		name_of(name, number);
		if (strcmp(name, file->d_name) == 0)
			rc = load_entry(error, keys, number);
	}
	closedir(dir);
	return rc;
}

/* Never one that looks like a person's. */
static void make_key(struct key *key)
{
	crypto_random(key, sizeof(*key));
	key->number &= ~SEAL_PERSON;
}

static int make_entry(struct error *error, struct keys *keys, struct str owner, struct entry **out)
{
	struct entry *entry;
	size_t i;
	int rc;

	for (i = 0; i < owner.len; i++)
		if ((unsigned char)owner.ptr[i] <= ' ' || owner.len > OWNER_MAX)
			return error_set(error, E_INVALID,
				"a tenant's name must be at most %d characters without blanks",
				OWNER_MAX);
	if (!keys->may_create)
		return error_set(error, E_DENIED, "the key store is open for reading only");
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return error_set(error, E_NOMEM, "no memory for a key");
	if (owner.len)
		memcpy(entry->owner, owner.ptr, owner.len);
	make_key(&entry->key);
	rc = save_entry(error, keys, entry);
	if (rc)
		free_entry(entry);
	else
		push(keys, *out = entry);
	return rc;
}

static struct entry *find_owner(struct keys *keys, struct str owner)
{
	struct entry *entry = keys->first;

	while (entry && !str_is(owner, entry->owner))
		entry = entry->next;
	return entry;
}

static struct entry *find_number(struct keys *keys, uint64_t number)
{
	struct entry *entry = keys->first;

	while (entry && entry->key.number != number)
		entry = entry->next;
	return entry;
}

/* ---- calls -------------------------------------------------------------------------------- */

int keys_open(struct error *error, struct keys **out, const char *state_directory, bool create)
{
	struct keys *keys = calloc(1, sizeof(*keys));
	int rc = 0;

	if (!keys)
		return error_set(error, E_NOMEM, "no memory for the key store");
	keys->may_create = create;
	pthread_mutex_init(&keys->lock, NULL);
	snprintf(keys->directory, sizeof(keys->directory), "%s/keys", state_directory);
	keys->persons = persons_create(keys->directory);
	if (!keys->persons)
		rc = error_set(error, E_NOMEM, "no memory for the key store");
	if (create && !rc && mkdir(keys->directory, 0700) != 0 && errno != EEXIST)
		rc = fail_file(error, keys, "create directory", "");
	if (create && !rc && !sync_directory(state_directory))
		rc = fail_file(error, keys, "save directory", "");
	if (!rc)
		rc = load_master(error, keys);
	if (!rc)
		rc = load_person(error, keys);
	if (!rc)
		rc = load_entries(error, keys);
	if (rc)
		keys_close(keys);
	else
		*out = keys;
	return rc;
}

void keys_allow(struct keys *keys, bool create)
{
	keys->may_create = create;
	if (create)
		persons_keep(keys->persons);
}

void keys_close(struct keys *keys)
{
	if (!keys)
		return;
	while (keys->first) {
		struct entry *next = keys->first->next;
		free_entry(keys->first);
		keys->first = next;
	}
	persons_close(keys->persons);
	pthread_mutex_destroy(&keys->lock);
	crypto_wipe(keys, sizeof(*keys));
	free(keys);
}

void keys_check(const struct keys *keys, uint8_t out[SEAL_CHECK])
{
	uint8_t mac[CRYPTO_HASH_MAX];
	struct str piece = STR("klinke key store");
	size_t n;

	n = crypto_hmac(
		"sha256", (struct str){(const char *)keys->master, CRYPTO_KEY}, &piece, 1, mac);
	assert(n >= SEAL_CHECK);
	memcpy(out, mac, SEAL_CHECK);
}

/* An address is the same in capitals; everything else is taken as it is. */
static void normalize(struct str person, char *out)
{
	bool address = memchr(person.ptr, '@', person.len) != NULL;
	size_t i;

	for (i = 0; i < person.len; i++) {
		char c = person.ptr[i];
		out[i] = address && c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
	}
}

int keys_mark_text(struct error *error, const struct keys *keys, const struct str *pieces,
	size_t count, uint8_t *out, size_t n)
{
	struct str key = {(const char *)keys->person, CRYPTO_KEY};
	uint8_t mac[CRYPTO_HASH_MAX];

	if (crypto_hmac("sha256", key, pieces, count, mac) < n)
		return error_set(error, E_NOMEM, "no memory to mark a person");
	memcpy(out, mac, n);
	return 0;
}

int keys_mark(struct error *error, const struct keys *keys, struct str tenant, struct str person,
	uint8_t out[KEYS_MARK])
{
	char text[PERSON_MAX];
	struct str pieces[] = {tenant, {"", 1}, {text, 0}};
	int rc;

	person.len = person.len < sizeof(text) ? person.len : sizeof(text);
	pieces[2].len = person.len;
	normalize(person, text);
	rc = keys_mark_text(error, keys, pieces, 3, out, KEYS_MARK);
	crypto_wipe(text, sizeof(text));
	return rc;
}

int keys_of_owner(struct error *error, struct keys *keys, struct str owner, struct key *key)
{
	struct entry *entry;
	int rc = 0;

	pthread_mutex_lock(&keys->lock);
	entry = find_owner(keys, owner);
	if (!entry)
		rc = make_entry(error, keys, owner, &entry);
	if (!rc)
		*key = entry->key;
	pthread_mutex_unlock(&keys->lock);
	return rc;
}

bool keys_next_owner(struct keys *keys, void **place, char owner[KEYS_OWNER])
{
	struct entry *entry;

	pthread_mutex_lock(&keys->lock);
	entry = *place ? ((struct entry *)*place)->next : keys->first;
	if (entry)
		snprintf(owner, KEYS_OWNER, "%s", entry->owner);
	*place = entry;
	pthread_mutex_unlock(&keys->lock);
	return entry != NULL;
}

static int tenant_by_number(
	struct error *error, struct keys *keys, uint64_t number, struct key *key)
{
	struct entry *entry;
	int rc = 0;

	pthread_mutex_lock(&keys->lock);
	entry = find_number(keys, number);
	if (!entry) { /* another process may have made it since */
		rc = load_entry(error, keys, number);
		entry = keys->first;
	}
	if (!rc)
		*key = entry->key;
	pthread_mutex_unlock(&keys->lock);
	return rc;
}

/* ---- persons ------------------------------------------------------------------------------ */

/* The number is bound to its key, so that rows of persons.db cannot be exchanged. */
static struct str number_text(const struct person *person)
{
	return (struct str){(const char *)&person->number, sizeof(person->number)};
}

static int open_person(struct error *error, struct keys *keys, const struct person *person,
	unsigned forgets, struct key *key)
{
	struct key tenant;
	bool ok;
	int rc;

	rc = tenant_by_number(error, keys, person->tenant, &tenant);
	if (rc)
		return rc;
	ok = crypto_unseal(tenant.bytes, person->wrapped, number_text(person),
		(struct str){(const char *)person->wrapped + CRYPTO_NONCE, CRYPTO_KEY + CRYPTO_TAG},
		key->bytes);
	crypto_wipe(&tenant, sizeof(tenant));
	if (!ok)
		return damaged(error, keys, "persons.db", "is damaged, or another store's");
	key->number = person->number;
	persons_remember(keys->persons, person, key->bytes, forgets);
	return 0;
}

static int wrap_person(
	struct error *error, const struct key *tenant, const struct key *key, struct person *person)
{
	person->number = key->number;
	person->tenant = tenant->number;
	crypto_random(person->wrapped, CRYPTO_NONCE);
	if (crypto_seal(tenant->bytes, person->wrapped, number_text(person),
		    (struct str){(const char *)key->bytes, CRYPTO_KEY},
		    person->wrapped + CRYPTO_NONCE))
		return 0;
	return error_set(error, E_NOMEM, "no memory to wrap a key");
}

static int find_or_make(struct error *error, struct keys *keys, struct str tenant,
	struct person *person, struct key *key)
{
	struct key wrapping;
	bool made = false;
	int rc;

	if (!keys->may_create)
		return persons_find(error, keys->persons, person->mark, person);
	rc = keys_of_owner(error, keys, tenant, &wrapping);
	if (rc)
		return rc;
	crypto_random(key, sizeof(*key));
	key->number |= SEAL_PERSON;
	rc = wrap_person(error, &wrapping, key, person);
	crypto_wipe(&wrapping, sizeof(wrapping));
	return rc ? rc : persons_find_or_add(error, keys->persons, person, key->bytes, &made);
}

int keys_of_mark(struct error *error, struct keys *keys, struct str tenant,
	const uint8_t mark[KEYS_MARK], uint64_t *number)
{
	struct person person = {0};
	struct key key;
	int rc;

	if (persons_kept_mark(keys->persons, mark, number))
		return 0;
	memcpy(person.mark, mark, KEYS_MARK);
	rc = find_or_make(error, keys, tenant, &person, &key);
	crypto_wipe(&key, sizeof(key));
	if (rc)
		return rc;
	*number = person.number;
	rc = keys_by_number(error, keys, *number, &key); /* so that it is kept */
	crypto_wipe(&key, sizeof(key));
	return rc;
}

int keys_by_number(struct error *error, struct keys *keys, uint64_t number, struct key *key)
{
	struct person person;
	unsigned forgets;
	int rc;

	if (!(number & SEAL_PERSON))
		return tenant_by_number(error, keys, number, key);
	if (persons_kept(keys->persons, number, key))
		return 0;
	rc = persons_by_number(error, keys->persons, number, &person, &forgets);
	return rc ? rc : open_person(error, keys, &person, forgets, key);
}

int keys_flush(struct error *error, struct keys *keys)
{
	return persons_flush(error, keys->persons);
}

int keys_forget_person(struct error *error, struct keys *keys, const uint8_t mark[KEYS_MARK],
	int64_t at_ms, struct keys_gone *gone)
{
	return persons_forget(error, keys->persons, mark, at_ms, gone);
}

int keys_bury(struct error *error, struct keys *keys, const struct keys_gone *gone)
{
	return persons_bury(error, keys->persons, gone);
}

int keys_search(struct error *error, struct keys *keys, bool *more)
{
	return persons_search(error, keys->persons, more);
}

int keys_list_gone(struct error *error, struct keys *keys, struct arena *arena,
	struct keys_gone **gone, size_t *count)
{
	return persons_list_gone(error, keys->persons, arena, gone, count);
}

int keys_has(struct error *error, struct keys *keys, uint64_t number, bool *there)
{
	struct person person;
	struct key key;
	unsigned forgets;
	int rc;

	if (number & SEAL_PERSON)
		rc = persons_by_number(error, keys->persons, number, &person, &forgets);
	else
		rc = tenant_by_number(error, keys, number, &key);
	crypto_wipe(&key, sizeof(key));
	*there = !rc;
	if (rc == E_NOTFOUND && error)
		*error = (struct error){0};
	return rc == E_NOTFOUND ? 0 : rc;
}

int keys_find_person(
	struct error *error, struct keys *keys, const uint8_t mark[KEYS_MARK], uint64_t *number)
{
	struct person person;
	int rc = persons_find(error, keys->persons, mark, &person);

	*number = rc ? 0 : person.number;
	if (rc == E_NOTFOUND && error)
		*error = (struct error){0};
	return rc == E_NOTFOUND ? 0 : rc;
}

unsigned keys_forgets(const struct keys *keys)
{
	return persons_forgets(keys->persons);
}
