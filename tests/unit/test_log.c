/* Log lines: their shape, what is masked, and that a secret never gets through. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"

static int saved, reader;
static char text[1 << 16];

/* stderr becomes a pipe for the time of one test. */
static int setup(void **state)
{
	int ends[2];

	(void)state;
	saved = dup(STDERR_FILENO);
	if (saved < 0 || pipe(ends) != 0)
		return -1;
	reader = ends[0];
	if (dup2(ends[1], STDERR_FILENO) < 0)
		return -1;
	close(ends[1]);
	return 0;
}

static const char *logged(void)
{
	size_t len = 0;
	ssize_t n;

	dup2(saved, STDERR_FILENO); /* closes the pipe's writing end */
	while ((n = read(reader, text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	return text;
}

static int teardown(void **state)
{
	(void)state;
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(reader);
	log_setup(LOG_INFO, LOG_LOGFMT);
	return 0;
}

static void logfmt_quotes_what_needs_it(void **state)
{
	const char *line;

	(void)state;
	log_line(LOG_WARN, "two words", "a", "plain", "b", "x=\"y\"\\", "c", "", "d", NULL, "e",
		"\xc3\xa4", NULL);
	line = logged();
	assert_memory_equal(line, "time=20", 7);
	assert_string_equal(strstr(line, " level="),
		" level=warn msg=\"two words\" a=plain b=\"x=\\\"y\\\"\\\\\" c=\"\" "
		"e=\"\xc3\xa4\"\n");
}

static void json_lines_are_json(void **state)
{
	struct arena *arena = arena_create(1 << 16);
	struct json *line;

	(void)state;
	log_setup(LOG_DEBUG, LOG_JSON);
	log_line(LOG_DEBUG, "m", "bad", "\xff\x1b[0m\n\x7f\xc2\x9b", "k", "v", NULL);
	line = json_parse(arena, str_of(logged()), NULL);
	assert_non_null(line);
	assert_true(str_is(json_get_text(line, "level"), "debug"));
	assert_true(str_is(json_get_text(line, "k"), "v"));
	assert_true(str_is(json_get_text(line, "bad"), "\xef\xbf\xbd\x1b[0m\n\x7f\xc2\x9b"));
	assert_null(strchr(text, '\x1b'));
	assert_null(strstr(text, "\xc2\x9b"));
	arena_destroy(arena);
}

static void lower_levels_are_left_out(void **state)
{
	(void)state;
	log_setup(LOG_WARN, LOG_LOGFMT);
	log_line(LOG_INFO, "no", NULL);
	log_line(LOG_ERROR, "yes", NULL);
	assert_null(strstr(logged(), "msg=no"));
	assert_non_null(strstr(text, "level=error msg=yes\n"));
}

static void a_line_stays_a_line(void **state)
{
	char *huge = malloc(100001);

	(void)state;
	memset(huge, '"', 100000);
	huge[100000] = '\0';
	log_line(LOG_INFO, "x\nlevel=error", "a", huge, "b", huge, "c", huge, "d", huge, "e", huge,
		"last", "1", NULL);
	logged();
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	assert_true(strlen(text) <= 4096);
	assert_non_null(strstr(text, "..."));
	free(huge);
}

static void secrets_are_replaced_wherever_they_are(void **state)
{
	(void)state;
	log_secret(STR("key_123456"));
	log_secret(STR("key_123456789"));
	log_secret(STR("pass \"word\"/"));
	log_secret(STR("short"));
	log_line(LOG_INFO, "with key_123456 inside", "url", "https://x/?apiKey=key_123456789&a=1",
		"p", "pass \"word\"/", "enc", "a=pass%20%22word%22%2F", "who_person",
		"key_123456@b.de", "ok", "short", NULL);
	logged();
	assert_null(strstr(text, "key_1"));
	assert_null(strstr(text, "word"));
	assert_non_null(strstr(text, "\"with [secret] inside\""));
	assert_non_null(strstr(text, "apiKey=[secret]&a=1"));
	assert_non_null(strstr(text, "a=[secret]"));
	assert_non_null(strstr(text, "ok=short"));
}

static void persons_are_masked(void **state)
{
	(void)state;
	log_line(LOG_INFO, "m", "caller_person", "Anna Schmidt", NULL);
	assert_non_null(strstr(logged(), "caller_person=\"A. S.\""));
}

static void *chatter(void *arg)
{
	for (int i = 0; i < 50; i++)
		log_line(LOG_INFO, "hello", "who", arg, NULL);
	return NULL;
}

static void threads_do_not_mix_lines(void **state)
{
	pthread_t a, b;
	size_t lines = 0;
	char *at, *end;

	(void)state;
	pthread_create(&a, NULL, chatter, "aaaaaaaaaaaaaaaaaaaa");
	pthread_create(&b, NULL, chatter, "bbbbbbbbbbbbbbbbbbbb");
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	logged();
	for (at = text; (end = strchr(at, '\n')); at = end + 1, lines++) {
		*end = '\0';
		assert_memory_equal(at, "time=", 5);
		assert_true(strstr(at, "who=aaaaaaaaaaaaaaaaaaaa") ||
			    strstr(at, "who=bbbbbbbbbbbbbbbbbbbb"));
	}
	assert_int_equal(lines, 100);
}

#define LOG_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOG_TEST(logfmt_quotes_what_needs_it),
		LOG_TEST(json_lines_are_json),
		LOG_TEST(lower_levels_are_left_out),
		LOG_TEST(a_line_stays_a_line),
		LOG_TEST(secrets_are_replaced_wherever_they_are),
		LOG_TEST(persons_are_masked),
		LOG_TEST(threads_do_not_mix_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
