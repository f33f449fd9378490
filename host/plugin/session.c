/* session.c - one worker and somebody who waits for it. Never uses libuv. Runs on the thread that
 * opened the session. */
#include "plugin/session.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "plugin/call.h"
#include "plugin/host.h"
#include "plugin/start.h"
#include "plugin/wire.h"

#define LOAD_TIMEOUT_MS 5000
#define CALL_TIMEOUT_MS 2000
#define INFO_MEMORY ((size_t)4 * 1024 * 1024)
#define WORKER_MEMORY ((uint64_t)256 * 1024 * 1024)

struct session {
	struct plugin_zygote *own; /* NULL: it is the caller's */
	int client;
	struct started worker;
	struct worker_job job;
	struct arena *arena;
	struct plugin_info info;
	struct buf in, out;
	uint64_t calls;
};

/* ---- the wire ----------------------------------------------------------------------------- */

static int lost(struct error *error, struct session *session, const char *what)
{
	struct zygote_news news;
	char how[100] = "is gone";
	struct pollfd fd = {.fd = session->client, .events = POLLIN};

	while (poll(&fd, 1, 1000) > 0 && zygote_read(session->client, &news) > 0)
		if (news.kind == ZYGOTE_EXITED) {
			zygote_describe_exit(how, sizeof(how), news.value);
			break;
		}
	return error_set(
		error, E_CLOSED, "plugin %s: its worker %s %s", session->job.name, how, what);
}

static int late(struct error *error, struct session *session, const char *what, int timeout_ms)
{
	zygote_kill(session->client, session->job.number);
	return error_set(error, E_TIMEOUT, "plugin %s did not answer within %d ms %s",
		session->job.name, timeout_ms, what);
}

/* 1: ready; 0: too late; -1: gone. */
static int wait_for(const struct session *session, short events, int64_t deadline_ms)
{
	struct pollfd fd = {.fd = session->worker.wire, .events = events};
	int64_t left = deadline_ms - clock_mono_ms();
	int ready = poll(&fd, 1, left > 0 ? (int)left : 0);

	if (ready < 0)
		return errno == EINTR ? 1 : -1;
	return ready;
}

static int receive(struct session *session, int64_t deadline_ms)
{
	char bytes[64 * 1024];
	int ready = wait_for(session, POLLIN, deadline_ms);
	ssize_t got;

	if (ready <= 0)
		return ready;
	got = recv(session->worker.wire, bytes, sizeof(bytes), MSG_DONTWAIT);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return 1;
	if (got <= 0)
		return -1;
	buf_add(&session->in, bytes, (size_t)got);
	return session->in.failed ? -1 : 1;
}

/* Sends what there is while reading what comes, until one frame is there. */
static int exchange(struct session *session, struct wire_frame *frame, int64_t deadline_ms)
{
	size_t sent = 0;

	buf_reset(&session->in);
	for (;;) {
		long len = wire_next(session->in.ptr, session->in.len, frame);
		int ready;
		if (len)
			return len > 0 ? 1 : -1;
		if (sent < session->out.len) {
			ssize_t n = send(session->worker.wire, session->out.ptr + sent,
				session->out.len - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
			sent += n > 0 ? (size_t)n : 0;
			ready = n < 0 && errno != EAGAIN
					? -1
					: wait_for(session, POLLIN | POLLOUT, deadline_ms);
			if (ready > 0 && wait_for(session, POLLIN, 0) <= 0)
				continue;
		} else {
			ready = 1;
		}
		if (ready > 0)
			ready = receive(session, deadline_ms);
		if (ready <= 0)
			return ready;
	}
}

/* ---- open --------------------------------------------------------------------------------- */

static int say_hello(struct error *error, struct session *session)
{
	struct wire_frame frame;
	int got = exchange(session, &frame, clock_mono_ms() + LOAD_TIMEOUT_MS);
	size_t size;
	char *kept;

	if (got == 0)
		return late(error, session, "while it was loaded", LOAD_TIMEOUT_MS);
	if (got < 0)
		return lost(error, session, "while it was loaded");
	if (frame.type == WIRE_REFUSED && wire_get_refused(&frame, error))
		return error->code ? error->code : E_INVALID;
	size = frame.len; /* info points into the frame: it must outlive the buffer */
	kept = arena_strndup(session->arena, frame.body, size);
	frame.body = kept;
	if (frame.type == WIRE_HELLO && kept &&
		wire_get_hello(&frame, session->arena, &session->info))
		return 0;
	if (arena_starved(session->arena))
		return error_set(error, E_NOMEM, "no memory for plugin %s", session->job.name);
	return error_set(error, E_CORRUPT, "plugin %s: its worker said nothing understandable",
		session->job.name);
}

static int start(struct error *error, struct session *session, struct plugin_zygote *zygote,
	const char *path)
{
	int copy, failed;

	if (!zygote) {
		session->own = plugin_zygote_start(error);
		zygote = session->own;
	}
	if (!zygote)
		return error ? error->code : E_IO;
	session->client = zygote_connect(error, zygote);
	if (session->client < 0)
		return E_CLOSED;
	copy = start_copy(error, path, NULL);
	if (copy < 0)
		return E_IO;
	failed = start_worker(error, session->client, &session->job, copy, &session->worker);
	close(copy);
	return failed ? failed : say_hello(error, session);
}

struct session *session_open(struct error *error, struct plugin_zygote *zygote, const char *path)
{
	struct session *session = calloc(1, sizeof(*session));
	struct error own = {0};

	if (!session) {
		error_set(error, E_NOMEM, "no memory for plugin %s", path);
		return NULL;
	}
	session->client = session->worker.wire = -1;
	session->arena = arena_create(INFO_MEMORY);
	buf_init(&session->in, WIRE_MOST + 128 * 1024);
	buf_init(&session->out, 2 * WIRE_MOST);
	buf_add(&session->in, "", 0);
	session->job = (struct worker_job){
		.number = 1, .memory = WORKER_MEMORY, .limits = host_limits(NULL)};
	start_name(session->job.name, sizeof(session->job.name), path);
	snprintf(session->job.path, sizeof(session->job.path), "%s", path);
	if (start(&own, session, zygote, path) == 0)
		return session;
	if (error)
		*error = own;
	session_close(session);
	return NULL;
}

void session_close(struct session *session)
{
	if (!session)
		return;
	start_finish(&session->worker);
	if (session->client >= 0)
		close(session->client);
	plugin_zygote_stop(session->own);
	arena_destroy(session->arena);
	buf_finish(&session->in);
	buf_finish(&session->out);
	free(session);
}

const struct plugin_info *session_info(const struct session *session)
{
	return &session->info;
}

/* ---- call --------------------------------------------------------------------------------- */

/* Each call brings its configuration, and the one before is forgotten: nobody counts calls here. */
static void put_call(struct session *session, struct str config, const struct plugin_in *in)
{
	uint64_t number = ++session->calls;

	buf_reset(&session->out);
	wire_put_forget(&session->out, number - 1);
	wire_put_config(&session->out, number, config.ptr ? config : STR("{}"));
	wire_put_call(&session->out, number, number, in);
}

int session_call(struct error *error, struct session *session, struct str config,
	const struct plugin_in *in, struct arena *arena, struct plugin_out *out)
{
	struct wire_frame frame;
	char what[80];
	int got;

	*out = (struct plugin_out){.status = PLUGIN_DIED};
	snprintf(what, sizeof(what), "in %s", call_name(in->kind));
	put_call(session, config, in);
	if (session->out.failed)
		return error_set(error, E_INVALID, "plugin %s: the arguments are too long",
			session->job.name);
	got = exchange(session, &frame, clock_mono_ms() + CALL_TIMEOUT_MS);
	if (got == 0)
		return late(error, session, what, CALL_TIMEOUT_MS);
	if (got < 0)
		return lost(error, session, what);
	frame.body = arena_strndup(arena, frame.body, frame.len);
	if (frame.type != WIRE_ANSWER || frame.id != session->calls || !frame.body ||
		!wire_get_answer(&frame, arena, out))
		return error_set(error, E_CORRUPT, "plugin %s: no understandable answer %s",
			session->job.name, what);
	call_check(&session->info, in, NULL, out);
	return 0;
}

/* ---- plugin.h: without a loop ------------------------------------------------------------- */

/* Through the wire's own code once more: the simplest deep copy of everything. */
static int keep_info(struct error *error, struct arena *arena, const struct plugin_info *info,
	struct plugin_info *out)
{
	struct wire_frame frame = {0};
	struct buf bytes;
	bool done;

	buf_init(&bytes, WIRE_MOST);
	wire_put_hello(&bytes, info);
	done = !bytes.failed && wire_next(bytes.ptr, bytes.len, &frame) > 0;
	frame.body = done ? arena_strndup(arena, frame.body, frame.len) : NULL;
	done = frame.body && wire_get_hello(&frame, arena, out);
	buf_finish(&bytes);
	return done ? 0 : error_set(error, E_NOMEM, "no memory for plugin %s", info->name);
}

int plugin_describe(struct error *error, struct plugin_zygote *zygote, const char *path,
	struct arena *arena, struct plugin_info *out)
{
	struct error own = {0};
	struct session *session = session_open(&own, zygote, path);
	int failed;

	if (error)
		*error = own;
	if (!session)
		return own.code;
	failed = keep_info(error, arena, &session->info, out);
	session_close(session);
	return failed;
}

static int call_once(struct error *error, struct plugin_zygote *zygote, const char *path,
	struct str config, const struct plugin_in *in, struct arena *arena, struct plugin_out *out)
{
	struct error own = {0};
	struct session *session = session_open(&own, zygote, path);
	int failed;

	if (error)
		*error = own;
	if (!session)
		return own.code;
	failed = session_call(error, session, config, in, arena, out);
	session_close(session);
	return failed;
}

int plugin_check_config(struct error *error, struct plugin_zygote *zygote, const char *path,
	struct str config, int64_t now_ms, struct arena *arena, struct plugin_out *out)
{
	struct plugin_in in = {
		.kind = PLUGIN_CHECK, .attempt = 1, .now_ms = now_ms, .run = STR("check")};
	int failed = call_once(error, zygote, path, config, &in, arena, out);

	if (failed || out->status == PLUGIN_OK)
		return failed;
	if (error)
		*error = out->error;
	return out->error.code;
}
