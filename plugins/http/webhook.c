/* webhook.c - whether a webhook is genuine: what must hold, for the host to check; and handshakes.
 *
 * Knows no secret and compares none. What is not said to be checked is refused: "none" has to be
 * written. A pure function; any thread.
 */
#include "http.h"

enum { MOST_MACS = 8, MOST_PIECES = 16 };

struct proof {
	kl_str macs[MOST_MACS], pieces[MOST_PIECES];
	uint32_t mac_count, piece_count;
	kl_str time;
};

static const kl_answer *answer(kl_call *c, uint32_t kind, const char *reason)
{
	kl_answer *a = KL_NEW(c, kl_answer);

	if (!a)
		return 0;
	a->kind = kind;
	a->reason = reason;
	return a;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static kl_str header(kl_call *c, const kl_inbound *in, kl_str name)
{
	char *small = (char *)c->host->alloc(c, (uint64_t)name.len + 1);
	kl_str none = {0, 0, 0};

	for (uint32_t i = 0; small && i < name.len; i++)
		small[i] = lower(name.ptr[i]);
	return small && name.len ? kl_pair_get(in->headers, small) : none;
}

static kl_str option(kl_call *c, const kl_inbound *in, const char *path)
{
	return kl_text(c, in->config, path);
}

/* ---- the signature's header -------------------------------------------------------------------
 */

/* Up to the next comma, without blanks around; 0: nothing is left. */
static int take_part(kl_call *c, kl_str *rest, kl_str *part)
{
	uint32_t from = 0, to, end = 0;

	if (!rest->ptr || !rest->len)
		return 0;
	while (end < rest->len && rest->ptr[end] != ',')
		end++;
	for (to = end; from < to && rest->ptr[from] == ' ';)
		from++;
	while (to > from && rest->ptr[to - 1] == ' ')
		to--;
	*part = kl_slice(c, *rest, from, to);
	if (end < rest->len)
		end++;
	rest->ptr += end;
	rest->len -= end;
	return part->ptr != 0;
}

/* Shorter than any hash: no signature. */
static void add_mac(struct proof *proof, kl_str mac)
{
	if (mac.len >= 20 && proof->mac_count < MOST_MACS)
		proof->macs[proof->mac_count++] = mac;
}

/* One part of the header ("v1=5257a8…") by one of the format ("v1={$signature}"). */
static void read_part(
	kl_call *c, const char *encoding, struct proof *proof, kl_str format, kl_str part)
{
	kl_str prefix = {0, 0, 0}, expr = {0, 0, 0}, value;

	if (!http_piece(c, &format, &prefix, &expr))
		return;
	if (!expr.ptr && !http_piece(c, &format, &value, &expr))
		return;
	if (prefix.ptr && !kl_starts(part, prefix.ptr))
		return;
	value = kl_slice(c, part, prefix.len, part.len);
	if (kl_eq(expr, "$time"))
		proof->time = value;
	else if (kl_eq(expr, "$signature"))
		add_mac(proof, c->host->decode(c, encoding, value));
}

static void read_signature(kl_call *c, const kl_inbound *in, struct proof *proof, kl_str line)
{
	kl_str format = option(c, in, "/hook.format"), encoding = option(c, in, "/hook.encoding");
	kl_str name = option(c, in, "/hook.time"), wanted, part;

	while (take_part(c, &line, &part)) {
		kl_str rest = format;
		while (take_part(c, &rest, &wanted))
			read_part(c, kl_eq(encoding, "base64") ? "base64" : "hex", proof, wanted,
				part);
	}
	if (name.len)
		proof->time = header(c, in, name);
}

/* ---- what is signed, and when -------------------------------------------------------------------
 */

/* The bytes as they came, not a value of them: the body need not be text. */
static kl_str signed_value(kl_call *c, const kl_inbound *in, const struct proof *proof, kl_str expr)
{
	kl_str none = {0, 0, 0};

	if (kl_eq(expr, "$body"))
		return in->body;
	if (kl_eq(expr, "$time"))
		return proof->time;
	if (kl_starts(expr, "$header."))
		return header(c, in, kl_slice(c, expr, 8, expr.len));
	return none;
}

static void collect_pieces(kl_call *c, const kl_inbound *in, struct proof *proof)
{
	kl_str text = option(c, in, "/hook.signed"), literal, expr;

	while (proof->piece_count < MOST_PIECES && http_piece(c, &text, &literal, &expr))
		proof->pieces[proof->piece_count++] =
			expr.ptr ? signed_value(c, in, proof, expr) : literal;
}

/* The host gives milliseconds; a case file gives what the operator would write. */
static int64_t tolerance_ms(kl_call *c, kl_str text)
{
	int64_t ms = c->host->i64(c->host->from_json(c, text), -1);

	return ms >= 0 ? ms : http_duration(text);
}

/* NULL, or why the signed time does not do. */
static const char *time_fault(kl_call *c, const kl_inbound *in, const struct proof *proof)
{
	kl_val *box = c->host->object(c);
	struct http_scope scope = http_scope(c, box);
	int64_t most = tolerance_ms(c, option(c, in, "/hook.tolerance")), at;

	if (!kl_contains(option(c, in, "/hook.signed"), "{$time}"))
		return 0;
	for (uint32_t i = 0; i < proof->time.len; i++)
		if (proof->time.ptr[i] < '0' || proof->time.ptr[i] > '9')
			return "the signature's time is no number of seconds";
	kl_set_text(c, box, "t", proof->time);
	at = c->host->i64(http_shape(&scope, c->host->of_text(c, KL_LIT("{t:ms?}"))), -1);
	if (at < 0)
		return "the signature has no time";
	if (at < c->now_ms - most || at > c->now_ms + most)
		return "the signature's time is too far from ours; see hook.tolerance";
	return 0;
}

static const kl_answer *check_mac(kl_call *c, const kl_inbound *in, const char *hash)
{
	struct proof *proof = (struct proof *)c->host->alloc(c, sizeof(*proof));
	kl_str line = header(c, in, option(c, in, "/hook.header"));
	kl_mac *mac = KL_NEW(c, kl_mac);
	const char *fault;

	if (!proof || !mac)
		return 0;
	if (!line.ptr)
		return answer(c, KL_REJECT, "the header that hook.header names is missing");
	read_signature(c, in, proof, line);
	if (!proof->mac_count)
		return answer(c, KL_REJECT, "the signature is not of the form hook.format says");
	fault = time_fault(c, in, proof);
	if (fault)
		return answer(c, KL_REJECT, fault);
	collect_pieces(c, in, proof);
	mac->hash = hash;
	mac->secret = "webhook_secret";
	mac->pieces = (kl_list){proof->pieces, proof->piece_count, sizeof(kl_str)};
	mac->macs = (kl_list){proof->macs, proof->mac_count, sizeof(kl_str)};
	c->host->require_mac(c, mac);
	return answer(c, KL_ACCEPT, 0);
}

/* ---- other schemes
 * --------------------------------------------------------------------------------- */

static const kl_answer *check_secret(kl_call *c, kl_str guess, const char *missing)
{
	if (!guess.len)
		return answer(c, KL_REJECT, missing);
	c->host->require_secret(c, "webhook_secret", guess);
	return answer(c, KL_ACCEPT, 0);
}

static kl_str basic_of(kl_call *c, const kl_inbound *in)
{
	kl_str line = kl_pair_get(in->headers, "authorization"), none = {0, 0, 0};

	return kl_starts(line, "Basic ")
		       ? c->host->decode(c, "base64", kl_slice(c, line, 6, line.len))
		       : none;
}

static const kl_answer *genuine(kl_call *c, const kl_inbound *in)
{
	kl_str how = option(c, in, "/hook.verify"), name = option(c, in, "/hook.query");

	if (kl_eq(how, "hmac-sha256"))
		return check_mac(c, in, "sha256");
	if (kl_eq(how, "hmac-sha1"))
		return check_mac(c, in, "sha1");
	if (kl_eq(how, "hmac-sha512"))
		return check_mac(c, in, "sha512");
	if (kl_eq(how, "header"))
		return check_secret(c, header(c, in, option(c, in, "/hook.header")),
			"the header that hook.header names is missing");
	if (kl_eq(how, "query"))
		return check_secret(c, name.ptr ? kl_pair_get(in->query, name.ptr) : name,
			"the parameter that hook.query names is missing");
	if (kl_eq(how, "basic"))
		return check_secret(
			c, basic_of(c, in), "there is no Authorization: Basic with a password");
	if (kl_eq(how, "none"))
		return answer(c, KL_ACCEPT, 0);
	return answer(c, KL_REJECT, "this connection says no hook.verify: it takes no webhooks");
}

/* ---- handshakes
 * ------------------------------------------------------------------------------------- */

/* "Are you there?" is asked before anything is sent, and wants a word of its own back. */
static const kl_answer *handshake(
	kl_call *c, const kl_inbound *in, struct http_scope *scope, const kl_answer *proof)
{
	kl_str token = option(c, in, "/hook.handshake_token");
	kl_str word = http_fill(scope, option(c, in, "/hook.challenge"), 0);
	kl_answer *a;

	if (scope->missing.ptr)
		return answer(c, KL_REJECT, "the handshake lacks what hook.challenge wants");
	if (token.len)
		c->host->require_secret(c, "verify_token", http_fill(scope, token, 0));
	if (proof && proof->kind == KL_REJECT)
		return proof;
	a = (kl_answer *)answer(c, KL_HANDSHAKE, 0);
	if (a) {
		a->content_type = "text/plain"; /* so that what is echoed is never a page */
		a->body = word;
	}
	return a;
}

const kl_answer *http_verify(kl_call *c, const kl_inbound *in)
{
	kl_str condition = option(c, in, "/hook.handshake");
	int get = kl_eq(kl_s(in->method), "GET");
	struct http_scope scope;

	if (!condition.len)
		return get ? answer(c, KL_REJECT, "a GET is no webhook") : genuine(c, in);
	scope = http_hook_scope(c, in, http_hook_body(c, in));
	if (http_holds(&scope, condition)) /* a GET has no body to sign */
		return handshake(c, in, &scope, get ? 0 : genuine(c, in));
	return get ? answer(c, KL_REJECT, "a GET is no webhook") : genuine(c, in);
}
