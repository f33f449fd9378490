/* Secrets and persons are taken out of what happened, the same way everywhere. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "plugin/case_scrub.h"

struct desk {
	struct arena *arena;
	struct scrub *scrub;
};

static int begin(void **state)
{
	struct desk *d = calloc(1, sizeof(*d));

	assert_non_null(d);
	d->arena = arena_create((size_t)16 << 20);
	d->scrub = scrub_create(d->arena, true);
	assert_non_null(d->scrub);
	*state = d;
	return 0;
}

static int end(void **state)
{
	struct desk *d = *state;

	assert_false(arena_failed(d->arena));
	arena_destroy(d->arena);
	free(d);
	return 0;
}

static void look(struct desk *d, const char *text)
{
	const struct json *value = json_parse(d->arena, str_of(text), NULL);

	assert_non_null(value);
	scrub_look(d->scrub, value);
}

static void becomes(struct desk *d, const char *from, const char *to)
{
	const struct json *value = json_parse(d->arena, str_of(from), NULL);

	if (value)
		assert_string_equal(json_print(d->arena, scrub_json(d->scrub, value)).ptr, to);
	else
		assert_string_equal(scrub_text(d->scrub, str_of(from)).ptr, to);
}

static void a_secret_is_found_in_every_dress(void **state)
{
	struct desk *d = *state;

	scrub_secret(d->scrub, STR("k&y-1234"), STR("case-api_key"));
	becomes(d, "{\"a\":\"k&y-1234\"}", "{\"a\":\"case-api_key\"}");
	becomes(d, "x=k%26y-1234&y=1", "x=case-api_key&y=1");
	becomes(d, "Basic ayZ5LTEyMzQ=", "Basic Y2FzZS1hcGlfa2V5");
	becomes(d, "k&y-1235", "k&y-1235");
}

static void a_short_secret_is_no_part_of_other_words(void **state)
{
	struct desk *d = *state;

	scrub_secret(d->scrub, STR("k"), STR("case-token"));
	becomes(d, "{\"a\":\"k\",\"b\":\"klinke\"}", "{\"a\":\"case-token\",\"b\":\"klinke\"}");
}

static void the_longer_secret_goes_first_and_nothing_is_replaced_twice(void **state)
{
	struct desk *d = *state;

	scrub_secret(d->scrub, STR("abcd"), STR("abcdefgh"));
	scrub_secret(d->scrub, STR("abcdef"), STR("abcd"));
	becomes(d, "abcdef abcd", "abcd abcdefgh");
}

static void what_is_called_a_secret_is_one_everywhere(void **state)
{
	struct desk *d = *state;

	look(d, "{\"access_token\":\"eyJhbGc\",\"pin_token\":\"12\",\"url\":"
		"\"https://a.example/x?sort=1&sig_token=qwertz1&b=2\"}");
	becomes(d, "{\"next\":\"see eyJhbGc\",\"u\":\"?sig_token=qwertz1&sort=1\",\"n\":\"12\"}",
		"{\"next\":\"see "
		"scrubbed-1\",\"u\":\"?sig_token=scrubbed-2&sort=1\",\"n\":\"12\"}");
	look(d, "[[\"x-api-key\",\"geheim77\"],[\"accept\",\"nothing77\"]]");
	becomes(d, "geheim77 nothing77", "scrubbed-3 nothing77");
	assert_true(scrub_is_secret_name(STR("X-Api-Key")));
	assert_false(scrub_is_secret_name(STR("key")));
}

static void a_number_is_one_persons_however_it_is_written(void **state)
{
	struct desk *d = *state;

	look(d, "{\"from\":\"+491713920042\",\"phone\":\"0171 "
		"3920042\",\"wa_id\":\"491713920042\"}");
	becomes(d,
		"{\"a\":\"+491713920042\",\"b\":\"01713920042\",\"c\":491713920042,\"d\":\"0171 "
		"3920042\",\"e\":\"+4917139200421\"}",
		"{\"a\":\"+491700000001\",\"b\":\"01700000001\",\"c\":491700000001,\"d\":"
		"\"01700000001\",\"e\":\"+4917139200421\"}");
}

static void an_id_is_no_number_of_somebody(void **state)
{
	struct desk *d = *state;

	look(d, "{\"phone_number_id\":\"106000000000001\",\"id\":\"491713920042\"}");
	becomes(d, "{\"a\":\"106000000000001\",\"b\":1795393162953}",
		"{\"a\":\"106000000000001\",\"b\":1795393162953}");
}

static void names_stay_names_of_the_same_persons(void **state)
{
	struct desk *d = *state;

	look(d, "{\"attendees\":[{\"name\":\"Jana "
		"Berger\",\"email\":\"jana.berger@mail.example\"}],"
		"\"hosts\":[{\"name\":\"Dr. Jörg Petersen\",\"timeZone\":\"Europe/Berlin\"}]}");
	becomes(d, "{\"t\":\"Kontrolle: Dr. Jörg Petersen und Jana Berger\",\"u\":\"jana-berger\"}",
		"{\"t\":\"Kontrolle: Dr. Cleo Dana und Alba Bela\",\"u\":\"alba-bela\"}");
	becomes(d, "Bergerstraße jana.berger@mail.example, other@mail.example",
		"Bergerstraße person1@example.org, other@mail.example");
}

static void things_have_names_too(void **state)
{
	struct desk *d = *state;

	look(d, "{\"template\":{\"name\":\"termin_bestaetigung\"},\"agent_name\":\"Empfang\"}");
	becomes(d, "termin_bestaetigung Empfang", "termin_bestaetigung Empfang");
}

static void persons_stay_if_they_shall(void **state)
{
	struct desk *d = *state;

	d->scrub = scrub_create(d->arena, false);
	look(d, "{\"name\":\"Jana Berger\",\"phone\":\"+491713920042\",\"token\":\"abcdefg\"}");
	becomes(d, "Jana Berger +491713920042 abcdefg", "Jana Berger +491713920042 scrubbed-1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_secret_is_found_in_every_dress, begin, end),
		cmocka_unit_test_setup_teardown(
			a_short_secret_is_no_part_of_other_words, begin, end),
		cmocka_unit_test_setup_teardown(
			the_longer_secret_goes_first_and_nothing_is_replaced_twice, begin, end),
		cmocka_unit_test_setup_teardown(
			what_is_called_a_secret_is_one_everywhere, begin, end),
		cmocka_unit_test_setup_teardown(
			a_number_is_one_persons_however_it_is_written, begin, end),
		cmocka_unit_test_setup_teardown(an_id_is_no_number_of_somebody, begin, end),
		cmocka_unit_test_setup_teardown(names_stay_names_of_the_same_persons, begin, end),
		cmocka_unit_test_setup_teardown(things_have_names_too, begin, end),
		cmocka_unit_test_setup_teardown(persons_stay_if_they_shall, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
