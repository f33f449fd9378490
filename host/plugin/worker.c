/* worker.c - loads one plugin and runs its calls. Never opens anything, never starts a thread.
 * The worker's only thread runs all of it. */
#include "plugin/worker.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "plugin/call.h"
#include "plugin/sandbox.h"
#include "plugin/wire.h"

#define FLUSH_BYTES ((size_t)256 * 1024)
#define FLUSH_US 1000
#define LOAD_MEMORY ((size_t)4 * 1024 * 1024) /* descriptor */
#define DECODE_MEMORY ((size_t)16 * 1024 * 1024)
#define CONFIG_MEMORY ((size_t)4 * 1024 * 1024)

struct known_config { /* parsed once, read by many calls */
	struct known_config *next;
	uint64_t number;
	struct arena *arena;
	const struct json *tree;
};

struct worker {
	const struct worker_job *job;
	struct worker_progress *progress;
	struct loaded loaded;
	struct arena *decode, *call;
	struct known_config *configs;
	struct buf in, out;
	size_t taken;            /* of in */
	int64_t unsent_since_us; /* 0: nothing waits in out */
};

/* ---- the wire ----------------------------------------------------------------------------- */

/* The host is gone or does not want to hear: there is nothing to clean up. */
static _Noreturn void leave(int code)
{
	_exit(code);
}

static void flush(struct worker *worker)
{
	size_t sent = 0;

	if (worker->out.failed)
		leave(3);
	while (sent < worker->out.len) {
		ssize_t n = write(SANDBOX_WIRE_FD, worker->out.ptr + sent, worker->out.len - sent);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			leave(0);
		sent += (size_t)n;
	}
	buf_reset(&worker->out);
	worker->unsent_since_us = 0;
}

static void flush_if_due(struct worker *worker)
{
	int64_t now_us = clock_mono_us();

	if (!worker->unsent_since_us)
		worker->unsent_since_us = now_us;
	if (worker->out.len >= FLUSH_BYTES || now_us - worker->unsent_since_us >= FLUSH_US)
		flush(worker);
}

/* What is left of in moves to its front, and more follows behind. */
static void read_more(struct worker *worker)
{
	char bytes[64 * 1024];
	ssize_t n;

	buf_drop(&worker->in, worker->taken);
	worker->taken = 0;
	do
		n = read(SANDBOX_WIRE_FD, bytes, sizeof(bytes));
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		leave(0);
	buf_add(&worker->in, bytes, (size_t)n);
	if (worker->in.failed)
		leave(3);
}

/* ---- configurations ----------------------------------------------------------------------- */

static const struct json *find_config(const struct worker *worker, uint64_t number)
{
	const struct known_config *config = worker->configs;

	while (config && config->number != number)
		config = config->next;
	return config ? config->tree : NULL;
}

static void learn_config(struct worker *worker, const struct wire_frame *frame)
{
	struct known_config *config = calloc(1, sizeof(*config));
	struct json *hold;
	struct str text;

	if (!config || !wire_get_config(frame, &text))
		leave(3);
	config->number = frame->id;
	config->arena = arena_create(CONFIG_MEMORY + 8 * text.len);
	config->tree = json_parse(config->arena, text, NULL);
	hold = json_array(config->arena);
	json_push(config->arena, hold, config->tree); /* frozen: no call may change it */
	if (arena_failed(config->arena))
		leave(3);
	config->next = worker->configs;
	worker->configs = config;
}

static void forget_config(struct worker *worker, uint64_t number)
{
	struct known_config **at = &worker->configs, *found;

	while (*at && (*at)->number != number)
		at = &(*at)->next;
	found = *at;
	if (!found)
		return;
	*at = found->next;
	arena_destroy(found->arena);
	free(found);
}

/* ---- calls -------------------------------------------------------------------------------- */

static void put_answer(
	struct worker *worker, uint64_t id, enum plugin_kind kind, struct plugin_out *out)
{
	size_t before = worker->out.len;

	wire_put_answer(&worker->out, id, out);
	if (!worker->out.failed)
		return;
	worker->out.failed = false; /* too long for a frame: say that instead */
	worker->out.len = before;
	call_fail(worker->loaded.info.name, kind, E_INVALID, "it returned more than 64 MiB", out);
	out->logs.count = 0;
	wire_put_answer(&worker->out, id, out);
}

static void run_call(struct worker *worker, const struct wire_frame *frame)
{
	struct plugin_out out;
	struct plugin_in in;
	uint64_t number;

	arena_reset(worker->decode);
	arena_reset(worker->call);
	if (!wire_get_call(frame, worker->decode, &number, &in))
		leave(3);
	atomic_store_explicit(&worker->progress->started_us, clock_mono_us(), memory_order_relaxed);
	atomic_store_explicit(&worker->progress->call, frame->id, memory_order_release);
	call_run(&worker->loaded, find_config(worker, number), &in, &worker->job->limits,
		worker->call, &out);
	put_answer(worker, frame->id, in.kind, &out);
	atomic_store_explicit(&worker->progress->call, 0, memory_order_release);
	flush_if_due(worker);
}

static void handle(struct worker *worker, const struct wire_frame *frame)
{
	switch (frame->type) {
	case WIRE_CONFIG:
		learn_config(worker, frame);
		break;
	case WIRE_FORGET:
		forget_config(worker, frame->id);
		break;
	case WIRE_CALL:
		run_call(worker, frame);
		break;
	default:
		leave(3);
	}
}

static _Noreturn void serve(struct worker *worker)
{
	for (;;) {
		struct wire_frame frame;
		long len = wire_next(
			worker->in.ptr + worker->taken, worker->in.len - worker->taken, &frame);
		if (len < 0)
			leave(3);
		if (len > 0) {
			worker->taken += (size_t)len;
			handle(worker, &frame);
			continue;
		}
		if (worker->out.len)
			flush(worker);
		read_more(worker);
	}
}

/* ---- start -------------------------------------------------------------------------------- */

static _Noreturn void refuse(struct worker *worker, const struct error *error)
{
	wire_put_refused(&worker->out, error);
	flush(worker);
	leave(0);
}

static _Noreturn void refuse_sandbox(struct worker *worker, const char *why)
{
	struct error error = {0};

	error_set(&error, E_DENIED, "plugin %s was not started: %s", worker->job->name, why);
	refuse(worker, &error);
}

static void set_up(struct worker *worker)
{
	char name[16];

	snprintf(name, sizeof(name), "kl-%.12s", worker->job->name);
	prctl(PR_SET_NAME, name);
	buf_init(&worker->in, WIRE_MOST + 128 * 1024);
	buf_init(&worker->out, WIRE_MOST + FLUSH_BYTES);
	buf_add(&worker->in, "", 0);
	worker->decode = arena_create(DECODE_MEMORY);
	worker->call = arena_create(worker->job->limits.memory);
	worker->progress = mmap(NULL, WORKER_PROGRESS_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
		SANDBOX_PROGRESS_FD, 0);
	close(SANDBOX_PROGRESS_FD);
	if (!worker->decode || !worker->call || worker->progress == MAP_FAILED)
		leave(3);
}

static void load(struct worker *worker)
{
	struct arena *arena = arena_create(LOAD_MEMORY);
	struct error error = {0};
	char file[32];

	snprintf(file, sizeof(file), "/proc/self/fd/%d", SANDBOX_FILE_FD);
	if (load_plugin(&error, arena, file, worker->job->name, worker->job->path, &worker->loaded))
		refuse(worker, &error);
	close(SANDBOX_FILE_FD);
}

_Noreturn void worker_main(
	const struct worker_job *job, const struct sandbox *sandbox, pid_t parent)
{
	struct worker worker = {.job = job};
	const char *why;

	set_up(&worker);
	if (!sandbox_confine(sandbox, (size_t)job->memory, parent, &why))
		refuse_sandbox(&worker, why);
	load(&worker);
	if (!sandbox_narrow(sandbox, &why))
		refuse_sandbox(&worker, why);
	wire_put_hello(&worker.out, &worker.loaded.info);
	flush(&worker);
	serve(&worker);
}
