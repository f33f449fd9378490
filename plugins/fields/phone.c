/* phone.c - telephone numbers as people write them, to E.164.
 *
 * Knows how each country dials inside itself, not which of its numbers exist. Never completes a
 * number that lacks its area code, and never shows one in a sentence. Pure: runs on any thread. */
#include "fields.h"

static const struct country {
	const char *iso, *code, *trunk; /* trunk: dialled before a national number, "" none */
	uint32_t least, most;           /* digits behind the code */
} countries[] = {
	{"DE", "49", "0", 6, 13},
	{"AT", "43", "0", 6, 13},
	{"CH", "41", "0", 9, 9},
	{"LI", "423", "", 7, 9},
	{"LU", "352", "", 4, 11},
	{"NL", "31", "0", 9, 9},
	{"BE", "32", "0", 8, 9},
	{"FR", "33", "0", 9, 9},
	{"GB", "44", "0", 9, 10},
	{"IE", "353", "0", 7, 9},
	{"DK", "45", "", 8, 8},
	{"NO", "47", "", 8, 8},
	{"SE", "46", "0", 7, 9},
	{"FI", "358", "0", 6, 11},
	{"IT", "39", "", 6, 11},
	{"ES", "34", "", 9, 9},
	{"PT", "351", "", 9, 9},
	{"PL", "48", "", 9, 9},
	{"CZ", "420", "", 9, 9},
	{"SK", "421", "0", 9, 9},
	{"HU", "36", "06", 8, 9},
	{"SI", "386", "0", 8, 8},
	{"HR", "385", "0", 8, 9},
	{"RS", "381", "0", 8, 9},
	{"BA", "387", "0", 8, 8},
	{"RO", "40", "0", 9, 9},
	{"BG", "359", "0", 7, 9},
	{"GR", "30", "", 10, 10},
	{"TR", "90", "0", 10, 10},
	{"UA", "380", "0", 9, 9},
	{"US", "1", "1", 10, 10},
	{"CA", "1", "1", 10, 10},
};

static const struct country *find_country(kl_str iso)
{
	for (size_t i = 0; i < sizeof(countries) / sizeof(countries[0]); i++)
		if (kl_eq(iso, countries[i].iso))
			return &countries[i];
	return NULL;
}

int fields_country_known(kl_str country)
{
	return find_country(country) != NULL;
}

/* No country's code begins another's: the first that fits is the one. */
static const struct country *country_of(kl_str international)
{
	for (size_t i = 0; i < sizeof(countries) / sizeof(countries[0]); i++)
		if (kl_starts(international, countries[i].code))
			return &countries[i];
	return NULL;
}

/* What switchboards and models write for a number that is not there. */
static int is_withheld(kl_call *c, kl_str s)
{
	static const char *const words[] = {"anonymous", "anonym", "unknown", "unbekannt",
		"private", "privat", "restricted", "withheld", "unavailable", "unterdrueckt",
		"none", "null", "undefined", "n/a", "caller_number", "caller_phone_number"};
	kl_str folded = fields_fold(c, s);
	if (kl_contains(folded, "{{")) /* a variable that nobody filled in */
		return 1;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (kl_eq(folded, words[i]))
			return 1;
	return 0;
}

/* ---- Digits ---- */

struct dialled {
	char *digits; /* NUL-terminated */
	uint32_t len;
	int plus;
};

static uint32_t skip_decoration(kl_str s, uint32_t at)
{
	static const char *const wide[] = {
		"\xc2\xa0", "\xe2\x80\x91", "\xe2\x80\x93", "\xe2\x80\xaf"};
	if (s.ptr[at] && strchr(" -/.()\t", s.ptr[at]))
		return 1;
	for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++) {
		uint32_t n = (uint32_t)strlen(wide[i]);
		if (at + n <= s.len && memcmp(s.ptr + at, wide[i], n) == 0)
			return n;
	}
	return 0;
}

static int is_trunk_hint(kl_str s, uint32_t at)
{
	return at + 3 <= s.len && memcmp(s.ptr + at, "(0)", 3) == 0;
}

/* "+49 (0)30 / 123-45": the zero in brackets is for those who do not dial the code. */
static int read_digits(kl_call *c, kl_str s, struct dialled *out)
{
	uint32_t at = 0, n = 0, step;
	char *p = c->host->alloc(c, (uint64_t)s.len + 1);
	if (!p)
		return 0;
	if (kl_starts(s, "tel:"))
		at = 4;
	while (at < s.len) {
		int international = out->plus || (n > 1 && p[0] == '0' && p[1] == '0');
		if (fields_is_digit(s.ptr[at]))
			p[n++] = s.ptr[at++];
		else if (s.ptr[at] == '+' && !n && !out->plus)
			out->plus = (int)++at;
		else if (international && is_trunk_hint(s, at))
			at += 3;
		else if ((step = skip_decoration(s, at)) > 0)
			at += step;
		else
			return 0;
	}
	out->digits = p;
	out->len = n;
	return n > 0;
}

/* ---- To E.164 ---- */

static void drop(kl_str *s, uint32_t n)
{
	s->ptr += n;
	s->len -= n;
}

static int is_plausible(kl_str national, const struct country *country)
{
	if (country->trunk[0] == '0' && national.len && national.ptr[0] == '0')
		return 0;
	return national.len >= country->least && national.len <= country->most;
}

static kl_str with_code(kl_call *c, const struct country *country, kl_str national)
{
	kl_str none = {0, 0, 0};
	if (!is_plausible(national, country))
		return none;
	return KL_CAT(c, KL_LIT("+"), kl_s(country->code), national);
}

/* Of countries outside the table only E.164's own limits are known. */
static kl_str from_international(kl_call *c, kl_str digits)
{
	kl_str none = {0, 0, 0};
	const struct country *country = country_of(digits);
	if (!country) {
		if (digits.len < 8 || digits.len > 15 || digits.ptr[0] == '0')
			return none;
		return KL_CAT(c, KL_LIT("+"), digits);
	}
	drop(&digits, (uint32_t)strlen(country->code));
	if (country->trunk[0] == '0' && kl_starts(digits, country->trunk)) /* "+49 0171 ..." */
		drop(&digits, (uint32_t)strlen(country->trunk));
	return with_code(c, country, digits);
}

static kl_str from_national(kl_call *c, kl_str digits, const struct country *country)
{
	kl_str none = {0, 0, 0};
	uint32_t trunk = (uint32_t)strlen(country->trunk);
	if (trunk && kl_starts(digits, country->trunk))
		drop(&digits, trunk);
	else if (trunk && country->trunk[0] == '0')
		return none; /* neither "+49..." nor "0...": an area code may be missing */
	return with_code(c, country, digits);
}

static const struct country *home(struct fields_value *v)
{
	if (v->spec->count)
		return find_country(v->spec->args[0]);
	return find_country(kl_text(v->c, v->context, "country"));
}

static kl_str to_e164(struct fields_value *v, const struct dialled *d)
{
	kl_str none = {0, 0, 0};
	kl_str digits = {d->digits, d->len, 0};
	const struct country *country = home(v);
	const char *exit_code = country && kl_eq(kl_s(country->code), "1") ? "011" : "00";
	if (d->plus)
		return from_international(v->c, digits);
	if (kl_starts(digits, exit_code)) {
		drop(&digits, (uint32_t)strlen(exit_code));
		return from_international(v->c, digits);
	}
	return country ? from_national(v->c, digits, country) : none;
}

void fields_make_phone(struct fields_value *v)
{
	struct dialled d = {0};
	kl_str number;
	if (v->text.ptr && is_withheld(v->c, v->text))
		return;
	if (!v->text.ptr || !read_digits(v->c, v->text, &d)) {
		v->fault = KL_LIT("is no telephone number");
		return;
	}
	number = to_e164(v, &d);
	if (number.ptr)
		v->out = v->c->host->of_text(v->c, number);
	else if (!home(v))
		v->fault = KL_LIT("does not begin with + or 00, and no country is named");
	else
		v->fault = KL_LIT("is no complete telephone number");
}
