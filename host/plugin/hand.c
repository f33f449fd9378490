/* hand.c - the host's end of one worker: frames out in one write per turn, answers in, its time
 * watched. Never waits. The loop's thread runs all of it. */
#include "plugin/crew.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "plugin/call.h"
#include "plugin/host.h"
#include "plugin/wire.h"

#define MOST_FLIGHTS 256u
#define MOST_UNSENT ((size_t)1024 * 1024)
#define READ_BYTES ((size_t)256 * 1024)
#define SILENCE_MS 5000 /* beyond twice the timeout: its progress cannot be believed */

/* ---- start and end ------------------------------------------------------------------------ */

static void on_poll(uv_poll_t *poll, int status, int events);

static struct worker_job job_of(const struct plugin *plugin, uint32_t number)
{
	struct worker_job job = {
		.number = number,
		.memory = plugin->plugins->options.worker_memory,
		.limits = host_limits(&plugin->plugins->options.limits),
	};

	snprintf(job.name, sizeof(job.name), "%s", plugin->name);
	snprintf(job.path, sizeof(job.path), "%s", plugin->path);
	return job;
}

static void watch(struct hand *hand, bool write)
{
	hand->watching_write = write;
	uv_poll_start(
		&hand->poll, UV_READABLE | UV_DISCONNECT | (write ? UV_WRITABLE : 0), on_poll);
}

static int start_process(struct error *error, struct hand *hand)
{
	struct plugins *plugins = hand->plugin->plugins;
	struct worker_job job = job_of(hand->plugin, hand->number);

	if (plugins->client < 0)
		return error_set(error, E_DENIED,
			"plugin %s was not started: there is no zygote; use isolation = inline or "
			"start one",
			hand->plugin->name);
	return start_worker(error, plugins->client, &job, hand->edition->copy, &hand->worker);
}

int hand_start(struct error *error, struct plugin *plugin, struct edition *edition, bool urgent)
{
	struct hand *hand = calloc(1, sizeof(*hand));
	int failed;

	if (!hand)
		return error_set(error, E_NOMEM, "plugin %s: no memory for a worker", plugin->name);
	hand->plugin = plugin;
	hand->edition = edition;
	hand->urgent = urgent;
	hand->number = ++plugin->plugins->last_hand;
	hand->since_ms = clock_mono_ms();
	failed = start_process(error, hand);
	if (failed) {
		free(hand);
		return failed;
	}
	buf_init(&hand->in, WIRE_MOST + READ_BYTES);
	buf_init(&hand->out, 3 * WIRE_MOST);
	buf_init(&hand->known, SIZE_MAX - 1);
	failed = uv_poll_init(plugin->plugins->options.loop, &hand->poll, hand->worker.wire);
	if (failed) {
		zygote_kill(plugin->plugins->client, hand->number);
		start_finish(&hand->worker);
		error_set(error, E_IO, "plugin %s was not started: %s", plugin->name,
			uv_strerror(failed));
		free(hand);
		return E_IO;
	}
	uv_unref((uv_handle_t *)&hand->poll);
	hand->poll.data = hand;
	watch(hand, false);
	hand->next = plugin->hands;
	plugin->hands = hand;
	plugins_wake(plugin->plugins);
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	struct hand *hand = handle->data;

	start_finish(&hand->worker);
	buf_finish(&hand->in);
	buf_finish(&hand->out);
	buf_finish(&hand->known);
	free(hand);
}

void hand_destroy(struct hand *hand)
{
	uv_close((uv_handle_t *)&hand->poll, on_closed);
}

/* No more frames; what becomes of it the zygote will tell. */
static void hang_up(struct hand *hand)
{
	if (hand->state == HAND_GONE)
		return;
	hand->state = HAND_GONE;
	hand->since_ms = clock_mono_ms();
	uv_poll_stop(&hand->poll);
	shutdown(hand->worker.wire, SHUT_RDWR); /* closed when libuv has let go of it */
}

void hand_kill(struct hand *hand, const char *why)
{
	if (!hand->killed_why[0])
		snprintf(hand->killed_why, sizeof(hand->killed_why), "%s", why);
	zygote_kill(hand->plugin->plugins->client, hand->number);
	hang_up(hand);
}

void hand_retire(struct hand *hand)
{
	if (hand->state == HAND_STARTING)
		hand_kill(hand, "it is not needed any more");
	if (hand->state == HAND_READY)
		hand->state = HAND_RETIRED;
	if (hand->state == HAND_RETIRED && !hand->flights.count)
		hang_up(hand);
}

/* ---- frames out --------------------------------------------------------------------------- */

bool hand_has_room(const struct hand *hand)
{
	return hand->flights.count < MOST_FLIGHTS && hand->out.len - hand->sent < MOST_UNSENT;
}

/* In front of the first call that needs it. Without memory nothing is written: a call must not go
 * out without its connection's options. */
static bool introduce(struct hand *hand, const struct plugin_config *config)
{
	static const char unknown[64];

	while (hand->known.len <= config->number && !hand->known.failed)
		buf_add(&hand->known, unknown, sizeof(unknown));
	if (hand->known.failed) {
		hand->known.failed = false; /* there may be memory next time */
		return false;
	}
	if (!hand->known.ptr[config->number])
		wire_put_config(
			&hand->out, config->number, (struct str){config->text, config->len});
	hand->known.ptr[config->number] = !hand->out.failed;
	return !hand->out.failed;
}

bool hand_send(struct hand *hand, struct flight *flight)
{
	const struct plugin_config *config = flight->call->config;
	size_t before = hand->out.len;
	bool known = !config || introduce(hand, config);

	if (known) {
		before = hand->out.len; /* it may stay, whatever becomes of the call */
		wire_put_call(
			&hand->out, flight->id, config ? config->number : 0, &flight->call->in);
	}
	if (!known || hand->out.failed) {
		hand->out.failed = false;
		hand->out.len = before;
		return false;
	}
	if (!hand->flights.count)
		hand->since_ms = clock_mono_ms();
	queue_push(&hand->flights, flight);
	return true;
}

void hand_forget(struct hand *hand, uint64_t config)
{
	if (hand->state > HAND_RETIRED || hand->known.len <= config || !hand->known.ptr[config])
		return;
	hand->known.ptr[config] = 0;
	wire_put_forget(&hand->out, config);
}

void hand_flush(struct hand *hand)
{
	while (hand->state != HAND_GONE && hand->sent < hand->out.len) {
		ssize_t n = send(hand->worker.wire, hand->out.ptr + hand->sent,
			hand->out.len - hand->sent, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break; /* full; or gone, which reading finds out */
		hand->sent += (size_t)n;
	}
	/* Of a busy worker there is always something left: what went out must not stay for that. */
	if (hand->sent == hand->out.len || hand->sent >= MOST_UNSENT) {
		buf_drop(&hand->out, hand->sent);
		hand->sent = 0;
	}
	if (hand->state != HAND_GONE && hand->watching_write != (hand->out.len > 0))
		watch(hand, hand->out.len > 0);
}

/* ---- frames in ---------------------------------------------------------------------------- */

static void take_answer(struct hand *hand, const struct wire_frame *frame)
{
	struct flight *flight = queue_pop(&hand->flights);
	struct plugin_call *call;
	struct wire_frame kept = *frame;

	hand->since_ms = clock_mono_ms();
	call = flight->call;
	if (!call) { /* too late, the caller has been told */
		flight_answered(hand->plugin, flight);
		return;
	}
	kept.body = arena_strndup(call->arena, frame->body, frame->len);
	if (kept.body && wire_get_answer(&kept, call->arena, &call->out)) {
		call_check(&hand->edition->info, &call->in, &hand->plugin->plugins->options.limits,
			&call->out);
		flight_answered(hand->plugin, flight);
	} else if (arena_failed(call->arena)) {
		bool starved = arena_starved(call->arena);
		flight_end(hand->plugin, flight, PLUGIN_FAILED, starved ? E_NOMEM : E_INVALID,
			starved ? "there is no memory for its answer"
				: "the answer is bigger than the memory of whoever called it");
	} else {
		flight_end(hand->plugin, flight, PLUGIN_DIED, E_CORRUPT,
			"its answer could not be understood");
		hand_kill(hand, "it sent something that could not be understood");
	}
}

static void take_hello(struct hand *hand, const struct wire_frame *frame)
{
	struct edition *edition = hand->edition;
	struct wire_frame kept = *frame;

	if (!edition->ready) {
		kept.body = arena_strndup(edition->arena, frame->body, frame->len);
		if (!kept.body || !wire_get_hello(&kept, edition->arena, &edition->info)) {
			hand->starved = arena_starved(edition->arena);
			hand_kill(hand, hand->starved ? "there was no memory for what it told"
						      : "it sent something that could not be "
							"understood");
			return;
		}
		edition->ready = true;
	}
	hand->state = HAND_READY;
	hand->was_ready = true;
	hand->since_ms = clock_mono_ms();
	plugin_hand_ready(hand);
}

static void take_frame(struct hand *hand, const struct wire_frame *frame)
{
	struct error error;

	if (hand->state == HAND_STARTING && frame->type == WIRE_HELLO)
		take_hello(hand, frame);
	else if (hand->state == HAND_STARTING && frame->type == WIRE_REFUSED &&
		 wire_get_refused(frame, &error))
		plugin_hand_refused(hand, error.text);
	else if (hand->state != HAND_STARTING && frame->type == WIRE_ANSWER && hand->flights.head &&
		 hand->flights.head->id == frame->id)
		take_answer(hand, frame);
	else
		hand_kill(hand, "it sent something that could not be understood");
}

static void take_frames(struct hand *hand)
{
	struct wire_frame frame;
	size_t taken = 0;
	long len = 0;

	while (hand->state != HAND_GONE &&
		(len = wire_next(hand->in.ptr + taken, hand->in.len - taken, &frame)) > 0) {
		taken += (size_t)len;
		take_frame(hand, &frame);
	}
	if (len < 0 && hand->state != HAND_GONE)
		hand_kill(hand, "it sent something that could not be understood");
	memmove(hand->in.ptr, hand->in.ptr + taken, hand->in.len - taken);
	hand->in.len -= taken;
	if (hand->state == HAND_RETIRED)
		hand_retire(hand);
}

/* false: nothing more is there, or nothing more will come. */
static bool read_some(struct hand *hand)
{
	char bytes[64 * 1024];
	ssize_t got = recv(hand->worker.wire, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (got < 0 && errno == EINTR)
		return true;
	if (got == 0 || (got < 0 && errno != EAGAIN))
		hang_up(hand);
	if (got <= 0)
		return false;
	buf_add(&hand->in, bytes, (size_t)got);
	if (hand->in.failed) {
		hand_kill(hand, "it sent more than fits");
		return false;
	}
	take_frames(hand);
	return hand->state != HAND_GONE && (size_t)got == sizeof(bytes);
}

void hand_drain(struct hand *hand)
{
	while (hand->state != HAND_GONE && read_some(hand))
		;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct hand *hand = poll->data;

	if (events & UV_WRITABLE)
		hand_flush(hand);
	if (status < 0 || events & (UV_READABLE | UV_DISCONNECT))
		hand_drain(hand);
	plugins_wake(hand->plugin->plugins); /* there may be room for what waits */
}

void hand_ended(struct hand *hand, const char *how)
{
	hand_drain(hand); /* what it had answered before it ended counts */
	hang_up(hand);
	plugin_hand_ended(hand, how);
}

/* ---- time --------------------------------------------------------------------------------- */

static struct flight *find_flight(const struct hand *hand, uint64_t id)
{
	struct flight *flight = hand->flights.head;

	while (flight && flight->id != id)
		flight = flight->next;
	return flight;
}

/* Answers leave a worker in batches, so the first unanswered call is not always the one that runs.
 * Its progress says which; if that makes no sense, the first. */
struct flight *hand_suspect(const struct hand *hand)
{
	uint64_t id;
	struct flight *found;

	if (hand->killed_for)
		return find_flight(hand, hand->killed_for);
	if (!hand->worker.progress)
		return hand->flights.head;
	id = atomic_load_explicit(&hand->worker.progress->call, memory_order_acquire);
	found = id ? find_flight(hand, id) : NULL;
	return id && !found ? hand->flights.head : found;
}

/* For how long the call that it runs has been running, in ms. */
static int64_t running_ms(const struct hand *hand)
{
	int64_t started_us = hand->worker.progress
				     ? atomic_load_explicit(&hand->worker.progress->started_us,
					       memory_order_relaxed)
				     : 0;

	return started_us ? (clock_mono_us() - started_us) / 1000 : 0;
}

static void check_running(struct hand *hand, int64_t now_ms)
{
	struct flight *suspect = hand_suspect(hand);
	unsigned timeout_ms = hand->flights.head->timeout_ms;
	bool late = suspect && running_ms(hand) > suspect->timeout_ms;

	if (!late && now_ms - hand->since_ms < 2 * (int64_t)timeout_ms + SILENCE_MS)
		return;
	if (!late || !suspect)
		suspect = hand->flights.head;
	hand->killed_for = suspect->id;
	hand_kill(hand, "a call took longer than its timeout");
}

void hand_tick(struct hand *hand, int64_t now_ms)
{
	const struct plugins_options *options = &hand->plugin->plugins->options;
	char why[80];

	if (hand->state == HAND_STARTING && now_ms - hand->since_ms > options->load_timeout_ms) {
		snprintf(why, sizeof(why), "it did not finish loading within %u ms",
			options->load_timeout_ms);
		hand_kill(hand, why);
	}
	if ((hand->state == HAND_READY || hand->state == HAND_RETIRED) && hand->flights.head)
		check_running(hand, now_ms);
	if (hand->state == HAND_GONE && now_ms - hand->since_ms > 1000) {
		hand->since_ms = now_ms; /* it closed its wire, but lives */
		zygote_kill(hand->plugin->plugins->client, hand->number);
	}
}
