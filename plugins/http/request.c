/* request.c - what is sent: an address, parameters, headers and a body out of templates.
 *
 * A value from outside never becomes a part of the address's structure: it is percent-encoded, and
 * neither empty nor a dot segment in the path. A pure function; any thread.
 */
#include "http.h"

/* ---- what is declared ------------------------------------------------------------------------ */

static kl_str joined_key(kl_call *c, kl_str prefix, const char *key)
{
	return *key ? KL_CAT(c, KL_LIT("/"), prefix, KL_LIT("."), kl_s(key))
		    : KL_CAT(c, KL_LIT("/"), prefix);
}

kl_str http_key(const struct http_decl *decl, const char *key)
{
	kl_str path = joined_key(decl->c, decl->prefix, key), none = {0, 0, 0};

	return path.ptr ? kl_text(decl->c, decl->config, path.ptr) : none;
}

kl_str http_shared(const struct http_decl *decl, const char *key)
{
	struct http_decl hook = {decl->c, decl->config, KL_LIT("hook")};
	kl_str own = http_key(decl, key);

	return own.ptr ? own : http_key(&hook, key);
}

struct http_decl http_decl(kl_call *c, const kl_val *config, const char *kind, kl_str name)
{
	struct http_decl decl = {c, config, KL_CAT(c, kl_s(kind), KL_LIT("."), name)};

	return decl;
}

/* ---- forms -------------------------------------------------------------------------------------
 */

static void add_form(kl_call *c, kl_str *out, kl_str name, const kl_val *value, int depth)
{
	uint32_t type = c->host->type(value);

	if (type == KL_NONE || type == KL_NULL || depth > HTTP_DEPTH)
		return;
	if (type != KL_OBJECT && type != KL_ARRAY) {
		*out = KL_CAT(c, *out, out->len ? KL_LIT("&") : KL_LIT(""),
			c->host->encode(c, "percent", name), KL_LIT("="),
			c->host->encode(c, "percent", c->host->text(value)));
		return;
	}
	for (uint32_t i = 0; i < c->host->count(value); i++) {
		kl_str key = {0, 0, 0};
		const kl_val *member = c->host->at(value, i, &key);
		if (type == KL_ARRAY)
			key = c->host->text(c->host->of_i64(c, i));
		add_form(c, out, name.ptr ? KL_CAT(c, name, KL_LIT("["), key, KL_LIT("]")) : key,
			member, depth + 1);
	}
}

/* Values of a JSON object as "a=1&b[c]=2". */
static kl_str http_form(kl_call *c, const kl_val *object)
{
	kl_str out = KL_LIT(""), none = {0, 0, 0};

	add_form(c, &out, none, object, 0);
	return out;
}

/* ---- the address
 * --------------------------------------------------------------------------------- */

static int is_dots(kl_str path, uint32_t from, uint32_t to)
{
	uint32_t n = to - from;

	return (n == 1 || n == 2) && path.ptr[from] == '.' && path.ptr[to - 1] == '.';
}

/* "/v1/customers/.." would be another address than the one declared. */
static int has_dot_segment(kl_str path)
{
	uint32_t from = 0;

	for (uint32_t i = 0; i <= path.len; i++)
		if (i == path.len || path.ptr[i] == '/') {
			if (is_dots(path, from, i))
				return 1;
			from = i + 1;
		}
	return 0;
}

static kl_str filled_path(struct http_scope *scope, kl_str text, const char **problem)
{
	kl_call *c = scope->c;
	kl_str out = KL_LIT(""), literal, expr, value;

	while (http_piece(c, &text, &literal, &expr)) {
		value = expr.ptr ? http_fill(scope, KL_CAT(c, KL_LIT("{"), expr, KL_LIT("}")), 1)
				 : literal;
		if (!value.len && !scope->missing.ptr)
			*problem = HTTP_SAY(c, KL_LIT("\""), expr,
				KL_LIT("\" is empty, but a part of the address"));
		out = KL_CAT(c, out, value);
	}
	if (has_dot_segment(out))
		*problem = "a value would make \".\" or \"..\" a part of the address";
	return out;
}

static kl_str with_query(kl_call *c, kl_str url, kl_str query)
{
	if (!query.len)
		return url;
	return KL_CAT(c, url, memchr(url.ptr, '?', url.len) ? KL_LIT("&") : KL_LIT("?"), query);
}

static const kl_val *shaped(const struct http_decl *decl, struct http_scope *scope, const char *key)
{
	kl_str text = http_key(decl, key);

	return text.ptr ? http_shape(scope, decl->c->host->from_json(decl->c, text)) : 0;
}

static kl_str address(
	const struct http_decl *decl, struct http_scope *scope, kl_str text, const char **problem)
{
	kl_call *c = decl->c;
	uint32_t mark = 0;
	kl_str url;

	while (mark < text.len && text.ptr[mark] != '?')
		mark++;
	url = filled_path(scope, kl_slice(c, text, 0, mark), problem);
	if (mark < text.len)
		url = KL_CAT(c, url, http_fill(scope, kl_slice(c, text, mark, text.len), 1));
	return url.ptr ? with_query(c, url, http_form(c, shaped(decl, scope, "query"))) : url;
}

/* ---- headers
 * --------------------------------------------------------------------------------------- */

struct headers {
	kl_pair *items;
	uint32_t count, most;
};

static int is_line(kl_str text)
{
	for (uint32_t i = 0; i < text.len; i++)
		if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
			return 0;
	return 1;
}

static void add_header(struct headers *headers, kl_str name, kl_str value, const char **problem)
{
	if (!value.ptr || headers->count == headers->most)
		return;
	if (!is_line(value))
		*problem = "a header's value has a line break or another control character";
	headers->items[headers->count++] = (kl_pair){name, value};
}

static void add_headers(
	kl_call *c, struct headers *headers, const kl_val *object, const char **problem)
{
	for (uint32_t i = 0; i < c->host->count(object); i++) {
		kl_str name;
		const kl_val *value = c->host->at(object, i, &name);
		add_header(headers, name, c->host->text(value), problem);
	}
}

/* "key Idempotency-Key": the header's name; empty: the template places the key itself. */
static kl_str key_header(const struct http_decl *decl)
{
	kl_str repeat = http_key(decl, "repeat"), none = {0, 0, 0};

	return kl_starts(repeat, "key ") ? kl_slice(decl->c, repeat, 4, repeat.len) : none;
}

static kl_list header_list(const struct http_decl *decl, struct http_scope *scope, uint32_t repeat,
	const char **problem)
{
	kl_call *c = decl->c;
	kl_str all = kl_text(c, decl->config, "headers"), key = key_header(decl);
	const kl_val *common = all.ptr ? http_shape(scope, c->host->from_json(c, all)) : 0;
	const kl_val *own = shaped(decl, scope, "headers");
	struct headers headers = {0, 0, c->host->count(common) + c->host->count(own) + 1};

	headers.items = (kl_pair *)c->host->alloc(c, headers.most * sizeof(kl_pair));
	if (!headers.items)
		return (kl_list){0, 0, 0};
	add_headers(c, &headers, common, problem);
	add_headers(c, &headers, own, problem);
	if (repeat == KL_KEYED && key.len)
		add_header(
			&headers, key, c->host->text(http_value(scope, KL_LIT("$key"))), problem);
	return (kl_list){headers.items, headers.count, sizeof(kl_pair)};
}

/* ---- the whole
 * --------------------------------------------------------------------------------------- */

static void add_body(const struct http_decl *decl, struct http_scope *scope, kl_request *r)
{
	kl_str type = http_key(decl, "type"), text = http_key(decl, "text");

	if (http_key(decl, "json").ptr) {
		r->body = decl->c->host->to_json(decl->c, shaped(decl, scope, "json"));
		r->content_type = "application/json";
	} else if (http_key(decl, "form").ptr) {
		r->body = http_form(decl->c, shaped(decl, scope, "form"));
		r->content_type = "application/x-www-form-urlencoded";
	} else if (text.ptr) {
		r->body = http_fill(scope, text, 0);
		r->content_type = "text/plain; charset=utf-8";
	}
	if (type.len)
		r->content_type = type.ptr;
}

static const char *credential(const struct http_decl *decl)
{
	static const char *const known[] = {"bearer", "basic", "header", "query", "form"};
	kl_str auth = kl_text(decl->c, decl->config, "auth");

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (kl_eq(auth, known[i]))
			return known[i];
	return 0;
}

static kl_request *begin(const struct http_decl *decl, uint32_t repeat)
{
	kl_request *r = KL_NEW(decl->c, kl_request);

	if (!r)
		return 0;
	r->repeat = repeat;
	r->auth = credential(decl);
	r->label = decl->prefix.ptr;
	return r;
}

kl_request *http_request(const struct http_decl *decl, struct http_scope *scope, uint32_t repeat,
	const char **problem)
{
	kl_call *c = decl->c;
	kl_str line = http_key(decl, "");
	uint32_t blank = 0;
	kl_request *r = begin(decl, repeat);

	*problem = 0;
	while (blank < line.len && line.ptr[blank] != ' ')
		blank++;
	if (!r || !line.len || blank == line.len)
		return 0;
	r->method = kl_slice(c, line, 0, blank).ptr;
	r->url = address(decl, scope, kl_slice(c, line, blank + 1, line.len), problem);
	r->headers = header_list(decl, scope, repeat, problem);
	add_body(decl, scope, r);
	if (scope->missing.ptr)
		*problem = HTTP_SAY(c, decl->prefix, KL_LIT(" needs \""), scope->missing,
			KL_LIT("\", which the input does not have"));
	return *problem ? 0 : r;
}

kl_request *http_request_next(const struct http_decl *decl, struct http_scope *scope, kl_str url)
{
	kl_str base = kl_text(decl->c, decl->config, "base_url");
	const char *problem = 0;
	kl_request *r = begin(decl, KL_SAFE);

	while (base.len && base.ptr[base.len - 1] == '/')
		base = kl_slice(decl->c, base, 0, base.len - 1);
	for (uint32_t i = 0; i < url.len; i++)
		if ((unsigned char)url.ptr[i] <= 0x20 || url.ptr[i] == 0x7f)
			return 0;
	if (!url.len || !r)
		return 0;
	if (url.ptr[0] != '/' && !(base.len && url.len > base.len && kl_starts(url, base.ptr) &&
					 (url.ptr[base.len] == '/' || url.ptr[base.len] == '?')))
		return 0; /* the credential would go where the operator did not send it */
	r->method = "GET";
	r->url = url;
	r->headers = header_list(decl, scope, KL_SAFE, &problem);
	return problem ? 0 : r;
}
