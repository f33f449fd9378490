/* Whatever a client sends: an accepted target is clean UTF-8 without tricks, and an accepted set of
 * headers can be understood in one way only. Input: the target, a line end, header lines. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "http/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check_clean(struct str text)
{
	assert(str_utf8_ok(text));
	assert(text.ptr[text.len] == '\0' && strlen(text.ptr) == text.len);
}

static void check_target(struct arena *arena, struct str target)
{
	struct request request = {.arena = arena};
	const char *why = NULL;
	unsigned status = request_read_target(&request, target, &why);

	assert(status == 0 || status == 400 || status == 503);
	if (status) {
		assert(why);
		return;
	}
	check_clean(request.path);
	assert(request.path.ptr[0] == '/');
	assert(!strstr(request.path.ptr, "/../") && !strstr(request.path.ptr, "/./"));
	for (size_t i = 0; i < request.query_count; i++) {
		check_clean(request.query[i].name);
		check_clean(request.query[i].value);
	}
}

static size_t split(struct arena *arena, struct str text, struct request_pair *pairs, size_t most)
{
	size_t count = 0;

	while (text.len && count < most) {
		const char *stop = memchr(text.ptr, '\n', text.len);
		size_t n = stop ? (size_t)(stop - text.ptr) : text.len;
		const char *colon = memchr(text.ptr, ':', n);
		size_t name = colon ? (size_t)(colon - text.ptr) : n;

		pairs[count].name = str_dup(arena, (struct str){text.ptr, name});
		pairs[count].value = str_dup(arena, (struct str){text.ptr + name + (colon != NULL),
							    n - name - (colon != NULL)});
		count++;
		text = (struct str){text.ptr + n + (stop != NULL), text.len - n - (stop != NULL)};
	}
	return count;
}

static void check_headers(struct arena *arena, struct str text)
{
	struct request_pair pairs[40];
	struct request_frame frame;
	const char *why = NULL;
	size_t count = split(arena, text, pairs, 40), hosts = 0, lengths = 0, encodings = 0;

	if (request_read_headers(pairs, count, 1, &frame, &why)) {
		assert(why);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		hosts += str_is(pairs[i].name, "host");
		lengths += str_is(pairs[i].name, "content-length");
		encodings += str_is(pairs[i].name, "transfer-encoding");
		assert(!memchr(pairs[i].value.ptr, '\r', pairs[i].value.len));
		assert(!memchr(pairs[i].value.ptr, '\0', pairs[i].value.len));
	}
	assert(hosts == 1 && lengths + encodings <= 1);
	assert(frame.chunked == (encodings == 1));
	assert(lengths || !frame.length);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct arena *arena = arena_create(1 << 20);
	const char *text = arena_strndup(arena, (const char *)bytes, len);
	const char *stop = memchr(text, '\n', len);
	size_t n = stop ? (size_t)(stop - text) : len;

	check_target(arena, (struct str){text, n});
	if (stop)
		check_headers(arena, (struct str){stop + 1, len - n - 1});
	arena_destroy(arena);
	return 0;
}
