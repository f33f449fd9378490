/* fuzz_admin.c - any request to the HTTP API, the pages, the login: who asks for nothing of his own
 * learns nothing, an office learns and changes only its own, and each request has one answer.
 *
 *   GET /api/v1/jobs?state=dead     method and target
 *   authorization: Bearer ...       headers; in them "@o", "@n", "@s" stand for a session's value,
 *                                   of the operator, of office nord, of office sued
 *   !draining                       how the host fares, see worlds; !often: the tenth of these
 *                                   an empty line, the body
 *
 *   EVENT 4096                      or: an event for the live stream, which has so many bytes for
 *   {"transcript":"..."}            its data
 */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin_host.h"
#include "text.h"
#include "base/arena.h"
#include "base/json.h"
#include "http/request.h"
#include "http/rows.h"
#include "store/store.h"

#define MOST 40

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

struct asked {
	struct request request;
	struct request_pair headers[MOST];
	struct str all;                     /* the input */
	bool by_operator, by_nord, by_sued; /* may be: it brings what would open it */
	unsigned world;
	bool often;
};

static const struct {
	const char *name;
	enum admin_world world;
} worlds[] = {{"alone", ADMIN_ALONE}, {"closed", ADMIN_CLOSED}, {"draining", ADMIN_DRAINING},
	{"secure", ADMIN_SECURE}, {"damaged", ADMIN_DAMAGED}, {"failing", ADMIN_FAILING},
	{"unreadable", ADMIN_UNREADABLE}, {"refusing", ADMIN_REFUSING},
	{"threadless", ADMIN_THREADLESS}, {"starved", ADMIN_STARVED}, {"crowded", ADMIN_CROWDED}};

static char sessions[3][128]; /* o, n, s */

/* ---- Reading an input ----------------------------------------------------------------------- */

static struct str with_session(struct arena *arena, struct str value)
{
	const char *at = value.len > 1 ? memchr(value.ptr, '@', value.len - 1) : NULL;
	const char *which = at ? strchr("ons", at[1]) : NULL;
	size_t before = at ? (size_t)(at - value.ptr) : 0;

	if (!which || !*which)
		return str_dup(arena, value);
	return str_of(arena_printf(arena, "%.*s%s%.*s", (int)before, value.ptr,
		sessions[which - strchr("ons", 'o')], (int)(value.len - before - 2), at + 2));
}

static bool read_world(struct asked *asked, struct str line)
{
	struct str word = {line.ptr + 1, line.len - 1};

	if (line.ptr[0] != '!')
		return false;
	asked->often |= str_is(word, "often");
	for (size_t i = 0; i < sizeof(worlds) / sizeof(worlds[0]); i++)
		if (str_is(word, worlds[i].name))
			asked->world |= worlds[i].world;
	return true;
}

static void read_headers(struct asked *asked, struct str *text)
{
	struct arena *arena = asked->request.arena;
	struct str line;

	while (asked->request.header_count < MOST && (line = line_of(text)).len) {
		if (read_world(asked, line))
			continue;
		const char *colon = memchr(line.ptr, ':', line.len);
		size_t n = colon ? (size_t)(colon - line.ptr) : line.len, skip = colon ? 1 : 0;
		struct request_pair *pair = &asked->headers[asked->request.header_count++];

		if (skip && n + 1 < line.len && line.ptr[n + 1] == ' ')
			skip++;
		pair->name = str_dup(arena, (struct str){line.ptr, n});
		pair->value =
			with_session(arena, (struct str){line.ptr + n + skip, line.len - n - skip});
		asked->by_operator |=
			has(pair->value, ADMIN_OPERATOR) || has(pair->value, sessions[0]);
		asked->by_nord |=
			has(pair->value, ADMIN_NORD_TOKEN) || has(pair->value, sessions[1]);
		asked->by_sued |=
			has(pair->value, ADMIN_SUED_TOKEN) || has(pair->value, sessions[2]);
	}
	asked->request.headers = asked->headers;
}

/* A new one each time, or too many from there would be refused; behind our proxy as it is said. */
static void set_address(struct asked *asked)
{
	static unsigned count;
	char *out = asked->request.remote;

	count++;
	if (request_header(&asked->request, "x-forwarded-for").len)
		strcpy(out, "127.0.0.1");
	else
		snprintf(out, sizeof(asked->request.remote), "10.%u.%u.%u", count >> 16 & 255,
			count >> 8 & 255, count & 255);
}

/* As exchange.c does. false: it would not get as far as the handler. */
static bool read_request(struct asked *asked, struct str text)
{
	static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};
	struct str line = line_of(&text), word = line;
	const char *space = line.len ? memchr(line.ptr, ' ', line.len) : NULL;
	struct request_frame frame;
	const char *why;

	if (!space)
		return false;
	word.len = (size_t)(space - line.ptr);
	line = (struct str){space + 1, line.len - word.len - 1};
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (str_is(word, methods[i]))
			asked->request.method = methods[i];
	read_headers(asked, &text);
	if (!asked->request.method || request_read_target(&asked->request, line, &why) ||
		request_read_headers(asked->headers, asked->request.header_count, 0, &frame, &why))
		return false;
	/* Memory of its own, as the listener has it: a login wipes it. */
	if (text.len)
		asked->request.body = str_dup(asked->request.arena, text);
	set_address(asked);
	return true;
}

/* ---- Judging an answer ---------------------------------------------------------------------- */

static struct str header_of(const struct admin_said *said, const char *name)
{
	for (size_t i = 0; i < said->header_count; i++)
		if (str_is(said->headers[i].name, name))
			return said->headers[i].value;
	return (struct str){0};
}

/* Nothing of that office, unless the request says it itself. */
static void check_hidden(const struct asked *asked, const struct admin_said *said, const char *mark,
	const char *id, const char *token)
{
	assert(!has(said->body, mark) || has(asked->all, "Zz"));
	assert(!has(said->body, id) || has(asked->all, id));
	assert(!has(said->body, token) || has(asked->all, token));
}

static void check_answer(const struct asked *asked, const struct admin_said *said)
{
	assert(said->answers == 1);
	assert(said->status >= 200 && said->status <= 599);
	for (size_t i = 0; i < said->header_count; i++) {
		assert(!memchr(said->headers[i].value.ptr, '\n', said->headers[i].value.len));
		assert(!memchr(said->headers[i].value.ptr, '\r', said->headers[i].value.len));
	}
	assert(str_is(header_of(said, "X-Content-Type-Options"), "nosniff"));
	if (!said->hook)
		assert(str_is(header_of(said, "X-Frame-Options"), "DENY"));
	if (has(said->content_type, "json"))
		assert(json_parse(said->arena, said->body, NULL));
	if (has(said->content_type, "text/html")) /* what is stored is never markup */
		assert(!has(said->body, "<b>") && !has(said->body, "<read>"));
	for (size_t i = 0; i < 3; i++)
		assert(!has(said->body, sessions[i]) || has(asked->all, sessions[i]));
}

static void check_who(const struct asked *asked, const struct admin_said *said)
{
	if (asked->by_operator)
		return;
	check_hidden(asked, said, "Zz none", "no id", ADMIN_OPERATOR);
	assert(!said->decided || said->whose != '*');
	if (!asked->by_nord) {
		check_hidden(asked, said, ADMIN_NORD, ADMIN_NORD_ID, ADMIN_NORD_TOKEN);
		assert(!said->decided || said->whose != 'n');
	}
	if (!asked->by_sued) {
		check_hidden(asked, said, ADMIN_SUED, ADMIN_SUED_ID, ADMIN_SUED_TOKEN);
		assert(!said->decided || said->whose != 's');
	}
	if (!asked->by_nord && !asked->by_sued)
		assert(!said->stream && !said->decided);
}

/* What changes something is never a GET, whatever credential comes along. */
static void check_safe(const struct asked *asked, const struct admin_said *said)
{
	if (strcmp(asked->request.method, "POST") != 0)
		assert(!said->decided && !header_of(said, "Set-Cookie").len);
}

/* ---- Sessions ------------------------------------------------------------------------------- */

static void log_in(char session[128], const char *token)
{
	struct request request = {.method = "POST",
		.target = STR("/login"),
		.path = STR("/login"),
		.remote = "127.0.0.9"};
	struct request_pair form = {STR("content-type"), STR("application/x-www-form-urlencoded")};
	struct admin_said said;
	struct str cookie;
	const char *stop;

	request.arena = arena_create(1 << 20);
	request.headers = &form;
	request.header_count = 1;
	request.body = str_of(arena_printf(request.arena, "secret=%s", token));
	admin_host_ask(&request, 0, &said);
	cookie = header_of(&said, "Set-Cookie");
	assert(said.status == 303 && cookie.len);
	assert(has(cookie, "HttpOnly") && has(cookie, "SameSite=Strict"));
	stop = memchr(cookie.ptr, ';', cookie.len);
	assert(stop && stop - cookie.ptr < 127 && memcmp(cookie.ptr, "klinke_session=", 15) == 0);
	snprintf(session, 128, "%.*s", (int)(stop - cookie.ptr) - 15, cookie.ptr + 15);
	arena_destroy(request.arena);
}

/* ---- The live stream ------------------------------------------------------------------------ */

/* However much an event says: what goes to a viewer has room in its stream, or it would wait for
 * that for ever. */
static void check_event(struct arena *arena, struct str text)
{
	struct str number = line_of(&text), data;
	size_t largest = (size_t)atoi(arena_strndup(arena, number.ptr, number.len)) & 0xffff;
	const struct json *given = json_parse(arena, text, NULL), *told;
	struct live_row row = {.call = STR("call:Zz"), .event.type = STR("call.ended")};

	if (json_type(given) != JSON_OBJECT)
		return;
	row.event.data = json_print(arena, given);
	told = rows_live(arena, &row, largest);
	data = json_print(arena, json_get(told, "data"));
	if (arena_failed(arena))
		return;
	assert(str_is(json_get_text(told, "call"), "Zz"));
	assert(data.len <= largest || data.len == 2);
	if (!json_get(told, "shortened"))
		assert(str_eq(data, row.event.data));
	assert(json_count(json_get(told, "data")) <= json_count(given));
}

static bool is_event(struct str *text)
{
	bool event = text->len > 6 && memcmp(text->ptr, "EVENT ", 6) == 0;

	if (event)
		*text = (struct str){text->ptr + 6, text->len - 6};
	return event;
}

static void ask(struct asked *asked, struct admin_said *said)
{
	const struct request request = asked->request;

	for (int left = asked->often ? 10 : 1; left > 0; left--) {
		asked->request = request; /* a login wipes its bytes */
		if (request.body.len)
			asked->request.body = str_dup(request.arena, request.body);
		admin_host_ask(&asked->request, asked->world, said);
		check_answer(asked, said);
		check_who(asked, said);
		check_safe(asked, said);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct asked asked = {.all = {(const char *)bytes, len}};
	struct admin_said said;

	if (!sessions[0][0]) {
		log_in(sessions[0], ADMIN_OPERATOR);
		log_in(sessions[1], ADMIN_NORD_TOKEN);
		log_in(sessions[2], ADMIN_SUED_TOKEN);
	}
	asked.request.arena = arena_create(64 << 20);
	if (is_event(&asked.all)) {
		check_event(asked.request.arena, asked.all);
	} else if (read_request(&asked, asked.all)) {
		ask(&asked, &said);
		if (str_is(asked.request.path, "/logout"))
			sessions[0][0] = '\0'; /* one of them may be over */
	}
	arena_destroy(asked.request.arena);
	return 0;
}
