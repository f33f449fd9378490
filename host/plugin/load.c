/* load.c - dlopen and the descriptor's checks. Never RTLD_GLOBAL, never dlclose: a plugin may not
 * change what others see, and code that ran may not vanish. Runs on any thread, once per file. */
#include "plugin/load.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/str.h"
#include "plugin/host.h"

#define MOST_LISTED 1024u /* options, ops, routes, credentials: each */

struct reading {
	struct error *error;
	struct arena *arena;
	const char *name;
	const kl_plugin *raw;
	struct plugin_info *info;
};

typedef const kl_plugin *entry_point(const kl_host *host);

/* ---- texts -------------------------------------------------------------------------------- */

static int bad_text(struct reading *r, const char *what, const char *text, bool needed)
{
	if (!text && !needed)
		return 0;
	if (!text || (needed && !*text))
		return error_set(
			r->error, E_INVALID, "plugin %s: %s is missing; set it", r->name, what);
	if (strnlen(text, 65537) > 65536 || !str_utf8_ok(str_of(text)))
		return error_set(r->error, E_INVALID,
			"plugin %s: %s is longer than 64 KiB or not "
			"UTF-8",
			r->name, what);
	return 0;
}

static int bad_element_text(struct reading *r, const char *list, uint32_t i, const char *member,
	const char *text, bool needed)
{
	char what[64];

	snprintf(what, sizeof(what), "%s[%u].%s", list, i, member);
	return bad_text(r, what, text, needed);
}

static int bad_list(struct reading *r, const char *what, kl_list list, size_t element)
{
	if (!list.count)
		return 0;
	if (!list.ptr || list.count > MOST_LISTED)
		return error_set(r->error, E_INVALID, "plugin %s: %s has %u elements at %s",
			r->name, what, list.count,
			list.ptr ? "a pointer; 1024 are the most" : "NULL");
	if (list.stride < element || list.stride > 4096 || list.stride % _Alignof(void *))
		return error_set(r->error, E_INVALID,
			"plugin %s: %s.stride is %u; set it to sizeof the element, at least %zu",
			r->name, what, list.stride, element);
	return 0;
}

static const void *element(kl_list list, uint32_t i)
{
	return (const char *)list.ptr + (size_t)i * list.stride;
}

/* ---- the four lists ----------------------------------------------------------------------- */

static int bad_option(struct reading *r, uint32_t i, const kl_option *option)
{
	uint32_t kind = option->kind & 255u;

	if (bad_element_text(r, "options", i, "key", option->key, true) ||
		bad_element_text(r, "options", i, "fallback", option->fallback, false) ||
		bad_element_text(
			r, "options", i, "choices", option->choices, kind == KL_OPT_CHOICE) ||
		bad_element_text(r, "options", i, "help", option->help, false))
		return E_INVALID;
	if (kind < KL_OPT_TEXT || kind > KL_OPT_EXPR)
		return error_set(r->error, E_INVALID,
			"plugin %s: option %s is of kind %u, which this host does not know",
			r->name, option->key, kind);
	if (kind == KL_OPT_SECRET && option->fallback)
		return error_set(r->error, E_INVALID,
			"plugin %s: option %s is a secret and must not have a fallback", r->name,
			option->key);
	return 0;
}

static int read_options(struct reading *r)
{
	kl_list list = r->raw->options;
	struct plugin_option *out;
	uint32_t i;

	if (bad_list(r, "options", list, sizeof(kl_option)))
		return E_INVALID;
	out = arena_alloc(r->arena, list.count * sizeof(*out));
	for (i = 0; out && i < list.count; i++) {
		const kl_option *option = element(list, i);
		if (bad_option(r, i, option))
			return E_INVALID;
		out[i] = (struct plugin_option){
			.key = option->key,
			.kind = option->kind,
			.fallback = option->fallback,
			.choices = option->choices,
			.help = option->help,
		};
	}
	r->info->options = out;
	r->info->option_count = out ? list.count : 0;
	return 0;
}

static int read_ops(struct reading *r)
{
	kl_list list = r->raw->ops;
	struct plugin_op *out;
	uint32_t i;

	if (bad_list(r, "ops", list, sizeof(kl_op)))
		return E_INVALID;
	out = arena_alloc(r->arena, list.count * sizeof(*out));
	for (i = 0; out && i < list.count; i++) {
		const kl_op *op = element(list, i);
		uint32_t kind = op->kind & 255u;
		if (bad_element_text(r, "ops", i, "name", op->name, true) ||
			bad_element_text(r, "ops", i, "schema", op->schema, false) ||
			bad_element_text(r, "ops", i, "help", op->help, false))
			return E_INVALID;
		if (kind != KL_OP_ACTION && kind != KL_OP_POLL)
			return error_set(r->error, E_INVALID,
				"plugin %s: operation %s is of kind %u, which this host does not "
				"know",
				r->name, op->name, kind);
		out[i] = (struct plugin_op){
			.name = op->name, .kind = op->kind, .schema = op->schema, .help = op->help};
	}
	r->info->ops = out;
	r->info->op_count = out ? list.count : 0;
	return 0;
}

static int read_routes(struct reading *r)
{
	kl_list list = r->raw->routes;
	struct plugin_route *out;
	uint32_t i;

	if (bad_list(r, "routes", list, sizeof(kl_route)))
		return E_INVALID;
	out = arena_alloc(r->arena, list.count * sizeof(*out));
	for (i = 0; out && i < list.count; i++) {
		const kl_route *route = element(list, i);
		if (!route->name)
			return error_set(r->error, E_INVALID,
				"plugin %s: routes[%u].name is NULL; \"\" is the bare one", r->name,
				i);
		if (bad_element_text(r, "routes", i, "name", route->name, false) ||
			bad_element_text(r, "routes", i, "help", route->help, false))
			return E_INVALID;
		if (route->reply_ms && !r->raw->reply)
			return error_set(r->error, E_INVALID,
				"plugin %s: route \"%s\" has reply_ms, but there is no reply()",
				r->name, route->name);
		out[i] = (struct plugin_route){
			.name = route->name, .reply_ms = route->reply_ms, .help = route->help};
	}
	r->info->routes = out;
	r->info->route_count = out ? list.count : 0;
	return 0;
}

static const struct plugin_option *find_option(const struct plugin_info *info, const char *key)
{
	size_t i;

	for (i = 0; key && i < info->option_count; i++)
		if (strcmp(info->options[i].key, key) == 0)
			return &info->options[i];
	return NULL;
}

static int bad_credential(struct reading *r, const struct plugin_credential *c)
{
	const struct plugin_option *secret = find_option(r->info, c->secret);
	bool needs_param = c->scheme == KL_AUTH_HEADER || c->scheme == KL_AUTH_QUERY ||
			   c->scheme == KL_AUTH_FORM || c->scheme == KL_AUTH_OAUTH2;

	if (c->scheme < KL_AUTH_BEARER || c->scheme > KL_AUTH_OAUTH2)
		return error_set(r->error, E_INVALID,
			"plugin %s: credential %s is of scheme %u, which this host does not know",
			r->name, c->name, c->scheme);
	if (!secret || (secret->kind & 255u) != KL_OPT_SECRET)
		return error_set(r->error, E_INVALID,
			"plugin %s: credential %s: \"%s\" is no option of kind KL_OPT_SECRET",
			r->name, c->name, c->secret ? c->secret : "(NULL)");
	if (c->user && *c->user && !find_option(r->info, c->user))
		return error_set(r->error, E_INVALID,
			"plugin %s: credential %s: user \"%s\" is no option", r->name, c->name,
			c->user);
	if (needs_param && (!c->param || !*c->param))
		return error_set(r->error, E_INVALID,
			"plugin %s: credential %s needs param, see enum kl_scheme", r->name,
			c->name);
	if (c->scheme == KL_AUTH_OAUTH2 && !find_option(r->info, c->param))
		return error_set(r->error, E_INVALID,
			"plugin %s: credential %s: param \"%s\" is no option", r->name, c->name,
			c->param);
	return 0;
}

static int read_credentials(struct reading *r)
{
	kl_list list = r->raw->credentials;
	struct plugin_credential *out;
	uint32_t i;

	if (bad_list(r, "credentials", list, sizeof(kl_credential)))
		return E_INVALID;
	out = arena_alloc(r->arena, list.count * sizeof(*out));
	for (i = 0; out && i < list.count; i++) {
		const kl_credential *c = element(list, i);
		out[i] = (struct plugin_credential){
			.name = c->name,
			.scheme = c->scheme,
			.secret = c->secret,
			.user = c->user,
			.param = c->param,
		};
		if (bad_element_text(r, "credentials", i, "name", c->name, true) ||
			bad_element_text(r, "credentials", i, "secret", c->secret, true) ||
			bad_element_text(r, "credentials", i, "user", c->user, false) ||
			bad_element_text(r, "credentials", i, "param", c->param, false) ||
			bad_credential(r, &out[i]))
			return E_INVALID;
	}
	r->info->credentials = out;
	r->info->credential_count = out ? list.count : 0;
	return 0;
}

/* ---- the descriptor ----------------------------------------------------------------------- */

static const char *repeated(const char *const *names, size_t count)
{
	size_t i, k;

	for (i = 1; i < count; i++)
		for (k = 0; k < i; k++)
			if (strcmp(names[i], names[k]) == 0)
				return names[i];
	return NULL;
}

/* names begin every element of the four lists, so one loop serves them all. */
static int bad_repeats(
	struct reading *r, const char *what, const void *items, size_t count, size_t size)
{
	const char **names = arena_alloc(r->arena, (count + 1) * sizeof(*names));
	const char *twice;
	size_t i;

	for (i = 0; names && i < count; i++)
		memcpy(&names[i], (const char *)items + i * size, sizeof(names[i]));
	twice = names ? repeated(names, count) : NULL;
	if (twice)
		return error_set(r->error, E_INVALID, "plugin %s: %s \"%s\" is declared twice",
			r->name, what, twice);
	return 0;
}

static int bad_names(struct reading *r)
{
	const struct plugin_info *info = r->info;

	if (bad_repeats(r, "option", info->options, info->option_count, sizeof(*info->options)) ||
		bad_repeats(r, "operation", info->ops, info->op_count, sizeof(*info->ops)) ||
		bad_repeats(r, "route", info->routes, info->route_count, sizeof(*info->routes)) ||
		bad_repeats(r, "credential", info->credentials, info->credential_count,
			sizeof(*info->credentials)))
		return E_INVALID;
	if (info->op_count && !info->can_step)
		return error_set(r->error, E_INVALID,
			"plugin %s declares operations, but has no step()", r->name);
	if (info->route_count && !info->can_verify)
		return error_set(r->error, E_INVALID,
			"plugin %s declares routes, but has no verify()", r->name);
	return 0;
}

static int bad_head(struct reading *r)
{
	const kl_plugin *raw = r->raw;

	if (raw->needs_minor > KL_MINOR)
		return error_set(r->error, E_INVALID,
			"plugin %s needs minor %u of ABI 1, this host has %u: use a newer Klinke",
			r->name, raw->needs_minor, (unsigned)KL_MINOR);
	if (bad_text(r, "id", raw->id, true) || bad_text(r, "version", raw->version, true) ||
		bad_text(r, "summary", raw->summary, true) ||
		bad_text(r, "events", raw->events, false) ||
		bad_text(r, "hosts", raw->hosts, false))
		return E_INVALID;
	if (!raw->check && !raw->verify && !raw->normalize && !raw->reply && !raw->step &&
		!raw->map)
		return error_set(r->error, E_INVALID,
			"plugin %s has no function at all: it cannot do anything", r->name);
	return 0;
}

static void fill_head(struct reading *r, const char *path)
{
	*r->info = (struct plugin_info){
		.name = r->name,
		.path = path,
		.id = r->raw->id,
		.version = r->raw->version,
		.summary = r->raw->summary,
		.events = r->raw->events ? r->raw->events : "",
		.hosts = r->raw->hosts ? r->raw->hosts : "",
		.state_version = r->raw->state_version,
		.can_check = r->raw->check != NULL,
		.can_verify = r->raw->verify != NULL,
		.can_normalize = r->raw->normalize != NULL,
		.can_reply = r->raw->reply != NULL,
		.can_step = r->raw->step != NULL,
		.can_map = r->raw->map != NULL,
	};
}

static int read_descriptor(
	struct reading *r, const kl_plugin *theirs, const char *path, kl_plugin *raw)
{
	uint32_t size;

	if (!theirs || (uintptr_t)theirs % _Alignof(void *))
		return error_set(r->error, E_INVALID, "plugin %s: %s", r->name,
			theirs ? "the descriptor is not aligned"
			       : "the plugin says that this host is not good enough for it");
	memcpy(&size, theirs, sizeof(size));
	if (size < sizeof(*raw) || size > 65536)
		return error_set(r->error, E_INVALID,
			"plugin %s: kl_plugin.size is %u; set it to sizeof(kl_plugin), at least "
			"%zu",
			r->name, size, sizeof(*raw));
	memcpy(raw, theirs, sizeof(*raw));
	r->raw = raw;
	if (bad_head(r))
		return E_INVALID;
	fill_head(r, path);
	if (read_options(r) || read_ops(r) || read_routes(r) || read_credentials(r) || bad_names(r))
		return E_INVALID;
	if (arena_failed(r->arena))
		return error_set(
			r->error, E_NOMEM, "plugin %s: no memory for its descriptor", r->name);
	return 0;
}

/* ---- the file ----------------------------------------------------------------------------- */

/* dlerror() begins with the file that was opened, a name that says nothing to anybody. */
static const char *without_file(const char *message, const char *file)
{
	size_t len = strlen(file);

	if (strncmp(message, file, len) == 0 && message[len] == ':')
		return message + len + 1 + (message[len + 1] == ' ');
	return message;
}

static int no_entry(struct error *error, void *handle, const char *name)
{
	char symbol[40];
	unsigned abi;

	for (abi = 2; abi < 10; abi++) {
		snprintf(symbol, sizeof(symbol), "klinke_plugin_v%u", abi);
		if (dlsym(handle, symbol))
			return error_set(error, E_INVALID,
				"plugin %s is built for ABI %u, this host speaks ABI 1: build it "
				"with the SDK of this host, or use a newer Klinke",
				name, abi);
	}
	return error_set(error, E_INVALID,
		"plugin %s does not export klinke_plugin_v1: is it a plugin? KL_PLUGIN() makes it",
		name);
}

static entry_point *find_entry(void *handle)
{
	void *symbol = dlsym(handle, "klinke_plugin_v1");
	entry_point *entry;

	memcpy(&entry, &symbol, sizeof(entry)); /* C has no cast from data to function */
	return entry;
}

int load_plugin(struct error *error, struct arena *arena, const char *file, const char *name,
	const char *path, struct loaded *out)
{
	struct reading reading = {.error = error, .arena = arena, .name = name, .info = &out->info};
	entry_point *entry;
	void *handle = dlopen(file, RTLD_NOW | RTLD_LOCAL);

	if (!handle) {
		const char *why = dlerror();
		return error_set(error, E_INVALID, "plugin %s does not load: %s", name,
			why ? without_file(why, file) : "for no known reason");
	}
	entry = find_entry(handle);
	if (!entry)
		return no_entry(error, handle, name);
	out->entry = entry;
	return read_descriptor(&reading, entry(&host_table), path, &out->raw);
}
