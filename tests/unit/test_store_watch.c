/* The store checked by schedule: damage is found, its end too, and a log that grows comes first. */
#include "care_kit.h"

static bool noted_by(struct fixture *f, enum care_note note, struct care_noted *out)
{
	int64_t until = clock_mono_ms() + 20000;

	while (!care_note_read(f->directory, note, out))
		if (clock_mono_ms() > until)
			return false;
		else
			usleep(1000);
	return true;
}

static void the_schedule_finds_damage_and_its_end(void **state)
{
	struct fixture *f = *state;
	struct care_watch *watch;
	struct care_noted noted;
	struct error error = {0};
	int64_t root;

	append_some(f, 50);
	reopen(f);
	watch = care_watch_start(&error, f->directory, 1, 0);
	assert_non_null(watch);
	assert_true(noted_by(f, CARE_INTEGRITY, &noted));
	assert_string_equal(noted.text, "ok");
	care_watch_stop(watch);
	assert_false(care_note_read(f->directory, CARE_DAMAGE, &noted));
	root = root_of(in(f, "klinke.db"), "event_subject");
	flip(in(f, "klinke.db"), (root - 1) * 4096, 4096);
	watch = care_watch_start(&error, f->directory, 1, 0);
	assert_true(noted_by(f, CARE_DAMAGE, &noted));
	flip(in(f, "klinke.db"), (root - 1) * 4096, 4096); /* as it was */
	while (care_note_read(f->directory, CARE_DAMAGE, &noted))
		usleep(1000);
	care_watch_stop(watch);
}

static void damaged_keys_are_found_too(void **state)
{
	struct fixture *f = *state;
	struct care_watch *watch;
	struct care_noted noted;
	int64_t root;

	append_some(f, 50);
	close_both(f);
	root = root_of(in(f, "keys/persons.db"), "person");
	flip(in(f, "keys/persons.db"), (root - 1) * 4096, 4096);
	watch = care_watch_start(NULL, f->directory, 1, 0);
	assert_true(noted_by(f, CARE_DAMAGE, &noted));
	assert_non_null(strstr(noted.text, "persons.db"));
	care_watch_stop(watch);
}

/* A statement met something that was no damage, in a host without a schedule. */
static void what_was_suspected_is_checked_soon(void **state)
{
	struct fixture *f = *state;
	struct care_watch *watch;
	struct care_noted noted;
	struct error error = {0};

	append_some(f, 50);
	assert_int_equal(
		care_note_write(&error, f->directory, CARE_DAMAGE, clock_now_ms(), "a cold disk"),
		0);
	watch = care_watch_start(&error, f->directory, 0, 0);
	assert_non_null(watch);
	assert_true(noted_by(f, CARE_INTEGRITY, &noted));
	assert_string_equal(noted.text, "ok");
	while (care_note_read(f->directory, CARE_DAMAGE, &noted))
		usleep(1000);
	care_watch_stop(watch);
}

static bool said(struct fixture *f, const char *words)
{
	char text[8192] = "";
	FILE *file = fopen(in(f, "said"), "r");
	size_t n = file ? fread(text, 1, sizeof(text) - 1, file) : 0;

	if (file)
		fclose(file);
	text[n] = '\0';
	return strstr(text, words);
}

/* What holds the log back gives way, and tells no result. */
static void a_check_is_put_off_while_the_log_grows(void **state)
{
	struct fixture *f = *state;
	struct care_watch *watch;
	struct care_noted noted;
	int own = dup(STDERR_FILENO), file;

	append_some(f, 50);
	file = open(in(f, "said"), O_CREAT | O_WRONLY | O_APPEND, 0600);
	dup2(file, STDERR_FILENO);
	watch = care_watch_start(NULL, f->directory, 1, -1); /* longer than allowed at once */
	while (!said(f, "put off"))
		usleep(1000);
	care_watch_stop(watch);
	dup2(own, STDERR_FILENO);
	close(own);
	close(file);
	assert_false(said(f, "store checked"));
	assert_false(care_note_read(f->directory, CARE_INTEGRITY, &noted));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(the_schedule_finds_damage_and_its_end),
		STORE_TEST(damaged_keys_are_found_too),
		STORE_TEST(what_was_suspected_is_checked_soon),
		STORE_TEST(a_check_is_put_off_while_the_log_grows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
