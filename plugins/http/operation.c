/* operation.c - one declared operation: send, understand, page by page, look up.
 *
 * Nothing is sent again here: what may be repeated is said with each request, and an outcome nobody
 * knows is asked for with the declared look-up or handed to a person. A pure function; any thread.
 */
#include "http.h"

#define CLOCKS_MS (5 * INT64_C(60000))

static uint32_t repeat_of(const struct http_decl *decl)
{
	kl_str repeat = http_key(decl, "repeat"), line = http_key(decl, "");

	if (kl_eq(repeat, "safe"))
		return KL_SAFE;
	if (kl_eq(repeat, "key") || kl_starts(repeat, "key "))
		return KL_KEYED;
	if (!repeat.ptr && (kl_starts(line, "GET ") || kl_starts(line, "HEAD ")))
		return KL_SAFE;
	return KL_NEVER;
}

/* When it was sent first; a while earlier for a look-up, since two clocks are never the same. */
static int64_t sent_ms(kl_call *c, const kl_step *s)
{
	return kl_i64(c, s->state, "sent_ms", c->now_ms);
}

static kl_val *page_state(
	kl_call *c, const kl_step *s, const struct http_page *page, int64_t number)
{
	kl_val *state = c->host->object(c);

	kl_set_i64(c, state, "page", number);
	kl_set_i64(c, state, "sent_ms", sent_ms(c, s));
	kl_set_text(c, state, "cursor", page->cursor);
	kl_set_text(c, state, "next", page->next);
	return state;
}

static struct http_scope input_scope(kl_call *c, const kl_step *s, const struct http_page *page)
{
	struct http_scope scope = http_scope(c, s->input);

	kl_set(c, scope.dollars, "input", s->input);
	http_dollar(&scope, "key", s->key);
	http_dollar(&scope, "sent", http_instant(c, sent_ms(c, s) - CLOCKS_MS));
	if (page->cursor.len)
		http_dollar(&scope, "cursor", page->cursor);
	return scope;
}

static const kl_next *send_page(const struct http_decl *decl, const kl_step *s, uint32_t repeat,
	const struct http_page *page, int64_t number)
{
	kl_call *c = decl->c;
	struct http_scope scope = input_scope(c, s, page);
	const char *problem = "the next page is not below base_url";
	kl_request *r = page->next.len ? http_request_next(decl, &scope, page->next)
				       : http_request(decl, &scope, repeat, &problem);

	if (!r && problem)
		return kl_failed(c, page->next.len ? KL_SURPRISE : KL_BAD_INPUT, 0, problem);
	if (!r)
		return 0;
	r->label = s->op;
	return kl_send(c, r, page_state(c, s, page, number));
}

/* ---- results ------------------------------------------------------------------------------------
 */

/* An item as the root; what belongs to the whole answer stays. */
static struct http_scope item_scope(const struct http_scope *scope, const kl_val *item)
{
	struct http_scope mine = *scope;

	mine.root = item;
	return mine;
}

/* 0: an item lacks what "row" needs; scope tells. */
static int give_rows(const struct http_decl *decl, struct http_scope *scope, const kl_val *items)
{
	kl_call *c = decl->c;
	const kl_val *row = c->host->from_json(c, http_key(decl, "row"));

	for (uint32_t i = 0; i < c->host->count(items); i++) {
		struct http_scope mine = item_scope(scope, c->host->at(items, i, 0));
		const kl_val *value = row ? http_shape(&mine, row) : mine.root;
		if (mine.missing.ptr) {
			scope->missing = mine.missing;
			return 0;
		}
		c->host->row(c, value);
	}
	return 1;
}

static const kl_val *plain_result(kl_call *c, const kl_step *s, const struct http_scope *scope)
{
	kl_val *result;

	if (c->host->type(scope->root) == KL_OBJECT)
		return scope->root;
	result = c->host->object(c);
	kl_set_i64(c, result, "status", s->response->status);
	kl_set(c, result, "body", scope->root);
	return result;
}

static const kl_next *done(const struct http_decl *decl, const kl_step *s, struct http_scope *scope)
{
	kl_call *c = decl->c;
	const kl_val *shape = c->host->from_json(c, http_key(decl, "result"));
	const kl_val *result;

	if (!shape && http_key(decl, "items").ptr)
		return kl_done(c, c->host->object(c));
	result = shape ? http_shape(scope, shape) : plain_result(c, s, scope);
	if (scope->missing.ptr)
		return http_lacks(c, scope, "the answer");
	return kl_done(c, result);
}

static const kl_next *answered(const struct http_decl *decl, const kl_step *s)
{
	kl_call *c = decl->c;
	struct http_scope scope = http_answer_scope(c, s);
	const kl_next *refusal = http_refusal(decl, s, &scope);
	const kl_val *items;
	struct http_page page;

	if (refusal || !http_key(decl, "items").ptr)
		return refusal ? refusal : done(decl, s, &scope);
	items = http_items(decl, scope.root);
	if (http_items_fault(c, items))
		return kl_failed(c, KL_SURPRISE, 0, http_items_fault(c, items));
	if (!give_rows(decl, &scope, items))
		return http_lacks(c, &scope, "an item of the answer");
	page = http_page(decl, s, &scope, items);
	if (page.problem)
		return kl_failed(c, KL_SURPRISE, 0, page.problem);
	if (page.next.len || page.cursor.len)
		return send_page(decl, s, KL_SAFE, &page, kl_i64(c, s->state, "page", 0) + 1);
	return done(decl, s, &scope);
}

/* ---- looking up
 * ----------------------------------------------------------------------------------- */

static struct http_decl lookup_of(const struct http_decl *decl)
{
	struct http_decl lookup = *decl;

	lookup.prefix = KL_CAT(decl->c, decl->prefix, KL_LIT(".lookup"));
	return lookup;
}

static const kl_next *begin_lookup(const struct http_decl *decl, const kl_step *s)
{
	struct http_decl lookup = lookup_of(decl);
	struct http_page first = {{0, 0, 0}, {0, 0, 0}, 0};

	if (!http_key(&lookup, "").ptr)
		return kl_then(decl->c, KL_UNSURE,
			HTTP_SAY(decl->c, decl->prefix,
				KL_LIT(" may have happened; it declares no look-up, so a person "
				       "has to see")));
	return send_page(&lookup, s, KL_SAFE, &first, 0);
}

/* What was found is what the operation itself would have said. */
static const kl_next *found(const struct http_decl *decl, const kl_step *s,
	const struct http_scope *scope, const kl_val *item)
{
	struct http_decl lookup = lookup_of(decl);
	struct http_scope mine = item_scope(scope, item);

	return done(http_key(&lookup, "result").ptr ? &lookup : decl, s, &mine);
}

static const kl_val *search(
	const struct http_decl *lookup, const struct http_scope *scope, const kl_val *items)
{
	kl_call *c = lookup->c;
	kl_str condition = http_key(lookup, "found");
	uint32_t count = c->host->type(items) == KL_ARRAY ? c->host->count(items) : 1;

	for (uint32_t i = 0; i < count; i++) {
		struct http_scope mine = item_scope(
			scope, c->host->type(items) == KL_ARRAY ? c->host->at(items, i, 0) : items);
		if (mine.root && http_holds(&mine, condition))
			return mine.root;
	}
	return 0;
}

/* A proxy's page and a refusal lack everything, so what they lack proves nothing. */
static int is_absent(
	const struct http_decl *lookup, const kl_step *s, struct http_scope *scope, int refused)
{
	kl_str absent = http_key(lookup, "absent");
	uint32_t status = s->response->status;
	int gone = status == 404 || status == 410;

	return s->response->outcome == KL_ANSWERED && absent.ptr &&
	       (gone || (!refused && scope->root)) && http_holds(scope, absent);
}

static const kl_next *looked(const struct http_decl *decl, const kl_step *s)
{
	kl_call *c = decl->c;
	struct http_decl lookup = lookup_of(decl);
	struct http_scope scope = http_answer_scope(c, s);
	const kl_next *refusal = http_refusal(&lookup, s, &scope);
	const kl_val *items = http_items(&lookup, scope.root);
	const kl_val *item = refusal ? 0 : search(&lookup, &scope, items);
	struct http_page page;

	if (item)
		return found(decl, s, &scope, item);
	if (is_absent(&lookup, s, &scope, refusal != 0))
		return kl_then(c, KL_ABSENT, 0);
	if (refusal)
		return refusal;
	page = http_page(&lookup, s, &scope, items);
	if (!page.problem && (page.next.len || page.cursor.len))
		return send_page(&lookup, s, KL_SAFE, &page, kl_i64(c, s->state, "page", 0) + 1);
	return kl_then(c, KL_UNSURE, "the look-up did not find it, but that proves nothing");
}

/* The lost request's own answer may prove that nothing happened, if the operator says so. */
static const kl_next *lost(const struct http_decl *decl, const kl_step *s)
{
	kl_str unsent = http_key(decl, "unsent");
	struct http_scope scope;

	if (!unsent.ptr || !s->response || !s->response->status)
		return 0;
	scope = http_answer_scope(decl->c, s);
	if (!http_holds(&scope, unsent))
		return 0;
	return kl_failed(decl->c, KL_BROKEN, 0,
		HTTP_SAY(decl->c, decl->prefix,
			KL_LIT(": the server answered with an error of its own, before it did "
			       "anything")));
}

/* ---- the way
 * ------------------------------------------------------------------------------------------ */

const kl_next *http_operation(kl_call *c, const kl_step *s)
{
	struct http_decl decl = http_decl(c, s->config, "op", kl_s(s->op));
	struct http_page first = {{0, 0, 0}, {0, 0, 0}, 0};
	const kl_next *next;

	if (!http_key(&decl, "").ptr)
		return kl_failed(c, KL_BAD_INPUT, 0,
			HTTP_SAY(c, KL_LIT("this connection declares no "), decl.prefix));
	if (s->why == KL_LOOKUP) {
		next = lost(&decl, s);
		return next ? next : begin_lookup(&decl, s);
	}
	if (s->why != KL_RESPONSE || !s->response)
		return s->looking ? begin_lookup(&decl, s)
				  : send_page(&decl, s, repeat_of(&decl), &first, 0);
	return s->looking ? looked(&decl, s) : answered(&decl, s);
}
