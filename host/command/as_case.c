/* as_case.c - see as_case.h. Has the story and the configuration, takes secrets and persons out,
 * hands the parts to as_case_hook.c and as_case_step.c, writes a file for each plugin and runs it.
 * Secrets of the configuration are in this process as they are for `klinke check`; none is printed.
 */
#include "command/as_case.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "command/as_case_i.h"
#include "command/client.h"
#include "command/setup.h"
#include "klinke/plugin.h"
#include "plugin/case.h"
#include "plugin/case_scrub.h"
#include "plugin/session.h"

#define MEMORY ((size_t)1024 * 1024 * 1024)
#define BOOKS_MAX 32

struct shelf { /* all of it */
	struct making m;
	struct setup *setup;
	struct config *config;
	const char *id;
	struct case_book books[BOOKS_MAX];
	size_t count;
	bool failed;
};

/* ---- for those who make one case ---------------------------------------------------------- */

void case_left_out(struct making *m, const char *what, const char *format, ...)
{
	va_list ap;

	m->left_out++;
	fprintf(stderr, "klinke %s: no case of %s: ", m->in->verb, what);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
}

struct str story_bytes(struct making *m, const struct json *value)
{
	struct str text = json_text(value);

	if (json_type(value) == JSON_OBJECT)
		text = str_decode(m->arena, "base64", json_get_text(value, "base64"));
	return text.ptr ? text : STR("");
}

const struct json *case_body(struct making *m, struct str bytes)
{
	const struct json *value = json_parse(m->arena, bytes, NULL);
	struct json *o = json_object(m->arena);

	if (value) {
		json_put(m->arena, o, "json", scrub_json(m->scrub, value));
		return o;
	}
	if (str_utf8_ok(bytes) && !memchr(bytes.ptr, 0, bytes.len))
		return json_of_text(m->arena, scrub_text(m->scrub, bytes));
	json_put_text(m->arena, o, "base64", str_encode(m->arena, "base64", bytes));
	return o;
}

static const struct json *trimmed_list(struct making *m, const struct json *list)
{
	struct json *out = json_array(m->arena);

	for (size_t i = 0; i < json_count(list); i++)
		json_push(m->arena, out, case_trimmed(m, json_at(list, i, NULL)));
	return out;
}

/* Lists of events and starts lose their empty members too; a plugin's own data stays as it is. */
const struct json *case_trimmed(struct making *m, const struct json *value)
{
	struct json *out = json_object(m->arena);
	struct str key;

	if (json_type(value) != JSON_OBJECT)
		return value;
	for (size_t i = 0; i < json_count(value); i++) {
		const struct json *child = json_at(value, i, &key);
		bool ours = str_is(key, "events") || str_is(key, "starts");
		if (json_type(child) <= JSON_NULL ||
			(json_type(child) == JSON_NUMBER && str_is(key, "at_ms") &&
				!json_i64(child, 0)) ||
			(json_type(child) == JSON_TEXT && !json_text(child).len))
			continue;
		json_set(m->arena, out, key, ours ? trimmed_list(m, child) : child);
	}
	return out;
}

/* ---- a case's beginning ------------------------------------------------------------------- */

static const struct plugin_option *find_option(const struct plugin_info *info, struct str key)
{
	for (size_t i = 0; i < info->option_count; i++)
		if (str_is(key, info->options[i].key))
			return &info->options[i];
	return NULL;
}

/* What is not as it would be anyway. */
static const struct json *config_of(struct making *m, const struct config_connection *connection)
{
	const struct json *options = json_parse(m->arena, connection->options, NULL);
	struct json *out = json_object(m->arena);
	struct str key;

	for (size_t i = 0; i < json_count(options); i++) {
		const struct json *value = scrub_json(m->scrub, json_at(options, i, &key));
		const struct plugin_option *option = find_option(connection->info, key);
		if (option && (option->kind & 255u) == KL_OPT_SECRET)
			continue;
		if (option && option->fallback && str_is(json_text(value), option->fallback))
			continue;
		json_set(m->arena, out, key, value);
	}
	return out;
}

static const struct json *secrets_of(struct making *m, const struct config_connection *connection)
{
	struct json *out = json_object(m->arena);

	for (size_t i = 0; i < connection->secret_count; i++) {
		const struct config_secret *s = &connection->secrets[i];
		struct json *values = json_array(m->arena);
		if (!s->count)
			continue;
		json_push(m->arena, values,
			json_of_text(m->arena, scrub_text(m->scrub, s->values[0])));
		json_put(m->arena, out, s->option, values);
	}
	return out;
}

static bool is_taken(const struct case_book *book, const char *name)
{
	for (size_t i = 0; i < book->count; i++)
		if (str_is(json_get_text(json_at(book->cases, i, NULL), "name"), name))
			return true;
	return false;
}

struct json *case_head(struct making *m, const struct case_book *book,
	const struct config_connection *connection, const char *what, const struct json *now)
{
	struct json *head = json_object(m->arena);
	const char *name = what;

	for (unsigned n = 2; is_taken(book, name); n++)
		name = arena_printf(m->arena, "%s (%u)", what, n);
	json_put_text(m->arena, head, "name", str_of(name));
	json_put_text(m->arena, head, "source", str_of(m->source));
	json_put(m->arena, head, "now", now);
	json_put(m->arena, head, "config", config_of(m, connection));
	json_put(m->arena, head, "secrets", secrets_of(m, connection));
	return head;
}

void case_add(struct case_book *book, struct arena *arena, const struct json *made)
{
	json_push(arena, book->cases, made);
	book->count++;
}

/* ---- secrets and places ------------------------------------------------------------------- */

static void hide_secret(struct making *m, const struct config_secret *s, const char *becomes)
{
	for (size_t i = 0; i < s->count; i++)
		scrub_secret(m->scrub, s->values[i], str_of(becomes));
}

/* Addresses of this office's servers: the vendor's own, or one that is nobody's. */
static void hide_places(struct making *m, const struct config_connection *connection)
{
	const struct json *options = json_parse(m->arena, connection->options, NULL);

	for (size_t i = 0; connection->info && i < connection->info->option_count; i++) {
		const struct plugin_option *o = &connection->info->options[i];
		struct str url = json_get_text(options, o->key);
		const char *instead = o->fallback ? o->fallback : "https://vendor.example";
		if ((o->kind & 255u) != KL_OPT_URL || !url.len || str_is(url, instead))
			continue;
		while (url.ptr[url.len - 1] == '/')
			url.len--;
		scrub_replace(m->scrub, url, str_of(instead));
	}
}

static void hide_config(struct shelf *s)
{
	size_t count;
	const struct config_connection *all = config_connections(s->config, &count);
	const struct config_tenant *tenants;

	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < all[i].secret_count; k++)
			hide_secret(&s->m, &all[i].secrets[k],
				arena_printf(s->m.arena, "case-%s", all[i].secrets[k].option));
		hide_places(&s->m, &all[i]);
	}
	hide_secret(&s->m, &config_host(s->config)->admin_token, "scrubbed");
	hide_secret(&s->m, &config_host(s->config)->admin_password, "scrubbed");
	tenants = config_tenants(s->config, &count);
	for (size_t i = 0; i < count; i++)
		hide_secret(&s->m, &tenants[i].token, "scrubbed");
}

static void look_at_bytes(struct making *m, const struct json *value)
{
	struct str bytes = story_bytes(m, value);
	const struct json *inner = json_parse(m->arena, bytes, NULL);

	scrub_look(m->scrub, inner ? inner : json_of_text(m->arena, bytes));
}

static void look_at_story(struct making *m)
{
	static const char *const lists[] = {"inbox", "events", "attempts"};

	for (size_t l = 0; l < sizeof(lists) / sizeof(lists[0]); l++) {
		const struct json *list = json_get(m->story, lists[l]);
		for (size_t i = 0; i < json_count(list); i++) {
			const struct json *row = json_at(list, i, NULL);
			look_at_bytes(m, json_get(row, "body"));
			look_at_bytes(m, json_get(row, "input"));
			look_at_bytes(m, json_get(row, "output"));
			scrub_look(m->scrub, json_get(row, "data"));
			scrub_look(m->scrub, json_get(row, "more"));
			scrub_look(m->scrub, json_get(row, "url"));
		}
	}
}

/* ---- what is made a case ------------------------------------------------------------------ */

/* One per plugin. NULL: told why. */
static struct case_book *book_for(struct shelf *s, const char *plugin)
{
	struct error error = {0};
	struct case_book *book = s->books;

	for (; book < s->books + s->count; book++)
		if (strcmp(book->plugin, plugin) == 0)
			return book->session ? book : NULL;
	if (s->count == BOOKS_MAX)
		return NULL;
	*book = (struct case_book){.plugin = plugin,
		.path = setup_plugin_path(s->setup, plugin),
		.cases = json_array(s->m.arena)};
	s->count++;
	book->session = book->path ? session_open(&error, s->m.in->zygote, book->path) : NULL;
	if (book->session)
		return book;
	case_left_out(&s->m, plugin, "%s", book->path ? error.text : "the plugin is not there");
	return NULL;
}

static const struct config_connection *connection_of(struct shelf *s, struct str full)
{
	const struct config_connection *c = config_connection(
		s->config, arena_strndup(s->m.arena, full.ptr ? full.ptr : "", full.len));

	if (c && c->info)
		return c;
	case_left_out(&s->m, arena_printf(s->m.arena, "%.*s", STR_ARG(full)),
		"the configuration has no such connection any more, or its plugin does not load");
	return NULL;
}

/* "calendar.book" in a run of this tenant; NULL: the host's own, or a mapping. */
static const struct config_connection *connection_named(
	struct shelf *s, const struct json *job, struct str name)
{
	struct str full = json_get_text(job, "connection"), tenant = json_get_text(job, "tenant");
	const char *dot = name.len ? memchr(name.ptr, '.', name.len) : NULL;
	const struct config_tenant *t;

	if (full.len)
		return connection_of(s, full);
	if (!dot || memchr(name.ptr, ' ', (size_t)(dot - name.ptr)))
		return NULL;
	t = config_tenant(s->config, arena_strndup(s->m.arena, tenant.ptr, tenant.len));
	return config_connection_for(
		s->config, t, arena_strndup(s->m.arena, name.ptr, (size_t)(dot - name.ptr)));
}

static void take_hook(struct shelf *s, const struct json *inbox)
{
	const struct config_connection *c = connection_of(s, json_get_text(inbox, "connection"));
	struct case_book *book = c ? book_for(s, c->plugin) : NULL;

	if (book)
		hook_as_cases(&s->m, book, c, inbox);
}

/* Is this how that step of the job ended, and no later try? */
static bool is_last(const struct json *attempts, size_t at)
{
	const struct json *row = json_at(attempts, at, NULL);

	if (!str_is(json_get_text(row, "kind"), "step"))
		return false;
	for (size_t i = at + 1; i < json_count(attempts); i++) {
		const struct json *later = json_at(attempts, i, NULL);
		if (str_is(json_get_text(later, "kind"), "step") &&
			json_equal(json_get(later, "job"), json_get(row, "job")) &&
			json_equal(json_get(later, "step"), json_get(row, "step")) &&
			json_equal(json_get(later, "name"), json_get(row, "name")))
			return false;
	}
	return true;
}

static void take_job(struct shelf *s, const struct json *job)
{
	const struct json *attempts = json_get(s->m.story, "attempts");

	for (size_t i = 0; i < json_count(attempts); i++) {
		const struct json *row = json_at(attempts, i, NULL);
		const struct config_connection *c;
		struct case_book *book;
		if (!json_equal(json_get(row, "job"), json_get(job, "id")) || !is_last(attempts, i))
			continue;
		c = connection_named(s, job, json_get_text(row, "name"));
		book = c && c->info ? book_for(s, c->plugin) : NULL;
		if (book)
			step_as_case(&s->m, book, c, job, row);
	}
}

static bool is_named(const struct shelf *s, const struct json *row)
{
	struct str id = json_get_text(row, "id");
	size_t n = strlen(s->id);

	return n >= 8 && n <= id.len &&
	       (strncasecmp(id.ptr, s->id, n) == 0 ||
		       strncasecmp(id.ptr + id.len - n, s->id, n) == 0);
}

/* The webhook or job that is named; anything else names a whole story. */
static void take_all(struct shelf *s)
{
	const struct json *inbox = json_get(s->m.story, "inbox"),
			  *jobs = json_get(s->m.story, "jobs");

	for (size_t i = 0; i < json_count(inbox); i++)
		if (is_named(s, json_at(inbox, i, NULL))) {
			take_hook(s, json_at(inbox, i, NULL));
			return;
		}
	for (size_t i = 0; i < json_count(jobs); i++)
		if (is_named(s, json_at(jobs, i, NULL))) {
			take_job(s, json_at(jobs, i, NULL));
			return;
		}
	for (size_t i = 0; i < json_count(inbox); i++)
		take_hook(s, json_at(inbox, i, NULL));
	for (size_t i = 0; i < json_count(jobs); i++)
		take_job(s, json_at(jobs, i, NULL));
}

/* ---- the files ---------------------------------------------------------------------------- */

static void ended(struct case_runner *runner, const char *place, struct str name, struct str faults)
{
	struct shelf *s = runner->user;

	(void)place;
	if (!faults.len)
		return;
	s->failed = true;
	fprintf(stderr, "not ok - %.*s\n%.*s", STR_ARG(name), STR_ARG(faults));
}

static bool run_it(struct shelf *s, struct case_book *book, const char *path)
{
	struct case_runner runner = {.info = session_info(book->session),
		.session = book->session,
		.ended = ended,
		.user = s};

	case_file(&runner, path);
	return runner.failed == 0;
}

static int cannot_write(const struct shelf *s, const char *path)
{
	struct error error = {0};

	error_set(&error, E_IO, "%s cannot be written: %s", path, strerror(errno));
	return fail(s->m.in, &error);
}

static int write_to(const struct shelf *s, const char *path, struct str text)
{
	FILE *file = fopen(path, "wx");
	bool fine;

	if (!file)
		return cannot_write(s, path);
	fine = fwrite(text.ptr, 1, text.len, file) == text.len && fputc('\n', file) != EOF;
	fine = fclose(file) == 0 && fine;
	return fine ? 0 : cannot_write(s, path);
}

/* The file is read again as anybody would who runs its cases. */
static int finish_book(struct shelf *s, struct case_book *book, const char *path)
{
	struct str text = json_print_pretty(s->m.arena, book->cases);
	char aside[] = "/tmp/klinke-case-XXXXXX";
	bool shown = !path, passes;
	int fd = shown ? mkstemp(aside) : -1, code;

	if (shown && (fd < 0 || write(fd, text.ptr, text.len) != (ssize_t)text.len))
		return cannot_write(s, aside);
	code = shown ? 0 : write_to(s, path, text);
	if (code)
		return code;
	passes = run_it(s, book, shown ? aside : path);
	if (shown) {
		printf("%.*s\n", STR_ARG(text));
		close(fd);
		unlink(aside);
	}
	fprintf(stderr, "%s%s%zu case%s of %s, %s\n", shown ? "" : path, shown ? "" : ": ",
		book->count, book->count == 1 ? "" : "s", book->plugin,
		passes ? "passing" : "NOT passing: see above");
	return passes ? 0 : EXIT_FAILED;
}

static bool is_directory(const char *path)
{
	struct stat st;
	return path && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int finish_all(struct shelf *s)
{
	const char *out = invocation_get(s->m.in, "out");
	bool directory = is_directory(out);
	size_t full = 0;
	int code = 0;

	for (size_t i = 0; i < s->count; i++)
		full += s->books[i].count > 0;
	if (!full) {
		fprintf(stderr, "klinke %s: nothing of it can be made a case\n", s->m.in->verb);
		return EXIT_FAILED;
	}
	if (full > 1 && !directory)
		return usage_error(s->m.in,
			"it concerns %zu plugins, and each has case files of its own: name one "
			"webhook or job, or a directory with -o",
			full);
	for (size_t i = 0; i < s->count; i++) {
		const char *path =
			directory ? arena_printf(s->m.arena, "%s/%s.json", out, s->books[i].plugin)
				  : out;
		int one = s->books[i].count ? finish_book(s, &s->books[i], path) : 0;
		code = code ? code : one;
	}
	return code ? code : s->m.left_out ? EXIT_FAILED : 0;
}

/* ---- the way through ---------------------------------------------------------------------- */

static int ask_story(struct shelf *s)
{
	struct invocation quiet = *s->m.in;
	struct json *request = json_object(s->m.arena);

	quiet.zygote = NULL; /* nothing is run for looking */
	json_put_text(s->m.arena, request, "verb", STR("show"));
	json_put_text(s->m.arena, request, "id", str_of(s->id));
	json_put_bool(s->m.arena, request, "exact", true);
	if (invocation_get(s->m.in, "tenant"))
		json_put_text(
			s->m.arena, request, "tenant", str_of(invocation_get(s->m.in, "tenant")));
	return client_ask(&quiet, s->m.arena, request, &s->m.story);
}

static int read_config(struct shelf *s)
{
	struct config_faults faults = {0};
	struct error error = {0};

	s->setup = setup_create(&error, s->m.in->zygote);
	if (!s->setup)
		return fail(s->m.in, &error);
	s->config = setup_load(s->setup, s->m.in->config, &faults);
	if (!s->config)
		config_faults_print(stderr, &faults, s->m.in->json);
	config_faults_finish(&faults);
	return s->config ? 0 : EXIT_CONFIG;
}

static int make(struct shelf *s)
{
	int code = ask_story(s);

	if (code == 0)
		code = read_config(s);
	if (code)
		return code;
	s->m.scrub = scrub_create(s->m.arena, !invocation_get(s->m.in, "real-persons"));
	if (!s->m.scrub)
		return EXIT_FAILED;
	hide_config(s);
	look_at_story(&s->m);
	take_all(s);
	if (arena_failed(s->m.arena)) {
		fprintf(stderr, "klinke %s: no memory for so large a story\n", s->m.in->verb);
		return EXIT_FAILED;
	}
	return finish_all(s);
}

int as_case(const struct invocation *in, const char *id, const char *source)
{
	struct shelf *s = calloc(1, sizeof(*s));
	int code = EXIT_FAILED;

	if (s && (s->m.arena = arena_create(MEMORY))) {
		s->m.in = in;
		s->m.source = source;
		s->id = id;
		code = make(s);
	}
	for (size_t i = 0; s && i < s->count; i++)
		session_close(s->books[i].session);
	if (s) {
		config_unref(s->config);
		setup_destroy(s->setup);
		arena_destroy(s->m.arena);
	}
	free(s);
	return code;
}
