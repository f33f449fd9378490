/* sugar.h - short words for plugin.h. All inline, nothing here is part of the ABI.
 *
 * c is always the kl_call. Everything tolerates NULL and "nothing", like plugin.h.
 * C99 and later, C++11 and later; freestanding too. */
#ifndef KLINKE_SUGAR_H
#define KLINKE_SUGAR_H

#include <klinke/plugin.h>

#if __STDC_HOSTED__ /* -ffreestanding: string.h may not be there, and nothing here needs it */
#include <string.h>
#endif

#ifdef __cplusplus
#define KL_LIT(s) (kl_str{"" s, (uint32_t)(sizeof(s) - 1), 0}) /* of a literal */
#else
#define KL_LIT(s) ((kl_str){"" s, (uint32_t)(sizeof(s) - 1), 0}) /* of a literal */
#endif
/* Of an array: .ops = KL_LIST(ops); elsewhere (kl_list)KL_LIST(a), in C++ kl_list KL_LIST(a). */
#define KL_LIST(a) {(a), (uint32_t)(sizeof(a) / sizeof((a)[0])), (uint32_t)sizeof((a)[0])}
#define KL_UNUSED __attribute__((unused))

static inline KL_UNUSED kl_str kl_s(const char *text)
{
	kl_str s = {text, text ? (uint32_t)__builtin_strlen(text) : 0, 0};
	return s;
}

static inline KL_UNUSED int kl_eq(kl_str s, const char *text)
{
	size_t n = __builtin_strlen(text);
	return s.ptr && s.len == n && __builtin_memcmp(s.ptr, text, n) == 0;
}

static inline KL_UNUSED int kl_starts(kl_str s, const char *text)
{
	size_t n = __builtin_strlen(text);
	return s.ptr && s.len >= n && __builtin_memcmp(s.ptr, text, n) == 0;
}

/* Case-sensitive substring. */
static inline KL_UNUSED int kl_contains(kl_str s, const char *text)
{
	size_t n = __builtin_strlen(text);
	for (size_t i = 0; s.ptr && i + n <= s.len; i++)
		if (__builtin_memcmp(s.ptr + i, text, n) == 0)
			return 1;
	return 0;
}

/* bytes [from, to) of s; the copy ends with a NUL like every kl_str. */
static inline KL_UNUSED kl_str kl_slice(kl_call *c, kl_str s, uint32_t from, uint32_t to)
{
	kl_str out = {0, 0, 0};
	char *p;
	if (!s.ptr || from > to || to > s.len)
		return out;
	p = (char *)c->host->alloc(c, (uint64_t)to - from + 1);
	if (!p)
		return out;
	__builtin_memcpy(p, s.ptr + from, to - from);
	out.ptr = p;
	out.len = to - from;
	return out;
}

static inline KL_UNUSED kl_str kl_cat(kl_call *c, const kl_str *parts, uint32_t count)
{
	kl_str out = {0, 0, 0};
	uint64_t len = 0;
	char *p;
	for (uint32_t i = 0; i < count; i++)
		len += parts[i].len;
	p = len > UINT32_MAX ? 0 : (char *)c->host->alloc(c, len + 1);
	if (!p)
		return out;
	out.ptr = p;
	out.len = (uint32_t)len;
	for (uint32_t i = 0; i < count; i++) {
		if (parts[i].len)
			__builtin_memcpy(p, parts[i].ptr, parts[i].len);
		p += parts[i].len;
	}
	return out;
}
/* KL_CAT(c, KL_LIT("/v2/bookings/"), uid) */
#ifdef __cplusplus
template <typename... Parts> static inline KL_UNUSED kl_str kl_cat_all(kl_call *c, Parts... parts)
{
	const kl_str all[] = {parts...};
	return kl_cat(c, all, (uint32_t)sizeof...(parts));
}
#define KL_CAT(c, ...) kl_cat_all((c), __VA_ARGS__)
#else
#define KL_CAT(c, ...) \
	kl_cat((c), (const kl_str[]){__VA_ARGS__}, \
		(uint32_t)(sizeof((kl_str[]){__VA_ARGS__}) / sizeof(kl_str)))
#endif

static inline KL_UNUSED kl_str kl_text(kl_call *c, const kl_val *v, const char *path)
{
	return c->host->text(c->host->find(v, path));
}

static inline KL_UNUSED int64_t kl_i64(kl_call *c, const kl_val *v, const char *path, int64_t other)
{
	return c->host->i64(c->host->find(v, path), other);
}

/* 1 for true, and for 1 and "true", which is what SQL and vendors make of it. */
static inline KL_UNUSED int kl_true(kl_call *c, const kl_val *v, const char *path)
{
	kl_str s = kl_text(c, v, path);
	return kl_eq(s, "true") || kl_eq(s, "1");
}

static inline KL_UNUSED int kl_has(kl_call *c, const kl_val *v, const char *path)
{
	uint32_t t = c->host->type(c->host->find(v, path));
	return t != KL_NONE && t != KL_NULL;
}

static inline KL_UNUSED void kl_set(kl_call *c, kl_val *o, const char *key, const kl_val *v)
{
	c->host->set(c, o, kl_s(key), v);
}

/* Nothing is set if s is nothing. */
static inline KL_UNUSED void kl_set_text(kl_call *c, kl_val *o, const char *key, kl_str s)
{
	if (s.ptr)
		c->host->set(c, o, kl_s(key), c->host->of_text(c, s));
}

static inline KL_UNUSED void kl_set_i64(kl_call *c, kl_val *o, const char *key, int64_t n)
{
	c->host->set(c, o, kl_s(key), c->host->of_i64(c, n));
}

static inline KL_UNUSED void kl_set_bool(kl_call *c, kl_val *o, const char *key, int yes)
{
	c->host->set(c, o, kl_s(key), c->host->of_bool(c, yes));
}

/* First header or query parameter of that name; nothing if there is none. */
static inline KL_UNUSED kl_str kl_pair_get(kl_list list, const char *name)
{
	kl_str none = {0, 0, 0};
	for (uint32_t i = 0; i < list.count; i++) {
		const kl_pair *p = (const kl_pair *)(const void *)((const char *)list.ptr +
			(size_t)i * list.stride);
		if (kl_eq(p->name, name))
			return p->value;
	}
	return none;
}

static inline KL_UNUSED void *kl_new(kl_call *c, uint32_t size)
{
	uint32_t *p = (uint32_t *)c->host->alloc(c, size); /* every struct begins with size */
	if (p)
		*p = size;
	return p;
}
#define KL_NEW(c, T) ((T *)kl_new((c), (uint32_t)sizeof(T)))

static inline KL_UNUSED const kl_next *kl_done(kl_call *c, const kl_val *result)
{
	kl_next *n = KL_NEW(c, kl_next);
	if (!n)
		return 0;
	n->then = KL_DONE;
	n->result = result;
	return n;
}

static inline KL_UNUSED const kl_next *kl_send(kl_call *c, const kl_request *r, const kl_val *state)
{
	kl_next *n = KL_NEW(c, kl_next);
	if (!n)
		return 0;
	n->then = KL_SEND;
	n->request = r;
	n->state = state;
	return n;
}

static inline KL_UNUSED const kl_next *kl_failed(kl_call *c, uint32_t fail, const char *code,
	const char *message)
{
	kl_next *n = KL_NEW(c, kl_next);
	if (!n)
		return 0;
	n->then = KL_FAIL;
	n->fail = fail;
	n->code = code;
	n->message = message;
	return n;
}

static inline KL_UNUSED const kl_next *kl_then(kl_call *c, uint32_t then, const char *message)
{
	kl_next *n = KL_NEW(c, kl_next);
	if (!n)
		return 0;
	n->then = then;
	n->message = message;
	return n;
}
#endif
