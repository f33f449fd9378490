/* expr_scan.c - looks over an expression before SQLite parses it, token by token as SQLite cuts
 * them. Never understands more of it than where names are and that it cannot break out of the
 * statement around it. Pure functions; any thread. */
#include "pipeline/expr_i.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"

struct cursor {
	const char *at, *end;
	struct str sql;
	const struct scan *scan;
	struct error *error;
	const char *open[64]; /* brackets not closed yet */
	unsigned depth;
};

void scan_place(char out[24], struct str sql, size_t offset)
{
	size_t i, column = 1;

	for (i = 0; i < offset && i < sql.len; i++)
		column += ((unsigned char)sql.ptr[i] & 0xc0) != 0x80;
	snprintf(out, 24, "%zu", column);
}

static int refuse(struct cursor *c, const char *where, const char *sentence)
{
	char place[24];

	scan_place(place, c->sql, (size_t)(where - c->sql.ptr));
	return error_at(c->error, E_INVALID, place, "%s", sentence);
}

/* SQLite's own idea of a name: ASCII letters and digits, _, $, and every byte beyond ASCII. */
static bool is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

static int scan_name(struct cursor *c)
{
	const char *begin = c->at;
	size_t len;

	while (c->at < c->end && is_name_byte(*c->at))
		c->at++;
	len = (size_t)(c->at - begin);
	if (len == 4 && strncasecmp(begin, "with", 4) == 0)
		return refuse(c, begin, "WITH is not available in expressions");
	c->scan->word(c->scan->arg, (struct str){begin, len});
	return 0;
}

/* A quoted text may be a name too: SQLite takes 'x' for one behind a dot. */
static int scan_quoted(struct cursor *c)
{
	const char *begin = c->at++;
	char close = *begin == '[' ? ']' : *begin;

	for (; c->at < c->end; c->at++) {
		if (*c->at != close)
			continue;
		if (close != ']' && c->at + 1 < c->end && c->at[1] == close) {
			c->at++;
			continue;
		}
		c->scan->word(c->scan->arg, (struct str){begin + 1, (size_t)(c->at - begin - 1)});
		c->at++;
		return 0;
	}
	return refuse(c, begin, "this quote is never closed");
}

static int scan_bracket(struct cursor *c)
{
	if (*c->at == '(') {
		if (c->depth == sizeof(c->open) / sizeof(*c->open))
			return refuse(c, c->at, "nested too deeply");
		c->open[c->depth++] = c->at;
	} else if (c->depth-- == 0) {
		return refuse(c, c->at, "this ) closes nothing");
	}
	c->at++;
	return 0;
}

static bool is_comment(const struct cursor *c)
{
	return c->end - c->at >= 2 &&
	       ((c->at[0] == '-' && c->at[1] == '-') || (c->at[0] == '/' && c->at[1] == '*'));
}

static int scan_token(struct cursor *c)
{
	if (is_comment(c))
		return refuse(c, c->at,
			"-- and /* begin comments in SQL, which are not available "
			"here; write a space between two minus signs");
	switch (*c->at) {
	case '\0':
		return refuse(c, c->at, "a NUL byte cannot stand here");
	case ';':
		return refuse(c, c->at, "one expression only; a semicolon cannot stand here");
	case '?':
	case ':':
	case '@':
	case '#':
	case '$':
		return refuse(c, c->at,
			"SQL parameters are not available; write data ->> '$.name', "
			"and quote texts with '");
	case '(':
	case ')':
		return scan_bracket(c);
	case '\'':
	case '"':
	case '`':
	case '[':
		return scan_quoted(c);
	default:
		if (is_name_byte(*c->at))
			return scan_name(c);
		c->at++;
		return 0;
	}
}

int scan_sql(struct error *error, struct str sql, const struct scan *scan)
{
	struct cursor c = {
		.at = sql.ptr, .end = sql.ptr + sql.len, .sql = sql, .scan = scan, .error = error};
	int failed = 0;

	while (c.at < c.end && (*c.at == ' ' || *c.at == '\t' || *c.at == '\n' || *c.at == '\r'))
		c.at++;
	if (c.at == c.end)
		return error_at(error, E_INVALID, "1",
			"an expression must stand here, such as "
			"data ->> '$.name'");
	while (c.at < c.end && !failed)
		failed = scan_token(&c);
	if (!failed && c.depth)
		return refuse(&c, c.open[c.depth - 1], "this ( is never closed");
	return failed;
}
