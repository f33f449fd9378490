/* fields.h - what the files of the fields plugin share.
 *
 * fields.c    what the plugin declares; check() and map()
 * spec.c      "TYPE[(args)][, required][, default=...]"
 * text.c      text as we need it: trimming, folding, scanning
 * values.c    text, numbers, choices, lists
 * phone.c     telephone numbers to E.164
 * money.c     amounts to integer minor units
 * moment.c    dates, times of day, instants, durations */
#ifndef FIELDS_H
#define FIELDS_H

#include <klinke/sugar.h>

/* ---- One value on its way ---- */

struct fields_spec;

struct fields_value {
	kl_call *c;
	const struct fields_spec *spec;
	const kl_val *context; /* of kl_map; may be NULL */
	const kl_val *in;      /* neither NULL, nor JSON null, nor blank text */
	kl_str text;           /* in as trimmed text; nothing for arrays and objects */
	const kl_val *out;     /* what it became; NULL and no fault: as good as not there */
	/* What is wrong, as the end of a sentence: "is no date"; expected is appended. */
	kl_str fault;
};

enum fields_show { FIELDS_HIDE, FIELDS_SHOW };

struct fields_type {
	const char *name;
	void (*make)(struct fields_value *);
	const char *expected;  /* "a date such as 2026-11-26 or 26.11.2026" */
	enum fields_show show; /* may a value that is wrong stand in a sentence? */
	int least, most;       /* arguments */
};

/* ---- spec.c ---- */

enum { FIELDS_ARGS = 64 };

struct fields_spec {
	const struct fields_type *type;
	kl_str args[FIELDS_ARGS];
	uint32_t count;
	int required;
	kl_str fallback; /* nothing: none */
	kl_str fault;    /* nothing: fine. Else a sentence */
};

void fields_spec_parse(kl_call *c, kl_str text, struct fields_spec *out);
extern const struct fields_type fields_types[];
extern const uint32_t fields_type_count;

/* ---- text.c ---- */

kl_str fields_trim(kl_call *c, kl_str s);
/* Lower case, ae for a-umlaut and so on, inner blanks as one: for comparing only. */
kl_str fields_fold(kl_call *c, kl_str s);
int fields_is_digit(char ch);
int fields_is_letter(char ch); /* ASCII, or any byte above */
/* 0: none, or more than most digits. Moves *at behind them. */
uint32_t fields_read_number(kl_str s, uint32_t *at, uint32_t most, int32_t *out);
void fields_skip_blanks(kl_str s, uint32_t *at);
kl_str fields_digits(kl_call *c, int64_t n);
/* At most so many bytes, cut at a character's border, with "..." behind. */
kl_str fields_shorten(kl_call *c, kl_str s, uint32_t most);

/* ---- values.c, phone.c, money.c, moment.c: the types ---- */

void fields_make_text(struct fields_value *v);
void fields_make_integer(struct fields_value *v);
void fields_make_number(struct fields_value *v);
void fields_make_bool(struct fields_value *v);
void fields_make_email(struct fields_value *v);
void fields_make_choice(struct fields_value *v);
void fields_make_list(struct fields_value *v);
void fields_make_json(struct fields_value *v);
void fields_make_phone(struct fields_value *v);
void fields_make_money(struct fields_value *v);
void fields_make_date(struct fields_value *v);
void fields_make_time(struct fields_value *v);
void fields_make_datetime(struct fields_value *v);
void fields_make_duration(struct fields_value *v);

int fields_country_known(kl_str country);
int fields_currency_known(kl_str currency);

#endif
