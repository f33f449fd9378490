/* poll.c - operations that page through lists: calls, poll_calls, agents.
 *
 * Never trusts the vendor to end a list: a page key that repeats, or is missing where more is
 * promised, stops the run. Never moves a checkpoint before everything up to it was told.
 * Pure: runs on any thread. */
#include "retell.h"

enum {
	PAGE = 100,           /* calls a page; ids of one page must fit the state */
	CALLS_DEFAULT = 1000, /* rows, unless the input says otherwise */
	OVERLAP_MS = 1800000, /* analyses come minutes after the end of a call */
	SETTLE_MS = 60000     /* the webhook goes first */
};

static const int64_t LONGEST_SPAN_MS = INT64_C(366) * 24 * 3600 * 1000;

/* ---- Pages ---- */

struct page {
	const kl_val *items;
	kl_str next; /* nothing: this was the last one */
};

static const kl_next *read_page(kl_call *c, const kl_step *s, struct page *out)
{
	const kl_val *json = s->response ? s->response->json : NULL;
	const kl_next *failure = retell_failure(c, s->response);
	kl_str before = kl_text(c, s->state, "page");
	memset(out, 0, sizeof(*out));
	if (failure)
		return failure->fail == KL_GONE /* a list has no id that could be unknown */
			       ? kl_failed(c, KL_BAD_INPUT, failure->code, failure->message)
			       : failure;
	out->items = c->host->find(json, "items");
	if (c->host->type(out->items) != KL_ARRAY)
		return retell_surprise(c, "Retell's list has no \"items\"");
	if (!kl_true(c, json, "has_more"))
		return NULL;
	out->next = retell_words(c, json, "pagination_key");
	if (!out->next.ptr || out->next.len > RETELL_LONGEST_PAGE_KEY)
		return retell_surprise(
			c, "Retell promises another page and gives no usable key to it");
	if (before.ptr && before.len == out->next.len && kl_eq(before, out->next.ptr))
		return retell_surprise(
			c, "Retell gives the same page key twice: the list has no end");
	return NULL;
}

static const kl_next *send_list(kl_call *c, const kl_val *criteria, const char *sort, int64_t limit,
	kl_str page, const kl_val *state)
{
	kl_val *body = c->host->object(c);
	kl_request *r = retell_request(c, "POST", KL_LIT("/v3/list-calls"), "list-calls");
	if (!r)
		return NULL;
	if (c->host->count(criteria))
		kl_set(c, body, "filter_criteria", criteria);
	kl_set_text(c, body, "sort_order", kl_s(sort));
	kl_set_i64(c, body, "limit", limit);
	kl_set_text(c, body, "pagination_key", page);
	r->content_type = "application/json";
	r->body = c->host->to_json(c, body);
	return kl_send(c, r, state);
}

/* ---- Filters ---- */

static kl_val *filter(kl_call *c, const char *type, const char *op, const kl_val *value)
{
	kl_val *o = c->host->object(c);
	kl_set_text(c, o, "type", kl_s(type));
	kl_set_text(c, o, "op", kl_s(op));
	kl_set(c, o, "value", value);
	return o;
}

static void add_enum(kl_call *c, kl_val *criteria, const char *key, const kl_val *value)
{
	kl_val *list = c->host->array(c);
	if (c->host->type(value) != KL_TEXT)
		return;
	c->host->push(c, list, value);
	kl_set(c, criteria, key, filter(c, "enum", "in", list));
}

static void add_text(kl_call *c, kl_val *criteria, const char *key, const kl_val *value)
{
	if (c->host->type(value) == KL_TEXT)
		kl_set(c, criteria, key, filter(c, "string", "eq", value));
}

static void add_range(kl_call *c, kl_val *criteria, const char *key, int64_t from, int64_t to)
{
	kl_val *range = c->host->array(c);
	c->host->push(c, range, c->host->of_i64(c, from));
	c->host->push(c, range, c->host->of_i64(c, to));
	kl_set(c, criteria, key, filter(c, "range", "bt", range));
}

static void add_agent(kl_call *c, kl_val *criteria, const kl_val *value)
{
	kl_val *list, *one;
	if (c->host->type(value) != KL_TEXT)
		return;
	list = c->host->array(c);
	one = c->host->object(c);
	kl_set(c, one, "agent_id", value);
	c->host->push(c, list, one);
	kl_set(c, criteria, "agent", list);
}

/* An instant as milliseconds or as text with an offset. */
static int read_instant(
	kl_call *c, const kl_val *input, const char *key, int64_t otherwise, int64_t *ms)
{
	const kl_time1 *time = c->host->extension("kl.time/1");
	const kl_val *v = c->host->find(input, key);
	*ms = otherwise;
	if (!kl_has(c, input, key))
		return 1;
	*ms = c->host->i64(v, -1);
	if (*ms >= 0)
		return 1;
	return c->host->type(v) == KL_TEXT && time && time->parse(c, c->host->text(v), NULL, ms);
}

/* ---- calls ---- */

/* NULL: since or until cannot be read. */
static const kl_val *calls_criteria(kl_call *c, const kl_step *s)
{
	const kl_val *own = c->host->find(s->input, "filter");
	kl_val *criteria = c->host->object(c);
	int64_t since, until;
	for (uint32_t i = 0; i < c->host->count(own); i++) {
		kl_str key;
		const kl_val *v = c->host->at(own, i, &key);
		c->host->set(c, criteria, key, v);
	}
	add_agent(c, criteria, c->host->find(s->input, "agent"));
	add_enum(c, criteria, "direction", c->host->find(s->input, "direction"));
	add_enum(c, criteria, "call_status", c->host->find(s->input, "status"));
	add_text(c, criteria, "from_number", c->host->find(s->input, "from"));
	add_text(c, criteria, "to_number", c->host->find(s->input, "to"));
	if (!read_instant(c, s->input, "since", 0, &since) ||
		!read_instant(c, s->input, "until", c->now_ms, &until))
		return NULL;
	if (kl_has(c, s->input, "since") || kl_has(c, s->input, "until"))
		add_range(c, criteria, "start_timestamp", since, until);
	return criteria;
}

static const kl_next *calls_send(kl_call *c, const kl_step *s, int64_t seen, kl_str page)
{
	const kl_val *criteria = calls_criteria(c, s);
	int64_t left = kl_i64(c, s->input, "limit", CALLS_DEFAULT) - seen;
	const char *sort =
		kl_eq(kl_text(c, s->input, "sort"), "ascending") ? "ascending" : "descending";
	kl_val *state = c->host->object(c);
	if (!criteria)
		return retell_bad_input(c,
			"\"since\" and \"until\" must be milliseconds since 1970, or "
			"text such as 2026-11-24T00:00:00+01:00, with an offset");
	kl_set_i64(c, state, "seen", seen);
	kl_set_text(c, state, "page", page);
	return send_list(c, criteria, sort, left < PAGE ? left : PAGE, page, state);
}

const kl_next *retell_calls(kl_call *c, const kl_step *s)
{
	kl_str first = {0, 0, 0};
	int64_t seen = kl_i64(c, s->state, "seen", 0);
	int64_t limit = kl_i64(c, s->input, "limit", CALLS_DEFAULT);
	const kl_next *failure;
	struct page page;
	kl_val *result;
	if (limit < 1)
		return retell_bad_input(c, "\"limit\" must be a number from 1");
	if (s->why == KL_START)
		return calls_send(c, s, 0, first);
	failure = read_page(c, s, &page);
	if (failure)
		return failure;
	for (uint32_t i = 0; i < c->host->count(page.items) && seen < limit; i++, seen++)
		c->host->row(c, retell_call_data(c, c->host->at(page.items, i, NULL), RETELL_ANY));
	if (page.next.ptr && seen < limit)
		return calls_send(c, s, seen, page.next);
	result = c->host->object(c);
	kl_set_i64(c, result, "count", seen);
	kl_set_bool(c, result, "more", page.next.ptr != NULL);
	return kl_done(c, result);
}

/* ---- poll_calls ---- */

/* State: from_ms, until_ms, page, calls, events; while calls of a page are read one by one also
 * ids (of the page), next (index into ids) and after (key of the page behind it). */

static kl_val *poll_state(kl_call *c, const kl_val *old)
{
	kl_val *state = c->host->object(c);
	kl_set_i64(c, state, "from_ms", kl_i64(c, old, "from_ms", 0));
	kl_set_i64(c, state, "until_ms", kl_i64(c, old, "until_ms", 0));
	kl_set_i64(c, state, "calls", kl_i64(c, old, "calls", 0));
	kl_set_i64(c, state, "events", kl_i64(c, old, "events", 0));
	kl_set_text(c, state, "page", kl_text(c, old, "page"));
	return state;
}

static const kl_next *poll_list(kl_call *c, kl_val *state, kl_str page)
{
	kl_val *criteria = c->host->object(c);
	add_range(c, criteria, "end_timestamp", kl_i64(c, state, "from_ms", 0),
		kl_i64(c, state, "until_ms", 0));
	kl_set_text(c, state, "page", page);
	return send_list(c, criteria, "ascending", PAGE, page, state);
}

static const kl_next *poll_done(kl_call *c, const kl_val *state)
{
	kl_val *mark = c->host->object(c), *result = c->host->object(c);
	kl_set_i64(c, mark, "after_ms", kl_i64(c, state, "until_ms", 0));
	c->host->checkpoint(c, mark);
	kl_set_i64(c, result, "calls", kl_i64(c, state, "calls", 0));
	kl_set_i64(c, result, "events", kl_i64(c, state, "events", 0));
	return kl_done(c, result);
}

/* A span of the input; -1: it is no sensible one. */
static int64_t span_ms(kl_call *c, const kl_step *s, const char *key, int64_t otherwise)
{
	int64_t ms = kl_has(c, s->input, key) ? kl_i64(c, s->input, key, -1) : otherwise;
	return ms >= 0 && ms <= LONGEST_SPAN_MS ? ms : -1;
}

/* Without a checkpoint the past is left alone: pipelines would book for calls that somebody
 * handled long ago. lookback_ms says otherwise. */
static const kl_next *poll_start(kl_call *c, const kl_step *s)
{
	kl_str first = {0, 0, 0};
	int64_t settle = span_ms(c, s, "settle_ms", SETTLE_MS);
	int64_t lookback = span_ms(c, s, "lookback_ms", 0);
	int64_t overlap = span_ms(c, s, "overlap_ms", OVERLAP_MS);
	int64_t after = kl_i64(c, s->checkpoint, "after_ms", -1);
	int64_t until = c->now_ms - settle, from;
	kl_val *state = c->host->object(c);
	if (settle < 0 || lookback < 0 || overlap < 0)
		return retell_bad_input(c,
			"\"settle_ms\", \"lookback_ms\" and \"overlap_ms\" must be "
			"milliseconds from 0 to 366 days");
	kl_set_i64(c, state, "until_ms", until);
	if (after < 0 && !lookback)
		return poll_done(c, state);
	from = after < 0 ? until - lookback : after - overlap;
	kl_set_i64(c, state, "from_ms", from > 0 ? from : 0);
	return poll_list(c, poll_state(c, state), first);
}

/* On with the ids of this page, then with the next page, then the end. */
static const kl_next *poll_on(
	kl_call *c, kl_val *state, const kl_val *ids, uint32_t next, kl_str after)
{
	kl_str id;
	if (next >= c->host->count(ids))
		return after.ptr ? poll_list(c, state, after) : poll_done(c, state);
	kl_set(c, state, "ids", ids);
	kl_set_i64(c, state, "next", next);
	kl_set_text(c, state, "after", after);
	id = c->host->text(c->host->at(ids, next, NULL));
	return kl_send(c,
		retell_request(c, "GET",
			KL_CAT(c, KL_LIT("/v2/get-call/"), c->host->encode(c, "percent", id)),
			"get-call"),
		state);
}

static const kl_next *poll_page(kl_call *c, const kl_step *s)
{
	const kl_val *details = c->host->find(s->input, "details");
	int one_by_one = c->host->type(details) == KL_NONE || kl_true(c, details, "");
	struct page page;
	const kl_next *failure = read_page(c, s, &page);
	kl_val *state, *ids;
	int64_t told = 0;
	if (failure)
		return failure;
	ids = c->host->array(c);
	if (c->host->count(page.items) > PAGE)
		return retell_surprise(c, "Retell's page holds more calls than were asked for");
	for (uint32_t i = 0; i < c->host->count(page.items); i++) {
		const kl_val *item = c->host->at(page.items, i, NULL);
		kl_str id = retell_words(c, item, "call_id");
		if (!id.ptr || id.len > RETELL_LONGEST_ID)
			return retell_surprise(
				c, "Retell's list holds a call without a usable call_id");
		if (one_by_one)
			c->host->push(c, ids, c->host->of_text(c, id));
		else
			told += retell_emit_call(c, item);
	}
	state = poll_state(c, s->state);
	kl_set_i64(c, state, "calls", kl_i64(c, state, "calls", 0) + c->host->count(page.items));
	kl_set_i64(c, state, "events", kl_i64(c, state, "events", 0) + told);
	return poll_on(c, state, ids, 0, page.next);
}

/* The list has no transcripts, and a call may be deleted between list and look. */
static const kl_next *poll_call(kl_call *c, const kl_step *s)
{
	const kl_next *failure = retell_failure(c, s->response);
	uint32_t next = (uint32_t)kl_i64(c, s->state, "next", 0) + 1;
	kl_val *state = poll_state(c, s->state);
	if (failure && failure->fail != KL_GONE)
		return failure;
	if (failure)
		c->host->log(c, 1, "A listed call is gone: it was deleted at Retell meanwhile");
	else
		kl_set_i64(c, state, "events",
			kl_i64(c, state, "events", 0) + retell_emit_call(c, s->response->json));
	return poll_on(
		c, state, c->host->find(s->state, "ids"), next, kl_text(c, s->state, "after"));
}

const kl_next *retell_poll_calls(kl_call *c, const kl_step *s)
{
	if (s->why == KL_START)
		return poll_start(c, s);
	return kl_has(c, s->state, "ids") ? poll_call(c, s) : poll_page(c, s);
}

/* ---- agents ---- */

static const kl_next *agents_send(kl_call *c, const kl_step *s, kl_str page)
{
	kl_str query = retell_words(c, s->input, "query");
	const kl_val *channel = c->host->find(s->input, "channel");
	kl_val *body = c->host->object(c), *criteria = c->host->object(c);
	kl_val *state = c->host->object(c);
	kl_request *r;
	kl_str url = KL_LIT("/v2/list-agents?limit=100&sort_order=descending");
	if (page.ptr)
		url = KL_CAT(
			c, url, KL_LIT("&pagination_key="), c->host->encode(c, "percent", page));
	r = retell_request(c, "POST", url, "list-agents");
	if (!r)
		return NULL;
	add_text(c, criteria, "channel", channel);
	kl_set_text(c, criteria, "query", query);
	if (c->host->count(criteria))
		kl_set(c, body, "filter_criteria", criteria);
	r->content_type = "application/json";
	r->body = c->host->to_json(c, body);
	kl_set_text(c, state, "page", page);
	return kl_send(c, r, state);
}

static kl_val *agent_row(kl_call *c, const kl_val *item)
{
	kl_val *o = c->host->object(c);
	kl_set_text(c, o, "agent", retell_words(c, item, "agent_id"));
	kl_set_text(c, o, "name", retell_words(c, item, "agent_name"));
	kl_set_text(c, o, "channel", retell_words(c, item, "channel"));
	kl_set(c, o, "modified_ms", c->host->find(item, "user_modified_timestamp"));
	kl_set(c, o, "tags", c->host->find(item, "tags"));
	return o;
}

const kl_next *retell_agents(kl_call *c, const kl_step *s)
{
	kl_str first = {0, 0, 0};
	struct page page;
	const kl_next *failure;
	kl_val *result;
	if (s->why == KL_START)
		return agents_send(c, s, first);
	failure = read_page(c, s, &page);
	if (failure)
		return failure;
	for (uint32_t i = 0; i < c->host->count(page.items); i++)
		c->host->row(c, agent_row(c, c->host->at(page.items, i, NULL)));
	if (page.next.ptr)
		return agents_send(c, s, page.next);
	result = c->host->object(c);
	kl_set_bool(c, result, "ok", 1);
	return kl_done(c, result);
}
