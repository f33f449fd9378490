/* events.c - what a webhook, or an item that a poll found, means: the first event.TYPE whose
 * condition holds, with id, subject, person, time and data as declared.
 *
 * A person is a number or an address, or nobody: what is neither must not become one. A pure
 * function; any thread.
 */
#include "http.h"

enum { LONGEST_ID = 500 };

/* The type, or NULL: nothing here says what this is, and it is no event. */
static const char *type_of(struct http_scope *scope, const kl_val *config)
{
	kl_call *c = scope->c;

	for (uint32_t i = 0; i < c->host->count(config); i++) {
		kl_str key;
		const kl_val *value = c->host->at(config, i, &key);
		if (kl_starts(key, "event.") && http_holds(scope, c->host->text(value)))
			return kl_slice(c, key, 6, key.len).ptr;
	}
	return 0;
}

static kl_str filled(const struct http_decl *decl, struct http_scope *scope, const char *key)
{
	kl_str text = http_shared(decl, key), none = {0, 0, 0};

	return text.len ? http_fill(scope, text, 0) : none;
}

/* Two long ids that begin alike must not become one. */
static kl_str id(const struct http_decl *decl, struct http_scope *scope, const char *key)
{
	kl_call *c = decl->c;
	kl_str text = filled(decl, scope, key);

	if (text.len <= LONGEST_ID)
		return text;
	return c->host->encode(c, "hex", c->host->hash(c, "sha256", text));
}

static int is_number(kl_str s, uint32_t from)
{
	if (s.len < from + 5 || s.len > from + 15)
		return 0;
	for (uint32_t i = from; i < s.len; i++)
		if (s.ptr[i] < '0' || s.ptr[i] > '9')
			return 0;
	return 1;
}

static kl_str person(const struct http_decl *decl, struct http_scope *scope)
{
	kl_str text = filled(decl, scope, "person"), none = {0, 0, 0};

	if (text.len && text.ptr[0] == '+' && is_number(text, 1))
		return text;
	return text.len <= 254 && kl_contains(text, "@") ? text : none;
}

static int64_t at_ms(const struct http_decl *decl, struct http_scope *scope)
{
	kl_str text = http_shared(decl, "at");
	kl_val *box = decl->c->host->object(decl->c);
	struct http_scope mine = http_scope(decl->c, box);

	if (!text.len)
		return 0;
	kl_set_text(decl->c, box, "at", http_fill(scope, text, 0));
	return decl->c->host->i64(
		http_shape(&mine, decl->c->host->of_text(decl->c, KL_LIT("{at:ms?}"))), 0);
}

static const kl_val *data(const struct http_decl *decl, struct http_scope *scope)
{
	kl_str text = http_shared(decl, "data");

	return text.ptr ? http_shape(scope, decl->c->host->from_json(decl->c, text)) : scope->root;
}

int http_emit(const struct http_decl *decl, struct http_scope *scope)
{
	kl_event *e = KL_NEW(decl->c, kl_event);
	const char *type = type_of(scope, decl->config);

	if (!e || !type)
		return 0;
	http_dollar(scope, "event", kl_s(type));
	e->type = type;
	e->dedupe = id(decl, scope, "dedupe");
	e->subject = id(decl, scope, "subject");
	e->regarding = id(decl, scope, "regarding");
	e->person = person(decl, scope);
	e->at_ms = at_ms(decl, scope);
	e->data = data(decl, scope);
	if (!scope->missing.ptr && decl->c->host->type(e->data) != KL_OBJECT)
		scope->missing = KL_LIT("an object");
	if (scope->missing.ptr)
		return -1;
	decl->c->host->emit(decl->c, e);
	return 0;
}

/* ---- webhooks ----------------------------------------------------------------------------------
 */

static kl_val *pairs_of(kl_call *c, kl_list list)
{
	kl_val *out = c->host->object(c);

	for (uint32_t i = 0; i < list.count; i++) {
		const kl_pair *pair = (const kl_pair *)(const void *)((const char *)list.ptr +
								      (size_t)i * list.stride);
		kl_str quoted = c->host->to_json(c, c->host->of_text(c, pair->value));
		if (c->host->from_json(c, quoted)) /* a header need not be UTF-8 */
			c->host->set(c, out, pair->name, c->host->of_text(c, pair->value));
	}
	return out;
}

static kl_str plus_to_blank(kl_call *c, kl_str s)
{
	char *copy = s.ptr ? (char *)c->host->alloc(c, (uint64_t)s.len + 1) : 0;
	kl_str out = {copy, copy ? s.len : 0, 0};

	for (uint32_t i = 0; copy && i < s.len; i++)
		copy[i] = s.ptr[i] == '+' ? ' ' : s.ptr[i];
	return out;
}

static kl_str form_part(kl_call *c, kl_str body, uint32_t from, uint32_t to)
{
	return c->host->decode(c, "percent", plus_to_blank(c, kl_slice(c, body, from, to)));
}

/* a=1&b=2; NULL: it is no form. */
static const kl_val *form_body(kl_call *c, kl_str body)
{
	kl_val *out = c->host->object(c);
	uint32_t at = 0;

	while (at < body.len) {
		uint32_t end = at, equals;
		while (end < body.len && body.ptr[end] != '&')
			end++;
		for (equals = at; equals < end && body.ptr[equals] != '=';)
			equals++;
		if (equals > at)
			c->host->set(c, out, form_part(c, body, at, equals),
				c->host->of_text(c,
					form_part(c, body, equals < end ? equals + 1 : end, end)));
		at = end + 1;
	}
	/* once more through the parser, which sees whether all of it is text */
	return c->host->from_json(c, c->host->to_json(c, out));
}

const kl_val *http_hook_body(kl_call *c, const kl_inbound *in)
{
	if (kl_eq(kl_text(c, in->config, "/hook.body"), "form"))
		return form_body(c, in->body);
	return c->host->from_json(c, in->body);
}

struct http_scope http_hook_scope(kl_call *c, const kl_inbound *in, const kl_val *body)
{
	struct http_scope scope = http_scope(c, body);

	kl_set(c, scope.dollars, "body", body);
	kl_set(c, scope.dollars, "query", pairs_of(c, in->query));
	kl_set(c, scope.dollars, "header", pairs_of(c, in->headers));
	http_dollar(&scope, "method", kl_s(in->method));
	http_dollar(&scope, "fingerprint",
		c->host->encode(c, "hex", c->host->hash(c, "sha256", in->body)));
	return scope;
}

static int emit_all(const struct http_decl *hook, struct http_scope *scope, const kl_val *items)
{
	kl_call *c = hook->c;
	int list = http_key(hook, "items").ptr != 0;
	uint32_t count = list ? c->host->count(items) : 1;

	if (list && http_items_fault(c, items)) {
		c->host->problem(c, "hook.items", http_items_fault(c, items));
		return KL_BAD_INPUT;
	}
	for (uint32_t i = 0; i < count; i++) {
		struct http_scope mine = *scope;
		mine.root = list ? c->host->at(items, i, 0) : items;
		if (http_emit(hook, &mine)) {
			c->host->problem(c, "hook",
				HTTP_SAY(c, KL_LIT("the body lacks "), mine.missing,
					KL_LIT("; if that is fine, write {"), mine.missing,
					KL_LIT("?}")));
			return KL_BAD_INPUT;
		}
	}
	return 0;
}

int http_normalize(kl_call *c, const kl_inbound *in)
{
	struct http_decl hook = {c, in->config, KL_LIT("hook")};
	const kl_val *body = http_hook_body(c, in);
	struct http_scope scope = http_hook_scope(c, in, body);

	if (!body) {
		c->host->problem(c, "", "the body is not what hook.body says (JSON, or a form)");
		return KL_BAD_INPUT;
	}
	return emit_all(&hook, &scope, http_items(&hook, body));
}
