/* Texts, buffers, UTF-8 and the four encodings. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"

static struct arena *arena;

static int setup(void **state)
{
	(void)state;
	arena = arena_create(1 << 20);
	return arena ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	arena_destroy(arena);
	return 0;
}

static void nothing_and_empty_are_equal_but_not_the_same(void **state)
{
	struct str nothing = {0};

	(void)state;
	assert_true(str_eq(nothing, STR("")));
	assert_null(str_of(NULL).ptr);
	assert_null(str_dup(arena, nothing).ptr);
	assert_non_null(str_dup(arena, STR("")).ptr);
	assert_true(str_is(STR("ab"), "ab"));
	assert_false(str_is(STR("ab"), "abc"));
	assert_false(str_eq(STR("a\0b"), STR("a\0c")));
	assert_int_equal(str_dup(arena, STR("a\0b")).ptr[3], 0);
}

static void how_it_begins_and_whether_it_is_one_line(void **state)
{
	(void)state;
	assert_true(str_begins(STR("call.ended"), "call."));
	assert_true(str_begins(STR("call."), "call."));
	assert_false(str_begins(STR("call"), "call."));
	assert_false(str_begins((struct str){0}, "call."));
	assert_true(str_one_line(STR("a\tb \xc3\xa4")));
	assert_false(str_one_line(STR("a\r\nb: c")));
	assert_false(str_one_line((struct str){"a\0b", 3}));
	assert_false(str_one_line(STR("\x7f")));
	assert_int_equal(str_hex('9'), 9);
	assert_int_equal(str_hex('a'), 10);
	assert_int_equal(str_hex('F'), 15);
	assert_int_equal(str_hex('g'), -1);
}

static void utf8_is_checked_to_the_letter(void **state)
{
	static const struct str good[] = {
		{"", 0},
		{"abc", 3},
		{"\xc2\x80", 2},
		{"\xdf\xbf", 2},
		{"\xe0\xa0\x80", 3},
		{"\xed\x9f\xbf", 3},
		{"\xee\x80\x80", 3},
		{"\xf0\x90\x80\x80", 4},
		{"\xf4\x8f\xbf\xbf", 4},
		{"1234567\xc3\xa4"
		 "90123456",
			17},
	};
	static const struct str bad[] = {
		{"\x80", 1},
		{"\xc0\x80", 2},
		{"\xc1\xbf", 2},
		{"\xc3", 1},
		{"\xc3(", 2},
		{"\xe0\x9f\xbf", 3},
		{"\xed\xa0\x80", 3},
		{"\xe2\x82", 2},
		{"\xe2(\x80", 3},
		{"\xf0\x8f\xbf\xbf", 4},
		{"\xf4\x90\x80\x80", 4},
		{"\xf5\x80\x80\x80", 4},
		{"\xff", 1},
		{"\xfe", 1},
		{"12345678\x80", 9},
		{"1234567\x80", 8},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(*good); i++)
		assert_true(str_utf8_ok(good[i]));
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(str_utf8_ok(bad[i]));
	assert_int_equal(str_utf8_span(STR("abc\xc3\xa4\xff")), 5);
}

static void round_trip(const char *how, struct str plain, const char *coded)
{
	struct str out = str_encode(arena, how, plain);

	assert_string_equal(out.ptr, coded);
	assert_int_equal(out.len, strlen(coded));
	out = str_decode(arena, how, str_of(coded));
	assert_non_null(out.ptr);
	assert_true(str_eq(out, plain));
	assert_int_equal(out.ptr[out.len], 0);
}

static void encodings_go_there_and_back(void **state)
{
	(void)state;
	round_trip("hex", STR("\x00\xff\x1a"), "00ff1a");
	round_trip("hex", STR(""), "");
	round_trip("base64", STR(""), "");
	round_trip("base64", STR("f"), "Zg==");
	round_trip("base64", STR("fo"), "Zm8=");
	round_trip("base64", STR("foo"), "Zm9v");
	round_trip("base64", STR("foob"), "Zm9vYg==");
	round_trip("base64", STR("\xfb\xff\xfe"), "+//+");
	round_trip("base64url", STR("\xfb\xff\xfe"), "-__-");
	round_trip("base64url", STR("foob"), "Zm9vYg");
	round_trip("percent", STR("a b/\xc3\xa4~_.-"), "a%20b%2F%C3%A4~_.-");
	assert_true(str_is(str_decode(arena, "hex", STR("0aFf")), "\x0a\xff"));
	assert_true(str_is(str_decode(arena, "percent", STR("a+b%2fc")), "a+b/c"));
}

static void every_byte_survives(void **state)
{
	static const char *const hows[] = {"hex", "base64", "base64url", "percent"};
	char bytes[256];
	size_t i, len;

	(void)state;
	for (i = 0; i < 256; i++)
		bytes[i] = (char)i;
	for (i = 0; i < 4; i++)
		for (len = 0; len <= 256; len += 17) {
			struct str coded = str_encode(arena, hows[i], (struct str){bytes, len});
			assert_true(str_eq(
				str_decode(arena, hows[i], coded), (struct str){bytes, len}));
		}
}

static void invalid_codes_are_nothing(void **state)
{
	static const char *const bad[][2] = {
		{"hex", "0"},
		{"hex", "0g"},
		{"base64", "Zg"},
		{"base64", "Zg="},
		{"base64", "Z==="},
		{"base64", "Zh=="},
		{"base64", "Zg==Zg=="},
		{"base64", "-__-"},
		{"base64", "Zm 9"},
		{"base64url", "+//+"},
		{"base64url", "Zg=="},
		{"base64url", "Z"},
		{"base64url", "Zh"},
		{"percent", "%"},
		{"percent", "%4"},
		{"percent", "%4x"},
		{"rot13", "abc"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_null(str_decode(arena, bad[i][0], str_of(bad[i][1])).ptr);
	assert_null(str_encode(arena, "rot13", STR("abc")).ptr);
	assert_null(str_encode(arena, "hex", (struct str){0}).ptr);
}

static void a_buffer_grows_to_its_maximum_and_no_further(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 10);
	buf_add_text(&buf, "12345");
	buf_printf(&buf, "%d", 67890);
	assert_false(buf.failed);
	assert_string_equal(buf.ptr, "1234567890");
	buf_add(&buf, "x", 1);
	assert_true(buf.failed);
	assert_int_equal(buf.len, 10);
	buf_reset(&buf);
	buf_add_str(&buf, STR("again"));
	assert_false(buf.failed);
	assert_string_equal(buf.ptr, "again");
	buf_drop(&buf, 2);
	assert_string_equal(buf.ptr, "ain");
	buf_drop(&buf, 3);
	assert_int_equal(buf.len, 0);
	buf_finish(&buf);
	assert_null(buf.ptr);
}

static void typos_find_their_name(void **state)
{
	static const char *const names[] = {"timezone", "language", "tenant", "on", "is", NULL};

	(void)state;
	assert_string_equal(str_nearest(STR("timzone"), names), "timezone");
	assert_string_equal(str_nearest(STR("TENANT"), names), "tenant");
	assert_string_equal(str_nearest(STR("onn"), names), "on");
	assert_null(str_nearest(STR("xyzzy"), names));
	assert_null(str_nearest(STR(""), names));
	assert_null(str_nearest(STR("an"), (const char *const[]){NULL}));
}

static void errors_are_filled_and_cut_at_characters(void **state)
{
	struct error error = {0};
	char text[1000];
	size_t i;

	(void)state;
	assert_int_equal(error_at(&error, E_INVALID, "a:1:2", "bad %d", 7), E_INVALID);
	assert_string_equal(error.text, "bad 7");
	assert_string_equal(error.place, "a:1:2");
	assert_int_equal(error_set(&error, E_BUSY, "later"), E_BUSY);
	assert_string_equal(error.place, "");
	assert_int_equal(error_set(NULL, E_IO, "x"), E_IO);
	assert_string_equal(error_name(E_NOTFOUND), "not found");
	assert_string_equal(error_name(E_CLOSED), "closed");
	assert_string_equal(error_name(-99), "unknown error");
	text[0] = 'x';
	for (i = 1; i + 2 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa4", 3);
	error_set(&error, E_IO, "%s", text);
	assert_true(str_utf8_ok(str_of(error.text)));
	assert_in_range(strlen(error.text), 470, 479);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_and_empty_are_equal_but_not_the_same),
		cmocka_unit_test(how_it_begins_and_whether_it_is_one_line),
		cmocka_unit_test(utf8_is_checked_to_the_letter),
		cmocka_unit_test(encodings_go_there_and_back),
		cmocka_unit_test(every_byte_survives),
		cmocka_unit_test(invalid_codes_are_nothing),
		cmocka_unit_test(a_buffer_grows_to_its_maximum_and_no_further),
		cmocka_unit_test(typos_find_their_name),
		cmocka_unit_test(errors_are_filled_and_cut_at_characters),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
