/* plugin_new.c - `klinke plugin new`: copies a template, and gives it a name.
 *
 * The templates are ordinary files (sdk/template), installed beside the program and built by its
 * tests; every "acme" in them becomes the name. Nothing that exists is written over. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"
#include "command/plugin.h"

#define MEMORY ((size_t)4 << 20)
#define MOST_FILE ((size_t)256 * 1024)
#define LONGEST_NAME 32u
#define WORD "acme"

struct making {
	struct arena *arena;
	const char *name, *kind, *templates, *directory;
	struct error error;
};

/* ---- the name ----------------------------------------------------------------------------- */

/* Names that the templates have at the top of their files, and those of the language that a person
 * might think of. */
static bool is_taken(const char *name)
{
	static const char *const words[] = {"verify", "normalize", "send", "create", "created",
		"looked", "step", "map", "make", "tell", "upper", "ask", "tell_all", "refused",
		"options", "ops", "routes", "credentials", "auto", "break", "case", "char", "const",
		"continue", "default", "do", "double", "else", "enum", "extern", "float", "for",
		"goto", "if", "inline", "int", "long", "main", "register", "restrict", "return",
		"short", "signed", "sizeof", "static", "struct", "switch", "typedef", "union",
		"unsigned", "void", "volatile", "while", "cases", NULL};
	size_t i;

	for (i = 0; words[i]; i++)
		if (strcmp(words[i], name) == 0)
			return true;
	return strncmp(name, "kl_", 3) == 0 || strncmp(name, "str", 3) == 0 ||
	       strncmp(name, "mem", 3) == 0;
}

static int bad_name(const struct invocation *in, const char *name)
{
	size_t good = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");

	if (name[good] || !good || good > LONGEST_NAME || !(name[0] >= 'a' && name[0] <= 'z'))
		return usage_error(in,
			"\"%s\" cannot be a plugin's name: lower-case letters, digits and _, "
			"beginning with a letter, at most %u",
			name, LONGEST_NAME);
	if (is_taken(name))
		return usage_error(in,
			"\"%s\" means something in C or in the template: take the vendor's name",
			name);
	return 0;
}

static bool is_kind(const char *kind)
{
	return strcmp(kind, "provider") == 0 || strcmp(kind, "mapping") == 0 ||
	       strcmp(kind, "polling") == 0;
}

/* ---- files -------------------------------------------------------------------------------- */

static int read_template(struct making *m, const char *path, struct str *out)
{
	char *bytes = arena_take(m->arena, MOST_FILE);
	FILE *file = fopen(path, "rb");
	size_t got;

	if (!file)
		return error_set(&m->error, E_NOTFOUND,
			"the template %s cannot be read (%s): install klinke, or name the folder "
			"of "
			"templates with --templates or KLINKE_TEMPLATES",
			path, strerror(errno));
	got = bytes ? fread(bytes, 1, MOST_FILE, file) : 0;
	fclose(file);
	*out = (struct str){bytes, got};
	return bytes ? 0 : error_set(&m->error, E_NOMEM, "there is no memory for %s", path);
}

/* "acme" and "Acme" become the name, its first letter as theirs was. */
static void put_named(struct buf *to, struct str text, const char *name)
{
	const size_t len = sizeof(WORD) - 1;
	size_t i = 0;

	while (i < text.len) {
		bool here = i + len <= text.len && memcmp(text.ptr + i + 1, &WORD[1], len - 1) == 0;
		if (!here || (text.ptr[i] != 'a' && text.ptr[i] != 'A')) {
			buf_add(to, text.ptr + i++, 1);
			continue;
		}
		buf_printf(
			to, "%c%s", text.ptr[i] == 'A' ? name[0] - 'a' + 'A' : name[0], name + 1);
		i += len;
	}
}

static int write_new(struct making *m, const char *path, const struct buf *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	FILE *file = fd >= 0 ? fdopen(fd, "wb") : NULL;
	bool done;

	if (!file)
		return error_set(&m->error, E_IO, "%s cannot be written: %s", path,
			errno == EEXIST ? "it is there already; choose another DIR"
					: strerror(errno));
	done = fwrite(text->ptr, 1, text->len, file) == text->len;
	if (fclose(file) != 0 || !done)
		return error_set(
			&m->error, E_IO, "%s cannot be written: %s", path, strerror(errno));
	printf("%s\n", path);
	return 0;
}

static int copy(struct making *m, const char *folder, const char *from, const char *to)
{
	const char *path = arena_printf(m->arena, "%s/%s/%s", m->templates, folder, from);
	struct buf text;
	struct str read = {0};
	int failed = read_template(m, path, &read);

	if (failed)
		return failed;
	buf_init(&text, 4 * MOST_FILE);
	put_named(&text, read, m->name);
	failed = write_new(m, arena_printf(m->arena, "%s/%s", m->directory, to), &text);
	buf_finish(&text);
	return failed;
}

static int make_directory(struct making *m, const char *path)
{
	struct stat info;

	if (mkdir(path, 0777) == 0 || (stat(path, &info) == 0 && S_ISDIR(info.st_mode)))
		return 0;
	return error_set(&m->error, E_IO, "directory %s cannot be made: %s", path, strerror(errno));
}

static int make(struct making *m)
{
	int failed = make_directory(m, m->directory);

	if (!failed)
		failed = make_directory(m, arena_printf(m->arena, "%s/cases", m->directory));
	if (!failed)
		failed = copy(m, m->kind, "acme.c", arena_printf(m->arena, "%s.c", m->name));
	if (!failed)
		failed = copy(m, m->kind, "cases/acme.json",
			arena_printf(m->arena, "cases/%s.json", m->name));
	if (!failed)
		failed = copy(m, "common", "meson.build", "meson.build");
	return failed ? failed : copy(m, "common", "README.md", "README.md");
}

static void print_next(const struct making *m)
{
	printf("\ncd %s\n"
	       "cc $(pkg-config --cflags klinke-plugin) -std=c11 -Wall -Wextra -O2 -fPIC -shared "
	       "-o "
	       "%s.so %s.c $(pkg-config --libs klinke-plugin)\n"
	       "klinke plugin check ./%s.so\n",
		m->directory, m->name, m->name, m->name);
}

int plugin_new(const struct invocation *in)
{
	const char *kind = invocation_get(in, "kind"), *given = invocation_get(in, "templates"),
		   *env = getenv("KLINKE_TEMPLATES");
	struct making m = {.kind = kind ? kind : "provider"};
	int failed;

	if (in->count < 2 || in->count > 3)
		return usage_error(in, "new needs a NAME, and perhaps a DIR");
	if (bad_name(in, in->args[1]))
		return EXIT_USAGE;
	if (!is_kind(m.kind))
		return usage_error(in, "--kind is provider, mapping or polling");
	m.name = in->args[1];
	m.templates = given ? given : env && *env ? env : KLINKE_TEMPLATES;
	m.arena = arena_create(MEMORY);
	m.directory = in->count == 3 ? in->args[2] : m.name;
	failed = make(&m);
	if (!failed)
		print_next(&m);
	arena_destroy(m.arena);
	return failed ? fail(in, &m.error) : EXIT_OK;
}
