/* password.c - the line of the INI that proves a password. Never prints, keeps or takes as an
 * argument the password itself: arguments can be read by every process. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/error.h"
#include "base/password.h"
#include "command/command.h"

#define ROOM (PASSWORD_MOST + 2)

static bool read_line(char line[ROOM], struct str *out)
{
	size_t n;

	if (!fgets(line, ROOM, stdin))
		return false;
	n = strlen(line);
	while (n && (line[n - 1] == '\n' || line[n - 1] == '\r'))
		line[--n] = '\0';
	*out = (struct str){line, n};
	return true;
}

/* The terminal shows nothing of what is typed. */
static bool ask(const char *prompt, char line[ROOM], struct str *out)
{
	struct termios before, silent;
	bool told = tcgetattr(STDIN_FILENO, &before) == 0, got;

	fputs(prompt, stderr);
	silent = before;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	if (told)
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
	got = read_line(line, out);
	if (told)
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
	fputs("\n", stderr);
	return got;
}

static int take(const struct invocation *in, char first[ROOM], char second[ROOM], struct str *out)
{
	struct str again;

	if (!isatty(STDIN_FILENO))
		return read_line(first, out)
			       ? 0
			       : usage_error(in, "give the password as a line on standard input");
	if (!ask("Password: ", first, out) || !ask("Once more: ", second, &again))
		return usage_error(in, "no password was given");
	if (!str_eq(*out, again))
		return usage_error(in, "these were two different ones");
	return 0;
}

static int run(const struct invocation *in)
{
	char first[ROOM], second[ROOM], line[PASSWORD_LINE];
	struct error error = {0};
	struct str password = {0};
	int code;

	if (in->count)
		return usage_error(in, "it takes no arguments: others could read them");
	setvbuf(stdin, NULL, _IONBF, 0); /* no copy in a buffer of libc's */
	code = take(in, first, second, &password);
	if (code == 0 && password_make(&error, password, line) < 0)
		code = fail(in, &error);
	if (code == 0)
		printf("admin_password = %s\n", line);
	crypto_wipe(first, sizeof(first));
	crypto_wipe(second, sizeof(second));
	return code;
}

const struct command command_password = {
	.name = "password",
	.run = run,
	.usage = "",
	.summary = "make the line of the INI that lets a person log in",
	.help = "Asks for the password twice, or reads it as one line from standard input, and "
		"prints the line for\n"
		"[host]. It holds a salted hash (scrypt), so it may stand in the file; the "
		"password cannot be\n"
		"found from it but by guessing. 10 characters at least.\n",
	.options = "",
};
