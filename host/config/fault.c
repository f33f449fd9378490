/* fault.c - the list of what is wrong, and the guess at what was meant.
 *
 * Never prints or keeps a value that was expanded from ${ENV} or read from a secret's file: its
 * callers hand it names and texts as written. Runs on the thread that loads.
 */
#include "config/internal.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "base/json.h"

void config_faults_finish(struct config_faults *faults)
{
	for (size_t i = 0; i < faults->count; i++) {
		free((char *)faults->list[i].file);
		free((char *)faults->list[i].text);
	}
	free(faults->list);
	*faults = (struct config_faults){0};
}

static bool make_room(struct config_faults *faults)
{
	size_t cap = faults->cap ? 2 * faults->cap : 16;
	struct config_fault *list;

	if (faults->count < faults->cap)
		return true;
	list = faults->count < CONFIG_FAULTS_MAX ? realloc(faults->list, cap * sizeof(*list))
						 : NULL;
	if (!list)
		return false;
	faults->list = list;
	faults->cap = cap;
	return true;
}

static bool told_already(const struct config_faults *faults, const struct config_fault *new)
{
	for (size_t i = 0; i < faults->count; i++) {
		const struct config_fault *old = &faults->list[i];
		if (old->severity == new->severity && old->line == new->line &&
			old->col == new->col &&strcmp(old->file, new->file) == 0 &&
			strcmp(old->text, new->text) == 0)
			return true;
	}
	return false;
}

/* Counts it even if there is no memory to keep it: a load must not succeed by forgetting. */
static void add(struct config_faults *faults, struct config_place place,
	enum config_severity severity, const char *text)
{
	struct config_fault new = {place.file, place.line, place.col, severity, text};

	if (told_already(faults, &new)) /* by another section that inherits the same line */
		return;
	faults->errors += severity == CONFIG_ERROR;
	new.file = make_room(faults) ? strdup(place.file) : NULL;
	new.text = new.file ? strdup(text) : NULL;
	if (!new.text) {
		free((char *)new.file);
		faults->left_out++;
		return;
	}
	faults->list[faults->count++] = new;
}

static void add_formatted(struct config_faults *faults, struct config_place place,
	enum config_severity severity, const char *format, va_list args)
{
	char text[1000];
	struct str whole = {text, 0};

	vsnprintf(text, sizeof(text), format, args);
	whole.len = strlen(text);
	text[str_utf8_span(whole)] = '\0'; /* cut between characters, if it had to be cut */
	if (!place.file)
		place.file = "";
	add(faults, place, severity, text);
}

void fault(struct loader *loader, struct config_place place, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_formatted(loader->faults, place, CONFIG_ERROR, format, args);
	va_end(args);
}

void warn(struct loader *loader, struct config_place place, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_formatted(loader->faults, place, CONFIG_WARNING, format, args);
	va_end(args);
}

static int compare(const void *a, const void *b)
{
	const struct config_fault *x = a, *y = b;
	int files = strcmp(x->file, y->file);

	if (files)
		return files;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	if (x->col != y->col)
		return x->col < y->col ? -1 : 1;
	return strcmp(x->text, y->text);
}

void faults_sort(struct config_faults *faults)
{
	if (faults->count)
		qsort(faults->list, faults->count, sizeof(*faults->list), compare);
}

void config_faults_add(struct config_faults *faults, struct config_place place,
	enum config_severity severity, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_formatted(faults, place, severity, format, args);
	va_end(args);
	faults_sort(faults);
}

static const char *severity_name(enum config_severity severity)
{
	return severity == CONFIG_ERROR ? "error" : "warning";
}

static void print_json(FILE *out, const struct config_fault *fault)
{
	struct arena *arena = arena_create(64 * 1024);
	struct json *object = json_object(arena);
	struct str line;

	json_put_text(arena, object, "file", str_of(fault->file));
	json_put_i64(arena, object, "line", fault->line);
	json_put_i64(arena, object, "col", fault->col);
	json_put_text(arena, object, "severity", str_of(severity_name(fault->severity)));
	json_put_text(arena, object, "text", str_of(fault->text));
	line = json_print(arena, object);
	fprintf(out, "%.*s\n", STR_ARG(line));
	arena_destroy(arena);
}

static void print_line(FILE *out, const struct config_fault *fault)
{
	fputs(*fault->file ? fault->file : "configuration", out);
	if (fault->line)
		fprintf(out, ":%u:%u", (unsigned)fault->line, (unsigned)fault->col);
	fprintf(out, ": %s: %s\n", severity_name(fault->severity), fault->text);
}

void config_faults_print(FILE *out, const struct config_faults *faults, bool json)
{
	for (size_t i = 0; i < faults->count; i++)
		(json ? print_json : print_line)(out, &faults->list[i]);
	if (faults->left_out && !json)
		fprintf(out, "and %zu more\n", faults->left_out);
}

/* ---- Did you mean ------------------------------------------------------------------------- */

#define WORD_MAX 40

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

/* Damerau-Levenshtein in its restricted form: a pair may be swapped, but not edited again. */
static size_t distance(struct str a, struct str b)
{
	size_t rows[3][WORD_MAX + 1], *before = rows[0], *above = rows[1], *row = rows[2];

	for (size_t j = 0; j <= b.len; j++)
		above[j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		row[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			int x = tolower((unsigned char)a.ptr[i - 1]);
			int y = tolower((unsigned char)b.ptr[j - 1]);
			row[j] = min3(above[j] + 1, row[j - 1] + 1, above[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == tolower((unsigned char)b.ptr[j - 2]) &&
				y == tolower((unsigned char)a.ptr[i - 2]) &&
				before[j - 2] + 1 < row[j])
				row[j] = before[j - 2] + 1;
		}
		size_t *free_row = before;
		before = above;
		above = row;
		row = free_row;
	}
	return above[b.len];
}

const char *config_suggest(struct str word, const char *const *candidates, size_t count)
{
	size_t best = 1 + word.len / 4; /* more than that is no slip of the finger */
	const char *nearest = NULL;

	if (!word.len || word.len > WORD_MAX)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		struct str candidate = str_of(candidates[i]);
		size_t d;
		if (!candidate.len || candidate.len > WORD_MAX)
			continue;
		d = distance(word, candidate);
		if (d < candidate.len && (d < best || (d == best && !nearest))) {
			best = d;
			nearest = candidates[i];
		}
	}
	return nearest;
}

const char *hint(
	struct loader *loader, struct str word, const char *const *candidates, size_t count)
{
	const char *nearest = config_suggest(word, candidates, count);

	return nearest ? take_printf(loader, "; did you mean \"%s\"?", nearest) : "";
}
