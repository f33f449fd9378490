/* events.c - normalize(): the vendor's webhooks become events.
 *
 * Judges by the body, not by the route: a lifecycle event posted to the wrong URL is still told.
 * In-call functions are function.c's. Time comes from the body or,
 * failing that, from the signed timestamp, so that a second reading of the same row gives the same
 * events. Pure: runs on any thread. */
#include "retell.h"

int retell_bad(kl_call *c, const char *path, const char *message)
{
	c->host->problem(c, path, message);
	return KL_BAD_INPUT;
}

/* ---- What was signed when ---- */

/* The digits after "v=" of a header that verify() has seen. */
kl_str retell_signed_digits(kl_call *c, const kl_inbound *in)
{
	kl_str none = {0, 0, 0};
	kl_str header = kl_pair_get(in->headers, "x-retell-signature");
	uint32_t from = 0, to;
	while (from < header.len && (header.ptr[from] < '0' || header.ptr[from] > '9'))
		from++;
	for (to = from; to < header.len && header.ptr[to] >= '0' && header.ptr[to] <= '9';)
		to++;
	return from < to ? kl_slice(c, header, from, to) : none;
}

static int64_t signed_ms(kl_call *c, const kl_inbound *in)
{
	kl_str digits = retell_signed_digits(c, in);
	int64_t ms = 0;
	for (uint32_t i = 0; i < digits.len && i < 16; i++)
		ms = ms * 10 + (digits.ptr[i] - '0');
	return ms;
}

int64_t retell_happened_ms(kl_call *c, const kl_inbound *in, const kl_val *body, int64_t own)
{
	int64_t told = retell_ms(c, body, "event_timestamp");
	if (own > 0)
		return own;
	return told > 0 ? told : signed_ms(c, in);
}

/* ---- Emitting ---- */

void retell_tell(kl_call *c, const struct retell_told *t)
{
	kl_event *e = KL_NEW(c, kl_event);
	if (!e)
		return;
	e->type = t->type;
	e->dedupe = t->dedupe;
	e->subject = t->subject;
	e->person = t->person;
	e->at_ms = t->at_ms > 0 ? t->at_ms : 0;
	e->data = t->data;
	c->host->emit(c, e);
}

kl_str retell_subject(kl_call *c, const char *kind, kl_str id)
{
	return id.len ? KL_CAT(c, kl_s(kind), KL_LIT(":"), id) : id;
}

/* The vendor's recipe is event + id. An analysis can be run again, and then differs: its
 * fingerprint belongs to the key, so that a repeat is dropped and a newer one is not. Of calls
 * that are not stored in full, the REST answer shows a redacted analysis where the webhook had
 * the whole one; there the plain recipe must do, or polling would tell everything twice. */
static kl_str analysis_key(
	kl_call *c, const char *name, kl_str id, const kl_val *object, const char *analysis)
{
	kl_str key = KL_CAT(c, kl_s(name), KL_LIT(":"), id);
	kl_str storage = retell_words(c, object, "data_storage_setting");
	if (storage.ptr && !kl_eq(storage, "everything"))
		return key;
	return KL_CAT(c, key, KL_LIT(":"), retell_fingerprint(c, c->host->find(object, analysis)));
}

/* ---- Lifecycle ---- */

enum about { CALL, CHAT, EITHER, CALL_INBOUND, CHAT_INBOUND };

static const struct known {
	const char *name, *type, *chat_type, *phase;
	enum about about;
	int rank;
} known[] = {
	{"call_started", "call.started", 0, 0, CALL, RETELL_ONGOING},
	{"call_ended", "call.ended", 0, 0, CALL, RETELL_ENDED},
	{"call_analyzed", "call.analyzed", 0, 0, CALL, RETELL_ANALYZED},
	{"transcript_updated", "call.transcript", "chat.transcript", 0, EITHER, RETELL_ONGOING},
	{"transfer_started", "call.transferred", 0, "started", CALL, RETELL_ONGOING},
	{"transfer_bridged", "call.transferred", 0, "bridged", CALL, RETELL_ONGOING},
	{"transfer_cancelled", "call.transferred", 0, "cancelled", CALL, RETELL_ONGOING},
	{"transfer_ended", "call.transferred", 0, "ended", CALL, RETELL_ONGOING},
	{"chat_started", 0, "chat.started", 0, CHAT, RETELL_ONGOING},
	{"chat_ended", 0, "chat.ended", 0, CHAT, RETELL_ENDED},
	{"chat_analyzed", 0, "chat.analyzed", 0, CHAT, RETELL_ANALYZED},
	{"call_inbound", "call.inbound", 0, 0, CALL_INBOUND, 0},
	{"chat_inbound", 0, "chat.inbound", 0, CHAT_INBOUND, 0},
};

static const struct known *known_event(kl_str name)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (kl_eq(name, known[i].name))
			return &known[i];
	return NULL;
}

static kl_str transfer_key(kl_call *c, const struct known *k, kl_str id, const kl_val *body)
{
	const kl_val *destination = c->host->find(body, "transfer_destination");
	kl_str key = KL_CAT(c, kl_s(k->name), KL_LIT(":"), id, KL_LIT(":"),
		kl_text(c, body, "call.start_timestamp"));
	if (c->host->type(destination) == KL_NONE)
		return key;
	return KL_CAT(c, key, KL_LIT(":"), retell_fingerprint(c, destination));
}

static kl_str lifecycle_key(
	kl_call *c, const struct known *k, kl_str id, const kl_val *body, const kl_val *object)
{
	kl_str never = {0, 0, 0};
	if (k->about == EITHER) /* each is longer than the one before: none is a repeat */
		return never;
	if (k->phase)
		return transfer_key(c, k, id, body);
	if (k->rank == RETELL_ANALYZED)
		return analysis_key(c, k->name, id, object,
			k->about == CHAT ? "chat_analysis" : "call_analysis");
	return KL_CAT(c, kl_s(k->name), KL_LIT(":"), id);
}

static int64_t lifecycle_ms(kl_call *c, const struct known *k, const kl_val *object)
{
	if (k->phase || k->about == EITHER || k->rank == RETELL_ANALYZED)
		return 0;
	return retell_ms(c, object, k->rank == RETELL_ENDED ? "end_timestamp" : "start_timestamp");
}

static void add_transfer(kl_call *c, kl_val *data, const struct known *k, const kl_val *body)
{
	if (!k->phase)
		return;
	kl_set_text(c, data, "phase", kl_s(k->phase));
	kl_set(c, data, "destination", c->host->find(body, "transfer_destination"));
	kl_set_text(c, data, "transfer_type", retell_words(c, body, "transfer_option.type"));
}

static int lifecycle(kl_call *c, const kl_inbound *in, const struct known *k, const kl_val *body)
{
	int chat = k->about == CHAT || (k->about == EITHER && kl_has(c, body, "chat"));
	const char *kind = chat ? "chat" : "call";
	const kl_val *object = c->host->find(body, kind);
	kl_str id = retell_words(c, object, chat ? "chat_id" : "call_id");
	struct retell_told t = {0};
	kl_val *data;
	if (c->host->type(object) != KL_OBJECT)
		return retell_bad(c, kind, "is missing, or is no object: this event needs it");
	if (!id.ptr || id.len > RETELL_LONGEST_ID)
		return retell_bad(c, chat ? "chat.chat_id" : "call.call_id",
			"is missing, empty, no text or absurdly long: the event belongs to "
			"nothing");
	if (chat)
		data = retell_chat_data(c, object, k->rank);
	else if (k->about == EITHER)
		data = retell_live_data(c, object, k->rank);
	else
		data = retell_call_data(c, object, k->rank);
	add_transfer(c, data, k, body);
	t.type = chat ? k->chat_type : k->type;
	t.dedupe = lifecycle_key(c, k, id, body, object);
	t.subject = retell_subject(c, kind, id);
	if (!chat)
		t.person = retell_person(c, object);
	t.at_ms = retell_happened_ms(c, in, body, lifecycle_ms(c, k, object));
	t.data = data;
	retell_tell(c, &t);
	return 0;
}

uint32_t retell_emit_call(kl_call *c, const kl_val *call)
{
	kl_str id = retell_words(c, call, "call_id");
	int analyzed = c->host->type(c->host->find(call, "call_analysis")) == KL_OBJECT;
	struct retell_told t = {0};
	int64_t rank = kl_i64(c, retell_call_data(c, call, RETELL_ANY), "rank", 0);
	if (!id.ptr || rank < RETELL_ENDED)
		return 0;
	t.type = "call.ended";
	t.dedupe = KL_CAT(c, KL_LIT("call_ended:"), id);
	t.subject = retell_subject(c, "call", id);
	t.person = retell_person(c, call);
	t.at_ms = retell_ms(c, call, "end_timestamp");
	t.data = retell_call_data(c, call, RETELL_ENDED);
	retell_tell(c, &t);
	if (!analyzed)
		return 1;
	t.type = "call.analyzed";
	t.dedupe = analysis_key(c, "call_analyzed", id, call, "call_analysis");
	t.data = retell_call_data(c, call, RETELL_ANALYZED);
	retell_tell(c, &t);
	return 2;
}

/* ---- The phone rings ---- */

/* Without an id, who calls whom when: by the vendor's clock or, failing that, by the signed one
 * to 100 s, which is about as long as the vendor tries. */
static kl_str inbound_key(kl_call *c, const kl_inbound *in, const struct known *k, kl_str id,
	const kl_val *body, const kl_val *object)
{
	kl_str name = KL_CAT(c, kl_s(k->name), KL_LIT(":"));
	kl_str when = kl_text(c, body, "event_timestamp");
	if (id.ptr)
		return KL_CAT(c, name, id);
	if (!when.len) {
		when = retell_signed_digits(c, in);
		when = kl_slice(c, when, 0, when.len > 5 ? when.len - 5 : 0);
	}
	return KL_CAT(c, name, retell_words(c, object, "from_number"), KL_LIT(":"),
		retell_words(c, object, "to_number"), KL_LIT(":"), when);
}

static int inbound(kl_call *c, const kl_inbound *in, const struct known *k, const kl_val *body)
{
	int chat = k->about == CHAT_INBOUND;
	const kl_val *object = c->host->find(body, k->name);
	kl_str id = retell_words(c, object, chat ? "chat_id" : "call_id");
	struct retell_told t = {0};
	kl_val *data = c->host->object(c);
	if (c->host->type(object) != KL_OBJECT)
		return retell_bad(c, k->name, "is missing, or is no object");
	if (strcmp(in->route, "inbound") != 0)
		c->host->log(c, 2,
			"An inbound webhook came to a URL that answers nothing: "
			"set the number's inbound webhook to the URL that ends in /inbound");
	kl_set_text(c, data, chat ? "chat_id" : "call_id", id);
	kl_set_text(c, data, "direction", KL_LIT("inbound"));
	retell_set_number(c, data, "from", "from_raw", retell_words(c, object, "from_number"));
	retell_set_number(c, data, "to", "to_raw", retell_words(c, object, "to_number"));
	kl_set_text(c, data, "agent", retell_words(c, object, "agent_id"));
	kl_set(c, data, "agent_version", c->host->find(object, "agent_version"));
	kl_set(c, data, "sip_headers", c->host->find(object, "custom_sip_headers"));
	kl_set_i64(c, data, "rank", RETELL_REGISTERED);
	t.type = chat ? k->chat_type : k->type;
	t.dedupe = inbound_key(c, in, k, id, body, object);
	t.subject = retell_subject(c, chat ? "chat" : "call", id);
	t.person = retell_person(c, object);
	t.at_ms = retell_happened_ms(c, in, body, 0);
	t.data = data;
	retell_tell(c, &t);
	return 0;
}

/* ---- Events of tomorrow ---- */

static int unknown(kl_call *c, const kl_inbound *in, kl_str name, const kl_val *body)
{
	const kl_val *call = c->host->find(body, "call");
	kl_str id = retell_words(c, call, "call_id");
	kl_str hash = c->host->encode(c, "hex", c->host->hash(c, "sha256", in->body));
	struct retell_told t = {0};
	kl_val *data = id.ptr ? retell_call_data(c, call, RETELL_REGISTERED) : c->host->object(c);
	kl_set_text(c, data, "name", name);
	t.type = "call.other";
	t.dedupe = KL_CAT(c, name, KL_LIT(":"), hash);
	t.subject = retell_subject(c, "call", id);
	t.person = retell_person(c, call);
	t.at_ms = retell_happened_ms(c, in, body, 0);
	t.data = data;
	retell_tell(c, &t);
	return 0;
}

/* ---- The door ---- */

/* A GET or DELETE function has no body; its constants are in the URL. */
static const kl_val *read_body(kl_call *c, const kl_inbound *in, int function_route)
{
	if (function_route && !in->body.len)
		return c->host->object(c);
	return c->host->from_json(c, in->body);
}

static int is_function(kl_call *c, const kl_val *body, const struct known *k)
{
	return !k || kl_has(c, body, "name") || kl_has(c, body, "args");
}

int retell_normalize(kl_call *c, const kl_inbound *in)
{
	int function_route = strcmp(in->route, "function") == 0;
	const kl_val *body = read_body(c, in, function_route);
	kl_str name = retell_words(c, body, "event");
	const struct known *k = known_event(name);
	if (c->host->type(body) == KL_NONE)
		return retell_bad(c, "body", "is not JSON, or not UTF-8");
	if (c->host->type(body) != KL_OBJECT)
		return retell_bad(c, "body", "is JSON, but no object");
	if (function_route && is_function(c, body, k))
		return retell_function(c, in, body);
	if (!name.ptr)
		return retell_bad(c, "event",
			"is missing: Retell's webhooks name their event. An in-call "
			"function belongs to the URL that ends in /function");
	if (!k)
		return unknown(c, in, name, body);
	if (k->about == CALL_INBOUND || k->about == CHAT_INBOUND)
		return inbound(c, in, k, body);
	return lifecycle(c, in, k, body);
}
