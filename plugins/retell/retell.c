/* retell.c - the plugin for Retell AI: what it declares, and whether a webhook is genuine.
 *
 * Never sees a secret: verify() says which bytes must be signed, the host checks. Never trusts a
 * body before that. Pure: runs on any thread. */
#include "retell.h"

enum { MAX_AGE_MS = 300000, HEX_DIGITS = 64, MOST_STAMP_DIGITS = 16 };

/* ---- Declaration ---- */

static const kl_option options[] = {
	{"api_key", KL_OPT_SECRET | KL_OPT_REQUIRED, 0, NULL, NULL,
		"API key of the Retell workspace"},
	{"webhook_key", KL_OPT_SECRET | KL_OPT_REPEATED, 0, NULL, NULL,
		"API key with the badge \"webhook\", which signs all webhooks. Give old and new "
		"while "
		"you move the badge. Without it api_key is taken"},
	{"base_url", KL_OPT_URL, 0, "https://api.retellai.com", NULL, "Where the REST API is"},
	{"max_age", KL_OPT_MS, 0, "5m", NULL,
		"How far a webhook's time may be from ours, in both directions"},
	{"inbound_answer", KL_OPT_CHOICE, 0, "documented", "documented predecessor",
		"Shape of the answer before a call is picked up: as Retell documents it "
		"({\"call_inbound\":{...}}), or, for listeners of before that pass it on, "
		"{\"response\":{\"agent_id\",\"dynamic_variables\"}}, which Retell itself ignores"},
	{"unanswered", KL_OPT_TEXT, 0, RETELL_UNANSWERED, NULL,
		"What the agent is told if no pipeline answers a function"},
};

#define CALL_ID "\"call_id\":{\"type\":\"string\",\"minLength\":1}"

static const kl_op ops[] = {
	{"test", KL_OP_ACTION, 0,
		"{\"type\":\"object\",\"properties\":{},\"additionalProperties\":false}",
		"Is the API key good? Tells the workspace's name"},
	{"call", KL_OP_ACTION, 0,
		"{\"type\":\"object\",\"required\":[\"call_id\"],\"properties\":{" CALL_ID
		",\"emit\":{\"type\":\"boolean\"}},\"additionalProperties\":false}",
		"One call with transcript and analysis. emit: also tell call.ended and "
		"call.analyzed, "
		"if no webhook did"},
	{"calls", KL_OP_ACTION, 0,
		"{\"type\":\"object\",\"properties\":{"
		"\"agent\":{\"type\":\"string\"},\"direction\":{\"enum\":[\"inbound\",\"outbound\"]"
		"},"
		"\"status\":{\"enum\":[\"ongoing\",\"ended\",\"not_connected\",\"error\"]},"
		"\"from\":{\"type\":\"string\"},\"to\":{\"type\":\"string\"},"
		"\"since\":{\"type\":[\"string\",\"integer\"]},"
		"\"until\":{\"type\":[\"string\",\"integer\"]},"
		"\"filter\":{\"type\":\"object\"},"
		"\"sort\":{\"enum\":[\"ascending\",\"descending\"]},"
		"\"limit\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":10000}},"
		"\"additionalProperties\":false}",
		"Calls as rows, without transcripts. since and until are instants of the start; "
		"filter "
		"is Retell's own filter_criteria, for all the rest"},
	{"poll_calls", KL_OP_POLL, 0,
		"{\"type\":\"object\",\"properties\":{"
		"\"lookback_ms\":{\"type\":\"integer\",\"minimum\":0},"
		"\"overlap_ms\":{\"type\":\"integer\",\"minimum\":0},"
		"\"settle_ms\":{\"type\":\"integer\",\"minimum\":0},"
		"\"details\":{\"type\":\"boolean\"}},\"additionalProperties\":false}",
		"Tells the calls that ended since the last time, for webhooks that never came. "
		"Nothing "
		"is told twice"},
	{"agents", KL_OP_ACTION, 0,
		"{\"type\":\"object\",\"properties\":{\"query\":{\"type\":\"string\"},"
		"\"channel\":{\"enum\":[\"voice\",\"chat\"]}},\"additionalProperties\":false}",
		"The workspace's agents as rows"},
	{"agent", KL_OP_ACTION, 0,
		"{\"type\":\"object\",\"required\":[\"agent\"],\"properties\":{"
		"\"agent\":{\"type\":\"string\",\"minLength\":1},"
		"\"version\":{\"type\":[\"string\",\"integer\"]}},\"additionalProperties\":false}",
		"One agent's settings. version: a number, a tag, latest or latest_published"},
	{"update_call", KL_OP_ACTION | KL_OP_LOOKUP, 0,
		"{\"type\":\"object\",\"required\":[\"call_id\"],\"properties\":{" CALL_ID ","
		"\"variables\":{\"type\":\"object\"},\"metadata\":{\"type\":\"object\"},"
		"\"context\":{\"type\":\"string\",\"minLength\":1},\"respond\":{\"type\":"
		"\"boolean\"}},"
		"\"additionalProperties\":false}",
		"Changes a running call: sets variables or metadata, tells the agent something, "
		"makes it "
		"speak"},
};

static const kl_route routes[] = {
	{"", 0, 0, "Webhooks of calls and chats: the workspace's or an agent's webhook URL"},
	{"inbound", 1000, 0, "A number's inbound webhook: asked before the call is picked up"},
	{"function", 10000, 0, "URL of the custom functions an agent may call while it talks"},
};

static const kl_credential credentials[] = {
	{"api_key", KL_AUTH_BEARER, 0, "api_key", NULL, NULL},
};

/* ---- Configuration ---- */

static void check(kl_call *c, const kl_val *config)
{
	int64_t age = kl_i64(c, config, "max_age", MAX_AGE_MS);
	if (age < 1000 || age > 3600000)
		c->host->problem(c, "max_age",
			"must lie between 1s and 1h: shorter refuses genuine "
			"webhooks, longer lets captured ones be played back");
}

/* ---- Genuine? ---- */

static const kl_answer *reject(kl_call *c, kl_str reason)
{
	kl_answer *a = KL_NEW(c, kl_answer);
	if (!a)
		return NULL;
	a->kind = KL_REJECT;
	a->status = 401;
	a->reason = reason.ptr;
	a->body = KL_LIT("signature refused\n");
	return a;
}

struct signature {
	kl_str stamp, digest;
	int64_t ms;
};

static kl_str trimmed(kl_call *c, kl_str s)
{
	uint32_t from = 0, to = s.len;
	while (from < to && (s.ptr[from] == ' ' || s.ptr[from] == '\t'))
		from++;
	while (to > from && (s.ptr[to - 1] == ' ' || s.ptr[to - 1] == '\t'))
		to--;
	return kl_slice(c, s, from, to);
}

static uint32_t digits_at(kl_str s, uint32_t at)
{
	uint32_t n = 0;
	while (at + n < s.len && s.ptr[at + n] >= '0' && s.ptr[at + n] <= '9')
		n++;
	return n;
}

static uint32_t hex_at(kl_str s, uint32_t at)
{
	uint32_t n = 0;
	for (; at + n < s.len; n++) {
		char ch = s.ptr[at + n];
		if (!((ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'f') ||
			    (ch >= 'A' && ch <= 'F')))
			break;
	}
	return n;
}

/* "v=<ms>,d=<hex>" and nothing around it. Empty if it is that, else what is wrong. */
static kl_str read_signature(kl_call *c, kl_str header, struct signature *out)
{
	uint32_t stamp, hex, at;
	if (!kl_starts(header, "v="))
		return KL_LIT("x-retell-signature does not begin with \"v=\"");
	stamp = digits_at(header, 2);
	if (stamp == 0 || stamp > MOST_STAMP_DIGITS || header.ptr[2] == '0')
		return KL_LIT(
			"the time in x-retell-signature is no plain number of 1 to 16 digits");
	at = 2 + stamp;
	if (at + 3 > header.len || memcmp(header.ptr + at, ",d=", 3) != 0)
		return KL_LIT("x-retell-signature has no \",d=\" after its time");
	at += 3;
	hex = hex_at(header, at);
	if (at + hex != header.len)
		return KL_LIT("x-retell-signature has something else after or in its digest");
	if (hex != HEX_DIGITS)
		return KL_CAT(c, KL_LIT("the digest in x-retell-signature has "),
			retell_digits(c, hex),
			hex < HEX_DIGITS ? KL_LIT(" hex digits instead of 64: it is truncated")
					 : KL_LIT(" hex digits instead of 64"));
	out->stamp = kl_slice(c, header, 2, 2 + stamp);
	out->digest = retell_lower(c, kl_slice(c, header, at, at + hex));
	out->ms = 0;
	for (uint32_t i = 0; i < stamp; i++)
		out->ms = out->ms * 10 + (header.ptr[2 + i] - '0');
	return KL_LIT("");
}

static kl_str age_fault(kl_call *c, const kl_val *config, int64_t ms)
{
	int64_t most = kl_i64(c, config, "max_age", MAX_AGE_MS);
	int64_t age = c->now_ms - ms;
	if (age > most)
		return KL_CAT(c, KL_LIT("x-retell-signature is stale: "), retell_digits(c, age),
			KL_LIT(" ms old, max_age is "), retell_digits(c, most),
			KL_LIT(" ms. A late retry, a replay, or a wrong clock here"));
	if (-age > most)
		return KL_CAT(c, KL_LIT("x-retell-signature is from the future: "),
			retell_digits(c, -age), KL_LIT(" ms ahead, max_age is "),
			retell_digits(c, most), KL_LIT(" ms. Is this machine's clock right?"));
	return KL_LIT("");
}

static void require(kl_call *c, const kl_inbound *in, const struct signature *s)
{
	kl_str *pieces = c->host->alloc(c, 2 * sizeof(kl_str));
	kl_str *macs = c->host->alloc(c, sizeof(kl_str));
	kl_mac *mac = KL_NEW(c, kl_mac);
	if (!pieces || !macs || !mac)
		return;
	pieces[0] = in->body;
	pieces[1] = s->stamp;
	macs[0] = c->host->decode(c, "hex", s->digest);
	mac->hash = "sha256";
	mac->secret = kl_true(c, in->config, "webhook_key") ? "webhook_key" : "api_key";
	mac->pieces = (kl_list){pieces, 2, sizeof(kl_str)};
	mac->macs = (kl_list){macs, 1, sizeof(kl_str)};
	c->host->require_mac(c, mac);
}

static const kl_answer *verify(kl_call *c, const kl_inbound *in)
{
	kl_str header = kl_pair_get(in->headers, "x-retell-signature");
	struct signature s = {0};
	kl_str fault;
	kl_answer *a;
	if (!header.ptr)
		return reject(c, KL_LIT("header x-retell-signature is missing"));
	fault = read_signature(c, trimmed(c, header), &s);
	if (!fault.len)
		fault = age_fault(c, in->config, s.ms);
	if (fault.len)
		return reject(c, fault);
	require(c, in, &s);
	a = KL_NEW(c, kl_answer);
	if (!a)
		return NULL;
	a->kind = KL_ACCEPT;
	a->status = in->route[0] ? 200 : 204;
	return a;
}

static const kl_plugin plugin = {
	.size = sizeof(kl_plugin),
	.state_version = 1,
	.id = "com.retellai",
	.version = "1.0.0",
	.summary = "Retell AI phone agents: webhooks, in-call functions, calls and agents",
	.events = "call.inbound call.started call.transcript call.function call.transferred "
		  "call.ended "
		  "call.analyzed call.other chat.inbound chat.started chat.transcript chat.ended "
		  "chat.analyzed",
	.hosts = "api.retellai.com",
	.options = KL_LIST(options),
	.ops = KL_LIST(ops),
	.routes = KL_LIST(routes),
	.credentials = KL_LIST(credentials),
	.check = check,
	.verify = verify,
	.normalize = retell_normalize,
	.reply = retell_reply,
	.step = retell_step,
};

KL_PLUGIN(&plugin)
