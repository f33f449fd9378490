/* values.c - text, numbers, yes and no, e-mail, choices, lists, JSON.
 *
 * Never computes in floating point: digits stay digits. Pure: runs on any thread. */
#include "fields.h"

void fields_make_text(struct fields_value *v)
{
	if (v->text.ptr)
		v->out = v->c->host->of_text(v->c, v->text);
	else
		v->fault = KL_LIT("is no text");
}

/* ---- Numbers ---- */

static uint32_t skip_sign(kl_str s)
{
	return s.len && (s.ptr[0] == '-' || s.ptr[0] == '+');
}

static uint32_t count_digits(kl_str s, uint32_t at)
{
	uint32_t n = 0;
	while (at + n < s.len && fields_is_digit(s.ptr[at + n]))
		n++;
	return n;
}

/* "30", "-3", and "30.0", which is what SQL makes of a whole number. */
static int read_integer(kl_str s, int64_t *out)
{
	uint32_t at = skip_sign(s), n = count_digits(s, at), zeros;
	int64_t value = 0;
	if (n == 0 || n > 18)
		return 0;
	for (uint32_t i = 0; i < n; i++)
		value = value * 10 + (s.ptr[at + i] - '0');
	at += n;
	if (at < s.len && s.ptr[at] == '.') {
		for (zeros = 0; at + 1 + zeros < s.len && s.ptr[at + 1 + zeros] == '0';)
			zeros++;
		at += zeros ? zeros + 1 : 0;
	}
	*out = s.ptr[0] == '-' ? -value : value;
	return at == s.len;
}

void fields_make_integer(struct fields_value *v)
{
	int64_t n;
	if (read_integer(v->text, &n))
		v->out = v->c->host->of_i64(v->c, n);
	else
		v->fault = KL_LIT("is no whole number");
}

/* "12,5" is German for 12.5. With both signs the last one is the decimal one; a lone comma is
 * decimal. Nothing: no number. */
static kl_str plain_decimal(kl_call *c, kl_str s)
{
	kl_str none = {0, 0, 0};
	char *p = c->host->alloc(c, (uint64_t)s.len + 1);
	uint32_t at = skip_sign(s), n = 0, last = s.len, digits = 0;
	if (!p)
		return none;
	for (uint32_t i = at; i < s.len; i++)
		if (s.ptr[i] == '.' || s.ptr[i] == ',')
			last = i;
	if (at && s.ptr[0] == '-')
		p[n++] = '-';
	for (; at < s.len; at++) {
		if (fields_is_digit(s.ptr[at])) {
			p[n++] = s.ptr[at];
			digits++;
		} else if (at == last && digits && at + 1 < s.len) {
			p[n++] = '.';
		} else if ((s.ptr[at] != '.' && s.ptr[at] != ',') || s.ptr[at] == s.ptr[last]) {
			return none;
		}
	}
	return digits ? (kl_str){p, n, 0} : none;
}

void fields_make_number(struct fields_value *v)
{
	kl_call *c = v->c;
	if (c->host->type(v->in) == KL_NUMBER)
		v->out = v->in;
	else if (v->text.ptr)
		v->out = c->host->from_json(c, plain_decimal(c, v->text));
	if (c->host->type(v->out) != KL_NUMBER) {
		v->out = NULL;
		v->fault = KL_LIT("is no number");
	}
}

/* ---- Yes and no ---- */

void fields_make_bool(struct fields_value *v)
{
	static const char *const yes[] = {"true", "1", "yes", "ja", "wahr", "on", "y", "j"};
	static const char *const no[] = {"false", "0", "no", "nein", "falsch", "off", "n"};
	kl_str s = fields_fold(v->c, v->text);
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		if (kl_eq(s, yes[i]))
			v->out = v->c->host->of_bool(v->c, 1);
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		if (kl_eq(s, no[i]))
			v->out = v->c->host->of_bool(v->c, 0);
	if (!v->out)
		v->fault = KL_LIT("is neither true nor false");
}

/* ---- E-mail ---- */

static int is_local_char(char ch)
{
	return fields_is_digit(ch) || fields_is_letter(ch) ||
	       strchr("!#$%&'*+-/=?^_`{|}~.", ch) != NULL;
}

static int is_domain(kl_str s, uint32_t at)
{
	uint32_t dots = 0, label = 0;
	for (; at < s.len; at++) {
		char ch = s.ptr[at];
		if (ch == '.') {
			if (!label || s.ptr[at - 1] == '-')
				return 0;
			dots++;
			label = 0;
		} else if (fields_is_digit(ch) || fields_is_letter(ch) || (ch == '-' && label)) {
			label++;
		} else {
			return 0;
		}
	}
	return dots && label >= 2;
}

static int is_email(kl_str s)
{
	uint32_t at = 0;
	while (at < s.len && s.ptr[at] && is_local_char(s.ptr[at]))
		at++;
	if (at == 0 || at > 64 || at >= s.len || s.len > 254 || s.ptr[at] != '@')
		return 0;
	if (s.ptr[0] == '.' || s.ptr[at - 1] == '.' || kl_contains(s, ".."))
		return 0;
	return is_domain(s, at + 1);
}

/* In lower case: people are found by it, and nobody's provider tells capitals apart. */
void fields_make_email(struct fields_value *v)
{
	char *p = v->c->host->alloc(v->c, (uint64_t)v->text.len + 1);
	if (!is_email(v->text)) {
		v->fault = KL_LIT("is no e-mail address");
		return;
	}
	for (uint32_t i = 0; p && i < v->text.len; i++) {
		char ch = v->text.ptr[i];
		p[i] = ch >= 'A' && ch <= 'Z' ? (char)(ch + 32) : ch;
	}
	v->out = v->c->host->of_text(v->c, (kl_str){p, v->text.len, 0});
}

/* ---- Choices ---- */

static kl_str joined_args(kl_call *c, const struct fields_spec *spec)
{
	kl_str all = KL_LIT("");
	for (uint32_t i = 0; i < spec->count; i++)
		all = i ? KL_CAT(c, all, KL_LIT(", "), spec->args[i]) : spec->args[i];
	return all;
}

void fields_make_choice(struct fields_value *v)
{
	kl_str wanted = fields_fold(v->c, v->text);
	for (uint32_t i = 0; i < v->spec->count; i++) {
		kl_str one = fields_fold(v->c, v->spec->args[i]);
		if (wanted.ptr && one.len == wanted.len &&
			memcmp(one.ptr, wanted.ptr, one.len) == 0) {
			v->out = v->c->host->of_text(v->c, v->spec->args[i]);
			return;
		}
	}
	v->fault = KL_CAT(v->c, KL_LIT("is none of: "),
		fields_shorten(v->c, joined_args(v->c, v->spec), 300));
}

/* ---- Lists and JSON ---- */

static const kl_val *split(kl_call *c, kl_str s)
{
	kl_val *list = c->host->array(c);
	for (uint32_t from = 0; from <= s.len;) {
		uint32_t to = from;
		kl_str item;
		while (to < s.len && !strchr(",;\n", s.ptr[to]))
			to++;
		item = fields_trim(c, kl_slice(c, s, from, to));
		if (item.len)
			c->host->push(c, list, c->host->of_text(c, item));
		from = to + 1;
	}
	return list;
}

void fields_make_list(struct fields_value *v)
{
	kl_call *c = v->c;
	if (c->host->type(v->in) == KL_ARRAY)
		v->out = v->in;
	else if (kl_starts(v->text, "[")) /* SQL hands arrays on as text */
		v->out = c->host->from_json(c, v->text);
	else if (v->text.ptr)
		v->out = split(c, v->text);
	if (c->host->type(v->out) != KL_ARRAY) {
		v->out = NULL;
		v->fault = KL_LIT("is no list");
	}
}

void fields_make_json(struct fields_value *v)
{
	v->out = v->in;
	if (v->c->host->type(v->in) == KL_TEXT)
		v->out = v->c->host->from_json(v->c, v->text);
	if (!v->out)
		v->fault = KL_LIT("is no JSON");
}
