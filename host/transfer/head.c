/* head.c - see head.h. Believes nothing: every byte comes from a stranger. */
#include "transfer/head.h"

#include "base/arena.h"

#include <curl/curl.h>
#include <string.h>

void head_init(struct head *head, size_t max_bytes)
{
	memset(head, 0, sizeof(*head));
	buf_init(&head->text, max_bytes);
}

void head_finish(struct head *head)
{
	buf_finish(&head->text);
}

void head_reset(struct head *head)
{
	buf_reset(&head->text);
	head->status = 0;
	head->count = 0;
	head->whole = false;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "HTTP/1.1 200 OK", "HTTP/2 200" */
static bool status_line(struct head *head, const char *line, size_t len)
{
	const char *space = memchr(line, ' ', len);
	size_t left = space ? len - (size_t)(space - line) : 0;

	head_reset(head);
	if (left < 4 || !is_digit(space[1]) || !is_digit(space[2]) || !is_digit(space[3]))
		return false;
	head->status = (unsigned)((space[1] - '0') * 100 + (space[2] - '0') * 10 + space[3] - '0');
	return head->status >= 100;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct str trim(const char *text, size_t len)
{
	while (len && is_blank(text[len - 1]))
		len--;
	while (len && is_blank(*text)) {
		text++;
		len--;
	}
	return (struct str){text, len};
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool folded_line(struct head *head, struct str value)
{
	if (!head->count)
		return false;
	head->text.ptr[head->text.len - 1] = ' '; /* the NUL behind the last value */
	buf_add_str(&head->text, value);
	buf_add(&head->text, "", 1);
	head->lines[head->count - 1].value_len += (uint32_t)value.len + 1;
	return !head->text.failed;
}

static bool header_line(struct head *head, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);

	if (!colon || colon == line)
		return true; /* libcurl lets odd lines pass; they say nothing */
	if (head->count == HEAD_LINES)
		return false;
	struct str name = trim(line, (size_t)(colon - line));
	struct str value = trim(colon + 1, len - (size_t)(colon + 1 - line));
	size_t at = head->text.len;

	buf_add_str(&head->text, name);
	buf_add(&head->text, "", 1);
	buf_add_str(&head->text, value);
	buf_add(&head->text, "", 1);
	if (head->text.failed)
		return false;
	for (size_t i = at; i < at + name.len; i++)
		head->text.ptr[i] = lower(head->text.ptr[i]);
	head->lines[head->count].name = (uint32_t)at;
	head->lines[head->count].name_len = (uint32_t)name.len;
	head->lines[head->count].value = (uint32_t)(at + name.len + 1);
	head->lines[head->count].value_len = (uint32_t)value.len;
	head->count++;
	return true;
}

bool head_line(struct head *head, const char *line, size_t len)
{
	if (len >= 5 && !memcmp(line, "HTTP/", 5))
		return status_line(head, line, len);
	if (!head->status)
		return false;
	if (head->whole)
		return true;
	struct str all = trim(line, len);
	if (!all.len) {
		head->whole = true;
		return true;
	}
	if (line[0] == ' ' || line[0] == '\t')
		return folded_line(head, all);
	return header_line(head, line, len);
}

struct str head_find(const struct head *head, const char *name)
{
	for (unsigned i = 0; i < head->count; i++) {
		struct str here = {head->text.ptr + head->lines[i].name, head->lines[i].name_len};

		if (str_is(here, name))
			return (struct str){
				head->text.ptr + head->lines[i].value, head->lines[i].value_len};
	}
	return (struct str){NULL, 0};
}

const struct transfer_header *head_copy(const struct head *head, struct arena *arena)
{
	if (!head->count)
		return NULL;
	struct transfer_header *headers = arena_alloc(arena, head->count * sizeof(*headers));
	char *text = arena_take(arena, head->text.len);

	if (!headers || !text)
		return NULL;
	memcpy(text, head->text.ptr, head->text.len);
	for (unsigned i = 0; i < head->count; i++) {
		headers[i].name = (struct str){text + head->lines[i].name, head->lines[i].name_len};
		headers[i].value =
			(struct str){text + head->lines[i].value, head->lines[i].value_len};
	}
	return headers;
}

#define LONGEST_RETRY_MS (366LL * 24 * 3600 * 1000)

static int64_t seconds_ms(struct str value)
{
	int64_t s = 0;

	for (size_t i = 0; i < value.len; i++) {
		if (!is_digit(value.ptr[i]))
			return -1;
		if (s < LONGEST_RETRY_MS)
			s = s * 10 + (value.ptr[i] - '0');
	}
	return s > LONGEST_RETRY_MS / 1000 ? LONGEST_RETRY_MS : s * 1000;
}

int64_t transfer_retry_after(struct str value, int64_t now_ms)
{
	char copy[64];

	value = trim(value.ptr, value.len);
	if (!value.len || value.len >= sizeof(copy))
		return -1;
	if (is_digit(value.ptr[0]) && seconds_ms(value) >= 0)
		return seconds_ms(value);
	/* A date begins with the day's name. libcurl's reader would also take "-3" or "12". */
	if (is_digit(value.ptr[0]) || !memchr(value.ptr, ' ', value.len))
		return -1;
	memcpy(copy, value.ptr, value.len);
	copy[value.len] = '\0';
	time_t when = curl_getdate(copy, NULL);
	if (when == (time_t)-1)
		return -1;
	/* In seconds first: a year far away would not fit into milliseconds. */
	if ((int64_t)when > (now_ms + LONGEST_RETRY_MS) / 1000)
		return LONGEST_RETRY_MS;
	if ((int64_t)when < now_ms / 1000)
		return 0;
	int64_t ms = (int64_t)when * 1000 - now_ms;
	return ms > 0 ? ms : 0;
}
