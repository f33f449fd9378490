/* A line of klinke password proves its password and no other; what is no such line is told. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/error.h"
#include "base/password.h"

#define ALPHABET "AAAAAAAAAAAAAAAAAAAAAA"
#define HASH43 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static void a_line_proves_its_password_only(void **state)
{
	char line[PASSWORD_LINE], again[PASSWORD_LINE];
	struct error error = {0};

	(void)state;
	assert_int_equal(password_make(&error, STR("Wählscheibe 1928"), line), 0);
	assert_null(password_fault(str_of(line)));
	assert_true(password_is_line(str_of(line)));
	assert_null(strstr(line, "1928"));
	assert_true(password_holds(str_of(line), STR("Wählscheibe 1928")));
	assert_false(password_holds(str_of(line), STR("Wählscheibe 1929")));
	assert_false(password_holds(str_of(line), STR("Wählscheibe 1928 ")));
	assert_false(password_holds(str_of(line), STR("")));
	assert_false(password_holds(str_of(line), str_of(line)));
	assert_int_equal(password_make(&error, STR("Wählscheibe 1928"), again), 0);
	assert_string_not_equal(line, again); /* salted */
}

/* Made by Python's hashlib.scrypt(b"pleaseletmein", salt=bytes(range(16)), n=16384, r=8,
 * p=1, dklen=32). */
static void others_make_the_same_hash(void **state)
{
	static const char line[] = "$scrypt$ln=14,r=8,p=1$AAECAwQFBgcICQoLDA0ODw$"
				   "UxYE/nON8zrmLNK5lL/j9XPtKMDZ5VR/h1tkExic5Zo";

	(void)state;
	assert_null(password_fault(str_of(line)));
	assert_true(password_holds(str_of(line), STR("pleaseletmein")));
	assert_false(password_holds(str_of(line), STR("pleaseletmeim")));
}

static void what_is_too_short_is_no_password(void **state)
{
	char line[PASSWORD_LINE], longest[PASSWORD_MOST + 1];
	struct error error = {0};

	(void)state;
	memset(longest, 'x', sizeof(longest));
	assert_int_equal(password_make(&error, STR("123456789"), line), E_INVALID);
	assert_int_equal(password_make(&error, STR("12345\n67890"), line), E_INVALID);
	assert_int_equal(
		password_make(&error, (struct str){longest, sizeof(longest)}, line), E_INVALID);
	assert_int_equal(password_make(&error, (struct str){longest, PASSWORD_MOST}, line), 0);
}

static void what_is_no_line_is_told(void **state)
{
	static const char *const wrong[] = {"", "secret", "$scrypt$", "$scrypt$ln=14,r=8,p=5$",
		"$scrypt$ln=14,r=8,p=5$" ALPHABET, "$scrypt$ln=14,r=8,p=5$" ALPHABET "$",
		"$scrypt$ln=14,r=8,p=5$" ALPHABET "$" HASH43 "A",
		"$scrypt$ln=14,r=8,p=5$" ALPHABET "$ " HASH43,
		"$scrypt$ln=14,r=8,p=5$AAAAAAAAAAAAAAAAAAAAAB$" HASH43, /* bits beyond the end */
		"$scrypt$ln=13,r=8,p=5$" ALPHABET "$" HASH43,
		"$scrypt$ln=14,r=1,p=5$" ALPHABET "$" HASH43,
		"$scrypt$ln=14,r=8,p=0$" ALPHABET "$" HASH43,
		"$scrypt$ln=18,r=8,p=1$" ALPHABET "$" HASH43,
		"$scrypt$ln=14,r=999,p=1$" ALPHABET "$" HASH43,
		"$scrypt$ln=14,r=8,p=17$" ALPHABET "$" HASH43,
		"$scrypt$ln=999,r=8,p=5$" ALPHABET "$" HASH43,
		"$argon2id$v=19$m=65536,t=2,p=1$" ALPHABET "$" HASH43};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_non_null(password_fault(str_of(wrong[i])));
		assert_false(password_holds(str_of(wrong[i]), STR("whatever it is")));
	}
	assert_non_null(password_fault((struct str){NULL, 0}));
	assert_null(password_fault(STR("$scrypt$ln=17,r=8,p=1$" ALPHABET "$" HASH43)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_proves_its_password_only),
		cmocka_unit_test(others_make_the_same_hash),
		cmocka_unit_test(what_is_too_short_is_no_password),
		cmocka_unit_test(what_is_no_line_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
