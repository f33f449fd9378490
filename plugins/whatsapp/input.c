/* input.c - what is wrong with a message, told before it goes out: which part, and what is allowed.
 *
 * Meta's own refusal names a parameter in words of its API, and comes when nobody is there to read
 * it. Never repeats what the message says. Pure: runs on any thread. */
#include "whatsapp.h"

enum {
	BUTTONS_MAX = 3,
	ROWS_MAX = 10,
	/* characters */
	TEXT_MAX = 4096,
	BUTTON_TEXT_MAX = 1024, /* the words above buttons */
	BUTTON_ID_MAX = 256,
	BUTTON_TITLE_MAX = 20,
	ROW_ID_MAX = 200,
	ROW_TITLE_MAX = 24,
	ROW_DESCRIPTION_MAX = 72,
	LABEL_MAX = 20
};

static uint32_t characters(kl_str s)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s.len; i++)
		n += ((unsigned char)s.ptr[i] & 0xc0) != 0x80;
	return n;
}

/* "buttons.1.title" */
static kl_str place(kl_call *c, const char *list, uint32_t i, const char *member)
{
	return KL_CAT(c, kl_s(list), KL_LIT("."), c->host->text(c->host->of_i64(c, i)),
		member ? KL_LIT(".") : KL_LIT(""), kl_s(member ? member : ""));
}

static const char *too_long(kl_call *c, kl_str where, uint32_t most)
{
	return KL_CAT(c, where, KL_LIT(" is longer than the "),
		c->host->text(c->host->of_i64(c, most)), KL_LIT(" characters WhatsApp takes"))
		.ptr;
}

struct member {
	const char *name;
	uint32_t most;
	int needed;
};

static const char *wrong_item(kl_call *c, const char *list, uint32_t i, const kl_val *item,
	const struct member *members, uint32_t count)
{
	for (uint32_t k = 0; k < count; k++) {
		kl_str s = kl_text(c, item, members[k].name);
		if (!s.len && members[k].needed)
			return KL_CAT(c, place(c, list, i, members[k].name),
				KL_LIT(" is missing or empty"))
				.ptr;
		if (characters(s) > members[k].most)
			return too_long(c, place(c, list, i, members[k].name), members[k].most);
	}
	return 0;
}

/* ---- Templates ---------------------------------------------------------------------------------
 */

static const char *wrong_params(kl_call *c, const char *where, const kl_val *params)
{
	int named = c->host->type(params) == KL_OBJECT;

	for (uint32_t i = 0; i < c->host->count(params); i++) {
		kl_str key = {0, 0, 0};
		const kl_val *value = c->host->at(params, i, named ? &key : 0);
		if (c->host->text(value).ptr)
			continue;
		return KL_CAT(c,
			named ? KL_CAT(c, kl_s(where), KL_LIT("."), key) : place(c, where, i, 0),
			KL_LIT(" is empty, or no text: a template wants a word for each of its "
			       "places"))
			.ptr;
	}
	return 0;
}

static const char *wrong_payloads(kl_call *c, const kl_val *buttons)
{
	static const struct member members[] = {{"id", BUTTON_ID_MAX, 1}};
	const char *problem = 0;

	for (uint32_t i = 0; !problem && i < c->host->count(buttons); i++) {
		const kl_val *button = c->host->at(buttons, i, 0);
		if (!kl_text(c, button, "suffix").len)
			problem = wrong_item(c, "buttons", i, button, members, 1);
	}
	return problem;
}

static const char *wrong_template(kl_call *c, const kl_val *in)
{
	const kl_val *header = c->host->find(in, "header");
	const char *problem = wrong_params(c, "params", c->host->find(in, "params"));

	if (!problem)
		problem = wrong_params(c, "header", header);
	if (!problem && c->host->count(header) > 1)
		problem = "header has more than the one place a template's heading may have";
	return problem ? problem : wrong_payloads(c, c->host->find(in, "buttons"));
}

/* ---- Free words ---------------------------------------------------------------------------------
 */

static const char *wrong_buttons(kl_call *c, const kl_val *buttons)
{
	static const struct member members[] = {
		{"id", BUTTON_ID_MAX, 1}, {"title", BUTTON_TITLE_MAX, 1}};
	const char *problem = 0;

	for (uint32_t i = 0; !problem && i < c->host->count(buttons); i++) {
		const kl_val *button = c->host->at(buttons, i, 0);
		problem = wrong_item(c, "buttons", i, button, members, 2);
		for (uint32_t k = 0; !problem && k < i; k++)
			if (kl_eq(kl_text(c, button, "title"),
				    kl_text(c, c->host->at(buttons, k, 0), "title").ptr))
				problem = KL_CAT(c, place(c, "buttons", i, "title"),
					KL_LIT(" is that of another button: each needs its own"))
						  .ptr;
	}
	return problem;
}

static const char *wrong_list(kl_call *c, const kl_val *in, const kl_val *rows)
{
	static const struct member members[] = {{"id", ROW_ID_MAX, 1}, {"title", ROW_TITLE_MAX, 1},
		{"description", ROW_DESCRIPTION_MAX, 0}};
	const char *problem = 0;

	if (characters(kl_text(c, in, "button")) > LABEL_MAX)
		return too_long(c, KL_LIT("button"), LABEL_MAX);
	for (uint32_t i = 0; !problem && i < c->host->count(rows); i++)
		problem = wrong_item(c, "list", i, c->host->at(rows, i, 0), members, 3);
	return problem;
}

static const char *wrong_words(kl_call *c, const kl_val *in)
{
	const kl_val *buttons = c->host->find(in, "buttons"), *rows = c->host->find(in, "list");
	uint32_t length = characters(kl_text(c, in, "text"));
	uint32_t most = c->host->count(buttons) ? BUTTON_TEXT_MAX : TEXT_MAX;

	if (!length)
		return "the message is empty: give template or text";
	if (c->host->count(buttons) && c->host->count(rows))
		return "a message has buttons or a list, not both";
	if (c->host->count(buttons) > BUTTONS_MAX || c->host->count(rows) > ROWS_MAX)
		return "WhatsApp shows at most 3 buttons or 10 rows in a message";
	if (length > most)
		return too_long(c,
			c->host->count(buttons) ? KL_LIT("text above buttons") : KL_LIT("text"),
			most);
	return c->host->count(buttons) ? wrong_buttons(c, buttons) : wrong_list(c, in, rows);
}

/* ---- All of it
 * ------------------------------------------------------------------------------------ */

const char *whatsapp_wrong_input(kl_call *c, const kl_val *in, kl_str to)
{
	if (!to.len && !kl_text(c, in, "user_id").len)
		return "the message has no recipient: give to (a number like +4917…) or user_id";
	if (to.len && to.ptr[0] != '+')
		return "to must begin with + and the country code; WhatsApp would put the "
		       "business's own country in front";
	return kl_text(c, in, "template").len ? wrong_template(c, in) : wrong_words(c, in);
}
