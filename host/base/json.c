/* json.c - the tree: reading and building. Any thread may read a tree; one builds it. */
#include "base/json_tree.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"

#define FEW 16 /* members up to which comparing each with each beats sorting */
#define MANY 255

static bool is_container(const struct json *value)
{
	return value && (value->type == JSON_ARRAY || value->type == JSON_OBJECT);
}

/* ---- reading ------------------------------------------------------------------------------ */

enum json_type json_type(const struct json *value)
{
	return value ? (enum json_type)value->type : JSON_NONE;
}

size_t json_count(const struct json *value)
{
	return is_container(value) ? value->len : 0;
}

const struct json *json_at(const struct json *value, size_t i, struct str *key_or_null)
{
	const struct json_member *member = i < json_count(value) ? &value->u.members[i] : NULL;

	if (key_or_null)
		*key_or_null =
			member ? (struct str){member->key, member->key_len} : (struct str){0};
	return member ? member->value : NULL;
}

static struct json_member *find_member(const struct json *object, struct str key)
{
	uint32_t i;

	if (json_type(object) != JSON_OBJECT)
		return NULL;
	for (i = 0; i < object->len; i++) {
		struct json_member *member = &object->u.members[i];
		if (member->key_len == key.len && memcmp(member->key, key.ptr, key.len) == 0)
			return member;
	}
	return NULL;
}

const struct json *json_get(const struct json *object, const char *key)
{
	const struct json_member *member = key ? find_member(object, str_of(key)) : NULL;

	return member ? member->value : NULL;
}

static const struct json *get_index(const struct json *array, struct str digits)
{
	size_t i, index = 0;

	if (!digits.len || digits.len > 9 || (digits.len > 1 && digits.ptr[0] == '0'))
		return NULL;
	for (i = 0; i < digits.len; i++) {
		if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
			return NULL;
		index = 10 * index + (size_t)(digits.ptr[i] - '0');
	}
	return json_at(array, index, NULL);
}

static const struct json *get_segment(const struct json *value, struct str segment)
{
	const struct json_member *member;

	if (json_type(value) == JSON_ARRAY)
		return get_index(value, segment);
	member = find_member(value, segment);
	return member ? member->value : NULL;
}

/* Does the pointer's segment, with ~0 and ~1 undone, equal key? */
static bool segment_is(struct str segment, const char *key, size_t key_len)
{
	size_t i, k = 0;

	for (i = 0; i < segment.len; i++, k++) {
		char c = segment.ptr[i];
		if (c == '~') {
			if (++i == segment.len || (segment.ptr[i] != '0' && segment.ptr[i] != '1'))
				return false;
			c = segment.ptr[i] == '0' ? '~' : '/';
		}
		if (k == key_len || key[k] != c)
			return false;
	}
	return k == key_len;
}

static const struct json *get_escaped(const struct json *value, struct str segment)
{
	uint32_t i;

	if (json_type(value) != JSON_OBJECT || !memchr(segment.ptr, '~', segment.len))
		return get_segment(value, segment);
	for (i = 0; i < value->len; i++)
		if (segment_is(segment, value->u.members[i].key, value->u.members[i].key_len))
			return value->u.members[i].value;
	return NULL;
}

const struct json *json_find(const struct json *value, const char *path)
{
	bool pointer = path && path[0] == '/';

	if (!path || !*path)
		return path ? value : NULL;
	if (pointer)
		path++;
	for (;;) {
		size_t len = strcspn(path, pointer ? "/" : ".");
		struct str segment = {path, len};
		value = pointer ? get_escaped(value, segment) : get_segment(value, segment);
		if (!value || !path[len])
			return value;
		path += len + 1;
	}
}

struct str json_text(const struct json *value)
{
	switch (json_type(value)) {
	case JSON_TEXT:
	case JSON_NUMBER:
		return (struct str){value->u.text, value->len};
	case JSON_BOOL:
		return value->yes ? STR("true") : STR("false");
	default:
		return (struct str){0};
	}
}

struct str json_get_text(const struct json *object, const char *key)
{
	return json_text(json_get(object, key));
}

int64_t json_get_instant(const struct json *object, const char *key)
{
	int64_t ms = 0;

	clock_parse(json_get_text(object, key), NULL, &ms);
	return ms;
}

static bool is_integer(const struct json *number)
{
	return strcspn(number->u.text, ".eE") == number->len;
}

int64_t json_i64(const struct json *value, int64_t otherwise)
{
	long long n;

	if (json_type(value) != JSON_NUMBER || !is_integer(value))
		return otherwise;
	errno = 0;
	n = strtoll(value->u.text, NULL, 10);
	return errno ? otherwise : n;
}

double json_f64(const struct json *value, double otherwise)
{
	double d;

	if (json_type(value) != JSON_NUMBER)
		return otherwise;
	d = strtod(value->u.text, NULL);
	return isfinite(d) ? d : otherwise;
}

bool json_bool(const struct json *value, bool otherwise)
{
	return json_type(value) == JSON_BOOL ? value->yes : otherwise;
}

/* ---- comparing ---------------------------------------------------------------------------- */

static int compare_keys(const void *a, const void *b)
{
	const struct json_member *x = *(const struct json_member *const *)a;
	const struct json_member *y = *(const struct json_member *const *)b;
	int order;

	if (x->key_len != y->key_len)
		return x->key_len < y->key_len ? -1 : 1;
	order = memcmp(x->key, y->key, x->key_len);
	if (order)
		return order;
	return x < y ? -1 : x > y; /* the earlier one first */
}

static bool same_key(const struct json_member *a, const struct json_member *b)
{
	return a->key_len == b->key_len && memcmp(a->key, b->key, a->key_len) == 0;
}

/* Members by key; free() it. NULL: no memory. */
static const struct json_member **sort_members(const struct json *object)
{
	const struct json_member **sorted = malloc((object->len + 1) * sizeof(*sorted));
	uint32_t i;

	if (!sorted)
		return NULL;
	for (i = 0; i < object->len; i++)
		sorted[i] = &object->u.members[i];
	qsort(sorted, object->len, sizeof(*sorted), compare_keys);
	return sorted;
}

/* Chains of keys that look alike at three places: no more than that is needed for so few. */
static long repeated_among_few(const struct json *object)
{
	uint8_t newest[256] = {0}, older[MANY + 1]; /* numbers from 1, 0 ends a chain */
	uint32_t i, k;

	for (i = 0; i < object->len; i++) {
		const struct json_member *member = &object->u.members[i];
		uint8_t hash = (uint8_t)member->key_len;
		if (member->key_len)
			hash = (uint8_t)(hash + 31 * member->key[member->key_len - 1] +
					 7 * member->key[member->key_len / 2] + member->key[0]);
		for (k = newest[hash]; k; k = older[k])
			if (same_key(member, &object->u.members[k - 1]))
				return (long)i;
		older[i + 1] = newest[hash];
		newest[hash] = (uint8_t)(i + 1);
	}
	return -1;
}

long json_repeated(const struct json *object)
{
	const struct json_member **sorted;
	uint32_t i;
	long found = -1;

	if (object->len <= MANY)
		return repeated_among_few(object);
	sorted = sort_members(object);
	if (!sorted)
		return -2;
	for (i = 1; i < object->len; i++) {
		long at = (long)(sorted[i] - object->u.members);
		if (same_key(sorted[i - 1], sorted[i]) && (found < 0 || at < found))
			found = at;
	}
	free(sorted);
	return found;
}

static bool equal_few(const struct json *a, const struct json *b)
{
	uint32_t i;

	for (i = 0; i < a->len; i++) {
		const struct json_member *mine = &a->u.members[i];
		const struct json_member *other =
			find_member(b, (struct str){mine->key, mine->key_len});
		if (!other || !json_equal(mine->value, other->value))
			return false;
	}
	return true;
}

static bool equal_objects(const struct json *a, const struct json *b)
{
	const struct json_member **x, **y;
	bool equal = false;
	uint32_t i;

	if (a->len <= FEW)
		return equal_few(a, b);
	x = sort_members(a);
	y = sort_members(b);
	if (x && y)
		for (i = 0, equal = true; i < a->len && equal; i++)
			equal = same_key(x[i], y[i]) && json_equal(x[i]->value, y[i]->value);
	else
		equal = equal_few(a, b);
	free(x);
	free(y);
	return equal;
}

static bool equal_numbers(const struct json *a, const struct json *b)
{
	if (str_eq(json_text(a), json_text(b)))
		return true;
	if (is_integer(a) && is_integer(b)) /* only -0 has two spellings */
		return json_i64(a, 1) == 0 && json_i64(b, 1) == 0;
	return strtod(a->u.text, NULL) == strtod(b->u.text, NULL);
}

static bool equal_arrays(const struct json *a, const struct json *b)
{
	uint32_t i;

	for (i = 0; i < a->len; i++)
		if (!json_equal(a->u.members[i].value, b->u.members[i].value))
			return false;
	return true;
}

bool json_equal(const struct json *a, const struct json *b)
{
	if (a == b)
		return true;
	if (json_type(a) != json_type(b))
		return false;
	switch (json_type(a)) {
	case JSON_BOOL:
		return a->yes == b->yes;
	case JSON_NUMBER:
		return equal_numbers(a, b);
	case JSON_TEXT:
		return str_eq(json_text(a), json_text(b));
	case JSON_ARRAY:
		return a->len == b->len && equal_arrays(a, b);
	case JSON_OBJECT:
		return a->len == b->len && equal_objects(a, b);
	default:
		return true;
	}
}

/* ---- building ----------------------------------------------------------------------------- */

static struct json *make(struct arena *arena, enum json_type type, bool container)
{
	struct json *node = arena_alloc(arena, sizeof(*node));

	if (!node)
		return NULL;
	node->type = (uint8_t)type;
	node->frozen = !container;
	node->depth = container;
	return node;
}

struct json *json_object(struct arena *arena)
{
	return make(arena, JSON_OBJECT, true);
}

struct json *json_array(struct arena *arena)
{
	return make(arena, JSON_ARRAY, true);
}

/* Trees are shared by threads once they are complete, so the mark is set with an atomic: two
 * threads may put the same finished value into trees of their own. */
static void freeze(const struct json *value)
{
	uint8_t *frozen = &((struct json *)value)->frozen;

	if (!__atomic_load_n(frozen, __ATOMIC_RELAXED))
		__atomic_store_n(frozen, 1, __ATOMIC_RELAXED);
}

/* Freezing first makes a value that is put into itself a refusal, not a cycle. */
static bool may_contain(struct arena *arena, struct json *container, const struct json *value)
{
	freeze(value);
	if (!__atomic_load_n(&container->frozen, __ATOMIC_RELAXED) && value->depth < JSON_DEPTH)
		return true;
	arena_fail(arena);
	return false;
}

static bool grow(struct arena *arena, struct json *container)
{
	uint32_t cap = container->cap ? 2 * container->cap : 4;
	struct json_member *members;

	if (cap > UINT32_MAX / sizeof(*members)) {
		arena_fail(arena);
		return false;
	}
	members = arena_take(arena, cap * sizeof(*members));
	if (!members)
		return false;
	if (container->len)
		memcpy(members, container->u.members, container->len * sizeof(*members));
	container->u.members = members;
	container->cap = cap;
	return true;
}

static void deepen(struct json *container, const struct json *value)
{
	if (container->depth <= value->depth)
		container->depth = (uint8_t)(value->depth + 1);
}

bool json_append(
	struct arena *arena, struct json *container, struct str key, const struct json *value)
{
	if (!may_contain(arena, container, value))
		return false;
	if (container->len == container->cap && !grow(arena, container))
		return false;
	container->u.members[container->len++] =
		(struct json_member){.key = key.ptr, .key_len = (uint32_t)key.len, .value = value};
	deepen(container, value);
	return true;
}

/* Text from elsewhere need not be UTF-8 or free of NULs; a tree must be. What is malformed becomes
 * U+FFFD, as browsers do it. */
static char *copy_clean(struct arena *arena, struct str text, size_t *len)
{
	size_t i = 0, n, out = 0;
	char *copy = text.len < UINT32_MAX / 4 ? arena_take(arena, 3 * text.len + 1) : NULL;

	if (!copy) {
		arena_fail(arena);
		return NULL;
	}
	while (i < text.len) {
		n = text.ptr[i] ? str_utf8_len(text.ptr + i, text.len - i) : 0;
		if (n)
			memcpy(copy + out, text.ptr + i, n);
		else
			memcpy(copy + out, "\xef\xbf\xbd", 3);
		out += n ? n : 3;
		i += n ? n : 1;
	}
	copy[out] = '\0';
	*len = out;
	return copy;
}

static char *copy_text(struct arena *arena, struct str text, size_t *len)
{
	*len = text.len;
	if (text.len < UINT32_MAX / 4 && str_utf8_ok(text) &&
		(!text.len || !memchr(text.ptr, 0, text.len)))
		return arena_strndup(arena, text.ptr, text.len);
	return copy_clean(arena, text, len);
}

static bool replace(
	struct arena *arena, struct json *object, struct str key, const struct json *value)
{
	struct json_member *member = find_member(object, key);

	if (!member)
		return false;
	if (may_contain(arena, object, value)) {
		member->value = value;
		deepen(object, value);
	}
	return true;
}

void json_set(struct arena *arena, struct json *object, struct str key, const struct json *value)
{
	struct str copy;

	if (json_type(object) != JSON_OBJECT || !value || !key.ptr ||
		replace(arena, object, key, value))
		return;
	copy.ptr = copy_text(arena, key, &copy.len);
	if (!copy.ptr)
		return;
	/* A cleaned key may equal another one. */
	if (copy.len == key.len || !replace(arena, object, copy, value))
		json_append(arena, object, copy, value);
}

void json_push(struct arena *arena, struct json *array, const struct json *value)
{
	if (json_type(array) == JSON_ARRAY && value)
		json_append(arena, array, (struct str){0}, value);
}

const struct json *json_of_text(struct arena *arena, struct str text)
{
	struct json *node = text.ptr ? make(arena, JSON_TEXT, false) : NULL;
	size_t len;

	if (!node)
		return NULL;
	node->u.text = copy_text(arena, text, &len);
	node->len = (uint32_t)len;
	return node->u.text ? node : NULL;
}

static size_t skip_digits(const char *text, size_t at, size_t len)
{
	while (at < len && text[at] >= '0' && text[at] <= '9')
		at++;
	return at;
}

size_t json_number_len(const char *text, size_t len)
{
	size_t at = len && text[0] == '-', begin = at;

	at = at < len && text[at] == '0' ? at + 1 : skip_digits(text, at, len);
	if (at == begin)
		return 0;
	if (at < len && text[at] == '.') {
		begin = at + 1;
		at = skip_digits(text, begin, len);
		if (at == begin)
			return 0;
	}
	if (at < len && (text[at] == 'e' || text[at] == 'E')) {
		at++;
		if (at < len && (text[at] == '+' || text[at] == '-'))
			at++;
		begin = at;
		at = skip_digits(text, begin, len);
		if (at == begin)
			return 0;
	}
	return at;
}

const struct json *json_of_number(struct arena *arena, struct str digits)
{
	struct json *node;

	if (!digits.len || digits.len >= UINT32_MAX ||
		json_number_len(digits.ptr, digits.len) != digits.len)
		return NULL;
	node = make(arena, JSON_NUMBER, false);
	if (!node)
		return NULL;
	node->u.text = arena_strndup(arena, digits.ptr, digits.len);
	node->len = (uint32_t)digits.len;
	return node->u.text ? node : NULL;
}

const struct json *json_of_i64(struct arena *arena, int64_t n)
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRId64, n);

	return json_of_number(arena, (struct str){digits, (size_t)len});
}

/* The shortest digits that read back as the same number. JSON knows no infinity: null. */
const struct json *json_of_f64(struct arena *arena, double d)
{
	char digits[32];
	int precision = 15, len;

	if (!isfinite(d))
		return json_of_null(arena);
	do
		len = snprintf(digits, sizeof(digits), "%.*g", precision, d);
	while (strtod(digits, NULL) != d && ++precision <= 17);
	return json_of_number(arena, (struct str){digits, (size_t)len});
}

const struct json *json_of_bool(struct arena *arena, bool yes)
{
	struct json *node = make(arena, JSON_BOOL, false);

	if (node)
		node->yes = yes;
	return node;
}

const struct json *json_of_null(struct arena *arena)
{
	return make(arena, JSON_NULL, false);
}

void json_put_text(struct arena *arena, struct json *object, const char *key, struct str text)
{
	json_set(arena, object, str_of(key), json_of_text(arena, text));
}

void json_put_i64(struct arena *arena, struct json *object, const char *key, int64_t n)
{
	json_set(arena, object, str_of(key), json_of_i64(arena, n));
}

void json_put_bool(struct arena *arena, struct json *object, const char *key, bool yes)
{
	json_set(arena, object, str_of(key), json_of_bool(arena, yes));
}

void json_put(struct arena *arena, struct json *object, const char *key, const struct json *value)
{
	json_set(arena, object, str_of(key), value);
}
