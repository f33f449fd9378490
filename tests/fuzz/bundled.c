/* bundled.c - see bundled.h. One thread. */
#include "bundled.h"

#include <assert.h>
#include <klinke/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/wire.h"

#define NOW_MS INT64_C(1795510800000) /* 2026-11-24T09:00:00Z */
#define MOST_BYTES ((size_t)64 * 1024 * 1024)

/* ---- head lines ----------------------------------------------------------------- */

struct str take_line(struct str *rest)
{
	const char *stop = rest->len ? memchr(rest->ptr, '\n', rest->len) : NULL;
	struct str line = {rest->ptr, stop ? (size_t)(stop - rest->ptr) : rest->len};
	size_t taken = line.len + (stop != NULL);

	*rest = (struct str){rest->ptr + taken, rest->len - taken};
	return line;
}

struct str line_after(struct str line, char mark)
{
	if (!line.len || line.ptr[0] != mark)
		return (struct str){0};
	return (struct str){line.ptr + 1, line.len - 1};
}

bool is_text(struct str text)
{
	return str_utf8_ok(text) && (!text.len || !memchr(text.ptr, 0, text.len));
}

bool split_pair(struct str line, char mark, struct plugin_pair *pair)
{
	const char *at = line.len ? memchr(line.ptr, mark, line.len) : NULL;
	size_t name = at ? (size_t)(at - line.ptr) : 0;

	if (!at || !name)
		return false;
	pair->name = (struct str){line.ptr, name};
	pair->value = (struct str){at + 1, line.len - name - 1};
	if (mark == ':' && pair->value.len && pair->value.ptr[0] == ' ') {
		pair->value.ptr++;
		pair->value.len--;
	}
	return true;
}

static void read_words(struct head *head, struct str line)
{
	for (size_t i = 0; i < 4 && line.len; i++) {
		const char *stop = memchr(line.ptr, ' ', line.len);
		size_t len = stop ? (size_t)(stop - line.ptr) : line.len;
		size_t taken = len + (stop != NULL);

		head->words[i] = (struct str){line.ptr, len};
		line = (struct str){line.ptr + taken, line.len - taken};
	}
}

/* Digits only, and few enough that no sum of two such times overflows. */
static int64_t read_now(struct str digits)
{
	int64_t ms = 0;

	for (size_t i = 0; i < digits.len && i < 15; i++) {
		if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
			break;
		ms = ms * 10 + (digits.ptr[i] - '0');
	}
	return ms;
}

void head_read(struct head *head, struct str text)
{
	memset(head, 0, sizeof(*head));
	head->now_ms = NOW_MS;
	read_words(head, take_line(&text));
	while (text.len) {
		struct str line = take_line(&text), now = line_after(line, '@');

		if (!line.len)
			break;
		if (now.ptr)
			head->now_ms = read_now(now);
		else if (head->line_count < BUNDLED_LINES)
			head->lines[head->line_count++] = line;
	}
	head->rest = text;
}

struct str json_or_nothing(struct arena *arena, struct str text, enum json_type type)
{
	struct arena *scratch = arena_create(MOST_BYTES);
	const struct json *value = text.ptr ? json_parse(scratch, text, NULL) : NULL;
	struct str out = {0};

	if (value && (type == JSON_NONE || json_type(value) == type))
		out = str_dup(arena, json_print(scratch, value));
	arena_destroy(scratch);
	return out;
}

#ifdef FUZZ_COVERAGE
/* What counts a plugin's lines is linked into it without libc, whose atexit() is no symbol that
 * anybody could ask for. */
int __cxa_atexit(void (*run)(void *), void *arg, void *of);
int atexit(void (*run)(void))
{
	return __cxa_atexit((void (*)(void *))run, NULL, NULL);
}
#endif

/* ---- plugins -------------------------------------------------------------------- */

struct bundled {
	const char *name;
	struct arena *arena; /* for ever: what is loaded stays */
	struct loaded loaded;
};

static void load(struct bundled *plugin)
{
	struct error error = {0};
	char path[1000];

	plugin->arena = arena_create(MOST_BYTES);
	snprintf(path, sizeof(path), "%s/%s/%s.so", FUZZ_PLUGINS, plugin->name, plugin->name);
	if (load_plugin(&error, plugin->arena, path, plugin->name, path, &plugin->loaded)) {
		fprintf(stderr, "%s\n", error.text);
		abort();
	}
}

const struct loaded *bundled_find(struct str name)
{
	static struct bundled plugins[] = {{.name = "retell"}, {.name = "calcom_v1"},
		{.name = "calcom_v2"}, {.name = "whatsapp"}, {.name = "fields"}, {.name = "http"}};

	for (size_t i = 0; i < sizeof(plugins) / sizeof(plugins[0]); i++) {
		if (!str_is(name, plugins[i].name))
			continue;
		if (!plugins[i].loaded.raw.size)
			load(&plugins[i]);
		return &plugins[i].loaded;
	}
	return NULL;
}

static void put_option(struct arena *arena, struct json *config, const struct plugin_option *option)
{
	uint32_t kind = option->kind & 255u;

	if (kind == KL_OPT_SECRET)
		json_put_bool(arena, config, option->key, true);
	else if (option->fallback && kind != KL_OPT_EXPR && strcmp(option->key, "*") != 0)
		json_put_text(arena, config, option->key, str_of(option->fallback));
}

/* A number where the plugin declares one: that is how the host gives it. */
static const struct json *option_value(
	const struct loaded *plugin, struct arena *arena, const struct plugin_pair *pair)
{
	const struct json *number = NULL;

	for (size_t i = 0; i < plugin->info.option_count; i++) {
		const struct plugin_option *option = &plugin->info.options[i];
		uint32_t kind = option->kind & 255u;

		if (str_is(pair->name, option->key) &&
			(kind == KL_OPT_INT || kind == KL_OPT_MS || kind == KL_OPT_BYTES))
			number = json_of_number(arena, pair->value);
	}
	return number ? number : json_of_text(arena, pair->value);
}

const struct json *bundled_config(
	const struct loaded *plugin, const struct head *head, struct arena *arena)
{
	struct json *config = json_object(arena), *hold = json_array(arena);
	struct plugin_in in = {.kind = PLUGIN_CHECK, .now_ms = head->now_ms};
	struct plugin_out out;
	struct plugin_pair pair;

	for (size_t i = 0; i < plugin->info.option_count; i++)
		put_option(arena, config, &plugin->info.options[i]);
	for (size_t i = 0; i < head->line_count; i++)
		if (split_pair(line_after(head->lines[i], '!'), '=', &pair) && is_text(pair.name) &&
			is_text(pair.value))
			json_set(arena, config, pair.name, option_value(plugin, arena, &pair));
	json_push(arena, hold, config); /* freezes it: a plugin cannot change it */
	return bundled_call(plugin, config, &in, arena, &out) && !out.problems.count ? config
										     : NULL;
}

/* ---- calls ---------------------------------------------------------------------- */

/* What a worker would send for this answer: every byte that a call says. */
static void write_answer(struct buf *buf, const struct plugin_out *out)
{
	buf_init(buf, MOST_BYTES);
	wire_put_answer(buf, 1, out);
	assert(!buf->failed);
}

static void check_pure(const struct loaded *plugin, const struct json *config,
	const struct plugin_in *in, const struct plugin_out *first)
{
	struct arena *arena = arena_create(MOST_BYTES);
	struct plugin_out second;
	struct buf one, two;

	call_run(plugin, config, in, NULL, arena, &second);
	write_answer(&one, first);
	write_answer(&two, &second);
	assert(one.len == two.len && memcmp(one.ptr, two.ptr, one.len) == 0);
	buf_finish(&one);
	buf_finish(&two);
	arena_destroy(arena);
}

bool bundled_call(const struct loaded *plugin, const struct json *config,
	const struct plugin_in *in, struct arena *arena, struct plugin_out *out)
{
	assert(!arena_failed(arena));
	call_run(plugin, config, in, NULL, arena, out);
	if (out->status != PLUGIN_OK && out->error.code != E_NOMEM)
		fprintf(stderr, "%s\n", out->error.text);
	/* A bundled plugin never breaks the contract; only memory and depth may end a call. */
	assert(out->status == PLUGIN_OK || out->error.code == E_NOMEM);
	check_pure(plugin, config, in, out);
	return out->status == PLUGIN_OK;
}
