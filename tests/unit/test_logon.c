/* A session is found by its cookie, ends with time and with its credential, and crowds out
 * nobody's. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "http/logon.h"

#define NOW INT64_C(1000000)
#define HOUR INT64_C(3600000)

static bool is_open(struct logons *logons, const char *id, int64_t now_ms, const char *whose)
{
	char tenant[LOGON_TENANT] = "?";

	return logon_find(logons, str_of(id), now_ms, tenant) && strcmp(tenant, whose) == 0;
}

/* The credentials of all tests. */
static struct logons *make(void)
{
	const struct logon_credential all[] = {{STR("token"), ""}, {STR("old"), ""},
		{STR("other"), "nord"}, {STR("same"), "nord"}, {STR("same"), "sued"}};
	struct logons *logons = logons_create();

	assert_true(logons_allow(logons, all, sizeof(all) / sizeof(all[0])));
	return logons;
}

static void a_session_is_found_by_its_cookie_only(void **state)
{
	struct logons *logons = make();
	char operator[LOGON_ID], office[LOGON_ID], tenant[LOGON_TENANT];

	(void)state;
	assert_true(logon_open(logons, STR("token"), "", NOW, operator));
	assert_true(logon_open(logons, STR("other"), "nord", NOW, office));
	assert_int_equal(strlen(office), LOGON_ID - 1);
	assert_true(is_open(logons, operator, NOW, ""));
	assert_true(is_open(logons, office, NOW, "nord"));
	assert_false(logon_find(logons, STR(""), NOW, tenant));
	assert_false(logon_find(logons, STR("token"), NOW, tenant));
	assert_false(logon_find(logons, (struct str){office, LOGON_ID - 2}, NOW, tenant));
	office[3] ^= 1;
	assert_false(logon_find(logons, str_of(office), NOW, tenant));
	logon_close(logons, str_of(operator));
	assert_false(logon_find(logons, str_of(operator), NOW, tenant));
	logons_destroy(logons);
}

static void it_ends_when_it_is_not_used_and_after_a_week(void **state)
{
	struct logons *logons = make();
	char used[LOGON_ID], left[LOGON_ID];
	int64_t now_ms = NOW;

	(void)state;
	logon_open(logons, STR("token"), "", NOW, used);
	logon_open(logons, STR("token"), "", NOW, left);
	for (int i = 0; i < 14; i++)
		assert_true(is_open(logons, used, now_ms += 12 * HOUR, ""));
	assert_false(is_open(logons, left, NOW + 12 * HOUR + 1, ""));
	assert_false(is_open(logons, used, now_ms + 1, ""));
	logons_destroy(logons);
}

static void many_of_one_credential_end_the_oldest_of_its_own(void **state)
{
	struct logons *logons = make();
	char operator[LOGON_ID], first[LOGON_ID], last[LOGON_ID];

	(void)state;
	logon_open(logons, STR("token"), "", NOW, operator);
	logon_open(logons, STR("other"), "nord", NOW, first);
	for (int i = 1; i < 2000; i++)
		logon_open(logons, STR("other"), "nord", NOW + i, last);
	assert_true(is_open(logons, operator, NOW + 2000, ""));
	assert_false(is_open(logons, first, NOW + 2000, "nord"));
	assert_true(is_open(logons, last, NOW + 2000, "nord"));
	logons_destroy(logons);
}

static void it_ends_with_its_credential(void **state)
{
	const struct logon_credential kept[] = {{STR("token"), ""}, {STR("same"), "nord"}};
	struct logons *logons = make();
	char a[LOGON_ID], b[LOGON_ID], c[LOGON_ID], d[LOGON_ID];

	(void)state;
	logon_open(logons, STR("token"), "", NOW, a);
	logon_open(logons, STR("old"), "", NOW, b);
	logon_open(logons, STR("same"), "nord", NOW, c);
	logon_open(logons, STR("same"), "sued", NOW, d); /* another tenant's now */
	assert_true(logons_allow(logons, kept, 2));
	assert_true(is_open(logons, a, NOW, ""));
	assert_false(is_open(logons, b, NOW, ""));
	assert_true(is_open(logons, c, NOW, "nord"));
	assert_false(is_open(logons, d, NOW, "sued"));
	assert_true(logons_allow(logons, NULL, 0));
	assert_false(is_open(logons, a, NOW, ""));
	logons_destroy(logons);
}

/* Proving a password takes a while, and a reload may come between. */
static void a_credential_that_is_gone_opens_none(void **state)
{
	const struct logon_credential kept[] = {{STR("token"), ""}};
	struct logons *logons = make(), *none = logons_create();
	char id[LOGON_ID];

	(void)state;
	assert_true(logons_allow(logons, kept, 1));
	assert_false(logon_open(logons, STR("old"), "", NOW, id));
	assert_false(logon_open(logons, STR("token"), "nord", NOW, id));
	assert_true(logon_open(logons, STR("token"), "", NOW, id));
	assert_false(logon_open(none, STR("token"), "", NOW, id));
	logons_destroy(logons);
	logons_destroy(none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_session_is_found_by_its_cookie_only),
		cmocka_unit_test(it_ends_when_it_is_not_used_and_after_a_week),
		cmocka_unit_test(many_of_one_credential_end_the_oldest_of_its_own),
		cmocka_unit_test(it_ends_with_its_credential),
		cmocka_unit_test(a_credential_that_is_gone_opens_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
