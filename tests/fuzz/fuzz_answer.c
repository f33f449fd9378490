/* Whatever a server answers: its head ends up bounded, terminated and in lower case, Retry-After is
 * sane, and a redacted URL shows no secret.
 *
 * With a first line "!EGRESS": where a request may go. Lines: the rules, a host, a port, an
 * address. With "!REQUEST": what a plugin wants sent. Lines: scheme, its parameter and the content
 * type; the URL; headers; an empty line; the body. No line end of it gets into a header, and no
 * header that the host writes is there twice.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <klinke/plugin.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/error.h"
#include "transfer/egress.h"
#include "transfer/head.h"
#include "transfer/slot.h"
#include "transfer/transfer.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check_headers(const struct head *head, struct arena *arena)
{
	const struct transfer_header *headers = head_copy(head, arena);

	for (unsigned i = 0; i < head->count; i++) {
		struct str name = headers[i].name, value = headers[i].value;

		assert(name.ptr[name.len] == '\0' && value.ptr[value.len] == '\0');
		assert(!memchr(value.ptr, '\n', value.len));
		for (size_t k = 0; k < name.len; k++)
			assert(name.ptr[k] < 'A' || name.ptr[k] > 'Z');
		if (!memchr(name.ptr, 0, name.len))
			assert(head_find(head, name.ptr).ptr);
		int64_t ms = transfer_retry_after(value, 1700000000000);
		assert(ms >= -1 && ms <= 366LL * 24 * 3600 * 1000);
	}
}

static void check_head(struct str text, struct arena *arena)
{
	struct head head;

	head_init(&head, 2048);
	while (text.len) {
		const char *stop = memchr(text.ptr, '\n', text.len);
		size_t n = stop ? (size_t)(stop + 1 - text.ptr) : text.len;

		if (!head_line(&head, text.ptr, n))
			break;
		text = (struct str){text.ptr + n, text.len - n};
	}
	assert(!head_find(&head, "no:such").ptr);
	if (!head.text.failed)
		check_headers(&head, arena);
	head_finish(&head);
}

static void check_redacted(struct str text, struct arena *arena)
{
	struct str url =
		str_of(arena_printf(arena, "https://h/%.*s?a=1&apiKey=S3CRET", STR_ARG(text)));
	struct str bare = str_of(arena_printf(arena, "https://u:S3CRET@h/%.*s", STR_ARG(text)));

	/* The fuzzer soon learns to write the word itself. */
	if (!memmem(text.ptr, text.len, "S3CRET", 6)) {
		assert(!strstr(transfer_redact(arena, url, STR("x")), "S3CRET"));
		assert(!strstr(transfer_redact(arena, bare, STR("")), "S3CRET"));
	}
	transfer_redact(arena, text, STR("x"));
	transfer_host(arena, text);
}

static struct str take(struct str *rest, char mark)
{
	const char *stop = rest->len ? memchr(rest->ptr, mark, rest->len) : NULL;
	struct str piece = {rest->ptr, stop ? (size_t)(stop - rest->ptr) : rest->len};

	rest->ptr += piece.len + (stop != NULL);
	rest->len -= piece.len + (stop != NULL);
	return piece;
}

static const char *take_text(struct arena *arena, struct str *rest, char mark)
{
	struct str piece = take(rest, mark);

	return arena_strndup(arena, piece.ptr ? piece.ptr : "", piece.len);
}

static bool begins(struct str *text, const char *word)
{
	size_t n = strlen(word);

	if (text->len < n || memcmp(text->ptr, word, n) != 0)
		return false;
	*text = (struct str){text->ptr + n, text->len - n};
	return true;
}

/* ---- Where a request may go -------------------------------------------------------------------
 */

static bool read_address(const char *text, struct sockaddr_storage *out)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)out;

	memset(out, 0, sizeof(*out));
	out->ss_family = AF_INET;
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1)
		return true;
	out->ss_family = AF_INET6;
	if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1)
		return true;
	out->ss_family = AF_UNIX;
	return *text == '/';
}

/* Written into an IPv6 address it is what it was. */
static void check_mapped(const char *text, enum egress_class class, struct arena *arena)
{
	const char *const forms[] = {
		arena_printf(arena, "::ffff:%s", text), arena_printf(arena, "64:ff9b::%s", text)};
	struct sockaddr_storage mapped;

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		assert(read_address(forms[i], &mapped));
		assert(egress_classify((const struct sockaddr *)&mapped) == class);
	}
}

static void check_egress(struct str text, struct arena *arena)
{
	const char *rules[17] = {0}, *host, *address_text;
	struct str line = take(&text, '\n');
	struct sockaddr_storage address;
	const struct sockaddr *to = (const struct sockaddr *)&address;
	struct error error = {0};
	struct egress *egress, *none = egress_create(&error, NULL);
	enum egress_class class;
	unsigned port;

	for (size_t i = 0; i < 16 && line.len; i++)
		rules[i] = take_text(arena, &line, ' ');
	host = take_text(arena, &text, '\n');
	port = (unsigned)atoi(take_text(arena, &text, '\n')) & 0xffff;
	address_text = take_text(arena, &text, '\n');
	egress = egress_create(&error, rules);
	assert(none && (egress || error.text[0]));
	if (egress && read_address(address_text, &address)) {
		class = egress_classify(to);
		assert(egress_is_empty(none) && egress_is_empty(egress) == !rules[0]);
		assert(egress_allows(none, true, host, port, to) == (class == EGRESS_PUBLIC));
		assert(!egress_allows(none, false, host, port, to));
		/* What no range names stays closed, whatever name leads there. */
		if (class == EGRESS_FORBIDDEN && !egress_covers(egress, to))
			assert(!egress_allows(egress, true, host, port, to));
		if (address.ss_family == AF_INET)
			check_mapped(address_text, class, arena);
		egress_lists(&(struct str){rules[0], rules[0] ? strlen(rules[0]) : 0}, 1, host,
			port, 443);
	}
	egress_destroy(none);
	egress_destroy(egress);
}

/* ---- What is sent -----------------------------------------------------------------------------
 */

static size_t names(const struct curl_slist *lines, const char *name)
{
	size_t n = strlen(name), count = 0;

	for (; lines; lines = lines->next)
		count += !strncasecmp(lines->data, name, n) &&
			 (lines->data[n] == ':' || lines->data[n] == ';');
	return count;
}

static void check_lines(const struct curl_slist *lines, const struct transfer_request *request)
{
	static const char *const ours[] = {"host", "content-length", "transfer-encoding"};
	const struct transfer_auth *auth = &request->auth;
	bool header = auth->scheme == KL_AUTH_HEADER;

	for (const struct curl_slist *l = lines; l; l = l->next)
		assert(!strpbrk(l->data, "\r\n") && strpbrk(l->data, ":;"));
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		assert(names(lines, ours[i]) == 0);
	if (request->content_type.len && !header) /* else a plugin may have named it twice */
		assert(names(lines, "content-type") == 1);
	if (header && auth->param.len)
		assert(names(lines, auth->param.ptr) == 1);
	if (auth->scheme && auth->scheme != KL_AUTH_QUERY && auth->scheme != KL_AUTH_FORM &&
		!header)
		assert(names(lines, "authorization") == 1);
}

static size_t read_headers(struct arena *arena, struct str *text, struct transfer_header *headers)
{
	struct str line;
	size_t count = 0;

	while (count < 20 && (line = take(text, '\n')).len) {
		headers[count].name = str_of(take_text(arena, &line, ':'));
		headers[count++].value = str_dup(arena, line);
	}
	return count;
}

static void check_request(struct str text, struct arena *arena)
{
	struct transfer_header headers[20];
	struct transfer_request request = {.headers = headers};
	struct slot slot = {.request = &request, .arena = arena};
	struct str line = take(&text, '\n');
	const struct curl_slist *lines;
	const char *problem = NULL, *url;
	struct str body;

	request.auth = (struct transfer_auth){
		(uint32_t)atoi(take_text(arena, &line, ' ')) % 8, STR("S3CRET"), STR("user"), {0}};
	request.auth.param = str_of(take_text(arena, &line, ' '));
	request.content_type = line.len ? str_dup(arena, line) : (struct str){0};
	request.url = take(&text, '\n');
	request.header_count = read_headers(arena, &text, headers);
	request.traceparent = request.header_count % 2 ? STR("00-1-2-01") : (struct str){0};
	request.body = text;
	lines = slot_headers(&slot, &problem);
	if (!problem)
		check_lines(lines, &request);
	problem = NULL;
	url = slot_url(&slot, &problem);
	assert(problem || !strpbrk(url, " \r\n#"));
	problem = NULL;
	body = slot_body(&slot, &problem);
	assert(body.len >= text.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct arena *arena = arena_create(4 << 20);
	char *copy = arena_strndup(arena, (const char *)bytes, len);
	struct str text = {copy, len};

	if (begins(&text, "!EGRESS\n"))
		check_egress(text, arena);
	else if (begins(&text, "!REQUEST\n"))
		check_request(text, arena);
	check_head(text, arena);
	/* Once more as header lines behind a good status line. */
	struct str whole = str_of(arena_printf(arena, "HTTP/1.1 200 OK\r\n%s", copy));
	check_head(whole, arena);
	check_redacted(text, arena);
	arena_destroy(arena);
	return 0;
}
