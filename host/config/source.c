/* source.c - one file's text to sections and entries.
 *
 * The line rules are ours (README.md): headers are checked, an indented line continues the value
 * above, comments have lines of their own, every piece keeps its line and column. What inih gets
 * to see through ini_parse_stream() are only short handles, "[3]" and "4=4", the numbers of our
 * lines: so its limits (49 characters of a section's name, 200 of a line), its inline comments
 * and its own idea of continuation lines never apply, its process-wide settings stay untouched,
 * and no secret passes through its buffer. Never interprets a value. Runs on the thread that loads.
 */
#include "config/internal.h"

#include <ini.h>
#include <stdlib.h>
#include <string.h>

struct scan {
	struct loader *loader;
	const char *file;
	struct str rest;
	uint32_t line;
	struct str raw, text; /* the line in hand: whole, and without blanks */
	bool in_value;        /* the last line was part of a value */
	struct entry *entry;  /* that value; NULL: it is swallowed */
	struct handle *handles;
	size_t handle_count;
	size_t next; /* handle to be fed to inih */
};

struct handle {                  /* one line as inih sees it */
	struct section *section; /* a header, or */
	struct entry *entry;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_key_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-' || c == '.' || (unsigned char)c >= 0x80;
}

struct str str_trim(struct str s)
{
	while (s.len && (is_blank(s.ptr[0]) || s.ptr[0] == '\n'))
		s.ptr++, s.len--;
	while (s.len && (is_blank(s.ptr[s.len - 1]) || s.ptr[s.len - 1] == '\n'))
		s.len--;
	return s;
}

static uint32_t column(const struct scan *scan, const char *at)
{
	uint32_t col = 1;

	for (const char *p = scan->raw.ptr; p < at; p++)
		col += ((unsigned char)*p & 0xc0) != 0x80;
	return col;
}

static struct config_place here(const struct scan *scan, const char *at)
{
	return (struct config_place){scan->file, scan->line, column(scan, at)};
}

static bool next_line(struct scan *scan)
{
	const char *end;

	if (!scan->rest.len)
		return false;
	end = memchr(scan->rest.ptr, '\n', scan->rest.len);
	scan->raw.ptr = scan->rest.ptr;
	scan->raw.len = end ? (size_t)(end - scan->rest.ptr) : scan->rest.len;
	scan->rest.ptr += scan->raw.len + (end != NULL);
	scan->rest.len -= scan->raw.len + (end != NULL);
	if (scan->raw.len && scan->raw.ptr[scan->raw.len - 1] == '\r')
		scan->raw.len--;
	scan->line++;
	scan->text = str_trim(scan->raw);
	return true;
}

/* Text editors save in other encodings, and a NUL would cut a value unseen. */
static bool readable(struct scan *scan)
{
	size_t good = str_utf8_span(scan->raw);

	if (good < scan->raw.len) {
		fault(scan->loader, here(scan, scan->raw.ptr + good),
			"this is not UTF-8; save the file in that encoding");
		return false;
	}
	for (size_t i = 0; i < scan->raw.len; i++) {
		unsigned char c = (unsigned char)scan->raw.ptr[i];
		if ((c < 0x20 && c != '\t') || c == 0x7f) {
			fault(scan->loader, here(scan, scan->raw.ptr + i),
				"control character 0x%02x; remove it", c);
			return false;
		}
	}
	return true;
}

static void add_segment(struct scan *scan, struct entry *entry, struct str text)
{
	struct loader *loader = scan->loader;
	struct segment *segment =
		PUSH(loader, loader->scratch, entry->segments, entry->segment_count);

	*segment = (struct segment){text, scan->raw, scan->line, column(scan, text.ptr)};
}

/* "  key = value" and "  [section]" are slips that would silently become part of the value. */
static const char *looks_like(struct str text)
{
	size_t i = 0;

	if (text.len > 2 && text.ptr[0] == '[' && text.ptr[text.len - 1] == ']')
		return "section header";
	while (i < text.len && is_key_char(text.ptr[i]))
		i++;
	if (!i)
		return NULL;
	while (i < text.len && is_blank(text.ptr[i]))
		i++;
	if (i < text.len && text.ptr[i] == '=' && (i + 1 == text.len || text.ptr[i + 1] != '='))
		return "key";
	return NULL;
}

static void scan_continuation(struct scan *scan)
{
	const char *slip = looks_like(scan->text);

	if (!scan->in_value) {
		fault(scan->loader, here(scan, scan->text.ptr),
			"an indented line continues the value above it, and there is none; move it "
			"to "
			"the first column");
		return;
	}
	if (slip && scan->entry)
		fault(scan->loader, here(scan, scan->text.ptr),
			"this indented line continues the value of \"%s\", but looks like a %s; "
			"move it "
			"to the first column, or put it in parentheses",
			scan->entry->key, slip);
	else if (scan->entry)
		add_segment(scan, scan->entry, scan->text);
}

/* ";@ FILE LINE": in a snapshot, where the next line comes from. ";@base DIRECTORY": what relative
 * names of files refer to. */
static void scan_marker(struct scan *scan)
{
	static const char base[] = ";@base ";
	struct str text = scan->text;
	size_t space = text.len;

	if (text.len >= sizeof(base) && memcmp(text.ptr, base, sizeof(base) - 1) == 0) {
		text.ptr += sizeof(base) - 1;
		text.len -= sizeof(base) - 1;
		scan->loader->base = take_text(scan->loader, text);
		return;
	}
	while (space && text.ptr[space - 1] != ' ')
		space--;
	if (space < 5 || memcmp(text.ptr, ";@ ", 3) != 0)
		return;
	scan->file = take_text(scan->loader, (struct str){text.ptr + 3, space - 4});
	scan->line = (uint32_t)strtoul(take_text(scan->loader,
					       (struct str){text.ptr + space, text.len - space}),
			     NULL, 10) -
		     1;
}

static struct section *add_section(struct scan *scan)
{
	struct loader *loader = scan->loader;
	struct section *section = take(loader, loader->scratch, sizeof(*section));

	section->kind = section->name = "";
	section->place = here(scan, scan->text.ptr);
	section->raw = scan->raw;
	*PUSH(loader, loader->scratch, loader->sections, loader->section_count) = section;
	PUSH(loader, loader->scratch, scan->handles, scan->handle_count)->section = section;
	return section;
}

static void split_header(struct loader *loader, struct section *section, struct str inside)
{
	size_t word = 0;

	while (word < inside.len && !is_blank(inside.ptr[word]))
		word++;
	section->kind = take_text(loader, (struct str){inside.ptr, word});
	section->name =
		take_text(loader, str_trim((struct str){inside.ptr + word, inside.len - word}));
}

static void scan_header(struct scan *scan)
{
	struct section *section = add_section(scan);
	const char *end = memchr(scan->text.ptr, ']', scan->text.len);
	const char *last = scan->text.ptr + scan->text.len - 1;

	scan->in_value = false;
	if (end == last)
		split_header(scan->loader, section,
			str_trim((struct str){
				scan->text.ptr + 1, (size_t)(end - scan->text.ptr) - 1}));
	else if (!end)
		fault(scan->loader, here(scan, last + 1),
			"the \"]\" of this section header is missing");
	else
		fault(scan->loader, here(scan, end + 1),
			"text after a section header; a comment needs a line of its own");
	section->broken = end != last;
}

static bool key_ok(struct scan *scan, struct str key)
{
	if (!key.len) {
		fault(scan->loader, here(scan, scan->text.ptr),
			"the key in front of \"=\" is missing");
		return false;
	}
	for (size_t i = 0; i < key.len; i++) {
		if (is_key_char(key.ptr[i]))
			continue;
		fault(scan->loader, here(scan, key.ptr + i),
			"keys are made of letters, digits, \"_\", \"-\" and \".\"");
		return false;
	}
	return true;
}

static void scan_entry(struct scan *scan)
{
	struct loader *loader = scan->loader;
	const char *equals = memchr(scan->text.ptr, '=', scan->text.len);
	const char *end = scan->text.ptr + scan->text.len;
	struct str key;

	scan->in_value = true;
	scan->entry = NULL;
	if (!equals) { /* the line's text is not shown: it may be a secret's second line */
		fault(loader, here(scan, scan->text.ptr),
			"neither \"[section]\" nor \"key = value\"; indent it if it continues the "
			"line above");
		return;
	}
	key = str_trim((struct str){scan->text.ptr, (size_t)(equals - scan->text.ptr)});
	if (!key_ok(scan, key))
		return;
	scan->entry = take(loader, loader->scratch, sizeof(*scan->entry));
	scan->entry->key = take_text(loader, key);
	scan->entry->place = here(scan, key.ptr);
	equals++;
	while (equals < end && is_blank(*equals))
		equals++;
	add_segment(scan, scan->entry, (struct str){equals, (size_t)(end - equals)});
	PUSH(loader, loader->scratch, scan->handles, scan->handle_count)->entry = scan->entry;
}

static void scan_line(struct scan *scan)
{
	if (!readable(scan))
		scan->in_value = true, scan->entry = NULL;
	else if (!scan->text.len)
		scan->in_value = false; /* so that a stray indented line is not taken in */
	else if (scan->text.ptr[0] == ';' || scan->text.ptr[0] == '#') {
		if (scan->loader->from_snapshot)
			scan_marker(scan);
	} else if (is_blank(scan->raw.ptr[0]))
		scan_continuation(scan);
	else if (scan->text.ptr[0] == '[')
		scan_header(scan);
	else
		scan_entry(scan);
}

/* ---- Through inih ------------------------------------------------------------------------- */

static char *feed(char *line, int size, void *user)
{
	struct scan *scan = user;
	size_t i = scan->next;

	if (i == scan->handle_count)
		return NULL;
	snprintf(line, (size_t)size, scan->handles[i].section ? "[%zu]\n" : "%zu=%zu\n", i, i);
	scan->next++;
	return line;
}

static int receive(void *user, const char *section, const char *name, const char *value)
{
	struct scan *scan = user;
	struct loader *loader = scan->loader;
	struct entry *entry = scan->handles[strtoul(value, NULL, 10)].entry;
	struct section *home = loader->top;

	(void)name;
	if (*section)
		home = scan->handles[strtoul(section, NULL, 10)].section;
	entry->home = home;
	*PUSH(loader, loader->scratch, home->own, home->own_count) = entry;
	return 1;
}

void source_parse(struct loader *loader, const char *name, struct str text)
{
	struct scan scan = {.loader = loader, .file = name, .rest = text};

	loader->top = take(loader, loader->scratch, sizeof(*loader->top));
	loader->top->kind = loader->top->name = "";
	if (str_begins(text, "\xff\xfe") || str_begins(text, "\xfe\xff")) {
		fault(loader, (struct config_place){name, 1, 1},
			"this is UTF-16 (\"Unicode\"); save the file as UTF-8");
		return;
	}
	if (str_begins(text, "\xef\xbb\xbf")) /* byte order mark */
		scan.rest = (struct str){text.ptr + 3, text.len - 3};
	while (next_line(&scan))
		scan_line(&scan);
	ini_parse_stream(feed, &scan, receive, &scan);
}
