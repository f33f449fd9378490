/* setup.c - brings configuration and plugins together, which know nothing of each other. */
#include "command/setup.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "desk/desk.h"
#include "http/tls.h"
#include "pipeline/expr.h"

#define NAMES_MAX 100
#define DESCRIBE_TRIES 3
#define PLACES_SHOWN 5 /* a sentence has an end */
#define MEMORY ((size_t)256 * 1024 * 1024)

struct known {
	struct known *next;
	struct arena *arena; /* it, and what it points to */
	const char *name;
	struct plugin_info info;
	struct error error; /* code 0: info is good */
	struct timespec changed;
};

struct setup {
	pthread_mutex_t lock;
	struct plugin_zygote *zygote;
	struct known *known;      /* few, kept: configurations point to them */
	struct arena *scratch;    /* of the load under way, or of the last one */
	const char **directories; /* ends with NULL; in scratch */
	struct expr_engine *engine;
	struct config_faults *faults;            /* of the load that is under way */
	const char *plugin_names[NAMES_MAX + 1]; /* for suggestions; ends with NULL */
	const struct config *latest; /* has the literal secrets that a stored generation lacks */
};

struct setup *setup_create(struct error *error, struct plugin_zygote *zygote)
{
	struct setup *s = calloc(1, sizeof(*s));

	if (s && (s->scratch = arena_create(MEMORY)) && (s->engine = expr_engine_create(error))) {
		pthread_mutex_init(&s->lock, NULL);
		s->zygote = zygote;
		return s;
	}
	if (s)
		arena_destroy(s->scratch);
	free(s);
	error_set(error, E_NOMEM, "no memory to read the configuration");
	return NULL;
}

void setup_destroy(struct setup *s)
{
	struct known *next;

	if (!s)
		return;
	config_unref(s->latest);
	expr_engine_destroy(s->engine);
	for (struct known *k = s->known; k; k = next) {
		next = k->next;
		arena_destroy(k->arena);
	}
	arena_destroy(s->scratch);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* ---- Plugins ------------------------------------------------------------------------------ */

static size_t add_names(struct setup *s, const char *directory, size_t count)
{
	DIR *dir = opendir(directory);
	struct dirent *entry;

	while (dir && count < NAMES_MAX && (entry = readdir(dir))) {
		size_t n = strlen(entry->d_name);
		if (n > 3 && strcmp(entry->d_name + n - 3, ".so") == 0)
			s->plugin_names[count++] =
				arena_printf(s->scratch, "%.*s", (int)n - 3, entry->d_name);
	}
	if (dir)
		closedir(dir);
	return count;
}

static void on_host(void *user, const struct config_host *host)
{
	struct setup *s = user;

	s->directories = arena_alloc(s->scratch, (host->plugins.count + 1) * sizeof(char *));
	for (size_t i = 0; s->directories && i < host->plugins.count; i++)
		s->directories[i] = arena_printf(s->scratch, "%s", host->plugins.list[i]);
	for (size_t i = 0, n = 0; s->directories && s->directories[i]; i++)
		n = add_names(s, s->directories[i], n);
}

const char *const *setup_directories(const struct setup *s)
{
	return s->directories;
}

const char *setup_plugin_path(struct setup *s, const char *name)
{
	for (size_t i = 0; s->directories && s->directories[i]; i++) {
		const char *path = arena_printf(s->scratch, "%s/%s.so", s->directories[i], name);
		if (path && access(path, R_OK) == 0)
			return path;
	}
	return NULL;
}

static struct timespec changed_at(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 ? st.st_mtim : (struct timespec){0};
}

/* It says something about this moment, not about the file. */
static bool passes(const struct error *error)
{
	return error->code == E_NOMEM || error->code == E_IO || error->code == E_CLOSED ||
	       error->code == E_TIMEOUT;
}

/* NULL: it could not be asked now. */
static struct known *describe(
	struct setup *s, struct error *error, const char *name, const char *path)
{
	struct arena *arena = arena_create(MEMORY);
	struct known *k = arena_alloc(arena, sizeof(*k));
	const char *own = arena_printf(arena, "%s", name);

	error_set(error, E_NOMEM, "no memory to load the plugin");
	for (int n = 0; own && n < DESCRIBE_TRIES && (n == 0 || passes(error)); n++) {
		*error = (struct error){0};
		k->changed = changed_at(path);
		plugin_describe(error, s->zygote, path, arena, &k->info);
	}
	if (passes(error)) {
		arena_destroy(arena);
		return NULL;
	}
	k->arena = arena;
	k->error = *error;
	k->info.name = k->name = own;
	k->next = s->known;
	s->known = k;
	return k;
}

static bool fresh(const struct known *k, struct timespec changed)
{
	return k->changed.tv_sec == changed.tv_sec && k->changed.tv_nsec == changed.tv_nsec;
}

/* All of them, for a person who expected it in one. */
static const char *places(struct setup *s)
{
	const char *list = "any directory";

	for (size_t i = 0; s->directories && s->directories[i] && list && i <= PLACES_SHOWN; i++)
		list = i == PLACES_SHOWN ? arena_printf(s->scratch, "%s, …", list)
		       : i ? arena_printf(s->scratch, "%s, %s", list, s->directories[i])
			   : s->directories[i];
	return list ? list : "";
}

static const struct plugin_info *on_plugin(void *user, const char *name, struct error *error)
{
	struct setup *s = user;
	const char *path = setup_plugin_path(s, name);
	struct known *k = s->known;

	if (!path && arena_failed(s->scratch)) {
		error_set(error, E_NOMEM, "no memory to look for the plugin");
		return NULL;
	}
	if (!path) {
		error_set(error, E_NOTFOUND,
			"there is no %s.so in %s; plugins = in [host] says where to look", name,
			places(s));
		return NULL;
	}
	while (k && (strcmp(k->name, name) != 0 || !fresh(k, changed_at(path))))
		k = k->next;
	if (!k)
		k = describe(s, error, name, path);
	if (!k)
		return NULL;
	*error = k->error;
	if (error->code == E_NOTFOUND)
		error->code = E_INVALID; /* it is there, it just does not load */
	return error->code ? NULL : &k->info;
}

/* ---- Expressions -------------------------------------------------------------------------- */

static int on_sql(void *user, struct error *error, struct str sql, const char *const *step_names,
	size_t *offset)
{
	struct setup *s = user;
	struct expr *expr = expr_compile(error, s->engine, sql, step_names);

	(void)offset; /* the error's place tells the character */
	if (!expr)
		return error->code;
	expr_free(expr);
	return 0;
}

/* ---- What the plugins say to their options ------------------------------------------------ */

static void add_fault(struct config_faults *faults, struct config_place place, const char *text)
{
	config_faults_add(faults, place, CONFIG_ERROR, "%s", text);
}

struct asked { /* a connection or a mapping, for its plugin to look at */
	const char *plugin, *full;
	const struct plugin_info *info;
	struct str options;
	struct config_place head;
	const struct config_key_place *keys;
	size_t key_count;
};

static struct config_place place_in(const struct asked *a, struct str key)
{
	const char *name = key.len ? key.ptr : "plugin";

	for (size_t i = 0; i < a->key_count; i++)
		if (strcmp(a->keys[i].key, name) == 0)
			return a->keys[i].place;
	return a->head;
}

static bool fault_at(const struct config_faults *faults, struct config_place place)
{
	for (size_t i = 0; i < faults->count; i++)
		if (faults->list[i].severity == CONFIG_ERROR &&
			faults->list[i].line == place.line &&
			strcmp(faults->list[i].file, place.file) == 0)
			return true;
	return false;
}

static bool has_fault(const struct config_faults *faults, const struct asked *a)
{
	bool any = fault_at(faults, a->head);

	for (size_t i = 0; i < a->key_count; i++)
		any |= fault_at(faults, a->keys[i].place);
	return any;
}

/* What is said about a line that has a fault already, or about what is missing in a section with
 * faults, may be nothing but a consequence. */
static void add_problem(struct config_faults *faults, const struct asked *a, bool faulty,
	struct str path, const char *text)
{
	struct config_place place = place_in(a, path);
	struct config_place plugin = place_in(a, STR(""));
	bool nowhere = place.line == a->head.line || place.line == plugin.line;

	if (!fault_at(faults, place) && !(faulty && nowhere))
		add_fault(faults, place, text);
}

/* What passes is no fault of the file: a busy machine at its start, a worker that died. Asked once
 * more, then the host goes on without having asked, and the plugin's own calls tell. */
static void not_asked(struct setup *s, struct config_faults *faults, const struct asked *a,
	const struct error *error)
{
	if (!passes(error))
		add_problem(faults, a, has_fault(faults, a), STR(""),
			arena_printf(
				s->scratch, "%s: plugin %s: %s", a->full, a->plugin, error->text));
	else
		config_faults_add(faults, place_in(a, STR("")), CONFIG_WARNING,
			"%s: its plugin could not be asked about it: %s", a->full, error->text);
}

static void ask_plugin(struct setup *s, struct config_faults *faults, const struct asked *a)
{
	struct arena *arena = arena_create(MEMORY);
	struct plugin_out out = {0};
	struct error error = {0};
	const char *path = setup_plugin_path(s, a->plugin);
	bool faulty = has_fault(faults, a);

	if (!a->info || !a->info->can_check || !arena || !path) {
		arena_destroy(arena);
		return;
	}
	for (int tries = 0; tries < 2 && (!tries || passes(&error)); tries++)
		plugin_check_config(
			&error, s->zygote, path, a->options, clock_now_ms(), arena, &out);
	if (error.code)
		not_asked(s, faults, a, &error);
	for (uint32_t i = 0; error.code == 0 && i < out.problems.count; i++)
		add_problem(faults, a, faulty, out.problems.items[i].path,
			arena_printf(arena, "%.*s %.*s", STR_ARG(out.problems.items[i].path),
				STR_ARG(out.problems.items[i].message)));
	arena_destroy(arena);
}

/* KEY = SPEC : SQL comes to the plugin as {"KEY": {"spec": SPEC}}. */
static struct str with_specs(struct arena *arena, const struct config_mapping *m)
{
	struct json *o = json_object(arena);
	const struct json *options = json_parse(arena, m->options, NULL);

	for (size_t i = 0; i < json_count(options); i++) {
		struct str key;
		const struct json *value = json_at(options, i, &key);
		json_set(arena, o, key, value);
	}
	for (size_t i = 0; i < m->field_count; i++) {
		struct json *field = json_object(arena);
		json_put_text(arena, field, "spec", str_of(m->fields[i].spec));
		json_put(arena, o, m->fields[i].key, field);
	}
	return json_print(arena, o);
}

static void ask_about_mapping(
	struct setup *s, struct config_faults *faults, const struct config_mapping *m)
{
	struct arena *arena = arena_create(MEMORY);

	if (arena)
		ask_plugin(s, faults,
			&(struct asked){m->plugin, m->full, m->info, with_specs(arena, m), m->place,
				m->keys, m->key_count});
	arena_destroy(arena);
}

static void ask_plugins(struct setup *s, const struct config *config, struct config_faults *faults)
{
	size_t n;
	const struct config_connection *c = config_connections(config, &n);
	const struct config_mapping *m;

	for (size_t i = 0; i < n; i++)
		ask_plugin(s, faults,
			&(struct asked){c[i].plugin, c[i].full, c[i].info, c[i].options, c[i].place,
				c[i].keys, c[i].key_count});
	m = config_mappings(config, &n);
	for (size_t i = 0; i < n; i++)
		ask_about_mapping(s, faults, &m[i]);
}

/* ---- The listener's certificate ----------------------------------------------------------- */

static void check_certificate(const struct config *config, struct config_faults *faults)
{
	const struct config_host *host = config_host(config);
	struct error error = {0};
	const char *warning;
	struct tls *tls;
	char text[256];

	if (!host->tls_certificate || !host->tls_key)
		return;
	tls = tls_load(&error, host->tls_certificate, host->tls_key);
	warning = tls ? tls_warning(tls, clock_now_ms(), text) : NULL;
	if (!tls)
		add_fault(faults, host->tls_place, error.text);
	else if (warning)
		config_faults_add(faults, host->tls_place, CONFIG_WARNING, "%s: %s",
			host->tls_certificate, warning);
	tls_unref(tls);
}

/* ---- Loading ------------------------------------------------------------------------------ */

static void on_read(void *user, const struct config *config)
{
	struct setup *s = user;

	check_certificate(config, s->faults);
	ask_plugins(s, config, s->faults);
}

/* What the last load ran out of is there again, perhaps. */
static void begin(struct setup *s)
{
	s->directories = NULL;
	memset(s->plugin_names, 0, sizeof(s->plugin_names));
	arena_reset(s->scratch);
}

static struct config_context context(struct setup *s)
{
	static const struct plugin_info *const builtins[] = {&desk_info};

	return (struct config_context){.user = s,
		.host = on_host,
		.plugin = on_plugin,
		.plugin_names = s->plugin_names,
		.builtins = builtins,
		.builtin_count = sizeof(builtins) / sizeof(*builtins),
		.check_sql = on_sql,
		.columns = expr_columns};
}

struct config *setup_load(struct setup *s, const char *path, struct config_faults *faults)
{
	struct config_context ctx = context(s);
	struct config *config;

	pthread_mutex_lock(&s->lock);
	begin(s);
	ctx.look = on_read;
	s->faults = faults;
	config = config_load(faults, path, &ctx);
	if (config) {
		config_unref(s->latest);
		s->latest = config_ref(config);
	}
	pthread_mutex_unlock(&s->lock);
	return config;
}

struct config *setup_revive(struct setup *s, struct str snapshot, struct error *error)
{
	struct config_context ctx = context(s);
	struct config_faults faults = {0};
	struct config *config;

	pthread_mutex_lock(&s->lock);
	begin(s);
	ctx.literals = s->latest;
	config = config_load_text(&faults, snapshot, &ctx);
	pthread_mutex_unlock(&s->lock);
	if (!config)
		error_set(error, E_INVALID, "%s", faults.count ? faults.list[0].text : "no memory");
	config_faults_finish(&faults);
	return config;
}
