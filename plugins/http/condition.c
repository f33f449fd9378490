/* condition.c - conditions: "402, 4xx and /error/type = card_error|other, !/data/id".
 *
 * A comma means or, "and" binds tighter. A test is a status, a range of them, a value (there, and
 * neither null, false, 0 nor empty), its opposite, or a comparison. A pure function; any thread.
 */
#include "http.h"

struct scan {
	struct http_scope *scope; /* NULL: only the form is checked */
	kl_call *c;
	kl_str text;
	uint32_t at;
	const char *fault;
};

static void skip_blanks(struct scan *scan)
{
	while (scan->at < scan->text.len &&
		(scan->text.ptr[scan->at] == ' ' || scan->text.ptr[scan->at] == '\t'))
		scan->at++;
}

static int next_is(struct scan *scan, char what)
{
	skip_blanks(scan);
	return scan->at < scan->text.len && scan->text.ptr[scan->at] == what;
}

static int take_char(struct scan *scan, char what)
{
	if (!next_is(scan, what))
		return 0;
	scan->at++;
	return 1;
}

static kl_str take_quoted(struct scan *scan)
{
	uint32_t from = ++scan->at;

	while (scan->at < scan->text.len && scan->text.ptr[scan->at] != '"')
		scan->at++;
	if (scan->at == scan->text.len) {
		scan->fault = "has a \" without its second one";
		return kl_slice(scan->c, scan->text, from, scan->at);
	}
	return kl_slice(scan->c, scan->text, from, scan->at++);
}

/* Up to a blank, a comma, "=", "!=" or "|"; braces hold together. */
static kl_str take_word(struct scan *scan)
{
	uint32_t from;
	int braces = 0;

	skip_blanks(scan);
	from = scan->at;
	for (; scan->at < scan->text.len; scan->at++) {
		char c = scan->text.ptr[scan->at];
		braces += (c == '{') - (c == '}');
		if (braces <= 0 && (c == ' ' || c == '\t' || c == ',' || c == '=' || c == '|' ||
					   (c == '!' && scan->at > from)))
			break;
	}
	return kl_slice(scan->c, scan->text, from, scan->at);
}

/* ---- tests ---------------------------------------------------------------------------------- */

static uint32_t digits3(kl_str s, uint32_t at)
{
	uint32_t n = 0;

	for (uint32_t i = at; i < at + 3; i++) {
		if (i >= s.len || s.ptr[i] < '0' || s.ptr[i] > '9')
			return 0;
		n = n * 10 + (uint32_t)(s.ptr[i] - '0');
	}
	return n;
}

static int is_status_range(kl_str word, uint32_t *from, uint32_t *to)
{
	*from = *to = digits3(word, 0);
	if (word.len == 3 && *from)
		return 1;
	if (word.len == 7 && *from && word.ptr[3] == '-')
		return (*to = digits3(word, 4)) >= *from;
	if (word.len == 3 && word.ptr[0] >= '1' && word.ptr[0] <= '5' && word.ptr[1] == 'x' &&
		word.ptr[2] == 'x') {
		*from = (uint32_t)(word.ptr[0] - '0') * 100;
		*to = *from + 99;
		return 1;
	}
	return 0;
}

static int test_status(struct scan *scan, kl_str word)
{
	uint32_t from, to;
	int64_t status;

	if (!is_status_range(word, &from, &to)) {
		scan->fault = "has a number that is no status; write 404, 4xx or 500-503";
		return 0;
	}
	if (!scan->scope)
		return 0;
	status = scan->c->host->i64(http_value(scan->scope, KL_LIT("$status")), 0);
	return status >= (int64_t)from && status <= (int64_t)to;
}

static int is_true(struct scan *scan, const kl_val *value)
{
	kl_str text = scan->c->host->text(value);

	if (!value)
		return 0;
	return !text.ptr || (text.len && !kl_eq(text, "false") && !kl_eq(text, "0"));
}

static int same(kl_str a, kl_str b)
{
	return a.ptr && b.ptr && a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0;
}

/* "a|b|"c d"": is the value one of them? */
static int test_words(struct scan *scan, const kl_val *value)
{
	int found = 0;

	do {
		int quoted = next_is(scan, '"');
		kl_str word = quoted ? take_quoted(scan) : take_word(scan);
		if (!scan->fault && !word.len && !quoted)
			scan->fault = "has nothing to compare with";
		if (!scan->fault)
			scan->fault = http_text_fault(scan->c, word);
		if (scan->scope && !scan->fault)
			found |= same(scan->c->host->text(value), http_fill(scan->scope, word, 0));
	} while (!scan->fault && take_char(scan, '|'));
	return found;
}

static int test_value(struct scan *scan, kl_str path, int negated)
{
	const kl_val *value = scan->scope ? http_value(scan->scope, path) : 0;

	if (!path.len || (path.len == 1 && path.ptr[0] == '$'))
		scan->fault = "has a place where a test is missing; write a status, /a/pointer, or "
			      "/a/pointer = word";
	if (scan->fault)
		return 0;
	if (take_char(scan, '='))
		return test_words(scan, value) != negated;
	if (take_char(scan, '!')) {
		if (!take_char(scan, '=')) {
			scan->fault = "has a ! where != or a comma was expected";
			return 0;
		}
		return test_words(scan, value) == negated;
	}
	return is_true(scan, value) != negated;
}

static int test(struct scan *scan)
{
	int negated = take_char(scan, '!');
	kl_str word = take_word(scan);

	if (!negated && kl_eq(word, "*"))
		return 1;
	if (word.len && word.ptr[0] >= '0' && word.ptr[0] <= '9')
		return test_status(scan, word) != negated;
	return test_value(scan, word, negated);
}

/* ---- and, or -------------------------------------------------------------------------------- */

static int take_and(struct scan *scan)
{
	struct scan ahead = *scan;

	if (!kl_eq(take_word(&ahead), "and"))
		return 0;
	scan->at = ahead.at;
	return 1;
}

static int all_of(struct scan *scan)
{
	int holds = test(scan);

	while (!scan->fault && take_and(scan))
		holds &= test(scan);
	return holds;
}

static int any_of(struct scan *scan)
{
	int holds = all_of(scan);

	while (!scan->fault && take_char(scan, ','))
		holds |= all_of(scan);
	skip_blanks(scan);
	if (!scan->fault && scan->at < scan->text.len)
		scan->fault = "goes on where a comma or \"and\" was expected";
	return holds;
}

int http_holds(struct http_scope *scope, kl_str condition)
{
	struct http_scope mine = *scope; /* what is missing here is no fault of a template */
	struct scan scan = {&mine, scope->c, condition, 0, 0};
	int holds = any_of(&scan);

	return holds && !scan.fault;
}

const char *http_condition_fault(kl_call *c, kl_str condition)
{
	struct scan scan = {0, c, condition, 0, 0};

	any_of(&scan);
	return scan.fault;
}
