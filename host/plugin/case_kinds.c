/* case_kinds.c - a case's arguments, its call, and the call's result as JSON: all kinds but step.
 * One thread. */
#include "plugin/case.h"

#include <klinke/plugin.h>
#include <string.h>

#include "base/crypto.h"

struct plugin_in case_in(const struct case_run *run, enum plugin_kind kind)
{
	return (struct plugin_in){
		.kind = kind,
		.attempt = 1,
		.now_ms = run->now_ms,
		.seed = 1,
		.run = STR("case"),
	};
}

struct str case_text_of(struct case_run *run, const struct json *value)
{
	return value ? json_print(run->arena, value) : (struct str){0};
}

const struct json *case_parse(struct case_run *run, struct str text)
{
	return text.len ? json_parse(run->arena, text, NULL) : NULL;
}

struct plugin_pairs case_pairs(struct case_run *run, const struct json *list)
{
	size_t i, count = json_count(list);
	struct plugin_pair *items = arena_alloc(run->arena, (count + 1) * sizeof(*items));

	for (i = 0; items && i < count; i++) {
		const struct json *pair = json_at(list, i, NULL);
		if (json_type(pair) != JSON_ARRAY || json_count(pair) != 2)
			case_fault(run, "headers and query are lists of [\"name\", \"value\"]");
		items[i].name = json_text(json_at(pair, 0, NULL));
		items[i].value = json_text(json_at(pair, 1, NULL));
	}
	return (struct plugin_pairs){items, count};
}

/* The host hands header names over in lower case. */
static void lower_names(struct case_run *run, struct plugin_pairs pairs)
{
	struct plugin_pair *items = (struct plugin_pair *)pairs.items;
	size_t i, k;

	for (i = 0; i < pairs.count; i++) {
		char *name = arena_strndup(run->arena, items[i].name.ptr, items[i].name.len);
		for (k = 0; name && k < items[i].name.len; k++)
			if (name[k] >= 'A' && name[k] <= 'Z')
				name[k] += 'a' - 'A';
		items[i].name.ptr = name;
	}
}

static struct str body_of(struct case_run *run, const struct json *body)
{
	if (json_type(body) == JSON_TEXT)
		return json_text(body);
	if (json_type(body) == JSON_OBJECT && json_get(body, "json"))
		return case_text_of(run, json_get(body, "json"));
	if (json_type(body) == JSON_OBJECT && json_get(body, "base64"))
		return str_decode(run->arena, "base64", json_get_text(body, "base64"));
	if (body && json_type(body) != JSON_NULL)
		case_fault(run, "body is a text, {\"json\": ...} or {\"base64\": \"...\"}");
	return STR("");
}

static struct plugin_inbound inbound_of(struct case_run *run, const struct json *spec)
{
	struct str method = json_get_text(spec, "method"), path = json_get_text(spec, "path");
	struct plugin_inbound inbound = {
		.route = json_get_text(spec, "route"),
		.method = method.ptr ? method : STR("POST"),
		.path = path.ptr ? path : STR("/hooks/tenant/connection"),
		.query = case_pairs(run, json_get(spec, "query")),
		.headers = case_pairs(run, json_get(spec, "headers")),
		.body = body_of(run, json_get(spec, "body")),
	};

	lower_names(run, inbound.headers);
	return inbound;
}

/* ---- verify ------------------------------------------------------------------------------- */

static bool mac_holds(const struct json *values, const struct plugin_mac *mac)
{
	uint8_t sum[CRYPTO_HASH_MAX];
	size_t i, k;

	for (i = 0; i < json_count(values); i++) {
		struct str key = json_text(json_at(values, i, NULL));
		size_t len = crypto_hmac(mac->hash.ptr, key, mac->pieces, mac->piece_count, sum);
		for (k = 0; len && k < mac->mac_count; k++)
			if (str_eq(mac->macs[k], (struct str){(char *)sum, len}))
				return true;
	}
	return false;
}

static bool secret_holds(const struct json *values, const struct plugin_secret *secret)
{
	size_t i;

	for (i = 0; i < json_count(values); i++)
		if (str_eq(json_text(json_at(values, i, NULL)), secret->guess))
			return true;
	return false;
}

bool case_proofs_hold(const struct json *secrets, const struct plugin_out *out)
{
	uint32_t i;

	for (i = 0; i < out->macs.count; i++)
		if (!mac_holds(
			    json_get(secrets, out->macs.items[i].secret.ptr), &out->macs.items[i]))
			return false;
	for (i = 0; i < out->secrets.count; i++)
		if (!secret_holds(json_get(secrets, out->secrets.items[i].secret.ptr),
			    &out->secrets.items[i]))
			return false;
	return true;
}

static uint32_t either(uint32_t status, uint32_t otherwise)
{
	return status ? status : otherwise;
}

void case_verify(struct case_run *run, const struct json *spec)
{
	static const char *const kinds[] = {"reject", "accept", "handshake", "reject"};
	struct plugin_in in = case_in(run, PLUGIN_VERIFY);
	struct json *actual = json_object(run->arena);
	const struct plugin_answer *answer;
	struct plugin_out out;
	const char *kind;
	uint32_t status;

	in.inbound = inbound_of(run, spec);
	if (!case_call(run, &in, &out))
		return;
	answer = &out.answer;
	kind = kinds[answer->kind];
	status = either(answer->status, *kind == 'r' ? 401 : 200);
	if (*kind != 'r' && !case_proofs_hold(json_get(run->spec, "secrets"), &out)) {
		kind = "reject_mac";
		status = either(answer->refused, 401);
	}
	json_put_text(run->arena, actual, "kind", str_of(kind));
	json_put_i64(run->arena, actual, "status", status);
	json_put_i64(run->arena, actual, "proofs", out.macs.count + out.secrets.count);
	json_put_text(run->arena, actual, "reason", answer->reason);
	json_put_text(run->arena, actual, "content_type", answer->content_type);
	json_put_text(run->arena, actual, "body", answer->body);
	json_put(run->arena, actual, "json", case_parse(run, answer->body));
	case_expect(run, json_get(run->spec, "expect"), actual);
}

/* ---- normalize ---------------------------------------------------------------------------- */

static struct json *event_json(struct case_run *run, const struct plugin_event *from)
{
	struct arena *arena = run->arena;
	struct json *event = json_object(arena);

	json_put_text(arena, event, "type", from->type);
	json_put_i64(arena, event, "at_ms", from->at_ms);
	json_put_text(arena, event, "dedupe", from->dedupe);
	json_put_text(arena, event, "subject", from->subject);
	json_put_text(arena, event, "regarding", from->regarding);
	json_put_text(arena, event, "person", from->person);
	json_put(arena, event, "data", case_parse(run, from->data));
	return event;
}

static void print_event(struct case_run *run, const struct plugin_event *from)
{
	struct json *line = event_json(run, from);

	json_put_text(run->arena, line, "case", run->name);
	json_put_text(run->arena, line, "plugin", str_of(run->runner->info->name));
	printf("%s\n", json_print(run->arena, line).ptr);
}

void case_add_events(struct case_run *run, struct json *list, const struct plugin_out *out)
{
	uint32_t i;

	for (i = 0; i < out->events.count; i++) {
		json_push(run->arena, list, event_json(run, &out->events.items[i]));
		if (run->runner->print == CASE_EVENTS)
			print_event(run, &out->events.items[i]);
	}
}

static struct json *list_starts(struct case_run *run, const struct plugin_out *out)
{
	struct json *list = json_array(run->arena);
	uint32_t i;

	for (i = 0; i < out->starts.count; i++) {
		const struct plugin_start *from = &out->starts.items[i];
		struct json *start = json_object(run->arena);
		json_put_text(run->arena, start, "op", from->op);
		json_put(run->arena, start, "input", case_parse(run, from->input));
		json_put_text(run->arena, start, "dedupe", from->dedupe);
		json_put_text(run->arena, start, "subject", from->subject);
		json_push(run->arena, list, start);
	}
	return list;
}

static const struct json *case_problems(struct case_run *run, const struct plugin_out *out)
{
	struct json *list = json_array(run->arena);
	uint32_t i;

	for (i = 0; i < out->problems.count; i++) {
		struct json *problem = json_object(run->arena);
		json_put_text(run->arena, problem, "path", out->problems.items[i].path);
		json_put_text(run->arena, problem, "message", out->problems.items[i].message);
		json_push(run->arena, list, problem);
	}
	return list;
}

void case_normalize(struct case_run *run, const struct json *spec)
{
	struct plugin_in in = case_in(run, PLUGIN_NORMALIZE);
	struct json *actual = json_object(run->arena), *events = json_array(run->arena);
	struct plugin_out out;

	in.inbound = inbound_of(run, spec);
	if (!case_call(run, &in, &out))
		return;
	case_add_events(run, events, &out);
	json_put_i64(run->arena, actual, "return", out.returned);
	json_put(run->arena, actual, "events", events);
	json_put(run->arena, actual, "starts", list_starts(run, &out));
	json_put(run->arena, actual, "problems", case_problems(run, &out));
	case_expect(run, json_get(run->spec, "expect"), actual);
}

/* ---- reply -------------------------------------------------------------------------------- */

static uint32_t outcome_of(struct case_run *run, struct str word)
{
	static const char *const words[] = {"none", "done", "fallback", "repeat"};
	uint32_t i;

	for (i = 0; i < 4; i++)
		if (str_is(word, words[i]))
			return i + KL_REPLY_NONE;
	case_fault(run, "reply.outcome is one of none, done, fallback, repeat");
	return KL_REPLY_NONE;
}

void case_reply(struct case_run *run, const struct json *spec)
{
	struct plugin_in in = case_in(run, PLUGIN_REPLY);
	struct json *actual = json_object(run->arena);
	struct plugin_out out;

	in.reply.inbound = inbound_of(run, json_get(spec, "inbound"));
	in.reply.outcome = outcome_of(run, json_get_text(spec, "outcome"));
	in.reply.result = case_text_of(run, json_get(spec, "result"));
	if (!case_call(run, &in, &out))
		return;
	json_put_i64(run->arena, actual, "status", either(out.answer.status, 200));
	json_put_text(run->arena, actual, "content_type", out.answer.content_type);
	json_put_text(run->arena, actual, "body", out.answer.body.ptr ? out.answer.body : STR(""));
	json_put(run->arena, actual, "json", case_parse(run, out.answer.body));
	case_expect(run, json_get(run->spec, "expect"), actual);
}

/* ---- check, map --------------------------------------------------------------------------- */

void case_check(struct case_run *run, const struct json *spec)
{
	struct plugin_in in = case_in(run, PLUGIN_CHECK);
	struct json *actual = json_object(run->arena);
	struct plugin_out out;

	(void)spec;
	if (!case_call(run, &in, &out))
		return;
	json_put(run->arena, actual, "problems", case_problems(run, &out));
	case_expect(run, json_get(run->spec, "expect"), actual);
}

static void give_fields(struct case_run *run, struct plugin_map_in *map, const struct json *list)
{
	size_t i, count = json_count(list);
	struct plugin_field *fields = arena_alloc(run->arena, (count + 1) * sizeof(*fields));

	for (i = 0; fields && i < count; i++) {
		const struct json *from = json_at(list, i, NULL);
		const struct json *value = json_get(from, "value");
		struct str place = json_get_text(from, "place");
		fields[i] = (struct plugin_field){
			.key = json_get_text(from, "key"),
			.spec = json_get_text(from, "spec"),
			.place = place.ptr ? place : STR("case.ini:1"),
		};
		if (json_type(value) > JSON_NULL)
			fields[i].value = case_text_of(run, value);
	}
	map->fields = fields;
	map->field_count = count;
}

void case_map(struct case_run *run, const struct json *spec)
{
	struct plugin_in in = case_in(run, PLUGIN_MAP);
	struct json *actual = json_object(run->arena);
	struct plugin_out out;

	in.map.context = case_text_of(run, json_get(spec, "context"));
	give_fields(run, &in.map, json_get(spec, "fields"));
	if (!case_call(run, &in, &out))
		return;
	json_put(run->arena, actual, "result", case_parse(run, out.mapped));
	json_put(run->arena, actual, "problems", case_problems(run, &out));
	case_expect(run, json_get(run->spec, "expect"), actual);
}
