/* pipeline.c - [pipeline]: its own fields, its steps with the lines that belong to each, and which
 * pipelines an event starts. Runs on the thread that loads.
 */
#include "config/internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define STEPS_MAX 64 /* a run keeps the result of each */

struct making { /* one pipeline */
	struct loader *loader;
	struct section *section;
	struct config_pipeline *pipeline;
	struct config_step *steps;
	const struct section *home;   /* where the last step was written */
	const struct entry *lines[4]; /* of the last step, see enum line */
	uint64_t sound, instead; /* steps, otherwise = of steps, that were read well: a bit each */
};

enum line { LINE_IN, LINE_AS, LINE_AT, LINE_OTHERWISE };

/* ---- Names of results --------------------------------------------------------------------- */

/* NULL-terminated; of the first count steps. */
static const char *const *names_of(struct making *m, size_t count)
{
	const char **names = take(m->loader, m->loader->scratch, (count + 1) * sizeof(*names));

	for (size_t i = 0; i < count; i++)
		names[i] = m->steps[i].name;
	return names;
}

static bool identifier(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!isalnum((unsigned char)s.ptr[i]) && s.ptr[i] != '_')
			return false;
	return s.len && !isdigit((unsigned char)*s.ptr) && s.len <= NAME_MAX_LEN;
}

/* SQL must be able to say steps.NAME. */
static const char *default_name(struct making *m, const struct config_call *call)
{
	const char *word = call->mapping ? call->mapping : call->op ? call->op : "";
	const char *dot = strrchr(word, '.');
	char *name = take_printf(m->loader, "%s%s",
		isdigit((unsigned char)*(dot ? dot + 1 : word)) ? "_" : "", dot ? dot + 1 : word);

	for (char *p = name; *p; p++)
		if (!isalnum((unsigned char)*p))
			*p = '_';
	return name;
}

/* Told once all `as` are known. SQL does not see the case of a name. */
static void check_names(struct making *m)
{
	for (size_t i = 1; i < m->pipeline->step_count; i++)
		for (size_t k = 0; k < i; k++)
			if (*m->steps[i].name &&
				strcasecmp(m->steps[i].name, m->steps[k].name) == 0) {
				fault(m->loader, m->steps[i].call.place,
					"a step before this one has the name \"%s\" too; give one "
					"of them "
					"another with as = NAME",
					m->steps[i].name);
				break;
			}
}

/* ---- Lines of a step ---------------------------------------------------------------------- */

static void read_in(struct making *m, struct config_step *step, const struct value *value)
{
	step->in = take_sql(
		m->loader, value, 0, value->text.len, names_of(m, m->pipeline->step_count - 1));
}

static void read_as(struct making *m, struct config_step *step, const struct value *value)
{
	if (identifier(value->text))
		step->name = value->text.ptr;
	else
		fault(m->loader, value->place,
			"\"%s\" is no name for a result: letters, digits and \"_\", no digit first",
			value_shown(m->loader, value));
}

static size_t back_over_blanks(struct str text, size_t at)
{
	while (at && isspace((unsigned char)text.ptr[at - 1]))
		at--;
	return at;
}

/* "SQL - 24h": splits the sign and the duration off the end. Answers where the SQL ends. */
static size_t split_offset(struct str text, int64_t *offset_ms)
{
	size_t word = text.len, sign;
	int64_t ms;

	while (word && isalnum((unsigned char)text.ptr[word - 1]))
		word--;
	sign = back_over_blanks(text, word);
	if (!sign || !strchr("+-", text.ptr[sign - 1]) || text.len - word < 2 ||
		!parse_ms((struct str){text.ptr + word, text.len - word}, &ms))
		return text.len;
	*offset_ms = text.ptr[sign - 1] == '-' ? -ms : ms;
	return sign - 1;
}

static void read_at(struct making *m, struct config_step *step, const struct value *value)
{
	size_t end = split_offset(value->text, &step->at_offset_ms);

	step->at = take_sql(m->loader, value, 0, end, names_of(m, m->pipeline->step_count - 1));
}

static const struct config_call *read_call(
	struct making *m, const struct value *value, size_t names, bool *sound)
{
	struct config_call *call = take(m->loader, m->loader->arena, sizeof(*call));

	*sound = call_parse(m->loader, call, value, m->pipeline->tenant, names_of(m, names));
	if (*sound && call->mapping)
		fault(m->loader, call->place, "a mapping does nothing here; name an operation");
	return call;
}

static void read_cancel(struct making *m, struct config_step *step, const struct value *value)
{
	struct loader *loader = m->loader;
	struct str rest = value->text, word;
	const char **list = NULL;
	size_t count = 0;

	for (size_t i = 0; i < step->cancel_on.count; i++) /* of a line before */
		*PUSH(loader, loader->scratch, list, count) = step->cancel_on.list[i];
	while (str_word(&rest, &word)) {
		bool known = false;
		for (size_t i = 0; i < loader->event_count && !known; i++)
			known = str_is(word, loader->events[i]);
		if (known)
			*PUSH(loader, loader->scratch, list, count) = take_text(loader, word);
		else
			fault(loader, value_place(value, (size_t)(word.ptr - value->text.ptr)),
				"no plugin in use makes the event \"%s\"%s",
				value_word(loader, value, word),
				hint(loader, word, loader->events, loader->event_count));
	}
	apply_list(loader, &step->cancel_on, list, count);
}

/* Each of them once per step; false: told. */
static bool once(struct making *m, enum line line, const struct entry *entry)
{
	if (m->lines[line]) {
		fault(m->loader, entry->place, "\"%s\" is given already for this step, in line %u",
			entry->key, (unsigned)m->lines[line]->place.line);
		return false;
	}
	m->lines[line] = entry;
	return true;
}

static uint64_t bit(size_t step, bool set)
{
	return set && step < STEPS_MAX ? UINT64_C(1) << step : 0;
}

static void read_step_line(struct making *m, const struct entry *entry, const struct value *value)
{
	struct config_step *step = &m->steps[m->pipeline->step_count - 1];
	bool sound;

	if (m->pipeline->within_ms &&
		(!strcmp(entry->key, "at") || !strcmp(entry->key, "cancel_on")))
		fault(m->loader, entry->place,
			"a caller waits for this pipeline, so its steps cannot wait: leave \"%s\" "
			"out, or let an event start another pipeline",
			entry->key);
	else if (strcmp(entry->key, "cancel_on") == 0)
		read_cancel(m, step, value);
	else if (strcmp(entry->key, "in") == 0 && once(m, LINE_IN, entry))
		read_in(m, step, value);
	else if (strcmp(entry->key, "as") == 0 && once(m, LINE_AS, entry))
		read_as(m, step, value);
	else if (strcmp(entry->key, "at") == 0 && once(m, LINE_AT, entry))
		read_at(m, step, value);
	else if (strcmp(entry->key, "otherwise") == 0 && once(m, LINE_OTHERWISE, entry)) {
		step->otherwise = read_call(m, value, m->pipeline->step_count, &sound);
		m->instead |= bit(m->pipeline->step_count - 1, sound);
	}
}

static void read_step(struct making *m, const struct entry *entry, const struct value *value)
{
	struct config_step *step =
		PUSH(m->loader, m->loader->arena, m->steps, m->pipeline->step_count);

	if (m->pipeline->step_count == STEPS_MAX + 1)
		fault(m->loader, value->place,
			"a pipeline has at most %d steps; let an event start a second one",
			STEPS_MAX);
	m->home = entry->home;
	memset(m->lines, 0, sizeof(m->lines));
	apply_list(m->loader, &step->cancel_on, NULL, 0);
	m->sound |= bit(m->pipeline->step_count - 1,
		call_parse(m->loader, &step->call, value, m->pipeline->tenant,
			names_of(m, m->pipeline->step_count - 1)));
	step->name = default_name(m, &step->call);
}

bool is_step_key(const char *key)
{
	static const char *const keys[] = {"step", "in", "as", "at", "cancel_on", "otherwise"};

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (strcmp(key, keys[i]) == 0)
			return true;
	return false;
}

static void read_item(struct making *m, struct item *item)
{
	const struct entry *entry = item->entry;
	struct value value;

	if (!is_step_key(entry->key))
		return;
	item->used = true;
	bool expanded = value_expand(m->loader, &value, entry, '\n');
	if (!expanded)
		value = (struct value){.text = STR(""), .place = entry->place};
	if (strcmp(entry->key, "step") == 0)
		read_step(m, entry, &value);
	else if (!m->steps || entry->home != m->home)
		fault(m->loader, entry->place, "\"%s\" belongs to a step and must stand below one",
			entry->key);
	else if (expanded)
		read_step_line(m, entry, &value);
}

/* Once all lines below the steps are read. A step's input is its in =, or the last mapping before.
 */
static void check_inputs(struct making *m)
{
	bool mapped = false;

	for (size_t i = 0; i < m->pipeline->step_count && i < STEPS_MAX; i++) {
		const struct config_step *step = &m->steps[i];
		bool fed = mapped || step->in.text.ptr;
		if (m->sound & bit(i, true))
			input_check(m->loader, &step->call, m->pipeline->tenant, fed);
		if (m->instead & bit(i, true))
			input_check(m->loader, step->otherwise, m->pipeline->tenant, fed);
		mapped |=
			step->call.mapping || !(m->sound & bit(i, true)); /* that is told already */
	}
}

static void load_steps(struct making *m)
{
	for (size_t i = 0; i < m->section->item_count; i++)
		read_item(m, &m->section->items[i]);
	m->pipeline->steps = m->steps;
	check_names(m);
	check_inputs(m);
	for (size_t i = 0; i < m->pipeline->step_count; i++)
		if (m->steps[i].cancel_on.count && !m->steps[i].at.text.ptr)
			fault(m->loader, m->steps[i].call.place,
				"\"cancel_on\" drops a step that waits; this one has no \"at\"");
	if (!m->pipeline->step_count && !m->section->incomplete)
		fault(m->loader, m->section->place,
			"[pipeline %s] needs \"step\": what shall be done?", m->section->name);
}

/* ---- Pipelines ---------------------------------------------------------------------------- */

/* Somebody is on the line, or at the keyboard, only for these; all else is told afterwards. */
static const char *const awaited[] = {"call.inbound", "call.function", "chat.inbound"};

static void check_awaited(struct making *m)
{
	const struct config_list *on = &m->pipeline->on;

	for (size_t i = 0; i < on->count; i++) {
		const struct noted *noted = noted_of(m->loader, on->list[i]);
		bool waits = false;
		for (size_t k = 0; k < sizeof(awaited) / sizeof(*awaited); k++)
			waits |= strcmp(on->list[i], awaited[k]) == 0;
		if (!waits)
			fault(m->loader, noted->place,
				"nobody waits for \"%s\"; \"within\" is for call.inbound, "
				"call.function and chat.inbound",
				noted->shown);
	}
}

static void load_fallback(struct making *m)
{
	struct config_pipeline *pipeline = m->pipeline;
	struct item *item = section_next(m->section, "fallback", NULL);
	struct value value;

	if (item && value_expand(m->loader, &value, item->entry, '\n'))
		say_parse(m->loader, &pipeline->fallback, &pipeline->fallback_is_sql, &value);
	if (item && !pipeline->within_ms && !section_next(m->section, "within", NULL))
		fault(m->loader, item->entry->place,
			"\"fallback\" is said only if there is \"within\", and there is none");
	if (!item && pipeline->within_ms)
		fault(m->loader, m->section->place,
			"[pipeline %s] has \"within\" and needs \"fallback\", what is said when it "
			"is late: fallback = \"I cannot see that right now. May we call you "
			"back?\"",
			pipeline->name);
}

static const struct config_call *load_call(struct making *m, const char *key)
{
	struct item *item = section_next(m->section, key, NULL);
	const struct config_call *call;
	struct value value;
	bool sound, fed = false;

	if (!item || !value_expand(m->loader, &value, item->entry, '\n'))
		return NULL;
	call = read_call(m, &value, m->pipeline->step_count, &sound);
	for (size_t i = 0; i < m->pipeline->step_count; i++) /* after any of them */
		fed |= m->steps[i].call.mapping || m->steps[i].in.text.ptr;
	if (sound)
		input_check(m->loader, call, m->pipeline->tenant, fed);
	return call;
}

static void load_late(struct making *m)
{
	struct item *item = section_next(m->section, "late", NULL);

	m->pipeline->late = load_call(m, "late");
	if (item && !m->pipeline->within_ms && !section_next(m->section, "within", NULL))
		fault(m->loader, item->entry->place,
			"\"late\" is done only if there is \"within\", and there is none");
}

static void load_pipeline(struct loader *loader, struct section *section)
{
	struct config *config = loader->config;
	struct config_pipeline *pipeline =
		PUSH(loader, loader->arena, config->pipelines, config->pipeline_count);
	struct making m = {.loader = loader, .section = section, .pipeline = pipeline};

	pipeline->name = section->name;
	pipeline->place = section->place;
	pipeline->full = apply_owner(loader, section, &pipeline->tenant);
	pipeline->retry = (struct config_retry){-1, -1, -1, -1};
	apply_table(loader, section, pipeline);
	if (pipeline->within_ms)
		check_awaited(&m);
	load_fallback(&m);
	load_steps(&m);
	load_late(&m);
	pipeline->on_error = load_call(&m, "on_error");
	apply_leftovers(loader, section, NULL, 0);
}

static bool share_event(const struct config_pipeline *a, const struct config_pipeline *b)
{
	if (a->tenant && b->tenant && a->tenant != b->tenant)
		return false;
	for (size_t i = 0; i < a->on.count; i++)
		for (size_t k = 0; k < b->on.count; k++)
			if (strcmp(a->on.list[i], b->on.list[k]) == 0)
				return true;
	return false;
}

/* Exactly one may answer a waiting caller. Two conditions cannot be compared here, but one that is
 * always true can. */
static void check_answers(struct loader *loader)
{
	const struct config *config = loader->config;

	for (size_t i = 1; i < config->pipeline_count; i++)
		for (size_t k = 0; k < i; k++) {
			const struct config_pipeline *a = &config->pipelines[k];
			const struct config_pipeline *b = &config->pipelines[i];
			if (a->within_ms && b->within_ms && share_event(a, b) &&
				(!a->when.text.ptr || !b->when.text.ptr))
				fault(loader, b->place,
					"[pipeline %s] and [pipeline %s] would both answer the "
					"same caller; "
					"give both a \"when\" that tells them apart",
					b->name, a->name);
		}
}

void load_pipelines(struct loader *loader)
{
	for (size_t i = 0; i < loader->section_count; i++)
		if (!loader->sections[i]->broken && !strcmp(loader->sections[i]->kind, "pipeline"))
			load_pipeline(loader, loader->sections[i]);
	check_answers(loader);
}

/* ---- Which run for an event --------------------------------------------------------------- */

static bool runs_for(const struct config_pipeline *pipeline, const char *event,
	const struct config_tenant *tenant)
{
	if (pipeline->tenant && pipeline->tenant != tenant)
		return false;
	for (size_t i = 0; i < pipeline->on.count; i++)
		if (strcmp(pipeline->on.list[i], event) == 0)
			return true;
	return false;
}

int pipeline_set_compare(
	const struct pipeline_set *set, const char *event, const struct config_tenant *tenant)
{
	int order = strcmp(set->event, event);

	if (order || set->tenant == tenant)
		return order;
	return (uintptr_t)set->tenant < (uintptr_t)tenant ? -1 : 1;
}

static int by_event(const void *a, const void *b)
{
	const struct pipeline_set *other = b;

	return pipeline_set_compare(a, other->event, other->tenant);
}

static void add_set(struct loader *loader, const char *event, const struct config_tenant *tenant)
{
	struct config *config = loader->config;
	const struct config_pipeline **list = NULL;
	struct pipeline_set *set;
	size_t count = 0;

	for (size_t i = 0; i < config->pipeline_count; i++)
		if (runs_for(&config->pipelines[i], event, tenant))
			*PUSH(loader, loader->arena, list, count) = &config->pipelines[i];
	if (!count)
		return;
	set = PUSH(loader, loader->arena, config->sets, config->set_count);
	*set = (struct pipeline_set){event, tenant, {list, count}};
}

void index_pipelines(struct loader *loader)
{
	struct config *config = loader->config;

	for (size_t e = 0; e < loader->event_count; e++) {
		add_set(loader, loader->events[e], NULL);
		for (size_t t = 0; t < config->tenant_count; t++)
			add_set(loader, loader->events[e], &config->tenants[t]);
	}
	if (config->set_count)
		qsort(config->sets, config->set_count, sizeof(*config->sets), by_event);
}
