/* Names as they sound: published codes of the Kölner Phonetik, and which names are one person's. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "desk/phonetic.h"

static void code(const char *name, const char *expected)
{
	struct buf out = {.max = 4096};

	buf_add_text(&out, "");
	phonetic_code(&out, str_of(name));
	if (out.failed || strcmp(out.len ? out.ptr : "", expected) != 0)
		fail_msg("%s: %s instead of %s", name, out.len ? out.ptr : "", expected);
	buf_finish(&out);
}

static void published_codes(void **state)
{
	(void)state;
	code("Müller-Lüdenscheidt", "65752682");
	code("Wikipedia", "3412");
	code("Breschnew", "17863");
	code("Müller", "657");
	code("Meyer", "67");
	code("Maier", "67");
	code("Mayr", "67");
	code("Schmidt", "862");
	code("Schneider", "8627");
	code("Fischer", "387");
	code("Weber", "317");
	code("Wagner", "3467");
	code("Becker", "147");
	code("Hoffmann", "0366");
	code("Schäfer", "837");
	code("Aychlmajr", "04567");
	code("Eberhard", "01772");
	code("Eberhardt", "01772");
	code("Celsius", "8588");
	code("Xanthippe", "48621");
	code("Zacharias", "8478");
	code("Holzbau", "0581");
	code("Arbeitsamt", "071862");
	code("Hamburg", "06174");
	code("Hannover", "0637");
	code("Christstollen", "478256");
	code("Mönchengladbach", "664645214");
	code("Heithabu", "021");
	code("matsch", "68");
}

static void letters_of_other_kinds(void **state)
{
	(void)state;
	code("MÜLLER", "657");
	code("Mu\xcc\x88ller", "657");
	code("Weiß", "38");
	code("WEIẞ", "38");
	code("Weiss", "38");
	code("Çelik", "854");
	code("Öztürk", "08274");
	code("René", "76");
	code("Łukasz", "548");
}

static void words_and_what_is_no_letter(void **state)
{
	(void)state;
	code("Anna  Maria\tMüller", "06 67 657");
	code("  Meyer ", "67");
	code("h Meyer", "67");
	code("Meyer, Anna", "67 06");
	code("O'Neill", "065");
	code("", "");
	code("hhh", "");
	code("123 \xf0\x9f\x98\x80", "");
	code("Me\xffy\xc3"
	     "er",
		"67");
}

static void same(const char *a, const char *b)
{
	if (!phonetic_same_name(str_of(a), str_of(b)))
		fail_msg("not the same: %s, %s", a, b);
	if (!phonetic_same_name(str_of(b), str_of(a)))
		fail_msg("not the same the other way round: %s, %s", b, a);
}

static void different(const char *a, const char *b)
{
	if (phonetic_same_name(str_of(a), str_of(b)))
		fail_msg("the same: %s, %s", a, b);
	if (phonetic_same_name(str_of(b), str_of(a)))
		fail_msg("the same the other way round: %s, %s", b, a);
}

static void a_name_is_heard_in_many_spellings(void **state)
{
	(void)state;
	same("Sputer", "Sputa");
	same("Sputer", "Sputer");
	same("Meyer", "Maier");
	same("Meyer", "Mayr");
	same("Meier", "Mair");
	same("Bauer", "Baur");
	same("Müller", "Mueller");
	same("MÜLLER", "müller");
	same("Schmidt", "Schmitt");
	same("Schmidt", "Schmid");
	same("Schulz", "Schultz");
	same("Pfeiffer", "Feifer");
	same("Weiß", "Weiss");
	same("Hofmann", "Hoffmann");
	same("Becker", "Bäcker");
	same("Stefan Thomas", "Stephan Tomas");
	same("Philipp Koch", "Filip Koch");
	same("Sarah Hahn", "Sara Han");
	same("Bülow", "Bülo");
	same("Petersen", "Pedersen");
}

static void a_name_of_another_sound_is_another(void **state)
{
	(void)state;
	different("Müller", "Möller");
	different("Müller", "Miller");
	different("Kuhn", "Kühn");
	different("Kohler", "Köhler");
	different("Krüger", "Kröger");
	different("Lange", "Langer");
	different("Lange", "Lang");
	different("Jansen", "Jensen");
	different("Schulz", "Scholz");
	different("Hinrichs", "Heinrichs");
	different("Meyer", "Mohr");
	different("Beck", "Berg");
	different("Weber", "Wagner");
}

static void last_names_count_and_given_names_must_not_contradict(void **state)
{
	(void)state;
	same("Anna Müller", "Müller");
	same("Anna Müller", "Müller Anna");
	same("Anna Müller", "Müller, Anna");
	same("Müller, Anna", "Müller");
	same("Anna Maria Müller", "Anna Müller");
	same("A. Müller", "Anna Müller");
	same("Müller A.", "A. Müller");
	same("Karl-Heinz Weber", "Karl Heinz Weber");
	same("Karlheinz Weber", "Karl Heinz Weber");
	same("Hans-Peter Weber", "Peter Weber");
	different("Anna Müller", "Peter Müller");
	different("Anna Müller", "Anna");
	different("Anna Maria Müller", "Anna Maria");
	different("Müller, Anna", "Anna");
	different("B. Müller", "Anna Müller");
	different("A.", "Anna Abel");
	different("A.", "Abel");
	different("M.", "Anna Müller");
	different("A. M.", "Anna Müller");
	different("Anna Müller", "Anna Weber");
}

static void titles_and_double_names(void **state)
{
	(void)state;
	same("Frau Dr. Meier", "Meyer");
	same("Herr Prof. Dr. med. Karl Weber", "Karl Weber");
	same("Dipl.-Ing. Weber", "Weber");
	same("Ursula von der Leyen", "Ursula Leyen");
	same("von Berg", "Berg");
	same("Herr Le", "Le");
	same("Anna Müller-Weiß", "Frau Weiß");
	same("Anna Müller-Weiß", "Anna Müller");
	same("Müller-Lüdenscheidt", "Müller Lüdenscheidt");
	different("Anna Müller-Weiß", "Peter Weiß");
	different("Herr Le", "Herr La");
}

static void nobody(void **state)
{
	static const char *const names[] = {"", " ", "Herr", "Frau Dr.", "123", "\xf0\x9f\x98\x80",
		"\xff\xfe", "a b c d e f g h i",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "-,.-"};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		different(names[i], names[i]);
		different(names[i], "Müller");
	}
	assert_false(phonetic_same_name((struct str){0}, (struct str){0}));
}

/* Eight words, each of 60 letters of which each sounds twice. */
static void the_longest_name(void **state)
{
	char text[8 * 61];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(text); i++)
		text[i] = i % 61 == 60 ? ' ' : i % 2 ? 'a' : 'x';
	text[sizeof(text) - 1] = '\0';
	same(text, text);
	text[60] = '-';
	same(text, text);
	text[60] = 'x';
	different(text, text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_codes),
		cmocka_unit_test(letters_of_other_kinds),
		cmocka_unit_test(words_and_what_is_no_letter),
		cmocka_unit_test(a_name_is_heard_in_many_spellings),
		cmocka_unit_test(a_name_of_another_sound_is_another),
		cmocka_unit_test(last_names_count_and_given_names_must_not_contradict),
		cmocka_unit_test(titles_and_double_names),
		cmocka_unit_test(nobody),
		cmocka_unit_test(the_longest_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
