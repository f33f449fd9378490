/* One call in this process: what the host's functions give a plugin, and that a call with no memory
 * left fails as a whole instead of giving half a result. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <klinke/sugar.h>

#include "base/arena.h"
#include "plugin/call.h"
#include "plugin/host.h"

struct fixture {
	struct arena *arena, *loading;
	struct loaded sample;
	struct host_call call;
	struct plugin_out out;
	kl_call *c;
};

static int setup(void **state)
{
	static const struct plugin_in in = {.kind = PLUGIN_STEP, .now_ms = 42, .seed = 7};
	struct fixture *f = calloc(1, sizeof(*f));
	struct error error = {0};

	f->arena = arena_create(16 << 20);
	f->loading = arena_create(1 << 20);
	if (load_plugin(&error, f->loading, TEST_PLUGINS "/sample.so", "sample", "sample.so",
		    &f->sample))
		fail_msg("%s", error.text);
	host_call_init(&f->call, f->arena, NULL, &in, &f->out);
	f->c = &f->call.pub;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	arena_destroy(f->arena);
	arena_destroy(f->loading);
	free(f);
	return 0;
}

/* ---- the function table ------------------------------------------------------------ */

static void readers_take_nothing_and_answer_nothing(void **state)
{
	struct fixture *f = *state;
	const kl_host *h = f->c->host;
	kl_str key = {"x", 1, 0};

	assert_int_equal(h->type(NULL), KL_NONE);
	assert_int_equal(h->count(NULL), 0);
	assert_null(h->find(NULL, "a"));
	assert_null(h->at(NULL, 0, &key));
	assert_null(key.ptr);
	assert_null(h->text(NULL).ptr);
	assert_int_equal(h->i64(NULL, 5), 5);
	assert_true(h->f64(NULL, 0.5) == 0.5);
	assert_null(h->of_text(f->c, (kl_str){0, 0, 0}));
	assert_null(h->from_json(f->c, (kl_str){0, 0, 0}));
	assert_null(h->to_json(f->c, NULL).ptr);
	assert_null(h->encode(f->c, "hex", (kl_str){0, 0, 0}).ptr);
	assert_null(h->decode(f->c, NULL, KL_LIT("00")).ptr);
	assert_null(h->hash(f->c, "md5", KL_LIT("x")).ptr);
	assert_null(h->extension("kl.mail/1"));
	assert_null(h->extension(NULL));
	h->set(f->c, NULL, KL_LIT("a"), NULL);
	h->push(f->c, NULL, NULL);
	assert_false(arena_failed(f->arena));
}

static void values_are_read_by_path_and_pointer(void **state)
{
	struct fixture *f = *state;
	const kl_val *v = f->c->host->from_json(
		f->c, KL_LIT("{\"a\":{\"b\":[10,20.50]},\"hub.mode\":[true]}"));
	kl_str text = kl_text(f->c, v, "a.b.1");

	assert_int_equal(kl_i64(f->c, v, "a.b.0", -1), 10);
	assert_true(kl_eq(text, "20.50"));
	assert_int_equal(text.ptr[text.len], 0);
	assert_true(kl_true(f->c, v, "/hub.mode/0"));
	assert_int_equal(f->c->host->type(f->c->host->find(v, "")), KL_OBJECT);
}

static void values_are_built_and_frozen(void **state)
{
	struct fixture *f = *state;
	const kl_host *h = f->c->host;
	kl_val *outer = h->object(f->c), *inner = h->array(f->c);

	h->push(f->c, inner, h->of_f64(f->c, 0.5));
	h->push(f->c, inner, NULL);
	kl_set(f->c, outer, "list", inner);
	kl_set_text(f->c, outer, "absent", (kl_str){0, 0, 0});
	kl_set_i64(f->c, outer, "n", 1);
	kl_set_i64(f->c, outer, "n", INT64_MIN);
	kl_set(f->c, outer, "null", h->of_null(f->c));
	assert_string_equal(h->to_json(f->c, outer).ptr,
		"{\"list\":[0.5],\"n\":-9223372036854775808,\"null\":null}");
	assert_false(arena_failed(f->arena));
	h->push(f->c, inner, h->of_bool(f->c, 1));
	assert_true(arena_failed(f->arena));
}

static void bytes_are_converted_and_hashed(void **state)
{
	struct fixture *f = *state;
	const kl_host *h = f->c->host;
	kl_str sum = h->hash(f->c, "sha256", KL_LIT("abc"));

	assert_int_equal(sum.len, 32);
	assert_string_equal(h->encode(f->c, "hex", sum).ptr,
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_string_equal(h->encode(f->c, "percent", KL_LIT("a b/ä")).ptr, "a%20b%2F%C3%A4");
	assert_string_equal(h->decode(f->c, "base64url", KL_LIT("aGk_")).ptr, "hi?");
	assert_null(h->decode(f->c, "hex", KL_LIT("0")).ptr);
}

static void an_absurd_size_fails_the_call_only(void **state)
{
	struct fixture *f = *state;

	assert_null(f->c->host->alloc(f->c, UINT64_MAX));
	assert_true(arena_failed(f->arena));
	assert_null(f->c->host->object(f->c));
}

static void civil_time_knows_gaps_and_folds(void **state)
{
	struct fixture *f = *state;
	const kl_time1 *time = f->c->host->extension("kl.time/1");
	kl_civil civil = {.size = sizeof(civil)};
	int64_t ms;

	assert_int_equal(time->civil(f->c, "Europe/Berlin", INT64_C(1795709700000), &civil), 1);
	assert_int_equal(civil.hour, 17);
	assert_int_equal(civil.weekday, 4);
	assert_int_equal(civil.offset_s, 3600);
	assert_int_equal(time->civil(f->c, "Mars/Olympus", 0, &civil), 0);
	civil = (kl_civil){.size = sizeof(civil),
		.year = 2026,
		.month = 3,
		.day = 29,
		.hour = 2,
		.minute = 30};
	assert_int_equal(time->instant(f->c, "Europe/Berlin", &civil, &ms), 0);
	civil.month = 10;
	civil.day = 25;
	assert_int_equal(time->instant(f->c, "Europe/Berlin", &civil, &ms), 2);
	civil.day = 32;
	assert_int_equal(time->instant(f->c, "Europe/Berlin", &civil, &ms), -1);
	assert_int_equal(time->parse(f->c, KL_LIT("2026-11-26T17:15:00"), NULL, &ms), 0);
	assert_int_equal(time->parse(f->c, KL_LIT("2026-11-26T17:15:00"), "Europe/Berlin", &ms), 1);
	assert_string_equal(time->print(f->c, ms, NULL).ptr, "2026-11-26T16:15:00Z");
	assert_string_equal(
		time->print(f->c, ms, "Europe/Berlin").ptr, "2026-11-26T17:15:00+01:00");
}

/* An older plugin's struct is shorter: only what it has room for may be filled. */
static void a_short_civil_is_not_overrun(void **state)
{
	struct fixture *f = *state;
	const kl_time1 *time = f->c->host->extension("kl.time/1");
	uint32_t room[5] = {16, 0, 0, 0, 0xabcd};

	assert_int_equal(time->civil(f->c, "UTC", 0, (kl_civil *)(void *)room), 1);
	assert_int_equal(room[1], 1970);
	assert_int_equal(room[3], 1);
	assert_int_equal(room[4], 0xabcd);
}

/* ---- whole calls --------------------------------------------------------------------- */

static struct plugin_in create_step(void)
{
	return (struct plugin_in){
		.kind = PLUGIN_STEP,
		.step = {.why = KL_START,
			.op = STR("create"),
			.input = STR("{\"name\":\"x\"}"),
			.key = STR("k")},
	};
}

static void what_is_not_terminated_is_terminated_for_the_plugin(void **state)
{
	struct fixture *f = *state;
	struct plugin_in in = create_step();
	struct str all = STR("create{\"name\":\"x\"}kkk");

	in.step.op = (struct str){all.ptr, 6};
	in.step.input = (struct str){all.ptr + 6, 12};
	in.step.key = (struct str){all.ptr + 18, 2};
	call_run(&f->sample, NULL, &in, NULL, f->arena, &f->out);
	assert_int_equal(f->out.status, PLUGIN_OK);
	assert_string_equal(f->out.next.request.body.ptr, "{\"name\":\"x\",\"key\":\"kk\"}");
}

static void broken_arguments_are_the_hosts_fault(void **state)
{
	struct fixture *f = *state;
	struct plugin_in in = create_step();

	in.step.state = STR("{broken");
	call_run(&f->sample, NULL, &in, NULL, f->arena, &f->out);
	assert_int_equal(f->out.status, PLUGIN_FAILED);
	assert_non_null(strstr(f->out.error.text, "the host passed a broken state"));
}

static struct plugin_in inbound_call(enum plugin_kind kind)
{
	static const struct plugin_pair headers[] = {{{"x-signature", 11}, {"00ff", 4}}};
	struct plugin_in in = {.kind = kind};
	struct plugin_inbound inbound = {
		.method = STR("POST"),
		.headers = {headers, 1},
		.body = STR("{\"events\":[{\"id\":\"1\",\"phone\":\"+49\"},{\"id\":\"2\"}],"
			    "\"look\":true}"),
	};

	if (kind == PLUGIN_REPLY)
		in.reply = (struct plugin_reply_in){
			inbound, KL_REPLY_DONE, STR("{\"say\":\"hallo\"}")};
	else
		in.inbound = inbound;
	return in;
}

static struct plugin_in map_call(void)
{
	static const struct plugin_field fields[] = {
		{{"start", 5}, {"datetime", 8}, {"a:1", 3}, {"\"2026-11-26T17:15:00Z\"", 22}},
		{{"name", 4}, {"text", 4}, {"a:2", 3}, {"\"Eva\"", 5}},
		{{"none", 4}, {"text", 4}, {"a:3", 3}, {NULL, 0}},
	};

	return (struct plugin_in){.kind = PLUGIN_MAP, .map = {.context = STR("{}"), fields, 3}};
}

/* Fails the first, the second, ... allocation until one run needs none that fails. */
static void starve(struct fixture *f, const struct plugin_in *in, unsigned least)
{
	unsigned nth;

	for (nth = 1; nth < 2000; nth++) {
		struct plugin_out out;
		arena_reset(f->arena);
		arena_starve(f->arena, nth);
		call_run(&f->sample, NULL, in, NULL, f->arena, &out);
		if (out.status == PLUGIN_OK)
			break;
		assert_int_equal(out.status, PLUGIN_FAILED);
		assert_int_equal(out.events.count + out.macs.count + out.starts.count, 0);
		assert_null(out.mapped.ptr);
		assert_false(out.next.has_request);
	}
	arena_starve(f->arena, 0);
	assert_in_range(nth, least, 1999);
}

static void no_allocation_may_fail_unnoticed(void **state)
{
	struct fixture *f = *state;
	struct plugin_in verify = inbound_call(PLUGIN_VERIFY);
	struct plugin_in normalize = inbound_call(PLUGIN_NORMALIZE);
	struct plugin_in reply = inbound_call(PLUGIN_REPLY);
	struct plugin_in step = create_step(), map = map_call();
	struct plugin_in check = {.kind = PLUGIN_CHECK};

	starve(f, &verify, 10);
	starve(f, &normalize, 20);
	starve(f, &reply, 10);
	starve(f, &step, 10);
	starve(f, &map, 10);
	starve(f, &check, 2);
}

/* An answer below 200 is none yet, and whoever is refused must not hear of success. */
static void only_statuses_that_answer_are_taken(void **state)
{
	static const struct {
		enum plugin_kind kind;
		struct plugin_answer answer;
		bool good;
	} cases[] = {
		{PLUGIN_VERIFY, {.kind = KL_ACCEPT}, true},
		{PLUGIN_VERIFY, {.kind = KL_ACCEPT, .status = 204, .refused = 403}, true},
		{PLUGIN_VERIFY, {.kind = KL_ACCEPT, .status = 100}, false},
		{PLUGIN_VERIFY, {.kind = KL_HANDSHAKE, .status = 199}, false},
		{PLUGIN_VERIFY, {.kind = KL_REJECT, .status = 403}, true},
		{PLUGIN_VERIFY, {.kind = KL_REJECT, .status = 200}, false},
		{PLUGIN_VERIFY, {.kind = KL_ACCEPT, .refused = 204}, false},
		{PLUGIN_VERIFY, {.kind = KL_ACCEPT, .status = 600}, false},
		{PLUGIN_REPLY, {.status = 200}, true},
		{PLUGIN_REPLY, {.status = 150}, false},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct plugin_in in = {.kind = cases[i].kind};
		struct plugin_out out = {.status = PLUGIN_OK, .answer = cases[i].answer};
		call_check(&f->sample.info, &in, NULL, &out);
		assert_int_equal(out.status, cases[i].good ? PLUGIN_OK : PLUGIN_FAILED);
	}
}

static void rows_of_several_steps_become_one_list(void **state)
{
	struct fixture *f = *state;
	const struct str rows[] = {STR("[{\"id\":1}]"), STR("[]"), STR("[2,3]")};

	assert_string_equal(call_merge_rows(f->arena, STR("{\"n\":1}"), rows, 3).ptr,
		"{\"n\":1,\"rows\":[{\"id\":1},2,3]}");
	assert_string_equal(
		call_merge_rows(f->arena, STR("{\"n\":1}"), rows + 1, 1).ptr, "{\"n\":1}");
	assert_null(call_merge_rows(f->arena, STR("[]"), rows, 1).ptr);
	assert_null(call_merge_rows(f->arena, STR("{}"), (struct str[]){STR("{}")}, 1).ptr);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(readers_take_nothing_and_answer_nothing),
		cmocka_unit_test(values_are_read_by_path_and_pointer),
		cmocka_unit_test(values_are_built_and_frozen),
		cmocka_unit_test(bytes_are_converted_and_hashed),
		cmocka_unit_test(an_absurd_size_fails_the_call_only),
		cmocka_unit_test(civil_time_knows_gaps_and_folds),
		cmocka_unit_test(a_short_civil_is_not_overrun),
		cmocka_unit_test(what_is_not_terminated_is_terminated_for_the_plugin),
		cmocka_unit_test(broken_arguments_are_the_hosts_fault),
		cmocka_unit_test(no_allocation_may_fail_unnoticed),
		cmocka_unit_test(only_statuses_that_answer_are_taken),
		cmocka_unit_test(rows_of_several_steps_become_one_list),
	};
	size_t i;
	struct CMUnitTest each[sizeof(tests) / sizeof(*tests)];

	memcpy(each, tests, sizeof(tests));
	for (i = 0; i < sizeof(tests) / sizeof(*tests); i++) {
		each[i].setup_func = setup;
		each[i].teardown_func = teardown;
	}
	return cmocka_run_group_tests(each, NULL, NULL);
}
