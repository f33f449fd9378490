/* live.c - see live.h. The listener's thread opens and loses viewers; the thread of this file reads
 * the store for them and writes. Never keeps an event: what a viewer has not been given is in the
 * store, behind its place.
 */
#include "http/live.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/latch.h"
#include "base/log.h"
#include "http/limit.h"
#include "http/listener.h"
#include "http/rows.h"

#define TICK_MS 150
#define PAGE_ROWS 64
#define PAGE_MEMORY ((size_t)256 << 20) /* of rows as large as a webhook may be */
#define ROOM ((size_t)256 << 10)
#define LARGEST ((size_t)96 << 10) /* data of one event */
#define HEARTBEAT_S 15
#define HEARTBEAT_MOST_S 60

struct viewer {
	struct viewer *next;
	struct live *live;
	struct stream *stream;
	struct str tenant;
	uint64_t address; /* limit_key() */
	struct id after;  /* what it has seen; zero: it begins now */
	bool lost;        /* it named something that cannot be an id */
	bool gone;        /* locked; the listener knows nothing of it any more */
	/* Ours alone: */
	bool placed, following; /* following: its place is the live's */
	int64_t place, heartbeat_ms, told_ms;
	char name[]; /* of the tenant */
};

struct live {
	char *state;
	struct limit *limit; /* the listener's thread */
	pthread_t thread;
	bool started;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	struct viewer *viewers;
	unsigned count; /* not gone */
	bool stopping, woken;
	/* The thread's: */
	struct store_reader *reader;
	int64_t version, place;
	atomic_uint_fast64_t opened, refused, behind, cut, events;
};

/* ---- Viewers: the listener's thread ------------------------------------------------------- */

static void wake(struct live *live) /* locked */
{
	live->woken = true;
	pthread_cond_signal(&live->changed);
}

static void over(void *user, bool cut)
{
	struct viewer *v = user;
	struct live *live = v->live;

	if (cut)
		atomic_fetch_add(&live->cut, 1);
	pthread_mutex_lock(&live->lock);
	v->gone = true;
	live->count--;
	wake(live);
	pthread_mutex_unlock(&live->lock);
}

static void refuse(struct live *live, struct request *request, unsigned status, unsigned wait_s,
	const char *why)
{
	char seconds[16];
	struct request_pair headers[] = {{STR("Retry-After"), {seconds, 0}},
		{STR("Cache-Control"), STR("no-store")},
		{STR("X-Content-Type-Options"), STR("nosniff")},
		{STR("X-Frame-Options"), STR("DENY")}};
	struct answer a = {.status = status,
		.content_type = "text/plain; charset=utf-8",
		.headers = wait_s ? headers : headers + 1,
		.header_count = wait_s ? 4 : 3,
		.body = str_of(why),
		.close = true};

	headers[0].value.len = (size_t)snprintf(seconds, sizeof(seconds), "%u", wait_s);
	atomic_fetch_add(&live->refused, 1);
	request_answer(request, &a);
}

bool live_admit(struct live *live, struct request *request)
{
	unsigned wait_s = limit_take(live->limit, request->remote, clock_mono_ms());

	if (wait_s)
		refuse(live, request, 429, wait_s, "too many connects from your address\n");
	return wait_s == 0;
}

static bool has_place(struct live *live, struct request *request)
{
	uint64_t address = limit_key(request->remote);
	unsigned count, same = 0;

	pthread_mutex_lock(&live->lock);
	count = live->count;
	for (struct viewer *v = live->viewers; v; v = v->next)
		same += !v->gone && v->address == address;
	pthread_mutex_unlock(&live->lock);
	if (same >= LIVE_PER_ADDRESS)
		refuse(live, request, 429, 10,
			"your address has as many live streams as it may have\n");
	else if (count >= LIVE_STREAMS)
		refuse(live, request, 503, 10, "there are as many live streams as there may be\n");
	return same < LIVE_PER_ADDRESS && count < LIVE_STREAMS;
}

/* Seconds, 1 to 60; 0: that is none. */
static int64_t heartbeat_of(const struct request *request)
{
	struct str text = request_query(request, "heartbeat");
	int64_t n = 0;

	if (!text.ptr)
		return HEARTBEAT_S;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9' || n > HEARTBEAT_MOST_S)
			return 0;
		n = n * 10 + (text.ptr[i] - '0');
	}
	return n <= HEARTBEAT_MOST_S ? n : 0;
}

static struct viewer *make_viewer(
	struct live *live, const struct request *request, struct str tenant)
{
	struct viewer *v = calloc(1, sizeof(*v) + tenant.len + 1);
	struct str after = request_header(request, "last-event-id");

	if (!v)
		return NULL;
	v->live = live;
	if (tenant.len)
		memcpy(v->name, tenant.ptr, tenant.len);
	v->tenant = (struct str){v->name, tenant.len};
	v->address = limit_key(request->remote);
	if (!after.len)
		after = request_query(request, "after");
	v->lost = after.len && !id_parse(&v->after, after);
	if (v->lost)
		memset(&v->after, 0, sizeof(v->after));
	return v;
}

#define PAIR(name, value)                                                                          \
	{                                                                                          \
		{name, sizeof(name) - 1},                                                          \
		{                                                                                  \
			value, sizeof(value) - 1                                                   \
		}                                                                                  \
	}
static const struct request_pair stream_headers[] = {
	PAIR("Cache-Control", "no-cache, no-store, no-transform"),
	PAIR("X-Accel-Buffering", "no"), /* nginx would keep it until it has a page full */
	PAIR("X-Content-Type-Options", "nosniff"),
	PAIR("X-Frame-Options", "DENY"),
	PAIR("Referrer-Policy", "same-origin"),
	PAIR("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
};

static void open_stream(struct live *live, struct request *request, struct viewer *v)
{
	struct answer head = {.status = 200,
		.content_type = "text/event-stream",
		.headers = stream_headers,
		.header_count = sizeof(stream_headers) / sizeof(stream_headers[0])};
	struct stream_options options = {.room = ROOM, .over = over, .user = v};

	v->stream = request_stream(request, &head, &options);
	if (!v->stream) {
		free(v);
		return;
	}
	stream_write(v->stream, STR("retry: 3000\n: live\n\n"));
	atomic_fetch_add(&live->opened, 1);
	pthread_mutex_lock(&live->lock);
	v->next = live->viewers;
	live->viewers = v;
	live->count++;
	wake(live);
	pthread_mutex_unlock(&live->lock);
}

void live_watch(struct live *live, struct request *request, struct str tenant)
{
	int64_t heartbeat_s = heartbeat_of(request);
	struct viewer *v;

	if (strcmp(request->method, "GET") != 0) {
		refuse(live, request, 405, 0, "a stream is read: GET it\n");
		return;
	}
	if (!heartbeat_s) {
		refuse(live, request, 400, 0, "heartbeat is a number of seconds from 1 to 60\n");
		return;
	}
	if (!has_place(live, request))
		return;
	v = make_viewer(live, request, tenant);
	if (!v) {
		refuse(live, request, 503, 10, "no memory\n");
		return;
	}
	v->heartbeat_ms = heartbeat_s * 1000;
	v->told_ms = clock_mono_ms();
	open_stream(live, request, v);
}

void live_dismiss(struct live *live)
{
	pthread_mutex_lock(&live->lock);
	for (struct viewer *v = live->viewers; v; v = v->next)
		if (!v->gone)
			stream_end(v->stream);
	pthread_mutex_unlock(&live->lock);
}

/* ---- Telling: our thread ------------------------------------------------------------------ */

static bool tell(struct viewer *v, struct str text)
{
	if (!stream_write(v->stream, text))
		return false;
	v->told_ms = clock_mono_ms();
	return true;
}

static struct str message_of(struct arena *arena, const struct live_row *row)
{
	char id[ID_TEXT];
	struct str data = json_print(arena, rows_live(arena, row, LARGEST));

	id_text(id, &row->event.id);
	return str_of(arena_printf(arena, "id: %s\nevent: %.*s\ndata: %.*s\n\n", id,
		STR_ARG(row->event.type), STR_ARG(data)));
}

static bool sees(const struct viewer *v, const struct live_row *row)
{
	return !v->tenant.len || str_eq(v->tenant, row->event.tenant);
}

/* Who has no room is not waited for: it gets what it missed once it has taken what it was given, or
 * is cut by the listener if it takes nothing. */
static void tell_following(struct live *live, struct viewer **viewers, size_t count,
	const struct live_row *row, struct str text)
{
	for (size_t i = 0; i < count; i++) {
		struct viewer *v = viewers[i];
		if (!v->following || !sees(v, row))
			continue;
		if (tell(v, text)) {
			atomic_fetch_add(&live->events, 1);
			continue;
		}
		v->following = false;
		v->place = row->place - 1;
		atomic_fetch_add(&live->behind, 1);
	}
}

static int follow(struct error *error, struct live *live, struct viewer **viewers, size_t count,
	int64_t end, struct arena *arena)
{
	struct live_page page;
	int rc = 0;

	while (live->place < end && !rc) {
		struct live_range range = {.after = live->place, .until = end, .limit = PAGE_ROWS};
		arena_reset(arena);
		rc = store_list_live(error, live->reader, &range, arena, &page);
		for (size_t i = 0; i < page.count && !rc; i++) {
			struct str text = message_of(arena, &page.rows[i]);
			rc = text.ptr ? 0 : error_set(error, E_NOMEM, "no memory for an event");
			if (!rc)
				tell_following(live, viewers, count, &page.rows[i], text);
		}
		if (!rc)
			live->place = page.reached;
	}
	return rc;
}

/* One page for somebody who is behind, as far as there is room for it. more: go on at once. */
static int catch_up(
	struct error *error, struct live *live, struct viewer *v, struct arena *arena, bool *more)
{
	struct live_range range = {
		.tenant = v->tenant, .after = v->place, .until = live->place, .limit = PAGE_ROWS};
	struct live_page page;
	int rc;

	v->following = v->place == live->place;
	if (v->place >= live->place || stream_room(v->stream) <= ROOM / 2)
		return 0;
	arena_reset(arena);
	rc = store_list_live(error, live->reader, &range, arena, &page);
	for (size_t i = 0; i < page.count && !rc; i++) {
		struct str text = message_of(arena, &page.rows[i]);
		if (!text.ptr)
			return error_set(error, E_NOMEM, "no memory for an event");
		if (!tell(v, text))
			return 0;
		atomic_fetch_add(&live->events, 1);
		v->place = page.rows[i].place;
	}
	if (!rc)
		v->place = page.reached;
	v->following = v->place == live->place;
	*more |= !v->following;
	return rc;
}

static int place(struct error *error, struct live *live, struct viewer *v)
{
	int rc = 0;

	v->placed = true;
	v->place = live->place;
	if (!id_is_zero(&v->after))
		rc = store_live_place(error, live->reader, &v->after, v->tenant, &v->place);
	if (rc == E_NOTFOUND || v->lost) {
		tell(v, STR("event: reset\ndata: {\"reason\":\"the event after which to go on is "
			    "not known; this goes on from now\"}\n\n"));
		rc = 0;
	}
	v->following = v->place == live->place;
	return rc;
}

/* What nobody follows is not read: whoever is behind reads for himself. */
static bool anybody_follows(struct viewer **viewers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (viewers[i]->following)
			return true;
	return false;
}

static int look(struct error *error, struct live *live, struct viewer **viewers, size_t count,
	struct arena *arena, bool *more)
{
	int64_t version = 0, end = live->place;
	bool fresh = !live->reader;
	int rc = 0;

	if (fresh)
		rc = store_reader_open(error, &live->reader, live->state);
	if (!rc)
		rc = store_data_version(error, live->reader, &version);
	for (size_t i = 0; i < count; i++)
		fresh |= !viewers[i]->placed;
	if (!rc && (fresh || version != live->version))
		rc = store_live_end(error, live->reader, &end);
	if (!rc && !anybody_follows(viewers, count))
		live->place = end;
	if (!rc)
		rc = follow(error, live, viewers, count, end, arena);
	live->version = version;
	for (size_t i = 0; i < count && !rc; i++)
		if (!viewers[i]->placed)
			rc = place(error, live, viewers[i]);
	for (size_t i = 0; i < count && !rc; i++)
		if (!viewers[i]->following)
			rc = catch_up(error, live, viewers[i], arena, more);
	return rc;
}

/* A store that cannot be read is said by ending: they come back, and until then somebody sees why.
 */
static void give_up(struct live *live, struct viewer **viewers, size_t count, struct error *error)
{
	log_line(LOG_WARN, "live streams ended", "reason", error->text, NULL);
	for (size_t i = 0; i < count; i++)
		stream_cut(viewers[i]->stream);
	store_reader_close(live->reader);
	live->reader = NULL;
}

static void beat(struct viewer **viewers, size_t count)
{
	int64_t now_ms = clock_mono_ms();

	for (size_t i = 0; i < count; i++)
		if (now_ms - viewers[i]->told_ms >= viewers[i]->heartbeat_ms)
			tell(viewers[i], STR(": still here\n\n"));
}

/* True: there is more to read at once. */
static bool one_round(struct live *live, struct viewer **viewers, size_t count)
{
	struct arena *arena = arena_create(PAGE_MEMORY);
	struct error error = {0};
	bool more = false;

	if (!arena)
		error_set(&error, E_NOMEM, "no memory to look at calls");
	if (!arena || look(&error, live, viewers, count, arena, &more) < 0)
		give_up(live, viewers, count, &error);
	beat(viewers, count);
	arena_destroy(arena);
	return more;
}

/* ---- Our thread --------------------------------------------------------------------------- */

static void reap(struct live *live) /* locked */
{
	struct viewer **at = &live->viewers, *v;

	while ((v = *at)) {
		if (!v->gone) {
			at = &v->next;
			continue;
		}
		*at = v->next;
		stream_release(v->stream);
		free(v);
	}
}

/* Without viewers nothing is read: who comes next begins at the end, whatever that is then. */
static void rest(struct live *live) /* locked */
{
	store_reader_close(live->reader);
	live->reader = NULL;
	while (!live->viewers && !live->stopping)
		pthread_cond_wait(&live->changed, &live->lock);
}

static void doze(struct live *live) /* locked */
{
	int64_t until_ms = clock_mono_ms() + TICK_MS;
	struct timespec until = latch_time(until_ms);
	int rc = 0;

	while (!live->woken && !live->stopping && !rc)
		rc = pthread_cond_timedwait(&live->changed, &live->lock, &until);
}

static size_t list(struct live *live, struct viewer **viewers) /* locked */
{
	size_t n = 0;

	for (struct viewer *v = live->viewers; v && n < LIVE_STREAMS; v = v->next)
		if (!v->gone)
			viewers[n++] = v;
	return n;
}

static void *run(void *arg)
{
	struct live *live = arg;
	struct viewer *viewers[LIVE_STREAMS];
	bool more = false;

	pthread_mutex_lock(&live->lock);
	for (;;) {
		if (!more)
			doze(live);
		live->woken = false;
		reap(live);
		if (!live->viewers)
			rest(live);
		if (live->stopping)
			break;
		size_t count = list(live, viewers);
		pthread_mutex_unlock(&live->lock);
		more = one_round(live, viewers, count);
		pthread_mutex_lock(&live->lock);
	}
	pthread_mutex_unlock(&live->lock);
	store_reader_close(live->reader);
	return NULL;
}

/* ---- Beginning and end -------------------------------------------------------------------- */

struct live *live_create(struct error *error, const char *state)
{
	struct live *live = calloc(1, sizeof(*live));

	if (!live) {
		error_set(error, E_NOMEM, "no memory for the live view");
		return NULL;
	}
	pthread_mutex_init(&live->lock, NULL);
	latch_init_timed(&live->changed);
	live->state = strdup(state);
	live->limit = limit_create(LIVE_CONNECTS_PER_MINUTE, LIVE_CONNECTS_AT_ONCE);
	if (live->state && live->limit)
		live->started = pthread_create(&live->thread, NULL, run, live) == 0;
	if (live->started)
		return live;
	error_set(error, E_NOMEM, "no memory, or no thread, for the live view");
	live_destroy(live);
	return NULL;
}

void live_destroy(struct live *live)
{
	if (!live)
		return;
	pthread_mutex_lock(&live->lock);
	live->stopping = true;
	pthread_cond_signal(&live->changed);
	pthread_mutex_unlock(&live->lock);
	if (live->started)
		pthread_join(live->thread, NULL);
	reap(live);
	pthread_cond_destroy(&live->changed);
	pthread_mutex_destroy(&live->lock);
	limit_destroy(live->limit);
	free(live->state);
	free(live);
}

void live_stats(struct live *live, struct live_stats *out)
{
	out->opened = atomic_load(&live->opened);
	out->refused = atomic_load(&live->refused);
	out->behind = atomic_load(&live->behind);
	out->cut = atomic_load(&live->cut);
	out->events = atomic_load(&live->events);
	pthread_mutex_lock(&live->lock);
	out->streams = live->count;
	pthread_mutex_unlock(&live->lock);
}
