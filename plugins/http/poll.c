/* poll.c - a list at the provider, asked again and again: what is new becomes events.
 *
 * What was new is remembered as a time (what changed since the last poll began, and a while before
 * that, since clocks and lists lag), or as a mark that the newest item bears. The mark moves when
 * all pages were read, not before: a poll that broke off is repeated, and repeats are dropped by
 * their ids. The first poll only sets the mark. A pure function; any thread.
 */
#include "http.h"

#define OVERLAP_MS (10 * INT64_C(60000))

struct poll {
	kl_call *c;
	const kl_step *s;
	struct http_decl decl;
	int by_mark, newest_first, quiet; /* quiet: only the mark is wanted */
	int met;                          /* the old mark was seen: all after it is known */
	int64_t since_ms, began_ms;
	kl_str old_mark, new_mark;
};

static int64_t duration(const struct poll *poll, const char *key, int64_t otherwise)
{
	kl_str text = http_key(&poll->decl, key);

	return text.ptr ? http_duration(text) : otherwise;
}

static struct poll poll_of(kl_call *c, const kl_step *s)
{
	struct poll poll = {.c = c, .s = s};

	poll.decl = http_decl(c, s->config, "poll", kl_s(s->op));
	poll.by_mark = http_key(&poll.decl, "mark").ptr != 0;
	poll.newest_first = !kl_eq(http_key(&poll.decl, "order"), "oldest");
	poll.old_mark = kl_text(c, s->checkpoint, "mark");
	poll.new_mark = kl_text(c, s->state, "mark");
	poll.since_ms = kl_i64(c, s->state, "since_ms", 0);
	poll.began_ms = kl_i64(c, s->state, "began_ms", c->now_ms);
	poll.quiet =
		poll.by_mark && !poll.old_mark.ptr && !kl_eq(http_key(&poll.decl, "first"), "all");
	return poll;
}

/* ---- asking
 * ---------------------------------------------------------------------------------------- */

static kl_val *state_of(const struct poll *poll, const struct http_page *page, int64_t number)
{
	kl_val *state = poll->c->host->object(poll->c);

	kl_set_i64(poll->c, state, "page", number);
	kl_set_i64(poll->c, state, "since_ms", poll->since_ms);
	kl_set_i64(poll->c, state, "began_ms", poll->began_ms);
	kl_set_text(poll->c, state, "mark", poll->new_mark);
	kl_set_text(poll->c, state, "cursor", page->cursor);
	kl_set_text(poll->c, state, "next", page->next);
	return state;
}

static const kl_next *ask(const struct poll *poll, const struct http_page *page, int64_t number)
{
	kl_call *c = poll->c;
	struct http_scope scope = http_scope(c, poll->s->input);
	const char *problem = "the next page is not below base_url";
	kl_request *r;

	http_dollar(&scope, "since", http_instant(c, poll->since_ms));
	if (poll->old_mark.len)
		http_dollar(&scope, "mark", poll->old_mark);
	http_dollar(&scope, "key", poll->s->key);
	if (page->cursor.len)
		http_dollar(&scope, "cursor", page->cursor);
	r = page->next.len ? http_request_next(&poll->decl, &scope, page->next)
			   : http_request(&poll->decl, &scope, KL_SAFE, &problem);
	if (!r && problem)
		return kl_failed(c, page->next.len ? KL_SURPRISE : KL_BAD_INPUT, 0, problem);
	if (!r)
		return 0;
	r->label = poll->s->op;
	return kl_send(c, r, state_of(poll, page, number));
}

static const kl_next *remember(const struct poll *poll)
{
	kl_call *c = poll->c;
	kl_val *checkpoint = c->host->object(c);

	if (poll->by_mark)
		kl_set_text(c, checkpoint, "mark",
			poll->new_mark.ptr   ? poll->new_mark
			: poll->old_mark.ptr ? poll->old_mark
					     : KL_LIT(""));
	else
		kl_set_i64(c, checkpoint, "since_ms", poll->began_ms);
	c->host->checkpoint(c, checkpoint);
	return kl_done(c, c->host->object(c));
}

static const kl_next *begin(struct poll *poll)
{
	struct http_page first = {{0, 0, 0}, {0, 0, 0}, 0};
	int64_t last = kl_i64(poll->c, poll->s->checkpoint, "since_ms", -1), since;

	poll->began_ms = poll->c->now_ms;
	if (poll->by_mark)
		return ask(poll, &first, 0);
	if (last < 0 && !http_key(&poll->decl, "lookback").ptr)
		return remember(poll);
	since = last < 0 ? poll->c->now_ms - duration(poll, "lookback", 0)
			 : last - duration(poll, "overlap", OVERLAP_MS);
	poll->since_ms = since > 0 ? since : 0;
	return ask(poll, &first, 0);
}

/* ---- reading
 * ---------------------------------------------------------------------------------------- */

static int same(kl_str a, kl_str b)
{
	return a.ptr && b.ptr && a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0;
}

/* 0: go on with the next item. */
static int read_mark(struct poll *poll, struct http_scope *item, int first)
{
	kl_str mark;

	if (!poll->by_mark)
		return 0;
	mark = http_fill(item, http_key(&poll->decl, "mark"), 0);
	if (poll->newest_first && same(mark, poll->old_mark))
		return 1;
	if (!poll->newest_first || (first && !poll->new_mark.ptr))
		poll->new_mark = mark;
	return 0;
}

/* NULL: all of them are told. */
static const kl_next *tell(struct poll *poll, const struct http_scope *scope, const kl_val *items)
{
	kl_call *c = poll->c;

	for (uint32_t i = 0; i < c->host->count(items) && !poll->met; i++) {
		struct http_scope item = *scope;
		item.root = c->host->at(items, i, 0);
		poll->met = read_mark(poll, &item, i == 0);
		if (!poll->met && !poll->quiet && !item.missing.ptr)
			http_emit(&poll->decl, &item);
		if (item.missing.ptr)
			return http_lacks(c, &item, "an item of the answer");
	}
	return 0;
}

static const kl_next *answered(struct poll *poll)
{
	kl_call *c = poll->c;
	struct http_scope scope = http_answer_scope(c, poll->s);
	const kl_next *refusal = http_refusal(&poll->decl, poll->s, &scope);
	const kl_val *items = refusal ? 0 : http_items(&poll->decl, scope.root);
	struct http_page page;

	if (refusal)
		return refusal;
	if (http_items_fault(c, items))
		return kl_failed(c, KL_SURPRISE, 0, http_items_fault(c, items));
	http_dollar(&scope, "poll", kl_s(poll->s->op));
	refusal = tell(poll, &scope, items);
	if (refusal)
		return refusal;
	if (poll->new_mark.len > HTTP_LONGEST)
		return kl_failed(c, KL_SURPRISE, 0, "an item's mark is longer than 4096 bytes");
	if (poll->met || (poll->quiet && poll->newest_first))
		return remember(poll);
	page = http_page(&poll->decl, poll->s, &scope, items);
	if (page.problem)
		return kl_failed(c, KL_SURPRISE, 0, page.problem);
	if (page.next.len || page.cursor.len)
		return ask(poll, &page, kl_i64(c, poll->s->state, "page", 0) + 1);
	return remember(poll);
}

const kl_next *http_poll(kl_call *c, const kl_step *s)
{
	struct poll poll = poll_of(c, s);

	if (!http_key(&poll.decl, "").ptr)
		return kl_failed(c, KL_BAD_INPUT, 0,
			HTTP_SAY(c, KL_LIT("this connection declares no "), poll.decl.prefix));
	return s->why == KL_RESPONSE && s->response ? answered(&poll) : begin(&poll);
}
