/* mapping.c - the step "map NAME": expressions evaluated here, types and rules in the plugin.
 * Runner's thread; sends and stores nothing. */
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "pipeline/job_i.h"

/* The event's data is JSON already and goes in as it is. */
static struct str context(struct run *run)
{
	const struct config_tenant *t = run->tenant;
	struct str data = run->event.data.len ? run->event.data : STR("{}");
	struct json *o = json_object(run->arena);
	char now[CLOCK_TEXT];
	struct str head;

	clock_utc(now, run->step.now_ms);
	json_put_text(run->arena, o, "timezone", str_of(t ? t->timezone : "UTC"));
	json_put_text(
		run->arena, o, "language", t && t->language == CONFIG_EN ? STR("en") : STR("de"));
	json_put_text(run->arena, o, "country", str_of(t ? t->country : "DE"));
	json_put_text(run->arena, o, "now", str_of(now));
	json_put_text(run->arena, o, "event", run->event.type);
	head = json_print(run->arena, o);
	if (head.len)
		head.len--; /* its closing brace */
	return str_cat(run->arena, (struct str[]){head, STR(",\"data\":"), data, STR("}")}, 4);
}

/* Together, or one by one to find the one that fails. */
static int evaluate(struct error *error, struct run *run, const struct plan_call *call,
	const struct json **values)
{
	const struct config_mapping *m = call->mapping;
	struct expr_scope scope = run_scope(run);
	struct error why = {0};

	if (call->together && expr_eval(&why, call->together, &scope, run->arena, values) == 0)
		return 0;
	for (size_t i = 0; i < m->field_count; i++) {
		const struct config_field *f = &m->fields[i];
		if (expr_eval(&why, call->fields[i], &scope, run->arena, &values[i]) < 0)
			return error_set(error, why.code == E_NOMEM ? E_NOMEM : E_INVALID,
				"%s:%u: %s = failed: %s", f->sql.place.file, f->sql.place.line,
				f->key, why.text);
	}
	return 0;
}

/* 0, or the expression that failed is in error. */
static int evaluate_fields(struct error *error, struct run *run, const struct plan_call *call)
{
	const struct config_mapping *m = call->mapping;
	const struct json **values =
		arena_alloc(run->arena, (m->field_count + 1) * sizeof(*values));
	int failed;

	run->fields = arena_alloc(run->arena, (m->field_count + 1) * sizeof(*run->fields));
	if (!run->fields || !values)
		return error_set(error, E_NOMEM, "no memory for mapping %s", m->full);
	failed = evaluate(error, run, call, values);
	if (failed)
		return failed;
	for (size_t i = 0; i < m->field_count; i++) {
		const struct config_field *f = &m->fields[i];
		const struct json *value = values[i];
		run->fields[i] = (struct plugin_field){
			.key = str_of(f->key),
			.spec = str_of(f->spec),
			.place = str_of(
				arena_printf(run->arena, "%s:%u", f->place.file, f->place.line)),
		};
		if (value && json_type(value) != JSON_NULL)
			run->fields[i].value = json_print(run->arena, value);
	}
	return 0;
}

static const char *problems(struct run *run)
{
	const char *text = "";

	for (uint32_t i = 0; i < run->call.out.problems.count; i++) {
		const struct plugin_complaint *p = &run->call.out.problems.items[i];
		text = arena_printf(run->arena, "%s%s%.*s: %.*s", text, i ? "; " : "",
			STR_ARG(p->path), STR_ARG(p->message));
	}
	return text;
}

static struct str fields_text(struct run *run)
{
	struct json *o = json_object(run->arena);
	const struct config_mapping *m = run_call(run)->mapping;

	for (size_t i = 0; i < m->field_count; i++)
		json_put(run->arena, o, m->fields[i].key,
			json_parse(run->arena, run->fields[i].value, NULL));
	return json_print(run->arena, o);
}

static void mapped(struct plugin_call *c)
{
	struct run *run = c->user;
	const char *name = run_call(run)->mapping->name;
	const char *label = arena_printf(run->arena, "map %s", name);

	if (c->out.status == PLUGIN_DIED || c->out.status == PLUGIN_TIMEOUT) {
		run_died(run);
	} else if (run_not_taken(run)) {
		return;
	} else if (c->out.status != PLUGIN_OK) {
		run_failed(run, KL_BAD_INPUT, NULL, c->out.error.text, 0);
	} else if (c->out.problems.count || !c->out.mapped.ptr) {
		const char *why =
			c->out.problems.count ? problems(run) : "the mapping gave nothing";
		run_note(run, ATTEMPT_STEP, label, "bad input", fields_text(run), STR(""), why);
		run_failed(run, KL_BAD_INPUT, NULL, why, 0);
	} else {
		run_note(run, ATTEMPT_STEP, label, "done", fields_text(run), c->out.mapped, NULL);
		run->mapped = c->out.mapped;
		run_step_done(run, c->out.mapped, run_step(run)->config->name);
		run_next(run);
	}
}

void mapping_begin(struct run *run)
{
	const struct plan_call *call = run_call(run);
	struct plugin_call *c = &run->call;
	struct error error = {0};

	run->began_us = clock_mono_us();
	run->began_ms = clock_now_ms();
	if (evaluate_fields(&error, run, call) < 0) {
		if (!run_lacks_memory(run, &error))
			run_failed(run, KL_BAD_INPUT, NULL,
				arena_printf(run->arena, "%s", error.text), 0);
		return;
	}
	memset(c, 0, sizeof(*c));
	c->plugin = call->plugin;
	c->config = call->options;
	c->in.kind = PLUGIN_MAP;
	c->in.attempt = run->row.tries + 1;
	c->in.now_ms = run->step.now_ms;
	memcpy(&c->in.seed, run->row.id.b + 8, sizeof(c->in.seed));
	c->in.run = run->row.key;
	c->in.map.context = context(run);
	c->in.map.fields = run->fields;
	c->in.map.field_count = call->mapping->field_count;
	c->arena = run->arena;
	c->done = mapped;
	c->user = run;
	plugin_submit(c);
}
