/* trace.c - see trace.h, and https://www.w3.org/TR/trace-context/ (2.2). Keeps nothing. */
#include "pipeline/trace.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"

/* version "-" trace "-" span "-" flags */
#define TRACE_AT 3
#define SPAN_AT 36
#define FLAGS_AT 53
#define LENGTH 55

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* n bytes in lower case; false too if all are zero, where zero means none. */
static bool read_hex(const char *text, size_t n, bool zero, uint8_t *out)
{
	unsigned any = zero;

	for (size_t i = 0; i < n; i++) {
		int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
		any |= out[i];
	}
	return any;
}

bool trace_read(struct id *trace, struct str t)
{
	uint8_t version, span[8], flags;
	struct id read;

	if (t.len < LENGTH || t.ptr[TRACE_AT - 1] != '-' || t.ptr[SPAN_AT - 1] != '-' ||
		t.ptr[FLAGS_AT - 1] != '-')
		return false;
	if (!read_hex(t.ptr, 1, true, &version) || version == 0xff ||
		!read_hex(t.ptr + TRACE_AT, sizeof(read.b), false, read.b) ||
		!read_hex(t.ptr + SPAN_AT, sizeof(span), false, span) ||
		!read_hex(t.ptr + FLAGS_AT, 1, true, &flags))
		return false;
	/* A later version may say more, behind another dash. */
	if (t.len > LENGTH && (version == 0 || t.ptr[LENGTH] != '-'))
		return false;
	*trace = read;
	return true;
}

struct str trace_write(struct arena *arena, struct str correlation)
{
	struct id trace, span = id_new();
	char *text = arena_alloc(arena, LENGTH + 1);
	struct str hex, part;

	if (!text || !id_parse(&trace, correlation))
		return (struct str){0};
	hex = str_encode(arena, "hex", (struct str){(char *)trace.b, sizeof(trace.b)});
	part = str_encode(arena, "hex", (struct str){(char *)span.b + 8, 8});
	snprintf(text, LENGTH + 1, "00-%.*s-%.*s-01", STR_ARG(hex), STR_ARG(part));
	return str_of(text);
}
