/* fuzz_case.c - what case files are made with: secrets and persons taken out of any text, and one
 * value of any JSON text replaced or left out.
 *
 * Input: a line with a secret, then the text. A secret with a '#' in it (which nothing that is put
 * in has) must be nowhere in what comes out; what was UTF-8 still is; what was JSON still is.
 *
 * With CASE instead of a secret: a case file, played with a plugin that does what its text says
 * (rude.h) or, with KIND, with a sound one; each case passes or fails with a sentence. Whatever the
 * line, persons in the text are masked as the log does it.
 */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/mask.h"
#include "klinke/sugar.h"
#include "plugin/case.h"
#include "plugin/case_scrub.h"
#include "plugin/conform/kit.h"
#include "rude.h"

#define VALUES_MOST 60u

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static bool holds(struct str text, struct str secret)
{
	return text.len && memmem(text.ptr, text.len, secret.ptr, secret.len) != NULL;
}

/* No secret: only the characters are looked at. */
static void check_nowhere(const struct json *value, struct str secret)
{
	if (json_type(value) == JSON_TEXT) {
		assert(!secret.len || !holds(json_text(value), secret));
		assert(str_utf8_ok(json_text(value)));
	}
	for (size_t i = 0; i < json_count(value); i++)
		check_nowhere(json_at(value, i, NULL), secret);
}

static void check_scrub(struct arena *arena, struct str secret, struct str text)
{
	const struct json *value = json_parse(arena, text, NULL);
	struct scrub *scrub = scrub_create(arena, text.len % 2);
	bool told = secret.len >= 4 && memchr(secret.ptr, '#', secret.len) && str_utf8_ok(secret);
	struct str out;

	if (!scrub)
		return;
	if (told)
		scrub_secret(scrub, secret, STR("case"));
	scrub_look(scrub, value ? value : json_of_text(arena, text));
	out = scrub_text(scrub, text);
	assert(arena_failed(arena) || !told || !holds(out, secret));
	assert(arena_failed(arena) || !str_utf8_ok(text) || str_utf8_ok(out));
	if (value && !arena_failed(arena))
		check_nowhere(scrub_json(scrub, value), told ? secret : STR(""));
}

static void check_spans(struct arena *arena, struct str text)
{
	bool is_json = json_parse(arena, text, NULL) != NULL;
	struct spans spans;

	if (!spans_of(arena, text, &spans))
		return;
	for (uint32_t i = 0; i < spans.count && i < VALUES_MOST; i++) {
		struct str by_one = spans_replace(arena, &spans, i, STR("1"));
		struct str gone = spans_replace(arena, &spans, i, (struct str){0});
		assert(spans.list[i].from >= text.ptr && spans.list[i].to <= text.ptr + text.len);
		if (!is_json || arena_failed(arena))
			continue;
		assert(json_parse(arena, by_one, NULL) || arena_failed(arena));
		assert(!gone.ptr == !i);
		assert(!i || json_parse(arena, gone, NULL) || arena_failed(arena));
	}
}

/* ---- Cases ---------------------------------------------------------------------------------- */

static const struct plugin_option options[] = {{.key = "secret", .kind = KL_OPT_SECRET},
	{.key = "pace", .kind = KL_OPT_INT, .fallback = "3"}};
static const struct plugin_op ops[] = {{.name = "op", .kind = KL_OP_ACTION | KL_OP_LOOKUP},
	{.name = "own.*", .kind = KL_OP_ACTION | KL_OP_LOOKUP},
	{.name = "plain", .kind = KL_OP_ACTION}};
static const struct plugin_credential credentials[] = {
	{.name = "token", .scheme = KL_AUTH_BEARER, .secret = "secret"},
	{.name = "key", .scheme = KL_AUTH_QUERY, .secret = "secret", .param = "api_key"}};
static const struct plugin_info info = {
	.name = "fuzz",
	.events = "a.b c.d",
	.options = options,
	.option_count = 2,
	.ops = ops,
	.op_count = 3,
	.credentials = credentials,
	.credential_count = 2,
};

static const kl_answer *sound_verify(kl_call *c, const kl_inbound *in)
{
	kl_str header = c->host->decode(c, "hex", kl_pair_get(in->headers, "x-sign"));
	const kl_mac mac = {.size = sizeof(mac),
		.hash = "sha256",
		.secret = "secret",
		.pieces = {&in->body, 1, sizeof(kl_str)},
		.macs = {&header, header.len > 0, sizeof(kl_str)}};

	kl_answer *answer = kl_new(c, sizeof(*answer));

	c->host->require_mac(c, &mac);
	if (kl_pair_get(in->headers, "x-guess").ptr)
		c->host->require_secret(c, "secret", kl_pair_get(in->headers, "x-guess"));
	if (answer)
		answer->kind = KL_ACCEPT;
	return answer;
}

static int sound_normalize(kl_call *c, const kl_inbound *in)
{
	const kl_event event = {.size = sizeof(event),
		.type = "a.b",
		.dedupe = in->body,
		.data = c->host->from_json(c, in->body)};
	const kl_start start = {.size = sizeof(start), .op = "op", .input = event.data};

	c->host->emit(c, &event);
	c->host->start(c, &start);
	c->host->log(c, 1, "read");
	return 0;
}

/* Sends what its input says as often as it is answered with a 202; waits for a 204. */
static const kl_next *sound_step(kl_call *c, const kl_step *s)
{
	const kl_str url = kl_text(c, s->input, "url");
	uint32_t status = s->response ? s->response->status : 0;

	if (s->why == KL_LOOKUP)
		return kl_true(c, s->input, "unsure") ? kl_then(c, KL_UNSURE, "nobody knows")
						      : kl_then(c, KL_ABSENT, "it is not there");
	if (status >= 400)
		return kl_failed(c, KL_CONFLICT, "taken", "it is taken");
	if (s->why == KL_START || status == 202 || kl_true(c, s->input, "forever")) {
		kl_request *request = c->host->alloc(c, sizeof(*request));
		kl_next *next = c->host->alloc(c, sizeof(*next));
		kl_pair *header = c->host->alloc(c, sizeof(*header));
		if (!request || !next || !header)
			return NULL;
		*header = (kl_pair){KL_LIT("x-a"), KL_LIT("b")};
		*request = (kl_request){.size = sizeof(*request),
			.repeat = s->step % 3 + 1,
			.method = "POST",
			.url = url.ptr ? url : KL_LIT("https://h.example/"),
			.content_type = "application/json",
			.auth = kl_true(c, s->input, "key") ? "key" : "token",
			.headers = {header, 1, sizeof(*header)},
			.body = c->host->to_json(c, s->input)};
		*next = (kl_next){.size = sizeof(*next),
			.then = status == 202 && s->step % 2      ? KL_WAIT
				: kl_true(c, s->input, "forever") ? KL_WAIT
								  : KL_SEND,
			.wait_ms = 1000,
			.state = s->input,
			.request = request};
		return next;
	}
	c->host->row(c, s->input);
	c->host->checkpoint(c, s->input);
	return kl_done(c, c->host->object(c));
}

static const kl_val *sound_map(kl_call *c, const kl_map *map)
{
	c->host->problem(c, "a", "is odd");
	return map->context;
}

static const kl_plugin sound = {.size = sizeof(kl_plugin),
	.verify = sound_verify,
	.normalize = sound_normalize,
	.step = sound_step,
	.map = sound_map};

static unsigned ended, failed;

static void on_end(
	struct case_runner *runner, const char *place, struct str name, struct str faults)
{
	(void)place;
	(void)runner;
	assert(!name.ptr || str_utf8_ok(name));
	failed += faults.len > 0;
	ended++;
}

static void on_told(struct case_run *run, const char *what, const struct json *actual)
{
	assert(*what && (!actual || json_print(run->arena, actual).len));
}

/* What is printed for a person, as klinke-case does it. */
static void silence(void)
{
	static FILE *out;

	if (!out)
		out = freopen("/dev/null", "w", stdout);
	assert(out);
}

static void play_file(struct str text, const char *path, bool kind, bool printed)
{
	const struct loaded plugin = {.raw = kind ? sound : rude_plugin, .info = info};
	struct case_runner runner = {.info = &info,
		.loaded = &plugin,
		.ended = printed ? NULL : on_end,
		.told = !printed && text.len % 2 ? on_told : NULL,
		.print = printed && text.len % 2 ? (enum case_print)(text.len / 2 % 4) : CASE_TAP,
		.verbose = printed && text.len % 2};

	rude_begin((const uint8_t *)text.ptr, text.len);
	ended = failed = 0;
	case_file(&runner, path);
	assert(runner.run > 0 && runner.failed <= runner.run);
	assert(printed || (ended == runner.run && failed == runner.failed));
}

static void check_case(struct str text, bool kind)
{
	int fd = memfd_create("case", MFD_CLOEXEC);
	char path[40];

	silence();
	assert(fd >= 0 && write(fd, text.ptr, text.len) == (ssize_t)text.len);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	play_file(text, path, kind, false);
	if (kind) /* stderr would be full of the other one */
		play_file(text, path, kind, true);
	close(fd);
}

/* ---- Masks ---------------------------------------------------------------------------------- */

static size_t digits_of(const char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += text[i] >= '0' && text[i] <= '9';
	return n;
}

/* Of what is found at most two digits are left, and of an address no name. */
static void check_masks(struct str text)
{
	char mask[MASK_MAX];
	size_t len = 0, found;

	for (size_t at = 0; at < text.len; at += found ? found : 1) {
		found = mask_at(text, at, mask, &len);
		assert(found <= text.len - at && (!found || len <= MASK_MAX));
		if (found && !memchr(text.ptr + at, '@', found) &&
			digits_of(text.ptr + at, found) == found)
			assert(digits_of(mask, len) <= 2);
	}
	len = mask_one(mask, text);
	assert(len <= MASK_MAX);
	if (text.len > 4 && digits_of(text.ptr, text.len) == text.len)
		assert(digits_of(mask, len) <= 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct arena *arena = arena_create((size_t)64 << 20);
	struct str all = str_dup(arena, (struct str){(const char *)bytes, len}), secret, text;
	const char *line = len ? memchr(all.ptr, '\n', len) : NULL;

	if (line) {
		secret = (struct str){all.ptr, (size_t)(line - all.ptr)};
		text = str_dup(arena, (struct str){line + 1, len - secret.len - 1});
		if (str_is(secret, "CASE") || str_is(secret, "KIND"))
			check_case(text, str_is(secret, "KIND"));
		check_masks(text);
		if (!arena_failed(arena))
			check_scrub(arena, secret, text);
		if (!arena_failed(arena))
			check_spans(arena, text);
	}
	arena_destroy(arena);
	return 0;
}
