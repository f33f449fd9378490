/* guard.c - see guard.h. Never compares a secret in time that depends on it, and never says which
 * of several reasons refused somebody. The listener's thread asks who it is; logins are proved on
 * the short-lived threads of server.c.
 */
#include "http/guard.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/password.h"
#include "base/crypto.h"
#include "config/config.h"
#include "http/listener.h"
#include "http/lockout.h"
#include "http/request.h"
#include "transfer/egress.h"

#define PROVING 2 /* passwords at once: each takes a processor and 16 MiB or more */

static const char session_cookie[] = "klinke_session";

struct guard {
	struct logons *logons;
	struct lockout *lockout;
	atomic_uint proving;
	pthread_mutex_t lock;   /* of proxies */
	struct egress *proxies; /* as a list of networks */
};

/* ---- What a request brings ---------------------------------------------------------------- */

static struct str cookie(const struct request *request, const char *name)
{
	struct str header = request_header(request, "cookie");
	size_t n = strlen(name);

	for (size_t i = 0; header.ptr && i + n < header.len; i++)
		if ((i == 0 || header.ptr[i - 1] == ' ' || header.ptr[i - 1] == ';') &&
			memcmp(header.ptr + i, name, n) == 0 && header.ptr[i + n] == '=') {
			const char *from = header.ptr + i + n + 1;
			size_t most = header.len - (i + n + 1);
			const char *end = memchr(from, ';', most);
			return (struct str){from, end ? (size_t)(end - from) : most};
		}
	return (struct str){0};
}

/* "http://127.0.0.1:8080" is from "127.0.0.1:8080"; "null" is from nobody. */
static bool same_origin(struct str origin, struct str host)
{
	for (size_t i = 0; i + 2 < origin.len; i++)
		if (memcmp(origin.ptr + i, "://", 3) == 0)
			return str_eq((struct str){origin.ptr + i + 3, origin.len - i - 3}, host);
	return false;
}

/* A page of somebody else can make a browser send a POST here; such a request says where it is
 * from, in the one way or, in older browsers, in the other. */
static bool foreign(const struct request *request)
{
	struct str site = request_header(request, "sec-fetch-site");
	struct str origin = request_header(request, "origin");

	if (request_reads(request))
		return false;
	if (site.len && !str_is(site, "same-origin") && !str_is(site, "none"))
		return true;
	return origin.len && !same_origin(origin, request_header(request, "host"));
}

/* A browser that says nothing about where a POST is from is too old to be believed. */
static bool shows_its_origin(const struct request *request)
{
	return request_reads(request) || request_header(request, "sec-fetch-site").len ||
	       request_header(request, "origin").len;
}

/* ---- Proxies ------------------------------------------------------------------------------ */

static bool parse_address(struct str text, struct sockaddr_storage *out)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)out;
	char copy[64], *port;

	memset(out, 0, sizeof(*out));
	if (!text.len || text.len >= sizeof(copy))
		return false;
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	if (copy[0] == '[') { /* "[2001:db8::1]:4711" */
		memmove(copy, copy + 1, text.len);
		copy[strcspn(copy, "]")] = '\0';
	} else if ((port = strchr(copy, ':')) && !strchr(port + 1, ':')) {
		*port = '\0'; /* "203.0.113.7:4711" */
	}
	if (inet_pton(AF_INET, copy, &v4->sin_addr) == 1)
		out->ss_family = AF_INET;
	else if (inet_pton(AF_INET6, copy, &v6->sin6_addr) == 1)
		out->ss_family = AF_INET6;
	return out->ss_family != 0;
}

static void print_address(char out[56], const struct sockaddr_storage *address)
{
	if (address->ss_family == AF_INET)
		inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)address)->sin_addr,
			out, 56);
	else
		inet_ntop(AF_INET6,
			&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, out, 56);
}

/* The last element of a list by commas; the list is shortened by it. */
static struct str last_element(struct str *list)
{
	size_t from = list->len;
	struct str element;

	while (from > 0 && list->ptr[from - 1] != ',')
		from--;
	element = (struct str){list->ptr + from, list->len - from};
	list->len = from ? from - 1 : 0;
	while (element.len && (element.ptr[0] == ' ' || element.ptr[0] == '\t')) {
		element.ptr++;
		element.len--;
	}
	while (element.len &&
		(element.ptr[element.len - 1] == ' ' || element.ptr[element.len - 1] == '\t'))
		element.len--;
	return element;
}

/* Proxies add to the end, so it is read from there: the first that is no proxy of ours is the one
 * that came to us; what stands before is its own word. */
static void unproxy(const struct egress *proxies, struct request *request)
{
	struct sockaddr_storage address;

	for (size_t i = request->header_count; i-- > 0;) {
		struct str list = request->headers[i].value;

		if (!str_is(request->headers[i].name, "x-forwarded-for"))
			continue;
		while (list.len) {
			struct str element = last_element(&list);
			if (!parse_address(element, &address))
				return;
			print_address(request->remote, &address);
			if (!egress_covers(proxies, (struct sockaddr *)&address))
				return;
		}
	}
}

void guard_unproxy(struct guard *guard, struct request *request)
{
	struct str proto = request_header(request, "x-forwarded-proto");
	struct sockaddr_storage address;

	if (!proto.ptr && !request_header(request, "x-forwarded-for").ptr)
		return;
	pthread_mutex_lock(&guard->lock);
	if (parse_address(str_of(request->remote), &address) &&
		egress_covers(guard->proxies, (struct sockaddr *)&address)) {
		unproxy(guard->proxies, request);
		request->secure |= str_is(proto, "https");
	}
	pthread_mutex_unlock(&guard->lock);
}

/* ---- Credentials -------------------------------------------------------------------------- */

static bool token_holds(const struct config_secret *token, struct str guess)
{
	bool holds = false;

	for (size_t i = 0; i < token->count; i++)
		holds |= crypto_equal(guess, token->values[i]);
	return holds && guess.len;
}

/* The office whose token that is. Nobody's, if it is that of two: it would be a guess whom it shows
 * what. */
static const struct config_tenant *office_of(const struct config *config, struct str token)
{
	const struct config_tenant *found = NULL;
	size_t n, holders = 0;
	const struct config_tenant *tenants = config_tenants(config, &n);

	for (size_t i = 0; i < n; i++)
		if (token_holds(&tenants[i].token, token)) {
			found = &tenants[i];
			holders++;
		}
	return holders == 1 ? found : NULL;
}

bool guard_has_keys(const struct config *config)
{
	size_t n;
	const struct config_tenant *tenants = config_tenants(config, &n);

	if (config_host(config)->admin_token.count || config_host(config)->admin_password.count)
		return true;
	for (size_t i = 0; i < n; i++)
		if (tenants[i].token.count)
			return true;
	return false;
}

static struct caller by_token(const struct config *config, struct str token)
{
	const struct config_tenant *office = office_of(config, token);

	if (token_holds(&config_host(config)->admin_token, token))
		return (struct caller){CALLER_OPERATOR, NULL};
	return office ? (struct caller){CALLER_OFFICE, office->name} : (struct caller){0};
}

static struct caller by_session(
	struct guard *guard, const struct config *config, const struct request *request)
{
	struct str id = cookie(request, session_cookie);
	char name[LOGON_TENANT];
	const struct config_tenant *tenant;

	if (!id.len || !shows_its_origin(request) ||
		!logon_find(guard->logons, id, clock_mono_ms(), name))
		return (struct caller){0};
	if (!name[0])
		return (struct caller){CALLER_OPERATOR, NULL};
	tenant = config_tenant(config, name);
	return tenant ? (struct caller){CALLER_OFFICE, tenant->name} : (struct caller){0};
}

struct caller guard_who(
	struct guard *guard, const struct config *config, const struct request *request)
{
	struct str header = request_header(request, "authorization");

	if (foreign(request))
		return (struct caller){0};
	if (header.len > 7 && strncasecmp(header.ptr, "Bearer ", 7) == 0)
		return by_token(config, (struct str){header.ptr + 7, header.len - 7});
	return by_session(guard, config, request);
}

/* ---- Logging in and out ------------------------------------------------------------------- */

static void print_cookie(
	char out[256], const struct request *request, const char *value, const char *more)
{
	snprintf(out, 256, "%s=%s; HttpOnly; SameSite=Strict; Path=/%s%s", session_cookie, value,
		request->secure ? "; Secure" : "", more);
}

/* *credential: what proved it, which the session lives and dies with. Both passwords are tried, so
 * that time does not tell which one it was. */
static bool password_opens(
	const struct config_host *host, struct str secret, struct str *credential)
{
	bool opens = false;

	for (size_t i = 0; i < host->admin_password.count; i++)
		if (password_holds(host->admin_password.values[i], secret)) {
			*credential = host->admin_password.values[i];
			opens = true;
		}
	return opens;
}

static enum login_end prove(struct guard *guard, const struct config *config, struct str secret,
	struct caller *who, struct str *credential)
{
	const struct config_host *host = config_host(config);
	bool opens;

	*credential = secret;
	*who = by_token(config, secret);
	if (who->kind != CALLER_UNKNOWN)
		return LOGIN_OPEN;
	if (!host->admin_password.count || !secret.len)
		return LOGIN_WRONG;
	if (atomic_fetch_add(&guard->proving, 1) >= PROVING) {
		atomic_fetch_sub(&guard->proving, 1);
		return LOGIN_BUSY;
	}
	opens = password_opens(host, secret, credential);
	atomic_fetch_sub(&guard->proving, 1);
	if (opens)
		who->kind = CALLER_OPERATOR;
	return opens ? LOGIN_OPEN : LOGIN_WRONG;
}

static void tell(const struct request *request, const struct login *login)
{
	char wait[16];

	snprintf(wait, sizeof(wait), "%u", login->wait_s);
	if (login->end == LOGIN_WRONG)
		log_line(LOG_WARN, "login refused", "address", request->remote, NULL);
	else if (login->end == LOGIN_WAIT)
		log_line(LOG_WARN, "login refused: too many wrong ones from there", "address",
			request->remote, "wait_s", wait, NULL);
	else if (login->end == LOGIN_OPEN)
		log_line(LOG_INFO, "logged in", "address", request->remote, NULL);
}

void guard_login(struct guard *guard, const struct config *config, const struct request *request,
	struct str secret, struct login *out)
{
	struct caller who = {0};
	struct str credential;
	char id[LOGON_ID];

	memset(out, 0, sizeof(*out));
	out->end = LOGIN_FOREIGN;
	if (foreign(request))
		return;
	out->wait_s = lockout_try(guard->lockout, request->remote, clock_mono_ms());
	out->end = out->wait_s ? LOGIN_WAIT : prove(guard, config, secret, &who, &credential);
	if (out->end == LOGIN_OPEN || out->end == LOGIN_BUSY)
		lockout_passed(guard->lockout, request->remote);
	if (out->end == LOGIN_OPEN && !logon_open(guard->logons, credential,
					      who.tenant ? who.tenant : "", clock_mono_ms(), id))
		out->end = LOGIN_BUSY;
	if (out->end == LOGIN_OPEN)
		print_cookie(out->cookie, request, id, "");
	crypto_wipe(id, sizeof(id));
	tell(request, out);
}

bool guard_logout(struct guard *guard, const struct request *request, char out[256])
{
	if (foreign(request) || !shows_its_origin(request))
		return false;
	logon_close(guard->logons, cookie(request, session_cookie));
	print_cookie(out, request, "", "; Max-Age=0");
	return true;
}

/* ---- Beginning and end -------------------------------------------------------------------- */

static size_t add_credentials(
	struct logon_credential *list, const struct config_secret *secret, const char *tenant)
{
	for (size_t i = 0; i < secret->count; i++)
		list[i] = (struct logon_credential){secret->values[i], tenant};
	return secret->count;
}

static int keep_sessions(struct error *error, struct guard *guard, const struct config *config)
{
	size_t n, count = 0;
	const struct config_tenant *tenants = config_tenants(config, &n);
	struct logon_credential *list = calloc(2 * n + 4, sizeof(*list));
	bool done;

	if (!list)
		return error_set(error, E_NOMEM, "no memory to look through sessions");
	count += add_credentials(list + count, &config_host(config)->admin_token, "");
	count += add_credentials(list + count, &config_host(config)->admin_password, "");
	for (size_t i = 0; i < n; i++)
		count += add_credentials(list + count, &tenants[i].token, tenants[i].name);
	done = logons_allow(guard->logons, list, count);
	free(list);
	return done ? 0 : error_set(error, E_NOMEM, "no memory to look through sessions");
}

int guard_configure(struct error *error, struct guard *guard, const struct config *config)
{
	struct egress *proxies, *before;
	int rc = keep_sessions(error, guard, config);

	if (rc)
		return rc;
	proxies = egress_create(error, config_host(config)->proxies.list);
	if (!proxies)
		return error->code;
	pthread_mutex_lock(&guard->lock);
	before = guard->proxies;
	guard->proxies = proxies;
	pthread_mutex_unlock(&guard->lock);
	egress_destroy(before);
	return 0;
}

struct guard *guard_create(struct error *error, const struct config *config)
{
	struct guard *guard = calloc(1, sizeof(*guard));

	if (!guard) {
		error_set(error, E_NOMEM, "no memory for the HTTP server");
		return NULL;
	}
	pthread_mutex_init(&guard->lock, NULL);
	guard->logons = logons_create();
	guard->lockout = lockout_create();
	if (!guard->logons || !guard->lockout)
		error_set(error, E_NOMEM, "no memory for the HTTP server");
	else if (guard_configure(error, guard, config) == 0)
		return guard;
	guard_destroy(guard);
	return NULL;
}

void guard_destroy(struct guard *guard)
{
	if (!guard)
		return;
	logons_destroy(guard->logons);
	lockout_destroy(guard->lockout);
	egress_destroy(guard->proxies);
	pthread_mutex_destroy(&guard->lock);
	free(guard);
}
