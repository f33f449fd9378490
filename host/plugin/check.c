/* check.c - what a call may say, given what the plugin declared and what was asked.
 *
 * Reads plain data only, so the host runs it on its own side of the wire too: a worker whose
 * plugin has overwritten its memory can lie about everything but not get past this. Any thread.
 */
#include "plugin/call.h"

#include <klinke/plugin.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "plugin/host.h"

#define LONGEST_WAIT_MS (400 * INT64_C(86400000))

struct check {
	const struct plugin_info *info;
	const struct plugin_in *in;
	struct plugin_limits limits;
	struct plugin_out *out;
	char text[300]; /* what is wrong; empty: nothing */
};

static void __attribute__((format(printf, 2, 3)))
refuse(struct check *check, const char *format, ...)
{
	va_list args;

	if (check->text[0])
		return;
	va_start(args, format);
	vsnprintf(check->text, sizeof(check->text), format, args);
	va_end(args);
}

/* "event.*" stands for whatever the operator declares (host/config/declared.c), which is not known
 * here: there only the plugin's own descriptor is. */
static bool is_pattern(const char *word, size_t len)
{
	return len > 2 && memcmp(word + len - 2, ".*", 2) == 0;
}

/* Is word one of the words of list, which are parted by spaces? */
static bool has_word(const char *list, struct str word)
{
	while (*list) {
		size_t len = strcspn(list, " ");
		if (len && len == word.len && memcmp(list, word.ptr, len) == 0)
			return true;
		if (is_pattern(list, len) && word.len)
			return true;
		list += len + (list[len] == ' ');
	}
	return false;
}

static bool is_secret(const struct plugin_info *info, struct str name)
{
	size_t i;

	for (i = 0; i < info->option_count; i++)
		if ((info->options[i].kind & 255u) == KL_OPT_SECRET &&
			str_is(name, info->options[i].key))
			return true;
	return false;
}

static bool is_op(const struct plugin_info *info, struct str name)
{
	size_t i;

	for (i = 0; i < info->op_count; i++)
		if (str_is(name, info->ops[i].name) ||
			(name.len && is_pattern(info->ops[i].name, strlen(info->ops[i].name))))
			return true;
	return false;
}

static bool is_credential(const struct plugin_info *info, struct str name)
{
	size_t i;

	for (i = 0; i < info->credential_count; i++)
		if (str_is(name, info->credentials[i].name))
			return true;
	return false;
}

/* ---- verify, reply ------------------------------------------------------------------------ */

/* 0: the host's own. One below 200 is no answer yet, and HTTP would wait for another. */
static bool is_status(uint32_t status, uint32_t least)
{
	return status == 0 || (status >= least && status <= 599);
}

/* What goes into a header line must not end it. */
static bool is_line(struct str text)
{
	size_t i;

	for (i = 0; i < text.len; i++)
		if ((unsigned char)text.ptr[i] < 0x20 && text.ptr[i] != '\t')
			return false;
	return true;
}

static void check_answer(struct check *check)
{
	const struct plugin_answer *answer = &check->out->answer;
	bool verify = check->in->kind == PLUGIN_VERIFY;

	if (verify && answer->kind > KL_REJECT)
		refuse(check, "answer.kind is %u; see enum kl_answer_kind", answer->kind);
	/* A 2xx would tell the sender that what is thrown away was taken. */
	if (!is_status(answer->status, verify && answer->kind == KL_REJECT ? 400 : 200))
		refuse(check, "answer.status is %u; 0, 200 to 599, or of KL_REJECT 400 to 599",
			answer->status);
	if (!is_status(answer->refused, 400))
		refuse(check, "answer.refused is %u; 0 or 400 to 599", answer->refused);
	if (!is_line(answer->content_type))
		refuse(check, "answer.content_type holds control characters");
}

static void check_proofs(struct check *check)
{
	uint32_t i;

	for (i = 0; i < check->out->macs.count; i++) {
		const struct plugin_mac *mac = &check->out->macs.items[i];
		if (!str_is(mac->hash, "sha256") && !str_is(mac->hash, "sha1") &&
			!str_is(mac->hash, "sha512"))
			refuse(check, "require_mac(): this host has no hash \"%.*s\"",
				STR_ARG(mac->hash));
		if (!is_secret(check->info, mac->secret))
			refuse(check, "require_mac(): \"%.*s\" is no option of kind KL_OPT_SECRET",
				STR_ARG(mac->secret));
	}
	for (i = 0; i < check->out->secrets.count; i++)
		if (!is_secret(check->info, check->out->secrets.items[i].secret))
			refuse(check,
				"require_secret(): \"%.*s\" is no option of kind KL_OPT_SECRET",
				STR_ARG(check->out->secrets.items[i].secret));
}

/* ---- normalize ---------------------------------------------------------------------------- */

static void check_events(struct check *check)
{
	uint32_t i;

	for (i = 0; i < check->out->events.count; i++) {
		const struct plugin_event *event = &check->out->events.items[i];
		if (!has_word(check->info->events, event->type))
			refuse(check,
				"emit(): event.type \"%.*s\" is not among kl_plugin.events (%s)",
				STR_ARG(event->type), check->info->events);
		if (event->at_ms < 0)
			refuse(check, "emit(): event.at_ms is before 1970");
	}
}

static void check_starts(struct check *check)
{
	uint32_t i;

	for (i = 0; i < check->out->starts.count; i++)
		if (!is_op(check->info, check->out->starts.items[i].op))
			refuse(check, "start(): start.op \"%.*s\" is not among kl_plugin.ops",
				STR_ARG(check->out->starts.items[i].op));
}

static void check_normalize(struct check *check)
{
	if (check->out->returned < 0 || check->out->returned > KL_SURPRISE)
		refuse(check, "it returned %d; 0 or a value of enum kl_fail", check->out->returned);
}

/* ---- step --------------------------------------------------------------------------------- */

static bool is_token(struct str text)
{
	size_t i;

	for (i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		if (c <= 0x20 || c >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", c))
			return false;
	}
	return text.len > 0;
}

static bool is_url(struct str url)
{
	size_t i;

	for (i = 0; i < url.len; i++)
		if ((unsigned char)url.ptr[i] <= 0x20 || url.ptr[i] == 0x7f)
			return false;
	return str_begins(url, "/") || str_begins(url, "https://") || str_begins(url, "http://");
}

static void check_headers(struct check *check, struct plugin_pairs headers)
{
	size_t i;

	for (i = 0; i < headers.count; i++)
		if (!is_token(headers.items[i].name) || !is_line(headers.items[i].value))
			refuse(check, "request.headers[%zu] \"%.*s\" cannot be a header line", i,
				STR_ARG(headers.items[i].name));
}

static bool looking(const struct plugin_in *in)
{
	return in->step.looking || in->step.why == KL_LOOKUP;
}

static void check_request(struct check *check)
{
	const struct plugin_request *request = &check->out->next.request;

	if (!check->out->next.has_request)
		refuse(check, "KL_SEND needs next.request");
	if (!is_token(request->method))
		refuse(check, "request.method is missing or no method");
	if (!is_url(request->url))
		refuse(check,
			"request.url must begin with a slash or http(s):// and hold no blanks");
	if (request->repeat < KL_NEVER || request->repeat > KL_SAFE)
		refuse(check, "request.repeat is %u: say KL_NEVER, KL_KEYED or KL_SAFE",
			request->repeat);
	if (looking(check->in) && request->repeat != KL_SAFE)
		refuse(check, "while it looks for an unknown outcome a request must be KL_SAFE");
	if (request->auth.len && !is_credential(check->info, request->auth))
		refuse(check, "request.auth \"%.*s\" is not among kl_plugin.credentials",
			STR_ARG(request->auth));
	if (!is_line(request->content_type))
		refuse(check, "request.content_type holds control characters");
	check_headers(check, request->headers);
}

static void check_fail(struct check *check)
{
	const struct plugin_next *next = &check->out->next;

	if (next->fail < KL_BAD_INPUT || next->fail > KL_SURPRISE)
		refuse(check, "KL_FAIL with next.fail %u; see enum kl_fail", next->fail);
}

static void check_step(struct check *check)
{
	const struct plugin_next *next = &check->out->next;

	if (next->then < KL_DONE || next->then > KL_UNSURE)
		refuse(check, "next.then is %u; see enum kl_then", next->then);
	if (next->state.len > check->limits.state)
		refuse(check, "next.state has %zu bytes of JSON; %u are the most", next->state.len,
			check->limits.state);
	if (next->wait_ms < 0 || next->wait_ms > LONGEST_WAIT_MS)
		refuse(check, "next.wait_ms is negative or longer than 400 days");
	if (next->then == KL_DONE && !str_begins(next->result, "{"))
		refuse(check, "KL_DONE needs next.result, an object");
	if (next->then == KL_SEND)
		check_request(check);
	if (next->then == KL_FAIL)
		check_fail(check);
	if ((next->then == KL_ABSENT || next->then == KL_UNSURE) && !looking(check->in))
		refuse(check, "KL_ABSENT and KL_UNSURE are answers to KL_LOOKUP only");
}

static void check_map(struct check *check)
{
	const struct str mapped = check->out->mapped;

	if (mapped.ptr && !str_begins(mapped, "{"))
		refuse(check, "it returned no object");
	if (!mapped.ptr && !check->out->problems.count)
		refuse(check, "it returned nothing and told no problem()");
}

void call_check(const struct plugin_info *info, const struct plugin_in *in,
	const struct plugin_limits *limits, struct plugin_out *out)
{
	struct check check = {.info = info, .in = in, .limits = host_limits(limits), .out = out};

	if (out->status != PLUGIN_OK) {
		call_drop_effects(out); /* a worker may have sent some all the same */
		return;
	}
	check_answer(&check);
	check_proofs(&check);
	check_events(&check);
	check_starts(&check);
	check_normalize(&check);
	if (in->kind == PLUGIN_STEP)
		check_step(&check);
	if (in->kind == PLUGIN_MAP)
		check_map(&check);
	if (check.text[0])
		call_fail(info->name, in->kind, E_INVALID, check.text, out);
}
