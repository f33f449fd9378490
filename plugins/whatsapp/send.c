/* send.c - the input of messenger.send (sdk/operations/messenger.md) as Meta's message object. */
#include "whatsapp.h"

static kl_val *named_text(kl_call *c, kl_str name, kl_str text)
{
	kl_val *p = c->host->object(c);
	kl_set_text(c, p, "type", KL_LIT("text"));
	kl_set_text(c, p, "parameter_name", name);
	kl_set_text(c, p, "text", text);
	return p;
}

/* An object makes named parameters, an array positional ones; a template knows one kind only. */
static kl_val *component(kl_call *c, const char *type, const kl_val *params)
{
	kl_val *out = c->host->object(c), *list = c->host->array(c);
	int named = c->host->type(params) == KL_OBJECT;

	for (uint32_t i = 0; i < c->host->count(params); i++) {
		kl_str key = {0, 0, 0};
		const kl_val *value = c->host->at(params, i, named ? &key : 0);
		c->host->push(c, list, named_text(c, key, c->host->text(value)));
	}
	kl_set_text(c, out, "type", kl_s(type));
	kl_set(c, out, "parameters", list);
	return out;
}

/* What the template's buttons need, in their order: a quick reply its payload, an address its end.
 */
static void add_buttons(kl_call *c, kl_val *components, const kl_val *buttons)
{
	for (uint32_t i = 0; i < c->host->count(buttons); i++) {
		const kl_val *button = c->host->at(buttons, i, 0);
		kl_val *o = c->host->object(c), *p = c->host->object(c), *list = c->host->array(c);
		int url = kl_text(c, button, "suffix").len > 0;
		const char *kind = url ? "text" : "payload";
		kl_set_text(c, p, "type", kl_s(kind));
		kl_set_text(c, p, kind, kl_text(c, button, url ? "suffix" : "id"));
		c->host->push(c, list, p);
		kl_set_text(c, o, "type", KL_LIT("button"));
		kl_set_text(c, o, "sub_type", url ? KL_LIT("url") : KL_LIT("quick_reply"));
		kl_set_text(c, o, "index", c->host->text(c->host->of_i64(c, i)));
		kl_set(c, o, "parameters", list);
		c->host->push(c, components, o);
	}
}

static kl_str language_of(kl_call *c, const kl_step *s)
{
	kl_str own = kl_text(c, s->input, "language");
	return own.len ? own : kl_text(c, s->config, "language");
}

static void put_template(kl_call *c, const kl_step *s, kl_val *body)
{
	kl_val *t = c->host->object(c), *language = c->host->object(c);
	kl_val *components = c->host->array(c);
	const kl_val *params = c->host->find(s->input, "params");
	const kl_val *header = c->host->find(s->input, "header");

	kl_set_text(c, language, "code", language_of(c, s));
	kl_set_text(c, t, "name", kl_text(c, s->input, "template"));
	kl_set(c, t, "language", language);
	if (c->host->count(header))
		c->host->push(c, components, component(c, "header", header));
	if (c->host->count(params))
		c->host->push(c, components, component(c, "body", params));
	add_buttons(c, components, c->host->find(s->input, "buttons"));
	if (c->host->count(components))
		kl_set(c, t, "components", components);
	kl_set_text(c, body, "type", KL_LIT("template"));
	kl_set(c, body, "template", t);
}

static kl_val *text_object(kl_call *c, const char *key, kl_str text)
{
	kl_val *o = c->host->object(c);
	kl_set_text(c, o, key, text);
	return o;
}

static kl_val *reply_buttons(kl_call *c, const kl_val *buttons)
{
	kl_val *action = c->host->object(c), *list = c->host->array(c);

	for (uint32_t i = 0; i < c->host->count(buttons); i++) {
		const kl_val *button = c->host->at(buttons, i, 0);
		kl_val *o = c->host->object(c), *reply = c->host->object(c);
		kl_set_text(c, reply, "id", kl_text(c, button, "id"));
		kl_set_text(c, reply, "title", kl_text(c, button, "title"));
		kl_set_text(c, o, "type", KL_LIT("reply"));
		kl_set(c, o, "reply", reply);
		c->host->push(c, list, o);
	}
	kl_set(c, action, "buttons", list);
	return action;
}

/* Who is written to reads it. */
static kl_str own_label(kl_call *c, const kl_step *s)
{
	return kl_starts(language_of(c, s), "de") ? KL_LIT("Auswahl") : KL_LIT("Choose");
}

static kl_val *list_rows(kl_call *c, const kl_step *s, const kl_val *rows)
{
	kl_val *action = c->host->object(c), *section = c->host->object(c);
	kl_val *sections = c->host->array(c), *list = c->host->array(c);
	kl_str label = kl_text(c, s->input, "button");

	for (uint32_t i = 0; i < c->host->count(rows); i++) {
		const kl_val *row = c->host->at(rows, i, 0);
		kl_val *o = c->host->object(c);
		kl_set_text(c, o, "id", kl_text(c, row, "id"));
		kl_set_text(c, o, "title", kl_text(c, row, "title"));
		kl_set_text(c, o, "description", kl_text(c, row, "description"));
		c->host->push(c, list, o);
	}
	kl_set(c, section, "rows", list);
	c->host->push(c, sections, section);
	kl_set_text(c, action, "button", label.len ? label : own_label(c, s));
	kl_set(c, action, "sections", sections);
	return action;
}

static void put_interactive(kl_call *c, const kl_step *s, kl_val *body)
{
	const kl_val *buttons = c->host->find(s->input, "buttons");
	const kl_val *rows = c->host->find(s->input, "list");
	kl_val *o = c->host->object(c);
	int list = c->host->count(rows) > 0;

	kl_set_text(c, o, "type", list ? KL_LIT("list") : KL_LIT("button"));
	kl_set(c, o, "body", text_object(c, "text", kl_text(c, s->input, "text")));
	kl_set(c, o, "action", list ? list_rows(c, s, rows) : reply_buttons(c, buttons));
	kl_set_text(c, body, "type", KL_LIT("interactive"));
	kl_set(c, body, "interactive", o);
}

/* phone is what mappings call it, so that a mapping's result can be sent to as it is. */
static kl_str recipient(kl_call *c, const kl_val *in)
{
	kl_str to = kl_text(c, in, "to");
	return to.len ? to : kl_text(c, in, "phone");
}

const kl_val *whatsapp_body(kl_call *c, const kl_step *s, const char **problem)
{
	kl_val *body = c->host->object(c);
	kl_str to = recipient(c, s->input), quoted = kl_text(c, s->input, "reply_to");

	*problem = whatsapp_wrong_input(c, s->input, to);
	if (*problem)
		return 0;
	kl_set_text(c, body, "messaging_product", KL_LIT("whatsapp"));
	kl_set_text(c, body, "recipient_type", KL_LIT("individual"));
	if (to.len)
		kl_set_text(c, body, "to", to);
	else
		kl_set_text(c, body, "recipient", kl_text(c, s->input, "user_id"));
	/* the only thing that matches a status to a send whose answer was lost */
	kl_set_text(c, body, "biz_opaque_callback_data", s->key);
	if (quoted.len)
		kl_set(c, body, "context", text_object(c, "message_id", quoted));
	if (kl_text(c, s->input, "template").len) {
		put_template(c, s, body);
	} else if (c->host->count(c->host->find(s->input, "buttons")) ||
		   c->host->count(c->host->find(s->input, "list"))) {
		put_interactive(c, s, body);
	} else {
		kl_set_text(c, body, "type", KL_LIT("text"));
		kl_set(c, body, "text", text_object(c, "body", kl_text(c, s->input, "text")));
	}
	return body;
}
