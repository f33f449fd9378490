/* mutator.c - for targets whose inputs hold JSON: every other mutation swaps one JSON value for
 * another, so that the input stays JSON and gets past the parser. libFuzzer only. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

size_t LLVMFuzzerMutate(uint8_t *bytes, size_t len, size_t most);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t len, size_t most, unsigned seed);

static const char *const values[] = {"null", "true", "false", "0", "1", "-1", "1.5", "1e3",
	"9223372036854775807", "-9223372036854775808", "18446744073709551616", "253402300800000",
	"1e400", "\"\"", "\" \"", "\"x\"", "\"+4930123456\"", "\"+49 (0)30/123\"", "\"anonymous\"",
	"\"a@b.example\"", "\"2027-03-28T02:30:00\"", "\"2027-03-30T07:00:00.000Z\"",
	"\"2027-02-30\"", "\"-1\"", "\"true\"", "\"\\u0000\"", "\"\\ud83d\\ude00\"",
	"\"\\n\\r\\t\"", "\"../..?a=b&c=d#e\"", "[]", "[[]]", "[null]", "{}", "{\"\":{}}",
	"[1,\"a\",{}]", "\"\xc3\xa4\xc3\xb6\xc3\xbc\""};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static unsigned next_random(unsigned *seed)
{
	*seed = *seed * 1103515245u + 12345u;
	return *seed >> 8;
}

static size_t end_of_text(const uint8_t *bytes, size_t at, size_t len)
{
	for (at++; at < len; at++) {
		if (bytes[at] == '\\')
			at++;
		else if (bytes[at] == '"')
			return at + 1;
	}
	return len;
}

/* Of the value that begins at at; len if it does not end. */
static size_t end_of_value(const uint8_t *bytes, size_t at, size_t len)
{
	size_t depth = 0;

	while (at < len) {
		uint8_t c = bytes[at];

		if (c == '"') {
			at = end_of_text(bytes, at, len);
		} else if (c == '{' || c == '[') {
			depth++;
			at++;
		} else if (!depth && (c == ',' || c == '}' || c == ']' || c == '\n')) {
			return at;
		} else {
			depth -= c == '}' || c == ']';
			at++;
		}
		if (!depth && at < len &&
			(bytes[at] == ',' || bytes[at] == '}' || bytes[at] == ']'))
			return at;
	}
	return len;
}

/* A place behind a colon, comma or bracket, from a random one on. len: none. */
static size_t find_value(const uint8_t *bytes, size_t len, unsigned *seed)
{
	size_t from = len ? next_random(seed) % len : 0;

	for (size_t i = from; i + 1 < len; i++)
		if (strchr(":,[", bytes[i]) && bytes[i] &&
			strchr("\"{[-0123456789tfn", bytes[i + 1]) && bytes[i + 1])
			return i + 1;
	return len;
}

static size_t put(uint8_t *bytes, size_t len, size_t most, size_t from, size_t to,
	const void *value, size_t size)
{
	if (len - (to - from) + size > most)
		return len;
	memmove(bytes + from + size, bytes + to, len - to);
	memcpy(bytes + from, value, size);
	return len - (to - from) + size;
}

static size_t swap_value(uint8_t *bytes, size_t len, size_t most, unsigned *seed)
{
	size_t from = find_value(bytes, len, seed), to = end_of_value(bytes, from, len);
	size_t other = find_value(bytes, len, seed), end = end_of_value(bytes, other, len);
	const char *value = values[next_random(seed) % COUNT(values)];
	uint8_t copy[512];

	if (from >= len || to >= len)
		return len;
	if (next_random(seed) % 3 || other >= len || end - other > sizeof(copy))
		return put(bytes, len, most, from, to, value, strlen(value));
	memcpy(copy, bytes + other, end - other);
	return put(bytes, len, most, from, to, copy, end - other);
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t len, size_t most, unsigned seed)
{
	size_t now;

	if (next_random(&seed) % 2)
		return LLVMFuzzerMutate(bytes, len, most);
	now = swap_value(bytes, len, most, &seed);
	if (next_random(&seed) % 2)
		now = swap_value(bytes, now, most, &seed);
	return now;
}
