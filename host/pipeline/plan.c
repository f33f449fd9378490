/* plan.c - compiles a checked configuration; sends nothing, stores nothing. Runner's thread. */
#include "pipeline/plan.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include "base/arena.h"
#include "base/crypto.h"
#include "base/error.h"
#include "base/json.h"

#define PLAN_MEMORY (64 * 1024 * 1024)

/* ---- Connections -------------------------------------------------------------------------------
 */

static struct str *add_host(struct plan_connection *c, struct str host)
{
	if (host.len)
		c->hosts[c->host_count++] = host;
	return c->hosts;
}

static size_t count_words(const char *text)
{
	size_t n = 0;
	for (const char *p = text; p && *p; p++)
		n += *p != ' ' && (p == text || p[-1] == ' ');
	return n;
}

static void add_words(struct plan_connection *c, const char *text)
{
	for (const char *p = text; p && *p;) {
		size_t n = strcspn(p, " ");
		add_host(c, (struct str){p, n});
		p += n + strspn(p + n, " ");
	}
}

/* What the plugin declared, and the host of each option that is a URL. */
static bool find_hosts(struct plan *plan, struct plan_connection *c, const struct json *options)
{
	const struct plugin_info *info = c->config->info;
	size_t most = count_words(info->hosts) + info->option_count;

	c->hosts = arena_alloc(plan->arena, (most + 1) * sizeof(*c->hosts));
	if (!c->hosts)
		return false;
	add_words(c, info->hosts);
	for (size_t i = 0; i < info->option_count; i++)
		if ((info->options[i].kind & 0xff) == KL_OPT_URL)
			add_host(c, transfer_host(plan->arena,
					    json_get_text(options, info->options[i].key)));
	c->base_url = str_dup(plan->arena, json_get_text(options, "base_url"));
	while (c->base_url.len && c->base_url.ptr[c->base_url.len - 1] == '/')
		c->base_url.len--;
	return true;
}

/* Connections with the same credential share a lane, whoever owns them: the vendor counts them
 * together. The key is a digest, since it is stored and logged. */
static const char *lane_key(struct plan *plan, const struct plan_connection *c)
{
	struct str secret = str_of(c->config->full), hex;
	uint8_t digest[CRYPTO_HASH_MAX];

	for (size_t i = 0; i < c->config->secret_count; i++)
		if (c->config->secrets[i].count) {
			secret = c->config->secrets[i].values[0];
			break;
		}
	if (!crypto_hmac("sha256", secret, &c->base_url, 1, digest))
		return NULL;
	hex = str_encode(plan->arena, "hex", (struct str){(const char *)digest, 8});
	return arena_printf(plan->arena, "%s:%.*s", c->config->plugin, STR_ARG(hex));
}

static struct transfer_limits lane_limits(const struct config_limits *l)
{
	struct transfer_limits out = {
		.concurrency = (uint32_t)l->concurrency,
		.burst = (double)l->burst,
	};
	if (l->rate.count > 0 && l->rate.per_ms > 0)
		out.rate_per_s = (double)l->rate.count * 1000.0 / (double)l->rate.per_ms;
	if (!l->burst) /* a quarter of the vendor's count at once: nobody waits after a quiet minute
			*/
		out.burst = (double)l->rate.count / 4;
	out.breaker.failure_rate = (double)l->breaker_rate / 100.0;
	out.breaker.min_volume = (uint32_t)l->breaker_volume;
	out.breaker.window_ms = (uint32_t)l->breaker_window_ms;
	out.breaker.open_ms = (uint32_t)l->breaker_open_ms;
	return out;
}

static int plan_one_connection(struct error *error, struct plan *plan, struct plan_connection *c,
	const struct plan_means *means)
{
	struct plugin_settings settings = {.isolation = c->config->worker.isolation == CONFIG_INLINE
								? PLUGIN_ISOLATE_INLINE
								: PLUGIN_ISOLATE_WORKER};
	struct transfer_limits limits = lane_limits(&c->config->limits);
	struct arena *scratch;
	const char *key;

	plugins_configure(NULL, means->plugins, c->config->plugin, &settings);
	c->plugin = plugins_get(means->plugins, c->config->plugin);
	if (!c->plugin)
		return error_set(error, E_NOMEM, "no memory for plugin %s", c->config->plugin);
	if (!c->config->info)
		return 0; /* disabled: its hooks answer 503, its jobs wait */
	c->options = plugin_config_create(error, c->plugin, c->config->options);
	scratch = arena_create(PLAN_MEMORY);
	if (!c->options || !scratch ||
		!find_hosts(plan, c, json_parse(scratch, c->config->options, NULL))) {
		arena_destroy(scratch);
		return error_set(error, E_NOMEM, "no memory for connection %s", c->config->full);
	}
	arena_destroy(scratch);
	key = lane_key(plan, c);
	c->lane = key ? transfer_lane(means->transfer, key, &limits) : NULL;
	return c->lane ? 0
		       : error_set(error, E_NOMEM, "no memory for connection %s", c->config->full);
}

/* ---- Expressions --------------------------------------------------------------------------------
 */

struct compile {
	struct error *error;
	struct plan *plan;
	const struct plan_means *means;
	const char *const *step_names;
	int failed;
};

static struct expr *compile_text(struct compile *k, const struct config_text *text)
{
	struct error why = {0};
	struct expr *expr;

	if (!text->text.ptr || k->failed)
		return NULL;
	expr = expr_compile(&why, k->means->engine, text->text, k->step_names);
	if (!expr) {
		char place[200];
		snprintf(place, sizeof(place), "%s:%u:%u", text->place.file, text->place.line,
			text->place.col);
		k->failed = error_at(k->error, why.code, place, "%s", why.text);
	}
	return expr;
}

static void *need(struct compile *k, size_t n)
{
	void *p = arena_alloc(k->plan->arena, n ? n : 1);
	if (!p && !k->failed)
		k->failed = error_set(k->error, E_NOMEM, "no memory for the configuration");
	return p;
}

static void compile_together(struct compile *k, struct plan_call *call)
{
	const struct config_mapping *m = call->mapping;
	struct str *sqls = need(k, m->field_count * sizeof(*sqls));

	for (size_t i = 0; sqls && i < m->field_count; i++)
		sqls[i] = m->fields[i].sql.text;
	if (sqls)
		call->together = expr_compile_all(k->means->engine, sqls, m->field_count);
}

static void compile_mapping(
	struct compile *k, struct plan_call *call, const struct config_mapping *mapping)
{
	call->mapping = mapping;
	call->plugin = plugins_get(k->means->plugins, mapping->plugin);
	call->options = call->plugin
				? plugin_config_create(k->error, call->plugin, mapping->options)
				: NULL;
	call->fields = need(k, mapping->field_count * sizeof(*call->fields));
	if (!call->options)
		k->failed = error_set(k->error, E_NOMEM, "no memory for mapping %s", mapping->full);
	for (size_t i = 0; i < mapping->field_count && !k->failed; i++)
		call->fields[i] = compile_text(k, &mapping->fields[i].sql);
	if (!k->failed)
		compile_together(k, call);
}

static void compile_call(struct compile *k, struct plan_call *call,
	const struct config_tenant *tenant, const struct config_call *config)
{
	if (!config || k->failed)
		return;
	call->config = config;
	call->args = need(k, config->arg_count * sizeof(*call->args));
	for (size_t i = 0; i < config->arg_count && !k->failed; i++) {
		call->args[i].config = &config->args[i];
		if (config->args[i].is_sql)
			call->args[i].sql = compile_text(k, &config->args[i].value);
	}
	if (config->mapping && !k->failed) {
		const struct config_mapping *m =
			config_mapping_for(k->plan->config, tenant, config->mapping);
		assert(m); /* config has checked it */
		compile_mapping(k, call, m);
	}
}

static void compile_pipeline(struct compile *k, struct plan_pipeline *p)
{
	const struct config_pipeline *c = p->config;

	p->steps = need(k, c->step_count * sizeof(*p->steps));
	p->step_names = need(k, (c->step_count + 1) * sizeof(*p->step_names));
	if (k->failed)
		return;
	for (size_t i = 0; i < c->step_count; i++)
		p->step_names[i] = c->steps[i].name;
	k->step_names = NULL;
	p->when = compile_text(k, &c->when);
	k->step_names = p->step_names;
	for (size_t i = 0; i < c->step_count && !k->failed; i++) {
		struct plan_step *s = &p->steps[i];
		s->config = &c->steps[i];
		s->in = compile_text(k, &s->config->in);
		s->at = compile_text(k, &s->config->at);
		compile_call(k, &s->call, c->tenant, &s->config->call);
		compile_call(k, &s->otherwise, c->tenant, s->config->otherwise);
	}
	compile_call(k, &p->on_error, c->tenant, c->on_error);
	compile_call(k, &p->late, c->tenant, c->late);
	k->step_names = NULL;
	if (c->fallback_is_sql)
		p->fallback = compile_text(k, &c->fallback);
}

/* ---- The plan ----------------------------------------------------------------------------- */

static int plan_connections(struct error *error, struct plan *plan, const struct plan_means *means)
{
	const struct config_connection *list =
		config_connections(plan->config, &plan->connection_count);
	int err = 0;

	plan->connections =
		arena_alloc(plan->arena, (plan->connection_count + 1) * sizeof(*plan->connections));
	if (!plan->connections)
		return error_set(error, E_NOMEM, "no memory for the configuration");
	for (size_t i = 0; i < plan->connection_count && !err; i++) {
		plan->connections[i].config = &list[i];
		err = plan_one_connection(error, plan, &plan->connections[i], means);
	}
	return err;
}

static int plan_polls(struct error *error, struct plan *plan)
{
	size_t n = 0;

	for (size_t i = 0; i < plan->connection_count; i++)
		n += plan->connections[i].config->poll_count;
	plan->polls = arena_alloc(plan->arena, (n + 1) * sizeof(*plan->polls));
	if (!plan->polls)
		return error_set(error, E_NOMEM, "no memory for the configuration");
	for (size_t i = 0; i < plan->connection_count; i++) {
		const struct plan_connection *c = &plan->connections[i];
		for (size_t k = 0; c->config->info && k < c->config->poll_count; k++)
			plan->polls[plan->poll_count++] =
				(struct plan_poll){c, &c->config->polls[k], 0};
	}
	return 0;
}

static int plan_pipelines(struct error *error, struct plan *plan, const struct plan_means *means)
{
	const struct config_pipeline *list = config_pipelines(plan->config, &plan->pipeline_count);
	struct compile k = {error, plan, means, NULL, 0};

	plan->pipelines = need(&k, (plan->pipeline_count + 1) * sizeof(*plan->pipelines));
	for (size_t i = 0; i < plan->pipeline_count && !k.failed; i++) {
		plan->pipelines[i].config = &list[i];
		compile_pipeline(&k, &plan->pipelines[i]);
	}
	return k.failed;
}

struct plan *plan_create(struct error *error, const struct config *config, uint64_t generation,
	const struct plan_means *means)
{
	struct arena *arena = arena_create(PLAN_MEMORY);
	struct plan *plan = arena ? arena_alloc(arena, sizeof(*plan)) : NULL;

	if (!plan) {
		arena_destroy(arena);
		error_set(error, E_NOMEM, "no memory for the configuration");
		return NULL;
	}
	plan->arena = arena;
	plan->config = config_ref(config);
	plan->generation = generation;
	plan->refs = 1;
	if (plan_connections(error, plan, means) || plan_polls(error, plan) ||
		plan_pipelines(error, plan, means)) {
		plan_unref(plan);
		return NULL;
	}
	return plan;
}

struct plan *plan_ref(struct plan *plan)
{
	assert(plan->refs > 0);
	plan->refs++;
	return plan;
}

static void free_call(const struct plan *plan, struct plan_call *call)
{
	for (size_t i = 0; call->config && call->args && i < call->config->arg_count; i++)
		expr_free(call->args[i].sql);
	for (size_t i = 0; call->mapping && call->fields && i < call->mapping->field_count; i++)
		expr_free(call->fields[i]);
	expr_free(call->together);
	if (!plan->orphan)
		plugin_config_destroy(call->options);
}

static void free_pipeline(const struct plan *plan, struct plan_pipeline *p)
{
	expr_free(p->when);
	for (size_t i = 0; p->steps && i < p->config->step_count; i++) {
		expr_free(p->steps[i].in);
		expr_free(p->steps[i].at);
		free_call(plan, &p->steps[i].call);
		free_call(plan, &p->steps[i].otherwise);
	}
	free_call(plan, &p->on_error);
	free_call(plan, &p->late);
	expr_free(p->fallback);
}

void plan_unref(struct plan *plan)
{
	if (!plan || --plan->refs > 0)
		return;
	for (size_t i = 0; plan->pipelines && i < plan->pipeline_count; i++)
		if (plan->pipelines[i].config)
			free_pipeline(plan, &plan->pipelines[i]);
	for (size_t i = 0; !plan->orphan && plan->connections && i < plan->connection_count; i++)
		plugin_config_destroy(plan->connections[i].options);
	config_unref(plan->config);
	arena_destroy(plan->arena);
}

#define NAME_MAX_BYTES 512 /* longer than any name that config lets pass */

static bool as_text(char out[NAME_MAX_BYTES], struct str name)
{
	if (name.len >= NAME_MAX_BYTES)
		return false;
	memcpy(out, name.ptr ? name.ptr : "", name.len);
	out[name.len] = '\0';
	return true;
}

/* The configuration finds by binary search; ours lie in the same order as its. */
const struct plan_connection *plan_connection(const struct plan *plan, struct str full)
{
	const struct config_connection *c;
	char name[NAME_MAX_BYTES];

	c = as_text(name, full) ? config_connection(plan->config, name) : NULL;
	return c ? &plan->connections[c - config_connections(plan->config, &(size_t){0})] : NULL;
}

const struct plan_pipeline *plan_pipeline(const struct plan *plan, struct str full)
{
	const struct config_pipeline *p;
	char name[NAME_MAX_BYTES];

	p = as_text(name, full) ? config_pipeline(plan->config, name) : NULL;
	return p ? &plan->pipelines[p - config_pipelines(plan->config, &(size_t){0})] : NULL;
}

const struct plan_connection *plan_connection_for(
	const struct plan *plan, const struct config_tenant *tenant, const char *name)
{
	const struct config_connection *c = config_connection_for(plan->config, tenant, name);
	return c ? plan_connection(plan, str_of(c->full)) : NULL;
}
