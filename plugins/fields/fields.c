/* fields.c - the mapping plugin: one object, each member of a type, out of what SQL found.
 *
 * Never drops a problem because another came first, never fills a gap with a guess, and never puts
 * a caller's name, number or address into a sentence. Pure: runs on any thread. */
#include "fields.h"

enum { SHOWN = 40, SHOWN_SPEC = 100 };

/* ---- Sentences ---- */

static kl_str opening(kl_call *c, kl_str place, kl_str key, kl_str spec)
{
	kl_str where = place.len ? KL_CAT(c, place, KL_LIT(": ")) : KL_LIT("");
	return KL_CAT(c, where, KL_LIT("\""), key, KL_LIT("\" ("),
		fields_shorten(c, spec, SHOWN_SPEC), KL_LIT(")"));
}

static kl_str kind_of(kl_call *c, const kl_val *v)
{
	kl_str count = fields_digits(c, c->host->count(v));
	switch (c->host->type(v)) {
	case KL_TEXT:
		return KL_CAT(c, KL_LIT("text of "), fields_digits(c, c->host->text(v).len),
			KL_LIT(" bytes"));
	case KL_NUMBER:
		return KL_CAT(c, KL_LIT("number of "), fields_digits(c, c->host->text(v).len),
			KL_LIT(" digits"));
	case KL_BOOL:
		return KL_LIT("true or false");
	case KL_ARRAY:
		return KL_CAT(c, KL_LIT("list of "), count, KL_LIT(" items"));
	default:
		return KL_CAT(c, KL_LIT("object of "), count, KL_LIT(" members"));
	}
}

static int has_digit(kl_str s)
{
	for (uint32_t i = 0; i < s.len; i++)
		if (s.ptr[i] >= '0' && s.ptr[i] <= '9')
			return 1;
	return 0;
}

/* A date may be shown, a name may not; and what was said where a date was wanted may be anything. These
 * sentences end in logs. */
static kl_str shown(struct fields_value *v)
{
	if (v->spec->type->show == FIELDS_HIDE || !v->text.ptr || v->text.len > SHOWN ||
		!has_digit(v->text))
		return KL_CAT(v->c, KL_LIT("the value, "), kind_of(v->c, v->in), KL_LIT(","));
	return KL_CAT(v->c, KL_LIT("\""), fields_shorten(v->c, v->text, SHOWN), KL_LIT("\""));
}

static void tell_wrong(struct fields_value *v, const kl_field *field)
{
	kl_str start = opening(v->c, field->place, field->key, field->spec);
	kl_str s = KL_CAT(v->c, start, KL_LIT(": "), shown(v), KL_LIT(" "), v->fault,
		KL_LIT(". Expected is "), kl_s(v->spec->type->expected));
	v->c->host->problem(v->c, field->key.ptr, s.ptr);
}

static void tell_missing(kl_call *c, const kl_field *field, const struct fields_spec *spec)
{
	kl_str s = KL_CAT(c, opening(c, field->place, field->key, field->spec),
		KL_LIT(": it is required and nothing is there. Expected is "),
		kl_s(spec->type->expected));
	c->host->problem(c, field->key.ptr, s.ptr);
}

static void tell_bad_spec(
	kl_call *c, kl_str place, kl_str key, kl_str text, const struct fields_spec *spec)
{
	kl_str s = KL_CAT(c, opening(c, place, key, text), KL_LIT(": "), spec->fault);
	c->host->problem(c, key.ptr, s.ptr);
}

/* ---- One field ---- */

static int is_absent(kl_call *c, const kl_val *v)
{
	uint32_t type = c->host->type(v);
	if (type == KL_NONE || type == KL_NULL)
		return 1;
	return type == KL_TEXT && !fields_trim(c, c->host->text(v)).len;
}

static void make(struct fields_value *v)
{
	uint32_t type = v->c->host->type(v->in);
	if (type == KL_TEXT || type == KL_NUMBER || type == KL_BOOL)
		v->text = fields_trim(v->c, v->c->host->text(v->in));
	v->spec->type->make(v);
}

/* NULL: nothing is there, or it was wrong and told. */
static const kl_val *map_field(kl_call *c, const kl_val *context, const kl_field *field)
{
	struct fields_spec spec;
	struct fields_value v = {.c = c, .spec = &spec, .context = context, .in = field->value};
	fields_spec_parse(c, field->spec, &spec);
	if (spec.fault.ptr) {
		tell_bad_spec(c, field->place, field->key, field->spec, &spec);
		return NULL;
	}
	if (!spec.type) /* there was no memory for what is wrong with it */
		return NULL;
	if (!is_absent(c, v.in))
		make(&v);
	if (!v.out && !v.fault.ptr && spec.fallback.ptr) {
		v.in = c->host->of_text(c, spec.fallback);
		make(&v);
	}
	if (v.fault.ptr)
		tell_wrong(&v, field);
	else if (!v.out && spec.required)
		tell_missing(c, field, &spec);
	return v.fault.ptr ? NULL : v.out;
}

/* ---- map() ---- */

static const kl_val *captured(kl_call *c, const kl_val *context)
{
	const kl_val *custom = c->host->find(context, "data.custom");
	return custom ? custom : c->host->find(context, "event.data.custom");
}

static const kl_val *map(kl_call *c, const kl_map *m)
{
	kl_val *result = c->host->object(c);
	int own_custom = 0;
	for (uint32_t i = 0; i < m->fields.count; i++) {
		const kl_field *field =
			(const kl_field *)(const void *)((const char *)m->fields.ptr +
							 (size_t)i * m->fields.stride);
		c->host->set(c, result, field->key, map_field(c, m->context, field));
		own_custom |= kl_eq(field->key, "custom");
	}
	if (!own_custom)
		kl_set(c, result, "custom", captured(c, m->context));
	return result;
}

/* ---- check() ---- */

/* Types that need no zone and no country can try their default now. */
static int can_try(const struct fields_type *type)
{
	return type->make != fields_make_phone && type->make != fields_make_date &&
	       type->make != fields_make_datetime && type->make != fields_make_money;
}

static void check_fallback(kl_call *c, struct fields_spec *spec)
{
	struct fields_value v = {.c = c, .spec = spec};
	if (!spec->type || spec->fault.ptr || !spec->fallback.ptr || !can_try(spec->type))
		return;
	v.in = c->host->of_text(c, spec->fallback);
	if (is_absent(c, v.in))
		return;
	make(&v);
	if (v.fault.ptr)
		spec->fault = KL_CAT(c, KL_LIT("has a default that does not fit: \""),
			spec->fallback, KL_LIT("\" "), v.fault);
}

static void check(kl_call *c, const kl_val *config)
{
	for (uint32_t i = 0; i < c->host->count(config); i++) {
		kl_str key, nowhere = {0, 0, 0};
		const kl_val *option = c->host->at(config, i, &key);
		kl_str text = kl_text(c, option, "spec");
		struct fields_spec spec;
		if (c->host->type(option) != KL_OBJECT)
			continue;
		fields_spec_parse(c, text, &spec);
		check_fallback(c, &spec);
		if (spec.fault.ptr)
			tell_bad_spec(c, nowhere, key, text, &spec);
	}
}

/* ---- Declaration ---- */

static const kl_option options[] = {
	{"*", KL_OPT_EXPR | KL_OPT_REPEATED, 0, NULL, NULL,
		"KEY = TYPE[(args)][, required][, default=...] : SQL. Types: text, integer, "
		"number, bool, "
		"phone(COUNTRY), email, date, time, datetime, duration, money(CURRENCY), "
		"choice(a, b, ...), list, json"},
};

static const kl_plugin plugin = {
	.size = sizeof(kl_plugin),
	.state_version = 1,
	.id = "org.klinke.fields",
	.version = "1.0.0",
	.summary = "Field mapping: typed members out of SQL expressions",
	.options = KL_LIST(options),
	.check = check,
	.map = map,
};

KL_PLUGIN(&plugin)
