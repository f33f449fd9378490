/* Whatever a stranger sends with a request: nobody is taken for somebody without a whole token, an
 * address stays an address and is only changed by our proxy, and lines of passwords and forms are
 * read without harm. Input: where it comes from, a line end, header lines, an empty line, the body.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "text.h"
#include "base/arena.h"
#include "base/error.h"
#include "base/password.h"
#include "config/config.h"
#include "http/guard.h"
#include "http/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define OPERATOR "operator-of-this-host"
#define OFFICE "token-of-the-office"
#define MOST 40

static const char ini[] =
	"[host]\nadmin_token = " OPERATOR "\nproxies = 127.0.0.1 10.0.0.0/8 fd00::/8\n"
	"[tenant nord]\ntimezone = Europe/Berlin\ntoken = " OFFICE "\n";

struct input {
	struct arena *arena;
	struct request request;
	struct request_pair headers[MOST];
};

static void take(struct input *in, struct str text)
{
	struct str line = line_of(&text);

	memcpy(in->request.remote, line.ptr, line.len < 55 ? line.len : 55);
	while (in->request.header_count < MOST && (line = line_of(&text)).len) {
		const char *colon = memchr(line.ptr, ':', line.len);
		size_t n = colon ? (size_t)(colon - line.ptr) : line.len, skip = colon ? 1 : 0;
		struct request_pair *pair = &in->headers[in->request.header_count++];
		if (skip && n + 1 < line.len && line.ptr[n + 1] == ' ')
			skip++;
		pair->name = str_dup(in->arena, (struct str){line.ptr, n});
		pair->value =
			str_dup(in->arena, (struct str){line.ptr + n + skip, line.len - n - skip});
	}
	in->request.headers = in->headers;
	in->request.arena = in->arena;
	in->request.method = in->request.header_count % 2 ? "POST" : "GET";
	in->request.body = text;
}

static bool has_text(const struct input *in, const char *text)
{
	for (size_t i = 0; i < in->request.header_count; i++)
		if (in->headers[i].value.ptr && strstr(in->headers[i].value.ptr, text))
			return true;
	return false;
}

static bool is_address(const char *text)
{
	unsigned char bytes[16];
	return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

/* As the kernel writes it, or, which it never does, as a header may have it: in brackets. */
static bool is_proxy(const char *text)
{
	text += text[0] == '[';
	return !strncmp(text, "127.0.0.1", 9) || !strncmp(text, "10.", 3) ||
	       !strncmp(text, "fd", 2) || !strncasecmp(text, "::ffff:127.0.0.1", 16) ||
	       !strncasecmp(text, "::ffff:10.", 10) || strchr(text, ':');
}

static void check_address(struct guard *guard, struct input *in)
{
	char before[56];

	memcpy(before, in->request.remote, sizeof(before));
	guard_unproxy(guard, &in->request);
	if (strcmp(before, in->request.remote) == 0)
		return;
	assert(is_address(in->request.remote) && is_proxy(before));
}

static void check_caller(struct guard *guard, const struct config *config, const struct input *in)
{
	struct caller who = guard_who(guard, config, &in->request);

	if (who.kind == CALLER_OPERATOR)
		assert(has_text(in, OPERATOR));
	if (who.kind == CALLER_OFFICE)
		assert(has_text(in, OFFICE) && strcmp(who.tenant, "nord") == 0);
}

static void check_body(const struct input *in)
{
	struct str secret = {0};

	if (request_form(&in->request, "secret", &secret))
		assert(secret.ptr && str_utf8_ok(secret) && secret.len <= in->request.body.len);
	if (!password_fault(in->request.body))
		assert(password_is_line(in->request.body) && in->request.body.len < PASSWORD_LINE);
}

static struct config *load(void)
{
	struct config_faults faults = {0};
	struct config *config = config_load_text(&faults, str_of(ini), NULL);

	config_faults_finish(&faults);
	return config;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct config *config;
	static struct guard *guard;
	struct input in = {.arena = arena_create(1 << 20)};
	struct error error = {0};

	if (!config)
		config = load();
	if (!guard && config)
		guard = guard_create(&error, config);
	assert(config && guard && in.arena);
	take(&in, (struct str){(const char *)bytes, len});
	check_address(guard, &in);
	check_caller(guard, config, &in);
	check_body(&in);
	arena_destroy(in.arena);
	return 0;
}
