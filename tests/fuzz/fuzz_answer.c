/* Whatever a server answers: its head ends up bounded, terminated and in lower case, Retry-After is
 * sane, and a redacted URL shows no secret. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "transfer/head.h"

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
	assert(!head_find(&head, "x-\"no such").ptr);
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

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct arena *arena = arena_create(4 << 20);
	char *copy = arena_strndup(arena, (const char *)bytes, len);
	struct str text = {copy, len};

	check_head(text, arena);
	/* Once more as header lines behind a good status line. */
	struct str whole = str_of(arena_printf(arena, "HTTP/1.1 200 OK\r\n%s", copy));
	check_head(whole, arena);
	check_redacted(text, arena);
	arena_destroy(arena);
	return 0;
}
