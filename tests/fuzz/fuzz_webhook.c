/* fuzz_webhook.c - any request to a bundled plugin's hook: verify, normalize, reply.
 *
 *   retell POST function        plugin, method, route
 *   !max_age=300000             option; @N the time
 *   ?name=value                 query
 *   <{"say":"..."}              what the pipeline made, for reply()
 *   x-name: value               header
 *                               then the body
 */
#include <assert.h>
#include <klinke/plugin.h>
#include <stdio.h>
#include <string.h>

#include "bundled.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

struct hook {
	const struct loaded *plugin;
	const struct json *config;
	struct arena *arena;
	struct plugin_inbound inbound;
	struct plugin_pair query[BUNDLED_LINES], headers[BUNDLED_LINES];
	struct str result;
	int64_t now_ms;
};

static struct plugin_in in_of(const struct hook *hook, enum plugin_kind kind)
{
	return (struct plugin_in){.kind = kind,
		.attempt = 1,
		.now_ms = hook->now_ms,
		.seed = 1,
		.run = STR("fuzz"),
		.inbound = hook->inbound};
}

/* What the plugin wants signed must contain the body, or a signature would prove nothing of it. */
static bool covers_body(struct arena *arena, const struct plugin_mac *mac, struct str body)
{
	struct buf all;
	bool covered;

	(void)arena;
	buf_init(&all, 1 << 24);
	for (size_t i = 0; i < mac->piece_count; i++)
		buf_add_str(&all, mac->pieces[i]);
	covered = !body.len || (all.len && memmem(all.ptr, all.len, body.ptr, body.len));
	buf_finish(&all);
	return covered;
}

/* Of all but "http" every webhook is signed, or a handshake brings a token. There it is for the
 * operator to say, and a handshake by GET may be answered to anybody. */
static bool must_sign(const struct hook *hook)
{
	struct str how = json_get_text(hook->config, "hook.verify");

	if (strcmp(hook->plugin->info.id, "org.klinke.http") != 0)
		return true;
	return how.len > 5 && memcmp(how.ptr, "hmac-", 5) == 0 &&
	       !str_is(hook->inbound.method, "GET");
}

static void check_verify(struct hook *hook)
{
	struct plugin_in in = in_of(hook, PLUGIN_VERIFY);
	struct plugin_out out;

	if (!bundled_call(hook->plugin, hook->config, &in, hook->arena, &out))
		return;
	if (out.answer.kind == KL_REJECT || !out.answer.kind)
		assert(out.answer.status == 0 || out.answer.status >= 400);
	else
		assert(!must_sign(hook) || out.macs.count || out.secrets.count);
	for (size_t i = 0; i < out.macs.count; i++) {
		assert(covers_body(hook->arena, &out.macs.items[i], hook->inbound.body));
		for (size_t k = 0; k < out.macs.items[i].mac_count; k++)
			assert(out.macs.items[i].macs[k].len >= 20);
	}
	if (out.answer.kind == KL_ACCEPT && must_sign(hook))
		assert(out.macs.count);
}

/* plugin.h: "E.164 number or e-mail of whom it is about; may be empty" */
static bool is_person(struct str person)
{
	if (!person.len || memchr(person.ptr, '@', person.len))
		return true;
	for (size_t i = 1; i < person.len; i++)
		if (person.ptr[i] < '0' || person.ptr[i] > '9')
			return false;
	return person.ptr[0] == '+' && person.len > 1 && person.len <= 16;
}

static void check_normalize(struct hook *hook)
{
	struct plugin_in in = in_of(hook, PLUGIN_NORMALIZE);
	struct plugin_out out;

	if (!bundled_call(hook->plugin, hook->config, &in, hook->arena, &out))
		return;
	for (size_t i = 0; i < out.events.count; i++) {
		const struct plugin_event *event = &out.events.items[i];

		assert(event->data.len && event->data.ptr[0] == '{');
		assert(is_person(event->person));
		assert(event->dedupe.len <= 1000 && event->subject.len <= 1000);
	}
	/* Bad input that is not told where and why would leave the operator alone with it. */
	assert(out.returned == 0 || out.problems.count || out.logs.count);
}

static void check_reply(struct hook *hook, uint32_t outcome, struct str result)
{
	struct plugin_in in = in_of(hook, PLUGIN_REPLY);
	struct plugin_out out;

	in.reply = (struct plugin_reply_in){
		.inbound = hook->inbound, .outcome = outcome, .result = result};
	if (!bundled_call(hook->plugin, hook->config, &in, hook->arena, &out))
		return;
	if (out.answer.body.len && str_is(out.answer.content_type, "application/json"))
		assert(json_or_nothing(hook->arena, out.answer.body, JSON_NONE).ptr);
}

static void check_replies(struct hook *hook)
{
	if (!hook->plugin->raw.reply)
		return;
	check_reply(hook, KL_REPLY_NONE, (struct str){0});
	check_reply(hook, KL_REPLY_DONE, hook->result);
	check_reply(hook, KL_REPLY_FALLBACK, STR("{\"say\":\"Moment bitte.\"}"));
	check_reply(hook, KL_REPLY_REPEAT, hook->result);
}

static void lower(struct arena *arena, struct str *name)
{
	char *text = arena_strndup(arena, name->ptr, name->len);

	for (size_t i = 0; i < name->len; i++)
		if (text[i] >= 'A' && text[i] <= 'Z')
			text[i] = (char)(text[i] + 32);
	name->ptr = text;
}

static void read_line(struct hook *hook, struct str line)
{
	struct plugin_inbound *in = &hook->inbound;
	struct str result = line_after(line, '<'), query = line_after(line, '?');
	struct plugin_pair pair;

	if (result.ptr)
		result = json_or_nothing(hook->arena, result, JSON_OBJECT);
	if (result.ptr && strstr(result.ptr, "\"say\""))
		hook->result = result;
	else if (query.ptr && split_pair(query, '=', &pair) && is_text(pair.name) &&
		 is_text(pair.value)) /* request.c lets nothing else through */
		hook->query[in->query.count++] = pair;
	else if (!result.ptr && !query.ptr && line.ptr[0] != '!' && split_pair(line, ':', &pair)) {
		lower(hook->arena, &pair.name);
		hook->headers[in->headers.count++] = pair;
	}
}

static bool read_hook(struct hook *hook, struct str text)
{
	struct head head;

	head_read(&head, text);
	hook->plugin = bundled_find(head.words[0]);
	if (!hook->plugin || !hook->plugin->raw.verify || !is_text(head.words[1]) ||
		!is_text(head.words[2]))
		return false;
	hook->now_ms = head.now_ms;
	hook->config = bundled_config(hook->plugin, &head, hook->arena);
	if (!hook->config)
		return false;
	hook->result = STR("{\"say\":\"Gerne.\"}");
	hook->inbound = (struct plugin_inbound){.route = head.words[2],
		.method = head.words[1],
		.path = STR("/hooks/office/x"),
		.query = {hook->query, 0},
		.headers = {hook->headers, 0},
		.body = head.rest};
	for (size_t i = 0; i < head.line_count; i++)
		read_line(hook, head.lines[i]);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct hook hook = {.arena = arena_create((size_t)256 << 20)};

	if (read_hook(&hook, (struct str){(const char *)bytes, len})) {
		check_verify(&hook);
		check_normalize(&hook);
		check_replies(&hook);
	}
	arena_destroy(hook.arena);
	return 0;
}
