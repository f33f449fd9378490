/* text.c - templates: text and JSON with placeholders, {path:filter?} or {path:filter|otherwise}.
 *
 * Never guesses: what is missing and has neither "?" nor "|" is told in the scope. A pure function
 * of scope and template; any thread.
 */
#include "http.h"

/* ---- pieces ------------------------------------------------------------------------------ */

static uint32_t find_char(kl_str s, uint32_t from, char what)
{
	while (from < s.len && s.ptr[from] != what)
		from++;
	return from;
}

/* Literal text up to the next brace that means something; "{{" and "}}" are braces themselves. */
static uint32_t literal_end(kl_str s, int *doubled)
{
	uint32_t i = 0;

	*doubled = 0;
	while (i < s.len && s.ptr[i] != '{' && s.ptr[i] != '}')
		i++;
	if (i + 1 < s.len && s.ptr[i] == s.ptr[i + 1]) {
		*doubled = 1;
		return i + 1;
	}
	return i;
}

static kl_str from_byte(kl_str s, uint32_t from)
{
	kl_str out = {s.ptr + from, s.len - from, 0};

	return out;
}

int http_piece(kl_call *c, kl_str *rest, kl_str *literal, kl_str *expr)
{
	int doubled;
	uint32_t end;

	*literal = *expr = (kl_str){0, 0, 0};
	if (!rest->ptr || !rest->len)
		return 0;
	end = literal_end(*rest, &doubled);
	if (end) {
		*literal = kl_slice(c, *rest, 0, end);
		*rest = from_byte(*rest, end + (uint32_t)doubled);
		return literal->ptr != 0;
	}
	end = find_char(*rest, 0, '}');
	*expr = kl_slice(c, *rest, 1, end < 1 ? 1 : end);
	*rest = from_byte(*rest, end < rest->len ? end + 1 : end);
	return expr->ptr != 0;
}

/* ---- what stands between braces -------------------------------------------------------------- */

struct hole {
	kl_str path, filter, otherwise; /* otherwise: nothing without "|" */
	int optional;
};

static struct hole read_hole(kl_call *c, kl_str expr)
{
	struct hole hole = {{0, 0, 0}, {0, 0, 0}, {0, 0, 0}, 0};
	uint32_t bar = find_char(expr, 0, '|'), colon;

	if (bar < expr.len)
		hole.otherwise = kl_slice(c, expr, bar + 1, expr.len);
	if (bar == expr.len && bar && expr.ptr[bar - 1] == '?') {
		hole.optional = 1;
		bar--;
	}
	colon = find_char(expr, 0, ':');
	if (colon < bar)
		hole.filter = kl_slice(c, expr, colon + 1, bar);
	hole.path = kl_slice(c, expr, 0, colon < bar ? colon : bar);
	return hole;
}

static int is_filter(kl_str f)
{
	return !f.ptr || kl_eq(f, "text") || kl_eq(f, "number") || kl_eq(f, "json") ||
	       kl_eq(f, "s") || kl_eq(f, "ms") || kl_eq(f, "instant");
}

/* ---- values ------------------------------------------------------------------------------------
 */

kl_str http_instant(kl_call *c, int64_t ms)
{
	const kl_time1 *time = (const kl_time1 *)c->host->extension("kl.time/1");
	kl_str none = {0, 0, 0};

	return time ? time->print(c, ms, 0) : none;
}

struct http_scope http_scope(kl_call *c, const kl_val *root)
{
	struct http_scope scope = {c, root, c->host->object(c), {0, 0, 0}};

	http_dollar(&scope, "now", http_instant(c, c->now_ms));
	return scope;
}

void http_dollar(struct http_scope *scope, const char *name, kl_str text)
{
	kl_set_text(scope->c, scope->dollars, name, text);
}

const kl_val *http_find(kl_call *c, const kl_val *value, kl_str path)
{
	return path.ptr ? c->host->find(value, path.ptr) : 0; /* no path: no memory for it */
}

static const kl_val *present(kl_call *c, const kl_val *value)
{
	uint32_t type = c->host->type(value);

	return type == KL_NONE || type == KL_NULL ? 0 : value;
}

/* "$input.a", "$query/hub.challenge": the name ends at the first dot or slash. */
static const kl_val *dollar_value(struct http_scope *scope, kl_str path)
{
	kl_call *c = scope->c;
	uint32_t end = 1;
	const kl_val *value;
	kl_str name, rest;

	while (end < path.len && path.ptr[end] != '.' && path.ptr[end] != '/')
		end++;
	name = kl_slice(c, path, 1, end);
	value = http_find(c, scope->dollars, name);
	if (end < path.len) {
		rest = kl_slice(c, path, end + (path.ptr[end] == '.'), path.len);
		value = http_find(c, value, rest);
	}
	return present(c, value);
}

const kl_val *http_value(struct http_scope *scope, kl_str path)
{
	if (path.len && path.ptr[0] == '$')
		return dollar_value(scope, path);
	return path.len ? present(scope->c, http_find(scope->c, scope->root, path)) : 0;
}

/* ---- filters ------------------------------------------------------------------------------------
 */

#define YEAR_10000_S INT64_C(253402300800)
#define MS_FROM INT64_C(100000000000) /* a number from here on counts milliseconds */

static const kl_val *as_number(kl_call *c, const kl_val *value)
{
	const kl_val *n = c->host->type(value) == KL_NUMBER
				  ? value
				  : c->host->from_json(c, c->host->text(value));

	return c->host->type(n) == KL_NUMBER ? n : 0;
}

/* "1732300800.123" in ms; the digits one by one, since a plugin for 32 bits has nothing to divide
 * or convert such numbers with. */
static int64_t fraction_ms(kl_str digits, int64_t seconds_ms)
{
	uint32_t dot = find_char(digits, 0, '.');
	int64_t weight[] = {100, 10, 1};

	for (uint32_t i = 0; i < 3 && dot + 1 + i < digits.len; i++) {
		char digit = digits.ptr[dot + 1 + i];
		if (digit < '0' || digit > '9')
			break;
		seconds_ms += (digit - '0') * weight[i];
	}
	return seconds_ms;
}

static int64_t number_ms(kl_call *c, kl_str digits)
{
	uint32_t dot = find_char(digits, 0, '.');
	int64_t n = c->host->i64(c->host->from_json(c, kl_slice(c, digits, 0, dot)), -1);

	if (n < 0 || n >= YEAR_10000_S * 1000)
		return -1;
	return n >= MS_FROM ? n : fraction_ms(digits, n * 1000);
}

/* -1: neither an instant as text nor seconds or milliseconds since 1970. */
static int64_t instant_ms(kl_call *c, const kl_val *value)
{
	const kl_time1 *time = (const kl_time1 *)c->host->extension("kl.time/1");
	const kl_val *number = as_number(c, value);
	int64_t ms = -1;

	if (number)
		return number_ms(c, c->host->text(number));
	return time && time->parse(c, c->host->text(value), 0, &ms) && ms >= 0 ? ms : -1;
}

/* Without the last three digits. */
static const kl_val *whole_seconds(kl_call *c, int64_t ms)
{
	kl_str digits = c->host->text(c->host->of_i64(c, ms));

	return digits.len < 4 ? c->host->of_i64(c, 0)
			      : c->host->from_json(c, kl_slice(c, digits, 0, digits.len - 3));
}

static const kl_val *as_instant(kl_call *c, kl_str filter, const kl_val *value)
{
	int64_t ms = instant_ms(c, value);

	if (ms < 0)
		return 0;
	if (kl_eq(filter, "s"))
		return whole_seconds(c, ms);
	if (kl_eq(filter, "ms"))
		return c->host->of_i64(c, ms);
	return c->host->of_text(c, http_instant(c, ms));
}

static kl_str text_of(kl_call *c, const kl_val *value)
{
	kl_str text = c->host->text(value);

	return text.ptr || !value ? text : c->host->to_json(c, value);
}

static const kl_val *filtered(kl_call *c, kl_str filter, const kl_val *value)
{
	if (!filter.ptr || !value)
		return value;
	if (kl_eq(filter, "text"))
		return c->host->of_text(c, text_of(c, value));
	if (kl_eq(filter, "json"))
		return c->host->of_text(c, c->host->to_json(c, value));
	if (kl_eq(filter, "number"))
		return as_number(c, value);
	return as_instant(c, filter, value);
}

/* ---- filling
 * -------------------------------------------------------------------------------------- */

/* NULL and not *left_out: it is missing, which is noted. */
static const kl_val *hole_value(struct http_scope *scope, kl_str expr, int *left_out)
{
	struct hole hole = read_hole(scope->c, expr);
	const kl_val *value = filtered(scope->c, hole.filter, http_value(scope, hole.path));

	*left_out = 0;
	if (value)
		return value;
	if (hole.otherwise.ptr)
		return scope->c->host->of_text(scope->c, hole.otherwise);
	*left_out = hole.optional;
	if (!hole.optional && !scope->missing.ptr)
		scope->missing = hole.path;
	return 0;
}

kl_str http_fill(struct http_scope *scope, kl_str text, int percent)
{
	kl_call *c = scope->c;
	kl_str out = KL_LIT(""), literal, expr;
	int left_out;

	while (http_piece(c, &text, &literal, &expr)) {
		kl_str value;
		if (!expr.ptr) {
			out = KL_CAT(c, out, literal);
			continue;
		}
		value = text_of(c, hole_value(scope, expr, &left_out));
		if (percent && value.ptr)
			value = c->host->encode(c, "percent", value);
		out = KL_CAT(c, out, value);
	}
	return out;
}

/* The whole text is one placeholder. */
static int is_hole(kl_call *c, kl_str text, kl_str *expr)
{
	kl_str literal;

	return http_piece(c, &text, &literal, expr) && expr->ptr && !text.len;
}

static const kl_val *shape(struct http_scope *scope, const kl_val *json, int depth);

static const kl_val *shape_text(struct http_scope *scope, const kl_val *json)
{
	kl_str text = scope->c->host->text(json), expr;
	int left_out;

	if (is_hole(scope->c, text, &expr))
		return hole_value(scope, expr, &left_out);
	return scope->c->host->of_text(scope->c, http_fill(scope, text, 0));
}

static const kl_val *shape_object(struct http_scope *scope, const kl_val *json, int depth)
{
	kl_val *out = scope->c->host->object(scope->c);

	for (uint32_t i = 0; i < scope->c->host->count(json); i++) {
		kl_str key;
		const kl_val *member = scope->c->host->at(json, i, &key);
		scope->c->host->set(scope->c, out, key, shape(scope, member, depth + 1));
	}
	return out;
}

static const kl_val *shape_array(struct http_scope *scope, const kl_val *json, int depth)
{
	kl_val *out = scope->c->host->array(scope->c);

	for (uint32_t i = 0; i < scope->c->host->count(json); i++) {
		const kl_val *item = shape(scope, scope->c->host->at(json, i, 0), depth + 1);
		if (item)
			scope->c->host->push(scope->c, out, item);
	}
	return out;
}

static const kl_val *shape(struct http_scope *scope, const kl_val *json, int depth)
{
	uint32_t type = scope->c->host->type(json);

	if (depth > HTTP_DEPTH)
		return 0;
	if (type == KL_TEXT)
		return shape_text(scope, json);
	if (type == KL_OBJECT)
		return shape_object(scope, json, depth);
	if (type == KL_ARRAY)
		return shape_array(scope, json, depth);
	return json;
}

const kl_val *http_shape(struct http_scope *scope, const kl_val *json)
{
	return shape(scope, json, 0);
}

/* ---- faults
 * ----------------------------------------------------------------------------------------- */

const char *http_text_fault(kl_call *c, kl_str text)
{
	kl_str literal, expr, rest = text;
	struct hole hole;

	while (rest.len) {
		kl_str before = rest;
		if (!http_piece(c, &rest, &literal, &expr))
			break;
		if (!expr.ptr)
			continue;
		if (before.ptr[0] == '}')
			return "has a } without its {; a brace itself is written }}";
		if (expr.len + 1 >= before.len || before.ptr[expr.len + 1] != '}')
			return "has a { without its }; a brace itself is written {{";
		hole = read_hole(c, expr);
		if (!hole.path.len)
			return "has a {} without a name in it";
		if (find_char(hole.path, 0, '{') < hole.path.len ||
			find_char(hole.path, 0, ' ') < hole.path.len)
			return "has a { without its }, or a blank in a name; {name}, {/a/pointer} "
			       "or {$key}";
		if (!is_filter(hole.filter))
			return "has a filter that does not exist; there are :text, :number, :json, "
			       ":s, :ms and :instant";
	}
	return 0;
}

static const char *shape_fault(kl_call *c, const kl_val *json, int depth)
{
	uint32_t type = c->host->type(json);
	const char *fault = 0;

	if (depth > HTTP_DEPTH)
		return "is nested too deeply";
	if (type == KL_TEXT)
		return http_text_fault(c, c->host->text(json));
	for (uint32_t i = 0;
		!fault && (type == KL_OBJECT || type == KL_ARRAY) && i < c->host->count(json); i++)
		fault = shape_fault(c, c->host->at(json, i, 0), depth + 1);
	return fault;
}

const char *http_shape_fault(kl_call *c, const kl_val *json)
{
	return shape_fault(c, json, 0);
}

/* ---- durations
 * -------------------------------------------------------------------------------------- */

#define LONGEST_MS (400 * INT64_C(86400000))

static int64_t unit_ms(kl_str text, uint32_t *i)
{
	static const struct {
		char letter;
		int64_t ms;
	} units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}, {'w', 604800000}};

	if (*i + 1 < text.len && text.ptr[*i] == 'm' && text.ptr[*i + 1] == 's') {
		*i += 2;
		return 1;
	}
	for (uint32_t k = 0; *i < text.len && k < sizeof(units) / sizeof(units[0]); k++)
		if (text.ptr[*i] == units[k].letter) {
			++*i;
			return units[k].ms;
		}
	return 0;
}

int64_t http_duration(kl_str text)
{
	int64_t total = 0;
	uint32_t i = 0;

	while (i < text.len) {
		int64_t n = 0, unit;
		uint32_t from = i;
		while (i < text.len && i - from < 9 && text.ptr[i] >= '0' && text.ptr[i] <= '9')
			n = n * 10 + (text.ptr[i++] - '0');
		unit = i > from ? unit_ms(text, &i) : 0;
		total += n * unit; /* nine digits of weeks are far from the end of 64 bits */
		if (!unit || total > LONGEST_MS)
			return -1;
	}
	return text.len ? total : -1;
}
