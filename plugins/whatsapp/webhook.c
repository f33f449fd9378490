/* webhook.c - Meta's webhooks: handshake, signature, and what is in them.
 *
 * One POST may hold up to a thousand updates; every entry, change, message, status and error of
 * it becomes an event of its own. A contact may come without a number (usernames), so nothing
 * here needs one.
 */
#include "whatsapp.h"

static const kl_answer *answer(kl_call *c, uint32_t kind, uint32_t status, const char *reason)
{
	kl_answer *a = KL_NEW(c, kl_answer);
	if (!a)
		return 0;
	a->kind = kind;
	a->status = status;
	a->reason = reason;
	return a;
}

static const kl_answer *handshake(kl_call *c, const kl_inbound *in)
{
	kl_str challenge = kl_pair_get(in->query, "hub.challenge");
	kl_answer *a;

	if (!kl_eq(kl_pair_get(in->query, "hub.mode"), "subscribe") || !challenge.len)
		return answer(
			c, KL_REJECT, 403, "not a verification: hub.mode or hub.challenge missing");
	c->host->require_secret(c, "verify_token", kl_pair_get(in->query, "hub.verify_token"));
	a = (kl_answer *)answer(c, KL_HANDSHAKE, 200, 0);
	if (a) {
		a->refused = 403;
		a->content_type = "text/plain"; /* so that what is echoed can never act as a page */
		a->body = challenge;
	}
	return a;
}

const kl_answer *whatsapp_verify(kl_call *c, const kl_inbound *in)
{
	kl_str header = kl_pair_get(in->headers, "x-hub-signature-256"), mac;
	kl_mac *m = KL_NEW(c, kl_mac);
	kl_str *parts = (kl_str *)c->host->alloc(c, 2 * sizeof(kl_str));

	if (kl_eq(kl_s(in->method), "GET"))
		return handshake(c, in);
	if (!header.ptr)
		return answer(c, KL_REJECT, 401, "header X-Hub-Signature-256 is missing");
	if (!kl_starts(header, "sha256="))
		return answer(c, KL_REJECT, 401, "X-Hub-Signature-256 does not begin with sha256=");
	if (header.len != 7 + 64)
		return answer(c, KL_REJECT, 401, "X-Hub-Signature-256 has not 64 digits");
	mac = c->host->decode(c, "hex", kl_slice(c, header, 7, header.len));
	if (!mac.ptr)
		return answer(c, KL_REJECT, 401, "X-Hub-Signature-256 is not hexadecimal");
	if (!m || !parts)
		return 0;
	parts[0] = in->body;
	parts[1] = mac;
	m->hash = "sha256";
	m->secret = "app_secret";
	m->pieces = (kl_list){&parts[0], 1, sizeof(kl_str)};
	m->macs = (kl_list){&parts[1], 1, sizeof(kl_str)};
	c->host->require_mac(c, m);
	return answer(c, KL_ACCEPT, 200, 0);
}

/* ---- What all events of one change share -------------------------------------------------- */

struct change {
	kl_call *c;
	const kl_val *entry, *value;
	kl_str phone_number_id, field;
};

#define YEAR_10000_S INT64_C(253402300800)

/* 0, which is now, for what is no time after 1970. */
static int64_t seconds_ms(kl_call *c, const kl_val *v, const char *path)
{
	/* a text of digits, not a number */
	const kl_val *n = c->host->from_json(c, kl_text(c, v, path));
	int64_t s = c->host->i64(n, 0);

	return s > 0 && s < YEAR_10000_S ? s * 1000 : 0;
}

/* E.164, or nothing: what is no number must not become a person. */
static kl_str number(kl_call *c, kl_str digits)
{
	kl_str none = {0, 0, 0};
	uint32_t sign = digits.len && digits.ptr[0] == '+';

	if (digits.len < 5 + sign || digits.len > 15 + sign)
		return none;
	for (uint32_t i = sign; i < digits.len; i++)
		if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
			return none;
	return sign ? digits : KL_CAT(c, KL_LIT("+"), digits);
}

static kl_val *base(const struct change *ch, const kl_val *from)
{
	kl_val *data = ch->c->host->object(ch->c);
	kl_set_text(ch->c, data, "phone_number_id", ch->phone_number_id);
	kl_set_text(ch->c, data, "message_id", kl_text(ch->c, from, "id"));
	return data;
}

static void emit(const struct change *ch, kl_event *e)
{
	e->size = sizeof(*e);
	ch->c->host->emit(ch->c, e);
}

/* Contacts belong to messages by id, never by position. */
static kl_str profile_name(const struct change *ch, kl_str wa_id, kl_str user_id)
{
	kl_call *c = ch->c;
	const kl_val *contacts = c->host->find(ch->value, "contacts");
	kl_str none = {0, 0, 0};

	for (uint32_t i = 0; i < c->host->count(contacts); i++) {
		const kl_val *contact = c->host->at(contacts, i, 0);
		kl_str w = kl_text(c, contact, "wa_id"), u = kl_text(c, contact, "user_id");
		if ((w.len && wa_id.len && kl_eq(w, wa_id.ptr)) ||
			(u.len && user_id.len && kl_eq(u, user_id.ptr)))
			return kl_text(c, contact, "profile.name");
	}
	return none;
}

/* ---- Incoming messages ----------------------------------------------------------------------- */

static void put_choice(kl_call *c, kl_val *data, kl_str payload, kl_str title)
{
	kl_set_text(c, data, "payload", payload.ptr ? payload : title);
	kl_set_text(c, data, "text", title);
}

static void put_interactive(kl_call *c, kl_val *data, const kl_val *interactive)
{
	kl_str kind = kl_text(c, interactive, "type");

	kl_set_text(c, data, "interactive", kind);
	if (kl_eq(kind, "button_reply") || kl_eq(kind, "list_reply")) {
		const kl_val *reply = c->host->find(interactive, kind.ptr);
		put_choice(c, data, kl_text(c, reply, "id"), kl_text(c, reply, "title"));
	} else if (kl_eq(kind, "nfm_reply")) {
		kl_str text = kl_text(c, interactive, "nfm_reply.response_json");
		kl_set(c, data, "form", c->host->from_json(c, text));
	}
}

static void put_content(kl_call *c, kl_val *data, const kl_val *m, kl_str kind)
{
	if (kl_eq(kind, "text")) {
		kl_set_text(c, data, "text", kl_text(c, m, "text.body"));
	} else if (kl_eq(kind, "button")) {
		put_choice(c, data, kl_text(c, m, "button.payload"), kl_text(c, m, "button.text"));
	} else if (kl_eq(kind, "interactive")) {
		put_interactive(c, data, c->host->find(m, "interactive"));
	} else if (kind.len) {
		/* media, location, contacts, reaction, order: as they are, under their own name */
		kl_set(c, data, "content", c->host->find(m, kind.ptr));
		kl_set_text(c, data, "text", kl_text(c, c->host->find(m, kind.ptr), "caption"));
	}
}

static void message(const struct change *ch, const kl_val *m)
{
	kl_call *c = ch->c;
	kl_str id = kl_text(c, m, "id"), from = kl_text(c, m, "from");
	kl_str user = kl_text(c, m, "from_user_id"), kind = kl_text(c, m, "type");
	kl_val *data = base(ch, m);
	kl_event e = {0};

	kl_set_text(c, data, "from", number(c, from));
	kl_set_text(c, data, "user_id", user);
	kl_set_text(c, data, "name", profile_name(ch, from, user));
	kl_set_text(c, data, "kind", kind);
	kl_set_text(c, data, "reply_to", kl_text(c, m, "context.id"));
	put_content(c, data, m, kind);
	kl_set(c, data, "errors", c->host->find(m, "errors"));
	e.at_ms = seconds_ms(c, m, "timestamp");
	e.type = kl_eq(kind, "system") ? "contact.changed" : "message.received";
	e.dedupe = KL_CAT(c, KL_LIT("message:"), id);
	e.subject = KL_CAT(c, KL_LIT("contact:"), user.len ? user : from);
	e.person = number(c, from);
	e.data = data;
	emit(ch, &e);
}

/* ---- Statuses of what we sent -------------------------------------------------------------------
 */

struct status {
	const char *word, *type;
	int rank; /* a later lower one is ignored, not an error */
};

static const struct status statuses[] = {
	{"sent", "message.sent", 1},
	{"failed", "message.failed", 2}, /* the end, unless it is known to have arrived */
	{"delivered", "message.delivered", 3},
	{"read", "message.read", 4},
	{"played", "message.read", 5},
};

static const struct status *find_status(kl_str word)
{
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		if (kl_eq(word, statuses[i].word))
			return &statuses[i];
	return 0;
}

/* Titles are to be withdrawn one day; the details are what stays. */
static kl_str reason_of(kl_call *c, const kl_val *error)
{
	static const char *const paths[] = {"title", "message", "error_data.details"};
	kl_str none = {0, 0, 0};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		kl_str words = kl_text(c, error, paths[i]);
		if (words.len)
			return words;
	}
	return none;
}

static void status(const struct change *ch, const kl_val *s)
{
	kl_call *c = ch->c;
	kl_str id = kl_text(c, s, "id"), word = kl_text(c, s, "status");
	const struct status *known = find_status(word);
	const kl_val *error = c->host->find(s, "errors.0");
	kl_val *data = base(ch, s);
	kl_event e = {0};

	kl_set_text(c, data, "status", word);
	kl_set_i64(c, data, "rank", known ? known->rank : 0);
	kl_set_text(c, data, "to", number(c, kl_text(c, s, "recipient_id")));
	kl_set_text(c, data, "user_id", kl_text(c, s, "recipient_user_id"));
	kl_set_text(c, data, "key", kl_text(c, s, "biz_opaque_callback_data"));
	kl_set(c, data, "pricing", c->host->find(s, "pricing"));
	if (error) {
		kl_set_text(c, data, "code", kl_text(c, error, "code"));
		kl_set_text(c, data, "reason", reason_of(c, error));
	}
	e.at_ms = seconds_ms(c, s, "timestamp");
	e.type = known ? known->type : "messenger.other";
	e.dedupe = KL_CAT(c, KL_LIT("status:"), id, KL_LIT(":"), word,
		kl_text(c, s, "recipient_participant_id"));
	e.subject = KL_CAT(c, KL_LIT("message:"), id);
	e.regarding = kl_text(c, s, "biz_opaque_callback_data");
	e.person = number(c, kl_text(c, s, "recipient_id"));
	e.data = data;
	emit(ch, &e);
}

/* ---- Everything else ----------------------------------------------------------------------------
 */

/* same: what makes it the same event again, for the vendor gives no id */
static void other(const struct change *ch, const char *type, const kl_val *what, const kl_val *same)
{
	kl_call *c = ch->c;
	kl_val *data = base(ch, 0);
	kl_event e = {0};

	kl_set_text(c, data, "field", ch->field);
	kl_set(c, data, "value", what);
	e.type = type;
	e.dedupe = KL_CAT(c, KL_LIT("change:"),
		c->host->encode(c, "hex", c->host->hash(c, "sha256", c->host->to_json(c, same))));
	e.data = data;
	emit(ch, &e);
}

/* Without an id it belongs to nothing, and all of its kind would be repeats of the first. */
static void message_or_other(const struct change *ch, const kl_val *m)
{
	if (kl_text(ch->c, m, "id").len)
		message(ch, m);
	else
		other(ch, "messenger.other", m, m);
}

static void status_or_other(const struct change *ch, const kl_val *s)
{
	if (kl_text(ch->c, s, "id").len)
		status(ch, s);
	else
		other(ch, "messenger.other", s, s);
}

static void each(const struct change *ch, const char *list,
	void (*handle)(const struct change *, const kl_val *))
{
	const kl_val *items = ch->c->host->find(ch->value, list);
	for (uint32_t i = 0; i < ch->c->host->count(items); i++)
		handle(ch, ch->c->host->at(items, i, 0));
}

/* "2026-11-24" */
static kl_str today(kl_call *c)
{
	const kl_time1 *time = (const kl_time1 *)c->host->extension("kl.time/1");

	return time ? kl_slice(c, time->print(c, c->now_ms, 0), 0, 10) : kl_s(0);
}

/* It may bear no time at all: the same trouble of the same number on another day is news again,
 * which nobody must miss because of the first one. */
static void problem_of_account(const struct change *ch, const kl_val *error)
{
	kl_call *c = ch->c;
	kl_val *same = c->host->object(c);
	const kl_val *time = c->host->find(ch->entry, "time");

	kl_set_text(c, same, "number", ch->phone_number_id);
	kl_set(c, same, "error", error);
	kl_set(c, same, "time", time ? time : c->host->of_text(c, today(c)));
	other(ch, "messenger.problem", error, same);
}

static void change(kl_call *c, const kl_val *entry, const kl_val *v)
{
	const kl_val *value = c->host->find(v, "value");
	struct change ch = {c, entry, value, kl_text(c, value, "metadata.phone_number_id"),
		kl_text(c, v, "field")};

	if (kl_eq(ch.field, "messages")) {
		each(&ch, "messages", message_or_other);
		each(&ch, "statuses", status_or_other);
		each(&ch, "errors", problem_of_account);
		return;
	}
	/* entry.time makes two equal changes at two times two events */
	kl_val *what = c->host->object(c);
	kl_set(c, what, "change", value);
	kl_set(c, what, "time", c->host->find(entry, "time"));
	other(&ch,
		kl_eq(ch.field, "message_template_status_update") ? "template.changed"
								  : "messenger.other",
		what, what);
}

int whatsapp_normalize(kl_call *c, const kl_inbound *in)
{
	const kl_val *body = c->host->from_json(c, in->body);
	const kl_val *entries = c->host->find(body, "entry");

	if (!body || c->host->type(entries) != KL_ARRAY) {
		c->host->problem(c, body ? "entry" : "",
			body ? "the webhook has no list named entry" : "the body is not JSON");
		return KL_BAD_INPUT;
	}
	for (uint32_t i = 0; i < c->host->count(entries); i++) {
		const kl_val *entry = c->host->at(entries, i, 0);
		const kl_val *changes = c->host->find(entry, "changes");
		for (uint32_t k = 0; k < c->host->count(changes); k++)
			change(c, entry, c->host->at(changes, k, 0));
	}
	return 0;
}
