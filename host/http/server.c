/* server.c - routes requests: webhooks to the intake, the rest to short-lived threads.
 *
 * handle() runs on the listener's thread and never blocks. Whatever reads the store or waits for
 * the runner runs on a thread of its own, of which there are few: webhooks never wait for them.
 */
#include "http/server.h"

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
#include "config/config.h"
#include "http/listener.h"
#include "http/live.h"
#include "http/metrics.h"
#include "pipeline/intake.h"
#include "web/page.h"

#define THREADS_MAX 8
#define ANSWER_MEMORY ((size_t)256 * 1024 * 1024)

struct server {
	struct server_options options;
	pthread_mutex_t starting; /* held until listener is known: requests come before */
	struct listener *listener;
	struct live *live;
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
	PAIR("Referrer-Policy", "no-referrer"),
	PAIR("Cache-Control", "no-store"),
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

static void answer_text(struct request *request, unsigned status, const char *text)
{
	answer(request, status, "text/plain; charset=utf-8", str_of(text));
}

static bool begins(struct str s, const char *prefix)
{
	size_t n = strlen(prefix);
	return s.len >= n && memcmp(s.ptr, prefix, n) == 0;
}

/* ---- Webhooks ----------------------------------------------------------------------------- */

static void hook_answered(struct hook *hook, const struct hook_answer *a)
{
	char seconds[16];
	struct request_pair retry = {STR("Retry-After"), {seconds, 0}};
	struct answer out = {.status = a->status, .content_type = a->content_type, .body = a->body};

	if (a->retry_after_s) {
		retry.value.len =
			(size_t)snprintf(seconds, sizeof(seconds), "%u", a->retry_after_s);
		out.headers = &retry;
		out.header_count = 1;
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

/* ---- Who may look ------------------------------------------------------------------------- */

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

static bool token_holds(const struct config_secret *token, struct str guess)
{
	bool holds = false;

	for (size_t i = 0; i < token->count; i++)
		holds |= crypto_equal(guess, token->values[i]);
	return holds && guess.len;
}

static bool reads(const struct request *request)
{
	return strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
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

	if (reads(request))
		return false;
	if (site.len && !str_is(site, "same-origin") && !str_is(site, "none"))
		return true;
	return origin.len && !same_origin(origin, request_header(request, "host"));
}

/* What a request brings to show that it may; nothing if a foreign page made it. */
static struct str token_of(const struct request *request)
{
	struct str header = request_header(request, "authorization");

	if (foreign(request))
		return (struct str){0};
	if (begins(header, "Bearer "))
		return (struct str){header.ptr + 7, header.len - 7};
	return cookie(request, "klinke_token");
}

/* The office whose live_token that is. Nobody's, if it is that of two: it would be a guess whom it
 * shows what. */
static const struct config_tenant *office_of(const struct config *config, struct str token)
{
	const struct config_tenant *found = NULL;
	size_t n, holders = 0;
	const struct config_tenant *tenants = config_tenants(config, &n);

	for (size_t i = 0; i < n; i++)
		if (token_holds(&tenants[i].live_token, token)) {
			found = &tenants[i];
			holders++;
		}
	return holders == 1 ? found : NULL;
}

static void login(const struct config *config, struct request *request)
{
	struct str token = request_query(request, "token");
	bool operator= token_holds(&config_host(config)->admin_token, token);
	struct request_pair headers[SAFE_HEADERS + 2];
	struct answer a = {.status = 303, .headers = headers, .header_count = SAFE_HEADERS + 2};

	if (!operator&& !office_of(config, token)) {
		answer_text(request, 403, "this is not the admin token\n");
		return;
	}
	memcpy(headers, safe_headers, sizeof(safe_headers));
	headers[SAFE_HEADERS] =
		(struct request_pair){STR("Location"), operator? STR("/") : STR("/live")};
	headers[SAFE_HEADERS + 1].name = STR("Set-Cookie");
	headers[SAFE_HEADERS + 1].value = str_of(arena_printf(request->arena,
		"klinke_token=%.*s; HttpOnly; SameSite=Strict; Path=/", STR_ARG(token)));
	request_answer(request, &a);
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

static bool changes(struct str verb)
{
	return str_is(verb, "retry") || str_is(verb, "drop") || str_is(verb, "replay") ||
	       str_is(verb, "call") || str_is(verb, "reload");
}

static void run_api(struct server *s, struct request *request, struct arena *arena)
{
	struct str verb = {request->path.ptr + 8, request->path.len - 8};
	const struct json *result, *body;
	unsigned status;

	if (changes(verb) ? strcmp(request->method, "POST") != 0 : !reads(request)) {
		answer_text(request, 405,
			changes(verb) ? "this verb changes something: POST it\n"
				      : "this verb reads: GET it\n");
		return;
	}
	body = request->body.len ? json_parse(arena, request->body, NULL) : NULL;
	if (request->body.len && json_type(body) != JSON_OBJECT) {
		answer(request, 400, "application/problem+json",
			STR("{\"status\":400,\"title\":\"invalid\",\"detail\":\"the body is no "
			    "JSON object\"}"));
		return;
	}
	result = admin_answer(&s->options.admin, arena, api_request(request, body, arena, verb));
	status = status_of(result);
	if (status == 200)
		answer(request, 200, "application/json", json_print_pretty(arena, result));
	else
		answer(request, status, "application/problem+json",
			json_print(arena, problem(arena, status, json_get(result, "error"))));
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
	answer(request, 200, "text/plain; version=0.0.4; charset=utf-8",
		(struct str){out.ptr, out.len});
	buf_finish(&out);
}

static void run_page(struct server *s, struct request *request, struct arena *arena)
{
	struct admin admin = s->options.admin;
	const char *tenant = request->user;
	struct str html;
	unsigned status;

	admin.tenant = tenant[0] ? tenant : NULL;
	status = page_render(&admin, arena, request->path, &html);
	if (str_is(request->path, "/live"))
		answer_live(request, status, "text/html; charset=utf-8", html);
	else if (str_is(request->path, "/live.js"))
		answer_live(request, status, "text/javascript; charset=utf-8", html);
	else
		answer(request, status, "text/html; charset=utf-8", html);
}

/* ---- Routes ------------------------------------------------------------------------------- */

static const struct config *config_now(struct server *s)
{
	const struct config *config;

	pthread_mutex_lock(&s->lock);
	config = config_ref(s->options.config);
	pthread_mutex_unlock(&s->lock);
	return config;
}

static bool any_live_token(const struct config *config)
{
	size_t n;
	const struct config_tenant *tenants = config_tenants(config, &n);

	for (size_t i = 0; i < n; i++)
		if (tenants[i].live_token.count)
			return true;
	return false;
}

static bool is_live(struct str path)
{
	return str_is(path, "/live") || str_is(path, "/live.js") || str_is(path, "/api/v1/live");
}

static bool keep_tenant(struct request *request, const char *name, struct str *tenant)
{
	*tenant = str_dup(request->arena, str_of(name));
	if (!tenant->ptr)
		answer_text(request, 503, "no memory, please try again\n");
	return tenant->ptr != NULL;
}

/* True: it may look, and *tenant says at whose: empty, everybody's. False: it has its answer. */
static bool guard(const struct config *config, struct request *request, struct str *tenant)
{
	const struct config_secret *admin = &config_host(config)->admin_token;
	bool live = is_live(request->path);
	const struct config_tenant *office;

	*tenant = STR("");
	if (!admin->count && !((live || str_is(request->path, "/login")) && any_live_token(config)))
		answer_text(request, 401, "closed: admin_token is not set in [host]\n");
	else if (str_is(request->path, "/login"))
		login(config, request);
	else if (token_holds(admin, token_of(request)))
		return true;
	else if (live && (office = office_of(config, token_of(request))))
		return keep_tenant(request, office->name, tenant);
	else
		answer_text(request, 401,
			"this needs the admin token: open /login?token=…, or send it as "
			"Authorization: Bearer\n");
	return false;
}

/* Whom it asks for, if it may; for an office a foreign name is like one that there is not. */
static bool narrow(const struct config *config, struct request *request, struct str *tenant)
{
	struct str asked = request_query(request, "tenant");
	size_t n;
	const struct config_tenant *tenants = config_tenants(config, &n);

	if (!asked.len)
		return true;
	for (size_t i = 0; i < n; i++)
		if (str_is(asked, tenants[i].name) && (!tenant->len || str_eq(asked, *tenant)))
			return keep_tenant(request, tenants[i].name, tenant);
	answer_text(request, 404, "there is no such tenant\n");
	return false;
}

static void guarded(struct server *s, struct request *request)
{
	const struct config *config = config_now(s);
	struct str tenant;
	bool open = guard(config, request, &tenant) &&
		    (!is_live(request->path) || narrow(config, request, &tenant));

	config_unref(config);
	if (!open)
		return;
	request->user = (void *)tenant.ptr;
	if (str_is(request->path, "/api/v1/live"))
		live_watch(s->live, request, tenant);
	else if (begins(request->path, "/api/v1/"))
		start(s, request, run_api);
	else if (!reads(request))
		answer_text(request, 405, "pages are only looked at\n");
	else if (str_is(request->path, "/metrics"))
		start(s, request, run_metrics);
	else
		start(s, request, run_page);
}

static void handle(void *user, struct request *request)
{
	struct server *s = user;

	if (begins(request->path, "/hooks/"))
		take_hook(s, request);
	else if (str_is(request->path, "/livez"))
		answer_text(request, 200, "alive\n");
	else if (str_is(request->path, "/readyz"))
		answer_text(request, atomic_load(&s->draining) ? 503 : 200,
			atomic_load(&s->draining) ? "draining\n" : "ready\n");
	else if (!str_is(request->path, "/api/v1/live") || live_admit(s->live, request))
		guarded(s, request);
}

/* ---- Beginning and end -------------------------------------------------------------------- */

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
	s->live = live_create(error, options->admin.state);
	if (s->live)
		s->listener = listener_create(error, &listen);
	pthread_mutex_unlock(&s->starting);
	if (s->listener)
		return s;
	server_destroy(s);
	return NULL;
}

void server_configure(struct server *s, const struct config *config)
{
	const struct config *before;

	config_ref(config);
	pthread_mutex_lock(&s->lock);
	before = s->options.config;
	s->options.config = config;
	pthread_mutex_unlock(&s->lock);
	config_unref(before);
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
	pthread_mutex_destroy(&server->starting);
	config_unref(server->options.config);
	pthread_mutex_destroy(&server->lock);
	free(server);
}
