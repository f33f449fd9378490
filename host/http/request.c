/* request.c - see request.h. Refuses whatever a proxy before us could have read differently: two
 * readings of one request are how a request is hidden inside another, or how a path slips past a
 * check. Any thread. */
#include "http/request.h"

#include "base/arena.h"

#include <string.h>
#include <strings.h>

/* Percent-decodes to out (room for in.len + 1). False: a bad escape, a NUL or other control
 * character, or not UTF-8 (which covers overlong forms). */
static bool decode(char *out, struct str in, bool plus_is_space, struct str *result)
{
	char *at = out;

	for (size_t i = 0; i < in.len; i++) {
		char c = in.ptr[i];
		if (c == '%') {
			int high = i + 2 < in.len ? str_hex(in.ptr[i + 1]) : -1;
			int low = i + 2 < in.len ? str_hex(in.ptr[i + 2]) : -1;
			if (high < 0 || low < 0)
				return false;
			c = (char)(high * 16 + low);
			i += 2;
		} else if (c == '+' && plus_is_space) {
			c = ' ';
		}
		*at++ = c;
	}
	*at = '\0';
	*result = (struct str){out, (size_t)(at - out)};
	return str_utf8_ok(*result);
}

static bool has_control(struct str text, bool lines_too)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		if (c == 0 || c == 0x7f || (lines_too && c < 0x20))
			return true;
	}
	return false;
}

static bool has_dot_segment(struct str path)
{
	const char *at = path.ptr, *end = path.ptr + path.len;

	while (at < end) {
		const char *stop = memchr(at, '/', (size_t)(end - at));
		size_t len = (size_t)((stop ? stop : end) - at);

		if ((len == 1 && at[0] == '.') || (len == 2 && at[0] == '.' && at[1] == '.'))
			return true;
		at += len + 1;
	}
	return false;
}

static bool has_encoded_slash(struct str raw)
{
	for (size_t i = 0; i + 2 < raw.len; i++) {
		if (raw.ptr[i] == '%' && raw.ptr[i + 1] == '2' &&
			(raw.ptr[i + 2] == 'f' || raw.ptr[i + 2] == 'F'))
			return true;
	}
	return false;
}

static unsigned read_path(struct request *request, struct str raw, const char **why)
{
	char *room = arena_take(request->arena, raw.len + 1);

	if (!room)
		return 503;
	*why = "the path is not properly percent-encoded UTF-8";
	if (!decode(room, raw, false, &request->path) || has_control(request->path, true))
		return 400;
	*why = "the path has dot segments or encoded slashes";
	return has_dot_segment(request->path) || has_encoded_slash(raw) ? 400 : 0;
}

static size_t count_pairs(struct str query)
{
	size_t n = 0;

	for (size_t i = 0; i < query.len; i++)
		n += query.ptr[i] == '&';
	return n + 1;
}

static unsigned read_query(struct request *request, struct str query, const char **why)
{
	size_t most = count_pairs(query);
	struct request_pair *pairs;

	*why = "the query has too many parameters";
	if (most > 1000)
		return 400;
	pairs = arena_alloc(request->arena, most * sizeof(*pairs));
	char *room = arena_take(request->arena, query.len + 2 * most);
	if (!pairs || !room)
		return 503;
	*why = "the query is not properly percent-encoded UTF-8";
	request->query = pairs;
	const char *at = query.ptr, *end = query.ptr + query.len;
	for (; at < end; at++) {
		const char *stop = memchr(at, '&', (size_t)(end - at));
		stop = stop ? stop : end;
		const char *equals = memchr(at, '=', (size_t)(stop - at));
		struct str name = {at, (size_t)((equals ? equals : stop) - at)};
		struct str value = {
			equals ? equals + 1 : stop, equals ? (size_t)(stop - equals - 1) : 0};
		struct request_pair *pair = &pairs[request->query_count];

		at = stop;
		if (!name.len && !value.len)
			continue;
		if (!decode(room, name, true, &pair->name))
			return 400;
		room += pair->name.len + 1;
		if (!decode(room, value, true, &pair->value))
			return 400;
		room += pair->value.len + 1;
		if (has_control(pair->name, true) || has_control(pair->value, false))
			return 400;
		request->query_count++;
	}
	return 0;
}

/* "http://host/path" is what a client sends to a proxy; its host is of no interest here. */
static struct str skip_authority(struct str target)
{
	size_t scheme = 0;

	if (target.len > 7 && !strncasecmp(target.ptr, "http://", 7))
		scheme = 7;
	else if (target.len > 8 && !strncasecmp(target.ptr, "https://", 8))
		scheme = 8;
	if (!scheme)
		return target;
	while (scheme < target.len && target.ptr[scheme] != '/' && target.ptr[scheme] != '?')
		scheme++;
	return (struct str){target.ptr + scheme, target.len - scheme};
}

unsigned request_read_target(struct request *request, struct str target, const char **why)
{
	struct str query = {NULL, 0};

	request->target = str_dup(request->arena, target);
	if (!request->target.ptr)
		return 503;
	struct str raw = skip_authority(request->target);
	const char *mark = memchr(raw.ptr, '?', raw.len);
	if (mark) {
		query = (struct str){mark + 1, raw.len - (size_t)(mark + 1 - raw.ptr)};
		raw.len = (size_t)(mark - raw.ptr);
	}
	if (!raw.len && request->target.len && raw.ptr != request->target.ptr)
		raw = STR("/");
	*why = "the target of the request must begin with a slash";
	if (!raw.len || raw.ptr[0] != '/' || memchr(raw.ptr, '#', raw.len))
		return 400;
	unsigned status = read_path(request, raw, why);
	if (!status && query.len)
		status = read_query(request, query, why);
	return status;
}

/* ---- Headers ----------------------------------------------------------------------------------
 */

static bool lower_name(struct str name)
{
	static const char marks[] = "!#$%&'*+-.^_`|~";
	char *text = (char *)name.ptr; /* ours: the listener copied it */

	for (size_t i = 0; i < name.len; i++) {
		char c = text[i];
		if (c >= 'A' && c <= 'Z')
			text[i] = (char)(c + 32);
		else if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
				 (c && strchr(marks, c))))
			return false;
	}
	return name.len > 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct str trim(struct str value)
{
	while (value.len && is_blank(value.ptr[value.len - 1]))
		value.len--;
	while (value.len && is_blank(value.ptr[0])) {
		value.ptr++;
		value.len--;
	}
	return value;
}

static bool value_is(struct str value, const char *word)
{
	return value.len == strlen(word) && !strncasecmp(value.ptr, word, value.len);
}

static bool read_length(struct str value, uint64_t *length)
{
	if (!value.len || value.len > 18)
		return false;
	*length = 0;
	for (size_t i = 0; i < value.len; i++) {
		if (value.ptr[i] < '0' || value.ptr[i] > '9')
			return false;
		*length = *length * 10 + (uint64_t)(value.ptr[i] - '0');
	}
	return true;
}

struct seen {
	unsigned hosts, lengths, encodings;
};

static const char *read_one(
	const struct request_pair *header, struct seen *seen, struct request_frame *frame)
{
	if (str_is(header->name, "host")) {
		if (seen->hosts++)
			return "there are two Host headers";
	} else if (str_is(header->name, "content-length")) {
		if (seen->lengths++)
			return "there are two Content-Length headers";
		if (!read_length(header->value, &frame->length))
			return "Content-Length is no number";
	} else if (str_is(header->name, "transfer-encoding")) {
		if (seen->encodings++ || !value_is(header->value, "chunked"))
			return "only one Transfer-Encoding is understood: chunked";
		frame->chunked = true;
	} else if (str_is(header->name, "expect")) {
		if (!value_is(header->value, "100-continue"))
			return "only 100-continue can be expected";
		frame->expects_continue = true;
	}
	return NULL;
}

unsigned request_read_headers(struct request_pair *headers, size_t count, int minor,
	struct request_frame *frame, const char **why)
{
	struct seen seen = {0, 0, 0};

	memset(frame, 0, sizeof(*frame));
	for (size_t i = 0; i < count; i++) {
		headers[i].value = trim(headers[i].value);
		*why = "a header's name has characters that are not allowed there";
		if (!lower_name(headers[i].name))
			return 400;
		*why = "a header's value has control characters in it";
		if (!str_one_line(headers[i].value))
			return 400;
		*why = read_one(&headers[i], &seen, frame);
		if (*why)
			return str_is(headers[i].name, "expect") ? 417 : 400;
	}
	*why = "Content-Length and Transfer-Encoding together are ambiguous";
	if (seen.lengths && seen.encodings)
		return 400;
	*why = "HTTP/1.0 knows no Transfer-Encoding";
	if (seen.encodings && minor == 0)
		return 400;
	*why = "HTTP/1.1 needs a Host header";
	return minor > 0 && !seen.hosts ? 400 : 0;
}

static struct str find(const struct request_pair *pairs, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (str_is(pairs[i].name, name))
			return pairs[i].value;
	}
	return (struct str){NULL, 0};
}

struct str request_header(const struct request *request, const char *name)
{
	return find(request->headers, request->header_count, name);
}

struct str request_query(const struct request *request, const char *name)
{
	return find(request->query, request->query_count, name);
}

bool request_reads(const struct request *request)
{
	return strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
}

bool request_form(const struct request *request, const char *name, struct str *value)
{
	struct request form = {.arena = request->arena};
	const char *why;

	if (!request->body.len || read_query(&form, request->body, &why))
		return false;
	*value = find(form.query, form.query_count, name);
	return value->ptr != NULL;
}
