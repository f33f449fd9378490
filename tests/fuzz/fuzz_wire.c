/* Whatever a worker (or a host) says: reading ends, keeps inside the frame, and what it accepts is
 * written to a frame that reads back the same. The first byte says what the rest is read as. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "plugin/call.h"
#include "plugin/wire.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct arena *arena = arena_create(4 << 20);
	struct wire_frame frame = {.id = 1};

	read_stream((const char *)bytes, len);
	if (len) {
		frame.type = bytes[0] % 8;
		frame.body = (const char *)bytes + 1;
		frame.len = len - 1;
		check_round(&frame, arena);
		check_answer(&frame, arena);
	}
	arena_destroy(arena);
	return 0;
}
