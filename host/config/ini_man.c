/* ini_man.c - prints klinke.ini(5) from the tables of sections and keys, while the host is built.
 * Is no part of the host. One thread. */
#include <stdio.h>
#include <string.h>

#include "config/config.h"

static const char head[] =
	".TH KLINKE.INI 5 \"\" \"Klinke " KLINKE_VERSION "\" \"Klinke\"\n"
	".SH NAME\n"
	"klinke.ini \\- configuration of a Klinke host\n"
	".SH SYNOPSIS\n"
	".I /etc/klinke/klinke.ini\n"
	".SH DESCRIPTION\n"
	"One file, and those that it includes, say what a host does: who its offices are, which "
	"accounts\n"
	"it uses, and what follows when something has happened.\n"
	".B klinke check\n"
	"tells everything that is wrong with it, as FILE:LINE:COL;\n"
	".B klinke reload\n"
	"lets the running host read it again.\n"
	"Another file is named with\n"
	".B \\-c\n"
	"or in the environment, by\n"
	".BR KLINKE_CONFIG .\n"
	".SS Lines\n"
	"A section begins with its name in brackets, a key stands left of the first equals sign.\n"
	"Comments begin with a semicolon or a hash, and have lines of their own.\n"
	"An indented line continues the value above it, a blank line ends it.\n"
	".SS Values\n"
	"Durations: 500ms, 10s, 5m, 2h, 1d, 1w, 1h30m.\n"
	"Sizes: 64K, 4M, 1G.\n"
	"Rates: 120/min, 5/s.\n"
	"Lists are separated by commas or blanks, or the key is repeated.\n"
	"${NAME} is that variable of the environment; $${ stands for the characters themselves.\n"
	"A secret is ${NAME}, or @FILE for the content of a file beside this one.\n"
	"An SQL expression is one of SQLite, over the event; it sees data, event, steps.NAME, "
	"call,\n"
	"caller, tenant, now.\n"
	".SS Steps\n"
	"A step is\n"
	".RI \"\\fBmap\\fR \" NAME\n"
	"or\n"
	".IR CONNECTION . OPERATION \" \" KEY = VALUE \" ...\",\n"
	"where a value is a word, a \"text\" or an (expression).\n"
	"What an operation takes is told by\n"
	".BR \"klinke plugin info\" .\n"
	".SH SECTIONS\n";

static const char tail[] =
	".SH FILES\n"
	".TP\n"
	".I /etc/klinke/klinke.ini\n"
	"The configuration.\n"
	"If secrets stand in it or beside it, they are for root and the host's user only.\n"
	".TP\n"
	".I /etc/klinke/env\n"
	"Variables of the environment, one NAME=value a line, where systemd starts the host.\n"
	".SH SEE ALSO\n"
	".BR klinke\\-plugin (7);\n"
	".B klinke help config\n"
	"prints the same keys, for the program that is installed.\n";

/* One character; what groff would take for its own is put in its words. Bytes over 0x7f are UTF-8
 * of the table, so well formed. */
static const char *put_character(const char *p)
{
	unsigned char c = (unsigned char)*p;
	unsigned long code;
	int more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 0;

	if (c == '\\' || c == '-')
		fputs(c == '-' ? "\\-" : "\\e", stdout);
	else if (!more)
		putchar(c);
	else {
		code = c & (0x3fu >> more);
		for (int i = 0; i < more; i++)
			code = code << 6 | (*++p & 0x3f);
		printf("\\[u%04lX]", code);
	}
	return p + 1;
}

static void put(const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", stdout);
	while (*text)
		text = put_character(text);
}

static void put_key(const struct config_key *key)
{
	fputs(".TP\n\\fB", stdout);
	put(key->name);
	printf("%s\\fR = \\fI", key->name[strlen(key->name) - 1] == '_' ? "\\fIOPERATION" : "");
	put(key->type);
	puts("\\fR");
	put(key->help);
	if (key->fallback) {
		fputs("\n.br\nDefault: \\fB", stdout);
		put(key->fallback);
		fputs("\\fR", stdout);
	}
	printf("%s%s\n", key->required ? "\n.br\nRequired." : "",
		key->repeated ? "\n.br\nMay be given more than once." : "");
}

int main(void)
{
	size_t count;
	const struct config_section *sections = config_sections(&count);

	fputs(head, stdout);
	for (size_t i = 0; i < count; i++) {
		printf(".SS [%s%s]\n", sections[i].kind, sections[i].named ? " NAME" : "");
		put(sections[i].help);
		putchar('\n');
		for (size_t k = 0; k < sections[i].key_count; k++)
			put_key(&sections[i].keys[k]);
	}
	fputs(tail, stdout);
	return fflush(stdout) != 0;
}
