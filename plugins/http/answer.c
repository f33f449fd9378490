/* answer.c - what came back: a success, or a failure of which class.
 *
 * The operator's rules go first, the operation's before the connection's, in the order of the file;
 * what none of them knows is judged by its status. A pure function; any thread.
 */
#include "http.h"

enum { LONGEST_WORD = 300 }; /* of a vendor's sentence, for a person */

const char *http_say(kl_call *c, const kl_str *parts, uint32_t count)
{
	kl_str sentence = kl_cat(c, parts, count);

	return sentence.ptr;
}

/* ---- the scope
 * ----------------------------------------------------------------------------------- */

static int is_ascii(kl_str s)
{
	for (uint32_t i = 0; i < s.len; i++)
		if ((unsigned char)s.ptr[i] >= 0x80 || !s.ptr[i])
			return 0;
	return s.ptr != 0;
}

static const kl_val *headers_of(kl_call *c, kl_list list)
{
	kl_val *out = c->host->object(c);

	for (uint32_t i = 0; i < list.count; i++) {
		const kl_pair *pair = (const kl_pair *)(const void *)((const char *)list.ptr +
								      (size_t)i * list.stride);
		if (is_ascii(pair->name) && is_ascii(pair->value) &&
			!http_find(c, out, KL_CAT(c, KL_LIT("/"), pair->name)))
			c->host->set(c, out, pair->name, c->host->of_text(c, pair->value));
	}
	return out;
}

/* Link: <https://…>; rel="next", <…>; rel="last": the address of "next". */
static kl_str link_next(kl_call *c, kl_str header)
{
	uint32_t open = 0, close = 0;
	kl_str none = {0, 0, 0};

	for (uint32_t i = 0; i < header.len; i++) {
		if (header.ptr[i] == '<')
			open = i + 1;
		if (header.ptr[i] == '>')
			close = i;
		if (header.len - i >= 10 && memcmp(header.ptr + i, "rel=\"next\"", 10) == 0)
			return open && close >= open ? kl_slice(c, header, open, close) : none;
	}
	return none;
}

struct http_scope http_answer_scope(kl_call *c, const kl_step *s)
{
	const kl_response *r = s->response;
	struct http_scope scope = http_scope(c, r ? r->json : 0);
	kl_val *link = c->host->object(c);

	kl_set(c, scope.dollars, "input", s->input);
	http_dollar(&scope, "key", s->key);
	if (!r)
		return scope;
	kl_set_i64(c, scope.dollars, "status", r->status);
	kl_set(c, scope.dollars, "header", headers_of(c, r->headers));
	kl_set_text(c, link, "next",
		link_next(c, c->host->text(http_value(&scope, KL_LIT("$header.link")))));
	kl_set(c, scope.dollars, "link", link);
	kl_set(c, scope.dollars, "body", r->json);
	return scope;
}

/* ---- classes
 * --------------------------------------------------------------------------------------- */

static const struct {
	const char *word;
	uint32_t fail;
} classes[] = {{"bad_input", KL_BAD_INPUT}, {"bad_auth", KL_BAD_AUTH}, {"busy", KL_BUSY},
	{"broken", KL_BROKEN}, {"gone", KL_GONE}, {"conflict", KL_CONFLICT},
	{"surprise", KL_SURPRISE}};

uint32_t http_class(kl_str word)
{
	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		if (kl_eq(word, classes[i].word))
			return classes[i].fail;
	return 0;
}

/* The first rule "prefix + CLASS = condition" that holds; 0: none. */
static uint32_t ruled(struct http_scope *scope, const kl_val *config, kl_str prefix)
{
	kl_call *c = scope->c;

	for (uint32_t i = 0; prefix.ptr && i < c->host->count(config); i++) {
		kl_str key;
		const kl_val *value = c->host->at(config, i, &key);
		uint32_t fail = kl_starts(key, prefix.ptr)
					? http_class(kl_slice(c, key, prefix.len, key.len))
					: 0;
		if (fail && http_holds(scope, c->host->text(value)))
			return fail;
	}
	return 0;
}

static uint32_t by_status(uint32_t status)
{
	static const struct {
		uint32_t status, fail;
	} known[] = {{400, KL_BAD_INPUT}, {401, KL_BAD_AUTH}, {402, KL_BAD_AUTH},
		{403, KL_BAD_AUTH}, {404, KL_GONE}, {409, KL_CONFLICT}, {410, KL_GONE},
		{412, KL_CONFLICT}, {422, KL_BAD_INPUT}, {429, KL_BUSY}};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (status == known[i].status)
			return known[i].fail;
	return status >= 500 ? KL_BROKEN : KL_SURPRISE;
}

/* ---- what a person reads
 * ------------------------------------------------------------------------------ */

static kl_str shortened(kl_call *c, kl_str text)
{
	uint32_t end = LONGEST_WORD;

	if (text.len <= LONGEST_WORD)
		return text;
	while (end && ((unsigned char)text.ptr[end] & 0xc0) == 0x80)
		end--; /* not inside a character */
	return KL_CAT(c, kl_slice(c, text, 0, end), KL_LIT("…"));
}

static kl_str vendors(struct http_scope *scope, const kl_val *config, const char *option)
{
	struct http_scope mine = *scope;
	kl_str text = kl_text(scope->c, config, option), out = {0, 0, 0};

	if (text.len)
		out = shortened(scope->c, http_fill(&mine, text, 0));
	return out;
}

static const char *sentence(
	const struct http_decl *decl, const kl_step *s, struct http_scope *scope, kl_str code)
{
	kl_call *c = decl->c;
	kl_str words = vendors(scope, decl->config, "/error.message");
	kl_str status = c->host->text(c->host->of_i64(c, s->response->status));

	if (!s->response->status)
		return HTTP_SAY(c, decl->prefix, KL_LIT(": no answer, "),
			kl_s(s->response->reason ? s->response->reason : "for no known reason"));
	return HTTP_SAY(c, decl->prefix, KL_LIT(": the server answered "), status,
		code.len ? KL_LIT(", ") : KL_LIT(""), code, words.len ? KL_LIT(": ") : KL_LIT(""),
		words);
}

static const kl_next *failed(
	const struct http_decl *decl, const kl_step *s, struct http_scope *scope, uint32_t fail)
{
	kl_call *c = decl->c;
	kl_str code = vendors(scope, decl->config, "/error.code");
	kl_next *n = (kl_next *)kl_failed(
		c, fail, code.len ? code.ptr : 0, sentence(decl, s, scope, code));
	kl_val *detail = c->host->object(c);

	if (!n)
		return 0;
	kl_set_i64(c, detail, "status", s->response->status);
	n->detail = detail;
	if (fail == KL_BUSY || fail == KL_BROKEN)
		n->wait_ms = s->response->retry_after_ms > 0 ? s->response->retry_after_ms : 0;
	return n;
}

static int is_done(const struct http_decl *decl, struct http_scope *scope)
{
	kl_str done = http_key(decl, "done");

	if (!done.ptr)
		done = kl_text(decl->c, decl->config, "done");
	return !done.ptr || http_holds(scope, done);
}

/* A page of a proxy lacks all that a rule may say is lacking; what it stands for may have happened,
 * so no rule makes it a reason to send again. */
static int is_strange(const kl_response *r)
{
	return r->status >= 200 && r->status <= 299 && !r->json;
}

const kl_next *http_refusal(
	const struct http_decl *decl, const kl_step *s, struct http_scope *scope)
{
	kl_call *c = decl->c;
	const kl_response *r = s->response;
	uint32_t fail = 0;

	if (r->status)
		fail = ruled(scope, decl->config, KL_CAT(c, decl->prefix, KL_LIT(".fail.")));
	if (r->status && !fail)
		fail = ruled(scope, decl->config, KL_LIT("fail."));
	if ((fail == KL_BUSY || fail == KL_BROKEN) && is_strange(r))
		fail = KL_SURPRISE;
	if (fail)
		return failed(decl, s, scope, fail);
	if (r->outcome != KL_ANSWERED)
		return failed(decl, s, scope, KL_BROKEN);
	if (r->status < 200 || r->status > 299)
		return failed(decl, s, scope, by_status(r->status));
	return is_done(decl, scope) ? 0 : failed(decl, s, scope, KL_SURPRISE);
}

const kl_next *http_lacks(kl_call *c, const struct http_scope *scope, const char *what)
{
	return kl_failed(c, KL_SURPRISE, 0,
		HTTP_SAY(c, kl_s(what), KL_LIT(" lacks \""), scope->missing,
			KL_LIT("\"; if that is fine, write {"), scope->missing, KL_LIT("?}")));
}
