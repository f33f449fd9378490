/* acme.c - a mapping: makes one object of the values that an operator's lines give.
 *
 *   title = upper, required : data ->> 'summary'
 *
 * The host evaluates what stands behind the colon; what stands before it (spec) is yours: here the
 * words "text", "upper" and "required". Replace them by what your objects need. */
#include <klinke/sugar.h>

static void tell(kl_call *c, const kl_field *f, const char *what)
{
	c->host->problem(c, f->key.ptr, KL_CAT(c, f->place, KL_LIT(": "), f->key, KL_LIT(" "),
						kl_s(what)).ptr);
}

static const kl_val *upper(kl_call *c, const kl_val *value)
{
	kl_str s = c->host->text(value);
	char *p = (char *)c->host->alloc(c, (uint64_t)s.len + 1);

	for (uint32_t i = 0; p && i < s.len; i++)
		p[i] = s.ptr[i] >= 'a' && s.ptr[i] <= 'z' ? (char)(s.ptr[i] - 32) : s.ptr[i];
	return p ? c->host->of_text(c, (kl_str){p, s.len, 0}) : 0;
}

/* NULL: nothing is there, which leaves the member out, or it was told. */
static const kl_val *make(kl_call *c, const kl_field *f)
{
	int required = kl_contains(f->spec, "required");
	uint32_t type = c->host->type(f->value);

	if (!kl_starts(f->spec, "text") && !kl_starts(f->spec, "upper")) {
		tell(c, f, "begins with something else than \"text\" or \"upper\"");
		return 0;
	}
	if (!c->host->text(f->value).len) {
		if (type == KL_ARRAY || type == KL_OBJECT)
			tell(c, f, "is no single value");
		else if (required)
			tell(c, f, "is required, and has no value");
		return 0;
	}
	return kl_starts(f->spec, "upper") ? upper(c, f->value)
					   : c->host->of_text(c, c->host->text(f->value));
}

static const kl_val *map(kl_call *c, const kl_map *m)
{
	kl_val *made = c->host->object(c);

	for (uint32_t i = 0; i < m->fields.count; i++) {
		/* stride, not sizeof: a newer host's fields are longer */
		const kl_field *f = (const kl_field *)(const void *)((const char *)m->fields.ptr +
								     (size_t)i * m->fields.stride);

		c->host->set(c, made, f->key, make(c, f));
	}
	return made;
}

static const kl_option options[] = {
	{"*", KL_OPT_EXPR, 0, 0, 0, "MEMBER = text|upper[, required] : SQL"},
};
static const kl_plugin acme = {
	.size = sizeof(kl_plugin),
	.id = "org.example.acme",
	.version = "0.1.0",
	.summary = "Objects as Acme wants them",
	.options = KL_LIST(options),
	.map = map,
};
KL_PLUGIN(&acme)
