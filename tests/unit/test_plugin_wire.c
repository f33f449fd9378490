/* The wire: what goes in comes out, and nothing that was cut or changed is believed. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <klinke/plugin.h>

#include "base/arena.h"
#include "plugin/wire.h"

#define T(text)                                                                                    \
	{                                                                                          \
		"" text, sizeof(text) - 1                                                          \
	} /* STR() is no constant */

static int setup(void **state)
{
	*state = arena_create(8 << 20);
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	arena_destroy(*state);
	return 0;
}

static const struct plugin_pair pairs[] = {
	{T("x-a"), T("1")}, {T("x-b"), {"\xff\0z", 3}}, /* values of headers are bytes */
};
static const struct plugin_field fields[] = {
	{T("start"), T("datetime"), T("office.ini:3"), T("\"now\"")},
	{T("name"), T("text"), T("office.ini:4"), {NULL, 0}},
};
static const struct plugin_response response = {
	.outcome = KL_UNKNOWN,
	.status = 502,
	.attempts = 3,
	.retry_after_ms = -1,
	.reason = T("cut"),
	.headers = {pairs, 2},
	.body = T("{}"),
};

/* One call of each kind, with everything set. */
static struct plugin_in sample_in(enum plugin_kind kind)
{
	struct plugin_inbound inbound = {
		.route = T("ask"),
		.method = T("POST"),
		.path = T("/hooks/a/b/ask"),
		.query = {pairs, 1},
		.headers = {pairs, 2},
		.body = {"\0\xff", 2},
	};
	struct plugin_in in = {
		.kind = kind,
		.attempt = 2,
		.now_ms = INT64_C(1795510800000),
		.seed = UINT64_MAX,
		.run = T("run-1"),
	};

	if (kind == PLUGIN_VERIFY || kind == PLUGIN_NORMALIZE)
		in.inbound = inbound;
	if (kind == PLUGIN_REPLY)
		in.reply =
			(struct plugin_reply_in){inbound, KL_REPLY_DONE, T("{\"say\":\"hallo\"}")};
	if (kind == PLUGIN_STEP)
		in.step = (struct plugin_step_in){KL_LOOKUP, 7, 1, 1, T("calendar.book"), T("{}"),
			T("1"), {NULL, 0}, &response, T("key")};
	if (kind == PLUGIN_MAP)
		in.map = (struct plugin_map_in){T("{}"), fields, 2};
	return in;
}

static struct plugin_out sample_out(void)
{
	static struct str pieces[] = {{"a\0b", 3}, T("c")};
	static struct plugin_mac macs[] = {{T("sha256"), T("key"), pieces, 2, pieces, 1},
		{T("sha1"), T("key"), NULL, 0, NULL, 0}};
	static struct plugin_secret secrets[] = {{T("token"), {"\xff", 1}}};
	static struct plugin_event events[] = {
		{5, T("a.b"), T("d"), T("s"), T("r"), T("+49"), T("{\"ä\":1}")}};
	static struct plugin_start starts[] = {{T("op"), T("null"), T("d"), T("s")}};
	static struct plugin_complaint problems[] = {{T("p"), T("m")}};
	static struct plugin_note logs[] = {{3, T("oh")}};

	return (struct plugin_out){
		.returned = KL_CONFLICT,
		.answer = {KL_REJECT, 401, 403, T("text/plain"), T("why"), {"\xff", 1}},
		.next = {KL_SEND, 5, T("{}"), T("1"), true,
			{KL_KEYED, 9, T("GET"), T("/x"), T("key"), T("label"), T("a/b"), {pairs, 2},
				{"\0", 1}},
			KL_BUSY, T("code"), T("message"), T("{}")},
		.mapped = T("{}"),
		.macs = {macs, 2},
		.secrets = {secrets, 1},
		.events = {events, 1},
		.starts = {starts, 1},
		.problems = {problems, 1},
		.logs = {logs, 1},
		.rows = T("[1]"),
		.checkpoint = T("2"),
	};
}

static struct wire_frame only_frame(const struct buf *bytes)
{
	struct wire_frame frame;

	assert_false(bytes->failed);
	assert_int_equal(wire_next(bytes->ptr, bytes->len, &frame), (long)bytes->len);
	return frame;
}

static void assert_same(struct buf *a, struct buf *b)
{
	assert_int_equal(a->len, b->len);
	assert_memory_equal(a->ptr, b->ptr, a->len);
	buf_finish(a);
	buf_finish(b);
}

static void calls_of_every_kind_arrive_whole(void **state)
{
	int kind;

	for (kind = PLUGIN_VERIFY; kind <= PLUGIN_CHECK; kind++) {
		struct plugin_in in = sample_in((enum plugin_kind)kind), got;
		struct wire_frame frame;
		struct buf first, second;
		uint64_t config;
		buf_init(&first, 1 << 20);
		buf_init(&second, 1 << 20);
		wire_put_call(&first, 77, 5, &in);
		frame = only_frame(&first);
		assert_int_equal(frame.type, WIRE_CALL);
		assert_int_equal(frame.id, 77);
		assert_true(wire_get_call(&frame, *state, &config, &got));
		assert_int_equal(config, 5);
		assert_int_equal(got.kind, kind);
		assert_int_equal(got.seed, UINT64_MAX);
		wire_put_call(&second, 77, config, &got);
		assert_same(&first, &second);
	}
}

static void members_arrive_where_they_belong(void **state)
{
	struct plugin_in in = sample_in(PLUGIN_STEP), got;
	struct wire_frame frame;
	struct buf bytes;
	uint64_t config;

	buf_init(&bytes, 1 << 20);
	wire_put_call(&bytes, 1, 0, &in);
	frame = only_frame(&bytes);
	assert_true(wire_get_call(&frame, *state, &config, &got));
	assert_string_equal(got.step.op.ptr, "calendar.book");
	assert_string_equal(got.step.state.ptr, "1");
	assert_null(got.step.checkpoint.ptr);
	assert_int_equal(got.step.response->status, 502);
	assert_int_equal(got.step.response->retry_after_ms, -1);
	assert_int_equal(got.step.response->headers.items[1].value.len, 3);
	assert_int_equal(got.step.response->headers.items[1].value.ptr[3], 0);
	buf_finish(&bytes);
}

static void answers_arrive_whole(void **state)
{
	struct plugin_out out = sample_out(), got;
	struct wire_frame frame;
	struct buf first, second;

	buf_init(&first, 1 << 20);
	buf_init(&second, 1 << 20);
	wire_put_answer(&first, 9, &out);
	frame = only_frame(&first);
	assert_true(wire_get_answer(&frame, *state, &got));
	assert_int_equal(got.macs.items[0].pieces[0].len, 3);
	assert_int_equal(got.next.request.headers.count, 2);
	assert_string_equal(got.events.items[0].data.ptr, "{\"ä\":1}");
	assert_int_equal(got.logs.items[0].level, 3);
	wire_put_answer(&second, 9, &got);
	assert_same(&first, &second);
}

static void a_cut_frame_is_refused_at_every_length(void **state)
{
	struct plugin_out out = sample_out(), got;
	struct wire_frame frame, cut;
	struct buf bytes;
	size_t len;

	buf_init(&bytes, 1 << 20);
	wire_put_answer(&bytes, 9, &out);
	frame = only_frame(&bytes);
	for (len = 0; len < bytes.len; len++)
		assert_int_equal(wire_next(bytes.ptr, len, &cut), 0);
	for (len = 0; len < frame.len; len++) {
		char *copy = malloc(len + 1); /* exactly as long, for ASan */
		memcpy(copy, frame.body, len);
		cut = (struct wire_frame){WIRE_ANSWER, 9, copy, len};
		assert_false(wire_get_answer(&cut, *state, &got));
		free(copy);
	}
	cut = frame;
	cut.len++; /* the buffer's NUL: one byte too many */
	assert_false(wire_get_answer(&cut, *state, &got));
	buf_finish(&bytes);
}

static void text_of_a_worker_must_be_text(void **state)
{
	struct plugin_out out = {.next = {.message = T("caf\xe9")}}, got;
	struct wire_frame frame;
	struct buf bytes;

	buf_init(&bytes, 1 << 20);
	wire_put_answer(&bytes, 9, &out);
	frame = only_frame(&bytes);
	assert_false(wire_get_answer(&frame, *state, &got));
	buf_finish(&bytes);
}

static void a_worker_cannot_claim_what_only_the_host_knows(void **state)
{
	struct plugin_out out = {.status = PLUGIN_DISABLED}, got;
	struct wire_frame frame;
	struct buf bytes;

	buf_init(&bytes, 1 << 20);
	wire_put_answer(&bytes, 9, &out);
	frame = only_frame(&bytes);
	assert_false(wire_get_answer(&frame, *state, &got));
	buf_finish(&bytes);
}

static void absurd_lengths_are_broken_frames(void **state)
{
	static const uint32_t lengths[] = {0, 11, 0x04000001, 0xffffffff};
	struct wire_frame frame;
	char bytes[32] = {0};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		memcpy(bytes, &lengths[i], 4);
		assert_int_equal(wire_next(bytes, sizeof(bytes), &frame), -1);
	}
}

static void a_count_cannot_ask_for_more_than_the_frame_holds(void **state)
{
	struct plugin_in in = {.kind = PLUGIN_MAP, .map = {.context = T("{}")}}, got;
	struct wire_frame frame;
	struct buf bytes;
	uint32_t many = 0x7fffffff;
	uint64_t config;

	buf_init(&bytes, 1 << 20);
	wire_put_call(&bytes, 1, 0, &in);
	memcpy(bytes.ptr + bytes.len - sizeof(many), &many, sizeof(many));
	frame = only_frame(&bytes);
	assert_false(wire_get_call(&frame, *state, &config, &got));
	assert_false(arena_failed(*state));
	buf_finish(&bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(calls_of_every_kind_arrive_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(members_arrive_where_they_belong, setup, teardown),
		cmocka_unit_test_setup_teardown(answers_arrive_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_cut_frame_is_refused_at_every_length, setup, teardown),
		cmocka_unit_test_setup_teardown(text_of_a_worker_must_be_text, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_worker_cannot_claim_what_only_the_host_knows, setup, teardown),
		cmocka_unit_test(absurd_lengths_are_broken_frames),
		cmocka_unit_test_setup_teardown(
			a_count_cannot_ask_for_more_than_the_frame_holds, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
