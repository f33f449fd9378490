/* route.c - which pipelines an event starts, and for whom. Runner's thread; stores nothing. */
#include "pipeline/route.h"

#include <string.h>
#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "desk/persons.h"
#include "desk/project.h"

/* ---- Whose event is it? -------------------------------------------------------------------------
 */

static const struct config_tenant *by(const struct config *config, enum config_route route,
	const struct json *data, const char *key)
{
	struct str value = json_get_text(data, key);
	return value.len ? config_tenant_for(config, route, value) : NULL;
}

/* Which member is the office's own number: who was called or, in calls of ours, who calls. "to" of
 * a message is whom we wrote to, who may well be another office. */
static const char *own_number(struct str type, const struct json *data)
{
	bool talk = (type.len > 5 && memcmp(type.ptr, "call.", 5) == 0) ||
		    (type.len > 5 && memcmp(type.ptr, "chat.", 5) == 0);

	if (!talk)
		return "phone_number_id";
	return str_is(json_get_text(data, "direction"), "outbound") ? "from" : "to";
}

/* An agency's connection serves many offices: verified facts decide, in this order, and nothing
 * else does. No match is no tenant, never "the first one". */
const struct config_tenant *route_tenant(const struct config *config,
	const struct config_tenant *own, struct str type, const struct json *data)
{
	const struct config_tenant *t = own;

	if (!t)
		t = by(config, CONFIG_BY_NUMBER, data, own_number(type, data));
	if (!t)
		t = by(config, CONFIG_BY_AGENT, data, "agent");
	if (!t)
		t = by(config, CONFIG_BY_EVENT_TYPE, data, "event_type");
	return t;
}

/* ---- Scope -------------------------------------------------------------------------------- */

static struct str event_envelope(struct arena *arena, const struct event_row *e)
{
	struct json *o = json_object(arena);
	char id[ID_TEXT], at[CLOCK_TEXT];

	id_text(id, &e->id);
	clock_utc(at, e->at_ms);
	json_put_text(arena, o, "specversion", STR("1.0"));
	json_put_text(arena, o, "id", str_of(id));
	json_put_text(arena, o, "type", e->type);
	json_put_text(arena, o, "source", e->connection);
	json_put_text(arena, o, "subject", e->subject);
	json_put_text(arena, o, "time", str_of(at));
	json_put_text(arena, o, "tenant", e->tenant);
	json_put_text(arena, o, "correlationid", e->correlation);
	return json_print(arena, o);
}

static struct str tenant_text(struct arena *arena, const struct config_tenant *t)
{
	struct json *o = json_object(arena);

	if (t) {
		json_put_text(arena, o, "name", str_of(t->name));
		json_put_text(arena, o, "title", str_of(t->title));
		json_put_text(arena, o, "timezone", str_of(t->timezone));
		json_put_text(
			arena, o, "language", t->language == CONFIG_EN ? STR("en") : STR("de"));
		json_put_text(arena, o, "country", str_of(t->country));
	}
	return json_print(arena, o);
}

static struct str caller_text(struct arena *arena, const struct event_row *e)
{
	struct json *o = json_object(arena);
	if (e->person.len)
		json_put_text(arena, o,
			memchr(e->person.ptr, '@', e->person.len) ? "email" : "phone", e->person);
	return json_print(arena, o);
}

static struct str text_of(void *from, enum expr_text which)
{
	struct route_scope *s = from;
	struct str *text = &s->texts[which];
	bool call = s->event->type.len > 5 && memcmp(s->event->type.ptr, "call.", 5) == 0;

	if (text->ptr)
		return *text;
	switch (which) {
	case EXPR_EVENT:
		*text = event_envelope(s->arena, s->event);
		break;
	case EXPR_CALL:
		*text = call && s->event->data.len ? s->event->data : STR("{}");
		break;
	case EXPR_CALLER:
		*text = caller_text(s->arena, s->event);
		break;
	case EXPR_TENANT:
		*text = tenant_text(s->arena, s->tenant);
		break;
	}
	return *text;
}

struct expr_scope route_expr_scope(struct route_scope *scope, int64_t now_ms)
{
	const struct config_tenant *tenant = scope->tenant;

	return (struct expr_scope){.text = text_of,
		.from = scope,
		.data = scope->event->data.len ? scope->event->data : STR("{}"),
		.now_ms = now_ms,
		.zone = tenant ? tenant->timezone : "UTC",
		.language = tenant && tenant->language == CONFIG_DE ? "de" : "en"};
}

struct str route_owner(const struct config_tenant *tenant)
{
	return str_of(tenant ? tenant->name : "agency");
}

/* ---- Events and jobs ---------------------------------------------------------------------- */

static void fill_event(
	const struct route_input *in, const struct plugin_event *e, struct event_row *row)
{
	*row = (struct event_row){
		.id = id_new(),
		.inbox = in->inbox,
		.job = in->job,
		.tenant = route_owner(in->tenant),
		.connection = in->connection,
		.type = e->type,
		.dedupe = e->dedupe,
		.subject = e->subject,
		.regarding = e->regarding,
		.person = e->person,
		.data = e->data,
		.correlation = in->correlation,
		.at_ms = e->at_ms ? e->at_ms : in->now_ms,
		.received_ms = in->now_ms,
	};
}

static void fill_job(
	const struct route_input *in, const struct event_row *event, struct job_row *job)
{
	*job = (struct job_row){
		.id = id_new(),
		.event = event->id,
		.tenant = event->tenant,
		.person = persons_join(in->arena, event->person, event->others),
		.order_key = event->subject,
		.subject = event->subject,
		.correlation = event->correlation,
		.state = JOB_READY,
		.due_ms = in->now_ms,
		.created_ms = in->now_ms,
		.updated_ms = in->now_ms,
		.generation = in->plan->generation,
	};
}

/* 1, 0, or E_NOMEM; an expression that fails at run time makes a job that parks itself, so that
 * nobody misses it. */
static int wants(const struct route_input *in, const struct plan_pipeline *p,
	struct route_scope *seen, struct job_row *job)
{
	struct expr_scope scope = route_expr_scope(seen, in->now_ms);
	struct error why = {0};
	int yes = 1;

	if (p->when)
		yes = expr_test(&why, p->when, &scope);
	if (yes >= 0 || why.code == E_NOMEM)
		return yes >= 0 ? yes : E_NOMEM;
	struct json *progress = json_object(in->arena);
	json_put_text(in->arena, progress, "refused",
		str_of(arena_printf(in->arena, "%s:%u: when = failed: %s",
			p->config->when.place.file, p->config->when.place.line, why.text)));
	job->progress = json_print(in->arena, progress);
	return 1;
}

static int match(struct error *error, const struct route_input *in, struct event_change *change)
{
	const struct event_row *event = change->row;
	struct str type = str_dup(in->arena, event->type);
	struct config_pipelines found =
		config_pipelines_for(in->plan->config, type.ptr ? type.ptr : "", in->tenant);
	struct route_scope scope = {.arena = in->arena, .event = event, .tenant = in->tenant};
	unsigned answered = 0;
	int wanted;

	if (!found.count)
		return 0;
	change->jobs = arena_alloc(in->arena, found.count * sizeof(*change->jobs));
	if (!change->jobs)
		return error_set(error, E_NOMEM, "no memory for the jobs of an event");
	for (size_t i = 0; i < found.count; i++) {
		const struct plan_pipeline *p =
			plan_pipeline(in->plan, str_of(found.list[i]->full));
		struct job_row *job = &change->jobs[change->job_count];
		if (p->config->within_ms && !in->waits)
			continue; /* nobody is there to be answered */
		fill_job(in, event, job);
		job->pipeline = str_of(p->config->full);
		job->strict = p->config->strict;
		if (p->config->within_ms)
			job->order_key = STR("");
		wanted = wants(in, p, &scope, job);
		if (wanted < 0)
			return error_set(
				error, E_NOMEM, "no memory for when = of %s", p->config->full);
		if (!wanted)
			continue;
		if (p->config->within_ms && answered++) {
			log_line(LOG_ERROR, "a second pipeline wants to answer, it is left out",
				"pipeline", p->config->full, NULL);
			continue;
		}
		change->job_count++;
	}
	return 0;
}

static void project(
	const struct route_input *in, const struct json *data, struct event_change *change)
{
	struct call_row *call = arena_alloc(in->arena, sizeof(*call));
	struct appointment_row *appointment = arena_alloc(in->arena, sizeof(*appointment));

	if (call && project_call(in->arena, change->row, data, call))
		change->call = call;
	if (appointment && project_appointment(in->arena, change->row, data, appointment))
		change->appointment = appointment;
}

struct job_row *route_answering(const struct route_input *in, const struct event_change *change)
{
	for (size_t i = 0; in->waits && i < change->job_count; i++) {
		const struct plan_pipeline *p = plan_pipeline(in->plan, change->jobs[i].pipeline);
		if (p && p->config->within_ms)
			return &change->jobs[i];
	}
	return NULL;
}

int route_event(struct error *error, const struct route_input *in, const struct plugin_event *event,
	struct event_change *change)
{
	struct json *data = json_parse(in->arena, event->data, error);
	struct event_row *row = arena_alloc(in->arena, sizeof(*row));
	struct route_input known = *in;
	bool orphan;

	memset(change, 0, sizeof(*change));
	if (!row)
		return error_set(error, E_NOMEM, "no memory for an event");
	if (!data)
		return arena_starved(in->arena)
			       ? error_set(error, E_NOMEM, "no memory for an event")
			       : E_INVALID;
	known.tenant = route_tenant(in->plan->config, in->tenant, event->type, data);
	orphan = !known.tenant && !str_is(in->connection, ROUTE_OURS);
	if (orphan && !in->keep_orphans)
		return error_set(error, E_NOTFOUND,
			"no tenant for this %.*s: none has its dialled number "
			"(numbers =), its agent (agents =) or its event type (event_types =)",
			STR_ARG(event->type));
	fill_event(&known, event, row);
	row->others = persons_in(in->arena, row->person, in->persons, data);
	row->also = json_get_text(data, "rescheduled_from");
	if (row->also.len)
		row->also = str_of(arena_printf(in->arena, "booking:%.*s", STR_ARG(row->also)));
	change->row = row;
	if (str_is(row->type, "call.ended") || str_is(row->type, "call.analyzed"))
		change->frees = row->subject; /* what was offered to the caller is free again */
	if (row->regarding.len)
		change->closes = row->data;
	project(&known, data, change);
	if (!orphan)
		return match(error, &known, change);
	log_line(LOG_WARN, "event fits no tenant, kept as the agency's", "connection",
		known.connection.ptr, "type", str_dup(in->arena, row->type).ptr, NULL);
	return 0;
}

void route_start(
	const struct route_input *in, const struct plugin_start *start, struct job_row *job)
{
	struct event_row none = {.tenant = route_owner(in->tenant),
		.subject = start->subject,
		.correlation = in->correlation};

	fill_job(in, &none, job);
	job->connection = in->connection;
	job->op = start->op;
	job->input = start->input;
	job->person = persons_in(
		in->arena, (struct str){0}, in->persons, json_parse(in->arena, start->input, NULL));
	if (start->dedupe.len)
		job->dedupe = str_of(arena_printf(in->arena, "%.*s/%.*s/%.*s",
			STR_ARG(in->connection), STR_ARG(start->op), STR_ARG(start->dedupe)));
}
