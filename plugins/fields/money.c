/* money.c - amounts as people and SQL write them, to integer minor units.
 *
 * Never computes in floating point, never guesses whether "1.234" is a thousand: the language of
 * the tenant decides or nobody does. Pure: runs on any thread. */
#include "fields.h"

static const struct {
	const char *code;
	uint32_t places;
} other_places[] = {
	{"JPY", 0},
	{"KRW", 0},
	{"CLP", 0},
	{"ISK", 0},
	{"VND", 0},
	{"PYG", 0},
	{"UGX", 0},
	{"XAF", 0},
	{"XOF", 0},
	{"BHD", 3},
	{"IQD", 3},
	{"JOD", 3},
	{"KWD", 3},
	{"LYD", 3},
	{"OMR", 3},
	{"TND", 3},
};

static const struct {
	const char *mark, *code;
} marks[] = {
	{"\xe2\x82\xac", "EUR"},
	{"euro", "EUR"},
	{"$", "USD"},
	{"us$", "USD"},
	{"dollar", "USD"},
	{"\xc2\xa3", "GBP"},
	{"fr", "CHF"},
	{"fr.", "CHF"},
	{"sfr", "CHF"},
	{"sfr.", "CHF"},
	{"franken", "CHF"},
	{"\xc2\xa5", "JPY"},
	{"kr", "SEK"},
	{"kr.", "DKK"},
};

enum { MOST_DIGITS = 15, ROUNDED_FROM = 9 };

int fields_currency_known(kl_str currency)
{
	for (uint32_t i = 0; i < currency.len; i++)
		if (currency.ptr[i] < 'A' || currency.ptr[i] > 'Z')
			return 0;
	return currency.len == 3;
}

static uint32_t places_of(kl_str currency)
{
	for (size_t i = 0; i < sizeof(other_places) / sizeof(other_places[0]); i++)
		if (kl_eq(currency, other_places[i].code))
			return other_places[i].places;
	return 2;
}

/* ---- Marks around the number ---- */

static int is_numeric(char ch)
{
	return fields_is_digit(ch) || ch == '-' || ch == '+';
}

static int names_currency(kl_call *c, kl_str mark, kl_str currency)
{
	kl_str folded = fields_fold(c, mark);
	kl_str own = fields_fold(c, currency);
	if (!folded.len ||
		(folded.len == 3 && own.len == 3 && memcmp(folded.ptr, own.ptr, 3) == 0))
		return 1;
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (kl_eq(folded, marks[i].mark) && kl_eq(currency, marks[i].code))
			return 1;
	return 0;
}

/* Leaves the number between the marks in *s. 0: they name something else than currency. */
static int strip_marks(kl_call *c, kl_str *s, kl_str currency)
{
	uint32_t from = 0, to = s->len;
	kl_str before, after;
	while (from < to && !is_numeric(s->ptr[from]))
		from++;
	while (to > from && !is_numeric(s->ptr[to - 1]))
		to--;
	before = kl_slice(c, *s, 0, from);
	after = kl_slice(c, *s, to, s->len);
	if (!names_currency(c, before, currency) || !names_currency(c, after, currency))
		return 0;
	*s = kl_slice(c, *s, from, to);
	while (s->len > 2 && s->ptr[s->len - 1] == '-') { /* "12,-" and "12,--" */
		*s = kl_slice(c, *s, 0, s->len - 1);
		if (!s->len)
			return 0;
		if (s->ptr[s->len - 1] == ',' || s->ptr[s->len - 1] == '.')
			*s = kl_slice(c, *s, 0, s->len - 1);
	}
	return s->len > 0;
}

/* ---- The number ---- */

struct amount {
	char digits[MOST_DIGITS + 1]; /* before and after the decimal sign */
	uint32_t whole, part;         /* how many of each */
	int negative;
	const char *fault;
};

/* The sign that begins the decimals: '.', ',' or 0 for none. */
static char decimal_sign(kl_str s, int is_json, kl_str language, const char **fault)
{
	uint32_t dots = 0, commas = 0, last = s.len;
	char sign, thousands = kl_starts(language, "en") ? ',' : '.';
	for (uint32_t i = 0; i < s.len; i++) {
		dots += s.ptr[i] == '.';
		commas += s.ptr[i] == ',';
		if (s.ptr[i] == '.' || s.ptr[i] == ',')
			last = i;
	}
	if (last == s.len)
		return 0;
	sign = s.ptr[last];
	if (is_json || (dots && commas))
		return sign;
	if (dots + commas > 1)
		return 0;
	if (s.len - last - 1 != 3)
		return sign;
	if (!kl_starts(language, "en") && !kl_starts(language, "de"))
		*fault = "could be a thousand or a fraction";
	else if (sign != thousands)
		*fault = "has three decimal places";
	return 0;
}

static int is_thousands(kl_str s, uint32_t at, char decimal)
{
	uint32_t n = 0;
	if (!strchr(".,' ", s.ptr[at]) || s.ptr[at] == decimal || at == 0)
		return 0;
	while (at + 1 + n < s.len && fields_is_digit(s.ptr[at + 1 + n]))
		n++;
	return n == 3;
}

static void read_amount(kl_str s, char decimal, struct amount *a)
{
	int behind = 0;
	uint32_t at = 0;
	a->negative = s.ptr[0] == '-';
	at += is_numeric(s.ptr[0]) && !fields_is_digit(s.ptr[0]);
	for (; at < s.len; at++) {
		char ch = s.ptr[at];
		if (fields_is_digit(ch) && a->whole + a->part < MOST_DIGITS) {
			a->digits[a->whole + a->part] = ch;
			a->whole += !behind;
			a->part += behind != 0;
		} else if (fields_is_digit(ch) && !behind) {
			a->fault = "has too many digits";
		} else if (ch == decimal && !behind) {
			behind = 1;
		} else if (!fields_is_digit(ch) &&
			   (behind || !ch || !is_thousands(s, at, decimal))) {
			a->fault = "is no amount";
			return;
		}
	}
	if (!a->whole || (behind && !a->part))
		a->fault = "is no amount";
}

/* SQL computes in floating point: 59.97 may arrive as 59.969999999999999. So many decimals are
 * rounded; a few too many are somebody's mistake. */
static void to_minor(struct amount *a, uint32_t places, int is_json, int64_t *out)
{
	uint32_t all = a->whole + a->part;
	int round = 0;
	*out = 0;
	for (uint32_t i = a->whole + places; i < all; i++)
		if (a->digits[i] != '0')
			round = 1;
	if (round && !(is_json && a->part >= ROUNDED_FROM)) {
		a->fault = "has more decimal places than its currency";
		return;
	}
	for (uint32_t i = 0; i < a->whole + places; i++)
		*out = *out * 10 + (i < all ? a->digits[i] - '0' : 0);
	if (round && a->digits[a->whole + places] >= '5')
		*out += 1;
	if (a->negative)
		*out = -*out;
}

static const char *read_money(struct fields_value *v, kl_str currency, int64_t *minor)
{
	int is_json = v->c->host->type(v->in) == KL_NUMBER;
	kl_str s = v->text, language = kl_text(v->c, v->context, "language");
	struct amount a = {0};
	char decimal;
	if (!s.ptr || !strip_marks(v->c, &s, currency))
		return s.ptr ? "has something beside it that is not its currency" : "is no amount";
	decimal = decimal_sign(s, is_json, language, &a.fault);
	if (!a.fault)
		read_amount(s, decimal, &a);
	if (!a.fault)
		to_minor(&a, places_of(currency), is_json, minor);
	return a.fault;
}

void fields_make_money(struct fields_value *v)
{
	kl_str currency = v->spec->count ? v->spec->args[0] : KL_LIT("EUR");
	int64_t minor = 0;
	const char *fault = read_money(v, currency, &minor);
	kl_val *o;
	if (fault) {
		v->fault = KL_CAT(v->c, kl_s(fault), KL_LIT(" ("), currency, KL_LIT(")"));
		return;
	}
	o = v->c->host->object(v->c);
	kl_set_i64(v->c, o, "amount", minor);
	kl_set_text(v->c, o, "currency", currency);
	v->out = o;
}
