/* sample.c - the calls that everything else is made of: out of the plugin's cases, and made up.
 *
 * A case runs in a worker, as the host would; each call that it makes is kept as the wire carries
 * it. Never runs plugin code here. One thread. */
#include <klinke/plugin.h>
#include <stdio.h>
#include <string.h>

#include "plugin/case.h"
#include "plugin/conform/kit.h"
#include "plugin/session.h"
#include "plugin/wire.h"

#define NOW_MS INT64_C(1795510800000) /* 2026-11-24T09:00:00Z, as cases begin */

static void samples_add(struct kit *kit, struct str name, struct str config,
	const struct json *secrets, const struct plugin_in *in, bool made_up)
{
	struct sample *sample = &kit->samples[kit->sample_count];
	struct buf frame;

	if (kit->sample_count == KIT_SAMPLES)
		return;
	buf_init(&frame, WIRE_MOST);
	wire_put_call(&frame, 1, 1, in);
	*sample = (struct sample){
		.name = str_dup(kit->arena, name),
		.config = str_dup(kit->arena, config),
		.frame = str_dup(kit->arena, (struct str){frame.ptr, frame.len}),
		.kind = in->kind,
		.made_up = made_up,
		.later = in->kind == PLUGIN_STEP && in->step.why != KL_START,
	};
	if (secrets)
		sample->secrets = json_parse(kit->arena, json_print(kit->arena, secrets), NULL);
	kit->sample_count += !frame.failed && sample->frame.ptr;
	buf_finish(&frame);
}

/* ---- from cases --------------------------------------------------------------------------- */

struct reading {
	struct kit *kit;
	const char *file; /* its last part */
	struct str last;  /* name of the case whose calls are counted */
	unsigned calls;
};

static void keep_call(
	struct case_run *run, const struct plugin_in *in, const struct plugin_out *out)
{
	struct reading *r = run->runner->user;

	(void)out;
	if (!r->last.ptr || !str_eq(r->last, run->name)) {
		r->last = str_dup(r->kit->arena, run->name);
		r->calls = 0;
	}
	r->calls++;
	samples_add(r->kit,
		str_of(arena_printf(r->kit->arena, "%s: %.*s%s", r->file, STR_ARG(run->name),
			in->kind == PLUGIN_STEP ? arena_printf(r->kit->arena, ", step %u", r->calls)
						: "")),
		run->config_text, json_get(run->spec, "secrets"), in, false);
}

/* "#   then: expected ..." of the first fault only. */
static void tell_case(
	struct case_runner *runner, const char *place, struct str name, struct str faults)
{
	struct reading *r = runner->user;
	size_t skip = 0, len;

	r->kit->cases++;
	/* it died in a case before, and that has been told */
	if (!faults.len || memmem(faults.ptr, faults.len, "its worker is gone", 18))
		return;
	while (skip < faults.len && strchr("# ", faults.ptr[skip]))
		skip++;
	len = strcspn(faults.ptr + skip, "\n");
	kit_find(r->kit, "cases", false,
		arena_printf(r->kit->arena, "%s: %.*s", place, STR_ARG(name)),
		"let plugin and case say the same; klinke-case shows all that differs", "%.*s",
		(int)(len < 400 ? len : 400), faults.ptr + skip);
}

static void read_file(struct kit *kit, const char *path)
{
	struct error error = {0};
	const char *slash = strrchr(path, '/');
	struct reading reading = {.kit = kit, .file = slash ? slash + 1 : path};
	struct case_runner runner = {
		.info = &kit->info, .called = keep_call, .ended = tell_case, .user = &reading};

	runner.session = session_open(&error, kit->options->zygote, kit->options->path);
	if (runner.session)
		case_file(&runner, path);
	else
		kit_find(kit, "cases", false, path, "see check descriptor", "%s", error.text);
	session_close(runner.session);
}

void check_cases(struct kit *kit)
{
	size_t i;

	for (i = 0; i < kit->file_count; i++)
		read_file(kit, kit->files[i]);
	kit->note = arena_printf(kit->arena, "%u case%s", kit->cases, kit->cases == 1 ? "" : "s");
	if (!kit->cases)
		kit_find(kit, "cases", true, "",
			"write a case file (sdk/README.md), and name it with --cases FILE, or put "
			"it "
			"into cases/ beside the plugin",
			"there are no cases: the kit has only made-up input, which most plugins "
			"refuse at once");
}

/* ---- made up ------------------------------------------------------------------------------ */

static struct str option_value(const struct plugin_option *option)
{
	switch (option->kind & 255u) {
	case KL_OPT_INT:
	case KL_OPT_MS:
	case KL_OPT_BYTES:
		return STR("1000");
	case KL_OPT_BOOL:
		return STR("true");
	case KL_OPT_URL:
		return STR("https://api.example.org");
	case KL_OPT_CHOICE:
		return (struct str){option->choices, strcspn(option->choices, " ")};
	default:
		return STR("x");
	}
}

/* Everything that an operator can fill in is filled in; secrets are there. */
static struct str full_config(struct kit *kit)
{
	struct json *config = json_object(kit->arena);
	size_t i;

	for (i = 0; i < kit->info.option_count; i++) {
		const struct plugin_option *option = &kit->info.options[i];
		uint32_t kind = option->kind & 255u;
		if (strcmp(option->key, "*") == 0 || kind == KL_OPT_EXPR)
			continue;
		if (kind == KL_OPT_SECRET)
			json_put_bool(kit->arena, config, option->key, true);
		else
			json_put_text(kit->arena, config, option->key,
				option->fallback ? str_of(option->fallback) : option_value(option));
	}
	return json_print(kit->arena, config);
}

static const struct json *from_schema(
	struct arena *arena, const struct json *schema, unsigned depth)
{
	const struct json *choices = json_get(schema, "enum"), *types = json_get(schema, "type");
	struct str type = json_text(
		types ? (json_type(types) == JSON_ARRAY ? json_at(types, 0, NULL) : types) : NULL);
	struct json *made;
	struct str key;
	size_t i;

	if (json_count(choices))
		return json_at(choices, 0, NULL);
	if (str_is(type, "object") || json_get(schema, "properties")) {
		made = json_object(arena);
		for (i = 0; depth < 8 && i < json_count(json_get(schema, "properties")); i++) {
			const struct json *inner = json_at(json_get(schema, "properties"), i, &key);
			json_set(arena, made, key, from_schema(arena, inner, depth + 1));
		}
		return made;
	}
	if (str_is(type, "array")) {
		made = json_array(arena);
		if (depth < 8 && json_get(schema, "items"))
			json_push(arena, made,
				from_schema(arena, json_get(schema, "items"), depth + 1));
		return made;
	}
	if (str_is(type, "integer") || str_is(type, "number"))
		return json_of_i64(arena, 1);
	if (str_is(type, "boolean"))
		return json_of_bool(arena, true);
	return json_of_text(arena, STR("2026-11-26T16:15:00Z"));
}

static struct plugin_in call_of(enum plugin_kind kind)
{
	return (struct plugin_in){
		.kind = kind, .attempt = 1, .now_ms = NOW_MS, .seed = 1, .run = STR("conform")};
}

static void make_up_ops(struct kit *kit, struct str config)
{
	size_t i;

	for (i = 0; i < kit->info.op_count; i++) {
		const struct plugin_op *op = &kit->info.ops[i];
		const struct json *schema =
			json_parse(kit->arena, op->schema ? str_of(op->schema) : STR("{}"), NULL);
		struct plugin_in in = call_of(PLUGIN_STEP);
		in.step = (struct plugin_step_in){.why = KL_START,
			.state_version = kit->info.state_version,
			.op = str_of(op->name),
			.input = op->schema ? json_print(kit->arena,
						      from_schema(kit->arena, schema, 0))
					    : STR("{}"),
			.key = STR("0199d4c2-0000-7000-8000-000000000001")};
		samples_add(kit,
			str_of(arena_printf(kit->arena, "made up: operation %s", op->name)), config,
			NULL, &in, true);
	}
}

static void make_up_routes(struct kit *kit, struct str config)
{
	static const char *const bodies[] = {"{\"id\":\"1\",\"type\":\"x\",\"data\":{}}", "[]", ""};
	static const struct plugin_pair lines[] = {
		{{"content-type", 12}, {"application/json", 16}}};
	size_t i, k;

	for (i = 0; i < 3 * kit->info.route_count; i++) {
		const struct plugin_route *route = &kit->info.routes[i / 3];
		struct plugin_inbound inbound = {.route = str_of(route->name),
			.method = STR("POST"),
			.path = STR("/hooks/tenant/connection"),
			.headers = {lines, 1},
			.body = str_of(bodies[i % 3])};
		const char *name = arena_printf(kit->arena, "made up: route \"%s\", body %s",
			route->name, inbound.body.len ? inbound.body.ptr : "empty");
		for (k = PLUGIN_VERIFY; k <= PLUGIN_REPLY; k++) {
			struct plugin_in in = call_of((enum plugin_kind)k);
			if (k == PLUGIN_REPLY && (!route->reply_ms || !kit->info.can_reply))
				continue;
			if (k == PLUGIN_NORMALIZE && !kit->info.can_normalize)
				continue;
			if (k == PLUGIN_REPLY)
				in.reply = (struct plugin_reply_in){
					inbound, 2, STR("{\"say\":\"x\"}")};
			else
				in.inbound = inbound;
			samples_add(kit, str_of(name), config, NULL, &in, true);
		}
	}
}

static void make_up_map(struct kit *kit, struct str config)
{
	static const struct plugin_field fields[] = {
		{{"phone", 5}, {"", 0}, {"office.ini:1", 12}, {"\"+49 30 1234\"", 13}},
		{{"when", 4}, {"text", 4}, {"office.ini:2", 12}, {0}},
		{{"count", 5}, {"text, required", 14}, {"office.ini:3", 12}, {"1.5", 3}},
	};
	struct plugin_in in = call_of(PLUGIN_MAP);

	in.map = (struct plugin_map_in){
		STR("{\"timezone\":\"Europe/Berlin\",\"language\":\"de\",\"country\":\"DE\","
		    "\"now\":\"2026-11-24T09:00:00Z\",\"event\":\"call.ended\",\"data\":{}}"),
		fields, 3};
	samples_add(kit, STR("made up: three fields"), config, NULL, &in, true);
}

void samples_make_up(struct kit *kit)
{
	struct str config = full_config(kit);
	struct plugin_in in = call_of(PLUGIN_CHECK);

	if (kit->info.can_step)
		make_up_ops(kit, config);
	if (kit->info.can_verify)
		make_up_routes(kit, config);
	if (kit->info.can_map)
		make_up_map(kit, config);
	if (kit->info.can_check)
		samples_add(kit, STR("made up: all options"), config, NULL, &in, true);
}
