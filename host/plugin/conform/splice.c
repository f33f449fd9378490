/* splice.c - one value of a JSON text replaced or left out, without making a tree of it: fuzzing
 * does this for each call. Of what is no JSON it makes something, and reads nothing beyond its end.
 * Runs in children. */
#include <string.h>

#include "plugin/conform/kit.h"

#define DEPTH_MAX 200u

struct scan {
	const char *at, *end;
	unsigned depth;
	struct span *spans; /* NULL: they are counted only */
	uint32_t count;
};

static void skip_blanks(struct scan *s)
{
	while (s->at < s->end &&
		(*s->at == ' ' || *s->at == '\n' || *s->at == '\t' || *s->at == '\r'))
		s->at++;
}

static void skip_text(struct scan *s)
{
	const char *at = s->at < s->end ? s->at + 1 : s->end;

	for (;; at++) {
		at = memchr(at, '"', (size_t)(s->end - at));
		const char *slash = at ? at : s->end;
		if (!at)
			break;
		while (slash > s->at + 1 && slash[-1] == '\\')
			slash--;
		if ((at - slash) % 2 == 0)
			break;
	}
	s->at = at ? at + 1 : s->end;
}

static void skip_word(struct scan *s)
{
	while (s->at < s->end && (!*s->at || !strchr(",]} \n\t\r", *s->at)))
		s->at++;
}

static void skip_key(struct scan *s)
{
	skip_text(s);
	skip_blanks(s);
	if (s->at < s->end)
		s->at++; /* the colon */
	skip_blanks(s);
}

static void take_value(struct scan *s);

/* Behind "{" or "["; whole: where each member begins, with its key. */
static void take_members(struct scan *s, char close)
{
	skip_blanks(s);
	while (s->at < s->end && *s->at != close) {
		const char *whole = s->at;
		uint32_t mine;
		if (close == '}')
			skip_key(s);
		mine = s->count;
		take_value(s);
		if (s->spans)
			s->spans[mine].whole = whole;
		skip_blanks(s);
		if (s->at < s->end && (*s->at == ',' || s->at == whole))
			s->at++;
		skip_blanks(s);
	}
	s->at += s->at < s->end;
}

static void take_value(struct scan *s)
{
	uint32_t mine = s->count++;
	const char *from = s->at;

	if (s->at == s->end) {
		/* nothing, which is a place too */
	} else if (*s->at == '"') {
		skip_text(s);
	} else if ((*s->at == '{' || *s->at == '[') && s->depth < DEPTH_MAX) {
		char close = *s->at == '{' ? '}' : ']';
		s->at++;
		s->depth++;
		take_members(s, close);
		s->depth--;
	} else {
		skip_word(s);
	}
	if (s->spans)
		s->spans[mine] = (struct span){from, s->at, NULL, s->depth};
}

bool spans_of(struct arena *arena, struct str text, struct spans *out)
{
	struct scan count = {text.ptr, text.ptr + text.len, 0, NULL, 0}, take = count;

	skip_blanks(&count);
	take_value(&count);
	take.spans = arena_take(arena, count.count * sizeof(*take.spans));
	if (!take.spans)
		return false;
	skip_blanks(&take);
	take_value(&take);
	*out = (struct spans){text, take.spans, take.count};
	return true;
}

/* The comma behind a member that is left out goes with it, else the one in front. */
static void widen(struct str text, const char **from, const char **to)
{
	const char *end = text.ptr + text.len, *at = *to;

	while (at < end && *at && strchr(" \n\t\r", *at))
		at++;
	if (at < end && *at == ',') {
		*to = at + 1;
		return;
	}
	for (at = *from; at > text.ptr && at[-1] && strchr(" \n\t\r", at[-1]);)
		at--;
	if (at > text.ptr && at[-1] == ',')
		*from = at - 1;
}

struct str spans_replace(struct arena *arena, const struct spans *spans, uint32_t i, struct str by)
{
	const struct span *span = &spans->list[i];
	const char *from = span->from, *to = span->to;

	if (!by.ptr) {
		if (!span->whole)
			return (struct str){0};
		from = span->whole;
		widen(spans->text, &from, &to);
	}
	const struct str pieces[] = {{spans->text.ptr, (size_t)(from - spans->text.ptr)}, by,
		{to, (size_t)(spans->text.ptr + spans->text.len - to)}};
	return str_cat(arena, pieces, 3);
}
