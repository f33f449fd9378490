/* server.c - routes requests: webhooks to the intake, the rest to short-lived threads.
 *
 * handle() runs on the listener's thread and never blocks. Whatever reads the store or waits for
 * the runner runs on a thread of its own, of which there are few: webhooks never wait for them.
 */
#include "http/server.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "config/config.h"
#include "desk/desk.h"
#include "http/guard.h"
#include "http/listener.h"
#include "http/live.h"
#include "http/metrics.h"
#include "http/request.h"
#include "http/tls.h"
#include "pipeline/intake.h"
#include "store/care.h"
#include "web/page.h"

#define THREADS_MAX 8
#define ANSWER_MEMORY ((size_t)256 * 1024 * 1024)

struct server {
	struct server_options options;
	pthread_mutex_t starting; /* held until listener is known: requests come before */
	struct listener *listener;
	struct live *live;
	struct guard *guard;
	bool tls;             /* from the start on */
	pthread_mutex_t lock; /* of options.config, which a reload replaces */
	atomic_uint threads;
	atomic_bool draining;
};

#define PAIR(name, value)                                                                          \
	{                                                                                          \
		{name, sizeof(name) - 1},                                                          \
		{                                                                                  \
			value, sizeof(value) - 1                                                   \
		}                                                                                  \
	}
static const struct request_pair safe_headers[] = {
	PAIR("X-Content-Type-Options", "nosniff"),
	PAIR("X-Frame-Options", "DENY"),
	/* Not no-referrer: with it a browser's own forms say "Origin: null", like a stranger's. */
	PAIR("Referrer-Policy", "same-origin"),
	PAIR("Cache-Control", "no-store"),
	PAIR("Cross-Origin-Opener-Policy", "same-origin"),
	PAIR("Cross-Origin-Resource-Policy", "same-origin"),
	PAIR("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
	/* Browsers heed it only where it came by TLS. */
	PAIR("Strict-Transport-Security", "max-age=31536000"),
	PAIR("Content-Security-Policy",
		"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; "
		"form-action 'self'; base-uri 'none'"),
};
/* The live page has one script of ours, and that listens to one stream of ours. */
static const char live_policy[] =
	"default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self'; "
	"frame-ancestors 'none'; form-action 'self'; base-uri 'none'";
#define SAFE_HEADERS (sizeof(safe_headers) / sizeof(safe_headers[0]))

static void answer(struct request *request, unsigned status, const char *type, struct str body)
{
	struct answer a = {.status = status,
		.content_type = type,
		.body = body,
		.headers = safe_headers,
		.header_count = SAFE_HEADERS};
	request_answer(request, &a);
}

static void answer_live(struct request *request, unsigned status, const char *type, struct str body)
{
	struct request_pair headers[SAFE_HEADERS];
	struct answer a = {.status = status,
		.content_type = type,
		.body = body,
		.headers = headers,
		.header_count = SAFE_HEADERS};

	memcpy(headers, safe_headers, sizeof(headers));
	headers[SAFE_HEADERS - 1].value = str_of(live_policy);
	request_answer(request, &a);
}

/* As answer(), with up to two headers more. */
static void answer_with(struct request *request, unsigned status, const char *type, struct str body,
	const struct request_pair *more, size_t count)
{
	struct request_pair headers[SAFE_HEADERS + 2];
	struct answer a = {.status = status,
		.content_type = type,
		.body = body,
		.headers = headers,
		.header_count = SAFE_HEADERS + count};

	assert(count <= 2);
	memcpy(headers, safe_headers, sizeof(safe_headers));
	for (size_t i = 0; i < count; i++)
		headers[SAFE_HEADERS + i] = more[i];
	request_answer(request, &a);
}

static void answer_text(struct request *request, unsigned status, const char *text)
{
	answer(request, status, "text/plain; charset=utf-8", str_of(text));
}

/* ---- Webhooks ----------------------------------------------------------------------------- */

static void hook_answered(struct hook *hook, const struct hook_answer *a)
{
	char seconds[16];
	struct request_pair headers[] = {{STR("X-Content-Type-Options"), STR("nosniff")},
		{STR("Retry-After"), {seconds, 0}}};
	struct answer out = {.status = a->status,
		.content_type = a->content_type,
		.body = a->body,
		.headers = headers,
		.header_count = 1};

	if (a->retry_after_s) {
		headers[1].value.len =
			(size_t)snprintf(seconds, sizeof(seconds), "%u", a->retry_after_s);
		out.header_count = 2;
	}
	request_answer(hook->user, &out);
}

static struct plugin_pairs pairs(const struct request_pair *from, size_t count)
{
	/* the same two strs, name and value, in two rooms that do not know each other */
	_Static_assert(sizeof(struct plugin_pair) == sizeof(struct request_pair), "pairs differ");
	return (struct plugin_pairs){(const struct plugin_pair *)(const void *)from, count};
}

/* "owner/connection/route" into its parts; the route may hold slashes or be missing. */
static bool split(struct str path, struct str out[3])
{
	size_t part = 0, from = 0;

	memset(out, 0, 3 * sizeof(*out));
	for (size_t i = 0; i <= path.len; i++) {
		if (i < path.len && (path.ptr[i] != '/' || part == 2))
			continue;
		out[part++] = (struct str){path.ptr + from, i - from};
		from = i + 1;
	}
	return part >= 2 && out[0].len && out[1].len;
}

static void take_hook(struct server *s, struct request *request)
{
	struct hook *hook = arena_alloc(request->arena, sizeof(*hook));
	struct str parts[3], rest = {request->path.ptr + 7, request->path.len - 7};

	if (!split(rest, parts)) {
		answer_text(request, 404, "webhooks go to /hooks/TENANT/CONNECTION\n");
		return;
	}
	if (!hook) {
		answer_text(request, 503, "no memory, please send it again\n");
		return;
	}
	hook->owner = parts[0];
	hook->connection = parts[1];
	hook->route = parts[2].ptr ? parts[2] : STR("");
	hook->method = str_of(request->method);
	hook->path = request->path;
	hook->query = pairs(request->query, request->query_count);
	hook->headers = pairs(request->headers, request->header_count);
	hook->body = request->body.ptr ? request->body : STR("");
	hook->received_ms = clock_now_ms();
	hook->answer = hook_answered;
	hook->user = request;
	intake_take(s->options.runner, hook);
}

static const struct config *config_now(struct server *s)
{
	const struct config *config;

	pthread_mutex_lock(&s->lock);
	config = config_ref(s->options.config);
	pthread_mutex_unlock(&s->lock);
	return config;
}

/* ---- What takes longer -------------------------------------------------------------------- */

struct work {
	struct server *server;
	struct request *request;
	void (*run)(struct server *server, struct request *request, struct arena *arena);
};

static void *work(void *arg)
{
	struct work *w = arg;
	struct server *s = w->server;
	struct arena *arena = arena_create(ANSWER_MEMORY);

	if (arena)
		w->run(s, w->request, arena);
	else
		answer_text(w->request, 503, "no memory\n");
	arena_destroy(arena);
	free(w);
	atomic_fetch_sub(&s->threads, 1);
	return NULL;
}

static void start(struct server *s, struct request *request,
	void (*run)(struct server *, struct request *, struct arena *))
{
	struct work *w = calloc(1, sizeof(*w));
	pthread_attr_t detached;
	pthread_t thread;
	int err = -1;

	if (w && atomic_fetch_add(&s->threads, 1) < THREADS_MAX) {
		*w = (struct work){s, request, run};
		pthread_attr_init(&detached);
		pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
		pthread_attr_setstacksize(&detached, 512 * 1024);
		err = pthread_create(&thread, &detached, work, w);
		pthread_attr_destroy(&detached);
	}
	if (err == 0)
		return;
	if (w)
		atomic_fetch_sub(&s->threads, 1);
	free(w);
	answer_text(request, 503, "too many look at once, please try again\n");
}

static unsigned status_of(const struct json *result)
{
	struct str code = json_text(json_find(result, "error.code"));

	if (!code.ptr)
		return 200;
	for (int e = E_NOMEM; e >= E_CLOSED; e--) {
		if (!str_is(code, error_name(e)))
			continue;
		return e == E_INVALID    ? 400
		       : e == E_DENIED   ? 403
		       : e == E_NOTFOUND ? 404
		       : e == E_CONFLICT ? 409
		       : e == E_TIMEOUT  ? 504
		       : e == E_BUSY     ? 503
		       : e == E_CLOSED   ? 503
					 : 500;
	}
	return 500;
}

/* RFC 9457 */
static const struct json *problem(struct arena *arena, unsigned status, const struct json *error)
{
	struct json *o = json_object(arena);

	json_put_i64(arena, o, "status", status);
	json_put_text(arena, o, "title", json_get_text(error, "code"));
	json_put_text(arena, o, "detail", json_get_text(error, "text"));
	return o;
}

static struct str api_request(const struct request *request, const struct json *body,
	struct arena *arena, struct str verb)
{
	struct json *o = json_object(arena);

	for (size_t i = 0; i < json_count(body); i++) {
		struct str key;
		const struct json *value = json_at(body, i, &key);
		json_set(arena, o, key, value);
	}
	for (size_t i = 0; i < request->query_count; i++)
		json_set(arena, o, request->query[i].name,
			json_of_text(arena, request->query[i].value));
	json_put_text(arena, o, "verb", verb);
	return json_print(arena, o);
}

/* Whose eyes a request is answered for, see allowed(). */
static struct admin admin_of(const struct server *s, const struct request *request)
{
	struct admin admin = s->options.admin;
	const char *tenant = request->user;

	admin.tenant = tenant && tenant[0] ? tenant : NULL;
	return admin;
}

/* Something of the answer may be missing. */
static bool lacks_memory(struct request *request, bool failed)
{
	if (failed)
		answer_text(request, 503, "no memory, please try again\n");
	return failed;
}

static void run_api(struct server *s, struct request *request, struct arena *arena)
{
	struct str verb = {request->path.ptr + 8, request->path.len - 8};
	struct admin admin = admin_of(s, request);
	const struct json *result, *body;
	struct str text;
	unsigned status;

	if (admin_changes(verb) ? strcmp(request->method, "POST") != 0 : !request_reads(request)) {
		answer_text(request, 405,
			admin_changes(verb) ? "this verb changes something: POST it\n"
					    : "this verb reads: GET it\n");
		return;
	}
	body = request->body.len ? json_parse(arena, request->body, NULL) : NULL;
	if (request->body.len && json_type(body) != JSON_OBJECT && !arena_failed(arena)) {
		answer(request, 400, "application/problem+json",
			STR("{\"status\":400,\"title\":\"invalid\",\"detail\":\"the body is no "
			    "JSON object\"}"));
		return;
	}
	result = admin_answer(&admin, arena, api_request(request, body, arena, verb));
	status = status_of(result);
	text = status == 200 ? json_print_pretty(arena, result)
			     : json_print(arena, problem(arena, status, json_get(result, "error")));
	if (!lacks_memory(request, arena_failed(arena)))
		answer(request, status,
			status == 200 ? "application/json" : "application/problem+json", text);
}

static void run_metrics(struct server *s, struct request *request, struct arena *arena)
{
	struct buf out;

	(void)arena;
	pthread_mutex_lock(&s->starting);
	pthread_mutex_unlock(&s->starting);
	buf_init(&out, 4 * 1024 * 1024);
	metrics_print(&out, &(struct metrics_sources){.state = s->options.admin.state,
				    .sandbox = s->options.admin.sandbox,
				    .runner = s->options.runner,
				    .listener = s->listener,
				    .live = s->live});
	if (!lacks_memory(request, out.failed))
		answer(request, 200, "text/plain; version=0.0.4; charset=utf-8",
			(struct str){out.ptr, out.len});
	buf_finish(&out);
}

static void run_page(struct server *s, struct request *request, struct arena *arena)
{
	struct admin admin = admin_of(s, request);
	struct str html;
	unsigned status;

	status = page_render(&admin, arena, request->path, &html);
	if (lacks_memory(request, arena_failed(arena)))
		return;
	if (str_is(request->path, "/live"))
		answer_live(request, status, "text/html; charset=utf-8", html);
	else if (str_is(request->path, "/live.js"))
		answer_live(request, status, "text/javascript; charset=utf-8", html);
	else
		answer(request, status, "text/html; charset=utf-8", html);
}

/* ---- Logging in --------------------------------------------------------------------------- */

static void answer_login(struct request *request, struct arena *arena, unsigned status,
	const char *why, const struct request_pair *more, size_t count)
{
	answer_with(
		request, status, "text/html; charset=utf-8", page_login(arena, why), more, count);
}

/* This memory is used again for other requests, and nobody clears it before. */
static void forget_secret(struct request *request, struct str secret)
{
	if (secret.len)
		crypto_wipe((char *)secret.ptr, secret.len);
	if (request->body.len)
		crypto_wipe((char *)request->body.ptr, request->body.len);
}

static void run_login(struct server *s, struct request *request, struct arena *arena)
{
	const struct config *config = config_now(s);
	struct request_pair more[] = {{STR("Location"), STR("/")}, {STR("Set-Cookie"), STR("")},
		{STR("Retry-After"), STR("")}};
	struct login login;
	struct str secret = STR("");

	request_form(request, "secret", &secret);
	guard_login(s->guard, config, request, secret, &login);
	forget_secret(request, secret);
	more[1].value = str_of(login.cookie);
	more[2].value = str_of(arena_printf(arena, "%u", login.wait_s ? login.wait_s : 2));
	if (login.end == LOGIN_OPEN)
		answer_with(request, 303, NULL, STR(""), more, 2);
	else if (login.end == LOGIN_WRONG)
		answer_login(request, arena, 403, "That opens nothing here.", NULL, 0);
	else if (login.end == LOGIN_FOREIGN)
		answer_login(request, arena, 403, "Another site sent this.", NULL, 0);
	else if (login.end == LOGIN_WAIT)
		answer_login(request, arena, 429, "Too many wrong ones from there. Please wait.",
			more + 2, 1);
	else
		answer_login(request, arena, 503, "Not now. Please try again.", more + 2, 1);
	config_unref(config);
}

static void take_login(struct server *s, struct request *request)
{
	if (strcmp(request->method, "POST") == 0)
		start(s, request, run_login);
	else if (request_reads(request))
		answer_login(request, request->arena, 200, "", NULL, 0);
	else
		answer_text(request, 405, "a login is a POST of secret=…\n");
}

static void take_logout(struct server *s, struct request *request)
{
	char cookie[256];
	struct request_pair more[] = {
		{STR("Location"), STR("/login")}, {STR("Set-Cookie"), STR("")}};

	if (strcmp(request->method, "POST") != 0) {
		answer_text(request, 405, "a logout is a POST\n");
		return;
	}
	if (!guard_logout(s->guard, request, cookie)) {
		answer_text(request, 403, "another site sent this\n");
		return;
	}
	more[1].value = str_of(cookie);
	answer_with(request, 303, NULL, STR(""), more, 2);
}

/* ---- Routes ------------------------------------------------------------------------------- */

static void take_livez(struct server *s, struct request *request)
{
	(void)s;
	answer_text(request, 200, "alive\n");
}

static void answer_unready(struct request *request, const struct error *why)
{
	const char *text = arena_printf(request->arena, "nothing can be stored: %s\n", why->text);

	answer_text(request, 503, text ? text : "nothing can be stored\n");
}

/* Whoever cannot store takes no webhook; the runner tries once a second whether it can again. A
 * damaged store still takes what it can, but somebody has to come. The name of a note that is not
 * there is known without the disk. */
static void take_readyz(struct server *s, struct request *request)
{
	struct care_noted damage;
	struct error error = {0};

	if (atomic_load(&s->draining))
		answer_text(request, 503, "draining\n");
	else if (store_failing(s->options.admin.store, &error))
		answer_unready(request, &error);
	else if (care_note_read(s->options.admin.state, CARE_DAMAGE, &damage))
		answer_text(request, 503, "the store is damaged: klinke doctor tells more\n");
	else
		answer_text(request, 200, "ready\n");
}

static void take_live(struct server *s, struct request *request)
{
	live_watch(s->live, request, str_of((const char *)request->user));
}

static void take_api(struct server *s, struct request *request)
{
	start(s, request, run_api);
}

static void take_metrics(struct server *s, struct request *request)
{
	start(s, request, run_metrics);
}

static void take_page(struct server *s, struct request *request)
{
	start(s, request, run_page);
}

static void run_routes(struct server *s, struct request *request, struct arena *arena);

static void take_routes(struct server *s, struct request *request)
{
	start(s, request, run_routes);
}

enum whom { FOR_ALL, FOR_OFFICES, FOR_OPERATOR };

/* Every way in. The first whose path fits has the request; a prefix ends with its slash. What is
 * not here is a page, and answered with 404. GET /api/v1/routes tells it, the verbs below
 * /api/v1/ and the operations, to whoever wants to be sure that all of it is closed
 * (tests/system/test_isolation.py).
 */
static const struct route {
	const char *path;
	bool prefix;
	enum whom whom;
	bool page; /* only looked at */
	void (*take)(struct server *s, struct request *request);
} routes[] = {
	{"/hooks/", true, FOR_ALL, false, take_hook},
	{"/livez", false, FOR_ALL, false, take_livez},
	{"/readyz", false, FOR_ALL, false, take_readyz},
	{"/login", false, FOR_ALL, false, take_login},
	{"/logout", false, FOR_ALL, false, take_logout},
	{"/api/v1/live", false, FOR_OFFICES, false, take_live},
	{"/api/v1/routes", false, FOR_OPERATOR, true, take_routes},
	{"/api/v1/", true, FOR_OFFICES, false, take_api},
	{"/metrics", false, FOR_OPERATOR, true, take_metrics},
	{"/live", false, FOR_OFFICES, true, take_page},
	{"/live.js", false, FOR_OFFICES, true, take_page},
	{"/show/", true, FOR_OFFICES, true, take_page},
	{"/", false, FOR_OFFICES, true, take_page},
};
static const struct route nowhere = {"", false, FOR_OFFICES, true, take_page};

static const struct route *route_of(struct str path)
{
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
		if (routes[i].prefix ? str_begins(path, routes[i].path)
				     : str_is(path, routes[i].path))
			return &routes[i];
	return &nowhere;
}

static void list_operations(struct arena *arena, struct json *list, const char *owner,
	const char *connection, const struct plugin_info *info)
{
	for (size_t i = 0; info && i < info->op_count; i++)
		json_push(arena, list,
			json_of_text(arena,
				str_of(arena_printf(arena, "%s%s%s.%s", owner, owner[0] ? "/" : "",
					connection, info->ops[i].name))));
}

/* What klinke call may be given. */
static const struct json *operations(struct server *s, struct arena *arena)
{
	const struct config *config = config_now(s);
	struct json *list = json_array(arena);
	size_t n;
	const struct config_connection *c = config_connections(config, &n);
	const struct config_tenant *t;

	for (size_t i = 0; i < n; i++)
		list_operations(arena, list, "", c[i].full, c[i].info);
	t = config_tenants(config, &n);
	for (size_t i = 0; i < n; i++)
		list_operations(arena, list, t[i].name, desk_info.name, &desk_info);
	config_unref(config);
	return list;
}

static void run_routes(struct server *s, struct request *request, struct arena *arena)
{
	static const char *const whom[] = {"all", "offices", "operator"};
	struct json *o = json_object(arena), *list = json_array(arena);

	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		struct json *route = json_object(arena);
		json_put_text(arena, route, "path", str_of(routes[i].path));
		json_put_bool(arena, route, "prefix", routes[i].prefix);
		json_put_text(arena, route, "for", str_of(whom[routes[i].whom]));
		json_push(arena, list, route);
	}
	json_put(arena, o, "routes", list);
	json_put(arena, o, "verbs", admin_verbs(arena));
	json_put(arena, o, "operations", operations(s, arena));
	answer(request, 200, "application/json", json_print_pretty(arena, o));
}

/* ---- Who may ------------------------------------------------------------------------------ */

/* A browser gets the form at once, everything else a sentence. */
static void refuse_unknown(const struct config *config, struct request *request)
{
	struct request_pair bearer = {STR("WWW-Authenticate"), STR("Bearer realm=\"klinke\"")};
	struct str accept = request_header(request, "accept");

	if (!guard_has_keys(config))
		answer_text(request, 401, "closed: admin_token is not set in [host]\n");
	else if (str_begins(accept, "text/html"))
		answer_login(request, request->arena, 401, "", &bearer, 1);
	else
		answer_with(request, 401, "text/plain; charset=utf-8",
			STR("this needs the admin token: log in at /login, or send it as "
			    "Authorization: Bearer\n"),
			&bearer, 1);
}

/* The name of the tenant whose rows it may see goes to request->user: "", everybody's. False: it
 * has its answer. */
static bool keep_tenant(struct request *request, const char *name)
{
	request->user = (void *)str_dup(request->arena, str_of(name)).ptr;
	if (!request->user)
		answer_text(request, 503, "no memory, please try again\n");
	return request->user != NULL;
}

static bool allowed(struct server *s, const struct config *config, const struct route *route,
	struct request *request)
{
	bool login = route->take == take_login || route->take == take_logout;
	struct caller who = guard_who(s->guard, config, request);

	if (route->whom == FOR_ALL && (!login || guard_has_keys(config)))
		return true;
	if (who.kind == CALLER_UNKNOWN)
		refuse_unknown(config, request);
	else if (route->whom == FOR_OPERATOR && who.kind != CALLER_OPERATOR)
		answer_text(request, 403, "this is for the operator of this host\n");
	else
		return keep_tenant(request, who.tenant ? who.tenant : "");
	return false;
}

/* Whom a page or a stream asks for, if it may; for an office a foreign name is like one that there
 * is not. The verbs do this themselves. */
static bool narrow(const struct config *config, const struct route *route, struct request *request)
{
	struct str asked = request_query(request, "tenant"),
		   tenant = str_of((const char *)request->user);
	size_t n;
	const struct config_tenant *tenants = config_tenants(config, &n);

	if (!asked.len || route->whom != FOR_OFFICES || route->take == take_api)
		return true;
	for (size_t i = 0; i < n; i++)
		if (str_is(asked, tenants[i].name) && (!tenant.len || str_eq(asked, tenant)))
			return keep_tenant(request, tenants[i].name);
	answer_text(request, 404, "there is no such tenant\n");
	return false;
}

static void handle(void *user, struct request *request)
{
	struct server *s = user;
	const struct route *route = route_of(request->path);
	const struct config *config;
	bool open;

	if (route->take == take_hook) { /* whoever calls proves it to the plugin */
		take_hook(s, request);
		return;
	}
	guard_unproxy(s->guard, request);
	if (route->take == take_live && !live_admit(s->live, request))
		return;
	config = config_now(s);
	open = allowed(s, config, route, request) && narrow(config, route, request);
	config_unref(config);
	if (open && route->page && !request_reads(request))
		answer_text(request, 405, "pages are only looked at\n");
	else if (open)
		route->take(s, request);
}

/* ---- Beginning and end -------------------------------------------------------------------- */

/* 0, also without TLS: *tls is NULL then. */
static int load_tls(struct error *error, const struct config *config, struct tls **tls)
{
	const struct config_host *host = config_host(config);

	*tls = NULL;
	if (!host->tls_certificate)
		return 0;
	*tls = tls_load(error, host->tls_certificate, host->tls_key);
	return *tls ? 0 : error->code;
}

struct server *server_create(struct error *error, const struct server_options *options)
{
	const struct config_host *host = config_host(options->config);
	struct server *s = calloc(1, sizeof(*s));
	struct listener_options listen = {
		.address = host->listen,
		.fd = options->fd,
		.max_body = (size_t)host->max_body,
		.header_deadline_ms = (uint32_t)host->header_timeout_ms,
		.body_deadline_ms = (uint32_t)host->request_timeout_ms,
		.idle_ms = (uint32_t)host->idle_timeout_ms,
		.max_connections = (uint32_t)host->max_connections,
		.handler = handle,
		.user = s,
	};

	if (!s) {
		error_set(error, E_NOMEM, "no memory for the HTTP server");
		return NULL;
	}
	s->options = *options;
	config_ref(options->config);
	pthread_mutex_init(&s->lock, NULL);
	pthread_mutex_init(&s->starting, NULL);
	pthread_mutex_lock(&s->starting);
	if (load_tls(error, options->config, &listen.tls) == 0)
		s->guard = guard_create(error, options->config);
	s->live = s->guard ? live_create(error, options->admin.state) : NULL;
	if (s->live)
		s->listener = listener_create(error, &listen);
	pthread_mutex_unlock(&s->starting);
	s->tls = listen.tls != NULL;
	tls_unref(listen.tls);
	if (s->listener)
		return s;
	server_destroy(s);
	return NULL;
}

static void renew_tls(struct server *s, const struct config *config)
{
	struct error error = {0};
	struct tls *tls;

	if (load_tls(&error, config, &tls) < 0)
		log_line(LOG_WARN, "the certificate stays as it was", "reason", error.text, NULL);
	else if (s->tls != (tls != NULL))
		log_line(LOG_WARN, "TLS is begun and ended by a restart, not by a reload", NULL);
	else if (tls)
		listener_renew_tls(s->listener, tls);
	tls_unref(tls);
}

void server_configure(struct server *s, const struct config *config)
{
	const struct config *before;
	struct error error = {0};

	config_ref(config);
	pthread_mutex_lock(&s->lock);
	before = s->options.config;
	s->options.config = config;
	pthread_mutex_unlock(&s->lock);
	config_unref(before);
	if (guard_configure(&error, s->guard, config) < 0)
		log_line(LOG_WARN, "sessions and proxies stay as they were", "reason", error.text,
			NULL);
	renew_tls(s, config);
	live_dismiss(s->live); /* whose token was taken away does not come back */
}

unsigned server_port(const struct server *server)
{
	return listener_port(server->listener);
}

int server_drain(struct server *server, int64_t deadline_ms)
{
	atomic_store(&server->draining, true);
	return listener_drain(server->listener, deadline_ms);
}

void server_destroy(struct server *server)
{
	if (!server)
		return;
	while (atomic_load(&server->threads) > 0) /* the runner sends waiting ones away */
		usleep(1000);
	if (server->listener)
		listener_destroy(server->listener);
	live_destroy(server->live);
	guard_destroy(server->guard);
	pthread_mutex_destroy(&server->starting);
	config_unref(server->options.config);
	pthread_mutex_destroy(&server->lock);
	free(server);
}
