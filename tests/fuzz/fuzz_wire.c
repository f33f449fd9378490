/* Whatever a worker (or a host) says: reading ends, keeps inside the frame, and what it accepts is
 * written to a frame that reads back the same. The first byte says what the rest is read as; with
 * RUDE it is what a plugin does in a call (rude.h): what breaks the contract has no effect, and
 * what keeps it says the same twice, whatever the structs grow by, and passes the wire. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "plugin/call.h"
#include "plugin/wire.h"
#include "rude.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static const struct plugin_option options[] = {{.key = "secret", .kind = 8}};
static const struct plugin_op ops[] = {{.name = "op", .kind = 1}};
static const struct plugin_info info = {
	.name = "fuzz",
	.events = "a.b c.d",
	.options = options,
	.option_count = 1,
	.ops = ops,
	.op_count = 1,
};

/* One read and write; the arena is the reader's. false: it was refused. */
static bool pass(const struct wire_frame *frame, struct arena *arena, struct buf *out)
{
	struct plugin_info described;
	struct plugin_out answer;
	struct plugin_in call;
	struct error error;
	struct str config;
	uint64_t number;
	bool read = false;

	switch (frame->type) {
	case WIRE_CONFIG:
		read = wire_get_config(frame, &config);
		if (read)
			wire_put_config(out, frame->id, config);
		break;
	case WIRE_CALL:
		read = wire_get_call(frame, arena, &number, &call);
		if (read)
			wire_put_call(out, frame->id, number, &call);
		break;
	case WIRE_HELLO:
		read = wire_get_hello(frame, arena, &described);
		if (read)
			wire_put_hello(out, &described);
		break;
	case WIRE_REFUSED:
		read = wire_get_refused(frame, &error);
		if (read)
			wire_put_refused(out, &error);
		break;
	case WIRE_ANSWER:
		read = wire_get_answer(frame, arena, &answer);
		if (read)
			wire_put_answer(out, frame->id, &answer);
		break;
	default:
		break;
	}
	return read;
}

/* What the host does with a worker's answer. */
static void check_answer(const struct wire_frame *frame, struct arena *arena)
{
	struct plugin_in in = {.kind = (enum plugin_kind)(1 + frame->len % 6)};
	struct plugin_out answer;

	if (frame->type != WIRE_ANSWER || !wire_get_answer(frame, arena, &answer))
		return;
	call_check(&info, &in, NULL, &answer);
	if (answer.status == PLUGIN_FAILED)
		assert(answer.events.count == 0 && answer.macs.count == 0);
}

static void check_round(const struct wire_frame *frame, struct arena *arena)
{
	struct wire_frame again;
	struct buf first, second;

	buf_init(&first, 1 << 24);
	buf_init(&second, 1 << 24);
	if (pass(frame, arena, &first)) {
		assert(!first.failed && wire_next(first.ptr, first.len, &again) > 0);
		assert(pass(&again, arena, &second) || arena_failed(arena));
		if (!arena_failed(arena))
			assert(first.len == second.len &&
				memcmp(first.ptr, second.ptr, first.len) == 0);
	}
	buf_finish(&first);
	buf_finish(&second);
}

static void read_stream(const char *bytes, size_t len)
{
	struct wire_frame frame;
	long taken;

	while ((taken = wire_next(bytes, len, &frame)) > 0) {
		assert((size_t)taken <= len && frame.body + frame.len == bytes + taken);
		bytes += taken;
		len -= (size_t)taken;
	}
}

/* ---- A plugin that does anything ------------------------------------------------------------ */

#define RUDE 0xf1

static const char *const jsons[] = {
	"{}", "{\"say\":\"x\",\"rows\":[1]}", "[1,{\"a\":[true]}]", "{\"a\"", "\"text\"", NULL};

static struct str some_json(void)
{
	const char *text = jsons[rude_byte() % 6];

	return text ? str_of(text) : (struct str){0};
}

static void fill_step(struct plugin_step_in *step)
{
	static struct plugin_response response;

	response = (struct plugin_response){.outcome = 1, .status = 200, .body = STR("[1]")};
	*step = (struct plugin_step_in){.why = 1 + rude_byte() % 5u,
		.looking = rude_byte() & 1,
		.op = STR("op"),
		.input = some_json(),
		.state = some_json(),
		.checkpoint = some_json(),
		.response = rude_byte() & 1 ? &response : NULL};
}

static void fill_map(struct plugin_map_in *map)
{
	static struct plugin_field field;

	map->context = some_json();
	field = (struct plugin_field){
		.key = STR("k"), .spec = STR("text"), .place = STR("o:1"), .value = some_json()};
	map->fields = &field;
	map->field_count = rude_byte() % 2;
}

static struct plugin_in rude_in(void)
{
	struct plugin_in in = {.kind = (enum plugin_kind)(1 + rude_byte() % 6), .run = STR("r")};
	static struct plugin_pair pair;
	struct plugin_inbound inbound = {.route = STR("events"),
		.method = STR("POST"),
		.path = STR("/hooks"),
		.headers = {&pair, 1},
		.body = STR("{}")};

	pair = (struct plugin_pair){STR("x-h"), STR("v")};
	if (in.kind == PLUGIN_STEP)
		fill_step(&in.step);
	else if (in.kind == PLUGIN_MAP)
		fill_map(&in.map);
	else if (in.kind == PLUGIN_REPLY)
		in.reply = (struct plugin_reply_in){inbound, 1 + rude_byte() % 4u, some_json()};
	else
		in.inbound = inbound;
	return in;
}

static void check_out(const struct plugin_out *out, const struct plugin_limits *limits)
{
	assert(out->status == PLUGIN_OK || out->status == PLUGIN_FAILED);
	assert(out->logs.count <= limits->notes);
	if (out->status == PLUGIN_FAILED) {
		assert(out->error.code < 0 && str_utf8_ok(str_of(out->error.text)));
		assert(!out->macs.count && !out->secrets.count && !out->events.count);
		assert(!out->starts.count && !out->problems.count);
		assert(!out->rows.len && !out->checkpoint.len && !out->mapped.len);
		assert(!out->answer.kind && !out->next.then);
	}
	assert(out->events.count <= limits->events && out->checkpoint.len <= limits->state);
}

/* Its answer as a worker would send it; the shape is of every second time. */
static void rude_call(
	const uint8_t *bytes, size_t len, const struct call_shape *shape, struct buf *said)
{
	struct loaded plugin = {.raw = rude_plugin, .info = info};
	struct plugin_limits limits = {.state = 64, .events = 3, .rows = 30, .notes = 20};
	struct plugin_out out;
	struct plugin_in in;
	struct arena *arena;

	rude_begin(bytes, len);
	limits.memory = (size_t)16384 << rude_byte() % 4 * 3;
	in = rude_in();
	if (rude_byte() == 255) /* it has only one of them */
		plugin.raw = (kl_plugin){.size = sizeof(kl_plugin), .check = rude_plugin.check};
	arena = arena_create(limits.memory);
	assert(arena);
	call_run_shaped(shape, &plugin, NULL, &in, &limits, arena, &out);
	check_out(&out, &limits);
	wire_put_answer(said, 1, &out);
	if (arena_failed(arena))
		said->failed = true; /* of bigger structs fewer fit */
	arena_destroy(arena);
}

static void check_rude(const uint8_t *bytes, size_t len)
{
	const struct call_shape grown = {.grow = 48};
	struct wire_frame frame;
	struct arena *arena = arena_create(4 << 20);
	struct buf first, second;

	buf_init(&first, 1 << 24);
	buf_init(&second, 1 << 24);
	rude_call(bytes, len, NULL, &first);
	rude_call(bytes, len, &grown, &second);
	if (!first.failed && !second.failed) {
		assert(first.len == second.len && memcmp(first.ptr, second.ptr, first.len) == 0);
		assert(wire_next(first.ptr, first.len, &frame) == (long)first.len);
		check_answer(&frame, arena);
		check_round(&frame, arena);
	}
	buf_finish(&first);
	buf_finish(&second);
	arena_destroy(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct arena *arena = arena_create(4 << 20);
	struct wire_frame frame = {.id = 1};

	read_stream((const char *)bytes, len);
	if (len && bytes[0] == RUDE) {
		check_rude(bytes + 1, len - 1);
	} else if (len) {
		frame.type = bytes[0] % 8;
		frame.body = (const char *)bytes + 1;
		frame.len = len - 1;
		check_round(&frame, arena);
		check_answer(&frame, arena);
	}
	arena_destroy(arena);
	return 0;
}
