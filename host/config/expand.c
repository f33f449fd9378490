/* expand.c - from the pieces of a value to its text: lines joined, ${ENV} put in.
 *
 * Remembers for each byte where it was written. Never used for secrets but through
 * value_expand_secret(), which writes into memory that is wiped. Runs on the thread that loads.
 */
#include "config/internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct sink { /* first pass: measures and tells faults; second pass: writes */
	struct loader *loader;
	const struct entry *entry;
	char *out; /* NULL: first pass */
	size_t len, cap;
	struct anchor *anchors;
	size_t anchor_count;
	bool bad;
};

static void put(struct sink *sink, struct str text, struct anchor at)
{
	if (sink->out) {
		assert(text.len <= sink->cap - sink->len);
		if (text.len)
			memcpy(sink->out + sink->len, text.ptr, text.len);
	} else {
		at.at = sink->len;
		*PUSH(sink->loader, sink->loader->scratch, sink->anchors, sink->anchor_count) = at;
	}
	sink->len += text.len;
}

static uint32_t characters(const char *from, const char *to)
{
	uint32_t n = 0;

	for (; from < to; from++)
		n += ((unsigned char)*from & 0xc0) != 0x80;
	return n;
}

static const char *ask(struct loader *loader, const char *name)
{
	if (loader->ctx.getenv)
		return loader->ctx.getenv(loader->ctx.user, name);
	return getenv(name);
}

static bool variable_ok(struct str name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];
		bool digit = c >= '0' && c <= '9';
		if (!(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z') && c != '_' && !(digit && i))
			return false;
	}
	return name.len > 0;
}

/* NULL: told. */
static const char *variable(struct sink *sink, struct config_place place, struct str name)
{
	const char *found;

	if (!variable_ok(name)) {
		if (!sink->out)
			fault(sink->loader, place,
				"\"${\" must be followed by a variable's name and \"}\"; write "
				"\"$${\" "
				"for the characters themselves");
		return NULL;
	}
	found = ask(sink->loader, take_text(sink->loader, name));
	if (!found && !sink->out)
		fault(sink->loader, place, "environment variable \"%.*s\" is not set",
			STR_ARG(name));
	if (found && !str_utf8_ok(str_of(found))) {
		if (!sink->out)
			fault(sink->loader, place, "environment variable \"%.*s\" is not UTF-8",
				STR_ARG(name));
		return NULL;
	}
	return found;
}

/* p is at "${". Answers where the text goes on. */
static const char *put_variable(
	struct sink *sink, const struct segment *segment, const char *p, const char *end)
{
	struct config_place place = {sink->entry->place.file, segment->line,
		segment->col + characters(segment->text.ptr, p)};
	const char *close = memchr(p, '}', (size_t)(end - p));
	struct str name = {p + 2, close ? (size_t)(close - p) - 2 : 0};
	const char *text = variable(sink, place, name);

	if (text)
		put(sink, str_of(text), (struct anchor){0, place.line, place.col, true, true});
	else
		sink->bad = true;
	return close ? close + 1 : end;
}

static void put_segment(struct sink *sink, const struct segment *segment)
{
	const char *start = segment->text.ptr, *p = start, *from = start;
	const char *end = start + segment->text.len;

	for (;;) {
		while (p < end && *p != '$')
			p++;
		bool plain = p + 1 < end && p[1] == '{';
		bool escaped = p + 2 < end && p[1] == '$' && p[2] == '{';
		if (p < end && !plain && !escaped) {
			p++;
			continue;
		}
		put(sink, (struct str){from, (size_t)(p - from)},
			(struct anchor){0, segment->line, segment->col + characters(start, from),
				false, false});
		if (p == end)
			return;
		from = p = plain ? put_variable(sink, segment, p, end) : p + 3;
		if (escaped)
			from = p - 2; /* the "${" itself */
	}
}

static void put_entry(struct sink *sink, char join)
{
	const struct entry *entry = sink->entry;
	size_t i = 0;

	while (i + 1 < entry->segment_count && !entry->segments[i].text.len)
		i++; /* "key =" with everything on the lines below */
	for (size_t first = i; i < entry->segment_count; i++) {
		const struct segment *segment = &entry->segments[i];
		if (i > first)
			put(sink, (struct str){&join, 1},
				(struct anchor){0, segment->line, segment->col, true, false});
		put_segment(sink, segment);
	}
}

static bool measure(struct loader *loader, struct sink *sink, const struct entry *entry, char join)
{
	*sink = (struct sink){.loader = loader, .entry = entry};
	put_entry(sink, join);
	return !sink->bad;
}

static void fill(struct sink *sink, char *out, char join)
{
	sink->cap = sink->len;
	sink->len = 0;
	sink->out = out;
	put_entry(sink, join);
	out[sink->len] = '\0';
}

void value_look(struct loader *loader, const struct entry *entry)
{
	struct sink sink;

	measure(loader, &sink, entry, ' ');
}

bool value_expand(struct loader *loader, struct value *out, const struct entry *entry, char join)
{
	struct sink sink;
	char *text;

	if (!measure(loader, &sink, entry, join))
		return false;
	text = take(loader, loader->arena, sink.len + 1);
	fill(&sink, text, join);
	*out = (struct value){.text = {text, sink.len},
		.anchors = sink.anchors,
		.anchor_count = sink.anchor_count,
		.place = entry->place,
		.entry = entry};
	out->place = value_place(out, 0);
	return true;
}

struct config_place value_place(const struct value *value, size_t offset)
{
	struct config_place place = value->place;
	const struct anchor *anchor = value->anchors;

	if (!value->anchor_count)
		return place;
	for (size_t i = 1; i < value->anchor_count && value->anchors[i].at <= offset; i++)
		anchor = &value->anchors[i];
	if (offset > value->text.len)
		offset = value->text.len;
	place.line = anchor->line;
	place.col = anchor->col;
	if (!anchor->fixed)
		place.col += characters(value->text.ptr + anchor->at, value->text.ptr + offset);
	return place;
}

const char *value_shown(struct loader *loader, const struct value *value)
{
	struct str text = value->text;
	size_t len = 0;

	if (value->entry) { /* as written: ${NAME}, not what it stands for */
		const struct entry *entry = value->entry;
		size_t i = 0;
		while (i + 1 < entry->segment_count && !entry->segments[i].text.len)
			i++;
		text = entry->segments[i].text;
	}
	while (len < text.len && len < 32)
		len += str_utf8_len(text.ptr + len, text.len - len);
	return take_printf(
		loader, "%.*s%s", (int)len, text.ptr ? text.ptr : "", len < text.len ? "…" : "");
}

bool value_hidden(const struct value *value, struct str part)
{
	size_t from = (size_t)(part.ptr - value->text.ptr), to = from + part.len;

	for (size_t i = 0; i < value->anchor_count; i++) {
		const struct anchor *anchor = &value->anchors[i];
		size_t end = i + 1 < value->anchor_count ? anchor[1].at : value->text.len;
		if (anchor->hidden && anchor->at < to && end > from)
			return true;
	}
	return false;
}

const char *value_word(struct loader *loader, const struct value *value, struct str word)
{
	return value_hidden(value, word) ? "${…}" : take_text(loader, word);
}

bool value_expand_secret(struct loader *loader, struct str *out, const struct entry *entry)
{
	struct sink sink;
	char *text;

	if (!measure(loader, &sink, entry, ' '))
		return false;
	text = secret_memory(loader, sink.len);
	fill(&sink, text, ' ');
	*out = (struct str){text, sink.len};
	return true;
}
