/* A corpus of persons as they turn up in log lines, and of what looks like one and is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mask.h"

static const char *const numbers[] = {"+491713920042", "+49 171 3920042", "+49 (0) 171 / 39 20 042",
	"+49 (0)171-3920042", "0049 171 3920042", "0171 3920042", "0171/392 00 42", "01713920042",
	"030 23125010", "(030) 23125-010", "(030)23125010", "+43 1 5880012345", "+41 44 668 18 00",
	"+33 1 70 18 99 00", "+44 20 7946 0958", "+1 (212) 555-0123", "+12125550123",
	"+39 06 698 12345", "+48 22 695 29 00", "+90 212 444 08 49", "+420 224 810 000",
	"+352 27 12 345", "+380441234567", "491713920042", "4915112345678", "393331234567",
	"0664 1234567", "079 123 45 67"};
static const char *const mails[] = {"anna@praxis.de", "anna.schmidt@example.org",
	"anna+termin@mail.example.co.uk", "a@b.de", "ANNA_S-1@EXAMPLE.COM", "jörg@müller.example",
	"o'brien@example.ie", "anna%40example.org", "x1234567890@example.net"};
static const char *const names[] = {"Anna Schmidt", "Erika Mustermann", "Jürgen Weiß",
	"Ayşe Yılmaz", "Nguyễn Văn An", "Łukasz Żółć", "María José García", "O'Brien",
	"Dr. Hans-Peter von der Heide", "Иван Петров", "王小明", "علي حسن"};

/* %s is the person. */
static const char *const lines[] = {"%s", "the call of %s was lost", "caller %s, and nobody else",
	"(%s)", "to=%s", "\"%s\"", "'%s'", "{\"from\":\"%s\"}", "[\"%s\",\"x\"]", "%s: refused",
	"https://example.org/find?who=%s&x=1", "tel:%s", "<%s>", "a;%s;b", "no such: %s."};
static const char *const name_lines[] = {"{\"name\":\"%s\"}", "{\"name\": \"%s\", \"x\":1}",
	"Cal.com said: {\"attendee\":{\"name\":\"%s\"}}", "{\\\"name\\\":\\\"%s\\\"}",
	"{\"a\":1,\"last_name\":\"%s\"}", "{\"customer_name\":\"%s\"}", "{\"kundenname\":\"%s\"}"};

/* Not persons: nothing of them is changed. */
static const char *const others[] = {"2026-11-23T01:16:44.588Z", "1790000000000", "1732300000",
	"01a205db-0a79-7257-8c4b-012309123204", "01205912-0795-7257-0912-012345678901",
	"01a205db-0a79-7257-8c4b-c3309bfee204", "c0ffee00-0000-7000-8000-012345678901ab",
	"127.0.0.1:8080", "0.0.0.0:80", "version 0.1.0", "106000000000001", "310455",
	"took 1234567 us", "HTTP 422", "45,00 EUR", "0.12345678",
	"call_f4fb875a7d2dac1795cf978ed03", "config/desk.ini:12:3", "64 of 65536 bytes",
	"/hooks/lindenhof/phone/function", "@retell.key", "user@", "a @ b",
	"{\"say\":\"Ihr Termin\"}", "event_type 4711, 30m", "09:30-17:00", "generation 12, step 3",
	"", "+", "+49", "0", "(0)", "\"name\"", "\"name\":", "\"name\":\"\""};

static void mask_all(const char *text, char *out, size_t size)
{
	struct str s = {text, strlen(text)};
	char masked[MASK_MAX];
	size_t i = 0, n, len, at = 0;

	while (i < s.len) {
		n = mask_at(s, i, masked, &len);
		assert_true(n <= s.len - i);
		if (n) {
			assert_true(at + len < size);
			memcpy(out + at, masked, len);
			at += len;
			i += n;
		} else {
			out[at++] = s.ptr[i++];
		}
	}
	out[at] = '\0';
}

/* The longest run of digits that both have. */
static size_t digits_kept(const char *person, const char *out)
{
	char digits[64], seen[1024];
	size_t n = 0, m = 0, i, k, best = 0;

	for (; *person; person++)
		if (*person >= '0' && *person <= '9')
			digits[n++] = *person;
	for (; *out; out++)
		if (*out >= '0' && *out <= '9')
			seen[m++] = *out;
	for (i = 0; i < n; i++)
		for (k = 1; i + k <= n; k++)
			if (memmem(seen, m, digits + i, k) && k > best)
				best = k;
	return best;
}

static void numbers_keep_their_last_digits(void **state)
{
	char line[512], out[1024];

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		for (size_t k = 0; k < sizeof(lines) / sizeof(lines[0]); k++) {
			snprintf(line, sizeof(line), lines[k], numbers[i]);
			mask_all(line, out, sizeof(out));
			if (!strstr(out, "***") || digits_kept(numbers[i], out) > 2)
				fail_msg("%s became %s", line, out);
		}
}

static void mails_keep_their_domain(void **state)
{
	char line[512], out[1024], local[64];

	(void)state;
	for (size_t i = 0; i < sizeof(mails) / sizeof(mails[0]); i++)
		for (size_t k = 0; k < sizeof(lines) / sizeof(lines[0]); k++) {
			const char *at = strpbrk(mails[i], "@%");
			snprintf(local, sizeof(local), "%.*s@", (int)(at - mails[i]), mails[i]);
			snprintf(line, sizeof(line), lines[k], mails[i]);
			mask_all(line, out, sizeof(out));
			if (!strstr(out, "***@") || strstr(out, local) ||
				(strlen(local) > 4 && strstr(out, strtok(local, "@"))))
				fail_msg("%s became %s", line, out);
		}
}

static void names_in_json_become_initials(void **state)
{
	char line[512], out[1024];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		for (size_t k = 0; k < sizeof(name_lines) / sizeof(name_lines[0]); k++) {
			snprintf(line, sizeof(line), name_lines[k], names[i]);
			mask_all(line, out, sizeof(out));
			if (strstr(out, names[i]) || !strstr(out, "."))
				fail_msg("%s became %s", line, out);
			assert_non_null(strstr(out, "name"));
		}
}

static void what_is_no_person_stays(void **state)
{
	char out[1024], line[512];

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		mask_all(others[i], out, sizeof(out));
		assert_string_equal(out, others[i]);
		snprintf(line, sizeof(line), "id=%s ok", others[i]);
		mask_all(line, out, sizeof(out));
		assert_string_equal(out, line);
	}
}

/* Through the log itself, in both formats, whatever the key is called. */
static void no_line_of_the_log_tells_of_a_person(void **state)
{
	char path[] = "/tmp/klinke-mask-XXXXXX", text[65536];
	int fd = mkstemp(path), kept = dup(STDERR_FILENO);
	ssize_t n;

	(void)state;
	assert_true(fd >= 0 && kept >= 0);
	assert_true(dup2(fd, STDERR_FILENO) >= 0);
	for (int format = LOG_LOGFMT; format <= LOG_JSON; format++) {
		log_setup(LOG_INFO, (enum log_format)format);
		for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
			log_line(LOG_ERROR, "job parked", "reason", numbers[i], NULL);
		for (size_t i = 0; i < sizeof(mails) / sizeof(mails[0]); i++)
			log_line(LOG_ERROR, "job parked", "what", mails[i], NULL);
	}
	log_setup(LOG_INFO, LOG_LOGFMT);
	dup2(kept, STDERR_FILENO);
	close(kept);
	n = pread(fd, text, sizeof(text) - 1, 0);
	assert_true(n > 0);
	text[n] = '\0';
	close(fd);
	unlink(path);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		assert_null(strstr(text, numbers[i]));
	for (size_t i = 0; i < sizeof(mails) / sizeof(mails[0]); i++)
		assert_null(strstr(text, mails[i]));
}

static void masked(const char *plain, const char *expected)
{
	char out[MASK_MAX];
	size_t n = mask_one(out, str_of(plain));

	assert_int_equal(n, strlen(expected));
	assert_memory_equal(out, expected, n);
}

static void a_person_alone_becomes_initials_or_digits(void **state)
{
	(void)state;
	masked("+49 170 1234567", "***67");
	masked("491701234567", "***67");
	masked("110", "***");
	masked("anna@praxis.de", "***@praxis.de");
	masked("a@b@praxis.de", "***@praxis.de");
	masked("Anna Schmidt", "A. S.");
	masked("\xc3\x84nne von  Berg", "\xc3\x84. v. B.");
	masked("Anna 0170123", "A. *.");
	masked("one two three four five", "o. t. t. f. ...");
	masked("", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_person_alone_becomes_initials_or_digits),
		cmocka_unit_test(numbers_keep_their_last_digits),
		cmocka_unit_test(mails_keep_their_domain),
		cmocka_unit_test(names_in_json_become_initials),
		cmocka_unit_test(what_is_no_person_stays),
		cmocka_unit_test(no_line_of_the_log_tells_of_a_person),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
