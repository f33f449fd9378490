/* fill.c - turns what a plugin asked for into what libcurl sends: checks names and values, puts
 * the credential in its place. Never lets a line end or a header of HTTP's own mechanics through:
 * that would be a second request inside the first. Loop's thread. */
#include "transfer/slot.h"

#include "base/arena.h"

#include <string.h>
#include <strings.h>

static bool is_token(struct str name)
{
	static const char extra[] = "!#$%&'*+-.^_`|~";

	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];
		bool alnum =
			(c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		if (!alnum && (!c || !strchr(extra, c)))
			return false;
	}
	return name.len > 0;
}

static bool same_name(struct str name, struct str other)
{
	return name.len == other.len && !strncasecmp(name.ptr, other.ptr, name.len);
}

static bool name_is(struct str name, const char *word)
{
	return same_name(name, str_of(word));
}

/* What libcurl writes itself. A second one of these is how requests are smuggled. */
static bool is_mechanics(struct str name)
{
	static const char *const words[] = {"host", "content-length", "transfer-encoding",
		"connection", "keep-alive", "expect", "upgrade", "te", "trailer",
		"proxy-connection", "proxy-authorization", "http2-settings"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (name_is(name, words[i]))
			return true;
	}
	return false;
}

static bool auth_is_header(const struct transfer_auth *auth)
{
	return auth->scheme == KL_AUTH_BEARER || auth->scheme == KL_AUTH_BASIC ||
	       auth->scheme == KL_AUTH_OAUTH2;
}

/* The list's nodes are ours: libcurl reads the list and never frees or copies it. */
struct lines {
	struct arena *arena;
	struct curl_slist *first, **end;
};

static void add_line(struct lines *lines, char *text)
{
	struct curl_slist *node = arena_alloc(lines->arena, sizeof(*node));

	if (!node || !text)
		return;
	node->data = text;
	*lines->end = node;
	lines->end = &node->next;
}

static void add_pair(struct lines *lines, struct str name, struct str value)
{
	/* "Name;" is how libcurl is told to send an empty header. */
	if (!value.len)
		add_line(lines, arena_printf(lines->arena, "%.*s;", STR_ARG(name)));
	else
		add_line(lines,
			arena_printf(lines->arena, "%.*s: %.*s", STR_ARG(name), STR_ARG(value)));
}

static const char *header_problem(
	struct slot *slot, const struct transfer_header *header, bool *skip)
{
	const struct transfer_request *request = slot->request;
	const struct transfer_auth *auth = &request->auth;
	const char *what = NULL;

	*skip = false;
	if (!is_token(header->name))
		return "a header's name has characters that are not allowed there";
	if (!str_one_line(header->value))
		what = "has a line end or control character in its value";
	else if (is_mechanics(header->name))
		what = "is written by the host and cannot be set";
	else if (auth_is_header(auth) && name_is(header->name, "authorization"))
		what = "comes from the credential and cannot be set beside it";
	else if (auth->scheme == KL_AUTH_HEADER && same_name(header->name, auth->param))
		what = "comes from the credential and cannot be set beside it";
	else if (request->content_type.len && name_is(header->name, "content-type"))
		*skip = true;
	if (!what)
		return NULL;
	return arena_printf(slot->arena, "the header %.*s %s", STR_ARG(header->name), what);
}

static const char *add_auth(struct slot *slot, struct lines *lines)
{
	const struct transfer_auth *auth = &slot->request->auth;
	struct str secret = auth->secret;

	if (!auth->scheme)
		return NULL;
	if (!secret.len)
		return "the credential is empty";
	if (auth->scheme == KL_AUTH_QUERY || auth->scheme == KL_AUTH_FORM)
		return auth->param.len ? NULL : "the credential does not say which parameter";
	if (auth->scheme == KL_AUTH_BASIC) {
		struct str both = str_of(arena_printf(
			slot->arena, "%.*s:%.*s", STR_ARG(auth->user), STR_ARG(secret)));
		struct str coded = str_encode(slot->arena, "base64", both);
		add_line(lines,
			arena_printf(slot->arena, "Authorization: Basic %.*s", STR_ARG(coded)));
		return NULL;
	}
	if (!str_one_line(secret))
		return "the credential has a line end or control character in it";
	if (auth->scheme == KL_AUTH_HEADER) {
		if (!is_token(auth->param) || is_mechanics(auth->param))
			return "the credential names a header that cannot be set";
		add_pair(lines, auth->param, secret);
		return NULL;
	}
	if (!auth_is_header(auth))
		return "the credential is of a kind this version does not know";
	add_line(lines, arena_printf(slot->arena, "Authorization: Bearer %.*s", STR_ARG(secret)));
	return NULL;
}

static bool has_header(const struct transfer_request *request, const char *name)
{
	for (size_t i = 0; i < request->header_count; i++) {
		if (name_is(request->headers[i].name, name))
			return true;
	}
	return false;
}

struct curl_slist *slot_headers(struct slot *slot, const char **problem)
{
	static char no_expect[] = "Expect:", no_type[] = "Content-Type:";
	static struct curl_slist expect = {no_expect, NULL};
	const struct transfer_request *request = slot->request;
	struct lines lines = {slot->arena, NULL, &lines.first};
	bool skip;

	for (size_t i = 0; i < request->header_count && !*problem; i++) {
		*problem = header_problem(slot, &request->headers[i], &skip);
		if (!*problem && !skip)
			add_pair(&lines, request->headers[i].name, request->headers[i].value);
	}
	if (!*problem)
		*problem = add_auth(slot, &lines);
	if (!str_one_line(request->content_type) || !str_one_line(request->traceparent))
		*problem = "the content type or trace has a control character in it";
	if (request->content_type.len)
		add_pair(&lines, STR("Content-Type"), request->content_type);
	else if (!has_header(request, "content-type"))
		add_line(&lines, no_type); /* else libcurl would claim a form */
	if (request->traceparent.len && !has_header(request, "traceparent"))
		add_pair(&lines, STR("traceparent"), request->traceparent);
	*lines.end = &expect; /* a 100 Continue costs a round trip and brings nothing here */
	return lines.first;
}

static bool is_url_text(struct str url)
{
	for (size_t i = 0; i < url.len; i++) {
		unsigned char c = (unsigned char)url.ptr[i];
		if (c <= 0x20 || c >= 0x7f)
			return false;
	}
	return url.len > 0;
}

const char *slot_url(struct slot *slot, const char **problem)
{
	const struct transfer_auth *auth = &slot->request->auth;
	struct str url = slot->request->url;

	if (!is_url_text(url)) {
		*problem = "the URL is empty or has characters that must be percent-encoded";
		return NULL;
	}
	const char *fragment = memchr(url.ptr, '#', url.len);
	if (fragment)
		url.len = (size_t)(fragment - url.ptr);
	if (auth->scheme != KL_AUTH_QUERY)
		return arena_strndup(slot->arena, url.ptr, url.len);
	struct str name = str_encode(slot->arena, "percent", auth->param);
	struct str value = str_encode(slot->arena, "percent", auth->secret);
	return arena_printf(slot->arena, "%.*s%c%.*s=%.*s", STR_ARG(url),
		memchr(url.ptr, '?', url.len) ? '&' : '?', STR_ARG(name), STR_ARG(value));
}

struct str slot_body(struct slot *slot, const char **problem)
{
	const struct transfer_request *request = slot->request;

	if (request->auth.scheme != KL_AUTH_FORM)
		return request->body;
	if (request->content_type.len &&
		(request->content_type.len < 33 ||
			strncasecmp(request->content_type.ptr, "application/x-www-form-urlencoded",
				33))) {
		*problem = "the credential goes into a form, but the body is none";
		return request->body;
	}
	struct str name = str_encode(slot->arena, "percent", request->auth.param);
	struct str value = str_encode(slot->arena, "percent", request->auth.secret);
	return str_cat(slot->arena,
		(const struct str[]){request->body, request->body.len ? STR("&") : STR(""), name,
			STR("="), value},
		5);
}
