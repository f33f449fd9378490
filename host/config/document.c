/* document.c - all files to one list of sections: includes, templates, names, repeats.
 *
 * Knows the kinds of sections, not their keys (but for include, like, and which keys belong to a
 * step). Runs on the thread that loads.
 */
#include "config/internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX_BYTES (8u << 20)
#define FILES_MAX 1000

/* ---- Files -------------------------------------------------------------------------------- */

struct matches {
	struct arena *arena;
	const char **list;
	size_t count, cap;
};

/* Called from within glob()'s result, so it must not jump: a failed arena is noticed later. */
static void add_match(void *arg, const char *path)
{
	struct matches *matches = arg;

	if (matches->count == matches->cap) {
		size_t cap = matches->cap ? 2 * matches->cap : 16;
		const char **bigger = arena_take(matches->arena, cap * sizeof(*bigger));
		if (!bigger)
			return;
		if (matches->count)
			memcpy(bigger, matches->list, matches->count * sizeof(*bigger));
		matches->list = bigger;
		matches->cap = cap;
	}
	matches->list[matches->count++] = arena_strndup(matches->arena, path, strlen(path));
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* One file may have many names; only the real file system knows. */
static const char *identity(struct loader *loader, const char *path)
{
	char *real = loader->ctx.read_file ? NULL : realpath(path, NULL);
	const char *copy =
		arena_strndup(loader->scratch, real ? real : path, strlen(real ? real : path));

	free(real);
	if (!copy)
		longjmp(loader->nomem, 1);
	return copy;
}

static bool read_before(struct loader *loader, const struct source *parent, const char *path,
	struct config_place place)
{
	const char *id = identity(loader, path);

	for (const struct source *up = parent; up; up = up->parent)
		if (strcmp(up->identity, id) == 0) {
			fault(loader, place, "\"%s\" includes itself", path);
			return true;
		}
	for (const struct source *other = loader->sources; other; other = other->next)
		if (strcmp(other->identity, id) == 0) {
			fault(loader, place, "\"%s\" is included twice", path);
			return true;
		}
	return false;
}

static void read_source(struct loader *loader, const struct source *parent, const char *path,
	struct config_place place);

static void include_pattern(struct loader *loader, const struct source *source,
	const struct value *value, struct str pattern)
{
	const char *full = files_beside(loader, source->name, pattern);
	struct config_place place = value_place(value, (size_t)(pattern.ptr - value->text.ptr));
	struct matches matches = {.arena = loader->scratch};
	struct error error = {0};

	if (!strpbrk(full, "*?[")) {
		read_source(loader, source, full, place);
		return;
	}
	if (files_list(loader, &error, full, add_match, &matches) < 0)
		fault(loader, place, "%s", error.text);
	if (arena_failed(loader->scratch))
		longjmp(loader->nomem, 1);
	if (!matches.count && !error.code)
		warn(loader, place, "no file matches \"%s\"", full);
	if (matches.count)
		qsort(matches.list, matches.count, sizeof(*matches.list), by_text);
	for (size_t i = 0; i < matches.count; i++)
		read_source(loader, source, matches.list[i], place);
}

static void include_entry(
	struct loader *loader, const struct source *source, const struct entry *entry)
{
	struct value value;
	struct str rest, pattern;

	if (loader->from_snapshot)
		fault(loader, entry->place, "a stored configuration includes nothing");
	else if (value_expand(loader, &value, entry, ' ')) {
		rest = value.text;
		while (str_word(&rest, &pattern))
			include_pattern(loader, source, &value, pattern);
	}
}

static void include_section(
	struct loader *loader, const struct source *source, const struct section *section)
{
	for (size_t i = 0; i < section->own_count; i++)
		if (strcmp(section->own[i]->key, "include") == 0)
			include_entry(loader, source, section->own[i]);
}

static void check_top(struct loader *loader)
{
	for (size_t i = 0; i < loader->top->own_count; i++)
		if (strcmp(loader->top->own[i]->key, "include") != 0)
			fault(loader, loader->top->own[i]->place,
				"\"%s\" stands before the first [section]; only include may",
				loader->top->own[i]->key);
}

static void parse_source(struct loader *loader, const struct source *source)
{
	size_t first = loader->section_count, last;
	const struct section *top;

	source_parse(loader, source->name, (struct str){source->bytes.ptr, source->bytes.len});
	check_top(loader);
	last = loader->section_count;
	top = loader->top;
	include_section(loader, source, top);
	for (size_t i = first; i < last; i++)
		if (strcmp(loader->sections[i]->kind, "host") == 0)
			include_section(loader, source, loader->sections[i]);
}

static void read_source(struct loader *loader, const struct source *parent, const char *path,
	struct config_place place)
{
	struct source *source;
	struct error error = {0};
	unsigned mode;

	if (read_before(loader, parent, path, place))
		return;
	if (loader->source_count++ == FILES_MAX || strchr(path, '\n')) {
		fault(loader, place, "too many files, or a line break in a file's name");
		return;
	}
	source = take(loader, loader->scratch, sizeof(*source));
	source->parent = parent;
	source->name = take_text(loader, str_of(path));
	source->identity = identity(loader, path);
	buf_init(&source->bytes, FILE_MAX_BYTES);
	source->next = loader->sources;
	loader->sources = source;
	if (files_read(loader, &error, path, &source->bytes, &mode) < 0)
		fault(loader, place, "%s", error.text);
	else
		parse_source(loader, source);
}

void document_read(struct loader *loader, const char *path)
{
	read_source(
		loader, NULL, path, (struct config_place){take_text(loader, str_of(path)), 0, 0});
}

/* ---- Sections ----------------------------------------------------------------------------- */

struct section *document_first(struct loader *loader, const char *kind)
{
	for (size_t i = 0; i < loader->section_count; i++)
		if (!loader->sections[i]->broken && strcmp(loader->sections[i]->kind, kind) == 0)
			return loader->sections[i];
	return NULL;
}

struct item *section_next(struct section *section, const char *key, struct item *after)
{
	size_t from = after ? (size_t)(after - section->items) + 1 : 0;

	for (size_t i = from; i < section->item_count; i++)
		if (strcmp(section->items[i].entry->key, key) == 0) {
			section->items[i].used = true;
			return &section->items[i];
		}
	return NULL;
}

static const struct entry *own_entry(const struct section *section, const char *key)
{
	for (size_t i = 0; i < section->own_count; i++)
		if (strcmp(section->own[i]->key, key) == 0)
			return section->own[i];
	return NULL;
}

/* Steps are replaced as a whole: a line of the one list means nothing in the other. */
static bool replaced(const struct section *section, const char *key)
{
	if (strcmp(key, "like") == 0)
		return true;
	if (is_step_key(key))
		return own_entry(section, "step") != NULL;
	return own_entry(section, key) != NULL;
}

static void add_item(struct loader *loader, struct section *section, struct entry *entry)
{
	PUSH(loader, loader->scratch, section->items, section->item_count)->entry = entry;
}

static struct section *find_template(
	struct loader *loader, const struct value *value, struct str name)
{
	const char **names = NULL;
	size_t count = 0;

	for (size_t i = 0; i < loader->section_count; i++) {
		struct section *section = loader->sections[i];
		if (section->broken || strcmp(section->kind, "template") != 0)
			continue;
		if (str_is(name, section->name))
			return section;
		*PUSH(loader, loader->scratch, names, count) = section->name;
	}
	fault(loader, value->place, "there is no [template %s]%s", value_shown(loader, value),
		hint(loader, name, names, count));
	return NULL;
}

static void inherit(struct loader *loader, struct section *section);

static void inherit_from(struct loader *loader, struct section *section, const struct entry *like)
{
	struct value value;
	struct section *template = NULL;

	section->incomplete = true;
	if (value_expand(loader, &value, like, ' '))
		template = find_template(loader, &value, value.text);
	if (!template)
		return;
	template->used = true;
	if (template->inherits) {
		fault(loader, like->place, "[template %s] is like itself", template->name);
		return;
	}
	inherit(loader, template);
	section->incomplete = template->incomplete;
	for (size_t i = 0; i < template->item_count; i++)
		if (!replaced(section, template->items[i].entry->key))
			add_item(loader, section, template->items[i].entry);
}

static void inherit(struct loader *loader, struct section *section)
{
	const struct entry *like = own_entry(section, "like");

	if (section->resolved)
		return;
	section->inherits = true;
	if (like)
		inherit_from(loader, section, like);
	for (size_t i = 0; i < section->own_count; i++)
		add_item(loader, section, section->own[i]);
	section->inherits = false;
	section->resolved = true;
}

static const char *kind_hint(struct loader *loader, const char *kind)
{
	size_t count;
	const struct config_section *all = config_sections(&count);
	const char **kinds = take(loader, loader->scratch, count * sizeof(*kinds));

	for (size_t i = 0; i < count; i++)
		kinds[i] = all[i].kind;
	return hint(loader, str_of(kind), kinds, count);
}

static bool header_ok(struct loader *loader, const struct section *section)
{
	const struct config_section *table = table_find(section->kind);

	if (!table) {
		loader->lost = true;
		fault(loader, section->place, "unknown section [%s]%s", section->kind,
			kind_hint(loader, section->kind));
	} else if (table->named && !*section->name)
		fault(loader, section->place, "[%s] needs a name: [%s NAME]", section->kind,
			section->kind);
	else if (!table->named && *section->name)
		fault(loader, section->place, "[%s] has no name; write [%s]", section->kind,
			section->kind);
	else if (table->named && !str_name_ok(str_of(section->name)))
		fault(loader, section->place,
			"\"%s\" is no name: letters, digits, \"-\" and \"_\", at most %d of them",
			section->name, NAME_MAX_LEN);
	else
		return true;
	return false;
}

/* Others are unique per owner, which is not known yet. */
static bool unique(struct loader *loader, const struct section *section, size_t before)
{
	bool alone = !strcmp(section->kind, "host") || !strcmp(section->kind, "template") ||
		     !strcmp(section->kind, "tenant") || !strcmp(section->kind, "desk");

	for (size_t i = 0; alone && i < before; i++) {
		const struct section *other = loader->sections[i];
		if (other->broken || strcmp(other->kind, section->kind) ||
			strcmp(other->name, section->name))
			continue;
		fault(loader, section->place, "[%s%s%s] is there already, at %s:%u", section->kind,
			*section->name ? " " : "", section->name, other->place.file,
			(unsigned)other->place.line);
		return false;
	}
	return true;
}

void document_resolve(struct loader *loader)
{
	for (size_t i = 0; i < loader->section_count; i++) {
		struct section *section = loader->sections[i];
		if (!section->broken)
			section->broken =
				!header_ok(loader, section) || !unique(loader, section, i);
	}
	for (size_t i = 0; i < loader->section_count; i++)
		if (!loader->sections[i]->broken && strcmp(loader->sections[i]->kind, "template"))
			inherit(loader, loader->sections[i]);
	for (size_t i = 0; i < loader->section_count; i++) {
		struct section *section = loader->sections[i];
		if (section->broken || strcmp(section->kind, "template") || section->used)
			continue;
		inherit(loader, section); /* it may be like itself */
		warn(loader, section->place, "nothing is like [template %s]", section->name);
	}
}

/* ---- Snapshot ----------------------------------------------------------------------------- */

struct writer {
	struct buf text;
	const char *file;
	uint32_t line;
};

static void write_line(struct writer *writer, const char *file, uint32_t line, struct str raw)
{
	if (!writer->file || strcmp(writer->file, file) || writer->line + 1 != line)
		buf_printf(&writer->text, ";@ %s %u\n", file, (unsigned)line);
	buf_add_str(&writer->text, raw);
	buf_add(&writer->text, "\n", 1);
	writer->file = file;
	writer->line = line;
}

static void write_entry(struct loader *loader, struct writer *writer, const struct entry *entry)
{
	const struct segment *first = entry->segments;
	struct str key = {first->raw.ptr, (size_t)(first->text.ptr - first->raw.ptr)};

	if (strcmp(entry->key, "include") == 0)
		return;
	if (entry->redact) {
		write_line(writer, entry->place.file, first->line,
			str_of(take_printf(loader, "%.*s" LITERAL_MARK, STR_ARG(key))));
		return;
	}
	for (size_t i = 0; i < entry->segment_count; i++)
		write_line(writer, entry->place.file, first[i].line, first[i].raw);
}

static void write_section(
	struct loader *loader, struct writer *writer, const struct section *section)
{
	if (strcmp(section->kind, "template") == 0 && !section->used)
		return; /* nobody can say which of its keys are secrets */
	write_line(writer, section->place.file, section->place.line, section->raw);
	for (size_t i = 0; i < section->own_count; i++)
		write_entry(loader, writer, section->own[i]);
}

static void write_base(struct loader *loader, struct writer *writer)
{
	bool ours = loader->section_count && *loader->sections[0]->place.file != '/';
	char *cwd = ours && !*loader->base ? getcwd(NULL, 0) : NULL;

	if (*loader->base || cwd)
		buf_printf(&writer->text, ";@base %s\n", cwd ? cwd : loader->base);
	free(cwd);
}

void snapshot_make(struct loader *loader)
{
	struct writer writer = {.text = {.max = 64u << 20}};
	char *copy = NULL;

	write_base(loader, &writer);
	for (size_t i = 0; i < loader->section_count; i++)
		write_section(loader, &writer, loader->sections[i]);
	if (!writer.text.failed)
		copy = arena_strndup(loader->arena, writer.text.ptr, writer.text.len);
	loader->config->snapshot = (struct str){copy, writer.text.len};
	buf_finish(&writer.text);
	if (!copy)
		longjmp(loader->nomem, 1);
}
