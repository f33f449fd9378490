/* names.c - a mapping, the smallest: every option becomes a member of the object, with the spaces
 * around it taken off. A spec is "text" or "text, required". It passes cases/names.json. */
#include <klinke/sugar.h>

static kl_str trimmed(kl_call *c, kl_str s)
{
	uint32_t from = 0, to = s.len;

	while (from < to && s.ptr[from] == ' ')
		from++;
	while (to > from && s.ptr[to - 1] == ' ')
		to--;
	return kl_slice(c, s, from, to);
}

static void take(kl_call *c, kl_val *out, const kl_field *field)
{
	kl_str value = trimmed(c, c->host->text(field->value));

	if (value.len)
		c->host->set(c, out, field->key, c->host->of_text(c, value));
	else if (kl_eq(field->spec, "text, required"))
		c->host->problem(c, field->key.ptr, "is empty, and required");
	else if (!kl_eq(field->spec, "text"))
		c->host->problem(
			c, field->key.ptr, "is not a text: write \"text\" or \"text, required\"");
}

static const kl_val *map(kl_call *c, const kl_map *m)
{
	kl_val *out = c->host->object(c);

	for (uint32_t i = 0; i < m->fields.count; i++)
		take(c, out,
			(const kl_field *)(const void *)((const char *)m->fields.ptr +
							 (size_t)i * m->fields.stride));
	return out;
}

static const kl_option options[] = {{"*", KL_OPT_EXPR, 0, 0, 0, "a member of the object"}};
static const kl_plugin names = {
	.size = sizeof(kl_plugin),
	.id = "org.example.names",
	.version = "1.0.0",
	.summary = "Texts without the spaces around them (a sample)",
	.options = KL_LIST(options),
	.map = map,
};
KL_PLUGIN(&names)
