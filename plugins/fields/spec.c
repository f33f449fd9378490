/* spec.c - "TYPE[(args)][, required][, default=...]", as operators write it.
 *
 * Never accepts what it does not understand: a misspelt word is told with the nearest right one.
 * Pure: runs on any thread. */
#include "fields.h"

enum { SHOWN = 40 };

const struct fields_type fields_types[] = {
	{"text", fields_make_text, "text", FIELDS_HIDE, 0, 0},
	{"integer", fields_make_integer, "a whole number such as 30", FIELDS_SHOW, 0, 0},
	{"number", fields_make_number, "a number such as 12.5 or 12,5", FIELDS_SHOW, 0, 0},
	{"bool", fields_make_bool, "true or false, 1 or 0, yes or no, ja or nein", FIELDS_SHOW, 0,
		0},
	{"phone", fields_make_phone,
		"a telephone number such as +49 171 3920042, or 0171 3920042 with a country, as in "
		"phone(DE)",
		FIELDS_HIDE, 0, 1},
	{"email", fields_make_email, "an e-mail address such as name@example.org", FIELDS_HIDE, 0,
		0},
	{"date", fields_make_date, "a date such as 2026-11-26, 26.11.2026 or 26112026", FIELDS_SHOW,
		0, 0},
	{"time", fields_make_time, "a time of day such as 17:15 or 17 Uhr 15", FIELDS_SHOW, 0, 0},
	{"datetime", fields_make_datetime,
		"a date with a time of day, such as 2026-11-26T17:15:00+01:00 or 26.11.2026 17:15",
		FIELDS_SHOW, 0, 0},
	{"duration", fields_make_duration, "a length in minutes, such as 30, \"1h 30min\" or 1:30",
		FIELDS_SHOW, 0, 0},
	{"money", fields_make_money, "an amount such as 12,50 or 1.234,56", FIELDS_SHOW, 0, 1},
	{"choice", fields_make_choice, "one of the choices", FIELDS_HIDE, 1, FIELDS_ARGS},
	{"list", fields_make_list, "a list, or text with commas", FIELDS_HIDE, 0, 0},
	{"json", fields_make_json, "JSON", FIELDS_HIDE, 0, 0},
};
const uint32_t fields_type_count = sizeof(fields_types) / sizeof(fields_types[0]);

/* ---- The nearest right word ---- */

enum { LONGEST_WORD = 16 };

static uint32_t least(uint32_t a, uint32_t b, uint32_t c)
{
	uint32_t m = a < b ? a : b;
	return m < c ? m : c;
}

/* Single letters to change, drop or add; two swapped letters count two. */
static uint32_t distance(kl_str a, const char *b)
{
	uint32_t n = (uint32_t)strlen(b), row[LONGEST_WORD + 1];
	if (a.len > LONGEST_WORD || n > LONGEST_WORD)
		return LONGEST_WORD;
	for (uint32_t k = 0; k <= n; k++)
		row[k] = k;
	for (uint32_t i = 1; i <= a.len; i++) {
		uint32_t corner = row[0];
		row[0] = i;
		for (uint32_t k = 1; k <= n; k++) {
			uint32_t above = row[k];
			row[k] = least(
				row[k] + 1, row[k - 1] + 1, corner + (a.ptr[i - 1] != b[k - 1]));
			corner = above;
		}
	}
	return row[n];
}

/* Words that other systems use for our types. */
static const struct {
	const char *word, *type;
} synonyms[] = {
	{"string", "text"},
	{"int", "integer"},
	{"float", "number"},
	{"decimal", "number"},
	{"boolean", "bool"},
	{"tel", "phone"},
	{"telephone", "phone"},
	{"mail", "email"},
	{"timestamp", "datetime"},
	{"instant", "datetime"},
	{"minutes", "duration"},
	{"price", "money"},
	{"enum", "choice"},
	{"array", "list"},
	{"object", "json"},
};

static const char *nearest_type(kl_str word)
{
	const char *best = NULL;
	uint32_t best_distance = 3;
	for (size_t i = 0; i < sizeof(synonyms) / sizeof(synonyms[0]); i++)
		if (kl_eq(word, synonyms[i].word))
			return synonyms[i].type;
	for (uint32_t i = 0; i < fields_type_count; i++) {
		uint32_t d = distance(word, fields_types[i].name);
		if (d < best_distance) {
			best_distance = d;
			best = fields_types[i].name;
		}
	}
	return best;
}

static kl_str all_types(kl_call *c)
{
	kl_str all = kl_s(fields_types[0].name);
	for (uint32_t i = 1; i < fields_type_count; i++)
		all = KL_CAT(c, all, KL_LIT(", "), kl_s(fields_types[i].name));
	return all;
}

static kl_str unknown_type(kl_call *c, kl_str word)
{
	const char *near = nearest_type(word);
	kl_str hint = near ? KL_CAT(c, KL_LIT("did you mean \""), kl_s(near), KL_LIT("\"? "))
			   : KL_LIT("");
	return KL_CAT(c, KL_LIT("\""), fields_shorten(c, word, SHOWN), KL_LIT("\" is no type: "),
		hint, KL_LIT("The types are "), all_types(c));
}

/* ---- Parts ---- */

static uint32_t word_end(kl_str s, uint32_t at)
{
	while (at < s.len && (fields_is_letter(s.ptr[at]) || s.ptr[at] == '_'))
		at++;
	return at;
}

static uint32_t find_char(kl_str s, uint32_t at, char wanted)
{
	while (at < s.len && s.ptr[at] != wanted)
		at++;
	return at;
}

static void read_args(kl_call *c, kl_str list, struct fields_spec *out)
{
	uint32_t from = 0;
	while (from <= list.len) {
		uint32_t to = find_char(list, from, ',');
		kl_str arg = fields_trim(c, kl_slice(c, list, from, to));
		if (arg.len && out->count == FIELDS_ARGS) {
			out->fault = KL_LIT("has more than 64 arguments in its brackets");
			return;
		}
		if (arg.len)
			out->args[out->count++] = arg;
		from = to + 1;
	}
}

/* Moves *at behind "(...)", if there is one. */
static void read_brackets(kl_call *c, kl_str s, uint32_t *at, struct fields_spec *out)
{
	uint32_t close;
	fields_skip_blanks(s, at);
	if (*at >= s.len || s.ptr[*at] != '(')
		return;
	close = find_char(s, *at, ')');
	if (close == s.len) {
		out->fault = KL_LIT("has an opening bracket and no closing one");
		return;
	}
	read_args(c, kl_slice(c, s, *at + 1, close), out);
	*at = close + 1;
}

static int is_quoted(kl_str s)
{
	return s.len >= 2 && s.ptr[0] == '"' && s.ptr[s.len - 1] == '"';
}

/* Behind the type: ", required" and ", default=...", the latter last since it may hold commas. */
static void read_flags(kl_call *c, kl_str s, uint32_t at, struct fields_spec *out)
{
	for (fields_skip_blanks(s, &at); at < s.len && !out->fault.ptr;
		fields_skip_blanks(s, &at)) {
		uint32_t to;
		kl_str flag;
		if (s.ptr[at] != ',') {
			out->fault =
				KL_LIT("has something behind its type that is no \", required\" "
				       "and no \", default=...\"");
			return;
		}
		to = find_char(s, ++at, ',');
		flag = fields_trim(c, kl_slice(c, s, at, to));
		if (kl_starts(flag, "default=")) {
			flag = fields_trim(c, kl_slice(c, s, at, s.len));
			flag = fields_trim(c, kl_slice(c, flag, 8, flag.len));
			out->fallback = is_quoted(flag) ? kl_slice(c, flag, 1, flag.len - 1) : flag;
			return;
		}
		if (!kl_eq(flag, "required")) {
			out->fault = KL_CAT(c, KL_LIT("says \""), fields_shorten(c, flag, SHOWN),
				KL_LIT("\", which is neither \"required\" nor \"default=...\""));
			return;
		}
		out->required = 1;
		at = to;
	}
}

/* ---- Arguments that only some types know ---- */

static void check_args(kl_call *c, struct fields_spec *out)
{
	const struct fields_type *type = out->type;
	if ((int)out->count < type->least)
		out->fault = KL_LIT("needs its choices in brackets, as in choice(yes, no)");
	else if ((int)out->count > type->most)
		out->fault =
			KL_CAT(c, KL_LIT("has too many arguments in brackets: "), kl_s(type->name),
				type->most ? KL_LIT(" takes one") : KL_LIT(" takes none"));
	else if (out->count && type->make == fields_make_phone &&
		 !fields_country_known(out->args[0]))
		out->fault = KL_CAT(c, KL_LIT("names country \""),
			fields_shorten(c, out->args[0], SHOWN),
			KL_LIT("\", which this plugin does not know: use two capital letters such "
			       "as "
			       "DE, AT or CH"));
	else if (out->count && type->make == fields_make_money &&
		 !fields_currency_known(out->args[0]))
		out->fault = KL_CAT(c, KL_LIT("names currency \""),
			fields_shorten(c, out->args[0], SHOWN),
			KL_LIT("\": use three capital letters such as EUR or CHF"));
}

void fields_spec_parse(kl_call *c, kl_str text, struct fields_spec *out)
{
	kl_str s = fields_trim(c, text);
	uint32_t at = word_end(s, 0);
	kl_str word = kl_slice(c, s, 0, at);
	memset(out, 0, sizeof(*out));
	for (uint32_t i = 0; i < fields_type_count; i++)
		if (kl_eq(word, fields_types[i].name))
			out->type = &fields_types[i];
	if (!out->type) {
		out->fault = unknown_type(c, word.len ? word : s);
		return;
	}
	read_brackets(c, s, &at, out);
	if (!out->fault.ptr)
		read_flags(c, s, at, out);
	if (!out->fault.ptr)
		check_args(c, out);
}
