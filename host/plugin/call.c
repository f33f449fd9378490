/* call.c - arguments become ABI structs, the plugin's function runs, its answer becomes plain
 * data. Never keeps anything after the call. Runs on the thread that wants the result. */
#include "plugin/call.h"

#include <string.h>

#include "plugin/host.h"

const char *call_name(enum plugin_kind kind)
{
	static const char *const names[] = {
		"?", "verify()", "normalize()", "reply()", "step()", "map()", "check()"};

	return kind <= PLUGIN_CHECK ? names[kind] : names[0];
}

/* ---- arguments ---------------------------------------------------------------------------- */

#define GARBAGE 0xa5

/* What the plugin reads instead of the struct, which begins with its size. */
static const void *shaped(struct host_call *call, const void *from, uint32_t size)
{
	uint32_t whole = size + (call->shape ? call->shape->grow : 0);
	uint32_t before = -whole & 15u; /* it ends where its piece does */
	char *copy = call->shape ? arena_alloc(call->arena, before + whole) : NULL;

	if (!copy)
		return from;
	copy += before;
	memcpy(copy, from, size);
	memset(copy + size, GARBAGE, whole - size);
	memcpy(copy, &whole, sizeof(whole));
	return copy;
}

/* A list's elements, moved apart: they have no size of their own. */
static kl_list shaped_list(struct host_call *call, kl_list list)
{
	uint32_t stride = list.stride + (call->shape ? call->shape->grow : 0), i;
	char *copy;

	if (stride == list.stride || !list.count)
		return list;
	copy = arena_alloc(call->arena, (size_t)stride * list.count);
	for (i = 0; copy && i < list.count; i++) {
		memset(copy + (size_t)i * stride, GARBAGE, stride);
		memcpy(copy + (size_t)i * stride, (const char *)list.ptr + (size_t)i * list.stride,
			list.stride);
	}
	return copy ? (kl_list){copy, list.count, stride} : list;
}

static kl_str give(struct host_call *call, struct str s)
{
	struct str copy = str_dup(call->arena, s);

	return (kl_str){copy.ptr, (uint32_t)copy.len, 0};
}

static const char *give_text(struct host_call *call, struct str s)
{
	struct str copy = s.ptr ? str_dup(call->arena, s) : (struct str){0};

	return copy.ptr ? copy.ptr : "";
}

static kl_list give_pairs(struct host_call *call, struct plugin_pairs pairs)
{
	kl_pair *items = arena_alloc(call->arena, pairs.count * sizeof(*items));
	size_t i;

	for (i = 0; items && i < pairs.count; i++) {
		items[i].name = give(call, pairs.items[i].name);
		items[i].value = give(call, pairs.items[i].value);
	}
	return (kl_list){items, items ? (uint32_t)pairs.count : 0, sizeof(kl_pair)};
}

static const kl_val *give_json(struct host_call *call, struct str text, const char *what)
{
	struct error error = {0};
	struct json *tree;

	if (!text.ptr)
		return NULL;
	tree = json_parse(call->arena, text, &error);
	if (!tree)
		host_violate(call, "the host passed a broken %s (%s)", what, error.text);
	return host_val(tree);
}

static const kl_val *give_object(struct host_call *call, const struct json *tree)
{
	return host_val(tree ? tree : json_object(call->arena));
}

static void give_inbound(struct host_call *call, kl_inbound *to, const struct plugin_inbound *from,
	const struct json *config)
{
	*to = (kl_inbound){
		.size = sizeof(*to),
		.config = give_object(call, config),
		.route = give_text(call, from->route),
		.method = give_text(call, from->method),
		.path = give_text(call, from->path),
		.query = give_pairs(call, from->query),
		.headers = give_pairs(call, from->headers),
		.body = give(call, from->body.ptr ? from->body : STR("")),
	};
}

static bool looks_like_json(struct str body)
{
	size_t i = 0;

	while (i < body.len && strchr(" \t\r\n", body.ptr[i]) && body.ptr[i])
		i++;
	return i < body.len && body.ptr[i] && strchr("{[\"-0123456789tfn", body.ptr[i]);
}

static const kl_response *give_response(struct host_call *call, const struct plugin_response *from)
{
	kl_response *to = from ? arena_alloc(call->arena, sizeof(*to)) : NULL;

	if (!to)
		return NULL;
	*to = (kl_response){
		.size = sizeof(*to),
		.outcome = from->outcome,
		.status = from->status,
		.attempts = from->attempts,
		.retry_after_ms = from->retry_after_ms,
		.reason = from->reason.ptr ? give_text(call, from->reason) : NULL,
		.headers = give_pairs(call, from->headers),
		.body = give(call, from->body),
	};
	if (looks_like_json(from->body))
		to->json = host_val(json_parse(call->arena, from->body, NULL));
	return shaped(call, to, sizeof(*to));
}

static void give_step(struct host_call *call, kl_step *to, const struct plugin_step_in *from,
	const struct json *config)
{
	*to = (kl_step){
		.size = sizeof(*to),
		.why = from->why,
		.step = from->step,
		.state_version = from->state_version,
		.looking = from->looking,
		.op = give_text(call, from->op),
		.config = give_object(call, config),
		.input = give_json(call, from->input.ptr ? from->input : STR("{}"), "input"),
		.state = give_json(call, from->state, "state"),
		.checkpoint = give_json(call, from->checkpoint, "checkpoint"),
		.response = give_response(call, from->response),
		.key = give(call, from->key),
	};
}

static kl_list give_fields(struct host_call *call, const struct plugin_map_in *from)
{
	kl_field *items = arena_alloc(call->arena, from->field_count * sizeof(*items));
	size_t i;

	for (i = 0; items && i < from->field_count; i++) {
		const struct plugin_field *field = &from->fields[i];
		items[i] = (kl_field){
			.key = give(call, field->key),
			.spec = give(call, field->spec),
			.place = give(call, field->place),
			.value = give_json(call, field->value, "value of a field"),
		};
	}
	return shaped_list(
		call, (kl_list){items, items ? (uint32_t)from->field_count : 0, sizeof(kl_field)});
}

/* ---- answers ------------------------------------------------------------------------------ */

static void take_answer(struct host_call *call, const kl_answer *answer)
{
	struct plugin_answer *to = &call->out->answer;
	kl_answer a;

	if (!answer || !host_read(call, &a, answer, sizeof(a), "the answer"))
		return;
	to->kind = a.kind;
	to->status = a.status;
	to->refused = a.refused;
	to->content_type = host_read_text(call, a.content_type, "answer.content_type");
	to->reason = host_read_text(call, a.reason, "answer.reason");
	to->body = host_read_bytes(call, a.body, "answer.body");
}

static void take_request(struct host_call *call, const kl_request *request)
{
	struct plugin_request *to = &call->out->next.request;
	kl_request r;

	if (!host_read(call, &r, request, sizeof(r), "next.request"))
		return;
	call->out->next.has_request = true;
	*to = (struct plugin_request){
		.repeat = r.repeat,
		.timeout_ms = r.timeout_ms,
		.method = host_read_text(call, r.method, "request.method"),
		.url = host_read_string(call, r.url, "request.url"),
		.auth = host_read_text(call, r.auth, "request.auth"),
		.label = host_read_text(call, r.label, "request.label"),
		.content_type = host_read_text(call, r.content_type, "request.content_type"),
		.headers = host_read_pairs(call, r.headers, "request.headers"),
		.body = host_read_bytes(call, r.body, "request.body"),
	};
}

static void take_rows(struct host_call *call, struct plugin_next *next, const kl_val *result)
{
	if (next->then == KL_DONE && result && json_type(host_tree(result)) != JSON_OBJECT)
		host_violate(call, "next.result is not an object");
	if (!call->rows)
		return;
	call->out->rows = json_print(call->arena, call->rows);
	if (next->then == KL_DONE && next->result.ptr)
		next->result = call_merge_rows(call->arena, next->result, &call->out->rows, 1);
}

static void take_next(struct host_call *call, const kl_next *next)
{
	struct plugin_next *to = &call->out->next;
	kl_next n;

	if (!next && arena_failed(call->arena))
		return;
	if (!host_read(call, &n, next, sizeof(n), "what step() returned"))
		return;
	*to = (struct plugin_next){
		.then = n.then,
		.wait_ms = n.wait_ms,
		.result = n.then == KL_DONE ? host_read_json(call, n.result) : (struct str){0},
		.state = n.then == KL_SEND || n.then == KL_WAIT ? host_read_json(call, n.state)
								: (struct str){0},
		.fail = n.fail,
		.code = host_read_text(call, n.code, "next.code"),
		.message = host_read_text(call, n.message, "next.message"),
		.detail = host_read_json(call, n.detail),
	};
	if (n.then == KL_SEND)
		take_request(call, n.request);
	take_rows(call, to, n.result);
}

static void take_map(struct host_call *call, const kl_val *value)
{
	if (value && json_type(host_tree(value)) != JSON_OBJECT)
		host_violate(call, "map() returned no object");
	call->out->mapped = host_read_json(call, value);
}

/* ---- the call ----------------------------------------------------------------------------- */

static void run_inbound(struct host_call *call, const kl_plugin *plugin, const struct plugin_in *in,
	const struct json *config)
{
	kl_inbound inbound;

	const kl_inbound *given;

	give_inbound(call, &inbound, &in->inbound, config);
	given = shaped(call, &inbound, sizeof(inbound));
	if (call->violation || arena_failed(call->arena))
		return;
	if (in->kind == PLUGIN_VERIFY)
		take_answer(call, plugin->verify(&call->pub, given));
	else
		call->out->returned = plugin->normalize(&call->pub, given);
}

static void run_reply(struct host_call *call, const kl_plugin *plugin, const struct plugin_in *in,
	const struct json *config)
{
	kl_inbound inbound;
	kl_reply reply = {.size = sizeof(reply), .outcome = in->reply.outcome};
	const kl_reply *given;

	give_inbound(call, &inbound, &in->reply.inbound, config);
	reply.inbound = shaped(call, &inbound, sizeof(inbound));
	reply.result = give_json(call, in->reply.result, "result");
	given = shaped(call, &reply, sizeof(reply));
	if (!call->violation && !arena_failed(call->arena))
		take_answer(call, plugin->reply(&call->pub, given));
}

static void run_step(struct host_call *call, const kl_plugin *plugin, const struct plugin_in *in,
	const struct json *config)
{
	kl_step step;
	const kl_step *given;

	give_step(call, &step, &in->step, config);
	given = shaped(call, &step, sizeof(step));
	if (!call->violation && !arena_failed(call->arena))
		take_next(call, plugin->step(&call->pub, given));
}

static void run_map(struct host_call *call, const kl_plugin *plugin, const struct plugin_in *in,
	const struct json *config)
{
	kl_map map = {
		.size = sizeof(map),
		.config = give_object(call, config),
		.context = give_json(
			call, in->map.context.ptr ? in->map.context : STR("{}"), "context"),
		.fields = give_fields(call, &in->map),
	};
	const kl_map *given = shaped(call, &map, sizeof(map));

	if (!call->violation && !arena_failed(call->arena))
		take_map(call, plugin->map(&call->pub, given));
}

static bool can(const kl_plugin *plugin, enum plugin_kind kind)
{
	switch (kind) {
	case PLUGIN_VERIFY:
		return plugin->verify;
	case PLUGIN_NORMALIZE:
		return plugin->normalize;
	case PLUGIN_REPLY:
		return plugin->reply;
	case PLUGIN_STEP:
		return plugin->step;
	case PLUGIN_MAP:
		return plugin->map;
	case PLUGIN_CHECK:
		return plugin->check;
	}
	return false;
}

static void run(struct host_call *call, const kl_plugin *plugin, const struct plugin_in *in,
	const struct json *config)
{
	switch (in->kind) {
	case PLUGIN_VERIFY:
	case PLUGIN_NORMALIZE:
		run_inbound(call, plugin, in, config);
		break;
	case PLUGIN_REPLY:
		run_reply(call, plugin, in, config);
		break;
	case PLUGIN_STEP:
		run_step(call, plugin, in, config);
		break;
	case PLUGIN_MAP:
		run_map(call, plugin, in, config);
		break;
	case PLUGIN_CHECK:
		plugin->check(&call->pub, give_object(call, config));
		break;
	}
}

void call_drop_effects(struct plugin_out *out)
{
	struct plugin_out kept = {.status = out->status,
		.error = out->error,
		.logs = {out->logs.items, out->logs.count}};

	*out = kept;
}

void call_fail(const char *plugin, enum plugin_kind kind, int code, const char *sentence,
	struct plugin_out *out)
{
	out->status = PLUGIN_FAILED;
	error_set(&out->error, code, "plugin %s: %s: %s", plugin, call_name(kind), sentence);
	call_drop_effects(out);
}

/* A plugin may leave out check(), and reply() too: both have an answer without it. */
static bool may_lack(enum plugin_kind kind)
{
	return kind == PLUGIN_CHECK || kind == PLUGIN_REPLY;
}

static void take_shape(struct host_call *call, const struct call_shape *shape)
{
	call->shape = shape;
	if (!shape)
		return;
	call->pub.size += shape->grow;
	if (shape->host)
		call->pub.host = shape->host;
}

void call_run(const struct loaded *plugin, const struct json *config, const struct plugin_in *in,
	const struct plugin_limits *limits, struct arena *arena, struct plugin_out *out)
{
	call_run_shaped(NULL, plugin, config, in, limits, arena, out);
}

void call_run_shaped(const struct call_shape *shape, const struct loaded *plugin,
	const struct json *config, const struct plugin_in *in, const struct plugin_limits *limits,
	struct arena *arena, struct plugin_out *out)
{
	struct host_call call;

	host_call_init(&call, arena, limits, in, out);
	take_shape(&call, shape);
	if (!can(&plugin->raw, in->kind)) {
		if (!may_lack(in->kind))
			call_fail(plugin->info.name, in->kind, E_INVALID, "it has none", out);
		return;
	}
	run(&call, &plugin->raw, in, config);
	if (call.violation)
		call_fail(plugin->info.name, in->kind, E_INVALID, call.violation, out);
	else if (arena_failed(arena))
		call_fail(plugin->info.name, in->kind, arena_starved(arena) ? E_NOMEM : E_INVALID,
			"it needs more memory than one call may use, or nested values deeper "
			"than 64, or changed a value that another one contains",
			out);
	else
		call_check(&plugin->info, in, limits, out);
}

/* ---- rows --------------------------------------------------------------------------------- */

static void push_rows(struct arena *arena, struct json *all, struct str text)
{
	const struct json *rows = text.ptr ? json_parse(arena, text, NULL) : NULL;
	size_t i;

	for (i = 0; i < json_count(rows); i++)
		json_push(arena, all, json_at(rows, i, NULL));
	if (text.ptr && json_type(rows) != JSON_ARRAY)
		arena_fail(arena);
}

struct str call_merge_rows(
	struct arena *arena, struct str result, const struct str *rows, size_t count)
{
	struct json *object = json_parse(arena, result, NULL);
	struct json *all = json_array(arena);
	size_t i;

	if (json_type(object) != JSON_OBJECT)
		return (struct str){0};
	for (i = 0; i < count; i++)
		push_rows(arena, all, rows[i]);
	if (json_count(all))
		json_set(arena, object, STR("rows"), all);
	return arena_failed(arena) ? (struct str){0} : json_print(arena, object);
}
