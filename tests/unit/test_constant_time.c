/* Comparing a secret takes the same instructions wherever the guess begins to be wrong. They are
 * counted one by one (ptrace), not timed: a clock would tell of the machine's other work. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/crypto.h"

static const char secret[] = "2f4c7a9e0d1b3856c4e2a7f90b6d5813";
#define LEN (sizeof(secret) - 1)

/* The child: stops, compares, stops. Once before, so that nothing is looked up on the way. */
static void compare(bool (*equal)(struct str, struct str), const char *guess)
{
	volatile bool result;

	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	result = equal((struct str){secret, LEN}, (struct str){guess, LEN});
	raise(SIGSTOP);
	result = equal((struct str){secret, LEN}, (struct str){guess, LEN});
	raise(SIGSTOP);
	_exit(result);
}

/* Instructions between the two stops; -1: this place does not let us count. */
static long count(bool (*equal)(struct str, struct str), const char *guess)
{
	long steps = 0;
	int status;
	pid_t child = fork();

	if (child == 0)
		compare(equal, guess);
	if (child < 0 || waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
		return -1;
	for (;;) {
		if (ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) ||
			waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) {
			steps = -1;
			break;
		}
		if (WSTOPSIG(status) == SIGSTOP)
			break;
		steps++;
	}
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	return steps;
}

/* As it must not be, to see that counting finds it. */
static bool careless(struct str a, struct str b)
{
	for (size_t i = 0; i < a.len; i++)
		if (a.ptr[i] != b.ptr[i])
			return false;
	return a.len == b.len;
}

static void every_guess_costs_the_same(void **state)
{
	static const size_t places[] = {0, 1, 7, 15, LEN - 1};
	long right = count(crypto_equal, secret);
	char guess[LEN + 1];

	(void)state;
	assert_true(right > 0);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		memcpy(guess, secret, sizeof(guess));
		guess[places[i]] ^= 1;
		assert_int_equal(count(crypto_equal, guess), right);
	}
	memset(guess, 'x', LEN);
	assert_int_equal(count(crypto_equal, guess), right);
}

static void counting_would_find_it(void **state)
{
	char early[] = "xf4c7a9e0d1b3856c4e2a7f90b6d5813",
	     late[] = "2f4c7a9e0d1b3856c4e2a7f90b6d581x";

	(void)state;
	assert_true(count(careless, late) > count(careless, early));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_guess_costs_the_same),
		cmocka_unit_test(counting_would_find_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
