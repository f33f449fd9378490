/* http.c - plugin "http": an API that is declared in INI instead of written in C.
 *
 * Here is only what the plugin says about itself. Its operations are "op.*" and "poll.*", its
 * events "event.*": the host puts the names that a connection's keys declare in place of the stars.
 * The README is the manual. Never does I/O; any thread.
 */
#include "http.h"

static const kl_next *step(kl_call *c, const kl_step *s)
{
	kl_str poll = KL_CAT(c, KL_LIT("/poll."), kl_s(s->op));

	return http_find(c, s->config, poll) ? http_poll(c, s) : http_operation(c, s);
}

static const kl_option options[] = {
	{"base_url", KL_OPT_URL | KL_OPT_REQUIRED, 0, 0, 0, "where the API is"},
	{"auth", KL_OPT_CHOICE, 0, "none", "none bearer basic header query form",
		"how a request shows who it is from"},
	{"token", KL_OPT_SECRET, 0, 0, 0, "of bearer, header, query and form"},
	{"user", KL_OPT_TEXT, 0, 0, 0, "of basic"},
	{"password", KL_OPT_SECRET, 0, 0, 0, "of basic"},
	{"auth_name", KL_OPT_TEXT, 0, 0, 0, "name of the header, parameter or field"},
	{"headers", KL_OPT_TEXT, 0, 0, 0, "headers of every request, a JSON object"},
	{"done", KL_OPT_TEXT, 0, 0, 0, "condition for a 2xx to be a success; left out: always"},
	{"error.code", KL_OPT_TEXT, 0, 0, 0, "the vendor's own code in an error, {/error/code?}"},
	{"error.message", KL_OPT_TEXT, 0, 0, 0,
		"the vendor's sentence in an error; only if it tells nothing about people"},
	{"webhook_secret", KL_OPT_SECRET | KL_OPT_REPEATED, 0, 0, 0,
		"what webhooks are signed with, or bring along (basic: user:password)"},
	{"verify_token", KL_OPT_SECRET, 0, 0, 0, "what a handshake must bring along"},
	{"hook.verify", KL_OPT_CHOICE, 0, 0,
		"hmac-sha256 hmac-sha1 hmac-sha512 header query basic none",
		"how webhooks are checked; left out: none are taken"},
	{"hook.header", KL_OPT_TEXT, 0, 0, 0, "header with the signature, or with the secret"},
	{"hook.query", KL_OPT_TEXT, 0, 0, 0, "parameter with the secret"},
	{"hook.encoding", KL_OPT_CHOICE, 0, "hex", "hex base64", "of the signature"},
	{"hook.format", KL_OPT_TEXT, 0, "{$signature}", 0,
		"what the header looks like, t={$time},v1={$signature}"},
	{"hook.signed", KL_OPT_TEXT, 0, "{$body}", 0, "what is signed, {$time}.{$body}"},
	{"hook.time", KL_OPT_TEXT, 0, 0, 0, "header with the signed time, if hook.format has none"},
	{"hook.tolerance", KL_OPT_MS, 0, "5m", 0, "how far the signed time may lie from ours"},
	{"hook.handshake", KL_OPT_TEXT, 0, 0, 0, "condition for a request to be a handshake"},
	{"hook.challenge", KL_OPT_TEXT, 0, 0, 0, "what a handshake is answered, {/challenge}"},
	{"hook.handshake_token", KL_OPT_TEXT, 0, 0, 0, "what must be verify_token"},
	{"hook.body", KL_OPT_CHOICE, 0, "json", "json form", "what a webhook's body is"},
	{"hook.items", KL_OPT_TEXT, 0, 0, 0, "pointer to the list, if a body holds several"},
	{"hook.dedupe", KL_OPT_TEXT, 0, 0, 0, "the event's own id; {$fingerprint}: of the body"},
	{"hook.subject", KL_OPT_TEXT, 0, 0, 0, "events of one subject stay in order"},
	{"hook.person", KL_OPT_TEXT, 0, 0, 0, "number or address of whom it is about"},
	{"hook.regarding", KL_OPT_TEXT, 0, 0, 0, "our {$key} of the operation this answers"},
	{"hook.at", KL_OPT_TEXT, 0, 0, 0, "when it happened: an instant, seconds or milliseconds"},
	{"hook.data", KL_OPT_TEXT, 0, 0, 0, "the event's data, JSON; left out: all of it"},
	{"*", KL_OPT_TEXT, 0, 0, 0, "op.NAME, poll.NAME, event.TYPE, fail.CLASS; see the README"},
};

static const kl_op ops[] = {
	{"op.*", KL_OP_ACTION | KL_OP_LOOKUP, 0, 0, "whatever op.NAME declares"},
	{"poll.*", KL_OP_POLL, 0, 0, "whatever poll.NAME declares"},
};

static const kl_route routes[] = {
	{"", 0, 0, "webhooks, as hook.verify says"},
};

static const kl_credential credentials[] = {
	{"bearer", KL_AUTH_BEARER, 0, "token", 0, 0},
	{"basic", KL_AUTH_BASIC, 0, "password", "user", 0},
	{"header", KL_AUTH_HEADER, 0, "token", 0, "{auth_name}"},
	{"query", KL_AUTH_QUERY, 0, "token", 0, "{auth_name}"},
	{"form", KL_AUTH_FORM, 0, "token", 0, "{auth_name}"},
};

static const kl_plugin plugin = {
	.size = sizeof(kl_plugin),
	.state_version = 1,
	.id = "org.klinke.http",
	.version = "1.0.0",
	.summary = "any HTTP API: operations, polls and webhooks declared in INI",
	.events = "event.*",
	.hosts = "",
	.options = KL_LIST(options),
	.ops = KL_LIST(ops),
	.routes = KL_LIST(routes),
	.credentials = KL_LIST(credentials),
	.check = http_check,
	.verify = http_verify,
	.normalize = http_normalize,
	.step = step,
};

KL_PLUGIN(&plugin)
