/* as_case_hook.c - one stored webhook as two cases: that it is genuine, and what it means. Its
 * signature is made anew, with the case's own secret over the case's own bytes, and written the way
 * the vendor wrote it. */
#include <ctype.h>
#include <string.h>

#include "base/arena.h"
#include "base/crypto.h"
#include "command/as_case_i.h"
#include "config/config.h"
#include "plugin/case_learn.h"
#include "plugin/case_scrub.h"

#define PAIRS_MAX 300

struct pairs { /* headers or query, to be changed */
	struct str name[PAIRS_MAX], value[PAIRS_MAX];
	size_t count;
};

struct hook {
	struct making *m;
	const struct case_book *book;
	const struct config_connection *connection;
	const struct json *inbox;
	struct pairs query, headers;
	const struct json *body; /* as the case has it */
	struct learnt verified, read;
	bool genuine;
};

static void read_pairs(struct hook *h, struct pairs *pairs, const char *key)
{
	const struct json *list = json_get(h->inbox, key);

	for (size_t i = 0; i < json_count(list) && i < PAIRS_MAX; i++) {
		pairs->name[i] = json_text(json_at(json_at(list, i, NULL), 0, NULL));
		pairs->value[i] = json_text(json_at(json_at(list, i, NULL), 1, NULL));
		pairs->count = i + 1;
	}
}

static const struct json *pairs_json(struct arena *arena, const struct pairs *pairs)
{
	struct json *list = json_array(arena);

	for (size_t i = 0; i < pairs->count; i++) {
		struct json *pair = json_array(arena);
		json_push(arena, pair, json_of_text(arena, pairs->name[i]));
		json_push(arena, pair, json_of_text(arena, pairs->value[i]));
		json_push(arena, list, pair);
	}
	return list;
}

/* ---- playing it --------------------------------------------------------------------------- */

static const struct json *inbound(struct hook *h, const struct json *body)
{
	struct arena *arena = h->m->arena;
	struct json *o = json_object(arena);

	if (json_get_text(h->inbox, "route").len)
		json_put(arena, o, "route", json_get(h->inbox, "route"));
	if (!str_is(json_get_text(h->inbox, "method"), "POST"))
		json_put(arena, o, "method", json_get(h->inbox, "method"));
	if (h->query.count)
		json_put(arena, o, "query", pairs_json(arena, &h->query));
	if (h->headers.count)
		json_put(arena, o, "headers", pairs_json(arena, &h->headers));
	json_put(arena, o, "body", body);
	return o;
}

static struct json *spec(
	struct hook *h, const char *kind, const char *what, const struct json *body)
{
	struct json *o =
		case_head(h->m, h->book, h->connection, what, json_get(h->inbox, "received"));

	json_put(h->m->arena, o, kind, inbound(h, body));
	return o;
}

static void play(struct hook *h, const char *kind, struct learnt *learnt)
{
	case_learn(h->book->session, h->m->arena, spec(h, kind, "played", h->body), learnt);
}

static bool is_genuine(const struct learnt *learnt)
{
	struct str kind = json_get_text(learnt->end, "kind");
	return str_is(kind, "accept") || str_is(kind, "handshake");
}

/* ---- the signature ------------------------------------------------------------------------ */

static const char *find(struct str in, struct str what)
{
	return what.len && in.len >= what.len ? memmem(in.ptr, in.len, what.ptr, what.len) : NULL;
}

static bool replace_first(struct arena *arena, struct pairs *pairs, struct str old, struct str new)
{
	for (size_t i = 0; i < pairs->count; i++) {
		const char *at = find(pairs->value[i], old);
		size_t before = at ? (size_t)(at - pairs->value[i].ptr) : 0;
		if (!at)
			continue;
		const struct str pieces[] = {{pairs->value[i].ptr, before}, new,
			{at + old.len, pairs->value[i].len - before - old.len}};
		pairs->value[i] = str_cat(arena, pieces, 3);
		return true;
	}
	return false;
}

static struct str upper(struct arena *arena, struct str text)
{
	char *copy = arena_strndup(arena, text.ptr ? text.ptr : "", text.len);

	for (size_t i = 0; copy && i < text.len; i++)
		copy[i] = (char)toupper((unsigned char)copy[i]);
	return (struct str){copy, copy ? text.len : 0};
}

/* Wherever the old signature is written, in whatever way. */
static void rewrite(struct hook *h, struct str old, struct str new)
{
	static const char *const ways[] = {"hex", "base64", "base64url"};
	struct arena *arena = h->m->arena;

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct str a = str_encode(arena, ways[i], old), b = str_encode(arena, ways[i], new);
		replace_first(arena, &h->headers, a, b);
		replace_first(arena, &h->query, a, b);
	}
	replace_first(arena, &h->headers, upper(arena, str_encode(arena, "hex", old)),
		upper(arena, str_encode(arena, "hex", new)));
}

/* was: what came with the vendor's own bytes; is: what must hold for the case's. */
static void sign(struct hook *h, const struct learnt_mac *was, const struct learnt_mac *is)
{
	const struct config_secret *secret = config_secret(h->connection, is->secret.ptr);
	uint8_t sum[CRYPTO_HASH_MAX];
	struct str key;
	size_t len;

	if (!secret || !secret->count)
		return;
	key = scrub_text(h->m->scrub, secret->values[0]);
	len = crypto_hmac(is->hash.ptr, key, &is->message, 1, sum);
	for (size_t i = 0; len && i < was->count; i++)
		rewrite(h, was->macs[i], str_dup(h->m->arena, (struct str){(char *)sum, len}));
}

/* The vendor's bytes tell where the signature is; then the case's bytes get one of their own. */
static void sign_anew(struct hook *h, const struct json *raw)
{
	struct learnt was, is;

	case_learn(h->book->session, h->m->arena, spec(h, "verify", "played", raw), &was);
	case_learn(h->book->session, h->m->arena, spec(h, "verify", "played", h->body), &is);
	for (size_t i = 0; i < was.mac_count && i < is.mac_count; i++)
		sign(h, &was.macs[i], &is.macs[i]);
}

/* ---- only what matters -------------------------------------------------------------------- */

static void scrub_pairs(struct hook *h, struct pairs *pairs)
{
	for (size_t i = 0; i < pairs->count; i++)
		pairs->value[i] = scrub_text(h->m->scrub, pairs->value[i]);
}

static bool same(struct hook *h)
{
	struct learnt verified, read;

	play(h, "verify", &verified);
	play(h, "normalize", &read);
	return json_equal(verified.end, h->verified.end) && json_equal(read.end, h->read.end);
}

/* A header without which all stays as it is belongs to the way it came: gone. */
static void drop_idle(struct hook *h)
{
	for (size_t i = h->headers.count; i-- > 0;) {
		struct pairs before = h->headers;
		for (size_t k = i; k + 1 < h->headers.count; k++) {
			h->headers.name[k] = h->headers.name[k + 1];
			h->headers.value[k] = h->headers.value[k + 1];
		}
		h->headers.count--;
		if (!same(h))
			h->headers = before;
	}
}

/* ---- expectations ------------------------------------------------------------------------- */

/* Events as they were stored, if all of them were: a repeated one is dropped. */
static const struct json *expect_events(struct hook *h, const struct json *learnt)
{
	struct making *m = h->m;
	const struct json *stored = json_get(m->story, "events");
	struct json *list = json_array(m->arena);
	size_t mine = 0;

	for (size_t i = 0; i < json_count(stored); i++)
		if (str_eq(json_get_text(json_at(stored, i, NULL), "inbox"),
			    json_get_text(h->inbox, "id")))
			mine++;
	for (size_t i = 0, k = 0; i < json_count(stored) && mine == json_count(learnt); i++) {
		const struct json *row = json_at(stored, i, NULL), *given;
		struct json *event = json_object(m->arena);
		if (!str_eq(json_get_text(row, "inbox"), json_get_text(h->inbox, "id")))
			continue;
		given = json_at(learnt, k++, NULL);
		for (size_t n = 0; n < json_count(given); n++) {
			struct str key;
			const struct json *value = json_at(given, n, &key);
			json_set(m->arena, event, key, value);
		}
		json_put(m->arena, event, "type", json_get(row, "type"));
		json_put(m->arena, event, "data", scrub_json(m->scrub, json_get(row, "data")));
		json_push(m->arena, list, event);
	}
	return mine == json_count(learnt) ? list : learnt;
}

static void add_verify(struct hook *h, struct case_book *book)
{
	static const char *const members[] = {"kind", "status", "proofs"};
	struct arena *arena = h->m->arena;
	const char *what =
		arena_printf(arena, "/%.*s is genuine", STR_ARG(json_get_text(h->inbox, "route")));
	struct json *expect = json_object(arena), *made;

	if (!is_genuine(&h->verified)) {
		case_left_out(h->m, what,
			"the host does not store what proved it (Authorization, Cookie), or "
			"today's "
			"plugin would refuse it: %.*s",
			STR_ARG(json_get_text(h->verified.end, "reason")));
		return;
	}
	made = spec(h, "verify", what, h->body);
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		json_put(arena, expect, members[i], json_get(h->verified.end, members[i]));
	json_put(arena, made, "expect", expect);
	case_add(book, arena, made);
}

static void add_normalize(struct hook *h, struct case_book *book)
{
	struct arena *arena = h->m->arena;
	const struct json *events = json_get(h->read.end, "events");
	struct str type = json_get_text(json_at(events, 0, NULL), "type");
	const char *what = arena_printf(arena, "/%.*s is read: %.*s",
		STR_ARG(json_get_text(h->inbox, "route")),
		STR_ARG(type.len ? type : STR("nothing")));
	struct json *made, *expect = json_object(arena);

	if (!h->read.end) {
		case_left_out(h->m, what, "the plugin's call fails: %.*s", STR_ARG(h->read.faults));
		return;
	}
	made = spec(h, "normalize", what, h->body);
	json_put(arena, expect, "return", json_get(h->read.end, "return"));
	json_put(arena, expect, "events", expect_events(h, events));
	json_put(arena, expect, "starts", json_get(h->read.end, "starts"));
	json_put(arena, made, "expect", case_trimmed(h->m, expect));
	case_add(book, arena, made);
}

void hook_as_cases(struct making *m, struct case_book *book,
	const struct config_connection *connection, const struct json *inbox)
{
	struct hook *h = arena_alloc(m->arena, sizeof(*h));

	if (!h)
		return;
	*h = (struct hook){.m = m, .book = book, .connection = connection, .inbox = inbox};
	read_pairs(h, &h->query, "query");
	read_pairs(h, &h->headers, "headers");
	scrub_pairs(h, &h->query);
	scrub_pairs(h, &h->headers);
	h->body = case_body(m, story_bytes(m, json_get(inbox, "body")));
	sign_anew(h, json_get(inbox, "body"));
	play(h, "verify", &h->verified);
	play(h, "normalize", &h->read);
	drop_idle(h);
	add_verify(h, book);
	add_normalize(h, book);
}
