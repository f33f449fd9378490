/* as_case_step.c - one operation with its requests and answers, as a case. What was sent is what
 * the plugin must send again; a case that the plugin would not pass from the start is not made. */
#include <inttypes.h>
#include <string.h>

#include "base/arena.h"
#include "command/as_case_i.h"
#include "config/config.h"
#include "klinke/plugin.h"
#include "plugin/case_learn.h"
#include "plugin/case_scrub.h"
#include "transfer/transfer.h"

#define CUT_AT 65536 /* what the host keeps of a body */

struct walk { /* one try at making it */
	struct making *m;
	const struct config_connection *connection;
	const struct json *job, *last; /* last: the attempt that ended it */
	const struct json **turns;     /* requests, in order */
	size_t count;
	bool headers;
	struct learnt learnt;
	const char *differs; /* NULL: plays as it did */
};

/* ---- which requests belong to it ---------------------------------------------------------- */

static int64_t number(const struct json *row, const char *key)
{
	return json_i64(json_get(row, key), 0);
}

static bool left(const struct json *row)
{
	struct str outcome = json_get_text(row, "outcome");
	return !str_is(outcome, "not sent") && !str_is(outcome, "refused");
}

/* Requests of the same step from that try on, until the attempt that ended it. */
static void collect(struct walk *w, int64_t from_try)
{
	const struct json *all = json_get(w->m->story, "attempts");

	w->count = 0;
	for (size_t i = 0; i < json_count(all); i++) {
		const struct json *row = json_at(all, i, NULL);
		if (row == w->last)
			break;
		if (str_eq(json_get_text(row, "job"), json_get_text(w->job, "id")) &&
			str_is(json_get_text(row, "kind"), "request") && left(row) &&
			number(row, "step") == number(w->last, "step") &&
			number(row, "try") >= from_try)
			w->turns[w->count++] = row;
	}
}

/* ---- the case without expectations -------------------------------------------------------- */

static void put_body(struct making *m, struct json *o, struct str bytes)
{
	const struct json *value = json_parse(m->arena, bytes, NULL);

	if (value)
		json_put(m->arena, o, "json", scrub_json(m->scrub, value));
	else if (bytes.len)
		json_put_text(m->arena, o, "body", scrub_text(m->scrub, bytes));
}

static const struct json *answer_of(struct walk *w, const struct json *turn)
{
	struct making *m = w->m;
	const struct json *more = json_get(turn, "more");
	struct json *answer = json_object(m->arena);
	int64_t status = number(turn, "status");

	if (str_is(json_get_text(turn, "outcome"), "unknown") && status < 500)
		json_put_text(m->arena, answer, "outcome", STR("unknown"));
	if (status)
		json_put_i64(m->arena, answer, "status", status);
	if (number(more, "retry_after_ms"))
		json_put_i64(m->arena, answer, "retry_after_ms", number(more, "retry_after_ms"));
	if (w->headers && json_get(more, "headers"))
		json_put(m->arena, answer, "headers",
			scrub_json(m->scrub, json_get(more, "headers")));
	put_body(m, answer, story_bytes(m, json_get(turn, "output")));
	return answer;
}

static const struct json *op_of(struct walk *w)
{
	struct str name = json_get_text(w->last, "name");
	size_t dot = strlen(w->connection->name);

	return json_of_text(w->m->arena, (struct str){name.ptr + dot + 1, name.len - dot - 1});
}

static const struct json *began(struct walk *w)
{
	const struct json *now = json_get(json_get(w->last, "more"), "now");

	if (now)
		return now;
	return json_get(w->count ? w->turns[0] : w->last, "started");
}

/* With expects, what was learnt is expected of each request; else nothing. */
static const struct json *exchange_of(
	struct walk *w, const struct json *(*expect)(struct walk *, size_t))
{
	struct json *list = json_array(w->m->arena);

	for (size_t i = 0; i < w->count; i++) {
		struct json *turn = json_object(w->m->arena);
		json_put(w->m->arena, turn, "expect",
			expect ? expect(w, i) : json_object(w->m->arena));
		json_put(w->m->arena, turn, "answer", answer_of(w, w->turns[i]));
		json_push(w->m->arena, list, turn);
	}
	return list;
}

static const struct json *step_spec(
	struct walk *w, const struct json *(*expect)(struct walk *, size_t))
{
	struct making *m = w->m;
	struct json *spec = json_object(m->arena);
	struct str input = story_bytes(m, json_get(w->last, "input"));
	const struct json *checkpoint = json_get(json_get(w->last, "more"), "checkpoint");

	json_put(m->arena, spec, "op", op_of(w));
	json_put(m->arena, spec, "input", scrub_json(m->scrub, json_parse(m->arena, input, NULL)));
	json_put_text(m->arena, spec, "key", json_get_text(w->job, "key"));
	if (checkpoint)
		json_put(m->arena, spec, "checkpoint", scrub_json(m->scrub, checkpoint));
	json_put(m->arena, spec, "exchange", exchange_of(w, expect));
	return spec;
}

/* ---- does it play as it did? -------------------------------------------------------------- */

static struct str base_of(struct walk *w)
{
	const struct json *options = json_parse(w->m->arena, w->connection->options, NULL);
	struct str base = scrub_text(w->m->scrub, json_get_text(options, "base_url"));

	while (base.len && base.ptr[base.len - 1] == '/')
		base.len--;
	return base;
}

/* Recorded addresses are absolute, and masked where a parameter's name is suspicious. */
static const char *url_of(struct walk *w, const struct json *request)
{
	struct str url = json_get_text(request, "url"), base = base_of(w);

	if (url.len && url.ptr[0] == '/')
		url = str_of(arena_printf(w->m->arena, "%.*s%.*s", STR_ARG(base), STR_ARG(url)));
	return transfer_redact(w->m->arena, url, (struct str){0});
}

static bool same_body(struct walk *w, const struct json *turn, const struct json *request)
{
	struct making *m = w->m;
	struct str bytes = story_bytes(m, json_get(turn, "input"));
	const struct json *was = json_parse(m->arena, bytes, NULL), *is = json_get(request, "json");

	if (bytes.len >= CUT_AT)
		return true; /* its end is not known */
	if (was || is)
		return json_equal(scrub_json(m->scrub, was), is);
	return str_eq(scrub_text(m->scrub, bytes), json_get_text(request, "body")) ||
	       (!bytes.len && !json_get_text(request, "body").len);
}

static const char *turn_differs(struct walk *w, size_t i)
{
	const struct json *turn = w->turns[i], *request = w->learnt.requests[i];
	struct str was = scrub_text(w->m->scrub, json_get_text(turn, "url"));
	const char *is = url_of(w, request);

	if (!str_eq(json_get_text(turn, "method"), json_get_text(request, "method")) ||
		!str_is(was, is ? is : ""))
		return arena_printf(w->m->arena,
			"request %zu was %.*s %.*s, and played again it is %.*s %s", i + 1,
			STR_ARG(json_get_text(turn, "method")), STR_ARG(was),
			STR_ARG(json_get_text(request, "method")), is ? is : "");
	if (!same_body(w, turn, request))
		return arena_printf(w->m->arena,
			"the body of request %zu is another one when it is played again", i + 1);
	return NULL;
}

static void play(struct walk *w, struct json *head)
{
	json_put(w->m->arena, head, "step", step_spec(w, NULL));
}

/* The case is played and compared with what was sent. */
static bool plays(struct walk *w, const struct case_book *book)
{
	struct json *head = case_head(w->m, book, w->connection, "played", began(w));
	size_t line;

	play(w, head);
	case_learn(book->session, w->m->arena, head, &w->learnt);
	line = strcspn(w->learnt.faults.ptr ? w->learnt.faults.ptr : "", "\n");
	w->differs = NULL;
	for (size_t i = 0; i < w->count && i < w->learnt.request_count && !w->differs; i++)
		w->differs = turn_differs(w, i);
	if (!w->differs && (line || !w->learnt.end))
		w->differs = arena_printf(w->m->arena, "%.*s", (int)(line > 4 ? line - 4 : 0),
			line > 4 ? w->learnt.faults.ptr + 4 : "");
	return !w->differs;
}

/* The last try alone, if it began from the beginning; else with those before it. Headers of answers
 * only if the plugin reads them. */
static bool find_way(struct walk *w, const struct case_book *book)
{
	const char *first = NULL;

	for (int64_t from = number(w->last, "try"); from >= 1; from--) {
		collect(w, from);
		for (int headers = 0; headers < 2; headers++) {
			w->headers = headers;
			if (plays(w, book))
				return true;
			first = first && !headers ? first : w->differs;
		}
	}
	w->differs = first;
	return false;
}

/* ---- expectations ------------------------------------------------------------------------- */

static const struct json *expect_request(struct walk *w, size_t i)
{
	static const char *const members[] = {"method", "url", "auth", "repeat", "content_type"};
	const struct json *request = w->learnt.requests[i];
	struct json *expect = json_object(w->m->arena);

	for (size_t k = 0; k < sizeof(members) / sizeof(members[0]); k++)
		if (json_get_text(request, members[k]).len)
			json_put(w->m->arena, expect, members[k], json_get(request, members[k]));
	if (json_count(json_get(request, "headers")))
		json_put(w->m->arena, expect, "headers", json_get(request, "headers"));
	if (json_type(json_get(request, "json")) > JSON_NULL)
		json_put(w->m->arena, expect, "json", json_get(request, "json"));
	else if (json_get_text(request, "body").len)
		json_put(w->m->arena, expect, "body", json_get(request, "body"));
	return expect;
}

/* "bad input" -> "bad_input" */
static struct str with_underscores(struct arena *arena, struct str words)
{
	char *text = arena_strndup(arena, words.ptr ? words.ptr : "", words.len);

	for (size_t i = 0; text && i < words.len; i++)
		if (text[i] == ' ')
			text[i] = '_';
	return (struct str){text, text ? words.len : 0};
}

/* How it ended is as it was recorded; what the record does not have is as it was learnt. */
static const struct json *expect_end(struct walk *w)
{
	struct making *m = w->m;
	struct str outcome = json_get_text(w->last, "outcome");
	bool done = str_begins(outcome, "done");
	const struct json *end = w->learnt.end;
	struct json *expect = json_object(m->arena);

	if (done || str_is(outcome, "absent")) {
		json_put_text(m->arena, expect, "then", done ? STR("done") : outcome);
	} else {
		json_put_text(m->arena, expect, "then", STR("fail"));
		json_put_text(m->arena, expect, "fail", with_underscores(m->arena, outcome));
		json_put(m->arena, expect, "code", json_get(end, "code"));
	}
	if (done)
		json_put(m->arena, expect, "result",
			scrub_json(m->scrub,
				json_parse(m->arena, story_bytes(m, json_get(w->last, "output")),
					NULL)));
	if (json_type(json_get(end, "checkpoint")) > JSON_NULL)
		json_put(m->arena, expect, "checkpoint", json_get(end, "checkpoint"));
	json_put(m->arena, expect, "events", json_get(end, "events"));
	return case_trimmed(m, expect);
}

/* Of the try that ended it; NULL: all that it was is there. */
static const char *what_is_missing(struct walk *w)
{
	static const char cut[] = "a body of it is larger than the 65536 bytes that are kept";
	int64_t last = number(w->last, "try");

	collect(w, 1);
	for (size_t i = 0; i < w->count; i++) {
		if (number(w->turns[i], "try") != last)
			continue;
		if (number(json_get(w->turns[i], "more"), "left_out"))
			return "an answer of it tells of others too, and such ones are not kept; "
			       "klinke plugin record keeps them";
		if (story_bytes(w->m, json_get(w->turns[i], "output")).len >= CUT_AT)
			return cut;
	}
	return story_bytes(w->m, json_get(w->last, "output")).len >= CUT_AT ? cut : NULL;
}

void step_as_case(struct making *m, struct case_book *book,
	const struct config_connection *connection, const struct json *job, const struct json *last)
{
	struct walk w = {.m = m, .connection = connection, .job = job, .last = last};
	struct str name = json_get_text(last, "name");
	struct json *made;
	const char *what;

	w.turns = arena_alloc(
		m->arena, (json_count(json_get(m->story, "attempts")) + 1) * sizeof(*w.turns));
	if (!w.turns)
		return;
	what = what_is_missing(&w);
	if (what) {
		case_left_out(m, name.ptr, "%s", what);
		return;
	}
	if (!find_way(&w, book)) {
		case_left_out(m, name.ptr, "%s", w.differs);
		return;
	}
	what = arena_printf(m->arena, "%.*s: %.*s", STR_ARG(json_text(op_of(&w))),
		STR_ARG(json_get_text(last, "outcome")));
	made = case_head(m, book, connection, what, began(&w));
	json_put(m->arena, made, "step", step_spec(&w, expect_request));
	json_put(m->arena, made, "expect", expect_end(&w));
	case_add(book, m->arena, made);
}
