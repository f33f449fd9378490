/* The log behind the place where recovery ends: what was synced and is damaged now is told, the end
 * of a power cut and what writers leave behind is not. */
#include "care_kit.h"
#include "person_kit.h"

#include <glob.h>
#include <sys/mman.h>

#include "base/error.h"
#include "store/wal.h"
#include "wal_kit.h"

/* ---- logs made by hand ------------------------------------------------------------------- */

static int look_at(const void *bytes, size_t len, struct wal_damage *out)
{
	struct error error = {0};
	int fd = memfd_create("log", MFD_CLOEXEC), rc;

	assert_int_equal(write(fd, bytes, len), len);
	rc = wal_look(&error, fd, out);
	if (rc < 0)
		fail_msg("%s", error.text);
	close(fd);
	return rc;
}

static int look(const struct kit_log *k, struct wal_damage *out)
{
	return look_at(k->bytes, kit_len(k), out);
}

/* Four commits of 3, 1, 4 and 2 frames. */
static const unsigned sizes[] = {3, 1, 4, 2};
#define FRAMES 10
#define LAST 9 /* the first frame of the last commit */

static void build(struct kit_log *k, bool big)
{
	kit_begin(k, big, 1000);
	for (unsigned c = 0; c < 4; c++)
		for (unsigned i = 1; i <= sizes[c]; i++)
			kit_add(k, 10 * c + i, i == sizes[c], (uint8_t)(k->frames + 1));
}

static void a_whole_log_is_nothing_to_tell(void **state)
{
	struct wal_damage d;
	struct kit_log k;

	(void)state;
	for (int big = 0; big < 2; big++) {
		build(&k, big);
		for (size_t len = 0; len <= kit_len(&k); len++) /* cut anywhere */
			assert_int_equal(look_at(k.bytes, len, &d), 0);
	}
}

/* Wherever the byte is, in its head or in the page. That the third commit was synced is told by the
 * fourth, if the third's last frame is whole: that goes on from the one before. */
static void a_bad_byte_before_a_synced_commit_is_told(void **state)
{
	static const unsigned at[] = {0, 5, 9, 13, 17, 22, 24, 300, KIT_FRAME - 1};
	static const unsigned commits[] = {4, 4, 4, 3, 2, 2};
	struct wal_damage d;
	struct kit_log k;

	(void)state;
	for (unsigned n = 1; n <= 6; n++)
		for (unsigned i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
			build(&k, n & 1);
			kit_frame(&k, n)[at[i]] ^= 0x10;
			if (look(&k, &d) != 1)
				fail_msg("frame %u, byte %u: nothing was told", n, at[i]);
			assert_int_equal(d.frame, n);
			if (at[i] >=
				16) { /* else it is a frame of another log, or its commit mark */
				assert_int_equal(d.frames, FRAMES - n + 1);
				assert_int_equal(d.commits, commits[n - 1]);
			}
		}
}

/* The last commit was perhaps never synced: any of its sectors may be missing, or old. */
static void the_end_of_a_power_cut_is_silent(void **state)
{
	struct wal_damage d;
	struct kit_log k, old;

	(void)state;
	for (size_t from = 32 + (LAST - 1) * KIT_FRAME; from < 32 + FRAMES * KIT_FRAME; from += 64)
		for (int kind = 0; kind < 3; kind++) {
			size_t len = 32 + FRAMES * KIT_FRAME - from;
			build(&k, true);
			if (len > 512)
				len = 512;
			if (kind == 0)
				memset(k.bytes + from, 0, len);
			else if (kind == 1)
				k.bytes[from] ^= 1;
			else { /* what an older log left there */
				build(&old, true);
				kit_begin(&old, true, 999);
				while (old.frames < FRAMES)
					kit_add(&old, 3, true, 1);
				memcpy(k.bytes + from, old.bytes + from, len);
			}
			assert_int_equal(look(&k, &d), 0);
		}
}

/* Of a torn frame the mark of a commit may be an older log's, which had a commit at this place. */
static void the_mark_of_an_older_commit_in_a_torn_frame_is_silent(void **state)
{
	struct wal_damage d;
	struct kit_log k;

	(void)state;
	build(&k, false);
	kit_word(kit_frame(&k, LAST) + 4, 99);
	assert_int_equal(look(&k, &d), 0);
}

static void an_older_log_behind_this_one_is_silent(void **state)
{
	struct kit_log k, old;
	struct wal_damage d;

	(void)state;
	kit_begin(&old, false, 999);
	while (old.frames < 30)
		kit_add(&old, old.frames % 5 + 1, old.frames % 3 == 0, 7);
	build(&k, false);
	memcpy(old.bytes, k.bytes, kit_len(&k));
	assert_int_equal(look(&old, &d), 0);
}

/* A commit whose sync failed is written over by the next one, which may be shorter. */
static void what_failed_syncs_left_behind_is_silent(void **state)
{
	struct kit_log k, first, second;
	struct wal_damage d;

	(void)state;
	build(&k, false);
	first = second = k;
	for (unsigned i = 1; i <= 9; i++)
		kit_add(&first, 50 + i, i == 9, 1);
	for (unsigned i = 1; i <= 6; i++)
		kit_add(&second, 50 + i, i == 6, 2);
	kit_add(&k, 51, false, 3);
	kit_add(&k, 52, true, 3);
	memcpy(first.bytes, second.bytes, kit_len(&second));
	memcpy(first.bytes, k.bytes, kit_len(&k));
	assert_int_equal(look(&first, &d), 0);
}

/* Disks whose sectors tear get the last frame of a commit several times, before one sync. */
static void a_commit_that_ends_several_times_is_one(void **state)
{
	struct wal_damage d;
	struct kit_log k;

	(void)state;
	build(&k, false);
	for (unsigned i = 0; i < 3; i++)
		kit_add(&k, 32, true, 9);
	kit_frame(&k, LAST)[100] ^= 1;
	assert_int_equal(look(&k, &d), 0);
	kit_frame(&k, LAST)[100] ^= 1;
	kit_add(&k, 61, true, 9);
	kit_frame(&k, LAST)[100] ^= 1;
	assert_int_equal(look(&k, &d), 1);
}

/* With a bad head SQLite uses nothing of it. */
static void a_bad_head_is_told(void **state)
{
	static const unsigned at[] = {12, 15, 16, 23, 24, 31};
	struct wal_damage d;
	struct kit_log k;

	(void)state;
	for (unsigned i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		build(&k, false);
		k.bytes[at[i]] ^= 1;
		assert_int_equal(look(&k, &d), 1);
		assert_int_equal(d.frame, 0);
		assert_int_equal(d.frames, FRAMES);
		assert_int_equal(d.commits, 4);
	}
}

/* ---- logs of a store ------------------------------------------------------------------------ */

static void copy_into(const char *from, const char *to)
{
	char command[2 * PATHS + 20];

	snprintf(command, sizeof(command), "cp -r '%s' '%s'", from, to);
	assert_int_equal(system(command), 0);
}

/* As kill -9 leaves it, in a directory of its own. */
static struct fixture crashed(struct fixture *f, const char *name)
{
	struct fixture other = {.arena = f->arena};

	snprintf(other.directory, sizeof(other.directory), "%.40s/%.20s", f->directory, name);
	assert_int_equal(mkdir(other.directory, 0700), 0);
	copy_into(in(f, "klinke.db"), other.directory);
	copy_into(in(f, "klinke.db-wal"), other.directory);
	copy_into(in(f, "keys"), other.directory);
	return other;
}

static unsigned kept(struct fixture *f)
{
	glob_t found;
	unsigned n;

	glob(in(f, CARE_DAMAGED_LOG "*.wal"), 0, NULL, &found);
	n = (unsigned)found.gl_pathc;
	globfree(&found);
	return n;
}

static void close_crashed(struct fixture *f)
{
	close_both(f);
	remove_files(f->directory);
}

static void what_a_store_lost_with_its_log_is_told_and_kept(void **state)
{
	struct fixture *f = *state, other;
	struct care_noted noted;
	struct wal_damage d;
	int fd;

	reopen(f); /* the schema is in the file */
	append_some(f, 4);
	for (int i = 0; i < 5; i++)
		append(f);
	other = crashed(f, "bad");
	flip(in(&other, "klinke.db-wal"), 32 + 24 + 100, 1);
	fd = open(in(&other, "klinke.db-wal"), O_RDONLY);
	assert_int_equal(wal_look(NULL, fd, &d), 1);
	close(fd);
	assert_int_equal(d.frame, 1);
	assert_true(d.commits >= 6);
	open_store(&other); /* goes on */
	open_reader(&other);
	assert_int_equal(events_of(&other, false), 0);
	assert_true(care_note_read(other.directory, CARE_DAMAGE, &noted));
	assert_non_null(strstr(noted.text, "the log of klinke.db was damaged at frame 1: "));
	assert_int_equal(kept(&other), 1);
	reopen(&other);
	assert_int_equal(kept(&other), 1);
	forget(&other, "+491713920042"); /* a webhook lies in it under its tenant's key */
	assert_int_equal(kept(&other), 0);
	close_crashed(&other);
}

static void a_store_that_was_killed_has_nothing_to_tell(void **state)
{
	struct fixture *f = *state, other;
	struct care_noted noted;
	struct stat st;

	append_some(f, 4);
	append(f);
	for (int cut = 0; cut < 3; cut++) {
		other = crashed(f, "good");
		assert_int_equal(stat(in(&other, "klinke.db-wal"), &st), 0);
		assert_int_equal(truncate(in(&other, "klinke.db-wal"), st.st_size - cut * 2000), 0);
		open_store(&other);
		open_reader(&other);
		assert_int_equal(events_of(&other, false), 4);
		assert_false(care_note_read(other.directory, CARE_DAMAGE, &noted));
		assert_int_equal(kept(&other), 0);
		close_crashed(&other);
	}
}

/* A copy would outlive the forgetting of somebody whose key is in it. */
static void the_log_of_keys_is_told_and_not_kept(void **state)
{
	struct fixture *f = *state, other;
	struct care_noted noted;

	append_some(f, 4);
	append_some(f, 8); /* more persons, and so a second commit: damage before the last is told */
	other = crashed(f, "killed");
	flip(in(&other, "keys/persons.db-wal"), 32 + 24 + 100, 1);
	open_store(&other);
	assert_true(care_note_read(other.directory, CARE_DAMAGE, &noted));
	assert_non_null(strstr(noted.text, "the log of keys/persons.db was damaged"));
	assert_int_equal(kept(&other), 0);
	close_crashed(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_log_is_nothing_to_tell),
		cmocka_unit_test(a_bad_byte_before_a_synced_commit_is_told),
		cmocka_unit_test(the_end_of_a_power_cut_is_silent),
		cmocka_unit_test(the_mark_of_an_older_commit_in_a_torn_frame_is_silent),
		cmocka_unit_test(an_older_log_behind_this_one_is_silent),
		cmocka_unit_test(what_failed_syncs_left_behind_is_silent),
		cmocka_unit_test(a_commit_that_ends_several_times_is_one),
		cmocka_unit_test(a_bad_head_is_told),
		STORE_TEST(what_a_store_lost_with_its_log_is_told_and_kept),
		STORE_TEST(a_store_that_was_killed_has_nothing_to_tell),
		STORE_TEST(the_log_of_keys_is_told_and_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
