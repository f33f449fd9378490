/* Files on a file system that knows neither "not if it is there" nor "both at once", such as NFS.
 */
#include "care_kit.h"

#include <errno.h>

#include "store/files.h"

/* Instead of the system's: what such a file system answers. */
int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	(void)from_dir, (void)from, (void)to_dir, (void)to, (void)flags;
	errno = EINVAL;
	return -1;
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void assert_holds(const char *path, const char *text)
{
	char got[64] = "";
	FILE *file = fopen(path, "re");

	assert_non_null(file);
	assert_non_null(fgets(got, sizeof(got), file));
	fclose(file);
	assert_string_equal(got, text);
}

static void a_file_is_published_and_writes_over_none(void **state)
{
	struct fixture *f = *state;
	struct error error = {0};

	write_file(in(f, "draft"), "one");
	assert_int_equal(file_publish(&error, in(f, "draft"), in(f, "name")), 0);
	assert_int_not_equal(access(in(f, "draft"), F_OK), 0);
	write_file(in(f, "draft"), "two");
	assert_int_equal(file_publish(&error, in(f, "draft"), in(f, "name")), E_CONFLICT);
	assert_holds(in(f, "name"), "one");
	assert_holds(in(f, "draft"), "two");
}

static void a_directory_too(void **state)
{
	struct fixture *f = *state;
	struct error error = {0};

	assert_int_equal(mkdir(in(f, "draft"), 0700), 0);
	write_file(in(f, "draft/x"), "one");
	assert_int_equal(file_publish(&error, in(f, "draft"), in(f, "name")), 0);
	assert_holds(in(f, "name/x"), "one");
	assert_int_equal(mkdir(in(f, "draft"), 0700), 0);
	write_file(in(f, "draft/x"), "two");
	assert_int_equal(file_publish(&error, in(f, "draft"), in(f, "name")), E_CONFLICT);
	assert_holds(in(f, "name/x"), "one");
}

/* The older copy goes with all that it holds, also what an interrupted exchange left of it. */
static void a_copy_of_the_keys_takes_the_place_of_an_older_one(void **state)
{
	struct fixture *f = *state;
	struct care_keys_copied copied;
	struct error error = {0};

	assert_int_equal(care_backup_keys(&error, f->directory, in(f, "safe"), &copied), 0);
	assert_false(copied.replaced);
	assert_int_equal(mkdir(in(f, "safe/keys.older"), 0700), 0);
	write_file(in(f, "safe/keys.older/x"), "key");
	write_file(in(f, "safe/keys/old"), "key");
	if (care_backup_keys(&error, f->directory, in(f, "safe"), &copied) != 0)
		fail_msg("%s", error.text);
	assert_true(copied.replaced);
	assert_int_equal(access(in(f, "safe/keys/master.key"), F_OK), 0);
	assert_int_not_equal(access(in(f, "safe/keys/old"), F_OK), 0);
	assert_int_not_equal(access(in(f, "safe/keys.older"), F_OK), 0);
	assert_int_not_equal(access(in(f, "safe/keys.part"), F_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(a_file_is_published_and_writes_over_none),
		STORE_TEST(a_directory_too),
		STORE_TEST(a_copy_of_the_keys_takes_the_place_of_an_older_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
