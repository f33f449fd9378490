/* Whatever a stranger sends with a request: nobody is taken for somebody without a whole token, an
 * address stays an address and is only changed by our proxy, and lines of passwords and forms are
 * read without harm. Who logs in has a session as long as what opened it is configured, and nobody
 * guesses on. Input: where it comes from, a line end, header lines, an empty line, the body.
 *
 * scrypt is as cheap as it can be here: what it may cost is judged, not spent.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "scrypt.h"
#include "text.h"
#include "base/arena.h"
#include "base/error.h"
#include "base/log.h"
#include "base/password.h"
#include "config/config.h"
#include "http/guard.h"
#include "http/request.h"
#include "pipeline/trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define OPERATOR "operator-of-this-host"
#define OFFICE "token-of-the-office"
#define PASSWORD "password-of-the-operator"
#define MOST 40

#define NORD "[tenant nord]\ntimezone = Europe/Berlin\ntoken = "

/* %s: a line of PASSWORD. */
static const char ini[] = "[host]\nadmin_token = " OPERATOR "\nadmin_password = %s\n"
			  "proxies = 127.0.0.1 10.0.0.0/8 fd00::/8\n" NORD OFFICE "\n";
static const char later_ini[] =
	"[host]\nadmin_token = " OPERATOR "\n" NORD "another-token-of-nord\n";
static const char office_ini[] = NORD OFFICE "\n";
static const char closed_ini[] = "[tenant nord]\ntimezone = Europe/Berlin\n";
static const char odd_ini[] = "[host]\nproxies = nobody/99\n";

static struct config *config, *later, *office, *closed;

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

static void check_caller(struct guard *guard, const struct config *now, const struct input *in)
{
	struct caller who = guard_who(guard, now, &in->request);

	if (who.kind == CALLER_OPERATOR)
		assert(has_text(in, OPERATOR));
	if (who.kind == CALLER_OFFICE)
		assert(has_text(in, OFFICE) && strcmp(who.tenant, "nord") == 0);
}

/* The trace that a request belongs to is told on as it came. */
static void check_trace(const struct input *in)
{
	struct str given = request_header(&in->request, "traceparent"), told;
	char text[ID_TEXT];
	struct id trace, again;

	if (!given.ptr || !trace_read(&trace, given))
		return;
	id_text(text, &trace);
	told = trace_write(in->arena, str_of(text));
	assert(told.len == 55 && trace_read(&again, told) && !id_is_zero(&trace));
	assert(memcmp(&trace, &again, sizeof(trace)) == 0);
	assert(strncasecmp(told.ptr + 3, given.ptr + 3, 32) == 0);
	assert(!trace_write(in->arena, given).ptr);
}

/* ---- Passwords ------------------------------------------------------------------------------ */

/* While one is proved others come. */
static struct {
	struct guard *guard;
	const struct request *request;
	unsigned begun, busy;
} meanwhile;

static void log_in_meanwhile(void)
{
	struct login login;

	if (!meanwhile.guard || meanwhile.begun == 3)
		return;
	meanwhile.begun++;
	guard_login(meanwhile.guard, config, meanwhile.request, STR("some other guess"), &login);
	meanwhile.busy += login.end == LOGIN_BUSY;
	assert(login.end != LOGIN_OPEN);
}

int __wrap_EVP_PBE_scrypt(const char *pass, size_t pass_len, const unsigned char *salt,
	size_t salt_len, uint64_t n, uint64_t r, uint64_t p, uint64_t most, unsigned char *key,
	size_t key_len)
{
	(void)most;
	assert(n >= 1 << 14 && r >= 8 && p >= 1);    /* dear enough to guess */
	assert(128 * n * r <= 128 << 20 && p <= 16); /* and no more than a login may cost */
	log_in_meanwhile();
	return __real_EVP_PBE_scrypt(
		pass, pass_len, salt, salt_len, 2, 1, 1, 1 << 20, key, key_len);
}

static void check_password(const struct input *in)
{
	struct str body = in->request.body, line;
	char made[PASSWORD_LINE];
	struct error error = {0};

	if (!password_fault(body)) {
		assert(password_is_line(body) && body.len < PASSWORD_LINE);
		assert(!password_holds(body, STR("a guess")));
	}
	if (password_make(&error, body, made) != 0) {
		assert(error.text[0]);
		return;
	}
	line = str_of(made);
	assert(!password_fault(line) && password_holds(line, body));
	body.len--;
	assert(!password_holds(line, body));
}

static void check_form(const struct input *in)
{
	struct str secret = {0};

	if (request_form(&in->request, "secret", &secret))
		assert(secret.ptr && str_utf8_ok(secret) && secret.len <= in->request.body.len);
}

/* ---- Logins --------------------------------------------------------------------------------- */

/* What a browser of this host sends with the cookie that it was given. */
static struct caller who_is(struct guard *guard, const struct config *now, const struct input *in,
	const char *cookie, bool out)
{
	size_t len = strcspn(cookie, ";");
	struct request_pair headers[] = {{STR("cookie"), {cookie, len}},
		{STR("host"), STR("k.example")}, {STR("origin"), STR("http://k.example")}};
	struct request request = {
		.arena = in->arena, .method = "POST", .headers = headers, .header_count = 3};
	char over[256];

	if (out)
		assert(guard_logout(guard, &request, over));
	return guard_who(guard, now, &request);
}

/* A session ends with what opened it, or when it is told to. */
static void check_session(
	struct guard *guard, const struct input *in, const char *cookie, bool kept)
{
	struct error error = {0};
	enum caller_kind kind = who_is(guard, config, in, cookie, false).kind;

	assert(kind != CALLER_UNKNOWN);
	assert(guard_configure(&error, guard, later) == 0);
	assert(who_is(guard, later, in, cookie, false).kind == (kept ? kind : CALLER_UNKNOWN));
	assert(who_is(guard, later, in, cookie, true).kind == CALLER_UNKNOWN);
}

static void check_login(struct guard *guard, const struct input *in)
{
	struct str secret = {0};
	struct login login;
	bool right;

	request_form(&in->request, "secret", &secret);
	right = str_is(secret, OPERATOR) || str_is(secret, OFFICE) || str_is(secret, PASSWORD);
	guard_login(guard, config, &in->request, secret, &login);
	assert(login.end == LOGIN_FOREIGN || (login.end == LOGIN_OPEN) == right);
	if (login.end == LOGIN_OPEN)
		check_session(guard, in, login.cookie, str_is(secret, OPERATOR));
}

/* Who has guessed too often waits, even with what is right. */
static void check_guesses(struct guard *guard, const struct input *in)
{
	struct login login;

	meanwhile.guard = guard;
	meanwhile.request = &in->request;
	meanwhile.begun = meanwhile.busy = 0;
	for (int i = 0; i < 12; i++)
		guard_login(guard, config, &in->request, STR("wrong"), &login);
	meanwhile.guard = NULL;
	assert(login.end == LOGIN_FOREIGN || (login.end == LOGIN_WAIT && login.wait_s > 0));
	assert(login.end == LOGIN_FOREIGN || meanwhile.busy > 0);
	guard_login(guard, config, &in->request, STR(OPERATOR), &login);
	assert(login.end == LOGIN_FOREIGN || login.end == LOGIN_WAIT);
}

/* ---- The host ------------------------------------------------------------------------------- */

static struct config *load(const char *text)
{
	struct config_faults faults = {0};
	struct config *loaded = config_load_text(&faults, str_of(text), NULL);

	config_faults_finish(&faults);
	return loaded;
}

static void make(void)
{
	char line[PASSWORD_LINE], text[sizeof(ini) + PASSWORD_LINE];
	struct error error = {0};

	log_setup(LOG_ERROR + 1, LOG_LOGFMT); /* each login is told */
	assert(password_make(&error, STR(PASSWORD), line) == 0);
	snprintf(text, sizeof(text), ini, line);
	config = load(text);
	later = load(later_ini);
	office = load(office_ini);
	closed = load(closed_ini);
	assert(config && later && office && closed && !load(odd_ini));
	assert(guard_has_keys(later) && guard_has_keys(office) && !guard_has_keys(closed));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct input in = {.arena = arena_create(1 << 20)};
	struct error error = {0};
	struct guard *guard;

	if (!config)
		make();
	guard = guard_create(&error, config);
	assert(guard && in.arena);
	take(&in, (struct str){(const char *)bytes, len});
	check_address(guard, &in);
	check_caller(guard, config, &in);
	check_caller(guard, office, &in);
	assert(guard_who(guard, closed, &in.request).kind == CALLER_UNKNOWN);
	check_trace(&in);
	check_form(&in);
	check_password(&in);
	check_login(guard, &in);
	check_guesses(guard, &in);
	guard_destroy(guard);
	arena_destroy(in.arena);
	return 0;
}
