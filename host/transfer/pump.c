/* pump.c - drives libcurl's multi handle from the loop: which descriptors to watch, when to look
 * at the clock. Never touches a lane or a verdict. Loop's thread. */
#include "transfer/room.h"

#include "base/clock.h"
#include "base/error.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Idle ones; with TLS each costs some 50 KB. */
#define KEPT_CONNECTIONS 128u
#define AGAIN_MS 10

/* Kept for the life of the room, one per descriptor number ever used: libcurl stops and starts
 * watching a kept-alive connection with each request, and making a handle each time costs more
 * than the request's own system calls. */
struct watch {
	uv_poll_t poll;
	struct transfer *transfer;
	curl_socket_t fd;
};

static void collect(struct transfer *transfer)
{
	CURLMsg *message;
	int left;

	/* A callback may destroy the room; its memory stays until the handles are closed. */
	while (transfer->multi && (message = curl_multi_info_read(transfer->multi, &left))) {
		if (message->msg != CURLMSG_DONE)
			continue;
		CURLcode code = message->data.result;
		struct slot *slot = NULL;

		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &slot);
		curl_multi_remove_handle(transfer->multi, message->easy_handle);
		room_attempt_ended(transfer, slot, code);
	}
}

static void on_curl_timer(uv_timer_t *timer);

/* Without memory it stops half way and has not said when it wants to be called next: soon, then,
 * or no timeout would ever end what it was at. */
static void drive(struct transfer *transfer, curl_socket_t fd, int flags)
{
	int running;

	if (curl_multi_socket_action(transfer->multi, fd, flags, &running) > CURLM_OK)
		uv_timer_start(&transfer->curl_timer, on_curl_timer, AGAIN_MS, 0);
	collect(transfer);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct watch *watch = poll->data;
	/* Of an error libcurl is told nothing but to look: it then finds out what happened, and
	 * whether the connection died before anything was read, instead of giving up blindly. */
	int flags = 0;

	if (status == 0 && (events & UV_READABLE))
		flags |= CURL_CSELECT_IN;
	if (status == 0 && (events & UV_WRITABLE))
		flags |= CURL_CSELECT_OUT;
	drive(watch->transfer, watch->fd, flags);
}

/* Looks at all connections, since there is one that nobody tells of, until they are gone. */
static void on_blind(uv_timer_t *timer)
{
	struct transfer *transfer = timer->data;
	int running = 1; /* without memory it does not say */

	curl_multi_perform(transfer->multi, &running);
	collect(transfer);
	if (transfer->multi && running)
		uv_timer_start(timer, on_blind, AGAIN_MS, 0);
}

static void on_curl_timer(uv_timer_t *timer)
{
	drive(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static void on_wake(uv_timer_t *timer)
{
	struct transfer *transfer = timer->data;

	transfer->wake_at_ms = INT64_MAX;
	room_wake(transfer);
}

static void on_later(uv_timer_t *timer)
{
	room_later(timer->data);
}

static bool grow_watches(struct transfer *transfer, size_t fd)
{
	size_t count = transfer->watch_count ? transfer->watch_count : 64;

	if (fd < transfer->watch_count)
		return true;
	while (count <= fd)
		count *= 2;
	struct watch **watches = realloc(transfer->watches, count * sizeof(struct watch *));
	if (!watches)
		return false;
	for (size_t i = transfer->watch_count; i < count; i++)
		watches[i] = NULL;
	transfer->watches = watches;
	transfer->watch_count = count;
	return true;
}

static struct watch *watch_of(struct transfer *transfer, curl_socket_t fd)
{
	if (fd < 0 || !grow_watches(transfer, (size_t)fd))
		return NULL;
	struct watch *watch = transfer->watches[fd];
	if (watch)
		return watch;
	watch = calloc(1, sizeof(*watch));
	if (!watch)
		return NULL;
	if (uv_poll_init_socket(transfer->loop, &watch->poll, fd)) {
		free(watch);
		return NULL;
	}
	watch->poll.data = watch;
	watch->transfer = transfer;
	watch->fd = fd;
	transfer->watches[fd] = watch;
	transfer->handles_open++;
	return watch;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *socket_user)
{
	struct transfer *transfer = user;

	(void)easy;
	(void)socket_user;
	if (what == CURL_POLL_REMOVE) {
		if (fd >= 0 && (size_t)fd < transfer->watch_count && transfer->watches[fd])
			uv_poll_stop(&transfer->watches[fd]->poll);
		return 0;
	}
	struct watch *watch = watch_of(transfer, fd);
	int events =
		(what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
	/* libcurl is not told: it would give up all transfers, and some without saying so. */
	if (!watch || uv_poll_start(&watch->poll, events, on_poll))
		uv_timer_start(&transfer->blind_timer, on_blind, AGAIN_MS, 0);
	return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *user)
{
	struct transfer *transfer = user;

	(void)multi;
	if (timeout_ms < 0)
		uv_timer_stop(&transfer->curl_timer);
	else
		uv_timer_start(&transfer->curl_timer, on_curl_timer, (uint64_t)timeout_ms, 0);
	return 0;
}

static void init_timer(struct transfer *transfer, uv_timer_t *timer)
{
	int rc = uv_timer_init(transfer->loop, timer);

	assert(rc == 0); /* libuv: it cannot fail */
	timer->data = transfer;
	transfer->handles_open++;
}

int pump_init(struct error *error, struct transfer *transfer)
{
	transfer->multi = curl_multi_init();
	if (!transfer->multi)
		return error_set(error, E_NOMEM, "no memory for outgoing requests");
	curl_multi_setopt(transfer->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(transfer->multi, CURLMOPT_SOCKETDATA, transfer);
	curl_multi_setopt(transfer->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(transfer->multi, CURLMOPT_TIMERDATA, transfer);
	curl_multi_setopt(transfer->multi, CURLMOPT_MAXCONNECTS,
		(long)(transfer->max_total < KEPT_CONNECTIONS ? transfer->max_total
							      : KEPT_CONNECTIONS));
	init_timer(transfer, &transfer->curl_timer);
	init_timer(transfer, &transfer->blind_timer);
	init_timer(transfer, &transfer->wake_timer);
	init_timer(transfer, &transfer->later_timer);
	transfer->wake_at_ms = INT64_MAX;
	return 0;
}

static void one_closed(struct transfer *transfer)
{
	if (--transfer->handles_open)
		return;
	free(transfer->watches);
	room_free(transfer);
}

static void on_timer_closed(uv_handle_t *handle)
{
	one_closed(handle->data);
}

static void on_watch_closed(uv_handle_t *handle)
{
	struct watch *watch = handle->data;
	struct transfer *transfer = watch->transfer;

	free(watch);
	one_closed(transfer);
}

void pump_finish(struct transfer *transfer)
{
	curl_multi_cleanup(transfer->multi);
	transfer->multi = NULL;
	for (size_t i = 0; i < transfer->watch_count; i++) {
		if (transfer->watches[i])
			uv_close((uv_handle_t *)&transfer->watches[i]->poll, on_watch_closed);
	}
	uv_close((uv_handle_t *)&transfer->curl_timer, on_timer_closed);
	uv_close((uv_handle_t *)&transfer->blind_timer, on_timer_closed);
	uv_close((uv_handle_t *)&transfer->wake_timer, on_timer_closed);
	uv_close((uv_handle_t *)&transfer->later_timer, on_timer_closed);
}

bool pump_add(struct transfer *transfer, struct slot *slot)
{
	return curl_multi_add_handle(transfer->multi, slot->easy) == CURLM_OK;
}

void pump_remove(struct transfer *transfer, struct slot *slot)
{
	curl_multi_remove_handle(transfer->multi, slot->easy);
}

void pump_wake_at(struct transfer *transfer, int64_t at_ms)
{
	int64_t now_ms = clock_mono_ms();

	if (at_ms >= transfer->wake_at_ms)
		return;
	transfer->wake_at_ms = at_ms;
	uv_timer_start(
		&transfer->wake_timer, on_wake, at_ms > now_ms ? (uint64_t)(at_ms - now_ms) : 0, 0);
}

void pump_later(struct transfer *transfer)
{
	uv_timer_start(&transfer->later_timer, on_later, 0, 0);
}
